//! `RetryBudget`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};
use seawall::{Clock, RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens};

use crate::clock::{PyManualClock, Timer};
use crate::errors::{exception, no_pickle};
use crate::options::Options;
use crate::part::Part;
use crate::values::{as_share, bad, bad_text, instant, positive_seconds, rate, ratio, seconds};

const MILLIONTHS: f64 = 1e6;
const SETTINGS: &[&str] = &["share", "cap", "initial", "floor", "lifetime"];

/// The settings of a budget that were given, and those of `base` for the others.
pub(crate) fn config(
    of: &str,
    base: RetryBudgetConfig,
    given: Option<&Bound<'_, PyDict>>,
) -> PyResult<RetryBudgetConfig> {
    let options = Options::new(of, given, SETTINGS)?;
    let cap = options.or("cap", base.cap, tokens)?;
    Ok(RetryBudgetConfig {
        share: options.or("share", base.share, ratio)?,
        cap,
        // What is not given gives way to a low cap.
        initial: options.or("initial", base.initial.min(cap), tokens)?,
        floor: options.or("floor", base.floor.min(cap), tokens)?,
        lifetime: options.or("lifetime", base.lifetime, seconds)?,
    })
}

/// An amount of tokens, to the nearest millionth.
fn tokens(name: &str, given: &Bound<'_, PyAny>) -> PyResult<RetryTokens> {
    match given.extract::<f64>() {
        Ok(tokens) if (0.0..=1_000.0).contains(&tokens) => {
            Ok(RetryTokens::from_millionths((tokens * MILLIONTHS).round() as u32))
        }
        _ => Err(bad(name, given, "0 to 1,000 tokens")),
    }
}

/// An amount of tokens as a float.
pub(crate) fn as_tokens(tokens: RetryTokens) -> f64 {
    f64::from(tokens.as_millionths()) / MILLIONTHS
}

/// What a retry costs: a kind of failure, or tokens.
fn cost(given: Option<&Bound<'_, PyAny>>) -> PyResult<RetryCost> {
    const COSTS: &str = "\"error\", \"timeout\", \"hedge\", or 0 to 4,294 tokens";
    let Some(given) = given else { return Ok(RetryCost::Error) };
    if let Ok(kind) = given.cast::<PyString>() {
        return match &*kind.to_cow()? {
            "error" => Ok(RetryCost::Error),
            "timeout" => Ok(RetryCost::Timeout),
            "hedge" => Ok(RetryCost::Hedge),
            _ => Err(bad_text("cost", given, COSTS)),
        };
    }
    match given.extract::<f64>() {
        Ok(tokens) if (0.0..=4_294.0).contains(&tokens) => {
            Ok(RetryCost::Tokens(RetryTokens::from_millionths((tokens * MILLIONTHS).round() as u32)))
        }
        _ => Err(bad("cost", given, COSTS)),
    }
}

/// The share of the traffic that may be retries: back-off defers an overload, a budget ends it.
///
/// Every call that succeeds at its first try earns `share` of a token, every retry takes a token before its back-off
/// starts: 1 after an error, 2 after a time-out (the server may be working at it still). So a healthy service has all its
/// stray failures repaired, and a failing one is sent little more than the calls themselves. It never holds more than `cap`
/// tokens (1,000 at most; 0 means never a retry), begins with `initial`, and what it holds beyond `floor` decays with a
/// mean lifetime of `lifetime` seconds (0.1 and more), so that a good day does not pay for a storm.
///
/// Share one between all strategies that send to the same service: `RetryStrategy(budget=budget)`.
///
/// >>> import seawall
/// >>> budget = seawall.RetryBudget(0.1)
/// >>> budget.try_withdraw(), budget.try_withdraw()
/// (True, False)
/// >>> for _ in range(10):
/// ...     budget.deposit()
/// >>> budget.try_withdraw()
/// True
///
/// Over any span: tokens withdrawn <= tokens at its start + share x first tries that succeeded in it + tokens refunded;
/// exact to a millionth of a token, for any number of threads. Lock-free; a refusal writes nothing.
///
/// Sources: the SRE book's ten per cent rule; Brooker, "Fixing retries with token buckets and circuit breakers" (2022).
#[pyclass(frozen, weakref, module = "seawall", name = "RetryBudget")]
pub(crate) struct PyRetryBudget {
    budget: Part<RetryBudget>,
    timer: Timer,
}

impl PyRetryBudget {
    /// The budget of a whole that has one, on its clock.
    pub(crate) fn of(budget: Part<RetryBudget>, timer: Timer) -> Self {
        Self { budget, timer }
    }

    fn own(config: RetryBudgetConfig, clock: Option<&Bound<'_, PyManualClock>>) -> PyResult<Self> {
        let timer = Timer::of(clock);
        match RetryBudget::new(config, timer.now()) {
            Ok(budget) => Ok(Self { budget: Part::own(budget), timer }),
            Err(error) => Err(PyValueError::new_err(error.message())),
        }
    }

