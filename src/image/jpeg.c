/* image/jpeg.c - see jpeg.h. */
#include "image/jpeg.h"

#include "base/cleanup.h"

#include <errno.h>
#include <unistd.h>

/* ITU-T T.81, table B.1. */
enum {
    M_SOF0 = 0xc0,
    M_SOF1 = 0xc1,
    M_SOF2 = 0xc2,
    M_SOF15 = 0xcf,
    M_DHT = 0xc4,
    M_JPG = 0xc8,
    M_DAC = 0xcc,
    M_RST0 = 0xd0,
    M_RST7 = 0xd7,
    M_SOI = 0xd8,
    M_EOI = 0xd9,
    M_SOS = 0xda,
    M_APP0 = 0xe0,
    M_APP14 = 0xee,
    M_TEM = 0x01,
    MARKER_PREFIX = 0xff,
    FIRST_STEP_BYTES = 4096, /* a scanner's headers are some 600 bytes */
};

/* JFIF 1.02: "JFIF\0", version, units (1 = per inch, 2 = per cm), X and Y density. */
static void read_jfif(Bytes segment, JpegFacts *facts)
{
    enum { PER_INCH = 1, PER_CM = 2 };
    Reader r = reader_over(segment);
    Bytes tag = rd_bytes(&r, 5);

    (void)rd_u16be(&r); /* version */
    uint8_t units = rd_u8(&r);
    uint32_t x = rd_u16be(&r), y = rd_u16be(&r);
    if (r.bad || memcmp(tag.p, "JFIF", 5) != 0 || (units != PER_INCH && units != PER_CM))
        return;
    if (units == PER_CM) { /* 1 inch = 2.54 cm, rounded */
        x = (x * 254 + 50) / 100;
        y = (y * 254 + 50) / 100;
    }
    if (x < JPEG_DPI_MIN || x > JPEG_DPI_MAX || y < JPEG_DPI_MIN || y > JPEG_DPI_MAX)
        return;
    facts->dpi_x = (uint16_t)x;
    facts->dpi_y = (uint16_t)y;
}

/* Adobe Technical Note 5116: "Adobe", version, flags0, flags1, transform. */
static void read_adobe(Bytes segment, JpegFacts *facts)
{
    Reader r = reader_over(segment);
    Bytes tag = rd_bytes(&r, 5);

    (void)rd_bytes(&r, 6);
    uint8_t transform = rd_u8(&r);
    if (r.bad || memcmp(tag.p, "Adobe", 5) != 0)
        return;
    facts->adobe = true;
    facts->adobe_transform = transform;
}

/* Whether luma has 1, 2 or 4 times the samples of a colour component. */
static bool is_multiple(uint8_t luma, uint8_t colour)
{
    return colour > 0 && (luma == colour || luma == 2 * colour || luma == 4 * colour);
}

/* The sampling factors of components (T.81, B.2.2): id, factors, table for each. */
static void read_sampling(Bytes components, JpegFacts *facts)
{
    enum { EACH = 3, COLOURS = 3 };
    uint8_t h[COLOURS], v[COLOURS];

    facts->sub_h = facts->sub_v = components.n == EACH ? 1 : 0;
    if (components.n != EACH * COLOURS)
        return;
    for (int i = 0; i < COLOURS; i++) {
        uint8_t factors = components.p[i * EACH + 1];

        h[i] = factors >> 4;
        v[i] = factors & 0x0f;
    }
    if (h[1] != h[2] || v[1] != v[2] || !is_multiple(h[0], h[1]) || !is_multiple(v[0], v[1]))
        return;
    facts->sub_h = h[0] / h[1];
    facts->sub_v = v[0] / v[1];
}

/* T.81, B.2.2: precision, lines, samples a line, components. */
static JpegScan read_frame(uint8_t marker, Bytes segment, JpegFacts *facts, Err *err)
{
    Reader r = reader_over(segment);
    uint8_t bits = rd_u8(&r);
    uint32_t height = rd_u16be(&r), width = rd_u16be(&r);
    uint8_t components = rd_u8(&r);

    Bytes each = rd_bytes(&r, (size_t)components * 3);
    if (r.bad) {
        err_set(err, ERR_BAD_INPUT, 0, "JPEG frame header is cut short");
        return JPEG_BROKEN;
    }
    if (marker != M_SOF0 && marker != M_SOF1 && marker != M_SOF2) {
        err_set(err, ERR_BAD_INPUT, 0,
                "JPEG is coded in a way PDF readers do not take (frame type %d)", marker - M_SOF0);
        return JPEG_BROKEN;
    }
    if (bits != 8 || (components != 1 && components != 3 && components != 4)) {
        err_set(err, ERR_BAD_INPUT, 0, "JPEG has %u components of %u bits, not 1, 3 or 4 of 8",
                components, bits);
        return JPEG_BROKEN;
    }
    if (width == 0 || height == 0) {
        err_set(err, ERR_BAD_INPUT, 0, "JPEG does not say its size (%u x %u)", width, height);
        return JPEG_BROKEN;
    }
    if ((uint64_t)width * height > JPEG_PIXELS_MAX) {
        err_set(err, ERR_BAD_INPUT, 0, "JPEG of %u x %u pixels has more than %d million", width,
                height, JPEG_PIXELS_MAX / 1000000);
        return JPEG_BROKEN;
    }
    facts->width_px = width;
    facts->height_px = height;
    facts->components = components;
    facts->progressive = marker == M_SOF2;
    read_sampling(each, facts);
    return JPEG_FOUND;
}

