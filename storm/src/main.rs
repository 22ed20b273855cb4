//! The storm lab.
fn main() {}
