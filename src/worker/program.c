/* worker/program.c - see program.h. */
#include "worker/program.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool program_prepare(Err *err)
{
    if (fcntl(PROGRAM_SERVER_FD, F_GETFD) < 0) {
        err_errno(err, errno, "--serve needs a socket on descriptor %d", PROGRAM_SERVER_FD);
        return err_remedy(err, "The server starts it so; by hand use --task FILE.");
    }
    (void)close_range(PROGRAM_LOCK_FD + 1, UINT_MAX, 0);
    return sandbox_tie(0, err);
}

Json *program_read_task(const char *path, Err *err)
{
    AUTO_BUF text = buf_with_max(MESSAGE_BYTES_MAX);

    /* Only /dev/stdin is a link that must be followed. */
    AUTO_FD fd = text_equal(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_errno(err, errno, "cannot read %s", path);
        return NULL;
    }
    for (;;) {
        uint8_t *to = buf_reserve(&text, 4096);
        ssize_t n = to ? read(fd, to, 4096) : -1;

        if (!to)
            err_set(err, ERR_BAD_INPUT, 0, "%s is larger than %d bytes", path, MESSAGE_BYTES_MAX);
        else if (n < 0)
            err_errno(err, errno, "cannot read %s", path);
        if (n < 0)
            return NULL;
        if (n == 0)
            return json_parse(buf_bytes(&text), err);
        text.n += (size_t)n;
    }
}

int program_print(const Json *value)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);

    if (!json_write_pretty(value, &text) || fwrite(text.p, 1, text.n, stdout) != text.n ||
        fflush(stdout) != 0)
        return PROGRAM_FAILED;
    return 0;
}

int program_fail(const char *program, const Err *err)
{
    (void)fprintf(stderr, "%s: %s%s%s\n", program, err->text, err->remedy[0] ? ". " : "",
                  err->remedy);
    return PROGRAM_FAILED;
}
