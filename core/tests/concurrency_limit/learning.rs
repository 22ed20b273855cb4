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
