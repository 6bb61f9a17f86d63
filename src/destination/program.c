/* destination/program.c - hand the document to a program of the server.
 *
 * Which programs there are is not a matter of the API: they lie in one folder, which only platen.conf
 * names ([deliver] programs) and the server's user cannot write in, so that nobody who may edit
 * destinations (one could be a folder) brings in a program of his own. Arguments go to the program as
 * they are, without a shell.
 *
 * A program that was started may have done its work, whatever becomes of us: the delivery's own mark is
 * proposed as the reserved name before, and given back when its end is known. An attempt that finds the
 * mark says UNKNOWN. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/child.h"
#include "destination/destination.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef enum ProgramInput { PROGRAM_INPUT_FILE, PROGRAM_INPUT_STDIN } ProgramInput;

static const char *const input_words[] = { "file", "stdin", NULL };

enum {
    ARGUMENTS_MAX = 16,               /* of the destination, and as many of the job           */
    ARGUMENT_SIZE = 256,              /* with tokens                                          */
    ARGUMENT_BYTES_MAX = 4096,        /* with what the tokens stand for                       */
    ARGV_MAX = 2 * ARGUMENTS_MAX + 3, /* name, arguments, document, NULL                */
    EXIT_TRY_AGAIN = 75,              /* EX_TEMPFAIL of sysexits.h                            */
    DEPTH_MAX = 16,                   /* of folders a program may leave in its working folder */
    MARK_SIZE = 64,
    MODE_OTHERS_WRITE = 022,
};

typedef struct ProgramArgument {
    char argument[ARGUMENT_SIZE];
} ProgramArgument;

typedef struct ProgramSettings {
    char program[PATH_TEXT_SIZE];
    ProgramArgument arguments[ARGUMENTS_MAX];
    size_t argument_count;
    int64_t input;
    int64_t time_limit_s;
} ProgramSettings;

typedef struct ProgramOptions {
    ProgramArgument arguments[ARGUMENTS_MAX];
    size_t argument_count;
} ProgramOptions;

static const Field argument_fields[] = {
    {
        .name = "argument",
        .type = FIELD_TEXT,
        .offset = offsetof(ProgramArgument, argument),
        .size = ARGUMENT_SIZE,
        .required = true,
        .pattern = FIELD_PATTERN_TEXT,
        .help = "One argument; it may have tokens such as {job} or {date:%Y-%m-%d}.",
    },
    FIELDS_END,
};

static const Field program_fields[] = {
    PATH(ProgramSettings, program, true,
         "Absolute path of the program, in the folder that platen.conf names with programs."),
    LIST(ProgramSettings, arguments, argument_count, argument_fields, 0,
         "Its arguments, one by one; no shell reads them."),
    CHOICE(ProgramSettings, input, input_words, PROGRAM_INPUT_FILE,
           "file: the path of a copy is its last argument; stdin: the document is its standard "
           "input."),
    INTEGER(ProgramSettings, time_limit_s, 1, 3600, 60,
            "Seconds after which the program and all it started are ended."),
    FIELDS_END,
};

static const Field program_options[] = {
    LIST(ProgramOptions, arguments, argument_count, argument_fields, 0,
         "Further arguments of this job, after those of the destination."),
    FIELDS_END,
};

/* --- which programs may be run ----------------------------------------------------------------------- */

static const char *programs_folder(void)
{
    const char *folder = getenv("PLATEN_PROGRAMS");

    return folder ? folder : "";
}

static bool refuse(const Errand *errand, const char *cure, const char *what, const char *path)
{
    return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0, cure, "%s%s", path,
                           what);
}

/* Can neither the server's user nor anybody but the owner put something there? above: above the folder of
 * programs, where a sticky folder is fine: there each replaces only what is his own. */
static bool is_guarded(const struct stat *status, bool above)
{
    bool sticky = above && S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX);
    bool ours = status->st_uid == geteuid() && geteuid() != 0;

    return !ours && (sticky || (status->st_mode & MODE_OTHERS_WRITE) == 0);
}

/* Is every folder above, the folder of programs and the program guarded, and none of them a link? Then
 * nobody can exchange one between this look and the start. */
static bool is_guarded_path(const Errand *errand, const char *path)
{
    char part[PATH_TEXT_SIZE] = "/";
    struct stat status;

    for (const char *rest = path + 1;;) {
        if (lstat(part, &status) != 0)
            return refuse(errand, "Correct the program's path.", " is not there", part);
        if (S_ISLNK(status.st_mode))
            return refuse(errand, "Give the real path; a link can be replaced by a small script.",
                          " is a link", part);
        if (!is_guarded(&status, strchr(rest, '/') != NULL))
            return refuse(errand,
                          "Let root own program, folder and all folders above, with mode 755.",
                          " could be replaced by others than its owner, or by the server", part);
        if (*rest == '\0')
            return true;
        rest += strcspn(rest, "/");
        (void)text_copy_bytes(part, sizeof part,
                              (Bytes){ (const uint8_t *)path, (size_t)(rest - path) });
        rest += *rest == '/';
    }
}

