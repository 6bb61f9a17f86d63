/* device/register-session.c - see register-session.h. */
#include "device/register-session.h"

#include "base/text.h"

const RegisterRule register_rules[REGISTER_STATE_MAX_][REGISTER_EVENT_MAX_] = {
    [REGISTER_FREE] = { [REGISTER_EVENT_REQUEST] = { REGISTER_ANSWERING, REGISTER_DO_BEGIN },
                        [REGISTER_EVENT_DUE] = { REGISTER_FREE, REGISTER_DO_NOTHING },
                        [REGISTER_EVENT_LAST] = { REGISTER_FREE, REGISTER_DO_NOTHING },
                        [REGISTER_EVENT_HIDDEN] = { REGISTER_FREE, REGISTER_DO_NOTHING } },
    [REGISTER_ANSWERING] = { [REGISTER_EVENT_REQUEST] = { REGISTER_ANSWERING, REGISTER_DO_NOTHING },
                             [REGISTER_EVENT_DUE] = { REGISTER_ANSWERING, REGISTER_DO_SEND },
                             [REGISTER_EVENT_LAST] = { REGISTER_QUIET, REGISTER_DO_SEND },
                             [REGISTER_EVENT_HIDDEN] = { REGISTER_QUIET, REGISTER_DO_NOTHING } },
    [REGISTER_QUIET] = { [REGISTER_EVENT_REQUEST] = { REGISTER_QUIET, REGISTER_DO_NOTHING },
                         [REGISTER_EVENT_DUE] = { REGISTER_FREE, REGISTER_DO_NOTHING },
                         [REGISTER_EVENT_LAST] = { REGISTER_FREE, REGISTER_DO_NOTHING },
                         [REGISTER_EVENT_HIDDEN] = { REGISTER_QUIET, REGISTER_DO_NOTHING } },
};

void register_session_init(RegisterSession *s, uint16_t event_port, RegisterShowFn *show,
                           void *show_arg)
{
    *s = (RegisterSession){ .event_port = event_port, .show = show, .show_arg = show_arg };
}

/* A request of the kind we answer. RFC 2608 compares service types without case. */
static bool read_request(Bytes datagram, SlpRequest *ret_request)
{
    return slp_request_decode(datagram, ret_request) == WIRE_OK &&
           bytes_equal_nocase(ret_request->url, SLP_SERVICE_URL);
}

bool register_session_is_request(Bytes datagram)
{
    SlpRequest request;

    return read_request(datagram, &request);
}

/* The entry for this request: its own, else a free one, else the oldest quiet one. A source that has
 * used up its share gets its own oldest quiet one. The upper half is kept for sources that have no
 * entry yet, so that many addresses that ask often keep no other device out. NULL when all that it
 * may take are answering. */
static RegisterEntry *find_entry(RegisterSession *s, const NetAddress *from, uint16_t xid, Mono now)
{
    RegisterEntry *empty[2] = { NULL, NULL }, *quiet[2] = { NULL, NULL }, *own_quiet = NULL;
    size_t of_source = 0;

    for (size_t i = 0; i < REGISTER_ENTRIES_MAX; i++) {
        RegisterEntry *e = &s->entries[i];
        size_t half = i >= REGISTER_ENTRIES_MAX / 2;

        if (e->state == REGISTER_QUIET && mono_reached(now, e->due_at))
            e->state = register_rules[e->state][REGISTER_EVENT_DUE].next;
        if (e->state == REGISTER_FREE) {
            empty[half] = empty[half] ? empty[half] : e;
            continue;
        }
        if (net_address_same_host(&e->ask.from, from)) {
            if (e->xid == xid && e->ask.from.port == from->port)
                return e;
            of_source++;
            if (e->state == REGISTER_QUIET && (!own_quiet || e->due_at.ms < own_quiet->due_at.ms))
                own_quiet = e;
        }
        if (e->state == REGISTER_QUIET && (!quiet[half] || e->due_at.ms < quiet[half]->due_at.ms))
            quiet[half] = e;
    }
    RegisterEntry *found = of_source >= REGISTER_PER_SOURCE_MAX ? own_quiet
                           : empty[0]                           ? empty[0]
                           : of_source == 0 && empty[1]         ? empty[1]
                           : quiet[0]                           ? quiet[0]
                           : of_source == 0                     ? quiet[1]
                                                                : NULL;
    if (found)
        found->state = REGISTER_FREE;
    return found;
}

