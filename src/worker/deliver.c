/* worker/deliver.c - see deliver.h. */
#include "worker/deliver.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/destination.h"
#include "worker/ask.h"
#include "worker/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { WAIT_MS = 600000 };

static const char report_fault[] = "Report this as a fault of Platen.";

/* What is kept between tasks: the settings of the last one, as text and filled, and what its kind keeps. */
typedef struct Kept {
    const DestinationType *type; /* NULL: nothing is kept */
    char settings_text[SETTINGS_TEXT_SIZE];
    void *settings, *connection;
} Kept;

static void kept_drop(Kept *kept)
{
    if (kept->type && kept->type->close)
        kept->type->close(kept->connection);
    free(kept->settings);
    *kept = (Kept){ .type = NULL };
}

/* The server's side of a task at work. */
typedef struct Dialogue {
    const char *id;
    JsonLines *in; /* NULL: by hand, the answer is by_hand */
    int out_fd;
    bool by_hand;
} Dialogue;

static Json *message_of(const char *type, const char *id)
{
    Json *message = json_new_object();

    json_set_text(message, "type", type);
    json_set_text(message, "id", id);
    return message;
}

/* --- talk ------------------------------------------------------------------------------------------ */

/* Waits for the answer; anything else, or nothing, means stop. */
static bool wait_for_go(const Dialogue *dialogue)
{
    AUTO(Json) answer = NULL;
    Err err;

    return json_lines_next(dialogue->in, DELIVER_ANSWER_MS, &answer, &err) &&
           text_equal(json_get_text(answer, "type"), "answer") &&
           text_equal(json_get_text(answer, "id"), dialogue->id) &&
           text_equal(json_get_text(answer, "answer"), "go");
}

static bool propose(void *arg, const char *name)
{
    const Dialogue *dialogue = arg;
    AUTO(Json) question = message_of("question", dialogue->id);
    Err err;

    json_set_text(question, "question", "name");
    json_set_text(question, "name", name);
    if (!json_line_send(dialogue->out_fd, question, &err))
        return false;
    fault_point("deliver.asked");
    return dialogue->in ? wait_for_go(dialogue) : dialogue->by_hand;
}

static bool learn(void *arg, const char *setting, const char *value)
{
    const Dialogue *dialogue = arg;
    AUTO(Json) question = message_of("question", dialogue->id);
    Err err;

    json_set_text(question, "question", "learn");
    json_set_text(question, "setting", setting);
    json_set_text(question, "value", value);
    return json_line_send(dialogue->out_fd, question, &err) &&
           (dialogue->in ? wait_for_go(dialogue) : dialogue->by_hand);
}

static void passed(void *arg, const char *stage, int64_t ms)
{
    const Dialogue *dialogue = arg;
    AUTO(Json) progress = message_of("progress", dialogue->id);
    Err ignored; /* who does not listen any more is found out by the result */

    json_set_text(progress, "stage", stage);
    json_set_int(progress, "ms", ms);
    (void)json_line_send(dialogue->out_fd, progress, &ignored);
}

static void alive(void *arg)
{
    const Dialogue *dialogue = arg;
    AUTO(Json) message = message_of("alive", dialogue->id);
    Err ignored;

    (void)json_line_send(dialogue->out_fd, message, &ignored);
}

/* --- the parcel ------------------------------------------------------------------------------------ */

/* Bytes as a file that lives as long as its descriptor. */
static bool make_file(Bytes content, int *ret_fd, char ret_sha256[SHA256_TEXT_SIZE], Err *err)
{
    int64_t size;

    *ret_fd = memfd_create("platen-deliver", MFD_CLOEXEC);
    if (*ret_fd < 0)
        return err_errno(err, errno, "cannot make a file in memory");
    return file_write_all(*ret_fd, content, err) && file_hash(*ret_fd, ret_sha256, &size, err);
}

