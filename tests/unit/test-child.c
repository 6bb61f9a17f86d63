/* tests/unit/test-child.c - a foreign program that is run to its end: what it says, how it ends, and who
 * hears meanwhile that it still runs. */
#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/child.h"
#include "tests/unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

/* Runs a line of shell; *ret_alive counts the signs of life. */
static ChildEnd run(const char *program, const char *script, int64_t limit_s, unsigned *ret_alive)
{
    char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t)script, NULL };
    char *environment[] = { (char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL };
    AUTO_FD input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    AUTO_FD folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const ChildOrder order = { .program = program,
                               .argv = argv,
                               .environment = environment,
                               .input_fd = input,
                               .folder_fd = folder,
                               .limit_s = limit_s,
                               .alive = count,
                               .arg = ret_alive,
                               .alive_ms = 50 };
    ChildEnd end;

    *ret_alive = 0;
    child_run(&order, &end);
    return end;
}

static void ends_are_told(void **state)
{
    static const struct {
        const char *program, *script;
        ChildHow how;
        int code;
        const char *words;
    } cases[] = {
        { "/bin/sh", "exit 0", CHILD_EXITED, 0, "" },
        { "/bin/sh", "echo one >&2; echo two >&2; echo out; exit 7", CHILD_EXITED, 7, "two" },
        { "/bin/sh", "printf 'no end' >&2; exit 1", CHILD_EXITED, 1, "no end" },
        { "/bin/sh", "kill -KILL $$", CHILD_DIED, SIGKILL, "" },
        { "/bin/sh", "exec sleep 60", CHILD_TOO_LONG, SIGTERM, "" },
        { "/bin/none", "", CHILD_NOT_STARTED, ENOENT, "" },
        { "/etc/passwd", "", CHILD_NOT_STARTED, EACCES, "" },
    };
    unsigned alive;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ChildEnd end = run(cases[i].program, cases[i].script, 1, &alive);

        if (end.how != cases[i].how || end.code != cases[i].code ||
            !text_equal(end.words, cases[i].words))
            fail_msg("%s: how %d, code %d, \"%s\"", cases[i].script, (int)end.how, end.code,
                     end.words);
    }
}

static void a_long_line_is_cut_and_much_is_no_trouble(void **state)
{
    unsigned alive;
    ChildEnd end = run("/bin/sh", "yes x | head -c 300000 | tr -d '\\n' >&2; exit 1", 10, &alive);

    (void)state;
    assert_int_equal(end.code, 1);
    assert_int_equal(strlen(end.words), CHILD_WORDS_SIZE - 1);
}

static void signs_of_life_are_given(void **state)
{
    unsigned alive;
    ChildEnd end = run("/bin/sh", "for i in 1 2 3 4 5 6 7; do echo $i >&2; sleep 0.1; done", 10,
                       &alive);

    (void)state;
    assert_int_equal(end.how, CHILD_EXITED);
    assert_true(alive >= 4);
    (void)run("/bin/sh", "exit 0", 10, &alive);
    assert_true(alive <= 1);
}

static void who_does_not_hear_sigterm_is_killed(void **state)
{
    Mono begun = mono_now();
    unsigned alive;
    ChildEnd end = run("/bin/sh", "trap '' TERM; sleep 61 & wait; sleep 61", 1, &alive);

    (void)state;
    assert_int_equal(end.how, CHILD_TOO_LONG);
    assert_int_equal(end.code, SIGKILL);
    assert_true(mono_now().ms - begun.ms < 1000 + 3 * CHILD_GRACE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_told),
        cmocka_unit_test(a_long_line_is_cut_and_much_is_no_trouble),
        cmocka_unit_test(signs_of_life_are_given),
        cmocka_unit_test(who_does_not_hear_sigterm_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
