/* cli/command.c - see command.h: finding a command's row, sorting its words, showing its help. */
#include "cli/command.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

const Option global_options[] = {
    { "json", NULL, "Print the server's answer as JSON." },
    { "socket", "PATH", "The server's local socket (PLATEN_SOCKET; /run/platen/platen.sock)." },
    { "server", "URL", "A server elsewhere, by HTTPS and with a token." },
    { "token-file", "FILE", "File that holds the token (else PLATEN_TOKEN)." },
    { "ca", "FILE", "Certificate that vouches for the server, PEM." },
    { "help", NULL, "Show help." },
    { .name = NULL },
};

bool usage_error(Cli *cli, Err *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cli->usage_error = true;
    return err_set(err, ERR_BAD_INPUT, 0, "%s", text);
}

const Command *command_find(int argc, char *const *argv, int *ret_words)
{
    for (size_t i = 0; i < command_count; i++) {
        const Command *c = &command_table[i];

        if (argc < 1 || !text_equal(argv[0], c->noun))
            continue;
        if (!c->verb || (argc > 1 && text_equal(argv[1], c->verb))) {
            *ret_words = c->verb ? 2 : 1;
            return c;
        }
    }
    return NULL;
}

/* --- options --------------------------------------------------------------------------------------- */

static const Option *option_in(const Option *options, const char *name)
{
    for (; options && options->name; options++)
        if (text_equal(options->name, name))
            return options;
    return NULL;
}

/* "--keep-partial" and "--keep_partial" are the same field. */
static bool option_is_field(const char *name, const char *field)
{
    for (; *name && *field; name++, field++)
        if (*name != *field && !(*name == '-' && *field == '_'))
            return false;
    return *name == *field;
}

static bool option_in_fields(const Field *fields, const char *name)
{
    for (; fields && fields->name; fields++) {
        const char *called = fields->type == FIELD_LIST ? fields->items[0].name : fields->name;

        if (fields->type != FIELD_JSON && option_is_field(name, called))
            return true;
    }
    return false;
}

static bool unknown_option(const Command *command, const char *name, Cli *cli, Err *err)
{
    const char *known[96] = { NULL };
    const char *nearest;
    size_t n = 0;

    for (const Option *o = command->options; o && o->name && n + 1 < COUNT_OF(known); o++)
        known[n++] = o->name;
    for (const Field *f = command->fields; f && f->name && n + 1 < COUNT_OF(known); f++)
        known[n++] = f->type == FIELD_LIST ? f->items[0].name : f->name;
    for (const Option *o = global_options; o->name && n + 1 < COUNT_OF(known); o++)
        known[n++] = o->name;
    nearest = text_nearest(name, known);
    usage_error(cli, err, "there is no option --%s here", name);
    if (nearest)
        return err_remedy(err, "Did you mean --%s?", nearest);
    return err_remedy(err, "platen %s %s --help shows the options.", command->noun,
                      command->verb ? command->verb : "");
}

/* One "--name[=value]" at argv[*at]; moves *at past a value of its own. */
static bool option_parse(const Command *command, int argc, char *const *argv, int *at, Cli *cli,
                         Args *args, Err *err)
{
    char *text = argv[*at] + 2, *equals = strchr(text, '=');
    const Option *option;
    const char *value = "";
    bool flag;

    if (equals)
        *equals = '\0'; /* argv is ours to write (C11 5.1.2.2.1) */
    option = option_in(command->options, text);
    if (!option)
        option = option_in(global_options, text);
    if (!option && !option_in_fields(command->fields, text) && !command->any_option)
        return unknown_option(command, text, cli, err);
    flag = option && !option->value;
    if (flag && equals)
        return usage_error(cli, err, "--%s takes no value", text);
    if (!flag && !equals && *at + 1 >= argc)
        return usage_error(cli, err, "--%s wants a value", text);
    if (!flag)
        value = equals ? equals + 1 : argv[++*at];
    if (args->given_count == ARGS_OPTIONS_MAX)
        return usage_error(cli, err, "more than %d options", ARGS_OPTIONS_MAX);
    args->given[args->given_count++] = (Given){ text, value };
    return true;
}

