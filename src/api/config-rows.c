/* api/config-rows.c - see config.h: what there is, and how a file shows it. */
#include "api/config.h"
#include "base/text.h"

const ApiNoun *const config_nouns[CONFIG_NOUNS] = { &noun_destination, &noun_job, &noun_job_group };

const Field device_wish_fields[] = {
    TEXT(DeviceWish, address, false, "Address of the device; finds it when there is no serial."),
    TEXT(DeviceWish, serial, false, "Serial number of the device; finds it wherever it is."),
    TEXT(DeviceWish, name, false, "Name of the device."),
    TEXT(DeviceWish, job_group, false, "Name of the job group whose jobs its panel starts."),
    CHOICE(DeviceWish, registration, device_registration_words, DEVICE_REGISTRATION_AUTO,
           "Version in which the device is told our name; auto: as it asks."),
    CHOICE(DeviceWish, jobs_by, device_jobs_by_words, DEVICE_JOBS_BY_AUTO,
           "How its panel chooses a job; auto: the best it can do."),
    CHOICE(DeviceWish, transport, device_transport_words, DEVICE_TRANSPORT_AUTO,
           "Whether its scan port speaks TLS; auto: found out."),
    CHOICE(DeviceWish, back_rotation, device_back_rotation_words, DEVICE_BACK_AUTO,
           "Degrees by which back sides are turned; auto: as the device says."),
    BOOLEAN(DeviceWish, approved, true, "The device may start jobs."),
    FIELDS_END,
};

void config_plan_done(ConfigPlan *plan)
{
    for (size_t i = 0; i < CONFIG_NOUNS; i++)
        free(plan->tables[i].entries);
    free(plan->devices);
    json_free(plan->changes);
}

/* Room for one more of size bytes each in *list; false with err. */
static bool grow(void **list, size_t n, size_t *cap, size_t size, Err *err)
{
    size_t more = *cap ? 2 * *cap : 16;
    void *longer;

    if (n < *cap)
        return true;
    if (n >= CONFIG_ROWS_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "more than %d entries of one kind", CONFIG_ROWS_MAX);
    longer = realloc(*list, more * size);
    if (!longer)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the configuration");
    *list = longer;
    *cap = more;
    return true;
}

ConfigEntry *config_table_add(ConfigTable *table, Err *err)
{
    void *list = table->entries;

    if (!grow(&list, table->n, &table->cap, sizeof *table->entries, err))
        return NULL;
    table->entries = list;
    memset(&table->entries[table->n], 0, sizeof *table->entries);
    return &table->entries[table->n++];
}

ConfigDevice *config_device_add(ConfigPlan *plan, Err *err)
{
    void *list = plan->devices;

    if (!grow(&list, plan->device_count, &plan->device_cap, sizeof *plan->devices, err))
        return NULL;
    plan->devices = list;
    memset(&plan->devices[plan->device_count], 0, sizeof *plan->devices);
    return &plan->devices[plan->device_count++];
}

/* --- loading ------------------------------------------------------------------------------------------ */

typedef struct Loading {
    ConfigPlan *plan;
    size_t noun;
    Err *err;
    bool failed;
} Loading;

static bool load_row(void *arg, const void *row)
{
    Loading *loading = arg;
    ConfigEntry *entry = config_table_add(&loading->plan->tables[loading->noun], loading->err);

    loading->failed = !entry;
    if (!entry)
        return false;
    memcpy(&entry->now, row, config_nouns[loading->noun]->row_size);
    entry->exists = true;
    return true;
}

static bool load_device(void *arg, const Device *device)
{
    Loading *loading = arg;
    ConfigDevice *entry = config_device_add(loading->plan, loading->err);

    loading->failed = !entry;
    if (!entry)
        return false;
    entry->now = *device;
    entry->exists = true;
    return true;
}

