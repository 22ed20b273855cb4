//! The terms in shared memory: [`Settings`].
//!
//! Four cells, one of them live. A change claims another, writes it and makes it live by one exchange. A reader takes
//! the live cell's words for good if the same cell, by its version, is still live afterwards.

use core::time::Duration;

use crate::keyed_buckets::config::{KeyedChangeError, KeyedConfig};
use crate::keyed_buckets::terms::{Growth, Terms, unit_exponent};
use crate::rate::Rate;
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};

const CELLS: usize = 4;

const fn cell_of(live: u64) -> usize {
    (live & (CELLS as u64 - 1)) as usize
}

/// One cache line: all that a call needs.
#[repr(C, align(64))]
struct Cell([AtomicU64; 8]);

impl Cell {
    const_constructor! {
        fn new(growth: Growth) -> Self {
            let Growth { base, mantissa, remainder, level, lowest, full, shape, inverse } = growth;
            Self([
                AtomicU64::new(base), AtomicU64::new(mantissa), AtomicU64::new(remainder), AtomicU64::new(level),
                AtomicU64::new(lowest), AtomicU64::new(full), AtomicU64::new(shape), AtomicU64::new(inverse),
            ])
        }
    }

    /// Acquire: whoever reads a word of later terms also sees that another cell went live before it was written.
    #[inline(always)]
    fn read(&self) -> Growth {
        let [base, mantissa, remainder, level, lowest, full, shape, inverse] = &self.0;
        Growth {
            base: base.load(Ordering::Acquire),
            mantissa: mantissa.load(Ordering::Acquire),
            remainder: remainder.load(Ordering::Acquire),
            level: level.load(Ordering::Acquire),
            lowest: lowest.load(Ordering::Acquire),
            full: full.load(Ordering::Acquire),
            shape: shape.load(Ordering::Acquire),
            inverse: inverse.load(Ordering::Acquire),
        }
    }

    fn write(&self, growth: Growth) {
        let Growth { base, mantissa, remainder, level, lowest, full, shape, inverse } = growth;
        let values = [base, mantissa, remainder, level, lowest, full, shape, inverse];
        for (word, value) in self.0.iter().zip(values) {
            word.store(value, Ordering::Release);
        }
    }
}

/// What belongs to a cell and is read by who changes the terms, or asks for them.
#[repr(C)]
struct Side {
    rate: [AtomicU64; 2],
    /// 1 while a setter owns the cell.
    claim: AtomicU64,
}

impl Side {
    const_constructor! {
        fn new(rate: Rate) -> Self {
            Self {
                rate: [AtomicU64::new(rate.count()), AtomicU64::new(rate.period_ns())],
                claim: AtomicU64::new(0),
            }
        }
    }
}

#[repr(C)]
pub(super) struct Settings {
    /// `[version: 62][cell: 2]`
    live: AtomicU64,
    sides: [Side; CELLS],
    cells: [Cell; CELLS],
}

impl Settings {
    const_constructor! {
        /// The configuration is checked.
        pub(super) fn new(config: &KeyedConfig, start: u64) -> Self {
            let Terms { growth, rate } = Terms::first(config, unit_exponent(config.rate), start);
            Self {
                live: AtomicU64::new(0),
                sides: [Side::new(rate), Side::new(rate), Side::new(rate), Side::new(rate)],
                cells: [Cell::new(growth), Cell::new(growth), Cell::new(growth), Cell::new(growth)],
            }
        }
    }

    /// What `read` reads in the cell that is live, and the word that made it so.
    #[inline(always)]
    fn live<T>(&self, read: impl Fn(usize) -> T) -> (T, u64) {
        let mut live = self.live.load(Ordering::Acquire);
        // Lock-free: each turn but the last means that a change was made.
        loop {
            let terms = read(cell_of(live));
            let seen = self.live.load(Ordering::Acquire);
            if seen == live || fault("keyed buckets: terms need no second look") {
                return (terms, live);
            }
            live = seen;
        }
    }

    fn live_terms(&self) -> (Terms, u64) {
        self.live(|cell| {
            let [count, period_ns] = &self.sides[cell].rate;
            // Acquire: as in `Cell::read`.
            let (count, period_ns) = (count.load(Ordering::Acquire), period_ns.load(Ordering::Acquire));
            // What is torn is not used.
            let rate = Rate::new(count, Duration::from_nanos(period_ns)).unwrap_or(Rate::ZERO);
            Terms { growth: self.cells[cell].read(), rate }
        })
    }

    pub(super) fn terms(&self) -> Terms {
        self.live_terms().0
    }

    /// What a call needs of the terms.
    #[inline(always)]
    pub(super) fn growth(&self) -> Growth {
        self.live(|cell| self.cells[cell].read()).0
    }

    /// Puts what `next` makes of the live terms in their place, if `first` succeeds, which is done when nothing but a
    /// change under way can still fail this one: the cell is claimed, and the terms are made.
    pub(super) fn change_after<E>(
        &self,
        first: impl FnOnce() -> Result<(), E>,
        next: impl Fn(&Terms) -> Result<Terms, KeyedChangeError>,
    ) -> Result<Result<(), E>, KeyedChangeError> {
        let spare = self.claim().ok_or(KeyedChangeError::Contended)?;
        let mut first = Some(first);
        let result = loop {
            let (terms, live) = self.live_terms();
            match next(&terms) {
                Err(error) => break Err(error),
                Ok(terms) => self.write(spare, &terms),
            }
            if let Some(first) = first.take()
                && let Err(error) = first()
            {
                break Ok(Err(error));
            }
            // The version wraps after 2^62 changes.
            let after = ((live >> 2).wrapping_add(1) << 2) | spare as u64;
            // Release: who reads it sees the cell. Acquire: who claims a cell next sees what was live.
            if self.live.compare_exchange(live, after, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                break Ok(Ok(()));
            }
        };
        self.sides[spare & (CELLS - 1)].claim.store(0, Ordering::Release);
        result
    }

    /// Writes a cell that the caller has claimed.
    fn write(&self, cell: usize, terms: &Terms) {
        let [count, period_ns] = &self.sides[cell & (CELLS - 1)].rate;
        count.store(terms.rate.count(), Ordering::Release);
        period_ns.store(terms.rate.period_ns(), Ordering::Release);
        self.cells[cell & (CELLS - 1)].write(terms.growth);
    }

    /// Claims a cell that is not live and stays so until its owner publishes it.
    fn claim(&self) -> Option<usize> {
        let mut live = self.live.load(Ordering::Acquire);
        loop {
            for (index, side) in self.sides.iter().enumerate().filter(|(index, _)| *index != cell_of(live)) {
                if side.claim.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    // It may have become live between the look and the claim.
                    if cell_of(self.live.load(Ordering::Acquire)) != index {
                        return Some(index);
                    }
                    side.claim.store(0, Ordering::Release);
                }
            }
            // Cells move while they are looked through: only a word that stood still shows that all were taken.
            let seen = self.live.load(Ordering::Acquire);
            if seen == live {
                return None;
            }
            live = seen;
        }
    }
}
