/* destination/webdav.c - deliver to a web folder, WebDAV (RFC 4918).
 *
 * The temporary file and its final name are in the same collection. To MOVE with "Overwrite: F" a server
 * answers 412 when the name is taken, but not in one step: of eight that Apache 2.4 got at once, two now
 * and then replaced each other. So this kind does not promise to be exclusive. With "Overwrite: T" a server
 * removes whatever has the name, a whole collection as well, so that is looked at before.
 * The length of a body is always told: PHP behind FastCGI stores nothing of one that comes in chunks. */
#include "destination/http.h"
#include "destination/multistatus.h"
#include "destination/site.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    URL_BYTES_MAX = 8000, /* what web servers take in one line */
    STATUS_MULTI = 207,
    STATUS_BAD_REQUEST = 400,
    STATUS_NOT_FOUND = 404,
    STATUS_TAKEN = 412,
    STATUS_BAD_GATEWAY = 502,
};

typedef struct WebdavSettings {
    HTTP_MEMBERS;
} WebdavSettings;

static const Field webdav_fields[] = {
    HTTP_FIELDS(WebdavSettings, HTTP_AUTH_BASIC,
                "Existing folder, for example "
                "https://cloud.example.org/remote.php/dav/files/scan/Documents."),
    FIELDS_END,
};

/* What is kept between deliveries. */
typedef struct Webdav {
    Transfer *transfer;
    char folder[PATH_TEXT_SIZE]; /* of the last locate */
    bool located;                /* it was there       */
} Webdav;

static const char names_cure[] =
    "Choose file names that the server takes: IIS for example refuses + and % in them.";
static const char filter_cure[] =
    "Let IIS pass this kind of file (404.7), this size (404.13) and + and % in names (404.11).";
static const char folder_cure[] = "Make the folder on the server, or correct its address.";
static const char again_cure[] = "Nothing: it is tried again.";

/* To PUT, MOVE, MKCOL and DELETE; what every method has in common is in transfer.c. */
static const TransferReply change_replies[] = {
    { 400, 400, DELIVERY_CLASS_CONFIG, NULL, names_cure },
    { 404, 404, DELIVERY_CLASS_CONFIG, NULL, filter_cure },
    { 405, 405, DELIVERY_CLASS_CONFIG, NULL, "Allow WebDAV to write in the folder." },
    { 409, 410, DELIVERY_CLASS_RETRY, NULL,
      "Nothing: it is tried again. If it stays, somebody removes the folder." },
    { 414, 414, DELIVERY_CLASS_CONFIG, NULL, "Choose shorter names of folders and files." },
    { 501, 501, DELIVERY_CLASS_CONFIG, NULL, "Allow WebDAV to write in the folder." },
    { .first = 0 },
};

static void *webdav_open(const void *settings)
{
    const WebdavSettings *s = settings;
    Webdav *dav = calloc(1, sizeof *dav);

    if (dav)
        dav->transfer = HTTP_TRANSFER(s);
    if (dav && dav->transfer)
        return dav;
    free(dav);
    return NULL;
}

static void webdav_close(void *connection)
{
    Webdav *dav = connection;

    transfer_free(dav->transfer);
    free(dav);
}

/* --- addresses -------------------------------------------------------------------------------------- */

/* The address of the settings with what a person may have left in it: blanks, letters beyond ASCII. */
static void put_base(Buf *url, const char *base)
{
    for (const char *at = base; *at; at++) {
        uint8_t c = (uint8_t)*at;

        (void)(c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c) ? buf_printf(url, "%%%02X", c)
                                                                 : buf_put_u8(url, c));
    }
    if (!text_ends_with(base, "/"))
        (void)buf_put_u8(url, '/');
}

/* Of a file in a folder below the settings' one; name "" is the folder itself. */
static bool put_address(const Errand *errand, const char *folder, const char *name, Buf *url)
{
    const WebdavSettings *s = errand->settings;
    Webdav *dav = errand->connection;
    char part[FILE_NAME_BYTES_MAX + 1];

    if (strpbrk(s->url, "?#")) {
        (void)transfer_begin(dav->transfer, errand);
        return transfer_failed(dav->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Write %3F for ? and %23 for # in the name of a folder.",
                               "the address has ? or #");
    }
    put_base(url, s->url);
    while (name_folder_part(&folder, part)) {
        (void)url_put(url, part);
        (void)buf_put_u8(url, '/');
    }
    if (url_put(url, name))
        return true;
    (void)transfer_begin(dav->transfer, errand);
    return transfer_failed(dav->transfer, DELIVERY_CLASS_CONFIG, "locate",
                           "Choose shorter names of folders and files.", "the address is too long");
}

