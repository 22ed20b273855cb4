//! [`RetryBudget`]: the share of the traffic that may be retries.
//!
//! Backoff spreads retries, it does not remove them: while a service is down, three attempts are three times the
//! load. A budget makes retries proportional to what the service still answers: every first try that succeeds earns
//! a fraction of a token, every retry (and every hedge: it is a second send of one call just the same) takes a whole
//! one or more *before* its backoff starts. A healthy service repairs all its stray failures; a failing one is
//! sent little more than the calls themselves.
//!
//! # The invariant
//! Over any span, tokens withdrawn <= tokens at its start + share x first tries that succeeded in it + tokens
//! refunded. Exactly so, in millionths of a token, for any number of threads and any readings of the clock.
//!
//! # Decay
//! What lies beyond the floor decays, so that a long healthy time does not pay for a storm. The balance beyond the
//! floor loses a sixteenth (rounded up) each sixteenth of its mean lifetime `L`. At `r` successes a second it
//! therefore stands at `floor + share x r x L`: the budget scales with the traffic that is really observed, and a
//! fleet of a thousand small clients does not start its storm with a thousand full buckets. The steps are whole
//! ticks counted from the origin: how often somebody looks changes nothing.
//!
//! # State
//! ```text
//!   63                          30 29                           0
//!  +------------------------------+------------------------------+
//!  | tick of the last settlement  | millionths of a token        |
//!  +------------------------------+------------------------------+
//! ```
//! A tick is `lifetime / 16`. Tokens: at most 1,000. Ticks: 2^34, that is `lifetime` x 2^30 (34 years of clock for
//! a lifetime of 1 s); from then on the clock counts as standing still. Nothing wraps.
//!
//! # Orderings
//! All `Relaxed`. The word is the whole state, its exchange is check and take in one, and no other memory is
//! published through it. Share and cap are words of their own that only scale the next step.
//!
//! # Limits
//! Cap 0: never a retry. Share 0: only the initial tokens. Time stands still, or a reading is older than the state:
//! no decay, all else as ever. Idle for a year: the balance is at the floor, as after a fresh start. A single
//! absurdly late reading decays the balance to the floor and stops the decay until the clock has caught up; the
//! invariant and the cap hold meanwhile, and [`rebase`](RetryBudget::rebase) re-anchors.
//!
//! Sources: the SRE book's ten per cent rule; Brooker, "Fixing retries with token buckets and circuit breakers"
//! (2022); Finagle's RetryBudget for the idea of credits that expire; the costs by kind are the AWS SDK's idea.

mod config;

pub use config::{RetryBudgetConfig, RetryBudgetError, RetryCost, RetryTokens};

use config::MAX_CAP;

use crate::ratio::Ratio;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU32, AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, nanos};

const TOKEN_BITS: u32 = 30;
const TOKEN_MASK: u64 = (1 << TOKEN_BITS) - 1;
const LAST_TICK: u64 = u64::MAX >> TOKEN_BITS;
/// Ticks in a lifetime; a tick takes one part in so many.
const TICKS: u64 = 16;
/// After so many ticks even 2^30 - 1 millionths are gone.
const TICKS_TO_ZERO: u64 = 289;

/// Tokens that successes earn and retries spend.
///
/// # Concurrency
/// Every method is lock-free and may be called from any thread or interrupt handler: an exchange that fails means
/// that another caller's succeeded. A refusal writes nothing; nor does a deposit into a budget that is full.
///
/// # Complexity
/// One exchange a call. Until one of this tick has moved tokens, each divides, and takes a step of three instructions for
/// each tick since then in which there were tokens beyond the floor: 289 at most, however long nobody called.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryCost};
///
/// let start = Instant::ORIGIN;
/// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, start)?;
/// assert!(budget.try_withdraw(RetryCost::Error, start).is_ok());
/// // The one initial token is spent ...
/// assert!(budget.try_withdraw(RetryCost::Error, start).is_err());
/// // ... and ten first tries that succeed earn the next.
/// for _ in 0..10 {
///     budget.deposit(start);
/// }
/// assert!(budget.try_withdraw(RetryCost::Error, start).is_ok());
/// # Ok::<(), seawall::RetryBudgetError>(())
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct RetryBudget {
    state: AtomicU64,
    origin_ns: AtomicU64,
    tick_ns: u64,
    share: AtomicU32,
    cap: AtomicU32,
    floor: u32,
    initial: u32,
}

