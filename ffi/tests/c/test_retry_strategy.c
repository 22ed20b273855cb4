/* The retry strategy from C: when it sends again, why it gives up, and that no mistake does harm. */
#include "vectors.h"

static seawall_retry_strategy_t strategy;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static seawall_retry_strategy_config_t defaults(void) {
    const seawall_retry_strategy_config_t config = SEAWALL_RETRY_STRATEGY_CONFIG_INIT;
    return config;
}

static seawall_attempt_failure_t failed(uint32_t attempt, uint32_t error_class) {
    const seawall_attempt_failure_t failure = SEAWALL_ATTEMPT_FAILURE_INIT(attempt, error_class);
    return failure;
}

static void the_configurations_are_those_of_the_library(void) {
    const seawall_retry_strategy_config_t usual = SEAWALL_RETRY_STRATEGY_CONFIG_INIT;
    const seawall_retry_strategy_config_t guide = SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE;
    seawall_retry_strategy_config_t same;
    memset(&same, 0xA5, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_retry_strategy_config_default(&same));
    CHECK(memcmp(&usual, &same, sizeof same) == 0);
    CHECK_OK(seawall_retry_strategy_config_guide(&same));
    CHECK(memcmp(&guide, &same, sizeof same) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_config_default(NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_config_guide(NULL));
    same.struct_size = 12;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_strategy_config_default(&same));
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_strategy_config_guide(&same));
}

