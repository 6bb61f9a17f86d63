/* mfp/picture-jpeg.c - the walk over a JPEG's headers for mfp/picture.h. */
#include "mfp/picture-inside.h"

/* Markers of a JPEG file (ITU-T T.81, table B.1), and JFIF's application segment. */
enum {
    JPEG_MARK = 0xff,
    JPEG_SOI = 0xd8,
    JPEG_EOI = 0xd9,
    JPEG_SOS = 0xda,
    JPEG_APP0 = 0xe0,
    JPEG_SOF_FIRST = 0xc0,
    JPEG_SOF_LAST = 0xcf,
    JPEG_DHT = 0xc4,
    JPEG_JPG = 0xc8,
    JPEG_DAC = 0xcc,
    JPEG_TAIL_SIZE = 2,
    JFIF_VERSION_SIZE = 2,
    JFIF_PER_INCH = 1,
    JFIF_PER_CM = 2,
    CMYK_COMPONENTS = 4,
};

static bool is_frame(uint8_t marker)
{
    return marker >= JPEG_SOF_FIRST && marker <= JPEG_SOF_LAST && marker != JPEG_DHT &&
           marker != JPEG_JPG && marker != JPEG_DAC;
}

/* The next marker code of the head; 0 when something else stands there. */
static uint8_t next_marker(Reader *r)
{
    uint8_t code = JPEG_MARK;

    if (rd_u8(r) != JPEG_MARK)
        return 0;
    while (code == JPEG_MARK && !r->bad) /* any number of fill bytes may stand before the code */
        code = rd_u8(r);
    return code;
}

/* Precision, height, width and components at the front of a frame header. */
static void read_size(Bytes frame, Picture *picture)
{
    Reader r = reader_over(frame);

    (void)rd_u8(&r);
    picture->height_px = rd_u16be(&r);
    picture->width_px = rd_u16be(&r);
    picture->components = rd_u8(&r);
}

static void read_density(Bytes segment, Picture *picture)
{
    Reader r = reader_over(segment);

    if (!bytes_equal_text(rd_bytes(&r, 4), "JFIF") || rd_u8(&r) != 0)
        return;
    (void)rd_bytes(&r, JFIF_VERSION_SIZE);
    uint8_t unit = rd_u8(&r);
    double x = rd_u16be(&r), y = rd_u16be(&r);
    if (!r.bad && unit == JFIF_PER_CM)
        picture_set_dpi(picture, x * PICTURE_CM_PER_INCH, y * PICTURE_CM_PER_INCH);
    if (!r.bad && unit == JFIF_PER_INCH)
        picture_set_dpi(picture, x, y);
}

bool picture_read_jpeg(Picture *picture, Err *err)
{
    Reader r = reader_over(picture->file);
    uint8_t marker = 0;

    if (next_marker(&r) != JPEG_SOI)
        return err_set(err, ERR_BAD_INPUT, 0, "not a JPEG picture: it does not begin with FFD8");
    while (marker != JPEG_SOS) {
        marker = next_marker(&r);
        uint16_t length = rd_u16be(&r);
        Bytes segment = rd_bytes(&r, length > sizeof length ? length - sizeof length : 0);

        if (r.bad || marker == 0 || length < sizeof length)
            return err_set(err, ERR_BAD_INPUT, 0, "a damaged JPEG picture: its headers end early");
        if (is_frame(marker))
            read_size(segment, picture);
        if (marker == JPEG_APP0)
            read_density(segment, picture);
    }
    if (picture->width_px == 0 || picture->height_px == 0)
        return err_set(err, ERR_BAD_INPUT, 0, "a JPEG picture without a size in its headers");
    picture->head_bytes = (size_t)(r.at - picture->file.p);
    Reader tail = reader_over(bytes_after(picture->file, picture->file.n - JPEG_TAIL_SIZE));
    if (rd_u8(&tail) != JPEG_MARK || rd_u8(&tail) != JPEG_EOI || reader_left(&r) < JPEG_TAIL_SIZE)
        return err_set(err, ERR_BAD_INPUT, 0, "a cut JPEG picture: it does not end with FFD9");
    if (picture->components == CMYK_COMPONENTS) {
        err_set(err, ERR_BAD_INPUT, 0, "a JPEG picture in CMYK");
        return err_remedy(err, "Convert it to RGB: a scanner sends no other colours.");
    }
    return true;
}
