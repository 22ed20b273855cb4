//! The command line: what can be asked, what is allowed, and what it all means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::plan::{Behaviour, Plan};
use crate::{capacity, client, lab, live, real, report, server, service};

const ABOUT: &str = "\
See a retry storm on this machine, and see the guard flatten it.

A chat server (a real HTTP process on loopback, ten workers, about 200 messages
a second) serves live users who write now and then. Then four clients come back
from an outage, all at once, with 2000 messages in their outboxes. Twice they
are killed (SIGKILL) in mid-drain and restarted. This is done three times, with
the same server, the same seed, the same messages:

  unprotected  send all you have; what fails is sent again at once
  capped       the same, but at most six attempts in flight a client
  protected    as unprotected, but each attempt asks seawall's guard first

The guard is the only difference. The live users have no retry and no guard in
any run: they are the ones who suffer. No error is thrown by dice; all of them
come from the load. It takes 90 s at most and touches nothing but loopback.

Start with `storm`, then open the page that it names.";

const MEASURED: &str = "\
What is measured (from the logs of all processes, after the fact):
  capacity        answers a second with all workers busy, measured in each run
  peak            most requests that arrive in any 100 ms, times ten
  live users      the share answered well within 1 s; their p95 waiting time
  failed          attempts of clients and live users that failed, or took over 1 s
  sends/message   attempts sent for each message, those of killed clients too
  outboxes empty  from the last restart; ideal: what was pending then, divided by
                  the capacity that the live users leave. `>` is where a run was
                  cut off, so that the whole ends within 90 s
  lost            accepted into an outbox, and neither stored nor kept there
  stored twice    messages that the server stored more than once

The criteria, for each run:
  no burst        peak at most 1.3 x capacity in the 5 s after each (re)start
  stable errors   fewer than 5 % of the attempts failed
  graceful        good answers at 80 % of capacity or more, while messages wait
  recovers        in the 3rd to 5th second after the drain, the live users' p95 is
                  within 25 % of what it was before the storm

Exit status:
  0    no message was lost or stored twice, and the unprotected run, if there was
       one, met a storm. The criteria are shown, and do not change it
  1    a message was lost or stored twice, or the unprotected run met no storm
       (this machine is too slow or too busy to show one), or something broke
  2    an option is wrong; nothing was started
  130  Ctrl-C: every process was ended and every temporary file removed

Examples:
  storm                                 the three runs side by side
  storm components                      each mechanism alone, at once
  storm lab                             every scenario in virtual time
  storm run s2                          a dip on real sockets and in virtual time
  storm --seed 2 --json figures.json    another storm, and its figures
  storm capped --clients 32             the cap that fitted four clients
  storm protected --clients 32          the guard with as many
  storm protected --guard-rate 80       told twice the rate that there is
  storm --queue 60 --full 503           a server that turns away what is too much
  storm server --capacity 50            only the server, for clients of your own";

const ALONE: &str = "`storm --help` says what is measured, and what the criteria and the exit status mean.";

