/* The circuit breaker from C: when it opens and closes, what it tells whom, and that no mistake does harm. */
#include "vectors.h"

static seawall_circuit_breaker_t breaker;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static const seawall_transition_t NO_TRANSITION = {0, 0, 0, 0, 0, 0};

static seawall_circuit_breaker_config_t defaults(void) {
    const seawall_circuit_breaker_config_t config = SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT;
    return config;
}

/* Opens after so many failures in a row, without jitter and ramp. */
static void make(uint32_t threshold) {
    seawall_circuit_breaker_config_t config = defaults();
    config.threshold = threshold;
    config.open_jitter_ppm = 0;
    config.ramp_ns = 0;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));
}

static uint32_t state(uint64_t now_ns) {
    uint32_t seen = 77;
    CHECK_OK(seawall_circuit_breaker_state(&breaker, now_ns, &seen));
    return seen;
}

static seawall_breaker_permit_t admitted(uint64_t now_ns) {
    seawall_breaker_permit_t permit;
    CHECK_OK(seawall_circuit_breaker_try_attempt(&breaker, now_ns, &permit, NULL, NULL));
    return permit;
}

/* Whether a call that was admitted at `began_ns` and ended like this changed the state. */
static int ended(uint32_t outcome, uint64_t began_ns, uint64_t now_ns) {
    seawall_transition_t transition = {7, 7, 7, 7, 7, 7};
    seawall_breaker_permit_t permit = admitted(began_ns);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &permit, outcome, now_ns, 7, &transition));
    CHECK(transition.to != 0 || memcmp(&transition, &NO_TRANSITION, sizeof transition) == 0);
    return transition.to != 0;
}

static int is_zero(const seawall_breaker_permit_t *permit) {
    static const seawall_breaker_permit_t zero = {{0, 0, 0, 0}};
    return memcmp(permit, &zero, sizeof zero) == 0;
}

static void the_defaults_are_those_of_the_library(void) {
    seawall_circuit_breaker_config_t config = defaults(), same;
    memset(&same, 0xA5, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_circuit_breaker_config_default(&same));
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_config_default(NULL));
    same.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_circuit_breaker_config_default(&same));
}

static void failures_in_a_row_open_it_and_good_probes_close_it(void) {
    seawall_transition_t transition = {7, 7, 7, 7, 7, 7};
    seawall_decision_t decision = {7, 7, 7};
    seawall_breaker_permit_t permit, probe, second;
    make(2);
    CHECK(!ended(SEAWALL_OUTCOME_FAILURE, 0, 0));
    permit = admitted(0);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_THROTTLED, 5, 7, &transition));
    CHECK(transition.from == SEAWALL_STATE_CLOSED && transition.to == SEAWALL_STATE_OPEN);
    CHECK(transition.cause == SEAWALL_CAUSE_CONSECUTIVE_FAILURES && transition.generation == 1);
    CHECK(transition.shard == 0 && transition.reserved == 0);
    CHECK(strcmp(seawall_cause_text(transition.cause), "consecutive failures") == 0);

    memset(&permit, 0xFF, sizeof permit);
    CHECK_STATUS(SEAWALL_NOT_YET,
                 seawall_circuit_breaker_try_attempt(&breaker, SECONDS(1) / 2, &permit, &transition, &decision));
    CHECK(is_zero(&permit) && memcmp(&transition, &NO_TRANSITION, sizeof transition) == 0);
    CHECK(decision.stage == SEAWALL_STAGE_CIRCUIT_BREAKER && decision.remaining == 0);
    /* Moments are rounded up by at most 4.096 us. */
    CHECK(decision.retry_after_ns >= SECONDS(1) / 2 && decision.retry_after_ns <= SECONDS(1) / 2 + 5000);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_circuit_breaker_peek(&breaker, SECONDS(1) / 2, &decision));

    CHECK(state(SECONDS(1)) == SEAWALL_STATE_OPEN && state(SECONDS(2)) == SEAWALL_STATE_HALF_OPEN);
    CHECK_OK(seawall_circuit_breaker_peek(&breaker, SECONDS(2), &decision));
    CHECK(decision.stage == 0 && decision.retry_after_ns == 0);
    CHECK_OK(seawall_circuit_breaker_try_attempt(&breaker, SECONDS(2), &probe, &transition, &decision));
    CHECK(transition.from == SEAWALL_STATE_OPEN && transition.to == SEAWALL_STATE_HALF_OPEN);
    CHECK(transition.cause == SEAWALL_CAUSE_INTERVAL_OVER && transition.generation == 2);
    CHECK_OK(seawall_circuit_breaker_try_attempt(&breaker, SECONDS(2), &second, &transition, NULL));
    CHECK(transition.to == 0);
    permit = admitted(SECONDS(2));
    /* The default has three probes: they are out. */
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_circuit_breaker_peek(&breaker, SECONDS(2), &decision));
    CHECK(decision.retry_after_ns == SEAWALL_UNKNOWN);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &probe, SEAWALL_OUTCOME_SUCCESS, SECONDS(2), 7, NULL));
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &second, SEAWALL_OUTCOME_SUCCESS, SECONDS(2), 7, &transition));
    CHECK(transition.from == SEAWALL_STATE_HALF_OPEN && transition.to == SEAWALL_STATE_CLOSED);
    CHECK(transition.cause == SEAWALL_CAUSE_PROBES_SUCCEEDED && transition.generation == 3);
    CHECK(state(SECONDS(2)) == SEAWALL_STATE_CLOSED);
}

