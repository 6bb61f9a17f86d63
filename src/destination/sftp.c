/* destination/sftp.c - deliver to an SSH server by SFTP (draft-ietf-secsh-filexfer-02, version 3).
 *
 * The rename of version 3 refuses to replace, and OpenSSH keeps to it by link(2): nobody's file is
 * ever replaced. Where a job says overwrite, the old file is deleted first: for a moment there is none.
 * Which host key is trusted is asked inside the key exchange, before user and password are sent; tests
 * and results call that stage tls, as for every other encryption. libssh2 1.10 (Debian 12) signs RSA with
 * SHA-1 only, which OpenSSH refuses since 8.8: for host keys and for users' keys alike it takes Ed25519
 * or ECDSA. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "destination/site.h"
#include "destination/transfer.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum HostTrust { HOST_PIN, HOST_FIRST_USE, HOST_INSECURE } HostTrust;

static const char *const host_trust_words[] = { "pin", "first-use", "insecure", NULL };

enum {
    HOST_SIZE = 256,
    USER_SIZE = 128,
    KEY_SIZE = 8192, /* an RSA key of 8192 bits has 6.4 kB */
    HOST_KEYS_SIZE = 512,
    FINGERPRINT_SIZE = 64, /* "SHA256:" and 43 characters */
    LOGIN_WORDS_SIZE = 160,
    LINE_BYTES_MAX = 16384, /* URLs and commands */
    FILE_MODE = 0664,       /* the umask of the server is taken off */
    FOLDER_MODE = 0775,
    SOCKETS_MAX = 4,          /* a connect tries IPv6 and IPv4 at the same time */
    STATVFS_READ_ONLY = 1,    /* SSH_FXE_STATVFS_ST_RDONLY of statvfs@openssh.com */
    SPACE_SPARE = 256 * 1024, /* left for the file system's own needs */
};

typedef struct SftpSettings {
    char host[HOST_SIZE];
    int64_t port;
    char path[PATH_TEXT_SIZE], user[USER_SIZE], password[USER_SIZE];
    char private_key[KEY_SIZE], passphrase[USER_SIZE];
    int64_t host_trust;
    char host_key[HOST_KEYS_SIZE];
    int64_t timeout_s;
} SftpSettings;

static const Field sftp_fields[] = {
    TEXT(SftpSettings, host, true, "Name or address of the server."),
    INTEGER(SftpSettings, port, 1, 65535, 22, "Port."),
    TEXT(SftpSettings, path, false,
         "Existing folder: from the user's home, or from the root when it begins with /."),
    TEXT(SftpSettings, user, true, "User."),
    SECRET(SftpSettings, password, "Password of the user; empty when only a key is used."),
    SECRET(SftpSettings, private_key,
           "Private key of the user as PEM text, Ed25519 or ECDSA; tried before the password."),
    SECRET(SftpSettings, passphrase, "Passphrase of the private key, if it has one."),
    CHOICE(SftpSettings, host_trust, host_trust_words, HOST_PIN,
           "Which server is trusted: pin (host_key), first-use (learns host_key when it is empty), "
           "insecure (any)."),
    TEXT(SftpSettings, host_key, false,
         "Fingerprint of the server's key as ssh-keygen -l prints it, SHA256:...; several are "
         "separated by blanks."),
    TIMEOUT_FIELD(SftpSettings),
    FIELDS_END,
};

/* What is kept between deliveries. */
typedef struct Sftp {
    const SftpSettings *settings;
    const Errand *errand; /* of the exchange */
    Transfer *transfer;
    int sockets[SOCKETS_MAX];      /* that are open; -1 = none                         */
    int key_fd;                    /* the private key, in memory only; -1 = none       */
    char learnt[FINGERPRINT_SIZE]; /* at first use; "" = nothing                       */
    char seen[FINGERPRINT_SIZE];   /* of a key that is not trusted; "" = none          */
    const char *seen_type;         /* its type                                         */
    char folder[PATH_TEXT_SIZE];   /* of the last locate                               */
    char key_failure[LOGIN_WORDS_SIZE], methods[LOGIN_WORDS_SIZE]; /* libcurl's words */
    int64_t space_left;                                            /* -1: not told     */
    bool read_only;                                                /* as it is mounted */
} Sftp;

