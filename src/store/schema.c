/* store/schema.c - see schema.h.
 *
 * Words of states are those of model/; a CHECK keeps foreign ones out. Times are milliseconds UTC.
 * owner is the boot generation that has claimed a row, NULL when nobody has. A batch keeps copies
 * (job, device_name) and refers to device, job and destination without a foreign key: history
 * outlives what it speaks of. */
#include "store/schema.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char script_1[] =
    "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "INSERT INTO meta VALUES ('generation', 0);"

    /* What administrators define. body is the JSON of the noun's settings table. */
    "CREATE TABLE destination (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " kind TEXT NOT NULL, settings TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;"
    "CREATE TABLE job (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " body TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;"
    "CREATE TABLE job_destination ("
    " job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
    " destination_id TEXT NOT NULL REFERENCES destination (id),"
    " PRIMARY KEY (job_id, destination_id)) STRICT;"
    "CREATE INDEX job_destination_of ON job_destination (destination_id);"
    "CREATE TABLE job_group (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " body TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;"
    "CREATE TABLE job_group_job ("
    " job_group_id TEXT NOT NULL REFERENCES job_group (id) ON DELETE CASCADE,"
    " job_id TEXT NOT NULL REFERENCES job (id), PRIMARY KEY (job_group_id, job_id)) STRICT;"
    "CREATE INDEX job_group_job_of ON job_group_job (job_id);"
    "CREATE TABLE device (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
    " job_group TEXT REFERENCES job_group (id),"
    " state TEXT NOT NULL CHECK (state IN ('seen', 'registered', 'scanning')),"
    " address TEXT NOT NULL UNIQUE, product TEXT NOT NULL, serial TEXT NOT NULL,"
    " firmware TEXT NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,"
    " revision INTEGER NOT NULL) STRICT;"
    "CREATE INDEX device_job_group ON device (job_group);"
    "CREATE TABLE token (name TEXT NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE,"
    " created_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
    " actor TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL,"
    " object_id TEXT NOT NULL, detail TEXT NOT NULL) STRICT;"
    /* The counter of a job outlives the job: numbers are never given twice. */
    "CREATE TABLE counter (job_id TEXT NOT NULL PRIMARY KEY, last INTEGER NOT NULL) STRICT;"

    /* What runs. */
    "CREATE TABLE batch (id TEXT NOT NULL PRIMARY KEY, device_id TEXT NOT NULL,"
    " device_name TEXT NOT NULL, job_id TEXT NOT NULL, job TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('receiving', 'received', 'composing', 'delivering',"
    "  'done', 'attention', 'cancelled', 'broken')),"
    " reason_code TEXT NOT NULL, reason_text TEXT NOT NULL, reason_remedy TEXT NOT NULL,"
    " started_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, utc_offset_min INTEGER NOT NULL,"
    " folder TEXT NOT NULL UNIQUE, plan_attempt INTEGER NOT NULL DEFAULT 0,"
    " plan_owner INTEGER) STRICT;"
    "CREATE INDEX batch_open ON batch (id) WHERE state NOT IN ('done', 'cancelled', 'broken');"
    "CREATE INDEX batch_state ON batch (state, id);"
    /* A device has one sheet path: never two batches at once. */
    "CREATE UNIQUE INDEX batch_receiving ON batch (device_id) WHERE state = 'receiving';"
    "CREATE TABLE page (id INTEGER PRIMARY KEY,"
    " batch_id TEXT NOT NULL REFERENCES batch (id), number INTEGER NOT NULL,"
    " side TEXT NOT NULL CHECK (side IN ('A', 'B')), file TEXT NOT NULL,"
    " size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, scan_dpi INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('stored', 'reading', 'read', 'unread', 'damaged')),"
    " attempt INTEGER NOT NULL DEFAULT 0, owner INTEGER, width_px INTEGER NOT NULL DEFAULT 0,"
    " height_px INTEGER NOT NULL DEFAULT 0, dpi INTEGER NOT NULL DEFAULT 0,"
    " components INTEGER NOT NULL DEFAULT 0, thumbnail TEXT NOT NULL DEFAULT '',"
    " warning TEXT NOT NULL DEFAULT '', stored_at INTEGER NOT NULL,"
    " UNIQUE (batch_id, number, side)) STRICT;"
    "CREATE INDEX page_unsettled ON page (batch_id) WHERE state IN ('stored', 'reading');"
    "CREATE INDEX page_damaged ON page (batch_id) WHERE state = 'damaged';"
    "CREATE INDEX page_stored ON page (id) WHERE state = 'stored';"
    "CREATE TABLE document (id TEXT NOT NULL PRIMARY KEY,"
    " batch_id TEXT NOT NULL REFERENCES batch (id),"
    " kind TEXT NOT NULL CHECK (kind IN ('document', 'index')), number INTEGER NOT NULL,"
    " name TEXT NOT NULL COLLATE NOCASE, first_page INTEGER NOT NULL,"
    " page_count INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('planned', 'writing', 'written', 'failed')),"
    " attempt INTEGER NOT NULL DEFAULT 0, owner INTEGER, size_bytes INTEGER NOT NULL DEFAULT 0,"
    " sha256 TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',"
    /* Destinations may not tell A.pdf from a.pdf. */
    " UNIQUE (batch_id, name), UNIQUE (batch_id, number)) STRICT;"
    "CREATE INDEX document_planned ON document (batch_id, number) WHERE state = 'planned';"
    "CREATE INDEX document_unwritten ON document (batch_id) WHERE state <> 'written';"
    "CREATE TABLE delivery (id TEXT NOT NULL PRIMARY KEY,"
    " batch_id TEXT NOT NULL REFERENCES batch (id),"
    " document_id TEXT NOT NULL REFERENCES document (id), destination_id TEXT NOT NULL,"
    " destination_name TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('ready', 'sending', 'done', 'held', 'failed',"
    "  'uncertain')),"
    " attempt INTEGER NOT NULL DEFAULT 0, owner INTEGER, created_at INTEGER NOT NULL,"
    " due_at INTEGER NOT NULL, finished_at INTEGER NOT NULL DEFAULT 0,"
    " reserved_name TEXT NOT NULL DEFAULT '', last_attempt INTEGER REFERENCES attempt (id),"
    " UNIQUE (document_id, destination_id)) STRICT;"
    "CREATE INDEX delivery_of_batch ON delivery (batch_id, destination_id, state);"
    "CREATE INDEX delivery_ready ON delivery (due_at, id) WHERE state = 'ready';"
    "CREATE INDEX delivery_open ON delivery (created_at) WHERE state IN ('ready', 'sending');"
    "CREATE INDEX delivery_name ON delivery (reserved_name) WHERE reserved_name <> '';"
    "CREATE INDEX delivery_destination ON delivery (destination_id) WHERE state <> 'done';"
    "CREATE TABLE attempt (id INTEGER PRIMARY KEY, delivery_id TEXT NOT NULL, number INTEGER NOT "
    "NULL,"
    " ended_at INTEGER NOT NULL, class TEXT NOT NULL, stage TEXT NOT NULL,"
    " native_code INTEGER NOT NULL, protocol_code INTEGER NOT NULL, text TEXT NOT NULL,"
    " cure TEXT NOT NULL, retry_after_s INTEGER NOT NULL, remote_name TEXT NOT NULL,"
    " size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL) STRICT;"
    "CREATE INDEX attempt_of_delivery ON attempt (delivery_id);"
    "CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
    " batch_id TEXT NOT NULL, device_id TEXT NOT NULL, kind TEXT NOT NULL,"
    " text TEXT NOT NULL) STRICT;"
    "CREATE INDEX event_of_batch ON event (batch_id, id);";

