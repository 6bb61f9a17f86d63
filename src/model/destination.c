/* model/destination.c - see destination.h. */
#include "model/destination.h"

#include "model/noun.h"

const Field destination_fields[] = {
    TEXT(Destination, name, true, "Name of the destination."),
    TEXT(Destination, kind, true, "Kind of the destination, for example folder."),
    JSON_OBJECT(Destination, settings, "Settings of the kind."),
    INTEGER(Destination, parallel, 1, DESTINATION_PARALLEL_MAX, 2,
            "Deliveries to it at the same time; after a failure it begins with one again."),
    INTEGER(Destination, expiry_hours, 1, 720, 72,
            "Hours after which a delivery that did not get through fails."),
    FIELDS_END,
};

bool destination_check(const Destination *destination, Err *err)
{
    return noun_name_check(destination->name, err);
}
