/* tests/unit/test-flow.c - the pure decisions of flow/ and the retry policy. */
#include "base/cleanup.h"
#include "base/text.h"
#include "flow/batch.h"
#include "flow/identity.h"
#include "flow/scan.h"
#include "queue/retry.h"
#include "tests/unit/cm.h"

static void batches_take_the_step_their_rows_allow(void **state)
{
    static const struct {
        BatchSummary rows;
        bool any;
        BatchEvent event;
        bool deliveries;
    } cases[] = {
        { { .state = BATCH_RECEIVING, .pages = 3 }, false, 0, false },
        { { .state = BATCH_RECEIVED, .pages = 3, .pages_unsettled = 1 }, false, 0, false },
        { { .state = BATCH_RECEIVED, .pages = 3 }, true, BATCH_EVENT_COMPOSE, false },
        { { .state = BATCH_COMPOSING, .pages = 3 }, false, 0, false },
        { { .state = BATCH_COMPOSING, .planned = true, .documents = 2, .documents_open = 1 },
          false,
          0,
          false },
        { { .state = BATCH_COMPOSING, .planned = true, .documents = 2 },
          true,
          BATCH_EVENT_WRITTEN,
          true },
        { { .state = BATCH_COMPOSING, .planned = true, .documents = 2, .deliveries = 2 },
          true,
          BATCH_EVENT_WRITTEN,
          false },
        { { .state = BATCH_COMPOSING, .planned = true, .documents_open = 1, .documents_failed = 1 },
          true,
          BATCH_EVENT_STUCK,
          false },
        { { .state = BATCH_COMPOSING, .pages = 2, .pages_damaged = 1 }, false, 0, false },
        { { .state = BATCH_COMPOSING, .pages = 2, .pages_damaged = 2 },
          true,
          BATCH_EVENT_STUCK,
          false },
        { { .state = BATCH_DELIVERING,
            .pages = 2,
            .pages_damaged = 1,
            .deliveries = 2,
            .deliveries_done = 2 },
          true,
          BATCH_EVENT_STUCK,
          false },
        { { .state = BATCH_DELIVERING,
            .deliveries = 2,
            .deliveries_open = 1,
            .deliveries_done = 1 },
          false,
          0,
          false },
        { { .state = BATCH_DELIVERING, .deliveries = 2, .deliveries_done = 2 },
          true,
          BATCH_EVENT_DELIVERED,
          false },
        { { .state = BATCH_DELIVERING, .deliveries = 2, .deliveries_done = 1 },
          true,
          BATCH_EVENT_STUCK,
          false },
        { { .state = BATCH_BROKEN, .pages = 2 }, false, 0, false },
        { { .state = BATCH_BROKEN, .pages = 2, .keep_partial = true },
          true,
          BATCH_EVENT_DELIVER,
          false },
        { { .state = BATCH_BROKEN, .keep_partial = true }, false, 0, false },
        { { .state = BATCH_ATTENTION, .deliveries = 2, .deliveries_done = 2 }, false, 0, false },
        { { .state = BATCH_DONE }, false, 0, false },
        { { .state = BATCH_CANCELLED, .pages = 1, .keep_partial = true }, false, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BatchStep step = flow_batch_next(&cases[i].rows);

        assert_int_equal(step.any, cases[i].any);
        if (!step.any)
            continue;
        assert_int_equal(step.event, cases[i].event);
        assert_int_equal(step.insert_deliveries, cases[i].deliveries);
        assert_int_equal(step.event == BATCH_EVENT_STUCK, step.reason.code[0] != '\0');
        BatchState s = cases[i].rows.state; /* and the state table knows the step */
        assert_true(batch_step(&s, step.event));
    }
}

static void retry_goes_back_to_where_it_stopped(void **state)
{
    (void)state;
    assert_false(flow_batch_retry(&(BatchSummary){ .state = BATCH_DONE }).any);
    assert_int_equal(flow_batch_retry(&(BatchSummary){ .state = BATCH_ATTENTION }).event,
                     BATCH_EVENT_RETRY_COMPOSE);
    assert_int_equal(
        flow_batch_retry(&(BatchSummary){ .state = BATCH_ATTENTION, .deliveries = 1 }).event,
        BATCH_EVENT_RETRY_DELIVERY);
    /* All was delivered but damaged pages, and a person has seen that. */
    BatchSummary seen = { .state = BATCH_ATTENTION, .deliveries = 2, .deliveries_done = 2 };
    assert_int_equal(flow_batch_settle(&seen).event, BATCH_EVENT_DELIVERED);
    seen.deliveries_done = 1;
    assert_false(flow_batch_settle(&seen).any);
    assert_false(flow_batch_settle(&(BatchSummary){ .state = BATCH_ATTENTION }).any);
}

static void scans_are_admitted_or_refused_with_a_reason(void **state)
{
    Device device = { .state = DEVICE_REGISTERED };
    JobGroup group = { .job_count = 2 };
    ScanRequest r = { .device = &device,
                      .group = &group,
                      .panel_choice = "01",
                      .job_number = -1,
                      .job = "",
                      .name = -1 };
    Reason why;

    (void)state;
    assert_int_equal(flow_scan_admit(&r, &why), 1);
    r.job_number = 0; /* of version 3 */
    assert_int_equal(flow_scan_admit(&r, &why), 0);
    r.listed = true;
    assert_int_equal(flow_scan_admit(&r, &why), -1);
    assert_string_equal(why.code, "no-such-job");
    assert_non_null(strstr(why.text, "job 0"));
    r.job_number = -1;
    r.panel_choice = "99";
    assert_int_equal(flow_scan_admit(&r, &why), -1);
    assert_string_equal(why.code, "no-such-choice");
    r.group = NULL;
    assert_int_equal(flow_scan_admit(&r, &why), -1);
    assert_string_equal(why.code, "no-jobs");
    device.state = DEVICE_SCANNING;
    assert_int_equal(flow_scan_admit(&r, &why), -1);
    assert_string_equal(why.code, "device-busy");
    device.state = DEVICE_SEEN;
    assert_int_equal(flow_scan_admit(&r, &why), -1);
    assert_string_equal(why.code, "device-not-approved");
    r.device = NULL;
    assert_int_equal(flow_scan_admit(&r, &why), -1);
    assert_string_equal(why.code, "device-not-approved");
    r.draining = true;
    assert_int_equal(flow_scan_admit(&r, &why), -1);
    assert_string_equal(why.code, "server-stopping");
    assert_true(why.remedy[0] != '\0');
}

static void a_scan_without_a_panel_needs_a_job_of_the_group(void **state)
{
    Device device = { .state = DEVICE_REGISTERED };
    JobGroup group = { .job_count = 1 };
    JobStart start = { .job = "01" };
    ScanPullRequest r = { .device = &device, .group = &group, .start = &start };
    Reason why;

    (void)state;
    (void)text_copy(group.jobs[0].job, sizeof group.jobs[0].job, "01");
    assert_true(flow_scan_admit_pull(&r, &why));
    (void)text_copy(start.job, sizeof start.job, "02");
    assert_false(flow_scan_admit_pull(&r, &why));
    assert_string_equal(why.code, "job-not-in-group");
    start.any_job = true;
    assert_true(flow_scan_admit_pull(&r, &why));
    r.group = NULL;
    assert_true(flow_scan_admit_pull(&r, &why));
    start.any_job = false;
    assert_false(flow_scan_admit_pull(&r, &why));
    device.state = DEVICE_SCANNING;
    assert_false(flow_scan_admit_pull(&r, &why));
    assert_string_equal(why.code, "device-busy");
    device.state = DEVICE_SEEN;
    assert_false(flow_scan_admit_pull(&r, &why));
    assert_string_equal(why.code, "device-not-approved");
    r.draining = true;
    assert_false(flow_scan_admit_pull(&r, &why));
    assert_string_equal(why.code, "server-stopping");
}

static void approval_belongs_to_a_serial_number(void **state)
{
    Device device = { .address = "10.0.0.7" };
    Reason why;

    (void)state;
    assert_true(flow_scan_identify(&device, "S1", &why)); /* not known yet */
    assert_true(flow_scan_identify(&device, "", &why));
    (void)text_copy(device.serial, sizeof device.serial, "S1");
    assert_true(flow_scan_identify(&device, "S1", &why));
    assert_false(flow_scan_identify(&device, "S2", &why));
    assert_string_equal(why.code, "another-device");
    assert_non_null(strstr(why.text, "10.0.0.7 has the serial number S2"));
    assert_non_null(strstr(why.text, "has S1."));
    assert_true(text_ends_with(why.remedy, "of its own."));
    assert_false(flow_scan_identify(&device, "", &why));
    assert_non_null(strstr(why.text, "no serial number,"));
}

static Device device_like(DeviceState state, int64_t revision, const char *serial)
{
    Device device = { .state = state, .revision = revision, .address = "10.0.0.7" };

    (void)text_copy(device.serial, sizeof device.serial, serial);
    return device;
}

static void whose_number_it_is(void **state)
{
    Device known = device_like(DEVICE_REGISTERED, 2, "S1");
    static const struct {
        DeviceState state;
        int64_t revision;
        const char *here, *said;
        IdentityStep alone, elsewhere; /* nobody else has it; an approved one has it */
    } cases[] = {
        { DEVICE_SEEN, 1, "", "", IDENTITY_NOTHING, IDENTITY_NOTHING },
        { DEVICE_SEEN, 1, "", "S1", IDENTITY_LEARN, IDENTITY_CHECK_FORMER },
        { DEVICE_SEEN, 1, "S1", "S1", IDENTITY_NOTHING, IDENTITY_CHECK_FORMER },
        { DEVICE_SEEN, 1, "S2", "S1", IDENTITY_LEARN, IDENTITY_CHECK_FORMER },
        { DEVICE_SEEN, 3, "S2", "S1", IDENTITY_NOTHING, IDENTITY_CHECK_FORMER },
        { DEVICE_REGISTERED, 2, "", "S1", IDENTITY_LEARN, IDENTITY_LEARN },
        { DEVICE_REGISTERED, 2, "S1", "S1", IDENTITY_NOTHING, IDENTITY_NOTHING },
        { DEVICE_REGISTERED, 2, "S2", "S1", IDENTITY_NOTHING, IDENTITY_CHECK_FORMER },
        { DEVICE_REGISTERED, 2, "S2", "", IDENTITY_NOTHING, IDENTITY_NOTHING },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Device here = device_like(cases[i].state, cases[i].revision, cases[i].here);

        assert_int_equal(flow_identity_said(&here, NULL, cases[i].said), cases[i].alone);
        assert_int_equal(flow_identity_said(&here, &known, cases[i].said), cases[i].elsewhere);
    }
}

static void an_address_is_given_when_it_is_free(void **state)
{
    Device known = device_like(DEVICE_REGISTERED, 2, "S1");
    Reason why;

    (void)state;
    assert_true(flow_identity_may_move(&known, "10.0.0.9", FORMER_ABSENT, "", &why));
    assert_true(flow_identity_may_move(&known, "10.0.0.9", FORMER_SAID, "S2", &why));
    assert_true(flow_identity_may_move(&known, "10.0.0.9", FORMER_SAID, "", &why));
    assert_string_equal(why.code, "");
    assert_false(flow_identity_may_move(&known, "10.0.0.9", FORMER_SAID, "S1", &why));
    assert_string_equal(why.code, "serial-said-twice");
    assert_non_null(strstr(why.text, "10.0.0.9 says the serial number S1"));
    assert_false(flow_identity_may_move(&known, "10.0.0.9", FORMER_UNCLEAR, "", &why));
    assert_string_equal(why.code, "address-not-free");
    assert_true(why.remedy[0] != '\0');
}

static void a_scan_without_pages_is_broken(void **state)
{
    Reason why = { .code = "" };

    (void)state;
    assert_int_equal(flow_scan_ended(SCAN_COMPLETE, 1, &why), BATCH_EVENT_COMPLETE);
    assert_string_equal(why.code, "");
    assert_int_equal(flow_scan_ended(SCAN_COMPLETE, 0, &why), BATCH_EVENT_BREAK);
    assert_string_equal(why.code, "no-pages");
    assert_int_equal(flow_scan_ended(SCAN_CANCELLED, 2, &why), BATCH_EVENT_CANCEL);
    assert_int_equal(flow_scan_ended(SCAN_BROKEN, 2, &why), BATCH_EVENT_BREAK);
}

enum { LEFT_MS = 3600000 }; /* time enough */

static void retry_waits_grow_to_a_cap(void **state)
{
    DeliveryResult r = { .class = DELIVERY_CLASS_RETRY };

    (void)state;
    assert_int_equal(retry_plan(1, &r, LEFT_MS, 500).wait_ms, 30000);
    assert_int_equal(retry_plan(2, &r, LEFT_MS, 500).wait_ms, 60000);
    assert_int_equal(retry_plan(4, &r, LEFT_MS, 500).wait_ms, 240000);
    assert_int_equal(retry_plan(1000, &r, LEFT_MS, 500).wait_ms, 3600000);
    assert_int_equal(retry_plan(1, &r, LEFT_MS, 0).wait_ms, 24000);
    assert_in_range(retry_plan(1, &r, LEFT_MS, 999).wait_ms, 35900, 36000);
    r.retry_after_s = 7200;
    assert_int_equal(retry_plan(1, &r, LEFT_MS, 0).wait_ms, 7200000);
    assert_int_equal(retry_plan(1, &r, 0, 0).event, DELIVERY_EVENT_FAIL);
    assert_int_equal(retry_plan(1, &r, 1, 0).event, DELIVERY_EVENT_RETRY_LATER);
}

static void every_class_has_its_event(void **state)
{
    static const DeliveryEvent events[DELIVERY_CLASS_MAX_] = {
        DELIVERY_EVENT_OK,   DELIVERY_EVENT_RETRY_LATER, DELIVERY_EVENT_RETRY_LATER,
        DELIVERY_EVENT_HOLD, DELIVERY_EVENT_FAIL,        DELIVERY_EVENT_UNKNOWN,
    };

    (void)state;
    for (DeliveryClass c = 0; c < DELIVERY_CLASS_MAX_; c++) {
        DeliveryResult r = { .class = c };
        DeliveryState s = DELIVERY_SENDING;

        assert_int_equal(retry_plan(1, &r, LEFT_MS, 500).event, events[c]);
        assert_true(delivery_step(&s, events[c]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_take_the_step_their_rows_allow),
        cmocka_unit_test(retry_goes_back_to_where_it_stopped),
        cmocka_unit_test(scans_are_admitted_or_refused_with_a_reason),
        cmocka_unit_test(a_scan_without_a_panel_needs_a_job_of_the_group),
        cmocka_unit_test(approval_belongs_to_a_serial_number),
        cmocka_unit_test(whose_number_it_is),
        cmocka_unit_test(an_address_is_given_when_it_is_free),
        cmocka_unit_test(a_scan_without_pages_is_broken),
        cmocka_unit_test(retry_waits_grow_to_a_cap),
        cmocka_unit_test(every_class_has_its_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
