/* mfp/options.c - the option table of platen-mfp and what each option takes. */
#include "mfp/options.h"

#include "base/text.h"
#include "wire/enpc.h"
#include "wire/is.h"
#include "wire/pushscan.h"
#include "wire/snmp.h"

#include <string.h>

enum {
    PORT_MAX = 65535,
    EXIT_AFTER_MAX = 1000000,
    ANNOUNCE_SECONDS_MAX = 3600,
    DRIP_BYTES_MAX = 1000000,
    DELAY_MS_MAX = 60000,
    COUNT_MAX = 1000,
    PPM_MAX = 1000,
};

enum { MODEL_NAMES_MAX = 16 };

#define DEFAULT_ADDRESS "127.0.0.1"
#define DEFAULT_CHOICE  "02"
#define DEFAULT_PRODUCT "PID 1147"

typedef bool TakeFn(Options *options, const char *value, Err *err);

static bool expected(Err *err, const char *what, const char *value)
{
    return err_set(err, ERR_BAD_INPUT, 0, "expected %s, not \"%s\"", what, value);
}

static bool take_address(Options *options, const char *value, Err *err)
{
    if (!net_address_parse(value, 0, &options->address, err))
        return false;
    if (options->address.port != 0 || net_address_is_any(&options->address))
        return expected(err, "one address of this host without a port", value);
    return true;
}

static bool take_port(const char *value, uint16_t *ret_port, Err *err)
{
    int64_t port;

    if (!text_to_int(value, 0, PORT_MAX, &port))
        return expected(err, "a port, 0 to 65535", value);
    *ret_port = (uint16_t)port;
    return true;
}

static bool take_scan_port(Options *options, const char *value, Err *err)
{
    return take_port(value, &options->scan_port, err);
}

static bool take_panel_port(Options *options, const char *value, Err *err)
{
    options->panel = true;
    return take_port(value, &options->panel_port, err);
}

static bool take_pages(Options *options, const char *value, Err *err)
{
    return text_copy(options->pages, sizeof options->pages, value) ||
           expected(err, "a shorter path", value);
}

static bool take_sheets(Options *options, const char *value, Err *err)
{
    int64_t sheets;

    if (!text_to_int(value, 1, TRAY_SHEETS_MAX, &sheets))
        return expected(err, "a number of sheets from 1", value);
    options->sheets = (size_t)sheets;
    return true;
}

static bool take_source(Options *options, const char *value, Err *err)
{
    if (text_equal(value, "adf"))
        options->source = MFP_ADF;
    else if (text_equal(value, "flatbed"))
        options->source = MFP_FLATBED;
    else
        return expected(err, "adf or flatbed", value);
    return true;
}

static bool take_model(Options *options, const char *value, Err *err)
{
    const char *names[MODEL_NAMES_MAX] = { NULL };

    options->kind.model = model_find(value);
    if (options->kind.model)
        return true;
    for (size_t i = 0; i + 1 < COUNT_OF(names) && model_at(i); i++)
        names[i] = model_at(i)->name;
    const char *near = text_nearest(value, names);
    err_set(err, ERR_BAD_INPUT, 0, "expected a model, not \"%s\"", value);
    return near ? err_remedy(err, "Did you mean %s?", near)
                : err_remedy(err, "See platen-mfp --help.");
}

/* The number of value in a list of words that ends with NULL; false when it is none of them. */
static bool take_word(const char *const *words, const char *value, const char *what,
                      int *ret_number, Err *err)
{
    for (int i = 0; words[i]; i++)
        if (text_equal(words[i], value)) {
            *ret_number = i;
            return true;
        }
    return expected(err, what, value);
}

static bool take_duplex(Options *options, const char *value, Err *err)
{
    static const char *const words[] = { "none", "sequential", "interleaved", "double-pass", NULL };
    int number = 0;

    if (!take_word(words, value, "sequential, interleaved or double-pass", &number, err))
        return false;
    options->duplex = (MfpDuplex)number;
    return true;
}

static bool take_formats(Options *options, const char *value, Err *err)
{
    static const char *const words[] = { "both", "jpeg", "raw", NULL };
    int number = 0;

    if (!take_word(words, value, "both, jpeg or raw", &number, err))
        return false;
    options->kind.formats = (MfpFormats)number;
    return true;
}

static bool take_last_first(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->kind.last_first = true;
    return true;
}

