/* base/hmac.c - see hmac.h. */
#include "base/hmac.h"

void hmac_start(Hmac *hmac, Bytes key)
{
    hmac_sha256_set_key(&hmac->state, key.n, key.p ? key.p : (const uint8_t *)"");
}

void hmac_add(Hmac *hmac, Bytes bytes)
{
    if (bytes.n > 0)
        hmac_sha256_update(&hmac->state, bytes.n, bytes.p);
}

void hmac_finish(Hmac *hmac, uint8_t ret_mac[HMAC_SIZE])
{
    hmac_sha256_digest(&hmac->state, HMAC_SIZE, ret_mac);
}

void hmac_of(Bytes key, Bytes bytes, uint8_t ret_mac[HMAC_SIZE])
{
    Hmac hmac;

    hmac_start(&hmac, key);
    hmac_add(&hmac, bytes);
    hmac_finish(&hmac, ret_mac);
}
