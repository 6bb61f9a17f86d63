/* scan/trace-write.c - see trace-write.h. */
#include "scan/trace-write.h"

#include "base/file.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct TraceWriter {
    Spool *spool;
    int fd;
    atomic_uint users; /* the trace, and each piece on its way */
    atomic_size_t unwritten;
    atomic_bool failed;
    TraceWrittenFn *written;
    void *written_arg;
};

typedef struct Piece {
    TraceWriter *writer;
    size_t n;
    uint8_t bytes[];
} Piece;

static void let_go(TraceWriter *writer)
{
    if (atomic_fetch_sub(&writer->users, 1) > 1)
        return;
    close(writer->fd);
    free(writer);
}

TraceWriter *trace_writer_new(Spool *spool, int fd_take)
{
    TraceWriter *writer = calloc(1, sizeof *writer);

    if (!writer) {
        close(fd_take);
        return NULL;
    }
    writer->spool = spool;
    writer->fd = fd_take;
    writer->users = 1;
    return writer;
}

void trace_writer_close(TraceWriter *writer)
{
    if (writer)
        let_go(writer);
}

/* Spool thread. */
static void write_piece(void *arg)
{
    Piece *piece = arg;
    TraceWriter *writer = piece->writer;
    Err err;

    if (!writer->failed && !file_write_all(writer->fd, (Bytes){ piece->bytes, piece->n }, &err))
        writer->failed = true;
    atomic_fetch_sub(&writer->unwritten, piece->n);
    let_go(writer);
    free(piece);
}

bool trace_writer_put(TraceWriter *writer, Bytes bytes)
{
    if (writer->failed || writer->unwritten + bytes.n > TRACE_UNWRITTEN_MAX)
        return false;
    Piece *piece = malloc(sizeof *piece + bytes.n);
    if (!piece)
        return false;
    *piece = (Piece){ .writer = writer, .n = bytes.n };
    for (size_t i = 0; i < bytes.n; i++)
        piece->bytes[i] = bytes.p[i];
    atomic_fetch_add(&writer->users, 1);
    atomic_fetch_add(&writer->unwritten, bytes.n);
    if (spool_call(writer->spool, write_piece, piece))
        return true;
    atomic_fetch_sub(&writer->unwritten, piece->n);
    atomic_fetch_sub(&writer->users, 1);
    free(piece);
    return false;
}

/* Spool thread. */
static void finish_file(void *arg)
{
    TraceWriter *writer = arg;
    Err err;

    if (!writer->failed && !file_sync_data(writer->fd, &err))
        writer->failed = true;
    writer->written(writer->written_arg, !writer->failed);
    let_go(writer);
}

bool trace_writer_finish(TraceWriter *writer, TraceWrittenFn *written, void *arg)
{
    writer->written = written;
    writer->written_arg = arg;
    atomic_fetch_add(&writer->users, 1);
    if (spool_call(writer->spool, finish_file, writer))
        return true;
    atomic_fetch_sub(&writer->users, 1);
    return false;
}
