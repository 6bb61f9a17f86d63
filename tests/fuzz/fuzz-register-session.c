/* tests/fuzz/fuzz-register-session.c - rows of datagrams against the registration session.
 *
 * The input is cut into datagrams: one byte of source, one byte of length (times eight), the rest.
 * Properties: three answers for each new request, each one readable; no more than a source's share. */
#include "device/register-session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 2, LENGTH_STEP = 8, STEP_MS = 100 };

static size_t take_answers(RegisterSession *s, Mono now)
{
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);
    RegisterAnswer answer;
    SlpReply reply;
    SlpEntry entry;
    size_t n = 0;

    while (register_session_next(s, now, &answer, &out)) {
        if (slp_reply_decode(buf_bytes(&out), &reply) != WIRE_OK ||
            slp_entry_decode(reply.attributes, &entry) != WIRE_OK)
            abort();
        buf_clear(&out);
        n++;
    }
    return n;
}

static bool show(void *arg, const RegisterAsk *ask, RegisterShown *ret_shown)
{
    (void)arg;
    *ret_shown = (RegisterShown){ .name = "Scans", .is_v3 = ask->wants_v3 };
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RegisterSession *s = malloc(sizeof *s);
    Bytes in = { data, size };
    size_t fresh = 0, answers = 0;
    Mono now = { 0 };

    if (!s)
        abort();
    register_session_init(s, 2968, show, NULL);
    while (in.n > HEAD) {
        RegisterAsk ask;
        NetAddress from = { .family = NET_IPV4, .bytes = { 10, 0, 0, in.p[0] }, .port = 2968 };
        size_t n = (size_t)in.p[1] * LENGTH_STEP;

        in = bytes_after(in, HEAD);
        n = n < in.n ? n : in.n;
        RegisterRequest request = { { in.p, n }, from, 0, "10.0.0.99" };
        fresh += register_session_feed(s, &request, now, &ask);
        answers += take_answers(s, now);
        in = bytes_after(in, n);
        now = mono_after(now, STEP_MS);
    }
    for (int i = 0; i <= REGISTER_ANSWERS; i++) {
        now = mono_after(now, REGISTER_GAP_MS);
        answers += take_answers(s, now);
    }
    if (answers != fresh * REGISTER_ANSWERS || register_session_deadline(s).ms != MONO_NEVER.ms)
        abort();
    free(s);
    return 0;
}
