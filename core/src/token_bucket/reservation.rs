//! Tokens booked ahead and tokens given back.
//!
//! # Invariant
//! A booking moves the position past the level, by at most a burst: the difference is owed, and nothing else is granted
//! until it is earned. A position goes down again only for tokens that were never used: where nothing is owed, or where
//! the booking that raised it is still the newest, so that nobody holds an instant that depends on it.

use core::time::Duration;

use crate::refused::{Refused, Stage};
use crate::sync::{Ordering, fault};
use crate::time::{Instant, nanos};
use crate::token_bucket::{LAST_POSITION, TokenBucket, pack, position_of, slot_of};

/// Tokens booked with [`TokenBucket::reserve`], and the instant from which they may be used.
///
/// A plain value: dropped, its tokens stay spent. [`TokenBucket::cancel`] takes it and gives them back, once.
///
/// ```
/// use core::time::Duration;
/// use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket};
/// let config = BucketConfig::new(Rate::per_second(1)).fill(Fill::Tokens(0));
/// let bucket = TokenBucket::new(config, Instant::ORIGIN)?;
/// let booked = bucket.reserve(1, Duration::MAX, Instant::ORIGIN)?;
/// assert_eq!(booked.wait(Instant::ORIGIN), Duration::from_secs(1));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the tokens are spent unless the reservation is cancelled"]
pub struct Reservation {
    ready_at: Instant,
    tokens: u32,
    /// The state that this booking left behind.
    state: u64,
}

impl Reservation {
    /// From when on the tokens may be used.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(1)), Instant::ORIGIN)?;
    /// assert_eq!(bucket.reserve(1, Duration::ZERO, Instant::ORIGIN)?.ready_at(), Instant::ORIGIN);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn ready_at(&self) -> Instant {
        self.ready_at
    }

    /// How long to wait from `now` on; zero where the tokens may be used already.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(1)), Instant::ORIGIN)?;
    /// assert_eq!(bucket.reserve(1, Duration::ZERO, Instant::ORIGIN)?.wait(Instant::ORIGIN), Duration::ZERO);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn wait(&self, now: Instant) -> Duration {
        self.ready_at.saturating_duration_since(now)
    }

    /// How many tokens.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(3)), Instant::ORIGIN)?;
    /// assert_eq!(bucket.reserve(2, Duration::ZERO, Instant::ORIGIN)?.tokens(), 2);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The reservation as plain words, to keep it where no Rust value can be kept. It is no copy: the words are turned back
    /// with [`from_words`](Self::from_words) once.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, Rate, Reservation, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(5)), Instant::ORIGIN)?;
    /// let words = bucket.reserve(5, Duration::ZERO, Instant::ORIGIN)?.into_words();
    /// assert!(bucket.cancel(Reservation::from_words(words), Instant::ORIGIN));
    /// assert_eq!(bucket.available(Instant::ORIGIN), 5);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn into_words(self) -> [u64; 3] {
        [self.ready_at.as_nanos(), self.tokens as u64, self.state]
    }

    /// The reservation that [`into_words`](Self::into_words) gave. Words that it did not give are a reservation that
    /// [`TokenBucket::cancel`] may take for its newest: no more than the tokens of a burst are lost or granted by them.
    ///
    /// ```
    /// assert_eq!(seawall::Reservation::from_words([5, 1, 0]).tokens(), 1);
    /// ```
    pub const fn from_words([ready_at, tokens, state]: [u64; 3]) -> Self {
        // Cut to what the words of a reservation have.
        Self { ready_at: Instant::from_nanos(ready_at), tokens: tokens as u32, state }
    }
}

