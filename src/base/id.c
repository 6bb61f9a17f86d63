/* base/id.c - see id.h. */
#include "base/id.h"

#include <string.h>
#include <sys/random.h>

static const char id_alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { ID_TIME_CHARACTERS = 10, ID_CHARACTERS = 26, ID_RANDOM_BYTES = 10 };

void id_new_text(Wall now, char ret_text[ID_TEXT_SIZE])
{
    uint8_t random[ID_RANDOM_BYTES] = { 0 };
    uint64_t time = (uint64_t)now.ms, bits = 0;
    int held = 0;
    char *to = ret_text + ID_TIME_CHARACTERS;

    /* 10 bytes come whole or not at all; a kernel without random bytes leaves nothing to do. */
    while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        ;
    for (int i = ID_TIME_CHARACTERS - 1; i >= 0; i--, time >>= 5)
        ret_text[i] = id_alphabet[time & 31];
    for (size_t i = 0; i < sizeof random; i++) {
        bits = bits << 8 | random[i];
        for (held += 8; held >= 5; held -= 5)
            *to++ = id_alphabet[bits >> (held - 5) & 31];
    }
    *to = '\0';
}

bool id_text_is_valid(const char *text)
{
    return strlen(text) == ID_CHARACTERS && strspn(text, id_alphabet) == ID_CHARACTERS;
}

Wall id_text_made_at(const char *text)
{
    Wall made = { 0 };

    for (int i = 0; i < ID_TIME_CHARACTERS; i++)
        made.ms = made.ms << 5 | (strchr(id_alphabet, text[i]) - id_alphabet);
    return made;
}
