//! Windows and recorders of run-time sizes, and their owners.

use core::hint::black_box;
use core::time::Duration;

use seawall::{
    CallRecord, Instant, Outcome, Ratio, RecorderView, Refused, ShardedWindowView, SlidingWindowView, Stage,
    Transition, WindowConfig,
};

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn nanos(duration: Option<Duration>) -> u64 {
    duration.map_or(0, |duration| duration.as_nanos() as u64)
}

crate::proofs! {
    fn proof_window_view(a, b, c) {
        let mut storage = SlidingWindowView::storage::<600>();
        let window: &mut SlidingWindowView = black_box(&mut storage);
        let config = WindowConfig { window: Duration::from_nanos(a) };
        let made = window.renew(config, b as usize, c as usize).is_ok() as u64;
        window.record(Duration::from_nanos(a), b == 0, at(c));
        window.mark(at(a));
        window.rebase(at(b), at(c));
        let summary = window.summary(at(a));
        made ^ summary.count
            ^ nanos(summary.p95)
            ^ nanos(window.quantile(Ratio::of(a, b), at(c)))
            ^ window.error_rate(at(a)).map_or(0, |rate| rate.as_ppm().into())
            ^ window.total_count() ^ window.total_errors() ^ window.total_late()
            ^ nanos(Some(window.window())) ^ nanos(Some(window.slice()))
            ^ (window.slices() + window.cells()) as u64
            ^ u64::from(window.relative_error().as_ppm())
            ^ SlidingWindowView::size_for(a as usize, b as usize).unwrap_or(0) as u64
    }
    fn proof_window_sharded_view(a, b, c) {
        let mut storage = ShardedWindowView::storage::<900>();
        let window: &mut ShardedWindowView = black_box(&mut storage);
        let config = WindowConfig { window: Duration::from_nanos(a) };
        let mut seen = window.renew(config, a as usize, b as usize, c as usize).is_ok() as u64;
        seen ^= window.record(a as u32, Duration::from_nanos(a), b == 0, at(c)).is_ok() as u64;
        seen ^= window.renew_for_owners(config, c as usize, b as usize, a as usize).is_ok() as u64;
        if let Ok(Some(mut owner)) = window.own(b as u32) {
            owner.record(Duration::from_nanos(a), b == 0, at(c));
            seen ^= owner.into_numbers()[1];
        }
        if let Some(mut owner) = window.owner_again([a, b]) {
            owner.record(Duration::from_nanos(a), b == 0, at(c));
        }
        window.mark(at(a));
        window.rebase(at(b), at(c));
        let summary = window.summary(at(a));
        seen ^ summary.count
            ^ nanos(summary.p95)
            ^ nanos(window.quantile(Ratio::of(a, b), at(c)))
            ^ window.error_rate(at(a)).map_or(0, |rate| rate.as_ppm().into())
            ^ window.total_count() ^ window.total_errors() ^ window.total_late()
            ^ nanos(Some(window.window())) ^ nanos(Some(window.slice()))
            ^ (window.shards() + window.slices() + window.cells()) as u64
            ^ u64::from(window.relative_error().as_ppm())
            ^ ShardedWindowView::size_for(a as usize, b as usize, c as usize).unwrap_or(0) as u64
    }
    fn proof_snapshot_recorder_view(a, b, c) {
        let mut storage = RecorderView::storage::<1500>();
        let recorder: &mut RecorderView = black_box(&mut storage);
        let config = WindowConfig { window: Duration::from_nanos(a) };
        let mut seen = recorder.renew(config, b as usize, c as usize).is_ok() as u64;
        let Some(mut call) = CallRecord::from_words([a, b, c]) else { return seen };
        seen ^= recorder.attempted(&mut call, &Err(Refused::never(Stage::Pause)), at(a)).is_ok() as u64;
        seen ^= recorder.admitted(&mut call, Some(Stage::Pause), None::<Transition>, at(b)).is_ok() as u64;
        seen ^= recorder.cancelled(&mut call, at(c)).is_ok() as u64;
        let finished = seawall::Finished {
            verdict: seawall::Verdict::Done,
            transition: None,
            limit_change: None,
            shadow_refusal: None,
            shadow_give_up: None,
        };
        seen ^= recorder.finished(&mut call, Outcome::Success, &finished, at(c)).is_ok() as u64;
        seen ^= recorder.renew_for_owner(config, b as usize, c as usize).is_ok() as u64;
        if let Ok(Some(mut owner)) = recorder.own() {
            let mut call = owner.begun(at(a));
            owner.admitted(&mut call, None, None, at(b));
            owner.finished(&mut call, Outcome::Failure, &finished, at(c));
            owner.abandoned(call, at(c));
            seen ^= owner.into_number();
        }
        seen ^= recorder.owner_again(b).is_some() as u64;
        recorder.rebase(at(b), at(c));
        seen ^= recorder.abandoned(call, at(c)).is_ok() as u64;
        seen ^ recorder.totals().begun() ^ recorder.recent(at(a)).begun() ^ (recorder.slices() + recorder.cells()) as u64
    }
    // What has no storage of its own needs no memory either.
    fn proof_views_record(a, b, c) {
        // Of which the compiler knows nothing.
        let (window, shards) = (SlidingWindowView::storage::<0>(), ShardedWindowView::storage::<0>());
        let (window, shards): (&SlidingWindowView, &ShardedWindowView) = black_box((&window, &shards));
        let seen = shards.record(a as u32, Duration::from_nanos(a), b == 0, at(c)).is_ok() as u64;
        if let Some(mut owner) = shards.owner_again([a, b]) {
            owner.record(Duration::from_nanos(a), b == 0, at(c));
        }
        seen ^ nanos(Some(window.slice())) ^ window.error_rate(at(c)).map_or(0, |rate| rate.as_ppm().into())
    }
}
