/* destination/paperless.c - deliver to Paperless-ngx over its REST API.
 *
 *   locate   is it there already? documents are found by their checksum, which is MD5 in version 2 and
 *            SHA-256 in version 3; names of tags and the like become numbers
 *   send     one POST; Paperless puts the document into its queue and answers with the id of a task
 *   follow   the task is asked for until it ends
 *
 * Paperless 2 fails the task of a duplicate, Paperless 3 stores it a second time. A repeat therefore looks first.
 * The task is remembered as the reserved name "task-<id>": the next attempt asks for it and sends nothing
 * again while it is at work. No version of the API is demanded: both shapes of its answers are read. */
#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/form.h"
#include "json/json.h"

#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOKEN_SIZE = 256,
    PATTERN_SIZE = 256,
    NAME_BYTES_MAX = 512, /* of a tag, a title ...; Paperless takes 128 characters */
    URL_BYTES_MAX = 8192,
    TASK_ID_SIZE = 65,
    TEXT_SIZE = 160, /* of what Paperless says */
    CHECKSUM_SIZE = 65,
    BLOCK_BYTES = 65536,
    POLL_FIRST_MS = 100,
    POLL_MOST_MS = 4000,
    LOST_WAIT_S = 120, /* for a document whose answer was lost to come out of the queue */
};

static const char task_prefix[] = "task-";

typedef struct PaperlessSettings {
    char url[HTTP_URL_SIZE], token[TOKEN_SIZE];
    char user[HTTP_USER_SIZE], password[HTTP_PASSWORD_SIZE];
    bool password_in_clear;
    int64_t wait_s, timeout_s;
    TLS_MEMBERS;
} PaperlessSettings;

static const Field paperless_fields[] = {
    TEXT(PaperlessSettings, url, true, "Address of Paperless-ngx without /api, with https://."),
    SECRET(PaperlessSettings, token, "Token of the user (My Profile); empty: user and password."),
    TEXT(PaperlessSettings, user, false, "User, when there is no token."),
    SECRET(PaperlessSettings, password, "Password of the user."),
    BOOLEAN(PaperlessSettings, password_in_clear, false,
            "Let token or password go over http://, where everybody on the way reads them."),
    INTEGER(PaperlessSettings, wait_s, 1, 3600, 300,
            "Seconds to wait for Paperless to store a document, before it is asked again later."),
    TIMEOUT_FIELD(PaperlessSettings),
    TLS_FIELDS(PaperlessSettings),
    FIELDS_END,
};

typedef struct PaperlessOptions {
    char title[PATTERN_SIZE], created[PATTERN_SIZE], correspondent[PATTERN_SIZE];
    char document_type[PATTERN_SIZE], storage_path[PATTERN_SIZE], tags[PATTERN_SIZE];
    bool create_missing;
} PaperlessOptions;

static const Field paperless_options[] = {
    PATTERN(PaperlessOptions, title, FIELD_PATTERN_TEXT,
            "Title, with tokens; empty: the file name."),
    PATTERN(PaperlessOptions, created, FIELD_PATTERN_TEXT,
            "Date of the document, such as {date:%Y-%m-%d}; empty: Paperless looks for one."),
    PATTERN(PaperlessOptions, correspondent, FIELD_PATTERN_TEXT, "Name of the correspondent."),
    PATTERN(PaperlessOptions, document_type, FIELD_PATTERN_TEXT, "Name of the document type."),
    PATTERN(PaperlessOptions, storage_path, FIELD_PATTERN_TEXT, "Name of the storage path."),
    PATTERN(PaperlessOptions, tags, FIELD_PATTERN_TEXT, "Names of tags, with commas between."),
    BOOLEAN(PaperlessOptions, create_missing, false,
            "Make tags, correspondents and types that are not there; else the delivery is held."),
    FIELDS_END,
};

/* What is kept between deliveries. */
typedef struct Paperless {
    Transfer *transfer;
    bool blind;    /* the user may not see documents */
    bool no_tasks; /* the user may not see tasks     */
} Paperless;

