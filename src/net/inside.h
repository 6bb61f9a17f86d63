/* net/inside.h - what the files of this folder share: the loop's libevent base, its read buffer and
 * the streams that close by themselves; and addresses as the kernel wants them.
 *
 * Not for other folders. Loop thread only, except the address functions. */
#ifndef PLATEN_NET_INSIDE_H
#define PLATEN_NET_INSIDE_H

#include "net/address.h"
#include "net/loop.h"
#include "net/tcp.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/socket.h>

/* One buffer serves all reads of a loop, because what was read is consumed within its callback. */
enum { LOOP_BUFFER_BYTES = TCP_READ_BYTES_MAX };

/* The base that events are assigned to; lives as long as the loop. */
/* What a loop lends to the files of net/; on its thread. */
struct event_base *loop_base(Loop *loop);

/* LOOP_BUFFER_BYTES; valid for one callback. */
uint8_t *loop_buffer(Loop *loop);

/* Streams after tcp_close have no owner; the loop keeps them so that loop_free can end them. */
TcpStream **loop_closing_streams(Loop *loop);

/* A span of milliseconds for event_add; negative spans become 0. */
struct timeval net_span(int64_t ms);

/* Length of the kernel's form written to *ret_storage; 0 for NET_NONE. */
socklen_t net_address_to_kernel(const NetAddress *address, struct sockaddr_storage *ret_storage);
NetAddress net_address_from_kernel(const struct sockaddr_storage *storage);

/* Bound address of a socket; NET_NONE when the kernel does not say. */
NetAddress net_address_of_socket(int fd);

/* From now on the socket hears and speaks through this interface only. NULL or "": every one. ERR_NOT_FOUND
 * when there is none of this name. */
bool net_bind_interface(int fd, const char *interface_name, Err *err);

/* A non-blocking socket of the address's family. -1 with err set. */
int net_socket(const NetAddress *address, int type, Err *err);

/* Begins to connect a socket from a local address (its port is ignored; NULL or NET_NONE: any). False with err set. */
bool net_connect(int fd, const NetAddress *peer, const NetAddress *local, Err *err);

/* Wraps a connected or connecting descriptor. Takes fd, also when it fails. */
TcpStream *tcp_stream_new(Loop *loop, int fd_take, const NetAddress *peer, Err *err);

#endif
