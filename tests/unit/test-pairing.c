/* tests/unit/test-pairing.c - button-only scanners: states, names, decisions, rows. */
#include "model/pairing.h"

#include "base/cleanup.h"
#include "store/pairing.h"
#include "tests/unit/store-fixture.h"

enum { STAYS = -1 };

static void every_pair_of_state_and_event(void **state)
{
    static const int next[PAIRING_STATE_MAX_][PAIRING_EVENT_MAX_] = {
        [PAIRING_NONE] = { PAIRING_PAIRED, STAYS, STAYS, STAYS },
        [PAIRING_PAIRED] = { PAIRING_PAIRED, PAIRING_OUTDATED, PAIRING_LOST, PAIRING_NONE },
        [PAIRING_OUTDATED] = { PAIRING_PAIRED, PAIRING_OUTDATED, PAIRING_LOST, PAIRING_NONE },
        [PAIRING_LOST] = { PAIRING_PAIRED, STAYS, PAIRING_LOST, PAIRING_NONE },
    };

    (void)state;
    for (int s = 0; s < PAIRING_STATE_MAX_; s++)
        for (int e = 0; e < PAIRING_EVENT_MAX_; e++) {
            PairingState now = (PairingState)s;

            assert_int_equal(pairing_step(&now, (PairingEvent)e), next[s][e] != STAYS);
            assert_int_equal((int)now, next[s][e] == STAYS ? s : next[s][e]);
        }
}

/* Each problem has a word of its own, a sentence with the address, and a cure. */
static void every_problem_is_told(void **state)
{
    (void)state;
    for (int p = PAIRING_OK + 1; p < PAIRING_PROBLEM_MAX_; p++) {
        Err err = { 0 };

        for (int other = 0; other < p; other++)
            assert_string_not_equal(pairing_problem_words[p], pairing_problem_words[other]);
        assert_false(pairing_problem_err((PairingProblem)p, "192.0.2.7", "a number", &err));
        assert_true(text_starts_with(err.text, pairing_problem_words[p]));
        assert_non_null(strstr(err.text, " 192.0.2.7 "));
        assert_non_null(strstr(err.text, ": a number"));
        assert_true(strlen(err.remedy) > 20 && err.remedy[strlen(err.remedy) - 1] == '.');
        assert_int_not_equal(err.kind, ERR_BUG);
    }
    assert_null(pairing_problem_words[PAIRING_PROBLEM_MAX_]);
}

static void names_are_read(void **state)
{
    static const struct {
        const char *said;
        size_t n;
        const char *name;
        bool clean;
    } cases[] = {
        { "", 0, "", true },
        { "Platen", 6, "Platen", true },
        { "Platen\0\0", 8, "Platen", true },
        { "\0\0\0", 3, "", true },
        { "a\0b", 3, "a?b", false },
        { "B\xc3\xbcro", 5, "B\xc3\xbcro", true },
        { "\xc3", 1, "?", false },
        { "\xe2\x82", 2, "??", false },
        { "\x1b[2J", 4, "?[2J", false },
        { "\xf0\x9f\x96\xa8", 4, "\xf0\x9f\x96\xa8", true },
    };
    char name[PANEL_NAME_SIZE], longest[PANEL_NAME_SIZE + 2];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Bytes said = { (const uint8_t *)cases[i].said, cases[i].n };

        assert_int_equal(pairing_name_read(said, name), cases[i].clean);
        assert_string_equal(name, cases[i].name);
    }
    memset(longest, 'x', sizeof longest);
    assert_true(pairing_name_read((Bytes){ (uint8_t *)longest, PANEL_NAME_SIZE - 1 }, name));
    assert_int_equal(strlen(name), PANEL_NAME_SIZE - 1);
    assert_false(pairing_name_read((Bytes){ (uint8_t *)longest, PANEL_NAME_SIZE }, name));
    assert_int_equal(strlen(name), PANEL_NAME_SIZE - 1);
    memcpy(longest + PANEL_NAME_SIZE - 2, "\xc3\xbc", 2); /* its first byte would be the last one */
    assert_false(pairing_name_read((Bytes){ (uint8_t *)longest, PANEL_NAME_SIZE }, name));
    assert_int_equal(strlen(name), PANEL_NAME_SIZE - 2);
}

/* A name is never taken from somebody else unless a person said so. */
static void whose_name_may_be_replaced(void **state)
{
    static const struct {
        PairingState state;
        const char *found;
        bool replace;
        PairingDo what;
    } cases[] = {
        { PAIRING_NONE, "Now", false, PAIRING_DO_NOTHING },
        { PAIRING_NONE, "", false, PAIRING_DO_WRITE },
        { PAIRING_NONE, "Then", false, PAIRING_DO_LEAVE },
        { PAIRING_PAIRED, "Then", false, PAIRING_DO_WRITE },
        { PAIRING_OUTDATED, "Then", false, PAIRING_DO_WRITE },
        { PAIRING_LOST, "Then", false, PAIRING_DO_WRITE },
        { PAIRING_PAIRED, "PC-7", false, PAIRING_DO_LEAVE },
        { PAIRING_PAIRED, "now", false, PAIRING_DO_LEAVE },
        { PAIRING_LOST, "PC-7", true, PAIRING_DO_WRITE },
        { PAIRING_NONE, "PC-7", true, PAIRING_DO_WRITE },
        { PAIRING_LOST, "Now", true, PAIRING_DO_NOTHING },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Pairing pairing = { .state = cases[i].state, .name = "Then" };

        assert_int_equal(pairing_decide(&pairing, "Now", cases[i].found, cases[i].replace),
                         cases[i].what);
    }
}

