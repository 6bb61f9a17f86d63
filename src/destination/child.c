/* destination/child.c - see child.h. */
#include "destination/child.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    HIGH_FD = 10,     /* our copies stay clear of the numbers the program gets */
    START_MS = 30000, /* a folder of programs that hangs is not waited for      */
    LINE_SIZE = 512,  /* of a line of standard error; the rest of it is left out */
    SIGNALS_LAST = 64,
};

/* The descriptors between us and the program, all of them HIGH_FD or more. */
typedef struct Wires {
    int input, nowhere, folder;
    int said[2];    /* its standard error                           */
    int started[2]; /* errno when it cannot be started, else nothing */
} Wires;

static void wires_done(Wires *w)
{
    int *const all[] = { &w->input,   &w->nowhere,    &w->folder,    &w->said[0],
                         &w->said[1], &w->started[0], &w->started[1] };

    for (size_t i = 0; i < COUNT_OF(all); i++)
        fd_autoclose(all[i]);
}

static int high_copy(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
}

static bool high_pipe(int ret_ends[2])
{
    int low[2];

    if (pipe2(low, O_CLOEXEC) != 0)
        return false;
    AUTO_FD out = low[0], in = low[1];
    ret_ends[0] = high_copy(out);
    ret_ends[1] = high_copy(in);
    return ret_ends[0] >= 0 && ret_ends[1] >= 0;
}

static bool wires_make(const ChildOrder *order, Wires *w)
{
    AUTO_FD nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    *w = (Wires){ -1, -1, -1, { -1, -1 }, { -1, -1 } };
    w->input = high_copy(order->input_fd);
    w->nowhere = high_copy(nowhere);
    w->folder = high_copy(order->folder_fd);
    return w->input >= 0 && w->nowhere >= 0 && w->folder >= 0 && high_pipe(w->said) &&
           high_pipe(w->started) && fcntl(w->said[0], F_SETFL, O_NONBLOCK) == 0;
}

/* --- in the new process: only calls that are safe between fork and exec ----------------------------- */

static void limit(__rlimit_resource_t resource, int64_t most)
{
    struct rlimit now;

    if (getrlimit(resource, &now) != 0)
        return;
    if (now.rlim_max == RLIM_INFINITY || now.rlim_max > (rlim_t)most)
        now.rlim_max = (rlim_t)most;
    now.rlim_cur = now.rlim_max;
    (void)setrlimit(resource, &now);
}

static void set_limits(const ChildOrder *order)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, order->limit_s + 1);
    limit(RLIMIT_FSIZE, CHILD_FILE_BYTES);
    limit(RLIMIT_NOFILE, CHILD_FILES);
    limit(RLIMIT_NPROC, CHILD_PROCESSES);
}

