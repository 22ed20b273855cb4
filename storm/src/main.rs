//! The storm lab: a real retry storm on this machine's loopback, and the same storm flattened by seawall.

mod capacity;
mod client;
mod clock;
mod components;
mod http;
mod live;
mod log;
mod measure;
mod outbox;
mod processes;
mod protection;
mod report;
mod run;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::clock::SharedClock;
use crate::log::Log;
use crate::measure::{Figures, History};
use crate::processes::Interrupted;
use crate::run::{Behaviour, Plan};

/// See a retry storm, and see it flattened.
///
/// A real HTTP chat server (ten workers, about 200 messages a second) serves
/// live users who write now and then. Clients whose outboxes hold 2000
/// messages come back after an outage, all at once, are killed in mid-drain
/// and restarted, twice. Three runs, same server, same seed, same connections:
///
///   unprotected  send all, and send again what fails: most programs
///   capped       the same, six attempts in flight a client: careful scripts
///   protected    as unprotected, but each attempt passes seawall's guard:
///                the only difference
///
/// The live users have no retry and no guard in any run: they are the ones who
/// suffer. All errors come from the load; none is thrown by dice. The guard
/// warms up in 4 s here, as the whole storm lasts twenty; in a service it
/// would be a minute.
///
/// Worth a try: `storm capped --clients 32` (a cap that fitted four clients),
/// `storm protected --clients 32`, `storm --queue 60 --full 503`.
#[derive(Debug, Parser)]
#[command(name = "storm", version, verbatim_doc_comment, max_term_width = 100, after_help = EXIT)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    options: StormOptions,
}

const EXIT: &str = "Exit status: 0; 1 if a message was lost or stored twice, or if the unprotected run met no storm \
                    (then this machine is too slow or too busy to show one); 2 for a wrong option; 130 after Ctrl-C. \
                    Ctrl-C ends every process and removes every file.";

#[derive(Debug, Subcommand)]
enum Role {
    /// Only the unprotected run.
    Unprotected(StormOptions),
    /// Only the run with six attempts in flight a client.
    Capped(StormOptions),
    /// Only the run behind the guard.
    Protected(StormOptions),
    /// Each mechanism alone, as a lesson of a few lines.
    Components,
    #[command(hide = true)]
    Server {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: server::ServerOptions,
    },
    #[command(hide = true)]
    Probe {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: capacity::ProbeOptions,
    },
    #[command(hide = true)]
    Client {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: client::ClientOptions,
    },
    #[command(hide = true)]
    Live {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: live::LiveOptions,
    },
}

/// What every child process is told.
#[derive(Debug, Args)]
struct Child {
    /// The origin of the shared clock.
    #[arg(long)]
    origin: u64,
    /// The file for its events.
    #[arg(long)]
    log: PathBuf,
}

