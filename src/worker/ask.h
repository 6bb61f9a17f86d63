/* worker/ask.h - reads members of a task, each with its limits.
 *
 * A task comes from platend, but what is in it came from a device and a person: every number has a
 * range and every name is one name. All answer false with ERR_BAD_INPUT and err->field = name; texts
 * are borrowed from the task. */
#ifndef PLATEN_WORKER_ASK_H
#define PLATEN_WORKER_ASK_H

#include "base/time.h"
#include "json/json.h"

/* A whole number within min..max. */
bool ask_int(const Json *object, const char *name, int64_t min, int64_t max, int64_t *ret_value,
             Err *err);

/* The same, but an absent member or null is `otherwise`. */
bool ask_int_or(const Json *object, const char *name, int64_t min, int64_t max, int64_t otherwise,
                int64_t *ret_value, Err *err);

/* A moment: the member ms_name in milliseconds since 1970, and "utc_offset_min" beside it. */
bool ask_moment(const Json *object, const char *ms_name, Wall *ret_wall, int *ret_offset_min,
                Err *err);

/* A text that is not empty. */
bool ask_text(const Json *object, const char *name, const char **ret_text, Err *err);

/* The name of one file in a folder (name_is_one_file). */
bool ask_file(const Json *object, const char *name, const char **ret_text, Err *err);

/* 64 lower-case hex digits. */
bool ask_sha256(const Json *object, const char *name, const char **ret_text, Err *err);

/* An absolute path without "." or ".." in it. */
bool ask_path(const Json *object, const char *name, const char **ret_text, Err *err);

/* An array of 1..max objects or whatever the caller makes of its items. */
bool ask_array(const Json *object, const char *name, size_t max, const Json **ret_array, Err *err);

#endif
