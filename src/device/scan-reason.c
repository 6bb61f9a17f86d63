/* device/scan-reason.c - the table of device/scan-reason.h. */
#include "device/scan-reason.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/is.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const Reason reasons[] = {
    { "device-error", "The device reported an error.", "Look at its panel, then scan again." },
    { "no-paper", "There is no paper in the feeder.", "Load the originals and scan again." },
    { "paper-jam", "Paper jammed in the feeder.", "Clear the jam and scan the rest again." },
    { "cover-open", "A cover of the device is open.", "Close it and scan again." },
    { "double-feed", "The feeder took two sheets at once.", "Separate them and scan them again." },
    { "lamp-error", "The lamp of the scanner failed.", "Have the device serviced." },
    { "carriage-locked", "The carriage of the scanner is locked.", "Unlock it and scan again." },
    { "tray-closed", "A tray of the feeder is closed.", "Open the tray and scan again." },
    { "login-needed", "The device wants a log-in before it scans.",
      "Allow scanning without log-in in the access control settings of the device." },
    { "login-failed", "The device refused the log-in.",
      "Allow scanning without log-in in the access control settings of the device." },
    { "not-permitted", "The device does not permit this scan.",
      "Check access control in the settings of the device." },
    { "battery-low", "The battery of the device is low.", "Charge it and scan again." },
    { "sensor-error", "A sensor of the feeder is blocked or dirty.", "Clean the feeder." },
    { "remove-paper", "Paper must be removed from the device.", "Remove it and scan again." },
    { "carrier-sheet", "The device does not recognise the carrier sheet.",
      "Put the carrier sheet in as the device shows, or scan without it." },
    { "paper-protection", "The device stopped to protect the paper.",
      "Take the sheet out, straighten it and scan the rest again." },
    { "separation-lever", "The lever for the separation of sheets is in the wrong position.",
      "Set the lever of the feeder and scan again." },
    { "device-position", "The device stands in a position in which it does not scan.",
      "Put it into its scanning position and scan again." },
    { "feeder-raised", "The feeder is raised.", "Lower it and scan again." },
    { "stacker-full", "The output tray is full.", "Empty it and scan the rest again." },
    { "paper-skewed", "A sheet went in askew.", "Straighten the sheets and scan again." },
    { "device-reserved", "Somebody else has reserved the device.", "Wait and scan again." },
    { "device-busy", "The device is busy.", "Wait until it is ready and scan again." },
    { "certificate-changed",
      "The device shows another certificate than before: it was reset or replaced, or somebody is "
      "in between.",
      "If you know why, let it be trusted (platen device trust) and scan again." },
    { "tls-downgraded",
      "The device no longer speaks modern TLS (1.2 or newer), which it did before: its firmware "
      "was "
      "changed, or somebody is in between.",
      "If you know why, let it be trusted (platen device trust) and scan again." },
    { "tls-lost",
      "The device no longer speaks TLS, which it did until now: its settings or firmware were "
      "changed, or somebody is in between.",
      "See that it is your device and who is in between; only an administrator who is sure sets "
      "its transport to plain." },
    { "no-tls", "The device does not speak TLS, which it has to.",
      "If its TLS was switched off, set its transport to plain." },
    { "connect-failed", "No connection to the device.",
      "Check that it is on and that TCP port 1865 is not blocked." },
    { "connection-lost", "The connection to the device was lost.",
      "Check the network and scan the missing pages again." },
    { "no-answer", "The device stopped answering.", "Restart it if that happens again." },
    { "no-progress", "The device delivered nothing for a minute and a half.",
      "Look at its panel, then scan again." },
    { "device-timeout", "The device ended the session because it took too long.",
      "Scan again; check that the server's disk is not overloaded." },
    { "device-rejected", "The device rejected a command and closed.",
      "Report it with model, firmware and job of the device." },
    { "protocol-error", "The device sent something that is not in its protocol.",
      "Report it with model, firmware and job of the device." },
    { "job-control-failed", "The device did not take part in job control.",
      "Report it with model, firmware and job of the device." },
    { "warming-up", "The device is still warming up.", "Wait a minute and scan again." },
    { "source-missing", "The device does not have the source the job asks for.",
      "Set the job's source to automatic." },
    { "format-not-offered", "The device offers no format that can be read.",
      "Use another device for this job." },
    { "settings-not-offered", "The device cannot do what the job asks for.",
      "Change the job, or let it take the nearest (strict_settings off)." },
    { "parameters-refused", "The device refused the scan settings.",
      "Try another resolution or colour in the job." },
    { "two-sided-page", "The device sent the back of a sheet, which was not asked for.",
      "Choose one-sided scanning at the panel." },
    { "page-broken", "A page is no whole JPEG picture.", "Scan it and the rest again." },
    { "page-too-large", "A page is larger than the server takes.", "Lower the resolution." },
    { "too-many-pages", "The scan has more pages than the server takes.",
      "Scan the rest as a second batch." },
    { "store-late", "The server could not store a page in time.", "Check its disk, scan again." },
    { "out-of-memory", "The server has no memory left.",
      "Free memory on the server and scan again." },
    { "server-stopping", "The server was stopped.", "Scan the rest when it runs again." },
    { "cancelled-at-device", "The scan was cancelled at the device.", "" },
    { "cancelled", "The scan was cancelled.", "" },
};

