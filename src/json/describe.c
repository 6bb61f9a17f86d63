/* json/describe.c - field tables as data: --describe, JSON Schema, and checks by a description.
 *
 * A description travels between programs: a worker prints it, the server embeds it. Checking by a
 * description makes a field table of it again, so that the same code checks with the same words. */
#include "json/fields.h"
#include "json/tree.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>

/* --- table to description ---------------------------------------------------------------------- */

static const char *const pattern_words[] = {
    [FIELD_PATTERN_NONE] = "",
    [FIELD_PATTERN_FOLDER] = "folder",
    [FIELD_PATTERN_TEXT] = "text",
    [FIELD_PATTERN_ADDRESSES] = "addresses",
};

static Json *describe_choices(const char *const *choices)
{
    Json *words = json_new_array();

    for (; *choices; choices++)
        json_add_text(words, *choices);
    return words;
}

/* The limits that a type of field has. */
static void describe_limits(Json *object, const Field *field)
{
    if (field->type == FIELD_TEXT || field->type == FIELD_SECRET || field->type == FIELD_JSON)
        json_set_int(object, "size", (int64_t)field->size - 1);
    if (field->type == FIELD_INT || field->type == FIELD_LIST) {
        json_set_int(object, "min", field->min);
        json_set_int(object, "max", field->max);
    }
    if (field->type == FIELD_CHOICE)
        json_set_take(object, "choices", describe_choices(field->choices));
    if (field->type == FIELD_LIST)
        json_set_take(object, "items", json_describe_fields(field->items));
    if (field->is_path)
        json_set_bool(object, "path", true);
    if (field->pattern != FIELD_PATTERN_NONE)
        json_set_text(object, "pattern", pattern_words[field->pattern]);
}

/* What an absent member means; secrets, lists and objects are always empty then. */
static void describe_default(Json *object, const Field *field)
{
    if (field->type == FIELD_TEXT)
        json_set_text(object, "default", field->preset_text ? field->preset_text : "");
    else if (field->type == FIELD_INT)
        json_set_int(object, "default", field->preset);
    else if (field->type == FIELD_BOOL)
        json_set_bool(object, "default", field->preset != 0);
    else if (field->type == FIELD_CHOICE)
        json_set_text(object, "default", field->choices[field->preset]);
}

Json *json_describe_fields(const Field *fields)
{
    AUTO(Json) list = json_new_array();

    for (; list && fields->name; fields++) {
        Json *object = json_new_object();

        json_set_text(object, "name", fields->name);
        json_set_text(object, "type", field_type_name(fields->type));
        json_set_bool(object, "required", fields->required);
        describe_limits(object, fields);
        if (!fields->required)
            describe_default(object, fields);
        json_set_text(object, "help", fields->help ? fields->help : "");
        json_add_take(list, object);
    }
    return list && !list->poisoned ? STEAL(list) : NULL;
}

/* --- description to JSON Schema ---------------------------------------------------------------- */

static void copy_member(Json *to, const char *to_name, const Json *from, const char *from_name)
{
    const Json *value = json_get(from, from_name);

    if (value)
        json_set_take(to, to_name, json_clone(value));
}

typedef struct SchemaRule {
    const char *type; /* of JSON Schema */
    void (*add)(Json *schema, const Json *description);
} SchemaRule;

/* Our sizes are bytes, maxLength counts characters: no valid text is refused by the schema. */
static void schema_text(Json *schema, const Json *description)
{
    if (json_get_bool(description, "required", false))
        json_set_int(schema, "minLength", 1);
    copy_member(schema, "maxLength", description, "size");
    if (json_get_bool(description, "path", false))
        json_set_text(schema, "pattern",
                      json_get_bool(description, "required", false) ? "^/" : "^(/|$)");
}

static void schema_secret(Json *schema, const Json *description)
{
    schema_text(schema, description);
    json_set_bool(schema, "writeOnly", true);
}

static void schema_int(Json *schema, const Json *description)
{
    copy_member(schema, "minimum", description, "min");
    copy_member(schema, "maximum", description, "max");
}

static void schema_choice(Json *schema, const Json *description)
{
    copy_member(schema, "enum", description, "choices");
}

static void schema_list(Json *schema, const Json *description)
{
    copy_member(schema, "minItems", description, "min");
    copy_member(schema, "maxItems", description, "max");
    json_set_take(schema, "items", json_schema_of_description(json_get(description, "items")));
}

