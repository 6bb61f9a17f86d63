/* document/format-tiff.c - the file format "tiff": every page of a document in one TIFF.
 *
 * A JPEG from the device becomes a strip as it is, by copying (TIFF Technical Note 2: each strip is a whole
 * JPEG datastream, tables included); one that must be seen turned gets the tag Orientation. Raw lines become
 * Group 4 or a JPEG. Pages are written as they come; of each some 40 bytes are kept, and the directories
 * follow at the end, so that only the header's four bytes are written twice.
 * Source: TIFF 6.0; Technical Note 2 (JPEG). Big-endian. One thread per writer; blocks on the file. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "document/format.h"
#include "image/encode.h"
#include "image/jpeg-turn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 8,
    FIRST_DIRECTORY_AT = 4, /* where the header says where the first directory is */
    BUFFER_BYTES = 8192,
    FIRST_PAGES = 64,

    TYPE_ASCII = 2,
    TYPE_SHORT = 3,
    TYPE_LONG = 4,
    TYPE_RATIONAL = 5,

    COMPRESSION_G4 = 4,
    COMPRESSION_JPEG = 7,
    WHITE_IS_ZERO = 0,
    BLACK_IS_ZERO = 1,
    RGB = 2,
    YCBCR = 6,
    UPRIGHT = 1,
    UPSIDE_DOWN = 3,
};
#define TIFF_BYTES_MAX ((int64_t)UINT32_MAX) /* offsets have 32 bits */

/* TIFF 6.0, in the order in which a directory has them. */
enum {
    TAG_NEW_SUBFILE_TYPE = 254,
    TAG_IMAGE_WIDTH = 256,
    TAG_IMAGE_LENGTH = 257,
    TAG_BITS_PER_SAMPLE = 258,
    TAG_COMPRESSION = 259,
    TAG_PHOTOMETRIC = 262,
    TAG_STRIP_OFFSETS = 273,
    TAG_ORIENTATION = 274,
    TAG_SAMPLES_PER_PIXEL = 277,
    TAG_ROWS_PER_STRIP = 278,
    TAG_STRIP_BYTE_COUNTS = 279,
    TAG_X_RESOLUTION = 282,
    TAG_Y_RESOLUTION = 283,
    TAG_T6_OPTIONS = 293,
    TAG_RESOLUTION_UNIT = 296,
    TAG_PAGE_NUMBER = 297,
    TAG_SOFTWARE = 305,
    TAG_DATE_TIME = 306,
    TAG_YCBCR_SUBSAMPLING = 530,
    TAG_YCBCR_POSITIONING = 531,
    TAG_REFERENCE_BLACK_WHITE = 532,
};
enum { ONE_PAGE_OF_SEVERAL = 2, INCH = 2, CENTRED = 1, DATE_TIME_BYTES = 20, RATIONAL_BYTES = 8 };

typedef struct TiffPage {
    uint32_t width_px, height_px;
    uint32_t offset, bytes; /* of its strip */
    uint16_t dpi_x, dpi_y;
    uint16_t compression, photometric, orientation;
    uint8_t components, bits;
    uint8_t sub_h, sub_v; /* of YCBCR */
} TiffPage;

/* Values that all directories share. */
typedef struct Shared {
    uint32_t bits, reference, software, software_bytes, date_time;
} Shared;

typedef struct TiffWriter {
    int fd;
    int64_t at; /* bytes of the file so far, buffer included */
    TiffPage *pages;
    size_t count, cap;
    Buf out; /* of the directories */
    Wall created;
    int utc_offset_min;
} TiffWriter;

static bool put(TiffWriter *tiff, Bytes bytes, Err *err)
{
    tiff->at += (int64_t)bytes.n;
    return file_write_all(tiff->fd, bytes, err);
}

static void tiff_free(void *arg)
{
    TiffWriter *tiff = arg;

    if (!tiff)
        return;
    buf_done(&tiff->out);
    free(tiff->pages);
    free(tiff);
}

static void *tiff_begin(int out_fd, const FormatInfo *info, Err *err)
{
    static const uint8_t header[HEADER_BYTES] = { 'M', 'M', 0, 42 };
    TiffWriter *tiff = calloc(1, sizeof *tiff);

    if (!tiff) {
        err_set(err, ERR_TEMPORARY, 0, "no memory to write a TIFF");
        return NULL;
    }
    tiff->fd = out_fd;
    tiff->out = buf_with_max((size_t)2 * BUFFER_BYTES);
    tiff->created = info->created;
    tiff->utc_offset_min = info->utc_offset_min;
    if (put(tiff, (Bytes){ header, sizeof header }, err))
        return tiff;
    tiff_free(tiff);
    return NULL;
}

