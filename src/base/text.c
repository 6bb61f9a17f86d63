/* base/text.c - see text.h. */
#include "base/text.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>

/* Length of the longest prefix of at most n bytes that ends between two characters. */
static size_t whole_characters(const char *text, size_t n)
{
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

bool text_copy(char *to, size_t size, const char *text)
{
    size_t n = strlen(text);
    bool fits = n < size;

    if (!fits)
        n = whole_characters(text, size - 1);
    memcpy(to, text, n);
    to[n] = '\0';
    return fits;
}

bool text_copy_bytes(char *to, size_t size, Bytes bytes)
{
    size_t n = bytes.n ? strnlen((const char *)bytes.p, bytes.n) : 0;
    bool fits = n == bytes.n && n < size;

    if (n >= size)
        n = whole_characters((const char *)bytes.p, size - 1);
    if (n > 0)
        memcpy(to, bytes.p, n);
    to[n] = '\0';
    return fits;
}

bool text_printf(char *to, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(to, size, fmt, args);
    va_end(args);
    return n >= 0 && (size_t)n < size;
}

/* What no shell gives a meaning to, wherever it stands in a word. */
static bool is_plain_word(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "@%+:,./_-";

    return text[0] && strspn(text, plain) == strlen(text);
}

bool text_shell(char *to, size_t size, const char *text)
{
    static const char quote[] = "'\\''"; /* ends the quotes, one escaped, and begins them again */
    size_t n = 0;

    if (is_plain_word(text) && text_copy(to, size, text))
        return true;
    to[n++] = '\'';
    for (const char *c = text; *c; c++) {
        const char *piece = *c == '\'' ? quote : c;
        size_t length = *c == '\'' ? sizeof quote - 1 : 1;

        if (n + length + 2 > size) { /* and the last quote and NUL */
            (void)text_copy(to, size, "''");
            return false;
        }
        memcpy(to + n, piece, length);
        n += length;
    }
    to[n++] = '\'';
    to[n] = '\0';
    return true;
}

bool text_equal(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool bytes_equal_nocase(Bytes a, const char *text)
{
    if (a.n != strlen(text))
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower((char)a.p[i]) != ascii_lower(text[i]))
            return false;
    return true;
}

bool text_equal_nocase(const char *a, const char *b)
{
    return a && b && bytes_equal_nocase(bytes_of_text(a), b);
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* Length of the UTF-8 character at p (n bytes left), 0 when malformed. RFC 3629, section 4. */
static size_t utf8_character(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t lead_min, lead_max, next_min, next_max, length;
    } forms[] = {
        { 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    for (size_t f = 0; f < COUNT_OF(forms); f++) {
        size_t length = forms[f].length;

        if (p[0] < forms[f].lead_min || p[0] > forms[f].lead_max)
            continue;
        if (length > n || (length > 1 && (p[1] < forms[f].next_min || p[1] > forms[f].next_max)))
            return 0;
        for (size_t i = 2; i < length; i++)
            if ((p[i] & 0xc0) != 0x80)
                return 0;
        return length;
    }
    return 0;
}

bool text_is_utf8(Bytes bytes)
{
    for (size_t at = 0; at < bytes.n;) {
        size_t length = utf8_character(bytes.p + at, bytes.n - at);

        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

size_t text_length(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

bool text_has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

bool bytes_to_int(Bytes bytes, int64_t min, int64_t max, int64_t *ret_value)
{
    bool negative = bytes.n > 0 && bytes.p[0] == '-';
    int64_t value = 0;

    if (bytes.n == (size_t)negative)
        return false;
    for (size_t i = negative; i < bytes.n; i++) {
        int digit = bytes.p[i] - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) /* negative holds one value more */
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    if (value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

bool text_to_int(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    return bytes_to_int(bytes_of_text(text), min, max, ret_value);
}

bool text_next_word(const char **at, const char *between, Bytes *ret_word)
{
    const char *word = *at + strspn(*at, between);
    size_t n = strcspn(word, between);

    *at = word + n;
    if (n > 0)
        *ret_word = (Bytes){ (const uint8_t *)word, n };
    return n > 0;
}

Bytes bytes_trimmed(Bytes text, const char *blanks)
{
    size_t n = strlen(blanks);

    while (text.n > 0 && memchr(blanks, text.p[0], n))
        text = bytes_after(text, 1);
    while (text.n > 0 && memchr(blanks, text.p[text.n - 1], n))
        text.n--;
    return text;
}

Bytes bytes_take_until(Bytes *rest, char separator)
{
    const uint8_t *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    Bytes part = { rest->p, at ? (size_t)(at - rest->p) : rest->n };

    *rest = bytes_after(*rest, at ? part.n + 1 : rest->n);
    return part;
}

bool bytes_take_line(Bytes *rest, Bytes *ret_line)
{
    if (rest->n == 0 || !memchr(rest->p, '\n', rest->n))
        return false;
    *ret_line = bytes_take_until(rest, '\n');
    if (ret_line->n > 0 && ret_line->p[ret_line->n - 1] == '\r')
        ret_line->n--;
    return true;
}

void text_make_printable(char *text)
{
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

void text_hex(char *to, Bytes bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.n; i++) {
        *to++ = digits[bytes.p[i] >> 4];
        *to++ = digits[bytes.p[i] & 0xf];
    }
    *to = '\0';
}

bool text_put_hex(Buf *out, Bytes bytes)
{
    uint8_t *to = buf_reserve(out, 2 * bytes.n + 1);

    if (!to)
        return false;
    text_hex((char *)to, bytes);
    out->n += 2 * bytes.n;
    return true;
}

static int hex_value(char c)
{
    c = ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_unhex(const char *text, uint8_t *ret_bytes, size_t n)
{
    if (strlen(text) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_value(text[2 * i]), lo = hex_value(text[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        ret_bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

enum { NEAREST_WORD_MAX = 64 };

/* Levenshtein distance of two short words, two rows at a time. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[NEAREST_WORD_MAX + 1];

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = diagonal + (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));

            diagonal = row[j];
            if (row[j] + 1 < change)
                change = row[j] + 1;
            if (row[j - 1] + 1 < change)
                change = row[j - 1] + 1;
            row[j] = change;
        }
    }
    return row[b_length];
}

const char *text_nearest(const char *word, const char *const *candidates)
{
    size_t length = strlen(word), best_distance = NEAREST_WORD_MAX;
    const char *best = NULL;

    if (length == 0 || length > NEAREST_WORD_MAX)
        return NULL;
    for (; *candidates; candidates++) {
        size_t n = strlen(*candidates);

        if (n == 0 || n > NEAREST_WORD_MAX)
            continue;
        size_t distance = edit_distance(word, length, *candidates, n);
        if (distance < best_distance && distance <= (n > length ? n : length) / 3 + 1) {
            best = *candidates;
            best_distance = distance;
        }
    }
    return best;
}
