/* mfp/session.c - IS packets, the lock and time for mfp/session.h. */
#include "mfp/session.h"

#include "mfp/esci-scanner.h"
#include "mfp/scanner-image.h"
#include "wire/esci2.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum {
    INPUT_MAX = IS_HEADER_SIZE + IS_PAYLOAD_FROM_HOST_MAX + MFP_FEED_BYTES_MAX,
    MODE_COMMAND_SIZE = 2,
    FS = 0x1c,
    OUTPUT_MAX = 256, /* own packets waiting to be sent: welcome, replies to the lock, one event */
    PIECES_MAX = 3,   /* of one reply: IS header, reply block, image                         */
    MS_PER_SECOND = 1000,
};

typedef enum LockState {
    LOCK_NONE,
    LOCK_HELD,
    LOCK_REFUSED, /* somebody else has it: the next command is rejected */
} LockState;

struct MfpSession {
    MfpUnit *unit;
    Scanner scanner;
    EsciScanner esci; /* of a unit that speaks ESC/I */
    LockState lock;
    int64_t patience_ms; /* silence allowed                                               */
    Mono heard;          /* when the last packet came                                     */
    Buf input;
    size_t input_at; /* bytes of input already handled                                     */
    bool over;       /* nothing is read any more                                           */
    bool closing;    /* MFP_CLOSE is due after what is to be sent                          */

    /* The device's output queue, what pure reads fetch. */
    Buf reply;
    size_t reply_at;
    Bytes image;

    /* Collecting the parameter block of a command. */
    bool collecting;
    Esci2Request request;
    Buf parameters;

    Buf output; /* bytes of the packet being sent, and its other pieces */
    Bytes pieces[PIECES_MAX];
    size_t piece_count;
};

static uint8_t flags_of(const MfpSession *session)
{
    const MfpModel *model = session->unit->kind.model;

    return model ? model->flags : IS_DEVICE_FLAGS;
}

MfpSession *mfp_session_new(MfpUnit *unit, Mono now, Err *err)
{
    MfpSession *session = calloc(1, sizeof *session);

    if (!session) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for another client");
        return NULL;
    }
    session->unit = unit;
    scanner_init(&session->scanner, unit);
    session->scanner.now = now;
    esci_scanner_init(&session->esci, &session->scanner);
    session->input = buf_with_max(INPUT_MAX);
    session->reply = buf_with_max(SCANNER_REPLY_MAX);
    session->parameters = buf_with_max(MFP_PARAMETERS_MAX);
    session->output = buf_with_max(OUTPUT_MAX);
    session->patience_ms = MFP_UNLOCKED_MS;
    session->heard = now;
    (void)is_welcome_encode(&session->output, flags_of(session),
                            unit->legacy ? IS_FAMILY_LEGACY : IS_FAMILY_ESCI2);
    session->pieces[session->piece_count++] = buf_bytes(&session->output);
    return session;
}

/* A new command throws away what nobody fetched of the former reply. */
static void clear_queue(MfpSession *session)
{
    buf_clear(&session->reply);
    session->reply_at = 0;
    session->image = (Bytes){ 0 };
}

/* The scan ends, if one runs. */
static void leave(MfpSession *session, bool orderly)
{
    if (session->unit->legacy)
        esci_scanner_leave(&session->esci, orderly);
    else
        scanner_leave(&session->scanner, orderly);
}

/* Ends the scan, if one runs, and gives the lock back. */
static void release(MfpSession *session, bool orderly)
{
    leave(session, orderly);
    if (session->unit->lock_owner == session)
        session->unit->lock_owner = NULL;
    session->lock = LOCK_NONE;
    session->patience_ms = MFP_UNLOCKED_MS;
    session->collecting = false;
    clear_queue(session);
}

void mfp_session_free(MfpSession *session)
{
    if (!session)
        return;
    release(session, false);
    esci_scanner_done(&session->esci);
    scanner_done(&session->scanner);
    buf_done(&session->input);
    buf_done(&session->reply);
    buf_done(&session->parameters);
    buf_done(&session->output);
    free(session);
}

/* ---- sending ---- */

static void add_piece(MfpSession *session, Bytes bytes)
{
    if (bytes.n > 0 && session->piece_count < PIECES_MAX)
        session->pieces[session->piece_count++] = bytes;
}

/* A whole packet of a few bytes. The former packet has been sent: input is handled one packet at a
 * time, and only when nothing is left to send. */
static void send_packet(MfpSession *session, IsType type, Bytes payload)
{
    buf_clear(&session->output);
    (void)is_packet_encode(&session->output, type, flags_of(session), payload);
    session->piece_count = 0;
    add_piece(session, buf_bytes(&session->output));
}

static void send_byte(MfpSession *session, IsType type, uint8_t byte)
{
    send_packet(session, type, (Bytes){ &byte, sizeof byte });
}

