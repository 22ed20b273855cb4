//! `seawall_status_t`: what a call answers.

use core::ffi::c_char;

use seawall::{
    AimdConfigError, BreakerConfigError, BucketConfigError, ChangeError, GuardConfigError, KeyedChangeError,
    KeyedConfigError, LimitConfigError, RateError, RatioError, Reason, RetryBudgetError, RetryConfigError,
    WindowConfigError, WrongWriter,
};

use crate::texts::words;

/// What a call answers: 0 is done, above 0 is a no (see each function), below 0 is a mistake of the caller's, after which
/// nothing has changed and no out-parameter was written. `seawall_status_text` says each in words.
pub type seawall_status_t = i32;

/// The texts of the statuses. Those of the core's errors are the core's own.
macro_rules! statuses {
    ($($name:ident, $text:expr;)*) => {
        const fn text_of(status: seawall_status_t) -> &'static core::ffi::CStr {
            match status {
                $($name => words!($text),)*
                _ => c"not a status of this library",
            }
        }

        #[cfg(test)]
        const ALL: &[(&str, seawall_status_t)] = &[$((stringify!($name), $name)),*];
    };
}

/// Done, or admitted.
pub const SEAWALL_OK: i32 = 0;
/// Refused for now: after `retry_after_ns` it is worth asking again.
pub const SEAWALL_NOT_YET: i32 = 1;
/// Refused for good: more is asked for than can ever be admitted.
pub const SEAWALL_NEVER: i32 = 2;
/// Refused, as `now_ns` is so far behind that the clock must have been set back: rebase the object.
pub const SEAWALL_CLOCK_STEPPED: i32 = 3;
/// Refused, as the table has no place for another key.
pub const SEAWALL_NO_PLACE: i32 = 4;
/// Nothing was done: the permit, reservation or record was used before, or has lapsed.
pub const SEAWALL_VOID: i32 = 5;
/// Nothing was done: giving back could admit too many, or nothing is to be changed.
pub const SEAWALL_NOTHING_DONE: i32 = 6;
/// Not changed: as many changes as may be under way at once are. Try again.
pub const SEAWALL_CONTENDED: i32 = 7;
/// Not changed: the range of the object's words is spent. Make a new one.
pub const SEAWALL_RANGE_SPENT: i32 = 8;
/// There is no such value, as nothing was measured or none is set.
pub const SEAWALL_NONE: i32 = 9;
/// Not owned: somebody owns the shard.
pub const SEAWALL_TAKEN: i32 = 10;
/// Do not send the call again: a `SEAWALL_GIVE_UP_…` says why.
pub const SEAWALL_GIVE_UP: i32 = 11;

/// A pointer is NULL that may not be.
pub const SEAWALL_E_NULL: i32 = -1;
/// A pointer is not aligned as what it points to has to be: objects, and structs that have a 64-bit field, to 8 bytes.
pub const SEAWALL_E_ALIGNMENT: i32 = -2;
/// The object was not initialised.
pub const SEAWALL_E_UNINITIALISED: i32 = -3;
/// The object is of another type, or of another ABI.
pub const SEAWALL_E_TYPE: i32 = -4;
/// The `struct_size` of a struct is smaller than in any version, no multiple of 8, or of a later version whose new fields
/// are not 0.
pub const SEAWALL_E_STRUCT_SIZE: i32 = -5;
/// The workspace is smaller than `_required_size` says.
pub const SEAWALL_E_WORKSPACE: i32 = -6;
/// Not a permit, reservation, call, lease or record: zeroed by the call that ended it, or never filled.
pub const SEAWALL_E_PERMIT: i32 = -7;
/// A number that stands for one of a few things (an outcome, a mode, a curve, a stage) is none of them, or a reserved field
/// is not 0.
pub const SEAWALL_E_VALUE: i32 = -8;
/// A size (slots, shards, groups, slices, cells) is out of its range.
pub const SEAWALL_E_SIZE: i32 = -9;
/// The period of a rate is 0.
pub const SEAWALL_E_RATE_ZERO_PERIOD: i32 = -10;
/// A ratio is over 1,000,000 parts per million.
pub const SEAWALL_E_RATIO: i32 = -11;

