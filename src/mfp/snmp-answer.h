/* mfp/snmp-answer.h - the SNMP agent of a virtual scanner that has only a button: one object, the host it is paired with.
 * No socket, no clock: the caller receives and sends.
 *
 * What a real one does beside GET and SET of that object is not known: here it has no other object, and an answer is
 * never longer than its question by more than the name. */
#ifndef PLATEN_MFP_SNMP_ANSWER_H
#define PLATEN_MFP_SNMP_ANSWER_H

#include "wire/slp.h"
#include "wire/snmp.h"

typedef struct SnmpAnswerer {
    char host[SLP_NAME_SIZE]; /* UTF-8; "" = paired with nobody */
    char community[32];       /* others are not answered        */
} SnmpAnswerer;

/* A datagram came. True: answer (cleared before) holds what is to be sent back; *ret_set: the host was written. */
bool snmp_answerer_feed(SnmpAnswerer *answerer, Bytes datagram, Buf *answer, bool *ret_set);

#endif
