/* worker/sandbox.h - what a process that reads strangers' bytes may still do.
 *
 * Three walls, each of which holds alone: Landlock (no file but the batch's folder), a seccomp list
 * (no socket, no program, no other process), resource limits. A kernel without Landlock is reported,
 * not refused: the other two still stand. Called once, in a child with one thread; there is no way
 * back. */
#ifndef PLATEN_WORKER_SANDBOX_H
#define PLATEN_WORKER_SANDBOX_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* Resource limits; 0 = leave as it is. */
typedef struct SandboxLimits {
    int64_t memory_bytes; /* address space; not set in builds with sanitizers */
    int64_t cpu_s;
    int64_t file_bytes; /* of one written file */
    int64_t files;      /* open descriptors     */
} SandboxLimits;

/* Ties the process to its parent: it dies with it (parent: getpid() of the parent before the fork, or
 * 0 to take the present one), gains no rights, leaves no core file. For every worker program.
 * ERR_CANCELLED when the parent is gone already. */
bool sandbox_tie(pid_t parent, Err *err);

/* Sets resource limits only. */
bool sandbox_limit(const SandboxLimits *limits, Err *err);

/* Instead of a folder: no file may be opened at all; or all as before, for a command run by hand. */
enum { SANDBOX_NO_FILES = -1, SANDBOX_ALL_FILES = -2 };

/* Locks the process up: reads and writes below folder_fd only (or one of the words above), no network,
 * no programs, the limits. sandbox_tie must have been called. */
bool sandbox_enter(int folder_fd, const SandboxLimits *limits, Err *err);

/* The kernel's Landlock version, 0 when it has none or it is switched off. */
int sandbox_landlock_abi(void);

#endif