static bool begin(const Errand *errand, const char *method, const char *folder, const char *name)
{
    const WebdavSettings *s = errand->settings;
    Webdav *dav = errand->connection;
    const HttpLogin login = HTTP_LOGIN(s);
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);

    return put_address(errand, folder, name, &url) &&
           http_begin(dav->transfer, errand, &login, method, buf_text(&url));
}

/* --- answers ---------------------------------------------------------------------------------------- */

static bool read_multistatus(Webdav *dav, const char *stage, Multistatus *ret)
{
    Err err;

    return multistatus_read(bytes_of_text(transfer_body(dav->transfer)), ret, &err) ||
           transfer_failed(dav->transfer, DELIVERY_CLASS_RETRY, stage,
                           "Look at what the server answers, and whether a proxy changes it.",
                           "the answer to %s is %s", stage, err.text);
}

/* Does an exchange that changes something. A status that the answer hides inside counts as its own. */
static bool change(const Errand *errand, const char *stage, const TransferReply *replies)
{
    Webdav *dav = errand->connection;
    Multistatus inside = { 0 };

    if (!transfer_run(dav->transfer, stage, replies))
        return false;
    if (transfer_code(dav->transfer) != STATUS_MULTI)
        return true;
    return read_multistatus(dav, stage, &inside) &&
           (!inside.failed || transfer_replied(dav->transfer, inside.failed, stage, replies));
}

/* What is at an address? *ret_found false: nothing. */
static bool find(const Errand *errand, const char *stage, const char *folder, const char *name,
                 bool *ret_found, Multistatus *ret)
{
    static const char question[] =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
        "<propfind xmlns=\"DAV:\"><prop><resourcetype/><getcontentlength/>"
        "<quota-available-bytes/></prop></propfind>";
    static const char no_webdav[] = "Give the address of a WebDAV folder, or switch WebDAV on.";
    static const TransferReply replies[] = {
        { 400, 400, DELIVERY_CLASS_CONFIG, NULL, /* Apache, below a file */
          "Correct the address: a part is a file, or has characters that the server refuses." },
        { 404, 404, DELIVERY_CLASS_OK, NULL, NULL },
        { 405, 405, DELIVERY_CLASS_CONFIG, NULL, no_webdav },
        { 501, 501, DELIVERY_CLASS_CONFIG, NULL, no_webdav },
        { .first = 0 },
    };
    Webdav *dav = errand->connection;

    *ret_found = false;
    if (!begin(errand, "PROPFIND", folder, name))
        return false;
    http_header(dav->transfer, "Depth: 0");
    http_body(dav->transfer, bytes_of_text(question), "application/xml; charset=utf-8");
    if (!transfer_run(dav->transfer, stage, replies))
        return false;
    if (transfer_code(dav->transfer) == STATUS_NOT_FOUND)
        return true;
    if (transfer_code(dav->transfer) != STATUS_MULTI)
        return transfer_failed(dav->transfer, DELIVERY_CLASS_CONFIG, stage, no_webdav,
                               "the server answers PROPFIND with %ld",
                               transfer_code(dav->transfer));
    if (!read_multistatus(dav, stage, ret))
        return false;
    if (ret->failed && ret->failed != STATUS_NOT_FOUND)
        return transfer_replied(dav->transfer, ret->failed, stage, replies);
    *ret_found = ret->known && !ret->failed;
    return true;
}

/* --- verbs ------------------------------------------------------------------------------------------ */

