/* destination/printer.c - print at an IPP printer, or over a queue of the server's CUPS.
 *
 * The job is made, gets the document, and is followed to its end. The id of the delivery is in the job's
 * name, so that a repeat finds the job of an attempt that died:
 *
 *   reserved name   said before         a repeat finds no such job
 *   maybe-<id>      the job is made     it may have been printed and forgotten: UNKNOWN
 *   unsent-<id>     (a failure)         nothing whole was sent: it is printed
 *   none            (an end is known)   the job is not looked for */
#include "base/text.h"
#include "base/time.h"
#include "destination/ipp.h"
#include "destination/printer-options.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_SIZE = 128,
    URL_SIZE = HTTP_URL_SIZE + 16,
    JOB_NAME_SIZE = 256,  /* of IPP, MAXNAME and its NUL                   */
    SHORT_NAME_SIZE = 91, /* some printers cut at 127: the id must be whole */
    MARK_SIZE = 64,
    REASONS_SIZE = 120,
    POLL_FIRST_MS = 200,
    POLL_MAX_MS = 5000,
    FOLLOW_MAX_S = 3600,
    IPP_PORT_PRESET = 631,
};

typedef struct PrinterSettings {
    char uri[HTTP_URL_SIZE], queue[QUEUE_SIZE];
    int64_t auth;
    char user[HTTP_USER_SIZE], password[HTTP_PASSWORD_SIZE];
    bool password_in_clear;
    int64_t follow_s, timeout_s;
    TLS_MEMBERS;
} PrinterSettings;

static const Field printer_fields[] = {
    TEXT(PrinterSettings, uri, false,
         "Address of the printer: ipps:// or ipp://, host and path; or give a queue."),
    TEXT(PrinterSettings, queue, false, "Name of a queue of the server's own CUPS."),
    CHOICE(PrinterSettings, auth, http_auth_words, HTTP_AUTH_NONE,
           "How the printer is told who we are: none, basic, digest, ntlm, negotiate or bearer."),
    TEXT(PrinterSettings, user, false,
         "User for whom is printed, also without a password; empty: platen."),
    SECRET(PrinterSettings, password, "Password of the user; with bearer the token."),
    BOOLEAN(PrinterSettings, password_in_clear, false,
            "Let basic and bearer go over ipp://, where everybody on the way reads them."),
    INTEGER(PrinterSettings, follow_s, 0, FOLLOW_MAX_S, 300,
            "Seconds a job is followed in one attempt; 0: what the printer has accepted is done."),
    TIMEOUT_FIELD(PrinterSettings),
    TLS_FIELDS(PrinterSettings),
    FIELDS_END,
};

/* What is kept between deliveries. */
typedef struct Printer {
    Transfer *transfer;
    char url[URL_SIZE], uri[URL_SIZE], socket[PATH_TEXT_SIZE]; /* url "": the settings are wrong */
    bool old;
} Printer;

/* One delivery at work. */
typedef struct Print {
    IppPeer peer;
    const Errand *errand;
    const PrinterSettings *settings;
    const PrinterOptions *options;
    Printer *printer;
    ipp_t *attributes; /* of the printer */
    char job_name[JOB_NAME_SIZE], maybe[MARK_SIZE], unsent[MARK_SIZE];
    char changes[PRINTER_CHANGES_SIZE];
} Print;

/* What is known of a job. */
typedef struct JobSeen {
    int id, state; /* id 0: there is none */
    int documents; /* -1: not told        */
    char reasons[REASONS_SIZE], message[REASONS_SIZE];
} JobSeen;

/* --- address ----------------------------------------------------------------------------------------- */

/* "ipps://host/path" -> "https://host:631/path". False: it is no such address. */
static bool url_of_uri(const char *uri, char ret_url[URL_SIZE])
{
    bool tls = text_starts_with(uri, "ipps://");
    const char *host = uri + (tls ? 7 : 6);
    size_t n = strcspn(host, "/?#");
    Bytes authority = { (const uint8_t *)host, n };
    const char *colon = memrchr(host, ':', n), *bracket = memrchr(host, ']', n);
    bool with_port = colon && (!bracket || colon > bracket);
    char port[12];

    if ((!tls && !text_starts_with(uri, "ipp://")) || n == 0 || memchr(host, '@', n) ||
        strchr(uri, ' ') || text_has_control(uri))
        return false;
    (void)text_printf(port, sizeof port, ":%d", IPP_PORT_PRESET);
    return text_printf(ret_url, URL_SIZE, "http%s://%.*s%s%s", tls ? "s" : "", (int)authority.n,
                       host, with_port ? "" : port, host[n] == '/' ? host + n : "/");
}

