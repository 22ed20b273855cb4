//! One configuration of a bucket: [`Settings`].

use crate::fixed_point::Speed;
use crate::rate::Rate;
use crate::token_bucket::config::BucketConfigError;
use crate::token_bucket::growth::Growth;
use crate::warm_up::{Curve, Ramp, WarmUp};

/// Positions above a new configuration's floor that refunds may use.
const ROOM: u64 = 1 << 30;
const LONGEST: u64 = crate::time::nanos(WarmUp::LONGEST);

/// More units than ever are owed: what is owed is at most `u32::MAX` tokens, and its unit is chosen by that.
const MOST_OWED: i128 = 1 << 33;

/// Where a configuration begins to count: over all that was, with room below for refunds.
const fn first_position(floor: u64, burst_units: u64) -> u64 {
    floor.saturating_add(if burst_units < ROOM { burst_units } else { ROOM })
}

/// One configuration as numbers: how the level grows, and what only a change, a refund or a warm-up asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) growth: Growth,
    /// The lowest position that a refund may reach.
    pub(super) floor: u64,
    pub(super) ramp_start: u64,
    pub(super) ramp_end: u64,
    /// The speed at the start of the ramp, on the scale of `mantissa`.
    pub(super) ramp_from: u64,
    pub(super) count: u64,
    pub(super) period_ns: u64,
    /// The state after what was taken last before this configuration: who booked that is the newest until more is taken.
    pub(super) newest: u64,
}

/// A warm-up that is under way, freed of the scale of its configuration.
#[derive(Clone, Copy)]
pub(super) struct Climb {
    curve: Curve,
    from: ClimbFrom,
    duration: u64,
}

#[derive(Clone, Copy)]
enum ClimbFrom {
    Rate(Rate),
    /// A mantissa, its shift and its unit exponent.
    Speed(u64, u32, u32),
}

impl Climb {
    pub(super) const fn of(warm_up: WarmUp) -> Self {
        Self {
            curve: warm_up.curve,
            from: ClimbFrom::Rate(warm_up.from),
            duration: crate::time::nanos(warm_up.duration),
        }
    }
}

/// The largest k that keeps a unit at 16 ns of refill or more and the burst below 2^26 units, but at least 0.
const fn unit_exponent(rate: Rate, burst: u32) -> u32 {
    let mut k = 26_u32.saturating_sub(u32::BITS - (burst - 1).leading_zeros());
    if burst == 1 {
        k = 26;
    }
    while k > 0 && ((rate.count() as u128) << (k + 4)) > rate.period_ns() as u128 {
        k -= 1;
    }
    k
}

impl Settings {
    /// A configuration that begins at `now` with `tokens` on hand and positions over `above`, and its first position.
    pub(super) const fn beginning(
        rate: Rate,
        burst: u32,
        tokens: Balance,
        above: u64,
        now: u64,
        climb: Climb,
    ) -> (Self, u64) {
        let owed = tokens.owed();
        let k = unit_exponent(rate, if owed > burst { owed } else { burst });
        // Fits: `count << k` is at most the period, by the check of the rate and by `unit_exponent`.
        let speed = Speed::new(rate.count() << k, rate.period_ns());
        let burst_units = (burst as u64) << k;
        let floor = above.saturating_add(1);
        let position = first_position(floor, burst_units);
        let (balance_units, fraction) = tokens.in_units(k, burst_units);
        let ramp = Ramp {
            curve: climb.curve,
            from: match climb.from {
                ClimbFrom::Rate(from) => speed.mantissa_of_rate(from, k),
                ClimbFrom::Speed(mantissa, shift, exponent) => {
                    rescaled(mantissa, speed.shift as i32 - shift as i32 + k as i32 - exponent as i32, speed.mantissa)
                }
            },
            to: speed.mantissa,
            duration: if speed.mantissa == 0 { 0 } else { climb.duration },
        };
        let end = now.saturating_add(ramp.duration);
        // The part of a unit, and what the whole ramp earns: at most 2^127 and 2^119.
        let area = ((fraction as u128) << speed.shift) + ramp.area(ramp.duration);
        let whole = speed.whole(area);
        let part = area - ((whole as u128) << speed.shift << 64);
        // Keep what is left of a unit by beginning a little earlier, to the nanosecond, and the rest as a remainder.
        let (earlier, remainder) = if speed.mantissa == 0 {
            (0, part as u64)
        } else {
            ((part / speed.mantissa as u128) as u64, (part % speed.mantissa as u128) as u64)
        };
        let level = (position as i64).saturating_add(balance_units).saturating_add_unsigned(whole) as u64;
        let settings = Self {
            growth: Growth {
                base: end.saturating_sub(earlier),
                mantissa: speed.mantissa,
                remainder,
                level,
                burst,
                shape: Growth::shape(k, speed.shift, climb.curve, ramp.duration > 0),
            },
            floor,
            ramp_start: now,
            ramp_end: end,
            ramp_from: ramp.from,
            count: rate.count(),
            period_ns: rate.period_ns(),
            newest: 0,
        };
        (settings, position)
    }

