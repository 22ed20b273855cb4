//! What can be asked of the lab.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::params::{Cut, Discipline, Disturbance, Params, Service};
use super::policy::Kind;
use super::scenario::{self, Scenario};

pub(crate) const MEASURED: &str = "\
The model: a service of 200 calls a second (ten workers, 50 ms in the mean) with
one queue without bound, that works on for callers who have gone; ten clients
with a policy each, whose calls come on Poisson clocks; a time-out of 1 s. An
error that costs the server nothing takes 5 ms. A call that its policy refuses,
and does not let wait, has failed. A policy is told the rate of its client and
the time-out, and nothing else.

  s0  calm: 10 % errors; 40 % errors; a service that needs 0.4 s when all is well
  s1  2000 messages come back at once, beside 60 live calls a second: with the
      right rate; told twice the rate; with a queue of 30
  s2  the capacity falls to a fifth, for 10 s or 30 s, at 75 % or 90 % load:
      every worker is slower, or there are fewer
  s3  every reply takes four times as long, for 60 s: a capacity of 50; every
      reply takes the time-out, or 0.99 of it, whatever the load
  s4  every request fails for 10 s (2 s), then none for as long, six times
  s5  one of four shards fails, which the clients know or do not know
  s6  one client sends twelve times what it declared; a queue of 100
  s7  s2 with 500 clients of 0.3 calls a second
  s8  s2 and s3 with a lognormal service, 20 ms of network and pauses of 300 ms
  s9  two published failures that last: the dips of OSDI 2022, of which one is
      not survived with four resends after 3 s; the network cut of HotOS 2021,
      with one retry after 1 s, at 280 and at 140 calls a second of 300

The figures (medians over the seeds):
  shed                   calls that were never sent, of all: in s0 throughout,
                         else before the trigger
  success                calls answered well, at whichever attempt, of all
  amplification          requests sent for each call; in s2, from the trigger to
                         the end of what is watched
  trigger_amplification  the same while the trigger lasts
  recovery_s             the first second after the trigger from which 95 % of
                         the calls of 2 s are answered well; `never`, in JSON
                         null, where there is none
  goodput                calls answered well, of those that arrived in what is
                         watched after the trigger, 60 s (network cut: 240 s);
                         in a brown-out, good answers during it, of what the
                         capacity that was left can give
  drain_ratio            until the last message is delivered, of the ideal
                         (2000 / 140 = 14.3 s); null where some never were
  live_success           live calls answered well in the 60 s of the herd
  sends_per_message      requests sent for each message
  up_goodput             calls answered well, of those that arrived in up phases
  down_attempts          requests sent in down phases, for each call in them
  healthy_success        calls to the healthy shards that were answered well
  polite_success         calls of the polite clients that were answered well
  total_goodput          good answers to all, of the capacity

All begin after 10 s (s1) or 30 s, in which the clients get to know the service.
A target that is missed is marked x. They were set for `default`.

Examples:
  storm lab                                   every scenario, every policy
  storm lab s2 --policy default,backoff --html s2.html
  storm lab s2 --load 0.9 --drop 0.3 --trigger 20s --server ps
  storm lab s2 --timeout 3s --attempts 5 --capacity 1000 --load 0.62 --cut workers
  storm lab s7 --clients 1000000 --policy default --seeds 1 --calm 20s --after 30s";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policies {
    All,
    One(Kind),
}

