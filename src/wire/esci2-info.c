/* wire/esci2-info.c - INFO, CAPA and STAT of wire/esci2-info.h. */
#include "wire/esci2-info.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/esci2-token.h"

/* ---- values of any block ---- */

bool esci2_words_have(const Esci2Words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (esci2_word_is(words->word[i], word))
            return true;
    return false;
}

bool esci2_words_add(Esci2Words *words, const char *word)
{
    if (words->count == ESCI2_WORDS_MAX)
        return false;
    return text_copy(words->word[words->count++], ESCI2_WORD_SIZE, word);
}

bool esci2_numbers_have(const Esci2Numbers *numbers, int32_t number)
{
    if (numbers->range && numbers->count == 2)
        return number >= numbers->value[0] && number <= numbers->value[1];
    for (size_t i = 0; !numbers->range && i < numbers->count; i++)
        if (numbers->value[i] == number)
            return true;
    return false;
}

bool esci2_stat_has(const Esci2Stat *stat, const char *part, const char *cause)
{
    for (size_t i = 0; i < stat->error_count; i++)
        if (esci2_word_is(stat->errors[i].part, part) &&
            esci2_word_is(stat->errors[i].cause, cause))
            return true;
    return false;
}

/* The next value as a number that is not negative; 0 and bad when it is something else. */
static uint32_t take_number(Esci2Tokens *tokens)
{
    Esci2Token token;

    if (!esci2_value_next(tokens, &token) || token.kind != ESCI2_NUMBER || token.number < 0) {
        tokens->bad = true;
        return 0;
    }
    return (uint32_t)token.number;
}

/* Text in "h" data without the blanks and zeros devices pad it with. */
static void take_text(Esci2Tokens *tokens, char ret_text[ESCI2_TEXT_SIZE])
{
    Esci2Token token;

    if (!esci2_value_next(tokens, &token) || token.kind != ESCI2_DATA) {
        tokens->bad = true;
        return;
    }
    Bytes text = token.data;
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\0'))
        text.n--;
    (void)text_copy_bytes(ret_text, ESCI2_TEXT_SIZE, text);
    text_make_printable(ret_text); /* these texts end in file names and logs */
}

/* "LIST a b" or "RANG a b" of numbers; words in between are ignored. */
static void take_list_of_numbers(Esci2Tokens *tokens, Esci2Numbers *ret_numbers)
{
    Esci2Token token;

    *ret_numbers = (Esci2Numbers){ 0 };
    while (esci2_value_next(tokens, &token)) {
        if (token.kind == ESCI2_WORD && strcmp(token.word, "RANG") == 0)
            ret_numbers->range = true;
        if (token.kind == ESCI2_NUMBER && ret_numbers->count < ESCI2_NUMBERS_MAX)
            ret_numbers->value[ret_numbers->count++] = token.number;
    }
    if (ret_numbers->range && ret_numbers->count != 2)
        tokens->bad = true;
}

/* Words up to the next key, without "LIST" itself. */
static void take_list_of_words(Esci2Tokens *tokens, Esci2Words *words)
{
    Esci2Token token;

    while (esci2_value_next(tokens, &token))
        if (token.kind == ESCI2_WORD && strcmp(token.word, "LIST") != 0 &&
            words->count < ESCI2_WORDS_MAX)
            memcpy(words->word[words->count++], token.word, ESCI2_WORD_SIZE);
}

/* ---- INFO ---- */

static void take_pair(Esci2Tokens *tokens, uint32_t *ret_width, uint32_t *ret_height)
{
    *ret_width = take_number(tokens);
    *ret_height = take_number(tokens);
}

static Esci2Align align_of(const char *word)
{
    if (esci2_word_is(word, "CNTR"))
        return ESCI2_ALIGN_CENTRE;
    return esci2_word_is(word, "RIGT") ? ESCI2_ALIGN_RIGHT : ESCI2_ALIGN_LEFT;
}

/* What follows "#ADF" or "#FB " once: a name and its values. */
static void take_source(Esci2Tokens *tokens, Esci2Source *source)
{
    Esci2Token name, value = { 0 };

    source->present = true;
    if (!esci2_value_next(tokens, &name) || name.kind != ESCI2_WORD)
        return;
    if (strcmp(name.word, "AREA") == 0) {
        take_pair(tokens, &source->width, &source->height);
    } else if (strcmp(name.word, "AMIN") == 0) {
        take_pair(tokens, &source->min_width, &source->min_height);
    } else if (strcmp(name.word, "AMAX") == 0) {
        take_pair(tokens, &source->max_width, &source->max_height);
    } else if (strcmp(name.word, "RESO") == 0) {
        source->optical_dpi = take_number(tokens);
    } else if (strcmp(name.word, "PREF") == 0) {
        source->prefeed = true;
    } else if (esci2_value_next(tokens, &value) && value.kind == ESCI2_WORD) {
        if (strcmp(name.word, "DPLX") == 0) {
            source->duplex = true;
            source->two_pass = strcmp(value.word, "2SCN") == 0;
        } else if (strcmp(name.word, "ALGN") == 0) {
            source->align = align_of(value.word);
        } else if (strcmp(name.word, "FORD") == 0) {
            source->last_first = strcmp(value.word, "PFN1") == 0;
        } else if (strcmp(name.word, "TYPE") == 0) {
            source->page_type = strcmp(value.word, "PAGE") == 0;
        }
    } else if (strcmp(name.word, "DPLX") == 0) {
        source->duplex = true;
    }
}

