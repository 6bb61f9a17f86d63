/* document/format.c - see format.h. */
#include "document/format.h"

#include "base/text.h"

const FormatType *format_find(const char *name)
{
    for (const FormatType *const *type = format_types; *type; type++)
        if (text_equal((*type)->name, name))
            return *type;
    return NULL;
}
