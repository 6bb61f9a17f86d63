/* destination/ftp.c - deliver to an FTP server, plain or in TLS (RFC 959, 2228, 3659, 4217).
 *
 * The temporary file and its final name are in the same folder. FTP has no rename that refuses to
 * replace: between the look and RNTO somebody else's file of the same name could be replaced by most
 * servers (IIS refuses with 550). */
#include "destination/site.h"
#include "destination/transfer.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

typedef enum FtpEncryption { FTP_EXPLICIT, FTP_IMPLICIT, FTP_PLAIN } FtpEncryption;
typedef enum FtpMode { FTP_PASSIVE, FTP_ACTIVE } FtpMode;

static const char *const encryption_words[] = { "explicit", "implicit", "none", NULL };
static const char *const mode_words[] = { "passive", "active", NULL };

enum { HOST_SIZE = 256, USER_SIZE = 128, URL_BYTES_MAX = 8192 };

typedef struct FtpSettings {
    char host[HOST_SIZE];
    int64_t port;
    char path[PATH_TEXT_SIZE], user[USER_SIZE], password[USER_SIZE];
    int64_t encryption, mode;
    char active_address[HOST_SIZE];
    int64_t timeout_s;
    TLS_MEMBERS;
} FtpSettings;

static const Field ftp_fields[] = {
    TEXT(FtpSettings, host, true, "Name or address of the server."),
    INTEGER(FtpSettings, port, 0, 65535, 0, "Port; 0 is 21, or 990 with implicit encryption."),
    TEXT(FtpSettings, path, false,
         "Existing folder: from where a log-in leads, or from the root when it begins with /."),
    TEXT(FtpSettings, user, false, "User; empty is anonymous."),
    SECRET(FtpSettings, password, "Password of the user."),
    CHOICE(FtpSettings, encryption, encryption_words, FTP_EXPLICIT,
           "explicit: AUTH TLS; implicit: TLS from the first byte; none: everybody on the way can "
           "read."),
    CHOICE(FtpSettings, mode, mode_words, FTP_PASSIVE,
           "passive: we open data connections; active: the server does."),
    TEXT_PRESET(
        FtpSettings, active_address, "-",
        "With active: our address or interface, with :FROM-TO for ports; - takes what is there."),
    TIMEOUT_FIELD(FtpSettings),
    TLS_FIELDS(FtpSettings),
    FIELDS_END,
};

/* What is kept between deliveries. */
typedef struct Ftp {
    Transfer *transfer;
    char folder[PATH_TEXT_SIZE]; /* of the last locate */
    bool located;                /* it was there       */
    bool uploaded;               /* with TLS, over this connection */
} Ftp;

static const char storage_cure[] = "Make room on the server, or raise the quota of the user.";
static const char rights_cure[] =
    "Give the user the right to write, rename and delete in the folder.";

/* Replies to STOR, RNFR, RNTO, MKD and DELE (RFC 959, 4.2.1). 550 says nearly anything. */
static const TransferReply write_replies[] = {
    { 421, 426, DELIVERY_CLASS_RETRY, NULL, "Nothing: it is tried again." },
    { 450, 450, DELIVERY_CLASS_RETRY, NULL, "Nothing: it is tried again when the file is free." },
    { 451, 452, DELIVERY_CLASS_RETRY, NULL, storage_cure },
    { 530, 530, DELIVERY_CLASS_AUTH, "login", "Correct user and password of the destination." },
    { 532, 532, DELIVERY_CLASS_CONFIG, NULL, rights_cure },
    { 550, 551, DELIVERY_CLASS_CONFIG, NULL, rights_cure },
    { 552, 552, DELIVERY_CLASS_RETRY, NULL, storage_cure },
    { 553, 553, DELIVERY_CLASS_CONFIG, NULL, "Choose file names that the server takes." },
    { 500, 504, DELIVERY_CLASS_CONFIG, NULL, "The server does not know a command: use another." },
    { .first = 0 },
};

/* libcurl tells a missing folder by its own code; the reply only adds words. */
static const TransferReply no_replies[] = { { .first = 0 } };

static void *ftp_open(const void *settings)
{
    const FtpSettings *s = settings;
    Ftp *ftp = calloc(1, sizeof *ftp);
    const TransferConfig config = {
        .protocols = "ftp,ftps", .peer = s->host, .timeout_s = s->timeout_s, .tls = TLS_POLICY(s)
    };

    if (ftp)
        ftp->transfer = transfer_new(&config);
    if (ftp && ftp->transfer)
        return ftp;
    free(ftp);
    return NULL;
}

