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

/// All of the tokens that the bucket holds.
#define SEAWALL_FILL_FULL UINT32_MAX

/// Nanoseconds in a second.
#define SEAWALL_SECOND 1000000000

/// Nanoseconds in a millisecond.
#define SEAWALL_MILLISECOND 1000000

/// A duration that is not known, or has no bound.
#define SEAWALL_UNKNOWN UINT64_MAX

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

/// Tokens that were booked ahead. A value of the caller's: forgotten, its tokens stay spent.
typedef struct {
    /// The library's own. `seawall_token_bucket_cancel` zeroes it.
    uint64_t opaque[4];
} seawall_reservation_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// The words for a status, in English; for a mistake what was wrong and what is allowed. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break.
const char *seawall_status_text(seawall_status_t status);

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
