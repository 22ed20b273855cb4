//! The figures as a table for the terminal.

use std::fmt::Write;

use crate::measure::Figures;

/// A row of the table: its name, and its cell for a run.
type Row = (&'static str, fn(&Figures) -> String);

/// A criterion: its name, and whether a run meets it.
type Criterion = (&'static str, fn(&Figures) -> bool);

fn met(yes: bool) -> String {
    if yes { "met".to_owned() } else { "NOT MET".to_owned() }
}

/// The rows, in the order of the story. The page shows the same.
pub(crate) const ROWS: [Row; 13] = [
    ("capacity of the server, messages/s", |run| format!("{:.0}", run.capacity_rps)),
    ("peak of requests/s", |run| format!("{:.0}  ({:.1}x)", run.peak_rps, run.peak_rps / run.capacity_rps)),
    ("live users answered within 1 s", |run| format!("{:.1} %", 100.0 * run.live_success)),
    ("live users' p95", |run| match run.live_p95_ms {
        ms if ms >= 1_000.0 => "over 1 s".to_owned(),
        ms => format!("{ms:.0} ms"),
    }),
    ("attempts that failed or timed out", |run| format!("{:.1} %", 100.0 * run.error_rate)),
    ("sends per message", |run| format!("{:.2}", run.sends_per_message)),
    ("outboxes empty after (ideal)", |run| match run.drain_s {
        Some(drain) => format!("{drain:.1} s  ({:.1} s)", run.ideal_drain_s),
        None => match run.cut_off_s {
            Some(cut_off) => format!("> {cut_off:.1} s  ({:.1} s)", run.ideal_drain_s),
            None => format!("never  ({:.1} s)", run.ideal_drain_s),
        },
    }),
    ("good answers, of capacity", |run| format!("{:.0} %", 100.0 * run.goodput_share)),
    ("work of the server that helped nobody", |run| format!("{:.0} %", 100.0 * run.wasted_share)),
    ("given up (dead letters)", |run| run.dead_lettered.to_string()),
    ("messages stored", |run| format!("{} of {}", run.delivered, run.messages)),
    ("lost / stored twice", |run| format!("{} / {}", run.lost, run.duplicated)),
    ("SIGKILLs survived by the outboxes", |run| run.kills.to_string()),
];

/// The guide's criteria.
pub(crate) const CRITERIA: [Criterion; 4] = [
    ("no burst on restart (peak <= 1.3x)", |run| run.criteria.no_burst),
    ("stable error rate (< 5 %)", |run| run.criteria.stable_errors),
    ("graceful (>= 80 % goodput under load)", |run| run.criteria.graceful),
    ("recovers by itself (p95 within 5 s)", |run| run.criteria.recovers),
];

/// What `>` means, for where it is seen.
pub(crate) fn cut_off_note(runs: &[&Figures]) -> Option<&'static str> {
    let cut_off = runs.iter().any(|run| run.cut_off_s.is_some());
    cut_off.then_some("> : messages still waited when the run was cut off, so that the whole ends within 90 s")
}

/// The table.
pub(crate) fn table(runs: &[Figures]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, cells: &mut dyn Iterator<Item = String>| {
        let _ = write!(text, "  {name:<38}");
        cells.for_each(|cell| {
            let _ = write!(text, "{cell:>19}");
        });
        text.push('\n');
    };
    line("", &mut runs.iter().map(|run| run.name.clone()));
    for (name, cell) in ROWS {
        line(name, &mut runs.iter().map(cell));
    }
    line("", &mut std::iter::empty());
    for (name, holds) in CRITERIA {
        line(name, &mut runs.iter().map(|run| met(holds(run))));
    }
    if let Some(note) = cut_off_note(&runs.iter().collect::<Vec<_>>()) {
        let _ = writeln!(text, "\n  {note}");
    }
    text
}