static void *paperless_open(const void *settings)
{
    const PaperlessSettings *s = settings;
    Paperless *paperless = calloc(1, sizeof *paperless);

    if (paperless)
        paperless->transfer = HTTP_TRANSFER(s);
    if (paperless && paperless->transfer)
        return paperless;
    free(paperless);
    return NULL;
}

static void paperless_close(void *connection)
{
    Paperless *paperless = connection;

    transfer_free(paperless->transfer);
    free(paperless);
}

/* --- requests --------------------------------------------------------------------------------------- */

static const char rights_cure[] =
    "Give the user of the token the right to view and add documents, and to view tasks.";

static bool begin(const Errand *errand, const char *method, const char *path)
{
    const PaperlessSettings *s = errand->settings;
    const HttpLogin login = { s->url, s->token[0] ? HTTP_AUTH_NONE : HTTP_AUTH_BASIC, s->user,
                              s->password, s->password_in_clear };
    const Paperless *paperless = errand->connection;
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);
    size_t n = strlen(s->url);

    while (n > 0 && s->url[n - 1] == '/')
        n--;
    (void)buf_put(&url, (Bytes){ (const uint8_t *)s->url, n });
    (void)buf_put_text(&url, path);
    if (!http_begin(paperless->transfer, errand, &login, method, buf_text(&url)))
        return false;
    if (s->token[0] && !text_starts_with(s->url, "https://") && !s->password_in_clear)
        return transfer_failed(paperless->transfer, DELIVERY_CLASS_CONFIG, "login",
                               "Use https://, or allow it with password_in_clear.",
                               "the token would be readable on the way");
    if (s->token[0])
        http_header(paperless->transfer, "Authorization: Token %s", s->token);
    http_header(paperless->transfer, "Accept: application/json");
    return true;
}

/* What Paperless said, on one line and cut. */
static void take_words(const Errand *errand, char ret_text[TEXT_SIZE])
{
    const Paperless *paperless = errand->connection;
    Bytes body = bytes_of_text(transfer_body(paperless->transfer));

    if (text_is_utf8(body))
        (void)text_copy_bytes(ret_text, TEXT_SIZE, body);
    else
        (void)text_copy(ret_text, TEXT_SIZE, "something that is no text");
    for (char *c = ret_text; *c; c++)
        if (*c == '\n' || *c == '\r' || *c == '\t')
            *c = ' ';
}

/* Fails with the words of the last answer. */
static bool refused(const Errand *errand, DeliveryClass class, const char *stage, const char *cure)
{
    const Paperless *paperless = errand->connection;
    char words[TEXT_SIZE];

    take_words(errand, words);
    return transfer_failed(paperless->transfer, class, stage, cure, "Paperless answered %ld: %s",
                           transfer_code(paperless->transfer), words);
}

/* The last answer as JSON, owned by the caller; NULL with the result filled. */
static Json *take_answer(const Errand *errand, const char *stage)
{
    const Paperless *paperless = errand->connection;
    Err err;
    Json *json = json_parse(bytes_of_text(transfer_body(paperless->transfer)), &err);

    if (!json)
        (void)refused(errand, DELIVERY_CLASS_CONFIG, stage,
                      "Correct the address: what answers there is not the API of Paperless.");
    return json;
}

/* GET. *ret_json stays NULL when the status is one of allowed_status (0 = none) instead of 200. */
static bool get(const Errand *errand, const char *path, const char *stage, long allowed_status,
                Json **ret_json)
{
    const TransferReply replies[] = {
        { allowed_status, allowed_status, DELIVERY_CLASS_OK, NULL, NULL },
        { .first = 0 },
    };
    const Paperless *paperless = errand->connection;

    *ret_json = NULL;
    if (!begin(errand, "GET", path) || !transfer_run(paperless->transfer, stage, replies))
        return false;
    if (transfer_code(paperless->transfer) == allowed_status)
        return true;
    *ret_json = take_answer(errand, stage);
    return *ret_json != NULL;
}

/* --- is it there? ----------------------------------------------------------------------------------- */

