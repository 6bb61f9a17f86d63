/* tests/crash/fakedisk-image.c - see fakedisk.h: from the log to what a power cut leaves.
 *
 * Two name tables are kept, of now and of the disk; what a call did to names waits in a list until its
 * folder is flushed. The same for the bytes of each file. A rename is one step: every file system that
 * has a journal does it whole or not at all. */
#include "tests/crash/fakedisk-log.h"

#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 512, FILES_MAX = 512, WAITING_MAX = 4096 };

typedef struct DiskFile {
    bool is_folder;
    unsigned char *bytes; /* flushed */
    size_t n;
    const DiskOp **waiting; /* writes and truncations, not flushed */
    size_t waiting_count, waiting_room;
} DiskFile;

typedef struct Name {
    char path[DISK_PATH_SIZE];
    int file; /* -1: free slot */
} Name;

typedef struct Names {
    Name at[NAMES_MAX];
    size_t count;
} Names;

typedef struct Waiting {
    const DiskOp *op;
    int file;
} Waiting;

typedef struct Image {
    DiskFile files[FILES_MAX];
    size_t file_count;
    Names now, disk;
    Waiting waiting[WAITING_MAX];
    size_t waiting_count;
    uint64_t random;
    unsigned mode;
} Image;

static uint64_t next_random(Image *image)
{
    image->random ^= image->random << 13;
    image->random ^= image->random >> 7;
    image->random ^= image->random << 17;
    return image->random;
}

/* Is something that was not flushed on the disk nevertheless? */
static bool luck(Image *image)
{
    if (image->mode < 2)
        return image->mode == 1;
    return next_random(image) % 2 == 0;
}

/* --- names --------------------------------------------------------------------------------------- */

static Name *name_find(Names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->at[i].file >= 0 && text_equal(names->at[i].path, path))
            return &names->at[i];
    return NULL;
}

static void name_set(Names *names, const char *path, int file)
{
    Name *name = name_find(names, path);

    for (size_t i = 0; !name && i < names->count; i++)
        if (names->at[i].file < 0)
            name = &names->at[i];
    if (!name) {
        if (names->count == NAMES_MAX)
            abort();
        name = &names->at[names->count++];
    }
    (void)text_copy(name->path, sizeof name->path, path);
    name->file = file;
}

static void name_drop(Names *names, const char *path)
{
    Name *name = name_find(names, path);

    if (name)
        name->file = -1;
}

static void names_apply(Names *names, const DiskOp *op, int file)
{
    if (op->kind == DISK_CREATE || op->kind == DISK_MKDIR)
        name_set(names, op->path, file);
    else
        name_drop(names, op->path);
    if (op->kind == DISK_RENAME)
        name_set(names, op->to, file);
}

