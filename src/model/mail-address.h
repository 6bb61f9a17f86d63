/* model/mail-address.h - addresses of mail, as a person writes them into one field.
 *
 *   anna@example.org, Bob Builder <bob@example.org>; "Doe, Jane" <{job}@example.org>
 *
 * Between two stands a comma, a semicolon or a line end. Names and addresses may have tokens
 * (model/name.h); the list is taken apart before they are resolved, so that no value brings a further
 * recipient with it. Pure. Any thread. */
#ifndef PLATEN_MODEL_MAIL_ADDRESS_H
#define PLATEN_MODEL_MAIL_ADDRESS_H

#include "model/name.h"

enum {
    MAIL_ADDRESS_SIZE = 255, /* RFC 5321, 4.5.3.1.3: 256 octets with < and > around it */
    MAIL_NAME_SIZE = 128,
};

typedef struct MailAddress {
    char address[MAIL_ADDRESS_SIZE];
    char name[MAIL_NAME_SIZE]; /* UTF-8 without control characters; "" = none, cut when too long */
} MailAddress;

/* Checks LOCAL@DOMAIN: a dot-atom of ASCII, then a host name or an address in brackets (RFC 5321, 4.1.2,
 * without quoted local parts). ERR_BAD_INPUT says what is wrong with it and the cure. */
bool mail_address_check(const char *address, Err *err);

/* Takes the next address from *list and resolves it; *list moves behind it. False at the end (err->kind is
 * ERR_NONE) and with ERR_BAD_INPUT. */
bool mail_list_next(const char **list, const NameFacts *facts, MailAddress *ret, Err *err);

/* Checks a list as it is stored in a job; an address with tokens only as far as can be known. */
bool mail_list_check(const char *list, Err *err);

#endif
