/* model/panel.c - see panel.h. */
#include "model/panel.h"

#include "base/text.h"

#include <string.h>

#define RESERVED "(),\\!<=>~"

enum { UTF8_MORE_MASK = 0xc0, UTF8_MORE = 0x80 };

bool panel_name_is_plain(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < PANEL_NAME_SIZE && text_is_utf8(bytes_of_text(name)) &&
           text_length(name) <= PANEL_NAME_CHARS_MAX && !text_has_control(name) && name[0] != ' ' &&
           name[n - 1] != ' ' && strpbrk(name, RESERVED) == NULL;
}

/* The bytes of the longest beginning with so many characters that fits into PANEL_NAME_SIZE. */
static size_t cut_of(const char *name)
{
    size_t cut = 0, characters = 0;

    for (size_t i = 0;; i++) {
        if (((uint8_t)name[i] & UTF8_MORE_MASK) == UTF8_MORE)
            continue; /* inside a character */
        if (i < PANEL_NAME_SIZE)
            cut = i;
        if (name[i] == '\0' || i >= PANEL_NAME_SIZE || characters++ == PANEL_NAME_CHARS_MAX)
            break;
    }
    while (cut > 0 && name[cut - 1] == ' ')
        cut--;
    return cut;
}

void job_panel_name(const Job *job, char ret_name[PANEL_NAME_SIZE])
{
    const char *name = job->panel_name[0] ? job->panel_name : job->name;

    (void)text_copy_bytes(ret_name, PANEL_NAME_SIZE,
                          (Bytes){ (const uint8_t *)name, cut_of(name) });
}

bool panel_names_check(const PanelJobName *names, size_t count, Err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!panel_name_is_plain(names[i].panel)) {
            err_set(err, ERR_BAD_INPUT, 0, "panels cannot show \"%.63s\", the job \"%s\"",
                    names[i].panel, names[i].job);
            err_remedy(err, "Give the job a panel_name without " RESERVED ".");
            return err_field(err, "jobs[%zu].job", i);
        }
        for (size_t j = 0; j < i; j++) {
            if (!text_equal(names[i].panel, names[j].panel))
                continue;
            err_set(err, ERR_BAD_INPUT, 0,
                    "on panels the jobs \"%.60s\" and \"%.60s\" have the same name, \"%s\"",
                    names[j].job, names[i].job, names[i].panel);
            err_remedy(err, "Give one of them another panel_name; %d characters are shown.",
                       PANEL_NAME_CHARS_MAX);
            return err_field(err, "jobs[%zu].job", i);
        }
    }
    return true;
}
