//! [`WarmUp`]: how a rate climbs after a start.
//!
//! A process that starts with a full outbox must not meet the server at full rate. A warm-up is a
//! schedule, not a limiter: a [`TokenBucket`](crate::TokenBucket) that is given one earns by the
//! schedule's integral, so the ramp needs no timer, no polling and no second atomic.
//!
//! # Limits
//! Defined for every rate, fractions of one a minute included. A `from` over the target counts as the
//! target; a `from` of zero is legal (nothing at first). A duration of zero is no warm-up. The
//! longest duration is [`WarmUp::LONGEST`], a year.
//!
//! # Source
//! Step: the seed project's guide (1/s for 60 s). Exponential: slow start of TCP (RFC 5681, section 3.1),
//! with straight lines between the doublings so that the integral is exact in integers.

use core::time::Duration;

use crate::rate::Rate;
use crate::time::{SECOND, nanos};

/// The shape of a [`WarmUp`].
///
/// ```
/// use core::time::Duration;
/// use seawall::{Curve, Rate, WarmUp};
/// assert_eq!(WarmUp::linear(Rate::ZERO, Duration::from_secs(9)).curve, Curve::Linear);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Curve {
    /// The first rate all the time, then the target at once.
    Step = 0,
    /// A straight line from the first rate to the target.
    Linear = 1,
    /// The rate doubles in equal spans until it meets the target; straight lines in between.
    Exponential = 2,
}

impl Curve {
    pub(crate) const fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::Step,
            1 => Self::Linear,
            _ => Self::Exponential,
        }
    }
}

/// A schedule by which a rate climbs from `from` to its target within `duration`.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Rate, WarmUp};
///
/// let warm_up = WarmUp::linear(Rate::per_second(0), Duration::from_secs(10));
/// let target = Rate::per_second(100);
/// assert_eq!(warm_up.rate_at(Duration::from_secs(5), target), Rate::per_second(50));
/// assert_eq!(warm_up.earned(Duration::from_secs(10), target), 500);
/// assert_eq!(warm_up.earned(Duration::from_secs(11), target), 600);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// The shape.
    pub curve: Curve,
    /// The rate at the start; over the target it counts as the target.
    pub from: Rate,
    /// How long it takes, at most [`LONGEST`](Self::LONGEST) where it is used; zero is no warm-up.
    pub duration: Duration,
}

impl WarmUp {
    /// No warm-up: the target from the first instant.
    pub const NONE: Self = Self::step(Rate::ZERO, Duration::ZERO);
    /// The guide's: one a second for a minute.
    pub const GUIDE: Self = Self::step(Rate::per_second(1), Duration::from_secs(60));
    /// The longest duration, a year of 365 days; longer ones are refused where they are used.
    pub const LONGEST: Duration = Duration::from_secs(365 * 86_400);

    /// `from` for `duration`, then the target.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Rate, WarmUp};
    /// assert_eq!(WarmUp::step(Rate::per_second(1), Duration::from_secs(60)), WarmUp::GUIDE);
    /// ```
    #[must_use]
    pub const fn step(from: Rate, duration: Duration) -> Self {
        Self { curve: Curve::Step, from, duration }
    }

    /// A straight line from `from` to the target.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Rate, WarmUp};
    /// let ramp = WarmUp::linear(Rate::per_second(2), Duration::from_secs(4));
    /// assert_eq!(ramp.rate_at(Duration::from_secs(2), Rate::per_second(6)), Rate::per_second(4));
    /// ```
    #[must_use]
    pub const fn linear(from: Rate, duration: Duration) -> Self {
        Self { curve: Curve::Linear, from, duration }
    }

    /// Doublings from `from` to the target.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Rate, WarmUp};
    /// let ramp = WarmUp::exponential(Rate::per_second(1), Duration::from_secs(3));
    /// let target = Rate::per_second(8);
    /// assert_eq!(ramp.rate_at(Duration::from_secs(2), target), Rate::per_second(4));
    /// ```
    #[must_use]
    pub const fn exponential(from: Rate, duration: Duration) -> Self {
        Self { curve: Curve::Exponential, from, duration }
    }

