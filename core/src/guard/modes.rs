//! [`Mode`]: whether a stage of a guard refuses, only says that it would, or is not there; and what holds for one call.
//!
//! # State word
//! One for each stage, 32 bits: the share of the calls for which the stage refuses, in parts per million; all ones is
//! off. So a share of all is `Enforce`, and one of nothing is `Shadow`.
//!
//! # Who is in a canary
//! A call's key and a salt that the guard drew from its seed give a place from 0 to 999,999; the call is in where its
//! place is under the share. A larger share keeps those who are in. All stages of a guard know one place for a key: whom
//! a smaller canary has, a larger one has too, whatever stages they belong to.
//!
//! # Orderings
//! Relaxed: a mode publishes nothing, and a call that begins during a switch goes by the old mode or the new.

use core::fmt;

use crate::random::{Random, mix, up_to};
use crate::ratio::Ratio;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU32, Ordering, const_constructor};

/// What a stage of a [`Guard`](crate::Guard) does with the calls that it would refuse.
///
/// What holds for a call is decided when it begins, and holds for all its attempts.
///
/// # Shadow
/// The state of a stage in shadow advances as if it were enforced, on the attempts that the shadow stages would all have
/// let through; the others pass without them, and [`Admission::shadow_refusal`](crate::Admission::shadow_refusal) and
/// [`Finished::shadow_refusal`](crate::Finished::shadow_refusal) say who would have refused.
///
/// A shadow of a stage that adapts overstates what it would refuse: the calls that it would have held back are sent all
/// the same and are load like any other. So the service does not get the relief that the refusals would have brought; its
/// answers stay slow or bad, and the stage goes on as if its refusals helped nobody. A breaker in shadow stays open for
/// longer, a limit in shadow is cut further. A bucket and a pause do not adapt to answers: their shadow is exact, as long
/// as those who are refused do not ask again.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Mode, Rate, Ratio, Stage};
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// assert_eq!(guard.mode(Stage::CircuitBreaker), Mode::Enforce);
/// guard.set_mode(Stage::CircuitBreaker, Mode::Canary(Ratio::percent(5)?))?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It refuses.
    Enforce,
    /// It says what it would refuse, and lets it pass.
    Shadow,
    /// It refuses calls of this share of the keys, and is in shadow for the others: so its state counts all of them, and
    /// the calls in the canary are treated as they will be when all are in it. Were it off for the others, it would see
    /// a part of the traffic, and a limit that is right for all of it would never bind.
    Canary(Ratio),
    /// It is neither read nor written.
    Off,
}

/// The mode of each stage of a [`Guard`](crate::Guard) that has one: all but the deadline of a call. Start from
/// [`ENFORCE`](Self::ENFORCE) or [`all`](Self::all).
///
/// ```
/// use core::time::Duration;
/// use seawall::{GuardConfig, GuardModes, Mode, Rate};
/// let config = GuardConfig {
///     modes: GuardModes { bucket: Mode::Off, ..GuardModes::all(Mode::Shadow) },
///     ..GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1))
/// };
/// assert_eq!(config.modes.breaker, Mode::Shadow);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GuardModes {
    /// The pause that the server asked for. Off: a Retry-After counts for its own call only.
    pub pause: Mode,
    /// The circuit breaker.
    pub breaker: Mode,
    /// The concurrency limit. Enforced, its slot tells whether a permit is good.
    pub limit: Mode,
    /// The token bucket.
    pub bucket: Mode,
    /// The retry budget. Off: retries are free, up to the retry strategy's number of attempts.
    pub budget: Mode,
    /// The buckets by key, of a guard [that has them](crate::Guard::with_keyed); any other heeds no mode here.
    pub keyed: Mode,
}

impl GuardModes {
    /// Every stage refuses.
    pub const ENFORCE: Self = Self::all(Mode::Enforce);

