//! What is answered at once, against the closer look.

use super::*;
use crate::keyed_buckets::{KeyedBuckets, KeyedConfig};
use crate::random::Random;
use crate::rate::Rate;

#[test]
fn what_is_answered_at_once_is_what_a_closer_look_answers() {
    let mut random = Random::from_seed(7);
    let mut number = |bits: u32| random.next_u64() >> (64 - bits) >> (random.next_u64() % u64::from(bits));
    let (mut yes, mut no, mut later) = (0, 0, 0);
    for round in 0..2_000_u64 {
        let rate = |count| Rate::new(count, Duration::from_secs(1)).unwrap();
        let when_full = if round % 2 == 0 { WhenFull::FailOpen } else { WhenFull::FailClosed };
        let burst = number(if round % 3 == 0 { 32 } else { 4 }).max(1) as u32;
        let config = KeyedConfig::new(rate(number(20) % 1_000_000), when_full).burst(burst);
        let start = number(62);
        let table = KeyedBuckets::<2>::new(config, round, Instant::from_nanos(start)).unwrap();
        let mut now = start;
        for _ in 0..100 {
            now = match number(3) {
                0 => now.saturating_sub(number(32)),
                1 => number(64),
                _ => now.saturating_add(number(34)),
            };
            let (at, key) = (Instant::from_nanos(now), number(5));
            let hash = table.hash_of(key);
            let burst = table.config().burst;
            for n in [0, 1, number(4) as u32, burst, burst.wrapping_add(1), u32::MAX] {
                match table.peek_at_once(hash, n, at) {
                    Some(answer) => {
                        assert_eq!(answer, table.peek_by_hash(hash, n, at), "{n} of {key} at {now} in {round}");
                        if answer.is_ok() { yes += 1 } else { no += 1 }
                    }
                    None => later += 1,
                }
            }
            let n = number(4) as u32;
            match number(6) {
                0 => drop(table.set_rate(rate(number(20) % 1_000_000), at)),
                1 => drop(table.set_config(table.config().burst(number(5) as u32), at)),
                2 => drop(table.refund(key, n, at)),
                3 => drop(table.rebase(at, Instant::from_nanos(number(62)))),
                4 => drop(table.reset(at)),
                _ => drop(table.try_take(key, n, at)),
            }
        }
    }
    assert!(yes > 10_000 && no > 10_000 && later > 10_000, "{yes} {no} {later}");
}
