/* device/trace-talk.c - see trace-talk.h. */
#include "device/trace-talk.h"

#include "base/sha256.h"
#include "base/text.h"
#include "wire/esci.h"
#include "wire/esci2.h"
#include "wire/is.h"

#include <stdlib.h>

enum {
    KEPT_MAX = 64 * 1024, /* a packet that is longer is left out: nothing but pictures is      */
    KEPT_WITH_PAGES_MAX = ESCI2_IMAGE_BLOCK_MAX + 4096,
    IS_STREAM_REPLY = 0xa200, /* pictures of ESC/I that come by themselves; never asked for    */
    PRINTABLE_FIRST = 0x20,
    PRINTABLE_LAST = 0x7e,
};

/* One direction: the packet that comes. */
typedef struct Side {
    Buf head, tail;
    IsHeader header;
    uint32_t keep, gap, last; /* bytes of payload still to come: kept, left out, kept behind   */
    uint64_t left_out;        /* so many were                                                  */
    Sha256 hash;
    bool in_packet; /* the header is whole */
    bool is_picture;
    bool garbage;
    size_t shown; /* of the garbage */
} Side;

struct TraceTalk {
    bool with_pages;
    Side host, device;
    char code[ESCI2_WORD_SIZE]; /* of the last ESC/I-2 request                           */
    bool block_due;             /* it announced parameters                               */
    bool legacy_picture;        /* ESC/I: blocks are coming                              */
    bool picture_due;           /* the next reply is one of a picture, ...               */
    bool has_status;            /* ... with a status byte behind                         */
};

/* What stands on a line between its stamp and its end. */
typedef struct Line {
    bool from_device, cut;
    Bytes head, tail;
    uint64_t left_out;
    const char *sha256; /* NULL: none is shown */
    const char *word;   /* before what is printed of text */
    Bytes text;
} Line;

/* --- lines ------------------------------------------------------------------------------------------- */

static void put_characters(Buf *out, Bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_put_text(out, "\\n");
        else if (c == '\r')
            buf_put_text(out, "\\r");
        else
            buf_put_u8(out, c >= PRINTABLE_FIRST && c <= PRINTABLE_LAST ? c : '.');
    }
}

void trace_put_text(Buf *out, Bytes text)
{
    buf_put_u8(out, '"');
    put_characters(out, text);
    buf_put_u8(out, '"');
}

static void put_stamp(Buf *out, const TraceStamp *stamp)
{
    static const char *const channels[DEVICE_CHANNEL_MAX_] = {
        [DEVICE_CHANNEL_REGISTER] = "register",
        [DEVICE_CHANNEL_PANEL] = "panel",
        [DEVICE_CHANNEL_SCAN] = "scan",
        [DEVICE_CHANNEL_JOB] = "job",
    };

    buf_printf(out, "{\"t\":%lld,\"c\":%u,\"on\":\"%s\"", (long long)stamp->t_ms, stamp->connection,
               channels[stamp->channel]);
}

void trace_put_event(Buf *out, const TraceStamp *stamp, const char *event, const char *text)
{
    put_stamp(out, stamp);
    buf_printf(out, ",\"event\":\"%s\"", event);
    if (text[0]) {
        buf_put_text(out, ",\"text\":");
        trace_put_text(out, bytes_of_text(text));
    }
    buf_put_text(out, "}\n");
}

static Bytes first_of(Bytes bytes, size_t n)
{
    return (Bytes){ bytes.p, bytes.n < n ? bytes.n : n };
}