static void shares_of_failures_and_of_slow_calls_open_it(void) {
    seawall_circuit_breaker_config_t config = defaults();
    seawall_transition_t transition;
    seawall_breaker_permit_t permit;
    config.rule = SEAWALL_TRIP_FAILURE_SHARE;
    config.share_ppm = 500000;
    config.window = 4;
    config.minimum = 4;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));
    CHECK(!ended(SEAWALL_OUTCOME_FAILURE, 0, 0));
    CHECK(!ended(SEAWALL_OUTCOME_SUCCESS, 0, 0));
    CHECK(!ended(SEAWALL_OUTCOME_SUCCESS, 0, SECONDS(9)));
    permit = admitted(0);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    CHECK(transition.to == SEAWALL_STATE_OPEN && transition.cause == SEAWALL_CAUSE_FAILURE_SHARE);

    config.rule = SEAWALL_TRIP_SLOW_SHARE;
    config.slower_than_ns = SEAWALL_SECOND;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));
    CHECK(!ended(SEAWALL_OUTCOME_SUCCESS, 0, SECONDS(1) + 1));
    CHECK(!ended(SEAWALL_OUTCOME_SUCCESS, 0, SECONDS(1)));
    CHECK(!ended(SEAWALL_OUTCOME_IGNORED, 0, SECONDS(9)));
    CHECK(!ended(SEAWALL_OUTCOME_SUCCESS, 0, 0));
    permit = admitted(SECONDS(5));
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_SUCCESS, SECONDS(7), 7, &transition));
    CHECK(transition.to == SEAWALL_STATE_OPEN && transition.cause == SEAWALL_CAUSE_SLOW_SHARE);
}

