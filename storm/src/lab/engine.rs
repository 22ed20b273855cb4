//! One run: clients, their policies and the server, from event to event. The same seed gives the same run.

mod attempt;
pub(crate) mod outbox;
mod start;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64Mcg;
use seawall::Instant;

use super::params::{Disturbance, PAUSE_GAP_S, Params};
use super::policy::{self, Kind, Permit, Policy, Verdict};
use super::queue::{Event, Queue, Ticket};
use super::record::{Class, Record};
use super::server::Server;
use super::{SECOND, nanos};
use outbox::Outbox;

/// Where an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not sent, or not at the server, or on its way back.
    Elsewhere,
    Queue,
    Service,
}

/// A call that is not over.
struct Slot {
    generation: u32,
    client: u32,
    policy: u32,
    shard: u32,
    arrived: u32,
    class: Class,
    /// A message of an outbox, and how often it went back there.
    rounds: Option<u32>,
    place: Place,
    was_sent: bool,
    waits: bool,
    call: policy::Call,
    permit: Option<Permit>,
}

/// Clients whose calls come on one Poisson clock: each call is of any of them.
struct Group {
    first: u32,
    count: u32,
    gap_ns: f64,
    class: Class,
}

struct Engine<'a> {
    params: &'a Params,
    now: u64,
    queue: Queue,
    server: Server,
    policies: Vec<Box<dyn Policy>>,
    /// How many a client has: one, or one for each shard.
    policies_of_each: u32,
    /// Calls of each policy that wait for leave.
    waiting: Vec<VecDeque<Ticket>>,
    /// How many wait in all, and those who have gone and were not passed yet.
    queued: usize,
    /// When they ask again, of their own accord.
    pokes_at: Vec<u64>,
    groups: Vec<Group>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    outboxes: Vec<Outbox>,
    undelivered: u32,
    arrivals: Pcg64Mcg,
    chance: Pcg64Mcg,
    /// Every request is an error.
    is_down: bool,
    shard_is_dead: bool,
    is_disturbed: bool,
    /// Until then nothing comes through the network.
    network_back_at: u64,
    timeout_ns: u64,
    delay_ns: u64,
    record: Record,
}

/// Runs `params` under `kind`.
pub(crate) fn run(params: &Params, kind: Kind, seed: u64) -> anyhow::Result<Record> {
    let mut engine = Engine::new(params, kind, seed)?;
    engine.go(|_, _| ());
    Ok(engine.record)
}

impl<'a> Engine<'a> {
    fn next_arrival(&mut self, group: usize) {
        let gap_ns = match (self.params.disturbance, self.groups[group].class) {
            (Disturbance::Noisy(factor), Class::Special) if self.is_disturbed => self.groups[group].gap_ns / factor,
            _ => self.groups[group].gap_ns,
        };
        let draw: f64 = Exp1.sample(&mut self.arrivals);
        self.queue.at(self.now + (gap_ns * draw) as u64, Event::Arrive(group));
    }