bool args_parse(const Command *command, int argc, char *const *argv, Cli *cli, Args *ret_args,
                Err *err)
{
    bool only_words = false;

    *ret_args = (Args){ .rest = argv };
    for (int i = 0; i < argc && !command->pass_on; i++) {
        if (!only_words && text_equal(argv[i], "--")) {
            only_words = true;
        } else if (!only_words && text_starts_with(argv[i], "--")) {
            if (!option_parse(command, argc, argv, &i, cli, ret_args, err))
                return false;
        } else if (ret_args->word_count == ARGS_WORDS_MAX) {
            return usage_error(cli, err, "more than %d words", ARGS_WORDS_MAX);
        } else {
            ret_args->words[ret_args->word_count++] = argv[i];
        }
    }
    if (args_value(ret_args, "help") || command->pass_on)
        return true;
    if (ret_args->word_count >= command->words_min && ret_args->word_count <= command->words_max)
        return true;
    bool many = ret_args->word_count > command->words_max;
    usage_error(cli, err, "%s %s wants: %s%s%.60s%s", command->noun,
                command->verb ? command->verb : "",
                command->arguments[0] ? command->arguments : "no more words",
                many ? "; too much is \"" : "", many ? ret_args->words[command->words_max] : "",
                many ? "\"" : "");
    return err_remedy(err, "platen %s %s --help shows how.", command->noun,
                      command->verb ? command->verb : "");
}

const char *args_value(const Args *args, const char *name)
{
    for (size_t i = args->given_count; i > 0; i--)
        if (text_equal(args->given[i - 1].name, name))
            return args->given[i - 1].value;
    return NULL;
}

/* --- help ------------------------------------------------------------------------------------------ */

static void help_line(const char *left, const char *right)
{
    enum { LEFT_WIDTH = 34 };

    if (strlen(left) > LEFT_WIDTH)
        printf("  %s\n  %-*s %s\n", left, LEFT_WIDTH, "", right);
    else
        printf("  %-*s %s\n", LEFT_WIDTH, left, right);
}

static void help_options(const Option *options)
{
    char left[128];

    for (; options && options->name; options++) {
        (void)text_printf(left, sizeof left, "--%s %s", options->name,
                          options->value ? options->value : "");
        help_line(left, options->help);
    }
}

static void help_row(const Command *c)
{
    char left[160];

    (void)text_printf(left, sizeof left, "%s%s%s %s", c->noun, c->verb ? " " : "",
                      c->verb ? c->verb : "", c->arguments);
    help_line(left, c->help);
}

void help_all(void)
{
    printf("Usage: platen COMMAND [WORDS] [--OPTIONS]\n\nCommands:\n");
    for (size_t i = 0; i < command_count; i++)
        help_row(&command_table[i]);
    printf("\nOptions of every command that asks the server:\n");
    help_options(global_options);
    printf("\nExit code: 0 done, %d refused or failed, %d not a command.\n", EXIT_REFUSED,
           EXIT_USAGE);
}

void help_noun(const char *noun)
{
    printf("Usage: platen %s VERB\n\n", noun);
    for (size_t i = 0; i < command_count; i++)
        if (text_equal(command_table[i].noun, noun))
            help_row(&command_table[i]);
}

static void help_fields(const Field *fields)
{
    char left[128], words[96] = "";

    for (; fields->name; fields++) {
        const Field *item = fields->type == FIELD_LIST ? fields->items : fields;
        size_t n = 0;

        if (fields->type == FIELD_JSON)
            continue;
        for (const char *const *word = item->choices; word && *word && n + 1 < sizeof words;
             word++) {
            (void)text_printf(words + n, sizeof words - n, "%s%s", n ? "|" : "", *word);
            n = strlen(words);
        }
        (void)text_printf(left, sizeof left, "--%s %s", item->name,
                          n > 0                        ? words
                          : fields->type == FIELD_INT  ? "N"
                          : fields->type == FIELD_BOOL ? "yes|no"
                          : fields->type == FIELD_LIST && fields->items[1].name
                              ? "NAME[=CHOICE] ..."
                          : fields->type == FIELD_LIST ? "NAME ..."
                                                       : "TEXT");
        help_line(left, fields->help);
    }
}

void help_command(const Command *command)
{
    printf("Usage: platen %s%s%s %s\n\n%s\n", command->noun, command->verb ? " " : "",
           command->verb ? command->verb : "", command->arguments, command->help);
    if (command->fields) {
        printf("\nFields:\n");
        help_fields(command->fields);
    }
    if (command->any_option)
        printf("  and the settings of the kind: see platen destination kinds.\n");
    if (command->options) {
        printf("\nOptions:\n");
        help_options(command->options);
    }
    if (!command->local) {
        printf("\nOptions of every command:\n");
        help_options(global_options);
    }
}
