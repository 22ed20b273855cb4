//! The main loop against an interrupt handler, on the same object, with an exact count of both.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m::interrupt::Mutex;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use cortex_m_semihosting::hprintln;

/// Timer periods in clock ticks: primes, so that the interrupt falls on every instruction of the loop in turn; each far
/// longer than a call of the handler takes on a Cortex-M0, or the main loop would never get on.
const PERIODS: [u32; 3] = [1_009, 1_511, 5_003];

/// Under this number of interrupts in the midst of a call a race has shown nothing.
const LEAST_HITS: u32 = 200;

static HANDLER: Mutex<Cell<fn()>> = Mutex::new(Cell::new(|| ()));
static IN_A_CALL: AtomicBool = AtomicBool::new(false);
// Only the handler writes these two while a race runs, so load and store do: a Cortex-M0 has nothing better.
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
static HITS: AtomicU32 = AtomicU32::new(0);

/// How often each side called.
pub struct Calls {
    pub main: u32,
    pub handler: u32,
}

impl Calls {
    pub fn total(&self) -> u64 {
        u64::from(self.main) + u64::from(self.handler)
    }
}

/// The system timer: the source of interrupts.
pub struct Timer(SYST);

impl Timer {
    pub fn new(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        Self(timer)
    }

    /// Calls `in_main` `times` times for each period while the timer interrupts it to call `in_handler`.
    pub fn race(&mut self, times: u32, in_main: impl Fn(), in_handler: fn()) -> Calls {
        cortex_m::interrupt::free(|cs| HANDLER.borrow(cs).set(in_handler));
        INTERRUPTS.store(0, Ordering::SeqCst);
        HITS.store(0, Ordering::SeqCst);
        for period in PERIODS {
            self.0.set_reload(period);
            self.0.clear_current();
            self.0.enable_counter();
            self.0.enable_interrupt();
            for _ in 0..times {
                IN_A_CALL.store(true, Ordering::SeqCst);
                in_main();
                IN_A_CALL.store(false, Ordering::SeqCst);
            }
            self.0.disable_interrupt();
            self.0.disable_counter();
        }
        let hits = HITS.load(Ordering::SeqCst);
        assert!(hits >= LEAST_HITS, "only {hits} interrupts fell into a call: the race shows nothing");
        // `times` is some thousands: far from 2^32 / 3.
        let calls = Calls { main: times * PERIODS.len() as u32, handler: INTERRUPTS.load(Ordering::SeqCst) };
        hprintln!("    {} calls against {} interrupts, {} of them inside of a call", calls.main, calls.handler, hits);
        calls
    }
}

#[exception]
fn SysTick() {
    INTERRUPTS.store(INTERRUPTS.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    if IN_A_CALL.load(Ordering::SeqCst) {
        HITS.store(HITS.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    }
    // The call itself runs unmasked.
    cortex_m::interrupt::free(|cs| HANDLER.borrow(cs).get())();
}
