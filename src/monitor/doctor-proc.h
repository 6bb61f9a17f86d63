/* monitor/doctor-proc.h - inside of monitor: what the kernel tells below /proc. proc: "/proc". */
#ifndef PLATEN_MONITOR_DOCTOR_PROC_H
#define PLATEN_MONITOR_DOCTOR_PROC_H

#include "model/device-address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PortHolders {
    unsigned ours;   /* sockets of the wanted family                                    */
    unsigned others; /* somebody else's, that get what is sent to the wanted address     */
    char other[96];  /* who has one of the others, in words; "" = there is none */
} PortHolders;

typedef struct PortWish {
    bool is_tcp;
    DeviceAddress at; /* all bytes 0: any address of the family */
    uint16_t port;
} PortWish;

/* Who holds a port; of TCP only sockets that listen. Others count when they are bound to the same address, to any, or,
 * while any is wanted, to one that is reached from outside. False when that cannot be seen. */
bool proc_port_holders(const char *proc, const PortWish *wish, PortHolders *ret);

/* Whether the group (host order) is joined on the interface, by whomever. False when that cannot be seen. */
bool proc_is_joined(const char *proc, const char *interface_name, uint32_t group, bool *ret_joined);

/* net.ipv4.conf.INTERFACE.name, or that of "all" when it is larger, as the kernel takes it for arp_ignore,
 * arp_announce and rp_filter; -1: it cannot be seen. */
int proc_setting(const char *proc, const char *interface_name, const char *name);

/* The file system that a path (absolute, without links) is on. */
typedef struct ProcMount {
    char type[32];     /* "ext4" */
    char options[512]; /* of the mount and of the file system: "rw,noatime,rw,errors=continue" */
} ProcMount;
bool proc_mount_of(const char *proc, const char *path, ProcMount *ret);

#endif
