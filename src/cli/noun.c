/* cli/noun.c - see noun.h. */
#include "cli/noun.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>

enum { NAMES_MAX = 512 };

/* --- names ----------------------------------------------------------------------------------------- */

static bool item_is_called(const CliNoun *noun, const Json *item, const char *text)
{
    if (text_equal(json_get_text(item, "id"), text))
        return true;
    for (size_t i = 0; noun->names[i]; i++)
        if (text_equal(json_get_text(item, noun->names[i]), text))
            return true;
    return false;
}

static bool nobody_called(const CliNoun *noun, const Json *items, const char *text, Err *err)
{
    const char *names[NAMES_MAX + 1] = { NULL };
    const char *nearest;
    size_t n = 0;

    for (size_t i = 0; i < json_count(items) && n < NAMES_MAX; i++)
        names[n++] = json_get_text(json_item(items, i), noun->names[0]);
    nearest = text_nearest(text, names);
    err_set(err, ERR_NOT_FOUND, 0, "there is no %s \"%s\"", noun->word, text);
    if (nearest)
        return err_remedy(err, "Did you mean \"%s\"?", nearest);
    return err_remedy(err, "platen %s list shows what there is.", noun->word);
}

bool noun_resolve(Cli *cli, const CliNoun *noun, const char *text, char ret_id[ID_TEXT_SIZE],
                  Err *err)
{
    AUTO_ANSWER answer = { 0 };
    const Json *items, *found = NULL;

    if (!noun->names[0] || id_text_is_valid(text)) {
        if (!id_text_is_valid(text)) {
            err_set(err, ERR_BAD_INPUT, 0, "\"%s\" is not the id of a %s", text, noun->word);
            return err_remedy(err, "platen %s list shows the ids.", noun->word);
        }
        return text_copy(ret_id, ID_TEXT_SIZE, text);
    }
    if (!client_call(cli->client, "GET", noun->path, NULL, NULL, &answer, err))
        return false;
    items = json_get(answer.json, "items");
    for (size_t i = 0; i < json_count(items); i++) {
        if (!item_is_called(noun, json_item(items, i), text))
            continue;
        if (found) {
            err_set(err, ERR_CONFLICT, 0, "more than one %s is called \"%s\"", noun->word, text);
            return err_remedy(err, "Give its id; platen %s list --json shows it.", noun->word);
        }
        found = json_item(items, i);
    }
    if (!found)
        return nobody_called(noun, items, text, err);
    return text_copy(ret_id, ID_TEXT_SIZE, json_get_text(found, "id"));
}

bool noun_path(Cli *cli, const CliNoun *noun, const char *text, const char *tail,
               char ret_path[NOUN_PATH_SIZE], Err *err)
{
    char id[ID_TEXT_SIZE];

    if (!noun_resolve(cli, noun, text, id, err))
        return false;
    if (!text_printf(ret_path, NOUN_PATH_SIZE, "%s/%s%s", noun->path, id, tail))
        return err_set(err, ERR_BUG, 0, "the path of a %s is too long", noun->word);
    return true;
}

/* --- list, show, delete ------------------------------------------------------------------------------ */

bool items_print(Cli *cli, const char *path, const Column *columns, size_t column_count, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    if (!client_call(cli->client, "GET", path, NULL, NULL, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        print_table(json_get(answer.json, "items"), columns, column_count);
    return true;
}

bool noun_list(Cli *cli, const CliNoun *noun, Err *err)
{
    return items_print(cli, noun->path, noun->columns, noun->column_count, err);
}

bool noun_show(Cli *cli, const CliNoun *noun, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };
    char path[NOUN_PATH_SIZE];

    if (!noun_path(cli, noun, args->words[0], "", path, err) ||
        !client_call(cli->client, "GET", path, NULL, NULL, &answer, err))
        return false;
    if (!cli->raw_json)
        return print_value(answer.json, err);
    print_raw(&answer);
    return true;
}

bool noun_delete(Cli *cli, const CliNoun *noun, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };
    char path[NOUN_PATH_SIZE];

    if (!noun_path(cli, noun, args->words[0], "", path, err) ||
        !client_call(cli->client, "DELETE", path, NULL, NULL, &answer, err))
        return false;
    if (!cli->raw_json)
        printf("%s %s is deleted\n", noun->word, args->words[0]);
    return true;
}

