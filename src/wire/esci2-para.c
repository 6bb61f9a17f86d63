/* wire/esci2-para.c - the parameter block of wire/esci2-para.h. */
#include "wire/esci2-para.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/esci2-token.h"

static const struct {
    char key[ESCI2_WORD_SIZE];
    size_t offset;
} word_keys[] = {
    { "#COL", offsetof(Esci2Para, color) },         { "#FMT", offsetof(Esci2Para, format) },
    { "#GMM", offsetof(Esci2Para, gamma) },         { "#QIT", offsetof(Esci2Para, quiet) },
    { "#CCT", offsetof(Esci2Para, color_counter) }, { "#LAM", offsetof(Esci2Para, card) },
    { "#FLC", offsetof(Esci2Para, fill_color) },
};

static const struct {
    char key[ESCI2_WORD_SIZE];
    size_t offset;
} number_keys[] = {
    { "#RSM", offsetof(Esci2Para, dpi_main) },     { "#RSS", offsetof(Esci2Para, dpi_sub) },
    { "#JPG", offsetof(Esci2Para, jpeg_quality) }, { "#THR", offsetof(Esci2Para, threshold) },
    { "#PAG", offsetof(Esci2Para, pages) },        { "#BSZ", offsetof(Esci2Para, block_bytes) },
};

/* Numbers that may be negative. */
static const struct {
    char key[ESCI2_WORD_SIZE];
    size_t offset;
} signed_keys[] = {
    { "#CRP", offsetof(Esci2Para, crop_margin) },
    { "#BRT", offsetof(Esci2Para, brightness) },
    { "#CTR", offsetof(Esci2Para, contrast) },
};

static void take_signed(Esci2Tokens *tokens, int32_t *ret_number)
{
    Esci2Token token;

    if (esci2_value_next(tokens, &token) && token.kind == ESCI2_NUMBER)
        *ret_number = token.number;
    else
        tokens->bad = true;
}

static void take_number(Esci2Tokens *tokens, int32_t *ret_number)
{
    Esci2Token token;

    if (esci2_value_next(tokens, &token) && token.kind == ESCI2_NUMBER && token.number >= 0)
        *ret_number = token.number;
    else
        tokens->bad = true;
}

static void take_word(Esci2Tokens *tokens, char ret_word[ESCI2_WORD_SIZE])
{
    Esci2Token token;

    if (esci2_value_next(tokens, &token) && token.kind == ESCI2_WORD)
        memcpy(ret_word, token.word, ESCI2_WORD_SIZE);
    else
        tokens->bad = true;
}

static void take_source(Esci2Tokens *tokens, const char *key, Esci2Para *para)
{
    Esci2Token token;

    (void)text_copy(para->source, sizeof para->source, strcmp(key, "#ADF") == 0 ? "ADF" : "FB");
    para->options.count = 0;
    while (esci2_value_next(tokens, &token))
        if (token.kind == ESCI2_WORD)
            (void)esci2_words_add(&para->options, token.word);
}

/* A channel and its 256 values; one that comes again replaces the former. */
static void take_table(Esci2Tokens *tokens, Esci2Para *para)
{
    Esci2Token channel, data;
    size_t i = 0;

    if (!esci2_value_next(tokens, &channel) || channel.kind != ESCI2_WORD ||
        !esci2_value_next(tokens, &data) || data.kind != ESCI2_DATA ||
        data.data.n != ESCI2_TABLE_SIZE) {
        tokens->bad = true;
        return;
    }
    while (i < para->table_count &&
           memcmp(para->tables[i].channel, channel.word, ESCI2_WORD_SIZE) != 0)
        i++;
    if (i == ESCI2_TABLES_MAX)
        return; /* there are but four channels */
    if (i == para->table_count)
        para->table_count++;
    memcpy(para->tables[i].channel, channel.word, ESCI2_WORD_SIZE);
    memcpy(para->tables[i].value, data.data.p, ESCI2_TABLE_SIZE);
}

static void take_parameter(Esci2Tokens *tokens, const char *key, Esci2Para *para)
{
    for (size_t i = 0; i < COUNT_OF(signed_keys); i++)
        if (strcmp(signed_keys[i].key, key) == 0)
            take_signed(tokens, (int32_t *)(void *)((char *)para + signed_keys[i].offset));
    if (strcmp(key, "#GMT") == 0)
        take_table(tokens, para);
    if (strcmp(key, "#FLA") == 0) {
        for (size_t i = 0; i < ESCI2_FILL_SIDES; i++)
            take_number(tokens, &para->fill[i]);
        para->has_fill = true;
    }
    for (size_t i = 0; i < COUNT_OF(word_keys); i++)
        if (strcmp(word_keys[i].key, key) == 0)
            take_word(tokens, (char *)para + word_keys[i].offset);
    for (size_t i = 0; i < COUNT_OF(number_keys); i++)
        if (strcmp(number_keys[i].key, key) == 0)
            take_number(tokens, (int32_t *)(void *)((char *)para + number_keys[i].offset));
    if (strcmp(key, "#ACQ") == 0) {
        take_number(tokens, &para->x_px);
        take_number(tokens, &para->y_px);
        take_number(tokens, &para->width_px);
        take_number(tokens, &para->height_px);
        para->has_area = true;
    }
}

