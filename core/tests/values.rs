//! The values that all mechanisms share: instants, rates, ratios, refusals. Oracles count in 128 bits.

use std::cmp::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use seawall::{Instant, Outcome, Rate, RateError, Ratio, Reason, Refused, Stage};

/// Any number, and often one at an end of the range.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..4_u64, u64::MAX - 3..=u64::MAX, 999_999_998..1_000_000_003_u64]
}

/// Any duration: some are longer than an instant can name.
fn duration() -> impl Strategy<Value = Duration> {
    let mixed = (prop_oneof![number(), 0..30_000_000_000_u64], 0..1_000_000_000_u32);
    prop_oneof![mixed.prop_map(|(s, ns)| Duration::new(s, ns)), number().prop_map(Duration::from_nanos)]
}

fn rate() -> impl Strategy<Value = Rate> {
    (number(), number().prop_filter("a period", |ns| *ns > 0))
        .prop_map(|(count, ns)| Rate::new(count, Duration::from_nanos(ns)).unwrap())
}

fn clamped(exact: i128) -> u64 {
    exact.clamp(0, i128::from(u64::MAX)) as u64
}

fn exact(duration: Duration) -> i128 {
    i128::from(duration.as_secs()) * 1_000_000_000 + i128::from(duration.subsec_nanos())
}

/// A fraction as the whole parts of its continued fraction: equal fractions have equal lists, whatever they look like.
fn continued_fraction(mut numerator: u128, mut denominator: u128) -> Vec<u128> {
    let mut parts = Vec::new();
    while denominator > 0 {
        parts.push(numerator / denominator);
        (numerator, denominator) = (denominator, numerator % denominator);
    }
    parts
}

proptest! {
    #[test]
    fn instants_stop_at_their_ends_and_never_wrap(start in number(), by in duration(), other in number()) {
        let (instant, earlier) = (Instant::from_nanos(start), Instant::from_nanos(other));
        let start = i128::from(start);
        prop_assert_eq!(instant.saturating_add(by).as_nanos(), clamped(start + exact(by)));
        prop_assert_eq!(instant.saturating_sub(by).as_nanos(), clamped(start - exact(by)));
        let since = instant.saturating_duration_since(earlier);
        prop_assert_eq!(since, Duration::from_nanos(clamped(start - i128::from(other))));
    }

    #[test]
    fn two_rates_are_equal_exactly_when_their_fractions_are(a in rate(), b in rate(), factor in 1..1_000_u64) {
        let parts = |rate: Rate| continued_fraction(rate.count().into(), rate.period().as_nanos());
        prop_assert_eq!(a == b, parts(a) == parts(b));
        if let (Some(count), Some(ns)) =
            (a.count().checked_mul(factor), (a.period().as_nanos() as u64).checked_mul(factor))
        {
            let same = Rate::new(count, Duration::from_nanos(ns)).unwrap();
            prop_assert_eq!(same, a);
            prop_assert_eq!(same.cmp(&b), a.cmp(&b));
        }
    }

    #[test]
    fn a_rate_earns_the_exact_count_rounded_down(rate in rate(), over in duration()) {
        let earned = u128::from(rate.count_in(over));
        let (count, period) = (u128::from(rate.count()), rate.period().as_nanos());
        // What the rate has made of the time, in parts of a count: at most (2^64 - 1)^2.
        let made = count * u128::from(clamped(exact(over)));
        prop_assert!(earned * period <= made, "earned {} too many", earned);
        if earned < u128::from(u64::MAX) {
            let one_more = (earned + 1).checked_mul(period);
            prop_assert!(one_more.is_none_or(|parts| parts > made), "earned {} too few", earned);
        }
    }

    #[test]
    fn the_order_of_rates_is_the_order_of_what_they_earn(a in rate(), b in rate(), over in duration()) {
        match a.cmp(&b) {
            Ordering::Less => prop_assert!(a.count_in(over) <= b.count_in(over)),
            Ordering::Equal => prop_assert_eq!(a.count_in(over), b.count_in(over)),
            Ordering::Greater => prop_assert!(a.count_in(over) >= b.count_in(over)),
        }
    }

    #[test]
    fn a_ratio_is_rounded_down_and_never_over_one(part in number(), whole in number()) {
        let ppm = u128::from(Ratio::of(part, whole).as_ppm());
        let (part, whole) = (u128::from(part), u128::from(whole));
        if whole == 0 {
            prop_assert_eq!(ppm, 0);
        } else if part >= whole {
            prop_assert_eq!(ppm, 1_000_000);
        } else {
            prop_assert!(ppm * whole <= part * 1_000_000 && part * 1_000_000 < (ppm + 1) * whole);
        }
    }

    #[test]
    fn a_share_is_rounded_down_and_never_over_the_whole(ppm in 0..=1_000_000_u32, whole in number()) {
        let share = u128::from(Ratio::from_ppm(ppm).unwrap().share_of(whole));
        let exact = u128::from(whole) * u128::from(ppm);
        prop_assert!(share * 1_000_000 <= exact && exact < (share + 1) * 1_000_000);
    }

    #[test]
    fn a_refusal_never_asks_to_come_back_at_once(wait in duration()) {
        let told = Refused::not_yet(Stage::TokenBucket, Some(wait)).retry_after();
        // What is too long to name is not known.
        let nameable = exact(wait) < i128::from(u64::MAX);
        prop_assert_eq!(told, nameable.then(|| wait.max(Duration::from_nanos(1))));
    }
}

#[test]
fn a_rate_without_a_period_or_with_an_endless_one_is_refused_in_words() {
    let longest = Duration::from_nanos(u64::MAX);
    assert!(Rate::new(1, longest).is_ok());
    assert_eq!(Rate::new(1, Duration::ZERO), Err(RateError::ZeroPeriod));
    assert_eq!(Rate::new(1, longest + Duration::from_nanos(1)), Err(RateError::PeriodTooLong));
    for error in [RateError::ZeroPeriod, RateError::PeriodTooLong] {
        assert!(error.to_string().contains("allowed are 1 ns to 584 years"), "{error}");
    }
}

#[test]
fn a_ratio_over_one_is_refused_in_words() {
    assert_eq!(Ratio::from_ppm(1_000_000), Ok(Ratio::ONE));
    assert_eq!(Ratio::percent(100), Ok(Ratio::ONE));
    let errors = [Ratio::from_ppm(1_000_001), Ratio::percent(101), Ratio::from_ppm(u32::MAX), Ratio::percent(u32::MAX)];
    for error in errors.map(Result::unwrap_err) {
        assert!(error.to_string().contains("allowed are 0 to 1"), "{error}");
    }
}

#[test]
fn never_and_a_stepped_clock_are_answers_of_their_own() {
    for (refused, reason) in [
        (Refused::never(Stage::TokenBucket), Reason::Never),
        (Refused::clock_stepped(Stage::TokenBucket), Reason::ClockStepped),
        (Refused::not_yet(Stage::TokenBucket, None), Reason::NotYet),
    ] {
        assert_eq!((refused.stage(), refused.reason()), (Stage::TokenBucket, reason));
        assert_eq!(refused.retry_after(), None);
    }
}

#[test]
fn only_a_failure_and_a_throttle_speak_against_the_service() {
    let bad = [Outcome::Failure, Outcome::Throttled(None), Outcome::Throttled(Some(Duration::ZERO))];
    assert!(bad.into_iter().all(Outcome::is_bad));
    assert!(![Outcome::Success, Outcome::Ignored].into_iter().any(Outcome::is_bad));
}
