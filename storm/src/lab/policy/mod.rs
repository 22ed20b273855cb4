//! The policies: what a client does with a call before it is sent, and after it failed.
//!
//! All have the shape of the core's guard: a call begins, asks for leave to be sent, reports how it ended, and is told
//! whether and when to ask again.

mod composed;
mod guarded;
mod reference;

use std::time::Duration;

use clap::ValueEnum;
use seawall::{BreakerPermit, Instant, LimitPermit, Rate};
use serde::Serialize;

/// What is sent when, and what again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Send once.
    None,
    /// Send up to four times, or as the scenario says, at once.
    Immediate,
    /// As often, with exponential backoff and full jitter.
    Backoff,
    /// Backoff, and a budget: a retry for every ten successes, ten to begin with.
    Budget,
    /// Backoff, and a breaker: half of 32 attempts failed, open for 5 s, doubling.
    Breaker,
    /// Backoff, and a rate by AIMD: errors over 10 % cut it, every second.
    Rate,
    /// Backoff, budget, and in-flight AIMD with the latency as its signal.
    InFlight,
    /// The retry herd guide's composition: bucket, breaker, backoff, AIMD on errors and p95.
    Guide,
    /// The reference of the research, a baseline to beat.
    Reference,
    /// seawall's guard as it comes, from the expected rate and the time-out.
    Default,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Immediate => "immediate",
            Self::Backoff => "backoff",
            Self::Budget => "budget",
            Self::Breaker => "breaker",
            Self::Rate => "rate",
            Self::InFlight => "in-flight",
            Self::Guide => "guide",
            Self::Reference => "reference",
            Self::Default => "default",
        }
    }

    /// Whether one policy serves all shards of a service, and knows what is whose.
    pub(super) fn tells_shards_apart(self) -> bool {
        self == Self::Default
    }
}

/// All that a policy is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// Calls a second of this client.
    pub(crate) rate: f64,
    pub(crate) timeout: Duration,
    pub(crate) max_wait: Duration,
    /// Of how many shards it is told which one a call goes to.
    pub(crate) shards: u32,
    /// Whether this client has just been restarted, and is told so.
    pub(crate) is_cold: bool,
    /// How often a call is sent, by a policy that just tries again.
    pub(crate) attempts: u32,
    pub(crate) seed: u64,
    /// Of a million clients each has little room.
    pub(crate) is_small: bool,
}

impl Told {
    fn rate_times(&self, factor: f64) -> anyhow::Result<Rate> {
        // Millionths, so that a call a minute keeps its digits.
        Ok(Rate::new(((self.rate * factor * 1e6).round() as u64).max(1), Duration::from_secs(1_000_000))?)
    }
}

/// One logical call, as its policy sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Attempts that were sent and have ended.
    pub(super) ended: u32,
    began: Instant,
    previous_delay: Option<Duration>,
    guarded: Option<seawall::Call>,
}

impl Call {
    fn new(now: Instant) -> Self {
        Self { ended: 0, began: now, previous_delay: None, guarded: None }
    }
}

/// Leave to send an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit {
    started: Instant,
    limit: Option<LimitPermit>,
    breaker: Option<BreakerPermit>,
    guarded: Option<seawall::Permit>,
    /// The reference's own notes.
    notes: reference::Notes,
}

impl Permit {
    fn plain(now: Instant) -> Self {
        Self { started: now, limit: None, breaker: None, guarded: None, notes: reference::Notes::default() }
    }
}

/// Why an attempt was not admitted: what can be done about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    /// How long the call may wait for leave; without it, it has failed.
    pub(crate) wait: Option<Duration>,
    /// When to ask again, if that is known.
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    RetryAt(Instant),
    GiveUp,
}

/// The calls of one client to one service, or to one shard of it.
pub(crate) trait Policy: Send {
    /// A call to `shard`, of those that it was told of.
    fn begin(&mut self, shard: u32, now: Instant) -> Call;
    fn try_attempt(&mut self, call: &mut Call, now: Instant) -> Result<Permit, Refusal>;
    fn finish(&mut self, call: &mut Call, permit: Permit, is_good: bool, now: Instant) -> Verdict;
    /// The call ends without being sent again.
    fn abandon(&mut self, call: &mut Call, now: Instant);
    /// How many may be in flight, where that is limited.
    #[cfg(test)]
    fn in_flight_limit(&self) -> Option<u32> {
        None
    }
}

pub(crate) fn build(kind: Kind, told: Told, now: Instant) -> anyhow::Result<Box<dyn Policy>> {
    Ok(match kind {
        Kind::Default => guarded::build(told, now)?,
        Kind::Reference => Box::new(reference::Reference::new(told)),
        kind => Box::new(composed::Composed::new(kind, told, now)?),
    })
}
