/* The AIMD controller from C: when the rate changes and who is told, and that no mistake does harm. */
#include "vectors.h"

static seawall_aimd_controller_t controller;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static seawall_aimd_controller_config_t defaults(void) {
    const seawall_aimd_controller_config_t config = SEAWALL_AIMD_CONTROLLER_CONFIG_INIT;
    return config;
}

static void make(void) {
    const seawall_aimd_controller_config_t config = defaults();
    CHECK_OK(seawall_aimd_controller_init(&controller, &config));
}

static seawall_rate_t per_second(uint64_t count) {
    const seawall_rate_t rate = SEAWALL_RATE_INIT(count, SEAWALL_SECOND);
    return rate;
}

static int is_rate(seawall_rate_t seen, seawall_rate_t expected) {
    return seen.count == expected.count && seen.period_ns == expected.period_ns;
}

static seawall_rate_t current(void) {
    seawall_rate_t rate = {7, 7};
    CHECK_OK(seawall_aimd_controller_current_rate(&controller, &rate));
    return rate;
}

static uint64_t due_at(void) {
    uint64_t due_at_ns = 7;
    CHECK_OK(seawall_aimd_controller_due_at(&controller, &due_at_ns));
    return due_at_ns;
}

/* All well in a limit in full use, at these totals. */
static seawall_window_summary_t healthy(uint64_t total) {
    seawall_window_summary_t summary = SEAWALL_WINDOW_SUMMARY_INIT;
    summary.count = 30000;
    summary.observed_ns = SECONDS(30);
    summary.mean_ns = summary.max_ns = summary.p50_ns = summary.p95_ns = summary.p99_ns = 20 * SEAWALL_MILLISECOND;
    summary.total_count = total;
    return summary;
}

static void the_defaults_are_those_of_the_library(void) {
    seawall_aimd_controller_config_t config = defaults(), same;
    memset(&same, 0xA5, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_aimd_controller_config_default(&same));
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_config_default(NULL));
    same.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_aimd_controller_config_default(&same));
}

static void the_plain_rule_cuts_and_grows_once_an_interval(void) {
    seawall_rate_change_t change;
    make();
    memset(&change, 0xA5, sizeof change);
    CHECK(is_rate(current(), per_second(5)) && due_at() == 0);
    CHECK_STATUS(SEAWALL_NOTHING_DONE,
                 seawall_aimd_controller_update(&controller, SEAWALL_UNKNOWN_PPM, SEAWALL_UNKNOWN, 0, &change));
    CHECK(change.reason == 0xA5A5A5A5u);
    CHECK_OK(seawall_aimd_controller_update(&controller, 0, SEAWALL_UNKNOWN, 7, &change));
    CHECK(is_rate(change.from, per_second(5)) && is_rate(change.to, per_second(6)));
    CHECK(change.reason == SEAWALL_RATE_REASON_HEALTHY && change.reserved == 0);
    CHECK(is_rate(current(), per_second(6)) && due_at() == SECONDS(30) + 7);
    CHECK_STATUS(SEAWALL_NOTHING_DONE,
                 seawall_aimd_controller_update(&controller, 1000000, SEAWALL_UNKNOWN, SECONDS(30), &change));
    CHECK_OK(seawall_aimd_controller_update(&controller, 50001, 0, SECONDS(31), &change));
    CHECK(is_rate(change.to, per_second(3)) && change.reason == SEAWALL_RATE_REASON_ERRORS);
    CHECK_OK(seawall_aimd_controller_update(&controller, SEAWALL_UNKNOWN_PPM, 400 * SEAWALL_MILLISECOND + 1,
                                            SECONDS(61), &change));
    CHECK(change.to.count * SEAWALL_SECOND * 2 == change.to.period_ns * 3);
    CHECK(change.reason == SEAWALL_RATE_REASON_LATENCY);
    CHECK(strcmp(seawall_rate_reason_text(change.reason), "latency") == 0);
}

static void a_window_is_judged_by_what_is_usual_for_it(void) {
    seawall_rate_change_t change;
    seawall_window_summary_t summary = healthy(0);
    uint32_t share_ppm = 77;
    uint64_t p95_ns = 77;
    make();
    CHECK_STATUS(SEAWALL_NONE, seawall_aimd_controller_error_baseline(&controller, &share_ppm));
    CHECK_STATUS(SEAWALL_NONE, seawall_aimd_controller_latency_baseline(&controller, &p95_ns));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_error_baseline(&controller, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_latency_baseline(&controller, NULL));
    CHECK(share_ppm == 77 && p95_ns == 77);
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_aimd_controller_observe(&controller, &summary, 0, &change));
    summary = healthy(10);
    CHECK_OK(seawall_aimd_controller_observe(&controller, &summary, SECONDS(1), &change));
    CHECK(is_rate(change.to, per_second(6)) && change.reason == SEAWALL_RATE_REASON_HEALTHY);
    CHECK_OK(seawall_aimd_controller_error_baseline(&controller, &share_ppm));
    CHECK_OK(seawall_aimd_controller_latency_baseline(&controller, &p95_ns));
    /* No failure of ten: two of fourteen, as a few samples do not promise too much. */
    CHECK(share_ppm == 142857 && p95_ns == 20 * SEAWALL_MILLISECOND);
    summary = healthy(40);
    summary.total_errors = 30;
    CHECK_OK(seawall_aimd_controller_observe(&controller, &summary, SECONDS(31), &change));
    CHECK(is_rate(change.to, per_second(3)) && change.reason == SEAWALL_RATE_REASON_ERRORS);
}

