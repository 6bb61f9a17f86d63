/* tests/unit/test-multistatus.c - answers of WebDAV servers: what real ones sent, and what none should. */
#include "destination/multistatus.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/unit/cm.h"

#include <string.h>

static Multistatus read_text(const char *text)
{
    Multistatus found;
    Err err;

    assert_true(multistatus_read(bytes_of_text(text), &found, &err));
    return found;
}

/* Apache 2.4, a file; lines shortened. */
static const char apache_file[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
    "<D:multistatus xmlns:D=\"DAV:\" xmlns:ns0=\"DAV:\">\n"
    "<D:response xmlns:lp1=\"DAV:\" xmlns:lp2=\"http://apache.org/dav/props/\">\n"
    "<D:href>/dav/a.pdf</D:href>\n<D:propstat>\n<D:prop>\n<lp1:resourcetype/>\n"
    "<lp1:getcontentlength>70000</lp1:getcontentlength>\n</D:prop>\n"
    "<D:status>HTTP/1.1 200 OK</D:status>\n</D:propstat>\n<D:propstat>\n<D:prop>\n"
    "<ns0:quota-available-bytes/>\n</D:prop>\n<D:status>HTTP/1.1 404 Not Found</D:status>\n"
    "</D:propstat>\n</D:response>\n</D:multistatus>\n";

static void test_a_file(void **state)
{
    Multistatus found = read_text(apache_file);

    (void)state;
    assert_true(found.known && !found.collection && found.failed == 0);
    assert_int_equal(found.size_bytes, 70000);
    assert_int_equal(found.free_bytes, -1);
}

static void test_a_folder_of_the_default_name_space(void **state)
{
    Multistatus found = read_text(
        "<multistatus xmlns='DAV:'><response><href>/x/</href><propstat><prop><resourcetype>"
        "<collection/></resourcetype><quota-available-bytes> </quota-available-bytes>"
        "<quota-available-bytes>5</quota-available-bytes></prop><status>HTTP/1.1 200 OK</status>"
        "</propstat></response></multistatus>");

    (void)state;
    assert_true(found.known && found.collection);
    assert_int_equal(found.size_bytes, -1);
    assert_int_equal(found.free_bytes, 5);
}

/* Only the first resource, DAV: and a good status count. */
static void test_what_does_not_count(void **state)
{
    Multistatus found = read_text(
        "<m:multistatus xmlns:m='DAV:' "
        "xmlns:o='urn:other'><m:response><m:propstat><m:status>HTTP/1.1"
        " 200 OK</m:status><m:prop><o:getcontentlength>1</o:getcontentlength><m:resourcetype>"
        "<o:collection/></m:resourcetype></m:prop></m:propstat><m:propstat><m:prop>"
        "<m:getcontentlength>2</m:getcontentlength></m:prop><m:status>HTTP/1.1 403 No</m:status>"
        "</m:propstat></m:response><m:response><m:propstat><m:prop><m:getcontentlength>3"
        "</m:getcontentlength></m:prop><m:status>HTTP/1.1 200 OK</m:status></m:propstat>"
        "</m:response></m:multistatus>");

    (void)state;
    assert_true(found.known && !found.collection);
    assert_int_equal(found.size_bytes, -1);
}

static void test_which_failure_counts(void **state)
{
    static const struct {
        const char *statuses[3];
        int failed;
    } rows[] = {
        { { "HTTP/1.1 424 Failed Dependency", "HTTP/1.1 423 Locked", "HTTP/1.1 403 No" }, 423 },
        { { "HTTP/1.1 204 No Content", "HTTP/1.1 412 Precondition Failed", "" }, 412 },
        { { "HTTP/1.1 424 Failed Dependency", "HTTP/1.1 200 OK", "" }, 424 },
        { { "200", "HTTP/1.1", "HTTP/1.1 999 Odd" }, 0 },
        { { "HTTP/1.1 507", "", "" }, 507 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF xml = buf_with_max(4096);

        (void)buf_put_text(&xml, "<d:multistatus xmlns:d='DAV:'>");
        for (size_t k = 0; k < COUNT_OF(rows[i].statuses); k++)
            (void)buf_printf(&xml, "<d:response><d:status>%s</d:status></d:response>",
                             rows[i].statuses[k]);
        (void)buf_put_text(&xml, "</d:multistatus>");
        assert_int_equal(read_text(buf_text(&xml)).failed, rows[i].failed);
    }
}

static void test_numbers_that_are_none(void **state)
{
    static const char *const numbers[] = { "-3", "", "1x", "99999999999999999999", "1 2", "0x10" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        AUTO_BUF xml = buf_with_max(4096);

        (void)buf_printf(
            &xml,
            "<d:multistatus xmlns:d='DAV:'><d:response><d:propstat><d:prop>"
            "<d:getcontentlength>%s</d:getcontentlength></d:prop><d:status>HTTP/1.1 200 "
            "OK</d:status></d:propstat></d:response></d:multistatus>",
            numbers[i]);
        assert_int_equal(read_text(buf_text(&xml)).size_bytes, -1);
    }
}

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *xml, *says;
    } rows[] = {
        { "", "no element" },
        { "<html xmlns='DAV:'/>", "something else" },
        { "<multistatus/>", "something else" },
        { "<!DOCTYPE multistatus [<!ENTITY a 'b'>]><multistatus xmlns='DAV:'/>", "document type" },
        { "<!DOCTYPE multistatus SYSTEM 'http://127.0.0.1/x.dtd'><multistatus xmlns='DAV:'/>",
          "document type" },
        { "<multistatus xmlns='DAV:'><response></multistatus>", "line 1" },
        { "<d:multistatus/>", "unbound prefix" },
        { "<multistatus xmlns='DAV:'>&x;</multistatus>", "undefined entity" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Multistatus found = { .failed = 7 };
        Err err;

        assert_false(multistatus_read(bytes_of_text(rows[i].xml), &found, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        assert_non_null(strstr(err.text, rows[i].says));
        assert_int_equal(found.failed, 7);
    }
}

static void test_how_deep(void **state)
{
    (void)state;
    for (unsigned depth = 25; depth <= 40; depth += 15) {
        AUTO_BUF xml = buf_with_max(4096);
        Multistatus found;
        Err err;

        (void)buf_put_text(&xml, "<multistatus xmlns='DAV:'>");
        for (unsigned i = 0; i < depth; i++)
            (void)buf_put_text(&xml, "<a>");
        for (unsigned i = 0; i < depth; i++)
            (void)buf_put_text(&xml, "</a>");
        (void)buf_put_text(&xml, "</multistatus>");
        assert_int_equal(multistatus_read(buf_bytes(&xml), &found, &err), depth == 25);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file),
        cmocka_unit_test(test_a_folder_of_the_default_name_space),
        cmocka_unit_test(test_what_does_not_count),
        cmocka_unit_test(test_which_failure_counts),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_how_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
