/* tests/fuzz/fuzz-esci.c - any bytes as each block of ESC/I. Properties: what was read is written back, and
 * reads the same again. */
#include "base/text.h"
#include "wire/esci.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void try_identity(Bytes in)
{
    AUTO_BUF out = buf_with_max(ESCI_IDENTITY_SIZE);
    EsciIdentity id, again;

    if (esci_identity_decode(in, &id) != WIRE_OK)
        return;
    must(esci_identity_encode(&out, &id));
    must(esci_identity_decode(buf_bytes(&out), &again) == WIRE_OK);
    must(text_equal(again.product, id.product) && text_equal(again.level, id.level) &&
         text_equal(again.firmware, id.firmware) && again.adf_height == id.adf_height &&
         again.capabilities_2 == id.capabilities_2 && again.output_bits == id.output_bits);
}

static void try_parameters(Bytes in)
{
    AUTO_BUF out = buf_with_max(ESCI_PARAMETERS_SIZE);
    EsciParameters p;

    if (esci_parameters_decode(in, &p) != WIRE_OK)
        return;
    (void)esci_line_bytes(&p);
    must(esci_parameters_encode(&out, &p));
    enum { USED = 39 };
    must(memcmp(out.p, in.p, USED) == 0);
}

static void try_blocks(Bytes in)
{
    AUTO_BUF out = buf_with_max(ESCI_BLOCKS_SIZE);
    EsciBlocks blocks;

    if (esci_blocks_decode(in, &blocks) == WIRE_OK)
        must(esci_blocks_encode(&out, &blocks) && bytes_equal(buf_bytes(&out), in));
}

static void try_status(Bytes in)
{
    AUTO_BUF out = buf_with_max(ESCI_STATUS_SIZE);
    EsciStatus status;

    if (esci_status_decode(in, &status) == WIRE_OK)
        must(esci_status_encode(&out, &status) && memcmp(out.p, in.p, 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes in = { data, size };

    try_identity(in);
    try_parameters(in);
    try_blocks(in);
    try_status(in);
    return 0;
}
