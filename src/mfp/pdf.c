/* mfp/pdf.c - the child of mfp/pdf.h. */
#include "mfp/pdf.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

enum {
    NO_SUCH_PAGE = 99, /* exit code of pdftoppm when the first page is behind the last one */
    NUMBER_SIZE = 16,
    PIECE_BYTES = 64 * 1024,
};

extern char **environ;

/* pdftoppm reads the file from its standard input and writes one picture to its standard output. */
static bool start_child(int pdf_fd, int out_fd, uint32_t page, pid_t *ret_pid, Err *err)
{
    char number[NUMBER_SIZE], dpi[NUMBER_SIZE];
    const char *const words[] = { "pdftoppm", "-q", "-r",   dpi, "-png", "-f",
                                  number,     "-l", number, "-", NULL };
    posix_spawn_file_actions_t actions;

    (void)text_printf(number, sizeof number, "%u", page);
    (void)text_printf(dpi, sizeof dpi, "%d", PDF_DPI);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for pdftoppm");
    int code = posix_spawn_file_actions_adddup2(&actions, pdf_fd, STDIN_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    /* Its last words, "Wrong page range", are how the end of the file is noticed. */
    if (code == 0)
        code = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (code == 0)
        code = posix_spawnp(ret_pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                            environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (code == ENOENT) {
        err_set(err, ERR_NOT_FOUND, code, "a PDF needs the program pdftoppm, which is not here");
        return err_remedy(err, "Install poppler-utils, or convert the file to JPEG.");
    }
    return code == 0 || err_errno(err, code, "pdftoppm");
}

/* Everything the child writes, until it closes its end. */
static bool read_all(int fd, Buf *to, Err *err)
{
    Mono deadline = mono_after(mono_now(), PDF_PAGE_PATIENCE_MS);

    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int64_t left = deadline.ms - mono_now().ms;

        if (left <= 0 || poll(&ready, 1, (int)left) == 0)
            return err_set(err, ERR_TEMPORARY, ETIMEDOUT,
                           "pdftoppm takes more than %d s for a page", PDF_PAGE_PATIENCE_MS / 1000);
        uint8_t *room = buf_reserve(to, PIECE_BYTES);
        if (!room)
            return err_set(err, ERR_PERMANENT, 0, "a page of a PDF is too large");
        ssize_t n = read(fd, room, PIECE_BYTES);
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "pdftoppm");
        if (n > 0)
            to->n += (size_t)n;
    }
}

bool pdf_render(int fd, uint32_t page, Buf *png, bool *ret_found, Err *err)
{
    int ends[2], status = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "pipe");
    AUTO_FD from = ends[0];
    AUTO_FD to = ends[1];
    if (!start_child(fd, to, page, &pid, err))
        return false;
    (void)close(STEAL_FD(to));
    bool ok = read_all(from, png, err);
    if (!ok)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!ok)
        return false;
    *ret_found = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return *ret_found || (page > 1 && WIFEXITED(status) && WEXITSTATUS(status) == NO_SUCH_PAGE) ||
           err_set(err, ERR_BAD_INPUT, 0, "pdftoppm cannot read page %u of this PDF", page);
}
