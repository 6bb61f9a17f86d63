/* monitor/doctor-proc.c - see doctor-proc.h. */
#include "monitor/doctor-proc.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PROC_BYTES_MAX = 8 * 1024 * 1024, /* ten thousands of sockets */
    LINE_SIZE = 2048,
    SOCKETS_MAX = 128,
    LINK_SIZE = 64,
};

static bool proc_read(const char *proc, const char *name, Buf *to)
{
    char path[PATH_TEXT_SIZE];
    Err ignored;

    return text_printf(path, sizeof path, "%s/%s", proc, name) &&
           file_read_whole(AT_FDCWD, path, to, &ignored) && buf_text(to) != NULL;
}

/* --- lines and words ------------------------------------------------------------------------------------- */

/* The line at *at, without its end, moves behind it; false at the end of the text. */
static bool next_line(const char **at, char *line, size_t size)
{
    size_t n = strcspn(*at, "\n");

    if (**at == '\0')
        return false;
    (void)text_copy_bytes(line, size, (Bytes){ (const uint8_t *)*at, n });
    *at += n + ((*at)[n] == '\n');
    return true;
}

/* Word number i of a line, from 0; "" when there is none. */
static void word_of(const char *line, unsigned i, char *word, size_t size)
{
    Bytes found = { 0 };
    unsigned words = 0;

    while (words <= i && text_next_word(&line, " \t\n", &found))
        words++;
    (void)text_copy_bytes(word, size, words > i ? found : (Bytes){ 0 });
}

/* --- ports ------------------------------------------------------------------------------------------------ */

/* Sockets that hold the port. */
typedef struct Sockets {
    char links[SOCKETS_MAX][LINK_SIZE]; /* "socket:[4711]" */
    char users[SOCKETS_MAX][16];        /* id of the user  */
    DeviceAddress at[SOCKETS_MAX];      /* that it is bound to */
    bool own[SOCKETS_MAX];
    size_t count;
} Sockets;

/* "0100007F" is 127.0.0.1: each four bytes are printed as one number of this computer's order. */
static DeviceAddress read_bound(const char *word, bool v6)
{
    static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    DeviceAddress at = { .is_v6 = v6 };
    char digits[9] = "";

    for (size_t i = 0; i < (v6 ? ADDRESS_BYTES : 4u); i += 4) {
        if (!text_copy_bytes(digits, sizeof digits, (Bytes){ (const uint8_t *)word + 2 * i, 8 }))
            break;
        uint32_t number = (uint32_t)strtoul(digits, NULL, 16);
        memcpy(at.bytes + i, &number, sizeof number);
    }
    if (v6 && memcmp(at.bytes, mapped, sizeof mapped) == 0) {
        at.is_v6 = false;
        memmove(at.bytes, at.bytes + sizeof mapped, 4);
        memset(at.bytes + 4, 0, ADDRESS_BYTES - 4);
    }
    return at;
}

static bool is_any(const DeviceAddress *at)
{
    static const uint8_t none[ADDRESS_BYTES];

    return memcmp(at->bytes, none, sizeof none) == 0;
}

/* What is sent to the loopback interface only is no device's. A socket at :: may take IPv4 as well: whether it does is
 * not told here. */
static bool overlaps(const DeviceAddress *other, const DeviceAddress *wanted)
{
    if (is_any(other))
        return other->is_v6 || !wanted->is_v6;
    if (other->is_v6 != wanted->is_v6)
        return false;
    return memcmp(other->bytes, wanted->bytes, ADDRESS_BYTES) == 0 ||
           (is_any(wanted) && !device_address_is_loopback(other));
}

/* Columns of /proc/net/udp and tcp: number, local address:port, remote, state, queues, timer, retransmits,
 * user, time-out, inode (Linux, net/ipv4/udp.c and tcp_ipv4.c). */
