/* model/notification.c - see notification.h. */
#include "model/notification.h"

#include "base/text.h"
#include "model/mail-address.h"

#include <string.h>

const char notification_kind_of_destination[] = "email";
static const char *const when_words[] = { "error", "always", "never", NULL };
const char *const notification_kind_words[] = { "attention", "broken", "done", "stopped", NULL };
const char *const notification_state_words[] = { "waiting", "sending", "sent",
                                                 "failed",  "dropped", NULL };

const Field notification_fields[] = {
    TEXT(NotificationSettings, over, false,
         "Id, or name, of the destination of kind email that mails go over; empty: nothing is "
         "sent."),
    CHOICE(NotificationSettings, when, when_words, NOTIFY_ERROR,
           "error: what needs a person; always: batches that are done as well; never."),
    PATTERN(NotificationSettings, to, FIELD_PATTERN_ADDRESSES,
            "Who is told: addresses with commas between them, without tokens."),
    INTEGER(NotificationSettings, digest_minutes, 0, 1440, 15,
            "All that happens in so many minutes becomes one mail; 0 sends at once."),
    INTEGER(NotificationSettings, limit_per_hour, 1, 1000, 12,
            "Mails in an hour; what is beyond goes into a later one."),
    FIELDS_END,
};

/* --- checks -------------------------------------------------------------------------------------- */

bool notification_to_check(const char *list, Err *err)
{
    if (strpbrk(list, "{}")) {
        err_set(err, ERR_BAD_INPUT, 0, "the addresses of notifications have no tokens");
        return err_remedy(err, "Write whole addresses, for example admin@example.org.");
    }
    return mail_list_check(list, err);
}

bool notification_check(const NotificationSettings *settings, Err *err)
{
    if (settings->over[0] && !id_text_is_valid(settings->over)) {
        err_set(err, ERR_BAD_INPUT, 0, "\"%.40s\" is not the id of a destination", settings->over);
        return err_field(err, "over");
    }
    return notification_to_check(settings->to, err) || err_field(err, "to");
}

bool notification_is_wanted(const NotificationSettings *settings, JobNotify job,
                            NotificationKind kind)
{
    static const NotifyWhen of_job[] = { [JOB_NOTIFY_ERROR] = NOTIFY_ERROR,
                                         [JOB_NOTIFY_ALWAYS] = NOTIFY_ALWAYS,
                                         [JOB_NOTIFY_NEVER] = NOTIFY_NEVER };
    NotifyWhen when = job == JOB_NOTIFY_INHERIT ? (NotifyWhen)settings->when : of_job[job];

    return settings->over[0] &&
           (when == NOTIFY_ALWAYS || (when == NOTIFY_ERROR && kind != NOTIFICATION_DONE));
}

/* --- one event ----------------------------------------------------------------------------------- */

