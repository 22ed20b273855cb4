/* Four threads on one bucket: together they get what one of them would, and not a token more or less. */
#include <pthread.h>

#include "handles.h"

#define THREADS 4

static seawall_token_bucket_t bucket;
static uint64_t clock_ns;       /* shared, moved by who reads it */
static uint64_t total_admitted; /* tokens, over all threads */

/* What a thread has done, by itself. */
typedef struct {
    pthread_t thread;
    uint64_t random, admitted, given_back;
} worker_t;

static uint64_t next_random(worker_t *worker) {
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return worker->random;
}

static void make(uint64_t period_ns, uint32_t burst, uint32_t fill) {
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    config.rate.count = 1;
    config.rate.period_ns = period_ns;
    config.burst = burst;
    config.fill_tokens = fill;
    CHECK_OK(seawall_token_bucket_init(&bucket, &config, 0));
    clock_ns = 0;
    total_admitted = 0;
}

static uint32_t available(uint64_t now_ns) {
    uint32_t tokens = 0;
    CHECK_OK(seawall_token_bucket_available(&bucket, now_ns, &tokens));
    return tokens;
}

/* Runs `work` in all threads and adds up what they did. */
static worker_t run_all(void *(*work)(void *)) {
    static worker_t workers[THREADS];
    worker_t sum;
    int index;
    memset(&sum, 0, sizeof sum);
    memset(workers, 0, sizeof workers);
    for (index = 0; index < THREADS; ++index) {
        workers[index].random = 88172645463325252u + (uint64_t)index;
        CHECK(pthread_create(&workers[index].thread, NULL, work, &workers[index]) == 0);
    }
    for (index = 0; index < THREADS; ++index) {
        CHECK(pthread_join(workers[index].thread, NULL) == 0);
        sum.admitted += workers[index].admitted;
        sum.given_back += workers[index].given_back;
    }
    return sum;
}

static void *takes_until_refused(void *given) {
    worker_t *worker = (worker_t *)given;
    seawall_decision_t decision;
    seawall_status_t status;
    while ((status = seawall_token_bucket_try_take(&bucket, 1, 0, &decision)) == SEAWALL_OK) ++worker->admitted;
    CHECK_STATUS(SEAWALL_NOT_YET, status);
    CHECK(decision.retry_after_ns > 0);
    return NULL;
}

static void a_clock_that_stands_admits_exactly_the_burst(void) {
    int round;
    for (round = 0; round < 20; ++round) {
        make(SEAWALL_SECOND, 50000, SEAWALL_FILL_FULL);
        CHECK(run_all(takes_until_refused).admitted == 50000);
        CHECK(available(0) == 0);
    }
}

#define TAKES 200000
#define STEP_NS 100
#define PERIOD_NS 1000

/* Ten times what is earned is asked for; each question moves the clock. */
static void *takes_while_the_clock_moves(void *given) {
    worker_t *worker = (worker_t *)given;
    int turn;
    for (turn = 0; turn < TAKES; ++turn) {
        const uint64_t now_ns = __atomic_add_fetch(&clock_ns, STEP_NS, __ATOMIC_RELAXED);
        uint64_t admitted;
        const seawall_status_t status = seawall_token_bucket_try_take(&bucket, 1, now_ns, NULL);
        if (status != SEAWALL_OK) {
            CHECK_STATUS(SEAWALL_NOT_YET, status);
            continue;
        }
        ++worker->admitted;
        /* Never one more than was earned until now, at any instant. */
        admitted = __atomic_add_fetch(&total_admitted, 1, __ATOMIC_SEQ_CST);
        CHECK(admitted <= __atomic_load_n(&clock_ns, __ATOMIC_SEQ_CST) / PERIOD_NS);
    }
    return NULL;
}

static void a_clock_that_moves_admits_what_was_earned_and_nothing_is_lost(void) {
    const uint64_t end_ns = (uint64_t)THREADS * TAKES * STEP_NS;
    worker_t sum;
    /* Never full, so that nothing is to be lost: it begins empty, and is asked for more than it earns. */
    make(PERIOD_NS, 1000, 0);
    sum = run_all(takes_while_the_clock_moves);
    CHECK(clock_ns == end_ns);
    CHECK(sum.admitted + available(end_ns) == end_ns / PERIOD_NS);
}

static void *takes_and_gives_back(void *given) {
    worker_t *worker = (worker_t *)given;
    int turn;
    for (turn = 0; turn < TAKES / 4; ++turn) {
        const uint32_t n = (uint32_t)(next_random(worker) % 5);
        const uint64_t choice = next_random(worker) % 4;
        uint64_t held = worker->admitted - worker->given_back;
        seawall_status_t status;
        uint32_t count = 0;
        if (choice == 0) {
            CHECK_OK(seawall_token_bucket_take_up_to(&bucket, n, 0, &count));
            worker->admitted += count;
        } else if (choice == 1) {
            seawall_reservation_t reservation;
            uint64_t at_ns;
            if (seawall_token_bucket_reserve(&bucket, n, 0, 0, &reservation, &at_ns, NULL) != SEAWALL_OK) continue;
            worker->admitted += n;
            status = seawall_token_bucket_cancel(&bucket, &reservation, 0);
            CHECK(status == SEAWALL_OK || status == SEAWALL_NOTHING_DONE);
            if (status == SEAWALL_OK) worker->given_back += n;
        } else if (choice == 2 && held >= n) {
            status = seawall_token_bucket_refund(&bucket, n, 0);
            CHECK(status == SEAWALL_OK || status == SEAWALL_NOTHING_DONE);
            if (status == SEAWALL_OK) worker->given_back += n;
        } else if (seawall_token_bucket_try_take(&bucket, n, 0, NULL) == SEAWALL_OK) {
            worker->admitted += n;
        }
    }
    return NULL;
}