/* MD5 of the parcel; "" when OpenSSL does without it. Sees whether the spool is sound as well. */
static bool hash_md5(const Errand *errand, char ret_md5[CHECKSUM_SIZE])
{
    uint8_t block[BLOCK_BYTES], digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    bool known = md5 && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1, ok = true;
    int64_t offset = 0;
    unsigned size = 0;

    ret_md5[0] = '\0';
    for (size_t n = 1; known && ok && n > 0; offset += (int64_t)n) {
        ok = errand_read(errand, offset, block, sizeof block, &n);
        (void)EVP_DigestUpdate(md5, block, ok ? n : 0);
    }
    if (known && ok && EVP_DigestFinal_ex(md5, digest, &size) == 1)
        text_hex(ret_md5, (Bytes){ digest, size });
    EVP_MD_CTX_free(md5);
    return ok && errand_source_sound(errand);
}

/* Is there a document with this checksum? A server that does not know the filter answers with any: what it
 * says of the document itself counts. */
static bool look_for(const Errand *errand, const char *checksum, int64_t *ret_id)
{
    Paperless *paperless = errand->connection;
    AUTO(Json) found = NULL;
    AUTO(Json) facts = NULL;
    char path[NAME_BYTES_MAX];

    *ret_id = 0;
    (void)text_printf(path, sizeof path, "/api/documents/?page_size=1&checksum__iexact=%s",
                      checksum);
    if (!get(errand, path, "locate", 403, &found))
        return false;
    paperless->blind = !found;
    int64_t id = json_get_int(json_item(json_get(found, "results"), 0), "id", 0);
    if (id <= 0)
        return true;
    (void)text_printf(path, sizeof path, "/api/documents/%lld/metadata/", (long long)id);
    if (!get(errand, path, "locate", 404, &facts))
        return false;
    if (text_equal_nocase(json_get_text(facts, "original_checksum"), checksum))
        *ret_id = id;
    return true;
}

/* *ret_id: of the document that is the parcel, 0 = none. */
static bool look(const Errand *errand, const char *md5, int64_t *ret_id)
{
    *ret_id = 0;
    return (!md5[0] || look_for(errand, md5, ret_id)) &&
           (*ret_id || look_for(errand, errand->parcel->sha256, ret_id));
}

/* The receipt; id 0: not told. */
static bool stored(const Errand *errand, const char *how, int64_t id)
{
    DeliveryResult *result = errand->result;
    const char *name = errand->parcel->name;

    (void)errand_done(errand, "follow", name);
    if (id > 0)
        (void)text_printf(result->text, sizeof result->text, "%s %s as document %lld", name, how,
                          (long long)id);
    else
        (void)text_printf(result->text, sizeof result->text, "%s %s", name, how);
    return true;
}

/* --- names ------------------------------------------------------------------------------------------ */

/* A sort of things that documents have, and how a person calls it. */
typedef struct Sort {
    const char *path, *member, *title;
    bool can_create;
} Sort;

static const Sort tag_sort = { "/api/tags/", "tags", "tag", true };
static const Sort correspondent_sort = { "/api/correspondents/", "correspondent", "correspondent",
                                         true };
static const Sort type_sort = { "/api/document_types/", "document_type", "document type", true };
static const Sort storage_sort = { "/api/storage_paths/", "storage_path", "storage path", false };

static bool find_name(const Errand *errand, const Sort *sort, const char *name, int64_t *ret_id)
{
    AUTO_BUF path = buf_with_max(URL_BYTES_MAX);
    AUTO(Json) answer = NULL;

    *ret_id = 0;
    (void)buf_printf(&path, "%s?page_size=100&name__iexact=", sort->path);
    (void)url_put(&path, name);
    if (!get(errand, buf_text(&path), "locate", 0, &answer))
        return false;
    const Json *results = json_get(answer, "results");
    for (size_t i = 0; i < json_count(results); i++) {
        const Json *item = json_item(results, i);

        /* Exactly this one rather than one that differs in capitals. */
        if (text_equal(json_get_text(item, "name"), name) ||
            (*ret_id == 0 && text_equal_nocase(json_get_text(item, "name"), name)))
            *ret_id = json_get_int(item, "id", 0);
    }
    return true;
}

