/* cli/run-nouns.c - platen batch, event and token. */
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/noun.h"

#include <stdio.h>
#include <time.h>

static const Column batch_columns[] = {
    { "ID", "id", COLUMN_PLAIN },
    { "STARTED", "started_at", COLUMN_TIME },
    { "STATE", "state", COLUMN_PLAIN },
    { "DEVICE", "device_name", COLUMN_PLAIN },
    { "JOB", "job_name", COLUMN_PLAIN },
    { "PAGES", "pages", COLUMN_PLAIN },
    { "REASON", "reason.text", COLUMN_PLAIN },
};
static const Column page_columns[] = {
    { "PAGE", "number", COLUMN_PLAIN },      { "SIDE", "side", COLUMN_PLAIN },
    { "STATE", "state", COLUMN_PLAIN },      { "WIDTH", "width_px", COLUMN_PLAIN },
    { "HEIGHT", "height_px", COLUMN_PLAIN }, { "DPI", "dpi", COLUMN_PLAIN },
    { "SIZE", "size_bytes", COLUMN_SIZE },   { "WARNING", "warning", COLUMN_PLAIN },
};
static const Column document_columns[] = {
    { "NO", "number", COLUMN_PLAIN },   { "KIND", "kind", COLUMN_PLAIN },
    { "NAME", "name", COLUMN_PLAIN },   { "PAGES", "page_count", COLUMN_PLAIN },
    { "STATE", "state", COLUMN_PLAIN }, { "SIZE", "size_bytes", COLUMN_SIZE },
    { "ERROR", "error", COLUMN_PLAIN },
};
static const Column delivery_columns[] = {
    { "DESTINATION", "destination_name", COLUMN_PLAIN },
    { "STATE", "state", COLUMN_PLAIN },
    { "ATTEMPTS", "attempts", COLUMN_PLAIN },
    { "NAME", "result.remote_name", COLUMN_PLAIN },
    { "WHAT HAPPENED", "result.text", COLUMN_PLAIN },
    { "WHAT TO DO", "result.cure", COLUMN_PLAIN },
};
static const Column token_columns[] = {
    { "NAME", "name", COLUMN_PLAIN },
    { "CREATED", "created_at", COLUMN_TIME },
};

const CliNoun cli_batch = {
    "batch", "/api/v1/batches", { NULL }, batch_columns, COUNT_OF(batch_columns)
};

/* --- batches ----------------------------------------------------------------------------------------- */

/* "?a=b&c=d" of the options that were given, with the preset of the first one. */
static void query_of(const Args *args, const char *const *names, const char *first_preset,
                     Buf *query)
{
    const char *separator = "?";

    for (size_t i = 0; names[i]; i++) {
        const char *value = args_value(args, names[i]);

        if (!value && i == 0)
            value = first_preset;
        if (!value)
            continue;
        buf_printf(query, "%s%s=", separator, names[i]);
        url_escape(query, value);
        separator = "&";
    }
}

bool run_batch_list(Cli *cli, const Args *args, Err *err)
{
    AUTO_BUF path = buf_with_max(PATH_TEXT_SIZE);

    buf_put_text(&path, cli_batch.path);
    query_of(args, (const char *const[]){ "limit", "before", "state", NULL }, "20", &path);
    return items_print(cli, buf_text(&path), batch_columns, COUNT_OF(batch_columns), err);
}

bool run_batch_show(Cli *cli, const Args *args, Err *err)
{
    return noun_show(cli, &cli_batch, args, err);
}

static bool batch_part(Cli *cli, const Args *args, const char *tail, const Column *columns,
                       size_t column_count, Err *err)
{
    char path[NOUN_PATH_SIZE];

    return noun_path(cli, &cli_batch, args->words[0], tail, path, err) &&
           items_print(cli, path, columns, column_count, err);
}

bool run_batch_pages(Cli *cli, const Args *args, Err *err)
{
    return batch_part(cli, args, "/pages", page_columns, COUNT_OF(page_columns), err);
}

bool run_batch_documents(Cli *cli, const Args *args, Err *err)
{
    return batch_part(cli, args, "/documents", document_columns, COUNT_OF(document_columns), err);
}

bool run_batch_deliveries(Cli *cli, const Args *args, Err *err)
{
    return batch_part(cli, args, "/deliveries", delivery_columns, COUNT_OF(delivery_columns), err);
}

bool run_batch_deliver(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_batch, args, "/deliver", "will be delivered", err);
}

bool run_batch_cancel(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_batch, args, "/cancel", "is cancelled at the next safe moment", err);
}

bool run_batch_finish(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_batch, args, "/finish", "waits for no more sheets", err);
}

bool run_batch_retry(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_batch, args, "/retry", "is tried again", err);
}

bool run_batch_purge(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_batch, args,
                     args_value(args, "undelivered") ? "/purge?undelivered=true" : "/purge",
                     "has its files removed", err);
}

/* --- events ------------------------------------------------------------------------------------------ */

static const Column event_columns[] = {
    { "ID", "id", COLUMN_PLAIN },       { "AT", "at", COLUMN_TIME },
    { "EVENT", "kind", COLUMN_PLAIN },  { "DEVICE", "device_name", COLUMN_PLAIN },
    { "BATCH", "batch", COLUMN_PLAIN }, { "WHAT", "text", COLUMN_PLAIN },
};

