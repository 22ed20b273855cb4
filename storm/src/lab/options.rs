//! What can be asked of the lab.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::params::{Discipline, Disturbance, Params, Service};
use super::policy::Kind;
use super::scenario::{self, Scenario};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policies {
    All,
    One(Kind),
}

#[derive(Debug, Args)]
pub(crate) struct LabOptions {
    /// s0 to s8, or all of them.
    #[arg(default_value = "all", value_parser = PossibleValuesParser::new(
        ["all", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]))]
    scenario: String,
    /// Of the policies, all or one: `all`, or a name as in the table. Several are separated by commas.
    #[arg(long, value_name = "POLICY", default_value = "all", value_delimiter = ',', value_parser = policy)]
    policy: Vec<Policies>,
    /// Runs of each; the figures are their medians: 1 to 1000.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// The seed of the first run: up to 2^32.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=1 << 32))]
    first_seed: u64,
    /// Write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with the plots to this file.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    changes: Changes,
}

/// What makes another scenario of one: its targets no longer hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Another scenario")]
struct Changes {
    /// What the clients want, of the capacity: 0.01 to 2.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| within(text, 0.01..=2.0))]
    load: Option<f64>,
    /// What is left of the capacity during the trigger: 0.01 to 1.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| within(text, 0.01..=1.0))]
    drop: Option<f64>,
    /// How long the trigger lasts: 100ms to 10min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.1..=600.0))]
    trigger: Option<f64>,
    /// How long all is calm before it: 1s to 10min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 1.0..=600.0))]
    calm: Option<f64>,
    /// How long is watched after it, where that is watched: 3s to 10min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 3.0..=600.0))]
    after: Option<f64>,
    /// Clients: 1 to 1000000. Over 200 each sends 0.3 a second, and the capacity is what fits.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: Option<u32>,
    /// Shards, of which one dies in s5: 2 to 64.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(2..=64))]
    shards: Option<u32>,
    /// How long each phase of a flapping service lasts: 100ms to 10min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.1..=600.0))]
    flap: Option<f64>,
    /// Attempts that fail at once, whatever the load: 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| within(text, 0.0..=1.0))]
    errors: Option<f64>,
    /// Messages of the herd in s1: 1 to 1000000.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: Option<u32>,
    /// The rate that each policy is told, of the rate that there is: 0.1 to 10.
    #[arg(long, value_name = "FACTOR", value_parser = |text: &str| within(text, 0.1..=10.0))]
    told: Option<f64>,
    /// How the server deals with more than it can do at once.
    #[arg(long)]
    server: Option<Discipline>,
    /// How many requests may wait; one more is an error in 5 ms: 0 to 1000000.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    queue: Option<u32>,
    /// The server drops work whose caller has gone.
    #[arg(long)]
    cancellation: bool,
    /// How long a request takes a worker.
    #[arg(long)]
    service: Option<Service>,
    /// The mean of it: 1ms to 10s.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.001..=10.0))]
    mean: Option<f64>,
    /// The way through the network, one way: up to 10s.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.0..=10.0))]
    delay: Option<f64>,
    /// How long the server stops, every ten seconds in the mean: up to 10s.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.0..=10.0))]
    pause: Option<f64>,
}

fn policy(text: &str) -> Result<Policies, String> {
    if text == "all" {
        return Ok(Policies::All);
    }
    let names = || Kind::value_variants().iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    Kind::from_str(text, false).map(Policies::One).map_err(|_| format!("allowed are all, {}", names()))
}

fn within(text: &str, allowed: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        _ => Err(format!("allowed is a number from {} to {}", allowed.start(), allowed.end())),
    }
}

fn time(text: &str, allowed: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let shown = |seconds: &f64| humantime::format_duration(Duration::from_secs_f64(*seconds)).to_string();
    match humantime::parse_duration(text).map(|duration| duration.as_secs_f64()) {
        Ok(seconds) if allowed.contains(&seconds) => Ok(seconds),
        _ => Err(format!(
            "allowed is a time from {} to {}, with its unit: 500ms, 10s, 2min",
            shown(allowed.start()),
            shown(allowed.end())
        )),
    }
}

/// Over so many clients the capacity follows their number.
const SERVICE_OF_TEN: u32 = 200;
/// Calls a second of each of so many.
const SMALL_RATE: f64 = 0.3;

impl Changes {
    fn apply(&self, params: &mut Params) {
        let set = |place: &mut f64, change: Option<f64>| *place = change.unwrap_or(*place);
        set(&mut params.load, self.load);
        set(&mut params.errors, self.errors);
        set(&mut params.calm_s, self.calm);
        if params.after_s > 0.0 {
            set(&mut params.after_s, self.after);
        }
        set(&mut params.told, self.told);
        set(&mut params.mean_s, self.mean);
        set(&mut params.delay_s, self.delay);
        set(&mut params.pause_s, self.pause);
        if params.disturbance == Disturbance::Slow {
            set(&mut params.drop, self.drop);
        }
        if params.disturbance == Disturbance::Flap {
            set(&mut params.flap_s, self.flap);
            params.trigger_s = 12.0 * params.flap_s;
        } else {
            set(&mut params.trigger_s, self.trigger);
        }
        if let (Disturbance::Herd(_), Some(messages)) = (params.disturbance, self.messages) {
            params.disturbance = Disturbance::Herd(messages);
        }
        if let (Disturbance::DeadShard, Some(shards)) = (params.disturbance, self.shards) {
            params.shards = shards;
        }
        if let Some(clients) = self.clients {
            params.clients = clients;
            if clients > SERVICE_OF_TEN {
                params.capacity = f64::from(clients) * SMALL_RATE / params.load;
            }
        }
        params.server = self.server.unwrap_or(params.server);
        params.service = self.service.unwrap_or(params.service);
        params.queue = self.queue.or(params.queue);
        params.cancellation |= self.cancellation;
    }
}

impl LabOptions {
    /// What is run; two that the changes made the same are run once.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let mut scenarios: Vec<Scenario> = Vec::new();
        for mut scenario in scenario::all() {
            if self.scenario != "all" && self.scenario != scenario.group {
                continue;
            }
            let before = scenario.params.clone();
            self.changes.apply(&mut scenario.params);
            if scenario.params != before {
                scenario.targets.clear();
            }
            let same = |other: &Scenario| (other.group, &other.params) == (scenario.group, &scenario.params);
            if !scenarios.iter().any(same) {
                scenarios.push(scenario);
            }
        }
        scenarios.sort_by_key(|scenario| scenario.group);
        scenarios
    }

    pub(crate) fn policies(&self) -> Vec<Kind> {
        Kind::value_variants()
            .iter()
            .copied()
            .filter(|&kind| {
                self.policy.iter().any(|asked| matches!(asked, Policies::All) || *asked == Policies::One(kind))
            })
            .collect()
    }

    pub(crate) fn seeds(&self) -> Range<u64> {
        self.first_seed..self.first_seed + self.seeds
    }
}
