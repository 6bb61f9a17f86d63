/* store/fsck.c - see fsck.h. One batch at a time: look at its folder, look at its rows, settle the
 * difference in one write. */
#include "store/fsck.h"

#include "base/file.h"
#include "base/text.h"
#include "store/batch-json.h"
#include "store/batch-read.h"
#include "store/retention.h"
#include "store/rows.h"
#include "store/spool-remove.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE_FILES_MAX = 2 * BATCH_PAGES_MAX };

/* A page file in a folder, or a row of one; sorted by number and side. */
typedef struct PageFile {
    Page page;
    int64_t found_bytes; /* of the file, -1: there is none */
    bool add, mark;      /* to be settled */
} PageFile;

typedef struct Fsck {
    Store *store;
    Db *db;
    const char *spool_path;
    int root_fd;
    bool quick, dry_run;
    FsckSay *say;
    void *say_arg;
    FsckReport report;
} Fsck;

/* What is known of one batch while it is checked. */
typedef struct Found {
    Fsck *fsck;
    Batch batch;
    bool has_row;
    PageFile *pages;
    size_t count, room;
    bool failed;        /* no memory, or too many pages */
    bool files_changed; /* the folder is gone, or there again */
    BatchFiles files;   /* to be settled when files_changed */
} Found;

__attribute__((format(printf, 2, 3))) static void say(const Fsck *f, const char *fmt, ...)
{
    char sentence[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    f->say(f->say_arg, sentence);
}

/* --- what is there ------------------------------------------------------------------------------- */

static PageFile *page_find(Found *found, uint32_t number, char side)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->pages[i].page.number == number && found->pages[i].page.side == side)
            return &found->pages[i];
    return NULL;
}

static PageFile *page_keep(Found *found, const Page *page)
{
    if (found->count == found->room) {
        size_t room = found->room ? found->room * 2 : 64;
        PageFile *more = found->room >= PAGE_FILES_MAX ? NULL
                                                       : realloc(found->pages, room * sizeof *more);

        if (!more) {
            found->failed = true;
            return NULL;
        }
        found->pages = more;
        found->room = room;
    }
    found->pages[found->count] = (PageFile){ .page = *page, .found_bytes = -1 };
    return &found->pages[found->count++];
}

static bool keep_row(void *arg, const Page *page)
{
    return page_keep(arg, page) != NULL;
}

/* "p0001a.jpg": number, side and name. */
static bool page_name_parse(const char *name, Page *ret_page)
{
    PageFormat format;

    return page_file_parse(name, &ret_page->number, &ret_page->side, &format) &&
           text_copy(ret_page->file, sizeof ret_page->file, name);
}

/* Removes what only a process that died can have left. True when it was such a file. */
static bool stale_remove(Found *found, int folder_fd, const char *name)
{
    Fsck *f = found->fsck;
    Err err;

    if (!text_ends_with(name, ".part") && !text_ends_with(name, ".new"))
        return false;
    f->report.parts_removed++;
    say(f, "batch %s: %s was never finished: removed", found->batch.id.text, name);
    if (!f->dry_run && !file_remove(folder_fd, name, &err))
        say(f, "batch %s: %s", found->batch.id.text, err.text);
    return true;
}

static void see_out_file(void *arg, int folder_fd, const char *name)
{
    (void)stale_remove(arg, folder_fd, name);
}

