/* device/scan-warning.c - the table of device/scan-warning.h. */
#include "device/scan-warning.h"

#include "base/cleanup.h"
#include "base/text.h"

/* Words of ESC/I-2: Epson's own source names them (DFED, CRST, BLNK, MONO; CLN, DIRT, LOW), and what they mean follows
 * from their names. No capture has any. */
typedef struct Warning {
    const char *key;  /* "GLS": of STAT; "dfi": of the reply to IMG */
    const char *word; /* NULL: every other word of this key         */
    const char *code, *text, *remedy;
} Warning;

static const Warning warnings[] = {
    { "GLS", "DIRT", "glass-dirty", "The glass of the scanner is dirty.",
      "Clean it: it makes lines in the pages." },
    { "BAT", "LOW", "battery-low", "The battery of the device is low.",
      "Charge it, or connect it to the mains." },
    { "WRN", "CLN", "cleaning-needed", "The device wants to be cleaned.",
      "Clean its rollers and glass as its manual says." },
    { "WRN", NULL, "device-warning", "The device warns of something unknown here.",
      "Look at its panel; report the word with its model." },
    { "dfi", "DFED", "double-feed-noticed", "The feeder may have taken two sheets at once.",
      "Compare the pages with the sheets." },
    { "doc", "CRST", "carrier-sheet", "The device recognised a carrier sheet.", "" },
    { "doc", "BLNK", "blank-page", "The device takes the page for blank.", "" },
    { "doc", "MONO", "page-without-color", "The device found no colour in the page.", "" },
    { "sus", NULL, "feeding-suspended", "The device paused its feeder.",
      "Look at its panel if nothing more comes." },
};

/* Said in the answer to IMG: its keys are small letters. */
static bool is_of_picture(const char *key)
{
    return key[0] >= 'a' && key[0] <= 'z';
}

/* Adds the row of a key and a word, once for each page; nothing for a word that has no row. part: what of the device
 * it is about, "" = not said. */
static bool warn(ScanNotes *list, const char *key, const char *word, const char *part,
                 uint32_t page)
{
    for (size_t i = 0; i < COUNT_OF(warnings); i++) {
        const Warning *w = &warnings[i];
        ScanNote note = { .page = page, .passing = is_of_picture(key) };

        if (!text_equal(w->key, key) || (w->word && !esci2_word_is(word, w->word)))
            continue;
        if (!w->remedy[0] && list->count >= SCAN_NOTES_MAX / 2)
            return false; /* what asks nothing of a person leaves room for what does */
        (void)text_copy(note.warning, sizeof note.warning, w->code);
        (void)text_copy(note.remedy, sizeof note.remedy, w->remedy);
        if (part[0] && w->word)
            (void)text_printf(note.text, sizeof note.text, "%.*s (%s).", (int)strlen(w->text) - 1,
                              w->text, part);
        else if (part[0])
            (void)text_printf(note.text, sizeof note.text, "%.*s (%s, %.*s).",
                              (int)strlen(w->text) - 1, w->text, part, (int)strcspn(word, " "),
                              word);
        else
            (void)text_copy(note.text, sizeof note.text, w->text);
        text_make_printable(note.text);
        return scan_note_once(list, &note);
    }
    return false;
}

/* How people call the parts. */
static const char *part_name(const char *part)
{
    static const struct {
        const char *word, *name;
    } names[] = { { "ADF", "feeder" }, { "FB", "flatbed" }, { "TPU", "transparency unit" } };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (esci2_word_is(part, names[i].word))
            return names[i].name;
    return "device";
}

bool scan_warn_of_status(ScanNotes *list, const Esci2Stat *stat)
{
    bool any = false;

    if (stat->glass[0])
        any |= warn(list, "GLS", stat->glass, "", 0);
    if (stat->battery[0])
        any |= warn(list, "BAT", stat->battery, "", 0);
    for (size_t i = 0; i < stat->warning_count; i++)
        any |= warn(list, "WRN", stat->warnings[i].cause, part_name(stat->warnings[i].part), 0);
    return any;
}

bool scan_warn_of_page(ScanNotes *list, const Esci2Reply *reply, uint32_t page)
{
    bool any = false;

    if (reply->document[0])
        any |= warn(list, "doc", reply->document, "", page);
    if (reply->double_feed[0])
        any |= warn(list, "dfi", reply->double_feed, "", page);
    if (reply->suspended)
        any |= warn(list, "sus", "", "", page);
    return any;
}
