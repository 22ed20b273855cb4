//! What an AIMD controller must decide, in exact integers and one step after the other.

pub const MILLION: u128 = 1_000_000;

/// Rates in millionths per second, shares in millionths, times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub initial: u128,
    pub min: u128,
    pub max: u128,
    pub step: u128,
    pub factor: u128,
    pub error_threshold: u128,
    pub latency_threshold: u128,
    pub interval: u128,
    pub minimum_samples: u128,
    pub error_baseline_max: u128,
    pub latency_baseline_max: u128,
}

#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub total: u128,
    pub total_errors: u128,
    pub p95: Option<u128>,
    /// Samples in the window, and the time that they stand for.
    pub count: u128,
    pub observed: u128,
}

#[derive(Debug)]
pub struct Controller {
    rules: Rules,
    pub rate: u128,
    judged_at: Option<u128>,
    changed_at: Option<u128>,
    judged: Option<(u128, u128)>,
    /// Share of failures, and p95 in microseconds.
    pub baseline: Option<(u128, u128)>,
    was_overload: bool,
}

fn root(n: u128) -> u128 {
    // By hand: the largest whose square fits.
    let (mut low, mut high) = (0, n + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if middle * middle <= n { low = middle } else { high = middle }
    }
    low
}

fn two_deviations(share: u128, samples: u128) -> u128 {
    2 * root(share * (MILLION - share) / samples)
}

fn part_of_the_way(from: u128, to: u128, part: u128) -> u128 {
    let way = to.abs_diff(from);
    let go = way / part + u128::from(!way.is_multiple_of(part));
    if to > from { from + go } else { from - go }
}

impl Controller {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            rate: rules.initial,
            judged_at: None,
            changed_at: None,
            judged: None,
            baseline: None,
            was_overload: false,
        }
    }

    fn is_due(&self, now: u128) -> bool {
        self.judged_at.is_none_or(|then| now >= then + self.rules.interval)
    }

    fn cut(&self) -> u128 {
        (self.rate * self.rules.factor / MILLION).max(self.rules.min)
    }

    /// Old rate, new rate, reason.
    fn change(&mut self, to: u128, reason: &'static str, now: u128) -> Option<(u128, u128, &'static str)> {
        let from = self.rate;
        if to == from {
            return None;
        }
        self.rate = to;
        self.judged_at = Some(now);
        self.changed_at = Some(now);
        Some((from, to, reason))
    }

    pub fn update(&mut self, errors: Option<u128>, p95: Option<u128>, now: u128) -> Option<(u128, u128, &'static str)> {
        if !self.is_due(now) {
            return None;
        }
        match (errors, p95) {
            (None, None) => None,
            (Some(share), _) if share > self.rules.error_threshold => self.change(self.cut(), "errors", now),
            (_, Some(p95)) if p95 > self.rules.latency_threshold => self.change(self.cut(), "latency", now),
            _ => self.change((self.rate + self.rules.step).min(self.rules.max), "healthy", now),
        }
    }

    pub fn observe(&mut self, seen: Seen, now: u128) -> Option<(u128, u128, &'static str)> {
        if !self.is_due(now) {
            return None;
        }
        let Some((before, errors_before)) = self.judged else {
            self.judged = Some((seen.total, seen.total_errors));
            return None;
        };
        let (samples, failed) = (seen.total - before, seen.total_errors - errors_before);
        if samples < self.rules.minimum_samples {
            return None;
        }
        self.judged = Some((seen.total, seen.total_errors));
        self.judged_at = Some(now);
        let share = failed * MILLION / samples;
        let p95 = seen.p95.map(|p95| p95 / 1_000);
        let (most_share, most_p95) = (self.rules.error_baseline_max, self.rules.latency_baseline_max / 1_000);

        let (healthy_share, healthy_p95) = self.baseline.unwrap_or_else(|| {
            let cautious = (share * samples + 2 * MILLION) / (samples + 4);
            (cautious.min(most_share), p95.unwrap_or(0).min(most_p95))
        });
        let limit = healthy_share + self.rules.error_threshold;
        let sure = (limit + two_deviations(limit.min(MILLION), samples)).min(MILLION - 1);
        let failing = share > limit && share > sure;
        let slow = p95.is_some_and(|p95| p95 > self.rules.latency_threshold / 1_000 && p95 > healthy_p95 * 3 / 2);
        let renewed = self.changed_at.is_none_or(|then| now.saturating_sub(then) >= seen.observed);
        let overload = failing || slow && renewed;
        let in_doubt = !overload && (slow || share > limit);

        let incurable = self.rate == self.rules.min || overload && self.was_overload;
        let mut learned = (healthy_share, healthy_p95);
        if share + two_deviations(healthy_share, samples) < healthy_share {
            learned.0 = part_of_the_way(healthy_share, share, 2);
        } else if incurable && share.min(most_share) > healthy_share {
            learned.0 = part_of_the_way(healthy_share, share.min(most_share), 4);
        }
        if let Some(p95) = p95.map(|p95| p95.min(most_p95)) {
            if p95 < healthy_p95 {
                learned.1 = part_of_the_way(healthy_p95, p95, 8);
            } else if incurable {
                learned.1 = part_of_the_way(healthy_p95, p95, 4);
            }
        }
        self.baseline = Some(learned);
        if !in_doubt {
            self.was_overload = overload;
        }

        if failing {
            self.change(self.cut(), "errors", now)
        } else if overload {
            self.change(self.cut(), "latency", now)
        } else if in_doubt {
            None
        } else {
            let period = seen.observed.max(1);
            let measured = (seen.count * MILLION * 1_000_000_000 + period / 2) / period;
            let to = (self.rate + self.rules.step).min(self.rules.max).min(measured * 2);
            if to > self.rate { self.change(to, "healthy", now) } else { None }
        }
    }
}
