/* destination/mail-message.c - see mail-message.h. */
#include "destination/mail-message.h"

#include "base/text.h"

#include <string.h>

enum {
    LINE_MAX_CHARS = 76, /* RFC 2047, 2: of a line with encoded words; RFC 2045, 6.7: of text */
    WORD_FRAME = 12,     /* =?UTF-8?B??=                                                      */
    PLAIN_WORD_MAX = 60, /* a longer run without blank is encoded, so that it can be folded   */
    BASE64_LINE = MAIL_LINE_BYTES / 3 * 4,
};

static const char new_line[] = "\r\n ";

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7f;
}

/* --- encodings ------------------------------------------------------------------------------------- */

static void put_base64(Buf *out, Bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t bits = (uint32_t)bytes.p[i] << 16 |
                        (left > 1 ? (uint32_t)bytes.p[i + 1] << 8 : 0) |
                        (left > 2 ? bytes.p[i + 2] : 0);
        uint8_t four[] = { (uint8_t)digits[bits >> 18], (uint8_t)digits[bits >> 12 & 63],
                           (uint8_t)(left > 1 ? digits[bits >> 6 & 63] : '='),
                           (uint8_t)(left > 2 ? digits[bits & 63] : '=') };

        (void)buf_put(out, (Bytes){ four, sizeof four });
    }
}

/* The octets of the line that is being written. */
static size_t column_of(const Buf *out)
{
    size_t n = 0;

    while (n < out->n && out->p[out->n - 1 - n] != '\n')
        n++;
    return n;
}

/* Text as encoded words (RFC 2047), none longer than 75 octets, no character split; what steers is a blank. */
static void put_words(Buf *out, const char *text)
{
    while (*text) {
        char clean[LINE_MAX_CHARS];
        size_t column = column_of(out);

        if (column + WORD_FRAME + 16 > LINE_MAX_CHARS) {
            (void)buf_put_text(out, new_line);
            column = 1;
        }
        size_t room = (LINE_MAX_CHARS - column - WORD_FRAME) / 4 * 3, n = strlen(text);
        n = n < room ? n : room;
        while (n > 1 && ((uint8_t)text[n] & 0xc0) == 0x80)
            n--;
        for (size_t i = 0; i < n; i++)
            clean[i] = text[i];
        for (size_t i = 0; i < n; i++)
            if (is_control((uint8_t)clean[i]))
                clean[i] = ' ';
        (void)buf_put_text(out, "=?UTF-8?B?");
        put_base64(out, (Bytes){ (const uint8_t *)clean, n });
        (void)buf_put_text(out, "?=");
        text += n;
        if (*text)
            (void)buf_put_text(out, new_line);
    }
}

/* Can it stand in a header as it is? Not what a reader would take for an encoded word. */
static bool is_plain(const char *text)
{
    if (strstr(text, "=?"))
        return false;
    for (; *text; text++)
        if (is_control((uint8_t)*text) || (uint8_t)*text > 0x7e)
            return false;
    return true;
}

/* Quoted-printable (RFC 2045, 6.7). A line never begins with "From ", which some mailboxes change. */
static void put_printable_line(Buf *out, Bytes line)
{
    size_t column = 0;

    for (size_t i = 0; i < line.n; i++) {
        uint8_t c = line.p[i];
        bool blank = c == ' ' || c == '\t', last = i + 1 == line.n;
        bool from = column == 0 && bytes_start_with(bytes_after(line, i), "From ");
        bool plain = (c > ' ' && c <= '~' && c != '=' && !from) || (blank && !last);
        size_t width = plain ? 1 : 3;

        if (column + width > LINE_MAX_CHARS - 1) {
            (void)buf_put_text(out, "=\r\n");
            column = 0;
            i--; /* again, at the beginning of a line */
            continue;
        }
        (void)(plain ? buf_put_u8(out, c) : buf_printf(out, "=%02X", c));
        column += width;
    }
    (void)buf_put_text(out, "\r\n");
}

static void put_printable(Buf *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\r\n");

        put_printable_line(out, (Bytes){ (const uint8_t *)text, n });
        text += n;
        if (text[0] == '\r' && text[1] == '\n')
            text++;
        text += *text != '\0';
    }
}

