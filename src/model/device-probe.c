/* model/device-probe.c - see device-probe.h. */
#include "model/device-probe.h"

#include "base/text.h"

const char *const probe_stage_words[] = { "connect", "tls", "identify", NULL };

void device_probe_judge(DeviceProbe *probe, const char *known_serial)
{
    Reason *reason = &probe->reason;

    if (probe->failed != PROBE_STAGE_MAX_ || !known_serial[0] || !probe->serial[0] ||
        text_equal(probe->serial, known_serial))
        return;
    probe->failed = PROBE_IDENTIFY;
    (void)text_copy(reason->code, sizeof reason->code, "another-device");
    (void)text_printf(reason->text, sizeof reason->text,
                      "Another device answers: its serial number is %.60s, not %.60s.",
                      probe->serial, known_serial);
    (void)text_copy(reason->remedy, sizeof reason->remedy,
                    "Find the device's new address: platen device discover RANGE.");
}