/* Printable ASCII of the scope list; a device that puts something else there has no product. */
static void copy_product(char ret_product[REGISTER_PRODUCT_SIZE], Bytes scopes)
{
    ret_product[0] = '\0';
    for (size_t i = 0; i < scopes.n; i++)
        if (scopes.p[i] < ' ' || scopes.p[i] > '~')
            return;
    (void)text_copy_bytes(ret_product, REGISTER_PRODUCT_SIZE, scopes);
}

bool register_session_feed(RegisterSession *s, const RegisterRequest *in, Mono now,
                           RegisterAsk *ret_ask)
{
    SlpRequest request;

    if (!read_request(in->datagram, &request) ||
        slp_list_has(request.previous_responders, in->local))
        return false;
    RegisterEntry *e = find_entry(s, &in->from, request.xid, now);
    if (!e)
        return false;
    const RegisterRule *rule = &register_rules[e->state][REGISTER_EVENT_REQUEST];
    e->state = rule->next;
    if (rule->action != REGISTER_DO_BEGIN)
        return false;
    e->ask.from = in->from;
    e->ask.wants_v3 = slp_request_wants_v3(&request);
    copy_product(e->ask.product, request.scopes);
    e->interface_index = in->interface_index;
    e->xid = request.xid;
    e->answers_left = REGISTER_ANSWERS;
    e->due_at = mono_after(now, REGISTER_FIRST_MS);
    (void)text_copy_bytes(e->language, sizeof e->language, request.language);
    (void)text_copy(e->local, sizeof e->local, in->local);
    *ret_ask = e->ask;
    return true;
}

static bool encode_answer(const RegisterSession *s, const RegisterEntry *e, Buf *to)
{
    AUTO_BUF list = buf_with_max(SLP_DATAGRAM_MAX);
    SlpEntry entry = { .event_port = s->event_port, .is_v3 = e->shown.is_v3 };

    (void)text_copy(entry.name, sizeof entry.name, e->shown.name);
    (void)text_copy(entry.address, sizeof entry.address, e->local);
    if (!slp_entry_encode(&entry, &list))
        return false;
    SlpReply reply = { .xid = e->xid,
                       .language = bytes_of_text(e->language),
                       .attributes = buf_bytes(&list) };
    return slp_reply_encode(&reply, to);
}

/* Asks the host before the first answer. A device that is to see nothing is not answered. */
static bool show(RegisterSession *s, RegisterEntry *e, Mono now)
{
    if (e->state != REGISTER_ANSWERING || e->answers_left < REGISTER_ANSWERS ||
        s->show(s->show_arg, &e->ask, &e->shown))
        return true;
    e->state = register_rules[e->state][REGISTER_EVENT_HIDDEN].next;
    e->due_at = mono_after(now, REGISTER_QUIET_MS);
    return false;
}

bool register_session_next(RegisterSession *s, Mono now, RegisterAnswer *ret_answer, Buf *to)
{
    for (size_t i = 0; i < REGISTER_ENTRIES_MAX; i++) {
        RegisterEntry *e = &s->entries[i];

        if (e->state == REGISTER_FREE || !mono_reached(now, e->due_at) || !show(s, e, now))
            continue;
        const RegisterRule *rule =
            &register_rules[e->state]
                           [e->answers_left > 1 ? REGISTER_EVENT_DUE : REGISTER_EVENT_LAST];
        e->state = rule->next;
        if (rule->action != REGISTER_DO_SEND)
            continue;
        e->answers_left--;
        e->due_at = mono_after(now,
                               e->state == REGISTER_QUIET ? REGISTER_QUIET_MS : REGISTER_GAP_MS);
        *ret_answer = (RegisterAnswer){ e->ask.from, e->interface_index };
        if (encode_answer(s, e, to))
            return true;
        buf_clear(to);
    }
    return false;
}

Mono register_session_deadline(const RegisterSession *s)
{
    Mono first = MONO_NEVER;

    for (size_t i = 0; i < REGISTER_ENTRIES_MAX; i++)
        if (s->entries[i].state == REGISTER_ANSWERING)
            first = mono_earlier(first, s->entries[i].due_at);
    return first;
}
