//! The way of an attempt: through the network, into the server, and back or into its time-out.

use rand::RngExt;

use super::{Engine, Place, is_current};
use crate::lab::nanos;
use crate::lab::params::{Cut, Discipline, Disturbance};
use crate::lab::policy::Permit;
use crate::lab::queue::{Event, Lane, Ticket};
use crate::lab::record::Record;
use crate::lab::server::Accepted;

/// How long an error takes that costs the server nothing.
const ERROR_S: f64 = 0.005;

impl Engine<'_> {
    pub(super) fn send(&mut self, index: u32, permit: Permit) {
        let ticket = self.ticket(index);
        let slot = &mut self.slots[index as usize];
        slot.permit = Some(permit);
        slot.was_sent = true;
        slot.place = Place::Elsewhere;
        if slot.rounds.is_some() {
            self.outboxes[(slot.client - self.params.clients) as usize].in_flight += 1;
        }
        let fails = self.is_down
            || self.shard_is_dead && slot.shard == 0
            || self.params.errors > 0.0 && self.chance.random::<f64>() < self.params.errors;
        let class = slot.class;
        self.record.at(class, Record::slice(self.now)).sends += 1;
        self.queue.after(Lane::Timeout, self.now + self.timeout_ns, Event::Timeout(ticket));
        if let Disturbance::Stall(share) = self.params.disturbance
            && self.is_disturbed
        {
            // At the very instant of the time-out the caller has gone: its event came first.
            let back = self.now + (share * self.timeout_ns as f64).round() as u64;
            self.queue.at(back, Event::Reply(ticket, !fails));
        } else if self.network_back_at > self.now {
            let there = self.network_back_at + self.delay_ns;
            let event = if fails { Event::Reply(ticket, false) } else { Event::Reach(ticket) };
            self.queue.at(there, event);
        } else if fails {
            let back = self.now + 2 * self.delay_ns + nanos(ERROR_S);
            self.queue.after(Lane::Error, back, Event::Reply(ticket, false));
        } else if self.delay_ns > 0 {
            self.queue.after(Lane::There, self.now + self.delay_ns, Event::Reach(ticket));
        } else {
            self.reach(ticket);
        }
    }

    pub(super) fn reach(&mut self, ticket: Ticket) {
        let is_current = is_current(&self.slots, ticket);
        if !is_current && self.params.cancellation {
            return;
        }
        let place = match self.server.accept(ticket, self.now, &mut self.queue) {
            Accepted::Serving => Place::Service,
            Accepted::Queued => Place::Queue,
            Accepted::Rejected => {
                self.queue.at(self.now + self.delay_ns + nanos(ERROR_S), Event::Reply(ticket, false));
                Place::Elsewhere
            }
        };
        if is_current {
            self.slots[ticket.call as usize].place = place;
        }
    }

    /// The trigger takes capacity away, or gives it back: then those who waited for it are served.
    pub(super) fn change_capacity(&mut self, begins: bool) {
        let (speed, workers) = match (begins, self.params.cut) {
            (true, Cut::Speed) => (self.params.drop, self.params.workers()),
            (true, Cut::Workers) => (1.0, self.params.workers_left()),
            (false, _) => (1.0, self.params.workers()),
        };
        self.server.change(speed, workers, self.now, &mut self.queue);
        let (cancels, slots) = (self.params.cancellation, &self.slots);
        let is_gone = |ticket: Ticket| cancels && !is_current(slots, ticket);
        let mut served = Vec::new();
        while let Some(next) = self.server.serve_next(self.now, &mut self.queue, is_gone) {
            served.push(next);
        }
        for next in served {
            self.begin_service(Some(next));
        }
    }

    pub(super) fn begin_service(&mut self, next: Option<Ticket>) {
        if let Some(next) = next
            && is_current(&self.slots, next)
        {
            self.slots[next.call as usize].place = Place::Service;
        }
    }

    /// The server is done with it, whether anybody waits for it or not.
    pub(super) fn answer(&mut self, ticket: Ticket) {
        if !is_current(&self.slots, ticket) {
            return;
        }
        self.slots[ticket.call as usize].place = Place::Elsewhere;
        if self.network_back_at > self.now {
            self.queue.at(self.network_back_at + self.delay_ns, Event::Reply(ticket, true));
        } else if self.delay_ns > 0 {
            self.queue.after(Lane::Back, self.now + self.delay_ns, Event::Reply(ticket, true));
        } else {
            self.finish(ticket.call, true);
        }
    }

    /// The attempt timed out.
    pub(super) fn give_up_waiting(&mut self, index: u32) {
        let place = self.slots[index as usize].place;
        self.finish(index, false);
        if !self.params.cancellation {
            return;
        }
        match (self.server.discipline(), place) {
            (_, Place::Elsewhere) => {}
            (Discipline::Shared, _) => self.server.leave_share(self.now, &mut self.queue),
            (Discipline::Fifo, Place::Queue) => self.server.leave_queue(),
            (Discipline::Fifo, Place::Service) => {
                let slots = &self.slots;
                let is_gone = |ticket: Ticket| !is_current(slots, ticket);
                let next = self.server.free_worker(self.now, &mut self.queue, is_gone);
                self.begin_service(next);
            }
        }
    }
}
