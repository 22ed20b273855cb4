//! What is shown of the runs: a table, JSON, a page.

pub(crate) mod json;
pub(crate) mod table;
