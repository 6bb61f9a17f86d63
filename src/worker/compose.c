/* worker/compose.c - see compose.h. */
#include "worker/compose.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "worker/binder.h"
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { USAGE = 2, OUT_MODE = 0666, DPI_PRESET = 300, QUALITY_PRESET = 85, QUALITY_MAX = 100 };

static const char usage[] =
    "usage: platen-worker compose [--format pdf|jpeg|tiff] [--dpi N] [--quality N]\n"
    "                             [--title TEXT] [--list FILE] IN... -o OUT\n"
    "  --format  of OUT; pdf when it is not given\n"
    "  --dpi     resolution of pictures that do not say theirs; 300 when it is not given\n"
    "  --quality of the JPEG that raw pages (NAME.raw) become, 1 to 100; 85 when it is not given\n"
    "  --title   title of the document\n"
    "  --list    a file with names of pictures, one per line, read after IN...; - is standard "
    "input\n"
    "  -o        the file to write; it is replaced when it is complete\n";

typedef struct Request {
    const char *out, *list, *title;
    const FormatType *format;
    int64_t dpi, quality;
    char **in;
    int in_count;
} Request;

/* Puts away one option; false with err set when its value is wrong. */
static bool take_option(Request *request, int option, Err *err)
{
    if (option == 'o')
        request->out = optarg;
    else if (option == 'l')
        request->list = optarg;
    else if (option == 't')
        request->title = optarg;
    else if (option == 'f')
        request->format = format_find(optarg);
    else if (option == 'q' && !text_to_int(optarg, 1, QUALITY_MAX, &request->quality))
        return err_set(err, ERR_BAD_INPUT, 0, "--quality is a number from 1 to %d", QUALITY_MAX);
    else if (option == 'd' && !text_to_int(optarg, JPEG_DPI_MIN, JPEG_DPI_MAX, &request->dpi))
        return err_set(err, ERR_BAD_INPUT, 0, "--dpi is a number from %d to %d", JPEG_DPI_MIN,
                       JPEG_DPI_MAX);
    return request->format || err_set(err, ERR_BAD_INPUT, 0, "there is no format \"%s\"", optarg);
}

static bool read_arguments(Request *request, int argc, char **argv, Err *err)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' },
        { "dpi", required_argument, NULL, 'd' },
        { "title", required_argument, NULL, 't' },
        { "list", required_argument, NULL, 'l' },
        { "output", required_argument, NULL, 'o' },
        { "quality", required_argument, NULL, 'q' },
        { NULL, 0, NULL, 0 },
    };

    *request = (Request){
        .title = "", .format = format_find("pdf"), .dpi = DPI_PRESET, .quality = QUALITY_PRESET
    };
    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;)
        if (option == '?' || !take_option(request, option, err))
            return option == '?' ? err_set(err, ERR_BAD_INPUT, 0, "unknown option") : false;
    request->in = argv + optind;
    request->in_count = argc - optind;
    if (!request->out)
        return err_set(err, ERR_BAD_INPUT, 0, "say with -o what to write");
    if (request->in_count == 0 && !request->list)
        return err_set(err, ERR_BAD_INPUT, 0, "say which pictures to put into it");
    if (!text_is_utf8(bytes_of_text(request->title)))
        return err_set(err, ERR_BAD_INPUT, 0, "the title is not UTF-8");
    return true;
}

static bool add_file(Binder *binder, const char *path, uint32_t dpi, Err *err)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC); /* a link named by hand is followed */

    if (fd < 0)
        return err_errno(err, errno, "%s", path);
    const BinderPage page = {
        .fd = fd, .size_bytes = -1, .kind = picture_kind(path), .scan_dpi = dpi
    };
    return binder_add(binder, &page, err) || err_prefix(err, "%s", path);
}

static bool add_list(Binder *binder, FILE *list, uint32_t dpi, Err *err)
{
    char line[PATH_TEXT_SIZE];

    while (fgets(line, sizeof line, list)) {
        size_t n = strcspn(line, "\n");

        if (line[n] != '\n' && !feof(list))
            return err_set(err, ERR_BAD_INPUT, 0, "a name in the list is longer than %zu bytes",
                           sizeof line - 2);
        line[n] = '\0';
        if (n > 0 && !add_file(binder, line, dpi, err))
            return false;
    }
    return !ferror(list) || err_errno(err, errno, "cannot read the list");
}

static bool add_listed(Binder *binder, const Request *request, Err *err)
{
    if (!request->list)
        return true;
    AUTO_FD fd = text_equal(request->list, "-") ? dup(STDIN_FILENO)
                                                : open(request->list, O_RDONLY | O_CLOEXEC);
    FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
    if (!list)
        return err_errno(err, errno, "%s", request->list);
    fd = -1; /* fclose closes it */
    bool ok = add_list(binder, list, (uint32_t)request->dpi, err);
    (void)fclose(list);
    return ok;
}

static bool bind(Binder *binder, const Request *request, int out_fd, Err *err)
{
    const FormatInfo info = { .title = request->title,
                              .created = wall_now(),
                              .utc_offset_min = wall_zone_offset_min(wall_now()) };

    if (!binder_begin(binder, request->format, out_fd, &info, (uint32_t)request->quality, err))
        return false;
    for (int i = 0; i < request->in_count; i++)
        if (!add_file(binder, request->in[i], (uint32_t)request->dpi, err))
            return false;
    return add_listed(binder, request, err) && binder_finish(binder, err);
}

/* Writes OUT.part beside OUT, then renames. */
static bool compose(const Request *request, Err *err)
{
    const SandboxLimits limits = { 0 };
    char temporary[PATH_TEXT_SIZE];
    Binder binder = { 0 };
    Err ignored;

    if (!text_printf(temporary, sizeof temporary, "%s.part", request->out))
        return err_set(err, ERR_BAD_INPUT, 0, "the name of the output is too long");
    AUTO_FD fd = file_create(AT_FDCWD, temporary, OUT_MODE, err);
    if (fd < 0)
        return false;
    bool ok = sandbox_tie(0, err) && sandbox_enter(SANDBOX_ALL_FILES, &limits, err) &&
              bind(&binder, request, fd, err) && file_close(&fd, err) &&
              file_rename(AT_FDCWD, temporary, AT_FDCWD, request->out, err);
    binder_done(&binder);
    if (!ok)
        (void)file_remove(AT_FDCWD, temporary, &ignored);
    return ok;
}

int compose_main(int argc, char **argv)
{
    Request request;
    Err err;

    if (!read_arguments(&request, argc, argv, &err)) {
        (void)fprintf(stderr, "platen compose: %s\n%s", err.text, usage);
        return USAGE;
    }
    if (compose(&request, &err))
        return 0;
    (void)fprintf(stderr, "platen compose: %s%s%s\n", err.text, err.remedy[0] ? ". " : "",
                  err.remedy);
    return 1;
}
