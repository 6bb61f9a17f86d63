/* monitor/doctor.h - what is wrong with this server, as far as it can be seen from here.
 *
 * Reads files below /proc, the data folder and the database; writes nothing but a probe that it removes; waits for
 * nobody. Not here: the certificate of HTTPS as such (the caller reads it), and talking to devices or
 * destinations. Any thread but the loop. */
#ifndef PLATEN_MONITOR_DOCTOR_H
#define PLATEN_MONITOR_DOCTOR_H

#include "base/err.h"
#include "base/interface.h"
#include "base/limits.h"
#include "base/time.h"
#include "model/device-address.h"
#include "monitor/finding.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

enum {
    DOCTOR_INTERFACES_MAX = 128,
    DOCTOR_ADDRESSES_MAX = 256,
    DOCTOR_CONFIGURED_MAX = 32,
    DOCTOR_PER_KIND_MAX = 20, /* findings of one kind; then one that counts the others */
};

/* A program the server runs. */
typedef struct DoctorProgram {
    const char *path; /* absolute                                      */
    const char *kind; /* of destination that needs it; "" = all need it */
} DoctorProgram;

/* What is configured. Borrowed. */
typedef struct DoctorConfig {
    uint16_t udp_port, tcp_port;
    const char *address4;   /* that is listened at: "0.0.0.0", "10.0.0.5"; "" = none of IPv4 */
    const char *address6;   /* "::", "fd00::5", "fe80::5%eth0"; "" = none of IPv6            */
    const char *interfaces; /* "eth0,pj1": names for panels; "" = one for all */
    bool multicast;
    const char *data_path;          /* absolute */
    struct Spool *spool;            /* in it; tells how much room a scan wants */
    const struct QuirkBook *quirks; /* what models do otherwise; NULL: nothing is known */
    const DoctorProgram *programs;
    size_t program_count;
} DoctorConfig;

typedef struct DoctorAddress {
    char interface[INTERFACE_NAME_SIZE];
    char text[ADDRESS_TEXT_SIZE];
    DeviceAddress at;
    uint32_t mask; /* of IPv4, host order; else 0 */
} DoctorAddress;

/* The certificate of HTTPS. */
typedef struct DoctorCertificate {
    bool is_on;                          /* there is HTTPS                              */
    const char *path, *key_path;         /* "" = none                                   */
    char problem[240], key_problem[240]; /* why it cannot be read, "" = it can          */
    Wall valid_from, valid_until;        /* of the one the server shows; 0 = not known  */
    bool is_in_use;                      /* the file is what the server shows           */
} DoctorCertificate;

/* What is looked at, so that tests can tell it otherwise. */
typedef struct DoctorFacts {
    const DoctorConfig *config;
    const char *proc_path;   /* "/proc" */
    char network_error[240]; /* why interfaces and addresses are not known, "" = they are */
    Interface interfaces[DOCTOR_INTERFACES_MAX];
    size_t interface_count;
    DoctorAddress addresses[DOCTOR_ADDRESSES_MAX]; /* of interfaces that are up */
    size_t address_count;
    bool key_is_credential; /* the master keys are no file of ours */
    DoctorCertificate certificate;
    unsigned user; /* id of the server's user */
    Wall now, built;
} DoctorFacts;

/* One thing that is wrong. */
typedef struct Finding {
    FindingId id;
    DoctorCheck check;
    char where[PATH_TEXT_SIZE]; /* interface, file, device, destination ... */
    char what[320], cure[320 + PATH_TEXT_SIZE];
} Finding;

/* Where devices reach the server. */
typedef struct DoctorTold {
    const char *interface, *address;
} DoctorTold;

typedef void DoctorSay(void *arg, const Finding *finding);
typedef void DoctorTell(void *arg, const DoctorTold *told);

/* Fills all but config, certificate and key_is_credential from the system. */
void doctor_look(DoctorFacts *facts);

/* Says every finding, in the order of the checks. A database that cannot be read is a finding as well. */
void doctor_examine(const DoctorFacts *facts, Db *db, DoctorSay *say, void *arg);

/* The addresses that devices are told. */
void doctor_addresses(const DoctorFacts *facts, DoctorTell *tell, void *arg);

#endif
