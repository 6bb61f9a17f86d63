/* tests/unit/test-refusals.c - refused presses are told, but do not fill history and log. */
#include "base/text.h"
#include "scan/refusals.h"
#include "tests/unit/cm.h"

static const Mono start = { 1000000 };

static void a_source_is_told_some_times_a_minute(void **state)
{
    static Refusals r;
    unsigned told = 0, kept;

    (void)state;
    r = (Refusals){ 0 };
    for (int i = 0; i < 100; i++)
        if (refusals_tell(&r, "10.0.0.1", start, &kept)) {
            assert_int_equal(kept, 0);
            told++;
        }
    assert_int_equal(told, REFUSALS_PER_SOURCE);
    assert_true(refusals_tell(&r, "10.0.0.2", start, &kept)); /* another is told all the same */
    assert_false(refusals_tell(&r, "10.0.0.1", mono_after(start, REFUSALS_SPAN_MS - 1), &kept));
    assert_true(refusals_tell(&r, "10.0.0.1", mono_after(start, REFUSALS_SPAN_MS), &kept));
    assert_int_equal(kept, 100 - REFUSALS_PER_SOURCE + 1);
    assert_true(refusals_tell(&r, "10.0.0.1", mono_after(start, REFUSALS_SPAN_MS), &kept));
    assert_int_equal(kept, 0);
}

static void many_sources_have_a_bound_together(void **state)
{
    static Refusals r;
    unsigned told = 0, kept;

    (void)state;
    r = (Refusals){ 0 };
    for (unsigned i = 0; i < 5000; i++) {
        char address[ADDRESS_TEXT_SIZE];

        (void)text_printf(address, sizeof address, "10.0.%u.%u", i / 250, i % 250);
        told += refusals_tell(&r, address, start, &kept);
    }
    assert_int_equal(told, REFUSALS_IN_ALL);
    assert_true(refusals_tell(&r, "10.9.9.9", mono_after(start, REFUSALS_SPAN_MS), &kept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_told_some_times_a_minute),
        cmocka_unit_test(many_sources_have_a_bound_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
