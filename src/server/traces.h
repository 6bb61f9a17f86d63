/* server/traces.h - traces of devices, as the API asks for them. The arg is the Tracers of the scan service. */
#ifndef PLATEN_SERVER_TRACES_H
#define PLATEN_SERVER_TRACES_H

#include "api/api.h"

extern const ApiTraces server_traces;

#endif
