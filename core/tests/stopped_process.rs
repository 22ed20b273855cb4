//! A caller that is stopped for ever, at any point inside any call, blocks nobody: neither in its process nor in
//! another that shares the memory, and what it held heals.
//!
//! The mechanisms lie in memory that two processes share. One hammers them until the operating system stops it, at an
//! instruction of chance; then the other has to get through every call. The last test shows that a lock would be
//! found. Left out is a change of the bucket that is stopped half-way: it may cost one of three places for changes.
#![cfg(all(target_os = "linux", target_has_atomic = "64"))]

use std::ffi::{c_int, c_long, c_uint, c_ulong, c_void};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use seawall::{
    AimdConfig, AimdController, BreakerConfig, BucketConfig, CircuitBreaker, Clock, ConcurrencyLimit, Instant,
    KeyedBuckets, KeyedConfig, LimitConfig, ManualClock, Outcome, Rate, Ratio, RetryBudget, RetryBudgetConfig,
    RetryCost, SharedRandom, SlidingWindow, TokenBucket, WhenFull, WindowConfig,
};

const READ_WRITE: c_int = 1 | 2;
const SHARED_ANONYMOUS: c_int = 0x01 | 0x20;
const KILL: c_int = 9;
const STOP: c_int = 19;
const UNTRACED: c_int = 2;
const DIE_WITH_PARENT: c_int = 1;

unsafe extern "C" {
    fn mmap(place: *mut c_void, length: usize, access: c_int, flags: c_int, file: c_int, offset: c_long)
    -> *mut c_void;
    fn fork() -> c_int;
    fn kill(process: c_int, signal: c_int) -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn prctl(option: c_int, argument: c_ulong) -> c_int;
    fn alarm(seconds: c_uint) -> c_uint;
    fn _exit(status: c_int) -> !;
}

/// `value` in memory that this process and its children share, for the rest of the program.
fn shared<T: Sync>(value: T) -> &'static T {
    // SAFETY: asks for fresh memory; nothing is at stake before it is there.
    let place = unsafe { mmap(std::ptr::null_mut(), size_of::<T>(), READ_WRITE, SHARED_ANONYMOUS, -1, 0) };
    assert_ne!(place.addr(), usize::MAX, "mmap");
    let place = place.cast::<T>();
    // SAFETY: a page or more, so large and aligned enough; ours, and never given back.
    unsafe {
        place.write(value);
        &*place
    }
}

/// A process that repeats `work`; killed when this value goes.
struct Child(c_int);

impl Child {
    fn new(work: impl Fn()) -> Self {
        // SAFETY: the child calls nothing but `work`, which takes no lock and allocates nothing, and these functions.
        let process = unsafe { fork() };
        assert!(process >= 0, "fork");
        if process == 0 {
            // SAFETY: as above; not even a panic gets out, as `work` has none.
            unsafe { prctl(DIE_WITH_PARENT, KILL as c_ulong) };
            for _ in 0..100_000_000 {
                work();
            }
            // SAFETY: leaves without running what belongs to the parent.
            unsafe { _exit(0) };
        }
        Self(process)
    }

