//! A snapshot in words, and a refusal.

use core::time::Duration;

use heapless::String;

use crate::refused::{Reason, Refused, Stage};
use crate::retry_budget::RetryTokens;
use crate::retry_strategy::GiveUpReason;
use crate::snapshot::Snapshot;
use crate::snapshot::words::{Buffer, Text, Words, counted, duration, number, rate, tenths};
use crate::transition::State;

impl Snapshot {
    /// No text of [`explain`](Self::explain) is longer: with this `N` nothing is ever left out. Most are under 500 bytes.
    pub const LONGEST_EXPLANATION: usize = 4_096;

    /// In words: how many attempts were refused lately and by what, what refuses now, what would make an attempt pass
    /// and when, which calls were given up, what the stages in shadow would have done, and what was delivered.
    ///
    /// At most `N` bytes, whole sentences: the text ends before the first one that does not fit.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Request, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let now = Instant::from_nanos(1);
    /// for _ in 0..2 {
    ///     let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now));
    ///     recorder.attempted(&mut record, &guard.try_attempt(&mut call, now), now);
    /// }
    /// let snapshot = guard.snapshot([&recorder], now);
    /// assert_eq!(
    ///     snapshot.explain::<256>(),
    ///     "1 of 2 attempts was refused in the last 7.5 s: 1 by the token bucket. \
    ///      Now the token bucket refuses: it holds 0 tokens, earns 320/s, and has enough in 4.6 ms. \
    ///      Since the start 0 of 2 calls were delivered."
    /// );
    /// assert_eq!(
    ///     snapshot.explain::<80>(),
    ///     "1 of 2 attempts was refused in the last 7.5 s: 1 by the token bucket."
    /// );
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn explain<const N: usize>(&self) -> String<N> {
        let mut text = String::new();
        self.tell(&mut Text::new(&mut text, N));
        text
    }