static bool create_name(const Errand *errand, const Sort *sort, const char *name, int64_t *ret_id)
{
    static const TransferReply replies[] = {
        { 400, 400, DELIVERY_CLASS_OK, NULL, NULL },
        { 403, 403, DELIVERY_CLASS_CONFIG, NULL,
          "Give the user of the token the right to add it, or make it in Paperless." },
        { .first = 0 },
    };
    const Paperless *paperless = errand->connection;
    AUTO_BUF text = buf_with_max(URL_BYTES_MAX);
    AUTO(Json) body = json_new_object();
    AUTO(Json) answer = NULL;

    json_set_text(body, "name", name);
    if (!json_write(body, &text))
        return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "locate", 0,
                               "Give the server more memory.", "no memory for a name");
    if (!begin(errand, "POST", sort->path))
        return false;
    http_body(paperless->transfer, buf_bytes(&text), "application/json");
    if (!transfer_run(paperless->transfer, "locate", replies))
        return false;
    if (transfer_code(paperless->transfer) == 400) {
        (void)refused(errand, DELIVERY_CLASS_CONFIG, "locate",
                      "Correct the name in the job, or make it in Paperless.");
        DeliveryResult why = *errand->result;

        /* Somebody may have made it at the same time. */
        if (!find_name(errand, sort, name, ret_id))
            return false;
        *errand->result = why;
        return *ret_id > 0;
    }
    answer = take_answer(errand, "locate");
    *ret_id = json_get_int(answer, "id", 0);
    return *ret_id > 0 || (answer && refused(errand, DELIVERY_CLASS_CONFIG, "locate",
                                             "Make it in Paperless, and look at its log."));
}

/* Adds a member with the number of a name. */
static bool add_name(const Errand *errand, Form *form, const Sort *sort, const char *name)
{
    const PaperlessOptions *options = errand->options;
    const Paperless *paperless = errand->connection;
    char number[24];
    int64_t id = 0;

    if (!find_name(errand, sort, name, &id))
        return false;
    if (id == 0 && !(sort->can_create && options->create_missing))
        return transfer_failed(paperless->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               sort->can_create
                                   ? "Make it in Paperless, or set create_missing in the job."
                                   : "Make it in Paperless, or correct the job.",
                               "there is no %s \"%.100s\"", sort->title, name);
    if (id == 0 && !create_name(errand, sort, name, &id))
        return false;
    (void)text_printf(number, sizeof number, "%lld", (long long)id);
    form_text(form, sort->member, NULL, number);
    return true;
}

/* --- the form --------------------------------------------------------------------------------------- */

/* A text of the job with its values, without blanks around it. */
static bool resolve(const Errand *errand, const char *what, const char *pattern,
                    char ret_text[NAME_BYTES_MAX])
{
    AUTO_BUF text = buf_with_max(NAME_BYTES_MAX - 1);
    Err err = { 0 };

    if (!name_text_resolve(pattern, &errand->parcel->facts, &text, &err))
        return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                               "Correct it in the job.", "%s: %s", what, err.text);
    const char *from = buf_text(&text) + strspn(buf_text(&text), " ");
    (void)text_copy(ret_text, NAME_BYTES_MAX, from);
    for (size_t n = strlen(ret_text); n > 0 && ret_text[n - 1] == ' '; n--)
        ret_text[n - 1] = '\0';
    return true;
}

static bool add_tags(const Errand *errand, Form *form)
{
    const PaperlessOptions *options = errand->options;
    char pattern[PATTERN_SIZE], name[NAME_BYTES_MAX];

    for (const char *at = options->tags; *at;) {
        size_t n = strcspn(at, ",\n");

        (void)text_copy_bytes(pattern, sizeof pattern, (Bytes){ (const uint8_t *)at, n });
        at += n + (at[n] != '\0');
        if (!resolve(errand, "tags", pattern, name) ||
            (name[0] && !add_name(errand, form, &tag_sort, name)))
            return false;
    }
    return true;
}

