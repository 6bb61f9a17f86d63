/* base/file.h - the only code that creates, syncs, links, renames or removes files.
 *
 * Everything goes through one function table. The tests replace it: the power-loss test keeps what
 * was not synced apart and forgets it, the error test answers ENOSPC or EIO at the i-th call.
 * Names are relative to a folder descriptor; names never follow a symbolic link at their end.
 * Functions that return int give a descriptor the caller closes (O_CLOEXEC), -1 with err set.
 * Error kinds: ERR_NOT_FOUND, ERR_DENIED, ERR_CONFLICT (exists), ERR_TEMPORARY (disk full, EIO),
 * else ERR_PERMANENT. May block; never call from the loop thread. Any other thread. */
#ifndef PLATEN_BASE_FILE_H
#define PLATEN_BASE_FILE_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The seam for tests: what the functions below call. Same contract as the system calls: -1 and
 * errno. The pointers are never NULL. */
typedef struct FileOps {
    int (*open)(int dir_fd, const char *name, int flags, mode_t mode);
    ssize_t (*write)(int fd, const void *bytes, size_t n);
    ssize_t (*copy)(int from_fd, off_t *from_offset, int to_fd, size_t n); /* copy_file_range */
    int (*sync_data)(int fd);
    int (*sync_folder)(int fd);
    int (*rename)(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
    int (*link)(int from_dir, const char *from, int to_dir, const char *to);
    int (*unlink)(int dir_fd, const char *name, int flags);
    int (*mkdir)(int dir_fd, const char *name, mode_t mode);
    int (*close)(int fd);
} FileOps;

/* The table that calls the kernel. A test table copies it and changes what it wants. */
extern const FileOps file_ops_system;

/* Replaces the table; NULL = file_ops_system. Returns the former one. Before threads start. */
const FileOps *file_ops_set(const FileOps *ops);

/* Opens an existing folder. at_fd: a folder, or AT_FDCWD. */
int file_open_folder(int at_fd, const char *path, Err *err);

/* The same for a folder right below another; a symbolic link of that name is not followed: ERR_PERMANENT, code
 * ENOTDIR or ELOOP. */
int file_open_subfolder(int dir_fd, const char *name, Err *err);

/* Calls visit for every name in a folder but . and .. in no order; visit may remove that name. False when the
 * folder cannot be listed. */
typedef void FileVisit(void *arg, int folder_fd, const char *name);
bool file_each_name(int folder_fd, FileVisit *visit, void *arg, Err *err);

/* Makes the folder if it is missing (mode 0750), syncs the parent, opens it. */
int file_make_folder(int at_fd, const char *name, Err *err);

/* Makes one folder below another, with the mode (the umask is taken off) if it is missing; syncs the upper
 * one, opens the lower. A symbolic link of that name is not followed. */
int file_make_subfolder(int at_fd, const char *name, mode_t mode, Err *err);

/* The same as file_make_folder for a path whose upper folders may be missing as well. */
int file_make_folders(const char *path, Err *err);

/* Creates or empties a file for writing; mode as in open(2), e.g. 0640. */
int file_create(int dir_fd, const char *name, mode_t mode, Err *err);

/* Creates a file that is not there yet; ERR_CONFLICT when anything has the name. */
int file_create_new(int dir_fd, const char *name, mode_t mode, Err *err);

/* Opens (creates when missing) for appending. */
int file_open_append(int dir_fd, const char *name, mode_t mode, Err *err);

/* Opens an existing file for reading. */
int file_open_read(int dir_fd, const char *name, Err *err);
/* The same of a path that a person has named: it may be a symbolic link, as those of certificates often are. */
int file_open_path(const char *path, Err *err);

/* Writes all of bytes at the descriptor's position, however many calls that takes. */
bool file_write_all(int fd, Bytes bytes, Err *err);

/* Appends n bytes of from_fd, starting at offset, to to_fd: copied inside the kernel (shared
 * blocks where the file system can), else by reading and writing. Short source: ERR_PERMANENT. */
bool file_copy(int from_fd, int64_t offset, int64_t n, int to_fd, Err *err);

bool file_sync_data(int fd, Err *err);       /* fdatasync: content and length are on disk   */
bool file_sync_folder(int dir_fd, Err *err); /* names in this folder are on disk         */

/* Closes a written file and reports what close(2) reports; *fd becomes -1. */
bool file_close(int *fd, Err *err);

/* Renames inside one folder or between two; replaces an existing target. */
bool file_rename(int from_dir, const char *from, int to_dir, const char *to, Err *err);

/* Renames without replacing: ERR_CONFLICT when `to` exists. On file systems without
 * RENAME_NOREPLACE link + unlink are used, which is as safe but shows both names for a moment. */
bool file_rename_noreplace(int from_dir, const char *from, int to_dir, const char *to, Err *err);

/* Removes a file (a missing one is fine) or an empty folder. */
bool file_remove(int dir_fd, const char *name, Err *err);
bool file_remove_folder(int dir_fd, const char *name, Err *err);

/* Appends the whole file to out; ERR_BAD_INPUT when it passes out's maximum. */
bool file_read_whole(int dir_fd, const char *name, Buf *out, Err *err);
/* The same of a path that a person has named (file_open_path). */
bool file_read_path(const char *path, Buf *out, Err *err);

/* Writes a whole small file so that a crash leaves the old or the new one: temporary name, sync,
 * rename, sync of the folder. */
bool file_replace(int dir_fd, const char *name, Bytes content, mode_t mode, Err *err);

/* Reads from offset 0 to the end: SHA-256 (hex, 65 bytes) and size. */
bool file_hash(int fd, char ret_sha256[65], int64_t *ret_size_bytes, Err *err);

/* Bytes an unprivileged process may still write on the folder's file system. */
bool file_space_left(int dir_fd, int64_t *ret_bytes, Err *err);

#endif