static bool make_index(const Json *index, Parcel *parcel, int *ret_fd,
                       char sha256[SHA256_TEXT_SIZE], Err *err)
{
    AUTO_BUF csv = buf_with_max(INDEX_BYTES_MAX);

    if (!index_rows(json_get(index, "batch"), index, &csv, err) ||
        !make_file(buf_bytes(&csv), ret_fd, sha256, err))
        return err_prefix(err, "index");
    parcel->size_bytes = (int64_t)csv.n;
    parcel->sha256 = sha256;
    parcel->fd = *ret_fd;
    parcel->index = true;
    return true;
}

static bool read_facts(const Json *facts, NameFacts *ret, Err *err)
{
    int64_t document = 0, pages = 0;

    if (!facts) { /* a task by hand, without tokens in its options */
        *ret = (NameFacts){ .job = "", .device = "" };
        return true;
    }
    *ret = (NameFacts){ .job = json_get_text(facts, "job"),
                        .device = json_get_text(facts, "device") };
    if (!ask_moment(facts, "started_at_ms", &ret->started, &ret->utc_offset_min, err) ||
        !ask_int(facts, "document", 0, BATCH_PAGES_MAX, &document, err) ||
        !ask_int(facts, "pages", 0, BATCH_PAGES_MAX, &pages, err))
        return err_prefix(err, "facts");
    ret->document = (uint32_t)document;
    ret->pages = (uint32_t)pages;
    return true;
}

/* All but the file itself. */
static bool read_parcel(const Json *task, Parcel *parcel, const char **ret_path, Err *err)
{
    const Json *file = json_get(task, "file");

    *parcel = (Parcel){ .fd = -1, .reserved = "" };
    if (json_kind(json_get(task, "reserved_name")) == JSON_TEXT &&
        json_get_text(task, "reserved_name")[0] &&
        !ask_file(task, "reserved_name", &parcel->reserved, err))
        return false;
    return ask_file(task, "id", &parcel->delivery, err) && ask_path(file, "path", ret_path, err) &&
           ask_int(file, "size", 0, INT64_MAX - 1, &parcel->size_bytes, err) &&
           ask_sha256(file, "sha256", &parcel->sha256, err) &&
           ask_file(file, "name", &parcel->name, err) &&
           read_facts(json_get(task, "facts"), &parcel->facts, err);
}

/* --- running --------------------------------------------------------------------------------------- */

static bool no_memory(DeliveryResult *result, const char *what)
{
    return delivery_failed(result, DELIVERY_CLASS_RETRY, "locate", ENOMEM,
                           "Give the server more memory.", "no memory for %s", what);
}

/* Settings and connection for this task: those of the last one when they are the same. */
static bool kept_for(Kept *kept, const DestinationType *type, const Json *settings,
                     DeliveryResult *result)
{
    AUTO_BUF text = buf_with_max(SETTINGS_TEXT_SIZE - 1);
    Err err;

    if (!json_write(settings, &text))
        return delivery_failed(result, DELIVERY_CLASS_CONFIG, "locate", 0,
                               "Correct the settings of the destination.",
                               "the settings are missing or too long");
    if (kept->type == type && text_equal(kept->settings_text, buf_text(&text)))
        return true;
    kept_drop(kept);
    kept->settings = calloc(1, type->settings_size);
    if (!kept->settings)
        return no_memory(result, "the settings");
    if (!json_read_fields(settings, type->fields, kept->settings, type->settings_size, &err)) {
        kept_drop(kept);
        return delivery_failed(result, DELIVERY_CLASS_CONFIG, "locate", 0,
                               "Correct the settings of the destination.", "%s", err.text);
    }
    kept->connection = type->open ? type->open(kept->settings) : NULL;
    if (type->open && !kept->connection) {
        kept_drop(kept);
        return no_memory(result, "the connection");
    }
    (void)text_copy(kept->settings_text, sizeof kept->settings_text, buf_text(&text));
    kept->type = type;
    return true;
}

/* Options of the job; owned by the caller. */
static bool read_options(const DestinationType *type, const Json *options, void **ret_options,
                         DeliveryResult *result)
{
    AUTO(Json) empty = json_new_object();
    Err err;

    *ret_options = NULL;
    if (!type->options)
        return true;
    *ret_options = calloc(1, type->options_size);
    if (!*ret_options)
        return no_memory(result, "the options");
    return json_read_fields(options ? options : empty, type->options, *ret_options,
                            type->options_size, &err) ||
           delivery_failed(result, DELIVERY_CLASS_CONFIG, "locate", 0,
                           "Correct the options of the destination in the job.", "%s", err.text);
}