static void put_line(Buf *out, const TraceStamp *stamp, const Line *line)
{
    put_stamp(out, stamp);
    buf_printf(out, ",\"dir\":\"%s\",\"hex\":\"", line->from_device ? "p>h" : "h>p");
    text_put_hex(out, line->head);
    buf_put_u8(out, '"');
    if (line->left_out > 0)
        buf_printf(out, ",\"left_out\":%llu", (unsigned long long)line->left_out);
    if (line->left_out > 0 && line->sha256)
        buf_printf(out, ",\"sha256\":\"%s\"", line->sha256);
    if (line->tail.n > 0) {
        buf_put_text(out, ",\"tail\":\"");
        text_put_hex(out, line->tail);
        buf_put_u8(out, '"');
    }
    buf_printf(out, ",\"says\":\"%s", line->word);
    put_characters(out, first_of(line->text, TRACE_SAYS_MAX));
    buf_printf(out, "\"%s}\n", line->cut ? ",\"cut\":true" : "");
}

static void hash_of(Bytes bytes, char ret_text[SHA256_TEXT_SIZE])
{
    Sha256 hash;

    sha256_start(&hash);
    sha256_add(&hash, bytes);
    sha256_finish(&hash, ret_text);
}

/* The first keep bytes, and the hash of the others. */
static void put_beginning(Buf *out, const TraceStamp *stamp, bool from_device, Bytes bytes,
                          size_t keep)
{
    char hash[SHA256_TEXT_SIZE];
    Line line = { .from_device = from_device, .word = "", .head = first_of(bytes, keep) };
    Bytes rest = bytes_after(bytes, line.head.n);

    hash_of(rest, hash);
    line.left_out = rest.n;
    line.sha256 = hash;
    line.text = line.head;
    put_line(out, stamp, &line);
}

void trace_put_piece(Buf *out, const TraceStamp *stamp, bool from_device, Bytes piece)
{
    put_beginning(out, stamp, from_device, piece, KEPT_MAX);
}

/* --- what a packet is ---------------------------------------------------------------------------------- */

static const char *type_word(uint16_t type)
{
    static const struct {
        uint16_t type;
        const char *word;
    } words[] = {
        { IS_PASSTHRU, "to it " },
        { IS_LOCK, "lock " },
        { IS_UNLOCK, "unlock " },
        { IS_JOB_CONTROL, "job control " },
        { IS_WELCOME, "welcome " },
        { IS_EVENT, "event " },
        { IS_PASSTHRU_REPLY, "from it " },
        { IS_LOCK_REPLY, "lock reply " },
        { IS_UNLOCK_REPLY, "unlock reply " },
        { IS_JOB_CONTROL_REPLY, "job control reply " },
        { IS_STREAM_REPLY, "picture " },
    };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].type == type)
            return words[i].word;
    return "unknown packet ";
}

/* One or two bytes are a command or its answer, which people know by the names of ASCII. */
static const char *short_word(Bytes text)
{
    static const struct {
        const char *bytes, *word;
    } words[] = {
        { ESCI2_MODE_CONTROL, "FS X" },
        { ESCI2_MODE_INQUIRY, "FS Y" },
        { ESCI2_MODE_MAINTENANCE, "FS Z" },
        { ESCI_INITIALIZE, "ESC @" },
        { ESCI_STATUS_SHORT, "ESC F" },
        { ESCI_STATUS_EXTENDED, "ESC f" },
        { ESCI_SOURCE, "ESC e" },
        { ESCI_TAKE, "ESC (" },
        { ESCI_RELEASE, "ESC )" },
        { ESCI_GAMMA, "ESC z" },
        { ESCI_MATRIX, "ESC m" },
        { ESCI_IDENTITY, "FS I" },
        { ESCI_STATUS, "FS F" },
        { ESCI_SET_PARAMETERS, "FS W" },
        { ESCI_GET_PARAMETERS, "FS S" },
        { ESCI_START, "FS G" },
        { ESCI_NEXT_BLOCK, "ACK" },
        { "\x15", "NAK" },
        { ESCI_CANCEL, "CAN" },
        { ESCI_EJECT, "FF" },
    };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (bytes_equal_text(text, words[i].bytes))
            return words[i].word;
    return NULL;
}

