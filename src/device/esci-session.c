/* device/esci-session.c - what ESC/I sends, and when it asks again. What answers mean is in esci-reply.c, the table in
 * esci-rules.c. */
#include "device/esci-session.h"

#include "device/esci-inside.h"

enum {
    ARGUMENT_BYTES_MAX = 1024,
    ANSWER_BYTES_MAX = 256, /* of everything but blocks of the picture */
    GAMMA_STEPS = 256,
    BLOCK_PAUSE_MS = 100,
};

const ScanStep esci_steps[ESCI_STATE_MAX_] = {
    [ESCI_AT_LOCK] = { .await = SCAN_AWAIT_LOCK },
    [ESCI_AT_RESET] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_INITIALIZE },
    [ESCI_AT_IDENTITY] = { .await = ESCI_AWAIT_IDENTITY, .text = ESCI_IDENTITY },
    [ESCI_AT_STATUS] = { .await = ESCI_AWAIT_STATUS, .text = ESCI_STATUS },
    [ESCI_AT_TAKE] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_TAKE },
    [ESCI_AT_RESET_TAKEN] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_INITIALIZE },
    [ESCI_AT_SOURCE] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_SOURCE },
    [ESCI_AT_SOURCE_BYTE] = { .await = ESCI_AWAIT_BYTE },
    [ESCI_AT_SOURCE_STATUS] = { .await = ESCI_AWAIT_STATUS, .text = ESCI_STATUS },
    [ESCI_AT_GAMMA] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_GAMMA },
    [ESCI_AT_GAMMA_TABLE] = { .await = ESCI_AWAIT_BYTE },
    [ESCI_AT_PARAMETERS] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_SET_PARAMETERS },
    [ESCI_AT_PARAMETERS_BLOCK] = { .await = ESCI_AWAIT_BYTE },
    [ESCI_AT_READY] = { .await = ESCI_AWAIT_STATUS, .text = ESCI_STATUS },
    [ESCI_AT_START] = { .await = ESCI_AWAIT_BLOCKS, .text = ESCI_START },
    /* Drawing the paper is one wait, of which FEEDING asks in between. */
    [ESCI_AT_FEEDING] = { .await = ESCI_AWAIT_STATUS, .text = ESCI_STATUS, .same_wait = true },
    [ESCI_AT_BLOCK] = { .await = SCAN_AWAIT_PICTURE },
    [ESCI_AT_NEXT_BLOCK] = { .await = SCAN_AWAIT_PICTURE, .text = ESCI_NEXT_BLOCK },
    [ESCI_AT_NEXT_PAGE] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_EJECT },
    [ESCI_AT_NEXT_STATUS] = { .await = ESCI_AWAIT_STATUS, .text = ESCI_STATUS },
    [ESCI_AT_CANCEL] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_CANCEL },
    [ESCI_AT_FAULT_STATUS] = { .await = ESCI_AWAIT_STATUS, .text = ESCI_STATUS },
    [ESCI_AT_RELEASE] = { .await = ESCI_AWAIT_BYTE, .text = ESCI_RELEASE },
    [ESCI_AT_UNLOCK] = { .await = SCAN_AWAIT_UNLOCK },
};

/* 'R', 'G' or 'B' and a straight line: the picture as the device sees it. */
static void put_gamma(Buf *to, unsigned table)
{
    (void)buf_put_u8(to, (uint8_t) "RGB"[table]);
    for (unsigned i = 0; i < GAMMA_STEPS; i++)
        (void)buf_put_u8(to, (uint8_t)i);
}

uint32_t esci_block_size(const ScanSession *s)
{
    bool full = s->esci->block < s->esci->blocks.full_blocks;

    return (full ? s->esci->blocks.block_bytes : s->esci->blocks.last_bytes) + 1;
}

/* How many bytes of answer the state wants. */
static uint32_t wanted(const ScanSession *s)
{
    switch (esci_steps[s->state].await) {
    case ESCI_AWAIT_IDENTITY:
        return ESCI_IDENTITY_SIZE;
    case ESCI_AWAIT_STATUS:
        return ESCI_STATUS_SIZE;
    case ESCI_AWAIT_BLOCKS:
        return ESCI_BLOCKS_SIZE;
    case SCAN_AWAIT_PICTURE:
        return s->esci->block_left;
    default:
        return 1;
    }
}

/* Appends the argument that is due in this state. */
static void put_argument(const ScanSession *s, Buf *to)
{
    if (s->state == ESCI_AT_SOURCE_BYTE)
        (void)buf_put_u8(to, s->esci->parameters.source);
    else if (s->state == ESCI_AT_GAMMA_TABLE)
        put_gamma(to, s->esci->gamma_table);
    else if (s->state == ESCI_AT_PARAMETERS_BLOCK)
        (void)esci_parameters_encode(to, &s->esci->parameters);
}

static void encode(ScanSession *s)
{
    const char *command = esci_steps[s->state].text;
    AUTO_BUF argument = buf_with_max(ARGUMENT_BYTES_MAX);

    if (s->state == ESCI_AT_NEXT_BLOCK)
        s->esci->block_left = esci_block_size(s);
    if (s->state == ESCI_AT_TAKE)
        s->esci->take_tries++;
    if (command)
        (void)buf_put_text(&argument, command);
    else
        put_argument(s, &argument);
    is_passthru_encode(&s->out, buf_bytes(&argument), wanted(s));
}

static int64_t pause_ms(ScanSession *s, Mono now)
{
    (void)now;
    if (s->state == ESCI_AT_TAKE)
        return SCAN_LOCK_PAUSE_MS;
    return s->state == ESCI_AT_BLOCK ? BLOCK_PAUSE_MS : SCAN_BUSY_PAUSE_MS;
}

/* A single byte in place of a block may be NAK: it is looked at first (esci_answer). A device that cuts blocks into
 * pieces was never seen to begin with one byte, and SANE (epson2) takes every short answer for an error. */
static bool is_picture(const ScanSession *s)
{
    bool alone = s->header.length == 1 && s->esci->block_left == esci_block_size(s);

    return !alone && s->payload_left <= s->esci->block_left;
}

static void picture(ScanSession *s, Bytes part, Mono now)
{
    (void)now;
    esci_picture(s, part);
}

void esci_picture(ScanSession *s, Bytes part)
{
    EsciOwn *own = s->esci;
    size_t n = part.n < own->block_left ? part.n : own->block_left - 1;

    if (n > 0)
        scan_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_BYTES,
                                   .side = s->page->side,
                                   .bytes = { part.p, n } });
    if (n < part.n)
        own->block_status = part.p[n];
    own->block_left -= (uint32_t)part.n;
}

static const ScanLanguage language = {
    .rules = esci_rules,
    .patience_ms = esci_patience_ms,
    .steps = esci_steps,
    .state_name = esci_state_name,
    .image = ESCI_AT_BLOCK,
    .storing = ESCI_AT_STORING,
    .storing_lost = ESCI_AT_STORING_LOST,
    .cancel = ESCI_AT_CANCEL,
    .closed = ESCI_AT_CLOSED,
    .answer_max = ANSWER_BYTES_MAX,
    .own_size = sizeof(EsciOwn),
    .encode = encode,
    .pause_ms = pause_ms,
    .answer = esci_answer,
    .is_picture = is_picture,
    .picture = picture,
};

ScanSession *esci_session_new(const ScanOrder *order, const ScanTraits *traits, Mono now)
{
    return scan_session_new(&language, order, traits, now);
}
