/* destination/form.h - a body of multipart/form-data (RFC 7578) around a parcel, for webhook and Paperless.
 *
 * Members first, then the file: form_start(), form_text() as often as needed, form_file(), form_send(). The
 * body is the same in every attempt. Names hold no line end. */
#ifndef PLATEN_DESTINATION_FORM_H
#define PLATEN_DESTINATION_FORM_H

#include "destination/http.h"

enum { FORM_BOUNDARY_SIZE = 64 }; /* RFC 2046: at most 70 characters */

typedef struct Form {
    char boundary[FORM_BOUNDARY_SIZE];
    Buf before, after; /* of the file in the body */
} Form;

/* Begins a form for the errand's parcel; form_done() frees it. */
void form_start(Form *form, const Errand *errand);
void form_done(Form *form);

/* Adds a member; media_type may be NULL. form_part() only begins it: the caller appends the content to before. */
void form_text(Form *form, const char *name, const char *media_type, const char *text);
void form_part(Form *form, const char *name, const char *media_type);

/* Adds the parcel as a file and ends the form. False with the result filled (CONFIG, in this stage) when the
 * form became too large. */
bool form_file(Form *form, const Errand *errand, const char *name, const char *stage);

/* Makes the form the body of the exchange that was begun; borrowed until it was run. */
void form_send(const Form *form, Transfer *transfer, const Errand *errand);

#endif
