//! What is measured, a file a mechanism.

pub mod circuit_breaker;
pub mod clock;
pub mod concurrency_limit;
pub mod floors;
pub mod guard;
pub mod keyed_buckets;
pub mod retry;
pub mod sliding_window;
pub mod storm;
pub mod token_bucket;

use crate::row::Section;

/// What makes the sections of a mechanism. They are made when their turn comes: some are large.
pub type Make = fn() -> Vec<Section>;

/// All mechanisms, by name.
pub const ALL: [(&str, Make); 9] = [
    ("clock", clock::sections),
    ("token_bucket", token_bucket::sections),
    ("circuit_breaker", circuit_breaker::sections),
    ("sliding_window", sliding_window::sections),
    ("concurrency_limit", concurrency_limit::sections),
    ("keyed_buckets", keyed_buckets::sections),
    ("retry", retry::sections),
    ("guard", guard::sections),
    ("storm", storm::sections),
];

/// Runs `work` on a thread with room for a table of a million keys, which is made where it is called.
///
/// # Panics
/// With `work`.
pub fn with_room<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(work).expect("a thread can be started");
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