static const char storage_cure[] = "Make room on the server, or raise the quota of the user.";
static const char rights_cure[] =
    "Give the user the right to write, rename and delete in the folder.";
static const char folder_cure[] =
    "Make the folder on the server, or correct its path and the rights of the user.";

/* --- whom to trust --------------------------------------------------------------------------------- */

static const char *key_type_name(int type)
{
    switch (type) {
    case CURLKHTYPE_ED25519:
        return "ED25519";
    case CURLKHTYPE_ECDSA:
        return "ECDSA";
    case CURLKHTYPE_RSA:
        return "RSA";
    default:
        return "other";
    }
}

/* "SHA256:" and base64 without its padding, as ssh-keygen prints it. */
static bool fingerprint_of(const char *key, size_t n, char ret[FINGERPRINT_SIZE])
{
    unsigned char hash[EVP_MAX_MD_SIZE], text[FINGERPRINT_SIZE];
    unsigned hash_n = 0;

    if (EVP_Digest(key, n, hash, &hash_n, EVP_sha256(), NULL) != 1)
        return false;
    (void)EVP_EncodeBlock(text, hash, (int)hash_n);
    text[strcspn((char *)text, "=")] = '\0';
    return text_printf(ret, FINGERPRINT_SIZE, "SHA256:%s", (char *)text);
}

/* Is the fingerprint one of the list? Padding, which some tools print, does not count. */
static bool is_listed(const char *list, const char *fingerprint)
{
    Bytes word;

    while (text_next_word(&list, " ,;\t\r\n", &word)) {
        while (word.n > 0 && word.p[word.n - 1] == '=')
            word.n--;
        if (bytes_equal_text(word, fingerprint))
            return true;
    }
    return false;
}

/* Runs inside the key exchange: nothing about the user was sent yet. */
static int check_host_key(void *arg, int type, const char *key, size_t n)
{
    Sftp *sftp = arg;
    const SftpSettings *s = sftp->settings;
    const DeliveryTalk *talk = sftp->errand->talk;
    char fingerprint[FINGERPRINT_SIZE];

    if (s->host_trust == HOST_INSECURE)
        return CURLKHMATCH_OK;
    if (!fingerprint_of(key, n, fingerprint))
        return CURLKHMATCH_MISMATCH;
    if (is_listed(s->host_key, fingerprint) || text_equal(sftp->learnt, fingerprint))
        return CURLKHMATCH_OK;
    if (s->host_trust == HOST_FIRST_USE && !s->host_key[0] && !sftp->learnt[0] &&
        talk->learn(talk->arg, "host_key", fingerprint)) {
        (void)text_copy(sftp->learnt, sizeof sftp->learnt, fingerprint);
        return CURLKHMATCH_OK;
    }
    (void)text_copy(sftp->seen, sizeof sftp->seen, fingerprint);
    sftp->seen_type = key_type_name(type);
    return CURLKHMATCH_MISMATCH;
}

/* --- the user's key -------------------------------------------------------------------------------- */

/* libcurl wants the name of a file: this one is in memory and has no name that others could open. A pasted
 * text may have no line end after its last line, which libssh2 cannot read. */
static bool keep_key(Sftp *sftp, const char *pem)
{
    AUTO_BUF text = buf_with_max(KEY_SIZE + 1);
    Err err;

    (void)buf_printf(&text, "%s\n", pem);
    sftp->key_fd = memfd_create("platen-deliver-key", MFD_CLOEXEC);
    bool ok = sftp->key_fd >= 0 && !text.failed &&
              file_write_all(sftp->key_fd, buf_bytes(&text), &err);
    if (text.p)
        explicit_bzero(text.p, text.n);
    return ok;
}

static void sftp_close(void *connection)
{
    Sftp *sftp = connection;

    transfer_free(sftp->transfer);
    fd_autoclose(&sftp->key_fd);
    free(sftp);
}

