/* api/job-warnings.h - inside of api: a job compared with the devices that have it in their group. */
#ifndef PLATEN_API_JOB_WARNINGS_H
#define PLATEN_API_JOB_WARNINGS_H

#include "api/context.h"

/* Sets "warnings" of a shown job (a StoredJob): [{"device_id", "device_name", "source", "setting", "text"}], at
 * most a hundred. Devices that were never scanned from say nothing. */
void job_warnings(Db *db, const void *row, Json *object);

#endif
