/* cli/trace.c - platen device trace and platen trace. */
#include "model/trace.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/noun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const Column trace_columns[] = {
    { "DEVICE", "device_name", COLUMN_PLAIN },
    { "BEGAN", "began", COLUMN_TIME },
    { "STATE", "state", COLUMN_PLAIN },
    { "SIZE", "size_bytes", COLUMN_SIZE },
    { "ID", "id", COLUMN_PLAIN },
};

static const CliNoun cli_trace = {
    "trace", "/api/v1/traces", { NULL }, trace_columns, COUNT_OF(trace_columns)
};

/* "90s", "10m", "2h"; a bare number is seconds. */
static bool duration_parse(const char *text, int64_t *ret_s)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
    size_t digits = strspn(text, "0123456789");

    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (text_equal(text + digits, units[i].unit) &&
            bytes_to_int((Bytes){ (const uint8_t *)text, digits }, 1, TRACE_FOR_MAX_S, ret_s)) {
            *ret_s *= units[i].seconds;
            return true;
        }
    return false;
}

bool run_device_trace(Cli *cli, const Args *args, Err *err)
{
    AUTO(Json) wish = json_new_object();
    AUTO_ANSWER answer = { 0 };
    const char *duration = args_value(args, "for");
    char path[NOUN_PATH_SIZE];
    int64_t seconds;

    if (duration && !duration_parse(duration, &seconds))
        return usage_error(cli, err, "--for wants a time like 90s, 10m or 2h, not \"%s\"",
                           duration);
    if (duration)
        json_set_int(wish, "for_s", seconds);
    json_set_bool(wish, "pages", args_value(args, "pages") != NULL);
    if (!noun_path(cli, &cli_device, args->words[0], "/trace", path, err) ||
        !client_call(cli->client, "POST", path, wish, NULL, &answer, err))
        return false;
    if (cli->raw_json) {
        print_raw(&answer);
        return true;
    }
    const char *id = json_get_text(answer.json, "id");
    printf("trace %s of %s has begun. Now do at the device what goes wrong, then:\n"
           "  platen trace stop %s\n"
           "  platen trace get %s --output trace.jsonl\n",
           id, args->words[0], id, id);
    return true;
}

bool run_trace_list(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return noun_list(cli, &cli_trace, err);
}

bool run_trace_stop(Cli *cli, const Args *args, Err *err)
{
    return noun_post(cli, &cli_trace, args, "/stop", "is ended", err);
}

bool run_trace_delete(Cli *cli, const Args *args, Err *err)
{
    return noun_delete(cli, &cli_trace, args, err);
}

/* The file is for its owner alone, as on the server; an existing one is not overwritten. */
bool run_trace_get(Cli *cli, const Args *args, Err *err)
{
    enum { FILE_MODE = 0600 };
    const char *output = args_value(args, "output");
    char path[NOUN_PATH_SIZE];
    AUTO_FD fd = -1;
    Err ignored;

    if (!noun_path(cli, &cli_trace, args->words[0], "/file", path, err))
        return false;
    if (!output)
        return client_save(cli->client, path, STDOUT_FILENO, err);
    fd = file_create_new(AT_FDCWD, output, FILE_MODE, err);
    if (fd < 0) {
        if (err->code == EEXIST)
            err_remedy(err, "Name a file that is not there yet, or remove this one.");
        return err_prefix(err, "%s", output);
    }
    if (client_save(cli->client, path, fd, err) && file_close(&fd, err))
        return true;
    (void)file_remove(AT_FDCWD, output, &ignored); /* nothing half is left */
    return false;
}
