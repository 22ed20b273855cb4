/* The recorder from C: what it counts beside a guard, its owners, and that no mistake does harm. */
#include <pthread.h>

#include "guards.h"

static guarded_t guarded;
static storage_t storage, second_storage;
static seawall_recorder_t *recorder;

/* Something that is initialised and of another type. */
static uint64_t other[128];

static char text[SEAWALL_LONGEST_EXPLANATION];

static seawall_recorder_t *made(storage_t *place, uint32_t slices, uint32_t cells, uint32_t writers) {
    seawall_recorder_config_t config = SEAWALL_RECORDER_CONFIG_INIT;
    seawall_recorder_t *handle = NULL;
    size_t size = 0;
    config.window_ns = SECONDS(8);
    config.slices = slices;
    config.cells = cells;
    config.writers = writers;
    CHECK_OK(seawall_recorder_required_size(&config, &size));
    CHECK_OK(seawall_recorder_init(storage_of(place, size), size, &config, &handle));
    return handle;
}

static seawall_counts_t totals_of(seawall_recorder_t *handle) {
    seawall_counts_t counts = SEAWALL_COUNTS_INIT;
    CHECK_OK(seawall_recorder_totals(handle, &counts));
    CHECK(counts.struct_size == sizeof counts && counts.reserved == 0);
    return counts;
}

static seawall_counts_t recent_of(seawall_recorder_t *handle, uint64_t now_ns) {
    seawall_counts_t counts = SEAWALL_COUNTS_INIT;
    CHECK_OK(seawall_recorder_recent(handle, now_ns, &counts));
    return counts;
}

static seawall_recorded_t recorded_at(seawall_recorder_t *const *handles, size_t count, uint64_t now_ns) {
    seawall_recorded_t recorded = SEAWALL_RECORDED_INIT;
    seawall_snapshot_t snapshot = SEAWALL_SNAPSHOT_INIT, without = SEAWALL_SNAPSHOT_INIT;
    CHECK_OK(seawall_guard_snapshot_recorded(guarded.handle, handles, count, now_ns, &snapshot, &recorded));
    CHECK_OK(seawall_guard_snapshot(guarded.handle, now_ns, &without));
    CHECK(memcmp(&snapshot, &without, sizeof snapshot) == 0);
    return recorded;
}

static void make(uint32_t writers) {
    seawall_guard_config_t config = service_of(1000, 1);
    config.bucket.fill_tokens = SEAWALL_FILL_FULL;
    make_of(&guarded, &config, 7, 0);
    recorder = made(&storage, 8, 64, writers);
}

/* A call through the guard that ends with `outcome` after `took_ns`, all of it told. */
static void told_call(uint32_t outcome, uint64_t now_ns, uint64_t took_ns) {
    seawall_call_t call = begun(guarded.handle, 0, 0, now_ns);
    seawall_permit_t permit;
    seawall_admission_t admission;
    seawall_decision_t decision;
    seawall_finished_t finished;
    seawall_call_record_t record;
    seawall_status_t status;
    CHECK_OK(seawall_recorder_begun(recorder, now_ns, &record));
    status = seawall_guard_try_attempt(guarded.handle, &call, now_ns, &permit, &admission, &decision);
    CHECK_OK(seawall_recorder_attempted(recorder, &record, status, &decision, &admission, now_ns));
    CHECK_OK(status);
    finished = reported(guarded.handle, &call, &permit, outcome, now_ns + took_ns);
    CHECK_OK(seawall_recorder_finished(recorder, &record, outcome, &finished, now_ns + took_ns));
    /* Twice is once. */
    CHECK_OK(seawall_recorder_finished(recorder, &record, outcome, &finished, now_ns + took_ns));
}

