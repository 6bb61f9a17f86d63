/* mfp/device-panel.c - what the panel of the virtual device tells servers: Start, and the wish for their jobs. */
#include "mfp/device-inside.h"

#include "base/log.h"
#include "base/text.h"

/* What an FF-680W says of itself in JobList. */
static const char *const capabilities[] = { "OfficeFormat", "PanelData=0110" };

static bool is_v3(const Device *device)
{
    return device->options->registration == 3;
}

/* ---- Start ---- */

static void press_failed(Device *device, const char *why)
{
    char quoted[DEVICE_QUOTED_SIZE], name[DEVICE_QUOTED_SIZE];

    device_say(device, "pressed name=%s choice=%s result=ERROR error=%s",
               log_quote(name, sizeof name, device->target), device->choice,
               log_quote(quoted, sizeof quoted, why));
    device_fail(device, why);
}

static void on_pressed(void *arg, const PushScanResponse *response, const Err *err)
{
    Device *device = arg;
    char name[DEVICE_QUOTED_SIZE];

    press_free(STEAL(device->press));
    device->contacting = false;
    if (!response) {
        press_failed(device, err->text);
        return;
    }
    device_say(device, "pressed name=%s choice=%s result=OK",
               log_quote(name, sizeof name, device->target), device->choice);
    device->last_result[0] = '\0';
    device->is_job = is_v3(device);
    if (device->unit.scanning) /* a server may begin before its answer has been read here */
        return;
    device->waiting = true;
    loop_timer_start(device->waiting_timer, mono_after(mono_now(), DEVICE_NO_CLIENT_MS));
}

void device_on_no_client(void *arg)
{
    Device *device = arg;

    device->waiting = false;
    device_scan_ended(device, "no-client", 0);
}

/* Begins to say something to the destination of this name. NULL: errors of device_press. */
static Press *say_to(Device *device, const char *name, PushScanBody *body, PressDoneFn *done,
                     Err *err)
{
    const FinderEntry *entry = finder_find(&device->finder, name);
    char own[NET_ADDRESS_TEXT_SIZE];
    NetAddress server;

    if (!entry) {
        err_set(err, ERR_NOT_FOUND, 0, "no destination \"%s\" on the panel", name);
        return NULL;
    }
    if (!finder_address(entry, &server, err))
        return NULL;
    net_address_format_host(&device->options->address, own);
    (void)text_copy(body->product, sizeof body->product, device->finder.product);
    (void)text_copy(body->address, sizeof body->address, own);
    return press_start(device->loop, &device->options->address, &server, body,
                       is_v3(device) ? "3.00" : "2.00", ++device->presses, done, device, err);
}

/* The same when nothing else is going on at the panel. */
static bool report(Device *device, const char *name, PushScanBody *body, PressDoneFn *done,
                   Err *err)
{
    char target[SLP_NAME_SIZE];

    if (device_state(device) != DEVICE_READY)
        return err_set(err, ERR_CONFLICT, 0, "the device is %s",
                       device_state_name(device_state(device)));
    if (!text_copy(target, sizeof target, name))
        return err_set(err, ERR_NOT_FOUND, 0, "no destination has so long a name");
    if (!device_button_calls(device, target, err))
        return false;
    device->press = say_to(device, target, body, done, err);
    device->contacting = device->press != NULL;
    if (device->contacting)
        (void)text_copy(device->target, sizeof device->target, target);
    return device->contacting;
}

static bool start_job(Device *device, const char *name, uint16_t number, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START, .job_number = number };

    device->unit.job_number = number;
    if (!report(device, name, &body, on_pressed, err))
        return false;
    (void)text_copy(device->choice, sizeof device->choice, "-");
    return true;
}

/* Every capability must come back, and the server must have told of jobs before it answered. */
static const char *wrong_list(const Device *device, const PushScanResponse *response)
{
    for (size_t i = 0; i < COUNT_OF(capabilities); i++) {
        bool found = false;
        for (size_t j = 0; j < response->capability_count; j++)
            found = found || text_equal(response->capabilities[j], capabilities[i]);
        if (!found)
            return "the server did not repeat the capabilities of JobList";
    }
    return device->unit.job_writes == device->writes_before
               ? "the server answered JobList without telling of jobs (JOBW)"
               : NULL;
}

static void on_list(void *arg, const PushScanResponse *response, const Err *err)
{
    Device *device = arg;
    const char *wrong = response ? wrong_list(device, response) : err->text;
    Err why;

    press_free(STEAL(device->press));
    device->contacting = false;
    if (wrong)
        press_failed(device, wrong);
    else if (!start_job(device, device->target, device->unit.job_number, &why))
        press_failed(device, why.text);
}