static bool is_allowed(const Errand *errand)
{
    const char *program = ((const ProgramSettings *)errand->settings)->program;
    const char *folder = programs_folder(), *slash = strrchr(program, '/');
    size_t n = strlen(folder);
    struct stat status;

    while (n > 1 && folder[n - 1] == '/')
        n--;
    if (n == 0 || folder[0] != '/')
        return refuse(errand,
                      "The server's administrator allows programs with programs in [deliver] of "
                      "platen.conf.",
                      ": this server runs no programs", program);
    if ((size_t)(slash - program) != n || memcmp(program, folder, n) != 0 ||
        !name_is_one_file(slash + 1))
        return refuse(errand, "Name a program of the folder that platen.conf allows.",
                      " is not in the folder of allowed programs", program);
    if (!is_guarded_path(errand, program))
        return false;
    if (stat(program, &status) != 0 || !S_ISREG(status.st_mode))
        return refuse(errand, "Put a program there.", " is not a plain file", program);
    return faccessat(AT_FDCWD, program, X_OK, AT_EACCESS) == 0 ||
           refuse(errand, "Make it executable for the server's user: chmod 755.",
                  " may not be run by the server's user", program);
}

/* --- a folder of its own ----------------------------------------------------------------------------- */

/* What one run needs. */
typedef struct Run {
    const Errand *errand;
    const ProgramSettings *settings;
    char mark[MARK_SIZE];       /* name of the folder, and reserved while it runs */
    char above[PATH_TEXT_SIZE]; /* where the folder is made                       */
    int above_fd, folder_fd, input_fd;
    char document[2 * PATH_TEXT_SIZE]; /* path of the copy, "" = standard input          */
    char arguments[2 * ARGUMENTS_MAX][ARGUMENT_BYTES_MAX];
    char *argv[ARGV_MAX];
} Run;

/* Removes what is in a folder, as far as that can be done. */
static void empty(int folder_fd, int depth)
{
    Err ignored;
    int list_fd = file_open_folder(folder_fd, ".", &ignored); /* with a position of its own */
    DIR *list = list_fd >= 0 ? fdopendir(list_fd) : NULL;
    struct stat status;

    if (!list && list_fd >= 0)
        close(list_fd);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        const char *name = entry->d_name;

        if (text_equal(name, ".") || text_equal(name, "..") ||
            fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!S_ISDIR(status.st_mode)) {
            (void)file_remove(folder_fd, name, &ignored);
            continue;
        }
        if (fchmodat(folder_fd, name, 0700, 0) != 0)
            continue;
        AUTO_FD below = file_open_folder(folder_fd, name, &ignored);
        if (below >= 0 && depth < DEPTH_MAX)
            empty(below, depth + 1);
        (void)file_remove_folder(folder_fd, name, &ignored);
    }
    if (list)
        (void)closedir(list);
}

static void remove_folder(Run *run)
{
    Err ignored;

    if (run->folder_fd >= 0) {
        empty(run->folder_fd, 0);
        (void)file_remove_folder(run->above_fd, run->mark, &ignored);
    }
    fd_autoclose(&run->folder_fd);
    fd_autoclose(&run->above_fd);
    fd_autoclose(&run->input_fd);
    run->folder_fd = run->above_fd = run->input_fd = -1;
}

/* Makes it, or takes the one that a dead attempt left, and empties that. */
static bool make_folder(Run *run)
{
    const char *above = getenv("TMPDIR");
    struct stat status;
    Err err;

    if (!text_copy(run->above, sizeof run->above, above && above[0] == '/' ? above : "/tmp"))
        return refuse(run->errand, "Set TMPDIR to a shorter path.", ": path too long", "TMPDIR");
    run->above_fd = file_open_folder(AT_FDCWD, run->above, &err);
    if (run->above_fd >= 0)
        run->folder_fd = file_make_subfolder(run->above_fd, run->mark, 0700, &err);
    if (run->folder_fd < 0)
        return delivery_failed_file(run->errand->result, "locate", &err);
    if (fstat(run->folder_fd, &status) != 0 || status.st_uid != geteuid() ||
        (status.st_mode & 0777) != 0700)
        return delivery_failed(run->errand->result, DELIVERY_CLASS_RETRY, "locate", 0,
                               "Remove the folder.", "%s/%s is somebody else's", run->above,
                               run->mark);
    empty(run->folder_fd, 0);
    return true;
}

