//! The work of a table of buckets: by the hash of a key.

use core::time::Duration;

use crate::keyed_buckets::config::WhenFull;
use crate::keyed_buckets::place::{Group, Head, Owner, State, WAYS, identity};
use crate::keyed_buckets::terms::Growth;
use crate::keyed_buckets::view::KeyedBucketsView;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU64, Ordering, fault, ordering};
use crate::time::{Instant, SECOND};

/// A home with so many free places is taken, however empty the other choice is: the look finds it first.
const HOME_BIAS: usize = 4;

/// Where a key may be: by its hash.
struct Key<'a> {
    hash: u64,
    identity: u64,
    /// The number of its home.
    number: usize,
    home: &'a Group,
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

/// What a glance at a group shows.
enum Glance<'a> {
    /// The key's entry, admitted.
    Entry(Seen<'a>),
    /// The key's identity, but in a place that is another's by now, or not admitted: that takes a closer look.
    Unclear,
    Nothing,
}

impl KeyedBucketsView {
    #[inline]
    fn key(&self, hash: u64) -> Option<Key<'_>> {
        // The high half of the hash, scaled to a number under the groups': at most 2^32 x 2^22.
        let number = (((hash >> 32) * self.groups.len() as u64) >> 32) as usize;
        // A table has a group at least, but for a view of none.
        Some(Key { hash, identity: identity(hash), number, home: self.groups.get(number)? })
    }

    /// The number of the key's second choice, by the low half of its hash; none where there is only one group.
    #[inline]
    fn second(&self, key: &Key<'_>) -> Option<(usize, &Group)> {
        let groups = self.groups.len() as u64;
        if groups == 1 {
            return None;
        }
        // As for the home, among the others: at most twice the groups.
        let other = key.number as u64 + 1 + (((key.hash & 0xFFFF_FFFF) * groups.saturating_sub(1)) >> 32);
        let number = if other >= groups { other - groups } else { other } as usize;
        Some((number, self.groups.get(number)?))
    }

    /// The position after `n` more tokens, if they are there at `level`. `n` is at most the burst.
    #[inline]
    fn after(terms: &Growth, position: u64, n: u32, level: u64) -> Option<u64> {
        // Under 2^51 and 2^48.
        let after = position.max(terms.floor(level)) + terms.units(n);
        (after <= level).then_some(after)
    }

    /// The key's groups, with their numbers: two, or the only one.
    fn choices<'a>(&'a self, key: &Key<'a>) -> impl Iterator<Item = (usize, &'a Group)> + use<'a> {
        [Some((key.number, key.home)), self.second(key)].into_iter().flatten()
    }

    /// The key's entry: loads only.
    fn find<'a>(&'a self, key: &Key<'a>, head: Head) -> Found<'a> {
        let found = Self::find_in(key.identity, key.number, key.home, head);
        let second = match found {
            Found::Entry(_) => None,
            _ => self.second(key),
        };
        let Some((number, second)) = second else { return found };
        match (found, Self::find_in(key.identity, number, second, head)) {
            (_, Found::Entry(entry)) => Found::Entry(entry),
            (Found::Newcomer(first), _) => Found::Newcomer(first),
            (_, found) => found,
        }
    }

    fn find_in(identity: u64, number: usize, group: &Group, head: Head) -> Found<'_> {
        let mut found = Found::Nothing;
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
    fn free<'a>(&'a self, key: &Key<'a>, floor: u64) -> Result<Seen<'a>, u64> {
        let mut choice = Err(u64::MAX);
        let mut most_free = 0;
        for (number, group) in self.choices(key) {
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

    #[inline]
    fn head(key: &Key<'_>) -> Head {
        Head(key.home.head.load(Ordering::Acquire))
    }

    /// Looks at each owner of the group without a branch, and then at the state of the first one with this identity.
    ///
    /// A key that is removed and comes again takes the first free place, so what it left behind in a group lies after its
    /// entry there: that would hide it only in its second choice.
    #[inline(always)]
    fn glance(identity: u64, number: usize, group: &Group) -> Glance<'_> {
        let mut way = WAYS;
        for (index, owner) in group.owners.iter().enumerate().rev() {
            if Owner(owner.load(Ordering::Acquire)).identity() == identity {
                way = index;
            }
        }
        let (Some(owner_word), Some(state_word)) = (group.owners.get(way), group.states.get(way)) else {
            return Glance::Nothing;
        };
        // First the owner: if the state, read later, has its generation, the place was the owner's then.
        let owner = Owner(owner_word.load(Ordering::Acquire));
        let state = State(state_word.load(Ordering::Acquire));
        if owner != Owner::of(identity, state.generation()) || state.is_tentative() {
            return Glance::Unclear;
        }
        // Under 2^24, as checked at compile time.
        Glance::Entry(Seen { owner_word, state_word, index: number * WAYS + way, state })
    }

    /// The answer to `n` tokens of a key whose entry is seen at once, and `None` of any other. `take` is given the entry
    /// and its position after it, and says whether that is done.
    ///
    /// All of it is meant to be inlined where it is called, so nothing is lent to a function that is not.
    #[inline(always)]
    fn at_once(
        &self,
        hash: u64,
        n: u32,
        now: u64,
        take: impl FnOnce(&Seen<'_>, u64) -> bool,
    ) -> Option<Result<(), Refused>> {
        let key = self.key(hash)?;
        // For nothing but that the line of the states is fetched while that of the owners is.
        let _ = key.home.removed.load(Ordering::Relaxed);
        let mut glance = Self::glance(key.identity, key.number, key.home);
        if matches!(glance, Glance::Nothing) {
            let (number, second) = self.second(&key)?;
            glance = Self::glance(key.identity, number, second);
        }
        let Glance::Entry(entry) = glance else { return None };
        let terms = self.settings.growth();
        // None, and more than the burst.
        if n.wrapping_sub(1) >= terms.burst() {
            return None;
        }
        let (position, level) = (entry.state.position(), terms.level_at(now));
        match Self::after(&terms, position, n, level) {
            Some(after) => take(&entry, after).then_some(Ok(())),
            // Else the clock may have stepped.
            None if position <= level => Some(Err(Self::not_yet(&terms, position, n, now))),
            None => None,
        }
    }

    /// [`try_take`](Self::try_take) for a key whose entry is seen at once; the tokens come from its bucket.
    #[inline(always)]
    pub(super) fn try_take_at_once(&self, hash: u64, n: u32, now: Instant) -> Option<Result<(), Refused>> {
        self.at_once(hash, n, now.as_nanos(), Self::take)
    }

    /// [`peek`](Self::peek) for a key whose entry is seen at once.
    #[inline(always)]
    pub(super) fn peek_at_once(&self, hash: u64, n: u32, now: Instant) -> Option<Result<(), Refused>> {
        self.at_once(hash, n, now.as_nanos(), |_, _| true)
    }

    /// Whether the tokens were taken from a bucket: not where there was no place for one, nor where there are none.
    pub(super) fn charge_by_hash(&self, hash: u64, n: u32, now: Instant) -> Result<bool, Refused> {
        let Some(key) = self.key(hash) else { return Err(Refused::never(Stage::KeyedBucket)) };
        if n == 0 {
            return Ok(false);
        }
        let now = now.as_nanos();
        // What this call has put into a place: it has paid there.
        let mut own: Option<Seen<'_>> = None;
        // Lock-free: each turn but the last means that another thread took of this key, was admitted, took the place
        // that was free, or changed the terms.
        loop {
            let terms = self.settings.growth();
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
                    let Some(after) = Self::after(&terms, entry.state.position(), n, level) else {
                        return Err(Self::why_not(&terms, entry.state.position(), n, now));
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
                    if Self::after(&terms, newcomer.state.position(), n, level).is_none() {
                        return Err(Self::why_not(&terms, newcomer.state.position(), n, now));
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
    fn come<'a>(
        &'a self,
        key: &Key<'a>,
        terms: &Growth,
        n: u32,
        now: u64,
    ) -> Result<Option<Option<Seen<'a>>>, Refused> {
        let level = terms.level_at(now);
        let free = self.free(key, terms.floor(level));
        // Full as of the newest reading by which anything was removed here: this one may be older.
        let known = self.newest_known(key, level);
        if Self::is_stepped(terms, known, now) {
            return Err(Refused::clock_stepped(Stage::KeyedBucket));
        }
        let Some(after) = Self::after(terms, 0, n, known) else {
            return Err(Self::why_not(terms, 0, n, now));
        };
        match free {
            Ok(free) => Ok(Some(self.enter(key, &free, after, level))),
            Err(lowest) => self.without_a_place(terms, lowest, now).map(|()| None),
        }
    }

    /// Takes from an entry; `false` where it is no longer as it was seen.
    #[inline]
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
    fn newest_known(&self, key: &Key<'_>, level: u64) -> u64 {
        self.choices(key).map(|(_, group)| group.removed.load(Ordering::Acquire)).fold(level, u64::max)
    }

    /// Takes a free place for the key, with what it takes, not yet admitted. `None` where another was quicker.
    fn enter<'a>(&self, key: &Key<'_>, free: &Seen<'a>, position: u64, level: u64) -> Option<Seen<'a>> {
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
        let admitted = key.home.head.compare_exchange(head.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if admitted {
            // Nobody needs it now, but who looks for this key next need not ask the head.
            self.settle(next);
        }
        admitted
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

    fn without_a_place(&self, terms: &Growth, lowest: u64, now: u64) -> Result<(), Refused> {
        match terms.when_full() {
            WhenFull::FailOpen => {
                self.let_through.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            WhenFull::FailClosed => Err(Self::no_place(terms, lowest, now)),
        }
    }

    #[cold]
    fn no_place(terms: &Growth, lowest: u64, now: u64) -> Refused {
        // A place is free when its bucket is full.
        let wait = terms.nanos_until(now, lowest.saturating_add(terms.full));
        Refused::no_place(Stage::KeyedBucket, (wait != u64::MAX).then_some(Duration::from_nanos(wait)))
    }

    /// Whether no reading within a second, and no burst, explains a position so far ahead of `now`.
    fn is_stepped(terms: &Growth, position: u64, now: u64) -> bool {
        // Nearly always the first decides, which costs less.
        position > terms.level_at(now) && position > terms.level_at(now.saturating_add(SECOND)) + terms.full
    }

    /// Why `n` more tokens, at most the burst, are not there at `now`.
    fn why_not(terms: &Growth, position: u64, n: u32, now: u64) -> Refused {
        if Self::is_stepped(terms, position, now) {
            return Refused::clock_stepped(Stage::KeyedBucket);
        }
        Self::not_yet(terms, position, n, now)
    }

    #[inline]
    fn not_yet(terms: &Growth, position: u64, n: u32, now: u64) -> Refused {
        // A full bucket holds a burst, but one whose burst grew may have to earn it: from its lowest position.
        let target = position.max(terms.floor(terms.level_at(now))) + terms.units(n);
        // `u64::MAX` where that cannot be waited for.
        Refused::not_yet_ns(Stage::KeyedBucket, terms.nanos_until(now, target))
    }

    pub(super) fn peek_by_hash(&self, hash: u64, n: u32, now: Instant) -> Result<(), Refused> {
        let Some(key) = self.key(hash) else { return Err(Refused::never(Stage::KeyedBucket)) };
        if n == 0 {
            return Ok(());
        }
        let (terms, now) = (self.settings.growth(), now.as_nanos());
        if n > terms.burst() {
            return Err(Refused::never(Stage::KeyedBucket));
        }
        let mut level = terms.level_at(now);
        let position = match self.find(&key, Self::head(&key)) {
            Found::Entry(entry) | Found::Newcomer(entry) => entry.state.position(),
            Found::Nothing => {
                let free = self.free(&key, terms.floor(level));
                level = self.newest_known(&key, level);
                if Self::is_stepped(&terms, level, now) {
                    return Err(Refused::clock_stepped(Stage::KeyedBucket));
                }
                match (free, terms.when_full()) {
                    (Ok(_), _) => 0,
                    (Err(_), WhenFull::FailOpen) => return Ok(()),
                    (Err(lowest), WhenFull::FailClosed) => return Err(Self::no_place(&terms, lowest, now)),
                }
            }
        };
        match Self::after(&terms, position, n, level) {
            Some(_) => Ok(()),
            None => Err(Self::why_not(&terms, position, n, now)),
        }
    }

    pub(super) fn available_by_hash(&self, hash: u64, now: Instant) -> u32 {
        let Some(key) = self.key(hash) else { return 0 };
        let terms = self.settings.growth();
        let level = terms.level_at(now.as_nanos());
        let floor = terms.floor(level);
        let position = match self.find(&key, Self::head(&key)) {
            Found::Entry(entry) | Found::Newcomer(entry) => entry.state.position(),
            Found::Nothing => 0,
        };
        // At most the burst.
        terms.whole_tokens(level.saturating_sub(position.max(floor)))
    }

    pub(super) fn refund_by_hash(&self, hash: u64, n: u32, now: Instant) -> bool {
        let Some(key) = self.key(hash) else { return false };
        // Lock-free: each turn but the last means that another thread moved this key, or changed the terms.
        loop {
            let terms = self.settings.growth();
            let floor = terms.floor(terms.level_at(now.as_nanos()));
            let Found::Entry(entry) = self.find(&key, Self::head(&key)) else { return false };
            let position = entry.state.position();
            let after = position.saturating_sub(terms.units(n)).max(floor);
            if after >= position {
                return false;
            }
            if Self::take(&entry, after) {
                return true;
            }
        }
    }

    /// Frees every place.
    pub(super) fn clear(&self) {
        for group in &self.groups {
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

#[cfg(all(test, not(seawall_loom)))]
mod tests;
