/* server/config.c - see config.h. */
#include "server/config.h"

#include "base/cleanup.h"
#include "base/interface.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "model/panel.h"
#include "net/address.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTERFACES_MAX = 32 };
enum { SOCKET_PATH_BYTES_MAX = 100 }; /* sun_path has 108, and a NUL */

static const char *const level_words[] = { "error", "warning", "info", "debug", NULL };

static const Field server_fields[] = {
    PATH_PRESET(ServerConfig, data_dir, "/var/lib/platen", "Folder of database, spool and keys."),
    TEXT_PRESET(ServerConfig, name, "Platen",
                "Name that devices show on their panels, 1 to 20 characters."),
    TEXT_PRESET(ServerConfig, user, "platen", "User to become when started as root."),
    PATH(ServerConfig, libexec_dir, false,
         "Folder of platen-worker, platen-deliver and its sisters; empty: the folder platend is "
         "in."),
    CHOICE(ServerConfig, log_level, level_words, LOG_INFO, "Least important level that is logged."),
    INTEGER(ServerConfig, drain_s, 0, 600, 30, "Seconds running scans may take after SIGTERM."),
    INTEGER(ServerConfig, free_space_mib, 0, 1 << 20, 256,
            "Free space in MiB that a scan must leave, else it is refused."),
    FIELDS_END,
};

static const Field device_fields[] = {
    { .name = "device_address",
      .type = FIELD_TEXT,
      .offset = offsetof(ServerConfig, device_address),
      .size = FIELD_SIZEOF(ServerConfig, device_address),
      .is_list = true,
      .addresses_max = 2,
      .one_of_each = true,
      .preset_text = "0.0.0.0, ::",
      .help = "Local addresses devices reach us at, one of IPv4, one of IPv6; 0.0.0.0, ::: every "
              "one." },
    { .name = "interfaces",
      .type = FIELD_TEXT,
      .offset = offsetof(ServerConfig, interfaces),
      .size = FIELD_SIZEOF(ServerConfig, interfaces),
      .is_list = true,
      .help =
          "Network interfaces with a name on panels each, separated by commas; empty: one name." },
    PATH(ServerConfig, quirks, false,
         "YAML file with what models do otherwise than they say; empty: what the program knows."),
    INTEGER(ServerConfig, udp_port, 1, 65535, 2968, "UDP port of registration."),
    INTEGER(ServerConfig, tcp_port, 1, 65535, 2968, "TCP port devices report Start to."),
    INTEGER(ServerConfig, scan_port, 1, 65535, 1865, "TCP port where devices listen."),
    BOOLEAN(ServerConfig, multicast, true, "Hear devices that announce themselves by multicast."),
    INTEGER(ServerConfig, interfaces_check_s, 1, 3600, 30,
            "Seconds between two looks whether network interfaces have come or gone."),
    INTEGER(ServerConfig, silent_after_s, 1, 86400, 200,
            "Seconds without an announcement after which a device is silent; it is then tried "
            "whether it can be reached."),
    BOOLEAN(ServerConfig, identify, true,
            "Ask devices whose serial number is not known who they are, so that a new address is "
            "harmless."),
    { .name = "snmp_community",
      .type = FIELD_SECRET,
      .offset = offsetof(ServerConfig, snmp_community),
      .size = FIELD_SIZEOF(ServerConfig, snmp_community),
      .preset_text = "epson",
      .help = "SNMP community that may write in scanners that have only a button." },
    INTEGER(ServerConfig, snmp_port, 1, 65535, 161, "UDP port where devices answer SNMP."),
    INTEGER(ServerConfig, pairing_check_s, 1, 86400, 3600,
            "Seconds between two looks whether a paired scanner still is."),
    FIELDS_END,
};

static const Field http_fields[] = {
    PATH_PRESET(ServerConfig, socket, "/run/platen/platen.sock",
                "Unix socket of the API, for people on this computer."),
    { .name = "http_address",
      .type = FIELD_TEXT,
      .offset = offsetof(ServerConfig, http_address),
      .size = FIELD_SIZEOF(ServerConfig, http_address),
      .is_list = true,
      .addresses_max = 7, /* http/server.h has room for the Unix socket as well */
      .preset_text = "127.0.0.1",
      .help = "Local addresses of the HTTPS listeners; 0.0.0.0, ::: every one." },
    INTEGER(ServerConfig, http_port, 0, 65535, 8443, "TCP port of HTTPS; 0 switches it off."),
    PATH(ServerConfig, certificate, false,
         "PEM file of the certificate chain; empty: one is made in data_dir."),
    PATH(ServerConfig, key, false, "PEM file of the certificate's key."),
    FIELDS_END,
};

