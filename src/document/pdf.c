/* document/pdf.c - see pdf.h.
 *
 * Order in the file: header, then per page image, content, page object; a tree node whenever it is
 * full; at the end the open nodes, catalogue, info, xref table, trailer. Small objects are collected
 * in one buffer and written just before the next JPEG is copied: two system calls a page. */
#include "document/pdf.h"

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"

#include <stdlib.h>

enum {
    FANOUT = 32,         /* kids of a tree node                                               */
    LEVELS = 6,          /* 32^6 pages: more than offsets can address                         */
    OBJECTS_A_PAGE = 3,  /* image, content, page                                              */
    BUFFER_BYTES = 8192, /* small objects of one page are some 600 bytes                      */
    FIRST_OBJECTS = 256,
    PAGE_POINTS_MAX = 14400, /* ISO 32000-1, annex C: larger pages need /UserUnit */
    TITLE_CHARS_MAX = 500,
    ID_CHARS = 32,
};
#define XREF_OFFSET_MAX 9999999999ll /* ten digits of an xref entry */

/* One node of the page tree that still takes kids. */
typedef struct TreeNode {
    uint32_t number; /* its object, 0 = not begun       */
    uint32_t kids[FANOUT];
    uint32_t kid_count, page_count; /* page_count: leaves below the kids that are complete */
} TreeNode;

struct PdfWriter {
    int fd;
    int64_t at;      /* bytes of the file so far, buffer included */
    int64_t *offset; /* of object i + 1                           */
    uint32_t objects, objects_cap;
    Buf out;
    TreeNode tree[LEVELS];
    Sha256 identity;
    char *title; /* owned */
    Wall created;
    int utc_offset_min;
};

static bool flush(PdfWriter *pdf, Err *err)
{
    if (pdf->out.failed)
        return err_set(err, ERR_TEMPORARY, 0, "no memory to write a PDF");
    bool ok = file_write_all(pdf->fd, buf_bytes(&pdf->out), err);

    buf_clear(&pdf->out);
    return ok;
}

/* Appends text to the buffer; makes room first. Each piece is far below the buffer's size. */
#define PUT(pdf, ...)                                   \
    do {                                                \
        size_t before_ = (pdf)->out.n;                  \
        (void)buf_printf(&(pdf)->out, __VA_ARGS__);     \
        (pdf)->at += (int64_t)((pdf)->out.n - before_); \
    } while (0)

static bool make_room(PdfWriter *pdf, Err *err)
{
    return pdf->out.n < BUFFER_BYTES / 2 || flush(pdf, err);
}

/* A number for an object that is written later. 0 with err set when memory is gone. */
static uint32_t object_number(PdfWriter *pdf, Err *err)
{
    if (pdf->objects == pdf->objects_cap) {
        uint32_t cap = pdf->objects_cap ? pdf->objects_cap + pdf->objects_cap / 2 : FIRST_OBJECTS;
        int64_t *offset = reallocarray(pdf->offset, cap, sizeof *offset);

        if (!offset) {
            err_set(err, ERR_TEMPORARY, 0, "no memory for %u PDF objects", cap);
            return 0;
        }
        pdf->offset = offset;
        pdf->objects_cap = cap;
    }
    pdf->offset[pdf->objects++] = 0;
    return pdf->objects;
}

static void object_begin(PdfWriter *pdf, uint32_t number)
{
    pdf->offset[number - 1] = pdf->at;
    PUT(pdf, "%u 0 obj\n", number);
}

PdfWriter *pdf_new(int out_fd, const PdfInfo *info, Err *err)
{
    AUTO(PdfWriter) pdf = calloc(1, sizeof *pdf);

    if (pdf)
        pdf->title = strdup(info->title);
    if (!pdf || !pdf->title) {
        err_set(err, ERR_TEMPORARY, 0, "no memory to write a PDF");
        return NULL;
    }
    pdf->fd = out_fd;
    pdf->out = buf_with_max((size_t)2 * BUFFER_BYTES);
    pdf->created = info->created;
    pdf->utc_offset_min = info->utc_offset_min;
    sha256_start(&pdf->identity);
    /* The second line tells file transfer programs that this is not text. */
    PUT(pdf, "%%PDF-1.7\n%%\xc3\xa4\xc3\xb6\n");
    return STEAL(pdf);
}

