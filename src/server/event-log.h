/* server/event-log.h - events of devices that no other line of the log tells: one table of kinds and levels. */
#ifndef PLATEN_SERVER_EVENT_LOG_H
#define PLATEN_SERVER_EVENT_LOG_H

#include "store/batch-rows.h"

/* Writes the line of an event of which the table has the kind: a warning when a person must look at the
 * device. Any other event has a line where it happens, or needs none. For store_on_event; any thread. */
void event_log(const Event *event);

#endif
