/* The table of buckets by key from C: what each key gets, what happens when it is full, and that no mistake does harm. */
#include "handles.h"

static storage_t storage;
static seawall_keyed_buckets_t *users;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static seawall_keyed_buckets_config_t config_of(uint64_t per_second, uint32_t burst, uint32_t groups) {
    seawall_keyed_buckets_config_t config = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
    config.rate.count = per_second;
    config.burst = burst;
    config.groups = groups;
    return config;
}

static void make_of(const seawall_keyed_buckets_config_t *config, uint64_t salt, uint64_t now_ns) {
    size_t size = 0;
    CHECK_OK(seawall_keyed_buckets_required_size(config, &size));
    CHECK_OK(seawall_keyed_buckets_init(storage_of(&storage, size), size, config, salt, now_ns, &users));
}

static void make(uint64_t per_second, uint32_t burst, uint32_t groups) {
    const seawall_keyed_buckets_config_t config = config_of(per_second, burst, groups);
    make_of(&config, 7, 0);
}

static uint32_t available(uint64_t key, uint64_t now_ns) {
    uint32_t tokens = 77;
    CHECK_OK(seawall_keyed_buckets_available(users, key, now_ns, &tokens));
    return tokens;
}

static void the_defaults_are_ten_a_second_and_ten_at_once_and_open(void) {
    const seawall_rate_t ten = SEAWALL_RATE_INIT(10, SEAWALL_SECOND);
    const seawall_keyed_buckets_config_t config = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
    seawall_keyed_buckets_config_t same;
    memset(&same, 0xFF, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_keyed_buckets_config_for(&same, ten, SEAWALL_FAIL_OPEN));
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_OK(seawall_keyed_buckets_config_for(&same, ten, SEAWALL_FAIL_CLOSED));
    CHECK(same.when_full == SEAWALL_FAIL_CLOSED);
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_keyed_buckets_config_for(&same, ten, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_config_for(NULL, ten, SEAWALL_FAIL_OPEN));
}

static void each_key_has_its_own_burst_and_rate(void) {
    seawall_decision_t decision = {7, 7, 7};
    uint64_t alice = 0, bob = 0, same = 0;
    make(2, 3, 8);
    CHECK_OK(seawall_keyed_buckets_key_of(users, "alice", 5, &alice));
    CHECK_OK(seawall_keyed_buckets_key_of(users, "alice, or not", 5, &same));
    CHECK_OK(seawall_keyed_buckets_key_of(users, "bob", 3, &bob));
    CHECK(alice == same && alice != bob);
    CHECK_OK(seawall_keyed_buckets_try_take(users, alice, 1, 0, &decision));
    CHECK(decision.remaining == 2 && decision.retry_after_ns == 0 && decision.stage == 0);
    CHECK_OK(seawall_keyed_buckets_try_take(users, alice, 2, 0, NULL));
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_keyed_buckets_try_take(users, alice, 1, 0, &decision));
    CHECK(decision.remaining == 0 && decision.retry_after_ns == SEAWALL_SECOND / 2);
    CHECK(decision.stage == SEAWALL_STAGE_KEYED_BUCKET);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_keyed_buckets_peek(users, alice, 1, SEAWALL_SECOND / 2 - 1, NULL));
    CHECK_OK(seawall_keyed_buckets_peek(users, alice, 1, SEAWALL_SECOND / 2, &decision));
    CHECK_STATUS(SEAWALL_NEVER, seawall_keyed_buckets_try_take(users, alice, 4, 0, &decision));
    CHECK(decision.retry_after_ns == 0);
    /* Others do not notice. */
    CHECK_OK(seawall_keyed_buckets_try_take(users, bob, 3, 0, NULL));
    CHECK_OK(seawall_keyed_buckets_refund(users, bob, 2, 0));
    CHECK(available(bob, 0) == 2 && available(alice, 0) == 0);
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_keyed_buckets_refund(users, 12345, 2, 0));
}

