//! What latency is usual, and so which reply is slow.

use super::*;

#[test]
fn what_is_slow_follows_from_what_is_usual() {
    let limit = Limit::new(LimitConfig { start: 8, ..adaptive() }).unwrap();
    assert_eq!(limit.slow_after(), Duration::from_millis(250));
    let reply = |began: u64, after: u64| {
        limit.finish(permit(&limit, ms(began)), Outcome::Success, ms(began + after));
    };
    for call in 0..600 {
        reply(call * 1000, 300);
    }
    // 2.25 x 300 ms, less what is left of the first guess.
    assert!((660..=675).contains(&limit.slow_after().as_millis()), "{:?}", limit.slow_after());
    // Never so long that only a time-out would be slow; and it is forgotten when the service is quick again.
    for call in 600..3000 {
        reply(call * 1000, 900);
    }
    assert_eq!(limit.slow_after(), Duration::from_millis(900));
    for call in 3000..6000 {
        reply(call * 1000, 20);
    }
    assert_eq!(limit.slow_after(), Duration::from_millis(250));
}

#[test]
fn once_it_is_known_what_is_usual_one_reply_in_eight_of_a_slot_teaches_for_all_of_them() {
    let limit = Limit::new(LimitConfig { start: 8, ..adaptive() }).unwrap();
    let reply = |after: u64| {
        let before = limit.slow_after();
        limit.finish(permit(&limit, ms(0)), Outcome::Success, ms(after));
        limit.slow_after() != before
    };
    // All of the first 504: the mean leaves the first guess, and then the least bound of what is slow.
    assert_eq!((0..504).filter(|_| reply(400)).count(), 504);
    // 2.25 x (395 ms + (450 ms - 395 ms) / 64), and so on.
    let mean = limit.slow_after().as_nanos() as f64 / 2.25;
    let taught: Vec<_> = (0..64).filter(|_| reply(390)).collect();
    assert_eq!(taught.len(), 8);
    assert!(taught.windows(2).all(|two| two[1] - two[0] == 8), "{taught:?}");
    let expected = 390e6 + (mean - 390e6) * (1.0 - 1.0 / 64.0f64).powi(8);
    assert!((limit.slow_after().as_nanos() as f64 / 2.25 - expected).abs() < 10.0);
}

#[test]
fn at_the_floor_it_learns_though_more_than_half_is_used_also_where_the_floor_is_the_ceiling() {
    for (ceiling, learns) in [(4, true), (5, false)] {
        let limit = Limit::new(LimitConfig { start: ceiling, floor: 4, ceiling, ..adaptive() }).unwrap();
        let _others = [0; 2].map(|_| permit(&limit, ms(0)));
        for _ in 0..600 {
            limit.finish(permit(&limit, ms(0)), Outcome::Success, ms(200));
        }
        assert_eq!(limit.slow_after() > Duration::from_millis(400), learns, "{:?}", limit.slow_after());
    }
}

#[test]
fn what_is_measured_while_the_limit_is_used_is_not_usual() {
    let limit = Limit::new(LimitConfig { start: 4, ..adaptive() }).unwrap();
    for round in 0..500 {
        let [first, second] = [0; 2].map(|_| permit(&limit, ms(round * 1000)));
        limit.cancel(first, ms(round * 1000));
        // In flight with another when it began: half of four.
        limit.finish(second, Outcome::Success, ms(round * 1000 + 400));
    }
    assert_eq!(limit.slow_after(), Duration::from_millis(250));
}

#[test]
fn a_service_that_always_takes_long_is_found_out_from_the_floor() {
    let limit = Limit::new(LimitConfig { start: 2, ..adaptive() }).unwrap();
    // As much as it lets through, each reply after 400 ms: from 2 down to the floor, and up again.
    let mut permits: std::collections::VecDeque<_> = [ms(0), ms(150)].map(|now| permit(&limit, now)).into();
    let mut least = u32::MAX;
    for _ in 0..4000 {
        let oldest = permits.pop_front().unwrap();
        let now = Instant::from_nanos(oldest.started().as_nanos() + 400 * MS);
        limit.finish(oldest, Outcome::Success, now);
        least = least.min(limit.limit());
        while let Ok(permit) = limit.try_attempt(now) {
            permits.push_back(permit);
        }
    }
    assert_eq!(least, 1);
    assert_eq!(limit.limit(), 16);
}

#[test]
fn one_reading_from_far_ahead_teaches_no_more_than_a_time_out() {
    let limit = Limit::new(LimitConfig { start: 8, ..adaptive() }).unwrap();
    for call in 0..600 {
        limit.finish(permit(&limit, ms(call * 1000)), Outcome::Success, ms(call * 1000 + 20));
    }
    // Under way while the machine was suspended: it took 20 ms and eight hours.
    limit.finish(permit(&limit, ms(600_000)), Outcome::Success, ms(600_000 + 8 * 3_600_000));
    assert_eq!(limit.slow_after(), Duration::from_millis(250));
    // The very first reply of a limit is such a one: a ninth of the time-out, and of the first guess the rest.
    let young = Limit::new(LimitConfig { start: 8, ..adaptive() }).unwrap();
    young.finish(permit(&young, ms(0)), Outcome::Success, Instant::MAX);
    assert!((470..=475).contains(&young.slow_after().as_millis()), "{:?}", young.slow_after());
}

#[test]
fn what_is_usual_stays_in_its_bounds_at_the_extremes() {
    let (nanosecond, most) = (Duration::from_nanos(1), Duration::MAX);
    for tolerance_percent in [0, 100, 10_000] {
        for (slow_after, timeout) in [(nanosecond, nanosecond), (nanosecond, most), (most, most)] {
            let config = LimitConfig { tolerance_percent, slow_after, timeout, lease: most, ..adaptive() };
            let limit = Limit::new(config).unwrap();
            for (began, ended) in [(0, u64::MAX), (u64::MAX, 0), (u64::MAX / 2, u64::MAX), (7, 7), (0, 1 << 44)] {
                for _ in 0..600 {
                    let permit = permit(&limit, Instant::from_nanos(began));
                    limit.finish(permit, Outcome::Success, Instant::from_nanos(ended));
                    let nine_tenths = Duration::from_nanos(u64::MAX / 10 * 9);
                    let bounds = slow_after.min(Duration::from_nanos(u64::MAX))..=nine_tenths.max(slow_after);
                    assert!(bounds.contains(&limit.slow_after()), "{config:?} {:?}", limit.slow_after());
                    limit.reset();
                }
            }
        }
    }
}
