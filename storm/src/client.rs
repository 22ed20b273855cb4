//! A client process: an outbox, a number of connections, and a protection or none.
//!
//! One loop owns everything: it claims messages in batches, asks the protection for each attempt, sends, and books how
//! it ended. The three runs differ in two values only: how many connections there are, and what the protection is.

use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use seawall::{Clock, Instant};
use tokio::task::JoinSet;

use crate::clock::SharedClock;
use crate::http::{self, Connection, Reply};
use crate::log::{Event, Log, State};
use crate::message;
use crate::outbox::{Message, Outbox};
use crate::protection::{ATTEMPT_LIMIT, Call, Permit, Protection, Verdict};

/// Messages are claimed from the outbox by so many. (The guide's 200.)
const BATCH: usize = 200;
/// How often the state is logged, and the longest that a refused attempt waits before it asks again.
const TICK: Duration = Duration::from_millis(100);

/// What the orchestrator tells a client.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ClientOptions {
    /// The chat server.
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// The SQLite file.
    #[arg(long)]
    pub(crate) outbox: PathBuf,
    /// Attempts in flight at most.
    #[arg(long)]
    pub(crate) connections: usize,
    /// The rate for which the guard is set up; without it there is no guard.
    #[arg(long)]
    pub(crate) guard: Option<f64>,
}

/// A claimed message between two attempts.
struct Waiting {
    message: Message,
    call: Call,
}

/// A failed message and when it may be sent again; the heap gives the earliest first.
struct Later(Instant, u64, Waiting);

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Later {}
impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

/// An attempt that came back.
struct Ended {
    waiting: Waiting,
    permit: Permit,
    began: Instant,
    reply: Reply,
    connection: Option<Connection>,
}

struct Client {
    options: ClientOptions,
    clock: SharedClock,
    log: Log,
    outbox: Outbox,
    protection: Protection,
    /// Claimed, to be sent as soon as the protection lets them.
    ready: VecDeque<Waiting>,
    /// Claimed and failed, to be sent again later.
    later: BinaryHeap<Later>,
    idle: Vec<Connection>,
    out: JoinSet<Ended>,
    /// Messages in the outbox that are not delivered and not dead-lettered.
    pending: u64,
    failures_booked: u64,
}

/// Drains the outbox, then stays (as a chat client would) until it is killed.
pub(crate) async fn run(options: ClientOptions, clock: SharedClock, log: Log) -> anyhow::Result<()> {
    Client::new(options, clock, log)?.drain().await
}

impl Client {
    fn new(options: ClientOptions, clock: SharedClock, log: Log) -> anyhow::Result<Self> {
        let outbox = Outbox::open(&options.outbox).context("the outbox cannot be opened")?;
        outbox.recover()?;
        let pending = outbox.census()?.pending;
        log.write(&Event::Started { at: clock.ns(), pending });
        let protection = match options.guard {
            None => Protection::None,
            Some(rate) => Protection::guard(rate, clock.now())?,
        };
        Ok(Self {
            options,
            clock,
            log,
            outbox,
            protection,
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            idle: Vec::new(),
            out: JoinSet::new(),
            pending,
            failures_booked: 0,
        })
    }

    async fn drain(&mut self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(TICK);
        let mut told = false;
        loop {
            let refused_for = self.send_what_may_go()?;
            if self.pending == 0 && !told {
                self.log.write(&Event::Drained { at: self.clock.ns() });
                told = true;
            }
            let next_retry = self.later.peek().map(|later| later.0.saturating_duration_since(self.clock.now()));
            let wait = [refused_for, next_retry].into_iter().flatten().min().unwrap_or(TICK);
            tokio::select! {
                ended = self.out.join_next(), if !self.out.is_empty() => {
                    // `None` and a panicked attempt cannot be: the set is not empty, and attempts do not panic.
                    self.book(ended.context("no attempt is out")??)?;
                }
                _ = tick.tick() => self.log_state(),
                () = tokio::time::sleep(wait), if wait < TICK => {}
            }
        }
    }

