/* One guard for many: threads that send through it at once, and a process that is killed with permits in its hands. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guards.h"

#define THREADS 4
#define TURNS 100000
#define LIMIT 8
#define HELD 4 /* permits that one thread may hold: more than its share */
#define STEP_NS 1000 /* a storm takes a third of a second, so a thread that is held up is never a clock that was set back */

/* What all share, processes too. */
typedef struct {
    uint64_t clock_ns, in_flight, admitted, cancelled, refused_for_slots, child_holds, child_turns;
    uint64_t workspace[1 << 11];
} shared_t;

static shared_t *shared;
static seawall_guard_t *guard;

/* Exactly LIMIT in flight, and tokens that many ask for. */
static seawall_guard_config_t config_of(uint64_t per_second) {
    seawall_guard_config_t config = service_of(per_second, 1);
    config.limit.floor = config.limit.start = config.limit.ceiling = LIMIT;
    config.bucket.rate.count = per_second;
    config.bucket.rate.period_ns = SEAWALL_SECOND;
    return config;
}

static void make(const seawall_guard_config_t *config) {
    size_t size = 0;
    memset(shared, 0, sizeof *shared);
    CHECK_OK(seawall_guard_required_size(config, &size));
    CHECK(size <= sizeof shared->workspace);
    CHECK_OK(seawall_guard_init(shared->workspace, sizeof shared->workspace, config, 7, 0, &guard));
}

static uint64_t later(uint64_t step_ns) { return __atomic_add_fetch(&shared->clock_ns, step_ns, __ATOMIC_SEQ_CST); }

/* An attempt in the hands of who sends it. */
typedef struct {
    seawall_call_t call;
    seawall_permit_t permit;
} attempt_t;

