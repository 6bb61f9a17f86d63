/* http/listener.c - listening sockets, their daemons, and the watch over slow connections.
 * See server.h and inside.h. */
#include "http/inside.h"

#include "base/file.h"
#include "base/text.h"
#include "http/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LISTEN_BACKLOG = 128,
    UNIX_SOCKET_MODE = 0660,
    ROOM_SHARE = 4, /* a fourth of the places is kept for those who come */
};

static const char tls_versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* --- connections ------------------------------------------------------------------------------- */

static void describe_peer(Connection *connection, struct MHD_Connection *mhd)
{
    socklen_t size = sizeof connection->credentials;
    const union MHD_ConnectionInfo *info;

    connection->credentials = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
    if (connection->listener->is_unix) {
        text_copy(connection->peer, sizeof connection->peer, "unix");
        getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &connection->credentials, &size);
        return;
    }
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr)
        return;
    socklen_t bytes = info->client_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                              : sizeof(struct sockaddr_in6);
    (void)getnameinfo(info->client_addr, bytes, connection->peer, sizeof connection->peer, NULL, 0,
                      NI_NUMERICHOST);
}

static void shut(Connection *connection)
{
    shutdown(connection->fd, SHUT_RDWR); /* its polling thread sees the end and closes it */
    connection->deadline = MONO_NEVER;
}

/* Where a listener is nearly full the oldest connection without a whole request goes: a client sends its request
 * at once, and a crowd that only holds connections keeps nobody out. Under the server's lock. */
static void make_room(const Listener *listener)
{
    unsigned max = listener->server->config.connections_max;
    Connection *oldest = NULL;

    if (listener->connections <= max - max / ROOM_SHARE)
        return;
    for (Connection *c = listener->server->connections; c; c = c->next) /* youngest first */
        if (c->listener == listener && c->deadline.ms != MONO_NEVER.ms)
            oldest = c;
    if (oldest)
        shut(oldest);
}

static void connection_begins(Listener *listener, struct MHD_Connection *mhd, void **context)
{
    HttpServer *server = listener->server;
    Connection *connection = calloc(1, sizeof *connection);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

    *context = NULL; /* without a context the first request is dropped */
    if (!connection || !info) {
        free(connection);
        return;
    }
    Mono now = mono_now();
    *connection = (Connection){ .listener = listener,
                                .fd = info->connect_fd,
                                .deadline = mono_after(now, server->config.first_request_ms) };
    describe_peer(connection, mhd);
    pthread_mutex_lock(&server->lock);
    listener->connections++;
    make_room(listener);
    connection->next = server->connections;
    connection->link = &server->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    server->connections = connection;
    if (mono_reached(now, server->next_sweep)) /* also when all api threads are busy */
        http_sweep(server, now);
    pthread_mutex_unlock(&server->lock);
    *context = connection;
}

/* Called before the library closes the descriptor, so the sweeper never shuts a foreign one. */
static void connection_ends(Listener *listener, Connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&listener->server->lock);
    listener->connections--;
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    pthread_mutex_unlock(&listener->server->lock);
    free(connection);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_begins(arg, mhd, context);
    else
        connection_ends(arg, STEAL(*context));
}

void http_connection_deadline(Connection *connection, Mono deadline)
{
    HttpServer *server = connection->listener->server;

    pthread_mutex_lock(&server->lock);
    connection->deadline = deadline;
    pthread_mutex_unlock(&server->lock);
}

void http_sweep(HttpServer *server, Mono now)
{
    server->next_sweep = mono_after(now, HTTP_SWEEP_MS);
    for (Connection *c = server->connections; c; c = c->next) {
        if (mono_reached(now, c->deadline))
            shut(c);
    }
}

/* --- daemons ----------------------------------------------------------------------------------- */

/* A PEM text as the library wants it: NUL-terminated. The caller frees it. */
static char *pem_text(Bytes pem)
{
    char *text = pem.n > 0 && pem.n <= CERTIFICATE_PEM_MAX ? malloc(pem.n + 1) : NULL;

    if (text)
        text_copy_bytes(text, pem.n + 1, pem);
    return text;
}

