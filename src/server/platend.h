/* server/platend.h - the server as one object: made in order, run, taken apart in reverse. */
#ifndef PLATEN_SERVER_PLATEND_H
#define PLATEN_SERVER_PLATEND_H

#include "model/quirks.h"
#include "server/config.h"

/* Runs the server until SIGTERM or SIGINT. The first signal refuses new scans and lets running ones
 * end for drain_s seconds, then they end at a page boundary, then the devices are left in order; each
 * further signal is such a deadline.
 * False when it could not start or lost its loop. */
bool platend_run(const ServerConfig *config, const QuirkBook *quirks, Err *err);

/* Settles spool and database with each other while no server runs, says each finding on standard
 * output, and a last line with the counts. */
bool platend_fsck(const ServerConfig *config, bool full, bool dry_run, Err *err);

/* Makes a new master key and seals every secret with it, while no server runs; says how many. */
bool platend_rotate_key(const ServerConfig *config, Err *err);

/* What the programs that deliver printed with --describe when this program was built, NUL-terminated. */
extern const unsigned char destinations_json[];

#endif
