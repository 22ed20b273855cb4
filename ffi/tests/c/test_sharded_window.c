/* The sharded window from C: the vectors, who writes a shard, and that no mistake does harm. */
#include <pthread.h>

#include "handles.h"

static storage_t storage;
static seawall_sharded_window_t *window;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static void make(uint64_t window_ns, uint32_t shards, uint32_t slices, uint32_t cells, uint32_t writers) {
    seawall_sharded_window_config_t config = SEAWALL_SHARDED_WINDOW_CONFIG_INIT;
    size_t size = 0;
    config.window_ns = window_ns;
    config.shards = shards;
    config.slices = slices;
    config.cells = cells;
    config.writers = writers;
    CHECK_OK(seawall_sharded_window_required_size(&config, &size));
    CHECK_OK(seawall_sharded_window_init(storage_of(&storage, size), size, &config, &window));
}

static seawall_window_summary_t summary_at(uint64_t now_ns) {
    seawall_window_summary_t summary = SEAWALL_WINDOW_SUMMARY_INIT;
    CHECK_OK(seawall_sharded_window_summary(window, now_ns, &summary));
    return summary;
}

static void say_latency(vectors_t *vectors, const char *name, uint64_t ns) {
    if (ns == SEAWALL_UNKNOWN) {
        vectors_say(vectors, "%s=none ", name);
    } else {
        vectors_say(vectors, "%s=%llu ", name, (unsigned long long)ns);
    }
}

/* What the oracle decided, recorded by anybody or by an owner of each shard. */
static void replay(uint32_t writers) {
    seawall_owned_window_t owners[3];
    vectors_t vectors;
    vectors_open(&vectors, "sharded_window");
    while (vectors_next(&vectors)) {
        if (vectors_is(&vectors, "new")) {
            const uint32_t shards = (uint32_t)vectors_number(&vectors, "shards");
            uint32_t at;
            CHECK(shards == 3);
            make(vectors_number(&vectors, "window_ns"), shards, (uint32_t)vectors_number(&vectors, "slices"),
                 (uint32_t)vectors_number(&vectors, "cells"), writers);
            for (at = 0; at < shards && writers == SEAWALL_WRITERS_ONE; ++at) {
                CHECK_OK(seawall_sharded_window_own(window, at, &owners[at]));
            }
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "record")) {
            const uint32_t shard = (uint32_t)vectors_number(&vectors, "shard"), ok = (uint32_t)vectors_number(&vectors, "ok");
            const uint64_t latency = vectors_number(&vectors, "latency_ns"), now = vectors_number(&vectors, "now");
            if (writers == SEAWALL_WRITERS_ONE) {
                CHECK_OK(seawall_owned_window_record(window, &owners[shard], latency, ok, now));
            } else {
                CHECK_OK(seawall_sharded_window_record(window, shard + 3, latency, ok, now)); /* modulo three */
            }
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "mark")) {
            CHECK_OK(seawall_sharded_window_mark(window, vectors_number(&vectors, "now")));
            vectors_say(&vectors, "ok");
        } else {
            seawall_window_summary_t summary;
            uint64_t late = 7, count = 7, errors = 7, latency = 7;
            const uint64_t now = vectors_number(&vectors, "now");
            uint32_t share = 7;
            CHECK(vectors_is(&vectors, "summary"));
            summary = summary_at(now);
            CHECK_OK(seawall_sharded_window_total_late(window, &late));
            vectors_say(&vectors, "count=%llu errors=%llu observed_ns=%llu ", (unsigned long long)summary.count,
                        (unsigned long long)summary.errors, (unsigned long long)summary.observed_ns);
            say_latency(&vectors, "max_ns", summary.max_ns);
            say_latency(&vectors, "p50_ns", summary.p50_ns);
            say_latency(&vectors, "p95_ns", summary.p95_ns);
            vectors_say(&vectors, "total_count=%llu total_errors=%llu total_late=%llu",
                        (unsigned long long)summary.total_count, (unsigned long long)summary.total_errors,
                        (unsigned long long)late);
            CHECK_OK(seawall_sharded_window_total_count(window, &count));
            CHECK_OK(seawall_sharded_window_total_errors(window, &errors));
            CHECK(count == summary.total_count && errors == summary.total_errors);
            if (summary.count) {
                CHECK_OK(seawall_sharded_window_quantile(window, 500000, now, &latency));
                CHECK_OK(seawall_sharded_window_error_rate(window, now, &share));
                CHECK(latency == summary.p50_ns && share == summary.errors * 1000000 / summary.count);
            } else {
                CHECK_STATUS(SEAWALL_NONE, seawall_sharded_window_quantile(window, 500000, now, &latency));
                CHECK_STATUS(SEAWALL_NONE, seawall_sharded_window_error_rate(window, now, &share));
            }
        }
        vectors_compare(&vectors);
    }
    storage_check(&storage);
}