static void it_says_when_to_send_again_and_why_not(void) {
    seawall_retry_strategy_config_t config = defaults();
    seawall_attempt_failure_t failure = failed(1, SEAWALL_ERROR_CLASS_RETRYABLE);
    uint64_t delay_ns = 0, deadline_ns = 0;
    uint32_t give_up = 7, attempts = 0;
    CHECK_OK(seawall_retry_strategy_init(&strategy, &config));
    CHECK_OK(seawall_retry_strategy_max_attempts(&strategy, &attempts));
    CHECK_OK(seawall_retry_strategy_total_deadline(&strategy, &deadline_ns));
    CHECK(attempts == 3 && deadline_ns == SEAWALL_UNKNOWN);
    CHECK_OK(seawall_retry_strategy_decide(&strategy, &failure, UINT64_MAX, &delay_ns, &give_up));
    CHECK(delay_ns == 100 * SEAWALL_MILLISECOND && give_up == 0);
    CHECK_OK(seawall_retry_strategy_decide(&strategy, &failure, 0, &delay_ns, NULL));
    CHECK(delay_ns == 0);
    failure.attempt = 3;
    CHECK_STATUS(SEAWALL_GIVE_UP, seawall_retry_strategy_decide(&strategy, &failure, 0, &delay_ns, &give_up));
    CHECK(delay_ns == SEAWALL_UNKNOWN && give_up == SEAWALL_GIVE_UP_ATTEMPTS_EXHAUSTED);
    CHECK(strcmp(seawall_give_up_text(give_up), "all attempts are made") == 0);
    failure = failed(1, SEAWALL_ERROR_CLASS_PERMANENT);
    CHECK_STATUS(SEAWALL_GIVE_UP, seawall_retry_strategy_decide(&strategy, &failure, 0, &delay_ns, &give_up));
    CHECK(give_up == SEAWALL_GIVE_UP_PERMANENT);
    CHECK_STATUS(SEAWALL_GIVE_UP, seawall_retry_strategy_decide(&strategy, &failure, 0, &delay_ns, NULL));
    /* Never earlier than the server said, and not for longer than the cap. */
    failure = failed(1, SEAWALL_ERROR_CLASS_THROTTLED);
    failure.retry_after_ns = SECONDS(300);
    CHECK_OK(seawall_retry_strategy_decide(&strategy, &failure, 42, &delay_ns, &give_up));
    CHECK(delay_ns >= SECONDS(300) && delay_ns <= SECONDS(375));
    ++failure.retry_after_ns;
    CHECK_STATUS(SEAWALL_GIVE_UP, seawall_retry_strategy_decide(&strategy, &failure, 42, &delay_ns, &give_up));
    CHECK(give_up == SEAWALL_GIVE_UP_RETRY_AFTER_TOO_LONG);
    /* Never at or after the deadline. */
    config.total_deadline_ns = SECONDS(5);
    config.jitter = SEAWALL_JITTER_NONE;
    CHECK_OK(seawall_retry_strategy_init(&strategy, &config));
    CHECK_OK(seawall_retry_strategy_total_deadline(&strategy, &deadline_ns));
    CHECK(deadline_ns == SECONDS(5));
    failure = failed(1, SEAWALL_ERROR_CLASS_RETRYABLE);
    failure.elapsed_ns = SECONDS(5) - 100 * SEAWALL_MILLISECOND - 1;
    CHECK_OK(seawall_retry_strategy_decide(&strategy, &failure, 42, &delay_ns, &give_up));
    ++failure.elapsed_ns;
    CHECK_STATUS(SEAWALL_GIVE_UP, seawall_retry_strategy_decide(&strategy, &failure, 42, &delay_ns, &give_up));
    CHECK(give_up == SEAWALL_GIVE_UP_DEADLINE_EXCEEDED);
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    seawall_retry_strategy_config_t config;
    struct {
        seawall_retry_strategy_config_t known;
        uint64_t added_later;
    } later = {SEAWALL_RETRY_STRATEGY_CONFIG_INIT, 0};
    uint32_t attempts = 0;
#define REFUSED(status, field, value)                                          \
    do {                                                                       \
        config = defaults();                                                   \
        CHECK_OK(seawall_retry_strategy_init(&strategy, &config));             \
        config.max_attempts = 77;                                              \
        config.field = value;                                                  \
        CHECK_STATUS(status, seawall_retry_strategy_init(&strategy, &config)); \
    } while (0)
    REFUSED(SEAWALL_E_RETRY_ZERO_ATTEMPTS, max_attempts, 0);
    REFUSED(SEAWALL_E_RETRY_ZERO_DEADLINE, total_deadline_ns, 0);
    REFUSED(SEAWALL_E_RETRY_FACTOR_UNDER_ONE, factor_percent, 99);
    REFUSED(SEAWALL_E_RETRY_BASE_OVER_MAX, base_delay_ns, SECONDS(20) + 1);
    REFUSED(SEAWALL_E_VALUE, jitter, 5);
    CHECK_OK(seawall_retry_strategy_max_attempts(&strategy, &attempts));
    CHECK(attempts == 3); /* none of it touched the strategy that was there */
    later.known.struct_size = sizeof later;
    CHECK_OK(seawall_retry_strategy_init(&strategy, &later.known));
    later.added_later = 1;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_strategy_init(&strategy, &later.known));
    later.known.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_strategy_init(&strategy, &later.known));
    config = defaults();
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_init(NULL, &config));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_init(&strategy, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_retry_strategy_config_t config = defaults();
    seawall_attempt_failure_t failure = failed(1, SEAWALL_ERROR_CLASS_RETRYABLE);
    uint64_t delays[2] = {7, 7};
    uint32_t number = 7;
    other[0] = 0x5EA7FF01;
    CHECK_OK(seawall_retry_strategy_init(&strategy, &config));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_retry_strategy_init(MISALIGNED(seawall_retry_strategy_t, &strategy), &config));
