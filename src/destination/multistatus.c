/* destination/multistatus.c - see multistatus.h. */
#include "destination/multistatus.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <expat.h>

enum {
    DEPTH_MAX = 32, /* what we read is six deep */
    TEXT_SIZE = 64, /* "HTTP/1.1 200 OK", a number */
    STATUS_FAILED = 400,
    STATUS_DEPENDS = 424,
};

typedef enum Element {
    ELEMENT_OTHER,
    ELEMENT_DOCUMENT,
    ELEMENT_MULTISTATUS,
    ELEMENT_RESPONSE,
    ELEMENT_STATUS,
    ELEMENT_PROPSTAT,
    ELEMENT_PROPSTAT_STATUS,
    ELEMENT_PROP,
    ELEMENT_LENGTH,
    ELEMENT_QUOTA,
    ELEMENT_TYPE,
    ELEMENT_COLLECTION,
} Element;

/* Names as expat gives them: name space, separator, name. */
static const struct {
    Element parent;
    const char *name;
    Element element;
} element_rows[] = {
    { ELEMENT_DOCUMENT, "DAV:|multistatus", ELEMENT_MULTISTATUS },
    { ELEMENT_MULTISTATUS, "DAV:|response", ELEMENT_RESPONSE },
    { ELEMENT_RESPONSE, "DAV:|status", ELEMENT_STATUS },
    { ELEMENT_RESPONSE, "DAV:|propstat", ELEMENT_PROPSTAT },
    { ELEMENT_PROPSTAT, "DAV:|status", ELEMENT_PROPSTAT_STATUS },
    { ELEMENT_PROPSTAT, "DAV:|prop", ELEMENT_PROP },
    { ELEMENT_PROP, "DAV:|getcontentlength", ELEMENT_LENGTH },
    { ELEMENT_PROP, "DAV:|quota-available-bytes", ELEMENT_QUOTA },
    { ELEMENT_PROP, "DAV:|resourcetype", ELEMENT_TYPE },
    { ELEMENT_TYPE, "DAV:|collection", ELEMENT_COLLECTION },
};

typedef struct Reading {
    XML_Parser parser;
    Multistatus found;
    Multistatus offered; /* properties of a propstat whose status is not known yet */
    int offered_status;
    unsigned depth, responses;
    Element path[DEPTH_MAX];
    char text[TEXT_SIZE]; /* of the innermost element */
    size_t text_n;
    const char *refused; /* why reading was stopped, NULL = it was not */
} Reading;

static void refuse(Reading *reading, const char *why)
{
    reading->refused = why;
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL refuse_doctype(void *arg, const char *name, const char *system_id,
                                   const char *public_id, int has_internal_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
    refuse(arg, "it has a document type");
}

static void XMLCALL begin_element(void *arg, const char *name, const char **attributes)
{
    Reading *reading = arg;
    Element element = ELEMENT_OTHER;

    (void)attributes;
    if (reading->depth + 1 >= DEPTH_MAX) {
        refuse(reading, "it is nested too deep");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(element_rows) && element == ELEMENT_OTHER; i++)
        if (element_rows[i].parent == reading->path[reading->depth] &&
            text_equal(element_rows[i].name, name))
            element = element_rows[i].element;
    if (reading->depth == 0 && element != ELEMENT_MULTISTATUS) {
        refuse(reading, "it is something else");
        return;
    }
    reading->path[++reading->depth] = element;
    reading->text_n = 0;
    reading->responses += element == ELEMENT_RESPONSE;
    if (element == ELEMENT_PROPSTAT) {
        reading->offered = (Multistatus){ .size_bytes = -1, .free_bytes = -1 };
        reading->offered_status = 0;
    }
    if (element == ELEMENT_COLLECTION)
        reading->offered.collection = true;
}

static void XMLCALL take_text(void *arg, const char *text, int n)
{
    Reading *reading = arg;

    for (int i = 0; i < n && reading->text_n + 1 < TEXT_SIZE; i++)
        reading->text[reading->text_n++] = text[i];
}

/* "HTTP/1.1 404 Not Found" -> 404; 0 for anything else. */
static int status_of(const char *line)
{
    const char *blank = strchr(line, ' ');
    int64_t status = 0;

    if (!text_starts_with(line, "HTTP/") || !blank || strlen(blank) < 4 ||
        !bytes_to_int((Bytes){ (const uint8_t *)blank + 1, 3 }, 100, 599, &status))
        return 0;
    return (int)status;
}

static int64_t number_of(const char *text)
{
    int64_t number = -1;

    return text_to_int(text, 0, INT64_MAX, &number) ? number : -1;
}

/* The first resource has what a propstat with a good status says of it. */
static void accept_properties(Reading *reading)
{
    const Multistatus *offered = &reading->offered;
    Multistatus *found = &reading->found;

    if (reading->responses != 1 || reading->offered_status / 100 != 2)
        return;
    found->known = true;
    found->collection |= offered->collection;
    if (offered->size_bytes >= 0)
        found->size_bytes = offered->size_bytes;
    if (offered->free_bytes >= 0)
        found->free_bytes = offered->free_bytes;
}

static void note_status(Multistatus *found, int status)
{
    if (status >= STATUS_FAILED && (found->failed == 0 || found->failed == STATUS_DEPENDS))
        found->failed = status;
}

static void XMLCALL end_element(void *arg, const char *name)
{
    Reading *reading = arg;

    (void)name;
    reading->text[reading->text_n] = '\0';
    reading->text_n = 0;
    switch (reading->path[reading->depth--]) {
    case ELEMENT_STATUS:
        note_status(&reading->found, status_of(reading->text));
        break;
    case ELEMENT_PROPSTAT_STATUS:
        reading->offered_status = status_of(reading->text);
        break;
    case ELEMENT_LENGTH:
        reading->offered.size_bytes = number_of(reading->text);
        break;
    case ELEMENT_QUOTA: /* Nextcloud says -3 when there is no limit */
        reading->offered.free_bytes = number_of(reading->text);
        break;
    case ELEMENT_PROPSTAT:
        accept_properties(reading);
        break;
    default:
        break;
    }
}

static bool parse(Reading *reading, Bytes xml, Err *err)
{
    XML_Parser parser = reading->parser;

    XML_SetUserData(parser, reading);
    XML_SetElementHandler(parser, begin_element, end_element);
    XML_SetCharacterDataHandler(parser, take_text);
    XML_SetStartDoctypeDeclHandler(parser, refuse_doctype);
    if (xml.n > INT32_MAX || XML_Parse(parser, (const char *)xml.p, (int)xml.n, 1) == XML_STATUS_OK)
        return xml.n <= INT32_MAX || err_set(err, ERR_BAD_INPUT, 0, "no Multi-Status: too long");
    enum XML_Error code = XML_GetErrorCode(parser);

    return err_set(err, code == XML_ERROR_NO_MEMORY ? ERR_TEMPORARY : ERR_BAD_INPUT, (int)code,
                   "no Multi-Status: line %lu: %s", XML_GetCurrentLineNumber(parser),
                   reading->refused ? reading->refused : XML_ErrorString(code));
}

bool multistatus_read(Bytes xml, Multistatus *ret, Err *err)
{
    Reading reading = { .parser = XML_ParserCreateNS(NULL, '|'),
                        .path = { ELEMENT_DOCUMENT },
                        .found = { .size_bytes = -1, .free_bytes = -1 } };

    if (!reading.parser)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for a Multi-Status");
    bool ok = parse(&reading, xml, err);
    XML_ParserFree(reading.parser);
    if (ok)
        *ret = reading.found;
    return ok;
}
