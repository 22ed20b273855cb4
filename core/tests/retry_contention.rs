//! The published contention experiment, in virtual time: clients that all want to write one row.
//!
//! Brooker, "Exponential backoff and jitter" (AWS, 2015): each client reads a version and writes if it has not
//! changed meanwhile; a loser backs off and begins anew. Base 5 ms, cap 2 s, about 10 ms a hop. What a strategy costs
//! the server is the number of calls; what it costs the clients is the time until the last has written.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use seawall::{Jitter, Random, RetryConfig, RetryStrategy};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    ReadArrives,
    WriteArrives { version: u32 },
}

/// Calls to the server and milliseconds to the end, in the mean of `RUNS`.
fn cost_of(jitter: Jitter, clients: usize) -> (u64, u64) {
    const RUNS: u64 = 30;
    let config = RetryConfig {
        max_attempts: u32::MAX,
        base_delay: Duration::from_millis(5),
        max_delay: Duration::from_secs(2),
        jitter,
        ..RetryConfig::DEFAULT
    };
    let strategy = RetryStrategy::new(config).unwrap();
    let (mut calls, mut end) = (0, 0);
    for run in 0..RUNS {
        let mut random = Random::from_seed(run);
        let mut queue: BinaryHeap<Reverse<(u64, usize, Step)>> = BinaryHeap::new();
        // A hop of 10 ms, give or take 2: the sum of four even draws.
        let hop = |random: &mut Random| 6_000_000 + (0..4).map(|_| random.next_u64() % 2_000_001).sum::<u64>();
        let mut failures = vec![(0_u32, None); clients];
        for client in 0..clients {
            queue.push(Reverse((hop(&mut random), client, Step::ReadArrives)));
        }
        let mut version = 0;
        while let Some(Reverse((now, client, step))) = queue.pop() {
            match step {
                Step::ReadArrives => {
                    // The answer's way and the write's way.
                    let arrival = now + hop(&mut random) + hop(&mut random);
                    queue.push(Reverse((arrival, client, Step::WriteArrives { version })));
                }
                Step::WriteArrives { version: read } => {
                    calls += 1;
                    if read == version {
                        version += 1;
                        end += if version as usize == clients { now + hop(&mut random) } else { 0 };
                        continue;
                    }
                    let (failed, previous) = &mut failures[client];
                    *failed += 1;
                    let delay = strategy.next_delay(*failed, *previous, random.next_u64());
                    *previous = Some(delay);
                    let arrival = now + hop(&mut random) + delay.as_nanos() as u64 + hop(&mut random);
                    queue.push(Reverse((arrival, client, Step::ReadArrives)));
                }
            }
        }
    }
    (calls / RUNS, end / RUNS / 1_000_000)
}

#[test]
fn jitter_pays_as_it_was_published() {
    for clients in [20, 50, 100] {
        let [none, equal, full, decorrelated] =
            [Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Decorrelated].map(|jitter| cost_of(jitter, clients));
        println!(
            "{clients} clients, (calls, ms): none {none:?} equal {equal:?} full {full:?} decorrelated {decorrelated:?}"
        );
        // Full jitter is the least work for the server but for decorrelated among few clients, where the two are level.
        assert!(full.0 <= equal.0 && full.0 * 10 <= decorrelated.0 * 12, "{clients} clients");
        assert!(clients < 100 || full.0 < decorrelated.0, "{clients} clients");
        // Nor does it take the clients much longer than any other.
        assert!(full.1 * 2 <= equal.1.min(decorrelated.1) * 3, "{clients} clients");
        // Without jitter exponential backoff is the worst of all by far.
        assert!(none.0 * 10 > full.0 * 13, "{clients} clients");
        assert!(none.1 > 3 * full.1, "{clients} clients");
    }
}
