//! What threads share below the mechanisms: the manual clock, the random stream, the clock and entropy of `std`.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use seawall::{Clock, Instant, ManualClock, Random, SharedRandom};

#[test]
fn a_clock_that_threads_move_loses_no_nanosecond() {
    static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
    thread::scope(|scope| {
        for by in [1, 1_000, 1_000_000, 1_000_000_000] {
            scope.spawn(move || (0..10_000).for_each(|_| CLOCK.advance(Duration::from_nanos(by))));
        }
    });
    assert_eq!(CLOCK.now().as_nanos(), 10_000 * 1_001_001_001);
}

#[test]
fn a_clock_stops_at_the_end_of_time_and_can_be_put_back() {
    let clock = ManualClock::starting_at(Instant::MAX);
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), Instant::MAX);
    clock.set(Instant::ORIGIN);
    assert_eq!(clock.now(), Instant::ORIGIN);
}

#[test]
fn threads_that_share_a_stream_draw_each_number_of_it_once() {
    for seed in [0, 7, u64::MAX] {
        let shared = SharedRandom::from_seed(seed);
        let draw = || (0..5_000).map(|_| shared.next_u64()).collect::<Vec<_>>();
        let drawn: HashSet<u64> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(draw)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let mut alone = Random::from_seed(seed);
        assert_eq!(drawn, (0..20_000).map(|_| alone.next_u64()).collect());
    }
}

/// The first numbers of the published SplitMix64 for the seed 1234567, as its reference implementation prints them.
#[test]
fn the_random_stream_is_splitmix64() {
    let mut random = Random::from_seed(1_234_567);
    let drawn: [u64; 5] = std::array::from_fn(|_| random.next_u64());
    assert_eq!(
        drawn,
        [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ]
    );
}

#[cfg(feature = "std")]
mod with_std {
    use super::*;
    use seawall::{MonotonicClock, entropy};

    #[test]
    fn the_monotonic_clock_starts_at_the_origin_and_never_runs_back() {
        let clock = MonotonicClock::new();
        let mut last = Instant::ORIGIN;
        assert!(clock.now() < Instant::ORIGIN.saturating_add(Duration::from_secs(60)));
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        assert!(last > Instant::ORIGIN);
    }

    #[test]
    fn entropy_differs_in_every_call_and_thread() {
        let threads: Vec<_> =
            (0..4).map(|_| thread::spawn(|| (0..1_000).map(|_| entropy()).collect::<Vec<_>>())).collect();
        let drawn: HashSet<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(drawn.len(), 4_000);
    }
}
