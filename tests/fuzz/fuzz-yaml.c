/* tests/fuzz/fuzz-yaml.c - YAML texts. Property: what is read is written so that it is read back the
 * same, as JSON and as YAML. */
#include "json/json.h"

#include <stdint.h>
#include <stdlib.h>

/* The most that writing makes of one byte: an item of two bytes on a line of its own, 32 deep. */
enum { GROWTH_MAX = 80, OUT_BYTES_MIN = 1024 };

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* The target, see tests/fuzz/meson.build. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Err err;
    AUTO(Json) value = json_parse_yaml((Bytes){ data, size }, &err);
    AUTO_BUF compact = buf_with_max(size * GROWTH_MAX + OUT_BYTES_MIN);
    AUTO_BUF other = buf_with_max(size * GROWTH_MAX + OUT_BYTES_MIN);

    if (!value) {
        must(err.kind == ERR_BAD_INPUT && err.text[0]);
        return 0;
    }
    must(json_write(value, &compact));
    AUTO(Json) again = json_parse(buf_bytes(&compact), &err);
    must(again && json_write(again, &other) && bytes_equal(buf_bytes(&other), buf_bytes(&compact)));

    buf_clear(&other);
    must(json_write_yaml(value, &other));
    AUTO(Json) from_yaml = json_parse_yaml(buf_bytes(&other), &err);
    buf_clear(&other);
    must(from_yaml && json_write(from_yaml, &other) &&
         bytes_equal(buf_bytes(&other), buf_bytes(&compact)));
    return 0;
}
