/* worker/deliver.h - the dialogue of platen-deliver: task, questions and answers, result.
 *
 *   <- {"type":"task","id":"<delivery>","task":"deliver","kind":"folder","settings":{...},
 *       "options":{...},"facts":{"job","device","started_at_ms","utc_offset_min","document","pages"},
 *       "file":{"path","size","sha256","name"},"reserved_name":"..."|null}
 *      with "index":{"batch":{..},"documents":[..]} the file is the index made of these rows
 *   -> {"type":"question","id":"..","question":"name","name":"scan.pdf"}   "" gives the name back
 *   -> {"type":"alive","id":".."}                               wait anew
 *   -> {"type":"question","id":"..","question":"learn","setting":"tls_pin","value":".."}
 *   <- {"type":"answer","id":"..","answer":"go"|"stop"}
 *   -> {"type":"result","id":"..","result":{"class","stage","native_code","protocol_code","text",
 *       "cure","retry_after_s","remote_name","size_bytes","sha256"}}
 *
 *   <- {"type":"task","id":"..","task":"test","kind":"ftp","settings":{...}}
 *   -> {"type":"progress","id":"..","stage":"connect","ms":3}   for each stage that ended well
 *   -> {"type":"result", ...}
 *
 *   <- {"type":"task","id":"..","task":"notify","kind":"email","settings":{...},"options":{...},
 *       "words":{"subject","text"}}
 *   -> {"type":"result", ...}                              the text of the options went to people
 *
 * Tasks run in this process, one after the other; what a kind keeps (a connection) stays as long as the
 * settings are the same and nothing failed. */
#ifndef PLATEN_WORKER_DELIVER_H
#define PLATEN_WORKER_DELIVER_H

#include "model/delivery.h"
#include "json/lines.h"

/* How long the server may think about a question. */
enum { DELIVER_ANSWER_MS = 60000 };

/* Serves tasks that come on fd until the other side closes it. False with err set when fd fails. */
bool deliver_serve(int fd, Err *err);

/* One task by hand: messages go to out_fd, every question gets the answer go or stop at once.
 * *ret_class: how it ended. False when the task is not one or out_fd fails. */
bool deliver_once(const Json *task, int out_fd, bool go, DeliveryClass *ret_class, Err *err);

#endif
