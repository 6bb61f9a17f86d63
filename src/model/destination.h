/* model/destination.h - the Destination: a named place documents can go to.
 *
 * The settings belong to the kind: platen-deliver describes them, the server checks them against
 * that description and stores them as JSON text; only platen-deliver reads them. */
#ifndef PLATEN_MODEL_DESTINATION_H
#define PLATEN_MODEL_DESTINATION_H

#include "base/err.h"
#include "base/field.h"
#include "base/id.h"
#include "base/limits.h"

typedef struct Destination {
    char name[NAME_TEXT_SIZE];
    char kind[32];                     /* "folder": stored, never renamed */
    char settings[SETTINGS_TEXT_SIZE]; /* JSON object                     */
} Destination;

extern const Field destination_fields[];

/* Name and kind as far as a table cannot say it; the settings are checked by the caller. */
bool destination_check(const Destination *destination, Err *err);

#endif
