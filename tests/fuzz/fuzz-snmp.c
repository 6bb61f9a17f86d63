/* tests/fuzz/fuzz-snmp.c - any datagram as SNMP, and as a question to a scanner with a button. Properties: what was read is
 * written back as a message that reads the same again; a scanner's name stays text; its answer is a response that nobody
 * answers. */
#include "base/text.h"
#include "mfp/snmp-answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const SnmpMessage *a, const SnmpMessage *b)
{
    bool ok = bytes_equal(a->community, b->community) && a->pdu == b->pdu &&
              a->number == b->number && a->status == b->status && a->index == b->index &&
              a->count == b->count;

    for (size_t i = 0; ok && i < a->count; i++)
        ok = bytes_equal(a->bindings[i].object, b->bindings[i].object) &&
             a->bindings[i].tag == b->bindings[i].tag &&
             bytes_equal(a->bindings[i].value, b->bindings[i].value);
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SnmpAnswerer scanner = { .host = "Platen", .community = "epson" };
    AUTO_BUF out = buf_with_max(SNMP_DATAGRAM_MAX), answer = buf_with_max(SNMP_DATAGRAM_MAX),
             none = buf_with_max(SNMP_DATAGRAM_MAX);
    Bytes in = { data, size };
    SnmpMessage message, again;
    bool set;

    if (snmp_message_decode(in, &message) == WIRE_OK && snmp_message_encode(&out, &message)) {
        if (snmp_message_decode(buf_bytes(&out), &again) != WIRE_OK)
            abort();
        same(&message, &again);
    }
    if (!snmp_answerer_feed(&scanner, in, &answer, &set))
        return 0;
    if (snmp_message_decode(buf_bytes(&answer), &again) != WIRE_OK ||
        again.pdu != SNMP_PDU_RESPONSE || again.number != message.number ||
        snmp_answerer_feed(&scanner, buf_bytes(&answer), &none, &set))
        abort();
    if (!text_is_utf8(bytes_of_text(scanner.host)) || text_has_control(scanner.host))
        abort();
    return 0;
}