static void it_is_set_reset_and_moved_to_another_clock(void) {
    seawall_rate_change_t change;
    seawall_rate_t in_force = {7, 7}, wrong = {1, 0};
    make();
    CHECK_OK(seawall_aimd_controller_set_rate(&controller, per_second(40), &in_force));
    CHECK(is_rate(in_force, per_second(40)) && is_rate(current(), per_second(40)));
    CHECK_OK(seawall_aimd_controller_set_rate(&controller, per_second(1000), &in_force));
    CHECK(is_rate(in_force, per_second(100)));
    CHECK_STATUS(SEAWALL_E_RATE_ZERO_PERIOD, seawall_aimd_controller_set_rate(&controller, wrong, &in_force));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_set_rate(&controller, per_second(7), NULL));
    CHECK(is_rate(current(), per_second(100)));
    CHECK_OK(seawall_aimd_controller_update(&controller, 1000000, SEAWALL_UNKNOWN, UINT64_MAX, &change));
    CHECK_STATUS(SEAWALL_NOTHING_DONE,
                 seawall_aimd_controller_update(&controller, 0, SEAWALL_UNKNOWN, SECONDS(9), &change));
    CHECK_OK(seawall_aimd_controller_rebase(&controller, UINT64_MAX, SECONDS(9)));
    CHECK(due_at() == SECONDS(39));
    CHECK_OK(seawall_aimd_controller_reset(&controller, SECONDS(50)));
    CHECK(is_rate(current(), per_second(5)) && due_at() == SECONDS(80));
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    seawall_aimd_controller_config_t config;
    struct {
        seawall_aimd_controller_config_t known;
        uint64_t added_later;
    } later = {SEAWALL_AIMD_CONTROLLER_CONFIG_INIT, 0};
#define REFUSED(status, field, value)                                           \
    do {                                                                        \
        config = defaults();                                                    \
        CHECK_OK(seawall_aimd_controller_init(&controller, &config));           \
        config.field = value;                                                   \
        CHECK_STATUS(status, seawall_aimd_controller_init(&controller, &config)); \
        CHECK(is_rate(current(), per_second(5)));                               \
    } while (0)
    REFUSED(SEAWALL_E_AIMD_MIN_RATE_TOO_LOW, min_rate.count, 0);
    REFUSED(SEAWALL_E_AIMD_MAX_RATE_TOO_HIGH, max_rate.count, UINT64_MAX);
    REFUSED(SEAWALL_E_AIMD_RATES_OUT_OF_ORDER, initial_rate.count, 101);
    REFUSED(SEAWALL_E_AIMD_RATES_OUT_OF_ORDER, min_rate.count, 6);
    REFUSED(SEAWALL_E_AIMD_STEP_TOO_SMALL, step.count, 0);
    REFUSED(SEAWALL_E_AIMD_FACTOR_TOO_LARGE, factor_ppm, 1000000);
    REFUSED(SEAWALL_E_AIMD_ZERO_INTERVAL, interval_ns, 0);
    REFUSED(SEAWALL_E_AIMD_ZERO_MINIMUM_SAMPLES, minimum_samples, 0);
    REFUSED(SEAWALL_E_RATIO, factor_ppm, 1000001);
    REFUSED(SEAWALL_E_RATIO, error_threshold_ppm, 1000001);
    REFUSED(SEAWALL_E_RATIO, error_baseline_max_ppm, 1000001);
    REFUSED(SEAWALL_E_RATE_ZERO_PERIOD, initial_rate.period_ns, 0);
    REFUSED(SEAWALL_E_RATE_ZERO_PERIOD, min_rate.period_ns, 0);
    REFUSED(SEAWALL_E_RATE_ZERO_PERIOD, max_rate.period_ns, 0);
    REFUSED(SEAWALL_E_RATE_ZERO_PERIOD, step.period_ns, 0);
    later.known.struct_size = sizeof later;
    CHECK_OK(seawall_aimd_controller_init(&controller, &later.known));
    later.added_later = 1;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_aimd_controller_init(&controller, &later.known));
    later.known.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_aimd_controller_init(&controller, &later.known));
    config = defaults();
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_init(NULL, &config));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_init(&controller, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_aimd_controller_config_t config = defaults();
    seawall_window_summary_t summary = healthy(0);
    seawall_rate_change_t change;
    seawall_rate_t rate = {7, 7};
    uint64_t at = 7;
    uint32_t number = 7;
    make();
    memset(&change, 0xA5, sizeof change);
    other[0] = 0x5EA7FF01;
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_aimd_controller_init(MISALIGNED(seawall_aimd_controller_t, &controller), &config));
#define EACH(call) CHECK_OBJECT_MISTAKES(seawall_aimd_controller_t, &controller, other, call)
    EACH(seawall_aimd_controller_observe(it, &summary, 0, &change));
    EACH(seawall_aimd_controller_update(it, 0, 0, 0, &change));
    EACH(seawall_aimd_controller_current_rate(it, &rate));
    EACH(seawall_aimd_controller_set_rate(it, per_second(9), &rate));
    EACH(seawall_aimd_controller_reset(it, 0));
    EACH(seawall_aimd_controller_rebase(it, 0, 1));
    EACH(seawall_aimd_controller_due_at(it, &at));
    EACH(seawall_aimd_controller_error_baseline(it, &number));
    EACH(seawall_aimd_controller_latency_baseline(it, &at));
    EACH(seawall_aimd_controller_fini(it));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_observe(&controller, NULL, 0, &change));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_observe(&controller, &summary, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_update(&controller, 0, 0, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_current_rate(&controller, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_aimd_controller_due_at(&controller, NULL));
    CHECK_STATUS(SEAWALL_E_RATIO, seawall_aimd_controller_update(&controller, 1000001, 0, 0, &change));
    summary.reserved = 1;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_aimd_controller_observe(&controller, &summary, 0, &change));
    summary.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_aimd_controller_observe(&controller, &summary, 0, &change));
    {
        seawall_rate_change_t *askew = MISALIGNED(seawall_rate_change_t, &change);
        CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_aimd_controller_update(&controller, 0, 0, 0, askew));
        summary = healthy(0);
        CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_aimd_controller_observe(&controller, &summary, 0, askew));
    }
    CHECK(change.reason == 0xA5A5A5A5u && rate.count == 7 && at == 7 && number == 7);
    /* None of it was judged, and the totals were not noted. */
    CHECK(is_rate(current(), per_second(5)) && due_at() == 0);
    summary = healthy(1000);
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_aimd_controller_observe(&controller, &summary, 0, &change));
    CHECK_OK(seawall_aimd_controller_fini(&controller));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_aimd_controller_due_at(&controller, &at));
}

