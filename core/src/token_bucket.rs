//! [`TokenBucket`]: how much may pass, with a rate that changes while others take.
//!
//! # Invariant
//! The bucket's whole balance is one word, its *position*: what has been taken, counted on the same
//! scale as the *level*, what has been earned. `level(now) - position` are the units on hand, at
//! most a burst; a unit is 2^-k tokens. A take moves the position up and never past the level, a
//! booking past it by a burst at most, for an instant at which it is earned: so no window admits
//! more than the burst and what the rate emits in it.
//!
//! ```text
//! state    bits 63..62 live slot        bits 61..0 position in units
//! peak     at least every position from which a refund has gone down
//! claims   1 for each slot that a change writes
//! slot[4]  base, mantissa, remainder, level, unit, shape and burst, how to refuse (3), floor, ramp (3), rate (2), newest
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
//! * An older `now` earns nothing. A change counts from the `now` that it was given: what others were granted by later
//!   readings is then owed, at most a burst, and so is what was booked ahead. If more would be owed, it counts from the
//!   first instant at which a burst was. So it is early by at most (difference of the rates) x (staleness), and never
//!   more than a burst.
//! * Takers are lock-free whatever happens. A change begins anew when a take succeeds while it is written, which the rate
//!   itself keeps rare. [`TokenBucket::SETTERS`] changes run at once, those of threads stopped for ever included; a
//!   further one is told [`ChangeError::Contended`] and may try again.
//!
//! # Source
//! The generic cell rate algorithm (ITU-T I.371) in its zero-time form, with the position in tokens instead of time, so
//! that a change of rate need not touch it.

mod change;
mod config;
mod growth;
mod look;
mod reservation;
mod settings;
mod slot;

pub use config::{BucketConfig, BucketConfigError, ChangeError, Fill};
pub use reservation::Reservation;

use crate::rate::Rate;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, SECOND};
use growth::Growth;
use look::Look;
use settings::{Balance, Climb, Settings};
use slot::{Claim, Slot};

const SLOTS: usize = 4;
const SLOT_BITS: u32 = 2;
const LAST_POSITION: u64 = (1 << (64 - SLOT_BITS)) - 1;
/// Above every debt: levels below the first position stay above zero.
const FIRST_POSITION: u64 = 1 << 34;

const fn pack(position: u64, slot: usize) -> u64 {
    (slot as u64) << (64 - SLOT_BITS) | position
}

const fn position_of(state: u64) -> u64 {
    state & LAST_POSITION
}

