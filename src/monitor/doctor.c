/* monitor/doctor.c - see doctor.h: the order of the checks, and saying what they find. */
#include "monitor/doctor-inside.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- saying ------------------------------------------------------------------------------------------- */

/* The cure with where, as a shell takes it, in place of WHERE. */
static void fill_cure(Finding *finding, const char *cure)
{
    static const char mark[] = "WHERE";
    char where[TEXT_SHELL_BYTES * PATH_TEXT_SIZE];
    const char *found;
    size_t n = 0;

    (void)text_shell(where, sizeof where, finding->where);
    finding->cure[0] = '\0';
    while ((found = strstr(cure, mark)) != NULL) {
        (void)text_printf(finding->cure + n, sizeof finding->cure - n, "%.*s%s",
                          (int)(found - cure), cure, where);
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

static void add_interface(void *arg, const Interface *interface)
{
    DoctorFacts *facts = arg;

    if (facts->interface_count < DOCTOR_INTERFACES_MAX)
        facts->interfaces[facts->interface_count++] = *interface;
}

static void add_address(void *arg, const InterfaceAddress *address)
{
    DoctorFacts *facts = arg;

    if (facts->address_count < DOCTOR_ADDRESSES_MAX)
        doctor_address(address, &facts->addresses[facts->address_count++]);
}

static void look_at_network(DoctorFacts *facts)
{
    Err err;

    facts->interface_count = facts->address_count = 0;
    facts->network_error[0] = '\0';
    if (!interface_list(&(InterfaceVisit){ add_interface, add_address }, facts, &err))
        (void)text_copy(facts->network_error, sizeof facts->network_error, err.text);
}

void doctor_look(DoctorFacts *facts)
{
    facts->proc_path = "/proc";
    facts->user = (unsigned)geteuid();
    facts->now = wall_now();
    facts->built = (Wall){ PLATEN_BUILT_S * 1000LL };
    look_at_network(facts);
}
