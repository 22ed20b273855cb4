/* Permits, reservations, leases and calls whose words somebody has made up or changed, from four threads, at any number and
 * any time: each is answered, and none does harm that a reset does not heal. SEAWALL_SEED=n draws other ones. */
#include <pthread.h>

#include "guards.h"

#define THREADS 4
#define STEPS 40000
#define WORDS 12 /* of a call, and of a permit of a guard */

static storage_t lease_storage, limit_storage;
static guarded_t guarded;
static seawall_token_bucket_t bucket;
static seawall_circuit_breaker_t breaker;
static seawall_leased_bucket_t *leased;
static seawall_concurrency_limit_t *limit;
static uint32_t batch;
static uint64_t seed = 1;

/* Some of each kind, so that a call is made with a permit of another, or with a copy. */
typedef struct {
    pthread_t thread;
    uint64_t random;
    seawall_reservation_t reservations[3];
    seawall_owned_lease_t leases[3], lease; /* and what was given last, as who forges them all loses the shard */
    seawall_limit_permit_t limits[3];
    seawall_breaker_permit_t breakers[3];
    seawall_permit_t permits[3];
    seawall_call_t calls[3];
} forger_t;

static uint64_t draw(forger_t *forger) {
    uint64_t z = (forger->random += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Numbers at the ends of their range, and near them, as often as others. */
static uint64_t any_number(forger_t *forger) {
    const uint64_t number = draw(forger) >> (draw(forger) % 64);
    switch (draw(forger) % 4) {
    case 0: return number;
    case 1: return 0 - number % 8;
    case 2: return (uint64_t)1 << (number % 64);
    default: return number % 4;
    }
}

static uint64_t any_time(forger_t *forger) {
    return draw(forger) % 16 ? SECONDS(1000) + draw(forger) % SECONDS(2) : any_number(forger);
}

static uint32_t any_tokens(forger_t *forger) {
    return draw(forger) % 16 ? (uint32_t)(draw(forger) % 4) : (uint32_t)any_number(forger);
}

/* Now and then other words behind the tag, or one bit of them. The last word of calls and permits of a guard is 0. */
static void forge(forger_t *forger, uint64_t *words, size_t count) {
    const size_t last = count == WORDS ? WORDS - 2 : count - 1;
    size_t at = 1 + draw(forger) % last;
    switch (draw(forger) % 64) {
    case 0: words[at] = any_number(forger); break;
    case 1: words[at] ^= (uint64_t)1 << (draw(forger) % 64); break;
    case 2: memcpy(words + count, words, count * sizeof *words); break; /* a copy, to its neighbour */
    case 3:
        for (at = 1; at <= last; ++at) words[at] = any_number(forger);
        break;
    default: break;
    }
}

#define ONE_OF(values) ((values) + draw(forger) % 2)
#define FORGE(value) forge(forger, (value)->opaque, sizeof(value)->opaque / sizeof *(value)->opaque)

static void step(forger_t *forger) {
    const uint64_t now = any_time(forger);
    seawall_reservation_t *const reservation = ONE_OF(forger->reservations);
    seawall_owned_lease_t *const lease = ONE_OF(forger->leases);
    seawall_limit_permit_t *const of_limit = ONE_OF(forger->limits);
    seawall_breaker_permit_t *const of_breaker = ONE_OF(forger->breakers);
    seawall_permit_t *const permit = ONE_OF(forger->permits);
    seawall_call_t *const call = ONE_OF(forger->calls);
    const uint32_t outcome = (uint32_t)(draw(forger) % 5);
    seawall_decision_t decision;
    seawall_admission_t admission;
    seawall_finished_t finished;
    seawall_limit_change_t change;
    seawall_transition_t transition;
    seawall_request_t request = SEAWALL_REQUEST_INIT;
    seawall_status_t status = SEAWALL_OK;
    uint64_t number;
    uint32_t count = 0;
    if (draw(forger) % 8 == 0) *lease = forger->lease;
    FORGE(reservation);
    FORGE(lease);
    FORGE(of_limit);
    FORGE(of_breaker);
    FORGE(permit);
    FORGE(call);
    request.key = draw(forger) % 8;
    request.shard = any_tokens(forger);
    request.cost = any_tokens(forger);
    request.deadline_ns = any_number(forger);
    switch (draw(forger) % 24) {
    case 0: case 1:
        status = seawall_token_bucket_reserve(&bucket, any_tokens(forger), any_number(forger), now, reservation, &number, &decision);
        break;
    case 2: status = seawall_token_bucket_cancel(&bucket, reservation, now); break;
    case 3:
        status = seawall_leased_bucket_own(leased, (uint32_t)draw(forger) % 8, lease);
        if (status == SEAWALL_OK) forger->lease = *lease;
        break;
    case 4: case 5: status = seawall_owned_lease_try_take(leased, lease, any_tokens(forger), now, &decision); break;
    case 6:
        status = seawall_owned_lease_tokens(leased, lease, &count);
        CHECK(status != SEAWALL_OK || count < batch);
        break;
    case 7: status = seawall_owned_lease_release(leased, lease); break;
    case 8: case 9: status = seawall_concurrency_limit_try_attempt(limit, now, of_limit, &decision); break;
    case 10: status = seawall_concurrency_limit_finish(limit, of_limit, outcome, now, &change); break;
    case 11: status = seawall_concurrency_limit_cancel(limit, of_limit, now); break;
    case 12: case 13: status = seawall_circuit_breaker_try_attempt(&breaker, now, of_breaker, &transition, &decision); break;
    case 14: status = seawall_circuit_breaker_finish(&breaker, of_breaker, outcome, now, draw(forger), &transition); break;
    case 15: status = seawall_circuit_breaker_cancel(&breaker, of_breaker, now); break;
    case 16: status = seawall_guard_begin(guarded.handle, &request, now, call); break;
    case 17: case 18: status = seawall_guard_try_attempt(guarded.handle, call, now, permit, &admission, &decision); break;
    case 19: case 20:
        status = seawall_guard_finish(guarded.handle, call, permit, outcome, any_number(forger), now, &finished);
        break;
    case 21: status = seawall_guard_cancel(guarded.handle, permit, now); break;
    case 22: status = seawall_guard_abandon(guarded.handle, call, now); break;
    default: status = seawall_guard_peek(guarded.handle, call, now, &decision); break;
    }
    CHECK(status >= SEAWALL_OK || status == SEAWALL_E_PERMIT || status == SEAWALL_E_VALUE);
}

static void *forges(void *of) {
    forger_t *forger = (forger_t *)of;
    int left = STEPS;
    while (left-- > 0) step(forger);
    return NULL;
}

static void make_all(void) {
    const seawall_rate_t rate = SEAWALL_RATE_INIT(1000, SEAWALL_SECOND);
    seawall_token_bucket_config_t of_bucket = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_leased_bucket_config_t of_leased = SEAWALL_LEASED_BUCKET_CONFIG_INIT;
    seawall_concurrency_limit_config_t of_limit = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
    seawall_circuit_breaker_config_t of_breaker = SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT;
    seawall_guard_config_t of_guard = service_of(1000, 3);
    size_t size = 0;
    CHECK_OK(seawall_token_bucket_config_for(&of_bucket, rate));
    CHECK_OK(seawall_token_bucket_init(&bucket, &of_bucket, SECONDS(1000)));
    CHECK_OK(seawall_leased_bucket_config_for(&of_leased, rate));
    CHECK_OK(seawall_leased_bucket_required_size(&of_leased, &size));
    CHECK_OK(seawall_leased_bucket_init(storage_of(&lease_storage, size), size, &of_leased, SECONDS(1000), &leased));
    CHECK_OK(seawall_leased_bucket_batch(leased, &batch));
    CHECK_OK(seawall_concurrency_limit_required_size(&of_limit, &size));
    CHECK_OK(seawall_concurrency_limit_init(storage_of(&limit_storage, size), size, &of_limit, &limit));
    of_breaker.rule = SEAWALL_TRIP_FAILURE_SHARE;
    of_breaker.share_ppm = 500000;
    of_breaker.window = of_breaker.minimum = 8;
    of_breaker.open_for_ns = SEAWALL_MILLISECOND;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &of_breaker));
    of_guard.keyed.groups = 2;
    of_guard.keyed_salt = 9;
    make_of(&guarded, &of_guard, 7, SECONDS(1000));
}

