//! Windows and recorders whose sizes are known when the program runs: their storage, and what they are in it.

#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use std::time::Duration;

use seawall::{
    CallRecord, Guard, GuardConfig, Instant, OneWriter, Outcome, Random, Rate, Ratio, Recorder, RecorderView, Request,
    ShardedWindow, ShardedWindowView, SlidingWindow, SlidingWindowView, WindowConfig, WindowConfigError, WrongWriter,
};
use support::storage::Storage;

const SECOND: u64 = 1_000_000_000;
const WINDOW: WindowConfig = WindowConfig { window: Duration::from_secs(8) };
/// Times and numbers that must not break anything.
const ODD: [u64; 7] = [0, 1, 7, 1 << 31, u32::MAX as u64, 1 << 62, u64::MAX];

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn sliding(words: usize) -> Storage<SlidingWindowView> {
    let bytes = SlidingWindowView::size_of_words(words).unwrap();
    let cast = |storage: *mut [u8]| storage as *mut SlidingWindowView;
    // SAFETY: so many bytes hold such a view, and all zero is a value of it.
    unsafe { Storage::zeroed(bytes, SlidingWindowView::ALIGNMENT, words, cast) }
}

fn sharded(words: usize) -> Storage<ShardedWindowView> {
    let bytes = ShardedWindowView::size_of_words(words).unwrap();
    let cast = |storage: *mut [u8]| storage as *mut ShardedWindowView;
    // SAFETY: so many bytes hold such a view, and all zero is a value of it.
    unsafe { Storage::zeroed(bytes, ShardedWindowView::ALIGNMENT, words, cast) }
}

fn recorder(words: usize) -> Storage<RecorderView> {
    let bytes = RecorderView::size_of_words(words).unwrap();
    let cast = |storage: *mut [u8]| storage as *mut RecorderView;
    // SAFETY: so many bytes hold such a view, and all zero is a value of it.
    unsafe { Storage::zeroed(bytes, RecorderView::ALIGNMENT, words, cast) }
}

fn recorder_of(slices: usize, cells: usize) -> Storage<RecorderView> {
    recorder(RecorderView::words_for(slices, cells).unwrap())
}

fn guard() -> Guard<64> {
    Guard::new(GuardConfig::for_service(Rate::per_second(1_000), Duration::from_secs(1)), 7, at(0)).unwrap()
}

/// A call that is delivered after `took`.
fn deliver(guard: &Guard<64>, recorder: &RecorderView, took: Duration, now: Instant) {
    let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now).unwrap());
    let answer = guard.try_attempt(&mut call, now);
    recorder.attempted(&mut record, &answer, now).unwrap();
    let end = now.saturating_add(took);
    let finished = guard.finish(&mut call, answer.unwrap().permit, Outcome::Success, end);
    recorder.finished(&mut record, Outcome::Success, &finished, end).unwrap();
}

#[test]
fn the_bytes_that_a_size_needs_are_those_of_the_sized_type_and_one_line_that_says_the_sizes() {
    macro_rules! sizes {
        ($($slices:literal x $cells:literal)*) => { $(
            let sized = size_of::<SlidingWindow<$slices, $cells>>();
            assert_eq!(SlidingWindowView::size_for($slices, $cells), Some(sized + 64));
            let sized = size_of::<ShardedWindow<3, $slices, $cells>>();
            // A claim may lie on the last line of its ring, where that has room.
            let view = ShardedWindowView::size_for(3, $slices, $cells).unwrap();
            assert!(view <= sized + 64 && view + 3 * 64 >= sized, "{view} against {sized}");
            let (sized, view) =
                (size_of::<Recorder<$slices, $cells>>(), RecorderView::size_for($slices, $cells).unwrap());
            assert!(view.abs_diff(sized) <= 128, "{view} against {sized}");
        )* };
    }
    sizes!(2 x 32  4 x 32  8 x 64  8 x 512  16 x 128  16 x 512  64 x 1024  1024 x 32);
    for bad in [0, 1, 3, 5, 31, 1023, 1025, 2048, usize::MAX] {
        assert_eq!((SlidingWindowView::size_for(bad, 32), RecorderView::size_for(bad, 32)), (None, None));
        assert_eq!((SlidingWindowView::size_for(8, bad), RecorderView::size_for(8, bad)), (None, None));
        assert_eq!((ShardedWindowView::size_for(1, bad, 32), ShardedWindowView::size_for(1, 8, bad)), (None, None));
    }
    for cells in [0, 1, 16, 31] {
        assert_eq!(SlidingWindowView::words_for(8, cells), None);
    }
    for shards in [0, 65_537, usize::MAX] {
        assert_eq!(ShardedWindowView::size_for(shards, 8, 32), None);
    }
    assert!(ShardedWindowView::size_for(65_536, 8, 32).is_some());
}