static bool take_number(const char *value, int64_t min, int64_t max, uint32_t *ret_number, Err *err)
{
    int64_t number;

    if (!text_to_int(value, min, max, &number))
        return err_set(err, ERR_BAD_INPUT, 0, "expected a number from %lld to %lld, not \"%s\"",
                       (long long)min, (long long)max, value);
    *ret_number = (uint32_t)number;
    return true;
}

static bool take_dpi(Options *options, const char *value, Err *err)
{
    return take_number(value, PICTURE_DPI_MIN, PICTURE_DPI_MAX, &options->dpi, err);
}

static bool take_padding(Options *options, const char *value, Err *err)
{
    return take_number(value, 0, PAGE_LINE_PADDING_MAX, &options->line_padding, err);
}

static bool take_fault(Options *options, const char *value, Err *err)
{
    return fault_parse(value, &options->fault, err);
}

static bool take_events(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->says_events = true;
    return true;
}

static bool take_stamp(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->stamps = true;
    return true;
}

static bool take_legacy(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->legacy = true;
    return true;
}

static bool take_button(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->button = true;
    return true;
}

static bool take_snmp_port(Options *options, const char *value, Err *err)
{
    return take_port(value, &options->snmp_port, err) &&
           (options->snmp_port != 0 || err_set(err, ERR_BAD_INPUT, 0, "expected 1 to 65535"));
}

static bool take_paired(Options *options, const char *value, Err *err)
{
    return (slp_name_is_plain(value) &&
            text_copy(options->paired, sizeof options->paired, value)) ||
           err_set(err, ERR_BAD_INPUT, 0, "expected the name of a destination");
}

static bool take_enpc_port(Options *options, const char *value, Err *err)
{
    return take_port(value, &options->enpc_port, err);
}

static bool take_split(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->drip.split = true;
    return true;
}

static bool take_drip(Options *options, const char *value, Err *err)
{
    return take_number(value, 1, DRIP_BYTES_MAX, &options->drip.bytes, err);
}

static bool take_delay(Options *options, const char *value, Err *err)
{
    return take_number(value, 1, DELAY_MS_MAX, &options->drip.delay_ms, err);
}

static bool take_ppm(Options *options, const char *value, Err *err)
{
    return take_number(value, 1, PPM_MAX, &options->pages_a_minute, err);
}

static bool take_count(Options *options, const char *value, Err *err)
{
    return take_number(value, 1, COUNT_MAX, &options->count, err);
}

/* HOST or HOST:PORT; names are looked up later. */
static bool take_server(Options *options, const char *value, Err *err)
{
    const char *colon = strrchr(value, ':');
    size_t host_bytes = colon ? (size_t)(colon - value) : strlen(value);

    if (host_bytes == 0 || !text_copy_bytes(options->server_host, sizeof options->server_host,
                                            (Bytes){ (const uint8_t *)value, host_bytes }))
        return expected(err, "HOST or HOST:PORT", value);
    return !colon || take_port(colon + 1, &options->server_port, err);
}

/* NAME=ADDRESS or NAME=ADDRESS:PORT. */
static bool take_destination(Options *options, const char *value, Err *err)
{
    const char *equals = strchr(value, '=');
    size_t name_bytes = equals ? (size_t)(equals - value) : 0;

    if (name_bytes == 0 ||
        !text_copy_bytes(options->destination_name, sizeof options->destination_name,
                         (Bytes){ (const uint8_t *)value, name_bytes }))
        return expected(err, "NAME=ADDRESS or NAME=ADDRESS:PORT", value);
    return net_address_parse(equals + 1, PUSHSCAN_PORT, &options->destination, err);
}

bool options_choice_is_valid(const char *choice)
{
    return strlen(choice) == OPTIONS_CHOICE_SIZE - 1 && strchr("01", choice[0]) &&
           strchr("124", choice[1]);
}

/* NAME or NAME:CHOICE. */
static bool take_press(Options *options, const char *value, Err *err)
{
    const char *colon = strrchr(value, ':');
    size_t name_bytes = colon ? (size_t)(colon - value) : strlen(value);

    if (name_bytes == 0 || !text_copy_bytes(options->press_name, sizeof options->press_name,
                                            (Bytes){ (const uint8_t *)value, name_bytes }))
        return expected(err, "a name of at most 63 bytes", value);
    options->press_has_choice = colon != NULL;
    if (colon && (!options_choice_is_valid(colon + 1) ||
                  !text_copy(options->press_choice, sizeof options->press_choice, colon + 1)))
        return expected(err, "NAME:CHOICE with 0 or 1 for the sides, then 1, 2 or 4, like 02",
                        value);
    return true;
}

