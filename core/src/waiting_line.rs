//! [`Line`]: who waits, in the order of arrival; and word to its head that it may be worth to look again.
//!
//! # Invariant
//! One place is the head, as long as anybody waits, and whoever leaves the head passes it on: the next one is woken.
//! News that came after the head began to look is never lost: it finds it before it sleeps, or is woken by it.
//!
//! ```text
//! news     63                            32 31                             0
//!         +--------------------------------+--------------------------------+
//!         | tidings so far: 32             | places that are held: 32       |
//!         +--------------------------------+--------------------------------+
//! ```
//! The two are one word, so that who brings news learns in the same step whether anybody is there to hear it: where
//! nobody waits, that is all that it does.
//!
//! # Orderings
//! News is added with `Release` and the head reads the word with `Acquire` before it looks: what was done before the news
//! is seen by the look. Places come and go relaxed, as exchanges that pass the release on. Of a piece of news and a
//! place, one comes first in the one word: the place, and the bringer sees it and goes to the lock; or the news, and who
//! has the place reads it. Under the lock the head leaves its waker and reads the word once more: either the bringer
//! comes to the lock after it, and finds the waker, or came before, and the head finds the news.
//!
//! # Limits
//! - The tidings wrap: 2^32 of them between a look and the sleep after it pass for none.
//! - A line of over 2^32 - 1 places would run into them; each is a thread or a future.
//! - Room for twice as many as wait. Who leaves from the middle now and then moves all that wait, under the lock: one
//!   place for each that was left, in the mean.

use core::task::{Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

use crate::sync::{
    AtomicU64, Mutex, MutexGuard, Ordering, Thread, const_constructor, current_thread, fault, is_model_over, ordering,
};

/// One piece of news.
const NEWS: u64 = 1 << 32;

/// The news as far as it has been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard(u32);

/// Who waits, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Line {
    news: AtomicU64,
    places: Mutex<Places>,
}

#[derive(Debug)]
struct Places {
    /// The ticket of who comes next.
    next: u64,
    /// How many of the places were left before their turn: never the first, and at most half of all. They go when they
    /// come to the front, or all together: so a head that stays long does not keep the room of who came and went.
    left: usize,
    /// By their tickets, which rise.
    waiting: VecDeque<Place>,
}

#[derive(Debug)]
struct Place {
    ticket: u64,
    is_left: bool,
    waker: Option<Waker>,
}

impl Line {
    const_constructor! {
        pub(crate) fn new() -> Self {
            Self { news: AtomicU64::new(0), places: Mutex::new(Places { next: 0, left: 0, waiting: VecDeque::new() }) }
        }
    }

    /// How many wait. Who has come before the caller did is counted.
    pub(crate) fn waiting(&self) -> u32 {
        // Truncates to the places on purpose.
        self.news.load(Ordering::Relaxed) as u32
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Takes the last place.
    pub(crate) fn join(&self) -> Turn<'_> {
        let mut places = self.places();
        let ticket = places.next;
        // 2^64 tickets take longer than the world has.
        places.next = ticket.wrapping_add(1);
        places.waiting.push_back(Place { ticket, is_left: false, waker: None });
        self.news.fetch_add(1, Ordering::Relaxed);
        Turn { line: self, ticket }
    }

    /// What the head has heard so far: to be asked before it looks.
    pub(crate) fn heard(&self) -> Heard {
        let acquire = ordering(Ordering::Acquire, "waiting line: the news is read without looking", Ordering::Relaxed);
        Heard((self.news.load(acquire) / NEWS) as u32)
    }

    /// The head may find more than when it last looked. Wakes it, if there is one.
    pub(crate) fn tell(&self) {
        let release = ordering(Ordering::Release, "waiting line: news brings nothing with it", Ordering::Relaxed);
        // Wraps at 2^32 tidings, past the end of the word.
        let places = self.news.fetch_add(NEWS, release) as u32;
        if places == 0 || fault("waiting line: news wakes nobody") {
            return;
        }
        let head = self.places().waker_of_head();
        // A waker is the caller's code: it runs outside of the lock.
        if let Some(head) = head {
            head.wake();
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        // Nothing under the lock can panic halfway through a change.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    line: &'a Line,
    ticket: u64,
}

impl Turn<'_> {
    /// Whether it is at the head.
    pub(crate) fn is_head(&self) -> bool {
        self.line.places().is_head(self.ticket)
    }

    /// Whether it has come to the head, with more news there than it has `heard`, if it has been there before. If not,
    /// `waker` is woken when so.
    pub(crate) fn poll(&self, heard: Option<Heard>, waker: &Waker) -> Poll<()> {
        let mut places = self.line.places();
        let forgets = fault("waiting line: a head sleeps without a last look at the news");
        let has_news = heard.is_none_or(|heard| heard != self.line.heard() && !forgets);
        if places.is_head(self.ticket) && has_news {
            return Poll::Ready(());
        }
        let mut old = None;
        if let Some(place) = places.find(self.ticket)
            && !place.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            old = place.waker.replace(waker.clone());
        }
        // It is the caller's code, as the one that is cloned is: it is dropped outside of the lock.
        drop(places);
        drop(old);
        Poll::Pending
    }
}

impl Places {
    fn is_head(&self, ticket: u64) -> bool {
        self.waiting.front().is_some_and(|place| place.ticket == ticket)
    }

    fn waker_of_head(&mut self) -> Option<Waker> {
        self.waiting.front_mut().and_then(|place| place.waker.take())
    }

    /// The place with this ticket, as long as it is held.
    fn find(&mut self, ticket: u64) -> Option<&mut Place> {
        let index = self.waiting.binary_search_by_key(&ticket, |place| place.ticket).ok()?;
        self.waiting.get_mut(index)
    }

    /// Gives up a place; the waker that stood there.
    fn leave(&mut self, ticket: u64) -> Option<Waker> {
        let place = self.find(ticket)?;
        place.is_left = true;
        let waker = place.waker.take();
        self.left += 1;
        while self.waiting.front().is_some_and(|place| place.is_left) {
            self.waiting.pop_front();
            // It was counted when it was left.
            self.left -= 1;
        }
        // Each place is moved once at most for each that was left.
        if self.left > self.waiting.len() / 2 {
            self.waiting.retain(|place| !place.is_left);
            self.left = 0;
        }
        waker
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if is_model_over() {
            return;
        }
        let mut places = self.line.places();
        self.line.news.fetch_sub(1, Ordering::Relaxed);
        let passes_on = places.is_head(self.ticket) && !fault("waiting line: the turn is not passed on");
        let gone = places.leave(self.ticket);
        let next = if passes_on { places.waker_of_head() } else { None };
        // A waker is the caller's code: it runs, and is dropped, outside of the lock.
        drop(places);
        drop(gone);
        if let Some(next) = next {
            next.wake();
        }
    }
}

/// A waker that ends the calling thread's [`park_timeout`](crate::sync::park_timeout).
pub(crate) fn unparking() -> Waker {
    Waker::from(Arc::new(Unpark(current_thread())))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_and_goes_behind_a_head_that_stays_leaves_no_room_taken() {
        let line = Line::new();
        let head = line.join();
        // One of the line is always there when the next comes, so that no end of it is ever free.
        let mut last = line.join();
        for _ in 0..10_000 {
            last = line.join();
        }
        assert_eq!(line.waiting(), 2);
        let places = line.places().waiting.len();
        assert!(places <= 4, "{places} places for two");
        assert!(head.is_head() && !last.is_head());
        drop(head);
        assert!(last.is_head());
        drop(last);
        assert!(line.is_empty() && line.places().waiting.is_empty());
    }
}
