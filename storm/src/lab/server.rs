//! The server: workers with one queue, or a processor that all requests share.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_pcg::Pcg64Mcg;

use super::params::{Discipline, Params, Service};
use super::queue::{Event, Queue, Ticket};
use super::{SECOND, nanos};

/// What becomes of a request that reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    Serving,
    Queued,
    /// The queue is full.
    Rejected,
}

pub(super) struct Server {
    discipline: Discipline,
    service: Service,
    mean_ns: f64,
    /// Those who serve; more may be busy still, where some have been taken away.
    workers: usize,
    /// How many may wait.
    room: usize,
    speed: f64,
    random: Pcg64Mcg,
    // First come, first served.
    busy: usize,
    waiting: VecDeque<Ticket>,
    /// Of those waiting, how many have left.
    left: usize,
    pauses: u32,
    pause_ns: u64,
    resumes_at: u64,
    // Shared.
    jobs: BinaryHeap<Job>,
    /// Jobs that take part.
    active: usize,
    /// The work, in nanoseconds at full speed, that a job present from the beginning would have had.
    shared_work: f64,
    settled_at: u64,
    plan: u64,
    number: u64,
}

/// A job of the shared processor, and at which shared work it is done.
#[derive(Clone, Copy, Debug)]
struct Job {
    done_at: f64,
    number: u64,
    ticket: Ticket,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Job {}

impl Ord for Job {
    /// The first to be done is the greatest, as the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.done_at.total_cmp(&self.done_at).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Server {
    pub(super) fn new(params: &Params, random: Pcg64Mcg) -> Self {
        Self {
            discipline: params.server,
            service: params.service,
            mean_ns: params.mean_s * SECOND as f64,
            workers: params.workers(),
            room: params.queue.map_or(usize::MAX, |room| room as usize),
            speed: 1.0,
            random,
            busy: 0,
            waiting: VecDeque::new(),
            left: 0,
            pauses: 0,
            pause_ns: nanos(params.pause_s),
            resumes_at: 0,
            jobs: BinaryHeap::new(),
            active: 0,
            shared_work: 0.0,
            settled_at: 0,
            plan: 0,
            number: 0,
        }
    }

    fn draw(&mut self) -> f64 {
        self.mean_ns
            * match self.service {
                Service::Exponential => Distribution::<f64>::sample(&Exp1, &mut self.random),
                // With sigma 1 the mean is exp(mu + 1/2).
                Service::Lognormal => {
                    let normal: f64 = StandardNormal.sample(&mut self.random);
                    (normal - 0.5).exp()
                }
                Service::Constant => 1.0,
            }
    }

    /// A request is there.
    pub(super) fn accept(&mut self, ticket: Ticket, now: u64, queue: &mut Queue) -> Accepted {
        match self.discipline {
            Discipline::Fifo if self.busy < self.workers => {
                self.start(ticket, now, queue);
                Accepted::Serving
            }
            Discipline::Fifo if self.waiting.len() - self.left < self.room => {
                self.waiting.push_back(ticket);
                Accepted::Queued
            }
            Discipline::Shared if self.active < self.workers.saturating_add(self.room) => {
                self.settle(now);
                let work = self.draw();
                self.number += 1;
                self.jobs.push(Job { done_at: self.shared_work + work, number: self.number, ticket });
                self.active += 1;
                self.replan(now, queue);
                Accepted::Serving
            }
            Discipline::Fifo | Discipline::Shared => Accepted::Rejected,
        }
    }

    fn start(&mut self, ticket: Ticket, now: u64, queue: &mut Queue) {
        self.busy += 1;
        let service = self.draw() / self.speed;
        queue.at(now.max(self.resumes_at) + service as u64, Event::Served { ticket, pauses: self.pauses });
    }

    /// A worker says that it is done; whether it is, and not held up by a pause.
    pub(super) fn served(&mut self, ticket: Ticket, pauses: u32, now: u64, queue: &mut Queue) -> bool {
        if pauses == self.pauses {
            return true;
        }
        let held = u64::from(self.pauses - pauses) * self.pause_ns;
        queue.at(now + held, Event::Served { ticket, pauses: self.pauses });
        false
    }

