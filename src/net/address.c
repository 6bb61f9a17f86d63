/* net/address.c - see address.h. */
#include "net/address.h"

#include "base/cleanup.h"
#include "base/interface.h"
#include "base/text.h"
#include "net/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, MAPPED_PREFIX_BYTES = 12 };

/* The kernel's forms are copied in and out: reading a sockaddr_storage through a pointer to another
 * type is what optimising compilers take as proof that nothing was written. */
socklen_t net_address_to_kernel(const NetAddress *address, struct sockaddr_storage *ret_storage)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(address->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(address->port),
                               .sin6_scope_id = address->scope };

    memset(ret_storage, 0, sizeof *ret_storage);
    if (address->family == NET_IPV4) {
        memcpy(&v4.sin_addr, address->bytes, IPV4_BYTES);
        memcpy(ret_storage, &v4, sizeof v4);
        return sizeof v4;
    }
    if (address->family == NET_IPV6) {
        memcpy(&v6.sin6_addr, address->bytes, IPV6_BYTES);
        memcpy(ret_storage, &v6, sizeof v6);
        return sizeof v6;
    }
    return 0;
}

/* Link-local unicast (fe80::/10) and multicast up to the link (ff01, ff02): the others are the same on every
 * interface. */
static bool needs_scope(const struct in6_addr *a)
{
    return IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MC_LINKLOCAL(a) || IN6_IS_ADDR_MC_NODELOCAL(a);
}

NetAddress net_address_from_kernel(const struct sockaddr_storage *storage)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    NetAddress address = { .family = NET_NONE };

    memcpy(&v4, storage, sizeof v4);
    memcpy(&v6, storage, sizeof v6);
    if (storage->ss_family == AF_INET) {
        address = (NetAddress){ .family = NET_IPV4, .port = ntohs(v4.sin_port) };
        memcpy(address.bytes, &v4.sin_addr, IPV4_BYTES);
    } else if (storage->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        address = (NetAddress){ .family = NET_IPV4, .port = ntohs(v6.sin6_port) };
        memcpy(address.bytes, v6.sin6_addr.s6_addr + MAPPED_PREFIX_BYTES, IPV4_BYTES);
    } else if (storage->ss_family == AF_INET6) {
        address = (NetAddress){ .family = NET_IPV6,
                                .port = ntohs(v6.sin6_port),
                                .scope = needs_scope(&v6.sin6_addr) ? v6.sin6_scope_id : 0 };
        memcpy(address.bytes, &v6.sin6_addr, IPV6_BYTES);
    }
    return address;
}

NetAddress net_address_of_socket(int fd)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t size = sizeof storage;

    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0)
        return (NetAddress){ .family = NET_NONE };
    return net_address_from_kernel(&storage);
}

int net_socket(const NetAddress *address, int type, Err *err)
{
    int domain = address->family == NET_IPV6 ? AF_INET6 : AF_INET;

    if (address->family == NET_NONE) {
        err_set(err, ERR_BUG, 0, "a socket needs an address");
        return -1;
    }
    int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        err_errno(err, errno, "open a socket");
    return fd;
}

bool net_bind_interface(int fd, const char *interface_name, Err *err)
{
    if (!interface_name || interface_name[0] == '\0')
        return true;
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface_name,
                   (socklen_t)strlen(interface_name)) == 0)
        return true;
    return errno == ENODEV
               ? interface_missing(interface_name, ERR_NOT_FOUND, err)
               : err_errno(err, errno, "bind a socket to the interface %s", interface_name);
}

/* Reads the digits of an address, without port or brackets. */
static bool parse_host(const char *host, NetAddress *ret_address)
{
    NetAddress address = { .family = NET_IPV4 };
    char digits[NET_ADDRESS_TEXT_SIZE];

    if (inet_pton(AF_INET, host, address.bytes) == 1) {
        *ret_address = address;
        return true;
    }
    if (!text_copy(digits, sizeof digits, host))
        return false;
    char *zone = strchr(digits, '%');
    if (zone) {
        *zone++ = '\0';
        int64_t number = 0;
        address.scope = if_nametoindex(zone);
        if (address.scope == 0 && text_to_int(zone, 1, INT32_MAX, &number))
            address.scope = (uint32_t)number;
        if (address.scope == 0)
            return false;
    }
    address.family = NET_IPV6;
    if (inet_pton(AF_INET6, digits, address.bytes) != 1)
        return false;

    struct sockaddr_storage storage;
    net_address_to_kernel(&address, &storage);
    *ret_address = net_address_from_kernel(
        &storage); /* plain IPv4 of mapped, scope where it counts */
    return true;
}

/* Splits "host:port", "[host]:port", "[host]" or "host". port is NULL when the text has none. */
static bool split_host_port(char *text, char **ret_host, char **ret_port)
{
    char *first_colon = strchr(text, ':');

    *ret_host = text;
    *ret_port = NULL;
    if (text[0] == '[') {
        char *bracket = strchr(text, ']');
        if (!bracket || (bracket[1] != '\0' && bracket[1] != ':'))
            return false;
        *ret_host = text + 1;
        if (bracket[1] == ':')
            *ret_port = bracket + 2;
        *bracket = '\0';
    } else if (first_colon && !strchr(first_colon + 1, ':')) {
        /* One colon is a port; more than one without brackets is a bare IPv6 address. */
        *ret_port = first_colon + 1;
        *first_colon = '\0';
    }
    return true;
}

