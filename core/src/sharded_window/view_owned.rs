//! [`OwnedWindowView`]: a shard of a window of run-time sizes, with one writer.

use core::time::Duration;

use crate::shard::{Claimed, claim};
use crate::sharded_window::ShardedWindowView;
use crate::sliding_window::record;
use crate::time::{Instant, nanos};
use crate::writers::{OneWriter, WrongWriter};

/// The owner of a shard, until it is dropped: made by [`ShardedWindowView::own`].
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, OwnedWindowView, ShardedWindowView, WindowConfig};
/// let mut storage = ShardedWindowView::storage::<2000>();
/// let window: &mut ShardedWindowView = &mut storage;
/// window.renew_for_owners(WindowConfig::DEFAULT, 2, 8, 64)?;
/// let mut mine: OwnedWindowView<'_> = window.own(0)?.expect("nobody else owns it");
/// mine.record(Duration::from_millis(20), true, Instant::ORIGIN);
/// assert_eq!(window.total_count(), 1); // while it is owned
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropped, the shard is free again"]
pub struct OwnedWindowView<'a> {
    window: &'a ShardedWindowView,
    shard: u32,
    claimed: Claimed<'a>,
}

impl ShardedWindowView {
    /// Makes the caller the only recorder of `shard` until it drops what it gets; `None` while there is one, and for a shard
    /// that it has not: see [`ShardedWindow::own`](crate::ShardedWindow::own).
    ///
    /// # Errors
    /// [`WrongWriter`]: anybody records into it, or it is not made yet.
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use seawall::{ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew_for_owners(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// let owner = window.own(0)?;
    /// assert!(owner.is_some() && window.own(0)?.is_none() && window.own(1)?.is_some() && window.own(2)?.is_none());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn own(&self, shard: u32) -> Result<Option<OwnedWindowView<'_>>, WrongWriter> {
        self.writing().check_owners()?;
        let owned = |word| claim(word).map(|claimed| OwnedWindowView { window: self, shard, claimed });
        Ok(self.claim_word(shard as usize).and_then(owned))
    }

    /// The owner that [`OwnedWindowView::into_numbers`] kept; `None` if it was released since, or never was.
    ///
    /// The numbers are those of one owner, and only one at a time is to be made of them.
    ///
    /// ```
    /// # use seawall::{ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew_for_owners(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// let numbers = window.own(1)?.expect("nobody else owns it").into_numbers();
    /// drop(window.owner_again(numbers));
    /// assert!(window.owner_again(numbers).is_none());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn owner_again(&self, numbers: [u64; 2]) -> Option<OwnedWindowView<'_>> {
        let [shard, number] = numbers;
        let shard = u32::try_from(shard).ok()?;
        let claimed = Claimed::again(self.claim_word(shard as usize)?, number)?;
        Some(OwnedWindowView { window: self, shard, claimed })
    }
}

impl OwnedWindowView<'_> {
    /// Keeps the shard as numbers, of which [`ShardedWindowView::owner_again`] makes the owner: for a face that keeps it in
    /// storage of its own.
    ///
    /// ```
    /// # use seawall::{ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew_for_owners(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// let numbers = window.own(1)?.expect("nobody else owns it").into_numbers();
    /// assert!(window.own(1)?.is_none());
    /// # let _ = numbers;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_numbers(self) -> [u64; 2] {
        [u64::from(self.shard), self.claimed.into_number()]
    }

    /// Counts one finished call: see [`OwnedWindow::record`](crate::OwnedWindow::record).
    ///
    /// # Concurrency
    /// As there: wait-free.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew_for_owners(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// let mut mine = window.own(0)?.expect("nobody else owns it");
    /// mine.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// assert_eq!(window.total_errors(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn record(&mut self, latency: Duration, ok: bool, now: Instant) {
        if let Some(ring) = self.window.ring(self.shard as usize) {
            record::<OneWriter, _>(ring, nanos(latency), ok, now);
        }
    }
}
