/* destination/smb.c - deliver to a Windows share (SMB 2.1 to 3.1.1; never SMB 1), by libsmbclient.
 *
 * libsmbclient is under the GPL version 3 and not safe with threads: this kind lives in a program of its own,
 * platen-deliver-smb, which has one thread. The administrator's Samba settings do not count: the library
 * is given a configuration of ours.
 *
 * SMB's rename refuses to replace, but libsmbclient then deletes the target and renames again. Version 4.17
 * (Debian 12) tells its log of the refusal before it deletes: there the connection is cut, and what somebody
 * else put there meanwhile stays. tests/destinations/test_smb.py proves it. With other versions nobody
 * has looked: they look first, which leaves a moment between look and rename. Where a job says overwrite, there is
 * no file for a moment. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/site.h"

#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

typedef enum SmbDemand { SMB_AUTO, SMB_REQUIRED } SmbDemand;

static const char *const demand_words[] = { "auto", "required", NULL };

enum {
    SERVER_SIZE = 256,
    SHARE_SIZE = 128,
    USER_SIZE = 128,
    PASSWORD_SIZE = 256,
    URL_SIZE = 8192,
    BLOCK_BYTES = 1024 * 1024,
    WORDS_SIZE = 160,
    CONNECT_TIMEOUT_S = 15,
    DESCRIPTORS_MAX = 256,    /* of this program (worker/main-deliver.c) */
    LOG_LEVEL = 3,            /* from here on refused log-ins and renames are told */
    SPACE_SPARE = 256 * 1024, /* left for the file system's own needs */
};

typedef struct SmbSettings {
    char server[SERVER_SIZE];
    int64_t port;
    char share[SHARE_SIZE], path[PATH_TEXT_SIZE];
    char domain[USER_SIZE], user[USER_SIZE], password[PASSWORD_SIZE];
    bool kerberos;
    int64_t signing, encryption;
    int64_t timeout_s;
} SmbSettings;

static const Field smb_fields[] = {
    TEXT(SmbSettings, server, true, "Name or address of the server; with DFS that of the domain."),
    INTEGER(SmbSettings, port, 1, 65535, 445, "Port."),
    TEXT(SmbSettings, share, true, "Name of the share, for example scans or scans$."),
    TEXT(SmbSettings, path, false, "Existing folder in the share; parts separated by / or \\."),
    TEXT(SmbSettings, domain, false, "Domain of the user; empty for a user of the server itself."),
    TEXT(SmbSettings, user, false, "User; with kerberos user@REALM."),
    SECRET(SmbSettings, password, "Password of the user."),
    BOOLEAN(
        SmbSettings, kerberos, false,
        "Log in by Kerberos only: with the password, or without one with the ticket of the user "
        "platend runs as."),
    CHOICE(SmbSettings, signing, demand_words, SMB_REQUIRED,
           "required: what is not signed is refused; auto: as the server likes."),
    CHOICE(SmbSettings, encryption, demand_words, SMB_AUTO,
           "required: SMB 3 with encryption or nothing; auto: as server and share demand."),
    INTEGER(SmbSettings, timeout_s, 1, 600, 60,
            "Seconds without an answer after which the server counts as hanging."),
    FIELDS_END,
};

/* What is kept between deliveries. */
typedef struct Smb {
    const SmbSettings *settings;
    SMBCCTX *context;            /* NULL: not connected                              */
    char folder[PATH_TEXT_SIZE]; /* of the last locate, below the settings' one      */
    char refusal[WORDS_SIZE];    /* the library's words of a refused log-in, "" = none */
    bool guarding;               /* a rename runs that must not replace              */
    bool collided;               /* its target was there                             */
    uint8_t block[BLOCK_BYTES];
} Smb;

#define GUARDED_VERSION "4.17." /* of Samba; see above */

static const char rights_cure[] = "Give the user the right to write, rename and delete there.";
static const char session_cure[] = "Check that the server speaks SMB 2.1 or newer, and SMB 3 for "
                                   "encryption; else look at its log.";
static const char broken_cure[] =
    "Nothing: it is tried again. If it stays, look at the server's log.";

/* --- the library ----------------------------------------------------------------------------------- */

/* Ends every connection at once; the library then finds out instead of waiting. This program has no other
 * network sockets. */
