/* model/batch.c - see batch.h. */
#include "model/batch.h"

#include "base/bytes.h"
#include "base/text.h"

#include <string.h>

const char *const batch_state_words[] = {
    "receiving", "received",  "composing", "delivering", "done",
    "attention", "cancelled", "broken",    NULL,
};
const char *const batch_files_words[] = { "kept", "removing", "removed", "missing", NULL };
const char *const page_state_words[] = { "stored", "reading", "read", "unread", "damaged", NULL };
const char *const document_kind_words[] = { "document", "index", NULL };
const char *const document_state_words[] = { "planned", "writing", "written", "failed", NULL };

typedef struct BatchRule {
    BatchState next;
    bool allowed;
} BatchRule;

static const BatchRule batch_rules[BATCH_STATE_MAX_][BATCH_EVENT_MAX_] = {
    [BATCH_RECEIVING] = { [BATCH_EVENT_COMPLETE] = { BATCH_RECEIVED, true },
                          [BATCH_EVENT_CANCEL] = { BATCH_CANCELLED, true },
                          [BATCH_EVENT_BREAK] = { BATCH_BROKEN, true } },
    [BATCH_RECEIVED] = { [BATCH_EVENT_COMPOSE] = { BATCH_COMPOSING, true } },
    [BATCH_COMPOSING] = { [BATCH_EVENT_WRITTEN] = { BATCH_DELIVERING, true },
                          [BATCH_EVENT_STUCK] = { BATCH_ATTENTION, true } },
    [BATCH_DELIVERING] = { [BATCH_EVENT_DELIVERED] = { BATCH_DONE, true },
                           [BATCH_EVENT_STUCK] = { BATCH_ATTENTION, true } },
    [BATCH_DONE] = { [BATCH_EVENT_RETRY_DELIVERY] = { BATCH_DELIVERING, true } },
    [BATCH_ATTENTION] = { [BATCH_EVENT_RETRY_COMPOSE] = { BATCH_COMPOSING, true },
                          [BATCH_EVENT_RETRY_DELIVERY] = { BATCH_DELIVERING, true },
                          [BATCH_EVENT_GIVE_UP] = { BATCH_CANCELLED, true } },
    [BATCH_CANCELLED] = { [BATCH_EVENT_DELIVER] = { BATCH_COMPOSING, true } },
    [BATCH_BROKEN] = { [BATCH_EVENT_DELIVER] = { BATCH_COMPOSING, true } },
};

bool batch_step(BatchState *state, BatchEvent event)
{
    const BatchRule *rule = &batch_rules[*state][event];

    if (rule->allowed)
        *state = rule->next;
    return rule->allowed;
}

static const char *const page_extensions[PAGE_FORMAT_MAX_] = { "jpg", "raw" };

void page_file_name(uint32_t number, char side, PageFormat format, char ret_name[32])
{
    (void)text_printf(ret_name, 32, "p%04u%c.%s", number, side == 'B' ? 'b' : 'a',
                      page_extensions[format]);
}

bool page_file_parse(const char *name, uint32_t *ret_number, char *ret_side, PageFormat *ret_format)
{
    size_t digits = strspn(name + (name[0] == 'p'), "0123456789");
    char side = name[0] == 'p' ? name[1 + digits] : '\0';
    int64_t number;

    if ((side != 'a' && side != 'b') || digits < 4 ||
        !bytes_to_int((Bytes){ (const uint8_t *)name + 1, digits }, 1, BATCH_PAGES_MAX, &number))
        return false;
    for (PageFormat format = 0; format < PAGE_FORMAT_MAX_; format++) {
        char again[32];

        page_file_name((uint32_t)number, side == 'b' ? 'B' : 'A', format, again);
        if (!text_equal(name, again))
            continue;
        *ret_number = (uint32_t)number;
        *ret_side = side == 'b' ? 'B' : 'A';
        *ret_format = format;
        return true;
    }
    return false;
}

void batch_files_text(const Batch *batch, char ret_text[BATCH_FILES_TEXT_SIZE])
{
    if (batch->files == BATCH_FILES_KEPT)
        ret_text[0] = '\0';
    else if (batch->files == BATCH_FILES_MISSING)
        (void)text_copy(ret_text, BATCH_FILES_TEXT_SIZE, "the folder of the batch is missing");
    else
        (void)text_printf(ret_text, BATCH_FILES_TEXT_SIZE, "the files were removed %s",
                          batch->files_why);
}
