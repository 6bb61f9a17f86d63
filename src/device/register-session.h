/* device/register-session.h - answers the registration requests of devices (UDP 2968, SLP). Sans-IO.
 *
 * A device sends each request three times and listens for a minute. Each new request (source and
 * XID) is answered three times, and its copies are not answered again until two seconds after that:
 *
 *            REQUEST              DUE (twice)
 *     FREE ----------> ANSWERING ------------+       LAST             DUE
 *      ^                   ^                 |  ---------> QUIET ------------> FREE
 *      |                   +-----------------+              (copies are ignored)
 *
 * HIDDEN leads from ANSWERING to QUIET without an answer.
 *
 * The first answer waits REGISTER_FIRST_MS, so that the host has time to look up what this device is
 * to see; it is asked then, once for the three answers.
 *
 * A table of fixed size holds what was asked; when it is full the oldest QUIET entry goes, and while
 * all are ANSWERING requests are dropped. One source may fill only a few entries, so that a flood
 * from one address keeps nobody else's name off a panel. */
#ifndef PLATEN_DEVICE_REGISTER_SESSION_H
#define PLATEN_DEVICE_REGISTER_SESSION_H

#include "base/bytes.h"
#include "base/time.h"
#include "net/address.h"
#include "wire/slp.h"

typedef enum RegisterState {
    REGISTER_FREE,
    REGISTER_ANSWERING,
    REGISTER_QUIET,
    REGISTER_STATE_MAX_
} RegisterState;

typedef enum RegisterEvent {
    REGISTER_EVENT_REQUEST, /* the device asks           */
    REGISTER_EVENT_DUE,     /* the entry's time has come */
    REGISTER_EVENT_LAST,    /* the same, and only one answer is left */
    REGISTER_EVENT_HIDDEN,  /* the host shows this device nothing */
    REGISTER_EVENT_MAX_
} RegisterEvent;

typedef enum RegisterDo { REGISTER_DO_NOTHING, REGISTER_DO_BEGIN, REGISTER_DO_SEND } RegisterDo;

typedef struct RegisterRule {
    RegisterState next;
    RegisterDo action;
} RegisterRule;

extern const RegisterRule register_rules[REGISTER_STATE_MAX_][REGISTER_EVENT_MAX_];

enum {
    REGISTER_ENTRIES_MAX = 512,
    REGISTER_PER_SOURCE_MAX = 16, /* entries of one address: so many are answered in a second */
    REGISTER_ANSWERS = 3,         /* what Epson's agent sends                         */
    REGISTER_FIRST_MS = 100,
    REGISTER_GAP_MS = 500,
    REGISTER_QUIET_MS =
        2000, /* copies come within a second; one that is switched on anew asks with the same XID */
    REGISTER_PRODUCT_SIZE = 64,
};

/* Which device asks. */
typedef struct RegisterAsk {
    NetAddress from;
    char product[REGISTER_PRODUCT_SIZE]; /* "PID 11D1", ASCII; "" unknown              */
    bool wants_v3;                       /* by slp_request_wants_v3                    */
} RegisterAsk;

/* What it is to see: slp_name_is_plain must hold. */
typedef struct RegisterShown {
    char name[SLP_NAME_SIZE];
    bool is_v3;
} RegisterShown;

/* Fills what the device is to see; false: nothing, it gets no answer. */
typedef bool RegisterShowFn(void *arg, const RegisterAsk *ask, RegisterShown *ret_shown);

typedef struct RegisterEntry {
    RegisterState state;
    RegisterAsk ask;
    RegisterShown shown; /* filled at the first answer */
    uint32_t interface_index;
    uint16_t xid;
    uint8_t answers_left;
    char language[SLP_LANGUAGE_MAX + 1];
    char local[SLP_ADDRESS_SIZE]; /* what the device is told to connect to */
    Mono due_at;
} RegisterEntry;

typedef struct RegisterSession {
    uint16_t event_port;
    RegisterShowFn *show;
    void *show_arg;
    RegisterEntry entries[REGISTER_ENTRIES_MAX];
} RegisterSession;

typedef struct RegisterRequest {
    Bytes datagram;
    NetAddress from;
    uint32_t interface_index;
    const char *local; /* our IPv4 address towards from, "192.168.1.5" */
} RegisterRequest;

typedef struct RegisterAnswer {
    NetAddress to;
    uint32_t interface_index;
} RegisterAnswer;

/* show is called inside register_session_next. */
void register_session_init(RegisterSession *s, uint16_t event_port, RegisterShowFn *show,
                           void *show_arg);

/* True when the datagram is a request for agents of our kind. Cheap: a flood stops here, before the
 * kernel is asked for the local address. */
bool register_session_is_request(Bytes datagram);

/* Takes a request. True when it is new: the host will be asked what the device is to see. */
bool register_session_feed(RegisterSession *s, const RegisterRequest *request, Mono now,
                           RegisterAsk *ret_ask);

/* The next answer that is due, appended to an empty Buf of SLP_DATAGRAM_MAX. False: none is. */
bool register_session_next(RegisterSession *s, Mono now, RegisterAnswer *ret_answer, Buf *to);

/* When register_session_next has something to do. */
Mono register_session_deadline(const RegisterSession *s);

#endif