/* The front of a passthru reply whose payload follows in pieces of its own (wire/is.h). */
static void put_reply_header(Buf *to, uint8_t flags, uint32_t payload_bytes)
{
    size_t begin = to->n;

    (void)buf_put_text(to, "IS");
    (void)buf_put_u16be(to, IS_PASSTHRU_REPLY);
    (void)buf_put_u8(to, flags);
    (void)buf_put_u8(to, IS_HEADER_SIZE);
    (void)buf_put_u32be(to, payload_bytes);
    (void)buf_put_zeros(to, begin + IS_HEADER_SIZE - to->n);
}

/* An informational event goes out before the reply to the command that came with it. */
static void put_notice(MfpSession *session)
{
    uint8_t event = session->scanner.announces;

    session->scanner.announces = 0;
    if (event)
        (void)is_packet_encode(&session->output, IS_EVENT, flags_of(session),
                               (Bytes){ &event, sizeof event });
}

/* The answer to a passthru: up to wanted bytes from the front of the output queue. Header and payload
 * are separate pieces: real devices send them as separate segments, and image bytes are not copied. */
static void send_queued(MfpSession *session, uint32_t wanted)
{
    Bytes reply = bytes_after(buf_bytes(&session->reply), session->reply_at);
    Bytes image = session->image;

    reply.n = reply.n < wanted ? reply.n : wanted;
    image.n = image.n < wanted - reply.n ? image.n : wanted - reply.n;
    session->reply_at += reply.n;
    session->image = bytes_after(session->image, image.n);
    buf_clear(&session->output);
    put_notice(session);
    put_reply_header(&session->output, flags_of(session), (uint32_t)(reply.n + image.n));
    session->piece_count = 0;
    add_piece(session, buf_bytes(&session->output));
    if (session->scanner.drops && image.n > 1) { /* the cable is pulled */
        image.n /= 2;
        session->over = session->closing = true;
        leave(session, false);
    }
    add_piece(session, reply);
    add_piece(session, image);
}

/* In the middle of a packet, which a slow reader may leave us in, an event cannot be sent. */
static void close_with(MfpSession *session, IsEvent event)
{
    if (session->piece_count == 0)
        send_byte(session, IS_EVENT, (uint8_t)event);
    release(session, false);
    session->over = session->closing = true;
}

static void reject(MfpSession *session)
{
    close_with(session, IS_EVENT_REJECTED);
}

/* ---- packets of the client ---- */

static void take_lock(MfpSession *session, Bytes payload)
{
    uint32_t seconds;

    if (is_lock_decode(payload, &seconds) != WIRE_OK) {
        reject(session);
        return;
    }
    if (session->unit->lock_owner && session->unit->lock_owner != session) {
        session->lock = LOCK_REFUSED;
        send_byte(session, IS_LOCK_REPLY, IS_NAK);
        return;
    }
    if (seconds == 0)
        seconds = MFP_LOCK_SECONDS;
    if (seconds > MFP_LOCK_SECONDS_MAX)
        seconds = MFP_LOCK_SECONDS_MAX;
    session->unit->lock_owner = session;
    session->lock = LOCK_HELD;
    session->patience_ms = (int64_t)seconds * MS_PER_SECOND;
    send_byte(session, IS_LOCK_REPLY, IS_ACK);
}

static void take_unlock(MfpSession *session, Bytes payload)
{
    (void)payload;
    release(session, true);
    send_packet(session, IS_UNLOCK_REPLY, (Bytes){ 0 });
}

static void run_request(MfpSession *session)
{
    ScannerOutput output = { .reply = &session->reply };

    session->collecting = false;
    scanner_command(&session->scanner, session->request.code, buf_bytes(&session->parameters),
                    &output);
    session->image = output.image;
    buf_clear(&session->parameters);
}

/* True when the command was understood and wants an answer now. */
static bool take_command(MfpSession *session, Bytes command, bool *ret_answer)
{
    *ret_answer = true;
    clear_queue(session);
    if (session->unit->legacy) {
        ScannerOutput output = { .reply = &session->reply };

        esci_scanner_command(&session->esci, command, &output);
        session->image = output.image;
        return true;
    }
    if (session->collecting) {
        if (session->parameters.n + command.n > session->request.length ||
            !buf_put(&session->parameters, command))
            return false;
        *ret_answer = session->parameters.n == session->request.length;
        if (*ret_answer)
            run_request(session);
        return true;
    }
    if (command.n == MODE_COMMAND_SIZE && command.p[0] == FS && command.p[1] >= 'X' &&
        command.p[1] <= 'Z') {
        bool entered = scanner_enter(&session->scanner, (char)command.p[1]);
        return buf_put_u8(&session->reply, entered ? IS_ACK : IS_NAK);
    }
    if (esci2_request_decode(command, &session->request) != WIRE_OK ||
        session->request.length > MFP_PARAMETERS_MAX)
        return false;
    session->collecting = session->request.length > 0;
    if (!session->collecting)
        run_request(session);
    return true;
}

static void take_passthru(MfpSession *session, Bytes payload)
{
    Bytes command;
    uint32_t wanted;
    bool answer_now = true;

    if (session->lock != LOCK_HELD || is_passthru_decode(payload, &command, &wanted) != WIRE_OK ||
        (command.n > 0 && !take_command(session, command, &answer_now))) {
        reject(session);
        return;
    }
    if (session->scanner.closes)
        close_with(session, session->scanner.closes);
    else if (answer_now)
        send_queued(session, wanted);
}

