//! The outbox of a client that came back with messages: each must arrive, and waits for leave without being lost.

use std::collections::VecDeque;
use std::time::Duration;

use super::Engine;
use crate::lab::queue::Event;
use crate::lab::record::{Class, Record};

/// A client with messages that was refused without a time to come back, and has nothing in flight, asks again then.
pub(crate) const ASK: Duration = Duration::from_millis(100);

/// How many time-outs a message stays away at most that failed after so many rounds: one, doubling up to ten.
pub(crate) fn longest_away(rounds: u32) -> f64 {
    f64::from((1_u32 << rounds.min(4)).min(10))
}

#[derive(Default)]
pub(super) struct Outbox {
    /// The messages, and how often each went back.
    pub(super) rounds: VecDeque<u32>,
    pub(super) in_flight: u32,
    /// When it is looked into next.
    pub(super) asks_at: Option<u64>,
}

impl Engine<'_> {
    /// Sends from the outbox as long as the policy gives leave.
    pub(super) fn look_into_outbox(&mut self, client: u32) {
        let number = (client - self.params.clients) as usize;
        while let Some(&rounds) = self.outboxes[number].rounds.front() {
            let index = self.open(client, Class::Special, Some(rounds));
            let now = self.instant();
            let slot = &mut self.slots[index as usize];
            match self.policies[slot.policy as usize].try_attempt(&mut slot.call, now) {
                Ok(permit) => {
                    self.outboxes[number].rounds.pop_front();
                    self.record.at(Class::Special, Record::slice(self.now)).arrived += u32::from(rounds == 0);
                    self.send(index, permit);
                }
                Err(refusal) => {
                    self.policies[slot.policy as usize].abandon(&mut slot.call, now);
                    self.close(index);
                    self.ask_again(client, refusal.retry_after);
                    return;
                }
            }
        }
    }

    fn ask_again(&mut self, client: u32, retry_after: Option<Duration>) {
        let outbox = &mut self.outboxes[(client - self.params.clients) as usize];
        let wait = match retry_after {
            Some(wait) => (wait.as_nanos() as u64).max(1),
            None if outbox.in_flight == 0 => ASK.as_nanos() as u64,
            None => return,
        };
        let at = self.now.saturating_add(wait);
        if outbox.asks_at.is_none_or(|asks_at| at < asks_at) {
            outbox.asks_at = Some(at);
            self.queue.at(at, Event::Ask(client));
        }
    }
}
