//! The slots of a concurrency limit: who holds one, which is free, and how few looks tell.
//!
//! All that an attempt or a report must know is how the number of free slots compares with a bound. So a look ends as
//! soon as it has seen enough free ones, and what it has not looked at counts as held: never too few. A slot is one
//! comparison with a bar that is made once.
//!
//! While the limit stands at its highest, as many slots may be held as there are: any free one will do. That is the quick
//! way of an attempt, which most go. What it does not find at once it leaves to the whole one, and both decide alike.

use crate::concurrency_limit::control::Control;
use crate::concurrency_limit::permit::LimitPermit;
use crate::concurrency_limit::view::ConcurrencyLimitView;
use crate::refused::{Refused, Stage};
use crate::stamp::{Bar, Stamp};
use crate::sync::{AtomicU64, Ordering, const_constructor, fault, ordering};
use crate::time::Instant;

/// Who holds it and until when: a [`Stamp`].
#[repr(transparent)]
pub struct Slot(pub(super) AtomicU64);

impl Slot {
    const_constructor! {
        pub(super) fn free() -> Self {
            Self(AtomicU64::new(0))
        }
    }
}

/// A slot that can be taken, and how far the look went that found it. It binds nobody, and may be old.
#[derive(Clone, Copy)]
pub(super) struct Vacancy {
    /// What the look went by.
    control: Control,
    slot: u32,
    /// What stood in the slot.
    seen: Stamp,
    /// The slots that were looked at, from the lowest up.
    looked: u32,
    /// How many of them were free.
    free: u32,
}

/// What the quick way comes to.
pub(super) enum Quick<T> {
    Found(T),
    /// As many are held as the limit allows.
    Full,
    /// More is to be looked at, or another thread was quicker.
    Unclear,
}

#[inline]
fn stamp_of(slot: &Slot) -> Stamp {
    Stamp(slot.0.load(Ordering::Relaxed))
}

/// A slot that is free holds no moment, and one whose lease has lapsed a moment that has come.
#[inline]
fn is_free(slot: &Slot, bar: Bar) -> bool {
    !bar.is_below(stamp_of(slot))
}

/// The lowest slot that is free, and what stands in it.
#[inline]
fn lowest_free(slots: &[Slot], bar: Bar) -> Option<(usize, Stamp)> {
    let lowest = stamp_of(slots.first()?);
    if !bar.is_below(lowest) {
        return Some((0, lowest));
    }
    let (fours, rest) = slots.as_chunks::<4>();
    let mut index = 0;
    // Four at a time: a look at a slot is a load and a comparison, and the loop would cost as much again.
    for four in fours {
        for (place, slot) in four.iter().enumerate() {
            let seen = stamp_of(slot);
            if !bar.is_below(seen) {
                return Some((index + place, seen));
            }
        }
        index += 4;
    }
    let seen = rest.iter().map(stamp_of).enumerate().find(|(_, seen)| !bar.is_below(*seen));
    seen.map(|(place, seen)| (index + place, seen))
}

/// Whether all of them are free.
#[inline(always)]
fn are_free(slots: &[Slot], bar: Bar) -> bool {
    let (fours, rest) = slots.as_chunks::<4>();
    let all = |[a, b, c, d]: &[Slot; 4]| is_free(a, bar) && is_free(b, bar) && is_free(c, bar) && is_free(d, bar);
    fours.iter().all(all) && rest.iter().all(|slot| is_free(slot, bar))
}

/// The free ones of `slots`, `free` that were seen before, and how many were looked at: all, or until at least `enough`
/// free ones were seen.
#[inline(never)]
fn count_free(slots: &[Slot], bar: Bar, mut free: u32, enough: u32) -> (u32, u32) {
    let count = |slot| u32::from(is_free(slot, bar));
    // Four at a time: more, and the compiler makes a vector of the answers, which costs more than it counts. Mostly all of
    // them are free, and then no sum waits for the one before it.
    let (fours, rest) = slots.as_chunks::<4>();
    let mut looked = 0;
    for four in fours {
        if free >= enough {
            return (free, looked);
        }
        let [a, b, c, d] = four;
        free += if are_free(four, bar) { 4 } else { count(a) + count(b) + count(c) + count(d) };
        looked += 4;
    }
    for slot in rest {
        if free >= enough {
            return (free, looked);
        }
        free += count(slot);
        looked += 1;
    }
    (free, looked)
}

