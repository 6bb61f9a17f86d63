/* json/lines.h - JSON lines between processes: one object per line over a socket, pipe or file.
 *
 * Blocking with deadlines, for the keepers of platend and for the workers; not for the loop. One
 * thread per direction. The descriptors stay the caller's and may be blocking or not. */
#ifndef PLATEN_JSON_LINES_H
#define PLATEN_JSON_LINES_H

#include "json/json.h"

/* How long a line may wait for a peer that does not read. */
enum { JSON_LINE_SEND_MS = 30000 };

/* Sends one object as one line, at most MESSAGE_BYTES_MAX bytes with its newline. Never raises
 * SIGPIPE. After a failure a part of the line may be out: close the descriptor.
 *   ERR_CANCELLED  the peer is gone (code EPIPE or ECONNRESET)
 *   ERR_TEMPORARY  not taken within JSON_LINE_SEND_MS (code ETIMEDOUT)
 *   ERR_BUG        the message is NULL, poisoned, no object or too long, or there was no memory for
 *                  its line; nothing was sent
 *   others         as err_errno says, for the system call that failed */
bool json_line_send(int fd, const Json *message, Err *err);

/* The same with a patience of its own. */
bool json_line_send_within(int fd, const Json *message, int64_t timeout_ms, Err *err);

/* The reading side. Holds what came after the last line; ends with json_lines_done. */
typedef struct JsonLines {
    int fd;         /* borrowed                                                    */
    Buf buf;        /* bytes received and not yet handed out                       */
    size_t scanned; /* of them, how many are known to hold no newline              */
    bool ended;     /* the peer closed its side                                    */
    bool spoilt;    /* a line was too long: where the next one starts is not known */
} JsonLines;

/* A reader over fd; allocates nothing yet. */
JsonLines json_lines_over(int fd);
void json_lines_done(JsonLines *reader); /* frees; does not close fd */

/* Waits until one whole line is there, at most timeout_ms (0: only takes what has arrived). Empty
 * lines are skipped; the last line needs no newline. On success *ret_message is an object that the
 * caller owns; it is not written otherwise.
 *   ERR_CANCELLED  the peer closed: code 0 between two lines, EPIPE in the middle of one,
 *                  ECONNRESET when it died with our bytes unread
 *   ERR_TEMPORARY  nothing whole within timeout_ms (code ETIMEDOUT); call again to go on waiting.
 *                  With code ENOMEM: no memory, the line is lost
 *   ERR_BAD_INPUT  this line is no JSON object; the next call goes on with the next line. A line
 *                  longer than MESSAGE_BYTES_MAX: every later call answers the same
 *   others         as err_errno says, for the system call that failed */
bool json_lines_next(JsonLines *reader, int64_t timeout_ms, Json **ret_message, Err *err);

#endif
