/* destination/smtp.c - see smtp.h. */
#include "destination/smtp.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    OUT_BYTES = 64 * 1024, /* sent at once                            */
    LINE_BYTES_MAX = 4096, /* of a reply; RFC 5321 has 512            */
    REPLY_LINES_MAX = 200, /* of one reply                            */
    COMMAND_SIZE = 400,    /* the longest has an address and a number */
    OFFERS_SIZE = 100,
    URL_BYTES_MAX = 2048,
};

const char *const mail_encryption_words[] = { "starttls", "implicit", "none", NULL };
const char *const smtp_auth_words[] = { "none", "plain", "login", "cram-md5", "xoauth2", NULL };

/* As LOGIN_OPTIONS of libcurl wants them. */
static const char *const mechanisms[] = {
    [SMTP_AUTH_NONE] = NULL,
    [SMTP_AUTH_PLAIN] = "AUTH=PLAIN",
    [SMTP_AUTH_LOGIN] = "AUTH=LOGIN",
    [SMTP_AUTH_CRAM_MD5] = "AUTH=CRAM-MD5",
    [SMTP_AUTH_XOAUTH2] = "AUTH=XOAUTH2",
};

struct Smtp {
    SmtpConfig config;
    Transfer *transfer;
    bool open, told; /* told: the stage login */
    SmtpReply heard; /* while libcurl talks: the last reply          */
    bool heard_whole;
    bool greeted;             /* EHLO was answered; what follows is the log-in */
    char offers[OFFERS_SIZE]; /* mechanisms of AUTH, as EHLO lists them, "" = none    */
    long family;              /* CURL_IPRESOLVE_... */
    int64_t size_max;
    size_t in_n, out_n;
    bool in_content;    /* the server reads a mail: QUIT would be a line of it */
    bool ending;        /* the last dot may be out: without a reply nobody knows       */
    bool at_line_begin; /* of the mail                                                */
    uint8_t in[LINE_BYTES_MAX], out[OUT_BYTES];
};

Smtp *smtp_new(const SmtpConfig *config)
{
    Smtp *smtp = calloc(1, sizeof *smtp);
    const TransferConfig transfer = { .protocols = "smtp,smtps",
                                      .peer = config->host,
                                      .timeout_s = config->timeout_s,
                                      .tls = config->tls };

    if (smtp)
        smtp->transfer = transfer_new(&transfer);
    if (!smtp || !smtp->transfer) {
        free(smtp);
        return NULL;
    }
    smtp->config = *config;
    smtp->family = CURL_IPRESOLVE_WHATEVER;
    return smtp;
}

/* libcurl says QUIT as well when it closes, and waits for the answer: not of a server that hangs. */
static void cut(Smtp *smtp)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(transfer_handle(smtp->transfer), CURLINFO_ACTIVESOCKET, &fd) ==
            CURLE_OK &&
        fd != CURL_SOCKET_BAD)
        (void)shutdown(fd, SHUT_RDWR);
    smtp->open = false;
    transfer_hang_up(smtp->transfer);
}

void smtp_hang_up(Smtp *smtp)
{
    static const char quit[] = "QUIT\r\n";
    size_t sent;

    if (!smtp->open)
        return;
    if (!smtp->in_content) /* nobody waits for the answer */
        (void)curl_easy_send(transfer_handle(smtp->transfer), quit, sizeof quit - 1, &sent);
    cut(smtp);
}

void smtp_free(Smtp *smtp)
{
    if (!smtp)
        return;
    smtp_hang_up(smtp);
    transfer_free(smtp->transfer);
    free(smtp);
}

void smtp_set_family(Smtp *smtp, long family)
{
    smtp->family = family;
}

void smtp_trust(Smtp *smtp, const char *pin)
{
    transfer_trust(smtp->transfer, pin);
}

int64_t smtp_size_max(const Smtp *smtp)
{
    return smtp->size_max;
}

/* --- failures -------------------------------------------------------------------------------------- */

static bool in_clear(const Smtp *smtp)
{
    return smtp->config.encryption == MAIL_PLAIN;
}

static DeliveryResult *result_of(Smtp *smtp)
{
    return transfer_errand(smtp->transfer)->result;
}

