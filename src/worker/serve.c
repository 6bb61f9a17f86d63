/* worker/serve.c - see serve.h. */
#include "worker/serve.h"

#include "base/fault.h"
#include "base/text.h"
#include "base/time.h"
#include "worker/task.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 600000, CHILD_FAILED = 3 };

/* The child's whole life. */
static void child(const Json *task, int fd, int server_fd, pid_t parent)
{
    Err err;

    if (server_fd >= 0) /* the lock on descriptor 4 stays: who waits for it waits for us too */
        (void)close(server_fd);
    AUTO(Json) answer = task_run(task, parent);
    fault_point("worker.before-result");
    _exit(json_line_send(fd, answer, &err) ? 0 : CHILD_FAILED);
}

/* A task at work. */
typedef struct Work {
    const Json *task;
    pid_t pid;
    int out_fd, server_fd;
    JsonLines lines; /* from the child */
    Mono deadline;
    bool answered, ok, overdue;
} Work;

/* Passes on the whole lines that have arrived. *ret_ended: no more will come. */
static bool pass_on(Work *work, bool *ret_ended, Err *err)
{
    for (;;) {
        AUTO(Json) message = NULL;
        Err why;

        if (!json_lines_next(&work->lines, 0, &message, &why)) {
            *ret_ended = why.kind != ERR_TEMPORARY;
            return true;
        }
        if (text_equal(json_get_text(message, "type"), "result")) {
            work->answered = true;
            work->ok = json_get_bool(message, "ok", false);
        }
        if (!json_line_send(work->out_fd, message, err))
            return false;
    }
}

static bool wait_for_child(Work *work, Err *err)
{
    struct pollfd fds[2] = { { .fd = work->lines.fd, .events = POLLIN },
                             { .fd = work->server_fd, .events = POLLRDHUP } };
    bool ended = false;

    while (!ended) {
        int64_t left = work->deadline.ms - mono_now().ms;
        int n = left > 0 ? poll(fds, 2, left < INT_MAX ? (int)left : INT_MAX) : 0;

        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot wait for a task");
        if (n == 0) {
            work->overdue = true;
            return true;
        }
        if (n > 0 && (fds[1].revents & (POLLRDHUP | POLLHUP | POLLERR)))
            return err_set(err, ERR_CANCELLED, 0, "the server is gone");
        if (!pass_on(work, &ended, err))
            return false;
    }
    return true;
}

static bool send_crash(const Work *work, int status, Err *err)
{
    AUTO(Json) message = json_new_object();
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    char text[120];

    if (work->overdue)
        (void)text_printf(text, sizeof text, "the task took longer than its time limit");
    else if (signal)
        (void)text_printf(text, sizeof text, "the task died: %s", strsignal(signal));
    else
        (void)text_printf(text, sizeof text, "the task ended without an answer (status %d)",
                          WEXITSTATUS(status));
    json_set_text(message, "type", "crashed");
    json_set_text(message, "task", json_get_text(work->task, "id"));
    json_set_int(message, "signal", signal);
    json_set_int(message, "status", signal ? 0 : WEXITSTATUS(status));
    json_set_text(message, "text", text);
    return json_line_send(work->out_fd, message, err);
}

/* Ends the child and tells how it went. A child that is dying keeps its own cause of death; one that only
 * closed its socket, or never will, is ended here. */
static bool settle(Work *work, bool healthy, Err *err)
{
    int status = 0;

    (void)kill(work->pid, SIGKILL);
    while (waitpid(work->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!healthy)
        return false;
    return work->answered || send_crash(work, status, err);
}

/* A task that cannot even be begun is answered like one that failed. */
static bool refuse(const Json *task, int out_fd, const Err *why, Err *err)
{
    AUTO(Json) answer = task_failed(task, why);

    return json_line_send(out_fd, answer, err);
}

bool serve_task(const Json *task, int out_fd, int server_fd, bool *ret_ok, Err *err)
{
    const TaskType *type = task_type(task, err);
    pid_t self = getpid();
    int pair[2];

    *ret_ok = false;
    if (!type) {
        Err why = *err;

        return refuse(task, out_fd, &why, err);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_errno(err, errno, "cannot make a socket pair");
    AUTO_FD here = pair[0];
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        child(task, pair[1], server_fd, self);
    }
    (void)close(pair[1]);
    if (pid < 0)
        return err_errno(err, errno, "cannot fork");
    Work work = { .task = task,
                  .pid = pid,
                  .out_fd = out_fd,
                  .server_fd = server_fd,
                  .lines = json_lines_over(here),
                  .deadline = mono_after(mono_now(), task_limit_ms(type, task)) };
    bool ok = settle(&work, wait_for_child(&work, err), err);
    json_lines_done(&work.lines);
    *ret_ok = work.ok;
    return ok;
}

bool serve(int fd, Err *err)
{
    JsonLines lines = json_lines_over(fd);
    bool going = true;

    while (going) {
        AUTO(Json) task = NULL;
        bool ok;

        if (json_lines_next(&lines, WAIT_MS, &task, err)) {
            going = serve_task(task, fd, fd, &ok, err);
            fault_point("worker.task-done");
        } else if (err->kind == ERR_BAD_INPUT && !lines.spoilt) {
            Err why = *err;

            going = refuse(NULL, fd, &why, err);
        } else {
            going = err->kind == ERR_TEMPORARY;
        }
    }
    json_lines_done(&lines);
    return err->kind == ERR_CANCELLED; /* the server closed its side: the ordinary end */
}