/* The copy of the document, under its name. */
static bool make_copy(Run *run)
{
    const Parcel *parcel = run->errand->parcel;
    Err err;
    AUTO_FD copy = file_create_new(run->folder_fd, parcel->name, 0600, &err);

    if (copy < 0 || !file_copy(parcel->fd, 0, parcel->size_bytes, copy, &err) ||
        !file_close(&copy, &err))
        return delivery_failed_file(run->errand->result, "write", &err);
    run->input_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return text_printf(run->document, sizeof run->document, "%s/%s/%s", run->above, run->mark,
                       parcel->name);
}

/* The document itself, from its beginning and for reading only, whoever has read from it. */
static bool open_input(Run *run)
{
    char path[64];

    (void)text_printf(path, sizeof path, "/proc/self/fd/%d", run->errand->parcel->fd);
    run->input_fd = open(path, O_RDONLY | O_CLOEXEC);
    return run->input_fd >= 0 ||
           delivery_failed(run->errand->result, DELIVERY_CLASS_RETRY, "write", errno,
                           "Check the disk of the spool, and that /proc is mounted.",
                           "the document in the spool cannot be read");
}

/* --- arguments --------------------------------------------------------------------------------------- */

static bool add_arguments(Run *run, const ProgramArgument *arguments, size_t count, size_t *n)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF text = buf_with_max(ARGUMENT_BYTES_MAX - 1);
        char *to = run->arguments[*n - 1];
        Err err = { .text = "an argument is too long" };

        if (!name_text_resolve(arguments[i].argument, &run->errand->parcel->facts, &text, &err) ||
            text.failed || !text_copy_bytes(to, ARGUMENT_BYTES_MAX, buf_bytes(&text)))
            return delivery_failed(run->errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                                   "Correct the arguments of the program.", "%s", err.text);
        run->argv[(*n)++] = to;
    }
    return true;
}

static bool make_arguments(Run *run)
{
    const ProgramOptions *options = run->errand->options;
    size_t n = 1;

    run->argv[0] = (char *)(uintptr_t)run->settings->program;
    if (!add_arguments(run, run->settings->arguments, run->settings->argument_count, &n) ||
        (options && !add_arguments(run, options->arguments, options->argument_count, &n)))
        return false;
    if (run->document[0])
        run->argv[n++] = run->document;
    run->argv[n] = NULL;
    return true;
}

/* Everything before the program is started. */
static bool prepare(Run *run)
{
    return is_allowed(run->errand) && errand_source_sound(run->errand) && make_folder(run) &&
           (run->settings->input == PROGRAM_INPUT_STDIN ? open_input(run) : make_copy(run)) &&
           make_arguments(run);
}

/* --- running ----------------------------------------------------------------------------------------- */

static void tell_alive(void *arg)
{
    errand_alive(arg);
}

static void start_and_follow(Run *run, ChildEnd *end)
{
    enum { VARIABLE_SIZE = 3 * PATH_TEXT_SIZE };
    const Parcel *parcel = run->errand->parcel;
    static char variables[5][VARIABLE_SIZE];
    char *environment[] = { (char *)(uintptr_t) "PATH=/usr/local/bin:/usr/bin:/bin",
                            (char *)(uintptr_t) "LANG=C.UTF-8",
                            variables[0],
                            variables[1],
                            variables[2],
                            variables[3],
                            variables[4],
                            NULL };
    const ChildOrder order = { .program = run->settings->program,
                               .argv = run->argv,
                               .environment = environment,
                               .input_fd = run->input_fd,
                               .folder_fd = run->folder_fd,
                               .limit_s = run->settings->time_limit_s,
                               .alive = tell_alive,
                               .arg = (void *)(uintptr_t)run->errand,
                               .alive_ms = DELIVERY_ALIVE_MS };

    (void)text_printf(variables[0], VARIABLE_SIZE, "HOME=%s/%s", run->above, run->mark);
    (void)text_printf(variables[1], VARIABLE_SIZE, "TMPDIR=%s/%s", run->above, run->mark);
    (void)text_printf(variables[2], VARIABLE_SIZE, "PLATEN_NAME=%s", parcel->name);
    (void)text_printf(variables[3], VARIABLE_SIZE, "PLATEN_DELIVERY=%s", parcel->delivery);
    (void)text_printf(variables[4], VARIABLE_SIZE, "PLATEN_FILE=%s", run->document);
    child_run(&order, end);
}

static bool fail_unknown(const Errand *errand, int64_t code, const char *what)
{
    return delivery_failed(errand->result, DELIVERY_CLASS_UNKNOWN, "send", code,
                           "Look whether the program has done its work; if not, try the delivery "
                           "again.",
                           "%s %s", ((const ProgramSettings *)errand->settings)->program, what);
}

