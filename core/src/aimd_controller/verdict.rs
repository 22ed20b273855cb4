//! The judgement: plain values in, plain values out.

use super::RateChangeReason;
use super::config::Settings;

const MILLION: u64 = 1_000_000;

/// What a judgement stands on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// At least 1.
    pub(super) samples: u32,
    pub(super) error_ppm: u32,
    pub(super) p95_us: Option<u64>,
    /// Whether no sample behind `p95_us` is older than the last change.
    pub(super) p95_is_fresh: bool,
    /// Millionths per second.
    pub(super) measured: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Hold,
    Cut(RateChangeReason),
    /// By a step, but not over so many millionths per second.
    Grow {
        at_most: u64,
    },
}

impl Verdict {
    /// The rate after it.
    pub(super) fn applied_to(self, rate: u64, settings: &Settings) -> u64 {
        match self {
            Self::Hold => rate,
            Self::Cut(_) => settings.factor.share_of(rate).max(settings.min),
            // Growth never lowers a rate that is over the measured one.
            Self::Grow { at_most } => rate.saturating_add(settings.step).min(at_most).min(settings.max).max(rate),
        }
    }
}

/// What the service is like when nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Baseline {
    pub(super) known: bool,
    /// Whether the last judgement was an overload.
    pub(super) was_overload: bool,
    pub(super) error_ppm: u32,
    /// Under 2^42.
    pub(super) p95_us: u64,
}

const P95_BITS: u32 = 42;
const P95_MAX: u64 = (1 << P95_BITS) - 1;

impl Baseline {
    pub(super) const UNKNOWN: Self = Self { known: false, was_overload: false, error_ppm: 0, p95_us: 0 };

    pub(super) const fn pack(self) -> u64 {
        let p95_us = if self.p95_us > P95_MAX { P95_MAX } else { self.p95_us };
        // A million fits 20 bits.
        (self.known as u64) << 63 | (self.was_overload as u64) << 62 | (self.error_ppm as u64) << P95_BITS | p95_us
    }

    pub(super) const fn unpack(word: u64) -> Self {
        Self {
            known: word >> 63 != 0,
            was_overload: word >> 62 & 1 != 0,
            error_ppm: (word >> P95_BITS) as u32 & 0xF_FFFF,
            p95_us: word & P95_MAX,
        }
    }
}

/// Twice the standard deviation of the share of failures in `samples` calls that fail with `ppm`, in ppm.
const fn two_deviations(ppm: u64, samples: u32) -> u64 {
    // p * (1 - p) of a million each is at most 2.5 * 10^11; samples are at least 1, but who knows.
    let variance = ppm * MILLION.saturating_sub(ppm) / if samples == 0 { 1 } else { samples as u64 };
    2 * variance.isqrt()
}

/// A step of `1 / part` of the way from `from` to `to`, rounded up so that it arrives.
const fn approach(from: u64, to: u64, part: u64) -> u64 {
    if to > from { from + (to - from).div_ceil(part) } else { from - (from - to).div_ceil(part) }
}

/// The share of failures that so many samples leave possible, in ppm: two more failures and two more successes than
/// were seen (Agresti and Coull, 1998).
const fn cautious_share(ppm: u64, samples: u32) -> u64 {
    // At most 2^32 * 10^6 + 2 * 10^6.
    (ppm * samples as u64 + 2 * MILLION) / (samples as u64 + 4)
}

/// The verdict on `evidence` at `rate`, and the baseline from then on.
pub(super) fn judge(settings: &Settings, known: Baseline, rate: u64, evidence: Evidence) -> (Verdict, Baseline) {
    let errors = u64::from(evidence.error_ppm);
    let most_errors = u64::from(settings.error_baseline_max_ppm);
    let most_p95 = settings.latency_baseline_max_us.min(P95_MAX);
    let (healthy, healthy_p95) = if known.known {
        (u64::from(known.error_ppm), known.p95_us)
    } else {
        let p95 = evidence.p95_us.unwrap_or(0);
        (cautious_share(errors, evidence.samples).min(most_errors), p95.min(most_p95))
    };

    let errors_limit = healthy + u64::from(settings.error_ppm);
    // All calls failed is an overload, whatever chance has to say.
    let beyond_chance = (errors_limit + two_deviations(errors_limit.min(MILLION), evidence.samples)).min(MILLION - 1);
    // Under 2^42 * 1.5; the threshold in whole microseconds, rounded down, as p95 is.
    let p95_limit = (settings.latency_ns / 1_000).max(healthy_p95 + healthy_p95 / 2);
    let is_slow = evidence.p95_us.is_some_and(|p95| p95 > p95_limit);

    let verdict = if errors > errors_limit && errors > beyond_chance {
        Verdict::Cut(RateChangeReason::Errors)
    } else if is_slow && evidence.p95_is_fresh {
        Verdict::Cut(RateChangeReason::Latency)
    } else if is_slow || errors > errors_limit {
        Verdict::Hold
    } else {
        Verdict::Grow { at_most: evidence.measured.saturating_mul(2) }
    };

    // What a cut did not cure, or what stays where nothing is left to cut, does not come from the rate.
    let is_overload = matches!(verdict, Verdict::Cut(_));
    let is_incurable = rate <= settings.min || (is_overload && known.was_overload);
    let error_ppm = if errors + two_deviations(healthy, evidence.samples) < healthy {
        approach(healthy, errors, 2)
    } else if is_incurable && errors.min(most_errors) > healthy {
        approach(healthy, errors.min(most_errors), 4)
    } else {
        healthy
    };
    let p95_us = match evidence.p95_us.map(|p95| p95.min(most_p95)) {
        // A p95 of few samples is a matter of luck: it takes several to be believed.
        Some(p95) if p95 < healthy_p95 => approach(healthy_p95, p95, 8),
        Some(p95) if is_incurable => approach(healthy_p95, p95, 4),
        _ => healthy_p95,
    };
    let was_overload = is_overload || (verdict == Verdict::Hold && known.was_overload);
    let verdict = if verdict.applied_to(rate, settings) == rate { Verdict::Hold } else { verdict };
    // A baseline of errors lies between two shares of a million.
    (verdict, Baseline { known: true, was_overload, error_ppm: error_ppm as u32, p95_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_survives_its_word() {
        for known in [false, true] {
            for error_ppm in [0, 1, 50_000, 1_000_000] {
                for p95_us in [0, 1, 400_000, P95_MAX] {
                    for was_overload in [false, true] {
                        let baseline = Baseline { known, was_overload, error_ppm, p95_us };
                        assert_eq!(Baseline::unpack(baseline.pack()), baseline);
                    }
                }
            }
        }
    }

    #[test]
    fn an_approach_arrives() {
        for (from, to) in [(0, 1_000_000), (1_000_000, 0), (7, 8), (8, 7), (5, 5)] {
            let mut at = from;
            for _ in 0..100 {
                at = approach(at, to, 4);
            }
            assert_eq!(at, to);
        }
    }
}
