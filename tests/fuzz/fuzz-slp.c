/* tests/fuzz/fuzz-slp.c - any datagram as request and as reply. Properties: what was read points into
 * the input; what was read is written back, and reads the same again; an entry survives a round. */
#include "base/text.h"
#include "wire/slp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(Bytes field, Bytes in)
{
    if (field.n > 0 && (field.p < in.p || field.p + field.n > in.p + in.n))
        abort();
}

static void try_request(Bytes in)
{
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);
    SlpRequest request, again;

    if (slp_request_decode(in, &request) != WIRE_OK)
        return;
    check_inside(request.url, in);
    check_inside(request.spi, in);
    (void)slp_list_has(request.previous_responders, "10.0.0.1");
    if (!slp_request_encode(&request, &out) || out.n > in.n ||
        slp_request_decode(buf_bytes(&out), &again) != WIRE_OK ||
        !bytes_equal(again.tags, request.tags) || again.xid != request.xid)
        abort();
}

static void try_reply(Bytes in)
{
    AUTO_BUF list = buf_with_max(SLP_DATAGRAM_MAX);
    SlpEntry entry, again;
    SlpReply reply;

    if (slp_reply_decode(in, &reply) != WIRE_OK)
        return;
    check_inside(reply.attributes, in);
    if (slp_entry_decode(reply.attributes, &entry) != WIRE_OK)
        return;
    if (!slp_entry_encode(&entry, &list)) {
        if (slp_name_is_plain(entry.name))
            abort();
        return;
    }
    if (slp_entry_decode(buf_bytes(&list), &again) != WIRE_OK ||
        !text_equal(again.name, entry.name) || !text_equal(again.address, entry.address) ||
        again.event_port != entry.event_port)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes in = { data, size };

    try_request(in);
    try_reply(in);
    return 0;
}