static void shut_sockets(void)
{
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++) {
        struct sockaddr_storage peer;
        socklen_t n = sizeof peer;

        if (getpeername(fd, (struct sockaddr *)&peer, &n) == 0 &&
            (peer.ss_family == AF_INET || peer.ss_family == AF_INET6))
            (void)shutdown(fd, SHUT_RDWR);
    }
}

/* Whose calls the library's log is about; NULL between connections. The log is one for the process. */
static Smb *heard;

/* The library's log: errno alone does not tell a refused log-in from a missing right, and what happens
 * inside its rename is told nowhere else. */
static void hear(void *arg, int level, const char *line)
{
    static const char refused[] = "SPNEGO login failed: ";
    Smb *smb = heard;
    const char *at = strstr(line, refused);

    (void)arg;
    (void)level;
    if (!smb)
        return;
    if (at) {
        (void)text_copy(smb->refusal, sizeof smb->refusal, at + sizeof refused - 1);
        smb->refusal[strcspn(smb->refusal, "\r\n")] = '\0';
    }
    if (smb->guarding && strstr(line, "NT_STATUS_OBJECT_NAME_COLLISION")) {
        smb->collided = true;
        shut_sockets();
    }
}

static void tell_login(SMBCCTX *context, const char *server, const char *share, char *domain,
                       int domain_size, char *user, int user_size, char *password,
                       int password_size)
{
    const SmbSettings *s = smbc_getOptionUserData(context);

    (void)server;
    (void)share;
    (void)text_copy(domain, (size_t)domain_size, s->domain);
    (void)text_copy(user, (size_t)user_size, s->user);
    (void)text_copy(password, (size_t)password_size, s->password);
}

/* With its first context the library reads $HOME/.smb/smb.conf, or else the system's file, and prints what it
 * does not like there. It gets a HOME with an empty one for as long as it reads. When the last context goes
 * it would begin anew: this one stays. */
static bool start_library(Err *err)
{
    static SMBCCTX *first;
    const char *tmp = getenv("TMPDIR");
    uint8_t bytes[16];
    char random[33], name[64], home[PATH_TEXT_SIZE];

    if (first)
        return true;
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return err_errno(err, errno, "no random bytes");
    text_hex(random, (Bytes){ bytes, sizeof bytes });
    if (!text_printf(name, sizeof name, "platen-smb-%s", random) ||
        !text_printf(home, sizeof home, "%s/%s", tmp && tmp[0] == '/' ? tmp : "/tmp", name))
        return err_set(err, ERR_PERMANENT, ENAMETOOLONG, "TMPDIR is too long");
    AUTO_FD above = file_open_folder(AT_FDCWD, tmp && tmp[0] == '/' ? tmp : "/tmp", err);
    AUTO_FD folder = above < 0 ? -1 : file_make_folder(above, name, err);
    AUTO_FD below = folder < 0 ? -1 : file_make_folder(folder, ".smb", err);
    if (below >= 0 && file_replace(below, "smb.conf", bytes_of_text("[global]\n"), 0600, err)) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the SMB client");
        first = setenv("HOME", home, 1) == 0 ? smbc_new_context() : NULL;
        if (first && !smbc_init_context(first))
            (void)smbc_free_context(STEAL(first), 1);
    }
    Err ignored; /* an empty folder in /tmp is no reason not to deliver */
    if (below >= 0)
        (void)file_remove(below, "smb.conf", &ignored);
    if (folder >= 0)
        (void)file_remove_folder(folder, ".smb", &ignored);
    if (above >= 0)
        (void)file_remove_folder(above, name, &ignored);
    return first != NULL;
}

/* What the library has no functions for. The file is in memory. */
static bool configure(SMBCCTX *context, const SmbSettings *s)
{
    AUTO_BUF text = buf_with_max(1024);
    AUTO_FD fd = memfd_create("platen-smb.conf", MFD_CLOEXEC);
    char path[64];
    Err err;

    (void)buf_printf(&text,
                     "[global]\n"
                     "client min protocol = SMB2_10\n"
                     "client max protocol = SMB3_11\n"
                     "client signing = %s\n"
                     "client use kerberos = %s\n"
                     "name resolve order = host\n"
                     "disable netbios = yes\n",
                     s->signing == SMB_REQUIRED ? "required" : "desired",
                     s->kerberos ? "required" : "off");
    (void)text_printf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd >= 0 && !text.failed && file_write_all(fd, buf_bytes(&text), &err) &&
           smbc_setConfiguration(context, path) == 0 &&
           smbc_setOptionProtocols(context, "SMB2_10", "SMB3_11");
}

