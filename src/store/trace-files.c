/* store/trace-files.c - see trace-files.h. */
#include "store/trace-files.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FOLDER_MODE = 0700,
    FILE_MODE = 0600,
    TRACE_NAME_SIZE = 80,
    ID_CHARACTERS = ID_TEXT_SIZE - 1,
};

static const char folder_name[] = "traces", extension[] = ".jsonl";

static bool file_name(const TraceId *id, const DeviceId *device, char ret_name[TRACE_NAME_SIZE])
{
    return text_printf(ret_name, TRACE_NAME_SIZE, "%s.%s%s", id->text, device->text, extension);
}

/* The ids in a name; false when it is none of ours. */
static bool name_parse(const char *name, Trace *ret)
{
    char made[TRACE_NAME_SIZE], id[ID_TEXT_SIZE], device[ID_TEXT_SIZE];

    *ret = (Trace){ 0 };
    if (strlen(name) <= (size_t)ID_CHARACTERS + 1)
        return false;
    (void)text_copy(id, sizeof id, name);
    (void)text_copy(device, sizeof device, name + ID_CHARACTERS + 1);
    return id_parse(id, &ret->id) && id_parse(device, &ret->device) &&
           file_name(&ret->id, &ret->device, made) && text_equal(made, name);
}

/* -1 with ERR_NOT_FOUND as long as there was no trace. */
static int open_folder(const char *data_path, Err *err)
{
    AUTO_FD data = file_open_folder(AT_FDCWD, data_path, err);

    return data < 0 ? -1 : file_open_subfolder(data, folder_name, err);
}

int trace_file_create(const char *data_path, const TraceId *id, const DeviceId *device, Err *err)
{
    char name[TRACE_NAME_SIZE];
    AUTO_FD data = file_open_folder(AT_FDCWD, data_path, err);
    AUTO_FD folder = data < 0 ? -1 : file_make_subfolder(data, folder_name, FOLDER_MODE, err);

    if (folder < 0)
        return -1;
    (void)file_name(id, device, name);
    AUTO_FD fd = file_create_new(folder, name, FILE_MODE, err);
    return fd >= 0 && file_sync_folder(folder, err) ? STEAL_FD(fd) : -1;
}

/* --- reading the folder -------------------------------------------------------------------------------- */

typedef struct Listing {
    Trace *traces;
    size_t n, cap;
    bool no_memory;
} Listing;

static void note_name(void *arg, int folder_fd, const char *name)
{
    Listing *list = arg;
    struct stat st;
    Trace trace;

    if (!name_parse(name, &trace) || list->n == TRACES_LISTED_MAX || list->no_memory ||
        fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return;
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        Trace *longer = realloc(list->traces, cap * sizeof *longer);

        list->no_memory = !longer;
        if (!longer)
            return;
        list->traces = longer;
        list->cap = cap;
    }
    trace.size_bytes = st.st_size;
    list->traces[list->n++] = trace;
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(((const Trace *)b)->id.text, ((const Trace *)a)->id.text);
}

static bool list_folder(int folder, Trace **ret_traces, size_t *ret_count, Err *err)
{
    Listing list = { 0 };

    if (!file_each_name(folder, note_name, &list, err)) {
        free(list.traces);
        return false;
    }
    if (list.no_memory) {
        free(list.traces);
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the list of traces");
    }
    if (list.n > 0)
        qsort(list.traces, list.n, sizeof *list.traces, newest_first);
    *ret_traces = list.traces;
    *ret_count = list.n;
    return true;
}

bool trace_files_list(const char *data_path, Trace **ret_traces, size_t *ret_count, Err *err)
{
    AUTO_FD folder = open_folder(data_path, err);

    if (folder >= 0)
        return list_folder(folder, ret_traces, ret_count, err);
    if (err->kind != ERR_NOT_FOUND)
        return false;
    *ret_traces = NULL;
    *ret_count = 0;
    return true;
}

/* --- one of them --------------------------------------------------------------------------------------- */

/* Its name, with what the folder says of it. */
static bool find(int folder, const TraceId *id, Trace *ret, char ret_name[TRACE_NAME_SIZE],
                 Err *err)
{
    Trace *traces;
    size_t n, i;

    if (!list_folder(folder, &traces, &n, err))
        return false;
    for (i = 0; i < n && !text_equal(traces[i].id.text, id->text); i++)
        ;
    bool found = i < n;
    if (found) {
        *ret = traces[i];
        (void)file_name(&ret->id, &ret->device, ret_name);
    }
    free(traces);
    return found || err_set(err, ERR_NOT_FOUND, 0, "there is no trace %s", id->text);
}

int trace_file_open(const char *data_path, const TraceId *id, Trace *ret_trace, Err *err)
{
    char name[TRACE_NAME_SIZE];
    AUTO_FD folder = open_folder(data_path, err);

    if (folder < 0) {
        if (err->kind == ERR_NOT_FOUND)
            err_set(err, ERR_NOT_FOUND, 0, "there is no trace %s", id->text);
        return -1;
    }
    return find(folder, id, ret_trace, name, err) ? file_open_read(folder, name, err) : -1;
}

bool trace_file_remove(const char *data_path, const TraceId *id, Err *err)
{
    char name[TRACE_NAME_SIZE];
    AUTO_FD folder = open_folder(data_path, err);
    Trace trace;

    if (folder < 0)
        return err->kind == ERR_NOT_FOUND
                   ? err_set(err, ERR_NOT_FOUND, 0, "there is no trace %s", id->text)
                   : false;
    return find(folder, id, &trace, name, err) && file_remove(folder, name, err);
}

bool trace_files_tidy(const char *data_path, const TraceBounds *bounds, Err *err)
{
    AUTO_FD folder = open_folder(data_path, err);
    size_t n, kept = 0;
    int64_t bytes = 0;
    Trace *traces;
    bool ok = true;

    if (folder < 0)
        return err->kind == ERR_NOT_FOUND;
    if (!list_folder(folder, &traces, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        char name[TRACE_NAME_SIZE];

        if (bounds->is_running(bounds->arg, &traces[i].id))
            continue;
        kept++;
        bytes += traces[i].size_bytes;
        if (kept <= bounds->count_max && bytes <= bounds->bytes_max &&
            id_text_made_at(traces[i].id.text).ms >= bounds->before.ms)
            continue;
        (void)file_name(&traces[i].id, &traces[i].device, name);
        ok = file_remove(folder, name, err) && ok;
    }
    free(traces);
    return ok;
}