static bool fail_start(const Run *run, int code)
{
    bool later = code == EAGAIN || code == ENOMEM || code == EMFILE || code == ETXTBSY ||
                 code == ETIMEDOUT;

    return delivery_failed(run->errand->result,
                           later ? DELIVERY_CLASS_RETRY : DELIVERY_CLASS_CONFIG, "locate", code,
                           "Run it by hand as the server's user; a script needs its interpreter in "
                           "the first line.",
                           "%s cannot be started: %s", run->settings->program, strerror(code));
}

/* What the end of the program means. */
static bool take_end(const Run *run, const ChildEnd *end)
{
    DeliveryResult *result = run->errand->result;
    const char *program = run->settings->program;
    const char *words = end->words[0] ? end->words : "it gave no reason on standard error";
    char what[80];

    if (end->how == CHILD_NOT_STARTED)
        return fail_start(run, end->code);
    if (end->how != CHILD_EXITED) {
        (void)text_printf(what, sizeof what,
                          end->how == CHILD_TOO_LONG ? "was ended after its time limit of %d s"
                                                     : "died of signal %d before it was done",
                          end->how == CHILD_TOO_LONG ? (int)run->settings->time_limit_s
                                                     : end->code);
        return fail_unknown(run->errand, end->code, what);
    }
    if (end->code != 0) {
        bool again = end->code == EXIT_TRY_AGAIN;

        (void)delivery_failed(result, again ? DELIVERY_CLASS_RETRY : DELIVERY_CLASS_FATAL, "send",
                              end->code,
                              again ? "Nothing: the program asks to be tried again."
                                    : "Mend what the program complains of, then try it again.",
                              "%s: %s", program, words);
        result->protocol_code = end->code;
        return false;
    }
    (void)errand_done(run->errand, "send", run->errand->parcel->name);
    (void)text_printf(result->text, sizeof result->text, "%s has taken it", program);
    return true;
}

/* Starts it under the mark, and gives the mark back when it is known that another attempt may start it. */
static void run_marked(Run *run)
{
    DeliveryResult *result = run->errand->result;
    DeliveryResult why;
    ChildEnd end;

    if (!errand_propose(run->errand, run->mark))
        return;
    start_and_follow(run, &end);
    if (take_end(run, &end))
        return;
    why = *result;
    (void)errand_release(run->errand);
    *result = why; /* if the server is gone, nobody hears either of them */
}

static bool run_new(Run *ret_run, const Errand *errand)
{
    ret_run->errand = errand;
    ret_run->settings = errand->settings;
    ret_run->above_fd = ret_run->folder_fd = ret_run->input_fd = -1;
    return text_printf(ret_run->mark, sizeof ret_run->mark, "platen-run-%s",
                       errand->parcel->delivery) ||
           delivery_failed(errand->result, DELIVERY_CLASS_FATAL, "locate", 0,
                           "Report this as a fault of Platen.", "delivery id is too long");
}

/* An earlier attempt had the program started, and nothing was heard of it after that. */
static void tell_lost_run(Run *run)
{
    if (make_folder(run)) /* what that attempt left is removed */
        remove_folder(run);
    if (errand_release(run->errand))
        (void)fail_unknown(run->errand, 0, "was started by an attempt that died");
}

static void program_work(const Errand *errand, void (*work)(Run *run))
{
    Run *run = calloc(1, sizeof *run);

    if (!run)
        (void)delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "locate", ENOMEM,
                              "Give the server more memory.", "no memory to start a program");
    else if (run_new(run, errand))
        work(run);
    if (run)
        remove_folder(run);
    free(run);
}

static void work_deliver(Run *run)
{
    if (text_equal(run->errand->parcel->reserved, run->mark))
        tell_lost_run(run);
    else if (prepare(run))
        run_marked(run);
}

/* Everything but the program itself: it would do its work with a page that nobody scanned. */
static void work_test(Run *run)
{
    const DeliveryTalk *talk = run->errand->talk;
    Mono since = mono_now();

    if (!is_allowed(run->errand))
        return;
    talk->passed(talk->arg, "locate", mono_now().ms - since.ms);
    if (!prepare(run))
        return;
    talk->passed(talk->arg, "write", mono_now().ms - since.ms);
    (void)errand_done(run->errand, "write", "");
    (void)text_printf(run->errand->result->text, sizeof run->errand->result->text,
                      "%s can be run; a test does not start it", run->settings->program);
}

static void program_deliver(const Errand *errand)
{
    program_work(errand, work_deliver);
}

static void program_test(const Errand *errand)
{
    program_work(errand, work_test);
}

const DestinationType destination_program = {
    .name = "program",
    .title = "Program of the server",
    .fields = program_fields,
    .settings_size = sizeof(ProgramSettings),
    .options = program_options,
    .options_size = sizeof(ProgramOptions),
    .deliver = program_deliver,
    .test = program_test,
};
