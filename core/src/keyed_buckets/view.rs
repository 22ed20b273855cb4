//! The work of a table of buckets, on any number of groups.

use core::time::Duration;

use crate::keyed_buckets::config::WhenFull;
use crate::keyed_buckets::place::{Group, Head, Owner, State, WAYS, identity};
use crate::keyed_buckets::settings::Settings;
use crate::keyed_buckets::terms::Terms;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU64, Ordering, fault, ordering};
use crate::time::{Instant, SECOND};

/// A home with so many free places is taken, however empty the other choice is: the look finds it first.
const HOME_BIAS: usize = 4;

/// The table without its size: all the work is done here, once for every number of groups.
pub(super) struct View<'a> {
    pub(super) settings: &'a Settings,
    pub(super) let_through: &'a AtomicU64,
    pub(super) groups: &'a [Group],
}

/// Where a key may be: by its hash.
struct Key<'a> {
    identity: u64,
    home: &'a Group,
    /// The two groups by their numbers; the same one twice where there is only one.
    choices: [usize; 2],
}

/// A place as it was seen.
#[derive(Clone, Copy)]
struct Seen<'a> {
    owner_word: &'a AtomicU64,
    state_word: &'a AtomicU64,
    index: usize,
    state: State,
}

impl Seen<'_> {
    fn is(&self, other: &Seen<'_>) -> bool {
        self.index == other.index && self.state.generation() == other.state.generation()
    }
}

