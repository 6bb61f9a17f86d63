/* wire/esci2-token.c - the grammar of wire/esci2-token.h. */
#include "wire/esci2-token.h"

#include "base/text.h"

enum {
    QUAD = 4,
    LONG_SIZE = 8, /* letter and seven characters */
    SHORT_MAX = 999,
    LONG_MAX_VALUE = 9999999,
    LONG_MIN_VALUE = -999999,
    DATA_MAX = 0xfff,
    HEX_BITS = 4,
    HEX_LETTER = 10,
};

/* Hex digits of either case; -1 when one is foreign. At most seven, so int32_t holds it. */
static int32_t hex_number(Bytes digits)
{
    int32_t value = 0;

    for (size_t i = 0; i < digits.n; i++) {
        uint8_t c = digits.p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + HEX_LETTER
                    : c >= 'A' && c <= 'F' ? c - 'A' + HEX_LETTER
                                           : -1;
        if (digit < 0)
            return -1;
        value = (int32_t)((uint32_t)value << HEX_BITS) + digit;
    }
    return value;
}

static bool read_decimal(Bytes digits, Esci2Token *token)
{
    int64_t value;

    if (!bytes_to_int(digits, LONG_MIN_VALUE, LONG_MAX_VALUE, &value))
        return false;
    token->kind = ESCI2_NUMBER;
    token->number = (int32_t)value;
    return true;
}

/* Raw bytes behind "hNNN" and their padding. */
static bool read_data(Reader *r, Bytes digits, Esci2Token *token)
{
    int32_t n = hex_number(digits);

    if (n < 0)
        return false;
    token->kind = ESCI2_DATA;
    token->data = rd_bytes(r, (size_t)n);
    (void)rd_skip(r, (size_t)(-n & (QUAD - 1)));
    return !r->bad;
}

static bool read_token(Reader *r, Esci2Token *token)
{
    Bytes quad = rd_bytes(r, QUAD);

    if (r->bad)
        return false;
    Bytes digits = bytes_after(quad, 1);
    switch (quad.p[0]) {
    case 'd':
        return read_decimal(digits, token);
    case 'h':
        return read_data(r, digits, token);
    case 'i':
    case 'x':
        digits.n = LONG_SIZE - 1;
        (void)rd_skip(r, LONG_SIZE - QUAD);
        if (r->bad)
            return false;
        if (quad.p[0] == 'i')
            return read_decimal(digits, token);
        token->kind = ESCI2_NUMBER;
        token->number = hex_number(digits);
        return token->number >= 0;
    default:
        token->kind = quad.p[0] == '#' ? ESCI2_KEY : ESCI2_WORD;
        memcpy(token->word, quad.p, QUAD);
        return true;
    }
}

bool esci2_token_next(Esci2Tokens *tokens, Esci2Token *ret_token)
{
    Bytes rest = bytes_after(tokens->block, tokens->at);
    Reader r = reader_over(rest);
    Esci2Token token = { 0 };

    if (tokens->bad || rest.n < QUAD) {
        tokens->odd |= rest.n > 0;
        return false;
    }
    if (!read_token(&r, &token)) { /* "door" is no number */
        token = (Esci2Token){ .kind = ESCI2_ODD };
        tokens->at += QUAD;
        tokens->odd = true;
    } else {
        tokens->at = tokens->block.n - reader_left(&r);
    }
    *ret_token = token;
    return true;
}

bool esci2_value_next(Esci2Tokens *tokens, Esci2Token *ret_token)
{
    Bytes rest = bytes_after(tokens->block, tokens->at);

    return !tokens->bad && rest.n > 0 && rest.p[0] != '#' && esci2_token_next(tokens, ret_token);
}

bool esci2_key_next(Esci2Tokens *tokens, char ret_key[ESCI2_WORD_SIZE])
{
    Esci2Token token;

    while (esci2_token_next(tokens, &token)) {
        if (token.kind == ESCI2_KEY) {
            memcpy(ret_key, token.word, ESCI2_WORD_SIZE);
            return true;
        }
    }
    return false;
}

size_t esci2_block_cut(Bytes block, size_t max)
{
    Esci2Tokens tokens = esci2_tokens_over(block);
    Esci2Token token;
    size_t cut = 0, at = 0;

    while (esci2_token_next(&tokens, &token)) {
        if (token.kind == ESCI2_KEY && at <= max)
            cut = at;
        at = tokens.at;
    }
    return at <= max ? at : cut;
}

bool esci2_put_word(Buf *to, const char *word)
{
    size_t n = strlen(word);

    return n > 0 && n <= QUAD && buf_printf(to, "%-4s", word);
}

bool esci2_put_short(Buf *to, int32_t number)
{
    return number >= 0 && number <= SHORT_MAX && buf_printf(to, "d%03d", (int)number);
}

bool esci2_put_long(Buf *to, int32_t number)
{
    return number >= LONG_MIN_VALUE && number <= LONG_MAX_VALUE &&
           buf_printf(to, "i%07d", (int)number);
}

bool esci2_put_number(Buf *to, int32_t number)
{
    return number >= 0 && number <= SHORT_MAX ? esci2_put_short(to, number)
                                              : esci2_put_long(to, number);
}

bool esci2_put_data(Buf *to, Bytes data)
{
    return data.n <= DATA_MAX && buf_printf(to, "h%03X", (unsigned)data.n) && buf_put(to, data) &&
           buf_put_zeros(to, -data.n & (QUAD - 1));
}
