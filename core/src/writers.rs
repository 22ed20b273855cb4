//! [`ManyWriters`] and [`OneWriter`]: who counts in a word, and so by which step.
//!
//! A word that many may count in grows by a read-modify-write, which locks its line for as long as a dozen plain steps
//! take. Where one writer is alone for sure, a load and a store do the same, and readers cannot tell the difference: each
//! store is complete, in the writer's order. "For sure" is a matter of types here: what has many writers never hands out
//! the step of one, and what has one writer hands it out with a claim (see `shard.rs`) and offers no other way to write.

use core::fmt::{self, Debug};

use crate::sync::{AtomicU64, Ordering};

/// Who records: [`ManyWriters`] or [`OneWriter`]. Implemented by these two only.
///
/// ```
/// use seawall::{ManyWriters, OneWriter, Recorder, Writers};
/// fn is_small<W: Writers>(recorder: &Recorder<4, 32, W>) -> bool {
///     size_of_val(recorder) < 7 * 1024
/// }
/// # use seawall::WindowConfig;
/// assert!(is_small(&Recorder::<4, 32>::new(WindowConfig::DEFAULT)?));
/// assert!(is_small(&Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?));
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
pub trait Writers: Step + Copy + Debug + Send + Sync + 'static {}

/// Anybody records at any time, by one read-modify-write a count.
///
/// ```
/// use seawall::{ManyWriters, Recorder, WindowConfig};
/// let recorder: Recorder<4, 32, ManyWriters> = Recorder::new(WindowConfig::DEFAULT)?; // the same as Recorder<4, 32>
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManyWriters;

/// One owner at a time records, without a read-modify-write; it claims the right to, and gives it back when dropped.
/// Anybody reads at any time.
///
/// ```
/// use seawall::{Instant, OneWriter, Recorder, WindowConfig};
/// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
/// let mut owner = recorder.own().expect("nobody else owns it");
/// assert!(recorder.own().is_none());
/// let call = owner.begun(Instant::ORIGIN);
/// assert_eq!(recorder.totals().begun(), 1);
/// # drop(call);
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWriter;

impl Writers for ManyWriters {}
impl Writers for OneWriter {}

/// The steps themselves. Out of reach for other crates: the trait is public in name only.
pub trait Step {
    #[doc(hidden)]
    fn add(counter: &AtomicU64, amount: u64, order: Ordering);

    /// Adds one; `seen` is what the caller has just loaded.
    #[doc(hidden)]
    fn increment(counter: &AtomicU64, seen: u64, order: Ordering);

    /// `seen` is what the caller has just loaded. Err: another writer came between, with what it left.
    #[doc(hidden)]
    fn replace(word: &AtomicU64, seen: u64, next: u64, success: Ordering, failure: Ordering) -> Result<(), u64>;
}

impl Step for ManyWriters {
    #[inline(always)]
    fn add(counter: &AtomicU64, amount: u64, order: Ordering) {
        counter.fetch_add(amount, order);
    }

    #[inline(always)]
    fn increment(counter: &AtomicU64, _seen: u64, order: Ordering) {
        counter.fetch_add(1, order);
    }

    #[inline(always)]
    fn replace(word: &AtomicU64, seen: u64, next: u64, success: Ordering, failure: Ordering) -> Result<(), u64> {
        word.compare_exchange(seen, next, success, failure).map(drop)
    }
}

impl Step for OneWriter {
    #[inline(always)]
    fn add(counter: &AtomicU64, amount: u64, order: Ordering) {
        // Wraps as `fetch_add` does; what is counted ends long before, or is a total of 2^64.
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), order);
    }

    #[inline(always)]
    fn increment(counter: &AtomicU64, seen: u64, order: Ordering) {
        counter.store(seen.wrapping_add(1), order);
    }

    #[inline(always)]
    fn replace(word: &AtomicU64, _seen: u64, next: u64, success: Ordering, _: Ordering) -> Result<(), u64> {
        word.store(next, success);
        Ok(())
    }
}

/// Who writes what has a size of the caller's choice: no type says so there. A word of storage, so any number is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Writing(u64);

impl Writing {
    /// Not made yet.
    pub(crate) const NOBODY: Self = Self(0);
    pub(crate) const ANYBODY: Self = Self(1);
    pub(crate) const OWNERS: Self = Self(2);

    #[inline(always)]
    pub(crate) fn check_anybody(self) -> Result<(), WrongWriter> {
        if self == Self::ANYBODY { Ok(()) } else { Err(WrongWriter) }
    }

    #[inline(always)]
    pub(crate) fn check_owners(self) -> Result<(), WrongWriter> {
        if self == Self::OWNERS { Ok(()) } else { Err(WrongWriter) }
    }
}

/// Refused: what is written by owners was to be written by anybody, or the other way round, or it is not made yet. Nothing
/// was counted.
///
/// ```
/// use seawall::{Instant, RecorderView, WindowConfig, WrongWriter};
/// let mut storage = RecorderView::storage::<800>();
/// let recorder: &mut RecorderView = &mut storage;
/// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
/// assert_eq!(recorder.begun(Instant::ORIGIN), Err(WrongWriter));
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongWriter;

impl fmt::Display for WrongWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was not made for this kind of writer: allowed is anybody or an owner, as it was made for")
    }
}

impl core::error::Error for WrongWriter {}
