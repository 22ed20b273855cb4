//! The live users: people who write now and wait for the answer now.
//!
//! They arrive on a Poisson clock, each sends one message, once, and waits a second at most. They have no outbox, no
//! retry and no guard in any of the three runs: they are the ones who suffer, and the clients' protection is to be the
//! only thing that differs.

use std::net::SocketAddr;
use std::time::Duration;

use seawall::Random;
use tokio::task::JoinSet;

use crate::clock::SharedClock;
use crate::http::{self, Connection};
use crate::log::{Event, Log};
use crate::message::Message;
use crate::protection::ATTEMPT_LIMIT;

/// What the orchestrator tells the live users.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LiveOptions {
    /// The chat server.
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// Messages a second, in the mean.
    #[arg(long)]
    pub(crate) rate: f64,
    /// Seeds the Poisson clock.
    #[arg(long)]
    pub(crate) seed: u64,
}

/// The time to the next arrival of a Poisson clock.
fn gap(random: &mut Random, rate: f64) -> Duration {
    // 53 random bits: uniform over (0, 1], so that the logarithm is finite.
    let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    Duration::from_secs_f64(-uniform.ln() / rate)
}

/// Writes messages until the process is killed.
pub(crate) async fn run(options: LiveOptions, clock: SharedClock, log: Log) -> anyhow::Result<()> {
    let mut random = Random::from_seed(options.seed);
    let mut idle: Vec<Connection> = Vec::new();
    let mut out = JoinSet::new();
    let mut next = tokio::time::Instant::now();
    for number in 0u64.. {
        // The clock of arrivals does not wait for answers: it is the users' and not the server's.
        next += gap(&mut random, options.rate);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => break,
                Some(ended) = out.join_next() => {
                    let (began, reply, connection): (u64, http::Reply, Option<Connection>) = ended?;
                    log.write(&Event::Live { at: clock.ns(), began, ending: reply.ending });
                    idle.extend(connection);
                }
            }
        }
        let (server, kept, began) = (options.server, idle.pop(), clock.ns());
        let message = Message { id: format!("live-{number}"), text: "Are you there?".to_owned() };
        out.spawn(async move {
            let (reply, connection) = http::post(server, kept, &message, ATTEMPT_LIMIT).await;
            (began, reply, connection)
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_keeps_its_rate_and_is_memoryless() {
        let mut random = Random::from_seed(3);
        let gaps: Vec<f64> = (0..20_000).map(|_| gap(&mut random, 50.0).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((mean - 0.02).abs() < 0.001, "mean gap {mean}");
        // P(gap > mean) of an exponential is 1/e.
        let long = gaps.iter().filter(|&&gap| gap > 0.02).count() as f64 / gaps.len() as f64;
        assert!((long - 0.368).abs() < 0.015, "share of long gaps {long}");
    }
}
