/* worker/task.c - see task.h. */
#include "worker/task.h"

#include "base/file.h"
#include "base/text.h"
#include "worker/ask.h"
#include "worker/sandbox.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { LIMIT_MS_MAX = 3600000 };

const TaskType task_types[] = {
    { "read", 60000, true, 10, task_read },
    { "plan", 60000, false, 0, task_plan },
    { "write", 1800000, true, 0, task_write },
    { "write-index", 60000, true, 0, task_write_index },
    { NULL, 0, false, 0, NULL },
};

/* 512 MiB holds a progressive A3 page at 600 dpi; the PDF format ends at 10 GB. */
static const SandboxLimits limits = {
    .memory_bytes = 512ll << 20,
    .cpu_s = 1800,
    .file_bytes = 11ll << 30,
    .files = 64,
};

const TaskType *task_type(const Json *task, Err *err)
{
    const char *name = json_get_text(task, "task");

    for (const TaskType *type = task_types; type->name; type++)
        if (text_equal(type->name, name))
            return type;
    err_set(err, ERR_BAD_INPUT, 0, "there is no task \"%s\"", name);
    err_field(err, "task");
    return NULL;
}

int64_t task_limit_ms(const TaskType *type, const Json *task)
{
    int64_t ms = json_get_int(task, "limit_ms", type->limit_ms);

    return ms < 1 || ms > LIMIT_MS_MAX ? LIMIT_MS_MAX : ms;
}

static Json *answer_to(const Json *task, bool ok)
{
    Json *answer = json_new_object();

    json_set_text(answer, "type", "result");
    json_set_text(answer, "id", json_get_text(task, "id"));
    json_set_bool(answer, "ok", ok);
    return answer;
}

Json *task_failed(const Json *task, const Err *err)
{
    Json *answer = answer_to(task, false);
    Json *error = json_new_object();

    json_set_text(error, "kind", err_kind_name(err->kind));
    json_set_int(error, "code", err->code);
    json_set_text(error, "field", err->field);
    json_set_text(error, "text", err->text);
    json_set_text(error, "remedy", err->remedy);
    json_set_take(answer, "error", error);
    return answer;
}

Json *task_run(const Json *task, pid_t parent)
{
    Err err = { 0 };
    const char *path = NULL;
    AUTO(Json) answer = answer_to(task, true);
    const TaskType *type = task_type(task, &err);

    if (!type || (type->has_folder && !ask_path(task, "folder", &path, &err)))
        return task_failed(task, &err);
    /* Refused: then it runs beside the server. */
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + type->nice);
    AUTO_FD folder = path ? file_open_folder(AT_FDCWD, path, &err) : SANDBOX_NO_FILES;
    if ((path && folder < 0) || !sandbox_tie(parent, &err) ||
        !sandbox_enter(folder, &limits, &err) || !type->run(task, folder, answer, &err))
        return task_failed(task, &err);
    return STEAL(answer);
}
