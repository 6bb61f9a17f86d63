/* store/config-rows.h - what administrators define: jobs, job groups, destinations, devices; tokens.
 *
 * Every change writes an audit row in the same transaction. Revisions count edits; a change that
 * names an older revision is refused (ERR_CONFLICT), 0 = whatever is there. */
#ifndef PLATEN_STORE_CONFIG_ROWS_H
#define PLATEN_STORE_CONFIG_ROWS_H

#include "base/bytes.h"
#include "base/id.h"
#include "model/batch.h"
#include "model/destination.h"
#include "model/device-offer.h"
#include "model/device.h"
#include "model/job.h"
#include "store/store.h"

/* Who changes: written to the audit rows. Borrowed texts. */
typedef struct Actor {
    const char *name;    /* "uid:0", "token:backup", "server" */
    const char *address; /* "local" or the peer's address     */
} Actor;

/* What somebody did, when it is not one of the changes below (they write theirs themselves). action:
 * "batch.retry"; kind and id: of the object; detail: a sentence or JSON, no secrets, "" = none. */
bool audit_insert(Tx *tx, const Actor *actor, const char *action, const char *kind, const char *id,
                  const char *detail, Err *err);

typedef struct StoredJob {
    JobId id;
    Job job;
    int64_t revision;
} StoredJob;
typedef struct StoredJobGroup {
    JobGroupId id;
    JobGroup group;
    int64_t revision;
} StoredJobGroup;
typedef struct StoredDestination {
    DestinationId id;
    Destination destination;
    int64_t revision;
    DestinationStop stop;
} StoredDestination;

/* Lists in order of name. visit answers false to stop; then the list answers true as well. */
typedef bool JobVisit(void *arg, const StoredJob *job);
typedef bool JobGroupVisit(void *arg, const StoredJobGroup *group);
typedef bool DestinationVisit(void *arg, const StoredDestination *destination);
typedef bool DeviceVisit(void *arg, const Device *device);

bool job_list(Db *db, JobVisit *visit, void *arg, Err *err);
bool job_get(Db *db, const JobId *id, StoredJob *ret_job, Err *err); /* ERR_NOT_FOUND */
/* Insert (id new) or change: name unique (ERR_CONFLICT), destinations exist (ERR_BAD_INPUT + field). */
bool job_insert(Tx *tx, const Actor *actor, const StoredJob *job, Err *err);
bool job_change(Tx *tx, const Actor *actor, const StoredJob *job, Err *err);
/* ERR_CONFLICT while a job group has it; batches keep their copy. */
bool job_delete(Tx *tx, const Actor *actor, const JobId *id, int64_t revision, Err *err);

/* The same rules for groups: their jobs exist (ERR_BAD_INPUT + field); ERR_CONFLICT on delete while a
 * device has the group. */
bool job_group_list(Db *db, JobGroupVisit *visit, void *arg, Err *err);
bool job_group_get(Db *db, const JobGroupId *id, StoredJobGroup *ret_group, Err *err);
bool job_group_insert(Tx *tx, const Actor *actor, const StoredJobGroup *group, Err *err);
bool job_group_change(Tx *tx, const Actor *actor, const StoredJobGroup *group, Err *err);
bool job_group_delete(Tx *tx, const Actor *actor, const JobGroupId *id, int64_t revision, Err *err);

bool destination_list(Db *db, DestinationVisit *visit, void *arg, Err *err);
bool destination_get(Db *db, const DestinationId *id, StoredDestination *ret_destination, Err *err);
bool destination_insert(Tx *tx, const Actor *actor, const StoredDestination *destination, Err *err);
bool destination_change(Tx *tx, const Actor *actor, const StoredDestination *destination, Err *err);
/* New settings and nothing else, from the server itself. action: of the audit row, "destination.learn"; detail
 * without secrets. ERR_NOT_FOUND. */
bool destination_put_settings(Tx *tx, const Actor *actor, const DestinationId *id,
                              const char *settings, const char *action, const char *detail,
                              Err *err);
/* It refused the credentials once more in a row / let us in: the row counts. */
bool destination_refused(Tx *tx, const DestinationId *id, int64_t *ret_failures, Err *err);
bool destination_let_in(Tx *tx, const DestinationId *id, Err *err);
/* Nothing is sent any more: what is READY becomes HELD, and so does what comes. Stopping one that is stopped
 * changes nothing. ERR_NOT_FOUND. */
bool destination_stop(Tx *tx, const Actor *actor, const DestinationId *id, const char *text,
                      const char *cure, Err *err);
/* Goes on: what the stop has held becomes READY, due now. The batches are the caller's. */
bool destination_resume(Tx *tx, const Actor *actor, const DestinationId *id, Err *err);
/* ERR_CONFLICT while a job, or the copy of a job in a batch that may still be delivered, has it, or a
 * delivery to it is not done. A cancelled batch does not count: delivered after all, it takes the
 * destinations of its job as that is then (batch_adopt_destinations). */
bool destination_delete(Tx *tx, const Actor *actor, const DestinationId *id, int64_t revision,
                        Err *err);

bool device_list(Db *db, DeviceVisit *visit, void *arg, Err *err);
bool device_get(Db *db, const DeviceId *id, Device *ret_device, Err *err);
bool device_find_address(Db *db, const char *address, Device *ret_device,
                         Err *err); /* ERR_NOT_FOUND */