/* Job control. The reply to JOBR is not known but for its size; ours ends with the number. */
static void take_job(MfpSession *session, Bytes payload)
{
    MfpUnit *unit = session->unit;
    uint8_t answer[IS_JOB_READ_REPLY_SIZE] = { 0 };
    IsJobCommand command;
    Bytes list;

    if (!unit->job_control || session->lock != LOCK_HELD ||
        is_job_decode(payload, &command, &list) != WIRE_OK || list.n > SCANNER_JOB_LIST_MAX) {
        reject(session);
        return;
    }
    if (command == IS_JOB_READ) {
        answer[sizeof answer - 2] = (uint8_t)(unit->job_number >> CHAR_BIT);
        answer[sizeof answer - 1] = (uint8_t)unit->job_number;
        scanner_note(&session->scanner, (ScanNote){ .kind = NOTE_JOB_ASKED });
        send_packet(session, IS_JOB_CONTROL_REPLY, (Bytes){ answer, sizeof answer });
        return;
    }
    memcpy(unit->job_list, list.p, list.n);
    unit->job_list_bytes = list.n;
    unit->job_writes++;
    scanner_note(&session->scanner, (ScanNote){ .kind = NOTE_JOB_LIST, .bytes = list.n });
    send_packet(session, IS_JOB_CONTROL_REPLY, (Bytes){ 0 });
}

static const struct {
    IsType type;
    void (*take)(MfpSession *session, Bytes payload);
} packets[] = {
    { IS_LOCK, take_lock },
    { IS_UNLOCK, take_unlock },
    { IS_PASSTHRU, take_passthru },
    { IS_JOB_CONTROL, take_job },
};

static void take_packet(MfpSession *session, uint16_t type, Bytes payload)
{
    for (size_t i = 0; i < COUNT_OF(packets); i++)
        if (packets[i].type == type) {
            packets[i].take(session, payload);
            return;
        }
    reject(session);
}

/* Handles one packet from the input; false when there is no whole one. */
static bool take_input(MfpSession *session)
{
    Bytes in = bytes_after(buf_bytes(&session->input), session->input_at);
    IsHeader header;
    Bytes payload;
    size_t used;
    WireResult result = is_packet_decode(in, IS_PAYLOAD_FROM_HOST_MAX, &header, &payload, &used);

    if (result == WIRE_NEED_MORE)
        return false;
    if (result == WIRE_BROKEN) { /* not our protocol: a TLS client, a port scanner */
        release(session, false);
        session->over = session->closing = true;
        return true;
    }
    session->input_at += used;
    take_packet(session, header.type, payload);
    return true;
}

/* ---- the calls of session.h ---- */

/* Whole packets keep the session alive; bytes that never become one do not. */
static bool has_packet(const MfpSession *session)
{
    IsHeader header;
    Bytes payload;
    size_t used;

    return is_packet_decode(buf_bytes(&session->input), IS_PAYLOAD_FROM_HOST_MAX, &header, &payload,
                            &used) == WIRE_OK;
}

void mfp_session_feed(MfpSession *session, Bytes bytes, Mono now)
{
    session->scanner.now = now;
    if (session->over)
        return;
    buf_drop_front(&session->input, session->input_at);
    session->input_at = 0;
    if (!buf_put(&session->input, bytes)) {
        release(session, false);
        session->over = session->closing = true;
        return;
    }
    if (has_packet(session))
        session->heard = now;
}

void mfp_session_tick(MfpSession *session, Mono now)
{
    session->scanner.now = now;
    if (!session->over && mono_reached(now, mfp_session_deadline(session)))
        close_with(session, IS_EVENT_TIMEOUT);
}

void mfp_session_lost(MfpSession *session)
{
    session->over = true;
    session->closing = false;
    session->piece_count = 0;
    release(session, false);
}

/* The first piece to send, taken off. */
static bool next_piece(MfpSession *session, MfpAction *ret_action)
{
    if (session->piece_count == 0)
        return false;
    *ret_action = (MfpAction){ .kind = MFP_SEND, .bytes = session->pieces[0] };
    session->piece_count--;
    for (size_t i = 0; i < session->piece_count; i++)
        session->pieces[i] = session->pieces[i + 1];
    return true;
}

bool mfp_session_next(MfpSession *session, MfpAction *ret_action)
{
    do {
        *ret_action = (MfpAction){ .kind = MFP_NOTE };
        if (scanner_note_next(&session->scanner, &ret_action->note) ||
            next_piece(session, ret_action))
            return true;
        if (session->closing) {
            session->closing = false;
            *ret_action = (MfpAction){ .kind = MFP_CLOSE };
            return true;
        }
    } while (!session->over && take_input(session));
    return false;
}

Mono mfp_session_deadline(const MfpSession *session)
{
    return session->over ? MONO_NEVER : mono_after(session->heard, session->patience_ms);
}
