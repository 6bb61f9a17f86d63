/* device/scan-tone.h - brightness, contrast and gamma as a device takes them. Pure. */
#ifndef PLATEN_DEVICE_SCAN_TONE_H
#define PLATEN_DEVICE_SCAN_TONE_H

#include "model/scan-settings.h"
#include "wire/esci2-para.h"

/* Sets what is needed for the tone that is wanted: #BRT and #CTR where both are offered as ranges (-100..100 is
 * stretched over them), and tables for the rest. Nothing when the tone is plain. */
void scan_tone_plan(const Esci2Capa *capa, const ScanSettings *settings, Esci2Para *para);

/* What becomes of each value: contrast turns the line about the middle (100: three times as steep, -100: a
 * fifth), brightness lifts it (100: by half the range), then comes the gamma. Three
 * zeros give the identity. */
void scan_tone_table(int32_t brightness, int32_t contrast, int32_t gamma,
                     uint8_t ret_table[ESCI2_TABLE_SIZE]);

#endif
