/* tests/fuzz/fuzz-push-session.c - any panel against the push session.
 *
 * The first byte chooses the size of segments and the host's answer. Properties: it asks at most once
 * and before it closes; the answer is a whole response that says what the host said (ScanEnd is not
 * asked about), or 400 of HTTP to what is no request; it ends at the latest when its time is over. */
#include "device/push-session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ACCEPTS = 1, SEGMENT_BITS = 4, RESPONSE_BYTES_MAX = 1024 };

/* What was no request is told so, word for word, and nobody was asked about it. */
static bool is_bad_request(const PushSession *s)
{
    AUTO_BUF words = buf_with_max(RESPONSE_BYTES_MAX);

    return pushscan_bad_request_encode(&words) &&
           bytes_equal(buf_bytes(&s->out), buf_bytes(&words));
}

static void check_answer(const PushSession *s, bool asked, bool accepted)
{
    PushScanResponse response;
    size_t used;

    if (s->ok && !accepted && s->body.root != PUSHSCAN_ROOT_SCAN_END)
        abort();
    if (s->out.n == 0 || (!asked && !s->ok && is_bad_request(s)))
        return;
    if (pushscan_response_decode(buf_bytes(&s->out), &response, &used) != WIRE_OK ||
        used != s->out.n || response.ok != s->ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Mono now = { 0 };
    PushSession s;
    bool accepted = false, asked = false;

    if (size == 0)
        return 0;
    size_t segment = (size_t)1 << (data[0] >> SEGMENT_BITS);
    push_session_init(&s, now);
    for (size_t at = 1; at < size && !s.close; at += segment) {
        push_session_feed(&s, (Bytes){ data + at, size - at < segment ? size - at : segment }, now);
        if (s.ask && asked)
            abort();
        asked = asked || s.ask;
        if (s.ask && (data[0] & ACCEPTS)) {
            accepted = true;
            push_session_answer(&s, true, NULL);
        }
        s.ask = false;
    }
    if (!s.close) {
        push_session_eof(&s, now);
        now = push_session_deadline(&s);
        push_session_tick(&s, now);
    }
    if (!s.close)
        abort();
    check_answer(&s, asked, accepted);
    push_session_done(&s);
    return 0;
}
