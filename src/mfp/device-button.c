/* mfp/device-button.c - a virtual device that has only a button: it holds the name of one host, which is read and
 * written by SNMP, and tells a press to nobody else. */
#include "mfp/device-inside.h"

#include "base/log.h"
#include "base/text.h"

/* What known devices are asked with. */
#define COMMUNITY "epson"

static void on_question(void *arg, const UdpDatagram *datagram)
{
    Device *device = arg;
    AUTO_BUF answer = buf_with_max(SNMP_DATAGRAM_MAX);
    char name[DEVICE_QUOTED_SIZE];
    bool set;
    Err err;

    if (!snmp_answerer_feed(&device->snmp_answerer, datagram->bytes, &answer, &set))
        return;
    (void)udp_send(device->snmp, &datagram->from, 0, buf_bytes(&answer), &err);
    if (set)
        device_say(device, "paired name=%s",
                   log_quote(name, sizeof name, device->snmp_answerer.host));
}

bool device_open_button(Device *device, Err *err)
{
    NetAddress own = device->options->address;

    if (!device->options->button)
        return true;
    own.port = device->options->snmp_port;
    (void)text_copy(device->snmp_answerer.community, sizeof device->snmp_answerer.community,
                    COMMUNITY);
    (void)text_copy(device->snmp_answerer.host, sizeof device->snmp_answerer.host,
                    device->options->paired);
    device->snmp = udp_open(device->loop, &own, on_question, device, err);
    if (device->snmp)
        return true;
    err_prefix(err, "UDP port %u, on which it is paired", own.port);
    return err_remedy(err, "Choose another --snmp-port, and the same snmp_port in platen.conf.");
}

bool device_button_calls(const Device *device, const char *name, Err *err)
{
    const char *host = device->snmp_answerer.host;

    if (!device->options->button || text_equal(host, name))
        return true;
    if (!host[0])
        err_set(err, ERR_DENIED, 0, "the device is paired with nobody");
    else
        err_set(err, ERR_DENIED, 0, "the button calls \"%s\" alone", host);
    return err_remedy(err, "Pair it: platen device pair DEVICE.");
}
