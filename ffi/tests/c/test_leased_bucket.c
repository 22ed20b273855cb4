/* The bucket that shards lease from, from C: its bound, its owners, and that no mistake does harm. */
#include <pthread.h>

#include "handles.h"

static storage_t storage;
static seawall_leased_bucket_t *bucket;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static seawall_leased_bucket_config_t config_of(uint32_t shards, uint64_t per_second, uint32_t burst, uint32_t batch) {
    seawall_leased_bucket_config_t config = SEAWALL_LEASED_BUCKET_CONFIG_INIT;
    config.shards = shards;
    config.rate.count = per_second;
    config.burst = burst;
    config.batch = batch;
    return config;
}

static void make_of(const seawall_leased_bucket_config_t *config) {
    size_t size = 0;
    CHECK_OK(seawall_leased_bucket_required_size(config, &size));
    CHECK_OK(seawall_leased_bucket_init(storage_of(&storage, size), size, config, 0, &bucket));
}

static void make(uint32_t shards, uint64_t per_second, uint32_t burst, uint32_t batch) {
    const seawall_leased_bucket_config_t config = config_of(shards, per_second, burst, batch);
    make_of(&config);
}

static uint32_t available(uint64_t now_ns) {
    uint32_t tokens = 77;
    CHECK_OK(seawall_leased_bucket_available(bucket, now_ns, &tokens));
    return tokens;
}

static void the_defaults_are_those_of_a_token_bucket_in_eight_shards(void) {
    const seawall_rate_t ten = SEAWALL_RATE_INIT(10, SEAWALL_SECOND);
    const seawall_leased_bucket_config_t config = SEAWALL_LEASED_BUCKET_CONFIG_INIT;
    seawall_leased_bucket_config_t same;
    memset(&same, 0xFF, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_leased_bucket_config_for(&same, ten));
    /* The rate of no warm-up is not looked at. */
    same.warm_up.from = config.warm_up.from;
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_config_for(NULL, ten));
}

static void what_lies_in_one_shard_is_not_lost_to_another_and_the_burst_is_the_bound(void) {
    seawall_decision_t decision = {7, 7, 7};
    uint32_t taken = 0, batch = 0, shards = 0, burst = 0, at;
    make(4, 1, 100, 10);
    CHECK_OK(seawall_leased_bucket_batch(bucket, &batch));
    CHECK_OK(seawall_leased_bucket_shards(bucket, &shards));
    CHECK_OK(seawall_leased_bucket_burst(bucket, &burst));
    CHECK(batch == 10 && shards == 4 && burst == 100 && available(0) == 100);
    for (at = 0; at < 50; ++at) {
        taken += seawall_leased_bucket_try_take(bucket, at, 1, 0, &decision) == SEAWALL_OK;
        CHECK(decision.remaining == 100 - taken);
    }
    for (at = 0; at < 100; ++at) taken += seawall_leased_bucket_try_take(bucket, 0, 1, 0, NULL) == SEAWALL_OK;
    CHECK(taken == 100);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_leased_bucket_try_take(bucket, 3, 1, 0, &decision));
    CHECK(decision.retry_after_ns == SEAWALL_SECOND && decision.stage == SEAWALL_STAGE_TOKEN_BUCKET);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_leased_bucket_peek(bucket, 1, SEAWALL_SECOND - 1, &decision));
    CHECK_OK(seawall_leased_bucket_peek(bucket, 1, SEAWALL_SECOND, NULL));
    CHECK_STATUS(SEAWALL_NEVER, seawall_leased_bucket_try_take(bucket, 3, 65, 0, NULL));
    CHECK_OK(seawall_leased_bucket_refund(bucket, 3, 0));
    CHECK(available(0) == 3);
}

