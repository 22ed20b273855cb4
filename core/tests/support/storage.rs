//! Storage as a face in another language gives it: zeroed bytes of a size that is known when the program runs.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::slice_from_raw_parts_mut;

/// What stands behind the storage, where nobody may write.
const BEHIND: u8 = 0xA5;
const BYTES_BEHIND: usize = 256;

/// A view over such storage, exactly as many bytes as were asked for.
pub struct Storage<V: ?Sized> {
    place: *mut u8,
    bytes: usize,
    layout: Layout,
    view: *mut V,
}

impl<V: ?Sized> Storage<V> {
    /// `bytes` zeroed ones at a multiple of `alignment`, as `cast` of a slice of `length` makes a view of them.
    ///
    /// # Safety
    /// The view that `cast` makes lies in these bytes, and all zero is a value of it.
    pub unsafe fn zeroed(bytes: usize, alignment: usize, length: usize, cast: fn(*mut [u8]) -> *mut V) -> Self {
        // At an odd multiple, so that an alignment that was said too small shows.
        let layout = Layout::from_size_align(alignment + bytes + BYTES_BEHIND, 2 * alignment).unwrap();
        // SAFETY: the layout has bytes.
        let place = unsafe { alloc_zeroed(layout) };
        if place.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: the layout reaches so far.
        let (first, behind) = unsafe { (place.add(alignment), place.add(alignment + bytes)) };
        // SAFETY: so many bytes are left of the layout.
        unsafe { behind.write_bytes(BEHIND, BYTES_BEHIND) };
        let view = cast(slice_from_raw_parts_mut(first, length));
        // SAFETY: zeroed, and nobody else has it yet.
        assert_eq!(unsafe { (size_of_val(&*view), align_of_val(&*view)) }, (bytes, alignment));
        Self { place, bytes: alignment + bytes, layout, view }
    }
}

impl<V: ?Sized> Deref for Storage<V> {
    type Target = V;

    fn deref(&self) -> &V {
        // SAFETY: made from the storage that this owns.
        unsafe { &*self.view }
    }
}

impl<V: ?Sized> DerefMut for Storage<V> {
    fn deref_mut(&mut self) -> &mut V {
        // SAFETY: as for `deref`, and borrowed alone.
        unsafe { &mut *self.view }
    }
}

impl<V: ?Sized> Drop for Storage<V> {
    fn drop(&mut self) {
        // SAFETY: the bytes behind the storage are of the allocation.
        let behind = unsafe { core::slice::from_raw_parts(self.place.add(self.bytes), BYTES_BEHIND) };
        let is_intact = behind.iter().all(|byte| *byte == BEHIND);
        // SAFETY: allocated with this layout, and not used any more.
        unsafe { dealloc(self.place, self.layout) };
        assert!(is_intact || std::thread::panicking(), "something was written behind the storage");
    }
}
