/* tests/unit/doctor-network.h - what the doctor finds of addresses, ports, multicast and names for panels. For
 * test-doctor.c. */
#ifndef PLATEN_TESTS_UNIT_DOCTOR_NETWORK_H
#define PLATEN_TESTS_UNIT_DOCTOR_NETWORK_H

#include "tests/unit/doctor-house.h"

/* --- addresses ------------------------------------------------------------------------------------------- */

static char told[256];

static void note_told(void *arg, const DoctorTold *address)
{
    size_t n = strlen(told);

    (void)arg;
    (void)text_printf(told + n, sizeof told - n, "%s %s;", address->interface, address->address);
}

static const char *addresses(void)
{
    told[0] = '\0';
    doctor_addresses(&facts, note_told, NULL);
    return told;
}

static void addresses_that_devices_are_told(void **state)
{
    Fixture *f = *state;

    assert_string_equal(addresses(), "eth0 10.0.0.1;eth1 10.0.1.1;");
    config.address4 = "127.0.50.1";
    config.multicast = false;
    assert_write(f, device_sighted(tx, "10.0.0.7", "", &(Device){ 0 }, &f->err)); /* it is heard */
    examine(f);
    assert_int_equal(found_count, 2); /* and waits for approval */
    assert_int_equal(found[0].id, FINDING_ADDRESS_LOOPBACK_ONLY);
    assert_string_equal(addresses(), "lo 127.0.50.1;");
}

static void an_address_that_went(void **state)
{
    config.address4 = "10.0.1.1";
    assert_string_equal(addresses(), "eth1 10.0.1.1;");
    assert_says(assert_only(*state, FINDING_MULTICAST_DEAF, "10.0.1.1"), "10.0.1.1");
    config.address4 = "10.0.9.9";
    examine(*state);
    assert_int_equal(found[0].id, FINDING_ADDRESS_GONE);
    was_true[FINDING_ADDRESS_GONE] = true;
    assert_string_equal(addresses(), "");
}

static void addresses_that_nobody_gave(void **state)
{
    facts.address_count = 1;
    assert_says(assert_only(*state, FINDING_ADDRESS_LOOPBACK_ONLY, "this computer"), "but lo");
    add_address("eth0", "169.254.3.4", 0xffff0000);
    assert_says(assert_only(*state, FINDING_ADDRESS_LINK_LOCAL, "eth0"), "169.254.3.4");
    assert_non_null(strstr(found[0].cure, "DHCP server of eth0,"));
    add_address("eth0", "10.0.0.1", 0xffffff00);
    assert_well(*state);
}

/* --- ports ------------------------------------------------------------------------------------------------ */

static void ports(void **state)
{
    put("net/udp", HEAD UDP_ROW("4711") UDP_ROW("99"));
    assert_says(assert_only(*state, FINDING_UDP_PORT_SHARED, "UDP 2968"),
                "another program (of user id 998) listens on UDP 2968 as well.");
    put("77/comm", "escan\n");
    put_link("77", "9", "socket:[99]");
    assert_says(assert_only(*state, FINDING_UDP_PORT_SHARED, "UDP 2968"), "escan (process 77)");
    put("net/udp", HEAD UDP_ROW("99"));
    assert_says(assert_only(*state, FINDING_UDP_PORT_NOT_HELD, "UDP 2968"),
                "does not hold UDP 2968; escan (process 77) does.");
    put("net/udp", HEAD);
    assert_says(assert_only(*state, FINDING_UDP_PORT_NOT_HELD, "UDP 2968"),
                "does not hold UDP 2968.");
    put("net/udp", HEAD UDP_ROW("4711"));
    put("net/udp6", HEAD UDP6_ROW("98"));
    assert_says(assert_only(*state, FINDING_UDP_PORT_SHARED, "UDP 2968"), "user id 1000");
    take_away("net/udp6"); /* a kernel without IPv6 */
    assert_well(*state);
    put("net/tcp6", HEAD TCP6_ROW("4713")); /* ours, of IPv6: no panel is told of it */
    put_link("self", "5", "socket:[4713]");
    assert_well(*state);
    put("net/tcp", HEAD TCP_ROW("01", "4712")); /* connected, not listening */
    assert_only(*state, FINDING_TCP_PORT_NOT_HELD, "TCP 2968");
}

