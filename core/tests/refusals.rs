//! A refusal writes nothing: not a new value, not the old one again, not even an exchange that fails.
//!
//! Each object lies on a page of its own that the operating system is told to keep from being written, and is then
//! asked what it has to refuse. A store or an exchange, whatever its value, ends this program with a fault; the last
//! test shows that it does. So a storm of refusals shares its cache lines as readers do.
#![cfg(all(target_os = "linux", target_endian = "little"))]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{c_int, c_void};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use seawall::{
    AimdConfig, AimdController, BreakerConfig, BucketConfig, CircuitBreaker, ConcurrencyLimit, Guard, GuardConfig,
    Instant, KeyedBuckets, KeyedConfig, LeasedBucket, LeasedConfig, LimitConfig, Outcome, Rate, Ratio, Reason,
    Recorder, Request, RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens, SlidingWindow, Snapshot, Stage, State,
    TokenBucket, TripRule, WhenFull, WindowConfig,
};

/// A multiple of the page size of every Linux.
const PAGES: usize = 1 << 16;
const READ: c_int = 1;
const WRITE: c_int = 2;

unsafe extern "C" {
    fn mprotect(start: *mut c_void, length: usize, protection: c_int) -> c_int;
}

/// A value on pages of its own.
struct Paged<T> {
    value: *mut T,
    layout: Layout,
}

impl<T: Sync> Paged<T> {
    fn new(value: T) -> Self {
        let layout = Layout::from_size_align(size_of::<T>().next_multiple_of(PAGES), PAGES).unwrap();
        // SAFETY: the layout is not empty, for no `T` here is.
        let place = unsafe { alloc_zeroed(layout) }.cast::<T>();
        assert!(!place.is_null());
        // SAFETY: as large and aligned as a `T`, and ours.
        unsafe { place.write(value) };
        Self { value: place, layout }
    }

    fn protect(&self, protection: c_int) {
        // SAFETY: whole pages that are ours; who holds `value` only reads while they are protected, or faults.
        let answer = unsafe { mprotect(self.value.cast(), self.layout.size(), protection) };
        assert_eq!(answer, 0, "mprotect");
    }

    fn get(&self) -> &T {
        // SAFETY: written in `new`, and freed in `drop` only.
        unsafe { &*self.value }
    }

    /// Runs `work` on the value while nobody can write it.
    fn read_only<R>(&self, work: impl FnOnce(&T) -> R) -> R {
        self.protect(READ);
        let result = work(self.get());
        self.protect(READ | WRITE);
        result
    }
}

impl<T> Drop for Paged<T> {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and no longer used. What lies there owns nothing.
        unsafe { dealloc(self.value.cast(), self.layout) };
    }
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

fn bucket() -> Paged<TokenBucket> {
    Paged::new(TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), at(0)).unwrap())
}

#[test]
fn a_bucket_that_refuses_writes_nothing() {
    let bucket = bucket();
    bucket.get().try_take(1, at(100)).unwrap();
    bucket.read_only(|bucket| {
        for now in [at(0), at(100), at(101), at(159)] {
            assert!(bucket.try_take(1, now).is_err() && bucket.peek(1, now).is_err());
            assert!(bucket.try_take(2, now).is_err(), "more than ever fits");
            assert!(bucket.reserve(1, Duration::ZERO, now).is_err());
            assert_eq!((bucket.available(now), bucket.take_up_to(1, now)), (0, 0));
        }
        assert_eq!(bucket.drain_to(0, at(100)), 0, "not even a part of a token is there");
        assert!(bucket.try_take(0, at(0)).is_ok() && bucket.peek(1, at(200)).is_ok());
    });
    bucket.get().try_take(1, at(160)).unwrap();
}

#[test]
fn a_leased_bucket_that_refuses_writes_nothing_nor_does_an_owner() {
    let config = LeasedConfig::new(BucketConfig::new(Rate::per_minute(1)).burst(20)).batch(3);
    let bucket = Paged::new(LeasedBucket::<4>::new(config, at(0)).unwrap());
    let mut lease = bucket.get().own(1).unwrap();
    while lease.try_take(1, at(100)).is_ok() {}
    bucket.read_only(|bucket| {
        for now in [at(0), at(100), at(159)] {
            for shard in 0..5 {
                assert!(bucket.try_take(shard, 1, now).is_err() && bucket.try_take(shard, 21, now).is_err());
            }
            assert!(lease.try_take(1, now).is_err() && bucket.peek(1, now).is_err() && bucket.available(now) == 0);
        }
        assert!(bucket.own(1).is_none(), "who comes in vain writes nothing");
    });
    drop(lease);
}

