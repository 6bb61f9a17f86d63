/* base/file.c - see file.h. */
#include "base/file.h"

#include "base/cleanup.h"
#include "base/sha256.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FOLDER_MODE = 0750, COPY_STEP_BYTES = 1 << 30, READ_STEP_BYTES = 128 * 1024 };

static int system_open(int dir_fd, const char *name, int flags, mode_t mode)
{
    return openat(dir_fd, name, flags, mode);
}

static ssize_t system_copy(int from_fd, off_t *from_offset, int to_fd, size_t n)
{
    return copy_file_range(from_fd, from_offset, to_fd, NULL, n, 0);
}

static int system_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return renameat2(from_dir, from, to_dir, to, flags);
}

static int system_link(int from_dir, const char *from, int to_dir, const char *to)
{
    return linkat(from_dir, from, to_dir, to, 0);
}

const FileOps file_ops_system = {
    .open = system_open,
    .write = write,
    .copy = system_copy,
    .sync_data = fdatasync,
    .sync_folder = fsync,
    .rename = system_rename,
    .link = system_link,
    .unlink = unlinkat,
    .mkdir = mkdirat,
    .close = close,
};

static const FileOps *ops = &file_ops_system;

const FileOps *file_ops_set(const FileOps *new_ops)
{
    const FileOps *former = ops;

    ops = new_ops ? new_ops : &file_ops_system;
    return former;
}

/* open(2) with what every descriptor here has; -1 with err set. */
static int open_named(int dir_fd, const char *name, int flags, mode_t mode, Err *err)
{
    int fd = ops->open(dir_fd, name, flags | O_CLOEXEC, mode);

    if (fd < 0)
        err_errno(err, errno, "cannot open %s", name);
    return fd;
}

int file_open_folder(int at_fd, const char *path, Err *err)
{
    return open_named(at_fd, path, O_RDONLY | O_DIRECTORY, 0, err);
}

int file_open_subfolder(int dir_fd, const char *name, Err *err)
{
    return open_named(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
}

bool file_each_name(int folder_fd, FileVisit *visit, void *arg, Err *err)
{
    /* Opened anew: a copy of the descriptor would share its place in the folder. */
    int fd = file_open_folder(folder_fd, ".", err);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (fd < 0)
        return false;
    if (!dir) {
        close(fd);
        return err_errno(err, errno, "cannot list a folder");
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, ".."))
            visit(arg, folder_fd, entry->d_name);
    closedir(dir);
    return true;
}

int file_make_folder(int at_fd, const char *name, Err *err)
{
    if (ops->mkdir(at_fd, name, FOLDER_MODE) == 0) {
        /* The new name is safe only when the folder above is. */
        char above[1024];
        const char *slash = strrchr(name, '/');

        if (!text_copy_bytes(above, sizeof above,
                             (Bytes){ (const uint8_t *)name,
                                      slash ? (size_t)(slash - name) + (slash == name) : 0 })) {
            err_set(err, ERR_BAD_INPUT, 0, "path of %zu bytes is too long", strlen(name));
            return -1;
        }
        AUTO_FD parent = file_open_folder(at_fd, above[0] ? above : ".", err);
        if (parent < 0 || !file_sync_folder(parent, err))
            return -1;
    } else if (errno != EEXIST) {
        err_errno(err, errno, "cannot make folder %s", name);
        return -1;
    }
    return file_open_folder(at_fd, name, err);
}

int file_make_subfolder(int at_fd, const char *name, mode_t mode, Err *err)
{
    if (ops->mkdir(at_fd, name, mode) == 0) {
        if (!file_sync_folder(at_fd, err))
            return -1;
    } else if (errno != EEXIST) {
        err_errno(err, errno, "cannot make folder %s", name);
        return -1;
    }
    return open_named(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
}

int file_make_folders(const char *path, Err *err)
{
    char part[1024];

    if (!text_copy(part, sizeof part, path)) {
        err_set(err, ERR_BAD_INPUT, 0, "path of %zu bytes is too long", strlen(path));
        return -1;
    }
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        AUTO_FD made = file_make_folder(AT_FDCWD, part, err);
        *slash = '/';
        if (made < 0)
            return -1;
    }
    return file_make_folder(AT_FDCWD, part, err);
}

int file_create(int dir_fd, const char *name, mode_t mode, Err *err)
{
    return open_named(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, err);
}

int file_create_new(int dir_fd, const char *name, mode_t mode, Err *err)
{
    return open_named(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode, err);
}

int file_open_append(int dir_fd, const char *name, mode_t mode, Err *err)
{
    return open_named(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode, err);
}

int file_open_read(int dir_fd, const char *name, Err *err)
{
    return open_named(dir_fd, name, O_RDONLY | O_NOFOLLOW, 0, err);
}

int file_open_path(const char *path, Err *err)
{
    return open_named(AT_FDCWD, path, O_RDONLY, 0, err);
}

