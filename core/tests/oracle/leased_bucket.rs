//! What a leased bucket has to hold: an exact bucket, and a heap of tokens for each shard.

#[path = "token_bucket.rs"]
mod token_bucket;

pub use token_bucket::{No, Oracle, TOKEN};

pub struct Leased {
    pub inner: Oracle,
    pub batch: u32,
    /// What lies in each shard for everybody.
    pub heaps: Vec<u32>,
    /// What the owner of a shard has.
    pub owned: Vec<Option<u32>>,
}

impl Leased {
    pub fn new(per_minute: i128, burst: u32, tokens: u32, batch: u32, shards: u32, start: u64) -> Self {
        let inner = burst - shards * (batch - 1);
        let mut rest = tokens.saturating_sub(inner);
        let heaps = (0..shards).map(|_| Self::share(&mut rest, batch)).collect();
        let inner = Oracle::new(per_minute, inner, tokens.min(inner), start);
        Self { inner, batch, heaps, owned: vec![None; shards as usize] }
    }

    fn share(rest: &mut u32, batch: u32) -> u32 {
        let share = (*rest).min(batch - 1);
        *rest -= share;
        share
    }

    pub fn idle(&self) -> u32 {
        self.heaps.len() as u32 * (self.batch - 1)
    }

    fn whole(&self, now: u64) -> u32 {
        (self.inner.balance(now).max(0) / TOKEN) as u32
    }

    fn take_of_a_heap(&mut self, n: u32) -> bool {
        let found = self.heaps.iter_mut().find(|heap| **heap >= n);
        found.map(|heap| *heap -= n).is_some()
    }

    pub fn try_take(&mut self, shard: usize, n: u32, now: u64) -> Result<(), No> {
        if self.heaps[shard] >= n {
            self.heaps[shard] -= n;
        } else if self.whole(now) >= n {
            let room = if self.owned[shard].is_some() { 0 } else { self.batch - 1 - self.heaps[shard] };
            let more = room.min(self.whole(now) - n);
            self.inner.try_take(n + more, now).expect("as many are there");
            self.heaps[shard] += more;
        } else if !self.take_of_a_heap(n) {
            return self.inner.try_take(n, now);
        }
        Ok(())
    }

    pub fn owner_takes(&mut self, shard: usize, n: u32, now: u64) -> Result<(), No> {
        let left = self.owned[shard].expect("owned");
        let missing = n.saturating_sub(left);
        if missing == 0 {
            self.owned[shard] = Some(left - n);
        } else if self.whole(now) >= missing {
            let more = (self.batch - 1).min(self.whole(now) - missing);
            self.inner.try_take(missing + more, now).expect("as many are there");
            self.owned[shard] = Some(more);
        } else if !self.take_of_a_heap(n) {
            return self.inner.try_take(missing, now);
        }
        Ok(())
    }

    pub fn own(&mut self, shard: usize) -> bool {
        let free = self.owned[shard].is_none();
        if free {
            self.owned[shard] = Some(std::mem::take(&mut self.heaps[shard]));
        }
        free
    }

    pub fn release(&mut self, shard: usize) {
        self.heaps[shard] += self.owned[shard].take().expect("owned");
    }

    pub fn available(&self, now: u64) -> u32 {
        self.whole(now) + self.heaps.iter().sum::<u32>()
    }

    fn void_owners(&mut self) {
        self.owned.iter_mut().for_each(|owned| *owned = owned.map(|_| 0));
    }

    pub fn drain_to(&mut self, keep: u32, now: u64) -> u32 {
        let mut drained = self.inner.drain_to(keep, now);
        let mut rest = keep - self.whole(now).min(keep);
        for heap in &mut self.heaps {
            let kept = rest.min(*heap);
            rest -= kept;
            drained += *heap - kept;
            *heap = kept;
        }
        self.void_owners();
        drained
    }

    pub fn reset(&mut self, tokens: u32, now: u64) {
        let inner = (self.inner.burst / TOKEN) as u32;
        let mut rest = tokens.min(inner + self.idle()).saturating_sub(inner);
        self.inner.reset(tokens, now);
        let batch = self.batch;
        for (heap, owned) in self.heaps.iter_mut().zip(&self.owned) {
            *heap = if owned.is_some() { 0 } else { Self::share(&mut rest, batch) };
        }
        self.void_owners();
    }
}
