/* wire/xml.h - just enough XML to read the few elements of a push-scan body. Private to wire/.
 *
 * A pull reader over a whole text: start of element, end of element, text, in the order of the
 * document. Prefixes are dropped. Anything that could make a document do more
 * than it shows is refused: DOCTYPE, CDATA, other entities than the five of XML, deep nesting. */
#ifndef PLATEN_WIRE_XML_H
#define PLATEN_WIRE_XML_H

#include "base/bytes.h"

enum { XML_DEPTH_MAX = 16 };

typedef enum XmlKind { XML_START, XML_STOP, XML_TEXT } XmlKind;

typedef struct XmlItem {
    XmlKind kind;
    Bytes name;       /* XML_START, XML_STOP: local name, borrowed                          */
    Bytes text;       /* XML_TEXT: raw, for xml_text_copy                                    */
    Bytes attributes; /* XML_START: raw, for xml_attribute                              */
    size_t depth;     /* of the element (1 = root), or of the element that holds the text    */
} XmlItem;

typedef struct XmlReader {
    Bytes left;
    Bytes open[XML_DEPTH_MAX]; /* full names of the open elements   */
    size_t depth;
    bool self_closed; /* the last start was <a/>: its stop is due   */
    bool seen_root;
    bool bad;
} XmlReader;

static inline XmlReader xml_reader_over(Bytes document)
{
    return (XmlReader){ .left = document };
}

/* The next item; false at the end of the document and when it is not well-formed (see bad). */
bool xml_next(XmlReader *reader, XmlItem *ret_item);

/* Copies the text without blanks around it and with the five entities resolved into to[size].
 * False when it does not fit, is no UTF-8, or holds a control character or another entity. */
bool xml_text_copy(char *to, size_t size, Bytes text);

/* The value of the attribute (whole name, with its prefix) of a start tag, raw, for xml_text_copy.
 * False when there is none or the attributes before it are malformed. */
bool xml_attribute(Bytes attributes, const char *name, Bytes *ret_value);

#endif