static void an_owner_spends_its_batch_alone_and_gives_back_what_is_left(void) {
    seawall_owned_lease_t lease, second = {{1, 2, 3, 4}}, copy;
    seawall_decision_t decision = {7, 7, 7};
    uint32_t taken = 0, tokens = 0, at;
    make(2, 0, 100, 10);
    CHECK_OK(seawall_leased_bucket_own(bucket, 1, &lease));
    CHECK_STATUS(SEAWALL_TAKEN, seawall_leased_bucket_own(bucket, 1, &second));
    CHECK_STATUS(SEAWALL_TAKEN, seawall_leased_bucket_own(bucket, 3, &second)); /* modulo two shards */
    CHECK(second.opaque[0] == 1);
    CHECK_OK(seawall_owned_lease_tokens(bucket, &lease, &tokens));
    CHECK(tokens == 9 && available(0) == 91);
    for (at = 0; at < 200; ++at) taken += seawall_owned_lease_try_take(bucket, &lease, 1, 0, &decision) == SEAWALL_OK;
    CHECK(taken == 100 && decision.remaining == 0);
    CHECK_OK(seawall_leased_bucket_refund(bucket, 20, 0));
    CHECK_OK(seawall_owned_lease_try_take(bucket, &lease, 1, 0, &decision));
    CHECK(decision.remaining == 9 && available(0) == 10);
    copy = lease;
    CHECK_OK(seawall_owned_lease_release(bucket, &lease));
    CHECK(available(0) == 19);
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_lease_release(bucket, &lease));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_lease_try_take(bucket, &lease, 1, 0, NULL));
    /* Nobody owns the shard any more. */
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_lease_try_take(bucket, &copy, 1, 0, NULL));
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_lease_tokens(bucket, &copy, &tokens));
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_lease_release(bucket, &copy));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_lease_release(bucket, &copy));
    CHECK(available(0) == 19);
    CHECK_OK(seawall_leased_bucket_own(bucket, 1, &second));
    CHECK_OK(seawall_owned_lease_release(bucket, &second));
}

static void a_drain_voids_what_an_owner_has(void) {
    seawall_owned_lease_t lease;
    uint32_t discarded = 0;
    make(2, 0, 100, 10);
    CHECK_OK(seawall_leased_bucket_own(bucket, 0, &lease));
    CHECK_OK(seawall_leased_bucket_drain_to(bucket, 1, 0, &discarded));
    CHECK(discarded == 90 && available(0) == 1);
    CHECK_OK(seawall_owned_lease_try_take(bucket, &lease, 1, 0, NULL));
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_owned_lease_try_take(bucket, &lease, 1, 0, NULL));
    CHECK_OK(seawall_owned_lease_release(bucket, &lease));
    CHECK(available(0) == 0);
}