    /// Stops it wherever it is, and returns when it stands.
    fn stop(&self) {
        let mut status = 0;
        // SAFETY: a child of ours, that was not waited for yet.
        let stopped = unsafe { kill(self.0, STOP) == 0 && waitpid(self.0, &raw mut status, UNTRACED) == self.0 };
        assert!(stopped && status & 0xFF == 0x7F, "stopped: {status:#x}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: a child of ours, that was not waited for yet.
        unsafe {
            kill(self.0, KILL);
            waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

/// Lets the child run for a while that differs from turn to turn.
fn a_moment(turn: u64) {
    for number in 0..turn * 7_919 % 40_000 {
        black_box(number);
    }
    std::thread::sleep(Duration::from_micros(100));
}

#[repr(C)]
struct All {
    clock: ManualClock,
    random: SharedRandom,
    bucket: TokenBucket,
    breaker: CircuitBreaker,
    limit: ConcurrencyLimit<8>,
    keys: KeyedBuckets<2>,
    budget: RetryBudget,
    window: SlidingWindow<4, 32>,
    controller: AimdController,
    turns: AtomicU64,
}

const LIMIT: LimitConfig = LimitConfig { start: 4, ceiling: 8, ..LimitConfig::DEFAULT };

impl All {
    fn new() -> Self {
        let start = Instant::ORIGIN;
        Self {
            clock: ManualClock::starting_at(start),
            random: SharedRandom::from_seed(1),
            bucket: TokenBucket::new(BucketConfig::new(Rate::per_second(1_000)), start).unwrap(),
            breaker: CircuitBreaker::new(BreakerConfig::DEFAULT).unwrap(),
            limit: ConcurrencyLimit::new(LIMIT).unwrap(),
            keys: KeyedBuckets::new(KeyedConfig::new(Rate::per_second(100), WhenFull::FailClosed), 7, start).unwrap(),
            budget: RetryBudget::new(RetryBudgetConfig::DEFAULT, start).unwrap(),
            window: SlidingWindow::new(WindowConfig::DEFAULT).unwrap(),
            controller: AimdController::new(AimdConfig::DEFAULT).unwrap(),
            turns: AtomicU64::new(0),
        }
    }

    /// Every call that moves something, with what comes of it.
    fn turn(&self) {
        self.clock.advance(Duration::from_millis(3));
        let (now, chance) = (self.clock.now(), self.random.next_u64());
        let outcome = if chance.is_multiple_of(3) { Outcome::Success } else { Outcome::Failure };
        if self.bucket.try_take(1, now).is_ok() && chance.is_multiple_of(5) {
            let _ = self.bucket.refund(1, now);
        }
        if let Ok(admission) = self.breaker.try_attempt(now) {
            let _ = self.breaker.finish(admission.permit, outcome, now, chance);
        }
        if chance.is_multiple_of(64) {
            let _ = (self.breaker.reset(now), self.breaker.trip(now, chance));
        }
        if let Ok(permit) = self.limit.try_attempt(now) {
            let _ = self.limit.finish(permit, outcome, now.saturating_add(Duration::from_millis(chance % 500)));
        }
        // More keys than places: they come and go.
        if self.keys.try_take(chance % 40, 90, now).is_ok() && chance.is_multiple_of(5) {
            let _ = self.keys.refund(chance % 40, 1, now);
        }
        self.budget.deposit(now);
        let _ = self.budget.try_withdraw(RetryCost::Error, now);
        self.window.record(Duration::from_nanos(chance), chance.is_multiple_of(2), now);
        let _ = self.controller.update(Some(Ratio::of(chance % 2, 1)), None, now);
        let _ = self.controller.observe(&self.window.summary(now), now);
        self.turns.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_caller_that_is_stopped_inside_any_call_blocks_nobody_and_what_it_held_heals() {
    let all = shared(All::new());
    // SAFETY: ends this program if it hangs.
    unsafe { alarm(120) };
    for turn in 0..300 {
        let child = Child::new(|| all.turn());
        a_moment(turn);
        child.stop();
        let before = all.turns.load(Ordering::Relaxed);
        (0..50).for_each(|_| all.turn());
        assert_eq!(all.turns.load(Ordering::Relaxed), before + 50, "the child stands");
        // It is never let go on: the next turn begins with what it held.
    }
    // SAFETY: calls the alarm off.
    unsafe { alarm(0) };
    assert!(all.turns.load(Ordering::Relaxed) > 300 * 50, "the children did something");
    // What the stopped ones held is free again when its lease is over, and every mechanism works.
    all.clock.advance(BreakerConfig::DEFAULT.open_cap + BreakerConfig::DEFAULT.probe_lease + LIMIT.lease);
    let now = all.clock.now();
    assert_eq!(all.limit.in_flight(now), 0);
    assert!(all.limit.try_attempt(now).is_ok());
    assert!(all.breaker.try_attempt(now).is_ok() || all.breaker.state(now) == seawall::State::Closed);
    assert!(all.bucket.try_take(1, now).is_ok());
    assert_eq!(all.keys.occupied(now), 0);
    (0..5).for_each(|key| all.keys.try_take(key, 100, now).unwrap());
    let before = all.window.summary(now).count;
    all.window.record(Duration::from_millis(1), true, now);
    assert_eq!(all.window.summary(now).count, before + 1);
    all.clock.advance(AimdConfig::DEFAULT.interval);
    let _ = all.controller.set_rate(Rate::per_second(8));
    assert!(all.controller.update(Some(Ratio::ONE), None, all.clock.now()).is_some());
}

#[test]
fn a_lock_does_not_go_unseen() {
    let lock = shared(AtomicBool::new(false));
    let held = (0..100).filter(|turn| {
        lock.store(false, Ordering::Relaxed);
        let child = Child::new(|| {
            while lock.swap(true, Ordering::Acquire) {}
            (0..50).for_each(|number| {
                black_box(number);
            });
            lock.store(false, Ordering::Release);
        });
        a_moment(*turn);
        child.stop();
        lock.load(Ordering::Acquire)
    });
    assert!(held.count() > 0, "no stop met the lock held");
}
