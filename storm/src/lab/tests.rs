//! The scenarios as a gate: the table of `default` to the digit, and that they bite.

use super::engine;
use super::metrics::{self, Metrics};
use super::params::{Cut, Discipline, Disturbance, Params};
use super::policy::Kind;
use super::scenario::{self, Scenario};
use super::study;
use super::table;

const SEEDS: std::ops::Range<u64> = 1..6;

fn params(title: &str) -> Params {
    scenario::all().into_iter().find(|scenario| scenario.title == title).unwrap().params
}

/// The figures of one run.
fn with(title: &str, kind: Kind, seed: u64) -> Metrics {
    let params = params(title);
    metrics::metrics(&params, &engine::run(&params, kind, seed).unwrap())
}

/// Medians.
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

/// Each run by itself, not medians: the published table of four lines, all of it, with every seed.
#[test]
fn immediate_resends_survive_or_not_as_published_in_2022_and_the_default_survives_all() {
    let published = [
        ("dip to 0.45 for 10 s, four resends", true),
        ("dip to 0.40 for 10 s, four resends", false),
        ("dip to 0.40 for 9 s, four resends", true),
        ("the same for 10 s, 30 % less load", true),
    ];
    for (title, survives) in published {
        for seed in SEEDS {
            let recovery = |kind| with(title, kind, seed)["recovery_s"];
            assert_eq!(recovery(Kind::Immediate).is_finite(), survives, "{title}, seed {seed}");
            assert!(recovery(Kind::Default) <= 2.0, "{title}, seed {seed}");
        }
    }
}

#[test]
fn one_retry_never_comes_out_of_the_network_cut_of_2021_and_the_default_does() {
    let (cut, light) = ("network cut, 280 of 300, one retry", "network cut, 140 of 300, one retry");
    for seed in SEEDS {
        let naive = with(cut, Kind::Immediate, seed);
        assert!(naive["recovery_s"].is_infinite() && naive["goodput"] < 0.01, "seed {seed}: {naive:?}");
        assert!(naive["amplification"] > 1.9, "seed {seed}: {naive:?}");
        // As published, it heals under half of the capacity, or where there are no retries, once the backlog is gone.
        assert!(with(light, Kind::Immediate, seed)["recovery_s"].is_finite(), "seed {seed}");
        let none = with(cut, Kind::None, seed);
        assert!(none["recovery_s"].is_finite() && none["recovery_s"] > 60.0, "seed {seed}: {none:?}");
        for title in [cut, light] {
            assert!(with(title, Kind::Default, seed)["recovery_s"] <= 2.0, "{title}, seed {seed}");
        }
    }
}

#[test]
fn workers_that_are_taken_away_and_come_back_are_capacity_like_speed() {
    for server in [Discipline::Fifo, Discipline::Shared] {
        for cut in [Cut::Speed, Cut::Workers] {
            // More than there is all the time; nobody times out.
            let params = Params {
                load: 1.5,
                drop: 0.2,
                disturbance: Disturbance::Slow,
                trigger_s: 30.0,
                after_s: 30.0,
                timeout_s: 300.0,
                server,
                cut,
                ..Params::BASE
            };
            let record = engine::run(&params, Kind::None, 3).unwrap();
            for (from, to, share) in [(10.0, 30.0, 1.0), (31.0, 60.0, 0.2), (61.0, 90.0, 1.0)] {
                let answers = record.sum(&[super::record::Class::Usual], from, to).answers;
                let expected = (to - from) * params.capacity * share;
                let ratio = f64::from(answers) / expected;
                assert!((ratio - 1.0).abs() < 0.07, "{server:?} {cut:?} from {from} s: {ratio}");
            }
        }
    }
    for seed in SEEDS {
        let title = "dip of 10 s at 75 %, in workers";
        assert!(with(title, Kind::Backoff, seed)["recovery_s"].is_infinite(), "it bites");
        assert!(with(title, Kind::Default, seed)["recovery_s"] <= 2.0, "seed {seed}");
    }
}

#[test]
fn the_default_comes_back_at_once_when_replies_have_all_taken_the_time_out() {
    for title in ["every reply at the time-out", "every reply just under the time-out"] {
        for seed in SEEDS {
            let figures = with(title, Kind::Default, seed);
            assert!(figures["recovery_s"] <= 3.0 && figures["trigger_amplification"] < 0.5, "{title}: {figures:?}");
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
