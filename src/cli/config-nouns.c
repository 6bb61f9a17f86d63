/* cli/config-nouns.c - platen device, job, group and destination. */
#include "base/text.h"
#include "cli/noun.h"
#include "model/destination.h"
#include "model/device.h"
#include "model/job.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const Column device_columns[] = {
    { "NAME", "name", COLUMN_PLAIN },          { "STATE", "state", COLUMN_PLAIN },
    { "ADDRESS", "address", COLUMN_PLAIN },    { "PRODUCT", "product", COLUMN_PLAIN },
    { "SERIAL", "serial", COLUMN_PLAIN },      { "GROUP", "job_group_name", COLUMN_PLAIN },
    { "CONTACT", "contact", COLUMN_PLAIN },    { "BUTTON", "pairing.state", COLUMN_PLAIN },
    { "LAST SEEN", "last_seen", COLUMN_TIME }, { "ID", "id", COLUMN_PLAIN },
};
static const Column job_columns[] = {
    { "NAME", "name", COLUMN_PLAIN },
    { "SOURCE", "source", COLUMN_PLAIN },
    { "DPI", "dpi", COLUMN_PLAIN },
    { "FILES", "file_format", COLUMN_PLAIN },
    { "DESTINATIONS", "destinations", COLUMN_COUNT },
    { "ID", "id", COLUMN_PLAIN },
};
static const Column group_columns[] = {
    { "NAME", "name", COLUMN_PLAIN },
    { "JOBS", "jobs", COLUMN_COUNT },
    { "ID", "id", COLUMN_PLAIN },
};
static const Column destination_columns[] = {
    { "NAME", "name", COLUMN_PLAIN },       { "KIND", "kind", COLUMN_PLAIN },
    { "ID", "id", COLUMN_PLAIN },           { "STOPPED", "stopped.text", COLUMN_ALARM },
    { "WARNING", "warning", COLUMN_ALARM },
};

const CliNoun cli_device = { "device",
                             "/api/v1/devices",
                             { "name", "address", "serial" },
                             device_columns,
                             COUNT_OF(device_columns) };
const CliNoun cli_job = { "job", "/api/v1/jobs", { "name" }, job_columns, COUNT_OF(job_columns) };
const CliNoun cli_group = {
    "group", "/api/v1/job-groups", { "name" }, group_columns, COUNT_OF(group_columns)
};
const CliNoun cli_destination = { "destination",
                                  "/api/v1/destinations",
                                  { "name" },
                                  destination_columns,
                                  COUNT_OF(destination_columns) };

/* A change: what there is, with what the options say, sent back under its ETag. */
static bool noun_set(Cli *cli, const CliNoun *noun, const Field *fields, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };
    AUTO(Json) object = NULL;
    char path[NOUN_PATH_SIZE], id[ID_TEXT_SIZE];

    if (!noun_path(cli, noun, args->words[0], "", path, err) ||
        !client_call(cli->client, "GET", path, NULL, NULL, &answer, err))
        return false;
    object = json_clone(answer.json);
    if (!fields_apply(cli, fields, args, object, err))
        return false;
    (void)text_copy(id, sizeof id, json_get_text(answer.json, "id"));
    return noun_change(cli, noun, "PUT", id, object, answer.etag, err);
}

static bool noun_make(Cli *cli, const CliNoun *noun, const Field *fields, const Args *args,
                      Err *err)
{
    AUTO(Json) object = json_new_object();

    return fields_apply(cli, fields, args, object, err) && noun_create(cli, noun, object, err);
}

/* --- devices ----------------------------------------------------------------------------------------- */

bool run_device_list(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return noun_list(cli, &cli_device, err);
}

bool run_device_show(Cli *cli, const Args *args, Err *err)
{
    return noun_show(cli, &cli_device, args, err);
}

bool run_device_approve(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_device, args, "/approve", "is approved", err);
}

bool run_device_revoke(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_device, args, "/revoke", "is no longer approved", err);
}

bool run_device_trust(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_device, args, "/trust",
                     "is trusted with the certificate of its next scan", err);
}

