//! The work of a concurrency limit, on any number of slots.

use crate::concurrency_limit::config::Settings;
use crate::concurrency_limit::pace::{Pace, Report, Seen};
use crate::concurrency_limit::permit::{LimitChange, LimitPermit, LimitReason};
use crate::concurrency_limit::usual::Usual;
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::stamp::Stamp;
use crate::sync::{AtomicU64, Ordering, fault, ordering};
use crate::time::Instant;

/// The control word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Control(pub(super) u64);

/// A whole call in the fixed point of the limit.
pub(super) const WHOLE: u64 = 1 << 16;

impl Control {
    pub(super) const fn new(cuts: u16, peak: u32, fixed: u64) -> Self {
        // The peak is at most the slots, 65,535; the fixed point at most that many wholes, under 2^32.
        Self((cuts as u64) << 48 | (peak as u64) << 32 | fixed)
    }

    pub(super) const fn cuts(self) -> u16 {
        (self.0 >> 48) as u16
    }

    pub(super) const fn peak(self) -> u32 {
        (self.0 >> 32) as u32 & 0xFFFF
    }

    pub(super) const fn fixed(self) -> u64 {
        self.0 & 0xFFFF_FFFF
    }

    pub(super) const fn limit(self) -> u32 {
        (self.fixed() / WHOLE) as u32
    }

    /// With another limit; a fall is a cut.
    pub(super) const fn with(self, fixed: u64) -> Self {
        let cuts = if fixed < self.fixed() { self.cuts().wrapping_add(1) } else { self.cuts() };
        let limit = (fixed / WHOLE) as u32;
        Self::new(cuts, if limit > self.peak() { limit } else { self.peak() }, fixed)
    }
}

/// The limit without its size: all the work is done here, once for every number of slots.
pub(super) struct View<'a> {
    pub(super) control: &'a AtomicU64,
    pub(super) settings: &'a Settings,
    pub(super) usual: &'a Usual,
    pub(super) pace: &'a Pace,
    pub(super) slots: &'a [AtomicU64],
}

/// What part of its growth is left to a limit that grows with care.
const CAREFUL: u64 = 10;

/// What a report says of the service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Good,
    QuickFailure,
    Slow,
    Timeout,
    Throttled,
}

/// A slot that can be taken.
pub(super) struct Free<'a> {
    slot: &'a AtomicU64,
    index: usize,
    seen: Stamp,
}