static int tries(attempt_t *attempt, uint64_t key) {
    const uint64_t now_ns = later(STEP_NS);
    seawall_decision_t decision;
    seawall_status_t status;
    attempt->call = begun(guard, key, 0, now_ns);
    status = seawall_guard_try_attempt(guard, &attempt->call, now_ns, &attempt->permit, NULL, &decision);
    if (status == SEAWALL_OK) {
        /* Counted after it is admitted and until before it ends, so never over what the guard counts. */
        CHECK(__atomic_add_fetch(&shared->in_flight, 1, __ATOMIC_SEQ_CST) <= LIMIT);
        __atomic_add_fetch(&shared->admitted, 1, __ATOMIC_SEQ_CST);
        return 1;
    }
    CHECK_STATUS(SEAWALL_NOT_YET, status);
    CHECK(decision.stage == SEAWALL_STAGE_TOKEN_BUCKET || decision.stage == SEAWALL_STAGE_CONCURRENCY_LIMIT);
    if (decision.stage == SEAWALL_STAGE_CONCURRENCY_LIMIT) __atomic_add_fetch(&shared->refused_for_slots, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void ends(attempt_t *attempt, int is_sent) {
    const uint64_t now_ns = later(STEP_NS);
    __atomic_sub_fetch(&shared->in_flight, 1, __ATOMIC_SEQ_CST);
    if (is_sent) {
        CHECK(reported(guard, &attempt->call, &attempt->permit, SEAWALL_OUTCOME_SUCCESS, now_ns).verdict ==
              SEAWALL_VERDICT_DONE);
    } else {
        __atomic_add_fetch(&shared->cancelled, 1, __ATOMIC_SEQ_CST);
        CHECK_OK(seawall_guard_cancel(guard, &attempt->permit, now_ns));
    }
    CHECK(is_zero(&attempt->permit, sizeof attempt->permit));
}

static void *sends(void *given) {
    uint64_t random = 88172645463325252u + (uint64_t)(uintptr_t)given;
    attempt_t held[HELD];
    int count = 0, turn;
    for (turn = 0; turn < TURNS; ++turn) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (count < HELD && (random & 3) != 0) {
            count += tries(&held[count], random >> 32);
        } else if (count > 0) {
            ends(&held[--count], (random >> 8) % 8 != 0);
        }
    }
    while (count > 0) ends(&held[--count], 1);
    return NULL;
}

static void a_storm(uint64_t per_second) {
    const seawall_guard_config_t config = config_of(per_second);
    pthread_t threads[THREADS];
    attempt_t attempt;
    uintptr_t index;
    uint64_t earned;
    make(&config);
    for (index = 0; index < THREADS; ++index) CHECK(pthread_create(&threads[index], NULL, sends, (void *)index) == 0);
    for (index = 0; index < THREADS; ++index) CHECK(pthread_join(threads[index], NULL) == 0);
    CHECK(shared->in_flight == 0 && in_flight_of(guard, shared->clock_ns) == 0);
    earned = config.bucket.burst + shared->clock_ns / 1000 * (per_second / 1000) / 1000;
    CHECK(shared->admitted > 1000 && shared->admitted <= earned + shared->cancelled);
    printf("%llu admitted of %llu earned, %llu cancelled, %llu refused for a slot\n", (unsigned long long)shared->admitted,
           (unsigned long long)earned, (unsigned long long)shared->cancelled, (unsigned long long)shared->refused_for_slots);
    /* It works as before. */
    later(SEAWALL_SECOND);
    CHECK(tries(&attempt, 1));
    ends(&attempt, 1);
}

static void threads_never_have_more_in_flight_than_the_limit_and_every_slot_comes_back(void) {
    a_storm(200000); /* the tokens are what is short */
    a_storm(2000000); /* the slots are */
}

/* Holds three permits, and goes on with a fourth until it is killed. */
static void child_sends(void) {
    attempt_t held[3], attempt;
    guard = NULL;
    CHECK_OK(seawall_guard_attach(shared->workspace, sizeof shared->workspace, &guard));
    while (shared->child_holds < 3) shared->child_holds += (uint64_t)tries(&held[shared->child_holds], 1);
    for (;;) {
        if (tries(&attempt, 2)) ends(&attempt, shared->child_turns % 2 == 0);
        __atomic_add_fetch(&shared->child_turns, 1, __ATOMIC_RELEASE);
    }
}

static int admitted_of(int wanted, attempt_t *attempts) {
    int count = 0, turn;
    for (turn = 0; turn < 10 * LIMIT && count < wanted; ++turn) count += tries(&attempts[count], 3);
    return count;
}

static void what_a_killed_process_had_in_flight_comes_back_with_its_leases(void) {
    const seawall_guard_config_t config = config_of(2000000);
    int round;
    for (round = 0; round < 10; ++round) {
        attempt_t attempts[LIMIT];
        uint32_t lost;
        int status, count;
        pid_t child;
        make(&config);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) child_sends();
        while (__atomic_load_n(&shared->child_turns, __ATOMIC_ACQUIRE) < 50 + (uint64_t)round) usleep(10);
        CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        /* Three, and a fourth if it was killed between try and end. */
        lost = in_flight_of(guard, shared->clock_ns);
        CHECK(lost == 3 || lost == 4);
        shared->in_flight = lost;
        count = admitted_of(LIMIT, attempts);
        CHECK(count == LIMIT - (int)lost);
        while (count > 0) ends(&attempts[--count], 1);
        /* Their leases over, all slots are there for who lives. */
        later(config.limit.lease_ns + SEAWALL_SECOND);
        CHECK(in_flight_of(guard, shared->clock_ns) == 0);
        shared->in_flight = 0;
        count = admitted_of(LIMIT, attempts);
        CHECK(count == LIMIT);
        while (count > 0) ends(&attempts[--count], 1);
        CHECK(in_flight_of(guard, shared->clock_ns) == 0);
    }
}

int main(void) {
    void *memory = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    shared = (shared_t *)memory;
    RUN(threads_never_have_more_in_flight_than_the_limit_and_every_slot_comes_back);
    RUN(what_a_killed_process_had_in_flight_comes_back_with_its_leases);
    return 0;
}
