//! What an AIMD controller promises, against an oracle (`oracle/aimd_controller.rs`) and against services that fail,
//! slow down and recover in virtual time.
#![allow(unreachable_pub, reason = "modules of a test program are reached from here only")]

#[path = "oracle/aimd_controller.rs"]
mod oracle;
mod support;

use core::time::Duration;

use proptest::prelude::*;
use seawall::{
    AimdConfig, AimdConfigError, AimdController, Instant, Random, Rate, RateChange, RateChangeReason, Ratio,
    SlidingWindow, WindowConfig, WindowSummary,
};

const SECOND: u64 = 1_000_000_000;
const SEED: u64 = 42;
const DEFAULT: AimdConfig = AimdConfig::DEFAULT;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn second(n: u64) -> Instant {
    at(n * SECOND)
}

fn controller(config: AimdConfig) -> AimdController {
    AimdController::new(config).expect("a legal config")
}

fn ppm(ppm: u32) -> Ratio {
    Ratio::from_ppm(ppm).expect("a legal share")
}

fn per_second(rate: Rate) -> f64 {
    rate.count() as f64 / rate.period().as_secs_f64()
}

/// A rate in millionths per second, to the nearest.
fn millionths(rate: Rate) -> u128 {
    let period = rate.period().as_nanos();
    (u128::from(rate.count()) * 1_000_000_000_000_000 + period / 2) / period
}

fn rules(config: AimdConfig) -> oracle::Rules {
    oracle::Rules {
        initial: millionths(config.initial_rate),
        min: millionths(config.min_rate),
        max: millionths(config.max_rate),
        step: millionths(config.step),
        factor: config.factor.as_ppm().into(),
        error_threshold: config.error_threshold.as_ppm().into(),
        latency_threshold: config.latency_threshold.as_nanos(),
        interval: config.interval.as_nanos(),
        minimum_samples: config.minimum_samples.into(),
        error_baseline_max: config.error_baseline_max.as_ppm().into(),
        latency_baseline_max: config.latency_baseline_max.as_nanos(),
    }
}

fn plain(change: Option<RateChange>) -> Option<(u128, u128, &'static str)> {
    change.map(|c| (millionths(c.from), millionths(c.to), c.reason.name()))
}

/// A summary of `count` calls in `observed`, at these totals.
fn summary(total: u64, errors: u64, p95: Option<Duration>, count: u64, observed: Duration) -> WindowSummary {
    WindowSummary {
        count,
        errors: errors.min(count),
        observed,
        mean: p95,
        max: p95,
        p50: p95,
        p95,
        p99: p95,
        total_count: total,
        total_errors: errors,
    }
}

/// A healthy summary of a limit in full use.
fn healthy(total: u64) -> WindowSummary {
    summary(total, 0, Some(Duration::from_millis(20)), 30_000, Duration::from_secs(30))
}

