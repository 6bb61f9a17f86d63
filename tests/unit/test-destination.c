/* tests/unit/test-destination.c - the registry of destinations and delivery into a folder.
 *
 * It is built twice: with the kinds of platen-deliver, where it tests "folder", and with the template of
 * docs/how-to-add-a-destination.md alone (TESTED_KIND "archive"), which has to do the same. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "destination/site.h"
#include "tests/unit/cm.h"
#include "json/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TESTED_KIND
#define TESTED_KIND "folder"
#endif

static const char content[] = "%PDF-1.7 a document";

/* A folder to deliver into, beside a spool with one document. */
typedef struct World {
    char root[64], folder[80], spool[80], document[96], sha256[65];
    char path[PATH_TEXT_SIZE]; /* the folder in the settings */
    const char *settings;      /* further members as JSON, begins with a comma; "" = none */
    const char *options;       /* a JSON object */
    Parcel parcel;
    unsigned asked;   /* questions so far */
    unsigned stop_at; /* the answer to this question is stop, 0 = never */
    char proposed[FILE_NAME_BYTES_MAX + 1];
    const char *steal; /* before answering the first question somebody makes this file */
    char stages[120];  /* that passed in a test, with a blank behind each */
    DeliveryResult result;
} World;

static void put_file(const char *folder, const char *name, const char *text)
{
    Err err;
    AUTO_FD dir = file_open_folder(AT_FDCWD, folder, &err);
    AUTO_FD fd = file_create(dir, name, 0644, &err);

    assert_true(fd >= 0);
    assert_true(file_write_all(fd, bytes_of_text(text), &err));
}

static bool propose(void *arg, const char *name)
{
    World *world = arg;

    (void)text_copy(world->proposed, sizeof world->proposed, name);
    if (++world->asked == 1 && world->steal)
        put_file(world->folder, world->steal, "somebody was faster");
    return world->asked != world->stop_at;
}

static int set_up(void **state)
{
    World *world = calloc(1, sizeof *world);
    Sha256 hash;

    assert_non_null(world);
    (void)text_copy(world->root, sizeof world->root, "/tmp/platen-test-XXXXXX");
    assert_non_null(mkdtemp(world->root));
    (void)text_printf(world->folder, sizeof world->folder, "%s/folder", world->root);
    (void)text_printf(world->spool, sizeof world->spool, "%s/spool", world->root);
    (void)text_printf(world->document, sizeof world->document, "%s/a.pdf", world->spool);
    assert_int_equal(mkdir(world->folder, 0755), 0);
    assert_int_equal(mkdir(world->spool, 0755), 0);
    put_file(world->spool, "a.pdf", content);
    (void)text_copy(world->path, sizeof world->path, world->folder);
    world->settings = "";
    world->options = "{}";
    sha256_start(&hash);
    sha256_add(&hash, bytes_of_text(content));
    sha256_finish(&hash, world->sha256);
    world->parcel = (Parcel){ .delivery = "01k0000000000000000000000a",
                              .facts = { .job = "Job", .device = "Scanner", .document = 1 },
                              .size_bytes = sizeof content - 1,
                              .sha256 = world->sha256,
                              .name = "a.pdf",
                              .reserved = "" };
    *state = world;
    return 0;
}

static void empty_folder(const char *path)
{
    DIR *dir = opendir(path);
    char below[400];

    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (unlinkat(dirfd(dir), e->d_name, 0) == 0 || e->d_name[0] == '.')
            continue;
        (void)text_printf(below, sizeof below, "%s/%s", path, e->d_name);
        empty_folder(below);
        (void)rmdir(below);
    }
    if (dir)
        (void)closedir(dir);
}

static int tear_down(void **state)
{
    World *world = *state;

    (void)chmod(world->folder, 0755);
    empty_folder(world->folder);
    empty_folder(world->spool);
    (void)rmdir(world->folder);
    (void)rmdir(world->spool);
    (void)rmdir(world->root);
    free(world);
    return 0;
}

static void passed(void *arg, const char *stage, int64_t ms)
{
    World *world = arg;
    size_t n = strlen(world->stages);

    assert_true(ms >= 0);
    assert_true(text_printf(world->stages + n, sizeof world->stages - n, "%s ", stage));
}

