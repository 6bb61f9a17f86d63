/* destination/multistatus.h - what WebDAV servers answer: 207 Multi-Status (RFC 4918, chapter 13).
 *
 * One pass over the text with expat: no entity is declared or fetched, because a document type is
 * refused. What is asked for here has depth 0, so properties are those of the first resource. */
#ifndef PLATEN_DESTINATION_MULTISTATUS_H
#define PLATEN_DESTINATION_MULTISTATUS_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

typedef struct Multistatus {
    int failed;      /* the status of 400 or more that a whole resource has, 0 = none; 424 (failed
                           only because another one did) when there is no better one           */
    bool known;      /* the first resource is there: it has a property                      */
    bool collection; /* it is a folder                                                      */
    int64_t size_bytes; /* getcontentlength, -1 = not said                                     */
    int64_t free_bytes; /* quota-available-bytes (RFC 4331), -1 = not said                     */
} Multistatus;

/* ERR_BAD_INPUT: no Multi-Status, or no well-formed XML with name spaces; ERR_TEMPORARY: no memory. */
bool multistatus_read(Bytes xml, Multistatus *ret, Err *err);

#endif
