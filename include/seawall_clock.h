/*
 * seawall_clock.h: a clock for programs that have no better one.
 *
 * It is apart from seawall.h, and a function in this header, so that the library needs no clock and no libc. Programs with
 * an event loop have the time at hand and do better to give that: one reading serves for every call of a turn.
 *
 * C99 and C++11 or later, POSIX. A program in strict ISO C (-std=c11) says #define _POSIX_C_SOURCE 199309L or later before
 * its first #include.
 */
#ifndef SEAWALL_CLOCK_H
#define SEAWALL_CLOCK_H

#include <stdint.h>
#include <time.h>

#ifndef CLOCK_MONOTONIC
#error "seawall_clock.h needs clock_gettime: say #define _POSIX_C_SOURCE 199309L before the first #include"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// Nanoseconds since the machine was started, by CLOCK_MONOTONIC: the same origin for all processes of a machine, until it
/// is started again. It never steps back. While the machine is suspended it stands still, so tokens are not earned then.
///
/// Threads: any, at the same time; signal handlers too. Leaves errno alone.
/// Returns: the nanoseconds; 0 where there is no such clock.
static inline uint64_t seawall_clock_now_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#ifdef __cplusplus
}
#endif

#endif
