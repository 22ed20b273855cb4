//! One run: a server, its capacity, live users, and the clients that come back, are killed, and come back again.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::clock::{SharedClock, ns, seconds};
use crate::history::History;
use crate::log::Tail;
use crate::outbox::Outbox;
use crate::plan::{Behaviour, CUT_TAIL, GUIDE_CAP, Plan, TAIL};
use crate::processes::{Process, go_on};

/// A run in progress.
struct Run<'a> {
    behaviour: Behaviour,
    plan: &'a Plan,
    last_life: &'a dyn Fn(f64) -> Duration,
    directory: &'a Path,
    clock: SharedClock,
    port: u16,
    history: History,
    tails: Vec<(Source, Tail)>,
    fixtures: Vec<Process>,
    clients: Vec<Process>,
    /// Which clients have an empty outbox, and since when.
    drained: Vec<Option<u64>>,
    told: u64,
}

#[derive(Clone, Copy)]
enum Source {
    Server,
    Live,
    Client(usize),
}

const POLL: Duration = Duration::from_millis(20);
const TELL: Duration = Duration::from_secs(1);

/// Runs the storm once, in `directory`, which is new and empty. `last_life` says how long the clients may take after
/// the last restart, for a capacity; it is asked then.
pub(crate) fn run(
    behaviour: Behaviour,
    plan: &Plan,
    directory: &Path,
    last_life: &dyn Fn(f64) -> Duration,
) -> anyhow::Result<History> {
    let clock = SharedClock::starting_now();
    let mut server = Process::start(
        "server",
        &arguments(
            "server",
            clock,
            &directory.join("server.jsonl"),
            &[
                ("--seed", plan.server.seed.to_string()),
                ("--full", plan.server.full.to_string()),
                ("--queue", plan.server.queue.map_or(String::new(), |queue| queue.to_string())),
            ],
        ),
    )?;
    let port = server.first_line()?.parse().context("the server did not name its port")?;

    let mut run = Run {
        behaviour,
        plan,
        last_life,
        directory,
        clock,
        port,
        history: History { live_rate: plan.live_rate, states: vec![Vec::new(); plan.clients], ..History::default() },
        tails: vec![
            (Source::Server, Tail::of(directory.join("server.jsonl"))),
            (Source::Live, Tail::of(directory.join("live.jsonl"))),
        ],
        fixtures: vec![server],
        clients: Vec::new(),
        drained: vec![None; plan.clients],
        told: 0,
    };
    for client in 0..plan.clients {
        run.tails.push((Source::Client(client), Tail::of(directory.join(format!("client-{client}.jsonl")))));
    }
    run.storm()?;
    Ok(run.history)
}

/// The command line of a child; an option with an empty value is left out.
pub(crate) fn arguments(role: &str, clock: SharedClock, log: &Path, options: &[(&str, String)]) -> Vec<String> {
    let mut arguments = vec![
        format!("child-{role}"),
        "--origin".to_owned(),
        clock.origin_ns().to_string(),
        "--log".to_owned(),
        log.to_string_lossy().into_owned(),
    ];
    for (name, value) in options.iter().filter(|(_, value)| !value.is_empty()) {
        arguments.extend([(*name).to_owned(), value.clone()]);
    }
    arguments
}

