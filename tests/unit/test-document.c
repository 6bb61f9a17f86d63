/* tests/unit/test-document.c - PDF writer, plan, index file, file formats. */
#include "base/cleanup.h"
#include "base/text.h"
#include "document/format.h"
#include "document/index-csv.h"
#include "document/pdf.h"
#include "document/plan.h"
#include "tests/unit/cm.h"
#include "tests/unit/jpeg-maker.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PDF_MAX = 8 << 20 };

/* 2026-11-22 09:15:30 UTC */
static const Wall started = { 1795338930000 };

static int file_of(Bytes bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
    return fd;
}

static void read_back(int fd, Buf *out)
{
    off_t n = lseek(fd, 0, SEEK_END);

    buf_clear(out);
    uint8_t *to = buf_reserve(out, (size_t)n);
    assert_non_null(to);
    assert_int_equal(pread(fd, to, (size_t)n, 0), n);
    out->n = (size_t)n;
}

/* A document of `count` copies of a picture, in out. */
static void make_pdf(const JpegRecipe *recipe, uint32_t count, const char *title, Buf *out)
{
    AUTO_BUF jpeg = buf_with_max(PDF_MAX);
    PdfPage page = { .scan_dpi = 200, .quality = 85, .identity = bytes_of_text("page") };
    Err err = { 0 };

    jpeg_make(recipe, &jpeg);
    AUTO_FD page_fd = file_of(buf_bytes(&jpeg));
    page.fd = page_fd;
    page.size_bytes = (int64_t)jpeg.n;
    assert_true(picture_read(page_fd, page.size_bytes, PICTURE_JPEG, &(PictureView){ 0 }, NULL,
                             &page.picture, &err));
    AUTO_FD out_fd = memfd_create("pdf", MFD_CLOEXEC);
    AUTO(PdfWriter)
    pdf = pdf_new(out_fd, &(PdfInfo){ .title = title, .created = started, .utc_offset_min = -90 },
                  &err);
    assert_non_null(pdf);
    for (uint32_t i = 0; i < count; i++)
        assert_true(pdf_add_page(pdf, &page, &err));
    assert_true(pdf_finish(pdf, &err));
    read_back(out_fd, out);
}

static const char *find(const Buf *pdf, const char *text)
{
    return memmem(pdf->p, pdf->n, text, strlen(text));
}

/* Every entry of the cross-reference table leads to its object. Returns the number of objects. */
static uint32_t check_xref(Buf *pdf)
{
    const char *text = buf_text(pdf);
    const char *last = find(pdf, "startxref\n");
    unsigned long long xref = 0, offset = 0;
    unsigned size = 0;

    assert_non_null(last);
    assert_int_equal(sscanf(last, "startxref\n%llu\n%%%%EOF\n", &xref), 1);
    assert_int_equal(sscanf(text + xref, "xref\n0 %u\n0000000000 65535 f \n", &size), 1);
    const char *entry = strstr(text + xref, "f \n") + 3;
    for (unsigned i = 1; i < size; i++, entry += 20) {
        char expected[24];

        assert_int_equal(sscanf(entry, "%10llu 00000 n \n", &offset), 1);
        (void)text_printf(expected, sizeof expected, "%u 0 obj\n", i);
        assert_true(offset < xref);
        assert_memory_equal(text + offset, expected, strlen(expected));
    }
    assert_true(text_starts_with(entry, "trailer"));
    return size - 1;
}

static void a_page_becomes_a_pdf_untouched(void **state)
{
    AUTO_BUF pdf = buf_with_max(PDF_MAX), jpeg = buf_with_max(PDF_MAX);
    const JpegRecipe recipe = { 248, 351, 3, 30, false, 1 };

    (void)state;
    make_pdf(&recipe, 1, "R\xc3\xa9sum\xc3\xa9 \xf0\x9f\x98\x80", &pdf);
    jpeg_make(&recipe, &jpeg);
    assert_non_null(memmem(pdf.p, pdf.n, jpeg.p, jpeg.n));
    assert_int_equal(check_xref(&pdf), 6);
    assert_non_null(find(&pdf, "/MediaBox[0 0 595.200 842.400]"));
    assert_non_null(find(&pdf, "q 595.200 0 0 842.400 0 0 cm/I Do Q"));
    assert_non_null(find(&pdf, "/ColorSpace/DeviceRGB"));
    assert_non_null(find(&pdf, "/Title<FEFF005200E900730075006D00E90020D83DDE00>"));
    assert_non_null(find(&pdf, "/CreationDate(D:20261122074530-01'30')"));
    assert_null(find(&pdf, "/UserUnit"));
}

