/* server/event-log.c - the table of server/event-log.h. */
#include "server/event-log.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

static const struct {
    const char *kind;
    LogLevel level;
} kinds[] = {
    { "device.certificate-changed", LOG_WARNING },
    { "device.tls-downgraded", LOG_WARNING },
    { "device.tls-lost", LOG_WARNING },
    { "device.another", LOG_WARNING },
    { "device.not-moved", LOG_WARNING },
    { "device.moved", LOG_INFO },
    { "device.certificate", LOG_INFO },
    { "device.tls", LOG_INFO },
    { "device.heard", LOG_INFO },
    { "device.silent", LOG_INFO },
    { "device.offline", LOG_INFO },
};

void event_log(const Event *event)
{
    char name[2 * sizeof event->device_name], text[2 * sizeof event->text];

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (text_equal(kinds[i].kind, event->kind))
            log_line(kinds[i].level, event->kind, "id=%s name=%s text=%s", event->device,
                     log_quote(name, sizeof name, event->device_name),
                     log_quote(text, sizeof text, event->text));
}