/* Only what was given is sent: PATCH, because most of a device is not ours to set. */
bool run_device_set(Cli *cli, const Args *args, Err *err)
{
    AUTO(Json) object = json_new_object();
    char id[ID_TEXT_SIZE];

    return noun_resolve(cli, &cli_device, args->words[0], id, err) &&
           fields_apply(cli, device_settings_fields, args, object, err) &&
           noun_change(cli, &cli_device, "PATCH", id, object, NULL, err);
}

bool run_device_delete(Cli *cli, const Args *args, Err *err)
{
    return noun_delete(cli, &cli_device, args, err);
}

/* --- jobs -------------------------------------------------------------------------------------------- */

bool run_job_list(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return noun_list(cli, &cli_job, err);
}

bool run_job_show(Cli *cli, const Args *args, Err *err)
{
    return noun_show(cli, &cli_job, args, err);
}

bool run_job_create(Cli *cli, const Args *args, Err *err)
{
    return noun_make(cli, &cli_job, job_fields, args, err);
}

bool run_job_set(Cli *cli, const Args *args, Err *err)
{
    return noun_set(cli, &cli_job, job_fields, args, err);
}

bool run_job_delete(Cli *cli, const Args *args, Err *err)
{
    return noun_delete(cli, &cli_job, args, err);
}

/* --- job groups -------------------------------------------------------------------------------------- */

bool run_group_list(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return noun_list(cli, &cli_group, err);
}

bool run_group_show(Cli *cli, const Args *args, Err *err)
{
    return noun_show(cli, &cli_group, args, err);
}

bool run_group_create(Cli *cli, const Args *args, Err *err)
{
    return noun_make(cli, &cli_group, job_group_fields, args, err);
}

bool run_group_set(Cli *cli, const Args *args, Err *err)
{
    return noun_set(cli, &cli_group, job_group_fields, args, err);
}

bool run_group_delete(Cli *cli, const Args *args, Err *err)
{
    return noun_delete(cli, &cli_group, args, err);
}

/* --- destinations: their settings are options too, as the server describes the kind -------------------- */

bool run_destination_list(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return noun_list(cli, &cli_destination, err);
}

bool run_destination_show(Cli *cli, const Args *args, Err *err)
{
    return noun_show(cli, &cli_destination, args, err);
}

bool run_destination_delete(Cli *cli, const Args *args, Err *err)
{
    return noun_delete(cli, &cli_destination, args, err);
}

bool run_destination_kinds(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    (void)args;
    if (!client_call(cli->client, "GET", "/api/v1/destination-kinds", NULL, NULL, &answer, err))
        return false;
    if (!cli->raw_json)
        return print_value(json_get(answer.json, "items"), err);
    print_raw(&answer);
    return true;
}

static bool is_destination_field(const char *option)
{
    for (const Field *f = destination_fields; f->name; f++)
        if (f->type != FIELD_JSON && option_names_field(option, f))
            return true;
    for (const Option *o = global_options; o->name; o++)
        if (text_equal(o->name, option))
            return true;
    return false;
}

/* The field of the kind that an option names: "user-name" is user_name. NULL when there is none. */
static const Json *described_field(const Json *description, const char *option)
{
    for (size_t i = 0; i < json_count(description); i++) {
        const Json *entry = json_item(description, i);
        Field field = { .name = json_get_text(entry, "name"), .type = FIELD_TEXT };

        if (option_names_field(option, &field))
            return entry;
    }
    return NULL;
}

static bool no_setting(Cli *cli, const Json *description, const char *kind, const char *option,
                       Err *err)
{
    const char *names[64] = { NULL };
    const char *nearest;

    for (size_t i = 0; i < json_count(description) && i + 1 < COUNT_OF(names); i++)
        names[i] = json_get_text(json_item(description, i), "name");
    nearest = text_nearest(option, names);
    usage_error(cli, err, "a destination of kind %s has no setting \"%s\"", kind, option);
    if (nearest)
        return err_remedy(err, "Did you mean --%s?", nearest);
    return err_remedy(err, "platen destination kinds shows the settings.");
}

