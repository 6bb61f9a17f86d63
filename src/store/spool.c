/* store/spool.c - see spool.h: the side of the loop thread. Copies bytes and queues; writes nothing. */
#include "store/spool.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "store/spool-thread.h"

#include <fcntl.h>

static SpoolOp *op_new(SpoolBatch *batch, SpoolOpKind kind, Bytes bytes)
{
    SpoolOp *op = malloc(sizeof *op + bytes.n);

    if (!op)
        return NULL;
    *op = (SpoolOp){ .kind = kind, .batch = batch, .n = bytes.n };
    if (bytes.n > 0)
        memcpy(op->bytes, bytes.p, bytes.n);
    return op;
}

/* The folder and the name of the folder itself are on disk before anything in it is promised. */
static bool open_root(Spool *spool, Err *err)
{
    spool->root_fd = file_make_folders(spool->path, err);
    if (spool->root_fd < 0)
        return false;
    AUTO_FD above = file_open_folder(spool->root_fd, "..", err);
    return above >= 0 && file_sync_folder(above, err);
}

Spool *spool_open(const char *path, unsigned threads, int64_t reserve_bytes, Err *err)
{
    Spool *spool = calloc(1, sizeof *spool);

    if (!spool) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for the spool");
        return NULL;
    }
    spool->root_fd = -1;
    spool->reserve_bytes = reserve_bytes;
    spool->thread_count = threads < 1                   ? 1
                          : threads > SPOOL_THREADS_MAX ? SPOOL_THREADS_MAX
                                                        : threads;
    bool ok = text_copy(spool->path, sizeof spool->path, path) ||
              err_set(err, ERR_BAD_INPUT, 0, "path of the spool is too long");
    ok = ok && open_root(spool, err);
    for (unsigned i = 0; ok && i < spool->thread_count; i++)
        ok = spool_thread_start(&spool->threads[i], spool, err);
    if (ok)
        return spool;
    err_prefix(err, "cannot open the spool %s", path);
    spool_close(spool);
    return NULL;
}

void spool_finish(Spool *spool)
{
    for (unsigned i = 0; spool && i < spool->thread_count; i++)
        spool_thread_stop(&spool->threads[i]);
}

void spool_close(Spool *spool)
{
    if (!spool)
        return;
    spool_finish(spool);
    if (spool->root_fd >= 0)
        close(spool->root_fd);
    free(spool);
}

const char *spool_path(const Spool *spool)
{
    return spool->path;
}

bool spool_space(Spool *spool, SpoolSpace *ret_space, Err *err)
{
    if (!file_space_left(spool->root_fd, &ret_space->left, err))
        return err_prefix(err, "spool %s", spool->path);
    ret_space->wanted = spool->reserve_bytes +
                        (int64_t)SPOOL_SCAN_RESERVE_BYTES * (atomic_load(&spool->scans) + 1);
    return true;
}

bool spool_space_is_enough(const SpoolSpace *space)
{
    return space->left >= space->wanted;
}

bool spool_space_check(Spool *spool, Err *err)
{
    const int64_t mib = 1024 * 1024;
    SpoolSpace space;

    if (!spool_space(spool, &space, err))
        return false;
    if (spool_space_is_enough(&space))
        return true;
    err_set(err, ERR_TEMPORARY, 0, "the disk of %s has %lld MiB left, a scan wants %lld MiB",
            spool->path, (long long)(space.left / mib), (long long)(space.wanted / mib));
    return err_remedy(err, "Free space on that disk; scans are accepted again by themselves.");
}

SpoolBatch *spool_batch_open(Spool *spool, const Batch *batch, const Device *device,
                             SpoolDone *done, void *arg)
{
    SpoolBatch *b = calloc(1, sizeof *b);
    SpoolOp *open_op = op_new(b, SPOOL_OPEN, (Bytes){ 0 });
    SpoolOp *close_op = op_new(b, SPOOL_CLOSE, (Bytes){ 0 });

    if (!b || !open_op || !close_op) {
        free(b);
        free(open_op);
        free(close_op);
        return NULL;
    }
    b->spool = spool;
    b->thread = &spool->threads[spool->next_thread++ % spool->thread_count];
    b->batch = *batch;
    b->device = *device;
    b->opened = done;
    b->opened_arg = arg;
    b->close_op = close_op;
    b->folder_fd = b->lines_fd = -1;
    for (size_t i = 0; i < SPOOL_SIDES; i++) {
        b->pages[i].part_fd = -1;
    }
    pthread_mutex_init(&b->mutex, NULL);
    atomic_fetch_add(&spool->scans, 1);
    spool_thread_put(b->thread, open_op);
    return b;
}

/* Hands the collected bytes of a side over, or notes that its page has lost some. */
static void hand_over(SpoolBatch *b, char side)
{
    SpoolFill *fill = &b->fills[spool_side(side)];
    SpoolOp *op = STEAL(fill->op);

    if (!op)
        return;
    pthread_mutex_lock(&b->mutex);
    fill->lost = b->unwritten + op->n > SPOOL_UNWRITTEN_LIMIT;
    if (!fill->lost) {
        b->unwritten += op->n;
        bool fills = !b->full && b->unwritten > spool_share(b->spool);
        b->full = b->full || fills;
        atomic_fetch_add(&b->spool->full, fills);
    }
    pthread_mutex_unlock(&b->mutex);
    if (fill->lost)
        free(op);
    else
        spool_thread_put(b->thread, op);
}

