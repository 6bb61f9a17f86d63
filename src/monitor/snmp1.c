/* monitor/snmp1.c - see snmp1.h. */
#include "monitor/snmp1.h"

#include "base/text.h"
#include "base/time.h"
#include "monitor/place.h"

/* net-snmp's headers want their configuration first. */
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/large_fd_set.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

enum { PEER_TEXT_SIZE = 96, USEC = 1000, SLACK_MS = 500 };

void snmp1_begin(void)
{
    /* It would write to standard error, between our lines. */
    (void)netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
}

/* --- an answer --------------------------------------------------------------------------------------- */

typedef struct Question {
    const oid *object;
    size_t object_length;
    bool done;
    Snmp1Answer answer;
} Question;

static const char *type_name(u_char type)
{
    static const struct {
        u_char type;
        const char *name;
    } names[] = {
        { ASN_INTEGER, "a number" },       { ASN_NULL, "nothing" },
        { ASN_OBJECT_ID, "an object id" }, { ASN_COUNTER, "a counter" },
        { ASN_GAUGE, "a gauge" },          { ASN_TIMETICKS, "a time" },
        { ASN_IPADDRESS, "an address" },   { ASN_OPAQUE, "opaque bytes" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].type == type)
            return names[i].name;
    return "an unknown type";
}

static void take_value(Question *q, const netsnmp_variable_list *v)
{
    if (!v || v->next_variable ||
        snmp_oid_compare(v->name, v->name_length, q->object, q->object_length) != 0) {
        q->answer.said = SNMP1_STRANGE;
        return;
    }
    if (v->type != ASN_OCTET_STR) {
        q->answer.said = SNMP1_OTHER;
        q->answer.type = type_name(v->type);
        return;
    }
    q->answer.said = SNMP1_TEXT;
    q->answer.cut = v->val_len > SNMP1_VALUE_MAX;
    q->answer.n = q->answer.cut ? SNMP1_VALUE_MAX : v->val_len;
    if (q->answer.n > 0)
        memcpy(q->answer.value, v->val.string, q->answer.n);
}

/* Called inside of snmp_sess_read2 and snmp_sess_timeout. */
static int on_event(int what, netsnmp_session *session, int request, netsnmp_pdu *pdu, void *arg)
{
    Question *q = arg;

    (void)session;
    (void)request;
    if (what == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu && pdu->command == SNMP_MSG_RESPONSE) {
        q->answer.status = (int)pdu->errstat;
        q->answer.said = SNMP1_ERROR;
        if (pdu->errstat == SNMP_ERR_NOERROR)
            take_value(q, pdu->variables);
        q->done = true;
    } else if (what == NETSNMP_CALLBACK_OP_TIMED_OUT) {
        q->answer.said = SNMP1_SILENCE;
        q->done = true;
    } else if (what == NETSNMP_CALLBACK_OP_SEND_FAILED || what == NETSNMP_CALLBACK_OP_DISCONNECT) {
        q->answer.said = SNMP1_NOT_SENT;
        q->done = true;
    }
    return 1;
}

/* --- waiting ------------------------------------------------------------------------------------------- */

/* Milliseconds until net-snmp wants to send again or give up, at most SNMP1_LOOK_MS. */
static int next_look_ms(void *handle, netsnmp_large_fd_set *set)
{
    struct timeval wait = { .tv_usec = SNMP1_LOOK_MS * USEC };
    int count = 0, block = 0;

    NETSNMP_LARGE_FD_ZERO(set);
    (void)snmp_sess_select_info2(handle, &count, set, &wait, &block);
    int64_t ms = (int64_t)wait.tv_sec * 1000 + (wait.tv_usec + USEC - 1) / USEC;
    return (int)(ms < SNMP1_LOOK_MS ? ms : SNMP1_LOOK_MS);
}

/* An error that the network told. */
static void take_error(int sock, Question *q)
{
    int error = 0;

    (void)getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof error });
    q->answer.said = SNMP1_SILENCE;
    q->done = true;
}

