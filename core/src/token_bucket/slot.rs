//! Shared memory for one configuration of a bucket: [`Slot`].

use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::token_bucket::growth::Growth;
use crate::token_bucket::settings::Settings;

/// One configuration, written by the owner of its claim and only while it is not the live one.
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
    newest: AtomicU64,
    /// 1 while a setter owns the slot.
    claim: AtomicU64,
}

impl Slot {
    const_constructor! {
        pub(super) fn new(settings: Settings) -> Self {
            Self {
                base: AtomicU64::new(settings.growth.base),
                mantissa: AtomicU64::new(settings.growth.mantissa),
                remainder: AtomicU64::new(settings.growth.remainder),
                level: AtomicU64::new(settings.growth.level),
                shape: AtomicU64::new(settings.growth.shape),
                floor: AtomicU64::new(settings.floor),
                ramp_start: AtomicU64::new(settings.ramp_start),
                ramp_end: AtomicU64::new(settings.ramp_end),
                ramp_from: AtomicU64::new(settings.ramp_from),
                count: AtomicU64::new(settings.count),
                period_ns: AtomicU64::new(settings.period_ns),
                newest: AtomicU64::new(settings.newest),
                claim: AtomicU64::new(0),
            }
        }
    }

    /// The words that a take needs: of one configuration only where the caller then finds the state as it was.
    ///
    /// Acquire: whoever reads a word of a later configuration also sees that the state has moved on.
    #[inline]
    pub(super) fn growth(&self) -> Growth {
        Growth {
            base: self.base.load(Ordering::Acquire),
            mantissa: self.mantissa.load(Ordering::Acquire),
            remainder: self.remainder.load(Ordering::Acquire),
            level: self.level.load(Ordering::Acquire),
            shape: self.shape.load(Ordering::Acquire),
        }
    }

    /// All words, on the same terms as [`growth`](Self::growth).
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

    /// Writes all words. Only the owner of the claim calls it, and never on the live slot.
    pub(super) fn write(&self, settings: &Settings) {
        self.base.store(settings.growth.base, Ordering::Release);
        self.mantissa.store(settings.growth.mantissa, Ordering::Release);
        self.remainder.store(settings.growth.remainder, Ordering::Release);
        self.level.store(settings.growth.level, Ordering::Release);
        self.shape.store(settings.growth.shape, Ordering::Release);
        self.floor.store(settings.floor, Ordering::Release);
        self.ramp_start.store(settings.ramp_start, Ordering::Release);
        self.ramp_end.store(settings.ramp_end, Ordering::Release);
        self.ramp_from.store(settings.ramp_from, Ordering::Release);
        self.count.store(settings.count, Ordering::Release);
        self.period_ns.store(settings.period_ns, Ordering::Release);
        self.newest.store(settings.newest, Ordering::Release);
    }

    /// Makes the caller the only one who may write; `false` if another is.
    pub(super) fn try_claim(&self) -> bool {
        if fault("token bucket: a slot may have two writers") {
            return true;
        }
        self.claim.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the claim back. Release: the next owner sees what this one published.
    pub(super) fn release(&self) {
        self.claim.store(0, Ordering::Release);
    }
}
