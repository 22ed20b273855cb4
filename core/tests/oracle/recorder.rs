//! What a recorder counts, as a list of events: written down one by one, counted when somebody asks. It shares no code
//! with the product, and knows of its ring only the documented rules: slices of equal width, the window is the slice of
//! `now` so far and the whole slices before it, and a rebase empties it.

use std::collections::BTreeMap;

#[derive(Default)]
pub struct Oracle {
    slice: u64,
    slices: u64,
    events: Vec<(u64, String)>,
    lost: Vec<(u64, String)>,
}

impl Oracle {
    pub fn new(slice: u64, slices: u64) -> Self {
        Self { slice, slices, ..Self::default() }
    }

    pub fn note(&mut self, now: u64, event: impl Into<String>) {
        self.events.push((now, event.into()));
    }

    /// What came before is in the totals only.
    pub fn rebase(&mut self) {
        self.lost.append(&mut self.events);
    }

    pub fn total(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for (_, event) in self.lost.iter().chain(&self.events) {
            *counts.entry(event.as_str()).or_default() += 1;
        }
        counts
    }

    pub fn recent(&self, now: u64) -> BTreeMap<&str, u64> {
        let last = now / self.slice;
        let mut counts = BTreeMap::new();
        for (at, event) in &self.events {
            if (at / self.slice) <= last && last - at / self.slice < self.slices {
                *counts.entry(event.as_str()).or_default() += 1;
            }
        }
        counts
    }
}
