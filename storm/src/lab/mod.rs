//! The lab: the storm scenarios in virtual time, on the core as it is.
//!
//! `engine` runs one scenario under one `policy` with one seed; `metrics` makes figures of its `record`. Clock and chance
//! are arguments of the core, so a run of minutes takes milliseconds, and the same seed gives the same run to the digit.

pub(crate) mod engine;
pub(crate) mod metrics;
pub(crate) mod options;
pub(crate) mod page;
pub(crate) mod params;
pub(crate) mod policy;
mod queue;
pub(crate) mod record;
pub(crate) mod scenario;
mod server;
mod study;
pub(crate) mod table;
#[cfg(test)]
mod tests;

pub(crate) use options::{LabOptions, MEASURED};

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

fn nanos(seconds: f64) -> u64 {
    (seconds * SECOND as f64).round() as u64
}

/// What the options ask for.
pub(crate) fn run(options: &LabOptions) -> anyhow::Result<()> {
    options.check();
    let scenarios = options.scenarios();
    let policies = options.policies();
    let results = study::study(&scenarios, &policies, options.seeds())?;
    print!("{}", table::table(&results));
    if let Some(path) = &options.json {
        crate::report::write(path, &table::json(&results)?)?;
    }
    if let Some(path) = &options.html {
        crate::report::write(path, &page::page(&results))?;
        println!("  The plots: {}", std::path::absolute(path)?.display());
    }
    Ok(())
}
