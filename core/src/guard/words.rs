//! A [`Call`] and a [`Permit`] as plain words, for a face that keeps them in storage of its own.
//!
//! ```text
//! call     0 head   1 began     2 deadline   3 key   4 shard, cost           5 ended, modes   6 delay   7 verdict   8 wait
//! permit   0 head   1 started   2, 3 slot            4 probe or generation   5 tokens   6 ended, shard  7 key      8 wait
//! head     63    48 47         40 39   36 35   32 31      16 15                              0
//!         +--------+-------------+-------+-------+----------+---------------------------------+
//!         | mark   | 0           | paid  | said  | has      | who would refuse in shadow      |
//!         +--------+-------------+-------+-------+----------+---------------------------------+
//! ```
//! The marks differ, so that neither is taken for the other, and neither is zero: words that are all zero are none of the
//! two. `said` is the reason of a call that was given up; `has` are the parts that may be absent, and which kind of
//! verdict there is.
//!
//! # Limits
//! Words that nobody has given are refused where they can name nothing, and else are a call or a permit like one that is
//! void, forged or of another guard: wrong, and not unsafe.

use core::time::Duration;

use crate::circuit_breaker::BreakerPermit;
use crate::concurrency_limit::LimitPermit;
use crate::guard::modes::Held;
use crate::guard::{Call, Permit, Verdict};
use crate::refused::Refused;
use crate::retry_budget::RetryCost;
use crate::retry_strategy::GiveUpReason;
use crate::time::{Instant, nanos};

const CALL: u64 = 0xCA11 << 48;
const PERMIT: u64 = 0x9E44 << 48;
const MARK: u64 = 0xFFFF << 48;
const WHO: u64 = 0xFFFF;
const HALF: u64 = u32::MAX as u64;

const HAS_DEADLINE: u64 = 1 << 16;
const HAS_DELAY: u64 = 1 << 17;
const IS_DONE: u64 = 1 << 18;
const IS_RETRY: u64 = 1 << 19;
const IS_GIVEN_UP: u64 = 1 << 20;
const VERDICT: u64 = IS_DONE | IS_RETRY | IS_GIVEN_UP;
const REASON: u32 = 32;
const PAID: u32 = 36;
const NIBBLE: u64 = 0xF;

const HAS_SLOT: u64 = 1 << 16;
const HAS_BREAKER: u64 = 1 << 17;

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

const fn low(word: u64) -> u32 {
    (word & HALF) as u32
}

const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// What stands in the head, and the wait.
const fn words_of(shadow: Option<Refused>) -> (u64, u64) {
    match shadow {
        Some(refused) => refused.to_words(),
        None => (0, 0),
    }
}

/// `None`: what stands there is no refusal.
const fn shadow_of(head: u64, wait: u64) -> Option<Option<Refused>> {
    if head & WHO == 0 {
        return Some(None);
    }
    match Refused::from_words(head & WHO, wait) {
        None => None,
        refused => Some(refused),
    }
}

impl Call {
    /// How many words it is.
    pub const WORDS: usize = 9;

    /// The call as words, for a face that keeps it in storage of its own. They are a copy of it: go on with one of the two.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Call, Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let call = guard.begin(Request { key: 5, ..Request::DEFAULT }, Instant::ORIGIN);
    /// assert_eq!(Call::from_words(call.to_words()), Some(call));
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    // In line a face that takes words and gives words keeps nothing in between: 60 instructions of a call.
    #[inline(always)]
    pub const fn to_words(self) -> [u64; Self::WORDS] {
        let (who, wait) = words_of(self.shadow);
        let mut head = CALL | who;
        let deadline = match self.deadline {
            Some(deadline) => {
                head |= HAS_DEADLINE;
                deadline.as_nanos()
            }
            None => 0,
        };
        let delay = match self.previous_delay {
            Some(delay) => {
                head |= HAS_DELAY;
                nanos(delay)
            }
            None => 0,
        };
        let mut again_at = 0;
        match self.verdict {
            None => {}
            Some(Verdict::Done) => head |= IS_DONE,
            Some(Verdict::RetryAt(at)) => {
                head |= IS_RETRY;
                again_at = at.as_nanos();
            }
            Some(Verdict::GiveUp(reason)) => head |= IS_GIVEN_UP | (reason as u64) << REASON,
        }
        match self.paid {
            None => {}
            // A guard pays for no other cost than these.
            Some(RetryCost::Timeout) => head |= 2 << PAID,
            Some(_) => head |= 1 << PAID,
        }
        [
            head,
            self.began.as_nanos(),
            deadline,
            self.key,
            pair(self.shard, self.cost),
            pair(self.ended, self.held.bits()),
            delay,
            again_at,
            wait,
        ]
    }

