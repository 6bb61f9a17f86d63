/* cli/commands.c - the table of subcommands (command.h). Adding one is one row and its function. */
#include "cli/command.h"

#include "model/destination.h"
#include "model/device.h"
#include "model/job.h"
#include "model/notification.h"

static const Option discover_options[] = {
    { "no-broadcast", NULL, "Try the ranges only." },
    { .name = NULL },
};
static const Option pair_options[] = {
    { "replace", NULL, "Also when it is paired with another host." },
    { .name = NULL },
};
static const Option unpair_options[] = {
    { "restore", NULL, "Give it the name back that it had before; else nobody hears its button." },
    { .name = NULL },
};
static const Option limit_options[] = {
    { "limit", "N", "How many at most (20)." },
    { "before", "BATCH", "Only batches older than this one: the last of a list." },
    { "state", "WORD", "Only batches in this state, for example attention." },
    { .name = NULL },
};
static const Option delivery_list_options[] = {
    { "limit", "N", "How many at most (20)." },
    { "before", "DELIVERY", "Only deliveries older than this one: the last of a list." },
    { "state", "WORD", "Only deliveries in this state, for example held." },
    { "destination", "DESTINATION", "Only deliveries to this destination." },
    { .name = NULL },
};
static const Option elsewhere_options[] = {
    { "options", "JSON", "Folder, subject and the like there, as an object." },
    { .name = NULL },
};
static const Option notification_list_options[] = {
    { "limit", "N", "How many at most (20)." },
    { "before", "NOTIFICATION", "Only those older than this one: the last of a list." },
    { "state", "WORD", "Only those in this state, for example waiting." },
    { .name = NULL },
};
static const Option purge_options[] = {
    { "undelivered", NULL,
      "Also of a cancelled, broken or stuck batch; what is not delivered is lost." },
    { .name = NULL },
};
static const Option event_list_options[] = {
    { "limit", "N", "How many at most (20)." },
    { "before", "ID", "Only events older than this one: the last of a list." },
    { "after", "ID", "Only events after this one, oldest first." },
    { "batch", "BATCH", "Only what happened to this batch." },
    { "device", "DEVICE", "Only what happened to this device." },
    { "kind", "WORD", "Only this kind, for example device.tls-lost; device: all of devices." },
    { .name = NULL },
};
static const Option follow_options[] = {
    { "after", "ID", "Begin with the events after this one." },
    { "count", "N", "End after N events." },
    { .name = NULL },
};
static const Option scan_options[] = {
    { "device", "DEVICE", "Which device scans; it must be approved." },
    { "job", "JOB", "With which job; one of the device's job group." },
    { "any-job", NULL, "Also with a job that is not in the group." },
    { "wait", NULL, "Wait until its documents are delivered; exit code 1 when they are not." },
    { .name = NULL },
};
static const Option doctor_options[] = {
    { "device", "DEVICE",
      "Try this device, or any numeric address, stage by stage; nothing is scanned." },
    { .name = NULL },
};
static const Option trace_options[] = {
    { "for", "TIME", "So long at most: 90s, 10m (as without it), 2h." },
    { "pages", NULL, "The pictures of pages are in it, too." },
    { .name = NULL },
};
static const Option trace_get_options[] = {
    { "output", "FILE", "Into a new file; without it, to standard output." },
    { .name = NULL },
};
static const Option delete_options[] = {
    { "delete", NULL, "Remove what the file does not list." },
    { .name = NULL },
};

/* Short names for the columns below. */
#define ANY ARGS_WORDS_MAX
#define ROW(noun_, verb_, arguments_, min_, max_, help_, run_, ...)               \
    {                                                                             \
        .noun = noun_, .verb = verb_, .arguments = arguments_, .words_min = min_, \
        .words_max = max_, .help = help_, .run = run_, ##__VA_ARGS__              \
    }