impl ConcurrencyLimitView {
    /// The slots that may be held.
    #[inline]
    pub(super) fn used(&self, control: Control) -> &[Slot] {
        let few = fault("concurrency_limit: permits over the limit are not counted");
        // The peak is at most the slots; `get` for storage that was damaged.
        self.slots.get(..if few { control.limit() } else { control.peak() } as usize).unwrap_or(&self.slots)
    }

    pub(super) fn held(&self, control: Control, now: Instant) -> u32 {
        let used = self.used(control);
        // At most 65,535 slots, and no more of them are free than there are.
        used.len() as u32 - count_free(used, Bar::at(now), 0, u32::MAX).0
    }

    /// Whether another call beside those that are held would fill the limit.
    pub(super) fn is_nearly_full(&self, control: Control, now: Instant) -> bool {
        let used = self.used(control);
        // Two free ones more than the limit leaves out, at most 65,537.
        let enough = over(used, control) + 2;
        count_free(used, Bar::at(now), 0, enough).0 < enough
    }

    /// The slots, where any that is free will do: the limit stands at its highest, and as many may be held as there are.
    #[inline(always)]
    fn any_will_do(&self, control: Control) -> Option<&[Slot]> {
        let slots = self.slots.get(..control.limit() as usize)?;
        (control.is_highest() || fault("concurrency_limit: after a cut any free slot will do")).then_some(slots)
    }

    /// Whether so much room is certain at once: any free slot will do, and the two highest are free.
    #[inline(always)]
    pub(super) fn has_room(&self, control: Control, now: Instant) -> bool {
        let bar = Bar::at(now);
        let top = self.any_will_do(control).and_then(<[Slot]>::split_last_chunk);
        top.is_some_and(|(_, [a, b])| is_free(a, bar) && is_free(b, bar))
    }

    /// The quick way of a look.
    #[inline]
    pub(super) fn look_at_once(&self, now: Instant) -> Quick<()> {
        match self.any_will_do(self.control()).map(|slots| lowest_free(slots, Bar::at(now))) {
            Some(Some(_)) => Quick::Found(()),
            Some(None) => Quick::Full,
            None => Quick::Unclear,
        }
    }

    /// The quick way of an attempt.
    #[inline(always)]
    pub(super) fn attempt_at_once(&self, now: Instant) -> Quick<LimitPermit> {
        let (control, bar) = (self.control(), Bar::at(now));
        let limit = control.limit();
        let Some(used) = self.any_will_do(control) else { return Quick::Unclear };
        let Some((index, seen)) = lowest_free(used, bar) else { return Quick::Full };
        let Some((slot, above)) = used.get(index..).and_then(<[Slot]>::split_first) else { return Quick::Unclear };
        // All below it are held. At most 65,536 twice.
        let is_half_used = (index as u32 + 1) * 2 >= limit;
        let is_full = is_half_used && !above.iter().any(|slot| is_free(slot, bar));
        // Not half of it is used if so many others are free. Mostly those next to it are.
        let others = above.get(..limit as usize / 2 + 1);
        if !is_half_used && !others.is_some_and(|others| are_free(others, bar)) {
            return Quick::Unclear;
        }
        let Some(stamp) = self.exchange(slot, seen, now) else { return Quick::Unclear };
        Quick::Found(LimitPermit {
            started: now,
            stamp: stamp.0,
            slot: index as u32,
            cuts: control.cuts(),
            is_full,
            is_half_used,
        })
    }

    /// The lowest free slot, if fewer are held than the limit. Loads only.
    #[inline(never)]
    pub(super) fn look(&self, now: Instant) -> Result<Vacancy, Refused> {
        let (control, bar) = (self.control(), Bar::at(now));
        let used = self.used(control);
        // Where none below the limit is free, as many are held.
        let below = used.get(..control.limit() as usize).unwrap_or(used);
        let Some((slot, seen)) = lowest_free(below, bar) else { return Err(self.refusal(now)) };
        let over = over(used, control);
        let (mut free, mut looked) = (1, slot as u32 + 1);
        if over != 0 {
            let more = count_free(used.get(slot + 1..).unwrap_or_default(), bar, free, over + 1);
            (free, looked) = (more.0, looked + more.1);
            if free <= over {
                return Err(self.refusal(now));
            }
        }
        Ok(Vacancy { control, slot: slot as u32, seen, looked, free })
    }

