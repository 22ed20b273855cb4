//! What can be asked of the scenarios on real sockets.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use crate::lab::options::{time, within};
use crate::lab::params::{Disturbance, Params};
use crate::lab::policy::Kind;
use crate::lab::scenario::{self, Bound, Scenario};

pub(crate) const MEASURED: &str = "\
What is real: the server is a process on loopback (HTTP/1.1, ten workers, one
queue without bound, memoryless service times of 50 ms in the mean; it works on
for callers who have gone). Each client is a process; its calls come on a
Poisson clock, pass the policy that `storm lab` runs, and are sent over sockets,
with a time-out of 1 s. Processes are ended by their own id, on Ctrl-C too.

  s1  60 live calls a second from ten processes that are warm; then ten
      processes are started, with 2000 messages in their outboxes (SQLite files)
  s2  150 calls a second; `PUT /speed` makes the server work at a fifth of its
      speed for 10 s while it runs, then at full speed again
  s3  the same at a quarter of its speed: every reply takes four times as long

The figures are those of `storm lab --help`, made by the same code, from the logs
of the processes; a log in which a call does not add up is an error. Beside them
stand those of five virtual runs with the same parameters: the median, and the
least and the greatest. The first has the seed of the real one, and so the same
service times, but other arrivals.

What only takes time is shorter than in `storm lab`, in both columns: in s2 and s3
5 s of calm instead of 30 s; after the trigger 18 s (s2) and 8 s (s3) are watched
instead of 60 s and 30 s; the brown-out of s3 lasts 20 s instead of 60 s, the
live calls of s1 are watched for 20 s instead of 60 s. What a moment costs is more
of a shorter time: the targets for the live calls (s1) and the goodput (s2) allow
the same loss in calls as in `storm lab`; the goodput of s3, which loses most at
the start, has a target only in the full time. `--full` takes the times and
targets of `storm lab`. A run ends at the latest 10 s after what is watched,
sooner once every call that counts is over.

A target that is missed is marked x. They were set for `default`. The exit status
is 0 whatever the figures are; 1 if something broke; 2 if an option is wrong; 130
after Ctrl-C.

Examples:
  storm run s2 --html s2.html
  storm run s2 --load 0.9 --policy none,reference,default
  storm run s1 --full --policy default
  storm run all --seed 3 --json real.json";

/// The scenarios that are run for real, by their titles in the lab.
const TITLES: [&str; 3] = ["restart herd, right rate", "dip of 10 s at 75 %", "brown-out x 4"];

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// s1, s2 or s3, or all of them.
    #[arg(value_parser = PossibleValuesParser::new(["all", "s1", "s2", "s3"]))]
    scenario: String,
    /// The policies that are run, one after the other; several are separated by commas.
    #[arg(long, value_name = "POLICY", default_value = "backoff,default", value_delimiter = ',')]
    policy: Vec<Kind>,
    /// Seeds the service times, the arrivals and the policies: up to 2^32.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=1 << 32))]
    pub(crate) seed: u64,
    /// Takes as long as `storm lab`, with its targets: 142 s at most for each scenario and policy.
    #[arg(long)]
    full: bool,
    /// Write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with the plots to this file.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) html: Option<PathBuf>,
    /// Keep logs and outboxes in this directory, each run's in one of its own; removed otherwise.
    #[arg(long, value_name = "DIRECTORY", help_heading = "What is written")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    changes: Changes,
}

/// What makes another scenario of one: its targets no longer hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Another scenario")]
struct Changes {
    /// What the clients want, of the capacity: 0.01 to 1.5.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| within(text, 0.01..=1.5))]
    load: Option<f64>,
    /// What is left of the capacity during the trigger (s2, s3): 0.01 to 1.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| within(text, 0.01..=1.0))]
    drop: Option<f64>,
    /// How long the trigger lasts: 1s to 2min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 1.0..=120.0))]
    trigger: Option<f64>,
    /// How long all is calm before it: 1s to 2min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 1.0..=120.0))]
    calm: Option<f64>,
    /// How long is watched after it: 3s to 2min.
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time(text, 3.0..=120.0))]
    after: Option<f64>,
    /// Client processes; in s1 so many live ones and so many of the herd: 1 to 32.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=32))]
    clients: Option<u32>,
    /// Messages of the herd (s1): 1 to 5000.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    messages: Option<u32>,
    /// The rate that each policy is told, of the rate that there is: 0.1 to 10.
    #[arg(long, value_name = "FACTOR", value_parser = |text: &str| within(text, 0.1..=10.0))]
    told: Option<f64>,
}

