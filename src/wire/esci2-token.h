/* wire/esci2-token.h - the token grammar of ESC/I-2 blocks: reading one by one, writing one by one.
 *
 * Everything is a sequence of quads of four bytes:
 *   '#'  key                                      #ADF
 *   'd'  decimal, three digits                    d075
 *   'i'  signed decimal, seven characters         i0001200   i-000020
 *   'x'  hexadecimal, seven digits                x7FFFFFF
 *   'h'  three hex digits n, then n raw bytes padded with zeros to a multiple of four
 *   else a word of four characters, padded with blanks
 * Tokens are read by their letter, never by position: devices mix the short and long numbers. What begins like a
 * number or data and is none is an odd quad, which stands for nothing; less than a quad at the end is padding. */
#ifndef PLATEN_WIRE_ESCI2_TOKEN_H
#define PLATEN_WIRE_ESCI2_TOKEN_H

#include "wire/esci2.h"

typedef enum Esci2Kind { ESCI2_KEY, ESCI2_NUMBER, ESCI2_DATA, ESCI2_WORD, ESCI2_ODD } Esci2Kind;

typedef struct Esci2Token {
    Esci2Kind kind;
    char word[ESCI2_WORD_SIZE]; /* ESCI2_KEY: "#ADF"; ESCI2_WORD: "JPG "        */
    int32_t number;             /* ESCI2_NUMBER                                 */
    Bytes data;                 /* ESCI2_DATA: borrowed, without the padding    */
} Esci2Token;

/* Cursor over a block. bad: set by who reads it, when a key has not the values it must have.
 * odd: an odd quad or padding was met. */
typedef struct Esci2Tokens {
    Bytes block;
    size_t at; /* offset of the next token */
    bool bad, odd;
} Esci2Tokens;

static inline Esci2Tokens esci2_tokens_over(Bytes block)
{
    return (Esci2Tokens){ .block = block };
}

/* The next token; false at the end and when bad is set. */
bool esci2_token_next(Esci2Tokens *tokens, Esci2Token *ret_token);

/* The next token if it is no key; false, without moving, at a key or at the end. */
bool esci2_value_next(Esci2Tokens *tokens, Esci2Token *ret_token);

/* Moves behind the next key and gives it; values in between are skipped. False at the end. */
bool esci2_key_next(Esci2Tokens *tokens, char ret_key[ESCI2_WORD_SIZE]);

/* Length of the longest front part of a block, at most max bytes, that ends before a key (or is
 * everything). 0 when the first key with its values is longer. PARA blocks that are longer than the
 * device's #DSZ are sent in such pieces. */
size_t esci2_block_cut(Bytes block, size_t max);

/* Appends one token. Keys and words of less than four characters are padded with blanks. */
bool esci2_put_word(Buf *to, const char *word); /* "#ADF", "FB", "JPG"             */
bool esci2_put_short(Buf *to, int32_t number);  /* dNNN; 0..999                    */
bool esci2_put_long(Buf *to, int32_t number);   /* iNNNNNNN; -999999..9999999      */
bool esci2_put_number(Buf *to, int32_t number); /* dNNN where it fits, else i      */
bool esci2_put_data(Buf *to, Bytes data);       /* hNNN; at most 4095 bytes        */

#endif
