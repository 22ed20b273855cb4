//! [`bytes_with_tail`]: how much storage a structure takes whose last field has a size of the caller's choice.

/// The bytes of a `repr(C)` structure that ends in `count` elements of `each` bytes, from `offset` on; `alignment` is that
/// of the whole. `None` where no object is so large.
pub(crate) const fn bytes_with_tail(offset: usize, each: usize, count: usize, alignment: usize) -> Option<usize> {
    let Some(tail) = each.checked_mul(count) else { return None };
    let Some(end) = offset.checked_add(tail) else { return None };
    // What follows it in an array begins aligned, so its size is a multiple of its alignment.
    match end.checked_next_multiple_of(alignment) {
        Some(bytes) if bytes <= isize::MAX as usize => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::bytes_with_tail;

    #[test]
    fn it_is_what_the_compiler_lays_out() {
        #[repr(C)]
        struct Tailed<const N: usize>(u64, u8, [[u16; 3]; N]);
        let bytes = |count| {
            bytes_with_tail(core::mem::offset_of!(Tailed<0>, 2), size_of::<[u16; 3]>(), count, align_of::<Tailed<0>>())
        };
        assert_eq!([bytes(0), bytes(1), bytes(2)], [16, 16, 24].map(Some));
        assert_eq!((size_of::<Tailed<0>>(), size_of::<Tailed<1>>(), size_of::<Tailed<2>>()), (16, 16, 24));
    }

    #[test]
    fn what_no_object_can_be_has_no_size() {
        let most = isize::MAX as usize;
        assert_eq!(bytes_with_tail(8, 8, most / 8 - 1, 8), Some(most / 8 * 8));
        for (offset, each, count, alignment) in
            [(8, 8, most / 8, 8), (8, 8, usize::MAX, 8), (usize::MAX, 1, 1, 1), (usize::MAX - 3, 1, 1, 64)]
        {
            assert_eq!(bytes_with_tail(offset, each, count, alignment), None);
        }
    }
}
