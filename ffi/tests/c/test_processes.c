/* State in memory that processes share: one bucket for all of them, whoever is killed in the middle of a call. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define BURST 50000

/* What the processes share. */
typedef struct {
    seawall_token_bucket_t bucket;
    uint64_t admitted[2];
    uint64_t changes;
} shared_t;

static shared_t *shared;

static void make(uint32_t burst) {
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    config.rate.count = 1;
    config.burst = burst;
    memset(shared, 0, sizeof *shared);
    CHECK_OK(seawall_token_bucket_init(&shared->bucket, &config, 0));
}

static void take_until_refused(int which) {
    seawall_status_t status;
    while ((status = seawall_token_bucket_try_take(&shared->bucket, 1, 0, NULL)) == SEAWALL_OK) {
        __atomic_add_fetch(&shared->admitted[which], 1, __ATOMIC_RELEASE);
    }
    CHECK_STATUS(SEAWALL_NOT_YET, status);
}

static pid_t start(void (*work)(void)) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        work();
        _exit(0);
    }
    return child;
}

static void wait_for(uint64_t *count, uint64_t until) {
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < until) usleep(10);
}

static void end(pid_t child, int is_killed) {
    int status;
    if (is_killed) CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(is_killed ? WIFSIGNALED(status) || WIFEXITED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child_takes(void) { take_until_refused(1); }

static void two_processes_share_exactly_one_burst(void) {
    int round;
    for (round = 0; round < 10; ++round) {
        pid_t child;
        make(BURST);
        child = start(child_takes);
        wait_for(&shared->admitted[1], 1);
        take_until_refused(0);
        end(child, 0);
        CHECK(shared->admitted[0] + shared->admitted[1] == BURST);
    }
}

static void who_is_killed_in_a_burst_takes_at_most_the_token_at_hand(void) {
    int round, killed_early = 0;
    for (round = 0; round < 40; ++round) {
        uint64_t sum;
        pid_t child;
        make(BURST);
        child = start(child_takes);
        wait_for(&shared->admitted[1], 100 + (uint64_t)round * 10);
        end(child, 1);
        killed_early += shared->admitted[1] < BURST;
        take_until_refused(0);
        sum = shared->admitted[0] + shared->admitted[1];
        /* Killed between its last take and its count, or not. */
        CHECK(sum == BURST || sum == BURST - 1);
    }
    CHECK(killed_early > 0);
}

static void child_changes(void) {
    seawall_rate_t rate = SEAWALL_RATE_INIT(1, SEAWALL_SECOND);
    for (;;) {
        rate.count = 1 + rate.count % 7;
        CHECK_OK(seawall_token_bucket_set_rate(&shared->bucket, rate, 0));
        if (seawall_token_bucket_try_take(&shared->bucket, 1, 0, NULL) == SEAWALL_OK) {
            __atomic_add_fetch(&shared->admitted[1], 1, __ATOMIC_RELEASE);
        }
        __atomic_add_fetch(&shared->changes, 1, __ATOMIC_RELEASE);
    }
}

static void who_is_killed_in_a_change_leaves_a_bucket_that_works(void) {
    int round;
    for (round = 0; round < 40; ++round) {
        const seawall_rate_t rate = SEAWALL_RATE_INIT(3, SEAWALL_SECOND);
        uint32_t tokens = 0;
        uint64_t sum;
        pid_t child;
        make(BURST);
        child = start(child_changes);
        wait_for(&shared->changes, 100 + (uint64_t)round * 10);
        end(child, 1);
        take_until_refused(0);
        sum = shared->admitted[0] + shared->admitted[1];
        CHECK(sum == BURST || sum == BURST - 1);
        /* Its change is at most one of those that may be under way: others still make theirs. */
        CHECK_OK(seawall_token_bucket_set_rate(&shared->bucket, rate, 0));
        CHECK_OK(seawall_token_bucket_available(&shared->bucket, SECONDS(2), &tokens));
        CHECK(tokens == 6);
    }
}

static void an_object_in_a_file_is_the_same_at_every_address_and_after_its_process(void) {
    FILE *const stream = tmpfile();
    const int file = stream ? fileno(stream) : -1;
    shared_t *const before = shared;
    void *first, *second;
    uint32_t tokens = 0;
    CHECK(file >= 0 && ftruncate(file, sizeof(shared_t)) == 0);
    first = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    second = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(first != MAP_FAILED && second != MAP_FAILED && first != second);
    shared = (shared_t *)first;
    /* A file of zeros has no bucket yet. */
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_token_bucket_try_take(&shared->bucket, 1, 0, NULL));
    make(BURST);
    end(start(child_takes), 0);
    CHECK(munmap(first, sizeof(shared_t)) == 0);
    shared = (shared_t *)second;
    CHECK(shared->admitted[1] == BURST);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_token_bucket_try_take(&shared->bucket, 1, 0, NULL));
    CHECK_OK(seawall_token_bucket_available(&shared->bucket, SECONDS(7), &tokens));
    CHECK(tokens == 7);
    CHECK(munmap(second, sizeof(shared_t)) == 0 && fclose(stream) == 0);
    shared = before;
}

int main(void) {
    void *memory = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    shared = (shared_t *)memory;
    RUN(two_processes_share_exactly_one_burst);
    RUN(who_is_killed_in_a_burst_takes_at_most_the_token_at_hand);
    RUN(who_is_killed_in_a_change_leaves_a_bucket_that_works);
    RUN(an_object_in_a_file_is_the_same_at_every_address_and_after_its_process);
    return 0;
}
