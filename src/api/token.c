/* api/token.c - tokens of programs: made, shown once, listed without their secrets, ended. */
#include "api/noun.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/text.h"
#include "model/noun.h"

#include <errno.h>
#include <sys/random.h>

enum { SECRET_BYTES = 32, SECRET_TEXT_SIZE = 2 * SECRET_BYTES + 8 };

/* "token:" and the whole name are who did it in audit rows; a caller is at most 63 bytes. */
enum { TOKEN_NAME_SIZE = 57 };

typedef struct TokenSettings {
    char name[TOKEN_NAME_SIZE];
} TokenSettings;

static const Field token_fields[] = {
    TEXT(TokenSettings, name, true, "Who or what uses the token; written to the audit log."),
    FIELDS_END,
};

static Json *token_show(const StoredToken *token)
{
    Json *object = json_new_object();

    json_set_text(object, "name", token->name);
    json_set_wall(object, "created_at", token->created_at);
    return object;
}

static bool list_token(void *arg, const StoredToken *token)
{
    json_add_take(arg, token_show(token));
    return true;
}

static bool tokens_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();

    if (!read.db || !token_list(read.db, list_token, items, err))
        return false;
    api_items(res, STEAL(items));
    return true;
}

/* "plt_" and 256 random bits: the prefix is for those who search for leaked secrets. */
static bool secret_make(char secret[SECRET_TEXT_SIZE], char sha256[SHA256_TEXT_SIZE], Err *err)
{
    uint8_t random[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1];
    Sha256 hash;

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return err_errno(err, errno, "random bytes");
    text_hex(hex, (Bytes){ random, sizeof random });
    (void)text_printf(secret, SECRET_TEXT_SIZE, "plt_%s", hex);
    sha256_start(&hash);
    sha256_add(&hash, bytes_of_text(secret));
    sha256_finish(&hash, sha256);
    return true;
}

typedef struct TokenWrite {
    Actor actor;
    StoredToken token;
} TokenWrite;

static bool token_create_write(Tx *tx, void *arg, Err *err)
{
    TokenWrite *w = arg;

    w->token.created_at = tx_now(tx);
    return token_insert(tx, &w->actor, &w->token, err);
}

static bool token_delete_write(Tx *tx, void *arg, Err *err)
{
    TokenWrite *w = arg;

    return token_delete(tx, &w->actor, w->token.name, err);
}

static bool token_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    TokenWrite w = { .actor = api_actor(req) };
    Auth *auth = api_auth(api_of(req));
    char secret[SECRET_TEXT_SIZE];
    TokenSettings settings;
    Json *answer;

    if (!api_body(req, token_fields, &settings, sizeof settings, err) ||
        !noun_name_check(settings.name, err) || !secret_make(secret, w.token.sha256, err))
        return false;
    (void)text_copy(w.token.name, sizeof w.token.name, settings.name);
    if (!api_write(req, token_create_write, &w, err))
        return false;
    if (!auth_add(auth, &w.token, err)) {
        Err later; /* there is no room: the row must not stay */

        (void)api_write(req, token_delete_write, &w, &later);
        return false;
    }
    answer = token_show(&w.token);
    json_set_text(answer, "secret", secret);
    explicit_bzero(secret, sizeof secret);
    http_response_set_status(res, 201);
    http_response_json(res, answer);
    return true;
}

static bool token_one_delete(HttpRequest *req, HttpResponse *res, Err *err)
{
    TokenWrite w = { .actor = api_actor(req) };

    (void)res;
    if (!text_copy(w.token.name, sizeof w.token.name, http_request_variable(req, "name")))
        return err_set(err, ERR_NOT_FOUND, 0, "there is no token of that name");
    if (!api_write(req, token_delete_write, &w, err))
        return false;
    auth_remove(api_auth(api_of(req)), w.token.name);
    return true;
}

const Route token_routes[] = {
    { "GET", "/api/v1/tokens", "tokens.read", tokens_get, "Lists tokens, without their secrets.",
      .query = no_query, .answer = "TokenList" },
    { "POST", "/api/v1/tokens", "tokens.write", token_post,
      "Makes a token and answers its secret, once.", .query = no_query, .body_fields = token_fields,
      .answer = "Token" },
    { "DELETE", "/api/v1/tokens/{name}", "tokens.write", token_one_delete, "Ends a token at once.",
      .query = no_query },
    { .method = NULL },
};
