/* model/destination.h - the Destination: a named place documents can go to.
 *
 * The settings belong to the kind: its program (platen-deliver or a sister) describes them, the server
 * checks them against that description and stores them as JSON text; only that program reads them. */
#ifndef PLATEN_MODEL_DESTINATION_H
#define PLATEN_MODEL_DESTINATION_H

#include "base/err.h"
#include "base/field.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/time.h"

typedef struct Destination {
    char name[NAME_TEXT_SIZE];
    char kind[32];                     /* "folder": stored, never renamed */
    char settings[SETTINGS_TEXT_SIZE]; /* JSON object                     */
    int64_t parallel;                  /* deliveries at the same time, 1..8                      */
    int64_t expiry_hours;              /* a delivery that did not get through in this time fails */
} Destination;

enum { DESTINATION_PARALLEL_MAX = 8, DESTINATION_AUTH_FAILURES_MAX = 2 };

/* Why nothing is sent to a destination: it refused the password so often in a row that an account may soon
 * be locked, or a person stopped it. */
typedef struct DestinationStop {
    Wall at; /* 0 = it is not stopped */
    char text[240], cure[160];
} DestinationStop;

extern const Field destination_fields[];

/* Name and kind as far as a table cannot say it; the settings are checked by the caller. */
bool destination_check(const Destination *destination, Err *err);

#endif
