/* base/log.h - the operator's log: one line per event, key=value, to standard error.
 *
 * A function logs or returns an error, never both; base, wire, model, net, image, document,
 * destination and store only return. Bytes of images, passwords and tokens are never logged.
 * Levels: error = needs a human; warning = we coped, the line says how; info = one line per step;
 * debug. Any thread; a line is one write(2). */
#ifndef PLATEN_BASE_LOG_H
#define PLATEN_BASE_LOG_H

#include <stdbool.h>

typedef enum LogLevel { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG } LogLevel;

/* Lines above this level are dropped. The default is LOG_INFO. Set before threads start. */
void log_set_level(LogLevel level);

/* Name as written after level= ("warning") to level; false when unknown. */
bool log_level_parse(const char *text, LogLevel *ret_level);

/* log_line(LOG_INFO, "batch.received", "batch=%s pages=%u", id, n) writes
 *   2026-11-22T15:00:00.123Z level=info event=batch.received batch=01k... pages=3
 * Control characters in the arguments are written as '?', longer lines are cut at 1 KiB. */
void log_line(LogLevel level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes text in double quotes with \" and \\ escaped into to[size], cut with "..."; returns to.
 * For values that may hold blanks: log_line(..., "error=%s", log_quote(q, sizeof q, err.text)). */
const char *log_quote(char *to, unsigned long size, const char *text);

#endif
