/* http/openapi.h - the OpenAPI 3.1 document of route tables.
 *
 * Made from the rows the server runs, so it cannot differ from what is served. Any thread. */
#ifndef PLATEN_HTTP_OPENAPI_H
#define PLATEN_HTTP_OPENAPI_H

#include "http/route.h"

/* routes: as in HttpConfig. The document has paths, operations with an operationId made of method
 * and path, path variables, query parameters, request bodies as JSON Schema, the problem response,
 * and the security schemes (bearer token; none is needed on the Unix socket). Every name of an
 * answer is a schema of type object. The caller owns the result; NULL when memory is gone. */
Json *http_openapi(const Route *const *routes, const char *title, const char *version);

#endif
