/* destination/sharepoint_online.c - deliver to SharePoint Online and OneDrive by Microsoft Graph, as an
 * application (client credentials), not as a person.
 *
 * Files of up to one fragment go in one piece, larger ones by an upload session, of which nothing is
 * seen before its last fragment; a session that was interrupted goes on where the service says. A
 * rename with conflictBehavior "fail" refuses a name that is taken. The service may ask for a pause (429,
 * 503): its Retry-After is passed on, because asking meanwhile counts against everybody's quota.
 *
 * Sizes are compared and hashes are not: the service tells none that is of use here, and changes only files of
 * Office. */
#include "destination/graph-call.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    UPLOAD_URL_SIZE = 4096,
    FRAGMENT_UNIT = 320 * 1024,          /* all but the last are multiples of it */
    FRAGMENT_BYTES = 32 * FRAGMENT_UNIT, /* 10 MiB; less than 60 MiB is allowed  */
    RESUMPTIONS_MAX = 3,
    NAME_CHARS_MAX = 255,
    STATUS_CREATED = 201,
    STATUS_NOT_FOUND = 404,
    STATUS_CONFLICT = 409,
    STATUS_RANGE = 416,
};

static const char again_cure[] = "Nothing: it is tried again.";
static const char blocked[] = "\"*:<>?/\\|";

static const Field online_fields[] = {
    TEXT(OnlineSettings, tenant, true, "Id or domain of the tenant: contoso.onmicrosoft.com."),
    TEXT(OnlineSettings, client_id, true, "Id of the application that is registered for Platen."),
    SECRET(OnlineSettings, client_secret, "Its secret; or a certificate, which is safer."),
    TEXT(OnlineSettings, certificate, false, "Its certificate, as PEM text."),
    SECRET(OnlineSettings, certificate_key, "The RSA key of the certificate, as PEM text."),
    TEXT(OnlineSettings, site, false,
         "Address of the site: https://contoso.sharepoint.com/sites/office."),
    TEXT(OnlineSettings, user, false,
         "Instead of a site: whose OneDrive, for example "
         "scan@contoso.com."),
    TEXT(OnlineSettings, library, false, "Name of the library of the site; empty is its first."),
    TEXT(OnlineSettings, folder, false, "Existing folder in the library: Scans/Incoming."),
    TEXT_PRESET(OnlineSettings, login_url, "https://login.microsoftonline.com",
                "Where tokens come from; other in national clouds."),
    TEXT_PRESET(OnlineSettings, graph_url, "https://graph.microsoft.com/v1.0",
                "Address of Microsoft Graph; other in national clouds."),
    TIMEOUT_FIELD(OnlineSettings),
    TLS_FIELDS(OnlineSettings),
    FIELDS_END,
};

static void *online_open(const void *settings)
{
    const OnlineSettings *s = settings;
    Online *online = calloc(1, sizeof *online);

    if (online)
        online->transfer = http_transfer_new(s->graph_url, s->timeout_s, TLS_POLICY(s));
    if (online && online->transfer)
        return online;
    free(online);
    return NULL;
}

static void online_close(void *connection)
{
    Online *online = connection;

    transfer_free(online->transfer);
    free(online);
}

/* --- where ------------------------------------------------------------------------------------------ */

/* The id of the site whose address is set up. */
static bool find_site(const Errand *errand, char ret_site[GRAPH_ID_SIZE])
{
    const OnlineSettings *s = errand->settings;
    Online *online = errand->connection;
    const char *host = strstr(s->site, "://");
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    GraphCall what = { .stage = "locate", .method = "GET" };

    host = host ? host + 3 : s->site;
    size_t host_n = strcspn(host, "/");

    (void)buf_put_text(&path, "/sites/");
    (void)buf_put(&path, (Bytes){ (const uint8_t *)host, host_n });
    if (host[host_n + strspn(host + host_n, "/")]) {
        (void)buf_put_u8(&path, ':');
        library_put_address(&path, host + host_n);
    }
    (void)buf_put_text(&path, "?$select=id");
    what.path = buf_text(&path);
    return graph_demand(errand, &what, &answer) &&
           (text_copy(ret_site, GRAPH_ID_SIZE, json_get_text(answer.json, "id")) ||
            transfer_failed(online->transfer, DELIVERY_CLASS_CONFIG, "locate", again_cure,
                            "the id of the site is too long"));
}