static bool is_in(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void folder_flushed(Image *image, const char *folder)
{
    size_t kept = 0;

    for (size_t i = 0; i < image->waiting_count; i++) {
        Waiting *w = &image->waiting[i];

        if (is_in(w->op->path, folder) || (w->op->kind == DISK_RENAME && is_in(w->op->to, folder)))
            names_apply(&image->disk, w->op, w->file);
        else
            image->waiting[kept++] = *w;
    }
    image->waiting_count = kept;
}

/* --- bytes --------------------------------------------------------------------------------------- */

static void file_resize(DiskFile *file, size_t n)
{
    if (n > file->n) {
        file->bytes = realloc(file->bytes, n);
        if (!file->bytes)
            abort();
        memset(file->bytes + file->n, 0, n - file->n);
    }
    file->n = n;
}

static void file_put(DiskFile *file, const DiskOp *op, size_t from, size_t n)
{
    size_t at = (size_t)op->offset + from;

    if (at + n > file->n)
        file_resize(file, at + n);
    memcpy(file->bytes + at, op->bytes + from, n);
}

static void file_flushed(DiskFile *file)
{
    for (size_t i = 0; i < file->waiting_count; i++) {
        const DiskOp *op = file->waiting[i];

        if (op->kind == DISK_TRUNCATE)
            file_resize(file, (size_t)op->offset);
        else
            file_put(file, op, 0, op->n);
    }
    file->waiting_count = 0;
}

static void file_waits(DiskFile *file, const DiskOp *op)
{
    if (file->waiting_count == file->waiting_room) {
        file->waiting_room = file->waiting_room ? file->waiting_room * 2 : 16;
        file->waiting = realloc(file->waiting, file->waiting_room * sizeof *file->waiting);
        if (!file->waiting)
            abort();
    }
    file->waiting[file->waiting_count++] = op;
}

static void file_cut(Image *image, DiskFile *file)
{
    for (size_t i = 0; i < file->waiting_count; i++) {
        const DiskOp *op = file->waiting[i];

        if (op->kind == DISK_TRUNCATE && luck(image))
            file_resize(file, (size_t)op->offset);
        for (size_t at = 0; op->kind == DISK_WRITE && at < op->n;) {
            size_t n = DISK_SECTOR - ((size_t)op->offset + at) % DISK_SECTOR;

            n = n < op->n - at ? n : op->n - at;
            if (luck(image))
                file_put(file, op, at, n);
            at += n;
        }
    }
}

/* --- replay -------------------------------------------------------------------------------------- */

static int file_of(Image *image, const char *path)
{
    Name *name = name_find(&image->now, path);

    return name ? name->file : -1;
}

static void replay(Image *image, const DiskOp *op)
{
    int file = file_of(image, op->path);

    switch (op->kind) {
    case DISK_CREATE:
    case DISK_MKDIR:
        if (image->file_count == FILES_MAX)
            abort();
        file = (int)image->file_count++;
        image->files[file].is_folder = op->kind == DISK_MKDIR;
        /* fall through */
    case DISK_RENAME:
    case DISK_REMOVE:
        names_apply(&image->now, op, file);
        if (image->waiting_count == WAITING_MAX)
            abort();
        image->waiting[image->waiting_count++] = (Waiting){ op, file };
        break;
    case DISK_WRITE:
    case DISK_TRUNCATE:
        if (file >= 0)
            file_waits(&image->files[file], op);
        break;
    case DISK_SYNC_FILE:
        if (file >= 0)
            file_flushed(&image->files[file]);
        break;
    case DISK_SYNC_FOLDER:
        folder_flushed(image, op->path);
        break;
    case DISK_NOTE:
        break;
    }
}

/* --- the folder ---------------------------------------------------------------------------------- */

static bool write_out(const Image *image, const char *to)
{
    char path[DISK_PATH_SIZE * 2];
    bool ok = true;

    /* Folders by depth, so that each finds the one above; a file whose folder was lost is lost. */
    for (size_t depth = 1; depth < 8; depth++)
        for (size_t i = 0; i < image->disk.count; i++) {
            const Name *name = &image->disk.at[i];
            size_t slashes = 0;

            for (const char *c = name->path; *c; c++)
                slashes += *c == '/';
            if (name->file < 0 || slashes != depth)
                continue;
            (void)text_printf(path, sizeof path, "%s%s", to, name->path);
            const DiskFile *file = &image->files[name->file];
            if (file->is_folder) {
                (void)mkdir(path, 0750);
                continue;
            }
            int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
            ok = ok &&
                 (fd < 0 || file->n == 0 || write(fd, file->bytes, file->n) == (ssize_t)file->n);
            if (fd >= 0)
                close(fd);
        }
    return ok;
}

bool fakedisk_image(const FakeDisk *disk, size_t cut, uint64_t seed, const char *to)
{
    Image *image = calloc(1, sizeof *image);

    if (!image)
        abort();
    image->random = seed * 0x9e3779b97f4a7c15u + 1;
    image->mode = (unsigned)(seed % 4);
    for (size_t i = 0; i < cut && i < disk->count; i++)
        replay(image, &disk->ops[i]);
    for (size_t i = 0; i < image->waiting_count; i++)
        if (luck(image))
            names_apply(&image->disk, image->waiting[i].op, image->waiting[i].file);
        else if (image->mode == 3)
            break; /* a journal keeps a beginning, never a later step without an earlier one */
    for (size_t i = 0; i < image->file_count; i++)
        file_cut(image, &image->files[i]);
    bool ok = write_out(image, to);
    for (size_t i = 0; i < image->file_count; i++) {
        free(image->files[i].bytes);
        free(image->files[i].waiting);
    }
    free(image);
    return ok;
}
