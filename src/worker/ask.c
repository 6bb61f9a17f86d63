/* worker/ask.c - see ask.h. */
#include "worker/ask.h"

#include "base/limits.h"
#include "base/text.h"
#include "model/name.h"

static bool wrong(Err *err, const char *name, const char *expected)
{
    err_set(err, ERR_BAD_INPUT, 0, "%s is not %s", name, expected);
    return err_field(err, "%s", name);
}

bool ask_int(const Json *object, const char *name, int64_t min, int64_t max, int64_t *ret_value,
             Err *err)
{
    const Json *value = json_get(object, name);
    int64_t n = json_int(value, min - 1);

    /* A value that is no whole number gives two different answers. */
    if (n != json_int(value, max + 1) || n < min || n > max) {
        err_set(err, ERR_BAD_INPUT, 0, "%s is not a whole number within %lld..%lld", name,
                (long long)min, (long long)max);
        return err_field(err, "%s", name);
    }
    *ret_value = n;
    return true;
}

bool ask_int_or(const Json *object, const char *name, int64_t min, int64_t max, int64_t otherwise,
                int64_t *ret_value, Err *err)
{
    JsonKind kind = json_kind(json_get(object, name));

    if (kind == JSON_ABSENT || kind == JSON_NULL_VALUE) {
        *ret_value = otherwise;
        return true;
    }
    return ask_int(object, name, min, max, ret_value, err);
}

bool ask_moment(const Json *object, const char *ms_name, Wall *ret_wall, int *ret_offset_min,
                Err *err)
{
    static const int64_t year_10000_ms = 253402300800000;
    enum { DAY_MIN = 1440 };
    int64_t offset = 0;

    if (!ask_int(object, ms_name, 0, year_10000_ms - 1, &ret_wall->ms, err) ||
        !ask_int(object, "utc_offset_min", -DAY_MIN, DAY_MIN, &offset, err))
        return false;
    *ret_offset_min = (int)offset;
    return true;
}

bool ask_text(const Json *object, const char *name, const char **ret_text, Err *err)
{
    const char *text = json_text(json_get(object, name));

    if (!text || !text[0])
        return wrong(err, name, "a text");
    *ret_text = text;
    return true;
}

bool ask_file(const Json *object, const char *name, const char **ret_text, Err *err)
{
    const char *text = json_text(json_get(object, name));

    if (!text || !name_is_one_file(text))
        return wrong(err, name, "the name of one file");
    *ret_text = text;
    return true;
}

bool ask_sha256(const Json *object, const char *name, const char **ret_text, Err *err)
{
    enum { DIGITS = 64 };
    const char *text = json_text(json_get(object, name));

    if (!text || strlen(text) != DIGITS || strspn(text, "0123456789abcdef") != DIGITS)
        return wrong(err, name, "a SHA-256 in lower-case hex");
    *ret_text = text;
    return true;
}

bool ask_path(const Json *object, const char *name, const char **ret_text, Err *err)
{
    const char *text = json_text(json_get(object, name));

    if (!text || text[0] != '/' || strlen(text) >= PATH_TEXT_SIZE || strstr(text, "/../") ||
        strstr(text, "/./") || text_ends_with(text, "/..") || text_ends_with(text, "/."))
        return wrong(err, name, "an absolute path without . and ..");
    *ret_text = text;
    return true;
}

bool ask_array(const Json *object, const char *name, size_t max, const Json **ret_array, Err *err)
{
    const Json *array = json_get(object, name);

    if (json_kind(array) != JSON_ARR || json_count(array) == 0 || json_count(array) > max)
        return wrong(err, name, "a list with something in it");
    *ret_array = array;
    return true;
}
