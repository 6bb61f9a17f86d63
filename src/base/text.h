/* base/text.h - UTF-8 text in fixed arrays: copying with a cut, checking, parsing, hex.
 *
 * Nothing here allocates. "Cut" always ends at a whole UTF-8 character. Any thread. */
#ifndef PLATEN_BASE_TEXT_H
#define PLATEN_BASE_TEXT_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies text into to[size] (size >= 1), always NUL-terminated. False when it had to be cut. */
bool text_copy(char *to, size_t size, const char *text);

/* The same for bytes; a NUL byte inside ends the text and gives false. */
bool text_copy_bytes(char *to, size_t size, Bytes bytes);

/* snprintf into to[size] that answers false when the text was cut. */
bool text_printf(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

bool text_equal(const char *a, const char *b);        /* NULL equals nothing              */
bool text_equal_nocase(const char *a, const char *b); /* ASCII letters only               */
bool bytes_equal_nocase(Bytes a, const char *text);   /* ASCII letters only               */
bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without NUL bytes. */
bool text_is_utf8(Bytes bytes);

/* Characters (code points) of a well-formed UTF-8 text. */
size_t text_length(const char *text);

/* True when the text has a control character (below 0x20 or 0x7f). */
bool text_has_control(const char *text);

/* One word of a command that people are told to type: as it is when a shell takes it so, else in single quotes (POSIX.1-2017,
 * Shell Command Language 2.2.2). False, and '' in its place, when it does not fit: a part of a name is another name. */
enum { TEXT_SHELL_BYTES = 4 /* at most that of one byte; and 3 for all */ };
bool text_shell(char *to, size_t size, const char *text);

/* Whole text as a decimal number within min..max; no blanks, no plus sign. */
bool text_to_int(const char *text, int64_t min, int64_t max, int64_t *ret_value);
bool bytes_to_int(Bytes bytes, int64_t min, int64_t max, int64_t *ret_value);

/* The next word of a list whose words have any number of the characters of between around them. Moves *at
 * behind it; false at the end of the list. */
bool text_next_word(const char **at, const char *between, Bytes *ret_word);

/* The text without the characters of blanks at its two ends. */
Bytes bytes_trimmed(Bytes text, const char *blanks);

/* Cut off the front of *rest. take_until: what stands before the separator, which goes as well; all of it when
 * there is none. take_line: a line without its LF or CR LF; false when no end of a line is there. */
Bytes bytes_take_until(Bytes *rest, char separator);
bool bytes_take_line(Bytes *rest, Bytes *ret_line);

/* Puts "?" in the place of every byte that is no printable ASCII: for what a device says, which ends in logs and names. */
void text_make_printable(char *text);

/* Lower-case hex of bytes into to (2 * n + 1 characters). */
void text_hex(char *to, Bytes bytes);
/* The same behind what is in a Buf, which must have room for that and the zero. False: it fails. */
bool text_put_hex(Buf *out, Bytes bytes);

/* Hex (either case) into bytes; false when odd, foreign or not exactly n bytes. */
bool text_unhex(const char *text, uint8_t *ret_bytes, size_t n);

/* The candidate that is nearest to word by edit distance, NULL when none is near (more than a
 * third of its length away). candidates ends with NULL. For "did you mean". */
const char *text_nearest(const char *word, const char *const *candidates);

#endif
