/* tests/unit/test-model.c - the state tables, pair by pair, and what panel codes start. */
#include "base/cleanup.h"
#include "base/text.h"
#include "model/batch.h"
#include "model/delivery.h"
#include "model/device.h"
#include "model/jobs-by.h"
#include "model/panel.h"
#include "tests/unit/cm.h"

/* The whole table as drawn above the enum: every pair that is not listed must be refused. */
static void every_batch_pair(void **state)
{
    static const struct {
        BatchState from;
        BatchEvent event;
        BatchState to;
    } allowed[] = {
        { BATCH_RECEIVING, BATCH_EVENT_COMPLETE, BATCH_RECEIVED },
        { BATCH_RECEIVING, BATCH_EVENT_CANCEL, BATCH_CANCELLED },
        { BATCH_RECEIVING, BATCH_EVENT_BREAK, BATCH_BROKEN },
        { BATCH_RECEIVED, BATCH_EVENT_COMPOSE, BATCH_COMPOSING },
        { BATCH_COMPOSING, BATCH_EVENT_WRITTEN, BATCH_DELIVERING },
        { BATCH_COMPOSING, BATCH_EVENT_STUCK, BATCH_ATTENTION },
        { BATCH_DELIVERING, BATCH_EVENT_DELIVERED, BATCH_DONE },
        { BATCH_DELIVERING, BATCH_EVENT_STUCK, BATCH_ATTENTION },
        { BATCH_ATTENTION, BATCH_EVENT_RETRY_COMPOSE, BATCH_COMPOSING },
        { BATCH_ATTENTION, BATCH_EVENT_RETRY_DELIVERY, BATCH_DELIVERING },
        { BATCH_ATTENTION, BATCH_EVENT_GIVE_UP, BATCH_CANCELLED },
        { BATCH_BROKEN, BATCH_EVENT_DELIVER, BATCH_COMPOSING },
        { BATCH_CANCELLED, BATCH_EVENT_DELIVER, BATCH_COMPOSING },
        { BATCH_DONE, BATCH_EVENT_RETRY_DELIVERY, BATCH_DELIVERING },
    };

    (void)state;
    for (BatchState s = 0; s < BATCH_STATE_MAX_; s++)
        for (BatchEvent e = 0; e < BATCH_EVENT_MAX_; e++) {
            BatchState now = s, want = s;
            bool may = false;

            for (size_t i = 0; i < COUNT_OF(allowed); i++)
                if (allowed[i].from == s && allowed[i].event == e) {
                    may = true;
                    want = allowed[i].to;
                }
            assert_int_equal(batch_step(&now, e), may);
            assert_int_equal(now, want);
        }
    assert_null(batch_state_words[BATCH_STATE_MAX_]);
}

