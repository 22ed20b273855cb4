//! Three of the lab's scenarios on real sockets, beside the same in virtual time.
//!
//! The server is the storm's, with the lab's service times; a client is a process that runs the lab's policy on the
//! system's clock. `run` makes one storm of them, `ledger` makes the lab's record of their logs, and the lab's own code
//! the figures: what differs between the two is the sockets, the processes and the clock, and nothing else.

pub(crate) mod caller;

mod ledger;
mod limits;
mod options;
mod page;
mod report;
mod run;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::lab::engine;
use crate::lab::metrics::{self, Metrics};
use crate::lab::policy::Kind;
use crate::lab::record::Record;
use crate::lab::scenario::Scenario;
use crate::processes;

pub(crate) use options::{MEASURED, RunOptions};
use run::Reality;

/// Runs in virtual time beside each real one; the real one has the first one's seed.
const VIRTUAL: u64 = 5;

/// A policy in a scenario: on real sockets, and in virtual time.
struct Comparison {
    policy: Kind,
    reality: Reality,
    real: Metrics,
    /// The figures of each seed.
    virtually: Vec<Metrics>,
    /// What happened with the first.
    record: Record,
}

impl Comparison {
    /// The least, the median and the greatest of the seeds.
    fn virtual_range(&self, metric: &str) -> Option<(f64, f64, f64)> {
        let median = *metrics::medians(&self.virtually).get(metric)?;
        let values = || self.virtually.iter().filter_map(|metrics| metrics.get(metric).copied());
        Some((values().fold(f64::INFINITY, f64::min), median, values().fold(f64::NEG_INFINITY, f64::max)))
    }
}

/// A scenario under some policies.
struct Trial {
    scenario: Scenario,
    seed: u64,
    comparisons: Vec<Comparison>,
}

/// What the options ask for.
pub(crate) fn run(options: &RunOptions) -> anyhow::Result<()> {
    options.check();
    let (scenarios, policies) = (options.scenarios(), options.policies());
    scenarios.iter().try_for_each(|scenario| limits::allow_files(&scenario.params))?;
    processes::catch_interrupts()?;
    let most: f64 = scenarios.iter().map(|scenario| run::longest(&scenario.params)).sum();
    let most = Duration::from_secs((most * policies.len() as f64).ceil() as u64);
    eprintln!("  {} at most", humantime::format_duration(most));

    let mut trials = Vec::new();
    let all = compare_all(options, &scenarios, &policies, &mut trials);
    // What was measured is shown, though the rest was interrupted or failed.
    print!("{}", report::table(&trials));
    all?;
    if let Some(path) = &options.json {
        crate::report::write(path, &report::json(&trials)?)?;
    }
    if let Some(path) = &options.html {
        crate::report::write(path, &page::page(&trials))?;
        println!("  The plots: {}", std::path::absolute(path)?.display());
    }
    Ok(())
}

/// Adds a trial for each scenario that was run under every policy.
fn compare_all(
    options: &RunOptions,
    scenarios: &[Scenario],
    policies: &[Kind],
    trials: &mut Vec<Trial>,
) -> anyhow::Result<()> {
    let scratch = tempfile::Builder::new().prefix("seawall-storm-").tempdir()?;
    for scenario in scenarios {
        let mut comparisons = Vec::new();
        for &policy in policies {
            let name = options::directory(scenario, policy);
            let directory = options.keep.as_deref().unwrap_or(scratch.path()).join(name);
            std::fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
            comparisons.push(compare(scenario, policy, options.seed, &directory)?);
        }
        trials.push(Trial { scenario: scenario.clone(), seed: options.seed, comparisons });
    }
    Ok(())
}

fn compare(scenario: &Scenario, policy: Kind, seed: u64, directory: &Path) -> anyhow::Result<Comparison> {
    eprintln!("\n{:>10} {}: {}", policy.name(), scenario.group.to_uppercase(), scenario.title);
    let params = &scenario.params;
    let reality = run::run(params, policy, seed, directory)?;
    let records: Vec<Record> =
        (seed..seed + VIRTUAL).map(|seed| engine::run(params, policy, seed)).collect::<anyhow::Result<_>>()?;
    Ok(Comparison {
        policy,
        real: metrics::metrics(params, &reality.record),
        reality,
        virtually: records.iter().map(|record| metrics::metrics(params, record)).collect(),
        record: records.into_iter().next().unwrap_or_default(),
    })
}
