/* worker/main-worker.c - platen-worker: reads pages, plans batches, writes documents. */
#include "base/text.h"
#include "document/format.h"
#include "worker/compose.h"
#include "worker/program.h"
#include "worker/sandbox.h"
#include "worker/serve.h"
#include "worker/task.h"

#include <stdio.h>
#include <unistd.h>

static const char usage[] =
    "usage: platen-worker --serve | --task FILE | --describe | --sandbox-report | --version | "
    "--help\n"
    "       platen-worker compose IN... -o OUT\n"
    "  --serve           take tasks from the server on descriptor 3\n"
    "  --task            do one task by hand and print its messages; - is standard input\n"
    "  --describe        print tasks and file formats as JSON\n"
    "  --sandbox-report  print what this kernel offers to lock a task up\n"
    "  compose           put pictures into one document, without a server\n";

static int describe(void)
{
    AUTO(Json) all = json_new_object();
    Json *formats = json_new_array(), *tasks = json_new_array();

    json_set_text(all, "program", "platen-worker");
    json_set_text(all, "version", PLATEN_VERSION);
    for (const TaskType *type = task_types; type->name; type++)
        json_add_text(tasks, type->name);
    json_set_take(all, "tasks", tasks);
    for (const FormatType *const *type = format_types; *type; type++) {
        Json *format = json_new_object();

        json_set_text(format, "name", (*type)->name);
        json_set_text(format, "title", (*type)->title);
        json_set_text(format, "media_type", (*type)->media_type);
        json_set_text(format, "extension", (*type)->extension);
        json_set_bool(format, "multi_page", (*type)->multi_page);
        json_add_take(formats, format);
    }
    json_set_take(all, "formats", formats);
    return program_print(all);
}

static int report_sandbox(void)
{
    AUTO(Json) report = json_new_object();

    json_set_int(report, "landlock", sandbox_landlock_abi());
    json_set_bool(report, "files_closed", sandbox_landlock_abi() > 0);
    json_set_bool(report, "network_closed", true); /* by seccomp; a task does not start without */
    return program_print(report);
}

static int run_task(const char *path)
{
    bool ok = false;
    Err err;
    AUTO(Json) task = program_read_task(path, &err);

    if (!task || !serve_task(task, STDOUT_FILENO, -1, &ok, &err))
        return program_fail("platen-worker", &err);
    return ok ? 0 : PROGRAM_FAILED;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    Err err;

    if (text_equal(verb, "compose"))
        _exit(
            compose_main(argc - 1, argv + 1)); /* locked up: there is nothing left to run at exit */
    if (text_equal(verb, "--task") && argc == 3)
        return run_task(argv[2]);
    if (argc == 2 && text_equal(verb, "--serve"))
        return program_prepare(&err) && serve(PROGRAM_SERVER_FD, &err)
                   ? 0
                   : program_fail("platen-worker", &err);
    if (argc == 2 && text_equal(verb, "--describe"))
        return describe();
    if (argc == 2 && text_equal(verb, "--sandbox-report"))
        return report_sandbox();
    if (argc == 2 && text_equal(verb, "--version"))
        return puts("platen-worker " PLATEN_VERSION) < 0;
    bool asked = argc == 2 && text_equal(verb, "--help");
    if (!asked && argc > 1)
        (void)fprintf(stderr, "platen-worker: cannot make sense of \"%s\"\n",
                      argc > 2 ? argv[2] : verb);
    (void)fputs(usage, asked ? stdout : stderr);
    return asked ? 0 : PROGRAM_USAGE;
}
