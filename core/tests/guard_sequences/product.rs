//! The product behind the words of the vectors: a guard of any number of shards, with buckets by key or without. It is two
//! guards: one whose sizes are in its type, and one of parts that lie apart, whose sizes are known at run time and whose
//! calls and permits are kept as words. They must say the same.

use std::time::Duration;

use seawall::{
    Admission, Call, CircuitBreaker, ConcurrencyLimit, Fill, Finished, GiveUpReason, Guard, GuardConfig, GuardState,
    GuardView, Instant, KeyedBuckets, KeyedStage, Mode, ModeError, Permit, Ratio, Reason, Refused, Request,
    RetryBudget, Stage, TokenBucket, Transition, Verdict,
};

use super::oracle::{KEYS, Outcome, STAGES};
use super::support::vectors::Step;
use super::{Size, config, each};

/// What is done to either kind of guard.
trait Kind {
    fn begin(&mut self, request: Request, now: Instant);
    fn try_attempt(&mut self, call: usize, now: Instant) -> Result<Admission, Refused>;
    fn finish(&mut self, call: usize, permit: usize, outcome: seawall::Outcome, now: Instant) -> Finished;
    fn cancel(&self, permit: usize, now: Instant) -> bool;
    fn abandon(&mut self, call: usize, now: Instant);
    fn set_mode(&self, stage: Stage, mode: Mode) -> Result<(), ModeError>;
    fn mode(&self, stage: Stage) -> Mode;
    fn paused_until(&self, now: Instant) -> Option<Instant>;
    /// To look at it.
    fn view(&self) -> GuardView<'_>;
}

/// A guard whose sizes are in its type.
struct Whole<const SHARDS: usize, Keyed> {
    guard: Guard<4, SHARDS, Keyed>,
    calls: Vec<Call>,
    permits: Vec<Permit>,
}

impl<const SHARDS: usize, Keyed: KeyedStage> Kind for Whole<SHARDS, Keyed> {
    fn begin(&mut self, request: Request, now: Instant) {
        self.calls.push(self.guard.begin(request, now));
    }

    fn try_attempt(&mut self, call: usize, now: Instant) -> Result<Admission, Refused> {
        let answer = self.guard.try_attempt(&mut self.calls[call], now);
        self.permits.extend(answer.iter().map(|admission| admission.permit));
        answer
    }

    fn finish(&mut self, call: usize, permit: usize, outcome: seawall::Outcome, now: Instant) -> Finished {
        self.guard.finish(&mut self.calls[call], self.permits[permit], outcome, now)
    }

    fn cancel(&self, permit: usize, now: Instant) -> bool {
        self.guard.cancel(self.permits[permit], now)
    }

    fn abandon(&mut self, call: usize, now: Instant) {
        self.guard.abandon(&mut self.calls[call], now);
    }

    fn set_mode(&self, stage: Stage, mode: Mode) -> Result<(), ModeError> {
        self.guard.set_mode(stage, mode)
    }

    fn mode(&self, stage: Stage) -> Mode {
        self.guard.mode(stage)
    }

    fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.guard.paused_until(now)
    }

    fn view(&self) -> GuardView<'_> {
        self.guard.view()
    }
}

/// A guard of parts that lie apart.
struct Apart {
    state: GuardState,
    bucket: TokenBucket,
    budget: RetryBudget,
    breakers: Vec<CircuitBreaker>,
    /// More slots than the limit ever allows: it says the same with any number.
    limit: ConcurrencyLimit<9>,
    keyed: Option<Box<KeyedBuckets<64>>>,
    calls: Vec<[u64; Call::WORDS]>,
    permits: Vec<[u64; Permit::WORDS]>,
}

