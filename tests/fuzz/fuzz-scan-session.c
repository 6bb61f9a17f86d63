/* tests/fuzz/fuzz-scan-session.c - any device against the scan session, from the welcome on.
 *
 * The first byte chooses source, sides, colour, the size of segments and what the host does when a page begins;
 * the rest is what the device sends. */
#include "device/esci2-session.h"
#include "tests/fuzz/scan-world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ONE_SOURCE = 0x01, /* the feeder, which is waited for; else automatic */
    TWO_SIDES = 0x02,
    LINES = 0x20, /* black and white: raw pages                         */
    SEGMENT_BITS = 6,
    SEGMENT_STEP = 3,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    ScanOrder order = { .source = data[0] & ONE_SOURCE ? SCAN_SOURCE_ADF : SCAN_SOURCE_AUTO,
                        .color = data[0] & LINES ? SCAN_COLOR_BW : SCAN_COLOR_COLOR,
                        .dpi = 300,
                        .more_sheets_s = data[0] & ONE_SOURCE ? 5 : 0,
                        .jpeg_quality = 90,
                        .sides = data[0] & TWO_SIDES ? SCAN_SIDES_TWO : SCAN_SIDES_ONE };
    World w = { .choice = data[0],
                .segment = (size_t)1 << ((data[0] >> SEGMENT_BITS) * SEGMENT_STEP),
                .two_sides = data[0] & TWO_SIDES,
                .session = esci2_session_new(&order, &(ScanTraits){ 0 }, (Mono){ 0 }) };

    world_run(&w, (Bytes){ data + 1, size - 1 });
    return 0;
}
