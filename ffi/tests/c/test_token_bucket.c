/* The token bucket from C: what it admits, what it says, and that no mistake does harm. */
#include "vectors.h"

static seawall_token_bucket_t bucket;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static void make(uint64_t count, uint64_t period_ns, uint32_t burst) {
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    config.rate.count = count;
    config.rate.period_ns = period_ns;
    config.burst = burst;
    CHECK_OK(seawall_token_bucket_init(&bucket, &config, 0));
}

static uint32_t available(uint64_t now_ns) {
    uint32_t tokens = 77;
    CHECK_OK(seawall_token_bucket_available(&bucket, now_ns, &tokens));
    return tokens;
}

static void the_defaults_are_ten_a_second_and_ten_at_once(void) {
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT, same = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    const seawall_rate_t ten = SEAWALL_RATE_INIT(10, SEAWALL_SECOND);
    CHECK_OK(seawall_token_bucket_config_for(&same, ten));
    /* The rate of no warm-up is not looked at. */
    same.warm_up.from = config.warm_up.from;
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_config_for(NULL, ten));
    same.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_token_bucket_config_for(&same, ten));
}

static void a_refusal_says_when_to_come_back_and_an_admission_what_is_left(void) {
    seawall_decision_t decision = {7, 7, 7};
    make(2, SEAWALL_SECOND, 3);
    CHECK_OK(seawall_token_bucket_try_take(&bucket, 1, 0, &decision));
    CHECK(decision.remaining == 2 && decision.retry_after_ns == 0 && decision.stage == 0);
    CHECK_OK(seawall_token_bucket_try_take(&bucket, 2, 0, NULL));
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_token_bucket_try_take(&bucket, 1, 0, &decision));
    CHECK(decision.remaining == 0 && decision.retry_after_ns == SEAWALL_SECOND / 2);
    CHECK(decision.stage == SEAWALL_STAGE_TOKEN_BUCKET);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_token_bucket_peek(&bucket, 1, decision.retry_after_ns - 1, NULL));
    CHECK_OK(seawall_token_bucket_peek(&bucket, 1, decision.retry_after_ns, &decision));
    CHECK_OK(seawall_token_bucket_try_take(&bucket, 1, SEAWALL_SECOND / 2, NULL));
    CHECK_STATUS(SEAWALL_NEVER, seawall_token_bucket_try_take(&bucket, 4, 0, &decision));
    CHECK(decision.retry_after_ns == 0);
}

static void tokens_are_taken_in_part_drained_and_given_back(void) {
    uint32_t count = 0;
    make(1, SEAWALL_SECOND, 10);
    CHECK_OK(seawall_token_bucket_take_up_to(&bucket, 4, 0, &count));
    CHECK(count == 4);
    CHECK_OK(seawall_token_bucket_refund(&bucket, 2, 0));
    CHECK_OK(seawall_token_bucket_drain_to(&bucket, 3, 0, &count));
    CHECK(count == 5 && available(0) == 3);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_take_up_to(&bucket, 1, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_drain_to(&bucket, 0, 0, NULL));
    CHECK(available(0) == 3);
}

