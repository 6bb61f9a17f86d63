/* destination/folder.c - deliver into a folder of the server: local disk or what is mounted there.
 *
 *   locate   open the folder; the reserved name of an earlier attempt is looked at first
 *   write    .platen-<delivery>.part in the same folder, flushed to disk
 *   verify   read back, size and hash
 *   rename   the name is proposed, then taken without replacing anything; the folder is flushed
 *
 * A reader of the folder sees a whole file or none. A missing folder is never made: an unmounted disk
 * would be filled in its place. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "destination/destination.h"
#include "model/name.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum {
    NAMES_MAX = 9999,          /* name.pdf, name_2.pdf ... name_9999.pdf               */
    SPACE_SPARE = 1024 * 1024, /* left for the file system's own needs                 */
    DELIVERED_MODE = 0664,     /* the umask of the server decides                      */
};

typedef struct FolderSettings {
    char path[PATH_TEXT_SIZE];
} FolderSettings;

static const Field folder_fields[] = {
    PATH(FolderSettings, path, true,
         "Absolute path of an existing folder that the server's user may write in."),
    FIELDS_END,
};

/* One delivery on its way. */
typedef struct Visit {
    const Parcel *parcel;
    const DeliveryTalk *talk;
    DeliveryResult *result;
    int folder;         /* borrowed */
    char temporary[64]; /* name in the folder */
} Visit;

static bool locate(const FolderSettings *settings, int *ret_folder, DeliveryResult *result)
{
    Err err;

    *ret_folder = file_open_folder(AT_FDCWD, settings->path, &err);
    return *ret_folder >= 0 || delivery_failed_file(result, "locate", &err);
}

