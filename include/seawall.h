/*
 * seawall: stops retry storms where they start, in the client.
 *
 * Made from ffi/src by scripts/header: change it there. C99 and C++11 or later.
 *
 * OBJECTS lie in your storage. One of a fixed size is a struct that you declare and its _init fills. One whose size
 * depends on its configuration lies in a workspace of the size that its _required_size tells: its _init gives you the
 * handle, and its _attach gives the handle of one that is there already, in memory that processes share. Nothing is
 * allocated, nothing is to be freed. Memory of zeros is no object. An object may be moved or copied by nobody while it
 * is used; it holds no pointer. A workspace may begin at any multiple of 8; one that is moved, or mapped elsewhere, has to
 * begin as far behind a multiple of 128 as it did, as pages do by themselves, and its _attach gives its new handle.
 *
 * TIME is an argument: now_ns, nanoseconds from an origin that you keep, as CLOCK_MONOTONIC has it (seawall_clock.h reads
 * that). Every value is legal, and an older one means that no time has passed. Durations are nanoseconds (_ns), ratios
 * parts per million (_ppm: 0 to 1,000,000).
 *
 * ANSWERS are seawall_status_t: 0 is done or admitted; above 0 is a no, which each function explains; below 0 is a
 * mistake in the call: nothing has changed, and nothing was written. "An object mistake" is one of SEAWALL_E_NULL,
 * SEAWALL_E_ALIGNMENT, SEAWALL_E_UNINITIALISED and SEAWALL_E_TYPE, of any pointer that a function takes.
 *
 * THREADS: "any" means that any number of threads may call it at the same time, for the same object, and signal handlers
 * too: no call takes a lock, waits, allocates or touches errno, and a thread that is stopped inside of one holds up nobody.
 * "Exclusive" means that nobody else uses the object meanwhile.
 *
 * WHAT CANNOT BE DETECTED: a pointer to memory that is not yours, or too small, or freed; an object that is used while it
 * is made, ended, moved or overwritten; a permit that is used by two threads at once, or with another object of its type
 * than the one that gave it; a copy of a reservation that is cancelled after the original, which counts as a refund; a copy
 * of a circuit breaker's permit that is used after the original, which counts as one more call if it was no probe's; a copy
 * of a lease that is used beside the original, which spends its tokens, less than a batch, twice; a copy of a call's record,
 * which counts again; a copy of an owner that another thread uses beside it, which loses counts.
 */


#ifndef SEAWALL_H
#define SEAWALL_H

#include <stddef.h>
#include <stdint.h>

/* The compiler warns of a caller who does not look at the answer. */
#ifndef SEAWALL_MUST_USE
#if defined(__GNUC__) || defined(__clang__)
#define SEAWALL_MUST_USE __attribute__((warn_unused_result))
#else
#define SEAWALL_MUST_USE
#endif
#endif

/* Nanoseconds in a second and in a millisecond; of 64 bits, so that a number of them does not overflow an int. */
#define SEAWALL_SECOND UINT64_C(1000000000)
#define SEAWALL_MILLISECOND UINT64_C(1000000)

/* Configurations of real defaults, to begin with. The tests hold them to those of the library. */
#define SEAWALL_RATE_INIT(count, period_ns) {(count), (period_ns)}
#define SEAWALL_WARM_UP_NONE {0, 0, {0, 1000000000}, 0}
#define SEAWALL_TOKEN_BUCKET_CONFIG_INIT \
    {sizeof(seawall_token_bucket_config_t), 10, {10, 1000000000}, UINT32_MAX, 0, SEAWALL_WARM_UP_NONE}
#define SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT \
    {sizeof(seawall_circuit_breaker_config_t), SEAWALL_TRIP_CONSECUTIVE, 10, 0, 0, 0, 0, 1000000000, 300000, 150, \
     5000000000, 3, 600000, 5000000000, 1000000000}
#define SEAWALL_RETRY_STRATEGY_CONFIG_INIT \
    {sizeof(seawall_retry_strategy_config_t), 3, UINT64_MAX, 100000000, 200, SEAWALL_JITTER_FULL, 20000000000, \
     300000000000}
#define SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE \
    {sizeof(seawall_retry_strategy_config_t), 8, UINT64_MAX, 1000000000, 200, SEAWALL_JITTER_ADDITIVE, 300000000000, \
     300000000000}
#define SEAWALL_ATTEMPT_FAILURE_INIT(attempt, error_class) \
    {sizeof(seawall_attempt_failure_t), (attempt), 0, UINT64_MAX, (error_class), 0, UINT64_MAX}
#define SEAWALL_CLASSIFICATION_RETRYABLE {SEAWALL_ERROR_CLASS_RETRYABLE, SEAWALL_RETRY_COST_ERROR, UINT64_MAX}
#define SEAWALL_CLASSIFICATION_TIMEOUT {SEAWALL_ERROR_CLASS_RETRYABLE, SEAWALL_RETRY_COST_TIMEOUT, UINT64_MAX}
#define SEAWALL_CLASSIFICATION_PERMANENT {SEAWALL_ERROR_CLASS_PERMANENT, SEAWALL_RETRY_COST_ERROR, UINT64_MAX}
#define SEAWALL_CLASSIFICATION_THROTTLED(retry_after_ns) \
    {SEAWALL_ERROR_CLASS_THROTTLED, SEAWALL_RETRY_COST_ERROR, (retry_after_ns)}
#define SEAWALL_RETRY_BUDGET_CONFIG_INIT \
    {sizeof(seawall_retry_budget_config_t), 100000, 10000000, 1000000, 1000000, 0, 10000000000}
#define SEAWALL_WINDOW_SUMMARY_INIT \
    {sizeof(seawall_window_summary_t), 0, 0, 0, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0}
#define SEAWALL_SLIDING_WINDOW_CONFIG_INIT {sizeof(seawall_sliding_window_config_t), 16, 30000000000, 512, 0}
#define SEAWALL_SHARDED_WINDOW_CONFIG_INIT \
    {sizeof(seawall_sharded_window_config_t), 16, 30000000000, 512, 8, SEAWALL_WRITERS_MANY, 0}
#define SEAWALL_RECORDER_CONFIG_INIT {sizeof(seawall_recorder_config_t), 8, 30000000000, 512, SEAWALL_WRITERS_MANY}
#define SEAWALL_COUNTS_INIT \
    {sizeof(seawall_counts_t), 0, 0, 0, 0, 0, 0, {0, 0, 0, 0}, 0, 0, 0, 0, {0, 0, 0, 0, 0, 0, 0}, \
     {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}, \
     {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}, {0, 0, 0, 0}}
#define SEAWALL_RECORDED_INIT \
    {sizeof(seawall_recorded_t), 0, UINT64_MAX, 0, SEAWALL_WINDOW_SUMMARY_INIT, SEAWALL_WINDOW_SUMMARY_INIT, \
     SEAWALL_COUNTS_INIT, SEAWALL_COUNTS_INIT}
#define SEAWALL_AIMD_CONTROLLER_CONFIG_INIT \
    {sizeof(seawall_aimd_controller_config_t), 500000, {5, 1000000000}, {1, 1000000000}, {100, 1000000000}, \
     {1, 1000000000}, 50000, 200000, 400000000, 30000000000, 10, 1000000000}
#define SEAWALL_LEASED_BUCKET_CONFIG_INIT \
    {sizeof(seawall_leased_bucket_config_t), 8, {10, 1000000000}, 10, UINT32_MAX, UINT32_MAX, 0, SEAWALL_WARM_UP_NONE}
#define SEAWALL_KEYED_BUCKETS_CONFIG_INIT {sizeof(seawall_keyed_buckets_config_t), 10, {10, 1000000000}, 64, 1}
#define SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT \
    {sizeof(seawall_concurrency_limit_config_t), 64, 2, 1, 64, 225, 4, 0, \
     250000000, 1000000000, 5000000000, 800000, 500000}
#define SEAWALL_REQUEST_INIT {sizeof(seawall_request_t), 0, 0, 1, 0, UINT64_MAX}
#define SEAWALL_SNAPSHOT_INIT \
    {sizeof(seawall_snapshot_t), 0, 0, 0, 0, 0, 0, 0, {0, 0}, {0, 0}, 0, 0, 0, 0, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, \
     {0, 0, 0}}
#define SEAWALL_GUARD_MODES_ENFORCE {{1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}
#define SEAWALL_GUARD_MODES_SHADOW {{2, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}}
#define SEAWALL_GUARD_CONFIG_INIT \
    {sizeof(seawall_guard_config_t), 1, 1000000000, 2, 3, SEAWALL_WARM_UP_NONE, SEAWALL_GUARD_MODES_ENFORCE, \
     {sizeof(seawall_token_bucket_config_t), 20, {320, 1000000000}, 1, 0, SEAWALL_WARM_UP_NONE}, {0, 0, 0, 0}, \
     {sizeof(seawall_circuit_breaker_config_t), SEAWALL_TRIP_CONSECUTIVE, 4, 0, 0, 0, 0, 100000000, 300000, 100, \
      130000000, 1, 1000000, 5000000000, 0}, {0, 0, 0, 0}, \
     {sizeof(seawall_concurrency_limit_config_t), 64, 4, 1, 64, 225, 4, 0, 250000000, 1000000000, 5000000000, 800000, \
      500000}, {0, 0, 0, 0}, \
     {sizeof(seawall_retry_strategy_config_t), 4, UINT64_MAX, 100000000, 200, SEAWALL_JITTER_FULL, 10000000000, \
      300000000000}, {0, 0, 0, 0}, \
     {sizeof(seawall_retry_budget_config_t), 120000, 10000000, 1000000, 1000000, 0, 60000000000}, {0, 0, 0, 0}, \
     {sizeof(seawall_keyed_buckets_config_t), 10, {10, 1000000000}, 0, 1}, {0, 0, 0, 0}, 0}


/// The rate was cut: too many calls failed.
#define SEAWALL_RATE_REASON_ERRORS 1

/// The rate was cut: calls took too long.
#define SEAWALL_RATE_REASON_LATENCY 2

/// The rate grew: all is well, and the rate is in use.
#define SEAWALL_RATE_REASON_HEALTHY 3

/// The call is over: it succeeded, or was ignored.
#define SEAWALL_VERDICT_DONE 1

/// Ask again for an attempt, not before `retry_at_ns`. The retry is paid for.
#define SEAWALL_VERDICT_RETRY_AT 2

/// The call is not sent again, for the reason in `give_up`.
#define SEAWALL_VERDICT_GIVE_UP 3

/// Opens after `threshold` failures in a row. Nothing is written while all is well.
#define SEAWALL_TRIP_CONSECUTIVE 1

/// Opens on a share of failures among the last calls. Nothing is written while all of a full window succeeded.
#define SEAWALL_TRIP_FAILURE_SHARE 2

/// Opens on a share of slow calls among the last calls. A failure counts as slow, however fast it came.
#define SEAWALL_TRIP_SLOW_SHARE 3

/// It may succeed later: a lost connection, a time-out, a server error.
#define SEAWALL_ERROR_CLASS_RETRYABLE 1

/// It may succeed later, and the server asked to be spared until then.
#define SEAWALL_ERROR_CLASS_THROTTLED 2

/// It will fail again however often it is sent: the request itself is at fault.
#define SEAWALL_ERROR_CLASS_PERMANENT 3

/// The deadline of the call.
#define SEAWALL_STAGE_DEADLINE 1

/// The pause that a server asked for.
#define SEAWALL_STAGE_PAUSE 2

/// The circuit breaker.
#define SEAWALL_STAGE_CIRCUIT_BREAKER 3

/// The limit of calls in flight.
#define SEAWALL_STAGE_CONCURRENCY_LIMIT 4

/// The token bucket.
#define SEAWALL_STAGE_TOKEN_BUCKET 5

/// The retry budget.
#define SEAWALL_STAGE_RETRY_BUDGET 6

/// The bucket of the key.
#define SEAWALL_STAGE_KEYED_BUCKET 7

/// The stage refuses.
#define SEAWALL_MODE_ENFORCE 1

/// The stage says what it would refuse, and lets it pass.
#define SEAWALL_MODE_SHADOW 2

/// The stage refuses calls of `share_ppm` of the keys, and is in shadow for the others.
#define SEAWALL_MODE_CANARY 3

/// The stage is neither read nor written.
#define SEAWALL_MODE_OFF 4

/// `retry_streak` of a guard that bounds the failures in a row by nothing but its breaker.
#define SEAWALL_NO_STREAK UINT32_MAX

/// A new key passes without a limit while the table has no place for it, and is counted: for a limit that keeps shares
/// fair, beside one that holds the total.
#define SEAWALL_FAIL_OPEN 1

/// A new key is refused with `SEAWALL_NO_PLACE` while the table has no place for it: for a limit that must never be passed.
/// Who makes up keys can then keep newcomers out.
#define SEAWALL_FAIL_CLOSED 2

/// Batches of 64, or of as many tokens as keep what may lie in all shards within a thirty-second of the burst; at least 1,
/// and with 1 it is a plain bucket.
#define SEAWALL_BATCH_BY_BURST UINT32_MAX

/// What a retry takes where the attempt was answered with an error: one token.
#define SEAWALL_RETRY_COST_ERROR 1000000

/// Where the attempt was not answered in time: two tokens, for its work is still going on in the server.
#define SEAWALL_RETRY_COST_TIMEOUT 2000000

/// A second send while the first is still under way (a hedge): one token, as it is load like any retry.
#define SEAWALL_RETRY_COST_HEDGE 1000000

/// No random part: clients that failed together come back together. For one client alone, or for tests.
#define SEAWALL_JITTER_NONE 0

/// The exponential term and up to one base delay more: nearly the exponential curve, a narrow spread.
#define SEAWALL_JITTER_ADDITIVE 1

/// Between half of the term and all of it: a guaranteed wait, half of the spread.
#define SEAWALL_JITTER_EQUAL 2

/// Anywhere up to the term: the least work for the server, or level with the least.
#define SEAWALL_JITTER_FULL 3

/// Anywhere between the base and three times the previous delay; ignores factor and attempt.
#define SEAWALL_JITTER_DECORRELATED 4

/// The error is permanent: the same request would fail again.
#define SEAWALL_GIVE_UP_PERMANENT 1

/// All attempts are made.
#define SEAWALL_GIVE_UP_ATTEMPTS_EXHAUSTED 2

/// The next attempt would start at or after the deadline.
#define SEAWALL_GIVE_UP_DEADLINE_EXCEEDED 3

/// The server asked for a longer pause than `retry_after_cap_ns`.
#define SEAWALL_GIVE_UP_RETRY_AFTER_TOO_LONG 4

/// The retry budget is spent: the service fails too much of what it gets.
#define SEAWALL_GIVE_UP_BUDGET_SPENT 5

/// The attempt was reported to a guard with a permit that was void.
#define SEAWALL_GIVE_UP_PERMIT_VOID 6

/// The circuit breaker of a guard is not closed, or too many calls in a row have failed.
#define SEAWALL_GIVE_UP_SERVICE_FAILING 7

/// Anybody writes: each step is one that locks a cache line.
#define SEAWALL_WRITERS_MANY 1

/// One owner at a time writes, by plain loads and stores.
#define SEAWALL_WRITERS_ONE 2

/// With so much memory no text of `seawall_guard_explain` is ever cut; most are under 500 bytes.
#define SEAWALL_LONGEST_EXPLANATION 4097

/// Done, or admitted.
#define SEAWALL_OK 0

/// Refused for now: after `retry_after_ns` it is worth asking again.
#define SEAWALL_NOT_YET 1

/// Refused for good: more is asked for than can ever be admitted.
#define SEAWALL_NEVER 2

/// Refused, as `now_ns` is so far behind that the clock must have been set back: rebase the object.
#define SEAWALL_CLOCK_STEPPED 3

/// Refused, as the table has no place for another key.
#define SEAWALL_NO_PLACE 4

/// Nothing was done: the permit, reservation or record was used before, or has lapsed.
#define SEAWALL_VOID 5

/// Nothing was done: giving back could admit too many, or nothing is to be changed.
#define SEAWALL_NOTHING_DONE 6

/// Not changed: as many changes as may be under way at once are. Try again.
#define SEAWALL_CONTENDED 7

/// Not changed: the range of the object's words is spent. Make a new one.
#define SEAWALL_RANGE_SPENT 8

/// There is no such value, as nothing was measured or none is set.
#define SEAWALL_NONE 9

/// Not owned: somebody owns the shard.
#define SEAWALL_TAKEN 10

/// Do not send the call again: a `SEAWALL_GIVE_UP_…` says why.
#define SEAWALL_GIVE_UP 11

/// A pointer is NULL that may not be.
#define SEAWALL_E_NULL -1

/// A pointer is not aligned as what it points to has to be: objects, and structs that have a 64-bit field, to 8 bytes.
#define SEAWALL_E_ALIGNMENT -2

/// The object was not initialised.
#define SEAWALL_E_UNINITIALISED -3

/// The object is of another type, or of another ABI.
#define SEAWALL_E_TYPE -4

/// The `struct_size` of a struct is smaller than in any version, no multiple of 8, or of a later version whose new fields
/// are not 0.
#define SEAWALL_E_STRUCT_SIZE -5

/// The workspace is smaller than `_required_size` says.
#define SEAWALL_E_WORKSPACE -6

/// Not a permit, reservation, call, lease or record: zeroed by the call that ended it, or never filled.
#define SEAWALL_E_PERMIT -7

/// A number that stands for one of a few things (an outcome, a mode, a curve, a stage) is none of them, or a reserved field
/// is not 0.
#define SEAWALL_E_VALUE -8

/// A size (slots, shards, groups, slices, cells) is out of its range.
#define SEAWALL_E_SIZE -9

/// The period of a rate is 0.
#define SEAWALL_E_RATE_ZERO_PERIOD -10

/// A ratio is over 1,000,000 parts per million.
#define SEAWALL_E_RATIO -11

/// The object was made for the other kind of writer (`writers`): for owners and not for anybody, or the other way round.
/// Nothing was counted.
#define SEAWALL_E_WRITER -12

/// `burst` is 0.
#define SEAWALL_E_BUCKET_ZERO_BURST -100

/// `rate` is over one a nanosecond.
#define SEAWALL_E_BUCKET_RATE_TOO_FAST -101

