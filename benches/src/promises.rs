//! The targets, each with the reason that is given where it is not met.

use seawall::Stage;

use crate::figures::{Measured, quartiles, ratio};
use crate::sections::{
    circuit_breaker, concurrency_limit, floors, guard, keyed_buckets, retry, sliding_window, token_bucket,
};

/// What is divided by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The time of a call on one thread, by that of the other row.
    Cost,
    /// How many times as fast as the other row on one thread.
    Faster,
    /// The calls a second of two threads, by those of one.
    Scaling,
    /// The calls a second of two threads, by those of the other row.
    Throughput,
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Bound {
    /// Whether `value` is within it.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }

    /// As the tables say it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("<= {most}"),
            Self::AtLeast(least) => format!(">= {least}"),
        }
    }
}

/// One target.
pub struct Promise {
    /// Which path.
    pub path: &'static str,
    /// Where both rows are.
    pub section: &'static str,
    /// Our row.
    pub ours: String,
    /// The other one, or what stands in its place.
    pub against: &'static str,
    /// What is compared.
    pub what: What,
    /// What is wanted.
    pub bound: Bound,
    /// Why it is not met, if it is not: which instruction or which line, and what would be given up to meet it.
    pub reason: &'static str,
}

impl Promise {
    /// The quartiles of the ratio. `None` where it was not measured.
    #[must_use]
    pub fn ratio(&self, measured: &[Measured]) -> Option<[f64; 3]> {
        let section = measured.iter().find(|section| section.name == self.section)?;
        let ours = section.row(&self.ours)?;
        if self.what == What::Scaling {
            return ratio(&ours.all, &ours.one);
        }
        let theirs = section.row(self.against)?;
        match self.what {
            What::Cost => ratio(&ours.ns, &theirs.ns),
            What::Faster => ratio(&theirs.ns, &ours.ns),
            // Of different rounds, as each window has the cores for itself.
            What::Throughput => ratio(&ours.all, &theirs.all),
            What::Scaling => None,
        }
    }
}

const WINDOW_RECORD: &str = "before the cell is counted, the slice of the sample is found and checked against the time, and the \
    turn of the cell compared: that is what saves a rotation. A histogram without a window does neither and stays by the floor; \
    to meet it, samples would have to be lost or wait while a slice is emptied";
const OWNED_SHARD: &str = "the same search for slice and turn, without the exchange. What remains is a load, a comparison and a \
    store to a cell, and the octave's bit; an owned histogram without a window needs nearly as long";
const FULL_P95: &str = "512 cells in each of 16 slices are 8,192 loads if all octaves are in use, and atomic loads are not put into \
    vectors. The target was set for 336 cells of 6.25 %; these are right to 3.125 %. With 256 cells it would be met";
const TYPICAL_P95: &str = "six octaves of 16 slices are some 1,500 words, each of which carries its turn, and each is read by six \
    instructions: a load, the turn taken off, compared and dropped if it is another, and two sums. The compiler may lay them out \
    for 1.1 or for 1.5 us. With a turn a slice it would be met, and a slice would have to be emptied by somebody";
const PAIR: &str = "two exchanges, each of which costs here what one and a half additions cost, and they are nearly all of it. An \
    addition cannot say that the slot is still the one that was seen free, nor that the permit is still good: without leases, and \
    with permits that count when they are reported twice, it would be met";
const MANY_KEYS: &str = "where memory is what is waited for, the processor overlaps as many calls as fit its window, so the time goes \
    with their instructions: 168 to the map's 130. They scan the seven owners of a group, compare generations, and read terms that \
    may change. A tag a key, as maps have them, would save some twenty; the generations cannot go, as by them a stopped caller \
    cannot spend the tokens of another key";
const HOT_KEY: &str = "ours doubles on two threads, where the map with its lock falls to a third; alone they are equals, so the product \
    is eight. A refusal is 217 instructions: the hash, a look through seven owners, the terms twice to see that they belong \
    together, and the exact wait. Without the wait it would be a fifth less";
const RETRY: &str = "two nanoseconds against one and a half, 38 instructions against 28. SplitMix64 multiplies twice, one after the \
    other, where wyrand multiplies once; and the term is bounded for every attempt and factor, where the line by hand overflows. \
    Another generator would change every stream that was ever recorded";
const HEALTHY: &str = "three exchanges are three of the six. What is over it is the permit and the answer, 96 and 112 bytes that go by \
    way of memory and are read there before they have left the store buffer; where the compiler inlines both calls it is 5.2. A \
    permit by reference would meet it, and would be no plain value";

/// What a scaling is compared with.
pub const ONE_THREAD: &str = "one thread";