#define EACH(call) CHECK_OBJECT_MISTAKES(seawall_retry_strategy_t, &strategy, other, call)
    EACH(seawall_retry_strategy_max_attempts(it, &number));
    EACH(seawall_retry_strategy_total_deadline(it, delays));
    EACH(seawall_retry_strategy_next_delay(it, 1, SEAWALL_UNKNOWN, 7, delays));
    EACH(seawall_retry_strategy_decide(it, &failure, 7, delays, &number));
    EACH(seawall_retry_strategy_fini(it));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_max_attempts(&strategy, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_total_deadline(&strategy, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_next_delay(&strategy, 1, SEAWALL_UNKNOWN, 7, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_decide(&strategy, NULL, 7, delays, &number));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_strategy_decide(&strategy, &failure, 7, NULL, &number));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_retry_strategy_decide(&strategy, &failure, 7, MISALIGNED(uint64_t, delays), &number));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_retry_strategy_decide(&strategy, &failure, 7, delays,
                                               (uint32_t *)(void *)((char *)(void *)delays + 2)));
    failure.error_class = 0;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_retry_strategy_decide(&strategy, &failure, 7, delays, &number));
    failure.error_class = 4;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_retry_strategy_decide(&strategy, &failure, 7, delays, &number));
    failure = failed(1, SEAWALL_ERROR_CLASS_RETRYABLE);
    failure.reserved = 1;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_retry_strategy_decide(&strategy, &failure, 7, delays, &number));
    failure.reserved = 0;
    failure.struct_size -= 8;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_strategy_decide(&strategy, &failure, 7, delays, &number));
    CHECK(delays[0] == 7 && delays[1] == 7 && number == 7);
    CHECK_OK(seawall_retry_strategy_fini(&strategy));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_retry_strategy_max_attempts(&strategy, &number));
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    static const char *const jitters[] = {"none", "additive", "equal", "full", "decorrelated"};
    static const char *const classes[] = {"", "retryable", "throttled", "permanent"};
    vectors_t vectors;
    vectors_open(&vectors, "retry_strategy");
    while (vectors_next(&vectors)) {
        uint64_t delay_ns = 7;
        uint32_t give_up = 7, number;
        if (vectors_is(&vectors, "new")) {
            seawall_retry_strategy_config_t config = defaults();
            config.max_attempts = (uint32_t)vectors_number(&vectors, "max_attempts");
            config.total_deadline_ns = vectors_number_or(&vectors, "deadline_ns", SEAWALL_UNKNOWN);
            config.base_delay_ns = vectors_number(&vectors, "base_ns");
            config.factor_percent = (uint32_t)vectors_number(&vectors, "factor_percent");
            config.max_delay_ns = vectors_number(&vectors, "max_delay_ns");
            config.retry_after_cap_ns = vectors_number(&vectors, "retry_after_cap_ns");
            for (number = 0; number < 5; ++number) {
                if (vectors_word_is(&vectors, "jitter", jitters[number])) config.jitter = number;
            }
            CHECK(vectors_word_is(&vectors, "jitter", jitters[config.jitter]));
            CHECK_OK(seawall_retry_strategy_init(&strategy, &config));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "next_delay")) {
            CHECK_OK(seawall_retry_strategy_next_delay(&strategy, (uint32_t)vectors_number(&vectors, "attempt"),
                                                       vectors_number_or(&vectors, "previous_ns", SEAWALL_UNKNOWN),
                                                       vectors_number(&vectors, "random"), &delay_ns));
            vectors_say(&vectors, "delay_ns=%llu", (unsigned long long)delay_ns);
        } else {
            seawall_attempt_failure_t failure = failed((uint32_t)vectors_number(&vectors, "attempt"), 0);
            seawall_status_t status;
            CHECK(vectors_is(&vectors, "decide"));
            failure.elapsed_ns = vectors_number(&vectors, "elapsed_ns");
            failure.previous_delay_ns = vectors_number_or(&vectors, "previous_ns", SEAWALL_UNKNOWN);
            failure.retry_after_ns = vectors_number_or(&vectors, "retry_after_ns", SEAWALL_UNKNOWN);
            for (number = 1; number < 4; ++number) {
                if (vectors_word_is(&vectors, "class", classes[number])) failure.error_class = number;
            }
            status = seawall_retry_strategy_decide(&strategy, &failure, vectors_number(&vectors, "random"), &delay_ns,
                                                   &give_up);
            if (status == SEAWALL_OK) {
                CHECK(give_up == 0);
                vectors_say(&vectors, "retry delay_ns=%llu", (unsigned long long)delay_ns);
            } else {
                CHECK(status == SEAWALL_GIVE_UP && delay_ns == SEAWALL_UNKNOWN);
                vectors_say(&vectors, "give_up reason=%s",
                            give_up == SEAWALL_GIVE_UP_PERMANENT            ? "permanent"
                            : give_up == SEAWALL_GIVE_UP_ATTEMPTS_EXHAUSTED ? "attempts_exhausted"
                            : give_up == SEAWALL_GIVE_UP_DEADLINE_EXCEEDED  ? "deadline_exceeded"
                                                                            : "retry_after_too_long");
            }
        }
        vectors_compare(&vectors);
    }
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

int main(void) {
    RUN(the_configurations_are_those_of_the_library);
    RUN(it_says_when_to_send_again_and_why_not);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(no_mistake_does_harm);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
