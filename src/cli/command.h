/* cli/command.h - what a subcommand of platen is, and the words the user gave it.
 *
 * Every subcommand is one row of command_table (commands.c): help, the check of what was typed and
 * the call come from that row. A command returns false with an Err; main prints it as what, where
 * and what to do. One thread. */
#ifndef PLATEN_CLI_COMMAND_H
#define PLATEN_CLI_COMMAND_H

#include "base/err.h"
#include "base/field.h"
#include "cli/client.h"

enum {
    EXIT_REFUSED = 1, /* the server refused, or something failed */
    EXIT_USAGE = 2,   /* what was typed is not a command         */
    ARGS_WORDS_MAX = 256,
    ARGS_OPTIONS_MAX = 128,
};

/* One "--name value" as it was typed. Borrowed from argv. */
typedef struct Given {
    const char *name, *value; /* value "" for a flag */
} Given;

typedef struct Args {
    const char *words[ARGS_WORDS_MAX];
    size_t word_count;
    Given given[ARGS_OPTIONS_MAX];
    size_t given_count;
    char *const *rest; /* commands with pass_on: everything after the command, ends with NULL */
} Args;

/* An option of a command, or one of all commands. */
typedef struct Option {
    const char *name, *value; /* "limit", "N"; value NULL = a flag */
    const char *help;
} Option;

/* What all commands share. */
typedef struct Cli {
    Client *client;   /* NULL for commands that need no server */
    bool raw_json;    /* --json */
    bool usage_error; /* the failure is in what was typed: exit code EXIT_USAGE */
} Cli;

typedef struct Command {
    const char *noun, *verb; /* verb NULL: the command is one word          */
    const char *arguments;   /* as shown in help: "NAME [FIELD OPTIONS]"    */
    uint32_t words_min, words_max;
    const Option *options; /* ends with name NULL; NULL = none            */
    const Field *fields;   /* each is an option as well; NULL = none      */
    bool any_option;       /* options the server describes are taken too  */
    bool pass_on;          /* the rest is another program's command line  */
    bool local;            /* no server is asked                          */
    bool (*run)(Cli *cli, const Args *args, Err *err);
    const char *help; /* one sentence */
} Command;

extern const Command command_table[];
extern const size_t command_count;
extern const Option global_options[]; /* ends with name NULL */

/* The row for argv words, NULL when there is none; *ret_words: how many words name it. */
const Command *command_find(int argc, char *const *argv, int *ret_words);

/* Sorts what follows a command into words and options. Failures are usage errors. */
bool args_parse(const Command *command, int argc, char *const *argv, Cli *cli, Args *ret_args,
                Err *err);

/* Value of the last option of that name, NULL when absent. */
const char *args_value(const Args *args, const char *name);

/* Help on standard output: of everything, of one noun, of one command. */
void help_all(void);
void help_noun(const char *noun);
void help_command(const Command *command);

/* Records a usage error: main answers EXIT_USAGE. Returns false. */
bool usage_error(Cli *cli, Err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The commands; each is named in command_table and does what its help there says. */
typedef bool CommandRun(Cli *cli, const Args *args, Err *err);
CommandRun run_device_list, run_device_show, run_device_approve, run_device_revoke, run_device_set,
    run_device_trust, run_device_delete, run_device_add, run_device_import, run_device_discover,
    run_device_found, run_device_pair, run_device_unpair;
CommandRun run_job_list, run_job_show, run_job_create, run_job_set, run_job_delete;
CommandRun run_group_list, run_group_show, run_group_create, run_group_set, run_group_delete;
CommandRun run_destination_list, run_destination_show, run_destination_create, run_destination_set,
    run_destination_delete, run_destination_kinds, run_destination_test, run_destination_stop,
    run_destination_resume;
CommandRun run_delivery_list, run_delivery_show, run_delivery_retry, run_delivery_hold,
    run_delivery_drop, run_delivery_confirm, run_delivery_elsewhere;
CommandRun run_batch_list, run_batch_show, run_batch_pages, run_batch_documents,
    run_batch_deliveries, run_batch_deliver, run_batch_cancel, run_batch_finish, run_batch_retry,
    run_batch_purge;
CommandRun run_notification_show, run_notification_set, run_notification_list,
    run_notification_test;
CommandRun run_event_list, run_event_follow;
CommandRun run_token_list, run_token_create, run_token_delete;
CommandRun run_config_export, run_config_plan, run_config_apply;
CommandRun run_scan, run_doctor;
CommandRun run_device_trace, run_trace_list, run_trace_stop, run_trace_get, run_trace_delete;
CommandRun run_health, run_metrics, run_openapi, run_version, run_compose, run_fsck, run_rotate_key;

#endif
