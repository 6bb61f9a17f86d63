/* scan/trace-write.h - the file of a running trace: lines are handed to the spool thread, which writes them in their
 * order. Inside of scan/trace.c.
 *
 * The file is closed when the last piece is written and its trace has let go of it. */
#ifndef PLATEN_SCAN_TRACE_WRITE_H
#define PLATEN_SCAN_TRACE_WRITE_H

#include "base/bytes.h"
#include "store/spool.h"

typedef struct TraceWriter TraceWriter;

enum { TRACE_UNWRITTEN_MAX = 16 * 1024 * 1024 }; /* a disk that is slower has lost the trace */

/* NULL without memory; the descriptor is then closed as well. */
TraceWriter *trace_writer_new(Spool *spool, int fd_take);
void trace_writer_close(TraceWriter *writer_take); /* accepts NULL */

/* Copies the bytes. False: the disk failed, is too slow, or there is no memory. Nothing can be written after that. */
bool trace_writer_put(TraceWriter *writer, Bytes bytes);

/* Everything that was put is on disk: called once, on the spool thread, behind the last piece. */
typedef void TraceWrittenFn(void *arg, bool ok);

/* Nothing is put any more. The writer is still to be closed. False without memory: written is not called, and the pieces
 * are written without a promise. */
bool trace_writer_finish(TraceWriter *writer, TraceWrittenFn *written, void *arg);

#endif
