/* worker/deliver.h - the dialogue of platen-deliver: task, question and answer, result.
 *
 *   <- {"type":"task","id":"<delivery>","task":"deliver","kind":"folder","settings":{...},
 *       "file":{"path","size","sha256","name"},"reserved_name":"..."|null}
 *   -> {"type":"question","id":"..","question":"name","name":"scan.pdf"}
 *   <- {"type":"answer","id":"..","answer":"go"|"stop"}
 *   -> {"type":"result","id":"..","result":{"class","stage","native_code","protocol_code","text",
 *       "cure","retry_after_s","remote_name","size_bytes","sha256"}}
 *
 * Tasks run in this process, one after the other, so that a connection can be kept between them. */
#ifndef PLATEN_WORKER_DELIVER_H
#define PLATEN_WORKER_DELIVER_H

#include "model/delivery.h"
#include "json/lines.h"

/* How long the server may think about a name. */
enum { DELIVER_ANSWER_MS = 60000 };

/* Serves deliveries that come on fd until the other side closes it. False with err set when fd fails. */
bool deliver_serve(int fd, Err *err);

/* One delivery by hand: messages go to out_fd, every question gets the answer go or stop at once.
 * *ret_class: how it ended. False when the task is not one or out_fd fails. */
bool deliver_once(const Json *task, int out_fd, bool go, DeliveryClass *ret_class, Err *err);

#endif