/// `warm_up.duration_ns` is over a year.
#define SEAWALL_E_BUCKET_WARM_UP_TOO_LONG -102

/// `batch` is 0.
#define SEAWALL_E_BUCKET_ZERO_BATCH -103

/// `batch` is over 65,536.
#define SEAWALL_E_BUCKET_BATCH_TOO_LARGE -104

/// `burst` is not over `shards` x (`batch` - 1).
#define SEAWALL_E_BUCKET_BURST_UNDER_LEASES -105

/// `burst` is 0.
#define SEAWALL_E_KEYED_ZERO_BURST -120

/// `rate` is over one a microsecond.
#define SEAWALL_E_KEYED_RATE_TOO_FAST -121

/// A new rate is too far over the first one: allowed are 15,258 a second, and a thousand times the first.
#define SEAWALL_E_KEYED_RATE_TOO_FAR_UP -122

/// `floor` is 0.
#define SEAWALL_E_LIMIT_FLOOR -140

/// `ceiling` is over the slots.
#define SEAWALL_E_LIMIT_CEILING -141

/// `start` is not between `floor` and `ceiling`.
#define SEAWALL_E_LIMIT_START -142

/// `slow_after_ns` is 0.
#define SEAWALL_E_LIMIT_SLOW_AFTER -143

/// `timeout_ns` is under `slow_after_ns`.
#define SEAWALL_E_LIMIT_TIMEOUT -144

/// A factor of decrease is 1,000,000 ppm.
#define SEAWALL_E_LIMIT_FACTOR -145

/// `lease_ns` is under `timeout_ns`.
#define SEAWALL_E_LIMIT_LEASE -146

/// `tolerance_percent` is out of range.
#define SEAWALL_E_LIMIT_TOLERANCE -147

/// `saturated_after` is over 60.
#define SEAWALL_E_LIMIT_SATURATION -148

/// `threshold` is 0.
#define SEAWALL_E_BREAKER_CONSECUTIVE -160

/// `share_ppm` is 0.
#define SEAWALL_E_BREAKER_SHARE -161

/// `window` is out of range.
#define SEAWALL_E_BREAKER_WINDOW -162

/// `minimum` is out of range.
#define SEAWALL_E_BREAKER_MINIMUM -163

/// `slower_than_ns` is 0.
#define SEAWALL_E_BREAKER_SLOWER_THAN -164

/// `open_for_ns` is 0.
#define SEAWALL_E_BREAKER_OPEN_FOR -165

/// `open_jitter_ppm` is 1,000,000.
#define SEAWALL_E_BREAKER_OPEN_JITTER -166

/// `open_growth_percent` is under 100.
#define SEAWALL_E_BREAKER_OPEN_GROWTH -167

/// `open_cap_ns` is under `open_for_ns`.
#define SEAWALL_E_BREAKER_OPEN_CAP -168

/// `probes` is out of range.
#define SEAWALL_E_BREAKER_PROBES -169

/// `probe_lease_ns` is 0.
#define SEAWALL_E_BREAKER_PROBE_LEASE -170

/// `close_share_ppm` is 0.
#define SEAWALL_E_BREAKER_CLOSE_SHARE -171

/// `max_attempts` is 0.
#define SEAWALL_E_RETRY_ZERO_ATTEMPTS -180

/// `total_deadline_ns` is 0.
#define SEAWALL_E_RETRY_ZERO_DEADLINE -181

/// `factor_percent` is under 100.
#define SEAWALL_E_RETRY_FACTOR_UNDER_ONE -182

/// `base_delay_ns` is over `max_delay_ns`.
#define SEAWALL_E_RETRY_BASE_OVER_MAX -183

/// The cap is over 1,000 tokens.
#define SEAWALL_E_BUDGET_CAP_TOO_LARGE -200

/// The initial tokens are over the cap.
#define SEAWALL_E_BUDGET_INITIAL_OVER_CAP -201

/// The floor is over the cap.
#define SEAWALL_E_BUDGET_FLOOR_OVER_CAP -202

/// A lifetime is under 100 ms.
#define SEAWALL_E_BUDGET_LIFETIME_TOO_SHORT -203

/// `window_ns` is under a millisecond.
#define SEAWALL_E_WINDOW_TOO_SHORT -220

/// `window_ns` is over 365 days.
#define SEAWALL_E_WINDOW_TOO_LONG -221

/// `min_rate` is under a millionth per second.
#define SEAWALL_E_AIMD_MIN_RATE_TOO_LOW -240

/// `max_rate` is over 10^12 per second.
#define SEAWALL_E_AIMD_MAX_RATE_TOO_HIGH -241

/// `initial_rate` is not between `min_rate` and `max_rate`.
#define SEAWALL_E_AIMD_RATES_OUT_OF_ORDER -242

/// `step` is under a millionth per second.
#define SEAWALL_E_AIMD_STEP_TOO_SMALL -243

/// `factor_ppm` is 1,000,000.
#define SEAWALL_E_AIMD_FACTOR_TOO_LARGE -244

/// `interval_ns` is 0.
#define SEAWALL_E_AIMD_ZERO_INTERVAL -245

/// `minimum_samples` is 0.
#define SEAWALL_E_AIMD_ZERO_MINIMUM_SAMPLES -246

/// `call_timeout_ns` is 0.
#define SEAWALL_E_GUARD_ZERO_TIMEOUT -260

/// `timeout_weight` is 0.
#define SEAWALL_E_GUARD_ZERO_TIMEOUT_WEIGHT -261

/// `ramp.duration_ns` is over a year.
#define SEAWALL_E_GUARD_RAMP_TOO_LONG -262

/// A mode was given for a stage that has none.
#define SEAWALL_E_GUARD_STAGE_WITHOUT_MODE -263

/// The limit grew: good replies while at least half of it was used.
#define SEAWALL_LIMIT_REASON_GROWTH 1

/// A reply was slow.
#define SEAWALL_LIMIT_REASON_SLOW 2

/// A call timed out.
#define SEAWALL_LIMIT_REASON_TIMEOUT 3

/// The service asked to be spared.
#define SEAWALL_LIMIT_REASON_THROTTLED 4

/// The caller set the limit, or set bounds that it lay beyond.
#define SEAWALL_LIMIT_REASON_SET 5

/// Failures came at once, in a row, while the limit stayed full: the service refuses what it gets too much of.
#define SEAWALL_LIMIT_REASON_REFUSED 6

/// All of the tokens that the bucket holds.
#define SEAWALL_FILL_FULL UINT32_MAX

/// A duration that is not known, or has no bound.
#define SEAWALL_UNKNOWN UINT64_MAX

/// A ratio that is not known.
#define SEAWALL_UNKNOWN_PPM UINT32_MAX

/// No warm-up's curve: `from` until `duration_ns` is over, then the whole rate.
#define SEAWALL_CURVE_STEP 0

/// The rate climbs evenly.
#define SEAWALL_CURVE_LINEAR 1

/// The rate climbs by an equal factor in equal times.
#define SEAWALL_CURVE_EXPONENTIAL 2

/// It went well.
#define SEAWALL_OUTCOME_SUCCESS 1

/// It failed, or nobody answered in time.
#define SEAWALL_OUTCOME_FAILURE 2

/// The service said that it has too much to do; it may have said for how long.
#define SEAWALL_OUTCOME_THROTTLED 3

/// It says nothing of the service: cancelled, or a mistake of the caller's.
#define SEAWALL_OUTCOME_IGNORED 4

/// The breaker lets calls through.
#define SEAWALL_STATE_CLOSED 1

/// It lets none through.
#define SEAWALL_STATE_OPEN 2

/// It lets probes through.
#define SEAWALL_STATE_HALF_OPEN 3

/// As many calls in a row failed as the rule allows.
#define SEAWALL_CAUSE_CONSECUTIVE_FAILURES 1

/// The share of failed calls in the window reached the rule's.
#define SEAWALL_CAUSE_FAILURE_SHARE 2

/// The share of slow or failed calls in the window reached the rule's.
#define SEAWALL_CAUSE_SLOW_SHARE 3

/// The caller tripped it, on evidence of its own.
#define SEAWALL_CAUSE_TRIPPED 4

/// The open interval is over.
#define SEAWALL_CAUSE_INTERVAL_OVER 5

/// Enough probes succeeded.
#define SEAWALL_CAUSE_PROBES_SUCCEEDED 6

/// So many probes failed that the rest could not have saved the verdict.
#define SEAWALL_CAUSE_PROBES_FAILED 7

/// The caller forced it.
#define SEAWALL_CAUSE_FORCED 8

/// The caller reset it.
#define SEAWALL_CAUSE_RESET 9

/// The end of the open interval lay further ahead than any reaches: the clock stepped, and it was given up for over.
#define SEAWALL_CAUSE_CLOCK_STEPPED 10

/// The major version of the library that this header is of.
#define SEAWALL_VERSION_MAJOR 0

/// The minor version.
#define SEAWALL_VERSION_MINOR 1

/// The patch version.
#define SEAWALL_VERSION_PATCH 0

/// The number of the ABI: it changes when a program that was built with another header would not run, or when what lies in
/// an object or a workspace would be read otherwise than it was written. It is the number in the name `libseawall.so.1`.
#define SEAWALL_ABI_VERSION 1

/// A limit of the calls in flight. It lies in a workspace; this is its handle.
typedef struct seawall_concurrency_limit_t seawall_concurrency_limit_t;

/// Guards the calls to one service. It lies in a workspace; this is its handle.
///
/// How a call goes: `seawall_guard_begin`. Then `seawall_guard_try_attempt`: refused with `SEAWALL_NOT_YET` or
/// `SEAWALL_NO_PLACE`, ask again after `decision->retry_after_ns`; otherwise refused, or no longer wanted,
/// `seawall_guard_abandon`. Admitted, send it, wait for at most the time-out that the guard was made for, and say by
/// `seawall_guard_finish` how it ended: `SEAWALL_VERDICT_RETRY_AT` is to ask again at `finished->retry_at_ns`, any other
/// verdict ends the call.
typedef struct seawall_guard_t seawall_guard_t;

/// A table of buckets by key. It lies in a workspace; this is its handle.
typedef struct seawall_keyed_buckets_t seawall_keyed_buckets_t;

/// A token bucket for many cores: each shard takes tokens in batches and spends them alone. It lies in a workspace; this is
/// its handle.
typedef struct seawall_leased_bucket_t seawall_leased_bucket_t;

/// Counts and measures what one worker does through a guard. Shared by several it is slower, and counts no less. It
/// lies in a workspace; this is its handle.
typedef struct seawall_recorder_t seawall_recorder_t;

/// A sliding window for many cores: each worker records into a shard of its own, and whoever asks reads all as one. It lies
/// in a workspace; this is its handle.
typedef struct seawall_sharded_window_t seawall_sharded_window_t;

/// Counts, error rate and latency quantiles of the last stretch of time, recorded by any number of threads. It lies in a
/// workspace; this is its handle.
typedef struct seawall_sliding_window_t seawall_sliding_window_t;

/// What a call answers: 0 is done, above 0 is a no (see each function), below 0 is a mistake of the caller's, after which
/// nothing has changed and no out-parameter was written. `seawall_status_text` says each in words.
typedef int32_t seawall_status_t;

/// `count` per `period_ns` nanoseconds; a `count` of 0 is never. The period is 1 and more.
typedef struct {
    /// How many.
    uint64_t count;
    /// In how many nanoseconds.
    uint64_t period_ns;
} seawall_rate_t;

/// How a controller behaves. Begin with `SEAWALL_AIMD_CONTROLLER_CONFIG_INIT`: from 5 a second between 1 and 100, + 1 or
/// x 0.5 every 30 s, on 5 % errors or a p95 of 400 ms, judged on 10 samples or more; up to 20 % failures and a p95 of one
/// second can be learned as healthy.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// What the rate is multiplied by in a cut, 0 (cuts to the floor) to 999,999.
    uint32_t factor_ppm;
    /// The rate to start from, `min_rate` to `max_rate`.
    seawall_rate_t initial_rate;
    /// The floor: never cut below this. A millionth a second and more: a cut to zero would end all evidence and never be
    /// undone.
    seawall_rate_t min_rate;
    /// The ceiling, at most 10^12 a second.
    seawall_rate_t max_rate;
    /// What the rate grows by, an interval; a millionth a second and more.
    seawall_rate_t step;
    /// A larger share of failures than this, over the baseline, is an overload. 0 to 1,000,000, which means that errors
    /// never are.
    uint32_t error_threshold_ppm;
    /// The largest share of failures that can be learned as healthy, 0 (the threshold holds as it stands) to 1,000,000.
    uint32_t error_baseline_max_ppm;
    /// A p95 over this is an overload. `UINT64_MAX`: slowness never is.
    uint64_t latency_threshold_ns;
    /// At most one change in so long: longer than an overload takes to show, and a cut to help. 1 and more.
    uint64_t interval_ns;
    /// No judgement on fewer samples than this; until then they add up. 1 and more.
    uint64_t minimum_samples;
    /// The longest p95 that can be learned as healthy; 0: the threshold holds as it stands.
    uint64_t latency_baseline_max_ns;
} seawall_aimd_controller_config_t;

/// A controller of a rate: it grows the rate step by step, and cuts it when calls fail or take too long. Feed it the
/// figures of a sliding window every second or so, and hand each change to the bucket, as by
/// `seawall_token_bucket_set_rate`. It judges at most once an interval, however often and from however many threads it
/// is asked.
typedef struct {
    /// The library's own.
    uint64_t opaque[32];
} seawall_aimd_controller_t;

/// What a window saw: of a sliding window, or measured by yourself. Begin with `SEAWALL_WINDOW_SUMMARY_INIT`: nothing.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved;
    /// How many calls finished in the window.
    uint64_t count;
    /// How many of them failed.
    uint64_t errors;
    /// How much time they stand for: less than the window at first, and at least one slice.
    uint64_t observed_ns;
    /// The mean latency; `SEAWALL_UNKNOWN` if the window is empty, as for all latencies here.
    uint64_t mean_ns;
    /// The longest latency.
    uint64_t max_ns;
    /// The median latency.
    uint64_t p50_ns;
    /// The latency that 95 % of calls kept to.
    uint64_t p95_ns;
    /// The latency that 99 % of calls kept to.
    uint64_t p99_ns;
    /// Calls since the window was made.
    uint64_t total_count;
    /// Failed calls since the window was made.
    uint64_t total_errors;
} seawall_window_summary_t;

/// A change of the rate, told to the one caller that brought it about: the bucket does not know of it yet.
typedef struct {
    /// The rate until now.
    seawall_rate_t from;
    /// The rate from now on.
    seawall_rate_t to;
    /// Why, a `SEAWALL_RATE_REASON_…`.
    uint32_t reason;
    /// 0.
    uint32_t reserved;
} seawall_rate_change_t;

/// Leave to send one call. A value of the caller's: forgotten, it holds at most a probe's place, and that until its lease
/// lapses. It is for the breaker that gave it, which does not know it from one of another breaker.
///
/// Of copies of a permit one is to be used. A second result of a probe is ignored, as are all of an earlier generation; a
/// second result of a call that was no probe counts as one more call.
typedef struct {
    /// The library's own. `seawall_circuit_breaker_finish` and `seawall_circuit_breaker_cancel` zero it.
    uint64_t opaque[4];
} seawall_breaker_permit_t;

/// One logical call, from its beginning through all its attempts. A value of the caller's with one user at a time;
/// `seawall_guard_begin` fills it. A copy is the same call as it stood then: go on with one of them and forget the other.
typedef struct {
    /// The library's own.
    uint64_t opaque[12];
} seawall_call_t;

/// How a circuit breaker judges. Begin with `SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT`: ten failures in a row; open for 1 s
/// +- 30 %, growing by half to at most 5 s; three probes on a lease of 5 s, two of which must succeed; a ramp of 1 s.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// On what evidence it opens, a `SEAWALL_TRIP_…`. Only a bad call opens it, never a good one.
    uint32_t rule;
    /// `SEAWALL_TRIP_CONSECUTIVE` only: so many failures in a row, 1 and more.
    uint32_t threshold;
    /// Both shares only: opens when at least this share was bad, 1 to 1,000,000.
    uint32_t share_ppm;
    /// Both shares only: how many of the last calls are judged, 1 to 32. For more keep a sliding window, and call
    /// `seawall_circuit_breaker_trip`.
    uint32_t window;
    /// Both shares only: how many calls must have ended before there is a verdict, 1 to `window`. A client with few calls
    /// needs a small one: at 0.3 calls a second, twenty are more than a minute.
    uint32_t minimum;
    /// `SEAWALL_TRIP_SLOW_SHARE` only: a call that took longer than this is slow; 1 and more.
    uint64_t slower_than_ns;
    /// How long it stays open, 1 and more: the class of the call's own time-out. A long interval refuses good calls long
    /// after the service is well again.
    uint64_t open_for_ns;
    /// How far the open interval is drawn up or down, as a share of it, 0 to 999,999: so that a fleet that tripped together
    /// does not come back together. The cap holds after the draw.
    uint32_t open_jitter_ppm;
    /// To how many per cent of itself the interval grows at each failed verdict of the probes in a row, 100 (no growth) and
    /// more. At most fifteen steps.
    uint32_t open_growth_percent;
    /// The longest open interval, jitter included; `open_for_ns` and more.
    uint64_t open_cap_ns;
    /// How many probes judge the service when the interval is over, 1 to 8. No more than so many are ever out.
    uint32_t probes;
    /// The share of the probes that must succeed, 1 to 1,000,000; rounded up to whole probes.
    uint32_t close_share_ppm;
    /// How long a probe may stay out before another may take its place, 1 and more. Longer than the call's time-out, or
    /// probes are replaced before they can report.
    uint64_t probe_lease_ns;
    /// How long after the re-close the share of calls that pass rises, from an eighth to all of them; 0 is at once.
    uint64_t ramp_ns;
} seawall_circuit_breaker_config_t;

/// A circuit breaker. Its size is the same for every configuration; `seawall_circuit_breaker_init` makes it. Let it judge
/// whole calls, not each attempt: with one shard of four down a quarter of the calls fail, but more than half of the
/// attempts.
typedef struct {
    /// The library's own.
    uint64_t opaque[24];
} seawall_circuit_breaker_t;