WireResult esci2_info_decode(Bytes block, Esci2Info *ret_info)
{
    Esci2Tokens tokens = esci2_tokens_over(block);
    Esci2Info info = { 0 };
    char key[ESCI2_WORD_SIZE];

    while (esci2_key_next(&tokens, key)) {
        if (strcmp(key, "#ADF") == 0)
            take_source(&tokens, &info.adf);
        else if (strcmp(key, "#FB ") == 0)
            take_source(&tokens, &info.flatbed);
        else if (strcmp(key, "#IMX") == 0)
            take_pair(&tokens, &info.image_width_max_px, &info.image_height_max_px);
        else if (strcmp(key, "#DSZ") == 0)
            info.parameter_block_max = take_number(&tokens);
        else if (strcmp(key, "#ATH") == 0)
            info.authentication = true;
        else if (strcmp(key, "#PRD") == 0)
            take_text(&tokens, info.product);
        else if (strcmp(key, "#VER") == 0 && info.version[0] == '\0')
            take_text(&tokens, info.version);
        else if (strcmp(key, "#S/N") == 0)
            take_text(&tokens, info.serial);
    }
    if (tokens.bad)
        return WIRE_BROKEN;
    *ret_info = info;
    return WIRE_OK;
}

static bool put_key_word(Buf *to, const char *key, const char *name, const char *value)
{
    return esci2_put_word(to, key) && esci2_put_word(to, name) &&
           (!value || esci2_put_word(to, value));
}

static bool put_key_pair(Buf *to, const char *key, const char *name, uint32_t a, uint32_t b)
{
    return (a == 0 && b == 0) || (a <= INT32_MAX && b <= INT32_MAX && esci2_put_word(to, key) &&
                                  esci2_put_word(to, name) && esci2_put_number(to, (int32_t)a) &&
                                  esci2_put_number(to, (int32_t)b));
}

static bool put_source(Buf *to, const char *key, const Esci2Source *source)
{
    static const char *const aligns[] = { "LEFT", "CNTR", "RIGT" };
    bool adf = strcmp(key, "#ADF") == 0, ok = true;

    if (!source->present)
        return true;
    if (adf)
        ok = put_key_word(to, key, "TYPE", source->page_type ? "PAGE" : "FEED") &&
             (!source->duplex ||
              put_key_word(to, key, "DPLX", source->two_pass ? "2SCN" : "1SCN")) &&
             put_key_word(to, key, "FORD", source->last_first ? "PFN1" : "PF1N") &&
             (!source->prefeed || put_key_word(to, key, "PREF", NULL));
    return ok && put_key_word(to, key, "ALGN", aligns[source->align]) &&
           put_key_pair(to, key, "AREA", source->width, source->height) &&
           put_key_pair(to, key, "AMIN", source->min_width, source->min_height) &&
           put_key_pair(to, key, "AMAX", source->max_width, source->max_height) &&
           (source->optical_dpi == 0 ||
            (source->optical_dpi <= INT32_MAX && put_key_word(to, key, "RESO", NULL) &&
             esci2_put_number(to, (int32_t)source->optical_dpi)));
}

enum { TEXT_STEP = 4, PRODUCT_MIN = 16, LONG_NUMBER_MAX = 9999999 };

/* Text as "h" data, with blanks up to min characters: devices send the product so. */
static bool put_text(Buf *to, const char *key, const char *text, size_t min)
{
    char padded[ESCI2_TEXT_SIZE];

    if (text[0] == '\0')
        return true;
    (void)text_printf(padded, sizeof padded, "%-*s", (int)min, text);
    return esci2_put_word(to, key) && esci2_put_data(to, bytes_of_text(padded));
}

