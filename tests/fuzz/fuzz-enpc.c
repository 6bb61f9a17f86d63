/* tests/fuzz/fuzz-enpc.c - any datagram as query and as answer. Properties: what was read is written back as
 * an answer that reads the same again; no datagram is both, so devices never answer each other. */
#include "base/text.h"
#include "wire/enpc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_answer(const EnpcAnswer *answer)
{
    AUTO_BUF out = buf_with_max(ENPC_DATAGRAM_MAX);
    EnpcAnswer again;
    EnpcQuery query;

    if (!enpc_answer_encode(&out, answer) ||
        enpc_answer_decode(buf_bytes(&out), &again) != WIRE_OK || again.class != answer->class ||
        memcmp(again.echo, answer->echo, sizeof again.echo) != 0 ||
        memcmp(again.mac, answer->mac, sizeof again.mac) != 0 ||
        !text_equal(again.name, answer->name) ||
        enpc_query_decode(buf_bytes(&out), &query) == WIRE_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes in = { data, size };
    EnpcAnswer answer;
    EnpcQuery query;

    if (enpc_query_decode(in, &query) == WIRE_OK) {
        answer = (EnpcAnswer){ .class = query.class };
        memcpy(answer.echo, query.echo, sizeof answer.echo);
        try_answer(&answer);
    }
    if (enpc_answer_decode(in, &answer) == WIRE_OK)
        try_answer(&answer);
    return 0;
}
