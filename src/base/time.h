/* base/time.h - two clocks, two types, so that they cannot be mixed.
 *
 * Pure code takes `now` as an argument and returns deadlines; only shells read a clock. */
#ifndef PLATEN_BASE_TIME_H
#define PLATEN_BASE_TIME_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Mono {
    int64_t ms; /* monotonic: deadlines, timers; meaningless after a restart */
} Mono;

typedef struct Wall {
    int64_t ms; /* milliseconds since 1970 UTC: stored and shown */
} Wall;

/* A deadline that never comes. */
#define MONO_NEVER ((Mono){ INT64_MAX })

static inline bool mono_reached(Mono now, Mono deadline)
{
    return now.ms >= deadline.ms;
}

static inline Mono mono_after(Mono now, int64_t ms)
{
    return (Mono){ now.ms + ms };
}

static inline Mono mono_earlier(Mono a, Mono b)
{
    return a.ms < b.ms ? a : b;
}

Mono mono_now(void); /* CLOCK_MONOTONIC; any thread */
Wall wall_now(void); /* CLOCK_REALTIME; any thread  */

enum { WALL_TEXT_SIZE = 30 };

/* "2026-11-22T15:00:00.123+01:00" (RFC 3339) at an offset from UTC of -1440..1440 minutes;
 * "...Z" when the offset is 0. */
void wall_format(Wall wall, int utc_offset_min, char ret_text[WALL_TEXT_SIZE]);

/* Civil time at an offset from UTC, for names. month 1..12, day 1..31. */
typedef struct CivilTime {
    int year, month, day, hour, minute, second;
} CivilTime;
CivilTime wall_civil(Wall wall, int utc_offset_min);

/* Offset from UTC, in minutes, that the process's time zone (TZ, /etc/localtime) has at wall. The zone
 * is read once, at the first call: a server whose zone is changed has to be started again. */
int wall_zone_offset_min(Wall wall);

#endif
