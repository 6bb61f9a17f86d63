/* seal/settings.c - see settings.h. */
#include "seal/settings.h"

#include "base/text.h"

enum { PLACE_SIZE = 160 };

static bool place_of(const char *id, const char *member, char ret_place[PLACE_SIZE])
{
    return text_printf(ret_place, PLACE_SIZE, "destination:%s:%s", id, member);
}

/* One walk over the members. */
typedef struct Walk {
    const Sealer *sealer;
    const char *id;
    Json *copy; /* the settings that are made */
    bool reseal, changed, failed;
    Err *err;
} Walk;

static bool open_member(Walk *w, const char *name, const char *sealed)
{
    AUTO_BUF text = buf_with_max(SEAL_TEXT_BYTES_MAX);
    char place[PLACE_SIZE];

    if (!place_of(w->id, name, place) || !seal_open(w->sealer, place, sealed, &text, w->err))
        return err_prefix(w->err, "%s", name);
    json_set_text(w->copy, name, buf_text(&text));
    return !w->reseal || settings_seal(w->sealer, w->id, w->copy, name, w->err);
}

static bool visit(void *arg, const char *name, const Json *value)
{
    const char *text = json_text(value);
    Walk *w = arg;

    if (!text || !seal_is_sealed(text) || (w->reseal && seal_is_current(w->sealer, text)))
        return true;
    w->changed = true;
    w->failed = !open_member(w, name, text);
    return !w->failed;
}

Json *settings_opened(const Sealer *sealer, const char *id, const Json *settings, Err *err)
{
    AUTO(Json) copy = json_clone(settings);
    Walk w = { .sealer = sealer, .id = id, .copy = copy, .err = err };

    if (!copy) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for the settings");
        return NULL;
    }
    (void)json_each(settings, visit, &w);
    return w.failed ? NULL : STEAL(copy);
}

bool settings_seal(const Sealer *sealer, const char *id, Json *settings, const char *member,
                   Err *err)
{
    AUTO_BUF sealed = buf_with_max(SEALED_TEXT_BYTES_MAX);
    char place[PLACE_SIZE];

    if (!place_of(id, member, place) ||
        !seal_text(sealer, place, json_get_text(settings, member), &sealed, err))
        return err_prefix(err, "%s", member);
    json_set_text(settings, member, buf_text(&sealed));
    return true;
}

bool settings_secret_is(const Sealer *sealer, const char *id, const Json *settings,
                        const char *member, const char *text)
{
    AUTO_BUF opened = buf_with_max(SEAL_TEXT_BYTES_MAX);
    const char *sealed = json_get_text(settings, member);
    char place[PLACE_SIZE];
    Err ignored;

    return place_of(id, member, place) && seal_is_sealed(sealed) &&
           seal_open(sealer, place, sealed, &opened, &ignored) &&
           text_equal(buf_text(&opened), text);
}

bool settings_reseal(const Sealer *sealer, const char *id, Json *settings, bool *ret_changed,
                     Err *err)
{
    AUTO(Json) before = json_clone(settings);
    Walk w = { .sealer = sealer, .id = id, .copy = settings, .reseal = true, .err = err };

    *ret_changed = false;
    if (!before)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the settings");
    (void)json_each(before, visit, &w);
    *ret_changed = w.changed;
    return !w.failed;
}
