/* seal/seal.h - secrets at rest: passwords and keys of destinations, sealed for the place they stand in.
 *
 * XChaCha20-Poly1305 of libsodium. The place ("destination:<id>:password") is authenticated with the
 * secret, so a sealed text that is copied to another row cannot be opened there. A sealed text is
 *
 *   sealed:v1:<key id>:<base64 of nonce and ciphertext>
 *
 * The master keys are lines of a text, "<key id> <64 hex digits>": the first seals, all open. They come
 * from the systemd credential platen-master-key when there is one, else from a file that is made at the
 * first start. Who has a backup of the database needs them to read the secrets, and nobody without.
 * A Sealer does not change; any thread. */
#ifndef PLATEN_SEAL_SEAL_H
#define PLATEN_SEAL_SEAL_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

typedef struct Sealer Sealer;

enum {
    SEAL_KEYS_MAX = 8,             /* the one in use, and older ones         */
    SEAL_TEXT_BYTES_MAX = 8192,    /* of one secret, opened: a private key     */
    SEALED_TEXT_BYTES_MAX = 12288, /* of one secret, sealed: base64 and head   */
};

/* Reads the keys. folder_fd: the data folder; its file master.key is made when neither it nor the
 * credential is there. ERR_BAD_INPUT for a text that is no list of keys, ERR_DENIED for a key file that
 * others can read, else errors of base/file.h. */
Sealer *sealer_open(int folder_fd, Err *err);
void sealer_free(Sealer *sealer); /* wipes the keys; accepts NULL */
DEFINE_AUTO(Sealer, sealer_free);

/* True when the keys came from the credential. */
bool sealer_is_credential(const Sealer *sealer);

/* True when a text is sealed (by whatever key). */
bool seal_is_sealed(const char *text);

/* True when it was sealed with the key that seals now. */
bool seal_is_current(const Sealer *sealer, const char *text);

/* Appends the sealed text. ERR_BAD_INPUT when it is longer than SEAL_TEXT_BYTES_MAX. */
bool seal_text(const Sealer *sealer, const char *place, const char *text, Buf *out, Err *err);

/* Appends the secret. ERR_PERMANENT with a remedy when its key is not known, or it was not sealed for this
 * place, or was changed. */
bool seal_open(const Sealer *sealer, const char *place, const char *sealed, Buf *out, Err *err);

/* A new key in front of those of master.key, which seals from now on; the others stay until
 * sealer_forget_old(). ERR_CONFLICT when the keys are a credential: it is changed where it comes from. */
bool sealer_add_key(int folder_fd, Sealer **sealer, Err *err);
bool sealer_forget_old(int folder_fd, Sealer **sealer, Err *err);

#endif