bool config_load(ConfigPlan *plan, Db *db, Err *err)
{
    Loading loading = { .plan = plan, .err = err };

    for (loading.noun = 0; loading.noun < CONFIG_NOUNS; loading.noun++)
        if (!config_nouns[loading.noun]->list(db, load_row, &loading, err) || loading.failed)
            return false;
    return device_list(db, load_device, &loading, err) && !loading.failed &&
           notification_get(db, &plan->notification.now, err);
}

/* --- finding ------------------------------------------------------------------------------------------ */

static const NounRow *entry_row(const ConfigEntry *entry)
{
    return entry->exists ? &entry->now : &entry->wanted;
}

ConfigEntry *config_entry_named(const ConfigTable *table, size_t noun, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (text_equal(row_name(config_nouns[noun], entry_row(&table->entries[i])), name))
            return &table->entries[i];
    return NULL;
}

ConfigEntry *config_entry_with_id(const ConfigTable *table, const char *id)
{
    for (size_t i = 0; i < table->n; i++)
        if (text_equal(row_id(entry_row(&table->entries[i])), id))
            return &table->entries[i];
    return NULL;
}

static size_t noun_index(const ApiNoun *noun)
{
    size_t i = 0;

    while (i < CONFIG_NOUNS && config_nouns[i] != noun)
        i++;
    return i;
}

const ConfigTable *config_referred(const ConfigPlan *plan, size_t noun)
{
    const ApiNoun *to = config_nouns[noun]->reference_noun;

    return to ? &plan->tables[noun_index(to)] : NULL;
}

bool config_has_device(const Device *device)
{
    return device->state != DEVICE_SEEN || device->settings.name[0] ||
           device->settings.job_group[0];
}

/* --- showing ------------------------------------------------------------------------------------------ */

/* The list of references with names in the place of ids. */
static Json *named_list(const ConfigTable *table, size_t to_noun, const ApiNoun *noun,
                        const Json *list)
{
    Json *named = json_new_array();

    for (size_t i = 0; i < json_count(list); i++) {
        const char *id = json_get_text(json_item(list, i), noun->reference_member);
        const ConfigEntry *entry = config_entry_with_id(table, id);
        Json *item = json_clone(json_item(list, i));

        if (item && entry)
            json_set_text(item, noun->reference_member,
                          row_name(config_nouns[to_noun], entry_row(entry)));
        json_add_take(named, item);
    }
    return named;
}

Json *config_show_row(const ConfigPlan *plan, size_t noun, const NounRow *row,
                      const NounRow *stored, bool masked)
{
    const ApiNoun *n = config_nouns[noun];
    AUTO(Json) object = json_from_fields(n->fields, row_value(n, row), false);
    const ConfigTable *referred = config_referred(plan, noun);

    if (!object)
        return NULL;
    if (n->hide && !n->hide(plan->api, row_value(n, row), stored ? row_value(n, stored) : NULL,
                            masked, object))
        return NULL;
    if (referred)
        json_set_take(object, n->reference_list,
                      named_list(referred, noun_index(n->reference_noun), n,
                                 json_get(object, n->reference_list)));
    return STEAL(object);
}

Json *config_show_device(const ConfigPlan *plan, const Device *device)
{
    const size_t groups = noun_index(&noun_job_group);
    const ConfigEntry *group = config_entry_with_id(&plan->tables[groups],
                                                    device->settings.job_group);
    DeviceWish wish = { .approved = device->state != DEVICE_SEEN,
                        .registration = device->settings.registration,
                        .jobs_by = device->settings.jobs_by,
                        .transport = device->settings.transport,
                        .back_rotation = device->settings.back_rotation };

    (void)text_copy(wish.address, sizeof wish.address, device->address);
    (void)text_copy(wish.serial, sizeof wish.serial, device->serial);
    (void)text_copy(wish.name, sizeof wish.name, device->settings.name);
    if (group && device->settings.job_group[0])
        (void)text_copy(wish.job_group, sizeof wish.job_group,
                        row_name(config_nouns[groups], entry_row(group)));
    return json_from_fields(device_wish_fields, &wish, false);
}