/* Takes the drive if it has an id, and looks whether the parcel has room. */
static bool take_drive(const Errand *errand, const Json *drive)
{
    Online *online = errand->connection;
    int64_t free_bytes = json_get_int(json_get(drive, "quota"), "remaining", INT64_MAX);

    if (!json_get_text(drive, "id")[0] ||
        !text_copy(online->drive, sizeof online->drive, json_get_text(drive, "id")))
        return transfer_failed(online->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Correct the library: its name as people see it.",
                               "the library is not there");
    return free_bytes >= errand->parcel->size_bytes ||
           transfer_failed(online->transfer, DELIVERY_CLASS_RETRY, "locate", graph_room_cure,
                           "only %lld bytes are free there", (long long)free_bytes);
}

static const Json *drive_of_name(const Json *drives, const char *name)
{
    const Json *list = json_get(drives, "value");

    for (size_t i = 0; i < json_count(list); i++)
        if (text_equal_nocase(json_get_text(json_item(list, i), "name"), name))
            return json_item(list, i);
    return NULL;
}

static bool find_drive(const Errand *errand)
{
    const OnlineSettings *s = errand->settings;
    Online *online = errand->connection;
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    GraphCall what = { .stage = "locate", .method = "GET" };
    char site[GRAPH_ID_SIZE];

    if (!s->site[0] == !s->user[0]) {
        (void)transfer_begin(online->transfer, errand);
        return transfer_failed(online->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Give the address of a site, or the user of a OneDrive.",
                               "site and user are %s", s->site[0] ? "both given" : "missing");
    }
    if (s->site[0] && !find_site(errand, site))
        return false;
    (void)buf_put_text(&path, s->site[0] ? "/sites/" : "/users/");
    (void)url_put(&path, s->site[0] ? site : s->user);
    (void)buf_put_text(&path, s->library[0] ? "/drives?$select=id,name,quota"
                                            : "/drive?$select=id,name,quota");
    what.path = buf_text(&path);
    return graph_demand(errand, &what, &answer) &&
           take_drive(errand, s->library[0] ? drive_of_name(answer.json, s->library) : answer.json);
}

static bool find_folder(const Errand *errand, const char *folder, bool *ret_found)
{
    Online *online = errand->connection;
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    GraphCall what = { .stage = "locate",
                       .method = "GET",
                       .path = graph_put_item(errand, folder, NULL, "?$select=id,folder", &path) };

    if (!graph_call(errand, &what, &answer))
        return false;
    *ret_found = answer.status < GRAPH_FAILED;
    if (*ret_found && !json_get(answer.json, "folder"))
        return transfer_failed(online->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Choose another folder, or remove that file.", "%s is no folder",
                               folder);
    return *ret_found || answer.status == STATUS_NOT_FOUND || graph_fail(errand, "locate", &answer);
}

/* One that was made meanwhile is fine. */
static bool make_folder(const Errand *errand, const char *upper, const char *name)
{
    Json *body = json_new_object();
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    GraphCall what = { .stage = "locate",
                       .method = "POST",
                       .body = body,
                       .path = graph_put_item(errand, upper, NULL, "/children", &path) };

    json_set_text(body, "name", name);
    json_set_take(body, "folder", json_new_object());
    json_set_text(body, "@microsoft.graph.conflictBehavior", "fail");
    return graph_call(errand, &what, &answer) &&
           (answer.status < GRAPH_FAILED || answer.status == STATUS_CONFLICT ||
            graph_fail(errand, "locate", &answer));
}

