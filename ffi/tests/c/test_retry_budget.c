/* The retry budget from C: what successes earn and retries cost, and that no mistake does harm. */
#include <pthread.h>

#include "vectors.h"

#define TOKEN 1000000u

static seawall_retry_budget_t budget;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static seawall_retry_budget_config_t defaults(void) {
    const seawall_retry_budget_config_t config = SEAWALL_RETRY_BUDGET_CONFIG_INIT;
    return config;
}

static void make(uint32_t initial_millionths) {
    seawall_retry_budget_config_t config = defaults();
    config.initial_millionths = initial_millionths;
    CHECK_OK(seawall_retry_budget_init(&budget, &config, 0));
}

static uint32_t balance(uint64_t now_ns) {
    uint32_t millionths = 77;
    CHECK_OK(seawall_retry_budget_balance(&budget, now_ns, &millionths));
    return millionths;
}

static void the_configurations_are_those_of_the_library(void) {
    const seawall_retry_budget_config_t usual = SEAWALL_RETRY_BUDGET_CONFIG_INIT;
    seawall_rate_t rate = SEAWALL_RATE_INIT(4, SEAWALL_SECOND);
    seawall_retry_budget_config_t same;
    memset(&same, 0xA5, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_retry_budget_config_default(&same));
    CHECK(memcmp(&usual, &same, sizeof same) == 0);
    CHECK_OK(seawall_retry_budget_config_for(&same, rate, SEAWALL_SECOND));
    CHECK(same.cap_millionths == 4 * TOKEN && same.initial_millionths == TOKEN && same.floor_millionths == TOKEN);
    CHECK(same.share_ppm == 120000 && same.lifetime_ns == SECONDS(60) && same.reserved == 0);
    CHECK_OK(seawall_retry_budget_init(&budget, &same, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_budget_config_default(NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_budget_config_for(NULL, rate, SEAWALL_SECOND));
    rate.period_ns = 0;
    CHECK_STATUS(SEAWALL_E_RATE_ZERO_PERIOD, seawall_retry_budget_config_for(&same, rate, SEAWALL_SECOND));
    same.struct_size = 0;
    rate.period_ns = 1;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_budget_config_default(&same));
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_budget_config_for(&same, rate, SEAWALL_SECOND));
}

static void successes_earn_what_retries_cost(void) {
    seawall_decision_t decision = {7, 7, 7};
    unsigned call;
    make(TOKEN);
    CHECK_STATUS(SEAWALL_NOT_YET,
                 seawall_retry_budget_try_withdraw(&budget, SEAWALL_RETRY_COST_TIMEOUT, 0, &decision));
    CHECK(decision.retry_after_ns == SEAWALL_UNKNOWN && decision.stage == SEAWALL_STAGE_RETRY_BUDGET);
    CHECK_OK(seawall_retry_budget_try_withdraw(&budget, SEAWALL_RETRY_COST_ERROR, 0, &decision));
    CHECK(decision.retry_after_ns == 0 && decision.stage == 0);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_retry_budget_try_withdraw(&budget, 1, 0, NULL));
    for (call = 0; call < 10; ++call) CHECK_OK(seawall_retry_budget_deposit(&budget, 0));
    CHECK(balance(0) == TOKEN);
    CHECK_OK(seawall_retry_budget_try_withdraw(&budget, SEAWALL_RETRY_COST_HEDGE, 0, NULL));
    CHECK_OK(seawall_retry_budget_refund(&budget, SEAWALL_RETRY_COST_HEDGE, 0));
    CHECK(balance(0) == TOKEN);
    CHECK_STATUS(SEAWALL_NEVER, seawall_retry_budget_try_withdraw(&budget, 10 * TOKEN + 1, 0, &decision));
    CHECK(decision.retry_after_ns == 0);
    CHECK_OK(seawall_retry_budget_refund(&budget, UINT32_MAX, 0));
    CHECK(balance(0) == 10 * TOKEN);
}

static void a_budget_is_changed_while_it_runs(void) {
    make(10 * TOKEN);
    CHECK_OK(seawall_retry_budget_set_cap(&budget, 5 * TOKEN));
    CHECK(balance(0) == 5 * TOKEN);
    CHECK_STATUS(SEAWALL_E_BUDGET_CAP_TOO_LARGE, seawall_retry_budget_set_cap(&budget, 1000 * TOKEN + 1));
    CHECK_OK(seawall_retry_budget_try_withdraw(&budget, 5 * TOKEN, 0, NULL));
    CHECK_OK(seawall_retry_budget_set_share(&budget, 500000));
    CHECK_STATUS(SEAWALL_E_RATIO, seawall_retry_budget_set_share(&budget, 1000001));
    CHECK_OK(seawall_retry_budget_deposit(&budget, 0));
    CHECK(balance(0) == TOKEN / 2);
    CHECK_OK(seawall_retry_budget_refund(&budget, 3 * TOKEN, 0));
    CHECK_OK(seawall_retry_budget_rebase(&budget, SECONDS(7), SECONDS(1000)));
    CHECK(balance(SECONDS(1000)) < 3 * TOKEN + TOKEN / 2 && balance(SECONDS(1000)) > TOKEN);
    CHECK(balance(SECONDS(2000)) == TOKEN); /* the floor */
    CHECK_OK(seawall_retry_budget_reset(&budget, 5));
    CHECK(balance(5) == 5 * TOKEN); /* ten to begin with, but the cap is five */
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    seawall_retry_budget_config_t config;
    struct {
        seawall_retry_budget_config_t known;
        uint64_t added_later;
    } later = {SEAWALL_RETRY_BUDGET_CONFIG_INIT, 0};
#define REFUSED(status, field, value)                                         \
    do {                                                                      \
        config = defaults();                                                  \
        CHECK_OK(seawall_retry_budget_init(&budget, &config, 0));             \
        config.field = value;                                                 \
        CHECK_STATUS(status, seawall_retry_budget_init(&budget, &config, 0)); \
        CHECK(balance(0) == TOKEN);                                           \
    } while (0)
    REFUSED(SEAWALL_E_BUDGET_CAP_TOO_LARGE, cap_millionths, 1000 * TOKEN + 1);
    REFUSED(SEAWALL_E_BUDGET_INITIAL_OVER_CAP, initial_millionths, 10 * TOKEN + 1);
    REFUSED(SEAWALL_E_BUDGET_FLOOR_OVER_CAP, floor_millionths, 10 * TOKEN + 1);
    REFUSED(SEAWALL_E_BUDGET_LIFETIME_TOO_SHORT, lifetime_ns, 100 * SEAWALL_MILLISECOND - 1);
    REFUSED(SEAWALL_E_RATIO, share_ppm, 1000001);
    REFUSED(SEAWALL_E_VALUE, reserved, 1);
    later.known.struct_size = sizeof later;
    CHECK_OK(seawall_retry_budget_init(&budget, &later.known, 0));
    later.added_later = 1;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_budget_init(&budget, &later.known, 0));
    later.known.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_retry_budget_init(&budget, &later.known, 0));
    config = defaults();
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_budget_init(NULL, &config, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_budget_init(&budget, NULL, 0));
}

