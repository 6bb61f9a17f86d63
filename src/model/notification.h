/* model/notification.h - mails that tell people how it goes: the setting, the events, their words.
 *
 * An event (a batch that needs a person, is broken or done; a destination that was stopped) becomes a row
 * when it happens. Events of one time go together into one mail. Pure: no clock, no SQL. */
#ifndef PLATEN_MODEL_NOTIFICATION_H
#define PLATEN_MODEL_NOTIFICATION_H

#include "base/bytes.h"
#include "model/batch.h"
#include "model/delivery.h"
#include "model/destination.h"

typedef enum NotifyWhen { NOTIFY_ERROR, NOTIFY_ALWAYS, NOTIFY_NEVER } NotifyWhen;

/* The one setting of the server. */
typedef struct NotificationSettings {
    char over
        [NAME_TEXT_SIZE]; /* DestinationId of kind email, "" = nothing is sent; a name on its way in */
    int64_t when;         /* NotifyWhen */
    char to[NOTIFY_TO_SIZE];
    int64_t digest_minutes; /* events of so long are one mail; 0 = at once      */
    int64_t limit_per_hour; /* mails; what is beyond goes into a later one      */
} NotificationSettings;

extern const Field notification_fields[];
extern const char notification_kind_of_destination[]; /* "email" */

enum {
    NOTIFICATION_EXPIRY_MS = 3 * 24 * 3600 * 1000, /* then a mail is given up                    */
    NOTIFICATION_WAITING_MAX = 1000,               /* events that are kept; more are counted     */
    NOTIFICATION_DELIVERIES_MAX = 10, /* of a batch that are described; more are counted */
    NOTIFICATION_SUBJECT_SIZE = 256,
    NOTIFICATION_TEXT_SIZE = 4096, /* one event          */
    NOTIFICATION_MAIL_SIZE = 7168, /* the text of a mail */
};

/* Addresses without tokens, "" = none. ERR_BAD_INPUT. */
bool notification_to_check(const char *list, Err *err);
/* What the table cannot say. ERR_BAD_INPUT with field. */
bool notification_check(const NotificationSettings *settings, Err *err);

typedef enum NotificationKind {
    NOTIFICATION_ATTENTION,
    NOTIFICATION_BROKEN,
    NOTIFICATION_DONE,
    NOTIFICATION_STOPPED, /* a destination */
    NOTIFICATION_KIND_MAX_
} NotificationKind;
extern const char *const notification_kind_words[];

/* How far a mail, or an event in it, has come. */
typedef enum NotificationState {
    NOTIFICATION_WAITING,
    NOTIFICATION_SENDING, /* mails only */
    NOTIFICATION_SENT,
    NOTIFICATION_FAILED,  /* given up                                       */
    NOTIFICATION_DROPPED, /* events only: there was nobody to tell, or no way */
    NOTIFICATION_STATE_MAX_
} NotificationState;
extern const char *const notification_state_words[];

/* Whether this is told. job: of the batch, JOB_NOTIFY_INHERIT for a destination. */
bool notification_is_wanted(const NotificationSettings *settings, JobNotify job,
                            NotificationKind kind);

/* Subject and text of one event. */
typedef struct NotificationText {
    char subject[NOTIFICATION_SUBJECT_SIZE];
    char text[NOTIFICATION_TEXT_SIZE];
} NotificationText;

/* A delivery that stopped. text and cure: of its last attempt, or of the stop of its destination. */
typedef struct StoppedDelivery {
    char destination[NAME_TEXT_SIZE];
    char stage[FIELD_SIZEOF(DeliveryResult, stage)];
    char text[400], cure[160];
} StoppedDelivery;

/* The words for a batch: what happened, what to do, the first count of count_of_all deliveries that stopped, and
 * the commands. Whole lines are left out when there is no room. */
void notification_batch_text(const Batch *batch, NotificationKind kind,
                             const StoppedDelivery *stopped, size_t count, size_t count_of_all,
                             NotificationText *ret_text);
/* The words for a destination that was stopped; text and cure: why. */
void notification_stop_text(const char *destination, const char *text, const char *cure,
                            NotificationText *ret_text);

/* A mail of events: begin, an event each, end. */
typedef struct NotificationDigest {
    char subject[NOTIFICATION_SUBJECT_SIZE];
    char text[NOTIFICATION_MAIL_SIZE];
    uint32_t events, errors; /* put in so far, those without room too */
    uint32_t counted;        /* of the events those that have no row  */
    uint32_t unshown;
} NotificationDigest;

/* more: events that happened beside this one and were only counted. */
void notification_digest_add(NotificationDigest *digest, NotificationKind kind, const char *when,
                             const char *subject, const char *text, uint32_t more);
void notification_digest_end(NotificationDigest *digest);

#endif
