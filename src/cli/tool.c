/* cli/tool.c - platen config, health, metrics, openapi, version, and the programs it runs for others. */
#include "base/limits.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/noun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* --- configuration as a file -------------------------------------------------------------------------- */

bool input_read(const char *path, Buf *text, Err *err)
{
    bool from_stdin = !path || text_equal(path, "-");
    AUTO_FD fd = from_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    enum { STEP = 64 * 1024 };
    ssize_t n = fd >= 0 ? 1 : -1;

    while (n > 0) {
        uint8_t *room = buf_reserve(text, STEP);

        if (!room)
            return err_set(err, ERR_BAD_INPUT, 0, "%s: larger than %d bytes", path, JSON_BYTES_MAX);
        n = read(fd, room, STEP);
        if (n > 0)
            text->n += (size_t)n;
    }
    return n == 0 || err_errno(err, errno, "%s", from_stdin ? "standard input" : path);
}

/* The file that was named, or standard input. YAML; JSON is a part of it. */
static Json *config_read(const char *path, Err *err)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);

    if (!input_read(path, &text, err))
        return NULL;
    Json *value = json_parse_yaml(buf_bytes(&text), err);
    if (!value)
        err_prefix(err, "%s", path && !text_equal(path, "-") ? path : "standard input");
    return value;
}

static void print_plain(const Json *value)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);

    if (json_kind(value) == JSON_ABSENT)
        (void)fputs("(none)", stdout);
    else if (json_write(value, &text))
        (void)fputs(buf_text(&text), stdout);
}

static void print_change(const Json *change)
{
    const Json *fields = json_get(change, "fields");

    printf("%-7s %-12s %s\n", json_get_text(change, "change"), json_get_text(change, "noun"),
           json_get_text(change, "name"));
    for (size_t i = 0; i < json_count(fields); i++) {
        const Json *field = json_item(fields, i);

        printf("        %s: ", json_get_text(field, "field"));
        print_plain(json_get(field, "from"));
        (void)fputs(" -> ", stdout);
        print_plain(json_get(field, "to"));
        (void)fputc('\n', stdout);
    }
}

static bool config_send(Cli *cli, const Args *args, const char *verb, const char *done, Err *err)
{
    AUTO(Json) config = config_read(args->words[0], err);
    AUTO_ANSWER answer = { 0 };
    const Json *changes;
    char path[64];

    (void)text_printf(path, sizeof path, "/api/v1/config/%s%s", verb,
                      args_value(args, "delete") ? "?delete=true" : "");
    if (!config || !client_call(cli->client, "POST", path, config, NULL, &answer, err))
        return false;
    if (cli->raw_json) {
        print_raw(&answer);
        return true;
    }
    changes = json_get(answer.json, "changes");
    for (size_t i = 0; i < json_count(changes); i++)
        print_change(json_item(changes, i));
    printf("%zu change%s %s\n", json_count(changes), json_count(changes) == 1 ? "" : "s", done);
    return true;
}

bool run_config_export(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    (void)args;
    if (!client_call(cli->client, "GET", "/api/v1/config", NULL, NULL, &answer, err))
        return false;
    if (!cli->raw_json)
        return print_value(answer.json, err);
    print_raw(&answer);
    return true;
}

bool run_config_plan(Cli *cli, const Args *args, Err *err)
{
    return config_send(cli, args, "plan", "planned", err);
}

bool run_config_apply(Cli *cli, const Args *args, Err *err)
{
    return config_send(cli, args, "apply", "made", err);
}

/* --- what the server says about itself ------------------------------------------------------------------ */

bool run_health(Cli *cli, const Args *args, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    (void)args;
    if (!client_get_any(cli->client, "/health", &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else if (!print_value(answer.json, err))
        return false;
    if (answer.status == 200)
        return true;
    (void)print_flush(err);
    err_set(err, ERR_TEMPORARY, 0, "the server is not well");
    return err_remedy(err, "Each check above that is not ok says what to do.");
}

static bool print_answer(Cli *cli, const char *path, Err *err)
{
    AUTO_ANSWER answer = { 0 };

    if (!client_call(cli->client, "GET", path, NULL, NULL, &answer, err))
        return false;
    print_raw(&answer);
    return true;
}

bool run_metrics(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return print_answer(cli, "/metrics", err);
}

bool run_openapi(Cli *cli, const Args *args, Err *err)
{
    (void)args;
    return print_answer(cli, "/openapi.json", err);
}

bool run_version(Cli *cli, const Args *args, Err *err)
{
    (void)cli;
    (void)args;
    (void)err;
    printf("platen %s\n", PLATEN_VERSION);
    return true;
}

/* --- other programs of ours ------------------------------------------------------------------------------ */

/* Replaces this process by `program first rest...`. It is looked for in $PLATEN_LIBEXEC, beside
 * platen, and in ../libexec/platen and ../sbin from there. */
static bool run_program(const char *program, const char *first, char *const *rest, Err *err)
{
    char self[PATH_TEXT_SIZE], path[PATH_TEXT_SIZE + 64];
    const char *argv[ARGS_WORDS_MAX + 3] = { program, first };
    const char *set = getenv("PLATEN_LIBEXEC");
    static const char *const beside[] = { ".", "../libexec/platen", "../sbin" };
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    size_t count = 2;

    for (size_t i = 0; rest[i]; i++) {
        if (count + 1 == COUNT_OF(argv))
            return err_set(err, ERR_BAD_INPUT, 0, "more than %d words", ARGS_WORDS_MAX);
        argv[count++] = rest[i];
    }
    if (set && text_printf(path, sizeof path, "%s/%s", set, program))
        execv(path, (char *const *)argv);
    self[n > 0 ? n : 0] = '\0';
    if (strrchr(self, '/'))
        *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < COUNT_OF(beside); i++)
        if (text_printf(path, sizeof path, "%s/%s/%s", self, beside[i], program))
            execv(path, (char *const *)argv);
    err_errno(err, errno, "cannot run %s", program);
    return err_remedy(err, "Name the folder it is in by PLATEN_LIBEXEC.");
}

bool run_compose(Cli *cli, const Args *args, Err *err)
{
    (void)cli;
    return run_program("platen-worker", "compose", args->rest, err);
}

bool run_fsck(Cli *cli, const Args *args, Err *err)
{
    (void)cli;
    return run_program("platend", "--fsck", args->rest, err);
}

bool run_rotate_key(Cli *cli, const Args *args, Err *err)
{
    (void)cli;
    return run_program("platend", "--rotate-key", args->rest, err);
}