/// A change of a circuit breaker's state, told once, to the call that made it. All zeros where there was none: look at
/// `to` first.
typedef struct {
    /// The state before, a `SEAWALL_STATE_…`.
    uint32_t from;
    /// The state after, a `SEAWALL_STATE_…`; 0 where nothing changed.
    uint32_t to;
    /// Why, a `SEAWALL_CAUSE_…`.
    uint32_t cause;
    /// How many changes the breaker had made, this one included, modulo its range.
    uint32_t generation;
    /// Whose breaker: the shard of a guard, else 0.
    uint32_t shard;
    /// 0.
    uint32_t reserved;
} seawall_transition_t;

/// What an admission or a refusal says beside its status.
typedef struct {
    /// Refused with `SEAWALL_NOT_YET` or `SEAWALL_NO_PLACE`: after how long it is worth asking again. `SEAWALL_UNKNOWN`
    /// where nobody knows: ask when a call of yours has ended, or after a while of your choice. Else 0.
    uint64_t retry_after_ns;
    /// How much is left after this answer: tokens of a bucket, free slots of a limit, else 0. Others may take it at once.
    uint32_t remaining;
    /// Who refused, a `SEAWALL_STAGE_…`; 0 where nobody did.
    uint32_t stage;
} seawall_decision_t;

/// What is known of one failed attempt. Begin with `SEAWALL_CLASSIFICATION_RETRYABLE`, `SEAWALL_CLASSIFICATION_TIMEOUT`,
/// `SEAWALL_CLASSIFICATION_PERMANENT` or `SEAWALL_CLASSIFICATION_THROTTLED(retry_after_ns)`.
typedef struct {
    /// What kind of failure it was, a `SEAWALL_ERROR_CLASS_…`: for a `seawall_attempt_failure_t`.
    uint32_t error_class;
    /// What a retry takes from a retry budget: for `seawall_retry_budget_try_withdraw`.
    uint32_t cost_millionths;
    /// How long the server asked to be spared, counted from its answer; `SEAWALL_UNKNOWN` where it did not say.
    uint64_t retry_after_ns;
} seawall_classification_t;

/// How a limit of the calls in flight adapts. Begin with `SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT`: from 2, between 1 and 64;
/// slow after 250 ms, or after 225 % of the usual latency where that is longer; timed out after 1 s; leases of 5 s.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// How many slots there are: 1 to 65,535, 8 bytes each. What it was made with stays.
    uint32_t slots;
    /// The first limit: `floor` to `ceiling`.
    uint32_t start;
    /// The limit never falls below this: 1 and more.
    uint32_t floor;
    /// The limit never rises above this: at most the slots.
    uint32_t ceiling;
    /// From which share of the usual latency on a reply is a sign of congestion, if that is over `slow_after_ns`: 100 to
    /// 10,000 percent; 0: nothing is learnt.
    uint32_t tolerance_percent;
    /// After how many reports in a row that met it full the limit counts as what holds the traffic back: 0 to 60. 0: the
    /// first slow reply that meets it full cuts it.
    uint32_t saturated_after;
    /// 0.
    uint32_t reserved;
    /// A reply that took no longer is never a sign of congestion: 1 and more. A quarter of the call's time-out serves well.
    uint64_t slow_after_ns;
    /// A failure that took at least so long was a time-out: `slow_after_ns` and more.
    uint64_t timeout_ns;
    /// How long a permit that is never given back holds its slot: `timeout_ns` and more.
    uint64_t lease_ns;
    /// What a slow or a throttled reply leaves of the limit: under 1,000,000.
    uint32_t slow_factor_ppm;
    /// What a time-out leaves of the limit: under 1,000,000.
    uint32_t timeout_factor_ppm;
} seawall_concurrency_limit_config_t;

/// One call in flight. A value of the caller's; lost, it frees its slot when the lease lapses.
typedef struct {
    /// The library's own. What ends the permit zeroes it.
    uint64_t opaque[4];
} seawall_limit_permit_t;

/// A change of a limit by a whole call or more, told once, to the call that made it. All zeros where there was none: look
/// at `reason` first.
typedef struct {
    /// The limit before.
    uint32_t from;
    /// The limit after.
    uint32_t to;
    /// Why, a `SEAWALL_LIMIT_REASON_…`; 0 where nothing changed.
    uint32_t reason;
    /// 0.
    uint32_t reserved;
} seawall_limit_change_t;

/// How a rate climbs after a start. Zeros, but for the period of `from`, are none.
typedef struct {
    /// A `SEAWALL_CURVE_…`.
    uint32_t curve;
    /// 0.
    uint32_t reserved;
    /// The rate at the beginning. Where `duration_ns` is 0 it is not looked at.
    seawall_rate_t from;
    /// How long it climbs: 0 (no warm-up) to 365 days.
    uint64_t duration_ns;
} seawall_warm_up_t;

/// What a stage of a guard does with the calls that it would refuse. What holds for a call is decided when it begins, and
/// holds for all its attempts.
typedef struct {
    /// A `SEAWALL_MODE_…`.
    uint32_t mode;
    /// `SEAWALL_MODE_CANARY` only: the share of the keys, 0 to 1,000,000; who is in a small share is in a larger one.
    /// Else 0.
    uint32_t share_ppm;
} seawall_mode_t;

/// The mode of each stage of a guard that has one: all but the deadline of a call.
typedef struct {
    /// The pause that the server asked for. Off: a Retry-After counts for its own call only.
    seawall_mode_t pause;
    /// The circuit breakers.
    seawall_mode_t breaker;
    /// The limit of the calls in flight. Enforced, its slot tells whether a permit is good.
    seawall_mode_t limit;
    /// The token bucket.
    seawall_mode_t bucket;
    /// The retry budget. Off: retries are free, up to `retry.max_attempts`.
    seawall_mode_t budget;
    /// The buckets by key, of a guard that has them; any other heeds no mode here.
    seawall_mode_t keyed;
} seawall_guard_modes_t;

/// Rate, burst, first fill and warm-up of a token bucket. Begin with `SEAWALL_TOKEN_BUCKET_CONFIG_INIT`: ten a second, ten
/// at once, full, no warm-up; or with `seawall_token_bucket_config_for`.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// The most tokens that the bucket holds, and that one call may take: 1 and more.
    uint32_t burst;
    /// What is earned: 0 to one a nanosecond.
    seawall_rate_t rate;
    /// The tokens at the start, at most the burst; `SEAWALL_FILL_FULL` for all.
    uint32_t fill_tokens;
    /// 0.
    uint32_t reserved;
    /// How the rate climbs after the start.
    seawall_warm_up_t warm_up;
} seawall_token_bucket_config_t;

/// What a retry strategy is made of. Begin with `SEAWALL_RETRY_STRATEGY_CONFIG_INIT`, for a user who waits: three
/// sends, 100 ms doubling up to 20 s, full jitter; or with `SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE`, for a message that
/// must arrive and that nobody waits for: eight sends, 1 s doubling up to 300 s, each with up to a second on top.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// How often one call is sent in all, the first time included; 1 (never again) and more.
    uint32_t max_attempts;
    /// How long the call may take in all, waits included: no attempt starts at or after it. 1 and more;
    /// `SEAWALL_UNKNOWN`: as long as the attempts take.
    uint64_t total_deadline_ns;
    /// The delay after the first failure, before jitter: 0 (at once) to `max_delay_ns`.
    uint64_t base_delay_ns;
    /// By how much the delay grows with each failure, in per cent: 200 doubles, 100 keeps it. 100 and more.
    uint32_t factor_percent;
    /// How clients are kept apart, a `SEAWALL_JITTER_…`.
    uint32_t jitter;
    /// The longest delay of our own, jitter included. A server may ask for more.
    uint64_t max_delay_ns;
    /// The longest pause of a server's that is waited for; at a longer one the call is given up.
    uint64_t retry_after_cap_ns;
} seawall_retry_strategy_config_t;

/// What a retry budget is made of. Begin with `SEAWALL_RETRY_BUDGET_CONFIG_INIT`: one retry per ten successes, at most ten
/// saved, one to begin with, ten seconds of memory; or with `seawall_retry_budget_config_for`.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// What a first try that succeeds earns: the share of retries that a healthy service can sustain, 0 to 1,000,000.
    uint32_t share_ppm;
    /// The most that the budget ever holds: 0 (never a retry) to 1,000,000,000.
    uint32_t cap_millionths;
    /// What the budget holds when it is new: 0 to the cap.
    uint32_t initial_millionths;
    /// Up to where the balance decays: what is left after any idle time. It does not rise to it. 0 to the cap.
    uint32_t floor_millionths;
    /// 0.
    uint32_t reserved;
    /// How long a token beyond the floor lives in the mean: 100 ms and more. `UINT64_MAX`: for ever, or nearly.
    uint64_t lifetime_ns;
} seawall_retry_budget_config_t;

/// Rate and burst of each key, and the size of the table. Begin with `SEAWALL_KEYED_BUCKETS_CONFIG_INIT`: ten a second, ten
/// at once, 64 groups, open when full; or with `seawall_keyed_buckets_config_for`.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// The most tokens that a key holds, and that one call may take: 1 and more. A key begins with all of it.
    uint32_t burst;
    /// What each key earns: 0 to one a microsecond. At 0 a key has its burst once, and its place is never free again.
    seawall_rate_t rate;
    /// How many groups of seven places there are: 1 to 2,396,744, 128 bytes each. One for each 4 keys that are busy at
    /// once, that is within `burst` / `rate` of each other. What it was made with stays.
    uint32_t groups;
    /// What becomes of a new key while the table has no place for it: `SEAWALL_FAIL_OPEN` or `SEAWALL_FAIL_CLOSED`.
    uint32_t when_full;
} seawall_keyed_buckets_config_t;

/// What a guard is made of. Fill it by `seawall_guard_config_for_service` or `seawall_guard_config_for_shards`, from
/// what you know of the service, and change what you know better; or begin with `SEAWALL_GUARD_CONFIG_INIT`, which is
/// that of a service with one shard to which this process sends 20 calls a second, each with a time-out of a second. It
/// has no buckets by key until `keyed.groups` is over 0.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// Of how many parts the service is made that fail one by one: each has a breaker; 1 to 65,535.
    uint32_t shards;
    /// How long an attempt may take: a failure that took as long was a time-out, and its retry costs the budget more; 1 and
    /// more.
    uint64_t call_timeout_ns;
    /// How many failures in a row the breaker counts for a first attempt that timed out; 1 and more.
    uint32_t timeout_weight;
    /// A retry is promised only while the breaker of its shard is closed, and fewer than so many failures of first attempts
    /// stand in a row, its own among them. 0: never. `SEAWALL_NO_STREAK`: whatever the breaker counts.
    uint32_t retry_streak;
    /// How the rate climbs after a pause that the server asked for and after a breaker has closed again; at most a year. In
    /// both cases the tokens restart at one, whatever it is.
    seawall_warm_up_t ramp;
    /// Which stages refuse, and which only say that they would.
    seawall_guard_modes_t modes;
    /// How fast attempts are sent.
    seawall_token_bucket_config_t bucket;
    /// 0: room for what later versions add to the part.
    uint64_t bucket_room[4];
    /// When a part of the service counts as down.
    seawall_circuit_breaker_config_t breaker;
    /// 0.
    uint64_t breaker_room[4];
    /// How many attempts are in flight. `limit.slots` are what the guard has.
    seawall_concurrency_limit_config_t limit;
    /// 0.
    uint64_t limit_room[4];
    /// When a failed call is sent again.
    seawall_retry_strategy_config_t retry;
    /// 0.
    uint64_t retry_room[4];
    /// What share of the traffic may be retries.
    seawall_retry_budget_config_t budget;
    /// 0.
    uint64_t budget_room[4];
    /// How fast each key may send. `keyed.groups` 0: there are no buckets by key, and nothing else of it is looked at.
    seawall_keyed_buckets_config_t keyed;
    /// 0.
    uint64_t keyed_room[4];
    /// A secret random number for the buckets by key, another one in each process; over 0. Without buckets by key it is not
    /// looked at.
    uint64_t keyed_salt;
} seawall_guard_config_t;

/// What is asked of the service, as far as a guard must know. Begin with `SEAWALL_REQUEST_INIT`: key 0, shard 0, one
/// token, no deadline.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// Which part of the service it goes to, and so which circuit breaker judges it. Taken modulo the number of shards, so
    /// that any number will do, a hash too.
    uint32_t shard;
    /// Whose call it is: a user, a tenant, a connection. Buckets by key and canary shares go by it. Any number;
    /// `seawall_keyed_buckets_key_of` makes one of a name.
    uint64_t key;
    /// The tokens that each attempt takes; 0 takes none.
    uint32_t cost;
    /// 0.
    uint32_t reserved;
    /// From this instant on the answer is of no use: nothing is sent at it or after it. `SEAWALL_UNKNOWN`: no deadline.
    uint64_t deadline_ns;
} seawall_request_t;

/// Leave to send one attempt. A value of the caller's; lost, what it holds is free again when its leases lapse, and its
/// tokens stay spent. Copies of it are one permit: the first report or cancellation acts, and no other.
typedef struct {
    /// The library's own. What ends the permit zeroes it.
    uint64_t opaque[12];
} seawall_permit_t;

/// A refusal that a stage in shadow would have made. All zeros where none would: look at `stage` first.
typedef struct {
    /// After how long it would have been worth asking again, as in a `seawall_decision_t`.
    uint64_t retry_after_ns;
    /// Who would have refused, a `SEAWALL_STAGE_…`; 0 where nobody would.
    uint32_t stage;
    /// How: `SEAWALL_NOT_YET`, `SEAWALL_NEVER`, `SEAWALL_CLOCK_STEPPED` or `SEAWALL_NO_PLACE`.
    seawall_status_t status;
} seawall_refusal_t;

/// What an admission says beside the permit.
typedef struct {
    /// The breaker's transition to half-open, if this attempt made it; else all zeros.
    seawall_transition_t transition;
    /// The first stage in shadow that would have refused; else all zeros.
    seawall_refusal_t shadow;
} seawall_admission_t;

/// What the end of an attempt led to.
typedef struct {
    /// What becomes of the call, a `SEAWALL_VERDICT_…`.
    uint32_t verdict;
    /// `SEAWALL_VERDICT_GIVE_UP` only: why, a `SEAWALL_GIVE_UP_…`; else 0.
    uint32_t give_up;
    /// `SEAWALL_VERDICT_RETRY_AT` only: from when on; else 0.
    uint64_t retry_at_ns;
    /// The breaker's transition, if this report made it; else all zeros.
    seawall_transition_t transition;
    /// The change of the limit, if this report made one of at least a whole call; else all zeros.
    seawall_limit_change_t limit_change;
    /// The stage in shadow that would have refused the attempt, as its admission said; else all zeros.
    seawall_refusal_t shadow;
    /// Why a stage in shadow would have given the call up, a `SEAWALL_GIVE_UP_…`, where the verdict promises a retry;
    /// else 0.
    uint32_t shadow_give_up;
    /// 0.
    uint32_t reserved;
} seawall_finished_t;

/// A token bucket. Its size is the same for every configuration; `seawall_token_bucket_init` makes it.
typedef struct {
    /// The library's own.
    uint64_t opaque[80];
} seawall_token_bucket_t;

/// A retry budget: every first try that succeeds earns a fraction of a token, every retry and every hedge takes a whole one
/// or more, before its backoff starts. Its size is the same for every configuration; `seawall_retry_budget_init` makes it.
/// Amounts are millionths of a token.
typedef struct {
    /// The library's own.
    uint64_t opaque[16];
} seawall_retry_budget_t;

/// Rate, burst, first fill and warm-up of all shards together, and how they share. Begin with
/// `SEAWALL_LEASED_BUCKET_CONFIG_INIT`: 8 shards, ten a second, ten at once, full, no warm-up; or with
/// `seawall_leased_bucket_config_for`.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// How many shards there are, one a core or a worker: 1 to 32,768, 64 bytes each.
    uint32_t shards;
    /// What all earn together: 0 to one a nanosecond.
    seawall_rate_t rate;
    /// The most tokens that all hold together: over `shards` x (`batch` - 1).
    uint32_t burst;
    /// How many tokens a shard takes at once: 1 to 65,536, or `SEAWALL_BATCH_BY_BURST`.
    uint32_t batch;
    /// The tokens at the start, at most the burst; `SEAWALL_FILL_FULL` for all.
    uint32_t fill_tokens;
    /// 0.
    uint32_t reserved;
    /// How the rate climbs after the start.
    seawall_warm_up_t warm_up;
} seawall_leased_bucket_config_t;

/// A shard of a leased bucket that one worker owns. A value of the caller's, for one thread at a time; lost, its shard
/// stays owned, and less than a batch of tokens with it. It may be moved; a copy that is used beside it spends its
/// tokens twice.
typedef struct {
    /// The library's own. `seawall_owned_lease_release` zeroes it.
    uint64_t opaque[4];
} seawall_owned_lease_t;

/// A function that is told of transitions, and what it is given beside them. Keep it where your process keeps its
/// functions: not in memory that processes share.
typedef struct {
    /// Told of one transition, which lives until it returns. NULL: nobody is told. It may call any function of this
    /// library, for any object. It must return: no exception, no `longjmp` out of it.
    void (*on_transition)(void *userdata, const seawall_transition_t *transition);
    /// What it is given, as it stands.
    void *userdata;
} seawall_listener_t;

/// The owner of a recorder. A value of the caller's, for one thread at a time; lost, the recorder stays owned: what it
/// counted can be read, and nobody counts on. It may be moved; a copy that is used beside it by another thread loses
/// counts.
typedef struct {
    /// The library's own. `seawall_owned_recorder_release` zeroes it.
    uint64_t opaque[4];
} seawall_owned_recorder_t;

/// One logical call, as its recorder knows it: from `seawall_recorder_begun` to its end. A value of the caller's with
/// one user at a time, which may go from worker to worker. It is no copy of the guard's call. Lost, the call has begun
/// and not ended; a copy that is told of an end again counts it again.
typedef struct {
    /// The library's own. `seawall_recorder_abandoned` zeroes it.
    uint64_t opaque[4];
} seawall_call_record_t;