#[test]
fn a_breaker_that_refuses_writes_nothing_nor_does_one_that_stays_healthy() {
    let config = BreakerConfig { probes: 1, ..BreakerConfig::DEFAULT };
    let breaker = Paged::new(CircuitBreaker::new(config).unwrap());
    breaker.read_only(|breaker| {
        for _ in 0..100 {
            let permit = breaker.try_attempt(at(0)).unwrap().permit;
            assert_eq!(breaker.finish(permit, Outcome::Success, at(0), 1), None);
            breaker.cancel(permit, at(0));
        }
    });
    breaker.get().trip(at(0), 0).unwrap();
    breaker.read_only(|breaker| assert!(breaker.try_attempt(at(0)).is_err() && breaker.peek(at(0)).is_err()));
    let probe = breaker.get().try_attempt(at(3)).unwrap().permit;
    breaker.read_only(|breaker| {
        assert!(breaker.try_attempt(at(3)).is_err() && breaker.should_block(at(3)));
        assert_eq!(breaker.state(at(3)), State::HalfOpen);
    });
    assert!(breaker.get().finish(probe, Outcome::Success, at(3), 1).is_some());
    // In the ramp: readings at which it refuses.
    let refused = (0..1_000).map(|n| at(3).saturating_add(Duration::from_micros(n)));
    let refused: Vec<_> = refused.filter(|now| breaker.get().peek(*now).is_err()).collect();
    assert!(!refused.is_empty());
    breaker.read_only(|breaker| assert!(refused.iter().all(|now| breaker.try_attempt(*now).is_err())));
    breaker.get().force_open(at(3)).unwrap();
    breaker.read_only(|breaker| assert!(breaker.try_attempt(at(1_000)).is_err()));
}

#[test]
fn a_full_window_of_successes_writes_nothing_in_a_breaker_that_judges_by_share() {
    let rule = TripRule::FailureShare { share: Ratio::HALF, window: 8, minimum: 4 };
    let breaker = Paged::new(CircuitBreaker::new(BreakerConfig { rule, ..BreakerConfig::DEFAULT }).unwrap());
    let succeed = |breaker: &CircuitBreaker| {
        let permit = breaker.try_attempt(at(0)).unwrap().permit;
        assert_eq!(breaker.finish(permit, Outcome::Success, at(0), 1), None);
    };
    (0..8).for_each(|_| succeed(breaker.get()));
    breaker.read_only(|breaker| (0..100).for_each(|_| succeed(breaker)));
}

fn guard() -> Paged<Guard<64>> {
    let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    Paged::new(Guard::new(config, 7, at(0)).unwrap())
}

#[test]
fn a_guard_that_refuses_a_key_writes_nothing_whether_for_tokens_or_for_a_place() {
    let each = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailClosed);
    let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    let users = KeyedBuckets::<1>::new(each, 7, at(0)).unwrap();
    let guard = Paged::new(Guard::<64>::new(config, 7, at(0)).unwrap().with_keyed(users));
    (0..7).for_each(|key| guard.get().keyed().try_take(key, 1, at(100)).unwrap());
    let recorder = recorder();
    guard.read_only(|guard| {
        for (key, cost) in (0..20).flat_map(|key| [(key, 1), (key, 2)]) {
            let (mut call, mut record) =
                (guard.begin(Request { key, cost, ..Request::DEFAULT }, at(100)), recorder.get().begun(at(100)));
            let answer = guard.try_attempt(&mut call, at(100));
            recorder.get().attempted(&mut record, &answer, at(100));
            recorder.get().abandoned(record, at(100));
        }
    });
    assert_eq!(recorder.get().totals().refused_by(Stage::KeyedBucket), 40);
    let counted = recorder.get().totals();
    assert!(counted.refused_for(Stage::KeyedBucket, Reason::NoPlace) == 13, "of those without a place");
}

fn recorder() -> Paged<Recorder<8, 64>> {
    Paged::new(Recorder::new(WindowConfig::DEFAULT).unwrap())
}

#[test]
fn a_storm_of_refusals_writes_to_the_recorder_of_its_worker_and_to_nothing_shared() {
    let (guard, recorder) = (guard(), recorder());
    let storm = |request, now, stage| {
        let before = recorder.get().totals().refused_by(stage);
        guard.read_only(|guard| {
            for _ in 0..100 {
                let (mut call, mut record) = (guard.begin(request, now), recorder.get().begun(now));
                let answer = guard.try_attempt(&mut call, now);
                recorder.get().attempted(&mut record, &answer, now);
                recorder.get().abandoned(record, now);
            }
        });
        assert_eq!(recorder.get().totals().refused_by(stage) - before, 100, "{}", stage.name());
    };
    storm(Request { deadline: Some(at(0)), ..Request::DEFAULT }, at(0), Stage::Deadline);
    storm(Request { cost: 2, ..Request::DEFAULT }, at(0), Stage::TokenBucket);
    let held = [0; 4].map(|_| guard.get().limit().try_attempt(at(1)).unwrap());
    storm(Request::DEFAULT, at(1), Stage::ConcurrencyLimit);
    let _ = held.map(|permit| guard.get().limit().cancel(permit, at(1)));
    let _ = guard.get().breaker(0).force_open(at(1));
    storm(Request::DEFAULT, at(1), Stage::CircuitBreaker);
    let _ = guard.get().breaker(0).reset(at(1));
    let mut call = guard.get().begin(Request::DEFAULT, at(2));
    let permit = guard.get().try_attempt(&mut call, at(2)).unwrap().permit;
    let pause = Outcome::Throttled(Some(Duration::from_secs(10)));
    let _ = guard.get().finish(&mut call, permit, pause, at(2));
    storm(Request::DEFAULT, at(3), Stage::Pause);
}