static void the_defaults_are_those_of_the_library_and_nothing_is_all_zero(void) {
    const seawall_recorder_config_t config = SEAWALL_RECORDER_CONFIG_INIT;
    const seawall_counts_t nothing = SEAWALL_COUNTS_INIT;
    seawall_recorder_config_t same;
    seawall_recorded_t recorded;
    seawall_counts_t counts;
    uint32_t slices = 0, cells = 0;
    memset(&same, 0xFF, sizeof same);
    same.struct_size = sizeof same;
    CHECK_OK(seawall_recorder_config_default(&same));
    CHECK(memcmp(&config, &same, sizeof config) == 0);
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_config_default(NULL));
    make(SEAWALL_WRITERS_MANY);
    CHECK_OK(seawall_recorder_slices(recorder, &slices));
    CHECK_OK(seawall_recorder_cells(recorder, &cells));
    CHECK(slices == 8 && cells == 64);
    counts = totals_of(recorder);
    CHECK(memcmp(&counts, &nothing, sizeof counts) == 0);
    recorded = recorded_at(&recorder, 1, 0);
    CHECK(recorded.struct_size == sizeof recorded && recorded.breaker_cause == 0);
    CHECK(recorded.breaker_for_ns == SEAWALL_UNKNOWN && recorded.attempts.p50_ns == SEAWALL_UNKNOWN);
    CHECK(memcmp(&recorded.total, &nothing, sizeof nothing) == 0);
}

static void what_becomes_of_calls_is_counted_and_measured(void) {
    seawall_call_t call;
    seawall_call_record_t record;
    seawall_permit_t permit;
    seawall_admission_t admission;
    seawall_finished_t finished;
    seawall_decision_t decision = {0, 0, SEAWALL_STAGE_TOKEN_BUCKET};
    seawall_counts_t counts;
    seawall_recorded_t recorded;
    uint64_t now;
    make(SEAWALL_WRITERS_MANY);
    told_call(SEAWALL_OUTCOME_SUCCESS, 0, 20 * SEAWALL_MILLISECOND);
    told_call(SEAWALL_OUTCOME_IGNORED, 0, 20 * SEAWALL_MILLISECOND);

    /* One that fails, is sent again and delivered. */
    call = begun(guarded.handle, 0, 0, SECONDS(1));
    CHECK_OK(seawall_recorder_begun(recorder, SECONDS(1), &record));
    CHECK_OK(seawall_guard_try_attempt(guarded.handle, &call, SECONDS(1), &permit, &admission, &decision));
    CHECK_OK(seawall_recorder_attempted(recorder, &record, SEAWALL_OK, NULL, NULL, SECONDS(1)));
    finished = reported(guarded.handle, &call, &permit, SEAWALL_OUTCOME_FAILURE, SECONDS(1));
    CHECK(finished.verdict == SEAWALL_VERDICT_RETRY_AT);
    CHECK_OK(seawall_recorder_finished(recorder, &record, SEAWALL_OUTCOME_FAILURE, &finished, SECONDS(1)));
    now = finished.retry_at_ns;
    CHECK_OK(seawall_guard_try_attempt(guarded.handle, &call, now, &permit, &admission, &decision));
    CHECK_OK(seawall_recorder_attempted(recorder, &record, SEAWALL_OK, &decision, &admission, now));
    finished = reported(guarded.handle, &call, &permit, SEAWALL_OUTCOME_SUCCESS, now);
    CHECK_OK(seawall_recorder_finished(recorder, &record, SEAWALL_OUTCOME_SUCCESS, &finished, now));
    CHECK_STATUS(SEAWALL_OK, seawall_recorder_abandoned(recorder, &record, now)); /* it is over: nothing more */
    CHECK(is_zero(&record, sizeof record));

    /* One that is refused and abandoned, and one that is never sent. */
    decision.stage = SEAWALL_STAGE_TOKEN_BUCKET;
    decision.retry_after_ns = 5;
    CHECK_OK(seawall_recorder_begun(recorder, now, &record));
    CHECK_OK(seawall_recorder_attempted(recorder, &record, SEAWALL_NOT_YET, &decision, NULL, now));
    CHECK_OK(seawall_recorder_abandoned(recorder, &record, now));
    CHECK_OK(seawall_recorder_begun(recorder, now, &record));
    CHECK_OK(seawall_recorder_attempted(recorder, &record, SEAWALL_OK, NULL, NULL, now));
    CHECK_OK(seawall_recorder_cancelled(recorder, &record, now));
    CHECK_OK(seawall_recorder_cancelled(recorder, &record, now));

    /* One that is given up, and that a stage in shadow would have refused. */
    memset(&admission, 0, sizeof admission);
    admission.shadow.stage = SEAWALL_STAGE_PAUSE;
    admission.shadow.status = SEAWALL_NEVER;
    CHECK_OK(seawall_recorder_attempted(recorder, &record, SEAWALL_OK, NULL, &admission, now));
    memset(&finished, 0, sizeof finished);
    finished.verdict = SEAWALL_VERDICT_GIVE_UP;
    finished.give_up = SEAWALL_GIVE_UP_BUDGET_SPENT;
    CHECK_OK(seawall_recorder_finished(recorder, &record, SEAWALL_OUTCOME_THROTTLED, &finished, now));

    counts = totals_of(recorder);
    CHECK(counts.begun == 5 && counts.admitted == 6 && counts.retries == 1 && counts.refused == 1);
    CHECK(counts.cancelled == 1 && counts.delivered == 2 && counts.ignored == 1 && counts.abandoned == 1);
    CHECK(counts.outcomes.success == 2 && counts.outcomes.failure == 1 && counts.outcomes.throttled == 1);
    CHECK(counts.outcomes.ignored == 1 && counts.given_up == 1);
    CHECK(counts.given_up_for[SEAWALL_GIVE_UP_BUDGET_SPENT - 1] == 1);
    CHECK(counts.refused_for[SEAWALL_STAGE_TOKEN_BUCKET - 1][SEAWALL_NOT_YET - 1] == 1);
    CHECK(counts.would_refuse[SEAWALL_STAGE_PAUSE - 1].throttled == 1 && counts.would_pass.throttled == 0);
    CHECK(counts.would_pass.success == 2);
    CHECK(recent_of(recorder, now).begun == 5 && recent_of(recorder, SECONDS(60)).begun == 0);

    recorded = recorded_at(&recorder, 1, now);
    CHECK(memcmp(&recorded.total, &counts, sizeof counts) == 0 && recorded.recent.begun == 5);
    CHECK(recorded.attempts.count == 4 && recorded.attempts.errors == 2 && recorded.attempts.total_count == 4);
    CHECK(recorded.attempts.max_ns == 20 * SEAWALL_MILLISECOND && recorded.deliveries.count == 2);
    CHECK(recorded.deliveries.max_ns == (now - SECONDS(1) > 20 * SEAWALL_MILLISECOND ? now - SECONDS(1)
                                                                                     : 20 * SEAWALL_MILLISECOND));
    CHECK_OK(seawall_recorder_rebase(recorder, now, 0));
    CHECK(recent_of(recorder, 0).begun == 0 && totals_of(recorder).begun == 5);
    storage_check(&storage);
}