static void when_a_device_is_looked_at(void **state)
{
    static const struct {
        PairingState state;
        const char *ours;
        int64_t check_s, now, due;
    } cases[] = {
        { PAIRING_PAIRED, "Then", 3600, 10000, 9000 + 3600000 },
        { PAIRING_PAIRED, "Now", 3600, 10000, 500 },
        { PAIRING_OUTDATED, "Now", 3600, 10000, 9000 + 60000 },
        { PAIRING_OUTDATED, "Then", 5, 10000, 9000 + 5000 },
        { PAIRING_LOST, "Now", 3600, 9000, 9000 + 3600000 },
        { PAIRING_PAIRED, "Then", 3600, 8999, 8999 }, /* the clock was set back */
        { PAIRING_PAIRED, "Now", 3600, 400, 400 },
        { PAIRING_LOST, "Now", 3600, 400, 400 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Pairing pairing = {
            .state = cases[i].state, .name = "Then", .since = { 500 }, .checked = { 9000 }
        };

        assert_int_equal(
            pairing_due(&pairing, cases[i].ours, cases[i].check_s, (Wall){ cases[i].now }).ms,
            cases[i].due);
    }
}

/* --- rows -------------------------------------------------------------------------------------------- */

static Fixture *fx;

static bool count_pairing(void *arg, const DeviceId *id, const Pairing *pairing)
{
    (void)id;
    (void)pairing;
    ++*(int *)arg;
    return true;
}

static int pairings(void)
{
    int count = 0;

    assert_read(fx, pairing_list(reader_db(fx->reader), count_pairing, &count, &fx->err));
    return count;
}

/* A row comes, changes and goes with its state, or with its device; those of devices that are not approved are not
 * in the list. */
static void rows_live_with_their_device(void **state)
{
    const DeviceNew wish = { .address = "10.0.0.7" };
    Pairing pairing = { .state = PAIRING_PAIRED,
                        .name = "Platen",
                        .before = "PC-7",
                        .since = { 5 },
                        .checked = { 6 } };
    Pairing read;
    DeviceId id;

    fx = *state;
    assert_write(fx, device_add(tx, &test_actor, &wish, &id, &fx->err));
    assert_read(fx, pairing_get(reader_db(fx->reader), &id, &read, &fx->err));
    assert_int_equal(read.state, PAIRING_NONE);
    for (int s = PAIRING_PAIRED; s < PAIRING_STATE_MAX_; s++)
        for (int p = 0; p < PAIRING_PROBLEM_MAX_; p++) {
            pairing.state = (PairingState)s;
            pairing.problem = (PairingProblem)p;
            (void)text_printf(pairing.other, sizeof pairing.other, "Other %d", p);
            assert_write(fx, pairing_put(tx, &id, &pairing, NULL, "", &fx->err));
            assert_read(fx, pairing_get(reader_db(fx->reader), &id, &read, &fx->err));
            assert_memory_equal(&read, &pairing, sizeof read);
        }
    assert_int_equal(pairings(), 1);
    assert_write(fx, device_distrust(tx, &id, "another device", &fx->err));
    assert_int_equal(pairings(), 0);
    pairing.state = PAIRING_NONE;
    assert_write(fx, pairing_put(tx, &id, &pairing, "device.unpaired", "x", &fx->err));
    assert_read(fx, pairing_get(reader_db(fx->reader), &id, &read, &fx->err));
    assert_int_equal(read.state, PAIRING_NONE);
    pairing.state = PAIRING_PAIRED;
    assert_write(fx, pairing_put(tx, &id, &pairing, NULL, "", &fx->err));
    assert_write(fx, device_delete(tx, &test_actor, &id, 0, &fx->err));
    assert_write(fx, pairing_put(tx, &id, &pairing, "device.paired", "x", &fx->err)); /* too late */
    assert_read(fx, pairing_get(reader_db(fx->reader), &id, &read, &fx->err));
    assert_int_equal(read.state, PAIRING_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_state_and_event),
        cmocka_unit_test(every_problem_is_told),
        cmocka_unit_test(names_are_read),
        cmocka_unit_test(whose_name_may_be_replaced),
        cmocka_unit_test(when_a_device_is_looked_at),
        cmocka_unit_test_setup_teardown(rows_live_with_their_device, fixture_set_up,
                                        fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
