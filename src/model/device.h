/* model/device.h - the Device: a scanner or multifunction printer on the network.
 *
 *            approve                 scan starts
 *   SEEN -------------> REGISTERED ---------------> SCANNING
 *     ^                  |      ^                       |
 *     +------------------+      +-----------------------+
 *            revoke, or another       scan ended
 *            device answers there
 *
 * A device that is SEEN may not start anything: its trigger is answered ERROR and it waits in the
 * list until an administrator approves it. */
#ifndef PLATEN_MODEL_DEVICE_H
#define PLATEN_MODEL_DEVICE_H

#include "base/err.h"
#include "base/field.h"
#include "base/id.h"
#include "base/limits.h"
#include "model/device-address.h"

typedef enum DeviceState {
    DEVICE_SEEN,
    DEVICE_REGISTERED,
    DEVICE_SCANNING,
    DEVICE_STATE_MAX_
} DeviceState;
typedef enum DeviceEvent {
    DEVICE_EVENT_APPROVE,
    DEVICE_EVENT_REVOKE,
    DEVICE_EVENT_SCAN_STARTS,
    DEVICE_EVENT_SCAN_ENDED,
    DEVICE_EVENT_MAX_
} DeviceEvent;

extern const char *const device_state_words[]; /* ends with NULL */

/* The state after the event; false (and *state unchanged) when the event is not allowed there. */
bool device_step(DeviceState *state, DeviceEvent event);

/* What is heard of a device. It is no condition for a scan: a silent device can be scanned from. One that a person has
 * added begins as NEVER, one that announced itself as HEARD; announced leads from NEVER to HEARD, quiet to SILENT. Only
 * an approved device is tried, and becomes OFFLINE.
 *
 *            quiet (no announcement for N cycles)    unreachable
 *   HEARD ------------------------------> SILENT -----------------> OFFLINE
 *     ^                                    |  ^                        |
 *     +------------------------------------+  +------------------------+
 *     |  announced                                reachable            |
 *     +----------------------------------------------------------------+
 *                                announced */
typedef enum DeviceContact {
    DEVICE_HEARD,
    DEVICE_SILENT,
    DEVICE_OFFLINE,
    DEVICE_NEVER, /* it was added, and has not announced itself yet */
    DEVICE_CONTACT_MAX_
} DeviceContact;
typedef enum DeviceContactEvent {
    DEVICE_CONTACT_ANNOUNCED, /* it asked for our name, or pressed Start              */
    DEVICE_CONTACT_QUIET,     /* it did not for too long                              */
    DEVICE_CONTACT_REACHABLE, /* it takes connections                                 */
    DEVICE_CONTACT_UNREACHABLE,
    DEVICE_CONTACT_EVENT_MAX_
} DeviceContactEvent;

extern const char *const device_contact_words[]; /* ends with NULL */

/* True when the event changes *contact. */
bool device_contact_step(DeviceContact *contact, DeviceContactEvent event);

enum { PRODUCT_TEXT_SIZE = 64 };

/* Which version of the registration the device is answered in. */
typedef enum DeviceRegistration {
    DEVICE_REGISTRATION_AUTO, /* as its request asks for */
    DEVICE_REGISTRATION_2,
    DEVICE_REGISTRATION_3,
    DEVICE_REGISTRATION_MAX_
} DeviceRegistration;

extern const char *const device_registration_words[]; /* ends with NULL */

/* What the panel of the device can do, as learned from its requests. */
typedef enum DevicePanel {
    DEVICE_PANEL_PLAIN,    /* a list of names, and sides and action at Start         */
    DEVICE_PANEL_V3,       /* version 3: job control with one job                    */
    DEVICE_PANEL_JOB_LIST, /* shows the names of jobs (our own extension X-JobList/1) */
    DEVICE_PANEL_MAX_
} DevicePanel;

extern const char *const device_panel_words[]; /* ends with NULL */

/* How the jobs of its group reach the panel of a device. */
typedef enum DeviceJobsBy {
    DEVICE_JOBS_BY_AUTO,
    DEVICE_JOBS_BY_CHOICE,   /* one name; sides and action choose one of six jobs       */
    DEVICE_JOBS_BY_NAME,     /* a name for each job, each on an interface of the server */
    DEVICE_JOBS_BY_V3,       /* job control of version 3: the first job                 */
    DEVICE_JOBS_BY_JOB_LIST, /* names and numbers of all jobs (X-JobList/1)             */
    DEVICE_JOBS_BY_MAX_
} DeviceJobsBy;

