use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use seawall::{BucketConfig, Clock, Instant, ManualClock, Rate, TokenBucket};

use crate::race::Timer;

/// One token for each microsecond of the clock that the main loop moves.
const RATE: Rate = Rate::per_second(1_000_000);
const BURST: u32 = 4;

static BUCKET: TokenBucket = match TokenBucket::new(BucketConfig::new(RATE).burst(BURST), Instant::ORIGIN) {
    Ok(bucket) => bucket,
    Err(_) => panic!("refused at compile time"),
};
static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
/// What the main loop and the handler took: each has one writer.
static IN_MAIN: AtomicU32 = AtomicU32::new(0);
static IN_HANDLER: AtomicU32 = AtomicU32::new(0);

pub fn admits_what_was_earned(timer: &mut Timer) {
    let calls = timer.race(1_000, in_main, || take(&IN_HANDLER));
    let [main, handler] = [&IN_MAIN, &IN_HANDLER].map(|side| u64::from(side.load(Ordering::SeqCst)));
    assert!(main > 100 && handler > 100, "both sides take: {main} and {handler} times");
    let (admitted, earned) = (main + handler, CLOCK.now().as_nanos() / 1_000);
    assert!(admitted <= earned + u64::from(BURST), "{admitted} of {earned}");
    // Each call of the main loop moves the clock by less than a token and asks for one: nothing that was earned is left.
    assert!(admitted + 1 >= earned, "only {admitted} of {earned} in {} calls", calls.total());
}

/// The main loop changes the configuration while the handler takes: to itself, so that nothing is earned or lost by it.
/// A change begins anew when a take succeeds meanwhile, so the clock does not run as fast as the interrupts come.
fn in_main() {
    CLOCK.advance(Duration::from_nanos(700));
    take(&IN_MAIN);
    BUCKET.set_rate(RATE, CLOCK.now()).expect("one setter at a time");
}

fn take(taken: &AtomicU32) {
    if BUCKET.try_take(1, CLOCK.now()).is_ok() {
        taken.store(taken.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    }
}