/// A shard of a window that one worker owns. A value of the caller's, for one thread at a time; lost, its shard stays
/// owned: what it counted can be read, and nobody adds to it. It may be moved; a copy that is used beside it by another
/// thread loses samples.
typedef struct {
    /// The library's own. `seawall_owned_window_release` zeroes it.
    uint64_t opaque[4];
} seawall_owned_window_t;

/// A seeded stream of random numbers with one owner: a thread, or what one thread at a time uses. Not for secrets.
///
/// There is no seed but yours, as a common one would make a fleet that is to be spread draw as one: take it from the
/// operating system (`getrandom`), and a new one after `fork`.
typedef struct {
    /// The library's own.
    uint64_t opaque[4];
} seawall_random_t;

/// A seeded stream of random numbers that threads share: no two callers get the same number of it. See `seawall_random_t`.
typedef struct {
    /// The library's own.
    uint64_t opaque[4];
} seawall_shared_random_t;

/// How far a recorder looks back, how finely, and who writes it. Begin with `SEAWALL_RECORDER_CONFIG_INIT`: 30 s in 8
/// slices of 512 cells, 71 KiB, which anybody writes.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// In how many steps it forgets: a power of two from 2 to 1024.
    uint32_t slices;
    /// What is older is forgotten: a millisecond to 365 days.
    uint64_t window_ns;
    /// How finely latencies are told apart: a power of two from 32 to 1024, as in `seawall_sliding_window_config_t`.
    /// Each takes 16 bytes a slice.
    uint32_t cells;
    /// Who writes it, a `SEAWALL_WRITERS_…`: anybody by `seawall_recorder_…`, or its owner by `seawall_owned_recorder_…`.
    uint32_t writers;
} seawall_recorder_config_t;

/// How attempts ended.
typedef struct {
    /// It went well.
    uint64_t success;
    /// It failed, or nobody answered in time.
    uint64_t failure;
    /// The service said that it has too much to do.
    uint64_t throttled;
    /// It says nothing of the service.
    uint64_t ignored;
} seawall_outcome_counts_t;

/// What recorders counted, of calls and of attempts. Begin with zeros and `struct_size`, as `SEAWALL_COUNTS_INIT` does.
/// A row for each stage is at its `SEAWALL_STAGE_…` less 1, a number for each reason to give up at its
/// `SEAWALL_GIVE_UP_…` less 1.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved;
    /// Logical calls that began.
    uint64_t begun;
    /// Attempts that were admitted.
    uint64_t admitted;
    /// Attempts admitted after an earlier one of their call had ended.
    uint64_t retries;
    /// Attempts that were refused.
    uint64_t refused;
    /// Attempts that were admitted and never sent.
    uint64_t cancelled;
    /// How attempts ended.
    seawall_outcome_counts_t outcomes;
    /// Calls that ended with a success.
    uint64_t delivered;
    /// Calls that ended and say nothing of the service.
    uint64_t ignored;
    /// Calls that the caller ended, refused or not, without another attempt.
    uint64_t abandoned;
    /// Calls that failed and are not sent again.
    uint64_t given_up;
    /// Of them, for each reason.
    uint64_t given_up_for[7];
    /// Refused attempts for each stage, and in it for each reason: `SEAWALL_NOT_YET`, `SEAWALL_NEVER`,
    /// `SEAWALL_CLOCK_STEPPED`, `SEAWALL_NO_PLACE`, each at its number less 1.
    uint64_t refused_for[7][4];
    /// For each stage how those attempts ended that it would have refused, had it not been in shadow.
    seawall_outcome_counts_t would_refuse[7];
    /// How those attempts ended that no stage in shadow would have refused.
    seawall_outcome_counts_t would_pass;
} seawall_counts_t;

/// A retry strategy: a value that never changes, for any number of calls and threads. It knows neither clock nor calls;
/// what it has to know of them its functions are told. Backoff alone does not end an overload, it only defers it: give
/// every strategy a `seawall_retry_budget_t`.
typedef struct {
    /// The library's own.
    uint64_t opaque[16];
} seawall_retry_strategy_t;

/// One failed attempt, as `seawall_retry_strategy_decide` needs to know it. Begin with
/// `SEAWALL_ATTEMPT_FAILURE_INIT(attempt, error_class)`: at once, without a previous delay and a pause of the server's.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// How many attempts have been made, this one included; 0 counts as 1.
    uint32_t attempt;
    /// Since the call began: all attempts and waits.
    uint64_t elapsed_ns;
    /// What was waited before this attempt; `SEAWALL_UNKNOWN` at the first. Only `SEAWALL_JITTER_DECORRELATED` looks at it.
    uint64_t previous_delay_ns;
    /// What kind of failure it was, a `SEAWALL_ERROR_CLASS_…`.
    uint32_t error_class;
    /// 0.
    uint32_t reserved;
    /// How long the server asked to be spared, from now on; `SEAWALL_UNKNOWN` where it did not say.
    uint64_t retry_after_ns;
} seawall_attempt_failure_t;

/// How far a window looks back, how finely, and who writes it. Begin with `SEAWALL_SHARDED_WINDOW_CONFIG_INIT`: 30 s in 16
/// slices of 512 cells, 8 shards of 65 KiB, into which anybody records.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// In how many steps it forgets: a power of two from 2 to 1024.
    uint32_t slices;
    /// What is older is forgotten: a millisecond to 365 days.
    uint64_t window_ns;
    /// How finely latencies are told apart: a power of two from 32 to 1024, as in `seawall_sliding_window_config_t`.
    uint32_t cells;
    /// How many shards there are, one a core or a worker: 1 to 65,536.
    uint32_t shards;
    /// Who writes a shard, a `SEAWALL_WRITERS_…`: anybody by `seawall_sharded_window_record`, or its owner by
    /// `seawall_owned_window_record`.
    uint32_t writers;
    /// 0.
    uint32_t reserved;
} seawall_sharded_window_config_t;

/// How far a window looks back, and how finely. Begin with `SEAWALL_SLIDING_WINDOW_CONFIG_INIT`: 30 s in 16 slices of 512
/// cells, 66 KiB.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// In how many steps it forgets: a power of two from 2 to 1024.
    uint32_t slices;
    /// What is older is forgotten: a millisecond to 365 days.
    uint64_t window_ns;
    /// How finely latencies are told apart: a power of two from 32 (50 %) over 128 (12.5 %) and 512 (3.125 %) to 1024. Each
    /// takes 8 bytes a slice.
    uint32_t cells;
    /// 0.
    uint32_t reserved;
} seawall_sliding_window_config_t;

/// A guard at one moment. Begin with `SEAWALL_SNAPSHOT_INIT`. While others call there is no single instant to be seen: the
/// parts are read one after the other.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// The state of the circuit breaker, a `SEAWALL_STATE_…`; of several, of the first that is open, or else half-open.
    uint32_t breaker;
    /// The shard whose breaker that is.
    uint32_t shard;
    /// How many attempts may be in flight.
    uint32_t limit;
    /// How many are.
    uint32_t in_flight;
    /// The most tokens that the token bucket holds.
    uint32_t burst;
    /// The whole tokens that it holds.
    uint32_t tokens;
    /// What the retry budget holds, in millionths of a token.
    uint32_t budget_millionths;
    /// The rate of the token bucket, or the one that its warm-up climbs to.
    seawall_rate_t rate;
    /// The rate of each key, of a guard that has buckets by key; else zeros.
    seawall_rate_t keyed_rate;
    /// The burst of each key; 0 where there are no buckets by key.
    uint32_t keyed_burst;
    /// What becomes of a key without a place, a `SEAWALL_FAIL_…`; 0 where there are no buckets by key.
    uint32_t keyed_when_full;
    /// How many attempts passed without a limit of their key, as there was no place for it. Since the start.
    uint64_t keyed_let_through;
    /// When it was made.
    uint64_t now_ns;
    /// What the pause says to an attempt of one token; zeros where it would pass, or where the stage is in shadow or off.
    seawall_refusal_t pause_refusal;
    /// What the circuit breaker of `shard` says.
    seawall_refusal_t breaker_refusal;
    /// What the limit of the calls in flight says.
    seawall_refusal_t limit_refusal;
    /// What the token bucket says.
    seawall_refusal_t bucket_refusal;
} seawall_snapshot_t;

/// What recorders counted and measured together, beside a snapshot. Begin with zeros and `struct_size`, and that of
/// each struct in it, as `SEAWALL_RECORDED_INIT` does.
typedef struct {
    /// The size of this struct.
    uint32_t struct_size;
    /// Why the breaker of the snapshot is in its state, a `SEAWALL_CAUSE_…`; 0 where no recorder was told.
    uint32_t breaker_cause;
    /// For how long it is; `SEAWALL_UNKNOWN` where no recorder was told.
    uint64_t breaker_for_ns;
    /// How much time `recent` stands for.
    uint64_t observed_ns;
    /// Latencies of attempts, and how they ended.
    seawall_window_summary_t attempts;
    /// Times from the beginning of a call to its success.
    seawall_window_summary_t deliveries;
    /// What was counted in the window.
    seawall_counts_t recent;
    /// What was counted since the recorders were made.
    seawall_counts_t total;
} seawall_recorded_t;

/// Tokens that were booked ahead. A value of the caller's: forgotten, its tokens stay spent.
typedef struct {
    /// The library's own. `seawall_token_bucket_cancel` zeroes it.
    uint64_t opaque[4];
} seawall_reservation_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// Fills a configuration with the defaults, those of `SEAWALL_AIMD_CONTROLLER_CONFIG_INIT`. `config->struct_size` has to be
/// set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_aimd_controller_config_default(seawall_aimd_controller_config_t *config);

/// Makes a controller at its initial rate.
///
/// Threads: exclusive; hand the controller to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`,
/// `SEAWALL_E_RATIO`, or a `SEAWALL_E_AIMD_…` that names the field; the storage is then as it was.
SEAWALL_MUST_USE
seawall_status_t seawall_aimd_controller_init(seawall_aimd_controller_t *controller,
                                              const seawall_aimd_controller_config_t *config);

/// Ends a controller: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so
/// this is only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_aimd_controller_fini(seawall_aimd_controller_t *controller);

/// Judges what a window saw, and changes the rate if it is time and there is reason to. The first call only notes where
/// the totals of the window stand; later ones judge the samples since the last judgement, and wait for
/// `minimum_samples` of them.
///
/// The first judgement takes what it finds for the service's baseline, which falls where the service turns out to be
/// better, and rises where a cut did not help. Errors over it by more than the threshold and by more than chance, or a
/// p95 over the threshold and over 1.5 times the baseline, cut the rate; else it grows by a step, but not over twice
/// the throughput measured, as a limit that is not in use says nothing of the service. Use one window with one
/// controller, no longer than the interval; where windows are merged, add up their totals.
///
/// Threads: any, at the same time; signal handlers too. Lock-free. If several judge at once, one changes the rate and is
/// told.
/// Returns: `SEAWALL_OK`: the rate changed, and `*change` says how; `SEAWALL_NOTHING_DONE` where it did not, and
/// `*change` is as it was; `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the reserved field is not 0; or an object
/// mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_aimd_controller_observe(seawall_aimd_controller_t *controller,
                                                 const seawall_window_summary_t *summary,
                                                 uint64_t now_ns,
                                                 seawall_rate_change_t *change);

/// The plain rule, for callers that measure by themselves: cut if errors or p95 exceed their threshold, else grow by a
/// step. At most once an interval; without either figure (`SEAWALL_UNKNOWN_PPM` and `SEAWALL_UNKNOWN`) there is no
/// evidence and no change. It knows neither samples nor the rate in use nor a baseline: errors over the threshold that
/// are always there hold it at the floor. `seawall_aimd_controller_observe` has no such trap.
///
/// Threads: as `seawall_aimd_controller_observe`.
/// Returns: `SEAWALL_OK`: the rate changed, and `*change` says how; `SEAWALL_NOTHING_DONE` where it did not, and
/// `*change` is as it was; `SEAWALL_E_RATIO`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_aimd_controller_update(seawall_aimd_controller_t *controller,
                                                uint32_t error_rate_ppm,
                                                uint64_t p95_ns,
                                                uint64_t now_ns,
                                                seawall_rate_change_t *change);

/// The rate in force. The limiter of who was told a change may follow a moment later.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_aimd_controller_current_rate(seawall_aimd_controller_t *controller,
                                                      seawall_rate_t *rate);

/// Sets the rate by hand; `*in_force` is what holds now: `rate` between the floor and the ceiling, to a millionth a second.
/// The next judgement is due when it was.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; a cut or growth that is decided at the same moment
/// applies before it or after it.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_RATE_ZERO_PERIOD`; or an object mistake.
seawall_status_t seawall_aimd_controller_set_rate(seawall_aimd_controller_t *controller,
                                                  seawall_rate_t rate,
                                                  seawall_rate_t *in_force);

/// Starts anew: the initial rate, no baseline, no samples; the first judgement is due an interval after `now_ns`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; a judgement at work meanwhile may still apply its
/// change.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_aimd_controller_reset(seawall_aimd_controller_t *controller,
                                               uint64_t now_ns);

/// Moves the controller to a clock that reads `new_now_ns` where the old one read `old_now_ns`: the wait for the next
/// judgement goes on as it was; a last one later than `old_now_ns` counts as one at it.
///
/// Threads: any, at the same time, but not beside calls with readings of both clocks. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_aimd_controller_rebase(seawall_aimd_controller_t *controller,
                                                uint64_t old_now_ns,
                                                uint64_t new_now_ns);

/// When the next judgement may come; 0 before the first.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_aimd_controller_due_at(seawall_aimd_controller_t *controller, uint64_t *due_at_ns);

/// The share of failed calls that is taken for healthy.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` before the first judgement, and nothing is written; or an object mistake.
seawall_status_t seawall_aimd_controller_error_baseline(seawall_aimd_controller_t *controller,
                                                        uint32_t *share_ppm);

/// The p95 that is taken for healthy, to a microsecond.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` before the first judgement, and nothing is written; or an object mistake.
seawall_status_t seawall_aimd_controller_latency_baseline(seawall_aimd_controller_t *controller,
                                                          uint64_t *p95_ns);

/// When the call of a permit was admitted.
///
/// Threads: any, for a permit that nobody uses meanwhile. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_breaker_permit_started(const seawall_breaker_permit_t *permit, uint64_t *started_ns);

/// Whether the call of a permit is a probe of a half-open breaker: `*is_probe` is 1, or 0.
///
/// Threads: any, for a permit that nobody uses meanwhile. Wait-free.
/// Returns: as `seawall_breaker_permit_started`.
seawall_status_t seawall_breaker_permit_is_probe(const seawall_breaker_permit_t *permit, uint32_t *is_probe);

/// The generation that admitted the call of a permit: the `generation` of the transition before it.
///
/// Threads: any, for a permit that nobody uses meanwhile. Wait-free.
/// Returns: as `seawall_breaker_permit_started`.
seawall_status_t seawall_breaker_permit_generation(const seawall_breaker_permit_t *permit,
                                                   uint32_t *generation);

/// How many attempts of a call were sent and have ended.
///
/// Threads: any, for a call that nobody uses meanwhile. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_call_attempts(const seawall_call_t *call, uint32_t *attempts);

/// From when on nothing of a call is sent: its request's deadline, or the end of the retry strategy's total deadline where
/// that is earlier.
///
/// Threads: any, for a call that nobody uses meanwhile. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where it has neither; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_NULL`,
/// `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_call_deadline(const seawall_call_t *call,
                                       uint64_t *deadline_ns);

/// Fills a configuration with the defaults, those of `SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT`. `config->struct_size` has to be
/// set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_circuit_breaker_config_default(seawall_circuit_breaker_config_t *config);

/// Makes a closed breaker without evidence.
///
/// Threads: exclusive; hand the breaker to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the
/// rule is none; `SEAWALL_E_RATIO`, or a `SEAWALL_E_BREAKER_…` that names the field; the storage is then as it was.
SEAWALL_MUST_USE
seawall_status_t seawall_circuit_breaker_init(seawall_circuit_breaker_t *breaker,
                                              const seawall_circuit_breaker_config_t *config);

/// Ends a breaker: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_fini(seawall_circuit_breaker_t *breaker);

/// Asks to send one call. Admitted, `*permit` is for `seawall_circuit_breaker_finish`, or for
/// `seawall_circuit_breaker_cancel`; refused, it is zeroed. When the open interval is over, the first attempt makes the
/// breaker half-open: `*transition` says so; it is all zeros where this call changed nothing. `transition` and `decision`
/// may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one load when closed, two when refused, one or two
/// exchanges for a probe. A refusal writes nothing that is shared.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`: open, with the rest of the interval in `decision->retry_after_ns`; or held
/// open, half-open with all probes out, or kept back by the ramp, with `SEAWALL_UNKNOWN` there, as a report may change
/// that at any time; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_circuit_breaker_try_attempt(seawall_circuit_breaker_t *breaker,
                                                     uint64_t now_ns,
                                                     seawall_breaker_permit_t *permit,
                                                     seawall_transition_t *transition,
                                                     seawall_decision_t *decision);

/// Whether `seawall_circuit_breaker_try_attempt` would succeed. Takes nothing and changes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; another may take the last probe in between.
/// Returns: as `seawall_circuit_breaker_try_attempt`.
SEAWALL_MUST_USE
seawall_status_t seawall_circuit_breaker_peek(seawall_circuit_breaker_t *breaker,
                                              uint64_t now_ns,
                                              seawall_decision_t *decision);

/// Reports how an admitted call ended, a `SEAWALL_OUTCOME_…`, and zeroes the permit. The latency is `now_ns` less the
/// instant of its admission. `random` is a drawn number, used only if this call opens the breaker.
/// `SEAWALL_OUTCOME_IGNORED` frees a probe's place and says nothing. A result of an earlier generation, or a second one
/// of the same probe, is ignored. `*transition` is the change that this call made, all zeros where it made none;
/// `transition` may be NULL.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free; a success of a healthy
/// service loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_VALUE` where the outcome is none, and the permit
/// stays; or an object mistake.
seawall_status_t seawall_circuit_breaker_finish(seawall_circuit_breaker_t *breaker,
                                                seawall_breaker_permit_t *permit,
                                                uint32_t outcome,
                                                uint64_t now_ns,
                                                uint64_t random,
                                                seawall_transition_t *transition);

