/* json/fields.c - settings structs from and to objects, driven by their Field tables (json.h).
 *
 * One row per type of field says how it is read, preset and shown. Reading without a struct checks
 * only; that is how descriptions of other programs are checked with the same words. */
#include "json/fields.h"

#include "base/limits.h"
#include "base/text.h"
#include "json/tree.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { PATH_SIZE = 128, WORDS_SIZE = 140, NAMES_MAX = 128 };

/* Where in the object we are, from the inside out; for error texts. */
typedef struct Path {
    const struct Path *up;
    const char *name; /* of the member              */
    size_t item;      /* else: number of the item   */
} Path;

typedef struct FieldKind {
    const char *name; /* in descriptions: stable for ever */
    /* Reads a present value; at is the field's place in the struct, NULL to check only. */
    bool (*read)(const Field *field, const Json *value, const Path *path, char *at, Err *err);
    void (*preset)(const Field *field, char *at); /* NULL: zeros are right */
    Json *(*show)(const Field *field, const char *at, bool with_secrets);
} FieldKind;

static const FieldKind *kind_of(const Field *field);

/* --- errors ------------------------------------------------------------------------------------ */

/* Appends the path to text[PATH_SIZE]; a path too long is cut. */
static void path_format(const Path *path, char *text)
{
    if (!path)
        return;
    path_format(path->up, text);
    size_t n = strlen(text);
    if (path->name)
        (void)text_printf(text + n, PATH_SIZE - n, "%s%s", n ? "." : "", path->name);
    else
        (void)text_printf(text + n, PATH_SIZE - n, "[%zu]", path->item);
}

/* Records what is wrong with a value: "line 7: jobs[0].name: is missing". Returns false. */
__attribute__((format(printf, 4, 5))) static bool fail(Err *err, const Json *value,
                                                       const Path *path, const char *fmt, ...)
{
    char where[PATH_SIZE] = "", what[sizeof err->text];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    path_format(path, where);
    err_set(err, ERR_BAD_INPUT, 0, "%s%s%s", where, where[0] ? ": " : "", what);
    if (value && value->line > 0)
        err_prefix(err, "line %" PRIu32, value->line);
    return err_field(err, "%s", where);
}

/* "simplex, duplex" into text[WORDS_SIZE]; cut when there are many. */
static void words_format(const char *const *words, char *text)
{
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; words[i]; i++, n = strlen(text))
        if (!text_printf(text + n, WORDS_SIZE - n, "%s%s", i ? ", " : "", words[i]))
            break;
}

/* Records that a word is none of those possible, and which is meant. Returns false. */
static bool fail_unknown(Err *err, const Json *value, const Path *path, const char *word,
                         const char *const *words)
{
    const char *near = text_nearest(word, words);
    char all[WORDS_SIZE];

    words_format(words, all);
    if (near)
        fail(err, value, path, "\"%s\" is unknown here; did you mean \"%s\"?", word, near);
    else
        fail(err, value, path, "\"%s\" is unknown here; known: %s", word, all);
    return err_remedy(err, "Known here: %s", all);
}

static const char *kind_words(const Json *value)
{
    static const char *const words[] = {
        [JSON_ABSENT] = "nothing",  [JSON_NULL_VALUE] = "null", [JSON_BOOL] = "true or false",
        [JSON_NUMBER] = "a number", [JSON_TEXT] = "a text",     [JSON_ARR] = "a list",
        [JSON_OBJ] = "an object",
    };

    return words[json_kind(value)];
}

/* Checks that the value is what its field wants. */
static bool check_kind(const Json *value, JsonKind kind, const char *wanted, const Path *path,
                       Err *err)
{
    if (json_kind(value) == kind)
        return true;
    fail(err, value, path, "must be %s, not %s", wanted, kind_words(value));
    if (json_kind(value) == JSON_NULL_VALUE)
        return err_remedy(err, "Leave it out to have its default.");
    if (kind == JSON_TEXT && (value->kind == JSON_NUMBER || value->kind == JSON_BOOL))
        return err_remedy(err, "Put it in double quotes.");
    return false;
}

/* --- TEXT, SECRET ------------------------------------------------------------------------------ */

