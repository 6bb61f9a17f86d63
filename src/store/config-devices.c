/* store/config-devices.c - see config-rows.h: devices. */
#include "base/text.h"
#include "store/batch-rows.h"
#include "store/rows.h"
#include "store/scan-json.h"

#define DEVICE_COLUMNS                                                                     \
    "SELECT id, name, job_group, state, address, product, serial, firmware, first_seen,"   \
    " last_seen, revision, registration, panel, jobs_by, transport, certificate, contact," \
    " contact_since, last_scan, back_rotation, tls, tls_version, waits_since, waits_code," \
    " waits_text FROM device "

static void device_read(Query *query, Device *ret_device)
{
    QUERY_COPY(query, 0, ret_device->id.text);
    QUERY_COPY(query, 1, ret_device->settings.name);
    QUERY_COPY(query, 2, ret_device->settings.job_group);
    ret_device->state = (DeviceState)query_word(query, 3, device_state_words);
    QUERY_COPY(query, 4, ret_device->address);
    QUERY_COPY(query, 5, ret_device->product);
    QUERY_COPY(query, 6, ret_device->serial);
    QUERY_COPY(query, 7, ret_device->firmware);
    ret_device->first_seen.ms = query_int(query, 8);
    ret_device->last_seen.ms = query_int(query, 9);
    ret_device->revision = query_int(query, 10);
    ret_device->settings.registration = query_word(query, 11, device_registration_words);
    ret_device->panel = (DevicePanel)query_word(query, 12, device_panel_words);
    ret_device->settings.jobs_by = query_word(query, 13, device_jobs_by_words);
    ret_device->settings.transport = query_word(query, 14, device_transport_words);
    QUERY_COPY(query, 15, ret_device->certificate);
    ret_device->contact = (DeviceContact)query_word(query, 16, device_contact_words);
    ret_device->contact_since.ms = query_int(query, 17);
    ret_device->last_scan.ms = query_int(query, 18);
    ret_device->settings.back_rotation = query_word(query, 19, device_back_rotation_words);
    ret_device->tls = (DeviceTls)query_word(query, 20, device_tls_words);
    QUERY_COPY(query, 21, ret_device->tls_version);
    ret_device->waits_since.ms = query_int(query, 22);
    QUERY_COPY(query, 23, ret_device->waits_code);
    QUERY_COPY(query, 24, ret_device->waits_text);
}

bool device_list(Db *db, DeviceVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db, DEVICE_COLUMNS "ORDER BY name, id", NO_ARGS);
    Device device;

    while (query_next(&query)) {
        device_read(&query, &device);
        if (query.failed || !visit(arg, &device))
            break;
    }
    return query_ok(&query, err);
}

bool device_list_quiet(Db *db, Wall before, DeviceVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(
        db, DEVICE_COLUMNS "WHERE state = 'registered' AND max(last_seen, first_seen) < ?1",
        ARGS(ARG_INT(before.ms)));
    Device device;

    while (query_next(&query)) {
        device_read(&query, &device);
        if (query.failed || !visit(arg, &device))
            break;
    }
    return query_ok(&query, err);
}

bool device_quiet_unapproved(Tx *tx, Wall before, Err *err)
{
    return db_run(tx->db,
                  "UPDATE device SET contact = 'silent', contact_since = ?2 WHERE state = 'seen'"
                  " AND contact IN ('heard', 'never') AND max(last_seen, first_seen) < ?1",
                  ARGS(ARG_INT(before.ms), ARG_INT(tx->now.ms)), NULL, err);
}

static bool device_find(Query *query, const char *what, Device *ret_device, Err *err)
{
    bool found = query_next(query);
    Device device;

    if (found)
        device_read(query, &device);
    if (!query_ok(query, err))
        return false;
    if (!found)
        return not_found(err, "device", what);
    *ret_device = device;
    return true;
}

bool device_get(Db *db, const DeviceId *id, Device *ret_device, Err *err)
{
    AUTO_QUERY query = db_query(db, DEVICE_COLUMNS "WHERE id = ?1", ARGS(ARG_TEXT(id->text)));

    return device_find(&query, id->text, ret_device, err);
}

bool device_find_address(Db *db, const char *address, Device *ret_device, Err *err)
{
    AUTO_QUERY query = db_query(db, DEVICE_COLUMNS "WHERE address = ?1", ARGS(ARG_TEXT(address)));

    return device_find(&query, address, ret_device, err);
}