/* The outbox: destinations that stop, deliveries that are held, dropped and sent elsewhere. The table of
 * deliveries is made anew, because a CHECK cannot be changed. */
static const char script_2[] =
    "ALTER TABLE destination ADD COLUMN parallel INTEGER NOT NULL DEFAULT 2;"
    "ALTER TABLE destination ADD COLUMN expiry_hours INTEGER NOT NULL DEFAULT 72;"
    "ALTER TABLE destination ADD COLUMN auth_failures INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE destination ADD COLUMN stopped_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE destination ADD COLUMN stop_text TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE destination ADD COLUMN stop_cure TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE delivery_2 (id TEXT NOT NULL PRIMARY KEY,"
    " batch_id TEXT NOT NULL REFERENCES batch (id),"
    " document_id TEXT NOT NULL REFERENCES document (id), destination_id TEXT NOT NULL,"
    " destination_name TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('ready', 'sending', 'done', 'held', 'failed',"
    "  'uncertain', 'dropped')),"
    " attempt INTEGER NOT NULL DEFAULT 0, owner INTEGER, created_at INTEGER NOT NULL,"
    " tried_since INTEGER NOT NULL, due_at INTEGER NOT NULL,"
    " finished_at INTEGER NOT NULL DEFAULT 0, reserved_name TEXT NOT NULL DEFAULT '',"
    " options TEXT NOT NULL DEFAULT '',"   /* of one that was sent elsewhere */
    " stopped INTEGER NOT NULL DEFAULT 0," /* held because its destination is stopped */
    " note TEXT NOT NULL DEFAULT '', last_attempt INTEGER REFERENCES attempt (id),"
    " UNIQUE (document_id, destination_id)) STRICT;"
    "INSERT INTO delivery_2 (id, batch_id, document_id, destination_id, destination_name, state,"
    " attempt, owner, created_at, tried_since, due_at, finished_at, reserved_name, last_attempt)"
    " SELECT id, batch_id, document_id, destination_id, destination_name, state, attempt, owner,"
    " created_at, created_at, due_at, finished_at, reserved_name, last_attempt FROM delivery;"
    "DROP TABLE delivery;"
    "ALTER TABLE delivery_2 RENAME TO delivery;"
    "CREATE INDEX delivery_of_batch ON delivery (batch_id, destination_id, state);"
    "CREATE INDEX delivery_ready ON delivery (due_at, id) WHERE state = 'ready';"
    "CREATE INDEX delivery_open ON delivery (created_at) WHERE state IN ('ready', 'sending');"
    "CREATE INDEX delivery_name ON delivery (reserved_name) WHERE reserved_name <> '';"
    "CREATE INDEX delivery_destination ON delivery (destination_id)"
    " WHERE state NOT IN ('done', 'dropped');"
    "CREATE INDEX delivery_state ON delivery (state, id);";