static void wait_answer(void *handle, const Snmp1Peer *peer, Question *q)
{
    Mono end = mono_after(mono_now(), SNMP1_TRIES * SNMP1_WAIT_MS + SLACK_MS);
    int sock = snmp_sess_transport(handle)->sock;
    netsnmp_large_fd_set set;

    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    while (!q->done) {
        struct pollfd fd = { .fd = sock, .events = POLLIN };

        if (peer->stop && atomic_load(peer->stop)) {
            q->answer.said = SNMP1_STOPPED;
            break;
        }
        if (mono_reached(mono_now(), end)) {
            q->answer.said = SNMP1_SILENCE;
            break;
        }
        /* net-snmp's set grows with the number of the descriptor, and we poll: 1024 is no limit. */
        int ready = poll(&fd, 1, next_look_ms(handle, &set));
        if (ready > 0 && (fd.revents & POLLERR)) {
            take_error(sock, q); /* the host has no agent, or a router knows no way to it */
        } else if (ready > 0) {
            NETSNMP_LARGE_FD_ZERO(&set);
            NETSNMP_LARGE_FD_SET(sock, &set);
            (void)snmp_sess_read2(handle, &set);
        } else {
            snmp_sess_timeout(handle);
        }
    }
    netsnmp_large_fd_set_cleanup(&set);
}

/* --- asking -------------------------------------------------------------------------------------------- */

static void *open_session(const Snmp1Peer *peer, Question *q)
{
    bool is_six = strchr(peer->address, ':') != NULL;
    netsnmp_session session;
    char text[PEER_TEXT_SIZE];

    if (!text_printf(text, sizeof text, "%s%s%s:%u", is_six ? "udp6:[" : "udp:", peer->address,
                     is_six ? "]" : "", (unsigned)peer->port))
        return NULL;
    snmp_sess_init(&session);
    session.version = SNMP_VERSION_1;
    session.peername = text;
    session.community = (u_char *)(uintptr_t)peer->community; /* only read, and copied */
    session.community_len = strlen(peer->community);
    session.timeout = (long)SNMP1_WAIT_MS * USEC;
    session.retries = SNMP1_TRIES - 1;
    session.callback = on_event;
    session.callback_magic = q;
    return snmp_sess_open(&session);
}

/* From now on the kernel gives us only what comes from the peer: net-snmp would take an answer from anybody. */
static bool hear_only(void *handle, const Snmp1Peer *peer)
{
    netsnmp_transport *transport = snmp_sess_transport(handle);
    Place place;

    return transport && fcntl(transport->sock, F_SETFD, FD_CLOEXEC) == 0 &&
           place_of(peer->address, peer->port, &place) &&
           connect(transport->sock, &place.at.any, place.size) == 0;
}

static bool add_variable(netsnmp_pdu *pdu, const Question *q, const Bytes *value)
{
    if (!value)
        return snmp_add_null_var(pdu, q->object, q->object_length) != NULL;
    return snmp_pdu_add_variable(pdu, q->object, q->object_length, ASN_OCTET_STR, value->p,
                                 value->n) != NULL;
}

static Snmp1Answer ask(const Snmp1Peer *peer, const Snmp1Object *object, const Bytes *value)
{
    oid name[SNMP1_OID_MAX];
    Question q = { .object = name,
                   .object_length = object->length,
                   .answer = { .said = SNMP1_NOT_SENT, .type = "" } };

    for (size_t i = 0; i < object->length; i++)
        name[i] = (oid)object->oid[i];
    void *handle = open_session(peer, &q);
    netsnmp_pdu *pdu = handle && hear_only(handle, peer)
                           ? snmp_pdu_create(value ? SNMP_MSG_SET : SNMP_MSG_GET)
                           : NULL;
    if (pdu && add_variable(pdu, &q, value) && snmp_sess_send(handle, pdu) != 0) {
        pdu = NULL; /* taken over */
        wait_answer(handle, peer, &q);
    }
    snmp_free_pdu(pdu);
    if (handle)
        (void)snmp_sess_close(handle);
    return q.answer;
}

Snmp1Answer snmp1_get(const Snmp1Peer *peer, const Snmp1Object *object)
{
    return ask(peer, object, NULL);
}

Snmp1Answer snmp1_set(const Snmp1Peer *peer, const Snmp1Object *object, Bytes value)
{
    return ask(peer, object, &value);
}