/* Where CUPS is: a socket or a host, as its own client.conf or CUPS_SERVER say. */
static bool find_queue(Printer *p, const char *queue)
{
    const char *server = cupsServer();
    bool local = server[0] == '/';
    bool tls = !local && cupsEncryption() == HTTP_ENCRYPTION_ALWAYS;
    AUTO_BUF path = buf_with_max(URL_SIZE);

    if (strchr(queue, '/') || strchr(queue, '#') || text_has_control(queue) ||
        !url_put(&path, queue))
        return false;
    if (local)
        return text_copy(p->socket, sizeof p->socket, server) &&
               text_printf(p->url, sizeof p->url, "http://localhost/printers/%s",
                           buf_text(&path)) &&
               text_printf(p->uri, sizeof p->uri, "ipp://localhost/printers/%s", buf_text(&path));
    bool v6 = strchr(server, ':') != NULL;
    return text_printf(p->url, sizeof p->url, "http%s://%s%s%s:%d/printers/%s", tls ? "s" : "",
                       v6 ? "[" : "", server, v6 ? "]" : "", ippPort(), buf_text(&path)) &&
           text_printf(p->uri, sizeof p->uri, "ipp%s", p->url + strlen("http"));
}

static void *printer_open(const void *settings)
{
    const PrinterSettings *s = settings;
    Printer *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    bool good = s->queue[0]
                    ? !s->uri[0] && find_queue(p, s->queue)
                    : url_of_uri(s->uri, p->url) && text_copy(p->uri, sizeof p->uri, s->uri);
    if (!good)
        p->url[0] = '\0';
    p->transfer = http_transfer_new(p->socket[0] ? "http://CUPS" : p->url, s->timeout_s,
                                    TLS_POLICY(s));
    if (p->transfer)
        return p;
    free(p);
    return NULL;
}

static void printer_close(void *connection)
{
    Printer *p = connection;

    transfer_free(p->transfer);
    free(p);
}

/* --- the printer -------------------------------------------------------------------------------------- */

static void print_done(Print *print)
{
    if (!print)
        return;
    print->printer->old = print->peer.old;
    ippDelete(print->attributes);
    free(print);
}
DEFINE_AUTO(Print, print_done);

/* NULL with the result filled: no memory, or no address. */
static Print *print_new(const Errand *errand)
{
    const PrinterSettings *s = errand->settings;
    const Parcel *parcel = errand->parcel;
    Printer *p = errand->connection;
    Print *print = calloc(1, sizeof *print);
    char short_name[SHORT_NAME_SIZE];

    if (!print || !p->url[0]) {
        (void)delivery_failed(errand->result, print ? DELIVERY_CLASS_CONFIG : DELIVERY_CLASS_RETRY,
                              "resolve", 0,
                              print ? "Give uri as ipps://HOST/PATH, or queue, and not both."
                                    : "Give the server more memory.",
                              print ? "the destination names no printer" : "no memory to print");
        free(print);
        return NULL;
    }
    *print = (Print){ .errand = errand, .settings = s, .options = errand->options, .printer = p };
    print->peer = (IppPeer){ .transfer = p->transfer,
                             .errand = errand,
                             .url = p->url,
                             .socket = p->socket,
                             .uri = p->uri,
                             .user = s->user[0] ? s->user : "platen",
                             .login = { p->url, (HttpAuth)s->auth, s->user, s->password,
                                        s->password_in_clear },
                             .old = p->old };
    (void)text_copy(short_name, sizeof short_name, parcel->name);
    (void)text_printf(print->job_name, sizeof print->job_name, "%s %s", short_name,
                      parcel->delivery);
    (void)text_printf(print->maybe, sizeof print->maybe, "maybe-%s", parcel->delivery);
    (void)text_printf(print->unsent, sizeof print->unsent, "unsent-%s", parcel->delivery);
    return print;
}

/* Asks for the printer's attributes, which also shows that it is there. */
static bool locate(Print *print)
{
    static const char *const names[] = { "document-format-supported", "operations-supported",
                                         "printer-is-accepting-jobs", "printer-state-reasons",
                                         NULL };
    AUTO(ipp_t) request = ipp_request(&print->peer, IPP_OP_GET_PRINTER_ATTRIBUTES, 0);
    const char *wanted[32] = { NULL };
    size_t n = 0;
    int status;

    for (size_t i = 0; names[i]; i++)
        wanted[n++] = names[i];
    for (size_t i = 0; printer_option_attributes[i] && n < COUNT_OF(wanted) - 1; i++)
        wanted[n++] = printer_option_attributes[i];
    if (request)
        ipp_want(request, wanted);
    return ipp_ask(&print->peer, request, "locate", false, &status, &print->attributes);
}

