/* destination/sharepoint.c - deliver to a document library of SharePoint Server 2013 and later, by its REST
 * interface (_api).
 *
 * A file is added under a temporary name and its columns are filled; moveto then gives it its name and
 * refuses one that is taken. Large files go in blocks where the server can (2016 and later); the empty file
 * before the first block is why small ones, too, go to a temporary name. Last, a file that the library
 * keeps checked out is checked in. Every change needs a digest that the site gives for half an hour.
 *
 * Sizes are compared and hashes are not: SharePoint writes columns into the files of Office, but changes
 * none that we send. */
#include "destination/sharepoint-call.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum {
    GUID_SIZE = 37,
    BLOCK_BYTES = 8 * 1024 * 1024, /* a file of at most one block goes in one piece */
    CHECKED_OUT_NONE = 2,          /* SP.CheckOutType */
};

static const Field sharepoint_fields[] = {
    HTTP_FIELDS(SharepointSettings, HTTP_AUTH_NTLM,
                "Address of the site, for example https://portal.example.org/sites/office."),
    TEXT(SharepointSettings, library, true,
         "Library as in its address, and existing folders in it: Shared Documents/Scans."),
    FIELDS_END,
};

static void *sharepoint_open(const void *settings)
{
    const SharepointSettings *s = settings;
    Sharepoint *sp = calloc(1, sizeof *sp);

    if (sp)
        sp->transfer = HTTP_TRANSFER(s);
    if (sp && sp->transfer)
        return sp;
    free(sp);
    return NULL;
}

static void sharepoint_close(void *connection)
{
    Sharepoint *sp = connection;

    transfer_free(sp->transfer);
    free(sp);
}

/* --- folders ---------------------------------------------------------------------------------------- */

/* The path of an address, decoded: "https://host/sites/a%20b/" -> "/sites/a b". */
static bool site_path(const Errand *errand, char ret_path[PATH_TEXT_SIZE])
{
    const SharepointSettings *s = errand->settings;
    const char *host = strstr(s->url, "://"), *at = host ? strchr(host + 3, '/') : NULL;
    AUTO_BUF path = buf_with_max(PATH_TEXT_SIZE - 1);
    uint8_t byte;

    for (; at && *at; at++) {
        char hex[3] = { at[0], at[0] == '%' ? at[1] : '\0', at[0] == '%' && at[1] ? at[2] : '\0' };

        if (hex[0] == '%' && hex[1] && hex[2] &&
            text_unhex((const char[]){ hex[1], hex[2], '\0' }, &byte, 1)) {
            (void)buf_put_u8(&path, byte);
            at += 2;
        } else {
            (void)buf_put_u8(&path, (uint8_t)*at);
        }
    }
    (void)text_copy(ret_path, PATH_TEXT_SIZE, buf_text(&path));
    for (size_t n = strlen(ret_path); n > 0 && ret_path[n - 1] == '/'; n--)
        ret_path[n - 1] = '\0';
    return !path.failed;
}

static bool find_folder(const Errand *errand, const char *path, bool *ret_found)
{
    SharepointCall what = { .stage = "locate",
                            .resource = "web/GetFolderByServerRelativeUrl(@f)",
                            .query = "$select=Exists,ItemCount",
                            .file = path };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };

    if (!sharepoint_call(errand, &what, &answer))
        return false;
    *ret_found = answer.status < SHAREPOINT_FAILED &&
                 json_get_bool(json_get(answer.json, "d"), "Exists", true);
    return *ret_found || answer.status < SHAREPOINT_FAILED || sharepoint_is_missing(&answer) ||
           sharepoint_fail(errand, "locate", &answer);
}

/* One that is there is made without a failure, or with that code. */
static bool make_folder(const Errand *errand, const char *path)
{
    Json *body = json_new_object(), *type = json_new_object();
    SharepointCall what = {
        .stage = "locate", .post = true, .resource = "web/folders", .body = body
    };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };

    json_set_text(type, "type", "SP.Folder");
    json_set_take(body, "__metadata", type);
    json_set_text(body, "ServerRelativeUrl", path);
    return sharepoint_call(errand, &what, &answer) &&
           (answer.status < SHAREPOINT_FAILED || answer.code == SP_EXISTS ||
            sharepoint_fail(errand, "locate", &answer));
}

