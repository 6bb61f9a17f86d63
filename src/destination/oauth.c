/* destination/oauth.c - see oauth.h. */
#include "destination/oauth.h"

#include "base/text.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

enum {
    ASSERTION_LIFE_S = 300, /* ten minutes is the most that is taken */
    RENEW_BEFORE_S = 300,   /* a token that ends sooner is not used for a new exchange */
    TOKEN_LIFE_S_MAX = 86400,
    JWT_BYTES_MAX = 8192,
    FORM_BYTES_MAX = 32768,
    SIGNATURE_SIZE = 1024, /* RSA of 8192 bits */
    JTI_BYTES = 16,
};

static const char certificate_cure[] =
    "Give certificate and key as PEM, RSA, the key without a password.";

static void BIO_end(BIO **bio)
{
    BIO_free(*bio);
}
static void key_end(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
static void certificate_end(X509 **certificate)
{
    X509_free(*certificate);
}
static void digest_end(EVP_MD_CTX **digest)
{
    EVP_MD_CTX_free(*digest);
}

/* --- the assertion ---------------------------------------------------------------------------------- */

/* base64 for addresses, without padding (RFC 4648, 5). */
static bool put_base64url(Buf *out, Bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < bytes.n; i += 3) {
        uint32_t three = (uint32_t)bytes.p[i] << 16;

        if (i + 1 < bytes.n)
            three |= (uint32_t)bytes.p[i + 1] << 8;
        if (i + 2 < bytes.n)
            three |= bytes.p[i + 2];
        for (unsigned k = 0; k < 4 && i + k <= bytes.n; k++)
            (void)buf_put_u8(out, (uint8_t)digits[three >> (18 - 6 * k) & 63]);
    }
    return !out->failed;
}

static bool put_json(Buf *out, Json *value_take)
{
    AUTO(Json) value = value_take;
    AUTO_BUF text = buf_with_max(JWT_BYTES_MAX);

    return json_write(value, &text) && put_base64url(out, buf_bytes(&text));
}

/* A key with a password is refused here: nobody can be asked for it. */
static int no_password(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *read_key(const char *pem)
{
    __attribute__((cleanup(BIO_end))) BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

    if (!key || EVP_PKEY_is_a(key, "RSA"))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* Header and claims: who we are, for whom, until when, and never again. */
static bool put_claims(const OauthClient *client, const X509 *certificate, Buf *out)
{
    uint8_t hash[EVP_MAX_MD_SIZE], random[JTI_BYTES];
    char jti[2 * JTI_BYTES + 1];
    int64_t now_s = wall_now().ms / 1000;
    unsigned hash_n = 0;
    Json *header = json_new_object(), *claims = json_new_object();
    AUTO_BUF thumbprint = buf_with_max(EVP_MAX_MD_SIZE * 2);

    bool ready = X509_digest(certificate, EVP_sha256(), hash, &hash_n) == 1 &&
                 RAND_bytes(random, sizeof random) == 1 &&
                 put_base64url(&thumbprint, (Bytes){ hash, hash_n });
    text_hex(jti, (Bytes){ random, ready ? sizeof random : 0 });
    json_set_text(header, "alg", "PS256");
    json_set_text(header, "typ", "JWT");
    json_set_text(header, "x5t#S256", buf_text(&thumbprint));
    json_set_text(claims, "aud", client->token_url);
    json_set_text(claims, "iss", client->client_id);
    json_set_text(claims, "sub", client->client_id);
    json_set_text(claims, "jti", jti);
    json_set_int(claims, "nbf", now_s);
    json_set_int(claims, "iat", now_s);
    json_set_int(claims, "exp", now_s + ASSERTION_LIFE_S);
    bool ok = put_json(out, header) && buf_put_u8(out, '.');
    return put_json(out, claims) && ok && ready;
}

/* PS256 (RFC 7518, 3.5): RSA with PSS, SHA-256 twice, a salt as long as the hash. */
static bool sign(EVP_PKEY *key, Buf *jwt)
{
    __attribute__((cleanup(digest_end))) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_PKEY_CTX *padding = NULL; /* the digest's own */
    uint8_t signature[SIGNATURE_SIZE];
    size_t n = sizeof signature;

    return digest && EVP_DigestSignInit(digest, &padding, EVP_sha256(), NULL, key) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1 &&
           EVP_DigestSign(digest, signature, &n, jwt->p, jwt->n) == 1 && buf_put_u8(jwt, '.') &&
           put_base64url(jwt, (Bytes){ signature, n });
}

static bool put_assertion(Transfer *transfer, const OauthClient *client, Buf *jwt)
{
    __attribute__((cleanup(BIO_end))) BIO *bio = BIO_new_mem_buf(client->certificate, -1);
    __attribute__((cleanup(certificate_end)))
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
    __attribute__((cleanup(key_end))) EVP_PKEY *key = read_key(client->key);

    if (!certificate || !key || X509_check_private_key(certificate, key) != 1)
        return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login", certificate_cure, "%s",
                               !certificate ? "the certificate cannot be read"
                               : !key       ? "the key cannot be read"
                                            : "certificate and key do not belong together");
    return (put_claims(client, certificate, jwt) && sign(key, jwt)) ||
           transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login", certificate_cure,
                           "nothing can be signed with the key");
}

