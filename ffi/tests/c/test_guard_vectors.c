/* The guard from C decides as an independent oracle says, whatever becomes of copies of its permits. */
#include "guards.h"

static guarded_t guarded;
static uint32_t shards, has_keys;
static seawall_call_t calls[64];
static seawall_permit_t permits[64];
static uint32_t call_count, permit_count;

static const char *stage_name(uint32_t stage) {
    static const char *const names[] = {"none",         "deadline",     "pause",       "circuit_breaker", "concurrency_limit",
                                        "token_bucket", "retry_budget", "keyed_bucket"};
    return names[stage];
}

static const char *state_name(uint32_t state) {
    static const char *const names[] = {"none", "closed", "open", "half_open"};
    return names[state];
}

static const char *reason_name(uint32_t reason) {
    static const char *const names[] = {"none",         "permanent",   "attempts_exhausted", "deadline_exceeded", "retry_after_too_long",
                                        "budget_spent", "permit_void", "service_failing"};
    return names[reason];
}

static void say_number(vectors_t *vectors, const char *name, int is_there, uint64_t number) {
    if (is_there) {
        vectors_say(vectors, "%s%llu", name, (unsigned long long)number);
    } else {
        vectors_say(vectors, "%snone", name);
    }
}

static void say_transition(vectors_t *vectors, const seawall_transition_t *transition) {
    vectors_say(vectors, " to=%s", state_name(transition->to));
    say_number(vectors, " shard=", transition->to != 0, transition->shard);
}

static void make(const vectors_t *vectors) {
    seawall_guard_config_t config = SEAWALL_GUARD_CONFIG_INIT;
    const uint64_t keyed_burst = vectors_number_or(vectors, "keyed_burst", 0);
    const uint64_t streak = vectors_number_or(vectors, "retry_streak", SEAWALL_NO_STREAK);
    const uint64_t one = 1;
    shards = config.shards = (uint32_t)vectors_number(vectors, "shards");
    config.call_timeout_ns = one << 22;
    config.timeout_weight = (uint32_t)vectors_number(vectors, "timeout_weight");
    config.retry_streak = (uint32_t)streak;
    config.bucket.rate.count = 1;
    config.bucket.rate.period_ns = one << 20;
    config.bucket.burst = (uint32_t)vectors_number(vectors, "burst");
    config.bucket.fill_tokens = (uint32_t)vectors_number(vectors, "tokens");
    config.breaker.threshold = (uint32_t)vectors_number(vectors, "failures");
    config.breaker.open_for_ns = one << 22;
    config.breaker.open_jitter_ppm = 0;
    config.breaker.open_growth_percent = 150;
    config.breaker.open_cap_ns = one << 23;
    config.breaker.probes = (uint32_t)vectors_number(vectors, "probes");
    config.breaker.probe_lease_ns = one << 24;
    config.limit.slots = 4;
    config.limit.start = 2;
    config.limit.ceiling = 4;
    config.limit.slow_after_ns = one << 21;
    config.limit.timeout_ns = one << 22;
    config.limit.lease_ns = one << 24;
    config.retry.max_attempts = 3;
    config.retry.total_deadline_ns = one << 27;
    config.retry.base_delay_ns = one << 19;
    config.retry.max_delay_ns = one << 24;
    config.retry.jitter = SEAWALL_JITTER_NONE;
    config.retry.retry_after_cap_ns = one << 25;
    config.budget.share_ppm = 400000;
    config.budget.cap_millionths = 4000000;
    config.budget.initial_millionths = 3000000;
    config.budget.floor_millionths = 1000000;
    config.budget.lifetime_ns = 100 * SEAWALL_MILLISECOND;
    has_keys = keyed_burst != 0;
    if (has_keys) {
        config.keyed.groups = 64;
        config.keyed.rate.count = 1;
        config.keyed.rate.period_ns = one << 22;
        config.keyed.burst = (uint32_t)keyed_burst;
        config.keyed.when_full = SEAWALL_FAIL_CLOSED;
        config.keyed_salt = 7;
    }
    make_of(&guarded, &config, vectors_number(vectors, "seed"), 0);
    call_count = permit_count = 0;
}

