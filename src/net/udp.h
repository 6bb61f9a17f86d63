/* net/udp.h - a UDP socket on the loop: datagrams with their interface, IPv4 multicast.
 *
 * Used by the registration service (UDP 2968) and by the virtual device. Loop thread only. */
#ifndef PLATEN_NET_UDP_H
#define PLATEN_NET_UDP_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"

enum {
    UDP_DATAGRAM_MAX = 65535,    /* what IP can carry; a codec has its own, smaller limit         */
    UDP_DATAGRAMS_PER_TURN = 64, /* so that a flood leaves the other sockets their turn           */
};

typedef struct UdpDatagram {
    Bytes bytes;              /* valid during the callback                                     */
    NetAddress from;          /* where an answer goes                                          */
    NetAddress to;            /* address in the datagram: one of ours, or the multicast group  */
    uint32_t interface_index; /* interface it arrived on. With several interfaces in one       */
                              /* network only this tells them apart, never an address.         */
} UdpDatagram;

typedef struct UdpSocket UdpSocket;

/* The callback may send and may free the socket. */
typedef void UdpReceiveFn(void *arg, const UdpDatagram *datagram);

/* Binds with SO_REUSEADDR (another agent of this host may hold port 2968 as well); port 0 takes a
 * free one. Errors: ERR_TEMPORARY (port taken exclusively, no descriptors), ERR_DENIED (a port
 * below 1024 without the right), ERR_PERMANENT (not an address of this host). */
UdpSocket *udp_open(Loop *loop, const NetAddress *bind_address, UdpReceiveFn *receive, void *arg,
                    Err *err);
/* The same for what one interface (by name) receives and sends only: several sockets may have one port
 * then. ERR_NOT_FOUND when there is none of this name. */
UdpSocket *udp_open_on(Loop *loop, const char *interface_name, const NetAddress *bind_address,
                       UdpReceiveFn *receive, void *arg, Err *err);
void udp_free(UdpSocket *udp); /* accepts NULL */
DEFINE_AUTO(UdpSocket, udp_free);

/* The bound address with its real port. */
NetAddress udp_local_address(const UdpSocket *udp);

/* Joins an IPv4 group on every interface that is up, has an IPv4 address and can do multicast, and
 * on the loopback interface when asked. *ret_joined counts the interfaces joined now or before, so
 * that it can be called again when interfaces come and go. An interface that refuses is left out;
 * ERR_TEMPORARY when none is left. The datagram comes once per joined interface it reaches. */
bool udp_join_all(UdpSocket *udp, const NetAddress *group, bool with_loopback, size_t *ret_joined,
                  Err *err);

/* Joins on one interface by name ("eth0"). ERR_NOT_FOUND when there is none of this name. Joining
 * twice is fine. */
bool udp_join(UdpSocket *udp, const NetAddress *group, const char *interface_name, Err *err);

/* Interface by name and time-to-live (1..255) of the multicast datagrams this socket sends; the
 * host itself gets them too when it has joined. */
bool udp_set_multicast(UdpSocket *udp, const char *interface_name, int ttl, Err *err);

/* Sends one datagram to every host of the networks this one is in: to 255.255.255.255 through each interface
 * that is up and can do it. *ret_sent counts them; ERR_TEMPORARY when there is none. */
bool udp_broadcast(UdpSocket *udp, uint16_t port, Bytes bytes, size_t *ret_sent, Err *err);

/* Sends one datagram, without waiting. interface_index: leave through this interface (that of the
 * datagram being answered), 0 = the kernel's choice. ERR_TEMPORARY when the socket's buffer is full
 * or there is no route. */
bool udp_send(UdpSocket *udp, const NetAddress *to, uint32_t interface_index, Bytes bytes,
              Err *err);

#endif
