/* mfp/device-panel.c - what the panel of the virtual device tells servers: Start, and the wish for their jobs. */
#include "mfp/device-inside.h"

#include "base/log.h"
#include "base/text.h"

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

/* Says something to the destination of this name. */
static bool report(Device *device, const char *name, PushScanBody *body, PressDoneFn *done,
                   Err *err)
{
    const FinderEntry *entry = finder_find(&device->finder, name);
    char own[NET_ADDRESS_TEXT_SIZE];
    NetAddress server;

    if (device_state(device) != DEVICE_READY)
        return err_set(err, ERR_CONFLICT, 0, "the device is %s",
                       device_state_name(device_state(device)));
    if (!entry)
        return err_set(err, ERR_NOT_FOUND, 0, "no destination \"%s\" on the panel", name);
    if (!net_address_parse(entry->server.address, entry->server.event_port, &server, err))
        return false;
    net_address_format_host(&device->options->address, own);
    (void)text_copy(body->product, sizeof body->product, device->options->product);
    (void)text_copy(body->address, sizeof body->address, own);
    (void)text_copy(device->target, sizeof device->target, name);
    device->press = press_start(device->loop, &device->options->address, &server, body,
                                ++device->presses, done, device, err);
    device->contacting = device->press != NULL;
    return device->contacting;
}

bool device_press(Device *device, const char *name, const char *choice, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START, .job_number = PUSHSCAN_NO_JOB };

    if (!options_choice_is_valid(choice))
        return err_set(err, ERR_BAD_INPUT, 0, "expected a choice of two characters, like 02");
    (void)text_copy(body.choice, sizeof body.choice, choice);
    if (!report(device, name, &body, on_pressed, err))
        return false;
    (void)text_copy(device->choice, sizeof device->choice, choice);
    return true;
}

bool device_press_job(Device *device, const char *name, uint16_t number, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START, .job_number = number };

    if (!report(device, name, &body, on_pressed, err))
        return false;
    (void)text_copy(device->choice, sizeof device->choice, "-");
    return true;
}

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
        device_state(device) != DEVICE_READY)
        return;
    device->auto_pressed = true;
    if (!device_press(device, name, device->options->press_choice, &err))
        press_failed(device, err.text);
}