#[test]
fn a_size_or_window_out_of_its_range_is_a_typed_error_and_leaves_all_as_it_was() {
    let mut window = sliding(SlidingWindowView::words_for(8, 64).unwrap());
    window.renew(WINDOW, 8, 64).unwrap();
    window.record(Duration::from_millis(20), false, at(0));
    let mut shards = sharded(ShardedWindowView::words_for(2, 8, 64).unwrap());
    shards.renew(WINDOW, 2, 8, 64).unwrap();
    shards.record(1, Duration::from_millis(20), false, at(0)).unwrap();
    let mut one = recorder_of(8, 64);
    one.renew(WINDOW, 8, 64).unwrap();
    one.abandoned(one.begun(at(0)).unwrap(), at(0)).unwrap();

    let (short, long) = (WindowConfig { window: Duration::ZERO }, WindowConfig { window: Duration::MAX });
    for (config, slices, cells, error) in [
        (WINDOW, 0, 64, WindowConfigError::Slices),
        (WINDOW, 1, 64, WindowConfigError::Slices),
        (WINDOW, 12, 64, WindowConfigError::Slices),
        (WINDOW, 2048, 64, WindowConfigError::Slices),
        (WINDOW, 8, 0, WindowConfigError::Cells),
        (WINDOW, 8, 16, WindowConfigError::Cells),
        (WINDOW, 8, 96, WindowConfigError::Cells),
        (WINDOW, 8, 2048, WindowConfigError::Cells),
        (short, 8, 64, WindowConfigError::TooShort),
        (long, 8, 64, WindowConfigError::TooLong),
        (WINDOW, 8, 128, WindowConfigError::Storage),
        (WINDOW, 16, 64, WindowConfigError::Storage),
    ] {
        assert_eq!(window.renew(config, slices, cells), Err(error));
        assert_eq!(shards.renew(config, 2, slices, cells), Err(error));
        assert_eq!(shards.renew_for_owners(config, 2, slices, cells), Err(error));
        assert_eq!(one.renew(config, slices, cells), Err(error));
        assert_eq!(one.renew_for_owner(config, slices, cells), Err(error));
        assert!(error.message().contains(": allowed"), "{error}");
    }
    for (count, error) in
        [(0, WindowConfigError::Shards), (65_537, WindowConfigError::Shards), (3, WindowConfigError::Storage)]
    {
        assert_eq!(shards.renew(WINDOW, count, 8, 64), Err(error));
    }
    assert_eq!((window.slices(), window.cells(), window.total_errors(), window.window()), (8, 64, 1, WINDOW.window));
    assert_eq!((shards.shards(), shards.slices(), shards.cells(), shards.total_errors()), (2, 8, 64, 1));
    assert_eq!((one.slices(), one.cells(), one.totals().abandoned(), one.recent(at(0)).abandoned()), (8, 64, 1, 1));
}

#[test]
fn what_was_there_before_it_was_made_anew_is_gone_and_a_smaller_one_fits() {
    let mut window = sliding(SlidingWindowView::words_for(16, 128).unwrap());
    let mut shards = sharded(ShardedWindowView::words_for(3, 16, 128).unwrap());
    let mut one = recorder_of(16, 128);
    for (slices, cells) in [(16, 128), (8, 64), (2, 32), (16, 128)] {
        window.renew(WINDOW, slices, cells).unwrap();
        shards.renew(WINDOW, 3, slices, cells).unwrap();
        one.renew(WINDOW, slices, cells).unwrap();
        assert_eq!((window.total_count(), window.error_rate(at(0))), (0, None));
        assert_eq!((shards.total_count(), shards.error_rate(at(0))), (0, None));
        assert_eq!((one.totals().begun(), one.recent(at(0)).begun()), (0, 0));
        for step in 0..40 {
            let (now, latency) = (at(step * SECOND / 4), Duration::from_micros(1 << (step % 30)));
            window.record(latency, step % 3 == 0, now);
            shards.record(step as u32, latency, step % 3 == 0, now).unwrap();
            one.abandoned(one.begun(now).unwrap(), now).unwrap();
        }
        assert_eq!((window.total_count(), shards.total_count(), one.totals().abandoned()), (40, 40, 40));
    }
}

