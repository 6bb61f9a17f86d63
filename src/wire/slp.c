/* wire/slp.c - AttrRqst and AttrRply of wire/slp.h. */
#include "wire/slp.h"

#include "base/text.h"

#include <stdio.h>

enum {
    SLP_VERSION = 2,
    SLP_FUNCTION_REQUEST = 6,
    SLP_FUNCTION_REPLY = 7,
    SLP_LENGTH_OFFSET = 2,
    SLP_FIELD_MAX = 0xffff,
    SLP_PORT_MAX = 65535,
};

typedef struct SlpHeader {
    uint16_t flags, xid;
    Bytes language;
} SlpHeader;

static Bytes rd_field(Reader *r)
{
    return rd_bytes(r, rd_u16be(r));
}

/* Reads the common header; false when this is no such datagram. */
static bool rd_header(Reader *r, uint8_t function, size_t datagram_size, SlpHeader *ret_header)
{
    uint8_t version = rd_u8(r), got_function = rd_u8(r);
    uint32_t length = rd_u24be(r);
    uint16_t flags = rd_u16be(r);

    (void)rd_u24be(r); /* extensions are not used by any device and not needed */
    uint16_t xid = rd_u16be(r);
    Bytes language = rd_field(r);
    if (r->bad || version != SLP_VERSION || got_function != function || length != datagram_size ||
        datagram_size > SLP_DATAGRAM_MAX || (flags & SLP_FLAG_OVERFLOW) ||
        language.n > SLP_LANGUAGE_MAX)
        return false;
    *ret_header = (SlpHeader){ flags, xid, language };
    return true;
}

WireResult slp_request_decode(Bytes datagram, SlpRequest *ret_request)
{
    Reader r = reader_over(datagram);
    SlpHeader header;
    SlpRequest request;

    if (!rd_header(&r, SLP_FUNCTION_REQUEST, datagram.n, &header))
        return WIRE_BROKEN;
    request = (SlpRequest){ .flags = header.flags, .xid = header.xid, .language = header.language };
    request.previous_responders = rd_field(&r);
    request.url = rd_field(&r);
    request.scopes = rd_field(&r);
    request.tags = rd_field(&r);
    request.spi = rd_field(&r);
    if (r.bad)
        return WIRE_BROKEN;
    *ret_request = request;
    return WIRE_OK;
}

WireResult slp_reply_decode(Bytes datagram, SlpReply *ret_reply)
{
    Reader r = reader_over(datagram);
    SlpHeader header;
    SlpReply reply;

    if (!rd_header(&r, SLP_FUNCTION_REPLY, datagram.n, &header))
        return WIRE_BROKEN;
    reply = (SlpReply){ .xid = header.xid, .language = header.language };
    reply.error = rd_u16be(&r);
    reply.attributes = rd_field(&r);
    if (r.bad)
        return WIRE_BROKEN;
    *ret_reply = reply;
    return WIRE_OK;
}

static bool put_field(Buf *to, Bytes field)
{
    return field.n <= SLP_FIELD_MAX && buf_put_u16be(to, (uint16_t)field.n) && buf_put(to, field);
}

static bool put_header(Buf *to, uint8_t function, SlpHeader header)
{
    return to->n == 0 && header.language.n <= SLP_LANGUAGE_MAX && buf_put_u8(to, SLP_VERSION) &&
           buf_put_u8(to, function) && buf_put_u24be(to, 0) && buf_put_u16be(to, header.flags) &&
           buf_put_u24be(to, 0) && buf_put_u16be(to, header.xid) && put_field(to, header.language);
}

/* Writes the length of the finished datagram into its header. */
static bool put_length(Buf *to)
{
    if (to->failed || to->n > SLP_DATAGRAM_MAX)
        return false;
    uint8_t *at = to->p + SLP_LENGTH_OFFSET;
    at[0] = 0; /* SLP_DATAGRAM_MAX needs two of the three bytes */
    at[1] = (uint8_t)(to->n >> 8);
    at[2] = (uint8_t)to->n;
    return true;
}