    /// Sends until the connections, the messages or the protection say stop; in the last case, for how long.
    fn send_what_may_go(&mut self) -> anyhow::Result<Option<Duration>> {
        loop {
            let now = self.clock.now();
            while self.later.peek().is_some_and(|later| later.0 <= now) {
                self.ready.extend(self.later.pop().map(|later| later.2));
            }
            if self.ready.is_empty() && self.later.len() + self.out.len() < BATCH {
                let claimed = self.outbox.claim(BATCH)?;
                self.ready.extend(claimed.into_iter().map(|message| {
                    let call = self.protection.begin(message.failures, now);
                    Waiting { message, call }
                }));
            }
            if self.out.len() >= self.options.connections {
                return Ok(None);
            }
            let Some(mut waiting) = self.ready.pop_front() else { return Ok(None) };
            match self.protection.try_attempt(&mut waiting.call, now) {
                Ok(permit) => self.send(waiting, permit, now),
                Err(refused) => {
                    self.ready.push_front(waiting);
                    return Ok(refused.retry_after());
                }
            }
        }
    }

    fn send(&mut self, waiting: Waiting, permit: Permit, began: Instant) {
        self.log.write(&Event::Sent { at: began.as_nanos() });
        let (server, kept) = (self.options.server, self.idle.pop());
        let sent = message::Message { id: waiting.message.id.clone(), text: waiting.message.text.clone() };
        self.out.spawn(async move {
            let (reply, connection) = http::post(server, kept, &sent, ATTEMPT_LIMIT).await;
            Ended { waiting, permit, began, reply, connection }
        });
    }

    fn book(&mut self, ended: Ended) -> anyhow::Result<()> {
        let Ended { mut waiting, permit, began, reply, connection } = ended;
        let now = self.clock.now();
        self.log.write(&Event::Ended { at: now.as_nanos(), began: began.as_nanos(), ending: reply.ending });
        self.idle.extend(connection);
        match self.protection.finish(&mut waiting.call, permit, reply.outcome(), now) {
            Verdict::Done => {
                self.outbox.mark_sent(&waiting.message.id)?;
                self.pending -= 1;
            }
            Verdict::RetryAt(at) => {
                waiting.message.failures += 1;
                self.outbox.note_failures(&waiting.message.id, waiting.message.failures)?;
                self.failures_booked += 1;
                self.later.push(Later(at, self.failures_booked, waiting));
            }
            Verdict::GiveUp => {
                self.outbox.mark_dead(&waiting.message.id)?;
                self.pending -= 1;
            }
        }
        Ok(())
    }

    fn log_state(&self) {
        let now = self.clock.now();
        let allowed = self.protection.allowed(now);
        self.log.write(&Event::State(State {
            at: now.as_nanos(),
            pending: self.pending,
            in_flight: self.out.len() as u64,
            limit: allowed.in_flight,
            rate: allowed.per_second,
            breaker: allowed.breaker,
        }));
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;

    use super::*;
    use crate::outbox::Census;

    /// Answers every request well.
    async fn answer_all(listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
                http_body_util::BodyExt::collect(request.into_body()).await?;
                Ok::<_, hyper::Error>(hyper::Response::new(Empty::<bytes::Bytes>::new()))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    }

    /// In the guide a batch was done when the last of it was, whose backoff may be 300 s long.
    #[test]
    fn one_long_backoff_holds_back_no_other_message() {
        let others = 3 * BATCH;
        for guard in [None, Some(10_000.0)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("outbox.db");
            let mut outbox = Outbox::open(&path).unwrap();
            outbox.accept((0..=others).map(|number| (format!("m-{number}"), "hello".to_owned()))).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let server = listener.local_addr().unwrap();
                tokio::spawn(answer_all(listener));
                let clock = SharedClock::starting_now();
                let options = ClientOptions { server, outbox: path.clone(), connections: 8, guard };
                let log = Log::append_to(&directory.path().join("log")).unwrap();
                let mut client = Client::new(options, clock, log).unwrap();
                // The first message of the first batch failed, and comes back in an hour.
                let message = client.outbox.claim(1).unwrap().remove(0);
                let call = client.protection.begin(1, clock.now());
                let back_at = clock.now().saturating_add(Duration::from_secs(3_600));
                client.later.push(Later(back_at, 0, Waiting { message, call }));

                let drained = Census { pending: 0, sending: 1, sent: others as u64, dead: 0 };
                let wait_for_others = async {
                    while outbox.census().unwrap() != drained {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                };
                tokio::select! {
                    ended = client.drain() => panic!("{ended:?}"),
                    () = wait_for_others => {}
                    () = tokio::time::sleep(Duration::from_secs(60)) => panic!("{:?}", outbox.census()),
                }
            });
        }
    }
}
