/* wire/is.c - IS packets of wire/is.h. */
#include "wire/is.h"

#include "base/cleanup.h"

enum {
    IS_OFFSET_AT = 5,
    IS_LOCK_SIZE = 7,
    IS_LOCK_BYTE_0 = 0x01, /* seen in every capture; the parts have no known meaning */
    IS_LOCK_BYTE_1 = 0xa0,
    IS_LOCK_BYTE_2 = 0x04,
    IS_WELCOME_SIZE = 5,
};

WireResult is_header_decode(Bytes in, uint32_t payload_max, IsHeader *ret_header)
{
    Reader r = reader_over(in);

    if ((in.n > 0 && in.p[0] != 'I') || (in.n > 1 && in.p[1] != 'S') ||
        (in.n > IS_OFFSET_AT && in.p[IS_OFFSET_AT] != IS_HEADER_SIZE))
        return WIRE_BROKEN;
    (void)rd_u16be(&r); /* the magic, seen above */
    IsHeader header = { .type = rd_u16be(&r) };
    header.flags = rd_u8(&r);
    (void)rd_u8(&r); /* the offset, seen above */
    header.length = rd_u32be(&r);
    if (!r.bad && header.length > payload_max)
        return WIRE_BROKEN;
    (void)rd_u16be(&r);
    if (r.bad)
        return WIRE_NEED_MORE;
    *ret_header = header;
    return WIRE_OK;
}

WireResult is_packet_decode(Bytes in, uint32_t payload_max, IsHeader *ret_header,
                            Bytes *ret_payload, size_t *ret_used)
{
    IsHeader header;
    WireResult result = is_header_decode(in, payload_max, &header);

    if (result != WIRE_OK)
        return result;
    Bytes rest = bytes_after(in, IS_HEADER_SIZE);
    if (rest.n < header.length)
        return WIRE_NEED_MORE;
    *ret_header = header;
    *ret_payload = (Bytes){ rest.p, header.length };
    *ret_used = IS_HEADER_SIZE + (size_t)header.length;
    return WIRE_OK;
}

static bool put_header(Buf *to, IsType type, uint8_t flags, size_t length)
{
    return length <= UINT32_MAX && buf_put_text(to, "IS") && buf_put_u16be(to, (uint16_t)type) &&
           buf_put_u8(to, flags) && buf_put_u8(to, IS_HEADER_SIZE) &&
           buf_put_u32be(to, (uint32_t)length) && buf_put_u16be(to, 0);
}

bool is_packet_encode(Buf *to, IsType type, uint8_t flags, Bytes payload)
{
    return put_header(to, type, flags, payload.n) && buf_put(to, payload);
}

bool is_passthru_encode(Buf *to, Bytes command, uint32_t wanted)
{
    return command.n <= IS_PAYLOAD_FROM_HOST_MAX - IS_DATA_HEADER_SIZE &&
           put_header(to, IS_PASSTHRU, 0, IS_DATA_HEADER_SIZE + command.n) &&
           buf_put_u32be(to, (uint32_t)command.n) && buf_put_u32be(to, wanted) &&
           buf_put(to, command);
}

WireResult is_passthru_decode(Bytes payload, Bytes *ret_command, uint32_t *ret_wanted)
{
    Reader r = reader_over(payload);
    uint32_t length = rd_u32be(&r), wanted = rd_u32be(&r);

    if (r.bad || length != payload.n - IS_DATA_HEADER_SIZE)
        return WIRE_BROKEN;
    *ret_command = rd_bytes(&r, length);
    *ret_wanted = wanted;
    return WIRE_OK;
}

bool is_lock_encode(Buf *to, uint32_t seconds)
{
    return put_header(to, IS_LOCK, 0, IS_LOCK_SIZE) && buf_put_u8(to, IS_LOCK_BYTE_0) &&
           buf_put_u8(to, IS_LOCK_BYTE_1) && buf_put_u8(to, IS_LOCK_BYTE_2) &&
           buf_put_u32be(to, seconds);
}

WireResult is_lock_decode(Bytes payload, uint32_t *ret_seconds)
{
    Reader r = reader_over(payload);

    if (payload.n == 0) {
        *ret_seconds = 0;
        return WIRE_OK;
    }
    (void)rd_skip(&r, IS_LOCK_SIZE - sizeof(uint32_t));
    uint32_t seconds = rd_u32be(&r);
    if (payload.n != IS_LOCK_SIZE)
        return WIRE_BROKEN;
    *ret_seconds = seconds;
    return WIRE_OK;
}

/* "JOBW" and what follows, as captured: one job with the name "Dummy" in UTF-16 LE. */
static const uint8_t job_write[] = {
    'J', 'O', 'B', 'W', 0, 0,   0, 0,   0, 0,   0, 0,   0, 0,   0, 0, 0, 0, 0, 0, 1, 26, 24, 0, 0,
    0,   0,   10,  0,   0, 'D', 0, 'u', 0, 'm', 0, 'm', 0, 'y', 0, 3, 0, 0, 0, 2, 0, 0,  2,  1, 0,
};
static const uint8_t job_read[] = { 'J', 'O', 'B', 'R' };

bool is_job_encode(Buf *to, IsJobCommand command)
{
    bool is_write = command == IS_JOB_WRITE;
    Bytes bytes = is_write ? (Bytes){ job_write, sizeof job_write }
                           : (Bytes){ job_read, sizeof job_read };

    return put_header(to, IS_JOB_CONTROL, 0, IS_DATA_HEADER_SIZE + bytes.n) &&
           buf_put_u32be(to, (uint32_t)bytes.n) &&
           buf_put_u32be(to, is_write ? 0 : IS_JOB_READ_REPLY_SIZE) && buf_put(to, bytes);
}

WireResult is_job_decode(Bytes payload, IsJobCommand *ret_command, Bytes *ret_list)
{
    Bytes command;
    uint32_t wanted;

    if (is_passthru_decode(payload, &command, &wanted) != WIRE_OK)
        return WIRE_BROKEN;
    if (bytes_equal_text(command, "JOBR") && wanted == IS_JOB_READ_REPLY_SIZE)
        *ret_command = IS_JOB_READ;
    else if (bytes_start_with(command, "JOBW") && wanted == 0)
        *ret_command = IS_JOB_WRITE;
    else
        return WIRE_BROKEN;
    *ret_list = bytes_after(command, sizeof job_read);
    return WIRE_OK;
}

bool is_welcome_encode(Buf *to, uint8_t flags, uint8_t family)
{
    return put_header(to, IS_WELCOME, flags, IS_WELCOME_SIZE) && buf_put_u8(to, 1) &&
           buf_put_u8(to, family) && buf_put_zeros(to, IS_WELCOME_SIZE - 2);
}

WireResult is_welcome_decode(Bytes payload, uint8_t *ret_family)
{
    Reader r = reader_over(payload);

    (void)rd_u8(&r);
    uint8_t family = rd_u8(&r);
    if (r.bad)
        return WIRE_BROKEN;
    *ret_family = family;
    return WIRE_OK;
}

const char *is_event_name(uint8_t code)
{
    static const struct {
        uint8_t code;
        const char *name;
    } names[] = {
        { IS_EVENT_START, "start" },      { IS_EVENT_DISCONNECT, "disconnect" },
        { IS_EVENT_CANCEL, "cancel" },    { IS_EVENT_STOP, "stop" },
        { IS_EVENT_TIMEOUT, "time-out" }, { IS_EVENT_REJECTED, "rejected" },
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].code == code)
            return names[i].name;
    return "unknown";
}
