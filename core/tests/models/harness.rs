//! How a model is run, counted and shown able to fail.
//!
//! "No bound on preemptions" is every schedule up to equivalence, of a loom that is patched: see loom.patch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many times a model may take the processor from a thread that could go on.
#[derive(Clone, Copy)]
pub enum Preemptions {
    /// As often as loom finds reason to.
    Unbounded,
    /// At most so many in one execution.
    AtMost(usize),
}

impl Preemptions {
    /// At most `short`, and `long` where `SEAWALL_LONG_MODELS` is set: for models that take minutes.
    pub fn at_most(short: usize, long: usize) -> Self {
        Self::AtMost(if is_long() { long } else { short })
    }

    /// At most `short`, and any number where `SEAWALL_LONG_MODELS` is set.
    pub fn few(short: usize) -> Self {
        if is_long() { Self::Unbounded } else { Self::AtMost(short) }
    }
}

fn is_long() -> bool {
    std::env::var_os("SEAWALL_LONG_MODELS").is_some()
}

/// Explores `model` and prints how many executions there were.
pub fn check(name: &str, bound: Preemptions, model: impl Fn() + Send + Sync + 'static) {
    let executions = explore(bound, model);
    match bound {
        Preemptions::Unbounded => println!("model {name}: {executions} executions, no bound on preemptions"),
        Preemptions::AtMost(n) => println!("model {name}: {executions} executions, at most {n} preemptions"),
    }
    assert!(executions > 1, "{name} has no concurrency to explore");
}

/// Injects `fault` into the product code and demands that `model` fails.
pub fn must_fail(name: &str, fault: &'static str, bound: Preemptions, model: impl Fn() + Send + Sync + 'static) {
    seawall::faults::inject(Some(fault));
    let executions = Arc::new(AtomicU64::new(0));
    let counted = executions.clone();
    let result = catch_unwind(AssertUnwindSafe(|| {
        builder(bound).check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            model();
        });
    }));
    seawall::faults::inject(None);
    let executions = executions.load(Ordering::Relaxed);
    assert!(result.is_err(), "the model {name} does not notice the fault \"{fault}\" in {executions} executions");
    println!("model {name}: notices \"{fault}\" in execution {executions}");
}

/// Runs `models` with `fault` in the product code, one that does no harm: to explore what the others leave out.
pub fn with_fault(fault: &'static str, models: impl FnOnce()) {
    seawall::faults::inject(Some(fault));
    models();
    seawall::faults::inject(None);
}

fn explore(bound: Preemptions, model: impl Fn() + Send + Sync + 'static) -> u64 {
    let executions = Arc::new(AtomicU64::new(0));
    let counted = executions.clone();
    builder(bound).check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    executions.load(Ordering::Relaxed)
}

fn builder(bound: Preemptions) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    // No bound on time or number: a model that stops early would say "ok" without having looked.
    builder.max_duration = None;
    builder.max_permutations = None;
    builder.max_branches = 10_000;
    builder.preemption_bound = match bound {
        Preemptions::Unbounded => None,
        Preemptions::AtMost(n) => Some(n),
    };
    builder
}