/* Settings or options from JSON, as platen-deliver gets them; freed by the caller. */
static void *fill(const char *text, const Field *fields, size_t size)
{
    void *filled = calloc(1, size);
    Err err;
    AUTO(Json) json = json_parse(bytes_of_text(text), &err);

    assert_true(json && filled);
    if (!json_read_fields(json, fields, filled, size, &err))
        fail_msg("%s: %s", text, err.text);
    return filled;
}

typedef void Run(const DestinationType *type, const Errand *errand);

static DeliveryClass run(World *world, Run *fn)
{
    const DestinationType *type = destination_find(TESTED_KIND);
    DeliveryTalk talk = { .arg = world, .propose = propose, .passed = passed };
    char text[2 * PATH_TEXT_SIZE];

    assert_true(
        text_printf(text, sizeof text, "{\"path\":\"%s\"%s}", world->path, world->settings));
    void *settings = fill(text, type->fields, type->settings_size);
    void *options = fill(world->options, type->options, type->options_size);
    void *connection = type->open(settings);
    AUTO_FD fd = open(world->document, O_RDONLY | O_CLOEXEC); /* not a call that may fail */
    assert_true(fd >= 0);
    world->parcel.fd = fd;
    world->result = (DeliveryResult){ 0 };
    fn(type, &(Errand){ settings, options, connection, &world->parcel, &talk, &world->result });
    type->close(connection);
    free(settings);
    free(options);
    return world->result.class;
}

static DeliveryClass deliver(World *world)
{
    return run(world, destination_deliver);
}

/* Files in the folder; *ret_temporary counts those that begin with a dot. */
static unsigned count_files(const World *world, unsigned *ret_temporary)
{
    DIR *dir = opendir(world->folder);
    unsigned files = 0;

    *ret_temporary = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (e->d_name[0] == '.')
            (*ret_temporary)++;
        else
            files++;
    }
    (void)closedir(dir);
    return files;
}

static void assert_delivered_as(World *world, const char *name)
{
    AUTO_BUF text = buf_with_max(100);
    Err err;
    AUTO_FD dir = file_open_folder(AT_FDCWD, world->folder, &err);

    assert_string_equal(world->result.text[0] ? world->result.remote_name : "", name);
    assert_int_equal(world->result.size_bytes, sizeof content - 1);
    assert_string_equal(world->result.sha256, world->sha256);
    assert_string_equal(world->result.cure, "");
    assert_true(file_read_whole(dir, name, &text, &err));
    assert_string_equal(buf_text(&text), content);
}

static void a_document_appears_whole(void **state)
{
    World *world = *state;
    unsigned temporary;

    put_file(world->folder, ".platen-01k0000000000000000000000a.part", "what a dead attempt left");
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a.pdf");
    assert_int_equal(world->asked, 1);
    assert_string_equal(world->proposed, "a.pdf");
    assert_int_equal(count_files(world, &temporary), 1);
    assert_int_equal(temporary, 0);
}

static void taken_names_are_numbered(void **state)
{
    World *world = *state;

    put_file(world->folder, "a.pdf", content); /* equal, but not ours: nobody reserved it */
    put_file(world->folder, "a_2.pdf", "other");
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a_3.pdf");
    assert_int_equal(world->asked, 2); /* nobody looks before the first */
}

static void a_name_lost_in_a_race_is_asked_again(void **state)
{
    World *world = *state;

    world->steal = "a.pdf";
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a_2.pdf");
    assert_int_equal(world->asked, 2);
}

static void a_repeated_delivery_is_done_already(void **state)
{
    World *world = *state;
    unsigned temporary;

    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    world->parcel.reserved = "a.pdf";
    put_file(world->folder, ".platen-01k0000000000000000000000a.part", "half");
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a.pdf");
    assert_int_equal(world->asked, 1); /* nothing was asked the second time */
    assert_int_equal(count_files(world, &temporary), 1);
    assert_int_equal(temporary, 0);
}

static void a_reserved_name_that_is_free_or_foreign(void **state)
{
    World *world = *state;

    world->parcel.reserved = "a_7.pdf";
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a_7.pdf");
    put_file(world->folder, "a_7.pdf", "%PDF-1.7 b document"); /* same size, other bytes */
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a.pdf");
}

