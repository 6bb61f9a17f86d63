/* destination/email-mail.c - a mail as settings, options and tokens make it. */
#include "destination/email-inside.h"

#include "base/text.h"
#include "base/time.h"

#include <stdlib.h>

void mail_free(Mail *mail)
{
    if (!mail)
        return;
    buf_done(&mail->subject);
    buf_done(&mail->body);
    buf_done(&mail->head);
    buf_done(&mail->tail);
    free(mail);
}
static bool add_list(Mail *mail, const char *list, const NameFacts *facts, size_t *ret_count,
                     Err *err)
{
    size_t before = mail->count;

    while (mail->count < RECIPIENTS_MAX &&
           mail_list_next(&list, facts, &mail->list[mail->count], err))
        mail->count++;
    if (mail->count == RECIPIENTS_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "more than %d recipients", RECIPIENTS_MAX - 1);
    *ret_count = mail->count - before;
    return err->kind == ERR_NONE;
}

static bool wrong_options(const Errand *errand, const char *what, const Err *err)
{
    return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                           err->remedy[0] ? err->remedy
                                          : "Correct the options of the destination in the job.",
                           "%s: %s", what, err->text);
}

bool email_sender(const Errand *errand, MailAddress *ret_from)
{
    const EmailSettings *s = errand->settings;
    Err err = { .kind = ERR_NONE };

    (void)text_copy(ret_from->address, sizeof ret_from->address, s->from);
    (void)text_copy(ret_from->name, sizeof ret_from->name, s->from_name);
    return mail_address_check(s->from, &err) || wrong_options(errand, "from", &err);
}

static bool read_recipients(const Errand *errand, Mail *mail)
{
    const EmailOptions *o = errand->options;
    const NameFacts *facts = &errand->parcel->facts;
    size_t bcc_count;
    Err err = { .kind = ERR_NONE };

    if (!add_list(mail, o->to, facts, &mail->to_count, &err))
        return wrong_options(errand, "to", &err);
    if (!add_list(mail, o->cc, facts, &mail->cc_count, &err))
        return wrong_options(errand, "cc", &err);
    if (!add_list(mail, o->bcc, facts, &bcc_count, &err))
        return wrong_options(errand, "bcc", &err);
    return mail->count > 0 || delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                                              "Give the job a recipient in to, cc or bcc.",
                                              "the mail has no recipient");
}

static bool read_texts(const Errand *errand, Mail *mail)
{
    const EmailOptions *o = errand->options;
    const NameFacts *facts = &errand->parcel->facts;
    Err err = { .kind = ERR_NONE };

    if (errand->parcel->text)
        return (buf_put_text(&mail->subject, errand->parcel->subject) &&
                buf_put_text(&mail->body, errand->parcel->text)) ||
               delivery_failed(errand->result, DELIVERY_CLASS_FATAL, "locate", 0,
                               "Report this as a bug.", "the notification is too long");
    if (!name_text_resolve(o->subject, facts, &mail->subject, &err))
        return wrong_options(errand, "subject", &err);
    return name_text_resolve(o->body, facts, &mail->body, &err) ||
           wrong_options(errand, "body", &err);
}

static bool write_message(const Errand *errand, Mail *mail, bool with_file, const MailPart *part)
{
    const Parcel *parcel = errand->parcel;

    (void)text_copy(mail->id, sizeof mail->id, parcel->delivery);
    if (part) {
        (void)text_printf(mail->id, sizeof mail->id, "%sp%zu", parcel->delivery, part->number);
        (void)buf_printf(&mail->subject, " (%zu/%zu)", part->number, part->count);
        mail->first_page = part->first_page;
    }

    mail->message = (MailMessage){ .id = mail->id,
                                   .from = &mail->from,
                                   .to = mail->list,
                                   .cc = mail->list + mail->to_count,
                                   .to_count = mail->to_count,
                                   .cc_count = mail->cc_count,
                                   .subject = buf_text(&mail->subject),
                                   .body = buf_text(&mail->body),
                                   .date = wall_now(),
                                   .utc_offset_min = parcel->facts.utc_offset_min,
                                   .file_name = with_file ? parcel->name : NULL,
                                   .media_type = media_type_of(parcel->name) };
    if (!mail_message_head(&mail->message, &mail->head) ||
        !mail_message_tail(&mail->message, &mail->tail))
        return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "locate", 0,
                               "Give the server more memory.", "no memory for a mail");
    mail->size_bytes = (int64_t)mail->head.n + (int64_t)mail->tail.n +
                       (with_file ? mail_attached_bytes(parcel->size_bytes) : 0);
    return true;
}

Mail *mail_new(const Errand *errand, bool with_file, const MailPart *part)
{
    AUTO(Mail) mail = calloc(1, sizeof *mail);

    if (!mail) {
        (void)delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "locate", 0,
                              "Give the server more memory.", "no memory for a mail");
        return NULL;
    }
    mail->subject = mail->body = buf_with_max(RESOLVED_MAX);
    mail->head = mail->tail = buf_with_max(MAIL_HEAD_BYTES_MAX);
    if (!email_sender(errand, &mail->from) || !read_recipients(errand, mail) ||
        !read_texts(errand, mail) || !write_message(errand, mail, with_file, part))
        return NULL;
    return STEAL(mail);
}