    fn next_pause(&mut self) {
        let draw: f64 = Exp1.sample(&mut self.chance);
        self.queue.at(self.now + (PAUSE_GAP_S * SECOND as f64 * draw) as u64, Event::Pause);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrive(group) => self.arrive(group),
            Event::Reach(ticket) => self.reach(ticket),
            Event::Served { ticket, pauses } => {
                let (cancels, slots) = (self.params.cancellation, &self.slots);
                let is_gone = |ticket: Ticket| cancels && !is_current(slots, ticket);
                // The worker of a caller who left and took the work along is free already.
                if is_gone(ticket) || !self.server.served(ticket, pauses, self.now, &mut self.queue) {
                    return;
                }
                let next = self.server.free_worker(self.now, &mut self.queue, is_gone);
                self.begin_service(next);
                self.answer(ticket);
            }
            Event::Shared { plan } => {
                let (cancels, slots) = (self.params.cancellation, &self.slots);
                let is_gone = |ticket: Ticket| cancels && !is_current(slots, ticket);
                if let Some(ticket) = self.server.shared_done(plan, self.now, &mut self.queue, is_gone) {
                    self.answer(ticket);
                }
            }
            Event::Reply(ticket, is_good) => {
                if is_current(&self.slots, ticket) {
                    self.finish(ticket.call, is_good);
                }
            }
            Event::Timeout(ticket) => {
                if is_current(&self.slots, ticket) {
                    self.give_up_waiting(ticket.call);
                }
            }
            Event::Retry(ticket) => {
                if is_current(&self.slots, ticket) {
                    self.ask(ticket.call);
                }
            }
            Event::WaitOver(ticket) => {
                if is_current(&self.slots, ticket) && self.slots[ticket.call as usize].waits {
                    self.fail(ticket.call);
                }
            }
            Event::Poke(policy) => {
                if self.pokes_at[policy as usize] == self.now {
                    self.pokes_at[policy as usize] = u64::MAX;
                    self.poke(policy);
                }
            }
            Event::Ask(client) => {
                let outbox = &mut self.outboxes[(client - self.params.clients) as usize];
                if outbox.asks_at == Some(self.now) {
                    outbox.asks_at = None;
                    self.look_into_outbox(client);
                }
            }
            Event::Return { client, rounds } => {
                self.outboxes[(client - self.params.clients) as usize].rounds.push_back(rounds);
                self.look_into_outbox(client);
            }
            Event::Phase(phase) => self.phase(phase),
            Event::Pause => {
                let resumes_at = self.server.pause(self.now);
                self.queue.at(resumes_at, Event::Resume);
            }
            Event::Resume => {
                self.server.resume(self.now, &mut self.queue);
                self.next_pause();
            }
        }
    }

    /// The disturbance begins with the even phases and ends with the odd ones.
    fn phase(&mut self, phase: usize) {
        let begins = phase.is_multiple_of(2);
        self.is_disturbed = begins;
        match self.params.disturbance {
            Disturbance::None => {}
            Disturbance::Slow => self.change_capacity(begins),
            // What has to wait for its end is told it as it is sent.
            Disturbance::Partition if begins => self.network_back_at = nanos(self.params.trigger_end()),
            Disturbance::Partition | Disturbance::Stall(_) => {}
            Disturbance::Flap => self.is_down = begins,
            Disturbance::DeadShard => self.shard_is_dead = begins,
            // The gap that has begun is let pass.
            Disturbance::Noisy(_) => {}
            Disturbance::Herd(_) if begins => {
                for client in self.params.clients..2 * self.params.clients {
                    self.look_into_outbox(client);
                }
            }
            Disturbance::Herd(_) => {}
        }
    }

    /// From the beginning to the end. `look` sees what there is before each event, and the event's instant.
    fn go(&mut self, mut look: impl FnMut(&Self, u64)) {
        self.schedule();
        let end = nanos(self.params.horizon());
        while let Some((at, event)) = self.queue.next()
            && at < end
        {
            look(self, at);
            self.now = at;
            self.handle(event);
        }
    }

    fn instant(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn open(&mut self, client: u32, class: Class, rounds: Option<u32>) -> u32 {
        let params = self.params;
        let shard = if params.shards > 1 { self.arrivals.random_range(0..params.shards) } else { 0 };
        let class = if params.disturbance == Disturbance::DeadShard && shard == 0 { Class::Special } else { class };
        let policy = client * self.policies_of_each + shard % self.policies_of_each;
        let now = self.instant();
        let call = self.policies[policy as usize].begin(shard, now);
        let mut slot = Slot {
            generation: 0,
            client,
            policy,
            shard,
            arrived: Record::slice(self.now),
            class,
            rounds,
            place: Place::Elsewhere,
            was_sent: false,
            waits: false,
            call,
            permit: None,
        };
        match self.free.pop() {
            Some(index) => {
                slot.generation = self.slots[index as usize].generation;
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// The call is over: its tickets are stale.
    fn close(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.waits = false;
        self.free.push(index);
    }

    fn ticket(&self, index: u32) -> Ticket {
        Ticket { call: index, generation: self.slots[index as usize].generation }
    }

    fn arrive(&mut self, group: usize) {
        self.next_arrival(group);
        let Group { first, count, class, .. } = self.groups[group];
        let client = if count > 1 { first + self.arrivals.random_range(0..count) } else { first };
        let index = self.open(client, class, None);
        let (class, arrived) = (self.slots[index as usize].class, self.slots[index as usize].arrived);
        self.record.at(class, arrived).arrived += 1;
        self.ask(index);
    }

    /// Asks the policy for leave to send; without it the call waits, if it may, or has failed.
    fn ask(&mut self, index: u32) {
        let now = self.instant();
        let slot = &mut self.slots[index as usize];
        let policy = slot.policy;
        match self.policies[policy as usize].try_attempt(&mut slot.call, now) {
            Ok(permit) => self.send(index, permit),
            Err(refusal) => match refusal.wait {
                Some(wait) if slot.rounds.is_none() => {
                    slot.waits = true;
                    let ticket = self.ticket(index);
                    self.waiting[policy as usize].push_back(ticket);
                    self.queued += 1;
                    self.queue.at(self.now + wait.as_nanos() as u64, Event::WaitOver(ticket));
                    self.poke_after(policy, refusal.retry_after);
                }
                _ => self.fail(index),
            },
        }
    }

    fn poke_after(&mut self, policy: u32, retry_after: Option<Duration>) {
        let Some(wait) = retry_after else { return };
        // At least a nanosecond, so that time goes on whatever the policy says.
        let at = self.now.saturating_add((wait.as_nanos() as u64).max(1));
        let next = &mut self.pokes_at[policy as usize];
        if at < *next {
            *next = at;
            self.queue.at(at, Event::Poke(policy));
        }
    }

    /// Calls that wait ask again, the oldest first.
    fn poke(&mut self, policy: u32) {
        // Of a million clients, looking whether one waits costs as much as an event.
        if self.queued == 0 {
            return;
        }
        let now = self.instant();
        while let Some(&ticket) = self.waiting[policy as usize].front() {
            let slot = &mut self.slots[ticket.call as usize];
            if slot.generation == ticket.generation && slot.waits {
                match self.policies[policy as usize].try_attempt(&mut slot.call, now) {
                    Ok(permit) => {
                        slot.waits = false;
                        self.send(ticket.call, permit);
                    }
                    Err(refusal) => {
                        self.poke_after(policy, refusal.retry_after);
                        return;
                    }
                }
            }
            self.waiting[policy as usize].pop_front();
            self.queued -= 1;
        }
    }

    fn finish(&mut self, index: u32, is_good: bool) {
        let now = self.instant();
        let slot = &mut self.slots[index as usize];
        let Some(permit) = slot.permit.take() else { return };
        // The tickets of this attempt are stale from here on.
        slot.generation = slot.generation.wrapping_add(1);
        slot.place = Place::Elsewhere;
        let (policy, client, class, arrived, rounds) =
            (slot.policy, slot.client, slot.class, slot.arrived, slot.rounds);
        let verdict = self.policies[policy as usize].finish(&mut slot.call, permit, is_good, now);
        if rounds.is_some() {
            self.outboxes[(client - self.params.clients) as usize].in_flight -= 1;
        }
        match verdict {
            _ if is_good => {
                if rounds.is_none() {
                    self.record.at(class, arrived).good += 1;
                } else {
                    self.undelivered -= 1;
                    if self.undelivered == 0 {
                        self.record.drained_at = Some(self.now as f64 / SECOND as f64);
                    }
                }
                self.record.at(class, Record::slice(self.now)).answers += 1;
                self.close(index);
            }
            Verdict::RetryAt(at) => {
                let ticket = self.ticket(index);
                self.queue.at(at.as_nanos().max(self.now), Event::Retry(ticket));
            }
            Verdict::Done | Verdict::GiveUp => self.fail(index),
        }
        self.poke(policy);
        if rounds.is_some() {
            self.look_into_outbox(client);
        }
    }

    /// The call is over without a good answer; a message goes back into its outbox.
    fn fail(&mut self, index: u32) {
        let now = self.instant();
        let slot = &mut self.slots[index as usize];
        self.policies[slot.policy as usize].abandon(&mut slot.call, now);
        let (client, class, arrived, was_sent) = (slot.client, slot.class, slot.arrived, slot.was_sent);
        match slot.rounds {
            Some(rounds) => {
                let term = outbox::longest_away(rounds) * self.timeout_ns as f64;
                let wait = (self.chance.random::<f64>() * term) as u64;
                self.queue.at(self.now + wait, Event::Return { client, rounds: rounds + 1 });
            }
            None if !was_sent => self.record.at(class, arrived).shed += 1,
            None => {}
        }
        self.close(index);
    }
}

fn is_current(slots: &[Slot], ticket: Ticket) -> bool {
    slots[ticket.call as usize].generation == ticket.generation
}
