/* tests/unit/test-job-session.c - job control with a device of version 3, sans-IO. */
#include "device/job-session.h"
#include "tests/unit/hexfile.h"

static const Mono start = { 1000 };

/* Packets of the device, as captured but for the eight bytes of a chosen job. */
#define WELCOME  "IS\x80\x00\x38\x0c\x00\x00\x00\x05\x00\x00\x01\x04\x00\x00\x00"
#define ACK      "IS\xa1\x00\x38\x0c\x00\x00\x00\x01\x00\x00\x06"
#define NAK      "IS\xa1\x00\x38\x0c\x00\x00\x00\x01\x00\x00\x15"
#define TAKEN    "IS\xa3\x00\x38\x0c\x00\x00\x00\x00\x00\x00"
#define CHOSEN   "IS\xa3\x00\x38\x0c\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
#define UNLOCKED "IS\xa1\x01\x38\x0c\x00\x00\x00\x00\x00\x00"
#define NOTICE   "IS\x90\x00\x38\x0c\x00\x00\x00\x01\x00\x00\x01"
#define REJECTED "IS\x90\x00\x38\x0c\x00\x00\x00\x01\x00\x00\xa0"
#define REPLY    "IS\xa0\x00\x38\x0c\x00\x00\x00\x00\x00\x00"

/* Packets of ours. */
#define LOCK   "IS\x21\x00\x00\x0c\x00\x00\x00\x07\x00\x00\x01\xa0\x04\x00\x00\x00\x1e"
#define UNLOCK "IS\x21\x01\x00\x0c\x00\x00\x00\x00\x00\x00"

#define SAY(s, packet, now) \
    job_session_feed(s, (Bytes){ (const uint8_t *)(packet), sizeof(packet) - 1 }, now)
#define SAID(s, packet) said(s, (Bytes){ (const uint8_t *)(packet), sizeof(packet) - 1 })

static void said(JobSession *s, Bytes packet)
{
    assert_bytes_equal(buf_bytes(&s->out), packet);
    buf_clear(&s->out);
}

static void said_golden(JobSession *s, const char *name)
{
    HexFile *file = hexfile_read(name);

    assert_bytes_equal(buf_bytes(&s->out), file->item[0].bytes);
    buf_clear(&s->out);
    free(file);
}

static void to_asking(JobSession *s, IsJobCommand command)
{
    job_session_init(s, command, start);
    SAY(s, WELCOME, start);
    SAID(s, LOCK);
    SAY(s, ACK, start);
    assert_int_equal(s->state, JOB_ASKING);
}

static void a_list_is_written_and_a_choice_is_read(void **state)
{
    static const char *const golden[] = { "is-jobw-ff680w", "is-jobr-ff680w" };

    (void)state;
    for (int command = IS_JOB_WRITE; command <= IS_JOB_READ; command++) {
        JobSession s;

        to_asking(&s, command);
        said_golden(&s, golden[command]);
        assert_false(s.ok);
        if (command == IS_JOB_WRITE)
            SAY(&s, NOTICE TAKEN, start);
        else
            SAY(&s, NOTICE CHOSEN, start);
        SAID(&s, UNLOCK);
        assert_true(s.ok && !s.close);
        SAY(&s, UNLOCKED, start);
        assert_true(s.ok && s.close && s.out.n == 0);
        assert_int_equal(job_session_deadline(&s).ms, MONO_NEVER.ms);
        job_session_done(&s);
    }
}

static void bytes_may_come_one_by_one(void **state)
{
    static const char talk[] = WELCOME ACK CHOSEN UNLOCKED;
    JobSession s;

    (void)state;
    job_session_init(&s, IS_JOB_READ, start);
    for (size_t i = 0; i + 1 < sizeof talk; i++) {
        assert_false(s.close);
        job_session_feed(&s, (Bytes){ (const uint8_t *)talk + i, 1 }, start);
    }
    assert_true(s.ok && s.close);
    job_session_done(&s);
}

/* Whatever goes wrong after the lock was asked for: it is given back. */
static void a_failed_session_gives_the_lock_back(void **state)
{
    static const struct {
        const char *packet;
        size_t size;
        const char *code;
    } cases[] = {
#define CASE(packet, code) { packet, sizeof(packet) - 1, code }
        CASE(TAKEN, "job-control-failed"), /* eight bytes were wanted */
        CASE(REPLY, "job-control-failed"),    CASE(WELCOME, "job-control-failed"),
        CASE(UNLOCKED, "job-control-failed"), CASE("", "no-answer"),
#undef CASE
    };
    JobSession s;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        to_asking(&s, IS_JOB_READ);
        buf_clear(&s.out);
        job_session_feed(&s, (Bytes){ (const uint8_t *)cases[i].packet, cases[i].size }, start);
        if (cases[i].size == 0)
            job_session_tick(&s, job_session_deadline(&s));
        SAID(&s, UNLOCK);
        SAY(&s, CHOSEN, start); /* too late to be a success */
        assert_false(s.close || s.ok);
        SAY(&s, UNLOCKED, start);
        assert_true(s.close && !s.ok);
        assert_string_equal(s.reason.code, cases[i].code);
        assert_true(s.reason.text[0] && s.reason.remedy[0]);
        job_session_done(&s);
    }
}