/// Gives a permit back, and zeroes it: the call was not sent, or says nothing of the service. Frees a probe's place.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, also where the permit was void; `SEAWALL_E_PERMIT` where it is none; or an object mistake.
seawall_status_t seawall_circuit_breaker_cancel(seawall_circuit_breaker_t *breaker,
                                                seawall_breaker_permit_t *permit,
                                                uint64_t now_ns);

/// The state that an attempt at `now_ns` would meet, a `SEAWALL_STATE_…`: an open interval that is over reads as half-open.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_state(seawall_circuit_breaker_t *breaker,
                                               uint64_t now_ns,
                                               uint32_t *state);

/// Opens a closed breaker on evidence of the caller's own, as a percentile over a sliding window. The interval is drawn
/// with `random`, and the probes follow. A breaker that is not closed, or is held closed, stays as it is: then the
/// probes judge, not older evidence. `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where it stays as it is, and `*transition` is all zeros; or an object
/// mistake.
seawall_status_t seawall_circuit_breaker_trip(seawall_circuit_breaker_t *breaker,
                                              uint64_t now_ns,
                                              uint64_t random,
                                              seawall_transition_t *transition);

/// Holds the breaker open, whatever happens, until `seawall_circuit_breaker_force_close` or
/// `seawall_circuit_breaker_reset`. `*transition` is all zeros where it was open; `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_force_open(seawall_circuit_breaker_t *breaker,
                                                    uint64_t now_ns,
                                                    seawall_transition_t *transition);

/// Holds the breaker closed, whatever happens, until `seawall_circuit_breaker_force_open` or
/// `seawall_circuit_breaker_reset`. All calls pass and none is judged: it is switched off. `*transition` is all zeros
/// where it was closed; `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_force_close(seawall_circuit_breaker_t *breaker,
                                                     uint64_t now_ns,
                                                     seawall_transition_t *transition);

/// Closes the breaker, holds it no more, forgets all evidence and voids all permits. There is no ramp. `*transition` is all
/// zeros where it was closed; `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_reset(seawall_circuit_breaker_t *breaker,
                                               uint64_t now_ns,
                                               seawall_transition_t *transition);

/// Changes the configuration while others call. State, generation and permits stay. Calls that have ended keep their
/// verdict; a shorter window keeps the newest of them. A change between a count and a share starts the evidence anew.
/// An interval, lease or ramp that runs keeps its end, unless that lies more than twice the new length ahead.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. A call that overlaps with it may judge by some old and
/// some new fields; of two changes at once each field comes from one or the other.
/// Returns: as `seawall_circuit_breaker_init`, and `SEAWALL_E_UNINITIALISED`, `SEAWALL_E_TYPE`; on all but the first
/// nothing has changed.
seawall_status_t seawall_circuit_breaker_set_config(seawall_circuit_breaker_t *breaker,
                                                    const seawall_circuit_breaker_config_t *config);

/// Moves the breaker to a clock that reads `new_now_ns` where the old one read `old_now_ns`: what ended so long after
/// the one ends as long after the other. Permits keep the old clock's instant, so that their latency is not to be
/// trusted.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step: a call under way may meet ends of either
/// clock. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_rebase(seawall_circuit_breaker_t *breaker,
                                                uint64_t old_now_ns,
                                                uint64_t new_now_ns);

/// Whether a call must not be sent, without a permit: `*blocked` is 1, or 0. A 0 in the half-open state takes a probe's
/// place, so that each must be followed by `seawall_circuit_breaker_on_success` or
/// `seawall_circuit_breaker_on_failure`. Prefer permits: without them a result from before the trip is taken for a
/// probe's, no latency is known, and the change to half-open is not told.
///
/// Threads: any, at the same time; signal handlers too. As `seawall_circuit_breaker_try_attempt`.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_should_block(seawall_circuit_breaker_t *breaker,
                                                      uint64_t now_ns,
                                                      uint32_t *blocked);

/// A call without a permit went well. In the half-open state it counts for the oldest probe that is out. `*transition`
/// is as in `seawall_circuit_breaker_finish`.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_on_success(seawall_circuit_breaker_t *breaker,
                                                    uint64_t now_ns,
                                                    seawall_transition_t *transition);

/// A call without a permit failed. `random` is a drawn number, used only if this call opens the breaker. All else as
/// `seawall_circuit_breaker_on_success`.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_on_failure(seawall_circuit_breaker_t *breaker,
                                                    uint64_t now_ns,
                                                    uint64_t random,
                                                    seawall_transition_t *transition);

/// The classification of a class and of what the server asked for (`SEAWALL_UNKNOWN` where it did not say), at the cost of
/// an error.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where the class is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_classification_of(uint32_t error_class,
                                           uint64_t retry_after_ns,
                                           seawall_classification_t *classification);

/// The class of an HTTP status whose answer carried no Retry-After, a `SEAWALL_ERROR_CLASS_…`: see
/// `seawall_error_class_of_http`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the status (100 to 399) is no error, and nothing is written;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_error_class_of_http_status(uint32_t status, uint32_t *error_class);

/// The class of an HTTP answer, a `SEAWALL_ERROR_CLASS_…`; `retry_after_ns` is `SEAWALL_UNKNOWN` where it carried no
/// Retry-After. Throttled: 429, and 503 with Retry-After. Permanent: every other 4xx but 408 and 425; 501, 505, 506, 508,
/// 510, 511; what is no HTTP status. Retryable: 408, 425, every other 5xx.
///
/// A retried request may have been carried out by the attempt that failed: give requests that are not idempotent a key by
/// which the server knows them again, or take their errors for permanent.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: as `seawall_error_class_of_http_status`.
seawall_status_t seawall_error_class_of_http(uint32_t status,
                                             uint64_t retry_after_ns,
                                             uint32_t *error_class);

/// What an attempt that failed so tells of the service, a `SEAWALL_OUTCOME_…`; it goes with the same `retry_after_ns`. A
/// permanent error is a success of the service: it was reached and it answered.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where the class is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_error_class_outcome(uint32_t error_class,
                                             uint32_t *outcome);

/// The wait in a Retry-After header of `length` bytes of the form "delta-seconds", spaces and tabs around it ignored. For
/// all else there is none, for an HTTP date too: subtract the wall clock's time from that yourself. A number beyond the
/// range is the longest wait that there is, never a short one.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where there is none, and nothing is written; `SEAWALL_E_NULL`,
/// `SEAWALL_E_ALIGNMENT`; `SEAWALL_E_SIZE` where `length` is more than memory has.
seawall_status_t seawall_retry_after_seconds(const char *value,
                                             size_t length,
                                             uint64_t *retry_after_ns);

/// Fills a configuration with the defaults, which are those of `SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT`.
/// `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_concurrency_limit_config_default(seawall_concurrency_limit_config_t *config);

/// How many bytes a workspace must have for a limit of `config->slots`, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_concurrency_limit_required_size(const seawall_concurrency_limit_config_t *config,
                                                         size_t *size);

/// Makes a limit at `config->start`, with nothing in flight, in a workspace of `size` bytes, and gives its handle.
///
/// Threads: exclusive; hand the handle to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where the slots are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATIO`, or a
/// `SEAWALL_E_LIMIT_…` that names the field. What was in the workspace may be gone then.
SEAWALL_MUST_USE
seawall_status_t seawall_concurrency_limit_init(void *workspace,
                                                size_t size,
                                                const seawall_concurrency_limit_config_t *config,
                                                seawall_concurrency_limit_t **limit);

/// The handle of a limit that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_concurrency_limit_attach(void *workspace,
                                                  size_t size,
                                                  seawall_concurrency_limit_t **limit);

/// Ends a limit: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_fini(seawall_concurrency_limit_t *limit);

/// Asks to send one call. Admitted, `*permit` is for `seawall_concurrency_limit_finish` or `_cancel`; refused, it is
/// zeroed. `decision` may be NULL; its `remaining` is what is free under the limit then.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one exchange to admit, loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET` where as many as the limit allows are in flight: nobody knows for how long;
/// `SEAWALL_CLOCK_STEPPED` where all of them end so far ahead that the clock must have been set back; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_concurrency_limit_try_attempt(seawall_concurrency_limit_t *limit,
                                                       uint64_t now_ns,
                                                       seawall_limit_permit_t *permit,
                                                       seawall_decision_t *decision);

/// Whether `seawall_concurrency_limit_try_attempt` would admit. Takes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the last slot in between.
/// Returns: as `seawall_concurrency_limit_try_attempt`.
SEAWALL_MUST_USE
seawall_status_t seawall_concurrency_limit_peek(seawall_concurrency_limit_t *limit,
                                                uint64_t now_ns,
                                                seawall_decision_t *decision);

/// Reports how a call ended, a `SEAWALL_OUTCOME_…`, gives its slot back and zeroes the permit. The latency is `now_ns` less
/// the instant of its admission. `change` may be NULL; it says what this report made of the limit.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where the slot has gone to another after the lease, or a copy of the permit was
/// reported before: nothing is counted; `SEAWALL_E_VALUE` for another outcome, and the permit is as it was;
/// `SEAWALL_E_PERMIT` where it is none; or an object mistake.
seawall_status_t seawall_concurrency_limit_finish(seawall_concurrency_limit_t *limit,
                                                  seawall_limit_permit_t *permit,
                                                  uint32_t outcome,
                                                  uint64_t now_ns,
                                                  seawall_limit_change_t *change);

/// Gives a permit back whose call was not sent, or says nothing of the service, and zeroes it.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` and `SEAWALL_E_PERMIT` as `seawall_concurrency_limit_finish`; or an object
/// mistake.
seawall_status_t seawall_concurrency_limit_cancel(seawall_concurrency_limit_t *limit,
                                                  seawall_limit_permit_t *permit,
                                                  uint64_t now_ns);

/// From which latency on a reply is slow, by what is known now: `*slow_after_ns`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_slow_after(seawall_concurrency_limit_t *limit,
                                                      uint64_t *slow_after_ns);

/// How many calls may be in flight: `*calls`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_limit(seawall_concurrency_limit_t *limit, uint32_t *calls);

/// How many calls are in flight: `*calls`. Those whose lease has lapsed are not counted.
///
/// Threads: any, at the same time; signal handlers too. Loads only; advisory while others call.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_in_flight(seawall_concurrency_limit_t *limit,
                                                     uint64_t now_ns,
                                                     uint32_t *calls);

/// How many slots it has: `*slots`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_slots(seawall_concurrency_limit_t *limit, uint32_t *slots);

/// Sets the limit to `calls`, within floor and ceiling; it adapts on from there. What is in flight stays so. `change` may
/// be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_set_limit(seawall_concurrency_limit_t *limit,
                                                     uint32_t calls,
                                                     seawall_limit_change_t *change);

/// Changes the configuration while others call; the limit is brought within the new bounds, else it stays. `slots` has to
/// be what the limit was made with, `start` is only checked. `change` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free. Of two changes at once each field comes from one or the
/// other.
/// Returns: as `seawall_concurrency_limit_init`, but `SEAWALL_E_WORKSPACE`; or an object mistake. On all but `SEAWALL_OK`
/// nothing has changed.
seawall_status_t seawall_concurrency_limit_set_config(seawall_concurrency_limit_t *limit,
                                                      const seawall_concurrency_limit_config_t *config,
                                                      seawall_limit_change_t *change);

/// Frees every slot and voids every permit: for a clock that has stepped back, or calls that were all lost. The limit
/// stays, and so does what latency is usual.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step: a call admitted meanwhile may be voided.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_reset(seawall_concurrency_limit_t *limit);

/// Goes over to another clock: leases that ended so long after `old_now_ns` now end as long after `new_now_ns`. What is in
/// flight stays counted until its lease lapses, and its permits are void.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_concurrency_limit_rebase(seawall_concurrency_limit_t *limit,
                                                  uint64_t old_now_ns,
                                                  uint64_t new_now_ns);

/// How many bytes a workspace must have for a guard of `config->limit.slots`, `config->shards` and `config->keyed.groups`,
/// wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`; or a mistake
/// of the configuration, as `seawall_guard_init`.
seawall_status_t seawall_guard_required_size(const seawall_guard_config_t *config,
                                             size_t *size);

/// Makes a guard that begins at `now_ns`, in a workspace of `size` bytes, and gives its handle. `seed` is a random
/// number that tells this process from others of its fleet: the same for all of them would lead them to the same
/// instants.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where slots, shards or groups are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATE_ZERO_PERIOD`,
/// `SEAWALL_E_RATIO`, or what names the field: a `SEAWALL_E_GUARD_…`, or one of the part. What was in the workspace may be
/// gone then.
SEAWALL_MUST_USE
seawall_status_t seawall_guard_init(void *workspace,
                                    size_t size,
                                    const seawall_guard_config_t *config,
                                    uint64_t seed,
                                    uint64_t now_ns,
                                    seawall_guard_t **guard);

/// The handle of a guard that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_guard_attach(void *workspace,
                                      size_t size,
                                      seawall_guard_t **guard);

/// Ends a guard: every call on it or on a part of it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace
/// is the caller's.
///
/// Threads: exclusive, its parts too. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_guard_fini(seawall_guard_t *guard);

/// A logical call begins: `*call`. Takes nothing: that is the work of `seawall_guard_try_attempt`. Its deadline is the
/// request's, or the end of the retry strategy's total deadline where that is earlier; the modes that hold for it are those
/// of this moment. `request` may be NULL: `SEAWALL_REQUEST_INIT`.
///
/// Threads: any, at the same time, each with a call of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`; or an object mistake.
seawall_status_t seawall_guard_begin(seawall_guard_t *guard,
                                     const seawall_request_t *request,
                                     uint64_t now_ns,
                                     seawall_call_t *call);

/// Asks to send the next attempt of `call`. Admitted, the caller sends it and reports with `seawall_guard_finish`, or gives
/// back with `seawall_guard_cancel` what it did not send; refused, `*permit` is zeroed. `admission` and `decision` may be
/// NULL.
///
/// Threads: any, at the same time, each with a call and a permit of its own; signal handlers too. Lock-free. Refused,
/// nothing that is shared is written, but where another thread took a place meanwhile, or where the bucket refuses the
/// first attempt after a pause or a close.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`, `SEAWALL_NEVER`, `SEAWALL_CLOCK_STEPPED`, `SEAWALL_NO_PLACE` with the
/// stage in `decision->stage`: the deadline has passed or the call is over (`SEAWALL_NEVER`), its backoff is not over
/// (`SEAWALL_STAGE_RETRY_BUDGET`), or as the stage itself refuses; `SEAWALL_E_PERMIT` where `call` is none of this
/// guard; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_guard_try_attempt(seawall_guard_t *guard,
                                           seawall_call_t *call,
                                           uint64_t now_ns,
                                           seawall_permit_t *permit,
                                           seawall_admission_t *admission,
                                           seawall_decision_t *decision);

/// What `seawall_guard_try_attempt` would answer now, taking nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; another may take the place first.
/// Returns: as `seawall_guard_try_attempt`.
SEAWALL_MUST_USE
seawall_status_t seawall_guard_peek(seawall_guard_t *guard,
                                    const seawall_call_t *call,
                                    uint64_t now_ns,
                                    seawall_decision_t *decision);

/// Reports how an attempt ended, a `SEAWALL_OUTCOME_…`, and zeroes the permit; `retry_after_ns` counts for one that was
/// throttled only (`SEAWALL_UNKNOWN` where the service did not say). `*finished` is what it led to; its verdict says
/// whether and when to ask again, and a retry is paid for by then.
///
/// An attempt is reported or given back once. A copy of a permit that was used changes nothing, and gets the verdict of
/// the first report; through a copy of the call that does not know of that, or with a slot that went to another after
/// its lease, a failure is given up with `SEAWALL_GIVE_UP_PERMIT_VOID`.
///
/// Threads: any, at the same time, each with a call and a permit of its own; signal handlers too. Lock-free. Transition and
/// change are told if and only if this report made them.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where `call` or `permit` is none of this guard; `SEAWALL_E_VALUE` where
/// the outcome is none, and the permit stays; or an object mistake.
seawall_status_t seawall_guard_finish(seawall_guard_t *guard,
                                      seawall_call_t *call,
                                      seawall_permit_t *permit,
                                      uint32_t outcome,
                                      uint64_t retry_after_ns,
                                      uint64_t now_ns,
                                      seawall_finished_t *finished);

/// Gives an admitted attempt back that was never sent, and zeroes the permit: slot and probe are free, the tokens are
/// refunded where that cannot admit too many. The call may ask again; a retry stays paid for.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free. Of copies, reports
/// included, one acts.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was used before, or so late that its slot went to another, and where
/// the attempt had no slot, as the limit is off or in shadow: then the tokens stay spent; `SEAWALL_E_PERMIT` where it
/// is none of this guard; or an object mistake.
seawall_status_t seawall_guard_cancel(seawall_guard_t *guard,
                                      seawall_permit_t *permit,
                                      uint64_t now_ns);

/// The call is not sent again, whatever its verdict was: a retry that was paid for goes back to the budget. Every later
/// attempt of it is refused. Again, it does nothing.
///
/// Threads: any, at the same time, each with a call of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is no call of this guard; or an object mistake.
seawall_status_t seawall_guard_abandon(seawall_guard_t *guard,
                                       seawall_call_t *call,
                                       uint64_t now_ns);

/// Until when the server asked to be spared, with the spread, if that is still to come.
///
/// Threads: any, at the same time; signal handlers too. One load.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where there is no pause; or an object mistake.
seawall_status_t seawall_guard_paused_until(seawall_guard_t *guard, uint64_t now_ns, uint64_t *until_ns);

/// The mode of a stage, a `SEAWALL_STAGE_…`. The deadline of a call always holds; the keyed bucket of a guard that has
/// none is off. A canary of all calls is told as enforced, one of none as a shadow.
///
/// Threads: any, at the same time; signal handlers too. One load.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where the stage is none; or an object mistake.
seawall_status_t seawall_guard_mode(seawall_guard_t *guard,
                                    uint32_t stage,
                                    seawall_mode_t *mode);

