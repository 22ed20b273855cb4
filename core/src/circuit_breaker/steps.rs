//! The steps of a circuit breaker: what an attempt meets, and each exchange of the state word.

use crate::circuit_breaker::CircuitBreaker;
use crate::circuit_breaker::config::Rule;
use crate::circuit_breaker::permit::{BreakerPermit, NO_NUMBER};
use crate::circuit_breaker::word::{Phase, Probes, Word};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::stamp::Stamp;
use crate::sync::{AtomicU64, Ordering, fault, ordering};
use crate::time::Instant;
use crate::transition::{Cause, State, Transition};

const STAGE: Stage = Stage::CircuitBreaker;

/// What an attempt would meet.
pub(super) enum Look {
    Pass,
    RampOver,
    Refuse(Refused),
    /// One more probe of this generation.
    Join(Probes),
    /// The first probe of a new generation, and the cause if the breaker was open.
    Begin(Probes, Option<Cause>),
}

/// What an announcement meets.
pub(super) enum Found {
    /// Another thread announced for the same generation, and that will do.
    Good,
    /// What stands there is not needed.
    Replaceable,
    /// What stands there still counts.
    InForce,
}

/// The steps. Those that return `Result<_, Word>` change the state word once, or say what it was instead.
impl CircuitBreaker {
    #[inline]
    pub(super) fn load(&self) -> Word {
        // Acquire: pairs with the exchange that published the phase, and so with the moment announced before it.
        Word(self.word.load(Ordering::Acquire))
    }

    pub(super) fn exchange(&self, from: Word, to: Word) -> Result<(), Word> {
        if fault("circuit_breaker: the state word is stored, not exchanged") {
            self.word.store(to.0, Ordering::Release);
            return Ok(());
        }
        // AcqRel: publishes the moment announced before it, and sees those of the exchanges before it.
        let success = ordering(Ordering::AcqRel, "circuit_breaker: the phase publishes no moment", Ordering::Relaxed);
        match self.word.compare_exchange(from.0, to.0, success, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(seen) => Err(Word(seen)),
        }
    }

    /// The refusal of a breaker that is open, and whose interval has longer to go; `None` where more is to be looked at.
    #[inline]
    pub(super) fn rest_of_interval(&self, word: Word, now: Instant) -> Option<Refused> {
        if word.phase() != Phase::Open {
            return None;
        }
        let rest_ns = Self::moment_of(&self.open_end, word)?.remaining_ns(now);
        // No interval is longer than the cap. More than it is due to rounding, or absurd.
        (rest_ns != 0 && rest_ns <= self.settings.cap_ns()).then(|| Refused::not_yet_ns(STAGE, rest_ns))
    }

    /// Whether a success of `permit` changes nothing: it is of this generation and not slow, the breaker is closed
    /// without a ramp, and no bad call is known of a window that is full. `false` where more is to be looked at.
    #[inline]
    pub(super) fn is_nothing_new(&self, permit: BreakerPermit, now: Instant) -> bool {
        self.load() == Word::at_rest(self.settings.rule(), permit.generation)
            && !self.settings.is_slow(now.as_nanos().saturating_sub(permit.started.as_nanos()))
    }

