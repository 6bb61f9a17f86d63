/* queue/destination-test.c - a destination is tried, stage by stage, while somebody waits for the answer. */
#include "queue/deliver-task.h"

#include "base/text.h"
#include "seal/settings.h"

enum { TEST_TIMEOUT_MS = 45000 };

typedef struct Trial {
    DeliverTalk talk; /* first: deliver_answer gets it */
    Json *stages;
} Trial;

static Json *answer(void *arg, const Json *question, Err *err)
{
    Trial *trial = arg;

    return deliver_answer(&trial->talk, question, err);
}

static void take_stage(void *arg, const Json *message)
{
    Trial *trial = arg;
    Json *stage = json_new_object();

    json_set_text(stage, "stage", json_get_text(message, "stage"));
    json_set_int(stage, "ms", json_get_int(message, "ms", 0));
    json_add_take(trial->stages, stage);
}

static Json *test_task(const Keeper *keeper, const StoredDestination *row, Err *err)
{
    AUTO(Json) sealed = json_parse(bytes_of_text(row->destination.settings), err);
    AUTO(Json)
    settings = sealed ? settings_opened(keeper->queue->config.sealer, row->id.text, sealed, err)
                      : NULL;

    if (!settings)
        return NULL;
    Json *task = keeper_new_task(keeper, "test", row->id.text, "");
    json_set_text(task, "kind", row->destination.kind);
    json_set_take(task, "settings", STEAL(settings));
    return task;
}

static bool read_row(Queue *queue, const DestinationId *id, StoredDestination *ret_row, Err *err)
{
    AUTO(StoreReader) reader = store_reader_open(queue->config.store, err);

    return reader && destination_get(reader_db(reader), id, ret_row, err);
}

/* How the trial ended: its stages and the result of the last one. */
static bool run(Keeper *keeper, const StoredDestination *row, Json *stages,
                DeliveryResult *ret_result, Err *err)
{
    Trial trial = { .talk = { .keeper = keeper, .destination = &row->id }, .stages = stages };
    const WorkerTalk talk = { .arg = &trial, .answer = answer, .progress = take_stage };
    AUTO(Json) task = test_task(keeper, row, err);
    AUTO(Json) message = NULL;
    bool lost;

    if (!task)
        return false;
    keeper->worker = worker_start(keeper->program, keeper->queue->lock_fd, err);
    bool ok = keeper->worker &&
              worker_task(keeper->worker, task, TEST_TIMEOUT_MS, &talk, &message, &lost, err);
    worker_stop(STEAL(keeper->worker));
    return ok && deliver_result(message, ret_result, err);
}

bool queue_destination_test(Queue *queue, const Actor *actor, const DestinationId *id,
                            Json **ret_stages, DeliveryResult *ret_result, Err *err)
{
    Keeper keeper = { .queue = queue };
    AUTO(Json) stages = json_new_array();
    StoredDestination row;

    if (!read_row(queue, id, &row, err))
        return false;
    keeper.program = keeper_program_of(queue, row.destination.kind);
    unsigned before = atomic_fetch_add(&queue->tests, 1);
    bool ok = before < QUEUE_TESTS_MAX
                  ? run(&keeper, &row, stages, ret_result, err)
                  : err_set(err, ERR_TEMPORARY, 0, "%d tests of destinations run already",
                            QUEUE_TESTS_MAX);
    atomic_fetch_sub(&queue->tests, 1);
    if (!ok)
        return false;
    *ret_stages = STEAL(stages);
    /* It works again: what a wrong password has stopped goes on. */
    return ret_result->class != DELIVERY_CLASS_OK || row.stop.at.ms == 0 ||
           queue_destination_resume(queue, actor, id, err);
}
