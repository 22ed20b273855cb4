//! Whether what a function returned is still to be awaited.

use pyo3::ffi;
use pyo3::prelude::*;

use crate::ready::Ready;

/// Whether it has an `__await__`: a coroutine, a future, the context manager of a request. A `Ready` has ended already.
#[inline]
pub(crate) fn is_awaitable(object: &Bound<'_, PyAny>) -> bool {
    if object.is_none() {
        return false;
    }
    // SAFETY: the object is alive, so its type is; of the slot is only asked whether it is there.
    let slot = unsafe { ffi::PyType_GetSlot(ffi::Py_TYPE(object.as_ptr()), ffi::Py_am_await) };
    !slot.is_null() && !object.is_exact_instance_of::<Ready>()
}
