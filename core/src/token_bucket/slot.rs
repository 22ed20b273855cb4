//! Shared memory for one configuration of a bucket: [`Slot`], and who may write it: [`Claim`].

use crate::sync::{AtomicU32, AtomicU64, Ordering, const_constructor, fault};
use crate::token_bucket::growth::Growth;
use crate::token_bucket::look::Shortcut;
use crate::token_bucket::settings::Settings;
use crate::token_bucket::{LAST_POSITION, pack};

/// One configuration, written by the owner of its claim and only while it is not the live one.
///
/// What [`look`](Self::look) reads comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slot {
    pub(super) base: AtomicU64,
    pub(super) mantissa: AtomicU64,
    pub(super) remainder: AtomicU64,
    /// A unit word below the level at `base`, in the place of the position as in a state that this slot is live in: the
    /// position from which one token is just there.
    pub(super) anchor: AtomicU64,
    pub(super) unit: AtomicU64,
    pub(super) shape: AtomicU32,
    pub(super) burst: AtomicU32,
    pub(super) most_missing: AtomicU64,
    pub(super) fraction: AtomicU64,
    pub(super) phase: AtomicU64,
    floor: AtomicU64,
    ramp_start: AtomicU64,
    ramp_end: AtomicU64,
    ramp_from: AtomicU64,
    count: AtomicU64,
    period_ns: AtomicU64,
    newest: AtomicU64,
}

/// See [`Slot::anchor`]. What is over the last position can never be taken.
const fn anchor(level: u64, unit: u64, index: usize) -> u64 {
    // Units are at most 2^26, and levels over 2^33: see FIRST_POSITION.
    pack((if level > LAST_POSITION { LAST_POSITION } else { level }).saturating_sub(unit), index)
}

impl Slot {
    const_constructor! {
        pub(super) fn new(settings: Settings, index: usize) -> Self {
            let shortcut = Shortcut::of(&settings);
            Self {
                base: AtomicU64::new(settings.growth.base),
                mantissa: AtomicU64::new(settings.growth.mantissa),
                remainder: AtomicU64::new(settings.growth.remainder),
                anchor: AtomicU64::new(anchor(settings.growth.level, shortcut.unit, index)),
                unit: AtomicU64::new(shortcut.unit),
                shape: AtomicU32::new(settings.growth.shape),
                burst: AtomicU32::new(settings.growth.burst),
                most_missing: AtomicU64::new(shortcut.most_missing),
                fraction: AtomicU64::new(shortcut.fraction),
                phase: AtomicU64::new(shortcut.phase),
                floor: AtomicU64::new(settings.floor),
                ramp_start: AtomicU64::new(settings.ramp_start),
                ramp_end: AtomicU64::new(settings.ramp_end),
                ramp_from: AtomicU64::new(settings.ramp_from),
                count: AtomicU64::new(settings.count),
                period_ns: AtomicU64::new(settings.period_ns),
                newest: AtomicU64::new(settings.newest),
            }
        }
    }

    /// How the level grows: of one configuration only where the caller then finds the state as it was.
    ///
    /// Acquire: whoever reads a word of a later configuration also sees that the state has moved on.
    #[inline]
    pub(super) fn growth(&self) -> Growth {
        Growth {
            base: self.base.load(Ordering::Acquire),
            mantissa: self.mantissa.load(Ordering::Acquire),
            remainder: self.remainder.load(Ordering::Acquire),
            // Below 2^63: both are far below it.
            level: (self.anchor.load(Ordering::Acquire) & LAST_POSITION) + self.unit.load(Ordering::Acquire),
            burst: self.burst.load(Ordering::Acquire),
            shape: self.shape.load(Ordering::Acquire),
        }
    }

    /// All words but those that only a look needs, on the same terms as [`growth`](Self::growth).
    pub(super) fn read(&self) -> Settings {
        Settings {
            growth: self.growth(),
            floor: self.floor.load(Ordering::Acquire),
            ramp_start: self.ramp_start.load(Ordering::Acquire),
            ramp_end: self.ramp_end.load(Ordering::Acquire),
            ramp_from: self.ramp_from.load(Ordering::Acquire),
            count: self.count.load(Ordering::Acquire),
            period_ns: self.period_ns.load(Ordering::Acquire),
            newest: self.newest.load(Ordering::Acquire),
        }
    }

    /// Writes all words. Only the owner of the claim calls it, and never on the live slot. `index` is the slot's own.
    pub(super) fn write(&self, settings: &Settings, index: usize) {
        let shortcut = Shortcut::of(settings);
        self.base.store(settings.growth.base, Ordering::Release);
        self.mantissa.store(settings.growth.mantissa, Ordering::Release);
        self.remainder.store(settings.growth.remainder, Ordering::Release);
        self.anchor.store(anchor(settings.growth.level, shortcut.unit, index), Ordering::Release);
        self.unit.store(shortcut.unit, Ordering::Release);
        self.shape.store(settings.growth.shape, Ordering::Release);
        self.burst.store(settings.growth.burst, Ordering::Release);
        self.most_missing.store(shortcut.most_missing, Ordering::Release);
        self.fraction.store(shortcut.fraction, Ordering::Release);
        self.phase.store(shortcut.phase, Ordering::Release);
        self.floor.store(settings.floor, Ordering::Release);
        self.ramp_start.store(settings.ramp_start, Ordering::Release);
        self.ramp_end.store(settings.ramp_end, Ordering::Release);
        self.ramp_from.store(settings.ramp_from, Ordering::Release);
        self.count.store(settings.count, Ordering::Release);
        self.period_ns.store(settings.period_ns, Ordering::Release);
        self.newest.store(settings.newest, Ordering::Release);
    }
}

/// 1 while a setter owns the slot of the same number.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Claim(AtomicU32);

impl Claim {
    const_constructor! {
        pub(super) fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Makes the caller the only one who may write; `false` if another is.
    pub(super) fn try_claim(&self) -> bool {
        if fault("token bucket: a slot may have two writers") {
            return true;
        }
        self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the claim back. Release: the next owner sees what this one published.
    pub(super) fn release(&self) {
        self.0.store(0, Ordering::Release);
    }
}
