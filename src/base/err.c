/* base/err.c - see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct ErrPolicy {
    const char *name;
    int http_status;
} ErrPolicy;

static const ErrPolicy err_policy[ERR_KIND_MAX_] = {
    [ERR_NONE] = { "none", 200 },
    [ERR_TEMPORARY] = { "temporary", 503 },
    [ERR_PERMANENT] = { "permanent", 422 },
    [ERR_BAD_INPUT] = { "bad-input", 400 },
    [ERR_NOT_FOUND] = { "not-found", 404 },
    [ERR_DENIED] = { "denied", 403 },
    [ERR_CONFLICT] = { "conflict", 409 },
    [ERR_CANCELLED] = { "cancelled", 409 },
    [ERR_BUG] = { "bug", 500 },
};

/* Formats into a fixed field and marks a cut with "...". */
__attribute__((format(printf, 3, 0))) static void put_cut(char *to, size_t size, const char *fmt,
                                                          va_list args)
{
    int n = vsnprintf(to, size, fmt, args);

    if (n < 0)
        to[0] = '\0';
    else if ((size_t)n >= size)
        memcpy(to + size - 4, "...", 4);
}

bool err_set(Err *err, ErrKind kind, int code, const char *fmt, ...)
{
    va_list args;

    *err = (Err){ .kind = kind, .code = code };
    va_start(args, fmt);
    put_cut(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return false;
}

bool err_prefix(Err *err, const char *fmt, ...)
{
    char context[sizeof err->text], whole[sizeof err->text * 2 + 3];
    va_list args;

    va_start(args, fmt);
    put_cut(context, sizeof context, fmt, args);
    va_end(args);
    int n = snprintf(whole, sizeof whole, "%s: %s", context, err->text);
    if (n >= (int)sizeof err->text)
        memcpy(whole + sizeof err->text - 4, "...", 4);
    memcpy(err->text, whole, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = '\0';
    return false;
}

bool err_remedy(Err *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_cut(err->remedy, sizeof err->remedy, fmt, args);
    va_end(args);
    return false;
}

bool err_field(Err *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_cut(err->field, sizeof err->field, fmt, args);
    va_end(args);
    return false;
}

static ErrKind kind_of_errno(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
    case EBUSY:
    case EIO:
    case ECONNREFUSED:
    case ECONNRESET:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT:
    case EADDRINUSE:
        return ERR_TEMPORARY;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_CONFLICT;
    default:
        return ERR_PERMANENT;
    }
}

bool err_errno(Err *err, int errno_code, const char *fmt, ...)
{
    char context[sizeof err->text], words[96];
    va_list args;

    va_start(args, fmt);
    put_cut(context, sizeof context, fmt, args);
    va_end(args);
    /* The GNU strerror_r: thread-safe, may return static text instead of filling words. */
    const char *text = strerror_r(errno_code, words, sizeof words);
    return err_set(err, kind_of_errno(errno_code), errno_code, "%s: %s", context, text);
}

const char *err_kind_name(ErrKind kind)
{
    return (unsigned)kind < ERR_KIND_MAX_ ? err_policy[kind].name : "bug";
}

int err_http_status(ErrKind kind)
{
    return (unsigned)kind < ERR_KIND_MAX_ ? err_policy[kind].http_status : 500;
}
