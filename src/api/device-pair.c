/* api/device-pair.c - button-only scanners are paired with this server (model/pairing.h). */
#include "api/device.h"
#include "api/noun.h"
#include "store/pairing.h"

void device_pairing_show(const ApiRead *read, const DeviceId *id, Json *object)
{
    Pairing pairing;
    Json *shown;
    Err err;

    if (!pairing_get(read->db, id, &pairing, &err) || pairing.state == PAIRING_NONE)
        return;
    shown = json_new_object();
    json_set_text(shown, "state", pairing_state_words[pairing.state]);
    json_set_text(shown, "name", pairing.name);
    json_set_text(shown, "before", pairing.before);
    if (pairing.state == PAIRING_LOST)
        json_set_text(shown, "other", pairing.other);
    if (pairing.problem != PAIRING_OK) {
        json_set_text(shown, "problem", pairing_problem_words[pairing.problem]);
        (void)pairing_problem_err(pairing.problem, "", "", &err);
        json_set_text(shown, "remedy", err.remedy);
    }
    json_set_wall(shown, "since", pairing.since);
    json_set_wall(shown, "checked", pairing.checked);
    json_set_take(object, "pairing", shown);
}

/* Of both: whose device it is, and the wish for it. NULL on failure. */
static const ApiDevices *asked(HttpRequest *req, const Field *fields, void *ret_wish, size_t size,
                               DeviceId *ret_id, Err *err)
{
    const ApiDevices *devices = api_devices_of(req, err);

    return devices && api_path_id(req, "id", ret_id->text, err) &&
                   api_body(req, fields, ret_wish, size, err)
               ? devices
               : NULL;
}

static bool device_pair(HttpRequest *req, HttpResponse *res, Err *err)
{
    Actor actor = api_actor(req);
    PairWish wish;
    DeviceId id;
    const ApiDevices *devices = asked(req, pair_wish_fields, &wish, sizeof wish, &id, err);

    return devices &&
           devices->pair(api_config(api_of(req))->devices_arg, &actor, &id, &wish, err) &&
           device_answer(req, res, &id, err);
}

static bool device_unpair(HttpRequest *req, HttpResponse *res, Err *err)
{
    Actor actor = api_actor(req);
    UnpairWish wish;
    DeviceId id;
    const ApiDevices *devices = asked(req, unpair_wish_fields, &wish, sizeof wish, &id, err);

    return devices &&
           devices->unpair(api_config(api_of(req))->devices_arg, &actor, &id, &wish, err) &&
           device_answer(req, res, &id, err);
}

const Route device_pair_routes[] = {
    { "POST", "/api/v1/devices/{id}/pair", "devices.write", device_pair,
      "Pairs a scanner that has only a button with this server, by SNMP.", .flags = ROUTE_WAITS,
      .query = no_query, .body_fields = pair_wish_fields, .answer = "Device" },
    { "POST", "/api/v1/devices/{id}/unpair", "devices.write", device_unpair,
      "Takes the name of this server out of a scanner that has only a button.",
      .flags = ROUTE_WAITS, .query = no_query, .body_fields = unpair_wish_fields,
      .answer = "Device" },
    { .method = NULL },
};
