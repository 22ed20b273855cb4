//! The figures of a run, by the definitions that `storm lab --help` gives.

use std::collections::BTreeMap;

use super::params::{Disturbance, Params};
use super::record::{Class, Record};

/// By name; infinite where it never came about.
pub(crate) type Metrics = BTreeMap<&'static str, f64>;

const ALL: [Class; 2] = [Class::Usual, Class::Special];
/// The window of a recovery, in seconds, and the share of its calls that must be answered well.
const RECOVERY_WINDOW: f64 = 2.0;
const RECOVERED: f64 = 0.95;

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { f64::NAN } else { f64::from(part) / f64::from(whole) }
}

/// The figures of `record`.
pub(crate) fn metrics(params: &Params, record: &Record) -> Metrics {
    let (trigger, end, watched) = (params.calm_s, params.trigger_end(), params.watched());
    let mut metrics = Metrics::new();
    let during = record.sum(&ALL, trigger, end);
    match params.disturbance {
        Disturbance::None => {
            metrics.insert("shed", share(during.shed, during.arrived));
            metrics.insert("success", share(during.good, during.arrived));
            metrics.insert("amplification", share(during.sends, during.arrived));
        }
        Disturbance::Herd(messages) => {
            let live = record.sum(&[Class::Usual], trigger, end);
            let herd = record.sum(&[Class::Special], 0.0, params.horizon());
            let ideal = f64::from(messages) / (params.capacity * (1.0 - params.load));
            let drain = record.drained_at.map_or(f64::INFINITY, |at| at - trigger);
            metrics.insert("drain_ratio", drain / ideal);
            metrics.insert("live_success", share(live.good, live.arrived));
            metrics.insert("sends_per_message", share(herd.sends, messages));
        }
        Disturbance::Slow | Disturbance::Partition | Disturbance::Stall(_) => {
            let before = record.sum(&ALL, 10.0_f64.min(trigger), trigger);
            metrics.insert("shed", share(before.shed, before.arrived));
            metrics.insert("recovery_s", recovery(record, end, watched));
            if params.brown_out {
                let degraded = params.capacity * params.up_share() * params.share_left() * params.trigger_s;
                metrics.insert("goodput", f64::from(during.answers) / degraded);
                metrics.insert("amplification", share(during.sends, during.arrived));
            } else {
                let after = record.sum(&ALL, end, watched);
                let both = record.sum(&ALL, trigger, watched);
                metrics.insert("goodput", share(after.good, after.arrived));
                metrics.insert("amplification", share(both.sends, both.arrived));
                metrics.insert("trigger_amplification", share(during.sends, during.arrived));
            }
        }
        Disturbance::Flap => {
            let (mut up, mut down) = ([0; 2], [0; 2]);
            let mut from = trigger;
            while from < end - 1e-6 {
                let phase = record.sum(&ALL, from, from + params.flap_s);
                down = [down[0] + phase.sends, down[1] + phase.arrived];
                let phase = record.sum(&ALL, from + params.flap_s, from + 2.0 * params.flap_s);
                up = [up[0] + phase.good, up[1] + phase.arrived];
                from += 2.0 * params.flap_s;
            }
            metrics.insert("up_goodput", share(up[0], up[1]));
            metrics.insert("down_attempts", share(down[0], down[1]));
        }
        Disturbance::DeadShard => {
            let healthy = record.sum(&[Class::Usual], trigger, end);
            metrics.insert("healthy_success", share(healthy.good, healthy.arrived));
            metrics.insert("amplification", share(during.sends, during.arrived));
        }
        Disturbance::Noisy(_) => {
            let polite = record.sum(&[Class::Usual], trigger, end);
            metrics.insert("polite_success", share(polite.good, polite.arrived));
            let most = params.capacity * params.up_share() * params.trigger_s;
            metrics.insert("total_goodput", f64::from(during.answers) / most);
        }
    }
    metrics.retain(|_, value| !value.is_nan());
    metrics
}

/// The first whole second after the trigger from which a window has enough good calls.
fn recovery(record: &Record, end: f64, watched: f64) -> f64 {
    let mut second = 0.0;
    while end + second + RECOVERY_WINDOW <= watched {
        let window = record.sum(&ALL, end + second, end + second + RECOVERY_WINDOW);
        if window.arrived > 0 && share(window.good, window.arrived) >= RECOVERED {
            return second;
        }
        second += 1.0;
    }
    f64::INFINITY
}

/// The medians over runs; of an even number, the mean of the middle two.
pub(crate) fn medians(runs: &[Metrics]) -> Metrics {
    let Some(first) = runs.first() else { return Metrics::new() };
    let median = |name: &'static str| {
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run.get(name).copied()).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
    };
    first.keys().map(|&name| (name, median(name))).collect()
}
