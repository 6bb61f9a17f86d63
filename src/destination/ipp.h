/* destination/ipp.h - IPP operations (RFC 8010, 8011) over HTTP, for printers and CUPS.
 *
 * libcups makes and reads the messages; a Transfer carries them, because libcups 2.4 connects anew by
 * itself inside a request, and over that connection a password or document would go before anybody has
 * looked at the certificate. */
#ifndef PLATEN_DESTINATION_IPP_H
#define PLATEN_DESTINATION_IPP_H

#include "base/cleanup.h"
#include "destination/http.h"

/* Some enumerators of libcups have the names of ours: its own are called otherwise here. */
#define HTTP_AUTH_NONE      CUPS_HTTP_AUTH_NONE
#define HTTP_AUTH_BASIC     CUPS_HTTP_AUTH_BASIC
#define HTTP_AUTH_NEGOTIATE CUPS_HTTP_AUTH_NEGOTIATE
#include <cups/cups.h>
#include <cups/pwg.h>
#undef HTTP_AUTH_NONE
#undef HTTP_AUTH_BASIC
#undef HTTP_AUTH_NEGOTIATE

DEFINE_AUTO(ipp_t, ippDelete);

/* Whom to ask, and as whom. Members are set by the caller, borrowed texts live as long as it. */
typedef struct IppPeer {
    Transfer *transfer;
    const Errand *errand;
    const char *url;    /* http:// or https://                          */
    const char *socket; /* Unix socket to connect to instead, "" = none */
    const char *uri;    /* printer-uri                                  */
    const char *user;   /* requesting-user-name                         */
    HttpLogin login;
    bool old;        /* it knows IPP 1.1 only; found out by the first answer */
    int last_number; /* of a request                                         */
} IppPeer;

/* A request for the printer with what every request has; job_id > 0: about that job. Owned by the caller,
 * NULL without memory. */
ipp_t *ipp_request(const IppPeer *peer, ipp_op_t operation, int job_id);

/* Adds the names of the attributes that are wanted in the answer; names ends with NULL. */
void ipp_want(ipp_t *request, const char *const *names);

/* Sends a request, with the parcel behind it when with_document, and gives the answer, which the caller
 * owns. False: the result is filled; *ret_status is what the printer answered, or -1 when there was no
 * answer. Redone with IPP 1.1 when the printer asks for that, except with a document. */
bool ipp_ask(IppPeer *peer, ipp_t *request, const char *stage, bool with_document, int *ret_status,
             ipp_t **ret_answer);

/* The values of an attribute, joined with ", ", cut to size; "" when it is not there. */
void ipp_words(ipp_attribute_t *attribute, char *to, size_t size);

#endif
