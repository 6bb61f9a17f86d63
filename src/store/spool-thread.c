/* store/spool-thread.c - see spool-thread.h. The order on disk is the promise:
 *
 *   .part written -> its content flushed -> renamed -> the folder flushed -> done
 *
 * Whatever is cut off before the last step leaves a .part or a page that nobody was told about. */
#include "store/spool-thread.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/text.h"
#include "store/batch-json.h"

#include <errno.h>
#include <string.h>

enum { SPOOL_STACK_BYTES = 512 * 1024 };

static const char part_suffix[] = ".part";

static void part_name(const Page *page, char ret_name[48])
{
    (void)text_printf(ret_name, 48, "%s%s", page->file, part_suffix);
}

static void add_cure(const SpoolBatch *b, Err *err)
{
    if (err->remedy[0] || err->kind != ERR_TEMPORARY)
        return;
    if (err->code == ENOSPC || err->code == EDQUOT)
        err_remedy(err, "Free space on the disk of %s, then scan again.", b->spool->path);
    else
        err_remedy(err, "Look at the system log for errors of the disk, then scan again.");
}

/* --- the batch ----------------------------------------------------------------------------------- */

/* <root>/<day>/<id>/ and out/ in it. */
static bool make_folders(SpoolBatch *b, Err *err)
{
    char day[sizeof b->batch.folder];

    (void)text_copy(day, sizeof day, b->batch.folder);
    char *slash = strchr(day, '/');
    if (!slash)
        return err_set(err, ERR_BUG, 0, "folder \"%s\" of a batch has no day", day);
    *slash = '\0';
    AUTO_FD day_fd = file_make_folder(b->spool->root_fd, day, err);
    /* The day may have been made by another thread, or by a process that died, and not be flushed. */
    if (day_fd < 0 || !file_sync_folder(b->spool->root_fd, err))
        return false;
    b->folder_fd = file_make_folder(day_fd, slash + 1, err);
    if (b->folder_fd < 0)
        return false;
    AUTO_FD out = file_make_folder(b->folder_fd, "out", err);
    return out >= 0;
}

static bool open_batch(SpoolBatch *b, Err *err)
{
    AUTO_BUF head = buf_with_max(BATCH_JSON_BYTES_MAX);

    if (!make_folders(b, err) || !batch_json_head(&b->batch, &b->device, &head, err) ||
        !file_replace(b->folder_fd, "batch.json", buf_bytes(&head), 0640, err))
        return false;
    fault_point("spool.after-batch-json");
    b->lines_fd = file_open_append(b->folder_fd, "batch.json", 0640, err);
    return b->lines_fd >= 0;
}

static void run_open(SpoolBatch *b)
{
    b->batch_err.kind = ERR_NONE;
    b->batch_failed = !open_batch(b, &b->batch_err);
    if (b->batch_failed) {
        err_prefix(&b->batch_err, "spool of batch %s", b->batch.id.text);
        add_cure(b, &b->batch_err);
    }
    b->opened(b->opened_arg, !b->batch_failed, &b->batch_err);
}

/* --- pages --------------------------------------------------------------------------------------- */

static void fail_page(SpoolPage *page, const Err *err)
{
    if (!page->failed)
        page->err = *err;
    page->failed = true;
}

static void remove_part(SpoolBatch *b, SpoolPage *page)
{
    char name[48];
    Err ignored; /* what stays is a .part, which fsck removes */

    part_name(&page->page, name);
    if (page->part_fd >= 0)
        (void)file_close(&page->part_fd, &ignored);
    if (b->folder_fd >= 0)
        (void)file_remove(b->folder_fd, name, &ignored);
    page->open = false;
}

