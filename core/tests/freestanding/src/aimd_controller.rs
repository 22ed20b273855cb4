//! The AIMD controller.

use core::time::Duration;

use seawall::{AimdConfig, AimdController, Instant, Rate, RateChange, Ratio, WindowSummary};

use crate::{code, optional};

static CONTROLLER: AimdController = match AimdController::new(AimdConfig::DEFAULT) {
    Ok(controller) => controller,
    Err(_) => panic!("the default is legal, or this does not compile"),
};

fn rate(count: u64, period: u64) -> Rate {
    Rate::new(count, Duration::from_nanos(period)).unwrap_or(Rate::ZERO)
}

fn told(change: Option<RateChange>) -> u64 {
    change.map_or(0, |it| it.from.count() ^ it.to.count() ^ code(it.reason.name()))
}

crate::proofs! {
    fn proof_aimd_new(a, b, c) {
        let config = AimdConfig {
            initial_rate: rate(a, b),
            min_rate: rate(b, c),
            max_rate: rate(c, a),
            step: rate(a, c),
            factor: Ratio::of(a, b),
            error_threshold: Ratio::of(b, c),
            latency_threshold: Duration::from_nanos(a),
            interval: Duration::from_nanos(b),
            minimum_samples: c,
            error_baseline_max: Ratio::of(c, a),
            latency_baseline_max: Duration::from_secs(c),
        };
        AimdController::new(config).map_or(0, |controller| controller.current_rate().count())
    }
    fn proof_aimd_observe(a, b, c) {
        let summary = WindowSummary {
            count: a,
            errors: b,
            observed: Duration::from_nanos(c),
            mean: optional(a),
            max: optional(b),
            p50: optional(c),
            p95: optional(a ^ b),
            p99: optional(b ^ c),
            total_count: a ^ c,
            total_errors: b,
        };
        told(CONTROLLER.observe(&summary, Instant::from_nanos(c)))
    }
    fn proof_aimd_update(a, b, c) {
        told(CONTROLLER.update(optional(a).map(|_| Ratio::of(a, b)), optional(b), Instant::from_nanos(c)))
    }
    fn proof_aimd_current_rate(_a, _b, _c) { CONTROLLER.current_rate().count() }
    fn proof_aimd_set_rate(a, b, _c) { CONTROLLER.set_rate(rate(a, b)).count() }
    fn proof_aimd_reset(a, _b, _c) { CONTROLLER.reset(Instant::from_nanos(a)); 0 }
    fn proof_aimd_rebase(a, b, _c) { CONTROLLER.rebase(Instant::from_nanos(a), Instant::from_nanos(b)); 0 }
    fn proof_aimd_learned(_a, _b, _c) {
        CONTROLLER.due_at().as_nanos()
            ^ CONTROLLER.error_baseline().map_or(0, |rate| rate.as_ppm().into())
            ^ CONTROLLER.latency_baseline().map_or(0, |p95| p95.as_nanos() as u64)
    }
}
