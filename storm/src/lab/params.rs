//! What a scenario is made of: the service, the clients, and what befalls them.

use clap::ValueEnum;
use serde::Serialize;

/// How the server deals with more than it can do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Discipline {
    /// One queue, first come, first served.
    Fifo,
    /// All at once, each slower.
    #[value(name = "ps")]
    #[serde(rename = "ps")]
    Shared,
}

/// How long a request takes a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Service {
    /// Memoryless.
    Exponential,
    /// A heavy tail, sigma 1.
    Lognormal,
    /// Always the same.
    Constant,
}

/// What is taken from a server that has less of its capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cut {
    /// Every request takes longer.
    Speed,
    /// Fewer are served at once, each as fast as ever: at least one worker is left.
    Workers,
}

/// What befalls the service, or its clients, from the trigger on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Disturbance {
    /// Nothing.
    None,
    /// The server has `drop` of its capacity.
    Slow,
    /// Every request is an error at once, for as long as it is well after it, six times.
    Flap,
    /// One of the shards answers with errors only.
    DeadShard,
    /// One client sends so many times as much as it declared.
    Noisy(f64),
    /// Clients come back with so many messages together.
    Herd(u32),
    /// Nothing that is sent, in either direction, comes through the network, which sends it again until it does: all of
    /// it is there when the trigger ends.
    Partition,
    /// Every reply takes so much of the time-out, whatever the load.
    Stall(f64),
}

/// From a pause of the server to the next, in the mean.
pub(crate) const PAUSE_GAP_S: f64 = 10.0;

/// The parameters of one run. Times in seconds, rates a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Params {
    /// What the clients want, of the capacity.
    pub(crate) load: f64,
    pub(crate) clients: u32,
    pub(crate) capacity: f64,
    pub(crate) disturbance: Disturbance,
    /// What is left of the capacity while the trigger lasts.
    pub(crate) drop: f64,
    /// Whether it is lost in speed or in workers.
    pub(crate) cut: Cut,
    pub(crate) trigger_s: f64,
    /// Whether it counts what is got out of the service during the trigger, and not after it.
    pub(crate) brown_out: bool,
    pub(crate) flap_s: f64,
    pub(crate) shards: u32,
    /// Whether the clients know which shard a call goes to, and keep a policy for each.
    pub(crate) shards_known: bool,
    /// Attempts that fail at once, whatever the load.
    pub(crate) errors: f64,
    pub(crate) server: Discipline,
    /// How many requests may wait; else without bound.
    pub(crate) queue: Option<u32>,
    /// Whether the server drops work whose caller has gone.
    pub(crate) cancellation: bool,
    pub(crate) service: Service,
    /// The mean time a request takes a worker.
    pub(crate) mean_s: f64,
    /// The way through the network, one way.
    pub(crate) delay_s: f64,
    /// How long the server stops, every ten seconds in the mean.
    pub(crate) pause_s: f64,
    pub(crate) timeout_s: f64,
    /// How often a policy that just tries again sends a call.
    pub(crate) attempts: u32,
    /// The rate that a policy is told, of the rate that there is.
    pub(crate) told: f64,
    /// Seconds before the trigger.
    pub(crate) calm_s: f64,
    /// Seconds that are watched after it.
    pub(crate) after_s: f64,
}

impl Params {
    /// The service of the calibration: ten workers, 50 ms in the mean; ten clients.
    pub(crate) const BASE: Self = Self {
        load: 0.75,
        clients: 10,
        capacity: 200.0,
        disturbance: Disturbance::None,
        drop: 1.0,
        cut: Cut::Speed,
        trigger_s: 60.0,
        brown_out: false,
        flap_s: 10.0,
        shards: 1,
        shards_known: false,
        errors: 0.0,
        server: Discipline::Fifo,
        queue: None,
        cancellation: false,
        service: Service::Exponential,
        mean_s: 0.05,
        delay_s: 0.0,
        pause_s: 0.0,
        timeout_s: 1.0,
        attempts: 4,
        told: 1.0,
        calm_s: 30.0,
        after_s: 0.0,
    };

    pub(crate) fn workers(&self) -> usize {
        ((self.capacity * self.mean_s).round() as usize).max(1)
    }

    /// How many workers are there while the trigger lasts.
    pub(crate) fn workers_left(&self) -> usize {
        match self.cut {
            Cut::Speed => self.workers(),
            Cut::Workers => ((self.workers() as f64 * self.drop).round() as usize).max(1),
        }
    }

    /// What is left of the capacity while the trigger lasts: workers are whole.
    pub(crate) fn share_left(&self) -> f64 {
        match self.cut {
            Cut::Speed => self.drop,
            Cut::Workers => self.workers_left() as f64 / self.workers() as f64,
        }
    }

    /// What is left of the capacity between the pauses.
    pub(crate) fn up_share(&self) -> f64 {
        PAUSE_GAP_S / (PAUSE_GAP_S + self.pause_s)
    }

    /// Calls a second of one client.
    pub(crate) fn client_rate(&self) -> f64 {
        self.load * self.capacity / f64::from(self.clients)
    }

    pub(crate) fn trigger_end(&self) -> f64 {
        self.calm_s + self.trigger_s
    }

    /// When nothing new is counted any more.
    pub(crate) fn watched(&self) -> f64 {
        self.trigger_end() + self.after_s
    }

    /// When it ends: calls that came in last have time for all their attempts.
    pub(crate) fn horizon(&self) -> f64 {
        self.watched() + 10.0 * self.timeout_s
    }
}
