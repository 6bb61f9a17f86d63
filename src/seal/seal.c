/* seal/seal.c - see seal.h. */
#include "seal/seal.h"

#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    KEY_ID_SIZE = 9, /* 8 hex digits */
    KEY_FILE_BYTES_MAX = 4096,
};

static const char prefix[] = "sealed:v1:";
static const char key_file[] = "master.key", credential[] = "platen-master-key";
static const char key_cure[] = "Restore master.key (or the credential) that belongs to this "
                               "database, or enter the secret again.";

typedef struct Key {
    char id[KEY_ID_SIZE];
    uint8_t bytes[KEY_BYTES];
} Key;

struct Sealer {
    Key keys[SEAL_KEYS_MAX];
    size_t count;
    bool from_credential;
};

void sealer_free(Sealer *sealer)
{
    if (sealer)
        sodium_memzero(sealer, sizeof *sealer);
    free(sealer);
}

/* A text that held a secret. */
static void wipe(Buf *text)
{
    if (text->p)
        sodium_memzero(text->p, text->cap);
    buf_done(text);
}
#define AUTO_SECRET __attribute__((cleanup(wipe))) Buf

/* --- keys ------------------------------------------------------------------------------------------ */

static bool wrong_keys(size_t line, Err *err)
{
    err_set(err, ERR_BAD_INPUT, 0, "line %zu is not \"<8 hex digits> <64 hex digits>\"", line);
    return err_remedy(err, "Restore the file from a backup; a new one cannot open old secrets.");
}

static bool parse_keys(Bytes text, Sealer *sealer, Err *err)
{
    size_t line = 0;

    for (Bytes rest = text; rest.n > 0;) {
        Bytes row = bytes_take_until(&rest, '\n');
        char word[KEY_ID_SIZE + 2 * KEY_BYTES + 1] = "";
        uint8_t id[(KEY_ID_SIZE - 1) / 2];
        Key *key = &sealer->keys[sealer->count];

        line++;
        if (row.n == 0 || row.p[0] == '#')
            continue;
        if (sealer->count == SEAL_KEYS_MAX || !text_copy_bytes(word, sizeof word, row) ||
            strlen(word) != sizeof word - 1 || word[KEY_ID_SIZE - 1] != ' ')
            return wrong_keys(line, err);
        word[KEY_ID_SIZE - 1] = '\0';
        if (!text_unhex(word, id, sizeof id) ||
            !text_unhex(word + KEY_ID_SIZE, key->bytes, sizeof key->bytes))
            return wrong_keys(line, err);
        text_hex(key->id, (Bytes){ id, sizeof id });
        sodium_memzero(word, sizeof word);
        sealer->count++;
    }
    return sealer->count > 0 || wrong_keys(1, err);
}

static bool put_keys(const Sealer *sealer, Buf *text)
{
    (void)buf_put_text(
        text, "# Keys of the secrets in the database; the first seals. Keep a copy apart from "
              "the backups.\n");
    for (size_t i = 0; i < sealer->count; i++) {
        char hex[2 * KEY_BYTES + 1];

        text_hex(hex, (Bytes){ sealer->keys[i].bytes, KEY_BYTES });
        (void)buf_printf(text, "%s %s\n", sealer->keys[i].id, hex);
        sodium_memzero(hex, sizeof hex);
    }
    return !text->failed;
}

static bool write_keys(const Sealer *sealer, int folder_fd, Err *err)
{
    AUTO_SECRET text = buf_with_max(KEY_FILE_BYTES_MAX);

    return put_keys(sealer, &text)
               ? file_replace(folder_fd, key_file, buf_bytes(&text), 0400, err)
               : err_set(err, ERR_TEMPORARY, 0, "no memory for the master keys");
}

static void new_key(Key *key)
{
    uint8_t id[(KEY_ID_SIZE - 1) / 2];

    randombytes_buf(id, sizeof id);
    text_hex(key->id, (Bytes){ id, sizeof id });
    randombytes_buf(key->bytes, sizeof key->bytes);
}

/* Others must not read it: who has it and a copy of the database has every password. */
static bool check_mode(int folder_fd, Err *err)
{
    struct stat st;

    if (fstatat(folder_fd, key_file, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & 077) == 0)
        return true;
    err_set(err, ERR_DENIED, 0, "%s can be read by others", key_file);
    return err_remedy(err, "Take the rights of others away: chmod 400 %s", key_file);
}

static bool read_key_file(int folder_fd, Sealer *sealer, Err *err)
{
    AUTO_SECRET text = buf_with_max(KEY_FILE_BYTES_MAX);

    if (file_read_whole(folder_fd, key_file, &text, err))
        return (check_mode(folder_fd, err) && parse_keys(buf_bytes(&text), sealer, err)) ||
               err_prefix(err, "%s", key_file);
    if (err->kind != ERR_NOT_FOUND)
        return false;
    new_key(&sealer->keys[0]);
    sealer->count = 1;
    return write_keys(sealer, folder_fd, err);
}