/// See a retry storm on this machine, and see the guard flatten it.
#[derive(Debug, Parser)]
#[command(
    name = "storm",
    version,
    long_about = ABOUT,
    max_term_width = 100,
    after_help = "More, with examples: storm --help",
    after_long_help = MEASURED,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    #[command(flatten)]
    pub(crate) options: StormOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Only the unprotected run: send all, and send again at once what fails.
    ///
    /// Each client sends over all its connections as fast as they allow, and what fails is sent again at once; after
    /// eight attempts a message is given up. The server works on for callers who hung up, and so for nobody.
    #[command(after_help = ALONE)]
    Unprotected(StormOptions),
    /// Only the capped run: six attempts in flight a client.
    ///
    /// A client has at most six attempts in flight, as a careful script would. That fits this
    /// server and four clients, though nobody told it; with `--clients 32` it does not.
    #[command(after_help = ALONE)]
    Capped(StormOptions),
    /// Only the protected run: each attempt passes the guard.
    ///
    /// A client sends as the unprotected one does, but each attempt asks seawall's guard first.
    /// The guard knows the expected rate and the time-out of an attempt, and nothing of the server. It warms up in 7 s
    /// here, from half its rate, as the whole storm lasts twenty; in a service it would take a minute.
    #[command(after_help = ALONE)]
    Protected(StormOptions),
    /// Each mechanism alone, as a lesson of a few lines.
    ///
    /// The clock is moved by hand, so it takes no time and prints the same every time; what is printed is what the
    /// mechanism answered just now.
    Components,
    /// Every storm scenario in virtual time, under every policy.
    ///
    /// Ten clients (or a million) and a service of 200 calls a second, simulated on the core as it is: the same seed
    /// gives the same figures to the digit. Minutes take milliseconds.
    #[command(after_help = "`storm lab --help` says what is measured, and what the figures mean.",
        after_long_help = lab::MEASURED)]
    Lab(lab::LabOptions),
    /// Three of the scenarios on real sockets: beside each run, the same in virtual time.
    ///
    /// A real server with the lab's service times, and a process for each client with the very policy that the lab
    /// runs. The server's capacity is cut while it runs, or a herd of processes is started. It takes 45 s at most for
    /// each scenario and policy, and touches nothing but loopback.
    #[command(after_help = "`storm run --help` says what is measured, and how.", after_long_help = real::MEASURED)]
    Run(real::RunOptions),
    /// Only the chat server, for clients of your own, until Ctrl-C.
    ///
    /// The first line that it prints is its address, 127.0.0.1 and the port. `POST /messages` with {"id": text, "text":
    /// text} stores a message once, however often it is sent; `GET /messages/{id}` reads it; `PUT /speed` with a number
    /// from 0.01 to 1 cuts the capacity. examples/python has clients for it.
    #[command(name = "server", after_help = "Nothing is thrown by dice: what fails, fails by the load.")]
    Alone(server::AloneOptions),
    #[command(name = "child-server", hide = true)]
    Server {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: server::ServerOptions,
        #[command(flatten)]
        service: service::ServiceOptions,
    },
    #[command(name = "child-probe", hide = true)]
    Probe {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: capacity::ProbeOptions,
    },
    #[command(name = "child-client", hide = true)]
    Client {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: client::ClientOptions,
    },
    #[command(name = "child-caller", hide = true)]
    Caller {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: real::caller::CallerOptions,
    },
    #[command(name = "child-live", hide = true)]
    Live {
        #[command(flatten)]
        child: Child,
        #[command(flatten)]
        options: live::LiveOptions,
    },
}

/// What every child process is told.
#[derive(Debug, Args)]
pub(crate) struct Child {
    /// The origin of the shared clock.
    #[arg(long)]
    pub(crate) origin: u64,
    /// The file for its events.
    #[arg(long)]
    pub(crate) log: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct StormOptions {
    /// Write the page with the plots to this file [default: storm/out/storm.html in the repository, else storm.html].
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) html: Option<PathBuf>,
    /// Write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) json: Option<PathBuf>,
    /// Write the picture alone to this file, as SVG.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) svg: Option<PathBuf>,
    /// Keep logs and outboxes in this directory, each run's in one of its own; removed otherwise.
    #[arg(long, value_name = "DIRECTORY", help_heading = "What is written")]
    pub(crate) keep: Option<PathBuf>,
    /// Client processes, each with an outbox of its own: 1 to 32.
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32),
        help_heading = "The storm")]
    pub(crate) clients: u8,
    /// Messages in all outboxes together: 1 to 10000.
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000),
        help_heading = "The storm")]
    pub(crate) messages: u32,
    /// Connections that all clients together may have at once: 32 to 900. The capped run uses six a client.
    #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = clap::value_parser!(u16).range(32..=900),
        help_heading = "The storm")]
    pub(crate) connections: u16,
    /// Messages a second that the live users write, in the mean: 1 to 150.
    #[arg(long, value_name = "RATE", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=150),
        help_heading = "The storm")]
    pub(crate) live: u16,
    /// Messages a second that the guard of each client is told to expect: 0.1 to 10000. [default: a client's share of
    /// the 190 a second, less what the live users write].
    #[arg(long, value_name = "RATE", value_parser = guard_rate, help_heading = "The storm")]
    pub(crate) guard_rate: Option<f64>,
    #[command(flatten)]
    pub(crate) server: server::ServerOptions,
    /// Live users alone before the clients come, in seconds. For tests.
    #[arg(long, hide = true, default_value_t = 3.0, value_parser = seconds)]
    calm: f64,
    /// From a start to the SIGKILL, in seconds. For tests.
    #[arg(long, hide = true, default_value_t = 2.0, value_parser = seconds)]
    life: f64,
    /// From a SIGKILL to the restart, in seconds. For tests.
    #[arg(long, hide = true, default_value_t = 0.3, value_parser = seconds)]
    down: f64,
    /// The last life is cut off after so many seconds. For tests.
    #[arg(long, hide = true, value_parser = seconds)]
    cut_off: Option<f64>,
}

/// A decimal number within `allowed`.
fn within(text: &str, allowed: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        _ => Err(format!("allowed is a number from {} to {}", allowed.start(), allowed.end())),
    }
}

fn guard_rate(text: &str) -> Result<f64, String> {
    within(text, 0.1..=10_000.0)
}

