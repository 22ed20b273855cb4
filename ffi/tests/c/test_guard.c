/* The guard from C: its life, its calls and permits, its parts, and that no mistake does harm. */
#include "guards.h"
#include <sys/wait.h>
#include <unistd.h>

static guarded_t guarded, second;
#define guard (guarded.handle)

/* Something that is initialised and of another type. */
static uint64_t other[128];

static void the_defaults_are_those_of_a_service_that_is_sent_20_calls_a_second(void) {
    seawall_guard_config_t config = SEAWALL_GUARD_CONFIG_INIT, same = SEAWALL_GUARD_CONFIG_INIT;
    const seawall_rate_t expected = SEAWALL_RATE_INIT(20, SEAWALL_SECOND), never = SEAWALL_RATE_INIT(1, 0);
    const size_t size = sizeof config / 8;
    size_t word;
    CHECK_OK(seawall_guard_config_for_service(&same, expected, SEAWALL_SECOND));
    /* The rates of no warm-up are not looked at. */
    same.ramp.from = config.ramp.from;
    same.bucket.warm_up.from = config.bucket.warm_up.from;
    for (word = 0; word < size; ++word) {
        uint64_t one, two;
        memcpy(&one, (const char *)&config + word * 8, 8);
        memcpy(&two, (const char *)&same + word * 8, 8);
        if (one != two) fprintf(stderr, "word %u: %llx, not %llx\n", (unsigned)word, (unsigned long long)one, (unsigned long long)two);
    }
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    make_of(&guarded, &config, 7, 0);
    CHECK_OK(seawall_guard_config_for_shards(&same, expected, SEAWALL_SECOND, 4));
    CHECK(same.shards == 4 && same.breaker.threshold == 3 && same.breaker.open_for_ns == 200 * SEAWALL_MILLISECOND);
    CHECK_OK(seawall_guard_config_for_shards(&same, expected, SEAWALL_SECOND, 0));
    CHECK(same.shards == 1);
    CHECK_STATUS(SEAWALL_E_RATE_ZERO_PERIOD, seawall_guard_config_for_service(&same, never, SEAWALL_SECOND));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_config_for_service(NULL, expected, SEAWALL_SECOND));
    same.struct_size = 8;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_guard_config_for_shards(&same, expected, SEAWALL_SECOND, 1));
}

static void a_call_is_sent_fails_is_sent_again_and_is_done(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    seawall_call_t call;
    seawall_permit_t permit;
    seawall_decision_t decision;
    seawall_finished_t finished;
    uint64_t now = 0, deadline = 7;
    uint32_t attempts = 7;
    make_of(&guarded, &config, 7, 0);
    CHECK_OK(seawall_guard_begin(guard, NULL, now, &call));
    CHECK_STATUS(SEAWALL_NONE, seawall_call_deadline(&call, &deadline));
    CHECK_OK(seawall_guard_try_attempt(guard, &call, now, &permit, NULL, NULL));
    CHECK(tokens_of(guard, now) == 0 && in_flight_of(guard, now) == 1);
    now += 20 * SEAWALL_MILLISECOND;
    finished = reported(guard, &call, &permit, SEAWALL_OUTCOME_FAILURE, now);
    CHECK(finished.verdict == SEAWALL_VERDICT_RETRY_AT && finished.retry_at_ns >= now && in_flight_of(guard, now) == 0);
    if (finished.retry_at_ns > now) {
        CHECK_STATUS(SEAWALL_NOT_YET, seawall_guard_peek(guard, &call, now, &decision));
        CHECK(decision.stage == SEAWALL_STAGE_RETRY_BUDGET && decision.retry_after_ns == finished.retry_at_ns - now);
    }
    now = finished.retry_at_ns + 50 * SEAWALL_MILLISECOND;
    CHECK_OK(seawall_guard_peek(guard, &call, now, NULL));
    CHECK_OK(seawall_guard_try_attempt(guard, &call, now, &permit, NULL, &decision));
    finished = reported(guard, &call, &permit, SEAWALL_OUTCOME_SUCCESS, now);
    CHECK(finished.verdict == SEAWALL_VERDICT_DONE);
    CHECK_OK(seawall_call_attempts(&call, &attempts));
    CHECK(attempts == 2);
    CHECK_STATUS(SEAWALL_NEVER, seawall_guard_try_attempt(guard, &call, now, &permit, NULL, &decision));
    CHECK(decision.stage == SEAWALL_STAGE_RETRY_BUDGET && is_zero(&permit, sizeof permit));
    storage_check(&guarded.storage);
}

