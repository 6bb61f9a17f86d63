/* model/mail-address.c - see mail-address.h. */
#include "model/mail-address.h"

#include "base/text.h"

#include <string.h>

enum {
    LOCAL_MAX = 64,        /* RFC 5321, 4.5.3.1.1 */
    LABEL_MAX = 63,        /* RFC 1035, 2.3.4     */
    PART_BYTES_MAX = 1024, /* name or address of a list, before and after its tokens are resolved */
};

static const char separators[] = ",;\n";

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* --- one address ----------------------------------------------------------------------------------- */

static bool has_foreign_letters(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] >= 0x80)
            return true;
    return false;
}

/* RFC 5322, 3.2.3: dot-atom-text. */
static bool is_dot_atom(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool dot = text[i] == '.';

        if (dot ? i == 0 || i + 1 == n || text[i - 1] == '.'
                : !is_letter_or_digit(text[i]) && !strchr("!#$%&'*+-/=?^_`{|}~", text[i]))
            return false;
    }
    return n > 0;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]"; whether it is a right one, the server says. */
static bool is_literal(const char *domain)
{
    size_t n = strlen(domain);

    if (n < 4 || domain[0] != '[' || domain[n - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < n; i++)
        if (!is_letter_or_digit(domain[i]) && domain[i] != '.' && domain[i] != ':')
            return false;
    return true;
}

static bool is_host_name(const char *domain)
{
    while (*domain) {
        size_t n = strcspn(domain, ".");

        if (n == 0 || n > LABEL_MAX || domain[0] == '-' || domain[n - 1] == '-')
            return false;
        for (size_t i = 0; i < n; i++)
            if (!is_letter_or_digit(domain[i]) && domain[i] != '-')
                return false;
        domain += n;
        if (domain[0] == '.' && !*++domain)
            return false;
    }
    return true;
}

static bool wrong(Err *err, const char *address, const char *why, const char *cure)
{
    (void)err_set(err, ERR_BAD_INPUT, 0, "\"%.80s\" is no mail address: %s", address, why);
    return err_remedy(err, "%s", cure);
}

bool mail_address_check(const char *address, Err *err)
{
    static const char form[] = "Write it as name@example.org.";
    const char *at = strrchr(address, '@');
    size_t local_n = at ? (size_t)(at - address) : 0;

    if (!at || !local_n || !at[1])
        return wrong(err, address, "it needs something before and after @", form);
    if (has_foreign_letters(address, local_n))
        return wrong(err, address, "before the @ it has letters beyond ASCII",
                     "Use another address of this person: servers rarely take such letters there.");
    if (has_foreign_letters(at, strlen(at)))
        return wrong(err, address, "its domain has letters beyond ASCII",
                     "Write the domain in its ASCII form, which begins with xn--.");
    if (!is_dot_atom(address, local_n))
        return wrong(err, address, "before the @ stands what must not stand there", form);
    if (!is_host_name(at + 1) && !is_literal(at + 1))
        return wrong(err, address, "after the @ stands no host name", form);
    if (local_n > LOCAL_MAX || strlen(address) >= MAIL_ADDRESS_SIZE)
        return wrong(err, address, "it is too long", form);
    err->kind = ERR_NONE;
    return true;
}

/* --- lists ----------------------------------------------------------------------------------------- */

/* One entry of a list, tokens unresolved. */
typedef struct Entry {
    Buf name, address;
} Entry;

#define AUTO_ENTRY __attribute__((cleanup(entry_done))) Entry

static void entry_done(Entry *entry)
{
    buf_done(&entry->name);
    buf_done(&entry->address);
}

static void trim(Buf *text)
{
    size_t blanks = 0;

    while (text->n > 0 && strchr(" \t", text->p[text->n - 1]))
        text->n--;
    while (blanks < text->n && strchr(" \t", text->p[blanks]))
        blanks++;
    buf_drop_front(text, blanks);
}

/* Where the reader of an entry is. */
typedef struct EntryState {
    bool quoted, in_angles, after_angles;
} EntryState;

/* Takes the character, token or escape at c into the entry; how long it was, 0 for what cannot stand there. */
static size_t take_piece(Entry *entry, EntryState *state, const char *c)
{
    Buf *to = state->in_angles ? &entry->address : &entry->name;
    size_t n = 1;

    if (*c == '{') { /* a format in it may have any character */
        n = strcspn(c, "}");
        n += c[n] == '}';
    } else if (state->quoted && *c == '\\' && c[1]) {
        (void)buf_put_u8(to, (uint8_t)c[1]);
        return 2;
    } else if (*c == '"' && !state->in_angles) {
        state->quoted = !state->quoted;
        return 1;
    } else if (!state->quoted && (*c == '<' || *c == '>')) {
        if ((*c == '<') == state->in_angles || state->after_angles)
            return 0;
        state->after_angles = *c == '>';
        state->in_angles = *c == '<';
        return 1;
    }
    if (state->after_angles && !strchr(" \t", *c))
        return 0;
    (void)buf_put(to, (Bytes){ (const uint8_t *)c, n });
    return n;
}

/* The next entry of a list; false at its end (err->kind is ERR_NONE) and with ERR_BAD_INPUT. */
static bool next_entry(const char **list, Entry *entry, Err *err)
{
    const char *begin = *list + strspn(*list, " \t\n,;"), *c = begin;
    EntryState state = { .quoted = false };

    err->kind = ERR_NONE;
    *list = c;
    if (!*c)
        return false;
    while (*c && (state.quoted || state.in_angles || !strchr(separators, *c))) {
        size_t n = take_piece(entry, &state, c);

        if (n == 0)
            return err_set(err, ERR_BAD_INPUT, 0, "\"%c\" cannot stand there: \"%.60s\"", *c,
                           begin);
        c += n;
    }
    if (state.quoted || state.in_angles)
        return err_set(err, ERR_BAD_INPUT, 0, "%s is not closed: \"%.60s\"",
                       state.quoted ? "a quotation mark" : "a \"<\"", begin);
    if (!state.after_angles) { /* it was an address all the time */
        Buf name = entry->name;

        entry->name = entry->address;
        entry->address = name;
    }
    trim(&entry->name);
    trim(&entry->address);
    *list = c;
    return (!entry->name.failed && !entry->address.failed) ||
           err_set(err, ERR_BAD_INPUT, 0, "an address is too long: \"%.60s\"", begin);
}

static Entry entry_new(void)
{
    return (Entry){ buf_with_max(PART_BYTES_MAX), buf_with_max(PART_BYTES_MAX) };
}

/* A template with its values, without control characters. */
static bool resolve(Buf *template, const NameFacts *facts, Buf *out, Err *err)
{
    if (!name_text_resolve(buf_text(template), facts, out, err))
        return false;
    for (size_t i = 0; i < out->n; i++)
        if (out->p[i] < 0x20 || out->p[i] == 0x7f)
            out->p[i] = ' ';
    return true;
}

bool mail_list_next(const char **list, const NameFacts *facts, MailAddress *ret, Err *err)
{
    AUTO_ENTRY entry = entry_new();
    AUTO_BUF name = buf_with_max(PART_BYTES_MAX), address = buf_with_max(PART_BYTES_MAX);

    if (!next_entry(list, &entry, err) || !resolve(&entry.name, facts, &name, err) ||
        !resolve(&entry.address, facts, &address, err) ||
        !mail_address_check(buf_text(&address), err))
        return false;
    (void)text_copy(ret->name, sizeof ret->name, buf_text(&name));
    return text_copy(ret->address, sizeof ret->address, buf_text(&address));
}

bool mail_list_check(const char *list, Err *err)
{
    for (;;) {
        AUTO_ENTRY entry = entry_new();

        if (!next_entry(&list, &entry, err))
            return err->kind == ERR_NONE;
        const char *address = buf_text(&entry.address);
        if (!name_text_check(buf_text(&entry.name), err) || !name_text_check(address, err) ||
            (!strchr(address, '{') && !mail_address_check(address, err)))
            return false;
    }
}
