/* http/openapi.c - see openapi.h. */
#include "http/openapi.h"

#include "base/text.h"
#include "http/inside.h"

#include <ctype.h>
#include <string.h>

enum { OPERATION_ID_SIZE = 160 };

static Json *reference(const char *kind, const char *name)
{
    char text[160];
    Json *json = json_new_object();

    text_printf(text, sizeof text, "#/components/%s/%s", kind, name);
    json_set_text(json, "$ref", text);
    return json;
}

/* {"<media type>": {"schema": schema}} */
static Json *content(const char *media_type, Json *schema_take)
{
    Json *json = json_new_object(), *media = json_new_object();

    json_set_take(media, "schema", schema_take);
    json_set_take(json, media_type, media);
    return json;
}

static Json *type_schema(const char *type)
{
    Json *json = json_new_object();

    json_set_text(json, "type", type);
    return json;
}

/* "GET /api/v1/batches/{id}/pages" becomes "get_batches_id_pages". */
static void operation_id(const Route *route, char ret_text[OPERATION_ID_SIZE])
{
    const char *path = route->path;
    size_t n = 0;
    char last = '_';

    if (text_starts_with(path, "/api/v1/"))
        path += strlen("/api/v1");
    for (const char *m = route->method; *m && n < OPERATION_ID_SIZE - 2; m++)
        ret_text[n++] = (char)tolower((unsigned char)*m);
    ret_text[n++] = '_';
    for (; *path && n < OPERATION_ID_SIZE - 1; path++) {
        char c = isalnum((unsigned char)*path) ? *path : '_';
        if (c != '_' || last != '_')
            ret_text[n++] = c;
        last = c;
    }
    while (n > 0 && ret_text[n - 1] == '_')
        n--;
    ret_text[n] = '\0';
}

static Json *parameter(const char *name, const char *in, const char *type, const char *help)
{
    Json *json = json_new_object();

    json_set_text(json, "name", name);
    json_set_text(json, "in", in);
    if (strcmp(in, "path") == 0)
        json_set_bool(json, "required", true);
    if (help)
        json_set_text(json, "description", help);
    json_set_take(json, "schema", type_schema(type));
    return json;
}

static Json *parameters(const Route *route)
{
    Json *list = json_new_array();
    char name[64];

    for (const char *open = strchr(route->path, '{'); open; open = strchr(open + 1, '{')) {
        text_copy_bytes(name, sizeof name,
                        (Bytes){ (const uint8_t *)open + 1, strcspn(open + 1, "}") });
        json_add_take(list, parameter(name, "path", "string", NULL));
    }
    for (const RouteParameter *p = route->query; p && p->name; p++)
        json_add_take(list, parameter(p->name, "query", p->type, p->help));
    return list;
}

static Json *request_body(const Route *route)
{
    Json *json = json_new_object();

    if (route->body_fields) {
        AUTO(Json) description = json_describe_fields(route->body_fields);
        json_set_take(json, "content",
                      content("application/json", json_schema_of_description(description)));
    } else {
        json_set_take(json, "content", content(route->body_type, type_schema("string")));
    }
    json_set_bool(json, "required", true);
    return json;
}

static Json *success(const Route *route)
{
    Json *json = json_new_object();

    if (route->flags & ROUTE_STREAM) {
        json_set_text(json, "description", "A stream of events, until the client ends it.");
        json_set_take(json, "content", content("text/event-stream", type_schema("string")));
    } else if (route->answer) {
        json_set_text(json, "description", route->answer);
        json_set_take(json, "content",
                      content("application/json", reference("schemas", route->answer)));
    } else {
        json_set_text(json, "description", "Done.");
    }
    return json;
}

static Json *operation(const Route *route)
{
    char id[OPERATION_ID_SIZE];
    Json *json = json_new_object(), *responses = json_new_object();

    operation_id(route, id);
    json_set_text(json, "operationId", id);
    json_set_text(json, "summary", route->summary ? route->summary : id);
    json_set_take(json, "parameters", parameters(route));
    if (route->body_fields || route->body_type)
        json_set_take(json, "requestBody", request_body(route));
    json_set_take(responses, "2XX", success(route));
    json_set_take(responses, "default", reference("responses", "Problem"));
    json_set_take(json, "responses", responses);
    if (route->permission)
        json_set_text(json, "x-permission", route->permission);
    else
        json_set_take(json, "security", json_new_array()); /* nothing is needed */
    return json;
}

/* All operations of one path, in the order of the tables. */
static Json *path_item(const Route *const *routes, const char *path)
{
    Json *item = json_new_object();
    char method[16];

    for (const Route *const *table = routes; *table; table++) {
        for (const Route *route = *table; route->method; route++) {
            if (strcmp(route->path, path) != 0)
                continue;
            text_copy(method, sizeof method, route->method);
            for (char *c = method; *c; c++)
                *c = (char)tolower((unsigned char)*c);
            json_set_take(item, method, operation(route));
        }
    }
    return item;
}

static Json *problem_schema(void)
{
    static const char *const members[][2] = {
        { "type", "string" },   { "title", "string" },    { "status", "integer" },
        { "detail", "string" }, { "instance", "string" }, { "field", "string" },
        { "remedy", "string" },
    };
    Json *json = type_schema("object"), *properties = json_new_object();

    for (size_t i = 0; i < COUNT_OF(members); i++)
        json_set_take(properties, members[i][0], type_schema(members[i][1]));
    json_set_take(json, "properties", properties);
    return json;
}

static Json *components(const Route *const *routes)
{
    Json *json = json_new_object(), *schemas = json_new_object(), *responses = json_new_object();
    Json *problem = json_new_object(), *schemes = json_new_object(), *bearer = json_new_object();

    json_set_take(schemas, "Problem", problem_schema());
    for (const Route *const *table = routes; *table; table++)
        for (const Route *route = *table; route->method; route++)
            if (route->answer && !json_get(schemas, route->answer))
                json_set_take(schemas, route->answer, type_schema("object"));
    json_set_text(problem, "description", "What went wrong, and what helps (RFC 9457).");
    json_set_take(problem, "content",
                  content("application/problem+json", reference("schemas", "Problem")));
    json_set_take(responses, "Problem", problem);
    json_set_text(bearer, "type", "http");
    json_set_text(bearer, "scheme", "bearer");
    json_set_text(bearer, "description",
                  "A token; on the local Unix socket the peer's credentials take its place.");
    json_set_take(schemes, "bearer", bearer);
    json_set_take(json, "schemas", schemas);
    json_set_take(json, "responses", responses);
    json_set_take(json, "securitySchemes", schemes);
    return json;
}

/* [{"bearer": []}, {}]: a token, or nothing (the Unix socket). */
static Json *security(void)
{
    Json *list = json_new_array(), *bearer = json_new_object();

    json_set_take(bearer, "bearer", json_new_array());
    json_add_take(list, bearer);
    json_add_take(list, json_new_object());
    return list;
}

Json *http_openapi(const Route *const *routes, const char *title, const char *version)
{
    Json *json = json_new_object(), *info = json_new_object(), *paths = json_new_object();

    json_set_text(json, "openapi", "3.1.0");
    json_set_text(info, "title", title);
    json_set_text(info, "version", version);
    json_set_take(json, "info", info);
    for (const Route *const *table = routes; *table; table++)
        for (const Route *route = *table; route->method; route++)
            if (!json_get(paths, route->path))
                json_set_take(paths, route->path, path_item(routes, route->path));
    json_set_take(json, "paths", paths);
    json_set_take(json, "components", components(routes));
    json_set_take(json, "security", security());
    return json;
}
