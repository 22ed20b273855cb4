//! A window of latencies: a sample recorded, and the 95th percentile of the last second.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hdrhistogram::Histogram;
use histogram::AtomicHistogram;
use parking_lot::Mutex;
use seawall::{Instant, OneWriter, Ratio, ShardedWindow, SlidingWindow, WindowConfig, WindowConfigError};

use crate::row::{Kind, Row, Section};
use crate::sections::floors;

/// The reference of recording.
pub const LOG_BUCKET: &str = "fetch_add at a log bucket";
/// Ours, one window for all.
pub const OURS: &str = "seawall SlidingWindow";
/// Ours, a shard for each thread.
pub const SHARDED: &str = "seawall ShardedWindow, a shard a thread";
/// Ours, a shard for each thread that belongs to it alone.
pub const OWNED: &str = "seawall ShardedWindow, owned shards";
/// The p95 of ours where latencies lie within four octaves.
pub const OURS_TYPICAL: &str = "seawall SlidingWindow, latencies of 1 to 16 ms";
/// The p95 of ours where every cell is in use.
pub const OURS_FULL: &str = "seawall SlidingWindow, latencies of 4 us to 2 h";
/// What one writes by hand.
pub const BY_HAND: &str = "by hand: parking_lot Mutex<VecDeque>, select";

const NO_WINDOW: &str = "no window: the whole life";
const SAMPLES: usize = 8_192;
const P95: Ratio = match Ratio::percent(95) {
    Ok(share) => share,
    Err(_) => panic!("95 % is legal"),
};

fn window() -> SlidingWindow {
    SlidingWindow::new(WindowConfig { window: Duration::from_secs(1) }).expect("a second is legal")
}

fn sharded<W>(new: impl FnOnce(WindowConfig) -> Result<W, WindowConfigError>) -> W {
    new(WindowConfig { window: Duration::from_secs(1) }).expect("a second is legal")
}

/// Latencies drawn once: every row meets the same ones in the same order.
fn latencies(least_ns: u64, octaves: u32) -> [Duration; 1024] {
    let mut random = fastrand::Rng::with_seed(7);
    std::array::from_fn(|_| Duration::from_nanos((least_ns << random.u32(0..octaves)) + random.u64(0..least_ns)))
}

/// A thread's time, and its place among the latencies.
struct Samples {
    next: usize,
    latencies: [Duration; 1024],
    nanos: [u64; 1024],
}

impl Samples {
    fn new(thread: usize) -> Self {
        let latencies = latencies(1_000_000, 4);
        Self { next: thread * 512, latencies, nanos: latencies.map(|latency| latency.as_nanos() as u64) }
    }

    #[inline(always)]
    fn next(&mut self) -> usize {
        self.next = (self.next + 1) % 1024;
        self.next
    }

    #[inline(always)]
    fn latency(&mut self) -> Duration {
        let next = self.next();
        self.latencies[next]
    }

    #[inline(always)]
    fn nanos(&mut self) -> u64 {
        let next = self.next();
        self.nanos[next]
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 2).expect("the bounds are legal")
}

fn atomic_histogram() -> AtomicHistogram {
    AtomicHistogram::new(4, 36).expect("the configuration is legal")
}

/// Recording and asking.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![record(), p95()]
}

fn record() -> Section {
    let rows = vec![
        Row::new(
            Kind::Floor,
            LOG_BUCKET,
            [const { AtomicU64::new(0) }; 512],
            |_, thread| Samples::new(thread),
            |cells, samples, _| {
                let value = samples.nanos() | 16;
                let octave = 63 - value.leading_zeros();
                let cell = (octave as usize - 4) * 16 + (value >> (octave - 4)) as usize % 16;
                cells[cell % 512].fetch_add(1, Relaxed);
                true
            },
        ),
        floors::fetch_add(),
        Row::ours(
            "SlidingWindow",
            window(),
            |_, thread| Samples::new(thread),
            |window, samples, now| {
                let now = now.tick();
                window.record(samples.latency(), true, now);
                true
            },
        ),
        Row::ours(
            "SlidingWindow, a failure",
            window(),
            |_, thread| Samples::new(thread),
            |window, samples, now| {
                let now = now.tick();
                window.record(samples.latency(), false, now);
                true
            },
        ),
        Row::ours(
            "ShardedWindow, a shard a thread",
            sharded(ShardedWindow::<2>::new),
            |_, thread| (thread as u32, Samples::new(thread)),
            |window, (shard, samples), now| {
                let now = now.tick();
                window.record(*shard, samples.latency(), true, now);
                true
            },
        ),
        Row::ours(
            "ShardedWindow, owned shards",
            sharded(ShardedWindow::<2, 16, 512, OneWriter>::for_owners),
            |window, thread| (window.own(thread as u32).expect("a shard for each thread"), Samples::new(thread)),
            |_, (owned, samples), now| {
                let now = now.tick();
                owned.record(samples.latency(), true, now);
                true
            },
        ),
        Row::peer(
            "hdrhistogram, owned",
            NO_WINDOW,
            (),
            |(), thread| (histogram(), Samples::new(thread)),
            |(), (histogram, samples), _| histogram.record(samples.nanos()).is_ok(),
        )
        .not_shared()
        .beside(),
        Row::peer(
            "hdrhistogram, a recorder a thread",
            NO_WINDOW,
            Mutex::new(histogram().into_sync()),
            |histogram, thread| (histogram.lock().recorder(), Samples::new(thread)),
            |_, (recorder, samples), _| recorder.record(samples.nanos()).is_ok(),
        ),
        Row::peer(
            "histogram, AtomicHistogram",
            NO_WINDOW,
            atomic_histogram(),
            |_, thread| Samples::new(thread),
            |histogram, samples, _| histogram.increment(samples.nanos()).is_ok(),
        ),
        Row::peer(
            "prometheus, Histogram of 11 buckets",
            NO_WINDOW,
            prometheus::Histogram::with_opts(prometheus::HistogramOpts::new("latency", "of calls")).expect("legal"),
            |_, thread| {
                let samples = Samples::new(thread);
                (samples.latencies.map(|latency| latency.as_secs_f64()), samples)
            },
            |histogram, (seconds, samples), _| {
                histogram.observe(seconds[samples.next()]);
                true
            },
        ),
        Row::peer(
            "by hand: parking_lot Mutex<VecDeque>",
            "blocks",
            Mutex::new(VecDeque::with_capacity(SAMPLES + 1)),
            |_, thread| Samples::new(thread),
            |window, samples, now| {
                let now = now.tick_ns();
                let mut window = window.lock();
                window.push_back((now, samples.nanos()));
                if window.len() > SAMPLES {
                    window.pop_front();
                }
                true
            },
        ),
    ];
    Section {
        name: "window record",
        call: "the latency of one call is recorded",
        reference: LOG_BUCKET,
        rows,
        alone: true,
        together: 2,
    }
}

