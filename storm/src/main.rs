//! The storm lab: a real retry storm on this machine's loopback, and the same storm flattened by seawall.

mod capacity;
mod client;
mod clock;
mod components;
mod history;
mod http;
mod lab;
mod live;
mod log;
mod measure;
mod message;
mod options;
mod outbox;
mod plan;
mod processes;
mod protection;
mod real;
mod report;
mod run;
mod server;
mod service;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;

use crate::clock::SharedClock;
use crate::history::History;
use crate::log::Log;
use crate::measure::Figures;
use crate::options::{Child, Cli, Role, StormOptions};
use crate::plan::{Behaviour, Schedule};
use crate::processes::Interrupted;

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
        Some(Role::Lab(options)) => lab::run(&options).map(|()| ExitCode::SUCCESS),
        Some(Role::Run(options)) => real::run(&options).map(|()| ExitCode::SUCCESS),
        Some(Role::Alone(options)) => serve_alone(options),
        Some(Role::Server { child, options, service }) => {
            be(child, |clock, log| server::serve_run(options, service, clock, log))
        }
        Some(Role::Probe { child, options }) => be(child, |_, _| capacity::probe(options)),
        Some(Role::Client { child, options }) => be(child, |clock, log| client::run(options, clock, log)),
        Some(Role::Caller { child, options }) => be(child, |clock, log| real::caller::run(options, clock, log)),
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

fn serve_alone(options: server::AloneOptions) -> anyhow::Result<ExitCode> {
    processes::end_on_interrupt()?;
    if options.until_end_of_input {
        processes::die_with_parent();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(server::serve_alone(options))?;
    Ok(ExitCode::SUCCESS)
}

fn storm(behaviours: &[Behaviour], options: &StormOptions) -> anyhow::Result<ExitCode> {
    options.check(behaviours);
    processes::catch_interrupts()?;
    let plan = options.plan();
    let schedule = Schedule::starting_at(Instant::now(), &plan);
    let scratch = tempfile::Builder::new().prefix("seawall-storm-").tempdir()?;
    let mut runs: Vec<(Figures, History)> = Vec::new();
    for (&behaviour, runs_to_come) in behaviours.iter().zip((0..behaviours.len() as u32).rev()) {
        let directory = options.keep.as_deref().unwrap_or(scratch.path()).join(behaviour.name());
        std::fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        let last_life = |capacity| schedule.last_life(behaviour, capacity, runs_to_come, Instant::now());
        let history = run::run(behaviour, &plan, &directory, &last_life)?;
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
    let page = options.page();
    report::write(&page, &report::page(&runs))?;
    println!("  The plots: {}", std::path::absolute(&page)?.display());
    Ok(verdict(&figures))
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
