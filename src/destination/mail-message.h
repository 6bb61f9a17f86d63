/* destination/mail-message.h - the text of a mail (RFC 5322, MIME): headers, words, one attached file.
 *
 * Pure: nothing is sent. The head, then the attachment in base64, then the tail are the whole mail; a file
 * is never in memory as a whole. All lines end with CRLF and have at most 998 octets, all octets
 * are ASCII. No text can bring a header of its own: control characters become blanks. Dots at the
 * beginning of lines are the transport's affair (smtp.h). Any thread. */
#ifndef PLATEN_DESTINATION_MAIL_MESSAGE_H
#define PLATEN_DESTINATION_MAIL_MESSAGE_H

#include "model/mail-address.h"

/* Borrowed. Texts are UTF-8, addresses have passed mail_address_check. */
typedef struct MailMessage {
    const char
        *id; /* letters and digits: with the sender's domain the Message-ID, and the boundary */
    const MailAddress *from;
    const MailAddress *to, *cc; /* without both of them To says "undisclosed-recipients" */
    size_t to_count, cc_count;
    const char *subject, *body;
    Wall date;
    int utc_offset_min;
    const char *file_name; /* of the attachment; NULL = none */
    const char *media_type;
} MailMessage;

enum {
    MAIL_HEAD_BYTES_MAX = 256 * 1024, /* a body of 8 KiB and 200 recipients are well below */
    MAIL_LINE_BYTES = 57,             /* of a file in one line of base64                   */
};

/* Everything before the attachment; without one the whole mail. False when out failed. */
bool mail_message_head(const MailMessage *message, Buf *out);

/* The attachment, a piece at a time: each but the last a multiple of MAIL_LINE_BYTES. */
bool mail_message_attach(Bytes piece, Buf *out);

/* What follows the attachment. */
bool mail_message_tail(const MailMessage *message, Buf *out);

/* Bytes that so many bytes of a file become. */
int64_t mail_attached_bytes(int64_t file_bytes);

#endif
