use core::time::Duration;

use seawall::{Clock, Instant, ManualClock};

use crate::race::Timer;

pub fn loses_no_nanosecond(timer: &mut Timer) {
    static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
    const MAIN: Duration = Duration::from_nanos(1);
    const HANDLER: Duration = Duration::from_secs(1);
    let calls = timer.race(10_000, || CLOCK.advance(MAIN), || CLOCK.advance(HANDLER));
    assert_eq!(CLOCK.now(), Instant::ORIGIN.saturating_add(MAIN * calls.main + HANDLER * calls.handler));
}