void pdf_free(PdfWriter *pdf)
{
    if (!pdf)
        return;
    buf_done(&pdf->out);
    free(pdf->offset);
    free(pdf->title);
    free(pdf);
}

/* --- the page tree -------------------------------------------------------------------------------- */

/* Writes a node; parent 0 = it is the root. */
static bool node_write(PdfWriter *pdf, const TreeNode *node, uint32_t parent, Err *err)
{
    if (!make_room(pdf, err))
        return false;
    object_begin(pdf, node->number);
    PUT(pdf, "<</Type/Pages");
    if (parent)
        PUT(pdf, "/Parent %u 0 R", parent);
    PUT(pdf, "/Count %u/Kids[", node->page_count);
    for (uint32_t i = 0; i < node->kid_count; i++)
        PUT(pdf, "%s%u 0 R", i ? " " : "", node->kids[i]);
    PUT(pdf, "]>>\nendobj\n");
    return true;
}

/* Makes sure that the node of this level takes one more kid: a full one is written and becomes the kid
 * of a node above. */
static bool node_ready(PdfWriter *pdf, int level, Err *err)
{
    TreeNode *node = &pdf->tree[level];

    if (node->number && node->kid_count < FANOUT)
        return true;
    if (node->number) {
        if (level + 1 == LEVELS)
            return err_set(err, ERR_PERMANENT, 0, "too many pages for one PDF");
        if (!node_ready(pdf, level + 1, err))
            return false;
        TreeNode *above = &pdf->tree[level + 1];
        if (!node_write(pdf, node, above->number, err))
            return false;
        above->kids[above->kid_count++] = node->number;
        above->page_count += node->page_count;
    }
    *node = (TreeNode){ .number = object_number(pdf, err) };
    return node->number != 0;
}

/* Writes the open nodes from below; the highest one is the root. */
static bool tree_finish(PdfWriter *pdf, uint32_t *ret_root, Err *err)
{
    for (int level = 0; level < LEVELS; level++) {
        TreeNode *node = &pdf->tree[level];
        bool is_root = level + 1 == LEVELS || !pdf->tree[level + 1].number;

        if (is_root) {
            *ret_root = node->number;
            return node_write(pdf, node, 0, err);
        }
        if (!node_ready(pdf, level + 1, err))
            return false;
        TreeNode *above = &pdf->tree[level + 1];
        if (!node_write(pdf, node, above->number, err))
            return false;
        above->kids[above->kid_count++] = node->number;
        above->page_count += node->page_count;
    }
    return err_set(err, ERR_BUG, 0, "page tree has no root");
}

/* --- pages ---------------------------------------------------------------------------------------- */

/* Pixels to thousandths of a point, rounded. */
static int64_t millipoints(uint32_t px, uint32_t dpi)
{
    return ((int64_t)px * 72000 + dpi / 2) / dpi;
}

/* The image object up to and including "stream". */
static void put_image_head(PdfWriter *pdf, const PdfPage *page)
{
    static const char *const spaces[] = { [1] = "Gray", [3] = "RGB", [4] = "CMYK" };
    const JpegFacts *facts = &page->facts;

    PUT(pdf,
        "<</Type/XObject/Subtype/Image/Width %u/Height %u/ColorSpace/Device%s/BitsPerComponent 8"
        "/Filter/DCTDecode",
        facts->width_px, facts->height_px, spaces[facts->components]);
    if (facts->components == 4 && facts->adobe) /* Adobe writes CMYK with 255 = no ink */
        PUT(pdf, "/Decode[1 0 1 0 1 0 1 0]");
    PUT(pdf, "/Length %lld>>\nstream\n", (long long)page->size_bytes);
}

