//! From instants to the curves of the picture. Times are seconds from the clients' first start.

use std::ops::Range;

use crate::clock::seconds;
use crate::history::{Attempt, History};
use crate::log::State;

/// Points of a curve: seconds, value.
pub(crate) type Curve = Vec<(f64, f64)>;

/// A run's history on the picture's clock.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    history: &'a History,
    origin: u64,
}

impl<'a> Series<'a> {
    pub(crate) fn of(history: &'a History) -> Self {
        Self { history, origin: history.starts.first().copied().unwrap_or(0) }
    }

    /// Seconds from the first start; negative before it.
    fn at(&self, instant: u64) -> f64 {
        if instant >= self.origin { seconds(instant - self.origin) } else { -seconds(self.origin - instant) }
    }

    /// The time from the live users' first message to the last, or to where the run was cut off.
    pub(crate) fn span(&self) -> Range<f64> {
        let last = match self.history.drained {
            Some(_) => self.history.live.iter().map(|live| live.began).max().unwrap_or(self.origin),
            None => self.history.storm_end,
        };
        self.at(self.history.live_since)..self.at(last)
    }

    /// When the clients were down, from each kill to the restart after it.
    pub(crate) fn down(&self) -> Vec<Range<f64>> {
        let restarts = self.history.starts.iter().skip(1);
        self.history.kills.iter().zip(restarts).map(|(&kill, &start)| self.at(kill)..self.at(start)).collect()
    }

    pub(crate) fn drained(&self) -> Option<f64> {
        self.history.drained.map(|at| self.at(at))
    }

    /// Requests at the server, per second, in slots of `width` seconds.
    pub(crate) fn arrivals(&self, width: f64) -> Curve {
        self.rate(self.history.arrivals.iter().copied(), width)
    }

    /// Attempts and live messages that ended well, per second.
    pub(crate) fn good(&self, width: f64) -> Curve {
        self.rate(self.ended().filter(|attempt| attempt.is_good()).map(|attempt| attempt.ended), width)
    }

    /// Attempts and live messages that did not, per second.
    pub(crate) fn bad(&self, width: f64) -> Curve {
        self.rate(self.ended().filter(|attempt| !attempt.is_good()).map(|attempt| attempt.ended), width)
    }

    fn ended(&self) -> impl Iterator<Item = &Attempt> {
        self.history.attempts.iter().chain(&self.history.live)
    }

    fn rate(&self, instants: impl Iterator<Item = u64>, width: f64) -> Curve {
        let span = self.span();
        let mut slots = vec![0u32; ((span.end - span.start) / width).floor().max(0.0) as usize];
        for instant in instants {
            let slot = (self.at(instant) - span.start) / width;
            if slot >= 0.0
                && let Some(count) = slots.get_mut(slot as usize)
            {
                *count += 1;
            }
        }
        let middle = |slot: usize| span.start + (slot as f64 + 0.5) * width;
        slots.iter().enumerate().map(|(slot, &count)| (middle(slot), f64::from(count) / width)).collect()
    }

    /// Live messages: when they were written, how long they took in seconds, and whether they were answered well.
    pub(crate) fn live(&self) -> Vec<(f64, f64, bool)> {
        let took = |live: &Attempt| seconds(live.ended.saturating_sub(live.began));
        let end = self.span().end;
        let live = self.history.live.iter().map(|live| (self.at(live.began), took(live), live.is_good()));
        live.filter(|live| live.0 <= end).collect()
    }

    /// A sum over the clients' states, ten times a second: what each said last in its present life.
    fn sum(&self, value: impl Fn(&State) -> Option<f64>) -> Curve {
        const SLOT: f64 = 0.1;
        let mut slots = vec![None::<f64>; (self.span().end / SLOT).max(0.0) as usize];
        for states in &self.history.states {
            let mut states = states.iter().peekable();
            let mut last = None;
            for (slot, sum) in slots.iter_mut().enumerate() {
                let time = slot as f64 * SLOT;
                while let Some(state) = states.next_if(|state| self.at(state.at) <= time) {
                    last = Some(state);
                }
                let killed =
                    |state: &State| self.history.kills.iter().any(|&kill| kill >= state.at && self.at(kill) <= time);
                if let Some(value) = last.filter(|state| !killed(state)).and_then(&value) {
                    *sum = Some(sum.unwrap_or(0.0) + value);
                }
            }
        }
        slots.iter().enumerate().filter_map(|(slot, sum)| sum.map(|sum| (slot as f64 * SLOT, sum))).collect()
    }

    /// Attempts in flight, all clients together.
    pub(crate) fn in_flight(&self) -> Curve {
        self.sum(|state| Some(state.in_flight as f64))
    }

