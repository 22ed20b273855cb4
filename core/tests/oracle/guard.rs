//! A guard for one thread: the order of the stages, and who pays. The parts are the oracles of the parts, and a token
//! bucket in whole units of a 65,536th token, of which one is earned in 16 ns (a token in 2^20 ns).
//!
//! It shares no code with the product. The retries have no jitter; the spread of a pause cannot be switched off, so the
//! stream that it is drawn from is stated here too: SplitMix64 as published, one number for each bad outcome and one
//! more for the decision that follows it.

use seawall::{GuardConfig, RetryConfig};

use super::{breaker_oracle, budget_oracle, limit_oracle, retry_oracle};
use limit_oracle::Reply;

pub const TOKEN: i128 = 1 << 16;
pub const UNIT_NS: i128 = 16;
const SECOND: i128 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Success,
    Failure,
    Throttled(Option<u64>),
    Ignored,
}

/// What has been taken, on the scale of what has been earned.
struct Bucket {
    burst: i128,
    first: i128,
    taken: i128,
}

/// Stage, reason, wait.
type No = (&'static str, &'static str, Option<i128>);

impl Bucket {
    fn earned(&self, now: i128) -> i128 {
        self.first + now / UNIT_NS
    }

    /// What was taken if `n` more were; a full bucket has forgotten what it could not hold.
    fn after(&self, n: u32, now: i128) -> Result<i128, No> {
        let after = self.taken.max(self.earned(now) - self.burst) + i128::from(n) * TOKEN;
        let wait = |target: i128| UNIT_NS * (target - self.first) - now;
        if n == 0 {
            Ok(self.taken)
        } else if i128::from(n) * TOKEN > self.burst {
            Err(("token_bucket", "never", None))
        } else if after <= self.earned(now) {
            Ok(after)
        } else if after > self.earned(now) + 2 * self.burst && wait(after - 2 * self.burst) > SECOND {
            Err(("token_bucket", "clock_stepped", None))
        } else {
            Err(("token_bucket", "not_yet", Some(wait(after))))
        }
    }

    /// One token is left at `now`; where there is no more, nothing changes.
    fn restart(&mut self, now: i128) {
        let one = self.earned(now) - TOKEN;
        if one > self.taken.max(self.earned(now) - self.burst) {
            self.taken = one;
        }
    }

    fn refund(&mut self, n: u32, now: i128) {
        if self.earned(now) >= self.taken {
            self.taken -= i128::from(n) * TOKEN;
        }
    }
}

struct Call {
    cost: u32,
    began: u64,
    deadline: Option<u64>,
    ended: u32,
    previous: Option<u64>,
    verdict: Option<Verdict>,
    paid: Option<u64>,
}

#[derive(Clone, Copy)]
enum Verdict {
    Done,
    RetryAt(u64),
    GiveUp(&'static str),
}

struct Permit {
    call: usize,
    cost: u32,
    ended: u32,
    started: u64,
    limit: usize,
    breaker: usize,
    is_probe: bool,
}

pub struct Oracle {
    config: GuardConfig,
    bucket: Bucket,
    breaker: breaker_oracle::Oracle,
    limit: limit_oracle::Oracle,
    budget: budget_oracle::Oracle,
    retry: retry_oracle::Oracle,
    stream: u64,
    /// When the pause ends, or the tokens restart; and whether it is a pause.
    pause: Option<(i128, bool)>,
    calls: Vec<Call>,
    permits: Vec<Permit>,
}

fn words(value: Option<impl ToString>) -> String {
    value.map_or("none".into(), |value| value.to_string())
}

fn name(word: &str) -> String {
    word.replace(['-', ' '], "_")
}

fn retries(config: &RetryConfig) -> retry_oracle::Oracle {
    retry_oracle::Oracle {
        max_attempts: config.max_attempts,
        deadline: config.total_deadline.map(|deadline| deadline.as_nanos() as u64),
        base: config.base_delay.as_nanos() as u64,
        factor_percent: config.factor_percent,
        max_delay: config.max_delay.as_nanos() as u64,
        jitter: "none",
        retry_after_cap: config.retry_after_cap.as_nanos() as u64,
    }
}

impl Oracle {
    /// A guard that begins at 0 with `tokens`.
    pub fn new(config: GuardConfig, tokens: u32, seed: u64) -> Self {
        let budget = config.budget;
        Self {
            bucket: Bucket {
                burst: i128::from(config.bucket.burst) * TOKEN,
                first: i128::from(tokens.min(config.bucket.burst)) * TOKEN,
                taken: 0,
            },
            breaker: breaker_oracle::Oracle::new(config.breaker),
            limit: limit_oracle::Oracle::new(config.limit),
            budget: budget_oracle::Oracle::new(
                budget.share.as_ppm().into(),
                budget.cap.as_millionths().into(),
                budget.initial.as_millionths().into(),
                budget.floor.as_millionths().into(),
                budget.lifetime.as_nanos() as u64,
                0,
            ),
            retry: retries(&config.retry),
            stream: seed,
            pause: None,
            calls: vec![],
            permits: vec![],
            config,
        }
    }

    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    pub fn permits(&self) -> usize {
        self.permits.len()
    }

