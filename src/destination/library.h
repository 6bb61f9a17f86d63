/* destination/library.h - what document libraries of SharePoint share, on premises and online: what a job
 * says about them, and which names they take. */
#ifndef PLATEN_DESTINATION_LIBRARY_H
#define PLATEN_DESTINATION_LIBRARY_H

#include "destination/site.h"

enum {
    LIBRARY_COLUMNS_MAX = 12,
    LIBRARY_COLUMN_SIZE = 64,
    LIBRARY_VALUE_SIZE = 256,
    LIBRARY_TEXT_MAX = 1024, /* a value or comment with its tokens resolved */
};

/* How a file that the library leaves checked out to us is checked in. */
typedef enum LibraryCheckIn { CHECK_IN_MAJOR, CHECK_IN_MINOR, CHECK_IN_NEVER } LibraryCheckIn;

typedef struct LibraryColumn {
    char name[LIBRARY_COLUMN_SIZE];
    char value[LIBRARY_VALUE_SIZE]; /* a text with tokens */
} LibraryColumn;

typedef struct LibraryOptions {
    SiteOptions site;
    LibraryColumn columns[LIBRARY_COLUMNS_MAX];
    size_t column_count;
    int64_t check_in; /* LibraryCheckIn */
    char comment[LIBRARY_VALUE_SIZE];
} LibraryOptions;

extern const Field library_option_fields[];

/* Appends a text of the job with its tokens resolved. False with the result filled (CONFIG, locate). */
bool library_text(const Errand *errand, const char *pattern, Buf *out);

/* Makes a name one that a library takes, in place: characters of blocked become "_", as well as what no
 * version takes (a dot or "~$" at the beginning, two dots together, blanks and dots at the end, reserved
 * words, "_vti_"); the stem is cut so that the whole has at most chars_max characters. */
void library_fit(char name[FILE_NAME_BYTES_MAX + 1], const char *blocked, size_t chars_max);

/* Our temporary name begins with a dot, which SharePoint refuses: the name that is used there. */
const char *library_name(const char *name);

/* Appends an address that a person wrote, without slashes at its end: blanks and what is no ASCII as %XX. */
void library_put_address(Buf *url, const char *address);

#endif
