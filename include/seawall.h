/*
 * seawall: stops retry storms where they start, in the client.
 *
 * Made from ffi/src by scripts/header: change it there. C99 and C++11 or later.
 *
 * OBJECTS lie in your storage. One of a fixed size is a struct that you declare and its _init fills. One whose size
 * depends on its configuration lies in a workspace of the size that its _required_size tells: its _init gives you the
 * handle, and its _attach gives the handle of one that is there already, in memory that processes share. Nothing is
 * allocated, nothing is to be freed. Memory of zeros is no object. An object may be moved or copied by nobody while it
 * is used; it holds no pointer.
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
 * is made, ended, moved or overwritten; a permit that is used by two threads at once; a copy of a
 * reservation that is cancelled after the original, which counts as a refund.
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

/* Configurations of real defaults, to begin with. The tests hold them to those of the library. */
#define SEAWALL_RATE_INIT(count, period_ns) {(count), (period_ns)}
#define SEAWALL_WARM_UP_NONE {0, 0, {0, 1000000000}, 0}
#define SEAWALL_TOKEN_BUCKET_CONFIG_INIT \
    {sizeof(seawall_token_bucket_config_t), 10, {10, 1000000000}, UINT32_MAX, 0, SEAWALL_WARM_UP_NONE}
#define SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT \
    {sizeof(seawall_circuit_breaker_config_t), SEAWALL_TRIP_CONSECUTIVE, 10, 0, 0, 0, 0, 1000000000, 300000, 150, \
     5000000000, 3, 600000, 5000000000, 1000000000}


/// Opens after `threshold` failures in a row. Nothing is written while all is well.
#define SEAWALL_TRIP_CONSECUTIVE 1

/// Opens on a share of failures among the last calls. Nothing is written while all of a full window succeeded.
#define SEAWALL_TRIP_FAILURE_SHARE 2

/// Opens on a share of slow calls among the last calls. A failure counts as slow, however fast it came.
#define SEAWALL_TRIP_SLOW_SHARE 3

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

/// A pointer is not aligned to 8 bytes.
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

/// Nanoseconds in a second.
#define SEAWALL_SECOND 1000000000

/// Nanoseconds in a millisecond.
#define SEAWALL_MILLISECOND 1000000

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

/// The number of the ABI: it changes when a program that was built with another header would not run, and is the number in
/// the name `libseawall.so.1`.
#define SEAWALL_ABI_VERSION 1

/// What a call answers: 0 is done, above 0 is a no (see each function), below 0 is a mistake of the caller's, after which
/// nothing has changed and no out-parameter was written. `seawall_status_text` says each in words.
typedef int32_t seawall_status_t;

/// Leave to send one call. A value of the caller's: forgotten, it holds at most a probe's place, and that until its lease
/// lapses. It is for the breaker that gave it, which does not know it from one of another breaker.
///
/// Of copies of a permit one is to be used. A second result of a probe is ignored, as are all of an earlier generation; a
/// second result of a call that was no probe counts as one more call.
typedef struct {
    /// The library's own. `seawall_circuit_breaker_finish` and `seawall_circuit_breaker_cancel` zero it.
    uint64_t opaque[4];
} seawall_breaker_permit_t;

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
    /// Refused with `SEAWALL_NOT_YET` or `SEAWALL_NO_PLACE`: after how long it is worth asking again, or
    /// `SEAWALL_UNKNOWN`. Else 0.
    uint64_t retry_after_ns;
    /// How much is left after this answer: tokens of a bucket, free slots of a limit, else 0. Others may take it at once.
    uint32_t remaining;
    /// Who refused, a `SEAWALL_STAGE_…`; 0 where nobody did.
    uint32_t stage;
} seawall_decision_t;

/// `count` per `period_ns` nanoseconds; a `count` of 0 is never. The period is 1 and more.
typedef struct {
    /// How many.
    uint64_t count;
    /// In how many nanoseconds.
    uint64_t period_ns;
} seawall_rate_t;

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

/// A token bucket. Its size is the same for every configuration; `seawall_token_bucket_init` makes it.
typedef struct {
    /// The library's own.
    uint64_t opaque[80];
} seawall_token_bucket_t;

/// Tokens that were booked ahead. A value of the caller's: forgotten, its tokens stay spent.
typedef struct {
    /// The library's own. `seawall_token_bucket_cancel` zeroes it.
    uint64_t opaque[4];
} seawall_reservation_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// When the call of a permit was admitted.
///
/// Threads: any, for a permit that nobody uses meanwhile. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
seawall_status_t seawall_breaker_permit_started(const seawall_breaker_permit_t *permit, uint64_t *started_ns);

/// Whether the call of a permit is a probe of a half-open breaker: `*is_probe` is 1, or 0.
///
/// Threads and Returns: as `seawall_breaker_permit_started`.
seawall_status_t seawall_breaker_permit_is_probe(const seawall_breaker_permit_t *permit, uint32_t *is_probe);

/// The generation that admitted the call of a permit: the `generation` of the transition before it.
///
/// Threads and Returns: as `seawall_breaker_permit_started`.
seawall_status_t seawall_breaker_permit_generation(const seawall_breaker_permit_t *permit,
                                                   uint32_t *generation);