#[derive(Debug, Args)]
struct StormOptions {
    /// Write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the page with the plots to this file [default: storm/out/storm.html, or storm.html elsewhere].
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the picture alone to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    server: server::ServerOptions,
    /// Client processes, each with an outbox of its own.
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    clients: u8,
    /// Connections that all clients together may have at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = clap::value_parser!(u16).range(32..=900))]
    connections: u16,
    /// Messages in all outboxes together.
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    messages: u32,
    /// Live messages a second, in the mean.
    #[arg(long, value_name = "RATE", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=150))]
    live: u16,
    /// Messages a second that the guard of each client is told to expect. The default is a client's share of what the
    /// live users leave of 190/s. Try twice as much: the guard finds the right rate.
    #[arg(long, value_name = "RATE")]
    guard_rate: Option<f64>,
    /// Live users alone before the clients come, in seconds. For tests.
    #[arg(long, hide = true, default_value_t = 3.0)]
    calm: f64,
    /// From a start to the SIGKILL, in seconds. For tests.
    #[arg(long, hide = true, default_value_t = 2.0)]
    life: f64,
    /// The last life is cut off after so many seconds. For tests.
    #[arg(long, hide = true)]
    cut_off: Option<f64>,
    /// Keep the logs and outboxes in this directory, one of its own for each run.
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

impl StormOptions {
    fn plan(&self) -> Plan {
        Plan {
            server: self.server.clone(),
            clients: self.clients.into(),
            connections: usize::from(self.connections) / usize::from(self.clients),
            messages: self.messages as usize,
            live_rate: self.live.into(),
            guard_rate: self.guard_rate.unwrap_or((190.0 - f64::from(self.live)).max(10.0) / f64::from(self.clients)),
            calm: Duration::from_secs_f64(self.calm),
            lives: vec![Duration::from_secs_f64(self.life); 2],
            down: Duration::from_millis(300),
            cut_off: self.cut_off.map(Duration::from_secs_f64),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.role {
        None => storm(&Behaviour::ALL, &cli.options),
        Some(Role::Unprotected(options)) => storm(&[Behaviour::Unprotected], &options),
        Some(Role::Capped(options)) => storm(&[Behaviour::Capped], &options),
        Some(Role::Protected(options)) => storm(&[Behaviour::Protected], &options),
        Some(Role::Components) => components::lessons().map(|lessons| {
            print!("{lessons}");
            ExitCode::SUCCESS
        }),
        Some(Role::Server { child, options }) => be(child, |clock, log| server::serve(options, clock, log)),
        Some(Role::Probe { child, options }) => be(child, |_, _| capacity::probe(options)),
        Some(Role::Client { child, options }) => be(child, |clock, log| client::run(options, clock, log)),
        Some(Role::Live { child, options }) => be(child, |clock, log| live::run(options, clock, log)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("storm: {error:#}");
        if error.is::<Interrupted>() { ExitCode::from(130) } else { ExitCode::FAILURE }
    })
}

/// The life of a child process.
fn be<F: Future<Output = anyhow::Result<()>>>(
    child: Child,
    role: impl FnOnce(SharedClock, Log) -> F,
) -> anyhow::Result<ExitCode> {
    processes::die_with_parent();
    let log = Log::append_to(&child.log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(role(SharedClock::with_origin(child.origin), log))?;
    Ok(ExitCode::SUCCESS)
}

fn storm(behaviours: &[Behaviour], options: &StormOptions) -> anyhow::Result<ExitCode> {
    processes::catch_interrupts()?;
    let plan = options.plan();
    let scratch = tempfile::Builder::new().prefix("seawall-storm-").tempdir()?;
    let mut runs: Vec<(Figures, History)> = Vec::new();
    for &behaviour in behaviours {
        let within = options.keep.as_deref().unwrap_or(scratch.path());
        let directory = within.join(behaviour.name());
        std::fs::create_dir_all(within)?;
        std::fs::create_dir(&directory).with_context(|| format!("{} is not new", directory.display()))?;
        let history = run::run(behaviour, &plan, &directory)?;
        runs.push((measure::figures(behaviour.name(), &history), history));
        eprintln!();
    }
    let figures: Vec<Figures> = runs.iter().map(|(figures, _)| figures.clone()).collect();
    println!("{}", report::table::table(&figures));
    if let Some(path) = &options.json {
        report::json::write(path, &figures)?;
    }
    if let Some(path) = &options.svg {
        report::write(path, &report::figure(&runs))?;
    }
    let page = options.html.clone().unwrap_or_else(default_page);
    report::write(&page, &report::page(&runs))?;
    println!("  The plots: {}", std::path::absolute(&page)?.display());
    Ok(verdict(&figures))
}

/// In the repository among what git ignores, elsewhere in the working directory.
fn default_page() -> PathBuf {
    if PathBuf::from("storm/src").is_dir() { "storm/out/storm.html".into() } else { "storm.html".into() }
}

fn verdict(runs: &[Figures]) -> ExitCode {
    let mut good = true;
    for run in runs {
        if run.lost + run.duplicated > 0 {
            eprintln!("storm: the {} run lost {} messages and stored {} twice", run.name, run.lost, run.duplicated);
            good = false;
        }
        // With a bounded queue the live users may get through while the clients burn their attempts.
        let hurts = run.live_success < 0.7 || run.dead_lettered * 10 > run.messages;
        let bites = run.peak_rps >= 5.0 * run.capacity_rps && hurts;
        if run.name == Behaviour::Unprotected.name() && !bites {
            eprintln!("storm: the unprotected run met no storm on this machine, so the others prove nothing");
            good = false;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
