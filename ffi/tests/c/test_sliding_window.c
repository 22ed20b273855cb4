/* The sliding window from C: the vectors, its life, and that no mistake does harm. */
#include <pthread.h>

#include "handles.h"

static storage_t storage;
static seawall_sliding_window_t *window;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static void make(uint64_t window_ns, uint32_t slices, uint32_t cells) {
    seawall_sliding_window_config_t config = SEAWALL_SLIDING_WINDOW_CONFIG_INIT;
    size_t size = 0;
    config.window_ns = window_ns;
    config.slices = slices;
    config.cells = cells;
    CHECK_OK(seawall_sliding_window_required_size(&config, &size));
    CHECK_OK(seawall_sliding_window_init(storage_of(&storage, size), size, &config, &window));
}

static seawall_window_summary_t summary_at(uint64_t now_ns) {
    seawall_window_summary_t summary = SEAWALL_WINDOW_SUMMARY_INIT;
    CHECK_OK(seawall_sliding_window_summary(window, now_ns, &summary));
    CHECK(summary.struct_size == sizeof summary && summary.reserved == 0);
    return summary;
}

static void say_latency(vectors_t *vectors, const char *name, uint64_t ns) {
    if (ns == SEAWALL_UNKNOWN) {
        vectors_say(vectors, "%s=none ", name);
    } else {
        vectors_say(vectors, "%s=%llu ", name, (unsigned long long)ns);
    }
}

static void the_vectors_of_the_oracle_are_what_the_window_does(void) {
    vectors_t vectors;
    vectors_open(&vectors, "sliding_window");
    while (vectors_next(&vectors)) {
        if (vectors_is(&vectors, "new")) {
            make(vectors_number(&vectors, "window_ns"), (uint32_t)vectors_number(&vectors, "slices"),
                 (uint32_t)vectors_number(&vectors, "cells"));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "record")) {
            CHECK_OK(seawall_sliding_window_record(window, vectors_number(&vectors, "latency_ns"),
                                                   (uint32_t)vectors_number(&vectors, "ok"),
                                                   vectors_number(&vectors, "now")));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "mark")) {
            CHECK_OK(seawall_sliding_window_mark(window, vectors_number(&vectors, "now")));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "rebase")) {
            CHECK_OK(seawall_sliding_window_rebase(window, vectors_number(&vectors, "old_now"),
                                                   vectors_number(&vectors, "new_now")));
            vectors_say(&vectors, "ok");
        } else {
            seawall_window_summary_t summary;
            uint64_t late = 7, count = 7, errors = 7, latency = 7;
            const uint64_t now = vectors_number(&vectors, "now");
            uint32_t share = 7;
            CHECK(vectors_is(&vectors, "summary"));
            summary = summary_at(now);
            CHECK_OK(seawall_sliding_window_total_late(window, &late));
            vectors_say(&vectors, "count=%llu errors=%llu observed_ns=%llu ", (unsigned long long)summary.count,
                        (unsigned long long)summary.errors, (unsigned long long)summary.observed_ns);
            say_latency(&vectors, "mean_ns", summary.mean_ns);
            say_latency(&vectors, "max_ns", summary.max_ns);
            say_latency(&vectors, "p50_ns", summary.p50_ns);
            say_latency(&vectors, "p95_ns", summary.p95_ns);
            say_latency(&vectors, "p99_ns", summary.p99_ns);
            vectors_say(&vectors, "total_count=%llu total_errors=%llu total_late=%llu",
                        (unsigned long long)summary.total_count, (unsigned long long)summary.total_errors,
                        (unsigned long long)late);
            /* One by one they are the same. */
            CHECK_OK(seawall_sliding_window_total_count(window, &count));
            CHECK_OK(seawall_sliding_window_total_errors(window, &errors));
            CHECK(count == summary.total_count && errors == summary.total_errors);
            if (summary.count == 0) {
                CHECK_STATUS(SEAWALL_NONE, seawall_sliding_window_quantile(window, 950000, now, &latency));
                CHECK_STATUS(SEAWALL_NONE, seawall_sliding_window_error_rate(window, now, &share));
                CHECK(latency == 7 && share == 7);
            } else {
                CHECK_OK(seawall_sliding_window_quantile(window, 950000, now, &latency));
                CHECK(latency == summary.p95_ns);
                CHECK_OK(seawall_sliding_window_quantile(window, 1000000, now, &latency));
                CHECK(latency == summary.max_ns);
                CHECK_OK(seawall_sliding_window_error_rate(window, now, &share));
                CHECK(share == summary.errors * 1000000 / summary.count);
            }
        }
        vectors_compare(&vectors);
    }
    storage_check(&storage);
}