static void what_is_given_back_is_there_once(void) {
    worker_t sum;
    make(SEAWALL_SECOND, 5000, SEAWALL_FILL_FULL);
    sum = run_all(takes_and_gives_back);
    CHECK(sum.admitted > 5000);
    CHECK(sum.admitted - sum.given_back + available(0) == 5000);
}

static int numbers; /* how many threads have begun */

/* The first one takes and moves the clock, the other three change the rate: as many as may at once. */
static void *takes_or_changes_the_rate(void *given) {
    worker_t *worker = (worker_t *)given;
    const int is_taker = __atomic_fetch_add(&numbers, 1, __ATOMIC_RELAXED) == 0;
    int turn;
    for (turn = 0; turn < TAKES / 10; ++turn) {
        if (is_taker) {
            const uint64_t now_ns = __atomic_add_fetch(&clock_ns, STEP_NS, __ATOMIC_RELAXED);
            worker->admitted += seawall_token_bucket_try_take(&bucket, 1, now_ns, NULL) == SEAWALL_OK;
        } else {
            const seawall_rate_t rate = SEAWALL_RATE_INIT(1 + next_random(worker) % 2, PERIOD_NS);
            const uint64_t now_ns = __atomic_load_n(&clock_ns, __ATOMIC_RELAXED);
            CHECK_OK(seawall_token_bucket_set_rate(&bucket, rate, now_ns));
        }
    }
    return NULL;
}

static void three_change_the_rate_at_once_and_who_takes_gets_what_the_rates_allow(void) {
    const uint64_t end_ns = (uint64_t)TAKES / 10 * STEP_NS;
    worker_t sum;
    numbers = 0;
    make(PERIOD_NS, 1000, 0);
    sum = run_all(takes_or_changes_the_rate);
    CHECK(clock_ns == end_ns);
    sum.admitted += available(end_ns);
    /* Between one and two in PERIOD_NS; the whole tokens of its end aside. */
    CHECK(sum.admitted + 1 >= end_ns / PERIOD_NS && sum.admitted <= 2 * end_ns / PERIOD_NS);
}

#define MADE 200

static storage_t storage;
static uint64_t *made_at; /* the workspaces, one after the other */
static int looked;        /* how often others have looked for one */

/* Looks for the limit until it is there: then it is there completely. */
static void *looks_for_a_limit(void *of) {
    worker_t *worker = (worker_t *)of;
    unsigned round;
    for (round = 0; round < MADE; ++round) {
        uint64_t *const workspace = made_at + round * 64;
        seawall_concurrency_limit_t *limit = NULL;
        seawall_limit_permit_t permit;
        seawall_status_t status;
        uint32_t slots = 0;
        while ((status = seawall_concurrency_limit_attach(workspace, 512, &limit)) != SEAWALL_OK) {
            CHECK(status == SEAWALL_E_UNINITIALISED);
            __atomic_add_fetch(&looked, 1, __ATOMIC_RELAXED);
        }
        CHECK_OK(seawall_concurrency_limit_slots(limit, &slots));
        CHECK(slots == 4);
        CHECK_OK(seawall_concurrency_limit_try_attempt(limit, 0, &permit, NULL));
        ++worker->admitted;
    }
    return NULL;
}

static void *makes_limits(void *of) {
    seawall_concurrency_limit_config_t config = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
    unsigned round;
    (void)of;
    config.slots = config.ceiling = config.start = 4;
    for (round = 0; round < MADE; ++round) {
        const int before = __atomic_load_n(&looked, __ATOMIC_RELAXED);
        seawall_concurrency_limit_t *limit = NULL;
        while (__atomic_load_n(&looked, __ATOMIC_RELAXED) == before) {}
        CHECK_OK(seawall_concurrency_limit_init(made_at + round * 64, 512, &config, &limit));
    }
    return NULL;
}

static void *makes_or_looks(void *of) {
    return __atomic_fetch_add(&numbers, 1, __ATOMIC_RELAXED) == 0 ? makes_limits(of) : looks_for_a_limit(of);
}

static void who_looks_for_an_object_finds_none_or_all_of_it(void) {
    const uintptr_t lost = (uintptr_t)(128 - (uintptr_t)(void *)storage.words % 128) % 128;
    worker_t sum;
    memset(&storage, 0, sizeof storage);
    made_at = storage.words + lost / 8;
    numbers = 0;
    sum = run_all(makes_or_looks);
    CHECK(sum.admitted == 3 * MADE);
}

int main(void) {
    RUN(a_clock_that_stands_admits_exactly_the_burst);
    RUN(a_clock_that_moves_admits_what_was_earned_and_nothing_is_lost);
    RUN(what_is_given_back_is_there_once);
    RUN(three_change_the_rate_at_once_and_who_takes_gets_what_the_rates_allow);
    RUN(who_looks_for_an_object_finds_none_or_all_of_it);
    return 0;
}
