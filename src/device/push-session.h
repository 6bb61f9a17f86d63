/* device/push-session.h - one connection of a panel on TCP 2968, the server's side. Sans-IO.
 *
 *            HEAD         START, LIST         ACCEPT: answer OK
 *     HEAD --------> BODY ---------> ASKED ------------------------> DONE
 *       |              |               |     REFUSE, LATE, GARBAGE: answer ERROR
 *       |              +- END: answer OK, nobody has to be asked
 *       |              +- UNFIT (nothing we understand), LATE: answer ERROR
 *       +- UNFIT: answer ERROR;  MALFORMED, EOF: answer 400 of HTTP;  LATE: close
 *     LOST anywhere: close
 *
 * The request must be whole within ten seconds of the connection; the host's answer has a time of its own. A
 * device that has shut its side after the request still reads our answer, so EOF is an event only
 * before the request is whole, and PUSH_HALF_CLOSE_MS after it: who shuts his side so late was waiting for the
 * answer, and has hung up (LOST). Choice: no device was seen to do either. */
#ifndef PLATEN_DEVICE_PUSH_SESSION_H
#define PLATEN_DEVICE_PUSH_SESSION_H

#include "base/bytes.h"
#include "base/time.h"
#include "wire/pushscan.h"

typedef enum PushState { PUSH_HEAD, PUSH_BODY, PUSH_ASKED, PUSH_DONE, PUSH_STATE_MAX_ } PushState;

typedef enum PushEvent {
    PUSH_EVENT_HEAD,      /* the headers are whole and fit                    */
    PUSH_EVENT_MALFORMED, /* this is no push-scan request at all              */
    PUSH_EVENT_UNFIT,     /* a request, but too long, without body or unknown */
    PUSH_EVENT_START,     /* the body says: start                             */
    PUSH_EVENT_LIST,      /* it asks for the jobs                             */
    PUSH_EVENT_END,       /* the device says that it is done                  */
    PUSH_EVENT_ACCEPT,    /* the host accepts                                 */
    PUSH_EVENT_REFUSE,    /* the host refuses                                 */
    PUSH_EVENT_GARBAGE,   /* bytes behind the request                         */
    PUSH_EVENT_EOF,       /* the device sends no more                         */
    PUSH_EVENT_LATE,
    PUSH_EVENT_LOST,
    PUSH_EVENT_MAX_
} PushEvent;

typedef enum PushDo {
    PUSH_DO_CLOSE, /* 0, also of every missing rule: close without an answer */
    PUSH_DO_NOTHING,
    PUSH_DO_ASK,
    PUSH_DO_ANSWER_OK,
    PUSH_DO_ANSWER_ERROR,
    PUSH_DO_ANSWER_BAD, /* whoever this is speaks HTTP at most: its words for "no such request" */
} PushDo;

typedef struct PushRule {
    PushState next;
    PushDo action;
    bool allowed;
} PushRule;

extern const PushRule push_rules[PUSH_STATE_MAX_][PUSH_EVENT_MAX_];
extern const int64_t push_patience_ms[PUSH_STATE_MAX_];

enum { PUSH_HALF_CLOSE_MS = 500 };

/* What the driver has to do, after each call. */
typedef struct PushSession {
    PushState state;
    Buf in, out;
    PushScanHead head;
    PushScanBody body; /* when asked */
    Mono late_at;
    Mono half_closed_by; /* of ASKED: an EOF from then on is no half-close */
    bool ask;            /* the driver asks the host and clears this                              */
    bool close;          /* the driver sends out (may be empty) and closes                        */
    bool ok;             /* the answer in out is OK                                               */
} PushSession;

void push_session_init(PushSession *s, Mono now); /* done with push_session_done */
void push_session_done(PushSession *s);

/* Bytes came; the end of the device's side; the connection is gone. */
void push_session_feed(PushSession *s, Bytes in, Mono now);
void push_session_eof(PushSession *s, Mono now);
void push_session_lost(PushSession *s);

/* The host's answer; ignored when it comes too late. list: what the acceptance of a LIST tells, else
 * NULL. */
void push_session_answer(PushSession *s, bool accept, const PushScanList *list);

/* To be called when the deadline is reached. */
void push_session_tick(PushSession *s, Mono now);
Mono push_session_deadline(const PushSession *s);

#endif