static void recorders_of_several_workers_read_as_one_and_say_why_the_breaker_is_open(void) {
    seawall_recorder_t *both[2];
    seawall_circuit_breaker_t *breaker = NULL;
    seawall_transition_t transition, none;
    seawall_recorded_t recorded;
    size_t length = 0;
    make(SEAWALL_WRITERS_MANY);
    both[0] = recorder;
    told_call(SEAWALL_OUTCOME_SUCCESS, 0, 20 * SEAWALL_MILLISECOND);
    both[1] = recorder = made(&second_storage, 4, 128, SEAWALL_WRITERS_MANY);
    told_call(SEAWALL_OUTCOME_SUCCESS, 0, 30 * SEAWALL_MILLISECOND);
    CHECK_OK(seawall_guard_breaker(guarded.handle, 0, &breaker));
    CHECK_OK(seawall_circuit_breaker_force_open(breaker, SECONDS(1), &transition));
    CHECK_OK(seawall_recorder_changed(recorder, &transition, SECONDS(1)));
    recorded = recorded_at(both, 2, SECONDS(3));
    CHECK(recorded.total.delivered == 2 && recorded.attempts.count == 2);
    CHECK(recorded.attempts.max_ns == 30 * SEAWALL_MILLISECOND);
    CHECK(recorded.breaker_cause == SEAWALL_CAUSE_FORCED);
    CHECK(recorded.breaker_for_ns >= SECONDS(2) && recorded.breaker_for_ns < SECONDS(2) + 2 * SEAWALL_MILLISECOND);
    CHECK_OK(seawall_guard_explain_recorded(guarded.handle, both, 2, SECONDS(3), text, sizeof text, &length));
    CHECK(length == strlen(text) && strstr(text, "2 of 2 calls were delivered") != NULL);
    CHECK_OK(seawall_guard_explain(guarded.handle, SECONDS(3), text, sizeof text, NULL));
    CHECK(strstr(text, "delivered") == NULL);
    /* Without a recorder there is nothing but the guard. */
    recorded = recorded_at(both, 0, SECONDS(3));
    CHECK(recorded.total.begun == 0 && recorded.breaker_cause == 0);
    memset(&none, 0, sizeof none);
    CHECK_STATUS(SEAWALL_NOTHING_DONE, seawall_recorder_changed(recorder, &none, 0));
    transition.cause = 99;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_recorder_changed(recorder, &transition, 0));
    transition.cause = SEAWALL_CAUSE_RESET;
    transition.to = 9;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_recorder_changed(recorder, &transition, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_changed(recorder, NULL, 0));
}