static const Field deliver_fields[] = {
    PATH(ServerConfig, programs, false,
         "Folder with the only programs that destinations may run; empty: none may."),
    FIELDS_END,
};

static const Field limit_fields[] = {
    INTEGER(ServerConfig, spool_threads, 1, 4, 2, "Threads that write pages."),
    INTEGER(ServerConfig, api_threads, 1, 16, 6, "Threads that answer the API."),
    INTEGER(ServerConfig, readers, 1, 16, 2, "Processes that read pages."),
    INTEGER(ServerConfig, composers, 1, 16, 1, "Processes that write documents."),
    INTEGER(ServerConfig, traces_mib, 4, 65536, 512,
            "MiB that all traces of devices may take; one gets at most a quarter."),
    FIELDS_END,
};

/* Days, or the word for all of them. */
#define DAYS(m, lo, def, h)                                                              \
    {                                                                                    \
        .name = #m, .type = FIELD_INT, .offset = offsetof(ServerConfig, m), .min = (lo), \
        .max = RETENTION_FOREVER, .max_word = "forever", .preset = (def), .help = (h)    \
    }

static const Field retention_fields[] = {
    DAYS(keep_files_days, 0, 30,
         "Days that pages and documents are kept after their batch is done; 0: not at all."),
    DAYS(keep_history_days, 1, 365, "Days that batches, deliveries and events stay in the lists."),
    INTEGER(ServerConfig, keep_traces_days, 1, 365, 14,
            "Days after which a trace of a device is removed."),
    FIELDS_END,
};

const ConfigSection server_config_sections[] = {
    { "server", server_fields },
    { "devices", device_fields },
    { "http", http_fields },
    { "deliver", deliver_fields },
    { "limits", limit_fields },
    { "retention", retention_fields },
    { NULL, NULL },
};

typedef struct Reading {
    ServerConfig *config;
    ConfigProblem *problem;
    void *arg;
    FILE *file;
    uint32_t line;     /* that is read */
    bool indented;     /* it begins with a blank */
    const Field *last; /* key of the line before */
    bool bad;
} Reading;

/* Where the line of a key is kept: its place in all sections. False: no such key. */
static bool key_place(const char *section, const char *key, const char **ret_section,
                      size_t *ret_place)
{
    size_t place = 0;

    for (const ConfigSection *s = server_config_sections; s->name; s++)
        for (const Field *f = s->fields; f->name && place < CONFIG_KEYS_MAX; f++, place++)
            if ((!section || text_equal(section, s->name)) && text_equal(key, f->name)) {
                *ret_section = s->name;
                *ret_place = place;
                return true;
            }
    return false;
}

static void say_at(const Reading *r, uint32_t line, const char *section, const char *key,
                   const char *what)
{
    char sentence[768], at[24] = "";

    if (line > 0)
        (void)text_printf(at, sizeof at, "line %u: ", line);
    (void)text_printf(sentence, sizeof sentence, "%s: %s[%s] %s: %s", r->config->path, at, section,
                      key, what);
    r->problem(r->arg, sentence);
}

/* Of the line that is read, or, of the whole, of the line where the key was set. */
static void say(Reading *r, const char *section, const char *key, const char *what)
{
    uint32_t line = r->line;
    size_t place;

    if (line == 0 && key_place(section, key, &section, &place))
        line = r->config->lines[place];
    say_at(r, line, section, key, what);
    r->bad = true;
}

void server_config_say(const ServerConfig *config, const char *key, const char *what,
                       ConfigProblem *problem, void *arg)
{
    const Reading r = { .config = (ServerConfig *)(uintptr_t)config,
                        .problem = problem,
                        .arg = arg };
    const char *section;
    size_t place;

    if (key_place(NULL, key, &section, &place))
        say_at(&r, config->lines[place], section, key, what);
    else
        problem(arg, what);
}

static void set_preset(ServerConfig *config, const Field *f)
{
    char *at = (char *)config + f->offset;

    if (f->type == FIELD_TEXT || f->type == FIELD_SECRET)
        (void)text_copy(at, f->size, f->preset_text ? f->preset_text : "");
    else if (f->type == FIELD_BOOL)
        *(bool *)(void *)at = f->preset != 0;
    else
        *(int64_t *)(void *)at = f->preset;
}

static bool set_number(int64_t *to, const Field *f, const char *value)
{
    if (!f->max_word || !text_equal(value, f->max_word))
        return text_to_int(value, f->min, f->max, to);
    *to = f->max;
    return true;
}

