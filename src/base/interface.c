/* base/interface.c - see interface.h. */
#include "base/interface.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

bool interface_missing(const char *name, ErrKind kind, Err *err)
{
    err_set(err, kind, ENODEV, "there is no network interface \"%s\"", name);
    return err_remedy(err, "\"ip link\" shows those there are.");
}

bool interface_index(const char *name, uint32_t *ret_index, Err *err)
{
    uint32_t index = if_nametoindex(name);

    if (index == 0)
        return interface_missing(name, ERR_NOT_FOUND, err);
    *ret_index = index;
    return true;
}

bool interface_check(const char *name, Err *err)
{
    uint32_t index;

    return name[0] == '\0' || interface_index(name, &index, err) ||
           interface_missing(name, ERR_BAD_INPUT, err);
}

static int family_of(const struct ifaddrs *row)
{
    return row->ifa_addr ? row->ifa_addr->sa_family : AF_UNSPEC;
}

/* getifaddrs has a row for each address, and one of another family for each interface. */
static bool is_first_row(const struct ifaddrs *all, const struct ifaddrs *row)
{
    for (const struct ifaddrs *i = all; i != row; i = i->ifa_next)
        if (text_equal(i->ifa_name, row->ifa_name))
            return false;
    return true;
}

static Interface interface_of(const struct ifaddrs *row)
{
    Interface interface = { .is_up = (row->ifa_flags & IFF_UP) != 0,
                            .is_loopback = (row->ifa_flags & IFF_LOOPBACK) != 0,
                            .has_multicast = (row->ifa_flags & IFF_MULTICAST) != 0,
                            .has_broadcast = (row->ifa_flags & IFF_BROADCAST) != 0 };

    (void)text_copy(interface.name, sizeof interface.name, row->ifa_name);
    for (const struct ifaddrs *i = row; i && !interface.has_ipv4; i = i->ifa_next)
        interface.has_ipv4 = family_of(i) == AF_INET && text_equal(i->ifa_name, row->ifa_name);
    return interface;
}

static InterfaceAddress address_of(const struct ifaddrs *row)
{
    InterfaceAddress address = { .is_v6 = family_of(row) == AF_INET6 };
    struct sockaddr_in v4, mask;
    struct sockaddr_in6 v6;

    (void)text_copy(address.interface, sizeof address.interface, row->ifa_name);
    if (address.is_v6) {
        memcpy(&v6, row->ifa_addr, sizeof v6);
        memcpy(address.bytes, &v6.sin6_addr, sizeof v6.sin6_addr);
        return address;
    }
    memcpy(&v4, row->ifa_addr, sizeof v4);
    memcpy(address.bytes, &v4.sin_addr, sizeof v4.sin_addr);
    if (row->ifa_netmask) {
        memcpy(&mask, row->ifa_netmask, sizeof mask);
        address.mask = ntohl(mask.sin_addr.s_addr);
    }
    return address;
}

bool interface_list(const InterfaceVisit *visit, void *arg, Err *err)
{
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) != 0)
        return err_errno(err, errno, "list the network interfaces");
    for (struct ifaddrs *i = all; i; i = i->ifa_next)
        i->ifa_name[strcspn(i->ifa_name, ":")] = '\0'; /* a label of an address: "eth0:1" */
    for (const struct ifaddrs *i = all; i && visit->interface; i = i->ifa_next)
        if (is_first_row(all, i)) {
            Interface interface = interface_of(i);
            visit->interface(arg, &interface);
        }
    for (const struct ifaddrs *i = all; i && visit->address; i = i->ifa_next)
        if ((i->ifa_flags & IFF_UP) && (family_of(i) == AF_INET || family_of(i) == AF_INET6)) {
            InterfaceAddress address = address_of(i);
            visit->address(arg, &address);
        }
    freeifaddrs(all);
    return true;
}