static void *sftp_open(const void *settings)
{
    const SftpSettings *s = settings;
    Sftp *sftp = calloc(1, sizeof *sftp);
    const TransferConfig config = { .protocols = "sftp",
                                    .peer = s->host,
                                    .timeout_s = s->timeout_s };

    if (!sftp)
        return NULL;
    sftp->settings = s;
    sftp->key_fd = -1;
    for (size_t i = 0; i < COUNT_OF(sftp->sockets); i++)
        sftp->sockets[i] = -1;
    sftp->transfer = transfer_new(&config);
    if (sftp->transfer && (!s->private_key[0] || keep_key(sftp, s->private_key)))
        return sftp;
    sftp_close(sftp);
    return NULL;
}

/* --- paths ----------------------------------------------------------------------------------------- */

/* "~/scans" and "scans" are the same. */
static const char *plain_path(const char *path)
{
    if (path[0] == '~' && (path[1] == '/' || path[1] == '\0'))
        path += 1 + (path[1] == '/');
    return path;
}

static void put_parts(Buf *url, const char *path)
{
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

/* The path of a file below a folder below the settings' one, as commands have it: in double quotes; relative
 * ones begin in the user's home. */
static void put_quoted(Buf *line, const Sftp *sftp, const char *folder, const char *name)
{
    const char *const parts[] = { plain_path(sftp->settings->path), folder, name };
    bool slash = true, empty = true;

    (void)buf_put_text(line, " \"");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i][0])
            continue;
        if (!slash)
            (void)buf_put_u8(line, '/');
        for (const char *c = parts[i]; *c; c++) {
            if (*c == '"' || *c == '\\')
                (void)buf_put_u8(line, '\\');
            (void)buf_put_u8(line, (uint8_t)*c);
        }
        slash = text_ends_with(parts[i], "/");
        empty = false;
    }
    (void)buf_put_text(line, empty ? ".\"" : "\"");
}

/* --- sockets: libcurl 7.88 says good-bye to a server that hangs, waits a second and then forgets all of the
 * session's memory. On a socket that is shut down it frees it, at once. */

static int note_socket(void *arg, curl_socket_t socket, curlsocktype purpose)
{
    Sftp *sftp = arg;

    (void)purpose;
    for (size_t i = 0; i < COUNT_OF(sftp->sockets); i++)
        if (sftp->sockets[i] < 0) {
            sftp->sockets[i] = socket;
            break;
        }
    return CURL_SOCKOPT_OK;
}

static int close_socket(void *arg, curl_socket_t socket)
{
    Sftp *sftp = arg;

    for (size_t i = 0; i < COUNT_OF(sftp->sockets); i++)
        if (sftp->sockets[i] == socket)
            sftp->sockets[i] = -1;
    return close(socket);
}

static void shut_sockets(const Sftp *sftp)
{
    for (size_t i = 0; i < COUNT_OF(sftp->sockets); i++)
        if (sftp->sockets[i] >= 0)
            (void)shutdown(sftp->sockets[i], SHUT_RDWR);
}

/* --- exchanges ------------------------------------------------------------------------------------- */

/* Why a log-in failed, and that it gives up, libcurl only tells with its news about its work. */
static int hear(CURL *curl, curl_infotype type, char *bytes, size_t n, void *arg)
{
    static const char key_failed[] = "SSH public key authentication failed: ";
    static const char methods[] = "SSH authentication methods available: ";
    Sftp *sftp = arg;
    char line[LOGIN_WORDS_SIZE * 2];

    (void)curl;
    if (type != CURLINFO_TEXT)
        return 0;
    (void)text_copy_bytes(line, sizeof line, (Bytes){ (const uint8_t *)bytes, n });
    line[strcspn(line, "\r\n")] = '\0';
    if (text_starts_with(line, key_failed))
        (void)text_copy(sftp->key_failure, sizeof sftp->key_failure, line + sizeof key_failed - 1);
    if (text_starts_with(line, "Operation too slow") || strstr(line, "timed out"))
        shut_sockets(sftp);
    if (text_starts_with(line, methods))
        (void)text_copy(sftp->methods, sizeof sftp->methods, line + sizeof methods - 1);
    return 0;
}

