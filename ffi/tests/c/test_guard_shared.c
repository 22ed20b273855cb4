/* A guard that processes and threads share: at different addresses, and whatever becomes of one of them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guards.h"

enum { SIZE = 1 << 16 };

static FILE *file;

/* The memory of the guard, mapped once more, at another address. */
static void *mapped(void) {
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static seawall_guard_t *attached(void *memory) {
    seawall_guard_t *guard = NULL;
    CHECK_OK(seawall_guard_attach(memory, SIZE, &guard));
    return guard;
}

/* 16 slots from the start, and a bucket that is no hindrance. */
static seawall_guard_t *made(void *memory) {
    seawall_guard_config_t config = SEAWALL_GUARD_CONFIG_INIT;
    seawall_guard_t *guard = NULL;
    config.limit.start = 16;
    config.bucket.rate.count = 1000000;
    config.bucket.burst = 1000000;
    config.bucket.fill_tokens = SEAWALL_FILL_FULL;
    CHECK_OK(seawall_guard_init(memory, SIZE, &config, 7, 0, &guard));
    return guard;
}

static void one_guard_at_two_addresses_is_one_guard(void) {
    void *const first = mapped(), *const second = mapped();
    seawall_guard_t *const here = made(first), *const there = attached(second);
    seawall_permit_t permit;
    seawall_call_t call = begun(here, 0, 0, 0);
    CHECK((void *)here != (void *)there);
    CHECK_OK(seawall_guard_try_attempt(there, &call, 0, &permit, NULL, NULL));
    CHECK(in_flight_of(here, 0) == 1);
    CHECK(reported(here, &call, &permit, SEAWALL_OUTCOME_SUCCESS, 1).verdict == SEAWALL_VERDICT_DONE);
    CHECK(in_flight_of(there, 1) == 0);
    CHECK(munmap(first, SIZE) == 0);
    CHECK(in_flight_of(there, 1) == 0);
    CHECK(munmap(second, SIZE) == 0);
}

/* Sends for ever, until it is killed. */
static void send_for_ever(seawall_guard_t *guard) {
    for (;;) {
        seawall_permit_t permit;
        seawall_call_t call = begun(guard, 0, 0, 0);
        if (seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL) == SEAWALL_OK) {
            (void)reported(guard, &call, &permit, SEAWALL_OUTCOME_IGNORED, 0);
        }
    }
}

static void a_process_that_is_killed_within_a_call_holds_up_nobody_and_what_it_held_is_free_again(void) {
    void *const memory = mapped();
    seawall_guard_t *const guard = made(memory);
    const struct timespec while_it_sends = {0, 2 * 1000 * 1000};
    uint32_t round, held = 0, sent;
    for (round = 0; round < 60; ++round) {
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) send_for_ever(attached(mapped()));
        nanosleep(&while_it_sends, NULL);
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(waitpid(child, NULL, 0) == child);
        /* One at most for each that was killed, and the others go on. */
        CHECK(in_flight_of(guard, 0) <= held + 1);
        held = in_flight_of(guard, 0);
        for (sent = 0; sent < 100 && held < 16; ++sent) {
            seawall_permit_t permit;
            seawall_call_t call = begun(guard, 0, 0, 0);
            CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
            (void)reported(guard, &call, &permit, SEAWALL_OUTCOME_IGNORED, 0);
        }
        CHECK(in_flight_of(guard, 0) == held);
        if (held >= 8) break;
    }
    /* Their leases lapse. */
    CHECK(in_flight_of(guard, SECONDS(6)) == 0);
    printf("%u of %u were killed while they held a slot\n", (unsigned)held, (unsigned)round + (round < 60));
    CHECK(munmap(memory, SIZE) == 0);
}

enum { THREADS = 4, CALLS = 20000 };

static void *send_some(void *memory) {
    seawall_guard_t *const guard = (seawall_guard_t *)memory;
    uintptr_t sent = 0;
    int number;
    for (number = 0; number < CALLS; ++number) {
        seawall_permit_t permit;
        seawall_call_t call = begun(guard, (uint64_t)number, 0, 0);
        if (seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL) != SEAWALL_OK) continue;
        CHECK(in_flight_of(guard, 0) <= 3);
        if (number % 3 == 0) {
            CHECK_OK(seawall_guard_cancel(guard, &permit, 0));
        } else {
            ++sent;
            (void)reported(guard, &call, &permit, SEAWALL_OUTCOME_IGNORED, 0);
        }
    }
    return (void *)sent;
}

static void threads_never_hold_more_than_the_limit_and_every_token_is_accounted_for(void) {
    static uint64_t memory[SIZE / 8];
    seawall_guard_config_t config = SEAWALL_GUARD_CONFIG_INIT;
    seawall_guard_t *guard = NULL;
    pthread_t threads[THREADS];
    uintptr_t sent = 0;
    int thread;
    config.limit.slots = config.limit.ceiling = config.limit.start = 3;
    config.bucket.rate.count = 0;
    config.bucket.burst = 1000000;
    config.bucket.fill_tokens = SEAWALL_FILL_FULL;
    CHECK_OK(seawall_guard_init(memory, sizeof memory, &config, 7, 0, &guard));
    for (thread = 0; thread < THREADS; ++thread) {
        CHECK(pthread_create(&threads[thread], NULL, send_some, guard) == 0);
    }
    for (thread = 0; thread < THREADS; ++thread) {
        void *count;
        CHECK(pthread_join(threads[thread], &count) == 0);
        sent += (uintptr_t)count;
    }
    CHECK(in_flight_of(guard, 0) == 0);
    /* Time stands still and nothing is earned: what is missing was sent; what was cancelled is there again. */
    CHECK(sent > 0 && tokens_of(guard, 0) == 1000000 - sent);
}

int main(void) {
    file = tmpfile();
    CHECK(file != NULL && ftruncate(fileno(file), SIZE) == 0);
    RUN(one_guard_at_two_addresses_is_one_guard);
    RUN(a_process_that_is_killed_within_a_call_holds_up_nobody_and_what_it_held_is_free_again);
    RUN(threads_never_hold_more_than_the_limit_and_every_token_is_accounted_for);
    return 0;
}
