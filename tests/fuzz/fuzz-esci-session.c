/* tests/fuzz/fuzz-esci-session.c - any older device against the ESC/I session.
 *
 * The first byte chooses the source, the colour, the size of segments and what the host does when a page begins;
 * the rest is what the device sends. */
#include "device/esci-session.h"
#include "tests/fuzz/scan-world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCE_BITS = 3, SOURCES = 3, SEGMENT_BITS = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    ScanOrder order = { .source = (ScanSource)((data[0] & SOURCE_BITS) % SOURCES),
                        .color = (ScanColor)(data[0] >> SEGMENT_BITS) % (SCAN_COLOR_BW + 1),
                        .dpi = 75,
                        .sides = SCAN_SIDES_TWO };
    World w = { .choice = data[0],
                .segment = (size_t)1 << (data[0] >> SEGMENT_BITS),
                .two_sides = true,
                .only_lines = true,
                .session = esci_session_new(&order, &(ScanTraits){ 0 }, (Mono){ 0 }) };

    world_run(&w, (Bytes){ data + 1, size - 1 });
    return 0;
}
