//! What holds when the main loop and an interrupt handler use one object. A check panics where it does not.

mod circuit_breaker;
mod clock;
mod random;
mod sliding_window;
mod token_bucket;

use crate::race::Timer;

/// Each check under the sentence that it shows.
pub const ALL: &[(&str, fn(&mut Timer))] = &[
    ("the race can lose: a counter without an atomic add loses updates", a_plain_counter_loses_updates),
    ("a clock that both move loses no nanosecond", clock::loses_no_nanosecond),
    ("a stream that both draw from gives every number once", random::gives_every_number_once),
    (
        "a breaker that both call has one probe out, and tells each transition once",
        circuit_breaker::one_probe_and_one_author_for_each_transition,
    ),
    ("a window that both record in loses no sample", sliding_window::loses_no_sample),
    ("a bucket that both take from while its rate is set admits what was earned", token_bucket::admits_what_was_earned),
];

/// A check that cannot fail proves nothing: the same race finds an increment that an interrupt can split.
fn a_plain_counter_loses_updates(timer: &mut Timer) {
    use core::sync::atomic::{AtomicU32, Ordering};
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    fn split_increment() {
        let seen = COUNTER.load(Ordering::SeqCst);
        COUNTER.store(seen + 1, Ordering::SeqCst);
    }
    let calls = timer.race(20_000, split_increment, split_increment);
    let counted = u64::from(COUNTER.load(Ordering::SeqCst));
    assert!(counted < calls.total(), "nothing was lost in {} calls", calls.total());
}