static bool collect_sockets(const char *proc, const PortWish *wish, bool v6, Sockets *sockets)
{
    enum { COLUMN_LOCAL = 1, COLUMN_STATE = 3, COLUMN_USER = 7, COLUMN_INODE = 9 };
    static const char state_listen[] = "0A";
    AUTO_BUF text = buf_with_max(PROC_BYTES_MAX);
    char line[LINE_SIZE], word[LINK_SIZE], wanted[8], table[16];

    (void)text_printf(table, sizeof table, "net/%s%s", wish->is_tcp ? "tcp" : "udp", v6 ? "6" : "");
    if (!proc_read(proc, table, &text))
        return false;
    (void)text_printf(wanted, sizeof wanted, ":%04X", wish->port);
    for (const char *at = buf_text(&text); next_line(&at, line, sizeof line);) {
        word_of(line, COLUMN_LOCAL, word, sizeof word);
        if (!text_ends_with(word, wanted) || sockets->count == SOCKETS_MAX)
            continue;
        word_of(line, COLUMN_STATE, word, sizeof word);
        if (wish->is_tcp && !text_equal(word, state_listen))
            continue;
        size_t i = sockets->count++;
        word_of(line, COLUMN_LOCAL, word, sizeof word);
        sockets->at[i] = read_bound(word, v6);
        word_of(line, COLUMN_USER, sockets->users[i], sizeof sockets->users[i]);
        word_of(line, COLUMN_INODE, word, sizeof word);
        (void)text_printf(sockets->links[i], LINK_SIZE, "socket:[%.40s]", word);
    }
    return true;
}

/* Calls each for every descriptor of a process that is one of the sockets. False when it may not be looked at. */
static bool find_in_process(const char *proc, const char *pid, Sockets *sockets, bool mark,
                            bool *ret_has)
{
    char path[PATH_TEXT_SIZE], link[LINK_SIZE];

    (void)text_printf(path, sizeof path, "%s/%s/fd", proc, pid);
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        ssize_t n = readlinkat(dirfd(folder), e->d_name, link, sizeof link - 1);

        link[n > 0 ? n : 0] = '\0';
        for (size_t i = 0; i < sockets->count; i++)
            if (text_equal(sockets->links[i], link) && (mark || !sockets->own[i])) {
                *ret_has = true;
                sockets->own[i] = sockets->own[i] || mark;
            }
    }
    closedir(folder);
    return true;
}

/* Those of others that get nothing of what is wanted are no matter. */
static void forget_beside(Sockets *sockets, const DeviceAddress *wanted)
{
    size_t left = 0;

    for (size_t i = 0; i < sockets->count; i++) {
        if (!sockets->own[i] && !overlaps(&sockets->at[i], wanted))
            continue;
        memmove(sockets->links[left], sockets->links[i], sizeof sockets->links[i]);
        memmove(sockets->users[left], sockets->users[i], sizeof sockets->users[i]);
        sockets->at[left] = sockets->at[i];
        sockets->own[left++] = sockets->own[i];
    }
    sockets->count = left;
}

/* Whoever has a socket that is not ours. Processes of other users do not show what they have open. */
static bool find_other(const char *proc, Sockets *sockets, char ret_pid[16])
{
    char own[LINK_SIZE] = "", path[PATH_TEXT_SIZE];
    DIR *folder = opendir(proc);
    bool has = false;

    (void)text_printf(path, sizeof path, "%s/self", proc);
    ssize_t n = readlink(path, own, sizeof own - 1);
    own[n > 0 ? n : 0] = '\0';
    for (struct dirent *e = folder ? readdir(folder) : NULL; e && !has; e = readdir(folder)) {
        if (!isdigit((unsigned char)e->d_name[0]) || text_equal(e->d_name, own))
            continue;
        (void)find_in_process(proc, e->d_name, sockets, false, &has);
        (void)text_copy(ret_pid, 16, e->d_name);
    }
    if (folder)
        closedir(folder);
    return has;
}

static void name_other(const char *proc, Sockets *sockets, PortHolders *ret)
{
    AUTO_BUF text = buf_with_max(PROC_BYTES_MAX);
    char path[64], pid[16], name[32];

    for (size_t i = 0; i < sockets->count; i++)
        if (!sockets->own[i])
            (void)text_printf(ret->other, sizeof ret->other, "another program (of user id %s)",
                              sockets->users[i]);
    if (!find_other(proc, sockets, pid))
        return;
    (void)text_printf(path, sizeof path, "%s/comm", pid);
    if (!proc_read(proc, path, &text))
        return;
    word_of(buf_text(&text), 0, name, sizeof name);
    (void)text_printf(ret->other, sizeof ret->other, "%s (process %s)", name, pid);
}

