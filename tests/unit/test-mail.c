/* tests/unit/test-mail.c - addresses, the text of a mail, replies of mail servers. */
#include "base/cleanup.h"
#include "base/text.h"
#include "destination/mail-message.h"
#include "destination/smtp-reply.h"
#include "tests/unit/cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-11-22 09:15:30 UTC */
#define MOMENT ((Wall){ 1795338930000 })

static const NameFacts facts = { .started = { 1795338930000 },
                                 .utc_offset_min = 60,
                                 .job = "Letters, \"x\" <evil@example.org>",
                                 .device = "scan-1",
                                 .document = 2,
                                 .pages = 14 };

/* --- addresses ------------------------------------------------------------------------------------- */

static void addresses_are_checked(void **state)
{
    static const struct {
        const char *address, *wrong; /* NULL = right */
    } cases[] = {
        { "a@b", NULL },
        { "first.last+tag@sub.example.org", NULL },
        { "o'neil_x{y}|z@example.org", NULL },
        { "scan@[192.0.2.1]", NULL },
        { "scan@[IPv6:2001:db8::1]", NULL },
        { "scan@xn--mller-kva.example", NULL },
        { "", "before and after @" },
        { "scan", "before and after @" },
        { "@example.org", "before and after @" },
        { "scan@", "before and after @" },
        { "a@b@c", "before the @" },
        { "a b@c", "before the @" },
        { ".a@c", "before the @" },
        { "a.@c", "before the @" },
        { "a..b@c", "before the @" },
        { "\"a b\"@c", "before the @" },
        { "a@-b", "no host name" },
        { "a@b-.c", "no host name" },
        { "a@b..c", "no host name" },
        { "a@b.", "no host name" },
        { "a@b_c", "no host name" },
        { "a@b>c", "no host name" },
        { "a@[1.2.3.4", "no host name" },
        { "a@[x y]", "no host name" },
        { "j\xc3\xbcrgen@example.org", "letters beyond ASCII" },
        { "a@m\xc3\xbcller.example", "letters beyond ASCII" },
        { "1234567890123456789012345678901234567890123456789012345678901234@b", NULL },
        { "12345678901234567890123456789012345678901234567890123456789012345@b", "too long" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Err err = { .kind = ERR_NONE };
        bool right = mail_address_check(cases[i].address, &err);

        assert_int_equal(right, cases[i].wrong == NULL);
        if (!right) {
            assert_non_null(strstr(err.text, cases[i].wrong));
            assert_true(text_ends_with(err.remedy, "."));
        }
    }
}

static void lists_are_taken_apart_before_tokens_are_resolved(void **state)
{
    static const struct {
        const char *list, *expected; /* NAME|ADDRESS of each, with a line end; "!..." the error */
    } cases[] = {
        { "", "" },
        { " , ;\n ", "" },
        { "a@b", "|a@b\n" },
        { " <a@b> ", "|a@b\n" },
        { "a@b, c@d;e@f\ng@h", "|a@b\n|c@d\n|e@f\n|g@h\n" },
        { "Anna B. <a@b>", "Anna B.|a@b\n" },
        { "\"Doe, Jane; x\" <a@b>,c@d", "Doe, Jane; x|a@b\n|c@d\n" },
        { "\"say \\\"hi\\\" \\\\\" <a@b>", "say \"hi\" \\|a@b\n" },
        { "{job} <{device}@b.example>", "Letters, \"x\" <evil@example.org>|scan-1@b.example\n" },
        { "{date:%Y,%m;<%d>} <a@b>", "2026,11;<22>|a@b\n" },
        { "{job}", "!no mail address" },
        { "{device}@b, c@d", "|scan-1@b\n|c@d\n" },
        { "\"a <a@b>", "!not closed" },
        { "a <a@b", "!not closed" },
        { "a <a@b> c", "!cannot stand" },
        { "<a@b><c@d>", "!cannot stand" },
        { "a@b>", "!cannot stand" },
        { "<a<b>", "!cannot stand" },
        { "{seq:3}@b", "!counts" },
        { "{jub}@b", "!unknown token" },
        { "a{b@c", "!lone brace" },
        { "Anna <>", "!before and after @" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF got = buf_with_max(4096);
        const char *list = cases[i].list;
        Err err = { .kind = ERR_NONE };
        MailAddress address;

        while (mail_list_next(&list, &facts, &address, &err))
            (void)buf_printf(&got, "%s|%s\n", address.name, address.address);
        if (cases[i].expected[0] == '!') {
            assert_int_equal(err.kind, ERR_BAD_INPUT);
            assert_non_null(strstr(err.text, cases[i].expected + 1));
        } else {
            assert_int_equal(err.kind, ERR_NONE);
            assert_string_equal(buf_text(&got), cases[i].expected);
        }
        /* What is stored cannot be checked where tokens stand in an address. */
        bool known_later = text_equal(list, "{job}") || text_equal(cases[i].list, "{job}");
        assert_int_equal(mail_list_check(cases[i].list, &err),
                         cases[i].expected[0] != '!' || known_later);
    }
}

static void long_lists_are_refused(void **state)
{
    AUTO_BUF list = buf_with_max(4096);
    const char *at;
    MailAddress address;
    Err err;

    (void)state;
    for (int i = 0; i < 2000; i++)
        (void)buf_put_u8(&list, 'x');
    at = buf_text(&list);
    assert_false(mail_list_next(&at, &facts, &address, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    assert_false(mail_list_check(buf_text(&list), &err));
}

/* --- messages -------------------------------------------------------------------------------------- */

static const MailAddress from = { .address = "scan@example.org", .name = "Scanner \"3\"" };
static const MailAddress people[] = {
    { .address = "anna@example.org", .name = "Anna M\xc3\xbcller" },
    { .address = "b@example.org" },
    { .address = "c@example.org", .name = "C" },
};

static MailMessage message_of(const char *subject, const char *body, const char *file_name)
{
    return (MailMessage){ .id = "01k7d",
                          .from = &from,
                          .to = people,
                          .cc = people + 2,
                          .to_count = 2,
                          .cc_count = 1,
                          .subject = subject,
                          .body = body,
                          .date = MOMENT,
                          .utc_offset_min = -210,
                          .file_name = file_name,
                          .media_type = "application/pdf" };
}

static const char golden[] =
    "Date: Sun, 22 Nov 2026 05:45:30 -0330\r\n"
    "From: \"Scanner \\\"3\\\"\" <scan@example.org>\r\n"
    "To: =?UTF-8?B?QW5uYSBNw7xsbGVy?= <anna@example.org>,\r\n"
    " b@example.org\r\n"
    "Cc: \"C\" <c@example.org>\r\n"
    "Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"
    "Message-ID: <01k7d@example.org>\r\n"
    "Auto-Submitted: auto-generated\r\n"
    "X-Auto-Response-Suppress: OOF, AutoReply\r\n"
    "User-Agent: Platen/" PLATEN_VERSION "\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"=_01k7d\"\r\n"
    "\r\n"
    "--=_01k7d\r\n"
    "Content-Type: text/plain; charset=UTF-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    ".dot =3D=20\r\n"
    "=46rom here\r\n"
    "\r\n"
    "--=_01k7d\r\n"
    "Content-Type: application/pdf;\r\n"
    " name=\"=?UTF-8?B?R3LDvMOfZSAxLnBkZg==?=\"\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment;\r\n"
    " filename*=UTF-8''Gr%C3%BC%C3%9Fe%201.pdf;\r\n"
    " filename=\"Gr__e 1.pdf\"\r\n"
    "\r\n"
    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"
    "NQ==\r\n"
    "--=_01k7d--\r\n";

static void a_message_is_the_golden_one(void **state)
{
    static const char file[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345";
    MailMessage message = message_of("Gr\xc3\xbc\xc3\x9f"
                                     "e",
                                     ".dot = \nFrom here",
                                     "Gr\xc3\xbc\xc3\x9f"
                                     "e 1.pdf");
    AUTO_BUF out = buf_with_max(MAIL_HEAD_BYTES_MAX);

    (void)state;
    assert_true(mail_message_head(&message, &out));
    size_t head_n = out.n;
    assert_true(mail_message_attach(bytes_of_text(file), &out));
    assert_int_equal(out.n - head_n, mail_attached_bytes(sizeof file - 1));
    assert_true(mail_message_tail(&message, &out));
    assert_string_equal(buf_text(&out), golden);
}

static void a_message_without_file_has_no_parts(void **state)
{
    MailMessage message = message_of("Alarm", "a\r\nb\rc\n", NULL);
    AUTO_BUF out = buf_with_max(MAIL_HEAD_BYTES_MAX);

    (void)state;
    message.to_count = message.cc_count = 0;
    assert_true(mail_message_head(&message, &out) && mail_message_tail(&message, &out));
    assert_non_null(
        strstr(buf_text(&out), "\r\nTo: undisclosed-recipients:;\r\nSubject: Alarm\r\n"));
    assert_null(strstr(buf_text(&out), "multipart"));
    assert_true(text_ends_with(buf_text(&out), "quoted-printable\r\n\r\na\r\nb\r\nc\r\n"));
}

static void sizes_are_foretold(void **state)
{
    uint8_t bytes[200] = { 0 };

    (void)state;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        AUTO_BUF out = buf_with_max(1024);

        assert_true(mail_message_attach((Bytes){ bytes, n }, &out));
        assert_int_equal(out.n, mail_attached_bytes((int64_t)n));
    }
}

static void every_day_of_a_week_has_its_name(void **state)
{
    static const char *const days[] = { "Sun, 22 Nov", "Mon, 23 Nov", "Tue, 24 Nov", "Wed, 25 Nov",
                                        "Thu, 26 Nov", "Fri, 27 Nov", "Sat, 28 Nov" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(days); i++) {
        MailMessage message = message_of("s", "b", NULL);
        AUTO_BUF out = buf_with_max(MAIL_HEAD_BYTES_MAX);
        char line[80];

        message.date.ms += (int64_t)i * 24 * 3600 * 1000;
        message.utc_offset_min = 14 * 60; /* 23:15 of the same day */
        assert_true(mail_message_head(&message, &out));
        (void)text_printf(line, sizeof line, "Date: %s 2026 23:15:30 +1400\r\n", days[i]);
        assert_true(text_starts_with(buf_text(&out), line));
    }
}

/* Whatever the texts are: ASCII, no long line, no lone line end, no header that is not ours. */
static void no_text_breaks_a_message(void **state)
{
    static const char *const pieces[] = {
        "a",  " ", "\n", "\r", "\t",           "\xc3\xbc",    "\xf0\x9f\x98\x80",
        "=?", ".", "\"", "\\", "\nBcc: x\n\n", "longer word", "="
    };
    unsigned random = 1;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        char text[200] = "";
        AUTO_BUF out = buf_with_max(MAIL_HEAD_BYTES_MAX);
        size_t n = 0;

        for (;;) {
            random = random * 1103515245 + 12345;
            const char *piece = pieces[random / 65536 % COUNT_OF(pieces)];
            if (n + strlen(piece) >= sizeof text - 1 || random / 16777216 % 32 == 0)
                break;
            (void)text_copy(text + n, sizeof text - n, piece);
            n += strlen(piece);
        }
        MailMessage message = message_of(text, text, n ? text : NULL);
        MailAddress named = from;
        (void)text_copy(named.name, sizeof named.name, text);
        message.from = &named;
        assert_true(mail_message_head(&message, &out) && mail_message_tail(&message, &out));
        const char *whole = buf_text(&out);
        for (size_t i = 0, column = 0; i < out.n; i++, column++) {
            assert_true((uint8_t)whole[i] < 0x80 && column < 998);
            assert_int_equal(whole[i] == '\n', i > 0 && whole[i - 1] == '\r');
            if (whole[i] == '\n')
                column = (size_t)-1;
        }
        const char *evil = strstr(whole, "\nBcc"); /* in the body anybody may write it */
        assert_true(!evil || evil > strstr(whole, "\r\n\r\n"));
    }
}

static void a_buffer_that_is_full_fails(void **state)
{
    MailMessage message = message_of("s", "b", "f.pdf");

    (void)state;
    for (size_t max = 1; max < 600; max += 13) {
        AUTO_BUF out = buf_with_max(max);

        assert_false(mail_message_head(&message, &out));
    }
}

/* --- replies --------------------------------------------------------------------------------------- */

static SmtpReply reply_of(const char *text)
{
    SmtpReply reply = { .code = 0 };
    bool last = false;

    while (*text) {
        size_t n = strcspn(text, "\n");

        assert_false(last);
        assert_true(smtp_reply_add(&reply, (Bytes){ (const uint8_t *)text, n }, &last));
        text += n + (text[n] == '\n');
    }
    assert_true(last);
    return reply;
}

static void replies_are_read(void **state)
{
    static const char *const none[] = { "", "25", "abc", "199 x", "600 x", "250x", "+OK" };
    SmtpReply reply = reply_of("550-5.7.26 one\r\n550-5.7.26 two\r\n550 5.7.26 three\r");
    bool last;

    (void)state;
    assert_int_equal(reply.code, 550);
    assert_string_equal(reply.enhanced, "5.7.26");
    assert_string_equal(reply.words, "one two three");
    reply = reply_of("250");
    assert_string_equal(reply.words, "");
    reply = reply_of("550 5.1 is no code");
    assert_string_equal(reply.enhanced, "");
    assert_string_equal(reply.words, "5.1 is no code");
    reply = reply_of("550 5.1.1");
    assert_string_equal(reply.enhanced, "5.1.1");
    reply = reply_of("550 127.0.0.1 is blocked");
    assert_string_equal(reply.enhanced, "");
    reply = reply_of("550 Empf\xe4nger\x01");
    assert_string_equal(reply.words, "Empf?nger?");
    reply = reply_of("550 Empf\xc3\xa4nger");
    assert_string_equal(reply.words, "Empf\xc3\xa4nger");
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_false(smtp_reply_add(&reply, bytes_of_text(none[i]), &last));
}

static void replies_mean_what_they_say(void **state)
{
    enum {
        CONNECT = SMTP_STEP_CONNECT,
        LOGIN = SMTP_STEP_LOGIN,
        MAIL = SMTP_STEP_SENDER,
        RCPT = SMTP_STEP_RECIPIENT,
        DATA = SMTP_STEP_CONTENT
    };
    enum {
        RETRY = DELIVERY_CLASS_RETRY,
        AUTH = DELIVERY_CLASS_AUTH,
        CONFIG = DELIVERY_CLASS_CONFIG,
        FATAL = DELIVERY_CLASS_FATAL
    };
    static const struct {
        const char *reply;
        int step, class;
        const char *stage, *cure; /* cure: a part of it */
    } cases[] = {
        { "421 too busy", CONNECT, RETRY, "connect", "tried again" },
        { "554 no service for you", CONNECT, CONFIG, "connect", "helo_name" },
        { "501 bad helo", CONNECT, CONFIG, "connect", "helo_name" },
        { "454 4.7.0 temporary failure", LOGIN, RETRY, "login", "tried again" },
        { "535 5.7.8 wrong", LOGIN, AUTH, "login", "password" },
        { "535 wrong", LOGIN, AUTH, "login", "password" },
        { "534 5.7.9 too weak", LOGIN, AUTH, "login", "password" },
        { "538 5.7.11 encryption needed", LOGIN, AUTH, "login", "password" },
        { "504 5.5.4 unknown mechanism", LOGIN, CONFIG, "login", "another auth" },
        { "550 5.7.30 Basic authentication is not supported", LOGIN, CONFIG, "login", "xoauth2" },
        { "535 5.7.139 disabled by policy", LOGIN, CONFIG, "login", "xoauth2" },
        { "530 5.7.0 Authentication required", MAIL, AUTH, "locate", "log-in" },
        { "550 5.7.1 not your address", MAIL, CONFIG, "locate", "from" },
        { "553 5.1.8 unknown sender", MAIL, CONFIG, "locate", "from" },
        { "552 5.3.4 too large", MAIL, FATAL, "locate", "less dpi" },
        { "452 4.3.1 no space", MAIL, RETRY, "locate", "room" },
        { "450 4.2.1 busy", RCPT, RETRY, "locate", "tried again" },
        { "451 4.7.1 greylisted", RCPT, RETRY, "locate", "wait" },
        { "452 4.2.2 mailbox full", RCPT, RETRY, "locate", "room" },
        { "452 4.5.3 too many recipients", RCPT, CONFIG, "locate", "fewer" },
        { "550 5.1.1 no such user", RCPT, FATAL, "locate", "address" },
        { "550 no such user", RCPT, FATAL, "locate", "address" },
        { "551 gone", RCPT, FATAL, "locate", "address" },
        { "553 5.1.3 syntax", RCPT, FATAL, "locate", "address" },
        { "552 5.2.2 full", RCPT, FATAL, "locate", "mailbox" },
        { "550 5.2.2 full", RCPT, FATAL, "locate", "mailbox" },
        { "554 5.7.1 relay access denied", RCPT, CONFIG, "locate", "Log in" },
        { "550 5.7.1 relaying denied", RCPT, CONFIG, "locate", "Log in" },
        { "451 4.3.0 scanner busy", DATA, RETRY, "send", "tried again" },
        { "452 4.3.1 no space", DATA, RETRY, "send", "room" },
        { "552 5.3.4 too large", DATA, FATAL, "send", "less dpi" },
        { "552 too large", DATA, FATAL, "send", "less dpi" },
        { "550 5.2.3 too large", DATA, FATAL, "send", "less dpi" },
        { "554 5.7.1 spam", DATA, FATAL, "send", "administrator" },
        { "554 5.2.252 SendAsDenied", DATA, CONFIG, "send", "from" },
        { "550 5.7.60 cannot send as", DATA, CONFIG, "send", "from" },
        { "554 refused", DATA, FATAL, "send", "administrator" },
        { "250 where is no place for it", DATA, RETRY, "send", "log" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SmtpReply reply = reply_of(cases[i].reply);
        SmtpMeaning meaning = smtp_reply_meaning(&reply, (SmtpStep)cases[i].step, false);

        if (meaning.class != (DeliveryClass)cases[i].class || !strstr(meaning.cure, cases[i].cure))
            fail_msg("%s: %s: %s", cases[i].reply, delivery_class_words[meaning.class],
                     meaning.cure);
        assert_string_equal(meaning.stage, cases[i].stage);
        assert_true(text_ends_with(meaning.cure, "."));
        assert_true(strlen(meaning.cure) < sizeof((DeliveryResult *)NULL)->cure);
    }
}

static void some_replies_mean_more(void **state)
{
    SmtpReply grey = reply_of("450 please come back: GreyListing"),
              wants = reply_of("530 5.7.0 TLS");
    SmtpReply relay = reply_of("550 relaying denied"), user = reply_of("550 5.1.1 no such user");

    (void)state;
    assert_int_equal(smtp_reply_meaning(&grey, SMTP_STEP_RECIPIENT, false).retry_after_s, 300);
    assert_int_equal(smtp_reply_meaning(&grey, SMTP_STEP_CONTENT, false).retry_after_s, 0);
    assert_int_equal(smtp_reply_meaning(&wants, SMTP_STEP_SENDER, true).class,
                     DELIVERY_CLASS_CONFIG);
    assert_int_equal(smtp_reply_meaning(&wants, SMTP_STEP_SENDER, false).class,
                     DELIVERY_CLASS_AUTH);
    assert_true(smtp_reply_wants_login(&relay) && smtp_reply_wants_login(&wants));
    assert_false(smtp_reply_wants_login(&user) || smtp_reply_wants_login(&grey));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(lists_are_taken_apart_before_tokens_are_resolved),
        cmocka_unit_test(long_lists_are_refused),
        cmocka_unit_test(a_message_is_the_golden_one),
        cmocka_unit_test(a_message_without_file_has_no_parts),
        cmocka_unit_test(sizes_are_foretold),
        cmocka_unit_test(every_day_of_a_week_has_its_name),
        cmocka_unit_test(no_text_breaks_a_message),
        cmocka_unit_test(a_buffer_that_is_full_fails),
        cmocka_unit_test(replies_are_read),
        cmocka_unit_test(replies_mean_what_they_say),
        cmocka_unit_test(some_replies_mean_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
