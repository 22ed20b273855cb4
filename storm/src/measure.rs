//! From what happened to figures: every number of the table is computed here, from the logs alone.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use crate::clock::{ns, seconds};
use crate::history::{Attempt, History, LIVE_LIMIT};

/// The window of the peak.
pub(crate) const PEAK_WINDOW: Duration = Duration::from_millis(100);
/// The time after a restart in which there must be no burst, and after the drain in which the service must recover.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// The window at the end of [`GRACE`] whose p95 must be back at its old level.
const RECOVERY_WINDOW: Duration = Duration::from_secs(3);

/// The guide's four criteria.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Criteria {
    /// Peak at most 1.3 x capacity in the 5 s after each restart.
    pub(crate) no_burst: bool,
    /// Error rate under 5 %.
    pub(crate) stable_errors: bool,
    /// Good answers at 80 % of capacity or more while messages are pending.
    pub(crate) graceful: bool,
    /// Within 5 s of the drain the live p95 is at its old level, +-25 %.
    pub(crate) recovers: bool,
}

/// The figures of a run, as `--json` writes them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) capacity_rps: f64,
    pub(crate) peak_rps: f64,
    pub(crate) error_rate: f64,
    pub(crate) sends_per_message: f64,
    pub(crate) drain_s: Option<f64>,
    pub(crate) ideal_drain_s: f64,
    /// Where the last life was cut off, from the last restart; `None` if the outboxes were empty before.
    pub(crate) cut_off_s: Option<f64>,
    pub(crate) live_success: f64,
    pub(crate) live_p95_ms: f64,
    pub(crate) messages: u64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) kills: u64,
    pub(crate) criteria: Criteria,
    // Beyond the four criteria: what they were judged by.
    pub(crate) dead_lettered: u64,
    pub(crate) pending_at_last_restart: u64,
    pub(crate) peak_after_restart_rps: f64,
    pub(crate) goodput_share: f64,
    pub(crate) wasted_share: f64,
    pub(crate) live_p95_before_ms: f64,
    pub(crate) live_p95_after_ms: Option<f64>,
}

/// The figures of `history`.
pub(crate) fn figures(name: &str, history: &History) -> Figures {
    let first = history.starts.first().copied().unwrap_or(0);
    let restart = history.starts.last().copied().unwrap_or(0);
    let end = history.storm_end;
    let capacity = history.capacity;

    let peak_after_restart = history
        .starts
        .iter()
        .map(|&start| peak(&history.arrivals, start, end.min(start + ns(GRACE))))
        .fold(0.0, f64::max);

    let in_storm = |attempt: &&Attempt| (first..end).contains(&attempt.began);
    let live: Vec<&Attempt> = history.live.iter().filter(in_storm).collect();
    let ended: Vec<&Attempt> = history.attempts.iter().filter(in_storm).chain(live.iter().copied()).collect();
    let error_rate = share(ended.iter().filter(|attempt| !attempt.is_good()).count(), ended.len());

    let good = history.attempts.iter().chain(&history.live).filter(|attempt| attempt.is_good());
    let good = good.filter(|attempt| (restart..end).contains(&attempt.ended)).count();
    let goodput = good as f64 / seconds(end.saturating_sub(restart)).max(f64::EPSILON);

    let before = p95_ms(history.live.iter().filter(|live| (history.live_since..first).contains(&live.began)));
    let after = history.drained.and_then(|drained| {
        let window = drained + ns(GRACE - RECOVERY_WINDOW)..drained + ns(GRACE);
        p95_ms(history.live.iter().filter(|live| window.contains(&live.began)))
    });
    let recovers = before.zip(after).is_some_and(|(before, after)| (after / before - 1.0).abs() <= 0.25);

    let served: Vec<&(u64, bool)> = history.served.iter().filter(|(at, _)| (first..end).contains(at)).collect();
    let pending: u64 = history.pending_at_start.values().sum();
    let messages = history.outbox.len();
    let delivery = deliveries(&history.outbox, &history.stored);

    Figures {
        name: name.to_owned(),
        capacity_rps: capacity,
        peak_rps: peak(&history.arrivals, first, end),
        error_rate,
        sends_per_message: history.sent.len() as f64 / messages.max(1) as f64,
        drain_s: history
            .drained
            .filter(|_| history.dead_lettered == 0)
            .map(|drained| seconds(drained.saturating_sub(restart))),
        cut_off_s: history.drained.is_none().then(|| seconds(end.saturating_sub(restart))),
        ideal_drain_s: pending as f64 / (capacity - history.live_rate).max(f64::EPSILON),
        live_success: share(live.iter().filter(|live| live.is_good()).count(), live.len()),
        live_p95_ms: p95_ms(live.into_iter()).unwrap_or(0.0),
        messages: messages as u64,
        delivered: delivery.delivered,
        lost: delivery.lost,
        duplicated: delivery.duplicated,
        kills: history.kills.len() as u64,
        criteria: Criteria {
            no_burst: peak_after_restart <= 1.3 * capacity,
            stable_errors: error_rate < 0.05,
            graceful: goodput >= 0.8 * capacity,
            recovers,
        },
        dead_lettered: history.dead_lettered,
        pending_at_last_restart: pending,
        peak_after_restart_rps: peak_after_restart,
        goodput_share: goodput / capacity,
        wasted_share: share(served.iter().filter(|(_, wasted)| *wasted).count(), served.len()),
        live_p95_before_ms: before.unwrap_or(0.0),
        live_p95_after_ms: after,
    }
}

