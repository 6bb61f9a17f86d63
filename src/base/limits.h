/* base/limits.h - every maximum that more than one file must agree on, with its reason. */
#ifndef PLATEN_BASE_LIMITS_H
#define PLATEN_BASE_LIMITS_H

enum {
    PAGE_BYTES_MAX = 256 * 1024 * 1024, /* one page as it came: A3 1200 dpi colour JPEG is below */
    BATCH_PAGES_MAX = 10000,            /* pages of one batch; a feeder of 500 sheets is large   */
    NAME_TEXT_SIZE = 128,               /* names of nouns, NUL included                          */
    PANEL_NAME_CHARS_MAX = 20,          /* what known panels show of a name                      */
    FILE_NAME_BYTES_MAX = 200,          /* a delivered file's name, extension included           */
    PATH_TEXT_SIZE = 1024,              /* folders of destinations and of the server             */
    JSON_BYTES_MAX = 8 * 1024 * 1024,   /* one JSON or YAML text                                 */
    JSON_DEPTH_MAX = 32,                /* nesting of arrays and objects                         */
    JSON_VALUES_MAX = 150000,           /* values of one JSON or YAML text: memory below 64 MiB   */
    MESSAGE_BYTES_MAX = 4 * 1024 * 1024, /* one line between server and worker                    */
    SETTINGS_TEXT_SIZE = 16384,          /* one destination's settings as JSON text               */
    OPTIONS_TEXT_SIZE = 2048,            /* what a job says for one destination, as JSON text     */
    FOLDER_PATTERN_SIZE = 256,           /* folder below a destination's, with tokens             */
    JOB_DESTINATIONS_MAX = 8,            /* destinations of one job                               */
    NOTIFY_TO_SIZE = 480,                /* addresses of a notification; two lists fit one mail   */
    GROUP_JOBS_MAX = 100,      /* jobs a panel is told; sides x action choose six        */
    RETENTION_FOREVER = 36500, /* days, a hundred years: never removed                  */
};

#endif
