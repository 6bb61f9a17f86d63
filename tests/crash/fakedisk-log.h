/* tests/crash/fakedisk-log.h - the log of a fake disk, shared by its two files. */
#ifndef PLATEN_TESTS_CRASH_FAKEDISK_LOG_H
#define PLATEN_TESTS_CRASH_FAKEDISK_LOG_H

#include "tests/crash/fakedisk.h"

#include <limits.h>

enum { DISK_PATH_SIZE = 160, DISK_SECTOR = 512 };

typedef enum DiskOpKind {
    DISK_CREATE,
    DISK_TRUNCATE, /* to offset */
    DISK_WRITE,
    DISK_SYNC_FILE,
    DISK_SYNC_FOLDER,
    DISK_RENAME,
    DISK_REMOVE,
    DISK_MKDIR,
    DISK_NOTE,
} DiskOpKind;

typedef struct DiskOp {
    DiskOpKind kind;
    char path[DISK_PATH_SIZE], to[DISK_PATH_SIZE]; /* below the root, "" = the root */
    int64_t offset;
    size_t n;
    unsigned char *bytes;
} DiskOp;

struct FakeDisk {
    char root[PATH_MAX];
    DiskOp *ops;
    size_t count, room;
    long calls, fail_at;
    int fail_errno;
    bool fail_stays;
};

#endif