    /// A worker is free. `is_gone` tells of those who wait whether their caller left and took the work along.
    pub(super) fn free_worker(
        &mut self,
        now: u64,
        queue: &mut Queue,
        is_gone: impl Fn(Ticket) -> bool,
    ) -> Option<Ticket> {
        self.busy -= 1;
        self.serve_next(now, queue, is_gone)
    }

    /// A free worker takes the first of those who wait.
    pub(super) fn serve_next(
        &mut self,
        now: u64,
        queue: &mut Queue,
        is_gone: impl Fn(Ticket) -> bool,
    ) -> Option<Ticket> {
        if self.busy >= self.workers {
            return None;
        }
        while let Some(next) = self.waiting.pop_front() {
            if is_gone(next) {
                self.left -= 1;
                continue;
            }
            self.start(next, now, queue);
            return Some(next);
        }
        None
    }

    /// A caller left the queue, and takes the work along.
    pub(super) fn leave_queue(&mut self) {
        self.left += 1;
    }

    /// A caller left a job that shares the processor, and takes the work along.
    pub(super) fn leave_share(&mut self, now: u64, queue: &mut Queue) {
        self.settle(now);
        self.active -= 1;
        self.replan(now, queue);
    }

    pub(super) fn discipline(&self) -> Discipline {
        self.discipline
    }

    /// The job of the shared processor that is done now, if `plan` still holds. `is_gone` as for a worker.
    pub(super) fn shared_done(
        &mut self,
        plan: u64,
        now: u64,
        queue: &mut Queue,
        is_gone: impl Fn(Ticket) -> bool,
    ) -> Option<Ticket> {
        if plan != self.plan {
            return None;
        }
        self.settle(now);
        let mut done = None;
        if self.jobs.peek().is_some_and(|job| !is_gone(job.ticket)) {
            done = self.jobs.pop();
            self.active -= 1;
        }
        if let Some(job) = done {
            // The clock is in whole nanoseconds: the job is done, whatever a rounding says.
            self.shared_work = self.shared_work.max(job.done_at);
        }
        // Those who left take no part any more.
        while self.jobs.peek().is_some_and(|job| is_gone(job.ticket)) {
            self.jobs.pop();
        }
        self.replan(now, queue);
        done.map(|job| job.ticket)
    }

    /// How fast a job that shares goes, of full speed.
    fn share(&self) -> f64 {
        if self.active == 0 || self.resumes_at > self.settled_at {
            return 0.0;
        }
        self.speed * (self.workers as f64 / self.active as f64).min(1.0)
    }

    fn settle(&mut self, now: u64) {
        self.shared_work += self.share() * (now - self.settled_at) as f64;
        self.settled_at = now;
    }

    fn replan(&mut self, now: u64, queue: &mut Queue) {
        self.plan += 1;
        let share = self.share();
        if let Some(next) = self.jobs.peek()
            && share > 0.0
        {
            let rest = ((next.done_at - self.shared_work).max(0.0) / share).ceil() as u64;
            queue.at(now + rest, Event::Shared { plan: self.plan });
        }
    }

    /// From now on a worker does `speed` of what it did, and there are so many of them. Who is served already is served
    /// to the end, at the speed with which it began where nothing is shared.
    pub(super) fn change(&mut self, speed: f64, workers: usize, now: u64, queue: &mut Queue) {
        self.settle(now);
        self.speed = speed;
        self.workers = workers;
        self.replan(now, queue);
    }

    /// It stops for the length of a pause. Returns when it goes on.
    pub(super) fn pause(&mut self, now: u64) -> u64 {
        self.settle(now);
        self.plan += 1;
        self.pauses += 1;
        self.resumes_at = now + self.pause_ns;
        self.resumes_at
    }

    pub(super) fn resume(&mut self, now: u64, queue: &mut Queue) {
        self.settled_at = now;
        self.replan(now, queue);
    }
}
