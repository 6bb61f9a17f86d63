/* json/tree.c - building, reading and copying trees (json.h, tree.h). */
#include "json/tree.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

enum { ITEMS_FIRST_CAPACITY = 4, UTF8_CHARACTER_MAX = 4 };

bool json_no_memory(Err *err)
{
    return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory left for a JSON value");
}

/* --- nodes ------------------------------------------------------------------------------------- */

Json *json_node_new(JsonKind kind)
{
    Json *node = calloc(1, sizeof *node);

    if (node)
        node->kind = kind;
    return node;
}

char *json_copy_bytes(Bytes text)
{
    char *copy = malloc(text.n + 1);

    if (!copy)
        return NULL;
    (void)text_copy_bytes(copy, text.n + 1, text);
    return copy;
}

Json *json_node_text(JsonKind kind, Bytes text)
{
    AUTO(Json) node = json_node_new(kind);

    if (!node)
        return NULL;
    node->text = json_copy_bytes(text);
    return node->text ? STEAL(node) : NULL;
}

static bool is_container(const Json *value)
{
    return value && (value->kind == JSON_ARR || value->kind == JSON_OBJ);
}

bool json_node_append(Json *container, Json *value_take)
{
    AUTO(Json) value = value_take;

    if (container->n == container->cap) {
        size_t cap = container->cap ? container->cap * 2 : ITEMS_FIRST_CAPACITY;
        Json **items = realloc(container->items, cap * sizeof *items);

        if (!items)
            return false;
        container->items = items;
        container->cap = cap;
    }
    container->items[container->n++] = STEAL(value);
    return true;
}

void json_free(Json *value)
{
    if (!value)
        return;
    if (is_container(value)) {
        for (size_t i = 0; i < value->n; i++)
            json_free(value->items[i]);
        free(value->items);
    } else if (value->kind == JSON_TEXT || (value->kind == JSON_NUMBER && !value->whole)) {
        free(value->text);
    }
    free(value->name);
    free(value);
}

bool json_check_text(Bytes text, Err *err)
{
    size_t line = 1;

    if (text.n > JSON_BYTES_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "the text has %zu bytes, more than the %d allowed",
                       text.n, JSON_BYTES_MAX);
    if (text_is_utf8(text))
        return true;
    while (text.n > 0 && text_is_utf8(bytes_take_until(&text, '\n')))
        line++;
    err_set(err, ERR_BAD_INPUT, 0, "line %zu: not UTF-8, or a NUL byte", line);
    return err_remedy(err, "Save the text in the encoding UTF-8.");
}

/* --- reading ----------------------------------------------------------------------------------- */

JsonKind json_kind(const Json *value)
{
    return value ? value->kind : JSON_ABSENT;
}

static Json *find_member(const Json *object, const char *name)
{
    if (json_kind(object) != JSON_OBJ)
        return NULL;
    for (size_t i = 0; i < object->n; i++)
        if (text_equal(object->items[i]->name, name))
            return object->items[i];
    return NULL;
}

const Json *json_get(const Json *object, const char *name)
{
    return find_member(object, name);
}

size_t json_count(const Json *array_or_object)
{
    return is_container(array_or_object) ? array_or_object->n : 0;
}

const Json *json_item(const Json *array, size_t i)
{
    return json_kind(array) == JSON_ARR && i < array->n ? array->items[i] : NULL;
}

const char *json_text(const Json *value)
{
    return json_kind(value) == JSON_TEXT ? value->text : NULL;
}

int64_t json_int(const Json *value, int64_t otherwise)
{
    return json_kind(value) == JSON_NUMBER && value->whole ? value->integer : otherwise;
}

bool json_bool(const Json *value, bool otherwise)
{
    return json_kind(value) == JSON_BOOL ? value->boolean : otherwise;
}

const char *json_get_text(const Json *object, const char *name)
{
    const char *text = json_text(json_get(object, name));

    return text ? text : "";
}

int64_t json_get_int(const Json *object, const char *name, int64_t otherwise)
{
    return json_int(json_get(object, name), otherwise);
}

bool json_get_bool(const Json *object, const char *name, bool otherwise)
{
    return json_bool(json_get(object, name), otherwise);
}

bool json_each(const Json *object, bool (*visit)(void *arg, const char *name, const Json *value),
               void *arg)
{
    if (json_kind(object) != JSON_OBJ)
        return true;
    for (size_t i = 0; i < object->n; i++)
        if (!visit(arg, object->items[i]->name, object->items[i]))
            return false;
    return true;
}

/* --- building ---------------------------------------------------------------------------------- */

Json *json_new_object(void)
{
    return json_node_new(JSON_OBJ);
}

