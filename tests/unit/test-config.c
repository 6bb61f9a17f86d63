/* tests/unit/test-config.c - platen.conf: presets, every problem, printing, and the page about it. */
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "server/config.h"
#include "server/quirks-file.h"
#include "tests/unit/cm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAID_MAX = 16, PRINTED_BYTES_MAX = 16 * 1024, DOC_BYTES_MAX = 256 * 1024 };

typedef struct Said {
    char sentences[SAID_MAX][512];
    size_t count;
} Said;

static void hear(void *arg, const char *sentence)
{
    Said *said = arg;

    assert_true(said->count < SAID_MAX);
    (void)text_copy(said->sentences[said->count++], sizeof said->sentences[0], sentence);
}

/* Reads a configuration given as text; its file is removed again. */
static bool read_text(const char *text, ServerConfig *ret_config, Said *ret_said)
{
    char path[] = "/tmp/platen-test-config.XXXXXX";
    int fd = mkstemp(path);

    *ret_said = (Said){ 0 };
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    bool ok = server_config_read(path, ret_config, hear, ret_said);
    assert_int_equal(unlink(path), 0);
    return ok;
}

static void presets_are_sound(void **state)
{
    static ServerConfig config;
    Said said = { 0 };

    (void)state;
    assert_true(server_config_read(NULL, &config, hear, &said));
    assert_int_equal(said.count, 0);
    assert_string_equal(config.data_dir, "/var/lib/platen");
    assert_int_equal(config.http_port, 8443);
    assert_true(config.multicast);
}

static void lists_of_addresses_are_taken_apart(void **state)
{
    const char *list = " 0.0.0.0,[::] , fe80::1%eth0 10.0.0.1,";
    char address[32];

    (void)state;
    for (const char *const *want =
             (const char *const[]){ "0.0.0.0", "::", "fe80::1%eth0", "10.0.0.1", NULL };
         *want; want++) {
        assert_true(server_config_address(&list, address, sizeof address));
        assert_string_equal(address, *want);
    }
    assert_false(server_config_address(&list, address, sizeof address));
}

static void what_is_printed_reads_the_same(void **state)
{
    static ServerConfig config, again;
    static Said said;
    AUTO_BUF first = buf_with_max(PRINTED_BYTES_MAX), second = buf_with_max(PRINTED_BYTES_MAX);

    (void)state;
    assert_true(read_text("[server]\nlog_level = debug\nlibexec_dir = /x\n"
                          "[devices]\nmulticast = no\n[http]\nhttp_port = 0\n",
                          &config, &said));
    assert_true(server_config_print(&config, &first));
    assert_non_null(strstr(buf_text(&first), "\nlog_level = debug\n"));
    assert_non_null(strstr(buf_text(&first), "\nmulticast = false\n"));
    assert_true(read_text(buf_text(&first), &again, &said));
    assert_true(server_config_print(&again, &second));
    assert_string_equal(buf_text(&first), buf_text(&second));
    /* Each key was set in a line of its own; without a file in none. */
    size_t keys = 0;
    for (const ConfigSection *s = server_config_sections; s->name; s++)
        for (const Field *f = s->fields; f->name; f++, keys++)
            assert_true(keys < CONFIG_KEYS_MAX &&
                        again.lines[keys] > (keys ? again.lines[keys - 1] : 0));
    AUTO_BUF small = buf_with_max(100);
    assert_false(server_config_print(&config, &small));
}

