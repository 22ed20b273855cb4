//! The buckets by key as a stage of a guard: one user of a process must not starve the others.

#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use std::time::Duration;

use seawall::{
    Admission, BucketConfig, Call, ChangeError, Guard, GuardConfig, GuardModes, Instant, KeyedBuckets, KeyedConfig,
    LimitConfig, Mode, ModeError, Outcome, Permit, Rate, Ratio, Reason, Recorder, Refused, Request, RetryTokens, Stage,
    State, TokenBucket, Verdict, WhenFull, WindowConfig,
};
use support::guards::{T, ms, roomy};

const NOISY: u64 = 1_000;

type Keyed = Guard<64, 1, KeyedBuckets<64>>;

fn config(modes: GuardModes) -> GuardConfig {
    GuardConfig { modes, ..roomy() }
}

/// One a second and key, two at once.
const EACH: KeyedConfig = KeyedConfig::new(Rate::per_second(1), WhenFull::FailClosed).burst(2);

fn users<const GROUPS: usize>(each: KeyedConfig) -> KeyedBuckets<GROUPS> {
    KeyedBuckets::new(each, 7, Instant::ORIGIN).unwrap()
}

fn guard(modes: GuardModes) -> Keyed {
    Guard::<64>::new(config(modes), 7, Instant::ORIGIN).unwrap().with_keyed(users(EACH))
}

fn asked<const GROUPS: usize>(
    guard: &Guard<64, 1, KeyedBuckets<GROUPS>>,
    key: u64,
    now: Instant,
) -> Result<(Call, Admission), Refused> {
    let mut call = guard.begin(Request { key, ..Request::DEFAULT }, now);
    guard.try_attempt(&mut call, now).map(|admission| (call, admission))
}

fn send(guard: &Keyed, key: u64, now: Instant) -> (Call, Permit) {
    let (call, admission) = asked(guard, key, now).expect("the guard admits");
    (call, admission.permit)
}

fn refused(guard: &Keyed, key: u64, now: Instant) -> Refused {
    asked(guard, key, now).expect_err("the guard refuses")
}

/// Spends the burst of a key, and nothing else.
fn spend(guard: &Keyed, key: u64, now: Instant) {
    assert!(guard.keyed().try_take(key, 2, now).is_ok());
}

/// All that an attempt could have changed, the tokens of two keys last.
fn state(guard: &Keyed, now: Instant) -> (u32, u32, State, RetryTokens, Option<Instant>, [u32; 2]) {
    (
        guard.bucket().available(now),
        guard.limit().in_flight(now),
        guard.breaker(0).state(now),
        guard.budget().balance(now),
        guard.paused_until(now),
        [0, NOISY].map(|key| guard.keyed().available(key, now)),
    )
}

/// Ten seconds in which one user sends a thousand calls a second and nine send one each: how many of the nine's 90 and
/// of the noisy one's 10,000 pass.
fn admitted_beside_a_noisy_user(mut passes: impl FnMut(u64, Instant) -> bool) -> (u32, u32) {
    let (mut quiet, mut noisy) = (0, 0);
    for tick in 0..10_000 {
        noisy += u32::from(passes(NOISY, ms(tick)));
        // Each at an instant of its own in the second.
        if tick % 100 == 50 && tick / 100 % 10 < 9 {
            quiet += u32::from(passes(tick / 100 % 10, ms(tick)));
        }
    }
    (quiet, noisy)
}