static void a_recorder_has_one_owner_until_it_is_released_and_the_other_way_to_write_is_refused(void) {
    seawall_owned_recorder_t owner, second, copy;
    seawall_call_record_t record, kept;
    seawall_decision_t decision = {0, 0, SEAWALL_STAGE_DEADLINE};
    seawall_finished_t finished;
    seawall_transition_t transition = {SEAWALL_STATE_CLOSED, SEAWALL_STATE_OPEN, SEAWALL_CAUSE_TRIPPED, 1, 0, 0};
    seawall_counts_t counts;
    make(SEAWALL_WRITERS_MANY);
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_recorder_own(recorder, &owner));
    CHECK_OK(seawall_recorder_begun(recorder, 0, &kept));
    recorder = made(&storage, 8, 64, SEAWALL_WRITERS_ONE);
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_recorder_begun(recorder, 0, &record));
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_recorder_attempted(recorder, &kept, SEAWALL_OK, NULL, NULL, 0));
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_recorder_attempted(recorder, &kept, SEAWALL_NEVER, &decision, NULL, 0));
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_recorder_cancelled(recorder, &kept, 0));
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_recorder_abandoned(recorder, &kept, 0));
    CHECK_OK(seawall_recorder_own(recorder, &owner));
    CHECK_STATUS(SEAWALL_TAKEN, seawall_recorder_own(recorder, &second));

    CHECK_OK(seawall_owned_recorder_begun(recorder, &owner, 0, &record));
    CHECK_OK(seawall_owned_recorder_attempted(recorder, &owner, &record, SEAWALL_NEVER, &decision, NULL, 0));
    CHECK_OK(seawall_owned_recorder_attempted(recorder, &owner, &record, SEAWALL_OK, NULL, NULL, 0));
    CHECK_OK(seawall_owned_recorder_cancelled(recorder, &owner, &record, 0));
    CHECK_OK(seawall_owned_recorder_attempted(recorder, &owner, &record, SEAWALL_OK, NULL, NULL, 0));
    memset(&finished, 0, sizeof finished);
    finished.verdict = SEAWALL_VERDICT_DONE;
    CHECK_OK(seawall_owned_recorder_finished(recorder, &owner, &record, SEAWALL_OUTCOME_SUCCESS, &finished, 5));
    CHECK_STATUS(SEAWALL_E_WRITER, seawall_recorder_finished(recorder, &record, SEAWALL_OUTCOME_SUCCESS, &finished, 5));
    CHECK_OK(seawall_owned_recorder_begun(recorder, &owner, 0, &record));
    CHECK_OK(seawall_owned_recorder_abandoned(recorder, &owner, &record, 0));
    CHECK_OK(seawall_owned_recorder_changed(recorder, &owner, &transition, 0));
    counts = totals_of(recorder);
    CHECK(counts.begun == 2 && counts.admitted == 2 && counts.cancelled == 1 && counts.delivered == 1);
    CHECK(counts.abandoned == 1 && counts.refused_for[SEAWALL_STAGE_DEADLINE - 1][SEAWALL_NEVER - 1] == 1);

    copy = owner;
    CHECK_OK(seawall_owned_recorder_release(recorder, &owner));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_recorder_release(recorder, &owner));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_owned_recorder_begun(recorder, &owner, 0, &record));
    CHECK_OK(seawall_recorder_own(recorder, &second));
    /* Not even when it is owned again: the copy is of the owner before. */
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_recorder_begun(recorder, &copy, 0, &record));
    CHECK_STATUS(SEAWALL_VOID, seawall_owned_recorder_release(recorder, &copy));
    CHECK_STATUS(SEAWALL_TAKEN, seawall_recorder_own(recorder, &owner));
    CHECK_OK(seawall_owned_recorder_release(recorder, &second));
    CHECK(totals_of(recorder).begun == 2);
    storage_check(&storage);
}