bool smtp_failed(Smtp *smtp, DeliveryClass class, const char *stage, const char *cure,
                 const char *fmt, ...)
{
    char text[FIELD_SIZEOF(DeliveryResult, text)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)transfer_failed(smtp->transfer, class, stage, cure, "%s", text);
    result_of(smtp)->protocol_code = 0; /* the transfer's is the last one of connecting */
    return false;
}

bool smtp_refused(Smtp *smtp, const SmtpReply *reply, SmtpStep step, const char *what)
{
    SmtpMeaning meaning = smtp_reply_meaning(reply, step, in_clear(smtp));

    (void)smtp_failed(smtp, meaning.class, meaning.stage, meaning.cure, "%s: %d %s%s%s", what,
                      reply->code, reply->enhanced, reply->enhanced[0] ? " " : "", reply->words);
    result_of(smtp)->protocol_code = reply->code;
    result_of(smtp)->retry_after_s = meaning.retry_after_s;
    return false;
}

/* The connection is of no use any more. */
static bool lost(Smtp *smtp, const char *stage, const char *why)
{
    bool unknown = smtp->ending;

    cut(smtp);
    if (unknown)
        (void)smtp_failed(smtp, DELIVERY_CLASS_UNKNOWN, "send",
                          "Look whether the mail arrived; only if not, deliver again.",
                          "the whole mail was sent, then %s", why);
    else
        (void)smtp_failed(smtp, DELIVERY_CLASS_RETRY, stage,
                          "Nothing: it is tried again. If it stays, look at the server's log.",
                          "%s", why);
    result_of(smtp)->peer_lost = true;
    return false;
}

static bool no_answer(Smtp *smtp, const char *stage)
{
    char why[80];

    (void)text_printf(why, sizeof why, "the server did nothing for %lld s",
                      (long long)smtp->config.timeout_s);
    return lost(smtp, stage, why);
}

/* --- bytes ----------------------------------------------------------------------------------------- */

/* Waits until the socket is ready; false when that takes too long. */
static bool wait_for(Smtp *smtp, short events)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    Mono deadline = mono_after(mono_now(), smtp->config.timeout_s * 1000);

    curl_easy_getinfo(transfer_handle(smtp->transfer), CURLINFO_ACTIVESOCKET, &fd);
    struct pollfd slot = { .fd = fd, .events = events };
    while (fd != CURL_SOCKET_BAD) {
        int64_t left = deadline.ms - mono_now().ms;
        int n = poll(&slot, 1, left > 0 ? (int)left : 0);

        if (n > 0 || (n < 0 && errno != EINTR))
            return true; /* what is wrong, the call on it says */
        if (n == 0)
            return false;
    }
    return true;
}

/* More bytes of the server into in; false when there are none within the time. */
static bool receive(Smtp *smtp, const char *stage)
{
    for (;;) {
        size_t n = 0;
        CURLcode code = curl_easy_recv(transfer_handle(smtp->transfer), smtp->in + smtp->in_n,
                                       sizeof smtp->in - smtp->in_n, &n);

        if (code == CURLE_AGAIN) {
            if (!wait_for(smtp, POLLIN))
                return no_answer(smtp, stage);
            continue;
        }
        if (code != CURLE_OK || n == 0)
            return lost(smtp, stage, "the connection was lost");
        smtp->in_n += n;
        return true;
    }
}

static const char *stage_of(SmtpStep step)
{
    return step == SMTP_STEP_CONTENT ? "send" : "locate";
}

/* Reads one whole reply. */
static bool read_reply(Smtp *smtp, SmtpStep step, SmtpReply *ret_reply)
{
    bool last = false;

    *ret_reply = (SmtpReply){ .code = 0 };
    for (int lines = 0; !last;) {
        const uint8_t *end = memchr(smtp->in, '\n', smtp->in_n);
        size_t n = end ? (size_t)(end - smtp->in) + 1 : 0;

        if (n == 0 && smtp->in_n < sizeof smtp->in) {
            if (!receive(smtp, stage_of(step)))
                return false;
            continue;
        }
        if (n == 0 || ++lines > REPLY_LINES_MAX ||
            !smtp_reply_add(ret_reply, (Bytes){ smtp->in, n }, &last))
            return lost(smtp, stage_of(step), "the server said what is no reply of a mail server");
        smtp->in_n -= n;
        memmove(smtp->in, smtp->in + n, smtp->in_n);
    }
    return true;
}