impl RetryBudget {
    const_constructor! {
        /// A budget that begins at `now` with the initial tokens.
        ///
        /// # Errors
        /// [`RetryBudgetError`]: a cap over 1,000 tokens, initial tokens or a floor over the cap, a lifetime under
        /// 100 ms.
        ///
        /// ```
        /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryBudgetError, RetryTokens};
        ///
        /// static BUDGET: RetryBudget = match RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN) {
        ///     Ok(budget) => budget,
        ///     Err(_) => panic!("checked by the compiler"),
        /// };
        /// assert_eq!(BUDGET.balance(Instant::ORIGIN), RetryTokens::ONE);
        ///
        /// let huge = RetryBudgetConfig { cap: RetryTokens::whole(1_001), ..RetryBudgetConfig::DEFAULT };
        /// assert_eq!(RetryBudget::new(huge, Instant::ORIGIN).unwrap_err(), RetryBudgetError::CapTooLarge);
        /// ```
        pub fn new(config: RetryBudgetConfig, now: Instant) -> Result<Self, RetryBudgetError> {
            if let Err(error) = config.check() {
                return Err(error);
            }
            let lifetime_ns = nanos(config.lifetime);
            Ok(Self {
                state: AtomicU64::new(packed(config.initial.as_millionths(), 0)),
                origin_ns: AtomicU64::new(now.as_nanos()),
                tick_ns: lifetime_ns / TICKS,
                share: AtomicU32::new(config.share.as_ppm()),
                cap: AtomicU32::new(config.cap.as_millionths()),
                floor: config.floor.as_millionths(),
                initial: config.initial.as_millionths(),
            })
        }
    }

    /// A call succeeded at its first try: the budget earns its share of a token. Not for a retry that succeeded, or
    /// retries would pay for retries.
    ///
    /// ```
    /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// budget.deposit(Instant::ORIGIN);
    /// assert_eq!(budget.balance(Instant::ORIGIN), RetryTokens::from_millionths(1_100_000));
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    #[inline]
    pub fn deposit(&self, now: Instant) {
        self.add(self.share.load(Ordering::Relaxed), now);
    }

    /// Takes what a retry costs, check and take in one step. To be called before the backoff starts, so that retries
    /// that still wait are paid for.
    ///
    /// # Errors
    /// [`Refused`] by [`Stage::RetryBudget`], without a time to come back (successes decide that): give the call up.
    /// [`Reason::Never`](crate::Reason::Never) where the cost is over the cap. Nothing is written.
    ///
    /// ```
    /// use seawall::{Instant, Reason, RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// let refused = budget.try_withdraw(RetryCost::Timeout, Instant::ORIGIN).unwrap_err();
    /// assert_eq!((refused.reason(), refused.retry_after()), (Reason::NotYet, None));
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    #[inline]
    pub fn try_withdraw(&self, cost: RetryCost, now: Instant) -> Result<(), Refused> {
        let cost = cost.tokens().as_millionths();
        let cap = self.cap.load(Ordering::Relaxed);
        if cost > cap {
            return Err(Refused::never(Stage::RetryBudget));
        }
        let since = self.since(now);
        let mut current = self.state.load(Ordering::Relaxed);
        loop {
            // What is stored bounds what is left of it: the storm's refusals do not even count ticks.
            if tokens_of(current) < cost {
                return Err(Refused::not_yet(Stage::RetryBudget, None));
            }
            let (tokens, settled) = self.settled(current, since, cap);
            let Some(left) = tokens.checked_sub(cost) else {
                return Err(Refused::not_yet(Stage::RetryBudget, None));
            };
            if cost == 0 {
                return Ok(());
            }
            match self.exchange(current, packed(left, settled)) {
                Ok(()) => return Ok(()),
                Err(seen) => current = seen,
            }
        }
    }

    /// Gives back what a retry took that was never sent. At most the cap; what decayed meanwhile is not taken off.
    ///
    /// ```
    /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// budget.try_withdraw(RetryCost::Error, Instant::ORIGIN).unwrap();
    /// budget.refund(RetryCost::Error, Instant::ORIGIN);
    /// assert_eq!(budget.balance(Instant::ORIGIN), RetryTokens::ONE);
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    pub fn refund(&self, cost: RetryCost, now: Instant) {
        self.add(cost.tokens().as_millionths(), now);
    }

    /// What the budget holds at `now`. Advisory: others may take it before the caller does.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryTokens};
    ///
    /// let start = Instant::ORIGIN;
    /// let config = RetryBudgetConfig { initial: RetryTokens::whole(10), ..RetryBudgetConfig::DEFAULT };
    /// let budget = RetryBudget::new(config, start)?;
    /// // What lies beyond the floor of one token is gone after a minute without traffic, but for a few thousandths.
    /// let idle = budget.balance(start.saturating_add(Duration::from_secs(60)));
    /// assert!(idle > RetryTokens::ONE && idle < RetryTokens::from_millionths(1_020_000));
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    #[must_use]
    pub fn balance(&self, now: Instant) -> RetryTokens {
        let state = self.state.load(Ordering::Relaxed);
        RetryTokens::from_millionths(self.settled(state, self.since(now), self.cap.load(Ordering::Relaxed)).0)
    }

    /// What [`try_withdraw`](Self::try_withdraw) would answer at `now`; takes nothing.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use seawall::{Instant, Reason, RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// assert!(budget.peek(RetryCost::Error, Instant::ORIGIN).is_ok());
    /// let dear = budget.peek(RetryCost::Tokens(RetryTokens::whole(11)), Instant::ORIGIN).unwrap_err();
    /// assert_eq!(dear.reason(), Reason::Never);
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    pub fn peek(&self, cost: RetryCost, now: Instant) -> Result<(), Refused> {
        let cost = cost.tokens();
        if cost > self.cap() {
            Err(Refused::never(Stage::RetryBudget))
        } else if cost > self.balance(now) {
            Err(Refused::not_yet(Stage::RetryBudget, None))
        } else {
            Ok(())
        }
    }

    /// What a first try that succeeds earns.
    ///
    /// ```
    /// use seawall::{Instant, Ratio, RetryBudget, RetryBudgetConfig};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// budget.set_share(Ratio::HALF);
    /// assert_eq!(budget.share(), Ratio::HALF);
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    #[must_use]
    pub fn share(&self) -> Ratio {
        // It was a ratio when it was stored.
        Ratio::from_ppm(self.share.load(Ordering::Relaxed)).unwrap_or(Ratio::ZERO)
    }

    /// The most that it ever holds.
    ///
    /// ```
    /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// assert_eq!(budget.cap(), RetryTokens::whole(10));
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    #[must_use]
    pub fn cap(&self) -> RetryTokens {
        RetryTokens::from_millionths(self.cap.load(Ordering::Relaxed))
    }

    /// Changes what the next deposits earn; those made stand. Safe while others call.
    ///
    /// ```
    /// use seawall::{Instant, Ratio, RetryBudget, RetryBudgetConfig, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// budget.set_share(Ratio::HALF);
    /// budget.deposit(Instant::ORIGIN);
    /// assert_eq!(budget.balance(Instant::ORIGIN), RetryTokens::from_millionths(1_500_000));
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    pub fn set_share(&self, share: Ratio) {
        self.share.store(share.as_ppm(), Ordering::Relaxed);
    }

    /// Changes the cap. Tokens over a lower cap are cut off by the next call that moves tokens; until then they
    /// cannot be seen or taken, but a cap that is raised again uncovers them. A call that is under way may still
    /// go by the old cap. A floor over the cap counts as the cap.
    ///
    /// # Errors
    /// [`RetryBudgetError::CapTooLarge`] over 1,000 tokens; the old cap stays.
    ///
    /// ```
    /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// budget.set_cap(RetryTokens::ZERO)?;
    /// assert_eq!(budget.balance(Instant::ORIGIN), RetryTokens::ZERO);
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    pub fn set_cap(&self, cap: RetryTokens) -> Result<(), RetryBudgetError> {
        if cap > MAX_CAP {
            return Err(RetryBudgetError::CapTooLarge);
        }
        self.cap.store(cap.as_millionths(), Ordering::Relaxed);
        Ok(())
    }

    /// Re-anchors the budget where the clock stepped: what the clock called `old_now` it calls `new_now` now. The
    /// balance is as at `old_now`.
    ///
    /// A caller that still comes with a reading of the old clock may cost tokens beyond the floor or stop their
    /// decay; it cannot bring in any.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryTokens};
    ///
    /// let boot = Instant::ORIGIN;
    /// let late = boot.saturating_add(Duration::from_secs(1_000_000));
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, late)?;
    /// budget.rebase(late, boot);
    /// assert_eq!(budget.balance(boot), RetryTokens::ONE);
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        let old_since = self.since(old_now);
        // The origin first: until the state follows, readings of the new clock lie before it and count as no time.
        self.origin_ns.store(new_now.as_nanos(), Ordering::Relaxed);
        let cap = self.cap.load(Ordering::Relaxed);
        let mut current = self.state.load(Ordering::Relaxed);
        loop {
            let (tokens, _) = self.settled(current, old_since, cap);
            match self.exchange(current, packed(tokens, 0)) {
                Ok(()) => return,
                Err(seen) => current = seen,
            }
        }
    }

    /// As if new at `now`: the initial tokens, at most the cap. Share and cap stay as they were set.
    ///
    /// # Concurrency
    /// Wait-free. What others earn or take meanwhile may count before it, and is then forgotten.
    ///
    /// ```
    /// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::MAX)?;
    /// budget.try_withdraw(RetryCost::Error, Instant::MAX).unwrap();
    /// budget.reset(Instant::ORIGIN);
    /// assert_eq!(budget.balance(Instant::ORIGIN), RetryTokens::ONE);
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    pub fn reset(&self, now: Instant) {
        // The origin first, as in `rebase`.
        self.origin_ns.store(now.as_nanos(), Ordering::Relaxed);
        self.state.store(packed(self.initial, 0), Ordering::Relaxed);
    }

    #[inline]
    fn add(&self, amount: u32, now: Instant) {
        if amount == 0 {
            return;
        }
        let cap = self.cap.load(Ordering::Relaxed);
        let since = self.since(now);
        let mut current = self.state.load(Ordering::Relaxed);
        loop {
            let (tokens, settled) = self.settled(current, since, cap);
            // A refund may name any amount.
            let sum = tokens.saturating_add(amount);
            let new = if sum < cap { sum } else { cap };
            // Full before and after, and nothing that decays or all of it settled before: nothing to write.
            if new == tokens_of(current) && (new <= self.floor || settled == tick_in(current)) {
                return;
            }
            match self.exchange(current, packed(new, settled)) {
                Ok(()) => return,
                Err(seen) => current = seen,
            }
        }
    }

    /// One step of the state from `current` to `new`, or what another caller has made of it.
    #[inline]
    fn exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        if fault("retry_budget: check and take are two steps") {
            self.state.store(new, Ordering::Relaxed);
            return Ok(());
        }
        self.state.compare_exchange_weak(current, new, Ordering::Relaxed, Ordering::Relaxed).map(|_| ())
    }

    /// Nanoseconds from the origin to `now`; before the origin 0.
    #[inline]
    fn since(&self, now: Instant) -> u64 {
        now.as_nanos().saturating_sub(self.origin_ns.load(Ordering::Relaxed))
    }

    /// Tokens and tick of `state` when it is `since` from the origin. An older tick means that no time has passed.
    #[inline]
    fn settled(&self, state: u64, since: u64, cap: u32) -> (u32, u64) {
        let (stored, settled) = (tokens_of(state), tick_in(state));
        // Still in the tick of the last settlement, or before it, as nearly always: that needs no division.
        if since < (settled + 1).saturating_mul(self.tick_ns)
            && !fault("retry_budget: a stale reading turns the clock back")
        {
            return (stored.min(cap), settled);
        }
        let (tokens, tick) = self.decayed_at(stored, settled, since);
        (tokens.min(cap), tick)
    }

    #[inline(never)]
    fn decayed_at(&self, stored: u32, settled: u64, since: u64) -> (u32, u64) {
        // A lifetime is 100 ms or more, so a tick is not 0 ns.
        let tick = since.checked_div(self.tick_ns).unwrap_or(0).min(LAST_TICK);
        let excess = stored.saturating_sub(self.floor);
        // The floor and what is left of the excess are at most what was stored.
        let tokens = if excess == 0 { stored } else { self.floor + decayed(excess, tick.saturating_sub(settled)) };
        let last = if fault("retry_budget: a stale reading turns the clock back") { tick } else { settled.max(tick) };
        let last = if fault("retry_budget: a settlement forgets its instant") { settled } else { last };
        (tokens, last)
    }
}