bool esci2_info_encode(Buf *to, const Esci2Info *info)
{
    bool ok = put_source(to, "#ADF", &info->adf) && put_source(to, "#FB", &info->flatbed);

    if (ok && info->image_width_max_px != 0)
        ok = info->image_width_max_px <= LONG_NUMBER_MAX &&
             info->image_height_max_px <= LONG_NUMBER_MAX && esci2_put_word(to, "#IMX") &&
             esci2_put_long(to, (int32_t)info->image_width_max_px) &&
             esci2_put_long(to, (int32_t)info->image_height_max_px);
    ok = ok && put_text(to, "#PRD", info->product, PRODUCT_MIN) &&
         put_text(to, "#VER", info->version, TEXT_STEP);
    if (ok && info->parameter_block_max != 0)
        ok = info->parameter_block_max <= LONG_NUMBER_MAX && esci2_put_word(to, "#DSZ") &&
             esci2_put_long(to, (int32_t)info->parameter_block_max);
    ok = ok && put_text(to, "#S/N", info->serial, TEXT_STEP);
    return ok && (!info->authentication || esci2_put_word(to, "#ATH"));
}

/* ---- CAPA ---- */

/* Behind "#ADF" and "#FB ": either "RSMS LIST ..." or option words. */
static void take_options(Esci2Tokens *tokens, Esci2Words *options, Esci2Numbers *dpi)
{
    Esci2Tokens look = *tokens;
    Esci2Token first;

    if (esci2_value_next(&look, &first) && first.kind == ESCI2_WORD &&
        strcmp(first.word, "RSMS") == 0) {
        *tokens = look;
        take_list_of_numbers(tokens, dpi);
    } else {
        take_list_of_words(tokens, options);
    }
}

static const struct {
    char key[ESCI2_WORD_SIZE];
    size_t offset;
} number_keys[] = {
    { "#RSM", offsetof(Esci2Capa, dpi_main) },     { "#RSS", offsetof(Esci2Capa, dpi_sub) },
    { "#JPG", offsetof(Esci2Capa, jpeg_quality) }, { "#THR", offsetof(Esci2Capa, threshold) },
    { "#CRP", offsetof(Esci2Capa, crop_margin) },  { "#FLA", offsetof(Esci2Capa, fill_widths) },
    { "#BRT", offsetof(Esci2Capa, brightness) },   { "#CTR", offsetof(Esci2Capa, contrast) },
};

static const struct {
    char key[ESCI2_WORD_SIZE];
    size_t offset;
} word_keys[] = {
    { "#COL", offsetof(Esci2Capa, colors) },        { "#FMT", offsetof(Esci2Capa, formats) },
    { "#GMM", offsetof(Esci2Capa, gamma) },         { "#GMT", offsetof(Esci2Capa, gamma_tables) },
    { "#CMX", offsetof(Esci2Capa, matrices) },      { "#QIT", offsetof(Esci2Capa, quiet) },
    { "#CCT", offsetof(Esci2Capa, color_counter) }, { "#LAM", offsetof(Esci2Capa, card) },
    { "#FLC", offsetof(Esci2Capa, fill_colors) },
};

static void take_capability(Esci2Tokens *tokens, const char *key, Esci2Capa *capa)
{
    for (size_t i = 0; i < COUNT_OF(number_keys); i++)
        if (strcmp(number_keys[i].key, key) == 0)
            take_list_of_numbers(tokens, (Esci2Numbers *)((char *)capa + number_keys[i].offset));
    for (size_t i = 0; i < COUNT_OF(word_keys); i++)
        if (strcmp(word_keys[i].key, key) == 0)
            take_list_of_words(tokens, (Esci2Words *)((char *)capa + word_keys[i].offset));
}

WireResult esci2_capa_decode(Bytes block, Esci2Capa *ret_capa)
{
    Esci2Tokens tokens = esci2_tokens_over(block);
    Esci2Capa capa = { 0 };
    char key[ESCI2_WORD_SIZE];

    while (esci2_key_next(&tokens, key)) {
        if (strcmp(key, "#ADF") == 0)
            take_options(&tokens, &capa.adf, &capa.adf_dpi);
        else if (strcmp(key, "#FB ") == 0)
            take_options(&tokens, &capa.flatbed, &capa.flatbed_dpi);
        else
            take_capability(&tokens, key, &capa);
    }
    if (tokens.bad)
        return WIRE_BROKEN;
    *ret_capa = capa;
    return WIRE_OK;
}

static bool put_list_of_numbers(Buf *to, const char *key, const char *name,
                                const Esci2Numbers *list)
{
    bool ok = true;

    if (list->count == 0)
        return true;
    ok = esci2_put_word(to, key) && (!name || esci2_put_word(to, name)) &&
         esci2_put_word(to, list->range ? "RANG" : "LIST");
    for (size_t i = 0; i < list->count; i++)
        ok = ok && esci2_put_number(to, list->value[i]);
    return ok;
}

static bool put_list_of_words(Buf *to, const char *key, const Esci2Words *list)
{
    bool ok = list->count == 0 || (esci2_put_word(to, key) && esci2_put_word(to, "LIST"));

    for (size_t i = 0; i < list->count; i++)
        ok = ok && esci2_put_word(to, list->word[i]);
    return ok;
}