/// All of them, in the order of the tables.
#[must_use]
pub fn all() -> Vec<Promise> {
    let promise = |path, section, ours: &str, what, against, bound, reason| Promise {
        path,
        section,
        ours: ours.into(),
        against,
        what,
        bound,
        reason,
    };
    use Bound::{AtLeast, AtMost};
    use What::{Cost, Faster, Scaling, Throughput};
    let mut all = vec![
        promise("bucket refuse, 2 threads", "bucket refuse", token_bucket::OURS, Scaling, ONE_THREAD, AtLeast(1.7), ""),
        promise("bucket allow", "bucket allow", token_bucket::OURS, Cost, floors::LOAD_CAS, AtMost(1.25), ""),
        promise(
            "bucket allow, leased, 2 threads",
            "bucket allow",
            token_bucket::LEASED,
            Throughput,
            token_bucket::OURS,
            AtLeast(8.0),
            "",
        ),
        promise(
            "bucket allow, leased, 2 threads",
            "bucket allow",
            token_bucket::LEASED,
            Scaling,
            ONE_THREAD,
            AtLeast(1.7),
            "",
        ),
        promise(
            "bucket allow, an owned lease",
            "bucket allow",
            token_bucket::OWNED,
            Cost,
            floors::LOAD_CAS,
            AtMost(0.2),
            "",
        ),
        promise(
            "bucket allow with a clock",
            "bucket allow with a clock",
            token_bucket::OURS_QUANTA,
            Cost,
            token_bucket::GOVERNOR_QUANTA,
            AtMost(1.1),
            "",
        ),
        promise(
            "breaker healthy, 2 threads",
            "breaker healthy",
            circuit_breaker::OURS,
            Throughput,
            circuit_breaker::RECLOSER,
            AtLeast(50.0),
            "",
        ),
        promise(
            "breaker healthy, share, 2 threads",
            "breaker healthy",
            circuit_breaker::OURS_SHARE,
            Throughput,
            circuit_breaker::RECLOSER,
            AtLeast(50.0),
            "",
        ),
        promise(
            "window record",
            "window record",
            sliding_window::OURS,
            Cost,
            sliding_window::LOG_BUCKET,
            AtMost(1.2),
            WINDOW_RECORD,
        ),
        promise(
            "window record, an owned shard",
            "window record",
            sliding_window::OWNED,
            Cost,
            sliding_window::LOG_BUCKET,
            AtMost(0.5),
            OWNED_SHARD,
        ),
        promise(
            "window record, a shard a thread",
            "window record",
            sliding_window::SHARDED,
            Scaling,
            ONE_THREAD,
            AtLeast(1.7),
            "",
        ),
        // 1 us and 3 us where load + CAS takes 8.6 ns.
        promise(
            "window p95, typical",
            "window p95",
            sliding_window::OURS_TYPICAL,
            Cost,
            floors::LOAD_CAS,
            AtMost(116.0),
            TYPICAL_P95,
        ),
        promise(
            "window p95, full",
            "window p95",
            sliding_window::OURS_FULL,
            Cost,
            floors::LOAD_CAS,
            AtMost(349.0),
            FULL_P95,
        ),
        promise(
            "window p95, times as fast",
            "window p95",
            sliding_window::OURS_TYPICAL,
            Faster,
            sliding_window::BY_HAND,
            AtLeast(10.0),
            TYPICAL_P95,
        ),
        promise(
            "in flight, a pair",
            "in flight, a pair",
            concurrency_limit::OURS,
            Cost,
            floors::TWO_FETCH_ADDS,
            AtMost(1.3),
            PAIR,
        ),
        promise(
            "keyed, a million keys",
            "keyed, a million keys",
            keyed_buckets::OURS,
            Cost,
            keyed_buckets::GOVERNOR,
            AtMost(0.5),
            MANY_KEYS,
        ),
        promise(
            "keyed, one hot key refused, 2 threads",
            "keyed, one hot key refused",
            keyed_buckets::OURS,
            Throughput,
            keyed_buckets::GOVERNOR,
            AtLeast(20.0),
            HOT_KEY,
        ),
        promise("retry delay, full jitter", "retry delay", retry::OURS, Cost, retry::FASTRAND, AtMost(1.2), RETRY),
        promise("guard healthy", "guard healthy", guard::OURS, Cost, floors::LOAD_CAS, AtMost(6.0), HEALTHY),
    ];
    let stages = [
        ("guard refused by the deadline, 2 threads", Stage::Deadline),
        ("guard refused by a pause, 2 threads", Stage::Pause),
        ("guard refused by the breaker, 2 threads", Stage::CircuitBreaker),
        ("guard refused by the key's bucket, 2 threads", Stage::KeyedBucket),
        ("guard refused by the limit, 2 threads", Stage::ConcurrencyLimit),
        ("guard refused by the bucket, 2 threads", Stage::TokenBucket),
    ];
    for (path, stage) in stages {
        all.push(promise(path, "guard refused", &guard::refused_by(stage), Scaling, ONE_THREAD, AtLeast(1.7), ""));
    }
    all
}

/// The targets that are no ratios of times: path, against, value, target.
#[must_use]
pub fn counts() -> Vec<(&'static str, &'static str, f64, Bound)> {
    vec![("keyed, a million keys", "bytes a key", keyed_buckets::bytes_a_key(), Bound::AtMost(32.0))]
}

/// The medians that everything stands on are there.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    quartiles(values.to_vec()).map(|[_, median, _]| median)
}
