/* destination/oauth.h - access tokens for a program that acts by itself: the client-credentials grant of OAuth
 * 2.0 (RFC 6749, 4.4), with a secret or with a signed assertion (RFC 7523) as Microsoft Entra takes it. */
#ifndef PLATEN_DESTINATION_OAUTH_H
#define PLATEN_DESTINATION_OAUTH_H

#include "destination/http.h"

#include "base/time.h"

enum { OAUTH_TOKEN_SIZE = 16384 };

/* Borrowed texts, never NULL. With a key the client is known by its certificate, else by its secret. */
typedef struct OauthClient {
    const char *token_url; /* https:// only: a secret goes there */
    const char *client_id, *scope;
    const char *secret;
    const char *certificate, *key; /* PEM; RSA, without a password */
} OauthClient;

typedef struct OauthToken {
    char text[OAUTH_TOKEN_SIZE]; /* "" = none */
    Mono until;
} OauthToken;

/* Makes sure of a token that is good for some minutes; one that still is is kept. Exchanges go over the transfer.
 * False with the result filled: AUTH for credentials that were refused, CONFIG for ones that are none. */
bool oauth_get(Transfer *transfer, const Errand *errand, const OauthClient *client,
               OauthToken *token);

/* Forgets a token, for example because a server refused it. */
void oauth_forget(OauthToken *token);

#endif
