/* api/config-plan.c - see config.h: what a file wants, checked, and how it differs from what is. */
#include "api/config.h"
#include "base/text.h"

#include <stdio.h>

/* --- differences -------------------------------------------------------------------------------------- */

static bool json_is_equal(const Json *a, const Json *b)
{
    AUTO_BUF one = buf_with_max(JSON_BYTES_MAX), two = buf_with_max(JSON_BYTES_MAX);

    if (json_kind(a) != json_kind(b))
        return false;
    return json_kind(a) == JSON_ABSENT || (json_write(a, &one) && json_write(b, &two) &&
                                           bytes_equal(buf_bytes(&one), buf_bytes(&two)));
}

typedef struct Diff {
    const Json *other;
    const char *prefix;
    Json *diffs;
    bool only_absent; /* second walk: only what the other object lacks */
} Diff;

static bool diff_member(void *arg, const char *name, const Json *value)
{
    Diff *d = arg;
    const Json *other = json_get(d->other, name);
    char path[128];
    Json *diff;

    if (d->only_absent ? json_kind(other) != JSON_ABSENT : json_is_equal(value, other))
        return true;
    (void)text_printf(path, sizeof path, "%s%s%s", d->prefix, d->prefix[0] ? "." : "", name);
    if (json_kind(value) == JSON_OBJ && json_kind(other) == JSON_OBJ) {
        config_diff(other, value, path, d->diffs);
        return true;
    }
    diff = json_new_object();
    json_set_text(diff, "field", path);
    const Json *from = d->only_absent ? value : other, *to = d->only_absent ? NULL : value;
    if (from)
        json_set_take(diff, "from", json_clone(from));
    if (to)
        json_set_take(diff, "to", json_clone(to));
    json_add_take(d->diffs, diff);
    return true;
}

void config_diff(const Json *before, const Json *after, const char *prefix, Json *diffs)
{
    Diff changed = { .other = before, .prefix = prefix, .diffs = diffs };
    Diff gone = { .other = after, .prefix = prefix, .diffs = diffs, .only_absent = true };

    (void)json_each(after, diff_member, &changed);
    (void)json_each(before, diff_member, &gone);
}

/* --- errors say where in the file ------------------------------------------------------------------------ */

static bool fault_in(Err *err, const char *plural, size_t item, const char *name)
{
    char field[sizeof err->field];

    (void)text_copy(field, sizeof field, err->field);
    if (name[0])
        err_prefix(err, "%s \"%s\"", plural, name);
    else
        err_prefix(err, "%s[%zu]", plural, item);
    return err_field(err, "%s[%zu]%s%s", plural, item, field[0] ? "." : "", field);
}

static bool unknown_member(void *arg, const char *name, const Json *value)
{
    static const char *const members[] = { "destinations", "jobs",         "job_groups",
                                           "devices",      "notification", NULL };
    const char *nearest = text_nearest(name, members);
    Err *err = arg;

    for (const char *const *m = members; *m; m++) {
        if (!text_equal(*m, name))
            continue;
        bool one = text_equal(name, "notification");
        if (json_kind(value) == (one ? JSON_OBJ : JSON_ARR) || json_kind(value) == JSON_NULL_VALUE)
            return true;
        err_set(err, ERR_BAD_INPUT, 0, "%s is not %s", name, one ? "an object" : "a list");
        return err_field(err, "%s", name);
    }
    err_set(err, ERR_BAD_INPUT, 0, "a configuration has no member \"%.40s\"", name);
    err_field(err, "%.40s", name);
    if (nearest)
        return err_remedy(err, "Did you mean \"%s\"?", nearest);
    return err_remedy(err, "It has destinations, jobs, job_groups, devices and notification.");
}

/* --- jobs, job groups, destinations ------------------------------------------------------------------------ */

