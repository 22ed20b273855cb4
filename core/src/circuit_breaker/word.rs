//! The state word, and the pure steps on it.

use crate::circuit_breaker::config::Rule;
use crate::transition::State;

/// The most probes that may be out at once.
pub(super) const MOST_PROBES: u32 = 8;
/// How many permits a half-open generation can number: the probes, and as many again that were cancelled.
const PERMITS: u32 = 16;
/// The most steps of growth of the open interval that are counted.
const MOST_FAILED: u32 = 15;

const PAYLOAD_BITS: u32 = 33;
const PAYLOAD: u64 = (1 << PAYLOAD_BITS) - 1;
const GENERATION_BITS: u32 = 28;
const GENERATION: u32 = (1 << GENERATION_BITS) - 1;
const PHASE_SHIFT: u32 = PAYLOAD_BITS + GENERATION_BITS;

/// What the payload means. The four that judge calls come first: bit 0 is the kind of evidence, bit 1 the ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Counting = 0,
    Windowed = 1,
    RampCounting = 2,
    RampWindowed = 3,
    Open = 4,
    HalfOpen = 5,
    HeldClosed = 6,
    HeldOpen = 7,
}

impl Phase {
    #[inline]
    const fn of(bits: u64) -> Self {
        match bits {
            0 => Self::Counting,
            1 => Self::Windowed,
            2 => Self::RampCounting,
            3 => Self::RampWindowed,
            4 => Self::Open,
            5 => Self::HalfOpen,
            6 => Self::HeldClosed,
            _ => Self::HeldOpen,
        }
    }

    pub(super) const fn state(self) -> State {
        match self {
            Self::Open | Self::HeldOpen => State::Open,
            Self::HalfOpen => State::HalfOpen,
            _ => State::Closed,
        }
    }

    pub(super) const fn is_judging(self) -> bool {
        matches!(self, Self::Counting | Self::Windowed | Self::RampCounting | Self::RampWindowed)
    }
}

/// The state word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

/// The payload of a half-open word.
///
/// ```text
///  32    29 28  25 24  21 20      16 15                0
/// +--------+------+------+----------+-------------------+
/// | failed | bad  | good | numbered | out, a bit each   |
/// +--------+------+------+----------+-------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probes {
    /// One bit for each permit that has not reported.
    pub(super) out: u32,
    /// How many permits this generation has numbered; a number is never given twice.
    pub(super) numbered: u32,
    pub(super) good: u32,
    pub(super) bad: u32,
    /// Failed verdicts in a row before this one.
    pub(super) failed: u32,
}

impl Probes {
    const fn bits(self) -> u64 {
        // Each field is kept within its bits by `granted`, `reported` and `saturated`.
        (self.failed as u64) << 29
            | (self.bad as u64) << 25
            | (self.good as u64) << 21
            | (self.numbered as u64) << 16
            | self.out as u64
    }

    pub(super) const fn is_out(self, number: u32) -> bool {
        number < PERMITS && self.out >> number & 1 == 1
    }

    /// Whether a permit can be given: fewer than `probes` are out or have reported. With none out one always can, so
    /// that a change of `probes` under way cannot leave a verdict that nobody brings.
    pub(super) const fn is_free(self, probes: u32) -> bool {
        self.numbered < PERMITS && (self.out == 0 || self.out.count_ones() + self.good + self.bad < probes)
    }

    /// With one more permit out; its number is the `numbered` of before, under 16 by `is_free`.
    pub(super) const fn granted(self) -> Self {
        Self { out: self.out | 1 << self.numbered, numbered: self.numbered + 1, ..self }
    }

    /// As at the start of a generation that goes on with the verdict of this one, without the permits that are out.
    pub(super) const fn renewed(self) -> Self {
        Self { out: 0, numbered: 0, ..self }
    }

    pub(super) const fn returned(self, number: u32) -> Self {
        Self { out: self.out & !(1 << number), ..self }
    }

    pub(super) const fn reported(self, number: u32, bad: bool) -> Self {
        let after = self.returned(number);
        if bad {
            Self { bad: saturated(after.bad + 1), ..after }
        } else {
            Self { good: saturated(after.good + 1), ..after }
        }
    }

    /// The state to go to once the verdict is certain.
    pub(super) const fn verdict(self, probes: u32, close_at: u32) -> Option<State> {
        if self.good >= close_at {
            Some(State::Closed)
        } else if self.bad > probes.saturating_sub(close_at) {
            Some(State::Open)
        } else {
            None
        }
    }
}

const fn saturated(count: u32) -> u32 {
    if count > MOST_FAILED { MOST_FAILED } else { count }
}

impl Word {
    #[inline]
    pub(super) const fn new(phase: Phase, generation: u32, payload: u64) -> Self {
        Self((phase as u64) << PHASE_SHIFT | ((generation & GENERATION) as u64) << PAYLOAD_BITS | payload & PAYLOAD)
    }

