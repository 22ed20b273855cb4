//! A client process: calls on a Poisson clock, or an outbox, behind one of the lab's policies.
//!
//! It does with a call what the lab's engine does with it, step by step, but the clock is the system's and an attempt is
//! a request over a socket. One loop owns everything; what is to be done later lies in its timers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64Mcg;
use seawall::{Clock, Instant};
use tokio::task::JoinSet;

use super::ledger::Event;
use crate::clock::{SharedClock, ns};
use crate::http::{self, Connection};
use crate::lab::engine::outbox::{ASK, longest_away};
use crate::lab::policy::{self, Kind, Permit, Policy, Told, Verdict};
use crate::log::Log;
use crate::message::Message;
use crate::outbox::{self, Outbox};

/// A timer is not awaited for less: attempts and answers get their turn in between.
const LEAST: Duration = Duration::from_micros(100);

/// What the orchestrator tells a client.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CallerOptions {
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// Tells this process from the others, in the ids of its messages.
    #[arg(long)]
    pub(crate) number: u32,
    #[arg(long)]
    pub(crate) policy: Kind,
    /// The rate that the policy is told, calls a second.
    #[arg(long)]
    pub(crate) told: f64,
    /// How long an attempt may take, in seconds.
    #[arg(long)]
    pub(crate) timeout: f64,
    /// How often a call is sent, by a policy that just tries again.
    #[arg(long)]
    pub(crate) attempts: u32,
    #[arg(long)]
    pub(crate) seed: u64,
    /// When it begins, in nanoseconds on the shared clock.
    #[arg(long)]
    pub(crate) from: u64,
    /// Until when calls count that come in.
    #[arg(long)]
    pub(crate) watched: u64,
    /// Calls a second, in the mean.
    #[arg(long, required_unless_present = "outbox")]
    pub(crate) rate: Option<f64>,
    /// Messages instead of calls: the file they lie in. Such a client has just been restarted, and its policy knows.
    #[arg(long, conflicts_with = "rate")]
    pub(crate) outbox: Option<PathBuf>,
}

/// A message of the outbox, and how often it went back there.
struct Held {
    message: outbox::Message,
    number: u64,
    rounds: u32,
}

/// A call that is not over.
struct Open {
    came: u64,
    call: policy::Call,
    message: Option<Held>,
    was_sent: bool,
    /// Waits for leave to be sent until then.
    waits_until: Option<u64>,
}

/// What is to be done at an instant.
enum Timer {
    /// The next call.
    Arrive,
    /// The backoff of a call is over.
    Retry(u64),
    /// A call has waited long enough for leave.
    WaitOver(u64),
    /// Calls that wait for leave ask again.
    Poke,
    /// The outbox is looked into.
    Ask,
    /// A message is back in the outbox.
    Return(Held),
    /// Calls that come from now on do not count.
    Watched,
}

/// The earliest first, and of those the one that was set first.
#[derive(Default)]
struct Timers {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    timers: HashMap<u64, Timer>,
    set: u64,
}

impl Timers {
    fn at(&mut self, at: u64, timer: Timer) {
        self.set += 1;
        self.heap.push(Reverse((at, self.set)));
        self.timers.insert(self.set, timer);
    }

    fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|next| next.0.0)
    }

    /// One that is due, and when it was set for.
    fn due(&mut self, now: u64) -> Option<(u64, Timer)> {
        let Reverse((at, number)) = *self.heap.peek().filter(|next| next.0.0 <= now)?;
        self.heap.pop();
        self.timers.remove(&number).map(|timer| (at, timer))
    }
}

/// An attempt that came back.
struct Ended {
    number: u64,
    permit: Permit,
    is_good: bool,
    connection: Option<Connection>,
}

struct Caller {
    options: CallerOptions,
    clock: SharedClock,
    log: Log,
    policy: Box<dyn Policy>,
    random: Pcg64Mcg,
    timeout: Duration,
    timers: Timers,
    calls: HashMap<u64, Open>,
    /// Calls that came so far.
    came: u64,
    waiting: VecDeque<u64>,
    poke_at: u64,
    file: Option<Outbox>,
    messages: VecDeque<Held>,
    ask_at: Option<u64>,
    out: JoinSet<Ended>,
    idle: Vec<Connection>,
    /// Calls that count and are not over; messages that are not delivered.
    unsettled: usize,
    is_settled: bool,
}

