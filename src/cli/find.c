/* cli/find.c - platen device discover, found, add, import, pair and unpair. */
#include "base/limits.h"
#include "base/text.h"
#include "cli/noun.h"
#include "model/device.h"

#include <stdio.h>
#include <time.h>

#define DISCOVERY_PATH "/api/v1/discovery"

enum { LOOK_EVERY_MS = 300, LINE_SIZE = 1100 };

static const Column found_columns[] = {
    { "ADDRESS", "address", COLUMN_PLAIN }, { "PRODUCT", "product", COLUMN_PLAIN },
    { "SERIAL", "serial", COLUMN_PLAIN },   { "FIRMWARE", "firmware", COLUMN_PLAIN },
    { "BY", "found_by", COLUMN_PLAIN },     { "IN THE LIST", "state", COLUMN_PLAIN },
    { "PROBLEM", "problem", COLUMN_ALARM },
};

/* --- looking ----------------------------------------------------------------------------------------- */

/* Those of a table are asked a few a second. */
static void print_added_left(const Answer *answer)
{
    long long left = json_get_int(answer->json, "added_left", 0);

    if (left > 0)
        printf("Of the devices that were added, %lld are still to be asked who they are.\n", left);
}

static void print_found(Cli *cli, const Answer *answer)
{
    const Json *items = json_get(answer->json, "items");

    if (cli->raw_json) {
        print_raw(answer);
        return;
    }
    print_table(items, found_columns, COUNT_OF(found_columns));
    if (json_get_bool(answer->json, "running", false))
        printf("The search runs: %lld of %lld addresses are asked.\n",
               (long long)json_get_int(answer->json, "asked", 0),
               (long long)json_get_int(answer->json, "addresses", 0));
    else if (json_count(items) == 0)
        printf("Nobody answered. Is the device on and in the same network? Beyond a router give a "
               "range: platen device discover 192.168.1.10-60. TCP 1865 and UDP 3289 must be "
               "open.\n");
    else
        printf("Add a device: platen device add ADDRESS --job-group GROUP\n");
    print_added_left(answer);
}

static bool found_get(Cli *cli, Answer *answer, Err *err)
{
    return client_call(cli->client, "GET", DISCOVERY_PATH, NULL, NULL, answer, err);
}

bool run_device_found(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    (void)args;
    if (!found_get(cli, &answer, err))
        return false;
    print_found(cli, &answer);
    return true;
}

/* Waits for the end of the search: it is bounded by the server. */
bool run_device_discover(Cli *cli, const Args *args, Err *err)
{
    const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
    AUTO(Json) wish = json_new_object();
    AUTO_BUF ranges = buf_with_max(LINE_SIZE);
    AUTO_ANSWER answer = { 0 };

    for (size_t i = 0; i < args->word_count; i++)
        buf_printf(&ranges, "%s%s", i ? " " : "", args->words[i]);
    json_set_bool(wish, "broadcast", args_value(args, "no-broadcast") == NULL);
    json_set_text(wish, "ranges", buf_text(&ranges));
    if (ranges.failed)
        return usage_error(cli, err, "the ranges are longer than %d bytes", LINE_SIZE);
    if (!client_call(cli->client, "POST", DISCOVERY_PATH, wish, NULL, &answer, err))
        return false;
    while (json_get_bool(answer.json, "running", false)) {
        (void)nanosleep(&pause, NULL);
        answer_done(&answer);
        if (!found_get(cli, &answer, err))
            return false;
    }
    print_found(cli, &answer);
    return true;
}

/* --- adding ------------------------------------------------------------------------------------------ */

bool run_device_add(Cli *cli, const Args *args, Err *err)
{
    for (size_t i = 0; i < args->word_count; i++) {
        AUTO(Json) object = json_new_object();

        json_set_text(object, "address", args->words[i]);
        if (!fields_apply(cli, device_settings_fields, args, object, err) ||
            !noun_create(cli, &cli_device, object, err))
            return false;
    }
    return true;
}

/* --- scanners that have only a button ----------------------------------------------------------------- */

static bool post_wish(Cli *cli, const Args *args, const char *tail, const char *option,
                      Answer *answer, Err *err)
{
    AUTO(Json) wish = json_new_object();
    char path[NOUN_PATH_SIZE];

    json_set_bool(wish, option, args_value(args, option) != NULL);
    return noun_path(cli, &cli_device, args->words[0], tail, path, err) &&
           client_call(cli->client, "POST", path, wish, NULL, answer, err);
}

bool run_device_pair(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    if (!post_wish(cli, args, "/pair", "replace", &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        printf("device %s is paired; its button calls \"%s\"\n", args->words[0],
               json_get_text(json_get(answer.json, "pairing"), "name"));
    return true;
}

bool run_device_unpair(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    if (!post_wish(cli, args, "/unpair", "restore", &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        printf("device %s is no longer paired\n", args->words[0]);
    return true;
}

bool run_device_import(Cli *cli, const Args *args, Err *err)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);
    AUTO_ANSWER answer = { 0 };

    if (!input_read(args->words[0], &text, err) ||
        !client_send(cli->client, "/api/v1/devices/import", "text/csv", buf_bytes(&text), &answer,
                     err))
        return false;
    const Json *items = json_get(answer.json, "items");
    for (size_t i = 0; i < json_count(items) && !cli->raw_json; i++) {
        const Json *item = json_item(items, i);

        if (json_get_bool(item, "ok", false))
            printf("line %lld: %s is added\n", (long long)json_get_int(item, "line", 0),
                   json_get_text(item, "address"));
        else
            printf("line %lld: REFUSED: %s\n", (long long)json_get_int(item, "line", 0),
                   json_get_text(item, "text"));
        if (json_get_text(item, "remedy")[0])
            printf("  do: %s\n", json_get_text(item, "remedy"));
    }
    if (cli->raw_json)
        print_raw(&answer);
    else
        printf("%lld added, %lld refused\n", (long long)json_get_int(answer.json, "added", 0),
               (long long)json_get_int(answer.json, "refused", 0));
    AUTO_ANSWER found = { 0 };
    if (!cli->raw_json && found_get(cli, &found, err)) /* a help: what was imported is said */
        print_added_left(&found);
    *err = (Err){ 0 }; /* what was refused is said above: only the exit code tells it again */
    return print_flush(err) && json_get_int(answer.json, "refused", 0) == 0;
}