/* --- the token -------------------------------------------------------------------------------------- */

static bool put_form(Transfer *transfer, const OauthClient *client, Buf *form)
{
    AUTO_BUF jwt = buf_with_max(JWT_BYTES_MAX);

    (void)buf_put_text(form, "grant_type=client_credentials&client_id=");
    (void)url_put(form, client->client_id);
    (void)buf_put_text(form, "&scope=");
    (void)url_put(form, client->scope);
    if (client->key[0]) {
        if (!put_assertion(transfer, client, &jwt))
            return false;
        (void)buf_put_text(form, "&client_assertion_type=");
        (void)url_put(form, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        (void)buf_put_text(form, "&client_assertion=");
        (void)url_put(form, buf_text(&jwt));
    } else {
        (void)buf_put_text(form, "&client_secret=");
        (void)url_put(form, client->secret);
    }
    return !form->failed || transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login",
                                            "Shorten what was set up.", "the request is too long");
}

static bool refused(Transfer *transfer, const Json *answer)
{
    static const struct {
        const char *error;
        DeliveryClass class;
        const char *cure;
    } rows[] = {
        { "invalid_client", DELIVERY_CLASS_AUTH,
          "Correct client_id and its secret or certificate; they may have expired." },
        { "unauthorized_client", DELIVERY_CLASS_AUTH,
          "Register the application in this tenant and grant it its permissions." },
        { "invalid_scope", DELIVERY_CLASS_CONFIG, "Correct the address of the interface." },
        { "temporarily_unavailable", DELIVERY_CLASS_RETRY, "Nothing: it is tried again." },
        { "server_error", DELIVERY_CLASS_RETRY, "Nothing: it is tried again." },
    };
    const char *error = json_get_text(answer, "error");
    const char *says = json_get_text(answer, "error_description");

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (text_equal(rows[i].error, error))
            return transfer_failed(transfer, rows[i].class, "login", rows[i].cure, "%s: %.140s",
                                   error, says);
    return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login",
                           "Correct tenant and client_id of the destination.", "%s: %.140s",
                           error[0] ? error : "no token was given", says);
}

static bool take_token(Transfer *transfer, const Json *answer, OauthToken *token)
{
    const char *text = json_get_text(answer, "access_token");
    int64_t life_s = json_get_int(answer, "expires_in", 0);

    if (!text[0] || !text_equal_nocase(json_get_text(answer, "token_type"), "Bearer") ||
        !text_copy(token->text, sizeof token->text, text)) {
        oauth_forget(token);
        return refused(transfer, answer);
    }
    life_s = life_s > TOKEN_LIFE_S_MAX ? TOKEN_LIFE_S_MAX : life_s;
    token->until = mono_after(
        mono_now(), (life_s > 2 * RENEW_BEFORE_S ? life_s - RENEW_BEFORE_S : life_s / 2) * 1000);
    return true;
}

bool oauth_get(Transfer *transfer, const Errand *errand, const OauthClient *client,
               OauthToken *token)
{
    static const HttpLogin nobody = { .auth = HTTP_AUTH_NONE, .user = "", .password = "" };
    static const TransferReply replies[] = {
        { 400, 401, DELIVERY_CLASS_OK, NULL, NULL }, /* RFC 6749, 5.2 */
        { 404, 404, DELIVERY_CLASS_CONFIG, NULL, "Correct tenant and address of the log-in." },
        { .first = 0 },
    };
    AUTO_BUF form = buf_with_max(FORM_BYTES_MAX);
    AUTO(Json) answer = NULL;

    if (token->text[0] && !mono_reached(mono_now(), token->until))
        return true;
    oauth_forget(token);
    if (!http_begin(transfer, errand, &nobody, "POST", client->token_url))
        return false;
    if (!text_starts_with(client->token_url, "https://"))
        return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login",
                               "Give an address that begins with https://.",
                               "the secret would be readable on the way");
    if (!put_form(transfer, client, &form))
        return false;
    http_header(transfer, "Accept: application/json");
    http_body(transfer, buf_bytes(&form), "application/x-www-form-urlencoded");
    if (!transfer_run(transfer, "login", replies) || !http_answer_json(transfer, "login", &answer))
        return false;
    return transfer_code(transfer) >= 300 ? refused(transfer, answer)
                                          : take_token(transfer, answer, token);
}

void oauth_forget(OauthToken *token)
{
    token->text[0] = '\0';
}
