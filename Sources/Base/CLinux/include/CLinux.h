#pragma once
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>

// Keeps freed memory with the process: `trim` bytes at the heap's end, and allocations below `map` bytes in the heap.
// Swift does not import <malloc.h>.
static inline void varve_keep_memory(size_t trim, size_t map) {
    mallopt(M_TRIM_THRESHOLD, (int)trim);
    mallopt(M_MMAP_THRESHOLD, (int)map);
}

// Gives memory that was freed back to the system.
static inline void varve_release_memory(void) { malloc_trim(0); }

// Listens on `address` (a textual IPv4 or IPv6 address). -1 on failure, with errno set; otherwise `*port` is the port that was bound,
// which matters for port 0.
int varve_listen(const char *address, uint16_t *port, int backlog);

// The next connection of a listener, or -1 with errno set. It does not block, and sends small packets at once.
int varve_accept(int listener);
// -1 on failure.
int varve_set_nonblocking(int descriptor);

// What may happen to a descriptor that an epoll watches; Swift does not import <sys/epoll.h>.
#define VARVE_READABLE 1u
#define VARVE_WRITABLE 2u
#define VARVE_BROKEN 4u
// The other side has ended its direction; reported as readable, too, where that is watched.
#define VARVE_HANGUP 8u

struct varve_event {
    uint64_t key;
    uint32_t events;
};

int varve_epoll_create(void);
// Watches a descriptor for `events`, from now on or, if it `is_known`, instead of what it was watched for. -1 on failure.
int varve_epoll_watch(int epoll, int descriptor, uint64_t key, uint32_t events, int is_known);
void varve_epoll_forget(int epoll, int descriptor);
// How many events there are, none after `timeout` milliseconds (-1: never).
int varve_epoll_wait(int epoll, struct varve_event *events, int capacity, int timeout);

// A descriptor that becomes readable by a signal, until it is cleared.
int varve_wakeup_create(void);
void varve_wakeup_signal(int descriptor);
void varve_wakeup_clear(int descriptor);

// Whether a descriptor is readable, writable or broken within so many milliseconds: what of it happened, or 0.
uint32_t varve_wait_for(int descriptor, uint32_t events, int timeout);
// Ends both directions; the descriptor stays open.
void varve_shut_down(int socket);

// Makes durable what was written to the file system that holds the open file. -1 on failure, with errno set.
int varve_sync_file_system(int descriptor);