/* A secret's value "@FILE" is the first line of FILE: command lines are no place for secrets. */
static bool secret_apply(const char *name, const char *value, Json *settings, Err *err)
{
    enum { SECRET_BYTES_MAX = 1024 };
    char secret[SECRET_BYTES_MAX];
    ssize_t n;

    if (value[0] != '@') {
        json_set_text(settings, name, value);
        return true;
    }
    AUTO_FD fd = open(value + 1, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, secret, sizeof secret - 1) : -1;
    if (n < 0)
        return err_errno(err, errno, "--%s: %s", name, value + 1);
    secret[n] = '\0';
    secret[strcspn(secret, "\r\n")] = '\0';
    json_set_text(settings, name, secret);
    explicit_bzero(secret, sizeof secret);
    return true;
}

static bool setting_apply(Cli *cli, const Json *field, const char *value, Json *settings, Err *err)
{
    const char *type = json_get_text(field, "type"), *name = json_get_text(field, "name");
    bool yes = text_equal(value, "yes") || text_equal(value, "true");
    int64_t number;

    if (text_equal(type, "secret"))
        return secret_apply(name, value, settings, err);
    if (text_equal(type, "int")) {
        if (!text_to_int(value, INT64_MIN, INT64_MAX, &number))
            return usage_error(cli, err, "--%s wants a whole number, not \"%s\"", name, value);
        json_set_int(settings, name, number);
    } else if (text_equal(type, "bool")) {
        if (!yes && !text_equal(value, "no") && !text_equal(value, "false"))
            return usage_error(cli, err, "--%s wants yes or no, not \"%s\"", name, value);
        json_set_bool(settings, name, yes);
    } else {
        json_set_text(settings, name, value);
    }
    return true;
}

static bool settings_apply(Cli *cli, const Args *args, Json *object, Err *err)
{
    const char *kind = json_get_text(object, "kind");
    const Json *kinds, *description = NULL;
    AUTO_ANSWER answer = { 0 };
    AUTO(Json)
    settings = json_kind(json_get(object, "settings")) == JSON_OBJ
                   ? json_clone(json_get(object, "settings"))
                   : json_new_object();

    if (!client_call(cli->client, "GET", "/api/v1/destination-kinds", NULL, NULL, &answer, err))
        return false;
    kinds = json_get(answer.json, "items");
    for (size_t i = 0; i < json_count(kinds); i++)
        if (text_equal(json_get_text(json_item(kinds, i), "kind"), kind))
            description = json_get(json_item(kinds, i), "fields");
    for (size_t i = 0; i < args->given_count; i++) {
        const Given *given = &args->given[i];
        const Json *field = described_field(description, given->name);

        if (is_destination_field(given->name))
            continue;
        if (!field && description)
            return no_setting(cli, description, kind, given->name, err);
        if (field && !setting_apply(cli, field, given->value, settings, err))
            return false;
    }
    json_set_take(object, "settings", STEAL(settings));
    return true; /* a kind that does not exist is refused by the server, with the nearest name */
}

bool run_destination_create(Cli *cli, const Args *args, Err *err)
{
    AUTO(Json) object = json_new_object();

    return fields_apply(cli, destination_fields, args, object, err) &&
           settings_apply(cli, args, object, err) &&
           noun_create(cli, &cli_destination, object, err);
}

bool run_destination_set(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };
    AUTO(Json) object = NULL;
    char path[NOUN_PATH_SIZE];

    if (!noun_path(cli, &cli_destination, args->words[0], "", path, err) ||
        !client_call(cli->client, "GET", path, NULL, NULL, &answer, err))
        return false;
    object = json_clone(answer.json);
    return fields_apply(cli, destination_fields, args, object, err) &&
           settings_apply(cli, args, object, err) &&
           noun_change(cli, &cli_destination, "PUT", json_get_text(answer.json, "id"), object,
                       answer.etag, err);
}
