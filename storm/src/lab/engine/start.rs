//! What there is at the beginning of a run: the clients, their policies, and all that is known to come.

use std::collections::VecDeque;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use seawall::Instant;

use super::outbox::Outbox;
use super::{Engine, Group};
use crate::lab::params::{Disturbance, Params};
use crate::lab::policy::{self, Kind, Told};
use crate::lab::queue::{Event, Queue};
use crate::lab::record::{Class, Record};
use crate::lab::server::Server;
use crate::lab::{SECOND, nanos};

/// Over so many clients each policy gets little room.
const MANY: u32 = 10_000;
/// How often a flapping service goes down.
const FLAPS: u32 = 6;

impl<'a> Engine<'a> {
    pub(super) fn new(params: &'a Params, kind: Kind, seed: u64) -> anyhow::Result<Self> {
        let stream = |number: u64| Pcg64Mcg::seed_from_u64(seed.wrapping_mul(8).wrapping_add(number));
        let shards = if params.shards_known { params.shards } else { 1 };
        // One policy for all shards that it tells apart by itself, or one for each.
        let of_each = if kind.tells_shards_apart() { 1 } else { shards };
        let mut policies = Vec::new();
        let mut outboxes = Vec::new();
        let mut seeds = stream(0);
        let mut add = |clients: u32, rate: f64, is_cold: bool, from_s: f64| -> anyhow::Result<()> {
            for _ in 0..clients * of_each {
                let told = Told {
                    rate: rate / f64::from(of_each),
                    shards: shards / of_each,
                    timeout: Duration::from_secs_f64(params.timeout_s),
                    is_cold,
                    attempts: params.attempts,
                    seed: seeds.random(),
                    is_small: clients > MANY,
                };
                policies.push(policy::build(kind, told, Instant::from_nanos(nanos(from_s)))?);
            }
            Ok(())
        };
        let mut undelivered = 0;
        if let Disturbance::Herd(messages) = params.disturbance {
            // The live clients know their rate; what is left for the herd may be told wrongly.
            add(params.clients, params.client_rate(), false, 0.0)?;
            let left = params.capacity * (1.0 - params.load) / f64::from(params.clients);
            add(params.clients, left * params.told, true, params.calm_s)?;
            outboxes = (0..params.clients)
                .map(|client| {
                    let share = (messages + client) / params.clients;
                    Outbox { rounds: std::iter::repeat_n(0, share as usize).collect(), ..Outbox::default() }
                })
                .collect();
            undelivered = messages;
        } else {
            add(params.clients, params.client_rate() * params.told, false, 0.0)?;
        }
        let waiting = policies.iter().map(|_| VecDeque::new()).collect();
        let pokes_at = vec![u64::MAX; policies.len()];
        Ok(Self {
            params,
            now: 0,
            queue: Queue::default(),
            server: Server::new(params, stream(1)),
            policies,
            policies_of_each: of_each,
            waiting,
            queued: 0,
            pokes_at,
            groups: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            outboxes,
            undelivered,
            arrivals: stream(2),
            chance: stream(3),
            is_down: false,
            shard_is_dead: false,
            is_disturbed: false,
            network_back_at: 0,
            timeout_ns: nanos(params.timeout_s),
            delay_ns: nanos(params.delay_s),
            record: Record::default(),
        })
    }

    /// All that is known from the beginning.
    pub(super) fn schedule(&mut self) {
        let params = self.params;
        let gap_ns = SECOND as f64 / (params.client_rate() * f64::from(params.clients));
        let is_noisy = matches!(params.disturbance, Disturbance::Noisy(_));
        let all = Group { first: 0, count: params.clients, gap_ns, class: Class::Usual };
        if is_noisy {
            // The first client is told apart from the others.
            let gap_ns = SECOND as f64 / params.client_rate();
            let others = params.clients - 1;
            self.groups.push(Group {
                first: 1,
                count: others,
                gap_ns: gap_ns / f64::from(others),
                class: Class::Usual,
            });
            self.groups.push(Group { first: 0, count: 1, gap_ns, class: Class::Special });
        } else {
            self.groups.push(all);
        }
        for group in 0..self.groups.len() {
            self.next_arrival(group);
        }
        match params.disturbance {
            Disturbance::None => {}
            Disturbance::Flap => {
                for phase in 0..2 * FLAPS {
                    let at = params.calm_s + f64::from(phase) * params.flap_s;
                    self.queue.at(nanos(at), Event::Phase(phase as usize));
                }
            }
            _ => {
                self.queue.at(nanos(params.calm_s), Event::Phase(0));
                self.queue.at(nanos(params.trigger_end()), Event::Phase(1));
            }
        }
        if params.pause_s > 0.0 {
            self.next_pause();
        }
    }
}
