//! What the figures were measured on and with.

use std::fs::read_to_string;
use std::process::Command;

use serde::Deserialize;

use crate::crew::cores;

/// The machine, the compiler, and how busy it was.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The name of the processor.
    pub processor: String,
    /// How many cores the program may use.
    pub cores: usize,
    /// Which policy sets the frequency, where the system says.
    pub governor: String,
    /// The compiler.
    pub compiler: String,
    /// The kernel.
    pub kernel: String,
    /// The load average of the last minute, before and after.
    pub load: [f64; 2],
    /// Rounds and windows that were kept,
    pub kept: usize,
    /// and those that were thrown away because a thread was taken off its core.
    pub thrown_away: usize,
    /// Whether it was the short look.
    pub is_quick: bool,
}

fn load() -> f64 {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

impl Conditions {
    /// As things are now.
    #[must_use]
    pub fn now(is_quick: bool) -> Self {
        let line = |path: &str| read_to_string(path).map_or_else(|_| "not said".into(), |text| text.trim().to_owned());
        let processor = read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let compiler = Command::new("rustc").arg("-V").output().ok();
        let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Self {
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: cores(),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            compiler: compiler.unwrap_or_else(|| "not said".into()),
            kernel: line("/proc/sys/kernel/osrelease"),
            load: [load(); 2],
            kept: 0,
            thrown_away: 0,
            is_quick,
        }
    }

    /// The end of the run.
    pub fn end(&mut self) {
        self.load[1] = load();
    }

    /// Whether others worked on this machine meanwhile: the build before the run is in the load average too, so what
    /// tells is how often a thread was taken off its core.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.thrown_away * 10 > self.kept
    }

    /// A line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{}, {} cores; the frequency is set by: {}", self.processor, self.cores, self.governor),
            format!("{}; Linux {}", self.compiler, self.kernel),
            "release build: opt-level 3, fat LTO, one codegen unit, no target-cpu, for ours and for the peers".into(),
            format!(
                "load average {:.2} before and {:.2} after; {} rounds and windows kept, {} thrown away because a thread was taken \
                 off its core",
                self.load[0], self.load[1], self.kept, self.thrown_away
            ),
        ];
        if self.is_busy() {
            lines.push(
                "**The machine was busy with other work.** Ratios bear that, but less well than a quiet machine".into(),
            );
        }
        if self.is_quick {
            lines.push("a short look (`--quick`): a tenth of the rounds".into());
        }
        lines
    }
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// The crates that are compared, with what they stand on, as `Cargo.lock` has them.
#[must_use]
pub fn versions() -> Vec<String> {
    const COMPARED: [&str; 21] = [
        "seawall",
        "backon",
        "better-bucket",
        "dashmap",
        "failsafe",
        "fastrand",
        "foldhash",
        "governor",
        "hdrhistogram",
        "histogram",
        "leaky-bucket",
        "parking_lot",
        "prometheus",
        "quanta",
        "ratelimit",
        "recloser",
        "tokio",
        "tower",
        "tower-resilience-circuitbreaker",
        "criterion",
        "portable-atomic",
    ];
    let lock: Lock = toml::from_str(include_str!("../Cargo.lock")).expect("cargo wrote it");
    let named = |package: &&Package| COMPARED.contains(&package.name.as_str());
    lock.package.iter().filter(named).map(|package| format!("{} {}", package.name, package.version)).collect()
}
