//! Every scenario under every policy with every seed, on all processors.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use super::engine;
use super::metrics::{self, Metrics};
use super::policy::Kind;
use super::record::Record;
use super::scenario::Scenario;

/// A scenario under a policy.
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) policy: Kind,
    pub(crate) seeds: u64,
    /// Medians over the seeds.
    pub(crate) metrics: Metrics,
    /// What happened with the first seed.
    pub(crate) record: Record,
}

/// The figures of a run, and of the first one what happened.
type Run = (Metrics, Option<Record>);

/// In the order of the scenarios, then of the policies, whatever the threads do.
pub(crate) fn study(scenarios: &[Scenario], policies: &[Kind], seeds: Range<u64>) -> anyhow::Result<Vec<Outcome>> {
    let pairs: Vec<(&Scenario, Kind)> =
        scenarios.iter().flat_map(|scenario| policies.iter().map(move |&policy| (scenario, policy))).collect();
    let per_pair = seeds.end.saturating_sub(seeds.start) as usize;
    let runs: Vec<Mutex<Option<anyhow::Result<Run>>>> = (0..pairs.len() * per_pair).map(|_| Mutex::new(None)).collect();
    let bar = ProgressBar::new(runs.len() as u64);
    bar.set_style(ProgressStyle::with_template("  {bar:40} {pos}/{len} runs, {eta} to go")?);
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(runs.len().max(1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && number < runs.len()
                {
                    let (scenario, policy) = pairs[number / per_pair];
                    let is_first = number % per_pair == 0;
                    let seed = seeds.start + (number % per_pair) as u64;
                    let run = engine::run(&scenario.params, policy, seed)
                        .map(|record| (metrics::metrics(&scenario.params, &record), is_first.then_some(record)));
                    if let Ok(mut place) = runs[number].lock() {
                        *place = Some(run);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();

    let mut runs = runs.into_iter();
    pairs
        .into_iter()
        .map(|(scenario, policy)| {
            let mut all = Vec::new();
            let mut first = Record::default();
            for place in runs.by_ref().take(per_pair) {
                let run = place.into_inner().ok().flatten();
                let (metrics, record) = run.unwrap_or_else(|| Err(anyhow::anyhow!("a run did not end")))?;
                all.push(metrics);
                if let Some(record) = record {
                    first = record;
                }
            }
            Ok(Outcome {
                scenario: scenario.clone(),
                policy,
                seeds: per_pair as u64,
                metrics: metrics::medians(&all),
                record: first,
            })
        })
        .collect()
}
