/* worker/compose.h - `platen-worker compose IN... -o OUT`: pages to one document, without a server.
 *
 * The same writer as a write task; names come from the command line or, one per line, from a list, so
 * that there may be more of them than a command line holds. OUT appears when it is whole. */
#ifndef PLATEN_WORKER_COMPOSE_H
#define PLATEN_WORKER_COMPOSE_H

/* argv[0] is "compose". Returns the exit code: 0, 1 with one line on standard error, 2 for wrong use. */
int compose_main(int argc, char **argv);

#endif
