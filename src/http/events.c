/* http/events.c - the ring of events and the streams that read it. See events.h and inside.h.
 *
 * Locks: the library calls read_stream with the response locked and takes its connection lock inside
 * suspend and resume; the hub's lock lies between the two, always in this order. */
#include "http/inside.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_BLOCK_BYTES = 16 * 1024, INTRO_TEXT_SIZE = 64 };

typedef struct Event {
    int64_t id;
    char *frame; /* as sent: "id: 7\nevent: batch\ndata: {}\n\n" */
    size_t n;
} Event;

typedef struct Client {
    struct Client *next, **link;
    HttpEvents *events;
    struct MHD_Connection *mhd;
    uint64_t at;                 /* number of the next event to send                     */
    size_t offset;               /* bytes of it that are sent                            */
    char intro[INTRO_TEXT_SIZE]; /* sent before the next event: retry, gap or a comment  */
    bool suspended;
    Mono last_sent;
} Client;

struct HttpEvents {
    pthread_mutex_t lock; /* for everything below */
    Event ring[HTTP_EVENTS_KEPT_MAX];
    uint64_t first, end; /* numbers of the oldest event and of the next one; i is ring[i % MAX] */
    size_t bytes;
    int64_t last_id;
    Client *clients;
    unsigned client_count, clients_max;
    bool closed;
};

static const char gap_frame[] = "event: gap\ndata: {}\n\n";

HttpEvents *http_events_new(unsigned clients_max, Err *err)
{
    HttpEvents *events = calloc(1, sizeof *events);

    if (!events) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for an event hub");
        return NULL;
    }
    pthread_mutex_init(&events->lock, NULL);
    events->clients_max = clients_max;
    return events;
}

static Event *event_at(HttpEvents *events, uint64_t number)
{
    return &events->ring[number % HTTP_EVENTS_KEPT_MAX];
}

static void drop_oldest(HttpEvents *events)
{
    Event *event = event_at(events, events->first++);

    events->bytes -= event->n;
    free(event->frame);
    *event = (Event){ 0 };
}

void http_events_free(HttpEvents *events)
{
    if (!events)
        return;
    while (events->first != events->end)
        drop_oldest(events);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* Wakes a stream that sleeps. The lock is held. */
static void wake(Client *client)
{
    if (!client->suspended)
        return;
    client->suspended = false;
    MHD_resume_connection(client->mhd);
}

static bool is_one_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

/* Puts a frame into the ring and wakes everybody. The lock is held. Takes frame. */
static void append(HttpEvents *events, int64_t id, char *frame, size_t n)
{
    while (events->end - events->first == HTTP_EVENTS_KEPT_MAX ||
           (events->first != events->end && events->bytes + n > HTTP_EVENTS_BYTES_MAX))
        drop_oldest(events);
    *event_at(events, events->end++) = (Event){ .id = id, .frame = frame, .n = n };
    events->bytes += n;
    events->last_id = id;
    for (Client *client = events->clients; client; client = client->next)
        wake(client);
}

bool http_events_publish(HttpEvents *events, const char *name, const char *data, int64_t id,
                         Err *err)
{
    char *frame = NULL;

    if (!is_one_line(name) || !is_one_line(data) || strlen(data) > HTTP_EVENT_BYTES_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "event \"%.40s\" is not one line of at most %d bytes",
                       name, HTTP_EVENT_BYTES_MAX);
    pthread_mutex_lock(&events->lock);
    if (id <= events->last_id)
        id = events->last_id + 1;
    int n = asprintf(&frame, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)id, name, data);
    bool ok = n > 0;
    if (ok && !events->closed)
        append(events, id, STEAL(frame), (size_t)n);
    pthread_mutex_unlock(&events->lock);
    if (ok)
        free(frame);
    return ok || err_set(err, ERR_TEMPORARY, 0, "no memory for an event");
}

unsigned http_events_clients(HttpEvents *events)
{
    pthread_mutex_lock(&events->lock);
    unsigned count = events->client_count;
    pthread_mutex_unlock(&events->lock);
    return count;
}

/* --- streams ----------------------------------------------------------------------------------- */