/* True when the folder has a plain file of this name with the parcel's size and hash. */
static bool is_ours(const Visit *visit, const char *name)
{
    char sha256[65];
    int64_t size = 0;
    struct stat st;
    Err err;

    if (fstatat(visit->folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size != visit->parcel->size_bytes)
        return false;
    AUTO_FD fd = file_open_read(visit->folder, name, &err);
    return fd >= 0 && file_hash(fd, sha256, &size, &err) && size == visit->parcel->size_bytes &&
           text_equal(sha256, visit->parcel->sha256);
}

static bool is_taken(int folder, const char *name)
{
    struct stat st;

    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void fill_receipt(const Visit *visit, const char *name)
{
    DeliveryResult *result = visit->result;

    *result = (DeliveryResult){ .class = DELIVERY_CLASS_OK,
                                .size_bytes = visit->parcel->size_bytes };
    (void)text_copy(result->stage, sizeof result->stage, "rename");
    (void)text_copy(result->remote_name, sizeof result->remote_name, name);
    (void)text_copy(result->sha256, sizeof result->sha256, visit->parcel->sha256);
    (void)text_printf(result->text, sizeof result->text, "%s is in the folder", name);
}

/* Says which side of a copy is wrong: a source that changed is not worth another attempt. */
static bool damaged(const Visit *visit, int source)
{
    char sha256[65];
    int64_t size = 0;
    Err err;

    if (file_hash(source, sha256, &size, &err) &&
        (size != visit->parcel->size_bytes || !text_equal(sha256, visit->parcel->sha256)))
        return delivery_failed(visit->result, DELIVERY_CLASS_FATAL, "verify", 0,
                               "Compose the batch again from its pages.",
                               "the document in the spool is damaged: %lld bytes, hash %.16s...",
                               (long long)size, sha256);
    return delivery_failed(visit->result, DELIVERY_CLASS_RETRY, "verify", 0,
                           "Check the disk of the folder.",
                           "what was written into the folder reads back different");
}

static bool check_space(const Visit *visit)
{
    int64_t left = 0;
    Err err;

    if (!file_space_left(visit->folder, &left, &err))
        return delivery_failed_file(visit->result, "locate", &err);
    if (left < visit->parcel->size_bytes + SPACE_SPARE)
        return delivery_failed(visit->result, DELIVERY_CLASS_RETRY, "locate", ENOSPC,
                               "Make room on the disk of the folder.",
                               "the folder's disk has %lld bytes left, the document needs %lld",
                               (long long)left, (long long)visit->parcel->size_bytes);
    return true;
}

/* Write and verify. */
static bool copy_in(const Visit *visit)
{
    Err err;

    if (!check_space(visit))
        return false;
    AUTO_FD source = file_open_read(AT_FDCWD, visit->parcel->path, &err);
    if (source < 0)
        return delivery_failed(
            visit->result, err.kind == ERR_NOT_FOUND ? DELIVERY_CLASS_FATAL : DELIVERY_CLASS_RETRY,
            "write", err.code, "Compose the batch again from its pages.", "%s", err.text);
    AUTO_FD fd = file_create(visit->folder, visit->temporary, DELIVERED_MODE, &err);
    if (fd < 0)
        return delivery_failed_file(visit->result, "write", &err);
    fault_point("folder.created");
    if (!file_copy(source, 0, visit->parcel->size_bytes, fd, &err))
        return err.code == 0 ? damaged(visit, source)
                             : delivery_failed_file(visit->result, "write", &err);
    fault_point("folder.copied");
    if (!file_sync_data(fd, &err) || !file_close(&fd, &err))
        return delivery_failed_file(visit->result, "write", &err);
    fault_point("folder.written");
    if (!is_ours(visit, visit->temporary))
        return damaged(visit, source);
    fault_point("folder.verified");
    return true;
}

/* Candidate number n: the reserved name, the wanted one, then numbered ones. */
static void candidate(const Parcel *parcel, uint32_t n, char ret_name[FILE_NAME_BYTES_MAX + 1])
{
    if (n == 0)
        (void)text_copy(ret_name, FILE_NAME_BYTES_MAX + 1, parcel->reserved);
    else if (n == 1)
        (void)text_copy(ret_name, FILE_NAME_BYTES_MAX + 1, parcel->name);
    else
        name_with_number(parcel->name, n, ret_name);
}

static bool take_name(const Visit *visit)
{
    char name[FILE_NAME_BYTES_MAX + 1];
    Err err;

    for (uint32_t n = visit->parcel->reserved[0] ? 0 : 1; n <= NAMES_MAX; n++) {
        candidate(visit->parcel, n, name);
        if (is_taken(visit->folder, name))
            continue;
        if (!visit->talk->propose(visit->talk->arg, name))
            return delivery_failed(visit->result, DELIVERY_CLASS_RETRY, "rename", 0,
                                   "Nothing: the delivery is tried again.",
                                   "the server stopped the delivery before %s appeared", name);
        fault_point("folder.before-rename");
        if (!file_rename_noreplace(visit->folder, visit->temporary, visit->folder, name, &err)) {
            if (err.kind == ERR_CONFLICT) /* somebody took it meanwhile */
                continue;
            return delivery_failed_file(visit->result, "rename", &err);
        }
        fault_point("folder.renamed");
        if (!file_sync_folder(visit->folder, &err))
            return delivery_failed_file(visit->result, "rename", &err);
        fault_point("folder.done");
        fill_receipt(visit, name);
        return true;
    }
    return delivery_failed(visit->result, DELIVERY_CLASS_CONFIG, "rename", EEXIST,
                           "Empty the folder, or put {time} or {seq:N} into the job's file name.",
                           "the folder has %s and %d numbered files beside it", visit->parcel->name,
                           NAMES_MAX - 1);
}

/* An earlier attempt was allowed to use a name and then died, or its answer was lost. */
static bool is_done_already(const Visit *visit)
{
    Err err;

    if (!visit->parcel->reserved[0] || !is_ours(visit, visit->parcel->reserved))
        return false;
    if (file_remove(visit->folder, visit->temporary, &err) && file_sync_folder(visit->folder, &err))
        fill_receipt(visit, visit->parcel->reserved);
    else
        (void)delivery_failed_file(visit->result, "rename", &err);
    return true;
}

static void folder_deliver(const void *settings, const Parcel *parcel, const DeliveryTalk *talk,
                           DeliveryResult *ret_result)
{
    AUTO_FD folder = -1;
    Visit visit = { .parcel = parcel, .talk = talk, .result = ret_result };
    Err ignored;

    if (!text_printf(visit.temporary, sizeof visit.temporary, ".platen-%s.part",
                     parcel->delivery)) {
        (void)delivery_failed(ret_result, DELIVERY_CLASS_FATAL, "locate", 0,
                              "Report this as a fault of Platen.", "delivery id is too long");
        return;
    }
    if (!locate(settings, &folder, ret_result))
        return;
    visit.folder = folder;
    if (is_done_already(&visit))
        return;
    if (!copy_in(&visit) || !take_name(&visit)) /* nothing of a failed attempt stays */
        (void)file_remove(folder, visit.temporary, &ignored);
}

extern const DestinationType destination_folder;
const DestinationType destination_folder = {
    .name = "folder",
    .title = "Folder of the server",
    .fields = folder_fields,
    .settings_size = sizeof(FolderSettings),
    .traits = DESTINATION_RENAMES | DESTINATION_HASHES,
    .deliver = folder_deliver,
};
