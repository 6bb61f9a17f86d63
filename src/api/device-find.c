/* api/device-find.c - devices that are looked for, added by hand, or read from a table. */
#include "api/device.h"
#include "api/noun.h"
#include "base/interface.h"
#include "base/text.h"
#include "model/csv.h"

enum { IMPORT_BYTES_MAX = 1024 * 1024 };

const ApiDevices *api_devices_of(const HttpRequest *req, Err *err)
{
    const ApiConfig *config = api_config(api_of(req));

    if (!config->devices)
        err_set(err, ERR_TEMPORARY, 0, "this server serves no devices");
    return config->devices;
}

/* --- adding ------------------------------------------------------------------------------------------- */

typedef struct AddWrite {
    Actor actor;
    DeviceNew wish;
    DeviceId id;
} AddWrite;

static bool add_write(Tx *tx, void *arg, Err *err)
{
    AddWrite *w = arg;

    return device_add(tx, &w->actor, &w->wish, &w->id, err);
}

static bool zone_exists(const char *address, Err *err)
{
    DeviceAddress a;

    return device_address_parse(bytes_of_text(address), &a, err) &&
           (interface_check(a.zone, err) || err_field(err, "address"));
}

/* Adds it; then it is asked who it is, so that its serial number is known from the beginning. */
static bool add_one(HttpRequest *req, AddWrite *w, Err *err)
{
    const ApiConfig *config = api_config(api_of(req));

    w->actor = api_actor(req);
    if (!device_address_normal(w->wish.address, err) || !zone_exists(w->wish.address, err) ||
        !api_write(req, add_write, w, err))
        return false;
    if (config->devices)
        config->devices->look(config->devices_arg, w->wish.address);
    return true;
}

static bool device_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    AddWrite w;

    if (!api_body(req, device_new_fields, &w.wish, sizeof w.wish, err) || !add_one(req, &w, err))
        return false;
    http_response_set_status(res, 201);
    return device_answer(req, res, &w.id, err);
}

/* --- a table ------------------------------------------------------------------------------------------ */

/* The columns a table may have. */
static const char *const column_words[] = { "name",    "address",   "job_group",     "registration",
                                            "jobs_by", "transport", "back_rotation", NULL };
enum {
    COLUMN_NAME,
    COLUMN_ADDRESS,
    COLUMN_JOB_GROUP,
    COLUMN_REGISTRATION, /* from here on words as they are in device_new_fields */
    COLUMN_JOBS_BY,
    COLUMN_TRANSPORT,
    COLUMN_BACK_ROTATION,
    COLUMN_MAX_
};

typedef struct Import {
    HttpRequest *req;
    Db *db;
    size_t at[COLUMN_MAX_]; /* index of the field; SIZE_MAX = no such column */
    size_t columns;
    Json *items;
    int64_t added, refused;
} Import;

static int column_of(const char *title)
{
    for (int i = 0; i < COLUMN_MAX_; i++)
        if (text_equal_nocase(title, column_words[i]))
            return i;
    return COLUMN_MAX_;
}

/* The first line names the columns. */
static bool take_head(Import *import, const CsvRecord *head, Err *err)
{
    for (int i = 0; i < COLUMN_MAX_; i++)
        import->at[i] = SIZE_MAX;
    for (size_t i = 0; i < head->count; i++) {
        int column = column_of(head->fields[i]);

        if (column == COLUMN_MAX_) {
            const char *nearest = text_nearest(head->fields[i], column_words);

            err_set(err, ERR_BAD_INPUT, 0, "line %u: there is no column \"%.40s\"", head->line,
                    head->fields[i]);
            return nearest ? err_remedy(err, "Did you mean \"%s\"?", nearest)
                           : err_remedy(err, "The first line names the columns: name, address, "
                                             "job_group, registration, jobs_by, transport, "
                                             "back_rotation.");
        }
        if (import->at[column] != SIZE_MAX)
            return err_set(err, ERR_BAD_INPUT, 0, "line %u: the column %s comes twice", head->line,
                           column_words[column]);
        import->at[column] = i;
    }
    import->columns = head->count;
    if (import->at[COLUMN_ADDRESS] != SIZE_MAX)
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "line %u: there is no column \"address\"", head->line);
    return err_remedy(err, "The first line names the columns, for example name;address;job_group.");
}