static void the_defaults_are_those_of_the_library_and_a_window_says_what_it_is(void) {
    const seawall_sliding_window_config_t config = SEAWALL_SLIDING_WINDOW_CONFIG_INIT;
    seawall_sliding_window_config_t same;
    uint64_t window_ns = 0, slice_ns = 0;
    uint32_t slices = 0, cells = 0, error_ppm = 0;
    memset(&same, 0xFF, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_sliding_window_config_default(&same));
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_config_default(NULL));
    make(config.window_ns, config.slices, config.cells);
    CHECK_OK(seawall_sliding_window_window(window, &window_ns));
    CHECK_OK(seawall_sliding_window_slice(window, &slice_ns));
    CHECK_OK(seawall_sliding_window_slices(window, &slices));
    CHECK_OK(seawall_sliding_window_cells(window, &cells));
    CHECK_OK(seawall_sliding_window_relative_error(window, &error_ppm));
    CHECK(window_ns == SECONDS(30) && slice_ns == SECONDS(30) / 16 && slices == 16 && cells == 512);
    CHECK(error_ppm == 31250);
}

static void what_is_old_or_marked_is_forgotten_and_the_totals_stay(void) {
    seawall_window_summary_t summary;
    make(SECONDS(8), 8, 64);
    CHECK_OK(seawall_sliding_window_record(window, 20 * SEAWALL_MILLISECOND, 1, SECONDS(1)));
    CHECK_OK(seawall_sliding_window_record(window, 30 * SEAWALL_MILLISECOND, 0, SECONDS(2)));
    CHECK_OK(seawall_sliding_window_record(window, 30 * SEAWALL_MILLISECOND, 77, SECONDS(2)));
    summary = summary_at(SECONDS(2));
    CHECK(summary.count == 3 && summary.errors == 1 && summary.max_ns == 30 * SEAWALL_MILLISECOND);
    CHECK(summary_at(SECONDS(9)).count == 2 && summary_at(SECONDS(10)).count == 0);
    CHECK(summary_at(SECONDS(10)).p50_ns == SEAWALL_UNKNOWN && summary_at(SECONDS(10)).total_count == 3);
    CHECK_OK(seawall_sliding_window_mark(window, SECONDS(2)));
    CHECK(summary_at(SECONDS(2)).count == 0 && summary_at(SECONDS(2)).total_errors == 1);
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    const seawall_sliding_window_config_t good = SEAWALL_SLIDING_WINDOW_CONFIG_INIT;
    seawall_sliding_window_config_t bad;
    seawall_sliding_window_t *handle = NULL;
    size_t size = 0;
    CHECK_OK(seawall_sliding_window_required_size(&good, &size));
#define BAD(status, field, value)                                                                           \
    do {                                                                                                    \
        bad = good;                                                                                         \
        bad.field = (value);                                                                                \
        CHECK_STATUS(status, seawall_sliding_window_init(storage_of(&storage, size), size, &bad, &handle)); \
        CHECK(handle == NULL);                                                                              \
    } while (0)
    BAD(SEAWALL_E_SIZE, slices, 0);
    BAD(SEAWALL_E_SIZE, slices, 17);
    BAD(SEAWALL_E_SIZE, slices, 2048);
    BAD(SEAWALL_E_SIZE, cells, 16);
    BAD(SEAWALL_E_SIZE, cells, UINT32_MAX);
    BAD(SEAWALL_E_WORKSPACE, cells, 1024);
    BAD(SEAWALL_E_WINDOW_TOO_SHORT, window_ns, SEAWALL_MILLISECOND - 1);
    BAD(SEAWALL_E_WINDOW_TOO_LONG, window_ns, UINT64_MAX);
    BAD(SEAWALL_E_VALUE, reserved, 1);
    BAD(SEAWALL_E_STRUCT_SIZE, struct_size, 16);
#undef BAD
    bad = good;
    bad.slices = 3;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_sliding_window_required_size(&bad, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_required_size(NULL, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_required_size(&good, NULL));
}

static void a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again(void) {
    seawall_sliding_window_config_t config = SEAWALL_SLIDING_WINDOW_CONFIG_INIT;
    seawall_sliding_window_t *again = NULL;
    size_t size = 0, shift;
    config.slices = 4;
    config.cells = 32;
    CHECK_OK(seawall_sliding_window_required_size(&config, &size));
    for (shift = 0; shift < 256; shift += 8) {
        char *workspace = (char *)(void *)storage.words + shift;
        memset(workspace, 0xEE, size + 64);
        CHECK_OK(seawall_sliding_window_init(workspace, size, &config, &window));
        CHECK((char *)(void *)window >= workspace && workspace[size] == (char)0xEE);
        CHECK_OK(seawall_sliding_window_record(window, 5, 1, 0));
        CHECK_OK(seawall_sliding_window_attach(workspace, size, &again));
        CHECK(again == window && summary_at(0).count == 1);
        CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_sliding_window_attach(workspace, 300, &again));
        CHECK_OK(seawall_sliding_window_fini(window));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_sliding_window_attach(workspace, size, &again));
    }
    CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_sliding_window_init(storage.words, 128, &config, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_init(NULL, size, &config, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_init(storage.words, size, NULL, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_init(storage.words, size, &config, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_attach(storage.words, size, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_token_bucket_config_t plain = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_window_summary_t summary = SEAWALL_WINDOW_SUMMARY_INIT;
    uint64_t number = 0, word = 0;
    uint32_t small = 0;
    make(SECONDS(8), 8, 64);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &plain, 0));
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_sliding_window_t, window, other, call)
    EACH(seawall_sliding_window_record(it, 1, 1, 0));
    EACH(seawall_sliding_window_summary(it, 0, &summary));
    EACH(seawall_sliding_window_quantile(it, 1, 0, &number));
    EACH(seawall_sliding_window_error_rate(it, 0, &small));
    EACH(seawall_sliding_window_mark(it, 0));
    EACH(seawall_sliding_window_rebase(it, 0, 1));
    EACH(seawall_sliding_window_total_count(it, &number));
    EACH(seawall_sliding_window_total_errors(it, &number));
    EACH(seawall_sliding_window_total_late(it, &number));
    EACH(seawall_sliding_window_window(it, &number));
    EACH(seawall_sliding_window_slice(it, &number));
    EACH(seawall_sliding_window_slices(it, &small));
    EACH(seawall_sliding_window_cells(it, &small));
    EACH(seawall_sliding_window_relative_error(it, &small));
    EACH(seawall_sliding_window_fini(it));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_summary(window, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_quantile(window, 0, 0, NULL));
    CHECK_STATUS(SEAWALL_E_RATIO, seawall_sliding_window_quantile(window, 1000001, 0, &number));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_error_rate(window, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_sliding_window_total_count(window, NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_sliding_window_total_late(window, MISALIGNED(uint64_t, &word)));
    summary.struct_size = 80;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_sliding_window_summary(window, 0, &summary));
    CHECK(summary_at(0).total_count == 0);
    CHECK_OK(seawall_sliding_window_fini(window));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_sliding_window_record(window, 1, 1, 0));
}