/// The object was made for the other kind of writer (`writers`): for owners and not for anybody, or the other way round.
/// Nothing was counted.
pub const SEAWALL_E_WRITER: i32 = -12;

/// `burst` is 0.
pub const SEAWALL_E_BUCKET_ZERO_BURST: i32 = -100;
/// `rate` is over one a nanosecond.
pub const SEAWALL_E_BUCKET_RATE_TOO_FAST: i32 = -101;
/// `warm_up.duration_ns` is over a year.
pub const SEAWALL_E_BUCKET_WARM_UP_TOO_LONG: i32 = -102;
/// `batch` is 0.
pub const SEAWALL_E_BUCKET_ZERO_BATCH: i32 = -103;
/// `batch` is over 65,536.
pub const SEAWALL_E_BUCKET_BATCH_TOO_LARGE: i32 = -104;
/// `burst` is not over `shards` x (`batch` - 1).
pub const SEAWALL_E_BUCKET_BURST_UNDER_LEASES: i32 = -105;

/// `burst` is 0.
pub const SEAWALL_E_KEYED_ZERO_BURST: i32 = -120;
/// `rate` is over one a microsecond.
pub const SEAWALL_E_KEYED_RATE_TOO_FAST: i32 = -121;
/// A new rate is too far over the first one: allowed are 15,258 a second, and a thousand times the first.
pub const SEAWALL_E_KEYED_RATE_TOO_FAR_UP: i32 = -122;

/// `floor` is 0.
pub const SEAWALL_E_LIMIT_FLOOR: i32 = -140;
/// `ceiling` is over the slots.
pub const SEAWALL_E_LIMIT_CEILING: i32 = -141;
/// `start` is not between `floor` and `ceiling`.
pub const SEAWALL_E_LIMIT_START: i32 = -142;
/// `slow_after_ns` is 0.
pub const SEAWALL_E_LIMIT_SLOW_AFTER: i32 = -143;
/// `timeout_ns` is under `slow_after_ns`.
pub const SEAWALL_E_LIMIT_TIMEOUT: i32 = -144;
/// A factor of decrease is 1,000,000 ppm.
pub const SEAWALL_E_LIMIT_FACTOR: i32 = -145;
/// `lease_ns` is under `timeout_ns`.
pub const SEAWALL_E_LIMIT_LEASE: i32 = -146;
/// `tolerance_percent` is out of range.
pub const SEAWALL_E_LIMIT_TOLERANCE: i32 = -147;
/// `saturated_after` is over 60.
pub const SEAWALL_E_LIMIT_SATURATION: i32 = -148;

/// `threshold` is 0.
pub const SEAWALL_E_BREAKER_CONSECUTIVE: i32 = -160;
/// `share_ppm` is 0.
pub const SEAWALL_E_BREAKER_SHARE: i32 = -161;
/// `window` is out of range.
pub const SEAWALL_E_BREAKER_WINDOW: i32 = -162;
/// `minimum` is out of range.
pub const SEAWALL_E_BREAKER_MINIMUM: i32 = -163;
/// `slower_than_ns` is 0.
pub const SEAWALL_E_BREAKER_SLOWER_THAN: i32 = -164;
/// `open_for_ns` is 0.
pub const SEAWALL_E_BREAKER_OPEN_FOR: i32 = -165;
/// `open_jitter_ppm` is 1,000,000.
pub const SEAWALL_E_BREAKER_OPEN_JITTER: i32 = -166;
/// `open_growth_percent` is under 100.
pub const SEAWALL_E_BREAKER_OPEN_GROWTH: i32 = -167;
/// `open_cap_ns` is under `open_for_ns`.
pub const SEAWALL_E_BREAKER_OPEN_CAP: i32 = -168;
/// `probes` is out of range.
pub const SEAWALL_E_BREAKER_PROBES: i32 = -169;
/// `probe_lease_ns` is 0.
pub const SEAWALL_E_BREAKER_PROBE_LEASE: i32 = -170;
/// `close_share_ppm` is 0.
pub const SEAWALL_E_BREAKER_CLOSE_SHARE: i32 = -171;

