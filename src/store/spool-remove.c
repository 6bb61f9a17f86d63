/* store/spool-remove.c - see spool-remove.h. */
#include "store/spool-remove.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"
#include "model/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { PASSES_MAX = 3, DAY_MS = 24 * 3600 * 1000, DAY_SIZE = 16 };

/* One look through a folder. */
typedef struct Pass {
    bool foreign, failed;
    Err err; /* the first failure */
} Pass;

/* --- names --------------------------------------------------------------------------------------- */

/* "2026-11-22" */
static bool is_day(const char *name)
{
    static const char digits[] = "0123456789";

    return strlen(name) == 10 && strspn(name, digits) == 4 && name[4] == '-' &&
           strspn(name + 5, digits) == 2 && name[7] == '-' && strspn(name + 8, digits) == 2;
}

/* A page or, with first 't', a thumbnail. */
static bool is_page(const char *name, char first)
{
    char as_page[32];
    PageFormat format;
    uint32_t number;
    char side;

    if (name[0] != first || !text_copy(as_page, sizeof as_page, name))
        return false;
    as_page[0] = 'p';
    return page_file_parse(as_page, &number, &side, &format) &&
           (first == 'p' || format == PAGE_FORMAT_JPEG);
}

bool spool_name_is_ours(const char *name)
{
    static const char *const unfinished[] = { ".part", ".new" };
    char whole[48]; /* without the ending of an unfinished file */

    if (!text_copy(whole, sizeof whole, name))
        return false;
    for (size_t i = 0; i < COUNT_OF(unfinished); i++)
        if (text_ends_with(whole, unfinished[i])) {
            whole[strlen(whole) - strlen(unfinished[i])] = '\0';
            break;
        }
    return text_equal(name, "out") || text_equal(whole, "batch.json") || is_page(whole, 'p') ||
           is_page(whole, 't');
}

/* --- one folder ---------------------------------------------------------------------------------- */

static void remove_name(Pass *pass, int folder_fd, const char *name)
{
    Err err;

    if (!file_remove(folder_fd, name, &err)) {
        if (err.code == EISDIR || err.code == EPERM) { /* a folder */
            pass->foreign = true;
            return;
        }
        if (!pass->failed)
            pass->err = err;
        pass->failed = true;
        return;
    }
    fault_point("purge.file");
}

static void remove_folder(Pass *pass, int folder_fd, const char *name)
{
    Err err;

    if (file_remove_folder(folder_fd, name, &err))
        return;
    if (err.code == ENOTEMPTY || err.code == EEXIST) {
        pass->foreign = true;
        return;
    }
    if (!pass->failed)
        pass->err = err;
    pass->failed = true;
}

static void see_out_name(void *arg, int folder_fd, const char *name)
{
    remove_name(arg, folder_fd, name);
}

/* Everything in out/ was made from pages. */
static void remove_out(Pass *pass, int folder_fd)
{
    Err err;

    AUTO_FD out = file_open_subfolder(folder_fd, "out", &err);
    if (out < 0 && (err.code == ENOTDIR || err.code == ELOOP)) {
        pass->foreign = true; /* a link, or a file: not ours */
        return;
    }
    if (out < 0 || !file_each_name(out, see_out_name, pass, &err)) {
        if (!pass->failed)
            pass->err = err;
        pass->failed = true;
        return;
    }
    if (!pass->failed)
        remove_folder(pass, folder_fd, "out");
}

static void see_name(void *arg, int folder_fd, const char *name)
{
    Pass *pass = arg;

    if (text_equal(name, "out"))
        remove_out(pass, folder_fd);
    else if (!spool_name_is_ours(name))
        pass->foreign = true;
    else if (!text_equal(name, "batch.json"))
        remove_name(pass, folder_fd, name);
}

/* batch.json goes last: with the database lost meanwhile, what is left still explains itself. */
static bool empty_folder(int folder_fd, Pass *pass, Err *err)
{
    *pass = (Pass){ .failed = false };
    if (!file_each_name(folder_fd, see_name, pass, err))
        return false;
    if (!pass->failed)
        remove_name(pass, folder_fd, "batch.json");
    if (pass->failed)
        *err = pass->err;
    return !pass->failed && file_sync_folder(folder_fd, err);
}

/* A page that was still coming may be put there while we look: then once more. */
static bool remove_batch(int day_fd, const char *name, bool *ret_foreign, Err *err)
{
    AUTO_FD fd = file_open_subfolder(day_fd, name, err);
    Pass pass;

    *ret_foreign = false;
    if (fd < 0)
        return err->kind == ERR_NOT_FOUND;
    for (int i = 0; i < PASSES_MAX; i++) {
        if (!empty_folder(fd, &pass, err))
            return false;
        if (file_remove_folder(day_fd, name, err)) {
            fault_point("purge.folder");
            return true;
        }
        if (err->code != ENOTEMPTY && err->code != EEXIST)
            return false;
        if (pass.foreign) {
            *ret_foreign = true;
            return true;
        }
    }
    return false;
}

bool spool_folder_remove(const char *spool_path, const char *folder, bool *ret_foreign, Err *err)
{
    char day[DAY_SIZE];
    const char *slash = strchr(folder, '/');

    *ret_foreign = false;
    if (!slash || !id_text_is_valid(slash + 1) ||
        !text_copy_bytes(day, sizeof day,
                         (Bytes){ (const uint8_t *)folder, (size_t)(slash - folder) }) ||
        !is_day(day))
        return err_set(err, ERR_BUG, 0, "\"%.60s\" is not the folder of a batch", folder);
    AUTO_FD root = file_open_folder(AT_FDCWD, spool_path, err);
    if (root < 0)
        return false;
    AUTO_FD day_fd = file_open_subfolder(root, day, err);
    if (day_fd < 0)
        return err->kind == ERR_NOT_FOUND;
    return remove_batch(day_fd, slash + 1, ret_foreign, err) && file_sync_folder(day_fd, err);
}

/* --- other looks --------------------------------------------------------------------------------- */

static void see_page(void *arg, int folder_fd, const char *name)
{
    (void)folder_fd;
    *(bool *)arg = *(bool *)arg || is_page(name, 'p');
}

bool spool_folder_has_page(const char *spool_path, const char *folder)
{
    char path[PATH_TEXT_SIZE];
    bool found = false;
    Err err;

    if (!text_printf(path, sizeof path, "%s/%s", spool_path, folder))
        return true;
    AUTO_FD fd = file_open_folder(AT_FDCWD, path, &err);
    if (fd < 0)
        return err.kind != ERR_NOT_FOUND;
    return !file_each_name(fd, see_page, &found, &err) || found;
}

typedef struct Sweep {
    char oldest_kept[DAY_SIZE];
} Sweep;

static void see_day(void *arg, int folder_fd, const char *name)
{
    const Sweep *sweep = arg;
    Err ignored; /* it is not empty, or is looked at again in an hour */

    if (is_day(name) && strcmp(name, sweep->oldest_kept) < 0)
        (void)file_remove_folder(folder_fd, name, &ignored);
}

bool spool_days_sweep(const char *spool_path, Wall now, Err *err)
{
    CivilTime day = wall_civil((Wall){ now.ms - (int64_t)SPOOL_DAYS_SWEPT * DAY_MS }, 0);
    Sweep sweep;

    (void)text_printf(sweep.oldest_kept, sizeof sweep.oldest_kept, "%04d-%02d-%02d", day.year,
                      day.month, day.day);
    AUTO_FD root = file_open_folder(AT_FDCWD, spool_path, err);
    return root >= 0 && file_each_name(root, see_day, &sweep, err);
}
