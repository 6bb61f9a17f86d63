/* tests/fuzz/fuzz-pairing.c - any bytes as the name a button-only scanner says. Properties: what is shown is printable text
 * that fits; what was taken as it stood is the same bytes, and is read the same again. */
#include "base/text.h"
#include "model/pairing.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[PANEL_NAME_SIZE], again[PANEL_NAME_SIZE];
    bool clean = pairing_name_read((Bytes){ data, size }, name);
    size_t n = strlen(name);

    if (!text_is_utf8(bytes_of_text(name)) || text_has_control(name))
        abort();
    if (clean && (n > size || (n > 0 && memcmp(name, data, n) != 0)))
        abort();
    for (size_t i = n; clean && i < size; i++)
        if (data[i] != 0)
            abort();
    if (!pairing_name_read(bytes_of_text(name), again) || !text_equal(name, again))
        abort();
    return 0;
}