static void attempt(vectors_t *vectors, uint64_t now_ns) {
    seawall_admission_t admission;
    seawall_decision_t decision;
    seawall_call_t *call = &calls[vectors_number(vectors, "call")];
    const seawall_status_t looked = seawall_guard_peek(guarded.handle, call, now_ns, NULL);
    const seawall_status_t status =
        seawall_guard_try_attempt(guarded.handle, call, now_ns, &permits[permit_count], &admission, &decision);
    /* A restart that nobody has settled is seen by the attempt alone. */
    CHECK(looked == SEAWALL_OK || status != SEAWALL_OK);
    if (status == SEAWALL_OK) {
        vectors_say(vectors, "ok permit=%u", (unsigned)permit_count++);
        say_transition(vectors, &admission.transition);
        vectors_say(vectors, " shadow=%s", stage_name(admission.shadow.stage));
        CHECK(decision.stage == 0);
        return;
    }
    CHECK(is_zero(&permits[permit_count], sizeof permits[0]) && is_zero(&admission, sizeof admission));
    vectors_say(vectors, "refused stage=%s reason=%s", stage_name(decision.stage),
                status == SEAWALL_NOT_YET ? "not_yet" : status == SEAWALL_NEVER ? "never" : "clock_stepped");
    say_number(vectors, " retry_after_ns=", status == SEAWALL_NOT_YET && decision.retry_after_ns != SEAWALL_UNKNOWN,
               decision.retry_after_ns);
}

static void finish(vectors_t *vectors, uint64_t now_ns) {
    seawall_finished_t finished;
    /* The original stays, so that it can be used once more: the oracle knows what then happens. */
    seawall_permit_t copy = permits[vectors_number(vectors, "permit")];
    CHECK_OK(seawall_guard_finish(guarded.handle, &calls[vectors_number(vectors, "call")], &copy,
                                  vectors_outcome(vectors, "outcome"),
                                  vectors_number_or(vectors, "retry_after_ns", SEAWALL_UNKNOWN), now_ns, &finished));
    CHECK(is_zero(&copy, sizeof copy));
    if (finished.verdict == SEAWALL_VERDICT_RETRY_AT) {
        say_number(vectors, "retry_at=", 1, finished.retry_at_ns);
    } else if (finished.verdict == SEAWALL_VERDICT_GIVE_UP) {
        vectors_say(vectors, "give_up=%s", reason_name(finished.give_up));
    } else {
        CHECK(finished.verdict == SEAWALL_VERDICT_DONE && finished.give_up == 0 && finished.retry_at_ns == 0);
        vectors_say(vectors, "done");
    }
    say_transition(vectors, &finished.transition);
    say_number(vectors, " limit=", finished.limit_change.reason != 0, finished.limit_change.to);
    vectors_say(vectors, " shadow=%s shadow_give_up=%s", stage_name(finished.shadow.stage),
                reason_name(finished.shadow_give_up));
}

static void set_mode(vectors_t *vectors) {
    seawall_mode_t mode = {0, 0}, seen = {0, 0};
    uint32_t stage = 1;
    seawall_status_t status;
    while (!vectors_word_is(vectors, "stage", stage_name(stage))) ++stage;
    mode.share_ppm = (uint32_t)vectors_number_or(vectors, "share_ppm", 0);
    mode.mode = vectors_word_is(vectors, "mode", "enforce")  ? SEAWALL_MODE_ENFORCE
                : vectors_word_is(vectors, "mode", "shadow") ? SEAWALL_MODE_SHADOW
                : vectors_word_is(vectors, "mode", "off")    ? SEAWALL_MODE_OFF
                                                             : SEAWALL_MODE_CANARY;
    status = seawall_guard_set_mode(guarded.handle, stage, mode);
    CHECK_OK(seawall_guard_mode(guarded.handle, stage, &seen));
    if (status == SEAWALL_OK) {
        CHECK(seen.mode == mode.mode && seen.share_ppm == mode.share_ppm);
        vectors_say(vectors, "ok");
    } else {
        CHECK(status == SEAWALL_E_GUARD_STAGE_WITHOUT_MODE && seen.mode == SEAWALL_MODE_OFF);
        vectors_say(vectors, "no_mode");
    }
}