/* --- headers --------------------------------------------------------------------------------------- */

/* Folds between words (RFC 5322, 2.2.3): the blanks begin the next line. */
static void put_folded(Buf *out, const char *text)
{
    while (*text) {
        size_t n = strspn(text, " ");

        n += strcspn(text + n, " ");
        if (text[0] == ' ' && column_of(out) + n > LINE_MAX_CHARS)
            (void)buf_put_text(out, "\r\n");
        (void)buf_put(out, (Bytes){ (const uint8_t *)text, n });
        text += n;
    }
}

static bool can_be_folded(const char *text)
{
    size_t n = strlen(text);

    if (!is_plain(text) || text[0] == ' ' || (n > 0 && text[n - 1] == ' '))
        return false;
    while (*text) {
        size_t blanks = strspn(text, " "), word = strcspn(text + blanks, " ");

        if (blanks + word > PLAIN_WORD_MAX)
            return false;
        text += blanks + word;
    }
    return true;
}

static void put_subject(Buf *out, const char *subject)
{
    (void)buf_put_text(out, "Subject: ");
    if (can_be_folded(subject))
        put_folded(out, subject);
    else
        put_words(out, subject);
    (void)buf_put_text(out, "\r\n");
}

/* Text between quotation marks. */
static void put_quoted(Buf *out, const char *text)
{
    (void)buf_put_u8(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)buf_put_u8(out, '\\');
        (void)buf_put_u8(out, (uint8_t)*text);
    }
    (void)buf_put_u8(out, '"');
}

static void put_address(Buf *out, const MailAddress *address)
{
    if (!address->name[0]) {
        (void)buf_put_text(out, address->address);
        return;
    }
    if (is_plain(address->name))
        put_quoted(out, address->name);
    else
        put_words(out, address->name);
    (void)buf_put_text(
        out, column_of(out) + strlen(address->address) + 3 > LINE_MAX_CHARS ? new_line : " ");
    (void)buf_printf(out, "<%s>", address->address);
}

static void put_addresses(Buf *out, const char *header, const MailAddress *list, size_t count)
{
    (void)buf_printf(out, "%s: ", header);
    for (size_t i = 0; i < count; i++) {
        put_address(out, &list[i]);
        (void)buf_put_text(out, i + 1 < count ? ",\r\n " : "\r\n");
    }
}

static void put_date(Buf *out, Wall date, int utc_offset_min)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    CivilTime t = wall_civil(date, utc_offset_min);
    int64_t day = (date.ms / 60000 + utc_offset_min) / (24 * 60);
    int offset = utc_offset_min < 0 ? -utc_offset_min : utc_offset_min;

    (void)buf_printf(out, "Date: %s, %d %s %04d %02d:%02d:%02d %c%02d%02d\r\n", days[day % 7],
                     t.day, months[t.month - 1], t.year, t.hour, t.minute, t.second,
                     utc_offset_min < 0 ? '-' : '+', offset / 60, offset % 60);
}

static void put_headers(const MailMessage *message, Buf *out)
{
    put_date(out, message->date, message->utc_offset_min);
    put_addresses(out, "From", message->from, 1);
    if (message->to_count)
        put_addresses(out, "To", message->to, message->to_count);
    else if (!message->cc_count)
        (void)buf_put_text(out, "To: undisclosed-recipients:;\r\n");
    if (message->cc_count)
        put_addresses(out, "Cc", message->cc, message->cc_count);
    put_subject(out, message->subject);
    (void)buf_printf(out, "Message-ID: <%s%s>\r\n", message->id,
                     strrchr(message->from->address, '@'));
    /* Programs that answer by themselves are asked not to (RFC 3834; the second one is Exchange's). */
    (void)buf_put_text(out, "Auto-Submitted: auto-generated\r\n"
                            "X-Auto-Response-Suppress: OOF, AutoReply\r\n"
                            "User-Agent: Platen/" PLATEN_VERSION "\r\n"
                            "MIME-Version: 1.0\r\n");
}

