/* server/privileges.c - see privileges.h. */
#include "server/privileges.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSWD_BYTES = 4096, PART_BYTES = 1024, USER_BYTES = 64 };

static bool find_user(const char *user, struct passwd *ret_entry, char *space, Err *err)
{
    struct passwd *found = NULL;
    int code = getpwnam_r(user, ret_entry, space, PASSWD_BYTES, &found);

    if (code != 0)
        return err_errno(err, code, "cannot look up user %s", user);
    if (found)
        return true;
    char word[TEXT_SHELL_BYTES * USER_BYTES];
    (void)text_shell(word, sizeof word, user);
    err_set(err, ERR_NOT_FOUND, 0, "there is no user %s to give up root to", user);
    return err_remedy(err, "useradd --system %s, or set user in [server]", word);
}

static bool become(const struct passwd *user, Err *err)
{
    if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        return err_errno(err, errno, "cannot become user %s", user->pw_name);
    if (setuid(0) == 0)
        return err_set(err, ERR_BUG, 0, "root came back after it was given up");
    return true;
}

/* Makes the folder when it is missing, and then it is the user's. One that is there keeps its owner:
 * it may be /tmp or /run. */
static bool own_folder(const char *path, const struct passwd *user, Err *err)
{
    if (path[0] == '\0')
        return true;
    bool made = access(path, F_OK) != 0;
    AUTO_FD folder = file_make_folders(path, err);
    if (folder < 0)
        return false;
    if (made && user && fchown(folder, user->pw_uid, user->pw_gid) != 0)
        return err_errno(err, errno, "cannot give %s to user %s", path, user->pw_name);
    return true;
}

/* Asked as the user the server has become. */
static bool check_writable(const char *path, Err *err)
{
    char word[TEXT_SHELL_BYTES * PATH_TEXT_SIZE];

    if (path[0] == '\0' || access(path, W_OK | X_OK) == 0)
        return true;
    err_errno(err, errno, "the server, as user id %u, may not write in %s", (unsigned)geteuid(),
              path);
    if (text_equal(path, "/")) /* nobody should be told to give that away */
        return err_remedy(err, "Name a folder of the server's own in platen.conf.");
    (void)text_shell(word, sizeof word, path);
    return err_remedy(err, "Give it to that user: chown %u %s", (unsigned)geteuid(), word);
}

bool privileges_become(const char *user, Err *err)
{
    char space[PASSWD_BYTES];
    struct passwd entry;

    return geteuid() != 0 || (find_user(user, &entry, space, err) && become(&entry, err));
}

/* Of a folder that is missing: whether it can be made in the one above. */
static bool check_room_for(const char *path, Err *err)
{
    char above[PART_BYTES];

    (void)text_copy_bytes(above, sizeof above,
                          (Bytes){ (const uint8_t *)path, (size_t)(strrchr(path, '/') - path) });
    return access(above[0] ? above : "/", W_OK | X_OK) == 0 ||
           err_errno(err, errno, "cannot make folder %s", path);
}

bool privileges_check_folder(const char *path, bool root_makes, Err *err)
{
    char part[PART_BYTES];
    struct stat info;

    if (!text_copy(part, sizeof part, path))
        return err_set(err, ERR_BAD_INPUT, 0, "path of %zu bytes is too long", strlen(path));
    for (char *slash = part; slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        bool there = stat(part, &info) == 0;
        if (!there && errno == ENOENT)
            return root_makes || check_room_for(part, err);
        if (there && !S_ISDIR(info.st_mode))
            return err_errno(err, ENOTDIR, "cannot open %s", part);
        if (slash)
            *slash = '/';
    }
    return check_writable(path, err);
}

bool privileges_give_up(const char *user, const char *data_folder, const char *socket_folder,
                        Err *err)
{
    char space[PASSWD_BYTES];
    struct passwd entry;
    bool root = geteuid() == 0;

    if (root && !find_user(user, &entry, space, err))
        return false;
    if (!own_folder(data_folder, root ? &entry : NULL, err) ||
        !own_folder(socket_folder, root ? &entry : NULL, err) || (root && !become(&entry, err)))
        return false;
    return check_writable(data_folder, err) && check_writable(socket_folder, err);
}
