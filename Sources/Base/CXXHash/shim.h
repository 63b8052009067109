#define XXH_STATIC_LINKING_ONLY
#define XXH_INLINE_ALL
#pragma once
#include <xxhash.h>

// Swift does not import the library's macros and inlines poorly through them: plain functions instead.
static inline uint64_t varve_xxh3_64(const void *bytes, size_t count) {
    return XXH3_64bits(bytes, count);
}

static inline uint64_t varve_xxh3_64_seed(const void *bytes, size_t count, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes, count, seed);
}