static void drop(Smb *smb)
{
    SMBCCTX *context = smb->context;

    smb->context = NULL;
    if (!context)
        return;
    shut_sockets();
    (void)smbc_free_context(context, 1);
    heard = NULL;
}

static SMBCCTX *new_context(Smb *smb)
{
    const SmbSettings *s = smb->settings;
    SMBCCTX *context = smbc_new_context();

    if (!context)
        return NULL;
    heard = smb;
    smbc_setDebug(context, LOG_LEVEL);
    smbc_setLogCallback(context, NULL, hear);
    smbc_setOptionUserData(context, (void *)(uintptr_t)s);
    smbc_setFunctionAuthDataWithContext(context, tell_login);
    smbc_setTimeout(context, (int)s->timeout_s * 1000);
    smbc_setPort(context, (uint16_t)s->port);
    smbc_setOptionNoAutoAnonymousLogin(context, 1);
    smbc_setOptionUseKerberos(context, s->kerberos);
    smbc_setOptionFallbackAfterKerberos(context, 0);
    smbc_setOptionUseCCache(context, 0);
    smbc_setOptionOpenShareMode(context, SMBC_SHAREMODE_DENY_WRITE);
    smbc_setOptionSmbEncryptionLevel(context, s->encryption == SMB_REQUIRED
                                                  ? SMBC_ENCRYPTLEVEL_REQUIRE
                                                  : SMBC_ENCRYPTLEVEL_NONE);
    if (configure(context, s) && smbc_init_context(context))
        return context;
    (void)smbc_free_context(context, 1);
    return NULL;
}

/* --- what a failure means -------------------------------------------------------------------------- */

static const struct {
    int code;
    DeliveryClass class;
    bool lost; /* the connection is gone */
    const char *cure;
} errno_rows[] = {
    { EACCES, DELIVERY_CLASS_CONFIG, false, rights_cure },
    { EPERM, DELIVERY_CLASS_CONFIG, false, rights_cure },
    { EROFS, DELIVERY_CLASS_CONFIG, false, "Let the server's disk be written to." },
    { ENOENT, DELIVERY_CLASS_CONFIG, false, "Make the folder on the server, or correct its path." },
    { ENOTDIR, DELIVERY_CLASS_CONFIG, false, "Correct the path: a part of it is not a folder." },
    { EISDIR, DELIVERY_CLASS_CONFIG, false, "A folder has the name: choose another in the job." },
    { ENAMETOOLONG, DELIVERY_CLASS_CONFIG, false, "Choose shorter names in the job." },
    { ENOSPC, DELIVERY_CLASS_RETRY, false, "Make room on the server's disk." },
    { EDQUOT, DELIVERY_CLASS_RETRY, false, "Raise the quota of the user, or make room." },
    { EBUSY, DELIVERY_CLASS_RETRY, false, "Somebody has the file open: it is tried again." },
    { EEXIST, DELIVERY_CLASS_RETRY, false, "Somebody has the file open: it is tried again." },
    { ENOSYS, DELIVERY_CLASS_CONFIG, false, session_cure },
    { ECONNREFUSED, DELIVERY_CLASS_RETRY, true, broken_cure },
    { ECONNABORTED, DELIVERY_CLASS_RETRY, true, broken_cure },
    { ECONNRESET, DELIVERY_CLASS_RETRY, true, broken_cure },
    { ENETRESET, DELIVERY_CLASS_RETRY, true, broken_cure },
    { ESHUTDOWN, DELIVERY_CLASS_RETRY, true, broken_cure },
    { EPIPE, DELIVERY_CLASS_RETRY, true, broken_cure },
    { ETIMEDOUT, DELIVERY_CLASS_RETRY, true, broken_cure },
    { EHOSTUNREACH, DELIVERY_CLASS_RETRY, true, broken_cure },
    { ENETUNREACH, DELIVERY_CLASS_RETRY, true, broken_cure },
};

