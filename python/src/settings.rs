//! What a mechanism was last set to, so that a change of one setting leaves the others as they are.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

pub(crate) struct Settings<T>(Mutex<T>);

impl<T: Copy + PartialEq> Settings<T> {
    pub(crate) fn new(config: T) -> Self {
        Self(Mutex::new(config))
    }

    pub(crate) fn get(&self) -> T {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes them to what `read` makes of what they are, by `set`. An error leaves them as they were.
    pub(crate) fn change<R>(&self, read: impl Fn(T) -> PyResult<T>, set: impl Fn(T) -> PyResult<R>) -> PyResult<R> {
        loop {
            // Reading runs Python, which must not meet the lock: so another change may come in between, and is kept.
            let old = self.get();
            let new = read(old)?;
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if *held == old {
                let answer = set(new)?;
                *held = new;
                return Ok(answer);
            }
        }
    }
}
