/* model/name.c - see name.h. */
#include "model/name.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum TokenKind {
    TOKEN_TEXT,
    TOKEN_DATE,
    TOKEN_TIME,
    TOKEN_SEQ,
    TOKEN_JOB,
    TOKEN_DEVICE,
    TOKEN_DOC,
    TOKEN_PAGES,
    TOKEN_MAX_
} TokenKind;

/* Words of the tokens and what may stand behind the colon. */
static const struct {
    const char *word;
    bool takes_format, needs_digits;
} token_forms[TOKEN_MAX_] = {
    [TOKEN_TEXT] = { "", false, false },    [TOKEN_DATE] = { "date", true, false },
    [TOKEN_TIME] = { "time", true, false }, [TOKEN_SEQ] = { "seq", false, true },
    [TOKEN_JOB] = { "job", false, false },  [TOKEN_DEVICE] = { "device", false, false },
    [TOKEN_DOC] = { "doc", false, false },  [TOKEN_PAGES] = { "pages", false, false },
};

static const char *const token_words[] = { "date",   "time", "seq",   "job",
                                           "device", "doc",  "pages", NULL };

/* One piece of a pattern; both views are borrowed from it. */
typedef struct Token {
    TokenKind kind;
    Bytes text;   /* TOKEN_TEXT: the run; else the whole {...}            */
    Bytes detail; /* behind the colon, n = 0 when there is none           */
    int digits;   /* TOKEN_SEQ                                            */
} Token;

static bool check_format(Bytes format, Err *err)
{
    for (size_t i = 0; i < format.n; i++) {
        if (format.p[i] != '%')
            continue;
        if (i + 1 == format.n || !strchr("YymdHMS", format.p[i + 1]))
            return err_set(err, ERR_BAD_INPUT, 0,
                           "date format \"%.*s\" has a letter that is not one of %%Y %%y %%m %%d "
                           "%%H %%M %%S",
                           (int)format.n, (const char *)format.p);
        i++;
    }
    return true;
}

static bool unknown_token(Bytes word, Err *err)
{
    char text[32];
    bool whole = text_copy_bytes(text, sizeof text, word);
    const char *nearest = whole ? text_nearest(text, token_words) : NULL;

    err_set(err, ERR_BAD_INPUT, 0, "unknown token {%s}", text);
    if (nearest)
        return err_remedy(err, "Did you mean {%s%s}?", nearest,
                          strcmp(nearest, "seq") == 0 ? ":3" : "");
    return err_remedy(err, "Tokens are {date} {time} {seq:3} {job} {device} {doc} {pages}.");
}

/* Fills kind, detail and digits from what is between the braces. */
static bool read_token(Bytes inside, Token *token, Err *err)
{
    const uint8_t *colon = memchr(inside.p, ':', inside.n);
    Bytes word = { inside.p, colon ? (size_t)(colon - inside.p) : inside.n };
    int64_t digits = 0;

    token->detail = colon ? bytes_after(inside, word.n + 1) : (Bytes){ inside.p, 0 };
    token->kind = TOKEN_TEXT + 1;
    while (token->kind < TOKEN_MAX_ && !bytes_equal_text(word, token_forms[token->kind].word))
        token->kind++;
    if (token->kind == TOKEN_MAX_)
        return unknown_token(word, err);
    if (token_forms[token->kind].needs_digits) {
        if (!bytes_to_int(token->detail, 1, NAME_SEQ_DIGITS_MAX, &digits))
            return err_set(err, ERR_BAD_INPUT, 0,
                           "{seq:N} needs its number of digits, 1 to %d, as in {seq:3}",
                           NAME_SEQ_DIGITS_MAX);
        token->digits = (int)digits;
        return true;
    }
    if (!colon)
        return true;
    if (!token_forms[token->kind].takes_format || token->detail.n == 0)
        return err_set(err, ERR_BAD_INPUT, 0, "{%s} is written without \"%.*s\"",
                       token_forms[token->kind].word, (int)(inside.n - word.n),
                       (const char *)colon);
    return check_format(token->detail, err);
}

/* Takes the next piece of a pattern from *at; false at its end or with err set (kind != NONE). */
static bool next_token(const char **at, Token *ret_token, Err *err)
{
    size_t n = strcspn(*at, "{}");
    const uint8_t *begin = (const uint8_t *)*at;

    err->kind = ERR_NONE;
    *ret_token = (Token){ .kind = TOKEN_TEXT, .text = { begin, n } };
    if (n > 0 || **at == '\0') {
        *at += n;
        return n > 0;
    }
    n = **at == '{' ? strcspn(*at + 1, "{}") : 0;
    if (**at != '{' || (*at)[1 + n] != '}')
        return err_set(err, ERR_BAD_INPUT, 0, "lone brace at \"%.20s\"", *at);
    *at += n + 2;
    ret_token->text.n = n + 2;
    return read_token((Bytes){ begin + 1, n }, ret_token, err);
}