static bool fail_login(const Errand *errand)
{
    const Smb *smb = errand->connection;

    return delivery_failed(
        errand->result, DELIVERY_CLASS_AUTH, "login", EACCES,
        smb->settings->kerberos
            ? "Let the user platend runs as have a valid ticket (kinit, a keytab)."
            : "Correct domain, user and password of the destination.",
        "%s refuses the user: %s", smb->settings->server, smb->refusal);
}

/* A call of the library failed with this errno. what: "cannot write", name may be "". */
static bool failed(const Errand *errand, const char *stage, int code, const char *what,
                   const char *name)
{
    Smb *smb = errand->connection;
    size_t i = 0;

    if (smb->refusal[0])
        return fail_login(errand);
    while (i < COUNT_OF(errno_rows) && errno_rows[i].code != code)
        i++;
    bool known = i < COUNT_OF(errno_rows);
    (void)delivery_failed(errand->result, known ? errno_rows[i].class : DELIVERY_CLASS_RETRY, stage,
                          code, known ? errno_rows[i].cure : broken_cure, "%s: %s%s%s (%s)",
                          smb->settings->server, what, name[0] ? " " : "", name, strerror(code));
    errand->result->peer_lost = known && errno_rows[i].lost;
    if (errand->result->peer_lost || !known)
        drop(smb);
    return false;
}

/* --- connecting ------------------------------------------------------------------------------------ */

static void passed(const Errand *errand, const char *stage, Mono *since)
{
    Mono now = mono_now();

    errand->talk->passed(errand->talk->arg, stage, now.ms - since->ms);
    *since = now;
}

static bool connects_to(const struct addrinfo *address, int timeout_ms, int *ret_code)
{
    AUTO_FD fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    socklen_t n = sizeof *ret_code;

    if (fd < 0) {
        *ret_code = errno;
        return false;
    }
    *ret_code = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (*ret_code == EINPROGRESS) {
        *ret_code = ETIMEDOUT;
        if (poll(&p, 1, timeout_ms) == 1)
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, ret_code, &n);
    }
    return *ret_code == 0;
}

/* The library says "invalid argument" of a name that nobody knows, and waits as long as it likes for a
 * server that does not answer. */
static bool probe(const Errand *errand, Mono *since)
{
    const SmbSettings *s = ((const Smb *)errand->connection)->settings;
    const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    int64_t timeout_s = s->timeout_s < CONNECT_TIMEOUT_S ? s->timeout_s : CONNECT_TIMEOUT_S;
    struct addrinfo *found = NULL;
    char port[8];
    int code = 0;

    (void)text_printf(port, sizeof port, "%lld", (long long)s->port);
    int answer = getaddrinfo(s->server, port, &wanted, &found);
    if (answer != 0)
        return delivery_failed(
            errand->result, DELIVERY_CLASS_RETRY, "resolve", answer,
            "Correct the server's name in the destination, or mend the name service.",
            "the name %s is not known (%s)", s->server, gai_strerror(answer));
    passed(errand, "resolve", since);
    bool ok = false;
    for (const struct addrinfo *a = found; a && !ok; a = a->ai_next)
        ok = connects_to(a, (int)timeout_s * 1000, &code);
    freeaddrinfo(found);
    if (ok) {
        passed(errand, "connect", since);
        return true;
    }
    (void)delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "connect", code,
                          "Check that the server runs, its address and port, and firewalls.",
                          "%s does not answer at port %s (%s)", s->server, port, strerror(code));
    errand->result->peer_lost = true;
    return false;
}

/* smb://server/share/path/folder/name; name may be "". */
static bool url_of(const Smb *smb, const char *folder, const char *name, char ret_url[URL_SIZE])
{
    const char *const texts[] = { smb->settings->share, smb->settings->path, folder, name };
    AUTO_BUF url = buf_with_max(URL_SIZE - 1);

    (void)buf_printf(&url, "smb://%s", smb->settings->server);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (const char *at = texts[i]; *at;) {
            size_t n = strcspn(at, "/\\");
            char part[PATH_TEXT_SIZE], encoded[3 * PATH_TEXT_SIZE];

            (void)text_copy_bytes(part, sizeof part, (Bytes){ (const uint8_t *)at, n });
            (void)smbc_urlencode(encoded, part, sizeof encoded);
            if (n > 0)
                (void)buf_printf(&url, "/%s", encoded);
            at += n + (at[n] != '\0');
        }
    if (smb->settings->path[0] == '\0' && !folder[0] && !name[0])
        (void)buf_put_u8(&url, '/');
    return text_copy(ret_url, URL_SIZE, buf_text(&url)) && !url.failed;
}