/* Goes to a folder that must be there. */
static bool go_to(const Errand *errand, const char *folder, bool found, const Multistatus *seen)
{
    Webdav *dav = errand->connection;

    if (!found)
        return transfer_failed(dav->transfer, DELIVERY_CLASS_CONFIG, "locate", folder_cure,
                               "the folder is not there");
    if (!seen->collection)
        return transfer_failed(dav->transfer, DELIVERY_CLASS_CONFIG, "locate", folder_cure,
                               "%s is no folder", folder[0] ? folder : "the address");
    if (seen->free_bytes >= 0 && seen->free_bytes < errand->parcel->size_bytes)
        return transfer_failed(dav->transfer, DELIVERY_CLASS_RETRY, "locate",
                               "Make room on the server, or raise the quota.",
                               "only %lld bytes are free there", (long long)seen->free_bytes);
    return true;
}

/* MKCOL makes one level. One that is there already is refused with 405. */
static bool make_folders(const Errand *errand, const char *folder)
{
    static const TransferReply replies[] = {
        { 405, 405, DELIVERY_CLASS_OK, NULL, NULL },
        { 400, 400, DELIVERY_CLASS_CONFIG, NULL, names_cure },
        { 409, 409, DELIVERY_CLASS_RETRY, NULL, again_cure },
        { .first = 0 },
    };
    char upper[PATH_TEXT_SIZE];

    for (size_t n = 0; folder[n];) {
        n += strcspn(folder + n, "/");
        if (!text_copy_bytes(upper, sizeof upper, (Bytes){ (const uint8_t *)folder, n }) ||
            !begin(errand, "MKCOL", upper, "") || !change(errand, "locate", replies))
            return false;
        n += folder[n] == '/';
    }
    return true;
}

static bool webdav_locate(const Errand *errand, const char *folder)
{
    Webdav *dav = errand->connection;
    Multistatus seen = { 0 };
    bool found;

    if (dav->located && text_equal(dav->folder, folder))
        return true;
    dav->located = false;
    if (!find(errand, "locate", "", "", &found, &seen) || !go_to(errand, "", found, &seen))
        return false;
    if (folder[0]) {
        if (!find(errand, "locate", folder, "", &found, &seen) ||
            (!found && (!make_folders(errand, folder) ||
                        !find(errand, "locate", folder, "", &found, &seen))) ||
            !go_to(errand, folder, found, &seen))
            return false;
    }
    dav->located = text_copy(dav->folder, sizeof dav->folder, folder);
    return true;
}

static bool webdav_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    Webdav *dav = errand->connection;
    Multistatus seen = { .size_bytes = -1 };
    bool found;

    *ret_file = (SiteFile){ .size_bytes = -1 };
    if (!find(errand, "verify", dav->folder, name, &found, &seen))
        return false;
    if (found && !seen.collection && seen.size_bytes < 0)
        return transfer_failed(dav->transfer, DELIVERY_CLASS_CONFIG, "verify",
                               "Use another server: what it stored cannot be checked.",
                               "the server does not tell the size of a file");
    *ret_file = (SiteFile){ .found = found,
                            .plain = found && !seen.collection,
                            .size_bytes = seen.size_bytes };
    return true;
}

static bool webdav_write(const Errand *errand, const char *name)
{
    Webdav *dav = errand->connection;

    if (!begin(errand, "PUT", dav->folder, name))
        return false;
    http_header(dav->transfer, "Content-Type: %s", media_type_of(errand->parcel->name));
    transfer_upload(dav->transfer);
    return change(errand, "write", change_replies);
}

/* One MOVE. destination: where to, in a form that the server may refuse with 400 or 502. */
static bool move(const Errand *errand, const char *from, const char *scheme,
                 const char *destination, bool replace)
{
    static const TransferReply replies[] = {
        { 400, 400, DELIVERY_CLASS_OK, NULL, NULL }, /* nginx, of a foreign host  */
        { 404, 404, DELIVERY_CLASS_OK, NULL, NULL },
        { 409, 410, DELIVERY_CLASS_RETRY, NULL, again_cure },
        { 412, 412, DELIVERY_CLASS_OK, NULL, NULL },
        { 502, 502, DELIVERY_CLASS_OK, NULL, NULL }, /* RFC 4918, 9.9.4 */
        { .first = 0 },
    };
    Webdav *dav = errand->connection;
    AUTO_BUF line = buf_with_max(URL_BYTES_MAX + sizeof "Destination: ");

    if (!begin(errand, "MOVE", dav->folder, from))
        return false;
    (void)buf_printf(&line, "Destination: %s%s", scheme, destination);
    transfer_add_header(dav->transfer, buf_text(&line));
    http_header(dav->transfer, "Overwrite: %s", replace ? "T" : "F");
    return change(errand, "rename", replies);
}

