/* tests/fuzz/fuzz-tables.c - any bytes as a table of devices and as ranges of addresses. Properties: a table
 * ends, its lines count up, every field is text; every address of a range can be told. */
#include "base/text.h"
#include "model/csv.h"
#include "model/discovery.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_table(Bytes in)
{
    CsvReader reader = csv_reader(in);
    unsigned before = 0;
    CsvRecord record;
    CsvResult result;
    Err err;

    while ((result = csv_next(&reader, &record, &err)) != CSV_END) {
        if (record.line <= before || record.count > CSV_FIELDS_MAX)
            abort();
        before = record.line;
        for (size_t i = 0; result == CSV_RECORD && i < record.count; i++)
            if (!text_is_utf8(bytes_of_text(record.fields[i])))
                abort();
    }
    if (reader.rest.n != 0)
        abort();
}

static void try_ranges(Bytes in)
{
    char text[sizeof((DiscoveryWish *)0)->ranges], at[ADDRESS_TEXT_SIZE];
    AddressRanges ranges;
    Err err;

    if (!text_copy_bytes(text, sizeof text, in) || !address_ranges_parse(text, &ranges, &err))
        return;
    if (ranges.addresses > DISCOVERY_ADDRESSES_MAX)
        abort();
    for (uint32_t i = 0; i < ranges.addresses; i++) {
        address_ranges_at(&ranges, i, at);
        if (!device_address_normal(at, &err))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_table((Bytes){ data, size });
    try_ranges((Bytes){ data, size });
    return 0;
}
