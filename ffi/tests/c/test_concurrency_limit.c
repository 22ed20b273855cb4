/* The limit of calls in flight from C: what it admits, what it learns, and that no mistake does harm. */
#include "handles.h"

static storage_t storage;
static seawall_concurrency_limit_t *limit;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static seawall_concurrency_limit_config_t config_of(uint32_t slots, uint32_t start) {
    seawall_concurrency_limit_config_t config = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
    config.slots = config.ceiling = slots;
    config.start = start;
    return config;
}

static void make_of(const seawall_concurrency_limit_config_t *config) {
    size_t size = 0;
    CHECK_OK(seawall_concurrency_limit_required_size(config, &size));
    CHECK_OK(seawall_concurrency_limit_init(storage_of(&storage, size), size, config, &limit));
}

static void make(uint32_t slots, uint32_t start) {
    const seawall_concurrency_limit_config_t config = config_of(slots, start);
    make_of(&config);
}

static uint32_t in_flight(uint64_t now_ns) {
    uint32_t calls = 77;
    CHECK_OK(seawall_concurrency_limit_in_flight(limit, now_ns, &calls));
    return calls;
}

static uint32_t limit_now(void) {
    uint32_t calls = 77;
    CHECK_OK(seawall_concurrency_limit_limit(limit, &calls));
    return calls;
}

static void the_defaults_are_those_of_the_library(void) {
    const seawall_concurrency_limit_config_t config = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
    seawall_concurrency_limit_config_t same;
    memset(&same, 0xFF, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_concurrency_limit_config_default(&same));
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_config_default(NULL));
    same.struct_size = 8;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_concurrency_limit_config_default(&same));
}

static void no_more_are_in_flight_than_the_limit_and_each_is_given_back_once(void) {
    seawall_limit_permit_t first, second, third = {{1, 2, 3, 4}}, copy;
    seawall_decision_t decision = {7, 7, 7};
    seawall_limit_change_t change = {7, 7, 7, 7};
    make(3, 2);
    CHECK_OK(seawall_concurrency_limit_peek(limit, 0, &decision));
    CHECK(decision.remaining == 2 && decision.stage == 0);
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, 0, &first, &decision));
    CHECK(decision.remaining == 1 && decision.retry_after_ns == 0);
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, 0, &second, NULL));
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_concurrency_limit_try_attempt(limit, 0, &third, &decision));
    CHECK(decision.remaining == 0 && decision.retry_after_ns == SEAWALL_UNKNOWN);
    CHECK(decision.stage == SEAWALL_STAGE_CONCURRENCY_LIMIT);
    CHECK((third.opaque[0] | third.opaque[1] | third.opaque[2] | third.opaque[3]) == 0);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_concurrency_limit_peek(limit, 0, NULL));
    CHECK(in_flight(0) == 2);

    copy = first;
    CHECK_OK(seawall_concurrency_limit_finish(limit, &first, SEAWALL_OUTCOME_SUCCESS, SEAWALL_MILLISECOND, &change));
    CHECK(change.reason == 0 && change.from == 0 && first.opaque[0] == 0);
    CHECK_STATUS(SEAWALL_E_PERMIT,
                 seawall_concurrency_limit_finish(limit, &first, SEAWALL_OUTCOME_SUCCESS, 0, &change));
    CHECK_STATUS(SEAWALL_VOID, seawall_concurrency_limit_finish(limit, &copy, SEAWALL_OUTCOME_SUCCESS, 0, &change));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_concurrency_limit_cancel(limit, &copy, 0));
    copy = second;
    CHECK_OK(seawall_concurrency_limit_cancel(limit, &second, 0));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_concurrency_limit_cancel(limit, &second, 0));
    CHECK_STATUS(SEAWALL_VOID, seawall_concurrency_limit_cancel(limit, &copy, 0));
    CHECK(in_flight(0) == 0);
}