static bool device_event(Tx *tx, const DeviceId *id, const char *kind, const char *text, Err *err)
{
    Event event = { .id = 0 };

    (void)text_copy(event.device, sizeof event.device, id->text);
    (void)text_copy(event.kind, sizeof event.kind, kind);
    (void)text_copy(event.text, sizeof event.text, text);
    return event_insert(tx, &event, err);
}

/* How many devices of the /64 of an IPv6 address wait for approval. */
static bool waiting_beside(Db *db, const char *address, int64_t *ret_count, Err *err)
{
    AUTO_QUERY query = db_query(
        db, "SELECT address FROM device WHERE state = 'seen' AND address LIKE '%:%'", NO_ARGS);
    char source[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];

    *ret_count = 0;
    device_address_source(address, source);
    while (query_next(&query)) {
        device_address_source(query_text(&query, 0), other);
        *ret_count += text_equal(source, other);
    }
    return query_ok(&query, err);
}

static bool too_many_wait(int64_t most, const char *address, Err *err)
{
    err_set(err, ERR_TEMPORARY, 0, "%lld devices wait for approval, %.60s is not added",
            (long long)most, address);
    return err_remedy(err, "Delete devices that are not yours from the list.");
}

/* Who goes when the list is full, first to last: whoever became silent; whoever has not said a serial number, for
 * whoever forges the sender of a datagram cannot answer on TCP; whoever was heard but once; who was not heard for
 * the longest time. Whom a person has changed or approved once (revision) stays. */
#define STRANGERS                                                          \
    "SELECT id, address FROM device WHERE state = 'seen' AND revision = 1" \
    " ORDER BY contact <> 'silent', serial <> '', last_seen > first_seen, last_seen, id"

/* Makes room for a device at this address: `most` wait already, all of them, or (beside) of its /64 of IPv6. */
static bool device_displace(Tx *tx, const char *address, bool beside, int64_t most, Err *err)
{
    AUTO_QUERY query = db_query(tx->db, STRANGERS, NO_ARGS);
    char source[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE], id[ID_TEXT_SIZE] = "";

    device_address_source(address, source);
    while (!id[0] && query_next(&query)) {
        device_address_source(query_text(&query, 1), other);
        if (!beside || text_equal(source, other))
            QUERY_COPY(&query, 0, id);
    }
    if (!query_ok(&query, err))
        return false;
    return id[0] ? db_run(tx->db, "DELETE FROM device WHERE id = ?1", ARGS(ARG_TEXT(id)), NULL, err)
                 : too_many_wait(most, address, err);
}

static bool device_new(Tx *tx, const char *address, const char *product, DeviceId *ret_id, Err *err)
{
    DeviceId id = id_new(DeviceId, tx->now);
    int64_t waiting, near = 0;
    bool found;

    /* Anybody in the network can announce devices; the list must not grow without an end, and one host of IPv6 has
     * all addresses of its /64. */
    if (!db_find_int(tx->db, "SELECT count(*) FROM device WHERE state = 'seen'", NO_ARGS, &waiting,
                     &found, err) ||
        (strchr(address, ':') && !waiting_beside(tx->db, address, &near, err)))
        return false;
    bool crowd = near >= DEVICES_SEEN_NETWORK_MAX, full = crowd || waiting >= DEVICES_SEEN_MAX;
    if (full && !device_displace(tx, address, crowd,
                                 crowd ? DEVICES_SEEN_NETWORK_MAX : DEVICES_SEEN_MAX, err))
        return false;
    *ret_id = id;
    /* While strangers displace each other they fill no history. */
    return db_run(
               tx->db,
               "INSERT INTO device (id, name, state, address, product, serial, firmware,"
               " first_seen, last_seen, revision, waits_since, contact_since)"
               " VALUES (?1, '', 'seen', ?2, ?3, '', '', ?4, ?4, 1, ?4, ?4)",
               ARGS(ARG_TEXT(id.text), ARG_TEXT(address), ARG_TEXT(product), ARG_INT(tx->now.ms)),
               NULL, err) &&
           (full || device_event(tx, &id, "device.seen", address, err));
}

