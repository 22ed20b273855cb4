//! The modes of a guard under the schedules that loom explores: a switch beside attempts, and stages in shadow beside
//! stages that are enforced, for places that two threads want.

use seawall::{GuardConfig, GuardModes, Mode, Outcome, RetryTokens, Stage, Verdict};

use crate::guard::{BOUND, Small, at, attempt, config, guard, spawn};
use crate::harness::{Preemptions, check, must_fail};

/// A call that fails at once and is sent again; whether both attempts were sent.
fn fail_and_retry(guard: &Small) -> bool {
    let Some((mut call, permit)) = attempt(guard, at(1)) else { return false };
    let Verdict::RetryAt(again) = guard.finish(&mut call, permit, Outcome::Failure, at(1)).verdict else {
        return false;
    };
    let Ok(admission) = guard.try_attempt(&mut call, again) else { return false };
    guard.finish(&mut call, admission.permit, Outcome::Success, again).verdict == Verdict::Done
}

/// The bucket is switched off while two threads send: each call takes for all its attempts, or for none.
fn switch_beside_attempts() {
    let off = GuardModes { breaker: Mode::Off, ..GuardModes::ENFORCE };
    let guard = guard(GuardConfig { modes: off, ..config(2, 4) });
    let other = spawn(&guard, fail_and_retry);
    let switch = spawn(&guard, |guard| guard.set_mode(Stage::TokenBucket, Mode::Off).is_ok());
    let (_, permit) = attempt(&guard, at(1)).expect("two slots and four tokens");
    assert!(guard.cancel(permit, at(1)));
    assert!(other.join().expect("no panic") && switch.join().expect("no panic"));
    assert!([2, 4].contains(&guard.bucket().available(at(1))), "{}", guard.bucket().available(at(1)));
    assert_eq!((guard.limit().in_flight(at(1)), guard.budget().balance(at(1))), (0, RetryTokens::whole(3)));
}

/// Two threads want the one probe of a breaker in shadow: both are sent, by the limit that is enforced, and the one that
/// the breaker would have refused leaves its token in the bucket, which is in shadow too.
fn one_probe_in_shadow() {
    let shadow = GuardModes { breaker: Mode::Shadow, bucket: Mode::Shadow, ..GuardModes::ENFORCE };
    let guard = guard(GuardConfig { modes: shadow, ..config(2, 2) });
    assert!(guard.breaker(0).trip(at(0), 0).is_some());
    let send = |guard: &Small| {
        let mut call = guard.begin(seawall::Request::DEFAULT, at(3));
        let admission = guard.try_attempt(&mut call, at(3)).expect("nothing that is enforced refuses");
        (call, admission)
    };
    let other = spawn(&guard, send);
    let mut sent = [send(&guard), other.join().expect("no panic")];
    sent.sort_by_key(|(_, admission)| admission.shadow_refusal.is_some());
    let refusals = sent.map(|(_, admission)| admission.shadow_refusal.map(|refused| refused.stage()));
    assert_eq!(refusals, [None, Some(Stage::CircuitBreaker)]);
    assert_eq!((guard.limit().in_flight(at(3)), guard.bucket().available(at(3))), (2, 1));
    for (mut call, admission) in sent {
        let _ = guard.finish(&mut call, admission.permit, Outcome::Ignored, at(3));
    }
    assert_eq!(guard.limit().in_flight(at(3)), 0);
}

/// Two threads want the one token of a bucket in shadow: both are sent, and one of them takes from no shadow.
fn one_token_in_shadow() {
    let shadow = GuardModes { limit: Mode::Shadow, bucket: Mode::Shadow, ..GuardModes::ENFORCE };
    let guard = guard(GuardConfig { modes: shadow, ..config(2, 1) });
    let other = spawn(&guard, |guard| attempt(guard, at(3)).is_some());
    assert!(attempt(&guard, at(3)).is_some() && other.join().expect("no panic"));
    assert_eq!((guard.limit().in_flight(at(3)), guard.bucket().available(at(3))), (1, 0));
}

const SWITCH: Preemptions = Preemptions::AtMost(2);

#[test]
fn guard_modes_a_call_is_treated_alike_in_all_its_attempts() {
    check("guard modes, a switch beside attempts", SWITCH, switch_beside_attempts);
}

#[test]
fn guard_modes_a_shadow_passes_all_and_keeps_nothing_of_what_it_would_refuse() {
    check("guard modes, one probe in shadow", BOUND, one_probe_in_shadow);
    check("guard modes, one token in shadow", BOUND, one_token_in_shadow);
}

#[test]
fn guard_modes_what_a_call_keeps_and_gives_back_is_needed() {
    let fault = "guard: the modes are read anew for each attempt";
    must_fail("guard modes, a switch beside attempts", fault, SWITCH, switch_beside_attempts);
    let fault = "guard: a shadow keeps what it took for an attempt that another would refuse";
    must_fail("guard modes, one probe in shadow", fault, BOUND, one_probe_in_shadow);
    must_fail("guard modes, one token in shadow", fault, BOUND, one_token_in_shadow);
    let fault = "guard: a refusal in shadow gives back what is enforced";
    must_fail("guard modes, one probe in shadow", fault, BOUND, one_probe_in_shadow);
}
