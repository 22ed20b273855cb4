//! Objects of a fixed size, in the caller's storage: a tag and a value of the core.
//!
//! # Invariant
//! A tag that is right stands before a value that was made completely. It is written last when an object is made, and first
//! when it is ended; zeros are no tag.
//!
//! # Orderings
//! The tag is stored `Release` and loaded `Acquire`: a process that finds an object in shared memory finds all of it. It is
//! cleared by an exchange that is `Acquire`: no write of what comes next goes before it, so that who is killed while an object
//! is made in the place of another leaves no tag before half of each. No tag is written but by an atomic access, as others may
//! look for it meanwhile (`_attach`).

use core::sync::atomic::{AtomicU32, Ordering};

use crate::status::{
    Misuse, SEAWALL_E_ALIGNMENT, SEAWALL_E_NULL, SEAWALL_E_TYPE, SEAWALL_E_UNINITIALISED, SEAWALL_NONE,
    SEAWALL_NOTHING_DONE, SEAWALL_OK, SEAWALL_VOID, Status, check, seawall_status_t,
};
use crate::version::SEAWALL_ABI_VERSION;

/// What a tag says that an object is. A number is never used again.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Kind {
    TokenBucket = 1,
    LeasedBucket = 2,
    OwnedLease = 3,
    KeyedBuckets = 4,
    ConcurrencyLimit = 5,
    CircuitBreaker = 6,
    RetryStrategy = 7,
    RetryBudget = 8,
    SlidingWindow = 9,
    ShardedWindow = 10,
    OwnedWindow = 11,
    Recorder = 12,
    OwnedRecorder = 13,
    AimdController = 14,
    Guard = 15,
    Random = 16,
    SharedRandom = 17,
    Reservation = 32,
    LimitPermit = 33,
    BreakerPermit = 34,
    Call = 35,
    Permit = 36,
    CallRecord = 37,
}

impl Kind {
    /// The tag of such an object in this ABI: never 0.
    pub(crate) const fn tag(self) -> u32 {
        0x5EA7_0000 | (self as u32) << 8 | SEAWALL_ABI_VERSION
    }
}

/// What stands at the beginning of every object.
#[repr(C)]
pub(crate) struct Tag {
    tag: AtomicU32,
    reserved: u32,
}

impl Tag {
    /// Whether an object of `kind` stands here.
    #[inline(always)]
    pub(crate) fn check(&self, kind: Kind) -> Result<(), Misuse> {
        if self.tag.load(Ordering::Acquire) == kind.tag() { Ok(()) } else { Err(self.wrong(kind)) }
    }

    /// Reads again, so that who is right need not keep what was read. What is right by now was made meanwhile.
    #[cold]
    #[inline(never)]
    fn wrong(&self, kind: Kind) -> Misuse {
        let tag = self.tag.load(Ordering::Relaxed);
        Misuse(if tag == 0 || tag == kind.tag() { SEAWALL_E_UNINITIALISED } else { SEAWALL_E_TYPE })
    }

    /// Says that an object of `kind` stands here: after it was made.
    pub(crate) fn publish(&self, kind: Kind) {
        self.tag.store(kind.tag(), Ordering::Release);
    }

    /// Says that no object stands here: before anything of it is written to.
    pub(crate) fn clear(&self) {
        self.tag.swap(0, Ordering::AcqRel);
    }
}

/// Whether an object may stand there: not NULL, and aligned to 8 bytes, as atomics are on every machine.
#[inline(always)]
pub(crate) fn check_pointer<T>(pointer: *const T) -> Result<(), Misuse> {
    if pointer.is_null() {
        return Err(unusable(pointer.cast()));
    }
    if !pointer.addr().is_multiple_of(8) {
        return Err(unusable(pointer.cast()));
    }
    Ok(())
}

/// Whether a `T` of the caller's may be read or written there: not NULL, and aligned as C aligns a `T`.
#[inline(always)]
pub(crate) fn check_place<T>(place: *const T) -> Result<(), Misuse> {
    if place.is_null() || !place.is_aligned() { Err(unusable(place.cast())) } else { Ok(()) }
}

/// As [`check_place`], where NULL says that the caller has none or wants none.
#[inline(always)]
pub(crate) fn check_wanted<T>(place: *const T) -> Result<(), Misuse> {
    if place.is_aligned() { Ok(()) } else { Err(Misuse(SEAWALL_E_ALIGNMENT)) }
}

#[cold]
#[inline(never)]
fn unusable(pointer: *const u64) -> Misuse {
    Misuse(if pointer.is_null() { SEAWALL_E_NULL } else { SEAWALL_E_ALIGNMENT })
}

/// A type of the core that lies in a C type of words of its own.
///
/// # Safety
/// The type holds no pointer to itself, and [`Storage`](Self::Storage) is made of words (`repr(C)`, `[u64; N]`).
pub(crate) unsafe trait Object: Sized {
    /// The C type.
    type Storage;
    const KIND: Kind;
    /// Holds at compile time that the value fits, and that nothing is to be dropped.
    const FITS: () = {
        assert!(size_of::<Held<Self>>() <= size_of::<Self::Storage>(), "the C type is too small");
        assert!(align_of::<Held<Self>>() <= 8, "an object is aligned to 8 bytes, which every call checks");
        assert!(align_of::<Self::Storage>() == align_of::<u64>(), "the C type is made of words");
        assert!(!core::mem::needs_drop::<Self>(), "nobody would drop it");
    };
}