/* Retention: what became of a batch's files. delivery_attempt lets attempts be deleted without a look at every
 * delivery (its reference is checked). */
static const char script_retention[] =
    "ALTER TABLE batch ADD COLUMN files TEXT NOT NULL DEFAULT 'kept'"
    " CHECK (files IN ('kept', 'removing', 'removed', 'missing'));"
    "ALTER TABLE batch ADD COLUMN files_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE batch ADD COLUMN files_why TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX batch_expiring ON batch (id)"
    " WHERE files = 'kept' AND state IN ('done', 'cancelled', 'broken');"
    "CREATE INDEX batch_removing ON batch (id) WHERE files = 'removing';"
    "CREATE INDEX batch_history ON batch (changed_at)"
    " WHERE files IN ('removed', 'missing');"
    "CREATE INDEX delivery_attempt ON delivery (last_attempt);"
    "CREATE INDEX event_at ON event (at);"
    /* Counters of what is deleted: metrics only rise. */
    "INSERT INTO meta VALUES ('files_removed', 0), ('pages_forgotten', 0);";

/* Mails that tell people how it goes. An event waits in notification until it is put into a mail; the mail has
 * its words and its id from then on, however often it is tried. extra: addresses of the job. */
static const char script_notification[] =
    "CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL,"
    " revision INTEGER NOT NULL) STRICT;"
    "INSERT INTO setting VALUES ('notification', '{}', 1);"
    "CREATE TABLE notification_mail (id TEXT NOT NULL PRIMARY KEY, created_at INTEGER NOT NULL,"
    " extra TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, events INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),"
    " attempt INTEGER NOT NULL, owner INTEGER, due_at INTEGER NOT NULL,"
    " finished_at INTEGER NOT NULL DEFAULT 0, class TEXT NOT NULL DEFAULT 'ok',"
    " stage TEXT NOT NULL DEFAULT '', text TEXT NOT NULL DEFAULT '',"
    " cure TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE INDEX notification_mail_open ON notification_mail (due_at)"
    " WHERE state = 'waiting';"
    "CREATE INDEX notification_mail_created ON notification_mail (created_at);"
    "CREATE TABLE notification (id TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL,"
    " kind TEXT NOT NULL CHECK (kind IN ('attention', 'broken', 'done', 'stopped')),"
    " batch_id TEXT NOT NULL, destination_id TEXT NOT NULL, extra TEXT NOT NULL,"
    " subject TEXT NOT NULL, body TEXT NOT NULL,"
    " more INTEGER NOT NULL DEFAULT 0," /* events after it for which there was no room */
    " state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')),"
    " mail_id TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE INDEX notification_waiting ON notification (mail_id, at) WHERE state = 'waiting';"
    "CREATE INDEX notification_of_mail ON notification (mail_id) WHERE mail_id <> '';"
    "CREATE INDEX notification_at ON notification (at);";

/* What a panel is shown differs by device. */
static const char script_registration[] =
    "ALTER TABLE device ADD COLUMN registration TEXT NOT NULL DEFAULT 'auto'"
    " CHECK (registration IN ('auto', 'version-2', 'version-3'));";

