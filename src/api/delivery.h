/* api/delivery.h - inside of api: deliveries as JSON, for their own routes and those of batches. */
#ifndef PLATEN_API_DELIVERY_H
#define PLATEN_API_DELIVERY_H

#include "api/context.h"

/* A delivery with the end of its last attempt. Times in a zone; NULL on failure. */
Json *delivery_show(const Delivery *delivery, const char *destination_name, int utc_offset_min);

/* How an attempt ended, with receipt or cure. */
Json *result_show(const DeliveryResult *result);

/* The query parameter "state" as an index into words, -1 when absent. noun: "a batch". ERR_BAD_INPUT names the
 * nearest word. */
bool query_state(const HttpRequest *req, const char *noun, const char *const *words, int *ret_state,
                 Err *err);

#endif
