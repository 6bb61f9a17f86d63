/* json/yaml.c - one YAML document of the JSON kind into a tree (json.h).
 *
 * libyaml tells events; a stack of at most JSON_DEPTH_MAX open containers makes the tree of them, so
 * nothing recurses. What YAML has beyond JSON - anchors, aliases, tags, a second document - is
 * refused: a configuration must say what it means, and aliases can make a small text huge. */
#include "json/tree.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>
#include <yaml.h>

typedef struct YamlReader {
    yaml_parser_t parser;
    yaml_event_t event;
    Bytes text;
    Json *open[JSON_DEPTH_MAX]; /* containers not yet ended, each owned here until it ends */
    size_t depth, values, documents;
    char *names[JSON_DEPTH_MAX]; /* of the open mappings: the name whose value comes next   */
    Json *root;
    bool ended;
    Err *err;
} YamlReader;

/* --- errors ------------------------------------------------------------------------------------ */

static size_t line_of(const yaml_event_t *event)
{
    return event->start_mark.line + 1;
}

/* Records what is wrong at the present event. Returns false. */
static bool fail_at_event(YamlReader *y, const char *what)
{
    return err_set(y->err, ERR_BAD_INPUT, 0, "line %zu, column %zu: %s", line_of(&y->event),
                   y->event.start_mark.column + 1, what);
}

static size_t line_at(Bytes text, size_t offset)
{
    size_t line = 1;

    for (size_t i = 0; i < text.n && i < offset; i++)
        line += text.p[i] == '\n';
    return line;
}

/* Records what libyaml found wrong. Returns false. */
static bool fail_at_problem(YamlReader *y)
{
    const yaml_parser_t *parser = &y->parser;
    const char *problem = parser->problem ? parser->problem : "not YAML";

    if (parser->error == YAML_MEMORY_ERROR)
        return json_no_memory(y->err);
    if (parser->error == YAML_READER_ERROR) /* only a character: the encoding was checked before */
        return err_set(y->err, ERR_BAD_INPUT, 0, "line %zu: %s",
                       line_at(y->text, parser->problem_offset), problem);
    err_set(y->err, ERR_BAD_INPUT, 0, "line %zu, column %zu: %s", parser->problem_mark.line + 1,
            parser->problem_mark.column + 1, problem);
    return err_remedy(y->err,
                      "Indent with blanks, not tabs; put a text with signs such as : # @ %% "
                      "or { in double quotes.");
}

/* --- values ------------------------------------------------------------------------------------ */

static Json *parent_of(const YamlReader *y)
{
    return y->depth > 0 ? y->open[y->depth - 1] : NULL;
}

/* Puts a finished value where it belongs: below the innermost open container or at the root. */
static bool place(YamlReader *y, Json *value_take)
{
    Json *parent = parent_of(y);

    if (!parent) {
        y->root = value_take;
        return true;
    }
    if (parent->kind == JSON_OBJ) {
        free(value_take->name);
        value_take->name = STEAL(y->names[y->depth - 1]);
    }
    return json_node_append(parent, value_take) || json_no_memory(y->err);
}

static Bytes scalar_bytes(const yaml_event_t *event)
{
    return (Bytes){ event->data.scalar.value, event->data.scalar.length };
}

/* A plain scalar has a type when JSON writes it the same way; "~" and nothing are null. */
static bool plain_value(Bytes text, Json **ret_value, Err *err)
{
    if (text.n == 0 || bytes_equal_text(text, "~"))
        *ret_value = json_node_new(JSON_NULL_VALUE);
    else if (!json_parse_plain(text, ret_value, err))
        return false;
    else if (!*ret_value)
        *ret_value = json_node_text(JSON_TEXT, text);
    return *ret_value || json_no_memory(err);
}

static bool is_plain_merge(const yaml_event_t *event)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           bytes_equal_text(scalar_bytes(event), "<<");
}

static bool is_name_next(const YamlReader *y)
{
    const Json *parent = parent_of(y);

    return parent && parent->kind == JSON_OBJ && !y->names[y->depth - 1];
}

static bool on_scalar(YamlReader *y)
{
    const yaml_event_t *event = &y->event;
    Bytes text = scalar_bytes(event);

    if (event->data.scalar.anchor || event->data.scalar.tag)
        return fail_at_event(y, event->data.scalar.anchor ? "anchors (&) are not allowed"
                                                          : "tags (!) are not allowed");
    if (!text_is_utf8(text)) /* an escape can write NUL or half of a surrogate pair */
        return fail_at_event(y, "an escape in this text stands for no allowed character");
    if (is_name_next(y)) {
        if (is_plain_merge(event))
            return fail_at_event(y, "merging (<<) is not allowed");
        y->names[y->depth - 1] = json_copy_bytes(text);
        return y->names[y->depth - 1] || json_no_memory(y->err);
    }
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    Json *value = plain ? NULL : json_node_text(JSON_TEXT, text);
    if (plain && !plain_value(text, &value, y->err))
        return err_prefix(y->err, "line %zu", line_of(event));
    if (!value)
        return json_no_memory(y->err);
    value->line = (uint32_t)line_of(event);
    return place(y, value);
}