static void every_delivery_pair(void **state)
{
    static const struct {
        DeliveryState from;
        DeliveryEvent event;
        DeliveryState to;
    } allowed[] = {
        { DELIVERY_READY, DELIVERY_EVENT_CLAIM, DELIVERY_SENDING },
        { DELIVERY_SENDING, DELIVERY_EVENT_OK, DELIVERY_DONE },
        { DELIVERY_SENDING, DELIVERY_EVENT_RETRY_LATER, DELIVERY_READY },
        { DELIVERY_SENDING, DELIVERY_EVENT_HOLD, DELIVERY_HELD },
        { DELIVERY_SENDING, DELIVERY_EVENT_FAIL, DELIVERY_FAILED },
        { DELIVERY_SENDING, DELIVERY_EVENT_UNKNOWN, DELIVERY_UNCERTAIN },
        { DELIVERY_READY, DELIVERY_EVENT_RETRY_NOW, DELIVERY_READY },
        { DELIVERY_HELD, DELIVERY_EVENT_RETRY_NOW, DELIVERY_READY },
        { DELIVERY_FAILED, DELIVERY_EVENT_RETRY_NOW, DELIVERY_READY },
        { DELIVERY_UNCERTAIN, DELIVERY_EVENT_RETRY_NOW, DELIVERY_READY },
        { DELIVERY_DROPPED, DELIVERY_EVENT_RETRY_NOW, DELIVERY_READY },
        { DELIVERY_READY, DELIVERY_EVENT_HOLD, DELIVERY_HELD },
        { DELIVERY_READY, DELIVERY_EVENT_DROP, DELIVERY_DROPPED },
        { DELIVERY_HELD, DELIVERY_EVENT_DROP, DELIVERY_DROPPED },
        { DELIVERY_FAILED, DELIVERY_EVENT_DROP, DELIVERY_DROPPED },
        { DELIVERY_UNCERTAIN, DELIVERY_EVENT_DROP, DELIVERY_DROPPED },
        { DELIVERY_UNCERTAIN, DELIVERY_EVENT_CONFIRM, DELIVERY_DONE },
    };

    (void)state;
    for (DeliveryState s = 0; s < DELIVERY_STATE_MAX_; s++)
        for (DeliveryEvent e = 0; e < DELIVERY_EVENT_MAX_; e++) {
            DeliveryState now = s, want = s;
            bool may = false;

            for (size_t i = 0; i < COUNT_OF(allowed); i++)
                if (allowed[i].from == s && allowed[i].event == e) {
                    may = true;
                    want = allowed[i].to;
                }
            assert_int_equal(delivery_step(&now, e), may);
            assert_int_equal(now, want);
        }
    assert_null(delivery_state_words[DELIVERY_STATE_MAX_]);
    assert_null(delivery_class_words[DELIVERY_CLASS_MAX_]);
}

static void every_device_pair(void **state)
{
    static const int to[DEVICE_STATE_MAX_][DEVICE_EVENT_MAX_] = {
        /* approve, revoke, scan starts, scan ended; -1 = refused */
        [DEVICE_SEEN] = { DEVICE_REGISTERED, -1, -1, -1 },
        [DEVICE_REGISTERED] = { -1, DEVICE_SEEN, DEVICE_SCANNING, -1 },
        [DEVICE_SCANNING] = { -1, -1, -1, DEVICE_REGISTERED },
    };

    (void)state;
    for (DeviceState s = 0; s < DEVICE_STATE_MAX_; s++)
        for (DeviceEvent e = 0; e < DEVICE_EVENT_MAX_; e++) {
            DeviceState now = s;

            assert_int_equal(device_step(&now, e), to[s][e] >= 0);
            assert_int_equal(now, to[s][e] >= 0 ? (DeviceState)to[s][e] : s);
        }
}

static void every_contact_pair(void **state)
{
    static const DeviceContact to[DEVICE_CONTACT_MAX_][DEVICE_CONTACT_EVENT_MAX_] = {
        /* announced, quiet, reachable, unreachable */
        [DEVICE_HEARD] = { DEVICE_HEARD, DEVICE_SILENT, DEVICE_HEARD, DEVICE_HEARD },
        [DEVICE_SILENT] = { DEVICE_HEARD, DEVICE_SILENT, DEVICE_SILENT, DEVICE_OFFLINE },
        [DEVICE_OFFLINE] = { DEVICE_HEARD, DEVICE_OFFLINE, DEVICE_SILENT, DEVICE_OFFLINE },
        [DEVICE_NEVER] = { DEVICE_HEARD, DEVICE_SILENT, DEVICE_NEVER, DEVICE_NEVER },
    };

    (void)state;
    for (DeviceContact c = 0; c < DEVICE_CONTACT_MAX_; c++)
        for (DeviceContactEvent e = 0; e < DEVICE_CONTACT_EVENT_MAX_; e++) {
            DeviceContact now = c;

            assert_int_equal(device_contact_step(&now, e), to[c][e] != c);
            assert_int_equal(now, to[c][e]);
        }
    assert_null(device_contact_words[DEVICE_CONTACT_MAX_]);
}

