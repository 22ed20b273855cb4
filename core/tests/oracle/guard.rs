//! A guard for one thread: the order of the stages, and who pays. The parts are the oracles of the parts, and a token
//! bucket in whole units of a 65,536th token, of which one is earned in 16 ns (a token in 2^20 ns).
//!
//! It shares no code with the product. The retries have no jitter; the spread of a pause cannot be switched off, so the
//! stream that it is drawn from is stated here too: SplitMix64 as published, one number for each bad outcome and one
//! more for the decision that follows it.

#[path = "guard/buckets.rs"]
mod buckets;
#[path = "guard/calls.rs"]
mod calls;

use seawall::{GuardConfig, Mode, RetryConfig};

use super::{breaker_oracle, budget_oracle, limit_oracle, retry_oracle};
use buckets::{Bucket, Keyed, No, TOKEN, UNIT_NS, drawn};
pub use calls::Outcome;
use calls::{Call, Part, Permit, Verdict, share};
use limit_oracle::Reply;

/// The stages that have a mode.
pub const STAGES: [&str; 6] =
    ["pause", "circuit_breaker", "concurrency_limit", "token_bucket", "retry_budget", "keyed_bucket"];
const PAUSE: usize = 0;
const BREAKER: usize = 1;
const LIMIT: usize = 2;
const BUCKET: usize = 3;
const BUDGET: usize = 4;
const KEYED: usize = 5;
const MILLION: u64 = 1_000_000;
/// What the seed of the phase is told apart by.
const PHASE: u64 = 0x9A5E_0F7E_57A2_7E42;
/// From one token to the next.
const INTERVAL_NS: u128 = (TOKEN * UNIT_NS) as u128;

/// The keys whose tokens are looked at.
pub const KEYS: [u64; 5] = [0, 1, 2, 3, 4];

