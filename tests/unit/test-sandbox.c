/* tests/unit/test-sandbox.c - each case runs in a child that locks itself up and tries to get out. */
#include "base/cleanup.h"
#include "base/text.h"
#include "tests/unit/cm.h"
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINE = 0, ESCAPED = 1, NOT_LOCKED = 2, KILLED = 256 };

static const SandboxLimits limits = {
    .memory_bytes = 512ll << 20, .cpu_s = 1, .file_bytes = 4096, .files = 32
};

static char folder[] = "/tmp/platen-test-XXXXXX";

/* Runs attempt in the sandbox of the folder (or of none); its exit code, or KILLED + signal. */
static int locked_with(int files, int (*attempt)(int folder_fd))
{
    pid_t self = getpid();
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Err err;

        if (fd < 0 || !sandbox_tie(self, &err) || !sandbox_enter(files ? files : fd, &limits, &err))
            _exit(NOT_LOCKED);
        _exit(attempt(fd));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int locked(int (*attempt)(int folder_fd))
{
    return locked_with(0, attempt);
}

static int works_in_its_folder(int fd)
{
    AUTO_FD file = openat(fd, "page", O_RDWR | O_CREAT | O_TRUNC, 0600);

    return file >= 0 && (mkdirat(fd, "out", 0700) == 0 || errno == EEXIST) &&
                   write(file, "x", 1) == 1 && fdatasync(file) == 0 &&
                   renameat(fd, "page", fd, "out/page") == 0 && fsync(fd) == 0 &&
                   unlinkat(fd, "out/page", 0) == 0
               ? FINE
               : ESCAPED;
}

static int reads_elsewhere(int fd)
{
    (void)fd;
    return open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? FINE : ESCAPED;
}

static int climbs_out(int fd)
{
    return openat(fd, "../../etc/passwd", O_RDONLY) < 0 ? FINE : ESCAPED;
}

static int writes_elsewhere(int fd)
{
    (void)fd;
    return open("/tmp/platen-test-escape", O_WRONLY | O_CREAT, 0600) < 0 ? FINE : ESCAPED;
}

static int opens_sockets(int fd)
{
    static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };
    int pair[2];

    (void)fd;
    for (size_t i = 0; i < COUNT_OF(families); i++)
        if (socket(families[i], SOCK_STREAM, 0) >= 0 || errno != EPERM)
            return ESCAPED;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ? FINE : ESCAPED;
}

static int starts_a_process(int fd)
{
    (void)fd;
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 && errno == EPERM ? FINE : ESCAPED;
}

static int runs_a_program(int fd)
{
    (void)fd;
    (void)execl("/bin/true", "true", (char *)NULL);
    return ESCAPED;
}

static int traces(int fd)
{
    (void)fd;
    (void)syscall(SYS_ptrace, 0, 0, 0, 0);
    return ESCAPED;
}

static int signals_its_parent(int fd)
{
    (void)fd;
    return kill(getppid(), 0) != 0 && errno == EPERM ? FINE : ESCAPED;
}

static int aborts(int fd)
{
    (void)fd;
    abort();
}

static int writes_too_much(int fd)
{
    static const char block[8192];
    AUTO_FD file = openat(fd, "large", O_WRONLY | O_CREAT, 0600);
    ssize_t first = write(file, block, sizeof block);
    ssize_t second = write(file, block, sizeof block);
    int code = errno;

    (void)unlinkat(fd, "large", 0);
    return first == 4096 && second < 0 && code == EFBIG ? FINE : ESCAPED;
}

static int works_too_long(int fd)
{
    (void)fd;
    for (volatile unsigned long i = 1; i != 0; i = i + 1)
        continue;
    return ESCAPED;
}

static void the_folder_is_all_there_is(void **state)
{
    (void)state;
    assert_int_equal(locked(works_in_its_folder), FINE);
    if (sandbox_landlock_abi() == 0)
        print_message("this kernel has no Landlock: other files are not closed\n");
    else {
        assert_int_equal(locked(reads_elsewhere), FINE);
        assert_int_equal(locked(climbs_out), FINE);
        assert_int_equal(locked(writes_elsewhere), FINE);
        assert_int_equal(locked_with(SANDBOX_NO_FILES, reads_elsewhere), FINE);
        assert_int_equal(locked_with(SANDBOX_NO_FILES, works_in_its_folder), ESCAPED);
    }
}

static void there_is_no_network_and_no_other_process(void **state)
{
    (void)state;
    assert_int_equal(locked(opens_sockets), FINE);
    assert_int_equal(locked_with(SANDBOX_ALL_FILES, opens_sockets), FINE);
    assert_int_equal(locked_with(SANDBOX_ALL_FILES, works_in_its_folder), FINE);
    assert_int_equal(locked(starts_a_process), FINE);
    assert_int_equal(locked(signals_its_parent), FINE);
    assert_int_equal(locked(runs_a_program), KILLED + SIGSYS);
    assert_int_equal(locked(traces), KILLED + SIGSYS);
    assert_int_equal(locked(aborts), KILLED + SIGABRT);
}

static void limits_hold(void **state)
{
    (void)state;
    assert_int_equal(locked(writes_too_much), FINE);
    assert_int_equal(locked(works_too_long), KILLED + SIGKILL);
}

static void an_orphan_does_not_start(void **state)
{
    Err err;

    (void)state;
    pid_t child = fork();
    if (child == 0) /* 1 is not its parent: as if the parent had died before */
        _exit(!sandbox_tie(1, &err) && err.kind == ERR_CANCELLED ? FINE : ESCAPED);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char out[64];

    (void)state;
    (void)text_printf(out, sizeof out, "%s/out", folder);
    (void)rmdir(out);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder_is_all_there_is),
        cmocka_unit_test(there_is_no_network_and_no_other_process),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(an_orphan_does_not_start),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