    pub(super) const fn check(rate: Rate, burst: u32, warm_up: WarmUp) -> Result<(), BucketConfigError> {
        if burst == 0 {
            return Err(BucketConfigError::ZeroBurst);
        }
        if rate.count() > rate.period_ns() {
            return Err(BucketConfigError::RateTooFast);
        }
        if warm_up.duration.as_nanos() > WarmUp::LONGEST.as_nanos() {
            return Err(BucketConfigError::WarmUpTooLong);
        }
        Ok(())
    }

    pub(super) fn rate(&self) -> Rate {
        Rate::new(self.count, core::time::Duration::from_nanos(self.period_ns)).unwrap_or(Rate::ZERO)
    }

    /// When this configuration began.
    pub(super) const fn began(&self) -> u64 {
        self.ramp_start
    }

    /// The level at `now` and the part of a unit above it, on the scale of the speed.
    fn exact(&self, now: u64) -> (u64, u128) {
        let speed = self.growth.speed();
        if let Some(since) = now.checked_sub(self.growth.base) {
            let area = self.growth.area(since);
            let whole = speed.whole(area);
            return (self.growth.level.saturating_add(whole), area - ((whole as u128) << speed.shift << 64));
        }
        if !self.growth.is_ramped() || self.ramp_start >= self.ramp_end {
            return (self.growth.level, 0);
        }
        let ramp = self.ramp();
        let elapsed = now.saturating_sub(self.ramp_start).min(ramp.duration);
        let at_end = self.growth.area(self.ramp_end.saturating_sub(self.growth.base));
        let to_come = ramp.area(ramp.duration).saturating_sub(ramp.area(elapsed));
        if at_end >= to_come {
            let area = at_end - to_come;
            let whole = speed.whole(area);
            return (self.growth.level.saturating_add(whole), area - ((whole as u128) << speed.shift << 64));
        }
        let below = to_come - at_end;
        let unit = 1_u128 << 64 << speed.shift;
        // `below` is at most 2^119.
        let whole = below.div_ceil(unit);
        (self.growth.level.saturating_sub(whole as u64), whole * unit - below)
    }

    const fn ramp(&self) -> Ramp {
        // Words read while a setter writes the slot may not belong together. The state tells, later; until then the
        // bounds keep the arithmetic whole.
        let duration = self.ramp_end.saturating_sub(self.ramp_start);
        Ramp {
            curve: self.growth.curve(),
            from: if self.ramp_from > self.growth.mantissa { self.growth.mantissa } else { self.ramp_from },
            to: self.growth.mantissa,
            duration: if duration > LONGEST { LONGEST } else { duration },
        }
    }

    /// The whole units earned by `now`, above the position's zero.
    pub(super) fn level_at(&self, now: u64) -> u64 {
        self.growth.level_at(now).unwrap_or_else(|| self.exact(now).0)
    }

    /// The position at which this configuration began.
    pub(super) const fn first_position(&self) -> u64 {
        first_position(self.floor, self.growth.burst_units())
    }

    /// The most that may be owed in order, in units: a burst, or what was owed when this configuration began.
    pub(super) fn most_owed(&self) -> u64 {
        self.growth.burst_units().max(self.first_position().saturating_sub(self.exact(self.ramp_start).0))
    }

