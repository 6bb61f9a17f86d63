/* destination/smtp-reply.c - see smtp-reply.h. */
#include "destination/smtp-reply.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

enum {
    GREYLIST_WAIT_S = 300, /* who comes back earlier is turned away again, by most */
    ALL_STEPS = 31,
    AT_ENVELOPE = SMTP_STEP_SENDER | SMTP_STEP_RECIPIENT,
};

/* --- lines ----------------------------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "5.7.30": its length at the beginning of text, 0 when there is none. */
static size_t enhanced_length(Bytes text)
{
    size_t n = 0, dots = 0;

    while (n < text.n && (is_digit(text.p[n]) || (text.p[n] == '.' && n > 0)))
        dots += text.p[n++] == '.';
    bool ours = dots == 2 && n >= 5 && n < SMTP_ENHANCED_SIZE && is_digit(text.p[n - 1]) &&
                text.p[1] == '.' && strchr("245", text.p[0]) && (n == text.n || text.p[n] == ' ');
    return ours ? n : 0;
}

/* Adds words behind those that are there; a byte that nobody can read becomes "?". */
static void add_words(SmtpReply *reply, Bytes text)
{
    size_t at = strlen(reply->words);
    char more[SMTP_WORDS_SIZE];
    bool readable = text_is_utf8(text);

    (void)text_copy_bytes(more, sizeof more, text);
    for (char *c = more; *c; c++)
        if ((uint8_t)*c < 0x20 || *c == 0x7f || (!readable && (uint8_t)*c >= 0x80))
            *c = '?';
    (void)text_printf(reply->words + at, sizeof reply->words - at, "%s%s", at ? " " : "", more);
}