static void stop_leaves_nothing(void **state)
{
    World *world = *state;
    unsigned temporary;

    world->stop_at = 1;
    assert_int_equal(deliver(world), DELIVERY_CLASS_RETRY);
    assert_string_equal(world->result.stage, "rename");
    assert_int_equal(count_files(world, &temporary) + temporary, 0);
}

static void wrong_folders_are_named(void **state)
{
    World *world = *state;

    (void)text_printf(world->path, sizeof world->path, "%s/none", world->root);
    assert_int_equal(deliver(world), DELIVERY_CLASS_CONFIG);
    assert_int_equal(world->result.native_code, ENOENT);
    assert_string_equal(world->result.stage, "locate");
    assert_non_null(strstr(world->result.cure, "Make the folder"));
    assert_int_equal(access(world->path, F_OK), -1); /* never made silently */
    (void)text_copy(world->path, sizeof world->path, world->document);
    assert_int_equal(deliver(world), DELIVERY_CLASS_CONFIG);
    assert_int_equal(world->result.native_code, ENOTDIR);
    assert_int_equal(world->asked, 0);
}

static void damaged_documents_are_not_delivered(void **state)
{
    World *world = *state;
    unsigned temporary;

    put_file(world->spool, "a.pdf", "%PDF-1.7 A document"); /* same size, other bytes */
    assert_int_equal(deliver(world), DELIVERY_CLASS_FATAL);
    assert_non_null(strstr(world->result.text, "damaged"));
    put_file(world->spool, "a.pdf", "short");
    assert_int_equal(deliver(world), DELIVERY_CLASS_FATAL);
    assert_int_equal(count_files(world, &temporary) + temporary, 0);
    assert_int_equal(world->asked, 0);
}

static void a_planted_link_is_not_followed(void **state)
{
    World *world = *state;
    char link[160];

    (void)text_printf(link, sizeof link, "%s/.platen-01k0000000000000000000000a.part",
                      world->folder);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a.pdf");
    assert_int_equal(mkfifo(link, 0644), 0); /* nobody reads it: opening would wait for ever */
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a_2.pdf");
    (void)text_printf(link, sizeof link, "%s/2026", world->folder);
    assert_int_equal(symlink(world->spool, link), 0);
    world->options = "{\"folder\":\"2026\"}";
    assert_int_equal(deliver(world), DELIVERY_CLASS_CONFIG);
    assert_string_equal(world->result.stage, "locate");
}

/* Mode and owner of a file or folder below the folder. */
static struct stat stat_of(const World *world, const char *name)
{
    char path[200];
    struct stat st;

    (void)text_printf(path, sizeof path, "%s/%s", world->folder, name);
    if (lstat(path, &st) != 0)
        fail_msg("no %s", path);
    return st;
}

static void a_job_has_folders_of_its_own(void **state)
{
    World *world = *state;
    struct stat st;

    world->parcel.facts.job = "a/b"; /* a value is one part, whatever it holds */
    world->parcel.facts.started.ms = 1764201600000;
    world->options = "{\"folder\":\"{date:%Y}/{job}/x\"}";
    world->settings = ",\"folder_mode\":\"0750\",\"mode\":\"0640\"";
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_string_equal(world->result.remote_name, "a.pdf");
    st = stat_of(world, "2025/a_b/x");
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0750);
    st = stat_of(world, "2025/a_b/x/a.pdf");
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(unlinkat(AT_FDCWD, world->document, 0), 0);
    put_file(world->spool, "a.pdf", content);
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_string_equal(world->result.remote_name, "a_2.pdf");
    put_file(world->folder, "blocked", "a file");
    world->options = "{\"folder\":\"blocked\"}";
    assert_int_equal(deliver(world), DELIVERY_CLASS_CONFIG);
    assert_string_equal(world->result.stage, "locate");
}

static void sub_folders_are_made_and_number_for_themselves(void **state)
{
    World *world = *state;

    put_file(world->folder, "a.pdf", "other");
    world->options = "{\"folder\":\"x/{job}\"}";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
        assert_string_equal(world->result.remote_name, i == 0 ? "a.pdf" : "a_2.pdf");
    }
    assert_true(S_ISREG(stat_of(world, "x/Job/a.pdf").st_mode));
    assert_true(S_ISREG(stat_of(world, "x/Job/a_2.pdf").st_mode));
}