/// Sets the mode of a stage, for the calls that begin from now on. What the stage holds stays: one that was off goes on
/// from where it stood.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, one store.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_GUARD_STAGE_WITHOUT_MODE`: the deadline, or a stage that is not there;
/// `SEAWALL_E_VALUE`, `SEAWALL_E_RATIO`; or an object mistake. On all but the first nothing has changed.
seawall_status_t seawall_guard_set_mode(seawall_guard_t *guard,
                                        uint32_t stage,
                                        seawall_mode_t mode);

/// What the guard draws from here on is of another seed: for a process that was forked, and has a guard of its own, not in
/// shared memory. Its retries would else come at the same instants as its parent's. Who is in a canary stays what it was.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_guard_reseed(seawall_guard_t *guard,
                                      uint64_t seed);

/// Moves all parts to a clock that reads `new_now_ns` where the old one read `old_now_ns`. Calls keep instants of the old
/// clock, and permits that are out are void: each call is to begin anew.
///
/// Threads: one at a time, at the same time as all else; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake. On all but the first
/// nothing has changed.
seawall_status_t seawall_guard_rebase(seawall_guard_t *guard,
                                      uint64_t old_now_ns,
                                      uint64_t new_now_ns);

/// As if new at `now_ns`; rates, limits and configurations that were set stay, and so does what the limit has learned.
/// Permits that are out are void. The transitions of the breakers that this call closed go to `transitions`, by the
/// numbers of their shards, as many as `room` has; `*told` says how many there were. `transitions` may be NULL where
/// `room` is 0; `told` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake. On all but the first
/// nothing has changed.
seawall_status_t seawall_guard_reset(seawall_guard_t *guard,
                                     uint64_t now_ns,
                                     seawall_transition_t *transitions,
                                     size_t room,
                                     uint32_t *told);

/// Fills a configuration for a process that sends up to `expected` calls to a service, and gives each attempt
/// `call_timeout_ns`: 64 slots, one shard, every stage enforced, no buckets by key. `config->struct_size` has to be set, as
/// by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`. A
/// time-out of 0 is found by `seawall_guard_init`.
seawall_status_t seawall_guard_config_for_service(seawall_guard_config_t *config,
                                                  seawall_rate_t expected,
                                                  uint64_t call_timeout_ns);

/// As `seawall_guard_config_for_service`, for a service of `shards` parts that fail one by one, each with its share of the
/// expected calls. 0 counts as 1.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: as `seawall_guard_config_for_service`.
seawall_status_t seawall_guard_config_for_shards(seawall_guard_config_t *config,
                                                 seawall_rate_t expected,
                                                 uint64_t call_timeout_ns,
                                                 uint32_t shards);

/// The token bucket of a guard, for every `seawall_token_bucket_…` but `_init` and `_fini`. It lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_guard_bucket(seawall_guard_t *guard,
                                      seawall_token_bucket_t **bucket);

/// The retry budget of a guard, for every `seawall_retry_budget_…` but `_init` and `_fini`. It lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_guard_budget(seawall_guard_t *guard,
                                      seawall_retry_budget_t **budget);

/// The circuit breaker of a shard, for every `seawall_circuit_breaker_…` but `_init` and `_fini`. `shard` is taken
/// modulo the number of shards; what the breaker tells names shard 0. It lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_guard_breaker(seawall_guard_t *guard,
                                       uint32_t shard,
                                       seawall_circuit_breaker_t **breaker);

/// The limit of the calls in flight, for every `seawall_concurrency_limit_…` but `_init`, `_attach` and `_fini`. It
/// lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_guard_limit(seawall_guard_t *guard,
                                     seawall_concurrency_limit_t **limit);

/// The buckets by key, for every `seawall_keyed_buckets_…` but `_init`, `_attach` and `_fini`; `_key_of` makes the key of a
/// request of a name. They live as long as the guard.
///
/// Threads: any, at the same time. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the guard has none; or an object mistake.
seawall_status_t seawall_guard_keyed(seawall_guard_t *guard,
                                     seawall_keyed_buckets_t **keyed);

/// How many shards the guard has.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_guard_shards(seawall_guard_t *guard, uint32_t *shards);

/// Fills a configuration for `rate`: a burst of one second of it (at least 1), 64 groups. `config->struct_size` has to be
/// set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_VALUE` where `when_full` is neither `SEAWALL_FAIL_OPEN` nor `SEAWALL_FAIL_CLOSED`.
seawall_status_t seawall_keyed_buckets_config_for(seawall_keyed_buckets_config_t *config,
                                                  seawall_rate_t rate,
                                                  uint32_t when_full);

/// How many bytes a workspace must have for a table of `config->groups`, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_keyed_buckets_required_size(const seawall_keyed_buckets_config_t *config,
                                                     size_t *size);

/// Makes a table in which every key is full, that begins to earn at `now_ns`, in a workspace of `size` bytes, and gives its
/// handle. `salt` is a secret random number, another one in each process: who knows it can choose keys that crowd out
/// others. The workspace holds it.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where the groups are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATE_ZERO_PERIOD`,
/// `SEAWALL_E_KEYED_ZERO_BURST`, `SEAWALL_E_KEYED_RATE_TOO_FAST`. What was in the workspace may be gone then.
SEAWALL_MUST_USE
seawall_status_t seawall_keyed_buckets_init(void *workspace,
                                            size_t size,
                                            const seawall_keyed_buckets_config_t *config,
                                            uint64_t salt,
                                            uint64_t now_ns,
                                            seawall_keyed_buckets_t **buckets);

/// The handle of a table that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_keyed_buckets_attach(void *workspace,
                                              size_t size,
                                              seawall_keyed_buckets_t **buckets);

/// Ends a table: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_keyed_buckets_fini(seawall_keyed_buckets_t *buckets);

/// The key of a name, an address, a token of `length` bytes: `*key`, its SipHash-1-3 under the salt. For what strangers
/// make up; numbers that are given out, as descriptors and user ids are, are keys as they stand. Keys of one table mean
/// nothing in another. `bytes` may be NULL where `length` is 0.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE` where `length` is over the half of all addresses; or an object mistake.
seawall_status_t seawall_keyed_buckets_key_of(seawall_keyed_buckets_t *buckets,
                                              const void *bytes,
                                              size_t length,
                                              uint64_t *key);

/// The number by which the table places `key`: `*hash`, uniform under a random salt. To compare the table with another one
/// under the same hash; keep it as secret as the salt.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_keyed_buckets_hash_of(seawall_keyed_buckets_t *buckets,
                                               uint64_t key,
                                               uint64_t *hash);

/// Takes `n` tokens of `key`, all or none. Any number is a key. 0 always succeeds and changes nothing. `decision` may be
/// NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one exchange for a key that has a place, four to six for
/// a newcomer, loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`; `SEAWALL_NEVER` where `n` is over the burst; `SEAWALL_NO_PLACE` where the
/// table is full and fails closed; `SEAWALL_CLOCK_STEPPED` where `now_ns` lies further behind than a burst and a second
/// explain; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_keyed_buckets_try_take(seawall_keyed_buckets_t *buckets,
                                                uint64_t key,
                                                uint32_t n,
                                                uint64_t now_ns,
                                                seawall_decision_t *decision);

/// Whether `seawall_keyed_buckets_try_take` would succeed. Takes and counts nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the tokens in between.
/// Returns: as `seawall_keyed_buckets_try_take`.
SEAWALL_MUST_USE
seawall_status_t seawall_keyed_buckets_peek(seawall_keyed_buckets_t *buckets,
                                            uint64_t key,
                                            uint32_t n,
                                            uint64_t now_ns,
                                            seawall_decision_t *decision);

/// How many whole tokens `key` has: `*tokens`. All of its burst for a key that has no entry.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_keyed_buckets_available(seawall_keyed_buckets_t *buckets,
                                                 uint64_t key,
                                                 uint64_t now_ns,
                                                 uint32_t *tokens);

/// Gives `n` tokens back that were taken of `key` and never used, up to its burst.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where its bucket is full already; or an object mistake.
seawall_status_t seawall_keyed_buckets_refund(seawall_keyed_buckets_t *buckets,
                                              uint64_t key,
                                              uint32_t n,
                                              uint64_t now_ns);

/// Changes the rate of every key from `now_ns` on: what each has at that instant stays, and so does the burst.
///
/// Threads: any, at the same time as takers, who never wait for it; three changes at once. Lock-free: one exchange, however
/// many keys there are.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_KEYED_RATE_TOO_FAST`; `SEAWALL_E_KEYED_RATE_TOO_FAR_UP`; or an object mistake. On all but the first the table
/// is as it was.
seawall_status_t seawall_keyed_buckets_set_rate(seawall_keyed_buckets_t *buckets,
                                                seawall_rate_t rate,
                                                uint64_t now_ns);

/// Changes rate, burst and what happens when the table is full, from `now_ns` on. Tokens over a smaller burst are gone;
/// under a larger one every key earns the difference. `groups` has to be what the table was made with.
///
/// Threads: as `seawall_keyed_buckets_set_rate`.
/// Returns: as `seawall_keyed_buckets_set_rate`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`,
/// `SEAWALL_E_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_KEYED_ZERO_BURST`.
seawall_status_t seawall_keyed_buckets_set_config(seawall_keyed_buckets_t *buckets,
                                                  const seawall_keyed_buckets_config_t *config,
                                                  uint64_t now_ns);

/// The configuration in force. `config->struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
seawall_status_t seawall_keyed_buckets_config(seawall_keyed_buckets_t *buckets,
                                              seawall_keyed_buckets_config_t *config);

/// How many calls passed without a limit because the table was full: `*calls`. Exact.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_keyed_buckets_let_through(seawall_keyed_buckets_t *buckets, uint64_t *calls);

/// How many places are held by keys whose buckets are not full: `*places`. Reads the whole table.
///
/// Threads: any, at the same time; signal handlers too. Loads only; advisory while others call.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_keyed_buckets_occupied(seawall_keyed_buckets_t *buckets,
                                                uint64_t now_ns,
                                                uint32_t *places);

/// How many keys fit at most: `*places`, seven a group.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_keyed_buckets_places(seawall_keyed_buckets_t *buckets, uint32_t *places);

/// Moves the table to a clock that reads `new_now_ns` where the old one read `old_now_ns`: what each key has stays the
/// same. For a clock that stepped back, `old_now_ns` is the newest reading that the table was given.
///
/// Threads: as `seawall_keyed_buckets_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake.
seawall_status_t seawall_keyed_buckets_rebase(seawall_keyed_buckets_t *buckets,
                                              uint64_t old_now_ns,
                                              uint64_t new_now_ns);

/// Begins anew at `now_ns`, with every bucket full and every place free, at the configuration in force. The count of what
/// was let through goes on. Writes the whole table.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step: what others take meanwhile may count or
/// not.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; or an object mistake.
seawall_status_t seawall_keyed_buckets_reset(seawall_keyed_buckets_t *buckets,
                                             uint64_t now_ns);

/// Fills a configuration for `rate`: 8 shards, a burst of one second of it (at least 1), full at the start, no warm-up.
/// `config->struct_size` has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`.
seawall_status_t seawall_leased_bucket_config_for(seawall_leased_bucket_config_t *config,
                                                  seawall_rate_t rate);

/// How many bytes a workspace must have for a bucket of `config->shards`, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_leased_bucket_required_size(const seawall_leased_bucket_config_t *config,
                                                     size_t *size);

/// Makes a bucket that begins to earn at `now_ns` in a workspace of `size` bytes, and gives its handle.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where the shards are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATE_ZERO_PERIOD`, or a
/// `SEAWALL_E_BUCKET_…` that names the field. What was in the workspace may be gone then.
SEAWALL_MUST_USE
seawall_status_t seawall_leased_bucket_init(void *workspace,
                                            size_t size,
                                            const seawall_leased_bucket_config_t *config,
                                            uint64_t now_ns,
                                            seawall_leased_bucket_t **bucket);

/// The handle of a bucket that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_leased_bucket_attach(void *workspace,
                                              size_t size,
                                              seawall_leased_bucket_t **bucket);

/// Ends a bucket: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_leased_bucket_fini(seawall_leased_bucket_t *bucket);

/// Takes `n` tokens, all or none, for the caller's shard: the number of its worker or core, modulo the number of shards. 0
/// always succeeds and changes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time, for any shard; signal handlers too. Lock-free: one exchange on the shard's own line to
/// admit, three for the one call of a batch that brings it; loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`; `SEAWALL_NEVER` where `n` is over the burst less what may lie in shards;
/// `SEAWALL_CLOCK_STEPPED` where `now_ns` lies so far behind that a full burst owed does not explain it; or an object
/// mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_leased_bucket_try_take(seawall_leased_bucket_t *bucket,
                                                uint32_t shard,
                                                uint32_t n,
                                                uint64_t now_ns,
                                                seawall_decision_t *decision);

/// Whether `seawall_leased_bucket_try_take` would succeed, for any shard. Takes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the tokens in between.
/// Returns: as `seawall_leased_bucket_try_take`.
SEAWALL_MUST_USE
seawall_status_t seawall_leased_bucket_peek(seawall_leased_bucket_t *bucket,
                                            uint32_t n,
                                            uint64_t now_ns,
                                            seawall_decision_t *decision);

/// Gives `n` tokens back that were taken and never used.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where giving back could admit too many: the tokens stay spent; or an
/// object mistake.
seawall_status_t seawall_leased_bucket_refund(seawall_leased_bucket_t *bucket,
                                              uint32_t n,
                                              uint64_t now_ns);

/// How many whole tokens are in the bucket and its shards, without those that owners hold: `*tokens`.
///
/// Threads: any, at the same time; signal handlers too. Loads only; reads each shard.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_leased_bucket_available(seawall_leased_bucket_t *bucket,
                                                 uint64_t now_ns,
                                                 uint32_t *tokens);

/// The rate in force, which a warm-up may not have reached yet.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_leased_bucket_rate(seawall_leased_bucket_t *bucket, seawall_rate_t *rate);

/// The burst in force, of the bucket and its shards.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_leased_bucket_burst(seawall_leased_bucket_t *bucket, uint32_t *burst);

/// How many tokens a shard takes at once: `*tokens`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_leased_bucket_batch(seawall_leased_bucket_t *bucket, uint32_t *tokens);

/// How many shards it has: `*shards`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_leased_bucket_shards(seawall_leased_bucket_t *bucket, uint32_t *shards);

/// Changes the rate from `now_ns` on: what was earned until then stays, in shards too.
///
/// Threads: any, at the same time as takers, who never wait for it; three changes at once. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_RATE_TOO_FAST`; or an object mistake. On all but the first the bucket is as it was.
seawall_status_t seawall_leased_bucket_set_rate(seawall_leased_bucket_t *bucket,
                                                seawall_rate_t rate,
                                                uint64_t now_ns);

/// Changes the burst from `now_ns` on; tokens over a smaller burst are gone. The batch stays.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_BUCKET_ZERO_BURST`;
/// `SEAWALL_E_BUCKET_BURST_UNDER_LEASES`; or an object mistake.
seawall_status_t seawall_leased_bucket_set_burst(seawall_leased_bucket_t *bucket,
                                                 uint32_t burst,
                                                 uint64_t now_ns);

/// Starts a warm-up at `now_ns`; the tokens on hand stay.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_VALUE`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_WARM_UP_TOO_LONG`; or an object mistake.
seawall_status_t seawall_leased_bucket_start_warm_up(seawall_leased_bucket_t *bucket,
                                                     seawall_warm_up_t warm_up,
                                                     uint64_t now_ns);

/// Moves the bucket to a clock that reads `new_now_ns` where the old one read `old_now_ns`. Tokens in shards have no time:
/// they stay.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake.
seawall_status_t seawall_leased_bucket_rebase(seawall_leased_bucket_t *bucket,
                                              uint64_t old_now_ns,
                                              uint64_t new_now_ns);

/// Begins anew at `now_ns` with this fill and this warm-up, at the rate and burst in force. All that was leased is void.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: as `seawall_leased_bucket_start_warm_up`.
seawall_status_t seawall_leased_bucket_reset(seawall_leased_bucket_t *bucket,
                                             uint32_t fill_tokens,
                                             seawall_warm_up_t warm_up,
                                             uint64_t now_ns);

/// Discards the tokens over `keep`, so that what follows a pause begins slowly; `*discarded` says how many whole ones, but
/// for those that owners held, which are void too.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: an exchange for each shard.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_leased_bucket_drain_to(seawall_leased_bucket_t *bucket,
                                                uint32_t keep,
                                                uint64_t now_ns,
                                                uint32_t *discarded);

/// Makes the caller the only one who leases to this shard (modulo the number of shards), with what lies in it: `*lease`.
/// Others may still call for the shard; they then take from the bucket.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_TAKEN` where somebody owns it; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_leased_bucket_own(seawall_leased_bucket_t *bucket,
                                           uint32_t shard,
                                           seawall_owned_lease_t *lease);

/// As `seawall_leased_bucket_try_take`, from what this owner has, then with it from `bucket`, whose lease it is.
/// `decision->remaining` is what this owner has left.
///
/// Threads: any, each with a lease of its own; signal handlers too, but not one that interrupts a call with the same lease.
/// Lock-free: loads for what the owner has, one exchange for a batch; loads only to refuse.
/// Returns: as `seawall_leased_bucket_try_take`; `SEAWALL_VOID` where nobody owns the shard any more; `SEAWALL_E_PERMIT`
/// where it is no lease.
SEAWALL_MUST_USE
seawall_status_t seawall_owned_lease_try_take(seawall_leased_bucket_t *bucket,
                                              seawall_owned_lease_t *lease,
                                              uint32_t n,
                                              uint64_t now_ns,
                                              seawall_decision_t *decision);

/// How many tokens this owner has without asking: `*tokens`. Advisory: a drain or a reset may have made them void.
///
/// Threads: any, each with a lease of its own. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID`, `SEAWALL_E_PERMIT` as `seawall_owned_lease_try_take`; or an object mistake.
seawall_status_t seawall_owned_lease_tokens(seawall_leased_bucket_t *bucket,
                                            seawall_owned_lease_t *lease,
                                            uint32_t *tokens);

/// Ends an ownership and zeroes the lease; the tokens that are left lie in the shard for everybody.
///
/// Threads: any, each with a lease of its own. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where nobody owned the shard any more; `SEAWALL_E_PERMIT` where it is no lease; or
/// an object mistake.
seawall_status_t seawall_owned_lease_release(seawall_leased_bucket_t *bucket,
                                             seawall_owned_lease_t *lease);