/* All of it by the handles of the parts. */
static void look(vectors_t *vectors, uint64_t now_ns) {
    seawall_concurrency_limit_t *limit;
    seawall_retry_budget_t *budget;
    seawall_keyed_buckets_t *keyed;
    uint64_t until_ns = 0, key;
    uint32_t number = 0, shard;
    seawall_status_t status;
    CHECK_OK(seawall_guard_limit(guarded.handle, &limit));
    CHECK_OK(seawall_guard_budget(guarded.handle, &budget));
    CHECK_OK(seawall_concurrency_limit_limit(limit, &number));
    vectors_say(vectors, "tokens=%u in_flight=%u limit=%u states=", (unsigned)tokens_of(guarded.handle, now_ns),
                (unsigned)in_flight_of(guarded.handle, now_ns), (unsigned)number);
    for (shard = 0; shard < shards; ++shard) {
        seawall_circuit_breaker_t *breaker;
        /* Any number names a shard. */
        CHECK_OK(seawall_guard_breaker(guarded.handle, shards + shard, &breaker));
        CHECK_OK(seawall_circuit_breaker_state(breaker, now_ns, &number));
        vectors_say(vectors, "%s%s", shard ? "," : "", state_name(number));
    }
    CHECK_OK(seawall_retry_budget_balance(budget, now_ns, &number));
    vectors_say(vectors, " budget=%u", (unsigned)number);
    status = seawall_guard_paused_until(guarded.handle, now_ns, &until_ns);
    CHECK(status == SEAWALL_OK || status == SEAWALL_NONE);
    say_number(vectors, " paused_until=", status == SEAWALL_OK, until_ns);
    if (!has_keys) {
        CHECK_STATUS(SEAWALL_NONE, seawall_guard_keyed(guarded.handle, &keyed));
        return;
    }
    CHECK_OK(seawall_guard_keyed(guarded.handle, &keyed));
    for (key = 0; key < 5; ++key) {
        CHECK_OK(seawall_keyed_buckets_available(keyed, key, now_ns, &number));
        vectors_say(vectors, "%s%u", key ? "," : " keys=", (unsigned)number);
    }
}

static void the_vectors_are_decided_as_the_oracle_says(void) {
    vectors_t vectors;
    vectors_open(&vectors, "guard");
    while (vectors_next(&vectors)) {
        const uint64_t now = vectors_number_or(&vectors, "now", 0);
        if (vectors_is(&vectors, "new")) {
            make(&vectors);
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "begin")) {
            seawall_request_t request = SEAWALL_REQUEST_INIT;
            request.key = vectors_number(&vectors, "key");
            request.shard = (uint32_t)vectors_number(&vectors, "shard");
            request.cost = (uint32_t)vectors_number(&vectors, "cost");
            request.deadline_ns = vectors_number_or(&vectors, "deadline", SEAWALL_UNKNOWN);
            CHECK(call_count < sizeof calls / sizeof calls[0]);
            CHECK_OK(seawall_guard_begin(guarded.handle, &request, now, &calls[call_count++]));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "try_attempt")) {
            CHECK(permit_count < sizeof permits / sizeof permits[0]);
            attempt(&vectors, now);
        } else if (vectors_is(&vectors, "finish")) {
            finish(&vectors, now);
        } else if (vectors_is(&vectors, "cancel")) {
            seawall_permit_t copy = permits[vectors_number(&vectors, "permit")];
            const seawall_status_t status = seawall_guard_cancel(guarded.handle, &copy, now);
            CHECK(status == SEAWALL_OK || status == SEAWALL_VOID);
            vectors_say(&vectors, "ok good=%d", status == SEAWALL_OK);
        } else if (vectors_is(&vectors, "abandon")) {
            CHECK_OK(seawall_guard_abandon(guarded.handle, &calls[vectors_number(&vectors, "call")], now));
            vectors_say(&vectors, "ok");
        } else if (vectors_is(&vectors, "set_mode")) {
            set_mode(&vectors);
        } else {
            CHECK(vectors_is(&vectors, "look"));
            look(&vectors, now);
        }
        vectors_compare(&vectors);
    }
    storage_check(&guarded.storage);
    printf("%u steps of %s\n", vectors.steps, vectors.path);
}

int main(void) {
    RUN(the_vectors_are_decided_as_the_oracle_says);
    return 0;
}