/// What a look for a key found.
enum Found<'a> {
    /// The key's entry.
    Entry(Seen<'a>),
    /// The key's first entry that is not admitted yet.
    Newcomer(Seen<'a>),
    Nothing,
}

impl<'a> View<'a> {
    fn key(&self, hash: u64) -> Option<Key<'a>> {
        let groups = self.groups.len() as u64;
        // High and low half of the hash, each scaled to a number under its bound: at most 2^32 x 2^22.
        let home = ((hash >> 32) * groups) >> 32;
        let other = home + 1 + (((hash & 0xFFFF_FFFF) * groups.saturating_sub(1)) >> 32);
        let second = if other >= groups { other - groups } else { other };
        let (home, second) = (home as usize, if groups == 1 { home } else { second } as usize);
        // A table has a group at least; `get` for storage that was damaged.
        Some(Key { identity: identity(hash), home: self.groups.get(home)?, choices: [home, second] })
    }

    fn units(&self, n: u32) -> u64 {
        // Under 2^48.
        u64::from(n) << self.settings.unit_exponent()
    }

    /// The position of a full bucket at `level`.
    fn floor(&self, terms: &Terms, level: u64) -> u64 {
        terms.floor(level, self.settings.unit_exponent())
    }

    /// The position after `n` more tokens, if they are there at `level`. `n` is at most the burst.
    fn after(&self, terms: &Terms, position: u64, n: u32, level: u64) -> Option<u64> {
        // Under 2^51 and 2^48.
        let after = position.max(self.floor(terms, level)) + self.units(n);
        (after <= level).then_some(after)
    }

    /// The key's groups, with their numbers: two, or the only one.
    fn groups(&self, key: &Key<'a>) -> impl Iterator<Item = (usize, &'a Group)> + use<'a> {
        let (groups, [home, second]) = (self.groups, key.choices);
        let second = (second != home).then_some(second);
        [Some(home), second].into_iter().flatten().filter_map(|number| Some((number, groups.get(number)?)))
    }

    /// The key's entry: loads only.
    #[inline]
    fn find(&self, key: &Key<'a>, head: Head) -> Found<'a> {
        let [home, second] = key.choices;
        let found = self.find_in(key.identity, home, head);
        if matches!(found, Found::Entry(_)) || second == home {
            return found;
        }
        match (found, self.find_in(key.identity, second, head)) {
            (_, Found::Entry(entry)) => Found::Entry(entry),
            (Found::Newcomer(first), _) => Found::Newcomer(first),
            (_, found) => found,
        }
    }

    #[inline]
    fn find_in(&self, identity: u64, number: usize, head: Head) -> Found<'a> {
        let mut found = Found::Nothing;
        let Some(group) = self.groups.get(number) else { return found };
        for (way, (owner_word, state_word)) in group.owners.iter().zip(&group.states).enumerate() {
            // First the owner: if the state, read later, has its generation, the place was the owner's then.
            let owner = Owner(owner_word.load(Ordering::Acquire));
            if owner.identity() != identity {
                continue;
            }
            let state = State(state_word.load(Ordering::Acquire));
            if owner != Owner::of(identity, state.generation()) {
                continue;
            }
            // Under 2^24, as checked at compile time.
            let seen = Seen { owner_word, state_word, index: number * WAYS + way, state };
            if !state.is_tentative()
                || head.names(seen.index, state.generation())
                || fault("keyed buckets: a newcomer counts before it is admitted")
            {
                return Found::Entry(seen);
            }
            if matches!(found, Found::Nothing) {
                found = Found::Newcomer(seen);
            }
        }
        found
    }

    /// Where a key without an entry goes: a place at or below `floor`; else the lowest position that is in the way.
    fn free(&self, key: &Key<'a>, floor: u64) -> Result<Seen<'a>, u64> {
        let mut choice = Err(u64::MAX);
        let mut most_free = 0;
        for (number, group) in self.groups(key) {
            let (mut free, mut frees) = (None, 0);
            for (way, (owner_word, state_word)) in group.owners.iter().zip(&group.states).enumerate() {
                let state = State(state_word.load(Ordering::Acquire));
                if state.position() <= floor {
                    // Under 2^24, as checked at compile time.
                    free = free.or(Some(Seen { owner_word, state_word, index: number * WAYS + way, state }));
                    frees += 1;
                } else if let Err(lowest) = choice {
                    choice = Err(lowest.min(state.position()));
                }
            }
            if let Some(free) = free
                && frees > most_free
            {
                (choice, most_free) = (Ok(free), if frees >= HOME_BIAS { WAYS } else { frees });
            }
        }
        choice
    }

    fn head(key: &Key<'_>) -> Head {
        Head(key.home.head.load(Ordering::Acquire))
    }

    /// Whether the tokens were taken from a bucket: not where there was no place for one, nor where there are none.
    pub(super) fn try_take(&self, hash: u64, n: u32, now: Instant) -> Result<bool, Refused> {
        let Some(key) = self.key(hash) else { return Ok(false) };
        if n == 0 {
            return Ok(false);
        }
        let now = now.as_nanos();
        // What this call has put into a place: it has paid there.
        let mut own: Option<Seen<'a>> = None;
        // Lock-free: each turn but the last means that another thread took of this key, was admitted, took the place
        // that was free, or changed the terms.
        loop {
            let terms = self.settings.terms();
            if n > terms.burst() {
                self.withdraw(own);
                return Err(Refused::never(Stage::KeyedBucket));
            }
            let level = terms.level_at(now);
            // Before the look: an admission in between shows.
            let head = Self::head(&key);
            let newcomer = match self.find(&key, head) {
                Found::Entry(entry) => {
                    if let Some(own) = own.take() {
                        if own.is(&entry) {
                            // Admitted by another call of this key.
                            return Ok(true);
                        }
                        self.withdraw(Some(own));
                    }
                    let Some(after) = self.after(&terms, entry.state.position(), n, level) else {
                        return Err(self.why_not(&terms, entry.state.position(), n, now));
                    };
                    if Self::take(&entry, after) {
                        return Ok(true);
                    }
                    continue;
                }
                Found::Newcomer(newcomer) => Some(newcomer),
                Found::Nothing => None,
            };
            if own.is_none() {
                if let Some(newcomer) = newcomer {
                    if self.after(&terms, newcomer.state.position(), n, level).is_none() {
                        return Err(self.why_not(&terms, newcomer.state.position(), n, now));
                    }
                    // Whose it is may be stopped; then it is taken from.
                    self.admit(&key, head, &newcomer);
                    continue;
                }
                own = match self.come(&key, &terms, n, now)? {
                    Some(own) => own,
                    None => return Ok(false),
                };
            }
            if let Some(own) = own
                && self.admit(&key, head, &own)
            {
                return Ok(true);
            }
        }
    }

    /// Takes for a key without an entry: in a place that it enters (`Some(None)` where another was quicker), or, if it
    /// is let through, in none.
    #[inline(never)]
    fn come(&self, key: &Key<'a>, terms: &Terms, n: u32, now: u64) -> Result<Option<Option<Seen<'a>>>, Refused> {
        let level = terms.level_at(now);
        let free = self.free(key, self.floor(terms, level));
        // Full as of the newest reading by which anything was removed here: this one may be older.
        let known = self.newest_known(key, level);
        if self.is_stepped(terms, known, now) {
            return Err(Refused::clock_stepped(Stage::KeyedBucket));
        }
        let Some(after) = self.after(terms, 0, n, known) else {
            return Err(self.why_not(terms, 0, n, now));
        };
        match free {
            Ok(free) => Ok(Some(self.enter(key, &free, after, level))),
            Err(lowest) => self.without_a_place(terms, lowest, now).map(|()| None),
        }
    }

    /// Takes from an entry; `false` where it is no longer as it was seen.
    fn take(entry: &Seen<'_>, after: u64) -> bool {
        let after = entry.state.settled(after);
        if fault("keyed buckets: the exchange is a store") {
            entry.state_word.store(after.0, Ordering::Release);
            return true;
        }
        // Relaxed: it publishes nothing of its own and continues the release sequence of who entered.
        entry.state_word.compare_exchange(entry.state.0, after.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The level as of which a key without an entry is full.
    fn newest_known(&self, key: &Key<'a>, level: u64) -> u64 {
        self.groups(key).map(|(_, group)| group.removed.load(Ordering::Acquire)).fold(level, u64::max)
    }

    /// Takes a free place for the key, with what it takes, not yet admitted. `None` where another was quicker.
    fn enter(&self, key: &Key<'_>, free: &Seen<'a>, position: u64, level: u64) -> Option<Seen<'a>> {
        let removed = &self.groups.get(free.index / WAYS)?.removed;
        // What was never used, or withdrawn, is forgotten at no time.
        if free.state.position() != 0
            && removed.load(Ordering::Relaxed) < level
            && !fault("keyed buckets: a removal leaves no mark")
        {
            removed.fetch_max(level, Ordering::Release);
        }
        let mut entered = free.state.begun(position, true);
        if fault("keyed buckets: a place keeps its generation") {
            entered = State(entered.0 & !(0xFFF << 52) | free.state.0 & 0xFFF << 52);
        }
        // Release: who sees it sees the mark. Acquire: so does who removes this one in turn.
        let success = ordering(Ordering::AcqRel, "keyed buckets: a place is entered silently", Ordering::Relaxed);
        free.state_word.compare_exchange(free.state.0, entered.0, success, Ordering::Relaxed).ok()?;
        let seen = Seen { state: entered, ..*free };
        let owner = Owner::of(key.identity, entered.generation());
        // Lock-free: each turn but the last means that another wrote here: one that was removed before or since.
        loop {
            let other = free.owner_word.load(Ordering::Acquire);
            if State(free.state_word.load(Ordering::Acquire)).generation() != entered.generation() {
                return Some(seen);
            }
            // Release: who sees it sees the state.
            if free.owner_word.compare_exchange(other, owner.0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Some(seen);
            }
        }
    }

    /// Gives back what this call has put into a place: another entry of the key was admitted.
    fn withdraw(&self, own: Option<Seen<'_>>) {
        if let Some(own) = own {
            let free = own.state.begun(0, false);
            let _ = own.state_word.compare_exchange(own.state.0, free.0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Admits a newcomer, if no other was admitted at its home since `head` was read.
    fn admit(&self, key: &Key<'_>, head: Head, newcomer: &Seen<'_>) -> bool {
        if fault("keyed buckets: a newcomer asks nobody") {
            return true;
        }
        self.settle(head);
        let next = head.next(newcomer.index, newcomer.state.generation());
        // Release: who sees the admission sees the entry. Acquire: the chain of admissions is passed on.
        key.home.head.compare_exchange(head.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Writes into its place what so far only the head says: that this newcomer is admitted.
    fn settle(&self, head: Head) {
        let Some((index, generation)) = head.named() else { return };
        let Some(word) = self.groups.get(index / WAYS).and_then(|group| group.states.get(index % WAYS)) else {
            return;
        };
        let mut state = State(word.load(Ordering::Acquire));
        while state.generation() == generation
            && state.is_tentative()
            && !fault("keyed buckets: an admission is forgotten")
        {
            let settled = state.settled(state.position());
            match word.compare_exchange(state.0, settled.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(seen) => state = State(seen),
            }
        }
    }

    fn without_a_place(&self, terms: &Terms, lowest: u64, now: u64) -> Result<(), Refused> {
        match terms.config().when_full {
            WhenFull::FailOpen => {
                self.let_through.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            WhenFull::FailClosed => Err(self.no_place(terms, lowest, now)),
        }
    }

    #[cold]
    fn no_place(&self, terms: &Terms, lowest: u64, now: u64) -> Refused {
        // A place is free when its bucket is full.
        let wait = terms.nanos_until(now, lowest.saturating_add(self.units(terms.burst())));
        Refused::no_place(Stage::KeyedBucket, known(wait))
    }

    /// Whether no reading within a second, and no burst, explains a position so far ahead of `now`.
    fn is_stepped(&self, terms: &Terms, position: u64, now: u64) -> bool {
        // Nearly always the first decides, which costs less.
        position > terms.level_at(now)
            && position > terms.level_at(now.saturating_add(SECOND)) + self.units(terms.burst())
    }

    /// Why `n` more tokens, at most the burst, are not there at `now`.
    #[cold]
    fn why_not(&self, terms: &Terms, position: u64, n: u32, now: u64) -> Refused {
        if self.is_stepped(terms, position, now) {
            return Refused::clock_stepped(Stage::KeyedBucket);
        }
        // A full bucket holds a burst, but one whose burst grew may have to earn it: from its lowest position.
        let target = position.max(self.floor(terms, terms.level_at(now))) + self.units(n);
        Refused::not_yet(Stage::KeyedBucket, known(terms.nanos_until(now, target)))
    }

    pub(super) fn peek(&self, hash: u64, n: u32, now: Instant) -> Result<(), Refused> {
        let Some(key) = self.key(hash) else { return Ok(()) };
        if n == 0 {
            return Ok(());
        }
        let (terms, now) = (self.settings.terms(), now.as_nanos());
        if n > terms.burst() {
            return Err(Refused::never(Stage::KeyedBucket));
        }
        let mut level = terms.level_at(now);
        let position = match self.find(&key, Self::head(&key)) {
            Found::Entry(entry) | Found::Newcomer(entry) => entry.state.position(),
            Found::Nothing => {
                let free = self.free(&key, self.floor(&terms, level));
                level = self.newest_known(&key, level);
                if self.is_stepped(&terms, level, now) {
                    return Err(Refused::clock_stepped(Stage::KeyedBucket));
                }
                match (free, terms.config().when_full) {
                    (Ok(_), _) => 0,
                    (Err(_), WhenFull::FailOpen) => return Ok(()),
                    (Err(lowest), WhenFull::FailClosed) => return Err(self.no_place(&terms, lowest, now)),
                }
            }
        };
        match self.after(&terms, position, n, level) {
            Some(_) => Ok(()),
            None => Err(self.why_not(&terms, position, n, now)),
        }
    }

    pub(super) fn available(&self, hash: u64, now: Instant) -> u32 {
        let Some(key) = self.key(hash) else { return 0 };
        let terms = self.settings.terms();
        let level = terms.level_at(now.as_nanos());
        let floor = self.floor(&terms, level);
        let position = match self.find(&key, Self::head(&key)) {
            Found::Entry(entry) | Found::Newcomer(entry) => entry.state.position(),
            Found::Nothing => 0,
        };
        // At most the burst.
        (level.saturating_sub(position.max(floor)) >> self.settings.unit_exponent()) as u32
    }

    pub(super) fn refund(&self, hash: u64, n: u32, now: Instant) -> bool {
        let Some(key) = self.key(hash) else { return false };
        // Lock-free: each turn but the last means that another thread moved this key, or changed the terms.
        loop {
            let terms = self.settings.terms();
            let floor = self.floor(&terms, terms.level_at(now.as_nanos()));
            let Found::Entry(entry) = self.find(&key, Self::head(&key)) else { return false };
            let position = entry.state.position();
            let after = position.saturating_sub(self.units(n)).max(floor);
            if after >= position {
                return false;
            }
            if Self::take(&entry, after) {
                return true;
            }
        }
    }

    pub(super) fn occupied(&self, now: Instant) -> usize {
        let terms = self.settings.terms();
        let floor = self.floor(&terms, terms.level_at(now.as_nanos()));
        let is_held = |state: &&AtomicU64| State(state.load(Ordering::Relaxed)).position() > floor;
        self.groups.iter().flat_map(|group| &group.states).filter(is_held).count()
    }

    /// Frees every place.
    pub(super) fn clear(&self) {
        for group in self.groups {
            group.removed.store(0, Ordering::Relaxed);
            for word in &group.states {
                let mut state = State(word.load(Ordering::Relaxed));
                while let Err(seen) =
                    word.compare_exchange(state.0, state.begun(0, false).0, Ordering::AcqRel, Ordering::Relaxed)
                {
                    state = State(seen);
                }
            }
        }
    }
}

/// A wait that can be waited for, or none.
fn known(nanos: u64) -> Option<Duration> {
    (nanos != u64::MAX).then_some(Duration::from_nanos(nanos))
}
