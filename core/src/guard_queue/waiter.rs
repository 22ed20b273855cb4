//! One attempt on its way through the line: what it does when it is woken. Threads and futures differ only in how they
//! sleep.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Poll, Waker};
use core::time::Duration;

use super::AnyGuard;
use crate::clock::Clock;
use crate::guard::{Admission, Call, Finished, Permit};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU32, Ordering, fault, park_timeout};
use crate::time::Instant;
use crate::waiting_line::{Heard, Line, Turn, unparking};

/// A tenth of what a caller would call quick, and ten looks a second for a line of any length.
pub(super) const REVIEW: Duration = Duration::from_millis(100);

/// A queue without the size of its guard.
pub(super) struct Desk<'a, T, C> {
    pub(super) guard: &'a T,
    pub(super) clock: &'a C,
    pub(super) line: &'a Line,
    pub(super) kept_by: &'a AtomicU32,
}

impl<T, C> Clone for Desk<'_, T, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, C> Copy for Desk<'_, T, C> {}

impl<T: AnyGuard, C: Clock> Desk<'_, T, C> {
    pub(super) fn attempt(self, call: &mut Call, max_wait: Duration) -> Result<Admission, Refused> {
        let mut waiter = Waiter::arriving(self, call, max_wait);
        let mut waker = None;
        loop {
            match waiter.look() {
                Look::Over(answer) => return answer,
                Look::Wait(wait) => {
                    if waiter.poll(waker.get_or_insert_with(unparking)).is_pending() {
                        // Woken for no reason, it looks again.
                        park_timeout(wait.unwrap_or(Duration::MAX));
                    }
                }
            }
        }
    }

    pub(super) async fn attempt_async<D: Future<Output = ()>>(
        self,
        call: &mut Call,
        max_wait: Duration,
        sleep: &mut impl FnMut(Duration) -> D,
    ) -> Result<Admission, Refused> {
        let mut waiter = Waiter::arriving(self, call, max_wait);
        let mut is_waiting = false;
        let mut nap = pin!(None);
        let answer = poll_fn(|context| {
            loop {
                // Polled for another's sake, it asks nobody.
                if is_waiting && waiter.poll(context.waker()).is_pending() {
                    let is_over = nap.as_mut().as_pin_mut().map(|nap: core::pin::Pin<&mut D>| nap.poll(context));
                    if is_over != Some(Poll::Ready(())) {
                        return Poll::Pending;
                    }
                }
                match waiter.look() {
                    Look::Over(answer) => return Poll::Ready(answer),
                    Look::Wait(wait) => nap.set(wait.map(&mut *sleep)),
                }
                is_waiting = true;
            }
        });
        answer.await
    }

    pub(super) fn finish(self, call: &mut Call, permit: Permit, outcome: Outcome) -> Finished {
        let finished = self.guard.finish(call, permit, outcome, self.clock.now());
        self.line.tell();
        finished
    }

    pub(super) fn cancel(self, permit: Permit) -> bool {
        let is_good = self.guard.cancel(permit, self.clock.now());
        self.line.tell();
        is_good
    }
}

/// One attempt. Dropped, it leaves the line.
struct Waiter<'a, 'c, T, C> {
    desk: Desk<'a, T, C>,
    call: &'c mut Call,
    max_wait: Duration,
    /// When its patience ends: known at the first look, for which alone the clock is read.
    until: Option<Instant>,
    turn: Option<Turn<'a>>,
    /// The news that it had heard when it looked as the head.
    heard: Option<Heard>,
}

/// What came of a look.
enum Look {
    Over(Result<Admission, Refused>),
    /// Look again after so long, or when woken; `None`: only when woken.
    Wait(Option<Duration>),
}

impl<'a, 'c, T: AnyGuard, C: Clock> Waiter<'a, 'c, T, C> {
    const fn arriving(desk: Desk<'a, T, C>, call: &'c mut Call, max_wait: Duration) -> Self {
        Self { desk, call, max_wait, until: None, turn: None, heard: None }
    }

    /// When its patience ends, where it arrived `now` or before.
    fn until(&mut self, now: Instant) -> Instant {
        let deadline = self.call.deadline();
        *self.until.get_or_insert_with(|| {
            // At the deadline itself nothing is sent.
            let last = deadline.map_or(Instant::MAX, |deadline| deadline.saturating_sub(Duration::from_nanos(1)));
            now.saturating_add(self.max_wait).min(last)
        })
    }

    /// Whether to look again.
    fn poll(&self, waker: &Waker) -> Poll<()> {
        self.turn.as_ref().map_or(Poll::Pending, |turn| turn.poll(self.heard, waker))
    }

    fn look(&mut self) -> Look {
        let Desk { guard, clock, line, kept_by } = self.desk;
        loop {
            let now = clock.now();
            let until = self.until(now);
            let patience = until.saturating_duration_since(now);
            let is_behind = self.is_behind();
            // Before it asks: whatever is told from here on is news.
            self.heard = (!is_behind).then(|| line.heard());
            let answer = if is_behind {
                guard.peek(self.call, now)
            } else {
                match guard.try_attempt(self.call, now) {
                    Ok(admission) => return Look::Over(Ok(admission)),
                    Err(refused) => Err(refused),
                }
            };
            let wait = match answer {
                Err(refused) => refused.worth_waiting(patience),
                Ok(()) => (!patience.is_zero()).then_some(patience),
            };
            let Some(wait) = wait else {
                return Look::Over(Err(answer.err().unwrap_or_else(|| self.kept())));
            };
            let stage = answer.err().map(Refused::stage);
            if stage == Some(Stage::RetryBudget) {
                // Its own instant: it comes back then, as one that arrives.
                return Look::Wait(Some(wait));
            }
            if fault("guard queue: the news is heard after the look") {
                self.heard = self.heard.map(|_| line.heard());
            }
            if self.turn.is_none() {
                // Only now it is known who else waits: it looks as the head, or from behind.
                self.turn = Some(line.join());
                continue;
            }
            if is_behind {
                return Look::Wait((until != Instant::MAX).then_some(patience));
            }
            kept_by.store(stage.map_or(0, |stage| stage as u32), Ordering::Relaxed);
            return Look::Wait(Some(wait.min(REVIEW)));
        }
    }

    /// Whether others were here first.
    fn is_behind(&self) -> bool {
        match &self.turn {
            Some(turn) => !turn.is_head(),
            None => !self.desk.line.is_empty() && self.call.can_be_kept_waiting(),
        }
    }

    /// What refuses a call that only those before it keep waiting: what keeps the head.
    fn kept(&self) -> Refused {
        const PAUSE: u32 = Stage::Pause as u32;
        const BUCKET: u32 = Stage::TokenBucket as u32;
        let stage = match self.desk.kept_by.load(Ordering::Relaxed) {
            PAUSE => Stage::Pause,
            BUCKET => Stage::TokenBucket,
            _ => Stage::ConcurrencyLimit,
        };
        Refused::not_yet(stage, None)
    }
}