/* --- pages ---------------------------------------------------------------------------------------- */

static TiffPage *next_page(TiffWriter *tiff, Err *err)
{
    if (tiff->count == tiff->cap) {
        size_t cap = tiff->cap ? tiff->cap * 2 : FIRST_PAGES;
        TiffPage *pages = reallocarray(tiff->pages, cap, sizeof *pages);

        if (!pages) {
            err_set(err, ERR_TEMPORARY, 0, "no memory for %zu TIFF pages", cap);
            return NULL;
        }
        tiff->pages = pages;
        tiff->cap = cap;
    }
    TiffPage *page = &tiff->pages[tiff->count];
    *page = (TiffPage){ .orientation = UPRIGHT };
    return page;
}

/* How the samples of a JPEG are meant. */
static bool describe_jpeg(const JpegFacts *facts, TiffPage *entry, Err *err)
{
    entry->compression = COMPRESSION_JPEG;
    entry->sub_h = facts->sub_h;
    entry->sub_v = facts->sub_v;
    if (facts->components == 1)
        entry->photometric = BLACK_IS_ZERO;
    else if (facts->components == 3 && facts->adobe && facts->adobe_transform == 0)
        entry->photometric = RGB;
    else if (facts->components == 3 && facts->sub_h > 0)
        entry->photometric = YCBCR;
    else
        return err_set(err, ERR_PERMANENT, 0,
                       "JPEG of this kind (CMYK, or odd sampling) does not fit into a TIFF") ||
               err_remedy(err, "Choose the file format pdf or jpeg.");
    return true;
}

/* A JPEG: copied; one that is progressive or cropped is rewritten on its coefficients. */
static bool put_jpeg(TiffWriter *tiff, const FormatPage *page, TiffPage *entry, int64_t *ret_bytes,
                     Err *err)
{
    Picture picture = page->picture;

    if (!describe_jpeg(&picture.jpeg, entry, err))
        return false;
    if (picture.view.turned)
        entry->orientation = UPSIDE_DOWN;
    *ret_bytes = page->size_bytes;
    if (!picture.jpeg.progressive && !picture_is_cropped(&picture))
        return file_copy(page->fd, 0, page->size_bytes, tiff->fd, err);
    picture.view.turned = false;
    return jpeg_turn(page->fd, &picture, tiff->fd, ret_bytes, err);
}

static bool put_raw(TiffWriter *tiff, const FormatPage *page, TiffPage *entry, int64_t *ret_bytes,
                    Err *err)
{
    const Picture *picture = &page->picture;

    if (picture->bits == 1) {
        entry->compression = COMPRESSION_G4;
        entry->photometric = WHITE_IS_ZERO;
        return encode_g4(page->fd, picture, tiff->fd, ret_bytes, err);
    }
    entry->compression = COMPRESSION_JPEG;
    entry->photometric = picture->components == 1 ? BLACK_IS_ZERO : YCBCR;
    entry->sub_h = entry->sub_v = encode_jpeg_subsampling(page->quality);
    return encode_jpeg(page->fd, picture, page->quality, entry->dpi_x, tiff->fd, ret_bytes, err);
}

static bool fits(int64_t bytes, Err *err)
{
    return bytes <= TIFF_BYTES_MAX ||
           err_set(err, ERR_PERMANENT, 0, "TIFF would be larger than 4 GB") ||
           err_remedy(err, "Choose the file format pdf, or make smaller documents.");
}

static bool tiff_page(void *arg, const FormatPage *page, Err *err)
{
    TiffWriter *tiff = arg;
    const Picture *picture = &page->picture;
    TiffPage *entry = next_page(tiff, err);
    int64_t bytes = 0;

    if (!entry || !fits(tiff->at + page->size_bytes * (picture->kind == PICTURE_JPEG), err) ||
        (tiff->at % 2 && !put(tiff, bytes_of_text("\n"), err))) /* what is pointed at is even */
        return false;
    entry->width_px = picture->width_px;
    entry->height_px = picture->height_px;
    entry->components = picture->components;
    entry->bits = picture->bits == 1 ? 1 : 8;
    entry->dpi_x = (uint16_t)jpeg_dpi(picture->dpi_x, page->scan_dpi);
    entry->dpi_y = (uint16_t)jpeg_dpi(picture->dpi_y, page->scan_dpi);
    bool raw = picture->kind == PICTURE_RAW;
    if (!(raw ? put_raw(tiff, page, entry, &bytes, err) : put_jpeg(tiff, page, entry, &bytes, err)))
        return false;
    if (!fits(tiff->at + bytes, err))
        return false;
    entry->offset = (uint32_t)tiff->at;
    entry->bytes = (uint32_t)bytes;
    tiff->at += bytes;
    tiff->count++;
    return true;
}