    /// Closed without evidence; with a ramp or without.
    pub(super) const fn closed(generation: u32, rule: Rule, ramping: bool) -> Self {
        let phase = match (rule, ramping) {
            (Rule::Consecutive { .. }, false) => Phase::Counting,
            (Rule::Consecutive { .. }, true) => Phase::RampCounting,
            (Rule::Share { .. }, false) => Phase::Windowed,
            (Rule::Share { .. }, true) => Phase::RampWindowed,
        };
        Self::new(phase, generation, no_evidence(rule))
    }

    /// Closed without a ramp, as a success leaves it when it finds it so: with no bad call, and a window that is full.
    /// A `generation` that no breaker has may spell the word of another one; its results count nowhere, so no harm is done.
    #[inline]
    pub(super) const fn at_rest(rule: Rule, generation: u32) -> Self {
        let generation = (generation as u64) << PAYLOAD_BITS;
        match rule {
            Rule::Consecutive { .. } => Self(generation),
            // At most 32.
            Rule::Share { window, .. } => Self((Phase::Windowed as u64) << PHASE_SHIFT | generation | 1 << window),
        }
    }

    /// Open after `failed` failed verdicts in a row.
    pub(super) const fn open(generation: u32, failed: u32) -> Self {
        Self::new(Phase::Open, generation, saturated(failed) as u64)
    }

    pub(super) const fn half_open(generation: u32, probes: Probes) -> Self {
        Self::new(Phase::HalfOpen, generation, probes.bits())
    }

    #[inline]
    pub(super) const fn phase(self) -> Phase {
        Phase::of(self.0 >> PHASE_SHIFT)
    }

    /// Whether every call passes: closed without a ramp, or held closed.
    #[inline]
    pub(super) const fn passes_all(self) -> bool {
        matches!(self.phase(), Phase::Counting | Phase::Windowed | Phase::HeldClosed)
    }

    #[inline]
    pub(super) const fn generation(self) -> u32 {
        (self.0 >> PAYLOAD_BITS) as u32 & GENERATION
    }

    pub(super) const fn next_generation(self) -> u32 {
        // Under 2^28 + 1.
        (self.generation() + 1) & GENERATION
    }

    const fn payload(self) -> u64 {
        self.0 & PAYLOAD
    }

    /// The failed verdicts in a row that an open word counts.
    pub(super) const fn failed(self) -> u32 {
        (self.payload() & MOST_FAILED as u64) as u32
    }

    pub(super) const fn probes(self) -> Probes {
        let payload = self.payload();
        Probes {
            out: (payload & 0xFFFF) as u32,
            numbered: (payload >> 16 & 31) as u32,
            good: (payload >> 21 & 15) as u32,
            bad: (payload >> 25 & 15) as u32,
            failed: (payload >> 29 & 15) as u32,
        }
    }

    /// A judging word without its ramp.
    #[inline]
    pub(super) const fn without_ramp(self) -> Self {
        Self(self.0 & !(2 << PHASE_SHIFT))
    }

    /// The failures in a row that stand in a closed word.
    pub(super) const fn in_a_row(self) -> u32 {
        match self.phase() {
            // At most 2^32: what does not fit is far over any bound.
            Phase::Counting | Phase::RampCounting => {
                if self.payload() > u32::MAX as u64 {
                    u32::MAX
                } else {
                    self.payload() as u32
                }
            }
            Phase::Windowed | Phase::RampWindowed => {
                // The sentinel above the calls is no failure. A word without one has no calls yet.
                let register = if self.payload() == 0 { 1 } else { self.payload() };
                let (samples, ones) = (63 - register.leading_zeros(), register.trailing_ones());
                if ones < samples { ones } else { samples }
            }
            _ => 0,
        }
    }

    /// A judging word after one more call, and whether the rule now demands to open. A bad call counts as `weight`
    /// failures in a row; in a share it is one call as any other.
    pub(super) const fn judged(self, rule: Rule, bad: bool, weight: u32) -> (Self, bool) {
        let windowed = self.0 >> PHASE_SHIFT & 1 == 1;
        // Evidence of another kind, from before a change of the rule, is no evidence.
        let (evidence, phase_bit) = match rule {
            Rule::Consecutive { .. } => (if windowed { 0 } else { self.payload() }, 0),
            Rule::Share { .. } => (if windowed { self.payload() } else { 1 }, 1),
        };
        let (evidence, trips) = match rule {
            Rule::Consecutive { threshold } => {
                // Stops at the threshold, under 2^32, far from the 33 bits of the payload.
                let count = if !bad {
                    0
                } else if evidence >= threshold {
                    evidence
                } else if evidence + (weight as u64) < threshold {
                    // Under 2^32, as the threshold is.
                    evidence + weight as u64
                } else {
                    threshold
                };
                (count, bad && count >= threshold)
            }
            Rule::Share { share_ppm, window, minimum, .. } => {
                let register = shifted(evidence, window, bad);
                let samples = (63 - register.leading_zeros()) as u64;
                let bads = (register.count_ones() - 1) as u64;
                // At most 32 x 1,000,000 on either side.
                (register, bad && samples >= minimum as u64 && bads * 1_000_000 >= share_ppm * samples)
            }
        };
        let phase = self.0 & !(1 << PHASE_SHIFT | PAYLOAD) | phase_bit << PHASE_SHIFT;
        (Self(phase | evidence), trips)
    }
}