impl Run<'_> {
    fn storm(&mut self) -> anyhow::Result<()> {
        self.fill_outboxes()?;
        let probe = arguments("probe", self.clock, &self.directory.join("probe.jsonl"), &[("--server", self.server())]);
        self.history.capacity = Process::start("probe", &probe)?.first_line()?.parse()?;
        go_on()?;
        self.say(&format!("the server does {:.0} messages a second", self.history.capacity));

        self.history.live_since = self.clock.ns();
        let live = arguments(
            "live",
            self.clock,
            &self.directory.join("live.jsonl"),
            &[
                ("--server", self.server()),
                ("--rate", self.plan.live_rate.to_string()),
                ("--seed", self.plan.server.seed.wrapping_add(1).to_string()),
            ],
        );
        self.fixtures.push(Process::start("live users", &live)?);
        self.watch(self.clock.ns() + ns(self.plan.calm), |_| false)?;

        for &life in &self.plan.lives {
            self.start_clients()?;
            self.watch(self.clock.ns() + ns(life), |_| false)?;
            self.clients.drain(..).for_each(Process::kill);
            self.history.kills.push(self.clock.ns());
            self.say("SIGKILL to every client");
            self.watch(self.clock.ns() + ns(self.plan.down), |_| false)?;
        }
        self.start_clients()?;
        let all_drained = |run: &Self| run.drained.iter().all(Option::is_some);
        let last_life = self.plan.cut_off.unwrap_or_else(|| (self.last_life)(self.history.capacity));
        self.watch(self.clock.ns() + ns(last_life), all_drained)?;

        if all_drained(self) {
            let drained = self.drained.iter().flatten().max().copied().unwrap_or(0);
            self.history.drained = Some(drained);
            self.history.storm_end = drained;
            self.say("every outbox is empty");
            self.watch(drained + ns(TAIL), |_| false)?;
        } else {
            self.history.storm_end = self.clock.ns();
            self.say(&format!("cut off {:.0} s after the last restart", last_life.as_secs_f64()));
            self.watch(self.clock.ns() + ns(CUT_TAIL), |_| false)?;
        }
        self.clients.clear();
        self.fixtures.clear();
        self.read_logs()?;
        self.history.arrivals.sort_unstable();
        self.take_stock()
    }

    fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn outbox(&self, client: usize) -> std::path::PathBuf {
        self.directory.join(format!("outbox-{client}.db"))
    }

    fn fill_outboxes(&self) -> anyhow::Result<()> {
        for client in 0..self.plan.clients {
            let share = (client..self.plan.messages).step_by(self.plan.clients);
            Outbox::open(&self.outbox(client))?.accept(
                share.map(|number| (format!("message-{number}"), format!("I wrote this offline, no. {number}"))),
            )?;
        }
        Ok(())
    }

    fn start_clients(&mut self) -> anyhow::Result<()> {
        let (connections, guard) = match self.behaviour {
            Behaviour::Unprotected => (self.plan.connections, String::new()),
            Behaviour::Capped => (GUIDE_CAP, String::new()),
            Behaviour::Protected => (self.plan.connections, self.plan.guard_rate.to_string()),
        };
        self.drained.fill(None);
        let again = if self.history.starts.is_empty() { "come back online" } else { "are restarted" };
        self.history.starts.push(self.clock.ns());
        for client in 0..self.plan.clients {
            let log = self.directory.join(format!("client-{client}.jsonl"));
            self.clients.push(Process::start(
                "client",
                &arguments(
                    "client",
                    self.clock,
                    &log,
                    &[
                        ("--server", self.server()),
                        ("--outbox", self.outbox(client).to_string_lossy().into_owned()),
                        ("--connections", connections.to_string()),
                        ("--guard", guard.clone()),
                    ],
                ),
            )?);
        }
        self.say(&format!("{} clients {again}", self.plan.clients));
        Ok(())
    }

    /// Follows the logs until `deadline`, or until `enough`.
    fn watch(&mut self, deadline: u64, enough: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        loop {
            go_on()?;
            self.read_logs()?;
            for process in self.fixtures.iter_mut().chain(&mut self.clients) {
                process.check()?;
            }
            let now = self.clock.ns();
            if now.saturating_sub(self.told) >= ns(TELL) {
                self.told = now;
                self.tell(now);
            }
            if now >= deadline || enough(self) {
                return Ok(());
            }
            std::thread::sleep(POLL.min(Duration::from_nanos(deadline - now)));
        }
    }

    fn read_logs(&mut self) -> anyhow::Result<()> {
        let (history, drained) = (&mut self.history, &mut self.drained);
        for (source, tail) in &mut self.tails {
            tail.read(|event| match *source {
                Source::Server => history.take_server(event),
                Source::Live => history.take_live(event),
                Source::Client(client) => {
                    if let Some(at) = history.take_client(client, event) {
                        drained[client] = Some(at);
                    }
                }
            })
            .context("a log cannot be read")?;
        }
        Ok(())
    }

    /// What the outboxes hold at the end.
    fn take_stock(&mut self) -> anyhow::Result<()> {
        for client in 0..self.plan.clients {
            let outbox = Outbox::open(&self.outbox(client))?;
            self.history.outbox.extend(outbox.ids()?);
            self.history.dead_lettered += outbox.census()?.dead;
        }
        Ok(())
    }

    fn say(&self, what: &str) {
        let at = seconds(self.clock.ns());
        eprintln!("{:>12} {at:5.1} s  * {what}", self.behaviour.name());
    }

    fn tell(&self, now: u64) {
        let since = now.saturating_sub(ns(TELL));
        let arriving = self.history.arrivals.iter().rev().take_while(|&&at| at >= since).count();
        let (mut live, mut good) = (0, 0);
        for message in self.history.live.iter().rev().take_while(|live| live.ended >= since) {
            live += 1;
            good += usize::from(message.is_good());
        }
        let pending = self.plan.messages - self.delivered().min(self.plan.messages);
        eprintln!(
            "{:>12} {:5.1} s    {arriving:>5} requests/s   live users answered {good:>3} of {live:<3}  {pending:>5} pending",
            self.behaviour.name(),
            seconds(now),
        );
    }

    /// Messages that left the outboxes, as the clients said last.
    fn delivered(&self) -> usize {
        let pending: u64 = self
            .history
            .states
            .iter()
            .map(|states| states.last().map_or((self.plan.messages / self.plan.clients) as u64, |state| state.pending))
            .sum();
        self.plan.messages.saturating_sub(pending as usize)
    }
}