WireResult esci2_para_decode(Bytes block, Esci2Para *para)
{
    Esci2Tokens tokens = esci2_tokens_over(block);
    Esci2Para read = *para;
    char key[ESCI2_WORD_SIZE];

    while (esci2_key_next(&tokens, key)) {
        if (strcmp(key, "#ADF") == 0 || strcmp(key, "#FB ") == 0)
            take_source(&tokens, key, &read);
        else
            take_parameter(&tokens, key, &read);
    }
    if (tokens.bad || tokens.odd)
        return WIRE_BROKEN;
    *para = read;
    return WIRE_OK;
}

static bool put_source(Buf *to, const Esci2Para *para)
{
    bool ok = true;

    if (para->source[0] == '\0')
        return true;
    ok = esci2_put_word(to, esci2_word_is(para->source, "ADF") ? "#ADF" : "#FB");
    for (size_t i = 0; i < para->options.count; i++)
        ok = ok && esci2_put_word(to, para->options.word[i]);
    return ok;
}

/* A key with its word; nothing when the word is not set. */
static bool put_choice(Buf *to, const char *key, const char *word)
{
    return word[0] == '\0' || (esci2_put_word(to, key) && esci2_put_word(to, word));
}

/* A key with a short number; nothing when it is below min, which is how "not set" looks. */
static bool put_small(Buf *to, const char *key, int32_t number, int32_t min)
{
    return number < min || (esci2_put_word(to, key) && esci2_put_short(to, number));
}

/* A key with a long number; nothing when it is 0. */
static bool put_large(Buf *to, const char *key, int32_t number)
{
    return number == 0 || (esci2_put_word(to, key) && esci2_put_long(to, number));
}

static bool put_area(Buf *to, const Esci2Para *para)
{
    return !para->has_area ||
           (esci2_put_word(to, "#ACQ") && esci2_put_long(to, para->x_px) &&
            esci2_put_long(to, para->y_px) && esci2_put_long(to, para->width_px) &&
            esci2_put_long(to, para->height_px));
}

static bool put_tables(Buf *to, const Esci2Para *para)
{
    bool ok = true;

    for (size_t i = 0; i < para->table_count; i++)
        ok = ok && esci2_put_word(to, "#GMT") && esci2_put_word(to, para->tables[i].channel) &&
             esci2_put_data(to, (Bytes){ para->tables[i].value, ESCI2_TABLE_SIZE });
    return ok;
}

static bool put_signed(Buf *to, const char *key, int32_t number)
{
    return number == ESCI2_UNSET || (esci2_put_word(to, key) && esci2_put_number(to, number));
}

static bool put_fill(Buf *to, const Esci2Para *para)
{
    bool ok = !para->has_fill ||
              (put_choice(to, "#FLC", para->fill_color) && esci2_put_word(to, "#FLA"));

    for (size_t i = 0; para->has_fill && i < ESCI2_FILL_SIDES; i++)
        ok = ok && esci2_put_long(to, para->fill[i]);
    return ok;
}

bool esci2_para_encode(Buf *to, const Esci2Para *para)
{
    return put_source(to, para) && put_large(to, "#RSM", para->dpi_main) &&
           put_large(to, "#RSS", para->dpi_sub) && put_choice(to, "#COL", para->color) &&
           put_choice(to, "#FMT", para->format) && put_small(to, "#JPG", para->jpeg_quality, 1) &&
           put_choice(to, "#GMM", para->gamma) && put_tables(to, para) &&
           put_small(to, "#THR", para->threshold, 0) && put_signed(to, "#BRT", para->brightness) &&
           put_signed(to, "#CTR", para->contrast) && put_signed(to, "#CRP", para->crop_margin) &&
           put_fill(to, para) && put_choice(to, "#QIT", para->quiet) &&
           put_choice(to, "#CCT", para->color_counter) && put_choice(to, "#LAM", para->card) &&
           put_small(to, "#PAG", para->pages, 0) && put_area(to, para) &&
           put_large(to, "#BSZ", para->block_bytes);
}