#[test]
fn a_noisy_user_starves_the_others_without_buckets_by_key_and_costs_them_nothing_with_them() {
    let request = |key| Request { key, ..Request::DEFAULT };
    let alone: Guard = Guard::new(config(GuardModes::ENFORCE), 7, Instant::ORIGIN).unwrap();
    alone.bucket().set_rate(Rate::per_second(20), Instant::ORIGIN).unwrap();
    let (quiet, _) = admitted_beside_a_noisy_user(|key, now| {
        let mut call = alone.begin(request(key), now);
        let admission = alone.try_attempt(&mut call, now);
        admission.map(|admission| alone.finish(&mut call, admission.permit, Outcome::Success, now)).is_ok()
    });
    assert!(quiet < 10, "{quiet} of 90 pass beside the noisy one");

    let guard = guard(GuardModes::ENFORCE);
    guard.bucket().set_rate(Rate::per_second(20), Instant::ORIGIN).unwrap();
    let (quiet, noisy) = admitted_beside_a_noisy_user(|key, now| {
        let admitted = asked(&guard, key, now);
        admitted
            .map(|(mut call, admission)| guard.finish(&mut call, admission.permit, Outcome::Success, now))
            .is_ok_and(|finished| finished.verdict == Verdict::Done)
    });
    // A burst of two and one a second.
    assert_eq!((quiet, noisy), (90, 11));
}

#[test]
fn a_key_that_is_refused_takes_nothing_that_is_shared() {
    let guard = guard(GuardModes::ENFORCE);
    spend(&guard, NOISY, ms(0));
    let before = state(&guard, ms(0));
    for _ in 0..100 {
        let refused = refused(&guard, NOISY, ms(0));
        assert_eq!((refused.stage(), refused.reason()), (Stage::KeyedBucket, Reason::NotYet));
        // To the microsecond in which a token of a key may be early.
        assert!(refused.retry_after().unwrap().abs_diff(T) <= Duration::from_micros(1), "{refused}");
    }
    assert_eq!(state(&guard, ms(0)), before);
    let _other = send(&guard, 0, ms(0));
    let _again = send(&guard, NOISY, ms(1_000));
}

#[test]
fn what_a_key_can_never_have_is_refused_for_ever() {
    let guard = guard(GuardModes::ENFORCE);
    let mut call = guard.begin(Request { key: 5, cost: 3, ..Request::DEFAULT }, ms(0));
    assert_eq!(guard.try_attempt(&mut call, ms(0)).unwrap_err(), Refused::never(Stage::KeyedBucket));
}

#[test]
fn who_has_spent_its_own_tokens_hears_of_them_also_where_what_is_shared_is_spent_too() {
    let guard = guard(GuardModes::ENFORCE);
    spend(&guard, NOISY, ms(0));
    assert!(guard.bucket().try_take(8, ms(0)).is_ok());
    assert_eq!(refused(&guard, NOISY, ms(0)).stage(), Stage::KeyedBucket);
    assert_eq!(refused(&guard, 0, ms(0)).stage(), Stage::TokenBucket);
    let held = [0; 4].map(|_| guard.limit().try_attempt(ms(0)).unwrap());
    assert_eq!(refused(&guard, NOISY, ms(0)).stage(), Stage::KeyedBucket);
    assert_eq!(refused(&guard, 0, ms(0)).stage(), Stage::ConcurrencyLimit);
    // But not of a service that nobody may call.
    assert!(guard.breaker(0).force_open(ms(0)).is_some());
    assert_eq!(refused(&guard, NOISY, ms(0)).stage(), Stage::CircuitBreaker);
    assert!(guard.breaker(0).reset(ms(0)).is_some() && held.iter().all(|permit| guard.limit().cancel(*permit, ms(0))));
    assert_eq!(refused(&guard, NOISY, ms(500)).stage(), Stage::KeyedBucket);
}

#[test]
fn every_attempt_pays_retries_too() {
    let guard = guard(GuardModes::ENFORCE);
    let (mut call, permit) = send(&guard, 5, ms(0));
    let Verdict::RetryAt(at) = guard.finish(&mut call, permit, Outcome::Failure, ms(0)).verdict else {
        panic!("a first failure is sent again");
    };
    assert!(guard.try_attempt(&mut call, at).is_ok());
    assert_eq!(guard.keyed().available(5, at), 0);
    let (mut call, permit) = send(&guard, 0, at);
    assert_eq!(guard.finish(&mut call, permit, Outcome::Success, at).verdict, Verdict::Done);
    assert_eq!(guard.keyed().available(0, at), 1, "what was sent stays spent");
}