bool name_pattern_check(const char *pattern, Err *err)
{
    const char *bad = strpbrk(pattern, "/\\");
    Token token;

    if (pattern[0] == '\0')
        return err_set(err, ERR_BAD_INPUT, 0, "file name is empty");
    if (bad)
        return err_set(err, ERR_BAD_INPUT, 0, "file name has a \"%c\": it cannot name a folder",
                       *bad);
    if (text_has_control(pattern) || !text_is_utf8(bytes_of_text(pattern)))
        return err_set(err, ERR_BAD_INPUT, 0, "file name has a control character");
    while (next_token(&pattern, &token, err))
        continue;
    return err->kind == ERR_NONE;
}

static bool has_token(const char *pattern, TokenKind a, TokenKind b)
{
    Token token;
    Err err;

    while (next_token(&pattern, &token, &err))
        if (token.kind == a || token.kind == b)
            return true;
    return false;
}

bool name_has_seq(const char *pattern)
{
    return has_token(pattern, TOKEN_SEQ, TOKEN_SEQ);
}

bool name_tells_documents_apart(const char *pattern)
{
    return has_token(pattern, TOKEN_SEQ, TOKEN_DOC);
}

/* --- resolving ------------------------------------------------------------------------------------ */

static void put_format(Buf *out, const char *format, size_t n, CivilTime t)
{
    for (size_t i = 0; i < n; i++) {
        if (format[i] != '%') {
            (void)buf_put_u8(out, (uint8_t)format[i]);
            continue;
        }
        i++;
        if (format[i] == 'Y')
            (void)buf_printf(out, "%04d", t.year);
        else
            (void)buf_printf(out, "%02d",
                             format[i] == 'y'   ? t.year % 100
                             : format[i] == 'm' ? t.month
                             : format[i] == 'd' ? t.day
                             : format[i] == 'H' ? t.hour
                             : format[i] == 'M' ? t.minute
                                                : t.second);
    }
}

static bool is_forbidden(uint8_t c)
{
    return c < 0x20 || c == 0x7f || strchr("/\\:*?\"<>|", c) != NULL;
}

/* In a name a value must not bring a token or a folder with it; in free text only what steers is taken
 * out: a line of its own could be a header of a mail. */
static void put_value(Buf *out, const char *value, bool in_name)
{
    for (; *value; value++) {
        uint8_t c = (uint8_t)*value;
        bool bad = in_name ? is_forbidden(c) || c == '{' || c == '}' : c < 0x20 || c == 0x7f;

        (void)buf_put_u8(out, bad ? '_' : c);
    }
}

static void put_token(Buf *out, const Token *token, const NameFacts *facts, bool in_name)
{
    const char *format = token->detail.n             ? (const char *)token->detail.p
                         : token->kind == TOKEN_DATE ? "%Y%m%d"
                                                     : "%H%M%S";
    size_t format_n = token->detail.n ? token->detail.n : strlen(format);

    switch (token->kind) {
    case TOKEN_DATE:
    case TOKEN_TIME:
        put_format(out, format, format_n, wall_civil(facts->started, facts->utc_offset_min));
        break;
    case TOKEN_JOB:
        put_value(out, facts->job, in_name);
        break;
    case TOKEN_DEVICE:
        put_value(out, facts->device, in_name);
        break;
    case TOKEN_DOC:
        (void)buf_printf(out, "%u", facts->document);
        break;
    case TOKEN_PAGES:
        (void)buf_printf(out, "%u", facts->pages);
        break;
    default: /* text and {seq:N} stay as they are */
        (void)buf_put(out, token->text);
        break;
    }
}

bool name_resolve(const char *pattern, const NameFacts *facts,
                  char ret_template[NAME_TEMPLATE_SIZE], Err *err)
{
    AUTO_BUF out = buf_with_max(NAME_TEMPLATE_SIZE - 1);
    Token token;

    if (!name_pattern_check(pattern, err))
        return false;
    while (next_token(&pattern, &token, err))
        put_token(&out, &token, facts, true);
    if (out.n == 0) /* a device without a name */
        (void)buf_put_text(&out, "_");
    if (out.failed)
        return err_set(err, ERR_BAD_INPUT, 0, "file name becomes longer than %d bytes",
                       NAME_TEMPLATE_SIZE - 1);
    return text_copy_bytes(ret_template, NAME_TEMPLATE_SIZE, buf_bytes(&out)) ||
           err_set(err, ERR_BUG, 0, "file name has a NUL byte");
}

