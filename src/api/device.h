/* api/device.h - inside of api: what the files about devices share. */
#ifndef PLATEN_API_DEVICE_H
#define PLATEN_API_DEVICE_H

#include "api/context.h"

/* Answers the device as GET does. */
bool device_answer(HttpRequest *req, HttpResponse *res, const DeviceId *id, Err *err);

/* What the server does with devices; NULL with ERR_TEMPORARY when it serves none. */
const ApiDevices *api_devices_of(const HttpRequest *req, Err *err);

#endif