static void it_grows_while_it_is_used_and_a_time_out_cuts_it_once(void) {
    seawall_limit_permit_t permits[2];
    seawall_limit_change_t change = {7, 7, 7, 7};
    make(64, 2);
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, 0, &permits[0], NULL));
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, 0, &permits[1], NULL));
    CHECK_OK(seawall_concurrency_limit_finish(limit, &permits[0], SEAWALL_OUTCOME_FAILURE, SECONDS(1), &change));
    CHECK(change.from == 2 && change.to == 1 && change.reason == SEAWALL_LIMIT_REASON_TIMEOUT && change.reserved == 0);
    CHECK_OK(seawall_concurrency_limit_finish(limit, &permits[1], SEAWALL_OUTCOME_FAILURE, SECONDS(1), &change));
    CHECK(change.reason == 0 && limit_now() == 1);
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, SECONDS(2), &permits[0], NULL));
    CHECK_OK(seawall_concurrency_limit_finish(limit, &permits[0], SEAWALL_OUTCOME_SUCCESS, SECONDS(2) + 1, &change));
    CHECK(change.from == 1 && change.to == 2 && change.reason == SEAWALL_LIMIT_REASON_GROWTH);
}

static void a_lost_permit_heals_when_its_lease_lapses(void) {
    seawall_limit_permit_t lost;
    make(1, 1);
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, 0, &lost, NULL));
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_concurrency_limit_peek(limit, SECONDS(4), NULL));
    CHECK(in_flight(SECONDS(6)) == 0);
    CHECK_OK(seawall_concurrency_limit_peek(limit, SECONDS(6), NULL));
}

static void it_is_changed_while_it_runs(void) {
    seawall_concurrency_limit_config_t config = config_of(8, 3);
    seawall_limit_change_t change;
    seawall_limit_permit_t permit;
    uint64_t slow_after_ns = 0;
    uint32_t slots = 0;
    make_of(&config);
    CHECK_OK(seawall_concurrency_limit_set_limit(limit, 1000, &change));
    CHECK(change.from == 3 && change.to == 8 && change.reason == SEAWALL_LIMIT_REASON_SET);
    CHECK_OK(seawall_concurrency_limit_set_limit(limit, 1000, &change));
    CHECK(change.reason == 0);
    config.ceiling = 5;
    config.slow_after_ns = 7 * SEAWALL_MILLISECOND;
    CHECK_OK(seawall_concurrency_limit_set_config(limit, &config, &change));
    CHECK(change.from == 8 && change.to == 5 && limit_now() == 5);
    CHECK_OK(seawall_concurrency_limit_slow_after(limit, &slow_after_ns));
    CHECK(slow_after_ns == 7 * SEAWALL_MILLISECOND);
    CHECK_OK(seawall_concurrency_limit_slots(limit, &slots));
    CHECK(slots == 8);
    config.slots = 9;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_concurrency_limit_set_config(limit, &config, &change));
    config = config_of(8, 3);
    config.floor = 0;
    CHECK_STATUS(SEAWALL_E_LIMIT_FLOOR, seawall_concurrency_limit_set_config(limit, &config, NULL));
    CHECK(limit_now() == 5);

    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, SECONDS(100), &permit, NULL));
    CHECK_OK(seawall_concurrency_limit_rebase(limit, SECONDS(100), 0));
    CHECK(in_flight(0) == 1 && in_flight(SECONDS(6)) == 0);
    CHECK_STATUS(SEAWALL_VOID, seawall_concurrency_limit_cancel(limit, &permit, 0));
    CHECK_OK(seawall_concurrency_limit_reset(limit));
    CHECK(in_flight(0) == 0 && limit_now() == 5);
    CHECK_OK(seawall_concurrency_limit_set_limit(limit, 2, NULL));
    CHECK(limit_now() == 2);
    /* All that is held ends far ahead: the clock must have been set back. */
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, SECONDS(9999), &permit, NULL));
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, SECONDS(9999), &permit, NULL));
    CHECK_STATUS(SEAWALL_CLOCK_STEPPED, seawall_concurrency_limit_try_attempt(limit, 0, &permit, NULL));
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    const seawall_concurrency_limit_config_t good = config_of(8, 2);
    seawall_concurrency_limit_config_t bad;
    seawall_concurrency_limit_t *handle = NULL;
    size_t size = 0;
    CHECK_OK(seawall_concurrency_limit_required_size(&good, &size));