extern const char *const device_jobs_by_words[]; /* ends with NULL */

/* How the device's port for scans is spoken to. */
typedef enum DeviceTransport {
    DEVICE_TRANSPORT_AUTO, /* TLS, and plainly when it knows none; TLS only once a certificate is known */
    DEVICE_TRANSPORT_TLS,
    DEVICE_TRANSPORT_PLAIN,
    DEVICE_TRANSPORT_MAX_
} DeviceTransport;

extern const char *const device_transport_words[]; /* ends with NULL */

enum { DEVICE_UPSIDE_DOWN = 180 }; /* degrees */

/* How the backs of its feeder must be turned to be upright. */
typedef enum DeviceBackRotation {
    DEVICE_BACK_AUTO, /* as the device says what its feeder is */
    DEVICE_BACK_UPRIGHT,
    DEVICE_BACK_UPSIDE_DOWN,
    DEVICE_BACK_MAX_
} DeviceBackRotation;

extern const char *const device_back_rotation_words[]; /* "auto", "0", "180"; ends with NULL */

/* Degrees by which a back must be turned; says_turned: what the device says of its feeder. */
uint32_t device_back_rotation(DeviceBackRotation set, bool says_turned);

enum { CERTIFICATE_TEXT_SIZE = 65 }; /* SHA-256 of a certificate in hex, "" = none */

/* In place of one: TLS is still a must, and the certificate of the next scan is taken (a person trusts it). */
#define CERTIFICATE_NEXT "next"

/* What an administrator may set of a device. */
typedef struct DeviceSettings {
    char name[NAME_TEXT_SIZE];    /* "" = the product's name and address are shown */
    char job_group[ID_TEXT_SIZE]; /* JobGroupId as text, "" = none                 */
    int64_t registration;         /* DeviceRegistration                            */
    int64_t jobs_by;              /* DeviceJobsBy                                  */

    int64_t transport;     /* DeviceTransport                               */
    int64_t back_rotation; /* DeviceBackRotation                            */
} DeviceSettings;

extern const Field device_settings_fields[];

/* A device that a person adds by hand. */
typedef struct DeviceNew {
    char address[ADDRESS_TEXT_SIZE]; /* numeric */
    DeviceSettings settings;
} DeviceNew;

extern const Field device_new_fields[];

/* What the table cannot say; ERR_BAD_INPUT with the field. */
bool device_settings_check(const DeviceSettings *settings, Err *err);

/* The TLS of its scans. A device that was modern once has to stay so, until a person trusts it anew. */
typedef enum DeviceTls {
    DEVICE_TLS_NONE,   /* none was seen yet                                                */
    DEVICE_TLS_MODERN, /* TLS 1.2 and newer, at a normal security level                    */
    DEVICE_TLS_OLD,    /* what old firmware has: tried only when the device cannot do that */
    DEVICE_TLS_MAX_
} DeviceTls;

extern const char *const device_tls_words[]; /* "", "modern", "old"; ends with NULL */

enum { TLS_VERSION_TEXT_SIZE = 16 }; /* "TLSv1.3" */

/* One device as stored. */
typedef struct Device {
    DeviceId id;
    DeviceSettings settings;
    DeviceState state;
    char address[ADDRESS_TEXT_SIZE]; /* where it was seen last; a hint           */
    char product[PRODUCT_TEXT_SIZE]; /* "PID 11D1" or a model name               */
    char serial[64];                 /* learned at the first scan, "" before     */
    char firmware[64];
    DevicePanel panel;
    char certificate
        [CERTIFICATE_TEXT_SIZE]; /* seen at the first scan over TLS; the only one that is trusted */
    DeviceTls tls;               /* of the last scan over TLS */
    char tls_version[TLS_VERSION_TEXT_SIZE];
    Wall first_seen, last_seen;
    int64_t revision; /* counts edits, the ETag of the API */
    DeviceContact contact;
    Wall contact_since;
    Wall last_scan; /* begin of the last one, 0 = none */
    /* While it is SEEN: since when, and why if it was approved before, else "" */
    Wall waits_since;
    char waits_code[24], waits_text[240]; /* "another-device", "revoked" */
} Device;

/* The way that is in force: what is set, or by what the panel can do. names: how many names the server can
 * show, one for each of its interfaces; with one name nothing is shown by name, and a panel that was not seen to ask
 * for lists chooses as it can (model/jobs-by.h says why). Never AUTO. */
DeviceJobsBy device_jobs_by(const Device *device, unsigned names);

#endif
