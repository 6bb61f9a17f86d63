/* device/scan-order.h - what a scan is asked to do, what it learns and how it ends. Plain values.
 *
 * The code of the reason of an ended scan is a stable word:
 *   COMPLETE    ""
 *   CANCELLED   cancelled-at-device, cancelled (by the host)
 *   BROKEN      reported by the device: paper-jam no-paper cover-open double-feed device-error
 *               lamp-error carriage-locked tray-closed login-needed login-failed not-permitted
 *               battery-low sensor-error carrier-sheet paper-protection separation-lever
 *               device-position feeder-raised remove-paper stacker-full paper-skewed device-reserved
 *               of the link: device-busy certificate-changed tls-downgraded tls-lost no-tls connect-failed
 *               connection-lost no-answer no-progress device-timeout device-rejected protocol-error warming-up source-missing
 *               format-not-offered settings-not-offered parameters-refused two-sided-page
 *               page-broken page-too-large too-many-pages server-stopping out-of-memory
 *               or what the host gave when it could not keep a page (page-not-stored ...) or found
 *               another device at the address (another-device) */
#ifndef PLATEN_DEVICE_SCAN_ORDER_H
#define PLATEN_DEVICE_SCAN_ORDER_H

#include "model/batch.h"
#include "model/device-offer.h"
#include "model/device.h"
#include "model/job.h"
#include "model/quirks.h"

/* Notices of a scan that the host acts upon (scan-session.h has the others): an empty feeder is waited for; it has
 * sheets again. */
#define SCAN_NOTICE_WAITS  "waits-for-sheets"
#define SCAN_NOTICE_SHEETS "more-sheets"

/* How the host wants a page made. What the device cannot do is replaced by its nearest. */
typedef ScanSettings ScanOrder;

/* What is known of the device beside what it says itself. */
typedef struct ScanTraits {
    DeviceBackRotation back_rotation; /* as it is set; AUTO: as the quirks say, else the device */
    const QuirkBook *quirks;          /* outlives the scan; NULL: none                          */
} ScanTraits;

/* How the device is reached, and what is known of it. */
typedef struct DeviceReach {
    DeviceTransport transport;
    char
        certificate[CERTIFICATE_TEXT_SIZE]; /* the only one that is trusted; "" = the first shown */
    bool was_modern;                        /* it spoke modern TLS before: less is refused */
    ScanTraits traits;
} DeviceReach;

/* What a scan learned from INFO. Texts are "" when the device does not say. */
typedef struct DeviceIdentity {
    char product[PRODUCT_TEXT_SIZE], serial[64], firmware[64];
    char certificate[CERTIFICATE_TEXT_SIZE]; /* "" = it was reached without TLS */
    DeviceTls tls;                           /* the same: DEVICE_TLS_NONE       */
    char tls_version[TLS_VERSION_TEXT_SIZE];
} DeviceIdentity;

typedef enum ScanEnd { SCAN_END_COMPLETE, SCAN_END_CANCELLED, SCAN_END_BROKEN } ScanEnd;

#endif
