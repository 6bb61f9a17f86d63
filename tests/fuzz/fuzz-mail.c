/* tests/fuzz/fuzz-mail.c - any bytes as lines of a mail server, and as a list of addresses, a name and a text of
 * a mail. Properties: words of a reply can be shown; an address that is taken has a right form; a mail is ASCII
 * in lines of CRLF, and its headers are ours. */
#include "base/text.h"
#include "destination/mail-message.h"
#include "destination/smtp-reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_SIZE = 2048 };

static void try_replies(Bytes in)
{
    SmtpReply reply = { .code = 0 };
    bool last;

    while (in.n > 0) {
        const uint8_t *end = memchr(in.p, '\n', in.n);
        size_t n = end ? (size_t)(end - in.p) + 1 : in.n;

        if (smtp_reply_add(&reply, (Bytes){ in.p, n }, &last)) {
            (void)smtp_reply_wants_login(&reply);
            for (unsigned step = 1; step <= SMTP_STEP_CONTENT; step *= 2)
                if (!smtp_reply_meaning(&reply, (SmtpStep)step, n % 2).cure)
                    abort();
        }
        if (text_has_control(reply.words) || !text_is_utf8(bytes_of_text(reply.words)))
            abort();
        in = bytes_after(in, n);
    }
}

static void try_list(const char *list)
{
    const NameFacts facts = { .job = list, .device = "a,b@c" };
    bool right;
    MailAddress address;
    Err err;

    right = mail_list_check(list, &err);
    while (mail_list_next(&list, &facts, &address, &err))
        if (!mail_address_check(address.address, &err) || text_has_control(address.name))
            abort();
    if (err.kind == ERR_NONE && !right)
        abort();
}

static void try_message(const char *text)
{
    MailAddress from = { .address = "a@b.example" };
    AUTO_BUF out = buf_with_max(MAIL_HEAD_BYTES_MAX);
    const MailMessage message = { .id = "1",
                                  .from = &from,
                                  .to = &from,
                                  .to_count = 1,
                                  .subject = text,
                                  .body = text,
                                  .file_name = text,
                                  .media_type = "text/plain" };
    size_t parts = 0;

    (void)text_copy(from.name, sizeof from.name, text);
    if (!mail_message_head(&message, &out) || !mail_message_tail(&message, &out))
        abort();
    for (size_t i = 0; i < out.n; i++)
        if (out.p[i] >= 0x80 || (out.p[i] == '\n') != (i > 0 && out.p[i - 1] == '\r'))
            abort();
    for (const char *at = buf_text(&out); (at = strstr(at, "\r\n--=_1")); at++)
        parts++;
    if (parts != 3 ||
        strstr(buf_text(&out), "\r\n\r\n") < strstr(buf_text(&out), "\r\nMIME-Version"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes in = { data, size };
    char text[TEXT_SIZE];

    try_replies(in);
    (void)text_copy_bytes(text, sizeof text, in);
    if (text_is_utf8(bytes_of_text(text))) {
        try_list(text);
        try_message(text);
    }
    return 0;
}