/* Level by level below the folder of the settings; online->path goes along. */
static bool go_down(const Errand *errand, const char *folder)
{
    Online *online = errand->connection;
    char part[FILE_NAME_BYTES_MAX + 1], upper[PATH_TEXT_SIZE];
    bool found;

    while (name_folder_part(&folder, part)) {
        size_t n = strlen(online->path);

        (void)text_copy(upper, sizeof upper, online->path);
        library_fit(part, blocked, NAME_CHARS_MAX);
        if (!text_printf(online->path + n, sizeof online->path - n, "%s%s", n ? "/" : "", part))
            return transfer_failed(online->transfer, DELIVERY_CLASS_CONFIG, "locate",
                                   "Choose shorter names of folders.", "the path is too long");
        if (!find_folder(errand, online->path, &found) ||
            (!found && !make_folder(errand, upper, part)))
            return false;
    }
    return true;
}

static bool online_locate(const Errand *errand, const char *folder)
{
    const OnlineSettings *s = errand->settings;
    Online *online = errand->connection;
    bool found;

    if (online->located && text_equal(online->folder, folder))
        return true;
    online->located = false;
    if (!find_drive(errand))
        return false;
    (void)text_copy(online->path, sizeof online->path, s->folder + strspn(s->folder, "/"));
    for (size_t n = strlen(online->path); n > 0 && online->path[n - 1] == '/'; n--)
        online->path[n - 1] = '\0';
    if (!find_folder(errand, online->path, &found))
        return false;
    if (!found)
        return transfer_failed(online->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Make the folder, or correct folder.", "%s is not there",
                               online->path);
    online->located = go_down(errand, folder) &&
                      text_copy(online->folder, sizeof online->folder, folder);
    return online->located;
}

/* --- files ------------------------------------------------------------------------------------------ */

static void online_fit(const Errand *errand, char name[FILE_NAME_BYTES_MAX + 1])
{
    (void)errand;
    library_fit(name, blocked, NAME_CHARS_MAX);
}

static bool online_look(const Errand *errand, const char *name, SiteFile *ret_file)
{
    Online *online = errand->connection;
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    GraphCall what = { .stage = "verify",
                       .method = "GET",
                       .path = graph_put_item(errand, online->path, name,
                                              "?$select=id,size,file,folder,publication", &path) };

    *ret_file = (SiteFile){ .size_bytes = -1 };
    online->item[0] = '\0';
    online->checked_out = false;
    if (!graph_call(errand, &what, &answer))
        return false;
    if (answer.status >= GRAPH_FAILED)
        return answer.status == STATUS_NOT_FOUND || graph_fail(errand, "verify", &answer);
    (void)text_copy(online->item, sizeof online->item, json_get_text(answer.json, "id"));
    online->checked_out = text_equal(json_get_text(json_get(answer.json, "publication"), "level"),
                                     "checkout");
    *ret_file = (SiteFile){ .found = true,
                            .plain = json_get(answer.json, "file") != NULL,
                            .size_bytes = json_get_int(answer.json, "size", -1) };
    return true;
}

/* "10485760-" or "10485760-20971519", the first of nextExpectedRanges; -1 = none. */
static int64_t next_offset(const Json *json)
{
    const char *range = json_text(json_item(json_get(json, "nextExpectedRanges"), 0));
    int64_t offset = -1;

    if (!range || !bytes_to_int((Bytes){ (const uint8_t *)range, strcspn(range, "-") }, 0,
                                INT64_MAX, &offset))
        return -1;
    return offset;
}

/* An upload session: its address is its own key, and a token must not go there. */
typedef struct Session {
    char url[UPLOAD_URL_SIZE];
    int64_t at; /* what the service has */
    bool whole; /* all of it */
    unsigned resumed;
} Session;

static bool begin_session(const Errand *errand, const char *name, Session *session)
{
    Online *online = errand->connection;
    Json *body = json_new_object(), *item = json_new_object();
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    GraphCall what = { .stage = "write",
                       .method = "POST",
                       .body = body,
                       .path = graph_put_item(errand, online->path, name, "/createUploadSession",
                                              &path) };

    json_set_text(item, "@microsoft.graph.conflictBehavior", "replace");
    json_set_take(body, "item", item);
    *session = (Session){ .at = 0 };
    return graph_demand(errand, &what, &answer) &&
           ((text_copy(session->url, sizeof session->url,
                       json_get_text(answer.json, "uploadUrl")) &&
             text_starts_with(session->url, "https://")) ||
            transfer_failed(online->transfer, DELIVERY_CLASS_RETRY, "write", again_cure,
                            "the address for the upload is none"));
}

