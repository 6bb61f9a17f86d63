/* tests/fuzz/fuzz-multistatus.c - answers of WebDAV servers. Property: what is read keeps to its ranges, and
 * what is refused says why. */
#include "destination/multistatus.h"

#include <stdint.h>
#include <stdlib.h>

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* The target, see tests/fuzz/meson.build. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Multistatus found;
    Err err;

    if (!multistatus_read((Bytes){ data, size }, &found, &err)) {
        must(err.kind == ERR_BAD_INPUT && err.text[0]);
        return 0;
    }
    must(found.failed == 0 || (found.failed >= 400 && found.failed <= 599));
    must(found.size_bytes >= -1 && found.free_bytes >= -1);
    must(found.known || (!found.collection && found.size_bytes == -1 && found.free_bytes == -1));
    return 0;
}
