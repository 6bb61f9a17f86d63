/* document/pdf.c - see pdf.h.
 *
 * Order in the file: header, then per page image (and its length, when it was not known before), content,
 * page object; a tree node whenever it is full; at the end the open nodes, catalogue, info, xref table,
 * trailer. Small objects are collected in one buffer and written just before the next JPEG is copied:
 * two system calls a page. */
#include "document/pdf.h"

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "image/encode.h"

#include <stdlib.h>

enum {
    FANOUT = 32,         /* kids of a tree node                                               */
    LEVELS = 6,          /* 32^6 pages: more than offsets can address                         */
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

static bool node_ready(PdfWriter *pdf, int level, Err *err);

/* Writes the node of this level, which is a kid of the one above from then on. */
static bool node_close(PdfWriter *pdf, int level, Err *err)
{
    TreeNode *node = &pdf->tree[level], *above = node + 1;

    if (!node_ready(pdf, level + 1, err) || !node_write(pdf, node, above->number, err))
        return false;
    above->kids[above->kid_count++] = node->number;
    above->page_count += node->page_count;
    return true;
}

/* Makes sure that the node of this level takes one more kid: a full one is closed, and a new one begun. */
static bool node_ready(PdfWriter *pdf, int level, Err *err)
{
    TreeNode *node = &pdf->tree[level];

    if (node->number && node->kid_count < FANOUT)
        return true;
    if (node->number) {
        if (level + 1 == LEVELS)
            return err_set(err, ERR_PERMANENT, 0, "too many pages for one PDF");
        if (!node_close(pdf, level, err))
            return false;
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
        if (!node_close(pdf, level, err))
            return false;
    }
    return err_set(err, ERR_BUG, 0, "page tree has no root");
}

/* --- pages ---------------------------------------------------------------------------------------- */

/* Pixels to thousandths of a point, rounded. */
static int64_t millipoints(uint32_t px, uint32_t dpi)
{
    return ((int64_t)px * 72000 + dpi / 2) / dpi;
}

static uint32_t dpi_of(const PdfPage *page, uint16_t own)
{
    return jpeg_dpi(own, page->scan_dpi);
}

/* A number of points, which the format wants without exponent. */
typedef struct Points {
    char text[24];
} Points;

static Points points(int64_t millipoints)
{
    Points p;
    int64_t size = millipoints < 0 ? -millipoints : millipoints;

    (void)text_printf(p.text, sizeof p.text, "%s%lld.%03lld", millipoints < 0 ? "-" : "",
                      (long long)size / 1000, (long long)size % 1000);
    return p;
}

/* A page's picture on paper, in thousandths of a point: what is seen, and all of it. */
typedef struct Layout {
    int64_t seen_w, seen_h, file_w, file_h;
    int64_t unit; /* a page longer than a PDF page may be is measured in larger units */
} Layout;

/* Raw lines are cropped when they are encoded: then there is nothing but what is seen. */
static Layout layout_of(const PdfPage *page)
{
    const Picture *picture = &page->picture;
    bool encoded = picture->kind == PICTURE_RAW;
    uint32_t dpi_x = dpi_of(page, picture->dpi_x), dpi_y = dpi_of(page, picture->dpi_y);
    Layout layout = {
        .seen_w = millipoints(picture->width_px, dpi_x),
        .seen_h = millipoints(picture->height_px, dpi_y),
        .file_w = millipoints(encoded ? picture->width_px : picture->file_w_px, dpi_x),
        .file_h = millipoints(encoded ? picture->height_px : picture->file_h_px, dpi_y),
    };
    int64_t longest = layout.seen_w > layout.seen_h ? layout.seen_w : layout.seen_h;

    layout.unit = 1 + (longest - 1) / (PAGE_POINTS_MAX * 1000);
    layout.seen_w /= layout.unit;
    layout.seen_h /= layout.unit;
    layout.file_w /= layout.unit;
    layout.file_h /= layout.unit;
    return layout;
}

/* The picture begins at the page's top left; what is cropped lies outside the page. */
static void put_content(PdfWriter *pdf, uint32_t number, const Layout *layout)
{
    int64_t down = layout->file_h - layout->seen_h;
    char matrix[120];

    (void)text_printf(matrix, sizeof matrix, "q %s 0 0 %s 0 %s cm/I Do Q",
                      points(layout->file_w).text, points(layout->file_h).text,
                      down > 0 ? points(-down).text : "0");
    object_begin(pdf, number);
    PUT(pdf, "<</Length %zu>>\nstream\n%s\nendstream\nendobj\n", strlen(matrix), matrix);
}

/* Content and page object. */
static bool put_page(PdfWriter *pdf, const PdfPage *page, uint32_t image, Err *err)
{
    const Layout layout = layout_of(page);
    uint32_t content = object_number(pdf, err);
    uint32_t number = content ? object_number(pdf, err) : 0;

    if (!number)
        return false;
    put_content(pdf, content, &layout);
    object_begin(pdf, number);
    PUT(pdf,
        "<</Type/Page/Parent %u 0 R/MediaBox[0 0 %s %s]"
        "/Resources<</XObject<</I %u 0 R>>>>/Contents %u 0 R",
        pdf->tree[0].number, points(layout.seen_w).text, points(layout.seen_h).text, image,
        content);
    if (layout.unit > 1)
        PUT(pdf, "/UserUnit %lld", (long long)layout.unit);
    if (page->picture.kind == PICTURE_JPEG && page->picture.view.turned)
        PUT(pdf, "/Rotate 180");
    PUT(pdf, ">>\nendobj\n");
    TreeNode *leaf = &pdf->tree[0];
    leaf->kids[leaf->kid_count++] = number;
    leaf->page_count++;
    return true;
}

static void add_identity(PdfWriter *pdf, const PdfPage *page)
{
    const Picture *picture = &page->picture;
    char numbers[120];

    (void)text_printf(numbers, sizeof numbers, "%lld %u %u %u %u %d %u ",
                      (long long)page->size_bytes, dpi_of(page, picture->dpi_x),
                      dpi_of(page, picture->dpi_y), picture->width_px, picture->height_px,
                      picture->view.turned, picture->kind == PICTURE_RAW ? page->quality : 0);
    sha256_add(&pdf->identity, bytes_of_text(numbers));
    sha256_add(&pdf->identity, page->identity);
}

static bool page_is_sound(const PdfPage *page, Err *err)
{
    const Picture *picture = &page->picture;

    if (picture->width_px == 0 || picture->height_px == 0 ||
        (picture->components != 1 && picture->components != 3 && picture->components != 4))
        return err_set(err, ERR_BUG, 0, "PDF page without a picture");
    if (page->scan_dpi < JPEG_DPI_MIN || page->scan_dpi > JPEG_DPI_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "resolution of %u dpi is not %d to %d",
                       page->scan_dpi, JPEG_DPI_MIN, JPEG_DPI_MAX);
    return true;
}

static bool would_fit(const PdfWriter *pdf, int64_t more, Err *err)
{
    return pdf->at + more <= XREF_OFFSET_MAX ||
           err_set(err, ERR_PERMANENT, 0, "PDF would be larger than 10 GB") ||
           err_remedy(err, "Make smaller documents: split the batch, or scan with less dpi.");
}

/* The image object as far as all kinds have it. */
static void put_image_head(PdfWriter *pdf, uint32_t number, uint32_t width, uint32_t height,
                           uint32_t components)
{
    static const char *const spaces[] = { [1] = "Gray", [3] = "RGB", [4] = "CMYK" };

    object_begin(pdf, number);
    PUT(pdf, "<</Type/XObject/Subtype/Image/Width %u/Height %u/ColorSpace/Device%s", width, height,
        spaces[components]);
}

/* A JPEG as it came. */
static bool put_jpeg(PdfWriter *pdf, const PdfPage *page, uint32_t number, Err *err)
{
    const Picture *picture = &page->picture;

    if (!would_fit(pdf, page->size_bytes, err))
        return false;
    put_image_head(pdf, number, picture->file_w_px, picture->file_h_px, picture->components);
    PUT(pdf, "/BitsPerComponent 8/Filter/DCTDecode");
    if (picture->components == 4 && picture->jpeg.adobe) /* Adobe writes 255 for no ink */
        PUT(pdf, "/Decode[1 0 1 0 1 0 1 0]");
    PUT(pdf, "/Length %lld>>\nstream\n", (long long)page->size_bytes);
    if (!flush(pdf, err) || !file_copy(page->fd, 0, page->size_bytes, pdf->fd, err))
        return false;
    pdf->at += page->size_bytes;
    PUT(pdf, "\nendstream\nendobj\n");
    return true;
}

/* Raw lines, encoded. How long they become is an object of its own that follows. */
static bool put_raw(PdfWriter *pdf, const PdfPage *page, uint32_t number, Err *err)
{
    const Picture *picture = &page->picture;
    uint32_t length = object_number(pdf, err);
    int64_t written = 0;
    bool ok;

    if (!length)
        return false;
    put_image_head(pdf, number, picture->width_px, picture->height_px, picture->components);
    if (picture->bits == 1) /* G4: K below 0; a 1 of the filter is white unless BlackIs1 */
        PUT(pdf,
            "/BitsPerComponent 1/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns %u/Rows %u"
            "/BlackIs1 false>>",
            picture->width_px, picture->height_px);
    else
        PUT(pdf, "/BitsPerComponent 8/Filter/DCTDecode");
    PUT(pdf, "/Length %u 0 R>>\nstream\n", length);
    if (!flush(pdf, err))
        return false;
    if (picture->bits == 1)
        ok = encode_g4(page->fd, picture, pdf->fd, &written, err);
    else
        ok = encode_jpeg(page->fd, picture, page->quality, dpi_of(page, picture->dpi_x), pdf->fd,
                         &written, err);
    if (!ok)
        return false;
    pdf->at += written;
    PUT(pdf, "\nendstream\nendobj\n");
    object_begin(pdf, length);
    PUT(pdf, "%lld\nendobj\n", (long long)written);
    return would_fit(pdf, 0, err);
}

bool pdf_add_page(PdfWriter *pdf, const PdfPage *page, Err *err)
{
    if (!page_is_sound(page, err) || !make_room(pdf, err) || !node_ready(pdf, 0, err))
        return false;
    uint32_t image = object_number(pdf, err);
    if (!image)
        return false;
    bool raw = page->picture.kind == PICTURE_RAW;
    if (!(raw ? put_raw(pdf, page, image, err) : put_jpeg(pdf, page, image, err)))
        return false;
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
