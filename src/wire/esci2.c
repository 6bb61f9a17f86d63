/* wire/esci2.c - request blocks and reply headers of wire/esci2.h. */
#include "wire/esci2.h"

#include "base/cleanup.h"
#include "wire/esci2-token.h"

#include <stdio.h>

enum { CODE_SIZE = 4, INLINE_AT = 12 };

/* The code and "x0000000" at the front of both blocks. */
static bool read_front(Bytes in, char ret_code[ESCI2_WORD_SIZE], uint32_t *ret_length)
{
    Esci2Tokens tokens = esci2_tokens_over((Bytes){ in.p, INLINE_AT });
    Esci2Token length;

    tokens.at = CODE_SIZE;
    if (in.p[CODE_SIZE] != 'x' || !esci2_token_next(&tokens, &length) ||
        length.kind != ESCI2_NUMBER)
        return false;
    memcpy(ret_code, in.p, CODE_SIZE);
    ret_code[CODE_SIZE] = '\0';
    *ret_length = (uint32_t)length.number;
    return true;
}

static bool put_front(Buf *to, const char *code, uint32_t length)
{
    return length <= ESCI2_LENGTH_MAX && esci2_put_word(to, code) &&
           buf_printf(to, "x%07X", (unsigned)length);
}

WireResult esci2_request_decode(Bytes in, Esci2Request *ret_request)
{
    Esci2Request request;

    if (in.n != ESCI2_REQUEST_SIZE || !read_front(in, request.code, &request.length))
        return WIRE_BROKEN;
    *ret_request = request;
    return WIRE_OK;
}

bool esci2_request_encode(Buf *to, const char *code, uint32_t length)
{
    return put_front(to, code, length);
}

bool esci2_word_is(const char word[ESCI2_WORD_SIZE], const char *text)
{
    size_t n = strnlen(word, CODE_SIZE), m = strlen(text);

    while (n > 0 && word[n - 1] == ' ')
        n--;
    while (m > 0 && text[m - 1] == ' ')
        m--;
    return n == m && memcmp(word, text, n) == 0;
}

/* Copies the next value if it is a word. */
static void take_word(Esci2Tokens *tokens, char ret_word[ESCI2_WORD_SIZE])
{
    Esci2Token token;

    if (esci2_value_next(tokens, &token) && token.kind == ESCI2_WORD)
        memcpy(ret_word, token.word, ESCI2_WORD_SIZE);
}

/* A word that means nothing when it is NONE. */
static void take_notice(Esci2Tokens *tokens, char ret_word[ESCI2_WORD_SIZE])
{
    take_word(tokens, ret_word);
    if (esci2_word_is(ret_word, "NONE"))
        ret_word[0] = '\0';
}

/* Up to n numbers that are not negative; true when all came. */
static bool take_numbers(Esci2Tokens *tokens, uint32_t *const ret_numbers[], size_t n)
{
    Esci2Token token;

    for (size_t i = 0; i < n; i++) {
        if (!esci2_value_next(tokens, &token) || token.kind != ESCI2_NUMBER || token.number < 0)
            return false;
        *ret_numbers[i] = (uint32_t)token.number;
    }
    return true;
}

static void take_start(Esci2Tokens *tokens, Esci2Reply *reply)
{
    uint32_t *numbers[] = { &reply->start_width_px, &reply->start_padding_bytes,
                            &reply->start_height_px };

    reply->page_start = take_numbers(tokens, numbers, COUNT_OF(numbers));
    tokens->bad |= !reply->page_start;
}

static void take_end(Esci2Tokens *tokens, Esci2Reply *reply)
{
    uint32_t *numbers[] = { &reply->end_width_px, &reply->end_height_px };

    reply->page_end = take_numbers(tokens, numbers, COUNT_OF(numbers));
    tokens->bad |= !reply->page_end;
}

static void take_left(Esci2Tokens *tokens, Esci2Reply *reply)
{
    uint32_t *numbers[] = { &reply->left };

    reply->has_left = take_numbers(tokens, numbers, COUNT_OF(numbers));
    tokens->bad |= !reply->has_left;
}

static void take_error(Esci2Tokens *tokens, Esci2Reply *reply)
{
    take_word(tokens, reply->error.part);
    take_word(tokens, reply->error.cause);
    tokens->bad |= reply->error.cause[0] == '\0';
}

static void take_not_ready(Esci2Tokens *tokens, Esci2Reply *reply)
{
    take_notice(tokens, reply->not_ready);
}