static void set_login(CURL *curl, Sftp *sftp)
{
    const SftpSettings *s = sftp->settings;
    char key_path[64];
    long methods = 0;

    curl_easy_setopt(curl, CURLOPT_USERNAME, s->user);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, s->password);
    if (s->password[0])
        methods |= CURLSSH_AUTH_PASSWORD | CURLSSH_AUTH_KEYBOARD;
    if (sftp->key_fd >= 0) {
        methods |= CURLSSH_AUTH_PUBLICKEY;
        (void)text_printf(key_path, sizeof key_path, "/proc/self/fd/%d", sftp->key_fd);
        curl_easy_setopt(curl, CURLOPT_SSH_PRIVATE_KEYFILE, key_path);
        curl_easy_setopt(curl, CURLOPT_KEYPASSWD, s->passphrase);
    }
    curl_easy_setopt(curl, CURLOPT_SSH_AUTH_TYPES, methods ? methods : CURLSSH_AUTH_PASSWORD);
    curl_easy_setopt(curl, CURLOPT_SSH_HOSTKEYFUNCTION, check_host_key);
    curl_easy_setopt(curl, CURLOPT_SSH_HOSTKEYDATA, sftp);
}

/* Begins an exchange about a file in the folder, or ("") about the folder itself. Without an upload it tells
 * time and size, and no content comes. */
static CURL *begin(const Errand *errand, const char *folder, const char *name)
{
    Sftp *sftp = errand->connection;
    const SftpSettings *s = sftp->settings;
    const char *path = plain_path(s->path);
    bool ipv6 = strchr(s->host, ':') && s->host[0] != '[';
    AUTO_BUF url = buf_with_max(LINE_BYTES_MAX);
    CURL *curl = transfer_begin(sftp->transfer, errand);

    sftp->errand = errand;
    sftp->seen[0] = sftp->key_failure[0] = sftp->methods[0] = '\0';
    (void)buf_printf(&url, "sftp://%s%s%s:%lld%s", ipv6 ? "[" : "", s->host, ipv6 ? "]" : "",
                     (long long)s->port, path[0] == '/' ? "/" : "/~/");
    put_parts(&url, path);
    put_parts(&url, folder);
    (void)url_put(&url, name);
    curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url));
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, hear);
    curl_easy_setopt(curl, CURLOPT_DEBUGDATA, sftp);
    curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, note_socket);
    curl_easy_setopt(curl, CURLOPT_SOCKOPTDATA, sftp);
    curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, sftp);
    curl_easy_setopt(curl, CURLOPT_NEW_FILE_PERMS, (long)FILE_MODE);
    curl_easy_setopt(curl, CURLOPT_NEW_DIRECTORY_PERMS, (long)FOLDER_MODE);
    curl_easy_setopt(curl, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    set_login(curl, sftp);
    return curl;
}

static bool fail_host_key(Sftp *sftp)
{
    return transfer_failed(
        sftp->transfer, DELIVERY_CLASS_CONFIG, "tls",
        sftp->settings->host_key[0]
            ? "If the server's key was changed on purpose, set host_key to the new one; else find "
              "out who answers."
            : "Compare it with what ssh-keygen -l prints on the server, then set host_key to it.",
        "the server's %s key is %s, which is not trusted", sftp->seen_type, sftp->seen);
}

static bool fail_login(Sftp *sftp)
{
    static const char key_cure[] =
        "Enter the public key at the server; keys must be Ed25519 or ECDSA, since RSA is signed as "
        "new servers refuse it.";
    bool unread = strstr(sftp->key_failure, "private key") != NULL;
    const char *cure = unread                 ? "Correct the private key or its passphrase."
                       : sftp->key_failure[0] ? key_cure
                                              : "Correct user and password of the destination.";

    return transfer_failed(
        sftp->transfer, DELIVERY_CLASS_AUTH, "login", cure, "the server refuses the user%s%s%s%s%s",
        sftp->methods[0] ? "; it takes " : "", sftp->methods, sftp->key_failure[0] ? "; key: " : "",
        sftp->key_failure, unread ? " (wrong passphrase, or not a private key)" : "");
}

