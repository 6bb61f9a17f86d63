/* destination/form.c - see form.h. */
#include "destination/form.h"

#include "base/text.h"

enum { FORM_BYTES_MAX = 65536 }; /* of what is around the file */

/* No file holds the boundary: it would have to hold its own hash. */
void form_start(Form *form, const Errand *errand)
{
    *form = (Form){ .before = buf_with_max(FORM_BYTES_MAX), .after = buf_with_max(FORM_BYTES_MAX) };
    (void)text_printf(form->boundary, sizeof form->boundary, "platen-%.48s",
                      errand->parcel->sha256);
}

void form_done(Form *form)
{
    buf_done(&form->before);
    buf_done(&form->after);
}

/* A name as browsers write it (HTML, "multipart/form-data encoding algorithm"). */
static void put_quoted(Buf *out, const char *name)
{
    (void)buf_put_u8(out, '"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\r' || *name == '\n')
            (void)buf_printf(out, "%%%02X", (unsigned)*name);
        else
            (void)buf_put_u8(out, (uint8_t)*name);
    }
    (void)buf_put_u8(out, '"');
}

static void put_boundary(Form *form)
{
    (void)buf_printf(&form->before, "%s--%s\r\n", form->before.n > 0 ? "\r\n" : "", form->boundary);
}

void form_part(Form *form, const char *name, const char *media_type)
{
    put_boundary(form);
    (void)buf_put_text(&form->before, "Content-Disposition: form-data; name=");
    put_quoted(&form->before, name);
    if (media_type)
        (void)buf_printf(&form->before, "\r\nContent-Type: %s", media_type);
    (void)buf_put_text(&form->before, "\r\n\r\n");
}

void form_text(Form *form, const char *name, const char *media_type, const char *text)
{
    form_part(form, name, media_type);
    (void)buf_put_text(&form->before, text);
}

bool form_file(Form *form, const Errand *errand, const char *name, const char *stage)
{
    const char *file_name = errand->parcel->name;

    put_boundary(form);
    (void)buf_put_text(&form->before, "Content-Disposition: form-data; name=");
    put_quoted(&form->before, name);
    (void)buf_put_text(&form->before, "; filename=");
    put_quoted(&form->before, file_name);
    (void)buf_printf(&form->before, "\r\nContent-Type: %s\r\n\r\n", media_type_of(file_name));
    (void)buf_printf(&form->after, "\r\n--%s--\r\n", form->boundary);
    return (!form->before.failed && !form->after.failed) ||
           delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, stage, 0,
                           "Shorten what the job adds.", "the form becomes too large");
}

void form_send(const Form *form, Transfer *transfer, const Errand *errand)
{
    http_header(transfer, "Content-Type: multipart/form-data; boundary=%s", form->boundary);
    transfer_send(transfer, &(TransferBody){ .before = buf_bytes(&form->before),
                                             .n_bytes = errand->parcel->size_bytes,
                                             .after = buf_bytes(&form->after) });
}
