//! `seawall_listener_t`: who is told of transitions, as a convenience.
//!
//! Who makes a transition gets it as a value. Nothing that is shared holds a function or a pointer: a listener is the
//! caller's own, and called by the caller's thread when the call that made the transition has returned.

use core::ffi::c_void;

use crate::object::check_wanted;
use crate::status::{SEAWALL_E_NULL, SEAWALL_NOTHING_DONE, SEAWALL_OK, check, seawall_status_t};
use crate::values::seawall_transition_t;

/// A function that is told of transitions, and what it is given beside them. Keep it where your process keeps its
/// functions: not in memory that processes share.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_listener_t {
    /// Told of one transition, which lives until it returns. NULL: nobody is told. It may call any function of this
    /// library, for any object. It must return: no exception, no `longjmp` out of it.
    pub on_transition: Option<unsafe extern "C" fn(userdata: *mut c_void, transition: *const seawall_transition_t)>,
    /// What it is given, as it stands.
    pub userdata: *mut c_void,
}

/// Tells a listener of a transition, if there is one: give it what a call wrote, changed or not.
///
/// Threads: any, at the same time; it calls the listener on this thread, once, and holds nothing meanwhile. In a signal
/// handler only if the listener may run there.
/// Returns: `SEAWALL_OK` when the listener has returned; `SEAWALL_NOTHING_DONE` where nothing changed (`transition->to` is
/// 0) or the listener has no function; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_transition_tell(
    transition: *const seawall_transition_t,
    listener: *const seawall_listener_t,
) -> seawall_status_t {
    if transition.is_null() || listener.is_null() {
        return SEAWALL_E_NULL;
    }
    check!(check_wanted(transition));
    check!(check_wanted(listener));
    // Copies: what is told may then use both places for something else.
    // SAFETY: not NULL, aligned, and the caller's word.
    let (transition, listener) = unsafe { (*transition, *listener) };
    match listener.on_transition {
        Some(on_transition) if transition.to != 0 => {
            // SAFETY: the caller's function, as it wants to be called.
            unsafe { on_transition(listener.userdata, &raw const transition) };
            SEAWALL_OK
        }
        _ => SEAWALL_NOTHING_DONE,
    }
}
