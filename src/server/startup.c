/* server/startup.c - see startup.h. */
#include "server/startup.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "http/certificate.h"
#include "server/platend.h"
#include "server/privileges.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>

#define OWN_CERTIFICATE "tls-certificate.pem"
#define OWN_KEY         "tls-key.pem"

/* --- programs ------------------------------------------------------------------------------------ */

/* Kinds whose description names another program than platen-deliver. Such a program may be missing, when
 * nobody installed it: then only its deliveries fail. */
static bool find_other_programs(ServerPrograms *p, const char *folder, Err *err)
{
    AUTO(Json) described = json_parse(bytes_of_text((const char *)destinations_json), err);
    const Json *kinds = json_get(described, "destinations");

    if (!described)
        return err_prefix(err, "description of destinations");
    for (size_t i = 0; i < json_count(kinds); i++) {
        const Json *kind = json_item(kinds, i);
        const char *program = json_get_text(kind, "program");

        if (text_equal(program, "platen-deliver"))
            continue;
        if (p->other_count == OTHER_KINDS_MAX)
            return err_set(err, ERR_BUG, 0, "more kinds with a program of their own than expected");
        QueueProgram *other = &p->others[p->other_count++];
        if (!text_copy(other->kind, sizeof other->kind, json_get_text(kind, "name")) ||
            !text_printf(other->path, sizeof other->path, "%s/%s", folder, program))
            return err_set(err, ERR_BAD_INPUT, 0, "a path of the server is too long");
    }
    return true;
}

static bool find_programs(const char *folder, ServerPrograms *ret, Err *err)
{
    char own[PATH_TEXT_SIZE] = "";

    if (folder[0] == '\0') {
        ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
        char *slash = n > 0 ? strrchr(own, '/') : NULL;

        if (!slash)
            return err_set(err, ERR_BUG, 0, "cannot tell where platend is");
        *slash = '\0';
        folder = own;
    }
    if (!text_printf(ret->worker, sizeof ret->worker, "%s/platen-worker", folder) ||
        !text_printf(ret->deliver, sizeof ret->deliver, "%s/platen-deliver", folder))
        return err_set(err, ERR_BAD_INPUT, 0, "a path of the server is too long");
    if (access(ret->worker, X_OK) == 0 && access(ret->deliver, X_OK) == 0)
        return find_other_programs(ret, folder, err);
    err_set(err, ERR_NOT_FOUND, 0, "platen-worker and platen-deliver cannot be run from %s",
            folder);
    return err_remedy(err, "Set libexec_dir in [server] to their folder.");
}

bool server_programs_find(const ServerConfig *config, ServerPrograms *ret, Err *err)
{
    *ret = (ServerPrograms){ .other_count = 0 };
    return find_programs(config->libexec_dir, ret, err) || err_field(err, "libexec_dir");
}

/* --- certificate --------------------------------------------------------------------------------- */

bool server_certificate_find(const ServerConfig *config, char ret_path[PATH_TEXT_SIZE],
                             char ret_key_path[PATH_TEXT_SIZE], Err *err)
{
    bool own = config->certificate[0] == '\0';

    return (text_printf(ret_path, PATH_TEXT_SIZE, "%s%s",
                        own ? config->data_dir : config->certificate,
                        own ? "/" OWN_CERTIFICATE : "") &&
            text_printf(ret_key_path, PATH_TEXT_SIZE, "%s%s", own ? config->data_dir : config->key,
                        own ? "/" OWN_KEY : "")) ||
           err_set(err, ERR_BAD_INPUT, 0, "a path of the server is too long");
}

static bool make_certificate(int data, Buf *certificate, Buf *key, Err *err)
{
    char host[256] = "";

    (void)gethostname(host, sizeof host - 1);
    return certificate_make(host, wall_now(), certificate, key, err) &&
           file_replace(data, OWN_CERTIFICATE, buf_bytes(certificate), 0644, err) &&
           file_replace(data, OWN_KEY, buf_bytes(key), 0600, err);
}

/* One file of the two; a failure has its key of platen.conf and a cure. */
static bool read_pem(const char *key, const char *path, Buf *to, Err *err)
{
    if (file_read_path(path, to, err))
        return true;
    err_remedy(err, "Both files must be readable for the user of the server (id %u).",
               (unsigned)geteuid());
    return err_field(err, "%s", key);
}

static bool load_certificate(const ServerConfig *c, bool make, Buf *certificate, Buf *key, Err *err)
{
    char path[PATH_TEXT_SIZE], key_path[PATH_TEXT_SIZE];

    if (!server_certificate_find(c, path, key_path, err))
        return false;
    if (!c->certificate[0] && access(key_path, F_OK) != 0 && errno == ENOENT) {
        AUTO_FD data = make ? file_open_folder(AT_FDCWD, c->data_dir, err) : -1;

        return !make || (data >= 0 && make_certificate(data, certificate, key, err));
    }
    if (!read_pem("certificate", path, certificate, err) || !read_pem("key", key_path, key, err))
        return false;
    return certificate_check(buf_bytes(certificate), buf_bytes(key), err) ||
           err_field(err, "certificate");
}

bool server_certificate_load(const ServerConfig *config, bool make, Buf *certificate, Buf *key,
                             Err *err)
{
    return load_certificate(config, make, certificate, key, err) ||
           err_prefix(err, "certificate of the API");
}

/* --- a look at all of it --------------------------------------------------------------------------- */

void server_socket_folder(const ServerConfig *config, char ret_folder[PATH_TEXT_SIZE])
{
    const char *slash = strrchr(config->socket, '/');
    size_t n = (size_t)(slash - config->socket);

    (void)text_copy_bytes(ret_folder, PATH_TEXT_SIZE,
                          (Bytes){ (const uint8_t *)config->socket, n > 0 ? n : 1 });
}

typedef struct Check {
    const ServerConfig *config;
    ConfigProblem *problem;
    void *arg;
    bool bad;
} Check;

/* What a step of the start says, and the key at fault: of the error, else this one. */
static void see(Check *check, bool ok, const Err *err, const char *key)
{
    char what[512];

    if (ok)
        return;
    (void)text_printf(what, sizeof what, "%s%s%s", err->text, err->remedy[0] ? ". " : "",
                      err->remedy);
    server_config_say(check->config, err->field[0] ? err->field : key, what, check->problem,
                      check->arg);
    check->bad = true;
}

bool server_startup_check(const ServerConfig *config, ConfigProblem *problem, void *arg)
{
    AUTO_BUF certificate = buf_with_max(CERTIFICATE_PEM_MAX),
             key = buf_with_max(CERTIFICATE_PEM_MAX);
    Check check = { .config = config, .problem = problem, .arg = arg };
    bool root = geteuid() == 0;
    char socket_folder[PATH_TEXT_SIZE];
    ServerPrograms programs;
    Err err = { 0 };

    server_socket_folder(config, socket_folder);
    see(&check, privileges_become(config->user, &err), &err, "user");
    bool data_ok = privileges_check_folder(config->data_dir, root, &err);
    see(&check, data_ok, &err, "data_dir");
    see(&check, privileges_check_folder(socket_folder, root, &err), &err, "socket");
    see(&check, server_programs_find(config, &programs, &err), &err, "libexec_dir");
    /* Our own is in data_dir: nothing more to say when that cannot be used. */
    if (config->http_port && (config->certificate[0] || data_ok))
        see(&check, server_certificate_load(config, false, &certificate, &key, &err), &err,
            "certificate");
    if (key.n > 0)
        explicit_bzero(key.p, key.n);
    return !check.bad;
}
