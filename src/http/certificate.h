/* http/certificate.h - a self-signed certificate, so that HTTPS works from the first start.
 *
 * An EC P-256 key and a certificate for the host's name and loopback, valid for ten years: browsers
 * must be told to trust it, tools pin it. An administrator replaces both files. */
#ifndef PLATEN_HTTP_CERTIFICATE_H
#define PLATEN_HTTP_CERTIFICATE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/time.h"

/* Bytes of a certificate chain, or of its key, as PEM: more is read of no file. */
enum { CERTIFICATE_PEM_MAX = 256 * 1024 };

/* Appends PEM texts to both buffers. host_name: DNS name in the certificate, "" = localhost only.
 * ERR_TEMPORARY or ERR_BUG. Any thread but the loop: takes some milliseconds. */
bool certificate_make(const char *host_name, Wall now, Buf *certificate_pem, Buf *key_pem,
                      Err *err);

/* Whether an HTTPS listener can be made of a certificate chain and its key, both PEM. ERR_BAD_INPUT, with a cure. Any
 * thread. */
bool certificate_check(Bytes certificate_pem, Bytes key_pem, Err *err);

/* When the first certificate of a PEM text is valid. ERR_BAD_INPUT when it holds none. Any thread. */
bool certificate_validity(Bytes pem, Wall *ret_from, Wall *ret_until, Err *err);

#endif
