/* server/startup.h - what the start needs of this computer beside ports and data: user, folders, programs, certificate.
 *
 * The start takes it, and --check-config looks at it with the same functions, so that both say the same words. The
 * field of an error is the key of platen.conf that is at fault. */
#ifndef PLATEN_SERVER_STARTUP_H
#define PLATEN_SERVER_STARTUP_H

#include "base/bytes.h"
#include "queue/queue.h"
#include "server/config.h"

enum { OTHER_KINDS_MAX = 8 /* of destination, with a program of their own */ };

typedef struct ServerPrograms {
    char worker[PATH_TEXT_SIZE], deliver[PATH_TEXT_SIZE];
    QueueProgram others[OTHER_KINDS_MAX];
    size_t other_count;
} ServerPrograms;

/* The programs that are run, from libexec_dir or beside platend. As the user of the server. ERR_NOT_FOUND when
 * platen-worker or platen-deliver cannot be run. */
bool server_programs_find(const ServerConfig *config, ServerPrograms *ret, Err *err);

/* Where the certificate of HTTPS and its key are: the configured ones, or our own in data_dir. */
bool server_certificate_find(const ServerConfig *config, char ret_path[PATH_TEXT_SIZE],
                             char ret_key_path[PATH_TEXT_SIZE], Err *err);

/* Appends certificate and key in PEM form, and sees that they belong together. With `make` our own are made when they are
 * missing; without, nothing is appended then. As the user of the server. */
bool server_certificate_load(const ServerConfig *config, bool make, Buf *certificate, Buf *key,
                             Err *err);

/* "/run/platen/platen.sock" -> "/run/platen", "/platen.sock" -> "/" */
void server_socket_folder(const ServerConfig *config, char ret_folder[PATH_TEXT_SIZE]);

/* Says everything of the above that would keep the server from starting; makes nothing. Root becomes the user of the server,
 * for good. False when anything was said. */
bool server_startup_check(const ServerConfig *config, ConfigProblem *problem, void *arg);

#endif
