//! From the logs of the client processes to the lab's record, so that the lab's own code makes the figures.
//!
//! Every call is accounted for once: one that comes twice, or ends twice, or is sent before it came or after it ended,
//! is an error, and not a figure.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::clock::seconds;
use crate::lab::record::{Class, Record};

/// One line of a client's log. `at` is nanoseconds on the shared clock, `call` a number that the process gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A call came in; a message, when it was sent for the first time.
    Came { at: u64, call: u64, message: bool },
    /// An attempt was sent.
    Sent { at: u64, call: u64 },
    /// The call was answered well, and is over.
    Answered { at: u64, call: u64 },
    /// It is over without a good answer. A message never is.
    Failed { at: u64, call: u64 },
    /// All that counts is over.
    Settled { at: u64 },
}

/// What became of the calls, messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Accounts {
    pub(crate) came: u32,
    pub(crate) answered: u32,
    /// Sent, and not answered well at any attempt.
    pub(crate) failed: u32,
    /// Never sent.
    pub(crate) shed: u32,
    /// Not over when the run was.
    pub(crate) open: u32,
    /// Messages that were delivered.
    pub(crate) delivered: u32,
    /// Requests, those of messages too.
    pub(crate) sends: u32,
}

struct Call {
    /// The slice of the record in which it came.
    came: u32,
    class: Class,
    was_sent: bool,
    is_over: bool,
}

/// Takes in the logs, in any order of the processes.
pub(crate) struct Ledger {
    /// Where the record's time begins.
    zero: u64,
    /// Messages that there are.
    messages: u32,
    record: Record,
    accounts: Accounts,
    calls: HashMap<(u32, u64), Call>,
    settled: usize,
}

impl Ledger {
    pub(crate) fn new(zero: u64, messages: u32) -> Self {
        Self {
            zero,
            messages,
            record: Record::default(),
            accounts: Accounts::default(),
            calls: HashMap::new(),
            settled: 0,
        }
    }

    /// What happened so far.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Processes that have nothing left that counts.
    pub(crate) fn settled(&self) -> usize {
        self.settled
    }

    pub(crate) fn accounts(&self) -> Accounts {
        self.accounts
    }

    /// Takes in what `process` logged next.
    pub(crate) fn take(&mut self, process: u32, event: Event) -> anyhow::Result<()> {
        self.book(process, event).with_context(|| format!("the log of client {process}: {event:?}"))
    }