/// `excess` after `ticks` ticks, each of which takes a sixteenth, rounded up so that it ends at 0.
const fn decayed(excess: u32, ticks: u64) -> u32 {
    if ticks >= TICKS_TO_ZERO {
        return 0;
    }
    let (mut left, mut ticks) = (excess, ticks);
    while ticks > 0 && left > 0 {
        left -= left.div_ceil(TICKS as u32);
        ticks -= 1;
    }
    left
}

/// `tokens` is under 2^30 (the cap), `tick` under 2^34.
const fn packed(tokens: u32, tick: u64) -> u64 {
    (tick << TOKEN_BITS) | tokens as u64
}

const fn tokens_of(state: u64) -> u32 {
    // 30 bits.
    (state & TOKEN_MASK) as u32
}

const fn tick_in(state: u64) -> u64 {
    state >> TOKEN_BITS
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn nothing_outlives_the_bound_on_the_ticks() {
        let slowly = (0..TICKS_TO_ZERO).fold(TOKEN_MASK as u32, |left, _| decayed(left, 1));
        assert_eq!(slowly, 0);
        assert_eq!(decayed(TOKEN_MASK as u32, TICKS_TO_ZERO - 1), 1);
    }

    #[test]
    fn the_greatest_cap_fits_its_bits() {
        assert!(u64::from(MAX_CAP.as_millionths()) <= TOKEN_MASK);
        assert_eq!(tokens_of(packed(MAX_CAP.as_millionths(), LAST_TICK)), MAX_CAP.as_millionths());
        assert_eq!(tick_in(packed(MAX_CAP.as_millionths(), LAST_TICK)), LAST_TICK);
    }
}