bool run_event_list(Cli *cli, const Args *args, Err *err)
{
    AUTO_BUF path = buf_with_max(PATH_TEXT_SIZE);
    const char *device = args_value(args, "device");
    char id[ID_TEXT_SIZE];

    if (device && !noun_resolve(cli, &cli_device, device, id, err))
        return false;
    buf_put_text(&path, "/api/v1/events");
    query_of(args, (const char *const[]){ "limit", "after", "before", "batch", "kind", NULL }, "20",
             &path);
    if (device)
        buf_printf(&path, "&device=%s", id);
    if (!args_value(args, "after")) /* who goes on from an event wants the next one */
        buf_put_text(&path, "&order=newest");
    return items_print(cli, buf_text(&path), event_columns, COUNT_OF(event_columns), err);
}

typedef struct Follow {
    bool raw_json;
    int64_t last_id, left; /* left < 0: no end */
} Follow;

/* One event; those that were printed already are not printed again. False: it was the last one. */
static bool follow_print(Follow *follow, const Json *event)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);
    int64_t id = json_get_int(event, "id", 0);

    if (id <= follow->last_id) /* also {}, which says that some were missed: the list has them */
        return true;
    follow->last_id = id;
    if (follow->raw_json && json_write(event, &text))
        printf("%s\n", buf_text(&text));
    else
        printf("%s  %-20s %s  %s  %s\n", json_get_text(event, "at"), json_get_text(event, "kind"),
               json_get_text(event, "device_name"), json_get_text(event, "batch"),
               json_get_text(event, "text"));
    (void)fflush(stdout); /* a reader behind a pipe waits for it */
    if (follow->left > 0)
        follow->left--;
    return follow->left != 0;
}

static bool follow_event(void *arg, const char *data)
{
    Err ignored;
    AUTO(Json) event = json_parse(bytes_of_text(data), &ignored);

    return !event || follow_print(arg, event);
}

/* Prints what the list has after last_id. */
static bool follow_missed(Cli *cli, Follow *follow, Err *err)
{
    enum { STEP = 500 };
    size_t count = STEP;
    char path[96];

    while (count == STEP && follow->left != 0) {
        AUTO_ANSWER answer = { 0 };

        (void)text_printf(path, sizeof path, "/api/v1/events?after=%lld&limit=%d",
                          (long long)follow->last_id, STEP);
        if (!client_call(cli->client, "GET", path, NULL, NULL, &answer, err))
            return false;
        count = json_count(json_get(answer.json, "items"));
        for (size_t i = 0; i < count && follow->left != 0; i++)
            (void)follow_print(follow, json_item(json_get(answer.json, "items"), i));
    }
    return true;
}

/* A server that is restarted is waited for, and nothing is missed: what the stream no longer has is
 * read from the list. */
bool run_event_follow(Cli *cli, const Args *args, Err *err)
{
    const char *after = args_value(args, "after"), *count = args_value(args, "count");
    Follow follow = { .raw_json = cli->raw_json, .left = -1 };
    bool go_on = after != NULL;

    if (after && !text_to_int(after, 0, INT64_MAX, &follow.last_id))
        return usage_error(cli, err, "--after wants the number of an event, not \"%s\"", after);
    if (count && !text_to_int(count, 1, INT64_MAX, &follow.left))
        return usage_error(cli, err, "--count wants a number above 0, not \"%s\"", count);
    for (;;) {
        int64_t seen = follow.last_id;

        if ((!go_on || follow_missed(cli, &follow, err)) &&
            (follow.left == 0 || client_follow(cli->client, "/api/v1/events/stream", follow.last_id,
                                               follow_event, &follow, err)))
            return true;
        if (err->kind != ERR_TEMPORARY || (follow.last_id == seen && !go_on))
            return false;
        go_on = true; /* it was heard once: it comes back */
        print_err(err);
        (void)nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
    }
}

/* --- tokens ------------------------------------------------------------------------------------------ */

bool run_token_list(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return items_print(cli, "/api/v1/tokens", token_columns, COUNT_OF(token_columns), err);
}

bool run_token_create(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };
    AUTO(Json) object = json_new_object();

    json_set_text(object, "name", args->words[0]);
    if (!client_call(cli->client, "POST", "/api/v1/tokens", object, NULL, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        printf("%s\n", json_get_text(answer.json, "secret"));
    if (!cli->raw_json)
        (void)fprintf(stderr, "This is shown once. Keep it in a file only you can read.\n");
    return true;
}

bool run_token_delete(Cli *cli, const Args *args, Err *err)
{
    AUTO_BUF path = buf_with_max(PATH_TEXT_SIZE);
    AUTO_ANSWER answer = { 0 };

    buf_put_text(&path, "/api/v1/tokens/");
    url_escape(&path, args->words[0]);
    if (!client_call(cli->client, "DELETE", buf_text(&path), NULL, NULL, &answer, err))
        return false;
    if (!cli->raw_json)
        printf("token %s is deleted\n", args->words[0]);
    return true;
}