bool smtp_reply_add(SmtpReply *reply, Bytes line, bool *ret_last)
{
    int64_t code;

    while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
        line.n--;
    if (line.n < 3 || !bytes_to_int((Bytes){ line.p, 3 }, 200, 599, &code) ||
        (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
        return false;
    if (reply->code != code)
        *reply = (SmtpReply){ .code = (int)code };
    *ret_last = line.n == 3 || line.p[3] == ' ';
    line = bytes_after(line, 4);
    size_t n = enhanced_length(line);
    if (n > 0) {
        (void)text_copy_bytes(reply->enhanced, sizeof reply->enhanced, (Bytes){ line.p, n });
        line = bytes_after(line, n + 1);
    }
    if (line.n > 0)
        add_words(reply, line);
    return true;
}

/* --- meaning --------------------------------------------------------------------------------------- */

static const char again[] = "Nothing: it is tried again.";
static const char login_cure[] = "Correct user and password of the destination.";
static const char sender_cure[] =
    "Set from to an address that the server lets this user send from.";
static const char relay_cure[] =
    "Log in (auth, or a POP server), or let the mail server take mail from this machine.";
static const char address_cure[] = "Correct the address in the job, or ask its owner.";
static const char size_cure[] =
    "Scan fewer pages or with less dpi, or raise the limit of the mail server.";
static const char content_cure[] =
    "Ask the administrator of the mail server why it takes no such mail.";

/* The first row that fits counts. enhanced: a beginning, up to a dot or the end; NULL = any. */
static const struct {
    unsigned steps;
    int first, last;
    const char *enhanced;
    bool in_clear;
    DeliveryClass class;
    const char *cure;
} rows[] = {
    { ALL_STEPS, 421, 421, NULL, false, DELIVERY_CLASS_RETRY, again },
    /* Exchange Online takes no passwords any more. */
    { ALL_STEPS, 500, 599, "5.7.30", false, DELIVERY_CLASS_CONFIG,
      "Set auth to xoauth2: this server takes no passwords any more." },
    { ALL_STEPS, 535, 535, "5.7.139", false, DELIVERY_CLASS_CONFIG,
      "Set auth to xoauth2, or allow this user to log in with a password at the mail server." },
    { ALL_STEPS, 530, 530, NULL, true, DELIVERY_CLASS_CONFIG,
      "Set encryption to starttls, then auth, user and password: the server wants them." },
    { ALL_STEPS, 538, 538, NULL, true, DELIVERY_CLASS_CONFIG,
      "Set encryption to starttls: the server wants it before a log-in." },
    { ALL_STEPS, 530, 530, NULL, false, DELIVERY_CLASS_AUTH,
      "Set auth, user and password: the server wants a log-in." },
    { ALL_STEPS, 534, 535, NULL, false, DELIVERY_CLASS_AUTH, login_cure },
    { ALL_STEPS, 538, 538, NULL, false, DELIVERY_CLASS_AUTH, login_cure },
    { ALL_STEPS, 500, 599, "5.7.8", false, DELIVERY_CLASS_AUTH, login_cure },
    { SMTP_STEP_LOGIN, 500, 504, NULL, false, DELIVERY_CLASS_CONFIG,
      "Choose another auth: the server does not know this one." },
    { SMTP_STEP_LOGIN, 500, 599, NULL, false, DELIVERY_CLASS_AUTH, login_cure },
    { SMTP_STEP_CONNECT, 500, 599, NULL, false, DELIVERY_CLASS_CONFIG,
      "Let the mail server take connections from this machine, or set helo_name as it wants." },
    /* As many recipients as this never get through in one mail. */
    { SMTP_STEP_RECIPIENT, 400, 599, "4.5.3", false, DELIVERY_CLASS_CONFIG,
      "Give the job fewer recipients: the server takes no more in one mail." },
    { SMTP_STEP_RECIPIENT, 400, 599, "5.5.3", false, DELIVERY_CLASS_CONFIG,
      "Give the job fewer recipients: the server takes no more in one mail." },
    { ALL_STEPS, 452, 452, NULL, false, DELIVERY_CLASS_RETRY,
      "Make room on the mail server, or in the mailbox." },
    { ALL_STEPS, 400, 499, NULL, false, DELIVERY_CLASS_RETRY, again },
    { AT_ENVELOPE | SMTP_STEP_CONTENT, 500, 599, "5.2.2", false, DELIVERY_CLASS_FATAL,
      "Make room in the mailbox of the recipient, then deliver again." },
    { AT_ENVELOPE | SMTP_STEP_CONTENT, 500, 599, "5.3.4", false, DELIVERY_CLASS_FATAL, size_cure },
    { AT_ENVELOPE | SMTP_STEP_CONTENT, 500, 599, "5.2.3", false, DELIVERY_CLASS_FATAL, size_cure },
    { AT_ENVELOPE | SMTP_STEP_CONTENT, 500, 599, "5.2.252", false, DELIVERY_CLASS_CONFIG,
      sender_cure }, /* Exchange: SendAsDenied */
    { AT_ENVELOPE | SMTP_STEP_CONTENT, 500, 599, "5.7.60", false, DELIVERY_CLASS_CONFIG,
      sender_cure }, /* the same of older ones */
    { SMTP_STEP_RECIPIENT, 552, 552, NULL, false, DELIVERY_CLASS_FATAL,
      "Make room in the mailbox of the recipient, then deliver again." },
    { SMTP_STEP_SENDER | SMTP_STEP_CONTENT, 552, 552, NULL, false, DELIVERY_CLASS_FATAL,
      size_cure },
    { SMTP_STEP_SENDER, 500, 599, NULL, false, DELIVERY_CLASS_CONFIG, sender_cure },
    { SMTP_STEP_RECIPIENT, 500, 599, "5.7", false, DELIVERY_CLASS_CONFIG, relay_cure },
    { SMTP_STEP_RECIPIENT, 554, 554, NULL, false, DELIVERY_CLASS_CONFIG, relay_cure },
    { SMTP_STEP_RECIPIENT, 500, 599, NULL, false, DELIVERY_CLASS_FATAL, address_cure },
    { ALL_STEPS, 500, 599, NULL, false, DELIVERY_CLASS_FATAL, content_cure },
};

static bool has_enhanced(const SmtpReply *reply, const char *beginning)
{
    size_t n = strlen(beginning);

    return text_starts_with(reply->enhanced, beginning) &&
           (reply->enhanced[n] == '\0' || reply->enhanced[n] == '.');
}

static const char *stage_of(SmtpStep step)
{
    return step == SMTP_STEP_CONNECT   ? "connect"
           : step == SMTP_STEP_LOGIN   ? "login"
           : step == SMTP_STEP_CONTENT ? "send"
                                       : "locate";
}

static bool is_greylisting(const SmtpReply *reply, SmtpStep step)
{
    return step == SMTP_STEP_RECIPIENT && (reply->code == 450 || reply->code == 451) &&
           (has_enhanced(reply, "4.7") || strcasestr(reply->words, "greylist") ||
            strcasestr(reply->words, "graylist"));
}

SmtpMeaning smtp_reply_meaning(const SmtpReply *reply, SmtpStep step, bool in_clear)
{
    if (is_greylisting(reply, step))
        return (SmtpMeaning){ DELIVERY_CLASS_RETRY, stage_of(step),
                              "Nothing: a server that does not know us lets us wait; it is tried "
                              "again.",
                              GREYLIST_WAIT_S };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if ((rows[i].steps & step) && reply->code >= rows[i].first && reply->code <= rows[i].last &&
            (!rows[i].enhanced || has_enhanced(reply, rows[i].enhanced)) &&
            (!rows[i].in_clear || in_clear))
            return (SmtpMeaning){ rows[i].class, stage_of(step), rows[i].cure, 0 };
    /* 2xx or 3xx where the protocol has no place for it. */
    return (SmtpMeaning){ DELIVERY_CLASS_RETRY, stage_of(step),
                          "Nothing: it is tried again. If it stays, look at the server's log.", 0 };
}

bool smtp_reply_wants_login(const SmtpReply *reply)
{
    return reply->code == 530 ||
           ((reply->code == 550 || reply->code == 553 || reply->code == 554) &&
            (!reply->enhanced[0] || has_enhanced(reply, "5.7")));
}