/// Fills a configuration with the defaults, those of `SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT`. `config->struct_size` has to be
/// set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
seawall_status_t seawall_circuit_breaker_config_default(seawall_circuit_breaker_config_t *config);

/// Makes a closed breaker without evidence.
///
/// Threads: exclusive; hand the breaker to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the rule
/// is none; `SEAWALL_E_RATIO`, or a `SEAWALL_E_BREAKER_…` that names the field; the storage is then as it was.
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
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`: open, with the rest of the interval in `decision->retry_after_ns`; or held open,
/// half-open with all probes out, or kept back by the ramp, with `SEAWALL_UNKNOWN` there, as a report may change that at any
/// time; or an object mistake.
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
/// instant of its admission. `random` is a drawn number, used only if this call opens the breaker. `SEAWALL_OUTCOME_IGNORED`
/// frees a probe's place and says nothing. A result of an earlier generation, or a second one of the same probe, is ignored.
/// `*transition` is the change that this call made, all zeros where it made none; `transition` may be NULL.
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

/// Opens a closed breaker on evidence of the caller's own, as a percentile over a sliding window. The interval is drawn with
/// `random`, and the probes follow. A breaker that is not closed, or is held closed, stays as it is: then the probes judge,
/// not older evidence. `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where it stays as it is, and `*transition` is all zeros; or an object
/// mistake.
seawall_status_t seawall_circuit_breaker_trip(seawall_circuit_breaker_t *breaker,
                                              uint64_t now_ns,
                                              uint64_t random,
                                              seawall_transition_t *transition);

/// Holds the breaker open, whatever happens, until `seawall_circuit_breaker_force_close` or `seawall_circuit_breaker_reset`.
/// `*transition` is all zeros where it was open; `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_force_open(seawall_circuit_breaker_t *breaker,
                                                    uint64_t now_ns,
                                                    seawall_transition_t *transition);

/// Holds the breaker closed, whatever happens, until `seawall_circuit_breaker_force_open` or `seawall_circuit_breaker_reset`.
/// All calls pass and none is judged: it is switched off. `*transition` is all zeros where it was closed; `transition` may
/// be NULL.
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

/// Changes the configuration while others call. State, generation and permits stay. Calls that have ended keep their verdict;
/// a shorter window keeps the newest of them. A change between a count and a share starts the evidence anew. An interval,
/// lease or ramp that runs keeps its end, unless that lies more than twice the new length ahead.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. A call that overlaps with it may judge by some old and
/// some new fields; of two changes at once each field comes from one or the other.
/// Returns: as `seawall_circuit_breaker_init`, and `SEAWALL_E_UNINITIALISED`, `SEAWALL_E_TYPE`; on all but the first nothing
/// has changed.
seawall_status_t seawall_circuit_breaker_set_config(seawall_circuit_breaker_t *breaker,
                                                    const seawall_circuit_breaker_config_t *config);

/// Moves the breaker to a clock that reads `new_now_ns` where the old one read `old_now_ns`: what ended so long after the one
/// ends as long after the other. Permits keep the old clock's instant, so that their latency is not to be trusted.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step: a call under way may meet ends of either
/// clock. Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_rebase(seawall_circuit_breaker_t *breaker,
                                                uint64_t old_now_ns,
                                                uint64_t new_now_ns);

/// Whether a call must not be sent, without a permit: `*blocked` is 1, or 0. A 0 in the half-open state takes a probe's
/// place, so that each must be followed by `seawall_circuit_breaker_on_success` or `seawall_circuit_breaker_on_failure`.
/// Prefer permits: without them a result from before the trip is taken for a probe's, no latency is known, and the change to
/// half-open is not told.
///
/// Threads: any, at the same time; signal handlers too. As `seawall_circuit_breaker_try_attempt`.
/// Returns: `SEAWALL_OK`, or an object mistake.
seawall_status_t seawall_circuit_breaker_should_block(seawall_circuit_breaker_t *breaker,
                                                      uint64_t now_ns,
                                                      uint32_t *blocked);

/// A call without a permit went well. In the half-open state it counts for the oldest probe that is out. `*transition` is as
/// in `seawall_circuit_breaker_finish`.
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

/// Books `n` tokens for the earliest instant, at most `max_wait_ns` ahead (`SEAWALL_UNKNOWN`: however long), so that who
/// waits need not poll. `*reservation` is for `seawall_token_bucket_cancel`, `*ready_at_ns` says from when on the tokens
/// may be used. Of several reservations only the newest can be taken back exactly: keep a line, and book for its head.
/// `decision` may be NULL.
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
/// `SEAWALL_E_BUCKET_RATE_TOO_FAST`; `SEAWALL_E_BUCKET_WARM_UP_TOO_LONG`; or an object mistake.
seawall_status_t seawall_token_bucket_start_warm_up(seawall_token_bucket_t *bucket,
                                                    seawall_warm_up_t warm_up,
                                                    uint64_t now_ns);

/// Moves the bucket to a clock that reads `new_now_ns` where the old one read `old_now_ns`: tokens, what is owed and what is
/// left of a warm-up stay the same. For a clock that stepped back, `old_now_ns` is the newest reading that it was given.
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