    /// What an attempt would meet; `None` if the word has moved on.
    #[inline]
    pub(super) fn look(&self, word: Word, now: Instant) -> Option<Look> {
        match word.phase() {
            Phase::Counting | Phase::Windowed | Phase::HeldClosed => Some(Look::Pass),
            Phase::HeldOpen => Some(Look::Refuse(Refused::not_yet(STAGE, None))),
            Phase::Open => {
                let end = Self::moment_of(&self.open_end, word)?;
                let first = Probes { out: 0, numbered: 0, good: 0, bad: 0, failed: word.failed() };
                Some(if end.is_over(now) {
                    Look::Begin(first, Some(Cause::IntervalOver))
                } else if end.is_absurd(now, self.settings.cap_ns()) {
                    Look::Begin(first, Some(Cause::ClockStepped))
                } else {
                    Look::Refuse(Refused::not_yet_ns(STAGE, end.remaining_ns(now)))
                })
            }
            Phase::HalfOpen => {
                let probes = word.probes();
                let free = probes.is_free(self.settings.probes().0);
                Some(match Self::moment_of(&self.lease_end, word) {
                    Some(_) if free => Look::Join(probes),
                    // None out and none free: all numbers are used up, by permits that were cancelled.
                    Some(end) if probes.out == 0 || self.is_lapsed(end, now) => Look::Begin(probes.renewed(), None),
                    Some(_) => Look::Refuse(Refused::not_yet(STAGE, None)),
                    // A lease of the next generation: a thread has found this one lapsed and is renewing it.
                    None => Look::Begin(probes.renewed(), None),
                })
            }
            Phase::RampCounting | Phase::RampWindowed => {
                let end = Self::moment_of(&self.ramp_end, word)?;
                Some(if end.is_over(now) || end.is_absurd(now, self.settings.ramp_ns()) {
                    Look::RampOver
                } else if self.settings.passes_ramp(end.remaining_ns(now), now, word.generation()) {
                    Look::Pass
                } else {
                    Look::Refuse(Refused::not_yet(STAGE, None))
                })
            }
        }
    }

    /// An attempt that meets more than a breaker that is closed, or open for longer.
    #[cold]
    #[inline(never)]
    pub(super) fn attempt(&self, mut word: Word, now: Instant) -> Result<(BreakerPermit, Option<Transition>), Refused> {
        // Lock-free: each turn but the last means that another thread changed the state word.
        loop {
            let admit = |number, generation| BreakerPermit { started: now, generation, number };
            let step = match self.look(word, now) {
                None => Err(self.load()),
                Some(Look::Refuse(refused)) => return Err(refused),
                Some(Look::Pass) => Ok((admit(NO_NUMBER, word.generation()), None)),
                Some(Look::RampOver) => {
                    // One try: whoever changed the word instead leaves the ramp's end to the next attempt.
                    let _ = self.exchange(word, word.without_ramp());
                    Ok((admit(NO_NUMBER, word.generation()), None))
                }
                Some(Look::Join(probes)) => self.join(word, probes, now).map(|n| (admit(n, word.generation()), None)),
                Some(Look::Begin(probes, cause)) => self
                    .begin(word, probes, cause, now)
                    .map(|transition| (admit(0, word.next_generation()), transition)),
            };
            match step {
                Ok(admitted) => return Ok(admitted),
                Err(seen) => word = seen,
            }
        }
    }

    /// A look that meets more than a breaker that is closed, or open for longer.
    #[cold]
    #[inline(never)]
    pub(super) fn look_longer(&self, now: Instant) -> Result<(), Refused> {
        loop {
            match self.look(self.load(), now) {
                None => {}
                Some(Look::Refuse(refused)) => return Err(refused),
                Some(_) => return Ok(()),
            }
        }
    }

    /// A report that says something.
    #[inline(never)]
    pub(super) fn hear(
        &self,
        permit: BreakerPermit,
        outcome: Outcome,
        weight: u32,
        now: Instant,
        random: u64,
    ) -> Option<Transition> {
        if outcome == Outcome::Ignored {
            self.cancel(permit, now);
            return None;
        }
        let latency_ns = now.as_nanos().saturating_sub(permit.started.as_nanos());
        let mut word = self.load();
        // Lock-free: each turn but the last means that another thread changed the state word.
        loop {
            if word.generation() != permit.generation && !fault("circuit_breaker: results of any generation count") {
                return None;
            }
            let rule = self.settings.rule();
            let slow = matches!(rule, Rule::Share { slow: true, .. }) && self.settings.is_slow(latency_ns);
            let bad = outcome.is_bad() || slow;
            let step = if word.phase().is_judging() {
                self.judge(word, rule, bad, weight, now, random)
            } else if self.holds(word, permit.number) {
                self.report(word, permit.number, bad, now, random)
            } else {
                return None;
            };
            match step {
                Ok(transition) => return transition,
                Err(seen) => word = seen,
            }
        }
    }

