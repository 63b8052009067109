#pragma once
#include <malloc.h>
#include <stddef.h>

// Keeps freed memory with the process: `trim` bytes at the heap's end, and allocations below `map` bytes in the heap.
// Swift does not import <malloc.h>.
static inline void varve_keep_memory(size_t trim, size_t map) {
    mallopt(M_TRIM_THRESHOLD, (int)trim);
    mallopt(M_MMAP_THRESHOLD, (int)map);
}