#[test]
fn zeroed_storage_records_nothing_reads_as_empty_and_no_number_or_time_breaks_it() {
    for words in [0, 1, 9, 3000] {
        let (window, shards, one) = (sliding(words), sharded(words), recorder(words));
        for now in ODD.map(at) {
            let latency = now.saturating_duration_since(at(0));
            window.record(latency, false, now);
            window.mark(now);
            window.rebase(now, at(7));
            let summary = window.summary(now);
            assert_eq!((summary.count, summary.errors, summary.mean, summary.total_count), (0, 0, None, 0));
            assert_eq!((window.quantile(Ratio::HALF, now), window.error_rate(now)), (None, None));
            assert_eq!((window.total_errors(), window.total_late(), window.window()), (0, 0, Duration::ZERO));
            assert_eq!((window.slice(), window.slices(), window.cells()), (Duration::ZERO, 0, 0));

            for shard in ODD.map(|shard| shard as u32) {
                assert_eq!(shards.record(shard, latency, false, now), Err(WrongWriter));
                assert_eq!(shards.own(shard).err(), Some(WrongWriter));
                assert!(shards.owner_again([shard.into(), 1]).is_none());
            }
            shards.mark(now);
            assert_eq!((shards.summary(now).total_count, shards.error_rate(now), shards.total_late()), (0, None, 0));
            assert_eq!((shards.shards(), shards.quantile(Ratio::ONE, now)), (0, None));

            assert_eq!(one.begun(now), Err(WrongWriter));
            assert_eq!(one.own().err(), Some(WrongWriter));
            assert!(one.owner_again(1).is_none());
            let transition = guard().breaker(0).force_open(at(0)).unwrap();
            one.changed(transition, now);
            one.rebase(now, at(7));
            assert_eq!((one.totals().begun(), one.recent(now).begun()), (0, 0));
            let snapshot = guard().snapshot([&*one], now);
            assert_eq!((snapshot.attempts.count, snapshot.total.begun(), snapshot.breaker_cause), (0, 0, None));
        }
    }
}