/* In millionths a second. The controller gives whole rates a second, and all others over a million seconds. */
static unsigned long long millionths(seawall_rate_t rate) {
    if (rate.period_ns == SEAWALL_SECOND) return (unsigned long long)rate.count * 1000000u;
    CHECK(rate.period_ns == SECONDS(1000000));
    return (unsigned long long)rate.count;
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    vectors_t vectors;
    vectors_open(&vectors, "aimd_controller");
    while (vectors_next(&vectors)) {
        const uint64_t now = vectors_number_or(&vectors, "now", 0);
        seawall_rate_change_t change;
        seawall_status_t status;
        if (vectors_is(&vectors, "new")) {
            seawall_aimd_controller_config_t config = defaults();
            if (vectors_word_is(&vectors, "config", "slow_client")) {
                const seawall_rate_t initial = {7, SECONDS(60)}, least = {1, SECONDS(60)}, step = {1, SECONDS(7)};
                config.initial_rate = initial;
                config.min_rate = least;
                config.max_rate = per_second(1);
                config.step = step;
                config.factor_ppm = 700000;
                config.interval_ns = SECONDS(10);
                config.minimum_samples = 3;
            } else {
                CHECK(vectors_word_is(&vectors, "config", "default"));
            }
            CHECK_OK(seawall_aimd_controller_init(&controller, &config));
            vectors_say(&vectors, "ok");
            vectors_compare(&vectors);
            continue;
        }
        if (vectors_is(&vectors, "update")) {
            status = seawall_aimd_controller_update(
                &controller, (uint32_t)vectors_number_or(&vectors, "error_ppm", SEAWALL_UNKNOWN_PPM),
                vectors_number_or(&vectors, "p95_ns", SEAWALL_UNKNOWN), now, &change);
        } else {
            seawall_window_summary_t summary = SEAWALL_WINDOW_SUMMARY_INIT;
            CHECK(vectors_is(&vectors, "observe"));
            summary.count = vectors_number(&vectors, "count");
            summary.observed_ns = vectors_number(&vectors, "observed_ns");
            summary.p95_ns = vectors_number_or(&vectors, "p95_ns", SEAWALL_UNKNOWN);
            summary.total_count = vectors_number(&vectors, "total");
            summary.total_errors = vectors_number(&vectors, "total_errors");
            status = seawall_aimd_controller_observe(&controller, &summary, now, &change);
        }
        if (status == SEAWALL_OK) {
            vectors_say(&vectors, "changed from_millionths=%llu to_millionths=%llu reason=%s",
                        millionths(change.from), millionths(change.to), seawall_rate_reason_text(change.reason));
        } else {
            CHECK_STATUS(SEAWALL_NOTHING_DONE, status);
            vectors_say(&vectors, "none");
        }
        vectors_compare(&vectors);
    }
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

int main(void) {
    RUN(the_defaults_are_those_of_the_library);
    RUN(the_plain_rule_cuts_and_grows_once_an_interval);
    RUN(a_window_is_judged_by_what_is_usual_for_it);
    RUN(it_is_set_reset_and_moved_to_another_clock);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(no_mistake_does_harm);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
