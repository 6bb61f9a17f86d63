/* server/main.c - platend, the server: command line and nothing else.
 *
 *   platend [--config FILE]                          run until SIGTERM
 *   platend --check-config [--config FILE]           say every problem of the file and of what it names
 *   platend --print-config [--config FILE]           print every key with its value in force
 *   platend --rotate-key [--config FILE]             a new master key for the secrets
 *   platend --fsck [--full] [--dry-run] [--config FILE]   settle spool and database */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "server/platend.h"
#include "server/quirks-file.h"
#include "server/startup.h"

#include <stdio.h>

static const char usage[] =
    "usage: platend [--config FILE] [--check-config | --print-config]\n"
    "       platend [--config FILE] --fsck [--full] [--dry-run]\n"
    "       platend [--config FILE] --rotate-key\n"
    "\n"
    "  --config FILE    configuration, else /etc/platen/platen.conf when it exists\n"
    "  --check-config   say every problem of the configuration, and what it names that cannot be "
    "used, and end\n"
    "  --print-config   print every key, its meaning and its value as a configuration and end\n"
    "  --fsck           settle spool and database with each other while no server runs\n"
    "    --full         hash every page as well\n"
    "    --dry-run      say what would be done, change nothing\n"
    "  --rotate-key     make a new master key and seal every secret with it while no server runs\n"
    "  --version        print the version and end\n"
    "  --help           print this text and end\n";

enum { EXIT_USAGE = 2, PRINTED_BYTES_MAX = 16 * 1024 };

typedef struct Options {
    const char *config;
    bool check_config, print_config, fsck, full, dry_run, rotate_key, version, help;
} Options;

static bool take_options(int argc, char **argv, Options *ret)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        { "--check-config", &ret->check_config },
        { "--print-config", &ret->print_config },
        { "--fsck", &ret->fsck },
        { "--full", &ret->full },
        { "--dry-run", &ret->dry_run },
        { "--rotate-key", &ret->rotate_key },
        { "--version", &ret->version },
        { "--help", &ret->help },
    };

    for (int i = 1; i < argc; i++) {
        bool taken = false;

        if (text_equal(argv[i], "--config") && i + 1 < argc) {
            ret->config = argv[++i];
            continue;
        }
        for (size_t f = 0; f < COUNT_OF(flags); f++)
            if (text_equal(argv[i], flags[f].name))
                taken = *flags[f].flag = true;
        if (text_equal(argv[i], "--config")) {
            (void)fprintf(stderr, "platend: --config wants the path of a file\n");
            return false;
        }
        if (!taken) {
            (void)fprintf(stderr, "platend: cannot make sense of \"%s\"\n%s", argv[i], usage);
            return false;
        }
    }
    return true;
}

static void print_problem(void *arg, const char *sentence)
{
    (void)arg;
    (void)fprintf(stderr, "platend: %s\n", sentence);
}

static int print_config(const ServerConfig *config)
{
    AUTO_BUF text = buf_with_max(PRINTED_BYTES_MAX);

    if (!server_config_print(config, &text) || fputs(buf_text(&text), stdout) < 0 ||
        fflush(stdout) != 0) {
        (void)fprintf(stderr, "platend: the configuration could not be written\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int run(const Options *options, const ServerConfig *config, const QuirkBook *quirks)
{
    Err err = { 0 };
    bool ok = options->fsck         ? platend_fsck(config, options->full, options->dry_run, &err)
              : options->rotate_key ? platend_rotate_key(config, &err)
                                    : platend_run(config, quirks, &err);

    if (!ok)
        (void)fprintf(stderr, "platend: %s%s%s\n", err.text, err.remedy[0] ? "\n  " : "",
                      err.remedy);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const char preset_path[] = "/etc/platen/platen.conf";
    static ServerConfig config;
    static QuirkBook quirks;
    Options options = { 0 };

    if (!take_options(argc, argv, &options))
        return EXIT_USAGE;
    if (options.help || options.version) {
        (void)fputs(options.help ? usage : "platend " PLATEN_VERSION "\n", stdout);
        return EXIT_SUCCESS;
    }
    if (!options.config && access(preset_path, F_OK) == 0)
        options.config = preset_path;
    bool sound = server_config_read(options.config, &config, print_problem, NULL);
    bool serves = !options.print_config && !options.fsck && !options.rotate_key;
    if (serves) /* of a bad configuration, too: all problems are said at once */
        sound = quirks_file_read(config.quirks, &quirks, print_problem, NULL) && sound;
    if (!sound)
        return EXIT_USAGE;
    if (options.check_config) {
        if (!server_startup_check(&config, print_problem, NULL))
            return EXIT_USAGE;
        (void)printf("the configuration is sound\n");
        return EXIT_SUCCESS;
    }
    if (options.print_config)
        return print_config(&config);
    log_set_level((LogLevel)config.log_level);
    return run(&options, &config, &quirks);
}