#[test]
fn what_was_never_sent_is_given_back_to_its_key_and_once() {
    let guard = guard(GuardModes::ENFORCE);
    let before = state(&guard, ms(0));
    let (_, permit) = send(&guard, NOISY, ms(0));
    spend_one(&guard, NOISY);
    assert_eq!(guard.keyed().available(NOISY, ms(0)), 0);
    assert!(guard.cancel(permit, ms(0)));
    assert!(!guard.cancel(permit, ms(0)));
    assert_eq!(guard.keyed().available(NOISY, ms(0)), 1);
    assert!(guard.keyed().refund(NOISY, 1, ms(0)));
    assert_eq!(state(&guard, ms(0)), before);

    let (mut call, permit) = send(&guard, NOISY, ms(0));
    let _ = guard.finish(&mut call, permit, Outcome::Ignored, ms(0));
    assert!(!guard.cancel(permit, ms(0)));
    assert_eq!(guard.keyed().available(NOISY, ms(0)), 1, "nothing comes back after a report");
}

fn spend_one(guard: &Keyed, key: u64) {
    assert!(guard.keyed().try_take(key, 1, ms(0)).is_ok());
}

/// Seven keys that hold all the places of a table, and an eighth.
fn full(when_full: WhenFull) -> Guard<64, 1, KeyedBuckets<1>> {
    let each = KeyedConfig { when_full, ..EACH };
    let guard = Guard::<64>::new(config(GuardModes::ENFORCE), 7, ms(0)).unwrap().with_keyed(users::<1>(each));
    (0..7).for_each(|key| assert!(guard.keyed().try_take(key, 2, ms(0)).is_ok()));
    guard
}

#[test]
fn a_key_without_a_place_passes_and_is_counted_or_is_refused_as_was_chosen() {
    let open = full(WhenFull::FailOpen);
    for passed in 1..=3 {
        let (mut call, admission) = asked(&open, 8, ms(0)).unwrap();
        let _ = open.finish(&mut call, admission.permit, Outcome::Success, ms(0));
        assert_eq!(open.keyed().let_through(), passed);
    }
    assert_eq!(open.bucket().available(ms(0)), 5, "and pays for what is shared");
    assert_eq!(asked(&open, 3, ms(0)).unwrap_err().stage(), Stage::KeyedBucket, "who has a place is limited");

    let closed = full(WhenFull::FailClosed);
    let refused = asked(&closed, 8, ms(0)).unwrap_err();
    assert_eq!((refused.stage(), refused.reason()), (Stage::KeyedBucket, Reason::NoPlace));
    assert!(asked(&closed, 8, ms(0).saturating_add(refused.retry_after().unwrap())).is_ok());
    assert_eq!(closed.keyed().let_through(), 0);
}

#[test]
fn who_was_let_through_without_a_place_gets_nothing_back() {
    let guard = full(WhenFull::FailOpen);
    let (_, admission) = asked(&guard, 8, ms(0)).unwrap();
    // The others are full again, and the key has spent what it has.
    assert!(guard.keyed().try_take(8, 2, ms(2_000)).is_ok());
    assert!(guard.cancel(admission.permit, ms(2_000)));
    assert_eq!(guard.keyed().available(8, ms(2_000)), 0);
}

#[test]
fn a_stage_in_shadow_refuses_nobody_and_says_whom_it_would_refuse() {
    for modes in [GuardModes { keyed: Mode::Shadow, ..GuardModes::ENFORCE }, GuardModes::all(Mode::Shadow)] {
        let guard = guard(modes);
        spend(&guard, NOISY, ms(0));
        let before = state(&guard, ms(0)).5;
        let (mut call, admission) = asked(&guard, NOISY, ms(0)).unwrap();
        assert_eq!(admission.shadow_refusal.map(Refused::stage), Some(Stage::KeyedBucket));
        let finished = guard.finish(&mut call, admission.permit, Outcome::Success, ms(0));
        assert_eq!(finished.shadow_refusal, admission.shadow_refusal);
        assert_eq!(state(&guard, ms(0)).5, before);
        // And it counts those that it would let through.
        assert_eq!(asked(&guard, 0, ms(0)).unwrap().1.shadow_refusal, None);
        assert_eq!(guard.keyed().available(0, ms(0)), 1);
        guard.set_mode(Stage::KeyedBucket, Mode::Enforce).unwrap();
        assert_eq!(refused(&guard, NOISY, ms(0)).stage(), Stage::KeyedBucket);
    }
}