/* Pages of every device: backs that are upside down, sizes told at the end, feeders that begin with the
 * last sheet. */
static const char script_page_notes[] =
    "ALTER TABLE page ADD COLUMN rotation INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE page ADD COLUMN crop_width_px INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE page ADD COLUMN crop_height_px INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE batch ADD COLUMN pages_reversed INTEGER NOT NULL DEFAULT 0;";

/* A thousand deliveries to one destination: the next one of each is one step in an index. */
static const char script_turns[] =
    "DROP INDEX delivery_ready;"
    "CREATE INDEX delivery_ready ON delivery (destination_id, due_at, id) WHERE state = 'ready';"
    "CREATE INDEX delivery_moving ON delivery (batch_id) WHERE state IN ('ready', 'sending');";

/* What its panel can do, as its requests tell. */
static const char script_panel[] =
    "ALTER TABLE device ADD COLUMN panel TEXT NOT NULL DEFAULT 'plain'"
    " CHECK (panel IN ('plain', 'version-3', 'job-list'));";

/* What a device can do, as its last scan told; what a batch's device did otherwise than the job says. Both are
 * JSON, '' = none. */
static const char script_settings[] =
    "ALTER TABLE device ADD COLUMN offer TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE batch ADD COLUMN notes TEXT NOT NULL DEFAULT '';";

/* How its panel chooses a job. */
static const char script_jobs_by[] =
    "ALTER TABLE device ADD COLUMN jobs_by TEXT NOT NULL DEFAULT 'auto'"
    " CHECK (jobs_by IN ('auto', 'choice', 'name', 'version-3', 'job-list'));";

/* TLS with devices. */
static const char script_transport[] =
    "ALTER TABLE device ADD COLUMN transport TEXT NOT NULL DEFAULT 'auto'"
    " CHECK (transport IN ('auto', 'tls', 'plain'));"
    "ALTER TABLE device ADD COLUMN certificate TEXT NOT NULL DEFAULT '';";

/* What is heard of a device, beside what it may do. */
static const char script_contact[] =
    "ALTER TABLE device ADD COLUMN contact TEXT NOT NULL DEFAULT 'heard'"
    " CHECK (contact IN ('heard', 'silent', 'offline'));"
    "ALTER TABLE device ADD COLUMN contact_since INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE device ADD COLUMN last_scan INTEGER NOT NULL DEFAULT 0;";

/* How backs of a feeder that says it wrongly must be turned. */
static const char script_back_rotation[] =
    "ALTER TABLE device ADD COLUMN back_rotation TEXT NOT NULL DEFAULT 'auto'"
    " CHECK (back_rotation IN ('auto', '0', '180'));";

/* The TLS of a device's scans; modern is a promise. */
static const char script_tls[] =
    "ALTER TABLE device ADD COLUMN tls TEXT NOT NULL DEFAULT '' CHECK (tls IN ('', 'modern', "
    "'old'));"
    "ALTER TABLE device ADD COLUMN tls_version TEXT NOT NULL DEFAULT '';";

/* Button-only devices, which hold the name of one host. */
static const char script_pairing[] =
    "CREATE TABLE pairing (device_id TEXT NOT NULL PRIMARY KEY"
    " REFERENCES device (id) ON DELETE CASCADE,"
    " state TEXT NOT NULL CHECK (state IN ('paired', 'outdated', 'lost')),"
    " name TEXT NOT NULL, former TEXT NOT NULL, other TEXT NOT NULL, problem TEXT NOT NULL,"
    " since INTEGER NOT NULL, checked INTEGER NOT NULL) STRICT;";

/* What a device warned of at its last scan: JSON, '' = nothing. */
static const char script_warnings[] =
    "ALTER TABLE device ADD COLUMN warnings TEXT NOT NULL DEFAULT '';";

/* When a device last had the TLS that it has to have, or a person trusted what comes next. */
static const char script_tls_proven[] =
    "ALTER TABLE device ADD COLUMN tls_proven INTEGER NOT NULL DEFAULT 0;"
    "UPDATE device SET tls_proven = last_scan;";

