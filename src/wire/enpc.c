/* wire/enpc.c - ENPC datagrams of wire/enpc.h. */
#include "wire/enpc.h"

#include "base/text.h"

static const char magic[] = "EPSON";

enum {
    CLASS_AT = 5,
    ECHO_AT = 6,
    MAC_AT = 14,
    NAME_AT = 56,
    ANSWER_BIT = 0x20, /* upper to lower case */
};

/* As SANE 1.2.1 sends it (backend/epson2.c). */
static const uint8_t query_p[] = { 'E', 'P', 'S', 'O', 'N', 'P', 0, 0xff, 0, 0, 0, 0, 0, 0, 0 };
/* As programs for receipt printers send it. */
static const uint8_t query_q[] = { 'E', 'P', 'S', 'O', 'N', 'Q', 3, 0, 0, 1, 0, 0, 0, 0 };

bool enpc_query_encode(Buf *to, EnpcClass class)
{
    return buf_put(to, class == ENPC_CLASS_Q ? (Bytes){ query_q, sizeof query_q }
                                             : (Bytes){ query_p, sizeof query_p });
}

WireResult enpc_query_decode(Bytes datagram, EnpcQuery *ret_query)
{
    EnpcQuery query = { 0 };

    if (datagram.n < ENPC_QUERY_SIZE_MIN || !bytes_start_with(datagram, magic) ||
        (datagram.p[CLASS_AT] != ENPC_CLASS_P && datagram.p[CLASS_AT] != ENPC_CLASS_Q))
        return WIRE_BROKEN;
    query.class = (EnpcClass)datagram.p[CLASS_AT];
    memcpy(query.echo, datagram.p + ECHO_AT, sizeof query.echo);
    *ret_query = query;
    return WIRE_OK;
}

static bool is_printable(uint8_t byte)
{
    return byte >= ' ' && byte <= '~';
}

/* Name and its padding; the last byte is always the NUL. */
static bool put_name(Buf *to, const char *name)
{
    for (const char *c = name; *c; c++)
        if (!is_printable((uint8_t)*c))
            return false;
    return buf_put_text(to, name) && buf_put_zeros(to, ENPC_ANSWER_Q_SIZE - NAME_AT - strlen(name));
}

bool enpc_answer_encode(Buf *to, const EnpcAnswer *answer)
{
    enum { HEAD_SIZE = ECHO_AT + ENPC_ECHO_SIZE };

    if (!buf_put_text(to, magic) || !buf_put_u8(to, (uint8_t)answer->class | ANSWER_BIT) ||
        !buf_put(to, (Bytes){ answer->echo, sizeof answer->echo }))
        return false;
    if (answer->class != ENPC_CLASS_Q)
        return buf_put_zeros(to, ENPC_ANSWER_P_SIZE - HEAD_SIZE);
    return buf_put_zeros(to, MAC_AT - HEAD_SIZE) &&
           buf_put(to, (Bytes){ answer->mac, sizeof answer->mac }) &&
           buf_put_zeros(to, NAME_AT - MAC_AT - ENPC_MAC_SIZE) && put_name(to, answer->name);
}

static void read_name(Bytes field, char ret_name[ENPC_NAME_SIZE])
{
    size_t n = 0;

    while (n < field.n && field.p[n] != 0) {
        if (!is_printable(field.p[n]))
            return;
        n++;
    }
    n = n < ENPC_NAME_SIZE ? n : ENPC_NAME_SIZE - 1;
    memcpy(ret_name, field.p, n);
    ret_name[n] = '\0';
}

WireResult enpc_answer_decode(Bytes datagram, EnpcAnswer *ret_answer)
{
    EnpcAnswer answer = { .class = ENPC_CLASS_P };

    if (datagram.n != ENPC_ANSWER_P_SIZE && datagram.n != ENPC_ANSWER_Q_SIZE)
        return WIRE_BROKEN;
    if (!bytes_start_with(datagram, datagram.n == ENPC_ANSWER_P_SIZE ? "EPSON" : "EPSONq"))
        return WIRE_BROKEN;
    memcpy(answer.echo, datagram.p + ECHO_AT, sizeof answer.echo);
    if (datagram.n == ENPC_ANSWER_Q_SIZE) {
        answer.class = ENPC_CLASS_Q;
        memcpy(answer.mac, datagram.p + MAC_AT, sizeof answer.mac);
        read_name(bytes_after(datagram, NAME_AT), answer.name);
    }
    *ret_answer = answer;
    return WIRE_OK;
}
