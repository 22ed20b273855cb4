//! What a sharded window promises: to be one window, whoever records into which shard, against lists of samples
//! (`oracle/sliding_window.rs`, one for each shard).
#![allow(unreachable_pub, reason = "modules of a test program are reached from here only")]

#[allow(dead_code, reason = "the test of one window asks more of it")]
#[path = "oracle/sliding_window.rs"]
mod oracle;
mod support;

use core::time::Duration;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use seawall::{
    Instant, OneWriter, Ratio, ShardedWindow, ShardedWindowView, SlidingWindow, WindowConfig, WindowConfigError,
    WindowSummary,
};

const SECOND: u64 = 1_000_000_000;
const SHARDS: usize = 3;
const CELLS: usize = 128;

type Many = ShardedWindow<SHARDS, 8, CELLS>;
type Owned = ShardedWindow<SHARDS, 8, CELLS, OneWriter>;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn config(nanos: u64) -> WindowConfig {
    WindowConfig { window: Duration::from_nanos(nanos) }
}

fn many(nanos: u64) -> Box<Many> {
    Box::new(Many::new(config(nanos)).expect("a legal window"))
}

fn owned(nanos: u64) -> Box<Owned> {
    Box::new(Owned::for_owners(config(nanos)).expect("a legal window"))
}

fn nanos(duration: Option<Duration>) -> Option<u64> {
    duration.map(|d| u64::try_from(d.as_nanos()).expect("fits"))
}

/// A list for each shard, and one that heard it all.
struct Lists {
    shards: Vec<oracle::Window>,
    all: oracle::Window,
}

impl Lists {
    fn new(window: u64) -> Self {
        let list = || oracle::Window::new(window, 8);
        Self { shards: (0..SHARDS).map(|_| list()).collect(), all: list() }
    }

    fn record(&mut self, shard: usize, latency: u64, ok: bool, now: u64) {
        self.shards[shard].record(latency, ok, now);
        self.all.record(latency, ok, now);
    }

    fn rebase(&mut self, old_now: u64, new_now: u64) {
        for list in self.shards.iter_mut().chain([&mut self.all]) {
            list.rebase(old_now, new_now);
        }
    }

    /// What the shards say together. The time observed is one for all.
    fn seen(&self, now: u64) -> oracle::Seen {
        let mut seen = oracle::Seen { latencies: vec![], errors: 0, observed: self.all.seen(now).observed };
        for shard in &self.shards {
            let more = shard.seen(now);
            seen.latencies.extend(more.latencies);
            seen.errors += more.errors;
        }
        seen.latencies.sort_unstable();
        seen
    }

    fn words(&self, now: u64) -> String {
        let (seen, cells) = (self.seen(now), oracle::Cells::new(CELLS));
        let late: u64 = self.shards.iter().map(|shard| shard.late).sum();
        format!(
            "count={} errors={} observed_ns={} max_ns={} p50_ns={} p95_ns={} total_count={} total_errors={} \
             total_late={late}",
            seen.latencies.len(),
            seen.errors,
            seen.observed,
            word(seen.latencies.last().map(|l| oracle::rounded_up(*l))),
            word(cells.quantile(&seen, 500_000)),
            word(cells.quantile(&seen, 950_000)),
            self.all.total,
            self.all.total_errors,
        )
    }
}

fn word(value: Option<u64>) -> String {
    value.map_or_else(|| "none".to_owned(), |n| n.to_string())
}

/// What the product says, in the words of the lists.
fn words(summary: WindowSummary, late: u64) -> String {
    format!(
        "count={} errors={} observed_ns={} max_ns={} p50_ns={} p95_ns={} total_count={} total_errors={} \
         total_late={late}",
        summary.count,
        summary.errors,
        summary.observed.as_nanos(),
        word(nanos(summary.max)),
        word(nanos(summary.p50)),
        word(nanos(summary.p95)),
        summary.total_count,
        summary.total_errors,
    )
}

#[derive(Clone, Debug)]
enum Step {
    Record { shard: usize, latency: u64, ok: bool },
    Forward(u64),
    Back(u64),
    Jump(u64),
    Mark,
    Rebase(u64),
}

fn record() -> impl Strategy<Value = Step> {
    let latency = prop_oneof![
        (0_u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift),
        SECOND / 1_000..SECOND,
        Just(u64::MAX),
    ];
    (0..SHARDS, latency, prop::bool::weighted(0.7)).prop_map(|(shard, latency, ok)| Step::Record { shard, latency, ok })
}

