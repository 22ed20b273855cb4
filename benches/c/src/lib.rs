//! What a Rust program does, measured from C: each loop takes one token `turns` times, and its time is given, `step_ns` a
//! turn. It returns how many were admitted, which its double in `bench.c` has to return as well.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use seawall::{BucketConfig, Instant, Rate, TokenBucket};

static BUCKET: Mutex<Option<TokenBucket>> = Mutex::new(None);

/// A bucket of `burst`, full, that earns one token every 100 ns.
#[unsafe(no_mangle)]
pub extern "C" fn rust_make(burst: u32) {
    let config = BucketConfig { burst, ..BucketConfig::new(Rate::new(1, Duration::from_nanos(100)).expect("a rate")) };
    *BUCKET.lock().expect("one thread") = TokenBucket::new(config, Instant::ORIGIN).ok();
}

/// Runs a loop of so many turns with the bucket, and counts what it says of them.
fn each(turns: u64, step_ns: u64, mut turn: impl FnMut(&TokenBucket, Instant) -> bool) -> u64 {
    let bucket = BUCKET.lock().expect("one thread");
    let (bucket, mut admitted) = (bucket.as_ref().expect("made before"), 0);
    for number in 1..=turns {
        admitted += u64::from(turn(black_box(bucket), Instant::from_nanos(number * step_ns)));
    }
    admitted
}

/// The answer is looked at, no more.
#[unsafe(no_mangle)]
pub extern "C" fn rust_take(turns: u64, step_ns: u64) -> u64 {
    each(turns, step_ns, |bucket, now| bucket.try_take(1, now).is_ok())
}

/// As a function that is called and not inlined, which is the most that C can have.
#[inline(never)]
fn try_take(bucket: &TokenBucket, n: u32, now: Instant) -> bool {
    bucket.try_take(n, now).is_ok()
}

/// [`rust_take`], behind a call.
#[unsafe(no_mangle)]
pub extern "C" fn rust_take_called(turns: u64, step_ns: u64) -> u64 {
    each(turns, step_ns, |bucket, now| try_take(bucket, black_box(1), now))
}

/// What is left and when to come back are wanted too, as a decision has them.
#[unsafe(no_mangle)]
pub extern "C" fn rust_take_decision(turns: u64, step_ns: u64) -> u64 {
    each(turns, step_ns, |bucket, now| {
        let answer = bucket.try_take(1, now);
        black_box(bucket.available(now));
        answer.map_err(|refused| black_box((refused.retry_after(), refused.stage()))).is_ok()
    })
}
