//! `storm run` from outside: small storms on real sockets, judged by what lies in their logs. No test judges how fast
//! this machine is.

#![cfg(target_os = "linux")]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use support::{events, processes_about, signal, storm, wait_for_processes};

/// The record's time begins so long after the clock's origin.
const LEAD_NS: u64 = 2_000_000_000;

fn kept(directory: &Path) -> String {
    directory.join("kept").to_string_lossy().into_owned()
}

/// Runs to its end, and gives the results.
fn results(directory: &Path, arguments: &str) -> Vec<Value> {
    let output = storm(directory, &arguments.split_whitespace().collect::<Vec<_>>())
        .args(["--keep", &kept(directory), "--json", "figures.json", "--html", "page.html"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(processes_about(directory), 0, "a process was left");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(["real", "virtual", "target", "calls came"].iter().all(|word| table.contains(word)), "{table}");
    let page = std::fs::read_to_string(directory.join("page.html")).unwrap();
    assert!(page.contains("</svg>") && !page.contains("NaN") && !page.contains(">inf"), "the page");
    assert!(!page.contains("src=") && !page.contains("href="), "the page needs nothing from elsewhere");
    let figures: Value = serde_json::from_slice(&std::fs::read(directory.join("figures.json")).unwrap()).unwrap();
    figures["results"].as_array().unwrap().clone()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// What the logs say of one call: when it came and how often, how often it was sent, and how it ended, each time that
/// it did.
#[derive(Default)]
struct Fate {
    came: u32,
    came_at: u64,
    sends: u64,
    ends: Vec<String>,
}

/// Every call of every client of a run.
fn fates(run: &Path, clients: usize) -> HashMap<(usize, u64), Fate> {
    let mut fates: HashMap<_, Fate> = HashMap::new();
    for client in 0..clients {
        for event in events(&run.join(format!("client-{client}.jsonl"))) {
            let Some(call) = event["call"].as_u64() else { continue };
            let fate = fates.entry((client, call)).or_default();
            match event["event"].as_str().unwrap() {
                "came" => {
                    fate.came += 1;
                    fate.came_at = number(&event["at"]);
                }
                "sent" => fate.sends += 1,
                end => fate.ends.push(end.to_owned()),
            }
        }
    }
    fates
}

#[test]
fn a_capacity_is_cut_while_the_server_runs_and_every_call_is_accounted_for_once() {
    let directory = tempfile::tempdir().unwrap();
    let results = results(
        directory.path(),
        "run s2 --policy none,default --load 0.4 --drop 0.1 --clients 3 --calm 1s --trigger 2s --after 3s --seed 5",
    );
    assert_eq!(results.len(), 2);
    for (result, policy) in results.iter().zip(["none", "default"]) {
        assert_eq!((&result["scenario"], &result["policy"]), (&Value::from("s2"), &Value::from(policy)));
        let run = directory.path().join("kept").join(format!("s2-{policy}"));

        let fates = fates(&run, 3);
        assert!(fates.values().all(|fate| fate.came == 1 && fate.ends.len() <= 1), "{policy}: once each");
        let counts = |fate: &&Fate| fate.came_at < LEAD_NS + 6_000_000_000;
        assert!(fates.values().filter(counts).all(|fate| fate.ends.len() == 1), "{policy}: what counts is over");
        let count = |end: &str, was_sent: bool| {
            let is = |fate: &&Fate| fate.ends.first().is_some_and(|it| it == end) && (fate.sends > 0) == was_sent;
            fates.values().filter(is).count() as u64
        };
        let accounts = &result["accounts"];
        let of = |name: &str| number(&accounts[name]);
        assert_eq!(of("came"), fates.len() as u64);
        assert_eq!(of("answered"), count("answered", true));
        assert_eq!((of("failed"), of("shed")), (count("failed", true), count("failed", false)));
        assert_eq!(of("came"), of("answered") + of("failed") + of("shed") + of("open"));
        assert_eq!(of("sends"), fates.values().map(|fate| fate.sends).sum::<u64>());
        assert!(of("answered") > 0 && of("sends") >= of("answered"), "{accounts}");
        if policy == "none" {
            assert!(fates.values().all(|fate| fate.sends == 1), "without a policy each call is sent once");
        }

        let log = events(&run.join("server.jsonl"));
        let speeds: Vec<_> = log.iter().filter(|event| event["event"] == "speed").collect();
        let [cut, back] = speeds[..] else { panic!("{speeds:?}") };
        assert_eq!((&cut["speed"], &back["speed"]), (&Value::from(0.1), &Value::from(1.0)));
        let times = number(&cut["at"])..number(&back["at"]);
        assert!(times.start >= LEAD_NS + 1_000_000_000 && times.end - times.start >= 1_900_000_000, "{times:?}");
        let during = |name: &str| {
            let is = |event: &&Value| event["event"] == name && times.contains(&number(&event["at"]));
            log.iter().filter(is).count()
        };
        let all = |name: &str| log.iter().filter(|event| event["event"] == name).count() as u64;
        assert!(of("sends") >= all("arrived") && all("served") >= of("answered"), "{policy}");
        if policy == "none" {
            assert!(during("served") < during("arrived"), "the server was slowed while it ran");
        }

        let metrics = |world: &str| result[world].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(metrics("real"), metrics("virtual"), "the same figures of both");
        assert!(metrics("real").contains(&"recovery_s".to_owned()));
        assert_eq!(result["params"]["calm_s"], 1.0);
    }
}

#[test]
fn a_herd_is_started_cold_at_the_trigger_and_delivers_every_message() {
    let directory = tempfile::tempdir().unwrap();
    let results = results(
        directory.path(),
        "run s1 --policy default --messages 60 --clients 2 --load 0.1 --calm 1s --trigger 3s --after 3s",
    );
    let [result] = &results[..] else { panic!("{results:?}") };
    assert_eq!(number(&result["accounts"]["delivered"]), 60);
    assert!(result["real"]["drain_ratio"].is_number(), "it has drained");
    let run = directory.path().join("kept/s1-default");
    let mut stored: HashMap<String, u32> = HashMap::new();
    for event in events(&run.join("server.jsonl")).iter().filter(|event| event["event"] == "stored") {
        *stored.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for client in 0..2 {
        let outbox = Connection::open(run.join(format!("outbox-{client}.db"))).unwrap();
        let mut statement = outbox.prepare("SELECT id, state FROM message").unwrap();
        let messages: Vec<(String, String)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        assert_eq!(messages.len(), 30);
        for (id, state) in messages {
            assert_eq!((state.as_str(), stored.get(&id)), ("sent", Some(&1)), "{id}");
        }
        let live = events(&run.join(format!("client-{client}.jsonl")));
        assert!(live.iter().any(|event| event["event"] == "answered"), "the live clients were there before");
        let herd = events(&run.join(format!("client-{}.jsonl", client + 2)));
        assert!(number(&herd[0]["at"]) >= LEAD_NS + 1_000_000_000, "not before the trigger: {}", herd[0]);
        assert_eq!(herd[0]["message"], true);
    }
}

#[test]
fn a_run_that_is_interrupted_or_killed_leaves_no_process() {
    for (name, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = storm(directory.path(), &["run", "s2", "--clients", "4", "--calm", "2min"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("calls came")), "it is at work");
        std::thread::spawn(move || lines.for_each(drop));
        assert_eq!(processes_about(directory.path()), 5, "the server and four clients");
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), code, "{name}");
        wait_for_processes(directory.path(), 0);
        if code.is_some() {
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "a file was left");
        }
    }
}

#[test]
fn what_cannot_be_had_is_said_before_the_runs() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    std::fs::create_dir_all(directory.path().join("kept/s2-default")).unwrap();
    let cases: [(&str, &str); 6] = [
        ("run s2 --json file/below", "--json: file/below cannot be written"),
        ("run s2 --html kept", "--html: kept cannot be written"),
        ("run s2 --json a --html a", "--json and --html name the same file"),
        ("run s2 --keep kept", "allowed is a new directory"),
        ("run s1 --drop 0.3", "--drop means nothing in s1"),
        ("run s2 --messages 10", "--messages means nothing in s2"),
    ];
    for (arguments, said) in cases {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let output = storm(directory.path(), &arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "a trace was left");
}

#[test]
fn a_server_takes_a_speed_that_is_one_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("server.jsonl");
    let mut server = storm(directory.path(), &["child-server", "--origin", "0", "--memoryless", "0.05", "--log"])
        .arg(&log)
        // At the end of its input it would end as well.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    for (body, status) in [("0.5", 200), ("1", 200), ("0", 400), ("1.5", 400), ("-1", 400), ("fast", 400), ("", 400)] {
        let mut stream = TcpStream::connect(("127.0.0.1", port.trim().parse::<u16>().unwrap())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        let request =
            format!("PUT /speed HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((request + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{body:?}: {answer}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let speeds: Vec<_> = events(&log).iter().map(|event| event["speed"].clone()).collect();
    assert_eq!(speeds, [0.5, 1.0]);
}
