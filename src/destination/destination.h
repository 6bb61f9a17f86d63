/* destination/destination.h - what every kind of destination must offer, and the list of them.
 *
 * A kind is one file, WORD.c, that defines a constant DestinationType named destination_WORD, and one
 * word in meson.build. It runs in platen-deliver (or a sister of it) and may block. What happened is a DeliveryResult
 * (model/delivery.h): platend alone decides what follows from it.
 *
 * Stages, in their order, in results and tests: resolve, connect, tls, login, locate, write, verify,
 * rename, remove; send and follow for kinds that hand over at once. */
#ifndef PLATEN_DESTINATION_DESTINATION_H
#define PLATEN_DESTINATION_DESTINATION_H

#include "base/err.h"
#include "base/field.h"
#include "model/delivery.h"
#include "model/name.h"

/* One file to deliver. Borrowed texts, never NULL. */
typedef struct Parcel {
    const char *delivery; /* id: the same in every attempt, names what is temporary            */
    int fd;               /* the file; read with pread, its position belongs to nobody        */
    int64_t size_bytes;   /* what it must have, checked after the way there                    */
    const char *sha256;   /* the same                                                          */
    const char *name;     /* the name it should get there; one file name                       */
    const char *reserved; /* the name an earlier attempt was allowed to use, "" = none         */
    NameFacts facts;      /* what tokens in options stand for                                  */
    bool index;           /* it is the index of a batch, not a document                         */
    const char *subject;  /* a notification's own words, without tokens; NULL = of the options  */
    const char *text;     /* the same; only a notification has them                             */
} Parcel;

/* How a delivery talks with the server while it runs. */
typedef struct DeliveryTalk {
    void *arg;

    /* "May it be called NAME?" The server stores the name before it says go. False: stop here. Asked
     * before every rename, also again for a name that is taken meanwhile. */
    bool (*propose)(void *arg, const char *name);

    /* "Remember this setting": a key that was seen for the first time. False: it must not be trusted. */
    bool (*learn)(void *arg, const char *setting, const char *value);

    /* A stage ended well, in so many milliseconds; what a test shows. */
    void (*passed)(void *arg, const char *stage, int64_t ms);

    /* "I still live": the server waits anew. For kinds that wait for others; see errand_alive. */
    void (*alive)(void *arg);
} DeliveryTalk;

/* One delivery, or one test, at work: all that a kind is given. */
typedef struct Errand {
    const void *settings; /* of the destination; lives as long as the connection     */
    const void *options;  /* of the job for this destination; NULL without a table    */
    void *connection;     /* what open() made                                       */
    const Parcel *parcel; /* a test has a small one of its own                        */
    const DeliveryTalk *talk;
    DeliveryResult *result; /* what failed, or the receipt                              */
} Errand;

typedef enum DestinationTraits {
    DESTINATION_RENAMES = 1,   /* nothing is visible there before it is whole              */
    DESTINATION_EXCLUSIVE = 2, /* a rename never replaces, whoever is faster                */
} DestinationTraits;

typedef struct SiteVerbs SiteVerbs; /* destination/site.h */

typedef struct DestinationType {
    const char *name;  /* "folder": stored, never renamed               */
    const char *title; /* "Folder of the server"                        */
    const Field *fields;
    size_t settings_size; /* bytes; the framework fills it from fields  */
    const Field *options; /* what a job may say for this destination    */
    size_t options_size;
    unsigned traits; /* DestinationTraits                               */

    /* Kinds that keep files in folders set these verbs and get delivery and test from site.c; options
     * then begins with a SiteOptions. The others set deliver and test. */
    const SiteVerbs *site;

    /* What is kept between deliveries with the same settings, for example a connection that is made
     * when it is first needed. open may be NULL: nothing is kept. NULL from open: no memory. */
    void *(*open)(const void *settings);
    void (*close)(void *connection);

    /* Delivers the parcel or says how it failed; fills *errand->result wholly. Where there are names,
     * proposes the final one and renames only after go. Repeating the same parcel is harmless, or the
     * result says UNKNOWN. */
    void (*deliver)(const Errand *errand);

    /* Tries what a delivery needs and leaves nothing behind. Result OK, or the stage that failed. */
    void (*test)(const Errand *errand);

    /* Sends the text of the options to people, without a file; the parcel has only delivery and facts. NULL
     * for kinds that reach no people. */
    void (*notify)(const Errand *errand);
} DestinationType;

/* Every kind, ended by NULL. Written by the build from the list in meson.build. */
extern const DestinationType *const destination_types[];

/* The kind of this name, NULL when there is none. */
const DestinationType *destination_find(const char *name);

/* Delivers, tests or notifies with whatever the kind has for it. Fills *errand->result. */
void destination_deliver(const DestinationType *type, const Errand *errand);
void destination_test(const DestinationType *type, const Errand *errand);
void destination_notify(const DestinationType *type, const Errand *errand);

/* Fills a result that is not OK. Always returns false. cure: one sentence. */
bool delivery_failed(DeliveryResult *result, DeliveryClass class, const char *stage,
                     int64_t native_code, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* The same for a failed call on a file: class and cure come from a table by err->code (errno). */
bool delivery_failed_file(DeliveryResult *result, const char *stage, const Err *err);

/* "May it be called NAME?"; the result is filled when not. */
bool errand_propose(const Errand *errand, const char *name);

/* Gives a reservation back: what was proposed was not used, or nothing is unsure about it any more. The
 * result is filled when the server is gone. */
bool errand_release(const Errand *errand);

/* Tells the server that a long wait is no hanging; at least once in DELIVERY_ALIVE_MS. */
enum { DELIVERY_ALIVE_MS = 20000 };
void errand_alive(const Errand *errand);

/* The receipt: all of the parcel is there, called name. sha256 is what was sent. */
bool errand_done(const Errand *errand, const char *stage, const char *name);

/* Reads n bytes of the parcel from offset; n fewer only at its end. False when the spool's disk fails or the
 * file is shorter than it was: the result is filled. */
bool errand_read(const Errand *errand, int64_t offset, void *to, size_t n, size_t *ret_n);

/* Is the file in the spool what the parcel says? False with the result filled (FATAL) when it is damaged. */
bool errand_source_sound(const Errand *errand);

/* "application/pdf" by the extension of a name; "application/octet-stream" for what we do not write. */
const char *media_type_of(const char *name);

#endif