/// Calls until the process is killed.
pub(crate) async fn run(options: CallerOptions, clock: SharedClock, log: Log) -> anyhow::Result<()> {
    let file = options.outbox.as_deref().map(Outbox::open).transpose().context("the outbox cannot be opened")?;
    let mut messages = VecDeque::new();
    if let Some(file) = &file {
        file.recover()?;
        let claimed = file.claim(usize::try_from(file.census()?.pending)?)?;
        messages.extend((0..).zip(claimed).map(|(number, message)| Held { rounds: message.failures, message, number }));
    }
    println!("ready");
    tokio::time::sleep(Duration::from_nanos(options.from.saturating_sub(clock.ns()))).await;
    let timeout = Duration::from_secs_f64(options.timeout);
    let told = Told {
        rate: options.told,
        timeout,
        max_wait: Duration::ZERO,
        shards: 1,
        is_cold: file.is_some(),
        attempts: options.attempts,
        seed: options.seed,
        is_small: false,
    };
    let mut caller = Caller {
        policy: policy::build(options.policy, told, clock.now())?,
        // Apart from the seed of the policy.
        random: Pcg64Mcg::seed_from_u64(!options.seed),
        clock,
        log,
        timeout,
        timers: Timers::default(),
        calls: HashMap::new(),
        came: 0,
        waiting: VecDeque::new(),
        poke_at: u64::MAX,
        unsettled: messages.len(),
        file,
        messages,
        ask_at: None,
        out: JoinSet::new(),
        idle: Vec::new(),
        is_settled: false,
        options,
    };
    caller.live().await
}

impl Caller {
    async fn live(&mut self) -> anyhow::Result<()> {
        self.timers.at(self.options.watched, Timer::Watched);
        if self.options.rate.is_some() {
            self.next_arrival(self.clock.ns());
        }
        self.look_into_outbox()?;
        loop {
            let now = self.clock.ns();
            while let Some((at, timer)) = self.timers.due(now) {
                self.fire(at, timer)?;
            }
            self.say_whether_settled();
            let next = self.timers.next_at().map_or(ASK, |at| Duration::from_nanos(at.saturating_sub(self.clock.ns())));
            tokio::select! {
                ended = self.out.join_next(), if !self.out.is_empty() => {
                    // `None` and a panicked attempt cannot be: the set is not empty, and attempts do not panic.
                    let ended = ended.context("no attempt is out")??;
                    self.idle.extend(ended.connection);
                    self.finish(ended.number, ended.permit, ended.is_good)?;
                }
                () = tokio::time::sleep(next.max(LEAST)) => {}
            }
        }
    }

    fn say_whether_settled(&mut self) {
        let now = self.clock.ns();
        let all_came = self.options.rate.is_none() || now >= self.options.watched;
        if all_came && self.unsettled == 0 && !self.is_settled {
            self.is_settled = true;
            self.log.write(&Event::Settled { at: now });
        }
    }

    fn fire(&mut self, at: u64, timer: Timer) -> anyhow::Result<()> {
        match timer {
            Timer::Arrive => self.arrive(at),
            Timer::Retry(number) => self.ask(number),
            Timer::WaitOver(number) => match self.calls.get(&number) {
                Some(open) if open.waits_until == Some(at) => self.fail(number),
                _ => Ok(()),
            },
            Timer::Poke if at == self.poke_at => {
                self.poke_at = u64::MAX;
                self.poke();
                Ok(())
            }
            Timer::Ask if self.ask_at == Some(at) => {
                self.ask_at = None;
                self.look_into_outbox()
            }
            Timer::Return(held) => {
                self.messages.push_back(held);
                self.look_into_outbox()
            }
            Timer::Poke | Timer::Ask | Timer::Watched => Ok(()),
        }
    }

    /// The clock of arrivals waits for nothing: a late one does not put off the next.
    fn next_arrival(&mut self, from: u64) {
        if let Some(rate) = self.options.rate {
            let draw: f64 = Exp1.sample(&mut self.random);
            self.timers.at(from + (draw / rate * 1e9) as u64, Timer::Arrive);
        }
    }

    fn arrive(&mut self, at: u64) -> anyhow::Result<()> {
        self.next_arrival(at);
        let (number, came) = (self.came, self.clock.ns());
        self.came += 1;
        self.unsettled += usize::from(came < self.options.watched);
        let call = self.policy.begin(0, Instant::from_nanos(came));
        self.calls.insert(number, Open { came, call, message: None, was_sent: false, waits_until: None });
        self.log.write(&Event::Came { at: came, call: number, message: false });
        self.ask(number)
    }

