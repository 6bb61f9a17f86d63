/* json/parse.c - one JSON text (RFC 8259) into a tree.
 *
 * Recursive descent; the recursion is bounded by JSON_DEPTH_MAX, memory by JSON_VALUES_MAX. Errors
 * name line and column and what was expected there. */
#include "json/tree.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ESCAPE_DIGITS = 4, WORD_MAX = 16 };

typedef struct Parser {
    const uint8_t *start, *at, *end;
    size_t depth, values;
    Err *err;
} Parser;

static Json *parse_value(Parser *p);

/* Records what is wrong at a place of the text. Returns false. */
__attribute__((format(printf, 3, 4))) static bool fail_at(Parser *p, const uint8_t *at,
                                                          const char *fmt, ...)
{
    char what[sizeof p->err->text];
    size_t line = 1, column = 1;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    for (const uint8_t *c = p->start; c < at; c++) {
        if (*c == '\n') {
            line++;
            column = 1;
        } else {
            column += (*c & 0xc0) != 0x80;
        }
    }
    return err_set(p->err, ERR_BAD_INPUT, 0, "line %zu, column %zu: %s", line, column, what);
}

/* "expected X, found Y" at the present place. Returns false. */
static bool fail_expected(Parser *p, const char *expected)
{
    if (p->at == p->end)
        return fail_at(p, p->at, "expected %s, but the text ends here", expected);
    if (*p->at < ' ' || *p->at >= 0x7f)
        return fail_at(p, p->at, "expected %s", expected);
    return fail_at(p, p->at, "expected %s, found '%c'", expected, *p->at);
}

static void skip_blanks(Parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
        p->at++;
}

