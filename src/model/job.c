/* model/job.c - see job.h. */
#include "model/job.h"

#include "base/text.h"
#include "model/name.h"
#include "model/notification.h"
#include "model/noun.h"
#include "model/panel.h"

const char *const file_format_words[] = { "pdf", "jpeg", "tiff", NULL };
const char *const panel_choice_words[] = {
    "automatic",   "1-sided-pdf",  "1-sided-jpeg",    "1-sided-preview",
    "2-sided-pdf", "2-sided-jpeg", "2-sided-preview", NULL,
};
static const char *const panel_codes[PANEL_CHOICE_MAX_] = {
    "", "02", "01", "04", "12", "11", "14"
};
static const char *const source_words[] = { "auto", "adf", "flatbed", NULL };
static const char *const color_words[] = { "color", "gray", "bw", NULL };
static const char *const sides_words[] = { "as-panel", "one", "two", NULL };
static const char *const job_notify_words[] = { "inherit", "error", "always", "never", NULL };
static const char *const index_words[] = { "none", "csv", NULL };

static const Field job_destination_fields[] = {
    TEXT(JobDestination, destination, true, "Id of the destination."),
    JSON_OBJECT(JobDestination, options,
                "Folder, subject and the like at this destination, as its kind describes them."),
    FIELDS_END,
};

const Field job_fields[] = {
    TEXT(Job, name, true, "Name of the job, shown to people who choose it."),
    TEXT(Job, panel_name, false,
         "Name on the panels of devices, at most 20 characters; empty: the name, cut."),
    CHOICE(Job, source, source_words, SCAN_SOURCE_AUTO,
           "Where pages come from; auto takes the feeder when it holds paper, else the flatbed."),
    INTEGER(Job, dpi, 50, 1200, 300, "Resolution in dots per inch; the nearest the device has."),
    CHOICE(
        Job, color, color_words, SCAN_COLOR_COLOR,
        "Colour, grey or black and white; black and white only where the device makes it itself."),
    CHOICE(Job, sides, sides_words, JOB_SIDES_AS_PANEL,
           "Sides of a sheet in the feeder; as-panel scans what was chosen at the panel."),
    INTEGER(Job, jpeg_quality, 1, 100, 85,
            "JPEG quality asked of the device, and of raw colour and grey pages in files."),
    CHOICE(Job, file_format, file_format_words, FILE_FORMAT_PDF,
           "pdf, tiff: one file of all pages; jpeg: one file per page."),
    TEXT_PRESET(Job, file_name, "{date}_{time}_{seq:3}",
                "Name of the files without extension, with tokens such as {date} and {seq:3}."),
    CHOICE(Job, index, index_words, INDEX_FORMAT_CSV,
           "Index file that is delivered after the documents of a batch."),
    BOOLEAN(Job, keep_partial, false,
            "Deliver the pages that arrived when a scan breaks off, without being asked."),
    CHOICE(Job, notify, job_notify_words, JOB_NOTIFY_INHERIT,
           "When a mail tells about a batch; inherit is as the notification setting says."),
    PATTERN(Job, notify_to, FIELD_PATTERN_ADDRESSES,
            "Who is told besides those of the notification setting; addresses without tokens."),
    LIST(Job, destinations, destination_count, job_destination_fields, 1,
         "Where the documents go."),
    FIELDS_END,
};

const Field job_start_fields[] = {
    TEXT(JobStart, job, true, "Id of the job."),
    BOOLEAN(JobStart, any_job, false, "Also a job that is not in the device's job group."),
    FIELDS_END,
};

static const Field job_group_job_fields[] = {
    TEXT(JobGroupJob, job, true, "Id of the job."),
    CHOICE(JobGroupJob, panel_choice, panel_choice_words, PANEL_CHOICE_AUTOMATIC,
           "Choice at the panel that starts the job."),
    FIELDS_END,
};

const Field job_group_fields[] = {
    TEXT(JobGroup, name, true, "Name of the job group."),
    LIST(JobGroup, jobs, job_count, job_group_job_fields, 0, "Jobs of the group, in order."),
    FIELDS_END,
};

