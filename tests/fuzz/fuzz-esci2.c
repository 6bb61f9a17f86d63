/* tests/fuzz/fuzz-esci2.c - any bytes as request, reply and each block of ESC/I-2. Properties: tokens
 * never reach over the end and always progress; a block is cut before keys only and completely; what
 * was read and can be written reads the same again. */
#include "wire/esci2-info.h"
#include "wire/esci2-para.h"
#include "wire/esci2-token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_tokens(Bytes in)
{
    enum { QUAD = 4 };
    Esci2Tokens tokens = esci2_tokens_over(in);
    Esci2Token token;
    size_t before = 0;

    while (esci2_token_next(&tokens, &token)) {
        if (tokens.at <= before || tokens.at > in.n ||
            (token.kind == ESCI2_DATA && token.data.n > tokens.at - before))
            abort();
        before = tokens.at;
    }
    /* Less than a token may be left: padding, which is odd. */
    if (in.n - tokens.at >= QUAD || (tokens.at != in.n && !tokens.odd))
        abort();
    for (size_t done = 0; in.n - done >= QUAD;) {
        enum { PART = 64 };
        size_t cut = esci2_block_cut(bytes_after(in, done), PART);

        if (cut > PART || cut > in.n - done || (done > 0 && in.p[done] != '#'))
            abort();
        if (cut == 0)
            break;
        done += cut;
    }
}

static void try_headers(Bytes in)
{
    AUTO_BUF out = buf_with_max(ESCI2_REPLY_SIZE * 2);
    Esci2Request request;
    Esci2Reply reply, again;

    (void)esci2_request_decode(in, &request);
    if (esci2_reply_decode(in, &reply) != WIRE_OK)
        return;
    if (esci2_reply_encode(&out, &reply) &&
        (esci2_reply_decode(buf_bytes(&out), &again) != WIRE_OK || again.length != reply.length ||
         again.page_end != reply.page_end || again.end_width_px != reply.end_width_px ||
         again.left != reply.left || strcmp(again.error.cause, reply.error.cause) != 0))
        abort();
}

static void try_blocks(Bytes in)
{
    AUTO_BUF out = buf_with_max(ESCI2_BLOCK_MAX);
    Esci2Para para = ESCI2_PARA_NOTHING, para_again = ESCI2_PARA_NOTHING;
    Esci2Info info, info_again;
    Esci2Capa capa, capa_again;
    Esci2Stat stat, stat_again;

    if (esci2_info_decode(in, &info) == WIRE_OK && esci2_info_encode(&out, &info) &&
        (esci2_info_decode(buf_bytes(&out), &info_again) != WIRE_OK ||
         info_again.adf.width != info.adf.width))
        abort();
    buf_clear(&out);
    if (esci2_capa_decode(in, &capa) == WIRE_OK && esci2_capa_encode(&out, &capa) &&
        (esci2_capa_decode(buf_bytes(&out), &capa_again) != WIRE_OK ||
         capa_again.formats.count != capa.formats.count))
        abort();
    buf_clear(&out);
    if (esci2_stat_decode(in, &stat) == WIRE_OK && esci2_stat_encode(&out, &stat) &&
        (esci2_stat_decode(buf_bytes(&out), &stat_again) != WIRE_OK ||
         stat_again.error_count != stat.error_count ||
         stat_again.warning_count != stat.warning_count))
        abort();
    buf_clear(&out);
    if (esci2_para_decode(in, &para) == WIRE_OK && esci2_para_encode(&out, &para) &&
        (esci2_para_decode(buf_bytes(&out), &para_again) != WIRE_OK ||
         para_again.dpi_main != para.dpi_main || para_again.width_px != para.width_px))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes in = { data, size };

    try_tokens(in);
    try_headers(in);
    try_blocks(in);
    return 0;
}