static void the_vectors_of_the_oracle_are_what_the_window_does_whoever_writes_it(void) {
    replay(SEAWALL_WRITERS_MANY);
    replay(SEAWALL_WRITERS_ONE);
}

static void the_defaults_are_those_of_the_library_and_a_window_says_what_it_is(void) {
    const seawall_sharded_window_config_t config = SEAWALL_SHARDED_WINDOW_CONFIG_INIT;
    seawall_sharded_window_config_t same;
    uint64_t window_ns = 0, slice_ns = 0;
    uint32_t shards = 0, slices = 0, cells = 0, error_ppm = 0;
    memset(&same, 0xFF, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_sharded_window_config_default(&same));
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_config_default(NULL));
    make(SECONDS(8), 5, 8, 128, SEAWALL_WRITERS_MANY);
    CHECK_OK(seawall_sharded_window_window(window, &window_ns));
    CHECK_OK(seawall_sharded_window_slice(window, &slice_ns));
    CHECK_OK(seawall_sharded_window_shards(window, &shards));
    CHECK_OK(seawall_sharded_window_slices(window, &slices));
    CHECK_OK(seawall_sharded_window_cells(window, &cells));
    CHECK_OK(seawall_sharded_window_relative_error(window, &error_ppm));
    CHECK(window_ns == SECONDS(8) && slice_ns == SECONDS(1) && shards == 5 && slices == 8 && cells == 128);
    CHECK(error_ppm == 125000);
}

static void a_shard_has_one_owner_until_it_is_released_and_the_other_way_to_write_is_refused(void) {
    seawall_owned_window_t owner, second = {{1, 2, 3, 4}}, copy;
    make(SECONDS(8), 2, 8, 64, SEAWALL_WRITERS_ONE);
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_sharded_window_record(window, 0, 1, 1, 0));
    CHECK_OK(seawall_sharded_window_own(window, 1, &owner));
    CHECK_STATUS(SEAWALL_TAKEN, seawall_sharded_window_own(window, 1, &second));
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_sharded_window_own(window, 2, &second));
    CHECK(second.opaque[0] == 1);
    CHECK_OK(seawall_owned_window_record(window, &owner, 20 * SEAWALL_MILLISECOND, 1, 0));
    CHECK(summary_at(0).count == 1);
    copy = owner;
    CHECK_OK(seawall_owned_window_release(window, &owner));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_window_release(window, &owner));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_window_record(window, &owner, 1, 1, 0));
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_window_record(window, &copy, 1, 1, 0));
    CHECK_OK(seawall_sharded_window_own(window, 1, &second));
    /* Not even when the shard is owned again: the copy is of the owner before. */
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_window_record(window, &copy, 1, 1, 0));
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_window_release(window, &copy));
    CHECK_STATUS(SEAWALL_TAKEN, seawall_sharded_window_own(window, 1, &owner));
    CHECK_OK(seawall_owned_window_record(window, &second, 20 * SEAWALL_MILLISECOND, 0, 0));
    CHECK(summary_at(0).count == 2 && summary_at(0).errors == 1);
    CHECK_OK(seawall_owned_window_release(window, &second));

    make(SECONDS(8), 2, 8, 64, SEAWALL_WRITERS_MANY);
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_sharded_window_own(window, 1, &owner));
    CHECK_OK(seawall_sharded_window_record(window, 1, 1, 1, SECONDS(1)));
    CHECK_OK(seawall_sharded_window_rebase(window, SECONDS(1), SECONDS(100)));
    CHECK(summary_at(SECONDS(100)).count == 0 && summary_at(SECONDS(100)).total_count == 1);
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    seawall_sharded_window_config_t good = SEAWALL_SHARDED_WINDOW_CONFIG_INIT, bad;
    seawall_sharded_window_t *handle = NULL;
    size_t size = 0;
    good.shards = 2;
    good.cells = 64;
    CHECK_OK(seawall_sharded_window_required_size(&good, &size));
