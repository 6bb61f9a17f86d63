/* json/json.h - JSON values: parsing, reading, building, writing; and Field tables to and from them.
 *
 * The only place with jansson and libyaml. A Json is a tree the caller owns; values got out of a
 * tree are borrowed until the tree changes or dies. Objects keep the order of their members. All
 * texts are UTF-8 without NUL. Any thread, one thread per tree. */
#ifndef PLATEN_JSON_JSON_H
#define PLATEN_JSON_JSON_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/field.h"

typedef struct Json Json;

/* Parses one whole JSON text: UTF-8, at most JSON_BYTES_MAX and JSON_DEPTH_MAX deep, no duplicate
 * names. ERR_BAD_INPUT names line and column. */
Json *json_parse(Bytes text, Err *err);

/* The same for one YAML document of the JSON kind: mappings, sequences, scalars; no anchors,
 * aliases, tags or second documents. Plain scalars true/false, integers, null are typed, all else
 * is text. */
Json *json_parse_yaml(Bytes text, Err *err);

void json_free(Json *value); /* accepts NULL */
DEFINE_AUTO(Json, json_free);

/* --- reading: NULL is accepted everywhere as "absent" ------------------------------------------ */
typedef enum JsonKind {
    JSON_ABSENT,
    JSON_NULL_VALUE,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJ
} JsonKind;

JsonKind json_kind(const Json *value);
const Json *json_get(const Json *object, const char *name); /* member, NULL when absent     */
size_t json_count(const Json *array_or_object);             /* 0 for anything else          */
const Json *json_item(const Json *array, size_t i);         /* NULL when out of range       */
const char *json_text(const Json *value);                   /* NULL when not a text         */
int64_t json_int(const Json *value, int64_t otherwise);     /* whole numbers only           */
bool json_bool(const Json *value, bool otherwise);

/* Shorthands: json_text(json_get(o, name)) with "" for absent, and so on. */
const char *json_get_text(const Json *object, const char *name);
int64_t json_get_int(const Json *object, const char *name, int64_t otherwise);
bool json_get_bool(const Json *object, const char *name, bool otherwise);

/* Calls visit for each member in order; stops when it answers false and then answers false. */
bool json_each(const Json *object, bool (*visit)(void *arg, const char *name, const Json *value),
               void *arg);

/* --- building: a failed allocation sticks (the tree is poisoned and json_write answers false) --- */
Json *json_object(void);
Json *json_array(void);
void json_set_text(Json *object, const char *name, const char *text);
void json_set_int(Json *object, const char *name, int64_t value);
void json_set_bool(Json *object, const char *name, bool value);
void json_set_null(Json *object, const char *name);
void json_set_take(Json *object, const char *name, Json *value_take); /* NULL value poisons      */
void json_add_text(Json *array, const char *text);
void json_add_int(Json *array, int64_t value);
void json_add_take(Json *array, Json *value_take);
Json *json_copy(const Json *value); /* deep; NULL on failure    */

/* Appends the value as compact JSON on one line (no newline inside) to out. */
bool json_write(const Json *value, Buf *out);

/* Appends the value as indented JSON, and as YAML that json_parse_yaml reads back the same. */
bool json_write_pretty(const Json *value, Buf *out);
bool json_write_yaml(const Json *value, Buf *out);

/* --- Field tables ------------------------------------------------------------------------------ */

/* Fills a settings struct from an object: absent members get their preset, unknown members are
 * errors that name the nearest right one, every range, size and choice is checked; texts must be free
 * of control characters except newline and tab. ERR_BAD_INPUT with err->field = path of the member
 * ("destinations[1].folder"). *ret_struct is zeroed first and only complete on success. */
bool json_read_fields(const Json *object, const Field *fields, void *ret_struct, size_t struct_size,
                      Err *err);

/* The object of a settings struct. Secrets are left out unless with_secrets. NULL on failure. */
Json *json_from_fields(const Field *fields, const void *settings, bool with_secrets);

/* Description of a table for --describe: [{"name","type","required","min","max","size","default","choices",
 * "items","help"}]. */
Json *json_describe_fields(const Field *fields);

/* JSON Schema (2020-12) of such a table, made from a description; for OpenAPI. */
Json *json_schema_of_description(const Json *description);

/* Checks an object against a description made by another program (platend does not link the
 * destinations, it embeds their descriptions). Same checks and errors as json_read_fields. */
bool json_check_described(const Json *object, const Json *description, Err *err);

#endif