/* --- folders and free text ------------------------------------------------------------------------ */

static bool no_counter(const char *pattern, Err *err)
{
    if (!name_has_seq(pattern))
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "{seq:N} counts files: it cannot stand here");
    return err_remedy(err, "Use {date}, {time} or {doc}.");
}

/* Takes the part of a folder pattern before the next "/"; braces hold no "/". */
static bool next_part(const char **at, char ret_part[FOLDER_PATTERN_SIZE])
{
    size_t n = strcspn(*at, "/");
    bool any = text_copy_bytes(ret_part, FOLDER_PATTERN_SIZE, (Bytes){ (const uint8_t *)*at, n });

    *at += n + ((*at)[n] == '/');
    return any;
}

bool name_folder_check(const char *pattern, Err *err)
{
    char part[FOLDER_PATTERN_SIZE];
    size_t n = strlen(pattern);

    if (n > 0 && (pattern[0] == '/' || pattern[n - 1] == '/'))
        return err_set(err, ERR_BAD_INPUT, 0,
                       "a folder is given below the destination's, without \"/\" at its ends");
    while (*pattern) {
        if (!next_part(&pattern, part))
            return err_set(err, ERR_BAD_INPUT, 0, "a part of the folder is too long");
        if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
            return err_set(err, ERR_BAD_INPUT, 0, "\"%s\" is no name of a folder", part);
        if (!name_pattern_check(part, err) || !no_counter(part, err))
            return err_prefix(err, "folder \"%.40s\"", part);
    }
    return true;
}

bool name_folder_resolve(const char *pattern, const NameFacts *facts,
                         char ret_folder[PATH_TEXT_SIZE], Err *err)
{
    AUTO_BUF out = buf_with_max(PATH_TEXT_SIZE - 1);
    char part[FOLDER_PATTERN_SIZE], resolved[NAME_TEMPLATE_SIZE], clean[FILE_NAME_BYTES_MAX + 1];

    if (!name_folder_check(pattern, err))
        return false;
    while (*pattern) {
        (void)next_part(&pattern, part);
        if (!name_resolve(part, facts, resolved, err))
            return false;
        name_clean(resolved, sizeof resolved);
        (void)text_copy(clean, sizeof clean, resolved);
        (void)buf_printf(&out, "%s%s", out.n > 0 ? "/" : "", clean);
    }
    return (!out.failed && text_copy(ret_folder, PATH_TEXT_SIZE, buf_text(&out))) ||
           err_set(err, ERR_BAD_INPUT, 0, "the folder becomes longer than %d bytes",
                   PATH_TEXT_SIZE - 1);
}

bool name_folder_part(const char **folder, char ret_part[FILE_NAME_BYTES_MAX + 1])
{
    size_t n = strcspn(*folder, "/");

    if (n == 0)
        return false;
    (void)text_copy_bytes(ret_part, FILE_NAME_BYTES_MAX + 1,
                          (Bytes){ (const uint8_t *)*folder, n });
    *folder += n + ((*folder)[n] == '/');
    return true;
}

bool name_text_check(const char *pattern, Err *err)
{
    const char *at = pattern;
    Token token;

    while (next_token(&at, &token, err))
        continue;
    return err->kind == ERR_NONE && no_counter(pattern, err);
}

bool name_text_resolve(const char *pattern, const NameFacts *facts, Buf *out, Err *err)
{
    Token token;

    if (!name_text_check(pattern, err))
        return false;
    while (next_token(&pattern, &token, err))
        put_token(out, &token, facts, false);
    return !out->failed ||
           err_set(err, ERR_BAD_INPUT, 0, "the text becomes longer than %zu bytes", out->max);
}

/* --- cleaning ------------------------------------------------------------------------------------- */

