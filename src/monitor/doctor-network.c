/* monitor/doctor-network.c - the checks of addresses, ports, multicast and interfaces with names for panels. */
#include "monitor/doctor-inside.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "monitor/doctor-proc.h"

#include <string.h>

enum {
    SLP_GROUP_NUMBER = 0xeffffffd, /* 239.255.255.253 */
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

static const Interface *interface_of(const DoctorFacts *facts, const char *name)
{
    for (size_t i = 0; i < facts->interface_count; i++)
        if (text_equal(facts->interfaces[i].name, name))
            return &facts->interfaces[i];
    return NULL;
}

static bool has_address(const DoctorFacts *facts, const char *interface, bool v6)
{
    for (size_t i = 0; i < facts->address_count; i++)
        if (facts->addresses[i].at.is_v6 == v6 &&
            text_equal(facts->addresses[i].interface, interface))
            return true;
    return false;
}

void doctor_address(const InterfaceAddress *from, DoctorAddress *ret)
{
    *ret = (DoctorAddress){ .at.is_v6 = from->is_v6, .mask = from->mask };
    memcpy(ret->at.bytes, from->bytes, sizeof ret->at.bytes);
    (void)text_copy(ret->interface, sizeof ret->interface, from->interface);
    if (from->is_v6 && device_address_is_link_local(&ret->at))
        (void)text_copy(ret->at.zone, sizeof ret->at.zone, from->interface);
    device_address_format(&ret->at, ret->text);
}

/* Where the server listens in one family. */
typedef struct Own {
    const char *text;
    bool is_there, is_any;
    DeviceAddress at; /* unless it is any */
} Own;

static Own own_of(const DoctorFacts *facts, bool v6)
{
    const char *text = v6 ? facts->config->address6 : facts->config->address4;
    Own own = { .text = text,
                .at.is_v6 = v6,
                .is_there = text[0] != '\0',
                .is_any = text_equal(text, v6 ? "::" : "0.0.0.0") };
    Err ignored;

    if (own.is_there && !own.is_any)
        (void)device_address_parse(bytes_of_text(text), &own.at, &ignored); /* it was bound to */
    return own;
}

static bool own_is_loopback(const Own *own)
{
    return own->is_there && !own->is_any && device_address_is_loopback(&own->at);
}

bool doctor_hears_registrations(const DoctorFacts *facts)
{
    return facts->config->address4[0] != '\0';
}

/* Whether devices may reach the server at an address. */
static bool is_reached(const DoctorFacts *facts, const DoctorNames *names, const DoctorAddress *a)
{
    const Interface *interface = interface_of(facts, a->interface);
    Own own = own_of(facts, a->at.is_v6);
    bool named = names->count == 0;

    for (size_t i = 0; i < names->count; i++)
        named = named || text_equal(names->names[i], a->interface);
    if (!own.is_there || !named)
        return false;
    if (!own.is_any)
        return device_address_equal(&a->at, &own.at);
    return (names->count > 0 || (interface && !interface->is_loopback)) &&
           !(a->at.is_v6 && device_address_is_link_local(&a->at));
}

static size_t tell_family(const DoctorFacts *facts, bool v6, DoctorTell *tell, void *arg)
{
    Own own = own_of(facts, v6);
    DoctorNames names;
    size_t told = 0;

    doctor_names(facts->config, &names);
    for (size_t i = 0; i < facts->address_count; i++) {
        const DoctorAddress *a = &facts->addresses[i];

        if (a->at.is_v6 != v6 || !is_reached(facts, &names, a))
            continue;
        tell(arg, &(DoctorTold){ a->interface, a->text });
        told++;
    }
    if (told > 0 || !own_is_loopback(&own))
        return told;
    tell(arg,
         &(DoctorTold){ "lo", own.text }); /* all of 127.0.0.0/8 is there, 127.0.0.1 is listed */
    return 1;
}

void doctor_addresses(const DoctorFacts *facts, DoctorTell *tell, void *arg)
{
    if (tell_family(facts, false, tell, arg) == 0)
        (void)tell_family(facts, true, tell, arg);
}

static bool network_is_known(Doctor *d)
{
    if (!d->facts->network_error[0])
        return true;
    if (d->said[FINDING_COULD_NOT_LOOK] == 0)
        doctor_say(d, FINDING_COULD_NOT_LOOK, "network interfaces", NULL,
                   "The network interfaces are not known: %s.", d->facts->network_error);
    return false;
}

/* --- addresses --------------------------------------------------------------------------------------- */

static void check_link_local(Doctor *d, const DoctorNames *names)
{
    for (size_t i = 0; i < d->facts->interface_count; i++) {
        const char *name = d->facts->interfaces[i].name, *local = NULL;
        unsigned others = 0;

        for (size_t k = 0; k < d->facts->address_count; k++) {
            const DoctorAddress *a = &d->facts->addresses[k];

            if (a->at.is_v6 || !text_equal(a->interface, name) || !is_reached(d->facts, names, a))
                continue;
            if (device_address_is_link_local(&a->at))
                local = a->text;
            else
                others++;
        }
        if (local && others == 0)
            doctor_say(d, FINDING_ADDRESS_LINK_LOCAL, name, NULL,
                       "%s has only the address %s, which no DHCP server has given it.", name,
                       local);
    }
}

static void count_told(void *arg, const DoctorTold *told)
{
    unsigned *count = arg;

    (void)told;
    (*count)++;
}

/* True when the address is one of this computer, or any. */
static bool check_own(Doctor *d, const Own *own)
{
    unsigned told = 0;

    if (!own->is_there || own->is_any || own_is_loopback(own) ||
        tell_family(d->facts, own->at.is_v6, count_told, &told) > 0)
        return true;
    doctor_say(d, FINDING_ADDRESS_GONE, own->text, NULL,
               "No interface that is up has the address %s, which is device_address.", own->text);
    return false;
}

/* The server listens at any address of a family of which there is none. */
static void check_any(Doctor *d, const Own *v4, const Own *v6)
{
    unsigned count4 = 0, count6 = 0;

    (void)tell_family(d->facts, false, count_told, &count4);
    (void)tell_family(d->facts, true, count_told, &count6);
    if (count4 > 0 || (!v4->is_there && count6 > 0))
        return;
    if (count6 > 0)
        doctor_say(d, FINDING_ADDRESS_NO_IPV4, "this computer", NULL,
                   "No interface but lo is up and has an address of IPv4; there are addresses of "
                   "IPv6.");
    else
        doctor_say(d, FINDING_ADDRESS_LOOPBACK_ONLY, "this computer", NULL,
                   "No interface but lo is up and has an address of %s.",
                   !v4->is_there  ? "IPv6"
                   : v6->is_there ? "IPv4 or IPv6"
                                  : "IPv4");
}

void doctor_check_addresses(Doctor *d)
{
    Own v4 = own_of(d->facts, false), v6 = own_of(d->facts, true);
    const Own *first = v4.is_there ? &v4 : &v6;
    DoctorNames names;

    doctor_names(d->facts->config, &names);
    if (!v4.is_there)
        doctor_say(d, FINDING_REGISTRATION_NEEDS_IPV4, v6.text, NULL,
                   "device_address is %s, and no address of IPv4.", v6.text);
    if (own_is_loopback(first)) {
        doctor_say(d, FINDING_ADDRESS_LOOPBACK_ONLY, first->text, NULL,
                   "device_address is %s: only programs of this computer reach the server.",
                   first->text);
        return;
    }
    if (!network_is_known(d))
        return;
    bool own4 = check_own(d, &v4), own6 = check_own(d, &v6);
    if (own4 && own6 && names.count == 0)
        check_any(d, &v4, &v6);
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
    Own own = own_of(d->facts, !doctor_hears_registrations(d->facts));
    PortWish wish = { is_tcp, own.at, port };
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

static bool should_join(const DoctorFacts *facts, const Interface *interface)
{
    return interface && interface->is_up && !interface->is_loopback && interface->has_multicast &&
           has_address(facts, interface->name, false);
}

/* False when no more can be seen. */
static bool check_joined(Doctor *d, const Interface *interface)
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
    Own own = own_of(facts, false);
    if (!own.is_any) {
        doctor_say(d, FINDING_MULTICAST_DEAF, own.text, NULL,
                   "multicast is on, but device_address is %s.", own.text);
        return;
    }
    doctor_names(facts->config, &names);
    for (size_t i = 0; i < names.count; i++)
        if (!check_joined(d, interface_of(facts, names.names[i])))
            return;
    for (size_t i = 0; names.count == 0 && i < facts->interface_count; i++) {
        const Interface *interface = &facts->interfaces[i];

        with_address += interface->is_up && !interface->is_loopback &&
                        has_address(facts, interface->name, false);
        could += should_join(facts, interface);
        if (!check_joined(d, interface))
            return;
    }
    if (with_address > 0 && could == 0)
        doctor_say(d, FINDING_MULTICAST_NOWHERE, "this computer", NULL,
                   "None of the interfaces that are up takes part in multicast.");
}

/* --- interfaces with a name for panels each ----------------------------------------------------------------- */

static uint32_t v4_number(const DeviceAddress *a)
{
    return (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 | (uint32_t)a->bytes[2] << 8 |
           a->bytes[3];
}

/* Another interface with an address of the same network; NULL when there is none. */
static const char *neighbour(const DoctorFacts *facts, const char *name)
{
    for (size_t i = 0; i < facts->address_count; i++)
        for (size_t k = 0; k < facts->address_count; k++) {
            const DoctorAddress *a = &facts->addresses[i], *b = &facts->addresses[k];
            uint32_t mask = a->mask & b->mask; /* of IPv6 they have none */

            if (mask != 0 && text_equal(a->interface, name) && !text_equal(b->interface, name) &&
                (v4_number(&a->at) & mask) == (v4_number(&b->at) & mask))
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
    bool registers = doctor_hears_registrations(d->facts);
    DoctorNames names;

    doctor_names(d->facts->config, &names);
    if (names.count == 0 || (d->facts->network_error[0] && !network_is_known(d)))
        return;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        const Interface *interface = interface_of(d->facts, name);

        if (!interface) {
            doctor_say(d, FINDING_INTERFACE_MISSING, name, NULL, "There is no interface %s.", name);
            continue;
        }
        if (!interface->is_up)
            doctor_say(d, FINDING_INTERFACE_DOWN, name, NULL, "The interface %s is down.", name);
        else if (registers && !has_address(d->facts, name, false))
            doctor_say(d, FINDING_INTERFACE_NO_ADDRESS, name, NULL, "%s has no IPv4 address%s.",
                       name, has_address(d->facts, name, true) ? ", only IPv6" : "");
        if (registers && d->facts->config->multicast && !interface->has_multicast &&
            !interface->is_loopback)
            doctor_say(d, FINDING_INTERFACE_NO_MULTICAST, name, NULL,
                       "%s takes no part in multicast.", name);
        check_switches(d, name);
    }
}
