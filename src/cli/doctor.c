/* cli/doctor.c - platen doctor: what is wrong with the server, each thing with its cure. */
#include "base/text.h"
#include "cli/noun.h"

#include <stdio.h>

static const Column finding_columns[] = {
    { "LEVEL", "level", COLUMN_PLAIN },
    { "FINDING", "name", COLUMN_PLAIN },
    { "WHERE", "where", COLUMN_PLAIN },
    { "WHAT", "what", COLUMN_PLAIN },
};

/* One line of cure for each name, in the order of the table; a cure that several findings share is said once. */
static void print_cures(const Json *items)
{
    printf("\nWhat to do:\n");
    for (size_t i = 0; i < json_count(items); i++) {
        const char *cure = json_get_text(json_item(items, i), "cure");
        bool said = false;

        for (size_t k = 0; k < i && !said; k++)
            said = text_equal(json_get_text(json_item(items, k), "cure"), cure);
        if (said)
            continue;
        printf("  %s: ", json_get_text(json_item(items, i), "name"));
        print_safe(cure);
        (void)fputc('\n', stdout);
    }
}

static void print_addresses(const Json *addresses)
{
    printf("Devices are told:");
    for (size_t i = 0; i < json_count(addresses); i++)
        printf("%s %s (%s)", i ? "," : "", json_get_text(json_item(addresses, i), "address"),
               json_get_text(json_item(addresses, i), "interface"));
    printf("%s\n", json_count(addresses) ? "" : " no address");
}

static void print_report(const Json *report)
{
    const Json *items = json_get(report, "items"), *checks = json_get(report, "checks");
    size_t count = json_count(items);

    if (count > 0) {
        print_table(items, finding_columns, COUNT_OF(finding_columns));
        print_cures(items);
        (void)fputc('\n', stdout);
    }
    print_addresses(json_get(report, "addresses"));
    printf("Looked at:");
    for (size_t i = 0; i < json_count(checks); i++)
        printf("%s %s", i ? "," : "", json_get_text(json_item(checks, i), "name"));
    if (count > 0)
        printf(". %zu finding%s", count, count == 1 ? "" : "s");
    printf(".%s\n", json_get_bool(report, "ok", false) ? " All is well." : "");
}

/* --- one device ------------------------------------------------------------------------------------------ */

static void print_stage(const Json *answer, const Json *stage)
{
    static const char *const members[] = { "product", "serial", "firmware" };
    const char *name = json_get_text(stage, "stage");

    printf("%-8s ok %6lld ms", name, (long long)json_get_int(stage, "ms", 0));
    if (text_equal(name, "tls")) {
        const char *version = json_get_text(answer, "tls_version");

        printf("  %s", version[0] ? version : "none: the device knows no TLS");
    }
    for (size_t i = 0; text_equal(name, "identify") && i < COUNT_OF(members); i++) {
        const char *value = json_get_text(json_get(answer, "identity"), members[i]);

        if (value[0]) {
            printf("  %s ", members[i]);
            print_safe(value);
        }
    }
    (void)fputc('\n', stdout);
}

static void print_probe(const Json *answer)
{
    const Json *stages = json_get(answer, "stages"), *result = json_get(answer, "result");

    for (size_t i = 0; i < json_count(stages); i++)
        print_stage(answer, json_item(stages, i));
    if (json_get_bool(answer, "ok", false)) {
        printf("The device answers; nothing was scanned.\n");
        return;
    }
    printf("%-8s FAILED  ", json_get_text(result, "stage"));
    print_safe(json_get_text(result, "text"));
    printf("\n         do: %s\n", json_get_text(result, "cure"));
}

/* A name becomes an id; what no device is called is an address, or refused by the server. */
static bool probe_call(Cli *cli, const char *device, Answer *answer, Err *err)
{
    AUTO(Json) wish = json_new_object();
    char id[ID_TEXT_SIZE];

    if (noun_resolve(cli, &cli_device, device, id, err))
        device = id;
    else if (err->kind != ERR_NOT_FOUND)
        return false;
    json_set_text(wish, "device", device);
    return client_call(cli->client, "POST", "/api/v1/doctor/device", wish, NULL, answer, err);
}

bool run_doctor(Cli *cli, const Args *args, Err *err)
{
    const char *device = args_value(args, "device");
    AUTO_ANSWER answer = { 0 };

    if (device ? !probe_call(cli, device, &answer, err)
               : !client_call(cli->client, "GET", "/api/v1/doctor", NULL, NULL, &answer, err))
        return false;
    if (cli->raw_json)
        print_raw(&answer);
    else if (device)
        print_probe(answer.json);
    else
        print_report(answer.json);
    *err = (Err){ 0 }; /* what was found is said above: only the exit code tells it again */
    return print_flush(err) && json_get_bool(answer.json, "ok", false);
}