    /// Whether it does nothing.
    ///
    /// ```
    /// assert!(seawall::WarmUp::NONE.is_none());
    /// ```
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.duration.is_zero()
    }

    /// The rate `elapsed` after the start, right to a millionth of one a second. Complexity: at most 64 steps.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Rate, WarmUp};
    /// assert_eq!(WarmUp::GUIDE.rate_at(Duration::from_secs(59), Rate::per_second(10)), Rate::per_second(1));
    /// assert_eq!(WarmUp::GUIDE.rate_at(Duration::from_secs(60), Rate::per_second(10)), Rate::per_second(10));
    /// ```
    #[must_use]
    pub const fn rate_at(&self, elapsed: Duration, target: Rate) -> Rate {
        if nanos(elapsed) >= nanos(self.duration) {
            return target;
        }
        let per_million_seconds = self.ramp(target).speed_at(nanos(elapsed));
        match Rate::new(per_million_seconds, MILLION_SECONDS) {
            Ok(rate) => rate,
            Err(_) => target,
        }
    }

    /// How many are earned in the first `elapsed`, rounded down; saturates at `u64::MAX`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Rate, WarmUp};
    /// assert_eq!(WarmUp::GUIDE.earned(Duration::from_secs(61), Rate::per_second(10)), 70);
    /// ```
    #[must_use]
    pub const fn earned(&self, elapsed: Duration, target: Rate) -> u64 {
        let (elapsed, duration) = (nanos(elapsed), nanos(self.duration));
        let ramp = self.ramp(target);
        let within = ramp.area(if elapsed < duration { elapsed } else { duration });
        let after = ramp.to as u128 * elapsed.saturating_sub(duration) as u128;
        let earned = within.saturating_add(after) / (MILLION_SECONDS.as_nanos());
        if earned > u64::MAX as u128 { u64::MAX } else { earned as u64 }
    }

    /// The ramp in counts per million seconds.
    const fn ramp(&self, target: Rate) -> Ramp {
        let to = target.count_in(MILLION_SECONDS);
        let from = self.from.count_in(MILLION_SECONDS);
        Ramp { curve: self.curve, from: if from > to { to } else { from }, to, duration: nanos(self.duration) }
    }
}

const MILLION_SECONDS: Duration = Duration::from_nanos(1_000_000 * SECOND);

/// A warm-up in numbers: speeds on any one scale, `from <= to`, the duration in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    pub(crate) curve: Curve,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) duration: u64,
}

/// A straight piece of a ramp.
struct Piece {
    from: u64,
    to: u64,
    duration: u64,
}

impl Piece {
    /// The speed after `elapsed`, at most `duration`.
    const fn speed_at(&self, elapsed: u64) -> u64 {
        if self.duration == 0 {
            return self.to;
        }
        // The quotient is at most `to - from`.
        self.from + ((self.to - self.from) as u128 * elapsed as u128 / self.duration as u128) as u64
    }

    /// The integral of the speed over the first `elapsed`, at most `duration`; rounded down.
    const fn area(&self, elapsed: u64) -> u128 {
        if self.duration == 0 {
            return 0;
        }
        // (to - from) * elapsed^2 / (2 * duration), in the order that fits: the quotient is at most (to - from) / 2.
        let climb = (self.to - self.from) as u128 * elapsed as u128 / (2 * self.duration as u128);
        self.from as u128 * elapsed as u128 + climb * elapsed as u128
    }
}

impl Ramp {
    /// How many doublings there are: at least 1, and 64 from a speed of zero.
    const fn doublings(&self) -> u64 {
        let mut doublings = 1;
        while doublings < 64 && (self.from as u128) << doublings < self.to as u128 {
            doublings += 1;
        }
        doublings
    }