#[test]
fn a_window_of_a_run_time_size_answers_as_the_sized_one_does() {
    fn compare<const SLICES: usize, const CELLS: usize>(seed: u64) {
        let mut random = Random::from_seed(seed);
        let mut below = move |bound: u64| random.next_u64() % bound;
        let config = WindowConfig { window: Duration::from_nanos([1_000_001, 8 * SECOND, 1 << 50][seed as usize % 3]) };
        let width = config.window.as_nanos() as u64;
        let one = Box::new(SlidingWindow::<SLICES, CELLS>::new(config).unwrap());
        let mut view = sliding(SlidingWindowView::words_for(SLICES, CELLS).unwrap());
        view.renew(config, SLICES, CELLS).unwrap();
        let many = Box::new(ShardedWindow::<3, SLICES, CELLS>::new(config).unwrap());
        let mut many_view = sharded(ShardedWindowView::words_for(3, SLICES, CELLS).unwrap());
        many_view.renew(config, 3, SLICES, CELLS).unwrap();
        let owned = Box::new(ShardedWindow::<3, SLICES, CELLS, OneWriter>::for_owners(config).unwrap());
        let mut owned_view = sharded(ShardedWindowView::words_for(3, SLICES, CELLS).unwrap());
        owned_view.renew_for_owners(config, 3, SLICES, CELLS).unwrap();
        let mut owners = [0, 1, 2].map(|shard| owned.own(shard).unwrap());
        let mut view_owners = [0, 1, 2].map(|shard| owned_view.own(shard).unwrap().unwrap());
        assert_eq!(view.relative_error(), SlidingWindow::<SLICES, CELLS>::relative_error());
        assert_eq!((view.slice(), many_view.window()), (one.slice(), many.window()));

        let mut now = below(1 << 40);
        for step in 0..300 {
            now = match below(20) {
                0..12 => now + below(width / 16),
                12 => now + below(4 * width),
                13 | 14 => now.saturating_sub(below(width)),
                15 => now.saturating_sub(below(20 * width)),
                _ => now,
            };
            let (latency, ok, shard) =
                (Duration::from_nanos(below(u64::MAX) >> below(64)), below(3) != 0, below(3) as u32);
            match below(40) {
                0 => {
                    let to = below(1 << 45);
                    one.rebase(at(now), at(to));
                    view.rebase(at(now), at(to));
                    many.rebase(at(now), at(to));
                    many_view.rebase(at(now), at(to));
                    owned.rebase(at(now), at(to));
                    owned_view.rebase(at(now), at(to));
                    now = to;
                }
                1 => {
                    one.mark(at(now));
                    view.mark(at(now));
                    many.mark(at(now));
                    many_view.mark(at(now));
                    owned.mark(at(now));
                    owned_view.mark(at(now));
                }
                _ => {
                    one.record(latency, ok, at(now));
                    view.record(latency, ok, at(now));
                    many.record(shard + 3, latency, ok, at(now));
                    many_view.record(shard + 3, latency, ok, at(now)).unwrap();
                    owners[shard as usize].record(latency, ok, at(now));
                    view_owners[shard as usize].record(latency, ok, at(now));
                }
            }
            let (time, q) = (at(now), Ratio::from_ppm(below(1_000_001) as u32).unwrap());
            assert_eq!(view.summary(time), one.summary(time), "step {step} of {seed}");
            assert_eq!(many_view.summary(time), many.summary(time), "step {step} of {seed}");
            assert_eq!(owned_view.summary(time), owned.summary(time), "step {step} of {seed}");
            assert_eq!(view.quantile(q, time), one.quantile(q, time));
            assert_eq!(many_view.quantile(q, time), many.quantile(q, time));
            assert_eq!(view.error_rate(time), one.error_rate(time));
            assert_eq!(many_view.error_rate(time), many.error_rate(time));
            assert_eq!((view.total_late(), many_view.total_late()), (one.total_late(), many.total_late()));
            assert_eq!((view.total_errors(), many_view.total_errors()), (one.total_errors(), many.total_errors()));
        }
    }
    for seed in 0..3 {
        compare::<2, 32>(seed);
        compare::<8, 64>(seed);
        compare::<16, 512>(seed);
        compare::<4, 1024>(seed);
    }
}

#[test]
fn what_was_made_for_anybody_has_no_owner_and_what_was_made_for_owners_only_they_write() {
    let mut shards = sharded(ShardedWindowView::words_for(2, 8, 64).unwrap());
    shards.renew(WINDOW, 2, 8, 64).unwrap();
    assert_eq!(shards.own(0).err(), Some(WrongWriter));
    shards.renew_for_owners(WINDOW, 2, 8, 64).unwrap();
    assert_eq!(shards.record(0, Duration::ZERO, true, at(0)), Err(WrongWriter));
    assert_eq!(shards.total_count(), 0);

    let mut one = recorder_of(4, 32);
    one.renew(WINDOW, 4, 32).unwrap();
    assert_eq!(one.own().err(), Some(WrongWriter));
    let mut record = one.begun(at(0)).unwrap();
    one.renew_for_owner(WINDOW, 4, 32).unwrap();
    assert_eq!(one.begun(at(0)), Err(WrongWriter));
    assert_eq!(one.cancelled(&mut record, at(0)), Err(WrongWriter));
    assert_eq!(one.abandoned(record, at(0)), Err(WrongWriter));
    assert_eq!((one.totals().begun(), one.totals().abandoned()), (0, 0));
}

