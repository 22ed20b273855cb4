//! What seawall costs, beside the floor of the machine and beside its peers.
//!
//! A [`Row`] is one thing that is measured: a shared object, what a thread keeps beside it, and one call. It says of
//! every call whether it did what the row says, so that nothing is measured that did not happen. A [`Section`] is the
//! rows that are compared with each other. Two drivers run the same sections: [`alone`] and [`crew`] interleave their
//! rows, one batch of each a round in rotating order, so that whatever drifts drifts for all of them; [`harness`] gives
//! them to criterion, one after the other.

pub mod alone;
pub mod conditions;
pub mod crew;
pub mod figures;
pub mod harness;
pub mod plot;
pub mod promises;
pub mod report;
pub mod row;
pub mod sections;

pub use row::{Kind, Row, Section};