static bool open_container(YamlReader *y, JsonKind kind, bool marked)
{
    if (marked)
        return fail_at_event(y, "anchors (&) and tags (!) are not allowed");
    if (is_name_next(y))
        return fail_at_event(y, "a name must be a text, not a list or an object");
    if (y->depth == JSON_DEPTH_MAX)
        return err_set(y->err, ERR_BAD_INPUT, 0, "line %zu: nested more than %d deep",
                       line_of(&y->event), JSON_DEPTH_MAX);
    Json *container = json_node_new(kind);
    if (!container)
        return json_no_memory(y->err);
    container->line = (uint32_t)line_of(&y->event);
    y->open[y->depth++] = container;
    return true;
}

static bool on_sequence_start(YamlReader *y)
{
    return open_container(y, JSON_ARR,
                          y->event.data.sequence_start.anchor || y->event.data.sequence_start.tag);
}

static bool on_mapping_start(YamlReader *y)
{
    return open_container(y, JSON_OBJ,
                          y->event.data.mapping_start.anchor || y->event.data.mapping_start.tag);
}

/* By name, then by place: of two equal names the later member sorts later. */
static int compare_members(const void *a, const void *b)
{
    const Json *const *left = *(const Json *const *const *)a;
    const Json *const *right = *(const Json *const *const *)b;
    int order = strcmp((*left)->name, (*right)->name);

    if (order != 0)
        return order;
    return left < right ? -1 : 1;
}

/* The later one of two members with the same name, NULL when all names differ or memory is gone
 * (*ret_no_memory). Sorts, so that a hostile object costs n log n. */
static const Json *duplicate_of(const Json *object, bool *ret_no_memory)
{
    const Json *found = NULL;

    *ret_no_memory = false;
    if (object->n < 2)
        return NULL;
    Json *const **sorted = calloc(object->n, sizeof *sorted);
    if (!sorted) {
        *ret_no_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < object->n; i++)
        sorted[i] = &object->items[i];
    qsort(sorted, object->n, sizeof *sorted, compare_members);
    for (size_t i = 1; i < object->n && !found; i++)
        if (text_equal((*sorted[i - 1])->name, (*sorted[i])->name))
            found = *sorted[i];
    free(sorted);
    return found;
}

static bool on_container_end(YamlReader *y)
{
    bool no_memory = false;

    y->depth--;
    AUTO(Json) container = STEAL(y->open[y->depth]);
    const Json *twice = container->kind == JSON_OBJ ? duplicate_of(container, &no_memory) : NULL;

    if (twice) {
        err_set(y->err, ERR_BAD_INPUT, 0, "line %u: the name \"%s\" occurs twice", twice->line,
                twice->name);
        err_field(y->err, "%s", twice->name);
    }
    if (no_memory)
        return json_no_memory(y->err);
    return !twice && place(y, STEAL(container));
}

static bool on_document_start(YamlReader *y)
{
    return ++y->documents == 1 || fail_at_event(y, "a second document (---) is not allowed");
}

static bool on_alias(YamlReader *y)
{
    return fail_at_event(y, "aliases (*) are not allowed");
}

static bool on_stream_end(YamlReader *y)
{
    y->ended = true;
    return y->root || err_set(y->err, ERR_BAD_INPUT, 0, "line 1: there is nothing in the text");
}

/* --- events ------------------------------------------------------------------------------------ */

typedef struct EventRule {
    bool (*on_event)(YamlReader *y); /* NULL: nothing to do */
    bool is_value;                   /* counts against JSON_VALUES_MAX */
} EventRule;

static const EventRule event_rules[] = {
    [YAML_NO_EVENT] = { NULL, false },
    [YAML_STREAM_START_EVENT] = { NULL, false },
    [YAML_STREAM_END_EVENT] = { on_stream_end, false },
    [YAML_DOCUMENT_START_EVENT] = { on_document_start, false },
    [YAML_DOCUMENT_END_EVENT] = { NULL, false },
    [YAML_ALIAS_EVENT] = { on_alias, false },
    [YAML_SCALAR_EVENT] = { on_scalar, true },
    [YAML_SEQUENCE_START_EVENT] = { on_sequence_start, true },
    [YAML_SEQUENCE_END_EVENT] = { on_container_end, false },
    [YAML_MAPPING_START_EVENT] = { on_mapping_start, true },
    [YAML_MAPPING_END_EVENT] = { on_container_end, false },
};

static bool read_event(YamlReader *y)
{
    if (!yaml_parser_parse(&y->parser, &y->event))
        return fail_at_problem(y);
    const EventRule *rule = &event_rules[y->event.type];
    y->values += rule->is_value && !is_name_next(y);
    bool good = y->values <= JSON_VALUES_MAX;
    if (!good)
        err_set(y->err, ERR_BAD_INPUT, 0, "line %zu: more than %d values", line_of(&y->event),
                JSON_VALUES_MAX);
    else if (rule->on_event)
        good = rule->on_event(y);
    yaml_event_delete(&y->event);
    return good;
}

static void yaml_reader_done(YamlReader *y)
{
    yaml_parser_delete(&y->parser);
    for (size_t i = 0; i < JSON_DEPTH_MAX; i++) {
        json_free(y->open[i]);
        free(y->names[i]);
    }
    json_free(y->root);
}

Json *json_parse_yaml(Bytes text, Err *err)
{
    YamlReader y = { .text = text, .err = err };
    Json *root = NULL;

    if (!json_check_text(text, err))
        return NULL;
    if (!yaml_parser_initialize(&y.parser)) {
        json_no_memory(err);
        return NULL;
    }
    yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y.parser, text.p, text.n);
    bool good = true;
    while (good && !y.ended)
        good = read_event(&y);
    if (good)
        root = STEAL(y.root);
    yaml_reader_done(&y);
    return root;
}
