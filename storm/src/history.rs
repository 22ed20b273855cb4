//! What happened in a run, taken in from the logs of all processes.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::ns;
use crate::log::{Ending, Event, State};

/// A live message counts as answered well within this time.
pub(crate) const LIVE_LIMIT: Duration = Duration::from_secs(1);

/// An attempt or a live message: when it began, when it ended, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) ending: Ending,
}

impl Attempt {
    /// Answered well, and in time.
    pub(crate) fn is_good(&self) -> bool {
        self.ending.is_good() && self.ended.saturating_sub(self.began) <= ns(LIVE_LIMIT)
    }

    pub(crate) fn took(&self) -> u64 {
        self.ended.saturating_sub(self.began)
    }
}

/// What happened in a run. All instants are nanoseconds on the shared clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Messages a second that the server was measured to do.
    pub(crate) capacity: f64,
    /// Live messages a second, in the mean.
    pub(crate) live_rate: f64,
    /// From when on the live users write.
    pub(crate) live_since: u64,
    /// When the clients were started: the herd comes back at each.
    pub(crate) starts: Vec<u64>,
    /// When all clients were killed.
    pub(crate) kills: Vec<u64>,
    /// When the last outbox was empty; `None` if the run was cut off before.
    pub(crate) drained: Option<u64>,
    /// The end of the storm: the drain, or where it was cut off.
    pub(crate) storm_end: u64,
    /// Requests at the server, by instant, ascending.
    pub(crate) arrivals: Vec<u64>,
    /// Work that the server did: when it was done, and whether it helped nobody, as the message was stored before or
    /// its caller had hung up.
    pub(crate) served: Vec<(u64, bool)>,
    /// First-time stores at the server.
    pub(crate) stored: Vec<String>,
    /// Attempts that the clients sent, by instant.
    pub(crate) sent: Vec<u64>,
    /// Attempts of the clients that ended (those in flight at a kill never do).
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) live: Vec<Attempt>,
    /// What each client found undelivered at its last start.
    pub(crate) pending_at_start: HashMap<usize, u64>,
    /// Each client's states.
    pub(crate) states: Vec<Vec<State>>,
    /// Messages whose clients answer for them still: accepted into an outbox, with whether the outbox still keeps it.
    pub(crate) outbox: Vec<(String, bool)>,
    pub(crate) dead_lettered: u64,
}

impl History {
    /// Takes in what the server logged.
    pub(crate) fn take_server(&mut self, event: Event) {
        match event {
            Event::Arrived { at, .. } => self.arrivals.push(at),
            Event::Stored { id, .. } => self.stored.push(id),
            Event::Served { at, known, heard } => self.served.push((at, known || !heard)),
            _ => {}
        }
    }

    /// Takes in what the live users logged.
    pub(crate) fn take_live(&mut self, event: Event) {
        if let Event::Live { at, began, ending } = event {
            self.live.push(Attempt { began, ended: at, ending });
        }
    }

    /// Takes in what a client logged; whether it said that its outbox is empty.
    pub(crate) fn take_client(&mut self, client: usize, event: Event) -> Option<u64> {
        match event {
            Event::Started { pending, .. } => {
                self.pending_at_start.insert(client, pending);
            }
            Event::Sent { at } => self.sent.push(at),
            Event::Ended { at, began, ending } => self.attempts.push(Attempt { began, ended: at, ending }),
            Event::State(state) => self.states[client].push(state),
            Event::Drained { at } => return Some(at),
            _ => {}
        }
        None
    }
}