Json *json_new_array(void)
{
    return json_node_new(JSON_ARR);
}

/* Bytes of the well-formed character at the start of text, 0 when there is none. */
static size_t character_length(Bytes text)
{
    for (size_t n = 1; n <= UTF8_CHARACTER_MAX && n <= text.n; n++)
        if (text_is_utf8((Bytes){ text.p, n }))
            return n;
    return 0;
}

/* A copy in which every byte that is not UTF-8 became U+FFFD, so that what a device or a file
 * system called something can always be shown. */
static char *copy_repaired(const char *text)
{
    static const Bytes replacement = { (const uint8_t *)"\xef\xbf\xbd", 3 };
    AUTO_BUF repaired = buf_with_max(strlen(text) * replacement.n + 1);

    if (text_is_utf8(bytes_of_text(text)))
        return json_copy_bytes(bytes_of_text(text));
    for (Bytes rest = bytes_of_text(text); rest.n > 0;) {
        size_t n = character_length(rest);

        (void)buf_put(&repaired, n ? (Bytes){ rest.p, n } : replacement);
        rest = bytes_after(rest, n ? n : 1);
    }
    return repaired.failed ? NULL : json_copy_bytes(buf_bytes(&repaired));
}

static Json *text_value(const char *text)
{
    AUTO(Json) value = json_node_new(text ? JSON_TEXT : JSON_NULL_VALUE);

    if (!value || !text)
        return STEAL(value);
    value->text = copy_repaired(text);
    return value->text ? STEAL(value) : NULL;
}

static Json *int_value(int64_t number)
{
    Json *value = json_node_new(JSON_NUMBER);

    if (value) {
        value->whole = true;
        value->integer = number;
    }
    return value;
}

void json_set_take(Json *object, const char *name, Json *value_take)
{
    AUTO(Json) value = value_take;

    if (!object)
        return;
    if (!value || object->kind != JSON_OBJ) {
        object->poisoned = true;
        return;
    }
    char *name_copy = copy_repaired(name);
    if (!name_copy) {
        object->poisoned = true;
        return;
    }
    free(value->name);
    value->name = name_copy;
    object->poisoned |= value->poisoned;
    for (size_t i = 0; i < object->n; i++)
        if (text_equal(object->items[i]->name, name_copy)) {
            json_free(object->items[i]);
            object->items[i] = STEAL(value);
            return;
        }
    if (!json_node_append(object, STEAL(value)))
        object->poisoned = true;
}

void json_set_text(Json *object, const char *name, const char *text)
{
    json_set_take(object, name, text_value(text));
}

void json_set_int(Json *object, const char *name, int64_t value)
{
    json_set_take(object, name, int_value(value));
}

void json_set_bool(Json *object, const char *name, bool value)
{
    Json *node = json_node_new(JSON_BOOL);

    if (node)
        node->boolean = value;
    json_set_take(object, name, node);
}

void json_set_null(Json *object, const char *name)
{
    json_set_take(object, name, json_node_new(JSON_NULL_VALUE));
}

void json_add_take(Json *array, Json *value_take)
{
    AUTO(Json) value = value_take;

    if (!array)
        return;
    array->poisoned |= value && value->poisoned;
    if (!value || array->kind != JSON_ARR || !json_node_append(array, STEAL(value)))
        array->poisoned = true;
}

void json_add_text(Json *array, const char *text)
{
    json_add_take(array, text_value(text));
}

void json_add_int(Json *array, int64_t value)
{
    json_add_take(array, int_value(value));
}

/* A copy of the value without its members or items. */
static Json *copy_node(const Json *value)
{
    AUTO(Json) copy = json_node_new(value->kind);

    if (!copy)
        return NULL;
    copy->boolean = value->boolean;
    copy->whole = value->whole;
    copy->line = value->line;
    if (value->name && !(copy->name = json_copy_bytes(bytes_of_text(value->name))))
        return NULL;
    if (value->kind == JSON_NUMBER && value->whole)
        copy->integer = value->integer;
    else if (value->kind == JSON_TEXT || value->kind == JSON_NUMBER)
        copy->text = json_copy_bytes(bytes_of_text(value->text));
    else
        return STEAL(copy);
    return copy->whole || copy->text ? STEAL(copy) : NULL;
}

Json *json_clone(const Json *value)
{
    if (!value || value->poisoned)
        return NULL;
    AUTO(Json) copy = copy_node(value);
    if (!copy || !is_container(value))
        return STEAL(copy);
    for (size_t i = 0; i < value->n; i++) {
        Json *item = json_clone(value->items[i]);

        if (!item || !json_node_append(copy, item))
            return NULL;
    }
    return STEAL(copy);
}
