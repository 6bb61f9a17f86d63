/* tests/fuzz/fuzz-is.c - any bytes as a row of IS packets, from the device and from the host.
 * Properties: never over-consumes, always progresses, what was read is written as it came but for the
 * two reserved bytes; passthru, lock and welcome survive a round. */
#include "wire/is.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_payload(Bytes payload)
{
    AUTO_BUF out = buf_with_max(IS_PAYLOAD_FROM_HOST_MAX * 2);
    uint32_t wanted, seconds;
    uint8_t family;
    Bytes command;

    if (is_passthru_decode(payload, &command, &wanted) == WIRE_OK) {
        if (!is_passthru_encode(&out, command, wanted) ||
            !bytes_equal(bytes_after(buf_bytes(&out), IS_HEADER_SIZE), payload))
            abort();
    }
    (void)is_welcome_decode(payload, &family);
    if (is_lock_decode(payload, &seconds) == WIRE_OK && payload.n > 0) {
        uint32_t again;

        buf_clear(&out);
        if (!is_lock_encode(&out, seconds) ||
            is_lock_decode(bytes_after(buf_bytes(&out), IS_HEADER_SIZE), &again) != WIRE_OK ||
            again != seconds)
            abort();
    }
    if (payload.n > 0)
        (void)is_event_name(payload.p[0]);
}

static void try_packets(Bytes in, uint32_t payload_max)
{
    enum { RESERVED = 2 };
    IsHeader header;
    Bytes payload;
    size_t used;

    while (is_packet_decode(in, payload_max, &header, &payload, &used) == WIRE_OK) {
        AUTO_BUF out = buf_with_max(1 << 21);

        if (used != IS_HEADER_SIZE + payload.n || used > in.n || payload.n > payload_max)
            abort();
        if (!is_packet_encode(&out, (IsType)header.type, header.flags, payload) || out.n != used ||
            memcmp(out.p, in.p, IS_HEADER_SIZE - RESERVED) != 0)
            abort();
        try_payload(payload);
        in = bytes_after(in, used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes in = { data, size };

    try_packets(in, IS_PAYLOAD_FROM_DEVICE_MAX);
    try_packets(in, IS_PAYLOAD_FROM_HOST_MAX);
    return 0;
}
