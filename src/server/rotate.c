/* server/rotate.c - platend --rotate-key: a new master key, and every secret sealed with it.
 *
 * Three steps, of which each can be the last one: the key file gets the new key in front; all secrets are
 * sealed anew in one transaction; the old keys are forgotten. Repeating it after a crash ends the same. */
#include "base/file.h"
#include "base/text.h"
#include "seal/settings.h"
#include "server/platend.h"
#include "server/privileges.h"
#include "store/config-rows.h"

#include <fcntl.h>
#include <stdio.h>

typedef struct Rotation {
    const Sealer *sealer;
    Tx *tx;
    unsigned destinations, sealed;
    bool ok;
    Err *err;
} Rotation;

static bool reseal(Rotation *r, const StoredDestination *d, Err *err)
{
    static const Actor actor = { "server", "local" };
    AUTO_BUF text = buf_with_max(SETTINGS_TEXT_SIZE - 1);
    AUTO(Json) settings = json_parse(bytes_of_text(d->destination.settings), err);
    bool changed = false;

    r->destinations++;
    if (!settings || !settings_reseal(r->sealer, d->id.text, settings, &changed, err))
        return false;
    if (!changed)
        return true;
    r->sealed++;
    if (!json_write(settings, &text))
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the settings");
    return destination_put_settings(r->tx, &actor, &d->id, buf_text(&text), "destination.reseal",
                                    "", err);
}

static bool visit(void *arg, const StoredDestination *destination)
{
    Rotation *r = arg;

    r->ok = reseal(r, destination, r->err) ||
            err_prefix(r->err, "destination \"%s\"", destination->destination.name);
    return r->ok;
}

static bool rotate_write(Tx *tx, void *arg, Err *err)
{
    Rotation *r = arg;

    r->tx = tx;
    r->err = err;
    r->ok = true;
    return destination_list(tx_db(tx), visit, r, err) && r->ok;
}

bool platend_rotate_key(const ServerConfig *config, Err *err)
{
    Rotation r = { .ok = true };

    if (!privileges_give_up(config->user, config->data_dir, "", err))
        return false;
    AUTO(Store) store = store_open(config->data_dir, err);
    AUTO_FD folder = store ? file_open_folder(AT_FDCWD, config->data_dir, err) : -1;
    AUTO(Sealer) sealer = folder < 0 ? NULL : sealer_open(folder, err);
    if (!sealer)
        return false;
    bool is_file = sealer_add_key(folder, &sealer, err);
    if (!is_file && err->kind != ERR_CONFLICT) /* a credential brings its new key with it */
        return false;
    r.sealer = sealer;
    if (!store_write_wait(store, rotate_write, &r, err) ||
        (is_file && !sealer_forget_old(folder, &sealer, err)))
        return false;
    (void)printf("%u of %u destinations have secrets that are sealed with the new key now\n",
                 r.sealed, r.destinations);
    if (is_file)
        (void)printf("keep a copy of %s/master.key apart from the backups\n", config->data_dir);
    return true;
}