#define WORKERS 4
#define SAMPLES 50000

static void *worker(void *nothing) {
    uint64_t at;
    for (at = 0; at < SAMPLES; ++at) CHECK_OK(seawall_sliding_window_record(window, at, at % 2 == 0, at * 100000));
    return nothing;
}

static void every_sample_of_every_thread_is_counted_once(void) {
    pthread_t threads[WORKERS];
    uint64_t late = 0;
    int at;
    make(SECONDS(1), 4, 32);
    for (at = 0; at < WORKERS; ++at) CHECK(pthread_create(&threads[at], NULL, worker, NULL) == 0);
    for (at = 0; at < WORKERS; ++at) CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK(summary_at(SECONDS(5)).total_count == WORKERS * SAMPLES);
    CHECK(summary_at(SECONDS(5)).total_errors == WORKERS * SAMPLES / 2);
    CHECK_OK(seawall_sliding_window_total_late(window, &late));
    CHECK(late < WORKERS * SAMPLES);
    storage_check(&storage);
}

int main(void) {
    RUN(the_vectors_of_the_oracle_are_what_the_window_does);
    RUN(the_defaults_are_those_of_the_library_and_a_window_says_what_it_is);
    RUN(what_is_old_or_marked_is_forgotten_and_the_totals_stay);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again);
    RUN(no_mistake_does_harm);
    RUN(every_sample_of_every_thread_is_counted_once);
    return 0;
}