static void a_device_that_does_not_unlock_is_left(void **state)
{
    JobSession s;

    (void)state;
    to_asking(&s, IS_JOB_READ);
    SAY(&s, CHOSEN, mono_after(start, 5999));
    assert_int_equal(job_session_deadline(&s).ms, start.ms + 5999 + JOB_UNLOCK_MS);
    job_session_tick(&s, mono_after(start, 5999 + JOB_UNLOCK_MS));
    assert_true(s.close && s.ok); /* what was wanted is done */
    job_session_done(&s);
}

static void a_locked_device_is_asked_again(void **state)
{
    Mono now = start;
    JobSession s;

    (void)state;
    job_session_init(&s, IS_JOB_WRITE, start);
    SAY(&s, WELCOME, start);
    for (int i = 0; i < 3; i++) {
        SAID(&s, LOCK);
        SAY(&s, NAK, now);
        assert_int_equal(job_session_deadline(&s).ms, now.ms + JOB_PAUSE_MS);
        now = job_session_deadline(&s);
        job_session_tick(&s, now);
    }
    SAID(&s, LOCK);
    SAY(&s, ACK, now);
    buf_clear(&s.out);
    SAY(&s, TAKEN UNLOCKED, now);
    assert_true(s.close && s.ok && !s.reason.code[0]);
    job_session_done(&s);

    job_session_init(&s, IS_JOB_WRITE, start);
    SAY(&s, WELCOME, start);
    buf_clear(&s.out);
    SAY(&s, NAK, mono_after(start, JOB_SESSION_MS - 1));
    job_session_tick(&s, mono_after(start, JOB_SESSION_MS));
    assert_true(s.close && !s.ok && s.out.n == 0); /* there is no lock to give back */
    assert_string_equal(s.reason.code, "device-reserved");
    job_session_done(&s);
}

static void what_is_no_device_is_left(void **state)
{
    static const char big[] = "IS\xa3\x00\x38\x0c\x00\x01\x00\x00\x00\x00";
    JobSession s;

    (void)state;
    job_session_init(&s, IS_JOB_WRITE, start);
    SAY(&s, "HTTP/1.0", start);
    assert_true(s.close && !s.ok && s.out.n == 0);
    assert_string_equal(s.reason.code, "protocol-error");
    job_session_done(&s);

    job_session_init(&s, IS_JOB_WRITE, start);
    job_session_tick(&s, mono_after(start, JOB_SESSION_MS)); /* a device that wants TLS is silent */
    assert_true(s.close && !s.ok && s.out.n == 0);
    assert_string_equal(s.reason.code, "no-answer");
    job_session_done(&s);

    to_asking(&s, IS_JOB_WRITE);
    SAY(&s, big, start);
    assert_true(s.close && !s.ok);
    job_session_done(&s);

    to_asking(&s, IS_JOB_WRITE);
    SAY(&s, REJECTED, start);
    assert_true(s.close);
    assert_string_equal(s.reason.code, "device-rejected");
    job_session_lost(&s, "connection-lost", start);
    assert_string_equal(s.reason.code, "device-rejected");
    job_session_done(&s);

    to_asking(&s, IS_JOB_WRITE);
    job_session_lost(&s, "connection-lost", start);
    assert_true(s.close && !s.ok);
    assert_string_equal(s.reason.code, "connection-lost");
    job_session_done(&s);
}

static void every_pair(void **state)
{
    (void)state;
    for (int from = 0; from < JOB_STATE_MAX_; from++) {
        for (int event = 0; event < JOB_EVENT_MAX_; event++) {
            const JobRule *rule = &job_rules[from][event];

            assert_int_equal(rule->action == JOB_DO_CLOSE, rule->next == JOB_DONE);
            assert_int_equal(rule->action == JOB_DO_ASK,
                             rule->next == JOB_ASKING && from != JOB_ASKING);
            assert_int_equal(rule->action == JOB_DO_UNLOCK,
                             rule->next == JOB_UNLOCKING && from != JOB_UNLOCKING);
            /* With a lock only an end of the connection ends without an unlock. */
            if ((from == JOB_LOCKING || from == JOB_ASKING) && rule->next == JOB_DONE)
                assert_true(event == JOB_EVENT_LOST || event == JOB_EVENT_GOES ||
                            event == JOB_EVENT_GARBAGE || event == JOB_EVENT_AGAIN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_written_and_a_choice_is_read),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(a_failed_session_gives_the_lock_back),
        cmocka_unit_test(a_device_that_does_not_unlock_is_left),
        cmocka_unit_test(a_locked_device_is_asked_again),
        cmocka_unit_test(what_is_no_device_is_left),
        cmocka_unit_test(every_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