/* Copies what fits of the texts waiting for a client. The lock is held. */
static size_t fill(HttpEvents *events, Client *client, char *to, size_t size)
{
    size_t used = strlen(client->intro);

    memcpy(to, client->intro, used); /* the block is larger than any intro */
    client->intro[0] = '\0';
    while (client->at != events->end && used < size) {
        const Event *event = event_at(events, client->at);
        size_t n = event->n - client->offset;
        if (n > size - used)
            n = size - used;
        memcpy(to + used, event->frame + client->offset, n);
        used += n;
        client->offset += n;
        if (client->offset == event->n) {
            client->at++;
            client->offset = 0;
        }
    }
    return used;
}

/* Called by the library when the connection can take bytes. */
static ssize_t read_stream(void *arg, uint64_t position, char *to, size_t size)
{
    Client *client = arg;
    HttpEvents *events = client->events;
    ssize_t result = 0;

    (void)position;
    if (size < INTRO_TEXT_SIZE)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    pthread_mutex_lock(&events->lock);
    bool fell_behind = client->at < events->first;
    if (fell_behind && client->offset == 0) {
        text_copy(client->intro, sizeof client->intro, gap_frame);
        client->at = events->first;
        fell_behind = false;
    }
    if (events->closed || fell_behind) { /* cut within an event: the client comes back by itself */
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (client->intro[0] || client->at != events->end) {
        result = (ssize_t)fill(events, client, to, size);
        client->last_sent = mono_now();
    } else {
        client->suspended = true;
        MHD_suspend_connection(client->mhd);
    }
    pthread_mutex_unlock(&events->lock);
    return result;
}

static void client_free(void *arg)
{
    Client *client = arg;
    HttpEvents *events = client->events;

    pthread_mutex_lock(&events->lock);
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    events->client_count--;
    pthread_mutex_unlock(&events->lock);
    free(client);
}

/* Where a client that saw last_id goes on; false when events between are gone. The lock is held. */
static bool find_start(HttpEvents *events, int64_t last_id, uint64_t *ret_number)
{
    *ret_number = events->end;
    if (last_id < 0 || last_id == events->last_id)
        return true;
    *ret_number = events->first;
    for (uint64_t i = events->first; i != events->end; i++) {
        if (event_at(events, i)->id != last_id)
            continue;
        *ret_number = i + 1;
        return true;
    }
    return false;
}

/* Links a new client into the hub. False when there are too many. */
static bool enlist(HttpEvents *events, Client *client, int64_t last_id)
{
    pthread_mutex_lock(&events->lock);
    bool ok = !events->closed && events->client_count < events->clients_max;
    if (ok) {
        bool complete = find_start(events, last_id, &client->at);
        text_printf(client->intro, sizeof client->intro, "retry: 3000\n\n%s",
                    complete ? "" : gap_frame);
        client->next = events->clients;
        client->link = &events->clients;
        if (client->next)
            client->next->link = &client->next;
        events->clients = client;
        events->client_count++;
    }
    pthread_mutex_unlock(&events->lock);
    return ok;
}

struct MHD_Response *http_events_stream(HttpEvents *events, struct MHD_Connection *mhd,
                                        int64_t last_id)
{
    Client *client = calloc(1, sizeof *client);

    if (!client)
        return NULL;
    *client = (Client){ .events = events, .mhd = mhd, .last_sent = mono_now() };
    if (!enlist(events, client, last_id)) {
        free(client);
        return NULL;
    }
    struct MHD_Response *answer = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, client, client_free);
    if (!answer)
        client_free(client);
    return answer;
}

void http_events_tick(HttpEvents *events, Mono now)
{
    pthread_mutex_lock(&events->lock);
    for (Client *client = events->clients; client; client = client->next) {
        if (!client->suspended ||
            !mono_reached(now, mono_after(client->last_sent, HTTP_EVENTS_COMMENT_MS)))
            continue;
        text_copy(client->intro, sizeof client->intro, ": still here\n\n");
        wake(client);
    }
    pthread_mutex_unlock(&events->lock);
}

void http_events_close(HttpEvents *events)
{
    pthread_mutex_lock(&events->lock);
    events->closed = true;
    for (Client *client = events->clients; client; client = client->next)
        wake(client);
    pthread_mutex_unlock(&events->lock);
}
