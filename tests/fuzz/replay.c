/* tests/fuzz/replay.c - runs a fuzz target over its corpus, in every build and without libFuzzer.
 *
 * Usage: fuzz-NAME CORPUS-FOLDER. Each input is given whole; a small one also cut after each byte
 * and with each byte inverted, so that a corpus of a few well-chosen inputs reaches every early
 * end. One TAP line per input. A target that is wrong aborts the program. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_BYTES_MAX = 1 << 20, VARIED_BYTES_MAX = 2048 };

/* The target, see the fuzz-NAME.c files. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly n bytes, so that AddressSanitizer sees the first byte read too far. */
static void try_exactly(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (!copy)
        abort();
    memcpy(copy, data, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void try_varied(uint8_t *data, size_t size)
{
    for (size_t n = 0; n < size; n++)
        try_exactly(data, n);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= 0xff;
        try_exactly(data, size);
        data[i] ^= 0xff;
    }
}

static void replay(const char *folder, const char *name)
{
    static uint8_t data[INPUT_BYTES_MAX];
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t size = fread(data, 1, sizeof data, file);
    (void)fclose(file);

    try_exactly(data, size);
    if (size <= VARIED_BYTES_MAX)
        try_varied(data, size);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **inputs;
    int n = argc == 2 ? scandir(argv[1], &inputs, is_input, alphasort) : -1;

    if (n <= 0) {
        (void)fprintf(stderr, "usage: %s CORPUS-FOLDER (with at least one input)\n", argv[0]);
        return 1;
    }
    (void)printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        replay(argv[1], inputs[i]->d_name);
        (void)printf("ok %d - %s\n", i + 1, inputs[i]->d_name);
        (void)fflush(stdout);
        free(inputs[i]);
    }
    free(inputs);
    return 0;
}
