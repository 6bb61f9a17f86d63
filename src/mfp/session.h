/* mfp/session.h - one client's connection on TCP 1865, device side, without a socket.
 *
 * The session speaks IS: it says welcome, gives and takes the lock, unpacks passthru commands for
 * mfp/scanner.h and packs their replies. Bytes and time go in, actions come out; the driver executes
 * them in order. The same session runs in the program, in unit tests and in the fuzzer. What it does
 * with malformed input:
 *
 *   no "IS", wrong offset, more than 1 MiB                    close
 *   unknown packet, command before the lock or while another  event a0 (rejected), close
 *   client has it, command that is no command
 *   silence longer than the lock's time, or 30 s without one  event 80 (time-out), close
 *
 * A client is never told anything it did not ask for but these two events. */
#ifndef PLATEN_MFP_SESSION_H
#define PLATEN_MFP_SESSION_H

#include "base/time.h"
#include "mfp/scanner.h"
#include "wire/is.h"

enum {
    MFP_UNLOCKED_MS = 30000, /* silence allowed before the lock and after the unlock    */
    MFP_LOCK_SECONDS = 300,  /* when the client names no time                           */
    MFP_LOCK_SECONDS_MAX = 3600,
    MFP_FEED_BYTES_MAX = 128 * 1024, /* most bytes of one mfp_session_feed                 */
    MFP_PARAMETERS_MAX = 64 * 1024,  /* an announced block beyond this is no block         */
};

typedef struct MfpAction {
    enum {
        MFP_SEND,  /* bytes: valid until the next call on this session                      */
        MFP_NOTE,  /* note: for the panel                                                   */
        MFP_CLOSE, /* send what is queued and close; there are no more actions              */
    } kind;
    Bytes bytes;
    ScanNote note;
} MfpAction;

typedef struct MfpSession MfpSession;

/* A client has connected. unit is borrowed. NULL with ERR_TEMPORARY when memory is gone. */
MfpSession *mfp_session_new(MfpUnit *unit, Mono now, Err *err);

/* Frees and gives the lock back. Accepts NULL. */
void mfp_session_free(MfpSession *session);
DEFINE_AUTO(MfpSession, mfp_session_free);

/* Bytes arrived; at most MFP_FEED_BYTES_MAX, and only when mfp_session_next has answered false since
 * the last feed, so that a client that sends but does not read cannot fill memory. */
void mfp_session_feed(MfpSession *session, Bytes bytes, Mono now);

/* The deadline is reached. Does nothing when it is not. */
void mfp_session_tick(MfpSession *session, Mono now);

/* The connection has ended; only notes follow. */
void mfp_session_lost(MfpSession *session);

/* The next thing to do. False: nothing until the next feed, tick or loss. */
bool mfp_session_next(MfpSession *session, MfpAction *ret_action);

/* When mfp_session_tick is due. */
Mono mfp_session_deadline(const MfpSession *session);

#endif
