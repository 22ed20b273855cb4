//! The picture for the README: what a second thread brings, ours beside the peers.

use std::fmt::Write;

use crate::conditions::Conditions;
use crate::figures::{Measured, Samples, ratio, short};
use crate::promises::median;
use crate::row::Kind;
use crate::sections::{circuit_breaker, guard, sliding_window, token_bucket};

const WIDTH: f64 = 1_180.0;
const MARGIN: f64 = 28.0;
const GAP: f64 = 40.0;
const COLUMN: f64 = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
/// Where the bars of a column begin and end; names are before them, figures behind.
const NAMES: f64 = 226.0;
const FIGURES: f64 = 118.0;
const BAR: f64 = 15.0;
const PITCH: f64 = 22.0;
const GROUP: f64 = 44.0;
const HEAD: f64 = 128.0;

const STYLE: &str = "
.s{font:13px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Inter,Roboto,'Liberation Sans',sans-serif;fill:#334155}
.card{fill:#fff}.track{fill:#f1f5f9}.one{stroke:#0f172a;stroke-width:1.2;stroke-dasharray:3 3}
.t{font-size:21px;font-weight:700;fill:#0f172a}.h{font-size:15px;font-weight:700;fill:#0f172a}
.g{font-weight:600;fill:#0f172a}.d{font-size:11.5px;fill:#64748b}.n{font-size:12px}.end{text-anchor:end}.mid{text-anchor:middle}
.ours{fill:#0f766e}.holds{fill:#94a3b8}.flat{fill:#d97706}.falls{fill:#e11d48}
.b{font-weight:700;fill:#0f766e}.f{font-size:12px}.x{font-size:11.5px;fill:#64748b}
@media (prefers-color-scheme:dark){.s{fill:#cbd5e1}.card{fill:#0f172a}.track{fill:#1e293b}.one{stroke:#e2e8f0}
.t,.h,.g{fill:#f1f5f9}.d,.x{fill:#94a3b8}.ours{fill:#2dd4bf}.b{fill:#2dd4bf}.holds{fill:#64748b}.flat{fill:#f59e0b}.falls{fill:#fb7185}}
";

/// Rows of a section that are drawn, and what stands over them.
struct Group {
    section: &'static str,
    title: &'static str,
    rows: &'static [&'static str],
}

/// Refused in a storm: all rows of these sections.
const STORM: [Group; 4] = [
    Group { section: "storm, one bucket", title: "One bucket refuses", rows: &[] },
    Group { section: "storm, one breaker", title: "One open breaker refuses", rows: &[] },
    Group { section: "storm, one hot key", title: "One hot key is refused", rows: &[] },
    Group { section: "storm, one guard", title: "The whole guard refuses", rows: &[] },
];

/// All is well. What trades one line between cores is shown too, ours with it.
const WELL: [Group; 4] = [
    Group {
        section: "bucket allow",
        title: "A token allowed",
        rows: &[
            token_bucket::LEASED,
            token_bucket::OURS,
            "governor, a clock that stands still",
            "better-bucket, time given",
        ],
    },
    Group {
        section: "breaker healthy",
        title: "A closed breaker: permit and success",
        rows: &[
            circuit_breaker::OURS,
            circuit_breaker::RECLOSER,
            "failsafe, failures in a row",
            "by hand: parking_lot Mutex, failures in a row",
        ],
    },
    Group {
        section: "window record",
        title: "A latency recorded",
        rows: &[
            sliding_window::OWNED,
            sliding_window::SHARDED,
            sliding_window::OURS,
            "hdrhistogram, a recorder a thread",
            "histogram, AtomicHistogram",
            "prometheus, Histogram of 11 buckets",
        ],
    },
    Group {
        section: "guard healthy",
        title: "One guard for all: a call delivered",
        rows: &[guard::OURS, guard::BY_HAND],
    },
];

/// The picture. Without figures of several threads it says so.
#[must_use]
pub fn draw(measured: &[Measured], conditions: &Conditions) -> String {
    let threads = measured.iter().map(|section| section.threads).max().unwrap_or(2).max(2);
    let mut body = String::new();
    let ends = [
        (MARGIN, "A storm: every core asks again and again, a trickle is allowed", &STORM[..]),
        (MARGIN + COLUMN + GAP, "All is well", &WELL[..]),
    ]
    .map(|(left, title, groups)| {
        text(&mut body, "h", left, 102.0, title);
        let mut top = HEAD;
        for group in groups {
            if let Some(section) = measured.iter().find(|section| section.name == group.section) {
                top = draw_group(&mut body, section, group, left, top);
            }
        }
        top
    });
    let foot = ends[0].max(ends[1]) + 10.0;
    let height = foot + 52.0;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="s" viewBox="0 0 {WIDTH:.0} {height:.0}" role="img">
<title>What a second thread brings: seawall beside its peers</title><style>{STYLE}</style>
<rect class="card" width="100%" height="100%" rx="10"/>"#,
    );
    text(&mut svg, "t", MARGIN, 42.0, "Does a second thread bring more, or take away?");
    let what = "Calls a second of two threads on the same object, by those of one. At 2 nothing is lost; left of the dashed line \
                two threads do less than one.";
    text(&mut svg, "d", MARGIN, 64.0, what);
    svg.push_str(&body);
    let note = format!(
        "{}, {} cores; {}; medians of 1 ms windows; storms on {threads} threads. 1/n: throughput beside the first row.",
        conditions.processor, conditions.cores, conditions.compiler
    );
    text(&mut svg, "d", MARGIN, foot + 26.0, &note);
    svg.push_str("</svg>\n");
    svg
}

fn draw_group(svg: &mut String, section: &Measured, group: &Group, left: f64, top: f64) -> f64 {
    text(svg, "g", left, top + 14.0, group.title);
    let is_drawn = |row: &&Samples| {
        let is_named =
            if group.rows.is_empty() { row.kind != Kind::Floor } else { group.rows.contains(&row.name.as_str()) };
        is_named && !row.all.is_empty()
    };
    let mut rows: Vec<&Samples> = section.rows.iter().filter(is_drawn).collect();
    if !group.rows.is_empty() {
        rows.sort_by_key(|row| group.rows.iter().position(|name| *name == row.name));
    }
    let full = section.threads as f64;
    let (from, width) = (left + NAMES, COLUMN - NAMES - FIGURES);
    // A little over what is ideal: two cores may help each other to more than twice.
    let scale = |value: f64| width * (value / (1.1 * full)).min(1.0);
    let ours = rows.iter().find(|row| row.kind == Kind::Ours).copied();
    let mut y = top + 26.0;
    for row in &rows {
        let Some([_, scaling, _]) = ratio(&row.all, &row.one) else { continue };
        let class = match (row.kind, scaling) {
            (Kind::Ours, scaling) if scaling >= 1.0 => "ours",
            (_, scaling) if scaling < 1.0 => "falls",
            (_, scaling) if scaling < 1.5 => "flat",
            _ => "holds",
        };
        let name_class = if row.kind == Kind::Ours { "n end b" } else { "n end" };
        text(svg, name_class, from - 10.0, y + 11.5, &shown(&row.name));
        let _ = writeln!(
            svg,
            r#"<rect class="track" x="{from:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="3"/><rect class="{class}" x="{from:.1}" y="{y:.1}" width="{:.1}" height="{BAR}" rx="3"/>"#,
            scale(scaling).max(2.0),
        );
        let figure_class = if row.kind == Kind::Ours { "f b" } else { "f" };
        text(svg, figure_class, from + width + 8.0, y + 11.5, &format!("{}x", short(scaling)));
        let share = ours
            .filter(|ours| !std::ptr::eq(*ours, *row))
            .and_then(|ours| Some(median(&ours.all)? / median(&row.all)?));
        if let Some(times) = share {
            text(svg, "x", from + width + 54.0, y + 11.5, &fraction(times));
        }
        y += PITCH;
    }
    let one = from + scale(1.0);
    let _ = writeln!(
        svg,
        r#"<line class="one" x1="{one:.1}" x2="{one:.1}" y1="{:.1}" y2="{:.1}"/>"#,
        top + 22.0,
        y - PITCH + BAR + 4.0
    );
    y - PITCH + GROUP
}

/// The throughput of another row as a part or a multiple of ours.
fn fraction(times: f64) -> String {
    match times {
        times if times >= 9.5 => format!("1/{times:.0}"),
        times if times >= 1.05 => format!("1/{times:.1}"),
        times if times > 0.95 => "the same".into(),
        times => format!("{:.1} times", 1.0 / times),
    }
}

/// The name as there is room for it.
fn shown(name: &str) -> String {
    let name =
        name.replace("parking_lot ", "").replace(", failures in a row", "").replace(", share of the last 100", "");
    let name = name
        .replace(", Histogram of 11 buckets", "")
        .replace("by hand: governor, Semaphore, recloser", "by hand: governor first");
    let name =
        name.replace("by hand: Semaphore, governor, recloser", "by hand: Semaphore first").replace(" DashMap, ", ", ");
    let name = name.replace(", a clock that stands still", "").replace(", time given", "");
    name.replace("seawall ShardedWindow", "ShardedWindow").replace("seawall LeasedBucket", "LeasedBucket")
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{content}</text>"#);
}