bool noun_post(Cli *cli, const CliNoun *noun, const Args *args, const char *tail, const char *done,
               Err *err)
{
    AUTO_ANSWER answer = { 0 };
    char path[NOUN_PATH_SIZE];

    if (!noun_path(cli, noun, args->words[0], tail, path, err) ||
        !client_call(cli->client, "POST", path, NULL, NULL, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        printf("%s %s %s\n", noun->word, args->words[0], done);
    return true;
}

/* --- fields ------------------------------------------------------------------------------------------ */

/* Members that name another noun. */
static const struct {
    const char *field;
    const CliNoun *noun;
} references[] = {
    { "destination", &cli_destination },
    { "job", &cli_job },
    { "job_group", &cli_group },
    { "over", &cli_destination },
};

bool option_names_field(const char *option, const Field *field)
{
    const char *name = field->type == FIELD_LIST ? field->items[0].name : field->name;

    for (; *option && *name; option++, name++)
        if (*option != *name && !(*option == '-' && *name == '_'))
            return false;
    return *option == *name;
}

static bool text_apply(Cli *cli, const Field *field, const char *value, Json *object, Err *err)
{
    char id[ID_TEXT_SIZE];

    for (size_t i = 0; i < COUNT_OF(references); i++) {
        if (!text_equal(references[i].field, field->name) || !value[0])
            continue;
        if (!noun_resolve(cli, references[i].noun, value, id, err))
            return false;
        value = id;
        break;
    }
    json_set_text(object, field->name, value);
    return true;
}

static bool value_apply(Cli *cli, const Field *field, const char *value, Json *object, Err *err)
{
    int64_t number;

    if (field->type == FIELD_INT) {
        if (!text_to_int(value, INT64_MIN, INT64_MAX, &number))
            return usage_error(cli, err, "--%s wants a whole number, not \"%s\"", field->name,
                               value);
        json_set_int(object, field->name, number);
        return true;
    }
    if (field->type == FIELD_BOOL) {
        bool yes = text_equal(value, "yes") || text_equal(value, "true");

        if (!yes && !text_equal(value, "no") && !text_equal(value, "false"))
            return usage_error(cli, err, "--%s wants yes or no, not \"%s\"", field->name, value);
        json_set_bool(object, field->name, yes);
        return true;
    }
    return text_apply(cli, field, value, object, err);
}

/* "NAME=WORD": the word belongs to the second field of an item when it is one of its choices. */
static bool item_apply(Cli *cli, const Field *list, const char *value, Json *array, Err *err)
{
    const Field *second = list->items[1].name ? &list->items[1] : NULL;
    const char *equals = second ? strrchr(value, '=') : NULL;
    AUTO(Json) item = json_new_object();
    char name[NAME_TEXT_SIZE];

    for (size_t i = 0; equals && second->choices[i]; i++) {
        if (!text_equal(equals + 1, second->choices[i]))
            continue;
        json_set_text(item, second->name, equals + 1);
        if (!text_copy_bytes(name, sizeof name,
                             (Bytes){ (const uint8_t *)value, (size_t)(equals - value) }))
            return usage_error(cli, err, "--%s: the name is too long", list->items[0].name);
        value = name;
        break;
    }
    if (!text_apply(cli, &list->items[0], value, item, err))
        return false;
    json_add_take(array, STEAL(item));
    return true;
}

/* All options of a list together replace it. */
static bool list_apply(Cli *cli, const Field *list, const Args *args, Json *object, Err *err)
{
    AUTO(Json) array = NULL;

    for (size_t i = 0; i < args->given_count; i++) {
        const Given *given = &args->given[i];

        if (!option_names_field(given->name, list))
            continue;
        if (!array)
            array = json_new_array();
        if (given->value[0] && !item_apply(cli, list, given->value, array, err))
            return false;
    }
    if (array)
        json_set_take(object, list->name, STEAL(array));
    return true;
}

bool fields_apply(Cli *cli, const Field *fields, const Args *args, Json *object, Err *err)
{
    for (const Field *f = fields; f->name; f++) {
        if (f->type == FIELD_LIST && !list_apply(cli, f, args, object, err))
            return false;
        for (size_t i = 0; i < args->given_count && f->type != FIELD_LIST; i++)
            if (f->type != FIELD_JSON && option_names_field(args->given[i].name, f) &&
                !value_apply(cli, f, args->given[i].value, object, err))
                return false;
    }
    return true;
}

/* --- create, change ---------------------------------------------------------------------------------- */

static void print_changed(Cli *cli, const CliNoun *noun, const Answer *answer, const char *done)
{
    const char *name = json_get_text(answer->json, "name");

    if (!name[0]) /* a device that nobody named is known by its address */
        name = json_get_text(answer->json, "address");
    if (cli->raw_json)
        print_raw(answer);
    else
        printf("%s %s (%s) %s\n", noun->word, name, json_get_text(answer->json, "id"), done);
}

/* What devices cannot do as a job says. */
static void print_warnings(Cli *cli, const CliNoun *noun, const Answer *answer)
{
    const Json *warnings = json_get(answer->json, "warnings");

    if (noun != &cli_job) /* those of a device are of its last scan */
        return;
    for (size_t i = 0; !cli->raw_json && i < json_count(warnings); i++) {
        const Json *w = json_item(warnings, i);

        (void)fprintf(stderr, "platen: %s (%s): %s\n", json_get_text(w, "device_name"),
                      json_get_text(w, "source"), json_get_text(w, "text"));
    }
}

/* Why the jobs of a device are not chosen as it is set. */
static void print_jobs_by_notes(Cli *cli, const Answer *answer)
{
    const Json *notes = json_get(answer->json, "jobs_by_notes");

    for (size_t i = 0; !cli->raw_json && i < json_count(notes); i++)
        (void)fprintf(stderr, "platen: %s\n  %s\n", json_get_text(json_item(notes, i), "text"),
                      json_get_text(json_item(notes, i), "remedy"));
}

bool noun_create(Cli *cli, const CliNoun *noun, const Json *object, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    if (!client_call(cli->client, "POST", noun->path, object, NULL, &answer, err))
        return false;
    print_changed(cli, noun, &answer, "is created");
    print_warnings(cli, noun, &answer);
    print_jobs_by_notes(cli, &answer);
    return true;
}

bool noun_change(Cli *cli, const CliNoun *noun, const char *method, const char *id,
                 const Json *object, const char *etag, Err *err)
{
    AUTO_ANSWER answer = { 0 };
    char path[NOUN_PATH_SIZE];

    if (!text_printf(path, sizeof path, "%s/%s", noun->path, id))
        return err_set(err, ERR_BUG, 0, "the path of a %s is too long", noun->word);
    if (!client_call(cli->client, method, path, object, etag, &answer, err))
        return false;
    print_changed(cli, noun, &answer, "is changed");
    print_warnings(cli, noun, &answer);
    print_jobs_by_notes(cli, &answer);
    return true;
}
