/* base/bytes.c - the growing buffer of bytes.h. */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_CAPACITY = 256 };

void buf_done(Buf *b)
{
    free(b->p);
    *b = (Buf){ .max = b->max };
}

void buf_clear(Buf *b)
{
    b->n = 0;
    b->failed = false;
}

uint8_t *buf_reserve(Buf *b, size_t n)
{
    if (b->failed || n > b->max - b->n) {
        b->failed = true;
        return NULL;
    }
    if (b->cap - b->n < n) {
        size_t cap = b->cap ? b->cap : BUF_FIRST_CAPACITY;

        while (cap - b->n < n)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        uint8_t *p = realloc(b->p, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

bool buf_put(Buf *b, Bytes bytes)
{
    if (bytes.n == 0)
        return !b->failed;
    uint8_t *to = buf_reserve(b, bytes.n);
    if (!to)
        return false;
    memcpy(to, bytes.p, bytes.n);
    b->n += bytes.n;
    return true;
}

bool buf_put_text(Buf *b, const char *text)
{
    return buf_put(b, bytes_of_text(text));
}

bool buf_put_u8(Buf *b, uint8_t v)
{
    return buf_put(b, (Bytes){ &v, 1 });
}

bool buf_put_u16be(Buf *b, uint16_t v)
{
    uint8_t raw[2] = { (uint8_t)(v >> 8), (uint8_t)v };

    return buf_put(b, (Bytes){ raw, sizeof raw });
}

bool buf_put_u24be(Buf *b, uint32_t v)
{
    uint8_t raw[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

    return buf_put(b, (Bytes){ raw, sizeof raw });
}

bool buf_put_u32be(Buf *b, uint32_t v)
{
    uint8_t raw[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

    return buf_put(b, (Bytes){ raw, sizeof raw });
}

bool buf_put_u32le(Buf *b, uint32_t v)
{
    return buf_put_u8(b, (uint8_t)v) && buf_put_u8(b, (uint8_t)(v >> 8)) &&
           buf_put_u8(b, (uint8_t)(v >> 16)) && buf_put_u8(b, (uint8_t)(v >> 24));
}

bool buf_put_zeros(Buf *b, size_t n)
{
    uint8_t *to = n ? buf_reserve(b, n) : NULL;

    if (!to)
        return !b->failed;
    memset(to, 0, n);
    b->n += n;
    return true;
}

bool buf_printf(Buf *b, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    uint8_t *to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (to) {
        (void)vsnprintf((char *)to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n; /* the NUL stays outside */
    } else {
        b->failed = true;
    }
    va_end(again);
    return to != NULL;
}

void buf_drop_front(Buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

const char *buf_text(Buf *b)
{
    uint8_t *end = b->n < b->max ? buf_reserve(b, 1) : NULL;

    if (!end || b->failed)
        return "";
    *end = '\0';
    return (const char *)b->p;
}