static void what_is_forged_is_answered_and_does_no_harm_that_a_reset_does_not_heal(void) {
    static forger_t forgers[THREADS];
    const seawall_warm_up_t none = SEAWALL_WARM_UP_NONE;
    const uint64_t now = SECONDS(2000);
    seawall_concurrency_limit_t *of_guard;
    seawall_permit_t permit;
    seawall_call_t call;
    uint32_t count = 0, most = 0;
    int index;
    make_all();
    for (index = 0; index < THREADS; ++index) {
        forgers[index].random = seed * THREADS + (uint64_t)index;
        CHECK(pthread_create(&forgers[index].thread, NULL, forges, &forgers[index]) == 0);
    }
    for (index = 0; index < THREADS; ++index) CHECK(pthread_join(forgers[index].thread, NULL) == 0);
    storage_check(&lease_storage);
    storage_check(&limit_storage);
    storage_check(&guarded.storage);

    CHECK_OK(seawall_token_bucket_reset(&bucket, SEAWALL_FILL_FULL, none, now));
    CHECK_OK(seawall_token_bucket_available(&bucket, now, &count));
    CHECK(count == 1000);
    CHECK_OK(seawall_leased_bucket_reset(leased, SEAWALL_FILL_FULL, none, now));
    CHECK_OK(seawall_leased_bucket_available(leased, now, &count));
    CHECK_OK(seawall_leased_bucket_burst(leased, &most));
    CHECK(count > 900 && count <= most && most == 1000);
    CHECK_OK(seawall_concurrency_limit_reset(limit));
    CHECK_OK(seawall_concurrency_limit_in_flight(limit, now, &count));
    CHECK(count == 0);
    CHECK_OK(seawall_circuit_breaker_reset(&breaker, now, NULL));
    CHECK_OK(seawall_circuit_breaker_state(&breaker, now, &count));
    CHECK(count == SEAWALL_STATE_CLOSED);
    CHECK_OK(seawall_guard_reset(guarded.handle, now, NULL, 0, NULL));
    CHECK_OK(seawall_guard_limit(guarded.handle, &of_guard));
    CHECK_OK(seawall_concurrency_limit_in_flight(of_guard, now, &count));
    CHECK(count == 0);
    call = begun(guarded.handle, 77, 1, now);
    CHECK_OK(seawall_guard_try_attempt(guarded.handle, &call, now, &permit, NULL, NULL));
    CHECK(reported(guarded.handle, &call, &permit, SEAWALL_OUTCOME_SUCCESS, now).verdict == SEAWALL_VERDICT_DONE);
}

int main(void) {
    const char *given = getenv("SEAWALL_SEED");
    if (given) seed = strtoull(given, NULL, 10);
    fprintf(stderr, "SEAWALL_SEED=%llu\n", (unsigned long long)seed);
    RUN(what_is_forged_is_answered_and_does_no_harm_that_a_reset_does_not_heal);
    return 0;
}
