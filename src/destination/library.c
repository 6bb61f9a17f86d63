/* destination/library.c - see library.h. */
#include "destination/library.h"

#include "base/text.h"

#include <string.h>

static const char *const check_in_words[] = { "major", "minor", "never", NULL };

static const Field column_fields[] = {
    TEXT(LibraryColumn, name, true,
         "Internal name of the column: as in the address of its settings, Due_x0020_Date for Due "
         "Date."),
    PATTERN(LibraryColumn, value, FIELD_PATTERN_TEXT,
            "Value as a person would type it, with tokens such as {date:%Y-%m-%d} or {job}."),
    FIELDS_END,
};

const Field library_option_fields[] = {
    SITE_OPTION_FIELDS,
    LIST(LibraryOptions, columns, column_count, column_fields, 0,
         "Columns that are filled before the document gets its name."),
    CHOICE(LibraryOptions, check_in, check_in_words, CHECK_IN_MAJOR,
           "With a library that wants files checked out: check in as a major or minor version, or "
           "never."),
    PATTERN_PRESET(LibraryOptions, comment, FIELD_PATTERN_TEXT, "Scanned with {device}",
                   "Comment of the check-in, with tokens."),
    FIELDS_END,
};

bool library_text(const Errand *errand, const char *pattern, Buf *out)
{
    Err err;

    return name_text_resolve(pattern, &errand->parcel->facts, out, &err) ||
           delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                           "Correct the columns or the comment in the job.", "%s", err.text);
}

/* Cuts the last whole character of a text. */
static void drop_last(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && ((uint8_t)text[n - 1] & 0xc0) == 0x80)
        n--;
    text[n > 0 ? n - 1 : 0] = '\0';
}

void library_fit(char name[FILE_NAME_BYTES_MAX + 1], const char *blocked, size_t chars_max)
{
    char extension[FILE_NAME_BYTES_MAX + 1] = "", stem[FILE_NAME_BYTES_MAX + 1];
    char *dot = strrchr(name, '.'), *bad;

    if (dot && dot != name) {
        (void)text_copy(extension, sizeof extension, dot);
        *dot = '\0';
    }
    if (text_starts_with(name, "~$"))
        name[0] = name[1] = '_';
    for (char *c = name; *c; c++)
        if (strchr(blocked, *c))
            *c = '_';
    for (char *c = extension; *c; c++)
        if (strchr(blocked, *c))
            *c = '_';
    while ((bad = strstr(name, "_vti_")))
        *bad = '-';
    while ((bad = strstr(name, ".."))) /* 2013 */
        bad[1] = '_';
    name_clean(name, FILE_NAME_BYTES_MAX + 1);
    while (name[1] && text_length(name) + text_length(extension) > chars_max)
        drop_last(name);
    (void)text_copy(stem, sizeof stem, name);
    if (text_equal_nocase(stem, "desktop") && text_equal_nocase(extension, ".ini"))
        (void)text_copy(stem, sizeof stem, "_desktop");
    (void)text_printf(name, FILE_NAME_BYTES_MAX + 1, "%s%s", stem, extension);
}

const char *library_name(const char *name)
{
    return name + (name[0] == '.');
}

void library_put_address(Buf *url, const char *address)
{
    size_t n = strlen(address);

    while (n > 0 && address[n - 1] == '/')
        n--;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)address[i];

        (void)(c <= ' ' || c >= 0x7f ? buf_printf(url, "%%%02X", c) : buf_put_u8(url, c));
    }
}
