/* tests/unit/test-device-find.c - ranges of addresses and tables of devices, as people write them. */
#include "base/cleanup.h"
#include "base/text.h"
#include "model/csv.h"
#include "model/discovery.h"
#include "tests/unit/cm.h"

static void assert_ranges(const char *text, uint32_t addresses, const char *first, const char *last)
{
    AddressRanges ranges;
    char at[ADDRESS_TEXT_SIZE];
    Err err;

    assert_true(address_ranges_parse(text, &ranges, &err));
    assert_int_equal(ranges.addresses, addresses);
    address_ranges_at(&ranges, 0, at);
    assert_string_equal(at, first);
    address_ranges_at(&ranges, addresses - 1, at);
    assert_string_equal(at, last);
}

static void ranges_are_read(void **state)
{
    (void)state;
    assert_ranges("192.168.1.7", 1, "192.168.1.7", "192.168.1.7");
    assert_ranges("192.168.1.10-60", 51, "192.168.1.10", "192.168.1.60");
    assert_ranges("192.168.1.250-192.168.2.5", 12, "192.168.1.250", "192.168.2.5");
    assert_ranges("192.168.1.77/24", 254, "192.168.1.1", "192.168.1.254");
    assert_ranges("10.0.0.0/22", 1022, "10.0.0.1", "10.0.3.254");
    assert_ranges("10.0.0.0/30", 2, "10.0.0.1", "10.0.0.2");
    assert_ranges("10.0.0.4/31", 2, "10.0.0.4", "10.0.0.5");
    assert_ranges("10.0.0.4/32", 1, "10.0.0.4", "10.0.0.4");
    assert_ranges(" 10.0.0.1-2,10.0.1.9\t10.0.2.3-4 ", 5, "10.0.0.1", "10.0.2.4");
    assert_ranges("255.255.255.254-255.255.255.255", 2, "255.255.255.254", "255.255.255.255");
    assert_ranges("FD00:0::17", 1, "fd00::17", "fd00::17");
    assert_ranges("fd00::10-fd00::10f", 256, "fd00::10", "fd00::10f");
    assert_ranges("fd00::1:77/120", 256, "fd00::1:0", "fd00::1:ff");
    assert_ranges("fd00::77/127", 2, "fd00::76", "fd00::77");
    assert_ranges("fd00::77/128", 1, "fd00::77", "fd00::77");
    assert_ranges("fe80::%eth0/120", 256, "fe80::%eth0", "fe80::ff%eth0");
    assert_ranges("fe80::1%br-lan-fe80::3", 3, "fe80::1%br-lan", "fe80::3%br-lan");
    assert_ranges("fe80::1%br-lan-fe80::3%br-lan", 3, "fe80::1%br-lan", "fe80::3%br-lan");
    assert_ranges("fe80::1%br-lan", 1, "fe80::1%br-lan", "fe80::1%br-lan");
    assert_ranges("fd00::ffff-fd00::1:2", 4, "fd00::ffff", "fd00::1:2");
    assert_ranges("::1/120", 255, "::1", "::ff");
    assert_ranges("10.0.0.1-3 fd00::1-fd00::2,::1", 6, "10.0.0.1", "::1");
}

static void every_address_of_a_range_comes_once(void **state)
{
    static const char *const expected[] = { "10.0.0.255", "10.0.1.0", "10.0.7.7", "10.0.9.1" };
    AddressRanges ranges;
    char at[ADDRESS_TEXT_SIZE];
    Err err;

    (void)state;
    assert_true(address_ranges_parse("10.0.0.255-10.0.1.0 10.0.7.7 10.0.9.1", &ranges, &err));
    for (uint32_t i = 0; i < COUNT_OF(expected); i++) {
        address_ranges_at(&ranges, i, at);
        assert_string_equal(at, expected[i]);
    }
}

