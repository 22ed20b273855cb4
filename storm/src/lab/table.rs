//! The figures as a table for the terminal, and as JSON.

use std::fmt::Write;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::metrics::Metrics;
use super::params::Params;
use super::policy::Kind;
use super::study::Outcome;

/// A figure as it is shown.
pub(crate) fn figure(metric: &str, value: f64) -> String {
    match value {
        never if never.is_infinite() => "never".to_owned(),
        seconds if metric.ends_with("_s") => format!("{seconds:.0} s"),
        value => format!("{value:.3}"),
    }
}

/// The figure of `metric`, with a cross where a target is missed.
pub(crate) fn cell(outcome: &Outcome, metric: &str) -> Option<String> {
    let figure = figure(metric, *outcome.metrics.get(metric)?);
    let missed =
        outcome.scenario.targets.iter().any(|target| target.metric == metric && !target.is_met(&outcome.metrics));
    Some(if missed { format!("{figure} x") } else { figure })
}

/// The table: of one policy a line for each figure, of several a table for each scenario.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let one_policy = outcomes.windows(2).all(|pair| pair[0].policy == pair[1].policy);
    if one_policy { lines(outcomes) } else { side_by_side(outcomes) }
}

/// A line for each figure, with its target.
pub(crate) fn lines(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let Some(first) = outcomes.first() else { return text };
    let _ = writeln!(text, "{}, medians of {} seeds", first.policy.name(), first.seeds);
    for outcome in outcomes {
        let scenario = &outcome.scenario;
        let _ = writeln!(text, "\n{}  {}", scenario.group, scenario.title);
        for (name, &value) in &outcome.metrics {
            let target = scenario.targets.iter().find(|target| target.metric == *name);
            let (bound, verdict) = match target {
                Some(target) if target.is_met(&outcome.metrics) => (target.text(), "met"),
                Some(target) => (target.text(), "MISSED"),
                None => (String::new(), ""),
            };
            let line = format!("    {name:<24}{:>9}   {bound:<10}{verdict}", figure(name, value));
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// Whether two stand in one table.
pub(crate) fn same_scenario(one: &Outcome, other: &Outcome) -> bool {
    (one.scenario.title, &one.scenario.params) == (other.scenario.title, &other.scenario.params)
}

/// A table for each scenario: a row for each policy.
fn side_by_side(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcomes in outcomes.chunk_by(same_scenario) {
        let Some(first) = outcomes.first() else { continue };
        let names: Vec<&str> = first.metrics.keys().copied().collect();
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        let head = |name: &&str| {
            let target = first.scenario.targets.iter().find(|target| target.metric == *name);
            let bound = target.map_or(String::new(), |target| target.text());
            format!("{}\n{bound}", name.trim_end_matches("_s").replace('_', " "))
        };
        table.set_header(std::iter::once("policy".to_owned()).chain(names.iter().map(head)));
        for outcome in outcomes {
            let cells = names.iter().map(|name| cell(outcome, name).unwrap_or_default());
            table.add_row(std::iter::once(outcome.policy.name().to_owned()).chain(cells));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let _ = writeln!(text, "{}: {}\n{table}\n", first.scenario.group.to_uppercase(), first.scenario.title);
    }
    text
}

#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    title: &'a str,
    policy: Kind,
    params: &'a Params,
    seeds: u64,
    metrics: &'a Metrics,
}

/// `{"results": […]}`.
pub(crate) fn json(outcomes: &[Outcome]) -> anyhow::Result<String> {
    let results: Vec<Line<'_>> = outcomes
        .iter()
        .map(|outcome| Line {
            scenario: outcome.scenario.group,
            title: outcome.scenario.title,
            policy: outcome.policy,
            params: &outcome.scenario.params,
            seeds: outcome.seeds,
            metrics: &outcome.metrics,
        })
        .collect();
    enclosed(&results)
}

/// The results in the object that both the lab and the real storms write.
pub(crate) fn enclosed(results: &[impl Serialize]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&serde_json::json!({ "results": results }))? + "\n")
}
