//! The concurrency limit, its permits and its changes.

use core::hint::black_box;
use core::time::Duration;

use seawall::{ConcurrencyLimit, ConcurrencyLimitView, Instant, LimitChange, LimitConfig, LimitPermit, Ratio};

use crate::{code, outcome};

static LIMIT: ConcurrencyLimit<64> = match ConcurrencyLimit::new(LimitConfig::DEFAULT) {
    Ok(limit) => limit,
    Err(_) => panic!("the default is legal, or this does not compile"),
};

fn config(a: u64, b: u64, c: u64) -> LimitConfig {
    LimitConfig {
        start: a as u32,
        floor: b as u32,
        ceiling: c as u32,
        slow_after: Duration::from_nanos(a),
        timeout: Duration::from_nanos(b),
        slow_factor: Ratio::of(a, b),
        timeout_factor: Ratio::of(b, c),
        lease: Duration::from_secs(c),
        tolerance_percent: c as u32,
        saturated_after: b as u32,
    }
}

fn told(change: Option<LimitChange>) -> u64 {
    change.map_or(0, |it| u64::from(it.from) + u64::from(it.to) + code(it.reason.name()))
}

crate::proofs! {
    fn proof_limit_new(a, b, c) {
        ConcurrencyLimit::<8>::new(config(a, b, c)).map_or(0, |limit| limit.limit().into())
    }
    fn proof_limit_try_attempt(a, _b, _c) {
        match LIMIT.try_attempt(Instant::from_nanos(a)) {
            Ok(permit) => permit.to_words()[1] + permit.to_words()[2] + permit.started().as_nanos(),
            Err(refused) => refused.reason() as u64,
        }
    }
    fn proof_limit_peek(a, _b, _c) { LIMIT.peek(Instant::from_nanos(a)).is_ok().into() }
    fn proof_limit_finish(a, b, c) {
        told(LIMIT.finish(LimitPermit::from_words([a, b, c]), outcome(c), Instant::from_nanos(b)))
    }
    fn proof_limit_report(a, b, c) {
        LIMIT.report(&LimitPermit::from_words([a, b, c]), outcome(c), Instant::from_nanos(b)).map_or(1, told)
    }
    fn proof_limit_cancel(a, b, c) {
        LIMIT.cancel(LimitPermit::from_words([a, b, c]), Instant::from_nanos(a));
        0
    }
    fn proof_limit_numbers(a, _b, _c) {
        u64::from(LIMIT.limit()) + LIMIT.slow_after().as_secs() + u64::from(LIMIT.in_flight(Instant::from_nanos(a)))
    }
    fn proof_limit_set_limit(a, _b, _c) { told(LIMIT.set_limit(a as u32)) }
    fn proof_limit_set_config(a, b, c) { LIMIT.set_config(config(a, b, c)).map_or(0, told) }
    fn proof_limit_reset(_a, _b, _c) { LIMIT.reset(); 0 }
    fn proof_limit_rebase(a, b, _c) { LIMIT.rebase(Instant::from_nanos(a), Instant::from_nanos(b)); 0 }
    fn proof_limit_of_any_size(a, b, c) {
        let Ok(mut limit) = ConcurrencyLimit::<8>::new(config(a, b, c)) else { return 0 };
        // The compiler must not know the size.
        let limit: &mut ConcurrencyLimitView = black_box(&mut *limit);
        let (now, renewed) = (Instant::from_nanos(a), limit.renew(config(c, b, a)).is_ok());
        let admitted = limit.try_attempt(now).is_ok_and(|permit| limit.finish(permit, outcome(c), now).is_some());
        limit.cancel(LimitPermit::from_words([a, b, c]), now);
        limit.rebase(now, Instant::from_nanos(b));
        limit.reset();
        u64::from(renewed) + u64::from(admitted) + u64::from(limit.peek(now).is_ok()) + told(limit.set_limit(b as u32))
            + limit.set_config(config(a, a, b)).map_or(0, told) + u64::from(limit.in_flight(now))
            + ConcurrencyLimitView::size_for(a as usize).map_or(0, |bytes| bytes as u64) + limit.slots() as u64
    }
}
