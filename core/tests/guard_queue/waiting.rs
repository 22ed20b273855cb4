//! The line: its order, its patience, and what it leaves behind.

use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn, ready};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use portable_atomic::{AtomicU32, Ordering};
use seawall::{
    Admission, BucketConfig, Call, Clock, Fill, Guard, GuardConfig, GuardModes, GuardQueue, LimitConfig, ManualClock,
    Mode, MonotonicClock, Outcome, Permit, Rate, Reason, Refused, Request, Stage, Verdict,
};

use crate::{Queue, SECOND, Woken, at, config, guard, never, now, poll, poll_as, state, take, waiting};

#[test]
fn a_freed_slot_goes_to_who_came_first_and_wakes_nobody_else() {
    let (guard, clock) = (guard(config(1, 100)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let (mut call, mut permit) = take(&queue);
    let woken = [(); 4].map(|()| Arc::new(Woken::default()));
    let mut waiters: Vec<_> =
        woken.iter().map(|woken| (waiting(&queue, Request::DEFAULT, SECOND), woken.clone())).collect();
    for (waiter, woken) in &mut waiters {
        assert!(poll_as(waiter.as_mut(), woken).is_pending());
    }
    assert_eq!(queue.waiting(), 4);
    // The clock stands still: nothing but the report wakes anybody.
    for served in 0..4 {
        assert_eq!(queue.finish(&mut call, permit, Outcome::Success).verdict, Verdict::Done);
        let times: Vec<_> = woken.iter().map(|woken| woken.times()).collect();
        assert!(times[served] >= 1 && times[served + 1..].iter().all(|times| *times == 0), "{served} {times:?}");
        // Whoever is polled first: the order is that of arrival.
        let last = waiters.len() - 1;
        for place in (1..=last).rev() {
            let woken = waiters[place].1.clone();
            assert!(poll_as(waiters[place].0.as_mut(), &woken).is_pending());
        }
        let (mut first, woken) = waiters.remove(0);
        let Poll::Ready(Ok((next, admission))) = poll_as(first.as_mut(), &woken) else { panic!("{served} not served") };
        (call, permit) = (next, admission.permit);
        assert_eq!(guard.limit().in_flight(at(0)), 1);
        // The next is the head now, and was told; it finds the limit full.
        for (waiter, woken) in &mut waiters {
            assert!(poll_as(waiter.as_mut(), woken).is_pending());
        }
    }
    assert_eq!((queue.waiting(), clock.now()), (0, at(0)));
}

#[test]
fn a_newcomer_does_not_pass_by_who_waits_not_even_for_what_is_there() {
    let (guard, clock) = (guard(config(8, 3)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    // The big one needs five, and three are there: those that need one do not starve it.
    let mut big = waiting(&queue, Request { cost: 5, ..Request::DEFAULT }, 10 * SECOND);
    assert!(poll(big.as_mut()).is_pending());
    let mut small = waiting(&queue, Request::DEFAULT, 10 * SECOND);
    assert!(poll(small.as_mut()).is_pending());
    // One that may not wait is told what keeps the head.
    let mut hasty = queue.begin(Request::DEFAULT);
    assert!(guard.peek(&hasty, at(0)).is_ok());
    assert_eq!(now(&queue, &mut hasty), Err(Refused::not_yet(Stage::TokenBucket, None)));
    assert_eq!(guard.bucket().available(at(0)), 3);
    clock.set(at(2_000));
    assert!(poll(small.as_mut()).is_pending(), "behind the big one");
    drop(big);
    assert!(matches!(poll(small.as_mut()), Poll::Ready(Ok(_))), "five are there, and it needs one");
}

#[test]
fn a_big_wait_is_served_before_a_stream_of_small_ones() {
    let (guard, clock) = (guard(config(8, 0)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let order = RefCell::new(Vec::new());
    let one = |name: u32, cost| {
        let (queue, order, clock) = (&queue, &order, &clock);
        Box::pin(async move {
            let mut call = queue.begin(Request { cost, ..Request::DEFAULT });
            // Each poll is a tenth of a second later.
            let sleep = |delay: Duration| {
                let end = clock.now().saturating_add(delay);
                poll_fn(move |_| if clock.now() >= end { Poll::Ready(()) } else { Poll::Pending })
            };
            let admission = queue.attempt_async(&mut call, 60 * SECOND, sleep).await.expect("served");
            order.borrow_mut().push(name);
            let _ = queue.finish(&mut call, admission.permit, Outcome::Success);
        })
    };
    let mut waiters = vec![one(0, 10)];
    for step in 1..=300 {
        if step <= 10 {
            waiters.push(one(step, 1));
        }
        waiters.retain_mut(|waiter| poll(waiter.as_mut()).is_pending());
        clock.advance(SECOND / 10);
    }
    assert_eq!(*order.borrow(), (0..=10).collect::<Vec<_>>());
}

#[test]
fn only_what_waiting_helps_is_waited_for() {
    let not_yet = |stage, ms| Refused::not_yet(stage, Some(Duration::from_millis(ms)));
    for stage in [Stage::Pause, Stage::TokenBucket, Stage::RetryBudget] {
        assert_eq!(not_yet(stage, 999).worth_waiting(SECOND), Some(Duration::from_millis(999)));
        assert_eq!(not_yet(stage, 1_000).worth_waiting(SECOND), Some(SECOND));
        assert_eq!(not_yet(stage, 1_001).worth_waiting(SECOND), None);
        assert_eq!(Refused::not_yet(stage, None).worth_waiting(Duration::MAX), None);
    }
    let limit = Refused::not_yet(Stage::ConcurrencyLimit, None);
    assert_eq!(limit.worth_waiting(SECOND), Some(SECOND));
    assert_eq!(limit.worth_waiting(Duration::MAX), Some(Duration::from_nanos(u64::MAX)));
    for wait in [Duration::from_nanos(1), SECOND, Duration::MAX] {
        for stage in [Stage::Deadline, Stage::CircuitBreaker, Stage::KeyedBucket] {
            assert_eq!(not_yet(stage, 1).worth_waiting(wait), None);
        }
        for stage in [Stage::ConcurrencyLimit, Stage::TokenBucket, Stage::Pause, Stage::RetryBudget] {
            for refused in [Refused::never(stage), Refused::clock_stepped(stage), Refused::no_place(stage, Some(wait))]
            {
                assert_eq!(refused.worth_waiting(wait), None);
            }
            assert_eq!(not_yet(stage, 1).worth_waiting(Duration::ZERO), None);
        }
    }
}

#[test]
fn what_the_breaker_refuses_never_waits_though_others_do() {
    let (guard, clock) = (guard(config(1, 100)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let (mut call, permit) = take(&queue);
    let woken = Arc::new(Woken::default());
    let mut waiter = waiting(&queue, Request::DEFAULT, SECOND);
    assert!(poll_as(waiter.as_mut(), &woken).is_pending());
    guard.breaker(0).force_open(at(0));
    let refused = |answer: Poll<Result<(Call, Admission), Refused>>| match answer {
        Poll::Ready(Err(refused)) => refused.stage(),
        _ => panic!("not refused at once"),
    };
    assert_eq!(refused(poll(waiting(&queue, Request::DEFAULT, 60 * SECOND).as_mut())), Stage::CircuitBreaker);
    // Who waits already is told with the next report.
    let _ = queue.finish(&mut call, permit, Outcome::Success);
    assert_eq!(woken.times(), 1);
    assert_eq!(refused(poll_as(waiter.as_mut(), &woken)), Stage::CircuitBreaker);
    assert_eq!(refused(poll(waiting(&queue, Request::DEFAULT, 60 * SECOND).as_mut())), Stage::CircuitBreaker);
    drop(waiter);
    assert_eq!((queue.waiting(), guard.limit().in_flight(at(0))), (0, 0));
}

/// One call at two guards, and its attempt.
type Twins = (Call, Call, Option<(Permit, Permit)>);

#[test]
fn without_a_wait_the_answer_is_the_guards_own() {
    let (mine, theirs) = (guard(config(3, 5)), guard(config(3, 5)));
    let clock = ManualClock::starting_at(at(0));
    let queue = GuardQueue::new(&mine, &clock);
    let mut random = 7_u64;
    let mut calls: Vec<Twins> = Vec::new();
    let (mut admitted, mut refused) = (0, 0);
    for step in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = (random >> 33) as usize;
        let now = clock.now();
        match draw % 4 {
            0 => {
                let request = Request {
                    cost: draw as u32 / 4 % 3,
                    deadline: draw.is_multiple_of(5).then(|| now.saturating_add(SECOND)),
                    ..Request::DEFAULT
                };
                calls.push((queue.begin(request), theirs.begin(request, now), None));
            }
            1 => clock.advance(Duration::from_millis(draw as u64 / 4 % 700)),
            _ if calls.is_empty() => {}
            2 => {
                let place = draw / 4 % calls.len();
                let (left, right, permits) = &mut calls[place];
                if permits.is_none() {
                    let peeked = mine.peek(left, now);
                    let answer = queue.attempt(left, Duration::ZERO);
                    match (peeked, answer) {
                        (Err(refused), answer) => assert_eq!(answer, Err(refused), "step {step}"),
                        // A restart that it settled.
                        (Ok(()), Err(refused)) => assert_eq!(refused.stage(), Stage::TokenBucket, "step {step}"),
                        (Ok(()), Ok(_)) => {}
                    }
                    assert_eq!(answer, theirs.try_attempt(right, now), "step {step}");
                    match answer {
                        Ok(admission) => {
                            (*permits, admitted) = (Some((admission.permit, admission.permit)), admitted + 1)
                        }
                        Err(_) => refused += 1,
                    }
                }
            }
            _ => {
                let place = draw / 4 % calls.len();
                let (left, right, permits) = &mut calls[place];
                if let Some((mine, other)) = permits.take() {
                    if draw.is_multiple_of(3) {
                        assert_eq!(queue.cancel(mine), theirs.cancel(other, now), "step {step}");
                    } else {
                        let outcome = if draw.is_multiple_of(7) { Outcome::Failure } else { Outcome::Success };
                        let finished = queue.finish(left, mine, outcome);
                        assert_eq!(finished, theirs.finish(right, other, outcome, now), "step {step}");
                        if finished.verdict == Verdict::Done {
                            calls.swap_remove(place);
                        }
                    }
                } else if calls.len() > 12 {
                    let (mut left, mut right, _) = calls.swap_remove(place);
                    queue.abandon(&mut left);
                    theirs.abandon(&mut right, now);
                }
            }
        }
        assert_eq!(state(&mine, clock.now()), state(&theirs, clock.now()), "step {step}");
    }
    assert!(admitted > 500 && refused > 500, "{admitted} {refused}");
}

#[test]
fn a_waiter_that_runs_out_of_patience_leaves_nothing_behind_and_the_turn_goes_on() {
    let (guard, clock) = (guard(config(1, 100)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let (mut call, permit) = take(&queue);
    let before = state(&guard, at(0));
    let advance = |delay| {
        clock.advance(delay);
        ready(())
    };
    // As the head.
    let mut impatient = queue.begin(Request::DEFAULT);
    let answer = poll(pin!(queue.attempt_async(&mut impatient, SECOND / 4, advance)));
    let refused = answer.map(|answer| answer.map(|_| ()).map_err(Refused::stage));
    assert_eq!(refused, Poll::Ready(Err(Stage::ConcurrencyLimit)));
    assert_eq!((clock.now(), queue.waiting()), (at(250), 0));
    // Behind another.
    let mut head = waiting(&queue, Request::DEFAULT, SECOND);
    assert!(poll(head.as_mut()).is_pending());
    let slept = RefCell::new(Vec::new());
    let answer = poll(pin!(queue.attempt_async(&mut impatient, SECOND / 4, |delay| {
        slept.borrow_mut().push(delay);
        advance(delay)
    })));
    assert_eq!(answer.map(|answer| answer.is_err()), Poll::Ready(true));
    assert_eq!(*slept.borrow(), [SECOND / 4], "who is not the head sleeps once");
    assert_eq!((clock.now(), queue.waiting()), (at(500), 1));
    assert_eq!(state(&guard, at(0)), before);
    // Those that leave from the head and from the middle pass the turn on.
    let woken = [(); 2].map(|()| Arc::new(Woken::default()));
    let mut middle = waiting(&queue, Request::DEFAULT, SECOND);
    assert!(poll_as(middle.as_mut(), &woken[0]).is_pending());
    let mut last = waiting(&queue, Request::DEFAULT, SECOND);
    assert!(poll_as(last.as_mut(), &woken[1]).is_pending());
    drop(middle);
    drop(head);
    assert_eq!(woken.each_ref().map(|woken| woken.times()), [0, 1]);
    assert!(poll_as(last.as_mut(), &woken[1]).is_pending());
    assert!(queue.finish(&mut call, permit, Outcome::Success).verdict == Verdict::Done);
    assert_eq!(woken[1].times(), 2);
    assert!(matches!(poll(last.as_mut()), Poll::Ready(Ok(_))));
}

#[test]
fn a_head_that_was_woken_and_dropped_passes_the_news_on() {
    let (guard, clock) = (guard(config(1, 100)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let (_, permit) = take(&queue);
    let woken = Arc::new(Woken::default());
    let mut head = waiting(&queue, Request::DEFAULT, SECOND);
    assert!(poll(head.as_mut()).is_pending());
    let mut next = waiting(&queue, Request::DEFAULT, SECOND);
    assert!(poll_as(next.as_mut(), &woken).is_pending());
    assert!(queue.cancel(permit));
    assert_eq!(woken.times(), 0);
    drop(head);
    assert_eq!(woken.times(), 1);
    assert!(matches!(poll_as(next.as_mut(), &woken), Poll::Ready(Ok(_))));
}

#[test]
fn a_slot_that_is_freed_past_the_queue_or_lapses_is_noticed_by_a_review() {
    for lapses in [false, true] {
        let (guard, clock) = (guard(config(1, 100)), ManualClock::starting_at(at(0)));
        let queue = GuardQueue::new(&guard, &clock);
        let (mut call, permit) = take(&queue);
        let naps = Cell::new(0);
        let sleep = |delay: Duration| {
            assert!(delay <= Queue::REVIEW);
            naps.set(naps.get() + 1);
            clock.advance(delay);
            if naps.get() == 3 && !lapses {
                let _ = guard.finish(&mut call, permit, Outcome::Success, clock.now());
            }
            ready(())
        };
        let mut waiter = queue.begin(Request::DEFAULT);
        let answer = poll(pin!(queue.attempt_async(&mut waiter, 60 * SECOND, sleep)));
        assert!(matches!(answer, Poll::Ready(Ok(_))));
        let waited = clock.now().saturating_duration_since(at(0));
        let expected = if lapses { 10 * SECOND } else { 3 * Queue::REVIEW };
        assert!(waited >= expected && waited <= expected + Queue::REVIEW, "{waited:?}");
    }
}

#[test]
fn a_wait_that_is_known_to_be_too_long_is_refused_at_once() {
    let (guard, clock) = (guard(config(8, 0)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let answer = poll(waiting(&queue, Request::DEFAULT, SECOND / 2).as_mut());
    let Poll::Ready(Err(refused)) = answer else { panic!("it waits") };
    assert_eq!((refused.stage(), refused.retry_after()), (Stage::TokenBucket, Some(SECOND)));
    // More than can ever fit.
    let request = Request { cost: 101, ..Request::DEFAULT };
    let Poll::Ready(Err(refused)) = poll(waiting(&queue, request, Duration::MAX).as_mut()) else { panic!("it waits") };
    assert_eq!(refused.reason(), Reason::Never);
    // A wait that ends just in time is waited.
    let advance = |delay| {
        clock.advance(delay);
        ready(())
    };
    let mut call = queue.begin(Request::DEFAULT);
    assert!(matches!(poll(pin!(queue.attempt_async(&mut call, SECOND, advance))), Poll::Ready(Ok(_))));
    assert_eq!(clock.now(), at(1_000));
}

#[test]
fn a_pause_and_the_calls_own_backoff_are_waited_for_and_nobody_waits_behind_a_backoff() {
    let (guard, clock) = (guard(config(8, 100)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let (mut call, permit) = take(&queue);
    let Verdict::RetryAt(again) = queue.finish(&mut call, permit, Outcome::Failure).verdict else { panic!("no retry") };
    let mut retry = Box::pin(queue.attempt_async(&mut call, 10 * SECOND, |_| {
        poll_fn(|_| if clock.now() >= again { Poll::Ready(()) } else { Poll::Pending })
    }));
    assert!(poll(retry.as_mut()).is_pending());
    assert_eq!(queue.waiting(), 0);
    let (_, permit) = take(&queue);
    assert!(queue.cancel(permit));
    clock.set(again);
    let Poll::Ready(Ok(admission)) = poll(retry.as_mut()) else { panic!("its instant has come") };
    drop(retry);
    // Now the server asks for a pause.
    let wait = Duration::from_secs(2);
    let Verdict::RetryAt(_) = queue.finish(&mut call, admission.permit, Outcome::Throttled(Some(wait))).verdict else {
        panic!("no retry")
    };
    let end = guard.paused_until(clock.now()).expect("a pause");
    let advance = |delay| {
        clock.advance(delay);
        ready(())
    };
    let Poll::Ready(Err(refused)) = poll(waiting(&queue, Request::DEFAULT, SECOND).as_mut()) else {
        panic!("it waits")
    };
    assert_eq!(refused.stage(), Stage::Pause);
    let mut other = queue.begin(Request::DEFAULT);
    assert!(matches!(poll(pin!(queue.attempt_async(&mut other, 5 * SECOND, advance))), Poll::Ready(Ok(_))));
    assert_eq!(clock.now(), end);
}

#[test]
fn no_call_waits_up_to_its_deadline_or_is_sent_after_it() {
    let (guard, clock) = (guard(config(1, 100)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let (_, permit) = take(&queue);
    let advance = |delay| {
        clock.advance(delay);
        ready(())
    };
    let within = |ms| Request { deadline: Some(at(ms)), ..Request::DEFAULT };
    let mut call = queue.begin(within(300));
    let answer = poll(pin!(queue.attempt_async(&mut call, 60 * SECOND, advance)));
    assert_eq!(
        answer.map(|answer| answer.map_err(Refused::stage).map(|_| ())),
        Poll::Ready(Err(Stage::ConcurrencyLimit))
    );
    assert!(clock.now() < at(300));
    // It has passed: no wait, though others wait, and a clock that jumps over it sends nothing.
    clock.set(at(300));
    let mut head = waiting(&queue, within(500), 60 * SECOND);
    assert!(poll(head.as_mut()).is_pending());
    let mut late = queue.begin(within(300));
    assert_eq!(now(&queue, &mut late).map_err(Refused::stage).map(|_| ()), Err(Stage::Deadline));
    let Poll::Ready(Err(refused)) = poll(waiting(&queue, within(300), 60 * SECOND).as_mut()) else {
        panic!("it waits")
    };
    assert_eq!(refused.stage(), Stage::Deadline);
    clock.set(at(500));
    assert!(queue.cancel(permit));
    let Poll::Ready(Err(refused)) = poll(head.as_mut()) else { panic!("sent at its deadline") };
    assert_eq!(refused.stage(), Stage::Deadline);
    // A token that comes only at the deadline is not waited for.
    guard.bucket().drain_to(0, at(500));
    let mut call = queue.begin(within(1_500));
    let answer = poll(pin!(queue.attempt_async(&mut call, 60 * SECOND, never)));
    assert_eq!(answer.map(|answer| answer.map_err(Refused::stage).map(|_| ())), Poll::Ready(Err(Stage::TokenBucket)));
}

#[test]
fn a_stage_in_shadow_keeps_nobody_waiting() {
    let modes = GuardModes { limit: Mode::Shadow, bucket: Mode::Shadow, pause: Mode::Off, ..GuardModes::ENFORCE };
    let (guard, clock) = (guard(GuardConfig { modes, ..config(1, 1) }), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let mut bound = {
        // One call was begun while the limit was enforced.
        guard.set_mode(Stage::ConcurrencyLimit, Mode::Enforce).expect("it has a mode");
        let (_, _permit) = take(&queue);
        waiting(&queue, Request::DEFAULT, SECOND)
    };
    assert!(poll(bound.as_mut()).is_pending());
    guard.set_mode(Stage::ConcurrencyLimit, Mode::Shadow).expect("it has a mode");
    for _ in 0..3 {
        let mut call = queue.begin(Request::DEFAULT);
        assert!(now(&queue, &mut call).is_ok());
    }
    assert_eq!(queue.waiting(), 1);
}

#[test]
fn threads_are_never_more_than_the_limit_and_each_is_served() {
    let clock = MonotonicClock::new();
    let base = config(2, 0);
    let config = GuardConfig {
        bucket: BucketConfig::new(Rate::per_second(100_000)).burst(100_000).fill(Fill::Full),
        limit: LimitConfig { lease: 600 * SECOND, slow_after: 60 * SECOND, timeout: 120 * SECOND, ..base.limit },
        ..base
    };
    let guard = Arc::new(Guard::<8>::new(config, 7, clock.now()).expect("legal"));
    let queue = GuardQueue::new(Arc::clone(&guard), clock);
    let (sent, in_flight, most) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let mut call = queue.begin(Request::DEFAULT);
                    let permit = queue.attempt(&mut call, 60 * SECOND).expect("served").permit;
                    most.fetch_max(in_flight.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    sent.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                    in_flight.fetch_sub(1, Ordering::Relaxed);
                    assert_eq!(queue.finish(&mut call, permit, Outcome::Success).verdict, Verdict::Done);
                }
            });
        }
    });
    assert_eq!((sent.into_inner(), queue.waiting(), guard.limit().in_flight(clock.now())), (1_600, 0, 0));
    assert!(most.into_inner() <= 2);
}

#[test]
fn a_thread_is_woken_by_the_report_and_one_without_patience_leaves_the_line_whole() {
    let clock = MonotonicClock::new();
    let guard = Guard::<8>::new(config(1, 100), 7, clock.now()).expect("legal");
    let queue = GuardQueue::new(&guard, clock);
    let mut call = queue.begin(Request::DEFAULT);
    let permit = queue.attempt(&mut call, Duration::ZERO).expect("admitted").permit;
    std::thread::scope(|scope| {
        let queue = &queue;
        let attempt = |max_wait| move || queue.attempt(&mut queue.begin(Request::DEFAULT), max_wait);
        let head = scope.spawn(attempt(60 * SECOND));
        while queue.waiting() == 0 {
            std::thread::yield_now();
        }
        let impatient: Vec<_> = (0..4).map(|_| scope.spawn(attempt(Duration::from_millis(2)))).collect();
        for thread in impatient {
            let refused = thread.join().expect("no panic").expect_err("the slot is held");
            assert_eq!((refused.stage(), refused.reason()), (Stage::ConcurrencyLimit, Reason::NotYet));
        }
        assert_eq!(queue.waiting(), 1);
        let _ = queue.finish(&mut call, permit, Outcome::Success);
        let admission = head.join().expect("no panic").expect("woken");
        assert!(queue.cancel(admission.permit));
    });
    assert_eq!((queue.waiting(), guard.limit().in_flight(clock.now())), (0, 0));
}

#[test]
fn a_future_that_is_polled_for_anothers_sake_asks_nobody_and_begins_no_other_sleep() {
    let (guard, clock) = (guard(config(1, 100)), ManualClock::starting_at(at(0)));
    let queue = GuardQueue::new(&guard, &clock);
    let _held = take(&queue);
    let naps = Cell::new(0);
    let mut call = queue.begin(Request::DEFAULT);
    let mut waiter = pin!(queue.attempt_async(&mut call, SECOND, |_| {
        naps.set(naps.get() + 1);
        pending()
    }));
    for _ in 0..100 {
        assert!(poll(waiter.as_mut()).is_pending());
    }
    assert_eq!(naps.get(), 1);
}
