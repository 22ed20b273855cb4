//! What happened, as JSON lines: every process appends to a file of its own, the orchestrator reads them all.
//!
//! A line is one `write` to a file opened for appending, with nothing buffered in the process: what was logged
//! before a SIGKILL is in the file after it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How an attempt ended, as its sender saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// Answered well in time.
    Answered,
    /// The server asked to be spared: 429, or 503.
    Refused,
    /// No answer within the attempt's time.
    TimedOut,
    /// Anything else: no connection, a broken one, an unexpected answer.
    Failed,
}

impl Ending {
    pub(crate) fn is_good(self) -> bool {
        self == Self::Answered
    }
}

/// One line of a log. `at` and `began` are nanoseconds on the shared clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Server: a request came in.
    Arrived { at: u64, id: String },
    /// Server: a message was stored for the first time.
    Stored { at: u64, id: String },
    /// Server: work was done. `known`: the message was stored before; `heard`: somebody still waited for the answer.
    Served { at: u64, known: bool, heard: bool },
    /// Server: turned away, as the queue was full.
    TurnedAway { at: u64 },
    /// Server: what is begun from now on is done at so much of full speed.
    Speed { at: u64, speed: f64 },
    /// Client: a process started and found so many messages undelivered in its outbox.
    Started { at: u64, pending: u64 },
    /// Client: an attempt was sent.
    Sent { at: u64 },
    /// Client: an attempt ended.
    Ended { at: u64, began: u64, ending: Ending },
    /// Client: what it holds and what its protection allows, ten times a second.
    State(State),
    /// Client: nothing is left to be sent.
    Drained { at: u64 },
    /// Live users: a message was offered at `began` and this came of it.
    Live { at: u64, began: u64, ending: Ending },
}

/// A client's state at an instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) at: u64,
    /// Messages in the outbox that are neither sent nor dead-lettered.
    pub(crate) pending: u64,
    /// Attempts that are out.
    pub(crate) in_flight: u64,
    /// What the protection allows in flight; `None` without one.
    pub(crate) limit: Option<f64>,
    /// What the protection allows per second; `None` without one.
    pub(crate) rate: Option<f64>,
    /// `closed`, `open` or `half-open`; `None` without a breaker.
    pub(crate) breaker: Option<String>,
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Log(Option<File>);

impl Log {
    /// Nobody reads what is written.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn append_to(path: &Path) -> io::Result<Self> {
        Ok(Self(Some(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    pub(crate) fn write<E: Serialize>(&self, event: &E) {
        let Some(mut file) = self.0.as_ref() else { return };
        let mut line = serde_json::to_vec(event).expect("events are plain data");
        line.push(b'\n');
        // A log that cannot be written (disk full) makes the figures worthless: end this process, the orchestrator
        // sees it.
        file.write_all(&line).expect("the event log cannot be written");
    }
}

/// The reading end: gives the events that came since the last call.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    file: Option<File>,
    torn: Vec<u8>,
}

impl Tail {
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, file: None, torn: Vec::new() }
    }

    /// Feeds every complete new line to `take`; a line not ended yet waits for the next call.
    pub(crate) fn read<E: DeserializeOwned>(&mut self, mut take: impl FnMut(E)) -> io::Result<()> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.read_to_end(&mut self.torn)?;
        let complete = self.torn.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        for line in self.torn[..complete].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            take(serde_json::from_slice(line).map_err(io::Error::from)?);
        }
        self.torn.drain(..complete);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_not_ended_yet_is_read_once_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jsonl");
        let mut tail = Tail::of(path.clone());
        let mut seen: Vec<Event> = Vec::new();
        tail.read(|event| seen.push(event)).unwrap();
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        file.write_all(b"{\"event\":\"drained\",\"at\":1}\n{\"event\":\"dra").unwrap();
        tail.read(|event| seen.push(event)).unwrap();
        assert_eq!(seen, [Event::Drained { at: 1 }]);
        file.write_all(b"ined\",\"at\":2}\n").unwrap();
        tail.read(|event| seen.push(event)).unwrap();
        assert_eq!(seen, [Event::Drained { at: 1 }, Event::Drained { at: 2 }]);
    }
}