static bool begin_on_session(const Errand *errand, const Session *session, const char *method)
{
    static const HttpLogin nobody = { .auth = HTTP_AUTH_NONE, .user = "", .password = "" };
    Online *online = errand->connection;

    return http_begin(online->transfer, errand, &nobody, method, session->url) != NULL;
}

/* Where to go on. Asked after a failure, of which only so many are forgiven. */
static bool resume(const Errand *errand, Session *session)
{
    Online *online = errand->connection;
    AUTO_GRAPH_ANSWER answer = { .json = NULL };

    if (++session->resumed > RESUMPTIONS_MAX)
        return transfer_failed(online->transfer, DELIVERY_CLASS_RETRY, "write", again_cure,
                               "the upload was interrupted %d times", RESUMPTIONS_MAX + 1);
    if (!begin_on_session(errand, session, "GET") || !graph_receive(errand, "write", &answer))
        return false;
    session->at = next_offset(answer.json);
    return session->at >= 0 || transfer_failed(online->transfer, DELIVERY_CLASS_RETRY, "write",
                                               again_cure, "the upload session is gone");
}

/* One fragment from where the service is. */
static bool send_fragment(const Errand *errand, Session *session)
{
    Online *online = errand->connection;
    int64_t size = errand->parcel->size_bytes, left = size - session->at;
    int64_t n = left < FRAGMENT_BYTES ? left : FRAGMENT_BYTES;
    AUTO_GRAPH_ANSWER answer = { .json = NULL };

    if (!begin_on_session(errand, session, "PUT"))
        return false;
    http_header(online->transfer, "Content-Range: bytes %lld-%lld/%lld", (long long)session->at,
                (long long)(session->at + n - 1), (long long)size);
    transfer_send(online->transfer, &(TransferBody){ .offset = session->at, .n_bytes = n });
    if (!graph_receive(errand, "write", &answer)) {
        const DeliveryResult *result = errand->result;
        /* A pause that was asked for is kept; anything else may have been a moment's trouble. */
        return result->class == DELIVERY_CLASS_RETRY && result->retry_after_s == 0 &&
               text_equal(result->stage, "write") && resume(errand, session);
    }
    if (answer.status == STATUS_RANGE)
        return resume(errand, session);
    if (answer.status >= GRAPH_FAILED && answer.status != STATUS_NOT_FOUND)
        return graph_fail(errand, "write", &answer);
    session->whole = answer.status <= STATUS_CREATED;
    session->at = session->whole ? size : next_offset(answer.json);
    return session->at > 0 || transfer_failed(online->transfer, DELIVERY_CLASS_RETRY, "write",
                                              again_cure, "the upload session is gone");
}

static bool online_write(const Errand *errand, const char *name)
{
    Online *online = errand->connection;
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    Session session;

    if (errand->parcel->size_bytes <= FRAGMENT_BYTES) {
        GraphCall what = { .stage = "write",
                           .method = "PUT",
                           .whole = true,
                           .path = graph_put_item(
                               errand, online->path, name,
                               "/content?@microsoft.graph.conflictBehavior=replace", &path) };

        return graph_demand(errand, &what, &answer);
    }
    if (!begin_session(errand, name, &session))
        return false;
    while (!session.whole && session.at < errand->parcel->size_bytes)
        if (!send_fragment(errand, &session))
            return false;
    return true;
}

/* --- columns, names, check-in ----------------------------------------------------------------------- */

/* Something of the item of the last look: /drives/ID/items/ID and what follows. */
static bool change_item(const Errand *errand, const char *method, const char *verb, Json *body_take,
                        GraphAnswer *ret)
{
    Online *online = errand->connection;
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    GraphCall what = { .stage = "rename", .method = method, .body = body_take };

    (void)buf_put_text(&path, "/drives/");
    (void)url_put(&path, online->drive);
    (void)buf_put_text(&path, "/items/");
    (void)url_put(&path, online->item);
    (void)buf_put_text(&path, verb);
    what.path = buf_text(&path);
    return graph_call(errand, &what, ret);
}