bool device_contact(Tx *tx, Device *device, DeviceContactEvent what, Err *err)
{
    char kind[24];

    if (!device_contact_step(&device->contact, what))
        return true;
    device->contact_since = tx->now;
    (void)text_printf(kind, sizeof kind, "device.%s", device_contact_words[device->contact]);
    if (!db_run(tx->db, "UPDATE device SET contact = ?2, contact_since = ?3 WHERE id = ?1",
                ARGS(ARG_TEXT(device->id.text), ARG_TEXT(device_contact_words[device->contact]),
                     ARG_INT(tx->now.ms)),
                NULL, err))
        return false;
    /* Anybody can announce devices that nobody has approved: they fill no history. */
    return device->state == DEVICE_SEEN ||
           device_event(tx, &device->id, kind, device->address, err);
}

bool device_sighted(Tx *tx, const char *address, const char *product, Device *ret_device, Err *err)
{
    DeviceId id;
    int rows;

    /* An empty product (a datagram that does not tell) keeps what is known; so does a serial number:
     * whoever announces itself need not be the device that has it. */
    if (!db_run(tx->db,
                "UPDATE device SET last_seen = ?2, product = CASE WHEN ?3 = '' OR serial <> ''"
                " THEN product ELSE ?3 END WHERE address = ?1",
                ARGS(ARG_TEXT(address), ARG_INT(tx->now.ms), ARG_TEXT(product)), &rows, err) ||
        (rows == 0 && !device_new(tx, address, product, &id, err)))
        return false;
    return device_find_address(tx->db, address, ret_device, err) &&
           device_contact(tx, ret_device, DEVICE_CONTACT_ANNOUNCED, err);
}

bool device_identified(Tx *tx, const DeviceId *id, const char *product, const char *serial,
                       const char *firmware, Err *err)
{
    int rows;

    if (!db_run(tx->db,
                "UPDATE device SET product = CASE ?2 WHEN '' THEN product ELSE ?2 END,"
                " serial = ?3, firmware = ?4 WHERE id = ?1",
                ARGS(ARG_TEXT(id->text), ARG_TEXT(product), ARG_TEXT(serial), ARG_TEXT(firmware)),
                &rows, err))
        return false;
    return rows > 0 || not_found(err, "device", id->text);
}

bool device_find_serial(Db *db, const char *serial, const char *not_address, Device *ret_device,
                        Err *err)
{
    AUTO_QUERY query = db_query(db,
                                DEVICE_COLUMNS
                                "WHERE serial = ?1 AND serial <> '' AND address <> ?2"
                                " AND state <> 'seen'",
                                ARGS(ARG_TEXT(serial), ARG_TEXT(not_address)));
    Device device, another;

    bool found = query_next(&query);
    if (found)
        device_read(&query, &device);
    bool again = found && query_next(&query);
    if (again)
        device_read(&query, &another);
    if (!query_ok(&query, err))
        return false;
    if (!found || again)
        return not_found(err, "device", serial);
    *ret_device = device;
    return true;
}

static bool device_put_address(Tx *tx, const DeviceId *id, const char *address, Err *err)
{
    return db_run(tx->db, "UPDATE device SET address = ?2 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT(address)), NULL, err);
}

/* Whoever has the address makes room for it. */
static bool device_make_room(Tx *tx, const char *address, const Device *comes, Err *err)
{
    Device other;

    if (!device_find_address(tx->db, address, &other, err))
        return err->kind == ERR_NOT_FOUND;
    bool stranger = other.state == DEVICE_SEEN && other.revision == 1;
    if (stranger || text_equal(other.serial, comes->serial))
        return db_run(tx->db, "DELETE FROM device WHERE id = ?1", ARGS(ARG_TEXT(other.id.text)),
                      NULL, err);
    return device_put_address(tx, &comes->id, comes->id.text, err) && /* both are unique */
           device_put_address(tx, &other.id, comes->address, err);
}

bool device_move(Tx *tx, const DeviceId *id, const char *address, Device *ret_device, Err *err)
{
    static const Actor server = { "server", "local" };
    char text[2 * ADDRESS_TEXT_SIZE + 8];
    Device device;

    if (!device_get(tx->db, id, &device, err) || !device_make_room(tx, address, &device, err) ||
        !device_put_address(tx, id, address, err))
        return false;
    (void)text_printf(text, sizeof text, "%s -> %s", device.address, address);
    (void)text_copy(device.address, sizeof device.address, address);
    *ret_device = device;
    return device_event(tx, id, "device.moved", text, err) &&
           audit_insert(tx, &server, "device.move", "device", id->text, text, err);
}

bool device_not_moved(Tx *tx, const DeviceId *id, const Reason *reason, Err *err)
{
    char text[EVENT_TEXT_SIZE];

    (void)text_printf(text, sizeof text, "%s %s", reason->text, reason->remedy);
    return device_event(tx, id, "device.not-moved", text, err);
}

bool device_certified(Tx *tx, const DeviceId *id, const char *certificate, Err *err)
{
    int rows;

    return db_run(tx->db,
                  "UPDATE device SET certificate = ?2 WHERE id = ?1"
                  " AND certificate IN ('', '" CERTIFICATE_NEXT "') AND ?2 <> ''",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT(certificate)), &rows, err) &&
           (rows == 0 || device_event(tx, id, "device.certificate", certificate, err));
}