/* What all tasks do around the kind's own work. */
typedef void DestinationRun(const DestinationType *type, const Errand *errand);

static void run(Kept *kept, const DestinationType *type, const Json *task, const Parcel *parcel,
                Dialogue *dialogue, DestinationRun *fn, DeliveryResult *result)
{
    const DeliveryTalk talk = {
        .arg = dialogue, .propose = propose, .learn = learn, .passed = passed, .alive = alive
    };
    void *options = NULL;

    if (kept_for(kept, type, json_get(task, "settings"), result) &&
        read_options(type, json_get(task, "options"), &options, result)) {
        const Errand errand = { .settings = kept->settings,
                                .options = options,
                                .connection = kept->connection,
                                .parcel = parcel,
                                .talk = &talk,
                                .result = result };

        fn(type, &errand);
        if (result->class != DELIVERY_CLASS_OK)
            kept_drop(kept); /* whatever it was, the next one begins anew */
    }
    free(options);
}

static void run_delivery(Kept *kept, const DestinationType *type, const Json *task,
                         Dialogue *dialogue, DeliveryResult *result)
{
    const Json *index = json_get(task, "index");
    char sha256[SHA256_TEXT_SIZE];
    const char *path = NULL;
    AUTO_FD fd = -1;
    Parcel parcel;
    Err err;

    if (!read_parcel(task, &parcel, &path, &err) ||
        (index && !make_index(index, &parcel, &fd, sha256, &err))) {
        (void)delivery_failed(result, DELIVERY_CLASS_FATAL, "locate", 0, report_fault, "%s",
                              err.text);
        return;
    }
    if (!index) {
        fd = file_open_read(AT_FDCWD, path, &err);
        if (fd < 0) {
            (void)delivery_failed(
                result, err.kind == ERR_NOT_FOUND ? DELIVERY_CLASS_FATAL : DELIVERY_CLASS_RETRY,
                "write", err.code, "Compose the batch again from its pages.", "%s", err.text);
            return;
        }
        parcel.fd = fd;
    }
    run(kept, type, task, &parcel, dialogue, destination_deliver, result);
}

static void run_test(Kept *kept, const DestinationType *type, const Json *task, Dialogue *dialogue,
                     DeliveryResult *result)
{
    static const char content[] = "Platen tested this destination. The file can be removed.\r\n";
    char sha256[SHA256_TEXT_SIZE], name[FILE_NAME_BYTES_MAX + 1];
    Parcel parcel = { .sha256 = sha256,
                      .size_bytes = sizeof content - 1,
                      .name = name,
                      .reserved = "",
                      .facts = { .started = wall_now(), .job = "Test", .device = "Test" } };
    AUTO_FD fd = -1;
    Err err;

    if (!ask_file(task, "id", &parcel.delivery, &err) ||
        !text_printf(name, sizeof name, "platen-test-%s.txt", parcel.delivery) ||
        !make_file(bytes_of_text(content), &fd, sha256, &err)) {
        (void)delivery_failed(result, DELIVERY_CLASS_FATAL, "locate", 0, report_fault, "%s",
                              err.text);
        return;
    }
    parcel.fd = fd;
    kept_drop(kept); /* a test connects */
    run(kept, type, task, &parcel, dialogue, destination_test, result);
}

static void run_notification(Kept *kept, const DestinationType *type, const Json *task,
                             Dialogue *dialogue, DeliveryResult *result)
{
    Parcel parcel = { .fd = -1, .sha256 = "", .name = "", .reserved = "" };
    const Json *words = json_get(task, "words");
    Err err;

    if (words) {
        parcel.subject = json_get_text(words, "subject");
        parcel.text = json_get_text(words, "text");
    }

    if (!ask_file(task, "id", &parcel.delivery, &err) ||
        !read_facts(json_get(task, "facts"), &parcel.facts, &err))
        (void)delivery_failed(result, DELIVERY_CLASS_FATAL, "locate", 0, report_fault, "%s",
                              err.text);
    else
        run(kept, type, task, &parcel, dialogue, destination_notify, result);
}

