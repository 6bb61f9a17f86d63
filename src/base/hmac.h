/* base/hmac.h - HMAC-SHA256 (RFC 2104) of bytes as they come; nettle's. */
#ifndef PLATEN_BASE_HMAC_H
#define PLATEN_BASE_HMAC_H

#include "base/bytes.h"

#include <nettle/hmac.h>

enum { HMAC_SIZE = 32 };

typedef struct Hmac {
    struct hmac_sha256_ctx state;
} Hmac;

/* Begins with a key; adds bytes, as often as they come. One thread per Hmac. */
void hmac_start(Hmac *hmac, Bytes key);
void hmac_add(Hmac *hmac, Bytes bytes);

/* Ends it; start again before adding more. */
void hmac_finish(Hmac *hmac, uint8_t ret_mac[HMAC_SIZE]);

/* The three in one call. key and ret_mac may be the same bytes. */
void hmac_of(Bytes key, Bytes bytes, uint8_t ret_mac[HMAC_SIZE]);

#endif
