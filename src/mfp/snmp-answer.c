/* mfp/snmp-answer.c - see snmp-answer.h. */
#include "mfp/snmp-answer.h"

#include "base/text.h"

/* 1.3.6.1.4.1.1248.1.1.3.1.10.2.5.0 */
static const uint8_t paired_host[] = { 0x2b, 6, 1, 4, 1, 0x89, 0x60, 1, 1, 3, 1, 10, 2, 5, 0 };

/* A name that this device can hold: text without control characters, as long as the registration's may be. */
static bool is_host(const SnmpBinding *binding)
{
    char name[SLP_NAME_SIZE];

    return binding->tag == SNMP_TAG_TEXT && text_is_utf8(binding->value) &&
           text_copy_bytes(name, sizeof name, binding->value) && !text_has_control(name);
}

/* The next number of an object's id, base 128 with a bit that says "goes on"; false at the end. Longer than known
 * ones: the highest bits are lost. */
static bool next_arc(Bytes *rest, uint64_t *ret_arc)
{
    enum { GOES_ON = 0x80, BITS = 7 };

    *ret_arc = 0;
    for (size_t i = 0; i < rest->n; i++) {
        *ret_arc = *ret_arc << BITS | (rest->p[i] & (GOES_ON - 1));
        if (rest->p[i] & GOES_ON)
            continue;
        *rest = bytes_after(*rest, i + 1);
        return true;
    }
    return false;
}

/* Is the object before ours in a walk? */
static bool is_before(Bytes object)
{
    Bytes ours = { paired_host, sizeof paired_host };
    uint64_t a, b;

    while (next_arc(&ours, &b)) {
        if (!next_arc(&object, &a))
            return true;
        if (a != b)
            return a < b;
    }
    return false;
}

/* What is to be said of one binding. Nothing follows the only object, so GETNEXT finds it from any object before it. */
static SnmpStatus judge(const SnmpMessage *request, const SnmpBinding *binding)
{
    if (request->pdu == SNMP_PDU_GET_NEXT)
        return is_before(binding->object) ? SNMP_NO_ERROR : SNMP_NO_SUCH_NAME;
    if (!bytes_equal(binding->object, (Bytes){ paired_host, sizeof paired_host }))
        return SNMP_NO_SUCH_NAME;
    return request->pdu == SNMP_PDU_SET && !is_host(binding) ? SNMP_BAD_VALUE : SNMP_NO_ERROR;
}

bool snmp_answerer_feed(SnmpAnswerer *answerer, Bytes datagram, Buf *answer, bool *ret_set)
{
    SnmpMessage message;

    *ret_set = false;
    if (snmp_message_decode(datagram, &message) != WIRE_OK || message.pdu == SNMP_PDU_RESPONSE ||
        !bytes_equal_text(message.community, answerer->community))
        return false;
    message.status = message.index = 0;
    for (size_t i = 0; i < message.count && message.status == SNMP_NO_ERROR; i++) {
        message.status = (int32_t)judge(&message, &message.bindings[i]);
        message.index = message.status == SNMP_NO_ERROR ? 0 : (int32_t)i + 1;
    }
    *ret_set = message.pdu == SNMP_PDU_SET && message.status == SNMP_NO_ERROR && message.count > 0;
    if (*ret_set) /* each of several names the only object: the last one stays */
        (void)text_copy_bytes(answerer->host, sizeof answerer->host,
                              message.bindings[message.count - 1].value);
    message.pdu = SNMP_PDU_RESPONSE;
    for (size_t i = 0; i < message.count && message.status == SNMP_NO_ERROR; i++)
        message.bindings[i] = (SnmpBinding){ { paired_host, sizeof paired_host },
                                             SNMP_TAG_TEXT,
                                             bytes_of_text(answerer->host) };
    buf_clear(answer);
    return snmp_message_encode(answer, &message);
}
