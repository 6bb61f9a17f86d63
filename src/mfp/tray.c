/* mfp/tray.c - pictures in memory for mfp/tray.h. */
#include "mfp/tray.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Markers of a JPEG file (ITU-T T.81, table B.1). */
enum {
    JPEG_MARK = 0xff,
    JPEG_SOI = 0xd8,
    JPEG_EOI = 0xd9,
    JPEG_SOS = 0xda,
    JPEG_SOF_FIRST = 0xc0,
    JPEG_SOF_LAST = 0xcf,
    JPEG_DHT = 0xc4,
    JPEG_JPG = 0xc8,
    JPEG_DAC = 0xcc,
    JPEG_TAIL_SIZE = 2,
};

struct Tray {
    TrayPage *pages;
    size_t count, capacity;
    size_t bytes;      /* of all pictures                       */
    size_t sheets;     /* left in the feeder                    */
    size_t next_sheet; /* picture of the next sheet             */
    size_t next_glass; /* picture that lies on the glass        */
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

/* Precision, height and width at the front of a frame header. */
static void read_size(Bytes frame, TrayPage *page)
{
    Reader r = reader_over(frame);

    (void)rd_u8(&r);
    page->height_px = rd_u16be(&r);
    page->width_px = rd_u16be(&r);
}

bool tray_page_read(Bytes jpeg, TrayPage *ret_page, Err *err)
{
    TrayPage page = { .jpeg = jpeg };
    Reader r = reader_over(jpeg);
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
            read_size(segment, &page);
    }
    if (page.width_px == 0 || page.height_px == 0)
        return err_set(err, ERR_BAD_INPUT, 0, "a JPEG picture without a size in its headers");
    page.head_bytes = (size_t)(r.at - jpeg.p);
    Reader tail = reader_over(bytes_after(jpeg, jpeg.n - JPEG_TAIL_SIZE));
    if (rd_u8(&tail) != JPEG_MARK || rd_u8(&tail) != JPEG_EOI || reader_left(&r) < JPEG_TAIL_SIZE)
        return err_set(err, ERR_BAD_INPUT, 0, "a cut JPEG picture: it does not end with FFD9");
    *ret_page = page;
    return true;
}

Tray *tray_new(Err *err)
{
    Tray *tray = calloc(1, sizeof *tray);

    if (!tray)
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for pages");
    return tray;
}

void tray_free(Tray *tray)
{
    if (!tray)
        return;
    for (size_t i = 0; i < tray->count; i++)
        free((void *)tray->pages[i].jpeg.p);
    free(tray->pages);
    free(tray);
}

static bool grow(Tray *tray, Err *err)
{
    size_t capacity = tray->capacity ? tray->capacity * 2 : 16;

    if (tray->count < tray->capacity)
        return true;
    TrayPage *pages = reallocarray(tray->pages, capacity, sizeof *pages);
    if (!pages)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for more pages");
    tray->pages = pages;
    tray->capacity = capacity;
    return true;
}

/* Appends what is in *jpeg_take; its memory moves into the tray. */
static bool add_buf(Tray *tray, Buf *jpeg_take, Err *err)
{
    TrayPage page;

    if (!tray_page_read(buf_bytes(jpeg_take), &page, err) || !grow(tray, err))
        return false;
    if (tray->count >= TRAY_PICTURES_MAX || tray->bytes + page.jpeg.n > TRAY_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, 0, "more than %d pictures or %d MiB", TRAY_PICTURES_MAX,
                       TRAY_BYTES_MAX / (1024 * 1024));
    tray->pages[tray->count++] = page;
    tray->bytes += page.jpeg.n;
    *jpeg_take = (Buf){ 0 };
    return true;
}

bool tray_add(Tray *tray, Bytes jpeg, Err *err)
{
    AUTO_BUF copy = buf_with_max(PAGE_BYTES_MAX);

    if (!buf_put(&copy, jpeg))
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a page of %zu bytes", jpeg.n);
    return add_buf(tray, &copy, err);
}

static bool add_file(Tray *tray, int dir_fd, const char *name, Err *err)
{
    AUTO_BUF content = buf_with_max(PAGE_BYTES_MAX);

    if (file_read_whole(dir_fd, name, &content, err) && add_buf(tray, &content, err))
        return true;
    return err_prefix(err, "%s", name);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_folder(int dir_fd, const char *name)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

bool tray_add_folder(Tray *tray, const char *folder, Err *err)
{
    struct dirent **names = NULL;
    AUTO_FD dir_fd = file_open_folder(AT_FDCWD, folder, err);
    int count = dir_fd >= 0 ? scandirat(dir_fd, ".", &names, visible, by_bytes) : -1;
    size_t before = tray->count;
    bool ok = count >= 0;

    if (!ok)
        return dir_fd >= 0 ? err_errno(err, errno, "%s", folder) : false;
    for (int i = 0; i < count; i++) {
        ok = ok &&
             (is_folder(dir_fd, names[i]->d_name) || add_file(tray, dir_fd, names[i]->d_name, err));
        free(names[i]);
    }
    free(names);
    if (!ok)
        return err_prefix(err, "%s", folder);
    if (tray->count == before)
        return err_set(err, ERR_BAD_INPUT, 0, "%s: no JPEG picture in this folder", folder);
    return true;
}

size_t tray_picture_count(const Tray *tray)
{
    return tray->count;
}

void tray_load(Tray *tray, size_t sheets)
{
    tray->sheets = tray->count > 0 ? sheets : 0;
}

size_t tray_sheets(const Tray *tray)
{
    return tray->sheets;
}

static const TrayPage *deal(const Tray *tray, size_t *next)
{
    const TrayPage *page = &tray->pages[*next];

    *next = (*next + 1) % tray->count;
    return page;
}

const TrayPage *tray_feed(Tray *tray)
{
    if (tray->sheets == 0)
        return NULL;
    tray->sheets--;
    return deal(tray, &tray->next_sheet);
}

const TrayPage *tray_glass(Tray *tray)
{
    return tray->count > 0 ? deal(tray, &tray->next_glass) : NULL;
}