#[test]
fn an_owner_that_is_kept_as_a_number_is_the_only_one_until_it_is_dropped() {
    let mut shards = sharded(ShardedWindowView::words_for(2, 8, 64).unwrap());
    shards.renew_for_owners(WINDOW, 2, 8, 64).unwrap();
    let numbers = shards.own(1).unwrap().unwrap().into_numbers();
    assert!(shards.own(1).unwrap().is_none());
    let mut owner = shards.owner_again(numbers).unwrap();
    owner.record(Duration::ZERO, true, at(0));
    let numbers = owner.into_numbers();
    drop(shards.owner_again(numbers));
    let next = shards.own(1).unwrap().unwrap();
    assert!(shards.owner_again(numbers).is_none(), "the one before it");
    for alien in [[0, 1], [2, 1], [u64::MAX, 1], [1, 0], [1, 2], [1, u64::MAX]] {
        assert!(shards.owner_again(alien).is_none());
    }
    assert!(shards.own(1).unwrap().is_none(), "it is still owned");
    assert_eq!(shards.total_count(), 1);
    drop(next);

    let mut one = recorder_of(4, 32);
    one.renew_for_owner(WINDOW, 4, 32).unwrap();
    let number = one.own().unwrap().unwrap().into_number();
    assert!(one.own().unwrap().is_none());
    let mut owner = one.owner_again(number).unwrap();
    let record = owner.begun(at(0));
    owner.abandoned(record, at(0));
    drop(owner);
    assert!(one.owner_again(number).is_none() && one.own().unwrap().is_some());
    assert_eq!(one.totals().abandoned(), 1);
}

#[test]
fn a_record_is_its_words_and_words_that_nobody_gave_are_none() {
    let (one, guard) = (Recorder::<4, 32>::new(WINDOW).unwrap(), guard());
    let mut call = guard.begin(Request::DEFAULT, at(5));
    let mut record = one.begun(at(5));
    let answer = guard.try_attempt(&mut call, at(9));
    for _ in 0..2 {
        let words = record.into_words();
        record = CallRecord::from_words(words).unwrap();
        assert_eq!(record.into_words(), words);
        record = CallRecord::from_words(words).unwrap();
        one.attempted(&mut record, &answer, at(9));
    }
    let [head, began, sent] = record.into_words();
    for words in [
        [0; 3],
        [u64::MAX; 3],
        [head ^ 1 << 63, began, sent],
        [head | 1 << 20, began, sent],
        [head | 0xFF, began, sent],
        [head | 8, began, sent],
        [head & !(1 << 8), began, sent],
        [head & !(1 << 8) | 1, began, 0],
    ] {
        assert_eq!(CallRecord::from_words(words), None, "{words:x?}");
    }
    for stage in 1..=7 {
        assert!(CallRecord::from_words([head | stage, began, sent]).is_some());
    }
}

#[test]
fn recorders_of_unlike_cells_are_read_as_one_with_the_cells_of_the_first() {
    let guard = guard();
    let (mut fine, mut coarse) = (recorder_of(8, 1024), recorder_of(4, 32));
    fine.renew(WINDOW, 8, 1024).unwrap();
    coarse.renew(WINDOW, 4, 32).unwrap();
    for milli in 1..=50 {
        deliver(&guard, &fine, Duration::from_millis(milli), at(milli * SECOND / 100));
        deliver(&guard, &coarse, Duration::from_millis(milli + 50), at(milli * SECOND / 100));
    }
    let now = at(SECOND);
    for recorders in [[&*fine, &*coarse], [&*coarse, &*fine]] {
        let snapshot = guard.snapshot(recorders, now);
        let attempts = snapshot.attempts;
        assert_eq!((attempts.count, attempts.errors, snapshot.total.delivered()), (100, 0, 100));
        assert_eq!(attempts.max, Some(Duration::from_millis(100)));
        // Each is off by as much as its cells are, and once more where they are told anew.
        let median = attempts.p50.unwrap();
        assert!((25..=100).contains(&median.as_millis()), "{median:?}");
    }

    deliver(&guard, &coarse, Duration::from_secs(20_000), at(SECOND));
    let now = at(20_001 * SECOND);
    let snapshot = guard.snapshot([&*fine, &*coarse], now);
    // High by at most 2^-26 of itself.
    let longest = snapshot.attempts.max.unwrap();
    assert!((20_000 * SECOND..20_000 * SECOND + 300_000).contains(&(longest.as_nanos() as u64)), "{longest:?}");
    assert_eq!(snapshot.attempts.count, 1);
    assert_eq!(snapshot.attempts.p50, snapshot.attempts.max);
}
