//! Permits: who is admitted, and what is lost, late or never was.

use super::*;

#[test]
fn exactly_the_limit_is_admitted_and_a_refusal_says_who_refused() {
    let limit = limit_of(5);
    let permits = fill(&limit, ms(0));
    let refused = limit.try_attempt(ms(1)).unwrap_err();
    assert_eq!(
        (refused.stage(), refused.reason(), refused.retry_after()),
        (Stage::ConcurrencyLimit, Reason::NotYet, None)
    );
    assert_eq!(limit.peek(ms(1)), Err(refused));
    limit.cancel(permits[2], ms(1));
    assert_eq!(limit.peek(ms(1)), Ok(()));
    assert_eq!(limit.in_flight(ms(1)), 4);
    let _again = permit(&limit, ms(1));
    assert!(limit.try_attempt(ms(1)).is_err());
}

/// Every set of held slots, under every limit, at its highest and after every cut.
#[test]
fn an_attempt_counts_every_slot_that_is_held_whichever_they_are() {
    for highest in 1..=9u32 {
        for held in 0..1u32 << highest {
            for cut_to in 1..=highest {
                let limit = limit_of(highest);
                for (slot, permit) in fill(&limit, ms(0)).into_iter().enumerate() {
                    if held >> slot & 1 == 0 {
                        limit.cancel(permit, ms(0));
                    }
                }
                limit.set_limit(cut_to);
                let (held_slots, context) = (held.count_ones(), (highest, held, cut_to));
                assert_eq!(limit.in_flight(ms(1)), held_slots);
                assert_eq!(limit.peek(ms(1)).is_ok(), held_slots < cut_to, "{context:?}");
                let Ok(permit) = limit.try_attempt(ms(1)) else {
                    assert!(held_slots >= cut_to, "{context:?}");
                    continue;
                };
                assert!(held_slots < cut_to, "{context:?}");
                // The lowest free slot, and whether the limit is full, or half of it used, with this one.
                let [_, _, word] = permit.to_words();
                let (is_full, is_half_used) = (word >> 48 & 1 == 1, word >> 49 & 1 == 1);
                assert_eq!(word as u32, held.trailing_ones(), "{context:?}");
                assert_eq!(is_full, held_slots + 1 >= cut_to, "{context:?}");
                assert_eq!(is_half_used, 2 * (held_slots + 1) >= cut_to, "{context:?}");
            }
        }
    }
}

#[test]
fn a_lost_permit_heals_when_its_lease_lapses_and_its_late_report_is_ignored() {
    let limit = limit_of(1);
    let lost = permit(&limit, ms(0));
    assert!(limit.try_attempt(ms(4999)).is_err());
    let second = permit(&limit, ms(5001));
    assert_eq!(limit.finish(lost, Outcome::Failure, ms(5001)), None);
    assert_eq!(limit.in_flight(ms(5001)), 1);
    assert!(limit.try_attempt(ms(5001)).is_err());
    limit.cancel(second, ms(5002));
    assert!(limit.try_attempt(ms(5002)).is_ok());
}

#[test]
fn a_second_report_of_one_permit_does_nothing() {
    let limit = limit_of(1);
    let first = permit(&limit, ms(0));
    limit.finish(first, Outcome::Ignored, ms(0));
    // The same slot, the same instant.
    let second = permit(&limit, ms(0));
    limit.cancel(first, ms(0));
    assert_eq!(limit.finish(first, Outcome::Throttled(None), ms(2000)), None);
    assert!(limit.try_attempt(ms(0)).is_err());
    assert_eq!(limit.limit(), 1);
    limit.cancel(second, ms(0));
}

#[test]
fn a_permit_that_never_was_does_nothing() {
    let limit = limit_of(2);
    for words in [[0; 3], [0, 0, 1], [u64::MAX; 3], [1, 1, 1 << 31]] {
        assert_eq!(limit.finish(LimitPermit::from_words(words), Outcome::Throttled(None), ms(0)), None);
    }
    assert_eq!(fill(&limit, ms(0)).len(), 2);
    assert!(limit.try_attempt(ms(0)).is_err());
}

#[test]
fn after_a_cut_nothing_is_admitted_until_fewer_are_in_flight() {
    let limit = limit_of(8);
    let permits = fill(&limit, ms(0));
    assert_eq!(limit.set_limit(3), Some(LimitChange { from: 8, to: 3, reason: LimitReason::Set }));
    // The low slots come free first; those above the new limit count on.
    for (freed, permit) in permits.into_iter().enumerate() {
        assert_eq!(limit.try_attempt(ms(1)).is_ok(), freed > 5, "{freed}");
        limit.cancel(permit, ms(1));
    }
}