bool net_address_parse(const char *text, uint16_t default_port, NetAddress *ret_address, Err *err)
{
    char whole[NET_ADDRESS_TEXT_SIZE], *host = NULL, *port = NULL;
    NetAddress address;
    int64_t number = default_port;

    if (!text_copy(whole, sizeof whole, text) || !split_host_port(whole, &host, &port) ||
        !parse_host(host, &address)) {
        err_set(err, ERR_BAD_INPUT, 0, "\"%.80s\" is not an address", text);
        return err_remedy(err, "Write a numeric address such as 10.0.0.5, 10.0.0.5:2968 or "
                               "[fe80::1%%eth0]:2968.");
    }
    if (port && !text_to_int(port, 0, UINT16_MAX, &number))
        return err_set(err, ERR_BAD_INPUT, 0, "\"%.80s\" has no port of 0 to 65535", text);
    address.port = (uint16_t)number;
    *ret_address = address;
    return true;
}

void net_address_format_host(const NetAddress *address, char ret_text[NET_ADDRESS_TEXT_SIZE])
{
    char digits[INET6_ADDRSTRLEN], name[IF_NAMESIZE];

    if (address->family == NET_NONE) {
        text_copy(ret_text, NET_ADDRESS_TEXT_SIZE, "none");
        return;
    }
    inet_ntop(address->family == NET_IPV4 ? AF_INET : AF_INET6, address->bytes, digits,
              sizeof digits);
    if (address->scope == 0)
        text_copy(ret_text, NET_ADDRESS_TEXT_SIZE, digits);
    else if (if_indextoname(address->scope, name))
        text_printf(ret_text, NET_ADDRESS_TEXT_SIZE, "%s%%%s", digits, name);
    else
        text_printf(ret_text, NET_ADDRESS_TEXT_SIZE, "%s%%%u", digits, (unsigned)address->scope);
}

void net_address_format(const NetAddress *address, char ret_text[NET_ADDRESS_TEXT_SIZE])
{
    char host[NET_ADDRESS_TEXT_SIZE];

    net_address_format_host(address, host);
    if (address->family == NET_NONE)
        text_copy(ret_text, NET_ADDRESS_TEXT_SIZE, host);
    else
        text_printf(ret_text, NET_ADDRESS_TEXT_SIZE,
                    address->family == NET_IPV4 ? "%s:%u" : "[%s]:%u", host,
                    (unsigned)address->port);
}

bool net_address_same_host(const NetAddress *a, const NetAddress *b)
{
    return a->family == b->family && a->scope == b->scope &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool net_address_equal(const NetAddress *a, const NetAddress *b)
{
    return a->port == b->port && net_address_same_host(a, b);
}

bool net_address_same_source(const NetAddress *a, const NetAddress *b)
{
    enum { SOURCE_BYTES = 8 };

    if (a->family != NET_IPV6 || b->family != NET_IPV6)
        return net_address_same_host(a, b);
    return a->scope == b->scope && memcmp(a->bytes, b->bytes, SOURCE_BYTES) == 0;
}

bool net_address_is_any(const NetAddress *address)
{
    static const uint8_t zeros[sizeof address->bytes];

    return memcmp(address->bytes, zeros, sizeof zeros) == 0;
}

bool net_address_is_loopback(const NetAddress *address)
{
    static const uint8_t ipv6_loopback[IPV6_BYTES] = { [IPV6_BYTES - 1] = 1 };

    if (address->family == NET_IPV4)
        return address->bytes[0] == IN_LOOPBACKNET;
    return address->family == NET_IPV6 &&
           memcmp(address->bytes, ipv6_loopback, sizeof ipv6_loopback) == 0;
}

bool net_address_local_for(const NetAddress *peer, NetAddress *ret_local, Err *err)
{
    return net_address_local_through(NULL, peer, ret_local, err);
}

bool net_address_local_through(const char *interface_name, const NetAddress *peer,
                               NetAddress *ret_local, Err *err)
{
    AUTO_FD fd = net_socket(peer, SOCK_DGRAM, err);
    char text[NET_ADDRESS_TEXT_SIZE];
    struct sockaddr_storage storage;
    NetAddress target = *peer;

    if (fd < 0 || !net_bind_interface(fd, interface_name, err))
        return false;
    if (target.port == 0)
        target.port = 1; /* any port will do: connecting a UDP socket only looks up the route */
    socklen_t size = net_address_to_kernel(&target, &storage);
    if (connect(fd, (struct sockaddr *)&storage, size) != 0) {
        net_address_format_host(peer, text);
        return err_errno(err, errno, "find the local address that reaches %s", text);
    }
    NetAddress local = net_address_of_socket(fd);
    if (local.family == NET_NONE)
        return err_set(err, ERR_BUG, 0, "the kernel does not name the address of a socket");
    local.port = 0;
    *ret_local = local;
    return true;
}

bool net_connect(int fd, const NetAddress *peer, const NetAddress *local, Err *err)
{
    struct sockaddr_storage storage;
    char text[NET_ADDRESS_TEXT_SIZE];
    const int on = 1;

    if (local && local->family != NET_NONE) {
        NetAddress from = *local;
        from.port = 0;
        socklen_t size = net_address_to_kernel(&from, &storage);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&storage, size) != 0) {
            net_address_format_host(local, text);
            return err_errno(err, errno, "connect from %s", text);
        }
    }
    socklen_t size = net_address_to_kernel(peer, &storage);
    if (connect(fd, (struct sockaddr *)&storage, size) == 0 || errno == EINPROGRESS)
        return true;
    int code = errno;
    net_address_format(peer, text);
    return err_errno(err, code, "connect to %s", text);
}
