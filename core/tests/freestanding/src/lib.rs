//! The freestanding link proof: the core needs no allocator, no libc, no std, and cannot panic.
//!
//! Each function of the core is reached through an `extern "C"` entry. The panic handler calls a symbol that nobody
//! defines, and there is no allocator, so a program that calls all entries links (with neither libc nor start files)
//! only if the compiler proved every panic unreachable and nothing allocates. `scripts/freestanding` makes that
//! program, with a call for each entry of the list below.
//!
//! To cover a mechanism, write a file beside `retry.rs` and add it to the list. An entry takes three words from the
//! caller, so that the compiler knows nothing of them, and returns a word, so that it cannot drop the work.
#![no_std]

use core::panic::PanicInfo;

mod aimd_controller;
mod bucket_bookings;
mod circuit_breaker;
mod concurrency_limit;
mod foundation;
mod guard;
mod guard_keyed;
mod guard_view;
mod keyed_buckets;
mod leased_bucket;
mod recorder;
mod retry;
#[cfg(feature = "seeded-panic")]
mod seeded;
mod shared_values;
mod sliding_window;
mod token_bucket;
mod window_views;

unsafe extern "C" {
    /// Defined nowhere: a reachable panic does not link.
    fn seawall_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: never runs, as it never links.
    unsafe { seawall_can_panic() }
}

/// Emits `extern "C" fn proof_NAME(u64, u64, u64) -> u64` for each line. `scripts/freestanding` reads the names from
/// the lines of the form `fn proof_NAME(` and holds their number against the symbols of the archive.
#[macro_export]
macro_rules! proofs {
    ($($(#[$meta:meta])* fn $name:ident($a:ident, $b:ident, $c:ident) $body:block)*) => { $(
        $(#[$meta])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($a: u64, $b: u64, $c: u64) -> u64 $body
    )* };
}

/// A duration of `nanos`, or none for 0.
pub(crate) fn optional(nanos: u64) -> Option<core::time::Duration> {
    (nanos != 0).then_some(core::time::Duration::from_nanos(nanos))
}

/// A word that depends on all of `text`'s length and first byte, so that the text has to be there.
pub(crate) fn code(text: &str) -> u64 {
    text.bytes().next().map_or(0, u64::from) + text.len() as u64
}

/// An outcome that the compiler does not know.
pub(crate) fn outcome(number: u64) -> seawall::Outcome {
    use seawall::Outcome;
    match number & 3 {
        0 => Outcome::Success,
        1 => Outcome::Failure,
        2 => Outcome::Throttled(optional(number >> 2)),
        _ => Outcome::Ignored,
    }
}