static void signals_as_new(void)
{
    sigset_t none;

    for (int number = 1; number <= SIGNALS_LAST; number++)
        (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void become(const ChildOrder *order, const Wires *w, pid_t parent)
{
    bool ready = setsid() >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                 prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && getppid() == parent &&
                 fchdir(w->folder) == 0 && dup2(w->input, STDIN_FILENO) >= 0 &&
                 dup2(w->nowhere, STDOUT_FILENO) >= 0 && dup2(w->said[1], STDERR_FILENO) >= 0;

    if (ready) {
        (void)umask(077);
        set_limits(order);
        signals_as_new();
        (void)close_range(STDERR_FILENO + 1, (unsigned)w->started[1] - 1, 0);
        (void)close_range((unsigned)w->started[1] + 1, UINT_MAX, 0);
        (void)execve(order->program, order->argv, order->environment);
    }
    int code = errno;
    (void)!write(w->started[1], &code, sizeof code);
    _exit(127);
}

/* --- the last line ---------------------------------------------------------------------------------- */

/* Keeps the last line that is not empty. */
typedef struct LastLine {
    char line[LINE_SIZE]; /* that comes now */
    size_t n;
    char last[LINE_SIZE];
} LastLine;

static void end_line(LastLine *l)
{
    size_t from = 0, to = l->n;

    while (from < to && l->line[from] == ' ')
        from++;
    while (to > from && l->line[to - 1] == ' ')
        to--;
    if (to > from)
        (void)text_copy_bytes(l->last, sizeof l->last,
                              (Bytes){ (const uint8_t *)l->line + from, to - from });
    l->n = 0;
}

static void take_bytes(LastLine *l, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c == '\n' || c == '\r')
            end_line(l);
        else if (l->n < sizeof l->line)
            l->line[l->n++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

/* Reads what is there. False: the other side is closed. */
static bool hear(int fd, LastLine *l)
{
    char bytes[4096];

    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);

        if (n > 0)
            take_bytes(l, bytes, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return n < 0 && errno == EAGAIN;
    }
}

static void tell_words(LastLine *l, ChildEnd *end)
{
    end_line(l);
    if (!text_is_utf8(bytes_of_text(l->last)))
        for (char *c = l->last; *c; c++)
            if ((unsigned char)*c >= 0x80)
                *c = '?';
    (void)text_copy(end->words, sizeof end->words, l->last);
}

/* --- following it ----------------------------------------------------------------------------------- */

/* errno of a program that could not be started, 0 when it runs. Its end of the pipe is closed by exec. */
static int await_start(pid_t pid, int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int code = 0;

    if (poll(&p, 1, START_MS) != 1) {
        (void)kill(pid, SIGKILL);
        return ETIMEDOUT;
    }
    return read(fd, &code, sizeof code) == (ssize_t)sizeof code ? code : 0;
}

static int wait_ms(Mono deadline, int64_t alive_ms)
{
    int64_t left = deadline.ms - mono_now().ms;

    left = left < alive_ms ? left : alive_ms;
    return left > 0 ? (int)left : 0;
}

/* Until it has ended. True: by itself, false: its time was over. */
static bool follow(const ChildOrder *order, pid_t pid, int said, LastLine *words)
{
    AUTO_FD process = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p[] = { { .fd = process, .events = POLLIN }, { .fd = said, .events = POLLIN } };
    Mono deadline = mono_after(mono_now(), order->limit_s * 1000), alive = mono_now();
    int next = SIGTERM;

    while (process >= 0) {
        if (poll(p, COUNT_OF(p), wait_ms(deadline, order->alive_ms)) > 0 && p[1].revents &&
            !hear(said, words))
            p[1].fd = -1;
        if (p[0].revents)
            return next == SIGTERM;
        if (mono_now().ms - alive.ms >= order->alive_ms) {
            order->alive(order->arg);
            alive = mono_now();
        }
        if (!mono_reached(mono_now(), deadline))
            continue;
        (void)kill(-pid, next);
        next = SIGKILL;
        deadline = mono_after(mono_now(), CHILD_GRACE_MS);
    }
    return false; /* no descriptor was to be had: it is killed below, and nothing is known */
}

static void collect(pid_t pid, ChildEnd *end)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    end->code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    if (end->how == CHILD_EXITED && !WIFEXITED(status))
        end->how = CHILD_DIED;
}

static void run_started(const ChildOrder *order, const Wires *w, pid_t pid, ChildEnd *end)
{
    LastLine words = { .n = 0 };
    int code = await_start(pid, w->started[0]);

    if (code) {
        collect(pid, end);
        *end = (ChildEnd){ CHILD_NOT_STARTED, code, "" };
        return;
    }
    end->how = follow(order, pid, w->said[0], &words) ? CHILD_EXITED : CHILD_TOO_LONG;
    /* As long as it is not collected nobody else can have its number. */
    (void)kill(-pid, SIGKILL);
    (void)hear(w->said[0], &words);
    collect(pid, end);
    tell_words(&words, end);
}

void child_run(const ChildOrder *order, ChildEnd *ret_end)
{
    pid_t parent = getpid(), pid = -1;
    Wires wires;

    *ret_end = (ChildEnd){ CHILD_NOT_STARTED, 0, "" };
    if (wires_make(order, &wires))
        pid = fork();
    if (pid == 0)
        become(order, &wires, parent);
    if (pid < 0)
        ret_end->code = errno;
    fd_autoclose(&wires.started[1]);
    fd_autoclose(&wires.said[1]);
    wires.started[1] = wires.said[1] = -1;
    if (pid > 0)
        run_started(order, &wires, pid, ret_end);
    wires_done(&wires);
}
