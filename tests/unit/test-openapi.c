/* tests/unit/test-openapi.c - docs/openapi.json is what the route tables say.
 *
 * "test-openapi --print" prints the document as it should be; ninja's target openapi writes it. */
#include "tests/unit/queue-twin.h"

#include "tests/unit/cm.h"

#include "api/api.h"
#include "base/file.h"
#include "http/openapi.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOCUMENT_BYTES_MAX = 4 * 1024 * 1024 };

static Json *document_make(Buf *text)
{
    Json *document = http_openapi(api_routes, "Platen", PLATEN_VERSION);

    if (!document || !json_write_pretty(document, text) || !buf_put_text(text, "\n"))
        abort();
    return document;
}

static void the_committed_document_is_the_generated_one(void **state)
{
    AUTO_BUF made = buf_with_max(DOCUMENT_BYTES_MAX), committed = buf_with_max(DOCUMENT_BYTES_MAX);
    AUTO(Json) document = document_make(&made);
    char folder[1024];
    Err err;

    (void)state;
    assert_true(text_printf(folder, sizeof folder, "%s/../../../docs", getenv("PLATEN_TEST_DATA")));
    AUTO_FD docs = file_open_folder(AT_FDCWD, folder, &err);
    if (docs < 0 || !file_read_whole(docs, "openapi.json", &committed, &err))
        fail_msg("docs/openapi.json: %s; make it: ninja -C build openapi", err.text);
    if (!bytes_equal(buf_bytes(&made), buf_bytes(&committed)))
        fail_msg("docs/openapi.json is not what the routes say; make it: ninja -C build openapi");
}

static bool has_every_operation(void *arg, const char *path, const Json *operations)
{
    size_t *found = arg;

    assert_true(path[0] == '/');
    *found += json_count(operations);
    return true;
}

static void every_route_is_an_operation(void **state)
{
    AUTO_BUF made = buf_with_max(DOCUMENT_BYTES_MAX);
    AUTO(Json) document = document_make(&made);
    size_t found = 0, wanted = 0;

    (void)state;
    for (size_t t = 0; api_routes[t]; t++)
        for (const Route *r = api_routes[t]; r->method; r++)
            wanted++;
    assert_true(json_each(json_get(document, "paths"), has_every_operation, &found));
    assert_int_equal(found, wanted);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committed_document_is_the_generated_one),
        cmocka_unit_test(every_route_is_an_operation),
    };

    if (argc == 2 && text_equal(argv[1], "--print")) {
        AUTO_BUF text = buf_with_max(DOCUMENT_BYTES_MAX);
        AUTO(Json) document = document_make(&text);

        return document && fputs(buf_text(&text), stdout) >= 0 ? 0 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
