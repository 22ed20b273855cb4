//! Changes of a bucket while others take from it.
//!
//! # Invariant
//! A change claims a slot that is not live, writes a configuration that continues the balance of the live one, and
//! makes it live with one exchange of the state. What is owed is never forgiven, and what is on hand never grows by it.

use crate::rate::Rate;
use crate::sync::{Ordering, fault};
use crate::time::Instant;
use crate::token_bucket::settings::{Balance, Climb, Settings};
use crate::token_bucket::{
    BucketConfigError, ChangeError, FIRST_POSITION, Fill, LAST_POSITION, SLOTS, TokenBucket, pack, position_of, slot_of,
};
use crate::warm_up::WarmUp;

/// What follows a configuration.
struct Next {
    rate: Rate,
    burst: u32,
    tokens: Balance,
    begins: u64,
    climb: Climb,
}

impl TokenBucket {
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
        self.change(now.as_nanos(), |same| Next { rate, ..same })
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
        self.change(now.as_nanos(), |same| Next { burst, ..same })
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
        Self::check_warm_up(warm_up)?;
        self.change(now.as_nanos(), |same| Next { climb: Climb::of(warm_up), ..same })
    }

    /// Moves the bucket to a clock that reads `new_now` where the old one read `old_now`: tokens, what is owed and what
    /// is left of a warm-up are the same before and after. For a clock that stepped back, `old_now` is the newest
    /// reading that the bucket was given.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, Rate, Reason, TokenBucket};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), Instant::ORIGIN)?;
    /// let hour = Instant::ORIGIN.saturating_add(Duration::from_secs(3600));
    /// assert!(bucket.try_take(1, hour).is_ok());
    /// assert_eq!(bucket.try_take(1, Instant::ORIGIN).unwrap_err().reason(), Reason::ClockStepped);
    ///
    /// bucket.rebase(hour, Instant::ORIGIN)?;
    /// let refused = bucket.try_take(1, Instant::ORIGIN).unwrap_err();
    /// assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) -> Result<(), ChangeError> {
        self.change(old_now.as_nanos(), |same| Next {
            // The settled instant is at or after `old_now`.
            begins: new_now.as_nanos().saturating_add(same.begins.saturating_sub(old_now.as_nanos())),
            ..same
        })
    }

    /// Begins anew at `now`, with this fill and this warm-up, at the rate and burst in force. What is owed is forgotten
    /// and refunds of earlier takes may still come, so that more than a burst may pass around a reset: for operators
    /// and tests, and after a restart that knows no better.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket, WarmUp};
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(9)), Instant::ORIGIN)?;
    /// bucket.reset(Fill::Tokens(1), WarmUp::GUIDE, Instant::ORIGIN)?;
    /// assert_eq!(bucket.available(Instant::ORIGIN), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reset(&self, fill: Fill, warm_up: WarmUp, now: Instant) -> Result<(), ChangeError> {
        Self::check_warm_up(warm_up)?;
        self.change(now.as_nanos(), |same| Next {
            tokens: Balance::of_tokens(fill.tokens(same.burst)),
            begins: now.as_nanos(),
            climb: Climb::of(warm_up),
            ..same
        })
    }

    fn check_warm_up(warm_up: WarmUp) -> Result<(), ChangeError> {
        if warm_up.duration > WarmUp::LONGEST { Err(BucketConfigError::WarmUpTooLong.into()) } else { Ok(()) }
    }

    /// `next` is given what would go on as before from the instant at which the live configuration is settled.
    fn change(&self, now: u64, next: impl Fn(Next) -> Next) -> Result<(), ChangeError> {
        let spare = self.claim().ok_or(ChangeError::Contended)?;
        let result = self.publish(spare, now, next);
        self.claims[spare].release();
        result
    }

    /// Claims a slot that is not live and stays so until its owner publishes it.
    fn claim(&self) -> Option<usize> {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            for index in (0..SLOTS).filter(|index| *index != slot_of(state)) {
                if self.claims[index].try_claim() {
                    // It may have become live between the look and the claim.
                    let is_spare = slot_of(self.state.load(Ordering::Acquire)) != index;
                    if is_spare || fault("token bucket: a claim needs no second look") {
                        return Some(index);
                    }
                    self.claims[index].release();
                }
            }
            // Slots move while they are looked through: only a state that stood still shows that all were taken.
            let seen = self.state.load(Ordering::Acquire);
            if seen == state {
                return None;
            }
            state = seen;
        }
    }

    fn publish(&self, spare: usize, now: u64, next: impl Fn(Next) -> Next) -> Result<(), ChangeError> {
        loop {
            let (old, state) = self.live();
            let position = position_of(state);
            // An older `now` is no time; a newer one settles the past at the old rate.
            let at = now.max(old.began());
            // More is owed than bookings can: others were granted it by later readings. The change counts from the
            // first instant at which as much as can be owed in order was owed, and all that is carried over.
            let at = match old.nanos_until(at, position.saturating_sub(old.most_owed())) {
                u64::MAX => at,
                wait => at.saturating_add(wait),
            };
            let tokens = old.balance(position, at);
            let tokens = if fault("token bucket: a change forgives") { tokens.forgiven() } else { tokens };
            let next =
                next(Next { rate: old.rate(), burst: old.growth.burst, tokens, begins: at, climb: old.climb(at) });
            Settings::check(next.rate, next.burst, WarmUp::NONE)?;
            // After the Acquire load of the state: every refund of an earlier configuration is in it.
            let above = position.max(self.peak.load(Ordering::Relaxed));
            let above = if fault("token bucket: positions start anew") { FIRST_POSITION } else { above };
            let (mut new, first) =
                Settings::beginning(next.rate, next.burst, next.tokens, above, next.begins, next.climb);
            if first > LAST_POSITION - FIRST_POSITION {
                return Err(ChangeError::RangeSpent);
            }
            new.newest = if position == old.first_position() { old.newest } else { state };
            self.slots[spare].write(&new, spare);
            if self.state.compare_exchange(state, pack(first, spare), Ordering::Release, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }
}
