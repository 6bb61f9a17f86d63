/* destination/email.c - send each document as the attachment of a mail of its own.
 *
 * A mail cannot be looked for at a repeat: what protects from a second one is its Message-ID, which is the
 * same in every attempt, and the class UNKNOWN when the last dot went out and no answer came. Before the last dot a mark
 * is reserved in place of a name, and given back when the server refuses the mail:
 *
 *   mail-sent-PAGE-ID   an earlier attempt may have arrived: it is sent once more, and the receipt says so
 *   mail-again-PAGE-ID  so may two: UNKNOWN, a person decides
 *   mail-next-PAGE-ID   nothing is unsure; of a document that is split, the pages before are sent */
#include "destination/email-inside.h"

#include "base/sha256.h"
#include "base/text.h"
#include "base/time.h"

#include <stdlib.h>
#include <string.h>

static const Field email_fields[] = {
    TEXT(EmailSettings, host, true, "Name or address of the mail server."),
    INTEGER(EmailSettings, port, 0, 65535, 0,
            "Port; 0 is 587 with starttls, 465 with implicit encryption and 25 without any."),
    CHOICE(EmailSettings, encryption, mail_encryption_words, MAIL_STARTTLS,
           "starttls: TLS is asked for; implicit: TLS from the first byte; none: everybody on the "
           "way can read."),
    CHOICE(EmailSettings, auth, smtp_auth_words, SMTP_AUTH_NONE,
           "How we log in: none, plain, login, cram-md5 or xoauth2."),
    TEXT(EmailSettings, user, false, "User of the mail server."),
    SECRET(EmailSettings, password, "Password of the user; with xoauth2 the access token."),
    BOOLEAN(
        EmailSettings, password_in_clear, false,
        "Let passwords go over unencrypted connections, where everybody on the way reads them."),
    TEXT(EmailSettings, from, true, "Address the mails come from, such as scan@example.org."),
    TEXT(EmailSettings, from_name, false, "Name shown with it."),
    TEXT(EmailSettings, helo_name, false,
         "Name this machine gives of itself; empty is its host name."),
    TEXT(EmailSettings, pop_host, false,
         "POP server to log in to before a mail (POP before SMTP); empty is none."),
    INTEGER(EmailSettings, pop_port, 0, 65535, 0,
            "Its port; 0 is 110, or 995 with implicit encryption."),
    CHOICE(EmailSettings, pop_encryption, mail_encryption_words, MAIL_STARTTLS,
           "Its encryption, as above; starttls is the command STLS."),
    TEXT(EmailSettings, pop_user, false, "User of the POP server; empty is the one above."),
    SECRET(EmailSettings, pop_password, "Password of that user; empty is the one above."),
    INTEGER(EmailSettings, pop_delay_ms, 0, 30000, 300,
            "Milliseconds between the log-in and the mail: some servers need a moment."),
    TIMEOUT_FIELD(EmailSettings),
    TLS_FIELDS(EmailSettings),
    FIELDS_END,
};

static const char *const over_words[] = { "refuse", "split", "send", NULL };
static const char *const refused_words[] = { "nobody", "others", NULL };

static const Field email_options[] = {
    PATTERN(EmailOptions, to, FIELD_PATTERN_ADDRESSES,
            "Recipients, with commas between them; Name <a@example.org> is possible, tokens too."),
    PATTERN(EmailOptions, cc, FIELD_PATTERN_ADDRESSES, "Recipients of a copy."),
    PATTERN(EmailOptions, bcc, FIELD_PATTERN_ADDRESSES,
            "Recipients of a copy of whom the others do not know."),
    PATTERN_PRESET(EmailOptions, subject, FIELD_PATTERN_TEXT, "{job}, {date:%Y-%m-%d} {time:%H:%M}",
                   "Subject, with tokens."),
    PATTERN_PRESET(EmailOptions, body, FIELD_PATTERN_TEXT,
                   "Job: {job}\nDevice: {device}\nScanned: {date:%Y-%m-%d} {time:%H:%M}\n",
                   "Text of the mail, with tokens."),
    INTEGER(EmailOptions, size_limit_mb, 0, 1000, 10,
            "Megabytes of a whole mail, a third more than the document has; 0 is as many as the "
            "mail server takes."),
    CHOICE(
        EmailOptions, over_limit, over_words, OVER_REFUSE,
        "A larger one: refuse it, split a PDF into several mails by its pages, or send it if the "
        "mail server takes it."),
    CHOICE(EmailOptions, refused, refused_words, REFUSED_NOBODY,
           "When a recipient is refused for good: nobody gets the mail, or the others do."),
    FIELDS_END,
};