Reason scan_reason(const char *code, const char *detail)
{
    Reason reason = reasons[0];

    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (text_equal(reasons[i].code, code))
            reason = reasons[i];
    if (detail[0] != '\0') {
        size_t n = strlen(reason.text) - 1; /* the full stop moves behind the bracket */

        (void)text_printf(reason.text + n, sizeof reason.text - n, " (%s).", detail);
    }
    return reason;
}

Reason scan_reason_of_connect(int code)
{
    static const struct {
        int code;
        const char *remedy;
    } remedies[] = {
        { ECONNREFUSED,
          "Check that it still has this address and allows network scanning, and that no "
          "firewall refuses TCP port 1865; restart it." },
        { EHOSTUNREACH, "Check that it is on and still has this address; else check the cable and "
                        "routes of the network." },
        { ENETUNREACH, "Give this computer an address or a route in the device's network." },
        { ETIMEDOUT, "Check that it is on and still has this address, and that no firewall drops "
                     "TCP port 1865." },
    };
    char words[96];
    Reason reason = scan_reason("connect-failed",
                                code ? strerror_r(code, words, sizeof words) : "");

    for (size_t i = 0; i < COUNT_OF(remedies); i++)
        if (remedies[i].code == code)
            (void)text_copy(reason.remedy, sizeof reason.remedy, remedies[i].remedy);
    return reason;
}

/* #err causes of ESC/I-2: epsonds and Epson's own source name them. */
static const struct {
    char cause[ESCI2_WORD_SIZE];
    const char *code;
} causes[] = {
    { "PE", "no-paper" },          { "PJ", "paper-jam" },          { "OPN", "cover-open" },
    { "DFED", "double-feed" },     { "ERR", "device-error" },      { "LTF", "lamp-error" },
    { "LOCK", "carriage-locked" }, { "DTCL", "tray-closed" },      { "AUTH", "login-failed" },
    { "PERM", "not-permitted" },   { "BTLO", "battery-low" },      { "CSS", "carrier-sheet" },
    { "ETS", "sensor-error" },     { "PES", "sensor-error" },      { "GAP", "sensor-error" },
    { "PRMW", "remove-paper" },    { "STK", "stacker-full" },      { "PSKW", "paper-skewed" },
    { "LIFT", "feeder-raised" },   { "PPRT", "paper-protection" }, { "SEP", "separation-lever" },
    { "POSE", "device-position" },
};

Reason scan_reason_of_error(const Esci2Error *error)
{
    char detail[32];
    const char *code = "device-error";

    for (size_t i = 0; i < COUNT_OF(causes); i++)
        if (esci2_word_is(error->cause, causes[i].cause))
            code = causes[i].code;
    (void)text_printf(detail, sizeof detail, "%.4s %.4s", error->part, error->cause);
    text_make_printable(detail);
    return scan_reason(code, detail);
}

Reason scan_reason_of_event(uint8_t code)
{
    if (code == IS_EVENT_DISCONNECT)
        return scan_reason("connection-lost", "the device ended it");
    return code == IS_EVENT_TIMEOUT ? scan_reason("device-timeout", "")
                                    : scan_reason("device-rejected", "server error");
}

Reason scan_reason_of_refusal(const char *word, const char *command)
{
    Reason reason = scan_reason("device-rejected", "");

    if (text_equal(word, "UNKN"))
        (void)text_printf(reason.text, sizeof reason.text,
                          "The device does not know a command (%s).", command);
    else
        (void)text_printf(reason.text, sizeof reason.text, "The device refused a command (%s, %s).",
                          command, word);
    return reason;
}

const char *scan_reason_of_not_ready(const char *word)
{
    if (esci2_word_is(word, "RSVD"))
        return "device-reserved";
    return esci2_word_is(word, "AFEN") ? "login-needed" : "device-busy";
}

Reason scan_reason_of_notes(const ScanNotes *notes)
{
    Reason bare = scan_reason("settings-not-offered", "");
    char detail[sizeof bare.text]; /* what the sentence leaves; its full stop is counted */

    (void)scan_notes_say(notes, detail, sizeof bare.text - strlen(bare.text) - strlen(" ()"));
    return scan_reason("settings-not-offered", detail);
}