static void a_configuration_that_is_out_of_range_is_named(void) {
    seawall_recorder_config_t good = SEAWALL_RECORDER_CONFIG_INIT, bad;
    seawall_recorder_t *handle = NULL;
    size_t size = 0;
    good.cells = 64;
    CHECK_OK(seawall_recorder_required_size(&good, &size));
#define BAD(status, field, value)                                                                     \
    do {                                                                                              \
        bad = good;                                                                                   \
        bad.field = (value);                                                                          \
        CHECK_STATUS(status, seawall_recorder_init(storage_of(&storage, size), size, &bad, &handle)); \
        CHECK(handle == NULL);                                                                        \
    } while (0)
    BAD(SEAWALL_E_SIZE, slices, 1);
    BAD(SEAWALL_E_SIZE, slices, 2048);
    BAD(SEAWALL_E_SIZE, cells, 16);
    BAD(SEAWALL_E_WORKSPACE, cells, 128);
    BAD(SEAWALL_E_WINDOW_TOO_SHORT, window_ns, 0);
    BAD(SEAWALL_E_WINDOW_TOO_LONG, window_ns, UINT64_MAX);
    BAD(SEAWALL_E_VALUE, writers, 0);
    BAD(SEAWALL_E_VALUE, writers, 3);
    BAD(SEAWALL_E_STRUCT_SIZE, struct_size, 16);
#undef BAD
    bad = good;
    bad.slices = 7;
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_recorder_required_size(&bad, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_required_size(NULL, &size));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_required_size(&good, NULL));
}

static void a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again(void) {
    seawall_recorder_config_t config = SEAWALL_RECORDER_CONFIG_INIT;
    seawall_recorder_t *again = NULL;
    size_t size = 0, shift;
    config.slices = 4;
    config.cells = 32;
    CHECK_OK(seawall_recorder_required_size(&config, &size));
    for (shift = 0; shift < 256; shift += 8) {
        char *workspace = (char *)(void *)storage.words + shift;
        seawall_call_record_t record;
        memset(workspace, 0xEE, size + 64);
        CHECK_OK(seawall_recorder_init(workspace, size, &config, &recorder));
        CHECK((char *)(void *)recorder >= workspace && workspace[size] == (char)0xEE);
        CHECK_OK(seawall_recorder_begun(recorder, 0, &record));
        CHECK_OK(seawall_recorder_attach(workspace, size, &again));
        CHECK(again == recorder && totals_of(again).begun == 1);
        CHECK_STATUS(SEAWALL_E_WORKSPACE, seawall_recorder_attach(workspace, 300, &again));
        CHECK_OK(seawall_recorder_fini(recorder));
        CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_recorder_attach(workspace, size, &again));
    }
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_init(NULL, size, &config, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_init(storage.words, size, NULL, &again));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_init(storage.words, size, &config, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_attach(storage.words, size, NULL));
}