impl Apart {
    fn new(size: Size) -> Self {
        let config = config(size);
        let config = GuardConfig { bucket: config.bucket.fill(Fill::Tokens(size.tokens)), ..config };
        let breaker = |_| CircuitBreaker::new(config.breaker).expect("legal");
        let keyed = |burst| KeyedBuckets::<64>::new(each(burst), 7, Instant::ORIGIN).expect("legal");
        Self {
            state: GuardState::new(config, size.seed, Instant::ORIGIN).expect("legal"),
            bucket: config.token_bucket(size.seed, Instant::ORIGIN).expect("legal"),
            budget: RetryBudget::new(config.budget, Instant::ORIGIN).expect("legal"),
            breakers: (0..size.shards).map(breaker).collect(),
            limit: ConcurrencyLimit::new(config.limit).expect("legal"),
            keyed: size.keyed.map(|burst| Box::new(keyed(burst))),
            calls: vec![],
            permits: vec![],
        }
    }

    fn keep(&mut self, call: usize, value: Call) {
        self.calls[call] = value.to_words();
        assert_eq!(self.call(call), value, "its words are all of it");
    }

    fn call(&self, call: usize) -> Call {
        Call::from_words(self.calls[call]).expect("a call")
    }

    fn permit(&self, permit: usize) -> Permit {
        Permit::from_words(self.permits[permit]).expect("a permit")
    }
}

impl Kind for Apart {
    fn begin(&mut self, request: Request, now: Instant) {
        let call = self.view().begin(request, now);
        self.calls.push(call.to_words());
    }

    fn try_attempt(&mut self, call: usize, now: Instant) -> Result<Admission, Refused> {
        let mut taken = self.call(call);
        let answer = self.view().try_attempt(&mut taken, now);
        self.keep(call, taken);
        if let Ok(admission) = answer {
            self.permits.push(admission.permit.to_words());
            assert_eq!(self.permit(self.permits.len() - 1), admission.permit, "its words are all of it");
        }
        answer
    }

    fn finish(&mut self, call: usize, permit: usize, outcome: seawall::Outcome, now: Instant) -> Finished {
        let mut taken = self.call(call);
        let finished = self.view().finish(&mut taken, self.permit(permit), outcome, now);
        self.keep(call, taken);
        finished
    }

    fn cancel(&self, permit: usize, now: Instant) -> bool {
        self.view().cancel(self.permit(permit), now)
    }

    fn abandon(&mut self, call: usize, now: Instant) {
        let mut taken = self.call(call);
        self.view().abandon(&mut taken, now);
        self.keep(call, taken);
    }

    fn set_mode(&self, stage: Stage, mode: Mode) -> Result<(), ModeError> {
        self.view().set_mode(stage, mode)
    }

    fn mode(&self, stage: Stage) -> Mode {
        self.view().mode(stage)
    }

    fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.view().paused_until(now)
    }

    fn view(&self) -> GuardView<'_> {
        let keyed = self.keyed.as_deref().map(|keyed| &**keyed);
        GuardView::new(&self.state, &self.bucket, &self.budget, &self.breakers, &self.limit, keyed)
            .expect("it has shards")
    }
}

pub fn words(value: Option<impl ToString>) -> String {
    value.map_or("none".into(), |value| value.to_string())
}

fn to(transition: Option<Transition>) -> String {
    let shard = words(transition.map(|transition| transition.shard));
    let to = words(transition.map(|transition| transition.to.name().replace('-', "_")));
    format!("{to} shard={shard}")
}

fn stage(refused: Option<Refused>) -> String {
    words(refused.map(|refused| refused.stage().name().replace(' ', "_")))
}

fn given_up(reason: GiveUpReason) -> &'static str {
    match reason {
        GiveUpReason::AttemptsExhausted => "attempts_exhausted",
        GiveUpReason::DeadlineExceeded => "deadline_exceeded",
        GiveUpReason::RetryAfterTooLong => "retry_after_too_long",
        GiveUpReason::BudgetSpent => "budget_spent",
        GiveUpReason::PermitVoid => "permit_void",
        GiveUpReason::ServiceFailing => "service_failing",
        other => panic!("{other}"),
    }
}