/* Level by level below the folder of the settings; sp->path goes along. */
static bool go_down(const Errand *errand, const char *folder)
{
    Sharepoint *sp = errand->connection;
    char part[FILE_NAME_BYTES_MAX + 1];
    bool found;

    while (name_folder_part(&folder, part)) {
        size_t n = strlen(sp->path);

        library_fit(part, sp->version->blocked, sp->version->name_chars_max);
        if (!text_printf(sp->path + n, sizeof sp->path - n, "/%s", part))
            return transfer_failed(sp->transfer, DELIVERY_CLASS_CONFIG, "locate",
                                   "Choose shorter names of folders.", "the path is too long");
        if (!find_folder(errand, sp->path, &found) || (!found && !make_folder(errand, sp->path)))
            return false;
    }
    return true;
}

static bool sharepoint_locate(const Errand *errand, const char *folder)
{
    const SharepointSettings *s = errand->settings;
    Sharepoint *sp = errand->connection;
    char site[PATH_TEXT_SIZE];
    bool found;

    if (sp->located && text_equal(sp->folder, folder))
        return true;
    sp->located = false;
    if (!sharepoint_renew_digest(errand))
        return false;
    const char *library = s->library + strspn(s->library, "/");

    if (!site_path(errand, site) || !text_printf(sp->path, sizeof sp->path, "%s/%s", site, library))
        return transfer_failed(sp->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Correct the address of the site.", "its path is too long");
    for (size_t n = strlen(sp->path); n > 0 && sp->path[n - 1] == '/'; n--)
        sp->path[n - 1] = '\0';
    if (!find_folder(errand, sp->path, &found))
        return false;
    if (!found)
        return transfer_failed(sp->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Make the library and its folders, or correct library.",
                               "%s is not there", sp->path);
    sp->located = go_down(errand, folder) && text_copy(sp->folder, sizeof sp->folder, folder);
    return sp->located;
}

/* --- files ------------------------------------------------------------------------------------------ */

/* Path of a file in the folder. */
static bool put_path(const Errand *errand, const char *name, char ret_path[PATH_TEXT_SIZE])
{
    Sharepoint *sp = errand->connection;

    if (text_printf(ret_path, PATH_TEXT_SIZE, "%s/%s", sp->path, library_name(name)) &&
        text_length(ret_path) <= sp->version->path_chars_max)
        return true;
    (void)transfer_begin(sp->transfer, errand);
    return transfer_failed(sp->transfer, DELIVERY_CLASS_CONFIG, "locate",
                           "Choose shorter names of folders and files.",
                           "the path has more than %zu characters", sp->version->path_chars_max);
}

static void sharepoint_fit(const Errand *errand, char name[FILE_NAME_BYTES_MAX + 1])
{
    const Sharepoint *sp = errand->connection;

    library_fit(name, sp->version->blocked, sp->version->name_chars_max);
}

static bool sharepoint_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    Sharepoint *sp = errand->connection;
    char path[PATH_TEXT_SIZE];
    SharepointCall what = { .stage = "verify",
                            .resource = "web/GetFileByServerRelativeUrl(@f)",
                            .query = "$select=Length,CheckOutType,Exists",
                            .file = path };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };

    *ret_file = (SiteFile){ .size_bytes = -1 };
    if (!put_path(errand, name, path) || !sharepoint_call(errand, &what, &answer))
        return false;
    const Json *file = json_get(answer.json, "d");

    if (answer.status >= SHAREPOINT_FAILED)
        return sharepoint_is_missing(&answer) || sharepoint_fail(errand, "verify", &answer);
    ret_file->found = ret_file->plain = json_get_bool(file, "Exists", true);
    if (!text_to_int(json_get_text(file, "Length"), 0, INT64_MAX, &ret_file->size_bytes))
        ret_file->size_bytes = json_get_int(file, "Length", -1);
    sp->checked_out = json_get_int(file, "CheckOutType", CHECKED_OUT_NONE) != CHECKED_OUT_NONE;
    return true;
}

/* Adds a file, over one that is there: the first n bytes of the parcel. */
static bool add(const Errand *errand, const char *name, int64_t n)
{
    Sharepoint *sp = errand->connection;
    SharepointCall what = {
        .stage = "write",
        .post = true,
        .resource = "web/GetFolderByServerRelativeUrl(@f)/Files/add(url=@n,overwrite=true)",
        .file = sp->path,
        .name = library_name(name),
        .n = n
    };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };

    return sharepoint_demand(errand, &what, &answer);
}

static bool new_guid(char ret_guid[GUID_SIZE])
{
    uint8_t bytes[16];
    char hex[33];

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4, RFC 4122 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    text_hex(hex, (Bytes){ bytes, sizeof bytes });
    return text_printf(ret_guid, GUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                       hex + 16, hex + 20);
}