/* Closes a listening socket after a failed start: the library closes it on some failures and not on
 * others, and the number may belong to somebody else by now. */
static void close_if_ours(int fd, const struct stat *before)
{
    struct stat now;

    if (fstat(fd, &now) == 0 && now.st_dev == before->st_dev && now.st_ino == before->st_ino)
        close(fd);
}

static bool start_daemon(Listener *listener, int fd_take, const HttpTls *tls, Err *err)
{
    const HttpConfig *config = &listener->server->config;
    AUTO_TEXT certificate = tls ? pem_text(tls->certificate) : NULL;
    AUTO_TEXT key = tls ? pem_text(tls->key) : NULL;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls_options[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_versions },
        { MHD_OPTION_END, 0, NULL },
    };
    struct stat socket_before;
    struct MHD_OptionItem none = { MHD_OPTION_END, 0, NULL };

    if (fstat(fd_take, &socket_before) != 0 || (tls && (!certificate || !key))) {
        close(fd_take);
        return err_set(err, ERR_BAD_INPUT, 0, "the TLS certificate or its key is empty");
    }
    if (tls && !certificate_check(tls->certificate, tls->key, err)) {
        close(fd_take);
        return false;
    }
    if (tls)
        flags |= MHD_USE_TLS;
    listener->is_tls = tls != NULL;
    listener->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, listener, MHD_OPTION_LISTEN_SOCKET, fd_take,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, listener, MHD_OPTION_CONNECTION_LIMIT, config->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, listener->is_unix ? 0 : config->address_max,
        MHD_OPTION_CONNECTION_TIMEOUT, config->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_HEADER_BYTES_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        tls ? tls_options : &none, MHD_OPTION_END);
    if (key)
        explicit_bzero(key, strlen(key)); /* the library has read it */
    if (listener->daemon)
        return true; /* the socket is closed in http_listener_quiesce */
    close_if_ours(fd_take, &socket_before);
    return err_set(err, ERR_TEMPORARY, 0, "no memory or descriptors for an HTTP listener");
}

static Listener *next_listener(HttpServer *server, Err *err)
{
    if (server->listener_count == HTTP_LISTENERS_MAX) {
        err_set(err, ERR_BUG, 0, "more than %d HTTP listeners", HTTP_LISTENERS_MAX);
        return NULL;
    }
    Listener *listener = &server->listeners[server->listener_count];
    *listener = (Listener){ .server = server };
    return listener;
}

/* Of IPv6, where the zone of a link-local address may be the name of an interface. */
static bool parse_address6(const char *text, uint16_t port, struct sockaddr_storage *ret_storage,
                           socklen_t *ret_size)
{
    struct addrinfo hints = { .ai_family = AF_INET6,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICHOST };
    struct addrinfo *found = NULL;
    struct sockaddr_in6 v6;

    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    memcpy(&v6, found->ai_addr, sizeof v6);
    freeaddrinfo(found);
    v6.sin6_port = htons(port);
    memcpy(ret_storage, &v6, sizeof v6);
    *ret_size = sizeof v6;
    return true;
}

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret_storage,
                          socklen_t *ret_size)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };

    memset(ret_storage, 0, sizeof *ret_storage);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(ret_storage, &v4, sizeof v4);
        *ret_size = sizeof v4;
        return true;
    }
    return parse_address6(text, port, ret_storage, ret_size);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_in v4; /* the port lies at the same place in both families */
    socklen_t size = sizeof storage;

    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0)
        return 0;
    memcpy(&v4, &storage, sizeof v4);
    return ntohs(v4.sin_port);
}