/* systemd puts credentials into a folder of its own (systemd.exec(5), LoadCredential=). */
static bool read_credential(const char *folder, Sealer *sealer, bool *ret_found, Err *err)
{
    AUTO_SECRET text = buf_with_max(KEY_FILE_BYTES_MAX);
    AUTO_FD folder_fd = file_open_folder(AT_FDCWD, folder, err);

    *ret_found = false;
    if (folder_fd < 0 || !file_read_whole(folder_fd, credential, &text, err))
        return err->kind == ERR_NOT_FOUND || err_prefix(err, "credential %s", credential);
    *ret_found = sealer->from_credential = true;
    return parse_keys(buf_bytes(&text), sealer, err) ||
           err_prefix(err, "credential %s", credential);
}

Sealer *sealer_open(int folder_fd, Err *err)
{
    AUTO(Sealer) sealer = calloc(1, sizeof *sealer);
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    bool found = false;

    if (!sealer || sodium_init() < 0) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for the master keys");
        return NULL;
    }
    if ((credentials && !read_credential(credentials, sealer, &found, err)) ||
        (!found && !read_key_file(folder_fd, sealer, err)))
        return NULL;
    return STEAL(sealer);
}

bool sealer_is_credential(const Sealer *sealer)
{
    return sealer->from_credential;
}

static bool keys_are_a_file(const Sealer *sealer, Err *err)
{
    if (!sealer->from_credential)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the master keys are the credential %s", credential);
    return err_remedy(
        err, "Put a new key in front of the old ones where it comes from, then rotate again.");
}

bool sealer_add_key(int folder_fd, Sealer **sealer, Err *err)
{
    Sealer *s = *sealer;

    if (!keys_are_a_file(s, err))
        return false;
    if (s->count == SEAL_KEYS_MAX)
        return err_set(err, ERR_CONFLICT, 0, "there are %d master keys already", SEAL_KEYS_MAX);
    memmove(&s->keys[1], &s->keys[0], s->count * sizeof s->keys[0]);
    new_key(&s->keys[0]);
    s->count++;
    return write_keys(s, folder_fd, err);
}

bool sealer_forget_old(int folder_fd, Sealer **sealer, Err *err)
{
    Sealer *s = *sealer;

    if (!keys_are_a_file(s, err))
        return false;
    sodium_memzero(&s->keys[1], (SEAL_KEYS_MAX - 1) * sizeof s->keys[0]);
    s->count = 1;
    return write_keys(s, folder_fd, err);
}

/* --- sealing --------------------------------------------------------------------------------------- */

bool seal_is_sealed(const char *text)
{
    return text_starts_with(text, prefix);
}

static const Key *key_of(const Sealer *sealer, const char *sealed)
{
    const char *id = sealed + sizeof prefix - 1;

    for (size_t i = 0; i < sealer->count; i++)
        if (text_starts_with(id, sealer->keys[i].id) && id[KEY_ID_SIZE - 1] == ':')
            return &sealer->keys[i];
    return NULL;
}

bool seal_is_current(const Sealer *sealer, const char *text)
{
    return seal_is_sealed(text) && key_of(sealer, text) == &sealer->keys[0];
}

bool seal_text(const Sealer *sealer, const char *place, const char *text, Buf *out, Err *err)
{
    uint8_t box[NONCE_BYTES + SEAL_TEXT_BYTES_MAX + TAG_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof box, sodium_base64_VARIANT_ORIGINAL)];
    unsigned long long n = 0;

    if (strlen(text) > SEAL_TEXT_BYTES_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "a secret has more than %d bytes",
                       SEAL_TEXT_BYTES_MAX);
    randombytes_buf(box, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        box + NONCE_BYTES, &n, (const uint8_t *)text, strlen(text), (const uint8_t *)place,
        strlen(place), NULL, box, sealer->keys[0].bytes);
    sodium_bin2base64(base64, sizeof base64, box, NONCE_BYTES + (size_t)n,
                      sodium_base64_VARIANT_ORIGINAL);
    return buf_printf(out, "%s%s:%s", prefix, sealer->keys[0].id, base64) ||
           err_set(err, ERR_BAD_INPUT, 0, "a sealed secret does not fit");
}

bool seal_open(const Sealer *sealer, const char *place, const char *sealed, Buf *out, Err *err)
{
    uint8_t box[NONCE_BYTES + SEAL_TEXT_BYTES_MAX + TAG_BYTES], plain[SEAL_TEXT_BYTES_MAX];
    const Key *key = seal_is_sealed(sealed) ? key_of(sealer, sealed) : NULL;
    unsigned long long n = 0;
    size_t box_n = 0;

    if (!key) {
        err_set(err, ERR_PERMANENT, 0, "a secret was sealed with a master key that is not here");
        return err_remedy(err, "%s", key_cure);
    }
    const char *base64 = sealed + sizeof prefix - 1 + KEY_ID_SIZE;
    if (sodium_base642bin(box, sizeof box, base64, strlen(base64), NULL, &box_n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        box_n < NONCE_BYTES + TAG_BYTES ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &n, NULL, box + NONCE_BYTES,
                                                   box_n - NONCE_BYTES, (const uint8_t *)place,
                                                   strlen(place), box, key->bytes) != 0) {
        err_set(err, ERR_PERMANENT, 0, "a secret was changed, or sealed for another place");
        return err_remedy(err, "Enter the secret again.");
    }
    (void)buf_put(out, (Bytes){ plain, (size_t)n });
    sodium_memzero(plain, sizeof plain);
    return !out->failed || err_set(err, ERR_TEMPORARY, 0, "no memory for a secret");
}