    fn book(&mut self, process: u32, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Came { at, call, message } => {
                let class = if message { Class::Special } else { Class::Usual };
                let came = self.slice(at);
                let new = Call { came, class, was_sent: false, is_over: false };
                ensure!(self.calls.insert((process, call), new).is_none(), "a call came twice");
                self.record.at(class, came).arrived += 1;
                if !message {
                    self.accounts.came += 1;
                    self.accounts.open += 1;
                }
            }
            Event::Sent { at, call } => {
                let slice = self.slice(at);
                let call = self.open(process, call)?;
                call.was_sent = true;
                let class = call.class;
                self.record.at(class, slice).sends += 1;
                self.accounts.sends += 1;
            }
            Event::Answered { at, call } => {
                let slice = self.slice(at);
                let call = self.open(process, call)?;
                ensure!(call.was_sent, "a call was answered and never sent");
                call.is_over = true;
                let (class, came) = (call.class, call.came);
                self.record.at(class, slice).answers += 1;
                if class == Class::Usual {
                    self.record.at(class, came).good += 1;
                    self.accounts.answered += 1;
                    self.accounts.open -= 1;
                } else {
                    self.accounts.delivered += 1;
                    if self.accounts.delivered == self.messages {
                        self.record.drained_at = Some(seconds(at.saturating_sub(self.zero)));
                    }
                }
            }
            Event::Failed { call, .. } => {
                let call = self.open(process, call)?;
                ensure!(call.class == Class::Usual, "a message was given up");
                call.is_over = true;
                let (was_sent, came) = (call.was_sent, call.came);
                self.accounts.open -= 1;
                if was_sent {
                    self.accounts.failed += 1;
                } else {
                    self.accounts.shed += 1;
                    self.record.at(Class::Usual, came).shed += 1;
                }
            }
            Event::Settled { .. } => self.settled += 1,
        }
        Ok(())
    }

    fn slice(&self, at: u64) -> u32 {
        Record::slice(at.saturating_sub(self.zero))
    }

    fn open(&mut self, process: u32, call: u64) -> anyhow::Result<&mut Call> {
        let call = self.calls.get_mut(&(process, call)).context("a call never came")?;
        ensure!(!call.is_over, "a call is over already");
        Ok(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::metrics;
    use crate::lab::params::{Disturbance, Params};

    const SECOND: u64 = 1_000_000_000;
    const ZERO: u64 = 5 * SECOND;

    /// Seconds of the record, as they stand in a log.
    fn at(seconds: f64) -> u64 {
        ZERO + (seconds * 1e9) as u64
    }

    fn came(at_s: f64, call: u64) -> Event {
        Event::Came { at: at(at_s), call, message: false }
    }

    fn sent(at_s: f64, call: u64) -> Event {
        Event::Sent { at: at(at_s), call }
    }

    fn answered(at_s: f64, call: u64) -> Event {
        Event::Answered { at: at(at_s), call }
    }

    fn failed(at_s: f64, call: u64) -> Event {
        Event::Failed { at: at(at_s), call }
    }

    fn ledger(messages: u32, events: &[(u32, Event)]) -> anyhow::Result<Ledger> {
        let mut ledger = Ledger::new(ZERO, messages);
        events.iter().try_for_each(|&(process, event)| ledger.take(process, event))?;
        Ok(ledger)
    }

    #[test]
    fn a_log_becomes_the_record_that_the_lab_would_have_made_of_it() {
        let ledger = ledger(
            0,
            &[
                // Answered at the second attempt, in another slice.
                (0, came(1.02, 0)),
                (0, sent(1.02, 0)),
                (0, sent(2.15, 0)),
                (0, answered(2.31, 0)),
                // Never sent; the same number of another process is another call.
                (1, came(1.05, 0)),
                (1, failed(1.05, 0)),
                // Sent in vain.
                (1, came(1.07, 1)),
                (1, sent(1.07, 1)),
                (1, failed(2.07, 1)),
                // Not over at the end.
                (0, came(2.25, 1)),
                (0, sent(2.25, 1)),
            ],
        )
        .unwrap();
        let accounts = ledger.accounts();
        let expected = Accounts { came: 4, answered: 1, failed: 1, shed: 1, open: 1, delivered: 0, sends: 4 };
        assert_eq!(accounts, expected);
        let of = |from, to| {
            let slice = ledger.record().sum(&[Class::Usual], from, to);
            [slice.arrived, slice.good, slice.shed, slice.sends, slice.answers]
        };
        assert_eq!(of(0.0, 1.0), [0; 5]);
        assert_eq!(of(1.0, 1.1), [3, 1, 1, 2, 0], "good and shed count where the call came");
        assert_eq!(of(2.1, 2.2), [0, 0, 0, 1, 0]);
        assert_eq!(of(2.2, 2.3), [1, 0, 0, 1, 0]);
        assert_eq!(of(2.3, 2.4), [0, 0, 0, 0, 1], "an answer counts where it was given");
        assert_eq!(of(0.0, 9.0), [4, 1, 1, 4, 1]);
    }

    #[test]
    fn the_figures_are_those_of_the_lab() {
        let params = Params {
            disturbance: Disturbance::Slow,
            drop: 0.2,
            calm_s: 1.0,
            trigger_s: 1.0,
            after_s: 4.0,
            ..Params::BASE
        };
        // One call in each tenth of a second; those of the trigger's second are sent twice, in vain.
        let mut events = Vec::new();
        for call in 0..60 {
            let (from, hit) = (call as f64 / 10.0 + 0.05, (10..20).contains(&call));
            events.extend([(0, came(from, call)), (0, sent(from, call))]);
            events.push((0, if hit { sent(from + 0.01, call) } else { answered(from + 0.01, call) }));
            events.extend(hit.then(|| (0, failed(from + 0.02, call))));
        }
        let ledger = ledger(0, &events).unwrap();
        let metrics = metrics::metrics(&params, ledger.record());
        assert_eq!((metrics["recovery_s"], metrics["goodput"]), (0.0, 1.0));
        assert_eq!((metrics["trigger_amplification"], metrics["amplification"]), (2.0, 60.0 / 50.0));
    }

    #[test]
    fn a_herd_has_drained_with_its_last_message() {
        let message = |at_s, call| Event::Came { at: at(at_s), call, message: true };
        let mut events = vec![
            (10, message(1.0, 0)),
            (10, sent(1.0, 0)),
            (11, message(1.0, 0)),
            (11, sent(1.0, 0)),
            (10, answered(1.5, 0)),
            (11, sent(3.0, 0)),
        ];
        assert_eq!(ledger(2, &events).unwrap().record().drained_at, None);
        events.push((11, answered(3.5, 0)));
        let ledger = ledger(2, &events).unwrap();
        assert_eq!(ledger.record().drained_at, Some(3.5));
        assert_eq!((ledger.accounts().delivered, ledger.accounts().came, ledger.accounts().sends), (2, 0, 3));
        let herd = ledger.record().sum(&[Class::Special], 0.0, 9.0);
        assert_eq!((herd.arrived, herd.sends, herd.answers, herd.good), (2, 3, 2, 0));
    }

    #[test]
    fn a_log_in_which_a_call_does_not_add_up_is_refused() {
        let message = Event::Came { at: at(1.0), call: 0, message: true };
        let cases: [(&[Event], &str); 7] = [
            (&[came(1.0, 0), came(2.0, 0)], "came twice"),
            (&[sent(1.0, 0)], "never came"),
            (&[came(1.0, 0), answered(1.0, 0)], "never sent"),
            (&[came(1.0, 0), failed(1.0, 0), sent(1.0, 0)], "over already"),
            (&[came(1.0, 0), sent(1.0, 0), answered(1.0, 0), answered(1.0, 0)], "over already"),
            (&[came(1.0, 0), sent(1.0, 0), answered(1.0, 0), failed(1.0, 0)], "over already"),
            (&[message, failed(1.0, 0)], "given up"),
        ];
        for (events, said) in cases {
            let events: Vec<_> = events.iter().map(|&event| (3, event)).collect();
            let error = format!("{:#}", ledger(1, &events).err().unwrap());
            assert!(error.contains("client 3") && error.contains(said), "{events:?}: {error}");
        }
    }
}
