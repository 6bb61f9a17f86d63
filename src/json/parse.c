/* json/parse.c - one JSON text (RFC 8259) into a tree, read by jansson.
 *
 * jansson has no limits that can be set, so depth and number of values are counted before it runs.
 * And it does not survive a failed allocation everywhere: its buffer of the present token loses a
 * byte silently, or an assertion ends the program. So what it allocates hangs on a list, a refused
 * allocation jumps out of it, and the list is freed whole. No other library here uses jansson. */
#include "json/tree.h"

#include "base/limits.h"
#include "base/text.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

enum { REAL_TEXT_SIZE = 32, REAL_DIGITS_SHORT = 15, REAL_DIGITS_EXACT = 17 };

/* --- jansson's memory -------------------------------------------------------------------------- */

typedef struct Block Block;
struct Block {
    Block *next, **link; /* link: what points to this block */
    _Alignas(max_align_t) uint8_t bytes[];
};

/* One run of jansson. */
typedef struct Load {
    Block *blocks;
    bool refused; /* an allocation was */
    jmp_buf on_refusal;
} Load;

static _Thread_local Load *loading; /* the run that jansson allocates for */

static void *take_block(size_t size)
{
    Block *block = malloc(sizeof *block + size);

    if (!block)
        longjmp(loading->on_refusal, 1);
    block->next = loading->blocks;
    block->link = &loading->blocks;
    if (block->next)
        block->next->link = &block->next;
    loading->blocks = block;
    return block->bytes;
}

static void give_block(void *bytes)
{
    Block *block = (void *)((uint8_t *)bytes - offsetof(Block, bytes));

    *block->link = block->next;
    if (block->next)
        block->next->link = block->link;
    free(block);
}

/* Before main, since a sandboxed worker cannot open the source of random numbers any more. */
__attribute__((constructor)) static void prepare_jansson(void)
{
    json_set_alloc_funcs(take_block, give_block);
    json_object_seed(0);
}

static json_t *load_text(Load *load, Bytes text, json_error_t *ret_error)
{
    loading = load;
    if (setjmp(load->on_refusal) != 0) {
        load->refused = true;
        return NULL;
    }
    return json_loadb(text.n ? (const char *)text.p : "", text.n,
                      JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, ret_error);
}

static void load_done(Load *load)
{
    loading = NULL;
    while (load->blocks) {
        Block *next = load->blocks->next;

        free(load->blocks);
        load->blocks = next;
    }
}

/* --- into our tree; NULL when memory is gone ---------------------------------------------------- */

/* As few digits as bring the number back, and always a sign that it is not a whole one. */
static Json *convert_real(double real)
{
    char digits[REAL_TEXT_SIZE];

    (void)text_printf(digits, sizeof digits, "%.*g", REAL_DIGITS_SHORT, real);
    if (strtod(digits, NULL) != real)
        (void)text_printf(digits, sizeof digits, "%.*g", REAL_DIGITS_EXACT, real);
    size_t n = strlen(digits);
    if (!strpbrk(digits, ".e"))
        (void)text_copy(digits + n, sizeof digits - n, ".0");
    return json_node_text(JSON_NUMBER, bytes_of_text(digits));
}

static Json *convert_scalar(const json_t *from)
{
    if (json_is_string(from))
        return json_node_text(JSON_TEXT, bytes_of_text(json_string_value(from)));
    if (json_is_real(from))
        return convert_real(json_real_value(from));
    Json *value = json_node_new(json_is_boolean(from)   ? JSON_BOOL
                                : json_is_integer(from) ? JSON_NUMBER
                                                        : JSON_NULL_VALUE);
    if (!value)
        return NULL;
    value->boolean = json_is_true(from);
    if (json_is_integer(from)) {
        value->whole = true;
        value->integer = json_integer_value(from);
    }
    return value;
}

static Json *convert(json_t *from)
{
    if (!json_is_array(from) && !json_is_object(from))
        return convert_scalar(from);
    AUTO(Json) container = json_node_new(json_is_array(from) ? JSON_ARR : JSON_OBJ);
    void *member = json_object_iter(from);
    for (size_t i = 0; container && (member || i < json_array_size(from)); i++) {
        Json *item = convert(member ? json_object_iter_value(member) : json_array_get(from, i));

        if (!item)
            return NULL;
        if (member &&
            !(item->name = json_copy_bytes(bytes_of_text(json_object_iter_key(member))))) {
            json_free(item);
            return NULL;
        }
        if (!json_node_append(container, item))
            return NULL;
        member = json_object_iter_next(from, member);
    }
    return STEAL(container);
}

/* --- texts ------------------------------------------------------------------------------------- */

/* Reads one text; the caller bounds its depth. NULL when it is wrong, as *ret_error tells, or
 * because memory is gone. */
static Json *read_text(Bytes text, json_error_t *ret_error, bool *ret_no_memory)
{
    Load load = { 0 };
    json_t *root = load_text(&load, text, ret_error);
    Json *value = root ? convert(root) : NULL;

    *ret_no_memory = load.refused || (root && !value);
    load_done(&load);
    return value;
}

bool json_parse_plain(Bytes text, Json **ret_value, Err *err)
{
    json_error_t error;
    bool no_memory;

    *ret_value = read_text(text, &error, &no_memory);
    if (no_memory)
        return json_no_memory(err);
    if (!*ret_value && json_error_code(&error) == json_error_numeric_overflow &&
        error.position == (int)text.n) /* else it is a text that starts with many digits */
        return err_set(err, ERR_BAD_INPUT, 0,
                       "this number is too large; put it in double quotes when it is a text");
    return true;
}

/* Counts as far as the text is well-formed; where it is not, jansson stops before the count. */
static bool check_limits(Bytes text, Err *err)
{
    size_t line = 1, depth = 0, values = 1;
    bool quoted = false, opened = false; /* opened: nothing yet stands behind a bracket */

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';

        line += c == '\n';
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
            continue;
        }
        if (c <= ' ')
            continue;
        values += c == ',' || (opened && !closes);
        depth += opens;
        depth -= closes && depth > 0;
        opened = opens;
        quoted = c == '"';
        if (depth > JSON_DEPTH_MAX)
            return err_set(err, ERR_BAD_INPUT, 0, "line %zu: nested more than %d deep", line,
                           JSON_DEPTH_MAX);
        if (values > JSON_VALUES_MAX)
            return err_set(err, ERR_BAD_INPUT, 0, "line %zu: more than %d values", line,
                           JSON_VALUES_MAX);
    }
    return true;
}

/* Records what jansson found wrong. Its quotation of the text may end within a character. Returns
 * false. */
static bool fail_as_told(const json_error_t *error, Err *err)
{
    char what[sizeof error->text];

    (void)text_copy(what, sizeof what, error->text);
    char *quotation = strstr(what, " near '");
    if (quotation && (!text_is_utf8(bytes_of_text(quotation)) || text_has_control(quotation)))
        *quotation = '\0';
    return err_set(err, ERR_BAD_INPUT, 0, "line %d, column %d: %s", error->line, error->column,
                   what);
}

Json *json_parse(Bytes text, Err *err)
{
    json_error_t error;
    bool no_memory;

    if (!json_check_text(text, err))
        return NULL;
    if (bytes_start_with(text, "\xef\xbb\xbf")) /* the mark some editors put before UTF-8 */
        text = bytes_after(text, 3);
    if (!check_limits(text, err))
        return NULL;
    Json *value = read_text(text, &error, &no_memory);
    if (no_memory)
        json_no_memory(err);
    else if (!value)
        fail_as_told(&error, err);
    return value;
}