static const SchemaRule schema_rules[] = {
    [FIELD_TEXT] = { "string", schema_text },
    [FIELD_SECRET] = { "string", schema_secret },
    [FIELD_INT] = { "integer", schema_int },
    [FIELD_BOOL] = { "boolean", NULL },
    [FIELD_CHOICE] = { "string", schema_choice },
    [FIELD_LIST] = { "array", schema_list },
    [FIELD_JSON] = { "object", NULL },
};

/* The schema of one field, NULL when its type is unknown. */
static Json *schema_of_field(const Json *description)
{
    FieldType type;

    if (!field_type_of_name(json_get_text(description, "type"), &type))
        return NULL;
    Json *schema = json_new_object();
    json_set_text(schema, "type", schema_rules[type].type);
    json_set_text(schema, "description", json_get_text(description, "help"));
    if (schema_rules[type].add)
        schema_rules[type].add(schema, description);
    copy_member(schema, "default", description, "default");
    return schema;
}

static bool must_be_present(const Json *description)
{
    return json_get_bool(description, "required", false) ||
           (text_equal(json_get_text(description, "type"), "list") &&
            json_get_int(description, "min", 0) > 0);
}

Json *json_schema_of_description(const Json *description)
{
    AUTO(Json) schema = json_new_object();
    Json *properties = json_new_object(), *required = json_new_array();

    for (size_t i = 0; i < json_count(description); i++) {
        const Json *field = json_item(description, i);

        json_set_take(properties, json_get_text(field, "name"), schema_of_field(field));
        if (must_be_present(field))
            json_add_text(required, json_get_text(field, "name"));
    }
    json_set_text(schema, "type", "object");
    json_set_bool(schema, "additionalProperties", false);
    json_set_take(schema, "properties", properties);
    json_set_take(schema, "required", required);
    return schema && !schema->poisoned ? STEAL(schema) : NULL;
}

/* --- description to table ---------------------------------------------------------------------- */

static void fields_free(Field *fields)
{
    for (Field *field = fields; field && field->name; field++) {
        free((void *)(uintptr_t)field->choices);
        fields_free((Field *)(uintptr_t)field->items);
    }
    free(fields);
}

typedef Field FieldTable;
DEFINE_AUTO(FieldTable, fields_free);

static Field *fields_of_description(const Json *description, size_t depth, Err *err);

static bool fail_description(Err *err, const char *name)
{
    return err_set(err, ERR_BUG, 0, "the description of the field \"%s\" is broken", name);
}

/* Borrows the words. */
static const char **choices_of(const Json *words)
{
    size_t n = json_count(words);
    const char **choices = calloc(n + 1, sizeof *choices);

    for (size_t i = 0; choices && i < n; i++) {
        const char *word = json_text(json_item(words, i));

        choices[i] = word ? word : "";
    }
    return choices;
}

/* Fills one row; borrows name and words from the description. What a failed row owns is freed with
 * its table, because it has its name by then. */
static bool field_of_description(const Json *description, size_t depth, Field *ret_field, Err *err)
{
    const char *name = json_get_text(description, "name");
    int64_t size = json_get_int(description, "size", 0);
    FieldType type;

    if (!name[0] || size < 0 || !field_type_of_name(json_get_text(description, "type"), &type))
        return fail_description(err, name);
    *ret_field = (Field){
        .name = name,
        .type = type,
        .size = (size_t)size + 1,
        .required = json_get_bool(description, "required", false),
        .is_path = json_get_bool(description, "path", false),
        .min = json_get_int(description, "min", 0),
        .max = json_get_int(description, "max", 0),
    };
    if (type == FIELD_CHOICE) {
        ret_field->choices = choices_of(json_get(description, "choices"));
        return ret_field->choices || json_no_memory(err);
    }
    if (type == FIELD_LIST) {
        ret_field->items = fields_of_description(json_get(description, "items"), depth + 1, err);
        return ret_field->items != NULL;
    }
    return true;
}

/* A table without offsets: good for json_check_fields only. */
static Field *fields_of_description(const Json *description, size_t depth, Err *err)
{
    size_t n = json_count(description);

    if (json_kind(description) != JSON_ARR || depth == JSON_DEPTH_MAX) {
        (void)fail_description(err, "");
        return NULL;
    }
    AUTO(FieldTable) fields = calloc(n + 1, sizeof *fields);
    if (!fields) {
        (void)json_no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (!field_of_description(json_item(description, i), depth, &fields[i], err))
            return NULL;
    return STEAL(fields);
}

bool json_check_described(const Json *object, const Json *description, Err *err)
{
    AUTO(FieldTable) fields = fields_of_description(description, 0, err);

    return fields && json_check_fields(object, fields, err);
}
