//! [`Pause`]: until when the server asked to be spared, and from when on the tokens restart; for all calls of a guard.
//!
//! ```text
//! end      63                                                             0
//!         +----------------------------------------------------------------+
//!         | the end of the pause                                           |
//!         +----------------------------------------------------------------+
//! restart  63                                                         1   0
//!         +------------------------------------------------------------+---+
//!         | an instant, in steps of 2 ns, rounded up                   | r |
//!         +------------------------------------------------------------+---+
//! ```
//! With `r` 0 the instant is the end of a pause, with `r` 1 that at which a probe succeeded; the word 0 is neither. What
//! has come stays until an attempt passes it, and has settled it: the tokens restarted at that instant. Both only move later, but for
//! what no reading of the clock can have set.
//!
//! They are two words because not every pause makes the tokens restart: one that is in shadow, and was not kept, must not
//! touch a bucket that is enforced.
//!
//! # Orderings
//! Clearing is `Release`, looking is `Acquire`: who finds the word clear finds the tokens restarted. A mark is relaxed:
//! it stands before the exchange that closes the breaker, which publishes it. A pause marks its restart before it sets
//! its end, with `Release`: who finds the end, and that it has come, finds the mark.

use core::time::Duration;

use crate::random::up_to;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, SECOND, nanos};

/// The longest wait that is taken from a server.
const LONGEST: u64 = 300 * SECOND;
/// The longest pause with its spread, twice: an end further ahead than that is the work of a clock that stepped.
const REACH: u64 = 2 * (LONGEST + LONGEST / 4);
const RESTART: u64 = 1;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Pause {
    end: AtomicU64,
    restart: AtomicU64,
}

/// The tokens restart at this instant, at the latest `now`; and the word to clear.
pub(super) type Restart = (Instant, u64);

/// The instant of a word.
const fn instant_of(word: u64) -> u64 {
    word & !RESTART
}

/// Rounded up to 2 ns; the last nanosecond of time counts as the one before it.
const fn rounded(nanos: u64) -> u64 {
    nanos.saturating_add(1) & !RESTART
}

/// What lies further ahead than any pause reaches is the work of a clock that stepped.
#[inline]
const fn is_to_come(end: u64, now: Instant) -> bool {
    let now = now.as_nanos();
    end > now && end <= now.saturating_add(REACH)
}

/// Whether the pause that ends at `end` is over, or there was none: else the refusal until then.
#[inline]
const fn is_over(end: u64, now: Instant) -> Result<(), Refused> {
    // Mostly there is none, which is known without the clock.
    if end != 0 && is_to_come(end, now) {
        return Err(Refused::not_yet_ns(Stage::Pause, end - now.as_nanos()));
    }
    Ok(())
}

impl Pause {
    const_constructor! {
        pub(super) fn none() -> Self {
            Self { end: AtomicU64::new(0), restart: AtomicU64::new(0) }
        }
    }

    /// The end of the pause, if it is still to come.
    pub(super) fn end(&self, now: Instant) -> Option<Instant> {
        let end = self.end.load(Ordering::Acquire);
        is_to_come(end, now).then_some(Instant::from_nanos(end))
    }

    /// # Errors
    /// In a pause.
    #[inline]
    pub(super) fn check(&self, now: Instant) -> Result<(), Refused> {
        is_over(self.end.load(Ordering::Acquire), now)
    }