    /// As [`explain`](Self::explain), into memory of the caller's: as long a text as fits there, of whole sentences.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// // Without a recorder it says what would happen now.
    /// let snapshot = guard.snapshot(core::iter::empty::<&Recorder<4, 32>>(), Instant::ORIGIN);
    /// let mut buffer = [0; 40];
    /// assert_eq!(snapshot.explain_into(&mut buffer), "Now an attempt passes.");
    /// assert_eq!(snapshot.explain_into(&mut buffer[..10]), "");
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn explain_into<'a>(&self, buffer: &'a mut [u8]) -> &'a str {
        let room = buffer.len();
        let mut text = Buffer::new(buffer);
        self.tell(&mut Text::new(&mut text, room));
        text.text()
    }

    fn tell(&self, text: &mut Text<'_>) {
        // Without a recorder nothing is known of the past.
        if !self.observed.is_zero() {
            text.sentence(&|to| self.say_refusals(to));
        }
        for refused in self.refusals.iter().flatten() {
            text.sentence(&|to| {
                to.say("Now the ");
                to.say(refused.stage().name());
                to.say(" refuses: ");
                self.say_why(to, *refused);
                to.say(".");
            });
        }
        if self.first_refusal().is_none() {
            text.sentence(&|to| to.say("Now an attempt passes."));
        }
        if self.budget < RetryTokens::ONE {
            text.sentence(&|to| self.say_budget(to));
        }
        if self.keyed_let_through != 0 {
            text.sentence(&|to| self.say_let_through(to));
        }
        if self.recent.given_up() != 0 {
            text.sentence(&|to| self.say_given_up(to));
        }
        for stage in Stage::ALL {
            if self.recent.would_refuse(stage).all() != 0 {
                text.sentence(&|to| self.say_shadow(to, stage));
            }
        }
        if self.total.begun() != 0 {
            text.sentence(&|to| self.say_delivered(to));
        }
    }

    /// One refusal in words, with what this snapshot knows of the stage that refused: why, and when to come back.
    ///
    /// At most `N` bytes; empty if the sentence does not fit. 256 are enough for every one.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Request, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// guard.breaker(0).force_open(Instant::ORIGIN);
    /// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// let refused = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap_err();
    /// assert_eq!(
    ///     guard.snapshot([&recorder], Instant::ORIGIN).explain_refusal::<256>(refused),
    ///     "Refused by the circuit breaker: it is held open until the caller lets it go."
    /// );
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn explain_refusal<const N: usize>(&self, refused: Refused) -> String<N> {
        let mut text = String::new();
        self.tell_refusal(&mut Text::new(&mut text, N), refused);
        text
    }

    /// As [`explain_refusal`](Self::explain_refusal), into memory of the caller's; empty if the sentence does not fit.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Refused, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let snapshot = guard.snapshot(core::iter::empty::<&Recorder<4, 32>>(), Instant::ORIGIN);
    /// assert_eq!(
    ///     snapshot.explain_refusal_into(Refused::never(Stage::TokenBucket), &mut [0; 256]),
    ///     "Refused by the token bucket: it never holds more than 20 tokens, and more were asked for."
    /// );
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn explain_refusal_into<'a>(&self, refused: Refused, buffer: &'a mut [u8]) -> &'a str {
        let room = buffer.len();
        let mut text = Buffer::new(buffer);
        self.tell_refusal(&mut Text::new(&mut text, room), refused);
        text.text()
    }

    fn tell_refusal(&self, text: &mut Text<'_>, refused: Refused) {
        text.sentence(&|to| {
            to.say("Refused by the ");
            to.say(refused.stage().name());
            to.say(": ");
            self.say_why(to, refused);
            to.say(".");
        });
    }

    fn say_window(&self, to: &mut dyn Words) {
        to.say(" in the last ");
        duration(to, self.observed);
    }

    fn say_refusals(&self, to: &mut dyn Words) {
        let refused = self.recent.refused();
        let asked = refused.saturating_add(self.recent.admitted());
        if asked == 0 {
            to.say("No attempt was asked for");
        } else if refused == 0 {
            to.say("None of ");
            counted(to, asked, "attempt was refused", "attempts was refused");
        } else {
            number(to, refused);
            to.say(" of ");
            counted(to, asked, "attempt ", "attempts ");
            to.say(if refused == 1 { "was refused" } else { "were refused" });
        }
        self.say_window(to);
        let mut before = ": ";
        for stage in Stage::ALL {
            let count = self.recent.refused_by(stage);
            if count != 0 {
                to.say(before);
                number(to, count);
                to.say(" by the ");
                to.say(stage.name());
                before = ", ";
            }
        }
        to.say(".");
    }

    /// What follows the name of the stage.
    fn say_why(&self, to: &mut dyn Words, refused: Refused) {
        let wait = refused.retry_after();
        match (refused.reason(), refused.stage()) {
            (Reason::ClockStepped, _) => {
                to.say("the clock stepped back, and waiting does not help but a rebase or a reset");
            }
            (Reason::Never, Stage::TokenBucket) => {
                to.say("it never holds more than ");
                counted(to, self.burst.into(), "token", "tokens");
                to.say(", and more were asked for");
            }
            (Reason::Never, Stage::KeyedBucket) => {
                if let Some(keyed) = self.keyed {
                    to.say("no key ever holds more than ");
                    counted(to, keyed.burst.into(), "token", "tokens");
                    to.say(", and more were asked for");
                } else {
                    to.say("more was asked for than a key ever holds");
                }
            }
            (_, Stage::Deadline) => to.say("it has passed, and the call is of no use any more"),
            (Reason::Never, Stage::RetryBudget) => to.say("the call is over"),
            (Reason::Never, _) => to.say("more was asked for than there can ever be"),
            (Reason::NotYet, Stage::Pause) => {
                to.say("the server asked to be spared");
                say_wait(to, ", for another ", wait);
            }
            (Reason::NotYet, Stage::CircuitBreaker) => self.say_breaker(to, wait),
            (Reason::NotYet, Stage::ConcurrencyLimit) => {
                number(to, self.in_flight.into());
                to.say(" of ");
                number(to, self.limit.into());
                to.say(" calls are in flight, and one has to end first");
                say_wait(to, ", or its lease in ", wait);
            }
            (Reason::NotYet, Stage::TokenBucket) => {
                to.say("it holds ");
                counted(to, self.tokens.into(), "token", "tokens");
                if self.rate.is_zero() {
                    to.say(", and earns none until its rate is raised");
                } else {
                    to.say(", earns ");
                    rate(to, self.rate);
                    say_wait(to, ", and has enough in ", wait);
                }
            }
            (Reason::NoPlace, _) => {
                to.say(
                    "all places where this key could be remembered are held by others, until one of them is full again",
                );
            }
            (Reason::NotYet, Stage::KeyedBucket) => {
                to.say("this key has too few tokens");
                if let Some(keyed) = self.keyed {
                    if keyed.rate.is_zero() {
                        to.say(", and earns none until its rate is raised");
                    } else {
                        to.say(", earns ");
                        rate(to, keyed.rate);
                    }
                }
                say_wait(to, ", and has enough in ", wait);
            }
            (Reason::NotYet, Stage::RetryBudget) => {
                to.say("the retry is paid for, and its backoff is not over");
                say_wait(to, " for another ", wait);
            }
        }
    }

    fn say_breaker(&self, to: &mut dyn Words, wait: Option<Duration>) {
        match (self.breaker, wait) {
            (_, Some(wait)) => {
                to.say("it is open");
                if let (State::Open, Some(since), Some(cause)) = (self.breaker, self.breaker_for, self.breaker_cause) {
                    to.say(" for ");
                    duration(to, since);
                    to.say(" (");
                    to.say(cause.name());
                    to.say(")");
                }
                to.say(", and lets a probe pass in ");
                duration(to, wait);
            }
            (State::Open, None) => to.say("it is held open until the caller lets it go"),
            (State::HalfOpen, None) => to.say("it is half-open, and waits for the results of its probes"),
            (State::Closed, None) => to.say("it has closed again, and lets a growing share pass"),
        }
    }

    fn say_budget(&self, to: &mut dyn Words) {
        to.say("The retry budget holds ");
        // Rounded down: less than what there is, so that less than one is never said to be one.
        tenths(to, u64::from(self.budget.as_millionths() / 100_000));
        to.say(" tokens: what fails is given up until calls that succeed have earned one.");
    }

    fn say_let_through(&self, to: &mut dyn Words) {
        to.say("Since the start ");
        counted(to, self.keyed_let_through, "attempt passed", "attempts passed");
        to.say(" without a limit of the key, as there was no place for one: more groups would have room.");
    }

    fn say_given_up(&self, to: &mut dyn Words) {
        counted(to, self.recent.given_up(), "call was given up", "calls were given up");
        self.say_window(to);
        let mut before = ": ";
        for reason in GiveUpReason::ALL {
            let count = self.recent.given_up_for(reason);
            if count != 0 {
                to.say(before);
                number(to, count);
                to.say(" as ");
                to.say(GiveUpReason::name(reason));
                before = ", ";
            }
        }
        to.say(".");
    }

    fn say_shadow(&self, to: &mut dyn Words, stage: Stage) {
        let row = self.recent.would_refuse(stage);
        to.say("In shadow the ");
        to.say(stage.name());
        to.say(" would have refused ");
        counted(to, row.all(), "attempt", "attempts");
        to.say(": ");
        number(to, row.success);
        to.say(" succeeded, ");
        number(to, row.bad());
        to.say(" failed");
        if row.ignored != 0 {
            to.say(", ");
            counted(to, row.ignored, "was ignored", "were ignored");
        }
        to.say(".");
    }

    fn say_delivered(&self, to: &mut dyn Words) {
        to.say("Since the start ");
        number(to, self.total.delivered());
        to.say(" of ");
        counted(to, self.total.begun(), "call was delivered", "calls were delivered");
        if let (Some(half), Some(most)) = (self.deliveries.p50, self.deliveries.p99) {
            to.say(", lately half of them within about ");
            duration(to, half);
            to.say(" and 99 % within about ");
            duration(to, most);
        }
        to.say(".");
    }
}

