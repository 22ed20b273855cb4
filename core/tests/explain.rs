//! What a snapshot says in words: whole texts, as people read them, and their bounds in absurd states.
#![allow(unreachable_pub, reason = "modules of a test program are reached from here only")]

use core::time::Duration;

use seawall::{
    Admission, BreakerConfig, BucketConfig, CallRecord, Fill, GiveUpReason, Guard, GuardConfig, Instant, LimitConfig,
    Mode, Outcome, Rate, Ratio, Reason, Recorder, Refused, Request, RetryBudgetConfig, RetryTokens, Snapshot, Stage,
    State, TripRule, Verdict, WindowConfig,
};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;

/// An admission that a stage in shadow would have refused.
fn in_shadow(admission: Admission, stage: Stage) -> Admission {
    Admission { shadow_refusal: Some(Refused::not_yet(stage, None)), ..admission }
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn recorder() -> Recorder<8, 512> {
    Recorder::new(WindowConfig::DEFAULT).expect("thirty seconds are legal")
}

fn config() -> GuardConfig {
    let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    GuardConfig {
        bucket: BucketConfig::new(Rate::per_second(20)).burst(4).fill(Fill::Tokens(1)),
        breaker: BreakerConfig {
            open_for: Duration::from_secs(1),
            open_cap: Duration::from_secs(1),
            open_jitter: Ratio::ZERO,
            ..config.breaker
        },
        ..config
    }
}

fn guard(config: GuardConfig) -> Guard<64> {
    Guard::new(config, 7, Instant::ORIGIN).expect("legal")
}

/// Every figure that the words rest on comes from calls through the guard, as in a program.
struct Worker {
    guard: Guard<64>,
    recorder: Recorder<8, 512>,
}

impl Worker {
    fn new(config: GuardConfig) -> Self {
        Self { guard: guard(config), recorder: recorder() }
    }

    fn call(&self, outcome: Outcome, now: u64, took: u64) -> Result<Verdict, Refused> {
        let (mut call, mut record) = (self.guard.begin(Request::DEFAULT, at(now)), self.recorder.begun(at(now)));
        let answer = self.guard.try_attempt(&mut call, at(now));
        self.recorder.attempted(&mut record, &answer, at(now));
        let permit = match answer {
            Ok(admission) => admission.permit,
            Err(refused) => {
                self.recorder.abandoned(record, at(now));
                return Err(refused);
            }
        };
        let finished = self.guard.finish(&mut call, permit, outcome, at(now + took));
        self.recorder.finished(&mut record, outcome, &finished, at(now + took));
        Ok(finished.verdict)
    }

    fn hold(&self, now: u64) -> CallRecord {
        let (mut call, mut record) = (self.guard.begin(Request::DEFAULT, at(now)), self.recorder.begun(at(now)));
        let answer = self.guard.try_attempt(&mut call, at(now));
        self.recorder.attempted(&mut record, &answer, at(now));
        assert!(answer.is_ok());
        record
    }

    fn snapshot(&self, now: u64) -> Snapshot {
        self.guard.snapshot([&self.recorder], at(now))
    }

    fn says(&self, now: u64, text: &str) {
        assert_eq!(self.snapshot(now).explain::<{ Snapshot::LONGEST_EXPLANATION }>(), text);
    }

    fn says_of(&self, refused: Refused, now: u64, text: &str) {
        assert_eq!(self.snapshot(now).explain_refusal::<256>(refused), text);
    }
}

#[test]
fn a_guard_at_rest_says_that_an_attempt_passes() {
    let worker = Worker::new(config());
    worker.says(40 * SECOND, "No attempt was asked for in the last 29 s. Now an attempt passes.");
    let _ = worker.call(Outcome::Success, 40 * SECOND, 30 * MILLISECOND);
    worker.says(
        52 * SECOND,
        "None of 1 attempt was refused in the last 12 s. Now an attempt passes. \
         Since the start 1 of 1 call was delivered, lately half of them within about 30 ms and 99 % within about 30 ms.",
    );
}

#[test]
fn without_a_recorder_nothing_is_said_of_the_past() {
    let guard = guard(config());
    let snapshot = guard.snapshot(core::iter::empty::<&Recorder<2, 32>>(), at(40 * SECOND));
    assert_eq!(snapshot.explain::<64>(), "Now an attempt passes.");
}

#[test]
fn an_open_breaker_says_since_when_and_why_and_when_it_probes() {
    let worker = Worker::new(GuardConfig {
        budget: RetryBudgetConfig { initial: RetryTokens::whole(8), cap: RetryTokens::whole(8), ..config().budget },
        retry_streak: None,
        ..config()
    });
    for number in 0..4 {
        let verdict = worker.call(Outcome::Failure, 2 * SECOND + number * 50 * MILLISECOND, 0);
        assert!(matches!(verdict, Ok(Verdict::RetryAt(_))), "{verdict:?}");
    }
    let now = 2_450 * MILLISECOND;
    let refused = worker.call(Outcome::Success, now, 0).expect_err("it is open");
    worker.says(
        now,
        "1 of 5 attempts was refused in the last 3.8 s: 1 by the circuit breaker. \
         Now the circuit breaker refuses: it is open for 301 ms (consecutive failures), and lets a probe pass in 701 ms. \
         Since the start 0 of 5 calls were delivered.",
    );
    worker.says_of(
        refused,
        now,
        "Refused by the circuit breaker: it is open for 301 ms (consecutive failures), and lets a probe pass in 701 ms.",
    );
}

#[test]
fn each_state_of_the_breaker_that_refuses_has_its_words() {
    let worker = Worker::new(config());
    let _ = worker.guard.breaker(0).force_open(at(0));
    worker.says(
        0,
        "No attempt was asked for in the last 3.8 s. \
         Now the circuit breaker refuses: it is held open until the caller lets it go.",
    );
    let _ = worker.guard.breaker(0).reset(at(0));
    let _ = worker.guard.breaker(0).trip(at(0), 0);
    let _probe = worker.hold(2 * SECOND);
    assert_eq!(worker.snapshot(2 * SECOND).breaker, State::HalfOpen);
    worker.says(
        2 * SECOND,
        "None of 1 attempt was refused in the last 3.8 s. \
         Now the circuit breaker refuses: it is half-open, and waits for the results of its probes. \
         Since the start 0 of 1 call was delivered.",
    );
    let ramping = Worker::new(GuardConfig {
        breaker: BreakerConfig { rule: TripRule::Consecutive(1), ramp: Duration::from_secs(10), ..config().breaker },
        ..config()
    });
    let _ = ramping.guard.breaker(0).trip(at(0), 0);
    assert!(ramping.call(Outcome::Success, 2 * SECOND, 0).is_ok());
    let refused = (0..100).find_map(|step| ramping.guard.breaker(0).peek(at(2 * SECOND + step * MILLISECOND)).err());
    ramping.says_of(
        refused.expect("a ramp begins with few"),
        2 * SECOND,
        "Refused by the circuit breaker: it has closed again, and lets a growing share pass.",
    );
}

#[test]
fn an_empty_bucket_says_when_the_next_token_comes() {
    let worker = Worker::new(config());
    let _ = worker.call(Outcome::Success, 0, 10 * MILLISECOND);
    for _ in 0..2 {
        assert!(worker.call(Outcome::Success, 20 * MILLISECOND, 0).is_err());
    }
    worker.says(
        20 * MILLISECOND,
        "2 of 3 attempts were refused in the last 3.8 s: 2 by the token bucket. \
         Now the token bucket refuses: it holds 0 tokens, earns 20/s, and has enough in 54 ms. \
         Since the start 1 of 3 calls were delivered, \
         lately half of them within about 10 ms and 99 % within about 10 ms.",
    );
    worker.guard.bucket().set_rate(Rate::ZERO, at(20 * MILLISECOND)).expect("legal");
    let refused = worker.guard.bucket().peek(1, at(20 * MILLISECOND)).expect_err("it is empty");
    let text = "Refused by the token bucket: it holds 0 tokens, and earns none until its rate is raised.";
    worker.says_of(refused, 20 * MILLISECOND, text);
    let never = worker.guard.bucket().peek(5, at(0)).expect_err("the burst is four");
    let text = "Refused by the token bucket: it never holds more than 4 tokens, and more were asked for.";
    worker.says_of(never, 0, text);
}

#[test]
fn a_full_limit_says_how_many_are_in_flight() {
    let limit = LimitConfig { start: 2, ..config().limit };
    let worker = Worker::new(GuardConfig { limit, bucket: config().bucket.fill(Fill::Full), ..config() });
    let _held = [worker.hold(0), worker.hold(0)];
    worker.says(
        0,
        "None of 2 attempts was refused in the last 3.8 s. \
         Now the concurrency limit refuses: 2 of 2 calls are in flight, and one has to end first. \
         Since the start 0 of 2 calls were delivered.",
    );
}

#[test]
fn a_pause_says_how_long_it_lasts_and_every_stage_that_would_refuse_is_named() {
    let worker = Worker::new(config());
    let verdict = worker.call(Outcome::Throttled(Some(Duration::from_secs(4))), 0, 0);
    assert!(matches!(verdict, Ok(Verdict::RetryAt(_))));
    let end = worker.guard.paused_until(at(0)).expect("it was asked for");
    let now = end.saturating_sub(Duration::from_millis(3_200)).as_nanos();
    let _ = worker.guard.breaker(0).force_open(at(now));
    let text = worker.snapshot(now).explain::<512>();
    let sentences = "Now the pause refuses: the server asked to be spared, for another 3.2 s. \
                     Now the circuit breaker refuses: it is held open until the caller lets it go. ";
    assert!(text.contains(sentences), "{text}");
}

#[test]
fn a_spent_budget_and_calls_that_were_given_up_are_told() {
    let worker = Worker::new(GuardConfig {
        budget: RetryBudgetConfig { initial: RetryTokens::from_millionths(450_000), ..config().budget },
        ..config()
    });
    let verdict = worker.call(Outcome::Failure, 0, 0);
    assert_eq!(verdict, Ok(Verdict::GiveUp(GiveUpReason::BudgetSpent)));
    worker.says(
        100 * MILLISECOND,
        "None of 1 attempt was refused in the last 3.8 s. Now an attempt passes. \
         The retry budget holds 0.4 tokens: what fails is given up until calls that succeed have earned one. \
         1 call was given up in the last 3.8 s: 1 as the retry budget is spent. \
         Since the start 0 of 1 call was delivered.",
    );
}

#[test]
fn a_budget_that_can_pay_for_a_retry_is_not_told() {
    let budget = RetryBudgetConfig { initial: RetryTokens::ONE, ..config().budget };
    let worker = Worker::new(GuardConfig { budget, ..config() });
    worker.says(0, "No attempt was asked for in the last 3.8 s. Now an attempt passes.");
}

#[test]
fn stages_in_shadow_say_what_they_would_have_done() {
    let worker = Worker::new(config());
    let other = guard(config());
    let mut call = other.begin(Request::DEFAULT, at(0));
    let admission = other.try_attempt(&mut call, at(0)).expect("admitted");
    let finished = other.finish(&mut call, admission.permit, Outcome::Ignored, at(0));
    for outcome in [Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        let mut record = worker.recorder.begun(at(0));
        worker.recorder.attempted(&mut record, &Ok(in_shadow(admission, Stage::TokenBucket)), at(0));
        worker.recorder.finished(&mut record, outcome, &finished, at(0));
    }
    let text = worker.snapshot(0).explain::<512>();
    let sentence = "In shadow the token bucket would have refused 4 attempts: 2 succeeded, 1 failed, 1 was ignored.";
    assert!(text.contains(sentence), "{text}");
}

#[test]
fn every_refusal_has_its_words() {
    let worker = Worker::new(config());
    let wait = Some(Duration::from_millis(120));
    let cases = [
        (Refused::never(Stage::Deadline), "deadline: it has passed, and the call is of no use any more"),
        (Refused::never(Stage::RetryBudget), "retry budget: the call is over"),
        (
            Refused::not_yet(Stage::RetryBudget, wait),
            "retry budget: the retry is paid for, and its backoff is not over for another 120 ms",
        ),
        (Refused::not_yet(Stage::Pause, None), "pause: the server asked to be spared"),
        (Refused::not_yet(Stage::CircuitBreaker, wait), "circuit breaker: it is open, and lets a probe pass in 120 ms"),
        (
            Refused::not_yet(Stage::ConcurrencyLimit, wait),
            "concurrency limit: 0 of 4 calls are in flight, and one has to end first, or its lease in 120 ms",
        ),
        (Refused::never(Stage::Pause), "pause: more was asked for than there can ever be"),
        (
            Refused::clock_stepped(Stage::ConcurrencyLimit),
            "concurrency limit: the clock stepped back, and waiting does not help but a rebase or a reset",
        ),
    ];
    for (refused, words) in cases {
        worker.says_of(refused, 0, &format!("Refused by the {words}."));
    }
}

/// Every sentence, each with the longest numbers that there are.
fn absurd() -> Snapshot {
    let rate = Rate::new(u64::MAX, Duration::from_nanos(u64::MAX - 1)).expect("legal");
    let worker = Worker::new(GuardConfig {
        bucket: config().bucket.fill(Fill::Tokens(0)),
        limit: LimitConfig { start: 1, ..config().limit },
        budget: RetryBudgetConfig { initial: RetryTokens::from_millionths(999_999), ..config().budget },
        ..config()
    });
    let mut snapshot = worker.snapshot(0);
    let _ = worker.recorder.begun(at(0));
    let answers = [Stage::Deadline, Stage::Pause, Stage::CircuitBreaker, Stage::ConcurrencyLimit, Stage::TokenBucket]
        .map(Refused::never);
    let mut record = worker.recorder.begun(at(0));
    for refused in answers.into_iter().chain([Refused::never(Stage::RetryBudget)]) {
        worker.recorder.attempted(&mut record, &Err(refused), at(0));
    }
    snapshot.recent = worker.snapshot(0).recent;
    (snapshot.rate, snapshot.observed) = (rate, Duration::MAX);
    (snapshot.limit, snapshot.in_flight, snapshot.tokens, snapshot.burst) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
    (snapshot.deliveries.p50, snapshot.deliveries.p99) = (Some(Duration::MAX), Some(Duration::MAX));
    snapshot.breaker_for = Some(Duration::MAX);
    snapshot
}

#[test]
fn no_text_is_longer_than_was_asked_for_and_none_ends_within_a_sentence() {
    fn whole<const N: usize>(snapshot: &Snapshot) {
        let (short, long) = (snapshot.explain::<N>(), snapshot.explain::<{ Snapshot::LONGEST_EXPLANATION }>());
        assert!(short.len() <= N && long.starts_with(short.as_str()), "{short}");
        assert!(short.is_empty() || short.ends_with('.'), "{short}");
        let refused = Refused::not_yet(Stage::TokenBucket, Some(Duration::MAX));
        let text = snapshot.explain_refusal::<N>(refused);
        assert!(text.len() <= N && (text.is_empty() || text.ends_with('.')), "{text}");
        // Into memory of the caller's it is the same.
        assert_eq!(snapshot.explain_into(&mut [0xFF; N]), short);
        assert_eq!(snapshot.explain_refusal_into(refused, &mut [0xFF; N]), text);
    }
    let snapshot = absurd();
    whole::<0>(&snapshot);
    whole::<1>(&snapshot);
    whole::<60>(&snapshot);
    whole::<120>(&snapshot);
    whole::<300>(&snapshot);
    whole::<700>(&snapshot);
    assert_eq!(snapshot.explain::<0>(), "");
    for stage in [Stage::TokenBucket, Stage::ConcurrencyLimit, Stage::CircuitBreaker, Stage::Pause, Stage::RetryBudget]
    {
        for refused in
            [Refused::never(stage), Refused::clock_stepped(stage), Refused::not_yet(stage, Some(Duration::MAX))]
        {
            assert_ne!(snapshot.explain_refusal::<256>(refused), "", "{refused}");
            assert!(matches!(refused.reason(), Reason::Never | Reason::NotYet | Reason::ClockStepped));
        }
    }
}

#[test]
fn a_stage_in_shadow_is_not_said_to_refuse() {
    let worker = Worker::new(config());
    assert!(worker.guard.bucket().try_take(1, at(0)).is_ok());
    let refusal = |mode| {
        worker.guard.set_mode(Stage::TokenBucket, mode).expect("it has a mode");
        worker.guard.snapshot([&worker.recorder], at(0)).first_refusal().map(Refused::stage)
    };
    assert_eq!(refusal(Mode::Enforce), Some(Stage::TokenBucket));
    assert_eq!(refusal(Mode::Canary(Ratio::HALF)), Some(Stage::TokenBucket));
    assert_eq!(refusal(Mode::Shadow), None);
    assert_eq!(refusal(Mode::Off), None);
}

#[test]
fn of_several_shards_the_one_that_is_open_is_shown() {
    let guard = Guard::<64, 4>::new(config(), 7, at(0)).expect("legal");
    let recorder = recorder();
    let shown = || {
        let snapshot = guard.snapshot([&recorder], at(0));
        (snapshot.shard, snapshot.breaker, snapshot.first_refusal().map(Refused::stage))
    };
    assert_eq!(shown(), (0, State::Closed, None));
    let _ = guard.breaker(2).force_open(at(0));
    assert_eq!(shown(), (2, State::Open, Some(Stage::CircuitBreaker)));
}
