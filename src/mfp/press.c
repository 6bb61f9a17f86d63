/* mfp/press.c - the push-scan request of mfp/press.h on a stream. */
#include "mfp/press.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

struct Press {
    TcpStream *stream;
    LoopTimer *patience;
    PressDoneFn *done;
    void *arg;
    char uid[PUSHSCAN_UID_SIZE];
    Buf request, response;
};

/* Tells the owner; the press may be gone afterwards. */
static void finish(Press *press, const PushScanResponse *response, const Err *err)
{
    tcp_close(STEAL(press->stream));
    loop_timer_stop(press->patience);
    press->done(press->arg, response, err);
}

/* Head and body leave in two segments, as real devices send them. */
static void on_connected(void *arg)
{
    Press *press = arg;
    Bytes request = buf_bytes(&press->request);
    PushScanHead head;
    Err err = { 0 };
    size_t cut = pushscan_head_decode(request, &head) == WIRE_OK ? head.size : request.n;

    if (!tcp_write(press->stream, (Bytes){ request.p, cut }, &err) ||
        !tcp_write(press->stream, bytes_after(request, cut), &err))
        finish(press, NULL, &err);
}

static void on_read(void *arg, Bytes bytes)
{
    Press *press = arg;
    PushScanResponse response;
    size_t used;
    Err err = { 0 };

    bool kept = buf_put(&press->response, bytes);
    WireResult result = pushscan_response_decode(buf_bytes(&press->response), &response, &used);

    if (kept && result == WIRE_NEED_MORE)
        return;
    if (!kept || result == WIRE_BROKEN)
        err_set(&err, ERR_BAD_INPUT, 0, "the server's answer is no push-scan response");
    else if (!text_equal(response.uid, press->uid))
        err_set(&err, ERR_BAD_INPUT, 0, "the server answered to x-uid \"%s\" instead of \"%s\"",
                response.uid, press->uid);
    else if (!response.ok)
        err_set(&err, ERR_DENIED, response.http_status, "the server refused: it answered ERROR");
    finish(press, err.kind == ERR_NONE ? &response : NULL, &err);
}

static void on_end(void *arg, TcpEnd end, const Err *err)
{
    Err eof = { 0 };

    if (end == TCP_END_EOF)
        err_set(&eof, ERR_BAD_INPUT, 0, "the server closed without an answer");
    finish(arg, NULL, end == TCP_END_EOF ? &eof : err);
}

static void on_late(void *arg)
{
    Err err;

    err_set(&err, ERR_TEMPORARY, ETIMEDOUT, "no answer from the server within %d s",
            PRESS_PATIENCE_MS / 1000);
    finish(arg, NULL, &err);
}

static const TcpEvents press_events = { .on_connected = on_connected,
                                        .on_read = on_read,
                                        .on_end = on_end };

Press *press_start(Loop *loop, const NetAddress *local, const NetAddress *server,
                   const PushScanBody *body, const char *version, uint32_t uid, PressDoneFn *done,
                   void *arg, Err *err)
{
    AUTO(Press) press = calloc(1, sizeof *press);
    Mono deadline = mono_after(mono_now(), PRESS_PATIENCE_MS);

    if (!press) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a press");
        return NULL;
    }
    press->done = done;
    press->arg = arg;
    press->request = buf_with_max(PUSHSCAN_MESSAGE_MAX);
    press->response = buf_with_max(PUSHSCAN_MESSAGE_MAX);
    (void)text_printf(press->uid, sizeof press->uid, "%u", uid);
    if (!pushscan_request_encode(&press->request, press->uid, version, body)) {
        err_set(err, ERR_BUG, 0, "the push-scan request cannot be written");
        return NULL;
    }
    press->patience = loop_timer_new(loop, on_late, press, err);
    if (!press->patience)
        return NULL;
    press->stream = tcp_connect(loop, server, local, deadline, PUSHSCAN_MESSAGE_MAX, &press_events,
                                press, err);
    if (!press->stream)
        return NULL;
    loop_timer_start(press->patience, deadline);
    return STEAL(press);
}

void press_free(Press *press)
{
    if (!press)
        return;
    tcp_abort(press->stream);
    loop_timer_free(press->patience);
    buf_done(&press->request);
    buf_done(&press->response);
    free(press);
}
