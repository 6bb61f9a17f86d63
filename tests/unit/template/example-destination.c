/* The template of docs/how-to-add-a-destination.md: an archive, a folder tree on a disk of this server.
 * It is compiled and tested like a real kind (tests/unit/test-destination.c). */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "destination/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What an administrator sets. Forms, help, checks and the API follow from the table. */
typedef struct ArchiveSettings {
    char path[PATH_TEXT_SIZE];
    bool read_only; /* nobody changes what is archived */
} ArchiveSettings;

static const Field archive_fields[] = {
    PATH(ArchiveSettings, path, true, "Absolute path of an existing folder."),
    BOOLEAN(ArchiveSettings, read_only, false, "Whether delivered files can only be read."),
    FIELDS_END,
};

/* What is kept between deliveries with the same settings: a connection or, here, the last folder, -1 =
 * none. Nothing connects in open: that is for locate, where a failure can be told. */
static void *archive_open(const void *settings)
{
    int *folder = malloc(sizeof *folder);

    (void)settings;
    if (folder)
        *folder = -1;
    return folder;
}

static void archive_close(void *connection)
{
    fd_autoclose(connection);
    free(connection);
}

static int folder_of(const Errand *errand)
{
    return *(const int *)errand->connection;
}

/* The folder of the settings must be there; those below it, which a job names, are made. */
static bool archive_locate(const Errand *errand, const char *folder)
{
    const ArchiveSettings *settings = errand->settings;
    char part[FILE_NAME_BYTES_MAX + 1];
    int *at = errand->connection;
    Err err;

    fd_autoclose(at);
    *at = file_open_folder(AT_FDCWD, settings->path, &err);
    while (*at >= 0 && name_folder_part(&folder, part)) {
        AUTO_FD above = STEAL_FD(*at);

        *at = file_make_subfolder(above, part, 0775, &err);
    }
    return *at >= 0 || delivery_failed_file(errand->result, "locate", &err);
}

static bool archive_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    struct stat st;
    Err err;

    *ret_file = (SiteFile){ .size_bytes = -1 };
    if (fstatat(folder_of(errand), name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        *ret_file = (SiteFile){ true, S_ISREG(st.st_mode), st.st_size };
    else if (errno != ENOENT) /* "is not there" is an answer, all else is a failure */
        return err_errno(&err, errno, "cannot look for %s", name) ||
               delivery_failed_file(errand->result, "locate", &err);
    return true;
}

/* name is a temporary one. A later attempt may find half a file there: it is written anew. */
static bool archive_write(const Errand *errand, const char *name)
{
    const ArchiveSettings *settings = errand->settings;
    int folder = folder_of(errand);
    mode_t mode = settings->read_only ? 0444 : 0664;
    Err err;
    AUTO_FD fd = file_remove(folder, name, &err) ? file_create_new(folder, name, mode, &err) : -1;

    fault_point("archive.created"); /* the crash tests find it, and kill the process there */
    return (fd >= 0 && file_copy(errand->parcel->fd, 0, errand->parcel->size_bytes, fd, &err) &&
            file_sync_data(fd, &err) && file_close(&fd, &err)) ||
           (errand_source_sound(errand) && /* a damaged document is told first */
            delivery_failed_file(errand->result, "write", &err));
}

/* Leave it out where the place cannot tell: then sizes are compared. */
static bool archive_hash(const Errand *errand, const char *name, char ret_sha256[65])
{
    int64_t size;
    Err err;
    AUTO_FD fd = file_open_read(folder_of(errand), name, &err);

    return (fd >= 0 && file_hash(fd, ret_sha256, &size, &err)) ||
           delivery_failed_file(errand->result, "verify", &err);
}

static bool archive_rename(const Errand *errand, const char *from, const char *to, bool replace,
                           bool *ret_taken)
{
    int folder = folder_of(errand);
    Err err;
    bool ok = replace ? file_rename(folder, from, folder, to, &err)
                      : file_rename_noreplace(folder, from, folder, to, &err);

    *ret_taken = !ok && !replace && err.kind == ERR_CONFLICT; /* site.c tries another name */
    return *ret_taken || (ok && file_sync_folder(folder, &err)) ||
           delivery_failed_file(errand->result, "rename", &err);
}

static bool archive_remove(const Errand *errand, const char *name)
{
    Err err;

    return file_remove(folder_of(errand), name, &err) ||
           delivery_failed_file(errand->result, "remove", &err);
}

static const SiteVerbs archive_verbs = {
    .locate = archive_locate,
    .look = archive_look,
    .write = archive_write,
    .hash = archive_hash,
    .rename = archive_rename,
    .remove = archive_remove,
};

extern const DestinationType destination_archive;
const DestinationType destination_archive = {
    .name = "archive",
    .title = "Archive on a disk of the server",
    .fields = archive_fields,
    .settings_size = sizeof(ArchiveSettings),
    .options = site_option_fields, /* folder and same_name; a kind's own rows go below them */
    .options_size = sizeof(SiteOptions),
    .traits = DESTINATION_RENAMES | DESTINATION_EXCLUSIVE,
    .site = &archive_verbs,
    .open = archive_open,
    .close = archive_close,
};
