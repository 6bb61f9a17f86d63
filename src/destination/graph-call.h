/* destination/graph-call.h - inside of the kind sharepoint-online: one call of Microsoft Graph, its token, its
 * answer, and what its codes mean. For sharepoint_online.c alone. */
#ifndef PLATEN_DESTINATION_GRAPH_CALL_H
#define PLATEN_DESTINATION_GRAPH_CALL_H

#include "destination/http.h"
#include "destination/library.h"
#include "destination/oauth.h"

enum {
    GRAPH_URL_BYTES_MAX = 8000,
    GRAPH_ADDRESS_SIZE = 256,
    GRAPH_ID_SIZE = 256,
    GRAPH_PEM_SIZE = 4096,
    GRAPH_SECRET_SIZE = 256,
    GRAPH_SAYS_SIZE = 120,
    GRAPH_FAILED = 400, /* statuses from here on */
};

extern const char graph_room_cure[];

typedef struct OnlineSettings {
    char tenant[GRAPH_SECRET_SIZE], client_id[GRAPH_SECRET_SIZE], client_secret[GRAPH_SECRET_SIZE];
    char certificate[GRAPH_PEM_SIZE], certificate_key[GRAPH_PEM_SIZE];
    char site[GRAPH_ADDRESS_SIZE], user[GRAPH_ADDRESS_SIZE], library[GRAPH_ADDRESS_SIZE],
        folder[GRAPH_ADDRESS_SIZE];
    char login_url[GRAPH_ADDRESS_SIZE], graph_url[GRAPH_ADDRESS_SIZE];
    int64_t timeout_s;
    TLS_MEMBERS;
} OnlineSettings;

/* What is kept between deliveries. */
typedef struct Online {
    Transfer *transfer;
    OauthToken token;
    char drive[GRAPH_ID_SIZE];
    char folder[PATH_TEXT_SIZE]; /* as the job names it, of the last locate */
    char path[PATH_TEXT_SIZE];   /* the same from the root of the drive     */
    bool located;
    char item[GRAPH_ID_SIZE]; /* of the last look, "" = nothing was there */
    bool checked_out;         /* it is */
} Online;

/* One call of Graph. */
typedef struct GraphCall {
    const char *stage, *method;
    const char *path; /* behind the address of Graph, encoded      */
    Json *body;       /* taken; NULL = none                       */
    bool whole;       /* the body is the parcel                   */
} GraphCall;

typedef struct GraphAnswer {
    long status;
    char code[64], says[GRAPH_SAYS_SIZE],
        request[64]; /* of a failure; the request's id helps Microsoft */
    Json *json;      /* NULL: nothing */
} GraphAnswer;

/* Frees what the answer holds; any number of times. */
void graph_answer_done(GraphAnswer *answer);
#define AUTO_GRAPH_ANSWER __attribute__((cleanup(graph_answer_done))) GraphAnswer

/* Runs what was begun and reads its answer, good or bad. The functions that answer false have filled the
 * result. */
bool graph_receive(const Errand *errand, const char *stage, GraphAnswer *ret);

/* A call with a token. One that the service does not take any more is renewed once. True: the service has
 * answered, whatever it says. */
bool graph_call(const Errand *errand, GraphCall *what, GraphAnswer *ret);

/* The same, when only success is of use. */
bool graph_demand(const Errand *errand, GraphCall *what, GraphAnswer *ret);

/* Fills the result with what such an answer means. Always false. */
bool graph_fail(const Errand *errand, const char *stage, const GraphAnswer *answer);

/* Appends "/drives/ID/root:/FOLDER/NAME:" and what follows; without both the root itself. name NULL: the folder.
 * Answers the text of path. */
const char *graph_put_item(const Errand *errand, const char *folder, const char *name,
                           const char *verb, Buf *path);

#endif
