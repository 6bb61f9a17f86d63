/* monitor/finding.h - everything that the doctor can find, as a table.
 *
 * docs/doctor.md shows the table; tests/unit/test-doctor.c holds the page to it, and drives each row. */
#ifndef PLATEN_MONITOR_FINDING_H
#define PLATEN_MONITOR_FINDING_H

#include <stdbool.h>

typedef enum FindingLevel {
    FINDING_INFO,    /* nothing is wrong, but good to know      */
    FINDING_WARNING, /* something is missing or will break      */
    FINDING_ERROR,   /* scans fail, or pages and secrets are at risk */
    FINDING_LEVEL_MAX_
} FindingLevel;

extern const char *const finding_level_words[]; /* ends with NULL */

typedef enum FindingId {
    FINDING_COULD_NOT_LOOK,
    FINDING_UDP_PORT_NOT_HELD,
    FINDING_UDP_PORT_SHARED,
    FINDING_TCP_PORT_NOT_HELD,
    FINDING_ADDRESS_LOOPBACK_ONLY,
    FINDING_ADDRESS_GONE,
    FINDING_ADDRESS_LINK_LOCAL,
    FINDING_ADDRESS_NO_IPV4,
    FINDING_REGISTRATION_NEEDS_IPV4,
    FINDING_MULTICAST_NOT_JOINED,
    FINDING_MULTICAST_NOWHERE,
    FINDING_MULTICAST_DEAF,
    FINDING_MULTICAST_OFF,
    FINDING_INTERFACE_MISSING,
    FINDING_INTERFACE_DOWN,
    FINDING_INTERFACE_NO_ADDRESS,
    FINDING_INTERFACE_NO_MULTICAST,
    FINDING_INTERFACE_ARP_IGNORE,
    FINDING_INTERFACE_ARP_ANNOUNCE,
    FINDING_INTERFACE_RP_FILTER,
    FINDING_CERTIFICATE_UNREADABLE,
    FINDING_CERTIFICATE_KEY_UNREADABLE,
    FINDING_CERTIFICATE_EXPIRED,
    FINDING_CERTIFICATE_EXPIRES_SOON,
    FINDING_CERTIFICATE_NOT_YET_VALID,
    FINDING_CERTIFICATE_NOT_IN_USE,
    FINDING_DISK_FULL,
    FINDING_DISK_LOW,
    FINDING_DATA_NOT_WRITABLE,
    FINDING_DATA_VOLATILE,
    FINDING_DATA_REMOTE,
    FINDING_DATA_WITHOUT_RIGHTS,
    FINDING_DATA_IN_CONTAINER,
    FINDING_DATA_NOT_SYNCED,
    FINDING_KEY_MISSING,
    FINDING_KEY_READABLE,
    FINDING_KEY_OWNER,
    FINDING_CLOCK_BEFORE_BUILD,
    FINDING_CLOCK_BEHIND_RECORDS,
    FINDING_PROGRAM_MISSING,
    FINDING_DEVICE_WAITING,
    FINDING_DEVICE_ANOTHER,
    FINDING_DEVICE_SILENT,
    FINDING_DEVICE_OFFLINE,
    FINDING_DEVICE_CERTIFICATE,
    FINDING_DEVICE_DOWNGRADED,
    FINDING_DEVICE_TLS_LOST,
    FINDING_DEVICE_WITHOUT_JOBS,
    FINDING_DEVICE_JOBS_BY,
    FINDING_DEVICE_PAIRING,
    FINDING_DEVICE_WARNS,
    FINDING_DEVICE_QUIRKS,
    FINDING_DESTINATION_STOPPED,
    FINDING_DESTINATION_FAILING,
    FINDING_DESTINATION_STUCK,
    FINDING_MAX_
} FindingId;

/* What is looked at, in this order. */
typedef enum DoctorCheck {
    CHECK_ADDRESSES,
    CHECK_PORTS,
    CHECK_MULTICAST,
    CHECK_INTERFACES,
    CHECK_HTTPS,
    CHECK_DATA,
    CHECK_CLOCK,
    CHECK_PROGRAMS,
    CHECK_DEVICES,
    CHECK_DESTINATIONS,
    CHECK_MAX_
} DoctorCheck;

extern const char *const doctor_check_words[]; /* ends with NULL */

typedef struct FindingKind {
    const char *name; /* stable word */
    FindingLevel level;
    const char *meaning; /* one sentence, for the page                               */
    const char *cure; /* what to do; WHERE stands for where the finding is, if there is one such */
} FindingKind;

extern const FindingKind finding_kinds[FINDING_MAX_];

#endif