    /// The straight piece in which `elapsed` lies, where that piece starts, and the area before it.
    const fn piece_at(&self, elapsed: u64) -> (Piece, u64, u128) {
        match self.curve {
            Curve::Step => (Piece { from: self.from, to: self.from, duration: self.duration }, 0, 0),
            Curve::Linear => (Piece { from: self.from, to: self.to, duration: self.duration }, 0, 0),
            Curve::Exponential => {
                let doublings = self.doublings();
                let span = self.duration / doublings;
                let (mut start, mut before, mut index) = (0, 0, 0);
                loop {
                    let last = index + 1 == doublings;
                    let piece = Piece {
                        from: self.doubled(index),
                        to: if last { self.to } else { self.doubled(index + 1) },
                        duration: if last { self.duration - start } else { span },
                    };
                    if last || elapsed - start < piece.duration {
                        return (piece, start, before);
                    }
                    before += piece.area(piece.duration);
                    start += piece.duration;
                    index += 1;
                }
            }
        }
    }

    /// `from` doubled `times` times, at most `to`. A `from` of zero doubles from the smallest speed there is.
    const fn doubled(&self, times: u64) -> u64 {
        let from = if self.from == 0 && times > 0 { 1 } else { self.from as u128 };
        // Below 2^128, as `times` is at most 63.
        let speed = from << times;
        if speed > self.to as u128 { self.to } else { speed as u64 }
    }

    /// The speed after `elapsed`.
    pub(crate) const fn speed_at(&self, elapsed: u64) -> u64 {
        if elapsed >= self.duration {
            return self.to;
        }
        let (piece, start, _) = self.piece_at(elapsed);
        piece.speed_at(elapsed - start)
    }

    /// The integral of the speed over the first `elapsed`, at most `duration`. Durations are at most a year (2^55 ns),
    /// so the area fits 2^119.
    pub(crate) const fn area(&self, elapsed: u64) -> u128 {
        let elapsed = if elapsed > self.duration { self.duration } else { elapsed };
        let (piece, start, before) = self.piece_at(elapsed);
        before + piece.area(elapsed - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_the_sum_of_the_speeds() {
        for curve in [Curve::Step, Curve::Linear, Curve::Exponential] {
            for (from, to, duration) in [(0, 1_000, 100), (3, 1_000, 97), (1_000, 1_000, 10), (0, 0, 10), (1, 2, 3)] {
                let ramp = Ramp { curve, from, to, duration };
                let (mut low, mut high) = (0_u128, 0_u128);
                for t in 0..duration {
                    low += ramp.speed_at(t) as u128;
                    high += if curve == Curve::Step { ramp.from } else { ramp.speed_at(t + 1) } as u128;
                    let area = ramp.area(t + 1);
                    // Speeds and pieces round down by under one a nanosecond.
                    let rounding = duration as u128 + 64;
                    assert!(low <= area + rounding && area <= high + rounding, "{ramp:?} at {t}: {low} {area} {high}");
                }
            }
        }
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        let year = nanos(WarmUp::LONGEST);
        for curve in [Curve::Step, Curve::Linear, Curve::Exponential] {
            for (from, to) in [(0, u64::MAX), (u64::MAX, u64::MAX), (1, u64::MAX), (0, 0)] {
                let ramp = Ramp { curve, from, to, duration: year };
                assert!(ramp.area(u64::MAX) <= to as u128 * year as u128);
                assert_eq!(ramp.speed_at(u64::MAX), to);
            }
            let none = Ramp { curve, from: 0, to: 5, duration: 0 };
            assert_eq!((none.area(3), none.speed_at(0)), (0, 5));
            let short = Ramp { curve, from: 0, to: 1 << 60, duration: 3 };
            assert!(short.area(2) <= short.area(3));
        }
        assert_eq!(WarmUp::linear(Rate::ZERO, Duration::MAX).rate_at(Duration::ZERO, Rate::per_second(5)), Rate::ZERO);
    }
}
