/* tests/crash/fakedisk.c - see fakedisk.h: the seams, and the log of calls. */
#include "tests/crash/fakedisk-log.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FakeDisk *the_disk; /* the seams of C have no argument for it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- log ----------------------------------------------------------------------------------------- */

static DiskOp *op_add(DiskOpKind kind, const char *path)
{
    FakeDisk *disk = the_disk;

    if (disk->count == disk->room) {
        disk->room = disk->room ? disk->room * 2 : 1024;
        disk->ops = realloc(disk->ops, disk->room * sizeof *disk->ops);
        if (!disk->ops)
            abort();
    }
    DiskOp *op = &disk->ops[disk->count++];
    *op = (DiskOp){ .kind = kind };
    (void)text_copy(op->path, sizeof op->path, path);
    return op;
}

static void write_add(const char *path, int64_t offset, const void *bytes, size_t n)
{
    DiskOp *op = op_add(DISK_WRITE, path);

    op->offset = offset;
    op->n = n;
    op->bytes = malloc(n + 1);
    if (!op->bytes)
        abort();
    memcpy(op->bytes, bytes, n);
}

static void parent_of(const char *path, char ret_parent[DISK_PATH_SIZE])
{
    (void)text_copy(ret_parent, DISK_PATH_SIZE, path);
    char *slash = strrchr(ret_parent, '/');
    if (slash)
        *slash = '\0';
}

/* Path below the root ("" is the root itself); false for what is elsewhere or removed. */
static bool path_below(const char *whole, char ret_path[DISK_PATH_SIZE])
{
    size_t n = strlen(the_disk->root);

    if (strncmp(whole, the_disk->root, n) != 0 || (whole[n] && whole[n] != '/') ||
        strstr(whole, " (deleted)"))
        return false;
    return text_copy(ret_path, DISK_PATH_SIZE, whole + n);
}

static bool path_of_fd(int fd, char ret_path[DISK_PATH_SIZE])
{
    char link[64], whole[PATH_MAX];

    (void)text_printf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, whole, sizeof whole - 1);
    if (n < 0)
        return false;
    whole[n] = '\0';
    return path_below(whole, ret_path);
}

static bool path_of_name(int dir_fd, const char *name, char ret_path[DISK_PATH_SIZE])
{
    char folder[DISK_PATH_SIZE];

    if (name[0] == '/')
        return path_below(name, ret_path);
    return path_of_fd(dir_fd, folder) &&
           text_printf(ret_path, DISK_PATH_SIZE, "%s/%s", folder, name);
}

/* Counts a call; true when it must fail, errno is then set. */
static bool call_fails(void)
{
    FakeDisk *disk = the_disk;

    disk->calls++;
    if (disk->fail_at == 0 ||
        !(disk->calls == disk->fail_at || (disk->fail_stays && disk->calls > disk->fail_at)))
        return false;
    errno = disk->fail_errno;
    return true;
}

/* --- base/file's table --------------------------------------------------------------------------- */