/// `max_attempts` is 0.
pub const SEAWALL_E_RETRY_ZERO_ATTEMPTS: i32 = -180;
/// `total_deadline_ns` is 0.
pub const SEAWALL_E_RETRY_ZERO_DEADLINE: i32 = -181;
/// `factor_percent` is under 100.
pub const SEAWALL_E_RETRY_FACTOR_UNDER_ONE: i32 = -182;
/// `base_delay_ns` is over `max_delay_ns`.
pub const SEAWALL_E_RETRY_BASE_OVER_MAX: i32 = -183;

/// The cap is over 1,000 tokens.
pub const SEAWALL_E_BUDGET_CAP_TOO_LARGE: i32 = -200;
/// The initial tokens are over the cap.
pub const SEAWALL_E_BUDGET_INITIAL_OVER_CAP: i32 = -201;
/// The floor is over the cap.
pub const SEAWALL_E_BUDGET_FLOOR_OVER_CAP: i32 = -202;
/// A lifetime is under 100 ms.
pub const SEAWALL_E_BUDGET_LIFETIME_TOO_SHORT: i32 = -203;

/// `window_ns` is under a millisecond.
pub const SEAWALL_E_WINDOW_TOO_SHORT: i32 = -220;
/// `window_ns` is over 365 days.
pub const SEAWALL_E_WINDOW_TOO_LONG: i32 = -221;

/// `min_rate` is under a millionth per second.
pub const SEAWALL_E_AIMD_MIN_RATE_TOO_LOW: i32 = -240;
/// `max_rate` is over 10^12 per second.
pub const SEAWALL_E_AIMD_MAX_RATE_TOO_HIGH: i32 = -241;
/// `initial_rate` is not between `min_rate` and `max_rate`.
pub const SEAWALL_E_AIMD_RATES_OUT_OF_ORDER: i32 = -242;
/// `step` is under a millionth per second.
pub const SEAWALL_E_AIMD_STEP_TOO_SMALL: i32 = -243;
/// `factor_ppm` is 1,000,000.
pub const SEAWALL_E_AIMD_FACTOR_TOO_LARGE: i32 = -244;
/// `interval_ns` is 0.
pub const SEAWALL_E_AIMD_ZERO_INTERVAL: i32 = -245;
/// `minimum_samples` is 0.
pub const SEAWALL_E_AIMD_ZERO_MINIMUM_SAMPLES: i32 = -246;

/// `call_timeout_ns` is 0.
pub const SEAWALL_E_GUARD_ZERO_TIMEOUT: i32 = -260;
/// `timeout_weight` is 0.
pub const SEAWALL_E_GUARD_ZERO_TIMEOUT_WEIGHT: i32 = -261;
/// `ramp.duration_ns` is over a year.
pub const SEAWALL_E_GUARD_RAMP_TOO_LONG: i32 = -262;
/// A mode was given for a stage that has none.
pub const SEAWALL_E_GUARD_STAGE_WITHOUT_MODE: i32 = -263;