    /// As [`check`](Self::check), and one that is over is gone: so a clock that steps back does not find it again.
    #[inline]
    pub(super) fn pass(&self, now: Instant) -> Result<(), Refused> {
        let end = self.end.load(Ordering::Acquire);
        is_over(end, now)?;
        if end != 0 {
            // One try: who raised it meanwhile has another end.
            let _ = self.end.compare_exchange(end, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The restart that nobody has settled, unless it belongs to a pause that is not over.
    #[inline]
    pub(super) fn restart(&self, now: Instant) -> Option<Restart> {
        let word = self.restart.load(Ordering::Acquire);
        let has_come = word != 0 && (word & RESTART != 0 || !is_to_come(instant_of(word), now));
        has_come.then(|| (Instant::from_nanos(instant_of(word).min(now.as_nanos())), word))
    }

    /// Pauses for `wait` and up to a quarter more, so that clients that were told the same do not come back together;
    /// `restarts`: the tokens restart when it ends. A pause under way is made longer, never shorter; a `wait` of 0 is
    /// none.
    pub(super) fn extend(&self, wait: Duration, restarts: bool, now: Instant, random: u64) {
        let wait = nanos(wait).min(LONGEST);
        if wait != 0 {
            // At most LONGEST and a quarter: no overflow.
            let end = rounded(now.as_nanos().saturating_add(wait + up_to(random, wait / 4)));
            if restarts {
                Self::raise(&self.restart, end, now);
            }
            Self::raise(&self.end, end, now);
        }
    }

    /// From `now` on the tokens restart: to be said before the breaker closes.
    pub(super) fn restart_at(&self, now: Instant) {
        Self::raise(&self.restart, rounded(now.as_nanos()) | RESTART, now);
    }

    fn raise(at: &AtomicU64, word: u64, now: Instant) {
        if fault("guard: the pause is stored, not raised") {
            at.store(word, Ordering::Relaxed);
            return;
        }
        let mut current = at.load(Ordering::Relaxed);
        // Lock-free: an exchange fails only because another thread moved the instant.
        while instant_of(current) < instant_of(word)
            || current == 0
            || instant_of(current) > now.as_nanos().saturating_add(REACH)
        {
            // Release: what was cleared before stays seen through a later word.
            match at.compare_exchange_weak(current, word, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => current = seen,
            }
        }
    }

    /// The restart that was seen as `word` is settled; whether this call cleared it.
    pub(super) fn clear(&self, word: u64) -> bool {
        if fault("guard: an ended pause is cleared unseen") {
            self.restart.store(0, Ordering::Release);
            return true;
        }
        self.restart.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// What was so far ahead of `old_now` is as far ahead of `new_now`; a restart that had come comes at `new_now`.
    pub(super) fn rebase(&self, old_now: Instant, new_now: Instant) {
        for (at, is_restart) in [(&self.restart, true), (&self.end, false)] {
            let mut current = at.load(Ordering::Acquire);
            while current != 0 {
                let left = instant_of(current).saturating_sub(old_now.as_nanos());
                let kind = if left == 0 { RESTART } else { current & RESTART };
                let word = rounded(new_now.as_nanos().saturating_add(left)) | kind;
                // The end of a pause has no kind.
                let word = if is_restart { word } else { instant_of(word) };
                match at.compare_exchange_weak(current, word, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(seen) => current = seen,
                }
            }
        }
    }

    pub(super) fn reset(&self) {
        self.end.store(0, Ordering::Release);
        self.restart.store(0, Ordering::Release);
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_within_two_nanoseconds_of_what_was_asked() {
        for now in [0, 1, 2, 1 << 40, u64::MAX - 4] {
            let pause = Pause::none();
            pause.extend(Duration::from_nanos(1), true, Instant::from_nanos(now), 0);
            let end = pause.end(Instant::from_nanos(now)).unwrap().as_nanos();
            assert!(end > now && end <= now + 2, "{now} {end}");
        }
    }

    #[test]
    fn a_mark_pauses_nobody_and_a_pause_under_way_outlasts_it() {
        let pause = Pause::none();
        pause.restart_at(Instant::from_nanos(100));
        assert!(matches!(pause.restart(Instant::from_nanos(7)), Some((at, _)) if at.as_nanos() == 7));
        pause.extend(Duration::from_nanos(50), true, Instant::from_nanos(100), 0);
        pause.restart_at(Instant::from_nanos(120));
        assert_eq!(pause.end(Instant::from_nanos(120)), Some(Instant::from_nanos(150)));
        assert!(pause.restart(Instant::from_nanos(120)).is_none());
        let (at, word) = pause.restart(Instant::from_nanos(200)).expect("it has ended");
        assert_eq!(at, Instant::from_nanos(150));
        pause.extend(Duration::from_nanos(50), true, Instant::from_nanos(200), 0);
        assert!(!pause.clear(word));
        assert_eq!(pause.end(Instant::from_nanos(200)), Some(Instant::from_nanos(250)));
    }

    #[test]
    fn a_pause_that_nobody_kept_hides_no_restart_and_makes_none() {
        let pause = Pause::none();
        pause.extend(Duration::from_nanos(50), false, Instant::from_nanos(100), 0);
        assert!(pause.restart(Instant::from_nanos(200)).is_none());
        pause.restart_at(Instant::from_nanos(120));
        assert!(matches!(pause.restart(Instant::from_nanos(121)), Some((at, _)) if at.as_nanos() == 120));
        assert_eq!(pause.end(Instant::from_nanos(121)), Some(Instant::from_nanos(150)));
    }

    #[test]
    fn the_ends_of_time_are_instants_too() {
        let pause = Pause::none();
        pause.extend(Duration::MAX, true, Instant::MAX, u64::MAX);
        assert!(pause.end(Instant::MAX).is_none());
        pause.rebase(Instant::MAX, Instant::ORIGIN);
        assert!(matches!(pause.restart(Instant::ORIGIN), Some((Instant::ORIGIN, word)) if pause.clear(word)));
        assert!(pause.end(Instant::ORIGIN).is_none());
        pause.restart_at(Instant::ORIGIN);
        assert!(matches!(pause.restart(Instant::ORIGIN), Some((Instant::ORIGIN, _))));
    }
}