static bool is_frame(uint8_t marker)
{
    return marker >= M_SOF0 && marker <= M_SOF15 && marker != M_DHT && marker != M_JPG &&
           marker != M_DAC;
}

static bool stands_alone(uint8_t marker)
{
    return marker == M_TEM || marker == M_SOI || (marker >= M_RST0 && marker <= M_RST7);
}

/* The next marker code; fill bytes (0xff) before it are allowed (T.81, B.1.1.2). 0 = not here. */
static uint8_t next_marker(Reader *r)
{
    if (rd_u8(r) != MARKER_PREFIX)
        return 0;
    uint8_t marker = MARKER_PREFIX;
    while (marker == MARKER_PREFIX && !r->bad)
        marker = rd_u8(r);
    return marker;
}

/* One segment. JPEG_NEED_MORE also means "nothing decided, go on" when *r is not bad. */
static JpegScan scan_segment(Reader *r, JpegFacts *facts, Err *err)
{
    uint8_t marker = next_marker(r);

    if (r->bad)
        return JPEG_NEED_MORE;
    if (marker == 0) {
        err_set(err, ERR_BAD_INPUT, 0, "JPEG headers are damaged: no marker where one must be");
        return JPEG_BROKEN;
    }
    if (marker == M_SOS || marker == M_EOI) {
        err_set(err, ERR_BAD_INPUT, 0, "JPEG has no frame header before its picture");
        return JPEG_BROKEN;
    }
    if (stands_alone(marker))
        return JPEG_NEED_MORE;
    size_t length = rd_u16be(r);
    if (!r->bad && length < 2) {
        err_set(err, ERR_BAD_INPUT, 0, "JPEG headers are damaged: segment of %zu bytes", length);
        return JPEG_BROKEN;
    }
    Bytes segment = rd_bytes(r, length - 2);
    if (r->bad)
        return JPEG_NEED_MORE;
    if (marker == M_APP0)
        read_jfif(segment, facts);
    if (marker == M_APP14)
        read_adobe(segment, facts);
    return is_frame(marker) ? read_frame(marker, segment, facts, err) : JPEG_NEED_MORE;
}

JpegScan jpeg_scan(Bytes beginning, JpegFacts *ret_facts, Err *err)
{
    Reader r = reader_over(beginning);
    JpegFacts facts = { 0 };
    uint8_t first = rd_u8(&r), second = rd_u8(&r);

    if ((beginning.n > 0 && first != MARKER_PREFIX) || (beginning.n > 1 && second != M_SOI)) {
        err_set(err, ERR_BAD_INPUT, 0, "not a JPEG: it does not begin with ff d8");
        return JPEG_BROKEN;
    }
    while (!r.bad) {
        JpegScan found = scan_segment(&r, &facts, err);

        if (found == JPEG_FOUND)
            *ret_facts = facts;
        if (found != JPEG_NEED_MORE)
            return found;
    }
    return JPEG_NEED_MORE;
}

/* Reads on until head holds want bytes; *ret_end is set when the file ends before. */
static bool read_up_to(int fd, Buf *head, size_t want, bool *ret_end, Err *err)
{
    uint8_t *to = buf_reserve(head, want - head->n);

    if (!to)
        return err_set(err, ERR_TEMPORARY, 0, "no memory to read JPEG headers");
    while (head->n < want) {
        ssize_t n = pread(fd, head->p + head->n, want - head->n, (off_t)head->n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read");
        if (n == 0) {
            *ret_end = true;
            return true;
        }
        head->n += (size_t)n;
    }
    return true;
}

bool jpeg_read_facts(int fd, Buf *head, JpegFacts *ret_facts, Err *err)
{
    AUTO_BUF own = buf_with_max(JPEG_HEADERS_MAX);
    bool end = false;

    if (!head)
        head = &own;
    buf_clear(head);
    for (size_t want = FIRST_STEP_BYTES; want <= JPEG_HEADERS_MAX; want *= 4) {
        if (!read_up_to(fd, head, want, &end, err))
            return false;
        JpegScan found = jpeg_scan(buf_bytes(head), ret_facts, err);
        if (found != JPEG_NEED_MORE)
            return found == JPEG_FOUND;
        if (end)
            return err_set(err, ERR_BAD_INPUT, 0, "JPEG ends within its headers (%zu bytes)",
                           head->n);
    }
    return err_set(err, ERR_BAD_INPUT, 0, "JPEG has more than %d bytes of headers",
                   JPEG_HEADERS_MAX);
}
