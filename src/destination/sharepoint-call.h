/* destination/sharepoint-call.h - inside of the kind sharepoint: one call of the REST interface (_api) of SharePoint
 * Server, its digest, its answer, and what its codes mean. For sharepoint.c alone. */
#ifndef PLATEN_DESTINATION_SHAREPOINT_CALL_H
#define PLATEN_DESTINATION_SHAREPOINT_CALL_H

#include "base/time.h"
#include "destination/http.h"
#include "destination/library.h"

enum {
    SHAREPOINT_LIBRARY_SIZE = 256,
    SHAREPOINT_DIGEST_SIZE = 512,
    SHAREPOINT_SAYS_SIZE = 140,
    SHAREPOINT_FAILED = 400, /* statuses from here on */
};

/* Codes inside of answers: HRESULTs, and SharePoint's own. */
enum {
    SP_NOT_FOUND = -2147024894,
    SP_PATH_NOT_FOUND = -2147024893,
    SP_FILE_NOT_FOUND = -2130575338,
    SP_DENIED = -2147024891,
    SP_DIGEST = -2130575252,
    SP_DIGEST_DAMAGED = -2130575251,
    SP_EXISTS = -2130575257,
    SP_BAD_NAME = -2130575245,
    SP_LOCKED = -2147018894,
    SP_THRESHOLD = -2147024860,
    SP_QUOTA = -2130246232,
};

typedef struct SharepointSettings {
    HTTP_MEMBERS;
    char library[SHAREPOINT_LIBRARY_SIZE];
} SharepointSettings;

/* What differs between versions. MicrosoftSharePointTeamServices tells: 15 is 2013; 16.0.10000 and later are
 * 2019 and the Subscription Edition. Functions for paths with # and % exist from 2019 on, but not for
 * every step, so these characters are replaced everywhere. */
typedef struct SharepointVersion {
    bool blocks;
    size_t path_chars_max, name_chars_max;
    const char *blocked;
} SharepointVersion;

/* What is kept between deliveries. */
typedef struct Sharepoint {
    Transfer *transfer;
    const SharepointVersion *version;
    char digest[SHAREPOINT_DIGEST_SIZE]; /* "" = none */
    Mono digest_until;
    char folder[PATH_TEXT_SIZE]; /* as the job names it, of the last locate */
    char path[PATH_TEXT_SIZE];   /* the same from the root of the server    */
    bool located;
    bool checked_out; /* the file of the last look is */
} Sharepoint;

/* One call of the interface. Paths and names are given as aliases behind the "?": there they may be long. */
typedef struct SharepointCall {
    const char *stage;
    const char *tunnel;   /* X-HTTP-Method, NULL = none                              */
    Json *body;           /* taken; NULL = none                                      */
    int64_t offset, n;    /* else the part of the parcel that is the body; n -1 = none */
    const char *resource; /* behind _api/                                            */
    const char *file;     /* @f: a path from the root of the server, NULL = none     */
    const char *name;     /* @n: NULL = none                                         */
    const char *query;    /* further, "" = none                                      */
    bool post;
} SharepointCall;

/* What the site said. */
typedef struct SharepointAnswer {
    long status;
    int64_t code; /* inside of the answer, 0 = none */
    char says[SHAREPOINT_SAYS_SIZE];
    Json *json; /* NULL: nothing */
} SharepointAnswer;

/* Frees what the answer holds; any number of times. */
void sharepoint_answer_done(SharepointAnswer *answer);
#define AUTO_SHAREPOINT_ANSWER __attribute__((cleanup(sharepoint_answer_done))) SharepointAnswer

/* A digest for the changes to come. It also logs the connection in, before anything large goes, and tells the
 * version of the server. The functions that answer false have filled the result. */
bool sharepoint_renew_digest(const Errand *errand);

/* A call with a digest that is valid. One that the site takes for old is renewed once. True: the site has
 * answered, whatever it says. */
bool sharepoint_call(const Errand *errand, SharepointCall *what, SharepointAnswer *ret);

/* The same, when only success is of use. */
bool sharepoint_demand(const Errand *errand, SharepointCall *what, SharepointAnswer *ret);

/* Fills the result with what such an answer means. Always false. */
bool sharepoint_fail(const Errand *errand, const char *stage, const SharepointAnswer *answer);

/* What was asked for is not there. */
bool sharepoint_is_missing(const SharepointAnswer *answer);

#endif
