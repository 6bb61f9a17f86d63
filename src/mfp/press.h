/* mfp/press.h - "Start": the device tells the chosen server that a scan waits (TCP 2968).
 *
 * One connection, one request, one answer. The server then connects to our scan port by itself; that
 * is not seen here. Loop thread only. */
#ifndef PLATEN_MFP_PRESS_H
#define PLATEN_MFP_PRESS_H

#include "net/tcp.h"
#include "wire/pushscan.h"

enum { PRESS_PATIENCE_MS = 20000 }; /* from Start to the answer: what a person waits for */

typedef struct Press Press;

/* The server's answer. response: it said OK, and will fetch the pages or tells the jobs. NULL: err says why not: ERR_DENIED (it answered
 * ERROR), ERR_TEMPORARY (not reached, no answer in time), ERR_BAD_INPUT (no such answer, or it
 * echoed another x-uid). Called once, not inside press_start; may free the press. */
typedef void PressDoneFn(void *arg, const PushScanResponse *response, const Err *err);

/* Presses. local: the device's own address, which the server sees as the peer. uid: counts the
 * presses since power-on, from 1. version: of the protocol, "2.00" or "3.00". NULL when connecting fails at once; done is then not called. */
Press *press_start(Loop *loop, const NetAddress *local, const NetAddress *server,
                   const PushScanBody *body, const char *version, uint32_t uid, PressDoneFn *done,
                   void *arg, Err *err);

/* Ends it; done is not called any more. Accepts NULL. */
void press_free(Press *press);
DEFINE_AUTO(Press, press_free);

#endif