/* Of the sockets of others count those that get what is sent to ours. */
static void ports_of_other_addresses(void **state)
{
    static const char *const beside[] = {
        HEAD UDP_ROW("4711") UDP_ROW_AT("0100007F", "99"), /* 127.0.0.1 */
        HEAD UDP_ROW("4711") UDP_ROW_AT("3203A8C0", "99"), /* 192.168.3.50 */
        HEAD UDP_ROW("4711") UDP_ROW_AT("FDFFFFEF", "99"), /* 239.255.255.253 */
    };

    put("net/udp", beside[0]);
    assert_well(*state);
    for (size_t i = 1; i < COUNT_OF(beside); i++) {
        put("net/udp", beside[i]);
        assert_only(*state, FINDING_UDP_PORT_SHARED, "UDP 2968");
    }
    config.address4 = "10.0.0.1"; /* and no multicast */
    config.multicast = false;
    put_groups(all_hosts, all_hosts);
    for (size_t i = 0; i < COUNT_OF(beside); i++) {
        put("net/udp", beside[i]);
        examine(*state);
        for (size_t k = 0; k < found_count; k++)
            assert_int_not_equal(found[k].id, FINDING_UDP_PORT_SHARED);
    }
    put("net/udp", HEAD UDP_ROW("4711") UDP_ROW_AT("0100000A", "99")); /* 10.0.0.1 */
    assert_found(*state, FINDING_UDP_PORT_SHARED, "UDP 2968");
    put("net/udp", HEAD UDP_ROW("4711"));
    put("net/udp6", HEAD UDP6_ROW_AT("000000FD000000000000000005000000", "99")); /* fd00::5 */
    examine(*state);
    for (size_t k = 0; k < found_count; k++)
        assert_int_not_equal(found[k].id, FINDING_UDP_PORT_SHARED);
    /* ::ffff:10.0.0.1 is 10.0.0.1 */
    put("net/udp6", HEAD UDP6_ROW_AT("0000000000000000FFFF00000100000A", "99"));
    assert_found(*state, FINDING_UDP_PORT_SHARED, "UDP 2968");
}

/* Nobody registers at an address of IPv6, which no answer can tell: that is said, and nothing else is wrong. */
static void only_ipv6(void **state)
{
    config.address4 = "";
    config.address6 = "::";
    put("net/udp", HEAD);
    put_groups(all_hosts, all_hosts);
    put("net/tcp6", HEAD TCP6_ROW("4712"));
    assert_found(*state, FINDING_ADDRESS_LOOPBACK_ONLY, "this computer");
    assert_string_equal(addresses(), "");
    add_address("eth0", "fe80::1", 0);
    assert_found(*state, FINDING_ADDRESS_LOOPBACK_ONLY, "this computer");
    add_address("eth0", "fd00::5", 0);
    assert_only(*state, FINDING_REGISTRATION_NEEDS_IPV4, "::");
    assert_string_equal(addresses(), "eth0 fd00::5;");
    config.interfaces = "eth0"; /* names that no panel sees: their IPv4 does not matter */
    facts.address_count = 1;    /* lo */
    facts.interfaces[1].has_multicast = false;
    add_address("eth0", "fd00::5", 0);
    assert_only(*state, FINDING_REGISTRATION_NEEDS_IPV4, "::");
    assert_string_equal(addresses(), "eth0 fd00::5;");
    config.interfaces = "";
    put("net/tcp6", HEAD); /* the socket of IPv4 does not count */
    assert_found(*state, FINDING_TCP_PORT_NOT_HELD, "TCP 2968");
}

/* It listens at both families, but its computer has no IPv4. */
static void no_ipv4_there(void **state)
{
    config.address6 = "::";
    facts.address_count = 1; /* lo */
    put_groups(all_hosts, all_hosts);
    assert_says(assert_only(*state, FINDING_ADDRESS_LOOPBACK_ONLY, "this computer"),
                "of IPv4 or IPv6.");
    add_address("eth0", "fd00::5", 0);
    assert_says(assert_only(*state, FINDING_ADDRESS_NO_IPV4, "this computer"), "of IPv4; there");
    assert_string_equal(addresses(), "eth0 fd00::5;");
    config.interfaces = "eth0";
    assert_says(assert_only(*state, FINDING_INTERFACE_NO_ADDRESS, "eth0"),
                "no IPv4 address, only IPv6.");
    add_address("eth0", "10.0.0.1", 0xffffff00);
    put_groups(group, all_hosts);
    assert_well(*state);
    assert_string_equal(addresses(), "eth0 10.0.0.1;");
}

/* An address can be written in many ways, and is one. */
static void addresses_are_compared_as_numbers(void **state)
{
    static const char *const same[] = { "fd00::2", "FD00::2", "fd00:0::2", "fd00:0:0:0:0:0:0:2" };

    add_address("eth0", "fd00::2", 0);
    add_address("eth0", "fe80::1", 0);
    add_address("eth1", "fe80::2", 0);
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        config.address6 = same[i];
        assert_well(*state);
    }
    config.address6 = "fe80::1%eth0";
    assert_well(*state);
    config.address6 = "fe80::1%eth1"; /* of another interface */
    assert_only(*state, FINDING_ADDRESS_GONE, "fe80::1%eth1");
    config.address6 = "fd00::3";
    assert_only(*state, FINDING_ADDRESS_GONE, "fd00::3");
    put("net/tcp6", HEAD TCP6_ROW("4712"));
    config.address4 = "";
    config.address6 = "FE80::1%eth0"; /* no DHCP server gives such */
    assert_only(*state, FINDING_REGISTRATION_NEEDS_IPV4, "FE80::1%eth0");
    assert_string_equal(addresses(), "eth0 fe80::1%eth0;");
}

