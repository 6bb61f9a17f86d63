/* scan/identity.c - see identity.h. */
#include "scan/identity.h"

#include "base/log.h"
#include "base/text.h"
#include "flow/identity.h"
#include "scan/run.h"

#include <stdlib.h>

/* Who waits for the end of a look. */
typedef struct Waiter {
    struct Waiter *next;
    LookedFn *looked;
    void *arg;
} Waiter;

/* One address that is looked at. Owned by the loop; the writer thread fills what is named for it while
 * the loop waits for its post. */
typedef struct Look {
    ScanService *service;
    struct Look *next; /* in service->looks_running, unless it was begun by identity_another */
    char address[ADDRESS_TEXT_SIZE], here[ID_TEXT_SIZE];
    char why[240]; /* of identity_another, "" = a look   */
    DeviceIdentity identity;
    FormerAnswer former;
    char former_address[ADDRESS_TEXT_SIZE], former_serial[64];
    Waiter *waiters;
    /* filled by the writer thread */
    IdentityStep step;
    Device known;
    bool moved;
    bool ok;
} Look;

/* --- how often ------------------------------------------------------------------------------------- */

static const Mono long_ago = { INT64_MIN / 2 };

static size_t book_row(LookBook *book, const char *address)
{
    size_t at = 0;

    while (at < book->count && !text_equal(book->rows[at].address, address))
        at++;
    if (at == book->count && at < LOOK_ADDRESSES_MAX) {
        book->count++;
    } else if (at == LOOK_ADDRESSES_MAX) {
        at = book->next;
        book->next = (book->next + 1) % LOOK_ADDRESSES_MAX;
    }
    if (!text_equal(book->rows[at].address, address)) {
        (void)text_copy(book->rows[at].address, sizeof book->rows[at].address, address);
        book->rows[at].asked_at = book->rows[at].again_at = long_ago;
    }
    return at;
}

static bool is_time(ScanService *service, const char *address, LookWhy why)
{
    LookBook *book = &service->looks;
    size_t at = book_row(book, address);
    Mono now = mono_now();
    bool soon = why == LOOK_PRESSED || why == LOOK_NEW;
    Mono next = soon ? mono_after(book->rows[at].asked_at, LOOK_PRESS_GAP_MS)
                     : book->rows[at].again_at;

    if (why != LOOK_ADDED && !mono_reached(now, next))
        return false;
    book->rows[at].asked_at = now;
    book->rows[at].again_at = mono_after(now, LOOK_GAP_MS);
    return true;
}

static void ask_again_after(Look *look, int64_t ms)
{
    LookBook *book = &look->service->looks;

    book->rows[book_row(book, look->address)].again_at = mono_after(mono_now(), ms);
}

/* What was heard at an address from which a device has moved says nothing about who comes next. */
static void forget(ScanService *service, const char *address)
{
    LookBook *book = &service->looks;
    size_t at = book_row(book, address);

    book->rows[at].asked_at = book->rows[at].again_at = long_ago;
}

/* --- the end --------------------------------------------------------------------------------------- */

static bool wait_for(Look *look, LookedFn *looked, void *arg)
{
    Waiter *waiter = looked ? calloc(1, sizeof *waiter) : NULL;

    if (!waiter)
        return !looked;
    *waiter = (Waiter){ look->waiters, looked, arg };
    look->waiters = waiter;
    return true;
}

/* Nothing of it is under way. Who waits is not told. */
static void look_free(Look *look)
{
    Look **at = &look->service->looks_running;

    while (*at && *at != look)
        at = &(*at)->next;
    if (*at)
        *at = look->next;
    for (Waiter *next; look->waiters; look->waiters = next) {
        next = look->waiters->next;
        free(look->waiters);
    }
    free(look);
}

static void look_over(Look *look)
{
    ScanService *service = look->service;

    for (const Waiter *waiter = look->waiters; waiter; waiter = waiter->next)
        waiter->looked(waiter->arg);
    look_free(look);
    service->looking--;
    service_say_idle(service);
}

static void over_posted(void *arg)
{
    Look *look = arg;

    if (look->moved) {
        panel_book_put(&look->service->panels, &look->known, NULL);
        tracers_moved(look->service->traces, &look->known.id, look->former_address, look->address);
        forget(look->service, look->former_address);
    } else if (!look->ok || look->step == IDENTITY_CHECK_FORMER) {
        ask_again_after(look, LOOK_RETRY_MS);
    }
    look_over(look);
}

static void write_over(Look *look, bool ok, const Err *err, LoopFn *next)
{
    char quoted[256];

    look->ok = ok;
    if (!ok)
        log_line(LOG_WARNING, "device.not-recorded", "address=%s error=%s", look->address,
                 log_quote(quoted, sizeof quoted, err->text));
    loop_post(look->service->config.loop, next, look);
}

static void decided_done(void *arg, bool ok, const Err *err)
{
    write_over(arg, ok, err, over_posted);
}

/* --- the former address ------------------------------------------------------------------------------ */

static bool distrust(Tx *tx, const Look *look, Err *err)
{
    DeviceId here;

    return !look->why[0] || !id_parse(look->here, &here) ||
           device_distrust(tx, &here, look->why, err);
}

