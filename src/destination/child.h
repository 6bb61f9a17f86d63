/* destination/child.h - runs a foreign program to its end: alone, with limits, and for so long.
 *
 * The program gets the argument list as it is (no shell), the environment that is given and no more, a
 * session of its own, standard input from a file, standard output to nowhere, and no other descriptor
 * of ours. When its time is over, and also when it ended, everything that is left in its process group is
 * killed. It dies with this process. Who calls it has one thread. */
#ifndef PLATEN_DESTINATION_CHILD_H
#define PLATEN_DESTINATION_CHILD_H

#include <stdint.h>

enum {
    CHILD_WORDS_SIZE = 120,
    CHILD_GRACE_MS = 2000, /* between SIGTERM and SIGKILL when its time is over */
    CHILD_FILES = 256,
    CHILD_PROCESSES = 1024, /* of the user, all programs together */
};
#define CHILD_FILE_BYTES (4ll << 30) /* of one file it writes */

typedef struct ChildOrder {
    const char *program;                    /* absolute path                          */
    char *const *argv, *const *environment; /* both end with NULL                     */
    int input_fd;                           /* its standard input                     */
    int folder_fd;                          /* its working folder                     */
    int64_t limit_s;                        /* of the clock, and of processor time    */
    void (*alive)(void *arg);               /* called now and then while it runs       */
    void *arg;
    int64_t alive_ms; /* at least so often */
} ChildOrder;

typedef enum ChildHow {
    CHILD_NOT_STARTED, /* code: errno                          */
    CHILD_EXITED,      /* code: its exit code                  */
    CHILD_DIED,        /* code: the signal that ended it       */
    CHILD_TOO_LONG,    /* it was ended; code: the signal       */
} ChildHow;

typedef struct ChildEnd {
    ChildHow how;
    int code;
    char words
        [CHILD_WORDS_SIZE]; /* the last line it wrote to standard error, printable; "" = none */
} ChildEnd;

/* Runs it; returns when it has ended. */
void child_run(const ChildOrder *order, ChildEnd *ret_end);

#endif