static void what_is_no_range_says_so(void **state)
{
    static const char *const wrong[] = {
        "10.0.0",
        "10.0.0.256",
        "10.0.0.1-",
        "10.0.0.9-8",
        "10.0.0.1/33",
        "10.0.0.1/7",
        "10.0.0.1-2x",
        "1.2.3.4.5",
        "fe80::1",
        "printer",
        "-",
        "10.0.0.1/",
        "10.0.0.1 x",
        "0010.0.0.1",
        "10.0.0.1-256",
        "10.0.0.1--3",
        "10..0.1",
        "/24",
        "fd00::/129",
        "fd00::/",
        "fd00::1-2",
        "fd00::9-fd00::8",
        "fd00::1-",
        "fd00:::1",
        "fd00::1-10.0.0.1",
        "::ffff:10.0.0.1-::ffff:10.0.0.2",
        "fe80::1%eth0-fe80::2%eth1",
        "fe80::1%2",
        "ff02::1",
        "::",
        "fd00::/x",
        "10.0.0.1-fd00::2",
    };
    AddressRanges ranges;
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(address_ranges_parse(wrong[i], &ranges, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        assert_string_equal(err.field, "ranges");
        assert_true(err.remedy[0] != '\0');
    }
    assert_false(address_ranges_parse("10.0.0.0-10.0.4.0", &ranges, &err)); /* 1025 */
    assert_false(address_ranges_parse("0.0.0.0-255.255.255.255", &ranges, &err));
    assert_false(address_ranges_parse("10.0.0.0/23 10.1.0.0/22", &ranges, &err));
    assert_false(address_ranges_parse("1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 "
                                      "1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 "
                                      "1.1.1.1 1.1.1.1 1.1.1.1",
                                      &ranges, &err));
    assert_true(address_ranges_parse("", &ranges, &err));
    assert_int_equal(ranges.addresses, 0);
}

static void large_ranges_of_ipv6_are_refused(void **state)
{
    static const char *const large[] = { "fd00::/64",
                                         "fd00::/119",
                                         "fe80::1%eth0/0",
                                         "fd00::-fd00::100",
                                         "fd00::1-fd00::1:0:0:1",
                                         "fd00::1-fd01::1" };
    AddressRanges ranges;
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(large); i++) {
        assert_false(address_ranges_parse(large[i], &ranges, &err));
        assert_string_equal(err.field, "ranges");
        assert_non_null(strstr(err.text, "more than 256 addresses"));
        assert_non_null(strstr(err.remedy, "/120"));
    }
    assert_false(address_ranges_parse("fd00::/120 fd00::1:0/120 fd00::2:0/120 fd00::3:0/120 ::1",
                                      &ranges, &err)); /* 1025 */
}

/* Records as "line:a|b|c", bad lines as "line!". */
static void read_table(const char *text, char *ret, size_t size)
{
    CsvReader reader = csv_reader(bytes_of_text(text));
    CsvRecord record;
    CsvResult result;
    size_t n = 0;
    Err err;

    ret[0] = '\0';
    while ((result = csv_next(&reader, &record, &err)) != CSV_END) {
        assert_true(text_printf(ret + n, size - n, "%s%u%c", n ? " " : "", record.line,
                                result == CSV_BAD ? '!' : ':'));
        n = strlen(ret);
        for (size_t i = 0; result == CSV_RECORD && i < record.count; i++) {
            assert_true(text_printf(ret + n, size - n, "%s%s", i ? "|" : "", record.fields[i]));
            n = strlen(ret);
        }
    }
}

static void tables_are_read(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "" },
        { "\n \r\n", "" },
        { "a,b\nc,d", "1:a|b 2:c|d" },
        { "a,b\r\nc,d\r\n", "1:a|b 2:c|d" },
        { "\xef\xbb\xbf"
          "a;b\nc,x;d\n",
          "1:a|b 2:c,x|d" },
        { "\"a;b;c\",d\n1;2,3\n", "1:a;b;c|d 2:1;2|3" }, /* quoted separators decide nothing */
        { "a,b\n\n,\n", "1:a|b 3:|" },
        { "\"x\"\"y\" , \"\" ,\" z \"\n", "1:x\"y|| z " },
        { "\"two\nlines\",b\nc,d\n", "1:two\nlines|b 3:c|d" },
        { "a,b\n\"open,d\ne,f\n", "1:a|b 2! 3:e|f" },
        { "a,b\n\"c\"d,e\ng,h\n", "1:a|b 2! 3:g|h" },
        { "a,b\nc\"d,e\n", "1:a|b 2:c\"d|e" },
        { "a,b\n\xff,e\ng,h\n", "1:a|b 2! 3:g|h" },
        { "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n",
          "1:1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16 2!" },
    };
    char got[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_table(cases[i].text, got, sizeof got);
        assert_string_equal(got, cases[i].expected);
    }
}

