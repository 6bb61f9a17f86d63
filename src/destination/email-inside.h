/* destination/email-inside.h - a mail of an errand. Private to email.c, email-mail.c and email-parts.c. */
#ifndef PLATEN_DESTINATION_EMAIL_INSIDE_H
#define PLATEN_DESTINATION_EMAIL_INSIDE_H

#include "destination/destination.h"
#include "destination/mail-message.h"
#include "destination/pop-login.h"
#include "destination/smtp.h"

#include "base/cleanup.h"

enum {
    HOST_SIZE = 256,
    USER_SIZE = 256,
    SECRET_SIZE = 4096, /* a token of OAuth has two to three thousand bytes */
    LIST_SIZE = 1024,
    SUBJECT_SIZE = 256,
    BODY_SIZE = 1536, /* all options of a job are below OPTIONS_TEXT_SIZE */
    RESOLVED_MAX = 8192,
    RECIPIENTS_MAX = 200,
    REPLY_LIST_SIZE = 200,
    PIECE_BYTES = MAIL_LINE_BYTES * 512,
    MEGABYTE = 1000 * 1000,
    MAIL_ID_SIZE = 64,
};

typedef struct EmailSettings {
    char host[HOST_SIZE];
    int64_t port, encryption, auth;
    char user[USER_SIZE], password[SECRET_SIZE];
    bool password_in_clear;
    char from[MAIL_ADDRESS_SIZE], from_name[MAIL_NAME_SIZE], helo_name[HOST_SIZE];
    char pop_host[HOST_SIZE];
    int64_t pop_port, pop_encryption;
    char pop_user[USER_SIZE], pop_password[USER_SIZE];
    int64_t pop_delay_ms;
    int64_t timeout_s;
    TLS_MEMBERS;
} EmailSettings;

typedef enum OverLimit { OVER_REFUSE, OVER_SPLIT, OVER_SEND } OverLimit;
typedef enum Refused { REFUSED_NOBODY, REFUSED_OTHERS } Refused;

typedef struct EmailOptions {
    char to[LIST_SIZE], cc[LIST_SIZE], bcc[LIST_SIZE], subject[SUBJECT_SIZE], body[BODY_SIZE];
    int64_t size_limit_mb, over_limit, refused;
} EmailOptions;

/* A mail of an errand, on the heap because of its recipients. */
typedef struct Mail {
    MailAddress from, list[RECIPIENTS_MAX]; /* to, cc and bcc, in this order */
    size_t to_count, cc_count, count;
    Buf subject, body, head, tail;
    MailMessage message; /* borrows all of this */
    int64_t size_bytes;  /* as the server counts it */
    char id[MAIL_ID_SIZE];
    uint32_t first_page; /* of the document, when it is split: the page this mail begins with */
    bool again;          /* an earlier attempt may have sent it */
} Mail;

/* Which of the mails that a document is split into. */
typedef struct MailPart {
    size_t number, count; /* 1.. */
    uint32_t first_page;  /* from 0 */
} MailPart;

/* The mail of an errand; part: NULL for the whole document. NULL with the result filled. */
Mail *mail_new(const Errand *errand, bool with_file, const MailPart *part);
void mail_free(Mail *mail); /* accepts NULL */
DEFINE_AUTO(Mail, mail_free);

/* Who it comes from. False with the result filled. */
bool email_sender(const Errand *errand, MailAddress *ret_from);

/* --- sending, email.c ------------------------------------------------------------------------------- */

/* Connects and logs in, where that is not done. False with the result filled. */
bool email_ready(const Errand *errand);

/* Sends one mail; the result is filled. */
void email_send(const Errand *errand, const Mail *mail);

/* The largest mail that the server says it takes, 0 = it does not say. After email_ready. */
int64_t email_server_limit(const Errand *errand);

/* FATAL: the mail is larger than the limit. */
bool email_too_large(const Errand *errand, const Mail *mail, int64_t limit_bytes, const char *whose,
                     const char *cure);

/* --- marks: what is remembered of an attempt that was cut off, in place of a reserved name ----------- */

typedef enum MailMarkKind {
    MAIL_MARK_NONE,
    MAIL_MARK_NEXT,  /* the pages before are sent, nothing is unsure             */
    MAIL_MARK_SENT,  /* the same, and the mail that begins there may have arrived */
    MAIL_MARK_AGAIN, /* so may two                                               */
} MailMarkKind;

typedef struct MailMark {
    MailMarkKind kind;
    uint32_t page;
} MailMark;

/* The mark that the parcel's reserved name is; NONE for any other. */
MailMark email_mark_of(const Parcel *parcel);

/* Has the server remember it; NEXT of page 0 is nothing. False with the result filled. */
bool email_mark(const Errand *errand, MailMarkKind kind, uint32_t page);

/* --- email-parts.c ----------------------------------------------------------------------------------- */

/* Sends a PDF as several mails of at most limit_bytes, from mark on; the result is filled. whole: of the document. */
void email_send_parts(const Errand *errand, const Mail *whole, int64_t limit_bytes, MailMark mark);

#endif
