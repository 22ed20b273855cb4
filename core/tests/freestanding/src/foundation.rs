//! Time, rates, shares, randomness.

use core::time::Duration;

use seawall::{Clock, Instant, ManualClock, Random, Rate, Ratio, SharedRandom};

static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
static RANDOM: SharedRandom = SharedRandom::from_seed(1);

crate::proofs! {
    fn proof_clock(a, b, _c) {
        CLOCK.set(Instant::from_nanos(a));
        CLOCK.advance(Duration::from_nanos(b));
        CLOCK.now().as_nanos()
    }
    fn proof_instant(a, b, c) {
        let (start, by) = (Instant::from_nanos(a), Duration::from_nanos(b));
        let end = start.saturating_add(by).saturating_sub(Duration::from_secs(c));
        end.saturating_duration_since(start).as_nanos() as u64
    }
    fn proof_random(a, _b, _c) { Random::from_seed(a).next_u64() ^ RANDOM.next_u64() }
    fn proof_rate(a, b, c) {
        let rate = Rate::new(a, Duration::from_nanos(b)).unwrap_or(Rate::ZERO);
        rate.count_in(Duration::from_nanos(c)) + u64::from(rate == Rate::per_second(c))
    }
    fn proof_ratio(a, b, c) { Ratio::of(a, b).share_of(c) + u64::from(Ratio::percent(a as u32).is_ok()) }
}