static void nothing_is_sent_at_its_deadline_and_an_abandoned_call_is_over(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    seawall_request_t request = SEAWALL_REQUEST_INIT;
    seawall_call_t call;
    seawall_permit_t permit;
    seawall_decision_t decision;
    uint64_t deadline = 0;
    make_of(&guarded, &config, 7, 0);
    request.deadline_ns = 5;
    CHECK_OK(seawall_guard_begin(guard, &request, 0, &call));
    CHECK_OK(seawall_call_deadline(&call, &deadline));
    CHECK(deadline == 5);
    CHECK_STATUS(SEAWALL_NEVER, seawall_guard_try_attempt(guard, &call, 5, &permit, NULL, &decision));
    CHECK(decision.stage == SEAWALL_STAGE_DEADLINE);
    CHECK_OK(seawall_guard_abandon(guard, &call, 0));
    CHECK_STATUS(SEAWALL_NEVER, seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, &decision));
    CHECK(decision.stage == SEAWALL_STAGE_RETRY_BUDGET);
    request.reserved = 1;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_begin(guard, &request, 0, &call));
    request.struct_size = 0;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_guard_begin(guard, &request, 0, &call));
}

static void a_permit_acts_once_and_copies_of_it_change_nothing(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    seawall_call_t call, call_copy;
    seawall_permit_t permit, copy, late;
    seawall_finished_t first, again;
    make_of(&guarded, &config, 7, 0);
    call = begun(guard, 0, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
    copy = late = permit;
    CHECK_OK(seawall_guard_cancel(guard, &permit, 0));
    CHECK(tokens_of(guard, 0) == 1 && is_zero(&permit, sizeof permit));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_cancel(guard, &permit, 0));
    CHECK_STATUS(SEAWALL_VOID, seawall_guard_cancel(guard, &copy, 0));
    CHECK(tokens_of(guard, 0) == 1);
    /* It was cancelled: what it reports is not heard. */
    first = reported(guard, &call, &late, SEAWALL_OUTCOME_FAILURE, 0);
    CHECK(first.verdict == SEAWALL_VERDICT_GIVE_UP && first.give_up == SEAWALL_GIVE_UP_PERMIT_VOID);

    call = begun(guard, 0, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
    copy = late = permit;
    call_copy = call;
    first = reported(guard, &call, &permit, SEAWALL_OUTCOME_FAILURE, 1);
    again = reported(guard, &call, &copy, SEAWALL_OUTCOME_SUCCESS, 2);
    CHECK(again.verdict == first.verdict && again.retry_at_ns == first.retry_at_ns);
    again = reported(guard, &call_copy, &late, SEAWALL_OUTCOME_FAILURE, 2);
    CHECK(again.verdict == SEAWALL_VERDICT_GIVE_UP && again.give_up == SEAWALL_GIVE_UP_PERMIT_VOID);
    CHECK(in_flight_of(guard, 2) == 0);
}

static void no_call_and_no_permit_of_another_guard_is_taken_nor_any_words(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    seawall_call_t call, foreign_call, garbage_call;
    seawall_permit_t permit, foreign, garbage;
    seawall_finished_t finished;
    uint64_t word;
    uint32_t count, refused = 0;
    size_t at;
    /* Made alike, at the same time and with the same seed: only the place differs. */
    make_of(&guarded, &config, 7, 0);
    make_of(&second, &config, 7, 0);
    call = begun(guard, 0, 0, 0);
    foreign_call = begun(second.handle, 0, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
    CHECK_OK(seawall_guard_try_attempt(second.handle, &foreign_call, 0, &foreign, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_cancel(guard, &foreign, 0));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_finish(guard, &call, &foreign, SEAWALL_OUTCOME_SUCCESS, 0, 0, &finished));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_finish(guard, &foreign_call, &permit, SEAWALL_OUTCOME_SUCCESS, 0, 0, &finished));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_try_attempt(guard, &foreign_call, 0, &foreign, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_peek(guard, &foreign_call, 0, NULL));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_abandon(guard, &foreign_call, 0));
    CHECK(in_flight_of(guard, 0) == 1 && in_flight_of(second.handle, 0) == 1 && !is_zero(&foreign, sizeof foreign));

    memset(&garbage, 0, sizeof garbage);
    memset(&garbage_call, 0, sizeof garbage_call);
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_cancel(guard, &garbage, 0));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_call_attempts(&garbage_call, &count));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_call_deadline(&garbage_call, &word));
    memset(&garbage, 0xFF, sizeof garbage);
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_cancel(guard, &garbage, 0));
    /* A call is no permit, whatever it is taken for. */
    memcpy(&garbage, &call, sizeof garbage);
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_guard_cancel(guard, &garbage, 0));
    /* A permit that was tampered with does no harm: refused, void, or as good as what it names. */
    for (at = 0; at < sizeof permit.opaque / 8 * 64; ++at) {
        garbage = permit;
        garbage_call = call;
        garbage.opaque[at / 64] ^= (uint64_t)1 << at % 64;
        garbage_call.opaque[at / 64] ^= (uint64_t)1 << at % 64;
        (void)seawall_guard_finish(guard, &garbage_call, &garbage, SEAWALL_OUTCOME_FAILURE, 0, at, &finished);
        (void)seawall_guard_cancel(guard, &garbage, at);
        if (seawall_guard_peek(guard, &garbage_call, at, NULL) == SEAWALL_E_PERMIT) ++refused;
    }
    CHECK(refused >= 3 * 64 && in_flight_of(guard, 0) <= 1 && tokens_of(guard, 0) <= 20);
    storage_check(&guarded.storage);
}

