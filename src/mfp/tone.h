/* mfp/tone.h - gamma tables of a client: what becomes of each sample of a page. Pure. */
#ifndef PLATEN_MFP_TONE_H
#define PLATEN_MFP_TONE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TONE_CHANNELS = 3, /* red, green, blue; grey is the first */
    TONE_VALUES = 256,
    TONE_NEAR =
        2, /* tables of real drivers that mean "as it is" are one step away from it in places */
};

typedef struct Tone {
    bool used; /* a table that changes something is among them */
    uint8_t value[TONE_CHANNELS][TONE_VALUES];
} Tone;

/* Nothing is changed. */
void tone_init(Tone *tone);

/* Sets the table of one channel. One that is nowhere more than TONE_NEAR from the identity changes nothing by itself. */
void tone_set(Tone *tone, unsigned channel, const uint8_t table[TONE_VALUES]);

#endif
