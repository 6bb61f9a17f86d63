/* server/privileges.h - what only root can do at the start, and giving root up. */
#ifndef PLATEN_SERVER_PRIVILEGES_H
#define PLATEN_SERVER_PRIVILEGES_H

#include "base/err.h"

/* Makes the folders and, when the process is root, gives them to the user and becomes that user for
 * good (groups, gid, uid). An ordinary user stays who it is. socket_folder "" = none.
 * ERR_NOT_FOUND when the user does not exist (the remedy has the command). */
bool privileges_give_up(const char *user, const char *data_folder, const char *socket_folder,
                        Err *err);

#endif
