//! The page: which policy holds in which scenario, in one picture, and then what happened, as small multiples. One file
//! that needs nothing else.

use std::fmt::Write;

use super::params::{Disturbance, Params};
use super::policy::Kind;
use super::record::{Class, Record, Slice};
use super::study::Outcome;
use super::table::{figure, same_scenario};
use crate::report::panel::{Panel, Scale, escape, text};

pub(crate) const STYLE: &str = "
:root{color-scheme:light}
body{margin:0;background:#eef2f6;color:#0f172a;font:15px/1.5 ui-sans-serif,system-ui,-apple-system,'Segoe UI',Inter,\
Roboto,'Liberation Sans',sans-serif}
main{max-width:1500px;margin:0 auto;padding:32px 24px 60px}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.02em}
h2{font-size:19px;margin:34px 0 2px}
p{color:#475569;margin:0 0 12px;max-width:90ch}
.card{background:#fff;border-radius:10px;box-shadow:0 1px 3px #0f172a22;padding:14px 16px;overflow-x:auto}
table{border-collapse:separate;border-spacing:3px;font-variant-numeric:tabular-nums}
th{font-weight:600;text-align:left;padding:2px 8px;font-size:13px}
td{padding:3px 8px;border-radius:5px;text-align:center;font-size:13px;min-width:58px}
.all{background:#0d9488;color:#fff}.some{background:#fcd34d}.no{background:#e11d48;color:#fff}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:10px}
.multiples>div{background:#fff;border-radius:10px;box-shadow:0 1px 3px #0f172a22;padding:8px 10px}
.name{font-weight:700}.figures{font-size:12px;line-height:1.35;color:#334155}
.met{color:#0f766e;font-weight:600}.missed{color:#be123c;font-weight:600}
svg{display:block;width:100%;height:auto}
.plot{fill:#f1f5f9}.trigger{fill:#0f172a;fill-opacity:.1}.good{fill:#0d9488;fill-opacity:.85}
.sends{fill:none;stroke:#e11d48;stroke-width:1.5;stroke-linejoin:round}
.wanted{fill:none;stroke:#0f172a;stroke-width:1;stroke-dasharray:4 3}
.tick{font:10px ui-sans-serif,system-ui,sans-serif;fill:#64748b}.end{text-anchor:end}
.key{display:inline-block;width:22px;height:10px;margin:0 4px 0 14px;vertical-align:baseline;border-radius:2px}
";

/// What the colours of the plots mean.
pub(crate) const KEY: &str = "<p style=\"margin-top:18px\">\
     <span class=\"key\" style=\"background:#0d9488;margin-left:0\"></span>good answers a second\
     <span class=\"key\" style=\"background:#e11d48;height:2px\"></span>requests sent a second\
     <span class=\"key\" style=\"border-top:1px dashed #0f172a;height:0\"></span>calls that come a second\
     <span class=\"key\" style=\"background:#0f172a22\"></span>the trigger. All on a root scale: twice as high is \
     four times as many.</p>\n";

const ALL: [Class; 2] = [Class::Usual, Class::Special];
const HEIGHT: f64 = 96.0;
const WIDTH: f64 = 260.0;

/// The page about `outcomes`.
pub(crate) fn page(outcomes: &[Outcome]) -> String {
    let mut html = String::new();
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>seawall: the scenarios</title>\n<style>{STYLE}</style></head><body><main>\n\
         <h1>Which policy holds in which storm</h1>\n\
         <p>Every policy meets the same calls and the same trouble. A cell says how many of the scenario's targets are \
         met, in the median of {} seeds; below stands what happened with the first seed.</p>\n",
        outcomes.first().map_or(0, |outcome| outcome.seeds),
    );
    html.push_str(&matrix(outcomes));
    html.push_str(KEY);
    for outcomes in outcomes.chunk_by(same_scenario) {
        let Some(first) = outcomes.first() else { continue };
        let (group, title) = (first.scenario.group.to_uppercase(), escape(first.scenario.title));
        let _ = writeln!(html, "<h2>{group}: {title}</h2><p>{}</p>", escape(&story(&first.scenario.params)));
        html.push_str("<div class=\"multiples\">\n");
        let most = most(outcomes.iter().map(|outcome| (&outcome.scenario.params, &outcome.record)));
        for outcome in outcomes {
            let name = outcome.policy.name();
            let _ = write!(html, "<div><span class=\"name\">{name}</span>{}", plot(outcome, most));
            let _ = writeln!(html, "<div class=\"figures\">{}</div></div>", figures(outcome));
        }
        html.push_str("</div>\n");
    }
    html.push_str("</main></body></html>\n");
    html
}

/// Scenarios by policies: how many targets are met.
fn matrix(outcomes: &[Outcome]) -> String {
    let mut policies: Vec<Kind> = Vec::new();
    for outcome in outcomes {
        if !policies.contains(&outcome.policy) {
            policies.push(outcome.policy);
        }
    }
    let mut html = String::from("<div class=\"card\"><table><tr><th></th>");
    for policy in &policies {
        let _ = write!(html, "<th>{}</th>", policy.name());
    }
    html.push_str("</tr>\n");
    for outcomes in outcomes.chunk_by(same_scenario) {
        let Some(first) = outcomes.first().filter(|first| !first.scenario.targets.is_empty()) else { continue };
        let (group, title) = (first.scenario.group.to_uppercase(), escape(first.scenario.title));
        let _ = write!(html, "<tr><th>{group} {title}</th>");
        for outcome in outcomes {
            let targets = &outcome.scenario.targets;
            let met = targets.iter().filter(|target| target.is_met(&outcome.metrics)).count();
            let class = match met {
                all if all == targets.len() => "all",
                0 => "no",
                _ => "some",
            };
            let _ = write!(html, "<td class=\"{class}\">{met} of {}</td>", targets.len());
        }
        html.push_str("</tr>\n");
    }
    html + "</table></div>\n"
}

/// What befalls whom.
pub(crate) fn story(params: &Params) -> String {
    let what = match params.disturbance {
        Disturbance::None => "nothing happens".to_owned(),
        Disturbance::Slow => {
            format!("the capacity falls to {:.0} for {} s", params.capacity * params.share_left(), params.trigger_s)
        }
        Disturbance::Flap => format!("every request fails for {0} s, none for {0} s, six times", params.flap_s),
        Disturbance::DeadShard => format!("one of {} shards fails for {} s", params.shards, params.trigger_s),
        Disturbance::Noisy(factor) => format!("one client sends {factor} times what it declared"),
        Disturbance::Herd(messages) => {
            format!("{} clients come back with {messages} messages together", params.clients)
        }
        Disturbance::Partition => format!("the network is cut for {} s", params.trigger_s),
        Disturbance::Stall(share) => {
            format!("every reply takes {share} of the time-out for {} s, whatever the load", params.trigger_s)
        }
    };
    let mut besides = Vec::new();
    if params.errors > 0.0 {
        besides.push(format!("{:.0} % of the attempts fail at once, whatever the load", 100.0 * params.errors));
    }
    if params.mean_s > Params::BASE.mean_s {
        besides.push(format!("a healthy reply takes {:.0} ms in the mean", 1e3 * params.mean_s));
    }
    if let Some(room) = params.queue {
        besides.push(format!("{room} requests may wait"));
    }
    if params.pause_s > 0.0 {
        besides.push(format!("the server stops for {:.0} ms now and then", 1e3 * params.pause_s));
    }
    let besides: String = besides.iter().map(|text| format!("; {text}")).collect();
    let (clients, wanted, capacity) = (params.clients, params.load * params.capacity, params.capacity);
    format!("{clients} clients call {wanted:.0} times a second, the service does {capacity:.0}: {what}{besides}.")
}

fn figures(outcome: &Outcome) -> String {
    let mut html = String::new();
    for (name, &value) in &outcome.metrics {
        let shown = figure(name, value);
        let target = outcome.scenario.targets.iter().find(|target| target.metric == *name);
        let name = name.trim_end_matches("_s").replace('_', " ");
        let _ = match target {
            Some(target) => {
                let (class, sign) =
                    if target.is_met(&outcome.metrics) { ("met", "\u{2713}") } else { ("missed", "\u{2717}") };
                let bound = escape(&target.text().replace("<=", "\u{2264}").replace(">=", "\u{2265}"));
                write!(html, "<span class=\"{class}\">{sign} {name} {shown}</span> ({bound})<br>")
            }
            None => write!(html, "{name} {shown}<br>"),
        };
    }
    html
}

/// What happened in each second.
fn seconds(params: &Params, record: &Record) -> Vec<(f64, Slice)> {
    let span = params.watched().ceil() as u32;
    (0..span)
        .map(|second| (f64::from(second) + 0.5, record.sum(&ALL, f64::from(second), f64::from(second) + 1.0)))
        .collect()
}

/// The highest value of some plots, so that they can be compared.
pub(crate) fn most<'a>(runs: impl Iterator<Item = (&'a Params, &'a Record)>) -> f64 {
    let sends = runs.flat_map(|(params, record)| seconds(params, record)).map(|(_, slice)| f64::from(slice.sends));
    sends.fold(1.0, f64::max) * 1.05
}

/// The trigger, what was sent, what was wanted and what was answered well.
pub(crate) fn curves(svg: &mut String, panel: &Panel, params: &Params, record: &Record) {
    let seconds = seconds(params, record);
    let curve = |of: fn(&Slice) -> u32| -> Vec<(f64, f64)> {
        seconds.iter().map(|(time, slice)| (*time, f64::from(of(slice)))).collect()
    };
    panel.band(svg, "plot", &panel.time);
    for (from, to) in triggers(params) {
        panel.band(svg, "trigger", &(from..to));
    }
    panel.bars(svg, "good", 1.0, &curve(|slice| slice.answers));
    panel.line(svg, "wanted", &curve(|slice| slice.arrived));
    panel.line(svg, "sends", &curve(|slice| slice.sends));
}

fn plot(outcome: &Outcome, most: f64) -> String {
    let params = &outcome.scenario.params;
    let time = 0.0..params.watched().ceil();
    let panel =
        Panel { left: 34.0, top: 4.0, width: WIDTH - 38.0, height: HEIGHT - 20.0, time, most, scale: Scale::Root };
    let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{}</title>"#, outcome.policy.name());
    curves(&mut svg, &panel, params, &outcome.record);
    let top = round(most);
    text(&mut svg, "tick end", 31.0, panel.y(top) + 4.0, &format!("{top:.0}"));
    text(&mut svg, "tick end", 31.0, panel.bottom(), "0");
    text(&mut svg, "tick", panel.left, HEIGHT - 3.0, "0 s");
    text(&mut svg, "tick end", panel.right(), HEIGHT - 3.0, &format!("{:.0} s", params.watched()));
    svg + "</svg>"
}

fn triggers(params: &Params) -> Vec<(f64, f64)> {
    match params.disturbance {
        Disturbance::None => Vec::new(),
        Disturbance::Flap => (0..6)
            .map(|flap| params.calm_s + 2.0 * f64::from(flap) * params.flap_s)
            .map(|from| (from, from + params.flap_s))
            .collect(),
        // A moment, that is seen.
        Disturbance::Herd(_) => vec![(params.calm_s, params.calm_s + 0.5)],
        _ => vec![(params.calm_s, params.trigger_end())],
    }
}

/// The largest round number up to `most`.
pub(crate) fn round(most: f64) -> f64 {
    let power = 10_f64.powf(most.log10().floor());
    (most / power).floor() * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{scenario, study};

    #[test]
    fn the_page_shows_every_policy_in_every_scenario_and_needs_nothing_else() {
        let scenarios: Vec<_> =
            scenario::all().into_iter().filter(|scenario| matches!(scenario.group, "s1" | "s4" | "s6")).collect();
        let html = page(&study::study(&scenarios, &[Kind::None, Kind::Default], 1..2).unwrap());
        assert_eq!(html.matches("<svg").count(), 2 * scenarios.len());
        assert!(!html.contains("NaN") && !html.contains(">inf") && !html.contains("href=") && !html.contains("src="));
        for scenario in scenarios {
            assert!(html.contains(scenario.title), "{}", scenario.title);
        }
    }
}