static void no_mistake_does_harm(void) {
    const seawall_retry_budget_config_t config = defaults();
    seawall_decision_t decision;
    uint32_t number = 7;
    make(3 * TOKEN);
    other[0] = 0x5EA7FF01;
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_retry_budget_init(MISALIGNED(seawall_retry_budget_t, &budget), &config, 0));
#define EACH(call) CHECK_OBJECT_MISTAKES(seawall_retry_budget_t, &budget, other, call)
    EACH(seawall_retry_budget_deposit(it, 0));
    EACH(seawall_retry_budget_try_withdraw(it, TOKEN, 0, &decision));
    EACH(seawall_retry_budget_refund(it, TOKEN, 0));
    EACH(seawall_retry_budget_balance(it, 0, &number));
    EACH(seawall_retry_budget_set_share(it, 0));
    EACH(seawall_retry_budget_set_cap(it, 0));
    EACH(seawall_retry_budget_rebase(it, 0, 1));
    EACH(seawall_retry_budget_reset(it, 0));
    EACH(seawall_retry_budget_fini(it));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_retry_budget_balance(&budget, 0, NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_retry_budget_try_withdraw(&budget, TOKEN, 0,
                                                                        MISALIGNED(seawall_decision_t, &decision)));
    CHECK(number == 7 && balance(0) == 3 * TOKEN);
    CHECK_OK(seawall_retry_budget_fini(&budget));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_retry_budget_deposit(&budget, 0));
}

static void *withdraw_often(void *withdrawn) {
    unsigned round;
    for (round = 0; round < 1000; ++round) {
        *(unsigned *)withdrawn +=
            seawall_retry_budget_try_withdraw(&budget, SEAWALL_RETRY_COST_ERROR, 0, NULL) == SEAWALL_OK;
    }
    return NULL;
}

static void threads_withdraw_what_is_there_and_no_more(void) {
    pthread_t threads[4];
    unsigned withdrawn[4] = {0, 0, 0, 0}, index;
    make(10 * TOKEN);
    for (index = 0; index < 4; ++index) {
        CHECK(pthread_create(&threads[index], NULL, withdraw_often, &withdrawn[index]) == 0);
    }
    for (index = 0; index < 4; ++index) CHECK(pthread_join(threads[index], NULL) == 0);
    CHECK(withdrawn[0] + withdrawn[1] + withdrawn[2] + withdrawn[3] == 10);
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    vectors_t vectors;
    vectors_open(&vectors, "retry_budget");
    while (vectors_next(&vectors)) {
        const uint64_t now = vectors_number(&vectors, "now");
        const uint32_t cost = (uint32_t)vectors_number_or(&vectors, "cost", 0);
        if (vectors_is(&vectors, "new")) {
            seawall_retry_budget_config_t config = defaults();
            config.share_ppm = (uint32_t)vectors_number(&vectors, "share_ppm");
            config.cap_millionths = (uint32_t)vectors_number(&vectors, "cap");
            config.initial_millionths = (uint32_t)vectors_number(&vectors, "initial");
            config.floor_millionths = (uint32_t)vectors_number(&vectors, "floor");
            config.lifetime_ns = vectors_number(&vectors, "lifetime_ns");
            CHECK_OK(seawall_retry_budget_init(&budget, &config, now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "deposit")) {
            CHECK_OK(seawall_retry_budget_deposit(&budget, now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "refund")) {
            CHECK_OK(seawall_retry_budget_refund(&budget, cost, now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "try_withdraw")) {
            const seawall_status_t status = seawall_retry_budget_try_withdraw(&budget, cost, now, NULL);
            if (status == SEAWALL_OK) {
                vectors_say(&vectors, "ok");
            } else {
                CHECK(status == SEAWALL_NEVER || status == SEAWALL_NOT_YET);
                vectors_say(&vectors, "refused reason=%s", status == SEAWALL_NEVER ? "never" : "not_yet");
            }
        } else {
            CHECK(vectors_is(&vectors, "balance"));
            vectors_say(&vectors, "tokens=%u", balance(now));
        }
        vectors_compare(&vectors);
    }
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

int main(void) {
    RUN(the_configurations_are_those_of_the_library);
    RUN(successes_earn_what_retries_cost);
    RUN(a_budget_is_changed_while_it_runs);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(no_mistake_does_harm);
    RUN(threads_withdraw_what_is_there_and_no_more);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
