/* tests/unit/test-seal.c - secrets at rest: bound to their place, readable by their key alone. */
#include "base/file.h"
#include "base/text.h"
#include "seal/settings.h"
#include "tests/unit/cm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder_path[64];
static int folder;

static int set_up(void **state)
{
    Err err;

    (void)state;
    (void)text_copy(folder_path, sizeof folder_path, "/tmp/platen-test-XXXXXX");
    assert_non_null(mkdtemp(folder_path));
    folder = file_open_folder(AT_FDCWD, folder_path, &err);
    return folder < 0;
}

static int tear_down(void **state)
{
    Err err;

    (void)state;
    (void)file_remove(folder, "master.key", &err);
    (void)file_remove(folder, "platen-master-key", &err);
    close(folder);
    (void)rmdir(folder_path);
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

static Sealer *open_keys(void)
{
    Err err;
    Sealer *sealer = sealer_open(folder, &err);

    if (!sealer)
        fail_msg("%s", err.text);
    return sealer;
}

static void put_file(const char *name, const char *text, mode_t mode)
{
    Err err;

    assert_true(file_replace(folder, name, bytes_of_text(text), mode, &err));
}

static void a_secret_opens_in_its_place_alone(void **state)
{
    AUTO(Sealer) sealer = open_keys();
    AUTO_BUF sealed = buf_with_max(SEALED_TEXT_BYTES_MAX), again = sealed, opened = sealed;
    struct stat st;
    Err err;

    (void)state;
    assert_int_equal(fstatat(folder, "master.key", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    assert_true(seal_text(sealer, "destination:1:password", "Grüße", &sealed, &err));
    assert_true(seal_text(sealer, "destination:1:password", "Grüße", &again, &err));
    assert_true(seal_is_sealed(buf_text(&sealed)) && seal_is_current(sealer, buf_text(&sealed)));
    assert_string_not_equal(buf_text(&sealed),
                            buf_text(&again)); /* nobody sees that they are equal */
    assert_true(seal_open(sealer, "destination:1:password", buf_text(&sealed), &opened, &err));
    assert_string_equal(buf_text(&opened), "Grüße");
    assert_false(seal_open(sealer, "destination:2:password", buf_text(&sealed), &opened, &err));
    assert_false(seal_open(sealer, "destination:1:token", buf_text(&sealed), &opened, &err));
    assert_int_equal(err.kind, ERR_PERMANENT);
    assert_true(err.remedy[0]);
}

static void whatever_is_changed_does_not_open(void **state)
{
    AUTO(Sealer) sealer = open_keys();
    AUTO_BUF sealed = buf_with_max(SEALED_TEXT_BYTES_MAX), opened = sealed;
    char text[200];
    Err err;

    (void)state;
    assert_true(seal_text(sealer, "p", "secret", &sealed, &err));
    for (size_t i = 0; buf_text(&sealed)[i]; i++) {
        (void)text_copy(text, sizeof text, buf_text(&sealed));
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_false(seal_open(sealer, "p", text, &opened, &err));
        text[i] = '\0';
        assert_false(seal_open(sealer, "p", text, &opened, &err));
    }
    assert_false(seal_open(sealer, "p", "", &opened, &err));
    assert_false(seal_open(sealer, "p", "secret", &opened, &err));
}

static void limits_hold(void **state)
{
    AUTO(Sealer) sealer = open_keys();
    AUTO_BUF sealed = buf_with_max(SEALED_TEXT_BYTES_MAX), opened = sealed;
    char longest[SEAL_TEXT_BYTES_MAX + 2];
    Err err;

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_false(seal_text(sealer, "p", longest, &sealed, &err));
    longest[SEAL_TEXT_BYTES_MAX] = '\0';
    assert_true(seal_text(sealer, "p", longest, &sealed, &err));
    assert_true(seal_open(sealer, "p", buf_text(&sealed), &opened, &err));
    assert_string_equal(buf_text(&opened), longest);
    buf_clear(&sealed);
    buf_clear(&opened);
    assert_true(seal_text(sealer, "p", "", &sealed, &err));
    assert_true(seal_open(sealer, "p", buf_text(&sealed), &opened, &err));
    assert_int_equal(opened.n, 0);
}

static void keys_rotate(void **state)
{
    AUTO(Sealer) sealer = open_keys();
    AUTO(Json) settings = json_new_object();
    Err err;
    bool changed;

    (void)state;
    json_set_text(settings, "host", "ftp.example.org");
    json_set_text(settings, "password", "s3cret");
    assert_true(settings_seal(sealer, "id", settings, "password", &err));
    assert_true(settings_reseal(sealer, "id", settings, &changed, &err));
    assert_false(changed);
    assert_true(sealer_add_key(folder, &sealer, &err));
    assert_false(seal_is_current(sealer, json_get_text(settings, "password")));
    assert_true(settings_secret_is(sealer, "id", settings, "password", "s3cret"));
    assert_true(settings_reseal(sealer, "id", settings, &changed, &err));
    assert_true(changed);
    assert_true(seal_is_current(sealer, json_get_text(settings, "password")));
    assert_true(sealer_forget_old(folder, &sealer, &err));
    AUTO(Sealer) later = open_keys();
    AUTO(Json) opened = settings_opened(later, "id", settings, &err);
    assert_string_equal(json_get_text(opened, "password"), "s3cret");
    assert_string_equal(json_get_text(opened, "host"), "ftp.example.org");
    assert_false(settings_secret_is(later, "id", settings, "password", "other"));
    assert_false(settings_secret_is(later, "id", settings, "host", "ftp.example.org"));
    assert_false(settings_secret_is(later, "id", NULL, "password", ""));
}

static void wrong_key_files_are_named(void **state)
{
    static const char *const wrong[] = {
        "", "hello\n", "0123abcd 00\n",
        "0123abcd-0000000000000000000000000000000000000000000000000000000000000000\n",
        "0123abcx 0000000000000000000000000000000000000000000000000000000000000000\n"
    };
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        put_file("master.key", wrong[i], 0400);
        assert_null(sealer_open(folder, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        assert_non_null(strstr(err.text, "master.key"));
        assert_true(err.remedy[0]);
    }
    put_file(
        "master.key",
        "# a comment\n0123abcd 0000000000000000000000000000000000000000000000000000000000000000\n",
        0440);
    assert_null(sealer_open(folder, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    assert_non_null(strstr(err.remedy, "chmod"));
}

static void a_credential_goes_before_the_file(void **state)
{
    AUTO(Sealer) of_file = open_keys();
    AUTO_BUF sealed = buf_with_max(SEALED_TEXT_BYTES_MAX), opened = sealed;
    Err err;

    (void)state;
    assert_true(seal_text(of_file, "p", "secret", &sealed, &err));
    (void)setenv("CREDENTIALS_DIRECTORY", folder_path, 1);
    AUTO(Sealer) still_of_file = open_keys(); /* a folder of credentials without ours */
    assert_true(seal_open(still_of_file, "p", buf_text(&sealed), &opened, &err));
    put_file("platen-master-key",
             "0123abcd 0000000000000000000000000000000000000000000000000000000000000000\n", 0400);
    AUTO(Sealer) of_credential = open_keys();
    assert_true(sealer_is_credential(of_credential) && !sealer_is_credential(still_of_file));
    assert_false(seal_open(of_credential, "p", buf_text(&sealed), &opened, &err));
    assert_non_null(strstr(err.remedy, "master.key"));
    assert_false(sealer_add_key(folder, &of_credential, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_secret_opens_in_its_place_alone),
        TEST(whatever_is_changed_does_not_open),
        TEST(limits_hold),
        TEST(keys_rotate),
        TEST(wrong_key_files_are_named),
        TEST(a_credential_goes_before_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
