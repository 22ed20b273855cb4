//! The one switch between real atomics and the model checker's.
//!
//! Everything shared in this crate is an atomic from here. An ordinary build gets
//! `portable-atomic`; a build with `--cfg seawall_loom` gets loom's, so that the models in
//! `tests/models` explore the product code itself and not a copy of it.
//!
//! A model that cannot fail proves nothing. Under `seawall_loom` a model may therefore name one
//! [`fault`]: the place in the product code that asks for it then does the wrong thing on purpose
//! (a weaker ordering, a skipped check), and the harness demands that the model notices. In an
//! ordinary build [`fault`] is the constant `false` and the compiler removes it.

#[cfg(not(seawall_loom))]
pub(crate) use portable_atomic::{AtomicU32, AtomicU64};

#[cfg(seawall_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64};

pub(crate) use core::sync::atomic::Ordering;

/// What the lines of feature `std` wait with.
#[cfg(all(feature = "std", not(seawall_loom)))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard},
    thread::{Thread, current as current_thread, park_timeout},
};

#[cfg(all(feature = "std", seawall_loom))]
pub(crate) use loom::{
    sync::{Mutex, MutexGuard},
    thread::{Thread, current as current_thread},
};

/// For ever: a thread that nobody wakes is a deadlock, which loom reports.
#[cfg(all(feature = "std", seawall_loom))]
pub(crate) fn park_timeout(_: core::time::Duration) {
    loom::thread::park();
}

/// The refusal to build where a 64-bit atomic would be a lock. `scripts/firmware` builds each refused configuration
/// and looks for the first words of these messages.
#[cfg(not(seawall_loom))]
mod lock_free {
    portable_atomic::cfg_no_atomic_64! {
        compile_error!(
            "seawall needs 64-bit atomics, and this target has none of its own. The final binary chooses how to get \
             them. On a single-core microcontroller: depend on `portable-atomic` with its default features and \
             `unsafe-assume-single-core` (or `unsafe-assume-privileged`), which masks interrupts for a few cycles. On \
             a hosted system: enable the feature `hosted-lock-table` of `seawall`."
        );
    }

    portable_atomic::cfg_has_atomic_64! {
        // Without an operating system there are always interrupt handlers, so there the feature does not help.
        #[cfg(any(not(feature = "hosted-lock-table"), target_os = "none"))]
        const _: () = assert!(
            portable_atomic::AtomicU64::is_always_lock_free(),
            "64-bit atomics are a table of spin locks in this build: an interrupt or signal handler that calls \
             seawall would deadlock. The final binary chooses. On a single-core microcontroller: enable \
             `unsafe-assume-single-core` (or `unsafe-assume-privileged`) of the crate `portable-atomic`. On a hosted \
             system whose signal handlers never call seawall: enable the feature `hosted-lock-table` of `seawall`."
        );
    }
}

/// Emits a `const fn`, except under loom, whose atomics have no `const` constructor.
#[cfg(not(seawall_loom))]
macro_rules! const_constructor {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
}
#[cfg(seawall_loom)]
macro_rules! const_constructor {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        $(#[$meta])*
        #[allow(clippy::question_mark, reason = "the body is that of a `const fn`, which has no `?`")]
        $vis fn $($rest)*
    };
}
pub(crate) use const_constructor;

/// An array of `$length` fresh elements: a constant expression, except under loom.
#[cfg(not(seawall_loom))]
macro_rules! atomic_array {
    ($element:expr, $length:expr) => {
        [const { $element }; $length]
    };
}
#[cfg(seawall_loom)]
macro_rules! atomic_array {
    ($element:expr, $length:expr) => {
        core::array::from_fn::<_, { $length }, _>(|_| $element)
    };
}
pub(crate) use atomic_array;

/// Whether the running model asked for the named fault. Always `false` outside of the models.
#[cfg(not(seawall_loom))]
#[inline(always)]
pub(crate) const fn fault(_name: &'static str) -> bool {
    false
}
#[cfg(seawall_loom)]
pub(crate) use self::faults::is_active as fault;

/// Whether a model unwinds from a fault that it found: no operation may follow. Always `false` outside of the models.
#[cfg(all(feature = "std", not(seawall_loom)))]
#[inline(always)]
pub(crate) const fn is_model_over() -> bool {
    false
}
#[cfg(all(feature = "std", seawall_loom))]
pub(crate) use std::thread::panicking as is_model_over;

/// `right`, or under the named fault `wrong`: how a model shows that an ordering is needed.
#[inline(always)]
pub(crate) fn ordering(right: Ordering, fault_name: &'static str, wrong: Ordering) -> Ordering {
    if fault(fault_name) { wrong } else { right }
}

/// Deliberate faults, for the models only.
#[cfg(seawall_loom)]
pub mod faults {
    use core::cell::Cell;
    std::thread_local! {
        // loom runs all threads of a model on one thread of the operating system.
        static ACTIVE: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Makes `name` the active fault of the models that this thread runs.
    pub fn inject(name: Option<&'static str>) {
        ACTIVE.set(name);
    }

    pub(crate) fn is_active(name: &'static str) -> bool {
        ACTIVE.get() == Some(name)
    }
}
