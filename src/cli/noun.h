/* cli/noun.h - what list, show, create, set and delete have in common for all nouns.
 *
 * People give names, the API takes ids: the noun's list is asked and searched. */
#ifndef PLATEN_CLI_NOUN_H
#define PLATEN_CLI_NOUN_H

#include "base/id.h"
#include "cli/command.h"
#include "cli/print.h"

typedef struct CliNoun {
    const char *word;      /* "job", for error texts      */
    const char *path;      /* "/api/v1/jobs"              */
    const char *names[4];  /* members a person may give instead of the id; ends with NULL */
    const Column *columns; /* of the list               */
    size_t column_count;
} CliNoun;

extern const CliNoun cli_device, cli_job, cli_group, cli_destination, cli_batch;

/* The id of what a person called text. ERR_NOT_FOUND names the nearest, ERR_CONFLICT when two have
 * that name. */
bool noun_resolve(Cli *cli, const CliNoun *noun, const char *text, char ret_id[ID_TEXT_SIZE],
                  Err *err);

/* path + "/" + the noun's id + tail into ret_path. */
enum { NOUN_PATH_SIZE = 160 };
bool noun_path(Cli *cli, const CliNoun *noun, const char *text, const char *tail,
               char ret_path[NOUN_PATH_SIZE], Err *err);

/* The commands of every noun; the result is printed. */
bool noun_list(Cli *cli, const CliNoun *noun, Err *err);
bool noun_show(Cli *cli, const CliNoun *noun, const Args *args, Err *err);
bool noun_delete(Cli *cli, const CliNoun *noun, const Args *args, Err *err);

/* Reads a file, or standard input (path NULL or "-"), into a Buf of JSON_BYTES_MAX. */
bool input_read(const char *path, Buf *text, Err *err);

/* GET of path, printed as a table of its items (or raw). */
bool items_print(Cli *cli, const char *path, const Column *columns, size_t column_count, Err *err);

/* POST to the noun's item + tail without body; prints done when not raw. */
bool noun_post(Cli *cli, const CliNoun *noun, const Args *args, const char *tail, const char *done,
               Err *err);

/* Sets the members of object that the options name, as the table says; names of other nouns become
 * ids. Options that are no field stay for the caller. */
bool fields_apply(Cli *cli, const Field *fields, const Args *args, Json *object, Err *err);

/* POST of object to the noun's path / PUT or PATCH to the item with its ETag; the result's name is
 * printed. */
bool noun_create(Cli *cli, const CliNoun *noun, const Json *object, Err *err);
bool noun_change(Cli *cli, const CliNoun *noun, const char *method, const char *id,
                 const Json *object, const char *etag, Err *err);

/* True when an option name is that of a field ("keep-partial" for keep_partial; lists go by the
 * name of their first item field). */
bool option_names_field(const char *option, const Field *field);

#endif
