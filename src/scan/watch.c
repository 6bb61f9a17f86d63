/* scan/watch.c - see watch.h. */
#include "scan/watch.h"

#include "base/log.h"
#include "base/text.h"
#include "scan/run.h"

#include <errno.h>
#include <stdlib.h>

enum { ROUNDS_PER_SILENCE = 4, SECOND_MS = 1000 };

typedef struct Quiet {
    DeviceId id;
    char address[ADDRESS_TEXT_SIZE];
} Quiet;

struct Watch {
    ScanService *service;
    LoopTimer *timer;
    bool stopping;
    /* of the round: filled by the writer thread, then read by the loop */
    Quiet quiet[WATCH_QUIET_MAX];
    size_t count, next;
    unsigned under_way;
};

typedef struct Knock {
    Watch *watch;
    Quiet quiet;
    DeviceContactEvent heard;
} Knock;

static void go_on(Watch *w);

static int64_t silence_ms(const Watch *w)
{
    return (int64_t)w->service->config.silent_after_s * SECOND_MS;
}

static void log_failure(const Err *err)
{
    char quoted[256];

    log_line(LOG_WARNING, "device.not-recorded", "error=%s",
             log_quote(quoted, sizeof quoted, err->text));
}

/* --- one knock --------------------------------------------------------------------------------------- */

static bool knock_write(Tx *tx, void *arg, Err *err)
{
    const Knock *knock = arg;
    Device device;

    if (!device_get(tx_db(tx), &knock->quiet.id, &device, err))
        return err->kind == ERR_NOT_FOUND; /* deleted meanwhile */
    /* One that was heard meanwhile, has moved or is not approved any more is not judged. */
    return device.state != DEVICE_REGISTERED || device.contact == DEVICE_HEARD ||
           !text_equal(device.address, knock->quiet.address) ||
           device_contact(tx, &device, knock->heard, err);
}

static void knock_posted(void *arg)
{
    Knock *knock = arg;
    Watch *w = knock->watch;

    free(knock);
    w->under_way--;
    go_on(w);
}

static void knock_done(void *arg, bool ok, const Err *err)
{
    Knock *knock = arg;

    if (!ok)
        log_failure(err);
    loop_post(knock->watch->service->config.loop, knock_posted, knock);
}

static void knocked(void *arg, DeviceSaid said, const DeviceIdentity *identity, const char *code)
{
    Knock *knock = arg;
    Watch *w = knock->watch;

    (void)identity;
    (void)code;
    knock->heard = said == DEVICE_ABSENT ? DEVICE_CONTACT_UNREACHABLE : DEVICE_CONTACT_REACHABLE;
    if (w->stopping)
        knock_posted(knock); /* the link was closed: that says nothing */
    else
        store_write(w->service->config.store, knock_write, knock_done, knock);
}

static void knock_begin(Watch *w, const Quiet *quiet)
{
    Knock *knock = calloc(1, sizeof *knock);
    Err err;

    if (!knock)
        return; /* in the next round */
    *knock = (Knock){ .watch = w, .quiet = *quiet };
    w->under_way++;
    if (device_knock(w->service->link, quiet->address, knocked, knock, &err))
        return;
    w->under_way--;
    free(knock);
}

/* --- a round ------------------------------------------------------------------------------------------- */

static void go_on(Watch *w)
{
    while (!w->stopping && w->next < w->count && w->under_way < WATCH_KNOCKS_AT_ONCE)
        knock_begin(w, &w->quiet[w->next++]);
    if (w->under_way > 0)
        return;
    w->service->looking--;
    if (!w->stopping)
        loop_timer_start(w->timer, mono_after(mono_now(), silence_ms(w) / ROUNDS_PER_SILENCE));
    service_say_idle(w->service);
}

static bool note_quiet(void *arg, const Device *device)
{
    Watch *w = arg;
    Quiet *quiet = &w->quiet[w->count];

    quiet->id = device->id;
    (void)text_copy(quiet->address, sizeof quiet->address, device->address);
    return ++w->count < WATCH_QUIET_MAX;
}

static bool round_write(Tx *tx, void *arg, Err *err)
{
    Watch *w = arg;
    Wall before = { tx_now(tx).ms - silence_ms(w) };

    w->count = w->next = 0;
    if (!device_quiet_unapproved(tx, before, err) ||
        !device_list_quiet(tx_db(tx), before, note_quiet, w, err))
        return false;
    for (size_t i = 0; i < w->count; i++) {
        Device device;

        if (!device_get(tx_db(tx), &w->quiet[i].id, &device, err) ||
            !device_contact(tx, &device, DEVICE_CONTACT_QUIET, err))
            return false;
    }
    return true;
}

static void round_posted(void *arg)
{
    Watch *w = arg;

    w->stopping |= !w->service->link;
    go_on(w);
}

static void round_done(void *arg, bool ok, const Err *err)
{
    Watch *w = arg;

    if (!ok) {
        log_failure(err);
        w->count = 0;
    }
    loop_post(w->service->config.loop, round_posted, w);
}

static void round_begin(void *arg)
{
    Watch *w = arg;

    if (w->stopping || w->service->draining)
        return;
    w->service->looking++;
    store_write(w->service->config.store, round_write, round_done, w);
}

/* --- life ------------------------------------------------------------------------------------------------ */

Watch *watch_new(ScanService *service, Err *err)
{
    AUTO(Watch) w = calloc(1, sizeof *w);

    if (!w) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the watch over devices");
        return NULL;
    }
    w->service = service;
    w->timer = loop_timer_new(service->config.loop, round_begin, w, err);
    if (!w->timer)
        return NULL;
    if (service->config.silent_after_s > 0)
        loop_timer_start(w->timer, mono_after(mono_now(), silence_ms(w) / ROUNDS_PER_SILENCE));
    return STEAL(w);
}

void watch_free(Watch *w)
{
    if (!w)
        return;
    loop_timer_free(w->timer);
    free(w);
}

void watch_stop(Watch *w)
{
    w->stopping = true;
    loop_timer_stop(w->timer);
}