#define BAD(status, field, value)                                                                             \
    do {                                                                                                      \
        bad = good;                                                                                           \
        bad.field = (value);                                                                                  \
        CHECK_STATUS(status, seawall_concurrency_limit_init(storage_of(&storage, size), size, &bad, &handle)); \
        CHECK(handle == NULL);                                                                                \
    } while (0)
    BAD(SEAWALL_E_SIZE, slots, 0);
    BAD(SEAWALL_E_SIZE, slots, 65536);
    BAD(SEAWALL_E_WORKSPACE, slots, 4000);
    BAD(SEAWALL_E_LIMIT_START, start, 9);
    BAD(SEAWALL_E_LIMIT_FLOOR, floor, 0);
    BAD(SEAWALL_E_LIMIT_CEILING, ceiling, 9);
    BAD(SEAWALL_E_LIMIT_TOLERANCE, tolerance_percent, 99);
    BAD(SEAWALL_E_LIMIT_SATURATION, saturated_after, 61);
    BAD(SEAWALL_E_VALUE, reserved, 1);
    BAD(SEAWALL_E_LIMIT_SLOW_AFTER, slow_after_ns, 0);
    BAD(SEAWALL_E_LIMIT_TIMEOUT, timeout_ns, 1);
    BAD(SEAWALL_E_LIMIT_LEASE, lease_ns, 1);
    BAD(SEAWALL_E_LIMIT_FACTOR, slow_factor_ppm, 1000000);
    BAD(SEAWALL_E_RATIO, timeout_factor_ppm, 1000001);
    BAD(SEAWALL_E_STRUCT_SIZE, struct_size, 56);
#undef BAD
    bad = good;
    bad.slots = 70000;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_concurrency_limit_required_size(&bad, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_required_size(NULL, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_required_size(&good, NULL));
}

