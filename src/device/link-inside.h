/* device/link-inside.h - the fields of a device link. Private to device-link.c, link-press.c,
 * link-job.c, link-scan.c and link-tap.c. */
#ifndef PLATEN_DEVICE_LINK_INSIDE_H
#define PLATEN_DEVICE_LINK_INSIDE_H

#include "device/device-link.h"
#include "device/job-session.h"
#include "device/push-session.h"
#include "device/register-session.h"
#include "device/scan-session.h"
#include "net/tcp.h"
#include "net/udp.h"

typedef struct LinkJob LinkJob;

struct DevicePress {
    DeviceLink *link;
    DevicePress *next; /* in link->presses, youngest first          */
    TcpStream *stream; /* NULL: the panel is gone, the host still has to answer */
    LoopTimer *timer;
    PushSession session;
    NetAddress peer, local; /* local: our address that was reached */
    unsigned door;
    bool held_by_host;
    LinkJob *job; /* job control that runs for it */
};

/* Job control at the device of a press. */
struct LinkJob {
    DevicePress *press;
    TcpStream *stream;
    LoopTimer *timer;
    JobSession session;
    DeviceTalkFn *done;
    void *arg;
    const char *lost_code;
    int connect_error; /* errno of the connection that was not made, else 0 */
    bool waits;        /* for an inquiry of ours that gives way, to connect */
    DeviceReach reach;
};

struct DeviceScan {
    DeviceLink *link;
    DeviceScan *next;  /* in link->scans                            */
    TcpStream *stream; /* NULL: not made, or closed                 */
    LoopTimer *timer;
    ScanSession *session;
    ScanOrder order;
    ScanTraits traits;
    void *scan_arg;
    const char *lost_code; /* set: the stream has ended, the session must hear it */
    bool paused;
    int connect_error;        /* errno of the connection that was not made, else 0 */
    NetAddress device, local; /* local: from there, when has_local */
    bool has_local;
    DeviceReach reach;
    bool heard;             /* the device has said something                        */
    unsigned connects_left; /* a connection that is refused is tried so often again */
    Mono connect_at;        /* when it is tried again, else MONO_NEVER              */
    struct DeviceAsk
        *ask; /* it is an inquiry and no scan (link-ask.c); the host hears nothing of it */
};

/* One interface, or all of them when its name is "": its registrations and presses. */
typedef struct LinkDoor {
    DeviceLink *link;
    unsigned number;
    char interface[DEVICE_INTERFACE_SIZE];
    uint32_t index; /* of the interface when the sockets were opened */
    UdpSocket *udp;
    TcpListener *listener, *listener6;
    LoopTimer *answer_timer;
    RegisterSession registrations;
} LinkDoor;

struct DeviceLink {
    Loop *loop;
    TlsContext *tls, *old_tls;
    DeviceHost host;
    void *arg;
    NetAddress bind, bind6; /* of IPv4 and IPv6; port 0; NET_NONE: not heard there */
    uint16_t scan_port;
    const QuirkBook *quirks;
    uint16_t udp_port, tcp_port; /* as configured */
    bool multicast;
    int64_t interfaces_check_ms;
    LinkDoor *doors;
    unsigned door_count;
    LoopTimer *join_timer;
    char name[SLP_NAME_SIZE];
    DevicePress *presses;
    DeviceScan *scans;
    unsigned press_count, scan_count, ask_count;
    uint32_t connections; /* made since the start, for traces */
};

/* Opens the sockets of a door whose interface is there. */
bool link_door_open(LinkDoor *door, Err *err);
void link_door_close(LinkDoor *door);
/* Where presses come in; 0: it is closed. */
uint16_t link_door_port(const LinkDoor *door);
/* Joins the group; opens a door anew whose interface went and came back. */
void link_door_refresh(LinkDoor *door);

/* A connection to TCP 2968 was accepted; arg is the door. */
void link_press_accepted(void *arg, TcpStream *stream_take);
void link_press_free(DevicePress *press);

/* Ends job control at once, without a word to the host. Accepts NULL. */
void link_job_free(LinkJob *job);

/* Starts a scan at the device, from this address of ours (NULL: that of the link); NULL when there are too
 * many or memory is gone. Without scan_arg it is an inquiry, which does not try a refused connection again. */
DeviceScan *link_scan_new(DeviceLink *link, const NetAddress *device, const NetAddress *from,
                          const DeviceReach *reach, const ScanOrder *order, void *scan_arg);
/* Cuts the scan with a reason of device/scan-reason.h. */
void link_scan_end(DeviceScan *scan, const char *code);
/* Cuts the scan and tells the host that the server stops. */
void link_scan_cut(DeviceScan *scan);

/* True as long as an inquiry of ours has a connection to the device, or makes one: many devices have but one session. It is
 * told to give way, and does within ASK_GOODBYE_MS; who calls comes again after ASK_LOOK_MS. */
enum { ASK_GOODBYE_MS = 1500, ASK_LOOK_MS = 50 };
bool link_ask_gives_way(DeviceLink *link, const NetAddress *device);

/* Of an inquiry: it is connected; what the session learned; it is over and its DeviceScan gone. */
void link_ask_reached(struct DeviceAsk *ask);
void link_ask_connected(struct DeviceAsk *ask);
void link_ask_identified(struct DeviceAsk *ask, const DeviceIdentity *identity);
void link_ask_ended(struct DeviceAsk *ask, int connect_error, const Reason *reason);

/* How a connection to a device is made. */
typedef struct LinkReach {
    DeviceChannel channel;
    const NetAddress *device, *local; /* local NULL: any address of ours */
    const DeviceReach *reach;
    Mono deadline;
    size_t queue_bytes;
} LinkReach;

/* Connects to a device as it has to be reached. NULL: failed at once, err says why. */
TcpStream *link_connect(DeviceLink *link, const LinkReach *how, const TcpEvents *events, void *arg,
                        Err *err);

/* Tells the host all that goes over a connection (link-tap.c), from now on. is_up: it is connected already. Without
 * memory nothing is told. */
void link_tap(DeviceLink *link, DeviceChannel channel, TcpStream *stream, bool is_up);
/* The same of a connection that could not be begun, and of a datagram. */
void link_tell_failed(DeviceLink *link, const LinkReach *how, const Err *err);
void link_tell_datagram(DeviceLink *link, const NetAddress *device, bool from_device, Bytes bytes);

/* The code of the reason why a connection to a device that is reached so ended. */
const char *link_end_code(TcpEnd end, const DeviceReach *reach);

/* A device that spoke TLS before has hung up in the handshake, or answered something else. */
bool link_tls_cut(TcpEnd end, const Err *err, const DeviceReach *reach);

/* What to connect from: the one address we have in the family of the device, else from (NULL: any). */
const NetAddress *link_local_address(const DeviceLink *link, const NetAddress *device,
                                     const NetAddress *from);

#endif