/* First walk: every name gets its entry, so that later ones can be referred to. */
static bool names_take(ConfigPlan *plan, size_t noun, const Json *list, Wall now, Err *err)
{
    const char *plural = config_nouns[noun]->plural;
    ConfigTable *table = &plan->tables[noun];

    for (size_t i = 0; i < json_count(list); i++) {
        const char *name = json_get_text(json_item(list, i), "name");
        ConfigEntry *entry = name[0] ? config_entry_named(table, noun, name) : NULL;

        if (!name[0] || strlen(name) >= NAME_TEXT_SIZE) {
            err_set(err, ERR_BAD_INPUT, 0,
                    name[0] ? "the name is too long" : "the name is missing");
            err_field(err, "name");
            return fault_in(err, plural, i, "");
        }
        if (entry && entry->listed) {
            err_set(err, ERR_BAD_INPUT, 0, "is listed twice");
            return fault_in(err, plural, i, name);
        }
        if (!entry && !(entry = config_table_add(table, err)))
            return false;
        entry->wanted = entry->now; /* id and revision stay */
        if (!entry->exists) {
            id_new_text(now, (char *)&entry->wanted);
            /* The name goes in at once: entries after this one are found by it. */
            (void)text_copy((char *)&entry->wanted + config_nouns[noun]->value_offset,
                            NAME_TEXT_SIZE, name);
        }
        entry->listed = true;
        entry->item = i;
    }
    return true;
}

static bool not_there(const ConfigPlan *plan, const ConfigTable *table, size_t noun,
                      const char *name, Err *err)
{
    const ApiNoun *n = config_nouns[noun];
    const char *names[256] = { NULL };
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; i < table->n && count + 1 < COUNT_OF(names); i++) {
        const ConfigEntry *e = &table->entries[i];

        if (e->listed || (e->exists && !plan->remove_rest))
            names[count++] = row_name(n, e->exists ? &e->now : &e->wanted);
    }
    nearest = text_nearest(name, names);
    err_set(err, ERR_BAD_INPUT, 0, "there is no %s \"%s\"", n->word, name);
    if (nearest)
        err_remedy(err, "Did you mean \"%s\"?", nearest);
    else
        err_remedy(err, "List it under %s.", n->plural);
    return false;
}

/* The index of a noun's referred noun; references go only to nouns before it. */
static size_t referred_index(size_t noun)
{
    size_t i = 0;

    while (config_nouns[i] != config_nouns[noun]->reference_noun)
        i++;
    return i;
}

const ConfigEntry *config_refer(const ConfigPlan *plan, size_t noun, const char *name, Err *err)
{
    const ConfigTable *table = &plan->tables[noun];
    const ConfigEntry *entry = config_entry_named(table, noun, name);

    if (entry && (entry->listed || !plan->remove_rest))
        return entry;
    not_there(plan, table, noun, name, err);
    return NULL;
}

/* A copy of the file's object with ids in the place of names. NULL with err. */
static Json *with_ids(const ConfigPlan *plan, size_t noun, const Json *object, Err *err)
{
    const ApiNoun *n = config_nouns[noun];
    AUTO(Json) copy = json_clone(object);
    AUTO(Json) list = json_new_array();
    const Json *named = n->reference_noun ? json_get(object, n->reference_list) : NULL;

    for (size_t i = 0; i < json_count(named); i++) {
        Json *item = json_clone(json_item(named, i));
        const char *name = json_get_text(item, n->reference_member);
        const ConfigEntry *entry = name[0] ? config_refer(plan, referred_index(noun), name, err)
                                           : NULL;

        if (name[0] && !entry) {
            json_free(item);
            err_field(err, "%s[%zu].%s", n->reference_list, i, n->reference_member);
            return NULL;
        }
        if (entry)
            json_set_text(item, n->reference_member,
                          row_id(entry->exists ? &entry->now : &entry->wanted));
        json_add_take(list, item);
    }
    if (copy && json_kind(named) == JSON_ARR)
        json_set_take(copy, n->reference_list, STEAL(list));
    if (!copy)
        err_set(err, ERR_TEMPORARY, 0, "no memory for the configuration");
    return STEAL(copy);
}

static bool values_read(ConfigPlan *plan, size_t noun, const Json *list, Err *err)
{
    const ApiNoun *n = config_nouns[noun];
    ConfigTable *table = &plan->tables[noun];

    for (size_t i = 0; i < table->n; i++) {
        ConfigEntry *e = &table->entries[i];
        const Json *object = e->listed ? json_item(list, e->item) : NULL;

        if (!e->listed)
            continue;
        AUTO(Json) body = with_ids(plan, noun, object, err);
        if (!body ||
            !noun_read_value(plan->api, n, body, e->exists ? &e->now : NULL, &e->wanted, err))
            return fault_in(err, n->plural, e->item, json_get_text(object, "name"));
    }
    return true;
}