static void the_salt_decides_where_keys_lie(void) {
    const seawall_keyed_buckets_config_t config = config_of(1, 1, 8);
    uint64_t hash = 0, again = 0, elsewhere = 0, key = 0, key_elsewhere = 0;
    make_of(&config, 7, 0);
    CHECK_OK(seawall_keyed_buckets_hash_of(users, 42, &hash));
    CHECK_OK(seawall_keyed_buckets_hash_of(users, 42, &again));
    CHECK_OK(seawall_keyed_buckets_key_of(users, NULL, 0, &key));
    make_of(&config, 8, 0);
    CHECK_OK(seawall_keyed_buckets_hash_of(users, 42, &elsewhere));
    CHECK_OK(seawall_keyed_buckets_key_of(users, "", 0, &key_elsewhere));
    CHECK(hash == again && hash != elsewhere && key != key_elsewhere);
}

static void a_full_table_lets_pass_and_counts_or_refuses_as_was_chosen(void) {
    seawall_keyed_buckets_config_t config = config_of(1, 2, 1);
    seawall_decision_t decision = {7, 7, 7};
    uint64_t calls = 77;
    uint32_t places = 0, occupied = 0;
    uint64_t key;
    make_of(&config, 7, 0);
    for (key = 0; key < 10; ++key) CHECK_OK(seawall_keyed_buckets_try_take(users, key, 1, 0, NULL));
    CHECK_OK(seawall_keyed_buckets_let_through(users, &calls));
    CHECK_OK(seawall_keyed_buckets_places(users, &places));
    CHECK_OK(seawall_keyed_buckets_occupied(users, 0, &occupied));
    CHECK(calls == 3 && places == 7 && occupied == 7);
    CHECK_OK(seawall_keyed_buckets_occupied(users, SECONDS(2), &occupied));
    CHECK(occupied == 0);

    config.when_full = SEAWALL_FAIL_CLOSED;
    CHECK_OK(seawall_keyed_buckets_set_config(users, &config, 0));
    CHECK_STATUS(SEAWALL_NO_PLACE, seawall_keyed_buckets_try_take(users, 99, 1, 0, &decision));
    CHECK(decision.retry_after_ns == SEAWALL_SECOND && decision.stage == SEAWALL_STAGE_KEYED_BUCKET);
    CHECK_OK(seawall_keyed_buckets_try_take(users, 99, 1, SEAWALL_SECOND, NULL));
}

static void the_table_is_changed_while_it_runs(void) {
    const seawall_rate_t fast = SEAWALL_RATE_INIT(50, SEAWALL_SECOND);
    seawall_keyed_buckets_config_t config = config_of(1, 100, 8), seen;
    seawall_rate_t bad = fast;
    make_of(&config, 7, 0);
    CHECK_OK(seawall_keyed_buckets_try_take(users, 42, 100, 0, NULL));
    CHECK_OK(seawall_keyed_buckets_set_rate(users, fast, SECONDS(10)));
    CHECK(available(42, SECONDS(10)) == 10); /* not 100 */
    CHECK(available(42, SECONDS(11)) == 60);
    seen.struct_size = sizeof seen;
    CHECK_OK(seawall_keyed_buckets_config(users, &seen));
    CHECK(seen.rate.count == 50 && seen.rate.period_ns == SEAWALL_SECOND && seen.burst == 100);
    CHECK(seen.groups == 8 && seen.when_full == SEAWALL_FAIL_OPEN);
    config.burst = 30;
    CHECK_OK(seawall_keyed_buckets_set_config(users, &config, SECONDS(11)));
    CHECK(available(42, SECONDS(11)) == 30);
    CHECK_OK(seawall_keyed_buckets_rebase(users, SECONDS(11), SECONDS(2)));
    CHECK(available(42, SECONDS(2)) == 30);
    CHECK_OK(seawall_keyed_buckets_try_take(users, 42, 30, SECONDS(9999), NULL));
    CHECK_STATUS(SEAWALL_CLOCK_STEPPED, seawall_keyed_buckets_try_take(users, 42, 1, SECONDS(2), NULL));
    CHECK_OK(seawall_keyed_buckets_reset(users, SECONDS(2)));
    CHECK_OK(seawall_keyed_buckets_try_take(users, 42, 30, SECONDS(2), NULL));

    bad.period_ns = 0;
    CHECK_STATUS(SEAWALL_E_RATE_ZERO_PERIOD, seawall_keyed_buckets_set_rate(users, bad, 0));
    bad.period_ns = SEAWALL_SECOND;
    bad.count = 1000001;
    CHECK_STATUS(SEAWALL_E_KEYED_RATE_TOO_FAST, seawall_keyed_buckets_set_rate(users, bad, 0));
    bad.count = 16000; /* over a thousand times the first, and over 15,258 */
    CHECK_STATUS(SEAWALL_E_KEYED_RATE_TOO_FAR_UP, seawall_keyed_buckets_set_rate(users, bad, 0));
    config.groups = 9;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_keyed_buckets_set_config(users, &config, 0));
    config.groups = 8;
    config.burst = 0;
    CHECK_STATUS(SEAWALL_E_KEYED_ZERO_BURST, seawall_keyed_buckets_set_config(users, &config, 0));
    seen.struct_size = 8;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_keyed_buckets_config(users, &seen));
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    const seawall_keyed_buckets_config_t good = config_of(5, 5, 8);
    seawall_keyed_buckets_config_t bad;
    seawall_keyed_buckets_t *handle = NULL;
    size_t size = 0;
    CHECK_OK(seawall_keyed_buckets_required_size(&good, &size));
