/* base/sha256.h - SHA-256 (FIPS 180-4) as pages are received.
 *
 * The work is nettle's (SHA instructions where the processor has them): the one library base uses
 * beside libc, because spool, worker and delivery all compare the same hash. */
#ifndef PLATEN_BASE_SHA256_H
#define PLATEN_BASE_SHA256_H

#include "base/bytes.h"

#include <nettle/sha2.h>

enum { SHA256_SIZE = 32, SHA256_TEXT_SIZE = 65 };

typedef struct Sha256 {
    struct sha256_ctx state;
} Sha256;

/* Begins a hash; adds bytes to it, as often as they come. One thread per hash. */
void sha256_start(Sha256 *hash);
void sha256_add(Sha256 *hash, Bytes bytes);

/* Ends the hash as lower-case hex; start again before adding more. */
void sha256_finish(Sha256 *hash, char ret_text[SHA256_TEXT_SIZE]);

#endif