/* "2026-11-22", and what may follow it. */
static bool is_date(const char *text)
{
    static const char form[] = "0000-00-00";

    for (size_t i = 0; form[i]; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static bool add_texts(const Errand *errand, Form *form)
{
    const PaperlessOptions *options = errand->options;
    char title[NAME_BYTES_MAX], created[NAME_BYTES_MAX];

    if (!resolve(errand, "title", options->title, title) ||
        !resolve(errand, "created", options->created, created))
        return false;
    if (title[0])
        form_text(form, "title", NULL, title);
    if (created[0] && !is_date(created))
        return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                               "Write the date in the job as {date:%%Y-%%m-%%d}.",
                               "\"%.60s\" is no date", created);
    if (created[0])
        form_text(form, "created", NULL, created);
    return true;
}

static bool fill(const Errand *errand, Form *form)
{
    const PaperlessOptions *options = errand->options;
    const struct {
        const Sort *sort;
        const char *pattern;
    } rows[] = { { &correspondent_sort, options->correspondent },
                 { &type_sort, options->document_type },
                 { &storage_sort, options->storage_path } };
    char name[NAME_BYTES_MAX];

    if (!add_texts(errand, form))
        return false;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (!resolve(errand, rows[i].sort->title, rows[i].pattern, name) ||
            (name[0] && !add_name(errand, form, rows[i].sort, name)))
            return false;
    return add_tags(errand, form) && form_file(form, errand, "document", "send");
}

/* --- sending ---------------------------------------------------------------------------------------- */

/* Everything may have arrived, and Paperless has not said so: no answer, or one of a proxy in front. */
static bool lost(const Errand *errand)
{
    const Paperless *paperless = errand->connection;
    DeliveryResult *result = errand->result;
    long code = transfer_code(paperless->transfer);

    if (result->class != DELIVERY_CLASS_RETRY || !transfer_all_sent(paperless->transfer) ||
        (code != 0 && code != 502 && code != 504))
        return false;
    result->retry_after_s = LOST_WAIT_S;
    if (paperless->blind) {
        result->class = DELIVERY_CLASS_UNKNOWN;
        (void)text_copy(result->cure, sizeof result->cure,
                        "Look into Paperless whether it is there, before it is tried again.");
    }
    return false;
}

/* The id of a task: it goes into addresses and is reserved as a name. */
static bool is_task_id(const char *text)
{
    return text[0] && strlen(text) < TASK_ID_SIZE &&
           text[strspn(text, "0123456789abcdefABCDEF-")] == '\0';
}

/* ret_task: "" when this Paperless does not tell one. */
static bool send_form(const Errand *errand, const Form *form, char ret_task[TASK_ID_SIZE])
{
    static const TransferReply replies[] = {
        { 400, 400, DELIVERY_CLASS_OK, NULL, NULL },
        { 403, 403, DELIVERY_CLASS_CONFIG, NULL, rights_cure },
        { .first = 0 },
    };
    const Paperless *paperless = errand->connection;

    ret_task[0] = '\0';
    if (!begin(errand, "POST", "/api/documents/post_document/"))
        return false;
    form_send(form, paperless->transfer, errand);
    /* libcurl sends a request again when a connection that it used before breaks: this one must not be. */
    curl_easy_setopt(transfer_handle(paperless->transfer), CURLOPT_FRESH_CONNECT, 1L);
    if (!transfer_run(paperless->transfer, "send", replies))
        return lost(errand);
    if (transfer_code(paperless->transfer) == 400)
        return refused(errand, DELIVERY_CLASS_FATAL, "send",
                       "Correct what Paperless names, in the job or there.");
    AUTO(Json) answer = take_answer(errand, "send");
    const char *task = json_text(answer);
    if (task && is_task_id(task))
        (void)text_copy(ret_task, TASK_ID_SIZE, task);
    return answer != NULL;
}

/* --- following -------------------------------------------------------------------------------------- */

typedef enum TaskState { TASK_NONE, TASK_WORKS, TASK_ENDED, TASK_FAILED } TaskState;

/* What Paperless says about a task, in the words of either version. */
typedef struct Task {
    TaskState state;
    bool duplicate, trash;
    int64_t document;
    char text[TEXT_SIZE];
} Task;

static bool has_word(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

/* A number, or one written as text, as Paperless 2 does. */
static int64_t number_of(const Json *value)
{
    int64_t number = json_int(value, 0);

    if (json_text(value))
        (void)text_to_int(json_text(value), 1, INT64_MAX, &number);
    return number;
}

static void read_task(const Json *item, Task *ret)
{
    const char *status = json_get_text(item, "status");
    const Json *data = json_get(item, "result_data");
    const char *text = json_get_text(item, "result");

    if (!text[0])
        text = json_get_text(data, "error_message");
    if (!text[0])
        text = json_get_text(data, "reason");
    *ret = (Task){ .state = TASK_WORKS, .document = number_of(json_get(item, "related_document")) };
    if (ret->document == 0)
        ret->document = number_of(json_item(json_get(item, "related_document_ids"), 0));
    if (ret->document == 0)
        ret->document = number_of(json_get(data, "document_id"));
    (void)text_copy(ret->text, sizeof ret->text, text[0] ? text : status);
    if (text_equal_nocase(status, "success"))
        ret->state = TASK_ENDED;
    if (!text_equal_nocase(status, "failure") && !text_equal_nocase(status, "revoked"))
        return;
    ret->state = TASK_FAILED;
    ret->duplicate = json_get_int(data, "duplicate_of", 0) > 0 || has_word(text, "duplicate");
    ret->trash = json_get_bool(data, "duplicate_in_trash", false) || has_word(text, "in the trash");
    if (ret->document == 0)
        ret->document = json_get_int(data, "duplicate_of", 0);
}

static bool ask_task(const Errand *errand, const char *id, Task *ret)
{
    Paperless *paperless = errand->connection;
    char path[NAME_BYTES_MAX];
    AUTO(Json) answer = NULL;

    *ret = (Task){ .state = TASK_NONE };
    (void)text_printf(path, sizeof path, "/api/tasks/?task_id=%s", id);
    if (!get(errand, path, "follow", 403, &answer))
        return false;
    paperless->no_tasks = !answer;
    const Json *list = json_kind(answer) == JSON_ARR ? answer : json_get(answer, "results");
    for (size_t i = 0; i < json_count(list); i++)
        if (text_equal_nocase(json_get_text(json_item(list, i), "task_id"), id))
            read_task(json_item(list, i), ret);
    return true;
}

/* How a task that is over ends the delivery. */
static bool conclude(const Errand *errand, const Task *task)
{
    const Paperless *paperless = errand->connection;

    if (task->state == TASK_ENDED)
        return stored(errand, "is there", task->document);
    if (task->duplicate && !task->trash)
        return stored(errand, "was there already (a duplicate)", task->document);
    if (task->duplicate)
        return transfer_failed(paperless->transfer, DELIVERY_CLASS_FATAL, "follow",
                               "Restore the document from the trash of Paperless, or empty it.",
                               "%s", task->text);
    bool room = has_word(task->text, "No space left");
    return transfer_failed(paperless->transfer, room ? DELIVERY_CLASS_RETRY : DELIVERY_CLASS_FATAL,
                           "follow",
                           room ? "Make room on the server of Paperless."
                                : "Look at File Tasks and the log of Paperless.",
                           "Paperless could not store it: %s", task->text);
}

/* Waits for the end. task "": or who may not see tasks: until the document is there. */
static bool follow(const Errand *errand, const char *md5, const char *task_id)
{
    const PaperlessSettings *s = errand->settings;
    const Paperless *paperless = errand->connection;
    Mono end = mono_after(mono_now(), s->wait_s * 1000);
    int64_t id = 0;
    Task task;

    for (int wait_ms = POLL_FIRST_MS; !mono_reached(mono_now(), end);) {
        bool by_task = task_id[0] && !paperless->no_tasks;

        if (by_task && !ask_task(errand, task_id, &task))
            return false;
        if (by_task && (task.state == TASK_ENDED || task.state == TASK_FAILED))
            return conclude(errand, &task);
        if (!by_task && paperless->blind)
            return transfer_failed(
                paperless->transfer, DELIVERY_CLASS_UNKNOWN, "follow", rights_cure,
                "it was taken, but the user may see neither tasks nor documents");
        if (!by_task && !look(errand, md5, &id))
            return false;
        if (id > 0)
            return stored(errand, "is there", id);
        (void)poll(NULL, 0, wait_ms);
        wait_ms = wait_ms * 2 < POLL_MOST_MS ? wait_ms * 2 : POLL_MOST_MS;
    }
    return transfer_failed(paperless->transfer, DELIVERY_CLASS_RETRY, "follow",
                           "Nothing: Paperless is asked again later. Raise wait_s if it is slow.",
                           "Paperless was still at work after %lld s", (long long)s->wait_s);
}

/* --- delivery --------------------------------------------------------------------------------------- */

/* An earlier attempt was given a task. *ret_over: nothing is left to do, for now or for good. A task that failed
 * was told of then: somebody wants it tried again. */
static bool follow_earlier(const Errand *errand, const char *md5, bool *ret_over)
{
    const char *id = errand->parcel->reserved + strlen(task_prefix);
    Task task;

    *ret_over = false;
    if (!text_starts_with(errand->parcel->reserved, task_prefix) || !is_task_id(id))
        return true;
    if (!ask_task(errand, id, &task))
        return false;
    *ret_over = task.state == TASK_WORKS || task.state == TASK_ENDED;
    return !*ret_over || follow(errand, md5, id);
}

static bool deliver(const Errand *errand, Form *form)
{
    char md5[CHECKSUM_SIZE], task[TASK_ID_SIZE], name[TASK_ID_SIZE + sizeof task_prefix];
    int64_t id = 0;
    bool over;

    if (!hash_md5(errand, md5) || !follow_earlier(errand, md5, &over))
        return false;
    if (over)
        return true;
    if (!look(errand, md5, &id))
        return false;
    if (id > 0)
        return stored(errand, "was there already", id);
    if (!fill(errand, form) || !send_form(errand, form, task))
        return false;
    /* Whether it may be remembered or not, Paperless has it by now. */
    if (task[0] && text_printf(name, sizeof name, "%s%s", task_prefix, task))
        (void)errand_propose(errand, name);
    return follow(errand, md5, task);
}

static void paperless_deliver(const Errand *errand)
{
    Form form;

    form_start(&form, errand);
    (void)deliver(errand, &form);
    form_done(&form);
}

/* --- test ------------------------------------------------------------------------------------------- */

/* May the user add documents? Paperless tells it to its own pages; who may not ask is not held up. */
static bool check_rights(const Errand *errand)
{
    const Paperless *paperless = errand->connection;
    AUTO(Json) answer = NULL;

    if (!get(errand, "/api/ui_settings/", "locate", 403, &answer))
        return false;
    const Json *rights = json_get(answer, "permissions");
    for (size_t i = 0; i < json_count(rights); i++)
        if (text_equal(json_text(json_item(rights, i)), "add_document"))
            return true;
    return !rights || transfer_failed(paperless->transfer, DELIVERY_CLASS_CONFIG, "locate",
                                      rights_cure, "the user may not add documents");
}

/* Nothing is sent: there would be no way to take it back. */
static void paperless_test(const Errand *errand)
{
    Mono begun = mono_now();
    AUTO(Json) documents = NULL;

    if (!get(errand, "/api/documents/?page_size=1", "locate", 403, &documents) ||
        !check_rights(errand))
        return;
    errand->talk->passed(errand->talk->arg, "locate", mono_now().ms - begun.ms);
    (void)errand_done(errand, "locate", "");
}

extern const DestinationType destination_paperless;
const DestinationType destination_paperless = {
    .name = "paperless",
    .title = "Paperless-ngx",
    .fields = paperless_fields,
    .settings_size = sizeof(PaperlessSettings),
    .options = paperless_options,
    .options_size = sizeof(PaperlessOptions),
    .open = paperless_open,
    .close = paperless_close,
    .deliver = paperless_deliver,
    .test = paperless_test,
};
