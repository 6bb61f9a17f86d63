/* api/doctor.c - what is wrong with this server, over HTTP (monitor/doctor.h). */
#include "monitor/doctor.h"
#include "api/noun.h"
#include "base/file.h"
#include "base/text.h"
#include "http/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { PEM_BYTES_MAX = 256 * 1024 };

typedef struct Report {
    Json *items, *addresses;
    unsigned by_check[CHECK_MAX_];
    unsigned all;
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
    report->all++;
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
    AUTO_BUF file = buf_with_max(PEM_BYTES_MAX);
    Wall from, until;
    Err err;

    *ret = (DoctorCertificate){ .is_on = certificate != NULL };
    if (!certificate)
        return;
    ret->path = certificate->path;
    ret->key_path = certificate->key_path;
    if (!file_read_whole(AT_FDCWD, certificate->path, &file, &err) ||
        !certificate_validity(buf_bytes(&file), &from, &until, &err))
        (void)text_copy(ret->problem, sizeof ret->problem, err.text);
    AUTO_FD key = file_open_read(AT_FDCWD, certificate->key_path, &err);
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
    look_at_certificate(config->certificate, &facts->certificate);
    doctor_look(facts);
    doctor_examine(facts, read.db, add_finding, &report);
    doctor_addresses(facts, add_address, &report);
    json_set_bool(answer, "ok", report.all == 0);
    json_set_text(answer, "version", PLATEN_VERSION);
    json_set_take(answer, "addresses", STEAL(addresses));
    json_set_take(answer, "checks", checks_of(&report));
    json_set_take(answer, "items", STEAL(items));
    http_response_json(res, answer);
    return true;
}

const Route doctor_routes[] = {
    { "GET", "/api/v1/doctor", "metrics.read", doctor_get,
      "Looks what is wrong with this server: each finding has a name, where it is, what it is, and "
      "its "
      "cure.",
      .query = no_query, .answer = "DoctorReport" },
    { .method = NULL },
};