/* The library that reads the file takes lines of 200 bytes; 32 interfaces, and what people explain, are longer. */
static void long_lines_are_whole_or_refused(void **state)
{
    enum { NAMES = 32, IN_LINE = 8, LONG = 300 };
    static ServerConfig config, again;
    static Said said;
    AUTO_BUF text = buf_with_max(4096), all = buf_with_max(512),
             printed = buf_with_max(PRINTED_BYTES_MAX);
    char letters[LONG + 1];

    (void)state;
    memset(letters, 'a', LONG);
    letters[LONG] = '\0';
    assert_true(buf_printf(&text, "# %s\n  ; %s\n[devices]\ninterfaces =\n", letters, letters));
    for (int i = 0; i < NAMES; i++) {
        bool first = i % IN_LINE == 0, last = i % IN_LINE == IN_LINE - 1;

        assert_true(buf_printf(&text, "%s interface%d,%s", first ? " " : "", i,
                               last ? "\n\n# more\n" : ""));
        assert_true(buf_printf(&all, "%sinterface%d", i ? ", " : "", i));
    }
    assert_true(buf_put_text(&text, "  last\nudp_port = 2\n") && buf_put_text(&all, ", last"));
    assert_false(read_text(buf_text(&text), &config, &said)); /* 33 */
    assert_int_equal(said.count, 1);
    assert_string_equal(config.interfaces, buf_text(&all));
    assert_int_equal(config.udp_port, 2);
    *strstr(config.interfaces, ", last") = '\0';
    assert_true(server_config_print(&config, &printed));
    assert_true(read_text(buf_text(&printed), &again, &said));
    assert_string_equal(again.interfaces, config.interfaces);
    buf_clear(&text);
    assert_true(
        buf_printf(&text, "[server]\nname = X\ndata_dir = /%s\nlog_level = loud\n", letters));
    assert_false(read_text(buf_text(&text), &config, &said));
    assert_int_equal(said.count, 2);
    assert_non_null(strstr(said.sentences[0], "line 3 is longer than 199 bytes"));
    assert_non_null(strstr(said.sentences[1], ": line 4: [server] log_level: "));
    assert_string_equal(config.data_dir, "/var/lib/platen");
    assert_string_equal(config.name, "X");
}

/* A blank before a key goes on with the former line where there is one, and is nothing where there is none; nothing that is
 * odd swallows the next line. */
static void blanks_before_a_key(void **state)
{
    static const char odd[] = "[server]\n# a\0b\nname = X\n";
    static ServerConfig config;
    static Said said;
    AUTO_BUF text = buf_with_max(512);
    char path[] = "/tmp/platen-test-config.XXXXXX";

    (void)state;
    assert_true(read_text("[server]\n  name = X\n[http]\n  http_address = 10.0.0.1\n 10.0.0.2\n"
                          "[devices]\n\tudp_port = 7\n",
                          &config, &said));
    assert_string_equal(config.name, "X");
    assert_string_equal(config.http_address, "10.0.0.1, 10.0.0.2");
    assert_int_equal(config.udp_port, 7);

    assert_true(buf_printf(&text, "[server]\n%250sname = X\n", ""));
    assert_false(read_text(buf_text(&text), &config, &said));
    assert_non_null(strstr(said.sentences[0], "line 2 is longer than 199 bytes"));

    int fd = mkstemp(path);
    assert_int_equal(write(fd, odd, sizeof odd - 1), sizeof odd - 1);
    assert_int_equal(close(fd), 0);
    said = (Said){ 0 };
    assert_true(server_config_read(path, &config, hear, &said));
    assert_string_equal(config.name, "X");
    assert_int_equal(unlink(path), 0);
}

