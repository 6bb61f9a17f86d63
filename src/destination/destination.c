/* destination/destination.c - see destination.h. */
#include "destination/destination.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "destination/site.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

const DestinationType *destination_find(const char *name)
{
    for (const DestinationType *const *type = destination_types; *type; type++)
        if (text_equal((*type)->name, name))
            return *type;
    return NULL;
}

void destination_deliver(const DestinationType *type, const Errand *errand)
{
    if (type->site)
        site_deliver(type->site, errand);
    else
        type->deliver(errand);
}

void destination_test(const DestinationType *type, const Errand *errand)
{
    if (type->site)
        site_test(type->site, errand);
    else
        type->test(errand);
}

void destination_notify(const DestinationType *type, const Errand *errand)
{
    if (type->notify)
        type->notify(errand);
    else
        (void)delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                              "Choose a destination that reaches people, such as email.",
                              "a destination of kind %s sends no notifications", type->name);
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

/* --- errands --------------------------------------------------------------------------------------- */

bool errand_propose(const Errand *errand, const char *name)
{
    return errand->talk->propose(errand->talk->arg, name) ||
           delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "rename", 0,
                           "Nothing: the delivery is tried again.",
                           "the server stopped the delivery before %s appeared", name);
}

bool errand_release(const Errand *errand)
{
    return errand->talk->propose(errand->talk->arg, "") ||
           delivery_failed(errand->result, DELIVERY_CLASS_RETRY, errand->result->stage, 0,
                           "Nothing: the delivery is tried again.",
                           "the server is gone and was not told how the delivery ended");
}

void errand_alive(const Errand *errand)
{
    errand->talk->alive(errand->talk->arg);
}

bool errand_done(const Errand *errand, const char *stage, const char *name)
{
    DeliveryResult *result = errand->result;

    *result = (DeliveryResult){ .class = DELIVERY_CLASS_OK,
                                .size_bytes = errand->parcel->size_bytes };
    (void)text_copy(result->stage, sizeof result->stage, stage);
    (void)text_copy(result->remote_name, sizeof result->remote_name, name);
    (void)text_copy(result->sha256, sizeof result->sha256, errand->parcel->sha256);
    (void)text_printf(result->text, sizeof result->text, "%s is there", name);
    return true;
}

bool errand_read(const Errand *errand, int64_t offset, void *to, size_t n, size_t *ret_n)
{
    for (*ret_n = 0; *ret_n < n && offset + (int64_t)*ret_n < errand->parcel->size_bytes;) {
        ssize_t got = pread(errand->parcel->fd, (char *)to + *ret_n, n - *ret_n,
                            offset + (int64_t)*ret_n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "write", errno,
                                   "Check the disk of the spool.",
                                   "the document in the spool cannot be read");
        if (got == 0)
            return errand_source_sound(errand);
        *ret_n += (size_t)got;
    }
    return true;
}

bool errand_source_sound(const Errand *errand)
{
    char sha256[65];
    int64_t size = 0;
    Err err;

    if (!file_hash(errand->parcel->fd, sha256, &size, &err))
        return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "verify", err.code,
                               "Check the disk of the spool.", "%s", err.text);
    if (size == errand->parcel->size_bytes && text_equal(sha256, errand->parcel->sha256))
        return true;
    return delivery_failed(errand->result, DELIVERY_CLASS_FATAL, "verify", 0,
                           "Compose the batch again from its pages.",
                           "the document in the spool is damaged: %lld bytes, hash %.16s...",
                           (long long)size, sha256);
}

static const struct {
    const char *extension, *media_type;
} media_types[] = {
    { ".pdf", "application/pdf" }, { ".jpg", "image/jpeg" }, { ".tif", "image/tiff" },
    { ".csv", "text/csv" },        { ".txt", "text/plain" },
};

const char *media_type_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(media_types); i++)
        if (text_ends_with(name, media_types[i].extension))
            return media_types[i].media_type;
    return "application/octet-stream";
}
