/* cli/outbox.c - platen delivery, and what platen destination does beyond its settings. */
#include "base/limits.h"
#include "base/text.h"
#include "cli/noun.h"

#include <stdio.h>

static const Column delivery_columns[] = {
    { "ID", "id", COLUMN_PLAIN },
    { "CREATED", "created_at", COLUMN_TIME },
    { "STATE", "state", COLUMN_PLAIN },
    { "DESTINATION", "destination_name", COLUMN_PLAIN },
    { "ATTEMPTS", "attempts", COLUMN_PLAIN },
    { "WHAT HAPPENED", "result.text", COLUMN_PLAIN },
    { "WHAT TO DO", "result.cure", COLUMN_PLAIN },
};
static const CliNoun cli_delivery = {
    "delivery", "/api/v1/deliveries", { NULL }, delivery_columns, COUNT_OF(delivery_columns)
};

/* --- deliveries -------------------------------------------------------------------------------------- */

/* Options of the list, each with its query parameter. */
static bool add_query(Cli *cli, const Args *args, Buf *path, Err *err)
{
    const char *limit = args_value(args, "limit"), *state = args_value(args, "state");
    const char *destination = args_value(args, "destination"), *before = args_value(args, "before");
    char id[ID_TEXT_SIZE];

    buf_put_text(path, "?limit=");
    url_escape(path, limit ? limit : "20");
    if (state) {
        buf_put_text(path, "&state=");
        url_escape(path, state);
    }
    if (before) {
        buf_put_text(path, "&before=");
        url_escape(path, before);
    }
    if (!destination)
        return true;
    if (!noun_resolve(cli, &cli_destination, destination, id, err))
        return false;
    buf_printf(path, "&destination=%s", id);
    return true;
}

bool run_delivery_list(Cli *cli, const Args *args, Err *err)
{
    AUTO_BUF path = buf_with_max(PATH_TEXT_SIZE);

    buf_put_text(&path, cli_delivery.path);
    return add_query(cli, args, &path, err) &&
           items_print(cli, buf_text(&path), delivery_columns, COUNT_OF(delivery_columns), err);
}

bool run_delivery_show(Cli *cli, const Args *args, Err *err)
{
    return noun_show(cli, &cli_delivery, args, err);
}

bool run_delivery_retry(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_delivery, args, "/retry", "is tried again", err);
}

bool run_delivery_hold(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_delivery, args, "/hold", "is held until it is retried", err);
}

bool run_delivery_drop(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_delivery, args, "/drop", "is dropped", err);
}

bool run_delivery_confirm(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_delivery, args, "/confirm", "is done", err);
}

/* --options: the JSON object as it was typed. */
static bool take_options(Cli *cli, const Args *args, Json *body, Err *err)
{
    const char *text = args_value(args, "options");
    AUTO(Json) options = text ? json_parse(bytes_of_text(text), err) : NULL;

    if (text && json_kind(options) != JSON_OBJ)
        return usage_error(cli, err,
                           "--options wants a JSON object, for example {\"folder\":\"in\"}");
    if (options)
        json_set_take(body, "options", STEAL(options));
    return true;
}

bool run_delivery_elsewhere(Cli *cli, const Args *args, Err *err)
{
    AUTO(Json) body = json_new_object();
    AUTO_ANSWER answer = { 0 };
    char path[NOUN_PATH_SIZE], id[ID_TEXT_SIZE];

    if (!noun_path(cli, &cli_delivery, args->words[0], "/elsewhere", path, err) ||
        !noun_resolve(cli, &cli_destination, args->words[1], id, err) ||
        !take_options(cli, args, body, err))
        return false;
    json_set_text(body, "destination", id);
    if (!client_call(cli->client, "POST", path, body, NULL, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        printf("delivery %s takes it to %s\n", json_get_text(answer.json, "id"), args->words[1]);
    return true;
}

/* --- destinations ------------------------------------------------------------------------------------ */

bool run_destination_stop(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_destination, args, "/stop", "is stopped; its deliveries are held",
                     err);
}

bool run_destination_resume(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_destination, args, "/resume", "goes on", err);
}

/* One line a stage, and what failed with its cure. */
static void print_test(const Json *answer)
{
    const Json *stages = json_get(answer, "stages"), *result = json_get(answer, "result");

    for (size_t i = 0; i < json_count(stages); i++)
        printf("%-8s ok %6lld ms\n", json_get_text(json_item(stages, i), "stage"),
               (long long)json_get_int(json_item(stages, i), "ms", 0));
    if (json_get_bool(answer, "ok", false))
        printf("The destination works; nothing was left there.\n");
    else
        printf("%-8s FAILED  %s\n         do: %s\n", json_get_text(result, "stage"),
               json_get_text(result, "text"), json_get_text(result, "cure"));
}

bool run_destination_test(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };
    char path[NOUN_PATH_SIZE];

    if (!noun_path(cli, &cli_destination, args->words[0], "/test", path, err) ||
        !client_call(cli->client, "POST", path, NULL, NULL, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        print_test(answer.json);
    *err = (Err){ 0 }; /* what failed was said: only the exit code tells it again */
    bool ok = json_get_bool(answer.json, "ok", false);
    return print_flush(err) && ok;
}