static void it_is_held_open_and_closed_and_let_go(void) {
    seawall_transition_t transition;
    seawall_breaker_permit_t before, permit;
    seawall_decision_t decision;
    make(1);
    before = admitted(0);
    CHECK_OK(seawall_circuit_breaker_force_open(&breaker, 0, &transition));
    CHECK(transition.to == SEAWALL_STATE_OPEN && transition.cause == SEAWALL_CAUSE_FORCED);
    CHECK_OK(seawall_circuit_breaker_force_open(&breaker, 0, &transition));
    CHECK(transition.to == 0);
    CHECK_STATUS(SEAWALL_NOT_YET,
                 seawall_circuit_breaker_try_attempt(&breaker, UINT64_MAX, &permit, &transition, &decision));
    CHECK(decision.retry_after_ns == SEAWALL_UNKNOWN);
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_circuit_breaker_trip(&breaker, 0, 7, &transition));
    CHECK(transition.to == 0);
    CHECK_OK(seawall_circuit_breaker_force_close(&breaker, 0, &transition));
    CHECK(transition.from == SEAWALL_STATE_OPEN && transition.to == SEAWALL_STATE_CLOSED);
    CHECK(!ended(SEAWALL_OUTCOME_FAILURE, 0, 0));
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_circuit_breaker_trip(&breaker, 0, 7, NULL));
    CHECK_OK(seawall_circuit_breaker_reset(&breaker, 0, &transition));
    CHECK(transition.to == 0);
    /* A result of an earlier generation is none. */
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &before, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    CHECK(transition.to == 0 && is_zero(&before));
    CHECK_OK(seawall_circuit_breaker_trip(&breaker, 0, 7, &transition));
    CHECK(transition.to == SEAWALL_STATE_OPEN && transition.cause == SEAWALL_CAUSE_TRIPPED);
    CHECK_OK(seawall_circuit_breaker_reset(&breaker, 0, &transition));
    CHECK(transition.to == SEAWALL_STATE_CLOSED && transition.cause == SEAWALL_CAUSE_RESET);
    CHECK_OK(seawall_circuit_breaker_force_open(&breaker, 0, NULL));
    CHECK_OK(seawall_circuit_breaker_force_close(&breaker, 0, NULL));
}

static void it_is_changed_while_it_runs(void) {
    seawall_circuit_breaker_config_t config = defaults();
    seawall_decision_t decision;
    make(10);
    CHECK(!ended(SEAWALL_OUTCOME_FAILURE, 0, 0));
    config.threshold = 2;
    config.open_jitter_ppm = 0;
    CHECK_OK(seawall_circuit_breaker_set_config(&breaker, &config));
    CHECK(ended(SEAWALL_OUTCOME_FAILURE, 0, SECONDS(100)));
    config.threshold = 0;
    CHECK_STATUS(SEAWALL_E_BREAKER_CONSECUTIVE, seawall_circuit_breaker_set_config(&breaker, &config));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_set_config(&breaker, NULL));
    CHECK_OK(seawall_circuit_breaker_rebase(&breaker, SECONDS(100), SECONDS(3)));
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_circuit_breaker_peek(&breaker, SECONDS(3), &decision));
    CHECK(decision.retry_after_ns >= SECONDS(1) && decision.retry_after_ns <= SECONDS(1) + 10000);
    CHECK_OK(seawall_circuit_breaker_peek(&breaker, SECONDS(4) + 10000, NULL));
}

static void it_is_used_without_permits(void) {
    seawall_transition_t transition;
    uint32_t blocked = 7;
    make(2);
    CHECK_OK(seawall_circuit_breaker_should_block(&breaker, 0, &blocked));
    CHECK(blocked == 0);
    CHECK_OK(seawall_circuit_breaker_on_failure(&breaker, 0, 7, &transition));
    CHECK(transition.to == 0);
    CHECK_OK(seawall_circuit_breaker_on_success(&breaker, 0, &transition));
    CHECK(transition.to == 0);
    CHECK_OK(seawall_circuit_breaker_on_failure(&breaker, 0, 7, NULL));
    CHECK_OK(seawall_circuit_breaker_on_failure(&breaker, 0, 7, &transition));
    CHECK(transition.to == SEAWALL_STATE_OPEN);
    CHECK_OK(seawall_circuit_breaker_should_block(&breaker, 0, &blocked));
    CHECK(blocked == 1);
    CHECK_OK(seawall_circuit_breaker_should_block(&breaker, SECONDS(2), &blocked));
    CHECK(blocked == 0);
    CHECK_OK(seawall_circuit_breaker_on_success(&breaker, SECONDS(2), NULL));
    CHECK_OK(seawall_circuit_breaker_should_block(&breaker, SECONDS(2), &blocked));
    CHECK_OK(seawall_circuit_breaker_on_success(&breaker, SECONDS(2), &transition));
    CHECK(transition.to == SEAWALL_STATE_CLOSED);
    blocked = 7;
    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_should_block(&breaker, SECONDS(2), NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_state(&breaker, SECONDS(2), NULL));
}

