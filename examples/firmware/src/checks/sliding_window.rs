use core::time::Duration;

use seawall::{Clock, Instant, ManualClock, SlidingWindow, WindowConfig};

use crate::race::Timer;

/// The coarsest size: 8 slices of a millisecond, 64 cells each.
static WINDOW: SlidingWindow<8, 64> = match SlidingWindow::new(WindowConfig { window: Duration::from_millis(8) }) {
    Ok(window) => window,
    Err(_) => panic!("refused at compile time"),
};
/// One for both: they meet in the same cell.
const LATENCY: Duration = Duration::from_millis(1);
static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);

/// The handler moves time too, so slices are taken over for a new turn in the midst of the main loop's recording.
pub fn loses_no_sample(timer: &mut Timer) {
    let calls = timer.race(
        10_000,
        || WINDOW.record(LATENCY, true, CLOCK.now()),
        || {
            CLOCK.advance(Duration::from_micros(700));
            WINDOW.record(LATENCY, false, CLOCK.now());
        },
    );
    assert_eq!(WINDOW.total_count(), calls.total());
    assert_eq!(WINDOW.total_errors(), u64::from(calls.handler));

    let errors = calls_in_the_window(CLOCK.now());
    assert!(errors > 0, "the last samples are in the window");
    CLOCK.advance(Duration::from_millis(8));
    assert_eq!(calls_in_the_window(CLOCK.now()), 0);
    assert_eq!(WINDOW.total_count(), calls.total());
}

fn calls_in_the_window(now: Instant) -> u64 {
    WINDOW.summary(now).count
}
