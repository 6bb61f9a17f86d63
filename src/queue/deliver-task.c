/* queue/deliver-task.c - see deliver-task.h. */
#include "queue/deliver-task.h"

#include "base/text.h"
#include "seal/settings.h"

/* What tokens in a job's options stand for. */
static Json *facts_message(const DeliveryClaim *c)
{
    Json *facts = json_new_object();

    json_set_text(facts, "job", c->batch.job.name);
    json_set_text(facts, "device", c->batch.device_name);
    json_set_int(facts, "started_at_ms", c->batch.started_at.ms);
    json_set_int(facts, "utc_offset_min", c->batch.utc_offset_min);
    json_set_int(facts, "document", c->document.number);
    json_set_int(facts, "pages", c->document.page_count);
    return facts;
}

/* The index tells the names that the documents got at this destination: what is in out/ was written
 * before any of them was numbered. */
static bool add_index(const Keeper *keeper, const DeliveryClaim *c, Json *task, Err *err)
{
    Json *index = json_new_object(), *documents = json_new_array();
    bool ok = delivered_list(reader_db(keeper->reader), &c->batch.id, &c->delivery.destination,
                             keeper_add_index_row, documents, err);

    json_set_take(index, "documents", documents);
    json_set_take(index, "batch", keeper_batch_message(&c->batch));
    json_set_take(task, "index", index);
    return ok;
}

Json *deliver_task(const Keeper *keeper, const DeliveryClaim *c, Err *err)
{
    char path[PATH_TEXT_SIZE + 320];
    AUTO(Json) sealed = json_parse(bytes_of_text(c->settings), err);
    AUTO(Json)
    settings = sealed ? settings_opened(keeper->queue->config.sealer, c->delivery.destination.text,
                                        sealed, err)
                      : NULL;
    AUTO(Json)
    options = json_parse(bytes_of_text(c->options[0] ? c->options : "{}"), err);

    if (!settings || !options)
        return NULL;
    AUTO(Json) task = keeper_new_task(keeper, "deliver", c->delivery.id.text, c->batch.folder);
    Json *file = json_new_object();
    (void)text_printf(path, sizeof path, "%s/%s/out/%s", keeper->queue->spool_path, c->batch.folder,
                      c->document.name);
    json_set_text(task, "kind", c->kind);
    json_set_take(task, "settings", STEAL(settings));
    json_set_take(task, "options", STEAL(options));
    json_set_take(task, "facts", facts_message(c));
    json_set_text(file, "path", path);
    json_set_text(file, "name", c->document.name);
    json_set_int(file, "size", c->document.size_bytes);
    json_set_text(file, "sha256", c->document.sha256);
    json_set_take(task, "file", file);
    if (c->delivery.reserved_name[0])
        json_set_text(task, "reserved_name", c->delivery.reserved_name);
    else
        json_set_null(task, "reserved_name");
    if (c->document.kind == DOCUMENT_INDEX && !add_index(keeper, c, task, err))
        return NULL;
    return STEAL(task);
}

/* --- questions -------------------------------------------------------------------------------------------- */

static bool reserve_write(Tx *tx, void *arg, Err *err)
{
    const DeliverTalk *talk = arg;

    return delivery_reserve(tx, &talk->claim->delivery.id, talk->text, err);
}

/* The worker proposes the final name; it is committed before it may rename. An empty name gives the
 * reservation back. */
static bool reserve(DeliverTalk *talk, const Json *question, Err *err)
{
    const char *name = json_get_text(question, "name");

    if (!talk->claim || (name[0] && !name_is_one_file(name)) ||
        !text_copy(talk->text, sizeof talk->text, name))
        return err_set(err, ERR_BUG, 0, "a delivery asked for a name that is none");
    return keeper_write(talk->keeper, reserve_write, talk, "delivery-name", err);
}

/* What a delivery may teach: keys of servers, and nothing that says where documents go. */
static const char *const learnt_settings[] = { "tls_pin", "host_key" };