static void ftp_close(void *connection)
{
    Ftp *ftp = connection;

    transfer_free(ftp->transfer);
    free(ftp);
}

/* --- exchanges ------------------------------------------------------------------------------------- */

static void put_path(Buf *url, const char *path)
{
    if (path[0] == '/')
        (void)buf_put_text(url, "%2F");
    while (*path) {
        size_t n = strcspn(path, "/");
        char part[PATH_TEXT_SIZE];

        if (n > 0 && text_copy_bytes(part, sizeof part, (Bytes){ (const uint8_t *)path, n })) {
            (void)url_put(url, part);
            (void)buf_put_u8(url, '/');
        }
        path += n + (path[n] == '/');
    }
}

/* Begins an exchange about a file in the folder, or ("" ) about the folder itself. */
static CURL *begin(const Errand *errand, const char *folder, const char *name)
{
    const FtpSettings *s = errand->settings;
    Ftp *ftp = errand->connection;
    bool ipv6 = strchr(s->host, ':') && s->host[0] != '[';
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);
    CURL *curl = transfer_begin(ftp->transfer, errand);

    (void)buf_printf(&url, "%s://%s%s%s", s->encryption == FTP_IMPLICIT ? "ftps" : "ftp",
                     ipv6 ? "[" : "", s->host, ipv6 ? "]" : "");
    if (s->port)
        (void)buf_printf(&url, ":%lld", (long long)s->port);
    (void)buf_put_u8(&url, '/');
    put_path(&url, s->path);
    put_path(&url, folder);
    (void)url_put(&url, name);
    curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url));
    curl_easy_setopt(curl, CURLOPT_USERNAME, s->user[0] ? s->user : "anonymous");
    curl_easy_setopt(curl, CURLOPT_PASSWORD, s->user[0] ? s->password : "platen@");
    curl_easy_setopt(curl, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_SINGLECWD);
    curl_easy_setopt(curl, CURLOPT_FTPSSLAUTH, (long)CURLFTPAUTH_TLS);
    if (s->encryption != FTP_PLAIN)
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    if (s->mode == FTP_ACTIVE)
        curl_easy_setopt(curl, CURLOPT_FTPPORT, s->active_address);
    if (!name[0])
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    return curl;
}

/* Commands in the folder, sent after going there. b may be NULL. */
static bool command(const Errand *errand, const char *stage, const char *a, const char *b,
                    const TransferReply *replies)
{
    Ftp *ftp = errand->connection;
    CURL *curl = begin(errand, ftp->folder, "");
    struct curl_slist *commands = curl_slist_append(NULL, a);
    struct curl_slist *both = b ? curl_slist_append(commands, b) : commands;

    curl_easy_setopt(curl, CURLOPT_POSTQUOTE, commands);
    bool ok = commands && both ? transfer_run(ftp->transfer, stage, replies)
                               : transfer_failed(ftp->transfer, DELIVERY_CLASS_RETRY, stage,
                                                 "Give the server more memory.", "no memory");
    curl_slist_free_all(commands);
    return ok;
}

/* A verb and a name on one line; names hold no line end (model/name.h). */
static bool command_line(const char *verb, const char *name, char ret_line[FILE_NAME_BYTES_MAX + 8])
{
    return text_printf(ret_line, FILE_NAME_BYTES_MAX + 8, "%s %s", verb, name);
}

/* --- verbs ----------------------------------------------------------------------------------------- */

/* Debian 12's libcurl 7.88 leaves an empty file when it opens the data port itself with TLS. */
static bool check_settings(const Errand *errand)
{
    const FtpSettings *s = errand->settings;
    Ftp *ftp = errand->connection;

    (void)begin(errand, "", "");
    if (s->mode == FTP_ACTIVE && s->encryption != FTP_PLAIN)
        return transfer_failed(ftp->transfer, DELIVERY_CLASS_CONFIG, "connect",
                               "Set mode to passive.", "active mode cannot be encrypted");
    return true;
}

static bool go_to(const Errand *errand, const char *folder, bool make)
{
    Ftp *ftp = errand->connection;
    CURL *curl = begin(errand, folder, "");
    struct curl_slist *utf8 = curl_slist_append(NULL, "*OPTS UTF8 ON"); /* RFC 2640 */

    curl_easy_setopt(curl, CURLOPT_QUOTE, utf8);
    if (make) { /* level by level: MKD makes one */
        curl_easy_setopt(curl, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_MULTICWD);
        curl_easy_setopt(curl, CURLOPT_FTP_CREATE_MISSING_DIRS, (long)CURLFTP_CREATE_DIR_RETRY);
    }
    bool ok = transfer_run(ftp->transfer, "locate", no_replies);
    curl_slist_free_all(utf8);
    return ok;
}