/* device.tls_proven says whether an alarm is older than what proved the device, and both are wall time: a clock that was
 * corrected backwards in between must not turn them round. Proven is behind all alarms there are (of device ?1, at time
 * `now`), and never ahead of the next one (device_alarm). */
#define PROVEN_AT(now)                                             \
    "max(" now ", coalesce((SELECT max(changed_at) + 1 FROM batch" \
    " WHERE device_id = ?1 AND state = 'broken' AND reason_code IN " ALARMING_REASONS "), 0))"

bool device_tls_learned(Tx *tx, const DeviceId *id, DeviceTls tls, const char *version, Err *err)
{
    char text[80];
    Device device;
    int rows;

    if (tls == DEVICE_TLS_NONE)
        return true;
    if (!device_get(tx->db, id, &device, err))
        return err->kind == ERR_NOT_FOUND;
    if (device.tls == DEVICE_TLS_MODERN && tls != DEVICE_TLS_MODERN)
        return true; /* that it is so stands, whatever a scan says that began before */
    if (!db_run(tx->db,
                "UPDATE device SET tls = ?2, tls_version = ?3, tls_proven = " PROVEN_AT(
                    "?4") " WHERE id = ?1",
                ARGS(ARG_TEXT(id->text), ARG_TEXT(device_tls_words[tls]), ARG_TEXT(version),
                     ARG_INT(tx->now.ms)),
                &rows, err))
        return false;
    (void)text_printf(text, sizeof text, "%s, %s", device_tls_words[tls], version);
    return device.tls == tls || (tls == DEVICE_TLS_MODERN && device.tls == DEVICE_TLS_NONE) ||
           device_event(tx, id, "device.tls", text, err);
}

bool device_alarm(Tx *tx, const DeviceId *id, const Reason *reason, Err *err)
{
    char text[EVENT_TEXT_SIZE];
    char kind[sizeof reason->code + sizeof "device."];

    (void)text_printf(kind, sizeof kind, "device.%s", reason->code);
    (void)text_printf(text, sizeof text, "%s %s", reason->text, reason->remedy);
    return db_run(tx->db, "UPDATE device SET tls_proven = min(tls_proven, ?2) WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms)), NULL, err) &&
           device_event(tx, id, kind, text, err);
}

bool device_trust(Tx *tx, const Actor *actor, const DeviceId *id, Err *err)
{
    int rows;

    if (!db_run(tx->db,
                "UPDATE device SET revision = revision + 1, tls = '', tls_version = '',"
                " tls_proven = " PROVEN_AT("?2") ", certificate = CASE certificate"
                                                 " WHEN '' THEN '' ELSE '" CERTIFICATE_NEXT
                                                 "' END WHERE id = ?1",
                ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms)), &rows, err))
        return false;
    return (rows > 0 || not_found(err, "device", id->text)) &&
           audit_insert(tx, actor, "device.trust", "device", id->text, "", err);
}

bool device_panel_learned(Tx *tx, Device *device, DevicePanel panel, Err *err)
{
    if (device->panel == panel)
        return true;
    device->panel = panel;
    return db_run(tx->db, "UPDATE device SET panel = ?2 WHERE id = ?1",
                  ARGS(ARG_TEXT(device->id.text), ARG_TEXT(device_panel_words[panel])), NULL, err);
}

