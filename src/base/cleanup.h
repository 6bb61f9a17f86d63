/* base/cleanup.h - ownership that ends with the scope (gcc and clang "cleanup" attribute).
 *
 * AUTO(Page) page = page_new(err);   freed on every way out; STEAL(page) hands it over.
 * AUTO_FD fd = ...;                  closed on every way out; -1 means none. */
#ifndef PLATEN_BASE_CLEANUP_H
#define PLATEN_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

/* "unused": holding it until the end of the scope may be all its use, clang would complain. */
#define AUTO(Type) __attribute__((cleanup(Type##_autofree), unused)) Type *
#define AUTO_FD    __attribute__((cleanup(fd_autoclose), unused)) int
#define AUTO_TEXT  __attribute__((cleanup(text_autofree), unused)) char *
#define DEFINE_AUTO(Type, free_fn)               \
    static inline void Type##_autofree(Type **p) \
    {                                            \
        free_fn(*p);                             \
    }                                            \
    struct Type##_swallow_semicolon_

/* Hands the pointer over and leaves NULL behind, so that AUTO does not free it. */
#define STEAL(p)                     \
    ({                               \
        __typeof__(p) stolen_ = (p); \
        (p) = NULL;                  \
        stolen_;                     \
    })

/* The same for a descriptor: leaves -1 behind. */
#define STEAL_FD(fd)        \
    ({                      \
        int stolen_ = (fd); \
        (fd) = -1;          \
        stolen_;            \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static inline void fd_autoclose(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void text_autofree(char **text)
{
    free(*text);
}

#endif