/* What is kept between mails. */
typedef struct Email {
    Smtp *smtp;
    PopLogin *pop; /* NULL: no POP before SMTP */
} Email;

static Smtp *open_smtp(const EmailSettings *s)
{
    return smtp_new(&(SmtpConfig){ .host = s->host,
                                   .user = s->user,
                                   .password = s->password,
                                   .helo_name = s->helo_name,
                                   .port = s->port,
                                   .encryption = (MailEncryption)s->encryption,
                                   .auth = (SmtpAuth)s->auth,
                                   .password_in_clear = s->password_in_clear,
                                   .timeout_s = s->timeout_s,
                                   .tls = TLS_POLICY(s) });
}

static PopLogin *open_pop(const EmailSettings *s)
{
    return pop_new(&(PopConfig){ .host = s->pop_host,
                                 .user = s->pop_user[0] ? s->pop_user : s->user,
                                 .password = s->pop_password[0] ? s->pop_password : s->password,
                                 .port = s->pop_port,
                                 .encryption = (MailEncryption)s->pop_encryption,
                                 .password_in_clear = s->password_in_clear,
                                 .delay_ms = s->pop_delay_ms,
                                 .timeout_s = s->timeout_s,
                                 .tls = TLS_POLICY(s) });
}

static void email_close(void *connection)
{
    Email *email = connection;

    smtp_free(email->smtp);
    pop_free(email->pop);
    free(email);
}

static void *email_open(const void *settings)
{
    const EmailSettings *s = settings;
    Email *email = calloc(1, sizeof *email);

    if (!email)
        return NULL;
    email->smtp = open_smtp(s);
    email->pop = s->pop_host[0] ? open_pop(s) : NULL;
    if (email->smtp && (email->pop || !s->pop_host[0]))
        return email;
    email_close(email);
    return NULL;
}

/* --- size ------------------------------------------------------------------------------------------ */

bool email_too_large(const Errand *errand, const Mail *mail, int64_t limit_bytes, const char *whose,
                     const char *cure)
{
    int64_t tenth = MEGABYTE / 10;

    return delivery_failed(
        errand->result, DELIVERY_CLASS_FATAL, "send", 0, cure,
        "the mail has %lld.%lld MB, %s limit is %lld.%lld MB",
        (long long)(mail->size_bytes / MEGABYTE), (long long)(mail->size_bytes % MEGABYTE / tenth),
        whose, (long long)(limit_bytes / MEGABYTE), (long long)(limit_bytes % MEGABYTE / tenth));
}

static bool is_within_servers_limit(const Errand *errand, const Mail *mail)
{
    const Email *email = errand->connection;
    int64_t limit_bytes = smtp_size_max(email->smtp);

    return limit_bytes == 0 || mail->size_bytes <= limit_bytes ||
           email_too_large(
               errand, mail, limit_bytes, "the mail server's",
               "Scan fewer pages or with less dpi, or raise the limit of the mail server.");
}

/* --- sending --------------------------------------------------------------------------------------- */

/* What became of the recipients. */
typedef struct Envelope {
    size_t accepted, refused;
    SmtpReply reply;            /* the refusal that counts most  */
    SmtpMeaning meaning;        /* of it                         */
    Buf with_words, with_codes; /* "a@b (550 no such user), ..." */
} Envelope;

#define AUTO_ENVELOPE __attribute__((cleanup(envelope_done))) Envelope

static void envelope_done(Envelope *envelope)
{
    buf_done(&envelope->with_words);
    buf_done(&envelope->with_codes);
}

/* The more lasting, the more it counts: while an address is wrong, waiting for another one helps nobody. Where
 * wrong ones are left out, the others wait together. */
static int weight_of(DeliveryClass class, bool others)
{
    static const int weights[DELIVERY_CLASS_MAX_] = {
        [DELIVERY_CLASS_RETRY] = 1,
        [DELIVERY_CLASS_AUTH] = 2,
        [DELIVERY_CLASS_FATAL] = 3,
        [DELIVERY_CLASS_CONFIG] = 4,
    };
    return others && class == DELIVERY_CLASS_RETRY ? DELIVERY_CLASS_MAX_ : weights[class];
}

