/* destination/smtp-reply.h - replies of a mail server (RFC 5321, 4.2; RFC 3463), and what they mean.
 *
 * Pure. Called by smtp.c. */
#ifndef PLATEN_DESTINATION_SMTP_REPLY_H
#define PLATEN_DESTINATION_SMTP_REPLY_H

#include "base/bytes.h"
#include "model/delivery.h"

enum { SMTP_WORDS_SIZE = 200, SMTP_ENHANCED_SIZE = 12 };

typedef struct SmtpReply {
    int code;                          /* 0: none yet, or no reply at all               */
    char enhanced[SMTP_ENHANCED_SIZE]; /* "5.7.1" of RFC 3463, "" = not said            */
    char words[SMTP_WORDS_SIZE];       /* of all its lines, printable UTF-8, maybe cut   */
} SmtpReply;

/* Adds a line, with or without its end; the code of a new one begins a new reply. False when it is none. *ret_last:
 * it was the last of the reply. */
bool smtp_reply_add(SmtpReply *reply, Bytes line, bool *ret_last);

/* For what the server answers. Bits, so that a row can be about several. */
typedef enum SmtpStep {
    SMTP_STEP_CONNECT = 1,
    SMTP_STEP_LOGIN = 2,
    SMTP_STEP_SENDER = 4,    /* MAIL */
    SMTP_STEP_RECIPIENT = 8, /* RCPT */
    SMTP_STEP_CONTENT = 16,  /* DATA and the mail itself */
} SmtpStep;

typedef struct SmtpMeaning {
    DeliveryClass class;
    const char *stage, *cure;
    int64_t retry_after_s;
} SmtpMeaning;

/* What a reply that refuses means. in_clear: the connection is not encrypted. */
SmtpMeaning smtp_reply_meaning(const SmtpReply *reply, SmtpStep step, bool in_clear);

/* Does the reply ask for a log-in, as a server does that wants POP before SMTP? */
bool smtp_reply_wants_login(const SmtpReply *reply);

#endif