static bool take_product(Options *options, const char *value, Err *err)
{
    return text_copy(options->product, sizeof options->product, value) ||
           expected(err, "at most 16 characters", value);
}

static bool take_serial(Options *options, const char *value, Err *err)
{
    return text_copy(options->serial, sizeof options->serial, value) ||
           expected(err, "at most 12 characters", value);
}

static bool take_exit_after(Options *options, const char *value, Err *err)
{
    int64_t scans;

    if (!text_to_int(value, 1, EXIT_AFTER_MAX, &scans))
        return expected(err, "a number of scans from 1", value);
    options->exit_after = (uint32_t)scans;
    return true;
}

static bool take_announce(Options *options, const char *value, Err *err)
{
    int64_t seconds;

    if (!text_to_int(value, 1, ANNOUNCE_SECONDS_MAX, &seconds))
        return expected(err, "seconds from 1 to 3600", value);
    options->announce_ms = seconds * 1000;
    return true;
}

static bool take_registration(Options *options, const char *value, Err *err)
{
    if (!text_equal(value, "2") && !text_equal(value, "3"))
        return expected(err, "2 or 3", value);
    options->registration = value[0] == '3' ? 3 : 2;
    return true;
}

static bool take_tls(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->tls = true;
    return true;
}

static bool take_tls_certificate(Options *options, const char *value, Err *err)
{
    options->tls = true;
    return (value[0] && text_copy(options->tls_identity, sizeof options->tls_identity, value)) ||
           expected(err, "a path of less than 1000 bytes", value);
}

static bool take_help(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->help = true;
    return true;
}

static bool take_version(Options *options, const char *value, Err *err)
{
    (void)value;
    (void)err;
    options->version = true;
    return true;
}

static const struct Option {
    const char *name;
    const char *value; /* what stands for the value in the help; NULL: takes none */
    TakeFn *take;
    const char *help; /* lines are broken by hand: 52 columns */
} table[] = {
    { "--pages", "DIR", take_pages,
      "JPEG, PNG, TIFF and PDF files, fed in the order of\n"
      "their names; a JPEG that is what was asked for is\n"
      "sent byte for byte; what is none is skipped; required" },
    { "--dpi", "N", take_dpi,
      "resolution of pictures that do not say theirs;\ndefault: that of the scan, pixel for "
      "pixel" },
    { "--model", "NAME", take_model,
      "what a real device says about itself: ET-2750,\nET-4800, XP-7100, ET-4950, FF-680W or "
      "DS-575W" },
    { "--legacy", NULL, take_legacy, "an older device: ESC/I, raw lines; glass and feeder" },
    { "--source", "adf|flatbed", take_source,
      "adf (default): a scanner with a feeder only; flatbed:\n"
      "a device with an empty feeder and the next picture on\nits glass at every scan" },
    { "--sheets", "N", take_sheets,
      "sheets in the feeder at the start; default: each file\n"
      "once; more than there are files: they come again" },
    { "--duplex", "HOW", take_duplex,
      "sheets have two sides: sequential, interleaved (blocks\n"
      "of both by turns) or double-pass (backs upside down)" },
    { "--last-first", NULL, take_last_first, "the feeder delivers the last sheet first" },
    { "--formats", "WHICH", take_formats, "both (default), jpeg or raw" },
    { "--line-padding", "BYTES", take_padding, "zeros behind each raw line (0)" },
    { "--stamp", NULL, take_stamp, "each JPEG carries a comment: serial number and page" },
    { "--fault", "KIND[@PAGE]", take_fault,
      "what goes wrong, at once or within this page (below)" },
    { "--events", NULL, take_events, "informational events too; SANE does not take them" },
    { "--split", NULL, take_split, "packets leave in pieces that are cut in headers" },
    { "--drip", "BYTES", take_drip, "packets leave in pieces of so many bytes" },
    { "--delay", "MS", take_delay, "time before each packet or piece" },
    { "--ppm", "N", take_ppm, "pages a minute; default: as fast as they are asked for" },
    { "--count", "N", take_count, "devices, on addresses and with serials counted up" },
    { "--address", "A", take_address,
      "the device's own address (" DEFAULT_ADDRESS "), of IPv4 or IPv6:\n"
      "fd00::17, fe80::17%eth0" },
    { "--port", "N", take_scan_port, "TCP port for scans (1865, where servers look); 0: any" },
    { "--enpc-port", "N", take_enpc_port,
      "UDP port on which it is found by broadcast (3289);\n0: it is not found" },
    { "--server", "HOST[:PORT]", take_server,
      "announce to this host (UDP 2968) instead of to the\nmulticast group " SLP_GROUP },
    { "--destination", "NAME=A[:PORT]", take_destination,
      "this destination is on the panel without registration,\nwhich there is with IPv4 only" },
    { "--announce-every", "SECONDS", take_announce, "period of announcements (60)" },
    { "--registration", "2|3", take_registration,
      "version of announcements and of Start; default: that\nof the model, else 2. Version 3 is "
      "told of jobs" },
    { "--button", NULL, take_button,
      "a scanner without a panel: Start tells only the host it\nis paired with, by SNMP" },
    { "--paired", "NAME", take_paired, "the host it is paired with at the start (none)" },
    { "--snmp-port", "N", take_snmp_port, "UDP port on which it is paired (161)" },
    { "--tls", NULL, take_tls, "scan port over TLS only, with a new certificate" },
    { "--tls-certificate", "FILE", take_tls_certificate,
      "--tls with the key and certificate of this PEM file,\nwhich is made when it is not there" },
    { "--press", "NAME[:CHOICE]", take_press,
      "when this destination appears, press Start once;\n"
      "CHOICE: sides (0, 1) and action (1 JPEG, 2 PDF,\n4 preview), default " DEFAULT_CHOICE },
    { "--panel-port", "N", take_panel_port, "web panel on this port of the address; 0: any" },
    { "--product", "ID", take_product, "product id (PID 1147)" },
    { "--serial", "S", take_serial, "serial number (VIRTUAL001)" },
    { "--exit-after", "N", take_exit_after,
      "exit with 0 after N complete scans, with 1 as soon\nas one fails or a press is refused" },
    { "--help", NULL, take_help, "this text" },
    { "--version", NULL, take_version, "the version" },
};

