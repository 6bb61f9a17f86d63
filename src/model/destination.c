/* model/destination.c - see destination.h. */
#include "model/destination.h"

#include "model/noun.h"

const Field destination_fields[] = {
    TEXT(Destination, name, true, "Name of the destination."),
    TEXT(Destination, kind, true, "Kind of the destination, for example folder."),
    JSON_OBJECT(Destination, settings, "Settings of the kind."),
    FIELDS_END,
};

bool destination_check(const Destination *destination, Err *err)
{
    return noun_name_check(destination->name, err);
}
