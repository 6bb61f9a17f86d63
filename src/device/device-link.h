/* device/device-link.h - the server's side of the link to devices: sessions bound to sockets.
 *
 * One DeviceLink per server, on the loop thread. It answers registrations (UDP 2968), takes presses
 * of Start (TCP 2968) and runs scans (it connects to the device's TCP 1865). It decides nothing and
 * stores nothing: the host (scan/) says which presses become scans and keeps the pages.
 *
 *   seen, shows                                   a device asked for our name
 *   list_asked -> (device_press_talk ->)          a device asked for our jobs
 *                 device_press_list, or refuse
 *   pressed -> device_press_refuse                the panel shows an error
 *           -> (device_press_talk ->)
 *              device_press_accept                the panel shows success and the scan begins:
 *   device_scan_start                             a scan begins without a panel:
 *      identified (-> device_scan_refuse), offered, noted, noticed*, warned*
 *                 { page_begin page_bytes* (page_end -> device_scan_page_stored | page_drop) }* ended
 *
 * Callbacks come from the loop, never inside a function the host calls (device_link_close excepted),
 * and may call every function here except device_link_close. */
#ifndef PLATEN_DEVICE_DEVICE_LINK_H
#define PLATEN_DEVICE_DEVICE_LINK_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "device/scan-order.h"
#include "model/device-probe.h"
#include "net/address.h"
#include "net/loop.h"

typedef struct DeviceLink DeviceLink;
typedef struct DevicePress DevicePress; /* what a panel reported, waiting for its answer */
typedef struct DeviceScan DeviceScan;   /* a scan that runs                           */

/* What a registration or press said about the device. Borrowed for the call. */
typedef struct DeviceSighting {
    const char *address; /* numeric, without port */
    const char *product; /* "PID 11D1", "" unknown */
    bool wants_v3;       /* its request is one of version 3 (wire/slp.h) */
    unsigned door;       /* by which of our interfaces it came, from 0; 0 when they are one */
} DeviceSighting;

/* What a device is to see of us. */
enum { DEVICE_SHOWN_SIZE = 64 }; /* that of wire/slp.h */
typedef struct DeviceShown {
    char name[DEVICE_SHOWN_SIZE]; /* preset: the name of the configuration; slp_name_is_plain */
    bool is_v3;                   /* preset: as its request wants it                          */
} DeviceShown;

/* How Start was pressed. Borrowed for the call. */
typedef struct DeviceStart {
    const char *choice; /* PushScanIDIn, "" when absent            */
    int32_t job_number; /* JobNumberIn of version 3, -1 when absent */
} DeviceStart;

/* One job as the panel of a device shows it that offers X-JobList/1. */
typedef struct DeviceListedJob {
    uint16_t number;
    char name[DEVICE_SHOWN_SIZE];
} DeviceListedJob;

/* What job control is about (device/job-session.h). */
typedef enum DeviceTalk { DEVICE_TALK_LIST, DEVICE_TALK_CHOSEN } DeviceTalk;

/* How job control ended; reason is of a failure. */
typedef void DeviceTalkFn(void *arg, bool ok, const Reason *reason);

/* What goes over the wire, for traces: all of it, in clear text also when it is encrypted on the wire. */
typedef enum DeviceChannel {
    DEVICE_CHANNEL_REGISTER, /* UDP 2968, a datagram at a time */
    DEVICE_CHANNEL_PANEL,    /* TCP 2968                       */
    DEVICE_CHANNEL_SCAN,     /* TCP 1865: scans and inquiries  */
    DEVICE_CHANNEL_JOB,      /* TCP 1865: job control          */
    DEVICE_CHANNEL_MAX_
} DeviceChannel;

typedef enum DeviceTrafficKind {
    DEVICE_TRAFFIC_OPENED, /* a connection begins                              */
    DEVICE_TRAFFIC_CONNECTED,
    DEVICE_TRAFFIC_FROM_DEVICE,
    DEVICE_TRAFFIC_TO_DEVICE,
    DEVICE_TRAFFIC_ENDED,  /* by the device, the network, or it was not made   */
    DEVICE_TRAFFIC_CLOSED, /* by us; always the last of a connection           */
    DEVICE_TRAFFIC_MAX_
} DeviceTrafficKind;

/* Borrowed for the call. */
typedef struct DeviceTraffic {
    DeviceTrafficKind kind;
    DeviceChannel channel;
    uint32_t connection; /* counted by the link from 1; 0: a datagram                 */
    const char *address; /* of the device, numeric, without port                      */
    Bytes bytes;         /* in pieces as they come and go                             */
    const char *text;    /* CONNECTED: "TLSv1.3" ..., "" plain; ENDED: how, for people */
} DeviceTraffic;

