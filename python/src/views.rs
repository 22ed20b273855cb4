//! The core's views, as many elements long as the program wants, each in a box of its own.

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::slice_from_raw_parts_mut;

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use seawall::{ConcurrencyLimitView, KeyedBucketsView, RecorderView, SlidingWindowView};

/// An unsized type of the core, made of a head and of a tail of so many elements.
///
/// # Safety
/// `size_for` and `ALIGNMENT` are those of the type with that tail, `at` keeps address and length, and zeros are a valid
/// value of it.
pub(crate) unsafe trait View {
    const ALIGNMENT: usize;

    /// Its bytes; `None` where there is none of that length.
    fn size_for(length: usize) -> Option<usize>;

    fn at(storage: *mut u8, length: usize) -> *mut Self;
}

macro_rules! view {
    ($view:ident, $size_for:ident) => {
        // SAFETY: the core's own words on the storage of this type.
        unsafe impl View for $view {
            const ALIGNMENT: usize = Self::ALIGNMENT;

            fn size_for(length: usize) -> Option<usize> {
                Self::$size_for(length)
            }

            fn at(storage: *mut u8, length: usize) -> *mut Self {
                slice_from_raw_parts_mut(storage, length) as *mut Self
            }
        }
    };
}

view!(ConcurrencyLimitView, size_for); // slots
view!(KeyedBucketsView, size_for); // groups
view!(RecorderView, size_of_words); // words_for(slices, cells)
view!(SlidingWindowView, size_of_words); // words_for(slices, cells)

/// A view of that length, all zero: it refuses or is empty until its `renew`. Raises MemoryError where there is none.
pub(crate) fn zeroed<V: View + ?Sized>(length: usize) -> PyResult<Box<V>> {
    let layout = V::size_for(length).and_then(|size| Layout::from_size_align(size, V::ALIGNMENT).ok());
    let Some(layout) = layout.filter(|layout| layout.size() > 0) else { return Err(too_large(length)) };
    // SAFETY: the size is not 0.
    let storage = unsafe { alloc_zeroed(layout) };
    if storage.is_null() {
        return Err(too_large(length));
    }
    // SAFETY: the allocator's own memory, of the size and alignment of the view, and its zeros are a value of it. A box
    // frees by the layout of what it holds, which is the one that was asked for.
    let view = unsafe { Box::from_raw(V::at(storage, length)) };
    debug_assert_eq!(Layout::for_value(&*view), layout);
    Ok(view)
}

#[cold]
fn too_large(length: usize) -> PyErr {
    PyMemoryError::new_err(format!("there is no memory for {length} places"))
}