static void one_retry_after_pauses_every_call(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    seawall_call_t call, next;
    seawall_permit_t permit;
    seawall_finished_t finished;
    seawall_decision_t decision;
    uint64_t until = 0;
    make_of(&guarded, &config, 7, 0);
    call = begun(guard, 0, 0, 0);
    next = begun(guard, 0, 0, 0);
    CHECK_STATUS(SEAWALL_NONE, seawall_guard_paused_until(guard, 0, &until));
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_finish(guard, &call, &permit, 77, 0, 0, &finished));
    CHECK_OK(seawall_guard_finish(guard, &call, &permit, SEAWALL_OUTCOME_THROTTLED, SECONDS(4), 0, &finished));
    CHECK(finished.verdict == SEAWALL_VERDICT_RETRY_AT && finished.retry_at_ns >= SECONDS(4));
    CHECK_OK(seawall_guard_paused_until(guard, 0, &until));
    CHECK(until >= SECONDS(4) && until <= SECONDS(5));
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_guard_try_attempt(guard, &next, 0, &permit, NULL, &decision));
    CHECK(decision.stage == SEAWALL_STAGE_PAUSE && decision.retry_after_ns == until);
    CHECK_OK(seawall_guard_try_attempt(guard, &next, until, &permit, NULL, &decision));
}