/// 8192 samples spread over a second, and the instant at its end.
fn spread(latencies: &[Duration; 1024], mut record: impl FnMut(u64, Duration)) -> Instant {
    for sample in 0..SAMPLES as u64 {
        record(sample * 1_000_000_000 / SAMPLES as u64, latencies[sample as usize % 1024]);
    }
    Instant::from_nanos(999_999_999)
}

fn full(latencies: [Duration; 1024]) -> (SlidingWindow, Instant) {
    let window = window();
    let end = spread(&latencies, |at, latency| window.record(latency, true, Instant::from_nanos(at)));
    (window, end)
}

fn p95() -> Section {
    let usual = latencies(1_000_000, 4);
    let p95_is_right = |p95: Duration| p95 > Duration::from_millis(8) && p95 < Duration::from_millis(10);
    let deque = Mutex::new(VecDeque::new());
    spread(&usual, |at, latency| deque.lock().push_back((at, latency.as_nanos() as u64)));
    let mut slices: Vec<Histogram<u64>> = (0..16).map(|_| histogram()).collect();
    let whole_life = atomic_histogram();
    spread(&usual, |at, latency| {
        let latency = latency.as_nanos() as u64;
        slices[(at * 16 / 1_000_000_000) as usize].record(latency).expect("within the bounds");
        whole_life.increment(latency).expect("within the bounds");
    });
    let rows = vec![
        floors::load_cas(),
        Row::ours(
            "SlidingWindow, latencies of 1 to 16 ms",
            full(usual),
            |_, _| (),
            move |(window, now), (), _| window.quantile(P95, *now).is_some_and(p95_is_right),
        ),
        Row::ours(
            "SlidingWindow, latencies of 4 us to 2 h",
            full(latencies(4_096, 31)),
            |_, _| (),
            |(window, now), (), _| window.quantile(P95, *now).is_some_and(|p95| p95 > Duration::from_secs(60)),
        ),
        Row::peer(
            BY_HAND,
            "blocks those who record meanwhile",
            deque,
            |_, _| Vec::with_capacity(SAMPLES),
            move |window, sorted, _| {
                sorted.clear();
                sorted.extend(window.lock().iter().map(|sample: &(u64, u64)| sample.1));
                let index = sorted.len() * 95 / 100;
                let (_, p95, _) = sorted.select_nth_unstable(index);
                p95_is_right(Duration::from_nanos(*p95))
            },
        ),
        Row::peer(
            "by hand: 16 hdrhistograms added up",
            "one owner, or a lock",
            slices,
            |_, _| histogram(),
            move |slices, sum, _| {
                sum.reset();
                for slice in slices {
                    sum.add(slice).expect("the bounds are the same");
                }
                p95_is_right(Duration::from_nanos(sum.value_at_quantile(0.95)))
            },
        ),
        Row::peer(
            "histogram, AtomicHistogram copied",
            NO_WINDOW,
            whole_life,
            |histogram, _| histogram.load(),
            move |histogram, copy, _| {
                histogram.load_into(copy).expect("the same configuration");
                let p95 = copy.quantile(0.95).ok().flatten();
                p95.is_some_and(|p95| {
                    p95_is_right(Duration::from_nanos(p95.entries().values().next().expect("one").end()))
                })
            },
        )
        .beside(),
    ];
    Section {
        name: "window p95",
        call: "the 95th percentile of the last second, of 8192 samples",
        reference: floors::LOAD_CAS,
        rows,
        alone: true,
        together: 0,
    }
}