    /// Asks the policy for leave to send; without it the call waits, if it may, or has failed.
    fn ask(&mut self, number: u64) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Some(open) = self.calls.get_mut(&number) else { return Ok(()) };
        match self.policy.try_attempt(&mut open.call, now) {
            Ok(permit) => self.send(number, permit, now),
            Err(refusal) => match refusal.wait {
                Some(wait) if open.message.is_none() => {
                    let until = now.as_nanos().saturating_add(ns(wait));
                    open.waits_until = Some(until);
                    self.waiting.push_back(number);
                    self.timers.at(until, Timer::WaitOver(number));
                    self.poke_after(refusal.retry_after);
                }
                _ => self.fail(number)?,
            },
        }
        Ok(())
    }

    fn poke_after(&mut self, retry_after: Option<Duration>) {
        let Some(wait) = retry_after else { return };
        let at = self.clock.ns().saturating_add(ns(wait).max(1));
        if at < self.poke_at {
            self.poke_at = at;
            self.timers.at(at, Timer::Poke);
        }
    }

    /// Calls that wait ask again, the oldest first.
    fn poke(&mut self) {
        while let Some(&number) = self.waiting.front() {
            if let Some(open) = self.calls.get_mut(&number)
                && open.waits_until.is_some()
            {
                let now = self.clock.now();
                match self.policy.try_attempt(&mut open.call, now) {
                    Ok(permit) => {
                        open.waits_until = None;
                        self.send(number, permit, now);
                    }
                    Err(refusal) => return self.poke_after(refusal.retry_after),
                }
            }
            self.waiting.pop_front();
        }
    }

    fn send(&mut self, number: u64, permit: Permit, now: Instant) {
        let Some(open) = self.calls.get_mut(&number) else { return };
        open.was_sent = true;
        let message = match &open.message {
            Some(held) => Message { id: held.message.id.clone(), text: held.message.text.clone() },
            None => Message { id: format!("call-{}-{number}", self.options.number), text: String::new() },
        };
        self.log.write(&Event::Sent { at: now.as_nanos(), call: number });
        let (server, kept, timeout) = (self.options.server, self.idle.pop(), self.timeout);
        self.out.spawn(async move {
            let (reply, connection) = http::post(server, kept, &message, timeout).await;
            Ended { number, permit, is_good: reply.ending.is_good(), connection }
        });
    }

    fn finish(&mut self, number: u64, permit: Permit, is_good: bool) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Some(open) = self.calls.get_mut(&number) else { return Ok(()) };
        match self.policy.finish(&mut open.call, permit, is_good, now) {
            _ if is_good => {
                self.log.write(&Event::Answered { at: now.as_nanos(), call: number });
                if let Some(open) = self.close(number)
                    && let (Some(file), Some(held)) = (&self.file, &open.message)
                {
                    file.mark_sent(&held.message.id)?;
                    self.unsettled -= 1;
                }
            }
            Verdict::RetryAt(at) => self.timers.at(at.as_nanos(), Timer::Retry(number)),
            Verdict::Done | Verdict::GiveUp => self.fail(number)?,
        }
        self.poke();
        self.look_into_outbox()
    }

    /// The call is over without a good answer; a message goes back into its outbox.
    fn fail(&mut self, number: u64) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Some(mut open) = self.close(number) else { return Ok(()) };
        self.policy.abandon(&mut open.call, now);
        let Some(mut held) = open.message else {
            self.log.write(&Event::Failed { at: now.as_nanos(), call: number });
            return Ok(());
        };
        let term = longest_away(held.rounds) * self.options.timeout;
        let wait = Duration::from_secs_f64(self.random.random::<f64>() * term);
        held.rounds += 1;
        if let Some(file) = &self.file {
            file.note_failures(&held.message.id, held.rounds)?;
        }
        self.timers.at(now.as_nanos() + ns(wait), Timer::Return(held));
        Ok(())
    }

    fn close(&mut self, number: u64) -> Option<Open> {
        let open = self.calls.remove(&number)?;
        self.unsettled -= usize::from(open.message.is_none() && open.came < self.options.watched);
        Some(open)
    }

    /// Sends from the outbox as long as the policy gives leave.
    fn look_into_outbox(&mut self) -> anyhow::Result<()> {
        while let Some(held) = self.messages.pop_front() {
            let now = self.clock.now();
            let mut call = self.policy.begin(0, now);
            match self.policy.try_attempt(&mut call, now) {
                Ok(permit) => {
                    let number = held.number;
                    if held.rounds == 0 {
                        self.log.write(&Event::Came { at: now.as_nanos(), call: number, message: true });
                    }
                    let open =
                        Open { came: now.as_nanos(), call, message: Some(held), was_sent: false, waits_until: None };
                    self.calls.insert(number, open);
                    self.send(number, permit, now);
                }
                Err(refusal) => {
                    self.policy.abandon(&mut call, now);
                    self.messages.push_front(held);
                    self.ask_again(refusal.retry_after);
                    break;
                }
            }
        }
        Ok(())
    }

    fn ask_again(&mut self, retry_after: Option<Duration>) {
        let wait = match retry_after {
            Some(wait) => ns(wait).max(1),
            None if self.out.is_empty() => ns(ASK),
            None => return,
        };
        let at = self.clock.ns().saturating_add(wait);
        if self.ask_at.is_none_or(|ask_at| at < ask_at) {
            self.ask_at = Some(at);
            self.timers.at(at, Timer::Ask);
        }
    }
}