/* Appends to text[size] what fits; false when it was cut. Nothing that came from elsewhere ends a line. */
static bool add(char *text, size_t size, const char *more)
{
    size_t n = strlen(text);
    bool whole = text_copy(text + n, size - n, more);

    for (char *c = text + n; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return whole;
}

/* The same with an end of the line; a line that does not fit is left out. */
static bool add_line(char *text, size_t size, const char *label, const char *value)
{
    size_t n = strlen(text);

    if (add(text, size, label) && add(text, size, value) && strlen(text) + 1 < size) {
        (void)text_copy(text + strlen(text), 2, "\n");
        return true;
    }
    text[n] = '\0';
    return false;
}

static void add_stopped(NotificationText *t, const StoppedDelivery *stopped, size_t count,
                        size_t count_of_all)
{
    enum { KEPT_FOR_THE_END = 160 };
    size_t size = sizeof t->text - KEPT_FOR_THE_END, shown = 0;
    char line[80];

    if (count_of_all == 0)
        return;
    (void)text_printf(line, sizeof line, "%zu", count_of_all);
    (void)add_line(t->text, size, "Deliveries that stopped: ", line);
    for (; shown < count; shown++) {
        const StoppedDelivery *s = &stopped[shown];
        char what[sizeof *s + 64];

        (void)text_printf(what, sizeof what, "%s%s%s: %s", s->destination,
                          s->stage[0] ? ", at " : "", s->stage,
                          s->text[0] ? s->text : "it waits for a person.");
        if (!add_line(t->text, size, "- to ", what))
            break;
        if (s->cure[0])
            (void)add_line(t->text, size, "  What to do: ", s->cure);
    }
    if (shown < count_of_all) {
        (void)text_printf(line, sizeof line, "and %zu more", count_of_all - shown);
        (void)add_line(t->text, sizeof t->text, "- ", line);
    }
}

void notification_batch_text(const Batch *batch, NotificationKind kind,
                             const StoppedDelivery *stopped, size_t count, size_t count_of_all,
                             NotificationText *t)
{
    static const char *const became[NOTIFICATION_KIND_MAX_] = {
        [NOTIFICATION_ATTENTION] = "needs attention",
        [NOTIFICATION_BROKEN] = "is broken",
        [NOTIFICATION_DONE] = "is done",
    };
    char subject[2 * NAME_TEXT_SIZE + 64], pages[48];
    size_t size = sizeof t->text;

    *t = (NotificationText){ "", "" };
    (void)text_printf(subject, sizeof subject, "A batch of job \"%s\" from %s %s", batch->job.name,
                      batch->device_name, became[kind]);
    (void)add(t->subject, sizeof t->subject, subject);
    (void)add_line(t->text, size, "Batch: ", batch->id.text);
    (void)add_line(t->text, size, "Job: ", batch->job.name);
    (void)add_line(t->text, size, "Device: ", batch->device_name);
    (void)text_printf(pages, sizeof pages, "%u, in %u documents", batch->page_count,
                      batch->document_count);
    (void)add_line(t->text, size, "Pages: ", pages);
    if (kind != NOTIFICATION_DONE && batch->reason.text[0])
        (void)add_line(t->text, size, "What happened: ", batch->reason.text);
    if (kind != NOTIFICATION_DONE && batch->reason.remedy[0])
        (void)add_line(t->text, size, "What to do: ", batch->reason.remedy);
    if (kind != NOTIFICATION_DONE)
        add_stopped(t, stopped, count, count_of_all);
    (void)add_line(t->text, size, "To look at it: platen batch show ", batch->id.text);
    if (kind == NOTIFICATION_ATTENTION)
        (void)add_line(t->text, size, "When it is mended: platen batch retry ", batch->id.text);
}

void notification_stop_text(const char *destination, const char *text, const char *cure,
                            NotificationText *t)
{
    char line[NAME_TEXT_SIZE + 32], name[TEXT_SHELL_BYTES * NAME_TEXT_SIZE];
    size_t size = sizeof t->text;

    *t = (NotificationText){ "", "" };
    (void)text_printf(line, sizeof line, "The destination \"%s\" was stopped", destination);
    (void)add(t->subject, sizeof t->subject, line);
    (void)add_line(t->text, size, "Destination: ", destination);
    (void)add_line(t->text, size, "What happened: ", text);
    (void)add_line(t->text, size, "What to do: ", cure);
    (void)add_line(t->text, size, "What goes there is held until it works again. To look at it: ",
                   "platen delivery list --state held");
    (void)text_shell(name, sizeof name, destination);
    (void)add_line(t->text, size, "To try it, and to let it go on: platen destination test ", name);
}

/* --- a mail -------------------------------------------------------------------------------------- */

enum { MAIL_END_SIZE = 240 }; /* kept for the last lines */

/* Appends a text that has lines of its own; false, and nothing, when it does not fit. */
static bool add_lines(char *text, size_t size, const char *lines)
{
    size_t n = strlen(text);

    if (n + strlen(lines) >= size)
        return false;
    (void)text_copy(text + n, size - n, lines);
    return true;
}

void notification_digest_add(NotificationDigest *d, NotificationKind kind, const char *when,
                             const char *subject, const char *text, uint32_t more)
{
    char block[NOTIFICATION_SUBJECT_SIZE + NOTIFICATION_TEXT_SIZE + 64];

    if (d->events == 0)
        (void)text_printf(d->subject, sizeof d->subject, "Platen: %s", subject);
    d->events += 1 + more;
    d->errors += kind != NOTIFICATION_DONE;
    d->counted += more;
    d->unshown += more;
    (void)text_printf(block, sizeof block, "%s  %s\n%s\n", when, subject, text);
    if (!add_lines(d->text, sizeof d->text - MAIL_END_SIZE, block))
        d->unshown++;
}

void notification_digest_end(NotificationDigest *d)
{
    char line[MAIL_END_SIZE];

    if (d->counted > 0) /* nobody knows what they were */
        (void)text_printf(d->subject, sizeof d->subject, "Platen: %u events", d->events);
    else if (d->events > 1)
        (void)text_printf(d->subject, sizeof d->subject, "Platen: %u events, %u of them errors",
                          d->events, d->errors);
    (void)text_printf(line, sizeof line, "%u more events are not shown here: platen event list\n\n",
                      d->unshown);
    if (d->unshown)
        (void)add_lines(d->text, sizeof d->text, line);
    (void)add_lines(d->text, sizeof d->text,
                    "Platen sent this by itself. What it sends, and to whom: "
                    "platen notification show\n");
}
