/* tests/peers/api-server.c - the API without devices and workers, for the tests of the command line.
 *
 *   api-server SOCKET [CERTIFICATE KEY]
 *
 * Keeps a store with something in it in a folder of its own, prints "ready PORT" (0 without TLS), and
 * ends when standard input does. The queue is a twin. */
#include "tests/unit/store-fixture.h"

#include "tests/unit/queue-twin.h"

#include "api/api.h"
#include "http/server.h"
#include "store/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static const char kinds[] =
    "{\"destinations\":[{\"name\":\"folder\",\"title\":\"Folder\",\"fields\":["
    "{\"name\":\"folder\",\"type\":\"text\",\"required\":true,\"size\":255,\"help\":\"Path.\"},"
    "{\"name\":\"password\",\"type\":\"secret\",\"size\":64,\"help\":\"Password.\"},"
    "{\"name\":\"retries\",\"type\":\"int\",\"min\":0,\"max\":9,\"default\":3,\"help\":\"How "
    "often.\"},"
    "{\"name\":\"sub_folders\",\"type\":\"bool\",\"default\":false,\"help\":\"Whether.\"}]}]}";

static int complain(const char *what, const Err *err)
{
    (void)fprintf(stderr, "api-server: %s: %s\n", what, err->text);
    return 1;
}

static bool read_pem(const char *path, Buf *pem, Err *err)
{
    return file_read_whole(AT_FDCWD, path, pem, err);
}

static bool listen_tls(HttpServer *server, char **argv, uint16_t *ret_port, Err *err)
{
    AUTO_BUF certificate = buf_with_max(64 * 1024), key = buf_with_max(64 * 1024);

    if (!read_pem(argv[2], &certificate, err) || !read_pem(argv[3], &key, err))
        return false;
    return http_server_listen(server, "127.0.0.1", 0,
                              &(HttpTls){ buf_bytes(&certificate), buf_bytes(&key) }, ret_port,
                              err);
}

/* A world with one batch under way, and a device that waits for approval. */
static void fill_store(Fixture *f)
{
    World world;
    Device waiting;

    world_make(f, &world);
    (void)world_delivering(f, &world, 2);
    assert_write(f, device_sighted(tx, "10.0.0.8", "PID 11D1", &waiting, &f->err));
}

/* Serves until standard input ends. */
static int serve(Fixture *f, int argc, char **argv)
{
    char spool[128], byte;
    HttpConfig http = { .routes = api_routes, .authorise = api_authorise };
    uint16_t port = 0;
    Err err;

    (void)text_printf(spool, sizeof spool, "%s/spool", f->folder);
    (void)mkdir(spool, 0700);
    AUTO_FD keys = file_open_folder(AT_FDCWD, f->folder, &err);
    AUTO(Sealer) sealer = sealer_open(keys, &err);
    AUTO(HttpEvents) events = sealer ? http_events_new(8, &err) : NULL;
    AUTO(Spool) pages = spool_open(spool, 1, 1, &err);
    AUTO(Api)
    api = events && pages ? api_new(&(ApiConfig){ .store = f->store,
                                                  .queue = &twin,
                                                  .sealer = sealer,
                                                  .events = events,
                                                  .spool_path = spool,
                                                  .spool = pages,
                                                  .destinations_json = kinds },
                                    &err)
                          : NULL;
    if (!api || !store_on_event(f->store, api_on_event, api, &err))
        return complain("api", &err);
    fill_store(f);
    http.arg = http.authorise_arg = api;
    http.events = events;
    AUTO(HttpServer) server = http_server_new(&http, &err);
    if (!server || !http_server_listen_unix(server, argv[1], &err) ||
        (argc == 4 && !listen_tls(server, argv, &port, &err)))
        return complain("http", &err);
    printf("ready %u\n", port);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    http_server_stop(server);
    fixture_close(f);
    return 0;
}

int main(int argc, char **argv)
{
    Fixture *f;
    int code;

    if ((argc != 2 && argc != 4) || fixture_set_up((void **)&f) != 0)
        return 2;
    code = serve(f, argc, argv);
    if (f->store)
        fixture_close(f);
    folder_remove(f->folder);
    free(f);
    return code;
}