const fn slot_of(state: u64) -> usize {
    // Two bits are left, so it is below SLOTS.
    (state >> (64 - SLOT_BITS)) as usize
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
    claims: [Claim; SLOTS],
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
            let (settings, position) = Settings::beginning(
                config.rate,
                config.burst,
                Balance::of_tokens(config.fill.tokens(config.burst)),
                FIRST_POSITION,
                start.as_nanos(),
                Climb::of(config.warm_up),
            );
            Ok(Self {
                state: AtomicU64::new(pack(position, 0)),
                peak: AtomicU64::new(0),
                claims: [Claim::new(), Claim::new(), Claim::new(), Claim::new()],
                slots: [
                    Slot::new(settings, 0),
                    Slot::new(settings, 1),
                    Slot::new(settings, 2),
                    Slot::new(settings, 3),
                ],
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
    #[inline]
    pub fn try_take(&self, n: u32, now: Instant) -> Result<(), Refused> {
        let state = self.state.load(Ordering::Acquire);
        match self.slots[slot_of(state)].look(state, n, now.as_nanos()) {
            Look::Fits(after) if self.take(state, after).is_ok() => Ok(()),
            Look::Missing(nanos) if self.is_still(state) => Err(Refused::missing_ns(Stage::TokenBucket, nanos)),
            _ => self.try_take_slowly(n, now.as_nanos()),
        }
    }

    /// As often as it takes, and by all the words of a slot where those of a look do not tell.
    #[cold]
    #[inline(never)]
    fn try_take_slowly(&self, n: u32, now: u64) -> Result<(), Refused> {
        if n == 0 {
            return Ok(());
        }
        loop {
            // A turn follows only when another thread made progress: lock-free.
            let state = self.state.load(Ordering::Acquire);
            let slot = &self.slots[slot_of(state)];
            match slot.look(state, n, now) {
                Look::Fits(after) if self.take(state, after).is_ok() => return Ok(()),
                Look::Missing(nanos) if self.is_still(state) => {
                    return Err(Refused::missing_ns(Stage::TokenBucket, nanos));
                }
                Look::Unclear => {
                    let settings = slot.read();
                    let level = settings.level_at(now);
                    match Self::after(&settings.growth, position_of(state), n, level) {
                        Some(position) if self.take(state, pack(position, slot_of(state))).is_ok() => return Ok(()),
                        None if self.is_still(state) => {
                            return Err(Self::why_not(&settings, position_of(state), n, now));
                        }
                        _ => (),
                    }
                }
                _ => (),
            }
        }
    }

    /// Takes as many tokens as there are, at most `n`, and says how many: 0 where there is none.
    ///
    /// # Concurrency
    /// Lock-free; one exchange to take, loads only to take nothing.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(3)), Instant::ORIGIN)?;
    /// assert_eq!(bucket.take_up_to(2, Instant::ORIGIN), 2);
    /// assert_eq!(bucket.take_up_to(2, Instant::ORIGIN), 1);
    /// assert_eq!(bucket.take_up_to(2, Instant::ORIGIN), 0);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use = "so many may be sent"]
    pub fn take_up_to(&self, n: u32, now: Instant) -> u32 {
        self.take_between(1, n, now)
    }

    /// Takes as many tokens as there are, at most `most`, and none where there are fewer than `least`, over 0.
    pub(crate) fn take_between(&self, least: u32, most: u32, now: Instant) -> u32 {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let growth = self.slots[slot_of(state)].growth();
            let level = self.level(&growth, state, now.as_nanos());
            let position = growth.capped(position_of(state), level);
            // At most the burst.
            let tokens = most.min((level.min(LAST_POSITION).saturating_sub(position) >> growth.unit_exponent()) as u32);
            let seen = if tokens < least {
                self.state.load(Ordering::Acquire)
            } else {
                match self.take(state, pack(position + growth.units(tokens), slot_of(state))) {
                    Ok(()) => return tokens,
                    Err(seen) => seen,
                }
            };
            if tokens < least && seen == state {
                return 0;
            }
            state = seen;
        }
    }

    /// Discards the tokens over `keep`, so that what follows a pause begins slowly; says how many whole ones.
    ///
    /// # Concurrency
    /// Lock-free; one exchange, or loads only where there is nothing to discard.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(9)), Instant::ORIGIN)?;
    /// assert_eq!(bucket.drain_to(1, Instant::ORIGIN), 8);
    /// assert_eq!(bucket.available(Instant::ORIGIN), 1);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub fn drain_to(&self, keep: u32, now: Instant) -> u32 {
        let (mut settings, mut state) = self.live();
        loop {
            let growth = settings.growth;
            let level = settings.level_at(now.as_nanos()).min(LAST_POSITION);
            let position = growth.capped(position_of(state), level);
            let drained = level.saturating_sub(growth.units(keep));
            if position >= drained {
                return 0;
            }
            if self.take(state, pack(drained, slot_of(state))).is_ok() {
                // At most the burst.
                return ((drained - position) >> growth.unit_exponent()) as u32;
            }
            (settings, state) = self.live();
        }
    }

    /// Moves the position up, or says what the state has become.
    #[inline]
    fn take(&self, state: u64, after: u64) -> Result<(), u64> {
        if fault("token bucket: the exchange is a store") {
            self.state.store(after, Ordering::Release);
            return Ok(());
        }
        // Relaxed on success: it publishes nothing of its own and continues the release sequence.
        self.state.compare_exchange_weak(state, after, Ordering::Relaxed, Ordering::Acquire).map(|_| ())
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
    #[inline]
    pub fn peek(&self, n: u32, now: Instant) -> Result<(), Refused> {
        let state = self.state.load(Ordering::Acquire);
        match self.slots[slot_of(state)].look(state, n, now.as_nanos()) {
            Look::Fits(_) if self.is_still(state) => Ok(()),
            Look::Missing(nanos) if self.is_still(state) => Err(Refused::missing_ns(Stage::TokenBucket, nanos)),
            _ => self.peek_slowly(n, now.as_nanos()),
        }
    }

    #[cold]
    #[inline(never)]
    fn peek_slowly(&self, n: u32, now: u64) -> Result<(), Refused> {
        if n == 0 {
            return Ok(());
        }
        let (settings, state) = self.live();
        match Self::after(&settings.growth, position_of(state), n, settings.level_at(now)) {
            Some(_) => Ok(()),
            None => Err(Self::why_not(&settings, position_of(state), n, now)),
        }
    }

    /// Whether the state is what it was: then what was read of its slot since belongs to it.
    #[inline]
    fn is_still(&self, state: u64) -> bool {
        self.state.load(Ordering::Acquire) == state || fault("token bucket: a refusal needs no second look")
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
        let level = settings.level_at(now.as_nanos());
        let units = level.saturating_sub(settings.growth.capped(position_of(state), level));
        // At most the burst.
        (units >> settings.growth.unit_exponent()) as u32
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
        self.live().0.growth.burst
    }

    /// The level at `now` by the words in hand; in a warm-up by all the words of the slot.
    #[inline]
    fn level(&self, growth: &Growth, state: u64, now: u64) -> u64 {
        match growth.level_at(now) {
            Some(level) => level,
            None => self.slots[slot_of(state)].read().level_at(now),
        }
    }

    /// The position after `n` more tokens, if they are there at `level`.
    #[inline]
    fn after(growth: &Growth, position: u64, n: u32, level: u64) -> Option<u64> {
        let after = growth.capped(position, level).saturating_add(growth.units(n));
        (n <= growth.burst && after <= level && after <= LAST_POSITION).then_some(after)
    }

    /// Why `n` more tokens are not there at `now`.
    #[cold]
    fn why_not(settings: &Settings, position: u64, n: u32, now: u64) -> Refused {
        let growth = &settings.growth;
        if n > growth.burst {
            return Refused::never(Stage::TokenBucket);
        }
        let level = settings.level_at(now);
        let after = growth.capped(position, level).saturating_add(growth.units(n));
        if after > LAST_POSITION {
            return Refused::not_yet(Stage::TokenBucket, None);
        }
        // In order, so much is owed at most, and at most a burst is asked for. More is a clock that went back, if it is
        // more than a moment's worth: threads read the clock a little before they come here.
        let explained = settings.most_owed().saturating_add(growth.burst_units());
        let stepped = settings.began().saturating_sub(now) > SECOND
            || (after > level.saturating_add(explained) && settings.nanos_until(now, after - explained) > SECOND);
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
}