pub struct Oracle {
    config: GuardConfig,
    bucket: Bucket,
    keyed: Option<Keyed>,
    breakers: Vec<breaker_oracle::Oracle>,
    limit: limit_oracle::Oracle,
    budget: budget_oracle::Oracle,
    retry: retry_oracle::Oracle,
    stream: u64,
    modes: [Mode; 6],
    salt: u64,
    pause: Option<i128>,
    /// When the tokens restart, and whether it is at the end of a pause.
    restart: Option<(i128, bool)>,
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

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The mixing function of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(z: u64) -> u64 {
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

impl Oracle {
    /// A guard that begins at 0 with `tokens`, and buckets by key with a burst of `keyed`, if any.
    pub fn new(config: GuardConfig, shards: usize, tokens: u32, keyed: Option<u32>, seed: u64) -> Self {
        let budget = config.budget;
        Self {
            bucket: Bucket {
                // Somewhere in the first interval, by the seed: all intervals of the tests are under half a second.
                begins: drawn(mixed((seed ^ PHASE).wrapping_add(GOLDEN)), INTERVAL_NS),
                burst: i128::from(config.bucket.burst) * TOKEN,
                first: i128::from(tokens.min(config.bucket.burst)) * TOKEN,
                taken: 0,
            },
            keyed: keyed.map(Keyed::new),
            breakers: vec![breaker_oracle::Oracle::new(config.breaker); shards],
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
            modes: [
                config.modes.pause,
                config.modes.breaker,
                config.modes.limit,
                config.modes.bucket,
                config.modes.budget,
                if keyed.is_some() { config.modes.keyed } else { Mode::Off },
            ],
            salt: mixed((!seed).wrapping_add(GOLDEN)),
            pause: None,
            restart: None,
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
        self.permits.iter().rposition(|permit| permit.is_out)
    }

    fn draw(&mut self) -> u64 {
        self.stream = self.stream.wrapping_add(GOLDEN);
        mixed(self.stream)
    }

    fn paused_until(&self, now: u64) -> Option<i128> {
        self.pause.filter(|end| *end > now.into())
    }

    /// Instants of a pause are even.
    fn even(at: i128) -> i128 {
        at + at % 2
    }

    fn mark(&mut self, at: i128, of_a_pause: bool) {
        let at = Self::even(at);
        if self.restart.is_none_or(|(old, _)| at > old) {
            self.restart = Some((at, of_a_pause));
        }
    }

    pub fn set_mode(&mut self, stage: usize, mode: Mode) -> String {
        if stage == KEYED && self.keyed.is_none() {
            return "no_mode".into();
        }
        self.modes[stage] = mode;
        "ok".into()
    }

    pub fn begin(&mut self, key: u64, shard: u32, cost: u32, deadline: Option<u64>, now: u64) -> String {
        let total = self.retry.deadline.map(|total| now + total);
        let place = ((u128::from(mixed(key ^ self.salt)) * u128::from(MILLION)) >> 64) as u64;
        let part = |mode| match share(mode) {
            None => Part::Off,
            Some(share) if place < share => Part::Enforced,
            Some(_) => Part::Shadow,
        };
        let bucket = share(self.modes[BUCKET]);
        let restarts = |stage: usize| bucket.is_some() && share(self.modes[stage]) >= bucket;
        self.calls.push(Call {
            shard: shard as usize % self.breakers.len(),
            key,
            parts: self.modes.map(part),
            restarts: [restarts(PAUSE), restarts(BREAKER)],
            shadow: None,
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

    /// What a stage would say now.
    fn no(&self, stage: usize, call: &Call, now: u64) -> Option<No> {
        match stage {
            PAUSE => self.paused_until(now).map(|end| ("pause", "not_yet", Some(end - i128::from(now)))),
            BREAKER => {
                let wait = self.breakers[call.shard].clone().attempt(now).0.err()?;
                Some(("circuit_breaker", "not_yet", wait.map(i128::from)))
            }
            LIMIT => {
                let stepped = self.limit.clone().attempt(now).err()?;
                Some(("concurrency_limit", if stepped { "clock_stepped" } else { "not_yet" }, None))
            }
            BUCKET => self.bucket.after(call.cost, now.into()).err(),
            _ => self.keyed.as_ref()?.after(call.key, call.cost, now.into()).err(),
        }
    }

    /// The stage in shadow that would refuse, or the refusal.
    fn admits(&mut self, index: usize, now: u64) -> Result<Option<&'static str>, No> {
        let call = &self.calls[index];
        if call.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(("deadline", "never", None));
        }
        match call.verdict {
            None => {}
            Some(Verdict::RetryAt(due)) if due <= now => {}
            Some(Verdict::RetryAt(due)) => return Err(("retry_budget", "not_yet", Some(i128::from(due - now)))),
            Some(_) => return Err(("retry_budget", "never", None)),
        }
        let mut shadow = call.shadow;
        for stage in [PAUSE, BREAKER, KEYED, LIMIT, BUCKET] {
            match self.no(stage, call, now) {
                Some(no) if call.parts[stage] == Part::Enforced => return Err(no),
                Some(no) if call.heeds(stage, shadow) => shadow = Some(no.0),
                _ => {}
            }
        }
        // Here it would pass, and what is over is settled.
        if call.heeds(PAUSE, shadow) && self.paused_until(now).is_none() {
            self.pause = None;
        }
        if call.heeds(BUCKET, shadow) {
            // If a pause or a close has not been settled, the tokens restart at one as at its instant.
            if let Some((at, _)) = self.restart.take_if(|(at, of_a_pause)| !*of_a_pause || *at <= now.into()) {
                self.bucket.restart(at.min(now.into()));
            }
            match self.bucket.after(call.cost, now.into()) {
                Ok(_) => {}
                Err(no) if call.parts[BUCKET] == Part::Enforced => return Err(no),
                Err(no) => shadow = Some(no.0),
            }
        }
        Ok(shadow)
    }

    pub fn attempt(&mut self, index: usize, now: u64) -> String {
        let shadow = match self.admits(index, now) {
            Ok(shadow) => shadow,
            Err((stage, reason, wait)) => {
                return format!("refused stage={stage} reason={reason} retry_after_ns={}", words(wait));
            }
        };
        let call = &self.calls[index];
        let limit = call.heeds(LIMIT, shadow).then(|| self.limit.attempt(now).expect("asked before"));
        let tokens = if call.heeds(BUCKET, shadow) { call.cost } else { 0 };
        if tokens > 0 {
            self.bucket.taken = self.bucket.after(tokens, now.into()).expect("asked before");
        }
        let keyed_tokens = if call.heeds(KEYED, shadow) { call.cost } else { 0 };
        if let Some(keyed) = &mut self.keyed {
            keyed.take(call.key, keyed_tokens, now.into());
        }
        let (mut breaker, mut told) = (None, None);
        if call.heeds(BREAKER, shadow) {
            let (permit, transition) = self.breakers[call.shard].attempt(now);
            (breaker, told) = (Some(permit.expect("asked before")), transition);
        }
        self.permits.push(Permit {
            call: index,
            tokens,
            keyed_tokens,
            ended: call.ended,
            started: now,
            limit,
            breaker,
            is_probe: breaker.is_some() && self.breakers[call.shard].state() == "half-open",
            shadow,
            is_out: true,
        });
        let shard = words(told.map(|_| call.shard));
        let told = words(told.map(|(_, to, _)| name(to)));
        format!("ok permit={} to={told} shard={shard} shadow={}", self.permits.len() - 1, words(shadow))
    }

    pub fn finish(&mut self, permit: usize, outcome: Outcome, now: u64) -> String {
        let Permit { call, ended, started, limit, breaker, is_probe, shadow, .. } = self.permits[permit];
        self.permits[permit].is_out = false;
        let is_current = ended == self.calls[call].ended;
        let is_bad = matches!(outcome, Outcome::Failure | Outcome::Throttled(_));
        let is_good = limit.is_some_and(|limit| self.limit.is_good(limit));
        if !is_good && self.calls[call].parts[LIMIT] == Part::Enforced {
            if is_current {
                self.calls[call].ended += 1;
                self.calls[call].paid = None;
                self.calls[call].verdict = Some(if is_bad { Verdict::GiveUp("permit_void") } else { Verdict::Done });
            }
            return self.verdict(call, None, None, shadow, None);
        }
        let reply = match outcome {
            _ if !is_current => Reply::Ignored,
            Outcome::Success => Reply::Good,
            Outcome::Failure => Reply::Failed,
            Outcome::Throttled(_) => Reply::Throttled,
            Outcome::Ignored => Reply::Ignored,
        };
        let change = limit.filter(|_| is_good).and_then(|limit| self.limit.finish(limit, reply, now));
        let change = change.map(|(from, to, _)| (from, to));
        if !is_current {
            if let Some(breaker) = breaker {
                self.breakers[self.calls[call].shard].finish(breaker, None, now, 0);
            }
            return self.verdict(call, None, change, shadow, None);
        }
        let random = if is_bad { self.draw() } else { 0 };
        let shard = self.calls[call].shard;
        let mut others = self.breakers.iter().enumerate().filter(|(other, _)| *other != shard);
        let is_spared = others.all(|(_, breaker)| breaker.state() != "closed");
        if is_probe && outcome == Outcome::Success && self.calls[call].restarts[1] && is_spared {
            self.mark(now.into(), false);
        }
        let is_first = self.calls[call].ended == 0;
        let says = (outcome != Outcome::Ignored && (is_first || is_probe)).then_some(is_bad);
        let judge = &mut self.breakers[self.calls[call].shard];
        let is_late = outcome == Outcome::Failure
            && u128::from(now.saturating_sub(started)) >= self.config.call_timeout.as_nanos();
        let weight = if is_late && !self.limit.expects_timeouts() { self.config.timeout_weight as usize } else { 1 };
        let told = breaker.and_then(|breaker| judge.finish_weighing(breaker, says, weight, now, random));
        let told = told.map(|(_, to, _)| to);
        self.calls[call].ended += 1;
        self.calls[call].paid = None;
        let earns = is_first && self.calls[call].heeds(BUDGET, shadow);
        let (verdict, given_up) = match outcome {
            Outcome::Success => {
                if earns {
                    self.budget.deposit(now);
                }
                (Verdict::Done, None)
            }
            Outcome::Ignored => (Verdict::Done, None),
            Outcome::Failure => self.again(call, "retryable", None, is_late, shadow, now),
            Outcome::Throttled(wait) => {
                if let Some(wait) = wait.filter(|wait| *wait > 0 && self.calls[call].heeds(PAUSE, shadow)) {
                    let spread = (u128::from(random) * u128::from(wait / 4 + 1)) >> 64;
                    let end = Self::even(i128::from(now) + i128::from(wait) + spread as i128);
                    self.pause = self.pause.max(Some(end));
                    if self.calls[call].restarts[0] {
                        self.mark(end, true);
                    }
                }
                self.again(call, "throttled", wait, false, shadow, now)
            }
        };
        self.calls[call].verdict = Some(verdict);
        self.verdict(call, told, change, shadow, given_up)
    }

    fn again(
        &mut self,
        index: usize,
        class: &'static str,
        wait: Option<u64>,
        is_late: bool,
        shadow: Option<&'static str>,
        now: u64,
    ) -> (Verdict, Option<&'static str>) {
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
            Err(reason) => return (Verdict::GiveUp(reason), None),
        };
        let pause = self.paused_until(now).filter(|_| call.parts[PAUSE] == Part::Enforced);
        let due = (now + delay).max(pause.map_or(0, |end| end as u64));
        if call.deadline.is_some_and(|deadline| due >= deadline) {
            return (Verdict::GiveUp("deadline_exceeded"), None);
        }
        let price = if is_late { 2 } else { 1 } * budget_oracle::TOKEN;
        let (mut paid, mut given_up) = (None, None);
        if let Some(bound) = self.config.retry_streak
            && call.heeds(BREAKER, shadow)
        {
            let excess = if is_late && !self.limit.expects_timeouts() { self.config.timeout_weight - 1 } else { 0 };
            let row = self.breakers[call.shard].row();
            let is_well = row.is_some_and(|row| bound > 0 && row < (bound + excess) as usize);
            if !is_well && call.parts[BREAKER] == Part::Enforced {
                return (Verdict::GiveUp("service_failing"), None);
            }
            if !is_well {
                given_up = Some("service_failing");
            }
        }
        let shadow = shadow.or(given_up);
        if call.heeds(BUDGET, shadow) {
            if self.budget.withdraw(price, now).is_ok() {
                paid = Some(price);
            } else if call.parts[BUDGET] == Part::Enforced {
                return (Verdict::GiveUp("budget_spent"), None);
            } else if shadow.is_none() {
                given_up = Some("budget_spent");
            }
        }
        let call = &mut self.calls[index];
        match given_up {
            Some("service_failing") => call.shadow = Some("circuit_breaker"),
            Some(_) => call.shadow = Some("retry_budget"),
            None => {}
        }
        call.previous = Some(delay);
        call.paid = paid;
        (Verdict::RetryAt(due), given_up)
    }

    fn verdict(
        &self,
        call: usize,
        told: Option<&str>,
        change: Option<(u32, u32)>,
        shadow: Option<&str>,
        given_up: Option<&str>,
    ) -> String {
        let verdict = match self.calls[call].verdict.unwrap_or(Verdict::Done) {
            Verdict::Done => "done".into(),
            Verdict::RetryAt(at) => format!("retry_at={at}"),
            Verdict::GiveUp(reason) => format!("give_up={reason}"),
        };
        let limit = words(change.map(|(_, to)| to));
        let shard = words(told.map(|_| self.calls[call].shard));
        let told = words(told.map(name));
        format!(
            "{verdict} to={told} shard={shard} limit={limit} shadow={} shadow_give_up={}",
            words(shadow),
            words(given_up)
        )
    }

    pub fn cancel(&mut self, permit: usize, now: u64) -> String {
        let Permit { call, tokens, keyed_tokens, limit, breaker, .. } = self.permits[permit];
        self.permits[permit].is_out = false;
        let is_good = limit.is_some_and(|limit| self.limit.is_good(limit));
        if let (Some(breaker), true) = (breaker, is_good || limit.is_none()) {
            self.breakers[self.calls[call].shard].finish(breaker, None, now, 0);
        }
        if let (Some(limit), true) = (limit, is_good) {
            self.limit.finish(limit, Reply::Ignored, now);
            self.bucket.refund(tokens, now.into());
            if let Some(keyed) = &mut self.keyed {
                keyed.refund(self.calls[call].key, keyed_tokens, now.into());
            }
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
        let states = self.breakers.iter().map(|breaker| match breaker.state() {
            "open" if breaker.clone().attempt(now).0.is_ok() => "half_open".to_owned(),
            state => name(state),
        });
        let states = states.collect::<Vec<_>>().join(",");
        let keys = self.keyed.as_ref().map_or(String::new(), |keyed| {
            let tokens = KEYS.map(|key| keyed.available(key, now.into()).to_string());
            format!(" keys={}", tokens.join(","))
        });
        format!(
            "tokens={tokens} in_flight={} limit={} states={states} budget={} paused_until={}{keys}",
            self.limit.in_flight(now),
            self.limit.limit(),
            self.budget.balance(now),
            words(self.paused_until(now))
        )
    }
}