static bool may_be_learnt(const char *setting)
{
    for (size_t i = 0; i < COUNT_OF(learnt_settings); i++)
        if (text_equal(setting, learnt_settings[i]))
            return true;
    return false;
}

static bool learn_write(Tx *tx, void *arg, Err *err)
{
    static const Actor actor = { "server", "local" };
    AUTO_BUF text = buf_with_max(SETTINGS_TEXT_SIZE - 1);
    const DeliverTalk *talk = arg;
    StoredDestination row;
    char detail[160];

    if (!destination_get(tx_db(tx), talk->destination, &row, err))
        return false;
    AUTO(Json) settings = json_parse(bytes_of_text(row.destination.settings), err);
    if (!settings)
        return false;
    if (json_get_text(settings, talk->setting)[0])
        return err_set(err, ERR_CONFLICT, 0, "%s was set meanwhile", talk->setting);
    json_set_text(settings, talk->setting, talk->text);
    (void)text_printf(detail, sizeof detail, "%s = %s", talk->setting, talk->text);
    return (json_write(settings, &text) ||
            err_set(err, ERR_PERMANENT, 0, "the settings become too long")) &&
           destination_put_settings(tx, &actor, talk->destination, buf_text(&text),
                                    "destination.learn", detail, err);
}

/* The key of a server that was seen for the first time stands in the settings before it is trusted. */
static bool learn(DeliverTalk *talk, const Json *question, Err *err)
{
    talk->setting = json_get_text(question, "setting");
    if (!may_be_learnt(talk->setting) ||
        !text_copy(talk->text, sizeof talk->text, json_get_text(question, "value")) ||
        !talk->text[0])
        return err_set(err, ERR_BUG, 0, "a delivery wants to change a setting");
    return keeper_write(talk->keeper, learn_write, talk, "destination-learn", err);
}

Json *deliver_answer(void *arg, const Json *question, Err *err)
{
    DeliverTalk *talk = arg;
    const char *word = json_get_text(question, "question");
    bool go = text_equal(word, "name")    ? reserve(talk, question, err)
              : text_equal(word, "learn") ? learn(talk, question, err)
                                          : err_set(err, ERR_BUG, 0, "unknown question");

    if (!go && err->kind != ERR_CONFLICT)
        return NULL;
    Json *answer = json_new_object();
    json_set_text(answer, "type", "answer");
    json_set_text(answer, "id", json_get_text(question, "id"));
    json_set_text(answer, "answer", go ? "go" : "stop");
    return answer;
}

/* --- result ----------------------------------------------------------------------------------------------- */

static bool take_class(const char *word, DeliveryClass *ret_class)
{
    for (int i = 0; i < DELIVERY_CLASS_MAX_; i++)
        if (text_equal(word, delivery_class_words[i])) {
            *ret_class = (DeliveryClass)i;
            return true;
        }
    return false;
}

bool deliver_result(const Json *message, DeliveryResult *r, Err *err)
{
    const Json *m = json_get(message, "result");

    if (!take_class(json_get_text(m, "class"), &r->class))
        return err_set(err, ERR_TEMPORARY, 0, "the delivery process gave no result");
    (void)text_copy(r->stage, sizeof r->stage, json_get_text(m, "stage"));
    (void)text_copy(r->text, sizeof r->text, json_get_text(m, "text"));
    (void)text_copy(r->cure, sizeof r->cure, json_get_text(m, "cure"));
    (void)text_copy(r->remote_name, sizeof r->remote_name, json_get_text(m, "remote_name"));
    (void)text_copy(r->sha256, sizeof r->sha256, json_get_text(m, "sha256"));
    r->native_code = json_get_int(m, "native_code", 0);
    r->protocol_code = json_get_int(m, "protocol_code", 0);
    r->retry_after_s = json_get_int(m, "retry_after_s", 0);
    r->size_bytes = json_get_int(m, "size_bytes", 0);
    return true;
}
