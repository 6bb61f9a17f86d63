/* tests/unit/test-sigv4.c - signatures of requests to S3, with the examples that Amazon publishes. */
#include "base/cleanup.h"
#include "base/text.h"
#include "destination/sigv4.h"
#include "tests/unit/cm.h"

#define EMPTY   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WELCOME "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define HOST                                     \
    {                                            \
        "host", "examplebucket.s3.amazonaws.com" \
    }
#define HASH(of)                   \
    {                              \
        "x-amz-content-sha256", of \
    }
#define DATE                             \
    {                                    \
        "x-amz-date", "20130524T000000Z" \
    }

/* Amazon S3 API reference, "Signature Calculations for the Authorization Header", its four examples. */
static const struct {
    const char *method, *path, *query, *payload, *signature;
    SigV4Header headers[SIGV4_HEADERS_MAX];
} examples[] = {
    { "GET",
      "/test.txt",
      "",
      EMPTY,
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      { HOST, { "range", "bytes=0-9" }, HASH(EMPTY), DATE } },
    { "PUT",
      "/test%24file.text",
      "",
      WELCOME,
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      { { "date", "Fri, 24 May 2013 00:00:00 GMT" },
        HOST,
        HASH(WELCOME),
        DATE,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" } } },
    { "GET",
      "/",
      "lifecycle=",
      EMPTY,
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
      { HOST, HASH(EMPTY), DATE } },
    { "GET",
      "/",
      "max-keys=2&prefix=J",
      EMPTY,
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
      { HOST, HASH(EMPTY), DATE } },
};

static SigV4Request request_of(size_t i)
{
    SigV4Request request = { .method = examples[i].method,
                             .path = examples[i].path,
                             .query = examples[i].query,
                             .headers = examples[i].headers,
                             .payload_sha256 = examples[i].payload,
                             .region = "us-east-1",
                             .access_key = "AKIAIOSFODNN7EXAMPLE",
                             .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };

    while (examples[i].headers[request.header_count].name)
        request.header_count++;
    return request;
}

static void the_examples_of_amazon(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        AUTO_BUF out = buf_with_max(1000);
        SigV4Request request = request_of(i);

        assert_true(sigv4_authorize(&request, &out));
        assert_true(text_starts_with(buf_text(&out), "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXA"
                                                     "MPLE/20130524/us-east-1/s3/aws4_request,"));
        assert_true(text_ends_with(buf_text(&out), examples[i].signature));
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    AUTO_BUF out = buf_with_max(1000), small = buf_with_max(20);
    char long_text[600];
    SigV4Request request = request_of(0);

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_false(sigv4_authorize(&request, &small));
    request.secret_key = long_text;
    assert_false(sigv4_authorize(&request, &out));
    request = request_of(0);
    request.region = long_text;
    assert_false(sigv4_authorize(&request, &out));
    request = request_of(0);
    request.header_count--; /* no x-amz-date */
    assert_false(sigv4_authorize(&request, &out));
}

static void times_are_of_utc(void **state)
{
    char text[SIGV4_TIME_SIZE];

    (void)state;
    sigv4_time((Wall){ 1369353600000 + 3723999 }, text);
    assert_string_equal(text, "20130524T010203Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_amazon),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(times_are_of_utc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