    /// What all guards allow in flight.
    pub(crate) fn limit(&self) -> Curve {
        self.sum(|state| state.limit)
    }

    /// What all guards allow per second.
    pub(crate) fn allowed(&self) -> Curve {
        self.sum(|state| state.rate)
    }

    /// Messages that the outboxes hold, as their clients said last.
    pub(crate) fn pending(&self) -> Curve {
        let mut last = vec![None::<u64>; self.history.states.len()];
        let mut all: Vec<(usize, &State)> = Vec::new();
        for (client, states) in self.history.states.iter().enumerate() {
            all.extend(states.iter().map(|state| (client, state)));
        }
        all.sort_by_key(|(_, state)| state.at);
        let mut curve = Curve::new();
        for (client, state) in all {
            last[client] = Some(state.pending);
            let at = self.at(state.at);
            if at > self.span().end {
                break;
            }
            if last.iter().all(Option::is_some) && curve.last().is_none_or(|&(before, _)| at - before >= 0.1) {
                curve.push((at, last.iter().flatten().sum::<u64>() as f64));
            }
        }
        curve
    }

    /// Stretches of time in which a client's breaker was not closed: client, from, to, half-open. `None` if there is
    /// no breaker.
    pub(crate) fn breakers(&self) -> Option<Vec<(usize, Range<f64>, bool)>> {
        let mut present = false;
        let mut stretches: Vec<(usize, Range<f64>, bool)> = Vec::new();
        for (client, states) in self.history.states.iter().enumerate() {
            for state in states {
                let Some(breaker) = &state.breaker else { continue };
                present = true;
                if breaker == "closed" {
                    continue;
                }
                let (at, half) = (self.at(state.at), breaker != "open");
                match stretches.last_mut() {
                    Some(last) if last.0 == client && last.2 == half && at - last.1.end < 0.15 => last.1.end = at,
                    _ => stretches.push((client, at - 0.05..at + 0.05, half)),
                }
            }
        }
        present.then_some(stretches)
    }

    pub(crate) fn clients(&self) -> usize {
        self.history.states.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn state(at_ms: u64, breaker: &str) -> State {
        State { at: at_ms * MS, breaker: Some(breaker.to_owned()), ..State::default() }
    }

    #[test]
    fn the_strip_shows_when_a_breaker_was_not_closed() {
        let mut history = History { states: vec![Vec::new(), Vec::new()], ..History::default() };
        assert_eq!(Series::of(&history).breakers(), None, "no client has a breaker");
        history.states[1] = vec![
            state(100, "closed"),
            state(200, "open"),
            state(300, "open"),
            state(400, "half-open"),
            state(500, "closed"),
            state(900, "open"),
        ];
        let stretches = Series::of(&history).breakers().unwrap();
        let rounded: Vec<_> = stretches
            .iter()
            .map(|(client, time, half)| (*client, (time.start * 100.0).round(), (time.end * 100.0).round(), *half))
            .collect();
        assert_eq!(rounded, [(1, 15.0, 30.0, false), (1, 35.0, 45.0, true), (1, 85.0, 95.0, false)]);
    }

    #[test]
    fn a_client_counts_once_though_it_was_late_and_not_at_all_while_it_is_dead() {
        let limit = |at_ms: u64, limit: f64| State { at: at_ms * MS, limit: Some(limit), ..State::default() };
        let history = History {
            // The first is late at 300 ms and says it three times at once, then dies at 450 ms.
            states: vec![vec![limit(0, 1.0), limit(301, 2.0), limit(302, 2.0), limit(303, 2.0)], vec![limit(0, 10.0)]],
            kills: vec![450 * MS],
            storm_end: 600 * MS,
            ..History::default()
        };
        let sums: Vec<f64> = Series::of(&history).limit().iter().map(|&(_, sum)| sum).collect();
        assert_eq!(sums, [11.0, 11.0, 11.0, 11.0, 12.0], "and nobody after the kill");
    }

    #[test]
    fn arrivals_fall_into_the_slot_of_their_time() {
        let history = History {
            live_since: 0,
            starts: vec![1_000 * MS],
            storm_end: 2_000 * MS,
            arrivals: vec![0, 50 * MS, 1_000 * MS, 1_050 * MS, 1_099 * MS],
            ..History::default()
        };
        let curve = Series::of(&history).arrivals(0.1);
        let rates: Vec<(i64, i64)> = curve
            .iter()
            .filter(|(_, rate)| *rate > 0.0)
            .map(|(at, rate)| ((at * 1e3).round() as i64, rate.round() as i64))
            .collect();
        assert_eq!(rates, [(-950, 20), (50, 30)]);
    }
}