/* clang-format off */
const Command command_table[] = {
    ROW("device", "list", "", 0, 0, "Lists devices and their states.", run_device_list),
    ROW("device", "show", "DEVICE", 1, 1, "Shows one device.", run_device_show),
    ROW("device", "approve", "DEVICE", 1, 1, "Lets a device scan to this server.", run_device_approve),
    ROW("device", "revoke", "DEVICE", 1, 1, "Takes the approval back.", run_device_revoke),
    ROW("device", "trust", "DEVICE", 1, 1, "Takes the certificate that the device shows at its next scan.",
        run_device_trust),
    ROW("device", "pair", "DEVICE [--replace]", 1, 1,
        "Lets the button of a scanner without a panel start jobs of this server.", run_device_pair,
        .options = pair_options),
    ROW("device", "unpair", "DEVICE [--restore]", 1, 1,
        "Takes this server out of a scanner without a panel.", run_device_unpair,
        .options = unpair_options),
    ROW("device", "set", "DEVICE [FIELDS]", 1, 1, "Changes name or job group of a device.",
        run_device_set, .fields = device_settings_fields),
    ROW("device", "delete", "DEVICE", 1, 1, "Forgets a device.", run_device_delete),
    ROW("device", "discover", "[RANGE ...]", 0, ANY,
        "Looks for devices in this computer's networks, and at the addresses of ranges.",
        run_device_discover, .options = discover_options),
    ROW("device", "found", "", 0, 0, "Shows what the last search for devices has found.",
        run_device_found),
    ROW("device", "add", "ADDRESS ... [FIELDS]", 1, ANY, "Adds devices by their addresses.",
        run_device_add, .fields = device_settings_fields),
    ROW("device", "import", "FILE", 1, 1, "Adds the devices of a table (CSV), line by line.",
        run_device_import),

    ROW("device", "trace", "DEVICE", 1, 1, "Records what is said between the server and a device.",
        run_device_trace, .options = trace_options),

    ROW("trace", "list", "", 0, 0, "Lists traces of devices, newest first.", run_trace_list),
    ROW("trace", "stop", "TRACE", 1, 1, "Ends a trace.", run_trace_stop),
    ROW("trace", "get", "TRACE", 1, 1, "Fetches a trace, for a report or a test.", run_trace_get,
        .options = trace_get_options),
    ROW("trace", "delete", "TRACE", 1, 1, "Removes a trace that has ended.", run_trace_delete),

    ROW("scan", NULL, "--device DEVICE --job JOB", 0, 0, "Starts a scan without the device's panel.",
        run_scan, .options = scan_options),

    ROW("job", "list", "", 0, 0, "Lists jobs.", run_job_list),
    ROW("job", "show", "JOB", 1, 1, "Shows one job.", run_job_show),
    ROW("job", "create", "[FIELDS]", 0, 0, "Makes a job.", run_job_create, .fields = job_fields),
    ROW("job", "set", "JOB [FIELDS]", 1, 1, "Changes fields of a job; batches keep their copy.",
        run_job_set, .fields = job_fields),
    ROW("job", "delete", "JOB", 1, 1, "Removes a job that no group has.", run_job_delete),

    ROW("group", "list", "", 0, 0, "Lists job groups.", run_group_list),
    ROW("group", "show", "GROUP", 1, 1, "Shows one job group.", run_group_show),
    ROW("group", "create", "[FIELDS]", 0, 0, "Makes a job group.", run_group_create,
        .fields = job_group_fields),
    ROW("group", "set", "GROUP [FIELDS]", 1, 1, "Changes a job group.", run_group_set,
        .fields = job_group_fields),
    ROW("group", "delete", "GROUP", 1, 1, "Removes a job group.", run_group_delete),

    ROW("destination", "list", "", 0, 0, "Lists destinations.", run_destination_list),
    ROW("destination", "show", "DESTINATION", 1, 1, "Shows one destination, without secrets.",
        run_destination_show),
    ROW("destination", "create", "[FIELDS]", 0, 0, "Makes a destination.", run_destination_create,
        .fields = destination_fields, .any_option = true),
    ROW("destination", "set", "DESTINATION [FIELDS]", 1, 1, "Changes a destination.",
        run_destination_set, .fields = destination_fields, .any_option = true),
    ROW("destination", "delete", "DESTINATION", 1, 1, "Removes a destination that no job has.",
        run_destination_delete),
    ROW("destination", "kinds", "", 0, 0, "Shows the kinds of destination and their settings.",
        run_destination_kinds),

    ROW("destination", "test", "DESTINATION", 1, 1,
        "Tries a destination stage by stage and leaves nothing there; exit code 1 when it fails.",
        run_destination_test),
    ROW("destination", "stop", "DESTINATION", 1, 1, "Stops a destination: its deliveries are held.",
        run_destination_stop),
    ROW("destination", "resume", "DESTINATION", 1, 1, "Lets a stopped destination go on.",
        run_destination_resume),

    ROW("delivery", "list", "", 0, 0, "Lists deliveries, newest first.", run_delivery_list,
        .options = delivery_list_options),
    ROW("delivery", "show", "DELIVERY", 1, 1, "Shows one delivery with all its attempts.",
        run_delivery_show),
    ROW("delivery", "retry", "DELIVERY", 1, 1, "Tries a delivery again now.", run_delivery_retry),
    ROW("delivery", "hold", "DELIVERY", 1, 1, "Holds a delivery until it is retried.",
        run_delivery_hold),
    ROW("delivery", "drop", "DELIVERY", 1, 1, "Gives a delivery up; its batch goes on without it.",
        run_delivery_drop),
    ROW("delivery", "confirm", "DELIVERY", 1, 1, "Says of an uncertain delivery that it has arrived.",
        run_delivery_confirm),
    ROW("delivery", "elsewhere", "DELIVERY DESTINATION", 2, 2,
        "Sends the document to another destination.", run_delivery_elsewhere,
        .options = elsewhere_options),

    ROW("batch", "list", "", 0, 0, "Lists batches, newest first.", run_batch_list,
        .options = limit_options),
    ROW("batch", "show", "BATCH", 1, 1, "Shows one batch and what it waits for.", run_batch_show),
    ROW("batch", "pages", "BATCH", 1, 1, "Lists the pages of a batch.", run_batch_pages),
    ROW("batch", "documents", "BATCH", 1, 1, "Lists the documents of a batch.", run_batch_documents),
    ROW("batch", "deliveries", "BATCH", 1, 1, "Lists the deliveries of a batch.",
        run_batch_deliveries),
    ROW("batch", "cancel", "BATCH", 1, 1, "Ends a scan that is running; its pages are kept.",
        run_batch_cancel),
    ROW("batch", "finish", "BATCH", 1, 1,
        "Ends the wait for more sheets: the batch is complete with the pages it has.",
        run_batch_finish),
    ROW("batch", "deliver", "BATCH", 1, 1, "Sends what arrived of a broken or cancelled batch.",
        run_batch_deliver),
    ROW("batch", "retry", "BATCH", 1, 1, "Tries again what failed or waits for a person.",
        run_batch_retry),
    ROW("batch", "purge", "BATCH", 1, 1, "Removes pages and documents of a batch; its history stays.",
        run_batch_purge, .options = purge_options),

    ROW("notification", "show", "", 0, 0, "Shows who is told what by mail.", run_notification_show),
    ROW("notification", "set", "[FIELDS]", 0, 0, "Changes who is told what by mail.",
        run_notification_set, .fields = notification_fields),
    ROW("notification", "list", "", 0, 0, "Lists what waits to be told, was told, or could not be.",
        run_notification_list, .options = notification_list_options),
    ROW("notification", "test", "", 0, 0, "Sends a mail now; exit code 1 when that fails.",
        run_notification_test),

    ROW("event", "list", "", 0, 0, "Lists what happened, newest first.", run_event_list, .options = event_list_options),
    ROW("event", "follow", "", 0, 0, "Prints events as they happen.", run_event_follow,
        .options = follow_options),

    ROW("token", "list", "", 0, 0, "Lists API tokens.", run_token_list),
    ROW("token", "create", "NAME", 1, 1, "Makes an API token and prints it, once.",
        run_token_create),
    ROW("token", "delete", "NAME", 1, 1, "Ends an API token.", run_token_delete),

    ROW("config", "export", "", 0, 0, "Prints the whole configuration as YAML, without secrets.",
        run_config_export),
    ROW("config", "plan", "[FILE]", 0, 1, "Says what apply would change.", run_config_plan,
        .options = delete_options),
    ROW("config", "apply", "[FILE]", 0, 1, "Makes the configuration what the file says, as a whole.",
        run_config_apply, .options = delete_options),

    ROW("health", NULL, "", 0, 0, "Says whether the server is well; exit code 1 when not.",
        run_health),
    ROW("doctor", NULL, "[--device DEVICE]", 0, 0,
        "Says what is wrong with the server, or with one device, and the cure; exit code 1 when something is.",
        run_doctor, .options = doctor_options),
    ROW("metrics", NULL, "", 0, 0, "Prints the server's counters.", run_metrics),
    ROW("openapi", NULL, "", 0, 0, "Prints the description of the API.", run_openapi),
    ROW("compose", NULL, "IN... -o OUT", 0, ANY, "Makes a document of image files, without a server.",
        run_compose, .pass_on = true, .local = true),
    ROW("fsck", NULL, "[--dry-run] [--full] [--config FILE]", 0, ANY,
        "Settles spool and database with each other while the server is down.", run_fsck,
        .pass_on = true, .local = true),
    ROW("rotate-key", NULL, "[--config FILE]", 0, ANY,
        "Makes a new master key for the secrets while the server is down.", run_rotate_key,
        .pass_on = true, .local = true),
    ROW("version", NULL, "", 0, 0, "Prints the version of platen.", run_version, .local = true),
};
/* clang-format on */
const size_t command_count = COUNT_OF(command_table);