static void a_stage_in_shadow_says_what_it_would_refuse(void) {
    const seawall_mode_t shadow = {SEAWALL_MODE_SHADOW, 0}, off = {SEAWALL_MODE_OFF, 0};
    const seawall_mode_t bad = {0, 0}, half = {SEAWALL_MODE_CANARY, 500000}, over = {SEAWALL_MODE_CANARY, 1000001};
    const seawall_mode_t with_share = {SEAWALL_MODE_SHADOW, 1};
    const seawall_guard_config_t config = service_of(5, 1);
    seawall_request_t request = SEAWALL_REQUEST_INIT;
    seawall_mode_t mode = {0, 0};
    seawall_admission_t admission;
    seawall_finished_t finished;
    seawall_permit_t permit;
    seawall_call_t call;
    make_of(&guarded, &config, 7, 0);
    CHECK_OK(seawall_guard_set_mode(guard, SEAWALL_STAGE_TOKEN_BUCKET, shadow));
    CHECK_OK(seawall_guard_set_mode(guard, SEAWALL_STAGE_CONCURRENCY_LIMIT, off));
    call = begun(guard, 0, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, &admission, NULL));
    CHECK(is_zero(&admission, sizeof admission));
    /* Without a slot nothing shows that it is good. */
    CHECK_STATUS(SEAWALL_VOID, seawall_guard_cancel(guard, &permit, 0));
    call = begun(guard, 0, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, &admission, NULL));
    CHECK(admission.shadow.stage == SEAWALL_STAGE_TOKEN_BUCKET && admission.shadow.status == SEAWALL_NOT_YET);
    CHECK(admission.shadow.retry_after_ns > 0 && admission.shadow.retry_after_ns < SEAWALL_SECOND);
    finished = reported(guard, &call, &permit, SEAWALL_OUTCOME_SUCCESS, 0);
    CHECK(memcmp(&finished.shadow, &admission.shadow, sizeof finished.shadow) == 0);
    /* Where no wait helps none is told, as in a decision. */
    request.cost = UINT32_MAX;
    CHECK_OK(seawall_guard_begin(guard, &request, 0, &call));
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, &admission, NULL));
    CHECK(admission.shadow.status == SEAWALL_NEVER && admission.shadow.retry_after_ns == 0);
    CHECK_STATUS(SEAWALL_E_GUARD_STAGE_WITHOUT_MODE, seawall_guard_set_mode(guard, SEAWALL_STAGE_DEADLINE, shadow));
    CHECK_STATUS(SEAWALL_E_GUARD_STAGE_WITHOUT_MODE, seawall_guard_set_mode(guard, SEAWALL_STAGE_KEYED_BUCKET, shadow));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_set_mode(guard, 0, shadow));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_set_mode(guard, SEAWALL_STAGE_PAUSE, bad));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_set_mode(guard, SEAWALL_STAGE_PAUSE, with_share));
    CHECK_STATUS(SEAWALL_E_RATIO, seawall_guard_set_mode(guard, SEAWALL_STAGE_PAUSE, over));
    CHECK_OK(seawall_guard_set_mode(guard, SEAWALL_STAGE_PAUSE, half));
    CHECK_OK(seawall_guard_mode(guard, SEAWALL_STAGE_PAUSE, &mode));
    CHECK(mode.mode == SEAWALL_MODE_CANARY && mode.share_ppm == 500000);
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_guard_mode(guard, 8, &mode));
}

static void a_guard_may_begin_with_all_of_it_in_shadow(void) {
    static const seawall_guard_modes_t enforce = SEAWALL_GUARD_MODES_ENFORCE, shadow = SEAWALL_GUARD_MODES_SHADOW;
    seawall_guard_config_t config = service_of(5, 1);
    seawall_admission_t admission;
    seawall_permit_t permit;
    uint32_t sent;
    CHECK(memcmp(&config.modes, &enforce, sizeof enforce) == 0);
    config.modes = shadow;
    make_of(&guarded, &config, 7, 0);
    for (sent = 0; sent < 5; ++sent) {
        seawall_call_t call = begun(guard, sent, 0, 0);
        CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, &admission, NULL));
        CHECK((admission.shadow.stage == 0) == (sent == 0));
    }
}

