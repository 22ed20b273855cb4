//! What a token bucket has to hold, in exact whole numbers: one balance of what was earned and what was spent.

use std::collections::BTreeMap;

/// A token in parts, so that a rate of whole tokens a minute earns whole parts each nanosecond.
pub const TOKEN: i128 = 60_000_000_000;
const SECOND: i128 = 1_000_000_000;

/// Why not, as the vectors say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    Never,
    ClockStepped,
    /// Nanoseconds, where they can be known.
    NotYet(Option<u64>),
}

/// A slow start: so many tokens a minute until then.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    pub per_minute: i128,
    pub until: u64,
}

/// All amounts in parts.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub per_minute: i128,
    pub burst: i128,
    began: u64,
    slow: Option<Slow>,
    on_hand_then: i128,
    spent: i128,
    bookings: BTreeMap<u64, (i128, i128)>,
    count: u64,
}

impl Oracle {
    pub fn new(per_minute: i128, burst: u32, tokens: u32, start: u64) -> Self {
        Self {
            per_minute,
            burst: i128::from(burst) * TOKEN,
            began: start,
            slow: None,
            on_hand_then: i128::from(tokens.min(burst)) * TOKEN,
            spent: 0,
            bookings: BTreeMap::new(),
            count: 0,
        }
    }

    fn earned(&self, now: u64) -> i128 {
        let now = now.max(self.began);
        let slow_end = self.slow.map_or(self.began, |slow| slow.until).clamp(self.began, now);
        let slowly = self.slow.map_or(0, |slow| slow.per_minute.min(self.per_minute));
        i128::from(slow_end - self.began) * slowly + i128::from(now - slow_end) * self.per_minute
    }

    /// What may be taken at `now`; below zero it is owed.
    pub fn balance(&self, now: u64) -> i128 {
        (self.on_hand_then + self.earned(now) - self.spent).min(self.burst)
    }

    /// The first nanosecond from `now` on at which the balance is `wanted`, as a wait.
    pub fn wait_for(&self, wanted: i128, now: u64) -> Option<u64> {
        if self.balance(now) >= wanted {
            return Some(0);
        }
        // Earning never slows down: halve the span.
        let (mut early, mut late) = (now, u64::MAX);
        if self.balance(late) < wanted {
            return None;
        }
        while early < late {
            let middle = early + (late - early) / 2;
            if self.balance(middle) >= wanted { late = middle } else { early = middle + 1 }
        }
        Some(early - now)
    }

    fn most_owed(&self) -> i128 {
        self.burst.max(-self.on_hand_then)
    }

    fn spend(&mut self, parts: i128, now: u64) {
        // What did not fit into a full bucket is gone.
        self.spent = self.spent.max(self.on_hand_then + self.earned(now) - self.burst) + parts;
    }

    pub fn refusal(&self, parts: i128, now: u64) -> No {
        if parts > self.burst {
            return No::Never;
        }
        // More is owed than can be in order, by more than a second: the clock went back.
        let in_order = -self.most_owed() - self.burst;
        let stepped = i128::from(self.began) - i128::from(now) > SECOND
            || self.wait_for(in_order + parts, now).is_none_or(|wait| i128::from(wait) > SECOND)
                && self.balance(now) - parts < in_order;
        if stepped { No::ClockStepped } else { No::NotYet(self.wait_for(parts, now)) }
    }

    pub fn try_take(&mut self, n: u32, now: u64) -> Result<(), No> {
        let parts = i128::from(n) * TOKEN;
        if parts > self.balance(now) {
            return Err(self.refusal(parts, now));
        }
        self.spend(parts, now);
        Ok(())
    }

    pub fn take_up_to(&mut self, n: u32, now: u64) -> u32 {
        let tokens = (self.balance(now).max(0) / TOKEN).min(n.into()) as u32;
        if tokens > 0 {
            self.spend(i128::from(tokens) * TOKEN, now);
        }
        tokens
    }

    pub fn drain_to(&mut self, keep: u32, now: u64) -> u32 {
        let beyond = self.balance(now) - i128::from(keep) * TOKEN;
        if beyond <= 0 {
            return 0;
        }
        self.spend(beyond, now);
        (beyond / TOKEN) as u32
    }