/* One block; the site tells how much it has then. */
static bool send_block(const Errand *errand, const char *path, const char *guid, int64_t offset,
                       int64_t n)
{
    Sharepoint *sp = errand->connection;
    bool last = offset + n == errand->parcel->size_bytes;
    const char *verb = offset == 0 ? "StartUpload" : last ? "FinishUpload" : "ContinueUpload";
    char resource[160], at[40] = "";
    SharepointCall what = {
        .stage = "write", .post = true, .resource = resource, .file = path, .offset = offset, .n = n
    };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };
    int64_t total = -1;

    if (offset > 0)
        (void)text_printf(at, sizeof at, ",fileOffset=%lld", (long long)offset);
    (void)text_printf(resource, sizeof resource,
                      "web/GetFileByServerRelativeUrl(@f)/%s(uploadId=guid'%s'%s)", verb, guid, at);
    if (!sharepoint_demand(errand, &what, &answer))
        return false;
    const Json *got = json_get(json_get(answer.json, "d"), verb);

    if (last)
        return true; /* what look() compares */
    if (!json_text(got) || !text_to_int(json_text(got), 0, INT64_MAX, &total))
        total = json_int(got, -1);
    return total == offset + n ||
           transfer_failed(sp->transfer, DELIVERY_CLASS_RETRY, "write",
                           "Nothing: it is tried again.", "the site has %lld bytes of %lld sent",
                           (long long)total, (long long)(offset + n));
}

static bool sharepoint_write(const Errand *errand, const char *name)
{
    Sharepoint *sp = errand->connection;
    int64_t size = errand->parcel->size_bytes;
    char path[PATH_TEXT_SIZE], final[PATH_TEXT_SIZE], guid[GUID_SIZE];

    if (!put_path(errand, name, path) || !put_path(errand, errand->parcel->name, final))
        return false;
    if (size <= BLOCK_BYTES || !sp->version->blocks)
        return add(errand, name, size);
    if (!new_guid(guid))
        return transfer_failed(sp->transfer, DELIVERY_CLASS_RETRY, "write",
                               "Check the source of random numbers.", "no random numbers");
    if (!add(errand, name, 0))
        return false;
    for (int64_t at = 0; at < size; at += BLOCK_BYTES)
        if (!send_block(errand, path, guid, at, size - at < BLOCK_BYTES ? size - at : BLOCK_BYTES))
            return false;
    return true;
}

/* --- columns ---------------------------------------------------------------------------------------- */

/* {"formValues":[{"FieldName","FieldValue"}],"bNewDocumentUpdate"}. A new document gets no further version by
 * it, and is checked in; that must wait when it is checked out. */
static Json *form_values(const Errand *errand)
{
    const LibraryOptions *options = errand->options;
    const Sharepoint *sp = errand->connection;
    AUTO(Json) body = json_new_object();
    Json *values = json_new_array();

    json_set_take(body, "formValues", values);
    for (size_t i = 0; i < options->column_count; i++) {
        Json *value = json_new_object(), *type = json_new_object();
        AUTO_BUF text = buf_with_max(LIBRARY_TEXT_MAX);

        json_add_take(values, value);
        json_set_text(type, "type", "SP.ListItemFormUpdateValue");
        json_set_take(value, "__metadata", type);
        if (!library_text(errand, options->columns[i].value, &text))
            return NULL;
        json_set_text(value, "FieldName", options->columns[i].name);
        json_set_text(value, "FieldValue", buf_text(&text));
    }
    json_set_bool(body, "bNewDocumentUpdate", !sp->checked_out);
    return STEAL(body);
}

/* The answer is 200 even when a column was refused. */
static bool check_columns(const Errand *errand, const Json *answer)
{
    Sharepoint *sp = errand->connection;
    const Json *list = json_get(json_get(answer, "d"), "ValidateUpdateListItem");
    const Json *results = json_get(list, "results");

    for (size_t i = 0; i < json_count(results); i++) {
        const Json *one = json_item(results, i);
        const char *says = json_get_text(one, "ErrorMessage");

        if (json_get_bool(one, "HasException", false) || says[0])
            return transfer_failed(sp->transfer, DELIVERY_CLASS_CONFIG, "rename",
                                   "Correct name or value of the column in the job.",
                                   "column %s: %.120s", json_get_text(one, "FieldName"), says);
    }
    return json_kind(results) == JSON_ARR ||
           transfer_failed(sp->transfer, DELIVERY_CLASS_RETRY, "rename",
                           "Look at the log of the site.", "the site says nothing of the columns");
}