static bool move_write(Tx *tx, void *arg, Err *err)
{
    Look *look = arg;
    Device known;
    Reason reason;
    Err gone;

    /* It may have been changed meanwhile: then nothing is moved. */
    if (!device_find_serial(tx_db(tx), look->identity.serial, look->address, &known, &gone) ||
        known.state != DEVICE_REGISTERED || !text_equal(known.address, look->known.address))
        return distrust(tx, look, err);
    if (!flow_identity_is_proven(&known, look->address, look->identity.certificate, &reason) ||
        !flow_identity_may_move(&known, look->address, look->former, look->former_serial, &reason))
        return device_not_moved(tx, &known.id, &reason, err) && distrust(tx, look, err);
    (void)text_copy(look->former_address, sizeof look->former_address, known.address);
    look->moved = device_move(tx, &known.id, look->address, &look->known, err);
    return look->moved;
}

static void decide_move(Look *look, FormerAnswer former)
{
    look->former = former;
    store_write(look->service->config.store, move_write, decided_done, look);
}

static void former_asked(void *arg, DeviceSaid said, const DeviceIdentity *identity,
                         const char *code)
{
    Look *look = arg;
    FormerAnswer former = said == DEVICE_SAID_WHO ? FORMER_SAID
                          : said == DEVICE_ABSENT ? FORMER_ABSENT
                                                  : FORMER_UNCLEAR;

    (void)code;
    (void)text_copy(look->former_serial, sizeof look->former_serial, identity->serial);
    decide_move(look, former);
}

static void told_posted(void *arg)
{
    Look *look = arg;
    Err err;

    if (!look->ok || look->step != IDENTITY_CHECK_FORMER)
        over_posted(look);
    else if (!look->service->link ||
             !device_ask(look->service->link, look->known.address, former_asked, look, &err))
        decide_move(look, FORMER_UNCLEAR);
}

/* --- whose number is it ------------------------------------------------------------------------------ */

static bool told_write(Tx *tx, void *arg, Err *err)
{
    Look *look = arg;
    const DeviceIdentity *said = &look->identity;
    Device here;

    if (!device_find_address(tx_db(tx), look->address, &here, err))
        return err->kind == ERR_NOT_FOUND; /* deleted meanwhile */
    bool is_known = said->serial[0] &&
                    device_find_serial(tx_db(tx), said->serial, look->address, &look->known, err);
    if (!is_known && said->serial[0] && err->kind != ERR_NOT_FOUND)
        return false;
    look->step = flow_identity_said(&here, is_known ? &look->known : NULL, said->serial);
    if (look->step == IDENTITY_LEARN)
        return device_identified(tx, &here.id, said->product, said->serial, said->firmware, err);
    return look->step == IDENTITY_CHECK_FORMER || distrust(tx, look, err);
}

static void told_done(void *arg, bool ok, const Err *err)
{
    write_over(arg, ok, err, told_posted);
}

static void asked(void *arg, DeviceSaid said, const DeviceIdentity *identity, const char *code)
{
    Look *look = arg;

    if (said != DEVICE_SAID_WHO) {
        log_line(LOG_INFO, "device.not-identified", "address=%s reason=%s", look->address, code);
        over_posted(look);
        return;
    }
    look->identity = *identity;
    if (!identity->serial[0]) /* it has none, and will have none in ten minutes */
        ask_again_after(look, LOOK_NUMBERLESS_MS);
    store_write(look->service->config.store, told_write, told_done, look);
}

static Look *look_new(ScanService *service, const char *address)
{
    Look *look = service->looking < LOOKS_MAX ? calloc(1, sizeof *look) : NULL;

    if (!look)
        return NULL;
    look->service = service;
    (void)text_copy(look->address, sizeof look->address, address);
    service->looking++;
    return look;
}

static Look *look_at(ScanService *service, const char *address)
{
    Look *look = service->looks_running;

    while (look && !text_equal(look->address, address))
        look = look->next;
    return look;
}

bool identity_look(ScanService *service, const char *address, LookWhy why, LookedFn *looked,
                   void *arg)
{
    Look *running = look_at(service, address);
    Err err;

    if (running)
        return why == LOOK_PRESSED && wait_for(running, looked, arg);
    if (!service->config.identify || !service->link || service->draining ||
        service->looking >= LOOKS_MAX || device_is_served(service->link, address) ||
        !is_time(service, address, why))
        return false;
    Look *look = look_new(service, address);
    if (!look)
        return false;
    look->next = service->looks_running;
    service->looks_running = look;
    if (wait_for(look, looked, arg) && device_ask(service->link, address, asked, look, &err))
        return true;
    ask_again_after(look, LOOK_RETRY_MS);
    look_free(look);
    service->looking--;
    return false;
}

void identity_another(ScanService *service, const Device *here, const DeviceIdentity *identity,
                      const char *why)
{
    Look *look = look_new(service, here->address);

    if (!look)
        return; /* its next scan is refused as well */
    look->identity = *identity;
    (void)text_copy(look->here, sizeof look->here, here->id.text);
    (void)text_copy(look->why, sizeof look->why, why);
    store_write(service->config.store, told_write, told_done, look);
}
