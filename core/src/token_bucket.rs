//! [`TokenBucket`]: how much may pass, with a rate that changes while others take.
//!
//! # Invariant
//! The bucket's whole balance is one word, its *position*: what has been taken, counted on the same
//! scale as the *level*, what has been earned. `level(now) - position` are the units on hand, at
//! most a burst; a unit is 2^-k tokens. A take moves the position up and never past the level, so
//! no window admits more than the burst and what the rate emits in it.
//!
//! ```text
//! state    bits 63..2 position in units        bits 1..0 live slot
//! slot[4]  base, mantissa, remainder, level, shape, floor, ramp (3), rate (2), claim
//! peak     at least every position from which a refund has gone down
//! ```
//!
//! How the level grows is a *configuration*: rate, burst, warm-up and when they began, in one of
//! four slots. A change claims a slot that is not live, writes a configuration that continues the
//! balance of the live one to the last 2^-64 of a unit, and makes it live with one exchange of the
//! state. A new configuration numbers its positions above every position there has ever been. **So
//! a word of the state never comes back with another meaning**: an exchange that succeeds proves
//! that the slot, as it was read, was live all along; a refusal proves it by reading the state twice.
//!
//! # Orderings
//! * Publishing: `Release` exchange of the state, paired with the `Acquire` load of whoever reads the slot. Takers'
//!   exchanges may be `Relaxed`: a read-modify-write continues the release sequence of the publication.
//! * Slot words: `Release` stores, `Acquire` loads. Whoever reads a word of a later configuration also sees the state
//!   that its writer saw, which is past the one in hand: the exchange, or the second look, fails.
//! * Claim: `Acquire` exchange, `Release` store. The next owner sees the publication of the one before.
//! * Peak: raised before the `Release` exchange of a refund, read after an `Acquire` load of the state.
//!
//! # Limits
//! * Rate 0 to 10^9 a second, right to 2^-63; burst 1 to `u32::MAX`; time 0 to `u64::MAX`.
//! * Positions end at 2^62 units. A nanosecond spends at most one unit (a sixteenth for rates under 3.9 million a
//!   second) and a change at most two bursts (2^27 units for bursts up to 2^26 tokens): 146 years, and 2^34 changes.
//!   Afterwards nothing is earned and changes say [`ChangeError::RangeSpent`].
//! * A token is there up to one unit early: at most 16 ns of refill more than a burst / 2^26.
//! * An older `now` earns nothing. A change with a `now` older than what was granted meanwhile counts from the first
//!   instant at which that can have been granted, so early by at most (difference of the rates) x (staleness), and never
//!   more than a burst.
//! * Takers are lock-free whatever happens. [`TokenBucket::SETTERS`] changes run at once, those of threads stopped for
//!   ever included; a further one is told [`ChangeError::Contended`] and may try again.
//!
//! # Source
//! The generic cell rate algorithm (ITU-T I.371) in its zero-time form, with the position in tokens instead of time, so
//! that a change of rate need not touch it.

mod config;
mod settings;

pub use config::{BucketConfig, BucketConfigError, ChangeError, Fill};

use crate::rate::Rate;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, SECOND};
use crate::warm_up::WarmUp;
use settings::{Balance, Climb, Settings, Slot};

const SLOTS: usize = 4;
const SLOT_BITS: u32 = 2;
const LAST_POSITION: u64 = (1 << (64 - SLOT_BITS)) - 1;
/// Above every debt: levels below the first position stay above zero.
const FIRST_POSITION: u64 = 1 << 34;

const fn pack(position: u64, slot: usize) -> u64 {
    position << SLOT_BITS | slot as u64
}

const fn position_of(state: u64) -> u64 {
    state >> SLOT_BITS
}

const fn slot_of(state: u64) -> usize {
    (state & (SLOTS as u64 - 1)) as usize
}

