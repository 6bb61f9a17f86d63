/* tests/unit/test-base.c - text, bytes, ids, time, errors and files of src/base. */
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/time.h"
#include "tests/unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void text_copy_cuts_at_characters(void **state)
{
    char to[5];

    (void)state;
    assert_true(text_copy(to, sizeof to, "abcd"));
    assert_false(text_copy(to, sizeof to, "abc\xc3\xa4"));
    assert_string_equal(to, "abc");
    assert_false(text_copy_bytes(to, sizeof to, (Bytes){ (const uint8_t *)"a\0b", 3 }));
    assert_string_equal(to, "a");
}

static void utf8_is_checked(void **state)
{
    static const struct {
        const char *bytes;
        bool good;
    } cases[] = {
        { "Gr\xc3\xbc\xc3\x9f", true },
        { "\xe2\x82\xac \xf0\x9f\x98\x80", true },
        { "\xc0\xaf", false },
        { "\xed\xa0\x80", false },
        { "\xf4\x90\x80\x80", false },
        { "\xe2\x82", false },
        { "\xff", false },
        { "\x80", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(text_is_utf8(bytes_of_text(cases[i].bytes)), cases[i].good);
    assert_false(text_is_utf8((Bytes){ (const uint8_t *)"a\0", 2 }));
    assert_int_equal(text_length("Gr\xc3\xbc\xc3\x9f"), 4);
}

static void numbers_are_whole(void **state)
{
    int64_t v = 7;

    (void)state;
    assert_true(text_to_int("-12", -20, 20, &v));
    assert_int_equal(v, -12);
    assert_true(text_to_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v));
    assert_true(v == INT64_MIN);
    assert_false(text_to_int("9223372036854775808", INT64_MIN, INT64_MAX, &v));
    assert_false(text_to_int("", 0, 9, &v));
    assert_false(text_to_int("-", -9, 9, &v));
    assert_false(text_to_int("1 ", 0, 9, &v));
    assert_false(text_to_int("10", 0, 9, &v));
}

static void nearest_word_is_found(void **state)
{
    static const char *const words[] = { "folder", "file_name", "sides", NULL };

    (void)state;
    assert_string_equal(text_nearest("foldr", words), "folder");
    assert_string_equal(text_nearest("filename", words), "file_name");
    assert_null(text_nearest("resolution", words));
}

/* What a real shell makes of the word, between marks, so that blanks at the ends count. */
static void assert_shell_reads(const char *word, const char *wanted)
{
    char command[1200], said[600] = "", marked[600];
    char *const args[] = { (char *)"sh", (char *)"-c", command, NULL };
    posix_spawn_file_actions_t actions;
    int ends[2], status;
    pid_t shell;
    size_t n = 0;

    assert_true(text_printf(command, sizeof command, "printf '<%%s>' %s", word));
    assert_true(text_printf(marked, sizeof marked, "<%s>", wanted));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn(&shell, "/bin/sh", &actions, NULL, args, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(close(ends[1]), 0);
    for (ssize_t got; (got = read(ends[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)got;
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(waitpid(shell, &status, 0), shell);
    assert_int_equal(status, 0);
    assert_string_equal(said, marked);
}

static void a_shell_reads_a_quoted_word_as_it_was(void **state)
{
    static const char *const names[] = {
        "Archive",
        "10.0.0.7",
        "fe80::1%eth0",
        "/srv/a_b-c.d",
        "a@b,c+d",
        "",
        " ",
        "Front desk",
        " at the ends ",
        "it's",
        "'",
        "''",
        "'''a'b",
        "\"two\"",
        "$HOME",
        "${x}",
        "$(id)",
        "`id`",
        "a\\b",
        "\\",
        "\\'",
        "a\\\\",
        "!",
        "a!b",
        "*",
        "?[a]",
        "~",
        "~root",
        "#x",
        "a;id",
        "a&b",
        "a|b",
        "<a>",
        "(a)",
        "{a,b}",
        "a=b",
        "-",
        "--help",
        "a\tb",
        "a\nb",
        "\n",
        "M\xc3\xbcller & S\xc3\xb6hne",
        "\xe2\x80\x99",
        "%s%n",
    };
    char word[TEXT_SHELL_BYTES * NAME_TEXT_SIZE], small[12];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_true(text_shell(word, sizeof word, names[i]));
        assert_shell_reads(word, names[i]);
    }
    for (int c = 1; c < 128; c++) {
        char every[] = { 'a', (char)c, 'b', (char)c, '\0' };

        assert_true(text_shell(word, sizeof word, every));
        assert_shell_reads(word, every);
    }
    assert_true(
        text_shell(word, sizeof word, "fe80::1%eth0")); /* easy to read as long as it can be */
    assert_string_equal(word, "fe80::1%eth0");
    /* What just fits, and what does not: no part of a name. */
    assert_true(text_shell(small, sizeof small, "a b c d e"));
    assert_string_equal(small, "'a b c d e'");
    assert_false(text_shell(small, sizeof small, "a b c d ef"));
    assert_string_equal(small, "''");
    assert_false(text_shell(small, sizeof small, "abcdefghijkl"));
    assert_string_equal(small, "''");
    assert_false(text_shell(small, sizeof small, "''''"));
    char worst[NAME_TEXT_SIZE];
    memset(worst, '\'', sizeof worst - 1);
    worst[sizeof worst - 1] = '\0';
    assert_true(text_shell(word, sizeof word, worst));
}

static void words_of_a_list_come_in_turn(void **state)
{
    static const char *const wanted[] = { "a", "bc", "d\xc3\xa4" };
    const char *at = " ,a\tbc,, ,d\xc3\xa4, ";
    Bytes word = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        assert_true(text_next_word(&at, " ,\t", &word));
        assert_true(bytes_equal_text(word, wanted[i]));
    }
    assert_false(text_next_word(&at, " ,\t", &word));
    assert_int_equal(*at, '\0');
    assert_true(bytes_equal_text(word, wanted[2]));
    at = ";";
    assert_true(text_next_word(&at, " ,", &word));
    assert_true(bytes_equal_text(word, ";"));
}

static void hex_goes_both_ways(void **state)
{
    uint8_t raw[3];
    char text[7];

    (void)state;
    assert_true(text_unhex("00fFa1", raw, 3));
    text_hex(text, (Bytes){ raw, 3 });
    assert_string_equal(text, "00ffa1");
    assert_false(text_unhex("00fFa", raw, 3));
    assert_false(text_unhex("00fFag", raw, 3));
}

static void hex_goes_into_a_buffer(void **state)
{
    static const uint8_t raw[] = { 0x00, 0xff, 0xa1 };
    AUTO_BUF out = buf_with_max(12);

    (void)state;
    buf_put_text(&out, "hex: ");
    assert_true(text_put_hex(&out, (Bytes){ raw, sizeof raw }));
    assert_string_equal(buf_text(&out), "hex: 00ffa1");
    assert_false(text_put_hex(&out, (Bytes){ raw, 1 }));
    assert_true(out.failed);
    assert_int_equal(out.n, 11);
}

static void buffer_keeps_its_maximum(void **state)
{
    AUTO_BUF b = buf_with_max(5);

    (void)state;
    assert_true(buf_put_text(&b, "abc"));
    assert_string_equal(buf_text(&b), "abc");
    assert_false(buf_put_text(&b, "def"));
    assert_true(b.failed);
    assert_int_equal(b.n, 3);
    buf_clear(&b);
    assert_true(buf_put_u24be(&b, 0x010203));
    buf_drop_front(&b, 2);
    assert_int_equal(b.p[0], 3);
}

static void reader_failure_sticks(void **state)
{
    static const uint8_t raw[] = { 1, 2, 3, 4, 5 };
    Reader r = reader_over((Bytes){ raw, sizeof raw });

    (void)state;
    assert_int_equal(rd_u24be(&r), 0x010203);
    assert_int_equal(rd_u32be(&r), 0);
    assert_true(r.bad);
    assert_int_equal(rd_u8(&r), 0);
}

static void ids_sort_by_time(void **state)
{
    BatchId a = id_new(BatchId, (Wall){ 1000 }), b = id_new(BatchId, (Wall){ 1001 }), c;

    (void)state;
    assert_true(strcmp(a.text, b.text) < 0);
    assert_true(id_parse(a.text, &c));
    assert_string_equal(a.text, c.text);
    assert_false(id_text_is_valid("01K"));
    assert_false(id_text_is_valid("01k../../etc/passwd0000000"));
}

static void time_is_written_with_its_offset(void **state)
{
    char text[WALL_TEXT_SIZE];

    (void)state;
    wall_format((Wall){ 1795359600123 }, 0, text);
    assert_string_equal(text, "2026-11-22T15:00:00.123Z");
    wall_format((Wall){ 1795359600123 }, -210, text);
    assert_string_equal(text, "2026-11-22T11:30:00.123-03:30");
    assert_int_equal(wall_civil((Wall){ 1795359600123 }, 13 * 60).day, 23);
    wall_format((Wall){ -1 }, 0, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void errors_carry_context_and_cure(void **state)
{
    Err err;

    (void)state;
    assert_false(err_errno(&err, ENOSPC, "page %d", 2));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    err_prefix(&err, "batch %s", "K3");
    err_remedy(&err, "Free some space.");
    assert_string_equal(err.text, "batch K3: page 2: No space left on device");
    assert_string_equal(err.remedy, "Free some space.");
    err_set(&err, ERR_BUG, 0, "%0300d", 1);
    assert_string_equal(err.text + sizeof err.text - 4, "...");
    assert_int_equal(err_http_status(ERR_NOT_FOUND), 404);
}

static void log_values_are_quoted(void **state)
{
    char to[16];

    (void)state;
    assert_string_equal(log_quote(to, sizeof to, "a\"b\\"), "\"a\\\"b\\\\\"");
    assert_string_equal(log_quote(to, sizeof to, "0123456789abcdef"), "\"0123456789...\"");
}

/* FIPS 180-4 example values for "abc" and the empty message. */
static void sha256_matches_the_standard(void **state)
{
    char text[SHA256_TEXT_SIZE];
    Sha256 hash;

    (void)state;
    sha256_start(&hash);
    sha256_finish(&hash, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_start(&hash);
    sha256_add(&hash, bytes_of_text("a"));
    sha256_add(&hash, bytes_of_text("bc"));
    sha256_finish(&hash, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, test cases 1 and 6 (a key longer than a block). */
static void hmac_matches_the_standard(void **state)
{
    uint8_t key[131], mac[HMAC_SIZE];
    char text[2 * HMAC_SIZE + 1];
    Hmac hmac;

    (void)state;
    memset(key, 0x0b, 20);
    hmac_start(&hmac, (Bytes){ key, 20 });
    hmac_add(&hmac, bytes_of_text("Hi"));
    hmac_add(&hmac, bytes_of_text(" There"));
    hmac_finish(&hmac, mac);
    text_hex(text, (Bytes){ mac, sizeof mac });
    assert_string_equal(text, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    memset(key, 0xaa, sizeof key);
    hmac_of((Bytes){ key, sizeof key },
            bytes_of_text("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    text_hex(text, (Bytes){ mac, sizeof mac });
    assert_string_equal(text, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void files_are_replaced_whole(void **state)
{
    char path[] = "/tmp/platen-base-XXXXXX", sha[SHA256_TEXT_SIZE];
    AUTO_BUF text = buf_with_max(8);
    int64_t size = 0;
    Err err;

    (void)state;
    assert_non_null(mkdtemp(path));
    AUTO_FD dir = file_open_folder(AT_FDCWD, path, &err);
    assert_true(file_replace(dir, "a", bytes_of_text("one"), 0600, &err));
    assert_true(file_replace(dir, "a", bytes_of_text("12345678"), 0600, &err));
    assert_true(file_read_whole(dir, "a", &text, &err));
    assert_string_equal(buf_text(&text), ""); /* no room for the NUL: full to its maximum */
    assert_int_equal(text.n, 8);
    assert_true(file_replace(dir, "a", bytes_of_text("123456789"), 0600, &err));
    buf_clear(&text);
    assert_false(file_read_whole(dir, "a", &text, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);

    assert_true(file_replace(dir, "b", bytes_of_text("abc"), 0600, &err));
    assert_false(file_rename_noreplace(dir, "b", dir, "a", &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_true(file_rename_noreplace(dir, "b", dir, "c", &err));
    AUTO_FD c = file_open_read(dir, "c", &err);
    AUTO_FD d = file_create(dir, "d", 0600, &err);
    assert_true(file_copy(c, 1, 2, d, &err));
    assert_false(file_copy(c, 1, 3, d, &err));
    AUTO_FD d_again = file_open_read(dir, "d", &err);
    assert_true(file_hash(d_again, sha, &size, &err));
    assert_int_equal(size, 4);
    assert_true(file_open_read(dir, "missing", &err) < 0);
    assert_int_equal(err.kind, ERR_NOT_FOUND);

    AUTO_FD sub = file_make_folder(dir, "sub", &err);
    AUTO_FD again = file_make_folder(dir, "sub", &err);
    assert_true(sub >= 0 && again >= 0);
    assert_true(file_remove(dir, "a", &err) && file_remove(dir, "a", &err));
    assert_true(file_remove(dir, "c", &err) && file_remove(dir, "d", &err));
    assert_true(file_remove_folder(dir, "sub", &err));
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_copy_cuts_at_characters),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(numbers_are_whole),
        cmocka_unit_test(nearest_word_is_found),
        cmocka_unit_test(a_shell_reads_a_quoted_word_as_it_was),
        cmocka_unit_test(words_of_a_list_come_in_turn),
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(hex_goes_into_a_buffer),
        cmocka_unit_test(buffer_keeps_its_maximum),
        cmocka_unit_test(reader_failure_sticks),
        cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(time_is_written_with_its_offset),
        cmocka_unit_test(errors_carry_context_and_cure),
        cmocka_unit_test(log_values_are_quoted),
        cmocka_unit_test(sha256_matches_the_standard),
        cmocka_unit_test(hmac_matches_the_standard),
        cmocka_unit_test(files_are_replaced_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