static bool set_choice(int64_t *to, const Field *f, const char *value)
{
    for (int64_t i = 0; f->choices[i]; i++)
        if (text_equal(f->choices[i], value)) {
            *to = i;
            return true;
        }
    return false;
}

static bool set_bool(bool *to, const char *value)
{
    bool yes = text_equal(value, "true") || text_equal(value, "yes");

    if (!yes && !text_equal(value, "false") && !text_equal(value, "no"))
        return false;
    *to = yes;
    return true;
}

static bool set_text(char *to, size_t size, const char *value, bool append)
{
    size_t n = append ? strlen(to) : 0;

    while (n > 0 && strchr(", \t", to[n - 1]))
        n--;
    return n == 0 ? text_copy(to, size, value) : text_printf(to + n, size - n, ", %s", value);
}

/* append: to what former lines have set. NULL when the value was taken, else what is wrong with it. */
static const char *set_value(ServerConfig *config, const Field *f, const char *value, bool append,
                             char *why, size_t why_size)
{
    char *at = (char *)config + f->offset;

    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_SECRET:
        if (f->is_path && value[0] && value[0] != '/')
            return "not an absolute path; give it from the root, beginning with /";
        if (set_text(at, f->size, value, append))
            return NULL;
        (void)text_printf(why, why_size, "longer than %zu bytes", f->size - 1);
        return why;
    case FIELD_INT:
        if (set_number((int64_t *)(void *)at, f, value))
            return NULL;
        (void)text_printf(why, why_size, "\"%.40s\" is not a number from %lld to %lld%s%s", value,
                          (long long)f->min, (long long)f->max, f->max_word ? " or " : "",
                          f->max_word ? f->max_word : "");
        return why;
    case FIELD_BOOL:
        return set_bool((bool *)(void *)at, value) ? NULL : "neither true nor false";
    case FIELD_CHOICE:
        return set_choice((int64_t *)(void *)at, f, value)
                   ? NULL
                   : "not one of error, warning, info, debug";
    default:
        return "of a kind a file cannot hold";
    }
}

static const Field *section_fields(const char *section)
{
    for (const ConfigSection *s = server_config_sections; s->name; s++)
        if (text_equal(s->name, section))
            return s->fields;
    return NULL;
}

static void say_unknown_key(Reading *r, const char *section, const char *key, const Field *fields)
{
    const char *names[32] = { NULL };
    char what[128];

    for (size_t i = 0; fields[i].name && i < COUNT_OF(names) - 1; i++)
        names[i] = fields[i].name;
    const char *nearest = text_nearest(key, names);
    (void)text_printf(what, sizeof what, nearest ? "unknown key, did you mean %s?" : "unknown key",
                      nearest);
    say(r, section, key, what);
}

static int take_line(void *arg, const char *section, const char *key, const char *value)
{
    const Field *fields = section_fields(section);
    Reading *r = arg;
    char why[96];
    size_t place;

    if (!fields) {
        say(r, section, key,
            "unknown section; there are server, devices, http, deliver, limits, retention");
        return 1;
    }
    for (const Field *f = fields; f->name; f++) {
        if (!text_equal(f->name, key))
            continue;
        /* The library takes an indented line for the value of the key before it, when its section has one. */
        bool continues = r->indented && f == r->last;
        const char *wrong = continues && !f->is_list
                                ? "is not a list that could go on in this line: a key must not "
                                  "have a blank before it"
                                : set_value(r->config, f, value, continues, why, sizeof why);
        if (key_place(section, key, &section, &place) && !continues)
            r->config->lines[place] = r->line;
        r->last = f;
        if (wrong)
            say(r, section, key, wrong);
        return 1;
    }
    say_unknown_key(r, section, key, fields);
    return 1;
}

unsigned server_config_names(const ServerConfig *config)
{
    unsigned names = 1;

    for (const char *c = config->interfaces; *c; c++)
        names += *c == ',';
    return names;
}

bool server_config_address(const char **list, char *ret_address, size_t size)
{
    Bytes word;

    if (!text_next_word(list, " ,", &word))
        return false;
    bool brackets = word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']';
    (void)text_copy_bytes(ret_address, size,
                          (Bytes){ word.p + brackets, word.n - 2 * (size_t)brackets });
    return true;
}

static bool is_every_address(const char *list)
{
    char address[sizeof((ServerConfig *)0)->device_address];

    while (server_config_address(&list, address, sizeof address))
        if (!text_equal(address, "0.0.0.0") && !text_equal(address, "::"))
            return false;
    return true;
}

