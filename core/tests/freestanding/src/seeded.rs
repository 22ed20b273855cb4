//! What must not link: an index that nobody checked.

static TABLE: [u64; 4] = [2, 3, 5, 7];

crate::proofs! {
    fn proof_seeded_panic(a, _b, _c) { TABLE[a as usize] }
}
