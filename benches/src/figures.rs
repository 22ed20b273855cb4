//! What was measured, and the medians of it.

use crate::row::Kind;

/// A row's samples, one a round; those of all rows of a section are from the same rounds.
pub struct Samples {
    /// The row's.
    pub name: String,
    /// The row's.
    pub kind: Kind,
    /// The row's.
    pub lacks: &'static str,
    /// The row's.
    pub is_rival: bool,
    /// Nanoseconds a call, on one thread.
    pub ns: Vec<f64>,
    /// Calls a second, on one thread, in the rounds of the comparison with several.
    pub one: Vec<f64>,
    /// Calls a second of all threads together.
    pub all: Vec<f64>,
}

/// A section's samples.
pub struct Measured {
    /// The section's.
    pub name: &'static str,
    /// The section's.
    pub call: &'static str,
    /// The section's.
    pub reference: &'static str,
    /// How many threads `all` were.
    pub threads: usize,
    /// In the order of the section.
    pub rows: Vec<Samples>,
}

impl Measured {
    /// The row of this name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&Samples> {
        self.rows.iter().find(|row| row.name == name)
    }
}

/// The first quartile, the median and the third. `None` where there is nothing.
#[must_use]
pub fn quartiles(mut values: Vec<f64>) -> Option<[f64; 3]> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    Some([at(0.25), at(0.5), at(0.75)])
}

/// The quartiles over the rounds of one sample divided by the other.
#[must_use]
pub fn ratio(over: &[f64], under: &[f64]) -> Option<[f64; 3]> {
    quartiles(over.iter().zip(under).map(|(over, under)| over / under).collect())
}

/// Three figures, and no more.
#[must_use]
pub fn short(value: f64) -> String {
    match value {
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value if value >= 0.01 || value == 0.0 => format!("{value:.2}"),
        value => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_over_the_rounds_and_not_of_the_sums() {
        // In one round the machine was ten times slower, for both.
        assert_eq!(ratio(&[2.0, 2.0, 20.0], &[1.0, 1.0, 10.0]), Some([2.0, 2.0, 2.0]));
        assert_eq!(ratio(&[], &[]), None);
    }

    #[test]
    fn three_figures_are_shown() {
        assert_eq!([0.0012, 0.123, 1.234, 12.34, 123.4].map(short), ["0.0012", "0.12", "1.23", "12.3", "123"]);
    }
}