fn say_wait(to: &mut dyn Words, before: &str, wait: Option<Duration>) {
    if let Some(wait) = wait {
        to.say(before);
        duration(to, wait);
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;
    use crate::guard::{Guard, GuardConfig};
    use crate::keyed_buckets::{KeyedConfig, WhenFull};
    use crate::rate::Rate;
    use crate::recorder::{Counts, Recorder};
    use crate::sliding_window::WindowConfig;
    use crate::time::Instant;
    use crate::transition::Cause;

    const LONGEST_KEYED: KeyedConfig = KeyedConfig {
        rate: match Rate::new(u64::MAX, Duration::from_nanos(u64::MAX)) {
            Ok(rate) => rate,
            Err(_) => Rate::ZERO,
        },
        burst: u32::MAX,
        when_full: WhenFull::FailOpen,
    };

    /// Every sentence that there is, with the longest numbers: longer than any real one.
    fn longest() -> Snapshot {
        let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
        let guard = Guard::<64>::new(config, 7, Instant::ORIGIN).unwrap();
        let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT).unwrap();
        let wait = |stage| Some(Refused::not_yet(stage, Some(Duration::from_nanos(u64::MAX - 1))));
        let mut snapshot = Snapshot {
            recent: Counts::FULL,
            total: Counts::FULL,
            observed: Duration::MAX,
            breaker: State::Open,
            breaker_cause: Some(Cause::IntervalOver),
            breaker_for: Some(Duration::MAX),
            limit: u32::MAX,
            in_flight: u32::MAX,
            rate: Rate::new(u64::MAX, Duration::from_nanos(u64::MAX)).unwrap(),
            burst: u32::MAX,
            tokens: u32::MAX,
            budget: RetryTokens::from_millionths(999_999),
            keyed: Some(LONGEST_KEYED),
            keyed_let_through: u64::MAX,
            refusals: [
                wait(Stage::Pause),
                wait(Stage::CircuitBreaker),
                wait(Stage::ConcurrencyLimit),
                wait(Stage::TokenBucket),
            ],
            ..guard.snapshot([&recorder], Instant::ORIGIN)
        };
        (snapshot.deliveries.p50, snapshot.deliveries.p99) = (Some(Duration::MAX), Some(Duration::MAX));
        snapshot
    }

    #[test]
    fn no_explanation_is_longer_than_the_stated_length() {
        let snapshot = longest();
        let text = snapshot.explain::<8_192>();
        assert!(text.len() <= Snapshot::LONGEST_EXPLANATION, "{} bytes: {text}", text.len());
        assert_eq!(snapshot.explain::<{ Snapshot::LONGEST_EXPLANATION }>().as_str(), text.as_str());
    }

    #[test]
    fn every_refusal_fits_the_stated_length() {
        let snapshot = longest();
        for stage in Stage::ALL {
            let wait = Some(Duration::from_nanos(u64::MAX - 1));
            let no_place = Refused::no_place(stage, wait);
            for refused in
                [Refused::not_yet(stage, wait), Refused::never(stage), Refused::clock_stepped(stage), no_place]
            {
                assert!(snapshot.explain_refusal::<256>(refused).ends_with('.'), "{refused}");
            }
        }
    }
}