/* Does it take the format, and jobs as we make them? */
static bool takes(Print *print, const char *format)
{
    ipp_attribute_t *formats = ippFindAttribute(print->attributes, "document-format-supported",
                                                IPP_TAG_MIMETYPE);
    ipp_attribute_t *operations = ippFindAttribute(print->attributes, "operations-supported",
                                                   IPP_TAG_ENUM);
    char has[REASONS_SIZE];

    if (!formats || !ippContainsString(formats, format)) {
        ipp_words(formats, has, sizeof has);
        return transfer_failed(print->printer->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Let the job make files of a format that the printer takes, or use "
                               "a queue of CUPS.",
                               "the printer takes no %s, only: %s", format, has);
    }
    return (operations && ippContainsInteger(operations, IPP_OP_CREATE_JOB) &&
            ippContainsInteger(operations, IPP_OP_SEND_DOCUMENT)) ||
           transfer_failed(print->printer->transfer, DELIVERY_CLASS_CONFIG, "locate",
                           "Print over a queue of CUPS: the printer knows too little IPP.",
                           "the printer cannot make a job and then get its document");
}

static bool is_accepting(Print *print)
{
    ipp_attribute_t *accepting = ippFindAttribute(print->attributes, "printer-is-accepting-jobs",
                                                  IPP_TAG_BOOLEAN);

    return !accepting || ippGetBoolean(accepting, 0) ||
           transfer_failed(print->printer->transfer, DELIVERY_CLASS_RETRY, "locate",
                           "Let the printer accept jobs again.", "the printer accepts no jobs now");
}

/* --- jobs --------------------------------------------------------------------------------------------- */

static const char *const job_attributes[] = {
    "job-id",
    "job-name",
    "job-state",
    "job-state-reasons",
    "job-state-message",
    "job-printer-state-message",
    "number-of-documents",
    NULL,
};

static void take_job_attribute(ipp_attribute_t *a, JobSeen *job, char name[JOB_NAME_SIZE])
{
    const char *word = ippGetName(a);

    if (text_equal(word, "job-id"))
        job->id = ippGetInteger(a, 0);
    else if (text_equal(word, "job-state"))
        job->state = ippGetInteger(a, 0);
    else if (text_equal(word, "number-of-documents"))
        job->documents = ippGetInteger(a, 0);
    else if (text_equal(word, "job-state-reasons"))
        ipp_words(a, job->reasons, sizeof job->reasons);
    else if (text_equal(word, "job-printer-state-message") ||
             (text_equal(word, "job-state-message") && !job->message[0]))
        ipp_words(a, job->message, sizeof job->message);
    else if (text_equal(word, "job-name"))
        (void)text_copy(name, JOB_NAME_SIZE, ippGetString(a, 0, NULL));
}

/* The next job of an answer, from *at on; false when there is no more. */
static bool next_job(ipp_t *answer, ipp_attribute_t **at, JobSeen *job, char name[JOB_NAME_SIZE])
{
    *job = (JobSeen){ .documents = -1 };
    name[0] = '\0';
    while (*at && ippGetGroupTag(*at) != IPP_TAG_JOB)
        *at = ippNextAttribute(answer);
    for (; *at && ippGetGroupTag(*at) == IPP_TAG_JOB; *at = ippNextAttribute(answer))
        take_job_attribute(*at, job, name);
    return job->id > 0;
}

/* The newest job that has this delivery's id in its name, among those of a sort ("completed"). */
static bool find_among(Print *print, const char *which, JobSeen *ret_job)
{
    AUTO(ipp_t) request = ipp_request(&print->peer, IPP_OP_GET_JOBS, 0), *answer = NULL;
    char name[JOB_NAME_SIZE];
    JobSeen job;
    int status;

    if (request) {
        ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_KEYWORD, "which-jobs", NULL, which);
        ipp_want(request, job_attributes);
    }
    if (!ipp_ask(&print->peer, request, "locate", false, &status, &answer))
        return false;
    for (ipp_attribute_t *at = ippFirstAttribute(answer); next_job(answer, &at, &job, name);)
        if (text_ends_with(name, print->errand->parcel->delivery) && job.id > ret_job->id)
            *ret_job = job;
    return true;
}