/* --- directories ---------------------------------------------------------------------------------- */

/* One directory on its way into the buffer. */
typedef struct Directory {
    Buf *out;
    uint16_t entries;
} Directory;

static void entry_of(Directory *d, uint16_t tag, uint16_t type, uint32_t count, uint32_t value)
{
    (void)buf_put_u16be(d->out, tag);
    (void)buf_put_u16be(d->out, type);
    (void)buf_put_u32be(d->out, count);
    (void)buf_put_u32be(d->out, value);
    d->entries++;
}

/* Short values stand at the left of the four bytes. */
static void short_of(Directory *d, uint16_t tag, uint16_t value)
{
    entry_of(d, tag, TYPE_SHORT, 1, (uint32_t)value << 16);
}

static void shorts_of(Directory *d, uint16_t tag, uint16_t first, uint16_t second)
{
    entry_of(d, tag, TYPE_SHORT, 2, (uint32_t)first << 16 | second);
}

static void long_of(Directory *d, uint16_t tag, uint32_t value)
{
    entry_of(d, tag, TYPE_LONG, 1, value);
}

static uint16_t entries_of(const TiffPage *page)
{
    enum { ALWAYS = 17, OF_G4 = 1, OF_YCBCR = 3 };
    int n = ALWAYS;

    if (page->compression == COMPRESSION_G4)
        n += OF_G4;
    if (page->photometric == YCBCR)
        n += OF_YCBCR;
    return (uint16_t)n;
}

static uint32_t directory_bytes(const TiffPage *page)
{
    enum { ENTRY_BYTES = 12, AROUND = 2 + 4, AFTER = 2 * RATIONAL_BYTES };

    return (uint32_t)entries_of(page) * ENTRY_BYTES + AROUND + AFTER;
}

static void put_rational(Buf *out, uint32_t numerator)
{
    (void)buf_put_u32be(out, numerator);
    (void)buf_put_u32be(out, 1);
}

/* Tags in rising order, as TIFF 6.0 wants them. */
static bool put_directory(TiffWriter *tiff, size_t i, const Shared *shared, Err *err)
{
    const TiffPage *page = &tiff->pages[i];
    uint32_t end = (uint32_t)(tiff->at + (int64_t)tiff->out.n) + directory_bytes(page);
    uint32_t rationals = end - 2 * RATIONAL_BYTES;
    Directory d = { .out = &tiff->out };

    (void)buf_put_u16be(d.out, entries_of(page));
    long_of(&d, TAG_NEW_SUBFILE_TYPE, tiff->count > 1 ? ONE_PAGE_OF_SEVERAL : 0);
    long_of(&d, TAG_IMAGE_WIDTH, page->width_px);
    long_of(&d, TAG_IMAGE_LENGTH, page->height_px);
    if (page->components == 1)
        short_of(&d, TAG_BITS_PER_SAMPLE, page->bits);
    else
        entry_of(&d, TAG_BITS_PER_SAMPLE, TYPE_SHORT, page->components, shared->bits);
    short_of(&d, TAG_COMPRESSION, page->compression);
    short_of(&d, TAG_PHOTOMETRIC, page->photometric);
    long_of(&d, TAG_STRIP_OFFSETS, page->offset);
    short_of(&d, TAG_ORIENTATION, page->orientation);
    short_of(&d, TAG_SAMPLES_PER_PIXEL, page->components);
    long_of(&d, TAG_ROWS_PER_STRIP, page->height_px);
    long_of(&d, TAG_STRIP_BYTE_COUNTS, page->bytes);
    entry_of(&d, TAG_X_RESOLUTION, TYPE_RATIONAL, 1, rationals);
    entry_of(&d, TAG_Y_RESOLUTION, TYPE_RATIONAL, 1, rationals + RATIONAL_BYTES);
    if (page->compression == COMPRESSION_G4)
        long_of(&d, TAG_T6_OPTIONS, 0);
    short_of(&d, TAG_RESOLUTION_UNIT, INCH);
    shorts_of(&d, TAG_PAGE_NUMBER, (uint16_t)i, (uint16_t)tiff->count);
    entry_of(&d, TAG_SOFTWARE, TYPE_ASCII, shared->software_bytes, shared->software);
    entry_of(&d, TAG_DATE_TIME, TYPE_ASCII, DATE_TIME_BYTES, shared->date_time);
    if (page->photometric == YCBCR) {
        shorts_of(&d, TAG_YCBCR_SUBSAMPLING, page->sub_h, page->sub_v);
        short_of(&d, TAG_YCBCR_POSITIONING, CENTRED); /* as in JFIF */
        entry_of(&d, TAG_REFERENCE_BLACK_WHITE, TYPE_RATIONAL, 6, shared->reference);
    }
    (void)buf_put_u32be(d.out, i + 1 < tiff->count ? end : 0);
    put_rational(d.out, page->dpi_x);
    put_rational(d.out, page->dpi_y);
    if (d.entries != entries_of(page) || tiff->out.failed)
        return err_set(err, ERR_BUG, 0, "TIFF directory of %u entries", d.entries);
    return true;
}