/// Tokens earned at a rate and held up to a burst; safe to share, also in a `static`.
///
/// ```
/// use core::time::Duration;
/// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
///
/// let start = Instant::ORIGIN;
/// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(10)).burst(2), start)?;
/// assert!(bucket.try_take(2, start).is_ok());
///
/// let refused = bucket.try_take(1, start).unwrap_err();
/// assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
/// assert!(bucket.try_take(1, start.saturating_add(Duration::from_millis(100))).is_ok());
/// # Ok::<(), seawall::BucketConfigError>(())
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct TokenBucket {
    state: AtomicU64,
    peak: AtomicU64,
    slots: [Slot; SLOTS],
}

impl TokenBucket {
    /// The fastest rate: one token a nanosecond.
    pub const FASTEST: Rate = Rate::per_second(SECOND);
    /// How many changes may be under way at once.
    pub const SETTERS: usize = SLOTS - 1;

    const_constructor! {
        /// A bucket that begins to earn at `start`.
        ///
        /// # Errors
        /// [`BucketConfigError`] for a burst of 0, a rate over [`FASTEST`](Self::FASTEST), a warm-up over a year.
        ///
        /// ```
        /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
        /// assert!(TokenBucket::new(BucketConfig::new(Rate::per_second(1)).burst(0), Instant::ORIGIN).is_err());
        /// ```
        pub fn new(config: BucketConfig, start: Instant) -> Result<Self, BucketConfigError> {
            if let Err(error) = Settings::check(config.rate, config.burst, config.warm_up) {
                return Err(error);
            }
            let tokens = match config.fill {
                Fill::Tokens(tokens) if tokens < config.burst => tokens,
                _ => config.burst,
            };
            let (settings, position) = Settings::beginning(
                config.rate,
                config.burst,
                Balance::of_tokens(tokens),
                FIRST_POSITION,
                start.as_nanos(),
                Climb::of(config.warm_up),
            );
            Ok(Self {
                state: AtomicU64::new(pack(position, 0)),
                peak: AtomicU64::new(0),
                slots: [Slot::new(settings), Slot::new(settings), Slot::new(settings), Slot::new(settings)],
            })
        }
    }

