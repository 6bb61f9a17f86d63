/* tests/unit/test-fsck.c - spool and database are settled with each other, and nothing is lost. */
#include "store/fsck.h"
#include "tests/unit/spool-fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

typedef struct Scanned {
    World world;
    Batch batch;
    char spool[128], folder[256];
    Page pages[3];
} Scanned;

/* A batch of three pages in the spool; `rows` of them in the database. */
static void scan(Fixture *f, Scanned *s, uint32_t rows)
{
    Waited w;

    world_make(f, &s->world);
    s->batch = world_batch(&s->world);
    (void)text_printf(s->spool, sizeof s->spool, "%s/spool", f->folder);
    (void)text_printf(s->folder, sizeof s->folder, "%s/%s", s->spool, s->batch.folder);
    Spool *spool = spool_open(s->spool, 1, 0, &f->err);
    SpoolBatch *handle = spool_batch_opened(spool, &s->batch, &s->world.device, &w);
    assert_write(f, batch_insert(tx, &s->batch, &f->err));
    for (uint32_t i = 0; i < 3; i++) {
        PageNotes notes = { .scan_dpi = 300,
                            .rotation = i == 1 ? 180 : 0,
                            .crop_width_px = 5 * i,
                            .crop_height_px = 7 * i,
                            .last_first = i == 2 };
        assert_true(spool_page_noted(handle, i + 1, 'A', 1000 + i, &notes, &w));
        s->pages[i] = w.page;
        if (i < rows)
            assert_write(f, page_insert(tx, &s->pages[i], &f->err));
    }
    spool_batch_closed(handle, &w);
    spool_close(spool);
    assert_write(f, batch_apply(tx, &s->batch.id, BATCH_EVENT_BREAK, NULL, &f->err));
}

static void put_file(const char *folder, const char *name, const char *content)
{
    char path[512];

    (void)text_printf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static bool there(const char *folder, const char *name)
{
    char path[512];

    (void)text_printf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void drop_file(const char *folder, const char *name)
{
    char path[512];

    (void)text_printf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static void count_sentence(void *arg, const char *sentence)
{
    assert_true(text_starts_with(sentence, "batch "));
    ++*(int *)arg;
}

static FsckReport check(Fixture *f, const Scanned *s, bool quick, bool dry_run, int *ret_sentences)
{
    FsckReport report;

    *ret_sentences = 0;
    assert_read(f, store_fsck(f->store, s->spool, quick, dry_run, count_sentence, ret_sentences,
                              &report, &f->err));
    return report;
}

static Page page_of(Fixture *f, const Scanned *s, uint32_t number)
{
    Page page;

    assert_read(f, page_get(fixture_db(f), &s->batch.id, number, &page, &f->err));
    return page;
}

static void what_is_whole_gives_no_finding(void **state)
{
    Fixture *f = *state;
    Scanned s;
    int sentences;

    scan(f, &s, 3);
    FsckReport report = check(f, &s, false, false, &sentences);
    assert_int_equal(sentences, 0);
    assert_int_equal(report.batches_checked, 1);
    assert_int_equal(report.pages_checked, 3);
}

static void a_page_without_row_gets_one(void **state)
{
    Fixture *f = *state;
    Scanned s;
    int sentences;

    scan(f, &s, 2);
    put_file(s.folder, "p0004a.jpg.part", "half");
    put_file(s.folder, "out/scan.pdf.new", "half");
    FsckReport report = check(f, &s, true, true, &sentences);
    assert_int_equal(report.pages_added, 1);
    assert_int_equal(report.parts_removed, 2);
    assert_int_equal(sentences, 3);
    assert_true(there(s.folder, "p0004a.jpg.part")); /* a dry run changes nothing */
    report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.pages_added, 1);
    assert_false(there(s.folder, "p0004a.jpg.part") || there(s.folder, "out/scan.pdf.new"));
    assert_string_equal(page_of(f, &s, 3).sha256, s.pages[2].sha256);
    assert_int_equal(page_of(f, &s, 3).notes.scan_dpi, 300);
    assert_int_equal(page_of(f, &s, 3).stored_at.ms, s.pages[2].stored_at.ms);
    report = check(f, &s, true, false, &sentences);
    assert_int_equal(sentences, 0);
}

static void missing_and_damaged_pages_are_marked(void **state)
{
    Fixture *f = *state;
    Scanned s;
    int sentences;

    scan(f, &s, 3);
    drop_file(s.folder, "p0001a.jpg");
    put_file(s.folder, "p0002a.jpg", "shorter");
    char same_size[1003];
    memset(same_size, 'x', 1002);
    same_size[1002] = '\0';
    put_file(s.folder, "p0003a.jpg", same_size);
    FsckReport report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.pages_missing, 1);
    assert_int_equal(report.pages_damaged, 1); /* quick looks at sizes only */
    assert_int_equal(page_of(f, &s, 1).state, PAGE_DAMAGED);
    assert_non_null(strstr(page_of(f, &s, 1).warning, "missing"));
    report = check(f, &s, false, false, &sentences);
    assert_int_equal(report.pages_damaged, 2);
    assert_int_equal(page_of(f, &s, 3).state, PAGE_STORED);
    assert_true(page_of(f, &s, 3).warning[0] != '\0');
}

static void a_lost_folder_is_noticed(void **state)
{
    Fixture *f = *state;
    Scanned s;
    int sentences;

    scan(f, &s, 3);
    folder_remove(s.folder);
    FsckReport report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.pages_missing, 3);
    assert_int_equal(report.batches_gone, 1);
    assert_int_equal(page_of(f, &s, 2).state, PAGE_DAMAGED);
    report = check(f, &s, false, false, &sentences);
    assert_int_equal(sentences, 0); /* once is enough */
}

