/* tests/unit/test-mfp-parts.c - paper, destinations and command line of the virtual device. */
#include "base/file.h"
#include "mfp/finder.h"
#include "mfp/options.h"
#include "mfp/tray.h"
#include "tests/unit/hexfile.h"

#include <fcntl.h>

/* ---- tray ---- */

static void real_page_heads_are_read(void **state)
{
    HexFile *head = hexfile_read("mfp-ff680w-page-head");
    AUTO_BUF jpeg = buf_with_max(4096);
    Picture page;
    Err err;

    (void)state;
    assert_false(picture_read(head->item[0].bytes, 0, &page, &err)); /* headers only: cut */
    assert_true(buf_put(&jpeg, head->item[0].bytes) && buf_put_u16be(&jpeg, 0x1234) &&
                buf_put_u16be(&jpeg, 0xffd9));
    assert_true(picture_read(buf_bytes(&jpeg), 0, &page, &err));
    assert_int_equal(page.width_px, 1687);
    assert_int_equal(page.height_px, 2190);
    assert_int_equal(page.head_bytes, 613);
    free(head);
}

static void what_is_no_picture_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        { "", 0, "not a JPEG picture" },
        { "\x89PNG", 4, "not a JPEG picture" },
        { "\x89PNG\r\n\x1a\n", 8, "a cut PNG" },
        { "II*\0\x08\0\0\0", 8, "a damaged TIFF" },
        { "\xff\xd8", 2, "damaged" },
        { "\xff\xd8\xff", 3, "damaged" },
        { "\xff\xd8\xff\xc0\0\x11\x08\0\1\0\1", 11, "damaged" },
        { "\xff\xd8\xff\xda\0\1\xff\xd9", 8, "damaged" }, /* a length that leaves itself out */
        { "\xff\xd8\x11\xda\0\2\xff\xd9", 8, "damaged" },
        { "\xff\xd8\xff\xda\0\2\xff\xd9", 8, "without a size" },
        { "\xff\xd8\xff\xc0\0\7\x08\0\0\0\1\xff\xda\0\2\xff\xd9", 17, "without a size" },
        { "\xff\xd8\xff\xc0\0\7\x08\0\1\0\1\xff\xda\0\2\xff\xd8", 17, "cut" },
        { "\xff\xd8\xff\xc0\0\7\x08\0\1\0\1\xff\xda\0\2", 15, "cut" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Picture page;
        Err err;

        assert_false(
            picture_read((Bytes){ (const uint8_t *)cases[i].bytes, cases[i].n }, 0, &page, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        assert_non_null(strstr(err.text, cases[i].text));
    }
}

/* The smallest thing with a size, so wide. */
static Bytes tiny(uint8_t width)
{
    static uint8_t bytes[] = { 0xff, 0xd8, 0xff, 0xff, 0xc0, 0, 7, 8,    0,
                               1,    0,    1,    0xff, 0xda, 0, 2, 0xff, 0xd9 };

    bytes[11] = width;
    return (Bytes){ bytes, sizeof bytes };
}

/* The front of the next sheet. */
static const Picture *feed(Tray *tray)
{
    Sheet sheet;

    return tray_feed(tray, 1, false, &sheet) ? sheet.sides[0] : NULL;
}

static void stacks_are_dealt_in_order(void **state)
{
    Err err;
    AUTO(Tray) tray = tray_new(&err);

    (void)state;
    tray_load(tray, 5); /* no pictures, no paper */
    assert_int_equal(tray_sheets(tray), 0);
    assert_null(feed(tray));
    assert_null(tray_glass(tray));
    assert_true(tray_add(tray, tiny(1), &err) && tray_add(tray, tiny(2), &err));
    tray_load(tray, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(feed(tray)->width_px, 1 + i % 2);
    assert_null(feed(tray));
    assert_int_equal(tray_glass(tray)->width_px, 1);
    assert_int_equal(tray_glass(tray)->width_px, 2);
    assert_int_equal(tray_glass(tray)->width_px, 1);
    tray_load(tray, 9);
    assert_int_equal(feed(tray)->width_px, 2); /* a new stack goes on where the former ended */
    assert_int_equal(tray_sheets(tray), 8);
}

static void sheets_have_two_sides_and_come_from_either_end(void **state)
{
    static const uint8_t wanted[] = { 5, 6, 3, 4, 1, 2, 3, 4, 1, 2 };
    Err err;
    AUTO(Tray) tray = tray_new(&err);
    Sheet sheet;

    (void)state;
    for (uint8_t width = 1; width <= 6; width++)
        assert_true(tray_add(tray, tiny(width), &err));
    AUTO(Tray) other = tray_share(tray, &err);
    tray_load(other, 1);
    assert_true(tray_feed(other, 2, false, &sheet));
    assert_int_equal(sheet.sides[1]->width_px, 2);
    tray_load(tray, 3);
    for (size_t i = 0; i < COUNT_OF(wanted); i += 2) {
        if (i == 6) /* the next stack of two begins behind the first */
            tray_load(tray, 2);
        assert_true(tray_feed(tray, 2, true, &sheet));
        assert_int_equal(sheet.sides[0]->width_px, wanted[i]);
        assert_int_equal(sheet.sides[1]->width_px, wanted[i + 1]);
    }
    assert_false(tray_feed(tray, 2, true, &sheet));
}

static void put_file(int dir_fd, const char *name, Bytes content)
{
    Err err;

    assert_true(file_replace(dir_fd, name, content, 0600, &err));
}

static char skipped_text[4][512];
static size_t skipped_count;

static void note_skipped(const Err *why)
{
    assert_true(skipped_count < COUNT_OF(skipped_text));
    (void)text_copy(skipped_text[skipped_count++], sizeof skipped_text[0], why->text);
}

static void folders_are_read_by_name(void **state)
{
    char folder[] = "/tmp/platen-tray-XXXXXX";
    Err err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    AUTO_FD dir_fd = file_open_folder(AT_FDCWD, folder, &err);
    AUTO(Tray) tray = tray_new(&err);
    assert_false(tray_add_folder(tray, folder, note_skipped, &err));
    assert_non_null(strstr(err.text, "no picture in this folder"));
    put_file(dir_fd, "b.jpg", tiny(2));
    put_file(dir_fd, "a.jpg", tiny(1));
    put_file(dir_fd, "c", tiny(3));
    put_file(dir_fd, ".hidden", bytes_of_text("no picture"));
    int inner = file_make_folder(dir_fd, "folder", &err);
    assert_true(inner >= 0);
    (void)close(inner);
    assert_true(tray_add_folder(tray, folder, note_skipped, &err));
    assert_int_equal(tray_picture_count(tray), 3);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(tray_glass(tray)->width_px, i);
    assert_int_equal(skipped_count, 0);
    put_file(dir_fd, "d.txt", bytes_of_text("no picture"));
    put_file(dir_fd, "e.tif", bytes_of_text(""));
    put_file(dir_fd, "f.JPG", tiny(4));
    assert_true(tray_add_folder(tray, folder, note_skipped, &err));
    assert_int_equal(tray_picture_count(tray), 7);
    assert_int_equal(skipped_count, 2);
    assert_non_null(strstr(skipped_text[0], folder));
    assert_non_null(strstr(skipped_text[0], "d.txt: not a JPEG, PNG, TIFF or PDF by its name"));
    assert_non_null(strstr(skipped_text[1], "e.tif: not a JPEG picture"));
    static const char *const names[] = {
        "a.jpg", "b.jpg", "c", "d.txt", "e.tif", "f.JPG", ".hidden"
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_true(file_remove(dir_fd, names[i], &err));
    assert_true(file_remove_folder(dir_fd, "folder", &err));
    assert_true(file_remove_folder(AT_FDCWD, folder, &err));
    assert_false(tray_add_folder(tray, folder, note_skipped, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* ---- finder ---- */

static const NetAddress host_a = { .family = NET_IPV4, .bytes = { 10, 0, 0, 1 }, .port = 2968 };
static const NetAddress host_b = { .family = NET_IPV4, .bytes = { 10, 0, 0, 2 }, .port = 4000 };

static FinderNews hear(Finder *finder, const NetAddress *from, uint16_t xid, const char *name)
{
    AUTO_BUF attributes = buf_with_max(SLP_DATAGRAM_MAX);
    AUTO_BUF datagram = buf_with_max(SLP_DATAGRAM_MAX);
    const FinderEntry *entry;
    SlpEntry server = { .address = "10.9.9.9", .event_port = 2968 };

    assert_true(text_copy(server.name, sizeof server.name, name));
    assert_true(slp_entry_encode(&server, &attributes));
    SlpReply reply = { .xid = xid,
                       .language = bytes_of_text("en"),
                       .attributes = buf_bytes(&attributes) };
    assert_true(slp_reply_encode(&reply, &datagram));
    return finder_receive(finder, buf_bytes(&datagram), from, &entry);
}

/* Runs time up to now; how many requests went out. The last one is in request. */
static size_t run_until(Finder *finder, Mono now, Buf *request)
{
    size_t sent = 0;

    while (mono_reached(now, finder_deadline(finder)))
        sent += finder_tick(finder, finder_deadline(finder), request);
    return sent;
}

static void requests_are_the_bytes_of_a_device(void **state)
{
    HexFile *real = hexfile_read("slp-attrrqst-et4950");
    HexFile *agent = hexfile_read("slp-attrrply-windows-agent");
    AUTO_BUF request = buf_with_max(SLP_DATAGRAM_MAX);
    const FinderEntry *entry;
    Finder finder;

    (void)state;
    finder_init(&finder, "PID 11D1", true, 60000, 6);
    assert_int_equal(finder_receive(&finder, agent->item[0].bytes, &host_a, &entry),
                     FINDER_NOTHING); /* nobody asked */
    assert_true(finder_tick(&finder, (Mono){ 5 }, &request));
    assert_bytes_equal(buf_bytes(&request), real->item[0].bytes);
    assert_int_equal(finder_receive(&finder, agent->item[0].bytes, &host_a, &entry),
                     FINDER_APPEARED);
    assert_string_equal(entry->server.name, "T1-DESKTOP");
    assert_string_equal(entry->server.address, "203.0.113.95");
    assert_int_equal(entry->server.event_port, 2968);
    assert_ptr_equal(finder_find(&finder, "T1-DESKTOP"), entry);
    assert_null(finder_find(&finder, "t1-desktop"));
    free(real);
    free(agent);
}

static void requests_go_out_three_by_three(void **state)
{
    AUTO_BUF request = buf_with_max(SLP_DATAGRAM_MAX);
    Finder finder;
    SlpRequest slp;

    (void)state;
    finder_init(&finder, "PID 1147", false, 1000, UINT16_MAX);
    assert_int_equal(run_until(&finder, (Mono){ 139 }, &request), 2);
    assert_int_equal(run_until(&finder, (Mono){ 140 }, &request), 1);
    assert_int_equal(run_until(&finder, (Mono){ 999 }, &request), 0);
    assert_int_equal(slp_request_decode(buf_bytes(&request), &slp), WIRE_OK);
    assert_int_equal(slp.xid, 1);   /* the number wraps                         */
    assert_int_equal(slp.flags, 0); /* to one server: no multicast              */
    assert_int_equal(run_until(&finder, (Mono){ 1000 }, &request), 1);
    assert_int_equal(slp_request_decode(buf_bytes(&request), &slp), WIRE_OK);
    assert_int_equal(slp.xid, 2);
    for (int64_t cycle = 3; cycle <= 600; cycle++) { /* agents repeat one byte of it */
        (void)run_until(&finder, (Mono){ (cycle - 1) * 1000 }, &request);
        assert_int_equal(slp_request_decode(buf_bytes(&request), &slp), WIRE_OK);
        assert_in_range(slp.xid, 1, UINT8_MAX);
    }
    finder_init(&finder, "PID 1147", false, 1000, 0x12fe);
    assert_true(finder_tick(&finder, (Mono){ 0 }, &request));
    assert_int_equal(slp_request_decode(buf_bytes(&request), &slp), WIRE_OK);
    assert_int_equal(slp.xid, 0xff);
}

static void replies_count_once_a_cycle(void **state)
{
    AUTO_BUF request = buf_with_max(SLP_DATAGRAM_MAX);
    Finder finder;

    (void)state;
    finder_init(&finder, "PID 1147", false, 1000, 0);
    assert_true(finder_tick(&finder, (Mono){ 0 }, &request));
    assert_int_equal(hear(&finder, &host_a, 2, "Late"), FINDER_NOTHING);
    assert_int_equal(hear(&finder, &host_a, 1, "One"), FINDER_APPEARED);
    assert_int_equal(hear(&finder, &host_a, 1, "One"), FINDER_NOTHING); /* the second copy */
    assert_int_equal(hear(&finder, &host_a, 1, "Two"), FINDER_NOTHING); /* same host       */
    assert_int_equal(hear(&finder, &host_b, 1, "Two"), FINDER_APPEARED);
    assert_int_equal(finder.count, 2);
    (void)run_until(&finder, (Mono){ 1000 }, &request);
    assert_int_equal(hear(&finder, &host_a, 1, "One"), FINDER_NOTHING); /* of the former cycle */
    assert_int_equal(hear(&finder, &host_a, 2, "Three"), FINDER_APPEARED);
    assert_null(finder_find(&finder, "One"));
    for (int64_t cycle = 3; cycle <= 6; cycle++) { /* host b was last heard in cycle 1 */
        assert_int_equal(finder.count, cycle <= 4 ? 2 : 1);
        (void)run_until(&finder, (Mono){ (cycle - 1) * 1000 }, &request);
        (void)hear(&finder, &host_a, (uint16_t)cycle, "Three");
    }
    assert_non_null(finder_find(&finder, "Three"));
}

static void destinations_are_bounded(void **state)
{
    AUTO_BUF request = buf_with_max(SLP_DATAGRAM_MAX);
    NetAddress from = host_a;
    Finder finder;

    (void)state;
    finder_init(&finder, "PID 1147", false, 1000, 0);
    assert_true(finder_tick(&finder, (Mono){ 0 }, &request));
    for (size_t i = 0; i < FINDER_ENTRIES_MAX + 5; i++) {
        from.bytes[3] = (uint8_t)i;
        assert_int_equal(hear(&finder, &from, 1, "X"),
                         i < FINDER_ENTRIES_MAX ? FINDER_APPEARED : FINDER_NOTHING);
    }
    assert_int_equal(finder.count, FINDER_ENTRIES_MAX);
}

/* ---- options ---- */

enum { WORDS_MAX = 32 };

static bool read_words(const char *line, Options *options, Err *err)
{
    static char copy[512];
    char *words[WORDS_MAX], *rest = copy;
    int count = 0;

    assert_true(text_copy(copy, sizeof copy, line));
    for (char *word; (word = strsep(&rest, " ")) != NULL && count < WORDS_MAX; count++)
        words[count] = word;
    return options_read(count, words, options, err);
}

static void all_options_are_read(void **state)
{
    Options o;
    Err err;

    (void)state;
    assert_true(read_words("mfp --pages /p", &o, &err));
    assert_string_equal(o.pages, "/p");
    assert_int_equal(o.scan_port, 1865);
    assert_int_equal(o.address.bytes[0], 127);
    assert_int_equal(o.source, MFP_ADF);
    assert_int_equal(o.server_port, 2968);
    assert_string_equal(o.press_choice, "02");
    assert_string_equal(o.product, "PID 1147");
    assert_string_equal(o.serial, "VIRTUAL001");
    assert_int_equal(o.announce_ms, 60000);
    assert_false(o.panel || o.help || o.version || o.press_name[0] || o.server_host[0]);
    assert_true(read_words("mfp --pages /p --address 127.0.0.9 --port=0 --sheets 7 --source adf "
                           "--server host.example:99 --press Scans:01 --panel-port 8080 "
                           "--product X --serial Y --exit-after 2 --announce-every 1",
                           &o, &err));
    assert_int_equal(o.address.bytes[3], 9);
    assert_int_equal(o.scan_port, 0);
    assert_int_equal(o.sheets, 7);
    assert_string_equal(o.server_host, "host.example");
    assert_int_equal(o.server_port, 99);
    assert_string_equal(o.press_name, "Scans");
    assert_string_equal(o.press_choice, "01");
    assert_true(o.panel);
    assert_int_equal(o.panel_port, 8080);
    assert_string_equal(o.product, "X");
    assert_string_equal(o.serial, "Y");
    assert_int_equal(o.exit_after, 2);
    assert_int_equal(o.announce_ms, 1000);
    assert_true(read_words("mfp --source flatbed --pages /p --server h --press A", &o, &err));
    assert_int_equal(o.source, MFP_FLATBED);
    assert_true(read_words("mfp --help", &o, &err) && o.help);
    assert_true(read_words("mfp --version", &o, &err) && o.version);
}

static void wrong_options_are_explained(void **state)
{
    static const struct {
        const char *line, *text, *remedy;
    } cases[] = {
        { "mfp", "--pages DIR is missing", "Name a folder" },
        { "mfp --page x", "--page: no such option", "Did you mean --pages?" },
        { "mfp --gibberish", "no such option", "--help" },
        { "mfp x", "x: no such option", "--help" },
        { "mfp --pages", "--pages needs a value", "--help" },
        { "mfp --help=1", "--help takes no value", "--help" },
        { "mfp --port 65536", "--port: expected a port", "" },
        { "mfp --port x", "--port: expected a port", "" },
        { "mfp --panel-port -1", "--panel-port: expected a port", "" },
        { "mfp --sheets 0", "--sheets: expected a number of sheets", "" },
        { "mfp --source tpu", "expected adf or flatbed, not \"tpu\"", "" },
        { "mfp --address 0.0.0.0", "--address: expected one address", "" },
        { "mfp --address ::", "--address: expected one address", "" },
        { "mfp --address [::1]:80", "--address: expected one address", "" },
        { "mfp --address 10.0.0.1:80", "--address: expected one address", "" },
        { "mfp --pages /p --address ::1 --server localhost", "--server: at an address of IPv6",
          "--destination" },
        { "mfp --pages /p --address ::1 --destination A=10.0.0.1", "one is of IPv4", "one family" },
        { "mfp --pages /p --destination A=::1", "one is of IPv4", "one family" },
        { "mfp --destination A", "--destination: expected NAME=ADDRESS", "" },
        { "mfp --destination =::1", "--destination: expected NAME=ADDRESS", "" },
        { "mfp --destination A=here", "--destination: \"here\" is not an address", "" },
        { "mfp --address here", "--address: ", "" },
        { "mfp --server :99", "--server: expected HOST", "" },
        { "mfp --server a:b", "--server: expected a port", "" },
        { "mfp --press :02", "--press: expected a name", "" },
        { "mfp --press a:2", "--press: expected NAME:CHOICE", "" },
        { "mfp --press a:002", "--press: expected NAME:CHOICE", "" },
        { "mfp --product 12345678901234567", "--product: expected at most 16", "" },
        { "mfp --serial 1234567890123", "--serial: expected at most 12", "" },
        { "mfp --exit-after 0", "--exit-after: expected", "" },
        { "mfp --announce-every 0", "--announce-every: expected seconds", "" },
        { "mfp --snmp-port 0", "--snmp-port: expected", "" },
        { "mfp --paired a,b", "--paired: expected the name", "" },
        { "mfp --pages p --paired Scans", "--paired: a device with a panel", "--button" },
        { "mfp --pages p --source flatbed --sheets 3", "--sheets fills the feeder", "Leave one" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Options options;
        Err err = { 0 };

        assert_false(read_words(cases[i].line, &options, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_non_null(strstr(err.remedy, cases[i].remedy));
    }
}

static void help_fits_a_screen(void **state)
{
    AUTO_BUF help = buf_with_max(8192);
    size_t lines = 0;

    (void)state;
    options_help(&help);
    for (const char *line = buf_text(&help); *line; lines++) {
        size_t length = strcspn(line, "\n");
        assert_true(length <= 90);
        line += length + 1;
    }
    assert_true(lines > 20 && lines < 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_page_heads_are_read),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(stacks_are_dealt_in_order),
        cmocka_unit_test(sheets_have_two_sides_and_come_from_either_end),
        cmocka_unit_test(folders_are_read_by_name),
        cmocka_unit_test(requests_are_the_bytes_of_a_device),
        cmocka_unit_test(requests_go_out_three_by_three),
        cmocka_unit_test(replies_count_once_a_cycle),
        cmocka_unit_test(destinations_are_bounded),
        cmocka_unit_test(all_options_are_read),
        cmocka_unit_test(wrong_options_are_explained),
        cmocka_unit_test(help_fits_a_screen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