static void each_part_has_a_handle_that_the_functions_of_its_type_take(void) {
    const seawall_rate_t rate = SEAWALL_RATE_INIT(7, SEAWALL_SECOND);
    seawall_guard_config_t config = service_of(20, 3);
    seawall_token_bucket_t *bucket;
    seawall_retry_budget_t *budget;
    seawall_circuit_breaker_t *breaker, *same;
    seawall_concurrency_limit_t *limit;
    seawall_keyed_buckets_t *keyed;
    seawall_rate_t seen;
    seawall_transition_t transitions[3], transition;
    seawall_limit_change_t change;
    seawall_permit_t permit;
    seawall_decision_t decision;
    seawall_call_t call;
    uint64_t key = 0;
    uint32_t count = 0, shards = 0;
    config.keyed.groups = 2;
    config.keyed.burst = 1;
    config.keyed_salt = 9;
    make_of(&guarded, &config, 7, 0);
    CHECK_OK(seawall_guard_shards(guard, &shards));
    CHECK(shards == 3);

    CHECK_OK(seawall_guard_bucket(guard, &bucket));
    CHECK_OK(seawall_token_bucket_set_rate(bucket, rate, 0));
    CHECK_OK(seawall_token_bucket_set_burst(bucket, 11, 0));
    CHECK_OK(seawall_token_bucket_rate(bucket, &seen));
    CHECK(seen.count == 7);
    CHECK_OK(seawall_guard_limit(guard, &limit));
    CHECK_OK(seawall_concurrency_limit_set_limit(limit, 9, &change));
    CHECK(change.to == 9);
    CHECK_OK(seawall_guard_budget(guard, &budget));
    CHECK_OK(seawall_retry_budget_balance(budget, 0, &count));
    CHECK(count == 1000000);

    CHECK_OK(seawall_guard_breaker(guard, 1, &breaker));
    CHECK_OK(seawall_guard_breaker(guard, 4, &same));
    CHECK(breaker == same);
    CHECK_OK(seawall_circuit_breaker_force_open(breaker, 0, &transition));
    call = begun(guard, 0, 4, 0);
    CHECK_STATUS(SEAWALL_NOT_YET, seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, &decision));
    CHECK(decision.stage == SEAWALL_STAGE_CIRCUIT_BREAKER);
    CHECK_OK(seawall_guard_reset(guard, 0, transitions, 3, &count));
    CHECK(count == 1 && transitions[0].shard == 1 && transitions[0].to == SEAWALL_STATE_CLOSED);
    CHECK_OK(seawall_circuit_breaker_force_open(breaker, 0, NULL));
    CHECK_OK(seawall_guard_reset(guard, 0, NULL, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_reset(guard, 0, NULL, 1, &count));

    CHECK_OK(seawall_guard_keyed(guard, &keyed));
    CHECK_OK(seawall_keyed_buckets_key_of(keyed, "mallory", 7, &key));
    call = begun(guard, key, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
    CHECK_OK(seawall_keyed_buckets_available(keyed, key, 0, &count));
    CHECK(count == 0);
    CHECK_OK(seawall_guard_cancel(guard, &permit, 0));
    CHECK_OK(seawall_keyed_buckets_available(keyed, key, 0, &count));
    CHECK(count == 1);

    /* Made anew or ended it is that part alone, and nothing beside it was written. */
    CHECK_OK(seawall_token_bucket_fini(bucket));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_token_bucket_rate(bucket, &seen));
    CHECK_OK(seawall_token_bucket_init(bucket, &config.bucket, 0));
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));

    /* The parts end with the guard, also beside one that was ended before. */
    CHECK_OK(seawall_retry_budget_fini(budget));
    CHECK_OK(seawall_guard_fini(guard));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_token_bucket_rate(bucket, &seen));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_retry_budget_balance(budget, 0, &count));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_circuit_breaker_state(breaker, 0, &count));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_concurrency_limit_limit(limit, &count));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_keyed_buckets_places(keyed, &count));
    storage_check(&guarded.storage);
}

static void a_clock_that_stepped_back_is_told_and_a_rebase_heals_it(void) {
    const seawall_guard_config_t config = service_of(20, 2);
    const uint64_t old_now = (uint64_t)1 << 60;
    seawall_permit_t permit;
    seawall_call_t call;
    make_of(&guarded, &config, 7, old_now);
    call = begun(guard, 0, 0, old_now);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, old_now, &permit, NULL, NULL));
    (void)reported(guard, &call, &permit, SEAWALL_OUTCOME_SUCCESS, old_now);
    call = begun(guard, 0, 0, 0);
    CHECK_STATUS(SEAWALL_CLOCK_STEPPED, seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
    CHECK_OK(seawall_guard_rebase(guard, old_now, 0));
    CHECK_OK(seawall_guard_try_attempt(guard, &call, SEAWALL_SECOND, &permit, NULL, NULL));
}

