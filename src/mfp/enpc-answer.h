/* mfp/enpc-answer.h - how the virtual device answers those who look for devices (ENPC, wire/enpc.h). No socket, no
 * clock: the caller receives and sends. */
#ifndef PLATEN_MFP_ENPC_ANSWER_H
#define PLATEN_MFP_ENPC_ANSWER_H

#include "base/time.h"
#include "net/address.h"
#include "wire/enpc.h"

enum {
    ENPC_SOURCES_MAX = 64, /* askers that are remembered; one more replaces the oldest */
    ENPC_ANSWERS_MAX = 10, /* to one source ...        */
    ENPC_PERIOD_MS = 1000, /* ... within this time     */
};

typedef struct EnpcSource {
    NetAddress from;
    Mono since;
    unsigned answers;
} EnpcSource;

typedef struct EnpcAnswerer {
    const NetAddress *address; /* borrowed: the device's own; stands for its Ethernet address */
    const char *name;          /* borrowed: the product */
    EnpcSource sources[ENPC_SOURCES_MAX];
    size_t count, oldest;
} EnpcAnswerer;

/* A datagram came. True: answer (cleared before) holds what is to be sent back. */
bool enpc_answerer_feed(EnpcAnswerer *answerer, Bytes datagram, const NetAddress *from, Mono now,
                        Buf *answer);

#endif