    #[inline]
    pub(crate) fn earn(&self) {
        self.budget.deposit(self.timer.now());
    }

    pub(crate) fn pays(&self, cost: RetryCost) -> bool {
        self.budget.try_withdraw(cost, self.timer.now()).is_ok()
    }

    pub(crate) fn take_back(&self, cost: RetryCost) {
        self.budget.refund(cost, self.timer.now());
    }
}

#[pymethods]
impl PyRetryBudget {
    #[new]
    #[pyo3(
        signature = (share = None, *, clock = None, **settings),
        text_signature = "(share=0.1, *, cap=10, initial=1, floor=1, lifetime=10.0, clock=None)"
    )]
    fn new(
        share: Option<&Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyManualClock>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let mut base = RetryBudgetConfig::DEFAULT;
        if let Some(share) = share {
            base.share = ratio("share", share)?;
        }
        Self::own(config("RetryBudget", base, settings)?, clock)
    }

    /// A budget for a process that expects `rate` calls and gives each `timeout` seconds. With n = rate x timeout, the calls
    /// that can be lost before the first of them is noticed: cap n, but 1 to 10; share 0.12; lifetime sixty time-outs, but
    /// 1 s to an hour; one token to begin with, and one as the floor. Where n is under 2 a time-out is never retried: in a
    /// fleet of such clients those retries would be the storm. Settings by keyword override it.
    #[classmethod]
    #[pyo3(
        signature = (rate, timeout, *, clock = None, **settings),
        text_signature = "($cls, rate, timeout, *, clock=None, **settings)"
    )]
    fn for_rate(
        _cls: &Bound<'_, PyType>,
        rate: &Bound<'_, PyAny>,
        timeout: &Bound<'_, PyAny>,
        clock: Option<&Bound<'_, PyManualClock>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let base = RetryBudgetConfig::from_rate(self::rate("rate", rate)?, positive_seconds("timeout", timeout)?);
        Self::own(config("RetryBudget", base, settings)?, clock)
    }

    /// A call has succeeded at its first try: the budget earns its share. Not for a retry that succeeded, or retries would
    /// pay for retries.
    fn deposit(&self) {
        self.earn();
    }

    /// Takes what a retry costs, "error" (1), "timeout" (2), "hedge" (1) or so many tokens: True; or False and nothing taken.
    /// To be asked before the back-off starts, so that retries that still wait are paid for.
    #[pyo3(signature = (cost = None, /), text_signature = "($self, cost='error', /)")]
    fn try_withdraw(&self, cost: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        Ok(self.pays(self::cost(cost)?))
    }

    /// Gives back what a retry took that was never sent.
    #[pyo3(signature = (cost = None, /), text_signature = "($self, cost='error', /)")]
    fn refund(&self, cost: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.take_back(self::cost(cost)?);
        Ok(())
    }

    /// What `try_withdraw` would meet: None, or the refusal. Takes nothing.
    #[pyo3(signature = (cost = None, /), text_signature = "($self, cost='error', /)")]
    fn peek<'py>(&self, py: Python<'py>, cost: Option<&Bound<'py, PyAny>>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let refused = self.budget.peek(self::cost(cost)?, self.timer.now()).err();
        refused.map(|refused| exception(py, refused)).transpose()
    }

    /// Changes what the next deposits earn; those made stand.
    #[pyo3(signature = (share, /))]
    fn set_share(&self, share: &Bound<'_, PyAny>) -> PyResult<()> {
        self.budget.set_share(ratio("share", share)?);
        Ok(())
    }

    /// Changes the cap while others call. Tokens over a lower one are cut off.
    #[pyo3(signature = (cap, /))]
    fn set_cap(&self, cap: &Bound<'_, PyAny>) -> PyResult<()> {
        self.budget.set_cap(tokens("cap", cap)?).map_err(|error| PyValueError::new_err(error.message()))
    }

    /// Begins anew, with the initial tokens. Share and cap stay.
    fn reset(&self) {
        self.budget.reset(self.timer.now());
    }

    /// Goes on at `new` as it stood at `old`, two readings of its clock: for a clock that was set. The system's never is.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.budget.rebase(instant("old", old)?, instant("new", new)?);
        Ok(())
    }

    /// Tokens that it holds now.
    #[getter]
    fn balance(&self) -> f64 {
        as_tokens(self.budget.balance(self.timer.now()))
    }

    /// What a first try that succeeds earns, in tokens.
    #[getter]
    fn share(&self) -> f64 {
        as_share(self.budget.share())
    }

    /// The most tokens that it ever holds.
    #[getter]
    fn cap(&self) -> f64 {
        as_tokens(self.budget.cap())
    }

    fn __repr__(&self) -> String {
        format!("RetryBudget(share={}, cap={}, balance={})", self.share(), self.cap(), self.balance())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }
}
