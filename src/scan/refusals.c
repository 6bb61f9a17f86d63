/* scan/refusals.c - see refusals.h. */
#include "scan/refusals.h"

#include "base/text.h"

/* The source's own place, else the one whose span began first. */
static size_t place_of(const Refusals *r, const char *address)
{
    size_t oldest = 0;

    for (size_t i = 0; i < REFUSALS_SOURCES_MAX; i++) {
        if (text_equal(r->sources[i].address, address))
            return i;
        if (r->sources[i].begun.ms < r->sources[oldest].begun.ms)
            oldest = i;
    }
    return oldest;
}

static bool span_is_over(Mono begun, Mono now)
{
    return mono_reached(now, mono_after(begun, REFUSALS_SPAN_MS));
}

bool refusals_tell(Refusals *r, const char *address, Mono now, unsigned *ret_kept)
{
    size_t i = place_of(r, address);

    if (!text_equal(r->sources[i].address, address)) {
        r->sources[i].kept = r->sources[i].told = 0;
        r->sources[i].begun = now;
        (void)text_copy(r->sources[i].address, sizeof r->sources[i].address, address);
    }
    if (span_is_over(r->sources[i].begun, now)) {
        r->sources[i].begun = now;
        r->sources[i].told = 0;
    }
    if (span_is_over(r->begun, now)) {
        r->begun = now;
        r->told = 0;
    }
    if (r->sources[i].told >= REFUSALS_PER_SOURCE || r->told >= REFUSALS_IN_ALL) {
        r->sources[i].kept++;
        return false;
    }
    r->sources[i].told++;
    r->told++;
    *ret_kept = r->sources[i].kept;
    r->sources[i].kept = 0;
    return true;
}
