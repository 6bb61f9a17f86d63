/* base/time.c - see time.h. */
#include "base/time.h"

#include "base/text.h"

#include <stdlib.h>
#include <time.h>

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t = { 0 };

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

Mono mono_now(void)
{
    return (Mono){ clock_ms(CLOCK_MONOTONIC) };
}

Wall wall_now(void)
{
    return (Wall){ clock_ms(CLOCK_REALTIME) };
}

CivilTime wall_civil(Wall wall, int utc_offset_min)
{
    int64_t ms = wall.ms + (int64_t)utc_offset_min * 60000;
    time_t seconds = (time_t)(ms >= 0 ? ms / 1000 : (ms - 999) / 1000);
    struct tm tm = { 0 };

    (void)gmtime_r(&seconds, &tm);
    return (CivilTime){ tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                        tm.tm_hour,        tm.tm_min,     tm.tm_sec };
}

void wall_format(Wall wall, int utc_offset_min, char ret_text[WALL_TEXT_SIZE])
{
    CivilTime c = wall_civil(wall, utc_offset_min);
    int ms = (int)((wall.ms % 1000 + 1000) % 1000);
    int away = abs(utc_offset_min);
    size_t size = WALL_TEXT_SIZE;

    if (utc_offset_min == 0)
        (void)text_printf(ret_text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year, c.month,
                          c.day, c.hour, c.minute, c.second, ms);
    else
        (void)text_printf(ret_text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d", c.year,
                          c.month, c.day, c.hour, c.minute, c.second, ms,
                          utc_offset_min < 0 ? '-' : '+', away / 60, away % 60);
}

int wall_zone_offset_min(Wall wall)
{
    time_t seconds = (time_t)(wall.ms / 1000);
    struct tm tm = { 0 };

    return localtime_r(&seconds, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
}
