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
const char *const scan_color_words[] = { "color", "gray", "bw", NULL };
const char *const scan_paper_words[] = { "auto",   "a3",    "a4",     "a5",   "a6",     "b4", "b5",
                                         "letter", "legal", "ledger", "card", "custom", NULL };
const char *const scan_double_feed_words[] = { "auto", "off", "standard", "thin", NULL };
const char *const scan_drop_out_words[] = { "none", "red", "green", "blue", NULL };
const char *const scan_edge_words[] = { "off", "white", "black", NULL };
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
        Job, color, scan_color_words, SCAN_COLOR_COLOR,
        "Colour, grey or black and white; black and white only where the device makes it itself."),
    CHOICE(Job, sides, sides_words, JOB_SIDES_AS_PANEL,
           "Sides of a sheet in the feeder; as-panel scans what was chosen at the panel."),
    INTEGER(Job, wait_for_sheets_s, 0, JOB_SHEETS_WAIT_MAX_S, 0,
            "Seconds to wait for more sheets when the feeder is empty; they join the same batch."),
    INTEGER(Job, jpeg_quality, 1, 100, 85,
            "JPEG quality asked of the device, and of raw colour and grey pages in files."),
    INTEGER(Job, threshold, 0, 255, SCAN_THRESHOLD_PRESET,
            "Black and white: what is darker than this becomes black."),
    CHOICE(
        Job, paper, scan_paper_words, SCAN_PAPER_AUTO,
        "Size of the originals; auto scans all that the source can, card is that of a bank card."),
    INTEGER(Job, paper_width_mm, 0, 1000, 0, "Width when the paper is custom."),
    INTEGER(Job, paper_height_mm, 0, 10000, 0, "Height when the paper is custom."),
    BOOLEAN(Job, crop, false, "Let the device cut each page to the paper it found."),
    INTEGER(Job, crop_margin_mm, -10, 10, 0,
            "With crop: more, or less, than the paper on each side."),
    BOOLEAN(Job, deskew, false, "Let the device straighten pages that went in askew."),
    CHOICE(Job, double_feed, scan_double_feed_words, SCAN_DOUBLE_FEED_AUTO,
           "Notice when the feeder takes two sheets at once; auto as the device needs it."),
    INTEGER(Job, brightness, -100, 100, 0, "Brightness, made by the device."),
    INTEGER(Job, contrast, -100, 100, 0, "Contrast, made by the device."),
    INTEGER(Job, gamma, -100, 100, 0,
            "Middle tones, made by the device: 100 brightens them by a gamma of 2.2."),
    CHOICE(Job, drop_out, scan_drop_out_words, SCAN_DROP_OUT_NONE,
           "Colour that becomes white in grey and black and white pages, such as that of forms."),
    CHOICE(Job, edge_fill, scan_edge_words, SCAN_EDGE_OFF,
           "Let the device fill the edges of pages, as wide as the next four say."),
    INTEGER(Job, edge_left_mm, 0, 30, 0, "Width of the filled left edge."),
    INTEGER(Job, edge_right_mm, 0, 30, 0, "Width of the filled right edge."),
    INTEGER(Job, edge_top_mm, 0, 30, 0, "Width of the filled top edge."),
    INTEGER(Job, edge_bottom_mm, 0, 30, 0, "Width of the filled bottom edge."),
    BOOLEAN(Job, quiet, false, "Scan quietly, which is slower."),
    BOOLEAN(Job, slow_feed, false, "Feed slowly, for thin or old paper."),
    INTEGER(Job, page_limit, 0, BATCH_PAGES_MAX, 0,
            "End the scan after so many pages, 0 when the feeder is empty."),
    BOOLEAN(
        Job, strict_settings, false,
        "Refuse to scan where the device cannot do what is set, instead of taking the nearest."),
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

void job_scan_settings(const Job *job, const char *panel_choice, ScanSettings *ret_settings)
{
    *ret_settings = (ScanSettings){
        .source = (ScanSource)job->source,
        .color = (ScanColor)job->color,
        .dpi = (uint32_t)job->dpi,
        .jpeg_quality = (uint32_t)job->jpeg_quality,
        .sides = job_wants_two_sides(job, panel_choice) ? SCAN_SIDES_TWO : SCAN_SIDES_ONE,
        .threshold = (uint32_t)job->threshold,
        .paper = (ScanPaper)job->paper,
        .paper_width_mm = (uint32_t)job->paper_width_mm,
        .paper_height_mm = (uint32_t)job->paper_height_mm,
        .crop = job->crop,
        .crop_margin_mm = (int32_t)job->crop_margin_mm,
        .deskew = job->deskew,
        .double_feed = (ScanDoubleFeed)job->double_feed,
        .brightness = (int32_t)job->brightness,
        .contrast = (int32_t)job->contrast,
        .gamma = (int32_t)job->gamma,
        .drop_out = (ScanDropOut)job->drop_out,
        .edge_fill = (ScanEdge)job->edge_fill,
        .edge_left_mm = (uint32_t)job->edge_left_mm,
        .edge_right_mm = (uint32_t)job->edge_right_mm,
        .edge_top_mm = (uint32_t)job->edge_top_mm,
        .edge_bottom_mm = (uint32_t)job->edge_bottom_mm,
        .quiet = job->quiet,
        .slow_feed = job->slow_feed,
        .page_limit = (uint32_t)job->page_limit,
        .more_sheets_s = (uint32_t)job->wait_for_sheets_s,
        .strict = job->strict_settings,
    };
}

/* Settings that mean something only together. */
static bool scan_check(const Job *job, Err *err)
{
    bool custom = job->paper == SCAN_PAPER_CUSTOM;
    bool sized = job->paper_width_mm > 0 || job->paper_height_mm > 0;
    bool edges = job->edge_left_mm > 0 || job->edge_right_mm > 0 || job->edge_top_mm > 0 ||
                 job->edge_bottom_mm > 0;

    if (custom && (job->paper_width_mm == 0 || job->paper_height_mm == 0)) {
        err_set(err, ERR_BAD_INPUT, 0, "custom paper needs a width and a height");
        return err_field(err, job->paper_width_mm == 0 ? "paper_width_mm" : "paper_height_mm");
    }
    if (!custom && sized) {
        err_set(err, ERR_BAD_INPUT, 0, "a width and height of paper are for custom paper");
        return err_field(err, "paper");
    }
    if (edges != (job->edge_fill != SCAN_EDGE_OFF)) {
        err_set(err, ERR_BAD_INPUT, 0,
                edges ? "edges that are off have no width" : "edges to be filled need a width");
        return err_field(err, "edge_fill");
    }
    if (!job->crop && job->crop_margin_mm != 0) {
        err_set(err, ERR_BAD_INPUT, 0, "a margin is for pages that are cropped");
        return err_field(err, "crop_margin_mm");
    }
    return true;
}

bool job_check(const Job *job, Err *err)
{
    if (!noun_name_check(job->name, err) || !scan_check(job, err))
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