static void every_problem_is_said(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "[server]\nnmae = x\n", "line 2: [server] nmae: unknown key, did you mean name?" },
        { "[sever]\nname = x\n",
          "unknown section; there are server, devices, http, deliver, limits" },
        { "[server]\nname\n", "line 2 is not of the form key = value" },
        { "[server]\ndata_dir = data\n", "data_dir: not an absolute path" },
        { "[server]\ndata_dir =\n", "data_dir: must not be empty" },
        { "[server]\nlibexec_dir = ./bin\n", "libexec_dir: not an absolute path" },
        { "[server]\nname = a,b\n", "must have 1 to 20 characters and none of" },
        { "[server]\nlog_level = loud\n", "not one of error, warning, info, debug" },
        { "[server]\nname = A\n log_level = debug\n",
          "line 3: [server] name: is not a list that could go on in this line" },
        { "[devices]\nudp_port = 70000\n", "\"70000\" is not a number from 1 to 65535" },
        { "[devices]\nmulticast = on\n", "neither true nor false" },
        { "[devices]\ninterfaces = eth0, pj1, eth0\n", "names an interface twice" },
        { "[devices]\ninterfaces = eth0,,pj1\n", "a name that no network interface can have" },
        { "[devices]\ninterfaces = sixteen-letters0\n",
          "a name that no network interface can have" },
        { "[devices]\ndevice_address = 10.0.0.1\ninterfaces = eth0\n",
          "needs device_address = 0.0.0.0, ::" },
        { "[devices]\ndevice_address = 0.0.0.0, ::1\ninterfaces = eth0\n",
          "needs device_address = 0.0.0.0, ::" },
        { "[devices]\ndevice_address =\n", "device_address: must name 1 to 2 addresses" },
        { "[http]\nhttp_address = ,\n", "http_address: must name 1 to 7 addresses" },
        { "[devices]\ndevice_address = ::1 ::2 ::3\n", "must name 1 to 2 addresses" },
        { "[devices]\ndevice_address = 127.0.0.1, 127.0.0.2\n",
          "device_address: takes one address of IPv4 and one of IPv6" },
        { "[devices]\ndevice_address = printer\n", "[devices] device_address: " },
        { "[http]\nhttp_address = 127.0.0.1, printer\n", "[http] http_address: " },
        { "[http]\nsocket = run.sock\n", "socket: not an absolute path" },
        { "[deliver]\nprograms = bin\n", "programs: not an absolute path" },
        { "[http]\nsocket =\n", "must have 1 to 100 bytes" },
        { "[http]\n\n# one\ncertificate = /x\n",
          "line 4: [http] certificate: certificate and key belong together; one is missing" },
    };
    static ServerConfig config;
    static Said said;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_false(read_text(cases[i].text, &config, &said));
        assert_int_equal(said.count, 1);
        if (!strstr(said.sentences[0], cases[i].said))
            fail_msg("%s: said \"%s\"", cases[i].text, said.sentences[0]);
    }
    assert_false(read_text("[server]\ndrain_s = x\nuser2 = y\n[web]\na = b\n", &config, &said));
    assert_int_equal(said.count, 3);
    for (size_t i = 0; i < 3; i++) {
        static const char *const where[] = { ": line 2: [server] drain_s: ",
                                             ": line 3: [server] user2: ", ": line 5: [web] a: " };

        assert_non_null(strstr(said.sentences[i], where[i]));
    }
    /* What is wrong later, of a key that was set and of one that was not. */
    assert_true(
        read_text("# a comment\n[http]\nkey = /k\ncertificate = /c\nkey = /l\n", &config, &said));
    server_config_say(&config, "key", "is gone", hear, &said);
    server_config_say(&config, "user", "is gone", hear, &said);
    assert_true(text_ends_with(said.sentences[0], ": line 5: [http] key: is gone"));
    assert_true(text_ends_with(said.sentences[1], ": [server] user: is gone"));
    assert_null(strstr(said.sentences[1], "line"));
    said = (Said){ 0 };
    assert_false(server_config_read("/none/platen.conf", &config, hear, &said));
    assert_string_equal(said.sentences[0],
                        "/none/platen.conf: cannot be read: No such file or directory");
    said = (Said){ 0 };
    assert_false(server_config_read("/tmp", &config, hear, &said));
    assert_string_equal(said.sentences[0], "/tmp: is a folder; name the file in it");
}