enum { OPTION_COUNT = sizeof table / sizeof *table };

static const struct Option *find_option(const char *name, size_t bytes, Err *err)
{
    const char *names[OPTION_COUNT + 1] = { NULL };

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = table[i].name;
        if (strlen(names[i]) == bytes && strncmp(names[i], name, bytes) == 0)
            return &table[i];
    }
    const char *near = text_nearest(name, names);
    err_set(err, ERR_BAD_INPUT, 0, "%s: no such option", name);
    if (near)
        err_remedy(err, "Did you mean %s?", near);
    else
        err_remedy(err, "See platen-mfp --help.");
    return NULL;
}

/* Takes one option and its value, "--name value" or "--name=value"; moves *at behind them. */
static bool take_option(char *const argv[], int argc, int *at, Options *options, Err *err)
{
    const char *text = argv[(*at)++];
    const char *equals = strchr(text, '=');
    const struct Option *option = find_option(text, equals ? (size_t)(equals - text) : strlen(text),
                                              err);
    const char *value = equals ? equals + 1 : NULL;

    if (!option)
        return false;
    if (option->value && !value && *at < argc)
        value = argv[(*at)++];
    if (!option->value != !value) {
        err_set(err, ERR_BAD_INPUT, 0, "%s %s", option->name,
                value ? "takes no value" : "needs a value");
        return err_remedy(err, "See platen-mfp --help.");
    }
    return option->take(options, value, err) || err_prefix(err, "%s", option->name);
}

/* Registration knows IPv4 only; a connection comes from and goes to one family. */
static bool check_families(const Options *options, Err *err)
{
    if (options->address.family == NET_IPV6 && options->server_host[0]) {
        err_set(err, ERR_BAD_INPUT, 0,
                "--server: at an address of IPv6 a device does not register");
        return err_remedy(err, "Name the destination: --destination NAME=[ADDRESS]:PORT.");
    }
    if (options->destination_name[0] && options->destination.family != options->address.family) {
        err_set(err, ERR_BAD_INPUT, 0,
                "--destination and --address: one is of IPv4, the other of IPv6");
        return err_remedy(err, "Give both of one family.");
    }
    return true;
}