impl View<'_> {
    pub(super) fn control(&self) -> Control {
        Control(self.control.load(Ordering::Relaxed))
    }

    /// The slots that may be held.
    pub(super) fn used(&self, control: Control) -> &[AtomicU64] {
        // The peak is at most the slots; `get` for storage that was damaged.
        self.slots.get(..control.peak() as usize).unwrap_or(self.slots)
    }

    pub(super) fn held(&self, control: Control, now: Instant) -> u32 {
        let held = |slot: &&AtomicU64| !Stamp(slot.load(Ordering::Relaxed)).is_over(now);
        // At most 65,535 slots.
        self.used(control).iter().filter(held).count() as u32
    }

    /// The lowest free slot, its number and what stands in it; and how many are held.
    pub(super) fn look(&self, control: Control, now: Instant) -> Result<(Free<'_>, u32), Refused> {
        let (mut free, mut held) = (None, 0);
        for (index, slot) in self.used(control).iter().enumerate() {
            let seen = Stamp(slot.load(Ordering::Relaxed));
            // A slot that is free ends at the origin, so it is over.
            if seen.is_over(now) {
                free = free.or(Some(Free { slot, index, seen }));
            } else if index < control.limit() as usize
                || !fault("concurrency_limit: permits over the limit are not counted")
            {
                held += 1;
            }
        }
        match free {
            Some(free) if held < control.limit() => Ok((free, held)),
            _ if self.is_stepped(control, now) => Err(Refused::clock_stepped(Stage::ConcurrencyLimit)),
            _ => Err(Refused::not_yet(Stage::ConcurrencyLimit, None)),
        }
    }

    /// Whether something is held, and all of it ends further ahead than a lease reaches.
    pub(super) fn is_stepped(&self, control: Control, now: Instant) -> bool {
        let lease_ns = self.settings.lease_ns();
        let held = self.used(control).iter().map(|slot| Stamp(slot.load(Ordering::Relaxed)));
        let mut is_any = false;
        for seen in held.filter(|seen| !seen.is_over(now)) {
            if !seen.is_absurd(now, lease_ns) {
                return false;
            }
            is_any = true;
        }
        // What was held a moment ago may all be free by now: that is no step.
        is_any || fault("concurrency_limit: nothing held is a clock that stepped")
    }

    pub(super) fn try_attempt(&self, now: Instant) -> Result<LimitPermit, Refused> {
        // Lock-free: each turn but the last means that another thread took or freed the slot.
        loop {
            let control = self.control();
            let (Free { slot, index, seen }, held) = self.look(control, now)?;
            // Another tag than the last permit of this slot, modulo 2^12.
            let stamp = Stamp::ending(seen.tag() + 1, now, self.settings.lease_ns());
            let taken = if fault("concurrency_limit: a slot is stored, not exchanged") {
                slot.store(stamp.0, Ordering::Release);
                true
            } else {
                // Acquire: pairs with the release of the slot's last holder.
                let success = ordering(
                    Ordering::Acquire,
                    "concurrency_limit: a slot is taken without looking back",
                    Ordering::Relaxed,
                );
                slot.compare_exchange(seen.0, stamp.0, success, Ordering::Relaxed).is_ok()
            };
            if taken {
                // At most 65,535 are held.
                let in_flight = held + 1;
                return Ok(LimitPermit {
                    started: now,
                    stamp: stamp.0,
                    slot: index as u32,
                    cuts: control.cuts(),
                    is_full: in_flight >= control.limit(),
                    is_half_used: in_flight * 2 >= control.limit(),
                });
            }
        }
    }

    /// Gives the slot back; whether the permit was good.
    pub(super) fn release(&self, permit: LimitPermit) -> bool {
        let Some(slot) = self.slots.get(permit.slot as usize) else { return false };
        let stamp = Stamp(permit.stamp);
        let free = Stamp::none(stamp.tag()).0;
        if fault("concurrency_limit: a void permit frees a slot") {
            slot.store(free, Ordering::Release);
            return true;
        }
        // A permit that never was, all zero, must not free what is free.
        // Release: pairs with the acquire of the slot's next holder.
        !stamp.is_none() && slot.compare_exchange(permit.stamp, free, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// `None` for a permit that was void, else the change, if this report made one.
    pub(super) fn finish(&self, permit: LimitPermit, outcome: Outcome, now: Instant) -> Option<Option<LimitChange>> {
        self.release(permit).then(|| self.judge(permit, outcome, now))
    }

    fn judge(&self, permit: LimitPermit, outcome: Outcome, now: Instant) -> Option<LimitChange> {
        let latency_ns = now.as_nanos().saturating_sub(permit.started.as_nanos());
        let is_slow = latency_ns > self.usual.slow_after_ns(self.settings);
        let sign = match outcome {
            Outcome::Ignored => return None,
            Outcome::Throttled(_) => Sign::Throttled,
            Outcome::Failure if latency_ns >= self.settings.timeout_ns() => Sign::Timeout,
            Outcome::Success | Outcome::Failure if is_slow => Sign::Slow,
            Outcome::Failure => Sign::QuickFailure,
            Outcome::Success => Sign::Good,
        };
        let control = self.control();
        // This call has given its slot back already.
        let ends_full = self.held(control, now) + 1 >= control.limit();
        let (floor, _) = self.settings.bounds();
        if outcome == Outcome::Success && (!permit.is_half_used || control.fixed() <= u64::from(floor) * WHOLE) {
            self.usual.learn(latency_ns, self.settings);
        }
        let is_full = permit.is_full || ends_full;
        let seen = self.note(sign, is_full, ends_full, now);
        let saturated_after = self.settings.saturated_after();
        let is_sign = is_full && seen.is_slow_at(control.limit());
        match sign {
            Sign::Good if permit.is_half_used => self.grow(now),
            Sign::Throttled if is_full => self.cut(permit, LimitReason::Throttled),
            Sign::Timeout if is_sign && !self.usual.is_long(self.settings) => self.cut(permit, LimitReason::Timeout),
            // Some time out while all is well: such a one is a slow reply like others, and half as many of them tell.
            Sign::Timeout if is_sign && seen.row >= saturated_after / 2 => self.cut(permit, LimitReason::Slow),
            Sign::Slow if is_sign && seen.row >= saturated_after => self.cut(permit, LimitReason::Slow),
            Sign::QuickFailure if seen.is_refused => self.cut(permit, LimitReason::Refused),
            _ => None,
        }
    }

    fn note(&self, sign: Sign, is_full: bool, ends_full: bool, now: Instant) -> Seen {
        let saturated_after = self.settings.saturated_after();
        if saturated_after == 0 {
            return Seen::ALL;
        }
        let report = match sign {
            Sign::QuickFailure => Report::QuickFailure,
            Sign::Throttled if is_full => Report::Throttled,
            Sign::Throttled | Sign::Slow | Sign::Timeout => Report::Slow,
            Sign::Good => Report::Good,
        };
        self.pace.note(ends_full, report, saturated_after, self.settings.timeout_ns(), now)
    }

    fn grow(&self, now: Instant) -> Option<LimitChange> {
        let share = if self.pace.is_careful(self.settings.timeout_ns(), now) { CAREFUL } else { 1 };
        self.adjust(LimitReason::Growth, |control, floor, ceiling| {
            let fixed = control.fixed();
            // At least a floor of one whole, so the inverse is at most one whole: under 2^33. Clamped on both
            // sides, so that a move under way while the bounds change is mended by the next good reply.
            let (least, most) = (u64::from(floor) * WHOLE, u64::from(ceiling.max(floor)) * WHOLE);
            // A wide limit that grows with care still grows.
            Some((fixed + (WHOLE * WHOLE / fixed.max(1) / share).max(1)).clamp(least, most))
        })
    }

    fn cut(&self, permit: LimitPermit, reason: LimitReason) -> Option<LimitChange> {
        let factor_ppm = match reason {
            LimitReason::Timeout => self.settings.timeout_factor_ppm(),
            _ => self.settings.slow_factor_ppm(),
        };
        self.adjust(reason, |control, floor, _| {
            let is_new = control.cuts() == permit.cuts || fault("concurrency_limit: every slow call cuts");
            // Under 2^32 x 2^20.
            is_new
                .then(|| (control.fixed() * factor_ppm / 1_000_000).max(u64::from(floor) * WHOLE).min(control.fixed()))
        })
    }

    /// Moves the limit to what `to` makes of the control word, floor and ceiling.
    pub(super) fn adjust(
        &self,
        reason: LimitReason,
        to: impl Fn(Control, u32, u32) -> Option<u64>,
    ) -> Option<LimitChange> {
        let (floor, ceiling) = self.settings.bounds();
        let mut control = self.control();
        // Lock-free: each turn but the last means that another thread moved the limit.
        loop {
            let after = control.with(to(control, floor, ceiling)?);
            if after == control {
                return None;
            }
            match self.control.compare_exchange(control.0, after.0, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    let (from, to) = (control.limit(), after.limit());
                    return (from != to).then_some(LimitChange { from, to, reason });
                }
                Err(seen) => control = Control(seen),
            }
        }
    }

    pub(super) fn reset(&self) {
        self.pace.reset();
        for slot in self.slots {
            let mut seen = slot.load(Ordering::Relaxed);
            while let Err(now_seen) =
                slot.compare_exchange(seen, Stamp::none(Stamp(seen).tag()).0, Ordering::Release, Ordering::Relaxed)
            {
                seen = now_seen;
            }
        }
    }
}
