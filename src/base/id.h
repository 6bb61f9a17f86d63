/* base/id.h - ids of nouns: 26 characters, sorted by creation time, safe in file names and URLs.
 *
 * The form is the ULID's: 48 bits of milliseconds, 80 random bits, Crockford base 32, lower case.
 * Ids are typed: passing a DeviceId where a BatchId is expected does not compile. */
#ifndef PLATEN_BASE_ID_H
#define PLATEN_BASE_ID_H

#include "base/time.h"

#include <stdbool.h>

enum { ID_TEXT_SIZE = 27 };

typedef struct DeviceId {
    char text[ID_TEXT_SIZE];
} DeviceId;
typedef struct JobId {
    char text[ID_TEXT_SIZE];
} JobId;
typedef struct JobGroupId {
    char text[ID_TEXT_SIZE];
} JobGroupId;
typedef struct DestinationId {
    char text[ID_TEXT_SIZE];
} DestinationId;
typedef struct BatchId {
    char text[ID_TEXT_SIZE];
} BatchId;
typedef struct DocumentId {
    char text[ID_TEXT_SIZE];
} DocumentId;
typedef struct DeliveryId {
    char text[ID_TEXT_SIZE];
} DeliveryId;
typedef struct TraceId {
    char text[ID_TEXT_SIZE];
} TraceId;

/* A fresh id's text; uses the kernel's random bytes. Any thread. */
void id_new_text(Wall now, char ret_text[ID_TEXT_SIZE]);

/* True when text is 26 characters of the id alphabet (in lower case). */
bool id_text_is_valid(const char *text);

/* When the id with this text, which is valid, was made. */
Wall id_text_made_at(const char *text);

/* id_new(BatchId, now): a fresh typed id. */
#define id_new(Type, now)             \
    ({                                \
        Type id_;                     \
        id_new_text((now), id_.text); \
        id_;                          \
    })

/* id_parse(text, &batch_id): false when text is not an id. */
#define id_parse(text_in, ret_id)                            \
    ({                                                       \
        bool ok_ = id_text_is_valid(text_in);                \
        if (ok_)                                             \
            memcpy((ret_id)->text, (text_in), ID_TEXT_SIZE); \
        ok_;                                                 \
    })

#endif