/* --- multicast -------------------------------------------------------------------------------------------- */

static void multicast(void **state)
{
    put_groups(group, all_hosts);
    assert_says(assert_only(*state, FINDING_MULTICAST_NOT_JOINED, "eth1"), "on eth1.");
    facts.interfaces[2].has_multicast = false; /* a tunnel: others are there */
    assert_well(*state);
    facts.interfaces[1].has_multicast = false;
    assert_only(*state, FINDING_MULTICAST_NOWHERE, "this computer");
    config.multicast = false;
    assert_only(*state, FINDING_MULTICAST_OFF, "devices");
}

/* --- names for panels ------------------------------------------------------------------------------------- */

/* eth1 beside eth0 in one network, as panels want it. */
static void have_names(void)
{
    config.interfaces = "eth0, eth1";
    facts.address_count = 2;
    add_address("eth1", "10.0.0.2", 0xffffff00);
    put("net/udp", HEAD UDP_ROW("4711") UDP_ROW("4714"));
    put("net/tcp", HEAD TCP_ROW("0A", "4712") TCP_ROW("0A", "4715"));
    put_link("self", "5", "socket:[4714]");
    put_link("self", "6", "socket:[4715]");
    put_switches("eth0", "1\n", "2\n", "2\n");
    put_switches("eth1", "1\n", "2\n", "2\n");
}

static void interfaces_with_names(void **state)
{
    have_names();
    assert_well(*state);
    assert_string_equal(addresses(), "eth0 10.0.0.1;eth1 10.0.0.2;");
    facts.interfaces[2].has_multicast = false;
    assert_only(*state, FINDING_INTERFACE_NO_MULTICAST, "eth1");
    facts.interfaces[2].has_multicast = true;
    facts.address_count = 2;
    assert_only(*state, FINDING_INTERFACE_NO_ADDRESS, "eth1");
    assert_string_equal(found[0].cure, "ip addr add ADDRESS/PREFIX dev eth1");
    facts.interfaces[2].is_up = false;
    assert_only(*state, FINDING_INTERFACE_DOWN, "eth1");
    config.interfaces = "eth0,pj7";
    put("net/udp", HEAD UDP_ROW("4711")); /* one interface, one socket: that is said once */
    put("net/tcp", HEAD TCP_ROW("0A", "4712"));
    assert_only(*state, FINDING_INTERFACE_MISSING, "pj7");
}

static void ports_of_names(void **state)
{
    have_names();
    put("net/tcp", HEAD TCP_ROW("0A", "4712"));
    assert_says(assert_only(*state, FINDING_TCP_PORT_NOT_HELD, "TCP 2968"),
                "on 1 of 2 interfaces.");
    put("net/tcp", HEAD TCP_ROW("0A", "4712") TCP_ROW("0A", "4799"));
    assert_says(assert_only(*state, FINDING_TCP_PORT_NOT_HELD, "TCP 2968"),
                "on 1 of 2 interfaces; another program (of user id 998) holds it as well.");
}

static void switches_of_the_kernel(void **state)
{
    have_names();
    put_switches("eth1", "0\n", "2\n", "2\n");
    assert_says(assert_only(*state, FINDING_INTERFACE_ARP_IGNORE, "eth1"),
                "eth1 shares a network with eth0, and its arp_ignore is 0.");
    assert_true(text_starts_with(found[0].cure, "sysctl -w net/ipv4/conf/eth1/arp_ignore=1,"));
    put_switches("all", "1\n", "0\n", "0\n"); /* the larger one counts */
    assert_well(*state);
    put_switches("eth1", "1\n", "1\n", "2\n");
    assert_only(*state, FINDING_INTERFACE_ARP_ANNOUNCE, "eth1");
    put_switches("eth1", "1\n", "2\n", "1\n");
    assert_says(assert_only(*state, FINDING_INTERFACE_RP_FILTER, "eth1"), "rp_filter is 1");
    put_switches("eth1", "1\n", "2\n", "0\n");
    assert_well(*state);
    put_switches("all", "0\n", "0\n", "0\n");
    put_switches("eth1", "0\n", "0\n", "1\n");
    examine(*state);
    assert_int_equal(found_count, 3);
    facts.addresses[2].at.bytes[2] = 5; /* 10.0.5.2: no network is shared */
    assert_well(*state);
    facts.addresses[2].at.bytes[2] = 0;
    config.interfaces = ""; /* one name for all: nobody minds */
    put("net/udp", HEAD UDP_ROW("4711"));
    put("net/tcp", HEAD TCP_ROW("0A", "4712"));
    assert_well(*state);
}

#endif
