//! The chat server: HTTP/1.1, ten workers, one queue.
//!
//! `POST /messages` with `{"id": "…", "text": "…"}` waits in the queue, takes a worker for its service time and is
//! stored under its id; a message known already costs the same work (the unique index says so only at the end) and is
//! answered well again. `GET /messages/{id}` reads it back. `PUT /speed` with a number from 0.01 to 1 slows the work down,
//! or speeds it up again, from the next message on: for `storm run`, which cuts the capacity while the server runs, and for
//! who starts it alone.
//!
//! As in most servers, work goes on when the caller has hung up: what waits in the queue is served, heard or not.
//! That is what keeps a storm alive, so nothing else is needed to make it: no dice, no injected error.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::log::{Event, Log};
use crate::message::Message;
use crate::service::{SPEEDS, Service, ServiceOptions, WORKERS};

/// A body above this is refused: nobody writes chat messages of 64 KiB.
const MOST_BYTES: usize = 64 * 1024;

/// What the command line says about the server.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerOptions {
    /// How many messages may wait for a worker: 1 to 1000000. Without it as many as come, as in most servers.
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "The server")]
    pub(crate) queue: Option<u32>,
    /// What the server answers when its queue is full: 429 with Retry-After: 1, or 503 without.
    #[arg(long, value_name = "STATUS", default_value = "429", value_parser = crate::options::full_queue(),
        help_heading = "The server")]
    pub(crate) full: u16,
    /// Seeds the server's service times and the live users' clock: any number, the same in every run.
    #[arg(long, value_name = "NUMBER", default_value_t = 7, help_heading = "The server")]
    pub(crate) seed: u64,
}

/// What the command line says about a server that stands alone.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AloneOptions {
    /// Messages a second that its ten workers do: 1 to 1000.
    #[arg(long, value_name = "RATE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1_000),
        help_heading = "The server")]
    pub(crate) capacity: u16,
    /// The port on the loopback interface; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0, help_heading = "The server")]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    /// Write what happens to this file, a line of JSON for each event.
    #[arg(long, value_name = "FILE", help_heading = "What is written")]
    pub(crate) log: Option<PathBuf>,
    /// End at the end of standard input too, so that it does not outlive a program that holds the other end.
    #[arg(long, help_heading = "The server")]
    pub(crate) until_end_of_input: bool,
}

/// Serves until the process is ended. Its address goes to standard output as the first line.
pub(crate) async fn serve_alone(options: AloneOptions) -> anyhow::Result<()> {
    let log = match &options.log {
        Some(path) => Log::append_to(path).with_context(|| format!("{} cannot be written", path.display()))?,
        None => Log::NONE,
    };
    let listener = listen(options.port)?;
    println!("{}", listener.local_addr()?);
    let service = ServiceOptions { capacity: Some(options.capacity.into()), ..ServiceOptions::default() };
    serve(listener, options.server, service, SharedClock::starting_now(), log).await
}

struct Job {
    message: Message,
    came: Instant,
    answer: oneshot::Sender<()>,
}

struct Server {
    log: Log,
    clock: SharedClock,
    stored: Mutex<HashMap<String, String>>,
    queue: mpsc::UnboundedSender<Job>,
    /// A place in the queue for each message that may wait; `None` without a bound.
    places: Option<Semaphore>,
    full: StatusCode,
    service: Mutex<Service>,
}

/// Serves until the process is killed, as the child of a run. The port goes to standard output as the first line.
pub(crate) async fn serve_run(
    options: ServerOptions,
    service: ServiceOptions,
    clock: SharedClock,
    log: Log,
) -> anyhow::Result<()> {
    let listener = listen(0)?;
    println!("{}", listener.local_addr()?.port());
    serve(listener, options, service, clock, log).await
}

async fn serve(
    listener: TcpListener,
    options: ServerOptions,
    service: ServiceOptions,
    clock: SharedClock,
    log: Log,
) -> anyhow::Result<()> {
    let (queue, waiting) = mpsc::unbounded_channel();
    let server = Arc::new(Server {
        log,
        clock,
        stored: Mutex::default(),
        queue,
        places: options.queue.map(|places| Semaphore::new(places as usize)),
        full: StatusCode::from_u16(options.full)?,
        service: Mutex::new(Service::new(&service, options.seed)),
    });
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    for _ in 0..WORKERS {
        tokio::spawn(work(Arc::clone(&server), Arc::clone(&waiting)));
    }
    loop {
        let (stream, _): (_, SocketAddr) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of file descriptors, or a caller that left before it was accepted: the next may be luckier.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&server), request));
            // An error here is a caller that hung up in the middle.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// On the loopback interface; the system chooses the port if it is 0.
fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let socket = TcpSocket::new_v4()?;
    // A port that was asked for may have connections of an earlier server that are not forgotten yet.
    socket.set_reuseaddr(port != 0)?;
    socket.bind(address).with_context(|| format!("{address} cannot be listened on"))?;
    // A herd connects all at once: a caller who is not let in at once would try again a second later.
    Ok(socket.listen(4_096)?)
}

async fn work(server: Arc<Server>, waiting: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Job>>>) {
    let mut free_at = Instant::now();
    loop {
        // First come, first served: the lock is fair and so is the channel.
        let Some(job) = waiting.lock().await.recv().await else { return };
        if let Some(places) = &server.places {
            places.add_permits(1);
        }
        // Not now: a timer that fires late would make the worker slower than its service times say.
        free_at = free_at.max(job.came) + server.service.lock().unwrap_or_else(PoisonError::into_inner).next();
        tokio::time::sleep_until(free_at).await;
        let known = server.store(job.message);
        let heard = job.answer.send(()).is_ok();
        server.log.write(&Event::Served { at: server.clock.ns(), known, heard });
    }
}

impl Server {
    /// Whether the message was known.
    fn store(&self, message: Message) -> bool {
        use std::collections::hash_map::Entry;
        match self.stored.lock().unwrap_or_else(PoisonError::into_inner).entry(message.id) {
            Entry::Occupied(_) => true,
            Entry::Vacant(vacant) => {
                self.log.write(&Event::Stored { at: self.clock.ns(), id: vacant.key().clone() });
                vacant.insert(message.text);
                false
            }
        }
    }
}

async fn respond(server: Arc<Server>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::POST, "/messages") => post(&server, request).await,
        (&Method::PUT, "/speed") => put_speed(&server, request).await,
        (&Method::GET, path) => match path.strip_prefix("/messages/") {
            Some(id) => get(&server, id),
            None => answer(StatusCode::NOT_FOUND, r#"{"error":"no such place"}"#),
        },
        _ => answer(StatusCode::METHOD_NOT_ALLOWED, r#"{"error":"POST /messages, GET /messages/{id} or PUT /speed"}"#),
    })
}

async fn post(server: &Server, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), MOST_BYTES).collect().await;
    let Ok(body) = body.map(|body| body.to_bytes()) else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, r#"{"error":"the body is broken or over 64 KiB"}"#);
    };
    let Ok(message) = serde_json::from_slice::<Message>(&body) else {
        return answer(StatusCode::BAD_REQUEST, r#"{"error":"expected {\"id\": text, \"text\": text}"}"#);
    };
    server.log.write(&Event::Arrived { at: server.clock.ns(), id: message.id.clone() });
    if let Some(places) = &server.places {
        match places.try_acquire() {
            Ok(place) => place.forget(),
            Err(_) => {
                server.log.write(&Event::TurnedAway { at: server.clock.ns() });
                let mut refusal = answer(server.full, r#"{"error":"too many are waiting"}"#);
                if server.full == StatusCode::TOO_MANY_REQUESTS {
                    refusal.headers_mut().insert(RETRY_AFTER, const { hyper::header::HeaderValue::from_static("1") });
                }
                return refusal;
            }
        }
    }
    let (sender, done) = oneshot::channel();
    if server.queue.send(Job { message, came: Instant::now(), answer: sender }).is_ok() && done.await.is_ok() {
        answer(StatusCode::OK, r#"{"stored":true}"#)
    } else {
        answer(StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"the server ends"}"#)
    }
}

async fn put_speed(server: &Server, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), MOST_BYTES).collect().await.map(|body| body.to_bytes());
    let speed = body.ok().and_then(|body| serde_json::from_slice::<f64>(&body).ok());
    let Some(speed) = speed.filter(|speed| SPEEDS.contains(speed)) else {
        return answer(StatusCode::BAD_REQUEST, r#"{"error":"expected a number from 0.01 to 1"}"#);
    };
    server.service.lock().unwrap_or_else(PoisonError::into_inner).set_speed(speed);
    server.log.write(&Event::Speed { at: server.clock.ns(), speed });
    answer(StatusCode::OK, serde_json::json!({ "speed": speed }).to_string())
}

fn get(server: &Server, id: &str) -> Response<Full<Bytes>> {
    match server.stored.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
        Some(text) => {
            let message = Message { id: id.to_owned(), text: text.clone() };
            answer(StatusCode::OK, serde_json::to_string(&message).expect("a message is plain data"))
        }
        None => answer(StatusCode::NOT_FOUND, r#"{"error":"no such message"}"#),
    }
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, const { hyper::header::HeaderValue::from_static("application/json") });
    response
}
