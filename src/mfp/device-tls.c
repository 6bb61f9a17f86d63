/* mfp/device-tls.c - the certificate of the virtual device: new at each start, or kept in a file. */
#include "mfp/device-inside.h"

#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>

enum { IDENTITY_MODE = 0600, PATH_SIZE = OPTIONS_PATH_SIZE + NET_ADDRESS_TEXT_SIZE };

/* Each of several devices has a file of its own: its address is appended. */
static bool path_of(const Device *device, char ret_path[PATH_SIZE])
{
    const Options *options = device->options;
    char host[NET_ADDRESS_TEXT_SIZE];

    net_address_format_host(&options->address, host);
    return text_printf(ret_path, PATH_SIZE, "%s%s%s", options->tls_identity,
                       options->count > 1 ? "-" : "", options->count > 1 ? host : "");
}

/* Written whole or not at all. */
static bool keep(const char *path, Bytes pem, Err *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_SIZE] = ".";

    if (slash && !text_copy_bytes(folder, sizeof folder,
                                  (Bytes){ (const uint8_t *)path, (size_t)(slash - path) + 1 }))
        return err_set(err, ERR_BAD_INPUT, 0, "%s: too long", path);
    AUTO_FD dir = file_open_folder(AT_FDCWD, folder, err);
    return dir >= 0 && file_replace(dir, slash ? slash + 1 : path, pem, IDENTITY_MODE, err);
}

/* What the file has; a file that is not there is made. */
static bool find_identity(Device *device, const char *path, Buf *pem, Err *err)
{
    if (file_read_path(path, pem, err))
        return true;
    return err->kind == ERR_NOT_FOUND && tls_identity_make(device->options->product, pem, err) &&
           keep(path, buf_bytes(pem), err);
}

bool device_open_tls(Device *device, Err *err)
{
    AUTO_BUF pem = buf_with_max(TLS_IDENTITY_MAX);
    char path[PATH_SIZE];

    if (!device->options->tls_identity[0]) {
        if (tls_identity_make(device->options->product, &pem, err))
            device->tls = tls_server_context_new(buf_bytes(&pem), err);
        return device->tls != NULL;
    }
    if (!path_of(device, path))
        return err_set(err, ERR_BAD_INPUT, 0, "--tls-certificate: the path is too long");
    if (find_identity(device, path, &pem, err))
        device->tls = tls_server_context_new(buf_bytes(&pem), err);
    if (device->tls)
        return true;
    err_prefix(err, "--tls-certificate %s", path);
    return err_remedy(err,
                      "Name a PEM file with key and certificate, or one that is not there yet.");
}
