/* server/quirks-file.h - the rows of model/quirks.h from YAML: those of the administrator before those of the program. */
#ifndef PLATEN_SERVER_QUIRKS_FILE_H
#define PLATEN_SERVER_QUIRKS_FILE_H

#include "model/quirks.h"
#include "server/config.h"

/* Reads the administrator's file ("" = none), then the rows of the program. False when there was any problem: each was
 * said, with the file and where in it. */
bool quirks_file_read(const char *path, QuirkBook *ret_book, ConfigProblem *problem, void *arg);

#endif
