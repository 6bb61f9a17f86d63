/* monitor/doctor.c - see doctor.h: the order of the checks, and saying what they find. */
#include "monitor/doctor-inside.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- saying ------------------------------------------------------------------------------------------- */

/* The cure with where in place of WHERE. */
static void fill_cure(Finding *finding, const char *cure)
{
    static const char mark[] = "WHERE";
    const char *found;
    size_t n = 0;

    finding->cure[0] = '\0';
    while ((found = strstr(cure, mark)) != NULL) {
        (void)text_printf(finding->cure + n, sizeof finding->cure - n, "%.*s%s",
                          (int)(found - cure), cure, finding->where);
        n = strlen(finding->cure);
        cure = found + sizeof mark - 1;
    }
    (void)text_copy(finding->cure + n, sizeof finding->cure - n, cure);
}

void doctor_say(Doctor *d, FindingId id, const char *where, const char *cure, const char *fmt, ...)
{
    Finding finding = { .id = id, .check = d->check };
    va_list args;

    if (++d->said[id] > DOCTOR_PER_KIND_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(finding.what, sizeof finding.what, fmt, args);
    va_end(args);
    (void)text_copy(finding.where, sizeof finding.where, where);
    if (cure && cure[0])
        (void)text_copy(finding.cure, sizeof finding.cure, cure);
    else
        fill_cure(&finding, finding_kinds[id].cure);
    d->say(d->arg, &finding);
}

/* Those of a kind that were too many to be said one by one. */
static void say_the_rest(Doctor *d)
{
    for (FindingId id = 0; id < FINDING_MAX_; id++) {
        Finding finding = { .id = id, .check = d->check };

        if (d->said[id] > DOCTOR_PER_KIND_MAX) {
            (void)text_copy(finding.where, sizeof finding.where, "others");
            (void)text_printf(finding.what, sizeof finding.what, "The same holds for %u more.",
                              d->said[id] - DOCTOR_PER_KIND_MAX);
            (void)text_copy(finding.cure, sizeof finding.cure, "As above, for each of them.");
            d->say(d->arg, &finding);
        }
        d->said[id] = 0;
    }
}

void doctor_examine(const DoctorFacts *facts, Db *db, DoctorSay *say, void *arg)
{
    static void (*const checks[CHECK_MAX_])(Doctor *) = {
        [CHECK_ADDRESSES] = doctor_check_addresses,
        [CHECK_PORTS] = doctor_check_ports,
        [CHECK_MULTICAST] = doctor_check_multicast,
        [CHECK_INTERFACES] = doctor_check_interfaces,
        [CHECK_HTTPS] = doctor_check_https,
        [CHECK_DATA] = doctor_check_data,
        [CHECK_CLOCK] = doctor_check_clock,
        [CHECK_PROGRAMS] = doctor_check_programs,
        [CHECK_DEVICES] = doctor_check_devices,
        [CHECK_DESTINATIONS] = doctor_check_destinations,
    };
    Doctor d = { .facts = facts, .db = db, .say = say, .arg = arg };

    for (d.check = 0; d.check < CHECK_MAX_; d.check++) {
        checks[d.check](&d);
        say_the_rest(&d);
    }
}

/* --- looking --------------------------------------------------------------------------------------------- */

static DoctorInterface *interface_named(DoctorFacts *facts, const char *name)
{
    for (size_t i = 0; i < facts->interface_count; i++)
        if (text_equal(facts->interfaces[i].name, name))
            return &facts->interfaces[i];
    if (facts->interface_count == DOCTOR_INTERFACES_MAX)
        return NULL;
    DoctorInterface *made = &facts->interfaces[facts->interface_count++];
    (void)text_copy(made->name, sizeof made->name, name);
    return made;
}

static void add_address(DoctorFacts *facts, const struct ifaddrs *row)
{
    DoctorAddress *to = &facts->addresses[facts->address_count];
    int family = row->ifa_addr->sa_family;
    struct sockaddr_in v4 = { 0 }, mask = { 0 };
    struct sockaddr_in6 v6 = { 0 };

    if (facts->address_count == DOCTOR_ADDRESSES_MAX)
        return;
    *to = (DoctorAddress){ .is_v4 = family == AF_INET };
    (void)text_copy(to->interface, sizeof to->interface, row->ifa_name);
    if (to->is_v4) {
        memcpy(&v4, row->ifa_addr, sizeof v4);
        if (row->ifa_netmask)
            memcpy(&mask, row->ifa_netmask, sizeof mask);
        to->address = ntohl(v4.sin_addr.s_addr);
        to->mask = ntohl(mask.sin_addr.s_addr);
        (void)inet_ntop(AF_INET, &v4.sin_addr, to->text, sizeof to->text);
    } else {
        memcpy(&v6, row->ifa_addr, sizeof v6);
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, to->text, sizeof to->text);
    }
    facts->address_count++;
}

/* An interface without an address has a row as well, of another family. */
static void look_at_network(DoctorFacts *facts)
{
    struct ifaddrs *all = NULL;

    facts->interface_count = facts->address_count = 0;
    facts->network_error[0] = '\0';
    if (getifaddrs(&all) != 0) {
        (void)text_copy(facts->network_error, sizeof facts->network_error, strerror(errno));
        return;
    }
    for (struct ifaddrs *row = all; row; row = row->ifa_next) {
        row->ifa_name[strcspn(row->ifa_name, ":")] = '\0'; /* a label: "eth0:1" */
        DoctorInterface *interface = interface_named(facts, row->ifa_name);

        if (!interface)
            continue;
        interface->is_up = (row->ifa_flags & IFF_UP) != 0;
        interface->is_loopback = (row->ifa_flags & IFF_LOOPBACK) != 0;
        interface->multicast = (row->ifa_flags & IFF_MULTICAST) != 0;
        if (interface->is_up && row->ifa_addr &&
            (row->ifa_addr->sa_family == AF_INET || row->ifa_addr->sa_family == AF_INET6))
            add_address(facts, row);
    }
    freeifaddrs(all);
}

/* As seal/ looks for it. */
static bool has_credential(void)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_TEXT_SIZE];

    return folder && text_printf(path, sizeof path, "%s/platen-master-key", folder) &&
           access(path, F_OK) == 0;
}

void doctor_look(DoctorFacts *facts)
{
    facts->proc_path = "/proc";
    facts->user = (unsigned)geteuid();
    facts->now = wall_now();
    facts->built = (Wall){ PLATEN_BUILT_S * 1000LL };
    facts->key_is_credential = has_credential();
    look_at_network(facts);
}
