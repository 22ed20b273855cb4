//! The event queue: what happens next, in the order of time, and of its scheduling where the time is the same.
//!
//! Most events come after a delay that is always the same: a time-out, an error, the way through the network. Such
//! events are in order as they are scheduled, so each of these delays has a lane, a plain queue; only the rest is a heap.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// An attempt of a call: stale once the call has gone on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) call: u32,
    pub(super) generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The next call of a group of clients.
    Arrive(usize),
    /// A request is at the server.
    Reach(Ticket),
    /// A worker is done, if so many pauses were all that it met.
    Served { ticket: Ticket, pauses: u32 },
    /// The next job of a shared processor is done, unless the plan has changed since.
    Shared { plan: u64 },
    /// The answer is back.
    Reply(Ticket, bool),
    /// The caller has waited long enough.
    Timeout(Ticket),
    /// The backoff is over.
    Retry(Ticket),
    /// A call has waited long enough for leave to be sent.
    WaitOver(Ticket),
    /// Calls that wait for leave ask again.
    Poke(u32),
    /// A client looks into its outbox.
    Ask(u32),
    /// A message is back in the outbox after so many rounds.
    Return { client: u32, rounds: u32 },
    /// The next phase of the disturbance.
    Phase(usize),
    /// The server stops for a moment.
    Pause,
    /// It goes on.
    Resume,
}

/// A delay that is always the same.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    Timeout,
    Error,
    There,
    Back,
}

const LANES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: u64,
    number: u64,
    event: Event,
}

impl Ord for Entry {
    /// The earliest is the greatest, as the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Entry>,
    lanes: [VecDeque<Entry>; LANES],
    number: u64,
}

impl Queue {
    fn entry(&mut self, at: u64, event: Event) -> Entry {
        self.number += 1;
        Entry { at, number: self.number, event }
    }

    /// `event` at the instant `at`.
    pub(super) fn at(&mut self, at: u64, event: Event) {
        let entry = self.entry(at, event);
        self.heap.push(entry);
    }

    /// As [`at`](Self::at), where the instant is now and a delay that is always the same for this lane.
    pub(super) fn after(&mut self, lane: Lane, at: u64, event: Event) {
        let entry = self.entry(at, event);
        let lane = &mut self.lanes[lane as usize];
        debug_assert!(lane.back().is_none_or(|last| last.at <= at), "a lane has one delay");
        lane.push_back(entry);
    }

    /// What is next, and when.
    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        let mut best = self.heap.peek().copied();
        let mut from = None;
        for (index, lane) in self.lanes.iter().enumerate() {
            if let Some(front) = lane.front()
                && best.is_none_or(|best| *front > best)
            {
                best = Some(*front);
                from = Some(index);
            }
        }
        match from {
            Some(lane) => self.lanes[lane].pop_front(),
            None => self.heap.pop(),
        }
        .map(|entry| (entry.at, entry.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_scheduling_whatever_lane_they_took() {
        let mut queue = Queue::default();
        queue.at(30, Event::Poke(3));
        queue.after(Lane::Timeout, 10, Event::Poke(1));
        queue.after(Lane::Error, 10, Event::Poke(2));
        queue.after(Lane::Timeout, 30, Event::Poke(4));
        queue.at(5, Event::Poke(0));
        let order: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(order, [(5, 0), (10, 1), (10, 2), (30, 3), (30, 4)].map(|(at, number)| (at, Event::Poke(number))));
    }
}
