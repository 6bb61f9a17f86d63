/* base/log.c - see log.h. */
#include "base/log.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"

#include <stdarg.h>
#include <stdio.h>

enum { LOG_LINE_MAX = 1024 };

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static LogLevel log_level = LOG_INFO;

void log_set_level(LogLevel level)
{
    log_level = level;
}

bool log_level_parse(const char *text, LogLevel *ret_level)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++)
        if (text_equal(text, level_names[i])) {
            *ret_level = (LogLevel)i;
            return true;
        }
    return false;
}

void log_line(LogLevel level, const char *event, const char *fmt, ...)
{
    char line[LOG_LINE_MAX], when[WALL_TEXT_SIZE];
    va_list args;

    if (level > log_level)
        return;
    wall_format(wall_now(), 0, when);
    int n = snprintf(line, sizeof line, "%s level=%s event=%s ", when, level_names[level], event);
    va_start(args, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n, fmt, args);
    va_end(args);
    size_t length = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (length > sizeof line - 1)
        length = sizeof line - 1;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[length] = '\n';
    /* A log that cannot be written must not stop the server. */
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return;
}

const char *log_quote(char *to, unsigned long size, const char *text)
{
    size_t n = 0;

    to[n++] = '"';
    for (; *text; text++) {
        bool escape = *text == '"' || *text == '\\';

        if (n + 6 > size) { /* room for escape, dots, quote and NUL */
            memcpy(to + n, "...", 3);
            n += 3;
            break;
        }
        if (escape)
            to[n++] = '\\';
        to[n++] = *text;
    }
    to[n++] = '"';
    to[n] = '\0';
    return to;
}
