/* mfp/device-inside.h - what the files of the virtual device share. Private to device*.c; loop thread. */
#ifndef PLATEN_MFP_DEVICE_INSIDE_H
#define PLATEN_MFP_DEVICE_INSIDE_H

#include "mfp/device.h"
#include "mfp/enpc-answer.h"
#include "mfp/press.h"
#include "mfp/session.h"
#include "mfp/snmp-answer.h"
#include "net/tcp.h"
#include "net/udp.h"

enum { DEVICE_QUOTED_SIZE = 512 };

/* One connection to the scan port. */
typedef struct Client {
    Device *device;
    TcpStream *stream; /* NULL: this place is free */
    MfpSession *session;
    LoopTimer *timer;
    Drip drip;
    bool scanned; /* a scan of its has ended */
    Mono hold;    /* with --ppm: nothing is sent before */
    char peer[NET_ADDRESS_TEXT_SIZE];
} Client;

struct Device {
    Loop *loop;
    const Options *options;
    MfpUnit unit;
    NetAddress announce_to;
    UdpSocket *udp; /* NULL: at an address of IPv6 nobody is asked for destinations */
    UdpSocket *
        replies; /* port 2968: some agents answer there, whatever the request came from; NULL: taken */
    UdpSocket *enpc, *enpc_broadcast; /* the second hears what is sent to all, and never sends */
    EnpcAnswerer answerer;
    UdpSocket *snmp; /* NULL: it is not a device with a button alone */
    SnmpAnswerer snmp_answerer;
    TcpListener *listener;
    TlsContext *tls; /* NULL: the scan port is plain */
    Client clients[DEVICE_CLIENTS_MAX];
    Finder finder;
    bool finding; /* the panel has begun to show destinations */
    LoopTimer *announce_timer;
    Press *press;
    Press *farewell;          /* tells a server that its scan has ended (ScanEnd)  */
    bool is_job;              /* the scan that was called for is one of a job      */
    uint32_t writes_before;   /* JOBW before the server was asked for its jobs     */
    LoopTimer *waiting_timer; /* runs in DEVICE_WAITING */
    bool contacting, waiting;
    bool auto_pressed; /* --press has been done */
    uint32_t presses;
    char target[SLP_NAME_SIZE], choice[OPTIONS_CHOICE_SIZE];
    char jobs_of[SLP_NAME_SIZE]; /* whose jobs these are */
    PushScanResponse jobs;
    char last_result[DEVICE_RESULT_SIZE];
    uint32_t scan_pages;
    uint32_t scans_done;
    bool ending; /* enough scans: the end when the last client has gone */
    bool ended;  /* on_end was called                                */
    DeviceEndFn *on_end;
    void *on_end_arg;
    int exit_code;
};

/* ---- device.c ---- */

/* One line of standard output; with several devices it says which one. */
void device_say(const Device *device, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Remembers what went wrong; with --exit-after it is the end. */
void device_fail(Device *device, const char *why);

/* A scan has ended, or the wait for one. outcome: a word of scan_outcome_name, or "no-client". */
void device_scan_ended(Device *device, const char *outcome, uint32_t pages);

/* The end, when enough was scanned and nobody is connected. */
void device_stop_when_quiet(Device *device);

/* ---- device-clients.c ---- */

/* TcpAcceptFn of the scan port; arg is the device. */
void device_on_accept(void *arg, TcpStream *stream_take);

/* ---- device-tls.c ---- */

/* Gives the scan port its certificate: that of --tls-certificate, else a new one. Errors of device_new. */
bool device_open_tls(Device *device, Err *err);

/* ---- device-panel.c ---- */

/* The name of --press has appeared: Start, once. */
void device_press_by_itself(Device *device, const char *name);

/* The client that scanned has gone: a device of version 3 says so to the server that it was for. */
void device_tell_end(Device *device);

/* Timer: the server said OK and did not come. */
void device_on_no_client(void *arg);

/* ---- device-button.c ---- */

/* With --button: what it is paired by. Errors of device_new. */
bool device_open_button(Device *device, Err *err);

/* May a press be told to the destination of this name? ERR_DENIED: the device is paired with another host, or none. */
bool device_button_calls(const Device *device, const char *name, Err *err);

/* ---- device-found.c ---- */

/* Opens what announces the device, and what it is found by. Errors of device_new. */
bool device_open_announcer(Device *device, Err *err);
bool device_open_enpc(Device *device, Err *err);

/* Timer: the next announcement is due. */
void device_on_announce(void *arg);

#endif
