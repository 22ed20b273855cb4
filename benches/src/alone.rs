//! One thread: every row of a section runs one batch a round, in rotating order.

use std::time::Instant;

use crate::crew::{pin, preempted};
use crate::row::{Batch, Section};

/// How long a batch takes: long beside the reading of a clock, short beside a time slice.
const BATCH_NS: f64 = 50_000.0;

/// The nanoseconds a call, for each row one a round, and how many rounds were thrown away because the thread was
/// taken off its core. Where that happens to too many, the rest is kept as it is.
pub fn measure(section: &Section, workers: &mut [Vec<Batch>], rounds: usize) -> (Vec<Vec<f64>>, usize) {
    pin(0);
    let rows = section.rows.len();
    let calls: Vec<u64> = (0..rows).map(|row| calls_in(&mut workers[row][0], BATCH_NS)).collect();
    let mut ns = vec![Vec::with_capacity(rounds); rows];
    let mut round_ns = vec![0.0; rows];
    let mut thrown_away = 0;
    while ns[0].len() < rounds {
        let first = ns[0].len();
        let switches = preempted();
        for step in 0..rows {
            let row = (first + step) % rows;
            let start = Instant::now();
            let right = workers[row][0](calls[row]);
            round_ns[row] = start.elapsed().as_nanos() as f64 / calls[row] as f64;
            section.rows[row].check(right, calls[row]);
        }
        if preempted() != switches && thrown_away < 2 * rounds {
            thrown_away += 1;
            continue;
        }
        for (ns, round) in ns.iter_mut().zip(&round_ns) {
            ns.push(*round);
        }
    }
    (ns, thrown_away)
}

/// How many calls take about so long, at least one. They warm up what they touch, so it looks three times.
pub fn calls_in(batch: &mut Batch, wanted_ns: f64) -> u64 {
    let mut calls = 1;
    let mut looks = 0;
    while looks < 3 {
        let start = Instant::now();
        batch(calls);
        let took = (start.elapsed().as_nanos() as f64).max(1.0);
        if took * 2.0 < wanted_ns {
            calls *= 2;
        } else {
            calls = ((calls as f64 * wanted_ns / took) as u64).max(1);
            looks += 1;
        }
    }
    calls
}