/* docs/configuration.md has the whole printed configuration, and each key with its own words. */
static void the_page_has_every_key(void **state)
{
    static ServerConfig config;
    Said said = { 0 };
    Err err = { 0 };
    char word[64];
    AUTO_BUF printed = buf_with_max(PRINTED_BYTES_MAX), page = buf_with_max(DOC_BYTES_MAX);

    (void)state;
    assert_true(server_config_read(NULL, &config, hear, &said));
    assert_true(server_config_print(&config, &printed));
    assert_true(file_read_whole(AT_FDCWD, getenv("PLATEN_CONFIGURATION_PAGE"), &page, &err));
    if (!strstr(buf_text(&page), buf_text(&printed)))
        fail_msg("put this into docs/configuration.md:\n%s", buf_text(&printed));
    for (const ConfigSection *s = server_config_sections; s->name; s++)
        for (const Field *f = s->fields; f->name; f++) {
            (void)text_printf(word, sizeof word, "\n| `%s` |", f->name);
            if (!strstr(buf_text(&page), word))
                fail_msg("docs/configuration.md does not explain %s", f->name);
        }
}

/* --- quirks ------------------------------------------------------------------------------------- */

/* Reads a file of quirks given as text; NULL: none. */
static bool read_quirks(const char *text, QuirkBook *ret_book, Said *ret_said)
{
    char path[] = "/tmp/platen-test-quirks.XXXXXX";
    int fd = mkstemp(path);

    *ret_said = (Said){ 0 };
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text ? text : "", text ? strlen(text) : 0),
                     (ssize_t)(text ? strlen(text) : 0));
    assert_int_equal(close(fd), 0);
    bool ok = quirks_file_read(text ? path : "", ret_book, hear, ret_said);
    assert_int_equal(unlink(path), 0);
    return ok;
}

static void the_quirks_of_the_program_are_sound(void **state)
{
    static QuirkBook book;
    static Said said;
    Quirk quirk;

    (void)state;
    assert_true(read_quirks(NULL, &book, &said));
    assert_true(said.count == 0 && book.count > 0);
    for (size_t i = 0; i < book.count; i++)
        assert_true(strlen(book.rows[i].why) > 20);
    quirks_of(&book, "PID 08C8", "1.00", &quirk);
    assert_int_equal(quirk.pixel_order, QUIRK_PIXELS_GBR);
    quirks_of(&book, "PID 1147", "", &quirk);
    assert_int_equal(quirk.pixel_order, QUIRK_PIXELS_AUTO);
    quirks_of(NULL, "PID 08C8", "", &quirk);
    assert_int_equal(quirk.pixel_order, QUIRK_PIXELS_AUTO);
    assert_true(read_quirks("quirks: []\n", &book, &said));
}

static void the_first_row_with_a_setting_counts(void **state)
{
    static const char text[] =
        "quirks:\n"
        "  - {model: PID 08C8, why: own, pixel_order: rgb}\n"
        "  - {model: PID 1147, firmware: FB  2, why: own, back_rotation: 0}\n"
        "  - {model: PID 11*, why: own, back_rotation: 180, block_kib: 64}\n";
    static const struct {
        const char *product, *firmware;
        int64_t pixels, back, block;
    } cases[] = {
        { "PID 08C8", "", QUIRK_PIXELS_RGB, 0, 0 }, /* above the row of the program */
        { "PID 1147", "FB  2.00", 0, DEVICE_BACK_UPRIGHT, 64 },
        { "PID 1147", "FB  1.00", 0, DEVICE_BACK_UPSIDE_DOWN, 64 },
        { "PID 1147", "", 0, DEVICE_BACK_UPSIDE_DOWN, 64 },
        { "PID 11", "", 0, DEVICE_BACK_UPSIDE_DOWN, 64 },
        { "PID 1", "", 0, 0, 0 },
        { "", "", 0, 0, 0 },
    };
    static QuirkBook book;
    static Said said;

    (void)state;
    assert_true(read_quirks(text, &book, &said));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Quirk quirk;

        quirks_of(&book, cases[i].product, cases[i].firmware, &quirk);
        assert_int_equal(quirk.pixel_order, cases[i].pixels);
        assert_int_equal(quirk.back_rotation, cases[i].back);
        assert_int_equal(quirk.block_kib, cases[i].block);
    }
}

