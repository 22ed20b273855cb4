//! The circuit breaker, its permits and its changes.

use core::time::Duration;

use seawall::{BreakerConfig, BreakerPermit, CircuitBreaker, Instant, Ratio, TripRule};

use crate::{code, outcome};

static BREAKER: CircuitBreaker = match CircuitBreaker::new(BreakerConfig::DEFAULT) {
    Ok(breaker) => breaker,
    Err(_) => panic!("the default is legal, or this does not compile"),
};

fn config(a: u64, b: u64, c: u64) -> BreakerConfig {
    let (share, window, minimum) = (Ratio::of(a, b), (c >> 8) as u32, (c >> 16) as u32);
    BreakerConfig {
        rule: match c & 3 {
            0 => TripRule::Consecutive(c as u32),
            1 => TripRule::FailureShare { share, window, minimum },
            _ => TripRule::SlowShare { share, slower_than: Duration::from_nanos(a), window, minimum },
        },
        open_for: Duration::from_nanos(a),
        open_jitter: Ratio::of(b, c),
        open_growth_percent: b as u32,
        open_cap: Duration::from_nanos(b),
        probes: a as u32,
        probe_lease: Duration::from_nanos(c),
        close_share: Ratio::of(c, a),
        ramp: Duration::from_secs(b),
    }
}

crate::proofs! {
    fn proof_breaker_new(a, b, c) {
        CircuitBreaker::new(config(a, b, c)).map_or(0, |breaker| code(breaker.state(Instant::from_nanos(a)).name()))
    }
    fn proof_breaker_try_attempt(a, _b, _c) {
        match BREAKER.try_attempt(Instant::from_nanos(a)) {
            Ok(admission) => {
                let permit = admission.permit;
                permit.to_words()[1]
                    + permit.started().as_nanos()
                    + u64::from(permit.is_probe())
                    + admission.transition.map_or(0, |it| u64::from(it.generation) + code(it.cause.name()))
            }
            Err(refused) => refused.retry_after().map_or(0, |wait| wait.as_nanos() as u64),
        }
    }
    fn proof_breaker_peek(a, _b, _c) { BREAKER.peek(Instant::from_nanos(a)).is_ok().into() }
    fn proof_breaker_finish(a, b, c) {
        let permit = BreakerPermit::from_words([a, b]);
        let transition = BREAKER.finish(permit, outcome(c), Instant::from_nanos(c), a);
        transition.map_or(0, |it| u64::from(it.generation) + code(it.from.name()) + code(it.to.name()))
    }
    fn proof_breaker_cancel(a, b, c) {
        BREAKER.cancel(BreakerPermit::from_words([a, b]), Instant::from_nanos(c));
        BreakerPermit::from_words([a, b]).generation().into()
    }
    fn proof_breaker_state(a, _b, _c) { BREAKER.state(Instant::from_nanos(a)) as u64 }
    fn proof_breaker_trip(a, b, _c) { BREAKER.trip(Instant::from_nanos(a), b).is_some().into() }
    fn proof_breaker_force_open(a, _b, _c) { BREAKER.force_open(Instant::from_nanos(a)).is_some().into() }
    fn proof_breaker_force_close(a, _b, _c) { BREAKER.force_close(Instant::from_nanos(a)).is_some().into() }
    fn proof_breaker_reset(a, _b, _c) { BREAKER.reset(Instant::from_nanos(a)).is_some().into() }
    fn proof_breaker_set_config(a, b, c) { BREAKER.set_config(config(a, b, c)).is_ok().into() }
    fn proof_breaker_rebase(a, b, _c) { BREAKER.rebase(Instant::from_nanos(a), Instant::from_nanos(b)); 0 }
    fn proof_breaker_should_block(a, _b, _c) { BREAKER.should_block(Instant::from_nanos(a)).into() }
    fn proof_breaker_on_success(a, _b, _c) { BREAKER.on_success(Instant::from_nanos(a)).is_some().into() }
    fn proof_breaker_on_failure(a, b, _c) { BREAKER.on_failure(Instant::from_nanos(a), b).is_some().into() }
}