#[test]
fn an_attempt_that_the_shadow_of_a_key_would_refuse_takes_from_no_shadow() {
    let guard = guard(GuardModes { limit: Mode::Enforce, ..GuardModes::all(Mode::Shadow) });
    spend(&guard, NOISY, ms(0));
    let (_, admission) = asked(&guard, NOISY, ms(0)).unwrap();
    assert_eq!(guard.bucket().available(ms(0)), 8, "the bucket in shadow");
    assert_eq!(guard.limit().in_flight(ms(0)), 1, "the limit that is enforced");
    assert!(guard.cancel(admission.permit, ms(0)));
    assert_eq!((guard.bucket().available(ms(0)), guard.keyed().available(NOISY, ms(0))), (8, 0));

    // And the other way round: what another stage in shadow would refuse costs the key nothing.
    assert!(guard.bucket().try_take(8, ms(0)).is_ok());
    let (_, admission) = asked(&guard, 0, ms(0)).unwrap();
    assert_eq!(admission.shadow_refusal.map(Refused::stage), Some(Stage::TokenBucket));
    assert_eq!(guard.keyed().available(0, ms(0)), 2);
}

#[test]
fn a_canary_limits_its_share_of_the_keys_and_tells_of_the_others() {
    let guard = guard(GuardModes { limit: Mode::Off, bucket: Mode::Off, ..GuardModes::ENFORCE });
    guard.set_mode(Stage::KeyedBucket, Mode::Canary(Ratio::HALF)).unwrap();
    let mut refused = 0;
    for key in 0..100 {
        spend(&guard, key, ms(0));
        for _ in 0..2 {
            match asked(&guard, key, ms(0)) {
                Ok((_, admission)) => assert_eq!(admission.shadow_refusal.unwrap().stage(), Stage::KeyedBucket),
                Err(error) => refused += u32::from(error.stage() == Stage::KeyedBucket),
            }
        }
    }
    assert_eq!(refused % 2, 0, "a key is treated alike");
    assert!((60..140).contains(&refused), "{refused} of 200");
}

#[test]
fn a_stage_that_is_off_is_neither_asked_nor_changed() {
    let guard = guard(GuardModes { keyed: Mode::Off, ..GuardModes::ENFORCE });
    spend(&guard, NOISY, ms(0));
    let (_, admission) = asked(&guard, NOISY, ms(0)).unwrap();
    assert_eq!((admission.shadow_refusal, guard.keyed().available(0, ms(0))), (None, 2));
    let _other = send(&guard, 0, ms(0));
    assert_eq!(guard.keyed().available(0, ms(0)), 2);
}

#[test]
fn a_guard_without_buckets_by_key_pays_no_byte_for_them_and_has_no_mode_for_them() {
    assert!(size_of::<Guard>() <= 1_464, "{} bytes", size_of::<Guard>());
    assert_eq!(size_of::<Guard>(), size_of::<Guard<64, 1, ()>>());
    // Both, each on its cache lines: a group's are a pair.
    let both = size_of::<Guard>().next_multiple_of(align_of::<KeyedBuckets<64>>()) + size_of::<KeyedBuckets<64>>();
    assert_eq!(size_of::<Keyed>(), both);
    println!("{} bytes with 64 groups; a call {}, a permit {}", both, size_of::<Call>(), size_of::<Permit>());

    let guard: Guard = Guard::new(config(GuardModes::all(Mode::Shadow)), 7, ms(0)).unwrap();
    assert_eq!(guard.mode(Stage::KeyedBucket), Mode::Off);
    assert_eq!(guard.set_mode(Stage::KeyedBucket, Mode::Enforce).unwrap_err(), ModeError { stage: Stage::KeyedBucket });
    let error = ModeError { stage: Stage::KeyedBucket }.to_string();
    assert!(error.starts_with("the keyed bucket has no mode: allowed are "), "{error}");
}

