/* tests/unit/doctor-house.h - a server for the doctor to look at: a tree like /proc, a data folder, a store; and
 * asserts about what it finds. */
#ifndef PLATEN_TESTS_UNIT_DOCTOR_HOUSE_H
#define PLATEN_TESTS_UNIT_DOCTOR_HOUSE_H

#include "monitor/doctor-inside.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "store/spool.h"
#include "tests/unit/store-fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { DAY_MS = 24 * 3600 * 1000 };

static Wall today; /* when the test began */

static Finding found[64];
static size_t found_count;
static bool was_true[FINDING_MAX_]; /* in some test, alone */

static inline void note(void *arg, const Finding *finding)
{
    (void)arg;
    assert_true(found_count < COUNT_OF(found));
    found[found_count++] = *finding;
}

/* --- a tree like /proc --------------------------------------------------------------------------------- */

static char proc[80], data[80], program[96];

static inline void put_file(const char *folder, const char *name, const char *text)
{
    char path[256];

    (void)text_printf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    (void)unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline void put(const char *name, const char *text)
{
    put_file(proc, name, text);
}

/* A descriptor of a process. */
static inline void put_link(const char *pid, const char *number, const char *target)
{
    char name[64], path[256];

    (void)text_printf(name, sizeof name, "%s/fd/x", pid);
    put(name, ""); /* makes the folders */
    (void)text_printf(path, sizeof path, "%s/%s/fd/%s", proc, pid, number);
    (void)unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

static inline void take_away(const char *name)
{
    char path[256];

    (void)text_printf(path, sizeof path, "%s/%s", proc, name);
    assert_int_equal(unlink(path), 0);
}

/* As Linux 6.1 prints them. */
#define HEAD                                                                                      \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout " \
    "inode\n"
#define UDP_ROW(inode)                                                                          \
    "  12: 00000000:0B98 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        " \
    "0 " inode " 2 0 0\n"
/* At an address as the kernel prints it: "0100007F" is 127.0.0.1. */
#define UDP_ROW_AT(address, inode)                                                                 \
    "  12: " address ":0B98 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        " \
    "0 " inode " 2 0 0\n"
#define UDP6_ROW_AT(address, inode)                                    \
    "  12: " address ":0B98 00000000000000000000000000000000:0000 07 " \
    "00000000:00000000 00:00000000 00000000  1000        0 " inode " 2 0 0\n"
#define TCP_ROW(state, inode)                  \
    "   0: 00000000:0B98 00000000:0000 " state \
    " 00000000:00000000 00:00000000 00000000   998        0 " inode " 1 0 0\n"
#define TCP6_ROW(inode)                                                                     \
    "   0: 00000000000000000000000000000000:0B98 00000000000000000000000000000000:0000 0A " \
    "00000000:00000000 00:00000000 00000000   998        0 " inode " 1 0 0\n"
#define UDP6_ROW(inode)                                                                     \
    "  12: 00000000000000000000000000000000:0B98 00000000000000000000000000000000:0000 07 " \
    "00000000:00000000 00:00000000 00000000  1000        0 " inode " 2 0 0\n"

static const uint32_t group = 0xeffffffd, all_hosts = 0xe0000001;

static inline void put_groups(uint32_t first, uint32_t second)
{
    char text[512];

    (void)snprintf(text, sizeof text,
                   "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
                   "1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"
                   "2\teth0      :     2      V3\n\t\t\t\t%08X     1 0:00000000\t\t0\n"
                   "\t\t\t\t010000E0     1 0:00000000\t\t0\n"
                   "3\teth1      :     1      V3\n\t\t\t\t%08X     1 0:00000000\t\t0\n",
                   htonl(first), htonl(second));
    put("net/igmp", text);
}

static inline void put_switches(const char *interface, const char *ignore, const char *announce,
                                const char *filter)
{
    char path[96];

    (void)text_printf(path, sizeof path, "sys/net/ipv4/conf/%s/arp_ignore", interface);
    put(path, ignore);
    (void)text_printf(path, sizeof path, "sys/net/ipv4/conf/%s/arp_announce", interface);
    put(path, announce);
    (void)text_printf(path, sizeof path, "sys/net/ipv4/conf/%s/rp_filter", interface);
    put(path, filter);
}

static inline void put_mount(const char *type, const char *options)
{
    char text[512];

    (void)snprintf(text, sizeof text,
                   "20 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=continue\n"
                   "21 20 0:5 / /dev rw shared:2 - devtmpfs udev rw\n"
                   "22 20 254:1 / /tmp rw,noatime - %s source %s\n"
                   "23 20 254:1 / /tmp/platen rw - tmpfs beside rw\n"
                   "24 20 254:1 / /tmp/a\\040b rw - tmpfs beside rw\n",
                   type, options);
    put("self/mountinfo", text);
}

/* --- a server that is well ------------------------------------------------------------------------------ */

static Spool *spool;

/* The spool in the data folder, which leaves so many bytes of the disk alone. */
static inline void have_reserve(int64_t bytes)
{
    char path[96];
    Err err;

    spool_close(spool);
    (void)text_printf(path, sizeof path, "%s/spool", data);
    spool = spool_open(path, 1, bytes, &err);
    assert_non_null(spool);
}

static DoctorProgram programs[] = { { program, "" }, { program, "smb" } };
static DoctorConfig config;
static DoctorFacts facts;

static inline void add_address(const char *interface, const char *text, uint32_t mask)
{
    InterfaceAddress from = { .is_v6 = strchr(text, ':') != NULL, .mask = mask };

    assert_int_equal(inet_pton(from.is_v6 ? AF_INET6 : AF_INET, text, from.bytes), 1);
    (void)text_copy(from.interface, sizeof from.interface, interface);
    doctor_address(&from, &facts.addresses[facts.address_count++]);
}

/* Two interfaces in networks of their own. */
static inline void be_well(void)
{
    today = wall_now();
    config = (DoctorConfig){ .udp_port = 2968,
                             .tcp_port = 2968,
                             .address4 = "0.0.0.0",
                             .address6 = "",
                             .interfaces = "",
                             .multicast = true,
                             .data_path = data,
                             .spool = spool,
                             .programs = programs,
                             .program_count = COUNT_OF(programs) };
    facts = (DoctorFacts){
        .config = &config,
        .proc_path = proc,
        .interfaces = { { .name = "lo", .is_up = true, .is_loopback = true },
                        { .name = "eth0", .is_up = true, .has_multicast = true },
                        { .name = "eth1", .is_up = true, .has_multicast = true },
                        { .name = "eth2", .has_multicast = true } /* down: nobody needs it */ },
        .interface_count = 4,
        .user = (unsigned)geteuid(),
        .certificate = { .is_on = true,
                         .path = "/etc/platen/tls.pem",
                         .key_path = "/etc/platen/tls.key",
                         .valid_from = { today.ms - DAY_MS },
                         .valid_until = { today.ms + 100LL * DAY_MS },
                         .is_in_use = true },
        .now = today,
        .built = { today.ms - DAY_MS },
    };
    add_address("lo", "127.0.0.1", 0xff000000);
    add_address("eth0", "10.0.0.1", 0xffffff00);
    add_address("eth1", "10.0.1.1", 0xffffff00);
    programs[0].path = programs[1].path = program;
    put("net/udp", HEAD UDP_ROW("4711"));
    put("net/udp6", HEAD);
    put("net/tcp", HEAD TCP_ROW("0A", "4712") TCP_ROW("01", "4713"));
    put_link("self", "3", "socket:[4711]");
    put_link("self", "4", "socket:[4712]");
    put_groups(group, group);
    put_switches("all", "0\n", "0\n", "0\n");
    put_switches("eth0", "0\n", "0\n", "0\n");
    put_switches("eth1", "0\n", "0\n", "0\n");
    put_mount("ext4", "rw,errors=remount-ro");
    put_file(data, "master.key", "");
    (void)text_printf(program, sizeof program, "%s/master.key", data);
    assert_int_equal(chmod(program, 0400), 0);
    (void)text_copy(program, sizeof program, "/bin/sh");
}

static inline void examine(Fixture *f)
{
    found_count = 0;
    doctor_examine(&facts, fixture_db(f), note, NULL);
}

static inline void assert_well(Fixture *f)
{
    examine(f);
    if (found_count > 0)
        fail_msg("a finding: %s: %s", finding_kinds[found[0].id].name, found[0].what);
}

/* This finding among others. */
static inline const Finding *assert_found(Fixture *f, FindingId id, const char *where)
{
    examine(f);
    for (size_t i = 0; i < found_count; i++)
        if (found[i].id == id && text_equal(found[i].where, where)) {
            was_true[id] = true;
            return &found[i];
        }
    fail_msg("no finding %s at %s among %zu", finding_kinds[id].name, where, found_count);
    return NULL;
}

/* The only finding. It is gone when all is well again. */
static inline const Finding *assert_only(Fixture *f, FindingId id, const char *where)
{
    examine(f);
    for (size_t i = 0; i < found_count; i++)
        if (found[i].id != id)
            fail_msg("another finding: %s: %s", finding_kinds[found[i].id].name, found[i].what);
    if (found_count != 1)
        fail_msg("%zu findings %s", found_count, finding_kinds[id].name);
    assert_string_equal(found[0].where, where);
    assert_true(found[0].what[0] && found[0].cure[0]);
    assert_null(strstr(found[0].cure, "WHERE"));
    was_true[id] = true;
    return &found[0];
}

#define assert_says(finding, words)                                     \
    do {                                                                \
        const Finding *it_ = (finding);                                 \
        if (!strstr(it_->what, words))                                  \
            fail_msg("\"%s\" does not say \"%s\"", it_->what, (words)); \
    } while (0)

static inline int set_up(void **state)
{
    Fixture *f;

    assert_int_equal(fixture_set_up(state), 0);
    f = *state;
    (void)text_printf(proc, sizeof proc, "%s/proc", f->folder);
    (void)text_printf(data, sizeof data, "%s/data", f->folder);
    assert_int_equal(mkdir(proc, 0700), 0);
    assert_int_equal(mkdir(data, 0700), 0);
    have_reserve(1);
    be_well();
    assert_well(f);
    return 0;
}

static inline int tear_down(void **state)
{
    spool_close(spool);
    spool = NULL;
    return fixture_tear_down(state);
}

#endif