static bool has_foreign_control(const char *text)
{
    for (; *text; text++)
        if (((uint8_t)*text < ' ' && *text != '\n' && *text != '\t') || *text == 0x7f)
            return true;
    return false;
}

static bool read_text(const Field *field, const Json *value, const Path *path, char *at, Err *err)
{
    if (!check_kind(value, JSON_TEXT, "a text", path, err))
        return false;
    size_t n = strlen(value->text);
    if (n >= field->size)
        return fail(err, value, path, "has %zu bytes, at most %zu are possible", n,
                    field->size - 1);
    if (n == 0 && field->required)
        return fail(err, value, path, "must not be empty");
    if (has_foreign_control(value->text))
        return fail(err, value, path, "has a control character other than newline and tab");
    if (field->is_path && n > 0 && value->text[0] != '/') {
        fail(err, value, path, "must be an absolute path, not \"%.80s\"", value->text);
        return err_remedy(err, "Give the path from the root, beginning with /.");
    }
    if (at)
        (void)text_copy(at, field->size, value->text);
    return true;
}

static void preset_text(const Field *field, char *at)
{
    (void)text_copy(at, field->size, field->preset_text ? field->preset_text : "");
}

static Json *text_node(const char *text)
{
    return json_node_text(JSON_TEXT, bytes_of_text(text));
}

static Json *show_text(const Field *field, const char *at, bool with_secrets)
{
    (void)field, (void)with_secrets;
    return text_node(at);
}

/* --- INT, BOOL, CHOICE ------------------------------------------------------------------------- */

static bool read_int(const Field *field, const Json *value, const Path *path, char *at, Err *err)
{
    if (!check_kind(value, JSON_NUMBER, "a whole number", path, err))
        return false;
    if (!value->whole)
        return fail(err, value, path, "%s is not a whole number within %" PRId64 " to %" PRId64,
                    value->text, field->min, field->max);
    if (value->integer < field->min || value->integer > field->max)
        return fail(err, value, path, "%" PRId64 " is not within %" PRId64 " to %" PRId64,
                    value->integer, field->min, field->max);
    if (at)
        *(int64_t *)(void *)at = value->integer;
    return true;
}

static void preset_int(const Field *field, char *at)
{
    *(int64_t *)(void *)at = field->preset;
}

static Json *show_int(const Field *field, const char *at, bool with_secrets)
{
    Json *value = json_node_new(JSON_NUMBER);

    (void)field, (void)with_secrets;
    if (value) {
        value->whole = true;
        value->integer = *(const int64_t *)(const void *)at;
    }
    return value;
}

static bool read_bool(const Field *field, const Json *value, const Path *path, char *at, Err *err)
{
    (void)field;
    if (!check_kind(value, JSON_BOOL, "true or false", path, err))
        return false;
    if (at)
        *(bool *)(void *)at = value->boolean;
    return true;
}

static void preset_bool(const Field *field, char *at)
{
    *(bool *)(void *)at = field->preset != 0;
}

static Json *show_bool(const Field *field, const char *at, bool with_secrets)
{
    Json *value = json_node_new(JSON_BOOL);

    (void)field, (void)with_secrets;
    if (value)
        value->boolean = *(const bool *)(const void *)at;
    return value;
}

static bool read_choice(const Field *field, const Json *value, const Path *path, char *at, Err *err)
{
    char all[WORDS_SIZE], digits[24];
    bool number = json_kind(value) == JSON_NUMBER && json_int(value, INT64_MIN) != INT64_MIN;

    /* YAML reads 180 as a number, also where it is a word. */
    if (number)
        (void)text_printf(digits, sizeof digits, "%lld", (long long)json_int(value, 0));
    for (int64_t i = 0; number && field->choices[i]; i++)
        if (text_equal(field->choices[i], digits)) {
            if (at)
                *(int64_t *)(void *)at = i;
            return true;
        }
    if (json_kind(value) != JSON_TEXT) {
        words_format(field->choices, all);
        return fail(err, value, path, "must be one of %s, not %s", all, kind_words(value));
    }
    for (int64_t i = 0; field->choices[i]; i++) {
        if (!text_equal(field->choices[i], value->text))
            continue;
        if (at)
            *(int64_t *)(void *)at = i;
        return true;
    }
    return fail_unknown(err, value, path, value->text, field->choices);
}

