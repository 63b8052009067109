#pragma once
#include <malloc.h>
#include <stddef.h>

// Keeps freed memory with the process: `trim` bytes at the heap's end, and allocations below `map` bytes in the heap.
// Swift does not import <malloc.h>.
static inline void varve_keep_memory(size_t trim, size_t map) {
    mallopt(M_TRIM_THRESHOLD, (int)trim);
    mallopt(M_MMAP_THRESHOLD, (int)map);
}

// memmem(3), which glibc declares for GNU programs only: the first occurrence of `needle`, or NULL.
const void *varve_find(const void *haystack, size_t haystack_size, const void *needle, size_t needle_size);