/// The most arrivals in any window of 100 ms that begins in `from..to`, per second. `arrivals` ascend.
pub(crate) fn peak(arrivals: &[u64], from: u64, to: u64) -> f64 {
    let arrivals = &arrivals[arrivals.partition_point(|&at| at < from)..arrivals.partition_point(|&at| at < to)];
    let (mut first, mut most) = (0, 0);
    for (index, &at) in arrivals.iter().enumerate() {
        while at - arrivals[first] >= ns(PEAK_WINDOW) {
            first += 1;
        }
        most = most.max(index - first + 1);
    }
    most as f64 / PEAK_WINDOW.as_secs_f64()
}

/// The 95th percentile by rank, in milliseconds; what did not end well took at least the limit.
fn p95_ms<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Option<f64> {
    let mut took: Vec<u64> = attempts
        .map(|attempt| if attempt.is_good() { attempt.took() } else { attempt.took().max(ns(LIVE_LIMIT)) })
        .collect();
    took.sort_unstable();
    let rank = (took.len() * 95).div_ceil(100);
    rank.checked_sub(1).map(|index| took[index] as f64 / 1e6)
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[derive(Debug, PartialEq, Eq)]
struct Delivery {
    delivered: u64,
    lost: u64,
    duplicated: u64,
}

fn deliveries(outbox: &[(String, bool)], stored: &[String]) -> Delivery {
    let distinct: HashSet<&str> = stored.iter().map(String::as_str).collect();
    let is_stored = |id: &str| distinct.contains(id);
    Delivery {
        delivered: outbox.iter().filter(|(id, _)| is_stored(id)).count() as u64,
        lost: outbox.iter().filter(|(id, kept)| !kept && !is_stored(id)).count() as u64,
        duplicated: (stored.len() - distinct.len()) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::log::{Ending, Event};

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;

    fn attempt(began: u64, took: u64, ending: Ending) -> Attempt {
        Attempt { began, ended: began + took, ending }
    }

    /// A storm from 10 s to 20 s of a service of 10/s, drained, with calm live users before and after.
    fn calm() -> History {
        History {
            capacity: 10.0,
            live_rate: 2.0,
            live_since: 5 * S,
            starts: vec![8 * S, 10 * S],
            kills: vec![9 * S],
            drained: Some(20 * S),
            storm_end: 20 * S,
            arrivals: (0..200).map(|n| 5 * S + n * 100 * MS).collect(),
            attempts: (0..80).map(|n| attempt(10 * S + n * 125 * MS, 50 * MS, Ending::Answered)).collect(),
            sent: (0..84).map(|n| 8 * S + n * 125 * MS).collect(),
            live: (0..40).map(|n| attempt(5 * S + n * 500 * MS, 40 * MS, Ending::Answered)).collect(),
            pending_at_start: HashMap::from([(0, 30), (1, 50)]),
            outbox: (0..80).map(|n| (format!("m{n}"), false)).collect(),
            stored: (0..80).map(|n| format!("m{n}")).chain(["live-1".to_owned()]).collect(),
            ..History::default()
        }
    }

    #[test]
    fn the_peak_is_the_fullest_hundred_milliseconds_wherever_they_begin() {
        let arrivals = [0, 95 * MS, 120 * MS, 180 * MS, 194 * MS, 195 * MS, 900 * MS];
        // 95 to 194 ms: four; 195 lies 100 ms after 95 and is not of that window, but 120 to 195 has four as well.
        assert_eq!(peak(&arrivals, 0, S), 40.0);
        assert_eq!(peak(&arrivals, 500 * MS, S), 10.0);
        assert_eq!(peak(&arrivals, 2 * S, 3 * S), 0.0);
        assert_eq!(peak(&[], 0, S), 0.0);
    }

    #[test]
    fn a_calm_run_meets_every_criterion() {
        let figures = figures("calm", &calm());
        let met = Criteria { no_burst: true, stable_errors: true, graceful: true, recovers: true };
        assert_eq!(figures.criteria, met, "{figures:?}");
        assert_eq!((figures.drain_s, figures.cut_off_s), (Some(10.0), None));
        assert_eq!(figures.ideal_drain_s, 80.0 / 8.0);
        assert_eq!(figures.sends_per_message, 84.0 / 80.0);
        assert_eq!((figures.live_success, figures.live_p95_ms), (1.0, 40.0));
        assert_eq!((figures.delivered, figures.lost, figures.duplicated, figures.kills), (80, 0, 0, 1));
    }

    #[test]
    fn a_burst_after_the_first_start_or_a_later_one_is_a_burst() {
        for start in [8 * S, 10 * S] {
            let mut history = calm();
            history.arrivals.extend((0..20).map(|n| start + 4 * S + n));
            history.arrivals.sort_unstable();
            let figures = figures("burst", &history);
            assert!(!figures.criteria.no_burst);
            assert!(figures.peak_rps >= 200.0);
        }
        let mut late = calm();
        late.arrivals.extend((0..20).map(|n| 16 * S + n));
        late.arrivals.sort_unstable();
        assert!(figures("late", &late).criteria.no_burst, "6 s after the last restart is no restart burst");
    }

    #[test]
    fn errors_are_failed_or_late_attempts_of_clients_and_live_users_in_the_storm() {
        let mut history = calm();
        // 100 clients' and 24 live attempts lie in the storm (8 s to 20 s).
        history.attempts.extend((0..20).map(|n| attempt(12 * S + n * MS, 10 * MS, Ending::Refused)));
        history.attempts.push(attempt(S, MS, Ending::Failed));
        let figures = figures("errors", &history);
        assert!((figures.error_rate - 20.0 / 124.0).abs() < 1e-9, "{}", figures.error_rate);
        assert!(!figures.criteria.stable_errors);
    }

    #[test]
    fn a_live_message_answered_after_a_second_is_no_success() {
        let mut history = calm();
        for live in history.live.iter_mut().filter(|live| (12 * S..15 * S).contains(&live.began)) {
            live.ended = live.began + 1_001 * MS;
        }
        let figures = figures("late", &history);
        assert_eq!(figures.live_success, 18.0 / 24.0);
        assert_eq!(figures.live_p95_ms, 1_001.0);
    }

    #[test]
    fn work_for_a_known_message_or_a_caller_who_left_is_wasted() {
        let mut history = History::default();
        for (known, heard) in [(false, true), (true, true), (false, false), (true, false)] {
            history.take_server(Event::Served { at: 9 * S, known, heard });
        }
        history.served.push((S, true));
        let history = History { served: history.served, ..calm() };
        assert_eq!(figures("waste", &history).wasted_share, 0.75, "what was done before the storm does not count");
    }

    #[test]
    fn idle_workers_while_messages_wait_are_not_graceful() {
        let mut history = calm();
        history.attempts.truncate(50);
        let figures = figures("idle", &history);
        assert!((figures.goodput_share - 0.7).abs() < 0.011, "{}", figures.goodput_share);
        assert!(!figures.criteria.graceful);
    }

    #[test]
    fn a_run_that_was_cut_off_has_no_drain_and_does_not_recover() {
        let mut history = calm();
        history.drained = None;
        let cut_off = figures("cut off", &history);
        assert_eq!((cut_off.drain_s, cut_off.cut_off_s), (None, Some(10.0)));
        assert!(!cut_off.criteria.recovers);
        let mut history = calm();
        history.dead_lettered = 1;
        assert_eq!(figures("dead", &history).drain_s, None, "a dead letter is not stored");
    }

    #[test]
    fn a_p95_that_stays_up_has_not_recovered() {
        let mut history = calm();
        for live in history.live.iter_mut().filter(|live| live.began >= 20 * S) {
            live.ended = live.began + 51 * MS;
        }
        assert!(!figures("slow", &history).criteria.recovers);
    }

    #[test]
    fn what_is_neither_stored_nor_kept_is_lost_and_what_is_stored_twice_is_duplicated() {
        let outbox = [("a", false), ("b", false), ("c", true), ("d", true)].map(|(id, kept)| (id.to_owned(), kept));
        let stored = ["a", "d", "d", "probe"].map(str::to_owned);
        assert_eq!(deliveries(&outbox, &stored), Delivery { delivered: 2, lost: 1, duplicated: 1 });
    }
}
