/* api/context.h - inside of api: what handlers share. */
#ifndef PLATEN_API_CONTEXT_H
#define PLATEN_API_CONTEXT_H

#include "api/api.h"
#include "json/json.h"

/* A read connection, taken from the pool for the length of a handler:
 *   AUTO_READ read = api_read(req, err);  if (!read.db) return false; */
typedef struct ApiRead {
    Api *api;
    StoreReader *reader;
    Db *db; /* NULL: could not be opened, err is set */
} ApiRead;
ApiRead api_read(const HttpRequest *req, Err *err);
void api_read_done(ApiRead *read);
#define AUTO_READ __attribute__((cleanup(api_read_done))) ApiRead

/* The Api a request belongs to, and who asks (for audit rows; borrowed from the request). */
Api *api_of(const HttpRequest *req);
Actor api_actor(const HttpRequest *req);

/* A change: fn runs on the writer thread, this waits for the commit. */
bool api_write(const HttpRequest *req, StoreWrite *write, void *arg, Err *err);

/* What the Api was made with. */
const ApiConfig *api_config(const Api *api);

/* The id in the path; ERR_NOT_FOUND when it is none. */
bool api_path_id(const HttpRequest *req, const char *name, char ret_id[ID_TEXT_SIZE], Err *err);

/* The members of the body into a value of size bytes; errors of http_request_json() and json_read_fields(). */
bool api_body(HttpRequest *req, const Field *fields, void *ret_value, size_t size, Err *err);

/* Revision named by If-Match; 0 when there is none or "*". ERR_BAD_INPUT when it is no revision. */
bool api_if_match(const HttpRequest *req, int64_t *ret_revision, Err *err);

/* ETag of a revision. */
void api_etag(HttpResponse *res, int64_t revision);

/* A copy of an object without some of its members. names ends with NULL. NULL on failure. */
Json *json_without(const Json *object, const char *const *names);

/* {"items": [...]} of an array that is taken over. */
void api_items(HttpResponse *res, Json *items_take);

/* Sets a time in the site's zone; leaves the member out when the time is 0. */
void json_set_wall(Json *object, const char *name, Wall wall);
void json_set_wall_at(Json *object, const char *name, Wall wall, int utc_offset_min);

/* --- kinds of destination (kinds.c) -------------------------------------------------------------- */

/* [{"kind", "title", "renames", "exclusive", "fields": description, "options": description}] */
const Json *api_kinds(const Api *api);
Json *kinds_parse(const char *destinations_json, Err *err);

/* The description of a kind's settings; ERR_BAD_INPUT with field "kind" names the nearest kind. */
const Json *kind_fields(const Api *api, const char *kind, Err *err);

/* Checks what a job says for a destination of this kind: members, limits, tokens. ERR_BAD_INPUT with field
 * below "options". */
bool kind_options_check(const Api *api, const char *kind, const Json *options, Err *err);

/* A copy of settings without secrets. NULL on failure. */
Json *settings_without_secrets(const Json *fields, const Json *settings);

/* A copy of wanted in which absent secrets come from stored (NULL = none). */
Json *settings_with_secrets(const Json *fields, const Json *wanted, const Json *stored);

/* A copy of settings with "(secret)" for secrets that are equal in stored, "(new secret)" for others;
 * for showing what a change changes. */
Json *settings_masked(const Json *fields, const Json *settings, const Json *stored);

/* --- tokens in memory (auth.c) ---------------------------------------------------------------------- */
typedef struct Auth Auth;
Auth *auth_new(Db *db, Err *err);
void auth_free(Auth *auth);
bool auth_add(Auth *auth, const StoredToken *token, Err *err);
void auth_remove(Auth *auth, const char *name);
Auth *api_auth(const Api *api);

/* --- snapshot (system.c) ---------------------------------------------------------------------------- */
typedef struct Snapshot Snapshot;
Snapshot *snapshot_new(const ApiConfig *config);
void snapshot_free(Snapshot *snapshot);
Snapshot *api_snapshot(const Api *api);
const Buf *api_openapi(const Api *api);
bool snapshot_take(Snapshot *snapshot, Db *db, Err *err); /* reads counts, disk, process */

/* --- the tables ----------------------------------------------------------------------------------------- */
extern const Route device_routes[], device_find_routes[], device_pair_routes[], job_routes[],
    job_group_routes[], destination_routes[], batch_routes[], delivery_routes[],
    notification_routes[], event_routes[], token_routes[], config_routes[], system_routes[],
    doctor_routes[], trace_routes[];

#endif