#[derive(Debug, Args)]
pub(crate) struct LabOptions {
    /// s0 to s9, or all of them.
    #[arg(default_value = "all", value_parser = PossibleValuesParser::new(
        ["all", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"]))]
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
    /// How that is lost: every worker is slower, or there are fewer of them, at least one.
    #[arg(long)]
    cut: Option<Cut>,
    /// How long the trigger lasts: 100ms to 10min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.1..=600.0))]
    trigger: Option<f64>,
    /// How long all is calm before it: 1s to 10min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 1.0..=600.0))]
    calm: Option<f64>,
    /// How long is watched after it, where that is watched: 3s to 10min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 3.0..=600.0))]
    after: Option<f64>,
    /// Clients: 1 to 1000000. Over 200 each sends 0.3 a second, and without --capacity that is what fits.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: Option<u32>,
    /// What the service can do in a second, by more workers: 1 to 1000000.
    #[arg(long, value_name = "CALLS", value_parser = |text: &str| within(text, 1.0..=1e6))]
    capacity: Option<f64>,
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
    /// How often a policy that just tries again sends a call (immediate, backoff and what stands on it): 1 to 10.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10))]
    attempts: Option<u32>,
    /// The time-out of an attempt: 10ms to 1min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.01..=60.0))]
    timeout: Option<f64>,
    /// How long `default` keeps an attempt waiting for what is worth waiting for, rather than refuse it: 0s to 1min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 0.0..=60.0))]
    max_wait: Option<f64>,
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

pub(crate) fn within(text: &str, allowed: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        _ => Err(format!("allowed is a number from {} to {}", allowed.start(), allowed.end())),
    }
}

pub(crate) fn time(text: &str, allowed: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
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
        set(&mut params.timeout_s, self.timeout);
        set(&mut params.max_wait_s, self.max_wait);
        params.attempts = self.attempts.unwrap_or(params.attempts);
        set(&mut params.mean_s, self.mean);
        set(&mut params.delay_s, self.delay);
        set(&mut params.pause_s, self.pause);
        if params.disturbance == Disturbance::Slow {
            set(&mut params.drop, self.drop);
            params.cut = self.cut.unwrap_or(params.cut);
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
        set(&mut params.capacity, self.capacity);
        params.server = self.server.unwrap_or(params.server);
        params.service = self.service.unwrap_or(params.service);
        params.queue = self.queue.or(params.queue);
        params.cancellation |= self.cancellation;
    }
}

impl LabOptions {
    /// Ends the program with status 2 if a file could not be written after the runs: better now than then.
    pub(crate) fn check(&self) {
        crate::options::check_files(&[("--html", self.html.as_ref()), ("--json", self.json.as_ref())]);
    }

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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::{Cli, Role};

    fn lab(arguments: &[&str]) -> LabOptions {
        match Cli::parse_from(["storm", "lab"].iter().chain(arguments)).role {
            Some(Role::Lab(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_parameter_is_an_option() {
        let arguments = "s2 --load 0.9 --drop 0.2 --trigger 10s --clients 500 --shards 4 --flap 10s --server ps \
                         --cut workers --attempts 2 --timeout 2s --max-wait 300ms --capacity 600 --service lognormal \
                         --policy all --seeds 5 --first-seed 1";
        let options = lab(&arguments.split_whitespace().collect::<Vec<_>>());
        let scenarios = options.scenarios();
        let of = |params: &Params| (params.load, params.trigger_s, params.clients, params.server, params.service);
        // The dips that differed in what the options say have become one.
        assert_eq!(scenarios.len(), 2);
        for Scenario { params, .. } in &scenarios {
            assert_eq!((params.cut, params.attempts, params.timeout_s, params.max_wait_s), (Cut::Workers, 2, 2.0, 0.3));
            assert!((params.capacity - 600.0).abs() < 1e-9);
        }
        let options = lab(&arguments.replace("--capacity 600", "").split_whitespace().collect::<Vec<_>>());
        let scenarios = options.scenarios();
        for scenario in &scenarios {
            assert_eq!(of(&scenario.params), (0.9, 10.0, 500, Discipline::Shared, Service::Lognormal));
            assert!((scenario.params.client_rate() - SMALL_RATE).abs() < 1e-9);
            assert!(scenario.targets.is_empty(), "another scenario has no target");
        }
        assert_eq!((options.policies().len(), options.seeds()), (Kind::value_variants().len(), 1..6));
        assert_eq!(lab(&["s4", "--flap", "2s"]).scenarios().len(), 1);
        assert_eq!(lab(&["--policy", "default,none"]).policies(), [Kind::None, Kind::Default]);
        assert_eq!(lab(&[]).scenarios().len(), scenario::all().len());
    }

    #[test]
    fn a_bad_value_is_refused_with_what_is_allowed() {
        let cases: [(&[&str], &str); 8] = [
            (&["s10"], "s0, s1"),
            (&["--policy", "best"], "all, none, immediate"),
            (&["--seeds", "0"], "1..=1000"),
            (&["--load", "3"], "0.01 to 2"),
            (&["--trigger", "10"], "100ms to 10m, with its unit"),
            (&["--trigger", "1h"], "100ms to 10m"),
            (&["--clients", "0"], "1..=1000000"),
            (&["--server", "lifo"], "fifo, ps"),
        ];
        for (arguments, allowed) in cases {
            let error = Cli::try_parse_from(["storm", "lab"].iter().chain(arguments)).unwrap_err().to_string();
            assert!(error.contains(allowed), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn the_help_keeps_to_eighty_columns() {
        for line in MEASURED.lines() {
            assert!(line.chars().count() <= 82, "{line}");
        }
    }
}
