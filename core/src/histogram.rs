//! The log-linear scale of a latency histogram: which cell a latency falls into, and what a cell stands for.
//!
//! A scale has [`OCTAVES`] groups of cells, each group of `steps` cells of one width:
//!
//! ```text
//!   group 0     0 to 4.096 us              cells of 4.096 us / steps
//!   group 1     4.096 us to 8.192 us       cells of 4.096 us / steps
//!   group 2     8.192 us to 16.384 us      cells twice as wide
//!   ...
//!   group 31    1.22 h to 2.44 h           and all that is longer, in the very last cell
//! ```
//!
//! A cell answers with its middle, so from 4.096 us up an answer is off by at most half a cell, that is
//! by `1 / (2 * steps)` of the value; below, by at most half of the smallest cell.
//!
//! | cells | steps | relative error | error below 4.096 us |
//! | --- | --- | --- | --- |
//! | 1024 | 32 | 1.5625 % | 64 ns |
//! | 512 | 16 | 3.125 % | 128 ns |
//! | 256 | 8 | 6.25 % | 256 ns |
//! | 128 | 4 | 12.5 % | 512 ns |
//! | 64 | 2 | 25 % | 1.024 us |
//! | 32 | 1 | 50 % | 2.048 us |
//!
//! The same mapping with 2^26 steps ([`encode`], [`decode`]) packs one long value into 32 bits.
//!
//! Source: the idea is that of HdrHistogram (Tene) and of the H2 histograms of Rezolus; the middle of
//! the cell halves the error of their edges.

use crate::ratio::Ratio;

/// How many groups a scale has: one bit of a word each.
pub(crate) const OCTAVES: usize = 32;

/// Latencies below 2^12 ns fall into the first, linear group.
const LINEAR_BITS: u32 = 12;

/// A scale of so many cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Binary logarithm of the steps in a group.
    step_bits: u32,
    /// The last cell.
    last: usize,
}

impl Scale {
    /// The scale of `cells` cells: a power of two, 32 to 1024. Fewer (the models' sizes) keep the width of 32 cells
    /// and cover less.
    pub(crate) const fn new(cells: usize) -> Self {
        let steps = cells / OCTAVES;
        Self { step_bits: if steps == 0 { 0 } else { steps.ilog2() }, last: cells.saturating_sub(1) }
    }

    /// How many cells.
    #[inline]
    pub(crate) const fn cells(self) -> usize {
        self.last + 1
    }

    /// How many cells a group has.
    #[inline]
    pub(crate) const fn steps(self) -> usize {
        // Under 32 bits are shifted in; that it is no 0 has to be said, where the scale is not a constant.
        match 1 << self.step_bits {
            0 => 1,
            steps => steps,
        }
    }

    /// The cell of a latency.
    #[inline]
    pub(crate) const fn cell_of(self, nanos: u64) -> usize {
        let units = nanos >> (LINEAR_BITS - self.step_bits);
        let cell = log_linear(units, self.step_bits) as usize;
        if cell > self.last { self.last } else { cell }
    }

    /// The group of a cell.
    #[inline]
    pub(crate) const fn octave_of(self, cell: usize) -> u32 {
        (cell >> self.step_bits) as u32
    }

    /// The cells of a group; empty where the scale ends before it.
    #[inline]
    pub(crate) const fn cells_of(self, octave: u32) -> core::ops::Range<usize> {
        let first = (octave as usize) << self.step_bits;
        let end = first + (1 << self.step_bits);
        let all = self.cells();
        if first > all {
            all..all
        } else if end > all {
            first..all
        } else {
            first..end
        }
    }

    /// What a cell stands for: its middle, in nanoseconds.
    pub(crate) const fn middle_of(self, cell: usize) -> u64 {
        let unit_bits = LINEAR_BITS - self.step_bits;
        let (low, width_bits) = lowest(cell as u64, self.step_bits);
        // Under 2^43 for every cell of a scale: group 31 ends there.
        (low << unit_bits) + (1 << (width_bits + unit_bits) >> 1)
    }