statuses! {
    SEAWALL_OK, "done";
    SEAWALL_NOT_YET, "refused for now";
    SEAWALL_NEVER, "refused for good: more is asked for than can ever be admitted";
    SEAWALL_CLOCK_STEPPED, "refused: the clock was set back, rebase the object";
    SEAWALL_NO_PLACE, "refused: the table has no place for another key";
    SEAWALL_VOID, "void: used before, or lapsed";
    SEAWALL_NOTHING_DONE, "nothing was done";
    SEAWALL_CONTENDED, "not changed: too many changes are under way at once, try again";
    SEAWALL_RANGE_SPENT, "not changed: the range of the object is spent, make a new one";
    SEAWALL_NONE, "there is no such value";
    SEAWALL_TAKEN, "somebody owns the shard";
    SEAWALL_GIVE_UP, "given up: the call is not to be sent again";
    SEAWALL_E_NULL, "a pointer is NULL that may not be";
    SEAWALL_E_ALIGNMENT, "a pointer is not aligned as what it points to has to be: objects to 8 bytes";
    SEAWALL_E_UNINITIALISED, "the object was not initialised";
    SEAWALL_E_TYPE, "the object is of another type, or of another version of the ABI";
    SEAWALL_E_STRUCT_SIZE, "struct_size is not that of a known version: set it to the size of the struct, by its _INIT macro";
    SEAWALL_E_WORKSPACE, "the workspace is too small: allowed is what _required_size says and more";
    SEAWALL_E_PERMIT, "not a permit, reservation, call, lease or record: ended before, or never filled";
    SEAWALL_E_VALUE, "a number is none of those that its field allows, or a reserved field is not 0";
    SEAWALL_E_SIZE, "a size is out of its range";
    SEAWALL_E_RATE_ZERO_PERIOD, RateError::ZeroPeriod.message();
    SEAWALL_E_RATIO, RatioError.message();
    SEAWALL_E_WRITER, "the object was made for the other kind of writer: allowed is what its configuration says";
    SEAWALL_E_BUCKET_ZERO_BURST, BucketConfigError::ZeroBurst.message();
    SEAWALL_E_BUCKET_RATE_TOO_FAST, BucketConfigError::RateTooFast.message();
    SEAWALL_E_BUCKET_WARM_UP_TOO_LONG, BucketConfigError::WarmUpTooLong.message();
    SEAWALL_E_BUCKET_ZERO_BATCH, BucketConfigError::ZeroBatch.message();
    SEAWALL_E_BUCKET_BATCH_TOO_LARGE, BucketConfigError::BatchTooLarge.message();
    SEAWALL_E_BUCKET_BURST_UNDER_LEASES, BucketConfigError::BurstUnderLeases.message();
    SEAWALL_E_KEYED_ZERO_BURST, KeyedConfigError::ZeroBurst.message();
    SEAWALL_E_KEYED_RATE_TOO_FAST, KeyedConfigError::RateTooFast.message();
    SEAWALL_E_KEYED_RATE_TOO_FAR_UP, "the rate of a key is too far over the first one: allowed are 15,258 a second, and a thousand times the first rate where that is more";
    SEAWALL_E_LIMIT_FLOOR, LimitConfigError::Floor.message();
    SEAWALL_E_LIMIT_CEILING, LimitConfigError::Ceiling.message();
    SEAWALL_E_LIMIT_START, LimitConfigError::Start.message();
    SEAWALL_E_LIMIT_SLOW_AFTER, LimitConfigError::SlowAfter.message();
    SEAWALL_E_LIMIT_TIMEOUT, LimitConfigError::Timeout.message();
    SEAWALL_E_LIMIT_FACTOR, LimitConfigError::Factor.message();
    SEAWALL_E_LIMIT_LEASE, LimitConfigError::Lease.message();
    SEAWALL_E_LIMIT_TOLERANCE, LimitConfigError::Tolerance.message();
    SEAWALL_E_LIMIT_SATURATION, LimitConfigError::Saturation.message();
    SEAWALL_E_BREAKER_CONSECUTIVE, BreakerConfigError::Consecutive.message();
    SEAWALL_E_BREAKER_SHARE, BreakerConfigError::Share.message();
    SEAWALL_E_BREAKER_WINDOW, BreakerConfigError::Window.message();
    SEAWALL_E_BREAKER_MINIMUM, BreakerConfigError::Minimum.message();
    SEAWALL_E_BREAKER_SLOWER_THAN, BreakerConfigError::SlowerThan.message();
    SEAWALL_E_BREAKER_OPEN_FOR, BreakerConfigError::OpenFor.message();
    SEAWALL_E_BREAKER_OPEN_JITTER, BreakerConfigError::OpenJitter.message();
    SEAWALL_E_BREAKER_OPEN_GROWTH, BreakerConfigError::OpenGrowth.message();
    SEAWALL_E_BREAKER_OPEN_CAP, BreakerConfigError::OpenCap.message();
    SEAWALL_E_BREAKER_PROBES, BreakerConfigError::Probes.message();
    SEAWALL_E_BREAKER_PROBE_LEASE, BreakerConfigError::ProbeLease.message();
    SEAWALL_E_BREAKER_CLOSE_SHARE, BreakerConfigError::CloseShare.message();
    SEAWALL_E_RETRY_ZERO_ATTEMPTS, RetryConfigError::ZeroAttempts.message();
    SEAWALL_E_RETRY_ZERO_DEADLINE, RetryConfigError::ZeroDeadline.message();
    SEAWALL_E_RETRY_FACTOR_UNDER_ONE, RetryConfigError::FactorUnderOne.message();
    SEAWALL_E_RETRY_BASE_OVER_MAX, RetryConfigError::BaseOverMax.message();
    SEAWALL_E_BUDGET_CAP_TOO_LARGE, RetryBudgetError::CapTooLarge.message();
    SEAWALL_E_BUDGET_INITIAL_OVER_CAP, RetryBudgetError::InitialOverCap.message();
    SEAWALL_E_BUDGET_FLOOR_OVER_CAP, RetryBudgetError::FloorOverCap.message();
    SEAWALL_E_BUDGET_LIFETIME_TOO_SHORT, RetryBudgetError::LifetimeTooShort.message();
    SEAWALL_E_WINDOW_TOO_SHORT, WindowConfigError::TooShort.message();
    SEAWALL_E_WINDOW_TOO_LONG, WindowConfigError::TooLong.message();
    SEAWALL_E_AIMD_MIN_RATE_TOO_LOW, AimdConfigError::MinRateTooLow.message();
    SEAWALL_E_AIMD_MAX_RATE_TOO_HIGH, AimdConfigError::MaxRateTooHigh.message();
    SEAWALL_E_AIMD_RATES_OUT_OF_ORDER, AimdConfigError::RatesOutOfOrder.message();
    SEAWALL_E_AIMD_STEP_TOO_SMALL, AimdConfigError::StepTooSmall.message();
    SEAWALL_E_AIMD_FACTOR_TOO_LARGE, AimdConfigError::FactorTooLarge.message();
    SEAWALL_E_AIMD_ZERO_INTERVAL, AimdConfigError::ZeroInterval.message();
    SEAWALL_E_AIMD_ZERO_MINIMUM_SAMPLES, AimdConfigError::ZeroMinimumSamples.message();
    SEAWALL_E_GUARD_ZERO_TIMEOUT, GuardConfigError::ZeroTimeout.message();
    SEAWALL_E_GUARD_ZERO_TIMEOUT_WEIGHT, GuardConfigError::ZeroTimeoutWeight.message();
    SEAWALL_E_GUARD_RAMP_TOO_LONG, GuardConfigError::RampTooLong.message();
    SEAWALL_E_GUARD_STAGE_WITHOUT_MODE, "this stage has no mode: allowed are pause, circuit breaker, limit, buckets and budget";
}