#[test]
fn a_pause_and_a_close_leave_the_buckets_of_the_keys_as_they_are() {
    let guard = guard(GuardModes::ENFORCE);
    let (mut call, permit) = send(&guard, 5, ms(0));
    let _ = guard.finish(&mut call, permit, Outcome::Throttled(Some(T)), ms(0));
    let later = ms(1_300);
    assert_eq!([5, 6].map(|key| guard.keyed().available(key, later)), [2, 2]);
    let _settles = send(&guard, 6, later);
    assert!(guard.bucket().available(later) <= 3, "of the shared ones one was left, and three are earned at most");
    assert_eq!([5, 6].map(|key| guard.keyed().available(key, later)), [2, 1]);
}

#[test]
fn a_rebase_and_a_reset_reach_the_keys() {
    let guard = guard(GuardModes::ENFORCE);
    let late = ms(3_600_000);
    spend(&guard, NOISY, late);
    assert_eq!(refused(&guard, NOISY, ms(0)).reason(), Reason::ClockStepped);
    guard.rebase(late, ms(0)).unwrap();
    assert_eq!(refused(&guard, NOISY, ms(0)).reason(), Reason::NotYet);
    assert_eq!(guard.keyed().available(NOISY, ms(1_000)), 1);
    let _ = guard.reset(ms(0)).unwrap();
    assert_eq!(guard.keyed().available(NOISY, ms(0)), 2);
    assert_eq!(guard.keyed().occupied(ms(0)), 0);
}

#[test]
fn a_rebase_that_one_part_cannot_make_changes_no_other() {
    // Positions of keys end at 2^51 units: at the end of time they are spent, those of this bucket are not.
    let each = KeyedConfig { rate: Rate::per_second(100), ..EACH };
    let guard = Guard::<64>::new(config(GuardModes::ENFORCE), 7, ms(0)).unwrap().with_keyed(users::<64>(each));
    assert!(guard.bucket().try_take(8, ms(0)).is_ok());
    assert_eq!(guard.rebase(Instant::MAX, ms(0)), Err(ChangeError::RangeSpent));
    assert_eq!(guard.bucket().available(ms(0)), 0);
    assert!(guard.bucket().rebase(Instant::MAX, ms(0)).is_ok(), "it could have");

    // And the other way round: a bucket of a billion a second, and keys that earn one a day.
    let each = KeyedConfig { rate: Rate::per_day(1), ..EACH };
    let fast = GuardConfig { bucket: BucketConfig::new(TokenBucket::FASTEST).burst(8), ..config(GuardModes::ENFORCE) };
    let guard = Guard::<64>::new(fast, 7, ms(0)).unwrap().with_keyed(users::<64>(each));
    spend(&guard, NOISY, ms(0));
    // Near the end of 2^62 units of a nanosecond.
    let late = Instant::from_nanos((1 << 62) - 3 * (1 << 33));
    assert!(guard.bucket().try_take(1, late).is_ok());
    assert_eq!(guard.rebase(late, ms(0)), Err(ChangeError::RangeSpent));
    assert_eq!(guard.keyed().available(NOISY, ms(0)), 0);
    assert!(guard.keyed().rebase(late, ms(0)).is_ok(), "it could have");
    assert_eq!(guard.keyed().available(NOISY, ms(0)), 2);
}

