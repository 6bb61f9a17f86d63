/* tests/unit/hexfile.h - golden bytes: reads tests/unit/data/NAME.hex.
 *
 * Lines that begin with '#' are comments. An item is hex digits that may go on over several lines;
 * a line that begins with '<' (from the device) or '>' (from the host) starts a new item. */
#ifndef PLATEN_TESTS_UNIT_HEXFILE_H
#define PLATEN_TESTS_UNIT_HEXFILE_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "tests/unit/cm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEXFILE_ITEMS_MAX = 128, HEXFILE_BYTES_MAX = 64 * 1024 };

typedef struct HexItem {
    bool from_device;
    Bytes bytes; /* points into HexFile */
} HexItem;

typedef struct HexFile {
    size_t count;
    HexItem item[HEXFILE_ITEMS_MAX];
    size_t used;
    uint8_t bytes[HEXFILE_BYTES_MAX];
} HexFile;

static inline void hexfile_line(HexFile *file, const char *line)
{
    if (line[0] == '<' || line[0] == '>' || file->count == 0) {
        assert_true(file->count < HEXFILE_ITEMS_MAX);
        file->item[file->count++] = (HexItem){ line[0] == '<', { file->bytes + file->used, 0 } };
    }
    while (*line) {
        char pair[3] = { line[0], line[1], '\0' };

        if (isxdigit((unsigned char)*line)) {
            assert_true(file->used < HEXFILE_BYTES_MAX);
            assert_true(text_unhex(pair, file->bytes + file->used, 1));
            file->used++;
            file->item[file->count - 1].bytes.n++;
            line++;
        }
        line++;
    }
}

/* Fails the test when the file cannot be read. The caller frees the result. */
static inline HexFile *hexfile_read(const char *name)
{
    const char *folder = getenv("PLATEN_TEST_DATA");
    char path[1024], line[512];
    HexFile *file = calloc(1, sizeof *file);

    assert_non_null(file);
    assert_non_null(folder);
    assert_true(text_printf(path, sizeof path, "%s/%s.hex", folder, name));
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in))
        if (line[0] != '#')
            hexfile_line(file, line);
    fclose(in);
    assert_true(file->count > 0);
    return file;
}

/* Fails the test unless both are the same bytes. */
static inline void assert_bytes_equal(Bytes got, Bytes wanted)
{
    assert_int_equal(got.n, wanted.n);
    if (wanted.n > 0)
        assert_memory_equal(got.p, wanted.p, wanted.n);
}

#endif