static bool fill_columns(const Errand *errand, const char *name)
{
    const LibraryOptions *options = errand->options;
    char path[PATH_TEXT_SIZE];
    SharepointCall what = { .stage = "rename",
                            .post = true,
                            .resource = "web/GetFileByServerRelativeUrl(@f)/ListItemAllFields"
                                        "/ValidateUpdateListItem",
                            .file = path };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };

    if (options->column_count == 0)
        return true;
    if (!put_path(errand, name, path))
        return false;
    what.body = form_values(errand);
    return what.body && sharepoint_demand(errand, &what, &answer) &&
           check_columns(errand, answer.json);
}

/* --- names ------------------------------------------------------------------------------------------ */

static bool sharepoint_rename(const Errand *errand, const char *from, const char *to, bool replace,
                              bool *ret_taken)
{
    char path[PATH_TEXT_SIZE], new_path[PATH_TEXT_SIZE];
    SharepointCall what = {
        .stage = "rename",
        .post = true,
        .resource = replace ? "web/GetFileByServerRelativeUrl(@f)/moveto(newurl=@n,flags=1)"
                            : "web/GetFileByServerRelativeUrl(@f)/moveto(newurl=@n,flags=0)",
        .file = path,
        .name = new_path
    };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };
    SiteFile file;

    *ret_taken = false;
    if (!put_path(errand, from, path) || !put_path(errand, to, new_path) ||
        !sharepoint_look(errand, from, &file) || !fill_columns(errand, from) ||
        !sharepoint_call(errand, &what, &answer))
        return false;
    *ret_taken = answer.code == SP_EXISTS && !replace;
    return answer.status < SHAREPOINT_FAILED || *ret_taken ||
           sharepoint_fail(errand, "rename", &answer);
}

static bool sharepoint_remove(const Errand *errand, const char *name)
{
    char path[PATH_TEXT_SIZE];
    SharepointCall what = { .stage = "remove",
                            .post = true,
                            .tunnel = "DELETE",
                            .resource = "web/GetFileByServerRelativeUrl(@f)",
                            .file = path };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };

    return put_path(errand, name, path) && sharepoint_call(errand, &what, &answer) &&
           (answer.status < SHAREPOINT_FAILED || sharepoint_is_missing(&answer) ||
            sharepoint_fail(errand, "remove", &answer));
}

/* Checks a file in that is checked out to us. */
static bool sharepoint_finish(const Errand *errand, const char *name)
{
    const LibraryOptions *options = errand->options;
    Sharepoint *sp = errand->connection;
    char path[PATH_TEXT_SIZE];
    SharepointCall what = { .stage = "rename",
                            .post = true,
                            .resource = options->check_in == CHECK_IN_MINOR
                                            ? "web/GetFileByServerRelativeUrl(@f)"
                                              "/CheckIn(comment=@n,checkintype=0)"
                                            : "web/GetFileByServerRelativeUrl(@f)"
                                              "/CheckIn(comment=@n,checkintype=1)",
                            .file = path };
    AUTO_BUF comment = buf_with_max(LIBRARY_TEXT_MAX);
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };
    SiteFile file;

    if (options->check_in == CHECK_IN_NEVER)
        return true;
    if (!put_path(errand, name, path) || !sharepoint_look(errand, name, &file) ||
        !library_text(errand, options->comment, &comment))
        return false;
    what.name = buf_text(&comment);
    return !sp->checked_out || sharepoint_demand(errand, &what, &answer);
}

static const SiteVerbs sharepoint_verbs = {
    .locate = sharepoint_locate,
    .look = sharepoint_look,
    .write = sharepoint_write,
    .rename = sharepoint_rename,
    .remove = sharepoint_remove,
    .fit = sharepoint_fit,
    .finish = sharepoint_finish,
};

extern const DestinationType destination_sharepoint;
const DestinationType destination_sharepoint = {
    .name = "sharepoint",
    .title = "SharePoint Server",
    .fields = sharepoint_fields,
    .settings_size = sizeof(SharepointSettings),
    .options = library_option_fields,
    .options_size = sizeof(LibraryOptions),
    .traits = DESTINATION_RENAMES,
    .site = &sharepoint_verbs,
    .open = sharepoint_open,
    .close = sharepoint_close,
};