static void check_address_list(Reading *r, const char *section, const Field *f)
{
    const char *list = (const char *)r->config + f->offset, *key = f->name;
    char address[sizeof r->config->http_address], what[64];
    unsigned count = 0, v4 = 0, v6 = 0, most = f->addresses_max;

    while (server_config_address(&list, address, sizeof address)) {
        NetAddress parsed;
        Err err = { 0 };

        count++;
        if (!net_address_parse(address, 0, &parsed, &err)) {
            say(r, section, key, err.text);
            continue;
        }
        v4 += parsed.family == NET_IPV4;
        v6 += parsed.family == NET_IPV6;
    }
    if (f->one_of_each && count <= most && (v4 > 1 || v6 > 1))
        say(r, section, key, "takes one address of IPv4 and one of IPv6");
    if (count >= 1 && count <= most)
        return;
    (void)text_printf(what, sizeof what, "must name 1 to %u addresses of this computer", most);
    say(r, section, key, what);
}

/* The names of interfaces: as many as there may be, none twice. */
static void check_interfaces(Reading *r)
{
    char list[sizeof r->config->interfaces], *left = list, *name;
    const char *seen[INTERFACES_MAX];
    size_t count = 0;

    (void)text_copy(list, sizeof list, r->config->interfaces);
    while (list[0] && (name = strsep(&left, ",")) != NULL) {
        name += strspn(name, " ");
        name[strcspn(name, " ")] = '\0';
        if (name[0] == '\0' || strlen(name) >= INTERFACE_NAME_SIZE || strchr(name, '/'))
            say(r, "devices", "interfaces", "has a name that no network interface can have");
        for (size_t i = 0; i < count; i++)
            if (text_equal(name, seen[i]))
                say(r, "devices", "interfaces", "names an interface twice");
        if (count == INTERFACES_MAX) {
            say(r, "devices", "interfaces", "names more than 32");
            return;
        }
        seen[count++] = name;
    }
    if (list[0] && !is_every_address(r->config->device_address))
        say(r, "devices", "interfaces",
            "needs device_address = 0.0.0.0, ::, or one of them: each has its own addresses");
}

static void check_whole(Reading *r)
{
    const ServerConfig *c = r->config;

    if (c->data_dir[0] == '\0')
        say(r, "server", "data_dir", "must not be empty");
    if (!panel_name_is_plain(c->name))
        say(r, "server", "name", "must have 1 to 20 characters and none of (),\\!<=>~");
    for (const ConfigSection *s = server_config_sections; s->name; s++)
        for (const Field *f = s->fields; f->name; f++)
            if (f->addresses_max > 0)
                check_address_list(r, s->name, f);
    check_interfaces(r);
    if (c->snmp_community[0] == '\0')
        say(r, "devices", "snmp_community", "must not be empty; devices come with epson");
    if (c->socket[0] == '\0' || strlen(c->socket) > SOCKET_PATH_BYTES_MAX)
        say(r, "http", "socket", "must have 1 to 100 bytes");
    if (!c->certificate[0] != !c->key[0])
        say(r, "http", "certificate", "certificate and key belong together; one is missing");
}

/* A problem of the file as a whole. */
static void say_of_file(Reading *r, const char *what)
{
    char sentence[512];

    (void)text_printf(sentence, sizeof sentence, "%s: %s", r->config->path, what);
    r->problem(r->arg, sentence);
    r->bad = true;
}

/* The rest of a line that did not fit. True when there was more of it than its end. */
static bool skip_rest(FILE *file)
{
    bool more = false;
    int c;

    while ((c = getc(file)) != EOF && c != '\n')
        more = true;
    return more;
}

/* fgets() that counts lines, since the library tells its handler none, and that lets it see no line in pieces: it
 * would take each for a line. */
static char *next_line(char *to, int size, void *arg)
{
    Reading *r = arg;
    char what[192], *before_end = to + size - 2;

    *before_end = '\n'; /* stays so unless the line reaches it */
    if (!fgets(to, size, r->file))
        return NULL;
    bool fits = *before_end == '\n' || *before_end == '\0';
    size_t blanks = strspn(to, " \t");
    bool comments = to[blanks] == '#' || to[blanks] == ';';
    r->line++;
    r->indented = blanks > 0;
    if (!fits && skip_rest(r->file) && !comments) {
        (void)text_printf(what, sizeof what,
                          "line %u is longer than %d bytes; a list of addresses or interfaces can "
                          "go on in the next line, which then begins with a blank",
                          r->line, size - 1);
        say_of_file(r, what);
        to[0] = '\0'; /* nothing of it counts */
    }
    return to;
}

