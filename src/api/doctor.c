/* api/doctor.c - what is wrong with this server, over HTTP (monitor/doctor.h). */
#include "monitor/doctor.h"
#include "api/device.h"
#include "api/noun.h"
#include "base/file.h"
#include "base/text.h"
#include "http/certificate.h"

#include <errno.h>
#include <stdlib.h>

typedef struct Report {
    Json *items, *addresses;
    unsigned by_check[CHECK_MAX_];
    unsigned wrong; /* of more than the lowest level */
} Report;

static void add_finding(void *arg, const Finding *finding)
{
    const FindingKind *kind = &finding_kinds[finding->id];
    Report *report = arg;
    Json *item = json_new_object();

    json_set_text(item, "level", finding_level_words[kind->level]);
    json_set_text(item, "name", kind->name);
    json_set_text(item, "check", doctor_check_words[finding->check]);
    json_set_text(item, "where", finding->where);
    json_set_text(item, "what", finding->what);
    json_set_text(item, "cure", finding->cure);
    json_add_take(report->items, item);
    report->by_check[finding->check]++;
    report->wrong += kind->level > FINDING_INFO;
}

static void add_address(void *arg, const DoctorTold *told)
{
    Report *report = arg;
    Json *item = json_new_object();

    json_set_text(item, "interface", told->interface);
    json_set_text(item, "address", told->address);
    json_add_take(report->addresses, item);
}

static Json *checks_of(const Report *report)
{
    Json *checks = json_new_array();

    for (size_t i = 0; doctor_check_words[i]; i++) {
        Json *check = json_new_object();

        json_set_text(check, "name", doctor_check_words[i]);
        json_set_int(check, "findings", report->by_check[i]);
        json_add_take(checks, check);
    }
    return checks;
}

/* The key is opened only: its bytes are nobody's business here. */
static void look_at_certificate(const ApiCertificate *certificate, DoctorCertificate *ret)
{
    AUTO_BUF file = buf_with_max(CERTIFICATE_PEM_MAX);
    Wall from, until;
    Err err;

    *ret = (DoctorCertificate){ .is_on = certificate != NULL };
    if (!certificate)
        return;
    ret->path = certificate->path;
    ret->key_path = certificate->key_path;
    if (!file_read_path(certificate->path, &file, &err) ||
        !certificate_validity(buf_bytes(&file), &from, &until, &err))
        (void)text_copy(ret->problem, sizeof ret->problem, err.text);
    AUTO_FD key = file_open_path(certificate->key_path, &err);
    if (key < 0)
        (void)text_copy(ret->key_problem, sizeof ret->key_problem, err.text);
    ret->is_in_use = bytes_equal(buf_bytes(&file), buf_bytes(&certificate->shown));
    (void)certificate_validity(buf_bytes(&certificate->shown), &ret->valid_from, &ret->valid_until,
                               &err);
}

static bool doctor_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiConfig *config = api_config(api_of(req));
    AUTO_READ read = api_read(req, err);
    AUTO_TEXT room = calloc(1, sizeof(DoctorFacts));
    DoctorFacts *facts = (DoctorFacts *)(void *)room;

    if (!read.db)
        return false;
    if (!config->doctor)
        return err_set(err, ERR_NOT_FOUND, 0, "this server has no doctor");
    if (!facts)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the doctor");
    AUTO(Json) items = json_new_array();
    AUTO(Json) addresses = json_new_array();
    Report report = { .items = items, .addresses = addresses };
    Json *answer = json_new_object();
    facts->config = config->doctor;
    facts->key_is_credential = config->sealer && sealer_is_credential(config->sealer);
    look_at_certificate(config->certificate, &facts->certificate);
    doctor_look(facts);
    doctor_examine(facts, read.db, add_finding, &report);
    doctor_addresses(facts, add_address, &report);
    json_set_bool(answer, "ok", report.wrong == 0);
    json_set_text(answer, "version", PLATEN_VERSION);
    json_set_take(answer, "addresses", STEAL(addresses));
    json_set_take(answer, "checks", checks_of(&report));
    json_set_take(answer, "items", STEAL(items));
    http_response_json(res, answer);
    return true;
}

