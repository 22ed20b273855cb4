/* A guard at one moment from C: in figures and in words. */
#include "guards.h"

static guarded_t guarded;
#define guard (guarded.handle)

/* Something that is initialised and of another type. */
static uint64_t other[128];

static char text[SEAWALL_LONGEST_EXPLANATION];

static seawall_snapshot_t snapshot_at(uint64_t now_ns) {
    seawall_snapshot_t snapshot = SEAWALL_SNAPSHOT_INIT;
    CHECK_OK(seawall_guard_snapshot(guard, now_ns, &snapshot));
    CHECK(snapshot.struct_size == sizeof snapshot && snapshot.now_ns == now_ns);
    return snapshot;
}

static void check_text(const char *expected, uint64_t now_ns) {
    size_t length = 7;
    memset(text, 'x', sizeof text);
    CHECK_OK(seawall_guard_explain(guard, now_ns, text, sizeof text, &length));
    if (strcmp(text, expected) != 0) fprintf(stderr, "%s\n", text);
    CHECK(strcmp(text, expected) == 0 && length == strlen(text));
}

static void a_snapshot_says_what_each_part_holds_and_what_it_would_refuse(void) {
    seawall_guard_config_t config = service_of(20, 3);
    seawall_circuit_breaker_t *breaker;
    seawall_token_bucket_t *bucket;
    seawall_snapshot_t snapshot;
    make_of(&guarded, &config, 7, 0);
    snapshot = snapshot_at(0);
    CHECK(snapshot.breaker == SEAWALL_STATE_CLOSED && snapshot.shard == 0 && snapshot.limit == 4);
    CHECK(snapshot.in_flight == 0 && snapshot.burst == 20 && snapshot.tokens == 1 && snapshot.rate.count == 320);
    CHECK(snapshot.budget_millionths == 1000000 && snapshot.keyed_burst == 0 && snapshot.keyed_rate.period_ns == 0);
    CHECK(is_zero(&snapshot.pause_refusal, 4 * sizeof snapshot.pause_refusal));
    check_text("Now an attempt passes.", 0);

    CHECK_OK(seawall_guard_bucket(guard, &bucket));
    CHECK_OK(seawall_token_bucket_try_take(bucket, 1, 0, NULL));
    CHECK_OK(seawall_guard_breaker(guard, 2, &breaker));
    CHECK_OK(seawall_circuit_breaker_force_open(breaker, 0, NULL));
    snapshot = snapshot_at(0);
    CHECK(snapshot.breaker == SEAWALL_STATE_OPEN && snapshot.shard == 2 && snapshot.tokens == 0);
    CHECK(snapshot.breaker_refusal.stage == SEAWALL_STAGE_CIRCUIT_BREAKER);
    CHECK(snapshot.breaker_refusal.retry_after_ns == SEAWALL_UNKNOWN);
    CHECK(snapshot.bucket_refusal.stage == SEAWALL_STAGE_TOKEN_BUCKET);
    CHECK(snapshot.bucket_refusal.status == SEAWALL_NOT_YET && snapshot.bucket_refusal.retry_after_ns < SEAWALL_SECOND);
    CHECK(snapshot.limit_refusal.stage == 0 && snapshot.pause_refusal.stage == 0);

    config.keyed.groups = 2;
    config.keyed.burst = 5;
    config.keyed.when_full = SEAWALL_FAIL_CLOSED;
    config.keyed_salt = 9;
    make_of(&guarded, &config, 7, 0);
    snapshot = snapshot_at(0);
    CHECK(snapshot.keyed_burst == 5 && snapshot.keyed_rate.count == 10 && snapshot.keyed_let_through == 0);
    CHECK(snapshot.keyed_when_full == SEAWALL_FAIL_CLOSED);
}

static void a_text_says_why_and_is_never_longer_than_its_memory_nor_cut_within_a_sentence(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    const char *const expected = "Now the circuit breaker refuses: it is held open until the caller lets it go.";
    seawall_circuit_breaker_t *breaker;
    seawall_decision_t decision;
    seawall_permit_t permit;
    seawall_call_t call;
    seawall_status_t status;
    size_t length = 7, size;
    make_of(&guarded, &config, 7, 0);
    CHECK_OK(seawall_guard_breaker(guard, 0, &breaker));
    CHECK_OK(seawall_circuit_breaker_force_open(breaker, 0, NULL));
    check_text(expected, 0);
    for (size = 1; size < 120; ++size) {
        memset(text, 'x', sizeof text);
        CHECK_OK(seawall_guard_explain(guard, 0, text, size, size % 2 ? &length : NULL));
        CHECK(text[size] == 'x' && strcmp(text, size > strlen(expected) ? expected : "") == 0);
    }
    call = begun(guard, 0, 0, 0);
    status = seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, &decision);
    CHECK_OK(seawall_guard_explain_refusal(guard, status, &decision, 0, text, sizeof text, &length));
    CHECK(strcmp(text, "Refused by the circuit breaker: it is held open until the caller lets it go.") == 0);
    CHECK(length == strlen(text));
    CHECK_OK(seawall_guard_explain_refusal(guard, SEAWALL_NEVER, &decision, 0, text, 257, NULL));
    CHECK_OK(seawall_guard_explain_refusal(guard, SEAWALL_CLOCK_STEPPED, &decision, 0, text, 257, NULL));
    decision.stage = SEAWALL_STAGE_KEYED_BUCKET;
    decision.retry_after_ns = 5;
    CHECK_OK(seawall_guard_explain_refusal(guard, SEAWALL_NO_PLACE, &decision, 0, text, 257, &length));
    CHECK(length > 0 && text[length - 1] == '.');
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_explain_refusal(guard, SEAWALL_OK, &decision, 0, text, 257, NULL));
    decision.stage = 0;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_explain_refusal(guard, SEAWALL_NEVER, &decision, 0, text, 257, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    const seawall_token_bucket_config_t other_config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_snapshot_t snapshot = SEAWALL_SNAPSHOT_INIT;
    seawall_decision_t decision = {0, 0, SEAWALL_STAGE_PAUSE};
    size_t length;
    make_of(&guarded, &config, 7, 0);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &other_config, 0));
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_guard_t, guard, other, call)
    EACH(seawall_guard_snapshot(it, 0, &snapshot));
    EACH(seawall_guard_explain(it, 0, text, sizeof text, &length));
    EACH(seawall_guard_explain_refusal(it, SEAWALL_NEVER, &decision, 0, text, sizeof text, &length));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_snapshot(guard, 0, NULL));
    snapshot.struct_size = 16;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_guard_snapshot(guard, 0, &snapshot));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_explain(guard, 0, NULL, 5, &length));
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_guard_explain(guard, 0, text, 0, &length));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_explain_refusal(guard, SEAWALL_NEVER, NULL, 0, text, 5, &length));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_explain_refusal(guard, SEAWALL_NEVER, &decision, 0, NULL, 5, &length));
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_guard_explain_refusal(guard, SEAWALL_NEVER, &decision, 0, text, 0, &length));
}

int main(void) {
    RUN(a_snapshot_says_what_each_part_holds_and_what_it_would_refuse);
    RUN(a_text_says_why_and_is_never_longer_than_its_memory_nor_cut_within_a_sentence);
    RUN(no_mistake_does_harm);
    return 0;
}
