/* destination/folder.c - deliver into a folder of the server: local disk or what is mounted there.
 *
 * The folder itself is never made: an unmounted disk would be filled in its place. What is written is
 * flushed to disk before it gets its name, read back and compared by hash; the rename replaces nothing
 * (or, when the job says overwrite, everything at once), and the folder is flushed after it. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "destination/site.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    SPACE_SPARE = 1024 * 1024, /* left for the file system's own needs */
    ACCOUNT_NAME_SIZE = 64,
    ACCOUNT_BYTES = 16384, /* of a line of the account database */
    MODE_SIZE = 5,
};

typedef struct FolderSettings {
    char path[PATH_TEXT_SIZE];
    char mode[MODE_SIZE], folder_mode[MODE_SIZE];
    char owner[ACCOUNT_NAME_SIZE], group[ACCOUNT_NAME_SIZE];
} FolderSettings;

static const Field folder_fields[] = {
    PATH(FolderSettings, path, true,
         "Absolute path of an existing folder that the server's user may write in."),
    TEXT_PRESET(FolderSettings, mode, "0664",
                "Permissions of delivered files in octal; the umask of the server is taken off."),
    TEXT_PRESET(FolderSettings, folder_mode, "0775",
                "Permissions of folders that are made, in octal; the umask is taken off."),
    TEXT(FolderSettings, owner, false,
         "User who owns delivered files; needs a server with the right to give files away."),
    TEXT(FolderSettings, group, false,
         "Group of delivered files; the server's user must be a member of it."),
    FIELDS_END,
};

/* What is kept between deliveries. */
typedef struct Place {
    int folder; /* of the last locate, -1 = none */
    mode_t mode, folder_mode;
    uid_t owner; /* (uid_t)-1: as it comes */
    gid_t group;
} Place;

static void *folder_open(const void *settings)
{
    Place *place = calloc(1, sizeof *place);

    (void)settings;
    if (place)
        place->folder = -1;
    return place;
}

static void folder_close(void *connection)
{
    Place *place = connection;

    if (place)
        fd_autoclose(&place->folder);
    free(place);
}

/* --- locate ---------------------------------------------------------------------------------------- */

static bool read_mode(const char *text, const char *what, mode_t *ret_mode, const Errand *errand)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    *ret_mode = (mode_t)mode;
    return (end > text && *end == '\0' && mode <= 0777) ||
           delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                           "Give permissions as three octal digits, for example 0664.",
                           "\"%s\" is no %s", text, what);
}

static bool no_account(const Errand *errand, const char *what, const char *name)
{
    return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                           "Correct the name, or make the account on the server.",
                           "the server knows no %s \"%s\"", what, name);
}

static bool read_accounts(const FolderSettings *settings, Place *place, const Errand *errand)
{
    char bytes[ACCOUNT_BYTES];
    struct passwd user, *user_found = NULL;
    struct group group, *group_found = NULL;

    place->owner = (uid_t)-1;
    place->group = (gid_t)-1;
    if (settings->owner[0]) {
        (void)getpwnam_r(settings->owner, &user, bytes, sizeof bytes, &user_found);
        if (!user_found)
            return no_account(errand, "user", settings->owner);
        place->owner = user.pw_uid;
    }
    if (settings->group[0]) {
        (void)getgrnam_r(settings->group, &group, bytes, sizeof bytes, &group_found);
        if (!group_found)
            return no_account(errand, "group", settings->group);
        place->group = group.gr_gid;
    }
    return true;
}

static bool check_space(const Place *place, const Errand *errand)
{
    int64_t left = 0;
    Err err;

    if (!file_space_left(place->folder, &left, &err))
        return delivery_failed_file(errand->result, "locate", &err);
    if (left < errand->parcel->size_bytes + SPACE_SPARE)
        return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "locate", ENOSPC,
                               "Make room on the disk of the folder.",
                               "the folder's disk has %lld bytes left, the document needs %lld",
                               (long long)left, (long long)errand->parcel->size_bytes);
    return true;
}

/* Goes one level down, which is made when it is not there. */
static bool enter(Place *place, const char *name, Err *err)
{
    AUTO_FD below = file_make_subfolder(place->folder, name, place->folder_mode, err);

    if (below < 0)
        return false;
    fd_autoclose(&place->folder);
    place->folder = STEAL_FD(below);
    return true;
}

