/* destination/email-parts.c - a document that is too large for one mail goes as several, split by its pages. */
#include "destination/email-inside.h"

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "destination/pdf-parts.h"

#include <string.h>

enum { FILE_BYTES_PER_LINE = MAIL_LINE_BYTES, MAIL_BYTES_PER_LINE = 78, HEAD_SPARE_BYTES = 64 };

typedef struct Split {
    const Errand *errand;
    PdfParts *parts;
    PdfPart list[PDF_PARTS_MAX];
    size_t count;
    MailMark mark;
} Split;

/* "scan.pdf" -> "scan_part2of3.pdf" */
static void part_name(const char *whole, size_t number, size_t count,
                      char ret[FILE_NAME_BYTES_MAX + 1])
{
    const char *dot = strrchr(whole, '.');
    char tail[64];
    size_t stem = dot ? (size_t)(dot - whole) : strlen(whole);

    (void)text_printf(tail, sizeof tail, "_part%zuof%zu%s", number, count, dot ? dot : "");
    if (stem + strlen(tail) > FILE_NAME_BYTES_MAX)
        stem = FILE_NAME_BYTES_MAX - strlen(tail);
    while (stem > 0 && ((uint8_t)whole[stem] & 0xc0) == 0x80)
        stem--; /* not in the middle of a character */
    (void)text_copy_bytes(ret, FILE_NAME_BYTES_MAX + 1, (Bytes){ (const uint8_t *)whole, stem });
    (void)text_copy(ret + stem, FILE_NAME_BYTES_MAX + 1 - stem, tail);
}

static bool no_part(const Errand *errand, const Err *err)
{
    return delivery_failed(errand->result,
                           err->kind == ERR_TEMPORARY ? DELIVERY_CLASS_RETRY : DELIVERY_CLASS_FATAL,
                           "send", 0,
                           "Scan with less dpi, raise size_limit_mb of the job, or let the job "
                           "deliver to a folder.",
                           "the document cannot be split: %s", err->text);
}

/* One mail. True: it was accepted. */
static bool send_part(Split *split, size_t i)
{
    const PdfPart *pages = &split->list[i];
    const MailPart part = { i + 1, split->count, pages->first_page };
    Parcel parcel = *split->errand->parcel;
    Errand errand = *split->errand;
    char name[FILE_NAME_BYTES_MAX + 1], sha256[SHA256_TEXT_SIZE];
    Err err;
    AUTO_FD fd = pdf_parts_make(split->parts, pages, &parcel.size_bytes, &err);

    if (fd < 0 || !file_hash(fd, sha256, &parcel.size_bytes, &err))
        return no_part(&errand, &err);
    part_name(parcel.name, part.number, part.count, name);
    parcel.fd = fd;
    parcel.name = name;
    parcel.sha256 = sha256;
    errand.parcel = &parcel;
    AUTO(Mail) mail = mail_new(&errand, true, &part);
    if (!mail)
        return false;
    mail->again = split->mark.kind == MAIL_MARK_SENT && split->mark.page == pages->first_page;
    email_send(&errand, mail);
    return errand.result->class == DELIVERY_CLASS_OK;
}

/* All are accepted; what is said of the last one stays. */
static void tell_parts(const Split *split)
{
    DeliveryResult *result = split->errand->result;
    char last[sizeof result->text];

    (void)text_copy(last, sizeof last, result->text);
    (void)errand_done(split->errand, "send", split->errand->parcel->name);
    (void)text_printf(result->text, sizeof result->text, "as %zu mails, the last: %.150s",
                      split->count, last);
}

static bool send_all(Split *split)
{
    for (size_t i = 0; i < split->count; i++) {
        const PdfPart *pages = &split->list[i];

        /* A part that holds the page where an earlier attempt with another limit stopped goes as a whole. */
        if (pages->first_page + pages->page_count <= split->mark.page)
            continue;
        if (!send_part(split, i))
            return false;
    }
    return true;
}

void email_send_parts(const Errand *errand, const Mail *whole, int64_t limit_bytes, MailMark mark)
{
    int64_t head_bytes = whole->size_bytes - mail_attached_bytes(errand->parcel->size_bytes) +
                         HEAD_SPARE_BYTES;
    int64_t lines = (limit_bytes - head_bytes) / MAIL_BYTES_PER_LINE - 1;
    Split *split = calloc(1, sizeof *split);
    Err err = { .kind = ERR_TEMPORARY, .text = "no memory" };

    if (split) {
        split->errand = errand;
        split->mark = mark;
        split->parts = pdf_parts_open(errand->parcel->fd, errand->parcel->size_bytes, &err);
    }
    if (!split || !split->parts ||
        !pdf_parts_plan(split->parts, lines * FILE_BYTES_PER_LINE, split->list, &split->count,
                        &err))
        (void)no_part(errand, &err);
    else if (send_all(split))
        tell_parts(split);
    if (split)
        pdf_parts_free(split->parts);
    free(split);
}
