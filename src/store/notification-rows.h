/* store/notification-rows.h - mails that tell people how it goes: the setting, the events, the mails.
 *
 * An event is a row of the transaction in which it happened. The queue's keeper claims a mail, which is
 * made of the events that wait; from then on it keeps its id and its words until it was sent or is given
 * up. A mail that fails is no event. */
#ifndef PLATEN_STORE_NOTIFICATION_ROWS_H
#define PLATEN_STORE_NOTIFICATION_ROWS_H

#include "model/notification.h"
#include "store/config-rows.h"

typedef struct StoredNotification {
    NotificationSettings settings;
    int64_t revision;
} StoredNotification;

bool notification_get(Db *db, StoredNotification *ret_setting, Err *err);
/* Checks and stores; writes an audit row; what waits is tried at once. ERR_BAD_INPUT with field: over is no
 * destination of kind email; ERR_CONFLICT: another revision (0 = any). */
bool notification_put(Tx *tx, const Actor *actor, const StoredNotification *setting, Err *err);

/* --- events --------------------------------------------------------------------------------------- */

/* The batch is in this state now: an event when that is to be told. Called by batch_apply. */
bool notification_of_batch(Tx *tx, const BatchId *id, BatchState state, Err *err);
/* The same of a destination that the server (no person) has stopped. The one that mails go over is not told:
 * no mail could go. Called by destination_stop. */
bool notification_of_stop(Tx *tx, const Actor *actor, const DestinationId *id, const char *text,
                          const char *cure, Err *err);

/* --- mails ---------------------------------------------------------------------------------------- */

typedef struct NotificationClaim {
    char id[ID_TEXT_SIZE]; /* the same in every attempt */
    char to[2 * NOTIFY_TO_SIZE + 2];
    char subject[NOTIFICATION_SUBJECT_SIZE], text[NOTIFICATION_MAIL_SIZE];
    uint32_t events, attempt;
    Wall created_at;
    StoredDestination over;
    uint32_t dropped;  /* events that are told to nobody: switched off, no address, or no way */
    uint32_t given_up; /* mails that were not sent in time                                   */
} NotificationClaim;

/* A mail that is due, or one made of the events whose time has come, within the limit of an hour. True with
 * *ret_found = false when there is none now; dropped and given_up are set in any case. */
bool notification_claim(Tx *tx, NotificationClaim *ret_claim, bool *ret_found, Err *err);
/* The attempt ended: SENT, FAILED, or WAITING until due. ERR_CONFLICT when it is not ours. */
bool notification_ended(Tx *tx, const NotificationClaim *claim, NotificationState state,
                        const DeliveryResult *result, Wall due, Err *err);
/* When notification_claim has something to do; *ret_due.ms = INT64_MAX when nothing waits. */
bool notification_next_due(Db *db, Wall now, Wall *ret_due, Err *err);
/* What waits for its next attempt is due now: something was mended. */
bool notification_mails_due(Tx *tx, Err *err);
/* The same; and what failed until now is no news any more (notification_health). */
bool notification_mended(Tx *tx, Err *err);

/* --- for people ------------------------------------------------------------------------------------ */

/* An event and its mail. state: FAILED as well for one whose mail was given up. */
typedef struct Notification {
    char id[ID_TEXT_SIZE];
    Wall at;
    NotificationKind kind;
    char batch[ID_TEXT_SIZE], destination[ID_TEXT_SIZE]; /* "" = none */
    NotificationText words;
    NotificationState state;
    uint32_t more;
    char mail[ID_TEXT_SIZE]; /* "" = it is in none yet; then nothing below */
    uint32_t attempt;
    Wall due_at, finished_at;
    DeliveryResult last; /* class, stage, text, cure */
} Notification;
typedef bool NotificationVisit(void *arg, const Notification *notification);
/* Newest first. before: only ids below it ("" = from the newest); state: -1 = all. */
bool notification_list(Db *db, const char *before, int state, uint32_t limit,
                       NotificationVisit *visit, void *arg, Err *err);

/* Whether people are told. */
typedef struct NotificationHealth {
    bool is_on, has_way; /* a setting that sends; its destination exists and is of the right kind */
    bool is_stopped;     /* that destination                                       */
    bool is_failing;     /* the newest mail was tried in vain since it was mended, text
                          and cure say how */
    uint32_t waiting;    /* events                                                  */
    char text[240], cure[160];
} NotificationHealth;
bool notification_health(Db *db, NotificationHealth *ret_health, Err *err);

#endif