/// The words for a status, in English; for a mistake what was wrong and what is allowed. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_status_text(status: seawall_status_t) -> *const c_char {
    text_of(status).as_ptr()
}

/// An error of the core, as a status.
pub(crate) trait Status {
    fn status(self) -> seawall_status_t;
}

impl Status for Reason {
    fn status(self) -> seawall_status_t {
        match self {
            Self::NotYet => SEAWALL_NOT_YET,
            Self::Never => SEAWALL_NEVER,
            Self::ClockStepped => SEAWALL_CLOCK_STEPPED,
            // One that is added later needs a status of its own: see the test.
            _ => SEAWALL_NO_PLACE,
        }
    }
}

/// Implements [`Status`] for an error of the core: each variant is named with its status. The core may add some, as its
/// errors are not exhaustive: those are `SEAWALL_E_VALUE` until they have a status here.
macro_rules! status_of {
    ($($error:ident { $($variant:ident = $status:ident),* $(,)? })*) => { $(
        impl Status for $error {
            fn status(self) -> seawall_status_t {
                match self {
                    $(Self::$variant => $status,)*
                    _ => SEAWALL_E_VALUE,
                }
            }
        }
    )* };
}

status_of! {
    BucketConfigError {
        ZeroBurst = SEAWALL_E_BUCKET_ZERO_BURST,
        RateTooFast = SEAWALL_E_BUCKET_RATE_TOO_FAST,
        WarmUpTooLong = SEAWALL_E_BUCKET_WARM_UP_TOO_LONG,
        ZeroBatch = SEAWALL_E_BUCKET_ZERO_BATCH,
        BatchTooLarge = SEAWALL_E_BUCKET_BATCH_TOO_LARGE,
        BurstUnderLeases = SEAWALL_E_BUCKET_BURST_UNDER_LEASES,
        Shards = SEAWALL_E_SIZE,
    }
    KeyedConfigError {
        ZeroBurst = SEAWALL_E_KEYED_ZERO_BURST,
        RateTooFast = SEAWALL_E_KEYED_RATE_TOO_FAST,
        Groups = SEAWALL_E_SIZE,
    }
    LimitConfigError {
        Floor = SEAWALL_E_LIMIT_FLOOR,
        Ceiling = SEAWALL_E_LIMIT_CEILING,
        Start = SEAWALL_E_LIMIT_START,
        SlowAfter = SEAWALL_E_LIMIT_SLOW_AFTER,
        Timeout = SEAWALL_E_LIMIT_TIMEOUT,
        Factor = SEAWALL_E_LIMIT_FACTOR,
        Lease = SEAWALL_E_LIMIT_LEASE,
        Tolerance = SEAWALL_E_LIMIT_TOLERANCE,
        Saturation = SEAWALL_E_LIMIT_SATURATION,
        Slots = SEAWALL_E_SIZE,
    }
    BreakerConfigError {
        Consecutive = SEAWALL_E_BREAKER_CONSECUTIVE,
        Share = SEAWALL_E_BREAKER_SHARE,
        Window = SEAWALL_E_BREAKER_WINDOW,
        Minimum = SEAWALL_E_BREAKER_MINIMUM,
        SlowerThan = SEAWALL_E_BREAKER_SLOWER_THAN,
        OpenFor = SEAWALL_E_BREAKER_OPEN_FOR,
        OpenJitter = SEAWALL_E_BREAKER_OPEN_JITTER,
        OpenGrowth = SEAWALL_E_BREAKER_OPEN_GROWTH,
        OpenCap = SEAWALL_E_BREAKER_OPEN_CAP,
        Probes = SEAWALL_E_BREAKER_PROBES,
        ProbeLease = SEAWALL_E_BREAKER_PROBE_LEASE,
        CloseShare = SEAWALL_E_BREAKER_CLOSE_SHARE,
    }
    RetryConfigError {
        ZeroAttempts = SEAWALL_E_RETRY_ZERO_ATTEMPTS,
        ZeroDeadline = SEAWALL_E_RETRY_ZERO_DEADLINE,
        FactorUnderOne = SEAWALL_E_RETRY_FACTOR_UNDER_ONE,
        BaseOverMax = SEAWALL_E_RETRY_BASE_OVER_MAX,
    }
    RetryBudgetError {
        CapTooLarge = SEAWALL_E_BUDGET_CAP_TOO_LARGE,
        InitialOverCap = SEAWALL_E_BUDGET_INITIAL_OVER_CAP,
        FloorOverCap = SEAWALL_E_BUDGET_FLOOR_OVER_CAP,
        LifetimeTooShort = SEAWALL_E_BUDGET_LIFETIME_TOO_SHORT,
    }
    WindowConfigError {
        TooShort = SEAWALL_E_WINDOW_TOO_SHORT,
        TooLong = SEAWALL_E_WINDOW_TOO_LONG,
        Slices = SEAWALL_E_SIZE,
        Cells = SEAWALL_E_SIZE,
        Shards = SEAWALL_E_SIZE,
        Storage = SEAWALL_E_WORKSPACE,
    }
    AimdConfigError {
        MinRateTooLow = SEAWALL_E_AIMD_MIN_RATE_TOO_LOW,
        MaxRateTooHigh = SEAWALL_E_AIMD_MAX_RATE_TOO_HIGH,
        RatesOutOfOrder = SEAWALL_E_AIMD_RATES_OUT_OF_ORDER,
        StepTooSmall = SEAWALL_E_AIMD_STEP_TOO_SMALL,
        FactorTooLarge = SEAWALL_E_AIMD_FACTOR_TOO_LARGE,
        ZeroInterval = SEAWALL_E_AIMD_ZERO_INTERVAL,
        ZeroMinimumSamples = SEAWALL_E_AIMD_ZERO_MINIMUM_SAMPLES,
    }
}