/* Each seam: lock, count, do, log. */
static int fake_open(int dir_fd, const char *name, int flags, mode_t mode)
{
    char path[DISK_PATH_SIZE];
    struct stat info;
    int fd = -1;

    pthread_mutex_lock(&lock);
    bool there = fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (!call_fails())
        fd = file_ops_system.open(dir_fd, name, flags, mode);
    if (fd >= 0 && (flags & O_CREAT) && path_of_name(dir_fd, name, path)) {
        if (!there)
            op_add(DISK_CREATE, path);
        else if (flags & O_TRUNC)
            op_add(DISK_TRUNCATE, path);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static ssize_t fake_write(int fd, const void *bytes, size_t n)
{
    char path[DISK_PATH_SIZE];
    ssize_t done = -1;

    pthread_mutex_lock(&lock);
    /* A page in several calls, as a nearly full disk would take it. */
    if (n > 5000)
        n = 5000;
    off_t at = (fcntl(fd, F_GETFL) & O_APPEND) ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    if (!call_fails())
        done = write(fd, bytes, n);
    if (done > 0 && path_of_fd(fd, path))
        write_add(path, at, bytes, (size_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t fake_copy(int from_fd, off_t *from_offset, int to_fd, size_t n)
{
    (void)from_fd;
    (void)from_offset;
    (void)to_fd;
    (void)n;
    errno = ENOSYS; /* base/file then reads and writes */
    return -1;
}

static int sync_logged(int fd, DiskOpKind kind)
{
    char path[DISK_PATH_SIZE];
    int rc = -1;

    pthread_mutex_lock(&lock);
    if (!call_fails())
        rc = 0; /* the real disk need not do it */
    if (rc == 0 && path_of_fd(fd, path))
        op_add(kind, path);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int fake_sync_data(int fd)
{
    return sync_logged(fd, DISK_SYNC_FILE);
}

static int fake_sync_folder(int fd)
{
    return sync_logged(fd, DISK_SYNC_FOLDER);
}

static int fake_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char path[DISK_PATH_SIZE], path_to[DISK_PATH_SIZE];
    int rc = -1;

    pthread_mutex_lock(&lock);
    bool known = path_of_name(from_dir, from, path) && path_of_name(to_dir, to, path_to);
    if (!call_fails())
        rc = file_ops_system.rename(from_dir, from, to_dir, to, flags);
    if (rc == 0 && known) {
        DiskOp *op = op_add(DISK_RENAME, path);
        (void)text_copy(op->to, sizeof op->to, path_to);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int fake_unlink(int dir_fd, const char *name, int flags)
{
    char path[DISK_PATH_SIZE];
    int rc = -1;

    pthread_mutex_lock(&lock);
    if (!call_fails())
        rc = file_ops_system.unlink(dir_fd, name, flags);
    if (rc == 0 && path_of_name(dir_fd, name, path))
        op_add(DISK_REMOVE, path);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int fake_mkdir(int dir_fd, const char *name, mode_t mode)
{
    char path[DISK_PATH_SIZE];
    int rc = -1;

    pthread_mutex_lock(&lock);
    if (!call_fails())
        rc = file_ops_system.mkdir(dir_fd, name, mode);
    if (rc == 0 && path_of_name(dir_fd, name, path))
        op_add(DISK_MKDIR, path);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int fake_close(int fd)
{
    pthread_mutex_lock(&lock);
    bool fails = call_fails();
    int cause = errno;
    (void)close(fd); /* the descriptor is gone also when close fails */
    errno = cause;
    pthread_mutex_unlock(&lock);
    return fails ? -1 : 0;
}

/* --- SQLite's files ------------------------------------------------------------------------------ */

typedef struct FakeFile {
    sqlite3_file base;
    char path[DISK_PATH_SIZE];
    bool logged, new_log; /* new_log: the real VFS flushes the folder at the first flush */
    sqlite3_file *real;   /* behind this struct */
} FakeFile;

static int sqlite_failure(int otherwise)
{
    return errno == ENOSPC ? SQLITE_FULL : otherwise;
}

static int f_close(sqlite3_file *file)
{
    sqlite3_file *real = ((FakeFile *)file)->real;

    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int f_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
    sqlite3_file *real = ((FakeFile *)file)->real;

    return real->pMethods->xRead(real, to, n, offset);
}

static int f_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    FakeFile *fake = (FakeFile *)file;
    int rc;

    pthread_mutex_lock(&lock);
    if (call_fails())
        rc = sqlite_failure(SQLITE_IOERR_WRITE);
    else
        rc = fake->real->pMethods->xWrite(fake->real, bytes, n, offset);
    if (rc == SQLITE_OK && fake->logged)
        write_add(fake->path, offset, bytes, (size_t)n);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    FakeFile *fake = (FakeFile *)file;
    int rc;

    pthread_mutex_lock(&lock);
    rc = call_fails() ? SQLITE_IOERR_TRUNCATE : fake->real->pMethods->xTruncate(fake->real, size);
    if (rc == SQLITE_OK && fake->logged)
        op_add(DISK_TRUNCATE, fake->path)->offset = size;
    pthread_mutex_unlock(&lock);
    return rc;
}

static int f_sync(sqlite3_file *file, int flags)
{
    FakeFile *fake = (FakeFile *)file;
    char parent[DISK_PATH_SIZE];
    int rc = SQLITE_OK;

    (void)flags;
    pthread_mutex_lock(&lock);
    if (call_fails())
        rc = SQLITE_IOERR_FSYNC;
    else if (fake->logged) {
        op_add(DISK_SYNC_FILE, fake->path);
        parent_of(fake->path, parent);
        if (fake->new_log)
            op_add(DISK_SYNC_FOLDER, parent);
        fake->new_log = false;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

#define REAL(file) (((FakeFile *)(file))->real)

static int f_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), size);
}

static int f_lock(sqlite3_file *file, int level)
{
    return REAL(file)->pMethods->xLock(REAL(file), level);
}

static int f_unlock(sqlite3_file *file, int level)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), level);
}

static int f_reserved(sqlite3_file *file, int *ret)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), ret);
}

static int f_control(sqlite3_file *file, int op, void *arg)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), op, arg);
}

