/* mfp/tray.h - the paper of the virtual device: JPEG pictures that stand for printed sheets.
 *
 * A tray holds pictures in memory, in a fixed order, and deals them out again and again: into the
 * feeder, where a stack of so many sheets was put, and onto the glass, where the next picture always
 * lies. It never decodes a picture; it only finds its size and where its headers end. Not thread
 * safe: everything in mfp/ belongs to the loop thread. */
#ifndef PLATEN_MFP_TRAY_H
#define PLATEN_MFP_TRAY_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

enum {
    TRAY_PICTURES_MAX = 10000,
    TRAY_BYTES_MAX = 1024 * 1024 * 1024, /* all pictures of one folder: they are held in memory */
    TRAY_SHEETS_MAX = 1000000,
};

/* One side of a sheet. */
typedef struct TrayPage {
    Bytes jpeg; /* the whole file, FFD8 ... FFD9; owned by the tray           */
    uint32_t width_px, height_px;
    size_t head_bytes; /* from FFD8 to the end of the SOS segment: where pixels begin */
} TrayPage;

/* Finds size and head of a picture; ret_page->jpeg is borrowed from jpeg. ERR_BAD_INPUT says what is
 * wrong: no JPEG, cut, without a size. Entropy-coded data is not looked at. */
bool tray_page_read(Bytes jpeg, TrayPage *ret_page, Err *err);

typedef struct Tray Tray;

/* An empty tray. NULL with ERR_TEMPORARY when memory is gone. */
Tray *tray_new(Err *err);
void tray_free(Tray *tray); /* accepts NULL */
DEFINE_AUTO(Tray, tray_free);

/* Appends a copy of a picture. ERR_BAD_INPUT as above; ERR_PERMANENT over the maxima. */
bool tray_add(Tray *tray, Bytes jpeg, Err *err);

/* Appends every file of a folder in the order of their names (bytes compared); names that begin with
 * a dot and folders are left out. Every file must be a JPEG picture, and there must be one:
 * ERR_BAD_INPUT names the file, ERR_NOT_FOUND or ERR_DENIED the folder. Reads files, so it is called
 * before the loop runs. */
bool tray_add_folder(Tray *tray, const char *folder, Err *err);

/* Pictures of the tray, each counted once however often it is dealt. */
size_t tray_picture_count(const Tray *tray);

/* Puts a stack of sheets into the feeder, in place of what lay there; its first sheet is the picture
 * behind the one that was fed last, so that a large folder lasts for many scans of different pages.
 * Behind the last picture comes the first. */
void tray_load(Tray *tray, size_t sheets);

/* Sheets left in the feeder. */
size_t tray_sheets(const Tray *tray);

/* Draws the next sheet from the feeder; NULL when it is empty. The page lives as long as the tray. */
const TrayPage *tray_feed(Tray *tray);

/* The picture on the glass; each call turns to the next one. NULL only without any picture. */
const TrayPage *tray_glass(Tray *tray);

#endif
