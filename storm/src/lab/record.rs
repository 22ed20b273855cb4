//! What happened in a run, in slices of time.

use super::SECOND;

/// Slices a second.
pub(super) const SLICES: u64 = 10;

/// Whose call it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A usual client's, to a usual shard.
    Usual,
    /// The noisy client's, one to the dead shard, or a message of the herd.
    Special,
}

/// What happened in one slice to calls of one class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slice {
    /// Calls that arrived.
    pub(crate) arrived: u32,
    /// Of those, how many were answered well, whenever that was.
    pub(crate) good: u32,
    /// Of those, how many were never sent.
    pub(crate) shed: u32,
    /// Attempts that were sent, whenever their call arrived.
    pub(crate) sends: u32,
    /// Good answers, whenever their call arrived.
    pub(crate) answers: u32,
}

impl Slice {
    fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.good += other.good;
        self.shed += other.shed;
        self.sends += other.sends;
        self.answers += other.answers;
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    classes: [Vec<Slice>; 2],
    /// When the last message of the herd was delivered, if all were.
    pub(crate) drained_at: Option<f64>,
}

impl Record {
    pub(crate) fn slice(now: u64) -> u32 {
        (now / (SECOND / SLICES)) as u32
    }

    pub(crate) fn at(&mut self, class: Class, slice: u32) -> &mut Slice {
        let slices = &mut self.classes[class as usize];
        let index = slice as usize;
        if slices.len() <= index {
            slices.resize(index + 1, Slice::default());
        }
        &mut slices[index]
    }

    /// The sums of `classes` from `from` to `to`, in seconds.
    pub(crate) fn sum(&self, classes: &[Class], from: f64, to: f64) -> Slice {
        let index = |seconds: f64| (seconds * SLICES as f64).round() as usize;
        let mut sum = Slice::default();
        for &class in classes {
            let slices = &self.classes[class as usize];
            for slice in slices.iter().take(index(to)).skip(index(from)) {
                sum.add(slice);
            }
        }
        sum
    }
}
