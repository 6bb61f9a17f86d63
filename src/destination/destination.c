/* destination/destination.c - see destination.h. */
#include "destination/destination.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const DestinationType *destination_find(const char *name)
{
    for (const DestinationType *const *type = destination_types; *type; type++)
        if (text_equal((*type)->name, name))
            return *type;
    return NULL;
}

bool delivery_failed(DeliveryResult *result, DeliveryClass class, const char *stage,
                     int64_t native_code, const char *cure, const char *fmt, ...)
{
    va_list args;

    *result = (DeliveryResult){ .class = class, .native_code = native_code };
    (void)text_copy(result->stage, sizeof result->stage, stage);
    (void)text_copy(result->cure, sizeof result->cure, cure);
    va_start(args, fmt);
    (void)vsnprintf(result->text, sizeof result->text, fmt, args);
    va_end(args);
    return false;
}

/* What errno means for a delivery, and what a person can do. */
static const struct {
    int code;
    DeliveryClass class;
    const char *cure;
} errno_rows[] = {
    { ENOSPC, DELIVERY_CLASS_RETRY, "Make room on the disk of the folder." },
    { EDQUOT, DELIVERY_CLASS_RETRY, "Raise the quota of the server's user, or make room." },
    { EIO, DELIVERY_CLASS_RETRY, "Check the disk of the folder and the kernel's log." },
    { ENOENT, DELIVERY_CLASS_CONFIG, "Make the folder, mount its disk, or correct its path." },
    { ENOTDIR, DELIVERY_CLASS_CONFIG, "Correct the path: a part of it is not a folder." },
    { EACCES, DELIVERY_CLASS_CONFIG, "Allow the server's user to write in the folder." },
    { EPERM, DELIVERY_CLASS_CONFIG, "Allow the server's user to write in the folder." },
    { EROFS, DELIVERY_CLASS_CONFIG, "Mount the folder's disk for writing." },
    { ELOOP, DELIVERY_CLASS_CONFIG, "Remove the symbolic link, or give the real path." },
    { ENAMETOOLONG, DELIVERY_CLASS_CONFIG, "Choose a shorter file name in the job." },
    { EINVAL, DELIVERY_CLASS_CONFIG, "Choose file names that the folder's file system takes." },
    { EFBIG, DELIVERY_CLASS_FATAL, "The folder's file system takes no file of this size." },
    { ESTALE, DELIVERY_CLASS_RETRY, "Check the network mount of the folder." },
    { ETIMEDOUT, DELIVERY_CLASS_RETRY, "Check the network mount of the folder." },
    { EHOSTDOWN, DELIVERY_CLASS_RETRY, "Check the network mount of the folder." },
    { EHOSTUNREACH, DELIVERY_CLASS_RETRY, "Check the network mount of the folder." },
    { ENOTCONN, DELIVERY_CLASS_RETRY, "Check the network mount of the folder." },
};

bool delivery_failed_file(DeliveryResult *result, const char *stage, const Err *err)
{
    for (size_t i = 0; i < COUNT_OF(errno_rows); i++)
        if (errno_rows[i].code == err->code)
            return delivery_failed(result, errno_rows[i].class, stage, err->code,
                                   errno_rows[i].cure, "%s", err->text);
    return delivery_failed(result, DELIVERY_CLASS_RETRY, stage, err->code,
                           "Look at the text of the error; it is tried again.", "%s", err->text);
}
