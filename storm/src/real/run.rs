//! One run: a server whose capacity is cut while it runs, or a herd of processes that is started; and what the logs say.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::ledger::{Accounts, Ledger};
use crate::clock::{SharedClock, ns, seconds};
use crate::http;
use crate::lab::params::{Disturbance, Params};
use crate::lab::policy::Kind;
use crate::lab::record::{Class, Record};
use crate::log::{Event, Tail};
use crate::outbox::Outbox;
use crate::processes::{Process, go_on};
use crate::run::arguments;
use crate::service::WORKERS;

/// In this time after the clock's origin all processes must be up.
const LEAD: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
/// How long the server may take to change its speed.
const CONTROL: Duration = Duration::from_secs(2);
const ALL: [Class; 2] = [Class::Usual, Class::Special];

/// What happened.
#[derive(Debug)]
pub(super) struct Reality {
    pub(super) record: Record,
    pub(super) accounts: Accounts,
    pub(super) server: Serving,
}

/// What the server did, by its own log: seconds from the beginning, answers a second.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Serving {
    /// When it was told to work at another speed, and which.
    pub(super) speeds: Vec<(f64, f64)>,
    /// Requests that were worked off, whether anybody still waited for them or not.
    pub(super) before: f64,
    pub(super) during: f64,
    pub(super) after: f64,
}

struct Run<'a> {
    params: &'a Params,
    kind: Kind,
    seed: u64,
    directory: &'a Path,
    clock: SharedClock,
    /// Where the record's time begins, on the clock.
    zero: u64,
    server: SocketAddr,
    server_log: Tail,
    served: Vec<u64>,
    speeds: Vec<(u64, f64)>,
    tails: Vec<(u32, Tail)>,
    ledger: Ledger,
    processes: Vec<Process>,
    told: u32,
}

/// How long a run takes at most, in seconds.
pub(super) fn longest(params: &Params) -> f64 {
    LEAD.as_secs_f64() + params.horizon()
}

/// Runs `params` under `kind` in `directory`, which is new and empty.
pub(super) fn run(params: &Params, kind: Kind, seed: u64, directory: &Path) -> anyhow::Result<Reality> {
    ensure!(params.workers() == WORKERS, "the server has {WORKERS} workers, and not {}", params.workers());
    let messages = if let Disturbance::Herd(messages) = params.disturbance { messages } else { 0 };
    let clock = SharedClock::starting_now();
    let log = directory.join("server.jsonl");
    // The lab's engine draws the service times from the same stream.
    let options =
        [("--seed", seed.wrapping_mul(8).wrapping_add(1).to_string()), ("--memoryless", params.mean_s.to_string())];
    let mut server = Process::start("server", &arguments("server", clock, &log, &options))?;
    let port: u16 = server.first_line()?.parse().context("the server did not name its port")?;
    let mut run = Run {
        params,
        kind,
        seed,
        directory,
        clock,
        zero: ns(LEAD),
        server: SocketAddr::from(([127, 0, 0, 1], port)),
        server_log: Tail::of(log),
        served: Vec::new(),
        speeds: Vec::new(),
        tails: Vec::new(),
        ledger: Ledger::new(ns(LEAD), messages),
        processes: vec![server],
        told: 0,
    };
    run.storm(messages)?;
    run.reality()
}

