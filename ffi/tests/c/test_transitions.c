/* Transitions from C: who is told, what a listener may do, and the words for all of it. */
#include "check.h"

static seawall_circuit_breaker_t breaker;

static void make(void) {
    seawall_circuit_breaker_config_t config = SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT;
    config.threshold = 1;
    CHECK_OK(seawall_circuit_breaker_init(&breaker, &config));
}

/* What a listener saw, most recent last. */
typedef struct {
    unsigned told;
    seawall_transition_t transitions[8];
    const seawall_listener_t *self;
} diary_t;

static void note(void *userdata, const seawall_transition_t *transition) {
    diary_t *diary = (diary_t *)userdata;
    CHECK(diary->told < 8);
    diary->transitions[diary->told++] = *transition;
}

static void a_listener_is_told_of_each_change_once(void) {
    diary_t diary;
    const seawall_listener_t listener = {note, &diary};
    seawall_transition_t transition;
    memset(&diary, 0, sizeof diary);
    make();
    CHECK_OK(seawall_circuit_breaker_on_success(&breaker, 0, &transition));
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_transition_tell(&transition, &listener));
    CHECK(diary.told == 0);
    CHECK_OK(seawall_circuit_breaker_on_failure(&breaker, 0, 7, &transition));
    CHECK_OK(seawall_transition_tell(&transition, &listener));
    CHECK(diary.told == 1 && memcmp(&diary.transitions[0], &transition, sizeof transition) == 0);
    CHECK(transition.to == SEAWALL_STATE_OPEN);
}

/* Holds closed what opened, tells itself of that, and writes over what it was told from. */
static seawall_transition_t told_from;
static void meddle(void *userdata, const seawall_transition_t *transition) {
    diary_t *diary = (diary_t *)userdata;
    const seawall_transition_t before = *transition;
    uint32_t state = 0;
    note(userdata, transition);
    if (before.to == SEAWALL_STATE_OPEN) {
        CHECK_OK(seawall_circuit_breaker_force_close(&breaker, 0, &told_from));
        CHECK(memcmp(transition, &before, sizeof before) == 0);
        CHECK_OK(seawall_transition_tell(&told_from, diary->self));
        CHECK_OK(seawall_circuit_breaker_state(&breaker, 0, &state));
        CHECK(state == SEAWALL_STATE_CLOSED);
    }
}

static void a_listener_may_call_the_library_for_the_very_object_that_changed(void) {
    diary_t diary;
    seawall_listener_t listener = {meddle, &diary};
    memset(&diary, 0, sizeof diary);
    diary.self = &listener;
    make();
    CHECK_OK(seawall_circuit_breaker_trip(&breaker, 0, 7, &told_from));
    CHECK_OK(seawall_transition_tell(&told_from, &listener));
    CHECK(diary.told == 2);
    CHECK(diary.transitions[0].to == SEAWALL_STATE_OPEN && diary.transitions[0].cause == SEAWALL_CAUSE_TRIPPED);
    CHECK(diary.transitions[1].to == SEAWALL_STATE_CLOSED && diary.transitions[1].cause == SEAWALL_CAUSE_FORCED);
    CHECK(diary.transitions[1].generation == diary.transitions[0].generation + 1);
}

static void without_a_listener_nobody_is_told(void) {
    const seawall_listener_t nobody = {NULL, NULL};
    const seawall_transition_t transition = {1, 2, 1, 1, 0, 0};
    char room[sizeof(seawall_listener_t) + 8];
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_transition_tell(&transition, &nobody));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_transition_tell(NULL, &nobody));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_transition_tell(&transition, NULL));
    {
        char *even = room + (8 - (uintptr_t)(void *)room % 8) % 8;
        CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                     seawall_transition_tell((const seawall_transition_t *)(void *)(even + 2), &nobody));
        CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                     seawall_transition_tell(&transition, (const seawall_listener_t *)(void *)(even + 2)));
    }
}

/* That the numbers 1 to `last` have words of their own, and that no other has. */
static void check_words(const char *(*text)(uint32_t), uint32_t last) {
    uint32_t number, another;
    const char *none = text(0);
    CHECK(strncmp(none, "not a ", 6) == 0);
    for (number = 1; number <= last; ++number) {
        CHECK(strlen(text(number)) > 2 && strcmp(text(number), none) != 0 && !strchr(text(number), '\n'));
        for (another = 1; another < number; ++another) CHECK(strcmp(text(number), text(another)) != 0);
    }
    for (number = last + 1; number < last + 300; ++number) CHECK(strcmp(text(number), none) == 0);
    CHECK(strcmp(text(UINT32_MAX), none) == 0);
}

static void each_number_has_words_and_no_other_has(void) {
    check_words(seawall_state_text, 3);
    check_words(seawall_cause_text, 10);
    check_words(seawall_stage_text, 7);
    check_words(seawall_give_up_text, 7);
    check_words(seawall_rate_reason_text, 3);
    check_words(seawall_limit_reason_text, 6);
    CHECK(strcmp(seawall_state_text(SEAWALL_STATE_HALF_OPEN), "half-open") == 0);
    CHECK(strcmp(seawall_cause_text(SEAWALL_CAUSE_CLOCK_STEPPED), "the clock stepped") == 0);
    CHECK(strcmp(seawall_stage_text(SEAWALL_STAGE_KEYED_BUCKET), "keyed bucket") == 0);
    CHECK(strcmp(seawall_give_up_text(SEAWALL_GIVE_UP_SERVICE_FAILING), "the service is failing") == 0);
    CHECK(strcmp(seawall_rate_reason_text(SEAWALL_RATE_REASON_LATENCY), "latency") == 0);
    CHECK(strcmp(seawall_limit_reason_text(SEAWALL_LIMIT_REASON_TIMEOUT), "time-out") == 0);
}

int main(void) {
    RUN(a_listener_is_told_of_each_change_once);
    RUN(a_listener_may_call_the_library_for_the_very_object_that_changed);
    RUN(without_a_listener_nobody_is_told);
    RUN(each_number_has_words_and_no_other_has);
    return 0;
}
