//! The table, `RESULTS.md` and the JSON.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use crate::conditions::{Conditions, versions};
use crate::figures::{Measured, Samples, ratio, short};
use crate::promises::{self, ONE_THREAD, median};
use crate::row::Kind;

/// One line of the table; what counts instructions writes lines of the same form.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Line {
    /// Which path of ours.
    pub path: String,
    /// What it is compared with.
    pub against: String,
    /// Ours by the other; in a line of counts, the count.
    pub ratio: f64,
    /// What is wanted, such as `<= 1.25`; `None` where nothing was set.
    pub target: Option<String>,
    /// Whether it is so.
    pub met: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
}

impl Line {
    /// Why a target is missed, if that is known.
    fn why_not(&self) -> Option<&str> {
        self.reason.as_deref().filter(|reason| !reason.is_empty())
    }
}

/// The file that `--json` writes and `--merge` reads.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Lines {
    /// The lines.
    pub rows: Vec<Line>,
}

/// The lines with a target, and after them every path of ours beside its floor and its best peer.
#[must_use]
pub fn lines(measured: &[Measured], conditions: &Conditions) -> Vec<Line> {
    let mut lines = Vec::new();
    let busy = "the machine was busy with other work: to be run again when it is quiet";
    let mut push = |path: &str, against: &str, value: f64, bound: promises::Bound, reason: &str| {
        let met = bound.holds(value);
        let reason = match (met, reason) {
            (true, _) => None,
            (false, "") if conditions.is_busy() => Some(busy.to_owned()),
            (false, "") => None,
            (false, reason) => Some(reason.to_owned()),
        };
        let (path, against, target) = (path.to_owned(), against.to_owned(), Some(bound.text()));
        lines.push(Line { path, against, ratio: value, target, met: Some(met), reason });
    };
    for promise in promises::all() {
        if let Some([_, value, _]) = promise.ratio(measured) {
            push(promise.path, promise.against, value, promise.bound, promise.reason);
        }
    }
    for (path, against, value, bound) in promises::counts() {
        push(path, against, value, bound, "");
    }
    lines.extend(measured.iter().flat_map(beside));
    lines
}

/// Every row of ours beside the floor and the best peer.
fn beside(section: &Measured) -> Vec<Line> {
    let mut lines = Vec::new();
    let ours = section.rows.iter().filter(|row| row.kind == Kind::Ours);
    let best = |better: fn(&Samples) -> Option<f64>| {
        let peers = section.rows.iter().filter(|row| row.kind == Kind::Peer && row.is_rival);
        peers.filter_map(|row| Some((row, better(row)?))).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(row, _)| row)
    };
    for row in ours {
        let mut push = |path: String, against: &str, ratio: Option<[f64; 3]>| {
            if let Some([_, ratio, _]) = ratio {
                lines.push(Line { path, against: against.into(), ratio, target: None, met: None, reason: None });
            }
        };
        let path = |how: &str| format!("{}: {}{how}", section.name, row.name);
        if let Some(floor) = section.row(section.reference).filter(|floor| floor.name != row.name) {
            push(path(""), &floor.name, ratio(&row.ns, &floor.ns));
        }
        if let Some(peer) = best(|row| median(&row.ns).map(|ns| -ns)) {
            push(path(""), &format!("{BEST_PEER}{}", peer.name), ratio(&row.ns, &peer.ns));
        }
        let how = format!("{THREADS}{}", section.threads);
        push(path(&how), ONE_THREAD, ratio(&row.all, &row.one));
        if let Some(peer) = best(|row| median(&row.all)) {
            push(path(&how), &format!("{BEST_PEER}{}", peer.name), ratio(&row.all, &peer.all));
        }
    }
    lines
}

/// What [`overview`] has in each column.
const OVERVIEW: [&str; 5] =
    ["path", "cost by the floor's", "by the best peer's", "threads by one", "by the best peer's"];

/// The same, a row a path: the cost beside the floor and the best peer, and several threads beside one and beside it.
fn overview(lines: &[Line]) -> Vec<[String; 5]> {
    let mut rows: Vec<[String; 5]> = Vec::new();
    for line in lines.iter().filter(|line| line.target.is_none()) {
        let (path, how) = line.path.split_once(THREADS).unwrap_or((&line.path, ""));
        let against = line.against.strip_prefix(BEST_PEER);
        let column = match (how, against) {
            ("", None) => 1,
            ("", Some(_)) => 2,
            (_, None) => 3,
            (_, Some(_)) => 4,
        };
        if rows.last().is_none_or(|row| row[0] != path) {
            rows.push([path.to_owned(), String::new(), String::new(), String::new(), String::new()]);
        }
        if let Some(row) = rows.last_mut() {
            row[column] = match (column, against) {
                (3, _) => short(line.ratio),
                (_, against) => format!("{} {}", short(line.ratio), against.unwrap_or(&line.against)),
            };
        }
    }
    rows
}

const THREADS: &str = ", threads: ";
const BEST_PEER: &str = "best peer: ";

/// The targets that are missed without a reason.
#[must_use]
pub fn unexplained(lines: &[Line]) -> Vec<String> {
    let missed = lines.iter().filter(|line| line.met == Some(false) && line.why_not().is_none());
    missed.map(|line| format!("{} against {}: {}", line.path, line.against, short(line.ratio))).collect()
}

const HEAD: [&str; 5] = ["path", "against", "ratio", "target", "met"];

