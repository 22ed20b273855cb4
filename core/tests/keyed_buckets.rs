//! The promises of the table of buckets, against an exact map without bounds and with real threads.

#[path = "oracle/keyed_buckets.rs"]
#[allow(unreachable_pub, reason = "a module of a test program")]
mod oracle;
#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use core::time::Duration;
use std::collections::HashMap;

use oracle::{Oracle, SECOND, Said};
use portable_atomic::{AtomicU64, Ordering};
use proptest::prelude::*;
use seawall::{
    Clock, Instant, KeyedBuckets, KeyedBucketsView, KeyedChangeError, KeyedConfig, KeyedConfigError, ManualClock,
    Random, Rate, Reason, Refused, Stage, WhenFull,
};
use support::storage::Storage;
use support::vectors::{Step, check};

const MS: u64 = 1_000_000;
type Table = KeyedBuckets<8>;

fn ns(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn ms(millis: u64) -> Instant {
    ns(millis * MS)
}

fn closed(rate: Rate, burst: u32) -> KeyedConfig {
    KeyedConfig::new(rate, WhenFull::FailClosed).burst(burst)
}

fn table(rate: Rate, burst: u32) -> Table {
    Table::new(closed(rate, burst), 7, Instant::ORIGIN).unwrap()
}

/// How many of `n` takes of one token pass.
fn passed<const GROUPS: usize>(table: &KeyedBuckets<GROUPS>, key: u64, n: u32, now: Instant) -> u32 {
    (0..n).map(|_| u32::from(table.try_take(key, 1, now).is_ok())).sum()
}

#[test]
fn each_key_has_its_own_burst_and_rate() {
    let table = table(Rate::per_minute(1), 2);
    for key in [0, 1, 42, u64::MAX] {
        assert_eq!(passed(&table, key, 5, ms(0)), 2, "{key}");
        let refused = table.try_take(key, 1, ms(0)).unwrap_err();
        assert_eq!(refused, Refused::not_yet(Stage::KeyedBucket, Some(Duration::from_secs(60))));
        assert_eq!(table.peek(key, 1, ms(0)), Err(refused));
        assert_eq!(passed(&table, key, 5, ms(59_999)), 0);
        assert_eq!(passed(&table, key, 5, ms(60_000)), 1);
        assert_eq!(passed(&table, key, 5, ms(600_000)), 2);
    }
}

/// Takes one token of each of `keys` keys, and counts those that found no place.
fn without_a_place<const GROUPS: usize>(table: &KeyedBuckets<GROUPS>, keys: usize) -> usize {
    let no_place = |key: u64| match table.try_take(key, 1, ms(0)) {
        Ok(()) => false,
        Err(refused) => {
            assert_eq!((refused.stage(), refused.reason()), (Stage::KeyedBucket, Reason::NoPlace));
            true
        }
    };
    (0..keys as u64).filter(|key| no_place(*key)).count()
}

#[test]
fn the_share_of_keys_without_a_place_is_as_documented() {
    const GROUPS: usize = 1_024;
    for (percent, most_ppm) in [(50, 0), (60, 3), (70, 50), (80, 1_600), (90, 15_000), (100, 60_000)] {
        let (mut lost, mut keys) = (0, 0);
        for salt in 0..40 {
            let config = closed(Rate::per_minute(1), 1);
            let table = Box::new(KeyedBuckets::<GROUPS>::new(config, salt, Instant::ORIGIN).unwrap());
            let count = KeyedBuckets::<GROUPS>::PLACES * percent / 100;
            let here = without_a_place(&table, count);
            assert_eq!(table.occupied(ms(0)), count - here);
            (lost, keys) = (lost + here, keys + count);
        }
        let ppm = lost as u64 * 1_000_000 / keys as u64;
        println!("{percent} % of the places: {ppm} in a million keys find none");
        assert!(ppm <= most_ppm, "{percent} %: {ppm}");
    }
}

#[test]
fn a_new_rate_never_reprices_the_past_of_any_key() {
    let table = table(Rate::per_second(1), 100);
    for key in 0..8 {
        table.try_take(key, 100, ms(0)).unwrap();
    }
    table.set_rate(Rate::per_second(500), ms(10_000)).unwrap();
    for key in 0..8 {
        assert_eq!(table.available(key, ms(10_000)), 10);
        assert_eq!(table.available(key, ms(10_010)), 15);
    }
    table.set_rate(Rate::ZERO, ms(10_010)).unwrap();
    assert_eq!(table.available(3, Instant::MAX), 15);
}

#[test]
fn a_burst_that_grows_makes_no_token_and_one_that_shrinks_takes_those_over_it() {
    let table = table(Rate::per_second(1), 2);
    table.try_take(1, 2, ms(0)).unwrap();
    table.set_config(closed(Rate::per_second(1), 10), ms(1_000)).unwrap();
    // One was earned, one was full, and one was never seen.
    assert_eq!([table.available(1, ms(1_000)), table.available(2, ms(1_000))], [1, 2]);
    assert_eq!(table.try_take(2, 3, ms(1_000)).unwrap_err().retry_after(), Some(Duration::from_secs(1)));
    assert_eq!([table.available(1, ms(7_000)), table.available(2, ms(20_000))], [7, 10]);
    table.set_config(closed(Rate::per_second(1), 3), ms(7_000)).unwrap();
    assert_eq!(passed(&table, 1, 9, ms(7_000)), 3);
}

#[test]
fn burst_and_manner_change_alone_and_leave_the_rest() {
    let config = closed(Rate::per_second(3), 5);
    let (one, other) = (table(config.rate, config.burst), table(config.rate, config.burst));
    for table in [&one, &other] {
        table.try_take(1, 4, ms(0)).unwrap();
    }
    one.set_burst(2, ms(500)).unwrap();
    other.set_config(config.burst(2), ms(500)).unwrap();
    assert_eq!((one.config(), other.config()), (config.burst(2), config.burst(2)));
    for at in [500, 800, 9_000] {
        assert_eq!(one.available(1, ms(at)), other.available(1, ms(at)), "{at} ms");
    }
    one.set_when_full(WhenFull::FailOpen, ms(9_000)).unwrap();
    assert_eq!(one.config(), KeyedConfig { when_full: WhenFull::FailOpen, ..config.burst(2) });
    assert_eq!(one.available(1, ms(9_000)), 2);
    assert_eq!(one.set_burst(0, ms(9_000)), Err(KeyedChangeError::Config(KeyedConfigError::ZeroBurst)));
    assert_eq!(one.config().burst, 2);
}

#[test]
fn the_rate_of_a_key_is_right_to_a_billionth_though_it_is_set_each_second() {
    // A day: each second a poll that takes what is there, and a change that changes nothing.
    let rate = Rate::new(299_993, Duration::from_secs(3)).unwrap();
    let table = table(rate, 200_000);
    table.try_take(9, 200_000, ms(0)).unwrap();
    let mut taken = 0;
    for second in 1..=86_400 {
        let now = ns(second * SECOND);
        table.set_rate(rate, now).unwrap();
        let there = table.available(9, now);
        table.try_take(9, there, now).unwrap();
        taken += u64::from(there);
    }
    // One of 8.6 billion.
    let exact = 86_400 * 299_993 / 3;
    assert!(taken.abs_diff(exact) <= 1, "{taken} of {exact}");
}

#[test]
fn polling_a_key_fast_accrues_the_same_as_polling_it_slowly() {
    let table = table(Rate::per_second(3), 1);
    let taken: u32 = (0..10_000_000).step_by(997).map(|us| passed(&table, 1, 1, ns(us * 1_000))).sum();
    assert_eq!(taken, 30);
}

#[test]
fn an_older_now_mints_nothing_and_a_clock_that_stepped_back_is_told() {
    let table = table(Rate::per_second(1), 2);
    assert_eq!(passed(&table, 1, 3, ms(10_000)), 2);
    for now in [9_999, 9_000, 8_000] {
        assert_eq!(table.try_take(1, 1, ms(now)).unwrap_err().reason(), Reason::NotYet);
    }
    assert_eq!(table.try_take(1, 1, ms(1_000)).unwrap_err().reason(), Reason::ClockStepped);
    table.rebase(ms(10_000), ms(1_000)).unwrap();
    assert_eq!(table.try_take(1, 1, ms(1_000)).unwrap_err().retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(passed(&table, 1, 3, ms(2_000)), 1);
}

#[test]
fn an_absurd_reading_is_visible_and_reset_heals_it() {
    let table = KeyedBuckets::<1>::new(closed(Rate::per_second(1), 1), 7, Instant::ORIGIN).unwrap();
    for key in 0..20 {
        table.try_take(key, 1, Instant::MAX).ok();
    }
    assert_eq!(table.try_take(0, 1, ms(0)).unwrap_err().reason(), Reason::ClockStepped);
    table.set_rate(Rate::per_second(2), ms(1 << 40)).unwrap();
    table.reset(ms(5)).unwrap();
    for key in 0..7 {
        assert_eq!([passed(&table, key, 2, ms(5)), passed(&table, key, 2, ms(505))], [1, 1]);
    }
}

#[test]
fn a_removed_key_with_an_old_reading_gets_no_second_burst() {
    // Key 0 empties its bucket at 1 ms, and a second later another takes its place, the first that is free.
    let table = KeyedBuckets::<1>::new(closed(Rate::per_second(1), 1), 7, Instant::ORIGIN).unwrap();
    for key in 0..6 {
        table.try_take(key, 1, ms(1)).unwrap();
    }
    table.try_take(10, 1, ms(1_001)).unwrap();
    // It comes with a reading from before, and gets what it has now; not that, and then the same once more.
    let all = passed(&table, 0, 1, ms(1)) + passed(&table, 0, 2, ms(1_001));
    assert_eq!(all, 1);
}

#[test]
fn a_full_table_fails_open_and_counts_or_fails_closed_and_says_when() {
    let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    let table = KeyedBuckets::<1>::new(config, 7, Instant::ORIGIN).unwrap();
    for key in 0..7 {
        table.try_take(key, 1, ms(1_000 * key)).unwrap();
    }
    assert_eq!((table.let_through(), table.occupied(ms(6_000))), (0, 7));
    assert!(table.peek(100, 1, ms(6_000)).is_ok() && table.let_through() == 0);
    assert_eq!((passed(&table, 100, 5, ms(6_000)), table.let_through()), (5, 5));
    // Who has a place is limited all the same.
    assert_eq!(passed(&table, 3, 5, ms(6_000)), 0);

    table.set_config(closed(Rate::per_minute(1), 1), ms(6_000)).unwrap();
    let refused = table.try_take(100, 1, ms(10_000)).unwrap_err();
    assert_eq!(refused, Refused::no_place(Stage::KeyedBucket, Some(Duration::from_secs(50))));
    assert_eq!(table.peek(100, 1, ms(10_000)), Err(refused));
    assert_eq!((passed(&table, 100, 5, ms(60_000)), table.let_through()), (1, 5));
}

#[test]
fn tokens_given_back_can_be_taken_once_and_never_over_the_burst() {
    let table = table(Rate::per_minute(1), 3);
    assert!(!table.refund(5, 1, ms(0)));
    table.try_take(5, 2, ms(0)).unwrap();
    assert!(table.refund(5, 9, ms(0)) && !table.refund(5, 1, ms(0)) && !table.refund(5, 0, ms(0)));
    assert_eq!(passed(&table, 5, 9, ms(0)), 3);
}

#[test]
fn a_key_whose_entry_is_not_seen_at_once_is_found_with_care() {
    // Every place is left behind by its owner in a reset; then the keys come in another order, so that what most left
    // behind is in other places than their entries, or in the other group.
    for salt in 0..200 {
        let table =
            KeyedBuckets::<2>::new(closed(Rate::per_minute(1), 3), salt, Instant::ORIGIN).expect("legal settings");
        let come = |keys: &mut dyn Iterator<Item = u64>| -> Vec<u64> {
            keys.filter(|key| table.try_take(*key, 1, ms(0)).is_ok()).collect()
        };
        come(&mut (0..9));
        table.reset(ms(0)).unwrap();
        let there = come(&mut (0..9).rev());
        assert_eq!(table.occupied(ms(0)), there.len());
        for key in there {
            assert_eq!(table.available(key, ms(0)), 2, "{salt} {key}");
            assert!(table.peek(key, 2, ms(0)).is_ok() && table.peek(key, 3, ms(0)).is_err());
            assert_eq!(passed(&table, key, 5, ms(0)), 2, "{salt} {key}");
        }
    }
}

#[test]
fn a_key_of_bytes_depends_on_the_salt_and_every_byte() {
    let tables = [7, 8].map(|salt| Table::new(closed(Rate::per_minute(1), 1), salt, Instant::ORIGIN).unwrap());
    let names: [&[u8]; 6] = [b"", b"\0", b"a", b"b", b"aaaaaaaa", b"aaaaaaaaa"];
    let mut keys: Vec<u64> = tables.iter().flat_map(|table| names.map(|name| table.key_of(name))).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 12);
}

#[test]
fn wrong_settings_are_typed_errors_and_change_nothing() {
    let fast = Rate::new(1, Duration::from_nanos(999)).unwrap();
    for (config, error) in [
        (closed(Rate::per_second(1), 0), KeyedConfigError::ZeroBurst),
        (closed(fast, 1), KeyedConfigError::RateTooFast),
        (closed(Rate::new(u64::MAX, Duration::from_nanos(u64::MAX)).unwrap(), 1), KeyedConfigError::RateTooFast),
    ] {
        assert_eq!(Table::new(config, 7, Instant::ORIGIN).err(), Some(error));
        let table = table(Rate::per_second(1), 1);
        assert_eq!(table.set_config(config, ms(0)), Err(KeyedChangeError::Config(error)));
        assert!(error.to_string().contains("allowed"), "{error}");
        assert_eq!(table.config(), closed(Rate::per_second(1), 1));
    }
    let table = table(Rate::per_second(1), 1);
    assert_eq!(table.set_rate(Rate::per_second(15_258), ms(0)), Ok(()));
    let error = table.set_rate(Rate::per_second(15_259), ms(0)).unwrap_err();
    assert_eq!(error, KeyedChangeError::RateTooFarUp);
    assert!(error.to_string().contains("allowed"));
    let table = Table::new(closed(Table::FASTEST, 1), 7, Instant::ORIGIN).unwrap();
    assert_eq!(table.set_rate(Rate::ZERO, Instant::MAX), Err(KeyedChangeError::RangeSpent));
    // A thousandfold is always allowed, up to the fastest.
    for first in [1, 10, 16, 999, 1_000, 1_000_000] {
        let table = Table::new(closed(Rate::per_second(first), 1), 7, Instant::ORIGIN).unwrap();
        table.set_rate(Rate::per_second((first * 1_000).min(1_000_000)), ms(0)).unwrap();
    }
}

#[test]
fn no_time_number_rate_or_burst_panics() {
    let slowest = Rate::new(1, Duration::from_nanos(u64::MAX)).unwrap();
    for rate in [Rate::ZERO, slowest, Rate::per_day(1), Table::FASTEST] {
        for burst in [1, u32::MAX] {
            for start in [0, u64::MAX] {
                let table = KeyedBuckets::<1>::new(closed(rate, burst), u64::MAX, ns(start)).unwrap();
                for now in [u64::MAX / 2, 0, u64::MAX, 1] {
                    for key in [0, 1, u64::MAX, now / 3] {
                        for n in [0, 1, u32::MAX] {
                            let _ = (table.peek(key, n, ns(now)), table.try_take(key, n, ns(now)));
                        }
                        let _ = (table.available(key, ns(now)), table.refund(key, u32::MAX, ns(now)));
                    }
                    let _ = (table.set_rate(slowest, ns(now)), table.set_config(closed(Table::FASTEST, 1), ns(now)));
                    let _ = (table.rebase(ns(now), ns(0)), table.rebase(ns(0), ns(now)), table.occupied(ns(now)));
                }
                table.reset(ns(0)).unwrap();
                assert!(table.try_take(1, 1, ns(0)).is_ok());
            }
        }
    }
}

#[test]
fn a_place_costs_under_thirty_two_bytes_with_all_that_belongs_to_it() {
    let all = size_of::<KeyedBuckets<1_024>>();
    assert!(all <= KeyedBuckets::<1_024>::PLACES * 19, "{all}");
    // At four keys a group, the load at which practically all find a place.
    assert!(all - size_of::<KeyedBuckets<1>>() <= 1_024 * 4 * 32);
}

// Against the oracle.

#[derive(Clone, Copy, Debug)]
enum Operation {
    Take { key: u64, n: u32 },
    Refund { key: u64, n: u32 },
    Change { per_second: u64, burst: u32 },
    Rebase { to: u64 },
}

fn operation() -> impl Strategy<Value = (Operation, u64)> {
    let operation = prop_oneof![
        12 => (0..6u64, 0..8u32).prop_map(|(key, n)| Operation::Take { key, n }),
        2 => (0..6u64, 0..4u32).prop_map(|(key, n)| Operation::Refund { key, n }),
        1 => (0..40u64, 1..9u32).prop_map(|(per_second, burst)| Operation::Change { per_second, burst }),
        1 => (0..1u64 << 40).prop_map(|to| Operation::Rebase { to }),
    ];
    (operation, prop_oneof![Just(0), 0..10 * MS, 0..SECOND, 0..100 * SECOND])
}

fn said(answer: Result<(), Refused>) -> Said {
    match answer {
        Ok(()) => Said::Taken,
        Err(refused) if refused.reason() == Reason::Never => Said::Never,
        Err(refused) => {
            assert_eq!((refused.stage(), refused.reason()), (Stage::KeyedBucket, Reason::NotYet));
            Said::NotYet(refused.retry_after().map(|wait| wait.as_nanos() as u64))
        }
    }
}

proptest! {
    #[test]
    fn every_decision_is_the_oracles_while_there_are_places(
        per_second in 0..40u64,
        burst in 1..9u32,
        salt: u64,
        operations in proptest::collection::vec(operation(), 1..200),
    ) {
        let mut now = 1_000;
        let table = Table::new(closed(Rate::per_second(per_second), burst), salt, ns(now)).unwrap();
        let mut oracle = Oracle::new(per_second, burst, now);
        for (operation, step) in operations {
            now += step;
            match operation {
                Operation::Take { key, n } => {
                    let (peeked, got) = (table.peek(key, n, ns(now)), table.try_take(key, n, ns(now)));
                    prop_assert_eq!(peeked, got);
                    prop_assert_eq!(said(got), oracle.take(key, n, now));
                    prop_assert_eq!(table.available(key, ns(now)), oracle.available(key, now));
                }
                Operation::Refund { key, n } => {
                    prop_assert_eq!(table.refund(key, n, ns(now)), oracle.refund(key, n, now));
                }
                Operation::Change { per_second, burst } => {
                    table.set_config(closed(Rate::per_second(per_second), burst), ns(now)).unwrap();
                    oracle.change(per_second, burst, now);
                }
                Operation::Rebase { to } => {
                    table.rebase(ns(now), ns(to)).unwrap();
                    oracle.rebase(now, to);
                    now = to;
                }
            }
        }
    }

    /// In any order of readings, and in a table that is far too small: what passes would have passed an exact bucket
    /// that forgets nothing, at an instant between the reading of the call and the newest one before.
    #[test]
    fn no_key_ever_gets_more_than_an_exact_bucket_whatever_is_removed_and_however_old_the_readings(
        per_second in 1..40u64,
        burst in 1..5u32,
        salt: u64,
        takes in proptest::collection::vec((0..24u64, 1..3u32, 0..4 * SECOND, 0..3u8), 1..400),
    ) {
        let table = KeyedBuckets::<1>::new(closed(Rate::per_second(per_second), burst), salt, ns(0)).unwrap();
        let (mut oracle, mut newest) = (Oracle::new(per_second, burst, 0), 0);
        for (key, n, back, step) in takes {
            newest += u64::from(step) * SECOND / 7;
            let now = newest.saturating_sub(if back % 3 == 0 { back } else { 0 });
            match table.try_take(key, n, ns(now)) {
                Ok(()) => {
                    // As early as it may count: whoever counts it later has the less to give.
                    if let Said::NotYet(Some(wait)) = oracle.take(key, n, now) {
                        prop_assert!(now + wait <= newest, "key {} got {} too many at {} of {}", key, n, now, newest);
                        prop_assert_eq!(oracle.take(key, n, now + wait), Said::Taken);
                    }
                }
                Err(refused) if refused.reason() == Reason::NoPlace => {
                    prop_assert_eq!(table.occupied(ns(now)), 7);
                }
                Err(_) => {}
            }
        }
    }
}

// Threads.

#[test]
fn no_key_ever_gets_more_than_its_burst_and_what_the_rate_emits_and_one() {
    const KEYS: u64 = 24;
    const BURST: u32 = 3;
    const RATE: u64 = 1_000;
    // A table of 14 places for 24 keys, with so quick a rate that keys are removed and come back all the time.
    let table = KeyedBuckets::<2>::new(closed(Rate::per_second(RATE), BURST), 7, ms(0)).unwrap();
    let clock = ManualClock::starting_at(ms(0));
    let granted: HashMap<u64, AtomicU64> = (0..KEYS).map(|key| (key, AtomicU64::new(0))).collect();
    std::thread::scope(|scope| {
        for seed in 0..8 {
            let (table, clock, granted) = (&table, &clock, &granted);
            scope.spawn(move || {
                let mut random = Random::from_seed(seed);
                for turn in 0..40_000 {
                    clock.advance(Duration::from_nanos(random.next_u64() % 2_000));
                    let now = clock.now();
                    if turn % 64 == 0 {
                        // Its reading grows old.
                        std::thread::yield_now();
                    }
                    let key = random.next_u64() % KEYS;
                    if table.try_take(key, 1, now).is_ok() {
                        granted[&key].fetch_add(1, Ordering::Relaxed);
                    }
                    if turn % 1_024 == 0 {
                        table.set_rate(Rate::per_second(RATE), now).ok();
                    }
                }
            });
        }
    });
    let emitted = RATE * clock.now().as_nanos() / SECOND;
    let granted: Vec<u64> = (0..KEYS).map(|key| granted[&key].load(Ordering::Relaxed)).collect();
    assert!(granted.iter().all(|granted| *granted <= u64::from(BURST) + emitted + 1), "{granted:?} of {emitted}");
    assert!(granted.iter().sum::<u64>() > emitted, "{granted:?} of {emitted} each");
}

#[test]
fn what_is_let_through_is_counted_exactly_by_any_number_of_threads() {
    let table = KeyedBuckets::<1>::new(KeyedConfig::new(Rate::ZERO, WhenFull::FailOpen).burst(2), 7, ms(0)).unwrap();
    let passed: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u64)
            .map(|thread| {
                let table = &table;
                scope.spawn(move || (0..5_000).filter(|n| table.try_take((n + thread) % 50, 1, ms(0)).is_ok()).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap() as u64).sum()
    });
    // Seven keys have a place for ever, and two tokens each.
    assert_eq!((table.occupied(ms(0)), passed), (7, table.let_through() + 14));
    assert_eq!(table.let_through(), 43 * 8 * 100);
}

