/* json/json.h - JSON values: parsing, reading, building, writing; and Field tables to and from them.
 *
 * The only place with jansson and libyaml, which read; the trees are our own, because they remember
 * failed allocations and the lines of YAML. A Json is a tree the caller owns; values got out of a
 * tree are borrowed until the tree changes or dies. Objects keep the order of their members. Numbers
 * are whole (int64_t) or a double, which is written so that it comes back the same. All texts are
 * UTF-8 without NUL. Any thread, one thread per tree. */
#ifndef PLATEN_JSON_JSON_H
#define PLATEN_JSON_JSON_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/field.h"

typedef struct Json Json;

/* Parses one whole JSON text (RFC 8259): UTF-8, at most JSON_BYTES_MAX bytes, JSON_VALUES_MAX values
 * and JSON_DEPTH_MAX deep, no name twice in an object, no number beyond int64_t or double.
 * ERR_BAD_INPUT names line and column, ERR_TEMPORARY means no memory. Owned by the caller; NULL on
 * failure. */
Json *json_parse(Bytes text, Err *err);

/* The same for one YAML document of the JSON kind: mappings, sequences, scalars; no anchors,
 * aliases, tags or second documents. Plain (unquoted) scalars are typed when they are true, false,
 * null, ~, empty (null) or a number as JSON writes it; all else is text: yes, 007, 2026-11-22.
 * A number that json_parse would refuse is refused here too. Errors of json_read_fields
 * about such a tree name the line. */
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
    JSON_ARR,
    JSON_OBJ
} JsonKind;

JsonKind json_kind(const Json *value);
const Json *json_get(const Json *object, const char *name); /* member, NULL when absent     */
size_t json_count(const Json *array_or_object);             /* 0 for anything else          */
const Json *json_item(const Json *array, size_t i);         /* NULL when out of range       */
const char *json_text(const Json *value);                   /* NULL when not a text         */
int64_t json_int(const Json *value,
                 int64_t otherwise); /* whole numbers in its range; 1.0 is none */
bool json_bool(const Json *value, bool otherwise);

/* Shorthands: json_text(json_get(o, name)) with "" for absent, and so on. */
const char *json_get_text(const Json *object, const char *name);
int64_t json_get_int(const Json *object, const char *name, int64_t otherwise);
bool json_get_bool(const Json *object, const char *name, bool otherwise);

/* Calls visit for each member in order; stops when it answers false and then answers false. */
bool json_each(const Json *object, bool (*visit)(void *arg, const char *name, const Json *value),
               void *arg);

/* --- building: a failure sticks (the tree is poisoned: json_write and json_clone fail) ---------- */
/* All accept NULL as the object or array and do nothing then: check once, at json_write. Setting a
 * name again replaces its value in its place; setting members is meant for tens of them (each looks
 * for its name). A member set on an array, or an item added to an object, poisons. In names and
 * texts, bytes that are not UTF-8 become U+FFFD, so what a device said can always be shown. */
Json *json_new_object(void); /* NULL when memory is gone */
Json *json_new_array(void);
void json_set_text(Json *object, const char *name, const char *text); /* NULL text sets null     */
void json_set_int(Json *object, const char *name, int64_t value);
void json_set_bool(Json *object, const char *name, bool value);
void json_set_null(Json *object, const char *name);
void json_set_take(Json *object, const char *name, Json *value_take); /* NULL value poisons      */
void json_add_text(Json *array, const char *text);
void json_add_int(Json *array, int64_t value);
void json_add_take(Json *array, Json *value_take);
Json *json_clone(const Json *value); /* deep; NULL on failure    */

/* Appends the value as compact JSON on one line (no newline inside, none at the end) to out. False
 * when the tree is NULL, poisoned or deeper than JSON_DEPTH_MAX, or out failed; out then holds a
 * beginning that must not be used. */
bool json_write(const Json *value, Buf *out);

/* Appends the value as indented JSON, or as YAML that json_parse_yaml reads back the same. Both end
 * with a newline. False as json_write. */
bool json_write_pretty(const Json *value, Buf *out);
bool json_write_yaml(const Json *value, Buf *out);

/* --- Field tables ------------------------------------------------------------------------------ */

/* Fills a settings struct from an object: absent members get their preset, unknown members are
 * errors that name the nearest right one, every range, size and choice is checked; texts must be free
 * of control characters except newline and tab; null is not "absent". ERR_BAD_INPUT with err->field
 * = path of the member ("destinations[1].folder"), the path and, for YAML, the line in err->text.
 * ERR_BUG when the table does not fit struct_size. *ret_struct is zeroed first and only complete on
 * success. A FIELD_JSON gets compact text, "" for an empty object. */
bool json_read_fields(const Json *object, const Field *fields, void *ret_struct, size_t struct_size,
                      Err *err);

/* Everything that is wrong with an object, not only the first: names that are unknown, then the fields in the order of
 * the table, each said with an error as of json_read_fields (of a list its first one). True when nothing is. */
typedef void JsonProblem(void *arg, const Err *err);
bool json_check_each(const Json *object, const Field *fields, JsonProblem *problem, void *arg);

/* The line of its YAML text on which a value begins; 0: it comes from elsewhere. */
uint32_t json_line(const Json *value);

/* The object of a settings struct. Secrets are left out unless with_secrets. NULL on failure. */
Json *json_from_fields(const Field *fields, const void *settings, bool with_secrets);

/* Description of a table for --describe: [{"name","type","required","min","max","size","default",
 * "choices","path","items","help"}], each with only what its type has, and no default when it is
 * required. type is text, secret, int, bool, choice, list or json; size is the most bytes of a text;
 * path is true when the text is an absolute path, pattern is folder or text when it may have tokens. NULL when memory is gone. */
Json *json_describe_fields(const Field *fields);

/* JSON Schema (2020-12) of such a table, made from a description; for OpenAPI. It refuses nothing
 * that the table allows, but allows some texts the table finds too long: it counts characters, not
 * bytes. NULL when memory is gone or the description has an unknown type. */
Json *json_schema_of_description(const Json *description);

/* Checks an object against a description made by another program (platend does not link the
 * destinations, it embeds their descriptions). Same checks and errors as json_read_fields; ERR_BUG
 * when the description itself is broken, ERR_TEMPORARY when memory is gone. */
bool json_check_described(const Json *object, const Json *description, Err *err);

#endif
