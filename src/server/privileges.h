/* server/privileges.h - what only root can do at the start, and giving root up. */
#ifndef PLATEN_SERVER_PRIVILEGES_H
#define PLATEN_SERVER_PRIVILEGES_H

#include "base/err.h"

#include <stdbool.h>

/* Makes the folders that are missing and, when the process is root, gives those it made to the user
 * and becomes that user for good (groups, gid, uid); folders that were there keep their owner. An
 * ordinary user stays who it is. socket_folder "" = none. Once, before any thread.
 * ERR_NOT_FOUND when the user does not exist, ERR_DENIED when the user may not write in a folder; the
 * remedy has the command. */
bool privileges_give_up(const char *user, const char *data_folder, const char *socket_folder,
                        Err *err);

/* For a look before the start. The first makes root that user for good, as above. The second says what the start would say
 * of a folder (an absolute path), and makes nothing; root_makes: root would make it if it is missing. As the user of the
 * server. */
bool privileges_become(const char *user, Err *err);
bool privileges_check_folder(const char *path, bool root_makes, Err *err);

#endif
