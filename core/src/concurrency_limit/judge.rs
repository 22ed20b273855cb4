//! What a report makes of the limit.

use crate::concurrency_limit::config::Terms;
use crate::concurrency_limit::control::{Control, WHOLE};
use crate::concurrency_limit::pace::{Report, Seen};
use crate::concurrency_limit::permit::{LimitChange, LimitPermit, LimitReason};
use crate::concurrency_limit::view::ConcurrencyLimitView;
use crate::outcome::Outcome;
use crate::sync::{Ordering, fault};
use crate::time::Instant;

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

impl Sign {
    const fn needs_full(self) -> bool {
        matches!(self, Self::Slow | Self::Timeout | Self::Throttled)
    }
}

impl ConcurrencyLimitView {
    #[inline]
    pub(super) fn control(&self) -> Control {
        Control(self.control.load(Ordering::Relaxed))
    }

    /// The quick way of a success: quick itself, it finds room and no row, and does not make the limit grow; at most it
    /// teaches. `false` where more is to be looked at; then nothing was done.
    #[inline(always)]
    pub(super) fn succeed_at_once(&self, permit: &LimitPermit, now: Instant) -> bool {
        let latency_ns = now.as_nanos().saturating_sub(permit.started.as_nanos());
        let (control, terms) = (self.control(), self.settings.terms());
        if latency_ns > self.settings.slow_after_ns()
            || terms.saturated_after() != 0 && !(self.pace.is_at_rest() && self.has_room(control, now))
        {
            return false;
        }
        if permit.is_half_used {
            // At its ceiling it cannot grow; at its floor it learns.
            return control.fixed() == terms.most() && control.fixed() > terms.least();
        }
        if !self.usual.is_settled(permit.turn()) {
            self.usual.learn(latency_ns, permit.turn(), &self.settings);
        }
        true
    }

    /// What the report of a permit that was good makes of the limit.
    #[inline(never)]
    pub(super) fn judge(&self, permit: &LimitPermit, outcome: Outcome, now: Instant) -> Option<LimitChange> {
        let latency_ns = now.as_nanos().saturating_sub(permit.started.as_nanos());
        let sign = match outcome {
            Outcome::Ignored => return None,
            Outcome::Throttled(_) => Sign::Throttled,
            Outcome::Failure if latency_ns >= self.settings.timeout_ns() => Sign::Timeout,
            Outcome::Success | Outcome::Failure if self.usual.is_slow(latency_ns, &self.settings) => Sign::Slow,
            Outcome::Failure => Sign::QuickFailure,
            Outcome::Success => Sign::Good,
        };
        let (control, terms) = (self.control(), self.settings.terms());
        if outcome == Outcome::Success && (!permit.is_half_used || control.fixed() <= terms.least()) {
            self.usual.learn(latency_ns, permit.turn(), &self.settings);
        }
        let saturated_after = terms.saturated_after();
        // Where no row is counted, it matters only to what a full limit is needed for. This call has given its slot back.
        let ends_full =
            (saturated_after != 0 || !permit.is_full && sign.needs_full()) && self.is_nearly_full(control, now);
        let is_full = permit.is_full || ends_full;
        let seen = self.note(sign, is_full, ends_full, terms, now);
        let is_sign = is_full && seen.is_slow_at(control.limit());
        match sign {
            // At its ceiling it cannot.
            Sign::Good if permit.is_half_used && control.fixed() != terms.most() => self.grow(now),
            Sign::Throttled if is_full => self.cut(permit, LimitReason::Throttled),
            Sign::Timeout if is_sign && !self.usual.is_long(&self.settings) => self.cut(permit, LimitReason::Timeout),
            // Some time out while all is well: such a one is a slow reply like others, and half as many of them tell.
            Sign::Timeout if is_sign && seen.row >= saturated_after / 2 => self.cut(permit, LimitReason::Slow),
            Sign::Slow if is_sign && seen.row >= saturated_after => self.cut(permit, LimitReason::Slow),
            Sign::QuickFailure if seen.is_refused => self.cut(permit, LimitReason::Refused),
            _ => None,
        }
    }

    fn note(&self, sign: Sign, is_full: bool, ends_full: bool, terms: Terms, now: Instant) -> Seen {
        if terms.saturated_after() == 0 {
            return Seen::ALL;
        }
        let report = match sign {
            Sign::QuickFailure => Report::QuickFailure,
            Sign::Throttled if is_full => Report::Throttled,
            Sign::Throttled | Sign::Slow | Sign::Timeout => Report::Slow,
            Sign::Good => Report::Good,
        };
        self.pace.note(ends_full, report, terms.saturated_after(), self.settings.timeout_ns(), now)
    }

    fn grow(&self, now: Instant) -> Option<LimitChange> {
        let share = if self.pace.is_careful(self.settings.timeout_ns(), now) { CAREFUL } else { 1 };
        self.adjust(LimitReason::Growth, |control, terms| {
            let fixed = control.fixed();
            // At least a floor of one whole, so the inverse is at most one whole: under 2^33. Clamped on both
            // sides, so that a move under way while the bounds change is mended by the next good reply.
            // A wide limit that grows with care still grows.
            Some((fixed + (WHOLE * WHOLE / fixed.max(1) / share).max(1)).clamp(terms.least(), terms.most()))
        })
    }

    fn cut(&self, permit: &LimitPermit, reason: LimitReason) -> Option<LimitChange> {
        let factor_ppm = match reason {
            LimitReason::Timeout => self.settings.timeout_factor_ppm(),
            _ => self.settings.slow_factor_ppm(),
        };
        self.adjust(reason, |control, terms| {
            let is_new = control.cuts() == permit.cuts || fault("concurrency_limit: every slow call cuts");
            // Under 2^32 x 2^20.
            is_new.then(|| (control.fixed() * factor_ppm / 1_000_000).max(terms.least()).min(control.fixed()))
        })
    }

    /// Moves the limit to what `to` makes of the control word and the terms.
    pub(super) fn adjust(
        &self,
        reason: LimitReason,
        to: impl Fn(Control, Terms) -> Option<u64>,
    ) -> Option<LimitChange> {
        let terms = self.settings.terms();
        let mut control = self.control();
        // Lock-free: each turn but the last means that another thread moved the limit.
        loop {
            let after = control.with(to(control, terms)?);
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
}
