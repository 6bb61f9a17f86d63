/* model/name.h - names of delivered files: the pattern a job gives, and what may be in a file name.
 *
 * A pattern is plain text with tokens in braces:
 *
 *   {date}  {date:%Y-%m-%d}   day of Start in the site's time   (preset %Y%m%d)
 *   {time}  {time:%H-%M-%S}   time of Start                     (preset %H%M%S)
 *   {seq:N}                   the job's counter, at least N digits (1..9)
 *   {job}  {device}           names, as they were at Start
 *   {doc}  {pages}            number of the document in its batch; its pages
 *
 * Two steps, because the counter is taken in the transaction that stores the documents: the plan
 * resolves everything but {seq:N} (name_resolve), the store finishes the name (name_finish). Both are
 * pure. Nothing that a value holds (a job called "{seq:3}") is read as a token. Any thread. */
#ifndef PLATEN_MODEL_NAME_H
#define PLATEN_MODEL_NAME_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    NAME_SEQ_DIGITS_MAX = 9,
    NAME_TEMPLATE_SIZE = 1024, /* a resolved pattern, before it is cut to FILE_NAME_BYTES_MAX */
};

/* What the tokens of one document stand for. Borrowed texts, never NULL. */
typedef struct NameFacts {
    Wall started;
    int utc_offset_min;
    const char *job, *device;
    uint32_t document, pages;
} NameFacts;

/* Checks a pattern as it is stored in a job. ERR_BAD_INPUT names the nearest right token, the first
 * character at fault, or the date letter that is not one of %Y %y %m %d %H %M %S. */
bool name_pattern_check(const char *pattern, Err *err);

/* True when a pattern or template that passed the check has a counter. */
bool name_has_seq(const char *pattern);

/* True when it distinguishes documents of one batch: {seq:N} or {doc}. */
bool name_tells_documents_apart(const char *pattern);

/* Resolves everything but {seq:N}. A template of that kind is a pattern again: values hold no brace
 * and no character that a file name may not hold. ERR_BAD_INPUT as above. */
bool name_resolve(const char *pattern, const NameFacts *facts,
                  char ret_template[NAME_TEMPLATE_SIZE], Err *err);

/* The file name: {seq:N} becomes seq, the stem is cleaned (name_clean), "." and extension follow. The
 * whole is at most FILE_NAME_BYTES_MAX bytes: the longest run of text between counters is cut, never
 * a counter. seq: 0..10^15; extension without dot, at most 10 characters. */
bool name_finish(const char *template, uint64_t seq, const char *extension,
                 char ret_name[FILE_NAME_BYTES_MAX + 1], Err *err);

/* Checks a folder below a destination's: parts as in a pattern, separated by "/", without counters, none of
 * them empty, "." or ".."; "" is the destination's own. ERR_BAD_INPUT. */
bool name_folder_check(const char *pattern, Err *err);

/* Resolves such a folder: parts that name_clean has passed, separated by "/". ERR_BAD_INPUT as above, and when it
 * gets too long. */
bool name_folder_resolve(const char *pattern, const NameFacts *facts,
                         char ret_folder[PATH_TEXT_SIZE], Err *err);

/* Takes the first part from *folder, a resolved one, and leaves the rest; false when there is none. */
bool name_folder_part(const char **folder, char ret_part[FILE_NAME_BYTES_MAX + 1]);

/* Checks free text with tokens, as in a mail; any text without counters and lone braces. ERR_BAD_INPUT. */
bool name_text_check(const char *pattern, Err *err);

/* Appends such a text with its values, of which only control characters become "_". ERR_BAD_INPUT. */
bool name_text_resolve(const char *pattern, const NameFacts *facts, Buf *out, Err *err);

/* Makes a text safe as the stem of a file name on Windows and here, in place: / \ : * ? " < > | and
 * control characters become "_"; blanks at the ends and dots at the end go; a leading dot becomes
 * "_"; reserved words (CON, NUL, COM1 ...) get "_" in front; an empty stem becomes "_". size: of the
 * array, at least 8. */
void name_clean(char *stem, size_t size);

/* True when name can be the name of one file in a folder: 1..FILE_NAME_BYTES_MAX bytes of UTF-8, no
 * "/", no control character, not "." or "..". For names that come from elsewhere. */
bool name_is_one_file(const char *name);

/* The name with "_N" before its extension ("scan_2.pdf"), cut to FILE_NAME_BYTES_MAX. n >= 2. */
void name_with_number(const char *name, uint32_t n, char ret_name[FILE_NAME_BYTES_MAX + 1]);

#endif
