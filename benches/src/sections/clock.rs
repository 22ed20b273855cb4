//! Reading a clock: shown apart, as whoever hands `now` in decides which one, and how often.

use governor::clock::{Clock as _, Reference};
use seawall::Clock as _;

use crate::row::{Kind, Row, Section};
use crate::sections::floors;

/// The clock that governor reads unless told otherwise, for both sides of a comparison.
#[derive(Clone)]
pub struct Quanta {
    clock: governor::clock::QuantaClock,
    origin: governor::clock::QuantaInstant,
}

impl Default for Quanta {
    fn default() -> Self {
        let clock = governor::clock::QuantaClock::default();
        Self { origin: clock.now(), clock }
    }
}

impl Quanta {
    /// The time since this was made.
    #[inline(always)]
    pub fn now(&self) -> seawall::Instant {
        seawall::Instant::from_nanos(self.clock.now().duration_since(self.origin).as_u64())
    }
}

fn reading<C: Sync + 'static>(name: &str, clock: C, read: impl Fn(&C) -> u64 + Copy + Send + Sync + 'static) -> Row {
    Row::new(
        Kind::Clock,
        name,
        clock,
        |_, _| 0,
        move |clock, last: &mut u64, _| {
            let now = read(clock);
            let is_in_order = now >= *last;
            *last = now;
            is_in_order
        },
    )
}

/// One section.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![Section {
        name: "clock",
        call: "one reading of a clock, in nanoseconds",
        reference: floors::LOAD_CAS,
        rows: vec![
            floors::load_cas(),
            reading("std Instant", std::time::Instant::now(), |origin| origin.elapsed().as_nanos() as u64),
            reading("seawall MonotonicClock (std Instant)", seawall::MonotonicClock::new(), |clock| {
                clock.now().as_nanos()
            }),
            reading("quanta 0.13", quanta::Clock::new(), |clock| clock.delta_as_nanos(0, clock.raw())),
            reading("governor's QuantaClock (quanta 0.12)", Quanta::default(), |clock| clock.now().as_nanos()),
        ],
        alone: true,
        together: 0,
    }]
}