static void take_attention(Esci2Tokens *tokens, Esci2Reply *reply)
{
    take_notice(tokens, reply->attention);
}

static void take_parameters(Esci2Tokens *tokens, Esci2Reply *reply)
{
    take_word(tokens, reply->parameters);
}

static void take_side(Esci2Tokens *tokens, Esci2Reply *reply)
{
    take_word(tokens, reply->side);
}

static void take_document(Esci2Tokens *tokens, Esci2Reply *reply)
{
    take_notice(tokens, reply->document);
}

static void take_double_feed(Esci2Tokens *tokens, Esci2Reply *reply)
{
    take_notice(tokens, reply->double_feed);
}

static void take_suspended(Esci2Tokens *tokens, Esci2Reply *reply)
{
    char word[ESCI2_WORD_SIZE] = "";

    take_word(tokens, word); /* whether one follows is not known */
    reply->suspended = !esci2_word_is(word, "NONE");
}

static const struct {
    char key[ESCI2_WORD_SIZE];
    void (*take)(Esci2Tokens *tokens, Esci2Reply *reply);
} inline_keys[] = {
    { "#err", take_error },       { "#nrd", take_not_ready },  { "#pst", take_start },
    { "#pen", take_end },         { "#lft", take_left },       { "#typ", take_side },
    { "#atn", take_attention },   { "#par", take_parameters }, { "#doc", take_document },
    { "#dfi", take_double_feed }, { "#sus", take_suspended },
};

WireResult esci2_reply_decode(Bytes in, Esci2Reply *ret_reply)
{
    Esci2Tokens tokens = esci2_tokens_over(in);
    Esci2Reply reply = { 0 };
    char key[ESCI2_WORD_SIZE];

    if (in.n != ESCI2_REPLY_SIZE || !read_front(in, reply.code, &reply.length))
        return WIRE_BROKEN;
    tokens.at = INLINE_AT;
    while (esci2_key_next(&tokens, key) && strcmp(key, "#---") != 0)
        for (size_t i = 0; i < COUNT_OF(inline_keys); i++)
            if (strcmp(inline_keys[i].key, key) == 0)
                inline_keys[i].take(&tokens, &reply);
    if (tokens.bad)
        return WIRE_BROKEN;
    *ret_reply = reply;
    return WIRE_OK;
}

/* A key with a word behind it; nothing when the word is empty. */
static bool put_notice(Buf *to, const char *key, const char *word)
{
    return word[0] == '\0' || (esci2_put_word(to, key) && esci2_put_word(to, word));
}

static bool put_numbers(Buf *to, const char *key, const uint32_t *numbers, size_t n)
{
    bool ok = esci2_put_word(to, key);

    for (size_t i = 0; i < n; i++)
        ok = ok && numbers[i] <= INT32_MAX &&
             (numbers[i] == 0 ? esci2_put_short(to, 0) : esci2_put_long(to, (int32_t)numbers[i]));
    return ok;
}

static bool put_page(Buf *to, const Esci2Reply *reply)
{
    uint32_t start[] = { reply->start_width_px, reply->start_padding_bytes,
                         reply->start_height_px };
    uint32_t end[] = { reply->end_width_px, reply->end_height_px };

    if (reply->page_start && !put_numbers(to, "#pst", start, COUNT_OF(start)))
        return false;
    if (reply->page_end && !put_numbers(to, "#pen", end, COUNT_OF(end)))
        return false;
    return !reply->has_left || (esci2_put_word(to, "#lft") && reply->left <= INT32_MAX &&
                                esci2_put_number(to, (int32_t)reply->left));
}

bool esci2_reply_encode(Buf *to, const Esci2Reply *reply)
{
    size_t begin = to->n;
    bool ok = put_front(to, reply->code, reply->length) && put_page(to, reply) &&
              put_notice(to, "#typ", reply->side);

    if (ok && reply->error.cause[0] != '\0')
        ok = esci2_put_word(to, "#err") && esci2_put_word(to, reply->error.part) &&
             esci2_put_word(to, reply->error.cause);
    ok = ok && put_notice(to, "#nrd", reply->not_ready) &&
         put_notice(to, "#atn", reply->attention) && put_notice(to, "#par", reply->parameters) &&
         put_notice(to, "#doc", reply->document) && put_notice(to, "#dfi", reply->double_feed) &&
         (!reply->suspended || esci2_put_word(to, "#sus"));
    while (ok && to->n - begin < ESCI2_REPLY_SIZE)
        ok = esci2_put_word(to, "#---");
    return ok && to->n - begin == ESCI2_REPLY_SIZE;
}