    /// Whether the cell also holds all that is longer than the scale.
    pub(crate) const fn is_last(self, cell: usize) -> bool {
        cell >= self.last
    }

    /// The largest relative error of an answer, from 4.096 us to the end of the scale.
    pub(crate) const fn relative_error(self) -> Ratio {
        Ratio::of(1, 2 << self.step_bits)
    }
}

/// The log-linear code of `value` with `2^step_bits` steps an octave; codes are ordered as values are.
const fn log_linear(value: u64, step_bits: u32) -> u64 {
    // With the bit set the logarithm is at least `step_bits`, and the linear group needs no branch.
    let octave = (value | 1 << step_bits).ilog2() - step_bits;
    ((octave as u64) << step_bits) + (value >> octave)
}

/// The least value of a code, and the binary logarithm of how many values share it.
const fn lowest(code: u64, step_bits: u32) -> (u64, u32) {
    let group = (code >> step_bits) as u32;
    if group < 2 {
        return (code, 0);
    }
    let octave = group - 1;
    (((code & ((1 << step_bits) - 1)) | 1 << step_bits) << octave, octave)
}

/// Steps of the code of a single value.
const FINE_BITS: u32 = 26;

/// `value` in 32 bits, ordered as values are: exact below 2^27, within 2^-26 of the value above.
pub(crate) const fn encode(value: u64) -> u32 {
    // At most (37 << 26) + 2^27, for a value of 64 bits: under 2^32.
    log_linear(value, FINE_BITS) as u32
}

/// The largest value of a code of [`encode`]: never less than what was encoded.
pub(crate) const fn decode(code: u32) -> u64 {
    let (low, width_bits) = lowest(code as u64, FINE_BITS);
    // The codes that `encode` gives end at 2^64 - 1; an alien code saturates.
    low.saturating_add((1 << width_bits) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interesting_values() -> impl Iterator<Item = u64> {
        (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1, power + power / 3, power + power / 2, power | power >> 4]
        })
    }

    #[test]
    fn the_middle_of_a_cell_is_within_the_stated_error_of_all_that_falls_into_it() {
        for cells in [32, 64, 128, 256, 512, 1024] {
            let scale = Scale::new(cells);
            let error = u128::from(scale.relative_error().as_ppm());
            for value in interesting_values().filter(|v| *v < 1 << 43) {
                let middle = scale.middle_of(scale.cell_of(value));
                let off = u128::from(middle.abs_diff(value));
                if value >= 4_096 {
                    assert!(off * 1_000_000 <= error * u128::from(value), "{cells} cells: {value} reads {middle}");
                } else {
                    assert!(off <= 4_096 * 32 / cells as u128 / 2, "{cells} cells: {value} reads {middle}");
                }
            }
        }
    }

    #[test]
    fn cells_are_ordered_as_latencies_are_and_none_is_out_of_range() {
        for cells in [4, 32, 64, 512, 1024] {
            let scale = Scale::new(cells);
            let mut values: std::vec::Vec<u64> = interesting_values().collect();
            values.sort_unstable();
            let mut before = 0;
            for value in values {
                let cell = scale.cell_of(value);
                assert!(before <= cell && cell < cells);
                assert!(scale.cells_of(scale.octave_of(cell)).contains(&cell));
                before = cell;
            }
            assert!(scale.is_last(scale.cell_of(u64::MAX)));
        }
    }

    #[test]
    fn a_single_value_survives_32_bits() {
        for value in interesting_values() {
            let back = decode(encode(value));
            assert!(back >= value && back - value <= value >> 26, "{value} came back as {back}");
            assert!(value >= 1 << 27 || back == value);
        }
        assert_eq!(decode(encode(u64::MAX)), u64::MAX);
    }
}