impl Changes {
    fn apply(&self, params: &mut Params) {
        let set = |place: &mut f64, change: Option<f64>| *place = change.unwrap_or(*place);
        set(&mut params.load, self.load);
        set(&mut params.trigger_s, self.trigger);
        set(&mut params.calm_s, self.calm);
        set(&mut params.after_s, self.after);
        set(&mut params.told, self.told);
        if params.disturbance == Disturbance::Slow {
            set(&mut params.drop, self.drop);
        }
        if let (Disturbance::Herd(_), Some(messages)) = (params.disturbance, self.messages) {
            params.disturbance = Disturbance::Herd(messages);
        }
        params.clients = self.clients.unwrap_or(params.clients);
    }

    /// The first that was asked for and that `scenario` does not have.
    fn alien(&self, scenario: &str) -> Option<&'static str> {
        match scenario {
            "s1" => self.drop.map(|_| "--drop"),
            "s2" | "s3" => self.messages.map(|_| "--messages"),
            _ => None,
        }
    }
}

/// What only takes time is cut down.
fn shorten(scenario: &mut Scenario) {
    let lab = scenario.params.clone();
    let (calm_s, trigger_s, after_s) = match lab.disturbance {
        Disturbance::Herd(_) => (10.0, 20.0, 3.0),
        _ if lab.brown_out => (5.0, 20.0, 8.0),
        _ => (5.0, lab.trigger_s, 18.0),
    };
    scenario.params = Params { calm_s, trigger_s, after_s, ..lab.clone() };
    // The start of a brown-out costs more than what follows, and weighs more in a shorter one.
    scenario.targets.retain(|target| !(lab.brown_out && target.metric == "goodput"));
    for target in &mut scenario.targets {
        let (longer, shorter) = match target.metric {
            "live_success" => (lab.trigger_s, trigger_s),
            "goodput" => (lab.after_s, after_s),
            _ => continue,
        };
        // The same loss, in calls.
        if let Bound::AtLeast(least) = target.bound {
            let loss = (1.0 - least) * longer / shorter;
            target.bound = Bound::AtLeast(((1.0 - loss) * 1e3).round() / 1e3);
        }
    }
}

/// Where the files of a run lie.
pub(super) fn directory(scenario: &Scenario, policy: Kind) -> PathBuf {
    format!("{}-{}", scenario.group, policy.name()).into()
}

