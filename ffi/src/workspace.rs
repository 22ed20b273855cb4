//! Objects whose size depends on their configuration, in a workspace of the caller's.
//!
//! ```text
//! workspace  |...|header: 128 bytes|the view of the core|...|
//!                ^ the handle: at the first multiple of 128
//! ```
//!
//! The handle is the address of the header. Nothing in a workspace is a pointer: it may lie in memory that processes map at
//! different addresses, as long as each maps it at a multiple of 128 (a page is one); who finds one there gets its handle
//! by the type's `_attach`.
//!
//! # Orderings
//! As those of [`object`](crate::object): the tag is published last.

use core::ffi::c_void;

use crate::object::{Kind, Tag, check_place, check_pointer, tell};
use crate::status::{Misuse, SEAWALL_E_SIZE, SEAWALL_E_WORKSPACE, SEAWALL_OK, Status, check, seawall_status_t};

/// To what a handle is aligned: the largest that a type of the core asks for.
pub(crate) const ALIGNMENT: usize = 128;

/// What stands before the view.
#[repr(C, align(128))]
pub(crate) struct Header {
    pub(crate) tag: Tag,
    /// What tells the view's size: the length of its tail first. Written before the tag is published, and then never.
    pub(crate) lengths: [u64; 4],
}

const _: () = assert!(size_of::<Header>() == ALIGNMENT);

/// An unsized type of the core that lies in a workspace.
///
/// # Safety
/// `at` keeps address and length, zeros are a valid value of the type, and nothing of it is to be dropped.
pub(crate) unsafe trait InWorkspace {
    /// The C type: incomplete there.
    type Handle;
    const KIND: Kind;

    /// The view whose memory begins at `start`, with a tail of `length` elements.
    fn at(start: *mut u8, length: usize) -> *mut Self;
}

/// Tells how many bytes a workspace must have for a view of `view_size`, wherever it begins.
///
/// # Safety
/// `size` is NULL or points to a size that may be written.
pub(crate) unsafe fn required_size(view_size: Option<usize>, size: *mut usize) -> seawall_status_t {
    let needed = view_size
        // What is lost before the first multiple, as the workspace is aligned to a word.
        .and_then(|size| size.checked_add(size_of::<Header>() + ALIGNMENT - 8))
        .filter(|size| *size <= isize::MAX as usize);
    let Some(needed) = needed else { return SEAWALL_E_SIZE };
    // SAFETY: the caller's word.
    unsafe { tell(size, || needed) }
}

/// The place of the header in a workspace of `size` bytes, if a view of `view_size` has room behind it.
pub(crate) fn place(workspace: *mut c_void, size: usize, view_size: Option<usize>) -> Result<*mut Header, Misuse> {
    let Some(view_size) = view_size else { return Err(Misuse(SEAWALL_E_SIZE)) };
    check_pointer(workspace)?;
    let lost = workspace.cast::<u8>().align_offset(ALIGNMENT);
    let needed = lost.checked_add(size_of::<Header>()).and_then(|size| size.checked_add(view_size));
    if needed.is_none_or(|needed| needed > size) {
        return Err(Misuse(SEAWALL_E_WORKSPACE));
    }
    Ok(workspace.cast::<u8>().wrapping_add(lost).cast())
}

/// The header of what is about to be made. A tag is valid at any bits, and others may be looking for one (`attach`).
///
/// # Safety
/// `header` is as [`place`] gave it, in a workspace that nobody else writes to.
pub(crate) unsafe fn begin(header: *mut Header, lengths: [u64; 4]) {
    // SAFETY: the caller's word.
    unsafe {
        (*header).tag.clear();
        (&raw mut (*header).lengths).write(lengths);
    }
}

/// Makes a view in a workspace, and gives its handle. On an error nothing of a view is there.
///
/// # Safety
/// `workspace` is NULL or points to `size` bytes that nobody else uses meanwhile. `view_size` is that of a view with a
/// tail of `length`.
pub(crate) unsafe fn make<V: InWorkspace + ?Sized, E: Status>(
    workspace: *mut c_void,
    size: usize,
    view_size: Option<usize>,
    length: usize,
    renew: impl FnOnce(&mut V) -> Result<(), E>,
) -> Result<*mut V::Handle, Misuse> {
    let header = place(workspace, size, view_size)?;
    let start = header.wrapping_add(1).cast::<u8>();
    // SAFETY: `place` has seen that header and view lie in the workspace, which is the caller's.
    let view = unsafe {
        begin(header, [length as u64, 0, 0, 0]);
        start.write_bytes(0, view_size.unwrap_or(0));
        &mut *V::at(start, length)
    };
    renew(view).map_err(|error| Misuse(error.status()))?;
    // SAFETY: written above.
    unsafe { &(*header).tag }.publish(V::KIND);
    Ok(header.cast())
}

/// Gives the handle of what was made in a workspace before: by another process, or before a restart.
///
/// # Safety
/// `workspace` is NULL or points to `size` bytes, and `out` is NULL or points to a handle that may be written.
pub(crate) unsafe fn attach<V: InWorkspace + ?Sized>(
    workspace: *mut c_void,
    size: usize,
    view_size: impl FnOnce(usize) -> Option<usize>,
    out: *mut *mut V::Handle,
) -> seawall_status_t {
    check!(check_place(out));
    let header = check!(place(workspace, size, Some(0)));
    // SAFETY: `place` has seen that the header lies in the workspace.
    check!(unsafe { &(*header).tag }.check(V::KIND));
    // SAFETY: as above.
    let Ok(length) = usize::try_from(unsafe { (*header).lengths[0] }) else { return SEAWALL_E_SIZE };
    check!(place(workspace, size, view_size(length)));
    // SAFETY: checked, and the caller's word.
    unsafe { give(out, header.cast()) }
}

/// The view behind a handle.
///
/// # Safety
/// `handle` is NULL or was given by [`make`] or [`attach`], its workspace lives through `'a`, and nobody makes, ends or
/// writes to the view but through this library while it is used.
#[inline(always)]
pub(crate) unsafe fn view<'a, V: InWorkspace + ?Sized>(handle: *mut V::Handle) -> Result<&'a V, Misuse> {
    check_pointer(handle)?;
    let header = handle.cast::<Header>();
    // SAFETY: not NULL, aligned, and the caller's word that it is a handle.
    unsafe { &(*header).tag }.check(V::KIND)?;
    // SAFETY: the tag says that the view was made, with this length.
    Ok(unsafe { &*V::at(header.wrapping_add(1).cast(), (*header).lengths[0] as usize) })
}

/// Ends the view behind a handle; the workspace is the caller's again.
///
/// # Safety
/// As [`view`], and nobody else uses it.
pub(crate) unsafe fn end<V: InWorkspace + ?Sized>(handle: *mut V::Handle) -> Result<(), Misuse> {
    // SAFETY: the caller's word.
    unsafe { view::<V>(handle)? };
    // SAFETY: there is a header.
    unsafe { (*handle.cast::<Header>()).tag.clear() };
    Ok(())
}

/// Writes a handle where the caller wants it.
///
/// # Safety
/// `out` passed [`check_place`] and points to a pointer that may be written.
pub(crate) unsafe fn give<T>(out: *mut *mut T, handle: *mut T) -> seawall_status_t {
    // SAFETY: checked, and the caller's word.
    unsafe { out.write(handle) };
    SEAWALL_OK
}
