//! Every row beside every other, and the table of it: what `scripts/bench` runs.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use seawall_benches::conditions::Conditions;
use seawall_benches::crew::{Crew, cores};
use seawall_benches::figures::{Measured, Samples};
use seawall_benches::report::{self, Lines};
use seawall_benches::row::{Batch, Section};
use seawall_benches::{alone, plot, sections};

/// Ours, the floor of the machine and the peers, interleaved in one run.
#[derive(Parser)]
struct Options {
    /// A short look: a tenth of the rounds.
    #[arg(long)]
    quick: bool,
    /// Only the mechanisms of these names: token_bucket, storm, ...
    #[arg(long = "only", value_name = "MECHANISM")]
    only: Vec<String>,
    /// Writes the lines of the table here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the results as a document here.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Draws how threads scale here.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Puts the lines of this file before ours; of the form that --json writes.
    #[arg(long, value_name = "FILE")]
    merge: Vec<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    sections::with_room(move || run(&options))
}

fn run(options: &Options) -> Result<ExitCode> {
    let mut conditions = Conditions::now(options.quick);
    let crew = Crew::start(cores().max(2));
    let mut measured = Vec::new();
    for (mechanism, make) in sections::ALL {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == mechanism) {
            continue;
        }
        for section in make() {
            eprintln!("{mechanism}: {}", section.name);
            measured.push(measure(section, &crew, &mut conditions));
        }
    }
    conditions.end();

    let mut lines = Vec::new();
    for file in &options.merge {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let merged: Lines = serde_json::from_str(&text).with_context(|| format!("no lines in {}", file.display()))?;
        lines.extend(merged.rows);
    }
    lines.extend(report::lines(&measured, &conditions));
    println!("{}", report::table(&lines));
    for line in conditions.lines() {
        println!("{line}");
    }
    let write = |file: &Option<PathBuf>, text: String| match file {
        Some(file) => fs::write(file, text).with_context(|| format!("cannot write {}", file.display())),
        None => Ok(()),
    };
    write(&options.results, report::document(&lines, &measured, &conditions))?;
    write(&options.plot, plot::draw(&measured, &conditions))?;
    let unexplained = report::unexplained(&lines);
    write(&options.json, serde_json::to_string_pretty(&Lines { rows: lines })? + "\n")?;
    for missed in &unexplained {
        eprintln!("missed, and no reason is given in promises.rs: {missed}");
    }
    Ok(if unexplained.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(section: Section, crew: &Crew, conditions: &mut Conditions) -> Measured {
    let (alone_rounds, together_rounds) = if conditions.is_quick { (100, 30) } else { (1_000, 300) };
    let threads = if cores() > 1 { section.together } else { 0 };
    let mut workers: Vec<Vec<Batch>> =
        section.rows.iter().map(|row| (0..threads.max(1)).map(|thread| row.worker(thread)).collect()).collect();
    let mut rows: Vec<Samples> = section
        .rows
        .iter()
        .map(|row| Samples {
            name: row.name.clone(),
            kind: row.kind,
            lacks: row.lacks,
            is_rival: row.is_rival,
            ns: Vec::new(),
            one: Vec::new(),
            all: Vec::new(),
        })
        .collect();
    if section.alone {
        let (ns, away) = alone::measure(&section, &mut workers, alone_rounds);
        conditions.thrown_away += away;
        conditions.kept += alone_rounds;
        for (row, ns) in rows.iter_mut().zip(ns) {
            row.ns = ns;
        }
    }
    if threads > 1 {
        let (rates, away) = crew.measure(&section, workers, together_rounds);
        conditions.thrown_away += away;
        conditions.kept += 2 * together_rounds * rates.iter().filter(|rates| !rates.all.is_empty()).count();
        for (row, rates) in rows.iter_mut().zip(rates) {
            (row.one, row.all) = (rates.one, rates.all);
        }
    }
    let (name, call, reference) = (section.name, section.call, section.reference);
    Measured { name, call, reference, threads: section.together, rows }
}
