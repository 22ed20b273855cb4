//! `Snapshot` and `Counts`: a guard at one moment, as plain values and in words.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use seawall::{Counts, GiveUpReason, OutcomeCounts, Reason, Refused, Snapshot, Stage, WindowSummary};

use crate::errors::exception;
use crate::retry_budget::as_tokens;
use crate::values::{as_per_second, as_seconds, as_share};
use crate::words;

/// A guard at one moment, and what went through it: `guard.snapshot()`. Frozen.
///
/// What was counted is there twice: `recent`, in the guard's `window`, and `total`, since it was made. `as_dict` gives all
/// of it as plain dicts, lists, numbers and texts, for JSON; `explain` says it in sentences.
///
/// >>> import seawall
/// >>> guard = seawall.Guard(20, 1.0, clock=seawall.ManualClock(), seed=1)
/// >>> guard.call(len, "four")
/// 4
/// >>> snapshot = guard.snapshot()
/// >>> snapshot.total.delivered, snapshot.error_rate
/// (1, 0.0)
/// >>> print(snapshot.explain())
/// None of 1 attempt was refused in the last 3.8 s. Now the token bucket refuses: ...
#[pyclass(frozen, module = "seawall", name = "Snapshot")]
pub(crate) struct PySnapshot {
    snapshot: Snapshot,
    waiting: u32,
}

impl PySnapshot {
    pub(crate) const fn new(snapshot: Snapshot, waiting: u32) -> Self {
        Self { snapshot, waiting }
    }

    fn met(&self) -> impl Iterator<Item = Refused> {
        Stage::ALL.into_iter().filter_map(|stage| self.snapshot.refusal(stage))
    }
}

