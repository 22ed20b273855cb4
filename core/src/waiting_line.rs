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
    /// The ticket of the first place; each next place has the next ticket.
    first: u64,
    waiting: VecDeque<Place>,
}

#[derive(Debug)]
enum Place {
    Waiting(Option<Waker>),
    /// Left before its turn; it goes when it comes to the front.
    Left,
}

impl Line {
    const_constructor! {
        pub(crate) fn new() -> Self {
            Self { news: AtomicU64::new(0), places: Mutex::new(Places { first: 0, waiting: VecDeque::new() }) }
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
        places.waiting.push_back(Place::Waiting(None));
        self.news.fetch_add(1, Ordering::Relaxed);
        // A line of 2^64 takes longer than the world has.
        Turn { line: self, ticket: places.first + places.waiting.len() as u64 - 1 }
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
        let head = match self.places().waiting.front_mut() {
            Some(Place::Waiting(waker)) => waker.take(),
            _ => None,
        };
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
        self.line.places().index(self.ticket) == 0
    }

    /// Whether it has come to the head, with more news there than it has `heard`, if it has been there before. If not,
    /// `waker` is woken when so.
    pub(crate) fn poll(&self, heard: Option<Heard>, waker: &Waker) -> Poll<()> {
        let mut places = self.line.places();
        let index = places.index(self.ticket);
        let forgets = fault("waiting line: a head sleeps without a last look at the news");
        let has_news = heard.is_none_or(|heard| heard != self.line.heard() && !forgets);
        if index == 0 && has_news {
            return Poll::Ready(());
        }
        let mut old = None;
        if let Some(Place::Waiting(known)) = places.waiting.get_mut(index)
            && !known.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            old = known.replace(waker.clone());
        }
        // It is the caller's code, as the one that is cloned is: it is dropped outside of the lock.
        drop(places);
        drop(old);
        Poll::Pending
    }
}

impl Places {
    /// A place that is held is never passed over: its ticket is the first one's or a later one.
    const fn index(&self, ticket: u64) -> usize {
        (ticket - self.first) as usize
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if is_model_over() {
            return;
        }
        let mut places = self.line.places();
        self.line.news.fetch_sub(1, Ordering::Relaxed);
        let index = places.index(self.ticket);
        let mut gone = Place::Left;
        if let Some(place) = places.waiting.get_mut(index) {
            core::mem::swap(place, &mut gone);
        }
        if index == 0 {
            while let Some(Place::Left) = places.waiting.front() {
                places.waiting.pop_front();
                places.first += 1;
            }
        }
        let next = match places.waiting.front_mut() {
            Some(Place::Waiting(waker)) if index == 0 && !fault("waiting line: the turn is not passed on") => {
                waker.take()
            }
            _ => None,
        };
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
