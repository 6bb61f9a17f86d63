/* cli/scan.c - platen scan: a scan without a panel. */
#include "base/limits.h"
#include "base/text.h"
#include "cli/noun.h"

#include <stdio.h>
#include <time.h>

enum { LOOK_EVERY_MS = 500 };

/* States in which nothing more happens to a batch by itself. */
static bool is_settled(const char *state)
{
    return text_equal(state, "done") || text_equal(state, "attention") ||
           text_equal(state, "cancelled") || text_equal(state, "broken");
}

/* Says once that somebody has to do something at the device, or to say that all is there. */
static void tell_wait(const Cli *cli, const char *id, const Json *batch, bool *told)
{
    enum { DAY_CHARS = 10 }; /* of 2026-11-22T15:00:00.123+01:00 */
    const char *until = json_get_text(batch, "waits_until");

    if (until[0] && !*told && !cli->raw_json)
        printf(
            "batch %s waits for more sheets until %.10s %.8s; end that: platen batch finish %s\n",
            id, until, strlen(until) > DAY_CHARS ? until + DAY_CHARS + 1 : "", id);
    *told = until[0] != '\0';
}

/* Waits until the batch has settled; *answer becomes the batch as it is then. */
static bool wait_settled(Cli *cli, const char *id, Answer *answer, Err *err)
{
    const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
    char path[NOUN_PATH_SIZE];
    bool told = false;

    (void)text_printf(path, sizeof path, "%s/%s", cli_batch.path, id);
    while (!is_settled(json_get_text(answer->json, "state"))) {
        (void)nanosleep(&pause, NULL);
        answer_done(answer);
        if (!client_call(cli->client, "GET", path, NULL, NULL, answer, err))
            return false;
        tell_wait(cli, id, answer->json, &told);
        if (!print_flush(err))
            return false;
    }
    return true;
}

/* Says how a batch ended; false, without another word, when it is not done. */
static bool tell_end(const Answer *answer, Err *err)
{
    const char *state = json_get_text(answer->json, "state");
    const Json *reason = json_get(answer->json, "reason");

    long long pages = json_get_int(answer->json, "pages", 0);

    printf("batch %s is %s with %lld %s\n", json_get_text(answer->json, "id"), state, pages,
           pages == 1 ? "page" : "pages");
    if (json_get_text(reason, "text")[0])
        printf("  %s\n", json_get_text(reason, "text"));
    if (json_get_text(reason, "remedy")[0])
        printf("  do: %s\n", json_get_text(reason, "remedy"));
    *err = (Err){ 0 };
    return print_flush(err) && text_equal(state, "done");
}

/* The device and job ids of the options. */
static bool take_options(Cli *cli, const Args *args, Json *body, char ret_path[NOUN_PATH_SIZE],
                         Err *err)
{
    const char *device = args_value(args, "device"), *job = args_value(args, "job");
    char id[ID_TEXT_SIZE];

    if (!device || !job)
        return usage_error(cli, err, "scan wants --device DEVICE and --job JOB");
    if (!noun_path(cli, &cli_device, device, "/scan", ret_path, err) ||
        !noun_resolve(cli, &cli_job, job, id, err))
        return false;
    json_set_text(body, "job", id);
    json_set_bool(body, "any_job", args_value(args, "any-job") != NULL);
    return true;
}

bool run_scan(Cli *cli, const Args *args, Err *err)
{
    AUTO(Json) body = json_new_object();
    AUTO_ANSWER answer = { 0 };
    char path[NOUN_PATH_SIZE], batch[ID_TEXT_SIZE];

    if (!take_options(cli, args, body, path, err) ||
        !client_call(cli->client, "POST", path, body, NULL, &answer, err))
        return false;
    (void)text_copy(batch, sizeof batch, json_get_text(answer.json, "id"));
    if (!cli->raw_json)
        printf("batch %s has begun\n", batch);
    if (!args_value(args, "wait")) {
        if (cli->raw_json)
            print_raw(&answer);
        return true;
    }
    if (!print_flush(err) || !wait_settled(cli, batch, &answer, err))
        return false;
    if (!cli->raw_json)
        return tell_end(&answer, err);
    print_raw(&answer);
    *err = (Err){ 0 };
    return print_flush(err) && text_equal(json_get_text(answer.json, "state"), "done");
}