    /// Every stage in one mode.
    ///
    /// ```
    /// use seawall::{GuardModes, Mode};
    /// assert_eq!(GuardModes::all(Mode::Enforce), GuardModes::ENFORCE);
    /// ```
    #[must_use]
    pub const fn all(mode: Mode) -> Self {
        Self { pause: mode, breaker: mode, limit: mode, bucket: mode, budget: mode, keyed: mode }
    }
}

impl Default for GuardModes {
    fn default() -> Self {
        Self::ENFORCE
    }
}

/// A stage has no mode: the deadline of a call always holds, as nobody waits for what comes after it; and there may be
/// no [keyed bucket](crate::Guard::with_keyed).
///
/// ```
/// use seawall::{ModeError, Stage};
/// let said = "the deadline has no mode: allowed are the pause, the circuit breaker, the concurrency limit, \
///             the token bucket, the retry budget, and the keyed bucket of a guard that has one";
/// assert_eq!(ModeError { stage: Stage::Deadline }.to_string(), said);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModeError {
    /// The stage that was named.
    pub stage: Stage,
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} has no mode: allowed are the pause, the circuit breaker, the concurrency limit, the token bucket, \
             the retry budget, and the keyed bucket of a guard that has one",
            self.stage.name()
        )
    }
}

impl core::error::Error for ModeError {}

const OFF: u32 = u32::MAX;
const ENFORCED: u32 = Ratio::ONE.as_ppm();

const fn word_of(mode: Mode) -> u32 {
    match mode {
        Mode::Enforce => ENFORCED,
        Mode::Shadow => 0,
        Mode::Canary(share) => share.as_ppm(),
        Mode::Off => OFF,
    }
}

const fn mode_of(word: u32) -> Mode {
    match word {
        OFF => Mode::Off,
        0 => Mode::Shadow,
        ppm if ppm >= ENFORCED => Mode::Enforce,
        ppm => Mode::Canary(Ratio::ppm(ppm)),
    }
}

/// The modes of a guard's stages, that change while others call.
#[repr(C)]
pub(super) struct Modes {
    salt: u64,
    pause: AtomicU32,
    breaker: AtomicU32,
    limit: AtomicU32,
    bucket: AtomicU32,
    budget: AtomicU32,
    /// Of no use to a guard without the stage, and in what would else be padding.
    keyed: AtomicU32,
}

impl Modes {
    const_constructor! {
        pub(super) fn new(modes: GuardModes, seed: u64) -> Self {
            Self {
                // Not of the stream that the guard draws from.
                salt: Random::from_seed(!seed).next_u64(),
                pause: AtomicU32::new(word_of(modes.pause)),
                breaker: AtomicU32::new(word_of(modes.breaker)),
                limit: AtomicU32::new(word_of(modes.limit)),
                bucket: AtomicU32::new(word_of(modes.bucket)),
                budget: AtomicU32::new(word_of(modes.budget)),
                keyed: AtomicU32::new(word_of(modes.keyed)),
            }
        }
    }

    const fn word(&self, stage: Stage) -> Option<&AtomicU32> {
        match stage {
            Stage::Pause => Some(&self.pause),
            Stage::CircuitBreaker => Some(&self.breaker),
            Stage::ConcurrencyLimit => Some(&self.limit),
            Stage::TokenBucket => Some(&self.bucket),
            Stage::RetryBudget => Some(&self.budget),
            Stage::KeyedBucket => Some(&self.keyed),
            Stage::Deadline => None,
        }
    }

    pub(super) fn get(&self, stage: Stage) -> Mode {
        self.word(stage).map_or(Mode::Enforce, |word| mode_of(word.load(Ordering::Relaxed)))
    }

    pub(super) fn set(&self, stage: Stage, mode: Mode) -> Result<(), ModeError> {
        let word = self.word(stage).ok_or(ModeError { stage })?;
        word.store(word_of(mode), Ordering::Relaxed);
        Ok(())
    }

