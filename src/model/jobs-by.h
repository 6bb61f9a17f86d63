/* model/jobs-by.h - why the jobs of a group do not reach a panel as an administrator has set it.
 *
 * What is set is kept: with another interface, or once the panel asks for lists, it is in force. Pure. */
#ifndef PLATEN_MODEL_JOBS_BY_H
#define PLATEN_MODEL_JOBS_BY_H

#include "model/batch.h"
#include "model/device.h"

enum { JOBS_BY_NOTES_MAX = 2 };

/* Why the way that is set is not the one in force (device_jobs_by), and which jobs nobody can start at the panel:
 * "one-interface", "panel-shows-no-lists", "panel-not-heard", "jobs-beyond-choice", "jobs-beyond-names". names: that the
 * server can show; jobs: of the device's group. How many were written, the first about the way. */
size_t device_jobs_by_notes(const Device *device, unsigned names, size_t jobs,
                            Reason ret_notes[JOBS_BY_NOTES_MAX]);

#endif
