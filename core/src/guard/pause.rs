//! [`Pause`]: until when the server asked to be spared, and from when on the tokens restart; for all calls of a guard.
//!
//! ```text
//!  63                                                            1   0
//! +----------------------------------------------------------------+---+
//! | an instant, in steps of 2 ns, rounded up                       | r |
//! +----------------------------------------------------------------+---+
//! ```
//! With `r` 0 the instant is the end of a pause, with `r` 1 that at which a probe succeeded; the word 0 is neither. What
//! has come stays until an attempt has settled it: the tokens restarted at that instant. The instant only moves later,
//! but for one that no reading of the clock can have set.
//!
//! # Orderings
//! Clearing is `Release`, looking is `Acquire`: who finds the word clear finds the tokens restarted. A mark is relaxed:
//! it stands before the exchange that closes the breaker, which publishes it.

use core::time::Duration;

use crate::random::up_to;
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, SECOND, nanos};

/// The longest wait that is taken from a server.
const LONGEST: u64 = 300 * SECOND;
/// The longest pause with its spread, twice: an end further ahead than that is the work of a clock that stepped.
const REACH: u64 = 2 * (LONGEST + LONGEST / 4);
const RESTART: u64 = 1;

#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Pause(AtomicU64);

/// What an attempt meets.
pub(super) enum Seen {
    Nothing,
    Paused(Instant),
    /// The tokens restart at this instant, at the latest `now`; and the word to clear.
    Restart(Instant, u64),
}

/// The instant of a word.
const fn instant_of(word: u64) -> u64 {
    word & !RESTART
}

/// Rounded up to 2 ns; the last nanosecond of time counts as the one before it.
const fn rounded(nanos: u64) -> u64 {
    nanos.saturating_add(1) & !RESTART
}

impl Pause {
    const_constructor! {
        pub(super) fn none() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    pub(super) fn look(&self, now: Instant) -> Seen {
        let word = self.0.load(Ordering::Acquire);
        if word == 0 {
            return Seen::Nothing;
        }
        let (at, now) = (instant_of(word), now.as_nanos());
        if word & RESTART == 0 && at > now && at <= now.saturating_add(REACH) {
            Seen::Paused(Instant::from_nanos(at))
        } else {
            Seen::Restart(Instant::from_nanos(at.min(now)), word)
        }
    }

    /// The end of the pause, if it is still to come.
    pub(super) fn end(&self, now: Instant) -> Option<Instant> {
        match self.look(now) {
            Seen::Paused(end) => Some(end),
            Seen::Nothing | Seen::Restart(..) => None,
        }
    }

    /// Pauses for `wait` and up to a quarter more, so that clients that were told the same do not come back together.
    /// A pause under way is made longer, never shorter; a `wait` of 0 is none.
    pub(super) fn extend(&self, wait: Duration, now: Instant, random: u64) {
        let wait = nanos(wait).min(LONGEST);
        if wait != 0 {
            // At most LONGEST and a quarter: no overflow.
            self.raise(rounded(now.as_nanos().saturating_add(wait + up_to(random, wait / 4))), now);
        }
    }

    /// From `now` on the tokens restart: to be said before the breaker closes.
    pub(super) fn restart_at(&self, now: Instant) {
        self.raise(rounded(now.as_nanos()) | RESTART, now);
    }

    fn raise(&self, word: u64, now: Instant) {
        if fault("guard: the pause is stored, not raised") {
            self.0.store(word, Ordering::Relaxed);
            return;
        }
        let mut current = self.0.load(Ordering::Relaxed);
        // Lock-free: an exchange fails only because another thread moved the instant.
        while instant_of(current) < instant_of(word)
            || current == 0
            || instant_of(current) > now.as_nanos().saturating_add(REACH)
        {
            // Release: what was cleared before stays seen through a later word.
            match self.0.compare_exchange_weak(current, word, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => current = seen,
            }
        }
    }

    /// The restart that was seen as `word` is settled; whether this call cleared it.
    pub(super) fn clear(&self, word: u64) -> bool {
        if fault("guard: an ended pause is cleared unseen") {
            self.0.store(0, Ordering::Release);
            return true;
        }
        self.0.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// What was so far ahead of `old_now` is as far ahead of `new_now`; what had come comes at `new_now`.
    pub(super) fn rebase(&self, old_now: Instant, new_now: Instant) {
        let mut current = self.0.load(Ordering::Acquire);
        while current != 0 {
            let left = instant_of(current).saturating_sub(old_now.as_nanos());
            let kind = if left == 0 { RESTART } else { current & RESTART };
            let word = rounded(new_now.as_nanos().saturating_add(left)) | kind;
            match self.0.compare_exchange_weak(current, word, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(seen) => current = seen,
            }
        }
    }

    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Release);
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_within_two_nanoseconds_of_what_was_asked() {
        for now in [0, 1, 2, 1 << 40, u64::MAX - 4] {
            let pause = Pause::none();
            pause.extend(Duration::from_nanos(1), Instant::from_nanos(now), 0);
            let end = pause.end(Instant::from_nanos(now)).unwrap().as_nanos();
            assert!(end > now && end <= now + 2, "{now} {end}");
        }
    }

    #[test]
    fn a_mark_pauses_nobody_and_a_pause_under_way_outlasts_it() {
        let pause = Pause::none();
        pause.restart_at(Instant::from_nanos(100));
        assert!(matches!(pause.look(Instant::from_nanos(7)), Seen::Restart(at, _) if at.as_nanos() == 7));
        pause.extend(Duration::from_nanos(50), Instant::from_nanos(100), 0);
        pause.restart_at(Instant::from_nanos(120));
        assert_eq!(pause.end(Instant::from_nanos(120)), Some(Instant::from_nanos(150)));
        let Seen::Restart(at, word) = pause.look(Instant::from_nanos(200)) else { panic!("it has ended") };
        assert_eq!(at, Instant::from_nanos(150));
        pause.extend(Duration::from_nanos(50), Instant::from_nanos(200), 0);
        assert!(!pause.clear(word));
        assert_eq!(pause.end(Instant::from_nanos(200)), Some(Instant::from_nanos(250)));
    }

    #[test]
    fn the_ends_of_time_are_instants_too() {
        let pause = Pause::none();
        pause.extend(Duration::MAX, Instant::MAX, u64::MAX);
        assert!(pause.end(Instant::MAX).is_none());
        pause.rebase(Instant::MAX, Instant::ORIGIN);
        assert!(matches!(pause.look(Instant::ORIGIN), Seen::Restart(Instant::ORIGIN, word) if pause.clear(word)));
        pause.restart_at(Instant::ORIGIN);
        assert!(matches!(pause.look(Instant::ORIGIN), Seen::Restart(Instant::ORIGIN, _)));
    }
}
