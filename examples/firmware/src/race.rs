//! The main loop against an interrupt handler, on the same object, with an exact count of both.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m::interrupt::Mutex;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;
use cortex_m_semihosting::hprintln;

/// Timer periods in clock ticks: primes, so that the interrupt falls on every instruction of the loop in turn.
const PERIODS: [u32; 3] = [199, 331, 1_009];

/// Under this number of interrupts in the midst of a call a race has shown nothing.
const LEAST_HITS: u32 = 200;

static TIMER: Mutex<RefCell<Option<SYST>>> = Mutex::new(RefCell::new(None));
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

/// The source of interrupts. There is one.
pub struct Timer(());

impl Timer {
    pub fn new(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        cortex_m::interrupt::free(|cs| TIMER.borrow(cs).replace(Some(timer)));
        Self(())
    }

    /// Calls `in_main` `times` times for each period while the timer interrupts it to call `in_handler`.
    pub fn race(&mut self, times: u32, in_main: impl Fn(), in_handler: fn()) -> Calls {
        cortex_m::interrupt::free(|cs| HANDLER.borrow(cs).set(in_handler));
        INTERRUPTS.store(0, Ordering::SeqCst);
        HITS.store(0, Ordering::SeqCst);
        for period in PERIODS {
            with_timer(|timer| {
                timer.set_reload(period);
                timer.clear_current();
                timer.enable_counter();
                timer.enable_interrupt();
            });
            for _ in 0..times {
                IN_A_CALL.store(true, Ordering::SeqCst);
                in_main();
                IN_A_CALL.store(false, Ordering::SeqCst);
            }
            with_timer(|timer| {
                timer.disable_interrupt();
                timer.disable_counter();
            });
        }
        let hits = HITS.load(Ordering::SeqCst);
        assert!(hits >= LEAST_HITS, "only {hits} interrupts fell into a call: the race shows nothing");
        // `times` is some thousands: far from 2^32 / 3.
        let calls = Calls { main: times * PERIODS.len() as u32, handler: INTERRUPTS.load(Ordering::SeqCst) };
        hprintln!("    {} calls against {} interrupts, {} of them inside of a call", calls.main, calls.handler, hits);
        calls
    }
}

fn with_timer(action: impl FnOnce(&mut SYST)) {
    cortex_m::interrupt::free(|cs| TIMER.borrow(cs).borrow_mut().as_mut().map(action));
}

#[exception]
fn SysTick() {
    INTERRUPTS.store(INTERRUPTS.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    if IN_A_CALL.load(Ordering::SeqCst) {
        HITS.store(HITS.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    }
    // The call itself runs unmasked.
    cortex_m::interrupt::free(|cs| HANDLER.borrow(cs).get())();
    // The next period begins now: where a call takes longer than a period, the main loop still gets on.
    with_timer(SYST::clear_current);
    SCB::clear_pendst();
}