#define BAD(status, field, value)                                                                                \
    do {                                                                                                         \
        bad = good;                                                                                              \
        bad.field = (value);                                                                                     \
        CHECK_STATUS(status, seawall_keyed_buckets_init(storage_of(&storage, size), size, &bad, 7, 0, &handle)); \
        CHECK(handle == NULL);                                                                                   \
    } while (0)
    BAD(SEAWALL_E_SIZE, groups, 0);
    BAD(SEAWALL_E_SIZE, groups, 2396745);
    BAD(SEAWALL_E_WORKSPACE, groups, 9);
    BAD(SEAWALL_E_KEYED_ZERO_BURST, burst, 0);
    BAD(SEAWALL_E_KEYED_RATE_TOO_FAST, rate.count, 1000001);
    BAD(SEAWALL_E_RATE_ZERO_PERIOD, rate.period_ns, 0);
    BAD(SEAWALL_E_VALUE, when_full, 0);
    BAD(SEAWALL_E_VALUE, when_full, 3);
    BAD(SEAWALL_E_STRUCT_SIZE, struct_size, 0);
#undef BAD
    bad = good;
    bad.groups = UINT32_MAX;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_keyed_buckets_required_size(&bad, &size));
    bad.groups = 2396744;
    CHECK_OK(seawall_keyed_buckets_required_size(&bad, &size));
    CHECK(size > (size_t)2396744 * 128 && size < (size_t)2396744 * 128 + 2048);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_required_size(NULL, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_required_size(&good, NULL));
}