/* A server that closes in the middle of a mail has often said why. */
static bool send_failed(Smtp *smtp)
{
    SmtpReply reply;
    DeliveryResult *result;

    if (smtp->ending || !read_reply(smtp, SMTP_STEP_CONTENT, &reply) || reply.code < 400)
        return lost(smtp, "send", "the connection was lost");
    (void)smtp_refused(smtp, &reply, SMTP_STEP_CONTENT, "the mail was refused");
    result = result_of(smtp);
    result->peer_lost = true;
    cut(smtp);
    return false;
}

/* Sends what is in out. TLS wants the same bytes again after CURLE_AGAIN: out is not touched before. */
static bool flush(Smtp *smtp, SmtpStep step)
{
    size_t at = 0;

    while (at < smtp->out_n) {
        size_t n = 0;
        CURLcode code = curl_easy_send(transfer_handle(smtp->transfer), smtp->out + at,
                                       smtp->out_n - at, &n);

        if (code == CURLE_AGAIN) {
            if (!wait_for(smtp, POLLOUT))
                return no_answer(smtp, stage_of(step));
            continue;
        }
        if (code != CURLE_OK)
            return step == SMTP_STEP_CONTENT ? send_failed(smtp)
                                             : lost(smtp, "locate", "the connection was lost");
        at += n;
    }
    smtp->out_n = 0;
    return true;
}

/* --- connecting ------------------------------------------------------------------------------------ */

/* What EHLO lists (RFC 1870, 4954). */
static void note_offer(Smtp *smtp, const char *words)
{
    int64_t size;

    if (text_starts_with(words, "SIZE ") && text_to_int(words + 5, 0, INT64_MAX, &size))
        smtp->size_max = size;
    else if (text_starts_with(words, "AUTH ") || text_starts_with(words, "AUTH="))
        (void)text_copy(smtp->offers, sizeof smtp->offers, words + 5);
}

/* Each reply line while libcurl connects: greeting, EHLO, STARTTLS, EHLO again, log-in. */
static void hear(void *arg, Bytes line)
{
    Smtp *smtp = arg;
    SmtpReply one = { .code = 0 };
    bool last = false;

    if (smtp->heard_whole)
        smtp->heard = one;
    if (!smtp_reply_add(&smtp->heard, line, &last) || !smtp_reply_add(&one, line, &last))
        return;
    smtp->heard_whole = last;
    if (one.code == 220) { /* the greeting, or that TLS begins: nothing said before counts */
        smtp->size_max = 0;
        smtp->offers[0] = '\0';
        smtp->greeted = false;
    } else if (one.code == 250) {
        note_offer(smtp, one.words);
        smtp->greeted = last;
    }
}

/* Would somebody on the way read the password? */
static bool login_is_safe(Smtp *smtp)
{
    const SmtpConfig *c = &smtp->config;

    if (text_has_control(c->user) || text_has_control(c->password))
        return smtp_failed(smtp, DELIVERY_CLASS_CONFIG, "login",
                           "Write user and password without line ends.",
                           "user or password has a control character");
    if (c->auth != SMTP_AUTH_NONE && !c->user[0])
        return smtp_failed(smtp, DELIVERY_CLASS_CONFIG, "login", "Set user, or auth to none.",
                           "there is no user to log in with");
    if (c->encryption != MAIL_PLAIN || c->auth == SMTP_AUTH_NONE || c->auth == SMTP_AUTH_CRAM_MD5 ||
        c->password_in_clear)
        return true;
    return smtp_failed(smtp, DELIVERY_CLASS_CONFIG, "login",
                       "Set encryption to starttls or implicit, auth to cram-md5, or "
                       "password_in_clear.",
                       "the password would be readable on the way");
}