static const char *cell(const Import *import, const CsvRecord *record, int column)
{
    size_t at = import->at[column];

    return at < record->count ? record->fields[at] : "";
}

/* A group is called by its name, or its id. */
typedef struct GroupSearch {
    const char *name;
    char id[ID_TEXT_SIZE];
} GroupSearch;

static bool match_group(void *arg, const StoredJobGroup *group)
{
    GroupSearch *search = arg;

    if (!text_equal(group->group.name, search->name) && !text_equal(group->id.text, search->name))
        return true;
    (void)text_copy(search->id, sizeof search->id, group->id.text);
    return false;
}

static bool find_group(Import *import, const char *name, char ret_id[ID_TEXT_SIZE], Err *err)
{
    GroupSearch search = { .name = name };

    if (name[0] && !job_group_list(import->db, match_group, &search, err))
        return false;
    (void)text_copy(ret_id, ID_TEXT_SIZE, search.id);
    if (!name[0] || search.id[0])
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "there is no job group \"%.60s\"", name);
    err_remedy(err, "Define it first: platen group create.");
    return err_field(err, "job_group");
}

static bool read_line(Import *import, const CsvRecord *record, DeviceNew *ret, Err *err)
{
    AUTO(Json) object = json_new_object();
    char group[ID_TEXT_SIZE];

    if (record->count > import->columns)
        return err_set(err, ERR_BAD_INPUT, 0, "the line has %zu fields, the first one %zu",
                       record->count, import->columns);
    if (!find_group(import, cell(import, record, COLUMN_JOB_GROUP), group, err))
        return false;
    json_set_text(object, "address", cell(import, record, COLUMN_ADDRESS));
    json_set_text(object, "name", cell(import, record, COLUMN_NAME));
    json_set_text(object, "job_group", group);
    for (int column = COLUMN_REGISTRATION; column < COLUMN_MAX_; column++)
        if (cell(import, record, column)[0]) /* else as it is preset */
            json_set_text(object, column_words[column], cell(import, record, column));
    return json_read_fields(object, device_new_fields, ret, sizeof *ret, err);
}

static void tell(Import *import, unsigned line, const char *address, const DeviceId *id,
                 const Err *err)
{
    Json *item = json_new_object();

    json_set_int(item, "line", line);
    json_set_text(item, "address", address);
    json_set_bool(item, "ok", !err);
    if (err) {
        json_set_text(item, "text", err->text);
        json_set_text(item, "field", err->field);
        json_set_text(item, "remedy", err->remedy);
        import->refused++;
    } else {
        json_set_text(item, "id", id->text);
        import->added++;
    }
    json_add_take(import->items, item);
}

static void import_line(Import *import, const CsvRecord *record)
{
    AddWrite w = { .id.text = "" };
    Err err = { 0 };
    bool ok = read_line(import, record, &w.wish, &err) && add_one(import->req, &w, &err);

    tell(import, record->line, cell(import, record, COLUMN_ADDRESS), &w.id, ok ? NULL : &err);
}

static bool import_lines(Import *import, CsvReader *reader, Err *err)
{
    CsvRecord record;
    CsvResult result;
    size_t lines = 0;

    while ((result = csv_next(reader, &record, err)) != CSV_END) {
        if (lines++ == CSV_LINES_MAX) {
            err_set(err, ERR_BAD_INPUT, 0, "the table has more than %d lines", CSV_LINES_MAX);
            err_remedy(err, "Import the lines from %u on as a second table.", record.line);
            tell(import, record.line, "", NULL, err);
            break;
        }
        if (result == CSV_BAD)
            tell(import, record.line, "", NULL, err);
        else
            import_line(import, &record);
    }
    return true;
}

