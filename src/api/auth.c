/* api/auth.c - who may ask: peer credentials on the local socket, bearer tokens elsewhere.
 *
 * The hashes of all tokens are kept in memory, so that a request is authorised without the
 * database, also on the polling threads. A token is 256 random bits; comparing the hashes of two of
 * them tells nothing about either by its time. */
#include "api/context.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/text.h"

#include <pthread.h>
#include <unistd.h>

enum { FAILURE_SLOTS = 256, FAILURE_WINDOW_MS = 60 * 1000 };

/* Wrong tokens of one source; a new one takes the slot that is oldest. */
typedef struct Failure {
    char source[ADDRESS_TEXT_SIZE];
    Mono since;
    uint32_t count;
} Failure;

struct Auth {
    pthread_mutex_t lock; /* of everything below: api and polling threads */
    StoredToken *tokens;  /* API_TOKENS_MAX */
    size_t token_count;
    Failure failures[FAILURE_SLOTS];
};

static bool load_token(void *arg, const StoredToken *token)
{
    Auth *auth = arg;

    auth->tokens[auth->token_count++] = *token;
    return auth->token_count < API_TOKENS_MAX;
}

Auth *auth_new(Db *db, Err *err)
{
    Auth *auth = calloc(1, sizeof *auth);

    if (auth)
        auth->tokens = calloc(API_TOKENS_MAX, sizeof *auth->tokens);
    if (!auth || !auth->tokens) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for tokens");
        free(auth);
        return NULL;
    }
    pthread_mutex_init(&auth->lock, NULL);
    if (token_list(db, load_token, auth, err))
        return auth;
    auth_free(auth);
    return NULL;
}

void auth_free(Auth *auth)
{
    if (!auth)
        return;
    pthread_mutex_destroy(&auth->lock);
    free(auth->tokens);
    free(auth);
}

bool auth_add(Auth *auth, const StoredToken *token, Err *err)
{
    bool room;

    pthread_mutex_lock(&auth->lock);
    room = auth->token_count < API_TOKENS_MAX;
    if (room)
        auth->tokens[auth->token_count++] = *token;
    pthread_mutex_unlock(&auth->lock);
    if (room)
        return true;
    err_set(err, ERR_CONFLICT, 0, "there are %d tokens, more are not kept", API_TOKENS_MAX);
    return err_remedy(err, "Delete tokens that are no longer used.");
}

void auth_remove(Auth *auth, const char *name)
{
    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < auth->token_count; i++) {
        if (text_equal(auth->tokens[i].name, name)) {
            auth->tokens[i] = auth->tokens[--auth->token_count];
            break;
        }
    }
    pthread_mutex_unlock(&auth->lock);
}

/* --- requests ---------------------------------------------------------------------------------------- */

static bool authorise_unix(HttpRequest *req, const char *permission, Err *err)
{
    uid_t uid = http_request_uid(req);
    char caller[32];

    (void)text_printf(caller, sizeof caller, "uid:%ld", (long)uid);
    http_request_set_caller(req, caller);
    if (uid == 0 || uid == geteuid())
        return true;
    err_set(err, ERR_DENIED, 0, "user %ld may not do this (%s)", (long)uid, permission);
    return err_remedy(err, "Use sudo, or a token and the server's HTTPS address.");
}

/* The address's slot, or the one to reuse for it. Under the lock. */
static Failure *failure_slot(Auth *auth, const char *address)
{
    Failure *oldest = &auth->failures[0];
    char source[ADDRESS_TEXT_SIZE];

    device_address_source(address, source);
    for (size_t i = 0; i < FAILURE_SLOTS; i++) {
        Failure *f = &auth->failures[i];

        if (text_equal(f->source, source))
            return f;
        if (f->since.ms < oldest->since.ms)
            oldest = f;
    }
    *oldest = (Failure){ .since = mono_now() };
    (void)text_copy(oldest->source, sizeof oldest->source, source);
    return oldest;
}

/* Looks the token up, or counts a failure. *ret_blocked: too many failures of late. */
static bool token_is_known(Auth *auth, const char *sha256, const char *address, HttpRequest *req,
                           bool *ret_blocked)
{
    char caller[NAME_TEXT_SIZE + 8];
    bool found = false;

    pthread_mutex_lock(&auth->lock);
    Failure *failure = failure_slot(auth, address);
    if (mono_reached(mono_now(), mono_after(failure->since, FAILURE_WINDOW_MS)))
        *failure = (Failure){ .since = { 0 } };
    *ret_blocked = failure->count >= API_FAILED_LOGINS_MAX;
    for (size_t i = 0; i < auth->token_count && !found && !*ret_blocked; i++) {
        found = text_equal(auth->tokens[i].sha256, sha256);
        if (found)
            (void)text_printf(caller, sizeof caller, "token:%s", auth->tokens[i].name);
    }
    if (!found && !*ret_blocked) {
        failure = failure_slot(auth, address);
        failure->count++;
    }
    pthread_mutex_unlock(&auth->lock);
    if (found)
        http_request_set_caller(req, caller);
    return found;
}

static bool authorise_token(Auth *auth, HttpRequest *req, Err *err)
{
    static const char scheme[] = "Bearer ";
    const char *header = http_request_header(req, "Authorization");
    const char *address = http_request_peer(req);
    char sha256[SHA256_TEXT_SIZE];
    bool blocked;
    Sha256 hash;

    http_request_set_challenge(req, "Bearer");
    if (!header ||
        !bytes_equal_nocase((Bytes){ (const uint8_t *)header, strnlen(header, sizeof scheme - 1) },
                            scheme)) {
        err_set(err, ERR_DENIED, 0, "this needs a token");
        return err_remedy(err,
                          "Send \"Authorization: Bearer TOKEN\"; platen token create makes one.");
    }
    sha256_start(&hash);
    sha256_add(&hash, bytes_of_text(header + sizeof scheme - 1));
    sha256_finish(&hash, sha256);
    if (token_is_known(auth, sha256, address, req, &blocked))
        return true;
    log_line(LOG_WARNING, "api.token-refused", "address=%s blocked=%d", address, blocked);
    if (blocked) {
        err_set(err, ERR_DENIED, 0, "too many wrong tokens came from %s", address);
        return err_remedy(err, "Wait a minute.");
    }
    err_set(err, ERR_DENIED, 0, "the token is not known");
    return err_remedy(err,
                      "Was it deleted, or cut when it was copied? platen token create makes one.");
}

bool api_authorise(void *api, HttpRequest *req, const char *permission, Err *err)
{
    if (http_request_is_unix(req))
        return authorise_unix(req, permission, err);
    return authorise_token(api_auth(api), req, err);
}