static void see_file(void *arg, int folder_fd, const char *name)
{
    Found *found = arg;
    Page page = { .batch = found->batch.id };
    struct stat info;

    if (stale_remove(found, folder_fd, name) || !page_name_parse(name, &page) ||
        fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
        return;
    PageFile *entry = page_find(found, page.number, page.side);
    bool is_new = entry == NULL;
    if (is_new)
        entry = page_keep(found, &page);
    if (!entry)
        return;
    entry->add = is_new;
    entry->found_bytes = info.st_size;
}

/* What batch.json says of a page that has no row: true for the file only when the hash is the same. */
static void use_line(void *arg, const Page *line)
{
    Found *found = arg;
    PageFile *entry = page_find(found, line->number, line->side);

    if (!entry || !entry->add || !text_equal(entry->page.sha256, line->sha256))
        return;
    entry->page.notes = line->notes;
    entry->page.stored_at = line->stored_at;
}

/* --- settling ------------------------------------------------------------------------------------ */

static bool hash_page(const PageFile *entry, int folder_fd, char ret_sha256[65], int64_t *ret_size,
                      Err *err)
{
    AUTO_FD fd = file_open_read(folder_fd, entry->page.file, err);

    return fd >= 0 && file_hash(fd, ret_sha256, ret_size, err);
}

static void check_row(Found *found, PageFile *entry, int folder_fd)
{
    Fsck *f = found->fsck;
    Page *page = &entry->page;
    char sha256[65] = "";
    int64_t size = entry->found_bytes;
    Err err;

    f->report.pages_checked++;
    if (size < 0) {
        f->report.pages_missing++;
        entry->mark = true;
        (void)text_copy(page->warning, sizeof page->warning, "The file of this page is missing.");
        say(f, "batch %s: page %u has no file %s: marked", page->batch.text, page->number,
            page->file);
        return;
    }
    if (size == page->size_bytes && !f->quick &&
        !hash_page(entry, folder_fd, sha256, &size, &err)) {
        say(f, "batch %s: page %u: %s", page->batch.text, page->number, err.text);
        return;
    }
    if (size == page->size_bytes && (f->quick || text_equal(sha256, page->sha256)))
        return;
    f->report.pages_damaged++;
    entry->mark = true;
    (void)text_copy(page->warning, sizeof page->warning,
                    "The file of this page is not what was stored.");
    say(f, "batch %s: page %u: %s is not what was stored: marked", page->batch.text, page->number,
        page->file);
}

static void check_new(Found *found, PageFile *entry, int folder_fd)
{
    Page *page = &entry->page;
    Err err;

    if (!hash_page(entry, folder_fd, page->sha256, &page->size_bytes, &err)) {
        entry->add = false;
        say(found->fsck, "batch %s: page %u: %s", page->batch.text, page->number, err.text);
        return;
    }
    page->notes.scan_dpi = (uint32_t)found->batch.job.dpi;
    page->stored_at = found->batch.started_at;
    found->fsck->report.pages_added++;
    say(found->fsck, "batch %s: page %u has no row: added", page->batch.text, page->number);
}

static bool mark_page(Tx *tx, const PageFile *entry, Err *err)
{
    return db_run(tx->db,
                  "UPDATE page SET warning = ?2,"
                  " state = CASE WHEN ?3 AND state IN ('stored', 'reading') THEN 'damaged'"
                  "  ELSE state END,"
                  " owner = CASE WHEN ?3 THEN NULL ELSE owner END WHERE id = ?1",
                  ARGS(ARG_INT(entry->page.id), ARG_TEXT(entry->page.warning),
                       ARG_INT(entry->found_bytes < 0)),
                  NULL, err);
}

static bool settle_write(Tx *tx, void *arg, Err *err)
{
    Found *found = arg;

    if ((!found->has_row && !batch_row_insert(tx, &found->batch, err)) ||
        (found->files_changed && !batch_files_settle(tx, &found->batch.id, found->files, err)))
        return false;
    for (size_t i = 0; i < found->count; i++) {
        PageFile *entry = &found->pages[i];

        if ((entry->add && !page_row_insert(tx, &entry->page, err)) ||
            (entry->mark && !mark_page(tx, entry, err)))
            return false;
    }
    return true;
}

static bool settle(Found *found, Err *err)
{
    bool anything = !found->has_row || found->files_changed;

    for (size_t i = 0; i < found->count; i++)
        anything = anything || found->pages[i].add || found->pages[i].mark;
    return !anything || found->fsck->dry_run ||
           store_write_wait(found->fsck->store, settle_write, found, err);
}

/* --- one batch ----------------------------------------------------------------------------------- */

static bool any_page(const Found *found)
{
    return found->count > 0;
}

typedef struct Names {
    bool any, ours;
} Names;

static void see_any_name(void *arg, int folder_fd, const char *name)
{
    Names *names = arg;

    (void)folder_fd;
    names->any = true;
    names->ours = names->ours || spool_name_is_ours(name);
}

/* The server died before the first page: the person saw the scan fail. What somebody else put there stays. */
static void remove_empty(Found *found, const char *folder, int folder_fd)
{
    Fsck *f = found->fsck;
    Names names = { .any = false };
    bool foreign;
    Err err;

    if (!file_each_name(folder_fd, see_any_name, &names, &err) || (names.any && !names.ours))
        return;
    f->report.folders_removed++;
    say(f, "batch %s: no page and no row: folder removed", found->batch.id.text);
    if (!f->dry_run && !spool_folder_remove(f->spool_path, folder, &foreign, &err))
        say(f, "batch %s: %s", found->batch.id.text, err.text);
}

/* A batch without a row becomes one of state BROKEN. False: its batch.json cannot be read. */
static bool rebuild(Found *found, Bytes json, const char *folder)
{
    Fsck *f = found->fsck;
    BatchId id = found->batch.id;
    Err err = { .kind = ERR_NONE };

    if (!batch_json_parse_head(json, &found->batch, &err) ||
        !text_equal(found->batch.id.text, id.text)) {
        found->batch.id = id;
        f->report.batches_left++;
        say(f, "batch %s: has pages, but its batch.json cannot be read: left as it is (%s)",
            id.text, err.kind != ERR_NONE ? err.text : "another id");
        return false;
    }
    batch_json_read_notes(json, &found->batch.notes);
    (void)text_copy(found->batch.folder, sizeof found->batch.folder, folder);
    found->batch.reason = (Reason){
        .code = "rebuilt",
        .text = "The database did not know this batch; it was rebuilt from its folder.",
        .remedy = "Look at its pages, then deliver it, or leave it.",
    };
    f->report.batches_rebuilt++;
    say(f, "batch %s: has no row: rebuilt from batch.json", id.text);
    return true;
}

static bool check_pages(Found *found, int folder_fd, Bytes json, Err *err)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->pages[i].add)
            check_new(found, &found->pages[i], folder_fd);
        else
            check_row(found, &found->pages[i], folder_fd);
    batch_json_pages(json, use_line, found);
    return settle(found, err);
}