static bool check_together(const Options *options, Err *err)
{
    if (options->help || options->version)
        return true;
    if (!options->pages[0]) {
        err_set(err, ERR_BAD_INPUT, 0, "--pages DIR is missing");
        return err_remedy(err, "Name a folder with JPEG, PNG, TIFF or PDF files.");
    }
    if (options->kind.model && (options->kind.formats || options->kind.last_first)) {
        err_set(err, ERR_BAD_INPUT, 0, "--model says formats and order by itself");
        return err_remedy(err, "Leave out --formats and --last-first.");
    }
    if (options->stamps && (options->legacy || options->kind.formats == MFP_RAW_ONLY)) {
        err_set(err, ERR_BAD_INPUT, 0, "--stamp: raw lines have no room for a comment");
        return err_remedy(err, "Leave out --stamp, or --legacy and --formats raw.");
    }
    if (options->paired[0] && !options->button) {
        err_set(err, ERR_BAD_INPUT, 0, "--paired: a device with a panel is paired with nobody");
        return err_remedy(err, "Add --button.");
    }
    if (options->legacy &&
        (options->kind.model || options->kind.formats || options->line_padding)) {
        err_set(err, ERR_BAD_INPUT, 0,
                "--legacy: such a device is no --model and has raw lines only");
        return err_remedy(err, "Leave out --model, --formats and --line-padding.");
    }
    if (options->kind.model && options->source == MFP_FLATBED && !model_has_glass(&options->kind))
        return err_set(err, ERR_BAD_INPUT, 0, "--source flatbed: the %s has no glass",
                       options->kind.model->name);
    if (options->duplex && !model_has_duplex(&options->kind))
        return err_set(err, ERR_BAD_INPUT, 0, "--duplex: the %s scans one side",
                       options->kind.model->name);
    if (options->registration == 3 && options->legacy)
        return err_set(err, ERR_BAD_INPUT, 0, "--legacy: such devices are of version 2");
    if (options->registration == 3 && options->press_has_choice) {
        err_set(err, ERR_BAD_INPUT, 0, "--press: a device of version 3 starts jobs, not choices");
        return err_remedy(err, "Leave out the choice behind the name, or set --registration 2.");
    }
    if (options->source == MFP_FLATBED && options->sheets > 0) {
        err_set(err, ERR_BAD_INPUT, 0,
                "--sheets fills the feeder, --source flatbed leaves it empty");
        return err_remedy(err, "Leave one of them out.");
    }
    return check_families(options, err);
}

/* What follows from other options. */
static void complete(Options *options)
{
    const MfpModel *model = options->kind.model;

    if (!model)
        options->kind.duplex = options->duplex;
    if (model && !model_has_feeder(&options->kind))
        options->source = MFP_FLATBED;
    /* All older devices that are known have a feeder and a glass. */
    options->kind.glass = options->source == MFP_FLATBED || options->legacy;
    if (options->registration == 0)
        options->registration = model && model->is_v3 ? 3 : 2;
    if (!options->product[0])
        (void)text_copy(options->product, sizeof options->product,
                        model ? model->product : DEFAULT_PRODUCT);
}

bool options_read(int argc, char *const argv[], Options *ret_options, Err *err)
{
    Options options = {
        .scan_port = IS_PORT,
        .enpc_port = ENPC_PORT,
        .snmp_port = SNMP_PORT,
        .server_port = SLP_PORT,
        .press_choice = DEFAULT_CHOICE,
        .count = 1,
        .serial = "VIRTUAL001",
        .announce_ms = 60000,
    };

    if (!take_address(&options, DEFAULT_ADDRESS, err))
        return false;
    for (int at = 1; at < argc;)
        if (!take_option(argv, argc, &at, &options, err))
            return false;
    complete(&options);
    if (!check_together(&options, err))
        return false;
    *ret_options = options;
    return true;
}

/* One option with its explanation behind column 26, its further lines below. */
static void help_on(Buf *to, const struct Option *option)
{
    const char *line = option->help;
    int left = -26;

    (void)buf_printf(to, "  %s%s%s", option->name, option->value ? " " : "",
                     option->value ? option->value : "");
    left += 2 + (int)strlen(option->name) + (option->value ? 1 + (int)strlen(option->value) : 0);
    (void)buf_printf(to, "%*s", left < 0 ? -left : 1, "");
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        (void)buf_printf(to, "%.*s\n%26s", (int)(end - line), line, "");
    (void)buf_printf(to, "%s\n", line);
}

void options_help(Buf *to)
{
    (void)buf_put_text(to, "platen-mfp - a virtual Epson multifunction printer\n\n"
                           "Usage: platen-mfp --pages DIR [OPTION VALUE]...\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        help_on(to, &table[i]);
    (void)buf_put_text(to, "\nKinds of --fault:");
    for (size_t i = 0; fault_at(i); i++)
        (void)buf_printf(to, "%s%s", i % 6 ? " " : "\n  ", fault_at(i)->name);
    (void)buf_put_text(
        to, "\n\nOn standard output it prints one line per event: ready, paired, destination,\n"
            "destination-gone, pressed, scan-begin, page, fault, scan-end; and "
            "page-acknowledged,\n"
            "when the client spoke on after a page. With --count each line ends with device=A.\n");
}
