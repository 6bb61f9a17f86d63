/* image/picture.h - the picture of a page, whatever the device sent: a JPEG, or raw lines.
 *
 * What a file is, is told by its name: the spool calls raw pages ".raw" (model/raw-page.h). A view says
 * how the picture must be seen: turned by 180 degrees (backs of a feeder that reverses the sheet), and
 * only its top left part, when the device told the real size at the end of the page. The crop is
 * measured in the file's picture, before it is turned. Pure but for picture_read; any thread. */
#ifndef PLATEN_IMAGE_PICTURE_H
#define PLATEN_IMAGE_PICTURE_H

#include "image/jpeg.h"
#include "model/raw-page.h"

enum {
    RAW_SIDE_MAX_PX = 65500,          /* what libjpeg writes; 5.5 m at 300 dpi                */
    RAW_LINE_BYTES_MAX = 1024 * 1024, /* 65500 pixels of 16-bit colour have 393,000 bytes     */
};

typedef enum PictureKind { PICTURE_JPEG, PICTURE_RAW } PictureKind;

typedef struct PictureView {
    bool turned;                   /* by 180 degrees                                       */
    uint32_t crop_w_px, crop_h_px; /* 0, or more than there is: all                      */
} PictureView;

typedef struct Picture {
    PictureKind kind;
    JpegFacts jpeg; /* of a JPEG */
    RawPage raw;    /* of raw lines */
    PictureView view;
    uint32_t file_w_px, file_h_px; /* the whole picture                                      */
    uint32_t width_px, height_px;  /* what is seen of it                                     */
    uint8_t components;            /* 1 grey or black and white, 3 colour, 4 CMYK            */
    uint8_t bits;                  /* of a sample: 1, 8 or 16                                */
    uint16_t dpi_x, dpi_y;         /* both 0: not said                                       */
} Picture;

/* PICTURE_RAW for a name that ends in ".raw", else PICTURE_JPEG. */
PictureKind picture_kind(const char *file_name);

/* Reads what the file at fd, of size_bytes, says of its picture. head, when not NULL, is cleared and then
 * holds some beginning of a JPEG (maximum JPEG_HEADERS_MAX) or the trailer of a raw page. ERR_BAD_INPUT
 * with the reason when it is not sound: no headers, no trailer, a trailer that says another size than
 * the file has, too large. ERR_TEMPORARY when reading fails. */
bool picture_read(int fd, int64_t size_bytes, PictureKind kind, const PictureView *view, Buf *head,
                  Picture *ret_picture, Err *err);

/* Whether what is seen is all of the file's picture. */
static inline bool picture_is_cropped(const Picture *picture)
{
    return picture->width_px != picture->file_w_px || picture->height_px != picture->file_h_px;
}

#endif