/// An object as it lies in its storage.
#[repr(C)]
pub(crate) struct Held<T> {
    tag: Tag,
    value: T,
}

impl<T: Object> Held<T> {
    /// An object, to lie in what is published as a whole.
    pub(crate) const fn new(value: T) -> Self {
        const { T::FITS };
        Self { tag: Tag { tag: AtomicU32::new(T::KIND.tag()), reserved: 0 }, value }
    }
}

impl<T> AsRef<T> for Held<T> {
    #[inline(always)]
    fn as_ref(&self) -> &T {
        &self.value
    }
}

/// The object in `storage`.
///
/// # Safety
/// `storage` is NULL or points to a `T::Storage` that lives through `'a` and that nobody makes, ends or writes to but
/// through this library while it is used.
#[inline(always)]
pub(crate) unsafe fn get<'a, T: Object>(storage: *mut T::Storage) -> Result<&'a T, Misuse> {
    const { T::FITS };
    check_pointer(storage)?;
    let held = storage.cast::<Held<T>>();
    // SAFETY: not NULL, aligned, and the caller's word for the storage, which is large enough; a tag is valid at any bits.
    unsafe { &(*held).tag }.check(T::KIND)?;
    // SAFETY: the tag says that the value was made and not ended.
    Ok(unsafe { &(*held).value })
}

/// As [`get`], for what only one caller at a time may use.
///
/// # Safety
/// As [`get`], and nobody else uses the object through `'a`.
#[inline(always)]
pub(crate) unsafe fn get_mut<'a, T: Object>(storage: *mut T::Storage) -> Result<&'a mut T, Misuse> {
    const { T::FITS };
    check_pointer(storage)?;
    let held = storage.cast::<Held<T>>();
    // SAFETY: as in `get`.
    unsafe { &(*held).tag }.check(T::KIND)?;
    // SAFETY: as in `get`; that nobody else uses it is the caller's word.
    Ok(unsafe { &mut (*held).value })
}

/// Makes `value` the object in `storage`.
///
/// # Safety
/// `storage` is NULL or points to a `T::Storage` that nobody else uses meanwhile.
pub(crate) unsafe fn put<T: Object>(storage: *mut T::Storage, value: T) -> Result<(), Misuse> {
    const { T::FITS };
    check_pointer(storage)?;
    let held = storage.cast::<Held<T>>();
    // SAFETY: not NULL, aligned, large enough, and nobody else's.
    unsafe {
        (*held).tag.clear();
        (&raw mut (*held).value).write(value);
        (*held).tag.publish(T::KIND);
    }
    Ok(())
}

/// Ends the object in `storage`.
///
/// # Safety
/// As [`put`].
pub(crate) unsafe fn end<T: Object>(storage: *mut T::Storage) -> Result<(), Misuse> {
    // SAFETY: the caller's word.
    unsafe { get::<T>(storage)? };
    // SAFETY: there is an object, so its tag may be written.
    unsafe { (*storage.cast::<Held<T>>()).tag.clear() };
    Ok(())
}

/// Writes what `value` gives to `out`, which is not asked for where `out` is no place for it.
///
/// # Safety
/// `out` is NULL or points to a `T` that may be written.
#[inline(always)]
pub(crate) unsafe fn tell<T>(out: *mut T, value: impl FnOnce() -> T) -> seawall_status_t {
    check!(check_place(out));
    // SAFETY: checked, and the caller's word.
    unsafe { out.write(value()) };
    SEAWALL_OK
}

/// As [`tell`], where there may be no value: then nothing is written.
///
/// # Safety
/// `out` is NULL or points to a `T` that may be written.
pub(crate) unsafe fn tell_some<T>(out: *mut T, value: Option<T>) -> seawall_status_t {
    match value {
        // SAFETY: the caller's word.
        Some(value) => unsafe { tell(out, || value) },
        None => check_place(out).map_or_else(Status::status, |()| SEAWALL_NONE),
    }
}

/// Writes `value` to `out`, if the caller wants it.
///
/// # Safety
/// `out` passed [`check_wanted`] and, if it is not NULL, points to a `T` that may be written.
#[inline(always)]
pub(crate) unsafe fn tell_wanted<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: the caller's word.
        unsafe { out.write(value) };
    }
}

/// Whether a permit or lease was still good.
pub(crate) const fn done_or_void(done: bool) -> seawall_status_t {
    if done { SEAWALL_OK } else { SEAWALL_VOID }
}

/// Whether something was done that may be refused without a reason.
pub(crate) const fn done(done: bool) -> seawall_status_t {
    if done { SEAWALL_OK } else { SEAWALL_NOTHING_DONE }
}
