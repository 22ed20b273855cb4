//! What the signs of the picture mean.

use std::fmt::Write;

use crate::report::panel::{cross, text};

/// The pixels of a letter, in the mean.
const LETTER: f64 = 5.9;
/// A sign is so wide.
const SIGN: f64 = 18.0;
const LINE: f64 = 22.0;

/// Two lines: the moments of a run, and the states of a breaker. `y` is the base of the first.
pub(crate) fn legend(svg: &mut String, left: f64, y: f64) {
    let mut line = Line { svg, x: left, y };
    line.stroke("start", "0 s: the clients come back online with full outboxes");
    line.killed("SIGKILL to every client; grey: until they are restarted");
    line.stroke("drained", "every outbox is empty");
    line.stroke("cut", "the run was cut off");
    let mut line = Line { svg, x: left, y: y + LINE };
    for (class, label) in [
        ("shut", "breaker closed: attempts pass"),
        ("open", "open: none pass"),
        ("half", "half-open: a probe asks whether the server is back"),
    ] {
        line.patch(class, label);
    }
}

/// A line of the legend, and how far it has come.
struct Line<'a> {
    svg: &'a mut String,
    x: f64,
    y: f64,
}

impl Line<'_> {
    fn stroke(&mut self, class: &str, label: &str) {
        let _ = writeln!(self.svg, r#"<path class="{class}" d="M{:.1} {:.1}h{SIGN}"/>"#, self.x, self.y - 4.0);
        self.label(label);
    }

    fn patch(&mut self, class: &str, label: &str) {
        let (x, y) = (self.x, self.y - 10.0);
        let _ = writeln!(self.svg, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{SIGN}" height="12"/>"#);
        self.label(label);
    }

    fn killed(&mut self, label: &str) {
        let x = self.x;
        let _ = writeln!(self.svg, r#"<path class="kill" d="{}"/>"#, cross(x + 4.0, self.y - 4.0));
        self.x += 5.0;
        self.patch("down", label);
    }

    fn label(&mut self, label: &str) {
        text(self.svg, "tick", self.x + SIGN + 7.0, self.y, label);
        self.x += SIGN + 7.0 + label.len() as f64 * LETTER + 22.0;
    }
}