static void panel_codes_start_their_jobs(void **state)
{
    JobGroup group = { .name = "g", .job_count = 3 };

    (void)state;
    group.jobs[0].panel_choice = PANEL_CHOICE_AUTOMATIC;
    group.jobs[1].panel_choice = PANEL_CHOICE_1_SIDED_PDF;
    group.jobs[2].panel_choice = PANEL_CHOICE_AUTOMATIC;
    assert_int_equal(job_group_find(&group, "02"), 1);
    assert_int_equal(job_group_find(&group, "01"), 0);
    assert_int_equal(job_group_find(&group, "04"), 2);
    assert_int_equal(job_group_find(&group, "12"), -1);
    assert_int_equal(job_group_find(&group, ""), -1);
    group.job_count = 1;
    assert_int_equal(job_group_find(&group, ""), 0);    /* the only job: nothing to choose       */
    assert_int_equal(job_group_find(&group, "08"), 0);  /* a code nobody has seen yet           */
    assert_int_equal(job_group_find(&group, "11"), -1); /* a known choice that has no job here */
    group.job_count = 0;
    assert_int_equal(job_group_find(&group, ""), -1);
}

static void jobs_and_groups_are_checked(void **state)
{
    BatchId id = id_new(BatchId, (Wall){ 5 });
    Job job = { .name = "Invoices", .file_name = "{date}", .destination_count = 2 };
    JobGroup group = { .name = "Sales", .job_count = 2 };
    Err err;

    (void)state;
    memcpy(job.destinations[0].destination, id.text, sizeof id.text);
    memcpy(job.destinations[1].destination, id.text, sizeof id.text);
    assert_false(job_check(&job, &err));
    assert_string_equal(err.field, "destinations[1].destination");
    job.destination_count = 1;
    assert_true(job_check(&job, &err));
    text_copy(job.destinations[0].destination, sizeof job.destinations[0].destination, "../x");
    assert_false(job_check(&job, &err));
    text_copy(job.name, sizeof job.name, " x");
    assert_false(job_check(&job, &err));
    assert_string_equal(err.field, "name");

    memcpy(group.jobs[0].job, id.text, sizeof id.text);
    memcpy(group.jobs[1].job, id.text, sizeof id.text);
    assert_false(job_group_check(&group, &err));
    group.jobs[1].job[25] = group.jobs[1].job[25] == '0' ? '1' : '0';
    group.jobs[0].panel_choice = group.jobs[1].panel_choice = PANEL_CHOICE_2_SIDED_PDF;
    assert_false(job_group_check(&group, &err));
    assert_string_equal(err.field, "jobs[1].panel_choice");
    group.jobs[0].panel_choice = PANEL_CHOICE_AUTOMATIC;
    assert_true(job_group_check(&group, &err));
}

static void page_files_are_named_by_number_and_side(void **state)
{
    char name[32];

    (void)state;
    page_file_name(7, 'B', PAGE_FORMAT_JPEG, name);
    assert_string_equal(name, "p0007b.jpg");
    page_file_name(10000, 'A', PAGE_FORMAT_JPEG, name);
    assert_string_equal(name, "p10000a.jpg");
    page_file_name(12, 'B', PAGE_FORMAT_RAW, name);
    assert_string_equal(name, "p0012b.raw");
}

static void only_names_of_pages_are_parsed(void **state)
{
    static const char *const foreign[] = { "p0012b.raw.part", "p0012b.rawx", "p012b.raw",
                                           "p0012c.raw",      "t0012b.raw",  "p0000a.jpg",
                                           "p0012b.RAW" };
    PageFormat format;
    uint32_t number;
    char side;

    (void)state;
    assert_true(page_file_parse("p0012b.raw", &number, &side, &format));
    assert_int_equal(number, 12);
    assert_int_equal(side, 'B');
    assert_int_equal(format, PAGE_FORMAT_RAW);
    assert_true(page_file_parse("p10000a.jpg", &number, &side, &format));
    assert_int_equal(number, 10000);
    assert_int_equal(format, PAGE_FORMAT_JPEG);
    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        assert_false(page_file_parse(foreign[i], &number, &side, &format));
}

