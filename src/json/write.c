/* json/write.c - trees as compact JSON, indented JSON and YAML.
 *
 * One way to quote a text serves all three: a JSON text is also a double-quoted YAML scalar as long
 * as every character that YAML calls a line break or not printable is escaped. */
#include "json/tree.h"

#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>

enum { INDENT = 2, YAML_SIMPLE_KEY_MAX = 128 };

/* The code point at the start of a well-formed text and its length. */
static uint32_t character_at(const char *text, size_t *ret_length)
{
    const uint8_t *p = (const uint8_t *)text;

    if (p[0] < 0x80) {
        *ret_length = 1;
        return p[0];
    }
    *ret_length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = p[0] & (0x7fu >> *ret_length);
    for (size_t i = 1; i < *ret_length; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

/* YAML 1.2, section 5.1 (printable) without the line breaks of section 5.4 and the byte order mark. */
static bool must_escape(uint32_t c)
{
    return c < ' ' || c == '"' || c == '\\' || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
           c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff;
}

static void put_quoted(Buf *out, const char *text)
{
    static const char names[] = "\"\\bfnrt", values[] = "\"\\\b\f\n\r\t";

    (void)buf_put_u8(out, '"');
    while (*text) {
        size_t plain = 0, length = 0;
        uint32_t c = 0;

        while (text[plain] && !must_escape(c = character_at(text + plain, &length)))
            plain += length;
        (void)buf_put(out, (Bytes){ (const uint8_t *)text, plain });
        text += plain;
        if (!*text)
            break;
        const char *value = c < 0x7f ? strchr(values, (char)c) : NULL;
        if (value)
            (void)buf_printf(out, "\\%c", names[value - values]);
        else
            (void)buf_printf(out, "\\u%04" PRIx32, c);
        text += length;
    }
    (void)buf_put_u8(out, '"');
}

static void put_blanks(Buf *out, size_t n)
{
    while (n-- > 0)
        (void)buf_put_u8(out, ' ');
}

/* Everything but texts, arrays and objects. */
static void put_word(Buf *out, const Json *value)
{
    if (value->kind == JSON_BOOL)
        (void)buf_put_text(out, value->boolean ? "true" : "false");
    else if (value->kind == JSON_NUMBER && value->whole)
        (void)buf_printf(out, "%" PRId64, value->integer);
    else if (value->kind == JSON_NUMBER)
        (void)buf_put_text(out, value->text);
    else
        (void)buf_put_text(out, "null");
}

/* --- JSON -------------------------------------------------------------------------------------- */

static void put_break(Buf *out, bool pretty, size_t depth)
{
    if (!pretty)
        return;
    (void)buf_put_u8(out, '\n');
    put_blanks(out, depth * INDENT);
}

/* depth: containers around the value. False when the tree is not whole or too deep to be read. */
static bool put_json(Buf *out, const Json *value, bool pretty, size_t depth)
{
    bool container = value->kind == JSON_OBJ || value->kind == JSON_ARR;

    if (value->poisoned || (container && depth == JSON_DEPTH_MAX))
        return false;
    if (!container) {
        if (value->kind == JSON_TEXT)
            put_quoted(out, value->text);
        else
            put_word(out, value);
        return !out->failed;
    }
    (void)buf_put_u8(out, value->kind == JSON_OBJ ? '{' : '[');
    for (size_t i = 0; i < value->n; i++) {
        if (i > 0)
            (void)buf_put_u8(out, ',');
        put_break(out, pretty, depth + 1);
        if (value->kind == JSON_OBJ) {
            put_quoted(out, value->items[i]->name);
            (void)buf_put_text(out, pretty ? ": " : ":");
        }
        if (!put_json(out, value->items[i], pretty, depth + 1))
            return false;
    }
    if (value->n > 0)
        put_break(out, pretty, depth);
    return buf_put_u8(out, value->kind == JSON_OBJ ? '}' : ']');
}

bool json_write(const Json *value, Buf *out)
{
    return value && put_json(out, value, false, 0);
}

bool json_write_pretty(const Json *value, Buf *out)
{
    return value && put_json(out, value, true, 0) && buf_put_u8(out, '\n');
}

/* --- YAML -------------------------------------------------------------------------------------- */

/* Words that some YAML reader takes for a boolean, a null or a number. */
static bool is_reserved_word(const char *text)
{
    static const char *const words[] = { "true", "false", "yes", "no",  "on",  "off",
                                         "null", "y",     "n",   "nan", "inf", "infinity" };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (text_equal_nocase(text, words[i]))
            return true;
    return false;
}

static bool is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* True when every YAML reader takes the bare text for the same text. Careful on purpose: it starts
 * with a letter or a slash, and has letters, digits, inner blanks and a few harmless signs only. */
static bool is_plain(const char *text)
{
    static const char harmless[] = " _-./()@+%$;=";
    size_t n = strlen(text), length;

    if (n == 0 || text[n - 1] == ' ' || is_reserved_word(text))
        return false;
    if (!is_ascii_letter(text[0]) && text[0] != '/' && (uint8_t)text[0] < 0x80)
        return false;
    for (size_t i = 0; i < n; i += length) {
        uint32_t c = character_at(text + i, &length);
        bool fine = c >= 0x80 ? !must_escape(c) && c != 0xa0
                              : is_ascii_letter(text[i]) || (c >= '0' && c <= '9') ||
                                    strchr(harmless, text[i]);

        if (!fine)
            return false;
    }
    return true;
}

static void put_yaml_text(Buf *out, const char *text)
{
    if (is_plain(text))
        (void)buf_put_text(out, text);
    else
        put_quoted(out, text);
}

/* A name and its colon. YAML wants the colon of a "simple key" on the same line within 1024
 * characters; a longer name takes the form with a question mark. */
static void put_yaml_name(Buf *out, const char *name, size_t indent)
{
    if (strlen(name) <= YAML_SIMPLE_KEY_MAX) {
        put_yaml_text(out, name);
        (void)buf_put_u8(out, ':');
        return;
    }
    (void)buf_put_text(out, "? ");
    put_yaml_text(out, name);
    (void)buf_put_u8(out, '\n');
    put_blanks(out, indent);
    (void)buf_put_u8(out, ':');
}

static bool is_block(const Json *value)
{
    return (value->kind == JSON_OBJ || value->kind == JSON_ARR) && value->n > 0;
}

static void put_yaml_scalar(Buf *out, const Json *value)
{
    if (value->kind == JSON_TEXT)
        put_yaml_text(out, value->text);
    else if (value->kind == JSON_OBJ)
        (void)buf_put_text(out, "{}");
    else if (value->kind == JSON_ARR)
        (void)buf_put_text(out, "[]");
    else
        put_word(out, value);
    (void)buf_put_u8(out, '\n');
}

/* The value, its line break included. The output stands at column indent already. */
static bool put_yaml(Buf *out, const Json *value, size_t depth, size_t indent)
{
    bool container = value->kind == JSON_OBJ || value->kind == JSON_ARR;

    if (value->poisoned || (container && depth == JSON_DEPTH_MAX))
        return false;
    if (!is_block(value)) {
        put_yaml_scalar(out, value);
        return !out->failed;
    }
    for (size_t i = 0; i < value->n; i++) {
        const Json *item = value->items[i];

        if (i > 0)
            put_blanks(out, indent);
        if (value->kind == JSON_ARR) {
            (void)buf_put_text(out, "- ");
        } else {
            put_yaml_name(out, item->name, indent);
            (void)buf_put_u8(out, is_block(item) ? '\n' : ' ');
            put_blanks(out, is_block(item) ? indent + INDENT : 0);
        }
        if (!put_yaml(out, item, depth + 1, indent + INDENT))
            return false;
    }
    return !out->failed;
}

bool json_write_yaml(const Json *value, Buf *out)
{
    return value && put_yaml(out, value, 0, 0);
}