impl RunOptions {
    /// Ends the program with status 2 if something asked for cannot be had: better before the runs than after.
    pub(crate) fn check(&self) {
        if let Some(option) = self.changes.alien(&self.scenario) {
            crate::options::wrong(&format!("{option} means nothing in {}", self.scenario));
        }
        crate::options::check_files(&[("--html", self.html.as_ref()), ("--json", self.json.as_ref())]);
        if let Some(keep) = &self.keep {
            let (scenarios, policies) = (self.scenarios(), self.policies());
            let of = |scenario| policies.iter().map(move |&policy| directory(scenario, policy));
            crate::options::check_keep(keep, scenarios.iter().flat_map(of));
        }
    }

    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let is_asked = |scenario: &Scenario| {
            TITLES.contains(&scenario.title) && (self.scenario == "all" || self.scenario == scenario.group)
        };
        let mut scenarios: Vec<Scenario> = scenario::all().into_iter().filter(is_asked).collect();
        for scenario in &mut scenarios {
            if !self.full {
                shorten(scenario);
            }
            let before = scenario.params.clone();
            self.changes.apply(&mut scenario.params);
            if scenario.params != before {
                scenario.targets.clear();
            }
        }
        scenarios
    }

    /// Each once, in the order of the lab's table.
    pub(crate) fn policies(&self) -> Vec<Kind> {
        Kind::value_variants().iter().copied().filter(|kind| self.policy.contains(kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::{Cli, Role};
    use crate::real::run::longest;

    fn options(arguments: &str) -> RunOptions {
        match Cli::parse_from(["storm", "run"].into_iter().chain(arguments.split_whitespace())).role {
            Some(Role::Run(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_scenario_is_the_labs_and_ends_within_forty_five_seconds() {
        let scenarios = options("all").scenarios();
        let groups: Vec<_> = scenarios.iter().map(|scenario| scenario.group).collect();
        assert_eq!(groups, ["s1", "s2", "s3"]);
        for scenario in &scenarios {
            assert!(longest(&scenario.params) <= 45.0, "{}: {}", scenario.group, longest(&scenario.params));
            assert!(!scenario.targets.is_empty(), "{}", scenario.group);
            let lab = scenario::all().into_iter().find(|lab| lab.title == scenario.title).unwrap().params;
            let (calm_s, trigger_s, after_s) = (lab.calm_s, lab.trigger_s, lab.after_s);
            assert_eq!(Params { calm_s, trigger_s, after_s, ..scenario.params.clone() }, lab, "only times differ");
        }
        assert_eq!(options("s1").policies(), [Kind::Backoff, Kind::Default]);
        for full in options("all --full").scenarios() {
            let lab = scenario::all().into_iter().find(|lab| lab.title == full.title).unwrap();
            assert!(longest(&full.params) <= 142.0, "{}: {}", full.group, longest(&full.params));
            assert_eq!((full.params, full.targets.len()), (lab.params, lab.targets.len()));
        }
    }

    #[test]
    fn a_target_allows_the_same_loss_in_a_shorter_time() {
        let bound = |arguments: &str, metric: &str| {
            let scenario = options(arguments).scenarios().remove(0);
            let target = scenario.targets.into_iter().find(|target| target.metric == metric).unwrap();
            (target.bound, scenario.params)
        };
        for (group, metric) in [("s1", "live_success"), ("s2", "goodput")] {
            let lost = |(bound, params): (Bound, Params)| {
                let Bound::AtLeast(least) = bound else { panic!("{bound:?}") };
                (1.0 - least) * if group == "s2" { params.after_s } else { params.trigger_s }
            };
            let (full, short) = (lost(bound(&format!("{group} --full"), metric)), lost(bound(group, metric)));
            assert!((full - short).abs() < 0.02, "{group}: {short} s instead of {full} s");
        }
        for group in ["s2", "s3"] {
            assert_eq!(bound(group, "recovery_s").0, bound(&format!("{group} --full"), "recovery_s").0);
        }
        let metrics = |arguments| options(arguments).scenarios().remove(0).targets.into_iter().map(|it| it.metric);
        assert_eq!(metrics("s3").collect::<Vec<_>>(), ["recovery_s"]);
        assert_eq!(metrics("s3 --full").collect::<Vec<_>>(), ["goodput", "recovery_s"]);
    }

    #[test]
    fn every_parameter_is_an_option() {
        let asked =
            options("s2 --load 0.9 --drop 0.3 --trigger 20s --calm 2s --after 4s --clients 4 --told 2 --seed 9");
        let [dip] = &asked.scenarios()[..] else { panic!("one scenario") };
        let params = &dip.params;
        assert_eq!((params.load, params.drop, params.trigger_s, params.clients), (0.9, 0.3, 20.0, 4));
        assert_eq!((params.calm_s, params.after_s, params.told, asked.seed), (2.0, 4.0, 2.0, 9));
        assert!(dip.targets.is_empty(), "another scenario has no target");
        let herd = options("s1 --messages 500 --policy default,none,default");
        assert_eq!(herd.scenarios()[0].params.disturbance, Disturbance::Herd(500));
        assert_eq!(herd.policies(), [Kind::None, Kind::Default]);
    }

    #[test]
    fn a_bad_value_is_refused_with_what_is_allowed() {
        let cases: [(&[&str], &str); 9] = [
            (&[], "<SCENARIO>"),
            (&["s4"], "s1, s2, s3"),
            (&["s2", "--policy", "best"], "none, immediate"),
            (&["s2", "--load", "3"], "0.01 to 1.5"),
            (&["s2", "--drop", "0"], "0.01 to 1"),
            (&["s2", "--trigger", "10"], "1s to 2m, with its unit"),
            (&["s2", "--clients", "0"], "1..=32"),
            (&["s1", "--messages", "0"], "1..=5000"),
            (&["s1", "--seed", "x"], "invalid digit"),
        ];
        for (arguments, allowed) in cases {
            let error = Cli::try_parse_from(["storm", "run"].iter().chain(arguments)).unwrap_err().to_string();
            assert!(error.contains(allowed), "{arguments:?}: {error}");
        }
        assert_eq!(options("s1 --drop 0.2").changes.alien("s1"), Some("--drop"));
        assert_eq!(options("s2 --messages 3").changes.alien("s2"), Some("--messages"));
        assert_eq!(options("all --messages 3 --drop 0.2").changes.alien("all"), None);
    }

    #[test]
    fn the_help_keeps_to_eighty_columns() {
        for line in MEASURED.lines() {
            assert!(line.chars().count() <= 82, "{line}");
        }
    }
}