#define BAD(status, field, value)                                                                           \
    do {                                                                                                    \
        bad = good;                                                                                         \
        bad.field = (value);                                                                                \
        CHECK_STATUS(status, seawall_sharded_window_init(storage_of(&storage, size), size, &bad, &handle)); \
        CHECK(handle == NULL);                                                                              \
    } while (0)
    BAD(SEAWALL_E_SIZE, shards, 0);
    BAD(SEAWALL_E_SIZE, shards, 65537);
    BAD(SEAWALL_E_WORKSPACE, shards, 65536);
    BAD(SEAWALL_E_SIZE, slices, 17);
    BAD(SEAWALL_E_SIZE, cells, 16);
    BAD(SEAWALL_E_WINDOW_TOO_SHORT, window_ns, 0);
    BAD(SEAWALL_E_WINDOW_TOO_LONG, window_ns, UINT64_MAX);
    BAD(SEAWALL_E_VALUE, writers, 0);
    BAD(SEAWALL_E_VALUE, writers, 3);
    BAD(SEAWALL_E_VALUE, reserved, 1);
    BAD(SEAWALL_E_STRUCT_SIZE, struct_size, 24);
#undef BAD
    bad = good;
    bad.shards = UINT32_MAX;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_sharded_window_required_size(&bad, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_required_size(NULL, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_required_size(&good, NULL));
}

static void a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again(void) {
    seawall_sharded_window_config_t config = SEAWALL_SHARDED_WINDOW_CONFIG_INIT;
    seawall_sharded_window_t *again = NULL;
    size_t size = 0, shift;
    config.slices = 4;
    config.cells = 32;
    config.shards = 3;
    CHECK_OK(seawall_sharded_window_required_size(&config, &size));
    for (shift = 0; shift < 256; shift += 8) {
        char *workspace = (char *)(void *)storage.words + shift;
        memset(workspace, 0xEE, size + 64);
        CHECK_OK(seawall_sharded_window_init(workspace, size, &config, &window));
        CHECK((char *)(void *)window >= workspace && workspace[size] == (char)0xEE);
        CHECK_OK(seawall_sharded_window_record(window, 2, 5, 1, 0));
        CHECK_OK(seawall_sharded_window_attach(workspace, size, &again));
        CHECK(again == window && summary_at(0).count == 1);
        CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_sharded_window_attach(workspace, 300, &again));
        CHECK_OK(seawall_sharded_window_fini(window));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_sharded_window_attach(workspace, size, &again));
    }
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_init(NULL, size, &config, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_init(storage.words, size, NULL, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_init(storage.words, size, &config, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_attach(storage.words, size, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_token_bucket_config_t plain = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_window_summary_t summary = SEAWALL_WINDOW_SUMMARY_INIT;
    seawall_owned_window_t owner = {{0, 0, 0, 0}}, odd;
    uint64_t number = 0;
    uint32_t small = 0, bit;
    make(SECONDS(8), 2, 8, 64, SEAWALL_WRITERS_ONE);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &plain, 0));
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_sharded_window_t, window, other, call)
    EACH(seawall_sharded_window_record(it, 0, 1, 1, 0));
    EACH(seawall_sharded_window_own(it, 0, &owner));
    EACH(seawall_owned_window_record(it, &owner, 1, 1, 0));
    EACH(seawall_owned_window_release(it, &owner));
    EACH(seawall_sharded_window_summary(it, 0, &summary));
    EACH(seawall_sharded_window_quantile(it, 1, 0, &number));
    EACH(seawall_sharded_window_error_rate(it, 0, &small));
    EACH(seawall_sharded_window_mark(it, 0));
    EACH(seawall_sharded_window_rebase(it, 0, 1));
    EACH(seawall_sharded_window_total_count(it, &number));
    EACH(seawall_sharded_window_total_errors(it, &number));
    EACH(seawall_sharded_window_total_late(it, &number));
    EACH(seawall_sharded_window_window(it, &number));
    EACH(seawall_sharded_window_slice(it, &number));
    EACH(seawall_sharded_window_shards(it, &small));
    EACH(seawall_sharded_window_slices(it, &small));
    EACH(seawall_sharded_window_cells(it, &small));
    EACH(seawall_sharded_window_relative_error(it, &small));
    EACH(seawall_sharded_window_fini(it));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sharded_window_own(window, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_owned_window_record(window, NULL, 1, 1, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_owned_window_release(window, NULL));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_window_record(window, &owner, 1, 1, 0));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_window_release(window, &owner));
    CHECK_STATUS(SEAWALL_E_RATIO, seawall_sharded_window_quantile(window, 1000001, 0, &number));
    /* Whatever stands in an owner, it is this one, or nothing is counted. */
    CHECK_OK(seawall_sharded_window_own(window, 0, &owner));
    for (bit = 0; bit < 256; ++bit) {
        seawall_status_t status;
        odd = owner;
        odd.opaque[bit / 64] ^= UINT64_C(1) << (bit % 64);
        status = seawall_owned_window_record(window, &odd, 1, 1, 0);
        CHECK(status == SEAWALL_E_PERMIT || status == SEAWALL_VOID);
        status = seawall_owned_window_release(window, &odd);
        CHECK(status == SEAWALL_E_PERMIT || status == SEAWALL_VOID);
    }
    CHECK(summary_at(0).total_count == 0);
    CHECK_OK(seawall_owned_window_release(window, &owner));
    CHECK_OK(seawall_sharded_window_fini(window));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_sharded_window_record(window, 0, 1, 1, 0));
    storage_check(&storage);
}