bool proc_port_holders(const char *proc, const PortWish *wish, PortHolders *ret)
{
    Sockets sockets = { .count = 0 };
    bool ignored = false;

    *ret = (PortHolders){ 0 };
    if (!collect_sockets(proc, wish, false, &sockets))
        return false;
    (void)collect_sockets(proc, wish, true, &sockets); /* without IPv6 there is no such table */
    if (!find_in_process(proc, "self", &sockets, true, &ignored))
        return false;
    forget_beside(&sockets, &wish->at);
    for (size_t i = 0; i < sockets.count; i++) {
        ret->ours += sockets.own[i] && sockets.at[i].is_v6 == wish->at.is_v6;
        ret->others += !sockets.own[i];
    }
    if (ret->others > 0)
        name_other(proc, &sockets, ret);
    return true;
}

/* --- networks ----------------------------------------------------------------------------------------------- */

/* /proc/net/igmp: a line "2 eth0 : 1 V3" per interface, and an indented one per group, as the kernel has it in
 * memory: "FDFFFFEF 1 0:00000000 0" (Linux, net/ipv4/igmp.c). */
bool proc_is_joined(const char *proc, const char *interface_name, uint32_t group, bool *ret_joined)
{
    AUTO_BUF text = buf_with_max(PROC_BYTES_MAX);
    char line[LINE_SIZE], word[32], wanted[16];
    bool here = false;

    if (!proc_read(proc, "net/igmp", &text))
        return false;
    *ret_joined = false;
    (void)text_printf(wanted, sizeof wanted, "%08X", htonl(group));
    for (const char *at = buf_text(&text); next_line(&at, line, sizeof line);) {
        bool is_interface = isdigit((unsigned char)line[0]);

        word_of(line, is_interface ? 1 : 0, word, sizeof word);
        if (is_interface) {
            word[strcspn(word, ":")] = '\0'; /* long names touch the colon */
            here = text_equal(word, interface_name);
        } else if (here && text_equal(word, wanted)) {
            *ret_joined = true;
        }
    }
    return true;
}

static int read_setting(const char *proc, const char *interface_name, const char *name)
{
    AUTO_BUF text = buf_with_max(PROC_BYTES_MAX);
    char path[128], word[16];
    int64_t value;

    if (!text_printf(path, sizeof path, "sys/net/ipv4/conf/%s/%s", interface_name, name) ||
        !proc_read(proc, path, &text))
        return -1;
    word_of(buf_text(&text), 0, word, sizeof word);
    return text_to_int(word, 0, INT32_MAX, &value) ? (int)value : -1;
}

int proc_setting(const char *proc, const char *interface_name, const char *name)
{
    int own = read_setting(proc, interface_name, name), all = read_setting(proc, "all", name);

    return own < 0 ? -1 : own > all ? own : all;
}

/* --- file systems ------------------------------------------------------------------------------------------- */

/* "\040" and the like of mountinfo become the characters they stand for. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; to++) {
        bool is_code = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                       from[2] <= '7' && from[3] >= '0' && from[3] <= '7';

        *to = is_code ? (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0') : *from;
        from += is_code ? 4 : 1;
    }
    *to = '\0';
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 &&
           (path[n] == '\0' || path[n] == '/' || (n > 0 && folder[n - 1] == '/'));
}

/* proc_pid_mountinfo(5): id, parent, device, root, mount point, options, optional words, "-", type, source, options
 * of the file system. Of two at one place the later one covers the other. */
bool proc_mount_of(const char *proc, const char *path, ProcMount *ret)
{
    enum { COLUMN_POINT = 4, COLUMN_OPTIONS = 5 };
    AUTO_BUF text = buf_with_max(PROC_BYTES_MAX);
    char line[LINE_SIZE], point[PATH_TEXT_SIZE], own[256], whole[256];
    size_t best = 0;

    if (!proc_read(proc, "self/mountinfo", &text))
        return false;
    for (const char *at = buf_text(&text); next_line(&at, line, sizeof line);) {
        const char *rest = strstr(line, " - ");

        word_of(line, COLUMN_POINT, point, sizeof point);
        unescape(point);
        if (!rest || !is_below(path, point) || strlen(point) < best)
            continue;
        best = strlen(point);
        rest += strlen(" - ");
        word_of(line, COLUMN_OPTIONS, own, sizeof own);
        word_of(rest, 0, ret->type, sizeof ret->type);
        word_of(rest, 2, whole, sizeof whole);
        (void)text_printf(ret->options, sizeof ret->options, "%s,%s", own, whole);
    }
    return best > 0;
}
