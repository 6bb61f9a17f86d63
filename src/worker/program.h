/* worker/program.h - what the worker programs' mains have in common. */
#ifndef PLATEN_WORKER_PROGRAM_H
#define PLATEN_WORKER_PROGRAM_H

#include "json/json.h"

/* The socket to the server, and a lock that is held by being open: both inherited. */
enum { PROGRAM_SERVER_FD = 3, PROGRAM_LOCK_FD = 4 };

/* Exit codes beside 0. */
enum { PROGRAM_FAILED = 1, PROGRAM_USAGE = 2 };

/* Before serving: tied to the server, no other inherited descriptors, no rights gained later. */
bool program_prepare(Err *err);

/* Reads one task from a file, "-" = standard input; at most MESSAGE_BYTES_MAX. */
Json *program_read_task(const char *path, Err *err);

/* Prints a value as indented JSON on standard output. Returns the exit code. */
int program_print(const Json *value);

/* Prints the error on standard error; returns PROGRAM_FAILED. */
int program_fail(const char *program, const Err *err);

#endif