static int f_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}

static int f_traits(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static int f_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, ret);
}

static int f_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL(file)->pMethods->xShmLock(REAL(file), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static int f_shm_unmap(sqlite3_file *file, int remove_it)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), remove_it);
}

static const sqlite3_io_methods fake_methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_traits,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    sqlite3_vfs *real = vfs->pAppData;
    FakeFile *fake = (FakeFile *)file;
    int rc;

    memset(fake, 0, sizeof *fake);
    fake->real = (sqlite3_file *)(fake + 1);
    pthread_mutex_lock(&lock);
    bool there = name && access(name, F_OK) == 0;
    rc = call_fails() ? SQLITE_CANTOPEN : real->xOpen(real, name, fake->real, flags, ret_flags);
    if (rc == SQLITE_OK) {
        fake->base.pMethods = &fake_methods;
        fake->logged = name && path_below(name, fake->path);
        fake->new_log = !there && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL));
        if (fake->logged && !there)
            op_add(DISK_CREATE, fake->path);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    sqlite3_vfs *real = vfs->pAppData;
    char path[DISK_PATH_SIZE], parent[DISK_PATH_SIZE];
    int rc;

    pthread_mutex_lock(&lock);
    rc = call_fails() ? SQLITE_IOERR_DELETE : real->xDelete(real, name, 0);
    if (rc == SQLITE_OK && path_below(name, path)) {
        op_add(DISK_REMOVE, path);
        parent_of(path, parent);
        if (sync_folder)
            op_add(DISK_SYNC_FOLDER, parent);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static sqlite3_vfs fake_vfs;

/* --- the disk ------------------------------------------------------------------------------------ */

static const FileOps fake_ops = {
    .open = fake_open,
    .write = fake_write,
    .copy = fake_copy,
    .sync_data = fake_sync_data,
    .sync_folder = fake_sync_folder,
    .rename = fake_rename,
    .link = NULL, /* base/file links only where renames cannot be told not to replace */
    .unlink = fake_unlink,
    .mkdir = fake_mkdir,
    .close = fake_close,
};

FakeDisk *fakedisk_new(const char *root)
{
    FakeDisk *disk = calloc(1, sizeof *disk);
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);

    if (!disk || !realpath(root, disk->root))
        abort();
    the_disk = disk;
    fake_vfs = *real; /* what is not replaced is the real one's */
    fake_vfs.pAppData = real;
    fake_vfs.zName = "platen-fakedisk";
    fake_vfs.szOsFile = (int)sizeof(FakeFile) + real->szOsFile;
    fake_vfs.xOpen = v_open;
    fake_vfs.xDelete = v_delete;
    sqlite3_vfs_register(&fake_vfs, 1);
    file_ops_set(&fake_ops);
    return disk;
}

void fakedisk_free(FakeDisk *disk)
{
    file_ops_set(NULL);
    sqlite3_vfs_unregister(&fake_vfs);
    for (size_t i = 0; i < disk->count; i++)
        free(disk->ops[i].bytes);
    free(disk->ops);
    free(disk);
    the_disk = NULL;
}

void fakedisk_note(FakeDisk *disk, size_t number)
{
    (void)disk;
    pthread_mutex_lock(&lock);
    op_add(DISK_NOTE, "")->n = number;
    pthread_mutex_unlock(&lock);
}

size_t fakedisk_log_size(const FakeDisk *disk)
{
    return disk->count;
}

size_t fakedisk_notes_before(const FakeDisk *disk, size_t cut)
{
    size_t notes = 0;

    for (size_t i = 0; i < cut; i++)
        notes += disk->ops[i].kind == DISK_NOTE;
    return notes;
}

void fakedisk_fail(FakeDisk *disk, long n, int errno_code, bool stays)
{
    pthread_mutex_lock(&lock);
    disk->calls = 0;
    disk->fail_at = n;
    disk->fail_errno = errno_code;
    disk->fail_stays = stays;
    pthread_mutex_unlock(&lock);
}

long fakedisk_calls(const FakeDisk *disk)
{
    return disk->calls;
}