static void name_packet(Line *line, uint16_t type, char word[48])
{
    const char *name = short_word(line->text);

    (void)text_printf(word, 48, "%s%s", type_word(type), name ? name : "");
    line->word = word;
    if (name)
        line->text.n = 0;
}

/* --- the two sides ------------------------------------------------------------------------------------- */

TraceTalk *trace_talk_new(bool with_pages)
{
    TraceTalk *talk = calloc(1, sizeof *talk);

    if (!talk)
        return NULL;
    talk->with_pages = with_pages;
    talk->host.head = buf_with_max(KEPT_MAX + IS_HEADER_SIZE);
    talk->device.head = buf_with_max((with_pages ? KEPT_WITH_PAGES_MAX : KEPT_MAX) +
                                     IS_HEADER_SIZE);
    talk->host.tail = talk->device.tail = buf_with_max(1);
    return talk;
}

void trace_talk_free(TraceTalk *talk)
{
    if (!talk)
        return;
    buf_done(&talk->host.head);
    buf_done(&talk->host.tail);
    buf_done(&talk->device.head);
    buf_done(&talk->device.tail);
    free(talk);
}

/* Replies are filled up to their size with tokens that say nothing. */
static Bytes without_fill(Bytes text)
{
    static const char fill[] = "#---";
    size_t n = sizeof fill - 1;

    while (text.n >= n && memcmp(text.p + text.n - n, fill, n) == 0)
        text.n -= n;
    return text;
}

/* Decides by the header of a packet what of it is kept. */
static void plan(TraceTalk *talk, Side *side)
{
    bool from_device = side == &talk->device;
    bool is_reply = from_device && side->header.type == IS_PASSTHRU_REPLY;
    bool is_picture = from_device &&
                      (side->header.type == IS_STREAM_REPLY || (is_reply && talk->picture_due));
    uint32_t n = side->header.length;
    uint32_t most = from_device && talk->with_pages ? KEPT_WITH_PAGES_MAX : KEPT_MAX;
    bool leave = n > most || (is_picture && !talk->with_pages);

    side->last = leave && is_reply && talk->has_status && n > 0 ? 1 : 0;
    side->gap = leave ? n - side->last : 0;
    side->keep = leave ? 0 : n;
    side->is_picture = is_picture;
    sha256_start(&side->hash);
    if (is_reply)
        talk->picture_due = talk->has_status = false;
}

/* What the host asks for tells what the reply is. Answers how many bytes of the command may be shown. */
static size_t note_command(TraceTalk *talk, Bytes command)
{
    bool next = command.n == 0 || bytes_equal_text(command, ESCI_NEXT_BLOCK);
    Esci2Request request;

    talk->picture_due = next && (talk->legacy_picture || esci2_word_is(talk->code, "IMG"));
    talk->has_status = talk->picture_due && talk->legacy_picture;
    if (next)
        return command.n;
    talk->legacy_picture = bytes_equal_text(command, ESCI_START);
    bool is_login = talk->block_due && esci2_word_is(talk->code, "TRDT");
    if (talk->block_due) {
        talk->block_due = false;
        return is_login ? 0 : command.n;
    }
    talk->code[0] = '\0';
    if (command.n < ESCI2_REQUEST_SIZE ||
        esci2_request_decode(first_of(command, ESCI2_REQUEST_SIZE), &request) != WIRE_OK)
        return command.n;
    (void)text_copy(talk->code, sizeof talk->code, request.code);
    talk->block_due = request.length > 0 && command.n == ESCI2_REQUEST_SIZE;
    return esci2_word_is(talk->code, "TRDT") ? ESCI2_REQUEST_SIZE : command.n;
}

