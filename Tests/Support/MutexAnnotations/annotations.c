// Tells the thread sanitizer what the slow paths of Synchronization.Mutex do. Their fast paths are inlined, and instrumented like
// everything else; the slow ones are in the toolchain's library, which is not, so that a lock which somebody had to wait for would
// order nothing, and all that it guards would be called a race.
//
// Both symbols take the place of the library's, which they call. Linux alone; x86-64 and AArch64 have the calling convention.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef __attribute__((swiftcall)) void (*lock_slow)(uint32_t thread, __attribute__((swift_context)) void *mutex);
typedef __attribute__((swiftcall)) void (*unlock_slow)(__attribute__((swift_context)) void *mutex);

void __tsan_acquire(void *address);
void __tsan_release(void *address);

static lock_slow library_lock;
static unlock_slow library_unlock;

__attribute__((constructor)) static void find_library(void) {
    library_lock = (lock_slow)dlsym(RTLD_NEXT, LOCK);
    library_unlock = (unlock_slow)dlsym(RTLD_NEXT, UNLOCK);
    // Another toolchain may name them otherwise: then the run would find races that are none.
    if (!library_lock || !library_unlock) abort();
}

__attribute__((swiftcall)) void varve_lock_slow(uint32_t thread, __attribute__((swift_context)) void *mutex) __asm__(LOCK);
__attribute__((swiftcall)) void varve_unlock_slow(__attribute__((swift_context)) void *mutex) __asm__(UNLOCK);

__attribute__((swiftcall)) void varve_lock_slow(uint32_t thread, __attribute__((swift_context)) void *mutex) {
    library_lock(thread, mutex);
    __tsan_acquire(mutex);
}

__attribute__((swiftcall)) void varve_unlock_slow(__attribute__((swift_context)) void *mutex) {
    __tsan_release(mutex);
    library_unlock(mutex);
}
