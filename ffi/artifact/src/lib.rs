//! `libseawall.a` and `libseawall.so`: what `seawall-ffi` declares, as libraries for C.
//!
//! Nothing in them can panic. The handler that the language asks for calls a symbol that nobody defines: were a panic
//! reachable, no program would link.
#![no_std]

use core::panic::PanicInfo;

pub use seawall_ffi::*;

unsafe extern "C" {
    /// Defined nowhere, but by tests of the checked profile.
    fn seawall_cannot_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: never runs, as it never links.
    unsafe { seawall_cannot_panic() }
}
