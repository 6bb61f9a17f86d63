/* scan/added.c - devices that people have added: each is asked who it is, of a table of thousands a few a second. See
 * run.h. */
#include "base/text.h"
#include "scan/run.h"

#include <stdlib.h>

typedef struct AddedDevice {
    struct AddedDevice *next;
    ScanService *service;
    char address[ADDRESS_TEXT_SIZE];
} AddedDevice;

static AddedDevice *take_first(AddedDevices *list)
{
    AddedDevice *first = list->first;

    if (!first)
        return NULL;
    list->first = first->next;
    if (!list->first)
        list->last = NULL;
    (void)atomic_fetch_sub(&list->left, 1);
    return first;
}

/* Asks the next one, if others leave room for it; the timer runs as long as somebody is left, and once more. */
static void ask_next(void *arg)
{
    ScanService *service = arg;
    AddedDevices *list = &service->added;
    bool room = service->looking < LOOKS_ADDED_MAX;
    AddedDevice *device = room ? take_first(list) : NULL;

    list->rests = device || list->first;
    if (list->rests)
        loop_timer_start(list->timer, mono_after(mono_now(), LOOK_ADDED_GAP_MS));
    if (device) /* false: it is being scanned from, and says then who it is */
        (void)identity_look(service, device->address, LOOK_ADDED, NULL, NULL);
    free(device);
}

static void added_posted(void *arg)
{
    AddedDevice *device = arg;
    ScanService *service = device->service;
    AddedDevices *list = &service->added;
    Err err;

    if (!list->timer && !service->draining)
        list->timer = loop_timer_new(service->config.loop, ask_next, service, &err);
    if (!list->timer || service->draining || atomic_load(&list->left) >= ADDED_MAX) {
        free(device); /* it is asked when it announces itself */
        return;
    }
    if (list->last)
        list->last->next = device;
    else
        list->first = device;
    list->last = device;
    (void)atomic_fetch_add(&list->left, 1);
    if (!list->rests)
        ask_next(service);
}

void scan_service_look(ScanService *service, const char *address)
{
    AddedDevice *device = service->config.identify ? calloc(1, sizeof *device) : NULL;

    if (!device)
        return;
    device->service = service;
    (void)text_copy(device->address, sizeof device->address, address);
    loop_post(service->config.loop, added_posted, device);
}

void added_stop(ScanService *service)
{
    AddedDevice *device;

    while ((device = take_first(&service->added)))
        free(device);
    loop_timer_free(STEAL(service->added.timer));
}
