/* cli/notification.c - platen notification: who is told by mail, what was told, and a mail to try it. */
#include "model/notification.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/noun.h"

#include <stdio.h>

static const char setting_path[] = "/api/v1/notification";

static const Column notification_columns[] = {
    { "ID", "id", COLUMN_PLAIN },
    { "AT", "at", COLUMN_TIME },
    { "STATE", "state", COLUMN_PLAIN },
    { "WHAT", "subject", COLUMN_PLAIN },
    { "ATTEMPTS", "attempts", COLUMN_PLAIN },
    { "WHAT HAPPENED", "result.text", COLUMN_PLAIN },
};

bool run_notification_show(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    (void)args;
    if (!client_call(cli->client, "GET", setting_path, NULL, NULL, &answer, err))
        return false;
    if (!cli->raw_json)
        return print_value(answer.json, err);
    print_raw(&answer);
    return true;
}

bool run_notification_set(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER before = { 0 }, answer = { 0 };
    AUTO(Json) object = NULL;

    if (!client_call(cli->client, "GET", setting_path, NULL, NULL, &before, err))
        return false;
    object = json_clone(before.json);
    if (!fields_apply(cli, notification_fields, args, object, err) ||
        !client_call(cli->client, "PUT", setting_path, object, before.etag, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        printf("the notification setting is changed\n");
    return true;
}

bool run_notification_list(Cli *cli, const Args *args, Err *err)
{
    const char *limit = args_value(args, "limit"), *state = args_value(args, "state");
    const char *before = args_value(args, "before");
    AUTO_BUF path = buf_with_max(PATH_TEXT_SIZE);

    buf_put_text(&path, "/api/v1/notifications?limit=");
    url_escape(&path, limit ? limit : "20");
    if (state) {
        buf_put_text(&path, "&state=");
        url_escape(&path, state);
    }
    if (before) {
        buf_put_text(&path, "&before=");
        url_escape(&path, before);
    }
    return items_print(cli, buf_text(&path), notification_columns, COUNT_OF(notification_columns),
                       err);
}

static void print_test(const Json *answer)
{
    const Json *result = json_get(answer, "result");

    if (json_get_bool(answer, "ok", false))
        printf("The mail is sent: %s.\n", json_get_text(result, "text"));
    else
        printf("%-8s FAILED  %s\n         do: %s\n", json_get_text(result, "stage"),
               json_get_text(result, "text"), json_get_text(result, "cure"));
}

bool run_notification_test(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    (void)args;
    if (!client_call(cli->client, "POST", "/api/v1/notification/test", NULL, NULL, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else
        print_test(answer.json);
    *err = (Err){ 0 }; /* what failed was said: only the exit code tells it again */
    bool ok = json_get_bool(answer.json, "ok", false);
    return print_flush(err) && ok;
}