impl Status for GuardConfigError {
    fn status(self) -> seawall_status_t {
        match self {
            Self::ZeroTimeout => SEAWALL_E_GUARD_ZERO_TIMEOUT,
            Self::ZeroTimeoutWeight => SEAWALL_E_GUARD_ZERO_TIMEOUT_WEIGHT,
            Self::RampTooLong => SEAWALL_E_GUARD_RAMP_TOO_LONG,
            Self::Bucket(error) => error.status(),
            Self::Breaker(error) => error.status(),
            Self::Limit(error) => error.status(),
            Self::Retry(error) => error.status(),
            Self::Budget(error) => error.status(),
            _ => SEAWALL_E_VALUE,
        }
    }
}

impl Status for WrongWriter {
    fn status(self) -> seawall_status_t {
        SEAWALL_E_WRITER
    }
}

impl Status for ChangeError {
    fn status(self) -> seawall_status_t {
        match self {
            Self::Config(error) => error.status(),
            Self::Contended => SEAWALL_CONTENDED,
            _ => SEAWALL_RANGE_SPENT,
        }
    }
}

impl Status for KeyedChangeError {
    fn status(self) -> seawall_status_t {
        match self {
            Self::Config(error) => error.status(),
            Self::RateTooFarUp => SEAWALL_E_KEYED_RATE_TOO_FAR_UP,
            Self::Contended => SEAWALL_CONTENDED,
            _ => SEAWALL_RANGE_SPENT,
        }
    }
}