fn configs() -> impl Strategy<Value = AimdConfig> {
    let rates = (1_u64..50, 0_u64..50, 0_u64..500, 1_u64..90_000, prop_oneof![Just(1_u64), Just(7), Just(60)]);
    let shares = (0_u32..1_000_000, 0_u32..300_000, 0_u32..400_000);
    (rates, shares, 0_u64..2_000, 1_u64..60 * SECOND, 1_u64..50, 0_u64..3_000).prop_map(
        |((min, above, range, step, period), (factor, threshold, learn), p95, interval, samples, learn_p95)| {
            let rate = |n| Rate::new(n, Duration::from_secs(period)).expect("a legal period");
            AimdConfig {
                min_rate: rate(min),
                initial_rate: rate(min + above),
                max_rate: rate(min + above + range),
                step: Rate::new(step, Duration::from_secs(10_000)).expect("a legal period"),
                factor: ppm(factor),
                error_threshold: ppm(threshold),
                latency_threshold: Duration::from_millis(p95),
                interval: Duration::from_nanos(interval),
                minimum_samples: samples,
                error_baseline_max: ppm(learn),
                latency_baseline_max: Duration::from_millis(learn_p95),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn update_decides_as_the_oracle_does_whatever_time_does(
        config in configs(),
        start in prop_oneof![Just(0), 0..u64::MAX - 1],
        calls in prop::collection::vec(
            (
                prop::option::of(prop_oneof![Just(0), 0_u32..=1_000_000]),
                prop::option::of(0_u64..3_000_000_000),
                prop_oneof![0..60_i64, -30..30_i64],
            ),
            1..100,
        ),
    ) {
        let (product, mut oracle) = (controller(config), oracle::Controller::new(rules(config)));
        let mut now = start;
        for (errors, p95, step) in calls {
            // The very last instant is kept apart: the product takes it for the one before.
            now = now.saturating_add_signed(step * SECOND as i64).min(u64::MAX - 1);
            let change = product.update(errors.map(ppm), p95.map(Duration::from_nanos), at(now));
            let expected = oracle.update(errors.map(u128::from), p95.map(u128::from), now.into());
            prop_assert_eq!(plain(change), expected);
            prop_assert_eq!(millionths(product.current_rate()), oracle.rate);
        }
    }

    #[test]
    fn observe_decides_as_the_oracle_does_whatever_time_does(
        config in configs(),
        start in prop_oneof![Just(0), 0..u64::MAX - 1],
        calls in prop::collection::vec(
            (
                0_u64..300,
                prop_oneof![Just(0_u64), 0..30_u64, 0..=100_u64],
                prop::option::of(0_u64..3_000_000_000),
                (0_u64..3_000, 1_u64..60 * SECOND),
                prop_oneof![0..60_i64, -30..30_i64],
            ),
            1..100,
        ),
    ) {
        let (product, mut oracle) = (controller(config), oracle::Controller::new(rules(config)));
        let (mut now, mut total, mut failed) = (start, 0, 0);
        for (calls, percent, p95, (count, observed), step) in calls {
            now = now.saturating_add_signed(step * SECOND as i64).min(u64::MAX - 1);
            total += calls;
            failed += calls * percent / 100;
            let seen = summary(total, failed, p95.map(Duration::from_nanos), count, Duration::from_nanos(observed));
            let change = product.observe(&seen, at(now));
            let expected = oracle.observe(oracle::Seen {
                total: total.into(),
                total_errors: failed.into(),
                p95: p95.map(u128::from),
                count: count.into(),
                observed: observed.into(),
            }, now.into());
            prop_assert_eq!(plain(change), expected);
            prop_assert_eq!(millionths(product.current_rate()), oracle.rate);
            let learned = product.error_baseline().map(|share| {
                (share.as_ppm().into(), product.latency_baseline().expect("known with the other").as_micros())
            });
            prop_assert_eq!(learned, oracle.baseline);
        }
    }
}

#[test]
fn the_default_is_the_guides_rule_told_once_an_interval() {
    let controller = controller(DEFAULT);
    let good = (Some(Ratio::ZERO), Some(Duration::from_millis(399)));
    assert_eq!(controller.current_rate(), Rate::per_second(5));
    let change = controller.update(good.0, good.1, second(0)).expect("the first call may change it");
    assert_eq!((change.from, change.to), (Rate::per_second(5), Rate::per_second(6)));
    assert_eq!(change.reason, RateChangeReason::Healthy);
    assert_eq!(controller.update(good.0, good.1, second(29)), None);
    // At the thresholds all is well, beyond them it is not.
    let at_threshold = controller.update(Some(ppm(50_000)), Some(Duration::from_millis(400)), second(30));
    assert_eq!(at_threshold.map(|c| c.to), Some(Rate::per_second(7)));
    let errors = controller.update(Some(ppm(50_001)), good.1, second(60)).expect("too many errors");
    assert_eq!((errors.to, errors.reason), (Rate::new(7, Duration::from_secs(2)).unwrap(), RateChangeReason::Errors));
    let slow = controller.update(good.0, Some(Duration::from_nanos(400_000_001)), second(90)).expect("too slow");
    assert_eq!((slow.to, slow.reason), (Rate::new(7, Duration::from_secs(4)).unwrap(), RateChangeReason::Latency));
    // The floor holds, and a cut that changes nothing takes no interval.
    assert_eq!(controller.update(Some(Ratio::ONE), None, second(120)).map(|c| c.to), Some(Rate::per_second(1)));
    assert_eq!(controller.update(Some(Ratio::ONE), None, second(150)), None);
    assert_eq!(controller.update(good.0, good.1, second(151)).map(|c| c.to), Some(Rate::per_second(2)));
    // The ceiling holds too.
    controller.set_rate(Rate::new(995, Duration::from_secs(10)).unwrap());
    assert_eq!(controller.update(good.0, good.1, second(181)).map(|c| c.to), Some(Rate::per_second(100)));
    assert_eq!(controller.update(good.0, good.1, second(211)), None);
}

#[test]
fn no_evidence_is_no_change() {
    let controller = controller(DEFAULT);
    let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT).unwrap();
    for n in 0..10_000 {
        assert_eq!(controller.update(None, None, second(n)), None);
        assert_eq!(controller.observe(&window.summary(second(n)), second(n)), None);
    }
    assert_eq!((controller.current_rate(), controller.error_baseline()), (Rate::per_second(5), None));
    // A year later the first evidence counts as if nothing had been.
    let year = 365 * 86_400;
    for n in 0..200 {
        window.record(Duration::from_millis(5), true, second(year + n / 10));
    }
    assert!(controller.observe(&window.summary(second(year + 20)), second(year + 20)).is_some());
}

#[test]
fn simultaneous_failures_cut_once_and_are_told_once() {
    let controller = controller(AimdConfig { initial_rate: Rate::per_second(64), ..DEFAULT });
    for interval in 0..4_u64 {
        let told = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    let controller = &controller;
                    scope.spawn(move || {
                        let calls = (0..2_000).map(|i| second(interval * 30 + (i + thread) % 30));
                        calls.filter(|now| controller.update(Some(Ratio::ONE), None, *now).is_some()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        // The first change came at any second of its interval, so later ones may be due once more at its end.
        assert!(told <= 1, "told {told} times");
    }
    let rate = per_second(controller.current_rate());
    assert!((4.0..=32.0).contains(&rate), "{rate}");
}

#[test]
fn samples_carry_over_until_there_are_enough() {
    let config = AimdConfig { minimum_samples: 10, ..DEFAULT };
    let controller = controller(config);
    let seen = |total, errors| summary(total, errors, None, 1, Duration::from_secs(30));
    assert_eq!(controller.observe(&seen(0, 0), second(0)), None);
    // One call in half a minute, all failed: nine of them are too few, the tenth is enough.
    for n in 1..10 {
        assert_eq!(controller.observe(&seen(n, n), second(30 * n)), None);
    }
    let change = controller.observe(&seen(10, 10), second(300)).expect("ten samples");
    assert_eq!((change.to, change.reason), (Rate::new(5, Duration::from_secs(2)).unwrap(), RateChangeReason::Errors));
    // And they are not judged again.
    assert_eq!(controller.observe(&seen(10, 10), second(400)), None);
    assert_eq!(controller.observe(&seen(19, 10), second(400)), None);
    assert_eq!(controller.due_at(), second(330));
}

#[test]
fn a_service_that_fails_every_call_is_cut_on_however_few_samples() {
    let controller = controller(AimdConfig { minimum_samples: 1, ..DEFAULT });
    let seen = |total, errors| summary(total, errors, None, 1, Duration::from_secs(30));
    assert_eq!(controller.observe(&seen(0, 0), second(0)), None);
    assert_eq!(controller.observe(&seen(1, 0), second(0)), None, "one call a half minute does not use the limit");
    let change = controller.observe(&seen(2, 1), second(30)).expect("all of one call failed");
    assert_eq!(change.reason, RateChangeReason::Errors);
}

#[test]
fn growth_needs_a_limit_in_use_and_never_passes_twice_the_measured_rate() {
    let controller = controller(AimdConfig { initial_rate: Rate::per_second(20), ..DEFAULT });
    let measured = |total, per_minute| summary(total, 0, None, per_minute, Duration::from_secs(60));
    assert_eq!(controller.observe(&measured(0, 0), second(0)), None);
    // A third of the limit in use: no growth, and no cut either.
    assert_eq!(controller.observe(&measured(100, 400), second(1)), None);
    assert_eq!(controller.due_at(), second(31), "it was judged, and found idle");
    assert_eq!(controller.current_rate(), Rate::per_second(20));
    // A bit over a half: growth up to twice that, not a whole step.
    let change = controller.observe(&measured(200, 615), second(31)).expect("in use");
    assert_eq!(change.to, Rate::new(41, Duration::from_secs(2)).unwrap());
    // In full use: a whole step.
    let change = controller.observe(&measured(300, 1_200), second(61)).expect("in use");
    assert_eq!(change.to, Rate::new(43, Duration::from_secs(2)).unwrap());
}

#[test]
fn a_p95_that_is_older_than_the_last_change_does_not_cut_again() {
    let config = AimdConfig { initial_rate: Rate::per_second(64), interval: Duration::from_secs(1), ..DEFAULT };
    let controller = controller(config);
    let window = SlidingWindow::<16, 128>::new(WindowConfig { window: Duration::from_secs(30) }).unwrap();
    let mut cuts = 0;
    for n in 0..50_u64 {
        // Three slow seconds, then all is well; the window shows them for half a minute.
        let latency = Duration::from_millis(if (10..13).contains(&n) { 2_000 } else { 20 });
        for i in 0..64 {
            window.record(latency, true, at(n * SECOND + i * SECOND / 64));
        }
        let change = controller.observe(&window.summary(second(n + 1)), second(n + 1));
        cuts += u32::from(change.is_some_and(|c| c.reason == RateChangeReason::Latency));
    }
    assert!(cuts <= 1, "{cuts} cuts for one event");
}

/// A service in virtual time, called at the controller's rate through a window.
struct Scene {
    controller: AimdController,
    window: Box<SlidingWindow<16, 128>>,
    random: Random,
    now: u64,
    owed: f64,
}

impl Scene {
    fn new(config: AimdConfig, seed: u64) -> Self {
        let window = Box::new(SlidingWindow::new(WindowConfig::DEFAULT).unwrap());
        Self { controller: controller(config), window, random: Random::from_seed(seed), now: 0, owed: 0.0 }
    }

    /// One second: `demand` calls a second are wanted; `service` says of a call, by the rate and a number below 1,
    /// whether it succeeds and how long it takes.
    fn second(&mut self, demand: f64, service: impl Fn(f64, f64) -> (bool, u64)) -> Option<RateChange> {
        let rate = per_second(self.controller.current_rate()).min(demand);
        self.owed += rate;
        let calls = self.owed as u64;
        self.owed -= calls as f64;
        for i in 0..calls {
            let draw = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            let (ok, millis) = service(rate, draw);
            let now = at(self.now + i * SECOND / calls);
            self.window.record(Duration::from_millis(millis), ok, now);
        }
        self.now += SECOND;
        let now = at(self.now - 1);
        self.controller.observe(&self.window.summary(now), now)
    }

    fn rate(&self) -> f64 {
        per_second(self.controller.current_rate())
    }
}

#[test]
fn ten_per_cent_background_errors_are_no_trap_the_rate_reaches_the_ceiling_within_the_hour() {
    for seed in 0..5 {
        let mut scene = Scene::new(DEFAULT, seed);
        let (mut cuts, mut reached) = (0, None);
        for n in 0..3_600 {
            let change = scene.second(f64::MAX, |_, draw| (draw >= 0.1, 20));
            cuts += u32::from(change.is_some_and(|c| c.to < c.from));
            if scene.rate() >= 100.0 {
                reached = reached.or(Some(n));
            }
        }
        let reached = reached.expect("the ceiling is reached");
        // Alone the 95 steps of an interval each take 2,820 seconds.
        assert!(reached < 3_000 && cuts == 0, "seed {seed}: after {reached} s, {cuts} cuts");
        assert_eq!(scene.controller.current_rate(), Rate::per_second(100), "seed {seed}: it stays there");
    }

    // The plain rule on the very same service stays where it must not.
    let mut plain = Scene::new(AimdConfig { error_baseline_max: Ratio::ZERO, ..DEFAULT }, SEED);
    for n in 0..3_600 {
        plain.second(f64::MAX, |_, draw| (draw >= 0.1, 20));
        let now = at(plain.now - 1);
        if n % 30 == 29 {
            let summary = plain.window.summary(now);
            let _ = plain.controller.update(summary.error_rate(), summary.p95, now);
        }
    }
    assert!(plain.rate() < 10.0, "the trap is a trap: {}", plain.rate());
}

#[test]
fn errors_and_slowness_that_no_cut_cures_are_learned_and_left() {
    for seed in 0..4 {
        let mut scene = Scene::new(AimdConfig { initial_rate: Rate::per_second(50), ..DEFAULT }, seed);
        for _ in 0..600 {
            scene.second(f64::MAX, |_, _| (true, 20));
        }
        assert!(scene.rate() >= 60.0);
        // From now on a tenth fails and a tenth takes 700 ms, whatever the rate.
        let mut lowest = f64::MAX;
        for _ in 0..3_600 {
            scene.second(f64::MAX, |_, draw| (draw >= 0.1, if draw > 0.9 { 700 } else { 20 }));
            lowest = lowest.min(scene.rate());
        }
        assert!(lowest < 10.0 && scene.rate() > 90.0, "seed {seed}: down to {lowest}, then up to {}", scene.rate());
        // And once the service is well again, the tolerance is gone.
        for _ in 0..1_200 {
            scene.second(f64::MAX, |_, _| (true, 20));
        }
        let (errors, latency) = (scene.controller.error_baseline(), scene.controller.latency_baseline());
        assert!(errors < Some(ppm(5_000)) && latency < Some(Duration::from_millis(100)), "{errors:?} {latency:?}");
    }
}

#[test]
fn a_service_with_a_capacity_is_kept_near_it() {
    let config = AimdConfig { interval: Duration::from_secs(10), max_rate: Rate::per_second(500), ..DEFAULT };
    let mut scene = Scene::new(config, SEED);
    let (mut wasted, mut rates) = (0.0, 0.0);
    for n in 0..7_200 {
        scene.second(f64::MAX, |rate, draw| (draw * rate < 50.0, 20));
        if n >= 3_600 {
            rates += scene.rate().min(50.0);
            wasted += (scene.rate() - 50.0).max(0.0);
        }
    }
    let (used, wasted) = (rates / 3_600.0 / 50.0, wasted / 3_600.0 / 50.0);
    assert!(used > 0.7 && wasted < 0.1, "uses {used:.2} of the capacity, sends {wasted:.2} of it in vain");
}

#[test]
fn an_outage_is_answered_by_the_floor_and_the_end_of_it_by_growth() {
    let mut scene = Scene::new(AimdConfig { initial_rate: Rate::per_second(60), ..DEFAULT }, SEED);
    for _ in 0..300 {
        scene.second(f64::MAX, |_, _| (true, 20));
    }
    for _ in 0..600 {
        scene.second(f64::MAX, |_, _| (false, 1_000));
    }
    assert_eq!(scene.controller.current_rate(), Rate::per_second(1));
    // What failed a hundred per cent is no baseline.
    assert!(scene.controller.error_baseline() <= Some(ppm(200_000)));
    for _ in 0..900 {
        scene.second(f64::MAX, |_, _| (true, 20));
    }
    assert!(scene.rate() > 25.0, "{}", scene.rate());
}

#[test]
fn a_client_of_one_message_a_minute_is_not_stuck() {
    let rate = |n| Rate::per_minute(n);
    let config = AimdConfig { initial_rate: rate(1), min_rate: rate(1), max_rate: rate(6), step: rate(1), ..DEFAULT };
    let mut scene = Scene::new(AimdConfig { minimum_samples: 3, ..config }, SEED);
    // The window is long enough to hold a few.
    *scene.window = SlidingWindow::new(WindowConfig { window: Duration::from_secs(600) }).unwrap();
    for _ in 0..3 * 3_600 {
        scene.second(f64::MAX, |_, _| (true, 20));
    }
    assert_eq!(scene.controller.current_rate(), rate(6));
}

#[test]
fn an_older_now_changes_nothing_and_a_rebase_heals_an_absurd_one() {
    let controller = controller(DEFAULT);
    assert!(controller.update(Some(Ratio::ZERO), None, at(u64::MAX)).is_some());
    for now in [0, 1, SECOND, u64::MAX / 2, u64::MAX] {
        assert_eq!(controller.update(Some(Ratio::ONE), None, at(now)), None);
    }
    assert_eq!(controller.due_at(), Instant::MAX);
    controller.rebase(at(u64::MAX), second(100));
    assert_eq!(controller.due_at(), second(130));
    assert_eq!(controller.update(Some(Ratio::ONE), None, second(129)), None);
    assert!(controller.update(Some(Ratio::ONE), None, second(130)).is_some());
}

#[test]
fn a_reset_forgets_what_was_learned_and_judged() {
    let controller = controller(DEFAULT);
    let _ = controller.observe(&healthy(0), second(0));
    let _ = controller.observe(&healthy(100), second(1));
    assert!(controller.error_baseline().is_some() && controller.current_rate() > DEFAULT.initial_rate);
    controller.reset(second(2));
    assert_eq!((controller.current_rate(), controller.error_baseline()), (DEFAULT.initial_rate, None));
    assert_eq!(controller.due_at(), second(32));
    assert_eq!(controller.observe(&healthy(200), second(32)), None, "the totals are noted first");
    assert!(controller.observe(&healthy(300), second(33)).is_some());
}

#[test]
fn a_config_that_cannot_work_is_refused_with_what_is_allowed() {
    let refused = |config| AimdController::new(config).map(|_| ()).unwrap_err();
    let cases = [
        (AimdConfig { min_rate: Rate::ZERO, ..DEFAULT }, AimdConfigError::MinRateTooLow),
        (AimdConfig { max_rate: Rate::per_second(u64::MAX), ..DEFAULT }, AimdConfigError::MaxRateTooHigh),
        (AimdConfig { initial_rate: Rate::per_second(101), ..DEFAULT }, AimdConfigError::RatesOutOfOrder),
        (AimdConfig { min_rate: Rate::per_second(6), ..DEFAULT }, AimdConfigError::RatesOutOfOrder),
        (AimdConfig { step: Rate::ZERO, ..DEFAULT }, AimdConfigError::StepTooSmall),
        (AimdConfig { factor: Ratio::ONE, ..DEFAULT }, AimdConfigError::FactorTooLarge),
        (AimdConfig { interval: Duration::ZERO, ..DEFAULT }, AimdConfigError::ZeroInterval),
        (AimdConfig { minimum_samples: 0, ..DEFAULT }, AimdConfigError::ZeroMinimumSamples),
    ];
    for (config, error) in cases {
        assert_eq!(refused(config), error);
        assert!(error.to_string().contains("allowed"), "{error}");
    }
    assert!(AimdController::new(AimdConfig { factor: Ratio::ZERO, interval: Duration::MAX, ..DEFAULT }).is_ok());
}

fn told(change: Option<(u128, u128, &'static str)>) -> String {
    change.map_or_else(
        || "none".to_owned(),
        |(from, to, reason)| format!("changed from_millionths={from} to_millionths={to} reason={reason}"),
    )
}

fn optional(value: Option<u64>) -> String {
    value.map_or_else(|| "none".to_owned(), |n| n.to_string())
}

#[test]
fn the_vectors_of_the_oracle_are_what_the_controller_does() {
    let slow_client = AimdConfig {
        initial_rate: Rate::per_minute(7),
        min_rate: Rate::per_minute(1),
        max_rate: Rate::per_second(1),
        step: Rate::new(1, Duration::from_secs(7)).unwrap(),
        factor: ppm(700_000),
        interval: Duration::from_secs(10),
        minimum_samples: 3,
        ..DEFAULT
    };
    let configs = [("default", DEFAULT), ("slow_client", slow_client)];
    let mut lines = Vec::new();
    for (name, config) in configs {
        let mut random = Random::from_seed(7);
        let mut below = |n: u64| random.next_u64() % n;
        lines.push(format!("new config={name} -> ok"));
        let mut oracle = oracle::Controller::new(rules(config));
        let mut now = 0;
        for _ in 0..60 {
            now += below(40 * SECOND);
            let errors = (below(4) > 0).then(|| below(100_000));
            let p95 = (below(4) > 0).then(|| below(SECOND / 2));
            let change = oracle.update(errors.map(u128::from), p95.map(u128::from), now.into());
            let (errors, p95) = (optional(errors), optional(p95));
            lines.push(format!("update error_ppm={errors} p95_ns={p95} now={now} -> {}", told(change)));
        }
        lines.push(format!("new config={name} -> ok"));
        let mut oracle = oracle::Controller::new(rules(config));
        let (mut total, mut failed, mut now) = (0, 0, 0);
        for i in 0..120 {
            now += below(40 * SECOND);
            let calls = below(200);
            total += calls;
            failed += calls * if i / 20 % 2 == 0 { 8 + below(4) } else { below(40) } / 100;
            let p95 = (below(8) > 0).then(|| below(if i / 30 % 2 == 0 { SECOND / 3 } else { SECOND }));
            let (count, observed) = (below(3_000), SECOND + below(29 * SECOND));
            let change = oracle.observe(
                oracle::Seen {
                    total: total.into(),
                    total_errors: failed.into(),
                    p95: p95.map(u128::from),
                    count: count.into(),
                    observed: observed.into(),
                },
                now.into(),
            );
            lines.push(format!(
                "observe total={total} total_errors={failed} p95_ns={} count={count} observed_ns={observed} now={now} -> {}",
                optional(p95),
                told(change)
            ));
        }
    }
    let mut product = controller(DEFAULT);
    support::vectors::check("aimd_controller", &lines, |step| {
        let p95 = || step.optional("p95_ns").map(Duration::from_nanos);
        match step.operation {
            "new" => {
                product = controller(configs.iter().find(|c| c.0 == step.word("config")).expect("a known config").1);
                "ok".to_owned()
            }
            "update" => {
                let errors = step.optional("error_ppm").map(|share| ppm(share as u32));
                told(plain(product.update(errors, p95(), at(step.number("now")))))
            }
            "observe" => {
                let seen = summary(
                    step.number("total"),
                    step.number("total_errors"),
                    p95(),
                    step.number("count"),
                    Duration::from_nanos(step.number("observed_ns")),
                );
                told(plain(product.observe(&seen, at(step.number("now")))))
            }
            other => panic!("what is {other}?"),
        }
    });
}