bool device_warned(Tx *tx, const DeviceId *id, const ScanNotes *warnings, Err *err)
{
    AUTO_BUF text = buf_with_max(NOTES_TEXT_MAX), former = buf_with_max(NOTES_TEXT_MAX);
    ScanNotes standing = { 0 }, before;

    for (size_t i = 0; i < warnings->count; i++)
        if (warnings->note[i].page == 0 && !warnings->note[i].passing)
            (void)scan_note_once(&standing, &warnings->note[i]);
    if (!device_warnings_text(tx->db, id, &former, err))
        return err->kind == ERR_NOT_FOUND;
    notes_parse(buf_bytes(&former), &before);
    for (size_t i = 0; i < standing.count; i++) {
        const ScanNote *note = &standing.note[i];
        char what[sizeof note->warning + sizeof note->text + sizeof note->remedy + 4];

        (void)text_printf(what, sizeof what, "%s: %s %s", note->warning, note->text, note->remedy);
        if (scan_note_once(&before, note) && !device_event(tx, id, "device.warning", what, err))
            return false;
    }
    return notes_format(&standing, &text, err) &&
           db_run(tx->db, "UPDATE device SET warnings = ?2 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT(buf_text(&text))), NULL, err);
}

/* The one text that the query has of the device. */
static bool append_text(Db *db, const char *sql, const DeviceId *id, Buf *ret_text, Err *err)
{
    AUTO_QUERY query = db_query(db, sql, ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);

    if (found && !buf_put_text(ret_text, query_text(&query, 0)))
        return err_set(err, ERR_TEMPORARY, 0, "no memory for what a device tells of itself");
    return query_ok(&query, err) && (found || not_found(err, "device", id->text));
}

bool device_warnings_text(Db *db, const DeviceId *id, Buf *ret_text, Err *err)
{
    return append_text(db, "SELECT warnings FROM device WHERE id = ?1", id, ret_text, err);
}

bool device_offered(Tx *tx, const DeviceId *id, const DeviceOffer *offer, Err *err)
{
    AUTO_BUF text = buf_with_max(OFFER_TEXT_MAX);

    return offer_format(offer, &text, err) &&
           db_run(tx->db, "UPDATE device SET offer = ?2 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT(buf_text(&text))), NULL, err);
}

bool device_offer_text(Db *db, const DeviceId *id, Buf *ret_text, Err *err)
{
    return append_text(db, "SELECT offer FROM device WHERE id = ?1", id, ret_text, err);
}

/* Why it waits is kept until it is approved. */
static bool device_put_state(Tx *tx, const DeviceId *id, DeviceState state, const char *code,
                             const char *why, Err *err)
{
    bool waits = state == DEVICE_SEEN;

    return db_run(tx->db,
                  "UPDATE device SET state = ?2, waits_since = ?3, waits_code = ?4,"
                  " waits_text = ?5 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT(device_state_words[state]),
                       ARG_INT(waits ? tx->now.ms : 0), ARG_TEXT(waits ? code : ""),
                       ARG_TEXT(waits ? why : "")),
                  NULL, err);
}

bool device_distrust(Tx *tx, const DeviceId *id, const char *why, Err *err)
{
    static const Actor server = { "server", "local" };
    Device device;

    if (!device_get(tx->db, id, &device, err))
        return err->kind == ERR_NOT_FOUND;
    if (!device_step(&device.state, DEVICE_EVENT_REVOKE))
        return true;
    return db_run(tx->db, "UPDATE device SET revision = revision + 1 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text)), NULL, err) &&
           device_put_state(tx, id, device.state, "another-device", why, err) &&
           device_event(tx, id, "device.another", why, err) &&
           audit_insert(tx, &server, "device.revoke", "device", id->text, why, err);
}

static bool job_group_exists(Tx *tx, const DeviceSettings *settings, Err *err)
{
    int64_t one;
    bool found = true;

    if (settings->job_group[0] &&
        !db_find_int(tx->db, "SELECT 1 FROM job_group WHERE id = ?1",
                     ARGS(ARG_TEXT(settings->job_group)), &one, &found, err))
        return false;
    if (found)
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "there is no job group %s", settings->job_group);
    err_remedy(err, "Define the job group first.");
    return err_field(err, "job_group");
}

/* The state after the event, DEVICE_EVENT_MAX_ = as it is. */
static bool device_next(const Device *device, DeviceEvent event, DeviceState *ret_state, Err *err)
{
    DeviceState state = device->state;

    if (event != DEVICE_EVENT_MAX_ && !device_step(&state, event)) {
        err_set(err, ERR_CONFLICT, 0, "the device is %s, this cannot be done now",
                device_state_words[device->state]);
        return err_remedy(err, "%s",
                          device->state == DEVICE_SCANNING ? "Wait until its scan has ended."
                                                           : "Nothing needs to be done.");
    }
    *ret_state = state;
    return true;
}

bool device_change(Tx *tx, const Actor *actor, const DeviceId *id, const DeviceSettings *settings,
                   DeviceEvent event, int64_t revision, Err *err)
{
    DeviceState state = DEVICE_SEEN;
    Device before;

    if (!revision_check(tx->db, "SELECT revision FROM device WHERE id = ?1", "device", id->text,
                        revision, err) ||
        !device_get(tx->db, id, &before, err) || !device_settings_check(settings, err) ||
        !job_group_exists(tx, settings, err) || !device_next(&before, event, &state, err))
        return false;
    if (!db_run(tx->db,
                "UPDATE device SET name = ?2, job_group = ?3, registration = ?4, jobs_by = ?5,"
                " transport = ?6, back_rotation = ?7, revision = revision + 1 WHERE id = ?1",
                ARGS(ARG_TEXT(id->text), ARG_TEXT(settings->name),
                     ARG_TEXT_OR_NULL(settings->job_group),
                     ARG_TEXT(device_registration_words[settings->registration]),
                     ARG_TEXT(device_jobs_by_words[settings->jobs_by]),
                     ARG_TEXT(device_transport_words[settings->transport]),
                     ARG_TEXT(device_back_rotation_words[settings->back_rotation])),
                NULL, err))
        return false;
    if (state != before.state) {
        char kind[40], action[40];
        (void)text_printf(kind, sizeof kind, "device.%s", device_state_words[state]);
        (void)text_copy(action, sizeof action,
                        event == DEVICE_EVENT_APPROVE ? "device.approve" : "device.revoke");
        if (!device_put_state(tx, id, state, "revoked", "Its approval was taken back.", err) ||
            !device_event(tx, id, kind, before.address, err) ||
            !audit_insert(tx, actor, action, "device", id->text, before.address, err))
            return false;
    }
    return audit_change(tx, actor,
                        &(AuditChange){ "device.change", "device", id->text, device_settings_fields,
                                        &before.settings, settings },
                        err);
}

static bool device_new_approved(Tx *tx, const DeviceNew *wish, DeviceId *ret_id, Err *err)
{
    *ret_id = id_new(DeviceId, tx->now);
    return db_run(tx->db,
                  "INSERT INTO device (id, name, state, address, product, serial, firmware,"
                  " first_seen, last_seen, revision, contact, contact_since)"
                  " VALUES (?1, '', 'seen', ?2, '', '', '', ?3, 0, 1, 'never', ?3)",
                  ARGS(ARG_TEXT(ret_id->text), ARG_TEXT(wish->address), ARG_INT(tx->now.ms)), NULL,
                  err);
}

bool device_add(Tx *tx, const Actor *actor, const DeviceNew *wish, DeviceId *ret_id, Err *err)
{
    Device there;

    if (!device_settings_check(&wish->settings, err) || !job_group_exists(tx, &wish->settings, err))
        return false;
    if (device_find_address(tx->db, wish->address, &there, err)) {
        if (there.state != DEVICE_SEEN) {
            err_set(err, ERR_CONFLICT, 0, "a device at %s is in the list already", wish->address);
            err_remedy(err, "Change it: platen device set %s.", wish->address);
            return err_field(err, "address");
        }
        *ret_id = there.id;
    } else if (err->kind != ERR_NOT_FOUND || !device_new_approved(tx, wish, ret_id, err)) {
        return false;
    }
    return device_change(tx, actor, ret_id, &wish->settings, DEVICE_EVENT_APPROVE, 0, err);
}

bool device_delete(Tx *tx, const Actor *actor, const DeviceId *id, int64_t revision, Err *err)
{
    Device before;

    if (!revision_check(tx->db, "SELECT revision FROM device WHERE id = ?1", "device", id->text,
                        revision, err) ||
        !device_get(tx->db, id, &before, err))
        return false;
    if (before.state == DEVICE_SCANNING) {
        err_set(err, ERR_CONFLICT, 0, "the device is scanning");
        return err_remedy(err, "Wait until its scan has ended.");
    }
    return db_run(tx->db, "DELETE FROM device WHERE id = ?1", ARGS(ARG_TEXT(id->text)), NULL,
                  err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "device.delete", "device", id->text, device_settings_fields,
                                        &before.settings, NULL },
                        err);
}
