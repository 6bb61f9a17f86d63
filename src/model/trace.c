/* model/trace.c - see trace.h. */
#include "model/trace.h"

enum { FOR_PRESET_S = 600 };

const Field trace_wish_fields[] = {
    INTEGER(TraceWish, for_s, 1, TRACE_FOR_MAX_S, FOR_PRESET_S,
            "Seconds after which the trace ends by itself."),
    BOOLEAN(TraceWish, pages, false, "The pictures of pages are in it, too."),
    FIELDS_END,
};
