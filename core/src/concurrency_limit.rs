//! [`ConcurrencyLimit`]: how many calls may be in flight at once, found out by their latency.
//!
//! Additive increase, multiplicative decrease on the number in flight: a good reply adds `1/limit` while at least half
//! of the limit is used; a slow one, a throttle or a time-out multiplies it, at most once a round trip and only when
//! the limit was what held the traffic back. What is slow follows from what is usual. Errors that come fast say nothing
//! of congestion and do not move it, unless they come in a row while the limit stays full.
//!
//! # The invariant
//! A permit *is* a slot. A slot holds the end of its lease, or nothing; a call takes the lowest slot that is free, and
//! only if it counts fewer slots held than the limit. There is no counter beside the slots that could disagree with
//! them, so whatever is lost heals when its lease lapses.
//!
//! Never more permits are held at once than the limit. A call counts every slot that it did not find free, whether it was
//! held or not looked at: so it may stop as soon as it is certain, and where the limit stands at its highest, with as many
//! slots as it allows, at the first free one. Proof: start at any holder that counted by this limit. If a
//! permit that is held above its slot was taken after it had found that slot free, or above all slots that there were for
//! it, go on from that one; slots are finite,
//! so this ends at a holder that missed none above it. It saw every slot below its own held (else it would have taken
//! that one), counted every permit above, and came to less than the limit: so with its own they are at most the limit.
//! The argument needs no order between different slots. After a cut nothing is admitted until fewer are in flight than
//! the new limit; only a call that had read the old limit before the cut may still go by it.
//!
//! ```text
//! control  63       48 47       32 31                                  0
//!          +----------+-----------+-------------------------------------+
//!          | cuts: 16 | peak: 16  | limit: 16 whole, 16 fraction        |
//!          +----------+-----------+-------------------------------------+
//! slot     63                                                 12 11     0
//!          +----------------------------------------------------+--------+
//!          | end of the lease, 4.096 us ticks; 0 is free        | tag:12 |
//!          +----------------------------------------------------+--------+
//! ```
//! `cuts` counts the cuts: a permit remembers the count, and only a call that began after the last cut may cut again.
//! No clock is compared for this. `peak` is the highest limit so far: no slot at or above it was ever taken.
//!
//! Two more words say what to make of a report, and are advice: what is usual (`usual.rs`), and whether the limit stays
//! full (`pace.rs`).
//!
//! # Orderings
//! Taking a slot is `Acquire`, giving it back is `Release`: what the last holder did happens before what the next one
//! does, as with a semaphore. Counting, the control word, the advice and the settings are relaxed: the argument above
//! needs no more, and who knows of a cut reads it.
//!
//! # Limits
//! - Time that stands still: permits work, leases do not lapse, every reply is quick.
//! - Idle for a year: the limit stays where it was; the leases of what was lost have lapsed.
//! - An older `now`: no time has passed; no lease lapses by it. If all that is held ends more than two leases ahead of
//!   `now`, the refusal says [`ClockStepped`](crate::Reason::ClockStepped); [`rebase`](ConcurrencyLimitView::rebase) or
//!   [`reset`](ConcurrencyLimitView::reset) helps.
//! - A caller that sends as many as the limit allows, waits for all of them and begins anew meets it full once a round:
//!   with more than `saturated_after` 1 its slow replies do not cut the limit. Time-outs do.
//! - A service whose every reply is slow from the first on teaches what is usual only from the floor, so the limit falls
//!   there first.
//! - A machine that was suspended: a call that was under way counts as slow or timed out, and teaches no more than one
//!   that took the whole time-out.
//! - A permit is told from an older one of the same slot by the end of its lease and a tag of 12 bits: exact, unless
//!   4096 are taken on one slot within 4.096 us.
//! - The number of cuts wraps at 65,536: a permit older than so many cuts may cut once more.
//!
//! # Source
//! Chiu and Jain, *Analysis of the increase and decrease algorithms* (1989); one cut a round trip and no growth when
//! the window is not used as in TCP (RFC 5681, RFC 7661); latency as the signal as in TCP Vegas (Brakmo, 1994); a learnt
//! usual latency with a tolerance as in Netflix' Gradient2. That only a limit that stays full is cut, and that it then
//! also heeds failures that come at once, is ours.

