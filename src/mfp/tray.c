/* mfp/tray.c - files in memory and stacks of sheets for mfp/tray.h. */
#include "mfp/tray.h"

#include "base/file.h"
#include "base/limits.h"
#include "mfp/pdf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

struct Tray {
    bool shares;       /* pictures are those of another tray    */
    Picture *pictures; /* pages of one TIFF share its file      */
    size_t count, capacity;
    size_t bytes;      /* of all pictures                       */
    size_t sheets;     /* left in the feeder                    */
    size_t next_sheet; /* picture of the next sheet             */
    size_t taken;      /* pictures taken from below of a stack  */
    size_t next_glass; /* picture that lies on the glass        */
};

Tray *tray_new(Err *err)
{
    Tray *tray = calloc(1, sizeof *tray);

    if (!tray)
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for pages");
    return tray;
}

Tray *tray_share(const Tray *pictures, Err *err)
{
    Tray *tray = tray_new(err);

    if (!tray)
        return NULL;
    tray->shares = true;
    tray->pictures = pictures->pictures;
    tray->count = pictures->count;
    return tray;
}

void tray_free(Tray *tray)
{
    if (!tray)
        return;
    for (size_t i = 0; i < tray->count && !tray->shares; i++)
        if (tray->pictures[i].page == 0) /* the first page of a file has its memory */
            free((void *)tray->pictures[i].file.p);
    if (!tray->shares)
        free(tray->pictures);
    free(tray);
}

static bool grow(Tray *tray, size_t more, Err *err)
{
    size_t capacity = (tray->count + more) * 2;

    if (tray->count + more <= tray->capacity)
        return true;
    Picture *pictures = reallocarray(tray->pictures, capacity, sizeof *pictures);
    if (!pictures)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for more pages");
    tray->pictures = pictures;
    tray->capacity = capacity;
    return true;
}

/* Appends what is in *file_take; its memory moves into the tray. */
static bool add_buf(Tray *tray, Buf *file_take, Err *err)
{
    Bytes file = buf_bytes(file_take);
    uint32_t pages = picture_pages(file);

    if (tray->count + pages > TRAY_PICTURES_MAX || tray->bytes + file.n > TRAY_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, 0, "more than %d pictures or %d MiB", TRAY_PICTURES_MAX,
                       TRAY_BYTES_MAX / (1024 * 1024));
    if (!grow(tray, pages, err))
        return false;
    for (uint32_t page = 0; page < pages; page++)
        if (!picture_read(file, page, &tray->pictures[tray->count + page], err))
            return false;
    tray->count += pages;
    tray->bytes += file.n;
    *file_take = (Buf){ 0 };
    return true;
}

bool tray_add(Tray *tray, Bytes file, Err *err)
{
    AUTO_BUF copy = buf_with_max(PAGE_BYTES_MAX);

    if (!buf_put(&copy, file))
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a page of %zu bytes", file.n);
    return add_buf(tray, &copy, err);
}

/* Each page as a PNG. */
static bool add_pdf(Tray *tray, int dir_fd, const char *name, Err *err)
{
    for (uint32_t page = 1;; page++) {
        AUTO_BUF png = buf_with_max(PAGE_BYTES_MAX);
        AUTO_FD fd = file_open_read(dir_fd, name, err);
        bool more;

        if (fd < 0 || !pdf_render(fd, page, &png, &more, err))
            return false;
        if (!more)
            return true;
        if (!add_buf(tray, &png, err))
            return err_prefix(err, "page %u", page);
    }
}

static bool add_file(Tray *tray, int dir_fd, const char *name, Err *err)
{
    AUTO_BUF content = buf_with_max(PAGE_BYTES_MAX);

    if (file_read_whole(dir_fd, name, &content, err) &&
        (bytes_start_with(buf_bytes(&content), "%PDF-") ? add_pdf(tray, dir_fd, name, err)
                                                        : add_buf(tray, &content, err)))
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

static bool may_be_pages(const char *name, Err *err)
{
    static const char *const endings[] = {
        ".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".pdf"
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < COUNT_OF(endings); i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return !dot ||
           err_set(err, ERR_BAD_INPUT, 0, "%s: not a JPEG, PNG, TIFF or PDF by its name", name);
}

/* Adds the file, or says why not; false: nothing more can be added. */
static bool take_file(Tray *tray, int dir_fd, const char *folder, const char *name,
                      TraySkipped *skipped, Err *err)
{
    if (is_folder(dir_fd, name))
        return true;
    *err = (Err){ 0 };
    if (may_be_pages(name, err) && add_file(tray, dir_fd, name, err))
        return true;
    err_prefix(err, "%s", folder);
    if (err->kind == ERR_TEMPORARY || err->kind == ERR_PERMANENT)
        return false;
    skipped(err);
    *err = (Err){ 0 };
    return true;
}

bool tray_add_folder(Tray *tray, const char *folder, TraySkipped *skipped, Err *err)
{
    struct dirent **names = NULL;
    AUTO_FD dir_fd = file_open_folder(AT_FDCWD, folder, err);
    int count = dir_fd >= 0 ? scandirat(dir_fd, ".", &names, visible, by_bytes) : -1;
    size_t before = tray->count;
    bool ok = count >= 0;

    if (!ok)
        return dir_fd >= 0 ? err_errno(err, errno, "%s", folder) : false;
    for (int i = 0; i < count; i++) {
        ok = ok && take_file(tray, dir_fd, folder, names[i]->d_name, skipped, err);
        free(names[i]);
    }
    free(names);
    if (!ok)
        return false;
    if (tray->count == before)
        return err_set(err, ERR_BAD_INPUT, 0, "%s: no picture in this folder", folder);
    return true;
}

void tray_set_dpi(Tray *tray, uint32_t dpi)
{
    for (size_t i = 0; i < tray->count && !tray->shares; i++)
        if (tray->pictures[i].dpi_x == 0)
            tray->pictures[i].dpi_x = tray->pictures[i].dpi_y = dpi;
}

size_t tray_picture_count(const Tray *tray)
{
    return tray->count;
}

void tray_load(Tray *tray, size_t sheets)
{
    tray->sheets = tray->count > 0 ? sheets : 0;
    tray->next_sheet += tray->taken;
    tray->taken = 0;
}

size_t tray_sheets(const Tray *tray)
{
    return tray->sheets;
}

static const Picture *picture_at(const Tray *tray, size_t number)
{
    return &tray->pictures[number % tray->count];
}

bool tray_feed(Tray *tray, unsigned sides, bool last_first, Sheet *ret_sheet)
{
    size_t front = tray->next_sheet;

    if (tray->sheets == 0)
        return false;
    tray->sheets--;
    if (last_first) {
        front += tray->sheets * sides;
        tray->taken += sides;
    } else {
        tray->next_sheet += sides;
    }
    ret_sheet->sides[0] = picture_at(tray, front);
    ret_sheet->sides[1] = picture_at(tray, front + sides - 1);
    if (tray->sheets == 0) { /* the next stack begins behind this one */
        tray->next_sheet += tray->taken;
        tray->taken = 0;
    }
    return true;
}

const Picture *tray_glass(Tray *tray)
{
    return tray->count > 0 ? picture_at(tray, tray->next_glass++) : NULL;
}
