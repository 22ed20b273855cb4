//! What one configuration of a bucket earns: [`Settings`], and the [`Slot`] that holds one.

use crate::fixed_point::Speed;
use crate::rate::Rate;
use crate::sync::{AtomicU64, Ordering, const_constructor};
use crate::token_bucket::config::BucketConfigError;
use crate::warm_up::{Curve, Ramp, WarmUp};

/// Positions above a new configuration's floor that refunds may use.
const ROOM: u64 = 1 << 30;
const LONGEST: u64 = crate::time::nanos(WarmUp::LONGEST);

/// One configuration as numbers. A unit is 2^-k tokens; the level is what has been earned since the
/// configuration began, on the same scale as the bucket's position.
///
/// From `base` on, `level(now) = level + ((now - base) * mantissa + remainder) / 2^(64 + shift)`, rounded down.
/// Before `base` a warm-up is under way, or no time has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    base: u64,
    mantissa: u64,
    remainder: u64,
    level: u64,
    /// Bits 0 to 31 burst, 32 to 37 k, 40 to 45 shift, 48 to 49 curve.
    shape: u64,
    /// The lowest position that a refund may reach.
    floor: u64,
    ramp_start: u64,
    ramp_end: u64,
    /// The speed at the start of the ramp, on the scale of `mantissa`.
    ramp_from: u64,
    count: u64,
    period_ns: u64,
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
        let k = unit_exponent(rate, burst);
        // Fits: `count << k` is at most the period, by the check of the rate and by `unit_exponent`.
        let speed = Speed::new(rate.count() << k, rate.period_ns());
        let burst_units = (burst as u64) << k;
        let floor = above.saturating_add(1);
        let position = floor.saturating_add(if burst_units < ROOM { burst_units } else { ROOM });
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
            base: end.saturating_sub(earlier),
            mantissa: speed.mantissa,
            remainder,
            level,
            shape: burst as u64 | (k as u64) << 32 | (speed.shift as u64) << 40 | (climb.curve as u64) << 48,
            floor,
            ramp_start: now,
            ramp_end: end,
            ramp_from: ramp.from,
            count: rate.count(),
            period_ns: rate.period_ns(),
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

    pub(super) const fn burst(&self) -> u32 {
        self.shape as u32
    }

    pub(super) const fn unit_exponent(&self) -> u32 {
        (self.shape >> 32) as u32 & 0x3F
    }

    pub(super) const fn burst_units(&self) -> u64 {
        (self.burst() as u64) << self.unit_exponent()
    }

    const fn speed(&self) -> Speed {
        Speed { mantissa: self.mantissa, shift: (self.shape >> 40) as u32 & 0x3F }
    }

    pub(super) fn rate(&self) -> Rate {
        Rate::new(self.count, core::time::Duration::from_nanos(self.period_ns)).unwrap_or(Rate::ZERO)
    }

    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    /// When this configuration began.
    pub(super) const fn began(&self) -> u64 {
        self.ramp_start
    }

    /// What has grown since `base`, on the scale of the speed; `now` is at or after `base`.
    const fn area(&self, since: u64) -> u128 {
        // (2^64 - 1)^2 + 2^64 - 1 fits.
        since as u128 * self.mantissa as u128 + self.remainder as u128
    }

    /// The level at `now` and the part of a unit above it, on the scale of the speed.
    fn exact(&self, now: u64) -> (u64, u128) {
        let speed = self.speed();
        if let Some(since) = now.checked_sub(self.base) {
            let area = self.area(since);
            let whole = speed.whole(area);
            return (self.level.saturating_add(whole), area - ((whole as u128) << speed.shift << 64));
        }
        if self.ramp_start >= self.ramp_end {
            return (self.level, 0);
        }
        let ramp = self.ramp();
        let elapsed = now.saturating_sub(self.ramp_start).min(ramp.duration);
        let at_end = self.area(self.ramp_end.saturating_sub(self.base));
        let to_come = ramp.area(ramp.duration).saturating_sub(ramp.area(elapsed));
        if at_end >= to_come {
            let area = at_end - to_come;
            let whole = speed.whole(area);
            return (self.level.saturating_add(whole), area - ((whole as u128) << speed.shift << 64));
        }
        let below = to_come - at_end;
        let unit = 1_u128 << 64 << speed.shift;
        // `below` is at most 2^119.
        let whole = below.div_ceil(unit);
        (self.level.saturating_sub(whole as u64), whole * unit - below)
    }

    const fn ramp(&self) -> Ramp {
        // Words read while a setter writes the slot may not belong together. The state tells, later; until then the
        // bounds keep the arithmetic whole.
        let duration = self.ramp_end.saturating_sub(self.ramp_start);
        Ramp {
            curve: Curve::from_bits(self.shape >> 48 & 3),
            from: if self.ramp_from > self.mantissa { self.mantissa } else { self.ramp_from },
            to: self.mantissa,
            duration: if duration > LONGEST { LONGEST } else { duration },
        }
    }

    /// The whole units earned by `now`, above the position's zero.
    #[inline]
    pub(super) fn level_at(&self, now: u64) -> u64 {
        match now.checked_sub(self.base) {
            Some(since) => self.level.saturating_add(self.speed().whole(self.area(since))),
            None => self.exact(now).0,
        }
    }

    /// What the bucket holds at `now` when its position is `position`.
    pub(super) fn balance(&self, position: u64, now: u64) -> Balance {
        let (level, part) = self.exact(now);
        let units = (level as i128 - position as i128).clamp(-(self.burst_units() as i128), self.burst_units() as i128);
        // At most 2^34 units, so 2^98; a full bucket holds no fraction more.
        let fraction = if units == self.burst_units() as i128 { 0 } else { self.speed().fraction(part) as i128 };
        Balance { units: (units << 64) + fraction, exponent: self.unit_exponent() }
    }

    /// What is left of the warm-up at `now`.
    pub(super) fn climb(&self, now: u64) -> Climb {
        let ramp = self.ramp();
        let elapsed = now.saturating_sub(self.ramp_start).min(ramp.duration);
        Climb {
            curve: ramp.curve,
            from: ClimbFrom::Speed(
                if matches!(ramp.curve, Curve::Step) { ramp.from } else { ramp.speed_at(elapsed) },
                self.speed().shift,
                self.unit_exponent(),
            ),
            duration: ramp.duration - elapsed,
        }
    }

    /// Nanoseconds from `now` until the level is `target`; `u64::MAX` where that never comes.
    pub(super) fn nanos_until(&self, now: u64, target: u64) -> u64 {
        let steady = self.base.max(self.ramp_end);
        if now < self.base && self.level_at(steady) >= target {
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
        let from = if now < self.base { steady } else { now };
        let area = self.area(from.saturating_sub(self.base));
        match self.speed().nanos_until(area, target.saturating_sub(self.level)) {
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

    /// Whole units of 2^-k tokens, within a burst on either side, and the fraction above in units of 2^-64.
    const fn in_units(self, k: u32, burst_units: u64) -> (i64, u64) {
        // At most 2^98 before and 2^124 after the shift.
        let scaled =
            if k >= self.exponent { self.units << (k - self.exponent) } else { self.units >> (self.exponent - k) };
        let most = (burst_units as i128) << 64;
        let bounded = if scaled > most {
            most
        } else if scaled < -most {
            -most
        } else {
            scaled
        };
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

/// Shared memory for one configuration.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slot {
    base: AtomicU64,
    mantissa: AtomicU64,
    remainder: AtomicU64,
    level: AtomicU64,
    shape: AtomicU64,
    floor: AtomicU64,
    ramp_start: AtomicU64,
    ramp_end: AtomicU64,
    ramp_from: AtomicU64,
    count: AtomicU64,
    period_ns: AtomicU64,
    /// 1 while a setter owns the slot.
    claim: AtomicU64,
}

impl Slot {
    const_constructor! {
        pub(super) fn new(settings: Settings) -> Self {
            Self {
                base: AtomicU64::new(settings.base),
                mantissa: AtomicU64::new(settings.mantissa),
                remainder: AtomicU64::new(settings.remainder),
                level: AtomicU64::new(settings.level),
                shape: AtomicU64::new(settings.shape),
                floor: AtomicU64::new(settings.floor),
                ramp_start: AtomicU64::new(settings.ramp_start),
                ramp_end: AtomicU64::new(settings.ramp_end),
                ramp_from: AtomicU64::new(settings.ramp_from),
                count: AtomicU64::new(settings.count),
                period_ns: AtomicU64::new(settings.period_ns),
                claim: AtomicU64::new(0),
            }
        }
    }

    /// The words of the slot: of one configuration only where the caller sees the same state before and after.
    ///
    /// Acquire: whoever reads a word of a later configuration also sees that the state has moved on.
    #[inline]
    pub(super) fn read(&self) -> Settings {
        Settings {
            base: self.base.load(Ordering::Acquire),
            mantissa: self.mantissa.load(Ordering::Acquire),
            remainder: self.remainder.load(Ordering::Acquire),
            level: self.level.load(Ordering::Acquire),
            shape: self.shape.load(Ordering::Acquire),
            floor: self.floor.load(Ordering::Acquire),
            ramp_start: self.ramp_start.load(Ordering::Acquire),
            ramp_end: self.ramp_end.load(Ordering::Acquire),
            ramp_from: self.ramp_from.load(Ordering::Acquire),
            count: self.count.load(Ordering::Acquire),
            period_ns: self.period_ns.load(Ordering::Acquire),
        }
    }

    /// Writes all words. Only the owner of the claim calls it, and never on the live slot.
    pub(super) fn write(&self, settings: &Settings) {
        self.base.store(settings.base, Ordering::Release);
        self.mantissa.store(settings.mantissa, Ordering::Release);
        self.remainder.store(settings.remainder, Ordering::Release);
        self.level.store(settings.level, Ordering::Release);
        self.shape.store(settings.shape, Ordering::Release);
        self.floor.store(settings.floor, Ordering::Release);
        self.ramp_start.store(settings.ramp_start, Ordering::Release);
        self.ramp_end.store(settings.ramp_end, Ordering::Release);
        self.ramp_from.store(settings.ramp_from, Ordering::Release);
        self.count.store(settings.count, Ordering::Release);
        self.period_ns.store(settings.period_ns, Ordering::Release);
    }

    /// Makes the caller the only one who may write; `false` if another is.
    pub(super) fn try_claim(&self) -> bool {
        self.claim.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the claim back. Release: the next owner sees what this one published.
    pub(super) fn release(&self) {
        self.claim.store(0, Ordering::Release);
    }
}