static void a_taken_name_is_overwritten_or_refused(void **state)
{
    World *world = *state;
    unsigned temporary;

    put_file(world->folder, "a.pdf", "other");
    world->options = "{\"same_name\":\"refuse\"}";
    assert_int_equal(deliver(world), DELIVERY_CLASS_FATAL);
    assert_non_null(strstr(world->result.text, "a.pdf"));
    assert_int_equal(world->asked, 1); /* nobody looks before */
    world->options = "{\"same_name\":\"overwrite\"}";
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a.pdf");
    assert_int_equal(count_files(world, &temporary), 1);
    assert_int_equal(temporary, 0);
    empty_folder(world->folder);
    world->options = "{\"same_name\":\"refuse\"}";
    world->asked = 0;
    world->steal = "a.pdf"; /* before the rename */
    assert_int_equal(deliver(world), DELIVERY_CLASS_FATAL);
    assert_int_equal(count_files(world, &temporary), 1);
    assert_int_equal(temporary, 0);
}

static void accounts_and_modes_are_checked(void **state)
{
    static const struct {
        const char *settings, *text;
    } wrong[] = {
        { ",\"mode\":\"rwx\"", "mode" },         { ",\"mode\":\"1777\"", "mode" },
        { ",\"folder_mode\":\"8\"", "mode" },    { ",\"owner\":\"nobody-here\"", "user" },
        { ",\"group\":\"none-such\"", "group" },
    };
    World *world = *state;
    unsigned temporary;

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        world->settings = wrong[i].settings;
        assert_int_equal(deliver(world), DELIVERY_CLASS_CONFIG);
        assert_string_equal(world->result.stage, "locate");
        assert_non_null(strstr(world->result.text, wrong[i].text));
    }
    assert_int_equal(count_files(world, &temporary) + temporary, 0);
    world->settings = ",\"owner\":\"nobody\",\"group\":\"nogroup\"";
    bool root = geteuid() == 0;
    assert_int_equal(deliver(world), root ? DELIVERY_CLASS_OK : DELIVERY_CLASS_CONFIG);
    if (root) {
        const struct stat st = stat_of(world, "a.pdf");

        assert_int_equal(st.st_uid, 65534);
        assert_int_equal(st.st_gid, 65534);
    }
}

static void numbers_are_found_with_few_looks(void **state)
{
    World *world = *state;
    char name[32];

    put_file(world->folder, "a.pdf", "other");
    for (int i = 2; i <= 300; i++) {
        (void)text_printf(name, sizeof name, "a_%d.pdf", i);
        put_file(world->folder, name, "other");
    }
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a_301.pdf");
    put_file(world->folder, "a_9999.pdf", "other");
    assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
    assert_delivered_as(world, "a_302.pdf");
}

static void a_test_leaves_nothing_and_tells_its_stages(void **state)
{
    World *world = *state;
    unsigned temporary;

    world->parcel.name = "platen-test.txt";
    assert_int_equal(run(world, destination_test), DELIVERY_CLASS_OK);
    assert_string_equal(world->stages, "locate write verify rename remove ");
    assert_int_equal(count_files(world, &temporary) + temporary, 0);
    put_file(world->folder, "platen-test.txt", "somebody's");
    put_file(world->folder, ".platen-01k0000000000000000000000a-test.part", "a test died");
    assert_int_equal(run(world, destination_test), DELIVERY_CLASS_OK);
    assert_int_equal(count_files(world, &temporary), 1); /* not ours: it stays */
    assert_int_equal(temporary, 0);
    world->stages[0] = '\0';
    (void)text_copy(world->path, sizeof world->path, "/nowhere");
    assert_int_equal(run(world, destination_test), DELIVERY_CLASS_CONFIG);
    assert_string_equal(world->stages, "");
    assert_int_equal(world->asked, 0);
}

/* --- every call fails once ------------------------------------------------------------------------ */

static int fail_in, fail_code; /* the call after which number fails, and how */

static bool fails_now(void)
{
    if (--fail_in != 0)
        return false;
    errno = fail_code;
    return true;
}

static ssize_t failing_write(int fd, const void *bytes, size_t n)
{
    return fails_now() ? -1 : file_ops_system.write(fd, bytes, n);
}

static ssize_t failing_copy(int from, off_t *offset, int to, size_t n)
{
    return fails_now() ? -1 : file_ops_system.copy(from, offset, to, n);
}

