//! The page: what happened in one sentence, the picture, the figures, the criteria, and how it was measured. One
//! file that needs nothing else.

use std::fmt::Write;

use crate::history::History;
use crate::measure::Figures;
use crate::report::figure;
use crate::report::panel::escape;
use crate::report::table::{CRITERIA, ROWS, cut_off_note};

const STYLE: &str = "
:root{color-scheme:light}
body{margin:0;background:#eef2f6;color:#0f172a;font:16px/1.55 ui-sans-serif,system-ui,-apple-system,'Segoe UI',Inter,\
Roboto,'Liberation Sans',sans-serif}
main{max-width:1260px;margin:0 auto;padding:36px 24px 60px}
h1{font-size:32px;line-height:1.2;margin:0 0 6px;letter-spacing:-.02em}
h2{font-size:20px;margin:38px 0 12px}
.lead{font-size:18px;color:#475569;margin:0 0 24px;max-width:72ch}
figure{margin:0}
svg{display:block;width:100%;height:auto;box-shadow:0 1px 3px #0f172a22;border-radius:10px}
table{border-collapse:collapse;width:100%;background:#fff;border-radius:10px;overflow:hidden;\
box-shadow:0 1px 3px #0f172a22;font-variant-numeric:tabular-nums}
th,td{padding:8px 16px;text-align:right;border-top:1px solid #e2e8f0;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal}
thead th{border-top:0;font-size:17px}
.unprotected{color:#be123c}.capped{color:#b45309}.protected{color:#0f766e}
.part{padding-top:20px;font-size:14px;color:#475569}.note{margin:10px 16px;color:#475569;font-size:15px}
.met{color:#0f766e;font-weight:600}.missed{color:#be123c;font-weight:600}
.how{columns:2;column-gap:40px;color:#334155;font-size:15px}.how p{margin:0 0 12px;break-inside:avoid}
@media(max-width:800px){.how{columns:1}}
code{background:#e2e8f0;border-radius:4px;padding:1px 5px;font-size:.92em}
";

const HOW: &str = "
<p><b>The server</b> is a real HTTP process with ten workers: 30 ms for nine messages in ten, 230 ms for the tenth. Like
most servers it finishes work whose caller has hung up. No error is thrown by dice: all of them come from the load.</p>
<p><b>The clients</b> are processes with an outbox in an SQLite file. They return after an outage with full outboxes, and
are killed with SIGKILL in mid-drain, twice. A message that was being sent is sent again; the server stores it once,
as it knows messages by their id.</p>
<p><b>The live users</b> write on a Poisson clock, once, and wait a second at most. They have no retry and no guard in
any run, so that the clients' guard is the only difference.</p>
<p><b>Three runs</b> on the same server with the same seed and the same connections. <i>Capped</i> allows six attempts in
flight a client. That fits this server and four clients, though nobody told it; see what it does to the live users
with <code>storm capped --clients 32</code>.</p>
<p><b>Peak</b>: most requests in any 100 ms, times ten. <b>Failed</b>: attempts of clients and live users without a good
answer within 1 s. <b>Drain</b>: from the last restart to the last message stored and known to be; <b>ideal</b>:
what was pending then, divided by the measured capacity less the live users' rate. <b>Good answers</b>: well
within 1 s, from the last restart on. <b>Lost</b>: accepted into an outbox, and neither stored nor kept by the
outbox.</p>
<p><b>The criteria.</b> No burst: a peak of at most 1.3 times the capacity in the 5 s after each start and restart.
Stable: fewer than 5 % failed. Graceful: good answers at 80 % of the capacity or more while messages wait. Recovers: 2 to
5 s after the drain the live users' p95 is within 25 % of what it was before the storm.</p>
<p><b>Scaled to the demo</b>: the guard warms up in 7 s from half its rate, as the whole storm lasts twenty; in a service
it would take a minute.</p>
";

/// The page about `runs`.
pub(crate) fn page(runs: &[(Figures, History)]) -> String {
    let mut html = String::new();
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>seawall: the storm lab</title>\n<style>{STYLE}</style></head><body><main>\n\
         <h1>{}</h1>\n<p class=\"lead\">{}</p>\n<figure>{}</figure>\n",
        escape(&headline(runs)),
        escape(&lead(runs)),
        figure(runs),
    );
    html.push_str("<h2>The figures</h2>\n<table><thead><tr><th></th>");
    for (run, _) in runs {
        let _ = write!(html, "<th class=\"{0}\">{0}</th>", run.name);
    }
    html.push_str("</tr></thead><tbody>\n");
    for (name, cell) in ROWS {
        let _ = write!(html, "<tr><td>{}</td>", escape(name));
        for (run, _) in runs {
            let _ = write!(html, "<td>{}</td>", escape(&cell(run)));
        }
        html.push_str("</tr>\n");
    }
    let _ = writeln!(html, "<tr><th class=\"part\" colspan=\"{}\">The criteria</th></tr>", runs.len() + 1);
    for (name, holds) in CRITERIA {
        let _ = write!(html, "<tr><td>{}</td>", escape(&name.replace("<=", "\u{2264}").replace(">=", "\u{2265}")));
        for (run, _) in runs {
            let (class, word) = if holds(run) { ("met", "\u{2713} met") } else { ("missed", "\u{2717} not met") };
            let _ = write!(html, "<td class=\"{class}\">{word}</td>");
        }
        html.push_str("</tr>\n");
    }
    let figures: Vec<&Figures> = runs.iter().map(|(run, _)| run).collect();
    let note = cut_off_note(&figures).map_or(String::new(), |note| format!("<p class=\"note\">{}</p>\n", escape(note)));
    let _ = write!(html, "</tbody></table>\n{note}<h2>How it was done</h2>\n<div class=\"how\">{HOW}</div>\n");
    html.push_str("</main></body></html>\n");
    html
}

fn headline(runs: &[(Figures, History)]) -> String {
    let of = |name| runs.iter().map(|(run, _)| run).find(|run| run.name == name);
    match (of("unprotected"), of("protected")) {
        (Some(without), Some(with)) => format!(
            "Live users answered without the guard: {:.0} %. With it: {:.0} %.",
            100.0 * without.live_success,
            100.0 * with.live_success
        ),
        _ => "The storm lab".to_owned(),
    }
}

fn lead(runs: &[(Figures, History)]) -> String {
    let Some((run, history)) = runs.first() else { return String::new() };
    format!(
        "A chat server that does {:.0} messages a second. After an outage {} clients come back with {} messages in \
         their outboxes, beside live users who write {:.0} a second. The clients are killed and restarted twice.",
        run.capacity_rps,
        history.states.len(),
        run.messages,
        history.live_rate,
    )
}