bool slp_request_encode(const SlpRequest *request, Buf *to)
{
    SlpHeader header = { request->flags, request->xid, request->language };

    return put_header(to, SLP_FUNCTION_REQUEST, header) &&
           put_field(to, request->previous_responders) && put_field(to, request->url) &&
           put_field(to, request->scopes) && put_field(to, request->tags) &&
           put_field(to, request->spi) && put_length(to);
}

bool slp_reply_encode(const SlpReply *reply, Buf *to)
{
    SlpHeader header = { 0, reply->xid, reply->language };

    return put_header(to, SLP_FUNCTION_REPLY, header) && buf_put_u16be(to, reply->error) &&
           put_field(to, reply->attributes) && buf_put_u8(to, 0) /* no authentication blocks */ &&
           put_length(to);
}

bool slp_list_has(Bytes list, const char *item)
{
    while (list.n > 0)
        if (bytes_equal_nocase(bytes_trimmed(bytes_take_until(&list, ','), " "), item))
            return true;
    return false;
}

bool slp_request_wants_v3(const SlpRequest *request)
{
    return slp_list_has(request->tags, "Ver") || slp_list_has(request->tags, "Group") ||
           slp_list_has(request->scopes, "PID 016B") || slp_list_has(request->scopes, "PID 0169");
}

bool slp_attribute_get(Bytes attributes, const char *key, Bytes *ret_value)
{
    while (attributes.n > 0) {
        (void)bytes_take_until(&attributes, '(');
        Bytes value = bytes_take_until(&attributes, ')');
        Bytes name = bytes_take_until(&value, '=');

        if (bytes_equal_nocase(bytes_trimmed(name, " "), key)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Four decimal numbers of 0..255 with dots between. */
static bool address_is_ipv4(Bytes text)
{
    int parts = 0;

    if (text.n == 0 || text.n >= SLP_ADDRESS_SIZE || text.p[text.n - 1] == '.')
        return false;
    while (text.n > 0) {
        int64_t number;

        if (!bytes_to_int(bytes_take_until(&text, '.'), 0, UINT8_MAX, &number))
            return false;
        parts++;
    }
    return parts == 4;
}

WireResult slp_entry_decode(Bytes attributes, SlpEntry *ret_entry)
{
    SlpEntry entry = { 0 };
    Bytes name, address, port, version;
    int64_t number;

    if (!slp_attribute_get(attributes, "ClientName", &name) ||
        !slp_attribute_get(attributes, "IPAddress", &address) ||
        !slp_attribute_get(attributes, "EventPort", &port))
        return WIRE_BROKEN;
    if (name.n == 0 || !text_is_utf8(name) || !text_copy_bytes(entry.name, sizeof entry.name, name))
        return WIRE_BROKEN;
    if (!address_is_ipv4(address) ||
        !text_copy_bytes(entry.address, sizeof entry.address, address) ||
        !bytes_to_int(port, 1, SLP_PORT_MAX, &number))
        return WIRE_BROKEN;
    entry.event_port = (uint16_t)number;
    entry.is_v3 = slp_attribute_get(attributes, "Ver", &version) && bytes_start_with(version, "3");
    *ret_entry = entry;
    return WIRE_OK;
}

bool slp_entry_encode(const SlpEntry *entry, Buf *to)
{
    return slp_name_is_plain(entry->name) && address_is_ipv4(bytes_of_text(entry->address)) &&
           entry->event_port != 0 &&
           buf_printf(to, "%s(ClientName=%s),(IPAddress=%s),(EventPort=%u)%s",
                      entry->is_v3 ? "(Ver=3.0)," : "", entry->name, entry->address,
                      (unsigned)entry->event_port, entry->is_v3 ? ",(Group=0)" : "");
}

bool slp_name_is_plain(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < SLP_NAME_SIZE && text_is_utf8(bytes_of_text(name)) &&
           !text_has_control(name) && strpbrk(name, "(),\\!<=>~") == NULL;
}
