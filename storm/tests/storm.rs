//! The lab from outside: small storms of the real program, judged by what lies in its files.

#![cfg(target_os = "linux")]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use support::{events, processes_about, signal, storm, wait_for_processes};

/// How often the server stored each message, from its log.
fn stored(run: &Path) -> HashMap<String, u32> {
    let mut stored = HashMap::new();
    for event in events(&run.join("server.jsonl")).iter().filter(|event| event["event"] == "stored") {
        *stored.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    stored
}

/// Every message's state, from the outboxes.
fn outboxes(run: &Path, clients: usize) -> HashMap<String, String> {
    let mut states = HashMap::new();
    for client in 0..clients {
        let outbox = Connection::open(run.join(format!("outbox-{client}.db"))).unwrap();
        let mut statement = outbox.prepare("SELECT id, state FROM message").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        states.extend(rows.map(Result::unwrap));
    }
    states
}

/// What the clients of a run found undelivered at each start, all together.
fn pending_at_starts(run: &Path, clients: usize) -> Vec<u64> {
    let mut pending = Vec::new();
    for client in 0..clients {
        let log = events(&run.join(format!("client-{client}.jsonl")));
        let started: Vec<&Value> = log.iter().filter(|event| event["event"] == "started").collect();
        pending.resize(pending.len().max(started.len()), 0);
        for (sum, event) in pending.iter_mut().zip(started) {
            *sum += event["pending"].as_u64().unwrap();
        }
    }
    pending
}

#[test]
fn kill_dash_nine_in_mid_drain_loses_nothing_and_stores_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let output = storm(directory.path(), &["protected", "--messages", "240", "--clients", "2", "--calm", "0.5"])
        .args(["--life", "1", "--cut-off", "20", "--guard-rate", "80", "--keep", "kept", "--json", "figures.json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let run = directory.path().join("kept/protected");
    let starts = pending_at_starts(&run, 2);
    assert_eq!(starts.len(), 3, "started, and restarted after each of two kills");
    assert_eq!(starts[0], 240);
    assert!(starts[1] < 240 && starts[2] < starts[1] && starts[2] > 0, "the kills came in mid-drain: {starts:?}");

    let (stored, outboxes) = (stored(&run), outboxes(&run, 2));
    assert_eq!(outboxes.len(), 240);
    for (id, state) in &outboxes {
        assert_eq!(state, "sent", "{id}");
        assert_eq!(stored.get(id), Some(&1), "{id}");
    }

    let figures: Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("figures.json")).unwrap()).unwrap();
    let figures = &figures["runs"][0];
    assert_eq!((&figures["messages"], &figures["delivered"]), (&Value::from(240), &Value::from(240)));
    assert_eq!((&figures["lost"], &figures["duplicated"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(figures["kills"], 2);
    assert!(figures["drain_s"].is_number());
}

#[test]
fn a_storm_that_is_cut_off_loses_nothing_either() {
    let directory = tempfile::tempdir().unwrap();
    let output = storm(directory.path(), &["unprotected", "--messages", "600", "--calm", "0.5", "--life", "0.5"])
        .args(["--cut-off", "2", "--keep", "kept", "--json", "figures.json", "--html", "page.html", "--svg", "p.svg"])
        .output()
        .unwrap();
    // Whether so small a storm bites depends on the machine: only the figures are judged.
    let run = directory.path().join("kept/unprotected");
    let (stored, outboxes) = (stored(&run), outboxes(&run, 4));
    assert_eq!(outboxes.len(), 600, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(stored.values().all(|&times| times == 1));
    for (id, state) in &outboxes {
        assert!(state != "sent" || stored.contains_key(id), "{id} is marked as sent and was not stored");
    }
    let figures: Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("figures.json")).unwrap()).unwrap();
    assert_eq!((&figures["runs"][0]["lost"], &figures["runs"][0]["duplicated"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(figures["runs"][0]["drain_s"], Value::Null);
    let cut_off = figures["runs"][0]["cut_off_s"].as_f64().unwrap();
    assert!((2.0..3.0).contains(&cut_off), "{cut_off}");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("> 2.") && table.contains("when the run was cut off"), "{table}");
    for file in ["page.html", "p.svg"] {
        let text = std::fs::read_to_string(directory.path().join(file)).unwrap();
        assert!(text.contains("</svg>") && !text.contains("NaN") && !text.contains("inf"), "{file}");
        assert!(!text.contains("src=") && !text.contains("href="), "{file} needs nothing from elsewhere");
    }
}

/// Where in a run the storm is interrupted.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The probe measures the server.
    Capacity,
    /// The clients are at work.
    Drain,
    /// The clients are dead: from a SIGKILL to the restart.
    Down,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Capacity, Self::Drain, Self::Down];
}

/// A storm that is in `phase`, for as long as the test needs.
fn storm_in(phase: Phase, directory: &Path) -> Child {
    let mut child = storm(directory, &["unprotected", "--messages", "400", "--calm", "0.2"])
        .args(if matches!(phase, Phase::Down) {
            ["--life", "0.3", "--down", "60"]
        } else {
            ["--life", "60", "--down", "0"]
        })
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (sign, processes) = match phase {
        // The server and the probe.
        Phase::Capacity => (None, 2),
        // The server, the live users and four clients.
        Phase::Drain => (Some("come back online"), 6),
        Phase::Down => (Some("SIGKILL to every client"), 2),
    };
    assert!(sign.is_none_or(|sign| lines.any(|line| line.unwrap().contains(sign))));
    // Reading on keeps the pipe open: a closed one would end the program for a reason of its own.
    std::thread::spawn(move || lines.for_each(drop));
    wait_for_processes(directory, processes);
    child
}

/// Ends by `name` in `phase`, and leaves nothing.
fn ends_without_a_trace(phase: Phase, name: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut child = storm_in(phase, directory.path());
    let begin = Instant::now();
    signal(&child, name);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{name} in {phase:?}");
    // The probe alone would take longer.
    assert!(begin.elapsed() < Duration::from_secs(2), "{name} in {phase:?} took {:?}", begin.elapsed());
    assert_eq!(processes_about(directory.path()), 0, "{name} in {phase:?}");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(left.is_empty(), "{name} in {phase:?} left {left:?}");
}

#[test]
fn ctrl_c_in_any_phase_ends_every_process_and_removes_every_file() {
    Phase::ALL.into_iter().for_each(|phase| ends_without_a_trace(phase, "-INT"));
}

#[test]
fn a_request_to_end_is_as_good_as_ctrl_c() {
    ["-TERM", "-HUP"].into_iter().for_each(|name| ends_without_a_trace(Phase::Drain, name));
}

#[test]
fn no_child_outlives_an_orchestrator_that_is_killed_in_any_phase() {
    for phase in Phase::ALL {
        let directory = tempfile::tempdir().unwrap();
        let mut child = storm_in(phase, directory.path());
        signal(&child, "-KILL");
        child.wait().unwrap();
        wait_for_processes(directory.path(), 0);
    }
}

#[test]
fn what_cannot_be_written_is_said_before_the_storm_and_not_after() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    std::fs::create_dir_all(directory.path().join("kept/capped")).unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["--json", "file/below"], "--json: file/below cannot be written"),
        (&["--html", "kept"], "--html: kept cannot be written"),
        (&["--svg", "/proc/nowhere/p.svg"], "--svg: /proc/nowhere/p.svg cannot be written"),
        (&["--json", "a", "--svg", "a"], "--svg and --json name the same file"),
        (&["capped", "--keep", "kept"], "allowed is a new directory"),
    ];
    for (arguments, said) in cases {
        let begin = Instant::now();
        let output = storm(directory.path(), arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
        assert!(begin.elapsed() < Duration::from_secs(2), "{arguments:?}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "a trace was left");
}