/* A sound configuration of a rule. */
static seawall_circuit_breaker_config_t of_rule(uint32_t rule) {
    seawall_circuit_breaker_config_t config = defaults();
    config.rule = rule;
    config.share_ppm = 1;
    config.window = 32;
    config.minimum = 1;
    config.slower_than_ns = 1;
    return config;
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    seawall_circuit_breaker_config_t config;
    struct {
        seawall_circuit_breaker_config_t known;
        uint64_t added_later;
    } later = {SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT, 0};
    make(1);
#define REFUSED(status, rule, field, value)                                      \
    do {                                                                         \
        config = of_rule(rule);                                                  \
        CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));               \
        config.field = value;                                                    \
        CHECK_STATUS(status, seawall_circuit_breaker_init(&breaker, &config));   \
    } while (0)
    REFUSED(SEAWALL_E_VALUE, SEAWALL_TRIP_CONSECUTIVE, rule, 0);
    REFUSED(SEAWALL_E_VALUE, SEAWALL_TRIP_CONSECUTIVE, rule, 4);
    REFUSED(SEAWALL_E_BREAKER_CONSECUTIVE, SEAWALL_TRIP_CONSECUTIVE, threshold, 0);
    REFUSED(SEAWALL_E_BREAKER_SHARE, SEAWALL_TRIP_FAILURE_SHARE, share_ppm, 0);
    REFUSED(SEAWALL_E_RATIO, SEAWALL_TRIP_FAILURE_SHARE, share_ppm, 1000001);
    REFUSED(SEAWALL_E_BREAKER_SHARE, SEAWALL_TRIP_SLOW_SHARE, share_ppm, 0);
    REFUSED(SEAWALL_E_RATIO, SEAWALL_TRIP_SLOW_SHARE, share_ppm, UINT32_MAX);
    REFUSED(SEAWALL_E_BREAKER_WINDOW, SEAWALL_TRIP_FAILURE_SHARE, window, 0);
    REFUSED(SEAWALL_E_BREAKER_WINDOW, SEAWALL_TRIP_FAILURE_SHARE, window, 33);
    REFUSED(SEAWALL_E_BREAKER_MINIMUM, SEAWALL_TRIP_FAILURE_SHARE, minimum, 0);
    REFUSED(SEAWALL_E_BREAKER_MINIMUM, SEAWALL_TRIP_SLOW_SHARE, minimum, 33);
    REFUSED(SEAWALL_E_BREAKER_SLOWER_THAN, SEAWALL_TRIP_SLOW_SHARE, slower_than_ns, 0);
    REFUSED(SEAWALL_E_BREAKER_OPEN_FOR, SEAWALL_TRIP_CONSECUTIVE, open_for_ns, 0);
    REFUSED(SEAWALL_E_BREAKER_OPEN_JITTER, SEAWALL_TRIP_CONSECUTIVE, open_jitter_ppm, 1000000);
    REFUSED(SEAWALL_E_RATIO, SEAWALL_TRIP_CONSECUTIVE, open_jitter_ppm, 1000001);
    REFUSED(SEAWALL_E_BREAKER_OPEN_GROWTH, SEAWALL_TRIP_CONSECUTIVE, open_growth_percent, 99);
    REFUSED(SEAWALL_E_BREAKER_OPEN_CAP, SEAWALL_TRIP_CONSECUTIVE, open_cap_ns, SEAWALL_SECOND - 1);
    REFUSED(SEAWALL_E_BREAKER_PROBES, SEAWALL_TRIP_CONSECUTIVE, probes, 0);
    REFUSED(SEAWALL_E_BREAKER_PROBES, SEAWALL_TRIP_CONSECUTIVE, probes, 9);
    REFUSED(SEAWALL_E_BREAKER_PROBE_LEASE, SEAWALL_TRIP_CONSECUTIVE, probe_lease_ns, 0);
    REFUSED(SEAWALL_E_BREAKER_CLOSE_SHARE, SEAWALL_TRIP_CONSECUTIVE, close_share_ppm, 0);
    REFUSED(SEAWALL_E_RATIO, SEAWALL_TRIP_CONSECUTIVE, close_share_ppm, 1000001);
    CHECK(strstr(seawall_status_text(SEAWALL_E_BREAKER_PROBES), "allowed are 1 to 8") != NULL);
    /* What a rule does not look at is not judged. */
    config = of_rule(SEAWALL_TRIP_CONSECUTIVE);
    config.share_ppm = config.window = config.minimum = UINT32_MAX;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));
    config = of_rule(SEAWALL_TRIP_FAILURE_SHARE);
    config.threshold = 0;
    config.slower_than_ns = 0;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));

    config = defaults();
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));
    later.known.struct_size = sizeof later;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &later.known));
    later.added_later = 1;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_circuit_breaker_init(&breaker, &later.known));
    later.known.struct_size = sizeof later.known - 8;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_circuit_breaker_init(&breaker, &later.known));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_init(&breaker, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_init(NULL, &config));
    /* None of that touched the breaker that was there. */
    make(2);
    CHECK(!ended(SEAWALL_OUTCOME_FAILURE, 0, 0));
    config.probes = 0;
    CHECK_STATUS(SEAWALL_E_BREAKER_PROBES, seawall_circuit_breaker_init(&breaker, &config));
    CHECK(ended(SEAWALL_OUTCOME_FAILURE, 0, 0));
}

