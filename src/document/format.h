/* document/format.h - what every file format must offer, and the list of them.
 *
 * A file format is one file, format-WORD.c, that defines a constant FormatType named format_WORD, and
 * one word in meson.build. A writer takes pages in order and appends to a descriptor; it holds no
 * page. Used in a worker's child; one thread per writer; may block. */
#ifndef PLATEN_DOCUMENT_FORMAT_H
#define PLATEN_DOCUMENT_FORMAT_H

#include "base/err.h"
#include "base/time.h"
#include "image/picture.h"

/* About the document. Borrowed during begin only. */
typedef struct FormatInfo {
    const char *title; /* UTF-8, "" = none */
    Wall created;
    int utc_offset_min;
} FormatInfo;

/* One page: a whole file as the device sent it. */
typedef struct FormatPage {
    int fd;
    int64_t size_bytes;
    Picture picture;   /* as picture_read found it, with how it must be seen           */
    uint32_t scan_dpi; /* for a picture without density                                */
    uint32_t quality;  /* 1..100, where pixels become a JPEG                           */
    Bytes identity;    /* hash or first bytes of the page; makes results deterministic */
} FormatPage;

typedef struct FormatType {
    const char *name;       /* "pdf": stored in jobs, never renamed; also in file_format_words   */
    const char *title;      /* "PDF"                                                            */
    const char *media_type; /* "application/pdf"                                                */
    const char *extension;  /* "pdf"                                                            */
    bool multi_page;        /* one file holds a whole document; else the plan makes one per page */

    /* All MUST be set. begin gives a writer that the caller frees, NULL with err set. A writer that
     * failed takes nothing but free_writer, which accepts NULL. */
    void *(*begin)(int out_fd, const FormatInfo *info, Err *err);
    bool (*page)(void *writer, const FormatPage *page, Err *err);
    bool (*finish)(void *writer, Err *err); /* the file is complete, not synced */
    void (*free_writer)(void *writer);
} FormatType;

/* Every format, ended by NULL. Written by the build from the list in meson.build. */
extern const FormatType *const format_types[];

/* The format of this name, NULL when there is none. */
const FormatType *format_find(const char *name);

#endif
