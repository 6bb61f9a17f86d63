/* mfp/picture.c - which format a file has, and the headers of PNG; for mfp/picture.h. */
#include "mfp/picture-inside.h"

#include "mfp/tiff-memory.h"

#define PNG_SIGNATURE "\x89PNG\r\n\x1a\n"

enum { PNG_SIGNATURE_SIZE = 8, PNG_NAME_SIZE = 4, PNG_CRC_SIZE = 4, PNG_PER_METRE = 1 };

static bool is_png(Bytes file)
{
    return file.n >= PNG_SIGNATURE_SIZE && bytes_start_with(file, PNG_SIGNATURE);
}

/* Classic TIFF of either byte order, and BigTIFF. */
static bool is_tiff(Bytes file)
{
    return file.n > 4 && (memcmp(file.p, "II*\0", 4) == 0 || memcmp(file.p, "MM\0*", 4) == 0 ||
                          memcmp(file.p, "II+\0", 4) == 0 || memcmp(file.p, "MM\0+", 4) == 0);
}

/* One chunk of a PNG (its clause 5.3); false at the first one with pixels. */
static bool read_chunk(Reader *r, Picture *picture)
{
    uint32_t length = rd_u32be(r);
    Bytes name = rd_bytes(r, PNG_NAME_SIZE);
    Reader chunk = reader_over(rd_bytes(r, length));

    if (r->bad || bytes_equal_text(name, "IDAT"))
        return false;
    if (bytes_equal_text(name, "IHDR")) {
        picture->width_px = rd_u32be(&chunk);
        picture->height_px = rd_u32be(&chunk);
    }
    if (bytes_equal_text(name, "pHYs")) {
        double x = rd_u32be(&chunk), y = rd_u32be(&chunk);
        if (rd_u8(&chunk) == PNG_PER_METRE)
            picture_set_dpi(picture, x * PICTURE_CM_PER_INCH / 100, y * PICTURE_CM_PER_INCH / 100);
    }
    (void)rd_bytes(r, PNG_CRC_SIZE);
    return !r->bad;
}

bool picture_read_png(Picture *picture, Err *err)
{
    Reader r = reader_over(bytes_after(picture->file, PNG_SIGNATURE_SIZE));

    while (read_chunk(&r, picture))
        ;
    return !r.bad || err_set(err, ERR_BAD_INPUT, 0, "a cut PNG picture");
}

bool picture_read_tiff(Picture *picture, Err *err)
{
    TiffMemory memory;
    TIFF *tiff = tiff_memory_open(&memory, picture->file, picture->page);
    uint32_t width = 0, height = 0;
    float x = 0, y = 0;
    uint16_t unit = RESUNIT_INCH;

    if (!tiff)
        return err_set(err, ERR_BAD_INPUT, 0, "a damaged TIFF: page %u cannot be read",
                       picture->page + 1);
    (void)TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    (void)TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_RESOLUTIONUNIT, &unit);
    if (TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &x) &&
        TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &y) && unit != RESUNIT_NONE) {
        double per_inch = unit == RESUNIT_CENTIMETER ? PICTURE_CM_PER_INCH : 1;
        picture_set_dpi(picture, (double)x * per_inch, (double)y * per_inch);
    }
    TIFFClose(tiff);
    picture->width_px = width;
    picture->height_px = height;
    return true;
}

uint32_t picture_pages(Bytes file)
{
    TiffMemory memory;
    TIFF *tiff = is_tiff(file) ? tiff_memory_open(&memory, file, 0) : NULL;

    if (!tiff)
        return 1;
    uint32_t pages = TIFFNumberOfDirectories(tiff);
    TIFFClose(tiff);
    return pages > 0 ? pages : 1;
}

bool picture_read(Bytes file, uint32_t page, Picture *ret_picture, Err *err)
{
    Picture picture = { .file = file, .page = page };
    bool ok;

    if (is_png(file)) {
        picture.kind = PICTURE_PNG;
        ok = picture_read_png(&picture, err);
    } else if (is_tiff(file)) {
        picture.kind = PICTURE_TIFF;
        ok = picture_read_tiff(&picture, err);
    } else {
        ok = picture_read_jpeg(&picture, err);
    }
    if (!ok)
        return false;
    if (picture.width_px == 0 || picture.height_px == 0)
        return err_set(err, ERR_BAD_INPUT, 0, "a picture without a size in its headers");
    if (picture.width_px > PICTURE_SIDE_MAX_PX || picture.height_px > PICTURE_SIDE_MAX_PX ||
        (uint64_t)picture.width_px * picture.height_px > PICTURE_PIXELS_MAX)
        return err_set(err, ERR_BAD_INPUT, 0,
                       "a picture of %u x %u pixels; %d million are the most", picture.width_px,
                       picture.height_px, PICTURE_PIXELS_MAX / 1000000);
    *ret_picture = picture;
    return true;
}