static void addresses_get_their_usual_form(void **state)
{
    static const struct {
        const char *text, *normal, *source; /* NULL: refused, then source is a word of the remedy */
    } cases[] = {
        { "10.0.0.1", "10.0.0.1", "10.0.0.1" },
        { "2001:DB8:0:0::1", "2001:db8::1", "2001:db8::/64" },
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
        { "[fd00:0:0:7::17]", "fd00:0:0:7::17", "fd00:0:0:7::/64" },
        { "::1", "::1", "::/64" },
        { "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1" },
        { "::FFFF:a00:1", "10.0.0.1", "10.0.0.1" },
        { "[::ffff:10.0.0.1]", "10.0.0.1", "10.0.0.1" },
        { "FE80::0001%eth0", "fe80::1%eth0", "fe80::%eth0/64" },
        { "febf::1%br-lan.7", "febf::1%br-lan.7", "febf::%br-lan.7/64" },
        { "fd00::1%eth0", "fd00::1", "fd00::/64" }, /* a zone means nothing there */
        { "fec0::1%eth0", "fec0::1", "fec0::/64" },
        { "fe80::1", NULL, "eth0" },
        { "fe80::1%", NULL, "eth0" },
        { "fe80::1%2", NULL, "eth0" },
        { "fe80::1%a b", NULL, "eth0" },
        { "fe80::1%a/b", NULL, "eth0" },
        { "fe80::1%sixteen-letters0", NULL, "192.168.1.7" },
        { "10.0.0.01", NULL, "192.168.1.7" },
        { "[10.0.0.1]", NULL, "192.168.1.7" },
        { "10.0.0.1%eth0", NULL, "192.168.1.7" },
        { "fd00::1/64", NULL, "192.168.1.7" },
        { "fd00:::1", NULL, "192.168.1.7" },
        { "::", NULL, "192.168.1.7" },
        { "ff02::1%eth0", NULL, "192.168.1.7" },
        { "0.0.0.0", NULL, "192.168.1.7" },
        { "224.0.0.1", NULL, "192.168.1.7" },
        { "255.255.255.255", NULL, "192.168.1.7" },
        { "::ffff:0.0.0.0", NULL, "192.168.1.7" },
        { "fe80::1%br0-fe80::2", NULL, "%eth0" },
        { "printer", NULL, "192.168.1.7" },
        { "", NULL, "192.168.1.7" },
    };
    char address[ADDRESS_TEXT_SIZE], source[ADDRESS_TEXT_SIZE];
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)text_copy(address, sizeof address, cases[i].text);
        bool ok = device_address_normal(address, &err);
        if (ok != (cases[i].normal != NULL))
            fail_msg("\"%s\": %s", cases[i].text, ok ? "was taken" : err.text);
        if (!ok) {
            assert_int_equal(err.kind, ERR_BAD_INPUT);
            assert_string_equal(err.field, "address");
            if (!strstr(err.remedy, cases[i].source))
                fail_msg("\"%s\": %s", cases[i].text, err.remedy);
            continue;
        }
        assert_string_equal(address, cases[i].normal);
        device_address_source(address, source);
        assert_string_equal(source, cases[i].source);
    }
    device_address_source("unix", source);
    assert_string_equal(source, "unix");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(every_address_of_a_range_comes_once),
        cmocka_unit_test(what_is_no_range_says_so),
        cmocka_unit_test(large_ranges_of_ipv6_are_refused),
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(addresses_get_their_usual_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
