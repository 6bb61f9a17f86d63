/* mfp/main.c - platen-mfp: a virtual Epson multifunction printer on the command line.
 *
 * Exit codes: 0 after a signal or enough scans, 1 after a failure, 2 for a wrong command line. */
#include "mfp/fleet.h"

#include <signal.h>
#include <stdio.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, HELP_BYTES_MAX = 8192 };

static int complain(const Err *err, int exit_code)
{
    (void)fprintf(stderr, "platen-mfp: %s%s%s\n", err->text, err->remedy[0] ? ". " : "",
                  err->remedy);
    return exit_code;
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static int print_help(void)
{
    AUTO_BUF text = buf_with_max(HELP_BYTES_MAX);

    options_help(&text);
    (void)fputs(buf_text(&text), stdout);
    return 0;
}

static int serve(const Options *options, const Tray *pictures)
{
    Err err = { 0 };
    AUTO(Loop) loop = loop_new(&err);
    AUTO(Fleet) fleet = NULL;

    if (!loop || !loop_watch_signal(loop, SIGTERM, stop, loop, &err) ||
        !loop_watch_signal(loop, SIGINT, stop, loop, &err))
        return complain(&err, EXIT_FAILED);
    fleet = fleet_new(loop, options, pictures, &err);
    if (!fleet || !loop_run(loop, &err))
        return complain(&err, EXIT_FAILED);
    return fleet_exit_code(fleet);
}

static void say_skipped(const Err *why)
{
    (void)fprintf(stderr, "platen-mfp: skipped: %s%s%s\n", why->text, why->remedy[0] ? ". " : "",
                  why->remedy);
}

int main(int argc, char *argv[])
{
    Err err = { 0 };
    Options options;

    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* tests and scripts read the lines as they come */
    (void)signal(SIGPIPE, SIG_IGN);
    if (!options_read(argc, argv, &options, &err))
        return complain(&err, EXIT_USAGE);
    if (options.help)
        return print_help();
    if (options.version) {
        printf("platen-mfp %s\n", PLATEN_VERSION);
        return 0;
    }
    AUTO(Tray) tray = tray_new(&err);
    if (!tray || !tray_add_folder(tray, options.pages, say_skipped, &err))
        return complain(&err, EXIT_FAILED);
    if (options.dpi > 0)
        tray_set_dpi(tray, options.dpi);
    return serve(&options, tray);
}