#[test]
fn a_refusal_of_a_key_is_counted_and_said_in_words() {
    let guard = guard(GuardModes::ENFORCE);
    let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT).unwrap();
    spend(&guard, NOISY, ms(1));
    let mut refusals = vec![];
    for (key, cost) in [(0, 1), (NOISY, 1), (NOISY, 3)] {
        let (mut call, mut record) =
            (guard.begin(Request { key, cost, ..Request::DEFAULT }, ms(1)), recorder.begun(ms(1)));
        let answer = guard.try_attempt(&mut call, ms(1));
        recorder.attempted(&mut record, &answer, ms(1));
        refusals.extend(answer.err());
    }
    assert_eq!(recorder.totals().refused_by(Stage::KeyedBucket), 2);
    let snapshot = guard.snapshot([&recorder], ms(1));
    assert_eq!((snapshot.keyed, snapshot.keyed_let_through), (Some(EACH), 0));
    let said = snapshot.explain::<512>();
    assert!(said.starts_with("2 of 3 attempts were refused in the last 7.5 s: 2 by the keyed bucket."), "{said}");
    let words = refusals.iter().map(|refused| snapshot.explain_refusal::<256>(*refused).as_str().to_owned());
    assert_eq!(
        words.collect::<Vec<_>>(),
        [
            "Refused by the keyed bucket: this key has too few tokens, earns 1/s, and has enough in 1 s.",
            "Refused by the keyed bucket: no key ever holds more than 2 tokens, and more were asked for.",
        ]
    );

    let open = full(WhenFull::FailOpen);
    assert!(asked(&open, 8, ms(0)).is_ok());
    let said = open.snapshot([&recorder], ms(0)).explain::<512>();
    assert!(said.contains("Since the start 1 attempt passed without a limit of the key"), "{said}");
}

#[test]
fn threads_that_cancel_and_lose_races_leave_each_key_what_it_did_not_send() {
    // One slot in flight: of all that ask at once one is sent.
    let one = GuardConfig {
        limit: LimitConfig { start: 1, ceiling: 1, ..LimitConfig::DEFAULT },
        ..config(GuardModes::ENFORCE)
    };
    let each = KeyedConfig { rate: Rate::per_day(1), ..EACH }.burst(100_000);
    let guard = Guard::<64>::new(one, 7, ms(0)).unwrap().with_keyed(users::<64>(each));
    guard.set_mode(Stage::TokenBucket, Mode::Off).unwrap();
    let sent: u32 = std::thread::scope(|scope| {
        let work = |thread: u64| {
            let guard = &guard;
            move || {
                let mut sent = 0;
                for turn in 0..5_000 {
                    let Ok((mut call, admission)) = asked(guard, thread % 2, ms(0)) else { continue };
                    if turn % 3 == 0 {
                        assert!(guard.cancel(admission.permit, ms(0)));
                    } else {
                        let _ = guard.finish(&mut call, admission.permit, Outcome::Success, ms(0));
                        sent += 1;
                    }
                }
                sent
            }
        };
        let threads = [0, 1, 2, 3].map(|thread| scope.spawn(work(thread)));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let left: u32 = [0, 1].map(|key| guard.keyed().available(key, ms(0))).iter().sum();
    assert_eq!(left, 200_000 - sent, "what was sent is spent, and nothing else");
}

#[test]
fn a_guard_with_buckets_by_key_can_be_a_static() {
    static GUARD: Guard<8, 2, KeyedBuckets<4>> = {
        let config = GuardConfig::for_service(Rate::per_second(20), T);
        let config = GuardConfig { limit: LimitConfig { ceiling: 8, ..config.limit }, ..config };
        match (Guard::<8, 2>::new(config, 7, Instant::ORIGIN), KeyedBuckets::new(EACH, 7, Instant::ORIGIN)) {
            (Ok(guard), Ok(users)) => guard.with_keyed(users),
            _ => panic!("refused at compile time"),
        }
    };
    let mut call = GUARD.begin(Request::DEFAULT, ms(0));
    assert!(GUARD.try_attempt(&mut call, ms(0)).is_ok());
    assert_eq!(GUARD.keyed().available(0, ms(0)), 1);
}