static bool check_share(const Errand *errand)
{
    Smb *smb = errand->connection;
    char url[URL_SIZE], *end = url + sizeof "smb://" - 1;
    struct stat st;

    if (!url_of(smb, "", "", url))
        return failed(errand, "locate", ENAMETOOLONG, "cannot name", "the folder");
    for (int slashes = 0; *end && slashes < 2; end++)
        slashes += *end == '/';
    *end = '\0'; /* smb://server/share/ */
    if (smbc_getFunctionStat(smb->context)(smb->context, url, &st) == 0)
        return true;
    int code = errno;
    /* Nobody is logged in as somebody: with a ticket that is missing, or as a guest. */
    if (code == EACCES && !smb->settings->password[0] && !smb->refusal[0])
        (void)text_copy(smb->refusal, sizeof smb->refusal, "nobody could be logged in");
    if (smb->refusal[0])
        return fail_login(errand);
    if (code == ENOENT || code == ENODEV)
        return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", code,
                               "Correct the name of the share, or make it on the server.",
                               "%s has no share %s", smb->settings->server, smb->settings->share);
    (void)failed(errand, code == EACCES ? "locate" : "login", code, "cannot open the share",
                 smb->settings->share);
    if (code != EACCES) /* it listens, but ends the session */
        (void)text_copy(errand->result->cure, sizeof errand->result->cure, session_cure);
    return false;
}

/* libsmbclient 4.17 prints that it fails when a server cannot encrypt, and goes on without; but it answers
 * the question. Names have gone over the wire by then, no content. */
static bool check_encryption(const Errand *errand)
{
    Smb *smb = errand->connection;
    char option[] = "smb_encrypt_on";

    return smb->settings->encryption != SMB_REQUIRED || smbc_option_get(smb->context, option) ||
           delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "tls", 0,
                           "Switch SMB 3 with encryption on in the server, or set encryption to "
                           "auto.",
                           "%s cannot encrypt the share %s", smb->settings->server,
                           smb->settings->share);
}

static bool connected(const Errand *errand)
{
    Smb *smb = errand->connection;
    Mono since = mono_now();
    Err err;

    if (smb->context)
        return true;
    smb->refusal[0] = '\0';
    if (!probe(errand, &since))
        return false;
    if (!start_library(&err))
        return delivery_failed_file(errand->result, "login", &err);
    smb->context = new_context(smb);
    if (!smb->context)
        return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "login", errno,
                               "Give the server more memory.", "the SMB client cannot be started");
    if (!check_share(errand) || !check_encryption(errand)) {
        drop(smb);
        return false;
    }
    passed(errand, "login", &since);
    return true;
}

static void *smb_open(const void *settings)
{
    Smb *smb = calloc(1, sizeof *smb);

    if (smb)
        smb->settings = settings;
    return smb;
}

static void smb_close(void *connection)
{
    drop(connection);
    free(connection);
}

/* --- names ----------------------------------------------------------------------------------------- */

/* What Windows takes as the name of a file or folder. */
static bool is_windows_name(const char *name)
{
    static const char *const devices[] = { "CON", "PRN", "AUX", "NUL", "COM", "LPT" };
    size_t n = strlen(name), stem = strcspn(name, ".");

    if (n == 0 || name[n - 1] == '.' || name[n - 1] == ' ' || strpbrk(name, "<>:\"/\\|?*") ||
        text_has_control(name))
        return false;
    for (size_t i = 0; i < COUNT_OF(devices); i++) {
        bool numbered = i >= 4; /* COM1 ... LPT9 */
        size_t device = numbered ? 4 : 3;

        if (stem == device && bytes_equal_nocase((Bytes){ (const uint8_t *)name, 3 }, devices[i]) &&
            (!numbered || (name[3] >= '0' && name[3] <= '9')))
            return false;
    }
    return true;
}

