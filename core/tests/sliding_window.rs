//! What a sliding window promises, against a list of samples (`oracle/sliding_window.rs`).
#![allow(unreachable_pub, reason = "modules of a test program are reached from here only")]

#[path = "oracle/sliding_window.rs"]
mod oracle;
mod support;

use core::time::Duration;

use proptest::prelude::*;
use seawall::{Instant, Rate, Ratio, SlidingWindow, SlidingWindowView, WindowConfig, WindowConfigError, WindowSummary};

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 365 * 86_400 * SECOND;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn window<const S: usize, const C: usize>(nanos: u64) -> Box<SlidingWindow<S, C>> {
    Box::new(SlidingWindow::new(WindowConfig { window: Duration::from_nanos(nanos) }).expect("a legal window"))
}

fn nanos(duration: Option<Duration>) -> Option<u64> {
    duration.map(|d| u64::try_from(d.as_nanos()).expect("fits"))
}

#[derive(Clone, Debug)]
enum Step {
    Record { latency: u64, ok: bool },
    Forward(u64),
    Jump(u64),
    Back(u64),
    Mark,
    Rebase(u64),
}

fn latency() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0_u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift),
        4 => SECOND / 1_000..SECOND,
        1 => Just(0),
        1 => Just(u64::MAX),
    ]
}

fn steps(window: u64) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (latency(), prop::bool::weighted(0.7)).prop_map(|(latency, ok)| Step::Record { latency, ok }),
        10 => (0..window / 4).prop_map(Step::Forward),
        2 => (0..4 * window).prop_map(Step::Forward),
        1 => Just(Step::Forward(YEAR)),
        1 => prop_oneof![Just(0), Just(u64::MAX), any::<u64>()].prop_map(Step::Jump),
        4 => (0..window / 2).prop_map(Step::Back),
        1 => (0..8 * window).prop_map(Step::Back),
        1 => Just(Step::Mark),
        1 => prop_oneof![Just(0), any::<u64>()].prop_map(Step::Rebase),
    ];
    prop::collection::vec(step, 1..80)
}

/// Runs `steps` on the product and on the list, and compares all they say after each.
fn compare<const S: usize, const C: usize>(width: u64, start: u64, steps: &[Step]) {
    let product = window::<S, C>(width);
    let mut list = oracle::Window::new(width, S as u64);
    assert_eq!(product.slice(), Duration::from_nanos(list.width()));
    let mut now = start;
    for step in steps {
        match *step {
            Step::Record { .. } if list.takes_back(now) => continue,
            Step::Record { latency, ok } => {
                product.record(Duration::from_nanos(latency), ok, at(now));
                list.record(latency, ok, now);
            }
            Step::Forward(by) => now = now.saturating_add(by),
            Step::Back(by) => now = now.saturating_sub(by),
            Step::Jump(to) => now = to,
            Step::Mark => {
                product.mark(at(now));
                list.rebase(now, now);
            }
            Step::Rebase(to) => {
                product.rebase(at(now), at(to));
                list.rebase(now, to);
                now = to;
            }
        }
        compare_now::<S, C>(&product, &list, now);
    }
}