    /// Why a full limit refuses.
    #[inline(never)]
    pub(super) fn refusal(&self, now: Instant) -> Refused {
        if self.is_stepped(self.control(), now) {
            Refused::clock_stepped(Stage::ConcurrencyLimit)
        } else {
            Refused::not_yet(Stage::ConcurrencyLimit, None)
        }
    }

    /// Whether something is held, and all of it ends further ahead than a lease reaches.
    fn is_stepped(&self, control: Control, now: Instant) -> bool {
        let lease_ns = self.settings.lease_ns();
        let held = self.used(control).iter().map(stamp_of);
        let mut is_any = false;
        for seen in held.filter(|seen| !seen.is_over(now)) {
            if !seen.is_absurd(now, lease_ns) {
                return false;
            }
            is_any = true;
        }
        // What was held a moment ago may all be free by now: that is no step.
        is_any || fault("concurrency_limit: nothing held is a clock that stepped")
    }

    /// The whole way.
    #[inline(never)]
    pub(super) fn attempt_in_whole(&self, now: Instant) -> Result<[u64; 3], Refused> {
        // Lock-free: each turn but the last means that another thread took or freed the slot.
        loop {
            if let Some(permit) = self.take(self.look(now)?, now) {
                return Ok(permit.to_words());
            }
        }
    }

    /// Takes the slot of `vacancy`, unless another thread took or freed it since the look.
    fn take(&self, vacancy: Vacancy, now: Instant) -> Option<LimitPermit> {
        let Vacancy { control, slot: index, seen, looked, free } = vacancy;
        let (used, limit, slot) = (self.used(control), control.limit(), self.slots.get(index as usize)?);
        // As many are in flight with this one as there are slots, less those that are free, and one. So it does not fill
        // the limit if two more are free than the limit leaves out, nor half of it if so many are. At most 65,537.
        let roomy = over(used, control) + 2;
        let half = (used.len() as u32 + 2).saturating_sub(limit.div_ceil(2));
        // All below it are held.
        let is_half_used = (index + 1) * 2 >= limit;
        let enough = if is_half_used { roomy } else { half };
        let (free, _) = count_free(used.get(looked as usize..).unwrap_or_default(), Bar::at(now), free, enough);
        self.exchange(slot, seen, now).map(|stamp| LimitPermit {
            started: now,
            stamp: stamp.0,
            slot: index,
            cuts: control.cuts(),
            is_full: free < roomy,
            is_half_used: is_half_used || free < half,
        })
    }

    /// Takes the slot in which `seen` was seen; what stands in it then.
    #[inline(always)]
    fn exchange(&self, slot: &Slot, seen: Stamp, now: Instant) -> Option<Stamp> {
        // Another tag than the last permit of this slot, modulo 2^12.
        let stamp = Stamp::ending(seen.tag() + 1, now, self.settings.lease_ns());
        if fault("concurrency_limit: a slot is stored, not exchanged") {
            slot.0.store(stamp.0, Ordering::Release);
            return Some(stamp);
        }
        // Acquire: pairs with the release of the slot's last holder.
        let success =
            ordering(Ordering::Acquire, "concurrency_limit: a slot is taken without looking back", Ordering::Relaxed);
        slot.0.compare_exchange(seen.0, stamp.0, success, Ordering::Relaxed).is_ok().then_some(stamp)
    }

    /// Gives the slot back; whether the permit was good.
    #[inline(always)]
    pub(super) fn release(&self, permit: &LimitPermit) -> bool {
        let Some(slot) = self.slots.get(permit.slot as usize) else { return false };
        let stamp = Stamp(permit.stamp);
        let free = Stamp::none(stamp.tag()).0;
        if fault("concurrency_limit: a void permit frees a slot") {
            slot.0.store(free, Ordering::Release);
            return true;
        }
        // A permit that never was, all zero, must not free what is free.
        // Release: pairs with the acquire of the slot's next holder.
        !stamp.is_none() && slot.0.compare_exchange(permit.stamp, free, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    pub(super) fn free_all(&self) {
        for slot in &self.slots {
            let mut seen = slot.0.load(Ordering::Relaxed);
            while let Err(now_seen) =
                slot.0.compare_exchange(seen, Stamp::none(Stamp(seen).tag()).0, Ordering::Release, Ordering::Relaxed)
            {
                seen = now_seen;
            }
        }
    }
}

/// How many slots may be held beside those that the limit allows, since it was cut. At least so many and one are free
/// where another call is admitted.
#[inline]
fn over(used: &[Slot], control: Control) -> u32 {
    (used.len() as u32).saturating_sub(control.limit())
}
