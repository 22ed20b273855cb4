//! The least that the machine asks for: bare atomics, in the same loop as everything else.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::row::{Kind, Row};

/// The name of [`load_cas`].
pub const LOAD_CAS: &str = "load + CAS on one word";
/// The name of [`load_compare`].
pub const LOAD_COMPARE: &str = "load + compare of one word";
/// The name of [`fetch_add`].
pub const FETCH_ADD: &str = "fetch_add on one word";
/// The name of [`two_fetch_adds`].
pub const TWO_FETCH_ADDS: &str = "two fetch_add on one word";
/// The name of [`two_loads`].
pub const TWO_LOADS: &str = "two loads, two branches";

/// What allows at the least: reads a word, and exchanges it.
#[must_use]
pub fn load_cas() -> Row {
    Row::new(
        Kind::Floor,
        LOAD_CAS,
        AtomicU64::new(0),
        |_, _| (),
        |word, (), _| {
            let mut seen = word.load(Relaxed);
            while let Err(other) = word.compare_exchange_weak(seen, seen.wrapping_add(16), Relaxed, Relaxed) {
                seen = other;
            }
            true
        },
    )
}

/// What refuses at the least: reads a word, and compares it with the time.
#[must_use]
pub fn load_compare() -> Row {
    Row::new(
        Kind::Floor,
        LOAD_COMPARE,
        AtomicU64::new(u64::MAX),
        |_, _| (),
        |word, (), now| now.tick_ns() < word.load(Relaxed),
    )
}

/// What counts at the least.
#[must_use]
pub fn fetch_add() -> Row {
    Row::new(
        Kind::Floor,
        FETCH_ADD,
        AtomicU64::new(0),
        |_, _| (),
        |word, (), _| {
            word.fetch_add(1, Relaxed);
            true
        },
    )
}

/// What takes a place and gives it back at the least.
#[must_use]
pub fn two_fetch_adds() -> Row {
    Row::new(
        Kind::Floor,
        TWO_FETCH_ADDS,
        AtomicU64::new(0),
        |_, _| (),
        |word, (), _| {
            let taken = word.fetch_add(1, Relaxed);
            word.fetch_sub(1, Relaxed);
            taken < 64
        },
    )
}

/// What asks whether all is well, and notes that it still is, at the least.
#[must_use]
pub fn two_loads() -> Row {
    Row::new(
        Kind::Floor,
        TWO_LOADS,
        AtomicU64::new(0),
        |_, _| (),
        |word, (), _| word.load(Relaxed) == 0 && word.load(Relaxed) == 0,
    )
}
