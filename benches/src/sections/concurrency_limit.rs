//! A bound on the calls in flight: a place taken and given back, and refused.

use std::time::Duration;

use seawall::{ConcurrencyLimit, Instant, LimitConfig, Outcome};
use tokio::sync::Semaphore;

use crate::row::{Row, Section};
use crate::sections::floors;

/// Ours, of a usual size.
pub const OURS: &str = "seawall ConcurrencyLimit of 8";

/// Fixed, as all replies are quick and few are in flight: what is measured is the pair, not the learning.
fn limit(places: u32) -> ConcurrencyLimit<64> {
    let lease = Duration::from_secs(86_400);
    ConcurrencyLimit::new(LimitConfig { start: places, lease, ..LimitConfig::DEFAULT }).expect("legal")
}

/// Taken and refused.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![pair(), refuse()]
}

fn pair() -> Section {
    let ours = |name: &str, places: u32| {
        Row::ours(
            name,
            limit(places),
            |_, _| (),
            |limit, (), now| {
                let now = now.tick();
                limit.try_attempt(now).is_ok_and(|permit| limit.finish(permit, Outcome::Success, now).is_none())
            },
        )
    };
    let rows = vec![
        floors::two_fetch_adds(),
        ours("ConcurrencyLimit of 8", 8),
        ours("ConcurrencyLimit of 64", 64),
        Row::peer(
            "tokio Semaphore",
            "no latency, no lease: a lost permit is lost",
            Semaphore::new(16),
            |_, _| (),
            |semaphore, (), _| semaphore.try_acquire().is_ok(),
        ),
    ];
    Section {
        name: "in flight, a pair",
        call: "a place is taken, and given back with the outcome",
        reference: floors::TWO_FETCH_ADDS,
        rows,
        alone: true,
        together: 2,
    }
}

fn refuse() -> Section {
    let ours = limit(2);
    for _ in 0..2 {
        let _held = ours.try_attempt(Instant::ORIGIN).expect("two places");
    }
    let rows = vec![
        floors::load_compare(),
        Row::ours("ConcurrencyLimit", ours, |_, _| (), |limit, (), now| limit.try_attempt(now.tick()).is_err()),
        Row::peer(
            "tokio Semaphore",
            "no latency, no lease",
            Semaphore::new(0),
            |_, _| (),
            |semaphore, (), _| semaphore.try_acquire().is_err(),
        ),
    ];
    Section {
        name: "in flight, refused",
        call: "all places are taken",
        reference: floors::LOAD_COMPARE,
        rows,
        alone: true,
        together: 2,
    }
}