static void run_page_begin(SpoolBatch *b, const SpoolOp *op)
{
    SpoolPage *page = &b->pages[spool_side(op->side)];
    char name[48];
    Err err = { .kind = ERR_NONE };

    if (page->open)
        remove_part(b, page);
    page->page = (Page){ .batch = b->batch.id, .number = op->number, .side = op->side };
    page_file_name(op->number, op->side, op->format, page->page.file);
    page->failed = false;
    page->open = true;
    sha256_start(&page->hash);
    if (b->batch_failed) {
        fail_page(page, &b->batch_err);
        return;
    }
    part_name(&page->page, name);
    page->part_fd = file_create(b->folder_fd, name, 0640, &err);
    if (page->part_fd < 0)
        fail_page(page, &err);
    fault_point("spool.page-begin");
}

static void run_page_bytes(SpoolBatch *b, const SpoolOp *op)
{
    SpoolPage *page = &b->pages[spool_side(op->side)];
    Bytes bytes = { op->bytes, op->n };
    Err err = { .kind = ERR_NONE };

    if (!page->open || page->failed)
        return;
    page->page.size_bytes += (int64_t)op->n;
    if (page->page.size_bytes > PAGE_BYTES_MAX) {
        err_set(&err, ERR_BAD_INPUT, 0, "the device sent more than %d bytes for one page",
                PAGE_BYTES_MAX);
        err_remedy(&err, "Scan with a lower resolution.");
        fail_page(page, &err);
        return;
    }
    /* Hashed while it is in the cache; written at once. */
    sha256_add(&page->hash, bytes);
    if (!file_write_all(page->part_fd, bytes, &err))
        fail_page(page, &err);
}

static bool store_page(SpoolBatch *b, SpoolPage *page, Err *err)
{
    AUTO_BUF line = buf_with_max(JSON_BYTES_MAX);
    char name[48];

    part_name(&page->page, name);
    fault_point("spool.before-page-sync");
    if (!file_sync_data(page->part_fd, err) || !file_close(&page->part_fd, err))
        return false;
    fault_point("spool.before-rename");
    if (!file_rename_noreplace(b->folder_fd, name, b->folder_fd, page->page.file, err))
        return false;
    fault_point("spool.after-rename");
    if (!batch_json_page(&page->page, &line, err) ||
        !file_write_all(b->lines_fd, buf_bytes(&line), err))
        return false;
    fault_point("spool.before-folder-sync");
    if (!file_sync_folder(b->folder_fd, err))
        return false;
    fault_point("spool.page-durable");
    return true;
}

static void run_page_end(SpoolBatch *b, const SpoolOp *op)
{
    SpoolPage *page = &b->pages[spool_side(op->side)];
    Err err = { .kind = ERR_NONE };

    if (!page->open) {
        err_set(&err, ERR_BUG, 0, "a page ended that had not begun");
        op->page_done(op->arg, false, &page->page, &err);
        return;
    }
    if (op->lost) {
        err_set(&err, ERR_TEMPORARY, 0, "the page came faster than it could be written");
        fail_page(page, &err);
    }
    sha256_finish(&page->hash, page->page.sha256);
    page->page.notes = op->notes;
    page->page.stored_at = wall_now();
    if (!page->failed && !store_page(b, page, &err))
        fail_page(page, &err);
    if (page->failed) {
        remove_part(b, page);
        err_prefix(&page->err, "page %u of batch %s", page->page.number, b->batch.id.text);
        add_cure(b, &page->err);
    }
    page->open = false;
    op->page_done(op->arg, !page->failed, &page->page, &page->err);
}

static void run_page_drop(SpoolBatch *b, const SpoolOp *op)
{
    SpoolPage *page = &b->pages[spool_side(op->side)];

    if (page->open)
        remove_part(b, page);
}

/* The line is a help, not a promise: the row has the notes. */
static void run_notes(SpoolBatch *b, const SpoolOp *op)
{
    AUTO_BUF line = buf_with_max(JSON_BYTES_MAX);
    ScanNotes notes;
    Err ignored;

    memcpy(&notes, op->bytes, sizeof notes);
    if (b->lines_fd >= 0 && batch_json_notes(&notes, &line, &ignored))
        (void)file_write_all(b->lines_fd, buf_bytes(&line), &ignored);
}