fn cells(line: &Line) -> [String; 5] {
    let met = match line.met {
        None => "",
        Some(true) => "yes",
        Some(false) => "**no**",
    };
    let value = if line.ratio.fract() == 0.0 { format!("{:.0}", line.ratio) } else { short(line.ratio) };
    [line.path.clone(), line.against.clone(), value, line.target.clone().unwrap_or_default(), met.into()]
}

/// The table for a terminal.
#[must_use]
pub fn table(lines: &[Line]) -> String {
    let mut targets = Table::new();
    targets.load_style(presets::ASCII_MARKDOWN).set_header(HEAD);
    for line in lines.iter().filter(|line| line.target.is_some()) {
        targets.add_row(cells(line).map(|cell| cell.replace("**", "")));
    }
    if let Some(column) = targets.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut beside = Table::new();
    beside.load_style(presets::ASCII_MARKDOWN).set_header(OVERVIEW);
    for row in overview(lines) {
        beside.add_row(row);
    }
    let mut text = format!("{beside}\n\n{targets}\n");
    for (line, reason) in lines.iter().filter_map(|line| Some((line, line.why_not()?))) {
        let _ = writeln!(text, "{}, against {}: {reason}", line.path, line.against);
    }
    text
}

/// `RESULTS.md`.
#[must_use]
pub fn document(lines: &[Line], measured: &[Measured], conditions: &Conditions) -> String {
    let mut text = String::from(
        "# What it costs\n\nWritten by `scripts/bench`; how it is measured, and how to read it, is in \
         [README.md](README.md).\n\n## Conditions\n\n",
    );
    for line in conditions.lines() {
        let _ = writeln!(text, "- {line}");
    }
    let _ = writeln!(text, "- {}", versions().join(", "));
    let count = |met| lines.iter().filter(|line| line.met == Some(met)).count();
    let _ = writeln!(
        text,
        "\nOn another machine the nanoseconds are others, and so are the ratios of what waits for memory.\n\n## Targets\n\n{} of \
         {} are met. `ratio` is ours by the other: for a cost less is better, for a throughput and for two threads by one more \
         is.\n",
        count(true),
        count(true) + count(false)
    );
    markdown(&mut text, &HEAD, lines.iter().filter(|line| line.target.is_some()).map(cells));
    let missed: Vec<_> = lines.iter().filter(|line| line.met == Some(false)).collect();
    if !missed.is_empty() {
        text.push_str("\nWhy not:\n\n");
    }
    for line in missed {
        let reason = line.why_not().unwrap_or("no reason is known yet");
        let _ = writeln!(text, "- **{}**, against {}: {reason}", line.path, line.against);
    }
    text.push_str("\n## Every path beside the floor and the best peer\n\n");
    text.push_str("A cost of less than 1 is cheaper than the other's, a throughput over 1 is more. What a peer does not do stands \
                   with its row below.\n\n");
    markdown(&mut text, &OVERVIEW, overview(lines).into_iter());
    text.push_str("\n## All rows\n");
    for section in measured {
        detail(&mut text, section);
    }
    text.push_str(NOT_CLAIMED);
    text
}

fn detail(text: &mut String, section: &Measured) {
    let _ = writeln!(
        text,
        "\n### {}\n\n{}; x is the time by that of *{}*.\n",
        section.name, section.call, section.reference
    );
    let is_alone = section.rows.iter().any(|row| !row.ns.is_empty());
    let is_together = section.rows.iter().any(|row| !row.all.is_empty());
    let mut head = vec!["", "row"];
    if is_alone {
        head.extend(["ns", "x", "quartiles of x"]);
    }
    let threads = format!("{} threads, million/s", section.threads);
    if is_together {
        head.extend(["one thread, million/s", &threads, "scaling", "quartiles of it"]);
    }
    head.push("what it does not do");
    let rows = section.rows.iter().map(|row| {
        let figure = |value: Option<f64>| value.map(short).unwrap_or_default();
        let spread = |quartiles: Option<[f64; 3]>| match quartiles {
            Some([first, _, third]) => format!("{} to {}", short(first), short(third)),
            None => String::new(),
        };
        let middle = |quartiles: Option<[f64; 3]>| figure(quartiles.map(|[_, median, _]| median));
        let mut cells = vec![row.kind.name().to_owned(), row.name.clone()];
        if is_alone {
            let x = section.row(section.reference).and_then(|floor| ratio(&row.ns, &floor.ns));
            cells.extend([figure(median(&row.ns)), middle(x), spread(x)]);
        }
        if is_together {
            let millions = |rates: &[f64]| figure(median(rates).map(|rate| rate / 1e6));
            let scaling = ratio(&row.all, &row.one);
            cells.extend([millions(&row.one), millions(&row.all), middle(scaling), spread(scaling)]);
        }
        cells.push(row.lacks.to_owned());
        cells
    });
    markdown(text, &head, rows);
}

fn markdown<R: AsRef<[String]>>(text: &mut String, head: &[&str], rows: impl Iterator<Item = R>) {
    let _ = writeln!(text, "| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.as_ref().join(" | "));
    }
}

const NOT_CLAIMED: &str = "
## What is not claimed

- **Faster than governor for one bucket on one thread.** It is the same algorithm in one word and one exchange. Ours also
  changes its rate while others take, and costs about the same.
- **That allowing scales on one shared word.** No bucket of one word does that, ours neither: two cores trade one line. What
  scales is refusing, which only reads, and taking from a shard.
- **Ratios of rows under 2 ns.** There, the loop and the processor's width are most of the figure. What counts is the number of
  instructions and of locked accesses.
- **Anything against a store by key without its hash.** A good half of the distance to governor's map with its default is the
  hash, so both are shown.
- **More than was there.** Two cores of one machine; no ARM, no 32-bit target, no two sockets.
";
