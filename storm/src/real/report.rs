//! Real beside virtual: a table for the terminal, and JSON.

use std::fmt::Write;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::ledger::Accounts;
use super::run::Serving;
use super::{Comparison, Trial, VIRTUAL};
use crate::lab::metrics::{self, Metrics};
use crate::lab::params::{Disturbance, Params};
use crate::lab::policy::Kind;
use crate::lab::scenario;
use crate::lab::table::{enclosed, figure};

/// The real figure, with a cross where a target is missed.
pub(super) fn real(trial: &Trial, comparison: &Comparison, metric: &str) -> String {
    let shown = comparison.real.get(metric).map_or(String::new(), |&value| figure(metric, value));
    let missed = |target: &&scenario::Target| target.metric == metric && !target.is_met(&comparison.real);
    if trial.scenario.targets.iter().any(|target| missed(&target)) { format!("{shown} x") } else { shown }
}

/// The median of the virtual runs, and how far they lie apart.
pub(super) fn virtually(comparison: &Comparison, metric: &str) -> String {
    let Some((least, median, most)) = comparison.virtual_range(metric) else { return String::new() };
    let (least, median, most) = (figure(metric, least), figure(metric, median), figure(metric, most));
    if least == most { median } else { format!("{median} ({least} to {most})") }
}

pub(super) fn target(trial: &Trial, metric: &str) -> String {
    let target = trial.scenario.targets.iter().find(|target| target.metric == metric);
    target.map_or(String::new(), |target| target.text())
}

/// A name without its unit, which stands with the figure.
pub(super) fn words(metric: &str) -> String {
    metric.trim_end_matches("_s").replace('_', " ")
}

/// The names of the figures, in the order of the lab's table.
pub(super) fn names(trial: &Trial) -> Vec<&'static str> {
    trial.comparisons.first().map_or(Vec::new(), |first| first.real.keys().copied().collect())
}

/// How long what lasts, and whether that is shorter than in the lab.
pub(super) fn phases(trial: &Trial) -> String {
    let params = &trial.scenario.params;
    let watched = match params.disturbance {
        Disturbance::Herd(_) => format!("the herd's first {} s", params.trigger_s),
        _ => format!("a trigger of {} s, {} s after it", params.trigger_s, params.after_s),
    };
    let lab = scenario::all().into_iter().find(|lab| lab.title == trial.scenario.title);
    let times = |params: &Params| [params.calm_s, params.trigger_s, params.after_s];
    let is_other = lab.is_some_and(|lab| times(&lab.params) != times(params));
    let other = if is_other { ". The lab's own times are others (--full)" } else { "" };
    format!("Real and virtual alike: {} s of calm, {watched}{other}.", params.calm_s)
}

/// What the real run did beyond the figures.
pub(super) fn facts(comparison: &Comparison) -> String {
    let Accounts { came, answered, failed, shed, open, delivered, sends } = comparison.reality.accounts;
    let Serving { speeds, before, during, after } = &comparison.reality.server;
    let mut text = format!("{came} calls came: {answered} answered well, {failed} failed, {shed} never sent");
    if open > 0 {
        let _ = write!(text, ", {open} still open at the end");
    }
    if delivered > 0 {
        let _ = write!(text, "; {delivered} messages delivered");
    }
    let _ = write!(text, "; {sends} requests. The server worked off {before:.0}/s before, ");
    match speeds[..] {
        [(cut, _), (back, _)] => {
            let _ = write!(text, "{during:.0}/s from its cut at {cut:.2} s to {back:.2} s, {after:.0}/s after it.");
        }
        _ => {
            let _ = write!(text, "{during:.0}/s from the herd's start on.");
        }
    }
    text
}

/// A table for each scenario: a row for each figure, and two columns for each policy.
pub(super) fn table(trials: &[Trial]) -> String {
    let mut text = String::new();
    for trial in trials {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        let heads = trial.comparisons.iter().flat_map(|comparison| {
            let name = comparison.policy.name();
            [format!("{name}\nreal"), format!("{name}\nvirtual")]
        });
        table.set_header(std::iter::once(String::new()).chain(heads).chain(["\ntarget".to_owned()]));
        for metric in names(trial) {
            let cells = trial
                .comparisons
                .iter()
                .flat_map(|comparison| [real(trial, comparison, metric), virtually(comparison, metric)]);
            table.add_row(std::iter::once(words(metric)).chain(cells).chain([target(trial, metric)]));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let (group, title) = (trial.scenario.group.to_uppercase(), trial.scenario.title);
        let _ = writeln!(
            text,
            "\n{group}: {title}, seed {}; virtual: median of {VIRTUAL} seeds (least to greatest)\n{table}",
            trial.seed
        );
        let _ = writeln!(text, "  {}", phases(trial));
        for comparison in &trial.comparisons {
            let _ = writeln!(text, "  {}: {}", comparison.policy.name(), facts(comparison));
        }
    }
    text
}

#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    title: &'a str,
    policy: Kind,
    params: &'a Params,
    seed: u64,
    real: &'a Metrics,
    accounts: Accounts,
    server: &'a Serving,
    /// Medians.
    virtual_seeds: u64,
    #[serde(rename = "virtual")]
    virtually: Metrics,
}

/// `{"results": […]}`.
pub(super) fn json(trials: &[Trial]) -> anyhow::Result<String> {
    let mut results = Vec::new();
    for trial in trials {
        results.extend(trial.comparisons.iter().map(|comparison| Line {
            scenario: trial.scenario.group,
            title: trial.scenario.title,
            policy: comparison.policy,
            params: &trial.scenario.params,
            seed: trial.seed,
            real: &comparison.real,
            accounts: comparison.reality.accounts,
            server: &comparison.reality.server,
            virtual_seeds: VIRTUAL,
            virtually: metrics::medians(&comparison.virtually),
        }));
    }
    enclosed(&results)
}
