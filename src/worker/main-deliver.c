/* worker/main-deliver.c - platen-deliver: brings files to destinations. The build makes one program of each
 * registry of kinds; DELIVER_PROGRAM is its name. */
#include "base/cleanup.h"
#include "base/text.h"
#include "destination/destination.h"
#include "worker/deliver.h"
#include "worker/program.h"
#include "worker/sandbox.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char usage[] =
    "usage: " DELIVER_PROGRAM
    " --serve | --task FILE [--answer go|stop] | --describe | --version | --help\n"
    "  --serve     take deliveries from the server on descriptor 3\n"
    "  --task      do one delivery by hand and print its messages; - is standard input\n"
    "  --answer    what every question gets then; go when it is not given\n"
    "  --describe  print the kinds of destinations and their settings as JSON\n";

/* It needs the network and any folder, but no more than this. */
static const SandboxLimits limits = { .memory_bytes = 1ll << 30, .files = 256 };

static int describe(void)
{
    AUTO(Json) all = json_new_object();
    Json *kinds = json_new_array();

    json_set_text(all, "version", PLATEN_VERSION);
    for (const DestinationType *const *type = destination_types; *type; type++) {
        Json *kind = json_new_object();

        json_set_text(kind, "name", (*type)->name);
        json_set_text(kind, "title", (*type)->title);
        json_set_text(kind, "program", DELIVER_PROGRAM);
        json_set_bool(kind, "renames", ((*type)->traits & DESTINATION_RENAMES) != 0);
        json_set_bool(kind, "exclusive", ((*type)->traits & DESTINATION_EXCLUSIVE) != 0);
        json_set_take(kind, "fields", json_describe_fields((*type)->fields));
        json_set_take(kind, "options",
                      (*type)->options ? json_describe_fields((*type)->options) : json_new_array());
        json_add_take(kinds, kind);
    }
    json_set_take(all, "destinations", kinds);
    return program_print(all);
}

/* Standard output is for messages only: what libraries print goes to standard error. */
static int take_output(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, PROGRAM_LOCK_FD + 1);

    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    return fd;
}

static int run_task(const char *path, bool go)
{
    DeliveryClass class = DELIVERY_CLASS_FATAL;
    Err err;
    AUTO(Json) task = program_read_task(path, &err);
    AUTO_FD out = take_output();

    if (!task || !sandbox_tie(0, &err) || !sandbox_limit(&limits, &err) ||
        !deliver_once(task, out, go, &class, &err))
        return program_fail(DELIVER_PROGRAM, &err);
    return class == DELIVERY_CLASS_OK ? 0 : PROGRAM_FAILED;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    bool with_answer = argc == 5 && text_equal(argv[3], "--answer");
    bool stop = with_answer && text_equal(argv[4], "stop");
    Err err;

    if (text_equal(verb, "--task") &&
        (argc == 3 || stop || (with_answer && text_equal(argv[4], "go"))))
        return run_task(argv[2], !stop);
    if (argc == 2 && text_equal(verb, "--serve"))
        return program_prepare(&err) && sandbox_limit(&limits, &err) &&
                       deliver_serve(PROGRAM_SERVER_FD, &err)
                   ? 0
                   : program_fail(DELIVER_PROGRAM, &err);
    if (argc == 2 && text_equal(verb, "--describe"))
        return describe();
    if (argc == 2 && text_equal(verb, "--version"))
        return puts(DELIVER_PROGRAM " " PLATEN_VERSION) < 0;
    bool asked = argc == 2 && text_equal(verb, "--help");
    if (!asked && argc > 1)
        (void)fprintf(stderr, DELIVER_PROGRAM ": cannot make sense of \"%s\"\n",
                      argc > 2 ? argv[2] : verb);
    (void)fputs(usage, asked ? stdout : stderr);
    return asked ? 0 : PROGRAM_USAGE;
}
