//! With real threads.

use super::*;

#[test]
fn threads_never_hold_more_than_the_limit() {
    let limit = limit_of(5);
    let (held, most, admitted) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for seed in 0..16 {
            let (limit, held, most, admitted) = (&limit, &held, &most, &admitted);
            scope.spawn(move || {
                let mut random = Random::from_seed(seed);
                for _ in 0..20_000 {
                    // Within a lease of each other.
                    let Ok(permit) = limit.try_attempt(ms(random.next_u64() % 4000)) else { continue };
                    most.fetch_max(held.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    admitted.fetch_add(1, Ordering::Relaxed);
                    if random.next_u64().is_multiple_of(8) {
                        std::thread::yield_now();
                    }
                    held.fetch_sub(1, Ordering::SeqCst);
                    limit.finish(permit, Outcome::Ignored, ms(0));
                }
            });
        }
    });
    assert_eq!(limit.in_flight(ms(0)), 0);
    assert!(most.into_inner() <= 5);
    assert!(admitted.into_inner() >= 1_000);
    // And no slot was lost.
    assert_eq!(fill(&limit, ms(4000)).len(), 5);
}

#[test]
fn racing_slow_replies_cut_once_and_every_change_is_told_once() {
    for _ in 0..200 {
        let limit = limit_of(16);
        let permits = fill(&limit, ms(0));
        let (told, sum) = (AtomicUsize::new(0), AtomicI64::new(0));
        std::thread::scope(|scope| {
            for permit in permits {
                let (limit, told, sum) = (&limit, &told, &sum);
                scope.spawn(move || {
                    if let Some(change) = limit.finish(permit, Outcome::Success, ms(300)) {
                        told.fetch_add(1, Ordering::Relaxed);
                        sum.fetch_add(i64::from(change.to) - i64::from(change.from), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((told.into_inner(), sum.into_inner(), limit.limit()), (1, -4, 12));
    }
}