/* MOVE with all forms of an address: a server behind a proxy that ends TLS has another idea of its own one. nginx
 * takes a path; Apache wants http:// then. *ret_code: of the form that was
 * taken, or of the first. */
static bool move_somehow(const Errand *errand, const char *from, const char *url, bool replace,
                         long *ret_code)
{
    Webdav *dav = errand->connection;
    const char *host = strstr(url, "://");
    const char *forms[][2] = { { "", url },
                               { "", host ? strchr(host + 3, '/') : url },
                               { "http", host ? host : url } };

    *ret_code = 0;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (!move(errand, from, forms[i][0], forms[i][1], replace))
            return false;
        long code = transfer_code(dav->transfer);
        bool refused = code == STATUS_BAD_GATEWAY || code == STATUS_BAD_REQUEST;

        if (!refused || i == 0)
            *ret_code = code;
        if (!refused)
            break;
    }
    return true;
}

/* Whether a file may be replaced: MOVE would remove a folder with all that is in it. */
static bool may_replace(const Errand *errand, const char *name)
{
    Webdav *dav = errand->connection;
    SiteFile file;

    if (!webdav_look(errand, name, &file))
        return false;
    return !file.found || file.plain ||
           transfer_failed(dav->transfer, DELIVERY_CLASS_FATAL, "rename",
                           "Remove the folder there, or let the job choose another name.",
                           "a folder has the name %s", name);
}

/* A MOVE that was refused with this code. 404 has two reasons. */
static bool fail_move(const Errand *errand, const char *from, long code)
{
    static const TransferReply replies[] = {
        { 400, 400, DELIVERY_CLASS_CONFIG, NULL, names_cure },
        { 404, 404, DELIVERY_CLASS_CONFIG, NULL, filter_cure },
        { 502, 502, DELIVERY_CLASS_CONFIG, NULL,
          "Let the proxy in front of the server pass the headers Host and Destination." },
        { .first = 0 },
    };
    Webdav *dav = errand->connection;
    SiteFile file = { .found = true };

    if (code == STATUS_NOT_FOUND && !webdav_look(errand, from, &file))
        return false;
    if (!file.found)
        return transfer_failed(dav->transfer, DELIVERY_CLASS_RETRY, "rename", again_cure,
                               "the temporary file is gone");
    return transfer_replied(dav->transfer, code, "rename", replies);
}

static bool webdav_rename(const Errand *errand, const char *from, const char *to, bool replace,
                          bool *ret_taken)
{
    Webdav *dav = errand->connection;
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);
    long code;

    *ret_taken = false;
    if ((replace && !may_replace(errand, to)) || !put_address(errand, dav->folder, to, &url) ||
        !move_somehow(errand, from, buf_text(&url), replace, &code))
        return false;
    *ret_taken = code == STATUS_TAKEN && !replace;
    return code < STATUS_BAD_REQUEST || *ret_taken || fail_move(errand, from, code);
}

static bool webdav_remove(const Errand *errand, const char *name)
{
    static const TransferReply replies[] = {
        { 404, 404, DELIVERY_CLASS_OK, NULL, NULL },
        { 405, 405, DELIVERY_CLASS_CONFIG, NULL, "Allow WebDAV to remove files in the folder." },
        { .first = 0 },
    };
    Webdav *dav = errand->connection;

    return begin(errand, "DELETE", dav->folder, name) && change(errand, "remove", replies);
}

static const SiteVerbs webdav_verbs = {
    .locate = webdav_locate,
    .look = webdav_look,
    .write = webdav_write,
    .rename = webdav_rename,
    .remove = webdav_remove,
};

extern const DestinationType destination_webdav;
const DestinationType destination_webdav = {
    .name = "webdav",
    .title = "Web folder (WebDAV)",
    .fields = webdav_fields,
    .settings_size = sizeof(WebdavSettings),
    .options = site_option_fields,
    .options_size = sizeof(SiteOptions),
    .traits = DESTINATION_RENAMES,
    .site = &webdav_verbs,
    .open = webdav_open,
    .close = webdav_close,
};