fn seconds(text: &str) -> Result<f64, String> {
    within(text, 0.0..=600.0)
}

/// What a server with a full queue may answer: who is told anything else does not know that it was the load.
pub(crate) fn full_queue() -> impl TypedValueParser<Value = u16> {
    PossibleValuesParser::new(["429", "503"]).map(|status| if status == "429" { 429 } else { 503 })
}

impl StormOptions {
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            server: self.server.clone(),
            clients: self.clients.into(),
            connections: usize::from(self.connections) / usize::from(self.clients),
            messages: self.messages as usize,
            live_rate: self.live.into(),
            guard_rate: self.guard_rate.unwrap_or((190.0 - f64::from(self.live)).max(10.0) / f64::from(self.clients)),
            calm: Duration::from_secs_f64(self.calm),
            lives: vec![Duration::from_secs_f64(self.life); 2],
            down: Duration::from_secs_f64(self.down),
            cut_off: self.cut_off.map(Duration::from_secs_f64),
        }
    }

    /// Where the page goes: in the repository among what git ignores, elsewhere in the working directory.
    pub(crate) fn page(&self) -> PathBuf {
        let default = if Path::new("storm/src").is_dir() { "storm/out/storm.html" } else { "storm.html" };
        self.html.clone().unwrap_or_else(|| default.into())
    }

    /// Ends the program with status 2 if a file could not be written after the runs: better now than then.
    pub(crate) fn check(&self, behaviours: &[Behaviour]) {
        let page = self.page();
        check_files(&[("--html", Some(&page)), ("--json", self.json.as_ref()), ("--svg", self.svg.as_ref())]);
        if let Some(keep) = &self.keep {
            check_keep(keep, behaviours.iter().map(|behaviour| behaviour.name().into()));
        }
    }
}

/// Ends the program with status 2 if one of the files could not be written, or two are the same.
pub(crate) fn check_files(files: &[(&str, Option<&PathBuf>)]) {
    let files: Vec<(&str, &PathBuf)> = files.iter().filter_map(|(name, path)| Some((*name, (*path)?))).collect();
    for (index, (name, path)) in files.iter().enumerate() {
        if let Err(error) = report::check(path) {
            wrong(&format!("{name}: {} cannot be written: {error}", path.display()));
        }
        // A device like /dev/null takes both.
        let one_file = |earlier: &PathBuf| earlier == *path && (path.is_file() || !path.exists());
        if let Some((other, _)) = files[..index].iter().find(|(_, earlier)| one_file(earlier)) {
            wrong(&format!("{name} and {other} name the same file, {}", path.display()));
        }
    }
}

/// Ends the program with status 2 if `keep` could not be written to, or one of the directories in it is there already.
pub(crate) fn check_keep(keep: &Path, directories: impl Iterator<Item = PathBuf>) {
    if let Err(error) = report::check(&keep.join("new")) {
        wrong(&format!("--keep: {} cannot be written to: {error}", keep.display()));
    }
    for directory in directories.map(|directory| keep.join(directory)) {
        if directory.exists() {
            wrong(&format!("--keep: {} is there already; allowed is a new directory", directory.display()));
        }
    }
}

/// Says what is wrong, as for any other option, and ends with status 2.
pub(crate) fn wrong(what: &str) -> ! {
    Cli::command().error(clap::error::ErrorKind::ValueValidation, what).exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_keeps_to_eighty_columns_where_it_is_laid_out_by_hand() {
        for line in ABOUT.lines().chain(MEASURED.lines()) {
            assert!(line.chars().count() <= 82, "{line}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_what_is_allowed() {
        let cases: [(&[&str], &str); 14] = [
            (&["--clients", "0"], "1..=32"),
            (&["--messages", "0"], "1..=10000"),
            (&["--connections", "1000000000"], "32..=900"),
            (&["--live", "0"], "1..=150"),
            (&["--guard-rate", "0"], "0.1 to 10000"),
            (&["--guard-rate", "nan"], "0.1 to 10000"),
            (&["--guard-rate=-3"], "0.1 to 10000"),
            (&["--queue", "0"], "1..=1000000"),
            (&["--full", "404"], "429, 503"),
            (&["--seed", "x"], "invalid digit"),
            (&["--calm=-1"], "0 to 600"),
            (&["--seed", "1", "protected"], "cannot be used with"),
            (&["server", "--capacity", "0"], "1..=1000"),
            (&["server", "--port", "65536"], "0..=65535"),
        ];
        for (arguments, allowed) in cases {
            let error = Cli::try_parse_from(["storm"].iter().chain(arguments)).unwrap_err().to_string();
            assert!(error.contains(allowed), "{arguments:?}: {error}");
        }
    }
}
