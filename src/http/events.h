/* http/events.h - server-sent events: one hub, many listening clients, no thread of its own.
 *
 * Events are kept in a ring; each client is a position in it, so a slow client costs nothing and can
 * hold nothing up. A client that comes back names the last event it saw and gets those after it; one
 * that missed more than the ring holds gets the event "gap" (data {}) and should read the state
 * anew. Clients are added by http_response_events. Any thread. */
#ifndef PLATEN_HTTP_EVENTS_H
#define PLATEN_HTTP_EVENTS_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <stdint.h>

typedef struct HttpEvents HttpEvents;

enum {
    HTTP_EVENTS_KEPT_MAX = 1024,         /* events in the ring                       */
    HTTP_EVENTS_BYTES_MAX = 1024 * 1024, /* bytes in the ring; the oldest go first   */
    HTTP_EVENT_BYTES_MAX = 64 * 1024,    /* one event                                */
    HTTP_EVENTS_COMMENT_MS = 15000,      /* a silent stream gets a comment so often, */
                                         /* which also finds clients that are gone   */
};

/* A hub for at most clients_max streams. Outlives the server that it is given to. */
HttpEvents *http_events_new(unsigned clients_max, Err *err);
void http_events_free(HttpEvents *events); /* accepts NULL; no server may use it any more */
DEFINE_AUTO(HttpEvents, http_events_free);

/* Sends an event to every client. name: a word; data: one line of text, usually JSON. id: rising
 * number a client comes back with; 0, or one that does not rise, takes the number after the last.
 * ERR_BAD_INPUT for line breaks or too many bytes; never waits for a client. After http_server_stop
 * it does nothing. */
bool http_events_publish(HttpEvents *events, const char *name, const char *data, int64_t id,
                         Err *err);

/* Clients that listen now. */
unsigned http_events_clients(HttpEvents *events);

#endif