static void put_text_part(const MailMessage *message, Buf *out)
{
    (void)buf_put_text(out, "Content-Type: text/plain; charset=UTF-8\r\n"
                            "Content-Transfer-Encoding: quoted-printable\r\n"
                            "\r\n");
    put_printable(out, message->body);
}

/* --- the name of the file -------------------------------------------------------------------------- */

/* The name without what a reader that knows only RFC 2183 could stumble over: one "_" a character. */
static void put_fallback(Buf *out, const char *name)
{
    (void)buf_put_u8(out, '"');
    for (; *name; name++) {
        uint8_t c = (uint8_t)*name;

        if ((c & 0xc0) != 0x80)
            (void)buf_put_u8(out, is_control(c) || c > 0x7e || strchr("\"\\=?", c) ? '_' : c);
    }
    (void)buf_put_u8(out, '"');
}

/* RFC 2231, 4, in one piece however long: readers know that form better than numbered pieces. */
static void put_extended(Buf *out, const char *name)
{
    (void)buf_put_text(out, "UTF-8''");
    for (; *name; name++) {
        uint8_t c = (uint8_t)*name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c);

        (void)(plain ? buf_put_u8(out, c) : buf_printf(out, "%%%02X", c));
    }
}

/* Three ways to say the name, because no single one is read everywhere: name= with encoded words is for
 * Outlook before 2010, filename*= is the standard and stands first for readers that take the first,
 * filename= is for the rest. */
static void put_attachment_headers(const MailMessage *message, Buf *out)
{
    const char *name = message->file_name;
    bool plain = is_plain(name) && !strpbrk(name, "\"\\");

    (void)buf_printf(out, "Content-Type: %s;\r\n name=", message->media_type);
    if (plain) {
        put_quoted(out, name);
    } else {
        (void)buf_put_u8(out, '"');
        put_words(out, name);
        (void)buf_put_u8(out, '"');
    }
    (void)buf_put_text(out, "\r\n"
                            "Content-Transfer-Encoding: base64\r\n"
                            "Content-Disposition: attachment;\r\n ");
    if (!plain) {
        (void)buf_put_text(out, "filename*=");
        put_extended(out, name);
        (void)buf_put_text(out, ";\r\n ");
    }
    (void)buf_put_text(out, "filename=");
    if (plain)
        put_quoted(out, name);
    else
        put_fallback(out, name);
    (void)buf_put_text(out, "\r\n\r\n");
}

/* --- the whole ------------------------------------------------------------------------------------- */

/* "=_" can be neither in base64 nor in quoted-printable: no part can hold the boundary. */
static void put_boundary(const MailMessage *message, Buf *out, const char *end)
{
    (void)buf_printf(out, "--=_%s%s\r\n", message->id, end);
}

bool mail_message_head(const MailMessage *message, Buf *out)
{
    put_headers(message, out);
    if (!message->file_name) {
        put_text_part(message, out);
        return !out->failed;
    }
    (void)buf_printf(out, "Content-Type: multipart/mixed; boundary=\"=_%s\"\r\n\r\n", message->id);
    put_boundary(message, out, "");
    put_text_part(message, out);
    (void)buf_put_text(out, "\r\n"); /* this line end belongs to the boundary, not to the text */
    put_boundary(message, out, "");
    put_attachment_headers(message, out);
    return !out->failed;
}

bool mail_message_attach(Bytes piece, Buf *out)
{
    for (size_t i = 0; i < piece.n; i += MAIL_LINE_BYTES) {
        size_t n = piece.n - i < MAIL_LINE_BYTES ? piece.n - i : MAIL_LINE_BYTES;

        put_base64(out, (Bytes){ piece.p + i, n });
        (void)buf_put_text(out, "\r\n");
    }
    return !out->failed;
}

bool mail_message_tail(const MailMessage *message, Buf *out)
{
    if (message->file_name)
        put_boundary(message, out, "--");
    return !out->failed;
}

int64_t mail_attached_bytes(int64_t file_bytes)
{
    int64_t lines = file_bytes / MAIL_LINE_BYTES, rest = file_bytes % MAIL_LINE_BYTES;

    return lines * (BASE64_LINE + 2) + (rest ? (rest + 2) / 3 * 4 + 2 : 0);
}
