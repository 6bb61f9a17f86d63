/* model/panel.h - the name under which a job, or this server, stands on the panel of a device. Pure. */
#ifndef PLATEN_MODEL_PANEL_H
#define PLATEN_MODEL_PANEL_H

#include "base/err.h"
#include "model/job.h"

enum { PANEL_NAME_SIZE = 64 }; /* that of the registration (wire/slp.h), NUL included */

/* True when every panel shows the name as it is: 1 to PANEL_NAME_CHARS_MAX characters of UTF-8 in at most
 * 63 bytes, no control characters, no blank at its ends, and none of ( ) , \ ! < = > ~: the protocol
 * (RFC 2608, section 5) wants those escaped, and no panel is known that reads the escapes. */
bool panel_name_is_plain(const char *name);

/* Its panel_name, else its name cut to what panels show; may be one that is not plain. */
void job_panel_name(const Job *job, char ret_name[PANEL_NAME_SIZE]);

/* The jobs of one group: every one has a plain name on panels, and no two have the same. ERR_BAD_INPUT
 * with the field "jobs[i].job" of the one at fault, and what to do. */
typedef struct PanelJobName {
    char job[NAME_TEXT_SIZE]; /* name of the job, for the message */
    char panel[PANEL_NAME_SIZE];
} PanelJobName;
bool panel_names_check(const PanelJobName *names, size_t count, Err *err);

#endif
