use seawall::{Random, SharedRandom};

use crate::race::Timer;

pub fn gives_every_number_once(timer: &mut Timer) {
    const SEED: u64 = 7;
    static STREAM: SharedRandom = SharedRandom::from_seed(SEED);
    let draw = || {
        core::hint::black_box(STREAM.next_u64());
    };
    let calls = timer.race(10_000, draw, draw);
    // A number drawn twice would leave the stream one short.
    let mut alone = Random::from_seed(SEED);
    for _ in 0..calls.total() {
        let _ = alone.next_u64();
    }
    assert_eq!(STREAM.next_u64(), alone.next_u64());
}
