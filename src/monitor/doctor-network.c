/* monitor/doctor-network.c - the checks of addresses, ports, multicast and interfaces with names for panels. */
#include "monitor/doctor-inside.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "monitor/doctor-proc.h"

#include <string.h>

enum {
    SLP_GROUP_NUMBER = 0xeffffffd,  /* 239.255.255.253 */
    LINK_LOCAL_NUMBER = 0xa9fe0000, /* 169.254.0.0/16 */
    LINK_LOCAL_MASK = 0xffff0000,
};

void doctor_names(const DoctorConfig *config, DoctorNames *ret)
{
    const char *at = config->interfaces;

    ret->count = 0;
    while (*at && ret->count < DOCTOR_CONFIGURED_MAX) {
        at += strspn(at, " ,");
        size_t n = strcspn(at, " ,");

        if (n > 0)
            (void)text_copy_bytes(ret->names[ret->count++], sizeof ret->names[0],
                                  (Bytes){ (const uint8_t *)at, n });
        at += n;
    }
}

static const DoctorInterface *interface_of(const DoctorFacts *facts, const char *name)
{
    for (size_t i = 0; i < facts->interface_count; i++)
        if (text_equal(facts->interfaces[i].name, name))
            return &facts->interfaces[i];
    return NULL;
}

static const DoctorAddress *v4_of(const DoctorFacts *facts, const char *interface)
{
    for (size_t i = 0; i < facts->address_count; i++)
        if (facts->addresses[i].is_v4 && text_equal(facts->addresses[i].interface, interface))
            return &facts->addresses[i];
    return NULL;
}

static bool is_any(const char *address)
{
    return text_equal(address, "0.0.0.0") || text_equal(address, "::");
}

static bool is_loopback(const char *address)
{
    return text_starts_with(address, "127.") || text_equal(address, "::1");
}

static bool is_link_local(const DoctorAddress *a)
{
    return a->is_v4 ? (a->address & LINK_LOCAL_MASK) == LINK_LOCAL_NUMBER
                    : text_starts_with(a->text, "fe80:");
}

bool doctor_hears_registrations(const DoctorFacts *facts)
{
    return strchr(facts->config->device_address, ':') == NULL;
}

/* Devices are told the address of the interface by which they are reached. */
static bool is_told(const DoctorFacts *facts, const DoctorNames *names, const DoctorAddress *a)
{
    const DoctorInterface *interface = interface_of(facts, a->interface);

    for (size_t i = 0; i < names->count; i++)
        if (text_equal(names->names[i], a->interface))
            return a->is_v4;
    if (names->count > 0)
        return false;
    if (!is_any(facts->config->device_address))
        return text_equal(a->text, facts->config->device_address);
    return interface && !interface->is_loopback &&
           (doctor_hears_registrations(facts) ? a->is_v4 : !a->is_v4 && !is_link_local(a));
}

void doctor_addresses(const DoctorFacts *facts, DoctorTell *tell, void *arg)
{
    const char *one = facts->config->device_address;
    DoctorNames names;
    bool told = false;

    doctor_names(facts->config, &names);
    for (size_t i = 0; i < facts->address_count; i++) {
        const DoctorAddress *a = &facts->addresses[i];

        if (!is_told(facts, &names, a))
            continue;
        tell(arg, &(DoctorTold){ a->interface, a->text });
        told = true;
    }
    if (!told &&
        is_loopback(one)) /* all of 127.0.0.0/8 is there, though only 127.0.0.1 is listed */
        tell(arg, &(DoctorTold){ "lo", one });
}

static bool network_is_known(Doctor *d)
{
    if (!d->facts->network_error[0])
        return true;
    if (d->said[FINDING_COULD_NOT_LOOK] == 0)
        doctor_say(d, FINDING_COULD_NOT_LOOK, "network interfaces", NULL,
                   "The network interfaces could not be listed: %s.", d->facts->network_error);
    return false;
}

/* --- addresses --------------------------------------------------------------------------------------- */

static void check_link_local(Doctor *d, const DoctorNames *names)
{
    for (size_t i = 0; i < d->facts->interface_count; i++) {
        const DoctorInterface *interface = &d->facts->interfaces[i];
        const char *local = NULL;
        unsigned others = 0;

        for (size_t k = 0; k < d->facts->address_count; k++) {
            const DoctorAddress *a = &d->facts->addresses[k];

            if (!text_equal(a->interface, interface->name) || !is_told(d->facts, names, a))
                continue;
            if (is_link_local(a))
                local = a->text;
            else
                others++;
        }
        if (local && others == 0)
            doctor_say(d, FINDING_ADDRESS_LINK_LOCAL, interface->name, NULL,
                       "%s has only the address %s, which no DHCP server has given it.",
                       interface->name, local);
    }
}

