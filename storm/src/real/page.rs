//! The page: of each policy the real run and, beside it, the same in virtual time, on one scale. One file that needs
//! nothing else.

use std::fmt::Write;

use super::report::{facts, names, phases, real, target, virtually, words};
use super::{Comparison, Trial, VIRTUAL};
use crate::lab::page::{KEY, STYLE, curves, most, round, story};
use crate::lab::params::{Disturbance, Params};
use crate::lab::record::Record;
use crate::lab::table::figure;
use crate::report::panel::{Panel, Scale, escape, text};

const MORE_STYLE: &str = "
.pair{display:grid;grid-template-columns:1fr 1fr;gap:12px;margin:6px 0 4px}
.pair>div{background:#fff;border-radius:10px;box-shadow:0 1px 3px #0f172a22;padding:8px 12px}
@media(max-width:800px){.pair{grid-template-columns:1fr}}
.card{display:inline-block;margin-top:6px}
td.right{text-align:right}td.real{font-weight:650}
.facts{font-size:13px;margin:0 0 10px;max-width:none}
.event{fill:none;stroke:#0f172a;stroke-width:1}
";

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 190.0;

/// The page about `trials`.
pub(super) fn page(trials: &[Trial]) -> String {
    let mut html = String::new();
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>seawall: storms on real sockets</title>\n<style>{STYLE}{MORE_STYLE}</style></head><body><main>\n\
         <h1>The storm on real sockets, beside the one in virtual time</h1>\n\
         <p>On the left a server process and client processes on loopback, on the system's clock; on the right the \
         same policies with the same parameters in virtual time: the plot is of the same seed, the figures are medians of \
         {VIRTUAL}, with the least and the greatest. The same code makes the figures of both.</p>\n",
    );
    html.push_str(KEY);
    for trial in trials {
        let params = &trial.scenario.params;
        let (group, title) = (trial.scenario.group.to_uppercase(), escape(trial.scenario.title));
        let _ = writeln!(
            html,
            "<h2>{group}: {title}</h2>\n<p class=\"facts\">{} {}</p>",
            escape(&story(params)),
            escape(&phases(trial))
        );
        let records = trial.comparisons.iter().flat_map(|comparison| [&comparison.reality.record, &comparison.record]);
        let most = most(records.map(|record| (params, record)));
        for comparison in &trial.comparisons {
            let name = comparison.policy.name();
            let _ = writeln!(
                html,
                "<div class=\"pair\"><div><span class=\"name\">{name}, real</span>{}{}</div>\n\
                 <div><span class=\"name\">{name}, virtual</span>{}{}</div></div>",
                headline(trial, |metric| comparison.real.get(metric).copied()),
                plot(params, &comparison.reality.record, &name_of("real", comparison), most),
                headline(trial, |metric| comparison.virtual_range(metric).map(|range| range.1)),
                plot(params, &comparison.record, &name_of("virtual", comparison), most),
            );
            let _ = writeln!(html, "<p class=\"facts\">Real: {}</p>", escape(&facts(comparison)));
        }
        html.push_str(&figures(trial));
    }
    html.push_str("</main></body></html>\n");
    html
}

fn name_of(world: &str, comparison: &Comparison) -> String {
    format!("{}, {world}", comparison.policy.name())
}

/// The figure that tells the story, in words.
fn headline(trial: &Trial, value: impl Fn(&str) -> Option<f64>) -> String {
    let params = &trial.scenario.params;
    let (metric, what) = match params.disturbance {
        Disturbance::Herd(_) => ("live_success", "of the live calls answered"),
        _ if params.brown_out => ("goodput", "of what was left put to good use"),
        _ => ("goodput", "of the calls answered after the trigger"),
    };
    let mut words = value(metric).map_or(String::new(), |share| format!(": {:.1} % {what}", 100.0 * share));
    let (metric, what) = match params.disturbance {
        Disturbance::Herd(_) => ("drain_ratio", "drained in {} of the ideal time"),
        _ => ("recovery_s", "recovered after {}"),
    };
    if let Some(value) = value(metric) {
        let shown =
            if value.is_infinite() { "never drained".to_owned() } else { what.replace("{}", &figure(metric, value)) };
        let shown = if value.is_infinite() && metric == "recovery_s" { "did not recover".to_owned() } else { shown };
        let _ = write!(words, ", {shown}");
    }
    escape(&words)
}

fn plot(params: &Params, record: &Record, name: &str, most: f64) -> String {
    let time = 0.0..params.watched().ceil();
    let panel =
        Panel { left: 40.0, top: 6.0, width: WIDTH - 46.0, height: HEIGHT - 26.0, time, most, scale: Scale::Root };
    let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{name}</title>"#);
    curves(&mut svg, &panel, params, record);
    let top = round(most);
    let capacity = params.capacity.round();
    for value in [0.0, capacity, top] {
        if value == 0.0 || value == top || capacity < 0.7 * top {
            text(&mut svg, "tick end", 36.0, panel.y(value) + 3.0, &format!("{value:.0}"));
        }
    }
    let bottom = HEIGHT - 6.0;
    text(&mut svg, "tick", panel.left, bottom, "0 s");
    text(&mut svg, "tick", panel.x(params.calm_s), bottom, &format!("{} s", params.calm_s));
    if !matches!(params.disturbance, Disturbance::Herd(_)) {
        text(&mut svg, "tick", panel.x(params.trigger_end()), bottom, &format!("{} s", params.trigger_end()));
    }
    text(&mut svg, "tick end", panel.right(), bottom, &format!("{:.0} s", params.watched()));
    svg + "</svg>"
}

/// The table of a scenario.
fn figures(trial: &Trial) -> String {
    let mut html = String::from("<div class=\"card\"><table><tr><th></th>");
    for comparison in &trial.comparisons {
        let name = comparison.policy.name();
        let _ = write!(html, "<th>{name}, real</th><th>{name}, virtual</th>");
    }
    html.push_str("<th>target</th></tr>\n");
    for metric in names(trial) {
        let _ = write!(html, "<tr><th>{}</th>", words(metric));
        for comparison in &trial.comparisons {
            let shown = real(trial, comparison, metric);
            let class = match (shown.ends_with(" x"), target(trial, metric).is_empty()) {
                (true, _) => " missed",
                (false, false) => " met",
                (false, true) => "",
            };
            let shown = shown.replace(" x", " \u{2717}");
            let _ = write!(
                html,
                "<td class=\"right real{class}\">{shown}</td><td class=\"right\">{}</td>",
                virtually(comparison, metric)
            );
        }
        let target = escape(&target(trial, metric).replace("<=", "\u{2264}").replace(">=", "\u{2265}"));
        let _ = writeln!(html, "<td>{target}</td></tr>");
    }
    html + "</table></div>\n"
}