static void a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again(void) {
    const seawall_concurrency_limit_config_t config = config_of(61, 2);
    seawall_concurrency_limit_t *again = NULL;
    size_t size = 0, shift;
    CHECK_OK(seawall_concurrency_limit_required_size(&config, &size));
    for (shift = 0; shift < 256; shift += 8) {
        char *workspace = (char *)(void *)storage.words + shift;
        storage_fence(&storage);
        memset(workspace, 0xEE, size + 64);
        CHECK_OK(seawall_concurrency_limit_init(workspace, size, &config, &limit));
        CHECK((char *)(void *)limit >= workspace && workspace[size] == (char)0xEE);
        CHECK_OK(seawall_concurrency_limit_set_limit(limit, 7, NULL));
        CHECK_OK(seawall_concurrency_limit_attach(workspace, size, &again));
        CHECK(again == limit && limit_now() == 7);
        CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_concurrency_limit_attach(workspace, 300, &again));
        CHECK_OK(seawall_concurrency_limit_fini(limit));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_concurrency_limit_attach(workspace, size, &again));
    }
    make(61, 2);
    storage_check(&storage);
    CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_concurrency_limit_init(storage.words, 128, &config, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_init(NULL, size, &config, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_init(storage.words, size, NULL, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_init(storage.words, size, &config, NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_concurrency_limit_init(MISALIGNED(void, storage.words), size, &config, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_attach(NULL, size, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_attach(storage.words, size, NULL));
    CHECK(limit_now() == 2);
}

static void no_mistake_does_harm(void) {
    const seawall_concurrency_limit_config_t config = config_of(4, 2);
    const seawall_token_bucket_config_t bucket = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_limit_permit_t permit, zero = {{0, 0, 0, 0}}, odd;
    seawall_limit_change_t change = {7, 7, 7, 7};
    uint64_t ns;
    uint32_t count;
    make_of(&config);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &bucket, 0));
    CHECK_OK(seawall_concurrency_limit_try_attempt(limit, 0, &permit, NULL));
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_concurrency_limit_t, limit, other, call)
    EACH(seawall_concurrency_limit_try_attempt(it, 0, &odd, NULL));
    EACH(seawall_concurrency_limit_peek(it, 0, NULL));
    EACH(seawall_concurrency_limit_finish(it, &permit, SEAWALL_OUTCOME_SUCCESS, 0, NULL));
    EACH(seawall_concurrency_limit_cancel(it, &permit, 0));
    EACH(seawall_concurrency_limit_slow_after(it, &ns));
    EACH(seawall_concurrency_limit_limit(it, &count));
    EACH(seawall_concurrency_limit_in_flight(it, 0, &count));
    EACH(seawall_concurrency_limit_slots(it, &count));
    EACH(seawall_concurrency_limit_set_limit(it, 1, NULL));
    EACH(seawall_concurrency_limit_set_config(it, &config, NULL));
    EACH(seawall_concurrency_limit_reset(it));
    EACH(seawall_concurrency_limit_rebase(it, 0, 1));
    EACH(seawall_concurrency_limit_fini(it));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_try_attempt(limit, 0, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_cancel(limit, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_limit(limit, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_concurrency_limit_set_config(limit, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_concurrency_limit_set_limit(
                                          limit, 1, (seawall_limit_change_t *)(void *)((char *)&change + 2)));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_concurrency_limit_finish(limit, &permit, 99, 0, &change));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_concurrency_limit_finish(limit, &permit, 0, 0, &change));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_concurrency_limit_finish(limit, &zero, SEAWALL_OUTCOME_SUCCESS, 0, &change));
    memset(&odd, 0xFF, sizeof odd);
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_concurrency_limit_finish(limit, &odd, SEAWALL_OUTCOME_SUCCESS, 0, &change));
    CHECK(odd.opaque[3] == UINT64_MAX && change.to == 7 && limit_now() == 2 && in_flight(0) == 1);
    /* A permit of the right kind with any words in it is void. */
    for (count = 0; count < 64; ++count) {
        odd.opaque[0] = permit.opaque[0];
        odd.opaque[1] = UINT64_C(1) << count;
        odd.opaque[2] = UINT64_MAX << count;
        odd.opaque[3] = ~odd.opaque[1];
        CHECK_STATUS(SEAWALL_VOID,
                     seawall_concurrency_limit_finish(limit, &odd, SEAWALL_OUTCOME_THROTTLED, UINT64_MAX, NULL));
    }
    CHECK(limit_now() == 2 && in_flight(0) == 1);
    CHECK_OK(seawall_concurrency_limit_finish(limit, &permit, SEAWALL_OUTCOME_IGNORED, 0, NULL));
    CHECK_OK(seawall_concurrency_limit_fini(limit));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_concurrency_limit_peek(limit, 0, NULL));
}