static bool set_up(Smtp *smtp, const Errand *errand)
{
    const SmtpConfig *c = &smtp->config;
    static const int64_t ports[] = {
        [MAIL_STARTTLS] = 587, [MAIL_IMPLICIT] = 465, [MAIL_PLAIN] = 25
    };
    bool ipv6 = strchr(c->host, ':') && c->host[0] != '[';
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);
    CURL *curl = transfer_begin(smtp->transfer, errand);

    (void)buf_printf(&url, "%s://%s%s%s:%lld/", c->encryption == MAIL_IMPLICIT ? "smtps" : "smtp",
                     ipv6 ? "[" : "", c->host, ipv6 ? "]" : "",
                     (long long)(c->port ? c->port : ports[c->encryption]));
    (void)url_put(&url, c->helo_name);
    curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url));
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl, CURLOPT_IPRESOLVE, smtp->family);
    if (c->encryption != MAIL_PLAIN)
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    if (c->auth != SMTP_AUTH_NONE) {
        curl_easy_setopt(curl, CURLOPT_LOGIN_OPTIONS, mechanisms[c->auth]);
        curl_easy_setopt(curl, CURLOPT_USERNAME, c->user);
        curl_easy_setopt(curl,
                         c->auth == SMTP_AUTH_XOAUTH2 ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD,
                         c->password);
    }
    transfer_listen(smtp->transfer, hear, smtp);
    return login_is_safe(smtp);
}

static bool not_offered(Smtp *smtp)
{
    const char *wanted = smtp_auth_words[smtp->config.auth];

    if (!smtp->offers[0])
        return smtp_failed(smtp, DELIVERY_CLASS_CONFIG, "login",
                           in_clear(smtp) ? "Set encryption to starttls, or auth to none."
                                          : "Set auth to none, or use the port for users (587).",
                           "the server offers no log-in here");
    return smtp_failed(smtp, DELIVERY_CLASS_CONFIG, "login",
                       "Set auth to one that the server offers.",
                       "the server offers no log-in with %s, but: %s", wanted, smtp->offers);
}

/* libcurl could not connect; when the server said why, its words count. */
static bool explain(Smtp *smtp)
{
    const SmtpReply *heard = &smtp->heard;
    int64_t native = result_of(smtp)->native_code;

    if (native == CURLE_USE_SSL_FAILED && heard->code != 454)
        return false;
    if (native == CURLE_USE_SSL_FAILED)
        return smtp_failed(smtp, DELIVERY_CLASS_RETRY, "tls", "Look at the log of the server.",
                           "the server cannot encrypt now: %s", heard->words);
    if (native == CURLE_LOGIN_DENIED && heard->code == 250)
        return not_offered(smtp);
    if (native == CURLE_LOGIN_DENIED && heard->code == 334)
        return smtp_failed(smtp, DELIVERY_CLASS_AUTH, "login",
                           "Get a new token for the user, with the right to send mail.",
                           "the server does not take the token");
    if (heard->code >= 400)
        return smtp_refused(smtp, heard, smtp->greeted ? SMTP_STEP_LOGIN : SMTP_STEP_CONNECT,
                            smtp->greeted ? "the log-in was refused" : "the server refused us");
    return false;
}

/* The stage that libcurl does not time for a connection without a transfer. */
static void tell_login(Smtp *smtp)
{
    const DeliveryTalk *talk = transfer_errand(smtp->transfer)->talk;
    curl_off_t all = 0, tls = 0, tcp = 0;
    CURL *curl = transfer_handle(smtp->transfer);

    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &all);
    curl_easy_getinfo(curl, CURLINFO_APPCONNECT_TIME_T, &tls);
    curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &tcp);
    if (smtp->config.auth != SMTP_AUTH_NONE && !smtp->told)
        talk->passed(talk->arg, "login", (all - (tls ? tls : tcp)) / 1000);
    smtp->told = true;
}

static bool connect_anew(Smtp *smtp, const Errand *errand)
{
    smtp_hang_up(smtp);
    smtp->heard = (SmtpReply){ .code = 0 };
    smtp->heard_whole = smtp->greeted = false;
    smtp->in_content = smtp->ending = false;
    smtp->size_max = 0;
    smtp->in_n = smtp->out_n = 0;
    smtp->offers[0] = '\0';
    if (!set_up(smtp, errand))
        return false;
    if (!transfer_run(smtp->transfer, "login", NULL))
        return explain(smtp);
    /* libcurl goes on without log-in when the server offers none at all. */
    if (smtp->config.auth != SMTP_AUTH_NONE && !smtp->offers[0])
        return not_offered(smtp);
    smtp->open = true;
    tell_login(smtp);
    return true;
}

