//! The lab from outside: small storms of the real program, judged by what lies in its files.

#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

fn storm(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storm"));
    command.args(arguments).current_dir(directory).env("TMPDIR", directory).stdin(Stdio::null());
    command
}

fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

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
    for file in ["page.html", "p.svg"] {
        let text = std::fs::read_to_string(directory.path().join(file)).unwrap();
        assert!(text.contains("</svg>") && !text.contains("NaN") && !text.contains("inf"), "{file}");
        assert!(!text.contains("src=") && !text.contains("href="), "{file} needs nothing from elsewhere");
    }
}

/// The processes whose command line names `directory`.
fn processes_about(directory: &Path) -> usize {
    let wanted = directory.to_string_lossy().into_owned();
    let about = |process: std::fs::DirEntry| {
        std::fs::read(process.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&wanted))
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|process| about(process).then_some(())).count()
}

/// A storm whose clients are at work.
fn storm_at_work(directory: &Path) -> Child {
    let mut child = storm(directory, &["unprotected", "--messages", "400", "--calm", "0.2"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("come back online")));
    // Reading on keeps the pipe open: a closed one would end the program for a reason of its own.
    std::thread::spawn(move || lines.for_each(drop));
    // A server, the live users and four clients.
    wait_for_processes(directory, 6);
    child
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// A process just begun has no command line yet, and one just orphaned needs a moment to end.
fn wait_for_processes(directory: &Path, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes_about(directory) != count {
        assert!(Instant::now() < deadline, "{} processes instead of {count}", processes_about(directory));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ctrl_c_ends_every_process_and_removes_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = storm_at_work(directory.path());
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(processes_about(directory.path()), 0);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "a file was left behind");
}

#[test]
fn no_child_outlives_a_killed_orchestrator() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = storm_at_work(directory.path());
    signal(&child, "-KILL");
    child.wait().unwrap();
    wait_for_processes(directory.path(), 0);
}
