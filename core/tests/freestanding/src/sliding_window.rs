//! The sliding window in its full and a small size, its snapshots, and windows of shards, shared and owned.

use core::time::Duration;

use seawall::{Instant, OneWriter, Ratio, ShardedWindow, SlidingWindow, WindowConfig};

static FULL: SlidingWindow = match SlidingWindow::new(WindowConfig::DEFAULT) {
    Ok(window) => window,
    Err(_) => panic!("the default is legal, or this does not compile"),
};
static SMALL: SlidingWindow<4, 32> = match SlidingWindow::new(WindowConfig::DEFAULT) {
    Ok(window) => window,
    Err(_) => panic!("the default is legal, or this does not compile"),
};

static SHARDED: ShardedWindow<3, 4, 32> = match ShardedWindow::new(WindowConfig::DEFAULT) {
    Ok(window) => window,
    Err(_) => panic!("the default is legal, or this does not compile"),
};
static OWNED: ShardedWindow<2, 4, 32, OneWriter> = match ShardedWindow::for_owners(WindowConfig::DEFAULT) {
    Ok(window) => window,
    Err(_) => panic!("the default is legal, or this does not compile"),
};

fn nanos(duration: Option<Duration>) -> u64 {
    duration.map_or(0, |duration| duration.as_nanos() as u64)
}

crate::proofs! {
    fn proof_window_new(a, _b, _c) {
        let config = WindowConfig { window: Duration::from_nanos(a) };
        SlidingWindow::<2, 32>::new(config).map_or(0, |window| nanos(Some(window.slice())))
    }
    fn proof_window_record(a, b, c) {
        FULL.record(Duration::from_nanos(a), b == 0, Instant::from_nanos(c));
        SMALL.record(Duration::from_secs(a), b == 0, Instant::from_nanos(c));
        0
    }
    fn proof_window_quantile(a, b, c) {
        let now = Instant::from_nanos(c);
        nanos(FULL.quantile(Ratio::of(a, b), now)) + nanos(SMALL.quantile(Ratio::of(a, b), now))
    }
    fn proof_window_error_rate(a, _b, _c) {
        FULL.error_rate(Instant::from_nanos(a)).map_or(0, |rate| rate.as_ppm().into())
    }
    fn proof_window_summary(a, _b, _c) {
        let summary = FULL.summary(Instant::from_nanos(a));
        let latencies = [summary.mean, summary.max, summary.p50, summary.p95, summary.p99];
        let errors = summary.error_rate().map_or(0_u64, |rate| rate.as_ppm().into());
        latencies.map(nanos).iter().fold(errors, |sum, next| sum.wrapping_add(*next))
            ^ summary.throughput().count()
            ^ summary.total_count
            ^ summary.total_errors
    }
    fn proof_window_snapshot(a, b, c) {
        let mut snapshot = SMALL.snapshot(Instant::from_nanos(a));
        snapshot.merge(&SMALL.snapshot(Instant::from_nanos(b)));
        nanos(snapshot.mean())
            ^ nanos(snapshot.max())
            ^ nanos(snapshot.quantile(Ratio::of(b, c)))
            ^ nanos(Some(snapshot.observed()))
            ^ snapshot.summary().count
            ^ snapshot.errors()
            ^ snapshot.count()
    }
    fn proof_window_mark(a, _b, _c) { FULL.mark(Instant::from_nanos(a)); 0 }
    fn proof_window_rebase(a, b, _c) { FULL.rebase(Instant::from_nanos(a), Instant::from_nanos(b)); 0 }
    fn proof_window_totals(_a, _b, _c) { FULL.total_count() ^ FULL.total_errors() ^ FULL.total_late() }
    fn proof_window_size(_a, _b, _c) {
        nanos(Some(FULL.window())) ^ nanos(Some(FULL.slice())) ^ u64::from(SlidingWindow::<4, 32>::relative_error().as_ppm())
    }
    fn proof_sharded_window_record(a, b, c) {
        SHARDED.record(a as u32, Duration::from_nanos(a), b == 0, Instant::from_nanos(c));
        match OWNED.own(b as u32) {
            Some(mut owner) => owner.record(Duration::from_nanos(a), b == 0, Instant::from_nanos(c)),
            None => return 1,
        }
        0
    }
    fn proof_window_sharded(a, b, c) {
        let now = Instant::from_nanos(a);
        let (one, other) = (SHARDED.summary(now), OWNED.summary(now));
        nanos(one.p95)
            ^ other.count
            ^ nanos(SHARDED.quantile(Ratio::of(b, c), now))
            ^ OWNED.error_rate(now).map_or(0, |rate| rate.as_ppm().into())
            ^ SHARDED.snapshot(now).errors()
    }
    fn proof_sharded_window_totals(a, b, _c) {
        SHARDED.mark(Instant::from_nanos(a));
        OWNED.rebase(Instant::from_nanos(a), Instant::from_nanos(b));
        SHARDED.total_count() ^ SHARDED.total_errors() ^ OWNED.total_late() ^ nanos(Some(OWNED.window())) ^ nanos(Some(OWNED.slice()))
    }
    fn proof_sharded_window_new(a, _b, _c) {
        let config = WindowConfig { window: Duration::from_nanos(a) };
        ShardedWindow::<2, 2, 32>::new(config).is_ok() as u64
    }
}
