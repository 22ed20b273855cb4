//! `seawall_owned_window_t`: a shard of a sharded window, with one writer.

use core::mem::ManuallyDrop;
use core::time::Duration;

use seawall::{OwnedWindowView, ShardedWindowView};

use crate::object::{Kind, check_place, tell};
use crate::sharded_window::seawall_sharded_window_t;
use crate::status::{
    Misuse, SEAWALL_E_PERMIT, SEAWALL_E_SIZE, SEAWALL_OK, SEAWALL_TAKEN, SEAWALL_VOID, Status, check, seawall_status_t,
};
use crate::values::instant;
use crate::workspace::view;

/// A shard of a window that one worker owns. A value of the caller's, for one thread at a time; lost, its shard stays
/// owned: what it counted can be read, and nobody adds to it. It may be moved; a copy that is used beside it by another
/// thread loses samples.
#[repr(C)]
pub struct seawall_owned_window_t {
    /// The library's own. `seawall_owned_window_release` zeroes it.
    pub opaque: [u64; 4],
}

/// The owner that stands in `place`, if it is still one. It is not ended by being dropped, as it goes on there.
///
/// # Safety
/// `place` is NULL or points to an owner that nobody else uses.
unsafe fn owner_of(
    window: &ShardedWindowView,
    place: *mut seawall_owned_window_t,
) -> Result<Option<ManuallyDrop<OwnedWindowView<'_>>>, Misuse> {
    check_place(place)?;
    // SAFETY: checked, and the caller's word.
    let [tag, shard, number, zero] = unsafe { (*place).opaque };
    if tag != u64::from(Kind::OwnedWindow.tag()) || zero != 0 {
        return Err(Misuse(SEAWALL_E_PERMIT));
    }
    Ok(window.owner_again([shard, number]).map(ManuallyDrop::new))
}

/// Makes the caller the only recorder of `shard`, until it is released: `*owner`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. The next owner goes on where the one before stopped.
/// Returns: `SEAWALL_OK`; `SEAWALL_TAKEN` while there is one; `SEAWALL_E_SIZE` where there is no such shard;
/// `SEAWALL_E_WRITER` where anybody records; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_own(
    window: *mut seawall_sharded_window_t,
    shard: u32,
    owner: *mut seawall_owned_window_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    check!(check_place(owner));
    match window.own(shard) {
        Err(wrong) => wrong.status(),
        Ok(None) if shard as usize >= window.shards() => SEAWALL_E_SIZE,
        Ok(None) => SEAWALL_TAKEN,
        Ok(Some(owned)) => {
            let [shard, number] = owned.into_numbers();
            let opaque = [u64::from(Kind::OwnedWindow.tag()), shard, number, 0];
            // SAFETY: checked, and the caller's word.
            unsafe { tell(owner, || seawall_owned_window_t { opaque }) }
        }
    }
}

/// Counts one finished call in the shard that `owner` owns: as `seawall_sharded_window_record`.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores, no read-modify-write but for the
/// earliest sample of all.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was released before, by a copy; `SEAWALL_E_PERMIT` where it is none;
/// or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_window_record(
    window: *mut seawall_sharded_window_t,
    owner: *mut seawall_owned_window_t,
    latency_ns: u64,
    ok: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    let Some(mut owner) = check!(unsafe { owner_of(window, owner) }) else { return SEAWALL_VOID };
    owner.record(Duration::from_nanos(latency_ns), ok != 0, instant(now_ns));
    SEAWALL_OK
}

/// Gives a shard back, for the next owner. Zeroes `*owner`.
///
/// Threads: the owner's one. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was released before, by a copy; `SEAWALL_E_PERMIT` where it is none;
/// or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_window_release(
    window: *mut seawall_sharded_window_t,
    owner: *mut seawall_owned_window_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    let found = check!(unsafe { owner_of(window, owner) });
    // SAFETY: `owner_of` has checked the pointer.
    unsafe { (*owner).opaque = [0; 4] };
    match found {
        Some(found) => {
            drop(ManuallyDrop::into_inner(found));
            SEAWALL_OK
        }
        None => SEAWALL_VOID,
    }
}
