/* mfp/page.h - one side as it is sent: raw lines, or a JPEG.
 *
 * A JPEG file that already is what was asked for (colours, resolution, not larger than the area, upright) is
 * sent as it is, byte for byte. Everything else is rendered: raw lines block by block, so that memory does not
 * grow with the page; a JPEG is encoded when the page begins. Either may carry a stamp: a comment (COM, ISO 10918-1)
 * behind the first marker that tells one page from every other. One thread per page. */
#ifndef PLATEN_MFP_PAGE_H
#define PLATEN_MFP_PAGE_H

#include "mfp/render.h"

enum { PAGE_LINE_PADDING_MAX = 999, PAGE_STAMP_SIZE = 64 };

typedef struct PageWish {
    RenderWish render;
    bool jpeg;                   /* else raw lines                                             */
    uint32_t quality;            /* of a JPEG that must be encoded, 1..100                     */
    uint32_t padding_bytes;      /* zeros behind each raw line                                 */
    char stamp[PAGE_STAMP_SIZE]; /* comment of a JPEG; "": none                           */
} PageWish;

typedef struct Page Page;

/* picture is borrowed. ERR_BAD_INPUT: it cannot be decoded; ERR_TEMPORARY: no memory. */
Page *page_new(const Picture *picture, const PageWish *wish, Err *err);
void page_free(Page *page); /* accepts NULL */
DEFINE_AUTO(Page, page_free);

uint32_t page_width_px(const Page *page);
uint32_t page_height_px(const Page *page);
/* The part of it that is paper: smaller when the picture was cropped and rounded up. */
uint32_t page_real_width_px(const Page *page);
uint32_t page_real_height_px(const Page *page);
uint32_t page_padding_bytes(const Page *page);
size_t page_sent_bytes(const Page *page); /* given by page_next so far */

/* The next block of at most `most` bytes (at least 1), valid until the next call; n = 0: the page is complete. The
 * first block of a JPEG are its headers; raw lines come whole where they fit. False: errors of page_new. */
bool page_next(Page *page, size_t most, Bytes *ret_block, Err *err);

#endif
