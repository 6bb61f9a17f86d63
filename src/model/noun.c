/* model/noun.c - see noun.h. */
#include "model/noun.h"

#include "base/text.h"

bool noun_name_check(const char *name, Err *err)
{
    size_t n = strlen(name);

    if (n == 0)
        err_set(err, ERR_BAD_INPUT, 0, "the name is empty");
    else if (!text_is_utf8(bytes_of_text(name)) || text_has_control(name))
        err_set(err, ERR_BAD_INPUT, 0, "the name has characters that cannot be shown");
    else if (name[0] == ' ' || name[n - 1] == ' ')
        err_set(err, ERR_BAD_INPUT, 0, "the name begins or ends with a blank");
    else
        return true;
    return err_field(err, "name");
}