#define WORKERS 4
#define SAMPLES 50000

static void *shared_worker(void *number) {
    uint64_t at;
    for (at = 0; at < SAMPLES; ++at) {
        CHECK_OK(seawall_sharded_window_record(window, *(const uint32_t *)number, at, at % 2 == 0, at * 100000));
    }
    return NULL;
}

static void *owning_worker(void *number) {
    seawall_owned_window_t owner;
    uint64_t at;
    CHECK_OK(seawall_sharded_window_own(window, *(const uint32_t *)number, &owner));
    for (at = 0; at < SAMPLES; ++at) {
        CHECK_OK(seawall_owned_window_record(window, &owner, at, at % 2 == 0, at * 100000));
    }
    CHECK_OK(seawall_owned_window_release(window, &owner));
    return NULL;
}

static void every_sample_of_every_thread_is_counted_once(void) {
    uint32_t writers;
    for (writers = SEAWALL_WRITERS_MANY; writers <= SEAWALL_WRITERS_ONE; ++writers) {
        pthread_t threads[WORKERS];
        uint32_t numbers[WORKERS], at;
        make(SECONDS(1), WORKERS, 4, 32, writers);
        for (at = 0; at < WORKERS; ++at) {
            numbers[at] = at;
            CHECK(pthread_create(&threads[at], NULL, writers == SEAWALL_WRITERS_ONE ? owning_worker : shared_worker,
                                 &numbers[at]) == 0);
        }
        for (at = 0; at < WORKERS; ++at) CHECK(pthread_join(threads[at], NULL) == 0);
        CHECK(summary_at(SECONDS(5)).total_count == WORKERS * SAMPLES);
        CHECK(summary_at(SECONDS(5)).total_errors == WORKERS * SAMPLES / 2);
        storage_check(&storage);
    }
}

int main(void) {
    RUN(the_vectors_of_the_oracle_are_what_the_window_does_whoever_writes_it);
    RUN(the_defaults_are_those_of_the_library_and_a_window_says_what_it_is);
    RUN(a_shard_has_one_owner_until_it_is_released_and_the_other_way_to_write_is_refused);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again);
    RUN(no_mistake_does_harm);
    RUN(every_sample_of_every_thread_is_counted_once);
    return 0;
}