static bool check_settings(const Errand *errand)
{
    const SmbSettings *s = ((const Smb *)errand->connection)->settings;
    const char *name = errand->parcel->name;

    for (const char *at = s->path; *at;) {
        size_t n = strcspn(at, "/\\");

        if (n == 2 && at[0] == '.' && at[1] == '.')
            return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", EINVAL,
                                   "Give the path from the share downwards.",
                                   "the path %s leaves the share", s->path);
        at += n + (at[n] != '\0');
    }
    if (strpbrk(s->server, "/\\@%?#") || strpbrk(s->share, "/\\"))
        return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "resolve", EINVAL,
                               "Give server, share and path in a setting each, without \\\\.",
                               "\\\\%s\\%s is not a server and a share", s->server, s->share);
    if (s->kerberos && !s->user[0]) /* the library would be anonymous */
        return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "login", EINVAL,
                               "Set user to the one of the ticket, as user@REALM.",
                               "kerberos needs a user");
    return is_windows_name(name) ||
           delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", EINVAL,
                           "Choose file names that Windows takes, without < > : \" / \\ | ? *.",
                           "\"%s\" cannot be the name of a file on Windows", name);
}

/* --- verbs ----------------------------------------------------------------------------------------- */

/* Without its extensions for Unix SMB tells sectors, sectors per unit, and units. */
static bool check_space(const Errand *errand, const char *url)
{
    Smb *smb = errand->connection;
    struct statvfs space = { 0 };
    char path[URL_SIZE];

    (void)text_copy(path, sizeof path, url); /* the library's parameter is not const */
    if (smbc_getFunctionStatVFS(smb->context)(smb->context, path, &space) != 0 ||
        space.f_blocks == 0)
        return true; /* not every server tells it */
    double left = (double)space.f_bsize * (double)space.f_frsize * (double)space.f_bavail;
    if (left < (double)(errand->parcel->size_bytes + SPACE_SPARE))
        return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "locate", ENOSPC,
                               "Make room on the server's disk, or raise the quota of the user.",
                               "%s: the share has %.0f bytes left, the document needs %lld",
                               smb->settings->server, left, (long long)errand->parcel->size_bytes);
    return true;
}

/* Makes what is missing below the settings' folder, level by level. */
static bool make_folders(const Errand *errand, const char *folder)
{
    Smb *smb = errand->connection;
    char level[PATH_TEXT_SIZE], url[URL_SIZE];

    for (const char *end = folder; *end; end += *end == '/') {
        end += strcspn(end, "/");
        (void)text_copy_bytes(level, sizeof level,
                              (Bytes){ (const uint8_t *)folder, (size_t)(end - folder) });
        if (!url_of(smb, level, "", url))
            return failed(errand, "locate", ENAMETOOLONG, "cannot make", level);
        if (smbc_getFunctionMkdir(smb->context)(smb->context, url, 0775) != 0 && errno != EEXIST)
            return failed(errand, "locate", errno, "cannot make the folder", level);
    }
    return true;
}

static bool smb_locate(const Errand *errand, const char *folder)
{
    Smb *smb = errand->connection;
    char url[URL_SIZE];
    struct stat st;

    if (!check_settings(errand) || !connected(errand))
        return false;
    if (!url_of(smb, "", "", url))
        return failed(errand, "locate", ENAMETOOLONG, "cannot name", smb->settings->path);
    if (smbc_getFunctionStat(smb->context)(smb->context, url, &st) != 0)
        return failed(errand, "locate", errno, "cannot find the folder", smb->settings->path);
    if (!S_ISDIR(st.st_mode))
        return failed(errand, "locate", ENOTDIR, "cannot go to", smb->settings->path);
    return check_space(errand, url) && make_folders(errand, folder) &&
           text_copy(smb->folder, sizeof smb->folder, folder);
}

/* The URL of a file in the folder of the last locate, on a connection that stands. */
static bool reach(const Errand *errand, const char *stage, const char *name, char ret_url[URL_SIZE])
{
    Smb *smb = errand->connection;

    return connected(errand) && (url_of(smb, smb->folder, name, ret_url) ||
                                 failed(errand, stage, ENAMETOOLONG, "cannot name", name));
}