    /// What holds for a call with this key.
    #[inline]
    pub(super) fn held(&self, key: u64, has_keyed: bool) -> Held {
        // A stage that is not there is not loaded either.
        let keyed = if has_keyed { self.keyed.load(Ordering::Relaxed) } else { OFF };
        let words = [&self.pause, &self.breaker, &self.limit, &self.bucket, &self.budget];
        let shares = words.map(|word| word.load(Ordering::Relaxed));
        // Not as arrays: the loads are to stay in registers.
        let differs = shares.iter().fold(0, |differs, share| differs | (share ^ ENFORCED));
        match (differs, keyed) {
            (0, OFF) if !has_keyed => Held::all(false),
            (0, ENFORCED) => Held::all(true),
            _ => self.held_by(shares, keyed, key),
        }
    }

    /// Where not all of it is enforced for all.
    #[inline(never)]
    fn held_by(&self, shares: [u32; 5], keyed: u32, key: u64) -> Held {
        let most = Ratio::ONE.as_ppm() - 1;
        // At most `most`: it fits.
        let place = up_to(mix(key ^ self.salt), most as u64) as u32;
        let [pause, breaker, limit, bucket, budget] = shares;
        Held::none()
            .with(Stage::Pause, pause, place)
            .with(Stage::CircuitBreaker, breaker, place)
            .with(Stage::ConcurrencyLimit, limit, place)
            .with(Stage::TokenBucket, bucket, place)
            .with(Stage::RetryBudget, budget, place)
            .with(Stage::KeyedBucket, keyed, place)
            .restarting(Stage::Pause, pause, bucket)
            .restarting(Stage::CircuitBreaker, breaker, bucket)
    }
}

/// What holds for one call, a bit for each stage.
///
/// ```text
///  23        16 15         8 7          0
/// +------------+------------+------------+
/// | restarts   | in shadow  | enforced   |    bits 1 to 7: the stages by their numbers
/// +------------+------------+------------+
/// ```
/// Restarts: the stages after whose end the tokens restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held(u32);

const fn bit(stage: Stage) -> u32 {
    // Stages are numbered 1 to 7.
    1 << (stage as u32 & 7)
}

const SHADOW: u32 = 8;
const RESTARTS: u32 = 16;

impl Held {
    /// Every stage for every call, of a guard without buckets by key.
    const ENFORCED: Self = Self::none()
        .with(Stage::Pause, 1, 0)
        .with(Stage::CircuitBreaker, 1, 0)
        .with(Stage::ConcurrencyLimit, 1, 0)
        .with(Stage::TokenBucket, 1, 0)
        .with(Stage::RetryBudget, 1, 0)
        .restarting(Stage::Pause, 1, 1)
        .restarting(Stage::CircuitBreaker, 1, 1);

    /// And with them.
    const ENFORCED_BY_KEY: Self = Self::ENFORCED.with(Stage::KeyedBucket, 1, 0);

    /// Every stage that there is for every call.
    pub(super) const fn all(has_keyed: bool) -> Self {
        if has_keyed { Self::ENFORCED_BY_KEY } else { Self::ENFORCED }
    }

