/* json/fields.h - what fields.c and describe.c share; private to src/json. */
#ifndef PLATEN_JSON_FIELDS_H
#define PLATEN_JSON_FIELDS_H

#include "json/json.h"

/* The word of a field type in descriptions ("text"), and back; false for an unknown word. */
const char *field_type_name(FieldType type);
bool field_type_of_name(const char *name, FieldType *ret_type);

/* json_read_fields without a struct: only the checks. The offsets of the table are not used. */
bool json_check_fields(const Json *object, const Field *fields, Err *err);

#endif
