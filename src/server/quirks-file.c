/* server/quirks-file.c - see quirks-file.h. */
#include "server/quirks-file.h"

#include "base/file.h"
#include "base/text.h"
#include "json/json.h"

#include <string.h>

enum { FILE_BYTES_MAX = 256 * 1024 };

/* src/server/quirks.yaml, embedded by the build. */
extern const unsigned char quirks_yaml[];
extern const unsigned long quirks_yaml_size;

typedef struct Reading {
    QuirkBook own; /* of this file: the same row twice is a mistake */
    const char *path;
    ConfigProblem *problem;
    void *arg;
    char where[48]; /* the row that is read */
    bool bad;
} Reading;

static void say(Reading *r, const char *where, const Err *err)
{
    char sentence[768];

    bool named = !err->field[0] || strstr(err->text, err->field);

    (void)text_printf(sentence, sizeof sentence, "%s: %s%s%s%s%s%s", r->path, where,
                      named ? "" : err->field, named ? "" : ": ", err->text,
                      err->remedy[0] ? ". " : "", err->remedy);
    r->problem(r->arg, sentence);
    r->bad = true;
}

static void say_of_row(void *arg, const Err *err)
{
    Reading *r = arg;

    say(r, r->where, err);
}

/* Says everything that is wrong with a row. What says nothing (auto, 0) is no value of a row. */
static bool row_is_sound(Reading *r, const Json *item)
{
    enum { FIELDS_MAX = 24 };
    Field fields[FIELDS_MAX] = { 0 };

    for (size_t i = 0; quirk_fields[i].name && i + 1 < FIELDS_MAX; i++) {
        fields[i] = quirk_fields[i];
        if (fields[i].type == FIELD_CHOICE)
            fields[i].choices++;
        if (fields[i].type == FIELD_INT)
            fields[i].min = 1;
    }
    return json_check_each(item, fields, say_of_row, r);
}

static void take_row(Reading *r, const Json *item, size_t i)
{
    Quirk *row = &r->own.rows[r->own.count];
    Err err = { 0 };

    (void)text_printf(r->where, sizeof r->where, "quirks[%zu]: ", i + 1);
    if (r->own.count == QUIRKS_MAX) {
        err_set(&err, ERR_BAD_INPUT, 0, "more than %d rows", QUIRKS_MAX);
        say(r, r->where, &err);
    } else if (row_is_sound(r, item)) {
        if (json_read_fields(item, quirk_fields, row, sizeof *row, &err) &&
            quirk_check(&r->own, row, &err)) {
            r->own.count++;
            return;
        }
        err_prefix(&err, "line %u", json_line(item));
        say(r, r->where, &err);
    }
}

static bool only_quirks(void *arg, const char *name, const Json *value)
{
    Reading *r = arg;
    Err err = { 0 };

    if (!text_equal(name, "quirks"))
        err_set(&err, ERR_BAD_INPUT, 0, "\"%.60s\": there is only quirks, a list of rows", name);
    else if (json_kind(value) == JSON_NULL_VALUE)
        err_set(&err, ERR_BAD_INPUT, 0, "quirks is empty; give it rows, or leave it out");
    else if (json_kind(value) != JSON_ARR)
        err_set(&err, ERR_BAD_INPUT, 0, "quirks is no list; each of its rows begins with \"- \"");
    else
        return true;
    err_prefix(&err, "line %u", json_line(value));
    say(r, "", &err);
    return true;
}

static void take_text(Reading *r, Bytes text)
{
    Err err = { 0 };
    AUTO(Json) whole = json_parse_yaml(text, &err);

    if (!whole) {
        say(r, "", &err);
        return;
    }
    if (json_kind(whole) != JSON_OBJ && json_kind(whole) != JSON_NULL_VALUE) {
        err_set(&err, ERR_BAD_INPUT, 0, "no mapping; it begins with \"quirks:\"");
        say(r, "", &err);
        return;
    }
    (void)json_each(whole, only_quirks, r);
    const Json *rows = json_get(whole, "quirks");
    for (size_t i = 0; json_kind(rows) == JSON_ARR && i < json_count(rows); i++)
        take_row(r, json_item(rows, i), i);
}

/* The rows of one file behind those that are there; what is more than the book holds is said. */
static bool append(Reading *r, QuirkBook *book)
{
    Err err = { 0 };

    for (size_t i = 0; i < r->own.count; i++) {
        if (book->count == QUIRKS_MAX) {
            err_set(&err, ERR_BAD_INPUT, 0, "more than %d rows in all", QUIRKS_MAX);
            say(r, "", &err);
            break;
        }
        book->rows[book->count++] = r->own.rows[i];
    }
    return !r->bad;
}

bool quirks_file_read(const char *path, QuirkBook *ret_book, ConfigProblem *problem, void *arg)
{
    static Reading own, program;
    AUTO_BUF text = buf_with_max(FILE_BYTES_MAX);
    Err err = { 0 };

    *ret_book = (QuirkBook){ 0 };
    own = (Reading){ .path = path, .problem = problem, .arg = arg };
    program = (Reading){ .path = "quirks of the program", .problem = problem, .arg = arg };
    if (path[0] && !file_read_path(path, &text, &err))
        say(&own, "", &err);
    else if (path[0])
        take_text(&own, buf_bytes(&text));
    take_text(&program, (Bytes){ quirks_yaml, quirks_yaml_size });
    bool ok = append(&own, ret_book);
    return append(&program, ret_book) && ok;
}
