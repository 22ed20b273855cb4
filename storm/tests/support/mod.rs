//! What the tests of the real program share.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program, at work in `directory` and nowhere else.
pub(crate) fn storm(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storm"));
    command.args(arguments).current_dir(directory).env("TMPDIR", directory).stdin(Stdio::null());
    command
}

/// The events in a log.
pub(crate) fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The processes whose command line names `directory`.
pub(crate) fn processes_about(directory: &Path) -> usize {
    let wanted = directory.to_string_lossy().into_owned();
    let about = |process: std::fs::DirEntry| {
        std::fs::read(process.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&wanted))
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|process| about(process).then_some(())).count()
}

/// Sends the signal `name`.
pub(crate) fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// A process just begun has no command line yet, and one just orphaned needs a moment to end.
pub(crate) fn wait_for_processes(directory: &Path, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes_about(directory) != count {
        assert!(Instant::now() < deadline, "{} processes instead of {count}", processes_about(directory));
        std::thread::sleep(Duration::from_millis(5));
    }
}