static void note_refusal(const Errand *errand, Envelope *envelope, const char *address,
                         const SmtpReply *reply)
{
    const EmailSettings *s = errand->settings;
    SmtpMeaning meaning = smtp_reply_meaning(reply, SMTP_STEP_RECIPIENT,
                                             s->encryption == MAIL_PLAIN);
    const char *gap = envelope->refused ? ", " : "";
    bool others = ((const EmailOptions *)errand->options)->refused == REFUSED_OTHERS;

    if (!envelope->refused ||
        weight_of(meaning.class, others) > weight_of(envelope->meaning.class, others)) {
        envelope->reply = *reply;
        envelope->meaning = meaning;
    }
    envelope->refused++;
    (void)buf_printf(&envelope->with_words, "%s%s (%d %s%s%.60s)", gap, address, reply->code,
                     reply->enhanced, reply->enhanced[0] ? " " : "", reply->words);
    (void)buf_printf(&envelope->with_codes, "%s%s %d", gap, address, reply->code);
}

static bool was_named_before(const Mail *mail, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (text_equal_nocase(mail->list[i].address, mail->list[at].address))
            return true;
    return false;
}

/* All refused ones by name, as far as a result has room for them. */
static void name_refused(Envelope *envelope, char ret_text[REPLY_LIST_SIZE])
{
    const char *codes = buf_text(&envelope->with_codes);
    size_t shown = REPLY_LIST_SIZE - 20, left = 1;

    if (!envelope->with_words.failed &&
        text_copy(ret_text, REPLY_LIST_SIZE, buf_text(&envelope->with_words)))
        return;
    if (text_copy(ret_text, REPLY_LIST_SIZE, codes))
        return;
    while (shown > 0 && codes[shown] != ',')
        shown--;
    if (shown == 0)
        return; /* the first one alone is too long: cut */
    for (const char *c = codes + shown + 1; *c; c++)
        left += *c == ',';
    (void)text_printf(ret_text, REPLY_LIST_SIZE, "%.*s and %zu more", (int)shown, codes, left);
}

/* May the mail go to those who were accepted? Fills the result when not. */
static bool envelope_is_good(const Errand *errand, Envelope *envelope)
{
    const EmailOptions *o = errand->options;
    const Email *email = errand->connection;
    const SmtpMeaning *meaning = &envelope->meaning;
    char names[REPLY_LIST_SIZE];

    if (!envelope->refused || (o->refused == REFUSED_OTHERS && envelope->accepted &&
                               meaning->class != DELIVERY_CLASS_RETRY))
        return true;
    name_refused(envelope, names);
    (void)smtp_failed(email->smtp, meaning->class, meaning->stage, meaning->cure, "refused: %s",
                      names);
    errand->result->protocol_code = envelope->reply.code;
    errand->result->retry_after_s = meaning->retry_after_s;
    return false;
}

/* MAIL and RCPT. *ret_wants_login: a server with POP before SMTP has forgotten us. */
static bool address_mail(const Errand *errand, const Mail *mail, Envelope *envelope,
                         bool *ret_wants_login)
{
    const Email *email = errand->connection;
    SmtpReply reply;

    *ret_wants_login = false;
    if (!smtp_sender(email->smtp, mail->from.address, mail->size_bytes, &reply))
        return false;
    if (reply.code != 250) {
        *ret_wants_login = smtp_reply_wants_login(&reply);
        return smtp_refused(email->smtp, &reply, SMTP_STEP_SENDER, "the sender was refused");
    }
    for (size_t i = 0; i < mail->count; i++) {
        if (was_named_before(mail, i))
            continue;
        if (!smtp_recipient(email->smtp, mail->list[i].address, &reply))
            return false;
        if (reply.code == 250 || reply.code == 251)
            envelope->accepted++;
        else
            note_refusal(errand, envelope, mail->list[i].address, &reply);
    }
    *ret_wants_login = envelope->refused && smtp_reply_wants_login(&envelope->reply);
    return envelope_is_good(errand, envelope);
}

/* The document, and whether it is the right one: after the last dot it would be too late. */
static bool send_file(const Errand *errand)
{
    const Email *email = errand->connection;
    const Parcel *parcel = errand->parcel;
    AUTO_BUF lines = buf_with_max(2 * PIECE_BYTES);
    char sha256[SHA256_TEXT_SIZE];
    uint8_t piece[PIECE_BYTES];
    Sha256 hash;
    size_t n;

    sha256_start(&hash);
    for (int64_t at = 0; at < parcel->size_bytes; at += (int64_t)n) {
        if (!errand_read(errand, at, piece, sizeof piece, &n))
            return false;
        if (n == 0)
            break; /* shorter than it was: the hash will tell */
        sha256_add(&hash, (Bytes){ piece, n });
        buf_clear(&lines);
        if (!mail_message_attach((Bytes){ piece, n }, &lines))
            return smtp_failed(email->smtp, DELIVERY_CLASS_RETRY, "send",
                               "Give the server more memory.", "no memory");
        if (!smtp_content(email->smtp, buf_bytes(&lines)))
            return false;
    }
    sha256_finish(&hash, sha256);
    if (text_equal(sha256, parcel->sha256))
        return true;
    return errand_source_sound(errand) &&
           delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "verify", 0,
                           "Check the disk of the spool.",
                           "the document in the spool was read differently each time");
}

