/* base/bytes.h - borrowed views of bytes, a reading cursor and a bounded growing buffer.
 *
 * Bytes never owns. Reader and Buf have a sticky failure: do everything, check once. */
#ifndef PLATEN_BASE_BYTES_H
#define PLATEN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Bytes {
    const uint8_t *p;
    size_t n;
} Bytes;

/* View of a NUL-terminated text, without its NUL. */
static inline Bytes bytes_of_text(const char *text)
{
    return (Bytes){ (const uint8_t *)text, strlen(text) };
}

static inline bool bytes_equal(Bytes a, Bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_equal_text(Bytes a, const char *text)
{
    return bytes_equal(a, bytes_of_text(text));
}

static inline bool bytes_start_with(Bytes a, const char *text)
{
    size_t n = strlen(text);

    return a.n >= n && memcmp(a.p, text, n) == 0;
}

/* The rest of in after its first n bytes; empty when there are fewer. */
static inline Bytes bytes_after(Bytes in, size_t n)
{
    return n < in.n ? (Bytes){ in.p + n, in.n - n } : (Bytes){ in.p, 0 };
}

/* Cursor over received bytes. After the first short read, bad stays true and reads give 0. */
typedef struct Reader {
    const uint8_t *at, *end;
    bool bad;
} Reader;

static inline Reader reader_over(Bytes in)
{
    return (Reader){ .at = in.p, .end = in.n ? in.p + in.n : in.p };
}

static inline size_t reader_left(const Reader *r)
{
    return r->bad ? 0 : (size_t)(r->end - r->at);
}

/* Moves n bytes on and gives where they begin; NULL (and bad) when there are fewer. The numbers below
 * are big-endian. */
static inline const uint8_t *rd_skip(Reader *r, size_t n)
{
    if (r->bad || (size_t)(r->end - r->at) < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *here = r->at;
    if (n > 0)
        r->at += n;
    return here;
}

static inline uint8_t rd_u8(Reader *r)
{
    const uint8_t *p = rd_skip(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t rd_u16be(Reader *r)
{
    const uint8_t *p = rd_skip(r, 2);

    if (!p)
        return 0;
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rd_u24be(Reader *r)
{
    const uint8_t *p = rd_skip(r, 3);

    return p ? (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2] : 0;
}

static inline uint32_t rd_u32be(Reader *r)
{
    const uint8_t *p = rd_skip(r, 4);

    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

/* The only little-endian one: ESC/I. */
static inline uint32_t rd_u32le(Reader *r)
{
    const uint8_t *p = rd_skip(r, 4);

    return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : 0;
}

/* The next n bytes, borrowed from the input. */
static inline Bytes rd_bytes(Reader *r, size_t n)
{
    const uint8_t *p = rd_skip(r, n);
    return (Bytes){ .p = p, .n = p ? n : 0 };
}

/* Growing buffer that cannot be made without a maximum. When the maximum is reached or memory is
 * gone, failed becomes true and stays so until buf_clear(); nothing is written past it. */
typedef struct Buf {
    uint8_t *p;
    size_t n, cap, max;
    bool failed;
} Buf;

/* A Buf that holds at most max_bytes; allocates nothing yet. */
static inline Buf buf_with_max(size_t max_bytes)
{
    return (Buf){ .max = max_bytes };
}

#define AUTO_BUF __attribute__((cleanup(buf_done))) Buf

void buf_done(Buf *b);                       /* frees; b may be used again afterwards          */
void buf_clear(Buf *b);                      /* empties, keeps the memory, resets failed       */
bool buf_put(Buf *b, Bytes bytes);           /* appends; false when failed                     */
bool buf_put_text(Buf *b, const char *text); /* appends without the NUL                        */
bool buf_put_u8(Buf *b, uint8_t v);          /* the numbers append big-endian                  */
bool buf_put_u16be(Buf *b, uint16_t v);
bool buf_put_u24be(Buf *b, uint32_t v);
bool buf_put_u32be(Buf *b, uint32_t v);
bool buf_put_u32le(Buf *b, uint32_t v); /* but for this one                               */
bool buf_put_zeros(Buf *b, size_t n);
bool buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(Buf *b, size_t n); /* removes the first n bytes (all when fewer)     */

/* Room for at least n more bytes at b->p + b->n, for a read(2); the caller adds to b->n what it
 * filled. NULL when that would pass the maximum (failed is then set). */
uint8_t *buf_reserve(Buf *b, size_t n);

/* The content as NUL-terminated text; "" when empty or failed. Borrowed until the next change. */
const char *buf_text(Buf *b);

static inline Bytes buf_bytes(const Buf *b)
{
    return (Bytes){ b->p, b->n };
}

#endif