/* When the retry of a call is that failed at 0. */
static uint64_t retry_of_a_failure(void) {
    seawall_permit_t permit;
    seawall_call_t call = begun(guard, 0, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
    return reported(guard, &call, &permit, SEAWALL_OUTCOME_FAILURE, 0).retry_at_ns;
}

static void a_child_of_a_fork_that_reseeds_retries_at_another_instant_than_its_parent(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    uint64_t of_parent, of_child = 0, of_forgetful_child = 0;
    int pipes[2];
    make_of(&guarded, &config, 7, 0);
    CHECK(pipe(pipes) == 0);
    if (fork() == 0) {
        of_child = retry_of_a_failure();
        _exit(write(pipes[1], &of_child, sizeof of_child) != sizeof of_child);
    }
    CHECK(read(pipes[0], &of_forgetful_child, sizeof of_forgetful_child) == sizeof of_forgetful_child);
    if (fork() == 0) {
        CHECK_OK(seawall_guard_reseed(guard, 8));
        of_child = retry_of_a_failure();
        _exit(write(pipes[1], &of_child, sizeof of_child) != sizeof of_child);
    }
    CHECK(read(pipes[0], &of_child, sizeof of_child) == sizeof of_child);
    of_parent = retry_of_a_failure();
    CHECK(of_parent != 0 && of_forgetful_child == of_parent && of_child != of_parent && of_child != 0);
    CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
    while (wait(NULL) > 0) continue;
}

static void a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again(void) {
    seawall_guard_config_t config = service_of(20, 3);
    seawall_guard_t *again = NULL;
    size_t size = 0, shift, without = 0;
    CHECK_OK(seawall_guard_required_size(&config, &without));
    CHECK(without < 4096);
    config.keyed.groups = 2;
    config.keyed_salt = 9;
    CHECK_OK(seawall_guard_required_size(&config, &size));
    CHECK(size > without);
    for (shift = 0; shift < 256; shift += 8) {
        char *workspace = (char *)(void *)guarded.storage.words + shift;
        seawall_permit_t permit;
        seawall_call_t call;
        memset(workspace, 0xEE, size + 64);
        CHECK_OK(seawall_guard_init(workspace, size, &config, 7, 0, &guard));
        CHECK((char *)(void *)guard >= workspace && workspace[size] == (char)0xEE);
        call = begun(guard, 1, 2, 0);
        CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
        CHECK_OK(seawall_guard_attach(workspace, size, &again));
        CHECK(again == guard && tokens_of(again, 0) == 0);
        CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_guard_attach(workspace, 600, &again));
        CHECK_OK(seawall_guard_fini(guard));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_guard_attach(workspace, size, &again));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_guard_cancel(guard, &permit, 0));
    }
    /* What lies there at the address of another process works there too: the whole of it is copied, and the old is gone. */
    CHECK_OK(seawall_guard_init(guarded.storage.words, sizeof guarded.storage.words, &config, 7, 0, &guard));
    {
        char *place = (char *)(void *)second.storage.words;
        seawall_call_t call = begun(guard, 1, 2, 0);
        seawall_permit_t permit;
        CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
        place += (128 - (size_t)((uintptr_t)place % 128)) % 128;
        memcpy(place, guard, size);
        memset(guarded.storage.words, 0xEE, sizeof guarded.storage.words);
        CHECK_OK(seawall_guard_attach(place, size, &again));
        CHECK(in_flight_of(again, 0) == 1 && tokens_of(again, 0) == 0);
        CHECK(reported(again, &call, &permit, SEAWALL_OUTCOME_SUCCESS, 1).verdict == SEAWALL_VERDICT_DONE);
        CHECK(in_flight_of(again, 0) == 0);
    }
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    static const uint64_t zeroed[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    seawall_guard_t *made = NULL;
    seawall_guard_config_t config;
    size_t size = 0;
#define WITH(expected, change)                                                                                     \
    do {                                                                                                           \
        config = service_of(20, 1);                                                                                \
        change;                                                                                                    \
        CHECK_STATUS(expected, seawall_guard_init(guarded.storage.words, sizeof guarded.storage.words, &config, 7, 0, &made)); \
    } while (0)
    WITH(SEAWALL_OK, (void)0);
    WITH(SEAWALL_E_SIZE, config.shards = 0);
    WITH(SEAWALL_E_SIZE, config.shards = 65536);
    WITH(SEAWALL_E_SIZE, config.limit.slots = 0);
    WITH(SEAWALL_E_SIZE, (config.keyed.groups = UINT32_MAX, config.keyed_salt = 1));
    WITH(SEAWALL_E_WORKSPACE, config.limit.slots = 65535);
    WITH(SEAWALL_E_VALUE, config.keyed.groups = 2);
    WITH(SEAWALL_E_KEYED_ZERO_BURST, (config.keyed.groups = 2, config.keyed_salt = 1, config.keyed.burst = 0));
    WITH(SEAWALL_OK, (config.keyed.burst = 0, config.keyed.struct_size = 0));
    WITH(SEAWALL_E_GUARD_ZERO_TIMEOUT, config.call_timeout_ns = 0);
    WITH(SEAWALL_E_GUARD_ZERO_TIMEOUT_WEIGHT, config.timeout_weight = 0);
    WITH(SEAWALL_E_GUARD_RAMP_TOO_LONG, config.ramp.duration_ns = UINT64_MAX);
    WITH(SEAWALL_E_BUCKET_ZERO_BURST, config.bucket.burst = 0);
    WITH(SEAWALL_E_BREAKER_PROBES, config.breaker.probes = 9);
    WITH(SEAWALL_E_LIMIT_CEILING, config.limit.slots = 63);
    WITH(SEAWALL_E_RETRY_ZERO_ATTEMPTS, config.retry.max_attempts = 0);
    WITH(SEAWALL_E_BUDGET_LIFETIME_TOO_SHORT, config.budget.lifetime_ns = 1);
    WITH(SEAWALL_E_VALUE, config.modes.limit.mode = 5);
    WITH(SEAWALL_E_RATIO, config.breaker.open_jitter_ppm = 1000001);
    WITH(SEAWALL_E_RATE_ZERO_PERIOD, config.bucket.rate.period_ns = 0);
    /* A part says its own size, and room that nobody claims is 0. */
    WITH(SEAWALL_E_STRUCT_SIZE, config.retry.struct_size = 0);
    WITH(SEAWALL_E_STRUCT_SIZE, config.retry.struct_size += 40);
    WITH(SEAWALL_OK, config.retry.struct_size += 32);
    WITH(SEAWALL_E_STRUCT_SIZE, (config.retry.struct_size += 32, config.retry_room[3] = 1));
    WITH(SEAWALL_E_VALUE, config.bucket_room[0] = 1);
    WITH(SEAWALL_E_VALUE, config.breaker_room[3] = 1);
    WITH(SEAWALL_E_VALUE, config.limit_room[1] = 1);
    WITH(SEAWALL_E_VALUE, config.budget_room[2] = 1);
    WITH(SEAWALL_E_VALUE, (config.keyed.groups = 2, config.keyed_salt = 1, config.keyed_room[2] = 1));
    WITH(SEAWALL_E_STRUCT_SIZE, config.struct_size -= 8);
#undef WITH
    config = service_of(20, 1);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_init(NULL, 1 << 16, &config, 7, 0, &made));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_init(guarded.storage.words, 1 << 16, NULL, 7, 0, &made));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_init(guarded.storage.words, 1 << 16, &config, 7, 0, NULL));
    CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_guard_init(guarded.storage.words, 1024, &config, 7, 0, &made));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT, seawall_guard_init(MISALIGNED(void, guarded.storage.words), 1 << 16, &config, 7, 0, &made));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_required_size(&config, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_required_size(NULL, &size));
    config.shards = 0;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_guard_required_size(&config, &size));
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE,
                 seawall_guard_required_size((const seawall_guard_config_t *)(const void *)zeroed, &size));
}