static bool fill_columns(const Errand *errand)
{
    const LibraryOptions *options = errand->options;
    AUTO(Json) fields = json_new_object();
    AUTO_GRAPH_ANSWER answer = { .json = NULL };

    if (options->column_count == 0)
        return true;
    for (size_t i = 0; i < options->column_count; i++) {
        AUTO_BUF text = buf_with_max(LIBRARY_TEXT_MAX);

        if (!library_text(errand, options->columns[i].value, &text))
            return false;
        json_set_text(fields, options->columns[i].name, buf_text(&text));
    }
    return change_item(errand, "PATCH", "/listItem/fields", STEAL(fields), &answer) &&
           (answer.status < GRAPH_FAILED || graph_fail(errand, "rename", &answer));
}

static bool online_rename(const Errand *errand, const char *from, const char *to, bool replace,
                          bool *ret_taken)
{
    Online *online = errand->connection;
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    SiteFile file = { .found = false };

    *ret_taken = false;
    if (replace && !online_look(errand, to, &file))
        return false;
    if (file.found && !file.plain)
        return transfer_failed(online->transfer, DELIVERY_CLASS_FATAL, "rename",
                               "Remove the folder there, or let the job choose another name.",
                               "a folder has the name %s", to);
    if (!online_look(errand, from, &file))
        return false;
    if (!file.found)
        return transfer_failed(online->transfer, DELIVERY_CLASS_RETRY, "rename", again_cure,
                               "the temporary file is gone");
    if (!fill_columns(errand))
        return false;
    Json *body = json_new_object();

    json_set_text(body, "name", library_name(to));
    json_set_text(body, "@microsoft.graph.conflictBehavior", replace ? "replace" : "fail");
    if (!change_item(errand, "PATCH", "", body, &answer))
        return false;
    *ret_taken = answer.status == STATUS_CONFLICT && !replace;
    return answer.status < GRAPH_FAILED || *ret_taken || graph_fail(errand, "rename", &answer);
}

static bool online_remove(const Errand *errand, const char *name)
{
    Online *online = errand->connection;
    AUTO_BUF path = buf_with_max(GRAPH_URL_BYTES_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    GraphCall what = { .stage = "remove",
                       .method = "DELETE",
                       .path = graph_put_item(errand, online->path, name, "", &path) };

    return graph_call(errand, &what, &answer) &&
           (answer.status < GRAPH_FAILED || answer.status == STATUS_NOT_FOUND ||
            graph_fail(errand, "remove", &answer));
}

static bool online_finish(const Errand *errand, const char *name)
{
    const LibraryOptions *options = errand->options;
    Online *online = errand->connection;
    AUTO_BUF comment = buf_with_max(LIBRARY_TEXT_MAX);
    AUTO_GRAPH_ANSWER answer = { .json = NULL };
    SiteFile file;

    if (options->check_in == CHECK_IN_NEVER)
        return true;
    if (!online_look(errand, name, &file) || !library_text(errand, options->comment, &comment))
        return false;
    if (!online->checked_out)
        return true;
    Json *body = json_new_object();

    json_set_text(body, "comment", buf_text(&comment));
    json_set_text(body, "checkInAs",
                  options->check_in == CHECK_IN_MINOR ? "unspecified" : "published");
    return change_item(errand, "POST", "/checkin", body, &answer) &&
           (answer.status < GRAPH_FAILED || graph_fail(errand, "rename", &answer));
}

static const SiteVerbs online_verbs = {
    .locate = online_locate,
    .look = online_look,
    .write = online_write,
    .rename = online_rename,
    .remove = online_remove,
    .fit = online_fit,
    .finish = online_finish,
};

extern const DestinationType destination_sharepoint_online;
const DestinationType destination_sharepoint_online = {
    .name = "sharepoint-online",
    .title = "SharePoint Online and OneDrive",
    .fields = online_fields,
    .settings_size = sizeof(OnlineSettings),
    .options = library_option_fields,
    .options_size = sizeof(LibraryOptions),
    .traits = DESTINATION_RENAMES,
    .site = &online_verbs,
    .open = online_open,
    .close = online_close,
};