static void it_is_changed_while_it_runs(void) {
    const seawall_warm_up_t slow = {SEAWALL_CURVE_STEP, 0, {1, SEAWALL_SECOND}, SECONDS(60)};
    const seawall_warm_up_t none = SEAWALL_WARM_UP_NONE;
    seawall_rate_t rate = SEAWALL_RATE_INIT(500, SEAWALL_SECOND);
    uint32_t count = 0;
    make(2, 1, 5000, 1);
    CHECK_OK(seawall_leased_bucket_drain_to(bucket, 0, 0, &count));
    CHECK_OK(seawall_leased_bucket_set_rate(bucket, rate, SECONDS(10)));
    CHECK(available(SECONDS(10)) == 10); /* not 5000 */
    CHECK_OK(seawall_leased_bucket_start_warm_up(bucket, slow, SECONDS(10)));
    CHECK(available(SECONDS(70)) == 70);
    CHECK_OK(seawall_leased_bucket_set_burst(bucket, 30, SECONDS(70)));
    CHECK(available(SECONDS(70)) == 30);
    rate.count = 0;
    CHECK_OK(seawall_leased_bucket_rate(bucket, &rate));
    CHECK(rate.count == 500 && rate.period_ns == SEAWALL_SECOND);
    CHECK_OK(seawall_leased_bucket_reset(bucket, 1, slow, SECONDS(80)));
    CHECK(available(SECONDS(80)) == 1);
    CHECK_OK(seawall_leased_bucket_rebase(bucket, SECONDS(80), SECONDS(5)));
    CHECK(available(SECONDS(5)) == 1 && available(SECONDS(7)) == 3);
    CHECK_OK(seawall_leased_bucket_reset(bucket, SEAWALL_FILL_FULL, none, 0));
    CHECK(available(0) == 30);
    rate.period_ns = 0;
    CHECK_STATUS(SEAWALL_E_RATE_ZERO_PERIOD, seawall_leased_bucket_set_rate(bucket, rate, 0));
    CHECK_STATUS(SEAWALL_E_BUCKET_ZERO_BURST, seawall_leased_bucket_set_burst(bucket, 0, 0));
    make(2, 1, 100, 10);
    CHECK_STATUS(SEAWALL_E_BUCKET_BURST_UNDER_LEASES, seawall_leased_bucket_set_burst(bucket, 18, 0));
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    const seawall_leased_bucket_config_t good = config_of(4, 5, 100, 10);
    seawall_leased_bucket_config_t bad;
    seawall_leased_bucket_t *handle = NULL;
    size_t size = 0;
    CHECK_OK(seawall_leased_bucket_required_size(&good, &size));
#define BAD(status, field, value)                                                                             \
    do {                                                                                                      \
        bad = good;                                                                                           \
        bad.field = (value);                                                                                  \
        CHECK_STATUS(status, seawall_leased_bucket_init(storage_of(&storage, size), size, &bad, 0, &handle)); \
        CHECK(handle == NULL);                                                                                \
    } while (0)
    BAD(SEAWALL_E_SIZE, shards, 0);
    BAD(SEAWALL_E_SIZE, shards, 32769);
    BAD(SEAWALL_E_WORKSPACE, shards, 9);
    BAD(SEAWALL_E_BUCKET_ZERO_BURST, burst, 0);
    BAD(SEAWALL_E_BUCKET_BURST_UNDER_LEASES, burst, 36);
    BAD(SEAWALL_E_BUCKET_ZERO_BATCH, batch, 0);
    BAD(SEAWALL_E_BUCKET_BATCH_TOO_LARGE, batch, 65537);
    BAD(SEAWALL_E_BUCKET_RATE_TOO_FAST, rate.count, UINT64_MAX);
    BAD(SEAWALL_E_RATE_ZERO_PERIOD, rate.period_ns, 0);
    BAD(SEAWALL_E_BUCKET_WARM_UP_TOO_LONG, warm_up.duration_ns, SECONDS(400 * 86400));
    BAD(SEAWALL_E_VALUE, reserved, 1);
    BAD(SEAWALL_E_STRUCT_SIZE, struct_size, 64);
#undef BAD
    bad = good;
    bad.shards = UINT32_MAX;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_leased_bucket_required_size(&bad, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_required_size(NULL, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_required_size(&good, NULL));
}

static void a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again(void) {
    const seawall_leased_bucket_config_t config = config_of(5, 0, 100, 10);
    seawall_leased_bucket_t *again = NULL;
    size_t size = 0, shift;
    CHECK_OK(seawall_leased_bucket_required_size(&config, &size));
    for (shift = 0; shift < 256; shift += 8) {
        char *workspace = (char *)(void *)storage.words + shift;
        memset(workspace, 0xEE, size + 64);
        CHECK_OK(seawall_leased_bucket_init(workspace, size, &config, 0, &bucket));
        CHECK((char *)(void *)bucket >= workspace && workspace[size] == (char)0xEE);
        CHECK_OK(seawall_leased_bucket_try_take(bucket, 2, 3, 0, NULL));
        CHECK_OK(seawall_leased_bucket_attach(workspace, size, &again));
        CHECK(again == bucket && available(0) == 97);
        CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_leased_bucket_attach(workspace, 300, &again));
        CHECK_OK(seawall_leased_bucket_fini(bucket));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_leased_bucket_attach(workspace, size, &again));
    }
    CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_leased_bucket_init(storage.words, 128, &config, 0, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_init(NULL, size, &config, 0, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_init(storage.words, size, NULL, 0, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_init(storage.words, size, &config, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_attach(storage.words, size, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_rate_t rate = SEAWALL_RATE_INIT(1, SEAWALL_SECOND);
    const seawall_warm_up_t none = SEAWALL_WARM_UP_NONE;
    const seawall_token_bucket_config_t plain = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_owned_lease_t lease = {{0, 0, 0, 0}}, odd;
    seawall_rate_t seen;
    uint64_t word = 0;
    uint32_t count, bit;
    make(2, 0, 100, 10);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &plain, 0));
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_leased_bucket_t, bucket, other, call)
    EACH(seawall_leased_bucket_try_take(it, 0, 1, 0, NULL));
    EACH(seawall_leased_bucket_peek(it, 1, 0, NULL));
    EACH(seawall_leased_bucket_refund(it, 1, 0));
    EACH(seawall_leased_bucket_available(it, 0, &count));
    EACH(seawall_leased_bucket_rate(it, &seen));
    EACH(seawall_leased_bucket_burst(it, &count));
    EACH(seawall_leased_bucket_batch(it, &count));
    EACH(seawall_leased_bucket_shards(it, &count));
    EACH(seawall_leased_bucket_set_rate(it, rate, 0));
    EACH(seawall_leased_bucket_set_burst(it, 1, 0));
    EACH(seawall_leased_bucket_start_warm_up(it, none, 0));
    EACH(seawall_leased_bucket_rebase(it, 0, 1));
    EACH(seawall_leased_bucket_reset(it, 1, none, 0));
    EACH(seawall_leased_bucket_drain_to(it, 1, 0, &count));
    EACH(seawall_leased_bucket_own(it, 0, &lease));
    EACH(seawall_owned_lease_try_take(it, &lease, 1, 0, NULL));
    EACH(seawall_owned_lease_tokens(it, &lease, &count));
    EACH(seawall_owned_lease_release(it, &lease));
    EACH(seawall_leased_bucket_fini(it));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_own(bucket, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_owned_lease_try_take(bucket, NULL, 1, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_owned_lease_release(bucket, NULL));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_lease_try_take(bucket, &lease, 1, 0, NULL));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_lease_tokens(bucket, &lease, &count));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_leased_bucket_drain_to(bucket, 0, 0, NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_leased_bucket_try_take(bucket, 0, 1, 0, MISALIGNED(seawall_decision_t, &word)));
    CHECK(available(0) == 100);
    /* Whatever stands in a lease, less than a batch is granted by it over what there is. */
    for (count = 1; count < 4; ++count) {
        for (bit = 0; bit < 64; ++bit) {
            uint32_t taken = 0, at;
            make(2, 0, 100, 10);
            CHECK_OK(seawall_leased_bucket_own(bucket, 0, &odd));
            odd.opaque[count] ^= UINT64_C(1) << bit;
            for (at = 0; at < 200; ++at) taken += seawall_owned_lease_try_take(bucket, &odd, 1, 0, NULL) == SEAWALL_OK;
            (void)seawall_owned_lease_release(bucket, &odd);
            CHECK(taken + available(0) < 100 + 10);
            storage_check(&storage);
        }
    }
    CHECK_OK(seawall_leased_bucket_fini(bucket));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_leased_bucket_try_take(bucket, 0, 1, 0, NULL));
}

