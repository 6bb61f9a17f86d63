/* mfp/enpc-answer.c - see enpc-answer.h. */
#include "mfp/enpc-answer.h"

#include "base/text.h"

/* The entry of this host; a new one takes a free place, or that of the oldest. */
static EnpcSource *source_of(EnpcAnswerer *answerer, const NetAddress *from, Mono now)
{
    for (size_t i = 0; i < answerer->count; i++)
        if (net_address_same_host(&answerer->sources[i].from, from))
            return &answerer->sources[i];
    EnpcSource *source = &answerer->sources[answerer->oldest];
    answerer->oldest = (answerer->oldest + 1) % ENPC_SOURCES_MAX;
    answerer->count += answerer->count < ENPC_SOURCES_MAX;
    *source = (EnpcSource){ .from = *from, .since = now };
    return source;
}

static bool may_answer(EnpcAnswerer *answerer, const NetAddress *from, Mono now)
{
    EnpcSource *source = source_of(answerer, from, now);

    if (mono_reached(now, mono_after(source->since, ENPC_PERIOD_MS))) {
        source->since = now;
        source->answers = 0;
    }
    return source->answers++ < ENPC_ANSWERS_MAX;
}

bool enpc_answerer_feed(EnpcAnswerer *answerer, Bytes datagram, const NetAddress *from, Mono now,
                        Buf *answer)
{
    enum { IPV4_BYTES = 4, LOCAL_BIT = 0x02 /* an Ethernet address that nobody sold */ };
    EnpcQuery query;

    if (enpc_query_decode(datagram, &query) != WIRE_OK || !may_answer(answerer, from, now))
        return false;
    EnpcAnswer reply = { .class = query.class, .mac = { LOCAL_BIT } };
    memcpy(reply.echo, query.echo, sizeof reply.echo);
    memcpy(reply.mac + ENPC_MAC_SIZE - IPV4_BYTES, answerer->address->bytes, IPV4_BYTES);
    (void)text_copy(reply.name, sizeof reply.name, answerer->name);
    buf_clear(answer);
    return enpc_answer_encode(answer, &reply);
}