static void no_mistake_does_harm(void) {
    const seawall_guard_config_t config = service_of(20, 1);
    const seawall_token_bucket_config_t other_config = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    const seawall_mode_t shadow = {SEAWALL_MODE_SHADOW, 0};
    seawall_token_bucket_t *bucket;
    seawall_retry_budget_t *budget;
    seawall_circuit_breaker_t *breaker;
    seawall_concurrency_limit_t *limit;
    seawall_keyed_buckets_t *keyed;
    seawall_finished_t finished;
    seawall_permit_t permit;
    seawall_call_t call;
    seawall_mode_t mode;
    uint64_t word;
    uint32_t count;
    make_of(&guarded, &config, 7, 0);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &other_config, 0));
    call = begun(guard, 0, 0, 0);
    CHECK_OK(seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, NULL));
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_guard_t, guard, other, call)
    EACH(seawall_guard_begin(it, NULL, 0, &call));
    EACH(seawall_guard_try_attempt(it, &call, 0, &permit, NULL, NULL));
    EACH(seawall_guard_peek(it, &call, 0, NULL));
    EACH(seawall_guard_finish(it, &call, &permit, SEAWALL_OUTCOME_SUCCESS, 0, 0, &finished));
    EACH(seawall_guard_cancel(it, &permit, 0));
    EACH(seawall_guard_abandon(it, &call, 0));
    EACH(seawall_guard_paused_until(it, 0, &word));
    EACH(seawall_guard_mode(it, SEAWALL_STAGE_PAUSE, &mode));
    EACH(seawall_guard_set_mode(it, SEAWALL_STAGE_PAUSE, shadow));
    EACH(seawall_guard_reseed(it, 8));
    EACH(seawall_guard_rebase(it, 0, 1));
    EACH(seawall_guard_reset(it, 0, NULL, 0, NULL));
    EACH(seawall_guard_bucket(it, &bucket));
    EACH(seawall_guard_budget(it, &budget));
    EACH(seawall_guard_breaker(it, 0, &breaker));
    EACH(seawall_guard_limit(it, &limit));
    EACH(seawall_guard_keyed(it, &keyed));
    EACH(seawall_guard_shards(it, &count));
    EACH(seawall_guard_fini(it));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_begin(guard, NULL, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_try_attempt(guard, NULL, 0, &permit, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_try_attempt(guard, &call, 0, NULL, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_guard_try_attempt(guard, &call, 0, &permit, MISALIGNED(seawall_admission_t, &finished), NULL));
    CHECK_STATUS(SEAWALL_E_ALIGNMENT,
                 seawall_guard_try_attempt(guard, &call, 0, &permit, NULL, MISALIGNED(seawall_decision_t, &finished)));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_finish(guard, NULL, &permit, SEAWALL_OUTCOME_SUCCESS, 0, 0, &finished));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_finish(guard, &call, NULL, SEAWALL_OUTCOME_SUCCESS, 0, 0, &finished));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_finish(guard, &call, &permit, SEAWALL_OUTCOME_SUCCESS, 0, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_cancel(guard, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_abandon(guard, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_peek(guard, NULL, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_paused_until(guard, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_mode(guard, SEAWALL_STAGE_PAUSE, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_bucket(guard, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_budget(guard, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_breaker(guard, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_limit(guard, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_keyed(guard, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_shards(guard, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_attach(guarded.storage.words, guarded.size, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_call_attempts(NULL, &count));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_call_deadline(&call, NULL));
    /* The permit is as good as before all of that. */
    CHECK(in_flight_of(guard, 0) == 1);
    CHECK_OK(seawall_guard_cancel(guard, &permit, 0));
    storage_check(&guarded.storage);
    CHECK_OK(seawall_guard_fini(guard));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_guard_peek(guard, &call, 0, NULL));
}

int main(void) {
    RUN(the_defaults_are_those_of_a_service_that_is_sent_20_calls_a_second);
    RUN(a_call_is_sent_fails_is_sent_again_and_is_done);
    RUN(nothing_is_sent_at_its_deadline_and_an_abandoned_call_is_over);
    RUN(a_permit_acts_once_and_copies_of_it_change_nothing);
    RUN(no_call_and_no_permit_of_another_guard_is_taken_nor_any_words);
    RUN(one_retry_after_pauses_every_call);
    RUN(a_stage_in_shadow_says_what_it_would_refuse);
    RUN(a_guard_may_begin_with_all_of_it_in_shadow);
    RUN(each_part_has_a_handle_that_the_functions_of_its_type_take);
    RUN(a_clock_that_stepped_back_is_told_and_a_rebase_heals_it);
    RUN(a_child_of_a_fork_that_reseeds_retries_at_another_instant_than_its_parent);
    RUN(a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(no_mistake_does_harm);
    return 0;
}
