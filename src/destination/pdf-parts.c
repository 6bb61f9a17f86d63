/* destination/pdf-parts.c - see pdf-parts.h. */
#include "destination/pdf-parts.h"

#include "base/bytes.h"
#include "base/text.h"

#include <qpdf/qpdf-c.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SPARE_PERCENT = 95 }; /* of the limit a guess goes for: pages differ */

struct PdfParts {
    void *bytes; /* the whole document, mapped */
    size_t size;
    qpdf_data pdf;
    uint32_t pages;
};

/* What qpdf says of its error. */
static bool broken(qpdf_data pdf, const char *what, Err *err)
{
    qpdf_error error = qpdf_get_error(pdf);

    return err_set(err, ERR_BAD_INPUT, 0, "%s: %s", what,
                   error ? qpdf_get_error_full_text(pdf, error) : "no reason is told");
}

PdfParts *pdf_parts_open(int fd, int64_t size_bytes, Err *err)
{
    AUTO(PdfParts) parts = calloc(1, sizeof *parts);

    if (!parts || size_bytes <= 0) {
        err_set(err, parts ? ERR_BAD_INPUT : ERR_TEMPORARY, 0, parts ? "it is empty" : "no memory");
        return NULL;
    }
    parts->size = (size_t)size_bytes;
    parts->bytes = mmap(NULL, parts->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (parts->bytes == MAP_FAILED) {
        parts->bytes = NULL;
        err_set(err, ERR_TEMPORARY, 0, "it cannot be mapped into memory");
        return NULL;
    }
    parts->pdf = qpdf_init();
    qpdf_silence_errors(parts->pdf);
    qpdf_set_suppress_warnings(parts->pdf, QPDF_TRUE);
    if (qpdf_read_memory(parts->pdf, "document", parts->bytes, parts->size, NULL) & QPDF_ERRORS) {
        broken(parts->pdf, "it cannot be read", err);
        return NULL;
    }
    int pages = qpdf_get_num_pages(parts->pdf);
    if (pages < 1) {
        err_set(err, ERR_BAD_INPUT, 0, "it has no pages");
        return NULL;
    }
    parts->pages = (uint32_t)pages;
    return STEAL(parts);
}

void pdf_parts_free(PdfParts *parts)
{
    if (!parts)
        return;
    if (parts->pdf)
        qpdf_cleanup(&parts->pdf);
    if (parts->bytes)
        munmap(parts->bytes, parts->size);
    free(parts);
}

/* The pages as a new PDF in *to, which the caller cleans up. */
static bool copy_pages(PdfParts *parts, const PdfPart *part, qpdf_data to, Err *err)
{
    bool ok = !(qpdf_empty_pdf(to) & QPDF_ERRORS);

    for (uint32_t i = 0; ok && i < part->page_count; i++) {
        qpdf_oh page = qpdf_get_page_n(parts->pdf, part->first_page + i);

        ok = !(qpdf_add_page(to, parts->pdf, page, QPDF_FALSE) & QPDF_ERRORS);
        qpdf_oh_release(parts->pdf, page);
    }
    if (ok)
        ok = !(qpdf_init_write_memory(to) & QPDF_ERRORS);
    if (ok) {
        qpdf_set_deterministic_ID(to, QPDF_TRUE);
        qpdf_set_stream_data_mode(to, qpdf_s_preserve);
        ok = !(qpdf_write(to) & QPDF_ERRORS);
    }
    return ok || broken(to, "a part of it cannot be made", err);
}

static qpdf_data new_pdf(void)
{
    qpdf_data pdf = qpdf_init();

    qpdf_silence_errors(pdf);
    qpdf_set_suppress_warnings(pdf, QPDF_TRUE);
    return pdf;
}

static bool part_size(PdfParts *parts, const PdfPart *part, int64_t *ret_bytes, Err *err)
{
    qpdf_data pdf = new_pdf();
    bool ok = copy_pages(parts, part, pdf, err);

    *ret_bytes = ok ? (int64_t)qpdf_get_buffer_length(pdf) : 0;
    qpdf_cleanup(&pdf);
    return ok;
}

/* Makes part->page_count so small that the part is within the limit. */
static bool shrink(PdfParts *parts, int64_t limit_bytes, PdfPart *part, Err *err)
{
    int64_t bytes;

    for (;;) {
        if (!part_size(parts, part, &bytes, err))
            return false;
        if (bytes <= limit_bytes)
            return true;
        if (part->page_count == 1)
            return err_set(err, ERR_PERMANENT, 0, "its page %u alone has %lld bytes",
                           part->first_page + 1, (long long)bytes);
        int64_t fit = (int64_t)part->page_count * limit_bytes / bytes * SPARE_PERCENT / 100;

        if (fit >= (int64_t)part->page_count)
            fit = (int64_t)part->page_count - 1;
        part->page_count = fit < 1 ? 1 : (uint32_t)fit;
    }
}

bool pdf_parts_plan(PdfParts *parts, int64_t limit_bytes, PdfPart ret_list[PDF_PARTS_MAX],
                    size_t *ret_count, Err *err)
{
    int64_t page_bytes = (int64_t)parts->size / parts->pages + 1;
    int64_t guess = limit_bytes * SPARE_PERCENT / 100 / page_bytes;

    *ret_count = 0;
    for (uint32_t page = 0; page < parts->pages;) {
        int64_t left = (int64_t)parts->pages - page;
        PdfPart part = { page, (uint32_t)(guess < 1 ? 1 : guess < left ? guess : left) };

        if (*ret_count == PDF_PARTS_MAX)
            return err_set(err, ERR_PERMANENT, 0, "it needs more than %d mails", PDF_PARTS_MAX);
        if (!shrink(parts, limit_bytes, &part, err))
            return false;
        ret_list[(*ret_count)++] = part;
        page += part.page_count;
    }
    return true;
}

/* Writes all bytes into a file that has no name. */
static int file_of(Bytes bytes, Err *err)
{
    AUTO_FD fd = memfd_create("part", MFD_CLOEXEC);

    while (fd >= 0 && bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n <= 0)
            break;
        bytes = bytes_after(bytes, (size_t)n);
    }
    if (fd >= 0 && bytes.n == 0)
        return STEAL_FD(fd);
    err_set(err, ERR_TEMPORARY, 0, "no memory for a part of it");
    return -1;
}

int pdf_parts_make(PdfParts *parts, const PdfPart *part, int64_t *ret_size_bytes, Err *err)
{
    qpdf_data pdf = new_pdf();
    int fd = -1;

    if (copy_pages(parts, part, pdf, err)) {
        *ret_size_bytes = (int64_t)qpdf_get_buffer_length(pdf);
        fd = file_of((Bytes){ qpdf_get_buffer(pdf), (size_t)*ret_size_bytes }, err);
    }
    qpdf_cleanup(&pdf);
    return fd;
}