/* What the host is told. Loop thread; must not wait. */
typedef struct DeviceHost {
    /* A device asked who wants its scans (at most once a second per address). */
    void (*seen)(void *arg, const DeviceSighting *sighting);
    /* A moment later: what it is to see. *shown has the presets. False: nothing, no answer. */
    bool (*shows)(void *arg, const DeviceSighting *sighting, DeviceShown *shown);
    /* A device of version 3 asks for the jobs. names: it offers X-JobList/1, and wants their names.
     * Answered with device_press_list or device_press_refuse; the same times as for a press. */
    void (*list_asked)(void *arg, DevicePress *press, const DeviceSighting *sighting, bool names);
    /* Somebody pressed Start. The host answers with
     * device_press_accept or device_press_refuse, now or later; after DEVICE_PRESS_ANSWER_MS, or when the panel
     * hung up, device_press_accept answers NULL. */
    void (*pressed)(void *arg, DevicePress *press, const DeviceSighting *sighting,
                    const DeviceStart *start);

    /* Of one scan, with the scan_arg given at acceptance. page_bytes of a side ('A', 'B') come in order
     * between page_begin and page_end or page_drop of that side; a front and a back may come at the
     * same time. After page_end the device is asked for nothing more until
     * device_scan_page_stored: that is what "acknowledged" means. */
    void (*identified)(void *scan_arg, const DeviceIdentity *identity);
    /* The device said something beside the scan. notice is a stable word: start, stop (pressed at the panel),
     * cancel, disconnect, time-out, rejected (the scan ends by these and says why), unknown;
     * and of the scan itself: SCAN_NOTICE_WAITS, SCAN_NOTICE_SHEETS. */
    void (*noticed)(void *scan_arg, const char *notice);
    void (*offered)(void *scan_arg, const DeviceOffer *offer);
    /* What is not as the order says; may come twice, then the last one counts. */
    void (*noted)(void *scan_arg, const ScanNotes *notes);
    /* What the device warns of, all of it so far: notes with a warning. May come often, the last one counts. */
    void (*warned)(void *scan_arg, const ScanNotes *warnings);
    void (*page_begin)(void *scan_arg, uint32_t number, char side, PageFormat format);
    void (*page_bytes)(void *scan_arg, char side, Bytes bytes);
    void (*page_end)(void *scan_arg, char side, const PageNotes *notes);
    void (*page_drop)(void *scan_arg, char side); /* the page is incomplete      */
    /* The scan is over and its handle gone. reason: code "" for COMPLETE. */
    void (*ended)(void *scan_arg, ScanEnd end, const Reason *reason);

    /* Of every device, also inside functions the host calls, device_link_close as well; must call nothing here.
     * False for OPENED: nobody wants to know; then nothing more of this connection is told, and it costs nothing. */
    bool (*traffic)(void *arg, const DeviceTraffic *traffic);
} DeviceHost;

typedef struct DeviceLinkConfig {
    const char *address; /* numeric local addresses to listen on, one of each family at most:
                            "0.0.0.0, ::". Registration is heard at that of IPv4 only */
    const char *
        interfaces; /* "eth0,pj1": doors of their own, each with a name on panels; "" = one door for
                               all. The addresses must be 0.0.0.0 and :: then */
    uint16_t udp_port; /* 0 = a free one, for tests                           */
    uint16_t tcp_port;
    uint16_t scan_port; /* where devices listen                                */
    bool multicast;     /* join 239.255.255.253 on every interface, loopback too, and on those
                           that come later */
    unsigned interfaces_check_s; /* between two looks whether interfaces came or went; 0 = 30 */
    const char *name;            /* ClientName: what panels show                        */
    const QuirkBook *quirks;     /* outlives the link; NULL: none               */
    const DeviceHost *host;
    void *arg;
} DeviceLinkConfig;

enum {
    DEVICE_PRESS_ANSWER_MS = 8000, /* the panel waits about ten seconds               */
    DEVICE_PRESSES_MAX = 256,      /* connections to TCP 2968 at once, 64 KiB at most each */
    DEVICE_PRESSES_PER_SOURCE = 4, /* of them from one address                         */
    /* And from one /64 of IPv6, where a host has as many addresses as it likes; many devices are in one as well. */
    DEVICE_PRESSES_PER_NETWORK = 192,
    DEVICE_SCANS_MAX = 512,
    DEVICE_LISTED_MAX = 100, /* jobs of one answer */
    DEVICE_DOORS_MAX = 32,
    DEVICE_INTERFACE_SIZE = 16, /* IFNAMSIZ */
};

/* Binds the ports. Everything in config but host and arg is copied. ERR_TEMPORARY (port in use: the
 * remedy names it), ERR_DENIED, ERR_BAD_INPUT (address). */
DeviceLink *device_link_open(Loop *loop, const DeviceLinkConfig *config, Err *err);

/* How many doors there are, at least 1. An interface that goes and comes back is taken again within half a
 * minute. */
unsigned device_link_doors(const DeviceLink *link);

/* The address of IPv4 that we are heard at; NET_NONE: at none. */
NetAddress device_link_ipv4(const DeviceLink *link);

/* Whether presses of this family are heard. Only :: may be configured in vain: then this computer has no IPv6. */
bool device_link_hears(const DeviceLink *link, NetFamily family);