/* Content and page object. A page longer than a PDF page may be is measured in larger units. */
static bool put_page(PdfWriter *pdf, const PdfPage *page, uint32_t image, Err *err)
{
    int64_t w = millipoints(page->facts.width_px, jpeg_dpi(page->facts.dpi_x, page->scan_dpi));
    int64_t h = millipoints(page->facts.height_px, jpeg_dpi(page->facts.dpi_y, page->scan_dpi));
    int64_t unit = 1 + ((w > h ? w : h) - 1) / (PAGE_POINTS_MAX * 1000);
    uint32_t content = object_number(pdf, err);
    uint32_t number = content ? object_number(pdf, err) : 0;
    char matrix[100];

    if (!number)
        return false;
    w /= unit;
    h /= unit;
    (void)text_printf(matrix, sizeof matrix, "q %lld.%03lld 0 0 %lld.%03lld 0 0 cm/I Do Q",
                      (long long)w / 1000, (long long)w % 1000, (long long)h / 1000,
                      (long long)h % 1000);
    object_begin(pdf, content);
    PUT(pdf, "<</Length %zu>>\nstream\n%s\nendstream\nendobj\n", strlen(matrix), matrix);
    object_begin(pdf, number);
    PUT(pdf,
        "<</Type/Page/Parent %u 0 R/MediaBox[0 0 %lld.%03lld %lld.%03lld]"
        "/Resources<</XObject<</I %u 0 R>>>>/Contents %u 0 R",
        pdf->tree[0].number, (long long)w / 1000, (long long)w % 1000, (long long)h / 1000,
        (long long)h % 1000, image, content);
    if (unit > 1)
        PUT(pdf, "/UserUnit %lld", (long long)unit);
    PUT(pdf, ">>\nendobj\n");
    TreeNode *leaf = &pdf->tree[0];
    leaf->kids[leaf->kid_count++] = number;
    leaf->page_count++;
    return true;
}

static void add_identity(PdfWriter *pdf, const PdfPage *page)
{
    char numbers[64];

    (void)text_printf(numbers, sizeof numbers, "%lld %u %u ", (long long)page->size_bytes,
                      jpeg_dpi(page->facts.dpi_x, page->scan_dpi),
                      jpeg_dpi(page->facts.dpi_y, page->scan_dpi));
    sha256_add(&pdf->identity, bytes_of_text(numbers));
    sha256_add(&pdf->identity, page->identity);
}

static bool page_is_sound(const PdfPage *page, Err *err)
{
    const JpegFacts *facts = &page->facts;

    if (facts->width_px == 0 || facts->height_px == 0 ||
        (facts->components != 1 && facts->components != 3 && facts->components != 4))
        return err_set(err, ERR_BUG, 0, "PDF page without a picture");
    if (page->scan_dpi < JPEG_DPI_MIN || page->scan_dpi > JPEG_DPI_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "resolution of %u dpi is not %d to %d",
                       page->scan_dpi, JPEG_DPI_MIN, JPEG_DPI_MAX);
    return true;
}

bool pdf_add_jpeg(PdfWriter *pdf, const PdfPage *page, Err *err)
{
    if (!page_is_sound(page, err) || !make_room(pdf, err) || !node_ready(pdf, 0, err))
        return false;
    if (pdf->at + page->size_bytes > XREF_OFFSET_MAX)
        return err_set(err, ERR_PERMANENT, 0, "PDF would be larger than 10 GB") ||
               err_remedy(err, "Make smaller documents: split the batch, or scan with less dpi.");
    uint32_t image = object_number(pdf, err);
    if (!image)
        return false;
    object_begin(pdf, image);
    put_image_head(pdf, page);
    if (!flush(pdf, err) || !file_copy(page->jpeg_fd, 0, page->size_bytes, pdf->fd, err))
        return false;
    pdf->at += page->size_bytes;
    PUT(pdf, "\nendstream\nendobj\n");
    add_identity(pdf, page);
    return put_page(pdf, page, image, err);
}

