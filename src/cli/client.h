/* cli/client.h - requests to the server's API: over the local socket, or HTTPS with a token.
 *
 * A refusal of the server (an RFC 9457 problem document) becomes an Err with its text, field and
 * remedy, so that commands need not tell it from any other failure. Answers are at most
 * JSON_BYTES_MAX. Blocks, with deadlines. One thread. */
#ifndef PLATEN_CLI_CLIENT_H
#define PLATEN_CLI_CLIENT_H

#include "base/cleanup.h"
#include "base/err.h"
#include "json/json.h"

typedef struct Client Client;

typedef struct ClientOptions {
    const char *socket_path; /* used when server_url is NULL               */
    const char *server_url;  /* "https://scan.example:8443"                */
    const char *token;       /* NULL = none                                */
    const char *ca_file;     /* PEM; NULL = the system's authorities       */
} ClientOptions;

/* The texts are copied. ERR_BAD_INPUT: a token would travel without TLS. */
Client *client_new(const ClientOptions *options, Err *err);
void client_free(Client *client); /* accepts NULL */
DEFINE_AUTO(Client, client_free);

/* What the server answered. body is owned; json is its value when it was JSON, else NULL. */
typedef struct Answer {
    long status;
    Buf body;
    Json *json;
    char etag[64];
} Answer;
void answer_done(Answer *answer);
#define AUTO_ANSWER __attribute__((cleanup(answer_done))) Answer

/* One request. body NULL = none; if_match NULL or an ETag. False with the problem in err for every
 * status of 400 and above, ERR_TEMPORARY when the server cannot be reached. */
bool client_call(Client *client, const char *method, const char *path, const Json *body,
                 const char *if_match, Answer *ret_answer, Err *err);

/* POST of bytes that are no JSON; else as client_call. */
bool client_send(Client *client, const char *path, const char *media_type, Bytes body,
                 Answer *ret_answer, Err *err);

/* GET, where any status is an answer (health says 503 and why). */
bool client_get_any(Client *client, const char *path, Answer *ret_answer, Err *err);

/* GET of a file of any size, written to fd as it comes; what was written when it fails stays. */
bool client_save(Client *client, const char *path, int fd, Err *err);

/* Listens to an event stream until visit answers false (true), or the stream ends (ERR_TEMPORARY).
 * last_id: only later events, 0 = from now. data is one event's JSON text, NUL-terminated. */
typedef bool ClientEvent(void *arg, const char *data);
bool client_follow(Client *client, const char *path, int64_t last_id, ClientEvent *visit, void *arg,
                   Err *err);

/* Appends text to out as one segment of a path or one value of a query (RFC 3986, percent). */
void url_escape(Buf *out, const char *text);

#endif