static bool find_job(Print *print, JobSeen *ret_job)
{
    *ret_job = (JobSeen){ .id = 0 };
    return find_among(print, "not-completed", ret_job) &&
           (ret_job->id > 0 || find_among(print, "completed", ret_job));
}

/* A job that was made and never got its document. */
static bool is_empty(const JobSeen *job)
{
    bool waits = job->state == IPP_JSTATE_PENDING || job->state == IPP_JSTATE_HELD;
    bool incoming = strstr(job->reasons, "job-incoming") || strstr(job->reasons, "insufficient");

    return waits && (job->documents == 0 || (job->documents < 0 && incoming));
}

static bool cancel_job(Print *print, int job_id)
{
    AUTO(ipp_t) request = ipp_request(&print->peer, IPP_OP_CANCEL_JOB, job_id), *answer = NULL;
    int status;

    return ipp_ask(&print->peer, request, "locate", false, &status, &answer);
}

/* --- marks -------------------------------------------------------------------------------------------- */

/* Reserves a mark, "" gives it back; what is told of the delivery stays. If the server is gone, nobody hears
 * either of them. */
static void set_mark(Print *print, const char *mark)
{
    DeliveryResult why = *print->errand->result;

    (void)print->errand->talk->propose(print->errand->talk->arg, mark);
    *print->errand->result = why;
}

/* --- following ---------------------------------------------------------------------------------------- */

/* What a person can do for a printer that waits. */
static const struct {
    const char *reason, *cure;
} waiting_rows[] = {
    { "media-empty", "Put paper into the printer; the job is followed further." },
    { "media-needed", "Put the paper of the job into the printer; it is followed further." },
    { "media-low", "Put paper into the printer; the job is followed further." },
    { "media-jam", "Remove the jammed paper; the job is followed further." },
    { "cover-open", "Close the printer; the job is followed further." },
    { "door-open", "Close the printer; the job is followed further." },
    { "toner-empty", "Put toner into the printer; the job is followed further." },
    { "marker-supply-empty", "Put ink or toner into the printer; the job is followed further." },
    { "paused", "Let the printer go on, it is stopped; the job is followed further." },
    { "printer-stopped", "Let the printer go on, it is stopped; the job is followed further." },
    { "offline", "Switch the printer on; the job is followed further." },
    { "connecting-to-device", "Switch the printer on; the job is followed further." },
};

/* Why the printer waits, in its words; its own reasons are better than those of the job. */
static void printer_reasons(Print *print, char ret_reasons[REASONS_SIZE])
{
    static const char *const names[] = { "printer-state-reasons", NULL };
    AUTO(ipp_t) request = ipp_request(&print->peer, IPP_OP_GET_PRINTER_ATTRIBUTES, 0);
    AUTO(ipp_t) answer = NULL;
    int status;

    ret_reasons[0] = '\0';
    if (request)
        ipp_want(request, names);
    if (ipp_ask(&print->peer, request, "follow", false, &status, &answer))
        ipp_words(ippFindAttribute(answer, names[0], IPP_TAG_KEYWORD), ret_reasons, REASONS_SIZE);
    if (text_equal(ret_reasons, "none"))
        ret_reasons[0] = '\0';
}

static bool fail_waiting(Print *print, const JobSeen *job)
{
    const char *cure = "Look at the printer; the job is followed further.";
    char printer[REASONS_SIZE];

    printer_reasons(print, printer);
    for (size_t i = COUNT_OF(waiting_rows); i > 0; i--)
        if (strstr(printer, waiting_rows[i - 1].reason) ||
            strstr(job->reasons, waiting_rows[i - 1].reason))
            cure = waiting_rows[i - 1].cure;
    return transfer_failed(print->printer->transfer, DELIVERY_CLASS_RETRY, "follow", cure,
                           "job %d still waits or prints: %s%s%s%s%s", job->id, job->reasons,
                           printer[0] ? "; the printer: " : "", printer,
                           job->message[0] ? ": " : "", job->message);
}

static bool fail_ended(Print *print, const JobSeen *job)
{
    bool cancelled = job->state == IPP_JSTATE_CANCELED;

    (void)transfer_failed(print->printer->transfer, DELIVERY_CLASS_FATAL, "follow",
                          cancelled ? "Try the delivery again if it was cancelled by mistake."
                                    : "Look at the printer and its log, then try it again.",
                          "job %d was %s: %s%s%s", job->id, cancelled ? "cancelled" : "aborted",
                          job->reasons, job->message[0] ? ": " : "", job->message);
    set_mark(print, "");
    return false;
}

