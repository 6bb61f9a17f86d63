/* tests/unit/test-http-threads.c - what a server does while its handlers wait: the queue, who waits for others, the
 * stop. Over real connections. */
#include "tests/unit/http-peer.h"

#include <pthread.h>
#include <semaphore.h>

static HttpServer *server;
static uint16_t port;
static Answer answer;
static sem_t may_go_on;

static bool get_hello(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)err;
    http_response_static(res, "text/plain; charset=utf-8", bytes_of_text("hello\n"));
    return true;
}

static bool get_blocked(HttpRequest *req, HttpResponse *res, Err *err)
{
    sem_wait(&may_go_on);
    return get_hello(req, res, err);
}

static const Route own_routes[] = {
    { "GET", "/hello", NULL, get_hello, "Says hello.", 0, NULL, NULL, 0, NULL, NULL },
    { "GET", "/fast", NULL, get_hello, "Says hello at once.", ROUTE_FAST, NULL, NULL, 0, NULL,
      NULL },
    { "GET", "/blocked", NULL, get_blocked, "Waits.", 0, NULL, NULL, 0, NULL, NULL },
    { "GET", "/patient", NULL, get_blocked, "Waits for others.", ROUTE_WAITS, NULL, NULL, 0, NULL,
      NULL },
    { .method = NULL },
};
static const Route *const routes[] = { own_routes, NULL };

static void start(unsigned threads, unsigned queue_max)
{
    const HttpConfig with = { .routes = routes, .api_threads = threads, .queue_max = queue_max };
    Err err;

    sem_init(&may_go_on, 0, 0);
    server = http_server_new(&with, &err);
    assert_non_null(server);
    assert_true(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err));
}

static void stop(void)
{
    http_server_free(STEAL(server));
    sem_destroy(&may_go_on);
}

static void *ask_blocked(void *arg)
{
    Answer *own = arg;
    AUTO_FD fd = dial(port);

    ask(fd, own, "GET /blocked HTTP/1.1\r\nHost: x\r\n\r\n");
    return NULL;
}

static void test_full_queue(void **state)
{
    enum { THREADS = 2, QUEUE = 3, CLIENTS = THREADS + QUEUE + 2 };
    static Answer answers[CLIENTS];
    pthread_t clients[CLIENTS];
    int done = 0, busy = 0;

    (void)state;
    start(THREADS, QUEUE);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_create(&clients[i], NULL, ask_blocked, &answers[i]);
        if (i == THREADS - 1) /* a burst would fill the queue before the threads can empty it */
            rest_ms(200);
    }
    rest_ms(200);
    ask_once(port, &answer, "GET /hello", "");
    assert_problem(&answer, 503, "busy");
    assert_string_equal(header_of(&answer, "Retry-After"), "1");
    ask_once(port, &answer, "GET /fast", ""); /* does not wait for the others */
    assert_int_equal(answer.status, 200);
    for (int i = 0; i < CLIENTS; i++)
        sem_post(&may_go_on);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], NULL);
        done += answers[i].status == 200;
        busy += answers[i].status == 503;
    }
    assert_int_equal(done, THREADS + QUEUE);
    assert_int_equal(busy, 2);
    stop();
}

static void *ask_patient(void *arg)
{
    Answer *own = arg;
    AUTO_FD fd = dial(port);

    ask(fd, own, "GET /patient HTTP/1.1\r\nHost: x\r\n\r\n");
    return NULL;
}

/* Who waits for others leaves two threads to those who only look, and has its turn again afterwards. */
static void test_who_waits_leaves_threads(void **state)
{
    enum { THREADS = 4, WAITING = 2 };
    static Answer answers[WAITING];
    pthread_t clients[WAITING];

    (void)state;
    start(THREADS, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < WAITING; i++)
            pthread_create(&clients[i], NULL, ask_patient, &answers[i]);
        rest_ms(200);
        ask_once(port, &answer, "GET /patient", "");
        assert_problem(&answer, 503, "busy");
        assert_non_null(strstr(answer.body, "wait for devices"));
        ask_once(port, &answer, "GET /hello", "");
        assert_int_equal(answer.status, 200);
        for (int i = 0; i < WAITING; i++)
            sem_post(&may_go_on);
        for (int i = 0; i < WAITING; i++) {
            pthread_join(clients[i], NULL);
            assert_int_equal(answers[i].status, 200);
        }
    }
    stop();
}

static void *stop_in_background(void *arg)
{
    (void)arg;
    http_server_stop(server);
    return NULL;
}

static bool takes_connections(uint16_t at)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(at),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static void test_stop_lets_handlers_finish(void **state)
{
    static Answer blocked, waiting;
    pthread_t client, second, stopper;
    AUTO_FD idle = -1;

    (void)state;
    start(1, 0);
    idle = dial(port);
    pthread_create(&client, NULL, ask_blocked, &blocked);
    rest_ms(100);
    pthread_create(&second, NULL, ask_blocked, &waiting);
    rest_ms(100);
    pthread_create(&stopper, NULL, stop_in_background, NULL);
    rest_ms(100);
    assert_false(takes_connections(port)); /* while a handler is at work */
    sem_post(&may_go_on);
    pthread_join(stopper, NULL);
    pthread_join(client, NULL);
    pthread_join(second, NULL);
    assert_int_equal(blocked.status, 200);
    assert_int_equal(waiting.status, 503);
    assert_true(is_closed_within(idle, 1000));
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_who_waits_leaves_threads),
        cmocka_unit_test(test_stop_lets_handlers_finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
