/* flow/identity.c - see identity.h. */
#include "flow/identity.h"

#include "base/text.h"

IdentityStep flow_identity_said(const Device *here, const Device *known, const char *serial)
{
    bool never_edited = here->state == DEVICE_SEEN && here->revision == 1;

    if (!serial[0] || text_equal(here->serial, serial))
        return known && here->state == DEVICE_SEEN && serial[0] ? IDENTITY_CHECK_FORMER
                                                                : IDENTITY_NOTHING;
    /* An approved device without a number stays what it is: a person approved this address. */
    if (known && (here->state == DEVICE_SEEN || here->serial[0]))
        return IDENTITY_CHECK_FORMER;
    /* The number of a device that was once approved stays, so that nobody takes its place. */
    return never_edited || !here->serial[0] ? IDENTITY_LEARN : IDENTITY_NOTHING;
}

bool flow_identity_may_move(const Device *known, const char *address, FormerAnswer answer,
                            const char *former_serial, Reason *ret_reason)
{
    *ret_reason = (Reason){ 0 };
    if (answer == FORMER_ABSENT ||
        (answer == FORMER_SAID && !text_equal(former_serial, known->serial)))
        return true;
    bool twice = answer == FORMER_SAID;
    (void)text_copy(ret_reason->code, sizeof ret_reason->code,
                    twice ? "serial-said-twice" : "address-not-free");
    (void)text_printf(ret_reason->text, sizeof ret_reason->text,
                      twice ? "%.45s says the serial number %.40s, which the device at %.45s still "
                              "has."
                            : "%.45s says the serial number %.40s, but the device at %.45s still "
                              "takes connections and does not say who it is.",
                      address, known->serial, known->address);
    (void)text_copy(ret_reason->remedy, sizeof ret_reason->remedy,
                    twice
                        ? "Find out which of the two is yours; the approved one stays where it is."
                        : "If the device has moved, wait until its former address is free.");
    return false;
}

bool flow_identity_is_proven(const Device *known, const char *address, const char *certificate,
                             Reason *ret_reason)
{
    *ret_reason = (Reason){ 0 };
    bool any = text_equal(known->certificate, CERTIFICATE_NEXT) && certificate[0];

    if (!known->certificate[0] || any || text_equal(known->certificate, certificate))
        return true;
    (void)text_copy(ret_reason->code, sizeof ret_reason->code, "certificate-changed");
    (void)text_printf(
        ret_reason->text, sizeof ret_reason->text,
        "%.45s says the serial number %.40s, but has not the certificate of that device.", address,
        known->serial);
    (void)text_copy(ret_reason->remedy, sizeof ret_reason->remedy,
                    "If the device was reset, let it be trusted (platen device trust).");
    return false;
}