/* --- devices --------------------------------------------------------------------------------------------------- */

/* The one with the serial number; of two (it was approved at a second address) the one at the address
 * that is given as well. False when it does not say which of them. */
static bool device_find_called(ConfigPlan *plan, const DeviceWish *wish, ConfigDevice **ret_device,
                               Err *err)
{
    ConfigDevice *found = NULL;
    size_t n = 0;

    for (size_t i = 0; wish->serial[0] && i < plan->device_count; i++) {
        ConfigDevice *d = &plan->devices[i];

        if (!d->exists || !text_equal(d->now.serial, wish->serial))
            continue;
        if (text_equal(d->now.address, wish->address)) {
            *ret_device = d;
            return true;
        }
        found = d;
        n++;
    }
    *ret_device = found;
    if (n < 2)
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "%zu devices have the serial number %s", n, wish->serial);
    err_remedy(err, "Give the device's address as well, or delete those that are no more.");
    return err_field(err, "serial");
}

static ConfigDevice *device_find_at(ConfigPlan *plan, const DeviceWish *wish)
{
    for (size_t i = 0; wish->address[0] && i < plan->device_count; i++)
        if (text_equal(plan->devices[i].exists ? plan->devices[i].now.address
                                               : plan->devices[i].wish.address,
                       wish->address))
            return &plan->devices[i];
    return NULL;
}

static bool device_take(ConfigPlan *plan, const DeviceWish *wish, Err *err)
{
    const ConfigEntry *group = NULL;
    ConfigDevice *device;

    if (!device_find_called(plan, wish, &device, err))
        return false;
    if (!device)
        device = device_find_at(plan, wish);
    if (device && device->listed)
        return err_set(err, ERR_BAD_INPUT, 0, "the device is listed twice");
    if (!device && !wish->address[0]) {
        err_set(err, ERR_BAD_INPUT, 0, "no device with this serial number was seen");
        err_field(err, "address");
        return err_remedy(err, "Give the device's address as well.");
    }
    if (wish->job_group[0] && !(group = config_refer(plan, CONFIG_NOUNS - 1, wish->job_group, err)))
        return err_field(err, "job_group");
    if (!device && !(device = config_device_add(plan, err)))
        return false;
    device->wish = *wish;
    device->listed = true;
    (void)text_copy(device->wanted.name, sizeof device->wanted.name, wish->name);
    device->wanted.registration = wish->registration;
    device->wanted.jobs_by = wish->jobs_by;
    device->wanted.transport = wish->transport;
    device->wanted.back_rotation = wish->back_rotation;
    if (group)
        (void)text_copy(device->wanted.job_group, sizeof device->wanted.job_group,
                        row_id(group->exists ? &group->now : &group->wanted));
    return device_settings_check(&device->wanted, err);
}

static bool devices_read(ConfigPlan *plan, const Json *list, Err *err)
{
    for (size_t i = 0; i < json_count(list); i++) {
        DeviceWish wish;

        if (!json_read_fields(json_item(list, i), device_wish_fields, &wish, sizeof wish, err) ||
            (wish.address[0] && !device_address_normal(wish.address, err)) ||
            !device_take(plan, &wish, err))
            return fault_in(err, "devices", i, "");
    }
    return true;
}

/* --- changes --------------------------------------------------------------------------------------------------- */

void config_change_add(ConfigPlan *plan, const char *kind, const char *noun, const char *name,
                       Json *fields_take)
{
    Json *change = json_new_object();

    json_set_text(change, "change", kind);
    json_set_text(change, "noun", noun);
    json_set_text(change, "name", name);
    json_set_take(change, "fields", fields_take);
    json_add_take(plan->changes, change);
}