static bool done(Print *print, const char *stage, int job_id, const char *how)
{
    DeliveryResult *result = print->errand->result;

    (void)errand_done(print->errand, stage, print->errand->parcel->name);
    (void)text_printf(result->text, sizeof result->text, "%s as job %d%s%s", how, job_id,
                      print->changes[0] ? ", " : "", print->changes);
    return true;
}

/* Many printers forget a job as soon as it is done. */
static bool fail_forgotten(Print *print, const char *what)
{
    (void)transfer_failed(print->printer->transfer, DELIVERY_CLASS_UNKNOWN, "follow",
                          "Look whether it was printed; if not, try the delivery again.",
                          "the printer knows no more of %s: it may have been printed", what);
    set_mark(print, "");
    return false;
}

/* One look at a job. */
static bool look(Print *print, int job_id, JobSeen *ret_job)
{
    AUTO(ipp_t) request = ipp_request(&print->peer, IPP_OP_GET_JOB_ATTRIBUTES, job_id);
    AUTO(ipp_t) answer = NULL;
    char name[JOB_NAME_SIZE];
    int status;

    if (request)
        ipp_want(request, job_attributes);
    if (!ipp_ask(&print->peer, request, "follow", false, &status, &answer)) {
        bool forgotten = status == IPP_STATUS_ERROR_NOT_FOUND || status == IPP_STATUS_ERROR_GONE;

        return forgotten && fail_forgotten(print, "the job");
    }
    ipp_attribute_t *at = ippFirstAttribute(answer);
    return next_job(answer, &at, ret_job, name) || fail_forgotten(print, "the job");
}

/* Follows a job that has its document. What fails on the way leaves the mark, and a repeat follows on. */
static bool follow(Print *print, int job_id, const char *how)
{
    Mono end = mono_after(mono_now(), print->settings->follow_s * 1000), alive = mono_now();
    JobSeen job;

    for (int wait_ms = POLL_FIRST_MS;;
         wait_ms = wait_ms < POLL_MAX_MS / 2 ? 2 * wait_ms : POLL_MAX_MS) {
        if (!look(print, job_id, &job))
            return false;
        if (job.state == IPP_JSTATE_COMPLETED)
            return done(print, "follow", job_id, how);
        if (job.state == IPP_JSTATE_CANCELED || job.state == IPP_JSTATE_ABORTED)
            return fail_ended(print, &job);
        if (print->settings->follow_s == 0)
            return done(print, "send", job_id, "accepted, not followed,");
        if (mono_reached(mono_now(), end))
            return fail_waiting(print, &job);
        if (mono_now().ms - alive.ms >= DELIVERY_ALIVE_MS / 2) {
            errand_alive(print->errand);
            alive = mono_now();
        }
        (void)poll(NULL, 0, wait_ms);
    }
}

/* --- printing ----------------------------------------------------------------------------------------- */

/* A request that makes a job, or asks whether it may be made; owned by the caller. */
static bool job_request(Print *print, ipp_op_t operation, const char *format, ipp_t **ret_request)
{
    AUTO(ipp_t) request = ipp_request(&print->peer, operation, 0);

    *ret_request = NULL;
    if (request) {
        ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_NAME, "job-name", NULL, print->job_name);
        if (operation == IPP_OP_VALIDATE_JOB)
            ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_MIMETYPE, "document-format", NULL,
                         format);
        if (print->options && !printer_options_add(&print->peer, print->options, print->attributes,
                                                   request, print->changes))
            return false;
    }
    *ret_request = STEAL(request);
    return true;
}

static bool validate(Print *print, const char *format)
{
    AUTO(ipp_t) request = NULL, *answer = NULL;
    int status;

    return job_request(print, IPP_OP_VALIDATE_JOB, format, &request) &&
           ipp_ask(&print->peer, request, "locate", false, &status, &answer);
}

