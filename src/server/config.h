/* server/config.h - platen.conf: what platend needs to start, and nothing else.
 *
 * An INI file of the sections [server], [devices], [http], [deliver], [limits] and [retention]. Everything that can be
 * edited while the server runs lives in the database. Unknown keys are errors that name the
 * nearest right key; all problems of a file are reported, not only the first. */
#ifndef PLATEN_SERVER_CONFIG_H
#define PLATEN_SERVER_CONFIG_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/field.h"
#include "base/limits.h"

enum { CONFIG_KEYS_MAX = 64 };

typedef struct ServerConfig {
    char path[PATH_TEXT_SIZE]; /* of the file; "presets" without one                    */
    uint32_t
        lines[CONFIG_KEYS_MAX]; /* where each key was set, in the order of the tables; 0 = preset */
    /* [server] */
    char data_dir[PATH_TEXT_SIZE];    /* database, spool, keys                                 */
    char name[NAME_TEXT_SIZE];        /* shown on panels                                       */
    char user[64];                    /* who the server is when it was started as root         */
    char libexec_dir[PATH_TEXT_SIZE]; /* where platen-worker is; "" = beside platend           */
    int64_t log_level;
    int64_t drain_s;        /* SIGTERM: running scans and tasks may take so long     */
    int64_t free_space_mib; /* a scan is refused when less would be left             */
    /* [devices] */
    char device_address[128];    /* local addresses to listen on: "0.0.0.0, ::"           */
    char interfaces[512];        /* one name on panels each, "" = one for all             */
    char quirks[PATH_TEXT_SIZE]; /* file of model/quirks.h, "" = none                   */
    int64_t udp_port, tcp_port;  /* registration and push scan                            */
    int64_t scan_port;           /* where devices listen                                  */
    bool multicast;              /* join 239.255.255.253                                  */
    int64_t interfaces_check_s;  /* how often it is looked which interfaces there are     */
    int64_t silent_after_s;      /* nothing heard of a device for so long: silent         */
    bool identify;               /* ask unknown devices who they are                      */
    char snmp_community[64];     /* of devices that are paired; a password of a kind      */
    int64_t snmp_port;
    int64_t pairing_check_s; /* how often it is looked whether they still are         */
    /* [http] */
    char socket[PATH_TEXT_SIZE];      /* Unix socket of the API                                */
    char http_address[256];           /* local addresses, separated by commas                  */
    int64_t http_port;                /* HTTPS; 0 = off                                        */
    char certificate[PATH_TEXT_SIZE]; /* PEM; "" = self-signed, made at the first start        */
    char key[PATH_TEXT_SIZE];
    /* [deliver] */
    char programs[PATH_TEXT_SIZE]; /* whose programs destinations may run; "" = none          */
    /* [limits] */
    int64_t spool_threads, api_threads, readers, composers;
    int64_t traces_mib; /* all traces of devices together */
    /* [retention] */
    int64_t keep_files_days, keep_history_days; /* RETENTION_FOREVER: never removed */
    int64_t keep_traces_days;
} ServerConfig;

/* Called once per problem: "platen.conf: line 2: [server] nmae: unknown key, did you mean name?". */
typedef void ConfigProblem(void *arg, const char *sentence);

/* Reads the file; path NULL or "" = the presets alone. False when there was any problem (each was
 * said) or the file could not be read (said as well). */
bool server_config_read(const char *path, ServerConfig *ret_config, ConfigProblem *problem,
                        void *arg);

/* Says what is wrong with the value of a key that was read, in the same form; key NULL or unknown: `what` alone. */
void server_config_say(const ServerConfig *config, const char *key, const char *what,
                       ConfigProblem *problem, void *arg);

/* The next address of a list such as "0.0.0.0, ::", without blanks and brackets; *list moves behind it. False at
 * its end; what is no address or too long comes as it is, cut, and is refused by whoever uses it. */
bool server_config_address(const char **list, char *ret_address, size_t size);

/* How many names panels can be shown: one for each interface, at least 1. */
unsigned server_config_names(const ServerConfig *config);

/* Appends the configuration as a file that server_config_read takes: every key below a comment with
 * its help and the values it can have. False when `to` is full. */
bool server_config_print(const ServerConfig *config, Buf *to);

/* The sections and their tables, for tests. Ends with name NULL. */
typedef struct ConfigSection {
    const char *name;
    const Field *fields;
} ConfigSection;
extern const ConfigSection server_config_sections[];

#endif
