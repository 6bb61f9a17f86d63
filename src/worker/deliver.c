/* worker/deliver.c - see deliver.h. */
#include "worker/deliver.h"

#include "base/fault.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/destination.h"
#include "worker/ask.h"

#include <errno.h>
#include <stdlib.h>

enum { WAIT_MS = 600000 };

/* The server's side of a delivery at work. */
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

static bool read_parcel(const Json *task, Parcel *parcel, Err *err)
{
    const Json *file = json_get(task, "file");

    *parcel = (Parcel){ .reserved = "" };
    if (json_kind(json_get(task, "reserved_name")) == JSON_TEXT &&
        json_get_text(task, "reserved_name")[0] &&
        !ask_file(task, "reserved_name", &parcel->reserved, err))
        return false;
    return ask_file(task, "id", &parcel->delivery, err) &&
           ask_path(file, "path", &parcel->path, err) &&
           ask_int(file, "size", 0, INT64_MAX - 1, &parcel->size_bytes, err) &&
           ask_sha256(file, "sha256", &parcel->sha256, err) &&
           ask_file(file, "name", &parcel->name, err);
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

/* Fills the settings of this kind and delivers. */
static void run(const DestinationType *type, const Json *settings, const Parcel *parcel,
                Dialogue *dialogue, DeliveryResult *ret_result)
{
    const DeliveryTalk talk = { .arg = dialogue, .propose = propose };
    void *filled = calloc(1, type->settings_size);
    Err err;

    if (!filled)
        (void)delivery_failed(ret_result, DELIVERY_CLASS_RETRY, "locate", ENOMEM,
                              "Give the server more memory.", "no memory for the settings");
    else if (!json_read_fields(settings, type->fields, filled, type->settings_size, &err))
        (void)delivery_failed(ret_result, DELIVERY_CLASS_CONFIG, "locate", 0,
                              "Correct the settings of the destination.", "%s", err.text);
    else
        type->deliver(filled, parcel, &talk, ret_result);
    free(filled);
}

static void deliver(const Json *task, Dialogue *dialogue, DeliveryResult *ret_result)
{
    static const char report[] = "Report this as a fault of Platen.";
    const DestinationType *type = destination_find(json_get_text(task, "kind"));
    Parcel parcel;
    Err err;

    if (!text_equal(json_get_text(task, "task"), "deliver"))
        (void)delivery_failed(ret_result, DELIVERY_CLASS_FATAL, "locate", 0, report,
                              "\"%s\" is not a task of platen-deliver",
                              json_get_text(task, "task"));
    else if (!type)
        (void)delivery_failed(
            ret_result, DELIVERY_CLASS_CONFIG, "locate", 0, "Choose another kind of destination.",
            "there is no destination of kind \"%s\"", json_get_text(task, "kind"));
    else if (!read_parcel(task, &parcel, &err))
        (void)delivery_failed(ret_result, DELIVERY_CLASS_FATAL, "locate", 0, report, "%s",
                              err.text);
    else
        run(type, json_get(task, "settings"), &parcel, dialogue, ret_result);
}

static bool deliver_and_tell(const Json *task, JsonLines *in, int out_fd, bool by_hand,
                             DeliveryClass *ret_class, Err *err)
{
    Dialogue dialogue = {
        .id = json_get_text(task, "id"), .in = in, .out_fd = out_fd, .by_hand = by_hand
    };
    DeliveryResult result = { 0 };

    deliver(task, &dialogue, &result);
    fault_point("deliver.before-result");
    AUTO(Json) message = result_json(dialogue.id, &result);
    *ret_class = result.class;
    return json_line_send(out_fd, message, err);
}

bool deliver_once(const Json *task, int out_fd, bool go, DeliveryClass *ret_class, Err *err)
{
    return deliver_and_tell(task, NULL, out_fd, go, ret_class, err);
}

/* What is no task: a late answer, an empty object. It is said, not obeyed. */
static bool refuse(int fd, const char *text, Err *err)
{
    AUTO(Json) message = message_of("refused", "");

    json_set_text(message, "text", text);
    return json_line_send(fd, message, err);
}

bool deliver_serve(int fd, Err *err)
{
    JsonLines lines = json_lines_over(fd);
    bool going = true;

    while (going) {
        AUTO(Json) task = NULL;
        DeliveryClass class;

        if (!json_lines_next(&lines, WAIT_MS, &task, err)) {
            Err why = *err;

            going = why.kind == ERR_TEMPORARY ||
                    (why.kind == ERR_BAD_INPUT && !lines.spoilt && refuse(fd, why.text, err));
        } else if (!text_equal(json_get_text(task, "type"), "task")) {
            going = refuse(fd, "not a task", err);
        } else {
            going = deliver_and_tell(task, &lines, fd, false, &class, err);
        }
    }
    json_lines_done(&lines);
    return err->kind == ERR_CANCELLED; /* the server closed its side: the ordinary end */
}