static bool ftp_locate(const Errand *errand, const char *folder)
{
    Ftp *ftp = errand->connection;

    /* A server may want a data connection to take up the TLS session of the control connection (proftpd's and
     * vsftpd's preset), and with TLS 1.3 a ticket of it is good for one. libcurl 7.88 has the next one only if
     * that came before it closed the last data connection: seen to fail for every second file. */
    if (ftp->uploaded) {
        transfer_hang_up(ftp->transfer);
        ftp->uploaded = ftp->located = false;
    }
    if (ftp->located && text_equal(ftp->folder, folder))
        return true;
    ftp->located = false;
    if (!check_settings(errand) || !go_to(errand, "", false) ||
        (folder[0] && !go_to(errand, folder, true)))
        return false;
    ftp->located = text_copy(ftp->folder, sizeof ftp->folder, folder);
    return true;
}

static bool ftp_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    /* 550 is also what SIZE says of a folder (RFC 3659, 4.3); RNTO onto it is refused then. */
    static const TransferReply missing[] = {
        { 550, 550, DELIVERY_CLASS_OK, NULL, NULL },
        { .first = 0 },
    };
    Ftp *ftp = errand->connection;
    CURL *curl = begin(errand, ftp->folder, name);
    curl_off_t size = -1;

    *ret_file = (SiteFile){ .size_bytes = -1 };
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (!transfer_run(ftp->transfer, "verify", missing))
        return false;
    if (transfer_code(ftp->transfer) == 550)
        return true;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    if (size < 0)
        return transfer_failed(ftp->transfer, DELIVERY_CLASS_CONFIG, "verify",
                               "Switch the command SIZE on in the server, or use another.",
                               "the server does not tell the size of a file");
    *ret_file = (SiteFile){ .found = true, .plain = true, .size_bytes = size };
    return true;
}

static bool ftp_write(const Errand *errand, const char *name)
{
    const FtpSettings *s = errand->settings;
    Ftp *ftp = errand->connection;

    (void)begin(errand, ftp->folder, name);
    transfer_upload(ftp->transfer);
    ftp->uploaded = s->encryption != FTP_PLAIN;
    return transfer_run(ftp->transfer, "write", write_replies);
}

static bool ftp_rename(const Errand *errand, const char *from, const char *to, bool replace,
                       bool *ret_taken)
{
    char rename_from[FILE_NAME_BYTES_MAX + 8], rename_to[FILE_NAME_BYTES_MAX + 8];
    Ftp *ftp = errand->connection;
    SiteFile file = { 0 };

    *ret_taken = false;
    if (!replace) {
        if (!ftp_look(errand, to, &file))
            return false;
        *ret_taken = file.found;
        if (file.found)
            return true;
    }
    return (command_line("RNFR", from, rename_from) && command_line("RNTO", to, rename_to) &&
            command(errand, "rename", rename_from, rename_to, write_replies)) ||
           (ftp->located = false);
}

static bool ftp_remove(const Errand *errand, const char *name)
{
    /* 550 is "not there" and "not allowed": a look tells which. */
    static const TransferReply replies[] = {
        { 550, 550, DELIVERY_CLASS_OK, NULL, NULL },
        { .first = 0 },
    };
    char line[FILE_NAME_BYTES_MAX + 8];
    Ftp *ftp = errand->connection;
    SiteFile file = { 0 };

    if (!command_line("DELE", name, line) || !command(errand, "remove", line, NULL, replies))
        return false;
    if (transfer_code(ftp->transfer) != 550)
        return true;
    return ftp_look(errand, name, &file) &&
           (!file.found || transfer_failed(ftp->transfer, DELIVERY_CLASS_CONFIG, "remove",
                                           rights_cure, "%s cannot be deleted", name));
}

static const SiteVerbs ftp_verbs = {
    .locate = ftp_locate,
    .look = ftp_look,
    .write = ftp_write,
    .rename = ftp_rename,
    .remove = ftp_remove,
};

extern const DestinationType destination_ftp;
const DestinationType destination_ftp = {
    .name = "ftp",
    .title = "FTP server",
    .fields = ftp_fields,
    .settings_size = sizeof(FtpSettings),
    .options = site_option_fields,
    .options_size = sizeof(SiteOptions),
    .traits = DESTINATION_RENAMES,
    .site = &ftp_verbs,
    .open = ftp_open,
    .close = ftp_close,
};