static bool smb_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    Smb *smb = errand->connection;
    char url[URL_SIZE];
    struct stat st;

    *ret_file = (SiteFile){ .size_bytes = -1 };
    if (!reach(errand, "verify", name, url))
        return false;
    if (smbc_getFunctionStat(smb->context)(smb->context, url, &st) != 0)
        return errno == ENOENT || failed(errand, "verify", errno, "cannot look for", name);
    *ret_file = (SiteFile){ true, S_ISREG(st.st_mode), st.st_size };
    return true;
}

static bool write_all(const Errand *errand, SMBCFILE *file, const char *name)
{
    Smb *smb = errand->connection;
    int64_t sent = 0;

    while (sent < errand->parcel->size_bytes) {
        size_t n = 0;

        if (!errand_read(errand, sent, smb->block, sizeof smb->block, &n))
            return false;
        for (size_t done = 0; done < n;) {
            ssize_t took = smbc_getFunctionWrite(smb->context)(smb->context, file,
                                                               smb->block + done, n - done);

            if (took <= 0)
                return failed(errand, "write", took == 0 ? EIO : errno, "cannot write", name);
            done += (size_t)took;
        }
        sent += (int64_t)n;
    }
    return true;
}

/* What the server could not keep is also told when the file is closed. */
static bool smb_write(const Errand *errand, const char *name)
{
    Smb *smb = errand->connection;
    char url[URL_SIZE];

    if (!reach(errand, "write", name, url))
        return false;
    SMBCFILE *file = smbc_getFunctionOpen(smb->context)(smb->context, url,
                                                        O_WRONLY | O_CREAT | O_TRUNC, 0664);
    if (!file)
        return failed(errand, "write", errno, "cannot make", name);
    bool ok = write_all(errand, file, name);
    if (!smb->context)
        return false; /* dropped, and the file with it */
    if (smbc_getFunctionClose(smb->context)(smb->context, file) != 0 && ok)
        return failed(errand, "write", errno, "cannot write", name);
    return ok;
}

static bool smb_rename(const Errand *errand, const char *from, const char *to, bool replace,
                       bool *ret_taken)
{
    Smb *smb = errand->connection;
    char url_from[URL_SIZE], url_to[URL_SIZE];
    bool guarded = text_starts_with(smbc_version(), GUARDED_VERSION);
    SiteFile file = { 0 };

    *ret_taken = false;
    if ((replace || !guarded) && !smb_look(errand, to, &file))
        return false;
    if (replace && file.found && !file.plain) /* the library would delete an empty folder */
        return failed(errand, "rename", EISDIR, "cannot replace", to);
    *ret_taken = !replace && file.found;
    if (*ret_taken)
        return true;
    if (!reach(errand, "rename", from, url_from) || !reach(errand, "rename", to, url_to))
        return false;
    smb->collided = false;
    smb->guarding = !replace;
    int answer = smbc_getFunctionRename(smb->context)(smb->context, url_from, smb->context, url_to);
    int code = errno;
    smb->guarding = false;
    if (smb->collided)
        drop(smb);
    *ret_taken = smb->collided;
    return answer == 0 || smb->collided || failed(errand, "rename", code, "cannot rename to", to);
}

static bool smb_remove(const Errand *errand, const char *name)
{
    Smb *smb = errand->connection;
    char url[URL_SIZE];

    if (!reach(errand, "remove", name, url))
        return false;
    return smbc_getFunctionUnlink(smb->context)(smb->context, url) == 0 || errno == ENOENT ||
           failed(errand, "remove", errno, "cannot delete", name);
}

static const SiteVerbs smb_verbs = {
    .locate = smb_locate,
    .look = smb_look,
    .write = smb_write,
    .rename = smb_rename,
    .remove = smb_remove,
};

extern const DestinationType destination_smb;
const DestinationType destination_smb = {
    .name = "smb",
    .title = "Windows share",
    .fields = smb_fields,
    .settings_size = sizeof(SmbSettings),
    .options = site_option_fields,
    .options_size = sizeof(SiteOptions),
    .traits = DESTINATION_RENAMES | DESTINATION_EXCLUSIVE,
    .site = &smb_verbs,
    .open = smb_open,
    .close = smb_close,
};