#[pymethods]
impl PySnapshot {
    /// "closed", "open" or "half_open"; of several shards, that of the first that is open, or else half-open.
    #[getter]
    fn state(&self) -> &'static str {
        words::state(self.snapshot.breaker)
    }

    /// The shard whose state that is.
    #[getter]
    fn shard(&self) -> u32 {
        self.snapshot.shard
    }

    /// Why it is in that state: "consecutive_failures", "failure_share", "slow_share", "tripped", "interval_over",
    /// "probes_succeeded", "probes_failed", "forced", "reset" or "clock_stepped"; None where it has always been, or was
    /// changed through `guard.breaker()`.
    #[getter]
    fn state_cause(&self) -> Option<&'static str> {
        self.snapshot.breaker_cause.map(words::cause)
    }

    /// For how many seconds it is in that state; None where the cause is.
    #[getter]
    fn state_for(&self) -> Option<f64> {
        self.snapshot.breaker_for.map(as_seconds)
    }

    /// How many attempts may be in flight.
    #[getter]
    fn limit(&self) -> u32 {
        self.snapshot.limit
    }

    /// How many are.
    #[getter]
    fn in_flight(&self) -> u32 {
        self.snapshot.in_flight
    }

    /// How many wait for leave.
    #[getter]
    fn waiting(&self) -> u32 {
        self.waiting
    }

    /// The rate of the token bucket, per second.
    #[getter]
    fn rate(&self) -> f64 {
        as_per_second(self.snapshot.rate)
    }

    /// The most tokens that it holds.
    #[getter]
    fn burst(&self) -> u32 {
        self.snapshot.burst
    }

    /// The tokens that it holds.
    #[getter]
    fn tokens(&self) -> u32 {
        self.snapshot.tokens
    }

    /// How many retries of errors the budget would pay for.
    #[getter]
    fn budget(&self) -> f64 {
        as_tokens(self.snapshot.budget)
    }

    /// How many seconds of a pause are left that the service asked for; 0.0 without one.
    #[getter]
    fn paused_for(&self) -> f64 {
        self.snapshot.refusal(Stage::Pause).and_then(Refused::retry_after).map_or(0.0, as_seconds)
    }

    /// The rate of each key, per second; None where there are no buckets by key.
    #[getter]
    fn per_key(&self) -> Option<f64> {
        self.snapshot.keyed.map(|keyed| as_per_second(keyed.rate))
    }

    /// How many attempts passed without a limit of their key, as there was no place for it.
    #[getter]
    fn keys_let_through(&self) -> u64 {
        self.snapshot.keyed_let_through
    }

    /// What was counted lately.
    #[getter]
    const fn recent(&self) -> PyCounts {
        PyCounts(self.snapshot.recent)
    }

    /// How many seconds `recent` stands for.
    #[getter]
    fn observed(&self) -> f64 {
        as_seconds(self.snapshot.observed)
    }

    /// What was counted since the guard was made.
    #[getter]
    const fn total(&self) -> PyCounts {
        PyCounts(self.snapshot.total)
    }

    /// The share of the attempts that failed lately; None where none ended.
    #[getter]
    fn error_rate(&self) -> Option<f64> {
        self.snapshot.attempts.error_rate().map(as_share)
    }

    /// Attempts that ended lately, per second.
    #[getter]
    fn throughput(&self) -> f64 {
        as_per_second(self.snapshot.attempts.throughput())
    }

    /// The latency in seconds that half of the attempts kept to lately; None where none ended.
    #[getter]
    fn p50(&self) -> Option<f64> {
        self.snapshot.attempts.p50.map(as_seconds)
    }

    /// The latency that 95 of 100 attempts kept to.
    #[getter]
    fn p95(&self) -> Option<f64> {
        self.snapshot.attempts.p95.map(as_seconds)
    }

    /// The latency that 99 of 100 attempts kept to.
    #[getter]
    fn p99(&self) -> Option<f64> {
        self.snapshot.attempts.p99.map(as_seconds)
    }

    /// The time to delivery in seconds, over all attempts and waits, that half of the delivered calls kept to lately.
    #[getter]
    fn delivery_p50(&self) -> Option<f64> {
        self.snapshot.deliveries.p50.map(as_seconds)
    }

    /// The time to delivery that 95 of 100 delivered calls kept to.
    #[getter]
    fn delivery_p95(&self) -> Option<f64> {
        self.snapshot.deliveries.p95.map(as_seconds)
    }

    /// The time to delivery that 99 of 100 delivered calls kept to.
    #[getter]
    fn delivery_p99(&self) -> Option<f64> {
        self.snapshot.deliveries.p99.map(as_seconds)
    }

    /// The share of all calls that were delivered; None where none began.
    #[getter]
    fn delivered_share(&self) -> Option<f64> {
        self.snapshot.delivered_share().map(as_share)
    }

    /// The refusals that an attempt of one token would meet now, the first one first.
    #[getter]
    fn refusals<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.met().map(|refused| exception(py, refused)).collect()
    }

    /// In words: what was refused lately and by what, what refuses now and until when, which calls were given up and why,
    /// what the stages in shadow would have done, and what was delivered.
    fn explain(&self) -> String {
        let mut room = [0; Snapshot::LONGEST_EXPLANATION];
        self.snapshot.explain_into(&mut room).to_owned()
    }

    /// All of it as plain dicts, lists, numbers and texts: what `json.dumps` takes.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        all.set_item("state", self.state())?;
        all.set_item("shard", self.shard())?;
        all.set_item("state_cause", self.state_cause())?;
        all.set_item("state_for", self.state_for())?;
        all.set_item("limit", self.limit())?;
        all.set_item("in_flight", self.in_flight())?;
        all.set_item("waiting", self.waiting())?;
        all.set_item("rate", self.rate())?;
        all.set_item("burst", self.burst())?;
        all.set_item("tokens", self.tokens())?;
        all.set_item("budget", self.budget())?;
        all.set_item("paused_for", self.paused_for())?;
        all.set_item("per_key", self.per_key())?;
        all.set_item("keys_let_through", self.keys_let_through())?;
        all.set_item("error_rate", self.error_rate())?;
        all.set_item("throughput", self.throughput())?;
        all.set_item("latency", latencies(py, &self.snapshot.attempts)?)?;
        all.set_item("delivery", latencies(py, &self.snapshot.deliveries)?)?;
        all.set_item("delivered_share", self.delivered_share())?;
        all.set_item("observed", self.observed())?;
        all.set_item("recent", self.recent().as_dict(py)?)?;
        all.set_item("total", self.total().as_dict(py)?)?;
        let refusals = PyList::empty(py);
        for refused in self.met() {
            let one = PyDict::new(py);
            one.set_item("stage", words::stage(refused.stage()))?;
            one.set_item("reason", words::reason(refused.reason()))?;
            one.set_item("retry_after", refused.retry_after().map(as_seconds))?;
            refusals.append(one)?;
        }
        all.set_item("refusals", refusals)?;
        Ok(all)
    }

    fn __repr__(&self) -> String {
        let total = &self.snapshot.total;
        format!(
            "<seawall.Snapshot: {}, {} of {} in flight, {} of {} calls delivered>",
            self.state(),
            self.in_flight(),
            self.limit(),
            total.delivered(),
            total.begun()
        )
    }
}

