/* base/field.h - settings as tables.
 *
 * One table per settings struct drives the JSON and YAML form, the REST schema, the manual and the
 * handling of secrets. Nothing about a field is written twice. The structs hold fixed arrays, so a
 * settings struct can be copied with = and needs no free. */
#ifndef PLATEN_BASE_FIELD_H
#define PLATEN_BASE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum FieldType {
    FIELD_TEXT,   /* char[size]                                                           */
    FIELD_SECRET, /* char[size]; written, never shown again                               */
    FIELD_INT,    /* int64_t                                                              */
    FIELD_BOOL,   /* bool                                                                 */
    FIELD_CHOICE, /* int64_t index into choices; its word in JSON                         */
    FIELD_LIST,   /* array of `max` structs of item_size bytes and a size_t count         */
    FIELD_JSON,   /* char[size] that holds one JSON object as text, "" = {}               */
} FieldType;

/* Texts with tokens in braces (model/name.h). */
typedef enum FieldPattern {
    FIELD_PATTERN_NONE,
    FIELD_PATTERN_FOLDER,    /* parts of a path, separated by "/"          */
    FIELD_PATTERN_TEXT,      /* free text, as in a mail                    */
    FIELD_PATTERN_ADDRESSES, /* a list of mail addresses (model/mail-address.h) */
} FieldPattern;

typedef struct Field {
    const char *name; /* JSON key: stable for ever                                 */
    FieldType type;
    size_t offset;              /* into the settings struct                                  */
    size_t size;                /* TEXT, SECRET, JSON: bytes of the array, NUL included      */
    bool required;              /* must be present and, for text, not empty                  */
    bool is_path;               /* TEXT: an absolute path, or empty when not required        */
    FieldPattern pattern;       /* TEXT: may have tokens                                     */
    bool is_list;               /* TEXT in platen.conf: parts with commas, in several lines  */
    unsigned addresses_max;     /* ... a list of 1 to so many local addresses                */
    bool one_of_each;           /* ... of which one is of IPv4 and one of IPv6 at most         */
    int64_t min, max;           /* INT: range; LIST: number of items                         */
    int64_t preset;             /* INT, BOOL, CHOICE: default                                */
    const char *max_word;       /* INT in platen.conf: a word for max ("forever"), or NULL   */
    const char *preset_text;    /* TEXT: default, NULL = ""                                  */
    const char *const *choices; /* CHOICE: words, ends with NULL                             */
    const struct Field *items;  /* LIST: fields of one item                                  */
    size_t item_size;           /* LIST: bytes of one item                                   */
    size_t count_offset;        /* LIST: where the size_t count is                           */
    const char *help;           /* one sentence, shown in form and manual                    */
} Field;

#define FIELD_SIZEOF(S, m) sizeof(((S *)0)->m)

#define TEXT(S, m, req, h)                                                                    \
    {                                                                                         \
        .name = #m, .type = FIELD_TEXT, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .required = (req), .help = (h)                                                        \
    }
#define TEXT_PRESET(S, m, text, h)                                                            \
    {                                                                                         \
        .name = #m, .type = FIELD_TEXT, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .preset_text = (text), .help = (h)                                                    \
    }
#define PATTERN(S, m, kind, h)                                                                \
    {                                                                                         \
        .name = #m, .type = FIELD_TEXT, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .pattern = (kind), .help = (h)                                                        \
    }
#define PATTERN_PRESET(S, m, kind, text, h)                                                   \
    {                                                                                         \
        .name = #m, .type = FIELD_TEXT, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .pattern = (kind), .preset_text = (text), .help = (h)                                 \
    }
#define PATH(S, m, req, h)                                                                    \
    {                                                                                         \
        .name = #m, .type = FIELD_TEXT, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .required = (req), .is_path = true, .help = (h)                                       \
    }
#define PATH_PRESET(S, m, text, h)                                                            \
    {                                                                                         \
        .name = #m, .type = FIELD_TEXT, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .is_path = true, .preset_text = (text), .help = (h)                                   \
    }
#define SECRET(S, m, h)                                                                         \
    {                                                                                           \
        .name = #m, .type = FIELD_SECRET, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .help = (h)                                                                             \
    }
#define INTEGER(S, m, lo, hi, def, h)                                                      \
    {                                                                                      \
        .name = #m, .type = FIELD_INT, .offset = offsetof(S, m), .min = (lo), .max = (hi), \
        .preset = (def), .help = (h)                                                       \
    }
#define BOOLEAN(S, m, def, h)                                                                  \
    {                                                                                          \
        .name = #m, .type = FIELD_BOOL, .offset = offsetof(S, m), .preset = (def), .help = (h) \
    }
#define CHOICE(S, m, words, def, h)                                                     \
    {                                                                                   \
        .name = #m, .type = FIELD_CHOICE, .offset = offsetof(S, m), .choices = (words), \
        .preset = (def), .help = (h)                                                    \
    }
#define LIST(S, m, count_member, item_fields, lo, h)                                             \
    {                                                                                            \
        .name = #m, .type = FIELD_LIST, .offset = offsetof(S, m), .min = (lo),                   \
        .max = FIELD_SIZEOF(S, m) / sizeof *((S *)0)->m, .items = (item_fields),                 \
        .item_size = sizeof *((S *)0)->m, .count_offset = offsetof(S, count_member), .help = (h) \
    }
#define JSON_OBJECT(S, m, h)                                                                  \
    {                                                                                         \
        .name = #m, .type = FIELD_JSON, .offset = offsetof(S, m), .size = FIELD_SIZEOF(S, m), \
        .help = (h)                                                                           \
    }
#define FIELDS_END   \
    {                \
        .name = NULL \
    }

#endif
