/* api/kinds.c - kinds of destination as platen-deliver describes them, and their secrets.
 *
 * The server links no destination: the description tells which settings there are, how they are
 * checked and which of them are secret. */
#include "api/context.h"
#include "base/text.h"
#include "model/mail-address.h"

enum { KINDS_MAX = 64 };

Json *kinds_parse(const char *destinations_json, Err *err)
{
    AUTO(Json) described = json_parse(bytes_of_text(destinations_json), err);
    AUTO(Json) kinds = json_new_array();
    const Json *list = json_get(described, "destinations");

    if (!described) {
        err->kind = ERR_BUG;
        err_prefix(err, "description of destinations");
        return NULL;
    }
    for (size_t i = 0; i < json_count(list); i++) {
        const Json *entry = json_item(list, i);
        Json *kind = json_new_object();

        json_set_text(kind, "kind", json_get_text(entry, "name"));
        json_set_text(kind, "title", json_get_text(entry, "title"));
        json_set_bool(kind, "renames", json_get_bool(entry, "renames", false));
        json_set_bool(kind, "exclusive", json_get_bool(entry, "exclusive", false));
        json_set_take(kind, "fields", json_clone(json_get(entry, "fields")));
        json_set_take(kind, "options",
                      json_get(entry, "options") ? json_clone(json_get(entry, "options"))
                                                 : json_new_array());
        json_add_take(kinds, kind);
    }
    if (json_count(kinds) == 0) {
        err_set(err, ERR_BUG, 0, "the description of destinations has none");
        return NULL;
    }
    return STEAL(kinds);
}

static const Json *kind_find(const Api *api, const char *kind, Err *err)
{
    const char *names[KINDS_MAX + 1] = { NULL };
    const Json *kinds = api_kinds(api);
    const char *nearest;
    size_t n = 0;

    for (size_t i = 0; i < json_count(kinds); i++) {
        const Json *entry = json_item(kinds, i);

        if (text_equal(json_get_text(entry, "kind"), kind))
            return entry;
        if (n < KINDS_MAX)
            names[n++] = json_get_text(entry, "kind");
    }
    nearest = text_nearest(kind, names);
    err_set(err, ERR_BAD_INPUT, 0, "there is no kind of destination \"%s\"", kind);
    err_field(err, "kind");
    if (nearest)
        err_remedy(err, "Did you mean \"%s\"?", nearest);
    else
        err_remedy(err, "GET /api/v1/destination-kinds lists the kinds.");
    return NULL;
}

const Json *kind_fields(const Api *api, const char *kind, Err *err)
{
    return json_get(kind_find(api, kind, err), "fields");
}

/* Texts with tokens: what the description alone cannot say. */
static bool patterns_check(const Json *fields, const Json *options, Err *err)
{
    for (size_t i = 0; i < json_count(fields); i++) {
        const Json *field = json_item(fields, i);
        const char *name = json_get_text(field, "name"), *sort = json_get_text(field, "pattern");
        const char *text = json_get_text(options, name);

        if ((text_equal(sort, "folder") && !name_folder_check(text, err)) ||
            (text_equal(sort, "text") && !name_text_check(text, err)) ||
            (text_equal(sort, "addresses") && !mail_list_check(text, err)))
            return err_field(err, "%s", name);
    }
    return true;
}

bool kind_options_check(const Api *api, const char *kind, const Json *options, Err *err)
{
    const Json *entry = kind_find(api, kind, err), *fields = json_get(entry, "options");
    char field[sizeof err->field];

    if (!entry)
        return false;
    if (json_check_described(options, fields, err) && patterns_check(fields, options, err))
        return true;
    (void)text_copy(field, sizeof field, err->field);
    err_prefix(err, "options of a destination of kind %s", kind);
    return err_field(err, "options%s%s", field[0] ? "." : "", field);
}

static bool is_secret(const Json *fields, const char *name)
{
    for (size_t i = 0; i < json_count(fields); i++)
        if (text_equal(json_get_text(json_item(fields, i), "name"), name))
            return text_equal(json_get_text(json_item(fields, i), "type"), "secret");
    return false;
}

/* One walk over members with the three treatments of a secret. */
typedef struct SecretWalk {
    const Json *fields, *stored;
    Json *copy;
    bool masked;
} SecretWalk;

static bool show_member(void *arg, const char *name, const Json *value)
{
    SecretWalk *walk = arg;
    const char *old = json_get_text(walk->stored, name);

    if (!is_secret(walk->fields, name))
        json_set_take(walk->copy, name, json_clone(value));
    else if (walk->masked)
        json_set_text(walk->copy, name,
                      text_equal(json_text(value), old) ? "(secret)" : "(new secret)");
    return true;
}

Json *settings_without_secrets(const Json *fields, const Json *settings)
{
    SecretWalk walk = { .fields = fields, .copy = json_new_object() };

    (void)json_each(settings, show_member, &walk);
    return walk.copy;
}

Json *settings_masked(const Json *fields, const Json *settings, const Json *stored)
{
    SecretWalk walk = {
        .fields = fields, .stored = stored, .copy = json_new_object(), .masked = true
    };

    (void)json_each(settings, show_member, &walk);
    return walk.copy;
}

static bool keep_member(void *arg, const char *name, const Json *value)
{
    SecretWalk *walk = arg;

    if (is_secret(walk->fields, name) && json_kind(json_get(walk->copy, name)) == JSON_ABSENT)
        json_set_take(walk->copy, name, json_clone(value));
    return true;
}

Json *settings_with_secrets(const Json *fields, const Json *wanted, const Json *stored)
{
    SecretWalk walk = { .fields = fields, .copy = json_clone(wanted) };

    if (stored && walk.copy)
        (void)json_each(stored, keep_member, &walk);
    return walk.copy;
}
