//! The product behind the words of the vectors: a guard of any number of shards, with buckets by key or without.

use std::time::Duration;

use seawall::{
    Call, Fill, GiveUpReason, Guard, GuardConfig, Instant, KeyedBuckets, KeyedStage, Mode, Permit, Ratio, Reason,
    Refused, Request, Stage, Transition, Verdict,
};

use super::oracle::{KEYS, Outcome, STAGES};
use super::support::vectors::Step;
use super::{Size, config, each};

/// What is done to either kind of guard.
trait Keys: KeyedStage + Sized {
    fn tokens<const SHARDS: usize>(guard: &Guard<4, SHARDS, Self>, now: Instant) -> String;
}

impl Keys for () {
    fn tokens<const SHARDS: usize>(_: &Guard<4, SHARDS>, _: Instant) -> String {
        String::new()
    }
}

impl Keys for KeyedBuckets<64> {
    fn tokens<const SHARDS: usize>(guard: &Guard<4, SHARDS, Self>, now: Instant) -> String {
        let tokens = KEYS.map(|key| guard.keyed().available(key, now).to_string());
        format!(" keys={}", tokens.join(","))
    }
}

struct Product<const SHARDS: usize, Keyed> {
    guard: Guard<4, SHARDS, Keyed>,
    calls: Vec<Call>,
    permits: Vec<Permit>,
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

/// A guard without buckets by key.
fn guard<const SHARDS: usize>(size: Size) -> Guard<4, SHARDS> {
    let config = config(size);
    let config = GuardConfig { bucket: config.bucket.fill(Fill::Tokens(size.tokens)), ..config };
    Guard::new(config, size.seed, Instant::ORIGIN).expect("legal")
}

fn made_of<const SHARDS: usize>(size: Size) -> Box<dyn Replays> {
    let guard = guard::<SHARDS>(size);
    match size.keyed {
        None => Box::new(Product { guard, calls: vec![], permits: vec![] }),
        Some(burst) => {
            let users = KeyedBuckets::<64>::new(each(burst), 7, Instant::ORIGIN).expect("legal");
            Box::new(Product { guard: guard.with_keyed(users), calls: vec![], permits: vec![] })
        }
    }
}

impl<const SHARDS: usize, Keyed: Keys> Product<SHARDS, Keyed> {
    fn begin(&mut self, key: u64, shard: u32, cost: u32, deadline: Option<u64>, now: Instant) -> String {
        let deadline = deadline.map(Instant::from_nanos);
        self.calls.push(self.guard.begin(Request { key, shard, cost, deadline }, now));
        "ok".into()
    }

    fn set_mode(&self, stage: usize, mode: Mode) -> String {
        let stage = [
            Stage::Pause,
            Stage::CircuitBreaker,
            Stage::ConcurrencyLimit,
            Stage::TokenBucket,
            Stage::RetryBudget,
            Stage::KeyedBucket,
        ][stage];
        if self.guard.set_mode(stage, mode).is_err() {
            assert_eq!(self.guard.mode(stage), Mode::Off);
            return "no_mode".into();
        }
        assert_eq!(self.guard.mode(stage), mode);
        "ok".into()
    }

    fn attempt(&mut self, call: usize, now: Instant) -> String {
        match self.guard.try_attempt(&mut self.calls[call], now) {
            Ok(admission) => {
                self.permits.push(admission.permit);
                let shadow = stage(admission.shadow_refusal);
                format!("ok permit={} to={} shadow={shadow}", self.permits.len() - 1, to(admission.transition))
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
        let finished = self.guard.finish(&mut self.calls[call], self.permits[permit], outcome, now);
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
        format!("ok good={}", u32::from(self.guard.cancel(self.permits[permit], now)))
    }

    fn abandon(&mut self, call: usize, now: Instant) -> String {
        self.guard.abandon(&mut self.calls[call], now);
        "ok".into()
    }

    fn look(&self, now: Instant) -> String {
        let guard = &self.guard;
        // Any number names a shard: these are 3, 4 and 5.
        let state = |shard: usize| guard.breaker((SHARDS + shard) as u32).state(now).name().replace('-', "_");
        let states = (0..SHARDS).map(state).collect::<Vec<_>>().join(",");
        format!(
            "tokens={} in_flight={} limit={} states={states} budget={} paused_until={}{}",
            guard.bucket().available(now),
            guard.limit().in_flight(now),
            guard.limit().limit(),
            guard.budget().balance(now).as_millionths(),
            words(guard.paused_until(now).map(Instant::as_nanos)),
            Keyed::tokens(guard, now)
        )
    }
}

/// A product of any kind.
pub trait Replays {
    /// What the product says of a line.
    fn replay(&mut self, step: &Step) -> String;
}

impl<const SHARDS: usize, Keyed: Keys> Replays for Product<SHARDS, Keyed> {
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

pub fn made(size: Size) -> Box<dyn Replays> {
    match size.shards {
        1 => made_of::<1>(size),
        _ => made_of::<3>(size),
    }
}

/// What the product says of a line, or a new product.
pub fn replay(product: &mut Box<dyn Replays>, step: &Step) -> String {
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