    /// The moment that was announced for the generation of `word`.
    pub(super) fn moment_of(moment: &AtomicU64, word: Word) -> Option<Stamp> {
        let stamp = Stamp(moment.load(Ordering::Acquire));
        stamp.has_tag_of(word.generation()).then_some(stamp)
    }

    pub(super) fn is_lapsed(&self, lease: Stamp, now: Instant) -> bool {
        lease.is_over(now) || lease.is_absurd(now, self.settings.lease_ns())
    }

    /// Puts `end` into `moment` for the generation after `word`'s, unless `found` keeps what stands there. Says what
    /// the state word is if it has left the generation of `word`, or if `found` gives up.
    pub(super) fn announce(
        &self,
        moment: &AtomicU64,
        word: Word,
        end: Stamp,
        found: impl Fn(Stamp) -> Found,
    ) -> Result<(), Word> {
        let mut seen = moment.load(Ordering::Acquire);
        loop {
            // The second look. Whoever commits the next generation has announced before, so if the state is still that
            // of `word`, the exchange below can only meet a moment that is not in force.
            let state = self.load();
            if state.generation() != word.generation() && !fault("circuit_breaker: no second look at the state") {
                return Err(state);
            }
            match found(Stamp(seen)) {
                Found::Good => return Ok(()),
                Found::InForce => return Err(state),
                Found::Replaceable => {}
            }
            match moment.compare_exchange(seen, end.0, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(now_seen) => seen = now_seen,
            }
        }
    }

    /// Another thread's announcement for the same generation is good if it is not earlier than `earliest` and no
    /// further ahead than such a moment can be.
    pub(super) fn found(seen: Stamp, earliest: Stamp, now: Instant, longest_ns: u64) -> Found {
        // Stamps of one tag compare like their moments.
        if seen.tag() == earliest.tag() && seen.0 >= earliest.0 && !seen.is_absurd(now, longest_ns) {
            Found::Good
        } else {
            Found::Replaceable
        }
    }

    /// One more probe of the present generation; its number.
    pub(super) fn join(&self, word: Word, probes: Probes, now: Instant) -> Result<u32, Word> {
        let (generation, mut seen) = (word.generation(), self.lease_end.load(Ordering::Acquire));
        let end = Stamp::ending(generation, now, self.settings.lease_ns());
        // The lease moves only later, and only while it is this generation's: one that another thread is renewing is
        // not taken back. Then the next look finds it and this probe renews too.
        while Stamp(seen).tag() != end.tag() || seen < end.0 {
            if Stamp(seen).tag() != end.tag() && !fault("circuit_breaker: a lease is taken back from a renewal") {
                return Err(self.load());
            }
            match self.lease_end.compare_exchange(seen, end.0, Ordering::Release, Ordering::Acquire) {
                Ok(_) => break,
                Err(now_seen) => seen = now_seen,
            }
        }
        self.exchange(word, Word::half_open(generation, probes.granted()))?;
        Ok(probes.numbered)
    }

    /// The first probe of the next generation.
    pub(super) fn begin(
        &self,
        word: Word,
        probes: Probes,
        cause: Option<Cause>,
        now: Instant,
    ) -> Result<Option<Transition>, Word> {
        let (generation, lease_ns) = (word.next_generation(), self.settings.lease_ns());
        let end = Stamp::ending(generation, now, lease_ns);
        let has_out = word.phase() == Phase::HalfOpen && word.probes().out != 0;
        self.announce(&self.lease_end, word, end, |seen| {
            // The lease in force may have moved since it was found lapsed: then the probe that moved it is protected.
            if has_out
                && seen.has_tag_of(word.generation())
                && !self.is_lapsed(seen, now)
                && !fault("circuit_breaker: a lease is renewed that was just prolonged")
            {
                return Found::InForce;
            }
            Self::found(seen, end, now, lease_ns)
        })?;
        self.exchange(word, Word::half_open(generation, probes.granted()))?;
        Ok(cause.map(|cause| Transition { from: State::Open, to: State::HalfOpen, generation, cause, shard: 0 }))
    }