static void a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again(void) {
    const seawall_keyed_buckets_config_t config = config_of(1, 5, 3);
    seawall_keyed_buckets_t *again = NULL;
    size_t size = 0, shift;
    CHECK_OK(seawall_keyed_buckets_required_size(&config, &size));
    for (shift = 0; shift < 256; shift += 8) {
        char *workspace = (char *)(void *)storage.words + shift;
        memset(workspace, 0xEE, size + 64);
        CHECK_OK(seawall_keyed_buckets_init(workspace, size, &config, 7, 0, &users));
        CHECK((char *)(void *)users >= workspace && workspace[size] == (char)0xEE);
        CHECK_OK(seawall_keyed_buckets_try_take(users, 42, 2, 0, NULL));
        CHECK_OK(seawall_keyed_buckets_attach(workspace, size, &again));
        CHECK(again == users && available(42, 0) == 3);
        CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_keyed_buckets_attach(workspace, 300, &again));
        CHECK_OK(seawall_keyed_buckets_fini(users));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_keyed_buckets_attach(workspace, size, &again));
    }
    CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_keyed_buckets_init(storage.words, 128, &config, 7, 0, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_init(NULL, size, &config, 7, 0, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_init(storage.words, size, NULL, 7, 0, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_init(storage.words, size, &config, 7, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_attach(storage.words, size, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_rate_t rate = SEAWALL_RATE_INIT(1, SEAWALL_SECOND);
    const seawall_token_bucket_config_t bucket = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_keyed_buckets_config_t config = config_of(1, 5, 3);
    uint64_t word;
    uint32_t count;
    make_of(&config, 7, 0);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &bucket, 0));
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_keyed_buckets_t, users, other, call)
    EACH(seawall_keyed_buckets_key_of(it, "x", 1, &word));
    EACH(seawall_keyed_buckets_hash_of(it, 1, &word));
    EACH(seawall_keyed_buckets_try_take(it, 1, 1, 0, NULL));
    EACH(seawall_keyed_buckets_peek(it, 1, 1, 0, NULL));
    EACH(seawall_keyed_buckets_available(it, 1, 0, &count));
    EACH(seawall_keyed_buckets_refund(it, 1, 1, 0));
    EACH(seawall_keyed_buckets_set_rate(it, rate, 0));
    EACH(seawall_keyed_buckets_set_config(it, &config, 0));
    EACH(seawall_keyed_buckets_config(it, &config));
    EACH(seawall_keyed_buckets_let_through(it, &word));
    EACH(seawall_keyed_buckets_occupied(it, 0, &count));
    EACH(seawall_keyed_buckets_places(it, &count));
    EACH(seawall_keyed_buckets_rebase(it, 0, 1));
    EACH(seawall_keyed_buckets_reset(it, 0));
    EACH(seawall_keyed_buckets_fini(it));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_key_of(users, NULL, 1, &word));
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_keyed_buckets_key_of(users, "x", SIZE_MAX, &word));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_key_of(users, "x", 1, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_available(users, 1, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_keyed_buckets_set_config(users, NULL, 0));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_keyed_buckets_try_take(users, 1, 1, 0, MISALIGNED(seawall_decision_t, &word)));
    CHECK(available(1, 0) == 5);
    CHECK_OK(seawall_keyed_buckets_fini(users));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_keyed_buckets_try_take(users, 1, 1, 0, NULL));
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    vectors_t vectors;
    vectors_open(&vectors, "keyed_buckets");
    while (vectors_next(&vectors)) {
        const uint64_t now = vectors_number_or(&vectors, "now", 0), key = vectors_number_or(&vectors, "key", 0);
        const uint32_t n = (uint32_t)vectors_number_or(&vectors, "n", 0);
        seawall_keyed_buckets_config_t config = SEAWALL_KEYED_BUCKETS_CONFIG_INIT;
        seawall_decision_t decision = {0, 0, 0};
        seawall_status_t status;
        config.when_full = SEAWALL_FAIL_CLOSED;
        config.groups = 8;
        if (vectors_find(&vectors, "rate_count")) {
            config.rate.count = vectors_number(&vectors, "rate_count");
            config.rate.period_ns = vectors_number(&vectors, "period_ns");
            config.burst = (uint32_t)vectors_number(&vectors, "burst");
        }
        if (vectors_is(&vectors, "new")) {
            CHECK(vectors_number(&vectors, "groups") == config.groups);
            make_of(&config, 7, now);
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "try_take")) {
            status = seawall_keyed_buckets_try_take(users, key, n, now, &decision);
            if (status == SEAWALL_OK) {
                vectors_say(&vectors, "ok");
            } else {
                vectors_say_refused(&vectors, status, &decision);
            }
        } else if (vectors_is(&vectors, "refund")) {
            status = seawall_keyed_buckets_refund(users, key, n, now);
            CHECK(status == SEAWALL_OK || status == SEAWALL_NOTHING_DONE);
            vectors_say(&vectors, "done=%s", status == SEAWALL_OK ? "true" : "false");
        } else if (vectors_is(&vectors, "set_config")) {
            CHECK_OK(seawall_keyed_buckets_set_config(users, &config, now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "rebase")) {
            CHECK_OK(seawall_keyed_buckets_rebase(users, vectors_number(&vectors, "old_now"),
                                                  vectors_number(&vectors, "new_now")));
            vectors_say(&vectors, "ok");
        } else {
            CHECK(vectors_is(&vectors, "available"));
            vectors_say(&vectors, "tokens=%u", (unsigned)available(key, now));
        }
        vectors_compare(&vectors);
    }
    storage_check(&storage);
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

int main(void) {
    RUN(the_defaults_are_ten_a_second_and_ten_at_once_and_open);
    RUN(each_key_has_its_own_burst_and_rate);
    RUN(the_salt_decides_where_keys_lie);
    RUN(a_full_table_lets_pass_and_counts_or_refuses_as_was_chosen);
    RUN(the_table_is_changed_while_it_runs);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again);
    RUN(no_mistake_does_harm);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
