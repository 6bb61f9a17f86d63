/* destination/destination.h - what every kind of destination must offer, and the list of them.
 *
 * A kind is one file, WORD.c, that defines a constant DestinationType named destination_WORD, and one
 * word in meson.build. It runs in platen-deliver and may block. What happened is a DeliveryResult
 * (model/delivery.h): platend alone decides what follows from it. */
#ifndef PLATEN_DESTINATION_DESTINATION_H
#define PLATEN_DESTINATION_DESTINATION_H

#include "base/err.h"
#include "base/field.h"
#include "model/delivery.h"

/* One file to deliver. Borrowed texts, never NULL. */
typedef struct Parcel {
    const char *delivery; /* id: the same in every attempt, names what is temporary           */
    const char *path;     /* absolute path of the file here                                   */
    int64_t size_bytes;   /* what it must have, checked before and after                      */
    const char *sha256;   /* the same                                                         */
    const char *name;     /* the name it should get there; one file name                      */
    const char *reserved; /* the name an earlier attempt was allowed to use, "" = none        */
} Parcel;

/* How a delivery talks with the server while it runs. */
typedef struct DeliveryTalk {
    void *arg;

    /* "May it be called NAME?" The server stores the name before it says go. False: stop here. Asked
     * before every rename, also again for a name that is taken meanwhile. */
    bool (*propose)(void *arg, const char *name);
} DeliveryTalk;

typedef enum DestinationTraits {
    DESTINATION_RENAMES = 1, /* nothing is visible there before it is whole         */
    DESTINATION_HASHES = 2,  /* what arrived is compared by hash, not by size only  */
} DestinationTraits;

typedef struct DestinationType {
    const char *name;  /* "folder": stored, never renamed               */
    const char *title; /* "Folder of the server"                        */
    const Field *fields;
    size_t settings_size; /* bytes; the framework fills it from fields  */
    unsigned traits;      /* DestinationTraits                          */

    /* MUST be set. Delivers the parcel or says how it failed; fills *ret_result wholly. Proposes the final
     * name and renames only after go. Repeating the same parcel is harmless: the reserved name present
     * with the parcel's size and hash is OK. */
    void (*deliver)(const void *settings, const Parcel *parcel, const DeliveryTalk *talk,
                    DeliveryResult *ret_result);
} DestinationType;

/* Every kind, ended by NULL. Written by the build from the list in meson.build. */
extern const DestinationType *const destination_types[];

/* The kind of this name, NULL when there is none. */
const DestinationType *destination_find(const char *name);

/* Fills a result that is not OK. Always returns false. cure: one sentence. */
bool delivery_failed(DeliveryResult *result, DeliveryClass class, const char *stage,
                     int64_t native_code, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* The same for a failed call on a local file: class and cure come from a table by err->code (errno). */
bool delivery_failed_file(DeliveryResult *result, const char *stage, const Err *err);

#endif