    pub fn call_of(&self, permit: usize) -> usize {
        self.permits[permit].call
    }

    /// The newest call that may go on.
    pub fn newest_call(&self) -> Option<usize> {
        self.calls.iter().rposition(|call| !matches!(call.verdict, Some(Verdict::Done | Verdict::GiveUp(_))))
    }

    /// The newest permit that is out.
    pub fn newest_permit(&self) -> Option<usize> {
        self.permits.iter().rposition(|permit| self.limit.is_good(permit.limit))
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn draw(&mut self) -> u64 {
        self.stream = self.stream.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.stream ^ self.stream >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn paused_until(&self, now: u64) -> Option<i128> {
        self.pause.filter(|(at, is_pause)| *is_pause && *at > now.into()).map(|(at, _)| at)
    }

    /// Instants of a pause are even.
    fn raise(&mut self, at: i128, is_pause: bool) {
        let at = at + at % 2;
        if self.pause.is_none_or(|(old, _)| at > old) {
            self.pause = Some((at, is_pause));
        }
    }

    pub fn begin(&mut self, cost: u32, deadline: Option<u64>, now: u64) -> String {
        let total = self.retry.deadline.map(|total| now + total);
        self.calls.push(Call {
            cost,
            began: now,
            deadline: deadline.into_iter().chain(total).min(),
            ended: 0,
            previous: None,
            verdict: None,
            paid: None,
        });
        "ok".into()
    }

    fn admits(&mut self, call: usize, now: u64) -> Result<(), No> {
        let (call, at) = (&self.calls[call], i128::from(now));
        if call.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(("deadline", "never", None));
        }
        match call.verdict {
            None => {}
            Some(Verdict::RetryAt(due)) if due <= now => {}
            Some(Verdict::RetryAt(due)) => return Err(("retry_budget", "not_yet", Some(i128::from(due) - at))),
            Some(_) => return Err(("retry_budget", "never", None)),
        }
        if let Some(end) = self.paused_until(now) {
            return Err(("pause", "not_yet", Some(end - at)));
        }
        if let (Err(wait), _) = self.breaker.clone().attempt(now) {
            return Err(("circuit_breaker", "not_yet", wait.map(i128::from)));
        }
        if let Err(stepped) = self.limit.clone().attempt(now) {
            return Err(("concurrency_limit", if stepped { "clock_stepped" } else { "not_yet" }, None));
        }
        self.bucket.after(call.cost, at)?;
        // Here it would pass; if a pause or a close has not been settled, the tokens restart at one as at its instant.
        if let Some((restart, _)) = self.pause.take() {
            self.bucket.restart(restart.min(at));
        }
        self.bucket.after(call.cost, at).map(|_| ())
    }

    pub fn attempt(&mut self, call: usize, now: u64) -> String {
        if let Err((stage, reason, wait)) = self.admits(call, now) {
            return format!("refused stage={stage} reason={reason} retry_after_ns={}", words(wait));
        }
        let cost = self.calls[call].cost;
        let limit = self.limit.attempt(now).expect("asked before");
        self.bucket.taken = self.bucket.after(cost, now.into()).expect("asked before");
        let (breaker, told) = self.breaker.attempt(now);
        self.permits.push(Permit {
            call,
            cost,
            ended: self.calls[call].ended,
            started: now,
            limit,
            breaker: breaker.expect("asked before"),
            is_probe: self.breaker.state() == "half-open",
        });
        format!("ok permit={} to={}", self.permits.len() - 1, words(told.map(|(_, to, _)| name(to))))
    }

    pub fn finish(&mut self, permit: usize, outcome: Outcome, now: u64) -> String {
        let Permit { call, ended, started, limit, breaker, is_probe, .. } = self.permits[permit];
        let is_current = ended == self.calls[call].ended;
        let is_bad = matches!(outcome, Outcome::Failure | Outcome::Throttled(_));
        if !self.limit.is_good(limit) {
            if is_current {
                self.calls[call].ended += 1;
                self.calls[call].verdict = Some(if is_bad { Verdict::GiveUp("permit_void") } else { Verdict::Done });
            }
            return self.verdict(call, None, None);
        }
        let reply = match outcome {
            _ if !is_current => Reply::Ignored,
            Outcome::Success => Reply::Good,
            Outcome::Failure => Reply::Failed,
            Outcome::Throttled(_) => Reply::Throttled,
            Outcome::Ignored => Reply::Ignored,
        };
        let change = self.limit.finish(limit, reply, now).map(|(from, to, _)| (from, to));
        if !is_current {
            self.breaker.finish(breaker, None, now, 0);
            return self.verdict(call, None, change);
        }
        let random = if is_bad { self.draw() } else { 0 };
        if is_probe && outcome == Outcome::Success {
            self.raise(now.into(), false);
        }
        let is_first = self.calls[call].ended == 0;
        let says = (outcome != Outcome::Ignored && (is_first || is_probe)).then_some(is_bad);
        let told = self.breaker.finish(breaker, says, now, random).map(|(_, to, _)| to);
        self.calls[call].ended += 1;
        self.calls[call].paid = None;
        let verdict = match outcome {
            Outcome::Success if is_first => {
                self.budget.deposit(now);
                Verdict::Done
            }
            Outcome::Success | Outcome::Ignored => Verdict::Done,
            Outcome::Failure => {
                let is_late = u128::from(now.saturating_sub(started)) >= self.config.call_timeout.as_nanos();
                self.again(call, "retryable", None, if is_late { 2 } else { 1 }, now)
            }
            Outcome::Throttled(wait) => {
                if let Some(wait) = wait.filter(|wait| *wait > 0) {
                    let spread = (u128::from(random) * u128::from(wait / 4 + 1)) >> 64;
                    self.raise(i128::from(now) + i128::from(wait) + spread as i128, true);
                }
                self.again(call, "throttled", wait, 1, now)
            }
        };
        self.calls[call].verdict = Some(verdict);
        self.verdict(call, told, change)
    }

    fn again(&mut self, index: usize, class: &'static str, wait: Option<u64>, tokens: u64, now: u64) -> Verdict {
        let random = self.draw();
        let call = &self.calls[index];
        let failed = retry_oracle::Failed {
            attempt: call.ended,
            elapsed: now.saturating_sub(call.began),
            previous: call.previous,
            class,
            retry_after: wait,
            random,
        };
        let delay = match self.retry.decide(failed) {
            Ok(delay) => delay as u64,
            Err(reason) => return Verdict::GiveUp(reason),
        };
        let due = (now + delay).max(self.paused_until(now).map_or(0, |end| end as u64));
        if call.deadline.is_some_and(|deadline| due >= deadline) {
            return Verdict::GiveUp("deadline_exceeded");
        }
        let price = tokens * budget_oracle::TOKEN;
        if self.budget.withdraw(price, now).is_err() {
            return Verdict::GiveUp("budget_spent");
        }
        self.calls[index].previous = Some(delay);
        self.calls[index].paid = Some(price);
        Verdict::RetryAt(due)
    }

    fn verdict(&self, call: usize, told: Option<&str>, change: Option<(u32, u32)>) -> String {
        let verdict = match self.calls[call].verdict.unwrap_or(Verdict::Done) {
            Verdict::Done => "done".into(),
            Verdict::RetryAt(at) => format!("retry_at={at}"),
            Verdict::GiveUp(reason) => format!("give_up={reason}"),
        };
        let limit = words(change.map(|(_, to)| to));
        format!("{verdict} to={} limit={limit}", words(told.map(name)))
    }

    pub fn cancel(&mut self, permit: usize, now: u64) -> String {
        let Permit { cost, limit, breaker, .. } = self.permits[permit];
        let is_good = self.limit.is_good(limit);
        if is_good {
            self.limit.finish(limit, Reply::Ignored, now);
            self.breaker.finish(breaker, None, now, 0);
            self.bucket.refund(cost, now.into());
        }
        format!("ok good={}", u32::from(is_good))
    }

    pub fn abandon(&mut self, call: usize, now: u64) -> String {
        if let Some(price) = self.calls[call].paid.take() {
            self.budget.refund(price, now);
        }
        self.calls[call].verdict = Some(Verdict::Done);
        "ok".into()
    }

    /// All that can be seen from outside.
    pub fn look(&self, now: u64) -> String {
        let tokens = (self.bucket.earned(now.into()) - self.bucket.taken).clamp(0, self.bucket.burst) / TOKEN;
        let (next, _) = self.breaker.clone().attempt(now);
        let state = match self.breaker.state() {
            "open" if next.is_ok() => "half-open",
            state => state,
        };
        format!(
            "tokens={tokens} in_flight={} limit={} state={} budget={} paused_until={}",
            self.limit.in_flight(now),
            self.limit.limit(),
            name(state),
            self.budget.balance(now),
            words(self.paused_until(now))
        )
    }
}