impl<E: Status> Status for Result<(), E> {
    fn status(self) -> seawall_status_t {
        match self {
            Ok(()) => SEAWALL_OK,
            Err(error) => error.status(),
        }
    }
}

/// A mistake that was found by the face itself.
#[derive(Clone, Copy)]
pub(crate) struct Misuse(pub(crate) seawall_status_t);

impl Status for Misuse {
    fn status(self) -> seawall_status_t {
        self.0
    }
}

/// The value, or the return of its status from the function.
macro_rules! check {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(error) => return $crate::status::Status::status(error),
        }
    };
}
pub(crate) use check;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_status_has_a_number_and_a_text_of_its_own() {
        let numbers: BTreeSet<_> = ALL.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers.len(), ALL.len());
        let texts: BTreeSet<_> = ALL.iter().map(|(_, number)| text_of(*number)).collect();
        // The bursts of a bucket and of a key are told apart; nothing else is the same either.
        assert_eq!(texts.len(), ALL.len());
        assert!(!texts.contains(text_of(7_777)));
    }

    #[test]
    fn a_mistake_says_what_is_allowed() {
        for (name, number) in ALL.iter().filter(|(_, number)| *number <= -100) {
            assert!(text_of(*number).to_str().unwrap().contains("allowed"), "{name}");
        }
    }
}