/// Tells a listener of a transition, if there is one: give it what a call wrote, changed or not.
///
/// Threads: any, at the same time; it calls the listener on this thread, once, and holds nothing meanwhile. In a signal
/// handler only if the listener may run there.
/// Returns: `SEAWALL_OK` when the listener has returned; `SEAWALL_NOTHING_DONE` where nothing changed (`transition->to` is
/// 0) or the listener has no function; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_transition_tell(const seawall_transition_t *transition,
                                         const seawall_listener_t *listener);

/// Makes the caller the only writer of a recorder, until it is released: `*owner`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. The next owner sees all that the one before counted.
/// Returns: `SEAWALL_OK`; `SEAWALL_TAKEN` while there is one; `SEAWALL_E_WRITER` where anybody writes it; or an object
/// mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_recorder_own(seawall_recorder_t *recorder,
                                      seawall_owned_recorder_t *owner);

/// Gives a recorder back, for the next owner. Zeroes `*owner`.
///
/// Threads: the owner's one. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was released before, by a copy; `SEAWALL_E_PERMIT` where it is none;
/// or an object mistake.
seawall_status_t seawall_owned_recorder_release(seawall_recorder_t *recorder,
                                                seawall_owned_recorder_t *owner);

/// As `seawall_recorder_begun`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where the owner was released before, by a copy; `SEAWALL_E_PERMIT` where it is
/// none; or an object mistake.
seawall_status_t seawall_owned_recorder_begun(seawall_recorder_t *recorder,
                                              seawall_owned_recorder_t *owner,
                                              uint64_t now_ns,
                                              seawall_call_record_t *record);

/// As `seawall_recorder_attempted`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; `SEAWALL_E_VALUE` where `status` is none that an attempt is answered with; or an object mistake.
seawall_status_t seawall_owned_recorder_attempted(seawall_recorder_t *recorder,
                                                  seawall_owned_recorder_t *owner,
                                                  seawall_call_record_t *record,
                                                  seawall_status_t status,
                                                  const seawall_decision_t *decision,
                                                  const seawall_admission_t *admission,
                                                  uint64_t now_ns);

/// As `seawall_recorder_cancelled`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; or an object mistake.
seawall_status_t seawall_owned_recorder_cancelled(seawall_recorder_t *recorder,
                                                  seawall_owned_recorder_t *owner,
                                                  seawall_call_record_t *record,
                                                  uint64_t now_ns);

/// As `seawall_recorder_finished`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; `SEAWALL_E_VALUE` where the outcome or a number in `*finished` is none of those that are allowed;
/// or an object mistake.
seawall_status_t seawall_owned_recorder_finished(seawall_recorder_t *recorder,
                                                 seawall_owned_recorder_t *owner,
                                                 seawall_call_record_t *record,
                                                 uint32_t outcome,
                                                 const seawall_finished_t *finished,
                                                 uint64_t now_ns);

/// As `seawall_recorder_abandoned`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; or an object mistake.
seawall_status_t seawall_owned_recorder_abandoned(seawall_recorder_t *recorder,
                                                  seawall_owned_recorder_t *owner,
                                                  seawall_call_record_t *record,
                                                  uint64_t now_ns);

/// As `seawall_recorder_changed`, by the owner.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, but only an owner that still is one may say it.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where nothing changed (`transition->to` is 0); `SEAWALL_E_VALUE` where
/// a number in it is none of those that are allowed; `SEAWALL_VOID` where the owner was released before, by a copy;
/// `SEAWALL_E_PERMIT` where it is none; or an object mistake.
seawall_status_t seawall_owned_recorder_changed(seawall_recorder_t *recorder,
                                                seawall_owned_recorder_t *owner,
                                                const seawall_transition_t *transition,
                                                uint64_t now_ns);

/// Makes the caller the only recorder of `shard`, until it is released: `*owner`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. The next owner goes on where the one before stopped.
/// Returns: `SEAWALL_OK`; `SEAWALL_TAKEN` while there is one; `SEAWALL_E_SIZE` where there is no such shard;
/// `SEAWALL_E_WRITER` where anybody records; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_sharded_window_own(seawall_sharded_window_t *window,
                                            uint32_t shard,
                                            seawall_owned_window_t *owner);

/// Counts one finished call in the shard that `owner` owns: as `seawall_sharded_window_record`.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores, no read-modify-write but for the
/// earliest sample of all.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was released before, by a copy; `SEAWALL_E_PERMIT` where it is none;
/// or an object mistake.
seawall_status_t seawall_owned_window_record(seawall_sharded_window_t *window,
                                             seawall_owned_window_t *owner,
                                             uint64_t latency_ns,
                                             uint32_t ok,
                                             uint64_t now_ns);

/// Gives a shard back, for the next owner. Zeroes `*owner`.
///
/// Threads: the owner's one. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was released before, by a copy; `SEAWALL_E_PERMIT` where it is none;
/// or an object mistake.
seawall_status_t seawall_owned_window_release(seawall_sharded_window_t *window,
                                              seawall_owned_window_t *owner);

/// Begins the stream of `seed`. Every seed is good, 0 too; two streams of one seed are the same.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
SEAWALL_MUST_USE seawall_status_t seawall_random_init(seawall_random_t *random, uint64_t seed);

/// Ends a stream: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_random_fini(seawall_random_t *random);

/// The next number, uniform over all of `uint64_t`.
///
/// Threads: exclusive: for one thread at a time, and for no signal handler that may interrupt it here. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake; the stream has then not moved.
SEAWALL_MUST_USE
seawall_status_t seawall_random_next_u64(seawall_random_t *random,
                                         uint64_t *number);

/// Begins the stream of `seed`, the same as that of `seawall_random_init`.
///
/// Threads: exclusive; hand the stream to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
SEAWALL_MUST_USE seawall_status_t seawall_shared_random_init(seawall_shared_random_t *random, uint64_t seed);

/// Ends a stream, as `seawall_random_fini`.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_shared_random_fini(seawall_shared_random_t *random);

/// Goes on with the stream of another seed: for a process that was forked, which would else draw what its parent draws.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_shared_random_reseed(seawall_shared_random_t *random,
                                              uint64_t seed);

/// The next number, uniform over all of `uint64_t`. Each caller gets its own.
///
/// Threads: any, at the same time; signal handlers too. Wait-free: one atomic addition.
/// Returns: `SEAWALL_OK`, or an object mistake; the stream has then not moved.
SEAWALL_MUST_USE
seawall_status_t seawall_shared_random_next_u64(seawall_shared_random_t *random,
                                                uint64_t *number);

/// Fills a configuration with the defaults: 30 s in 8 slices of 512 cells, which anybody writes. `config->struct_size`
/// has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_recorder_config_default(seawall_recorder_config_t *config);

/// How many bytes a workspace must have for what `config` says, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_recorder_required_size(const seawall_recorder_config_t *config, size_t *size);

/// Makes a recorder in a workspace of `size` bytes, and gives its handle. It has counted nothing.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where slices or cells are out of their range;
/// `SEAWALL_E_WINDOW_TOO_SHORT`, `SEAWALL_E_WINDOW_TOO_LONG`; `SEAWALL_E_VALUE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`,
/// `SEAWALL_E_STRUCT_SIZE`. What was in the workspace may be gone then.
SEAWALL_MUST_USE
seawall_status_t seawall_recorder_init(void *workspace,
                                       size_t size,
                                       const seawall_recorder_config_t *config,
                                       seawall_recorder_t **recorder);

/// The handle of a recorder that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_recorder_attach(void *workspace,
                                         size_t size,
                                         seawall_recorder_t **recorder);

/// Ends a recorder: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_recorder_fini(seawall_recorder_t *recorder);

/// A logical call begins: `*record` is to be told of it.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WRITER` where an owner writes it; or an object mistake.
seawall_status_t seawall_recorder_begun(seawall_recorder_t *recorder,
                                        uint64_t now_ns,
                                        seawall_call_record_t *record);

/// An attempt was asked for, with this answer: the status and the decision of `seawall_guard_try_attempt`, and its
/// admission. `decision` is needed for a refusal only, `admission` never: NULL says that nothing changed and no stage
/// in shadow would have refused.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// `SEAWALL_E_VALUE` where `status` is none that an attempt is answered with; or an object mistake.
seawall_status_t seawall_recorder_attempted(seawall_recorder_t *recorder,
                                            seawall_call_record_t *record,
                                            seawall_status_t status,
                                            const seawall_decision_t *decision,
                                            const seawall_admission_t *admission,
                                            uint64_t now_ns);

/// The attempt under way was never sent. Nothing, where none is.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// or an object mistake.
seawall_status_t seawall_recorder_cancelled(seawall_recorder_t *recorder,
                                            seawall_call_record_t *record,
                                            uint64_t now_ns);

/// The attempt under way ended: `outcome` is a `SEAWALL_OUTCOME_…`, `*finished` what `seawall_guard_finish` wrote.
/// Nothing, where no attempt is under way: one that is reported twice counts once.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// `SEAWALL_E_VALUE` where the outcome or a number in `*finished` is none of those that are allowed; or an object mistake.
seawall_status_t seawall_recorder_finished(seawall_recorder_t *recorder,
                                           seawall_call_record_t *record,
                                           uint32_t outcome,
                                           const seawall_finished_t *finished,
                                           uint64_t now_ns);

/// The call is not sent again, though it was not over: its caller gave it up, refused or not. Zeroes `*record`.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// or an object mistake.
seawall_status_t seawall_recorder_abandoned(seawall_recorder_t *recorder,
                                            seawall_call_record_t *record,
                                            uint64_t now_ns);

/// The breaker changed its state outside of a call: forced, tripped or reset. Transitions that an attempt or a report
/// brings are noted by themselves. Lets `seawall_guard_explain_recorded` say why and when.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, whoever writes it.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where nothing changed (`transition->to` is 0); `SEAWALL_E_VALUE` where
/// a number in it is none of those that are allowed; or an object mistake.
seawall_status_t seawall_recorder_changed(seawall_recorder_t *recorder,
                                          const seawall_transition_t *transition,
                                          uint64_t now_ns);

/// Goes over to another clock: what was `old_now_ns` so far is `new_now_ns` from here on. The windows start anew, the
/// totals stay. To be called with `seawall_guard_rebase`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; not one step: what is counted meanwhile may be in
/// the totals only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_recorder_rebase(seawall_recorder_t *recorder,
                                         uint64_t old_now_ns,
                                         uint64_t new_now_ns);

/// What this recorder counted since it was made: `*counts`, whose `struct_size` has to be set. No end is in it without its
/// beginning.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
seawall_status_t seawall_recorder_totals(seawall_recorder_t *recorder,
                                         seawall_counts_t *counts);

/// What this recorder counted in its window at `now_ns`: `*counts`, whose `struct_size` has to be set. A call that
/// began before the window may end in it.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
seawall_status_t seawall_recorder_recent(seawall_recorder_t *recorder,
                                         uint64_t now_ns,
                                         seawall_counts_t *counts);

/// How many slices its windows have: `*slices`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_recorder_slices(seawall_recorder_t *recorder, uint32_t *slices);

/// How many latency cells a slice has: `*cells`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_recorder_cells(seawall_recorder_t *recorder, uint32_t *cells);

/// Fills a configuration with the defaults, those of `SEAWALL_RETRY_BUDGET_CONFIG_INIT`: for unknown traffic.
/// `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_retry_budget_config_default(seawall_retry_budget_config_t *config);

/// Fills a configuration for a process that expects `rate` calls and gives each `timeout_ns`: a cap of the calls that can
/// be lost before the first of them is noticed, but 1 to 10 tokens; a share of 12 %; a lifetime of sixty time-outs, but 1 s
/// to an hour; one initial token. `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`.
seawall_status_t seawall_retry_budget_config_for(seawall_retry_budget_config_t *config,
                                                 seawall_rate_t rate,
                                                 uint64_t timeout_ns);

/// Makes a budget that begins at `now_ns` with its initial tokens.
///
/// Threads: exclusive; hand the budget to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`,
/// `SEAWALL_E_RATIO`, or a `SEAWALL_E_BUDGET_…` that names the field; the storage is then as it was.
SEAWALL_MUST_USE
seawall_status_t seawall_retry_budget_init(seawall_retry_budget_t *budget,
                                           const seawall_retry_budget_config_t *config,
                                           uint64_t now_ns);

/// Ends a budget: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_budget_fini(seawall_retry_budget_t *budget);

/// A call succeeded at its first try: the budget earns its share of a token. Not for a retry that succeeded, or retries
/// would pay for retries.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; a full budget is not written.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_budget_deposit(seawall_retry_budget_t *budget,
                                              uint64_t now_ns);

/// Takes what a retry costs, a `SEAWALL_RETRY_COST_…` or any other amount, all or nothing. To be called before the backoff
/// starts, so that retries that still wait are paid for. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; a refusal writes nothing that is shared.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`: give the call up, as successes decide when there is a token again, and
/// `decision->retry_after_ns` is `SEAWALL_UNKNOWN`; `SEAWALL_NEVER` where the cost is over the cap; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_retry_budget_try_withdraw(seawall_retry_budget_t *budget,
                                                   uint32_t cost_millionths,
                                                   uint64_t now_ns,
                                                   seawall_decision_t *decision);

/// Gives back what a retry took that was never sent. At most the cap; what decayed meanwhile is not taken off.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_budget_refund(seawall_retry_budget_t *budget,
                                             uint32_t cost_millionths,
                                             uint64_t now_ns);

/// What the budget holds, in millionths of a token.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take it before the caller does.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_budget_balance(seawall_retry_budget_t *budget,
                                              uint64_t now_ns,
                                              uint32_t *millionths);

/// Changes what the next deposits earn; those made stand.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_RATIO`, and the share stays; or an object mistake.
seawall_status_t seawall_retry_budget_set_share(seawall_retry_budget_t *budget, uint32_t share_ppm);

/// Changes the cap. Tokens over a lower cap are cut off by the next call that moves tokens; until then they cannot be seen
/// or taken, but a cap that is raised again uncovers them. A floor over the cap counts as the cap.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; a call that is under way may still go by the old cap.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_BUDGET_CAP_TOO_LARGE`, and the cap stays; or an object mistake.
seawall_status_t seawall_retry_budget_set_cap(seawall_retry_budget_t *budget,
                                              uint32_t cap_millionths);

/// Moves the budget to a clock that reads `new_now_ns` where the old one read `old_now_ns`: the balance is as it was then.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; who still comes with a reading of the old clock may cost
/// tokens beyond the floor or stop their decay, and brings in none.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_budget_rebase(seawall_retry_budget_t *budget,
                                             uint64_t old_now_ns,
                                             uint64_t new_now_ns);

/// As if new at `now_ns`: the initial tokens, at most the cap. Share and cap stay as they were set.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; what others earn or take meanwhile may be forgotten.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_budget_reset(seawall_retry_budget_t *budget,
                                            uint64_t now_ns);

/// Fills a configuration with the defaults, those of `SEAWALL_RETRY_STRATEGY_CONFIG_INIT`. `config->struct_size` has to be
/// set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_retry_strategy_config_default(seawall_retry_strategy_config_t *config);

/// Fills a configuration for a message that must arrive and that nobody waits for, that of
/// `SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE`. `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_retry_strategy_config_guide(seawall_retry_strategy_config_t *config);

/// Makes a strategy.
///
/// Threads: exclusive; hand the strategy to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the
/// jitter is none; or a `SEAWALL_E_RETRY_…` that names the field; the storage is then as it was.
SEAWALL_MUST_USE
seawall_status_t seawall_retry_strategy_init(seawall_retry_strategy_t *strategy,
                                             const seawall_retry_strategy_config_t *config);

/// Ends a strategy: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_strategy_fini(seawall_retry_strategy_t *strategy);

/// How often one call is sent in all, the first time included.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_strategy_max_attempts(seawall_retry_strategy_t *strategy,
                                                     uint32_t *max_attempts);

/// How long a call may take in all; `SEAWALL_UNKNOWN` where there is no deadline.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_strategy_total_deadline(seawall_retry_strategy_t *strategy,
                                                       uint64_t *total_deadline_ns);

/// The delay after failed attempt number `attempt` (from 1; 0 counts as 1), jitter included: never above `max_delay_ns`.
/// Asks neither the number of attempts nor the deadline: `seawall_retry_strategy_decide` does. `previous_delay_ns` is the
/// delay before that attempt, for `SEAWALL_JITTER_DECORRELATED`; `SEAWALL_UNKNOWN` at the first. `random` is a number drawn
/// from all of `uint64_t`, a fresh one each time.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_retry_strategy_next_delay(seawall_retry_strategy_t *strategy,
                                                   uint32_t attempt,
                                                   uint64_t previous_delay_ns,
                                                   uint64_t random,
                                                   uint64_t *delay_ns);

/// What to do after a failure: send again in `*delay_ns`, budget and gates permitting, or give up, for the reason
/// `*give_up`, a `SEAWALL_GIVE_UP_…`. `random` as in `seawall_retry_strategy_next_delay`; `give_up` may be NULL.
///
/// The checks in their order: a permanent error, the number of attempts, a pause of the server's over
/// `retry_after_cap_ns`, the deadline. A pause within the cap is waited for in full, then up to a quarter of it more
/// (or up to the term of our own backoff, if that is longer), so that a fleet that was sent away as one does not return
/// as one.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, and `*give_up` is 0; `SEAWALL_GIVE_UP`, and `*delay_ns` is `SEAWALL_UNKNOWN`;
/// `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the class is none, or the reserved field is not 0; or an object
/// mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_retry_strategy_decide(seawall_retry_strategy_t *strategy,
                                               const seawall_attempt_failure_t *failure,
                                               uint64_t random,
                                               uint64_t *delay_ns,
                                               uint32_t *give_up);

/// Fills a configuration with the defaults: 30 s in 16 slices of 512 cells, 8 shards, into which anybody records.
/// `config->struct_size` has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_sharded_window_config_default(seawall_sharded_window_config_t *config);

/// How many bytes a workspace must have for what `config` says, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_sharded_window_required_size(const seawall_sharded_window_config_t *config,
                                                      size_t *size);