/* --- one device ---------------------------------------------------------------------------------------- */

typedef struct ProbeWish {
    char device[ADDRESS_TEXT_SIZE];
} ProbeWish;

static const Field probe_wish_fields[] = {
    TEXT(ProbeWish, device, true, "Id of a device, or the numeric address of any."),
    FIELDS_END,
};

/* The row of the id or address; without one the address alone. */
static bool find_device(Db *db, ProbeWish *wish, Device *ret, Err *err)
{
    DeviceId id;

    *ret = (Device){ .tls = DEVICE_TLS_NONE };
    if (id_parse(wish->device, &id))
        return device_get(db, &id, ret, err);
    if (!device_address_normal(wish->device, err)) {
        err_remedy(err, "Give a numeric address, or a device of \"platen device list\".");
        return err_field(err, "device");
    }
    if (device_find_address(db, wish->device, ret, err))
        return true;
    (void)text_copy(ret->address, sizeof ret->address, wish->device);
    return err->kind == ERR_NOT_FOUND;
}

static Json *stages_of(const DeviceProbe *probe)
{
    Json *stages = json_new_array();

    for (size_t i = 0; i < probe->failed; i++) {
        Json *stage = json_new_object();

        json_set_text(stage, "stage", probe_stage_words[i]);
        json_set_int(stage, "ms", probe->ms[i]);
        json_add_take(stages, stage);
    }
    return stages;
}

static Json *probe_show(const Device *device, const DeviceProbe *probe)
{
    Json *answer = json_new_object(), *who;
    bool ok = probe->failed == PROBE_STAGE_MAX_;

    json_set_bool(answer, "ok", ok);
    if (device->id.text[0])
        json_set_text(answer, "id", device->id.text);
    json_set_text(answer, "address", device->address);
    json_set_take(answer, "stages", stages_of(probe));
    if (probe->failed > PROBE_TLS)
        json_set_text(answer, "tls_version", probe->tls_version);
    if (!ok) {
        Json *result = json_new_object();

        json_set_text(result, "stage", probe_stage_words[probe->failed]);
        json_set_text(result, "code", probe->reason.code);
        json_set_text(result, "text", probe->reason.text);
        json_set_text(result, "cure", probe->reason.remedy);
        json_set_take(answer, "result", result);
    }
    if (probe->product[0]) {
        who = json_new_object();
        json_set_text(who, "product", probe->product);
        json_set_text(who, "serial", probe->serial);
        json_set_text(who, "firmware", probe->firmware);
        json_set_text(who, "certificate", probe->certificate);
        json_set_take(answer, "identity", who);
    }
    return answer;
}

static bool doctor_device(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiConfig *config = api_config(api_of(req));
    const ApiDevices *devices = api_devices_of(req, err);
    DeviceProbe probe;
    ProbeWish wish;
    Device device;

    if (!devices || !api_body(req, probe_wish_fields, &wish, sizeof wish, err))
        return false;
    {
        AUTO_READ read = api_read(req, err); /* not held while the device is waited for */

        if (!read.db || !find_device(read.db, &wish, &device, err))
            return false;
    }
    if (!devices->probe(config->devices_arg, &device, &probe, err))
        return false;
    device_probe_judge(&probe, device.serial);
    http_response_json(res, probe_show(&device, &probe));
    return true;
}

const Route doctor_routes[] = {
    { "GET", "/api/v1/doctor", "metrics.read", doctor_get,
      "Looks what is wrong with this server: each finding has a name, where it is, what it is, and "
      "its "
      "cure.",
      .query = no_query, .answer = "DoctorReport" },
    { "POST", "/api/v1/doctor/device", "devices.write", doctor_device,
      "Tries a device stage by stage, with the time of each, and scans nothing: connect, tls, "
      "identify.",
      .flags = ROUTE_WAITS, .query = no_query, .body_fields = probe_wish_fields,
      .answer = "DeviceProbe" },
    { .method = NULL },
};
