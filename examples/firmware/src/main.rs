//! seawall on a microcontroller: every object is a `static` that the main loop and an interrupt handler use at once.
//!
//! A Cortex-M3 has no 64-bit compare-and-swap. What portable-atomic offers by default is a table of spin locks: the
//! handler waits for a lock that the code under it holds, for ever. So this image chooses masking (feature
//! `single-core` in its Cargo.toml), and without that choice it does not build.
//!
//! Each check counts exactly. It ends with `N passed, 0 failed` and the exit code 0, through semihosting.
#![no_std]
#![no_main]

mod checks;
mod race;

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use portable_atomic::{AtomicU32, Ordering};

static PASSED: AtomicU32 = AtomicU32::new(0);

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("taken once, here");
    let mut timer = race::Timer::new(core.SYST);
    for (name, check) in checks::ALL {
        hprintln!("check: {}", name);
        check(&mut timer);
        PASSED.fetch_add(1, Ordering::Relaxed);
    }
    end(0)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    end(1)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    hprintln!("hard fault at {:#010x}", frame.pc());
    end(1)
}

fn end(failed: u32) -> ! {
    hprintln!("{} passed, {} failed", PASSED.load(Ordering::Relaxed), failed);
    debug::exit(if failed == 0 { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    // It comes back only where no debugger listens.
    loop {
        cortex_m::asm::wfi();
    }
}