const fn no_evidence(rule: Rule) -> u64 {
    match rule {
        Rule::Consecutive { .. } => 0,
        Rule::Share { .. } => 1,
    }
}

/// The shift register under its sentinel bit, with one more call; 1 is bad. Holds the last `window` calls.
const fn shifted(register: u64, window: u32, bad: bool) -> u64 {
    // Never zero: the sentinel stands above the calls. At most 2^33 before the shift, 2^34 after it.
    let longer = (if register == 0 { 1 } else { register }) << 1 | bad as u64;
    let full = 1u64 << window;
    if longer < full << 1 { longer } else { full | longer & (full - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Rule = Rule::Share { share_ppm: 500_000, window: 4, minimum: 2, slow: false };

    #[test]
    fn a_success_into_a_full_healthy_window_changes_nothing() {
        let mut word = Word::closed(3, SHARE, false);
        for _ in 0..4 {
            word = word.judged(SHARE, false, 1).0;
        }
        assert_eq!(word.judged(SHARE, false, 1), (word, false));
        assert_eq!(word, Word::at_rest(SHARE, 3));
        let ten = Rule::Consecutive { threshold: 10 };
        assert_eq!(Word::closed(3, ten, false), Word::at_rest(ten, 3));
    }

    #[test]
    fn failures_in_a_row_are_counted_in_every_closed_word() {
        let ten = Rule::Consecutive { threshold: 10 };
        for (rule, weight) in [(ten, 1), (SHARE, 7)] {
            let mut word = Word::new(Phase::Counting, 3, 0);
            assert_eq!(word.in_a_row(), 0);
            for (bad, row) in [(true, 1), (true, 2), (false, 0), (true, 1), (true, 2), (true, 3), (true, 4)] {
                word = word.judged(rule, bad, weight).0;
                assert_eq!(word.in_a_row(), row);
            }
        }
        assert_eq!(Word::new(Phase::Windowed, 3, 0).in_a_row(), 0);
        assert_eq!(Word::new(Phase::HeldClosed, 3, 0).in_a_row(), 0);
    }

    #[test]
    fn a_weight_counts_up_to_the_threshold() {
        let five = Rule::Consecutive { threshold: 5 };
        let (word, trips) = Word::closed(3, five, false).judged(five, true, 2);
        assert_eq!((word.in_a_row(), trips), (2, false));
        let (word, trips) = word.judged(five, true, u32::MAX);
        assert_eq!((word.in_a_row(), trips), (5, true));
        let most = Rule::Consecutive { threshold: u32::MAX as u64 };
        assert!(Word::closed(3, most, false).judged(most, true, 7).0.judged(most, true, u32::MAX).1);
    }

    #[test]
    fn a_shorter_window_forgets_the_oldest_calls() {
        let long = Rule::Share { share_ppm: 1_000_000, window: 32, minimum: 32, slow: false };
        let mut word = Word::closed(3, long, true);
        for _ in 0..31 {
            word = word.judged(long, true, 1).0;
        }
        assert!(word.judged(long, true, 1).1);
        let (word, trips) = word.judged(SHARE, false, 1);
        assert_eq!((word.payload(), trips), (0b1_1110, false));
        assert_eq!(word.phase(), Phase::RampWindowed);
    }

    #[test]
    fn evidence_of_another_rule_is_no_evidence() {
        let ten = Rule::Consecutive { threshold: 10 };
        let word = Word::closed(3, ten, false).judged(ten, true, 1).0;
        assert_eq!(word.judged(SHARE, false, 1).0, Word::closed(3, SHARE, false).judged(SHARE, false, 1).0);
        assert_eq!(word.judged(SHARE, true, 1).0.judged(ten, true, 1).0, word);
    }

    #[test]
    fn the_fields_of_a_half_open_word_keep_apart() {
        let probes = Probes { out: 0xFFFF, numbered: 16, good: 15, bad: 0, failed: 15 };
        let word = Word::half_open(u32::MAX, probes);
        assert_eq!((word.phase(), word.generation(), word.probes()), (Phase::HalfOpen, GENERATION, probes));
        assert_eq!(word.next_generation(), 0);
    }

    #[test]
    fn with_none_out_a_probe_is_always_free() {
        let probes = Probes { out: 0, numbered: 5, good: 2, bad: 3, failed: 0 };
        assert!(probes.is_free(1));
        assert!(!probes.granted().is_free(1));
    }
}