static void count_told(void *arg, const DoctorTold *told)
{
    unsigned *count = arg;

    (void)told;
    (*count)++;
}

void doctor_check_addresses(Doctor *d)
{
    const char *one = d->facts->config->device_address;
    DoctorNames names;
    unsigned told = 0;

    doctor_names(d->facts->config, &names);
    if (is_loopback(one)) {
        doctor_say(d, FINDING_ADDRESS_LOOPBACK_ONLY, one, NULL,
                   "device_address is %s: only programs of this computer reach the server.", one);
        return;
    }
    if (!network_is_known(d))
        return;
    doctor_addresses(d->facts, count_told, &told);
    if (told == 0 && !is_any(one))
        doctor_say(d, FINDING_ADDRESS_GONE, one, NULL,
                   "No interface that is up has the address %s, which is device_address.", one);
    else if (told == 0 && names.count == 0)
        doctor_say(d, FINDING_ADDRESS_LOOPBACK_ONLY, "this computer", NULL,
                   "No interface but lo is up and has an address of %s.",
                   doctor_hears_registrations(d->facts) ? "IPv4" : "IPv6");
    check_link_local(d, &names);
}

/* --- ports ------------------------------------------------------------------------------------------- */

/* How many sockets of a port the server should have: one, or one for each interface that is there. */
static unsigned doors(const DoctorFacts *facts)
{
    unsigned there = 0;
    DoctorNames names;

    doctor_names(facts->config, &names);
    if (names.count == 0 || facts->network_error[0])
        return 1;
    for (size_t i = 0; i < names.count; i++)
        there += interface_of(facts, names.names[i]) != NULL;
    return there;
}

static void check_port(Doctor *d, bool is_tcp, uint16_t port)
{
    PortWish wish = { is_tcp, .is_v6 = !doctor_hears_registrations(d->facts), .port = port };
    FindingId not_held = is_tcp ? FINDING_TCP_PORT_NOT_HELD : FINDING_UDP_PORT_NOT_HELD;
    unsigned wanted = doors(d->facts);
    PortHolders holders;
    char where[16];

    (void)text_printf(where, sizeof where, "%s %u", is_tcp ? "TCP" : "UDP", port);
    if (!proc_port_holders(d->facts->proc_path, &wish, &holders)) {
        doctor_say(d, FINDING_COULD_NOT_LOOK, where, NULL,
                   "It could not be seen who holds the port %s: %s/net or %s/self/fd cannot be "
                   "read.",
                   where, d->facts->proc_path, d->facts->proc_path);
        return;
    }
    if (holders.ours < wanted && wanted > 1)
        doctor_say(d, not_held, where, NULL, "The server holds %s on %u of %u interfaces%s%s%s.",
                   where, holders.ours, wanted, holders.others ? "; " : "", holders.other,
                   holders.others ? " holds it as well" : "");
    else if (holders.ours < wanted)
        doctor_say(d, not_held, where, NULL, "The server does not hold %s%s%s%s.", where,
                   holders.others ? "; " : "", holders.other, holders.others ? " does" : "");
    else if (holders.others > 0 && !is_tcp)
        doctor_say(d, FINDING_UDP_PORT_SHARED, where, NULL, "%s listens on %s as well.",
                   holders.other, where);
}

void doctor_check_ports(Doctor *d)
{
    if (doctor_hears_registrations(d->facts))
        check_port(d, false, d->facts->config->udp_port);
    check_port(d, true, d->facts->config->tcp_port);
}

/* --- multicast ---------------------------------------------------------------------------------------- */

static bool should_join(const DoctorFacts *facts, const DoctorInterface *interface)
{
    return interface && interface->is_up && !interface->is_loopback && interface->multicast &&
           v4_of(facts, interface->name);
}

/* False when no more can be seen. */
static bool check_joined(Doctor *d, const DoctorInterface *interface)
{
    bool joined = false;

    if (!should_join(d->facts, interface))
        return true;
    if (!proc_is_joined(d->facts->proc_path, interface->name, SLP_GROUP_NUMBER, &joined)) {
        doctor_say(d, FINDING_COULD_NOT_LOOK, "multicast", NULL,
                   "It could not be seen which groups are joined: %s/net/igmp cannot be read.",
                   d->facts->proc_path);
        return false;
    }
    if (!joined)
        doctor_say(d, FINDING_MULTICAST_NOT_JOINED, interface->name, NULL,
                   "The group 239.255.255.253 is not joined on %s.", interface->name);
    return true;
}

