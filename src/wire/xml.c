/* wire/xml.c - the pull reader of wire/xml.h. */
#include "wire/xml.h"

#include "base/cleanup.h"
#include "base/text.h"

static Bytes trimmed(Bytes text)
{
    return bytes_trimmed(text, " \t\r\n");
}

/* Cuts everything up to and with the mark off the front; false when the mark is missing. */
static bool take_through(Bytes *left, const char *mark, Bytes *ret_before)
{
    size_t n = strlen(mark);
    const uint8_t *at = left->n ? memmem(left->p, left->n, mark, n) : NULL;

    if (!at)
        return false;
    *ret_before = (Bytes){ left->p, (size_t)(at - left->p) };
    *left = bytes_after(*left, ret_before->n + n);
    return true;
}

static bool is_name_byte(uint8_t c)
{
    static const char others[] = " \t\r\n<>/=&\"'"; /* and NUL */

    return !memchr(others, c, sizeof others);
}

static Bytes take_name(Bytes *left)
{
    Bytes name = { left->p, 0 };

    while (name.n < left->n && is_name_byte(left->p[name.n]))
        name.n++;
    *left = bytes_after(*left, name.n);
    return name;
}

static Bytes local_name(Bytes name)
{
    const uint8_t *colon = name.n ? memrchr(name.p, ':', name.n) : NULL;

    return colon ? bytes_after(name, (size_t)(colon - name.p) + 1) : name;
}

/* Takes attributes up to the '>' of a tag, which may stand inside quotes too. False at the end. */
static bool take_attributes(Bytes *left, bool *ret_self_closed, Bytes *ret_attributes)
{
    uint8_t quote = 0, before = 0;

    for (size_t i = 0; i < left->n; i++) {
        uint8_t c = left->p[i];

        if (quote) {
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '<') {
            return false;
        } else if (c == '>') {
            *ret_self_closed = before == '/';
            *ret_attributes = (Bytes){ left->p, i - *ret_self_closed };
            *left = bytes_after(*left, i + 1);
            return true;
        }
        before = c;
    }
    return false;
}

static bool open_element(XmlReader *reader, XmlItem *item)
{
    Bytes name = take_name(&reader->left), attributes;

    if (name.n == 0 || reader->depth == XML_DEPTH_MAX || (reader->depth == 0 && reader->seen_root))
        return false;
    if (!take_attributes(&reader->left, &reader->self_closed, &attributes))
        return false;
    reader->seen_root = true;
    reader->open[reader->depth++] = name;
    *item = (XmlItem){ .kind = XML_START,
                       .name = local_name(name),
                       .attributes = attributes,
                       .depth = reader->depth };
    return true;
}

static bool close_element(XmlReader *reader, Bytes name, XmlItem *item)
{
    if (reader->depth == 0 || !bytes_equal(reader->open[reader->depth - 1], name))
        return false;
    *item = (XmlItem){ .kind = XML_STOP, .name = local_name(name), .depth = reader->depth };
    reader->depth--;
    return true;
}

/* The end tag behind "</". */
static bool take_stop(XmlReader *reader, XmlItem *item)
{
    Bytes inside;

    return take_through(&reader->left, ">", &inside) &&
           close_element(reader, trimmed(inside), item);
}

/* Text up to the next tag; outside the root only blanks are allowed. */
static bool take_text(XmlReader *reader, XmlItem *item, bool *ret_skip)
{
    const uint8_t *tag = memchr(reader->left.p, '<', reader->left.n);
    size_t n = tag ? (size_t)(tag - reader->left.p) : reader->left.n;
    Bytes text = { reader->left.p, n };

    reader->left = bytes_after(reader->left, n);
    *ret_skip = trimmed(text).n == 0;
    *item = (XmlItem){ .kind = XML_TEXT, .text = text, .depth = reader->depth };
    return *ret_skip || reader->depth > 0;
}

/* One step; *ret_skip when it was something without meaning (comment, declaration, blanks). */
static bool step(XmlReader *reader, XmlItem *item, bool *ret_skip)
{
    Bytes skipped;

    *ret_skip = false;
    if (reader->self_closed) {
        reader->self_closed = false;
        return close_element(reader, reader->open[reader->depth - 1], item);
    }
    if (reader->left.p[0] != '<')
        return take_text(reader, item, ret_skip);
    if (bytes_start_with(reader->left, "<?") || bytes_start_with(reader->left, "<!--")) {
        *ret_skip = true;
        return take_through(&reader->left, reader->left.p[1] == '?' ? "?>" : "-->", &skipped);
    }
    bool stop = bytes_start_with(reader->left, "</");
    reader->left = bytes_after(reader->left, stop ? 2 : 1);
    return stop ? take_stop(reader, item) : open_element(reader, item);
}

bool xml_next(XmlReader *reader, XmlItem *ret_item)
{
    XmlItem item = { 0 };

    while (!reader->bad && (reader->left.n > 0 || reader->self_closed)) {
        bool skip;

        if (!step(reader, &item, &skip)) {
            reader->bad = true;
            return false;
        }
        if (!skip) {
            *ret_item = item;
            return true;
        }
    }
    if (reader->depth > 0 || !reader->seen_root)
        reader->bad = true;
    return false;
}

bool xml_attribute(Bytes attributes, const char *name, Bytes *ret_value)
{
    for (attributes = trimmed(attributes); attributes.n > 0; attributes = trimmed(attributes)) {
        Bytes found = take_name(&attributes);

        attributes = trimmed(attributes);
        if (found.n == 0 || attributes.n == 0 || attributes.p[0] != '=')
            return false;
        attributes = trimmed(bytes_after(attributes, 1));
        if (attributes.n == 0 || (attributes.p[0] != '"' && attributes.p[0] != '\''))
            return false;
        const char quote[] = { (char)attributes.p[0], '\0' };
        attributes = bytes_after(attributes, 1);
        if (!take_through(&attributes, quote, ret_value))
            return false;
        if (bytes_equal_text(found, name))
            return true;
    }
    return false;
}

/* The character that an entity at the front stands for, and its length; 0 when it is none of five. */
static char entity_at(Bytes text, size_t *ret_length)
{
    static const struct {
        const char *name;
        char character;
    } entities[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' },
    };

    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        if (bytes_start_with(text, entities[i].name)) {
            *ret_length = strlen(entities[i].name);
            return entities[i].character;
        }
    }
    return 0;
}

bool xml_text_copy(char *to, size_t size, Bytes text)
{
    size_t n = 0;

    text = trimmed(text);
    while (text.n > 0) {
        size_t length = 1;
        char c = (char)text.p[0];

        if (c == '&')
            c = entity_at(text, &length);
        if (c == '\0' || n + 1 >= size)
            return false;
        to[n++] = c;
        text = bytes_after(text, length);
    }
    to[n] = '\0';
    return text_is_utf8((Bytes){ (const uint8_t *)to, n }) && !text_has_control(to);
}
