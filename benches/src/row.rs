//! [`Row`] and [`Section`]: what is measured, whoever measures it.

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the machine asks for the least that would do.
    Floor,
    /// seawall.
    Ours,
    /// Another crate, or what one writes by hand.
    Peer,
    /// Reading a clock, and nothing else.
    Clock,
}

impl Kind {
    /// The word for the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ours => "seawall",
            Self::Peer => "peer",
            Self::Clock => "clock",
        }
    }
}

/// Runs so many calls, and says how many of them answered `true`. No calls: takes over the time of the row's other
/// threads, and tells them its own.
pub type Batch = Box<dyn FnMut(u64) -> u64 + Send>;

/// One thing that is measured.
pub struct Row {
    /// Unique in its section.
    pub name: String,
    /// What it stands for.
    pub kind: Kind,
    /// What a peer does not do, in a few words.
    pub lacks: &'static str,
    /// Whether several threads may share it.
    pub is_shared: bool,
    /// Whether it does the whole job, so that it may be the best of the peers.
    pub is_rival: bool,
    /// Which share of its calls answers `true`.
    pub share: RangeInclusive<f64>,
    worker: Box<dyn Fn(usize) -> Batch + Send + Sync>,
}

/// Lines of their own for each object, whoever made it, so that no row pays for a neighbour.
#[repr(align(128))]
struct Apart<S>(S);

impl Row {
    /// A row of `object`, which lives as long as the program. Each thread has what `of_thread` makes for it, and
    /// `call` is what is measured, at a time that moves on; it answers whether it did what the row is about.
    pub fn new<S: Sync + 'static, W: Send + 'static>(
        kind: Kind,
        name: impl Into<String>,
        object: S,
        of_thread: impl Fn(&'static S, usize) -> W + Send + Sync + 'static,
        call: impl Fn(&'static S, &mut W, &mut Now) -> bool + Copy + Send + Sync + 'static,
    ) -> Self {
        let object: &'static S = &Box::leak(Box::new(Apart(object))).0;
        let latest: &'static AtomicU64 = &Box::leak(Box::new(Apart(AtomicU64::new(0)))).0;
        let worker = move |thread| -> Batch {
            let mut own = of_thread(object, thread);
            let mut now_ns = 0;
            Box::new(move |calls| {
                if calls == 0 {
                    // Between two windows: all threads go on from the latest of their times.
                    now_ns = latest.fetch_max(now_ns, Ordering::AcqRel).max(now_ns);
                    return 0;
                }
                // Nothing that is known of the object outside of this batch is known inside of it.
                let object = black_box(object);
                let mut now = Now(now_ns);
                let mut right = 0;
                for _ in 0..calls {
                    right += u64::from(call(object, &mut own, &mut now));
                }
                now_ns = now.0;
                right
            })
        };
        let name = name.into();
        Self { name, kind, lacks: "", is_shared: true, is_rival: true, share: 1.0..=1.0, worker: Box::new(worker) }
    }

    /// seawall's row.
    pub fn ours<S: Sync + 'static, W: Send + 'static>(
        name: &str,
        object: S,
        of_thread: impl Fn(&'static S, usize) -> W + Send + Sync + 'static,
        call: impl Fn(&'static S, &mut W, &mut Now) -> bool + Copy + Send + Sync + 'static,
    ) -> Self {
        Self::new(Kind::Ours, format!("seawall {name}"), object, of_thread, call)
    }

    /// A peer's row.
    pub fn peer<S: Sync + 'static, W: Send + 'static>(
        name: &str,
        lacks: &'static str,
        object: S,
        of_thread: impl Fn(&'static S, usize) -> W + Send + Sync + 'static,
        call: impl Fn(&'static S, &mut W, &mut Now) -> bool + Copy + Send + Sync + 'static,
    ) -> Self {
        Self { lacks, ..Self::new(Kind::Peer, name, object, of_thread, call) }
    }

    /// Belongs to one thread only.
    #[must_use]
    pub fn not_shared(mut self) -> Self {
        self.is_shared = false;
        self
    }

    /// Does less than the job: shown, and never the best of the peers.
    #[must_use]
    pub fn beside(mut self) -> Self {
        self.is_rival = false;
        self
    }

    /// So many of the calls answer `true`, instead of all.
    #[must_use]
    pub fn with_share(mut self, share: RangeInclusive<f64>) -> Self {
        self.share = share;
        self
    }

    /// Its calls, as one thread makes them. Each thread of a row has one, for the whole run.
    #[must_use]
    pub fn worker(&self, thread: usize) -> Batch {
        (self.worker)(thread)
    }

    /// Panics where the calls did not do what the row says: what was measured then was something else.
    ///
    /// # Panics
    /// Then.
    pub fn check(&self, right: u64, calls: u64) {
        let share = right as f64 / calls as f64;
        assert!(self.share.contains(&share), "{}: {right} of {calls} calls did what the row says", self.name);
    }
}

/// Rows that are compared with each other.
pub struct Section {
    /// Unique.
    pub name: &'static str,
    /// What one call is, in a few words.
    pub call: &'static str,
    /// The row that the others are divided by.
    pub reference: &'static str,
    /// All rows, in the order of the tables.
    pub rows: Vec<Row>,
    /// Whether it is measured on one thread,
    pub alone: bool,
    /// and on how many together, beside one; 0 is not at all.
    pub together: usize,
}

/// The time of a thread that calls every 16 ns.
pub struct Now(u64);

impl Now {
    /// The origin.
    #[must_use]
    pub const fn start() -> Self {
        Self(0)
    }

    /// 16 ns later than the last.
    #[inline(always)]
    pub fn tick(&mut self) -> seawall::Instant {
        seawall::Instant::from_nanos(self.tick_ns())
    }

    /// The same in nanoseconds.
    #[inline(always)]
    pub fn tick_ns(&mut self) -> u64 {
        self.0 += 16;
        self.0
    }
}