static void read_file(Reading *r)
{
    struct stat status;
    char what[128] = "";

    if (stat(r->config->path, &status) == 0 && S_ISDIR(status.st_mode)) {
        say_of_file(r, "is a folder; name the file in it");
        return;
    }
    int fd = open(r->config->path, O_RDONLY | O_CLOEXEC);
    r->file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!r->file) {
        (void)text_printf(what, sizeof what, "cannot be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        say_of_file(r, what);
        return;
    }
    int bad_line = ini_parse_stream(next_line, r, take_line, r);
    if (bad_line != 0) /* the library is short of memory, or it is its number */
        (void)text_printf(what, sizeof what, "line %d is not of the form key = value", bad_line);
    else if (ferror(r->file))
        (void)text_copy(what, sizeof what, "cannot be read to its end");
    (void)fclose(r->file);
    r->line = 0;
    if (what[0])
        say_of_file(r, what);
}

bool server_config_read(const char *path, ServerConfig *ret_config, ConfigProblem *problem,
                        void *arg)
{
    Reading r = { .config = ret_config, .problem = problem, .arg = arg };
    bool has_file = path && path[0];

    *ret_config = (ServerConfig){ 0 };
    if (!text_copy(ret_config->path, sizeof ret_config->path, has_file ? path : "presets")) {
        say_of_file(&r, "is too long for a path");
        return false;
    }
    for (const ConfigSection *s = server_config_sections; s->name; s++)
        for (const Field *f = s->fields; f->name; f++)
            set_preset(ret_config, f);
    if (has_file)
        read_file(&r);
    check_whole(&r);
    return !r.bad;
}

/* What the comment says after the help sentence: the values a key can have. */
static bool print_range(const Field *f, Buf *to)
{
    if (f->type == FIELD_INT)
        return buf_printf(to, " %lld to %lld%s%s.", (long long)f->min, (long long)f->max,
                          f->max_word ? " or " : "", f->max_word ? f->max_word : "");
    if (f->type == FIELD_BOOL)
        return buf_put_text(to, " true or false.");
    if (f->type != FIELD_CHOICE)
        return true;
    for (size_t i = 0; f->choices[i]; i++)
        if (!buf_printf(to, "%s%s", i == 0 ? " One of " : ", ", f->choices[i]))
            return false;
    return buf_put_text(to, ".");
}

/* A secret is shown as long as it is the preset, which everybody knows. */
static bool is_hidden(const Field *f, const char *value)
{
    return f->type == FIELD_SECRET && !text_equal(value, f->preset_text);
}

/* In lines that can be read again. */
static bool print_list(const char *list, Buf *to)
{
    enum { LINE_BYTES = 120 };

    while (list[0]) {
        size_t n = strlen(list), cut = LINE_BYTES;

        while (n > LINE_BYTES && cut > 0 && !strchr(", ", list[cut - 1]))
            cut--;
        n = n > LINE_BYTES && cut > 0 ? cut : n;
        const char *next = list + n + strspn(list + n, " ");
        while (n > 0 && list[n - 1] == ' ')
            n--;
        if (!buf_printf(to, " %.*s%s", (int)n, list, next[0] ? "\n   " : ""))
            return false;
        list = next;
    }
    return true;
}

/* A blank and the value; nothing for an empty text, because lines do not end in blanks. */
static bool print_value(const Field *f, const char *at, Buf *to)
{
    if (is_hidden(f, at))
        return true;
    if (f->is_list)
        return print_list(at, to);
    if (f->type == FIELD_TEXT || f->type == FIELD_SECRET)
        return buf_printf(to, "%s%s", at[0] ? " " : "", at);
    if (f->type == FIELD_BOOL)
        return buf_put_text(to, *(const bool *)(const void *)at ? " true" : " false");
    int64_t number = *(const int64_t *)(const void *)at;
    if (f->type == FIELD_CHOICE)
        return buf_printf(to, " %s", f->choices[number]);
    if (f->max_word && number == f->max)
        return buf_printf(to, " %s", f->max_word);
    return buf_printf(to, " %lld", (long long)number);
}

bool server_config_print(const ServerConfig *config, Buf *to)
{
    bool ok = true;

    for (const ConfigSection *s = server_config_sections; s->name && ok; s++) {
        ok = buf_printf(to, "%s[%s]\n", s == server_config_sections ? "" : "\n", s->name);
        for (const Field *f = s->fields; f->name && ok; f++)
            ok = buf_printf(to, "# %s", f->help) && print_range(f, to) &&
                 buf_printf(to,
                            is_hidden(f, (const char *)config + f->offset)
                                ? "\n# %s is set, and not shown"
                                : "\n%s =",
                            f->name) &&
                 print_value(f, (const char *)config + f->offset, to) && buf_put_text(to, "\n");
    }
    return ok;
}
