#pragma once
// The request parser of Boost.Beast for Swift: no bytes of a request are kept in it, and no exception leaves it.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct varve_http_parser;

// What the parser finds, each with the context that was given to `feed`.
struct varve_http_events {
    void (*request)(void *context, const char *method, size_t method_count, const char *target, size_t target_count,
                    int version);
    // Of the head only: trailers are passed over.
    void (*field)(void *context, const char *name, size_t name_count, const char *value, size_t value_count);
    void (*body)(void *context, const char *bytes, size_t count);
};

enum varve_http_progress {
    // What was not consumed is to come again, with what follows it.
    VARVE_HTTP_NEEDS_MORE = 0,
    // There may be more in what was not consumed.
    VARVE_HTTP_GOES_ON = 1,
    // The head is whole, and was not before.
    VARVE_HTTP_HEAD = 2,
    // The request is whole; what was not consumed is another one.
    VARVE_HTTP_DONE = 3,
    // What follows is none of HTTP, or says of its length what cannot be.
    VARVE_HTTP_MALFORMED = 4,
    VARVE_HTTP_HEAD_TOO_LARGE = 5,
};

// Null if there is no memory. `events` must live as long.
struct varve_http_parser *varve_http_parser_create(const struct varve_http_events *events, uint32_t head_limit);
void varve_http_parser_destroy(struct varve_http_parser *parser);

// Parses what is contiguous, and sets how many bytes of it were consumed.
int varve_http_parser_feed(
    struct varve_http_parser *parser, void *context, const void *bytes, size_t count, size_t *consumed);

// Of a whole head: whether the connection may serve another request.
int varve_http_parser_keeps_alive(const struct varve_http_parser *parser);
// Of a whole head: whether a body follows.
int varve_http_parser_has_body(const struct varve_http_parser *parser);
// What is wrong, once it is.
const char *varve_http_parser_reason(const struct varve_http_parser *parser);

#ifdef __cplusplus
}
#endif
