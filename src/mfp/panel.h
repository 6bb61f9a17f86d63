/* mfp/panel.h - the device's panel as a small web page: what a person would see and touch.
 *
 *   GET  /        the page                       POST /press   {"name": "...", "choice": "02"}
 *   GET  /state   what the panel shows, JSON     POST /load    {"sheets": 5}
 *                                                POST /cancel  no body
 *                                                POST /fault   {"kind": "jam", "page": 2}
 *                                                POST /clear   no body
 *   POST /jobs   {"name": "..."}: asks for its jobs; then /press takes {"name": "...", "job": 3}
 *
 * Handlers run on threads of the HTTP server and hand each question to the loop thread, where the
 * device lives. Errors are problem documents. There is no log-in: whoever reaches the panel of a
 * printer may press its buttons; it listens on the device's address only. */
#ifndef PLATEN_MFP_PANEL_H
#define PLATEN_MFP_PANEL_H

#include "mfp/device.h"

typedef struct Panel Panel;

/* Listens on a port of the device's address; 0: a free one. loop and device are borrowed. Errors:
 * ERR_TEMPORARY (port in use, no memory), ERR_DENIED. Before the loop runs. */
Panel *panel_new(Loop *loop, Device *device, const NetAddress *address, uint16_t port, Err *err);

/* "http://127.0.0.1:8080". Lives as long as the panel. */
const char *panel_url(const Panel *panel);

/* Stops; questions still waiting for the loop are answered with 503. After loop_run has returned,
 * before device_free and loop_free. Accepts NULL. */
void panel_free(Panel *panel);
DEFINE_AUTO(Panel, panel_free);

#endif