    /// Takes `n` tokens, all or none. Taking 0 always succeeds and changes nothing.
    ///
    /// # Errors
    /// [`Refused`]: `NotYet` with the time until the tokens are there; `Never` where `n` is over the burst;
    /// `ClockStepped` where `now` lies so far behind that a full burst owed does not explain it.
    ///
    /// # Concurrency
    /// Lock-free; one exchange to admit, loads only to refuse.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, Reason, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), Instant::ORIGIN)?;
    /// assert!(bucket.try_take(1, Instant::ORIGIN).is_ok());
    /// assert_eq!(bucket.try_take(2, Instant::ORIGIN).unwrap_err().reason(), Reason::Never);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub fn try_take(&self, n: u32, now: Instant) -> Result<(), Refused> {
        if n == 0 {
            return Ok(());
        }
        let now = now.as_nanos();
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let settings = self.slots[slot_of(state)].read();
            match Self::after(&settings, position_of(state), n, now) {
                Ok(position) => {
                    if fault("token bucket: the exchange is a store") {
                        self.state.store(pack(position, slot_of(state)), Ordering::Release);
                        return Ok(());
                    }
                    // Relaxed on success: it publishes nothing of its own and continues the release sequence.
                    match self.state.compare_exchange_weak(
                        state,
                        pack(position, slot_of(state)),
                        Ordering::Relaxed,
                        Ordering::Acquire,
                    ) {
                        Ok(_) => return Ok(()),
                        Err(seen) => state = seen,
                    }
                }
                Err(refused) => {
                    let again = self.state.load(Ordering::Acquire);
                    if again == state {
                        return Err(refused);
                    }
                    state = again;
                }
            }
        }
    }

    /// Whether `try_take` would succeed: loads only, takes nothing.
    ///
    /// # Errors
    /// As [`try_take`](Self::try_take).
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(3)), Instant::ORIGIN)?;
    /// assert!(bucket.peek(3, Instant::ORIGIN).is_ok());
    /// assert_eq!(bucket.available(Instant::ORIGIN), 3);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub fn peek(&self, n: u32, now: Instant) -> Result<(), Refused> {
        if n == 0 {
            return Ok(());
        }
        let (settings, state) = self.live();
        Self::after(&settings, position_of(state), n, now.as_nanos()).map(|_| ())
    }

    /// Whole tokens on hand; advisory, as others may take them meanwhile.
    ///
    /// ```
    /// use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket};
    /// let config = BucketConfig::new(Rate::per_second(3)).fill(Fill::Tokens(1));
    /// assert_eq!(TokenBucket::new(config, Instant::ORIGIN)?.available(Instant::ORIGIN), 1);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn available(&self, now: Instant) -> u32 {
        let (settings, state) = self.live();
        let units = settings.level_at(now.as_nanos()).saturating_sub(position_of(state)).min(settings.burst_units());
        // At most the burst.
        (units >> settings.unit_exponent()) as u32
    }

    /// Gives `n` tokens back that were taken and never used; `false`, and the tokens stay spent, where giving them back
    /// could admit too many: more is owed than on hand, or the rate was changed since and the room for refunds is spent.
    ///
    /// # Concurrency
    /// Lock-free.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), Instant::ORIGIN)?;
    /// assert!(bucket.try_take(1, Instant::ORIGIN).is_ok());
    /// assert!(bucket.refund(1, Instant::ORIGIN));
    /// assert!(bucket.try_take(1, Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub fn refund(&self, n: u32, now: Instant) -> bool {
        loop {
            let (settings, state) = self.live();
            let position = position_of(state);
            // At most 2^58.
            let units = (n as u64) << settings.unit_exponent();
            if settings.level_at(now.as_nanos()) < position || position.saturating_sub(units) < settings.floor() {
                return false;
            }
            // Before the exchange: a change that sees the lower position must see how high it was.
            self.peak.fetch_max(position, Ordering::Relaxed);
            let lower = pack(position - units, slot_of(state));
            if self.state.compare_exchange_weak(state, lower, Ordering::Release, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
    }

    /// The rate in force, the target's during a warm-up.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(3)), Instant::ORIGIN)?;
    /// assert_eq!(bucket.rate(), Rate::per_second(3));
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.live().0.rate()
    }

    /// The burst in force.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(3)), Instant::ORIGIN)?;
    /// assert_eq!(bucket.burst(), 3);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.live().0.burst()
    }

    /// Changes the rate from `now` on. The tokens at that instant are the same before and after; the burst stays, and a
    /// warm-up under way climbs on to the new rate.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// # Concurrency
    /// Lock-free for [`SETTERS`](Self::SETTERS) at once; takers never wait for it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket};
    /// let config = BucketConfig::new(Rate::per_second(1)).burst(5000).fill(Fill::Tokens(0));
    /// let bucket = TokenBucket::new(config, Instant::ORIGIN)?;
    /// let later = Instant::ORIGIN.saturating_add(Duration::from_secs(10));
    /// bucket.set_rate(Rate::per_second(500), later)?;
    /// assert_eq!(bucket.available(later), 10); // not 5000
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate, now: Instant) -> Result<(), ChangeError> {
        self.change(now.as_nanos(), |old, at| (rate, old.burst(), old.climb(at)))
    }

    /// Changes the burst from `now` on; tokens over a smaller burst are gone.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(9)), Instant::ORIGIN)?;
    /// bucket.set_burst(4, Instant::ORIGIN)?;
    /// assert_eq!(bucket.available(Instant::ORIGIN), 4);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_burst(&self, burst: u32, now: Instant) -> Result<(), ChangeError> {
        self.change(now.as_nanos(), |old, at| (old.rate(), burst, old.climb(at)))
    }

    /// Starts a warm-up at `now`, for instance after an outage; the tokens on hand stay.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket, WarmUp};
    /// let config = BucketConfig::new(Rate::per_second(10)).burst(100).fill(Fill::Tokens(0));
    /// let bucket = TokenBucket::new(config, Instant::ORIGIN)?;
    /// bucket.start_warm_up(WarmUp::GUIDE, Instant::ORIGIN)?;
    /// assert_eq!(bucket.available(Instant::ORIGIN.saturating_add(Duration::from_secs(61))), 70);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn start_warm_up(&self, warm_up: WarmUp, now: Instant) -> Result<(), ChangeError> {
        if warm_up.duration > WarmUp::LONGEST {
            return Err(BucketConfigError::WarmUpTooLong.into());
        }
        self.change(now.as_nanos(), |old, _| (old.rate(), old.burst(), Climb::of(warm_up)))
    }

    /// The position after `n` more tokens, or why they are not to be had.
    #[inline]
    fn after(settings: &Settings, position: u64, n: u32, now: u64) -> Result<u64, Refused> {
        let level = settings.level_at(now);
        // A unit exponent is at most 26: at most 2^58.
        let units = (n as u64) << settings.unit_exponent();
        let after = position.max(level.saturating_sub(settings.burst_units())).saturating_add(units);
        if n <= settings.burst() && after <= level && after <= LAST_POSITION {
            return Ok(after);
        }
        Err(Self::why_not(settings, after, n, level, now))
    }

    #[cold]
    fn why_not(settings: &Settings, after: u64, n: u32, level: u64, now: u64) -> Refused {
        if n > settings.burst() {
            return Refused::never(Stage::TokenBucket);
        }
        if after > LAST_POSITION {
            return Refused::not_yet(Stage::TokenBucket, None);
        }
        // In order, at most a burst is owed and at most a burst is asked for. More is a clock that went back, if it is
        // more than a moment's worth: threads read the clock a little before they come here.
        let explained = level.saturating_add(2 * settings.burst_units());
        let stepped = settings.began().saturating_sub(now) > SECOND
            || (after > explained && settings.nanos_until(now, after - 2 * settings.burst_units()) > SECOND);
        if stepped {
            return Refused::clock_stepped(Stage::TokenBucket);
        }
        Refused::not_yet_ns(Stage::TokenBucket, settings.nanos_until(now, after))
    }

    /// The live settings and the state that proves them.
    fn live(&self) -> (Settings, u64) {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let settings = self.slots[slot_of(state)].read();
            let again = self.state.load(Ordering::Acquire);
            // Another thread made progress: lock-free.
            if again == state {
                return (settings, state);
            }
            state = again;
        }
    }

    fn change(&self, now: u64, edit: impl Fn(&Settings, u64) -> (Rate, u32, Climb)) -> Result<(), ChangeError> {
        let spare = self.claim().ok_or(ChangeError::Contended)?;
        let result = self.publish(spare, now, edit);
        self.slots[spare].release();
        result
    }

    /// Claims a slot that is not live and stays so until its owner publishes it.
    fn claim(&self) -> Option<usize> {
        let live = slot_of(self.state.load(Ordering::Acquire));
        for index in (0..SLOTS).filter(|index| *index != live) {
            if self.slots[index].try_claim() {
                // It may have become live between the look and the claim.
                let second = slot_of(self.state.load(Ordering::Acquire));
                if second != index {
                    return Some(index);
                }
                self.slots[index].release();
            }
        }
        None
    }

    fn publish(
        &self,
        spare: usize,
        now: u64,
        edit: impl Fn(&Settings, u64) -> (Rate, u32, Climb),
    ) -> Result<(), ChangeError> {
        loop {
            let (old, state) = self.live();
            // An older `now` is no time; a newer one settles the past at the old rate.
            let at = now.max(old.began());
            let position = position_of(state);
            // What has been taken had been earned: if by `at` it had not, then something was granted later than `at`,
            // and the change counts from the first instant that can have been. This never forgives what is owed.
            let at = match old.nanos_until(at, position) {
                u64::MAX => at,
                wait => at.saturating_add(wait),
            };
            let at = if fault("token bucket: a stale change forgives") { now.max(old.began()) } else { at };
            let (rate, burst, climb) = edit(&old, at);
            Settings::check(rate, burst, WarmUp::NONE)?;
            // After the Acquire load of the state: every refund of an earlier configuration is in it.
            let above = position.max(self.peak.load(Ordering::Relaxed));
            let (new, first) = Settings::beginning(rate, burst, old.balance(position, at), above, at, climb);
            if first > LAST_POSITION - FIRST_POSITION {
                return Err(ChangeError::RangeSpent);
            }
            self.slots[spare].write(&new);
            if self.state.compare_exchange(state, pack(first, spare), Ordering::Release, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }
}