/* The jobs first; their answer starts the one with this number. */
static bool start_by_list(Device *device, const char *name, uint16_t number, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_JOB_LIST, .job_number = PUSHSCAN_NO_JOB };

    for (size_t i = 0; i < COUNT_OF(capabilities); i++)
        (void)text_copy(body.capabilities[i], sizeof body.capabilities[i], capabilities[i]);
    body.capability_count = COUNT_OF(capabilities);
    device->writes_before = device->unit.job_writes;
    if (!report(device, name, &body, on_list, err))
        return false;
    device->unit.job_number = number;
    (void)text_copy(device->choice, sizeof device->choice, "-");
    return true;
}

bool device_press(Device *device, const char *name, const char *choice, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START, .job_number = PUSHSCAN_NO_JOB };

    if (is_v3(device)) /* JOBW tells of one job, whatever the panel offers else */
        return start_by_list(device, name, 0, err);
    if (!options_choice_is_valid(choice))
        return err_set(err, ERR_BAD_INPUT, 0,
                       "expected a choice: 0 or 1 for the sides, then 1, 2 or 4, like 02");
    (void)text_copy(body.choice, sizeof body.choice, choice);
    if (!report(device, name, &body, on_pressed, err))
        return false;
    (void)text_copy(device->choice, sizeof device->choice, choice);
    return true;
}

bool device_press_job(Device *device, const char *name, uint16_t number, Err *err)
{
    bool told = device->jobs.has_jobs && text_equal(device->jobs_of, name);

    return is_v3(device) && !told ? start_by_list(device, name, number, err)
                                  : start_job(device, name, number, err);
}

/* ---- the end ---- */

/* The scan itself was well: nothing else comes of it. */
static void end_untold(Device *device, const char *why)
{
    char name[DEVICE_QUOTED_SIZE], quoted[DEVICE_QUOTED_SIZE];

    device_say(device, "scan-end-told name=%s result=ERROR error=%s",
               log_quote(name, sizeof name, device->target), log_quote(quoted, sizeof quoted, why));
    (void)text_printf(device->last_result, sizeof device->last_result,
                      "%s was not told that the scan has ended: %s", device->target, why);
}

static void on_told(void *arg, const PushScanResponse *response, const Err *err)
{
    Device *device = arg;
    char name[DEVICE_QUOTED_SIZE];

    if (response)
        device_say(device, "scan-end-told name=%s result=OK",
                   log_quote(name, sizeof name, device->target));
    else
        end_untold(device, err->text);
    press_free(STEAL(device->farewell));
    device_stop_when_quiet(device);
}

void device_tell_end(Device *device)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_SCAN_END, .job_number = PUSHSCAN_NO_JOB };
    Err err;

    if (!device->is_job)
        return;
    device->is_job = false;
    if (device->farewell) {
        end_untold(device, "the end of the scan before is still being told");
        return;
    }
    device->farewell = say_to(device, device->target, &body, on_told, &err);
    if (!device->farewell)
        end_untold(device, err.text);
}

/* ---- jobs by name ---- */

/* A destination that knows no lists answers ERROR: it is started by the choice then. */
static void on_jobs(void *arg, const PushScanResponse *response, const Err *err)
{
    Device *device = arg;
    char name[DEVICE_QUOTED_SIZE];

    (void)err;
    if (response && response->has_jobs)
        device->jobs = *response;
    device_say(device, "jobs name=%s count=%zu", log_quote(name, sizeof name, device->jobs_of),
               device->jobs.job_count);
    press_free(STEAL(device->press));
    device->contacting = false;
}

bool device_ask_jobs(Device *device, const char *name, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_JOB_LIST,
                          .job_number = PUSHSCAN_NO_JOB,
                          .capabilities = { PUSHSCAN_JOB_NAMES },
                          .capability_count = 1 };

    for (size_t i = 0; is_v3(device) && i < COUNT_OF(capabilities); i++)
        (void)text_copy(body.capabilities[body.capability_count++], sizeof body.capabilities[0],
                        capabilities[i]);

    if (!report(device, name, &body, on_jobs, err))
        return false;
    (void)text_copy(device->jobs_of, sizeof device->jobs_of, name);
    device->jobs = (PushScanResponse){ 0 };
    return true;
}

const PushScanResponse *device_jobs(const Device *device, const char **ret_name)
{
    *ret_name = device->jobs_of;
    return device->jobs.has_jobs ? &device->jobs : NULL;
}

void device_press_by_itself(Device *device, const char *name)
{
    Err err;

    if (device->auto_pressed || !text_equal(device->options->press_name, name) ||
        device_state(device) != DEVICE_READY || !device_button_calls(device, name, &err))
        return; /* a device with a button: once it is paired */
    device->auto_pressed = true;
    if (!device_press(device, name, device->options->press_choice, &err))
        press_failed(device, err.text);
}
