/* api/config.h - inside of api: the configuration as one value, and what would make it another.
 *
 * {"destinations": [...], "jobs": [...], "job_groups": [...], "devices": [...], "notification": {...}}: nouns name each
 * other instead of giving ids, secrets are left out. A plan sets what a file wants beside what there
 * is; it is made on a read connection to be shown, and inside the write that applies it. */
#ifndef PLATEN_API_CONFIG_H
#define PLATEN_API_CONFIG_H

#include "api/noun.h"
#include "store/notification-rows.h"

enum { CONFIG_NOUNS = 3, CONFIG_ROWS_MAX = 10000 };

/* In the order in which they refer to each other: each only to those before it. */
extern const ApiNoun *const config_nouns[CONFIG_NOUNS];

/* One job, job group or destination. Its id is in both rows. */
typedef struct ConfigEntry {
    NounRow now, wanted;
    bool exists;  /* now is filled: the database has it       */
    bool listed;  /* wanted is filled: the file has it        */
    bool differs; /* both, and the file says something else   */
    size_t item;  /* its place in the file's list             */
} ConfigEntry;

typedef struct ConfigTable {
    ConfigEntry *entries;
    size_t n, cap;
} ConfigTable;

/* One device as a file has it. */
typedef struct DeviceWish {
    char address[ADDRESS_TEXT_SIZE];
    char serial[64];
    char name[NAME_TEXT_SIZE];
    char job_group[NAME_TEXT_SIZE]; /* its name */
    int64_t registration;           /* DeviceRegistration */
    int64_t jobs_by;                /* DeviceJobsBy       */
    int64_t transport;              /* DeviceTransport    */
    int64_t back_rotation;          /* DeviceBackRotation */
    bool approved;
} DeviceWish;
extern const Field device_wish_fields[];

typedef struct ConfigDevice {
    Device now;
    DeviceWish wish;
    DeviceSettings wanted; /* with the id of the job group */
    bool exists, listed, differs;
} ConfigDevice;

/* The one setting about notifications. */
typedef struct ConfigNotification {
    StoredNotification now, wanted;
    bool differs; /* wanted is filled: the file says something else */
} ConfigNotification;

typedef struct ConfigPlan {
    const Api *api;
    bool remove_rest; /* what the file does not list is removed */
    ConfigTable tables[CONFIG_NOUNS];
    ConfigDevice *devices;
    size_t device_count, device_cap;
    ConfigNotification notification;
    Json *changes; /* [{"change", "noun", "name", "fields": [{"field", "from", "to"}]}] */
} ConfigPlan;

/* Frees what the plan holds. */
void config_plan_done(ConfigPlan *plan);
#define AUTO_PLAN __attribute__((cleanup(config_plan_done))) ConfigPlan

/* Fills now of everything there is (config-rows.c). */
bool config_load(ConfigPlan *plan, Db *db, Err *err);

/* A new entry at the end; NULL with err when there are too many. */
ConfigEntry *config_table_add(ConfigTable *table, Err *err);
ConfigDevice *config_device_add(ConfigPlan *plan, Err *err);

/* The entry of a name or id, NULL when there is none. */
ConfigEntry *config_entry_named(const ConfigTable *table, size_t noun, const char *name);
ConfigEntry *config_entry_with_id(const ConfigTable *table, const char *id);

/* A device belongs to the configuration when somebody approved or set it; others were only seen. */
bool config_has_device(const Device *device);

/* The table a noun refers to, NULL for none. */
const ConfigTable *config_referred(const ConfigPlan *plan, size_t noun);

/* One row as the file would have it; masked: with "(secret)" in the place of secrets, compared with
 * stored (NULL = none). NULL on failure. */
Json *config_show_row(const ConfigPlan *plan, size_t noun, const NounRow *row,
                      const NounRow *stored, bool masked);
Json *config_show_device(const ConfigPlan *plan, const Device *device);

/* The setting about notifications: as a file has it (with the name of the destination), and what a file wants
 * of it (config-notification.c). A file without it changes nothing, or switches it off when the rest is
 * removed. */
Json *config_show_notification(const ConfigPlan *plan, const NotificationSettings *settings);
bool config_notification_plan(ConfigPlan *plan, const Json *file, Err *err);

/* The entry that a name in the file stands for, NULL with err; one more change (config-plan.c). */
const ConfigEntry *config_refer(const ConfigPlan *plan, size_t noun, const char *name, Err *err);
void config_change_add(ConfigPlan *plan, const char *kind, const char *noun, const char *name,
                       Json *fields_take);

/* Sets what the file wants beside what there is and fills changes (config-plan.c). The plan must be
 * loaded. ERR_BAD_INPUT with the path of the field. */
bool config_plan(ConfigPlan *plan, const Json *file, Wall now, Err *err);

/* Appends to diffs what differs between two objects: {"field", "from", "to"}. Pure. */
void config_diff(const Json *before, const Json *after, const char *prefix, Json *diffs);

#endif
