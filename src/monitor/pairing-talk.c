/* monitor/pairing-talk.c - see pairing-talk.h. */
#include "monitor/pairing-talk.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "monitor/pairing.h"
#include "monitor/place.h"
#include "monitor/snmp1.h"

#include <errno.h>
#include <poll.h>

/* The host the device is paired with, an octet string; seen at FF-680W and DS-575W. */
static const Snmp1Object paired_host = { { 1, 3, 6, 1, 4, 1, 1248, 1, 1, 3, 1, 10, 2, 5, 0 }, 15 };

static Snmp1Peer peer_of(const PairingTalk *talk)
{
    return (Snmp1Peer){ talk->address, talk->snmp_port, talk->community, talk->stop };
}

/* Is anybody at the device's address? Its scan port takes a connection, or at least refuses it. */
static bool is_there(const PairingTalk *talk)
{
    Place place;
    int error = 0;

    if (!place_of(talk->address, talk->scan_port, &place))
        return false;
    AUTO_FD fd = socket(place.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    if (connect(fd, &place.at.any, place.size) == 0)
        return true;
    if (errno != EINPROGRESS)
        return errno == ECONNREFUSED;
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    if (poll(&wait, 1, PAIRER_KNOCK_MS) != 1 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof error }) != 0)
        return false;
    return error == 0 || error == ECONNREFUSED;
}

static PairingProblem device_failed(PairingTalk *talk, const char *what, int status)
{
    (void)text_printf(talk->detail, sizeof talk->detail, status ? "%s, SNMP error %d" : "%s", what,
                      status);
    return PAIRING_DEVICE_FAILED;
}

/* What an answer that brought no text means; the error-status is the caller's to judge. */
static PairingProblem judge(PairingTalk *talk, const Snmp1Answer *answer)
{
    switch (answer->said) {
    case SNMP1_TEXT:
        return PAIRING_OK;
    case SNMP1_OTHER:
        (void)text_copy(talk->detail, sizeof talk->detail, answer->type);
        return PAIRING_WRONG_TYPE;
    case SNMP1_STRANGE:
        return device_failed(talk, "the answer is about something else", 0);
    case SNMP1_SILENCE:
        return is_there(talk) ? PAIRING_SNMP_SILENT : PAIRING_NO_ANSWER;
    default:
        return PAIRING_NOT_SENT;
    }
}

PairingProblem pairing_talk_read(PairingTalk *talk)
{
    Snmp1Peer peer = peer_of(talk);
    Snmp1Answer answer = snmp1_get(&peer, &paired_host);

    talk->detail[0] = '\0';
    if (answer.said == SNMP1_ERROR)
        return answer.status == SNMP1_NO_SUCH_NAME
                   ? PAIRING_NOT_PAIRABLE
                   : device_failed(talk, "reading failed", answer.status);
    if (answer.said == SNMP1_TEXT)
        talk->found_clean = pairing_name_read((Bytes){ answer.value, answer.n }, talk->found) &&
                            !answer.cut;
    return judge(talk, &answer);
}

/* What the agent's refusal of a SET means. That the object is there is known: it was read. */
static PairingProblem refusal(PairingTalk *talk, int status)
{
    switch (status) {
    case SNMP1_NO_SUCH_NAME: /* version 1 says so of an object that may not be written */
    case SNMP1_READ_ONLY:
        return PAIRING_WRITE_REFUSED;
    case SNMP1_BAD_VALUE:
    case SNMP1_TOO_BIG:
        return PAIRING_VALUE_REFUSED;
    default:
        return device_failed(talk, "writing failed", status);
    }
}

PairingProblem pairing_talk_write(PairingTalk *talk, const char *name)
{
    Snmp1Peer peer = peer_of(talk);
    Snmp1Answer answer = snmp1_set(&peer, &paired_host, bytes_of_text(name));
    /* Silence can be a lost answer, or an agent that says nothing to a community that may not write. */
    bool silent = answer.said == SNMP1_SILENCE;

    talk->detail[0] = '\0';
    if (answer.said == SNMP1_ERROR)
        return refusal(talk, answer.status);
    if (answer.said != SNMP1_TEXT && !silent)
        return judge(talk, &answer);
    PairingProblem problem = pairing_talk_read(talk);
    if (problem != PAIRING_OK || text_equal(talk->found, name))
        return problem;
    (void)text_printf(talk->detail, sizeof talk->detail, "\"%s\"", talk->found);
    return silent ? PAIRING_WRITE_REFUSED : PAIRING_NOT_KEPT;
}