static void no_mistake_does_harm(void) {
    const seawall_token_bucket_config_t plain = SEAWALL_TOKEN_BUCKET_CONFIG_INIT;
    seawall_transition_t transition = {SEAWALL_STATE_CLOSED, SEAWALL_STATE_OPEN, SEAWALL_CAUSE_TRIPPED, 1, 0, 0};
    seawall_decision_t decision = {0, 0, SEAWALL_STAGE_DEADLINE};
    seawall_call_record_t record, odd;
    seawall_owned_recorder_t owner = {{0, 0, 0, 0}};
    seawall_finished_t finished;
    seawall_recorded_t recorded = SEAWALL_RECORDED_INIT;
    seawall_snapshot_t snapshot = SEAWALL_SNAPSHOT_INIT;
    seawall_counts_t counts = SEAWALL_COUNTS_INIT;
    seawall_recorder_t *handles[2];
    uint32_t small = 0, bit;
    make(SEAWALL_WRITERS_MANY);
    CHECK_OK(seawall_token_bucket_init((seawall_token_bucket_t *)(void *)other, &plain, 0));
    CHECK_OK(seawall_recorder_begun(recorder, 0, &record));
    memset(&finished, 0, sizeof finished);
    finished.verdict = SEAWALL_VERDICT_DONE;
#define EACH(call) CHECK_HANDLE_MISTAKES(seawall_recorder_t, recorder, other, call)
    EACH(seawall_recorder_begun(it, 0, &record));
    EACH(seawall_recorder_attempted(it, &record, SEAWALL_OK, NULL, NULL, 0));
    EACH(seawall_recorder_cancelled(it, &record, 0));
    EACH(seawall_recorder_finished(it, &record, SEAWALL_OUTCOME_SUCCESS, &finished, 0));
    EACH(seawall_recorder_abandoned(it, &record, 0));
    EACH(seawall_recorder_changed(it, &transition, 0));
    EACH(seawall_recorder_rebase(it, 0, 1));
    EACH(seawall_recorder_totals(it, &counts));
    EACH(seawall_recorder_recent(it, 0, &counts));
    EACH(seawall_recorder_slices(it, &small));
    EACH(seawall_recorder_cells(it, &small));
    EACH(seawall_recorder_own(it, &owner));
    EACH(seawall_owned_recorder_begun(it, &owner, 0, &record));
    EACH(seawall_owned_recorder_attempted(it, &owner, &record, SEAWALL_OK, NULL, NULL, 0));
    EACH(seawall_owned_recorder_cancelled(it, &owner, &record, 0));
    EACH(seawall_owned_recorder_finished(it, &owner, &record, SEAWALL_OUTCOME_SUCCESS, &finished, 0));
    EACH(seawall_owned_recorder_abandoned(it, &owner, &record, 0));
    EACH(seawall_owned_recorder_changed(it, &owner, &transition, 0));
    EACH(seawall_owned_recorder_release(it, &owner));
    EACH(seawall_recorder_fini(it));
    EACH((handles[0] = recorder, handles[1] = it,
          seawall_guard_snapshot_recorded(guarded.handle, handles, 2, 0, &snapshot, &recorded)));
    EACH((handles[0] = it, seawall_guard_explain_recorded(guarded.handle, handles, 1, 0, text, sizeof text, NULL)));
#undef EACH
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_begun(recorder, 0, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_attempted(recorder, NULL, SEAWALL_OK, NULL, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_attempted(recorder, &record, SEAWALL_NEVER, NULL, NULL, 0));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_recorder_attempted(recorder, &record, SEAWALL_VOID, &decision, NULL, 0));
    decision.stage = 0;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_recorder_attempted(recorder, &record, SEAWALL_NEVER, &decision, NULL, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_finished(recorder, &record, SEAWALL_OUTCOME_SUCCESS, NULL, 0));
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_recorder_finished(recorder, &record, 9, &finished, 0));
    finished.verdict = 0;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_recorder_finished(recorder, &record, 1, &finished, 0));
    finished.verdict = SEAWALL_VERDICT_GIVE_UP;
    CHECK_STATUS(SEAWALL_E_VALUE, seawall_recorder_finished(recorder, &record, 1, &finished, 0));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_recorder_totals(recorder, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_snapshot_recorded(guarded.handle, NULL, 1, 0, NULL, &recorded));
    handles[0] = recorder;
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_snapshot_recorded(guarded.handle, handles, 1, 0, NULL, NULL));
    CHECK_STATUS(SEAWALL_E_NULL, seawall_guard_snapshot_recorded(NULL, handles, 1, 0, NULL, &recorded));
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_guard_snapshot_recorded(guarded.handle, handles, SIZE_MAX, 0, NULL, &recorded));
    CHECK_OK(seawall_guard_snapshot_recorded(guarded.handle, handles, 1, 0, NULL, &recorded));
    recorded.struct_size = 8;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_guard_snapshot_recorded(guarded.handle, handles, 1, 0, &snapshot, &recorded));
    CHECK_STATUS(SEAWALL_E_SIZE, seawall_guard_explain_recorded(guarded.handle, handles, 1, 0, text, 0, NULL));
    counts.struct_size = 640;
    CHECK_STATUS(SEAWALL_E_STRUCT_SIZE, seawall_recorder_totals(recorder, &counts));
    /* Whatever stands in a record, it is one or it is not. */
    for (bit = 0; bit < 256; ++bit) {
        seawall_status_t status;
        odd = record;
        odd.opaque[bit / 64] ^= UINT64_C(1) << (bit % 64);
        status = seawall_recorder_cancelled(recorder, &odd, 0);
        CHECK(status == SEAWALL_E_PERMIT || status == SEAWALL_OK);
    }
    CHECK(totals_of(recorder).begun == 1 && totals_of(recorder).admitted == 0);
    CHECK_OK(seawall_recorder_abandoned(recorder, &record, 0));
    CHECK_STATUS(SEAWALL_E_PERMIT, seawall_recorder_abandoned(recorder, &record, 0));
    CHECK_OK(seawall_recorder_fini(recorder));
    CHECK_STATUS(SEAWALL_E_UNINITIALISED, seawall_recorder_begun(recorder, 0, &record));
    storage_check(&storage);
}