bool http_server_listen(HttpServer *server, const char *address, uint16_t port, const HttpTls *tls,
                        uint16_t *ret_port, Err *err)
{
    const int on = 1;
    struct sockaddr_storage storage;
    socklen_t size = 0;
    Listener *listener = next_listener(server, err);

    if (!listener)
        return false;
    if (!parse_address(address, port, &storage, &size))
        return err_set(err, ERR_BAD_INPUT, 0, "\"%.60s\" is not a numeric address", address);
    AUTO_FD fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, errno, "open a socket for HTTP");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&storage, size) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        err_errno(err, errno, "listen on %s port %u", address, (unsigned)port);
        if (err->code == EADDRINUSE)
            err_remedy(err, "Choose another port.");
        if (err->code == EADDRNOTAVAIL)
            err_remedy(err, "Use an address of this computer: \"ip address\" shows them.");
        return false;
    }
    uint16_t bound = port_of(fd);
    if (!start_daemon(listener, STEAL_FD(fd), tls, err))
        return false;
    server->listener_count++;
    if (ret_port)
        *ret_port = bound;
    return true;
}

/* --- the Unix socket --------------------------------------------------------------------------- */

/* Removes a socket file that a dead server left; anything else at the path is a conflict. */
static bool clear_path(const struct sockaddr_un *at, Err *err)
{
    struct stat info;
    AUTO_FD probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (lstat(at->sun_path, &info) != 0)
        return errno == ENOENT || err_errno(err, errno, "look at %s", at->sun_path);
    if (!S_ISSOCK(info.st_mode))
        return err_set(err, ERR_CONFLICT, 0, "%s exists and is no socket", at->sun_path);
    if (probe < 0)
        return err_errno(err, errno, "open a socket");
    if (connect(probe, (const struct sockaddr *)at, sizeof *at) == 0) {
        err_set(err, ERR_CONFLICT, 0, "another server listens on %s", at->sun_path);
        return err_remedy(err, "Stop it first.");
    }
    if (errno != ECONNREFUSED)
        return err_errno(err, errno, "find out who listens on %s", at->sun_path);
    return file_remove(AT_FDCWD, at->sun_path, err);
}

/* Binds without anybody else being able to connect before the mode is set. */
static bool bind_unix(int fd, const struct sockaddr_un *at, Listener *listener, Err *err)
{
    struct stat info;

    /* The mode of the descriptor is the mode bind(2) creates the file with. */
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(fd, (const struct sockaddr *)at, sizeof *at) != 0 ||
        chmod(at->sun_path, UNIX_SOCKET_MODE) != 0 || stat(at->sun_path, &info) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0)
        return err_errno(err, errno, "listen on %s", at->sun_path);
    listener->path_device = info.st_dev;
    listener->path_inode = info.st_ino;
    return true;
}

bool http_server_listen_unix(HttpServer *server, const char *path, Err *err)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    Listener *listener = next_listener(server, err);

    if (!listener)
        return false;
    if (!text_copy(at.sun_path, sizeof at.sun_path, path) || path[0] == '\0')
        return err_set(err, ERR_BAD_INPUT, 0, "the socket path must have 1 to %zu bytes",
                       sizeof at.sun_path - 1);
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, errno, "open a socket");
    if (!clear_path(&at, err) || !bind_unix(fd, &at, listener, err))
        return false;
    listener->is_unix = true;
    text_copy(listener->path, sizeof listener->path, path);
    if (!start_daemon(listener, STEAL_FD(fd), NULL, err)) {
        Err ignored; /* the failed start is what counts */
        file_remove(AT_FDCWD, at.sun_path, &ignored);
        return false;
    }
    server->listener_count++;
    return true;
}

void http_listener_quiesce(Listener *listener)
{
    struct stat info;
    Err err;

    /* Who connects now is refused. The number stays taken until the daemon's thread has ended, because the
     * thread may still use it (microhttpd.h, MHD_quiesce_daemon). */
    listener->quiesced_fd = MHD_quiesce_daemon(listener->daemon);
    (void)shutdown(listener->quiesced_fd, SHUT_RDWR);
    if (!listener->is_unix || lstat(listener->path, &info) != 0)
        return;
    if (info.st_dev == listener->path_device && info.st_ino == listener->path_inode)
        file_remove(AT_FDCWD, listener->path, &err);
}

void http_listener_stop(Listener *listener)
{
    MHD_stop_daemon(listener->daemon);
    fd_autoclose(&listener->quiesced_fd);
}