static bool folder_locate(const Errand *errand, const char *folder)
{
    const FolderSettings *settings = errand->settings;
    Place *place = errand->connection;
    char part[FILE_NAME_BYTES_MAX + 1];
    Err err;

    if (!read_mode(settings->mode, "mode", &place->mode, errand) ||
        !read_mode(settings->folder_mode, "folder_mode", &place->folder_mode, errand) ||
        !read_accounts(settings, place, errand))
        return false;
    fd_autoclose(&place->folder);
    place->folder = file_open_folder(AT_FDCWD, settings->path, &err);
    if (place->folder < 0)
        return delivery_failed_file(errand->result, "locate", &err);
    while (name_folder_part(&folder, part))
        if (!enter(place, part, &err))
            return delivery_failed_file(errand->result, "locate", &err);
    return check_space(place, errand);
}

/* --- files ----------------------------------------------------------------------------------------- */

static bool folder_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    const Place *place = errand->connection;
    struct stat st;
    Err err;

    *ret_file = (SiteFile){ .size_bytes = -1 };
    if (fstatat(place->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        *ret_file = (SiteFile){ true, S_ISREG(st.st_mode), st.st_size };
        return true;
    }
    if (errno == ENOENT)
        return true;
    err_errno(&err, errno, "cannot look for %s", name);
    return delivery_failed_file(errand->result, "locate", &err);
}

/* The umask keeps what the administrator of the server wants to keep; the owner goes last, because only
 * the owner of a file may do the rest. */
static bool give_away(const Place *place, int fd, const Errand *errand)
{
    if ((place->owner == (uid_t)-1 && place->group == (gid_t)-1) ||
        fchown(fd, place->owner, place->group) == 0)
        return true;
    return delivery_failed(
        errand->result, DELIVERY_CLASS_CONFIG, "write", errno,
        "Make the server's user a member of the group; only root may set an owner.",
        "the server may not set owner or group of its files");
}

static bool folder_write(const Errand *errand, const char *name)
{
    const Place *place = errand->connection;
    Err err;

    /* What stands in the way of the temporary file, of whatever sort, is not written into. */
    if (!file_remove(place->folder, name, &err))
        return delivery_failed_file(errand->result, "write", &err);
    AUTO_FD fd = file_create_new(place->folder, name, place->mode, &err);
    if (fd < 0)
        return delivery_failed_file(errand->result, "write", &err);
    fault_point("folder.created");
    if (!file_copy(errand->parcel->fd, 0, errand->parcel->size_bytes, fd, &err))
        return err.code == 0 ? errand_source_sound(errand) &&
                                   delivery_failed_file(errand->result, "write", &err)
                             : delivery_failed_file(errand->result, "write", &err);
    fault_point("folder.copied");
    if (!give_away(place, fd, errand))
        return false;
    return (file_sync_data(fd, &err) && file_close(&fd, &err)) ||
           delivery_failed_file(errand->result, "write", &err);
}

static bool folder_hash(const Errand *errand, const char *name, char ret_sha256[65])
{
    const Place *place = errand->connection;
    int64_t size;
    Err err;
    AUTO_FD fd = file_open_read(place->folder, name, &err);

    return (fd >= 0 && file_hash(fd, ret_sha256, &size, &err)) ||
           delivery_failed_file(errand->result, "verify", &err);
}

static bool folder_rename(const Errand *errand, const char *from, const char *to, bool replace,
                          bool *ret_taken)
{
    const Place *place = errand->connection;
    Err err;
    bool ok = replace ? file_rename(place->folder, from, place->folder, to, &err)
                      : file_rename_noreplace(place->folder, from, place->folder, to, &err);

    *ret_taken = !ok && !replace && err.kind == ERR_CONFLICT;
    if (*ret_taken)
        return true;
    return (ok && file_sync_folder(place->folder, &err)) ||
           delivery_failed_file(errand->result, "rename", &err);
}

static bool folder_remove(const Errand *errand, const char *name)
{
    const Place *place = errand->connection;
    Err err;

    return (file_remove(place->folder, name, &err) && file_sync_folder(place->folder, &err)) ||
           delivery_failed_file(errand->result, "remove", &err);
}

static const SiteVerbs folder_verbs = {
    .locate = folder_locate,
    .look = folder_look,
    .write = folder_write,
    .hash = folder_hash,
    .rename = folder_rename,
    .remove = folder_remove,
};

extern const DestinationType destination_folder;
const DestinationType destination_folder = {
    .name = "folder",
    .title = "Folder of the server",
    .fields = folder_fields,
    .settings_size = sizeof(FolderSettings),
    .options = site_option_fields,
    .options_size = sizeof(SiteOptions),
    .traits = DESTINATION_RENAMES | DESTINATION_EXCLUSIVE,
    .site = &folder_verbs,
    .open = folder_open,
    .close = folder_close,
};
