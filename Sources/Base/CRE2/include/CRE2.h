#pragma once
// RE2 behind C functions: no exception leaves them, and no text needs a terminating zero.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct varve_re2 varve_re2;

// Why an expression did not compile; the numbers are Pattern.swift's.
enum varve_re2_error {
    VARVE_RE2_OK = 0,
    VARVE_RE2_INTERNAL,
    VARVE_RE2_BAD_ESCAPE,
    VARVE_RE2_BAD_CHAR_CLASS,
    VARVE_RE2_BAD_CHAR_RANGE,
    VARVE_RE2_MISSING_BRACKET,
    VARVE_RE2_MISSING_PAREN,
    VARVE_RE2_UNEXPECTED_PAREN,
    VARVE_RE2_TRAILING_BACKSLASH,
    VARVE_RE2_REPEAT_ARGUMENT,
    VARVE_RE2_REPEAT_SIZE,
    VARVE_RE2_REPEAT_OP,
    VARVE_RE2_BAD_PERL_OP,
    VARVE_RE2_BAD_UTF8,
    VARVE_RE2_BAD_NAMED_CAPTURE,
    VARVE_RE2_TOO_LARGE,
};

// Compiles `source`. Null on failure: then `*error` says why, and `argument` holds at most `argument_capacity` bytes of the
// offending piece of the source, `*argument_length` in all.
varve_re2 *varve_re2_create(
    const char *source, size_t length, int64_t max_memory, bool dot_matches_newline,
    int32_t *error, char *argument, size_t argument_capacity, size_t *argument_length);
void varve_re2_destroy(varve_re2 *pattern);

int32_t varve_re2_group_count(const varve_re2 *pattern);
// The name of group 1... `group_count`, valid as long as the pattern is, or null if it has none.
const char *varve_re2_group_name(const varve_re2 *pattern, int32_t group, size_t *length);

// Whether the whole text (`whole`) or any piece of it matches.
bool varve_re2_matches(const varve_re2 *pattern, const char *text, size_t length, bool whole);

// Finds the first match at or after `start`. `offsets` receives `group_slots` pairs of start and end, the whole match
// first; -1 for a group that took no part.
bool varve_re2_find(
    const varve_re2 *pattern, const char *text, size_t length, size_t start, bool whole, int64_t *offsets,
    int32_t group_slots);

#ifdef __cplusplus
}
#endif
