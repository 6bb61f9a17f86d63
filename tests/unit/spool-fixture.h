/* tests/unit/spool-fixture.h - a spool beside the store, and pages that wait for their done. */
#ifndef PLATEN_TESTS_UNIT_SPOOL_FIXTURE_H
#define PLATEN_TESTS_UNIT_SPOOL_FIXTURE_H

#include "base/sha256.h"
#include "store/spool.h"
#include "tests/unit/store-fixture.h"

typedef struct Waited {
    sem_t sem;
    bool ok;
    Page page;
    Err err;
} Waited;

static inline void waited_done(void *arg, bool ok, const Err *err)
{
    Waited *w = arg;

    w->ok = ok;
    w->err = *err;
    sem_post(&w->sem);
}

static inline void waited_page(void *arg, bool ok, const Page *page, const Err *err)
{
    Waited *w = arg;

    w->page = *page;
    waited_done(arg, ok, err);
}

static inline void waited_closed(void *arg)
{
    sem_post(&((Waited *)arg)->sem);
}

static inline SpoolBatch *spool_batch_opened(Spool *spool, const Batch *batch, const Device *device,
                                             Waited *w)
{
    sem_init(&w->sem, 0, 0);
    SpoolBatch *handle = spool_batch_open(spool, batch, device, waited_done, w);
    assert_non_null(handle);
    sem_wait(&w->sem);
    return handle;
}

/* One page whose bytes are made from its number, in pieces. */
static inline void page_content(uint32_t number, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7 + number * 31 + i / 251);
}

static inline bool spool_page_noted(SpoolBatch *handle, uint32_t number, char side, size_t n,
                                    const PageNotes *notes, Waited *w)
{
    uint8_t *bytes = malloc(n + 1);

    page_content(number, bytes, n);
    spool_page_begin(handle, number, side, PAGE_FORMAT_JPEG);
    for (size_t at = 0; at < n; at += 50000)
        spool_page_bytes(handle, side, (Bytes){ bytes + at, n - at < 50000 ? n - at : 50000 });
    free(bytes);
    spool_page_end(handle, side, notes, waited_page, w);
    sem_wait(&w->sem);
    return w->ok;
}

static inline bool spool_page(SpoolBatch *handle, uint32_t number, char side, size_t n, Waited *w)
{
    return spool_page_noted(handle, number, side, n, &(PageNotes){ .scan_dpi = 300 }, w);
}

static inline void spool_batch_closed(SpoolBatch *handle, Waited *w)
{
    spool_batch_close(handle, waited_closed, w);
    sem_wait(&w->sem);
    sem_destroy(&w->sem);
}

#endif