static Json *show_choice(const Field *field, const char *at, bool with_secrets)
{
    int64_t chosen = *(const int64_t *)(const void *)at;

    (void)with_secrets;
    for (int64_t i = 0; field->choices[i]; i++)
        if (i == chosen)
            return text_node(field->choices[i]);
    return NULL; /* not a choice of this table: a bug of the caller, the tree is poisoned */
}

/* --- LIST -------------------------------------------------------------------------------------- */

static bool read_object(const Field *fields, const Json *object, const Path *path, char *base,
                        Err *err);

static bool read_list(const Field *field, const Json *value, const Path *path, char *at, Err *err)
{
    size_t count = json_count(value);

    if (!check_kind(value, JSON_ARR, "a list", path, err))
        return false;
    if ((int64_t)count < field->min || (int64_t)count > field->max)
        return fail(err, value, path, "has %zu items, must have %" PRId64 " to %" PRId64, count,
                    field->min, field->max);
    for (size_t i = 0; i < count; i++) {
        Path item = { .up = path, .item = i };

        if (!read_object(field->items, value->items[i], &item,
                         at ? at + i * field->item_size : NULL, err))
            return false;
    }
    return true;
}

static size_t *list_count(const Field *field, const char *at)
{
    return (size_t *)(void *)((uintptr_t)at - field->offset + field->count_offset);
}