static void what_is_set_of_a_device_stands_above(void **state)
{
    static const QuirkBook book = { .count = 1,
                                    .rows = { { .model = "X",
                                                .transport = DEVICE_TRANSPORT_PLAIN,
                                                .registration = DEVICE_REGISTRATION_3 } } };
    Device device = { .product = "X" };

    (void)state;
    assert_int_equal(device_transport(&book, &device), DEVICE_TRANSPORT_PLAIN);
    assert_int_equal(device_registration(&book, &device), DEVICE_REGISTRATION_3);
    assert_int_equal(device_transport(NULL, &device), DEVICE_TRANSPORT_AUTO);
    (void)text_copy(device.certificate, sizeof device.certificate, CERTIFICATE_NEXT);
    assert_int_equal(device_transport(&book, &device), DEVICE_TRANSPORT_AUTO);
    device.settings.transport = DEVICE_TRANSPORT_TLS;
    device.settings.registration = DEVICE_REGISTRATION_2;
    assert_int_equal(device_transport(&book, &device), DEVICE_TRANSPORT_TLS);
    assert_int_equal(device_registration(&book, &device), DEVICE_REGISTRATION_2);
}

static void every_problem_of_quirks_is_said(void **state)
{
    static const char text[] = "quirks:\n"
                               "  - {model: A, why: seen, pixel_order: bgr}\n"
                               "  - {model: B, why: seen, back_rotatoin: 180}\n"
                               "  - {model: C, why: seen, back_rotation: 90}\n"
                               "  - {model: D, why: seen}\n"
                               "  - {model: E, transport: tls}\n"
                               "  - {why: seen, transport: tls}\n"
                               "  - {model: F, why: seen, transport: tls}\n"
                               "  - {model: F, why: again, block_kib: 5}\n"
                               "  - {model: G, why: seen, block_kib: 9999}\n"
                               "  - {model: \"*\", why: seen, transport: tls}\n"
                               "more: 1\n";
    static const char *const expected[] = {
        "more",  "quirks[1]: ", "quirks[2]: ", "quirks[3]: ", "quirks[4]: ",
        "[5]: ", "quirks[6]: ", "quirks[8]: ", "quirks[9]: ", "quirks[10]: ",
    };
    static QuirkBook book;
    static Said said;

    (void)state;
    assert_false(read_quirks(text, &book, &said));
    assert_int_equal(said.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        if (!strstr(said.sentences[i], expected[i]) || said.sentences[i][0] != '/')
            fail_msg("%s", said.sentences[i]);
    assert_non_null(strstr(said.sentences[2], "back_rotation"));
    assert_non_null(strstr(said.sentences[2], "line 3"));

    assert_false(read_quirks("- model: A\n", &book, &said));
    assert_non_null(strstr(said.sentences[0], "quirks:"));
    assert_false(read_quirks("quirks: yes\n", &book, &said));
    assert_false(read_quirks("quirks: [\n", &book, &said));
    assert_non_null(strstr(said.sentences[0], "line"));
    said = (Said){ 0 };
    assert_false(quirks_file_read("/nonexistent/quirks.yaml", &book, hear, &said));
    assert_true(said.count == 1 && strstr(said.sentences[0], "/nonexistent/quirks.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quirks_of_the_program_are_sound),
        cmocka_unit_test(the_first_row_with_a_setting_counts),
        cmocka_unit_test(what_is_set_of_a_device_stands_above),
        cmocka_unit_test(every_problem_of_quirks_is_said),
        cmocka_unit_test(presets_are_sound),
        cmocka_unit_test(lists_of_addresses_are_taken_apart),
        cmocka_unit_test(what_is_printed_reads_the_same),
        cmocka_unit_test(long_lines_are_whole_or_refused),
        cmocka_unit_test(blanks_before_a_key),
        cmocka_unit_test(every_problem_is_said),
        cmocka_unit_test(the_page_has_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
