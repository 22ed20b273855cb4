//! What the test programs of the core share.

#[allow(dead_code, reason = "not every test program is about a guard")]
pub mod guards;
#[allow(dead_code, reason = "not every test program has sizes that are known when it runs")]
pub mod storage;
#[allow(dead_code, reason = "not every test program uses vectors")]
pub mod vectors;
