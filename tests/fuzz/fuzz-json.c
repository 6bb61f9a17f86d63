/* tests/fuzz/fuzz-json.c - JSON texts. Property: what is read is written so that it is read back the
 * same, as JSON and as YAML; and no setting is read from it that breaks the limits of its field. */
#include "base/field.h"
#include "base/text.h"
#include "json/json.h"

#include <stdint.h>
#include <stdlib.h>

/* The most that writing makes of one byte: an item of two bytes on a line of its own, 32 deep. */
enum { GROWTH_MAX = 80, OUT_BYTES_MIN = 1024 };

typedef struct Settings {
    char name[8];
    int64_t port, sides;
    bool tls;
    struct {
        char folder[8];
    } targets[2];
    size_t target_count;
    char extra[16];
} Settings;

typedef struct Target {
    char folder[8];
} Target;

static const char *const sides_words[] = { "simplex", "duplex", NULL };
static const Field target_fields[] = { TEXT(Target, folder, true, "Where."), FIELDS_END };
static const Field settings_fields[] = {
    TEXT(Settings, name, false, "Name."),
    INTEGER(Settings, port, 1, 9, 1, "Port."),
    CHOICE(Settings, sides, sides_words, 0, "Sides."),
    BOOLEAN(Settings, tls, true, "TLS."),
    LIST(Settings, targets, target_count, target_fields, 0, "Targets."),
    JSON_OBJECT(Settings, extra, "More."),
    FIELDS_END,
};

static void must(bool fact)
{
    if (!fact)
        abort();
}

static void check_settings(const Json *value)
{
    Settings s;
    Err err;

    if (!json_read_fields(value, settings_fields, &s, sizeof s, &err)) {
        must(err.kind == ERR_BAD_INPUT && err.text[0]);
        return;
    }
    must(strnlen(s.name, sizeof s.name) < sizeof s.name && s.port >= 1 && s.port <= 9);
    must(s.target_count <= COUNT_OF(s.targets) && s.sides >= 0 && s.sides <= 1);
    AUTO(Json) shown = json_from_fields(settings_fields, &s, true);
    Settings again;
    must(shown && json_read_fields(shown, settings_fields, &again, sizeof again, &err));
    must(text_equal(s.extra, again.extra) && s.target_count == again.target_count);
}

/* The target, see tests/fuzz/meson.build. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Err err;
    AUTO(Json) value = json_parse((Bytes){ data, size }, &err);
    AUTO_BUF compact = buf_with_max(size * GROWTH_MAX + OUT_BYTES_MIN);
    AUTO_BUF other = buf_with_max(size * GROWTH_MAX + OUT_BYTES_MIN);

    if (!value) {
        must(err.kind == ERR_BAD_INPUT && err.text[0]);
        return 0;
    }
    must(json_write(value, &compact) && !memchr(compact.p, '\n', compact.n));
    AUTO(Json) again = json_parse(buf_bytes(&compact), &err);
    must(again && json_write(again, &other) && bytes_equal(buf_bytes(&other), buf_bytes(&compact)));

    buf_clear(&other);
    must(json_write_yaml(value, &other));
    AUTO(Json) from_yaml = json_parse_yaml(buf_bytes(&other), &err);
    buf_clear(&other);
    must(from_yaml && json_write(from_yaml, &other) &&
         bytes_equal(buf_bytes(&other), buf_bytes(&compact)));
    check_settings(value);
    return 0;
}
