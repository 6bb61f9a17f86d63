/* tests/fuzz/fuzz-pushscan.c - any bytes as head, body and response. Properties: a head that is whole
 * is not longer than the input and reads the same without what follows; each shorter input wants more
 * or is broken; texts are UTF-8 without control characters; a body that was read is written and reads
 * the same. */
#include "base/text.h"
#include "wire/pushscan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    if (!text_is_utf8(bytes_of_text(text)) || text_has_control(text))
        abort();
}

/* Two jobs with names that must be escaped come back as they were. */
static void try_answer(const PushScanBody *body)
{
    static const PushScanJob jobs[] = { { 0, "<&>\"'" }, { 65535, "B\xc3\xbcro" } };
    AUTO_BUF out = buf_with_max(PUSHSCAN_MESSAGE_MAX);
    PushScanList list = { body, true, jobs, 2 };
    PushScanResponse read;
    size_t used;

    if (!pushscan_response_encode(&out, "1", "3.00", true, &list) ||
        pushscan_response_decode(buf_bytes(&out), &read, &used) != WIRE_OK || used != out.n ||
        !read.ok || read.has_jobs != pushscan_offers(body, PUSHSCAN_JOB_NAMES) ||
        read.job_count != (read.has_jobs ? 2u : 0u))
        abort();
    for (size_t i = 0; i < read.job_count; i++)
        if (read.jobs[i].number != jobs[i].number || !text_equal(read.jobs[i].name, jobs[i].name))
            abort();
}

static void try_body(Bytes in)
{
    AUTO_BUF out = buf_with_max(PUSHSCAN_MESSAGE_MAX);
    PushScanBody body, again;
    PushScanHead head;

    if (pushscan_body_decode(in, &body) != WIRE_OK)
        return;
    check_text(body.product);
    check_text(body.choice);
    for (size_t i = 0; i < body.capability_count; i++)
        check_text(body.capabilities[i]);
    if (body.root == PUSHSCAN_ROOT_UNKNOWN)
        return;
    try_answer(&body);
    if (!pushscan_request_encode(&out, "1", "2.00", &body) ||
        pushscan_head_decode(buf_bytes(&out), &head) != WIRE_OK ||
        head.size + head.content_length != out.n ||
        pushscan_body_decode(bytes_after(buf_bytes(&out), head.size), &again) != WIRE_OK ||
        !text_equal(again.product, body.product) || !text_equal(again.choice, body.choice) ||
        !text_equal(again.address, body.address) || again.root != body.root ||
        again.job_number != body.job_number)
        abort();
}

static void try_head(Bytes in)
{
    PushScanHead head, again;

    if (pushscan_head_decode(in, &head) != WIRE_OK)
        return;
    check_text(head.uid);
    check_text(head.version);
    if (head.size == 0 || head.size > in.n || head.size > PUSHSCAN_HEAD_MAX ||
        pushscan_head_decode((Bytes){ in.p, head.size }, &again) != WIRE_OK ||
        pushscan_head_decode((Bytes){ in.p, head.size - 1 }, &again) != WIRE_NEED_MORE)
        abort();
    try_body(bytes_after(in, head.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes in = { data, size };
    PushScanResponse response;
    size_t used;

    try_head(in);
    try_body(in);
    if (pushscan_response_decode(in, &response, &used) == WIRE_OK && (used == 0 || used > size))
        abort();
    return 0;
}
