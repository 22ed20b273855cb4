//! Guards that begin at one instant do not send in step.

use std::time::Duration;

use seawall::{BucketConfig, Fill, Guard, GuardConfig, Instant, Outcome, Rate, Reason, Request, WarmUp};

const GUARDS: u64 = 32;
const MS: u64 = 1_000_000;
const TEN: Rate = Rate::per_second(10);

fn bucket(rate: Rate) -> BucketConfig {
    BucketConfig::new(rate).burst(4).fill(Fill::Tokens(1))
}

fn guard(bucket: BucketConfig, seed: u64, now: Instant) -> Guard {
    let base = GuardConfig::for_service(bucket.rate, Duration::from_secs(1));
    Guard::new(GuardConfig { bucket, ..base }, seed, now).unwrap()
}

/// When a guard sends that begins at `start`, always has more to send than its bucket lets pass, and is answered at once.
fn sends(bucket: BucketConfig, seed: u64, start: Instant, span: Duration) -> Vec<u64> {
    let guard = guard(bucket, seed, start);
    let (mut now, mut sends) = (start, Vec::new());
    while now < start.saturating_add(span) {
        let mut call = guard.begin(Request::DEFAULT, now);
        match guard.try_attempt(&mut call, now) {
            Ok(admission) => {
                sends.push(now.saturating_duration_since(start).as_nanos() as u64);
                let _ = guard.finish(&mut call, admission.permit, Outcome::Success, now);
            }
            Err(refused) => now = now.saturating_add(refused.retry_after().unwrap()),
        }
    }
    sends
}

/// What the whole fleet sends in a minute.
fn fleet(bucket: BucketConfig, seed_of: fn(u64) -> u64) -> Vec<u64> {
    let minute = Duration::from_secs(60);
    let mut all: Vec<u64> =
        (0..GUARDS).flat_map(|number| sends(bucket, seed_of(number), Instant::ORIGIN, minute)).collect();
    all.sort_unstable();
    all
}

/// The most that is sent in a window of this length once the first tokens are gone, as a multiple of the mean.
fn peak(all: &[u64], window_ms: u64) -> f64 {
    let later: Vec<u64> = all.iter().copied().filter(|&at| at >= MS).collect();
    let within = |first: usize| later[first..].iter().take_while(|&&at| at < later[first] + window_ms * MS).count();
    let most = (0..later.len()).map(within).max().unwrap();
    most as f64 / (later.len() as f64 * window_ms as f64 / 60_000.0)
}

#[test]
fn a_fleet_that_begins_at_one_instant_does_not_earn_its_tokens_in_step() {
    let warm_up = WarmUp::linear(Rate::per_second(5), Duration::from_secs(7));
    for bucket in [bucket(TEN), bucket(TEN).warm_up(warm_up)] {
        let all = fleet(bucket, |number| number);
        assert!(peak(&all, 10) < 3.5 && peak(&all, 20) < 2.5, "{} {}", peak(&all, 10), peak(&all, 20));
        // With one seed for all of them every token is earned in the same nanosecond, ten times the rate in 10 ms.
        let in_step = fleet(bucket, |_| 7);
        assert!(peak(&in_step, 10) > 9.5, "{}", peak(&in_step, 10));
    }
    // A slow bucket begins at most half a second late: a seventh of its interval here.
    let slow = bucket(Rate::new(3, Duration::from_secs(10)).unwrap());
    let (all, in_step) = (fleet(slow, |number| number), fleet(slow, |_| 7));
    assert!(peak(&all, 100) < 15.0 && peak(&in_step, 100) > 30.0, "{} {}", peak(&all, 100), peak(&in_step, 100));
}

#[test]
fn the_phase_of_a_guard_sends_nothing_earlier_and_nothing_later_than_an_interval_or_half_a_second() {
    for rate in [TEN, Rate::per_second(1_000_000), Rate::per_minute(1), Rate::new(7, Duration::from_secs(3)).unwrap()] {
        let interval = rate.period().as_nanos() as u64 / rate.count();
        for start in [0, 1, u64::MAX / 2] {
            let start = Instant::from_nanos(start);
            for seed in 0..200 {
                let sends = sends(bucket(rate), seed, start, Duration::from_nanos(5 * interval));
                assert_eq!(sends[0], 0, "the token of the start is there");
                for (number, &at) in sends.iter().enumerate().skip(1) {
                    // 16 ns is what a token may be early by.
                    let due = number as u64 * interval;
                    let late = interval.min(500 * MS) + 16 + number as u64;
                    assert!(at + 16 >= due && at <= due + late, "{rate:?} {seed}: {number} at {at}, {due} is due");
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_out_of_phase_is_as_it_was() {
    let start = Instant::from_nanos(5);
    let none = guard(bucket(Rate::ZERO), 7, start);
    assert!(none.bucket().try_take(1, start).is_ok());
    assert!(none.bucket().peek(1, Instant::MAX).is_err());
    // Nor is a reading that is a little older than the start taken for a clock that stepped.
    for seed in 0..200 {
        let slow = guard(bucket(Rate::per_minute(1)), seed, Instant::from_nanos(10_000 * MS));
        let early = Instant::from_nanos(9_500 * MS);
        assert!(slow.bucket().try_take(1, early).is_ok());
        assert_eq!(slow.bucket().peek(1, early).unwrap_err().reason(), Reason::NotYet);
    }
    let last = guard(bucket(TEN), 7, Instant::MAX);
    assert!(last.bucket().try_take(1, Instant::MAX).is_ok());
}