/* What is good is kept; each line says what became of it. */
static bool devices_import(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    Import import = { .req = req, .db = read.db, .items = items };
    CsvReader reader = csv_reader(http_request_body(req));
    CsvRecord head;

    if (!read.db)
        return false;
    CsvResult result = csv_next(&reader, &head, err);
    if (result == CSV_END)
        return err_set(err, ERR_BAD_INPUT, 0, "the table is empty");
    if (result == CSV_BAD || !take_head(&import, &head, err) ||
        !import_lines(&import, &reader, err))
        return false;
    Json *answer = json_new_object();
    json_set_int(answer, "added", import.added);
    json_set_int(answer, "refused", import.refused);
    json_set_take(answer, "items", STEAL(items));
    http_response_json(res, answer);
    return true;
}

/* --- looking for devices ------------------------------------------------------------------------------- */

/* The row that is this device, if there is one: by serial number, else by address. */
typedef struct RowSearch {
    const FoundDevice *found;
    char id[ID_TEXT_SIZE], state[16];
    bool by_serial;
} RowSearch;

static bool match_row(void *arg, const Device *device)
{
    RowSearch *search = arg;
    bool serial = search->found->serial[0] && text_equal(device->serial, search->found->serial);

    if (search->by_serial || (!serial && !text_equal(device->address, search->found->address)))
        return true;
    search->by_serial = serial;
    (void)text_copy(search->id, sizeof search->id, device->id.text);
    (void)text_copy(search->state, sizeof search->state, device_state_words[device->state]);
    return true;
}

static bool show_found(Db *db, const FoundDevice *found, Json *items, Err *err)
{
    RowSearch search = { .found = found };
    Json *item = json_new_object();

    json_set_text(item, "address", found->address);
    json_set_text(item, "product", found->product);
    json_set_text(item, "serial", found->serial);
    json_set_text(item, "firmware", found->firmware);
    json_set_text(item, "found_by", found_by_words[found->by]);
    json_set_text(item, "problem", found->problem);
    bool ok = device_list(db, match_row, &search, err);
    json_set_text(item, "device", search.id);
    json_set_text(item, "state", search.state);
    json_add_take(items, item);
    return ok;
}

static bool show_discovery(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiDevices *devices = api_devices_of(req, err);
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    Json *answer = json_new_object();
    Discovery view;

    bool ok = devices && read.db &&
              devices->discovered(api_config(api_of(req))->devices_arg, &view, err);
    if (ok) {
        for (size_t i = 0; ok && i < view.count; i++)
            ok = show_found(read.db, &view.found[i], items, err);
        free(view.found);
        json_set_int(answer, "number", view.number);
        json_set_bool(answer, "running", view.running);
        json_set_int(answer, "addresses", view.to_ask);
        json_set_int(answer, "asked", view.asked);
        json_set_int(answer, "added_left", view.added_left);
        json_set_take(answer, "items", STEAL(items));
    }
    if (ok)
        http_response_json(res, answer);
    else
        json_free(answer);
    return ok;
}

static bool discovery_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    return show_discovery(req, res, err);
}

static bool discovery_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiDevices *devices = api_devices_of(req, err);
    DiscoveryWish wish;

    if (!devices || !api_body(req, discovery_wish_fields, &wish, sizeof wish, err) ||
        !devices->discover(api_config(api_of(req))->devices_arg, &wish, err))
        return false;
    http_response_set_status(res, 202);
    return show_discovery(req, res, err);
}

const Route device_find_routes[] = {
    { "POST", "/api/v1/devices", "devices.write", device_post,
      "Adds a device by its address; it may start jobs with that.", .query = no_query,
      .body_fields = device_new_fields, .answer = "Device" },
    { "POST", "/api/v1/devices/import", "devices.write", devices_import,
      "Adds the devices of a table; good lines are kept, and each line says what became of it.",
      .query = no_query, .body_type = "text/csv", .body_bytes_max = IMPORT_BYTES_MAX,
      .answer = "DeviceImport" },
    { "GET", "/api/v1/discovery", "devices.read", discovery_get,
      "Answers what the search for devices has found until now.", .query = no_query,
      .answer = "Discovery" },
    { "POST", "/api/v1/discovery", "devices.write", discovery_post,
      "Looks for devices by broadcast and at the addresses that are given; one search at a time.",
      .query = no_query, .body_fields = discovery_wish_fields, .answer = "Discovery" },
    { .method = NULL },
};
