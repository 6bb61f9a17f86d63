/* tests/unit/test-config.c - platen.conf: presets, every problem, printing, and the page about it. */
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "server/config.h"
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
    AUTO_BUF small = buf_with_max(100);
    assert_false(server_config_print(&config, &small));
}

static void every_problem_is_said(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "[server]\nnmae = x\n", "[server] nmae: unknown key, did you mean name?" },
        { "[sever]\nname = x\n",
          "unknown section; there are server, devices, http, deliver, limits" },
        { "[server]\nname\n", "line 2 is not of the form key = value" },
        { "[server]\ndata_dir = data\n", "data_dir: not an absolute path" },
        { "[server]\ndata_dir =\n", "data_dir: must not be empty" },
        { "[server]\nlibexec_dir = ./bin\n", "libexec_dir: not an absolute path" },
        { "[server]\nname = a,b\n", "must have 1 to 20 characters and none of" },
        { "[server]\nlog_level = loud\n", "not one of error, warning, info, debug" },
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
        { "[http]\nsocket = run.sock\n", "socket: not an absolute path" },
        { "[deliver]\nprograms = bin\n", "programs: not an absolute path" },
        { "[http]\nsocket =\n", "must have 1 to 100 bytes" },
        { "[http]\ncertificate = /x\n", "certificate and key belong together; one is missing" },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_sound),
        cmocka_unit_test(lists_of_addresses_are_taken_apart),
        cmocka_unit_test(what_is_printed_reads_the_same),
        cmocka_unit_test(every_problem_is_said),
        cmocka_unit_test(the_page_has_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
