/* mfp/fleet.c - see fleet.h. */
#include "mfp/fleet.h"

#include "base/text.h"
#include "mfp/panel.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, BYTE_VALUES = 256, DECIMAL = 10 };

typedef struct Member {
    Options options;
    Tray *tray;
    Device *device;
    Panel *panel;
} Member;

struct Fleet {
    Loop *loop;
    size_t count, ended;
    Member *members;
};

bool fleet_serial(const char *first, uint32_t more, char ret_serial[SCANNER_SERIAL_SIZE])
{
    uint32_t carry = more;

    if (!text_copy(ret_serial, SCANNER_SERIAL_SIZE, first))
        return false;
    for (size_t i = strlen(ret_serial); carry > 0; i--) {
        if (i == 0 || !isdigit((unsigned char)ret_serial[i - 1]))
            return false;
        uint32_t digit = (uint32_t)(ret_serial[i - 1] - '0') + carry;
        ret_serial[i - 1] = (char)('0' + digit % DECIMAL);
        carry = digit / DECIMAL;
    }
    return true;
}

static void count_address(NetAddress *address, uint32_t more)
{
    for (size_t i = address->family == NET_IPV6 ? IPV6_BYTES : IPV4_BYTES; i > 0; i--) {
        uint32_t value = address->bytes[i - 1] + more;
        address->bytes[i - 1] = (uint8_t)(value % BYTE_VALUES);
        more = value / BYTE_VALUES;
    }
}

static void on_end(void *arg)
{
    Fleet *fleet = arg;

    if (++fleet->ended == fleet->count)
        loop_stop(fleet->loop);
}

static bool start(Fleet *fleet, Member *member, const Tray *pictures, Err *err)
{
    const Options *options = &member->options;

    member->tray = tray_share(pictures, err);
    if (!member->tray)
        return false;
    member->device = device_new(fleet->loop, options, member->tray, on_end, fleet, err);
    if (!member->device)
        return false;
    if (!options->panel)
        return true;
    member->panel = panel_new(fleet->loop, member->device, &options->address, options->panel_port,
                              err);
    return member->panel != NULL;
}

static bool start_all(Fleet *fleet, const Options *options, const Tray *pictures, Err *err)
{
    for (uint32_t i = 0; i < options->count; i++) {
        Member *member = &fleet->members[i];

        member->options = *options;
        count_address(&member->options.address, i);
        if (!fleet_serial(options->serial, i, member->options.serial)) {
            err_set(err, ERR_BAD_INPUT, 0, "--serial %s cannot be counted up %u times",
                    options->serial, options->count - 1);
            return err_remedy(err, "End it with enough digits, like A0001.");
        }
        fleet->count = i + 1;
        if (!start(fleet, member, pictures, err))
            return false;
    }
    return true;
}

Fleet *fleet_new(Loop *loop, const Options *options, const Tray *pictures, Err *err)
{
    AUTO(Fleet) fleet = calloc(1, sizeof *fleet);

    if (fleet)
        fleet->members = calloc(options->count, sizeof *fleet->members);
    if (!fleet || !fleet->members) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for %u devices", options->count);
        return NULL;
    }
    fleet->loop = loop;
    if (!start_all(fleet, options, pictures, err))
        return NULL;
    for (size_t i = 0; i < fleet->count; i++)
        device_announce_ready(fleet->members[i].device,
                              fleet->members[i].panel ? panel_url(fleet->members[i].panel) : "");
    return STEAL(fleet);
}

void fleet_free(Fleet *fleet)
{
    if (!fleet)
        return;
    for (size_t i = 0; i < fleet->count; i++) {
        panel_free(fleet->members[i].panel);
        device_free(fleet->members[i].device);
        tray_free(fleet->members[i].tray);
    }
    free(fleet->members);
    free(fleet);
}

int fleet_exit_code(const Fleet *fleet)
{
    int code = 0;

    for (size_t i = 0; i < fleet->count; i++)
        if (device_exit_code(fleet->members[i].device) != 0)
            code = device_exit_code(fleet->members[i].device);
    return code;
}
