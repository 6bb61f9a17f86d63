/* base/sha256.c - see sha256.h. */
#include "base/sha256.h"

#include "base/text.h"

void sha256_start(Sha256 *hash)
{
    sha256_init(&hash->state);
}

void sha256_add(Sha256 *hash, Bytes bytes)
{
    if (bytes.n > 0)
        sha256_update(&hash->state, bytes.n, bytes.p);
}

void sha256_finish(Sha256 *hash, char ret_text[SHA256_TEXT_SIZE])
{
    uint8_t digest[SHA256_SIZE];

    sha256_digest(&hash->state, sizeof digest, digest);
    text_hex(ret_text, (Bytes){ digest, sizeof digest });
}