#define WORKERS 4
#define CALLS 20000

static void *worker(void *nothing) {
    uint64_t at;
    for (at = 0; at < CALLS; ++at) {
        seawall_call_record_t record;
        CHECK_OK(seawall_recorder_begun(recorder, at * 10000, &record));
        CHECK_OK(seawall_recorder_abandoned(recorder, &record, at * 10000));
    }
    return nothing;
}

static void every_event_of_every_thread_is_counted_once_and_no_end_is_seen_without_its_beginning(void) {
    pthread_t threads[WORKERS];
    int at;
    make(SEAWALL_WRITERS_MANY);
    for (at = 0; at < WORKERS; ++at) CHECK(pthread_create(&threads[at], NULL, worker, NULL) == 0);
    for (at = 0; at < 1000; ++at) {
        const seawall_counts_t counts = totals_of(recorder);
        CHECK(counts.abandoned <= counts.begun);
    }
    for (at = 0; at < WORKERS; ++at) CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK(totals_of(recorder).begun == WORKERS * CALLS && totals_of(recorder).abandoned == WORKERS * CALLS);
    storage_check(&storage);
}

int main(void) {
    RUN(the_defaults_are_those_of_the_library_and_nothing_is_all_zero);
    RUN(what_becomes_of_calls_is_counted_and_measured);
    RUN(recorders_of_several_workers_read_as_one_and_say_why_the_breaker_is_open);
    RUN(a_recorder_has_one_owner_until_it_is_released_and_the_other_way_to_write_is_refused);
    RUN(a_configuration_that_is_out_of_range_is_named);
    RUN(a_workspace_is_as_large_as_is_said_wherever_it_begins_and_can_be_found_again);
    RUN(no_mistake_does_harm);
    RUN(every_event_of_every_thread_is_counted_once_and_no_end_is_seen_without_its_beginning);
    return 0;
}