fn refused(refused: Refused) -> String {
    let reason = match refused.reason() {
        Reason::NotYet => "not_yet",
        Reason::Never => "never",
        _ => "clock_stepped",
    };
    let wait = words(refused.retry_after().map(|wait| wait.as_nanos()));
    format!("refused stage={} reason={reason} retry_after_ns={wait}", refused.stage().name().replace(' ', "_"))
}

fn whole<const SHARDS: usize>(size: Size) -> Box<dyn Kind> {
    let config = config(size);
    let config = GuardConfig { bucket: config.bucket.fill(Fill::Tokens(size.tokens)), ..config };
    let guard = Guard::<4, SHARDS>::new(config, size.seed, Instant::ORIGIN).expect("legal");
    match size.keyed {
        None => Box::new(Whole { guard, calls: vec![], permits: vec![] }),
        Some(burst) => {
            let users = KeyedBuckets::<64>::new(each(burst), 7, Instant::ORIGIN).expect("legal");
            Box::new(Whole { guard: guard.with_keyed(users), calls: vec![], permits: vec![] })
        }
    }
}

/// Both kinds, side by side.
pub struct Product {
    kinds: [Box<dyn Kind>; 2],
    permits: usize,
}

/// What both say of it.
fn same<T: PartialEq + std::fmt::Debug>([whole, apart]: [T; 2]) -> T {
    assert_eq!(whole, apart, "a guard of parts says the same as a whole one");
    whole
}

