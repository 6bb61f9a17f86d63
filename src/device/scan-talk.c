/* device/scan-talk.c - the ESC/I-2 session behind the calls of device/scan-talk.h. */
#include "device/scan-talk.h"

static void talk_free(void *session)
{
    scan_session_free(session);
}

static size_t talk_feed(void *session, Bytes in, Mono now)
{
    return scan_session_feed(session, in, now);
}

static void talk_tick(void *session, Mono now)
{
    scan_session_tick(session, now);
}

static Mono talk_deadline(const void *session)
{
    return scan_session_deadline(session);
}

static void talk_lost(void *session, const char *code, Mono now)
{
    scan_session_lost(session, code, now);
}

static bool talk_next(void *session, ScanAction *ret_action)
{
    return scan_session_next(session, ret_action);
}

static void talk_page_stored(void *session, bool ok, const Reason *reason, Mono now)
{
    scan_session_page_stored(session, ok, reason, now);
}

static void talk_pause(void *session, Mono now)
{
    scan_session_pause(session, now);
}

static void talk_resume(void *session, Mono now)
{
    scan_session_resume(session, now);
}

static void talk_refuse(void *session, const Reason *reason, Mono now)
{
    scan_session_refuse(session, reason, now);
}

static void talk_cancel(void *session, Mono now)
{
    scan_session_cancel(session, now);
}

static void talk_stop_at_page(void *session, Mono now)
{
    scan_session_stop_at_page(session, now);
}

static void talk_no_more_sheets(void *session, Mono now)
{
    scan_session_no_more_sheets(session, now);
}

static void talk_leave(void *session, Mono now)
{
    scan_session_leave(session, now);
}

const ScanTalk scan_talk_esci2 = {
    .free = talk_free,
    .feed = talk_feed,
    .tick = talk_tick,
    .deadline = talk_deadline,
    .lost = talk_lost,
    .next = talk_next,
    .page_stored = talk_page_stored,
    .pause = talk_pause,
    .resume = talk_resume,
    .refuse = talk_refuse,
    .cancel = talk_cancel,
    .stop_at_page = talk_stop_at_page,
    .no_more_sheets = talk_no_more_sheets,
    .leave = talk_leave,
};