fn compare_now<const S: usize, const C: usize>(product: &SlidingWindow<S, C>, list: &oracle::Window, now: u64) {
    let seen = list.seen(now);
    let snapshot = product.snapshot(at(now));
    let summary = product.summary(at(now));
    assert_eq!(summary.count, seen.latencies.len() as u64, "count");
    assert_eq!(summary.errors, seen.errors, "errors");
    assert_eq!((summary.total_count, summary.total_errors), (list.total, list.total_errors), "totals");
    assert_eq!(product.total_late(), list.late, "late");
    assert_eq!(summary.observed, Duration::from_nanos(seen.observed), "observed");
    assert_eq!(summary.error_rate(), product.error_rate(at(now)));
    assert_eq!(
        product.error_rate(at(now)).map(|r| u64::from(r.as_ppm())),
        (seen.errors * 1_000_000).checked_div(seen.latencies.len() as u64)
    );
    assert_eq!(nanos(summary.max), seen.latencies.last().map(|l| oracle::rounded_up(*l)), "max");

    let error = u128::from(SlidingWindow::<S, C>::relative_error().as_ppm());
    let smallest_cell = 4_096 * 32 / C as u128;
    let end_of_scale = 1_u128 << 43;
    for ppm in [0, 1, 10_000, 250_000, 500_000, 900_000, 950_000, 990_000, 999_999, 1_000_000] {
        let exact = seen.quantile(ppm);
        let answer = nanos(snapshot.quantile(Ratio::from_ppm(ppm as u32).unwrap()));
        assert_eq!(answer.is_some(), exact.is_some(), "quantile {ppm}");
        let (Some(exact), Some(answer)) = (exact.map(u128::from), answer.map(u128::from)) else { continue };
        if exact < end_of_scale {
            let allowed = (exact * error).div_ceil(1_000_000).max(smallest_cell / 2).max((exact >> 26) + 1);
            let is_in_last_cell = exact >= end_of_scale - (end_of_scale >> 1) / (C as u128 / 32);
            assert!(
                answer.abs_diff(exact) <= allowed || is_in_last_cell,
                "quantile {ppm}: {answer} for {exact}, more than {allowed} off"
            );
        } else {
            assert!(answer >= end_of_scale - (end_of_scale >> 1), "what is too long for the scale is not short");
        }
    }
    if seen.latencies.last().is_some_and(|longest| u128::from(*longest) < end_of_scale) {
        let (exact, answer) = (seen.mean().unwrap(), u128::from(nanos(summary.mean).unwrap()));
        assert!(
            answer.abs_diff(exact) <= exact * error / 1_000_000 + smallest_cell / 2 + 1,
            "mean {answer} for {exact}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_exact_and_quantiles_within_the_stated_error_whatever_time_does(
        start in prop_oneof![Just(0), any::<u64>()],
        steps in steps(10 * SECOND),
    ) {
        compare::<16, 512>(10 * SECOND, start, &steps);
    }

    #[test]
    fn small_windows_keep_the_same_promises_with_a_larger_stated_error(
        start in prop_oneof![Just(0), any::<u64>()],
        steps in steps(1_000_003),
    ) {
        compare::<2, 32>(1_000_003, start, &steps);
        compare::<8, 64>(1_000_003, start, &steps);
    }
}

#[test]
fn an_empty_window_has_no_error_rate_and_no_latencies() {
    let window = window::<8, 64>(SECOND);
    for now in [0, 1, SECOND, YEAR, u64::MAX] {
        let summary = window.summary(at(now));
        assert_eq!((window.error_rate(at(now)), window.quantile(Ratio::HALF, at(now))), (None, None));
        assert_eq!((summary.count, summary.mean, summary.max, summary.p50, summary.p99), (0, None, None, None, None));
        assert_eq!(summary.throughput(), Rate::ZERO);
    }
}

#[test]
fn idle_of_any_length_expires_all_at_once() {
    for idle in [10 * SECOND, 11 * SECOND, 160 * SECOND, YEAR, 500 * YEAR] {
        let window = window::<16, 512>(10 * SECOND);
        for i in 0..1_000 {
            window.record(millis(i), i % 2 == 0, at(i * SECOND / 100));
        }
        let last = 999 * SECOND / 100;
        assert_eq!(window.summary(at(last)).count, 1_000);
        assert_eq!(window.summary(at(last + idle)).count, 0, "after {idle} ns");
        // The first sample after the pause meets 16 slices of old cells, and counts alone.
        window.record(millis(7), true, at(last + idle));
        let summary = window.summary(at(last + idle));
        assert_eq!((summary.count, summary.errors, summary.max), (1, 0, Some(millis(7))));
        assert_eq!((summary.total_count, summary.total_errors), (1_001, 500));
    }
}

#[test]
fn throughput_divides_by_the_time_really_observed() {
    let window = window::<16, 64>(16 * SECOND);
    // Ten in the very first millisecond are not 10,000 a second.
    for i in 0..10 {
        window.record(millis(1), true, at(100 * SECOND + i * 100_000));
    }
    assert_eq!(window.summary(at(100 * SECOND + 1_000_000)).throughput(), Rate::per_second(10));
    // Two seconds later, nor are they spread over the 16 s that nobody has seen.
    assert_eq!(window.summary(at(102 * SECOND)).throughput(), Rate::per_second(5));
    // A steady 4 a second reads as 4 a second, whether the window is young, full, or past a pause within it.
    let steady = self::window::<16, 64>(16 * SECOND);
    for quarter in 0..400 {
        let now = 7 * SECOND + quarter * SECOND / 4;
        steady.record(millis(1), true, at(now));
        if quarter >= 40 {
            let throughput = steady.summary(at(now)).throughput();
            assert!(throughput >= Rate::per_second(4) && throughput <= Rate::new(5, Duration::from_secs(1)).unwrap());
        }
    }
}

#[test]
fn a_mark_excludes_what_came_before_and_nothing_else_even_within_one_slice() {
    let window = window::<8, 64>(8 * SECOND);
    let now = at(3 * SECOND + 500_000_000);
    for i in 0..36 {
        window.record(millis(5), false, at(i * SECOND / 10));
    }
    window.mark(now);
    assert_eq!((window.error_rate(now), window.summary(now).count), (None, 0));
    window.record(millis(5), true, now);
    assert_eq!(window.error_rate(now), Some(Ratio::ZERO));
    // It stays excluded as time goes on, and the time before the mark is not time observed.
    for later in [4, 5, 9, 11] {
        let summary = window.summary(at(later * SECOND));
        assert_eq!((summary.count, summary.errors), (u64::from(later < 11), 0), "at {later} s");
        assert_eq!(window.summary(at(5 * SECOND)).observed, millis(1_500));
    }
    assert_eq!((window.total_count(), window.total_errors()), (37, 36));
}

#[test]
fn an_older_now_counts_in_its_own_slice_while_that_is_there() {
    let window = window::<8, 64>(8 * SECOND);
    window.record(millis(1), true, at(7 * SECOND));
    window.record(millis(1), true, at(2 * SECOND));
    assert_eq!(window.summary(at(7 * SECOND)).count, 2);
    // The slice of second 2 leaves the window at second 10.
    assert_eq!(window.summary(at(9 * SECOND)).count, 2);
    assert_eq!(window.summary(at(10 * SECOND)).count, 1);
    // Once its slot serves a later turn, a sample of second 2 is late, and touches nothing in the window.
    window.record(millis(1), true, at(10 * SECOND));
    window.record(millis(900), false, at(2 * SECOND));
    let summary = window.summary(at(10 * SECOND));
    assert_eq!((summary.count, summary.errors, summary.max), (2, 0, Some(millis(1))));
    assert_eq!((window.total_late(), summary.total_count, summary.total_errors), (1, 4, 1));
}

#[test]
fn one_absurd_reading_costs_one_slot_at_most_and_heals() {
    let window = window::<8, 64>(8 * SECOND);
    window.record(millis(1), true, at(u64::MAX));
    let mut counted = 0;
    for second in 0..8 {
        window.record(millis(1), true, at(second * SECOND));
        counted = window.summary(at(second * SECOND)).count;
    }
    assert_eq!((counted, window.total_late()), (8, 0), "a reading 584 years ahead is not believed");

    // Nor is one of 100,000 windows ahead, and what it left in a cell is not believed either when that time comes near.
    let window = self::window::<8, 64>(8 * SECOND);
    let turn = |n: u64| at(n * 8 * SECOND);
    window.record(millis(900), true, turn(100_000));
    window.record(millis(1), true, turn(0));
    assert_eq!((window.summary(turn(0)).count, window.total_late()), (1, 0));
    window.record(millis(1), true, turn(50_000));
    window.record(millis(900), true, turn(50_000));
    assert_eq!((window.summary(turn(50_000)).count, window.total_late()), (2, 0));

    // A reading an hour ahead might be true, so its slot waits for that hour, or for a rebase.
    let window = self::window::<8, 64>(8 * SECOND);
    window.record(millis(1), true, at(3_600 * SECOND));
    for second in 0..8 {
        window.record(millis(1), true, at(second * SECOND));
    }
    assert_eq!((window.summary(at(7 * SECOND)).count, window.total_late()), (7, 1));
    window.rebase(at(3_600 * SECOND), at(8 * SECOND));
    for second in 8..16 {
        window.record(millis(1), true, at(second * SECOND));
    }
    assert_eq!((window.summary(at(15 * SECOND)).count, window.total_late()), (8, 1));
}

#[test]
fn merged_snapshots_of_several_windows_are_that_of_one() {
    let one = window::<8, 128>(SECOND);
    let parts = [window::<8, 128>(SECOND), window::<8, 128>(SECOND)];
    for i in 0..1_000_u64 {
        let (latency, ok, now) = (Duration::from_micros(i * i), i % 7 != 0, at(i * 1_000_000));
        one.record(latency, ok, now);
        parts[i as usize % 2].record(latency, ok, now);
    }
    let now = at(999_000_000);
    let mut merged = parts[0].snapshot(now);
    merged.merge(&parts[1].snapshot(now));
    assert_eq!(merged.summary(), one.snapshot(now).summary());
}

#[test]
fn a_window_that_cannot_be_is_refused_with_what_is_allowed() {
    let refused = |window| SlidingWindow::<2, 32>::new(WindowConfig { window }).map(|_| ()).unwrap_err();
    assert_eq!(refused(Duration::ZERO), WindowConfigError::TooShort);
    assert_eq!(refused(Duration::from_nanos(999_999)), WindowConfigError::TooShort);
    assert_eq!(refused(Duration::MAX), WindowConfigError::TooLong);
    assert_eq!(refused(Duration::from_nanos(YEAR + 1)), WindowConfigError::TooLong);
    assert!(refused(Duration::ZERO).to_string().contains("1 ms to 365 days"));
    for legal in [Duration::from_millis(1), Duration::from_nanos(YEAR)] {
        assert!(SlidingWindow::<2, 32>::new(WindowConfig { window: legal }).is_ok());
    }
}

#[test]
fn windows_are_as_large_as_their_documentation_says() {
    assert!(size_of::<SlidingWindow>() <= 65 * 1024);
    assert!(size_of::<SlidingWindow<16, 128>>() <= 17 * 1024);
    assert!(size_of::<SlidingWindow<8, 64>>() <= 44 * 1024 / 10);
    assert!(size_of::<SlidingWindow<4, 32>>() <= 13 * 1024 / 10);
}

#[test]
fn threads_that_record_across_slice_boundaries_lose_nothing() {
    const THREADS: u64 = 4;
    const EACH: u64 = 100_000;
    let window = window::<8, 64>(1_000_000_000_000);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let window = &window;
            scope.spawn(move || {
                // Each walks through the same seven slices, 40 times over each boundary.
                for i in 0..EACH {
                    let now = at(i * 7 * 125_000_000_000 / EACH + thread);
                    window.record(millis(i % 50), i % 10 != 0, now);
                }
            });
        }
    });
    let summary = window.summary(at(874_999_999_999));
    assert_eq!((summary.count, summary.errors), (THREADS * EACH, THREADS * EACH / 10));
    assert_eq!((summary.total_count, summary.total_errors), (THREADS * EACH, THREADS * EACH / 10));
}