bool job_wants_two_sides(const Job *job, const char *panel_choice)
{
    return job->sides == JOB_SIDES_TWO ||
           (job->sides == JOB_SIDES_AS_PANEL && panel_choice[0] == '1');
}

bool job_check(const Job *job, Err *err)
{
    if (!noun_name_check(job->name, err))
        return false;
    if (job->panel_name[0] && !panel_name_is_plain(job->panel_name)) {
        err_set(err, ERR_BAD_INPUT, 0, "panels cannot show \"%.100s\"", job->panel_name);
        err_remedy(err, "Use 1 to %d characters without (),\\!<=>~ and without blanks at the ends.",
                   PANEL_NAME_CHARS_MAX);
        return err_field(err, "panel_name");
    }
    if (!name_pattern_check(job->file_name, err))
        return err_field(err, "file_name");
    if (!notification_to_check(job->notify_to, err))
        return err_field(err, "notify_to");
    for (size_t i = 0; i < job->destination_count; i++) {
        const char *id = job->destinations[i].destination;

        if (!id_text_is_valid(id)) {
            err_set(err, ERR_BAD_INPUT, 0, "\"%.40s\" is not the id of a destination", id);
            return err_field(err, "destinations[%zu].destination", i);
        }
        for (size_t j = 0; j < i; j++)
            if (text_equal(id, job->destinations[j].destination)) {
                err_set(err, ERR_BAD_INPUT, 0, "the destination is listed twice");
                return err_field(err, "destinations[%zu].destination", i);
            }
    }
    return true;
}

const char *panel_choice_code(PanelChoice choice)
{
    return (unsigned)choice < PANEL_CHOICE_MAX_ ? panel_codes[choice] : "";
}

bool job_group_check(const JobGroup *group, Err *err)
{
    if (!noun_name_check(group->name, err))
        return false;
    for (size_t i = 0; i < group->job_count; i++) {
        const JobGroupJob *entry = &group->jobs[i];

        if (!id_text_is_valid(entry->job)) {
            err_set(err, ERR_BAD_INPUT, 0, "\"%.40s\" is not the id of a job", entry->job);
            return err_field(err, "jobs[%zu].job", i);
        }
        for (size_t j = 0; j < i; j++) {
            if (text_equal(entry->job, group->jobs[j].job)) {
                err_set(err, ERR_BAD_INPUT, 0, "the job is listed twice");
                return err_field(err, "jobs[%zu].job", i);
            }
            if (entry->panel_choice != PANEL_CHOICE_AUTOMATIC &&
                entry->panel_choice == group->jobs[j].panel_choice) {
                err_set(err, ERR_BAD_INPUT, 0, "two jobs have the panel choice %s",
                        panel_choice_words[entry->panel_choice]);
                return err_field(err, "jobs[%zu].panel_choice", i);
            }
        }
    }
    return true;
}

void job_group_resolve(JobGroup *group)
{
    bool taken[PANEL_CHOICE_MAX_] = { false };
    int next = PANEL_CHOICE_AUTOMATIC + 1;

    for (size_t i = 0; i < group->job_count; i++)
        taken[group->jobs[i].panel_choice] = true;
    for (size_t i = 0; i < group->job_count; i++) {
        if (group->jobs[i].panel_choice != PANEL_CHOICE_AUTOMATIC)
            continue;
        while (next < PANEL_CHOICE_MAX_ && taken[next])
            next++;
        if (next == PANEL_CHOICE_MAX_)
            return; /* six choices for more than six jobs */
        group->jobs[i].panel_choice = next;
        taken[next] = true;
    }
}

int job_group_find(const JobGroup *group, const char *panel_code)
{
    JobGroup resolved = *group;
    bool known = false;

    job_group_resolve(&resolved);
    for (int choice = PANEL_CHOICE_AUTOMATIC + 1; choice < PANEL_CHOICE_MAX_; choice++)
        known = known || text_equal(panel_code, panel_codes[choice]);
    for (size_t i = 0; i < resolved.job_count; i++)
        if (known && text_equal(panel_code, panel_codes[resolved.jobs[i].panel_choice]))
            return (int)i;
    return !known && resolved.job_count == 1 ? 0 : -1;
}
