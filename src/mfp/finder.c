/* mfp/finder.c - cycles of SLP requests and their replies for mfp/finder.h. */
#include "mfp/finder.h"

#include "base/text.h"

void finder_init(Finder *finder, const char *product, bool multicast, int64_t period_ms,
                 uint16_t xid)
{
    *finder = (Finder){
        .product = product, .multicast = multicast, .period_ms = period_ms, .xid = (uint8_t)xid
    };
}

void finder_put(Finder *finder, const char *name, const NetAddress *at)
{
    FinderEntry *entry = &finder->entries[finder->count++];

    *entry = (FinderEntry){ .server.event_port = at->port, .fixed = *at };
    (void)text_copy(entry->server.name, sizeof entry->server.name, name);
}

bool finder_address(const FinderEntry *entry, NetAddress *ret_address, Err *err)
{
    if (entry->fixed.family == NET_NONE)
        return net_address_parse(entry->server.address, entry->server.event_port, ret_address, err);
    *ret_address = entry->fixed;
    return true;
}

void finder_host(const FinderEntry *entry, char ret_host[NET_ADDRESS_TEXT_SIZE])
{
    if (entry->fixed.family == NET_NONE)
        (void)text_copy(ret_host, NET_ADDRESS_TEXT_SIZE, entry->server.address);
    else
        net_address_format_host(&entry->fixed, ret_host);
}

static void forget_old(Finder *finder)
{
    size_t kept = 0;

    for (size_t i = 0; i < finder->count; i++)
        if (finder->entries[i].fixed.family != NET_NONE ||
            finder->entries[i].cycle + FINDER_CYCLES_KEPT >= finder->cycle)
            finder->entries[kept++] = finder->entries[i];
    finder->count = kept;
}

static bool write_request(const Finder *finder, Buf *request)
{
    SlpRequest slp = {
        .flags = finder->multicast ? SLP_FLAG_MULTICAST : 0,
        .xid = finder->xid,
        .language = bytes_of_text("en"),
        .url = bytes_of_text(SLP_SERVICE_URL),
        .scopes = bytes_of_text(finder->product),
        .tags = bytes_of_text(finder->is_v3 ? SLP_ENTRY_TAG_LIST_V3 : SLP_ENTRY_TAG_LIST),
    };

    buf_clear(request);
    return slp_request_encode(&slp, request);
}

bool finder_tick(Finder *finder, Mono now, Buf *request)
{
    if (mono_reached(now, finder->cycle_due)) {
        finder->cycle++;
        finder->xid = (uint16_t)(finder->xid % FINDER_XID_MAX + 1);
        finder->copies_left = FINDER_COPIES;
        finder->cycle_due = mono_after(now, finder->period_ms);
        finder->copy_due = now;
        forget_old(finder);
    }
    if (finder->copies_left == 0 || !mono_reached(now, finder->copy_due))
        return false;
    finder->copies_left--;
    finder->copy_due = mono_after(now, FINDER_COPY_GAP_MS);
    return write_request(finder, request);
}

Mono finder_deadline(const Finder *finder)
{
    return finder->copies_left > 0 ? mono_earlier(finder->copy_due, finder->cycle_due)
                                   : finder->cycle_due;
}

/* The entry of this sender, or a free place; NULL when all are taken. */
static FinderEntry *place_of(Finder *finder, const NetAddress *sender)
{
    for (size_t i = 0; i < finder->count; i++)
        if (finder->entries[i].fixed.family == NET_NONE &&
            net_address_same_host(&finder->entries[i].sender, sender))
            return &finder->entries[i];
    if (finder->count == FINDER_ENTRIES_MAX)
        return NULL;
    FinderEntry *entry = &finder->entries[finder->count++];
    *entry = (FinderEntry){ .sender = *sender };
    return entry;
}

static bool same_server(const SlpEntry *a, const SlpEntry *b)
{
    return text_equal(a->name, b->name) && text_equal(a->address, b->address) &&
           a->event_port == b->event_port && a->is_v3 == b->is_v3;
}

FinderNews finder_receive(Finder *finder, Bytes datagram, const NetAddress *sender,
                          const FinderEntry **ret_entry)
{
    SlpReply reply;
    SlpEntry server;

    if (slp_reply_decode(datagram, &reply) != WIRE_OK || reply.error != 0 || finder->cycle == 0 ||
        reply.xid != finder->xid || slp_entry_decode(reply.attributes, &server) != WIRE_OK)
        return FINDER_NOTHING;
    FinderEntry *entry = place_of(finder, sender);
    if (!entry || entry->cycle == finder->cycle) /* the first of a cycle wins */
        return FINDER_NOTHING;
    bool known = entry->cycle != 0 && same_server(&entry->server, &server);
    entry->server = server;
    entry->cycle = finder->cycle;
    *ret_entry = entry;
    return known ? FINDER_NOTHING : FINDER_APPEARED;
}

const FinderEntry *finder_find(const Finder *finder, const char *name)
{
    for (size_t i = 0; i < finder->count; i++)
        if (text_equal(finder->entries[i].server.name, name))
            return &finder->entries[i];
    return NULL;
}