impl Product {
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut act: impl FnMut(&mut dyn Kind) -> T) -> T {
        same(self.kinds.each_mut().map(|kind| act(&mut **kind)))
    }

    fn begin(&mut self, key: u64, shard: u32, cost: u32, deadline: Option<u64>, now: Instant) -> String {
        let deadline = deadline.map(Instant::from_nanos);
        self.both(|kind| kind.begin(Request { key, shard, cost, deadline }, now));
        "ok".into()
    }

    fn set_mode(&mut self, stage: usize, mode: Mode) -> String {
        let stage = [
            Stage::Pause,
            Stage::CircuitBreaker,
            Stage::ConcurrencyLimit,
            Stage::TokenBucket,
            Stage::RetryBudget,
            Stage::KeyedBucket,
        ][stage];
        if self.both(|kind| kind.set_mode(stage, mode)).is_err() {
            assert_eq!(self.both(|kind| kind.mode(stage)), Mode::Off);
            return "no_mode".into();
        }
        assert_eq!(self.both(|kind| kind.mode(stage)), mode);
        "ok".into()
    }

    fn attempt(&mut self, call: usize, now: Instant) -> String {
        match self.both(|kind| kind.try_attempt(call, now)) {
            Ok(admission) => {
                self.permits += 1;
                let shadow = stage(admission.shadow_refusal);
                format!("ok permit={} to={} shadow={shadow}", self.permits - 1, to(admission.transition))
            }
            Err(error) => refused(error),
        }
    }

    fn finish(&mut self, call: usize, permit: usize, outcome: Outcome, now: Instant) -> String {
        let outcome = match outcome {
            Outcome::Success => seawall::Outcome::Success,
            Outcome::Failure => seawall::Outcome::Failure,
            Outcome::Throttled(wait) => seawall::Outcome::Throttled(wait.map(Duration::from_nanos)),
            Outcome::Ignored => seawall::Outcome::Ignored,
        };
        let finished = self.both(|kind| kind.finish(call, permit, outcome, now));
        let verdict = match finished.verdict {
            Verdict::Done => "done".into(),
            Verdict::RetryAt(at) => format!("retry_at={}", at.as_nanos()),
            Verdict::GiveUp(reason) => format!("give_up={}", given_up(reason)),
        };
        let limit = words(finished.limit_change.map(|change| change.to));
        let shadow = stage(finished.shadow_refusal);
        let ended = words(finished.shadow_give_up.map(given_up));
        format!("{verdict} to={} limit={limit} shadow={shadow} shadow_give_up={ended}", to(finished.transition))
    }

    fn cancel(&mut self, permit: usize, now: Instant) -> String {
        format!("ok good={}", u32::from(self.both(|kind| kind.cancel(permit, now))))
    }

    fn abandon(&mut self, call: usize, now: Instant) -> String {
        self.both(|kind| kind.abandon(call, now));
        "ok".into()
    }

    fn look(&self, now: Instant) -> String {
        let paused_until = same(self.kinds.each_ref().map(|kind| kind.paused_until(now)));
        same(self.kinds.each_ref().map(|kind| {
            let guard = kind.view();
            // Any number names a shard: these are 3, 4 and 5.
            let shards = guard.shards();
            let state = |shard| guard.breaker(shards + shard).state(now).name().replace('-', "_");
            let states = (0..shards).map(state).collect::<Vec<_>>().join(",");
            let keys = guard.keyed().map(|keyed| KEYS.map(|key| keyed.available(key, now).to_string()).join(","));
            format!(
                "tokens={} in_flight={} limit={} states={states} budget={} paused_until={}{}",
                guard.bucket().available(now),
                guard.limit().in_flight(now),
                guard.limit().limit(),
                guard.budget().balance(now).as_millionths(),
                words(paused_until.map(Instant::as_nanos)),
                keys.map_or(String::new(), |keys| format!(" keys={keys}"))
            )
        }))
    }

    /// What the product says of a line.
    fn replay(&mut self, step: &Step) -> String {
        let now = Instant::from_nanos(step.number("now"));
        let index = |name| step.number(name) as usize;
        match step.operation {
            "begin" => self.begin(
                step.number("key"),
                step.number("shard") as u32,
                step.number("cost") as u32,
                step.optional("deadline"),
                now,
            ),
            "try_attempt" => self.attempt(index("call"), now),
            "finish" => {
                let outcome = match step.word("outcome") {
                    "success" => Outcome::Success,
                    "failure" => Outcome::Failure,
                    "throttled" => Outcome::Throttled(step.optional("retry_after_ns")),
                    _ => Outcome::Ignored,
                };
                self.finish(index("call"), index("permit"), outcome, now)
            }
            "cancel" => self.cancel(index("permit"), now),
            "abandon" => self.abandon(index("call"), now),
            "set_mode" => {
                let stage = STAGES.iter().position(|stage| *stage == step.word("stage")).expect("a stage");
                let mode = match step.word("mode") {
                    "enforce" => Mode::Enforce,
                    "shadow" => Mode::Shadow,
                    "off" => Mode::Off,
                    _ => Mode::Canary(Ratio::from_ppm(step.number("share_ppm") as u32).expect("a ratio")),
                };
                self.set_mode(stage, mode)
            }
            _ => self.look(now),
        }
    }
}

pub fn made(size: Size) -> Product {
    let whole = match size.shards {
        1 => whole::<1>(size),
        _ => whole::<3>(size),
    };
    Product { kinds: [whole, Box::new(Apart::new(size))], permits: 0 }
}

/// What the product says of a line, or a new product.
pub fn replay(product: &mut Product, step: &Step) -> String {
    if step.operation != "new" {
        return product.replay(step);
    }
    let number = |name| step.number(name) as u32;
    *product = made(Size {
        shards: number("shards") as usize,
        burst: number("burst"),
        probes: number("probes"),
        tokens: number("tokens"),
        failures: number("failures"),
        weight: number("timeout_weight"),
        streak: step.optional("retry_streak").map(|streak| streak as u32),
        keyed: step.optional("keyed_burst").map(|burst| burst as u32),
        seed: step.number("seed"),
    });
    "ok".into()
}
