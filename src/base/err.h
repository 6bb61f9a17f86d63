/* base/err.h - the one error value of the program.
 *
 * An Err lives on the caller's stack; it never allocates, so it also works when memory is gone.
 * Whoever first sees a failure calls err_set(); callers may add context with err_prefix().
 * kind answers the only question a caller asks: what do I do now? Any thread. */
#ifndef PLATEN_BASE_ERR_H
#define PLATEN_BASE_ERR_H

#include <stdbool.h>

typedef enum ErrKind {
    ERR_NONE = 0,
    ERR_TEMPORARY, /* try again later: network down, peer busy, disk full              */
    ERR_PERMANENT, /* will not work as asked: path does not exist, version too new      */
    ERR_BAD_INPUT, /* the peer or the user sent something malformed                    */
    ERR_NOT_FOUND, /* no such device, job, batch ...                                   */
    ERR_DENIED,    /* the caller may not do this                                       */
    ERR_CONFLICT,  /* not in this state, name taken, or edited by somebody meanwhile   */
    ERR_CANCELLED, /* somebody asked to stop                                           */
    ERR_BUG,       /* our own invariant is broken: log it, fail this task, keep serving */
    ERR_KIND_MAX_
} ErrKind;

typedef struct Err {
    ErrKind kind;
    int code;         /* native code of the failing library (errno, sqlite ...), else 0      */
    char field[64];   /* the input field at fault ("destinations[0].folder"), else ""        */
    char text[240];   /* UTF-8, outermost first: "batch K3: page 2: disk full"; no secrets;   */
                      /* cut with "..." when too long                                        */
    char remedy[160]; /* what the reader can do about it, one sentence, else ""              */
} Err;

/* Records a failure. Always returns false, so that "return err_set(...)" is the idiom.
 * err: never NULL; an earlier error in *err is overwritten (field and remedy cleared). */
bool err_set(Err *err, ErrKind kind, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<context>: " in front of the text; keeps everything else. Always returns false. */
bool err_prefix(Err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds the cure to an error that was just set. Always returns false. */
bool err_remedy(Err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds the name of the field at fault to an error that was just set. Always returns false. */
bool err_field(Err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Records a failed system call: the text ends in the words of errno; ENOSPC, EDQUOT, EMFILE and
 * the like become ERR_TEMPORARY, EACCES and EPERM ERR_DENIED, ENOENT ERR_NOT_FOUND, the rest
 * ERR_PERMANENT. Returns false. */
bool err_errno(Err *err, int errno_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Stable word for a kind ("temporary"), used in JSON and logs. Static storage. */
const char *err_kind_name(ErrKind kind);

/* HTTP status that answers a request which failed with this kind. */
int err_http_status(ErrKind kind);

#endif
