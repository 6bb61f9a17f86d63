/* json/tree.h - the nodes behind Json; private to src/json.
 *
 * A tree is our own and not a library's, because a failed allocation must stick to it and a value
 * read from YAML remembers its line for the error texts.
 * Recursion over a parsed tree is bounded by JSON_DEPTH_MAX. */
#ifndef PLATEN_JSON_TREE_H
#define PLATEN_JSON_TREE_H

#include "json/json.h"

struct Json {
    JsonKind kind;
    bool poisoned; /* a change of this node failed: the tree must not be used as if it were whole */
    bool boolean;  /* JSON_BOOL                                                                  */
    bool whole;    /* JSON_NUMBER: integer holds it; else text holds the digits     */
    uint32_t line; /* line in the YAML text, 0 = not from YAML                                   */
    char *name;    /* when member of an object                                                   */
    union {
        int64_t integer;
        char *text;
        struct {
            Json **items;
            size_t n, cap;
        };
    };
};

/* Each answers NULL when memory is gone. The text is copied as it is: UTF-8 without NUL. */
Json *json_node_new(JsonKind kind);
Json *json_node_text(JsonKind kind, Bytes text); /* JSON_TEXT, or JSON_NUMBER that is not whole */
char *json_copy_bytes(Bytes text);               /* NUL-terminated                              */

/* The value of a plain scalar that JSON writes the same way: true, false, null, a number. NULL in
 * *ret_value when it is no such word. False for a number beyond its range and when memory is gone. */
bool json_parse_plain(Bytes text, Json **ret_value, Err *err);

/* Puts the value at the end of an array or, with its name set, of an object. False when memory is
 * gone; the value is freed then. */
bool json_node_append(Json *container, Json *value_take);

/* True for a well-formed text within JSON_BYTES_MAX; otherwise ERR_BAD_INPUT with the line. */
bool json_check_text(Bytes text, Err *err);

/* Records ERR_TEMPORARY for "no memory left". Returns false. */
bool json_no_memory(Err *err);

#endif