/* One key per option word. */
static bool put_options(Buf *to, const char *key, const Esci2Words *options)
{
    bool ok = true;

    for (size_t i = 0; i < options->count; i++)
        ok = ok && put_key_word(to, key, options->word[i], NULL);
    return ok;
}

bool esci2_capa_encode(Buf *to, const Esci2Capa *capa)
{
    return put_options(to, "#ADF", &capa->adf) &&
           put_list_of_numbers(to, "#ADF", "RSMS", &capa->adf_dpi) &&
           put_options(to, "#FB", &capa->flatbed) &&
           put_list_of_numbers(to, "#FB", "RSMS", &capa->flatbed_dpi) &&
           put_list_of_words(to, "#COL", &capa->colors) &&
           put_list_of_words(to, "#FMT", &capa->formats) &&
           put_list_of_numbers(to, "#JPG", NULL, &capa->jpeg_quality) &&
           put_list_of_numbers(to, "#THR", NULL, &capa->threshold) &&
           put_list_of_words(to, "#GMM", &capa->gamma) &&
           put_list_of_words(to, "#GMT", &capa->gamma_tables) &&
           put_list_of_words(to, "#CMX", &capa->matrices) &&
           put_list_of_numbers(to, "#RSM", NULL, &capa->dpi_main) &&
           put_list_of_numbers(to, "#RSS", NULL, &capa->dpi_sub) &&
           put_list_of_numbers(to, "#CRP", NULL, &capa->crop_margin) &&
           put_list_of_words(to, "#FLC", &capa->fill_colors) &&
           put_list_of_numbers(to, "#FLA", NULL, &capa->fill_widths) &&
           put_list_of_numbers(to, "#BRT", NULL, &capa->brightness) &&
           put_list_of_numbers(to, "#CTR", NULL, &capa->contrast) &&
           put_list_of_words(to, "#QIT", &capa->quiet) &&
           put_list_of_words(to, "#CCT", &capa->color_counter) &&
           put_list_of_words(to, "#LAM", &capa->card);
}

/* ---- STAT ---- */

/* Part and cause; more than the maximum are left out. False: there are not two words. */
static bool take_cause(Esci2Tokens *tokens, Esci2Error *list, size_t *count)
{
    Esci2Token part, cause;

    if (*count == ESCI2_ERRORS_MAX)
        return true;
    if (!esci2_value_next(tokens, &part) || part.kind != ESCI2_WORD ||
        !esci2_value_next(tokens, &cause) || cause.kind != ESCI2_WORD)
        return false;
    memcpy(list[*count].part, part.word, ESCI2_WORD_SIZE);
    memcpy(list[(*count)++].cause, cause.word, ESCI2_WORD_SIZE);
    return true;
}

/* A warning is no reason to end a scan: of a form that is not known it is passed over. */
static void take_condition(Esci2Tokens *tokens, char ret_word[ESCI2_WORD_SIZE])
{
    Esci2Token token;

    if (esci2_value_next(tokens, &token) && token.kind == ESCI2_WORD)
        memcpy(ret_word, token.word, ESCI2_WORD_SIZE);
}

WireResult esci2_stat_decode(Bytes block, Esci2Stat *ret_stat)
{
    Esci2Tokens tokens = esci2_tokens_over(block);
    Esci2Stat stat = { 0 };
    char key[ESCI2_WORD_SIZE];

    while (esci2_key_next(&tokens, key)) {
        if (strcmp(key, "#ERR") == 0 && !take_cause(&tokens, stat.errors, &stat.error_count))
            return WIRE_BROKEN;
        if (strcmp(key, "#WRN") == 0)
            (void)take_cause(&tokens, stat.warnings, &stat.warning_count);
        else if (strcmp(key, "#GLS") == 0)
            take_condition(&tokens, stat.glass);
        else if (strcmp(key, "#BAT") == 0)
            take_condition(&tokens, stat.battery);
    }
    if (tokens.bad)
        return WIRE_BROKEN;
    *ret_stat = stat;
    return WIRE_OK;
}

bool esci2_stat_encode(Buf *to, const Esci2Stat *stat)
{
    bool ok = true;

    for (size_t i = 0; i < stat->error_count; i++)
        ok = ok && put_key_word(to, "#ERR", stat->errors[i].part, stat->errors[i].cause);
    for (size_t i = 0; i < stat->warning_count; i++)
        ok = ok && put_key_word(to, "#WRN", stat->warnings[i].part, stat->warnings[i].cause);
    if (stat->glass[0])
        ok = ok && esci2_put_word(to, "#GLS") && esci2_put_word(to, stat->glass);
    if (stat->battery[0])
        ok = ok && esci2_put_word(to, "#BAT") && esci2_put_word(to, stat->battery);
    return ok;
}