/* False only when the database fails. */
static bool check_folder(Found *found, int day_fd, const char *folder, Err *err)
{
    AUTO_BUF json = buf_with_max(BATCH_JSON_BYTES_MAX);
    Fsck *f = found->fsck;
    Err cause = { .kind = ERR_NONE };

    AUTO_FD fd = file_open_subfolder(day_fd, found->batch.id.text, &cause);
    if (fd < 0 || !file_each_name(fd, see_file, found, &cause) || found->failed) {
        say(f, "batch %s: cannot be checked: %s", found->batch.id.text,
            found->failed ? "it has too many pages for the memory" : cause.text);
        return true;
    }
    AUTO_FD out = file_open_subfolder(fd, "out", &cause);
    if (out >= 0)
        (void)file_each_name(out, see_out_file, found, &cause);
    if (!found->has_row && !any_page(found)) {
        remove_empty(found, folder, fd);
        return true;
    }
    cause.kind = ERR_NONE;
    (void)file_read_whole(fd, "batch.json", &json, &cause);
    if (!found->has_row && !rebuild(found, buf_bytes(&json), folder))
        return true;
    return check_pages(found, fd, buf_bytes(&json), err);
}

/* What is removed, or will be, is no finding: that was decided. */
static bool is_of_interest(const Fsck *f, const Batch *batch)
{
    return batch->files == BATCH_FILES_MISSING ||
           (batch->files == BATCH_FILES_KEPT && !(f->quick && batch->state == BATCH_DONE));
}