fn latencies<'py>(py: Python<'py>, window: &WindowSummary) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (name, latency) in
        [("mean", window.mean), ("max", window.max), ("p50", window.p50), ("p95", window.p95), ("p99", window.p99)]
    {
        all.set_item(name, latency.map(as_seconds))?;
    }
    Ok(all)
}

fn outcomes<'py>(py: Python<'py>, counts: OutcomeCounts) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    all.set_item("success", counts.success)?;
    all.set_item("failure", counts.failure)?;
    all.set_item("throttled", counts.throttled)?;
    all.set_item("ignored", counts.ignored)?;
    Ok(all)
}

/// What a guard counted, over its window or since it was made. Frozen.
#[pyclass(frozen, module = "seawall", name = "Counts")]
pub(crate) struct PyCounts(Counts);

#[pymethods]
impl PyCounts {
    /// Calls that began.
    #[getter]
    fn begun(&self) -> u64 {
        self.0.begun()
    }

    /// Attempts that were admitted, first ones and retries.
    #[getter]
    fn admitted(&self) -> u64 {
        self.0.admitted()
    }

    /// Admitted attempts of calls of which one had ended before.
    #[getter]
    fn retries(&self) -> u64 {
        self.0.retries()
    }

    /// Admitted attempts that were given back unsent.
    #[getter]
    fn cancelled(&self) -> u64 {
        self.0.cancelled()
    }

    /// Attempts that were refused.
    #[getter]
    fn refused(&self) -> u64 {
        self.0.refused()
    }

    /// Calls that ended with a success.
    #[getter]
    fn delivered(&self) -> u64 {
        self.0.delivered()
    }

    /// Calls that ended with what counts for nothing, as a cancellation.
    #[getter]
    fn ignored(&self) -> u64 {
        self.0.ignored()
    }

    /// Calls that the caller ended, refused or not, without another attempt.
    #[getter]
    fn abandoned(&self) -> u64 {
        self.0.abandoned()
    }

    /// Calls that failed and are not sent again.
    #[getter]
    fn given_up(&self) -> u64 {
        self.0.given_up()
    }

    /// Refused attempts by stage, and by reason: `counts.refused_by["token_bucket"]["not_yet"]`.
    #[getter]
    fn refused_by<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for stage in Stage::ALL {
            let reasons = PyDict::new(py);
            for reason in Reason::ALL {
                reasons.set_item(words::reason(reason), self.0.refused_for(stage, reason))?;
            }
            all.set_item(words::stage(stage), reasons)?;
        }
        Ok(all)
    }

    /// Attempts that were reported, by how they ended.
    #[getter]
    fn outcomes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        outcomes(py, self.0.outcomes())
    }

    /// Calls that failed and are not sent again, by the reason.
    #[getter]
    fn given_up_by<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for reason in GiveUpReason::ALL {
            all.set_item(words::give_up(reason), self.0.given_up_for(reason))?;
        }
        Ok(all)
    }

    /// The confusion matrix of the stages in shadow: how those attempts ended that a stage would have refused, by stage.
    /// Successes are what enforcing it would have cost, failures what it would have spared.
    #[getter]
    fn would_refuse<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for stage in Stage::ALL {
            all.set_item(words::stage(stage), outcomes(py, self.0.would_refuse(stage))?)?;
        }
        Ok(all)
    }

    /// Its other row: how those attempts ended that no stage in shadow would have refused.
    #[getter]
    fn would_pass<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        outcomes(py, self.0.would_pass())
    }

    /// All of it as plain dicts and numbers.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        all.set_item("begun", self.begun())?;
        all.set_item("admitted", self.admitted())?;
        all.set_item("retries", self.retries())?;
        all.set_item("cancelled", self.cancelled())?;
        all.set_item("refused", self.refused())?;
        all.set_item("refused_by", self.refused_by(py)?)?;
        all.set_item("outcomes", self.outcomes(py)?)?;
        all.set_item("would_refuse", self.would_refuse(py)?)?;
        all.set_item("would_pass", self.would_pass(py)?)?;
        all.set_item("delivered", self.delivered())?;
        all.set_item("ignored", self.ignored())?;
        all.set_item("abandoned", self.abandoned())?;
        all.set_item("given_up", self.given_up())?;
        all.set_item("given_up_by", self.given_up_by(py)?)?;
        Ok(all)
    }

    fn __repr__(&self) -> String {
        format!(
            "<seawall.Counts: {} calls begun, {} delivered, {} given up; {} attempts admitted, {} refused>",
            self.begun(),
            self.delivered(),
            self.given_up(),
            self.admitted(),
            self.refused()
        )
    }
}
