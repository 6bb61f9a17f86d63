/* monitor/doctor-data.c - the checks of HTTPS, of the data folder with the master keys, and of the clock. */
#include "monitor/doctor-inside.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "monitor/doctor-proc.h"
#include "store/doctor-rows.h"
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600 * SECOND_MS, DAY_MS = 24 * HOUR_MS, MB = 1000 * 1000 };

/* --- HTTPS ------------------------------------------------------------------------------------------- */

static void check_validity(Doctor *d, const DoctorCertificate *c)
{
    enum { SOON_DAYS = 30 };
    char until[WALL_TEXT_SIZE], from[WALL_TEXT_SIZE];
    long long days = (long long)((c->valid_until.ms - d->facts->now.ms) / DAY_MS);

    if (c->valid_until.ms == 0)
        return;
    wall_format(c->valid_from, wall_zone_offset_min(c->valid_from), from);
    wall_format(c->valid_until, wall_zone_offset_min(c->valid_until), until);
    if (d->facts->now.ms >= c->valid_until.ms)
        doctor_say(d, FINDING_CERTIFICATE_EXPIRED, c->path, NULL, "It was valid until %.19s.",
                   until);
    else if (days < SOON_DAYS)
        doctor_say(d, FINDING_CERTIFICATE_EXPIRES_SOON, c->path, NULL,
                   "It is valid until %.19s: %lld more days.", until, days);
    if (d->facts->now.ms < c->valid_from.ms)
        doctor_say(d, FINDING_CERTIFICATE_NOT_YET_VALID, c->path, NULL,
                   "It is valid from %.19s on.", from);
}

void doctor_check_https(Doctor *d)
{
    const DoctorCertificate *c = &d->facts->certificate;

    if (!c->is_on)
        return;
    if (c->problem[0])
        doctor_say(d, FINDING_CERTIFICATE_UNREADABLE, c->path, NULL, "%s.", c->problem);
    else if (!c->is_in_use)
        doctor_say(d, FINDING_CERTIFICATE_NOT_IN_USE, c->path, NULL,
                   "The file has changed since the server was started.");
    if (c->key_problem[0])
        doctor_say(d, FINDING_CERTIFICATE_KEY_UNREADABLE, c->key_path, NULL, "%s.", c->key_problem);
    check_validity(d, c);
}

/* --- the data folder --------------------------------------------------------------------------------- */

/* Rights and mount options can be asked; a disk that breaks or a quota shows only when something is written. */
static bool probe(int data, Err *err)
{
    static const char name[] = ".doctor-probe";
    uint8_t bytes[4096] = { 0 };
    AUTO_FD fd = file_create(data, name, 0600, err);
    Err ignored;

    if (fd < 0)
        return false;
    bool ok = file_write_all(fd, (Bytes){ bytes, sizeof bytes }, err) && file_sync_data(fd, err) &&
              file_close(&fd, err);
    return file_remove(data, name, ok ? err : &ignored) && ok;
}

static void check_space(Doctor *d)
{
    enum { COMFORT = 4 };
    const DoctorConfig *config = d->facts->config;
    SpoolSpace space;
    Err err;

    if (!spool_space(config->spool, &space, &err))
        doctor_say(d, FINDING_COULD_NOT_LOOK, config->data_path, NULL,
                   "The space that is left could not be asked: %s.", err.text);
    else if (!spool_space_is_enough(&space))
        doctor_say(d, FINDING_DISK_FULL, config->data_path, NULL,
                   "%lld MB are left; a scan wants %lld MB.", (long long)(space.left / MB),
                   (long long)(space.wanted / MB));
    else if (space.left / COMFORT < space.wanted)
        doctor_say(d, FINDING_DISK_LOW, config->data_path, NULL,
                   "%lld MB are left; below %lld MB scans are refused.",
                   (long long)(space.left / MB), (long long)(space.wanted / MB));
}

typedef struct FileSystem {
    const char *type; /* as mountinfo has it; "fuse.sshfs" and the like by their beginning */
    FindingId id;
} FileSystem;