#[test]
fn a_snapshot_and_its_words_write_nothing() {
    let (guard, recorder) = (guard(), recorder());
    let _ = guard.get().breaker(0).trip(at(0), 0);
    let mut call = recorder.get().begun(at(0));
    recorder.get().attempted(&mut call, &Err(guard.get().breaker(0).peek(at(0)).unwrap_err()), at(0));
    guard.read_only(|guard| {
        recorder.read_only(|recorder| {
            for now in [at(0), at(1), at(40)] {
                let snapshot = guard.snapshot([recorder], now);
                assert_eq!(snapshot.total, recorder.totals());
                assert_eq!(snapshot.recent, recorder.recent(now));
                assert!(!snapshot.explain::<{ Snapshot::LONGEST_EXPLANATION }>().is_empty());
            }
        });
    });
}

#[test]
fn a_limit_that_refuses_writes_nothing() {
    let limit = Paged::new(ConcurrencyLimit::<8>::new(LimitConfig { ceiling: 8, ..LimitConfig::DEFAULT }).unwrap());
    let permits = [limit.get().try_attempt(at(0)).unwrap(), limit.get().try_attempt(at(0)).unwrap()];
    limit.read_only(|limit| {
        assert!(limit.try_attempt(at(0)).is_err() && limit.peek(at(0)).is_err());
        assert_eq!((limit.limit(), limit.in_flight(at(0))), (2, 2));
    });
    for permit in permits {
        limit.get().finish(permit, Outcome::Ignored, at(0));
    }
}

#[test]
fn a_spent_budget_writes_nothing_nor_does_a_full_one() {
    let config = RetryBudgetConfig { cap: RetryTokens::ONE, ..RetryBudgetConfig::DEFAULT };
    let budget = Paged::new(RetryBudget::new(config, at(0)).unwrap());
    budget.read_only(|budget| (0..100).for_each(|second| budget.deposit(at(second))));
    budget.get().try_withdraw(RetryCost::Error, at(0)).unwrap();
    budget.read_only(|budget| {
        for cost in [RetryCost::Error, RetryCost::Timeout, RetryCost::Tokens(RetryTokens::whole(9))] {
            assert!(budget.try_withdraw(cost, at(100)).is_err());
        }
        assert_eq!(budget.balance(at(100)), RetryTokens::ZERO);
    });
}

#[test]
fn reading_a_window_and_a_judgement_that_is_not_due_write_nothing() {
    let window = Paged::new(SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT).unwrap());
    window.get().record(Duration::from_millis(20), false, at(0));
    let summary = window.read_only(|window| {
        assert!(window.quantile(Ratio::HALF, at(1)).is_some() && window.error_rate(at(1_000)).is_none());
        assert_eq!((window.total_count(), window.total_errors(), window.total_late()), (1, 1, 0));
        window.summary(at(1))
    });
    let controller = Paged::new(AimdController::new(AimdConfig::DEFAULT).unwrap());
    assert!(controller.get().update(Some(Ratio::ONE), None, at(1)).is_some());
    controller.read_only(|controller| {
        assert_eq!(controller.observe(&summary, at(2)), None);
        assert_eq!(controller.update(Some(Ratio::ONE), None, at(2)), None);
    });
}

#[test]
fn a_table_of_buckets_that_refuses_writes_nothing_whether_for_tokens_or_for_a_place() {
    let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailClosed);
    let table = Paged::new(KeyedBuckets::<1>::new(config, 7, at(0)).unwrap());
    (0..7).for_each(|key| table.get().try_take(key, 1, at(100)).unwrap());
    table.read_only(|table| {
        for key in 0..20 {
            for now in [at(0), at(100), at(159)] {
                assert!(table.try_take(key, 1, now).is_err() && table.peek(key, 1, now).is_err());
                assert!(table.try_take(key, 2, now).is_err(), "more than ever fits");
            }
            assert!(table.try_take(key, 0, at(0)).is_ok() && table.peek(key, 1, at(160)).is_ok());
            assert!(!table.refund(key, 1, at(160)) && table.available(key, at(160)) == 1);
        }
        assert_eq!((table.occupied(at(100)), table.let_through()), (7, 0));
    });
    table.get().try_take(0, 1, at(160)).unwrap();
}

/// Not a test by itself: what `a_write_does_not_go_unseen` runs in a process of its own.
#[test]
#[ignore = "ends the process, which is what its caller waits for"]
fn an_admission_on_a_page_that_cannot_be_written() {
    bucket().read_only(|bucket| bucket.try_take(1, at(0)).is_ok());
}

#[test]
fn a_write_does_not_go_unseen() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "an_admission_on_a_page_that_cannot_be_written", "--ignored"];
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    // SIGSEGV, or SIGBUS.
    assert!(matches!(status.signal(), Some(11 | 7)), "{status}");
}