/* What comes before any command: libcurl has no code of its own for these. */
static bool run(const Errand *errand, const char *stage, const TransferReply *replies)
{
    Sftp *sftp = errand->connection;

    if (transfer_run(sftp->transfer, stage, replies))
        return true;
    switch (transfer_code(sftp->transfer)) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return sftp->seen[0] ? fail_host_key(sftp) : false;
    case CURLE_LOGIN_DENIED:
        return fail_login(sftp);
    default:
        return false;
    }
}

/* Answers that mean the same everywhere; the codes are libcurl's. 79 is also what OpenSSH says of a full disk
 * and of nearly everything else that has no code of its own (SSH_FX_FAILURE). */
#define SFTP_REPLIES                                                                              \
    { CURLE_FAILED_INIT, CURLE_FAILED_INIT, DELIVERY_CLASS_CONFIG, "tls",                         \
      "The server must offer an Ed25519 or ECDSA host key, a key exchange of today, and SFTP." }, \
        { CURLE_REMOTE_ACCESS_DENIED, CURLE_REMOTE_ACCESS_DENIED, DELIVERY_CLASS_CONFIG, NULL,    \
          rights_cure },                                                                          \
        { CURLE_REMOTE_DISK_FULL, CURLE_REMOTE_DISK_FULL, DELIVERY_CLASS_RETRY, NULL,             \
          storage_cure },                                                                         \
        { CURLE_REMOTE_FILE_NOT_FOUND, CURLE_REMOTE_FILE_NOT_FOUND, DELIVERY_CLASS_CONFIG, NULL,  \
          folder_cure },                                                                          \
        { CURLE_QUOTE_ERROR, CURLE_QUOTE_ERROR, DELIVERY_CLASS_CONFIG, NULL, rights_cure },       \
        { CURLE_SSH, CURLE_SSH, DELIVERY_CLASS_RETRY, NULL,                                       \
          "Look at the room on the server's disk, the quota of the user and the server's log." }, \
    {                                                                                             \
        .first = 0                                                                                \
    }
static const TransferReply sftp_replies[] = { SFTP_REPLIES };

/* Commands that are sent in one exchange, each only when those before it succeeded. */
typedef struct Commands {
    struct curl_slist *list;
    bool failed; /* one of them is not in the list */
} Commands;

/* Adds a command about one or two (b not NULL) files in the folder. A * in front: it may fail. */
static void add_command(Commands *commands, const Sftp *sftp, const char *verb, const char *folder,
                        const char *a, const char *b)
{
    AUTO_BUF line = buf_with_max(LINE_BYTES_MAX);

    (void)buf_put_text(&line, verb);
    put_quoted(&line, sftp, folder, a);
    if (b)
        put_quoted(&line, sftp, folder, b);
    struct curl_slist *longer = line.failed ? NULL
                                            : curl_slist_append(commands->list, buf_text(&line));
    commands->failed = commands->failed || !longer;
    commands->list = longer ? longer : commands->list;
}

/* Runs the exchange that was begun with the commands first, and frees them. */
static bool run_commands(const Errand *errand, const char *stage, Commands *commands)
{
    Sftp *sftp = errand->connection;

    curl_easy_setopt(transfer_handle(sftp->transfer), CURLOPT_QUOTE, commands->list);
    bool ok = commands->failed ? transfer_failed(sftp->transfer, DELIVERY_CLASS_RETRY, stage,
                                                 "Give the server more memory.", "no memory")
                               : run(errand, stage, sftp_replies);
    curl_slist_free_all(commands->list);
    *commands = (Commands){ 0 };
    return ok;
}

/* --- verbs ----------------------------------------------------------------------------------------- */

/* What statvfs tells comes in one piece: "f_frsize: N" and the like, one a line. */
static bool read_number(const char *text, const char *word, int64_t *ret_number)
{
    const char *at = strstr(text, word);
    char digits[24];

    if (!at)
        return false;
    at += strlen(word);
    (void)text_copy_bytes(digits, sizeof digits,
                          (Bytes){ (const uint8_t *)at, strspn(at, "0123456789") });
    return text_to_int(digits, 0, INT64_MAX, ret_number);
}

