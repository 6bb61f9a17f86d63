/* api/config-notification.c - see config.h: the setting about notifications in the configuration. */
#include "api/config.h"
#include "base/text.h"

enum { DESTINATIONS = 0 }; /* their place in config_nouns */

Json *config_show_notification(const ConfigPlan *plan, const NotificationSettings *settings)
{
    const ConfigEntry *entry = config_entry_with_id(&plan->tables[DESTINATIONS], settings->over);
    Json *object = json_from_fields(notification_fields, settings, false);

    if (entry && object)
        json_set_text(object, "over",
                      row_name(config_nouns[DESTINATIONS],
                               entry->exists && !entry->listed ? &entry->now : &entry->wanted));
    return object;
}

static bool wanted_over(const ConfigPlan *plan, NotificationSettings *settings, Err *err)
{
    const ConfigEntry *entry;

    if (!settings->over[0])
        return true;
    entry = config_refer(plan, DESTINATIONS, settings->over, err);
    if (!entry)
        return err_field(err, "over");
    (void)text_copy(settings->over, sizeof settings->over,
                    row_id(entry->exists ? &entry->now : &entry->wanted));
    return true;
}

static bool wanted_read(const ConfigPlan *plan, const Json *object, NotificationSettings *settings,
                        Err *err)
{
    char field[sizeof err->field];

    if (json_read_fields(object, notification_fields, settings, sizeof *settings, err) &&
        wanted_over(plan, settings, err) && notification_check(settings, err))
        return true;
    (void)text_copy(field, sizeof field, err->field);
    err_prefix(err, "notification");
    return err_field(err, "notification%s%s", field[0] ? "." : "", field);
}

bool config_notification_plan(ConfigPlan *plan, const Json *file, Err *err)
{
    ConfigNotification *n = &plan->notification;
    const Json *object = json_get(file, "notification");
    AUTO(Json) nothing = json_new_object();
    AUTO(Json) diffs = json_new_array();

    n->wanted = n->now;
    if (json_kind(object) != JSON_OBJ && !plan->remove_rest)
        return true;
    if (!wanted_read(plan, json_kind(object) == JSON_OBJ ? object : nothing, &n->wanted.settings,
                     err))
        return false;
    AUTO(Json) before = config_show_notification(plan, &n->now.settings);
    AUTO(Json) after = config_show_notification(plan, &n->wanted.settings);
    if (!before || !after)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the configuration");
    config_diff(before, after, "", diffs);
    n->differs = json_count(diffs) > 0;
    if (n->differs)
        config_change_add(plan, "change", "notification", "notification", STEAL(diffs));
    return true;
}
