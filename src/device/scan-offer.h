/* device/scan-offer.h - what an ESC/I-2 device offers (INFO, CAPA) as facts of model/device-offer.h. Pure. */
#ifndef PLATEN_DEVICE_SCAN_OFFER_H
#define PLATEN_DEVICE_SCAN_OFFER_H

#include "model/device-offer.h"
#include "wire/esci2-info.h"

/* The facts of one device. A list it does not give is not offered, but colours: none given, colour and grey
 * are tried. */
void scan_offer(const Esci2Info *info, const Esci2Capa *capa, DeviceOffer *ret_offer);

/* Takes away what the device could do without: the second try after it refused parameters. */
void scan_offer_spare(DeviceOffer *offer);

#endif
