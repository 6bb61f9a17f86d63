/* tests/fuzz/fuzz-job-session.c - any device against job control.
 *
 * The first byte chooses the command and the size of segments. Properties: it says only lock, the
 * captured command and unlock, in this order; it ends at the latest when its time is over, and says why
 * when without success. */
#include "device/job-session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT_BITS = 4, SAID_MAX = 16, TICKS_MAX = 64 };

/* Takes what was said; false when it is out of order. */
static void take_said(JobSession *s, int *last)
{
    Bytes said = buf_bytes(&s->out);

    while (said.n > 0) {
        IsHeader header;
        Bytes payload;
        size_t used;

        if (is_packet_decode(said, IS_PAYLOAD_FROM_HOST_MAX, &header, &payload, &used) != WIRE_OK)
            abort();
        int rank = header.type == IS_LOCK ? 1 : header.type == IS_JOB_CONTROL ? 2 : 3;
        if ((rank == 3 && header.type != IS_UNLOCK) || rank < *last || (rank == *last && rank != 1))
            abort();
        *last = rank;
        said = bytes_after(said, used);
    }
    buf_clear(&s->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Mono now = { 0 };
    JobSession s;
    int last = 0;

    if (size == 0)
        return 0;
    size_t segment = (size_t)1 << (data[0] >> SEGMENT_BITS);
    job_session_init(&s, data[0] & 1 ? IS_JOB_READ : IS_JOB_WRITE, now);
    for (size_t at = 1; at < size && !s.close; at += segment) {
        job_session_feed(&s, (Bytes){ data + at, size - at < segment ? size - at : segment }, now);
        take_said(&s, &last);
        if (!s.close && s.state == JOB_PAUSING) {
            now = job_session_deadline(&s);
            job_session_tick(&s, now);
            take_said(&s, &last);
        }
    }
    for (int i = 0; i < TICKS_MAX && !s.close; i++) {
        now = job_session_deadline(&s);
        job_session_tick(&s, now);
        take_said(&s, &last);
    }
    if (!s.close || now.ms > JOB_SESSION_MS + JOB_UNLOCK_MS || s.ok == (s.reason.code[0] != '\0'))
        abort();
    job_session_done(&s);
    return 0;
}