fn steps(window: u64) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => record(),
        10 => (0..window / 4).prop_map(Step::Forward),
        2 => (0..4 * window).prop_map(Step::Forward),
        4 => (0..window / 2).prop_map(Step::Back),
        1 => (0..8 * window).prop_map(Step::Back),
        1 => prop_oneof![Just(0), Just(u64::MAX), any::<u64>()].prop_map(Step::Jump),
        1 => Just(Step::Mark),
        1 => prop_oneof![Just(0), any::<u64>()].prop_map(Step::Rebase),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shards_say_together_what_a_list_for_each_says_whoever_records_and_whatever_time_does(
        window in prop_oneof![Just(1_000_003), Just(10 * SECOND)],
        start in prop_oneof![Just(0), any::<u64>()],
        steps in steps(10 * SECOND),
    ) {
        let (many, owned, mut lists) = (many(window), owned(window), Lists::new(window));
        let mut owners: Vec<_> = (0..).map_while(|shard| owned.own(shard)).collect();
        prop_assert_eq!(owners.len(), SHARDS);
        let mut now = start;
        for step in steps {
            match step {
                Step::Record { shard, .. } if lists.shards[shard].takes_back(now) => continue,
                Step::Record { shard, latency, ok } => {
                    many.record(shard as u32, Duration::from_nanos(latency), ok, at(now));
                    owners[shard].record(Duration::from_nanos(latency), ok, at(now));
                    lists.record(shard, latency, ok, now);
                }
                Step::Forward(by) => now = now.saturating_add(by),
                Step::Back(by) => now = now.saturating_sub(by),
                Step::Jump(to) => now = to,
                Step::Mark => {
                    many.mark(at(now));
                    owned.mark(at(now));
                    lists.rebase(now, now);
                }
                Step::Rebase(to) => {
                    many.rebase(at(now), at(to));
                    owned.rebase(at(now), at(to));
                    lists.rebase(now, to);
                    now = to;
                }
            }
            let expected = lists.words(now);
            prop_assert_eq!(&words(many.summary(at(now)), many.total_late()), &expected);
            prop_assert_eq!(&words(owned.summary(at(now)), owned.total_late()), &expected);
            let seen = lists.seen(now);
            let rate = (seen.errors * 1_000_000).checked_div(seen.latencies.len() as u64);
            prop_assert_eq!(many.error_rate(at(now)).map(|r| u64::from(r.as_ppm())), rate);
            prop_assert_eq!(many.snapshot(at(now)).summary().p95, many.quantile(Ratio::percent(95).unwrap(), at(now)));
            prop_assert_eq!(owned.snapshot(at(now)).summary(), many.snapshot(at(now)).summary());
        }
    }

    #[test]
    fn a_sharded_window_at_rest_is_one_window_that_heard_it_all(
        steps in prop::collection::vec(prop_oneof![
            3 => record(),
            1 => (0..2 * SECOND).prop_map(Step::Forward),
            1 => Just(Step::Mark),
        ], 1..120),
    ) {
        let (many, owned) = (many(8 * SECOND), owned(8 * SECOND));
        let one = Box::new(SlidingWindow::<8, CELLS>::new(config(8 * SECOND)).expect("a legal window"));
        let mut owners: Vec<_> = (0..).map_while(|shard| owned.own(shard)).collect();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Record { shard, latency, ok } => {
                    many.record(shard as u32, Duration::from_nanos(latency), ok, at(now));
                    owners[shard].record(Duration::from_nanos(latency), ok, at(now));
                    one.record(Duration::from_nanos(latency), ok, at(now));
                }
                Step::Mark => {
                    many.mark(at(now));
                    owned.mark(at(now));
                    one.mark(at(now));
                }
                Step::Forward(by) => now += by,
                Step::Back(_) | Step::Jump(_) | Step::Rebase(_) => unreachable!("not among these steps"),
            }
        }
        prop_assert_eq!(many.summary(at(now)), one.summary(at(now)));
        prop_assert_eq!(owned.summary(at(now)), one.summary(at(now)));
    }
}

#[test]
fn owners_lose_nothing_while_slices_turn_marks_fall_and_others_read() {
    const EACH: u64 = 100_000;
    let window = Box::new(ShardedWindow::<SHARDS, 2, 32, OneWriter>::for_owners(config(1_000_000)).expect("legal"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (window, over) = (&window, &over);
        let workers: Vec<_> = (0..SHARDS as u32)
            .map(|shard| {
                let mut mine = window.own(shard).expect("a shard for each");
                scope.spawn(move || {
                    for i in 0..EACH {
                        // A new slice every five samples, and now and then a reading several turns old.
                        let now = (i * 100_000 + u64::from(shard) * 30_000).saturating_sub(if i % 17 == 0 {
                            3_000_000
                        } else {
                            0
                        });
                        mine.record(Duration::from_micros(i % 300), i % 10 != 0, at(now));
                    }
                })
            })
            .collect();
        scope.spawn(move || {
            let mut i = 0;
            while !over.load(Ordering::Relaxed) {
                i += 1;
                let summary = window.summary(at(i * 500_000));
                assert!(summary.errors <= summary.count && summary.total_count <= SHARDS as u64 * EACH);
                assert!(summary.p50 <= summary.p99 && summary.p99 <= summary.max);
                if i % 100 == 0 {
                    window.mark(at(i * 500_000));
                }
            }
        });
        for worker in workers {
            worker.join().expect("no assertion of a worker failed");
        }
        over.store(true, Ordering::Relaxed);
    });
    let all = SHARDS as u64 * EACH;
    assert_eq!((window.total_count(), window.total_errors()), (all, all / 10));
}