static bool row_compare(ConfigPlan *plan, size_t noun, ConfigEntry *e, Err *err)
{
    const ApiNoun *n = config_nouns[noun];
    AUTO(Json) nothing = json_new_object();
    AUTO(Json) before = e->exists ? config_show_row(plan, noun, &e->now, &e->now, true) : NULL;
    AUTO(Json) after = config_show_row(plan, noun, &e->wanted, e->exists ? &e->now : NULL, true);
    AUTO(Json) diffs = json_new_array();

    if (!after || (e->exists && !before))
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the configuration");
    config_diff(before ? before : nothing, after, "", diffs);
    e->differs = json_count(diffs) > 0;
    if (e->differs)
        config_change_add(plan, e->exists ? "change" : "create", n->word,
                          row_name(n, e->exists ? &e->now : &e->wanted), STEAL(diffs));
    return true;
}

static bool device_compare(ConfigPlan *plan, ConfigDevice *d, Err *err)
{
    Device after = d->now; /* address and serial only find it */
    AUTO(Json) nothing = json_new_object();
    AUTO(Json) diffs = json_new_array();

    after.settings = d->wanted;
    if (d->exists && (d->now.state != DEVICE_SEEN) != d->wish.approved)
        after.state = d->wish.approved ? DEVICE_REGISTERED : DEVICE_SEEN;
    if (!d->exists) {
        after.state = d->wish.approved ? DEVICE_REGISTERED : DEVICE_SEEN;
        (void)text_copy(after.address, sizeof after.address, d->wish.address);
    }
    AUTO(Json) was = d->exists ? config_show_device(plan, &d->now) : NULL;
    AUTO(Json) will = config_show_device(plan, &after);
    if (!will || (d->exists && !was))
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the configuration");
    config_diff(was ? was : nothing, will, "", diffs);
    d->differs = json_count(diffs) > 0;
    if (d->differs)
        config_change_add(plan, d->exists ? "change" : "create", "device",
                          after.settings.name[0] ? after.settings.name : after.address,
                          STEAL(diffs));
    return true;
}

static void removals_add(ConfigPlan *plan)
{
    for (size_t i = 0; i < plan->device_count; i++) {
        const ConfigDevice *d = &plan->devices[i];

        if (!d->listed && config_has_device(&d->now))
            config_change_add(plan, "delete", "device",
                              d->now.settings.name[0] ? d->now.settings.name : d->now.address,
                              json_new_array());
    }
    for (size_t noun = CONFIG_NOUNS; noun-- > 0;)
        for (size_t i = 0; i < plan->tables[noun].n; i++)
            if (!plan->tables[noun].entries[i].listed)
                config_change_add(plan, "delete", config_nouns[noun]->word,
                                  row_name(config_nouns[noun], &plan->tables[noun].entries[i].now),
                                  json_new_array());
}

static bool changes_find(ConfigPlan *plan, Err *err)
{
    plan->changes = json_new_array();
    for (size_t noun = 0; noun < CONFIG_NOUNS; noun++)
        for (size_t i = 0; i < plan->tables[noun].n; i++)
            if (plan->tables[noun].entries[i].listed &&
                !row_compare(plan, noun, &plan->tables[noun].entries[i], err))
                return false;
    for (size_t i = 0; i < plan->device_count; i++)
        if (plan->devices[i].listed && !device_compare(plan, &plan->devices[i], err))
            return false;
    if (plan->remove_rest)
        removals_add(plan);
    return true;
}

bool config_plan(ConfigPlan *plan, const Json *file, Wall now, Err *err)
{
    if (json_kind(file) != JSON_OBJ)
        return err_set(err, ERR_BAD_INPUT, 0, "a configuration is an object with lists of nouns");
    if (!json_each(file, unknown_member, err))
        return false;
    for (size_t noun = 0; noun < CONFIG_NOUNS; noun++)
        if (!names_take(plan, noun, json_get(file, config_nouns[noun]->plural), now, err))
            return false;
    for (size_t noun = 0; noun < CONFIG_NOUNS; noun++)
        if (!values_read(plan, noun, json_get(file, config_nouns[noun]->plural), err))
            return false;
    return devices_read(plan, json_get(file, "devices"), err) && changes_find(plan, err) &&
           config_notification_plan(plan, file, err);
}
