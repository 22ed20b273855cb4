use std::sync::atomic::{AtomicU64, Ordering};

use gungraun::{library_benchmark, library_benchmark_group};

use crate::leaked;

fn word() -> &'static AtomicU64 {
    leaked(AtomicU64::new(7))
}

#[library_benchmark]
#[bench::is(word())]
fn nothing(word: &'static AtomicU64) -> &'static AtomicU64 {
    word
}

#[library_benchmark]
#[bench::is(word())]
fn load_and_exchange(word: &'static AtomicU64) -> bool {
    let seen = word.load(Ordering::Acquire);
    word.compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

library_benchmark_group!(name = floor_paths, benchmarks = [nothing, load_and_exchange]);