static bool check_batch(Fsck *f, int day_fd, const char *day, const char *name, Err *err)
{
    Found found = { .fsck = f };
    char folder[64];

    if (!id_parse(name, &found.batch.id))
        return true;
    (void)text_printf(folder, sizeof folder, "%s/%s", day, name);
    BatchId id = found.batch.id;
    found.has_row = batch_get(f->db, &id, &found.batch, err);
    if (!found.has_row && err->kind != ERR_NOT_FOUND)
        return false;
    if (found.has_row && !is_of_interest(f, &found.batch))
        return true;
    if (found.has_row && found.batch.files == BATCH_FILES_MISSING) {
        found.files_changed = true;
        found.files = BATCH_FILES_KEPT;
        f->report.batches_found++;
        say(f, "batch %s: its folder is there again", id.text);
    }
    f->report.batches_checked++;
    bool ok = (!found.has_row || page_list(f->db, &id, keep_row, &found, err)) &&
              check_folder(&found, day_fd, folder, err);
    free(found.pages);
    return ok;
}

/* --- the whole spool ----------------------------------------------------------------------------- */

typedef struct Walk {
    Fsck *fsck;
    char day[16];
    bool ok;
    Err *err;
} Walk;

static void see_batch_folder(void *arg, int folder_fd, const char *name)
{
    Walk *walk = arg;

    walk->ok = walk->ok && check_batch(walk->fsck, folder_fd, walk->day, name, walk->err);
}

static void see_day_folder(void *arg, int folder_fd, const char *name)
{
    Walk *walk = arg;
    Err cause;

    if (!walk->ok || strlen(name) != strlen("2026-11-22") || name[4] != '-')
        return;
    AUTO_FD day = file_open_folder(folder_fd, name, &cause);
    (void)text_copy(walk->day, sizeof walk->day, name);
    if (day < 0 || !file_each_name(day, see_batch_folder, walk, &cause))
        say(walk->fsck, "folder %s: %s", name, cause.text);
}

/* A batch whose whole folder is gone is not met in the walk: somebody took it away, or the database is an
 * older one that was restored. Of one that is DONE nothing is lost. */
static bool see_row(void *arg, const Batch *batch)
{
    Walk *walk = arg;
    Fsck *f = walk->fsck;
    Found found = { .fsck = f,
                    .batch = *batch,
                    .has_row = true,
                    .files_changed = true,
                    .files = BATCH_FILES_MISSING };
    Err cause;

    if (batch->page_count == 0 || batch->files != BATCH_FILES_KEPT)
        return true;
    AUTO_FD fd = file_open_folder(f->root_fd, batch->folder, &cause);
    if (fd >= 0 || cause.kind != ERR_NOT_FOUND)
        return true;
    f->report.batches_checked++;
    f->report.batches_gone++;
    say(f, "batch %s: its folder is gone: marked", batch->id.text);
    walk->ok = (batch->state == BATCH_DONE ||
                page_list(f->db, &batch->id, keep_row, &found, walk->err)) &&
               check_pages(&found, -1, (Bytes){ 0 }, walk->err);
    free(found.pages);
    return walk->ok;
}

bool store_fsck(Store *store, const char *spool_path, bool quick, bool dry_run, FsckSay *say_fn,
                void *arg, FsckReport *ret_report, Err *err)
{
    Fsck f = { .store = store,
               .spool_path = spool_path,
               .quick = quick,
               .dry_run = dry_run,
               .say = say_fn,
               .say_arg = arg };
    Walk walk = { .fsck = &f, .ok = true, .err = err };
    StoreReader *reader = store_reader_open(store, err);

    if (!reader)
        return false;
    f.db = reader_db(reader);
    AUTO_FD root = file_make_folders(spool_path, err);
    f.root_fd = root;
    bool ok = root >= 0 && file_each_name(root, see_day_folder, &walk, err) && walk.ok &&
              batch_list(f.db, "", -1, UINT32_MAX, see_row, &walk, err) && walk.ok;
    store_reader_close(reader);
    if (!ok)
        return err_prefix(err, "fsck of %s", spool_path);
    *ret_report = f.report;
    return true;
}
