/* mfp/tray.h - the paper of the virtual device: pictures that stand for printed sides.
 *
 * A tray deals pictures in a fixed order again and again: into the feeder, where a stack of so many sheets was
 * put, and onto the glass, where the next picture always lies. Several devices may share the pictures of one
 * tray, each with its own stack. It never decodes a picture. Not thread safe: everything in mfp/ belongs to the
 * loop thread. */
#ifndef PLATEN_MFP_TRAY_H
#define PLATEN_MFP_TRAY_H

#include "base/cleanup.h"
#include "mfp/picture.h"

enum {
    TRAY_PICTURES_MAX = 10000,
    TRAY_BYTES_MAX = 1024 * 1024 * 1024, /* all pictures of one folder: they are held in memory */
    TRAY_SHEETS_MAX = 1000000,
};

typedef struct Tray Tray;

/* An empty tray. NULL with ERR_TEMPORARY when memory is gone. */
Tray *tray_new(Err *err);
/* A tray with the pictures of another one, which must live longer; its feeder is empty. */
Tray *tray_share(const Tray *pictures, Err *err);
void tray_free(Tray *tray); /* accepts NULL */
DEFINE_AUTO(Tray, tray_free);

/* Appends a copy of a file: its one picture, or each page of a TIFF. ERR_BAD_INPUT: picture_read; ERR_PERMANENT
 * over the maxima. Not for a tray that shares. */
bool tray_add(Tray *tray, Bytes file, Err *err);

/* Told of a file that is skipped; the text of why begins with its path. */
typedef void TraySkipped(const Err *why);

/* Appends every file of a folder in the order of their names (bytes compared); names that begin with a dot and
 * folders are left out. Files of other endings than those of JPEG, PNG, TIFF and PDF are skipped, and those that
 * cannot be read; a name without an ending is tried. ERR_BAD_INPUT: no page is left; ERR_NOT_FOUND or ERR_DENIED: the
 * folder; ERR_PERMANENT over the maxima, ERR_TEMPORARY. A PDF is rendered here (mfp/pdf.h). Reads files and waits, so
 * it is called before the loop runs. */
bool tray_add_folder(Tray *tray, const char *folder, TraySkipped *skipped, Err *err);

/* Says the resolution of pictures that do not say their own. */
void tray_set_dpi(Tray *tray, uint32_t dpi);

/* Pictures of the tray, each counted once however often it is dealt. */
size_t tray_picture_count(const Tray *tray);

/* Puts a stack of sheets into the feeder, in place of what lay there; its first sheet is the picture
 * behind the one that was fed last, so that a large folder lasts for many scans of different pages.
 * Behind the last picture comes the first. */
void tray_load(Tray *tray, size_t sheets);

/* Sheets left in the feeder. */
size_t tray_sheets(const Tray *tray);

/* The sides of one sheet. They live as long as the pictures. */
typedef struct Sheet {
    const Picture *sides[2]; /* front, back */
} Sheet;

/* Draws the next sheet of the stack. sides: 1 or 2, how many pictures a sheet stands for; a scan that begins on a stack
 * decides it for the stack. last_first: the feeder takes the stack from below. False when it is empty. */
bool tray_feed(Tray *tray, unsigned sides, bool last_first, Sheet *ret_sheet);

/* The picture on the glass; each call turns to the next one. NULL only without any picture. */
const Picture *tray_glass(Tray *tray);

#endif