static void check_file_system(Doctor *d)
{
    static const FileSystem systems[] = {
        { "tmpfs", FINDING_DATA_VOLATILE },
        { "ramfs", FINDING_DATA_VOLATILE },
        { "nfs", FINDING_DATA_REMOTE },
        { "nfs4", FINDING_DATA_REMOTE },
        { "cifs", FINDING_DATA_REMOTE },
        { "smb3", FINDING_DATA_REMOTE },
        { "9p", FINDING_DATA_REMOTE },
        { "afs", FINDING_DATA_REMOTE },
        { "fuse.sshfs", FINDING_DATA_REMOTE },
        { "fuse.rclone", FINDING_DATA_REMOTE },
        { "fuse.s3fs", FINDING_DATA_REMOTE },
        { "fuse.glusterfs", FINDING_DATA_REMOTE },
        { "vfat", FINDING_DATA_WITHOUT_RIGHTS },
        { "exfat", FINDING_DATA_WITHOUT_RIGHTS },
        { "ntfs3", FINDING_DATA_WITHOUT_RIGHTS },
        { "fuseblk", FINDING_DATA_WITHOUT_RIGHTS },
        { "overlay", FINDING_DATA_IN_CONTAINER },
    };
    static const char *const unsynced[] = { "nobarrier", "barrier=0", "volatile" };
    const char *path = d->facts->config->data_path;
    AUTO_TEXT real = realpath(path, NULL);
    ProcMount mount;

    if (!real || !proc_mount_of(d->facts->proc_path, real, &mount)) {
        doctor_say(d, FINDING_COULD_NOT_LOOK, path, NULL,
                   "The file system of the folder could not be found: %s/self/mountinfo does not "
                   "tell it.",
                   d->facts->proc_path);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(systems); i++)
        if (text_equal(mount.type, systems[i].type))
            doctor_say(d, systems[i].id, path, NULL, "The file system of the folder is %s.",
                       mount.type);
    for (char *left = mount.options, *option; (option = strsep(&left, ",")) != NULL;)
        for (size_t i = 0; i < COUNT_OF(unsynced); i++)
            if (text_equal(option, unsynced[i]))
                doctor_say(d, FINDING_DATA_NOT_SYNCED, path, NULL,
                           "Its file system (%s) is mounted with %s.", mount.type, option);
}

static void check_key(Doctor *d, int data)
{
    static const char name[] = "master.key";
    char path[PATH_TEXT_SIZE];
    struct stat st;

    (void)text_printf(path, sizeof path, "%s/%s", d->facts->config->data_path, name);
    if (d->facts->key_is_credential)
        return;
    if (fstatat(data, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            doctor_say(d, FINDING_KEY_MISSING, path, NULL, "There is no %s.", name);
        else
            doctor_say(d, FINDING_COULD_NOT_LOOK, path, NULL, "It could not be looked at: %s.",
                       strerror(errno));
        return;
    }
    if (st.st_mode & 077)
        doctor_say(d, FINDING_KEY_READABLE, path, NULL, "Its mode is %04o.",
                   (unsigned)st.st_mode & 07777);
    if (st.st_uid != d->facts->user)
        doctor_say(d, FINDING_KEY_OWNER, path, NULL,
                   "It belongs to user id %u; the server is user id %u.", (unsigned)st.st_uid,
                   d->facts->user);
}

void doctor_check_data(Doctor *d)
{
    const char *path = d->facts->config->data_path;
    Err err;
    AUTO_FD data = file_open_folder(AT_FDCWD, path, &err);

    if (data < 0) {
        doctor_say(d, FINDING_DATA_NOT_WRITABLE, path, NULL, "It cannot be opened: %s.", err.text);
        return;
    }
    if (!probe(data, &err))
        doctor_say(d, FINDING_DATA_NOT_WRITABLE, path, NULL, "%s.", err.text);
    check_space(d);
    check_file_system(d);
    check_key(d, data);
}

/* --- clock ------------------------------------------------------------------------------------------- */

void doctor_check_clock(Doctor *d)
{
    char now[WALL_TEXT_SIZE], other[WALL_TEXT_SIZE];
    Wall newest;
    Err err;

    wall_format(d->facts->now, wall_zone_offset_min(d->facts->now), now);
    if (d->facts->now.ms < d->facts->built.ms) {
        wall_format(d->facts->built, wall_zone_offset_min(d->facts->built), other);
        doctor_say(d, FINDING_CLOCK_BEFORE_BUILD, "clock", NULL,
                   "It shows %.19s; the program was built at %.19s.", now, other);
    }
    if (!event_newest_at(d->db, &newest, &err)) {
        doctor_say(d, FINDING_COULD_NOT_LOOK, "database", NULL,
                   "The newest event could not be read: %s.", err.text);
    } else if (newest.ms > d->facts->now.ms + HOUR_MS) {
        wall_format(newest, wall_zone_offset_min(newest), other);
        doctor_say(d, FINDING_CLOCK_BEHIND_RECORDS, "clock", NULL,
                   "It shows %.19s; the newest event is of %.19s.", now, other);
    }
}