#[test]
fn a_shard_has_one_owner_at_a_time_and_the_next_goes_on_where_it_stopped() {
    let window = owned(8 * SECOND);
    for turn in 1..=3_u64 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut mine = window.own(1).expect("the one before is gone");
                assert!(
                    window.own(1).is_none() && window.own(SHARDS as u32).is_none() && window.own(u32::MAX).is_none()
                );
                assert!(window.own(0).is_some());
                mine.record(Duration::from_millis(turn), turn != 2, at(turn * SECOND));
            });
        });
        let summary = window.summary(at(turn * SECOND));
        assert_eq!((summary.count, summary.max), (turn, Some(Duration::from_millis(turn))));
    }
    core::mem::forget(window.own(1).expect("free"));
    assert!(window.own(1).is_none(), "who forgets a shard keeps it");
    assert_eq!((window.total_count(), window.total_errors()), (3, 1));
}

#[test]
fn any_number_of_a_shard_is_right_for_those_who_share() {
    let window = many(8 * SECOND);
    for shard in [0, 1, SHARDS as u32, 7, u32::MAX] {
        window.record(shard, Duration::from_millis(1), true, at(0));
    }
    assert_eq!(window.summary(at(0)).count, 5);
    #[cfg(feature = "std")]
    {
        window.record_here(Duration::from_millis(1), false, at(0));
        assert_eq!((window.total_count(), window.total_errors()), (6, 1));
    }
}

#[test]
fn a_sharded_window_that_cannot_be_is_refused_and_a_shard_is_as_large_as_a_window() {
    assert_eq!(Many::new(config(999_999)).map(|_| ()).unwrap_err(), WindowConfigError::TooShort);
    assert_eq!(Owned::for_owners(WindowConfig { window: Duration::MAX }).map(|_| ()), Err(WindowConfigError::TooLong));
    let (one, two) = (size_of::<ShardedWindow<1>>(), size_of::<ShardedWindow<2>>());
    assert!(two - one <= size_of::<SlidingWindow>() && (two - one).is_multiple_of(64));
    assert_eq!(align_of::<Many>(), 64);
}

#[test]
fn the_vectors_of_the_oracle_are_what_a_sharded_window_does() {
    let mut lines = Vec::new();
    for (window, start) in [(8 * SECOND, 0_u64), (1_000_001, 1 << 40)] {
        lines.push(format!("new window_ns={window} shards={SHARDS} slices=8 cells={CELLS} -> ok"));
        let mut lists = Lists::new(window);
        let (mut now, mut state) = (start, window);
        for i in 0..60_u64 {
            // Any walk will do: small steps, now and then a long one or one back.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (a, b) = (state >> 33, state >> 17 & 0xFFFF);
            now = match i % 15 {
                6 => now.saturating_sub(a % window),
                11 => now.saturating_add(a % (3 * window)),
                _ => now.saturating_add(a % (window / 6)),
            };
            if i % 23 == 22 {
                lines.push(format!("mark now={now} -> ok"));
                lists.rebase(now, now);
            }
            let (shard, latency, ok) = (b as usize % SHARDS, (b * b * b) >> (10 + i % 12), b % 5 != 0);
            lines.push(format!("record shard={shard} latency_ns={latency} ok={} now={now} -> ok", u64::from(ok)));
            lists.record(shard, latency, ok, now);
            if i % 3 == 2 {
                lines.push(format!("summary now={now} -> {}", lists.words(now)));
            }
        }
    }
    let mut product = many(SECOND);
    // The same with sizes that are known when the program runs.
    let mut storage = ShardedWindowView::storage::<{ ShardedWindowView::words_for(3, 8, 128).unwrap() }>();
    let view: &mut ShardedWindowView = &mut storage;
    support::vectors::check("sharded_window", &lines, |step| {
        let now = || at(step.number("now"));
        match step.operation {
            "new" => {
                let config = WindowConfig { window: Duration::from_nanos(step.number("window_ns")) };
                product = many(step.number("window_ns"));
                view.renew(config, 3, 8, 128).expect("a legal window");
            }
            "record" => {
                let latency = Duration::from_nanos(step.number("latency_ns"));
                let (shard, ok) = (step.number("shard") as u32, step.number("ok") == 1);
                product.record(shard, latency, ok, now());
                view.record(shard, latency, ok, now()).expect("anybody may");
            }
            "mark" => {
                product.mark(now());
                view.mark(now());
            }
            "summary" => {
                let summary = product.summary(now());
                assert_eq!((view.summary(now()), view.total_late()), (summary, product.total_late()));
                return words(summary, product.total_late());
            }
            other => panic!("what is {other}?"),
        }
        "ok".to_owned()
    });
}
