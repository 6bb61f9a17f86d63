/* model/pairing.c - see pairing.h. */
#include "model/pairing.h"

#include "base/text.h"

const char *const pairing_state_words[] = { "none", "paired", "outdated", "lost", NULL };

typedef struct PairingRule {
    PairingState next;
    bool allowed;
} PairingRule;

static const PairingRule pairing_rules[PAIRING_STATE_MAX_][PAIRING_EVENT_MAX_] = {
    [PAIRING_NONE] = { [PAIRING_EVENT_WRITTEN] = { PAIRING_PAIRED, true } },
    [PAIRING_PAIRED] = { [PAIRING_EVENT_WRITTEN] = { PAIRING_PAIRED, true },
                         [PAIRING_EVENT_RENAMED] = { PAIRING_OUTDATED, true },
                         [PAIRING_EVENT_TAKEN] = { PAIRING_LOST, true },
                         [PAIRING_EVENT_RELEASED] = { PAIRING_NONE, true } },
    [PAIRING_OUTDATED] = { [PAIRING_EVENT_WRITTEN] = { PAIRING_PAIRED, true },
                           [PAIRING_EVENT_RENAMED] = { PAIRING_OUTDATED, true },
                           [PAIRING_EVENT_TAKEN] = { PAIRING_LOST, true },
                           [PAIRING_EVENT_RELEASED] = { PAIRING_NONE, true } },
    [PAIRING_LOST] = { [PAIRING_EVENT_WRITTEN] = { PAIRING_PAIRED, true },
                       [PAIRING_EVENT_TAKEN] = { PAIRING_LOST, true },
                       [PAIRING_EVENT_RELEASED] = { PAIRING_NONE, true } },
};

bool pairing_step(PairingState *state, PairingEvent event)
{
    const PairingRule *rule = &pairing_rules[*state][event];

    if (rule->allowed)
        *state = rule->next;
    return rule->allowed;
}

/* --- what can go wrong ------------------------------------------------------------------------------- */

const char *const pairing_problem_words[] = {
    "",
    "no-answer",
    "snmp-silent",
    "not-pairable",
    "wrong-type",
    "write-refused",
    "value-refused",
    "not-kept",
    "device-failed",
    "not-sent",
    "paired-elsewhere",
    NULL,
};

typedef struct ProblemText {
    ErrKind kind;
    const char *text; /* behind "the device at ADDRESS ", before ": DETAIL" */
    const char *remedy;
} ProblemText;

static const ProblemText problem_texts[PAIRING_PROBLEM_MAX_] = {
    [PAIRING_OK] = { ERR_BUG, "did as it was told", "" },
    [PAIRING_NO_ANSWER] = { ERR_TEMPORARY, "does not answer",
                            "Switch it on and wake it up, and check its address." },
    [PAIRING_SNMP_SILENT] = { ERR_PERMANENT, "is on, but does not answer SNMP",
                              "Set snmp_community to the device's own, allow SNMP at the device, "
                              "and open UDP port 161 to it." },
    [PAIRING_NOT_PAIRABLE] = { ERR_PERMANENT, "has no place for the name of a host",
                               "Only scanners without a panel (FF-680W, DS-575W) are paired; or "
                               "snmp_community may not read that place." },
    [PAIRING_WRONG_TYPE] = { ERR_PERMANENT, "has no text where the name of a host should be",
                             "Report it with model and firmware (docs/not-my-device.md)." },
    [PAIRING_WRITE_REFUSED] = { ERR_PERMANENT, "does not let its host be changed",
                                "Set snmp_community to one that may write, or allow writing at "
                                "the device." },
    [PAIRING_VALUE_REFUSED] = { ERR_PERMANENT, "does not take this name",
                                "Give the server a short name of plain letters: name in "
                                "[server]." },
    [PAIRING_NOT_KEPT] = { ERR_PERMANENT, "took the name, but says another one",
                           "Look whether another program pairs it as well; then try again." },
    [PAIRING_DEVICE_FAILED] = { ERR_TEMPORARY, "answered with an error",
                                "Switch the device off and on, then try again." },
    [PAIRING_NOT_SENT] = { ERR_TEMPORARY, "could not be asked",
                           "Check the network of this computer, then try again." },
    [PAIRING_ELSEWHERE] = { ERR_CONFLICT, "is paired with another host",
                            "Ask who uses it; to take it: platen device pair DEVICE --replace." },
};

bool pairing_problem_err(PairingProblem problem, const char *address, const char *detail, Err *err)
{
    const ProblemText *text = &problem_texts[problem];

    err_set(err, text->kind, 0, "%s: the device at %.45s %s%s%.90s", pairing_problem_words[problem],
            address, text->text, detail[0] ? ": " : "", detail);
    return err_remedy(err, "%s", text->remedy);
}

/* --- names ------------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at p that may be shown; 0 = none. */
static size_t printable(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    return p[0] >= 0x20 && p[0] != 0x7f && n <= left && text_is_utf8((Bytes){ p, n }) ? n : 0;
}

bool pairing_name_read(Bytes value, char ret_name[PANEL_NAME_SIZE])
{
    bool as_it_was = true;
    size_t out = 0;

    while (value.n > 0 && value.p[value.n - 1] == 0)
        value.n--;
    for (size_t at = 0; at < value.n;) {
        size_t n = printable(value.p + at, value.n - at);
        size_t take = n ? n : 1;

        as_it_was = as_it_was && n > 0;
        if (out + take >= PANEL_NAME_SIZE) {
            as_it_was = false;
            break;
        }
        if (n > 0)
            memcpy(ret_name + out, value.p + at, n);
        else
            ret_name[out] = '?';
        out += take;
        at += take;
    }
    ret_name[out] = '\0';
    return as_it_was;
}

PairingDo pairing_decide(const Pairing *pairing, const char *ours, const char *found, bool replace)
{
    bool was_ours = pairing->state != PAIRING_NONE && text_equal(found, pairing->name);

    if (text_equal(found, ours))
        return PAIRING_DO_NOTHING;
    return !found[0] || was_ours || replace ? PAIRING_DO_WRITE : PAIRING_DO_LEAVE;
}

Wall pairing_due(const Pairing *pairing, const char *ours, int64_t check_s, Wall now)
{
    int64_t wait_s = check_s;

    if (pairing->state == PAIRING_PAIRED && !text_equal(pairing->name, ours))
        return pairing->since.ms > now.ms ? now : pairing->since;
    if (pairing->checked.ms > now.ms)
        return now; /* the clock was set back */
    if (pairing->state == PAIRING_OUTDATED && wait_s > PAIRING_RETRY_S)
        wait_s = PAIRING_RETRY_S;
    return (Wall){ pairing->checked.ms + wait_s * 1000 };
}

const Field pair_wish_fields[] = {
    BOOLEAN(PairWish, replace, false, "Also when the device is paired with another host."),
    FIELDS_END,
};

const Field unpair_wish_fields[] = {
    BOOLEAN(UnpairWish, restore, false,
            "Give the device the name back that it had before; else it is paired with nobody."),
    FIELDS_END,
};