static void do_task(Kept *kept, const Json *task, Dialogue *dialogue, DeliveryResult *result)
{
    const DestinationType *type = destination_find(json_get_text(task, "kind"));
    const char *word = json_get_text(task, "task");

    if (!text_equal(word, "deliver") && !text_equal(word, "test") && !text_equal(word, "notify"))
        (void)delivery_failed(result, DELIVERY_CLASS_FATAL, "locate", 0, report_fault,
                              "\"%s\" is not a task of platen-deliver", word);
    else if (!type)
        (void)delivery_failed(
            result, DELIVERY_CLASS_CONFIG, "locate", 0, "Choose another kind of destination.",
            "there is no destination of kind \"%s\"", json_get_text(task, "kind"));
    else if (text_equal(word, "deliver"))
        run_delivery(kept, type, task, dialogue, result);
    else if (text_equal(word, "notify"))
        run_notification(kept, type, task, dialogue, result);
    else
        run_test(kept, type, task, dialogue, result);
}

static Json *result_json(const char *id, const DeliveryResult *result)
{
    Json *message = message_of("result", id), *object = json_new_object();

    json_set_text(object, "class", delivery_class_words[result->class]);
    json_set_text(object, "stage", result->stage);
    json_set_int(object, "native_code", result->native_code);
    json_set_int(object, "protocol_code", result->protocol_code);
    json_set_text(object, "text", result->text);
    json_set_text(object, "cure", result->cure);
    json_set_int(object, "retry_after_s", result->retry_after_s);
    json_set_text(object, "remote_name", result->remote_name);
    json_set_int(object, "size_bytes", result->size_bytes);
    json_set_text(object, "sha256", result->sha256);
    json_set_take(message, "result", object);
    return message;
}

static bool do_and_tell(Kept *kept, const Json *task, Dialogue *dialogue, DeliveryClass *ret_class,
                        Err *err)
{
    DeliveryResult result = { 0 };

    do_task(kept, task, dialogue, &result);
    fault_point("deliver.before-result");
    AUTO(Json) message = result_json(dialogue->id, &result);
    *ret_class = result.class;
    return json_line_send(dialogue->out_fd, message, err);
}

bool deliver_once(const Json *task, int out_fd, bool go, DeliveryClass *ret_class, Err *err)
{
    Dialogue dialogue = { .id = json_get_text(task, "id"), .out_fd = out_fd, .by_hand = go };
    Kept kept = { .type = NULL };
    bool ok = do_and_tell(&kept, task, &dialogue, ret_class, err);

    kept_drop(&kept);
    return ok;
}

/* --- serving --------------------------------------------------------------------------------------- */

/* What is no task: a late answer, an empty object. It is said, not obeyed. */
static bool refuse(int fd, const char *text, Err *err)
{
    AUTO(Json) message = message_of("refused", "");

    json_set_text(message, "text", text);
    return json_line_send(fd, message, err);
}

static bool serve_task(Kept *kept, const Json *task, JsonLines *lines, int fd, Err *err)
{
    Dialogue dialogue = { .id = json_get_text(task, "id"), .in = lines, .out_fd = fd };
    DeliveryClass class;

    return do_and_tell(kept, task, &dialogue, &class, err);
}

bool deliver_serve(int fd, Err *err)
{
    JsonLines lines = json_lines_over(fd);
    Kept kept = { .type = NULL };
    bool going = true;

    while (going) {
        AUTO(Json) task = NULL;

        if (!json_lines_next(&lines, WAIT_MS, &task, err)) {
            Err why = *err;

            going = why.kind == ERR_TEMPORARY ||
                    (why.kind == ERR_BAD_INPUT && !lines.spoilt && refuse(fd, why.text, err));
        } else if (!text_equal(json_get_text(task, "type"), "task")) {
            going = refuse(fd, "not a task", err);
        } else {
            going = serve_task(&kept, task, &lines, fd, err);
        }
    }
    kept_drop(&kept);
    json_lines_done(&lines);
    return err->kind == ERR_CANCELLED; /* the server closed its side: the ordinary end */
}