/* --- the end -------------------------------------------------------------------------------------- */

/* The code point at *at (well-formed UTF-8), which moves on. */
static uint32_t next_character(const char **at)
{
    const uint8_t *p = (const uint8_t *)*at;
    int more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
    uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];

    for (int i = 1; i <= more; i++)
        c = c << 6 | (p[i] & 0x3f);
    *at += 1 + more;
    return c;
}

/* A text string (ISO 32000-1, 7.9.2.2): UTF-16 with byte order mark, as hex, so that no character needs
 * an escape. */
static void put_text_string(PdfWriter *pdf, const char *text)
{
    PUT(pdf, "<FEFF");
    for (int n = 0; *text && n < TITLE_CHARS_MAX; n++) {
        uint32_t c = next_character(&text);

        if (c > 0xffff)
            PUT(pdf, "%04X%04X", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
        else
            PUT(pdf, "%04X", c);
    }
    PUT(pdf, ">");
}

static void put_info(PdfWriter *pdf, uint32_t number)
{
    CivilTime t = wall_civil(pdf->created, pdf->utc_offset_min);
    int away = abs(pdf->utc_offset_min);

    object_begin(pdf, number);
    PUT(pdf, "<</Producer(Platen " PLATEN_VERSION ")/CreationDate(D:%04d%02d%02d%02d%02d%02d",
        t.year, t.month, t.day, t.hour, t.minute, t.second);
    if (pdf->utc_offset_min == 0)
        PUT(pdf, "Z)");
    else
        PUT(pdf, "%c%02d'%02d')", pdf->utc_offset_min < 0 ? '-' : '+', away / 60, away % 60);
    if (pdf->title[0]) {
        PUT(pdf, "/Title");
        put_text_string(pdf, pdf->title);
    }
    PUT(pdf, ">>\nendobj\n");
}

/* Twenty bytes an object; written as the buffer fills. */
static bool put_xref(PdfWriter *pdf, Err *err)
{
    PUT(pdf, "xref\n0 %u\n0000000000 65535 f \n", pdf->objects + 1);
    for (uint32_t i = 0; i < pdf->objects; i++) {
        if (pdf->offset[i] == 0)
            return err_set(err, ERR_BUG, 0, "PDF object %u was never written", i + 1);
        PUT(pdf, "%010lld 00000 n \n", (long long)pdf->offset[i]);
        if (!make_room(pdf, err))
            return false;
    }
    return true;
}

bool pdf_finish(PdfWriter *pdf, Err *err)
{
    char id[SHA256_TEXT_SIZE];
    uint32_t root = 0;

    if (!pdf->tree[0].number)
        return err_set(err, ERR_BAD_INPUT, 0, "a PDF needs at least one page");
    if (!make_room(pdf, err) || !tree_finish(pdf, &root, err) || !make_room(pdf, err))
        return false;
    uint32_t catalog = object_number(pdf, err);
    uint32_t info = catalog ? object_number(pdf, err) : 0;
    if (!info)
        return false;
    object_begin(pdf, catalog);
    PUT(pdf, "<</Type/Catalog/Pages %u 0 R>>\nendobj\n", root);
    put_info(pdf, info);
    if (!flush(pdf, err))
        return false;
    int64_t xref_at = pdf->at;
    if (!put_xref(pdf, err))
        return false;
    sha256_finish(&pdf->identity, id);
    PUT(pdf,
        "trailer\n<</Size %u/Root %u 0 R/Info %u 0 "
        "R/ID[<%.*s><%.*s>]>>\nstartxref\n%lld\n%%%%EOF\n",
        pdf->objects + 1, catalog, info, ID_CHARS, id, ID_CHARS, id, (long long)xref_at);
    if (xref_at > XREF_OFFSET_MAX)
        return err_set(err, ERR_PERMANENT, 0, "PDF is larger than 10 GB");
    return flush(pdf, err);
}