/* Since when and why a device waits for approval. */
static const char script_waits[] =
    "ALTER TABLE device ADD COLUMN waits_since INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE device ADD COLUMN waits_code TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE device ADD COLUMN waits_text TEXT NOT NULL DEFAULT '';"
    "UPDATE device SET waits_since = first_seen WHERE state = 'seen';"
    /* With max() SQLite takes the other columns from the row that has it. */
    "UPDATE device SET (waits_since, waits_code, waits_text) = (SELECT max(at),"
    " iif(kind = 'device.another', 'another-device', ''), iif(kind = 'device.another', text, '')"
    " FROM event WHERE device_id = device.id AND kind IN ('device.another', 'device.seen'))"
    " WHERE state = 'seen' AND EXISTS (SELECT 1 FROM event"
    " WHERE device_id = device.id AND kind IN ('device.another', 'device.seen'));";

/* A device that was added and never heard; each contact has a time. The column is made anew, because a CHECK cannot be
 * changed. */
static const char script_never_heard[] =
    "ALTER TABLE device ADD COLUMN contact_now TEXT NOT NULL DEFAULT 'heard'"
    " CHECK (contact_now IN ('heard', 'silent', 'offline', 'never'));"
    "UPDATE device SET contact_now ="
    " CASE WHEN contact = 'heard' AND last_seen = 0 THEN 'never' ELSE contact END,"
    " contact_since = CASE contact_since WHEN 0 THEN first_seen ELSE contact_since END;"
    "ALTER TABLE device DROP COLUMN contact;"
    "ALTER TABLE device RENAME COLUMN contact_now TO contact;";

/* How long a scan with an empty feeder waits for more sheets, 0 = it does not. */
static const char script_sheets[] =
    "ALTER TABLE batch ADD COLUMN sheets_until INTEGER NOT NULL DEFAULT 0;";

const char *const schema_scripts[] = {
    script_1,
    script_2,
    script_retention,
    script_notification,
    script_registration,
    script_page_notes,
    script_turns,
    script_panel,
    script_settings,
    script_jobs_by,
    script_transport,
    script_contact,
    script_back_rotation,
    script_tls,
    script_pairing,
    script_warnings,
    script_tls_proven,
    script_waits,
    script_never_heard,
    script_sheets,
    NULL,
};

/* Copies platen.db as it is on disk; the caller has moved the whole log into it. */
static bool backup_copy(int folder_fd, const char *name, Err *err)
{
    char temporary[64];
    struct stat info;

    (void)text_printf(temporary, sizeof temporary, "%s.new", name);
    AUTO_FD from = file_open_read(folder_fd, "platen.db", err);
    if (from < 0)
        return false;
    if (fstat(from, &info) != 0)
        return err_set(err, ERR_TEMPORARY, 0, "cannot ask for the size of platen.db");
    AUTO_FD to = file_create(folder_fd, temporary, 0640, err);
    return to >= 0 && file_copy(from, 0, info.st_size, to, err) && file_sync_data(to, err) &&
           file_close(&to, err) && file_rename(folder_fd, temporary, folder_fd, name, err) &&
           file_sync_folder(folder_fd, err);
}

static bool backup_before(Db *db, int folder_fd, int64_t version, Err *err)
{
    char name[48];

    (void)text_printf(name, sizeof name, "platen.db.before-v%lld", (long long)version);
    if (db_script(db, "PRAGMA wal_checkpoint(TRUNCATE);", err) && backup_copy(folder_fd, name, err))
        return true;
    err_prefix(err, "cannot back up the database to %s before it is migrated", name);
    return err_remedy(err, "Make room in the data folder, then start again; nothing was changed.");
}

bool schema_migrate(Db *db, int folder_fd, const char *const *scripts, Err *err)
{
    int64_t version, known = 0;
    bool found;

    while (scripts[known])
        known++;
    if (!db_find_int(db, "PRAGMA user_version", NO_ARGS, &version, &found, err))
        return false;
    if (version > known) {
        err_set(err, ERR_PERMANENT, 0,
                "the database has version %lld, this program (%s) knows up to %lld",
                (long long)version, PLATEN_VERSION, (long long)known);
        return err_remedy(err, "Install the newer Platen again, or restore platen.db.before-v%lld.",
                          (long long)known + 1);
    }
    if (version > 0 && version < known && !backup_before(db, folder_fd, known, err))
        return false;
    for (; version < known; version++) {
        char mark[48];

        (void)text_printf(mark, sizeof mark, "PRAGMA user_version = %lld", (long long)version + 1);
        if (db_script(db, "BEGIN IMMEDIATE", err) && db_script(db, scripts[version], err) &&
            db_script(db, mark, err) && db_script(db, "COMMIT", err))
            continue;
        if (!sqlite3_get_autocommit(db->handle))
            sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
        return err_prefix(err, "cannot bring the database to version %lld", (long long)version + 1);
    }
    return true;
}