    /// The call that [`to_words`](Self::to_words) took apart; `None` where no call has these words. All zeros are none.
    ///
    /// Any words are safe: others that a call could have are one, whoever wrote them.
    ///
    /// ```
    /// use seawall::Call;
    /// assert_eq!(Call::from_words([0; Call::WORDS]), None);
    /// assert_eq!(Call::from_words([u64::MAX; Call::WORDS]), None);
    /// ```
    #[must_use]
    // In line a face that takes words and gives words keeps nothing in between: 60 instructions of a call.
    #[inline(always)]
    pub const fn from_words(words: [u64; Self::WORDS]) -> Option<Self> {
        let [head, began, deadline, key, shard_and_cost, ended_and_held, delay, again_at, wait] = words;
        let known = MARK | WHO | HAS_DEADLINE | HAS_DELAY | VERDICT | NIBBLE << REASON | NIBBLE << PAID;
        if head & MARK != CALL || head & !known != 0 {
            return None;
        }
        let reason = match head >> REASON & NIBBLE {
            0 => None,
            number => match GiveUpReason::of_number(number) {
                None => return None,
                reason => reason,
            },
        };
        let verdict = match (head & VERDICT, reason) {
            (0, None) => None,
            (IS_DONE, None) => Some(Verdict::Done),
            (IS_RETRY, None) => Some(Verdict::RetryAt(Instant::from_nanos(again_at))),
            (IS_GIVEN_UP, Some(reason)) => Some(Verdict::GiveUp(reason)),
            _ => return None,
        };
        let paid = match head >> PAID & NIBBLE {
            0 => None,
            1 => Some(RetryCost::Error),
            2 => Some(RetryCost::Timeout),
            _ => return None,
        };
        let Some(held) = Held::of_bits(high(ended_and_held)) else { return None };
        let Some(shadow) = shadow_of(head, wait) else { return None };
        Some(Self {
            began: Instant::from_nanos(began),
            deadline: if head & HAS_DEADLINE == 0 { None } else { Some(Instant::from_nanos(deadline)) },
            held,
            key,
            shard: low(shard_and_cost),
            cost: high(shard_and_cost),
            ended: low(ended_and_held),
            previous_delay: if head & HAS_DELAY == 0 { None } else { Some(Duration::from_nanos(delay)) },
            verdict,
            paid,
            shadow,
        })
    }
}

impl Permit {
    /// How many words it is.
    pub const WORDS: usize = 9;

    /// The permit as words, for a face that keeps it in storage of its own.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Permit, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// let words = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap().permit.to_words();
    /// assert!(guard.cancel(Permit::from_words(words).unwrap(), Instant::ORIGIN));
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    // In line a face that takes words and gives words keeps nothing in between: 60 instructions of a call.
    #[inline(always)]
    pub const fn to_words(self) -> [u64; Self::WORDS] {
        let (who, wait) = words_of(self.shadow);
        let mut head = PERMIT | who;
        // Slot and probe were taken when the permit was: their instants are its own.
        let [_, stamp, slot] = match self.limit {
            Some(limit) => {
                head |= HAS_SLOT;
                limit.to_words()
            }
            None => [0; 3],
        };
        let [_, breaker] = match self.breaker {
            Some(breaker) => {
                head |= HAS_BREAKER;
                breaker.to_words()
            }
            None => [0; 2],
        };
        [
            head,
            self.started.as_nanos(),
            stamp,
            slot,
            breaker,
            pair(self.tokens, self.keyed_tokens),
            pair(self.ended, self.shard),
            self.key,
            wait,
        ]
    }

    /// The permit that [`to_words`](Self::to_words) took apart; `None` where no permit has these words. All zeros are
    /// none.
    ///
    /// Any words are safe: others that a permit could have are one, and void unless they name what is out just now.
    ///
    /// ```
    /// use seawall::Permit;
    /// assert_eq!(Permit::from_words([0; Permit::WORDS]), None);
    /// assert_eq!(Permit::from_words([u64::MAX; Permit::WORDS]), None);
    /// ```
    #[must_use]
    // In line a face that takes words and gives words keeps nothing in between: 60 instructions of a call.
    #[inline(always)]
    pub const fn from_words(words: [u64; Self::WORDS]) -> Option<Self> {
        let [head, started, stamp, slot, breaker, tokens, ended_and_shard, key, wait] = words;
        if head & MARK != PERMIT || head & !(MARK | WHO | HAS_SLOT | HAS_BREAKER) != 0 {
            return None;
        }
        let Some(shadow) = shadow_of(head, wait) else { return None };
        let limit = LimitPermit::from_words([started, stamp, slot]);
        let breaker = BreakerPermit::from_words([started, breaker]);
        Some(Self {
            started: Instant::from_nanos(started),
            limit: if head & HAS_SLOT == 0 { None } else { Some(limit) },
            breaker: if head & HAS_BREAKER == 0 { None } else { Some(breaker) },
            tokens: low(tokens),
            keyed_tokens: high(tokens),
            ended: low(ended_and_shard),
            shard: high(ended_and_shard),
            key,
            shadow,
        })
    }
}