static bool create(Print *print, const char *format, int *ret_job_id)
{
    AUTO(ipp_t) request = NULL, *answer = NULL;
    int status = -1;

    if (!job_request(print, IPP_OP_CREATE_JOB, format, &request) ||
        !errand_propose(print->errand, print->maybe))
        return false;
    if (ipp_ask(&print->peer, request, "locate", false, &status, &answer)) {
        ipp_attribute_t *id = ippFindAttribute(answer, "job-id", IPP_TAG_INTEGER);

        *ret_job_id = id ? ippGetInteger(id, 0) : 0;
        if (*ret_job_id > 0)
            return true;
        (void)transfer_failed(print->printer->transfer, DELIVERY_CLASS_RETRY, "locate",
                              "Look at the printer and its log.",
                              "the printer gave the job no number");
    }
    set_mark(print, status >= 0 ? "" : print->unsent);
    return false;
}

static bool send_document(Print *print, int job_id, const char *format)
{
    AUTO(ipp_t) request = ipp_request(&print->peer, IPP_OP_SEND_DOCUMENT, job_id);
    AUTO(ipp_t) answer = NULL;
    int status = -1;

    if (request) {
        ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_NAME, "document-name", NULL,
                     print->errand->parcel->name);
        ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_MIMETYPE, "document-format", NULL, format);
        ippAddBoolean(request, IPP_TAG_OPERATION, "last-document", 1);
    }
    if (ipp_ask(&print->peer, request, "send", true, &status, &answer))
        return true;
    if (status < 0 && transfer_all_sent(print->printer->transfer))
        return false; /* it may be printed: a repeat looks */
    DeliveryResult why = *print->errand->result;
    bool gone = !why.peer_lost && cancel_job(print, job_id);
    *print->errand->result = why;
    set_mark(print, gone ? "" : print->unsent);
    return false;
}

static void print_anew(Print *print, const char *format)
{
    int job_id = 0;

    if (is_accepting(print) && validate(print, format) && create(print, format, &job_id) &&
        send_document(print, job_id, format))
        (void)follow(print, job_id, "printed");
}

/* Looks for the job of an earlier attempt. False: all is told; true: it is to be printed anew. */
static bool settle_earlier(Print *print)
{
    const char *reserved = print->errand->parcel->reserved;
    bool maybe = text_equal(reserved, print->maybe);
    JobSeen job;

    if (!maybe && !text_equal(reserved, print->unsent))
        return true;
    if (!find_job(print, &job))
        return false;
    if (job.id == 0)
        return !maybe || fail_forgotten(print, "the job of an earlier attempt");
    if (!maybe || is_empty(&job)) {
        bool ended = job.state >= IPP_JSTATE_CANCELED;

        return ended || cancel_job(print, job.id);
    }
    if (job.state == IPP_JSTATE_ABORTED)
        return true; /* by the end of our connection, or it will be aborted again */
    (void)follow(print, job.id, "printed by an earlier attempt");
    return false;
}

/* --- the kind ----------------------------------------------------------------------------------------- */

static void printer_deliver(const Errand *errand)
{
    const char *format = media_type_of(errand->parcel->name);

    if (errand->parcel->index) {
        (void)errand_done(errand, "send", "");
        (void)text_copy(errand->result->text, sizeof errand->result->text,
                        "an index is not printed; nothing was sent");
        return;
    }
    AUTO(Print) print = print_new(errand);
    if (print && errand_source_sound(errand) && locate(print) && settle_earlier(print) &&
        takes(print, format))
        print_anew(print, format);
}

/* Everything but paper. */
static void printer_test(const Errand *errand)
{
    const DeliveryTalk *talk = errand->talk;
    Mono since = mono_now();
    AUTO(Print) print = print_new(errand);

    if (!print || !locate(print))
        return;
    talk->passed(talk->arg, "locate", mono_now().ms - since.ms);
    ipp_attribute_t *formats = ippFindAttribute(print->attributes, "document-format-supported",
                                                IPP_TAG_MIMETYPE);
    const char *format = formats && ippContainsString(formats, "image/jpeg") &&
                                 !ippContainsString(formats, "application/pdf")
                             ? "image/jpeg"
                             : "application/pdf";

    if (!takes(print, format) || !is_accepting(print) || !validate(print, format))
        return;
    talk->passed(talk->arg, "send", mono_now().ms - since.ms);
    (void)errand_done(errand, "send", "");
    (void)text_printf(errand->result->text, sizeof errand->result->text,
                      "the printer takes %s; a test prints nothing", format);
}

const DestinationType destination_printer = {
    .name = "printer",
    .title = "Printer (IPP or CUPS)",
    .fields = printer_fields,
    .settings_size = sizeof(PrinterSettings),
    .options = printer_option_fields,
    .options_size = sizeof(PrinterOptions),
    .open = printer_open,
    .close = printer_close,
    .deliver = printer_deliver,
    .test = printer_test,
};