    /// The number of the booking and its wait.
    pub fn reserve(&mut self, n: u32, max_wait: u64, now: u64) -> Result<(u64, u64), No> {
        let parts = i128::from(n) * TOKEN;
        let (wait, for_the_debt) = (self.wait_for(parts, now), self.wait_for(parts - self.burst, now));
        match (wait, for_the_debt) {
            (Some(wait), Some(0)) if wait <= max_wait && parts <= self.burst => {
                self.spend(parts, now);
                Ok((self.note_booking(n), wait))
            }
            (Some(wait), Some(for_the_debt)) => Err(match self.refusal(parts, now) {
                No::NotYet(_) => No::NotYet(Some(for_the_debt.max(wait.saturating_sub(max_wait)))),
                other => other,
            }),
            _ => Err(self.refusal(parts, now)),
        }
    }

    /// Whether the booking is to be undone: it is the newest, or nothing is owed. It is, if `undone` says so.
    pub fn cancel(&mut self, booking: u64, now: u64, undone: bool) -> bool {
        let (parts, spent) = self.bookings.remove(&booking).expect("made once, cancelled once");
        let may = (spent == self.spent || self.balance(now) >= 0) && self.has_room(parts);
        if undone {
            self.spent -= parts;
        }
        may
    }

    /// The slowest and the fastest that is earned from now on, in parts a nanosecond; at least one part.
    pub fn slowest(&self) -> i128 {
        self.slow.map_or(self.per_minute, |slow| slow.per_minute.min(self.per_minute)).max(1)
    }

    pub fn fastest(&self) -> i128 {
        self.per_minute.max(1)
    }

    /// Takes what another found to be there, up to a rounding.
    pub fn force_take(&mut self, n: u32, now: u64) {
        self.spend(i128::from(n) * TOKEN, now);
    }

    /// Gives back what another found that it may.
    pub fn force_back(&mut self, n: u32) {
        self.spent -= i128::from(n) * TOKEN;
    }

    /// Remembers that what was spent last was a booking.
    pub fn note_booking(&mut self, n: u32) -> u64 {
        self.count += 1;
        self.bookings.insert(self.count, (i128::from(n) * TOKEN, self.spent));
        self.count
    }

    pub fn refund(&mut self, n: u32, now: u64) -> bool {
        let parts = i128::from(n) * TOKEN;
        let may = self.balance(now) >= 0 && self.has_room(parts);
        if may {
            self.spent -= parts;
        }
        may
    }

    /// Of what was taken before the last change, a burst may come back.
    fn has_room(&self, parts: i128) -> bool {
        self.spent - parts >= -self.burst
    }

    /// Settles at `now`, and says when that was: never before as much was owed as can be in order.
    fn settle(&mut self, now: u64) -> u64 {
        let now = now.max(self.began);
        let at = now.saturating_add(self.wait_for(-self.most_owed(), now).unwrap_or(0));
        self.on_hand_then = self.balance(at);
        // The newest booking is so until more is taken; an older one never again.
        for booking in self.bookings.values_mut() {
            booking.1 = if booking.1 == self.spent { 0 } else { i128::MIN };
        }
        (self.began, self.spent) = (at, 0);
        self.slow = self.slow.filter(|slow| slow.until > at);
        at
    }

    pub fn set_rate(&mut self, per_minute: i128, now: u64) {
        self.settle(now);
        self.per_minute = per_minute;
        // A slow start is no faster than the rate, and there is none where nothing is earned.
        self.slow = self.slow.filter(|_| per_minute > 0);
        if let Some(slow) = &mut self.slow {
            slow.per_minute = slow.per_minute.min(per_minute);
        }
    }

    pub fn set_burst(&mut self, burst: u32, now: u64) {
        self.settle(now);
        self.burst = i128::from(burst) * TOKEN;
        self.on_hand_then = self.on_hand_then.min(self.burst);
    }

    pub fn start_slow(&mut self, per_minute: i128, duration: u64, now: u64) {
        let at = self.settle(now);
        let slow = Slow { per_minute: per_minute.min(self.per_minute), until: at.saturating_add(duration) };
        self.slow = Some(slow).filter(|_| self.per_minute > 0);
    }

    pub fn rebase(&mut self, old_now: u64, new_now: u64) {
        let at = self.settle(old_now);
        let moved = new_now + (at - old_now);
        self.slow = self.slow.map(|slow| Slow { until: slow.until - at + moved, ..slow });
        self.began = moved;
    }

    pub fn reset(&mut self, tokens: u32, now: u64) {
        self.settle(now);
        self.on_hand_then = (i128::from(tokens) * TOKEN).min(self.burst);
        (self.began, self.slow) = (now, None);
    }
}