static size_t hear_space(char *bytes, size_t one, size_t n, void *arg)
{
    Sftp *sftp = arg;
    int64_t unit, all, left, flags;
    char text[1024];

    (void)one;
    (void)text_copy_bytes(text, sizeof text, (Bytes){ (const uint8_t *)bytes, n });
    if (read_number(text, "f_frsize: ", &unit) && read_number(text, "f_blocks: ", &all) &&
        read_number(text, "f_bavail: ", &left) && read_number(text, "f_flag: ", &flags)) {
        sftp->read_only = (flags & STATVFS_READ_ONLY) != 0;
        if (all > 0 && unit > 0 && left < INT64_MAX / unit)
            sftp->space_left = left * unit;
    }
    return n;
}

static bool check_space(const Errand *errand)
{
    Sftp *sftp = errand->connection;
    int64_t size = errand->parcel->size_bytes;

    if (sftp->read_only)
        return transfer_failed(sftp->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Mount the folder's disk for writing.",
                               "the folder is on a disk that is mounted read-only");
    if (sftp->space_left >= 0 && sftp->space_left < size + SPACE_SPARE)
        return transfer_failed(sftp->transfer, DELIVERY_CLASS_RETRY, "locate", storage_cure,
                               "the disk has %lld bytes left, the document needs %lld",
                               (long long)sftp->space_left, (long long)size);
    return true;
}

/* Is a folder of this name there, "" = the settings' own? A file does not count: the name ends in a slash. */
static bool run_in_folder(const Errand *errand, Commands *commands, bool *ret_there)
{
    Sftp *sftp = errand->connection;
    curl_off_t time = -1;

    if (!run_commands(errand, "locate", commands))
        return false;
    curl_easy_getinfo(transfer_handle(sftp->transfer), CURLINFO_FILETIME_T, &time);
    *ret_there = time >= 0;
    return true;
}

/* Makes what is missing below the settings' folder, level by level. */
static bool make_folders(const Errand *errand, const char *folder)
{
    Sftp *sftp = errand->connection;
    Commands commands = { 0 };
    char level[PATH_TEXT_SIZE];
    bool there = false;

    for (const char *end = folder; *end; end += *end == '/') {
        end += strcspn(end, "/");
        (void)text_copy_bytes(level, sizeof level,
                              (Bytes){ (const uint8_t *)folder, (size_t)(end - folder) });
        add_command(&commands, sftp, "*mkdir", level, "", NULL);
    }
    (void)begin(errand, folder, "");
    return run_in_folder(errand, &commands, &there) &&
           (there || transfer_failed(sftp->transfer, DELIVERY_CLASS_CONFIG, "locate", rights_cure,
                                     "the folder %s cannot be made", folder));
}

static bool sftp_locate(const Errand *errand, const char *folder)
{
    Sftp *sftp = errand->connection;
    Commands commands = { 0 };
    bool there = false;

    add_command(&commands, sftp, "*statvfs", "", "", NULL);
    sftp->space_left = -1;
    sftp->read_only = false;
    CURL *curl = begin(errand, "", "");
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, hear_space);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, sftp);
    if (!run_in_folder(errand, &commands, &there))
        return false;
    if (!there)
        return transfer_failed(sftp->transfer, DELIVERY_CLASS_CONFIG, "locate", folder_cure,
                               "the folder %s is not there", sftp->settings->path);
    return check_space(errand) && (!folder[0] || make_folders(errand, folder)) &&
           text_copy(sftp->folder, sizeof sftp->folder, folder);
}

/* Is the thing of this name a folder? */
static bool is_folder(const Errand *errand, const char *name, bool *ret_folder)
{
    Sftp *sftp = errand->connection;
    char path[PATH_TEXT_SIZE + FILE_NAME_BYTES_MAX];
    Commands none = { 0 };

    (void)text_printf(path, sizeof path, "%s/%s", sftp->folder, name);
    (void)begin(errand, path, "");
    return run_in_folder(errand, &none, ret_folder);
}