static void a_reservation_is_cancelled_once(void) {
    seawall_reservation_t reservation, copy;
    uint64_t ready_at_ns = 0;
    make(1, SEAWALL_SECOND, 1);
    CHECK_OK(seawall_token_bucket_try_take(&bucket, 1, 0, NULL));
    memset(&reservation, 0xFF, sizeof reservation);
    CHECK_STATUS(SEAWALL_NOT_YET,
                 seawall_token_bucket_reserve(&bucket, 1, SECONDS(1) - 1, 0, &reservation, &ready_at_ns, NULL));
    CHECK((reservation.opaque[0] | reservation.opaque[1] | reservation.opaque[2] | reservation.opaque[3]) == 0);
    CHECK(ready_at_ns == 0);
    CHECK_OK(seawall_token_bucket_reserve(&bucket, 1, SEAWALL_UNKNOWN, 0, &reservation, &ready_at_ns, NULL));
    CHECK(ready_at_ns == SECONDS(1));
    copy = reservation;
    CHECK_OK(seawall_token_bucket_cancel(&bucket, &reservation, 0));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_token_bucket_cancel(&bucket, &reservation, 0));
    /* A copy cannot be told from the original: cancelled too, it is a refund, and never more than that. */
    CHECK_OK(seawall_token_bucket_cancel(&bucket, &copy, 0));
    CHECK(available(0) == 1);
    memset(&reservation, 0xFF, sizeof reservation);
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_token_bucket_cancel(&bucket, &reservation, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_cancel(&bucket, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_reserve(&bucket, 1, 0, 0, NULL, &ready_at_ns, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_reserve(&bucket, 1, 0, 0, &reservation, NULL, NULL));
}

static void a_bucket_is_changed_while_it_runs(void) {
    seawall_rate_t rate = SEAWALL_RATE_INIT(500, SEAWALL_SECOND);
    seawall_warm_up_t slow = {SEAWALL_CURVE_STEP, 0, {1, SEAWALL_SECOND}, SECONDS(60)};
    uint32_t burst = 0;
    make(1, SEAWALL_SECOND, 5000);
    CHECK_OK(seawall_token_bucket_drain_to(&bucket, 0, 0, &burst));
    CHECK_OK(seawall_token_bucket_set_rate(&bucket, rate, SECONDS(10)));
    CHECK(available(SECONDS(10)) == 10); /* not 5000 */
    CHECK_OK(seawall_token_bucket_start_warm_up(&bucket, slow, SECONDS(10)));
    CHECK(available(SECONDS(70)) == 70);
    CHECK_OK(seawall_token_bucket_set_burst(&bucket, 30, SECONDS(70)));
    CHECK(available(SECONDS(70)) == 30);
    CHECK_OK(seawall_token_bucket_burst(&bucket, &burst));
    rate.count = 0;
    CHECK_OK(seawall_token_bucket_rate(&bucket, &rate));
    CHECK(burst == 30 && rate.count == 500 && rate.period_ns == SEAWALL_SECOND);
    CHECK_OK(seawall_token_bucket_reset(&bucket, 1, slow, SECONDS(80)));
    CHECK(available(SECONDS(80)) == 1);
    CHECK_OK(seawall_token_bucket_rebase(&bucket, SECONDS(80), SECONDS(5)));
    CHECK(available(SECONDS(5)) == 1 && available(SECONDS(7)) == 3);
    rate.period_ns = 0;
    CHECK_STATUS(SEAWALL_E_RATE_ZERO_PERIOD, seawall_token_bucket_set_rate(&bucket, rate, 0));
    rate.period_ns = 1;
    rate.count = 2;
    CHECK_STATUS(SEAWALL_E_BUCKET_RATE_TOO_FAST, seawall_token_bucket_set_rate(&bucket, rate, 0));
    CHECK_STATUS(SEAWALL_E_BUCKET_ZERO_BURST, seawall_token_bucket_set_burst(&bucket, 0, 0));
    slow.curve = 99;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_token_bucket_start_warm_up(&bucket, slow, 0));
}