/* Microsoft, "Naming Files, Paths, and Namespaces": reserved with any extension. */
static bool is_reserved(const char *stem)
{
    static const char *const words[] = { "CON", "PRN", "AUX", "NUL", "COM", "LPT" };
    size_t n = strcspn(stem, ".");

    while (n > 0 && stem[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        bool numbered = i >= 4; /* COM1 .. COM9, LPT1 .. LPT9 */

        if (!bytes_equal_nocase((Bytes){ (const uint8_t *)stem, n < 3 ? n : 3 }, words[i]))
            continue;
        if (numbered ? n == 4 && stem[3] >= '0' && stem[3] <= '9' : n == 3)
            return true;
    }
    return false;
}

void name_clean(char *stem, size_t size)
{
    size_t blanks = strspn(stem, " ");
    size_t n = strlen(stem) - blanks;

    memmove(stem, stem + blanks, n + 1);
    while (n > 0 && (stem[n - 1] == '.' || stem[n - 1] == ' '))
        stem[--n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (is_forbidden((uint8_t)stem[i]))
            stem[i] = '_';
    if (stem[0] == '.')
        stem[0] = '_';
    if (n == 0)
        (void)text_copy(stem, size, "_");
    if (is_reserved(stem)) {
        memmove(stem + 1, stem, n + 1 < size ? n + 1 : size - 1);
        stem[0] = '_';
        stem[size - 1] = '\0';
    }
}

/* Removes `over` bytes (more where a character would be split) from the end of the longest run of text
 * between counters. False when even that is not enough. */
static bool cut_longest_text(char template[NAME_TEMPLATE_SIZE], size_t over)
{
    Token longest = { 0 }, token;
    const char *at = template;
    Err err;

    while (next_token(&at, &token, &err))
        if (token.kind == TOKEN_TEXT && token.text.n > longest.text.n)
            longest = token;
    if (longest.text.n < over)
        return false;
    size_t begin = (size_t)(longest.text.p - (const uint8_t *)template);
    size_t end = begin + longest.text.n, cut = end - over;
    while (cut > begin && ((uint8_t) template[cut] & 0xc0) == 0x80)
        cut--;
    memmove(template + cut, template + end, strlen(template + end) + 1);
    return true;
}

bool name_finish(const char *template, uint64_t seq, const char *extension,
                 char ret_name[FILE_NAME_BYTES_MAX + 1], Err *err)
{
    enum { EXTENSION_MAX = 10, STEM_SIZE = 2 * NAME_TEMPLATE_SIZE };
    char work[NAME_TEMPLATE_SIZE];
    size_t room = FILE_NAME_BYTES_MAX - 1 - strlen(extension);

    if (!name_pattern_check(template, err))
        return false;
    if (!text_copy(work, sizeof work, template) || strlen(extension) > EXTENSION_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "file name is too long");
    for (;;) {
        AUTO_BUF out = buf_with_max(STEM_SIZE);
        const char *at = work;
        char stem[STEM_SIZE];
        Token token;

        while (next_token(&at, &token, err))
            if (token.kind == TOKEN_SEQ)
                (void)buf_printf(&out, "%0*llu", token.digits, (unsigned long long)seq);
            else
                (void)buf_put(&out, token.text);
        if (out.failed || !text_copy_bytes(stem, sizeof stem, buf_bytes(&out)))
            return err_set(err, ERR_BAD_INPUT, 0, "file name is too long");
        name_clean(stem, sizeof stem);
        if (strlen(stem) <= room)
            return text_printf(ret_name, FILE_NAME_BYTES_MAX + 1, "%s.%s", stem, extension);
        if (!cut_longest_text(work, strlen(stem) - room))
            return err_set(err, ERR_BAD_INPUT, 0,
                           "file name is too long: it is nearly all counters");
    }
}

bool name_is_one_file(const char *name)
{
    size_t n = strlen(name);

    return n >= 1 && n <= FILE_NAME_BYTES_MAX && !strchr(name, '/') && !text_has_control(name) &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && text_is_utf8(bytes_of_text(name));
}

void name_with_number(const char *name, uint32_t n, char ret_name[FILE_NAME_BYTES_MAX + 1])
{
    const char *dot = strrchr(name, '.');
    char tail[FILE_NAME_BYTES_MAX + 1], stem[FILE_NAME_BYTES_MAX + 1];

    if (!dot || dot == name)
        dot = name + strlen(name);
    /* A tail that is longer than an extension ever is, is part of the stem. */
    if (!text_printf(tail, 32, "_%u%s", n, dot)) {
        dot = name + strlen(name);
        (void)text_printf(tail, sizeof tail, "_%u", n);
    }
    size_t room = FILE_NAME_BYTES_MAX - strlen(tail), stem_n = (size_t)(dot - name);
    (void)text_copy_bytes(stem, room + 1 < sizeof stem ? room + 1 : sizeof stem,
                          (Bytes){ (const uint8_t *)name, stem_n });
    (void)text_printf(ret_name, FILE_NAME_BYTES_MAX + 1, "%s%s", stem, tail);
}