/// Makes a window in a workspace of `size` bytes, and gives its handle. It is empty.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where shards, slices or cells are out of their range;
/// `SEAWALL_E_WINDOW_TOO_SHORT`, `SEAWALL_E_WINDOW_TOO_LONG`; `SEAWALL_E_VALUE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`,
/// `SEAWALL_E_STRUCT_SIZE`. What was in the workspace may be gone then.
SEAWALL_MUST_USE
seawall_status_t seawall_sharded_window_init(void *workspace,
                                             size_t size,
                                             const seawall_sharded_window_config_t *config,
                                             seawall_sharded_window_t **window);

/// The handle of a window that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_sharded_window_attach(void *workspace,
                                               size_t size,
                                               seawall_sharded_window_t **window);

/// Ends a window: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_fini(seawall_sharded_window_t *window);

/// Counts one finished call in `shard`, the number of the caller's worker or core, modulo the number of shards: how long it
/// took, and whether it went well (`ok` is not 0). Any shard is right; one's own is fast.
///
/// Threads: any, at the same time, for any shard; signal handlers too. Lock-free: one read-modify-write for a success, two
/// for a failure, of lines that only this shard's recorders write.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WRITER` where shards have owners; or an object mistake.
seawall_status_t seawall_sharded_window_record(seawall_sharded_window_t *window,
                                               uint32_t shard,
                                               uint64_t latency_ns,
                                               uint32_t ok,
                                               uint64_t now_ns);

/// The usual figures at `now_ns`, of all shards: `*summary`, whose `struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
seawall_status_t seawall_sharded_window_summary(seawall_sharded_window_t *window,
                                                uint64_t now_ns,
                                                seawall_window_summary_t *summary);

/// The latency at quantile `q_ppm` at `now_ns`, of all shards, by nearest rank: 950,000 is the one that 95 % of calls
/// kept to, 1,000,000 the longest. Off by at most `seawall_sharded_window_relative_error`, from 4 µs up.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty: nothing is written; `SEAWALL_E_RATIO`; or an object
/// mistake.
seawall_status_t seawall_sharded_window_quantile(seawall_sharded_window_t *window,
                                                 uint32_t q_ppm,
                                                 uint64_t now_ns,
                                                 uint64_t *latency_ns);

/// The share of failed calls at `now_ns`, of all shards: `*share_ppm`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty, as no evidence is not health: nothing is written; or an
/// object mistake.
seawall_status_t seawall_sharded_window_error_rate(seawall_sharded_window_t *window,
                                                   uint64_t now_ns,
                                                   uint32_t *share_ppm);

/// Forgets what came before `now_ns`, exactly: as after a breaker has closed again. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_mark(seawall_sharded_window_t *window, uint64_t now_ns);

/// Starts anew on another clock: what was `old_now_ns` so far is `new_now_ns` from here on. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_rebase(seawall_sharded_window_t *window,
                                               uint64_t old_now_ns,
                                               uint64_t new_now_ns);

/// Samples since the window was made: `*count`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_total_count(seawall_sharded_window_t *window, uint64_t *count);

/// Failed samples since the window was made: `*errors`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_total_errors(seawall_sharded_window_t *window, uint64_t *errors);

/// Samples that came too late for their slice, or found no room, and count in the totals only: `*late`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_total_late(seawall_sharded_window_t *window, uint64_t *late);

/// How far it looks back: its slices, of which each was rounded up to a nanosecond.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_window(seawall_sharded_window_t *window, uint64_t *window_ns);

/// The width of a slice: how exactly it forgets.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_slice(seawall_sharded_window_t *window, uint64_t *slice_ns);

/// How many slices it has: `*slices`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_slices(seawall_sharded_window_t *window, uint32_t *slices);

/// How many latency cells a slice has: `*cells`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_cells(seawall_sharded_window_t *window, uint32_t *cells);

/// By how much a quantile from 4 µs up may be off: half a cell.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_relative_error(seawall_sharded_window_t *window, uint32_t *error_ppm);

/// How many shards it has: `*shards`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sharded_window_shards(seawall_sharded_window_t *window, uint32_t *shards);

/// Fills a configuration with the defaults: 30 s in 16 slices of 512 cells. `config->struct_size` has to be set, as by the
/// `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_sliding_window_config_default(seawall_sliding_window_config_t *config);

/// How many bytes a workspace must have for what `config` says, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_sliding_window_required_size(const seawall_sliding_window_config_t *config,
                                                      size_t *size);

/// Makes a window in a workspace of `size` bytes, and gives its handle. It is empty.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where slices or cells are out of their range;
/// `SEAWALL_E_WINDOW_TOO_SHORT`, `SEAWALL_E_WINDOW_TOO_LONG`; `SEAWALL_E_VALUE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`,
/// `SEAWALL_E_STRUCT_SIZE`. What was in the workspace may be gone then.
SEAWALL_MUST_USE
seawall_status_t seawall_sliding_window_init(void *workspace,
                                             size_t size,
                                             const seawall_sliding_window_config_t *config,
                                             seawall_sliding_window_t **window);

/// The handle of a window that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_sliding_window_attach(void *workspace,
                                               size_t size,
                                               seawall_sliding_window_t **window);

/// Ends a window: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_fini(seawall_sliding_window_t *window);

/// Counts one finished call: how long it took, and whether it went well (`ok` is not 0). An older `now_ns` counts in
/// its own slice, or, where that was reused, as late.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one read-modify-write for a success, two for a failure.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_record(seawall_sliding_window_t *window,
                                               uint64_t latency_ns,
                                               uint32_t ok,
                                               uint64_t now_ns);

/// The usual figures at `now_ns`: `*summary`, whose `struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
seawall_status_t seawall_sliding_window_summary(seawall_sliding_window_t *window,
                                                uint64_t now_ns,
                                                seawall_window_summary_t *summary);

/// The latency at quantile `q_ppm` at `now_ns`, by nearest rank: 950,000 is the one that 95 % of calls kept to, 1,000,000
/// the longest. Off by at most `seawall_sliding_window_relative_error`, from 4 µs up.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty: nothing is written; `SEAWALL_E_RATIO`; or an object
/// mistake.
seawall_status_t seawall_sliding_window_quantile(seawall_sliding_window_t *window,
                                                 uint32_t q_ppm,
                                                 uint64_t now_ns,
                                                 uint64_t *latency_ns);

/// The share of failed calls at `now_ns`: `*share_ppm`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty, as no evidence is not health: nothing is written; or an
/// object mistake.
seawall_status_t seawall_sliding_window_error_rate(seawall_sliding_window_t *window,
                                                   uint64_t now_ns,
                                                   uint32_t *share_ppm);

/// Forgets what came before `now_ns`, exactly: as after a breaker has closed again. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_mark(seawall_sliding_window_t *window, uint64_t now_ns);

/// Starts anew on another clock: what was `old_now_ns` so far is `new_now_ns` from here on. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_rebase(seawall_sliding_window_t *window,
                                               uint64_t old_now_ns,
                                               uint64_t new_now_ns);

/// Samples since the window was made: `*count`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_total_count(seawall_sliding_window_t *window, uint64_t *count);

/// Failed samples since the window was made: `*errors`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_total_errors(seawall_sliding_window_t *window, uint64_t *errors);

/// Samples that came too late for their slice, or found no room, and count in the totals only: `*late`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_total_late(seawall_sliding_window_t *window, uint64_t *late);

/// How far it looks back: its slices, of which each was rounded up to a nanosecond.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_window(seawall_sliding_window_t *window, uint64_t *window_ns);

/// The width of a slice: how exactly it forgets.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_slice(seawall_sliding_window_t *window, uint64_t *slice_ns);

/// How many slices it has: `*slices`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_slices(seawall_sliding_window_t *window, uint32_t *slices);

/// How many latency cells a slice has: `*cells`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_cells(seawall_sliding_window_t *window, uint32_t *cells);

/// By how much a quantile from 4 µs up may be off: half a cell.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_sliding_window_relative_error(seawall_sliding_window_t *window, uint32_t *error_ppm);

/// A guard at `now_ns`: `*snapshot`, whose `struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Loads only; one for each slot and shard.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
seawall_status_t seawall_guard_snapshot(seawall_guard_t *guard,
                                        uint64_t now_ns,
                                        seawall_snapshot_t *snapshot);

/// A guard at `now_ns` with what the recorders of its workers counted, merged: `*snapshot` and `*recorded`, whose
/// `struct_size` have to be set; `snapshot` may be NULL. `recorders` are `count` handles, 0 to 1,048,576; of unlike
/// cells they are read with those of the first.
///
/// Threads: any, at the same time; signal handlers too. Loads only; one for each slot, shard and counter; under 12 KiB
/// of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_SIZE` where there are more; or an object mistake.
seawall_status_t seawall_guard_snapshot_recorded(seawall_guard_t *guard,
                                                 seawall_recorder_t *const *recorders,
                                                 size_t count,
                                                 uint64_t now_ns,
                                                 seawall_snapshot_t *snapshot,
                                                 seawall_recorded_t *recorded);

/// As `seawall_guard_explain`, and with what the recorders of its workers counted: what was refused lately and by what,
/// why the breaker is open and since when. `recorders` and `count` as in `seawall_guard_snapshot_recorded`.
///
/// Threads: any, at the same time, each with memory of its own; signal handlers too. Loads only; under 12 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE` where `size` is 0, or there are too many recorders; or an object mistake.
seawall_status_t seawall_guard_explain_recorded(seawall_guard_t *guard,
                                                seawall_recorder_t *const *recorders,
                                                size_t count,
                                                uint64_t now_ns,
                                                char *text,
                                                size_t size,
                                                size_t *length);

/// In words: what refuses now, why, what would make an attempt pass and when. `*text` gets at most `size` bytes, whole
/// sentences and the zero that ends it: what does not fit is left out from the first sentence on that does not.
/// `*length` are its bytes without the zero; `length` may be NULL. With `SEAWALL_LONGEST_EXPLANATION` nothing is ever left
/// out.
///
/// Threads: any, at the same time, each with memory of its own; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE` where `size` is 0; or an object mistake.
seawall_status_t seawall_guard_explain(seawall_guard_t *guard,
                                       uint64_t now_ns,
                                       char *text,
                                       size_t size,
                                       size_t *length);

/// A refusal in words, as `seawall_guard_try_attempt` made it at `now_ns`: its status and its decision. The text is as in
/// `seawall_guard_explain`, and empty if it does not fit; 257 bytes are enough for every one.
///
/// Threads: any, at the same time, each with memory of its own; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where status and decision are of no refusal; `SEAWALL_E_SIZE` where `size`
/// is 0; or an object mistake.
seawall_status_t seawall_guard_explain_refusal(seawall_guard_t *guard,
                                               seawall_status_t status,
                                               const seawall_decision_t *decision,
                                               uint64_t now_ns,
                                               char *text,
                                               size_t size,
                                               size_t *length);

/// The words for a status, in English; for a mistake what was wrong and what is allowed. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break.
const char *seawall_status_text(seawall_status_t status);

/// The name of a `SEAWALL_STATE_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
const char *seawall_state_text(uint32_t state);

/// The name of a `SEAWALL_CAUSE_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
const char *seawall_cause_text(uint32_t cause);

/// The name of a `SEAWALL_STAGE_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
const char *seawall_stage_text(uint32_t stage);

/// The name of a `SEAWALL_GIVE_UP_…`, as in logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
const char *seawall_give_up_text(uint32_t reason);

/// The name of a `SEAWALL_RATE_REASON_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
const char *seawall_rate_reason_text(uint32_t reason);

/// The name of a `SEAWALL_LIMIT_REASON_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
const char *seawall_limit_reason_text(uint32_t reason);

/// Fills a configuration for `rate`: a burst of one second of it (at least 1), full at the start, no warm-up.
/// `config->struct_size` has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`.
seawall_status_t seawall_token_bucket_config_for(seawall_token_bucket_config_t *config,
                                                 seawall_rate_t rate);

/// Makes a bucket that begins to earn at `now_ns`.
///
/// Threads: exclusive; hand the bucket to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`,
/// `SEAWALL_E_RATE_ZERO_PERIOD`, or a `SEAWALL_E_BUCKET_…` that names the field; the storage is then as it was.
SEAWALL_MUST_USE
seawall_status_t seawall_token_bucket_init(seawall_token_bucket_t *bucket,
                                           const seawall_token_bucket_config_t *config,
                                           uint64_t now_ns);

/// Ends a bucket: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_token_bucket_fini(seawall_token_bucket_t *bucket);

/// Takes `n` tokens, all or none. 0 always succeeds and changes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one exchange to admit, loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`; `SEAWALL_NEVER` where `n` is over the burst; `SEAWALL_CLOCK_STEPPED` where
/// `now_ns` lies so far behind that a full burst owed does not explain it; or an object mistake.
SEAWALL_MUST_USE
seawall_status_t seawall_token_bucket_try_take(seawall_token_bucket_t *bucket,
                                               uint32_t n,
                                               uint64_t now_ns,
                                               seawall_decision_t *decision);

/// Takes as many tokens as there are, at most `n`; `*taken` says how many, 0 among them.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_token_bucket_take_up_to(seawall_token_bucket_t *bucket,
                                                 uint32_t n,
                                                 uint64_t now_ns,
                                                 uint32_t *taken);

/// Discards the tokens over `keep`, so that what follows a pause begins slowly; `*discarded` says how many whole ones.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_token_bucket_drain_to(seawall_token_bucket_t *bucket,
                                               uint32_t keep,
                                               uint64_t now_ns,
                                               uint32_t *discarded);

/// Whether `seawall_token_bucket_try_take` would succeed. Takes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the tokens in between.
/// Returns: as `seawall_token_bucket_try_take`.
SEAWALL_MUST_USE
seawall_status_t seawall_token_bucket_peek(seawall_token_bucket_t *bucket,
                                           uint32_t n,
                                           uint64_t now_ns,
                                           seawall_decision_t *decision);

/// Books `n` tokens for the earliest instant, at most `max_wait_ns` ahead (`SEAWALL_UNKNOWN`: however long), so that
/// who waits need not poll. Booked, `*reservation` is for `seawall_token_bucket_cancel`, and `*ready_at_ns` says from
/// when on the tokens may be used; refused, the one is zeroed and the other is as it was. Of several reservations only
/// the newest can be taken back exactly: keep a line, and book for its head. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: as `seawall_token_bucket_try_take`; `SEAWALL_NOT_YET` where the wait would be longer.
SEAWALL_MUST_USE
seawall_status_t seawall_token_bucket_reserve(seawall_token_bucket_t *bucket,
                                              uint32_t n,
                                              uint64_t max_wait_ns,
                                              uint64_t now_ns,
                                              seawall_reservation_t *reservation,
                                              uint64_t *ready_at_ns,
                                              seawall_decision_t *decision);

/// Gives the tokens of a reservation back that were not used, and zeroes it.
///
/// Threads: any, at the same time, each with a reservation of its own. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where others booked after it and what it holds is owed to them: the tokens
/// stay spent; `SEAWALL_E_PERMIT` where it is none; or an object mistake.
seawall_status_t seawall_token_bucket_cancel(seawall_token_bucket_t *bucket,
                                             seawall_reservation_t *reservation,
                                             uint64_t now_ns);

/// Gives `n` tokens back that were taken and never used.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where giving back could admit too many: the tokens stay spent; or an
/// object mistake.
seawall_status_t seawall_token_bucket_refund(seawall_token_bucket_t *bucket,
                                             uint32_t n,
                                             uint64_t now_ns);

/// How many whole tokens are there.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_token_bucket_available(seawall_token_bucket_t *bucket,
                                                uint64_t now_ns,
                                                uint32_t *tokens);

/// The rate in force, which a warm-up may not have reached yet.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_token_bucket_rate(seawall_token_bucket_t *bucket, seawall_rate_t *rate);

/// The burst in force.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_token_bucket_burst(seawall_token_bucket_t *bucket, uint32_t *burst);

/// Changes the rate from `now_ns` on: what was earned until then stays, and nothing of the past is counted anew. A
/// warm-up goes on towards the new rate; the burst stays.
///
/// Threads: any, at the same time as takers, who never wait for it; three changes at once. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_RATE_TOO_FAST`; or an object mistake. On all but the first the bucket is as it was.
seawall_status_t seawall_token_bucket_set_rate(seawall_token_bucket_t *bucket,
                                               seawall_rate_t rate,
                                               uint64_t now_ns);

/// Changes the burst from `now_ns` on; tokens over a smaller burst are gone.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_BUCKET_ZERO_BURST`; or an object mistake.
seawall_status_t seawall_token_bucket_set_burst(seawall_token_bucket_t *bucket,
                                                uint32_t burst,
                                                uint64_t now_ns);

/// Starts a warm-up at `now_ns`, for instance after an outage; the tokens on hand stay.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_VALUE`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_WARM_UP_TOO_LONG`; or an object mistake.
seawall_status_t seawall_token_bucket_start_warm_up(seawall_token_bucket_t *bucket,
                                                    seawall_warm_up_t warm_up,
                                                    uint64_t now_ns);

/// Moves the bucket to a clock that reads `new_now_ns` where the old one read `old_now_ns`: tokens, what is owed and
/// what is left of a warm-up stay the same. For a clock that stepped back, `old_now_ns` is the newest reading that it
/// was given.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake.
seawall_status_t seawall_token_bucket_rebase(seawall_token_bucket_t *bucket,
                                             uint64_t old_now_ns,
                                             uint64_t new_now_ns);

/// Begins anew at `now_ns` with this fill and this warm-up, at the rate and burst in force. What is owed is forgotten, and
/// refunds of earlier takes may still come, so that more than a burst may pass around a reset.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: as `seawall_token_bucket_start_warm_up`.
seawall_status_t seawall_token_bucket_reset(seawall_token_bucket_t *bucket,
                                            uint32_t fill_tokens,
                                            seawall_warm_up_t warm_up,
                                            uint64_t now_ns);

/// The version of the library that runs, as `"major.minor.patch"`. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: the text.
const char *seawall_version(void);

/// The number of the ABI of the library that runs: where it is not `SEAWALL_ABI_VERSION`, header and library do not go
/// together, and no other function may be called.
///
/// Threads: any, at the same time. Wait-free. Returns: the number.
uint32_t seawall_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SEAWALL_H */