static void a_configuration_of_another_version_is_read_as_it_was_meant(void) {
    struct {
        seawall_token_bucket_config_t known;
        uint64_t added_later;
    } later = {SEAWALL_TOKEN_BUCKET_CONFIG_INIT, 0};
    later.known.struct_size = sizeof later;
    CHECK_OK(seawall_token_bucket_init(&bucket, &later.known, 0));
    later.added_later = 1;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_token_bucket_init(&bucket, &later.known, 0));
    later.known.struct_size = sizeof later.known - 8; /* shorter than in the first version */
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_token_bucket_init(&bucket, &later.known, 0));
    later.known.struct_size = sizeof later.known + 4;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_token_bucket_init(&bucket, &later.known, 0));
    later.known.struct_size = 0x7FFFFFF8;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_token_bucket_init(&bucket, &later.known, 0));
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    const seawall_token_bucket_config_t good = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_token_bucket_config_t config = good;
    make(1, SEAWALL_SECOND, 7);
    config.burst = 0;
    CHECK_STATUS(SEAWALL_E_BUCKET_ZERO_BURST, seawall_token_bucket_init(&bucket, &config, 0));
    CHECK(strstr(seawall_status_text(SEAWALL_E_BUCKET_ZERO_BURST), "allowed are 1 to") != NULL);
    config = good;
    config.rate.period_ns = 0;
    CHECK_STATUS(SEAWALL_E_RATE_ZERO_PERIOD, seawall_token_bucket_init(&bucket, &config, 0));
    config = good;
    config.rate.count = UINT64_MAX;
    CHECK_STATUS(SEAWALL_E_BUCKET_RATE_TOO_FAST, seawall_token_bucket_init(&bucket, &config, 0));
    config = good;
    config.reserved = 1;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_token_bucket_init(&bucket, &config, 0));
    config = good;
    config.warm_up.duration_ns = SECONDS(400 * 86400);
    CHECK_STATUS(SEAWALL_E_BUCKET_WARM_UP_TOO_LONG, seawall_token_bucket_init(&bucket, &config, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_init(&bucket, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_token_bucket_init(NULL, &good, 0));
    /* None of it touched the bucket that was there. */
    CHECK(available(0) == 7);
}

static void no_mistake_does_harm(void) {
    const seawall_rate_t rate = SEAWALL_RATE_INIT(1, SEAWALL_SECOND);
    const seawall_warm_up_t none = SEAWALL_WARM_UP_NONE;
    seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_reservation_t reservation = {{0, 0, 0, 0}};
    seawall_rate_t seen;
    uint32_t count;
    uint64_t at;
    make(1, SEAWALL_SECOND, 7);
    other[0] = 0x5EA7FF01;
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_token_bucket_init(MISALIGNED(seawall_token_bucket_t, &bucket), &config, 0));
#define EACH(call) CHECK_OBJECT_MISTAKES(seawall_token_bucket_t, &bucket, other, call)
    EACH(seawall_token_bucket_try_take(it, 1, 0, NULL));
    EACH(seawall_token_bucket_take_up_to(it, 1, 0, &count));
    EACH(seawall_token_bucket_drain_to(it, 1, 0, &count));
    EACH(seawall_token_bucket_peek(it, 1, 0, NULL));
    EACH(seawall_token_bucket_reserve(it, 1, 0, 0, &reservation, &at, NULL));
    EACH(seawall_token_bucket_cancel(it, &reservation, 0));
    EACH(seawall_token_bucket_refund(it, 1, 0));
    EACH(seawall_token_bucket_available(it, 0, &count));
    EACH(seawall_token_bucket_rate(it, &seen));
    EACH(seawall_token_bucket_burst(it, &count));
    EACH(seawall_token_bucket_set_rate(it, rate, 0));
    EACH(seawall_token_bucket_set_burst(it, 1, 0));
    EACH(seawall_token_bucket_start_warm_up(it, none, 0));
    EACH(seawall_token_bucket_rebase(it, 0, 1));
    EACH(seawall_token_bucket_reset(it, 1, none, 0));
    EACH(seawall_token_bucket_fini(it));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_token_bucket_try_take(&bucket, 1, 0, MISALIGNED(seawall_decision_t, &at)));
    CHECK(available(0) == 7);
    CHECK_OK(seawall_token_bucket_fini(&bucket));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_token_bucket_try_take(&bucket, 1, 0, NULL));
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    static seawall_reservation_t reservations[1000];
    unsigned reserved = 0;
    vectors_t vectors;
    vectors_open(&vectors, "token_bucket");
    while (vectors_next(&vectors)) {
        const uint64_t now = vectors_number_or(&vectors, "now", 0);
        const uint32_t n = vectors_find(&vectors, "n") ? (uint32_t)vectors_number(&vectors, "n") : 0;
        seawall_decision_t decision = {0, 0, 0};
        seawall_rate_t rate = SEAWALL_RATE_INIT(0, 1);
        seawall_warm_up_t warm_up = SEAWALL_WARM_UP_NONE;
        seawall_status_t status;
        uint32_t count = 0;
        uint64_t at = 0;
        if (vectors_find(&vectors, "rate_count")) {
            rate.count = vectors_number(&vectors, "rate_count");
            rate.period_ns = vectors_number(&vectors, "period_ns");
        }
        if (vectors_is(&vectors, "new")) {
            seawall_token_bucket_config_t config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
            config.rate = rate;
            config.burst = (uint32_t)vectors_number(&vectors, "burst");
            config.fill_tokens = vectors_word_is(&vectors, "fill", "full") ? SEAWALL_FILL_FULL
                                                                           : (uint32_t)vectors_number(&vectors, "fill");
            CHECK_OK(seawall_token_bucket_init(&bucket, &config, now));
            reserved = 0;
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "try_take")) {
            status = seawall_token_bucket_try_take(&bucket, n, now, &decision);
            if (status == SEAWALL_OK) {
                vectors_say(&vectors, "ok");
            } else {
                vectors_say_refused(&vectors, status, &decision);
            }
        } else if (vectors_is(&vectors, "reserve")) {
            const uint64_t max_wait_ns = vectors_number(&vectors, "max_wait_ns");
            CHECK(reserved < sizeof reservations / sizeof *reservations);
            status =
                seawall_token_bucket_reserve(&bucket, n, max_wait_ns, now, &reservations[reserved], &at, &decision);
            if (status == SEAWALL_OK) {
                vectors_say(&vectors, "booked number=%u ready_at_ns=%llu", ++reserved, (unsigned long long)at);
            } else {
                vectors_say_refused(&vectors, status, &decision);
            }
        } else if (vectors_is(&vectors, "cancel")) {
            status = seawall_token_bucket_cancel(&bucket, &reservations[vectors_number(&vectors, "number") - 1], now);
            CHECK(status == SEAWALL_OK || status == SEAWALL_NOTHING_DONE);
            vectors_say(&vectors, "done=%s", status == SEAWALL_OK ? "true" : "false");
        } else if (vectors_is(&vectors, "refund")) {
            status = seawall_token_bucket_refund(&bucket, n, now);
            CHECK(status == SEAWALL_OK || status == SEAWALL_NOTHING_DONE);
            vectors_say(&vectors, "done=%s", status == SEAWALL_OK ? "true" : "false");
        } else if (vectors_is(&vectors, "take_up_to")) {
            CHECK_OK(seawall_token_bucket_take_up_to(&bucket, n, now, &count));
            vectors_say(&vectors, "taken=%u", count);
        } else if (vectors_is(&vectors, "drain_to")) {
            CHECK_OK(seawall_token_bucket_drain_to(&bucket, (uint32_t)vectors_number(&vectors, "keep"), now, &count));
            vectors_say(&vectors, "drained=%u", count);
        } else if (vectors_is(&vectors, "available")) {
            vectors_say(&vectors, "tokens=%u", available(now));
        } else if (vectors_is(&vectors, "set_rate")) {
            CHECK_OK(seawall_token_bucket_set_rate(&bucket, rate, now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "set_burst")) {
            CHECK_OK(seawall_token_bucket_set_burst(&bucket, (uint32_t)vectors_number(&vectors, "burst"), now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "start_warm_up")) {
            warm_up.curve = vectors_word_is(&vectors, "curve", "step")     ? SEAWALL_CURVE_STEP
                            : vectors_word_is(&vectors, "curve", "linear") ? SEAWALL_CURVE_LINEAR
                                                                           : SEAWALL_CURVE_EXPONENTIAL;
            warm_up.from = rate;
            warm_up.duration_ns = vectors_number(&vectors, "duration_ns");
            CHECK_OK(seawall_token_bucket_start_warm_up(&bucket, warm_up, now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "reset")) {
            CHECK_OK(seawall_token_bucket_reset(&bucket, (uint32_t)vectors_number(&vectors, "fill"), warm_up, now));
            vectors_say(&vectors, "ok");
        } else {
            CHECK(vectors_is(&vectors, "rebase"));
            CHECK_OK(seawall_token_bucket_rebase(&bucket, vectors_number(&vectors, "old_now"),
                                                 vectors_number(&vectors, "new_now")));
            vectors_say(&vectors, "ok");
        }
        vectors_compare(&vectors);
    }
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

static void the_library_is_that_of_the_header(void) {
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SEAWALL_VERSION_MAJOR, SEAWALL_VERSION_MINOR, SEAWALL_VERSION_PATCH);
    CHECK(strcmp(version, seawall_version()) == 0);
    CHECK(seawall_abi_version() == SEAWALL_ABI_VERSION);
    CHECK(strcmp(seawall_status_text(SEAWALL_OK), "done") == 0);
    /* Ten seconds are ten seconds, whatever type the ten is of. */
    CHECK(10 * SEAWALL_SECOND == UINT64_C(10000000000) && 10000 * SEAWALL_MILLISECOND == 10 * SEAWALL_SECOND);
    CHECK(seawall_status_text(12345) != NULL);
}

int main(void) {
    RUN(the_library_is_that_of_the_header);
    RUN(the_defaults_are_ten_a_second_and_ten_at_once);
    RUN(a_refusal_says_when_to_come_back_and_an_admission_what_is_left);
    RUN(tokens_are_taken_in_part_drained_and_given_back);
    RUN(a_reservation_is_cancelled_once);
    RUN(a_bucket_is_changed_while_it_runs);
    RUN(a_configuration_of_another_version_is_read_as_it_was_meant);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(no_mistake_does_harm);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
