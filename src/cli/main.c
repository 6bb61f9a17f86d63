/* cli/main.c - platen, the command line. Everything it can do is in commands.c. */
#include "base/text.h"
#include "cli/command.h"
#include "cli/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SOCKET_PRESET "/run/platen/platen.sock"

enum { TOKEN_FILE_BYTES_MAX = 4096 };

/* The first line of the file; a token on the command line would be in every process list. */
static bool token_read(const char *path, Buf *token, Err *err)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *room = buf_reserve(token, TOKEN_FILE_BYTES_MAX - 1);
    ssize_t n = fd >= 0 && room ? read(fd, room, TOKEN_FILE_BYTES_MAX - 1) : -1;

    if (n < 0)
        return err_errno(err, errno, "token file %s", path);
    for (token->n = 0; token->n < (size_t)n && room[token->n] > ' '; token->n++)
        ;
    if (token->n == 0)
        return err_set(err, ERR_BAD_INPUT, 0, "token file %s: the first line is empty", path);
    return true;
}

static bool client_open(Cli *cli, const Args *args, Err *err)
{
    const char *token_file = args_value(args, "token-file");
    const char *socket_path = args_value(args, "socket");
    AUTO_BUF token = buf_with_max(TOKEN_FILE_BYTES_MAX);
    ClientOptions options = { .server_url = args_value(args, "server"),
                              .token = getenv("PLATEN_TOKEN"),
                              .ca_file = args_value(args, "ca") };

    if (!socket_path)
        socket_path = getenv("PLATEN_SOCKET");
    options.socket_path = socket_path ? socket_path : SOCKET_PRESET;
    if (token_file) {
        if (!token_read(token_file, &token, err))
            return false;
        options.token = buf_text(&token);
    }
    cli->client = client_new(&options, err);
    return cli->client != NULL;
}

static bool command_run(const Command *command, int argc, char *const *argv, Cli *cli, Err *err)
{
    Args args;
    bool ok;

    if (!args_parse(command, argc, argv, cli, &args, err))
        return false;
    if (args_value(&args, "help") ||
        (command->pass_on && argc == 1 && text_equal(argv[0], "--help"))) {
        help_command(command);
        return true;
    }
    cli->raw_json = args_value(&args, "json") != NULL;
    if (!command->local && !client_open(cli, &args, err))
        return false;
    ok = command->run(cli, &args, err) && print_flush(err);
    client_free(cli->client);
    return ok;
}

/* Options before the command would need a second way to parse them: they follow it. */
static int not_a_command(int argc, char *const *argv)
{
    const char *words[128] = { NULL };
    const char *nearest;
    size_t n = 0;

    for (size_t i = 0; argc > 0 && i < command_count; i++) {
        const Command *c = &command_table[i];

        if (text_equal(argv[0], c->noun) && (argc == 1 || text_equal(argv[1], "--help"))) {
            help_noun(argv[0]);
            return argc == 1 ? EXIT_USAGE : 0;
        }
        if (n + 1 < COUNT_OF(words))
            words[n++] = text_equal(argv[0], c->noun) ? c->verb : c->noun;
    }
    if (argc == 0) {
        help_all();
        return EXIT_USAGE;
    }
    Err err = { 0 };
    if (text_starts_with(argv[0], "--")) {
        err_set(&err, ERR_BAD_INPUT, 0, "the option %s stands before the command", argv[0]);
        err_remedy(&err, "Put options behind the command: platen device list --server URL.");
        print_err(&err);
        return EXIT_USAGE;
    }
    bool known_noun = false;
    for (size_t i = 0; i < command_count; i++)
        known_noun = known_noun || text_equal(argv[0], command_table[i].noun);
    err_set(&err, ERR_BAD_INPUT, 0, "there is no command \"%s%s%s\"", argv[0],
            known_noun ? " " : "", known_noun ? argv[1] : "");
    nearest = text_nearest(known_noun ? argv[1] : argv[0], words);
    if (nearest)
        err_remedy(&err, "Did you mean \"%s\"? platen --help shows all commands.", nearest);
    else
        err_remedy(&err, "platen --help shows all commands; options follow the command.");
    print_err(&err);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    Err err = { 0 };
    Cli cli = { 0 };
    int words = 0;
    const Command *command = command_find(argc - 1, argv + 1, &words);

    if (argc > 1 && (text_equal(argv[1], "--help") || text_equal(argv[1], "help"))) {
        help_all();
        return 0;
    }
    if (argc > 1 && text_equal(argv[1], "--version"))
        command = command_find(1, (char *[]){ (char *)"version", NULL }, &words);
    if (!command)
        return not_a_command(argc - 1, argv + 1);
    if (command_run(command, argc - 1 - words, argv + 1 + words, &cli, &err))
        return 0;
    if (err.text[0])
        print_err(&err);
    return cli.usage_error ? EXIT_USAGE : EXIT_REFUSED;
}
