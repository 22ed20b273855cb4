//! The terms in shared memory: [`Settings`].
//!
//! Four cells, one of them live. A change claims another, writes it and makes it live by one exchange. A reader takes
//! the live cell's words for good if the same cell, by its version, is still live afterwards.

use crate::keyed_buckets::config::{KeyedChangeError, KeyedConfig};
use crate::keyed_buckets::terms::{Terms, unit_exponent};
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};

const CELLS: usize = 4;

const fn cell_of(live: u64) -> usize {
    (live & (CELLS as u64 - 1)) as usize
}

#[repr(C)]
struct Cell {
    words: [AtomicU64; 8],
    /// 1 while a setter owns the cell.
    claim: AtomicU64,
}

impl Cell {
    const_constructor! {
        fn new(terms: Terms) -> Self {
            let Terms { base, mantissa, remainder, level, lowest, shape, count, period_ns } = terms;
            Self {
                words: [
                    AtomicU64::new(base), AtomicU64::new(mantissa), AtomicU64::new(remainder), AtomicU64::new(level),
                    AtomicU64::new(lowest), AtomicU64::new(shape), AtomicU64::new(count), AtomicU64::new(period_ns),
                ],
                claim: AtomicU64::new(0),
            }
        }
    }

    /// Acquire: whoever reads a word of later terms also sees that another cell went live before it was written.
    fn read(&self) -> Terms {
        let [base, mantissa, remainder, level, lowest, shape, count, period_ns] = &self.words;
        Terms {
            base: base.load(Ordering::Acquire),
            mantissa: mantissa.load(Ordering::Acquire),
            remainder: remainder.load(Ordering::Acquire),
            level: level.load(Ordering::Acquire),
            lowest: lowest.load(Ordering::Acquire),
            shape: shape.load(Ordering::Acquire),
            count: count.load(Ordering::Acquire),
            period_ns: period_ns.load(Ordering::Acquire),
        }
    }

    fn write(&self, terms: &Terms) {
        let Terms { base, mantissa, remainder, level, lowest, shape, count, period_ns } = *terms;
        let values = [base, mantissa, remainder, level, lowest, shape, count, period_ns];
        for (word, value) in self.words.iter().zip(values) {
            word.store(value, Ordering::Release);
        }
    }
}

#[repr(C)]
pub(super) struct Settings {
    /// `[version: 62][cell: 2]`
    live: AtomicU64,
    /// k: a unit is 2^-k tokens, for the life of the table.
    unit_exponent: u64,
    cells: [Cell; CELLS],
}

impl Settings {
    const_constructor! {
        /// The configuration is checked.
        pub(super) fn new(config: &KeyedConfig, start: u64) -> Self {
            let k = unit_exponent(config.rate);
            let terms = Terms::first(config, k, start);
            Self {
                live: AtomicU64::new(0),
                unit_exponent: k as u64,
                cells: [Cell::new(terms), Cell::new(terms), Cell::new(terms), Cell::new(terms)],
            }
        }
    }

    #[inline]
    pub(super) const fn unit_exponent(&self) -> u32 {
        // At most 16; the mask for storage that was damaged.
        (self.unit_exponent & 0x1F) as u32
    }

    /// The live terms, and the word that made them so.
    fn live(&self) -> (Terms, u64) {
        let mut live = self.live.load(Ordering::Acquire);
        // Lock-free: each turn but the last means that a change was made.
        loop {
            let terms = self.cells[cell_of(live)].read();
            let seen = self.live.load(Ordering::Acquire);
            if seen == live || fault("keyed buckets: terms need no second look") {
                return (terms, live);
            }
            live = seen;
        }
    }

    pub(super) fn terms(&self) -> Terms {
        self.live().0
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
            let (terms, live) = self.live();
            match next(&terms) {
                Err(error) => break Err(error),
                Ok(terms) => self.cells[spare & (CELLS - 1)].write(&terms),
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
        self.cells[spare & (CELLS - 1)].claim.store(0, Ordering::Release);
        result
    }

    /// Claims a cell that is not live and stays so until its owner publishes it.
    fn claim(&self) -> Option<usize> {
        let mut live = self.live.load(Ordering::Acquire);
        loop {
            for (index, cell) in self.cells.iter().enumerate().filter(|(index, _)| *index != cell_of(live)) {
                if cell.claim.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    // It may have become live between the look and the claim.
                    if cell_of(self.live.load(Ordering::Acquire)) != index {
                        return Some(index);
                    }
                    cell.claim.store(0, Ordering::Release);
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
