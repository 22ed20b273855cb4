//! The one word of a shard: [`ShardWord`], and its steps.

use crate::sync::{AtomicU64, Ordering, const_constructor, fault};

/// What lies in a shard, and who may put more there.
///
/// ```text
/// bits 63..18 term     17 owned     16 filling     15..0 tokens
/// ```
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct ShardWord(AtomicU64);

/// The most tokens that a word holds, one less than the largest batch.
pub(super) const MOST: u32 = u16::MAX as u32;
const FILLING: u64 = 1 << 16;
const OWNED: u64 = 1 << 17;
const TERM: u64 = 1 << 18;
/// All but the tokens: what must be as it was for a batch to be put down.
const STANDING: u64 = !(FILLING - 1);

/// A word as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen(u64);

impl Seen {
    #[inline]
    pub(super) const fn tokens(self) -> u32 {
        self.0 as u16 as u32
    }

    /// Whether no one may put tokens here but the one who owns it, or fills it already.
    pub(super) fn is_taken(self) -> bool {
        self.0 & (OWNED | FILLING) != 0 && !fault("leased bucket: two may bring a batch")
    }

    #[inline]
    pub(super) const fn is_owned(self) -> bool {
        self.0 & OWNED != 0
    }

    const fn standing(self) -> Standing {
        Standing(self.0 & STANDING)
    }

    /// The next term: what was leased in the one before, and is not in the word, is void. The owner stays.
    const fn next_term(self, tokens: u32) -> u64 {
        (self.0 & !(TERM - 1) & !OWNED).wrapping_add(TERM) | self.0 & OWNED | tokens as u64
    }
}

/// The term and the bits of an owner or a filler, for as long as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing(u64);

impl Standing {
    /// What an owner may have; a standing without the bit, or with others beside it, is none of an owner's.
    #[inline]
    pub(super) fn of_owner(word: u64) -> Option<Self> {
        (word & (TERM - 1) == OWNED).then_some(Self(word))
    }

    #[inline]
    pub(super) const fn word(self) -> u64 {
        self.0
    }
}

impl ShardWord {
    const_constructor! {
        pub(super) fn holding(tokens: u32) -> Self {
            Self(AtomicU64::new(tokens as u64))
        }
    }

    /// Acquire: who sees a term also sees the inner bucket as it was when the term began.
    #[inline]
    pub(super) fn load(&self) -> Seen {
        Seen(self.0.load(Ordering::Acquire))
    }

    /// Whether the owner's or the filler's term goes on. Relaxed: for who only takes what it has.
    #[inline]
    pub(super) fn stands(&self, standing: Standing) -> bool {
        self.0.load(Ordering::Relaxed) & STANDING == standing.0 || fault("leased bucket: an owner overlooks its term")
    }

    fn exchange(&self, seen: Seen, after: u64, success: Ordering) -> Result<(), Seen> {
        // Weak would do, but the models count on an exchange that fails only where another got in.
        self.0.compare_exchange(seen.0, after, success, Ordering::Acquire).map(|_| ()).map_err(Seen)
    }

    /// Takes `n` tokens, which `seen` has.
    #[inline]
    pub(super) fn take(&self, seen: Seen, n: u32) -> Result<(), Seen> {
        if fault("leased bucket: a take is a store") {
            self.0.store(seen.0 - n as u64, Ordering::Relaxed);
            return Ok(());
        }
        // No borrow reaches the bits above. Relaxed: the tokens publish nothing.
        self.0
            .compare_exchange(seen.0, seen.0 - n as u64, Ordering::Relaxed, Ordering::Acquire)
            .map(|_| ())
            .map_err(Seen)
    }

    /// Makes the caller the one who fills, or says that the word is not `seen` any more.
    pub(super) fn begin_filling(&self, seen: Seen) -> Option<Standing> {
        self.exchange(seen, seen.0 | FILLING, Ordering::Relaxed).ok()?;
        Some(Seen(seen.0 | FILLING).standing())
    }

    /// Puts `tokens` down that fitted when the filling began; they are void where the term has ended since.
    pub(super) fn end_filling(&self, standing: Standing, tokens: u32) {
        let mut seen = self.load();
        while seen.standing() == standing || fault("leased bucket: a batch outlives its term") {
            // Only less has become of the tokens since, so the sum fits the low bits.
            match self.exchange(seen, (seen.0 & !FILLING) + tokens as u64, Ordering::Relaxed) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Begins a term of an owner, who gets what lies here; `None` where there is one.
    pub(super) fn claim(&self) -> Option<(Standing, u32)> {
        let mut seen = self.load();
        while !seen.is_owned() {
            // A new term: a batch that is on its way here is void.
            let owned = seen.next_term(0) | OWNED;
            match self.exchange(seen, owned, Ordering::Acquire) {
                Ok(()) => return Some((Seen(owned).standing(), seen.tokens())),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// The standing of an owner whose term was ended by others: it goes on with nothing.
    pub(super) fn renewed(&self) -> Standing {
        self.load().standing()
    }

    /// Ends an ownership; what the owner has left lies here, where its term still stands.
    pub(super) fn release(&self, standing: Standing, tokens: u32) {
        let mut seen = self.load();
        loop {
            let left = if seen.standing() == standing { tokens } else { 0 };
            match self.exchange(seen, (seen.0 & !OWNED) + left as u64, Ordering::Release) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Begins a term with the tokens that `keep` says of those that lie here; says how many lay here, and how many were
    /// kept. What an owner holds, and what is on its way here, is void.
    ///
    /// Release: who sees the term sees what was done to the inner bucket before.
    pub(super) fn begin_term(&self, keep: impl Fn(u32) -> u32) -> (u32, u32) {
        let mut seen = self.load();
        loop {
            // By what lies here when it succeeds: an owner may have taken it since it was looked at.
            let kept = if seen.is_owned() { 0 } else { keep(seen.tokens()) };
            match self.exchange(seen, seen.next_term(kept), Ordering::Release) {
                Ok(()) => return (seen.tokens(), kept),
                Err(now) => seen = now,
            }
        }
    }
}