static const char *const mark_words[] = {
    [MAIL_MARK_NEXT] = "mail-next-",
    [MAIL_MARK_SENT] = "mail-sent-",
    [MAIL_MARK_AGAIN] = "mail-again-",
};

MailMark email_mark_of(const Parcel *parcel)
{
    for (MailMarkKind kind = MAIL_MARK_NEXT; kind <= MAIL_MARK_AGAIN; kind++)
        if (text_starts_with(parcel->reserved, mark_words[kind]))
            return (MailMark){ kind, (uint32_t)strtoul(parcel->reserved + strlen(mark_words[kind]),
                                                       NULL, 10) };
    return (MailMark){ MAIL_MARK_NONE, 0 };
}

/* The id is in it: a name that another delivery has used is not kept reserved. */
bool email_mark(const Errand *errand, MailMarkKind kind, uint32_t page)
{
    char name[MAIL_ID_SIZE + 32];

    if (kind == MAIL_MARK_NEXT && page == 0)
        return errand_release(errand);
    (void)text_printf(name, sizeof name, "%s%u-%s", mark_words[kind], page,
                      errand->parcel->delivery);
    return errand_propose(errand, name);
}

/* The last dot. A notification has no mark: two of them do no harm. */
static bool end_content(const Errand *errand, const Mail *mail)
{
    const Email *email = errand->connection;
    bool marked = mail->message.file_name != NULL;

    if (marked &&
        !email_mark(errand, mail->again ? MAIL_MARK_AGAIN : MAIL_MARK_SENT, mail->first_page))
        return false;
    if (smtp_content_end(email->smtp))
        return true;
    if (marked && errand->result->class != DELIVERY_CLASS_UNKNOWN) {
        const DeliveryResult why = *errand->result;

        (void)email_mark(errand, mail->again ? MAIL_MARK_SENT : MAIL_MARK_NEXT, mail->first_page);
        *errand->result = why; /* if the server is gone, nobody hears either of them */
    }
    return false;
}

static bool send_content(const Errand *errand, const Mail *mail)
{
    const Email *email = errand->connection;

    return smtp_content_begin(email->smtp) && smtp_content(email->smtp, buf_bytes(&mail->head)) &&
           (!mail->message.file_name || send_file(errand)) &&
           smtp_content(email->smtp, buf_bytes(&mail->tail)) && end_content(errand, mail);
}

static void tell_success(const Errand *errand, const Mail *mail, Envelope *envelope)
{
    DeliveryResult *result = errand->result;
    char names[REPLY_LIST_SIZE];

    (void)errand_done(errand, "send", errand->parcel->name);
    const char *again =
        mail->again ? "; an earlier attempt may have arrived as well, with the same Message-ID"
                    : "";
    if (!envelope->refused) {
        (void)text_printf(result->text, sizeof result->text,
                          "a mail of %lld bytes to %zu recipient%s%s", (long long)mail->size_bytes,
                          envelope->accepted, envelope->accepted == 1 ? "" : "s", again);
        return;
    }
    name_refused(envelope, names);
    (void)text_printf(result->text, sizeof result->text, "sent to %zu%s; refused: %s",
                      envelope->accepted, again, names);
}

/* At the POP server first where there is one. */
bool email_ready(const Errand *errand)
{
    const EmailSettings *s = errand->settings;
    Email *email = errand->connection;

    if (email->pop && !pop_is_fresh(email->pop)) {
        smtp_hang_up(email->smtp); /* some servers look only when they are connected to */
        if (!pop_log_in(email->pop, errand))
            return false;
        if (pop_pin(email->pop)[0])
            smtp_trust(email->smtp, pop_pin(email->pop));
        if (text_equal_nocase(s->host, s->pop_host))
            smtp_set_family(email->smtp, pop_family(email->pop));
    }
    return smtp_ready(email->smtp, errand);
}

/* One attempt. *ret_wants_login: as above. */
static bool send_once(const Errand *errand, const Mail *mail, bool *ret_wants_login)
{
    AUTO_ENVELOPE envelope = { .with_words = buf_with_max(RESOLVED_MAX),
                               .with_codes = buf_with_max(RECIPIENTS_MAX *
                                                          (MAIL_ADDRESS_SIZE + 10)) };

    *ret_wants_login = false;
    if (!email_ready(errand) || !is_within_servers_limit(errand, mail) ||
        !address_mail(errand, mail, &envelope, ret_wants_login) || !send_content(errand, mail))
        return false;
    tell_success(errand, mail, &envelope);
    return true;
}

