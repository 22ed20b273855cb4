//! The vectors: what the oracle says to a few lives of limits, and what the product does.

use super::*;
use crate::sequences::{change, reply};
use crate::support::storage::Storage;
use crate::support::vectors::{Step, check};

fn changed(change: Change) -> String {
    change.map_or("ok".into(), |(from, to, reason)| format!("ok from={from} to={to} reason={reason}").replace('-', "_"))
}

fn refused(stepped: bool) -> String {
    format!("refused reason={}", if stepped { "clock_stepped" } else { "not_yet" })
}

fn oracle_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for seed in 0..6 {
        // Half of them take each sign at once.
        let saturated_after = 2 * (seed % 2);
        let config = LimitConfig { start: 1 + 3 * seed, ceiling: 16, saturated_after, ..LimitConfig::DEFAULT };
        lines.push(format!(
            "new start={} floor={} ceiling={} slow_after_ns={} timeout_ns={} slow_factor_ppm={} \
             timeout_factor_ppm={} tolerance_percent={} saturated_after={} lease_ns={} -> ok",
            config.start,
            config.floor,
            config.ceiling,
            config.slow_after.as_nanos(),
            config.timeout.as_nanos(),
            config.slow_factor.as_ppm(),
            config.timeout_factor.as_ppm(),
            config.tolerance_percent,
            config.saturated_after,
            config.lease.as_nanos()
        ));
        let (mut oracle, mut now, mut permits) = (Oracle::new(config), 0, 0);
        // Numbers of no use but to differ (Knuth's constants).
        let mut state = u64::from(seed);
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..120 {
            now += [0, 1, 30_000_000, 120_000_000, 700_000_000][below(5) as usize];
            match below(20) {
                0..11 => {
                    let said = match oracle.attempt(now) {
                        Ok(permit) => {
                            permits = permit + 1;
                            format!("ok permit={permit}")
                        }
                        Err(stepped) => refused(stepped),
                    };
                    lines.push(format!("try_attempt now={now} -> {said}"));
                }
                11..19 if permits > 0 => {
                    let permit = permits.saturating_sub(1 + below(8) as usize);
                    let (outcome, reply) = reply(below(8) as u8);
                    let word = support::vectors::outcome_word(outcome);
                    let said = changed(oracle.finish(permit, reply, now));
                    lines.push(format!("finish permit={permit} outcome={word} now={now} -> {said}"));
                }
                _ => {
                    let limit = below(20) as u32;
                    lines.push(format!("set_limit limit={limit} -> {}", changed(oracle.set_limit(limit))));
                }
            }
            lines.push(format!("in_flight now={now} -> limit={} in_flight={}", oracle.limit(), oracle.in_flight(now)));
        }
    }
    lines
}

fn config_of(step: &Step) -> LimitConfig {
    let duration = |name| Duration::from_nanos(step.number(name));
    let ratio = |name| Ratio::from_ppm(step.number(name) as u32).unwrap();
    LimitConfig {
        start: step.number("start") as u32,
        floor: step.number("floor") as u32,
        ceiling: step.number("ceiling") as u32,
        slow_after: duration("slow_after_ns"),
        timeout: duration("timeout_ns"),
        slow_factor: ratio("slow_factor_ppm"),
        timeout_factor: ratio("timeout_factor_ppm"),
        tolerance_percent: step.number("tolerance_percent") as u32,
        saturated_after: step.number("saturated_after") as u32,
        lease: duration("lease_ns"),
    }
}

/// What the product answers to any step but `new`.
fn answer(product: &ConcurrencyLimitView, permits: &mut Vec<LimitPermit>, step: &Step) -> String {
    let now = || Instant::from_nanos(step.number("now"));
    match step.operation {
        "try_attempt" => match product.try_attempt(now()) {
            Ok(permit) => {
                permits.push(permit);
                format!("ok permit={}", permits.len() - 1)
            }
            Err(error) => refused(error.reason() == Reason::ClockStepped),
        },
        "finish" => {
            let permit = permits[step.number("permit") as usize];
            changed(change(product.finish(permit, step.outcome("outcome"), now())))
        }
        "set_limit" => changed(change(product.set_limit(step.number("limit") as u32))),
        _ => format!("limit={} in_flight={}", product.limit(), product.in_flight(now())),
    }
}

#[test]
fn the_vectors_of_the_oracle_replay() {
    let mut product = limit_of(1);
    let mut permits: Vec<LimitPermit> = Vec::new();
    check("concurrency_limit", &oracle_lines(), |step| {
        if step.operation == "new" {
            (product, permits) = (Limit::new(config_of(step)).unwrap(), Vec::new());
            return "ok".into();
        }
        answer(&product, &mut permits, step)
    });
}

#[test]
fn the_vectors_replay_in_zeroed_storage_whose_size_is_known_when_the_program_runs() {
    for slots in [SLOTS, 61] {
        let bytes = ConcurrencyLimitView::size_for(slots).unwrap();
        let cast = |storage: *mut [u8]| storage as *mut ConcurrencyLimitView;
        // SAFETY: so many bytes hold such a view, and all zero is a value of it.
        let mut product = unsafe { Storage::zeroed(bytes, ConcurrencyLimitView::ALIGNMENT, slots, cast) };
        let mut permits: Vec<LimitPermit> = Vec::new();
        check("concurrency_limit", &oracle_lines(), |step| {
            if step.operation == "new" {
                // Over what the life before left there.
                product.renew(config_of(step)).unwrap();
                permits.clear();
                return "ok".into();
            }
            answer(&product, &mut permits, step)
        });
    }
}
