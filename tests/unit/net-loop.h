/* tests/unit/net-loop.h - a loop per test, with an alarm: shared by the tests of net/. */
#ifndef PLATEN_TESTS_UNIT_NET_LOOP_H
#define PLATEN_TESTS_UNIT_NET_LOOP_H

#include "tests/unit/cm.h"

#include "net/address.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEST_DEADLINE_MS = 60000, RUN_STEPS = 10 };

static Loop *loop;
static LoopTimer *alarm_timer;

static inline void too_late(void *arg)
{
    (void)arg;
    fprintf(stderr, "the test waited too long\n");
    abort();
}

static inline int setup(void **state)
{
    Err err;

    (void)state;
    loop = loop_new(&err);
    alarm_timer = loop_timer_new(loop, too_late, NULL, &err);
    loop_timer_start(alarm_timer, mono_after(mono_now(), TEST_DEADLINE_MS));
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    loop_timer_free(alarm_timer);
    loop_free(loop);
    return 0;
}

static inline void run(void)
{
    Err err;

    assert_true(loop_run(loop, &err));
}

static inline void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

/* Runs the loop for so many milliseconds, or a few more: in steps, so that a process that was not given the processor
 * meanwhile has its rounds all the same. */
static inline void run_for(int64_t ms)
{
    Err err;
    AUTO(LoopTimer) timer = loop_timer_new(loop, stop, NULL, &err);

    for (int i = 0; i < RUN_STEPS; i++) {
        loop_timer_start(timer, mono_after(mono_now(), ms / RUN_STEPS + 1));
        run();
    }
}

static inline NetAddress address(const char *text)
{
    NetAddress parsed;
    Err err;

    assert_true(net_address_parse(text, 0, &parsed, &err));
    return parsed;
}

#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
