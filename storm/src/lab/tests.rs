//! The scenarios as a gate: the table of `default` to the digit, and that they bite.

use super::engine;
use super::metrics::{self, Metrics};
use super::params::{Discipline, Disturbance, Params};
use super::policy::Kind;
use super::scenario::{self, Scenario};
use super::study;
use super::table;

const SEEDS: std::ops::Range<u64> = 1..6;

fn of(title: &str, kind: Kind) -> Metrics {
    let scenario = scenario::all().into_iter().find(|scenario| scenario.title == title).unwrap();
    study::study(&[scenario], &[kind], SEEDS).unwrap().remove(0).metrics
}

/// `SEAWALL_WRITE_VECTORS=1` writes it anew: read the difference before it is committed.
#[test]
fn the_table_of_default_is_the_one_in_the_repository() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab-default.txt");
    let mut scenarios: Vec<Scenario> = scenario::all();
    scenarios.sort_by_key(|scenario| scenario.group);
    let table = table::lines(&study::study(&scenarios, &[Kind::Default], SEEDS).unwrap());
    if std::env::var_os("SEAWALL_WRITE_VECTORS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(path).unwrap());
}

#[test]
fn backoff_alone_never_comes_out_of_a_dip() {
    for title in ["dip of 10 s at 75 %", "dip of 10 s at 90 %", "dip of 30 s at 75 %", "dip of 30 s at 90 %"] {
        for kind in [Kind::Immediate, Kind::Backoff] {
            let metrics = of(title, kind);
            assert_eq!(metrics["recovery_s"], f64::INFINITY, "{title}, {kind:?}");
            assert!(metrics["goodput"] < 0.01, "{title}, {kind:?}");
            assert!(metrics["amplification"] > 3.8, "{title}, {kind:?}");
        }
    }
}

#[test]
fn the_engine_agrees_with_the_published_figures() {
    let within = |value: f64, low: f64, high: f64| assert!((low..=high).contains(&value), "{value}: {low} to {high}");
    // The drain of the backlog, as it is without any retries, and as it is with a budget.
    within(of("dip of 10 s at 75 %", Kind::None)["recovery_s"], 15.0, 21.0);
    within(of("dip of 10 s at 75 %", Kind::Budget)["recovery_s"], 17.0, 23.0);
    within(of("dip of 10 s at 75 %", Kind::Breaker)["recovery_s"], 8.0, 13.0);
    within(of("dip of 10 s at 75 %", Kind::InFlight)["recovery_s"], 0.0, 2.0);
    within(of("dip of 30 s at 75 %", Kind::InFlight)["recovery_s"], 0.0, 1.0);
    for title in ["dip of 10 s at 75 %", "dip of 10 s at 90 %", "dip of 30 s at 75 %", "dip of 30 s at 90 %"] {
        let reference = of(title, Kind::Reference);
        within(reference["recovery_s"], 0.0, 1.0);
        within(reference["goodput"], 0.998, 1.0);
        within(reference["amplification"], 0.73, 0.91);
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let dip = Params { disturbance: Disturbance::Slow, drop: 0.2, trigger_s: 10.0, after_s: 20.0, ..Params::BASE };
    for kind in [Kind::Reference, Kind::Default, Kind::Rate] {
        let figures = |seed| metrics::metrics(&dip, &engine::run(&dip, kind, seed).unwrap());
        assert_eq!(figures(7), figures(7), "{kind:?}");
        assert_ne!(figures(7), figures(8), "{kind:?}");
    }
}

#[test]
fn a_server_serves_its_capacity_and_no_more_in_either_discipline() {
    for server in [Discipline::Fifo, Discipline::Shared] {
        for (load, cancellation) in [(0.5, false), (1.5, false), (1.5, true)] {
            // Nobody times out.
            let params = Params { load, server, cancellation, timeout_s: 300.0, ..Params::BASE };
            let record = engine::run(&params, Kind::None, 3).unwrap();
            let answers = record.sum(&[super::record::Class::Usual], 30.0, 90.0).answers;
            let expected = 60.0 * params.capacity * load.min(1.0);
            assert!((f64::from(answers) / expected - 1.0).abs() < 0.05, "{server:?} {load}: {answers}");
        }
    }
}

/// A service that is offered too much works for nobody, unless it drops what nobody waits for.
#[test]
fn work_that_is_dropped_with_its_caller_leaves_the_capacity_to_others() {
    for server in [Discipline::Fifo, Discipline::Shared] {
        let good = |cancellation| {
            let params = Params { load: 1.5, server, cancellation, ..Params::BASE };
            metrics::metrics(&params, &engine::run(&params, Kind::None, 3).unwrap())["success"]
        };
        assert!(good(false) < 0.1, "{server:?}: {}", good(false));
        assert!(good(true) > 0.4, "{server:?}: {}", good(true));
    }
}