/* Takes the character c, after blanks. False when something else is there. */
static bool take(Parser *p, char c)
{
    skip_blanks(p);
    if (p->at == p->end || *p->at != (uint8_t)c)
        return false;
    p->at++;
    return true;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* true, false, null; the nearest of them is named when the word is something else. */
static Json *parse_word(Parser *p)
{
    static const char *const words[] = { "true", "false", "null", NULL };
    const uint8_t *from = p->at, *end = from;
    char word[WORD_MAX];

    while (end < p->end && is_letter(*end))
        end++;
    if (text_copy_bytes(word, sizeof word, (Bytes){ from, (size_t)(end - from) })) {
        for (size_t i = 0; words[i]; i++) {
            if (!text_equal(word, words[i]))
                continue;
            Json *value = json_node_new(words[i][0] == 'n' ? JSON_NULL_VALUE : JSON_BOOL);
            if (value)
                value->boolean = words[i][0] == 't';
            else
                json_no_memory(p->err);
            p->at = end;
            return value;
        }
    }
    const char *near = text_nearest(word, words);
    if (near)
        fail_at(p, from, "expected a value, found %s; did you mean %s?", word, near);
    else
        fail_at(p, from, "expected a value, found %s; texts stand in double quotes", word);
    return NULL;
}

static Json *parse_number(Parser *p)
{
    Bytes rest = { p->at, (size_t)(p->end - p->at) };
    size_t n = json_number_length(rest);
    Json *number = NULL;

    if (n == 0 || (n < rest.n && (is_letter(rest.p[n]) || rest.p[n] == '.'))) {
        fail_at(p, p->at, "not a number as JSON writes it, such as 12, -3 or 1.5");
        return NULL;
    }
    if (!json_node_number((Bytes){ rest.p, n }, &number) || !number) {
        json_no_memory(p->err);
        return NULL;
    }
    p->at += n;
    return number;
}

/* The four hexadecimal digits after \u. False when they are not there. */
static bool parse_hex4(Parser *p, uint32_t *ret_unit)
{
    uint8_t raw[ESCAPE_DIGITS / 2];
    char digits[ESCAPE_DIGITS + 1];

    if (p->end - p->at < ESCAPE_DIGITS ||
        !text_copy_bytes(digits, sizeof digits, (Bytes){ p->at, ESCAPE_DIGITS }) ||
        !text_unhex(digits, raw, sizeof raw))
        return false;
    p->at += ESCAPE_DIGITS;
    *ret_unit = (uint32_t)raw[0] << 8 | raw[1];
    return true;
}

/* The character of \uXXXX, or of a pair of them above U+FFFF (RFC 8259, section 7). */
static bool parse_unicode_escape(Parser *p, uint32_t *ret_character)
{
    const uint8_t *from = p->at - 2;
    uint32_t high, low;

    if (!parse_hex4(p, &high))
        return fail_at(p, from, "\\u needs four hexadecimal digits");
    if (high == 0)
        return fail_at(p, from, "the character NUL is not allowed in a text");
    *ret_character = high;
    if (high < 0xd800 || high > 0xdfff)
        return true;
    bool pair = high < 0xdc00 && p->end - p->at >= 2 && p->at[0] == '\\' && p->at[1] == 'u';
    if (pair)
        p->at += 2;
    if (!pair || !parse_hex4(p, &low) || low < 0xdc00 || low > 0xdfff)
        return fail_at(p, from, "half of a surrogate pair; write both halves, or the character");
    *ret_character = 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* One escape, the backslash already taken. *to is advanced. */
static bool parse_escape(Parser *p, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    uint8_t c = p->at < p->end ? *p->at++ : 0;
    const char *name = c ? strchr(names, c) : NULL;
    uint32_t character = 0;

    if (name) {
        *(*to)++ = values[name - names];
        return true;
    }
    if (c != 'u')
        return fail_at(p, p->at - (c != 0),
                       "unknown escape after \\; a backslash itself is written \\\\");
    if (!parse_unicode_escape(p, &character))
        return false;
    *to = put_utf8(*to, character);
    return true;
}

/* The place of the quote that ends the text which starts at p->at, NULL when there is none. */
static const uint8_t *closing_quote(const Parser *p)
{
    for (const uint8_t *c = p->at; c < p->end; c++) {
        if (*c == '"')
            return c;
        if (*c == '\\')
            c++;
    }
    return NULL;
}

/* A text; its opening quote is at the present place. Owned by the caller. */
static char *parse_text(Parser *p)
{
    const uint8_t *from = p->at++, *quote = closing_quote(p);

    if (!quote) {
        fail_at(p, from, "this text has no closing double quote");
        return NULL;
    }
    char *text = malloc((size_t)(quote - p->at) + 1); /* decoding never makes a text longer */
    char *to = text;
    if (!text) {
        json_no_memory(p->err);
        return NULL;
    }
    while (p->at < quote) {
        uint8_t c = *p->at++;
        bool good = true;

        if (c < ' ')
            good = fail_at(p, p->at - 1,
                           "a line break or other control character in a text; write it as \\n");
        else if (c == '\\')
            good = parse_escape(p, &to);
        else
            *to++ = (char)c;
        if (!good) {
            free(text);
            return NULL;
        }
    }
    *to = '\0';
    p->at = quote + 1;
    return text;
}

static Json *parse_text_value(Parser *p)
{
    AUTO_TEXT text = parse_text(p);

    if (!text)
        return NULL;
    Json *value = json_node_new(JSON_TEXT);
    if (value)
        value->text = STEAL(text);
    else
        json_no_memory(p->err);
    return value;
}

/* name : value, the value with its name. While its object is being read, line holds the place of
 * the name in the text, for the message about duplicates. */
static Json *parse_member(Parser *p)
{
    skip_blanks(p);
    if (p->at == p->end || *p->at != '"') {
        fail_expected(p, "a name in double quotes");
        return NULL;
    }
    uint32_t place = (uint32_t)(p->at - p->start);
    AUTO_TEXT name = parse_text(p);
    if (!name)
        return NULL;
    if (!take(p, ':')) {
        fail_expected(p, "':' after the name");
        return NULL;
    }
    Json *value = parse_value(p);
    if (value) {
        value->name = STEAL(name);
        value->line = place;
    }
    return value;
}

static bool check_names(Parser *p, Json *object)
{
    bool no_memory;
    const Json *twice = json_node_duplicate(object, &no_memory);

    if (no_memory)
        return json_no_memory(p->err);
    if (twice) {
        fail_at(p, p->start + twice->line, "the name \"%s\" occurs twice", twice->name);
        return err_field(p->err, "%s", twice->name);
    }
    for (size_t i = 0; i < object->n; i++)
        object->items[i]->line = 0;
    return true;
}

/* An array or object; its opening bracket is already taken. */
static Json *parse_container(Parser *p, JsonKind kind)
{
    AUTO(Json) container = json_node_new(kind);
    char closing = kind == JSON_OBJ ? '}' : ']';

    if (!container) {
        json_no_memory(p->err);
        return NULL;
    }
    bool more = !take(p, closing);
    while (more) {
        Json *value = kind == JSON_OBJ ? parse_member(p) : parse_value(p);

        if (!value)
            return NULL;
        if (!json_node_append(container, value)) {
            json_no_memory(p->err);
            return NULL;
        }
        more = take(p, ',');
        if (!more && !take(p, closing)) {
            fail_expected(p, kind == JSON_OBJ ? "',' or '}'" : "',' or ']'");
            return NULL;
        }
    }
    return kind == JSON_ARR || check_names(p, container) ? STEAL(container) : NULL;
}

static Json *parse_nested(Parser *p, JsonKind kind)
{
    if (p->depth == JSON_DEPTH_MAX) {
        fail_at(p, p->at - 1, "nested more than %d deep", JSON_DEPTH_MAX);
        return NULL;
    }
    p->depth++;
    Json *value = parse_container(p, kind);
    p->depth--;
    return value;
}

static Json *parse_value(Parser *p)
{
    if (++p->values > JSON_VALUES_MAX) {
        fail_at(p, p->at, "more than %d values", JSON_VALUES_MAX);
        return NULL;
    }
    if (take(p, '{'))
        return parse_nested(p, JSON_OBJ);
    if (take(p, '['))
        return parse_nested(p, JSON_ARR);
    if (p->at < p->end && *p->at == '"')
        return parse_text_value(p);
    if (p->at < p->end && (*p->at == '-' || (*p->at >= '0' && *p->at <= '9')))
        return parse_number(p);
    if (p->at < p->end && is_letter(*p->at))
        return parse_word(p);
    fail_expected(p, "a value");
    return NULL;
}

Json *json_parse(Bytes text, Err *err)
{
    if (!json_check_text(text, err))
        return NULL;
    if (bytes_start_with(text, "\xef\xbb\xbf")) /* the mark some editors put before UTF-8 */
        text = bytes_after(text, 3);
    Parser p = { .start = text.p, .at = text.p, .end = text.n ? text.p + text.n : text.p };
    p.err = err;
    AUTO(Json) value = parse_value(&p);
    if (!value)
        return NULL;
    skip_blanks(&p);
    if (p.at < p.end) {
        fail_expected(&p, "the end of the text after the value");
        return NULL;
    }
    return STEAL(value);
}
