/* destination/smtp.h - one connection to a mail server, kept between mails (RFC 5321, 3207, 4954).
 *
 * libcurl connects, encrypts and logs in; the mail transaction is ours, because libcurl does not tell
 * which recipients were refused, nor whether the end of the mail was sent. All functions that answer
 * bool fill the errand's result when they fail. One thread. */
#ifndef PLATEN_DESTINATION_SMTP_H
#define PLATEN_DESTINATION_SMTP_H

#include "destination/smtp-reply.h"
#include "destination/transfer.h"

typedef enum MailEncryption { MAIL_STARTTLS, MAIL_IMPLICIT, MAIL_PLAIN } MailEncryption;
typedef enum SmtpAuth {
    SMTP_AUTH_NONE,
    SMTP_AUTH_PLAIN,
    SMTP_AUTH_LOGIN,
    SMTP_AUTH_CRAM_MD5,
    SMTP_AUTH_XOAUTH2, /* password is the token */
} SmtpAuth;

extern const char *const mail_encryption_words[];
extern const char *const smtp_auth_words[];

/* Borrowed: must live as long as the connection. */
typedef struct SmtpConfig {
    const char *host, *user, *password, *helo_name;
    int64_t port; /* 0: 587, 465 or 25, as the encryption says */
    MailEncryption encryption;
    SmtpAuth auth;
    bool password_in_clear;
    int64_t timeout_s;
    TlsPolicy tls;
} SmtpConfig;

typedef struct Smtp Smtp;

/* Connects to nothing yet. NULL: no memory. */
Smtp *smtp_new(const SmtpConfig *config);
void smtp_free(Smtp *smtp); /* says QUIT; accepts NULL */

/* Closes the connection; the next smtp_ready() makes a new one. */
void smtp_hang_up(Smtp *smtp);

/* CURL_IPRESOLVE_V4 or _V6: how the next connection goes. */
void smtp_set_family(Smtp *smtp, long family);

/* The key that is trusted, as transfer_trust(). */
void smtp_trust(Smtp *smtp, const char *pin);

/* Connects, encrypts and logs in, or finds that the connection of an earlier errand still lives. */
bool smtp_ready(Smtp *smtp, const Errand *errand);

/* The largest mail the server takes, as it said when it was connected to; 0 = it has not said. */
int64_t smtp_size_max(const Smtp *smtp);

/* Begins a mail. *ret_reply: what the server said; the meaning is the caller's affair when it refused. False only
 * when there is no reply at all. */
bool smtp_sender(Smtp *smtp, const char *address, int64_t size_bytes, SmtpReply *ret_reply);
bool smtp_recipient(Smtp *smtp, const char *address, SmtpReply *ret_reply);

/* Leaves the mail that was begun. */
bool smtp_reset(Smtp *smtp);

/* The mail itself: begin, pieces as they come, end. end: class UNKNOWN when the last dot went out and no reply
 * came. */
bool smtp_content_begin(Smtp *smtp);
bool smtp_content(Smtp *smtp, Bytes piece);
bool smtp_content_end(Smtp *smtp);

/* Fills the result with what a reply means. Always returns false. */
bool smtp_refused(Smtp *smtp, const SmtpReply *reply, SmtpStep step, const char *what);

/* Fills any other failure, with the server's name in front. Always returns false. */
bool smtp_failed(Smtp *smtp, DeliveryClass class, const char *stage, const char *cure,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