    /// One more call of a closed breaker, of `weight` in a count of failures in a row.
    #[inline]
    pub(super) fn judge(
        &self,
        word: Word,
        rule: Rule,
        bad: bool,
        weight: u32,
        now: Instant,
        random: u64,
    ) -> Result<Option<Transition>, Word> {
        let (after, trips) = word.judged(rule, bad, weight);
        if trips {
            return self.open(word, 0, rule.cause(), now, random);
        }
        if after != word {
            self.exchange(word, after)?;
        }
        Ok(None)
    }

    /// Whether `number` is a permit that is out.
    pub(super) fn holds(&self, word: Word, number: u32) -> bool {
        word.phase() == Phase::HalfOpen
            && (word.probes().is_out(number) || number < 16 && fault("circuit_breaker: a probe may report twice"))
    }

    /// The result of a probe that is out.
    pub(super) fn report(
        &self,
        word: Word,
        number: u32,
        bad: bool,
        now: Instant,
        random: u64,
    ) -> Result<Option<Transition>, Word> {
        let probes = word.probes().reported(number, bad);
        let (count, close_at) = self.settings.probes();
        match probes.verdict(count, close_at) {
            Some(State::Closed) => self.close(word, now),
            Some(_) => self.open(word, probes.failed + 1, Cause::ProbesFailed, now, random),
            None => self.exchange(word, Word::half_open(word.generation(), probes)).map(|()| None),
        }
    }

    pub(super) fn open(
        &self,
        word: Word,
        failed: u32,
        cause: Cause,
        now: Instant,
        random: u64,
    ) -> Result<Option<Transition>, Word> {
        let (from, generation) = (word.phase().state(), word.next_generation());
        let (shortest, drawn) = self.settings.interval_ns(failed, random);
        let earliest = Stamp::ending(generation, now, shortest);
        let end = Stamp::ending(generation, now, drawn);
        let cap = self.settings.cap_ns();
        self.announce(&self.open_end, word, end, |seen| Self::found(seen, earliest, now, cap))?;
        self.exchange(word, Word::open(generation, failed))?;
        Ok(Some(Transition { from, to: State::Open, generation, cause, shard: 0 }))
    }

    pub(super) fn close(&self, word: Word, now: Instant) -> Result<Option<Transition>, Word> {
        let (generation, ramp_ns) = (word.next_generation(), self.settings.ramp_ns());
        if ramp_ns != 0 {
            let end = Stamp::ending(generation, now, ramp_ns);
            self.announce(&self.ramp_end, word, end, |seen| Self::found(seen, end, now, ramp_ns))?;
        }
        self.exchange(word, Word::closed(generation, self.settings.rule(), ramp_ns != 0))?;
        Ok(Some(Transition {
            from: State::HalfOpen,
            to: State::Closed,
            generation,
            cause: Cause::ProbesSucceeded,
            shard: 0,
        }))
    }

    pub(super) fn force(&self, now: Instant, cause: Cause, to: impl Fn(Word) -> Word) -> Option<Transition> {
        // Forced states have no end, so the reading is not needed; it is there as on every other call.
        let _ = now;
        let mut word = self.load();
        loop {
            let after = to(word);
            match self.exchange(word, after) {
                Ok(()) => {
                    let (from, to, generation) = (word.phase().state(), after.phase().state(), after.generation());
                    return (from != to).then_some(Transition { from, to, generation, cause, shard: 0 });
                }
                Err(seen) => word = seen,
            }
        }
    }
}