impl Run<'_> {
    fn storm(&mut self, messages: u32) -> anyhow::Result<()> {
        let params = self.params;
        let outboxes = self.fill_outboxes(messages)?;
        let rate = params.client_rate();
        let told = if outboxes.is_empty() { rate * params.told } else { rate };
        for client in 0..params.clients {
            self.start(client, told, &[("--rate", rate.to_string())])?;
        }
        for process in self.processes.iter_mut().skip(1) {
            process.first_line()?;
        }
        ensure!(self.clock.ns() < self.zero, "the processes were not up within {LEAD:?}: this machine is too busy");

        self.watch(params.calm_s, false)?;
        match params.disturbance {
            Disturbance::Slow => {
                self.set_speed(params.drop)?;
                self.watch(params.trigger_end(), false)?;
                self.set_speed(1.0)?;
            }
            Disturbance::Herd(_) => {
                let left = params.capacity * (1.0 - params.load) / f64::from(params.clients);
                for (client, outbox) in (params.clients..).zip(outboxes) {
                    self.start(client, left * params.told, &[("--outbox", outbox.to_string_lossy().into_owned())])?;
                }
                self.say(&format!("{} processes start, with {messages} messages in their outboxes", params.clients));
            }
            _ => {}
        }
        self.watch(params.watched(), false)?;
        // Calls that came in last have time for all their attempts.
        self.watch(params.horizon(), true)?;
        self.processes.clear();
        self.read_logs()
    }

    /// An outbox for each process of the herd, with its share of the messages.
    fn fill_outboxes(&self, messages: u32) -> anyhow::Result<Vec<PathBuf>> {
        if messages == 0 {
            return Ok(Vec::new());
        }
        let mut paths = Vec::new();
        for client in 0..self.params.clients {
            let path = self.directory.join(format!("outbox-{client}.db"));
            let share = (client..messages).step_by(self.params.clients as usize);
            let text = |number| (format!("message-{number}"), format!("I wrote this offline, no. {number}"));
            Outbox::open(&path)?.accept(share.map(text))?;
            paths.push(path);
        }
        Ok(paths)
    }

    fn start(&mut self, client: u32, told: f64, work: &[(&str, String)]) -> anyhow::Result<()> {
        let log = self.directory.join(format!("client-{client}.jsonl"));
        let mut options = vec![
            ("--server", self.server.to_string()),
            ("--number", client.to_string()),
            ("--policy", self.kind.name().to_owned()),
            ("--told", told.to_string()),
            ("--timeout", self.params.timeout_s.to_string()),
            ("--attempts", self.params.attempts.to_string()),
            // Another one for each.
            ("--seed", (self.seed << 16).wrapping_add(u64::from(client)).to_string()),
            ("--from", self.zero.to_string()),
            ("--watched", self.instant(self.params.watched()).to_string()),
        ];
        options.extend(work.iter().cloned());
        self.processes
            .push(Process::start(format!("client {client}"), &arguments("caller", self.clock, &log, &options))?);
        self.tails.push((client, Tail::of(log)));
        Ok(())
    }

    /// The instant `at` seconds after zero, on the clock.
    fn instant(&self, at: f64) -> u64 {
        self.zero + ns(Duration::from_secs_f64(at))
    }

    fn set_speed(&mut self, speed: f64) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(http::put_speed(self.server, speed, CONTROL))?;
        self.say(&format!("the server works at {speed} of its speed"));
        Ok(())
    }

    /// Follows the logs until `until` seconds; `or_settled` until nothing is left that counts.
    fn watch(&mut self, until: f64, or_settled: bool) -> anyhow::Result<()> {
        let deadline = self.instant(until);
        loop {
            go_on()?;
            self.read_logs()?;
            for process in &mut self.processes {
                process.check()?;
            }
            let now = self.clock.ns();
            self.tell(now);
            if now >= deadline || or_settled && self.ledger.settled() == self.tails.len() {
                return Ok(());
            }
            std::thread::sleep(POLL.min(Duration::from_nanos(deadline - now)));
        }
    }

    fn read_logs(&mut self) -> anyhow::Result<()> {
        let (served, speeds) = (&mut self.served, &mut self.speeds);
        self.server_log
            .read(|event| match event {
                Event::Served { at, .. } => served.push(at),
                Event::Speed { at, speed } => speeds.push((at, speed)),
                _ => {}
            })
            .context("a log cannot be read")?;
        let mut new = VecDeque::new();
        for (client, tail) in &mut self.tails {
            tail.read(|event| new.push_back((*client, event))).context("a log cannot be read")?;
        }
        new.into_iter().try_for_each(|(client, event)| self.ledger.take(client, event))
    }

    fn reality(mut self) -> anyhow::Result<Reality> {
        self.check_outboxes()?;
        self.served.sort_unstable();
        let params = self.params;
        let rate = |from: f64, to: f64| {
            let (first, last) = (self.instant(from), self.instant(to));
            let count = self.served.iter().filter(|&&at| (first..last).contains(&at)).count();
            count as f64 / (to - from)
        };
        let server = Serving {
            speeds: self.speeds.iter().map(|&(at, speed)| (seconds(at.saturating_sub(self.zero)), speed)).collect(),
            before: rate(0.0, params.calm_s),
            during: rate(params.calm_s, params.trigger_end()),
            after: rate(params.trigger_end(), params.watched()),
        };
        Ok(Reality { record: self.ledger.record().clone(), accounts: self.ledger.accounts(), server })
    }

    /// What the outboxes say is what the logs say, but for answers that were being booked when the run ended.
    fn check_outboxes(&self) -> anyhow::Result<()> {
        let Disturbance::Herd(messages) = self.params.disturbance else { return Ok(()) };
        let (mut sent, mut kept) = (0, 0);
        for client in 0..self.params.clients {
            let census = Outbox::open(&self.directory.join(format!("outbox-{client}.db")))?.census()?;
            sent += census.sent;
            kept += census.pending + census.sending;
        }
        let delivered = u64::from(self.ledger.accounts().delivered);
        ensure!(sent + kept == u64::from(messages), "of {messages} messages {sent} are sent and {kept} kept");
        let being_booked = u64::from(self.params.clients);
        ensure!(
            (sent..=sent + being_booked).contains(&delivered),
            "the logs say {delivered} messages are delivered, the outboxes {sent}"
        );
        Ok(())
    }

    fn say(&self, what: &str) {
        let at = seconds(self.clock.ns().saturating_sub(self.zero));
        eprintln!("{:>10} {at:5.1} s  * {what}", self.kind.name());
    }

    /// A line for each second that is over.
    fn tell(&mut self, now: u64) {
        let second = (now.saturating_sub(self.zero) / 1_000_000_000) as u32;
        if second <= self.told {
            return;
        }
        self.told = second;
        let sum = self.ledger.record().sum(&ALL, f64::from(second - 1), f64::from(second));
        eprintln!(
            "{:>10} {:5.1} s    {:>4} calls came   {:>4} requests sent   {:>4} answered well",
            self.kind.name(),
            f64::from(second),
            sum.arrived,
            sum.sends,
            sum.answers,
        );
    }
}
