/* model/device-probe.h - how a device was tried, stage by stage, without a scan. Pure. */
#ifndef PLATEN_MODEL_DEVICE_PROBE_H
#define PLATEN_MODEL_DEVICE_PROBE_H

#include "model/batch.h"
#include "model/device.h"

typedef enum ProbeStage {
    PROBE_CONNECT,  /* TCP to the port for scans                                  */
    PROBE_TLS,      /* the handshake, or the finding that the device knows no TLS */
    PROBE_IDENTIFY, /* the inquiry session: who it is                             */
    PROBE_STAGE_MAX_
} ProbeStage;

extern const char *const probe_stage_words[]; /* ends with NULL */

typedef struct DeviceProbe {
    ProbeStage failed; /* those before it went well; PROBE_STAGE_MAX_: all did */
    int64_t ms[PROBE_STAGE_MAX_];
    char tls_version[TLS_VERSION_TEXT_SIZE]; /* "TLSv1.2"; "" = it was spoken to plainly */
    char product[PRODUCT_TEXT_SIZE], serial[64], firmware[64];
    char certificate[CERTIFICATE_TEXT_SIZE];
    Reason reason; /* of the failure */
} DeviceProbe;

/* A device that is well but not the one that is meant fails in the last stage: its serial number is another one than
 * what is known ("" = nothing is). */
void device_probe_judge(DeviceProbe *probe, const char *known_serial);

#endif