void doctor_check_multicast(Doctor *d)
{
    const DoctorFacts *facts = d->facts;
    unsigned could = 0, with_address = 0;
    DoctorNames names;

    if (!facts->config->multicast || !doctor_hears_registrations(facts) || facts->network_error[0])
        return; /* without the interfaces nothing can be said, which is said elsewhere */
    if (!is_any(facts->config->device_address)) {
        doctor_say(d, FINDING_MULTICAST_DEAF, facts->config->device_address, NULL,
                   "multicast is on, but device_address is %s.", facts->config->device_address);
        return;
    }
    doctor_names(facts->config, &names);
    for (size_t i = 0; i < names.count; i++)
        if (!check_joined(d, interface_of(facts, names.names[i])))
            return;
    for (size_t i = 0; names.count == 0 && i < facts->interface_count; i++) {
        const DoctorInterface *interface = &facts->interfaces[i];

        with_address += interface->is_up && !interface->is_loopback &&
                        v4_of(facts, interface->name) != NULL;
        could += should_join(facts, interface);
        if (!check_joined(d, interface))
            return;
    }
    if (with_address > 0 && could == 0)
        doctor_say(d, FINDING_MULTICAST_NOWHERE, "this computer", NULL,
                   "None of the interfaces that are up takes part in multicast.");
}

/* --- interfaces with a name for panels each ----------------------------------------------------------------- */

/* Another interface with an address of the same network; NULL when there is none. */
static const char *neighbour(const DoctorFacts *facts, const char *name)
{
    for (size_t i = 0; i < facts->address_count; i++)
        for (size_t k = 0; k < facts->address_count; k++) {
            const DoctorAddress *a = &facts->addresses[i], *b = &facts->addresses[k];
            uint32_t mask = a->mask & b->mask;

            if (a->is_v4 && b->is_v4 && mask != 0 && text_equal(a->interface, name) &&
                !text_equal(b->interface, name) && (a->address & mask) == (b->address & mask))
                return b->interface;
        }
    return NULL;
}

typedef struct Switch {
    const char *name;
    FindingId id;
    int at_least, wrong; /* values that are right; wrong: which of them is not, -1: none */
} Switch;

static void check_switches(Doctor *d, const char *name)
{
    static const Switch switches[] = {
        { "arp_ignore", FINDING_INTERFACE_ARP_IGNORE, 1, -1 },
        { "arp_announce", FINDING_INTERFACE_ARP_ANNOUNCE, 2, -1 },
        { "rp_filter", FINDING_INTERFACE_RP_FILTER, 0, 1 },
    };
    const char *other = neighbour(d->facts, name);

    for (size_t i = 0; other && i < COUNT_OF(switches); i++) {
        const Switch *s = &switches[i];
        int value = proc_setting(d->facts->proc_path, name, s->name);

        if (value < 0)
            doctor_say(d, FINDING_COULD_NOT_LOOK, name, NULL,
                       "The kernel's setting %s of %s cannot be read.", s->name, name);
        else if (value < s->at_least || value == s->wrong)
            doctor_say(d, s->id, name, NULL, "%s shares a network with %s, and its %s is %d.", name,
                       other, s->name, value);
    }
}

void doctor_check_interfaces(Doctor *d)
{
    DoctorNames names;

    doctor_names(d->facts->config, &names);
    if (names.count == 0 || (d->facts->network_error[0] && !network_is_known(d)))
        return;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        const DoctorInterface *interface = interface_of(d->facts, name);

        if (!interface) {
            doctor_say(d, FINDING_INTERFACE_MISSING, name, NULL, "There is no interface %s.", name);
            continue;
        }
        if (!interface->is_up)
            doctor_say(d, FINDING_INTERFACE_DOWN, name, NULL, "The interface %s is down.", name);
        else if (!v4_of(d->facts, name))
            doctor_say(d, FINDING_INTERFACE_NO_ADDRESS, name, NULL, "%s has no IPv4 address.",
                       name);
        if (d->facts->config->multicast && !interface->multicast && !interface->is_loopback)
            doctor_say(d, FINDING_INTERFACE_NO_MULTICAST, name, NULL,
                       "%s takes no part in multicast.", name);
        check_switches(d, name);
    }
}