void email_send(const Errand *errand, const Mail *mail)
{
    const Email *email = errand->connection;
    bool remembered = email->pop && pop_is_fresh(email->pop), wants_login;

    if (send_once(errand, mail, &wants_login) || !wants_login || !remembered)
        return;
    pop_forget(email->pop); /* the server has forgotten the log-in: once more */
    (void)send_once(errand, mail, &wants_login);
}

int64_t email_server_limit(const Errand *errand)
{
    const Email *email = errand->connection;

    return smtp_size_max(email->smtp);
}

/* A mail that two attempts may have sent is not sent again by itself, but by a person's retry. */
static void fail_twice_sent(const Errand *errand, MailMark mark)
{
    if (email_mark(errand, MAIL_MARK_NEXT, mark.page))
        (void)delivery_failed(
            errand->result, DELIVERY_CLASS_UNKNOWN, "send", 0,
            "Ask the recipients: confirm the delivery when it is there, else retry it.",
            "two attempts were cut off when the mail may have been accepted");
}

/* The limit that a document is split for: the job's and the server's, 0 = neither has one. */
static int64_t limit_for_parts(const Errand *errand)
{
    const EmailOptions *o = errand->options;
    int64_t job = o->size_limit_mb * MEGABYTE, server = email_server_limit(errand);

    return job == 0 || (server > 0 && server < job) ? server : job;
}

static void deliver_split(const Errand *errand, Mail *mail, MailMark mark)
{
    if (!email_ready(errand))
        return;
    int64_t limit_bytes = limit_for_parts(errand);

    /* Without a limit it goes as one mail, also when an earlier attempt had one: twice rather than never. */
    if (limit_bytes == 0 || (mark.page == 0 && mail->size_bytes <= limit_bytes))
        email_send(errand, mail);
    else
        email_send_parts(errand, mail, limit_bytes, mark);
}

static void email_deliver(const Errand *errand)
{
    const EmailOptions *o = errand->options;
    int64_t limit_bytes = o->over_limit == OVER_SEND ? 0 : o->size_limit_mb * MEGABYTE;
    MailMark mark = email_mark_of(errand->parcel);

    if (mark.kind == MAIL_MARK_AGAIN) {
        fail_twice_sent(errand, mark);
        return;
    }
    AUTO(Mail) mail = mail_new(errand, true, NULL);
    if (!mail)
        return;
    mail->again = mark.kind == MAIL_MARK_SENT && mark.page == 0;
    if (o->over_limit == OVER_SPLIT && text_equal(mail->message.media_type, "application/pdf"))
        deliver_split(errand, mail, mark);
    else if (limit_bytes == 0 || mail->size_bytes <= limit_bytes)
        email_send(errand, mail);
    else
        (void)email_too_large(
            errand, mail, limit_bytes, "the job's",
            "Raise size_limit_mb of the job, scan fewer pages or with less dpi, or "
            "let PDFs be split.");
}

static void email_notify(const Errand *errand)
{
    AUTO(Mail) mail = mail_new(errand, false, NULL);

    if (mail)
        email_send(errand, mail);
}

/* Logs in wherever a mail would, and asks whether the sender is liked; no mail is sent. */
static void email_test(const Errand *errand)
{
    Email *email = errand->connection;
    const DeliveryTalk *talk = errand->talk;
    MailAddress from;
    SmtpReply reply;

    if (!email_sender(errand, &from) || !email_ready(errand))
        return;
    Mono begun = mono_now();
    if (!smtp_sender(email->smtp, from.address, 0, &reply))
        return;
    if (reply.code != 250) {
        (void)smtp_refused(email->smtp, &reply, SMTP_STEP_SENDER, "the sender was refused");
        return;
    }
    if (!smtp_reset(email->smtp))
        return;
    talk->passed(talk->arg, "locate", mono_now().ms - begun.ms);
    (void)errand_done(errand, "locate", "");
}

extern const DestinationType destination_email;
const DestinationType destination_email = {
    .name = "email",
    .title = "E-mail",
    .fields = email_fields,
    .settings_size = sizeof(EmailSettings),
    .options = email_options,
    .options_size = sizeof(EmailOptions),
    .open = email_open,
    .close = email_close,
    .deliver = email_deliver,
    .test = email_test,
    .notify = email_notify,
};