// The vectors.

fn answered(said: Said) -> String {
    match said {
        Said::Taken => "ok".into(),
        Said::Never => "refused reason=never retry_after_ns=none".into(),
        Said::NotYet(Some(wait)) => format!("refused reason=not_yet retry_after_ns={wait}"),
        Said::NotYet(None) => "refused reason=not_yet retry_after_ns=none".into(),
    }
}

fn oracle_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for (seed, (per_second, burst)) in [(1, 1), (0, 3), (7, 2), (1_000, 50), (1_000_000, 9)].into_iter().enumerate() {
        let mut now = 5_000;
        let mut oracle = Oracle::new(per_second, burst, now);
        // More places than keys, so that no salt matters.
        lines.push(format!("new rate_count={per_second} period_ns={SECOND} burst={burst} groups=8 now={now} -> ok"));
        let mut random = Random::from_seed(seed as u64);
        let mut below = |bound: u64| random.next_u64() % bound;
        for _ in 0..80 {
            now += [0, 1, SECOND / 1_000, SECOND / 8, 3 * SECOND][below(5) as usize];
            let (key, n) = (below(5), below(u64::from(burst) + 2) as u32);
            match below(16) {
                0..11 => {
                    let said = answered(oracle.take(key, n, now));
                    lines.push(format!("try_take key={key} n={n} now={now} -> {said}"));
                }
                11..13 => {
                    let said = oracle.refund(key, n, now);
                    lines.push(format!("refund key={key} n={n} now={now} -> done={said}"));
                }
                13 => {
                    let (rate, burst) = (below(20), below(9) as u32 + 1);
                    oracle.change(rate, burst, now);
                    lines
                        .push(format!("set_config rate_count={rate} period_ns={SECOND} burst={burst} now={now} -> ok"));
                }
                14 => {
                    let to = below(1 << 40);
                    oracle.rebase(now, to);
                    lines.push(format!("rebase old_now={now} new_now={to} -> ok"));
                    now = to;
                }
                _ => {}
            }
            lines.push(format!("available key={key} now={now} -> tokens={}", oracle.available(key, now)));
        }
    }
    lines
}