static void no_mistake_does_harm(void) {
    const seawall_circuit_breaker_config_t config = defaults();
    seawall_breaker_permit_t permit, left;
    seawall_transition_t transition = {7, 7, 7, 7, 7, 7};
    seawall_decision_t decision;
    uint64_t at;
    uint32_t number;
    make(1);
    left = permit = admitted(0);
    other[0] = 0x5EA7FF01;
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_circuit_breaker_init(MISALIGNED(seawall_circuit_breaker_t, &breaker), &config));
#define EACH(call) CHECK_OBJECT_MISTAKES(seawall_circuit_breaker_t, &breaker, other, call)
    EACH(seawall_circuit_breaker_try_attempt(it, 0, &permit, &transition, &decision));
    EACH(seawall_circuit_breaker_peek(it, 0, &decision));
    EACH(seawall_circuit_breaker_finish(it, &permit, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    EACH(seawall_circuit_breaker_cancel(it, &permit, 0));
    EACH(seawall_circuit_breaker_state(it, 0, &number));
    EACH(seawall_circuit_breaker_trip(it, 0, 7, &transition));
    EACH(seawall_circuit_breaker_force_open(it, 0, &transition));
    EACH(seawall_circuit_breaker_force_close(it, 0, &transition));
    EACH(seawall_circuit_breaker_reset(it, 0, &transition));
    EACH(seawall_circuit_breaker_set_config(it, &config));
    EACH(seawall_circuit_breaker_rebase(it, 0, 1));
    EACH(seawall_circuit_breaker_should_block(it, 0, &number));
    EACH(seawall_circuit_breaker_on_success(it, 0, &transition));
    EACH(seawall_circuit_breaker_on_failure(it, 0, 7, &transition));
    EACH(seawall_circuit_breaker_fini(it));
    CHECK(transition.to == 7 && memcmp(&permit, &left, sizeof permit) == 0);

    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_try_attempt(&breaker, 0, NULL, &transition, &decision));
    CHECK_STATUS(SEAWALL_E_NULL,
                 seawall_circuit_breaker_finish(&breaker, NULL, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_circuit_breaker_cancel(&breaker, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_breaker_permit_started(NULL, &at));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_breaker_permit_started(&permit, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_breaker_permit_is_probe(&permit, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_breaker_permit_generation(&permit, NULL));
    {
        seawall_transition_t *crooked = (seawall_transition_t *)(void *)((char *)&transition + 2);
        seawall_breaker_permit_t *askew = MISALIGNED(seawall_breaker_permit_t, &permit);
        seawall_decision_t *bent = MISALIGNED(seawall_decision_t, &decision);
#define ASKEW(call) CHECK_STATUS(SEAWALL_E_ALIGNMENT, call)
        ASKEW(seawall_circuit_breaker_try_attempt(&breaker, 0, &permit, crooked, &decision));
        ASKEW(seawall_circuit_breaker_try_attempt(&breaker, 0, askew, &transition, &decision));
        ASKEW(seawall_circuit_breaker_try_attempt(&breaker, 0, &permit, &transition, bent));
        ASKEW(seawall_circuit_breaker_peek(&breaker, 0, bent));
        ASKEW(seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_FAILURE, 0, 7, crooked));
        ASKEW(seawall_circuit_breaker_finish(&breaker, askew, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
        ASKEW(seawall_circuit_breaker_cancel(&breaker, askew, 0));
        ASKEW(seawall_breaker_permit_started(askew, &at));
        ASKEW(seawall_circuit_breaker_trip(&breaker, 0, 7, crooked));
        ASKEW(seawall_circuit_breaker_force_open(&breaker, 0, crooked));
        ASKEW(seawall_circuit_breaker_force_close(&breaker, 0, crooked));
        ASKEW(seawall_circuit_breaker_reset(&breaker, 0, crooked));
        ASKEW(seawall_circuit_breaker_on_success(&breaker, 0, crooked));
        ASKEW(seawall_circuit_breaker_on_failure(&breaker, 0, 7, crooked));
    }
    /* None of it was a failure, and the permit is still there. */
    CHECK(state(0) == SEAWALL_STATE_CLOSED && memcmp(&permit, &left, sizeof permit) == 0);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    CHECK(transition.to == SEAWALL_STATE_OPEN);
    CHECK_OK(seawall_circuit_breaker_fini(&breaker));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_circuit_breaker_try_attempt(&breaker, 0, &permit, NULL, NULL));
}

/* ` from=closed to=open cause=the_words_of_it` */
static void say_told(vectors_t *vectors, const seawall_transition_t *transition) {
    char words[200], *at;
    if (transition->to == 0) return;
    snprintf(words, sizeof words, " from=%s to=%s cause=%s", seawall_state_text(transition->from),
             seawall_state_text(transition->to), seawall_cause_text(transition->cause));
    for (at = strstr(words, "cause="); *at; ++at) {
        if (*at == ' ') *at = '_';
    }
    for (at = words; *at; ++at) {
        if (*at == '-') *at = '_';
    }
    vectors_say(vectors, "%s", words);
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    static seawall_breaker_permit_t permits[1000];
    unsigned given = 0;
    vectors_t vectors;
    vectors_open(&vectors, "circuit_breaker");
    while (vectors_next(&vectors)) {
        const uint64_t now = vectors_number_or(&vectors, "now", 0);
        const uint64_t random = vectors_number_or(&vectors, "random", 0);
        seawall_transition_t transition = {0, 0, 0, 0, 0, 0};
        seawall_decision_t decision;
        seawall_breaker_permit_t copy;
        memset(&copy, 0, sizeof copy);
        /* The vectors report a call more than once: a copy of its permit each time. */
        if (vectors_find(&vectors, "permit")) copy = permits[vectors_number(&vectors, "permit")];
        if (vectors_is(&vectors, "new")) {
            seawall_circuit_breaker_config_t config = defaults();
            config.rule = vectors_word_is(&vectors, "rule", "consecutive")     ? SEAWALL_TRIP_CONSECUTIVE
                          : vectors_word_is(&vectors, "rule", "failure_share") ? SEAWALL_TRIP_FAILURE_SHARE
                                                                               : SEAWALL_TRIP_SLOW_SHARE;
            config.threshold = (uint32_t)vectors_number_or(&vectors, "threshold", 0);
            config.share_ppm = (uint32_t)vectors_number_or(&vectors, "share_ppm", 0);
            config.window = (uint32_t)vectors_number_or(&vectors, "window", 0);
            config.minimum = (uint32_t)vectors_number_or(&vectors, "minimum", 0);
            config.slower_than_ns = vectors_number_or(&vectors, "slower_than_ns", 0);
            config.open_for_ns = vectors_number(&vectors, "open_for_ns");
            config.open_jitter_ppm = (uint32_t)vectors_number(&vectors, "open_jitter_ppm");
            config.open_growth_percent = (uint32_t)vectors_number(&vectors, "open_growth_percent");
            config.open_cap_ns = vectors_number(&vectors, "open_cap_ns");
            config.probes = (uint32_t)vectors_number(&vectors, "probes");
            config.probe_lease_ns = vectors_number(&vectors, "probe_lease_ns");
            config.close_share_ppm = (uint32_t)vectors_number(&vectors, "close_share_ppm");
            config.ramp_ns = 0;
            CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));
            given = 0;
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "try_attempt")) {
            CHECK(given < sizeof permits / sizeof *permits);
            if (seawall_circuit_breaker_try_attempt(&breaker, now, &permits[given], &transition, &decision) ==
                SEAWALL_OK) {
                vectors_say(&vectors, "ok permit=%u", given++);
            } else if (decision.retry_after_ns == SEAWALL_UNKNOWN) {
                vectors_say(&vectors, "refused retry_after_ns=none");
            } else {
                vectors_say(&vectors, "refused retry_after_ns=%llu", (unsigned long long)decision.retry_after_ns);
            }
        } else if (vectors_is(&vectors, "finish")) {
            CHECK_OK(seawall_circuit_breaker_finish(&breaker, &copy, vectors_outcome(&vectors, "outcome"), now, random,
                                                    &transition));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "cancel")) {
            CHECK_OK(seawall_circuit_breaker_cancel(&breaker, &copy, now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "trip")) {
            const seawall_status_t status = seawall_circuit_breaker_trip(&breaker, now, random, &transition);
            CHECK(status == (transition.to ? SEAWALL_OK : SEAWALL_NOTHING_DONE));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "force_open")) {
            CHECK_OK(seawall_circuit_breaker_force_open(&breaker, now, &transition));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "force_close")) {
            CHECK_OK(seawall_circuit_breaker_force_close(&breaker, now, &transition));
            vectors_say(&vectors, "ok");
        } else {
            CHECK(vectors_is(&vectors, "reset"));
            CHECK_OK(seawall_circuit_breaker_reset(&breaker, now, &transition));
            vectors_say(&vectors, "ok");
        }
        say_told(&vectors, &transition);
        vectors_compare(&vectors);
    }
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

int main(void) {
    RUN(the_defaults_are_those_of_the_library);
    RUN(failures_in_a_row_open_it_and_good_probes_close_it);
    RUN(shares_of_failures_and_of_slow_calls_open_it);
    RUN(it_is_held_open_and_closed_and_let_go);
    RUN(it_is_changed_while_it_runs);
    RUN(it_is_used_without_permits);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(no_mistake_does_harm);
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