mod config;
mod control;
mod judge;
mod pace;
mod permit;
mod slots;
mod usual;
mod view;

use core::fmt;
use core::ops::{Deref, DerefMut};

pub use config::{LimitConfig, LimitConfigError};
pub use permit::{LimitChange, LimitPermit, LimitReason};
pub use view::ConcurrencyLimitView;

use crate::sync::{atomic_array, const_constructor};
use config::MOST_SLOTS;
use slots::Slot;

/// An adaptive bound on the calls in flight, with up to `SLOTS` of them.
///
/// All that it does are methods of [`ConcurrencyLimitView`], to which it dereferences, as an array to its slice.
///
/// # Concurrency
/// Every call is lock-free: a step is retried only because another thread made one. A permit costs one exchange, its
/// return another; a move of the limit is a third, and so is a reply that teaches what latency is usual (once that is
/// known, one in eight) or that makes a row longer; a refusal writes nothing. No call panics or allocates.
///
/// # Complexity
/// An attempt reads as many slots as the limit was at its highest, at most `SLOTS`: eight bytes each. It ends earlier
/// where the answer is certain: mostly after the first free slot and half as many as the limit. A report reads two slots
/// while the limit stands at its highest and has room, else up to as many.
///
/// ```
/// use core::time::Duration;
/// use seawall::{ConcurrencyLimit, Instant, LimitConfig, Outcome};
///
/// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
/// let now = Instant::ORIGIN;
/// let (first, second) = (limit.try_attempt(now).unwrap(), limit.try_attempt(now).unwrap());
/// assert!(limit.try_attempt(now).is_err());
///
/// // Two quick replies grow the limit by a half each.
/// let soon = now.saturating_add(Duration::from_millis(20));
/// assert_eq!(limit.finish(first, Outcome::Success, soon), None);
/// assert_eq!(limit.finish(second, Outcome::Success, soon), None);
/// assert_eq!((limit.limit(), limit.in_flight(soon)), (2, 0));
/// # Ok::<(), seawall::LimitConfigError>(())
/// ```
#[repr(C)]
pub struct ConcurrencyLimit<const SLOTS: usize>(ConcurrencyLimitView<[Slot; SLOTS]>);

impl<const SLOTS: usize> ConcurrencyLimit<SLOTS> {
    const_constructor! {
        /// A limit at `config.start`, with nothing in flight. `SLOTS` is 1 to 65,535, checked at compile time.
        ///
        /// # Errors
        /// [`LimitConfigError`] names the field that is out of its range, and the range.
        ///
        /// ```
        /// use seawall::{ConcurrencyLimit, LimitConfig};
        /// static LIMIT: ConcurrencyLimit<64> = match ConcurrencyLimit::new(LimitConfig::DEFAULT) {
        ///     Ok(limit) => limit,
        ///     Err(_) => panic!("refused at compile time"),
        /// };
        /// ```
        pub fn new(config: LimitConfig) -> Result<Self, LimitConfigError> {
            const { assert!(SLOTS >= 1 && SLOTS <= MOST_SLOTS, "a concurrency limit has 1 to 65,535 slots") }
            match ConcurrencyLimitView::of_slots(config, atomic_array!(Slot::free(), SLOTS)) {
                Ok(limit) => Ok(Self(limit)),
                Err(error) => Err(error),
            }
        }
    }
}

impl<const SLOTS: usize> Deref for ConcurrencyLimit<SLOTS> {
    type Target = ConcurrencyLimitView;

    #[inline(always)]
    fn deref(&self) -> &ConcurrencyLimitView {
        &self.0
    }
}

impl<const SLOTS: usize> DerefMut for ConcurrencyLimit<SLOTS> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut ConcurrencyLimitView {
        &mut self.0
    }
}

impl<const SLOTS: usize> fmt::Debug for ConcurrencyLimit<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
