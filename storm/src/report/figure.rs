//! The picture: a column a run, a row a quantity, the same scales and the same clock in every column.

use std::fmt::Write;
use std::ops::Range;

use crate::history::History;
use crate::measure::Figures;
use crate::report::legend::legend;
use crate::report::panel::{Panel, Scale, escape, text};
use crate::report::series::Series;

const LEFT: f64 = 66.0;
const RIGHT: f64 = 16.0;
const GAP: f64 = 22.0;
/// All columns together, gaps included.
const COLUMNS: f64 = 1_160.0;
/// The rows begin here.
const HEAD: f64 = 118.0;
const ROW_GAP: f64 = 40.0;
const FOOT: f64 = 84.0;

/// The look. Everything is in the file: it needs no font, script or style from elsewhere.
const STYLE: &str = "
.storm{font:13px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Inter,Roboto,'Liberation Sans',sans-serif;\
fill:#334155}
.storm text{stroke:none}
.card{fill:#fff}.plot{fill:#f8fafc}
.grid{stroke:#e2e8f0;fill:none}.tick{font-size:11px;fill:#475569}.hint{font-size:11.5px;font-weight:400;fill:#475569}.end{text-anchor:end}.mid{text-anchor:middle}
.row{font-weight:600;fill:#0f172a}
.name{font-size:21px;font-weight:700}.sub{fill:#475569}.big{font-size:14px;font-weight:600}
.unprotected{fill:#be123c}.capped{fill:#b45309}.protected{fill:#0f766e}
.a-unprotected{fill:#be123c;fill-opacity:.85}.a-capped{fill:#d97706;fill-opacity:.85}
.a-protected{fill:#0f766e;fill-opacity:.85}
.l-unprotected{stroke:#be123c}.l-capped{stroke:#d97706}.l-protected{stroke:#0f766e}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.good{fill:#0d9488;fill-opacity:.8}.bad{fill:#e11d48;fill-opacity:.75}
.dots{fill:none;stroke-width:2.6;stroke-linecap:round;stroke-opacity:.7}.d-good{stroke:#0d9488}.d-bad{stroke:#e11d48}
.capacity{stroke:#0f172a;stroke-width:1.2;stroke-dasharray:5 4;fill:none}
.limit{stroke:#7c3aed;stroke-width:1.6;fill:none}
.down{fill:#0f172a;fill-opacity:.16}.kill{stroke:#0f172a;stroke-width:2;stroke-linecap:round;fill:none}
.storm .label{paint-order:stroke;stroke:#f8fafc;stroke-width:3px}
.cut{stroke:#0f172a;stroke-width:1;stroke-dasharray:1 3;fill:none}.start{stroke:#0f172a;stroke-width:1;fill:none;stroke-opacity:.55}
.drained{stroke:#0f766e;stroke-width:1.2;stroke-dasharray:2 3;fill:none}
.open{fill:#e11d48}.half{fill:#f59e0b}.shut{fill:#99f6e4}
";

/// One row of panels.
struct Row {
    title: &'static str,
    hint: &'static str,
    height: f64,
    most: f64,
    scale: Scale,
    ticks: Vec<f64>,
    draw: fn(&Column<'_>, &Panel, &mut String),
}

struct Column<'a> {
    figures: &'a Figures,
    series: Series<'a>,
}

/// The picture of `runs` as an SVG document.
pub(crate) fn figure(runs: &[(Figures, History)]) -> String {
    let columns: Vec<Column<'_>> =
        runs.iter().map(|(figures, history)| Column { figures, series: Series::of(history) }).collect();
    let time = columns
        .iter()
        .map(|column| column.series.span())
        .fold(0.0..1.0, |all: Range<f64>, span| all.start.min(span.start)..all.end.max(span.end));
    let rows = rows(&columns);

    let width = LEFT + RIGHT + COLUMNS;
    let column_width = (COLUMNS + GAP) / columns.len().max(1) as f64 - GAP;
    let height = HEAD + rows.iter().map(|row| row.height + ROW_GAP).sum::<f64>() - ROW_GAP + FOOT;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="storm" viewBox="0 0 {width:.0} {height:.0}" role="img">
<title>A retry storm: {}</title><style>{STYLE}</style>
<rect class="card" width="100%" height="100%" rx="10"/>"#,
        columns.iter().map(|column| column.figures.name.as_str()).collect::<Vec<_>>().join(", "),
    );

    for (index, column) in columns.iter().enumerate() {
        let left = LEFT + index as f64 * (column_width + GAP);
        heading(&mut svg, column, left, left + column_width);
        let mut top = HEAD;
        for (number, row) in rows.iter().enumerate() {
            let panel = Panel {
                left,
                top,
                width: column_width,
                height: row.height,
                time: time.clone(),
                most: row.most,
                scale: row.scale,
            };
            if index == 0 {
                // Title and hint share a line over all columns.
                let _ = writeln!(
                    svg,
                    r#"<text class="row" x="{left:.1}" y="{:.1}">{}<tspan class="hint" dx="12">{}</tspan></text>"#,
                    top - 9.0,
                    escape(row.title),
                    escape(row.hint),
                );
            }
            frame(&mut svg, column, &panel, row, index == 0);
            (row.draw)(column, &panel, &mut svg);
            marks(&mut svg, column, &panel, number == 0);
            if number + 1 == rows.len() {
                time_axis(&mut svg, &panel);
            }
            top += row.height + ROW_GAP;
        }
    }
    legend(&mut svg, LEFT, height - 38.0);
    svg.push_str("</svg>\n");
    svg
}

fn heading(svg: &mut String, column: &Column<'_>, left: f64, right: f64) {
    let name = column.figures.name.as_str();
    let behaviour = match name {
        "unprotected" => "send all, send again what fails",
        "capped" => "the same, six in flight a client",
        _ => "send all, through the guard",
    };
    text(svg, &format!("name {name}"), left, 32.0, name);
    text(svg, "sub end", right, 32.0, behaviour);
    let live = format!("live users answered: {:.0} %", 100.0 * column.figures.live_success);
    text(svg, "big", left, 56.0, &live);
    let peak = column.figures.peak_rps / column.figures.capacity_rps;
    let drain = match column.figures.drain_s {
        Some(drain) => format!("peak {peak:.1}x capacity, outboxes empty in {drain:.0} s"),
        None => match column.figures.cut_off_s {
            Some(cut_off) => format!("peak {peak:.0}x capacity, outboxes not empty in {cut_off:.0} s"),
            None => format!("peak {peak:.0}x capacity, {} messages given up", column.figures.dead_lettered),
        },
    };
    text(svg, "sub", left, 76.0, &drain);
}

fn rows(columns: &[Column<'_>]) -> Vec<Row> {
    let most = |curve: fn(&Series<'_>) -> Vec<(f64, f64)>| {
        columns.iter().flat_map(|column| curve(&column.series)).map(|(_, value)| value).fold(1.0, f64::max)
    };
    let arrivals = most(|series| series.arrivals(0.1)) * 1.05;
    let answers = (most(|series| series.good(1.0)).max(most(|series| series.bad(1.0))) * 1.08).max(250.0);
    let pending = most(|series| series.pending()) * 1.05;
    let in_flight = most(|series| series.in_flight()).max(most(|series| series.limit())) * 1.1;
    vec![
        Row {
            title: "Requests a second at the server",
            hint: "a bar for every 100 ms, on a root scale: twice as high is four times as many; dashed: the server's capacity",
            height: 150.0,
            most: arrivals,
            scale: Scale::Root,
            ticks: [0.0, 200.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0]
                .into_iter()
                .filter(|&tick| tick <= arrivals)
                .collect(),
            draw: |column, panel, svg| {
                let name = &column.figures.name;
                panel.bars(svg, &format!("a-{name}"), 0.1, &column.series.arrivals(0.1));
                panel.level(svg, "capacity", column.figures.capacity_rps);
                let label = format!("capacity {:.0}", column.figures.capacity_rps);
                text(svg, "tick end label", panel.right() - 3.0, panel.y(column.figures.capacity_rps) - 4.0, &label);
            },
        },
        Row {
            title: "Live users' waiting time",
            hint: "a dot for every message, when it was written; red: not answered well within 1 s",
            height: 120.0,
            most: 1.06,
            scale: Scale::Linear,
            ticks: vec![0.0, 0.25, 0.5, 0.75, 1.0],
            draw: |column, panel, svg| {
                let live = column.series.live();
                let of =
                    |wanted| live.iter().filter(move |live| live.2 == wanted).map(|live| (live.0, live.1.min(1.0)));
                panel.dots(svg, "d-good", of(true));
                panel.dots(svg, "d-bad", of(false));
            },
        },
        Row {
            title: "Answers a second",
            hint: "green: good; red: failed or timed out; violet: what the guards allow their clients; dashed: capacity",
            height: 105.0,
            most: answers,
            scale: Scale::Linear,
            ticks: round_ticks(answers),
            draw: |column, panel, svg| {
                panel.bars(svg, "bad", 1.0, &column.series.bad(1.0));
                panel.bars(svg, "good", 1.0, &column.series.good(1.0));
                panel.level(svg, "capacity", column.figures.capacity_rps);
                panel.line(svg, "limit", &column.series.allowed());
            },
        },
        Row {
            title: "Messages waiting in the outboxes",
            hint: "all clients together; what is delivered or given up leaves",
            height: 90.0,
            most: pending,
            scale: Scale::Linear,
            ticks: round_ticks(pending),
            draw: |column, panel, svg| {
                panel.line(svg, &format!("line l-{}", column.figures.name), &column.series.pending());
            },
        },
        Row {
            title: "Clients' attempts in flight",
            hint: "root scale; violet: the limits that the guards set themselves; strips: the breaker of each client",
            height: 105.0,
            most: in_flight,
            scale: Scale::Root,
            ticks: [0.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1_000.0]
                .into_iter()
                .filter(|&tick| tick <= in_flight)
                .collect(),
            draw: |column, panel, svg| {
                panel.line(svg, "limit", &column.series.limit());
                panel.line(svg, &format!("line l-{}", column.figures.name), &column.series.in_flight());
                breakers(column, panel, svg);
            },
        },
    ]
}

/// A strip under the panel's top with a lane a client.
fn breakers(column: &Column<'_>, panel: &Panel, svg: &mut String) {
    let Some(stretches) = column.series.breakers() else { return };
    // All lanes together leave most of the panel to the curves.
    let lane = (40.0 / column.series.clients() as f64).min(4.0);
    for client in 0..column.series.clients() {
        let strip = Panel { top: panel.top + 4.0 + client as f64 * lane, height: 0.75 * lane, ..panel.clone() };
        strip.band(svg, "shut", &(0.0..column.series.span().end));
        for (_, time, half) in stretches.iter().filter(|stretch| stretch.0 == client) {
            strip.band(svg, if *half { "half" } else { "open" }, time);
        }
    }
}

/// Ground, grid, and in the first column the values.
fn frame(svg: &mut String, column: &Column<'_>, panel: &Panel, row: &Row, labelled: bool) {
    panel.band(svg, "plot", &panel.time);
    for down in column.series.down() {
        panel.band(svg, "down", &down);
    }
    for &tick in &row.ticks {
        panel.level(svg, "grid", tick);
        if labelled {
            let label = match tick {
                whole if whole.fract() == 0.0 && row.most < 2.0 => format!("{whole:.0} s"),
                part if part.fract() != 0.0 => format!("{part} s"),
                thousands if thousands >= 1_000.0 => {
                    format!("{},{:03}", thousands as u64 / 1_000, thousands as u64 % 1_000)
                }
                whole => format!("{whole:.0}"),
            };
            text(svg, "tick end", panel.left - 8.0, panel.y(tick) + 4.0, &label);
        }
    }
}

/// The herd's return, and the end: a drain or a cut-off. The kills and what the end was stand in the first panel only.
fn marks(svg: &mut String, column: &Column<'_>, panel: &Panel, labelled: bool) {
    panel.moment(svg, "start", 0.0);
    let end = match column.series.drained() {
        Some(drained) => {
            panel.moment(svg, "drained", drained);
            (drained, "outboxes empty")
        }
        None => {
            let end = column.series.span().end;
            panel.moment(svg, "cut", end);
            (end, "cut off")
        }
    };
    if labelled {
        for down in column.series.down() {
            panel.cross(svg, "kill", down.start);
        }
        // To the side where there is room.
        let x = panel.x(end.0);
        let (class, x) = if x + 95.0 < panel.right() { ("tick", x + 5.0) } else { ("tick end", x - 5.0) };
        text(svg, class, x, panel.top + 12.0, end.1);
    }
}

fn time_axis(svg: &mut String, panel: &Panel) {
    let mut tick = 0.0;
    while tick <= panel.time.end {
        text(svg, "tick mid", panel.x(tick), panel.bottom() + 16.0, &format!("{tick:.0} s"));
        tick += 5.0;
    }
}

/// Three to six round values up to `most`.
fn round_ticks(most: f64) -> Vec<f64> {
    let rough = most / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|&step| step >= rough * 0.8);
    let step = step.unwrap_or(rough).max(1.0);
    (0..).map(|number| f64::from(number) * step).take_while(|&tick| tick <= most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_scale() {
        assert_eq!(round_ticks(5_300.0), [0.0, 2_000.0, 4_000.0]);
        assert_eq!(round_ticks(600.0), [0.0, 200.0, 400.0, 600.0]);
        assert_eq!(round_ticks(1.0), [0.0, 1.0]);
    }
}