static Json *show_list(const Field *field, const char *at, bool with_secrets)
{
    size_t count = *list_count(field, at);
    Json *list = json_new_array();

    if (count > (size_t)field->max) {
        json_free(list);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        json_add_take(list,
                      json_from_fields(field->items, at + i * field->item_size, with_secrets));
    return list;
}

/* --- JSON -------------------------------------------------------------------------------------- */

static bool read_json(const Field *field, const Json *value, const Path *path, char *at, Err *err)
{
    size_t size = field->size < JSON_BYTES_MAX ? field->size : JSON_BYTES_MAX;
    AUTO_BUF text = buf_with_max(size); /* one more than fits: room for buf_text's NUL */

    if (!check_kind(value, JSON_OBJ, "an object", path, err))
        return false;
    if (!buf_reserve(&text, size)) /* at once, so that a later failure means "too long" only */
        return json_no_memory(err);
    if (!json_write(value, &text) || text.n >= size)
        return fail(err, value, path, "is longer than %zu bytes as JSON text", size - 1);
    if (at)
        (void)text_copy(at, field->size, value->n > 0 ? buf_text(&text) : "");
    return true;
}

static Json *show_json(const Field *field, const char *at, bool with_secrets)
{
    Err ignored;

    (void)field, (void)with_secrets;
    return at[0] ? json_parse(bytes_of_text(at), &ignored) : json_new_object();
}

/* --- tables ------------------------------------------------------------------------------------ */

static const FieldKind field_kinds[] = {
    [FIELD_TEXT] = { "text", read_text, preset_text, show_text },
    [FIELD_SECRET] = { "secret", read_text, preset_text, show_text },
    [FIELD_INT] = { "int", read_int, preset_int, show_int },
    [FIELD_BOOL] = { "bool", read_bool, preset_bool, show_bool },
    [FIELD_CHOICE] = { "choice", read_choice, preset_int, show_choice },
    [FIELD_LIST] = { "list", read_list, NULL, show_list },
    [FIELD_JSON] = { "json", read_json, NULL, show_json },
};

static const FieldKind *kind_of(const Field *field)
{
    return &field_kinds[field->type];
}

const char *field_type_name(FieldType type)
{
    return field_kinds[type].name;
}

bool field_type_of_name(const char *name, FieldType *ret_type)
{
    for (size_t i = 0; i < COUNT_OF(field_kinds); i++) {
        if (!text_equal(field_kinds[i].name, name))
            continue;
        *ret_type = (FieldType)i;
        return true;
    }
    return false;
}

static bool check_name(const Field *fields, const Json *value, const Path *path, Err *err)
{
    const char *names[NAMES_MAX + 1] = { NULL };
    Path member = { .up = path, .name = value->name };
    size_t known = 0;

    for (const Field *field = fields; field->name; field++) {
        if (text_equal(field->name, value->name))
            return true;
        if (known < NAMES_MAX)
            names[known++] = field->name;
    }
    return fail_unknown(err, value, &member, member.name, names);
}

/* Every member must have a field; a wrong name is told before a missing one, it explains it. */
static bool check_names(const Field *fields, const Json *object, const Path *path, Err *err)
{
    for (size_t i = 0; i < object->n; i++)
        if (!check_name(fields, object->items[i], path, err))
            return false;
    return true;
}

/* Reads one object into the zeroed struct at base, or only checks it when base is NULL. */
static bool read_object(const Field *fields, const Json *object, const Path *path, char *base,
                        Err *err)
{
    if (!check_kind(object, JSON_OBJ, "an object", path, err) ||
        !check_names(fields, object, path, err))
        return false;
    for (const Field *field = fields; field->name; field++) {
        const Json *value = json_get(object, field->name);
        char *at = base ? base + field->offset : NULL;
        Path member = { .up = path, .name = field->name };

        if (!value && (field->required || (field->type == FIELD_LIST && field->min > 0)))
            return fail(err, object, &member, "is missing");
        if (value && !kind_of(field)->read(field, value, &member, at, err))
            return false;
        if (!value && at && kind_of(field)->preset)
            kind_of(field)->preset(field, at);
        if (at && field->type == FIELD_LIST)
            *list_count(field, at) = json_count(value);
    }
    return true;
}

/* Bytes of a field in its struct. */
static size_t field_bytes(const Field *field)
{
    switch (field->type) {
    case FIELD_INT:
    case FIELD_CHOICE:
        return sizeof(int64_t);
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_LIST:
        return (size_t)field->max * field->item_size;
    default:
        return field->size;
    }
}

/* A table that does not fit its struct would write over other memory: refused. */
static bool fields_fit(const Field *fields, size_t struct_size)
{
    for (; fields->name; fields++) {
        size_t bytes = field_bytes(fields);
        bool list = fields->type == FIELD_LIST;

        if (bytes > struct_size || fields->offset > struct_size - bytes)
            return false;
        if (list && (fields->count_offset > struct_size - sizeof(size_t) ||
                     !fields_fit(fields->items, fields->item_size)))
            return false;
    }
    return true;
}

bool json_read_fields(const Json *object, const Field *fields, void *ret_struct, size_t struct_size,
                      Err *err)
{
    memset(ret_struct, 0, struct_size);
    if (!fields_fit(fields, struct_size))
        return err_set(err, ERR_BUG, 0, "the field table of \"%s\" does not fit its struct",
                       fields->name);
    return read_object(fields, object, NULL, ret_struct, err);
}

bool json_check_fields(const Json *object, const Field *fields, Err *err)
{
    return read_object(fields, object, NULL, NULL, err);
}

bool json_check_each(const Json *object, const Field *fields, JsonProblem *problem, void *arg)
{
    bool ok = true;
    Err err = { 0 };

    if (!check_kind(object, JSON_OBJ, "an object", NULL, &err)) {
        problem(arg, &err);
        return false;
    }
    for (size_t i = 0; i < object->n; i++) {
        err = (Err){ 0 };
        if (check_name(fields, object->items[i], NULL, &err))
            continue;
        problem(arg, &err);
        ok = false;
    }
    for (const Field *field = fields; field->name; field++) {
        const Json *value = json_get(object, field->name);
        Path member = { .name = field->name };

        err = (Err){ 0 };
        if (value ? kind_of(field)->read(field, value, &member, NULL, &err)
                  : !field->required || fail(&err, object, &member, "is missing"))
            continue;
        problem(arg, &err);
        ok = false;
    }
    return ok;
}

uint32_t json_line(const Json *value)
{
    return value ? value->line : 0;
}

Json *json_from_fields(const Field *fields, const void *settings, bool with_secrets)
{
    Json *object = json_new_object();

    for (; fields->name; fields++) {
        if (fields->type == FIELD_SECRET && !with_secrets)
            continue;
        const char *at = (const char *)settings + fields->offset;
        json_set_take(object, fields->name, kind_of(fields)->show(fields, at, with_secrets));
    }
    if (!object || object->poisoned) {
        json_free(object);
        return NULL;
    }
    return object;
}