static int failing_open(int dir, const char *name, int flags, mode_t mode)
{
    return fails_now() ? -1 : file_ops_system.open(dir, name, flags, mode);
}

static int failing_sync_data(int fd)
{
    return fails_now() ? -1 : file_ops_system.sync_data(fd);
}

static int failing_sync_folder(int fd)
{
    return fails_now() ? -1 : file_ops_system.sync_folder(fd);
}

static int failing_rename(int from_dir, const char *from, int to_dir, const char *to,
                          unsigned flags)
{
    return fails_now() ? -1 : file_ops_system.rename(from_dir, from, to_dir, to, flags);
}

/* Whatever fails: never OK without the file, never a second file, and the next attempt, with the name
 * that was reserved, ends with exactly one. */
static void every_failing_call_is_survived(void **state)
{
    static const int codes[] = { ENOSPC, EIO };
    World *world = *state;
    FileOps ops = file_ops_system;
    unsigned temporary, failures = 0;

    ops.open = failing_open;
    ops.write = failing_write;
    ops.copy = failing_copy;
    ops.sync_data = failing_sync_data;
    ops.sync_folder = failing_sync_folder;
    ops.rename = failing_rename;
    for (size_t c = 0; c < COUNT_OF(codes); c++) {
        for (int at = 1; at < 20; at++) {
            empty_folder(world->folder);
            world->parcel.reserved = "";
            world->proposed[0] = '\0';
            fail_in = at;
            fail_code = codes[c];
            (void)file_ops_set(&ops);
            DeliveryClass class = deliver(world);
            (void)file_ops_set(NULL);
            if (class == DELIVERY_CLASS_OK)
                assert_true(fail_in > 0);
            else
                failures++;
            assert_true(world->result.stage[0] && world->result.text[0]);
            world->parcel.reserved = world->proposed;
            assert_int_equal(deliver(world), DELIVERY_CLASS_OK);
            assert_delivered_as(world, "a.pdf");
            assert_int_equal(count_files(world, &temporary), 1);
            assert_int_equal(temporary, 0);
        }
    }
    assert_true(failures >= 14);
}

static void media_types_follow_names(void **state)
{
    (void)state;
    assert_string_equal(media_type_of("a.b.pdf"), "application/pdf");
    assert_string_equal(media_type_of("a.jpg"), "image/jpeg");
    assert_string_equal(media_type_of("a.tif"), "image/tiff");
    assert_string_equal(media_type_of("a.csv"), "text/csv");
    assert_string_equal(media_type_of("atif"), "application/octet-stream");
}

static void every_destination_is_whole(void **state)
{
    size_t count = 0;

    (void)state;
    for (const DestinationType *const *type = destination_types; *type; type++, count++) {
        assert_true((*type)->name && (*type)->title &&
                    ((*type)->site || ((*type)->deliver && (*type)->test)));
        assert_true((*type)->settings_size > 0);
        assert_ptr_equal(destination_find((*type)->name), *type);
        for (const Field *field = (*type)->fields; field->name; field++)
            assert_true(field->help && text_ends_with(field->help, "."));
        for (const Field *field = (*type)->options; field && field->name; field++)
            assert_true(field->help && text_ends_with(field->help, "."));
        assert_true(!(*type)->site || (*type)->options_size >= sizeof(SiteOptions));
        assert_true(!(*type)->open == !(*type)->close);
    }
    assert_true(count >= 1);
    assert_non_null(destination_find(TESTED_KIND));
    assert_null(destination_find("carrier-pigeon"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_destination_is_whole),
        cmocka_unit_test(media_types_follow_names),
        cmocka_unit_test_setup_teardown(a_document_appears_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(taken_names_are_numbered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_lost_in_a_race_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repeated_delivery_is_done_already, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reserved_name_that_is_free_or_foreign, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stop_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_folders_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_documents_are_not_delivered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_planted_link_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sub_folders_are_made_and_number_for_themselves, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_taken_name_is_overwritten_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_found_with_few_looks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_test_leaves_nothing_and_tells_its_stages, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_failing_call_is_survived, set_up, tear_down),
    };
    const struct CMUnitTest of_folder[] = {
        cmocka_unit_test_setup_teardown(a_job_has_folders_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accounts_and_modes_are_checked, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (destination_find("folder"))
        failed += cmocka_run_group_tests(of_folder, NULL, NULL);
    return failed;
}