fn config_of(step: &Step) -> KeyedConfig {
    let period = Duration::from_nanos(step.number("period_ns"));
    closed(Rate::new(step.number("rate_count"), period).unwrap(), step.number("burst") as u32)
}

/// What the product answers to any step but `new`.
fn answer(product: &KeyedBucketsView, step: &Step) -> String {
    let now = || ns(step.number("now"));
    let n = || step.number("n") as u32;
    match step.operation {
        "try_take" => answered(said(product.try_take(step.number("key"), n(), now()))),
        "refund" => format!("done={}", product.refund(step.number("key"), n(), now())),
        "set_config" => {
            product.set_config(config_of(step), now()).unwrap();
            "ok".into()
        }
        "rebase" => {
            product.rebase(ns(step.number("old_now")), ns(step.number("new_now"))).unwrap();
            "ok".into()
        }
        _ => format!("tokens={}", product.available(step.number("key"), now())),
    }
}

#[test]
fn the_vectors_of_the_oracle_replay() {
    let mut product = table(Rate::ZERO, 1);
    check("keyed_buckets", &oracle_lines(), |step| {
        if step.operation == "new" {
            assert_eq!(step.number("groups"), 8);
            product = Table::new(config_of(step), 7, ns(step.number("now"))).unwrap();
            return "ok".into();
        }
        answer(&product, step)
    });
}

#[test]
fn the_vectors_replay_in_zeroed_storage_whose_size_is_known_when_the_program_runs() {
    for groups in [8, 13] {
        let bytes = KeyedBucketsView::size_for(groups).unwrap();
        let cast = |storage: *mut [u8]| storage as *mut KeyedBucketsView;
        // SAFETY: so many bytes hold such a view, and all zero is a value of it.
        let mut product = unsafe { Storage::zeroed(bytes, KeyedBucketsView::ALIGNMENT, groups, cast) };
        check("keyed_buckets", &oracle_lines(), |step| {
            if step.operation == "new" {
                // Over what the life before left there.
                product.renew(config_of(step), 7, ns(step.number("now"))).unwrap();
                return "ok".into();
            }
            answer(&product, step)
        });
    }
}
