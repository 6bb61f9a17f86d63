/* model/page-order.h - the order in which people read the pages of a batch. Pure; any thread. */
#ifndef PLATEN_MODEL_PAGE_ORDER_H
#define PLATEN_MODEL_PAGE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PageKey {
    uint32_t number; /* 1.., as it came; a back has the number after its front */
    char side;       /* 'A' front, 'B' back                                    */
    uint32_t index;  /* the caller's own                                       */
} PageKey;

/* Sorts keys by number. last_first: the feeder delivers the last sheet first, so sheets are put in reverse;
 * the front of a sheet stays before its back. */
void page_order(PageKey *keys, size_t n, bool last_first);

#endif