static void names_on_panels(void **state)
{
    static const struct {
        const char *name, *panel_name, *shown;
        bool plain;
    } cases[] = {
        { "Invoices", "", "Invoices", true },
        { "Invoices (2026)", "", "Invoices (2026)", false },
        { "Invoices (2026)", "Invoices 2026", "Invoices 2026", true },
        { "Invoices of the northern branch", "", "Invoices of the nort", true },
        { "Invoices of the nor branch", "", "Invoices of the nor", true }, /* no blank at the end */
        { "\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84"
          "01234567890",
          "",
          "\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84\xc3\x84"
          "0123456789",
          true },
        /* Sixteen characters of four bytes are more than fit. */
        { "\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84"
          "\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84"
          "\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84"
          "\xf0\x9f\x93\x84",
          "",
          "\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84"
          "\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84"
          "\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84\xf0\x9f\x93\x84",
          true },
    };
    char shown[PANEL_NAME_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Job job = { 0 };

        (void)text_copy(job.name, sizeof job.name, cases[i].name);
        (void)text_copy(job.panel_name, sizeof job.panel_name, cases[i].panel_name);
        job_panel_name(&job, shown);
        assert_string_equal(shown, cases[i].shown);
        assert_int_equal(panel_name_is_plain(shown), cases[i].plain);
    }
    for (const char *c = "(),\\!<=>~\x01\x7f"; *c; c++) {
        (void)text_printf(shown, sizeof shown, "a%cb", *c);
        assert_false(panel_name_is_plain(shown));
    }
    assert_false(panel_name_is_plain(""));
    assert_false(panel_name_is_plain(" a"));
    assert_false(panel_name_is_plain("a "));
    assert_false(panel_name_is_plain("\xff"));
    assert_false(panel_name_is_plain("123456789012345678901"));
}

static void names_of_a_group_differ_on_panels(void **state)
{
    PanelJobName names[] = { { "Invoices of the northern branch", "Invoices of the nort" },
                             { "Mail", "Mail" },
                             { "Invoices of the north", "Invoices of the nort" } };
    Err err;

    (void)state;
    assert_true(panel_names_check(names, 2, &err));
    assert_false(panel_names_check(names, 3, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    assert_string_equal(err.field, "jobs[2].job");
    assert_non_null(
        strstr(err.text, "\"Invoices of the northern branch\" and \"Invoices of the north\""));
    (void)text_copy(names[1].panel, sizeof names[1].panel, "a(b");
    assert_false(panel_names_check(names, 2, &err));
    assert_string_equal(err.field, "jobs[1].job");
}

static void more_than_six_jobs_have_six_choices(void **state)
{
    JobGroup group = { .job_count = 8 };

    (void)state;
    assert_int_equal(job_group_find(&group, "02"), 0);
    assert_int_equal(job_group_find(&group, "14"), 5);
    assert_int_equal(job_group_find(&group, ""), -1);
    job_group_resolve(&group);
    assert_int_equal(group.jobs[6].panel_choice, PANEL_CHOICE_AUTOMATIC);
}

static void how_jobs_reach_a_panel(void **state)
{
    static const struct {
        DevicePanel panel;
        DeviceJobsBy set;
        unsigned names;
        DeviceJobsBy in_force;
    } cases[] = {
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_AUTO, 1, DEVICE_JOBS_BY_CHOICE },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_AUTO, 0, DEVICE_JOBS_BY_CHOICE },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_AUTO, 2, DEVICE_JOBS_BY_NAME },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_CHOICE, 2, DEVICE_JOBS_BY_CHOICE },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_NAME, 1, DEVICE_JOBS_BY_CHOICE },
        { DEVICE_PANEL_V3, DEVICE_JOBS_BY_AUTO, 2, DEVICE_JOBS_BY_V3 },
        { DEVICE_PANEL_V3, DEVICE_JOBS_BY_NAME, 2, DEVICE_JOBS_BY_NAME },
        { DEVICE_PANEL_JOB_LIST, DEVICE_JOBS_BY_AUTO, 2, DEVICE_JOBS_BY_JOB_LIST },
        { DEVICE_PANEL_JOB_LIST, DEVICE_JOBS_BY_V3, 1, DEVICE_JOBS_BY_V3 },
        { DEVICE_PANEL_JOB_LIST, DEVICE_JOBS_BY_JOB_LIST, 1, DEVICE_JOBS_BY_JOB_LIST },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_JOB_LIST, 2, DEVICE_JOBS_BY_CHOICE },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_V3, 2, DEVICE_JOBS_BY_CHOICE },
        { DEVICE_PANEL_V3, DEVICE_JOBS_BY_JOB_LIST, 2, DEVICE_JOBS_BY_V3 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Device device = { .panel = cases[i].panel, .settings = { .jobs_by = cases[i].set } };

        assert_int_equal(device_jobs_by(&device, cases[i].names), cases[i].in_force);
    }
}

