//! `storm lab` as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn lab(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_storm")).arg("lab").args(arguments).current_dir(directory).output().unwrap()
}

#[test]
fn the_same_seeds_give_the_same_file_to_the_byte() {
    let directory = tempfile::tempdir().unwrap();
    let run = |file: &str, seed: &str| {
        let output = lab(
            directory.path(),
            &[
                "s2",
                "--load",
                "0.8",
                "--after",
                "20s",
                "--seeds",
                "2",
                "--first-seed",
                seed,
                "--json",
                file,
                "--policy",
                "backoff,reference,default",
            ],
        );
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(directory.path().join(file)).unwrap()
    };
    let first = run("one.json", "1");
    assert_eq!(first, run("two.json", "1"));
    assert_ne!(first, run("three.json", "3"));

    let figures: Value = serde_json::from_slice(&first).unwrap();
    let results = figures["results"].as_array().unwrap();
    let of = |policy: &str| {
        let is_dip = |result: &&Value| result["title"] == "dip of 10 s at 75 %";
        results.iter().filter(is_dip).find(|result| result["policy"] == policy).unwrap()
    };
    assert_eq!(of("backoff")["scenario"], "s2");
    assert_eq!(of("backoff")["seeds"], 2);
    assert_eq!(of("backoff")["params"]["load"], 0.8);
    assert_eq!(of("backoff")["metrics"]["recovery_s"], Value::Null, "never");
    assert!(of("reference")["metrics"]["goodput"].as_f64().unwrap() > 0.95);
    assert!(of("backoff")["metrics"].get("drain_ratio").is_none(), "what has no meaning is absent");
}

#[test]
fn what_cannot_be_written_is_said_before_the_runs() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "old").unwrap();
    for option in ["--json", "--html"] {
        let output = lab(directory.path(), &["all", "--seeds", "1000", option, "file/below"]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(option) && said.contains("cannot be written"), "{said}");
    }
}
