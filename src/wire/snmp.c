/* wire/snmp.c - see wire/snmp.h. */
#include "wire/snmp.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_OBJECT = 0x06,
    TAG_SEQUENCE = 0x30,
    LONG_LENGTH = 0x80, /* the other bits tell how many bytes the length has */
    LENGTH_BYTES_MAX = 4,
    INTEGER_BYTES_MAX = 4,
    SIGN = 0x80, /* of the first byte of an INTEGER */
    ALL_ONES = 0xff,
    VERSION_1 = 0,
    MULTIPLE_BYTES = 0x1f, /* a tag of several bytes: not in SNMP */
};

/* --- reading ----------------------------------------------------------------------------------------- */

/* The content of the next value, whatever its tag. */
static Bytes rd_value(Reader *r, uint8_t *ret_tag)
{
    uint8_t tag = rd_u8(r), first = rd_u8(r);
    size_t length = first;

    if (first & LONG_LENGTH) {
        unsigned bytes = first & (LONG_LENGTH - 1);

        length = 0;
        r->bad = r->bad || bytes == 0 || bytes > LENGTH_BYTES_MAX;
        for (unsigned i = 0; i < bytes && !r->bad; i++)
            length = length << 8 | rd_u8(r);
    }
    r->bad = r->bad || (tag & MULTIPLE_BYTES) == MULTIPLE_BYTES;
    *ret_tag = tag;
    return rd_bytes(r, length);
}

static Bytes rd_tagged(Reader *r, uint8_t wanted)
{
    uint8_t tag;
    Bytes content = rd_value(r, &tag);

    r->bad = r->bad || tag != wanted;
    return content;
}

static int32_t rd_integer(Reader *r)
{
    Bytes content = rd_tagged(r, TAG_INTEGER);
    uint32_t value;

    r->bad = r->bad || content.n == 0 || content.n > INTEGER_BYTES_MAX;
    if (r->bad)
        return 0;
    value = content.p[0] & SIGN ? UINT32_MAX : 0;
    for (size_t i = 0; i < content.n; i++)
        value = value << 8 | content.p[i];
    return (int32_t)value;
}

static bool decode_bindings(Bytes in, SnmpMessage *message)
{
    Reader list = reader_over(in);

    while (reader_left(&list) > 0 && message->count < SNMP_BINDINGS_MAX) {
        SnmpBinding *binding = &message->bindings[message->count++];
        Reader one = reader_over(rd_tagged(&list, TAG_SEQUENCE));

        binding->object = rd_tagged(&one, TAG_OBJECT);
        binding->value = rd_value(&one, &binding->tag);
        if (list.bad || one.bad || reader_left(&one) > 0)
            return false;
    }
    return reader_left(&list) == 0 && !list.bad;
}

WireResult snmp_message_decode(Bytes datagram, SnmpMessage *ret_message)
{
    Reader whole = reader_over(datagram);
    Reader in = reader_over(rd_tagged(&whole, TAG_SEQUENCE));
    SnmpMessage message = { .count = 0 };
    int32_t version = rd_integer(&in);

    message.community = rd_tagged(&in, SNMP_TAG_TEXT);
    Reader pdu = reader_over(rd_value(&in, &message.pdu));
    if (whole.bad || in.bad || reader_left(&whole) > 0 || reader_left(&in) > 0 ||
        version != VERSION_1 || message.pdu < SNMP_PDU_GET || message.pdu > SNMP_PDU_SET)
        return WIRE_BROKEN;
    message.number = rd_integer(&pdu);
    message.status = rd_integer(&pdu);
    message.index = rd_integer(&pdu);
    Bytes bindings = rd_tagged(&pdu, TAG_SEQUENCE);
    if (pdu.bad || reader_left(&pdu) > 0 || !decode_bindings(bindings, &message))
        return WIRE_BROKEN;
    *ret_message = message;
    return WIRE_OK;
}

/* --- writing ----------------------------------------------------------------------------------------- */

static bool put_value(Buf *to, uint8_t tag, Bytes content)
{
    bool ok = buf_put_u8(to, tag);

    if (content.n < LONG_LENGTH)
        ok = ok && buf_put_u8(to, (uint8_t)content.n);
    else if (content.n <= UINT8_MAX)
        ok = ok && buf_put_u8(to, LONG_LENGTH | 1) && buf_put_u8(to, (uint8_t)content.n);
    else
        ok = ok && content.n <= UINT16_MAX && buf_put_u8(to, LONG_LENGTH | 2) &&
             buf_put_u16be(to, (uint16_t)content.n);
    return ok && buf_put(to, content);
}

/* In as few bytes as it needs. */
static bool put_integer(Buf *to, int32_t value)
{
    uint32_t bits = (uint32_t)value;
    uint8_t bytes[INTEGER_BYTES_MAX] = { (uint8_t)(bits >> 24), (uint8_t)(bits >> 16),
                                         (uint8_t)(bits >> 8), (uint8_t)bits };
    size_t skip = 0;

    while (skip + 1 < sizeof bytes && (bytes[skip] == 0 || bytes[skip] == ALL_ONES) &&
           ((bytes[skip] ^ bytes[skip + 1]) & SIGN) == 0)
        skip++;
    return put_value(to, TAG_INTEGER, (Bytes){ bytes + skip, sizeof bytes - skip });
}

static bool put_binding(Buf *to, const SnmpBinding *binding)
{
    AUTO_BUF one = buf_with_max(SNMP_DATAGRAM_MAX);

    return put_value(&one, TAG_OBJECT, binding->object) &&
           put_value(&one, binding->tag, binding->value) &&
           put_value(to, TAG_SEQUENCE, buf_bytes(&one));
}

bool snmp_message_encode(Buf *to, const SnmpMessage *message)
{
    AUTO_BUF list = buf_with_max(SNMP_DATAGRAM_MAX), pdu = buf_with_max(SNMP_DATAGRAM_MAX),
             whole = buf_with_max(SNMP_DATAGRAM_MAX);
    bool ok = put_integer(&pdu, message->number) && put_integer(&pdu, message->status) &&
              put_integer(&pdu, message->index);

    for (size_t i = 0; i < message->count && ok; i++)
        ok = put_binding(&list, &message->bindings[i]);
    return ok && put_value(&pdu, TAG_SEQUENCE, buf_bytes(&list)) &&
           put_integer(&whole, VERSION_1) && put_value(&whole, SNMP_TAG_TEXT, message->community) &&
           put_value(&whole, message->pdu, buf_bytes(&pdu)) &&
           put_value(to, TAG_SEQUENCE, buf_bytes(&whole));
}