static void why_jobs_do_not_reach_a_panel_as_set(void **state)
{
    static const struct {
        DevicePanel panel;
        DeviceJobsBy set;
        unsigned names;
        size_t jobs;
        int64_t heard;
        const char *codes[JOBS_BY_NOTES_MAX];
    } cases[] = {
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_AUTO, 1, 6, 1, { NULL } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_AUTO, 1, 7, 1, { "jobs-beyond-choice" } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_AUTO, 7, 7, 1, { NULL } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_AUTO, 3, 4, 1, { "jobs-beyond-names" } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_NAME, 2, 2, 1, { NULL } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_NAME, 1, 0, 1, { "one-interface" } },
        { DEVICE_PANEL_PLAIN,
          DEVICE_JOBS_BY_NAME,
          1,
          7,
          1,
          { "one-interface", "jobs-beyond-choice" } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_JOB_LIST, 3, 2, 1, { "panel-shows-no-lists" } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_JOB_LIST, 3, 2, 0, { "panel-not-heard" } },
        { DEVICE_PANEL_V3, DEVICE_JOBS_BY_JOB_LIST, 3, 9, 1, { "panel-shows-no-lists" } },
        { DEVICE_PANEL_PLAIN, DEVICE_JOBS_BY_V3, 3, 2, 1, { "panel-shows-no-lists" } },
        { DEVICE_PANEL_JOB_LIST, DEVICE_JOBS_BY_JOB_LIST, 1, 9, 1, { NULL } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Device device = { .panel = cases[i].panel,
                          .settings = { .jobs_by = cases[i].set },
                          .last_seen = { cases[i].heard } };
        size_t wanted = (cases[i].codes[0] != NULL) + (size_t)(cases[i].codes[1] != NULL);
        Reason notes[JOBS_BY_NOTES_MAX] = { 0 };

        assert_int_equal(device_jobs_by_notes(&device, cases[i].names, cases[i].jobs, notes),
                         wanted);
        for (size_t n = 0; n < wanted; n++) {
            assert_string_equal(notes[n].code, cases[i].codes[n]);
            assert_null(strstr(notes[n].text, "...")); /* nothing is cut */
            assert_int_equal(notes[n].text[strlen(notes[n].text) - 1], '.');
            assert_int_equal(notes[n].remedy[strlen(notes[n].remedy) - 1], '.');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_on_panels),
        cmocka_unit_test(how_jobs_reach_a_panel),
        cmocka_unit_test(why_jobs_do_not_reach_a_panel_as_set),
        cmocka_unit_test(names_of_a_group_differ_on_panels),
        cmocka_unit_test(more_than_six_jobs_have_six_choices),
        cmocka_unit_test(every_batch_pair),
        cmocka_unit_test(every_delivery_pair),
        cmocka_unit_test(every_device_pair),
        cmocka_unit_test(every_contact_pair),
        cmocka_unit_test(panel_codes_start_their_jobs),
        cmocka_unit_test(jobs_and_groups_are_checked),
        cmocka_unit_test(page_files_are_named_by_number_and_side),
        cmocka_unit_test(only_names_of_pages_are_parsed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
