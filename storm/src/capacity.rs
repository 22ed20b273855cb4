//! The server's capacity, measured: more callers than workers, each sending its next message as soon as it has an
//! answer, for two seconds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::http;
use crate::message::Message;
use crate::service::WORKERS;

/// Until the workers are busy and their service times have mixed.
const SETTLE: Duration = Duration::from_millis(400);
/// How long answers are counted.
const COUNT: Duration = Duration::from_millis(2_000);

/// What the orchestrator tells the probe.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ProbeOptions {
    /// The chat server.
    #[arg(long)]
    pub(crate) server: SocketAddr,
}

/// Prints the answers per second on standard output.
pub(crate) async fn probe(options: ProbeOptions) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..2 * WORKERS {
        callers.spawn(async move {
            let (mut kept, mut counted) = (None, 0u32);
            for number in 0u64.. {
                let message = Message { id: format!("probe-{caller}-{number}"), text: String::new() };
                let (reply, connection) = http::post(options.server, kept, &message, Duration::from_secs(5)).await;
                kept = connection;
                let age = start.elapsed();
                if age >= SETTLE + COUNT {
                    break;
                }
                counted += u32::from(age >= SETTLE && reply.ending.is_good());
                if kept.is_none() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            counted
        });
    }
    let answers: u32 = callers.join_all().await.into_iter().sum();
    println!("{:.1}", f64::from(answers) / COUNT.as_secs_f64());
    Ok(())
}
