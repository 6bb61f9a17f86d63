/* monitor/doctor-inside.h - inside of monitor: what the checks share. */
#ifndef PLATEN_MONITOR_DOCTOR_INSIDE_H
#define PLATEN_MONITOR_DOCTOR_INSIDE_H

#include "monitor/doctor.h"

typedef struct Doctor {
    const DoctorFacts *facts;
    Db *db;
    DoctorSay *say;
    void *arg;
    DoctorCheck check; /* that is under way */
    unsigned said[FINDING_MAX_];
} Doctor;

/* Says one finding of the check that is under way. cure NULL or "": that of the kind. */
void doctor_say(Doctor *d, FindingId id, const char *where, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* --- what is known of the network (doctor-network.c) ------------------------------------------------ */

/* The interfaces with names for panels, each a NUL-terminated text. */
typedef struct DoctorNames {
    char names[DOCTOR_CONFIGURED_MAX][INTERFACE_NAME_SIZE];
    size_t count;
} DoctorNames;
void doctor_names(const DoctorConfig *config, DoctorNames *ret);

/* An address as the doctor looks at it: a link-local one of IPv6 with its interface as zone. */
void doctor_address(const InterfaceAddress *from, DoctorAddress *ret);

/* An answer to a registration can tell an address of IPv4 only: a server that listens at none hears of no device by
 * itself. */
bool doctor_hears_registrations(const DoctorFacts *facts);

/* The checks. */
void doctor_check_addresses(Doctor *d);
void doctor_check_ports(Doctor *d);
void doctor_check_multicast(Doctor *d);
void doctor_check_interfaces(Doctor *d);
void doctor_check_https(Doctor *d);
void doctor_check_data(Doctor *d);
void doctor_check_clock(Doctor *d);
void doctor_check_programs(Doctor *d);
void doctor_check_devices(Doctor *d);
void doctor_check_destinations(Doctor *d);

#endif
