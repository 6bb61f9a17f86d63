/* api/device.h - inside of api: what the files about devices share. */
#ifndef PLATEN_API_DEVICE_H
#define PLATEN_API_DEVICE_H

#include "api/context.h"

/* Answers the device as GET does. */
bool device_answer(HttpRequest *req, HttpResponse *res, const DeviceId *id, Err *err);

/* Adds what is known of its pairing to the shown device: nothing when it is not paired. */
void device_pairing_show(const ApiRead *read, const DeviceId *id, Json *object);

/* What the server does with devices; NULL with ERR_TEMPORARY when it serves none. */
const ApiDevices *api_devices_of(const HttpRequest *req, Err *err);

#endif
