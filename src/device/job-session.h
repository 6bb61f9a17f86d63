/* device/job-session.h - job control of a version 3 device on its TCP 1865, the server's side. Sans-IO.
 *
 * Such a device asks for the jobs (JobList) and, before its answer, takes a list by IS 2300 "JOBW"; when
 * a job was chosen (PushScan with JobNumberIn) it is asked which by "JOBR". Both are a session of their
 * own. Captured from Epson's software at FF-680W and DS-575W:
 *
 *               WELCOME             ACK             REPLY               UNLOCKED
 *     WELCOME ----------> LOCKING -------> ASKING ---------> UNLOCKING ----------> DONE
 *                          |   ^ AGAIN       |                   ^
 *                      NAK v   |             +--- BAD, LATE -----+   (from LOCKING too, when LATE)
 *                         PAUSING
 *
 * A lock that was asked for is always given back, because the device refuses the next one until its
 * time is over. NOTICE is an event that only informs. Everything but UNLOCKING has to be over within
 * JOB_SESSION_MS, as the panel waits for our answer meanwhile. */
#ifndef PLATEN_DEVICE_JOB_SESSION_H
#define PLATEN_DEVICE_JOB_SESSION_H

#include "base/bytes.h"
#include "base/time.h"
#include "model/batch.h"
#include "wire/is.h"

typedef enum JobState {
    JOB_DONE, /* 0, also of every missing rule */
    JOB_WELCOME,
    JOB_LOCKING,
    JOB_PAUSING,
    JOB_ASKING,
    JOB_UNLOCKING,
    JOB_STATE_MAX_
} JobState;

typedef enum JobEvent {
    JOB_EVENT_WELCOME,
    JOB_EVENT_ACK,
    JOB_EVENT_NAK,
    JOB_EVENT_REPLY, /* to what was asked                  */
    JOB_EVENT_UNLOCKED,
    JOB_EVENT_NOTICE,
    JOB_EVENT_BAD,     /* an unknown packet, a wrong reply   */
    JOB_EVENT_AGAIN,   /* the pause is over                  */
    JOB_EVENT_LATE,    /* the time is over                   */
    JOB_EVENT_GOES,    /* an event that says the device goes */
    JOB_EVENT_GARBAGE, /* no packet at all                   */
    JOB_EVENT_LOST,
    JOB_EVENT_MAX_
} JobEvent;

typedef enum JobDo {
    JOB_DO_CLOSE, /* 0, also of every missing rule */
    JOB_DO_NOTHING,
    JOB_DO_LOCK,
    JOB_DO_PAUSE,
    JOB_DO_ASK,
    JOB_DO_UNLOCK
} JobDo;

typedef struct JobRule {
    JobState next;
    JobDo action;
} JobRule;

extern const JobRule job_rules[JOB_STATE_MAX_][JOB_EVENT_MAX_];

enum {
    JOB_SESSION_MS = 6000, /* the panel waits about ten seconds, the push session eight */
    JOB_UNLOCK_MS = 1000,
    JOB_PAUSE_MS = 1000, /* the device is locked by somebody else: again after this  */
    JOB_LOCK_SECONDS = 30,
    JOB_REPLY_MAX = 1024,
};

/* What the driver has to do after each call: send out (and clear it), close when close is set. */
typedef struct JobSession {
    JobState state;
    IsJobCommand command;
    Buf in, out;
    Mono late_at, again_at;
    bool close;
    bool ok;       /* after the end: the device took part */
    Reason reason; /* else why not                        */
} JobSession;

/* Begins when the driver begins to connect. done with job_session_done. */
void job_session_init(JobSession *s, IsJobCommand command, Mono now);
void job_session_done(JobSession *s);

/* Bytes came; the stream is gone (code: "connect-failed", "connection-lost"); a deadline is reached. */
void job_session_feed(JobSession *s, Bytes in, Mono now);
void job_session_lost(JobSession *s, const char *code, Mono now);
void job_session_tick(JobSession *s, Mono now);
Mono job_session_deadline(const JobSession *s);

#endif