static void run_close(SpoolBatch *b)
{
    void (*closed)(void *arg) = b->closed;
    void *arg = b->closed_arg;
    Err ignored; /* the lines of pages are not promised */

    for (size_t i = 0; i < SPOOL_SIDES; i++) {
        if (b->pages[i].open)
            remove_part(b, &b->pages[i]);
        free(STEAL(b->fills[i].op));
    }
    if (b->lines_fd >= 0) {
        (void)file_sync_data(b->lines_fd, &ignored);
        (void)file_close(&b->lines_fd, &ignored);
    }
    if (b->folder_fd >= 0)
        close(b->folder_fd);
    atomic_fetch_sub(&b->spool->scans, 1);
    pthread_mutex_destroy(&b->mutex);
    free(b);
    if (closed)
        closed(arg);
}

/* Tells the session to read again, once after each time it had to stop. */
static void bytes_written(SpoolBatch *b, size_t n)
{
    void (*drained)(void *arg) = NULL;
    void *arg = NULL;

    pthread_mutex_lock(&b->mutex);
    b->unwritten -= n;
    if (b->full && b->unwritten < spool_share(b->spool) / 2) {
        b->full = false;
        atomic_store(&b->spool->last_full, mono_now().ms);
        atomic_fetch_sub(&b->spool->full, 1);
        drained = b->drained;
        arg = b->drained_arg;
    }
    pthread_mutex_unlock(&b->mutex);
    if (drained)
        drained(arg);
}

static void run_op(SpoolOp *op)
{
    SpoolBatch *b = op->batch;

    switch (op->kind) {
    case SPOOL_OPEN:
        run_open(b);
        break;
    case SPOOL_PAGE_BEGIN:
        run_page_begin(b, op);
        break;
    case SPOOL_PAGE_BYTES:
        run_page_bytes(b, op);
        bytes_written(b, op->n);
        break;
    case SPOOL_PAGE_END:
        run_page_end(b, op);
        break;
    case SPOOL_PAGE_DROP:
        run_page_drop(b, op);
        break;
    case SPOOL_NOTES:
        run_notes(b, op);
        break;
    case SPOOL_CLOSE:
        run_close(b);
        break;
    case SPOOL_CALL:
        op->call(op->arg);
        break;
    }
}

/* --- the thread ---------------------------------------------------------------------------------- */

static SpoolOp *take_all(SpoolThread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    while (!thread->first && !thread->closing)
        pthread_cond_wait(&thread->wake, &thread->mutex);
    SpoolOp *ops = thread->first;
    thread->first = thread->last = NULL;
    pthread_mutex_unlock(&thread->mutex);
    return ops;
}

static void *thread_main(void *arg)
{
    SpoolThread *thread = arg;
    SpoolOp *ops;

    while ((ops = take_all(thread)))
        while (ops) {
            SpoolOp *op = ops;

            ops = op->next;
            run_op(op);
            free(op);
        }
    return NULL;
}

void spool_thread_put(SpoolThread *thread, SpoolOp *op)
{
    pthread_mutex_lock(&thread->mutex);
    if (thread->last)
        thread->last->next = op;
    else
        thread->first = op;
    thread->last = op;
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->mutex);
}

bool spool_thread_start(SpoolThread *thread, Spool *spool, Err *err)
{
    pthread_attr_t attributes;

    thread->spool = spool;
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_cond_init(&thread->wake, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SPOOL_STACK_BYTES);
    int cause = pthread_create(&thread->thread, &attributes, thread_main, thread);
    pthread_attr_destroy(&attributes);
    thread->running = cause == 0;
    return cause == 0 || err_errno(err, cause, "cannot start a spool thread");
}

void spool_thread_stop(SpoolThread *thread)
{
    if (!thread->running)
        return;
    pthread_mutex_lock(&thread->mutex);
    thread->closing = true;
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->mutex);
    pthread_join(thread->thread, NULL);
    pthread_cond_destroy(&thread->wake);
    pthread_mutex_destroy(&thread->mutex);
    thread->running = false;
}