impl TokenBucket {
    /// Books `n` tokens for the earliest instant, at most `max_wait` after `now`: who waits need not poll.
    ///
    /// At most a burst is owed at any time, so bookings reach ahead by what a burst takes to be earned. Who waits in a
    /// line books only at its head: of several bookings only the newest can be cancelled exactly. A booking keeps its
    /// instant when the rate changes; what it owes is paid at the new rate, so that around a change up to a burst may
    /// pass earlier or later than the new rate alone would let it.
    ///
    /// # Errors
    /// [`Refused`]: `NotYet` with the time until this booking could be made, unless others come first, or `None` where
    /// the rate is zero; `Never` where `n` is over the burst; `ClockStepped` as in [`try_take`](Self::try_take).
    ///
    /// # Concurrency
    /// Lock-free; one exchange to book, loads only to refuse.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(2)), Instant::ORIGIN)?;
    /// bucket.try_take(2, Instant::ORIGIN)?;
    /// let booked = bucket.reserve(1, Duration::from_secs(1), Instant::ORIGIN)?;
    /// assert_eq!(booked.wait(Instant::ORIGIN), Duration::from_millis(500));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reserve(&self, n: u32, max_wait: Duration, now: Instant) -> Result<Reservation, Refused> {
        if n == 0 {
            return Ok(Reservation { ready_at: now, tokens: 0, state: 0 });
        }
        let (max_wait, from) = (nanos(max_wait), now.as_nanos());
        loop {
            let (settings, state) = self.live();
            let growth = &settings.growth;
            let (position, level) = (position_of(state), settings.level_at(from));
            let after = growth.capped(position, level).saturating_add(growth.units(n));
            let wait = settings.nanos_until(from, after);
            // To a unit, which a booking that was undone across a change may have left.
            let may_be_owed = level.saturating_add(growth.burst_units()).saturating_add(1);
            if n > growth.burst || after > LAST_POSITION || wait > max_wait || wait == u64::MAX || after > may_be_owed {
                let refused = Self::why_not(&settings, position, n, from);
                if refused.retry_after().is_none() {
                    return Err(refused);
                }
                let until_a_burst_is_owed = settings.nanos_until(from, after.saturating_sub(growth.burst_units()));
                let retry_after = until_a_burst_is_owed.max(wait.saturating_sub(max_wait));
                return Err(Refused::not_yet_ns(Stage::TokenBucket, retry_after));
            }
            let booked = pack(after, slot_of(state));
            if self.state.compare_exchange_weak(state, booked, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Ok(Reservation {
                    ready_at: Instant::from_nanos(from.saturating_add(wait)),
                    tokens: n,
                    state: booked,
                });
            }
        }
    }

    /// Takes a reservation back that was not used: at any time while nothing was taken since, and otherwise as
    /// [`refund`](Self::refund) does. `false`, and the tokens stay spent, where neither holds.
    ///
    /// # Concurrency
    /// Lock-free.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, Rate, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), Instant::ORIGIN)?;
    /// bucket.try_take(1, Instant::ORIGIN)?;
    /// let booked = bucket.reserve(1, Duration::MAX, Instant::ORIGIN)?;
    /// let ready_at = booked.ready_at();
    /// assert!(bucket.cancel(booked, Instant::ORIGIN));
    /// assert_eq!(bucket.reserve(1, Duration::MAX, Instant::ORIGIN)?.ready_at(), ready_at);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn cancel(&self, reservation: Reservation, now: Instant) -> bool {
        self.give_back(reservation.tokens, now, Some(reservation.state))
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
        self.give_back(n, now, None)
    }

    /// Lowers the position by `n` tokens if nothing is owed at `now` or nothing was taken since the state `newest`.
    fn give_back(&self, n: u32, now: Instant, newest: Option<u64>) -> bool {
        if n == 0 {
            return true;
        }
        loop {
            let (settings, state) = self.live();
            let position = position_of(state);
            let owes = settings.level_at(now.as_nanos()) < position;
            // A change in between takes nothing: at its first position, what was newest before it still is.
            let across_a_change = owes && position == settings.first_position() && newest == Some(settings.newest);
            let may_be_given_back = !owes || across_a_change || newest == Some(state);
            // One unit stays, so that the next booking does not lead to that first position again.
            let units = settings.growth.units(n) - across_a_change as u64;
            // None where there is nothing to give back, as in a bucket that was never made.
            let lower = position.checked_sub(units).filter(|lower| *lower >= settings.floor);
            let Some(lower) = lower else { return false };
            if !(may_be_given_back || fault("token bucket: what is owed may be given back")) {
                return false;
            }
            // Before the exchange: a change that sees the lower position must see how high it was.
            if !fault("token bucket: a refund leaves no peak") {
                self.peak.fetch_max(position, Ordering::Relaxed);
            }
            let lower = pack(lower, slot_of(state));
            if self.state.compare_exchange_weak(state, lower, Ordering::Release, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
    }
}
