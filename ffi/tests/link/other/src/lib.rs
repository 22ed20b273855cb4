//! A library with a run-time of its own: it allocates, panics and catches that.

/// 1 if a panic was caught, as it has to be.
#[unsafe(no_mangle)]
pub extern "C" fn other_catches(number: i32) -> i32 {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| assert!(number < 0, "{}", String::from("as it should")));
    i32::from(caught.is_err())
}