static bool flush(TiffWriter *tiff, Err *err)
{
    bool ok = put(tiff, buf_bytes(&tiff->out), err);

    buf_clear(&tiff->out);
    return ok;
}

static Shared put_shared(TiffWriter *tiff)
{
    static const char software[] = "Platen " PLATEN_VERSION;
    static const uint8_t reference[] = {
        0, 255, 128, 255, 128, 255
    }; /* luma 0..255, colour around 128 */
    CivilTime t = wall_civil(tiff->created, tiff->utc_offset_min);
    Buf *out = &tiff->out;
    Shared shared = { .software_bytes = sizeof software };

    if (tiff->at % 2)
        (void)buf_put_u8(out, 0);
    shared.bits = (uint32_t)(tiff->at + (int64_t)out->n);
    for (int i = 0; i < 3; i++)
        (void)buf_put_u16be(out, 8);
    shared.reference = (uint32_t)(tiff->at + (int64_t)out->n);
    for (size_t i = 0; i < sizeof reference; i++)
        put_rational(out, reference[i]);
    shared.date_time = (uint32_t)(tiff->at + (int64_t)out->n);
    (void)buf_printf(out, "%04d:%02d:%02d %02d:%02d:%02d", t.year, t.month, t.day, t.hour, t.minute,
                     t.second);
    (void)buf_put_u8(out, 0);
    shared.software = (uint32_t)(tiff->at + (int64_t)out->n);
    (void)buf_put(out, (Bytes){ (const uint8_t *)software, sizeof software });
    if (out->n % 2 != (size_t)(tiff->at % 2))
        (void)buf_put_u8(out, 0);
    return shared;
}

/* The header's place for the first directory, now that it is known. */
static bool point_at(TiffWriter *tiff, uint32_t first, Err *err)
{
    AUTO_BUF offset = buf_with_max(sizeof first);

    (void)buf_put_u32be(&offset, first);
    if (lseek(tiff->fd, FIRST_DIRECTORY_AT, SEEK_SET) < 0)
        return err_errno(err, errno, "cannot go back in a TIFF");
    return file_write_all(tiff->fd, buf_bytes(&offset), err) &&
           (lseek(tiff->fd, 0, SEEK_END) >= 0 || err_errno(err, errno, "cannot end a TIFF"));
}

static bool tiff_finish(void *arg, Err *err)
{
    TiffWriter *tiff = arg;

    if (tiff->count == 0)
        return err_set(err, ERR_BAD_INPUT, 0, "a TIFF needs at least one page");
    const Shared shared = put_shared(tiff);
    if (!flush(tiff, err))
        return false;
    uint32_t first = (uint32_t)tiff->at;
    for (size_t i = 0; i < tiff->count; i++)
        if (!put_directory(tiff, i, &shared, err) ||
            (tiff->out.n > BUFFER_BYTES && !flush(tiff, err)))
            return false;
    return flush(tiff, err) && fits(tiff->at, err) && point_at(tiff, first, err);
}

extern const FormatType format_tiff;
const FormatType format_tiff = {
    .name = "tiff",
    .title = "TIFF",
    .media_type = "image/tiff",
    .extension = "tif",
    .multi_page = true,
    .begin = tiff_begin,
    .page = tiff_page,
    .finish = tiff_finish,
    .free_writer = tiff_free,
};
