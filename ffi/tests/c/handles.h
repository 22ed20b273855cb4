/* What the tests of objects in workspaces share: see seawall.h, "OBJECTS". */
#ifndef HANDLES_H
#define HANDLES_H

#include "vectors.h"

/* Room for every workspace of these tests, and something behind that nobody may write. */
typedef struct {
    uint64_t words[1 << 14];
    uint64_t behind[32];
} storage_t;

VECTORS_FUNCTION void storage_fence(storage_t *storage) {
    memset(storage->behind, 0xA5, sizeof storage->behind);
}

/* A workspace of exactly `size` bytes that ends at the fence, so that what is written behind it is seen. */
VECTORS_FUNCTION void *storage_of(storage_t *storage, size_t size) {
    CHECK(size % 8 == 0 && size <= sizeof storage->words);
    storage_fence(storage);
    return (char *)(void *)storage->behind - size;
}

VECTORS_FUNCTION void storage_check(const storage_t *storage) {
    size_t at;
    for (at = 0; at < sizeof storage->behind / sizeof storage->behind[0]; ++at) {
        CHECK(storage->behind[at] == UINT64_C(0xA5A5A5A5A5A5A5A5));
    }
}

/* The mistakes that every call on a handle finds. `call` uses `it` for the handle; `handle` is one that works, and
 * `other` one of another type. */
#define CHECK_HANDLE_MISTAKES(type, handle, other, call)                     \
    do {                                                                     \
        static uint64_t zeroed_[64];                                         \
        type *it = NULL;                                                     \
        CHECK_STATUS(SEAWALL_E_NULL, call);                                  \
        it = MISALIGNED(type, handle);                                       \
        CHECK_STATUS(SEAWALL_E_ALIGNMENT, call);                             \
        it = (type *)(void *)zeroed_;                                        \
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, call);                         \
        it = (type *)(void *)(other);                                        \
        CHECK_STATUS(SEAWALL_E_TYPE, call);                                  \
    } while (0)

#endif