#[test]
fn threads_that_run_round_the_ring_count_every_sample_once_in_the_totals() {
    const THREADS: u64 = 4;
    const EACH: u64 = 100_000;
    let window = window::<2, 32>(1_000_000);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let window = &window;
            scope.spawn(move || {
                for i in 0..EACH {
                    // A new slice every five samples, and now and then a reading several turns old.
                    let now = (i * 100_000 + thread * 30_000).saturating_sub(if i % 17 == 0 { 3_000_000 } else { 0 });
                    window.record(Duration::from_micros(i % 300), i % 10 != 0, at(now));
                }
            });
        }
        let window = &window;
        scope.spawn(move || {
            for i in 0..20_000 {
                let summary = window.summary(at(i * 500_000));
                assert!(summary.errors <= summary.count && summary.total_count <= THREADS * EACH);
                assert!(summary.p50 <= summary.p99 && summary.p99 <= summary.max);
            }
        });
    });
    assert_eq!((window.total_count(), window.total_errors()), (THREADS * EACH, THREADS * EACH / 10));
}

fn word(value: Option<u64>) -> String {
    value.map_or_else(|| "none".to_owned(), |n| n.to_string())
}

#[test]
fn the_vectors_of_the_oracle_are_what_the_window_does() {
    const CELLS: usize = 128;
    let cells = oracle::Cells::new(CELLS);
    let mut lines = Vec::new();
    for (window, start) in [(8 * SECOND, 0), (1_000_001, 1 << 40), (YEAR, u64::MAX - 3 * SECOND)] {
        lines.push(format!("new window_ns={window} slices=8 cells={CELLS} -> ok"));
        let mut list = oracle::Window::new(window, 8);
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
                list.rebase(now, now);
            }
            if i % 41 == 40 {
                lines.push(format!("rebase old_now={now} new_now={start} -> ok"));
                list.rebase(now, start);
                now = start;
            }
            let (latency, ok) = ((b * b * b) >> (10 + i % 12), u64::from(b % 5 != 0));
            lines.push(format!("record latency_ns={latency} ok={ok} now={now} -> ok"));
            list.record(latency, ok == 1, now);
            if i % 3 == 2 {
                let seen = list.seen(now);
                lines.push(format!(
                    "summary now={now} -> count={} errors={} observed_ns={} mean_ns={} max_ns={} p50_ns={} p95_ns={} \
                     p99_ns={} total_count={} total_errors={} total_late={}",
                    seen.latencies.len(),
                    seen.errors,
                    seen.observed,
                    word(cells.mean(&seen)),
                    word(seen.latencies.last().map(|l| oracle::rounded_up(*l))),
                    word(cells.quantile(&seen, 500_000)),
                    word(cells.quantile(&seen, 950_000)),
                    word(cells.quantile(&seen, 990_000)),
                    list.total,
                    list.total_errors,
                    list.late,
                ));
            }
        }
    }
    let mut product = window::<8, CELLS>(SECOND);
    // The same with sizes that are known when the program runs.
    let mut storage = SlidingWindowView::storage::<{ SlidingWindowView::words_for(8, CELLS).unwrap() }>();
    let view: &mut SlidingWindowView = &mut storage;
    support::vectors::check("sliding_window", &lines, |step| {
        let now = || at(step.number("now"));
        match step.operation {
            "new" => {
                let config = WindowConfig { window: Duration::from_nanos(step.number("window_ns")) };
                product = window(step.number("window_ns"));
                view.renew(config, 8, CELLS).expect("a legal window");
            }
            "record" => {
                let (latency, ok) = (Duration::from_nanos(step.number("latency_ns")), step.number("ok") == 1);
                product.record(latency, ok, now());
                view.record(latency, ok, now());
            }
            "mark" => {
                product.mark(now());
                view.mark(now());
            }
            "rebase" => {
                product.rebase(at(step.number("old_now")), at(step.number("new_now")));
                view.rebase(at(step.number("old_now")), at(step.number("new_now")));
            }
            "summary" => {
                let summary = product.summary(now());
                assert_eq!((view.summary(now()), view.total_late()), (summary, product.total_late()));
                assert_eq!(view.error_rate(now()), product.error_rate(now()));
                let WindowSummary { count, errors, observed, mean, max, p50, p95, p99, total_count, total_errors } =
                    summary;
                return format!(
                    "count={count} errors={errors} observed_ns={} mean_ns={} max_ns={} p50_ns={} p95_ns={} p99_ns={} \
                     total_count={total_count} total_errors={total_errors} total_late={}",
                    observed.as_nanos(),
                    word(nanos(mean)),
                    word(nanos(max)),
                    word(nanos(p50)),
                    word(nanos(p95)),
                    word(nanos(p99)),
                    product.total_late(),
                );
            }
            other => panic!("what is {other}?"),
        }
        "ok".to_owned()
    });
}