static void lose_database(Fixture *f)
{
    fixture_close(f);
    drop_file(f->folder, "platen.db");
    fixture_open(f);
}

static void a_lost_database_is_rebuilt(void **state)
{
    Fixture *f = *state;
    Scanned s;
    Batch batch;
    int sentences;

    scan(f, &s, 3);
    lose_database(f);
    FsckReport report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.batches_rebuilt, 1);
    assert_int_equal(report.pages_added, 3);
    assert_read(f, batch_get(fixture_db(f), &s.batch.id, &batch, &f->err));
    assert_int_equal(batch.state, BATCH_BROKEN);
    assert_string_equal(batch.reason.code, "rebuilt");
    assert_string_equal(batch.job.name, "Letters");
    assert_string_equal(batch.job.destinations[0].destination, s.world.destination.id.text);
    assert_string_equal(batch.device_name, "Front desk");
    assert_string_equal(batch.folder, s.batch.folder);
    assert_int_equal(batch.started_at.ms, s.batch.started_at.ms);
    assert_int_equal(batch.page_count, 3);
    assert_string_equal(page_of(f, &s, 2).sha256, s.pages[1].sha256);
    assert_int_equal(page_of(f, &s, 2).notes.rotation, 180);
    assert_int_equal(page_of(f, &s, 2).notes.crop_width_px, 5);
    assert_int_equal(page_of(f, &s, 2).notes.crop_height_px, 7);
    assert_int_equal(page_of(f, &s, 1).notes.rotation, 0);
    assert_true(batch.pages_reversed);
    assert_write(f, batch_apply(tx, &s.batch.id, BATCH_EVENT_DELIVER, NULL, &f->err));
}

static void torn_lines_cost_only_the_resolution(void **state)
{
    Fixture *f = *state;
    char path[512];
    Scanned s;
    int sentences;

    scan(f, &s, 3);
    (void)text_printf(path, sizeof path, "%s/batch.json", s.folder);
    FILE *file = fopen(path, "r+");
    char line[4096];
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(ftruncate(fileno(file), ftell(file) + 20), 0);
    fclose(file);
    lose_database(f);
    FsckReport report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.pages_added, 3);
    assert_string_equal(page_of(f, &s, 1).sha256, s.pages[0].sha256);
    assert_int_equal(page_of(f, &s, 1).stored_at.ms, s.batch.started_at.ms);
}

static void what_cannot_be_explained_is_left(void **state)
{
    Fixture *f = *state;
    Scanned s;
    int sentences;

    scan(f, &s, 0);
    put_file(s.folder, "batch.json", "not ours\n");
    lose_database(f);
    FsckReport report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.batches_left, 1);
    assert_true(there(s.folder, "p0001a.jpg"));
    put_file(s.folder, "batch.json", "");
    report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.batches_left, 1);

    /* Without a page and a row there is nothing to keep. */
    for (int i = 1; i <= 3; i++) {
        char name[32];
        page_file_name((uint32_t)i, 'A', PAGE_FORMAT_JPEG, name);
        drop_file(s.folder, name);
    }
    report = check(f, &s, true, true, &sentences);
    assert_true(there(s.folder, "out"));
    report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.folders_removed, 1);
    assert_false(there(s.folder, "out"));

    /* What is not ours has no batch, and is not taken for one. */
    assert_int_equal(mkdir(s.folder, 0755), 0);
    put_file(s.folder, "notes.txt", "x");
    report = check(f, &s, true, false, &sentences);
    assert_int_equal(sentences, 0);
    assert_true(there(s.folder, "notes.txt"));
}

static void other_files_are_not_touched(void **state)
{
    Fixture *f = *state;
    static const char *const names[] = { "p001a.jpg",   "p0001c.jpg", "p0001a.jpeg", "pxa.jpg",
                                         "p00001a.jpg", "p0000a.jpg", "notes.txt",   "t0001a.jpg" };
    Scanned s;
    int sentences;

    scan(f, &s, 3);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        put_file(s.folder, names[i], "x");
    put_file(s.spool, "readme", "x");
    (void)check(f, &s, false, false, &sentences);
    assert_int_equal(sentences, 0);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_true(there(s.folder, names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_whole_gives_no_finding),
        STORE_TEST(a_page_without_row_gets_one),
        STORE_TEST(missing_and_damaged_pages_are_marked),
        STORE_TEST(a_lost_folder_is_noticed),
        STORE_TEST(a_lost_database_is_rebuilt),
        STORE_TEST(torn_lines_cost_only_the_resolution),
        STORE_TEST(what_cannot_be_explained_is_left),
        STORE_TEST(other_files_are_not_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