static void forget(SpoolFill *fill)
{
    free(STEAL(fill->op));
}

/* What is collected is collected where it is handed over: it is copied once. */
static SpoolOp *op_to_fill(SpoolBatch *b, char side)
{
    SpoolOp *op = malloc(sizeof *op + SPOOL_CHUNK_BYTES);

    if (op)
        *op = (SpoolOp){ .kind = SPOOL_PAGE_BYTES, .batch = b, .side = side };
    return op;
}

void spool_page_begin(SpoolBatch *b, uint32_t number, char side, PageFormat format)
{
    SpoolOp *op = op_new(b, SPOOL_PAGE_BEGIN, (Bytes){ 0 });
    SpoolFill *fill = &b->fills[spool_side(side)];

    forget(fill);
    fill->lost = !op; /* the end of the page then finds none: it fails */
    if (!op)
        return;
    op->number = number;
    op->side = side;
    op->format = format;
    spool_thread_put(b->thread, op);
}

void spool_page_bytes(SpoolBatch *b, char side, Bytes bytes)
{
    SpoolFill *fill = &b->fills[spool_side(side)];

    while (bytes.n > 0 && !fill->lost) {
        if (!fill->op)
            fill->op = op_to_fill(b, side);
        fill->lost = !fill->op;
        if (fill->lost)
            return;
        size_t room = SPOOL_CHUNK_BYTES - fill->op->n;
        size_t n = bytes.n < room ? bytes.n : room;

        memcpy(fill->op->bytes + fill->op->n, bytes.p, n);
        fill->op->n += n;
        bytes = bytes_after(bytes, n);
        if (n == room)
            hand_over(b, side);
    }
}

void spool_page_end(SpoolBatch *b, char side, const PageNotes *notes, SpoolPageDone *done,
                    void *arg)
{
    SpoolOp *op = op_new(b, SPOOL_PAGE_END, (Bytes){ 0 });

    hand_over(b, side);
    if (!op) {
        static const Page none;
        Err err;

        err_set(&err, ERR_TEMPORARY, 0, "no memory to end a page");
        done(arg, false, &none, &err);
        return;
    }
    op->side = side;
    op->notes = *notes;
    op->lost = b->fills[spool_side(side)].lost;
    op->page_done = done;
    op->arg = arg;
    spool_thread_put(b->thread, op);
}

void spool_notes(SpoolBatch *b, const ScanNotes *notes)
{
    SpoolOp *op = op_new(b, SPOOL_NOTES, (Bytes){ (const uint8_t *)notes, sizeof *notes });

    if (op)
        spool_thread_put(b->thread, op);
}

void spool_page_drop(SpoolBatch *b, char side)
{
    SpoolOp *op = op_new(b, SPOOL_PAGE_DROP, (Bytes){ 0 });

    forget(&b->fills[spool_side(side)]);
    if (!op)
        return; /* the next page, the close or fsck removes the .part */
    op->side = side;
    spool_thread_put(b->thread, op);
}

size_t spool_share(Spool *spool)
{
    size_t scans = (size_t)atomic_load(&spool->scans);
    size_t share = SPOOL_UNWRITTEN_ALL / (scans > 0 ? scans : 1);

    share = share < SPOOL_UNWRITTEN_MAX ? share : SPOOL_UNWRITTEN_MAX;
    return share > SPOOL_UNWRITTEN_MIN ? share : SPOOL_UNWRITTEN_MIN;
}

bool spool_is_full(const SpoolBatch *batch)
{
    SpoolBatch *b = (SpoolBatch *)batch;

    pthread_mutex_lock(&b->mutex);
    bool full = b->full;
    pthread_mutex_unlock(&b->mutex);
    return full;
}

bool spool_devices_wait(Spool *spool)
{
    return atomic_load(&spool->full) > 0 ||
           mono_now().ms < atomic_load(&spool->last_full) + SPOOL_CALM_MS;
}

size_t spool_unwritten(const SpoolBatch *batch)
{
    SpoolBatch *b = (SpoolBatch *)batch;

    pthread_mutex_lock(&b->mutex);
    size_t n = b->unwritten;
    pthread_mutex_unlock(&b->mutex);
    return n;
}

void spool_on_drained(SpoolBatch *b, void (*drained)(void *arg), void *arg)
{
    pthread_mutex_lock(&b->mutex);
    b->drained = drained;
    b->drained_arg = arg;
    pthread_mutex_unlock(&b->mutex);
}

void spool_batch_close(SpoolBatch *b, void (*closed)(void *arg), void *arg)
{
    SpoolOp *op = b->close_op;

    b->closed = closed;
    b->closed_arg = arg;
    spool_thread_put(b->thread, op);
}

bool spool_call(Spool *spool, void (*call)(void *arg), void *arg)
{
    SpoolOp *op = op_new(NULL, SPOOL_CALL, (Bytes){ 0 });

    if (!op)
        return false;
    op->call = call;
    op->arg = arg;
    spool_thread_put(&spool->threads[0], op);
    return true;
}