static void say_changed(vectors_t *vectors, const seawall_limit_change_t *change) {
    static const char *const reasons[] = {"", "growth", "slow", "time_out", "throttled", "set", "refused"};
    vectors_say(vectors, "ok");
    if (change->reason) {
        CHECK(change->reason < sizeof reasons / sizeof reasons[0]);
        vectors_say(vectors, " from=%u to=%u reason=%s", (unsigned)change->from, (unsigned)change->to,
                    reasons[change->reason]);
    }
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    static seawall_limit_permit_t permits[1000];
    vectors_t vectors;
    unsigned given = 0;
    vectors_open(&vectors, "concurrency_limit");
    while (vectors_next(&vectors)) {
        const uint64_t now = vectors_number_or(&vectors, "now", 0);
        seawall_limit_change_t change = {0, 0, 0, 0};
        seawall_status_t status;
        if (vectors_is(&vectors, "new")) {
            seawall_concurrency_limit_config_t config = SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT;
            config.slots = 16;
            config.start = (uint32_t)vectors_number(&vectors, "start");
            config.floor = (uint32_t)vectors_number(&vectors, "floor");
            config.ceiling = (uint32_t)vectors_number(&vectors, "ceiling");
            config.tolerance_percent = (uint32_t)vectors_number(&vectors, "tolerance_percent");
            config.saturated_after = (uint32_t)vectors_number(&vectors, "saturated_after");
            config.slow_after_ns = vectors_number(&vectors, "slow_after_ns");
            config.timeout_ns = vectors_number(&vectors, "timeout_ns");
            config.lease_ns = vectors_number(&vectors, "lease_ns");
            config.slow_factor_ppm = (uint32_t)vectors_number(&vectors, "slow_factor_ppm");
            config.timeout_factor_ppm = (uint32_t)vectors_number(&vectors, "timeout_factor_ppm");
            make_of(&config);
            given = 0;
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "try_attempt")) {
            CHECK(given < sizeof permits / sizeof permits[0]);
            status = seawall_concurrency_limit_try_attempt(limit, now, &permits[given], NULL);
            if (status == SEAWALL_OK) {
                vectors_say(&vectors, "ok permit=%u", given++);
            } else {
                CHECK(status == SEAWALL_NOT_YET || status == SEAWALL_CLOCK_STEPPED);
                vectors_say(&vectors, "refused reason=%s", status == SEAWALL_NOT_YET ? "not_yet" : "clock_stepped");
            }
        } else if (vectors_is(&vectors, "finish")) {
            /* The oracle reports some twice, so the original is kept. */
            seawall_limit_permit_t copy = permits[vectors_number(&vectors, "permit")];
            status = seawall_concurrency_limit_finish(limit, &copy, vectors_outcome(&vectors, "outcome"), now, &change);
            CHECK(status == SEAWALL_OK || (status == SEAWALL_VOID && change.reason == 0));
            say_changed(&vectors, &change);
        } else if (vectors_is(&vectors, "set_limit")) {
            CHECK_OK(seawall_concurrency_limit_set_limit(limit, (uint32_t)vectors_number(&vectors, "limit"), &change));
            say_changed(&vectors, &change);
        } else {
            CHECK(vectors_is(&vectors, "in_flight"));
            vectors_say(&vectors, "limit=%u in_flight=%u", (unsigned)limit_now(), (unsigned)in_flight(now));
        }
        vectors_compare(&vectors);
    }
    storage_check(&storage);
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

static void a_change_may_lie_wherever_a_struct_of_its_fields_may(void) {
    /* Compilers align it to 4 bytes: half of all places on a stack are no multiple of 8. */
    static union {
        uint64_t words[4];
        uint32_t halves[8];
    } place;
    seawall_limit_change_t *const change = (seawall_limit_change_t *)(void *)&place.halves[1];
    make(8, 2);
    CHECK_OK(seawall_concurrency_limit_set_limit(limit, 5, change));
    CHECK(change->from == 2 && change->to == 5 && change->reason == SEAWALL_LIMIT_REASON_SET);
}

int main(void) {
    RUN(the_defaults_are_those_of_the_library);
    RUN(a_change_may_lie_wherever_a_struct_of_its_fields_may);
    RUN(no_more_are_in_flight_than_the_limit_and_each_is_given_back_once);
    RUN(it_grows_while_it_is_used_and_a_time_out_cuts_it_once);
    RUN(a_lost_permit_heals_when_its_lease_lapses);
    RUN(it_is_changed_while_it_runs);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again);
    RUN(no_mistake_does_harm);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