bool smtp_ready(Smtp *smtp, const Errand *errand)
{
    if (smtp->open) {
        transfer_adopt(smtp->transfer, errand);
        if (smtp_reset(smtp))
            return true;
    }
    return connect_anew(smtp, errand);
}

/* --- the transaction ------------------------------------------------------------------------------- */

static bool command(Smtp *smtp, SmtpStep step, SmtpReply *ret_reply, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static bool command(Smtp *smtp, SmtpStep step, SmtpReply *ret_reply, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf((char *)smtp->out, COMMAND_SIZE, fmt, args);
    va_end(args);
    if (n < 0 || n >= COMMAND_SIZE)
        return smtp_failed(smtp, DELIVERY_CLASS_CONFIG, stage_of(step), "Use shorter addresses.",
                           "a command for the server is too long");
    smtp->out_n = (size_t)n;
    return flush(smtp, step) && read_reply(smtp, step, ret_reply);
}

bool smtp_sender(Smtp *smtp, const char *address, int64_t size_bytes, SmtpReply *ret_reply)
{
    if (smtp->size_max > 0 && size_bytes > 0) /* RFC 1870 */
        return command(smtp, SMTP_STEP_SENDER, ret_reply, "MAIL FROM:<%s> SIZE=%lld\r\n", address,
                       (long long)size_bytes);
    return command(smtp, SMTP_STEP_SENDER, ret_reply, "MAIL FROM:<%s>\r\n", address);
}

bool smtp_recipient(Smtp *smtp, const char *address, SmtpReply *ret_reply)
{
    return command(smtp, SMTP_STEP_RECIPIENT, ret_reply, "RCPT TO:<%s>\r\n", address);
}

bool smtp_reset(Smtp *smtp)
{
    SmtpReply reply;

    return command(smtp, SMTP_STEP_SENDER, &reply, "RSET\r\n") &&
           (reply.code == 250 || lost(smtp, "locate", "the server does not begin anew"));
}

bool smtp_content_begin(Smtp *smtp)
{
    SmtpReply reply;

    smtp->at_line_begin = true;
    if (!command(smtp, SMTP_STEP_CONTENT, &reply, "DATA\r\n"))
        return false;
    smtp->in_content = reply.code == 354;
    return smtp->in_content ||
           smtp_refused(smtp, &reply, SMTP_STEP_CONTENT, "the mail was refused");
}

bool smtp_content(Smtp *smtp, Bytes piece)
{
    for (size_t i = 0; i < piece.n; i++) {
        if (smtp->out_n + 2 > OUT_BYTES && !flush(smtp, SMTP_STEP_CONTENT))
            return false;
        if (smtp->at_line_begin && piece.p[i] == '.') /* RFC 5321, 4.5.2 */
            smtp->out[smtp->out_n++] = '.';
        smtp->out[smtp->out_n++] = piece.p[i];
        smtp->at_line_begin = piece.p[i] == '\n';
    }
    return true;
}

bool smtp_content_end(Smtp *smtp)
{
    static const char dot[] = ".\r\n";
    SmtpReply reply;

    if (!smtp->at_line_begin && !smtp_content(smtp, bytes_of_text("\r\n")))
        return false;
    if (!flush(smtp, SMTP_STEP_CONTENT))
        return false;
    smtp->ending = true;
    for (smtp->out_n = 0; dot[smtp->out_n]; smtp->out_n++)
        smtp->out[smtp->out_n] = (uint8_t)dot[smtp->out_n];
    if (!flush(smtp, SMTP_STEP_CONTENT) || !read_reply(smtp, SMTP_STEP_CONTENT, &reply))
        return false;
    smtp->in_content = smtp->ending = false;
    return reply.code == 250 ||
           smtp_refused(smtp, &reply, SMTP_STEP_CONTENT, "the mail was refused");
}