static void the_same_pages_give_the_same_bytes(void **state)
{
    AUTO_BUF one = buf_with_max(PDF_MAX), two = buf_with_max(PDF_MAX),
             three = buf_with_max(PDF_MAX);
    const JpegRecipe recipe = { 16, 16, 1, 300, false, 0 };

    (void)state;
    make_pdf(&recipe, 3, "", &one);
    make_pdf(&recipe, 3, "", &two);
    assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    make_pdf(&recipe, 4, "", &three);
    assert_memory_not_equal(find(&one, "/ID["), find(&three, "/ID["), 36);
}

static void colour_spaces_follow_the_picture(void **state)
{
    static const struct {
        JpegRecipe recipe;
        const char *text;
    } cases[] = {
        { { 16, 16, 1, 300, false, 0 }, "/ColorSpace/DeviceGray" },
        { { 16, 16, 4, 300, false, 0 }, "/Decode[1 0 1 0 1 0 1 0]" },
        { { 400, 200, 4, 0, false, 0 }, "/MediaBox[0 0 144.000 72.000]" }, /* the scan's 200 dpi */
        { { 24, 60000, 1, 72, false, 0 }, "/MediaBox[0 0 4.800 12000.000]" },
        { { 24, 60000, 1, 72, false, 0 }, "/UserUnit 5" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF pdf = buf_with_max(PDF_MAX);

        make_pdf(&cases[i].recipe, 1, "", &pdf);
        if (!find(&pdf, cases[i].text))
            fail_msg("case %zu: no %s", i, cases[i].text);
        (void)check_xref(&pdf);
    }
}

/* Around the sizes where a node of the page tree is full; 32 * 32 opens a third level. */
static void page_trees_grow_in_levels(void **state)
{
    static const struct {
        uint32_t pages, nodes;
    } cases[] = { { 32, 1 }, { 33, 3 }, { 64, 3 }, { 1024, 33 }, { 1025, 33 + 1 + 1 + 1 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF pdf = buf_with_max(PDF_MAX);
        char count[40];

        make_pdf(&(JpegRecipe){ 8, 8, 1, 72, false, 0 }, cases[i].pages, "", &pdf);
        assert_int_equal(check_xref(&pdf), cases[i].pages * 3 + cases[i].nodes + 2);
        (void)text_printf(count, sizeof count, "<</Type/Pages/Count %u/Kids[", cases[i].pages);
        assert_non_null(find(&pdf, count)); /* the root: no parent, all pages */
    }
}

static void wrong_pages_are_refused(void **state)
{
    AUTO_FD out_fd = memfd_create("pdf", MFD_CLOEXEC);
    Err err = { 0 };
    AUTO(PdfWriter) pdf = pdf_new(out_fd, &(PdfInfo){ .title = "" }, &err);
    PdfPage page = { .fd = out_fd, .scan_dpi = 300 };

    (void)state;
    assert_false(pdf_finish(pdf, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    assert_false(pdf_add_page(pdf, &page, &err));
    assert_int_equal(err.kind, ERR_BUG);
    page.picture = (Picture){
        .width_px = 1, .height_px = 1, .file_w_px = 1, .file_h_px = 1, .components = 1
    };
    page.scan_dpi = 1;
    assert_false(pdf_add_page(pdf, &page, &err));
    page.scan_dpi = 300;
    page.size_bytes = 10000000000;
    assert_false(pdf_add_page(pdf, &page, &err));
    assert_string_equal(err.text, "PDF would be larger than 10 GB");
    page.size_bytes = 5; /* the file is shorter */
    AUTO_FD empty = memfd_create("empty", MFD_CLOEXEC);
    page.fd = empty;
    assert_false(pdf_add_page(pdf, &page, &err));
    assert_non_null(strstr(err.text, "shorter"));
}

/* --- plan ----------------------------------------------------------------------------------------- */

static Job job_of(FileFormat format, const char *pattern)
{
    Job job = { .name = "Invoices", .file_format = format, .index = INDEX_FORMAT_CSV };

    (void)text_copy(job.file_name, sizeof job.file_name, pattern);
    return job;
}

static const PageKey three_pages[] = { { 3, 'A', 0 }, { 1, 'A', 0 }, { 2, 'B', 0 } };

static PlanInput input_of(const Job *job)
{
    return (PlanInput){ .job = job,
                        .device = "WF-1",
                        .started = started,
                        .utc_offset_min = 60,
                        .pages = three_pages,
                        .page_count = COUNT_OF(three_pages) };
}

static void a_pdf_has_all_pages_in_order(void **state)
{
    Job job = job_of(FILE_FORMAT_PDF, "{date}_{time}_{seq:3}");
    PlanInput input = input_of(&job);
    Err err = { 0 };
    AUTO(Plan) plan = plan_make(&input, &err);

    (void)state;
    assert_non_null(plan);
    assert_int_equal(plan->document_count, 1);
    assert_int_equal(plan->documents[0].count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(plan->pages[i].number, i + 1);
    assert_int_equal(plan->pages[1].side, 'B');
    assert_string_equal(plan->documents[0].name, "20261122_101530_{seq:3}");
    assert_string_equal(plan->extension, "pdf");
    assert_true(plan->has_index);
    assert_string_equal(plan->index_name, "20261122_101530_{seq:3}");
}

static void jpegs_are_one_document_per_page(void **state)
{
    static const struct {
        const char *pattern, *names[3];
    } cases[] = {
        { "{job}", { "Invoices", "Invoices_2", "Invoices_3" } },
        { "{job}-{doc}", { "Invoices-1", "Invoices-2", "Invoices-3" } },
        { "x{seq:4}{pages}", { "x{seq:4}1", "x{seq:4}1", "x{seq:4}1" } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Job job = job_of(FILE_FORMAT_JPEG, cases[i].pattern);
        PlanInput input = input_of(&job);
        Err err = { 0 };
        AUTO(Plan) plan = plan_make(&input, &err);

        assert_non_null(plan);
        assert_int_equal(plan->document_count, 3);
        for (uint32_t d = 0; d < 3; d++) {
            assert_string_equal(plan->documents[d].name, cases[i].names[d]);
            assert_int_equal(plan->documents[d].first, d);
            assert_int_equal(plan->documents[d].count, 1);
        }
        assert_string_equal(plan->extension, "jpg");
    }
}

/* Sheets in reverse, sides as they lie; a page that is not there leaves the others in place. */
static void a_feeder_may_deliver_the_last_sheet_first(void **state)
{
    static const struct {
        const char *came, *planned; /* number and side of each page */
    } cases[] = {
        { "1A2A3A", "3A2A1A" },
        { "1A2B3A4B5A6B", "5A6B3A4B1A2B" },
        { "1A", "1A" },
        { "1A2B", "1A2B" },
        { "1A4B5A6B", "5A6B4B1A" },
        { "2B3A4B", "3A4B2B" },
        { "1A2B3A5A6B", "5A6B3A1A2B" },
        { "1A2B3B4A", "4A3B1A2B" },
    };
    Job job = job_of(FILE_FORMAT_PDF, "{job}");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        PageKey pages[8] = { 0 };
        PlanInput input = input_of(&job);
        Err err = { 0 };
        char planned[20] = "";

        input.pages = pages;
        input.last_first = true;
        for (input.page_count = 0; cases[i].came[2 * input.page_count]; input.page_count++)
            pages[input.page_count] = (PageKey){
                .number = (uint32_t)(cases[i].came[2 * input.page_count] - '0'),
                .side = cases[i].came[2 * input.page_count + 1]
            };
        AUTO(Plan) plan = plan_make(&input, &err);
        assert_non_null(plan);
        for (size_t p = 0; p < plan->page_count; p++) {
            planned[2 * p] = (char)('0' + plan->pages[p].number);
            planned[2 * p + 1] = plan->pages[p].side;
        }
        assert_string_equal(planned, cases[i].planned);
    }
}

static void impossible_batches_are_named(void **state)
{
    static const PageKey twice[] = { { 2, 'A', 0 }, { 1, 'A', 0 }, { 2, 'B', 0 } },
                         zero[] = { { 0, 'A', 0 } };
    Job job = job_of(FILE_FORMAT_PDF, "{jub}");
    PlanInput input = input_of(&job);
    Err err = { 0 };

    (void)state;
    assert_null(plan_make(&input, &err));
    assert_string_equal(err.field, "file_name");
    assert_string_equal(err.remedy, "Did you mean {job}?");
    input.pages = twice;
    assert_null(plan_make(&input, &err));
    assert_string_equal(err.text, "page 2 is there twice");
    input.pages = zero;
    input.page_count = 1;
    assert_null(plan_make(&input, &err));
    assert_string_equal(err.text, "page 0 is not a page number");
    input.page_count = 0;
    assert_null(plan_make(&input, &err));
    job.file_format = FILE_FORMAT_MAX_;
    assert_null(plan_make(&input, &err));
    assert_int_equal(err.kind, ERR_BUG);
}

/* --- index and formats ---------------------------------------------------------------------------- */

static void the_index_is_a_csv_file(void **state)
{
    AUTO_BUF out = buf_with_max(4096);
    IndexBatch batch = {
        .job = "Bills, \"paid\"", .device = "=cmd()", .started = started, .utc_offset_min = 60
    };

    (void)state;
    assert_true(index_csv_begin(&out));
    assert_true(index_csv_row(&out, &batch, &(IndexRow){ "a_001.pdf", 3, 12345, "abcd" }));
    batch.job = "-x";
    batch.device = "a\nb";
    assert_true(index_csv_row(&out, &batch, &(IndexRow){ "+1.pdf", 1, 9, "" }));
    assert_string_equal(
        buf_text(&out),
        "file_name,job,date,time,device,pages,size_bytes,sha256\r\n"
        "a_001.pdf,\"Bills, \"\"paid\"\"\",2026-11-22,10:15:30,'=cmd(),3,12345,abcd\r\n"
        "'+1.pdf,'-x,2026-11-22,10:15:30,\"a\nb\",1,9,\r\n");
    AUTO_BUF small = buf_with_max(20);
    assert_false(index_csv_row(&small, &batch, &(IndexRow){ "a", 1, 9, "" }));
}

static void every_format_is_whole(void **state)
{
    size_t count = 0;

    (void)state;
    for (const FormatType *const *type = format_types; *type; type++, count++) {
        Err err = { 0 };

        assert_true((*type)->name && (*type)->title && (*type)->media_type && (*type)->extension);
        assert_true((*type)->begin && (*type)->page && (*type)->finish && (*type)->free_writer);
        assert_ptr_equal(format_find((*type)->name), *type); /* names are unique */
        /* A document without pages is refused by every format. */
        AUTO_FD fd = memfd_create("out", MFD_CLOEXEC);
        void *writer = (*type)->begin(fd, &(FormatInfo){ .title = "" }, &err);
        assert_non_null(writer);
        assert_false((*type)->finish(writer, &err));
        (*type)->free_writer(writer);
        (*type)->free_writer(NULL);
    }
    assert_null(format_find("docx"));
    for (size_t i = 0; i < FILE_FORMAT_MAX_; i++)
        assert_non_null(format_find(file_format_words[i]));
    assert_int_equal(count, FILE_FORMAT_MAX_);
}

static void a_jpeg_file_is_one_page(void **state)
{
    const FormatType *format = format_find("jpeg");
    AUTO_BUF out = buf_with_max(4096);
    AUTO_FD in = file_of(bytes_of_text("whatever it holds"));
    AUTO_FD fd = memfd_create("out", MFD_CLOEXEC);
    FormatPage page = { .fd = in, .size_bytes = 17 };
    Err err = { 0 };

    (void)state;
    void *writer = format->begin(fd, &(FormatInfo){ .title = "" }, &err);
    assert_true(format->page(writer, &page, &err));
    assert_true(format->finish(writer, &err));
    assert_false(format->page(writer, &page, &err));
    format->free_writer(writer);
    read_back(fd, &out);
    assert_string_equal(buf_text(&out), "whatever it holds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_becomes_a_pdf_untouched),
        cmocka_unit_test(the_same_pages_give_the_same_bytes),
        cmocka_unit_test(colour_spaces_follow_the_picture),
        cmocka_unit_test(page_trees_grow_in_levels),
        cmocka_unit_test(wrong_pages_are_refused),
        cmocka_unit_test(a_pdf_has_all_pages_in_order),
        cmocka_unit_test(jpegs_are_one_document_per_page),
        cmocka_unit_test(a_feeder_may_deliver_the_last_sheet_first),
        cmocka_unit_test(impossible_batches_are_named),
        cmocka_unit_test(the_index_is_a_csv_file),
        cmocka_unit_test(every_format_is_whole),
        cmocka_unit_test(a_jpeg_file_is_one_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
