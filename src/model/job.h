/* model/job.h - the Job: the recipe an administrator defines; and the JobGroup a device shows.
 *
 * A Job says how to scan, how to make documents and where they go. It is never one execution: that
 * is a Batch, which holds a copy of the Job as it was at Start. Pure values, no I/O. */
#ifndef PLATEN_MODEL_JOB_H
#define PLATEN_MODEL_JOB_H

#include "base/err.h"
#include "base/field.h"
#include "base/id.h"
#include "base/limits.h"
#include "model/scan-settings.h"

enum { JOB_SHEETS_WAIT_MAX_S = 600 };
typedef enum JobSides { JOB_SIDES_AS_PANEL, JOB_SIDES_ONE, JOB_SIDES_TWO } JobSides;
typedef enum FileFormat {
    FILE_FORMAT_PDF,
    FILE_FORMAT_JPEG,
    FILE_FORMAT_TIFF,
    FILE_FORMAT_MAX_
} FileFormat;
/* Whether the batches of a job are told by mail; INHERIT: as the notification setting says. */
typedef enum JobNotify {
    JOB_NOTIFY_INHERIT,
    JOB_NOTIFY_ERROR,
    JOB_NOTIFY_ALWAYS,
    JOB_NOTIFY_NEVER
} JobNotify;
typedef enum IndexFormat { INDEX_FORMAT_NONE, INDEX_FORMAT_CSV } IndexFormat;

/* Words of FileFormat in JSON, also the name of the format in document/. */
extern const char *const file_format_words[];

typedef struct JobDestination {
    char destination[ID_TEXT_SIZE];  /* DestinationId as text                           */
    char options[OPTIONS_TEXT_SIZE]; /* JSON object: folder, subject ... as its kind says */
} JobDestination;

enum { FILE_NAME_PATTERN_SIZE = 160 };

typedef struct Job {
    char name[NAME_TEXT_SIZE];
    char panel_name[NAME_TEXT_SIZE]; /* on panels; "": the name, cut (model/panel.h) */
    int64_t source;            /* ScanSource: auto = feeder when it holds paper, else flatbed */
    int64_t dpi;               /* wanted; the device's nearest value is used                 */
    int64_t color;             /* ScanColor                                                  */
    int64_t sides;             /* JobSides                                                   */
    int64_t wait_for_sheets_s; /* after the feeder is empty; 0: the scan ends           */
    int64_t jpeg_quality;      /* 1..100 as the device understands it                        */
    int64_t threshold;         /* these and below: see scan-settings.h                       */
    int64_t paper, paper_width_mm, paper_height_mm;
    bool crop, deskew;
    int64_t crop_margin_mm;
    int64_t double_feed, brightness, contrast, gamma, drop_out;
    int64_t edge_fill, edge_left_mm, edge_right_mm, edge_top_mm, edge_bottom_mm;
    bool quiet, slow_feed;
    int64_t page_limit;
    bool strict_settings;
    int64_t file_format; /* FileFormat                                                 */
    char file_name[FILE_NAME_PATTERN_SIZE]; /* pattern, see model/name.h                */
    int64_t index;                  /* IndexFormat: one index file per batch, delivered last      */
    bool keep_partial;              /* a broken batch's pages are delivered without being asked   */
    int64_t notify;                 /* JobNotify                                                  */
    char notify_to[NOTIFY_TO_SIZE]; /* addresses besides those of the setting         */
    JobDestination destinations[JOB_DESTINATIONS_MAX];
    size_t destination_count;
} Job;

/* Settings table of Job: JSON, YAML, API schema and manual come from it. */
extern const Field job_fields[];

/* Whether the job scans two sides after this choice at the panel (PushScanIDIn, may be ""; its first character is
 * 0 for one side, 1 for two). */
bool job_wants_two_sides(const Job *job, const char *panel_choice);

/* What the job says of scanning, after this choice at the panel. */
void job_scan_settings(const Job *job, const char *panel_choice, ScanSettings *ret_settings);

/* What a table cannot say: name without control characters or blanks at its ends, destinations are ids
 * and named once, the pattern is sound. ERR_BAD_INPUT with field. */
bool job_check(const Job *job, Err *err);

/* What a person says who starts a scan without a panel. */
typedef struct JobStart {
    char job[ID_TEXT_SIZE]; /* JobId as text                                      */
    bool any_job;           /* also one that is not in the device's job group     */
} JobStart;

extern const Field job_start_fields[];

/* --- job groups --------------------------------------------------------------------------------- */

/* What a person can choose on the panel of a device that shows one name: sides x action
 * (PushScanIDIn). Each choice of a group starts one job. */
typedef enum PanelChoice {
    PANEL_CHOICE_AUTOMATIC, /* the next choice nobody in the group has, in this order */
    PANEL_CHOICE_1_SIDED_PDF,
    PANEL_CHOICE_1_SIDED_JPEG,
    PANEL_CHOICE_1_SIDED_PREVIEW,
    PANEL_CHOICE_2_SIDED_PDF,
    PANEL_CHOICE_2_SIDED_JPEG,
    PANEL_CHOICE_2_SIDED_PREVIEW,
    PANEL_CHOICE_MAX_
} PanelChoice;

extern const char *const panel_choice_words[];

/* The two characters devices send for a choice ("02" = 1-sided PDF), "" for AUTOMATIC. Source:
 * PushScanIDIn of captured ET-4950 requests: sides 0/1, action bits 1 JPEG, 2 PDF, 4 preview. */
const char *panel_choice_code(PanelChoice choice);

typedef struct JobGroupJob {
    char job[ID_TEXT_SIZE]; /* JobId as text */
    int64_t panel_choice;   /* PanelChoice   */
} JobGroupJob;

typedef struct JobGroup {
    char name[NAME_TEXT_SIZE];
    JobGroupJob jobs[GROUP_JOBS_MAX];
    size_t job_count;
} JobGroup;

extern const Field job_group_fields[];

/* Jobs are ids and named once, no panel choice twice. ERR_BAD_INPUT with field. */
bool job_group_check(const JobGroup *group, Err *err);

/* Replaces every AUTOMATIC by the choice it stands for, as long as there is one. group must have passed the check. */
void job_group_resolve(JobGroup *group);

/* The index in group->jobs of the job that a panel code starts, or -1. Of more than six jobs those
 * behind the sixth automatic one have no choice: they start by name only. An empty, short or unknown
 * code starts the only job of a group with one job and nothing else. */
int job_group_find(const JobGroup *group, const char *panel_code);

#endif
