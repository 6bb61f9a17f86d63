/* queue/worker-process.c - see worker-process.h. */
#include "queue/worker-process.h"

#include "base/text.h"
#include "base/time.h"
#include "json/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    WORKER_SOCKET_FD = 3,
    WORKER_LOCK_FD = 4,
    WORKER_LOW_FD = 10, /* our copies stay clear of the numbers the child uses */
    WORKER_END_MS = 2000,
};

struct WorkerProcess {
    pid_t pid;
    int fd;
    JsonLines lines;
};

extern char **environ;

static bool spawn(const char *program, int socket_fd, int lock_fd, pid_t *ret_pid, Err *err)
{
    char *argv[] = { (char *)program, (char *)"--serve", NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, socket_fd, WORKER_SOCKET_FD);
    posix_spawn_file_actions_adddup2(&files, lock_fd, WORKER_LOCK_FD);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int code = posix_spawn(ret_pid, program, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return code == 0 || err_errno(err, code, "cannot start %s", program);
}

WorkerProcess *worker_start(const char *program, int lock_fd, Err *err)
{
    int pair[2];
    WorkerProcess *worker = calloc(1, sizeof *worker);

    if (!worker) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory to start %s", program);
        return NULL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        err_errno(err, errno, "cannot make a socket pair");
        free(worker);
        return NULL;
    }
    AUTO_FD ours = pair[0], theirs = pair[1];
    AUTO_FD high = fcntl(theirs, F_DUPFD_CLOEXEC, WORKER_LOW_FD);
    AUTO_FD lock = fcntl(lock_fd, F_DUPFD_CLOEXEC, WORKER_LOW_FD);
    if (high < 0 || lock < 0)
        err_errno(err, errno, "cannot copy a descriptor");
    if (high < 0 || lock < 0 || !spawn(program, high, lock, &worker->pid, err)) {
        free(worker);
        return NULL;
    }
    worker->fd = STEAL_FD(ours);
    worker->lines = json_lines_over(worker->fd);
    return worker;
}

/* Waits for the end of the process until the deadline; a pidfd avoids polling. */
static bool ended_within(pid_t pid, int timeout_ms)
{
    AUTO_FD fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return fd >= 0 && poll(&p, 1, timeout_ms) == 1;
}

void worker_stop(WorkerProcess *worker)
{
    if (!worker)
        return;
    close(worker->fd);
    if (!ended_within(worker->pid, WORKER_END_MS))
        (void)kill(worker->pid, SIGKILL);
    while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    json_lines_done(&worker->lines);
    free(worker);
}

pid_t worker_pid(const WorkerProcess *worker)
{
    return worker->pid;
}

/* Sends the answer to a question; true when the dialogue goes on. */
static bool answer_question(WorkerProcess *worker, const Json *question, const WorkerTalk *talk,
                            Err *err)
{
    if (!talk || !talk->answer)
        return err_set(err, ERR_BUG, 0, "worker asked a question nobody expected");
    AUTO(Json) reply = talk->answer(talk->arg, question, err);
    return reply && json_line_send(worker->fd, reply, err);
}

/* One message: 2 = wait anew, 1 = go on, 0 = result taken, -1 = failed and the worker must go. */
static int take_message(WorkerProcess *worker, Json **message, const WorkerTalk *talk,
                        Json **ret_result, Err *err)
{
    const char *type = json_get_text(*message, "type");

    if (text_equal(type, "alive"))
        return 2;
    if (text_equal(type, "progress")) {
        if (talk && talk->progress)
            talk->progress(talk->arg, *message);
        return 1;
    }
    if (text_equal(type, "question"))
        return answer_question(worker, *message, talk, err) ? 1 : -1;
    if (text_equal(type, "result") || text_equal(type, "crashed")) {
        *ret_result = STEAL(*message);
        return 0;
    }
    err_set(err, ERR_TEMPORARY, 0, "worker sent a message of unknown type \"%.20s\"", type);
    return -1;
}

static bool dialogue(WorkerProcess *worker, const Json *task, int64_t timeout_ms,
                     const WorkerTalk *talk, Json **ret_result, Err *err)
{
    Mono deadline = mono_after(mono_now(), timeout_ms);

    if (!json_line_send(worker->fd, task, err))
        return false;
    for (;;) {
        int64_t left = deadline.ms - mono_now().ms;
        AUTO(Json) message = NULL;

        if (!json_lines_next(&worker->lines, left > 0 ? left : 0, &message, err))
            return false;
        int more = take_message(worker, &message, talk, ret_result, err);
        if (more <= 0)
            return more == 0;
        if (more == 2)
            deadline = mono_after(mono_now(), timeout_ms);
    }
}

bool worker_task(WorkerProcess *worker, const Json *task, int64_t timeout_ms,
                 const WorkerTalk *talk, Json **ret_result, bool *ret_lost, Err *err)
{
    *ret_result = NULL;
    *ret_lost = !dialogue(worker, task, timeout_ms, talk, ret_result, err);
    if (*ret_lost) {
        /* Whatever it was, this process is not to be trusted with another task. */
        (void)kill(worker->pid, SIGKILL);
        if (err->kind != ERR_BUG)
            err->kind = ERR_TEMPORARY;
        return err_prefix(err, "worker process lost");
    }
    if (text_equal(json_get_text(*ret_result, "type"), "crashed")) {
        int signal_number = (int)json_get_int(*ret_result, "signal", 0);

        json_free(*ret_result);
        *ret_result = NULL;
        return err_set(err, ERR_TEMPORARY, signal_number, "worker task died of signal %d",
                       signal_number);
    }
    return true;
}
