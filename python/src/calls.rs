//! Calls of Python from here, of which a thread may not come back.
//!
//! Up to 3.13, CPython ends a daemon thread that asks for the GIL while the interpreter shuts down, by `pthread_exit`. With
//! glibc that unwinds the thread's stack, through frames of ours that no foreign unwinding may pass: the process would end
//! by an abort, and not with its exit code. So the thread is parked for ever at the first of our frames that it comes to,
//! as 3.14 does by itself. It holds nothing by then, the GIL least of all.

use std::hint::black_box;

use pyo3::ffi::{PyObject, PyObject_Call, PyObject_CallNoArgs};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

type Call = unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;
type CallUnwinding = unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;
type CallNoArgs = unsafe extern "C" fn(*mut PyObject) -> *mut PyObject;
type CallNoArgsUnwinding = unsafe extern "C-unwind" fn(*mut PyObject) -> *mut PyObject;

/// Dropped only where a thread is being ended: a panic does not come out of Python.
struct Ending;

impl Drop for Ending {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// `function(*args, **kwargs)`.
#[inline]
pub(crate) fn call<'py>(
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    // The quick way of CPython, which makes nothing of nothing.
    if kwargs.is_none() && args.is_empty() {
        return call0(function);
    }
    let kwargs = kwargs.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the three are alive, args is a tuple, and kwargs a dict or null; what is returned is owned.
    unsafe { Bound::from_owned_ptr_or_err(function.py(), with(function.as_ptr(), args.as_ptr(), kwargs)) }
}

/// `function()`.
#[inline]
pub(crate) fn call0<'py>(function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: it is alive; what is returned is owned.
    unsafe { Bound::from_owned_ptr_or_err(function.py(), without(function.as_ptr())) }
}

/// `function(*args)`.
pub(crate) fn call1<'py>(
    function: &Bound<'py, PyAny>,
    args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<Bound<'py, PyAny>> {
    call(function, &args.into_pyobject(function.py())?, None)
}

// Frames that drop nothing else: whatever was dropped before would be so without the GIL. The black boxes are there as the
// functions are declared as ones that never unwind: known to the compiler, they would need no frame that can be left.

#[inline(never)]
unsafe fn with(function: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: the same function, of which it is only said that its frame may be left by unwinding.
    let call = unsafe { std::mem::transmute::<Call, CallUnwinding>(black_box::<Call>(PyObject_Call)) };
    let ending = Ending;
    // SAFETY: as the caller says.
    let answer = unsafe { call(function, args, kwargs) };
    std::mem::forget(ending);
    answer
}

#[inline(never)]
unsafe fn without(function: *mut PyObject) -> *mut PyObject {
    // SAFETY: as above.
    let call =
        unsafe { std::mem::transmute::<CallNoArgs, CallNoArgsUnwinding>(black_box::<CallNoArgs>(PyObject_CallNoArgs)) };
    let ending = Ending;
    // SAFETY: as the caller says.
    let answer = unsafe { call(function) };
    std::mem::forget(ending);
    answer
}