static bool sftp_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    static const TransferReply replies[] = {
        { CURLE_REMOTE_ACCESS_DENIED, CURLE_REMOTE_ACCESS_DENIED, DELIVERY_CLASS_OK, NULL, NULL },
        { CURLE_REMOTE_FILE_NOT_FOUND, CURLE_REMOTE_FILE_NOT_FOUND, DELIVERY_CLASS_OK, NULL, NULL },
        SFTP_REPLIES,
    };
    Sftp *sftp = errand->connection;
    curl_off_t size = -1, time = -1;
    bool folder = false;

    *ret_file = (SiteFile){ .size_bytes = -1 };
    CURL *curl = begin(errand, sftp->folder, name);
    if (!run(errand, "verify", replies))
        return false;
    if (transfer_code(sftp->transfer) == CURLE_REMOTE_FILE_NOT_FOUND)
        return true;
    curl_easy_getinfo(curl, CURLINFO_FILETIME_T, &time);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    if (transfer_code(sftp->transfer) == CURLE_REMOTE_ACCESS_DENIED) {
        ret_file->found = time >= 0;
        return ret_file->found || transfer_failed(sftp->transfer, DELIVERY_CLASS_CONFIG, "verify",
                                                  "Give the user the right to read in the folder.",
                                                  "the user may not look for %s", name);
    }
    /* libcurl does not tell an empty file's size; a folder can be opened, and has some size. */
    size = size < 0 ? 0 : size;
    if (size == errand->parcel->size_bytes && !is_folder(errand, name, &folder))
        return false;
    *ret_file = (SiteFile){ .found = true, .plain = !folder, .size_bytes = size };
    return true;
}

static bool sftp_write(const Errand *errand, const char *name)
{
    Sftp *sftp = errand->connection;
    CURL *curl = begin(errand, sftp->folder, name);

    curl_easy_setopt(curl, CURLOPT_NOBODY, 0L);
    transfer_upload(sftp->transfer);
    return run(errand, "write", sftp_replies);
}

/* Whether a name was taken is found out after the rename refused: before it, it would be a guess. */
static bool sftp_rename(const Errand *errand, const char *from, const char *to, bool replace,
                        bool *ret_taken)
{
    Sftp *sftp = errand->connection;
    Commands commands = { 0 };
    SiteFile file = { 0 };

    *ret_taken = false;
    if (replace)
        add_command(&commands, sftp, "*rm", sftp->folder, to, NULL);
    add_command(&commands, sftp, "rename", sftp->folder, from, to);
    (void)begin(errand, sftp->folder, "");
    if (run_commands(errand, "rename", &commands))
        return true;
    if (replace || transfer_code(sftp->transfer) != CURLE_QUOTE_ERROR)
        return false;
    DeliveryResult why = *errand->result;
    if (!sftp_look(errand, to, &file))
        return false;
    *ret_taken = file.found;
    *errand->result = file.found ? (DeliveryResult){ 0 } : why;
    return file.found;
}

static bool sftp_remove(const Errand *errand, const char *name)
{
    Sftp *sftp = errand->connection;
    Commands commands = { 0 };
    SiteFile file = { 0 };

    add_command(&commands, sftp, "*rm", sftp->folder, name, NULL);
    (void)begin(errand, sftp->folder, "");
    if (!run_commands(errand, "remove", &commands) || !sftp_look(errand, name, &file))
        return false;
    return !file.found || transfer_failed(sftp->transfer, DELIVERY_CLASS_CONFIG, "remove",
                                          rights_cure, "%s cannot be deleted", name);
}

static const SiteVerbs sftp_verbs = {
    .locate = sftp_locate,
    .look = sftp_look,
    .write = sftp_write,
    .rename = sftp_rename,
    .remove = sftp_remove,
};

extern const DestinationType destination_sftp;
const DestinationType destination_sftp = {
    .name = "sftp",
    .title = "SFTP server",
    .fields = sftp_fields,
    .settings_size = sizeof(SftpSettings),
    .options = site_option_fields,
    .options_size = sizeof(SiteOptions),
    .traits = DESTINATION_RENAMES | DESTINATION_EXCLUSIVE,
    .site = &sftp_verbs,
    .open = sftp_open,
    .close = sftp_close,
};
