/* destination/pop-login.h - POP before SMTP: a log-in to a POP server opens the mail server for a while.
 *
 * Servers of that kind note the address we come from; nothing is fetched. One thread. */
#ifndef PLATEN_DESTINATION_POP_LOGIN_H
#define PLATEN_DESTINATION_POP_LOGIN_H

#include "destination/smtp.h"

/* Borrowed: must live as long as the log-in. */
typedef struct PopConfig {
    const char *host, *user, *password;
    int64_t port; /* 0: 110, or 995 with implicit encryption */
    MailEncryption encryption;
    bool password_in_clear;
    int64_t delay_ms; /* after the log-in */
    int64_t timeout_s;
    TlsPolicy tls;
} PopConfig;

typedef struct PopLogin PopLogin;

/* Logs in to nothing yet. NULL: no memory. */
PopLogin *pop_new(const PopConfig *config);
void pop_free(PopLogin *pop); /* accepts NULL */

/* Was there a log-in that still counts? It does for five minutes. */
bool pop_is_fresh(const PopLogin *pop);

/* The server has forgotten us: it does not count any more. */
void pop_forget(PopLogin *pop);

/* Logs in, logs out and waits for the delay. False with the errand's result filled. */
bool pop_log_in(PopLogin *pop, const Errand *errand);

/* The key of the server, as transfer_pin(). */
const char *pop_pin(const PopLogin *pop);

/* CURL_IPRESOLVE_V4 or _V6: the way the last log-in went; the mail must come from the same address. */
long pop_family(const PopLogin *pop);

#endif