#define WORKERS 4

static void *worker(void *number) {
    const uint32_t shard = *(const uint32_t *)number;
    uint32_t *const granted = (uint32_t *)number;
    seawall_owned_lease_t lease;
    uint32_t at, taken = 0;
    if (shard % 2) {
        CHECK_OK(seawall_leased_bucket_own(bucket, shard, &lease));
        for (at = 0; at < 40000; ++at) taken += seawall_owned_lease_try_take(bucket, &lease, 1, 0, NULL) == SEAWALL_OK;
        CHECK_OK(seawall_owned_lease_release(bucket, &lease));
    } else {
        for (at = 0; at < 40000; ++at) taken += seawall_leased_bucket_try_take(bucket, shard, 1, 0, NULL) == SEAWALL_OK;
    }
    *granted = taken;
    return NULL;
}

static void threads_that_share_and_threads_that_own_get_the_burst_together(void) {
    pthread_t threads[WORKERS];
    uint32_t numbers[WORKERS], taken = 0, at;
    make(WORKERS, 0, 100000, 64);
    for (at = 0; at < WORKERS; ++at) {
        numbers[at] = at;
        CHECK(pthread_create(&threads[at], NULL, worker, &numbers[at]) == 0);
    }
    for (at = 0; at < WORKERS; ++at) {
        CHECK(pthread_join(threads[at], NULL) == 0);
        taken += numbers[at];
    }
    CHECK(taken + available(0) == 100000);
    storage_check(&storage);
}

int main(void) {
    RUN(the_defaults_are_those_of_a_token_bucket_in_eight_shards);
    RUN(what_lies_in_one_shard_is_not_lost_to_another_and_the_burst_is_the_bound);
    RUN(an_owner_spends_its_batch_alone_and_gives_back_what_is_left);
    RUN(a_drain_voids_what_an_owner_has);
    RUN(it_is_changed_while_it_runs);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again);
    RUN(no_mistake_does_harm);
    RUN(threads_that_share_and_threads_that_own_get_the_burst_together);
    return 0;
}