bool file_write_all(int fd, Bytes bytes, Err *err)
{
    while (bytes.n > 0) {
        ssize_t n = ops->write(fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot write");
        bytes = bytes_after(bytes, (size_t)n);
    }
    return true;
}

static bool copy_by_reading(int from_fd, int64_t offset, int64_t n, int to_fd, Err *err)
{
    uint8_t block[READ_STEP_BYTES];

    while (n > 0) {
        size_t want = n < READ_STEP_BYTES ? (size_t)n : READ_STEP_BYTES;
        ssize_t got = pread(from_fd, block, want, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, errno, "cannot read");
        if (got == 0)
            return err_set(err, ERR_PERMANENT, 0, "file is %lld bytes shorter than expected",
                           (long long)n);
        if (!file_write_all(to_fd, (Bytes){ block, (size_t)got }, err))
            return false;
        offset += got;
        n -= got;
    }
    return true;
}

bool file_copy(int from_fd, int64_t offset, int64_t n, int to_fd, Err *err)
{
    off_t at = offset;

    while (n > 0) {
        ssize_t got = ops->copy(from_fd, &at, to_fd,
                                n < COPY_STEP_BYTES ? (size_t)n : COPY_STEP_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                        errno == EOPNOTSUPP || errno == EBADF))
            return copy_by_reading(from_fd, at, n, to_fd, err);
        if (got < 0)
            return err_errno(err, errno, "cannot copy");
        if (got == 0)
            return err_set(err, ERR_PERMANENT, 0, "file is %lld bytes shorter than expected",
                           (long long)n);
        n -= got;
    }
    return true;
}

bool file_sync_data(int fd, Err *err)
{
    return ops->sync_data(fd) == 0 || err_errno(err, errno, "cannot flush to disk");
}

bool file_sync_folder(int dir_fd, Err *err)
{
    return ops->sync_folder(dir_fd) == 0 || err_errno(err, errno, "cannot flush folder to disk");
}

bool file_close(int *fd, Err *err)
{
    int was = *fd;

    *fd = -1;
    return ops->close(was) == 0 || err_errno(err, errno, "cannot close file");
}

bool file_rename(int from_dir, const char *from, int to_dir, const char *to, Err *err)
{
    return ops->rename(from_dir, from, to_dir, to, 0) == 0 ||
           err_errno(err, errno, "cannot rename %s to %s", from, to);
}

bool file_rename_noreplace(int from_dir, const char *from, int to_dir, const char *to, Err *err)
{
    if (ops->rename(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return err_errno(err, errno, "cannot rename %s to %s", from, to);
    if (ops->link(from_dir, from, to_dir, to) != 0)
        return err_errno(err, errno, "cannot link %s as %s", from, to);
    return file_remove(from_dir, from, err);
}

static bool remove_named(int dir_fd, const char *name, int flags, Err *err)
{
    if (ops->unlink(dir_fd, name, flags) == 0 || errno == ENOENT)
        return true;
    return err_errno(err, errno, "cannot remove %s", name);
}

bool file_remove(int dir_fd, const char *name, Err *err)
{
    return remove_named(dir_fd, name, 0, err);
}

bool file_remove_folder(int dir_fd, const char *name, Err *err)
{
    return remove_named(dir_fd, name, AT_REMOVEDIR, err);
}

static bool read_open(int fd, const char *name, Buf *out, Err *err)
{
    for (;;) {
        size_t room = out->max - out->n < READ_STEP_BYTES ? out->max - out->n : READ_STEP_BYTES;
        uint8_t one_more; /* tells a file that just fits from one that is too long */
        uint8_t *to = room ? buf_reserve(out, room) : &one_more;
        ssize_t n = to ? read(fd, to, room ? room : 1) : -1;

        if (!to)
            return err_set(err, ERR_TEMPORARY, 0, "no memory to read %s", name);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read %s", name);
        if (n == 0)
            return true;
        if (room == 0)
            return err_set(err, ERR_BAD_INPUT, 0, "%s is larger than %zu bytes", name, out->max);
        out->n += (size_t)n;
    }
}

bool file_read_whole(int dir_fd, const char *name, Buf *out, Err *err)
{
    AUTO_FD fd = file_open_read(dir_fd, name, err);

    return fd >= 0 && read_open(fd, name, out, err);
}

bool file_read_path(const char *path, Buf *out, Err *err)
{
    AUTO_FD fd = file_open_path(path, err);

    return fd >= 0 && read_open(fd, path, out, err);
}

bool file_replace(int dir_fd, const char *name, Bytes content, mode_t mode, Err *err)
{
    char temporary[280];

    if (!text_printf(temporary, sizeof temporary, "%s.new", name))
        return err_set(err, ERR_BAD_INPUT, 0, "file name is too long");
    AUTO_FD fd = file_create(dir_fd, temporary, mode, err);
    return fd >= 0 && file_write_all(fd, content, err) && file_sync_data(fd, err) &&
           file_close(&fd, err) && file_rename(dir_fd, temporary, dir_fd, name, err) &&
           file_sync_folder(dir_fd, err);
}

bool file_hash(int fd, char ret_sha256[SHA256_TEXT_SIZE], int64_t *ret_size_bytes, Err *err)
{
    uint8_t block[READ_STEP_BYTES];
    int64_t size = 0;
    Sha256 hash;

    sha256_start(&hash);
    for (;;) {
        ssize_t n = pread(fd, block, sizeof block, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read");
        if (n == 0)
            break;
        sha256_add(&hash, (Bytes){ block, (size_t)n });
        size += n;
    }
    sha256_finish(&hash, ret_sha256);
    *ret_size_bytes = size;
    return true;
}

bool file_space_left(int dir_fd, int64_t *ret_bytes, Err *err)
{
    struct statvfs fs;

    if (fstatvfs(dir_fd, &fs) != 0)
        return err_errno(err, errno, "cannot ask for free space");
    *ret_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    return true;
}
