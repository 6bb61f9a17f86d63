/* mfp/fault.c - the table of mfp/fault.h. Causes: those that Epson's driver and SANE know. */
#include "mfp/fault.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/is.h"

static const FaultKind kinds[] = {
    { "empty", FAULT_EMPTY, NULL, 0, "The feeder is empty." },
    { "jam", FAULT_CAUSE, "PJ  ", 0, "Paper jam." },
    { "cover", FAULT_CAUSE, "OPN ", 0, "The cover is open." },
    { "double-feed", FAULT_CAUSE, "DFED", 0, "Two sheets were fed at once." },
    { "error", FAULT_CAUSE, "ERR ", 0, "Fatal error. Switch it off and on." },
    { "lamp", FAULT_CAUSE, "LTF ", 0, "The lamp has failed." },
    { "lock", FAULT_CAUSE, "LOCK", 0, "The carriage is locked for transport." },
    { "tray", FAULT_CAUSE, "DTCL", 0, "The tray is closed." },
    { "auth", FAULT_CAUSE, "AUTH", 0, "The user is not known." },
    { "permission", FAULT_CAUSE, "PERM", 0, "Scanning is not permitted." },
    { "battery", FAULT_CAUSE, "BTLO", 0, "The battery is empty." },
    { "carrier-sheet", FAULT_CAUSE, "CSS ", 0, "Carrier sheet: wrong setting." },
    { "sensor", FAULT_CAUSE, "ETS ", 0, "A sensor has failed." },
    { "paper-protection", FAULT_CAUSE, "PPRT", 0, "Stopped to protect the paper." },
    { "lever", FAULT_CAUSE, "SEP ", 0, "The separation lever is in the wrong position." },
    { "position", FAULT_CAUSE, "POSE", 0, "The scanner stands in the wrong position." },
    { "gap-sensor", FAULT_CAUSE, "GAP ", 0, "The gap sensor has failed." },
    { "lifted", FAULT_CAUSE, "LIFT", 0, "The feeder is lifted." },
    { "remove-paper", FAULT_CAUSE, "PRMW", 0, "Remove the paper." },
    { "stacker", FAULT_CAUSE, "STK ", 0, "The stacker is full or closed." },
    { "skew", FAULT_CAUSE, "PSKW", 0, "The sheet was fed askew." },
    { "paper-sensor", FAULT_CAUSE, "PES ", 0, "The paper sensor is dirty." },
    { "device-cancel", FAULT_CANCEL, NULL, 0, "Cancel is pressed." },
    { "busy", FAULT_WAIT, "BUSY", 0, "Busy for a moment." },
    { "warming-up", FAULT_WAIT, "WUP ", 0, "Warming up for a moment." },
    { "reserved", FAULT_REFUSE, "RSVD", 0, "In use by somebody else." },
    { "auth-needed", FAULT_REFUSE, "AFEN", 0, "Only known users may scan." },
    { "parameters", FAULT_PARAMETERS, NULL, 0, "Parameters are refused." },
    { "drop", FAULT_DROP, NULL, 0, "The connection drops." },
    { "disconnect", FAULT_EVENT, NULL, IS_EVENT_DISCONNECT, "It disconnects." },
    { "time-out", FAULT_EVENT, NULL, IS_EVENT_TIMEOUT, "It says that the time is over." },
    { "server-error", FAULT_EVENT, NULL, IS_EVENT_REJECTED, "It rejects the last command." },
};

const FaultKind *fault_at(size_t i)
{
    return i < COUNT_OF(kinds) ? &kinds[i] : NULL;
}

const FaultKind *fault_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (text_equal(kinds[i].name, name))
            return &kinds[i];
    return NULL;
}

static bool unknown(const char *name, Err *err)
{
    const char *names[COUNT_OF(kinds) + 1] = { NULL };

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        names[i] = kinds[i].name;
    const char *near = text_nearest(name, names);
    err_set(err, ERR_BAD_INPUT, 0, "expected a kind of fault, not \"%s\"", name);
    return near ? err_remedy(err, "Did you mean %s?", near)
                : err_remedy(err, "jam, cover, empty, double-feed, drop ... see --help.");
}

bool fault_parse(const char *text, Fault *ret_fault, Err *err)
{
    const char *at = strchr(text, '@');
    char name[FAULT_WORD_SIZE];
    int64_t page = 0;

    if (at && !text_to_int(at + 1, 1, FAULT_PAGE_MAX, &page))
        return err_set(err, ERR_BAD_INPUT, 0, "expected a page from 1 behind @, not \"%s\"",
                       at + 1);
    if (!text_copy_bytes(name, sizeof name,
                         (Bytes){ (const uint8_t *)text, at ? (size_t)(at - text) : strlen(text) }))
        return unknown("this", err);
    const FaultKind *kind = fault_find(name);
    if (!kind)
        return unknown(name, err);
    if (at && (kind->effect == FAULT_REFUSE || kind->effect == FAULT_PARAMETERS)) {
        err_set(err, ERR_BAD_INPUT, 0, "%s happens before the first page, it has no page", name);
        return err_remedy(err, "Write only %s.", name);
    }
    fault_arm(ret_fault, kind, (uint32_t)page);
    return true;
}

void fault_arm(Fault *fault, const FaultKind *kind, uint32_t page)
{
    bool stands = kind->effect == FAULT_CAUSE && page == 0;
    bool needs_page = kind->effect == FAULT_CANCEL || kind->effect == FAULT_DROP ||
                      kind->effect == FAULT_EVENT;

    *fault = (Fault){ .armed = stands ? NULL : kind,
                      .page = needs_page && page == 0 ? 1 : page,
                      .standing = stands ? kind : NULL,
                      .waits_left = kind->effect == FAULT_WAIT ? FAULT_WAITS : 0 };
}

void fault_clear(Fault *fault)
{
    *fault = (Fault){ 0 };
}

const FaultKind *fault_due(const Fault *fault, FaultEffect effect, uint32_t page)
{
    return fault->armed && fault->armed->effect == effect && fault->page == page ? fault->armed
                                                                                 : NULL;
}
