//! A panel: one plot of the picture, with its two scales, as SVG.

use std::fmt::Write;
use std::ops::Range;

/// How values become heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// The square root: small values are seen beside large ones, and zero has a place.
    Root,
}

/// Where a panel lies, in pixels, and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) time: Range<f64>,
    pub(crate) most: f64,
    pub(crate) scale: Scale,
}

impl Panel {
    pub(crate) fn x(&self, time: f64) -> f64 {
        self.left + (time - self.time.start) / (self.time.end - self.time.start) * self.width
    }

    pub(crate) fn y(&self, value: f64) -> f64 {
        let share = (value / self.most).clamp(0.0, 1.0);
        let share = if self.scale == Scale::Root { share.sqrt() } else { share };
        self.bottom() - share * self.height
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// A line through the points.
    pub(crate) fn line(&self, svg: &mut String, class: &str, curve: &[(f64, f64)]) {
        if !curve.is_empty() {
            let _ = writeln!(svg, r#"<path class="{class}" d="{}"/>"#, self.path(curve));
        }
    }

    /// Bars of `width` seconds around the points, grown together.
    pub(crate) fn bars(&self, svg: &mut String, class: &str, width: f64, curve: &[(f64, f64)]) {
        let Some(first) = curve.first() else { return };
        let mut path = format!("M{:.1} {:.1}", self.x(first.0 - width / 2.0), self.bottom());
        for &(time, value) in curve {
            let _ = write!(path, "V{:.1}H{:.1}", self.y(value), self.x(time + width / 2.0));
        }
        let _ = writeln!(svg, r#"<path class="{class}" d="{path}V{:.1}Z"/>"#, self.bottom());
    }

    /// Dots, as one path of round strokes without length.
    pub(crate) fn dots(&self, svg: &mut String, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (time, value) in points {
            let _ = write!(path, "M{:.1} {:.1}h0", self.x(time), self.y(value));
        }
        if !path.is_empty() {
            let _ = writeln!(svg, r#"<path class="dots {class}" d="{path}"/>"#);
        }
    }

    /// A horizontal line at `value`.
    pub(crate) fn level(&self, svg: &mut String, class: &str, value: f64) {
        let (from, to, y) = (self.left, self.right(), self.y(value));
        let _ = writeln!(svg, r#"<path class="{class}" d="M{from:.1} {y:.1}H{to:.1}"/>"#);
    }

    /// A vertical line at `time`.
    pub(crate) fn moment(&self, svg: &mut String, class: &str, time: f64) {
        let (x, top, bottom) = (self.x(time), self.top, self.bottom());
        let _ = writeln!(svg, r#"<path class="{class}" d="M{x:.1} {top:.1}V{bottom:.1}"/>"#);
    }

    /// A cross at the top, at `time`.
    pub(crate) fn cross(&self, svg: &mut String, class: &str, time: f64) {
        let _ = writeln!(svg, r#"<path class="{class}" d="{}"/>"#, cross(self.x(time), self.top));
    }

    /// A band over a stretch of time.
    pub(crate) fn band(&self, svg: &mut String, class: &str, time: &Range<f64>) {
        let (x, top, height) = (self.x(time.start), self.top, self.height);
        let width = (self.x(time.end) - x).max(1.0);
        let _ =
            writeln!(svg, r#"<rect class="{class}" x="{x:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}"/>"#);
    }

    fn path(&self, curve: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (index, &(time, value)) in curve.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", self.x(time), self.y(value));
        }
        path
    }
}

/// The path of a small cross.
pub(crate) fn cross(x: f64, y: f64) -> String {
    format!("M{:.1} {:.1}l7 7m-7 0l7 -7", x - 3.5, y - 3.5)
}

/// Text at a place; `class` says how it looks and to which side it goes.
pub(crate) fn text(svg: &mut String, class: &str, x: f64, y: f64, what: &str) {
    let _ = writeln!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escape(what));
}

/// `what` as text of HTML or SVG.
pub(crate) fn escape(what: &str) -> String {
    what.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_scales_are_the_ends_of_the_panel() {
        for scale in [Scale::Linear, Scale::Root] {
            let panel =
                Panel { left: 10.0, top: 20.0, width: 100.0, height: 50.0, time: -2.0..8.0, most: 400.0, scale };
            assert_eq!((panel.x(-2.0), panel.x(8.0)), (10.0, 110.0));
            assert_eq!((panel.y(0.0), panel.y(400.0), panel.y(9_999.0)), (70.0, 20.0, 20.0));
            assert_eq!(panel.y(100.0), if scale == Scale::Root { 45.0 } else { 57.5 });
        }
    }
}