/* Approved devices, not scanning, of which nothing was heard since `before`. */
bool device_list_quiet(Db *db, Wall before, DeviceVisit *visit, void *arg, Err *err);
/* Devices that are not approved and of which nothing was heard since `before` become silent. */
bool device_quiet_unapproved(Tx *tx, Wall before, Err *err);
/* One step of what is heard of it; a change of an approved one is an event: device.heard, device.silent,
 * device.offline. */
bool device_contact(Tx *tx, Device *device, DeviceContactEvent what, Err *err);
/* The approved device with this serial number at another address than this. ERR_NOT_FOUND, also when there
 * are several. */
bool device_find_serial(Db *db, const char *serial, const char *not_address, Device *ret_device,
                        Err *err);
/* An approved device is at another address now. A device that was never approved goes from there; any
 * other one gets the former address, so that none is without. Event "device.moved". */
bool device_move(Tx *tx, const DeviceId *id, const char *address, Device *ret_device, Err *err);
/* Somebody elsewhere says its serial number and does not get its place: event "device.not-moved". */
bool device_not_moved(Tx *tx, const DeviceId *id, const Reason *reason, Err *err);
/* A device announced itself: a new row in state SEEN, or last_seen of the one at this address, and its
 * product as long as no scan has learned a serial number. At most DEVICES_SEEN_MAX devices wait for approval, and
 * DEVICES_SEEN_NETWORK_MAX of them in one /64 of IPv6; of more, the one that is worth least goes (without an event, and
 * so comes the new one), but none that a person has dealt with: ERR_TEMPORARY when there is no other. */
enum { DEVICES_SEEN_MAX = 1000, DEVICES_SEEN_NETWORK_MAX = DEVICES_SEEN_MAX / 2 };
bool device_sighted(Tx *tx, const char *address, const char *product, Device *ret_device, Err *err);
/* A person adds a device, which is approved with that: a new row, or the one that waits at this address.
 * ERR_CONFLICT when an approved one is there; ERR_BAD_INPUT with the field. */
bool device_add(Tx *tx, const Actor *actor, const DeviceNew *wish, DeviceId *ret_id, Err *err);
/* What a scan learned about it. */
bool device_identified(Tx *tx, const DeviceId *id, const char *product, const char *serial,
                       const char *firmware, Err *err);
/* The certificate at a scan over TLS: kept when none is known. */
bool device_certified(Tx *tx, const DeviceId *id, const char *certificate, Err *err);

/* The TLS of a scan, with the certificate that was wanted; NONE changes nothing. Event "device.tls" when it is old, or modern after that. */
bool device_tls_learned(Tx *tx, const DeviceId *id, DeviceTls tls, const char *version, Err *err);

/* It is perhaps not the device that it was (certificate-changed, tls-downgraded, tls-lost): an event "device.CODE" that says what to do. */
bool device_alarm(Tx *tx, const DeviceId *id, const Reason *reason, Err *err);

/* A person takes the certificate, and the TLS, that the device shows at its next scan. ERR_NOT_FOUND. */
bool device_trust(Tx *tx, const Actor *actor, const DeviceId *id, Err *err);

/* What its panel can do, as its requests tell; *device is what device_sighted has read. */
bool device_panel_learned(Tx *tx, Device *device, DevicePanel panel, Err *err);
/* What the device warned of at a scan that it has told its state: those of its state replace what is kept; event
 * "device.warning" for each that was not there. */
bool device_warned(Tx *tx, const DeviceId *id, const ScanNotes *warnings, Err *err);
/* Appends what is kept of it, a JSON array, or nothing. ERR_NOT_FOUND. */
bool device_warnings_text(Db *db, const DeviceId *id, Buf *ret_text, Err *err);
/* What a scan learned that it can do. No such row: nothing. */
bool device_offered(Tx *tx, const DeviceId *id, const DeviceOffer *offer, Err *err);
/* The JSON text of that (store/scan-json.h), "" = not known yet. ERR_NOT_FOUND. */
bool device_offer_text(Db *db, const DeviceId *id, Buf *ret_text, Err *err);
/* Another device answers at its address: it has to be approved again. What is known of it stays; why
 * becomes an event and the detail of the audit. No such row: nothing. */
bool device_distrust(Tx *tx, const DeviceId *id, const char *why, Err *err);
/* Settings (name, job group) and approval. event: APPROVE, REVOKE, or DEVICE_EVENT_MAX_ for none. */
bool device_change(Tx *tx, const Actor *actor, const DeviceId *id, const DeviceSettings *settings,
                   DeviceEvent event, int64_t revision, Err *err);
/* ERR_CONFLICT while it is scanning; its batches stay. */
bool device_delete(Tx *tx, const Actor *actor, const DeviceId *id, int64_t revision, Err *err);

/* --- API tokens: only the SHA-256 of the secret is stored ---------------------------------------- */
typedef struct StoredToken {
    char name[NAME_TEXT_SIZE];
    char sha256[65];
    Wall created_at;
} StoredToken;
bool token_insert(Tx *tx, const Actor *actor, const StoredToken *token,
                  Err *err); /* ERR_CONFLICT: name */
bool token_delete(Tx *tx, const Actor *actor, const char *name, Err *err);
bool token_find(Db *db, const char *sha256, StoredToken *ret_token, Err *err); /* ERR_NOT_FOUND */
typedef bool TokenVisit(void *arg, const StoredToken *token);
bool token_list(Db *db, TokenVisit *visit, void *arg, Err *err);

#endif
