/* mfp/tone.c - see tone.h. */
#include "mfp/tone.h"

#include <stdlib.h>
#include <string.h>

void tone_init(Tone *tone)
{
    tone->used = false;
    for (unsigned c = 0; c < TONE_CHANNELS; c++)
        for (int i = 0; i < TONE_VALUES; i++)
            tone->value[c][i] = (uint8_t)i;
}

void tone_set(Tone *tone, unsigned channel, const uint8_t table[TONE_VALUES])
{
    memcpy(tone->value[channel], table, TONE_VALUES);
    for (int i = 0; i < TONE_VALUES; i++)
        tone->used = tone->used || abs(table[i] - i) > TONE_NEAR;
}