    const fn none() -> Self {
        Self(0)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// `None` where a bit is set that stands for nothing.
    pub(super) const fn of_bits(bits: u32) -> Option<Self> {
        const STAGES: u32 = 0xFE;
        let known = STAGES | STAGES << SHADOW | STAGES << RESTARTS;
        if bits & !known == 0 { Some(Self(bits)) } else { None }
    }

    const fn with(self, stage: Stage, share: u32, place: u32) -> Self {
        if share == OFF {
            self
        } else if place < share {
            Self(self.0 | bit(stage))
        } else {
            Self(self.0 | bit(stage) << SHADOW)
        }
    }

    /// A stage whose refusals bind fewer calls than the bucket's do has not spared the service as far as the bucket is
    /// concerned: no restart follows it, and so no shadow reaches what is enforced.
    const fn restarting(self, stage: Stage, share: u32, bucket: u32) -> Self {
        let restarts = bucket != OFF && share != OFF && share >= bucket;
        if restarts { Self(self.0 | bit(stage) << RESTARTS) } else { self }
    }

    pub(super) const fn enforces(self, stage: Stage) -> bool {
        self.0 & bit(stage) != 0
    }

    pub(super) const fn restarts_after(self, stage: Stage) -> bool {
        self.0 & bit(stage) << RESTARTS != 0
    }

    /// Whether `stage` has a part in an attempt that a stage in shadow would have refused by `refusal`.
    pub(super) const fn heeds(self, stage: Stage, refusal: Option<Refused>) -> bool {
        self.enforces(stage) || (self.0 & bit(stage) << SHADOW != 0 && refusal.is_none())
    }
}

/// One attempt on its way through the stages.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) held: Held,
    /// The first stage in shadow that would have refused.
    pub(super) refusal: Option<Refused>,
}

impl Way {
    pub(super) const fn new(held: Held, refusal: Option<Refused>) -> Self {
        Self { held, refusal }
    }

    /// Whether a stage has a part in the attempt: else it is neither read nor written.
    #[inline(always)]
    pub(super) fn asks(&self, stage: Stage) -> bool {
        self.held.heeds(stage, self.refusal)
    }

    /// A stage that was asked refuses: for good where it is enforced; else that is only noted, and the attempt goes on
    /// without all those in shadow.
    #[inline(always)]
    pub(super) fn refuse(&mut self, stage: Stage, refused: Refused) -> Result<(), Refused> {
        if self.held.enforces(stage) {
            return Err(refused);
        }
        self.refusal = Some(refused);
        Ok(())
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_its_mode() {
        for mode in [Mode::Enforce, Mode::Shadow, Mode::Off, Mode::Canary(Ratio::HALF), Mode::Canary(Ratio::ppm(1))] {
            assert_eq!(mode_of(word_of(mode)), mode);
        }
        assert_eq!(mode_of(word_of(Mode::Canary(Ratio::ZERO))), Mode::Shadow);
        assert_eq!(mode_of(word_of(Mode::Canary(Ratio::ONE))), Mode::Enforce);
    }

    #[test]
    fn who_is_in_a_canary_stays_in_a_larger_one_and_the_share_is_met() {
        for seed in 0..3 {
            let modes = Modes::new(GuardModes::ENFORCE, seed);
            let within = |ppm: u32| {
                modes.set(Stage::TokenBucket, Mode::Canary(Ratio::ppm(ppm))).unwrap();
                let is_in = |key: &u64| modes.held(*key, false).enforces(Stage::TokenBucket);
                (0..100_000_u64).filter(is_in).collect::<std::vec::Vec<_>>()
            };
            let (few, many) = (within(10_000), within(300_000));
            assert!(few.iter().all(|key| many.binary_search(key).is_ok()));
            assert!(
                few.len().abs_diff(1_000) < 150 && many.len().abs_diff(30_000) < 700,
                "{} {}",
                few.len(),
                many.len()
            );
            assert!(within(0).is_empty() && within(1_000_000).len() == 100_000);
        }
    }

    #[test]
    fn what_is_enforced_for_all_is_enforced_for_each() {
        let modes = Modes::new(GuardModes::ENFORCE, 7);
        for key in 0..100 {
            assert_eq!(modes.held(key, false), modes.held_by([1_000_000; 5], OFF, key));
            assert_eq!(modes.held(key, true), modes.held_by([1_000_000; 5], 1_000_000, key));
        }
    }

    #[test]
    fn two_guards_choose_different_canaries() {
        let modes = [1, 2].map(|seed| Modes::new(GuardModes::all(Mode::Canary(Ratio::HALF)), seed));
        let both = |key: &u64| modes.iter().all(|modes| modes.held(*key, false).enforces(Stage::Pause));
        assert!((0..10_000).filter(both).count().abs_diff(2_500) < 300);
    }
}
