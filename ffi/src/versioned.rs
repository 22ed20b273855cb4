//! Structs that grow: they begin with their size, `struct_size`.
//!
//! A caller that was built with an older header gives a shorter struct: the fields that it does not know are 0, which is how
//! the library behaved before they were there. One that was built with a newer header gives a longer struct: it is taken
//! if what this library does not know is 0. The rules are those by which Linux extends the arguments of system calls
//! (`copy_struct_from_user`).

use core::mem::MaybeUninit;

use crate::object::check_place;
use crate::status::{Misuse, SEAWALL_E_STRUCT_SIZE};

/// The longest struct that a later version may have, in bytes: so that a size that was never set is found.
const LONGEST: usize = 4_096;

/// A C struct of integers that begins with `uint32_t struct_size` and has no padding.
///
/// # Safety
/// `repr(C)`, only integers and such structs, no padding, zeros are a valid value.
pub(crate) unsafe trait Versioned: Copy {
    /// Its size in the first version of this ABI.
    const FIRST: usize;
}

fn check_size<T: Versioned>(size: u32) -> Result<usize, Misuse> {
    const { assert!(size_of::<T>().is_multiple_of(8) && T::FIRST.is_multiple_of(8) && T::FIRST <= size_of::<T>()) };
    let size = size as usize;
    if size < T::FIRST || !size.is_multiple_of(8) || size > LONGEST {
        return Err(Misuse(SEAWALL_E_STRUCT_SIZE));
    }
    Ok(size)
}

/// Reads a struct of any version.
///
/// # Safety
/// `from` is NULL or points to as many bytes as its `struct_size` says.
pub(crate) unsafe fn read<T: Versioned>(from: *const T) -> Result<T, Misuse> {
    check_place(from)?;
    // SAFETY: aligned, and it begins with its size.
    let size = check_size::<T>(unsafe { from.cast::<u32>().read() })?;
    let (words, known) = (from.cast::<u64>(), size_of::<T>());
    for index in known / 8..size / 8 {
        // SAFETY: under `struct_size`.
        if unsafe { words.add(index).read() } != 0 {
            return Err(Misuse(SEAWALL_E_STRUCT_SIZE));
        }
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both have so many bytes, and zeros or integers are a valid value.
    unsafe {
        from.cast::<u8>().copy_to_nonoverlapping(value.as_mut_ptr().cast(), if size < known { size } else { known });
        Ok(value.assume_init())
    }
}

/// Whether [`write`] would write there: where one call writes two structs.
///
/// # Safety
/// As [`write`].
pub(crate) unsafe fn check_write<T: Versioned>(to: *mut T) -> Result<(), Misuse> {
    check_place(to)?;
    // SAFETY: aligned, and it begins with its size.
    check_size::<T>(unsafe { to.cast::<u32>().read() }).map(drop)
}

/// Writes a struct into one of any version, which keeps its `struct_size`; what it has and this library does not know
/// becomes 0.
///
/// # Safety
/// `to` is NULL or points to as many bytes as its `struct_size` says, that nobody else uses.
pub(crate) unsafe fn write<T: Versioned>(to: *mut T, value: T) -> Result<(), Misuse> {
    check_place(to)?;
    // SAFETY: aligned, and it begins with its size.
    let own = unsafe { to.cast::<u32>().read() };
    let (size, known) = (check_size::<T>(own)?, size_of::<T>());
    // SAFETY: both have so many bytes; under `struct_size`.
    unsafe {
        (&raw const value).cast::<u8>().copy_to_nonoverlapping(to.cast(), if size < known { size } else { known });
        to.cast::<u32>().write(own);
        for index in known / 8..size / 8 {
            to.cast::<u64>().add(index).write(0);
        }
    }
    Ok(())
}
