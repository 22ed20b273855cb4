/* What the tests are written with: CHECK says what failed and where, and TESTS runs them all. C99 and C++11. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seawall.h"

/* Where the library was built to check itself (the profile `checked`), this is what a failed check calls. */
#ifdef SEAWALL_CHECKED
#ifdef __cplusplus
extern "C"
#endif
void seawall_cannot_panic(void);
void seawall_cannot_panic(void) {
    fputs("the library has panicked\n", stderr);
    abort();
}
#endif

#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);           \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

/* A status, with its words where it is another one. */
#define CHECK_STATUS(expected, call)                                                                          \
    do {                                                                                                      \
        const seawall_status_t expected_ = (expected), seen_ = (call);                                        \
        if (seen_ != expected_) {                                                                             \
            fprintf(stderr, "%s:%d: %s is %d (%s), not %d (%s)\n", __FILE__, __LINE__, #call, (int)seen_,     \
                    seawall_status_text(seen_), (int)expected_, seawall_status_text(expected_));              \
            exit(1);                                                                                          \
        }                                                                                                     \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(SEAWALL_OK, call)

/* Each test is a function whose name says what it shows. */
#define RUN(test)               \
    do {                        \
        test();                 \
        printf("%s\n", #test);  \
        fflush(stdout);         \
    } while (0)

#define SECONDS(n) ((uint64_t)(n) * SEAWALL_SECOND)

/* An address for an object, not aligned to 8 bytes; to be given, never used. */
#define MISALIGNED(type, object) ((type *)(void *)((char *)(void *)(object) + 4))

/* The mistakes that every call on an object finds. `call` uses `it` for the object; `storage` is one that is initialised,
 * and `other` one of another type. */
#define CHECK_OBJECT_MISTAKES(type, storage, other, call)                                    \
    do {                                                                                     \
        static type zeroed_;                                                                 \
        type *it = NULL;                                                                     \
        CHECK_STATUS(SEAWALL_E_NULL, call);                                                  \
        it = MISALIGNED(type, storage);                                                      \
        CHECK_STATUS(SEAWALL_E_ALIGNMENT, call);                                             \
        it = &zeroed_;                                                                       \
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, call);                                         \
        it = (type *)(void *)(other);                                                        \
        CHECK_STATUS(SEAWALL_E_TYPE, call);                                                  \
    } while (0)

#endif