    /// What the bucket holds at `now` when its position is `position`.
    pub(super) fn balance(&self, position: u64, now: u64) -> Balance {
        let (level, part) = self.exact(now);
        let units = (level as i128 - position as i128).clamp(-MOST_OWED, self.growth.burst_units() as i128);
        // At most 2^33 units, so 2^97; a full bucket holds no fraction more.
        let fraction =
            if units == self.growth.burst_units() as i128 { 0 } else { self.growth.speed().fraction(part) as i128 };
        Balance { units: (units << 64) + fraction, exponent: self.growth.unit_exponent() }
    }

    /// What is left of the warm-up at `now`.
    pub(super) fn climb(&self, now: u64) -> Climb {
        let ramp = self.ramp();
        let elapsed = now.saturating_sub(self.ramp_start).min(ramp.duration);
        Climb {
            curve: ramp.curve,
            from: ClimbFrom::Speed(
                if matches!(ramp.curve, Curve::Step) { ramp.from } else { ramp.speed_at(elapsed) },
                self.growth.speed().shift,
                self.growth.unit_exponent(),
            ),
            duration: ramp.duration - elapsed,
        }
    }

    /// Nanoseconds from `now` until the level is `target`; `u64::MAX` where that never comes.
    pub(super) fn nanos_until(&self, now: u64, target: u64) -> u64 {
        let steady = self.growth.base.max(self.ramp_end);
        if now < self.growth.base && self.level_at(steady) >= target {
            // Within the ramp the level only climbs: halve the span, at most 64 times.
            let (mut early, mut late) = (now, steady);
            while early < late {
                let middle = early + (late - early) / 2;
                if self.level_at(middle) >= target {
                    late = middle;
                } else {
                    early = middle + 1;
                }
            }
            return early - now;
        }
        let from = if now < self.growth.base { steady } else { now };
        let area = self.growth.area(from.saturating_sub(self.growth.base));
        match self.growth.speed().nanos_until(area, target.saturating_sub(self.growth.level)) {
            Some(nanos) => nanos.saturating_add(from - now),
            None => u64::MAX,
        }
    }
}

/// Tokens on hand, below zero where they are owed: units of 2^-64 x 2^-exponent tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Balance {
    units: i128,
    exponent: u32,
}

impl Balance {
    pub(super) const fn of_tokens(tokens: u32) -> Self {
        Self { units: (tokens as i128) << 64, exponent: 0 }
    }

    /// Nothing owed: only ever a fault.
    pub(super) fn forgiven(self) -> Self {
        Self { units: self.units.max(0), ..self }
    }

    /// The tokens owed, rounded up.
    const fn owed(self) -> u32 {
        if self.units >= 0 {
            return 0;
        }
        // At most 2^33 units, so at most 2^33 tokens.
        let tokens = (self.units.unsigned_abs() >> 64 >> self.exponent) + 1;
        if tokens > u32::MAX as u128 { u32::MAX } else { tokens as u32 }
    }

    /// Whole units of 2^-k tokens, at most a burst, and the fraction above in units of 2^-64.
    const fn in_units(self, k: u32, burst_units: u64) -> (i64, u64) {
        // At most 2^97 before and 2^123 after the shift.
        let scaled =
            if k >= self.exponent { self.units << (k - self.exponent) } else { self.units >> (self.exponent - k) };
        let most = (burst_units as i128) << 64;
        let bounded = if scaled > most { most } else { scaled };
        ((bounded >> 64) as i64, bounded as u64)
    }
}

impl Speed {
    /// `rate` in units of 2^-k tokens on the scale of `self`, at most `self`.
    const fn mantissa_of_rate(self, rate: Rate, k: u32) -> u64 {
        if (rate.count() as u128) << k >= rate.period_ns() as u128 {
            return self.mantissa;
        }
        self.mantissa_of(rate.count() << k, rate.period_ns())
    }
}

/// `mantissa` times 2^`up`, rounded up, at most `most`.
const fn rescaled(mantissa: u64, up: i32, most: u64) -> u64 {
    if mantissa == 0 {
        return 0;
    }
    if up <= 0 {
        let scaled = if up < -63 { 1 } else { ((mantissa as u128 + (1 << -up) - 1) >> -up) as u64 };
        return if scaled > most { most } else { scaled };
    }
    if up as u32 > mantissa.leading_zeros() {
        return most;
    }
    let scaled = mantissa << up;
    if scaled > most { most } else { scaled }
}