static void emit(TraceTalk *talk, Side *side, bool cut, const TraceStamp *stamp, Buf *out)
{
    char hash[SHA256_TEXT_SIZE], word[48];
    Line line = { .from_device = side == &talk->device,
                  .cut = cut,
                  .head = buf_bytes(&side->head),
                  .tail = buf_bytes(&side->tail),
                  .left_out = side->left_out,
                  .word = "",
                  .sha256 = hash };

    bool is_read = false;

    sha256_finish(&side->hash, hash);
    if (side->in_packet && !side->is_picture)
        line.text = bytes_after(line.head, IS_HEADER_SIZE);
    if (side->in_packet && !line.from_device && side->header.type == IS_PASSTHRU &&
        side->left_out == 0) {
        Bytes command = bytes_after(line.text, IS_DATA_HEADER_SIZE);
        size_t shown = note_command(talk, command);

        line.text = first_of(command, shown);
        is_read = command.n == 0;
        if (shown < command.n) { /* a person's log-in: even its hash could be tried against */
            line.head.n -= command.n - shown;
            line.left_out = command.n - shown;
            line.sha256 = NULL;
        }
    }
    line.text = without_fill(line.text);
    if (side->is_picture || is_read)
        line.text = bytes_of_text(is_read ? "read" : "picture");
    if (side->in_packet)
        name_packet(&line, side->header.type, word);
    put_line(out, stamp, &line);
    buf_clear(&side->head);
    buf_clear(&side->tail);
    side->in_packet = false;
    side->left_out = 0;
}

/* Takes up to *left bytes of in into the buffer. */
static Bytes take_kept(Buf *to, uint32_t *left, Bytes in)
{
    Bytes now = first_of(in, *left);

    (void)buf_put(to, now); /* room was planned; without memory the line tells less */
    *left -= (uint32_t)now.n;
    return bytes_after(in, now.n);
}

static Bytes take_payload(Side *side, Bytes in)
{
    in = take_kept(&side->head, &side->keep, in);
    Bytes gap = first_of(in, side->gap);
    sha256_add(&side->hash, gap);
    side->gap -= (uint32_t)gap.n;
    side->left_out += gap.n;
    in = bytes_after(in, gap.n);
    return side->keep == 0 && side->gap == 0 ? take_kept(&side->tail, &side->last, in) : in;
}

static Bytes take_header(TraceTalk *talk, Side *side, Bytes in)
{
    uint32_t missing = (uint32_t)(IS_HEADER_SIZE - side->head.n);
    uint32_t most = side == &talk->device ? IS_PAYLOAD_FROM_DEVICE_MAX : IS_PAYLOAD_FROM_HOST_MAX;

    in = take_kept(&side->head, &missing, in);
    WireResult result = is_header_decode(buf_bytes(&side->head), most, &side->header);
    side->garbage = result == WIRE_BROKEN || side->head.failed;
    side->in_packet = result == WIRE_OK;
    if (side->in_packet)
        plan(talk, side);
    return in;
}

void trace_talk_feed(TraceTalk *talk, bool from_device, Bytes in, const TraceStamp *stamp, Buf *out)
{
    Side *side = from_device ? &talk->device : &talk->host;

    while (in.n > 0 && !side->garbage) {
        in = side->in_packet ? take_payload(side, in) : take_header(talk, side, in);
        if (side->in_packet && side->keep == 0 && side->gap == 0 && side->last == 0)
            emit(talk, side, false, stamp, out);
    }
    if (!side->garbage)
        return;
    if (side->head.n > 0) { /* the header that is none */
        put_beginning(out, stamp, from_device, buf_bytes(&side->head), IS_HEADER_SIZE);
        buf_clear(&side->head);
    }
    if (in.n == 0)
        return;
    size_t keep = TRACE_GARBAGE_MAX - side->shown;
    put_beginning(out, stamp, from_device, in, keep);
    side->shown += in.n < keep ? in.n : keep;
}

void trace_talk_end(TraceTalk *talk, const TraceStamp *stamp, Buf *out)
{
    Side *sides[] = { &talk->host, &talk->device };

    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        if (sides[i]->head.n == 0)
            continue;
        if (!sides[i]->in_packet)
            sha256_start(&sides[i]->hash);
        emit(talk, sides[i], true, stamp, out);
    }
}
