/* The permits of a circuit breaker from C: used once, and what a copy, a forged one and many threads can do with them. */
#include <pthread.h>

#include "check.h"

static seawall_circuit_breaker_t breaker;

/* Opens after so many failures in a row, without jitter and ramp. */
static void make(uint32_t threshold) {
    seawall_circuit_breaker_config_t config = SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT;
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

/* Whether one more failure opened it. */
static int failed(void) {
    seawall_transition_t transition;
    seawall_breaker_permit_t permit = admitted(0);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    return transition.to == SEAWALL_STATE_OPEN;
}

static int is_zero(const seawall_breaker_permit_t *permit) {
    static const seawall_breaker_permit_t zero = {{0, 0, 0, 0}};
    return memcmp(permit, &zero, sizeof zero) == 0;
}

static void a_permit_is_used_once(void) {
    seawall_breaker_permit_t permit, copy;
    uint64_t started_ns = 0;
    uint32_t number = 7;
    make(10);
    permit = admitted(42);
    CHECK_OK(seawall_breaker_permit_started(&permit, &started_ns));
    CHECK_OK(seawall_breaker_permit_is_probe(&permit, &number));
    CHECK(started_ns == 42 && number == 0);
    number = 7;
    CHECK_OK(seawall_breaker_permit_generation(&permit, &number));
    CHECK(number == 0);
    /* What is no outcome leaves the permit as it is. */
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_circuit_breaker_finish(&breaker, &permit, 0, 42, 7, NULL));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_circuit_breaker_finish(&breaker, &permit, 5, 42, 7, NULL));
    copy = permit;
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_SUCCESS, 42, 7, NULL));
    CHECK(is_zero(&permit));
    CHECK_STATUS(SEAWALL_E_PERMIT,
                 seawall_circuit_breaker_finish(&breaker, &permit, SEAWALL_OUTCOME_FAILURE, 42, 7, NULL));
    CHECK_OK(seawall_circuit_breaker_cancel(&breaker, &copy, 42));
    CHECK(is_zero(&copy));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_circuit_breaker_cancel(&breaker, &copy, 42));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_breaker_permit_started(&copy, &started_ns));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_breaker_permit_is_probe(&copy, &number));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_breaker_permit_generation(&copy, &number));
    /* What is no permit stays as it is. */
    memset(&copy, 0xFF, sizeof copy);
    permit = copy;
    CHECK_STATUS(SEAWALL_E_PERMIT,
                 seawall_circuit_breaker_finish(&breaker, &copy, SEAWALL_OUTCOME_SUCCESS, 42, 7, NULL));
    CHECK(memcmp(&copy, &permit, sizeof copy) == 0);
    /* Nor is another value with two ends one. */
    permit = admitted(42);
    permit.opaque[0] ^= 0x100;
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_circuit_breaker_cancel(&breaker, &permit, 42));
}

static void a_copy_of_a_probes_permit_is_void_once_one_was_used_and_of_another_call_counts_again(void) {
    seawall_breaker_permit_t probe, copy;
    seawall_transition_t transition;
    uint32_t number = 0;
    make(2);
    copy = probe = admitted(0);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &probe, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    CHECK(transition.to == 0);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &copy, SEAWALL_OUTCOME_FAILURE, 0, 7, &transition));
    CHECK(transition.to == SEAWALL_STATE_OPEN);

    copy = probe = admitted(SECONDS(2));
    CHECK_OK(seawall_breaker_permit_is_probe(&probe, &number));
    CHECK(number == 1);
    CHECK_OK(seawall_breaker_permit_generation(&probe, &number));
    CHECK(number == 2);
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &probe, SEAWALL_OUTCOME_SUCCESS, SECONDS(2), 7, &transition));
    CHECK(transition.to == 0);
    /* Two of three have to succeed: that of the copy is none. */
    probe = copy;
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &probe, SEAWALL_OUTCOME_SUCCESS, SECONDS(2), 7, &transition));
    CHECK(transition.to == 0 && state(SECONDS(2)) == SEAWALL_STATE_HALF_OPEN);
    CHECK_OK(seawall_circuit_breaker_cancel(&breaker, &copy, SECONDS(2)));
    probe = admitted(SECONDS(2));
    CHECK_OK(seawall_circuit_breaker_finish(&breaker, &probe, SEAWALL_OUTCOME_SUCCESS, SECONDS(2), 7, &transition));
    CHECK(transition.to == SEAWALL_STATE_CLOSED);
}

/* Any words under the tag of a permit: they count at most as a call of the generation that they name. */
static void a_forged_permit_does_no_harm(void) {
    uint64_t dice = 7, now_ns = 0;
    unsigned round;
    seawall_breaker_permit_t real;
    make(3);
    real = admitted(0);
    for (round = 0; round < 200000; ++round) {
        seawall_breaker_permit_t forged = real;
        seawall_transition_t transition;
        uint32_t seen = state(now_ns);
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        forged.opaque[1] = dice >> (dice & 63);
        forged.opaque[2] = (dice >> 20) % 32 << 32 | (dice >> 3) % 64;
        if (round % 5 == 0) forged.opaque[2] = dice;
        CHECK(seen >= SEAWALL_STATE_CLOSED && seen <= SEAWALL_STATE_HALF_OPEN);
        if (round % 7 == 0) {
            CHECK_OK(seawall_circuit_breaker_cancel(&breaker, &forged, now_ns));
        } else {
            CHECK_OK(seawall_circuit_breaker_finish(&breaker, &forged, 1 + (uint32_t)(dice >> 40) % 4, now_ns, dice,
                                                    &transition));
            CHECK(transition.to <= SEAWALL_STATE_HALF_OPEN);
        }
        CHECK(is_zero(&forged));
        if (round % 11 == 0) {
            now_ns += SEAWALL_SECOND / 4;
            forged = real;
            (void)!seawall_circuit_breaker_try_attempt(&breaker, now_ns, &forged, NULL, NULL);
        }
        if (round % 1000 == 0) CHECK_OK(seawall_circuit_breaker_reset(&breaker, now_ns, NULL));
    }
    /* It still works. */
    CHECK_OK(seawall_circuit_breaker_reset(&breaker, now_ns, NULL));
    CHECK(!failed() && !failed() && failed());
}

static void *ask_often(void *admissions) {
    unsigned round;
    for (round = 0; round < 1000; ++round) {
        seawall_breaker_permit_t permit;
        if (seawall_circuit_breaker_try_attempt(&breaker, SECONDS(2), &permit, NULL, NULL) == SEAWALL_OK) {
            ++*(unsigned *)admissions;
        }
    }
    return NULL;
}

static void no_more_probes_are_out_than_are_allowed_whatever_the_number_of_threads(void) {
    pthread_t threads[4];
    unsigned admissions[4] = {0, 0, 0, 0}, index;
    make(1);
    CHECK(failed());
    for (index = 0; index < 4; ++index) {
        CHECK(pthread_create(&threads[index], NULL, ask_often, &admissions[index]) == 0);
    }
    for (index = 0; index < 4; ++index) CHECK(pthread_join(threads[index], NULL) == 0);
    CHECK(admissions[0] + admissions[1] + admissions[2] + admissions[3] == 3);
}

int main(void) {
    RUN(a_permit_is_used_once);
    RUN(a_copy_of_a_probes_permit_is_void_once_one_was_used_and_of_another_call_counts_again);
    RUN(a_forged_permit_does_no_harm);
    RUN(no_more_probes_are_out_than_are_allowed_whatever_the_number_of_threads);
    return 0;
}
