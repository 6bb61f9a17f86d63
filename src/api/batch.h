/* api/batch.h - inside of api: what the rows of batches and the files of batches share. */
#ifndef PLATEN_API_BATCH_H
#define PLATEN_API_BATCH_H

#include "api/context.h"

/* The batch of the path's {id}. ERR_NOT_FOUND. */
bool batch_of_path(Db *db, HttpRequest *req, Batch *ret_batch, Err *err);

/* Answers the batch as GET does. */
bool batch_answer_id(HttpRequest *req, HttpResponse *res, const BatchId *id, Err *err);

/* Handlers that answer files of the spool (batch-files.c). */
HttpHandler page_image_get, page_thumbnail_get, document_file_get;

#endif
