/* store/doctor-rows.h - what the doctor asks the database beyond the lists: what does not go as it should. */
#ifndef PLATEN_STORE_DOCTOR_ROWS_H
#define PLATEN_STORE_DOCTOR_ROWS_H

#include "store/config-rows.h"

/* When the newest event happened; 0 = there is none. */
bool event_newest_at(Db *db, Wall *ret_at, Err *err);

/* Approved devices whose last scan was refused because another certificate was shown, or older TLS than before or none,
 * until a scan goes over the TLS that is wanted, or a person trusts what comes next or does without TLS. at: when it was
 * refused; code: of the reason ("certificate-changed", "tls-downgraded", "tls-lost"). visit answers false to stop. */
typedef bool UntrustedVisit(void *arg, const Device *device, Wall at, const char *code);
bool device_list_untrusted(Db *db, UntrustedVisit *visit, void *arg, Err *err);

/* Deliveries of one destination that do not get through. Those that a stopped destination holds do not
 * count: they wait for it alone. */
typedef struct DestinationTrouble {
    char name[NAME_TEXT_SIZE];
    unsigned failing;          /* are tried again after a failed attempt  */
    unsigned stuck;            /* held, failed or uncertain: a person is needed */
    char text[240], cure[160]; /* of the last attempt of them, "" = none */
} DestinationTrouble;
typedef bool TroubleVisit(void *arg, const DestinationTrouble *trouble);
bool destination_list_troubled(Db *db, TroubleVisit *visit, void *arg, Err *err);

#endif