/* Ports in use, for tests and logs; 0: none. */
uint16_t device_link_udp_port(const DeviceLink *link);
uint16_t device_link_tcp_port(const DeviceLink *link);

/* Ends everything at once; running scans get ended(BROKEN). Accepts NULL. */
void device_link_close(DeviceLink *link);
DEFINE_AUTO(DeviceLink, device_link_close);

/* The panel has hung up or waited too long: device_press_accept would answer NULL. The press must still be answered. */
bool device_press_is_gone(const DevicePress *press);

/* Answers ERROR; the panel shows a failure. The press is gone. */
void device_press_refuse(DevicePress *press);

/* Job control with the device before the press is answered: a session of its own, ended when done is
 * called. Once per press; done is never called inside a function the host calls, and not after the
 * press is gone. False without memory. */
bool device_press_talk(DevicePress *press, DeviceTalk talk, const DeviceReach *reach,
                       DeviceTalkFn *done, void *arg);

/* Answers OK to a device that asked for the jobs; jobs NULL: without their names, which it gets only when it
 * wanted them anyway. The press is gone. */
void device_press_list(DevicePress *press, const DeviceListedJob *jobs, size_t count);

/* Answers OK, closes, connects to the device and scans. The press is gone. NULL when the panel has hung up or waited
 * too long (nothing will be called for scan_arg). */
DeviceScan *device_press_accept(DevicePress *press, const DeviceReach *reach,
                                const ScanOrder *order, void *scan_arg);

/* Connects to the device at a numeric address and scans, without a press. NULL: too many scans run, no
 * memory. */
DeviceScan *device_scan_start(DeviceLink *link, const char *address, const DeviceReach *reach,
                              const ScanOrder *order, void *scan_arg);

/* The answer to page_end. ok=false: the page could not be kept; the scan ends as BROKEN with the reason. */
void device_scan_page_stored(DeviceScan *scan, bool ok, const Reason *reason);

/* The answer to identified when it is not the device that was meant: the scan ends in order as BROKEN with
 * the reason, without a page. */
void device_scan_refuse(DeviceScan *scan, const Reason *reason);

/* Back-pressure: no bytes are read from the device while paused. */
void device_scan_pause(DeviceScan *scan);
void device_scan_resume(DeviceScan *scan);

/* A scan that waits for more sheets ends as complete; one that runs will not wait. */
void device_scan_no_more_sheets(DeviceScan *scan);

/* Ends the scan: at once in the protocol's orderly way, or when the page that is coming is stored; leave
 * is cancel with little patience. ended() follows with CANCELLED (cancel) or BROKEN "server-stopping". */
void device_scan_cancel(DeviceScan *scan);
void device_scan_stop_at_page(DeviceScan *scan);
void device_scan_leave(DeviceScan *scan);

/* --- asking a device who it is --------------------------------------------------------------------- */

/* What came of it. */
typedef enum DeviceSaid {
    DEVICE_SAID_WHO,     /* the identity; its serial number may be ""                       */
    DEVICE_SAID_NOTHING, /* takes connections, but does not say it: busy, another protocol  */
    DEVICE_ABSENT        /* no connection: nobody is there, or it is off                    */
} DeviceSaid;

/* identity: empty but for DEVICE_SAID_WHO. code: "" then, else a stable word (device-busy ...). Borrowed
 * for the call. Called once, loop thread; by device_link_close as well. */
typedef void DeviceAskedFn(void *arg, DeviceSaid said, const DeviceIdentity *identity,
                           const char *code);

enum {
    DEVICE_ASKS_MAX = 64, /* at the same time */
    DEVICE_ASK_MS = 3500, /* in all: two of them fit into the patience of a panel */
};

/* True while a scan or job control of ours runs at this numeric address: asking it would take the only session that many
 * devices have. */
bool device_is_served(const DeviceLink *link, const char *address);

/* An inquiry gives way to a scan or to job control that begins at its device: it is DEVICE_SAID_NOTHING then, with
 * "device-busy", if it has not heard who it is.
 *
 * Asks the device at a numeric address by a short inquiry session (lock, INFO, unlock). asked is never
 * called inside this function. ERR_TEMPORARY: too many at the same time, no memory; ERR_BAD_INPUT. */
bool device_ask(DeviceLink *link, const char *address, DeviceAskedFn *asked, void *arg, Err *err);

/* Only connects: DEVICE_SAID_NOTHING when the device takes the connection, else DEVICE_ABSENT. */
bool device_knock(DeviceLink *link, const char *address, DeviceAskedFn *asked, void *arg, Err *err);

/* The same with the times of its stages, as the device of reach is reached. Called once, loop thread; by
 * device_link_close as well. */
typedef void DeviceProbedFn(void *arg, const DeviceProbe *probe);
enum { DEVICE_PROBE_MS = 15000 /* in all */ };
bool device_probe(DeviceLink *link, const char *address, const DeviceReach *reach,
                  DeviceProbedFn *probed, void *arg, Err *err);

/* Scans that run now. */
unsigned device_link_scans(const DeviceLink *link);

#endif
